//! A robust lock that its user keeps: no locked instruction where nobody else comes.
//!
//! A compare-exchange waits until all earlier stores have reached the cache. To a sender those are stores to lines that its
//! receiver has just read, so with two of them a message it stands still for two transfers of a line; without, the processor
//! has many messages' lines on their way at once. So who has taken the lock [`KEEP_AFTER`] times in a row, with nobody else
//! in between and nobody asleep, does not give it back but marks it KEPT; from then on it says by a plain store that it is
//! **inside**, looks whether the lock is still its own, and says by another plain store that it has left.
//!
//! **Asking for it back.** The other takes the word by compare-exchange; runs a barrier on all processors (`membarrier(2)`:
//! the one who is asked pays nothing as long as nobody asks); and waits until the keeper is not inside. Why no two are ever in:
//! the keeper stores `inside`, then reads the word; the other stores the word, then reads `inside`; the barrier stands between
//! the two of either. So one of them sees the other's store.
//!
//! **Whose `inside` is it?** The one in `keeper`. A keeper that was asked finds out at its next use, and until then may store
//! to `inside` (and take it back at once, since the word is not its own). So nobody else keeps before it has cleared
//! `keeper`, or is dead.
//!
//! **Deaths.** A keeper's word in the lock is as any owner's: the dead are inherited from, and the heir repairs. One who dies
//! having taken the word from a keeper who is still inside is inherited from, and its heir, like everybody who comes
//! by the contended way, sees the keeper out first. One who gives up waiting for that returns the word to the keeper, as if he
//! hadn't asked; one who inherited leaves a word that names nobody, which the next inherits too.
//!
//! **Exclusive.** A keeper may be one for good, from the beginning: `times` says so. Then nobody asks: others are refused as long as
//! he lives. A handle's thread is bound by its first use; its other threads are others too, and change nothing.
//!
//! **Threads.** `inside` is one word, so only a handle that one thread uses keeps ([`Host::may_keep`]). Should another thread
//! come to use it, that asks like anybody; and as a keeper that was asked, the thread that kept may store to `inside` until it
//! knows, so nobody but itself says that it is the keeper no more, or whoever closes the handle.
//!
//! **Sleepers** of the other end rely on a full fence between a commit and the look at their event. A keeper has none; they run
//! the barrier themselves ([`KeptLock::fence_for_sleeper`]) while there is a keeper, who reads the event after the commit in
//! any case. A keeper who finds somebody asleep gives the lock back, so that a pair that sleeps in turns pays no barriers.

use std::hint::spin_loop;
use std::sync::atomic::{Ordering, compiler_fence, fence};
use std::time::Duration;

use super::Fault;
use super::cell::U32;
use super::host::{EVERYBODY, Host, Participant};
use super::lock::{Locked, RobustLock};
use crate::deadline::Deadline;
use crate::sys::Errno;

/// After how many times in a row. A barrier costs some 10 µs, a lock that isn't kept some 10 ns more a time than one that is.
const KEEP_AFTER: u32 = if cfg!(test) { 3 } else { 1000 };
/// In place of a number of times: it is kept for good.
const EXCLUSIVE: u32 = u32::MAX;
/// How often one looks whether the keeper has left before sleeping: it is inside for one small copy.
const SPINS: u32 = if cfg!(test) { 1 } else { 100 };
/// The longest sleep before asking whether the keeper lives.
const ASK_EVERY: Duration = Duration::from_millis(10);

/// How the lock was obtained, which unlocking must know.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entered {
    Clean,
    /// From the dead: repair first.
    Inherited,
    /// It was kept.
    Kept,
}

/// See the head of this file. All-zero is free.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct KeptLock {
    lock: RobustLock,
    /// Whose `inside` it is; 0 is nobody's.
    keeper: U32,
    inside: U32,
    /// Who had it last, and how often in a row.
    last: U32,
    times: U32,
}

impl KeptLock {
    /// As [`RobustLock::lock`].
    #[inline]
    pub(crate) fn lock(&self, host: &impl Host, deadline: Deadline) -> Result<Entered, Fault> {
        if self.enter_kept(host) {
            return Ok(Entered::Kept);
        }
        if self.times.peek() == EXCLUSIVE {
            self.check_keeper_lives(host)?;
        }
        match self.lock.lock(host, deadline)? {
            Locked::Clean => Ok(Entered::Clean),
            how => self.see_keeper_out(host, how, deadline),
        }
    }

