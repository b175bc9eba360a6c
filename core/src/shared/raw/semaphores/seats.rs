//! Those who wait, in their order.
//!
//! A place is FREE, or somebody's who waits: it says for which semaphore, for how much, what he will have done to it when he is through,
//! and since when (`ticket`), and has the word that he sleeps on. All of it is changed holding the set's lock, but for one who gives up
//! while somebody doesn't get on inside: he slips away.
//!
//! **Who is woken.** A change of a value is played through with those who wait for it, as Linux does it (`ipc/sem.c`). First all who only
//! want to see it 0: they have it, even if it isn't 0 any more when they come. Then the others in their order, each as if he had done
//! what he will do, until one of them adds to it, or leaves what suits an earlier one: he plays the rest through himself, when he has
//! come. Whoever was woken and didn't come yet is reckoned in. Should he leave or die instead, or come to be stuck elsewhere, it is
//! played through without him. So of those who wait for a lock one is woken, not all.
//!
//! Hence, whenever the lock is free: who could be served, as it is played through, was woken. It is played through anew when the value changes,
//! when a place is left, and when somebody sits where he is stuck now; who only sits down, since he is stuck, changes nothing of it.
//!
//! Who finds no free place waits without one: he looks again every few milliseconds.

use std::time::Duration;

use super::super::cell::{U32, U64};
use super::super::event::NAP;
use super::super::host::{EVERYBODY, Host, MANY, Participant};
use super::{Blocked, MOST_SEMAPHORES, Need, Operation, Semaphores, Shared, Value};
use crate::sys::Errno;

/// Who sleeps.
const ASLEEP: u32 = 0;
/// He is to try again.
const WOKEN: u32 = 1;
/// What he waited to see was there.
const SERVED: u32 = 2;

/// The value must be exactly what he needs; otherwise at least.
const EXACTLY: u32 = 1;
/// He changes nothing.
const LOOKS: u32 = 1 << 1;
/// He is stuck where he waits for 0.
const FOR_ZERO: u32 = 1 << 2;
/// He looks at no other semaphore.
const ONLY_HERE: u32 = 1 << 3;

/// The longest sleep of one who found no place.
const WITHOUT_PLACE: Duration = Duration::from_millis(5);

/// How many are found by one walk over the places, of those who are to be woken.
const AT_ONCE: usize = 32;

/// Of one of them: ticket, place, what he needs, what he will have done.
type Waiter = (u64, usize, Need, i32);

/// What the operations together do to a semaphore.
fn net(operations: &[Operation], index: u32) -> i32 {
    let same = operations.iter().filter(|operation| operation.index == index);
    let sum: i64 = same.map(|operation| i64::from(operation.delta)).sum();
    sum.clamp(i32::MIN.into(), i32::MAX.into()) as i32
}

/// See the head of this file.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Place {
    /// The participant; 0 is free.
    owner: U32,
    wake: U32,
    ticket: U64,
    index: U32,
    /// What its value must be; `kind` says how that is meant.
    need: U32,
    kind: U32,
    /// What all of his operations together do to it: an `i32`.
    net: U32,
}

const _: () = assert!(size_of::<Place>() == 32);

impl Shared for Place {}

impl Place {
    #[cfg(test)]
    pub(super) fn layout_for_test() -> Vec<(usize, usize, &'static str)> {
        use std::mem::offset_of;
        vec![
            (offset_of!(Self, owner), 4, "the participant; 0 is free"),
            (offset_of!(Self, wake), 4, "0 asleep, 1 woken, 2 served"),
            (offset_of!(Self, ticket), 8, "his place in the order"),
            (offset_of!(Self, index), 4, "the semaphore"),
            (offset_of!(Self, need), 4, "what its value must be at least, or exactly"),
            (
                offset_of!(Self, kind),
                4,
                "bits: 0 exactly, 1 changes nothing, 2 stuck waiting for 0, 3 looks at no other semaphore",
            ),
            (offset_of!(Self, net), 4, "what he will have done to it"),
        ]
    }

