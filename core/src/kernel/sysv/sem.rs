//! System V semaphore sets: `semget`, `semop`, `semtimedop`, `semctl`.
//!
//! A set has any number of semaphores, each a value from 0 to 32767. An array of [operations](Op) is done as a whole or not at
//! all, and waits until it can be.
//!
//! # Created, and initialised
//!
//! `semget` creates a set of zeros, and a second call gives them values: who opens it between the two finds semaphores that
//! nobody may take; and if the creator is killed there, they stay so for ever. It is the classic race of System V semaphores.
//! Here:
//!
//! 1. **Who creates** asks for `IPC_EXCL`, so there is one. It gives all values with one `SETALL`, which is one step to all
//!    others. Then it does an operation that changes nothing, so that `sem_otime` isn't 0 any more, by which other programs
//!    (any that follow Stevens' advice) know that the set is ready.
//! 2. **Who opens** an existing set takes it if it is *touched*: `sem_otime` isn't 0, or some semaphore has a value, or the
//!    mark of a process that gave it one (`GETPID`; old programs that only use `SETVAL` are ready so, too), or somebody waits
//!    for it. Else its creator is between the two calls, and one looks again, as [`patience`](SetOptions::patience) says, for a
//!    second.
//! 3. **What is untouched after that** has a creator that was killed. Nothing was ever done with it, so nothing is lost if it
//!    goes: whoever may create removes it, and makes it anew; others fail with `ETIMEDOUT`.
//!
//! A creator that wasn't dead but stopped, and goes on later, gets `EIDRM` from its `SETALL`, and opens again from the
//! beginning: it finds the new set. That is why the old one is removed and not completed by the opener: who gives values to a
//! set in the place of a creator that may yet come gives them twice. A creator that is killed after `SETALL` leaves a touched
//! set, which is whole. The one harm left: a creator that was stopped for longer than all patience, in that microsecond, and
//! goes on in the very moment between an opener's last look and the removal; then its set goes, and it is told so (`EIDRM`).
//!
//! A lock that another keeps (an additional semaphore, a file) would do the same, but old programs that open the set would know
//! nothing of it.

#![forbid(unsafe_code)]
use std::time::Duration;

use super::{Change, Key, Kind, Opening, Permissions, RACES};
use crate::error::{Error, Result};
use crate::kernel::wait;
use crate::sys::Errno;
use crate::sys::sysv as sys;
pub use crate::sys::sysv::Op;
use crate::{Create, Deadline};

/// How long an opener waits for a creator, unless it says otherwise. The creator needs microseconds.
const PATIENCE: Duration = Duration::from_secs(1);

/// Longer than anybody waits, but a length that the kernel takes.
const AGES: Duration = Duration::from_secs(1 << 30);

/// `SEMVMX`.
const MAX_VALUE: u16 = 32767;

/// How a set is opened; made by [`Set::options`].
#[derive(Clone, Debug)]
pub struct SetOptions {
    opening: Opening,
    count: usize,
    value: u16,
    values: Option<Vec<u16>>,
    patience: Duration,
}

impl Default for SetOptions {
    fn default() -> Self {
        Self { opening: Opening::default(), count: 0, value: 0, values: None, patience: PATIENCE }
    }
}

impl SetOptions {
    /// How many semaphores: of a new set exactly, of an existing one at least (`EINVAL` if it has less). 0, the default, takes an
    /// existing one as it is, and creates none.
    #[must_use]
    pub fn count(mut self, count: usize) -> Self {
        self.count = count;
        self
    }

    /// The value that each semaphore of a new set has, at most 32767; by default 0. Nobody sees them without it.
    #[must_use]
    pub fn value(mut self, value: u16) -> Self {
        self.value = value;
        self
    }

    /// The values of a new set's semaphores, one after the other; also says how many there are.
    #[must_use]
    pub fn values(mut self, values: &[u16]) -> Self {
        self.count = values.len();
        self.values = Some(values.to_vec());
        self
    }

    /// Whether it may be created; by default if it is missing.
    #[must_use]
    pub fn create(mut self, create: Create) -> Self {
        self.opening.create = create;
        self
    }