    /// Takes the lock if the caller keeps it. If he was asked to give it back, he knows now.
    #[inline(always)]
    pub(crate) fn enter_kept(&self, host: &impl Host) -> bool {
        if self.keeper.peek() != host.me().word() {
            return false;
        }
        if !host.may_keep() && !self.is_for_good(*host) {
            self.keep_no_more(*host);
            return false;
        }
        self.inside.set(1);
        compiler_fence(Ordering::SeqCst);
        if self.lock.is_kept_by(host.me()) {
            return true;
        }
        self.leave(*host);
        false
    }

    /// No more inside, and no more the keeper.
    #[cold]
    fn leave(&self, host: impl Host) {
        self.inside.set(0);
        if self.keeper.swap_if(host.me().word(), 0).is_ok() {
            host.wake(&self.inside, 1, EVERYBODY);
        }
    }

    /// Whether the caller, who is the keeper, is the thread that has it for good: others of its handle are refused as anybody is.
    #[cold]
    fn is_for_good(&self, host: impl Host) -> bool {
        self.times.peek() == EXCLUSIVE && host.is_keepers_thread()
    }

    /// Another thread uses the handle too.
    #[cold]
    fn keep_no_more(&self, host: impl Host) {
        if host.is_keepers_thread() {
            self.leave(host);
        }
    }

    /// Gives it back, or keeps it.
    #[inline]
    pub(crate) fn unlock(&self, host: &impl Host, entered: Entered) -> Result<(), Fault> {
        if entered == Entered::Kept {
            return self.leave_kept(host);
        }
        let (me, times) = (host.me().word(), self.times.peek());
        if self.last.peek() != me {
            self.last.set(me);
            self.times.set(0);
        } else if times < KEEP_AFTER {
            self.times.set(times + 1);
        } else if self.keep(host) {
            return Ok(());
        }
        self.lock.unlock(host)
    }

    /// What [`enter_kept`](Self::enter_kept) entered.
    #[inline(always)]
    pub(crate) fn leave_kept(&self, host: &impl Host) -> Result<(), Fault> {
        self.inside.set(0);
        compiler_fence(Ordering::SeqCst);
        if self.lock.is_kept_by(host.me()) { Ok(()) } else { self.was_asked(*host) }
    }

    /// Somebody took the lock while its keeper was inside, and waits for him to leave.
    #[cold]
    fn was_asked(&self, host: impl Host) -> Result<(), Fault> {
        // Who was presumed dead is the keeper no more, and `inside` is another's.
        if self.keeper.get() != host.me().word() {
            return Err(Fault::Disowned);
        }
        self.leave(host);
        Ok(())
    }

    /// Keeps the lock, which the caller holds, if he may.
    #[cold]
    fn keep(&self, host: &impl Host) -> bool {
        self.times.set(0);
        if !host.may_keep() {
            return false;
        }
        let before = self.keeper.get();
        if before != 0 {
            // Asked, and never came back to know it.
            let gone = Participant::from_word(before).is_none_or(|keeper| keeper != host.me() && !host.lives(keeper));
            if !gone {
                return false;
            }
        }
        // Before it is the caller's: it may be set since a keeper's death.
        self.inside.set(0);
        if self.keeper.swap_if(before, host.me().word()).is_err() {
            return false;
        }
        let kept = self.lock.keep(host.me());
        if !kept {
            // Somebody sleeps on it.
            let _ = self.keeper.swap_if(host.me().word(), 0);
        }
        // A sleeper who finds no keeper runs no barrier: then his announcement is seen by whoever keeps from here on.
        fence(Ordering::SeqCst);
        kept
    }

    /// Refuses whoever comes while an exclusive keeper lives.
    #[cold]
    fn check_keeper_lives(&self, host: &impl Host) -> Result<(), Fault> {
        let keeper = Participant::from_word(self.keeper.get());
        if keeper.is_some_and(|keeper| host.lives(keeper)) { Err(Fault::Exclusive) } else { Ok(()) }
    }

    /// Keeps the lock, which the caller entered, for good. He was told by [`Host::may_be_reached`] that he may.
    pub(crate) fn keep_for_good(&self, host: &impl Host, entered: Entered) -> Result<(), Fault> {
        let before = Participant::from_word(self.keeper.get());
        if before.is_some_and(|keeper| keeper != host.me() && host.lives(keeper)) {
            // One who was asked, and doesn't know it yet: he may come by at any time.
            self.unlock(host, entered)?;
            return Err(Fault::Busy);
        }
        self.inside.set(0);
        self.keeper.set(host.me().word());
        self.times.set(EXCLUSIVE);
        loop {
            if self.lock.keep(host.me()) {
                return Ok(());
            }
            // Others sleep on it; they will be refused.
            self.lock.unlock(host)?;
            if self.lock.lock(host, Deadline::NOW)? != Locked::Clean {
                return Err(Fault::Busy);
            }
        }
    }