    fn is_free(&self) -> bool {
        self.owner.peek() == 0
    }

    fn is_one_of(&self, is_meant: &impl Fn(Participant) -> bool) -> bool {
        Participant::from_word(self.owner.get()).is_some_and(is_meant)
    }

    /// Which semaphore he waits for, and what its value must be.
    fn waits_for(&self) -> (u32, Need) {
        let need = self.need.peek();
        let is_exact = self.kind.peek() & EXACTLY != 0;
        (self.index.peek(), if is_exact { Need::Exactly(need) } else { Need::AtLeast(need) })
    }

    fn suits(&self, index: u32, value: u32) -> bool {
        let (waits_for, need) = self.waits_for();
        waits_for == index && need.suits(value)
    }

    fn net(&self) -> i32 {
        self.net.peek().cast_signed()
    }

    /// Whether he only waits to see it.
    fn looks(&self) -> bool {
        self.kind.peek() & LOOKS != 0
    }

    fn wait_for(&self, blocked: Blocked, operations: &[Operation]) {
        let (need, exactly) = match blocked.need {
            Need::AtLeast(need) => (need, 0),
            Need::Exactly(need) => (need, EXACTLY),
        };
        let looks = if operations.iter().all(|operation| operation.delta == 0) { LOOKS } else { 0 };
        let is_only_here = operations.iter().all(|operation| operation.index == blocked.index);
        let only_here = if is_only_here { ONLY_HERE } else { 0 };
        let kind = exactly | looks | only_here | if blocked.for_zero { FOR_ZERO } else { 0 };
        self.index.set(blocked.index);
        self.need.set(need);
        self.kind.set(kind);
        self.net.set(net(operations, blocked.index).cast_unsigned());
    }
}

/// Where a thread waits, if it must.
#[derive(Debug, Default)]
pub(crate) struct Seat {
    place: Option<usize>,
}

impl Seat {
    pub(crate) fn is_taken(&self) -> bool {
        self.place.is_some()
    }
}

/// The most who are remembered to be woken when the lock is free again.
const MOST: usize = 16;

/// Whom a change suffices for.
#[derive(Debug, Default)]
pub(super) struct Wakes {
    places: [u32; MOST],
    count: usize,
}

impl Wakes {
    fn add(&mut self, semaphores: &Semaphores, host: &impl Host, place: usize) {
        if self.count == MOST {
            self.wake(semaphores, host);
            self.count = 0;
        }
        self.places[self.count] = place as u32;
        self.count += 1;
    }

    /// Wakes them.
    pub(super) fn wake(&self, semaphores: &Semaphores, host: &impl Host) {
        for &place in &self.places[..self.count] {
            host.wake(&semaphores.seats()[place as usize].wake, MANY, EVERYBODY);
        }
    }
}

impl Semaphores {
    pub(super) fn seats(&self) -> &[Place] {
        self.area(self.geometry.seats(), self.geometry.seats_count() as usize)
    }

    /// The caller waits. Who sat already keeps his place in the order.
    pub(super) fn sit(
        &self,
        host: &impl Host,
        seat: &mut Seat,
        operations: &[Operation],
        blocked: Blocked,
        wakes: &mut Wakes,
    ) {
        // Whoever sat there by this handle may have been presumed dead, and somebody else sits there now.
        let sits = seat.place.filter(|&place| self.seats()[place].owner.peek() == host.me().word());
        // The dead's are free again once somebody has tidied.
        let Some(place) = sits.or_else(|| self.seats().iter().position(Place::is_free)) else {
            seat.place = None;
            return;
        };
        let at = &self.seats()[place];
        let before = at.index.peek();
        at.wake.set(ASLEEP);
        at.wait_for(blocked, operations);
        if sits.is_none() {
            let front = &self.control().front;
            front.waiting.set(front.waiting.peek().wrapping_add(1));
            let ticket = front.ticket.peek();
            front.ticket.set(ticket.wrapping_add(1));
            at.ticket.set(ticket);
            at.owner.set(host.me().word());
        } else if before != blocked.index {
            // He may have been woken there, and doesn't take what is there.
            self.offer(host, before, wakes);
        }
        seat.place = Some(place);
    }

