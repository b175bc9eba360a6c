//! A set of semaphores in shared memory, with `semop`'s meaning: what people hold.
//!
//! What happens in the memory stands in [`raw::semaphores`](super::raw::semaphores), who takes part in [`attached`](super::attached).

#![forbid(unsafe_code)]

use std::os::fd::AsFd;
use std::time::Duration;

use super::attached::{Attached, Present};
use super::bell::Bells;
use super::mapping::Home;
use super::patience::{Patience, let_run_on};
use super::raw::Fault;
use super::raw::event::NAP;
use super::raw::host::{Host, Participant};
use super::raw::semaphores::{Blocked, MOST_OPERATIONS, Need, Outcome, Seat, Semaphores, Space};
use super::raw::sysv::Block;
use super::{object, participant};
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::name::Name;
use crate::sys::{Errno, clock};

pub use super::raw::semaphores::Operation;
pub use options::SemaphoreSetOptions;

mod descriptor;
mod options;

/// How long one who has waited in vain waits for the lock, to pass on what he was woken for. If somebody is stuck inside, those who sleep
/// find it by themselves.
const LEAVES_WITHIN: Duration = Duration::from_millis(20);

/// How often one who sees what he waits for, and finds it gone, looks again before he sits down.
const RACES: u32 = 8;

/// What a set is called in its file's name.
pub(crate) const KIND: &str = "semaphores";

/// Constructors, as one says it.
impl Operation {
    /// Adds `amount` to the value of semaphore `index`.
    #[must_use]
    pub const fn release(index: u32, amount: i32) -> Self {
        Self { index, delta: amount, undo: false, no_wait: false }
    }

    /// Takes `amount` from the value of semaphore `index`; waits until it is as large.
    #[must_use]
    pub const fn acquire(index: u32, amount: i32) -> Self {
        Self { index, delta: amount.saturating_neg(), undo: false, no_wait: false }
    }

    /// Waits until the value of semaphore `index` is 0.
    #[must_use]
    pub const fn zero(index: u32) -> Self {
        Self { index, delta: 0, undo: false, no_wait: false }
    }

    /// It is taken back when this handle is closed, or its process ends in any way (`SEM_UNDO`).
    #[must_use]
    pub const fn undo(self) -> Self {
        Self { undo: true, ..self }
    }

    /// If it can't be done at once, the whole array fails with `EAGAIN` (`IPC_NOWAIT`).
    #[must_use]
    pub const fn no_wait(self) -> Self {
        Self { no_wait: true, ..self }
    }
}

/// How many wait for a semaphore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Waiting {
    /// For its value to grow (`GETNCNT`).
    pub to_grow: u32,
    /// For its value to become 0 (`GETZCNT`).
    pub for_zero: u32,
}

/// What [`SemaphoreSet::stat`] tells; a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SemaphoreSetStatus {
    /// How many semaphores it has.
    pub semaphores: u32,
    /// The largest value that they may have.
    pub max_value: u32,
    /// How many open handles it has room for.
    pub max_participants: u32,
    /// Open handles in all living processes.
    pub participants: u32,
    /// How often the living repaired what a killed process left half done.
    pub repairs: u64,
    /// Bytes of memory that it takes.
    pub allocated: u64,
    /// Permission bits.
    pub mode: u32,
    /// The owner's user id.
    pub uid: u32,
    /// The owner's group id.
    pub gid: u32,
}

/// A set of semaphores in shared memory, for any number of processes in any languages.
///
/// A semaphore is a number that is never below 0. An array of [`Operation`]s adds to some, takes from others, or waits until they
/// are 0; it is done as a whole or not at all, and waits until it can be. With [`undo`](Operation::undo) what was done is taken back when
/// the handle is closed or its process ends, be it by SIGKILL: at once for whoever looks, and within 300 ms for who sleeps.
///
/// The set persists until [`unlink`](Self::unlink). A handle may be shared by threads, used by a forked child (which then takes part
/// on its own, and has nothing to be undone), and there may be several in one process. Those who sleep are served in the order in
/// which they came; who comes just then may be quicker.
///
/// ```
/// # let name = format!("set-example-{}", std::process::id());
/// # let name = name.as_str();
/// use madang::{Operation, SemaphoreSet};
///
/// let set = SemaphoreSet::options().values(&[1, 0]).open(name)?;
/// set.operate(&[Operation::acquire(0, 1).undo(), Operation::release(1, 3)])?;
/// assert_eq!(set.values()?, [0, 3]);
/// assert_eq!(set.try_operate(&[Operation::acquire(0, 1)]).unwrap_err().errno(), libc::EAGAIN);
/// drop(set);
/// let set = SemaphoreSet::open(name)?;
/// assert_eq!(set.values()?, [1, 3]);
/// SemaphoreSet::unlink(name)?;
/// # Ok::<(), madang::Error>(())
/// ```
#[doc(alias("semget", "semop", "semctl", "sem_open"))]
#[derive(Debug)]
pub struct SemaphoreSet {
    semaphores: Semaphores,
    attached: Attached,
    is_new: bool,
    patience: Patience,
    bells: Bells,
}

