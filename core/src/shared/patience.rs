//! How long one looks before one sleeps.
//!
//! A wake across processors costs as much as a hundred messages, so who waits first looks: spinning, in which a partner on
//! another processor answers, then yielding, in which one on this processor does. Which of the two it is nobody tells (a pinned
//! process sees one processor in its own mask wherever its partner runs), so each handle remembers what helped: spins that are
//! followed by a yield that helped are halved, a spin that helped restores them, and now and then the whole spin is tried again.
//! Then one lingers, looking and yielding, since a partner who copies a long message takes longer than a spin, but less than a sleep
//! and a wake: a round trip of 64 KiB takes 22 instead of 64 µs, and 1.4 times as many of them flow.
//! By what helped it is also known where the partner runs: who answers a spin, or after several yields in vain, runs on another processor; who
//! answers the first yield, on this one (`raw/lines.rs` wants to know).
//!
//! **Gathering.** Who has caught up with a streaming partner does well to let some messages gather before it goes on: each look
//! at a line that the other is writing costs both of them its transfer. A receiver lets some pauses pass for every message that it
//! took since it last waited, so that a stream gathers more and more, and a request and its answer go without. A sender that found
//! the queue full lets it drain, up to half or for some microseconds. Measured at 64 B, with near and with far cores: with one pause a
//! message and 64 at most, 26.8 and 5.4 million messages a second; with 16 and 512, 28.5 and 6.9; with 32 and 2,048 the same. Two who
//! contend for one semaphore let each other run on likewise ([`let_run_on`]).

#![forbid(unsafe_code)]

use std::hint::spin_loop;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use super::raw::host::Host;
use crate::deadline::Deadline;

/// The longest spin: some 5 µs where `pause` takes 22 ns.
const MOST_SPINS: u32 = 200;
/// The shortest.
const LEAST_SPINS: u32 = 4;
/// Who lingered so often in vain, in a row, seldom lingers.
const OFTEN: u32 = 4;
/// How often a handle that learnt otherwise tries again to spin for the longest, and to linger.
const TRY_AGAIN: u32 = 64;
/// The most pauses in which messages gather for a receiver: some 12 µs.
const RECEIVERS_GATHER: u32 = 512;
/// On messages longer than this nobody gathers.
const LONG: u64 = 4096;
/// How many for each message taken: more than a sender needs for one, or there would be fewer each time.
const PAUSES_A_MESSAGE: u64 = 16;
/// The most pauses in which room gathers for a sender: some 11 µs.
pub(super) const SENDERS_GATHER: u32 = 512;

/// Pauses between two looks whether enough has gathered.
const LOOK_EVERY: u32 = 8;
/// Who has done so many operations in a row takes no turns.
const LONG_RUN: u32 = 6;
/// Pauses between two looks whether he goes on: some 700 ns, in which he does some twenty.
const PAUSES_A_LOOK: u32 = 32;
/// So often at most.
const LOOKS_AT_RUN: u32 = 4;
/// Yields in any case, in which a partner on this processor answers.
const YIELDS: u32 = 8;
/// And after those one goes on to look and to yield for so long: about half of what a sleep and a wake take. A partner on another processor
/// who copies a long message meanwhile is done, and any others on this one are let by.
const LINGERS: Duration = if cfg!(test) { Duration::ZERO } else { Duration::from_micros(20) };

/// How long a receiver gathers who took so many messages since its last wait.
pub(super) fn receivers_gather(taken: u64, bytes: u64) -> u32 {
    // Of long messages a queue holds few, and their copies take longer than a line's transfer.
    if bytes / taken.max(1) > LONG {
        return 0;
    }
    if taken < 2 { 0 } else { taken.saturating_mul(PAUSES_A_MESSAGE).min(RECEIVERS_GATHER.into()) as u32 }
}

/// Lets those who take a semaphore and give it back, again and again, go on for a while: `runs` says how many they have done in a row, and
/// their predecessors. Nobody else is waited for.
pub(super) fn let_run_on(runs: impl Fn() -> (u32, u32)) {
    let (mut run, last_run) = runs();
    if run.max(last_run) < LONG_RUN {
        return;
    }
    for _ in 0..LOOKS_AT_RUN {
        (0..PAUSES_A_LOOK).for_each(|_| spin_loop());
        let before = std::mem::replace(&mut run, runs().0);
        if before == run {
            return;
        }
    }
}

/// What one side of a handle learnt. Threads that share it share the lesson; a lost update harms nothing.
#[derive(Debug)]
pub(super) struct Patience {
    spins: AtomicU32,
    waits: AtomicU32,
    /// How often in a row it lingered in vain.
    in_vain: AtomicU32,
    /// Whether the partner answered from another processor, as far as is known.
    is_elsewhere: AtomicBool,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            spins: AtomicU32::new(MOST_SPINS),
            waits: AtomicU32::new(0),
            in_vain: AtomicU32::new(0),
            is_elsewhere: AtomicBool::new(false),
        }
    }
}

impl Patience {
    /// Looks for a while whether `may` comes true; if it does, lets more gather for so many pauses, unless there is `enough`.
    pub(super) fn spin(
        &self,
        host: &impl Host,
        gather: u32,
        enough: impl Fn() -> bool,
        may: impl Fn() -> bool,
    ) -> bool {
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
        for spun in 0..spins {
            if may() {
                if learnt != MOST_SPINS {
                    self.spins.store(MOST_SPINS, Ordering::Relaxed);
                }
                // At the first look it may have been there before.
                if spun > 0 {
                    self.note_partner(true);
                }
                for paused in 0..gather {
                    if paused % LOOK_EVERY == 0 && enough() {
                        break;
                    }
                    spin_loop();
                }
                return true;
            }
            spin_loop();
        }
        for yielded in 0..YIELDS {
            host.pass();
            if may() {
                self.spins.store((learnt / 2).max(LEAST_SPINS), Ordering::Relaxed);
                // One here would have run at the first, and twice in a row is no coincidence.
                if yielded == 0 && learnt < MOST_SPINS {
                    self.note_partner(false);
                }
                return true;
            }
        }
        host.spins()
            && (waits.is_multiple_of(TRY_AGAIN) || self.in_vain.load(Ordering::Relaxed) < OFTEN)
            && self.linger(host, may)
    }

    /// Whether the partner runs on another processor: it answered while this one spun, or yielded in vain.
    pub(super) fn is_partner_elsewhere(&self) -> bool {
        self.is_elsewhere.load(Ordering::Relaxed)
    }

    fn note_partner(&self, is_elsewhere: bool) {
        if self.is_partner_elsewhere() != is_elsewhere {
            self.is_elsewhere.store(is_elsewhere, Ordering::Relaxed);
        }
    }

    /// Looks and yields for a while longer. Who did so in vain a few times in a row seldom does it again.
    fn linger(&self, host: &impl Host, may: impl Fn() -> bool) -> bool {
        let end = Deadline::after(LINGERS);
        while !end.has_passed() {
            host.pass();
            if may() {
                self.in_vain.store(0, Ordering::Relaxed);
                self.note_partner(true);
                return true;
            }
        }
        self.in_vain.store(self.in_vain.load(Ordering::Relaxed).saturating_add(1), Ordering::Relaxed);
        false
    }
}