    /// The permission bits of a new set, exactly (no umask); by default, and for 0, `0o600`.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.opening.mode = mode;
        self
    }

    /// How long an open waits for the creator of an existing set to give it its values, before it takes the creator for dead;
    /// by default a second. Zero takes any set as it is. See [the module](self).
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Opens the set of this key, or creates it, with its values (semget(2)). Waits at most as [`patience`](Self::patience)
    /// says, as a rule not at all.
    ///
    /// # Errors
    /// `ENOENT`, `EEXIST` as [`create`](Self::create) says, or `ENOENT` where a count is missing; `EINVAL` for a bad mode, more
    /// semaphores than the system allows in a set, or an existing set that has less; `ERANGE` for a value above 32767; `ENOSPC`
    /// if the system's limits are reached; `ETIMEDOUT` if nobody has given it values, and this open may not create; `EPERM` if
    /// it may, but the set is another user's; `EINTR`; `ENOMEM`, `ENOSYS`.
    pub fn open(&self, key: Key) -> Result<Set> {
        let values = self.initial()?;
        let mut opening = Opening { kind: Kind::Set, ..self.opening };
        if values.is_empty() && opening.create == Create::IfMissing && !key.is_private() {
            opening.create = Create::Never;
        }
        let count = i32::try_from(self.count).unwrap_or(i32::MAX);
        let find = || sys::sem_get(key.number(), count, 0);
        // The creator must be allowed to give values, whatever it allows later.
        let make = |flags: i32| {
            if count == 0 { Err(Errno(libc::EINVAL)) } else { sys::sem_get(key.number(), count, flags | 0o600) }
        };
        for _ in 0..RACES {
            let (id, is_new) = opening.open(key, find, make, |errno| self.explained(errno, key))?;
            let outcome =
                if is_new { self.initialise(id, &values) } else { self.wait_until_touched(id, key, opening.create) };
            match outcome {
                Ok(()) => return Ok(Set { id, is_new }),
                Err(error) if error.errno() == libc::EIDRM => {}
                Err(error) => return Err(error),
            }
        }
        let what = format!("open semaphore set {key}: others keep making and removing it: try again");
        Err(Error::new(libc::EBUSY, what))
    }

    fn initial(&self) -> Result<Vec<u16>> {
        let values = match &self.values {
            // A count that was given later counts: the rest has the common value.
            Some(values) => {
                (0..self.count.min(AT_MOST)).map(|index| values.get(index).copied().unwrap_or(self.value)).collect()
            }
            None => vec![self.value; self.count.min(AT_MOST)],
        };
        values.iter().try_for_each(|&value| checked_value("create a semaphore set", value))?;
        Ok(values)
    }

    /// What the creator does; `EIDRM` if others took it for dead meanwhile. What fails leaves no set behind.
    fn initialise(&self, id: i32, values: &[u16]) -> Result<()> {
        let give_values = || {
            sys::sem_set_values(id, values)?;
            sys::sem_operate(id, &touch(values[0]), None).or_else(|errno| match errno {
                // Somebody was quick and took what there was: then it is touched.
                Errno(libc::EAGAIN) => Ok(()),
                errno => Err(errno),
            })?;
            match self.opening.mode {
                0 => Ok(()),
                mode if mode & 0o600 == 0o600 => Ok(()),
                mode => {
                    let mut stat = sys::sem_stat(id)?;
                    stat.sem_perm.mode = mode as _;
                    sys::sem_set(id, stat)
                }
            }
        };
        give_values().map_err(|errno| {
            let error = failed(id, "initialise", errno, |_| None);
            if error.errno() != libc::EIDRM {
                let _ = sys::sem_remove(id);
            }
            error
        })
    }

    /// What an opener does; `EIDRM` if it has to be opened again, since it is gone.
    fn wait_until_touched(&self, id: i32, key: Key, create: Create) -> Result<()> {
        if self.patience.is_zero() {
            return Ok(());
        }
        let doing = || format!("open semaphore set {key}");
        let looked = wait::polling(Deadline::after(self.patience), libc::EAGAIN, doing, || {
            if is_touched(id)? { Ok(()) } else { Err(Errno(libc::EAGAIN)) }
        });
        match looked.map_err(|error| error.errno()) {
            // Who may not look takes it as it is.
            Ok(()) | Err(libc::EACCES) => Ok(()),
            Err(libc::EINVAL | libc::EIDRM) => Err(gone(id)),
            Err(libc::ETIMEDOUT | libc::EAGAIN) if create == Create::IfMissing => self.remove_stillborn(id, key),
            Err(libc::ETIMEDOUT | libc::EAGAIN) => {
                let waited = self.patience;
                let what = format!(
                    "open semaphore set {key}: nobody has given it values for {waited:?}: its creator was killed, or is no program of madang's and \
                     means zeros. Open it with a count and values, which makes it anew; or with patience 0, as it is; or remove it"
                );
                Err(Error::new(libc::ETIMEDOUT, what))
            }
            Err(errno) => Err(failed(id, "open", Errno(errno), |_| None)),
        }
    }

    /// Removes what a killed creator has left, so that it can be made anew: always an error, `EIDRM` if that went well.
    #[cold]
    fn remove_stillborn(&self, id: i32, key: Key) -> Result<()> {
        match is_touched(id) {
            Ok(true) => return Ok(()),
            Err(Errno(libc::EINVAL | libc::EIDRM)) => return Err(gone(id)),
            _ => {}
        }
        match sys::sem_remove(id) {
            Err(Errno(libc::EPERM | libc::EACCES)) => {
                let what = format!(
                    "open semaphore set {key}: its creator was killed before it gave it values, and only its owner or root may remove it"
                );
                Err(Error::new(libc::EPERM, what))
            }
            _ => Err(gone(id)),
        }
    }

    #[cold]
    fn explained(&self, errno: i32, key: Key) -> Option<String> {
        let count = self.count;
        let exists = || !key.is_private() && sys::sem_get(key.number(), 0, 0).is_ok();
        Some(match errno {
            libc::ENOENT if count == 0 => "there is none of this key, and to create it, give it a count".to_owned(),
            libc::EINVAL if count == 0 => "give the new set a count".to_owned(),
            libc::EINVAL if exists() => format!("it has less than the {count} semaphores that were asked for"),
            libc::EINVAL => {
                format!("{count} semaphores are more than the system allows in a set: see kernel.sem (sysctl)")
            }
            _ => return None,
        })
    }
}

