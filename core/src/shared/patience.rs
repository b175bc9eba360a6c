//! How long one looks before one sleeps.
//!
//! A wake across processors costs as much as a hundred messages, so who waits first looks: spinning, in which a partner on
//! another processor answers, then yielding, in which one on this processor does. Which of the two it is nobody tells (a pinned
//! process sees one processor in its own mask wherever its partner runs), so each handle remembers what helped: spins that are
//! followed by a yield that helped are halved, a spin that helped restores them, and now and then the whole spin is tried again.
//!
//! A receiver that has caught up with a streaming sender does well to let some messages gather before it takes the next: each
//! look at a line that the sender is writing costs both of them its transfer. Measured at 64 B with near cores: 34 M messages a
//! second without, 43 with 4 pauses, 48 with 8, 51 with 16, and no more with 32.

#![forbid(unsafe_code)]

use std::hint::spin_loop;
use std::sync::atomic::{AtomicU32, Ordering};

use super::raw::host::Host;

/// The longest spin: some 5 µs where `pause` takes 22 ns.
const MOST_SPINS: u32 = 200;
/// The shortest.
const LEAST_SPINS: u32 = 4;
/// How often a handle that learnt to yield tries the longest spin again.
const TRY_AGAIN: u32 = 64;
/// Pauses in which messages gather: some 0.3 µs.
const GATHER: u32 = 16;
/// Yields before sleeping.
const YIELDS: u32 = 8;

/// What one side of a handle learnt. Threads that share it share the lesson; a lost update harms nothing.
#[derive(Debug)]
pub(super) struct Patience {
    spins: AtomicU32,
    waits: AtomicU32,
}

impl Default for Patience {
    fn default() -> Self {
        Self { spins: AtomicU32::new(MOST_SPINS), waits: AtomicU32::new(0) }
    }
}

impl Patience {
    /// Looks for a while whether `may` comes true; if it `gathers`, lets more come before it says so.
    pub(super) fn spin(&self, host: &impl Host, gathers: bool, may: impl Fn() -> bool) -> bool {
        let waits = self.waits.load(Ordering::Relaxed).wrapping_add(1);
        self.waits.store(waits, Ordering::Relaxed);
        let learnt = self.spins.load(Ordering::Relaxed);
        let spins = if !host.spins() {
            0
        } else if waits.is_multiple_of(TRY_AGAIN) {
            MOST_SPINS
        } else {
            learnt
        };
        for _ in 0..spins {
            if may() {
                if learnt != MOST_SPINS {
                    self.spins.store(MOST_SPINS, Ordering::Relaxed);
                }
                if gathers {
                    (0..GATHER).for_each(|_| spin_loop());
                }
                return true;
            }
            spin_loop();
        }
        for _ in 0..YIELDS {
            host.pass();
            if may() {
                self.spins.store((learnt / 2).max(LEAST_SPINS), Ordering::Relaxed);
                return true;
            }
        }
        false
    }
}
