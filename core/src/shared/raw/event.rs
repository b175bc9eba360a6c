//! The event count: how one waits for what another will commit.
//!
//! ```text
//!   31 ......... 16   15 ......... 1   0
//!   events raised     announcements    somebody sleeps
//! ```
//!
//! **The sleeper** announces himself ([`Event::announce`]), fences, runs his *whole* try again, and sleeps only if that
//! failed, at most 250 ms, since a waker may die between its commit and its wake.
//!
//! **The waker** commits, fences, and looks at the lowest bit; most often it is 0, and that was all. If it is set, the waker
//! raises the event and wakes one. Only a wake that found nobody clears the bit, so a killed sleeper heals itself; and it
//! clears it by compare-exchange against what it saw before the wake. An announcement changes the word, so whoever announced
//! meanwhile is not forgotten.
//!
//! **Watchers** don't sleep on the word: they wait by a descriptor, and want to be rung (`shared/bell.rs`). Who watches
//! [says for what](Event::watch) in a word beside the event, *then* announces himself as a sleeper does. Who raises takes that word
//! if somebody is meant, and [rings](Host::ring_watchers): all of them, in all processes. Whoever was rung, and found nothing, says so
//! anew; so a dead watcher costs one ring, and nothing is left of him.
//!
//! A wake that found no sleeper must not forget the watchers, so the bit is not cleared while there are any. One may come just then: he
//! joins the watchers, then announces; the waker raises, then takes the watchers, then looks at them again, then clears the bit if
//! the event is as it raised it. If it saw none, his announcement came after all that, and the event is not as it was.
//!
//! Where the waker keeps its lock (`keep.rs`) its fence is a barrier that the sleeper runs after announcing himself.
//!
//! Why nobody is missed: the sleeper stores the bit, fences, reads the object; the waker stores the object, fences, reads the
//! bit. One of the two sees the other's store. If the waker sees the bit, its raise changes the word before or after the
//! sleeper's futex call looks at it: before, the call returns at once; after, the wake finds the sleeper.
//!
//! A polled word is a hint, never a reason to sleep.

use std::sync::atomic::{Ordering, compiler_fence, fence};
use std::time::Duration;

use super::cell::U32;
use super::host::{EVERYBODY, Host, MANY};
use super::keep::Entered;
use crate::sys::Errno;

const SLEEPS: u32 = 1;
const ANNOUNCEMENT: u32 = 1 << 1;
const ANNOUNCEMENTS: u32 = 0xfffe;
const RAISED: u32 = 1 << 16;

/// The longest sleep; a waker may have died before its wake.
pub(crate) const NAP: Duration = Duration::from_millis(250);

/// What one side of an object sleeps on. All-zero is initial.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Event {
    word: U32,
    /// Whom to ring besides: for which of the bits by which sleepers are named, or 0.
    watchers: U32,
}

/// An announcement: the event as it was when it was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Announced(u32);

/// A raise: the word as it left it, and how many it woke.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Raised {
    seen: u32,
    woken: u32,
}

impl Raised {
    pub(crate) fn found_nobody(self) -> bool {
        self.woken == 0
    }
}

fn raised(word: u32) -> u32 {
    word & !(ANNOUNCEMENTS | SLEEPS)
}

impl Event {
    /// Says that the caller is about to sleep. He tries once more before he does.
    pub(crate) fn announce(&self) -> Announced {
        loop {
            let word = self.word.get();
            let count = word.wrapping_add(ANNOUNCEMENT) & ANNOUNCEMENTS;
            let announced = raised(word) | count | SLEEPS;
            if self.word.swap_if(word, announced).is_ok() {
                fence(Ordering::SeqCst);
                return Announced(announced);
            }
        }
    }

    /// Wants to be rung for these bits. Before the announcement.
    pub(crate) fn watch(&self, bits: u32) {
        self.watchers.join(bits);
    }

    /// For which bits somebody wants to be rung; 0 is nobody.
    pub(crate) fn watched(&self) -> u32 {
        self.watchers.get()
    }

    /// Sleeps until the event is raised, at most `timeout`, at most [`NAP`].
    ///
    /// `Ok` means: try again. `ETIMEDOUT`, `EINTR` as futex(2).
    pub(crate) fn sleep(
        &self,
        host: &impl Host,
        announced: Announced,
        timeout: Duration,
        bits: u32,
    ) -> Result<(), Errno> {
        let mut word = announced.0;
        loop {
            match host.sleep(&self.word, word, timeout.min(NAP), bits) {
                Err(Errno(libc::EAGAIN)) => {}
                other => return other,
            }
            // Another's announcement changed the word too: that is no reason to get up.
            word = self.word.get();
            if raised(word) != raised(announced.0) || word & SLEEPS == 0 {
                return Ok(());
            }
        }
    }

    /// Whether it was raised since that announcement.
    pub(crate) fn was_raised_since(&self, announced: Announced) -> bool {
        raised(self.word.get()) != raised(announced.0)
    }

    /// Whether somebody may sleep. To be asked after the commit and a full fence.
    #[inline]
    pub(crate) fn is_awaited(&self) -> bool {
        self.word.peek() & SLEEPS != 0
    }

    /// Raises the event and wakes all who sleep.
    #[cold]
    pub(crate) fn raise(&self, host: &impl Host) {
        let raised = self.raise_to(host, MANY, EVERYBODY);
        if raised.found_nobody() {
            self.clear(raised);
        }
    }

    /// Raises the event, wakes at most `count` of those whom `bits` name, and rings the watchers if one of them is meant. If
    /// nobody was woken, the caller [clears](Self::clear).
    pub(crate) fn raise_to(&self, host: &impl Host, count: u32, bits: u32) -> Raised {
        let seen = self.word.add(RAISED);
        // If another took them since, he rings them; and one who joins after that looks by himself, after our commit.
        if self.watchers.get() & bits != 0 && self.watchers.take() != 0 {
            host.ring_watchers();
        }
        Raised { seen, woken: host.wake(&self.word, count, bits) }
    }

    /// Notes that nobody sleeps; `false` if somebody announced himself, or raised, since `raised`, or watches.
    pub(crate) fn clear(&self, raised: Raised) -> bool {
        self.watchers.get() == 0 && self.word.swap_if(raised.seen, raised.seen & !SLEEPS).is_ok()
    }
}

/// Orders a commit before the look at an event's bit: a full fence after the lock's release.
///
/// On x86 the release just executed is a locked instruction and as good a fence as any (Intel SDM 3A, 9.2.5); a second
/// one would cost 5 ns a message. A keeper has no fence at all: the sleeper runs the barrier (`keep.rs`).
#[inline]
pub(crate) fn fence_after_unlock(entered: Entered) {
    if entered == Entered::Kept || cfg!(any(target_arch = "x86_64", target_arch = "x86")) {
        compiler_fence(Ordering::SeqCst);
    } else {
        fence(Ordering::SeqCst);
    }
}
