//! The robust lock: one word, whose dead owner is replaced.
//!
//! ```text
//!   31         30     29 ........ 16   15 ........ 0
//!   sleepers   kept   generation       slot + 1              0 is free
//! ```
//!
//! **Lock** is a compare-exchange from 0 to one's own word; then a short spin, a few yields, then sleep on the futex,
//! at most 10 ms at a time, after which the sleeper asks whether the owner lives. Who slept acquires with the
//! sleepers' bit set, since others may sleep still. Barging is allowed.
//!
//! **Death of the owner** has this one home: whoever finds it dead replaces its word by his own, compare-exchange, and is
//! told so ([`Locked::Inherited`]): he repairs before he does anything else. Should he die in that, the next one does
//! the same; repair is idempotent and needs no second lock.
//!
//! A try that may not sleep asks after the spin, so that the dead shut nobody out.
//!
//! **Unlock** is a compare-exchange from one's own word to 0. If the word is somebody else's, one was presumed dead:
//! [`Fault::Disowned`].
//!
//! **Kept** words are the business of [`keep`](super::keep): here they are taken without asking, and whoever took one is told
//! so ([`Locked::Asked`]).
//!
//! A death between setting the sleepers' bit and sleeping costs one needless wake. A death between the unlock and its
//! wake costs the sleepers 10 ms.
//!
//! Orderings: acquiring is Acquire, releasing is Release (both as AcqRel), so what an owner stored is seen by the next,
//! the living or the taker.

use std::hint::spin_loop;
use std::time::Duration;

use super::Fault;
use super::cell::U32;
use super::host::{EVERYBODY, Host, Participant};
use crate::deadline::Deadline;
use crate::sys::Errno;

const FREE: u32 = 0;
/// Somebody may sleep on the word.
const SLEEPERS: u32 = 1 << 31;
/// Its owner is not inside, or says so elsewhere.
const KEPT: u32 = 1 << 30;

/// Spins before yielding: about 2 µs, in which an owner on another processor finishes its copy.
const SPINS: u32 = 100;
/// Yields before sleeping: an owner that lost this processor gets it back.
const YIELDS: u32 = if cfg!(test) { 1 } else { 8 };
/// The longest sleep before asking whether the owner lives.
const ASK_EVERY: Duration = Duration::from_millis(10);

/// How long a try waits for a living owner, who is inside for one small copy.
pub(super) const TRY_WAITS: Duration = Duration::from_millis(if cfg!(test) { 1 } else { 1000 });

/// How the lock was obtained.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Locked {
    /// From an owner who left everything in order.
    Clean,
    /// From a dead owner, or one who gave up: repair first.
    Inherited,
    /// From one who keeps it: see him out first.
    Asked,
}

/// A lock over shared memory that survives its owner's death. All-zero is free.
#[derive(Debug, Default)]
#[repr(transparent)]
pub(crate) struct RobustLock(U32);

fn is_kept(word: u32) -> bool {
    word & KEPT != 0
}

fn owner(word: u32) -> Option<Participant> {
    Participant::from_word(word)
}

impl RobustLock {
    /// Takes the lock, waiting for a living owner until `deadline` (a try: a second at most): then [`Fault::Busy`].
    #[inline]
    pub(crate) fn lock(&self, host: &impl Host, deadline: Deadline) -> Result<Locked, Fault> {
        match self.0.swap_if(FREE, host.me().word()) {
            Ok(()) => Ok(Locked::Clean),
            Err(_) => self.lock_contended(host, deadline),
        }
    }

    #[cold]
    fn lock_contended(&self, host: &impl Host, deadline: Deadline) -> Result<Locked, Fault> {
        if self.ask(host) {
            return Ok(Locked::Asked);
        }
        if self.spin(host) {
            return Ok(Locked::Clean);
        }
        let mine = host.me().word() | SLEEPERS;
        if deadline == Deadline::INSTANT {
            // To ask takes a system call but no sleep; who only ever tries must not be shut out by the dead.
            if self.take_if_free(host) {
                return Ok(Locked::Clean);
            }
            if self.ask(host) {
                return Ok(Locked::Asked);
            }
            let word = self.0.get();
            let inherited = word != FREE && self.inherit(host, word, mine);
            return if inherited { Ok(Locked::Inherited) } else { Err(Fault::Busy) };
        }
        if self.yield_to_owner(host) {
            return Ok(Locked::Clean);
        }
        let is_try = deadline.is_try();
        let deadline = if is_try { Deadline::after(TRY_WAITS) } else { deadline };
        loop {
            let word = self.0.get();
            let awaited = word | SLEEPERS;
            if word == FREE {
                if self.0.swap_if(FREE, mine).is_ok() {
                    return Ok(Locked::Clean);
                }
            } else if is_kept(word) {
                if self.0.swap_if(word, mine).is_ok() {
                    return Ok(Locked::Asked);
                }
            } else if owner(word).is_none() {
                if self.0.swap_if(word, mine).is_ok() {
                    return Ok(Locked::Inherited);
                }
            } else if word == awaited || self.0.swap_if(word, awaited).is_ok() {
                let slept = host.sleep(&self.0, awaited, deadline.left(ASK_EVERY), EVERYBODY);
                // Signals may come more often than sleeps end.
                if matches!(slept, Err(Errno(libc::ETIMEDOUT | libc::EINTR))) && self.inherit(host, awaited, mine) {
                    return Ok(Locked::Inherited);
                }
                match slept {
                    // A try is a second at most, however many signals come.
                    Err(Errno(libc::EINTR)) if !is_try => return Err(Fault::Interrupted),
                    Err(_) if deadline.has_passed() => return Err(Fault::Busy),
                    _ => {}
                }
            }
        }
    }