impl SemaphoreSet {
    /// All defaults; change what you need, then [`open`](SemaphoreSetOptions::open).
    #[must_use]
    pub fn options() -> SemaphoreSetOptions {
        SemaphoreSetOptions::default()
    }

    /// Opens the set `name`, or creates it, with all defaults: one semaphore, whose value is 0.
    ///
    /// # Errors
    /// As [`SemaphoreSetOptions::open`].
    pub fn open(name: &str) -> Result<Self> {
        Self::options().open(name)
    }

    /// Takes the name away; who has the set open goes on with it. The next open makes a new one.
    ///
    /// # Errors
    /// `ENOENT`; `EACCES` or `EPERM` if it is another user's; `EINVAL`, `ENAMETOOLONG` for a bad name.
    pub fn unlink(name: &str) -> Result<()> {
        object::unlink(&Name::object(KIND, name)?)
    }

    /// The name by which it was opened.
    #[must_use]
    pub fn name(&self) -> &str {
        self.attached.name().as_str()
    }

    /// Whether this very open created it.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// How many semaphores it has.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.semaphores.geometry().count
    }

    /// Never true: a set has at least one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The largest value that one of them may have.
    #[must_use]
    pub fn max_value(&self) -> u32 {
        self.semaphores.geometry().most
    }

    /// Does all of `operations` (1 to 512), in their order, or none of them; waits until they can be done.
    ///
    /// # Errors
    /// `EAGAIN` if one that can't be done at once is [`no_wait`](Operation::no_wait); `EINVAL` for none, `E2BIG` for too many; `EFBIG`
    /// for an index that the set doesn't have; `ERANGE` if a value would become larger than the set allows, or an amount to be undone
    /// too large; `EINTR` if a signal handler ran while waiting; `ENOSPC` if the memory for what is to be undone can't be had; `EUCLEAN`
    /// if the set is damaged; `EOWNERDEAD`; in a forked child, at the first use, whatever opening gives. Whatever the error,
    /// nothing was done; but for `EOWNERDEAD`, after which it may have been.
    #[doc(alias = "semop")]
    pub fn operate(&self, operations: &[Operation]) -> Result<()> {
        self.operate_until(operations, Deadline::NEVER)
    }

    /// As [`operate`](Self::operate), but doesn't wait.
    ///
    /// # Errors
    /// As [`operate`](Self::operate); `EAGAIN` if they can't be done at once, `EBUSY` if another is stuck inside for a second or two.
    pub fn try_operate(&self, operations: &[Operation]) -> Result<()> {
        self.operate_until(operations, Deadline::NOW)
    }

    /// As [`operate`](Self::operate), but waits for `timeout` at most.
    ///
    /// # Errors
    /// As [`operate`](Self::operate); `ETIMEDOUT`, but with a time-out of zero as [`try_operate`](Self::try_operate).
    #[doc(alias = "semtimedop")]
    pub fn operate_timeout(&self, operations: &[Operation], timeout: Duration) -> Result<()> {
        self.operate_until(operations, Deadline::after(timeout))
    }

    /// As [`operate`](Self::operate), but waits until `deadline` at most.
    ///
    /// # Errors
    /// As [`operate`](Self::operate); `EAGAIN` or `ETIMEDOUT` as the [`Deadline`] says.
    #[inline]
    pub fn operate_until(&self, operations: &[Operation], deadline: Deadline) -> Result<()> {
        self.check(operations)?;
        // What is 0 may only be so until what the dead took is given back.
        if operations.iter().any(|operation| operation.delta == 0) {
            self.bury(deadline)?;
        }
        let present = self.enter()?;
        match self.semaphores.operate(&present, present.pid(), operations, None, deadline) {
            Ok(Outcome::Done) => Ok(()),
            other => self.operate_slowly(operations, deadline, other),
        }
    }

    /// Takes 1 from the value of semaphore `index`; waits until it isn't 0. With undo if `undo` says so.
    ///
    /// # Errors
    /// As [`operate`](Self::operate).
    pub fn acquire(&self, index: u32) -> Result<()> {
        self.operate(&[Operation::acquire(index, 1)])
    }

    /// As [`acquire`](Self::acquire), but doesn't wait.
    ///
    /// # Errors
    /// As [`try_operate`](Self::try_operate).
    pub fn try_acquire(&self, index: u32) -> Result<()> {
        self.try_operate(&[Operation::acquire(index, 1)])
    }

    /// As [`acquire`](Self::acquire), but waits for `timeout` at most.
    ///
    /// # Errors
    /// As [`operate_timeout`](Self::operate_timeout).
    pub fn acquire_timeout(&self, index: u32, timeout: Duration) -> Result<()> {
        self.operate_timeout(&[Operation::acquire(index, 1)], timeout)
    }

    /// Adds 1 to the value of semaphore `index`.
    ///
    /// # Errors
    /// As [`operate`](Self::operate).
    pub fn release(&self, index: u32) -> Result<()> {
        self.operate(&[Operation::release(index, 1)])
    }

    /// The value of semaphore `index` (`GETVAL`). What the dead had to be undone is given back before.
    ///
    /// # Errors
    /// `EFBIG` for an index that the set doesn't have; `EBUSY`, `EUCLEAN`, `EOWNERDEAD` as [`operate`](Self::operate).
    pub fn value(&self, index: u32) -> Result<u32> {
        self.check_index(index)?;
        self.look(|set| set.value(index).value)
    }

    /// The values of all, at one moment (`GETALL`).
    ///
    /// # Errors
    /// As [`value`](Self::value).
    pub fn values(&self) -> Result<Vec<u32>> {
        let mut values = vec![0; self.len() as usize];
        self.look(|set| {
            for (index, value) in (0..).zip(&mut values) {
                *value = set.value(index).value;
            }
        })?;
        Ok(values)
    }

    /// The process that changed semaphore `index` last, or found it 0, as its own pid namespace numbers it; 0 is none (`GETPID`).
    ///
    /// # Errors
    /// As [`value`](Self::value).
    pub fn last_pid(&self, index: u32) -> Result<u32> {
        self.check_index(index)?;
        self.look(|set| set.value(index).pid)
    }

    /// How many living threads wait for semaphore `index` (`GETNCNT`, `GETZCNT`). One that waits for several is counted where it
    /// is stuck.
    ///
    /// # Errors
    /// As [`value`](Self::value).
    pub fn waiting(&self, index: u32) -> Result<Waiting> {
        self.check_index(index)?;
        self.bury(Deadline::NOW)?;
        let (to_grow, for_zero) = self.semaphores.waiting(&self.enter()?, index);
        Ok(Waiting { to_grow, for_zero })
    }

    /// Sets the value of semaphore `index` (`SETVAL`). Nobody undoes anything on it any more.
    ///
    /// # Errors
    /// `ERANGE` for a value above the largest; `EFBIG` for an index that the set doesn't have; else as [`try_operate`](Self::try_operate).
    pub fn set_value(&self, index: u32, value: u32) -> Result<()> {
        self.check_index(index)?;
        self.set(index, &[value])
    }

    /// Sets the values of all, by one commit (`SETALL`). Nobody undoes anything on them any more.
    ///
    /// # Errors
    /// As [`set_value`](Self::set_value); `EINVAL` unless there are as many values as semaphores.
    pub fn set_values(&self, values: &[u32]) -> Result<()> {
        if values.len() != self.len() as usize {
            let what = format!("set {}: {} values for {} semaphores", self.attached.name(), values.len(), self.len());
            return Err(Error::new(libc::EINVAL, what));
        }
        self.set(0, values)
    }

    /// What it is now.
    ///
    /// # Errors
    /// `EOWNERDEAD`; what joining gives in a forked child.
    pub fn stat(&self) -> Result<SemaphoreSetStatus> {
        let present = self.enter()?;
        let file = self.attached.stat()?;
        let geometry = self.semaphores.geometry();
        Ok(SemaphoreSetStatus {
            semaphores: geometry.count,
            max_value: geometry.most,
            max_participants: geometry.slots,
            participants: self.attached.participants(&present),
            repairs: self.semaphores.repairs(),
            allocated: file.allocated,
            mode: file.permissions(),
            uid: file.uid,
            gid: file.gid,
        })
    }

    /// Who takes part: every open handle, and those of killed processes whose place nobody has needed since. In no order.
    ///
    /// # Errors
    /// As [`stat`](Self::stat).
    pub fn participants(&self) -> Result<Vec<participant::Participant>> {
        let present = self.enter()?;
        Ok(self.attached.roll(&present))
    }

    /// It was made by a System V call; what that keeps of it.
    pub(in crate::shared) fn becomes_sysv(&mut self) -> Home<Block> {
        self.attached.becomes_sysv()
    }

    /// Whether something would be undone if it were closed.
    pub(in crate::shared) fn owes(&self) -> bool {
        self.attached.present().is_some_and(|present| self.semaphores.owes(&present))
    }

    /// Undoes what it has to; it is the end of the process.
    pub(in crate::shared) fn undo_own(&self) {
        if let Some(present) = self.attached.present() {
            self.semaphores.undo_own(&present);
        }
    }

    /// Wakes all who wait: it was removed.
    pub(in crate::shared) fn wake_all(&self) {
        // For a forked child that has only its parent's place to join. (What it answers is that it was removed.)
        let _ = self.enter();
        if let Some(present) = self.attached.present() {
            self.semaphores.wake_all(&present);
        }
    }

    /// Makes a handle, and joins.
    fn attach(semaphores: Semaphores, attached: Attached, is_new: bool) -> Result<Self> {
        let set = Self { semaphores, attached, is_new, patience: Patience::default(), bells: Bells::default() };
        set.enter()?;
        Ok(set)
    }

    #[inline]
    fn enter(&self) -> Result<Present<'_>> {
        self.attached.enter(&|present: &Present, heir: Participant| self.semaphores.settle(present, heir))
    }
}

