//! A barrier: several wait until all of them are there.
//!
//! ```text
//!   gate │ parties │ round │ event │ places …       a place: ‹round | participant›
//! ```
//!
//! Who comes names himself in a place, with the number of the round, holding the gate. Who finds that with him all are there begins the
//! next round, by one store: the commit, by which all places of the old one are free. The dead are not there: they are not counted when
//! somebody comes.

use std::sync::atomic::{Ordering, fence};

use super::super::Fault;
use super::super::cell::{U32, U64};
use super::super::event::{Announced, Event};
use super::super::host::{Host, Participant};
use super::super::lock::RobustLock;
use super::Placed;
use crate::deadline::Deadline;

/// How many can wait for each other.
pub(crate) const MOST_PARTIES: usize = 120;

/// See the head of this file.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Barrier {
    pub(in super::super) gate: RobustLock,
    /// How many wait for each other; 0 until somebody says it.
    pub(in super::super) parties: U32,
    pub(in super::super) round: U32,
    _unused: U32,
    pub(in super::super) event: Event,
    _later: [U64; 5],
    pub(in super::super) places: [U64; MOST_PARTIES],
}

const _: () = assert!(size_of::<Barrier>() == 1024);

// SAFETY: atomics only.
unsafe impl Placed for Barrier {}

/// How one came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// With the caller all are there.
    Last,
    /// At this place, in this round, as which of them.
    Waits { place: usize, round: u32, rank: u32 },
}

impl Barrier {
    /// Says how many wait for each other, if nobody has yet; how many it is.
    pub(crate) fn agree(&self, parties: u32) -> u32 {
        match self.parties.swap_if(0, parties) {
            Ok(()) => parties,
            Err(agreed) => agreed,
        }
    }

    pub(crate) fn parties(&self) -> u32 {
        self.parties.get()
    }

    /// How many wait.
    pub(crate) fn waiting(&self, host: &impl Host) -> u32 {
        self.present(host, self.round.get()).count() as u32
    }

    /// Comes. [`Fault::Damaged`] if more come than there can be.
    pub(crate) fn come(&self, host: &impl Host, deadline: Deadline) -> Result<Came, Fault> {
        let _ = self.gate.lock(host, deadline)?;
        let round = self.round.get();
        let rank = self.present(host, round).count() as u32;
        let came = if rank + 1 >= self.parties.get() {
            self.round.set(round.wrapping_add(1));
            Ok(Came::Last)
        } else {
            let is_free = |place: &U64| !is_there(host, round, place.get());
            match self.places.iter().position(is_free) {
                Some(place) => {
                    self.places[place].set(name(round, host));
                    Ok(Came::Waits { place, round, rank })
                }
                None => Err(Fault::Damaged("a barrier for more than it has room for")),
            }
        };
        self.gate.unlock(host)?;
        if came == Ok(Came::Last) {
            fence(Ordering::SeqCst);
            if self.event.is_awaited() {
                self.event.raise(host);
            }
        }
        came
    }

    /// Whether the round is over.
    pub(crate) fn is_over(&self, round: u32) -> bool {
        self.round.get() != round
    }

    /// Goes away before all are there; `false` if they are by now.
    pub(crate) fn go(&self, host: &impl Host, place: usize, round: u32, deadline: Deadline) -> Result<bool, Fault> {
        let locked = self.gate.lock(host, deadline);
        // Where somebody stopped keeps the gate one goes all the same: who stays named, and isn't there, would be waited with.
        let _ = self.places[place].swap_if(name(round, host), 0);
        let gone = !self.is_over(round);
        match locked {
            Ok(_) => self.gate.unlock(host)?,
            Err(Fault::Busy) => {}
            Err(fault) => return Err(fault),
        }
        Ok(gone)
    }

    pub(crate) fn event(&self) -> &Event {
        &self.event
    }

    pub(crate) fn announce(&self) -> Announced {
        self.event.announce()
    }

    fn present(&self, host: &impl Host, round: u32) -> impl Iterator<Item = &U64> {
        self.places.iter().filter(move |place| is_there(host, round, place.get()))
    }
}

/// What the caller writes into his place.
fn name(round: u32, host: &impl Host) -> u64 {
    u64::from(round) << 32 | u64::from(host.me().word())
}

/// Whether that is the place of one who lives and came in this round.
fn is_there(host: &impl Host, round: u32, word: u64) -> bool {
    let who = Participant::from_word(word as u32);
    (word >> 32) as u32 == round && who.is_some_and(|who| who == host.me() || host.lives(who))
}
