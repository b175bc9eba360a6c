//! Those who wait, in their order.
//!
//! A place is FREE, or somebody's who waits: it says for which semaphore, for how much, and since when (`ticket`), and has the word that he
//! sleeps on. All of it is changed holding the set's lock, but for one who gives up while somebody doesn't get on inside: he slips away.
//!
//! Who finds no free place waits without one: he looks again every few milliseconds.

use std::time::Duration;

use super::super::cell::{U32, U64};
use super::super::event::NAP;
use super::super::host::{EVERYBODY, Host, MANY, Participant};
use super::{Blocked, MOST_SEMAPHORES, Need, Semaphores, Shared, Value};
use crate::sys::Errno;

/// Who sleeps.
const ASLEEP: u32 = 0;
/// He is to try again.
const WOKEN: u32 = 1;

/// How many are found by one walk over the places, of those who are to be woken.
const AT_ONCE: usize = 32;

/// The longest sleep of one who found no place.
const WITHOUT_PLACE: Duration = Duration::from_millis(5);

/// See the head of this file.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Place {
    /// The participant; 0 is free.
    owner: U32,
    wake: U32,
    ticket: U64,
    index: U32,
    /// What its value must be at least, or exactly.
    need: U32,
    exactly: U32,
    _later: U32,
}

const _: () = assert!(size_of::<Place>() == 32);

impl Shared for Place {}

impl Place {
    fn is_free(&self) -> bool {
        self.owner.peek() == 0
    }

    fn is_one_of(&self, is_meant: &impl Fn(Participant) -> bool) -> bool {
        Participant::from_word(self.owner.get()).is_some_and(is_meant)
    }

    /// Which semaphore he waits for, and what its value must be.
    fn waits_for(&self) -> (u32, Need) {
        let need = self.need.peek();
        (self.index.peek(), if self.exactly.peek() == 0 { Need::AtLeast(need) } else { Need::Exactly(need) })
    }

    fn wait_for(&self, index: u32, need: Need) {
        let (need, exactly) = match need {
            Need::AtLeast(need) => (need, 0),
            Need::Exactly(need) => (need, 1),
        };
        self.index.set(index);
        self.need.set(need);
        self.exactly.set(exactly);
    }
}

/// Where a thread waits, if it must.
#[derive(Debug, Default)]
pub(crate) struct Seat {
    place: Option<usize>,
}

impl Seat {
    pub(super) fn is_taken(&self) -> bool {
        self.place.is_some()
    }

    #[cfg(test)]
    pub(crate) fn sits_for_test(&self) -> bool {
        self.is_taken()
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
    pub(super) fn sit(&self, host: &impl Host, seat: &mut Seat, blocked: Blocked, wakes: &mut Wakes) {
        // Whoever sat there by this handle may have been presumed dead, and somebody else sits there now.
        let sits = seat.place.filter(|&place| self.seats()[place].owner.peek() == host.me().word());
        // The dead's are free again once somebody has tidied.
        let Some(place) = sits.or_else(|| self.seats().iter().position(Place::is_free)) else {
            seat.place = None;
            return;
        };
        let at = &self.seats()[place];
        let (before, now) = (at.waits_for(), (blocked.index, blocked.need));
        at.wake.set(ASLEEP);
        at.wait_for(blocked.index, blocked.need);
        if sits.is_none() {
            let front = &self.control().front;
            front.waiting.set(front.waiting.peek().wrapping_add(1));
            let ticket = front.ticket.peek();
            front.ticket.set(ticket.wrapping_add(1));
            at.ticket.set(ticket);
            at.owner.set(host.me().word());
        } else if before != now {
            // He may have been woken for what he doesn't want any more, or not so little.
            self.offer(host, before.0, wakes);
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
        let mut left = Value::of(word.peek()).value;
        for (place, _) in self.taken().filter(|(_, at)| at.waits_for() == (index, Need::Exactly(left))) {
            self.call(host, place, wakes);
        }
        let mut last = None;
        while left > 0 {
            let next = self.next_who_want(index, left, last);
            for &(ticket, place, need) in next.iter().flatten() {
                last = Some((ticket, place));
                // Who was woken already, and didn't come yet, is counted.
                if need <= left {
                    left -= need;
                    self.call(host, place, wakes);
                }
            }
            if next[AT_ONCE - 1].is_none() {
                break;
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

    /// Of those who wait until that semaphore has at least something, and whom `left` suffices: the first ones after `last`, in their
    /// order, with what each needs.
    fn next_who_want(&self, index: u32, left: u32, last: Option<(u64, usize)>) -> [Option<(u64, usize, u32)>; AT_ONCE] {
        let mut first: [Option<(u64, usize, u32)>; AT_ONCE] = [None; AT_ONCE];
        for (place, at) in self.taken() {
            let (Need::AtLeast(need), ticket) = (at.waits_for().1, at.ticket.peek()) else { continue };
            let is_after = last.is_none_or(|last| (ticket, place) > last);
            if at.index.peek() != index || need > left || !is_after {
                continue;
            }
            let mut here = Some((ticket, place, need));
            // Who is pushed out at the end comes later.
            for known in &mut first {
                if known.is_none_or(|known| here.is_some_and(|here| here < known)) {
                    std::mem::swap(known, &mut here);
                }
                if here.is_none() {
                    break;
                }
            }
        }
        first
    }

    fn call(&self, host: &impl Host, place: usize, wakes: &mut Wakes) {
        let wake = &self.seats()[place].wake;
        if wake.peek() == ASLEEP {
            wake.set(WOKEN);
            wakes.add(self, host, place);
        }
    }

    /// How many living wait for that semaphore to grow, and how many for it to become 0.
    pub(crate) fn waiting(&self, host: &impl Host, index: u32) -> (u32, u32) {
        let (mut grow, mut zero) = (0, 0);
        for at in self.seats() {
            let owner = Participant::from_word(at.owner.get());
            let counts = at.index.get() == index && owner.is_some_and(|owner| owner == host.me() || host.lives(owner));
            if counts {
                *(if at.exactly.get() == 0 { &mut grow } else { &mut zero }) += 1;
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