    /// Gives a kept lock back: its keeper has found that it pays no more. Not while inside.
    #[cold]
    pub(crate) fn give_back(&self, host: &impl Host) {
        // Another thread of the keeper's may be about to look, and to say that it is inside.
        if host.is_keepers_thread() && self.times.peek() != EXCLUSIVE {
            self.give_back_for_good(host);
        }
    }

    /// As [`give_back`](Self::give_back), for one whose other threads use the handle no more: he closes it.
    #[cold]
    pub(crate) fn give_back_for_good(&self, host: &impl Host) {
        if self.keeper.get() == host.me().word() {
            self.times.set(0);
            // Whoever took it instead waits for nothing any more.
            self.lock.give_back_kept(host.me());
            self.leave(*host);
        }
    }

    /// For one who holds the lock's word but didn't find it free: waits until no keeper is inside.
    #[cold]
    fn see_keeper_out(&self, host: &impl Host, how: Locked, deadline: Deadline) -> Result<Entered, Fault> {
        let entered = if how == Locked::Inherited { Entered::Inherited } else { Entered::Clean };
        let is_try = deadline.is_try();
        let deadline =
            if is_try && deadline != Deadline::INSTANT { Deadline::after(super::lock::TRY_WAITS) } else { deadline };
        self.times.set(0);
        host.barrier();
        for _ in 0..SPINS {
            if self.inside.get() == 0 {
                return Ok(entered);
            }
            spin_loop();
        }
        loop {
            // Before the look at `inside`: who has left says that first, and then that it is the keeper no more.
            let keeper = Participant::from_word(self.keeper.get());
            let inside = self.inside.get();
            if inside == 0 {
                return Ok(entered);
            }
            let Some(keeper) = keeper.filter(|&keeper| host.lives(keeper)) else {
                // Dead inside, or nobody's: scribbled.
                self.inside.set(0);
                self.keeper.set(0);
                return Ok(Entered::Inherited);
            };
            if deadline == Deadline::INSTANT || deadline.has_passed() {
                self.give_up(host, how, keeper);
                return Err(Fault::Busy);
            }
            if let Err(Errno(libc::EINTR)) = host.sleep(&self.inside, inside, deadline.left(ASK_EVERY), EVERYBODY)
                && !is_try
            {
                self.give_up(host, how, keeper);
                return Err(Fault::Interrupted);
            }
        }
    }

    /// Waits no longer for a keeper who is inside.
    fn give_up(&self, host: &impl Host, how: Locked, keeper: Participant) {
        if how == Locked::Asked {
            // Should he just have left, he keeps nothing, and the next who asks finds nobody inside.
            self.lock.return_to(host, keeper);
        } else {
            self.lock.abandon(host);
        }
    }

    /// Orders a sleeper's announcement before its look at what a keeper of this lock may be committing.
    #[inline]
    pub(crate) fn fence_for_sleeper(&self, host: &impl Host) {
        if self.keeper.get() != 0 {
            host.barrier();
        }
    }

    /// As [`RobustLock::inherit_from_slot`]; then the caller holds it. If another keeper is inside it is left to be inherited by the
    /// next: to join takes no waiting.
    pub(crate) fn inherit_from_slot(&self, host: &impl Host, heir: Participant) -> Option<Entered> {
        let how = self.lock.inherit_from_slot(heir);
        let entered = how.and_then(|how| self.see_keeper_out(host, how, Deadline::INSTANT).ok());
        let keeper = self.keeper.get();
        if Participant::from_word(keeper).is_some_and(|keeper| keeper.slot() == heir.slot() && keeper != heir) {
            // Only that: `inside` may be another's already, and whoever keeps next clears it.
            let _ = self.keeper.swap_if(keeper, 0);
        }
        entered
    }

    /// Whose `inside` it is, and `inside`, for tests that keep a store from the others.
    #[cfg(test)]
    pub(super) fn keeper_and_inside(&self) -> (&U32, &U32) {
        (&self.keeper, &self.inside)
    }

    /// Whether its last owner died, or gave up: the next inherits it.
    pub(super) fn is_left(&self, host: &impl Host) -> bool {
        self.lock.is_left(host)
    }

    /// Who holds it, as far as one can tell without it.
    #[cfg(test)]
    pub(crate) fn held_by(&self) -> Option<Participant> {
        self.lock.held_by()
    }
}