/// More semaphores than any set has: what is longer the kernel refuses, and needs no values.
const AT_MOST: usize = 1 << 20;

/// Operations that change nothing, can be done at once, and set `sem_otime`.
fn touch(value: u16) -> Vec<Op> {
    let operation = |delta| Op::add(0, delta).no_wait();
    if value == 0 { vec![operation(0)] } else { vec![operation(-1), operation(1)] }
}

/// Whether anybody has done anything with it since it was created; see the head of this file.
fn is_touched(id: i32) -> std::result::Result<bool, Errno> {
    let stat = sys::sem_stat(id)?;
    if stat.sem_otime != 0 || sys::sem_ask(id, 0, libc::GETPID)? != 0 {
        return Ok(true);
    }
    if sys::sem_values(id)?.iter().any(|&value| value != 0) {
        return Ok(true);
    }
    for index in 0..stat.sem_nsems as i32 {
        for what in [libc::GETPID, libc::GETNCNT, libc::GETZCNT] {
            if sys::sem_ask(id, index, what)? != 0 {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

#[cold]
fn gone(id: i32) -> Error {
    Error::new(libc::EIDRM, format!("semaphore set {id}: it was removed"))
}

fn checked_value(doing: &str, value: u16) -> Result<()> {
    if value <= MAX_VALUE {
        return Ok(());
    }
    Err(Error::new(libc::ERANGE, format!("{doing}: value {value}: a semaphore's value is at most {MAX_VALUE}")))
}

impl Op {
    /// `EAGAIN` where this one would have to wait, whatever the deadline (`IPC_NOWAIT`).
    pub const NO_WAIT: u16 = libc::IPC_NOWAIT as u16;
    /// Undone when the process ends, however it ends (`SEM_UNDO`).
    pub const UNDO: u16 = libc::SEM_UNDO as u16;

    /// Adds to a semaphore; what is below 0 is taken from it, once there is as much.
    #[must_use]
    pub fn add(index: u16, delta: i16) -> Self {
        Self { index, delta, flags: 0 }
    }

    /// Waits until the value is 0.
    #[must_use]
    pub fn zero(index: u16) -> Self {
        Self::add(index, 0)
    }

    /// With [`NO_WAIT`](Self::NO_WAIT).
    #[must_use]
    pub fn no_wait(self) -> Self {
        Self { flags: self.flags | Self::NO_WAIT, ..self }
    }

    /// With [`UNDO`](Self::UNDO).
    #[must_use]
    pub fn undo(self) -> Self {
        Self { flags: self.flags | Self::UNDO, ..self }
    }
}

/// What [`Set::stat`] tells: `struct semid_ds` (semctl(2)). Times are in seconds since 1970, 0 is never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The set's identifier.
    pub id: i32,
    /// To whom it belongs, and who may do what.
    pub permissions: Permissions,
    /// How many semaphores it has.
    pub count: u64,
    /// When an operation was done last.
    pub operated_at: i64,
    /// When it was created, or its permissions or, by themselves, values were changed last.
    pub changed_at: i64,
}

impl Status {
    fn new(id: i32, stat: &libc::semid_ds) -> Self {
        Self {
            id,
            permissions: stat.sem_perm.into(),
            count: stat.sem_nsems as u64,
            operated_at: stat.sem_otime as i64,
            changed_at: stat.sem_ctime as i64,
        }
    }
}

/// What the system allows, and how much of it is used: [`limits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The most sets (the fourth number of `kernel.sem`).
    pub max_sets: u64,
    /// The most semaphores of all sets together (the second).
    pub max_semaphores: u64,
    /// The most semaphores in a set (the first).
    pub max_in_a_set: u64,
    /// The most operations in an array (the third).
    pub max_operations: u64,
    /// The highest value: 32767.
    pub max_value: u64,
    /// How many sets there are.
    pub sets: u64,
    /// How many semaphores they have.
    pub semaphores: u64,
}

/// What the system allows, and how much of it is used, in this IPC namespace (`IPC_INFO`, `SEM_INFO` of semctl(2)).
///
/// # Errors
/// `ENOSYS`.
pub fn limits() -> Result<Limits> {
    let told = |errno| super::no_limits(errno, "limits of semaphore sets");
    let (limits, (_, used)) = (sys::sem_limits().map_err(told)?, sys::sem_info().map_err(told)?);
    let count = |number: i32| u64::try_from(number).unwrap_or(0);
    Ok(Limits {
        max_sets: count(limits.semmni),
        max_semaphores: count(limits.semmns),
        max_in_a_set: count(limits.semmsl),
        max_operations: count(limits.semopm),
        max_value: count(limits.semvmx),
        sets: count(used.semusz),
        semaphores: count(used.semaem),
    })
}

/// All sets of this IPC namespace, as ipcs(1) shows them; before Linux 4.17 only those that the caller may read. A snapshot.
///
/// # Errors
/// `ENOSYS`.
pub fn list() -> Result<Vec<Status>> {
    let (highest, _) = sys::sem_info().map_err(|errno| super::no_limits(errno, "list semaphore sets"))?;
    Ok(super::table(highest, |index, whose| sys::sem_stat_index(index, whose).map(|(id, stat)| Status::new(id, &stat))))
}

/// A System V semaphore set.
///
/// It is the kernel's: it lives until it is [removed](Self::remove). To drop this does nothing.
///
/// ```
/// use madang::sysv::{Key, sem::{Op, Set}};
///
/// let set = Set::options().values(&[1, 0]).open(Key::PRIVATE)?;
/// set.acquire(0)?;
/// assert_eq!(set.try_acquire(0).unwrap_err().errno(), libc::EAGAIN);
/// set.operate(&[Op::add(0, 1), Op::add(1, 5)])?; // both at once
/// assert_eq!(set.values()?, [1, 5]);
/// set.remove()?;
/// # Ok::<(), madang::Error>(())
/// ```
#[doc(alias("semget", "semop", "semtimedop", "semctl"))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    id: i32,
    is_new: bool,
}

impl Set {
    /// All defaults; change what you need, then [`open`](SetOptions::open).
    #[must_use]
    pub fn options() -> SetOptions {
        SetOptions::default()
    }

    /// Opens the set of this key, which must exist, with all defaults.
    ///
    /// # Errors
    /// As [`SetOptions::open`].
    pub fn open(key: Key) -> Result<Self> {
        Self::options().open(key)
    }

    /// The set of this identifier, as it is.
    ///
    /// # Errors
    /// `EINVAL` if there is none; `ENOSYS`.
    pub fn from_id(id: i32) -> Result<Self> {
        match sys::sem_stat(id) {
            Ok(_) | Err(Errno(libc::EACCES)) => Ok(Self { id, is_new: false }),
            Err(Errno(libc::EINVAL | libc::EIDRM)) => Err(super::no_such(Kind::Set, id)),
            Err(errno) => Err(failed(id, "open", errno, |_| None)),
        }
    }

    /// Removes the set of this key, as [`remove`](Self::remove) does.
    ///
    /// # Errors
    /// `ENOENT` if there is none; `EPERM`.
    pub fn unlink(key: Key) -> Result<()> {
        Self::options().patience(Duration::ZERO).open(key)?.remove()
    }

    /// Removes the set of this identifier, as [`remove`](Self::remove) does.
    ///
    /// # Errors
    /// `EINVAL` if there is none; `EPERM`.
    #[doc(alias = "ipcrm")]
    pub fn remove_id(id: i32) -> Result<()> {
        Self::from_id(id)?.remove()
    }

    /// The identifier: who knows it may use the set too.
    #[must_use]
    pub fn id(&self) -> i32 {
        self.id
    }

    /// Whether this very open created it.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Takes 1 from a semaphore; waits for ever while it is 0. As all that waits here, in one system call.
    ///
    /// # Errors
    /// As [`operate`](Self::operate).
    pub fn acquire(&self, index: u16) -> Result<()> {
        self.operate(&[Op::add(index, -1)])
    }

    /// Takes 1 from a semaphore, if it isn't 0.
    ///
    /// # Errors
    /// As [`try_operate`](Self::try_operate).
    pub fn try_acquire(&self, index: u16) -> Result<()> {
        self.try_operate(&[Op::add(index, -1)])
    }

    /// Takes 1 from a semaphore; waits while it is 0, until then.
    ///
    /// # Errors
    /// As [`operate_until`](Self::operate_until).
    pub fn acquire_until(&self, index: u16, deadline: Deadline) -> Result<()> {
        self.operate_until(&[Op::add(index, -1)], deadline)
    }

    /// Adds 1 to a semaphore. Doesn't wait.
    ///
    /// # Errors
    /// `ERANGE` above 32767; else as [`operate`](Self::operate).
    pub fn release(&self, index: u16) -> Result<()> {
        self.operate(&[Op::add(index, 1)])
    }

    /// Waits for ever until a semaphore is 0.
    ///
    /// # Errors
    /// As [`operate`](Self::operate).
    pub fn wait_zero(&self, index: u16) -> Result<()> {
        self.operate(&[Op::zero(index)])
    }

    /// `EAGAIN` unless a semaphore is 0.
    ///
    /// # Errors
    /// As [`try_operate`](Self::try_operate).
    pub fn try_wait_zero(&self, index: u16) -> Result<()> {
        self.try_operate(&[Op::zero(index)])
    }

    /// Waits until a semaphore is 0, until then.
    ///
    /// # Errors
    /// As [`operate_until`](Self::operate_until).
    pub fn wait_zero_until(&self, index: u16, deadline: Deadline) -> Result<()> {
        self.operate_until(&[Op::zero(index)], deadline)
    }

    /// Does all of these operations at once, in their order, or none; waits for ever until they can be done (semop(2)).
    ///
    /// # Errors
    /// `EAGAIN` where one with `no_wait` would have to wait; `EINTR`; `EIDRM` if the set is removed, also while this waits;
    /// `EINVAL` for an index that the set doesn't have, or no operations; `ERANGE` if a value would be above 32767; `E2BIG` for
    /// more operations than the system allows (500); `EACCES` where its mode doesn't let this user write (for zero, read);
    /// `ENOSPC`, `ENOMEM` for what is to be undone. Then nothing was done.
    #[inline]
    pub fn operate(&self, operations: &[Op]) -> Result<()> {
        self.operate_until(operations, Deadline::NEVER)
    }

    /// Does all of these operations at once, if they can be done.
    ///
    /// # Errors
    /// `EAGAIN` if they can't, else as [`operate`](Self::operate).
    pub fn try_operate(&self, operations: &[Op]) -> Result<()> {
        self.operate_until(operations, Deadline::NOW)
    }

    /// Does all of these operations at once; waits until they can be done, until then (semtimedop(2)).
    ///
    /// # Errors
    /// `ETIMEDOUT`, else as [`operate`](Self::operate).
    #[inline]
    pub fn operate_until(&self, operations: &[Op], deadline: Deadline) -> Result<()> {
        const KNOWN: u16 = Op::NO_WAIT | Op::UNDO;
        if let Some(op) = operations.iter().find(|op| op.flags & !KNOWN != 0) {
            return Err(self.unknown_flags(op.flags));
        }
        let done = if deadline.is_try() {
            at_once(self.id, operations)
        } else {
            let timeout = (deadline != Deadline::NEVER).then(|| deadline.left(AGES));
            sys::sem_operate(self.id, operations, timeout)
        };
        done.map_err(|errno| self.not_done(operations, errno, deadline))
    }

    #[cold]
    fn unknown_flags(&self, flags: u16) -> Error {
        let what = format!("operate on semaphore set {}: flags {flags:#x}: an operation has NO_WAIT and UNDO", self.id);
        Error::new(libc::EINVAL, what)
    }

    #[cold]
    fn not_done(&self, operations: &[Op], errno: Errno, deadline: Deadline) -> Error {
        failed(self.id, "operate on", errno, |errno| match errno {
            libc::EAGAIN if deadline.is_try() || !deadline.has_passed() => {
                Some((errno, format!("it would have to wait, and was only to try: {}", told(operations))))
            }
            libc::EAGAIN => Some((libc::ETIMEDOUT, format!("the time is over: {}", told(operations)))),
            libc::EINVAL if operations.is_empty() => Some((errno, "no operations: give it one or more".to_owned())),
            libc::EFBIG | libc::EINVAL => {
                Some((libc::EINVAL, self.no_such_index(operations.iter().map(|op| op.index).max())))
            }
            libc::ERANGE => Some((errno, format!("a value would be above {MAX_VALUE}: {}", told(operations)))),
            libc::E2BIG => Some((
                errno,
                format!("{} operations are more than the system takes at once: see kernel.sem", operations.len()),
            )),
            libc::ENOSPC | libc::ENOMEM => Some((errno, "the kernel has no room for what is to be undone".to_owned())),
            _ => None,
        })
    }

    #[cold]
    fn no_such_index(&self, index: Option<u16>) -> String {
        let count = sys::sem_stat(self.id).map_or(0, |stat| stat.sem_nsems as u64);
        format!("there is no semaphore {} in its {count}: they count from 0", index.unwrap_or(0))
    }

    /// How many semaphores it has.
    ///
    /// # Errors
    /// As [`stat`](Self::stat).
    pub fn count(&self) -> Result<usize> {
        usize::try_from(self.stat()?.count).map_err(|_| Error::new(libc::EOVERFLOW, "count"))
    }

    /// A semaphore's value (`GETVAL`). It may be another one already.
    ///
    /// # Errors
    /// `EINVAL` for an index that it doesn't have; `EACCES` where its mode doesn't let this user read; `EIDRM`.
    pub fn value(&self, index: u16) -> Result<u16> {
        self.ask(index, libc::GETVAL).map(|value| value as u16)
    }

    /// All values, as they were at one moment (`GETALL`).
    ///
    /// # Errors
    /// As [`value`](Self::value).
    pub fn values(&self) -> Result<Vec<u16>> {
        sys::sem_values(self.id).map_err(|errno| failed(self.id, "read", errno, |_| None))
    }

    /// Sets a semaphore's value (`SETVAL`), wakes who can go on, and forgets what processes would undo of it.
    ///
    /// # Errors
    /// `EINVAL` for an index that it doesn't have; `ERANGE` above 32767; `EACCES` where its mode doesn't let this user write;
    /// `EIDRM`.
    pub fn set_value(&self, index: u16, value: u16) -> Result<()> {
        checked_value("set a semaphore", value)?;
        sys::sem_set_value(self.id, index.into(), value.into()).map_err(|errno| self.refused("set", index, errno))
    }

    /// Sets all values at once (`SETALL`), as [`set_value`](Self::set_value) does.
    ///
    /// # Errors
    /// `EINVAL` if there are not as many as the set has; else as there.
    pub fn set_values(&self, values: &[u16]) -> Result<()> {
        values.iter().try_for_each(|&value| checked_value("set a semaphore", value))?;
        sys::sem_set_values(self.id, values).map_err(|errno| {
            failed(self.id, "set", errno, |errno| match errno {
                libc::E2BIG => {
                    let count = sys::sem_stat(self.id).map_or(0, |stat| stat.sem_nsems as u64);
                    Some((libc::EINVAL, format!("{} values for its {count} semaphores: give each one", values.len())))
                }
                _ => None,
            })
        })
    }

    /// The process that did something with a semaphore last (`GETPID`); 0 is none, or one of another pid namespace.
    ///
    /// # Errors
    /// As [`value`](Self::value).
    pub fn pid(&self, index: u16) -> Result<i32> {
        self.ask(index, libc::GETPID)
    }

    /// How many wait for a semaphore to have more (`GETNCNT`).
    ///
    /// # Errors
    /// As [`value`](Self::value).
    pub fn waiting_for_increase(&self, index: u16) -> Result<u32> {
        self.ask(index, libc::GETNCNT).map(i32::cast_unsigned)
    }

    /// How many wait for a semaphore to be 0 (`GETZCNT`).
    ///
    /// # Errors
    /// As [`value`](Self::value).
    pub fn waiting_for_zero(&self, index: u16) -> Result<u32> {
        self.ask(index, libc::GETZCNT).map(i32::cast_unsigned)
    }

    fn ask(&self, index: u16, what: i32) -> Result<i32> {
        sys::sem_ask(self.id, index.into(), what).map_err(|errno| self.refused("read", index, errno))
    }

    #[cold]
    fn refused(&self, verb: &str, index: u16, errno: Errno) -> Error {
        failed(self.id, verb, errno, |errno| (errno == libc::EINVAL).then(|| (errno, self.no_such_index(Some(index)))))
    }

    /// What there is to tell of it (`IPC_STAT`).
    ///
    /// # Errors
    /// `EACCES` where its mode doesn't let this user read; `EIDRM`.
    pub fn stat(&self) -> Result<Status> {
        let stat = sys::sem_stat(self.id).map_err(|errno| failed(self.id, "stat", errno, |_| None))?;
        Ok(Status::new(self.id, &stat))
    }

    /// Changes owner, group or permission bits (`IPC_SET`). What it leaves is what was found just before: of two who change at
    /// once, the later wins.
    ///
    /// # Errors
    /// `EPERM` for who is neither owner nor creator nor root; `EINVAL` for a bad mode; `EACCES` where its mode doesn't let this
    /// user read what is to stay; `EIDRM`.
    pub fn change(&self, change: Change) -> Result<()> {
        let mut stat = sys::sem_stat(self.id).map_err(|errno| failed(self.id, "change", errno, |_| None))?;
        change.apply(&mut stat.sem_perm)?;
        sys::sem_set(self.id, stat).map_err(|errno| failed(self.id, "change", errno, |_| None))
    }

    /// Removes it at once; who waits gets `EIDRM`. The key is free.
    ///
    /// # Errors
    /// `EPERM` for who is neither owner nor creator nor root; `EIDRM` if it was removed before.
    pub fn remove(&self) -> Result<()> {
        sys::sem_remove(self.id).map_err(|errno| failed(self.id, "remove", errno, |_| None))
    }
}

/// A try. (A time-out of 0 isn't: the kernel sleeps for that, too.)
fn at_once(id: i32, operations: &[Op]) -> std::result::Result<(), Errno> {
    let tries: Vec<_>;
    let tries = match operations {
        &[operation] => &[operation.no_wait()][..],
        _ => {
            tries = operations.iter().map(|operation| operation.no_wait()).collect();
            &tries
        }
    };
    sys::sem_operate(id, tries, None)
}

/// Operations in words: `-1 on 0, +2 on 1`.
fn told(operations: &[Op]) -> String {
    let one = |op: &Op| match op.delta {
        0 => format!("zero on {}", op.index),
        delta => format!("{delta:+} on {}", op.index),
    };
    let few: Vec<_> = operations.iter().take(4).map(one).collect();
    format!("{}{}", few.join(", "), if operations.len() > 4 { ", …" } else { "" })
}

#[cold]
fn failed(id: i32, verb: &str, errno: Errno, more: impl FnOnce(i32) -> Option<(i32, String)>) -> Error {
    super::failed((Kind::Set, id), verb, errno, || super::is_there(sys::sem_stat(id)), more)
}