    /// Takes it from one who keeps it.
    fn ask(&self, host: &impl Host) -> bool {
        let word = self.0.get();
        is_kept(word) && self.0.swap_if(word, host.me().word() | word & SLEEPERS).is_ok()
    }

    fn take_if_free(&self, host: &impl Host) -> bool {
        self.0.peek() == FREE && self.0.swap_if(FREE, host.me().word()).is_ok()
    }

    /// Looks for a while whether an owner on another processor gives it back.
    fn spin(&self, host: &impl Host) -> bool {
        host.spins()
            && (0..SPINS).any(|_| {
                spin_loop();
                self.take_if_free(host)
            })
    }

    /// Lets an owner who lost this processor have it back.
    fn yield_to_owner(&self, host: &impl Host) -> bool {
        (0..YIELDS).any(|_| {
            host.pass();
            self.take_if_free(host)
        })
    }

    /// Takes the place of the owner in `word` if it is dead.
    fn inherit(&self, host: &impl Host, word: u32, mine: u32) -> bool {
        // A word that names nobody was scribbled: nobody will ever unlock it.
        let dead = owner(word).is_none_or(|owner| owner != host.me() && !host.lives(owner));
        dead && self.0.swap_if(word, mine).is_ok()
    }

    /// Takes the lock from the dead owner that `slot` had before its present generation, if one holds or keeps it.
    /// For whoever settles that slot's estate.
    pub(crate) fn inherit_from_slot(&self, heir: Participant) -> Option<Locked> {
        let mut word = self.0.get();
        while owner(word).is_some_and(|owner| owner.slot() == heir.slot() && owner != heir) {
            match self.0.swap_if(word, heir.word() | SLEEPERS) {
                Ok(()) => return Some(if word & KEPT != 0 { Locked::Asked } else { Locked::Inherited }),
                // Somebody else inherited it, or only set the sleepers' bit.
                Err(now) => word = now,
            }
        }
        None
    }

    /// Gives the lock back.
    #[inline]
    pub(crate) fn unlock(&self, host: &impl Host) -> Result<(), Fault> {
        match self.0.swap_if(host.me().word(), FREE) {
            Ok(()) => Ok(()),
            Err(word) => self.unlock_contended(host, word),
        }
    }

    #[cold]
    fn unlock_contended(&self, host: &impl Host, word: u32) -> Result<(), Fault> {
        // Nobody but the owner changes a living owner's word, except to set the sleepers' bit.
        if word != host.me().word() | SLEEPERS || self.0.swap_if(word, FREE).is_err() {
            return Err(Fault::Disowned);
        }
        host.wake(&self.0, 1, EVERYBODY);
        Ok(())
    }

    /// Whether `who` keeps it.
    #[inline]
    pub(super) fn is_kept_by(&self, who: Participant) -> bool {
        self.0.get() == who.word() | KEPT
    }

    /// Makes the caller, who holds it, its keeper; `false` if somebody sleeps on it.
    pub(super) fn keep(&self, me: Participant) -> bool {
        self.0.swap_if(me.word(), me.word() | KEPT).is_ok()
    }

    /// Frees it if the caller keeps it still.
    pub(super) fn give_back_kept(&self, me: Participant) {
        // If not, somebody took it.
        let _ = self.0.swap_if(me.word() | KEPT, FREE);
    }

    /// For an owner who can't go on: leaves it to be inherited by the next.
    pub(super) fn abandon(&self, host: &impl Host) {
        self.leave_as(host, SLEEPERS);
    }

    /// For an owner who asked `keeper` in vain and was never inside: as if he hadn't asked.
    pub(super) fn return_to(&self, host: &impl Host, keeper: Participant) {
        self.leave_as(host, keeper.word() | KEPT);
    }

    fn leave_as(&self, host: &impl Host, left: u32) {
        let mut word = self.0.get();
        while owner(word) == Some(host.me()) {
            match self.0.swap_if(word, left) {
                Ok(()) => {
                    host.wake(&self.0, 1, EVERYBODY);
                    return;
                }
                // Somebody set the sleepers' bit.
                Err(now) => word = now,
            }
        }
    }

    /// Whether its last owner died, or gave up: the next inherits it.
    pub(super) fn is_left(&self, host: &impl Host) -> bool {
        let word = self.0.get();
        word != FREE && owner(word).is_none_or(|owner| !host.lives(owner))
    }

    /// Who holds it, as far as one can tell without it.
    pub(crate) fn held_by(&self) -> Option<Participant> {
        owner(self.0.get())
    }
}
