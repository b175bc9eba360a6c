//! A read-write lock: one who writes, or several who read.
//!
//! ```text
//!   gate │ writer │ damaged │ event │ readers …
//! ```
//!
//! **Readers** each have a place that names them. One takes it holding the gate, and only while there is no writer; to leave is one
//! store. **A writer** names himself, holding the gate; from then on no reader comes in, and when the last one has left, or is found
//! dead, the lock is his. So a stream of readers keeps no writer waiting.
//!
//! **Deaths.** A dead reader's place is free for whoever finds him dead. A dead writer, whether he had the lock or waited for it, is cleared
//! by whoever comes next; since he may have had it, the lock is *damaged* from then on, of which everybody is told until a writer has
//! had it and given it back. Each step is one store, so there is nothing to repair.

use super::super::Fault;
use super::super::cell::U32;
use super::super::event::{Announced, Event};
use super::super::host::{Host, Participant};
use super::super::lock::RobustLock;
use super::Placed;
use crate::deadline::Deadline;
use std::sync::atomic::{Ordering, fence};

/// How many can read at once.
pub(crate) const MOST_READERS: usize = 120;

/// See the head of this file.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct RwLock {
    pub(in super::super) gate: RobustLock,
    /// Who writes, or waits until he can; 0 is nobody.
    pub(in super::super) writer: U32,
    pub(in super::super) damaged: U32,
    _unused: U32,
    pub(in super::super) event: Event,
    _later: [U32; 2],
    pub(in super::super) readers: [U32; MOST_READERS],
}

const _: () = assert!(size_of::<RwLock>() == 512);

// SAFETY: atomics only.
unsafe impl Placed for RwLock {}

/// How a try came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tried {
    /// It is the caller's; as a reader, at this place. Whether it is damaged.
    Taken {
        place: usize,
        damaged: bool,
    },
    Wait,
    /// More than [`MOST_READERS`].
    TooMany,
}

impl RwLock {
    /// Comes in to read, if nobody writes.
    pub(crate) fn try_read(&self, host: &impl Host, deadline: Deadline) -> Result<Tried, Fault> {
        let _ = self.gate.lock(host, deadline)?;
        let tried = if self.has_writer(host) { Tried::Wait } else { self.take_place(host) };
        self.gate.unlock(host)?;
        Ok(tried)
    }

    fn take_place(&self, host: &impl Host) -> Tried {
        let is_free = |place: &U32| place.get() == 0;
        let place = self
            .readers
            .iter()
            .position(is_free)
            .or_else(|| self.readers.iter().position(|place| is_dead(host, place.get())));
        let Some(place) = place else { return Tried::TooMany };
        self.readers[place].set(host.me().word());
        Tried::Taken { place, damaged: self.damaged.get() != 0 }
    }

    /// Comes in to write, if nobody else does and nobody reads. If it is only readers that are in, the caller is `named` from then on, and
    /// no more come; then he tries again, or [gives up](Self::give_up).
    pub(crate) fn try_write(&self, host: &impl Host, named: &mut bool, deadline: Deadline) -> Result<Tried, Fault> {
        let _ = self.gate.lock(host, deadline)?;
        // Who was presumed dead meanwhile is named no more.
        *named &= self.writer.get() == host.me().word();
        // Who only tries doesn't wait for readers; so he keeps none out.
        let stays = !deadline.is_try() || !self.has_readers(host);
        if !*named && stays && !self.has_writer(host) {
            self.writer.set(host.me().word());
            *named = true;
        }
        let tried = if *named && !self.has_readers(host) {
            Tried::Taken { place: 0, damaged: self.damaged.get() != 0 }
        } else {
            Tried::Wait
        };
        self.gate.unlock(host)?;
        Ok(tried)
    }

    /// Waits no longer to write.
    pub(crate) fn give_up(&self, host: &impl Host, named: bool) {
        if named && self.writer.swap_if(host.me().word(), 0).is_ok() {
            self.tell(host);
        }
    }

    /// Gives back what a reader has.
    pub(crate) fn unlock_read(&self, host: &impl Host, place: usize) -> Result<(), Fault> {
        let left = self.readers[place].swap_if(host.me().word(), 0);
        self.tell(host);
        left.map_err(|_| Fault::Disowned)
    }

    /// Gives back what a writer has; what was damaged is his affair, and now in order.
    pub(crate) fn unlock_write(&self, host: &impl Host) -> Result<(), Fault> {
        if self.writer.get() != host.me().word() {
            return Err(Fault::Disowned);
        }
        self.damaged.set(0);
        let left = self.writer.swap_if(host.me().word(), 0);
        self.tell(host);
        left.map_err(|_| Fault::Disowned)
    }

    /// Leaves what a writer has as his death would.
    pub(crate) fn abandon_write(&self, host: &impl Host) {
        if self.writer.get() == host.me().word() {
            self.damaged.set(1);
            let _ = self.writer.swap_if(host.me().word(), 0);
            self.tell(host);
        }
    }

    /// Whether somebody who lives writes, or waits to.
    fn has_writer(&self, host: &impl Host) -> bool {
        let writer = self.writer.get();
        if is_dead(host, writer) {
            self.damaged.set(1);
            self.writer.set(0);
        }
        self.writer.get() != 0
    }

    /// Whether somebody who lives reads.
    fn has_readers(&self, host: &impl Host) -> bool {
        self.readers.iter().any(|place| {
            let reader = place.get();
            reader != 0 && !(is_dead(host, reader) && place.swap_if(reader, 0).is_ok())
        })
    }

    fn tell(&self, host: &impl Host) {
        fence(Ordering::SeqCst);
        if self.event.is_awaited() {
            self.event.raise(host);
        }
    }

    pub(crate) fn event(&self) -> &Event {
        &self.event
    }

    pub(crate) fn announce(&self) -> Announced {
        self.event.announce()
    }

    /// Whether a try might go through: a hint.
    pub(crate) fn may_read(&self) -> bool {
        self.writer.peek() == 0
    }

    /// As [`may_read`](Self::may_read), for a writer.
    pub(crate) fn may_write(&self, host: &impl Host) -> bool {
        let writer = self.writer.peek();
        (writer == 0 || writer == host.me().word()) && self.readers.iter().all(|place| place.peek() == 0)
    }
}

/// Whether somebody is named who doesn't live; a word that names nobody, but isn't 0, was scribbled.
fn is_dead(host: &impl Host, word: u32) -> bool {
    word != 0 && Participant::from_word(word).is_none_or(|who| who != host.me() && !host.lives(who))
}