/// For who waits in slices, as Python does.
impl SemaphoreSet {
    /// As [`operate_until`](Self::operate_until), but after `ETIMEDOUT` and `EINTR` the place in the order is kept for the next call,
    /// for the same operations, or for [`end_turn`](Self::end_turn).
    #[doc(hidden)]
    pub fn operate_in_turn(&self, turn: &mut Turn, operations: &[Operation], deadline: Deadline) -> Result<()> {
        self.check(operations)?;
        let mut blocked = None;
        if !turn.0.is_taken() {
            let present = self.enter()?;
            let outcome = self.semaphores.operate(&present, present.pid(), operations, None, deadline);
            blocked = match self.attempt(operations, deadline, outcome)? {
                None => return Ok(()),
                Some(blocked) if blocked.no_wait || deadline.is_try() => {
                    return self.done_in_vain(operations, deadline, self.in_vain(libc::EAGAIN, blocked));
                }
                blocked => blocked,
            };
        }
        let done = self.wait_in(turn, operations, deadline, blocked);
        done.or_else(|error| self.done_in_vain(operations, deadline, error))
    }

    /// Waits no longer.
    #[doc(hidden)]
    pub fn end_turn(&self, turn: &mut Turn) {
        // Should it fail others look by themselves in a while.
        let _ = self.end(turn);
    }
}

