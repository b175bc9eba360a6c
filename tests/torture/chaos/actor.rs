//! The actor in Rust, a fork of this program; the actors in C and Python do the same.
//!
//! It takes turns until it is told to stop, or has sent as much as the book has room for. What it chooses it draws from the
//! seed and its life. At one turn it may fork: the child goes on with the handles that it has inherited, as a life of its own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use madang::{Deadline, Result};
use madang_tests::Random;

use super::book::{BORN, Book, ENDED, LIVES, Leaf, MESSAGES, Place, Word};
use super::harm::Role;

/// How long a call waits that does.
pub(super) const TIMEOUT: Duration = Duration::from_millis(20);

/// What a world does at each turn; an error is a fault, which begins with the harm.
pub(super) trait Turns {
    fn turn(&mut self, me: &mut Me) -> Told<()>;

    /// It begins anew in a forked child.
    fn forked(&mut self) {}
}

/// An error says in its first word what harm it is.
pub(super) type Told<T> = std::result::Result<T, String>;

/// One's own place in the book, and one's choices.
pub(super) struct Me<'a> {
    pub(super) book: &'a Book,
    pub(super) leaf: Leaf<'a>,
    pub(super) random: Random,
}

impl<'a> Me<'a> {
    fn new(book: &'a Book, life: usize, seed: u64) -> Self {
        let leaf = book.leaf(life);
        leaf.set(Word::Pid, std::process::id().into());
        leaf.set(Word::State, BORN);
        Self { book, leaf, random: Random(seed ^ (life as u64) << 32) }
    }

    /// What it receives into.
    pub(super) fn hand(&self) -> &'a mut [u8] {
        // SAFETY: this life's alone, until it has ended; it has one such slice at a time.
        unsafe { self.book.hand(self.leaf.life).as_mut() }
    }

    /// A call that waits, or doesn't: None is what may be refused.
    pub(super) fn call<T>(&mut self, what: &str, call: impl FnOnce(Deadline) -> Result<T>) -> Told<Option<T>> {
        match self.random.below(2) {
            0 => self.timed(what, Duration::ZERO, || call(Deadline::NOW)),
            _ => self.wait(what, call),
        }
    }

    /// A call that waits.
    pub(super) fn wait<T>(&mut self, what: &str, call: impl FnOnce(Deadline) -> Result<T>) -> Told<Option<T>> {
        self.timed(what, TIMEOUT, || call(Deadline::after(TIMEOUT)))
    }

    /// A call with this timeout.
    pub(super) fn timed<T>(
        &mut self,
        what: &str,
        timeout: Duration,
        call: impl FnOnce() -> Result<T>,
    ) -> Told<Option<T>> {
        let (stops, begun) = (self.leaf.get(Word::Stops), Instant::now());
        let outcome = call();
        let over = begun.elapsed().saturating_sub(timeout).as_nanos() as u64;
        let longest = if timeout.is_zero() { Word::LongestTry } else { Word::LongestWait };
        if self.leaf.get(Word::Stops) == stops && self.leaf.get(longest) < over {
            self.leaf.set(longest, over);
        }
        match outcome {
            Ok(outcome) => Ok(Some(outcome)),
            Err(error) => match error.errno() {
                libc::EAGAIN | libc::EBUSY | libc::ETIMEDOUT | libc::ENOMSG => Ok(None),
                _ => Err(format!("wrong: {what}: {error}")),
            },
        }
    }

    pub(super) fn place(&self, place: Place) -> &'a AtomicU64 {
        self.book.place(place)
    }

    /// Whoever is inside must have been killed, and one must have been told.
    pub(super) fn look_inside(&self, place: Place, is_told: bool) -> Told<()> {
        let other = self.place(place).load(Ordering::Acquire) as usize;
        if other != 0 && self.book.leaf(other).get(Word::Killed) == 0 {
            return Err(format!("doubled: life {other} is inside ({place:?}), too"));
        }
        if other != 0 && !is_told {
            return Err(format!("wrong: nobody told that life {other} was killed inside ({place:?})"));
        }
        self.leaf.add(Word::Found, u64::from(other != 0));
        Ok(())
    }

    pub(super) fn enter(&self, place: Place, is_told: bool) -> Told<()> {
        self.look_inside(place, is_told)?;
        self.place(place).store(self.leaf.life as u64, Ordering::Release);
        Ok(())
    }

    pub(super) fn leave(&self, place: Place) {
        self.place(place).store(0, Ordering::Release);
    }

    /// Changes what is shared, not atomically, and tells of it before and after.
    pub(super) fn change(&mut self, place: Place, by: i64, begun: Word, done: Word) {
        let was = self.place(place).load(Ordering::Acquire);
        self.leaf.add(begun, 1);
        self.linger();
        self.place(place).store(was.wrapping_add_signed(by), Ordering::Release);
        self.leaf.add(done, 1);
    }

    /// Now and then one is at it for a while, to be killed in the middle.
    pub(super) fn linger(&mut self) {
        let rounds = if self.random.below(4) == 0 { self.random.below(4000) } else { 0 };
        (0..rounds).for_each(|_| std::hint::spin_loop());
    }

    pub(super) fn count(&mut self, place: Place) {
        self.change(place, 1, Word::Begun, Word::Done);
    }

    /// The two words must be equal, unless one was told.
    pub(super) fn compare(&self, is_told: bool) -> Told<()> {
        let [one, other] = [Place::One, Place::Other].map(|place| self.place(place).load(Ordering::Acquire));
        if one == other || is_told {
            return Ok(());
        }
        Err(format!("wrong: {one} and {other} are not equal, and nobody told"))
    }

    /// Now and then a pause, so that the others get on, and somebody finds nothing to do.
    pub(super) fn pause(&mut self) {
        if self.random.below(128) == 0 {
            std::thread::sleep(Duration::from_micros(self.random.below(1000)));
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.book.stop().load(Ordering::Acquire) != 0 || self.leaf.get(Word::Begun) + 64 > MESSAGES as u64
    }
}

/// A whole life; forks at most once.
pub(super) fn live(book: &Book, role: Role, mut turns: impl Turns) {
    let Role { life, seed, fork_at, .. } = role;
    // SAFETY: no memory is passed. Children that are forked here need nobody who buries them; and nobody lives for ever.
    unsafe {
        libc::signal(libc::SIGCHLD, libc::SIG_IGN);
        libc::alarm(super::LIFETIME);
    }
    let mut me = Me::new(book, life, seed);
    for turn in 1.. {
        if me.is_over() {
            break;
        }
        // SAFETY: this process has one thread.
        if turn == fork_at && unsafe { libc::fork() } == 0 {
            // SAFETY: no memory is passed.
            unsafe { libc::alarm(super::LIFETIME) };
            me = Me::new(book, life + LIVES / 2, seed);
            turns.forked();
        }
        if let Err(fault) = turns.turn(&mut me) {
            return me.leaf.fail(&fault);
        }
        me.leaf.add(Word::Operations, 1);
        me.pause();
    }
    me.leaf.set(Word::State, ENDED);
}
