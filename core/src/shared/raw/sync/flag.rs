//! An event that people know: it is set or not, and one waits until it is.
//!
//! ```text
//!   31 ................ 1   0
//!   how often it was set    it is set
//! ```
//!
//! Who waits goes on if it was set since he came, though it was cleared before he looked: so nobody who waits misses a set.

use std::sync::atomic::{Ordering, fence};

use super::super::cell::U32;
use super::super::event::{Announced, Event};
use super::super::host::Host;
use super::Placed;

const SET: u32 = 1;
const ONCE: u32 = 2;

/// See the head of this file.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub(crate) struct Flag {
    pub(in super::super) word: U32,
    _unused: U32,
    pub(in super::super) event: Event,
}

const _: () = assert!(size_of::<Flag>() == 64);

// SAFETY: atomics only.
unsafe impl Placed for Flag {}

/// How often it had been set when somebody came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Came(u32);

impl Flag {
    #[inline]
    pub(crate) fn is_set(&self) -> bool {
        self.word.get() & SET != 0
    }

    /// To be called when one begins to wait.
    pub(crate) fn come(&self) -> Came {
        Came(self.word.get() & !SET)
    }

    /// Whether it is set, or was since.
    #[inline]
    pub(crate) fn was_set_since(&self, came: Came) -> bool {
        self.is_set() || self.come() != came
    }

    pub(crate) fn set(&self, host: &impl Host) {
        self.change(|word| if word & SET == 0 { word.wrapping_add(ONCE) | SET } else { word });
        fence(Ordering::SeqCst);
        // Also if it was set before: who set it may have died before he told.
        if self.event.is_awaited() {
            self.event.raise(host);
        }
    }

    pub(crate) fn clear(&self) {
        self.change(|word| word & !SET);
    }

    fn change(&self, change: impl Fn(u32) -> u32) {
        let mut word = self.word.get();
        while let Err(now) = self.word.swap_if(word, change(word)) {
            word = now;
        }
    }

    pub(crate) fn event(&self) -> &Event {
        &self.event
    }

    pub(crate) fn announce(&self) -> Announced {
        self.event.announce()
    }
}
