//! An event that people know: it is set or not, and one waits until it is.

use std::sync::atomic::{Ordering, fence};

use super::super::cell::U32;
use super::super::event::{Announced, Event};
use super::super::host::Host;
use super::Placed;

/// See the head of this file.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub(crate) struct Flag {
    word: U32,
    _unused: U32,
    event: Event,
}

const _: () = assert!(size_of::<Flag>() == 64);

// SAFETY: atomics only.
unsafe impl Placed for Flag {}

impl Flag {
    #[inline]
    pub(crate) fn is_set(&self) -> bool {
        self.word.get() != 0
    }

    pub(crate) fn set(&self, host: &impl Host) {
        self.word.set(1);
        fence(Ordering::SeqCst);
        if self.event.is_awaited() {
            self.event.raise(host);
        }
    }

    pub(crate) fn clear(&self) {
        self.word.set(0);
    }

    pub(crate) fn event(&self) -> &Event {
        &self.event
    }

    pub(crate) fn announce(&self) -> Announced {
        self.event.announce()
    }
}