    fn vacate(&self, place: usize) {
        self.seats()[place].owner.set(0);
        let waiting = &self.control().front.waiting;
        waiting.set(waiting.peek().saturating_sub(1));
    }

    /// The caller waits no longer; if he was woken and didn't take what is there, others are.
    pub(super) fn rise(&self, host: &impl Host, seat: &mut Seat, wakes: &mut Wakes) {
        let Some(place) = seat.place.take() else { return };
        let at = &self.seats()[place];
        if at.owner.peek() != host.me().word() {
            return;
        }
        let (index, was_woken) = (at.index.peek(), at.wake.peek() == WOKEN);
        self.vacate(place);
        if was_woken {
            self.offer(host, index, wakes);
        }
    }

    /// As [`rise`](Self::rise), without the lock: the count stays too high until somebody counts.
    #[cold]
    pub(super) fn slip_away(&self, host: &impl Host, seat: &mut Seat) {
        if let Some(place) = seat.place.take() {
            let _ = self.seats()[place].owner.swap_if(host.me().word(), 0);
        }
    }

    /// Sleeps until woken, at most `timeout`, at most 250 ms. `Ok`: try again. `ETIMEDOUT`, `EINTR` as futex(2).
    pub(crate) fn sleep(&self, host: &impl Host, seat: &Seat, timeout: Duration) -> Result<(), Errno> {
        let Some(place) = seat.place else {
            let ticket = &self.control().front.waiting;
            return host.sleep(ticket, ticket.get(), timeout.min(WITHOUT_PLACE), EVERYBODY);
        };
        match host.sleep(&self.seats()[place].wake, ASLEEP, timeout.min(NAP), EVERYBODY) {
            Err(Errno(libc::EAGAIN)) => Ok(()),
            other => other,
        }
    }

    /// The places that are taken, as far as the count says that there are some. It is put right where it was too high. The caller holds
    /// the lock.
    fn taken(&self) -> impl Iterator<Item = (usize, &Place)> {
        let count = &self.control().front.waiting;
        let (mut left, mut found) = (count.peek(), 0);
        let mut places = self.seats().iter().enumerate();
        std::iter::from_fn(move || {
            if left == 0 {
                return None;
            }
            let next = places.find(|(_, place)| !place.is_free());
            match next {
                Some(_) => (left, found) = (left - 1, found + 1),
                None => count.set(found),
            }
            next
        })
    }

    /// Wakes those whom a semaphore's value suffices for, in their order.
    pub(super) fn offer(&self, host: &impl Host, index: u32, wakes: &mut Wakes) {
        if self.control().front.waiting.peek() == 0 {
            return;
        }
        // An index that was scribbled is nobody's.
        let Some(word) = self.values().get(index as usize) else { return };
        let mut value = Value::of(word.peek()).value;
        for (place, _) in self.taken().filter(|(_, at)| at.looks() && at.suits(index, value)) {
            self.call(host, place, wakes);
        }
        let (mut last, mut may_suit_later) = (None, false);
        loop {
            let next = self.next_who_want(index, value, last);
            for &(ticket, place, need, net) in next.iter().flatten() {
                last = Some((ticket, place));
                if need.suits(value) {
                    self.call(host, place, wakes);
                    if net > 0 || may_suit_later {
                        return;
                    }
                    value = value.saturating_sub(net.unsigned_abs());
                } else {
                    may_suit_later |= matches!(need, Need::Exactly(_));
                }
            }
            if next[AT_ONCE - 1].is_none() {
                return;
            }
        }
    }