/// A place among those who wait: see [`SemaphoreSet::operate_in_turn`].
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct Turn(Seat);

impl Drop for SemaphoreSet {
    fn drop(&mut self) {
        if let Some(present) = self.attached.present() {
            self.semaphores.part(&present);
        }
    }
}

/// What is between people and the memory.
impl SemaphoreSet {
    #[inline]
    fn check(&self, operations: &[Operation]) -> Result<()> {
        let count = self.len();
        let is_good = (1..=MOST_OPERATIONS).contains(&operations.len());
        if is_good && operations.iter().all(|operation| operation.index < count) {
            Ok(())
        } else {
            self.refuse(operations)
        }
    }

    #[cold]
    fn refuse(&self, operations: &[Operation]) -> Result<()> {
        let (name, length) = (self.attached.name(), operations.len());
        match length {
            0 => Err(Error::new(libc::EINVAL, format!("operate {name}: no operation: give it at least one"))),
            1..=MOST_OPERATIONS => operations.iter().try_for_each(|operation| self.check_index(operation.index)),
            _ => {
                let what = format!("operate {name}: {length} operations: there may be {MOST_OPERATIONS} at most");
                Err(Error::new(libc::E2BIG, what))
            }
        }
    }

    fn check_index(&self, index: u32) -> Result<()> {
        let (name, count) = (self.attached.name(), self.len());
        if index < count {
            return Ok(());
        }
        Err(Error::new(libc::EFBIG, format!("{name}: semaphore {index}: it has {count}, and the first is 0")))
    }

