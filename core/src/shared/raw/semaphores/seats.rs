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
use super::{Blocked, Semaphores, Shared, Value};
use crate::sys::Errno;

/// Who sleeps.
const ASLEEP: u32 = 0;
/// He is to try again.
const WOKEN: u32 = 1;

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
    /// What the value must be at least; 0 is that it must be 0.
    need: U32,
    _later: U64,
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

    fn waits_for(&self) -> Blocked {
        Blocked { index: self.index.peek(), need: self.need.peek(), no_wait: false }
    }
}

/// Where a thread waits, if it must.
#[derive(Debug, Default)]
pub(crate) struct Seat {
    place: Option<usize>,
    /// Whether it wanted one and there was none.
    stands: bool,
}

impl Seat {
    pub(super) fn is_taken(&self) -> bool {
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
    pub(super) fn sit(&self, host: &impl Host, seat: &mut Seat, blocked: Blocked, wakes: &mut Wakes) {
        // Whoever sat there by this handle may have been presumed dead, and somebody else sits there now.
        let sits = seat.place.filter(|&place| self.seats()[place].owner.peek() == host.me().word());
        let Some(place) = sits.or_else(|| self.free_place(host)) else {
            seat.stands = true;
            return;
        };
        let at = &self.seats()[place];
        let before = at.waits_for();
        at.wake.set(ASLEEP);
        at.index.set(blocked.index);
        at.need.set(blocked.need);
        if sits.is_none() {
            let front = &self.control().front;
            front.waiting.set(front.waiting.peek().wrapping_add(1));
            let ticket = front.ticket.peek();
            front.ticket.set(ticket.wrapping_add(1));
            at.ticket.set(ticket);
            at.owner.set(host.me().word());
        } else if before.index != blocked.index {
            // He may have been woken for what he doesn't want any more.
            self.offer(host, before.index, wakes);
        }
        seat.place = Some(place);
    }

    fn free_place(&self, host: &impl Host) -> Option<usize> {
        let is_dead = |place: &Place| {
            let owner = Participant::from_word(place.owner.peek());
            owner.is_none_or(|owner| owner != host.me() && !host.lives(owner))
        };
        let seats = self.seats();
        seats.iter().position(Place::is_free).or_else(|| {
            let place = seats.iter().position(is_dead)?;
            self.vacate(place);
            Some(place)
        })
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
        if left == 0 {
            let content = |place: &Place| place.index.peek() == index && place.need.peek() == 0;
            for (place, _) in self.taken().filter(|(_, place)| content(place)) {
                self.call(host, place, wakes);
            }
        }
        let mut last = None;
        while left > 0
            && let Some((ticket, place)) = self.next_who_wants(index, left, last)
        {
            last = Some(ticket);
            left -= self.seats()[place].need.peek().min(left);
            self.call(host, place, wakes);
        }
    }

    /// As [`offer`](Self::offer), for all semaphores that are waited for.
    pub(super) fn offer_all(&self, host: &impl Host, wakes: &mut Wakes) {
        for (_, place) in self.taken() {
            self.offer(host, place.index.peek(), wakes);
        }
    }

    /// Of those who wait for that semaphore, who was there first after `last`, and is content with `left`. Who was woken already, and
    /// didn't come yet, is counted.
    fn next_who_wants(&self, index: u32, left: u32, last: Option<u64>) -> Option<(u64, usize)> {
        let content = |at: &Place| at.index.peek() == index && (1..=left).contains(&at.need.peek());
        let waiting = self.taken().filter(|(_, at)| content(at)).map(|(place, at)| (at.ticket.peek(), place));
        waiting.filter(|&(ticket, _)| last.is_none_or(|last| ticket > last)).min()
    }

    /// Without the lock: there is nothing to be served any more.
    pub(super) fn wake_all_seats(&self, host: &impl Host) {
        for place in self.seats() {
            if place.owner.get() != 0 {
                place.wake.set(WOKEN);
                host.wake(&place.wake, MANY, EVERYBODY);
            }
        }
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
                *(if at.need.get() == 0 { &mut zero } else { &mut grow }) += 1;
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
        for (place, at) in self.seats().iter().enumerate() {
            if at.is_one_of(&is_meant) {
                self.vacate(place);
                // He may have been woken, and didn't take what is there.
                self.offer(host, at.index.peek(), wakes);
            }
        }
    }

    pub(super) fn count_seats(&self) {
        let count = self.seats().iter().filter(|place| !place.is_free()).count();
        self.control().front.waiting.set(count as u32);
    }
}