    /// As [`offer`](Self::offer), for all semaphores that are waited for.
    #[cold]
    pub(super) fn offer_all(&self, host: &impl Host, wakes: &mut Wakes) {
        let mut offered = [0_u64; MOST_SEMAPHORES as usize / 64];
        for (_, place) in self.taken() {
            let index = place.index.peek();
            let Some(word) = offered.get_mut(index as usize / 64) else { continue };
            let bit = 1 << (index % 64);
            if *word & bit == 0 {
                *word |= bit;
                self.offer(host, index, wakes);
            }
        }
    }

    /// Of those who could be served as that value of the semaphore goes down: the first ones after `last`, in their order.
    fn next_who_want(&self, index: u32, value: u32, last: Option<(u64, usize)>) -> [Option<Waiter>; AT_ONCE] {
        let mut first: [Option<Waiter>; AT_ONCE] = [None; AT_ONCE];
        for (place, at) in self.taken() {
            let (ticket, net) = (at.ticket.peek(), at.net());
            let (waits_for, need) = at.waits_for();
            let is_before = last.is_some_and(|last| (ticket, place) <= last);
            if waits_for != index || at.looks() || need.is_more_than(value) || is_before {
                continue;
            }
            let mut here = Some((ticket, place, need, net));
            // Who is pushed out at the end comes later.
            for known in &mut first {
                let Some((ticket, place, ..)) = here else { break };
                if known.is_none_or(|known| (ticket, place) < (known.0, known.1)) {
                    std::mem::swap(known, &mut here);
                }
            }
        }
        first
    }

    /// There is nothing to be served any more.
    pub(super) fn wake_all_seats(&self, host: &impl Host) {
        for place in self.seats() {
            if place.owner.get() != 0 {
                place.wake.set(WOKEN);
                host.wake(&place.wake, MANY, EVERYBODY);
            }
        }
    }

    fn call(&self, host: &impl Host, place: usize, wakes: &mut Wakes) {
        let at = &self.seats()[place];
        let before = at.wake.peek();
        // Who changes nothing has it, though another be quicker to change it again.
        let now = if at.kind.peek() & (LOOKS | ONLY_HERE) == LOOKS | ONLY_HERE { SERVED } else { WOKEN };
        if before < now {
            at.wake.set(now);
            if before == ASLEEP {
                wakes.add(self, host, place);
            }
        }
    }

    /// Whether what the caller waited to see was there since.
    pub(super) fn is_served(&self, host: &impl Host, seat: &Seat) -> bool {
        seat.place.is_some_and(|place| {
            let at = &self.seats()[place];
            at.owner.peek() == host.me().word() && at.wake.peek() == SERVED
        })
    }

    /// How many living wait for that semaphore to grow, and how many for it to become 0.
    pub(crate) fn waiting(&self, host: &impl Host, index: u32) -> (u32, u32) {
        let (mut grow, mut zero) = (0, 0);
        for at in self.seats() {
            let owner = Participant::from_word(at.owner.get());
            let counts = at.index.get() == index && owner.is_some_and(|owner| owner == host.me() || host.lives(owner));
            if counts {
                *(if at.kind.get() & FOR_ZERO == 0 { &mut grow } else { &mut zero }) += 1;
            }
        }
        (grow, zero)
    }

    /// Whether one of those sits.
    pub(super) fn has_seat(&self, is_meant: impl Fn(Participant) -> bool) -> bool {
        self.seats().iter().any(|place| place.is_one_of(&is_meant))
    }

    /// None of those sits any more.
    pub(super) fn clear_seats(&self, host: &impl Host, is_meant: impl Fn(Participant) -> bool, wakes: &mut Wakes) {
        let mut found = false;
        for (place, _) in self.seats().iter().enumerate().filter(|(_, at)| at.is_one_of(&is_meant)) {
            self.vacate(place);
            found = true;
        }
        if found {
            // They may have been woken, and didn't take what is there.
            self.offer_all(host, wakes);
        }
    }

    pub(super) fn count_seats(&self) {
        let count = self.seats().iter().filter(|place| !place.is_free()).count();
        self.control().front.waiting.set(count as u32);
    }
}