    /// Whatever is not done at once.
    #[inline(never)]
    fn operate_slowly(
        &self,
        operations: &[Operation],
        deadline: Deadline,
        outcome: std::result::Result<Outcome, Fault>,
    ) -> Result<()> {
        match self.attempt(operations, deadline, outcome)? {
            None => Ok(()),
            Some(blocked) if blocked.no_wait || deadline.is_try() => {
                self.done_in_vain(operations, deadline, self.in_vain(libc::EAGAIN, blocked))
            }
            Some(blocked) => self.wait(operations, deadline, blocked),
        }
    }

    /// Goes on with the `outcome` of a first try; without waiting, but for what the dead left. What is waited for, if it is.
    fn attempt(
        &self,
        operations: &[Operation],
        deadline: Deadline,
        mut outcome: std::result::Result<Outcome, Fault>,
    ) -> Result<Option<Blocked>> {
        loop {
            let present = self.enter()?;
            match outcome.map_err(|fault| self.explain(fault, "operate", deadline))? {
                Outcome::Done => return Ok(None),
                Outcome::NeedsSpace(space) => self.take_space(&present, space)?,
                // The dead may have what is missing, or have left too much.
                Outcome::OutOfRange { .. } | Outcome::Blocked(_) if self.bury(deadline)? => {}
                Outcome::OutOfRange { index } => return Err(self.out_of_range(index)),
                Outcome::Blocked(blocked) => return Ok(Some(blocked)),
            }
            outcome = self.semaphores.operate(&present, present.pid(), operations, None, deadline);
        }
    }

    /// Waits until they are done.
    fn wait(&self, operations: &[Operation], deadline: Deadline, blocked: Blocked) -> Result<()> {
        let mut turn = Turn::default();
        let done = self.wait_in(&mut turn, operations, deadline, Some(blocked));
        // Who has done it sits no more.
        let left = self.end(&mut turn);
        match done {
            Ok(()) => left,
            Err(error) => self.done_in_vain(operations, deadline, error),
        }
    }

    fn end(&self, turn: &mut Turn) -> Result<()> {
        if !turn.0.is_taken() {
            return Ok(());
        }
        let left = self.semaphores.leave(&self.enter()?, &mut turn.0, Deadline::after(LEAVES_WITHIN));
        left.map_err(|fault| self.explain(fault, "operate", Deadline::NOW))
    }

    fn wait_in(
        &self,
        Turn(seat): &mut Turn,
        operations: &[Operation],
        deadline: Deadline,
        blocked: Option<Blocked>,
    ) -> Result<()> {
        if let Some(blocked) = blocked
            && self.is_done_awake(operations, deadline, blocked)?
        {
            return Ok(());
        }
        let mut interrupted = false;
        loop {
            // Anew each time: a signal handler may have forked, and this be the child.
            let present = self.enter()?;
            let outcome = self.semaphores.operate(&present, present.pid(), operations, Some(seat), deadline);
            let blocked = match outcome.map_err(|fault| self.explain(fault, "operate", deadline))? {
                Outcome::Done => return Ok(()),
                Outcome::NeedsSpace(space) => {
                    self.take_space(&present, space)?;
                    continue;
                }
                Outcome::OutOfRange { .. } if self.bury(deadline)? => continue,
                Outcome::OutOfRange { index } => return Err(self.out_of_range(index)),
                Outcome::Blocked(blocked) => blocked,
            };
            if blocked.no_wait {
                return Err(self.in_vain(libc::EAGAIN, blocked));
            }
            if interrupted {
                let what = "a signal handler ran while waiting; nothing was done";
                return Err(Error::new(libc::EINTR, format!("operate {}: {what}", self.attached.name())));
            }
            if deadline.has_passed() {
                return Err(self.in_vain(libc::ETIMEDOUT, blocked));
            }
            match self.semaphores.sleep(&present, seat, deadline.left(NAP)) {
                Ok(()) => {}
                Err(Errno(libc::EINTR)) => interrupted = true,
                // Nobody came: who is dead wakes nobody. If another is stuck inside, the next try tells.
                Err(_) => {
                    let tidied = self.semaphores.tidy(&present, clock::monotonic_ns(), deadline);
                    interrupted = tidied == Err(Fault::Interrupted);
                }
            }
        }
    }

    /// A partner who is awake comes before one could fall asleep. Whether they were done.
    fn is_done_awake(&self, operations: &[Operation], deadline: Deadline, mut blocked: Blocked) -> Result<bool> {
        for race in 0..RACES {
            let present = self.enter()?;
            if !self.patience.spin(&present, 0, || true, || self.semaphores.suits(blocked)) {
                break;
            }
            if race == 0 && present.spins() && matches!(blocked.need, Need::AtLeast(_)) {
                let_run_on(|| self.semaphores.runs());
            }
            // Anew: a signal handler may have forked, and this be the child.
            let present = self.enter()?;
            let outcome = self.semaphores.operate(&present, present.pid(), operations, None, deadline);
            match outcome.map_err(|fault| self.explain(fault, "operate", deadline))? {
                Outcome::Done => return Ok(true),
                // He races on unless others sit and wait.
                Outcome::Blocked(another)
                    if !another.no_wait && !self.semaphores.has_waiters() && !deadline.has_passed() =>
                {
                    blocked = another;
                }
                // Whatever it is, the next try says it again.
                _ => break,
            }
        }
        Ok(false)
    }

    fn set(&self, first: u32, values: &[u32]) -> Result<()> {
        if let Some(value) = values.iter().find(|&&value| value > self.max_value()) {
            let (name, most) = (self.attached.name(), self.max_value());
            let what = format!("set {name}: a value of {value}: it may be {most} at most");
            return Err(Error::new(libc::ERANGE, what));
        }
        let present = self.enter()?;
        let done = self.semaphores.set(&present, present.pid(), first, values, Deadline::NOW);
        done.map_err(|fault| self.explain(fault, "set", Deadline::NOW))
    }

    /// Gives back what the dead had to be undone. Whether something was.
    pub(in crate::shared) fn bury(&self, deadline: Deadline) -> Result<bool> {
        self.semaphores.bury(&self.enter()?, deadline).map_err(|fault| self.explain(fault, "operate", deadline))
    }

    /// Looks at the set when what the dead had to be undone is given back.
    fn look<T>(&self, look: impl FnOnce(&Semaphores) -> T) -> Result<T> {
        self.bury(Deadline::NOW)?;
        let seen = self.semaphores.look(&self.enter()?, Deadline::NOW, look);
        seen.map_err(|fault| self.explain(fault, "look at", Deadline::NOW))
    }

    /// Takes the piece of the file for what this handle has to be undone.
    #[cold]
    fn take_space(&self, present: &Present, space: Space) -> Result<()> {
        object::allocate(self.attached.descriptor()?.as_fd(), space.offset, space.length)
            .map_err(|error| error.during(format!("operate {}: what is to be undone", self.attached.name())))?;
        self.semaphores.grant(present.me().slot());
        Ok(())
    }

    #[cold]
    fn out_of_range(&self, index: u32) -> Error {
        let (name, most) = (self.attached.name(), self.max_value());
        let what = format!("operate {name}: semaphore {index}, or what is to be undone there, would exceed {most}");
        Error::new(libc::ERANGE, what)
    }

    #[cold]
    fn in_vain(&self, errno: i32, blocked: Blocked) -> Error {
        let (name, index) = (self.attached.name(), blocked.index);
        let value = self.semaphores.value(index).value;
        let what = match blocked.need {
            Need::AtLeast(need) => format!("operate {name}: semaphore {index} is {value}, less than {need}"),
            Need::Exactly(need) => format!("operate {name}: semaphore {index} isn't {need}, but {value}"),
        };
        Error::new(errno, what)
    }

    #[cold]
    fn explain(&self, fault: Fault, doing: &str, deadline: Deadline) -> Error {
        self.attached.explain_until(fault, doing, deadline)
    }
}
