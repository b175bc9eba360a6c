//! Semaphores by System V's calls: `semget`, `semop`, `semctl`.

#![forbid(unsafe_code)]

use std::time::Duration;

use super::handles::{Handles, Recent, Removable};
use super::limits::limits;
use super::*;
use crate::shared::Create;
use crate::shared::semaphore_set::{KIND, Operation, SemaphoreSet, SemaphoreSetOptions};
use crate::{Deadline, Waiting};

pub(super) const NOUN: Noun = Noun { kind: KIND, noun: "set of semaphores", is_used: never };

/// How many processes and handles may use one at once.
const PARTICIPANTS: u32 = 1000;

/// What `IPC_STAT` tells of a set: `struct semid_ds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// Whose it is.
    pub permissions: Permissions,
    /// When it was last operated on, in seconds since 1970; 0 is never.
    pub operated: u64,
    /// When it was made, or changed by `IPC_SET`, `SETVAL` or `SETALL`.
    pub changed: u64,
    /// How many semaphores it has.
    pub semaphores: u32,
}

/// A set that this process uses.
struct Handle {
    set: SemaphoreSet,
    block: Home<Block>,
    judged: Judged,
}

impl Removable for Handle {
    #[inline]
    fn is_gone(&self) -> bool {
        !self.block.is_ready()
    }

    fn is_bound(&self) -> bool {
        self.set.owes()
    }
}

static HANDLES: Handles<Handle> = Handles::new();

thread_local! {
    static RECENT: RefCell<Recent<Handle>> = const { RefCell::new(Recent::new()) };
}

fn options() -> SemaphoreSetOptions {
    SemaphoreSet::options().any_owner(true)
}

impl Handle {
    fn open(id: i32) -> Result<Self> {
        drop(find(NOUN, id)?);
        let set = options().create(Create::Never).open_as(NOUN.by_id(id)?, &|_, _| {});
        let mut set = set.map_err(|error| NOUN.if_gone(id, error))?;
        let block = set.becomes_sysv();
        // Who died before this process came isn't in its way. (Where that can't be done now, whoever has to wait tries again.)
        let _ = set.bury(Deadline::NOW);
        let handle = Self { set, block, judged: Judged::default() };
        if handle.is_gone() { Err(NOUN.unknown(id)) } else { Ok(handle) }
    }

    #[inline]
    fn permits(&self, id: i32, wanted: u32) -> Result<()> {
        if self.judged.permit(&self.block, wanted) { Ok(()) } else { Err(NOUN.refused(id)) }
    }

    /// An index that the set doesn't have is `EINVAL` for `semctl`, where it is `EFBIG` for `semop`.
    fn check(&self, id: i32, index: u32) -> Result<()> {
        if index < self.set.len() {
            return Ok(());
        }
        let what = format!("set of semaphores {id}: semaphore {index}: it has {}", self.set.len());
        Err(Error::new(libc::EINVAL, what))
    }
}

#[inline]
fn with<T>(id: i32, work: impl FnOnce(&Handle) -> Result<T>) -> Result<T> {
    HANDLES.with(&RECENT, id, || Handle::open(id), work)
}

/// The identifier of the set of that key, which is made of `count` semaphores of value 0 if `flags` say so: `semget(2)`.
///
/// `flags`: `IPC_CREAT`, `IPC_EXCL`, and the permission bits. Doesn't wait, but for one who is just removing what had the key: a second
/// at most.
///
/// # Errors
/// `ENOENT`, `EEXIST`, `EACCES`, `EINVAL` as semget(2); `ENOSPC` if the file system is full; `EBUSY` if who removes what had the key
/// doesn't get on.
pub fn semget(key: i32, count: i32, flags: i32) -> Result<i32> {
    let bad = || {
        let most = limits().semmsl;
        Error::new(
            libc::EINVAL,
            format!("semget: {count} semaphores: a set has 1 to {most}, and as many as it was made with"),
        )
    };
    let count = u32::try_from(count).ok().filter(|&count| u64::from(count) <= limits().semmsl).ok_or_else(bad)?;
    let made = options()
        .create(Create::Only)
        .semaphores(count)
        .max_value(limits().semvmx as u32)
        .max_participants(PARTICIPANTS);
    let make = |name: &Name, mode, describe: Describe| {
        if count == 0 {
            return Err(bad());
        }
        made.clone().mode(mode).find_or_make(name, describe).map(|(_, object)| object)
    };
    let fits =
        |name: &Name, found: &Found| match options().semaphores(count).suits(name, found.fd.as_fd(), found.stat.size) {
            Err(error) if error.errno() == libc::EINVAL => Err(bad()),
            looked => looked,
        };
    Get { noun: NOUN, key, flags, make: &make, fits: &fits }.id()
}

/// Does all operations or none: `semop(2)`, and `semtimedop(2)`, whose time-out is `EAGAIN`.
///
/// # Errors
/// As semop(2): `EAGAIN`, `E2BIG`, `EACCES`, `EFBIG`, `EIDRM`, `EINTR`, `EINVAL`, `ENOMEM`, `ERANGE`.
#[inline]
pub fn semop(id: i32, operations: &[Operation], timeout: Option<Duration>) -> Result<()> {
    let deadline = timeout.map_or(Deadline::NEVER, Deadline::after);
    semop_until(id, operations, deadline).map_err(|error| match error.errno() {
        libc::ETIMEDOUT => Error::new(libc::EAGAIN, error.message().to_owned()),
        _ => error,
    })
}

/// As [`semop`], but waits until `deadline` at most: `ETIMEDOUT`.
#[doc(hidden)]
#[inline]
pub fn semop_until(id: i32, operations: &[Operation], deadline: Deadline) -> Result<()> {
    if operations.len() as u64 > limits().semopm {
        let what = format!("semop: {} operations: they may be {} at most", operations.len(), limits().semopm);
        return Err(Error::new(libc::E2BIG, what));
    }
    with(id, |handle| {
        let Handle { set, block, .. } = handle;
        let alters = operations.iter().any(|operation| operation.delta != 0);
        let permitted = handle.permits(id, if alters { ALTER } else { READ });
        // An index that it doesn't have is `EFBIG` first, also for who isn't permitted.
        permitted
            .or_else(|refused| if operations.iter().any(|it| it.index >= set.len()) { Ok(()) } else { Err(refused) })?;
        set.operate_until(operations, deadline).map_err(|error| as_system_v(error, libc::EAGAIN))?;
        block.first.note(0, clock::coarse_s());
        Ok(())
    })
}

/// `IPC_STAT`.
///
/// # Errors
/// `EINVAL`, `EACCES` as semctl(2).
pub fn stat(id: i32) -> Result<Status> {
    with(id, |handle| {
        handle.permits(id, READ)?;
        Ok(handle.status())
    })
}

/// `SEM_STAT`: what [`stat`] tells of the set at an index of [`identifiers`]. `SEM_STAT_ANY`: whoever may read it, if `any`.
///
/// # Errors
/// `EINVAL` for an index at which there is none; `EACCES`.
pub fn stat_at(index: i32, any: bool) -> Result<Status> {
    let id = identifier_at(NOUN, index)?;
    if any { with(id, |handle| Ok(handle.status())) } else { stat(id) }
}

/// What [`stat`] tells of all sets, in the order of their identifiers, whoever may read them. What this process can't open, or is gone
/// by now, isn't there.
///
/// # Errors
/// As [`list`](crate::list()).
pub fn list() -> Result<Vec<Status>> {
    // Not by those that stay open: there may be more than a process may have open.
    let told = |id| Handle::open(id).ok().map(|handle| handle.status());
    Ok(identifiers()?.into_iter().filter_map(told).collect())
}

/// The identifiers of all sets, in their order.
///
/// # Errors
/// As [`list`](crate::list).
pub fn identifiers() -> Result<Vec<i32>> {
    super::identifiers(NOUN)
}

impl Handle {
    fn status(&self) -> Status {
        Status {
            permissions: permissions(&self.block),
            operated: self.block.first.get().1,
            changed: self.block.changed.get(),
            semaphores: self.set.len(),
        }
    }
}

/// `GETVAL`.
///
/// # Errors
/// `EINVAL`, `EACCES` as semctl(2).
pub fn value(id: i32, index: u32) -> Result<u32> {
    with(id, |handle| {
        handle.permits(id, READ)?;
        handle.check(id, index)?;
        handle.set.value(index).map_err(|error| as_system_v(error, libc::EAGAIN))
    })
}

/// `GETALL`.
///
/// # Errors
/// As [`value`].
pub fn values(id: i32) -> Result<Vec<u32>> {
    with(id, |handle| {
        handle.permits(id, READ)?;
        handle.set.values().map_err(|error| as_system_v(error, libc::EAGAIN))
    })
}

/// `GETPID`.
///
/// # Errors
/// As [`value`].
pub fn last_pid(id: i32, index: u32) -> Result<u32> {
    with(id, |handle| {
        handle.permits(id, READ)?;
        handle.check(id, index)?;
        handle.set.last_pid(index).map_err(|error| as_system_v(error, libc::EAGAIN))
    })
}

/// `GETNCNT`, `GETZCNT`.
///
/// # Errors
/// As [`value`].
pub fn waiting(id: i32, index: u32) -> Result<Waiting> {
    with(id, |handle| {
        handle.permits(id, READ)?;
        handle.check(id, index)?;
        handle.set.waiting(index).map_err(|error| as_system_v(error, libc::EAGAIN))
    })
}

/// `SETVAL`.
///
/// # Errors
/// `EINVAL`, `EACCES`, `ERANGE` as semctl(2).
pub fn set_value(id: i32, index: u32, value: i32) -> Result<()> {
    // Before all else, and the index before who may: as the kernel.
    let value = in_range(value)?;
    with(id, |handle| {
        handle.check(id, index)?;
        handle.permits(id, ALTER)?;
        handle.set.set_value(index, value).map_err(|error| as_system_v(error, libc::EAGAIN))?;
        handle.block.changed.set(clock::coarse_s());
        Ok(())
    })
}

/// `SETALL`: a value for each semaphore.
///
/// # Errors
/// As [`set_value`].
pub fn set_values(id: i32, values: &[u16]) -> Result<()> {
    with(id, |handle| {
        handle.permits(id, ALTER)?;
        let values = values.iter().map(|&value| in_range(value.into())).collect::<Result<Vec<_>>>()?;
        handle.set.set_values(&values).map_err(|error| as_system_v(error, libc::EAGAIN))?;
        handle.block.changed.set(clock::coarse_s());
        Ok(())
    })
}

fn in_range(value: i32) -> Result<u32> {
    let most = limits().semvmx;
    match u32::try_from(value) {
        Ok(value) if u64::from(value) <= most => Ok(value),
        _ => Err(Error::new(libc::ERANGE, format!("a semaphore's value of {value}: it is 0 to {most}"))),
    }
}

/// How many semaphores a set has, for who must know how many values to pass.
///
/// # Errors
/// `EINVAL`.
pub fn count(id: i32) -> Result<u32> {
    with(id, |handle| Ok(handle.set.len()))
}

/// `IPC_SET`: owner and mode.
///
/// # Errors
/// `EPERM`, `EINVAL` as semctl(2).
pub fn set(id: i32, change: &Change) -> Result<()> {
    let done = find(NOUN, id).and_then(|found| super::change(NOUN, &found, id, change));
    if_hidden_not_yours(NOUN, id, done)
}

/// The process ends: what it has to undo is undone at once. (Who is killed is found by the next who waits or asks.)
pub(super) fn end() {
    HANDLES.for_each(|handle| handle.set.undo_own());
}

/// `IPC_RMID`: who waits gets `EIDRM`.
///
/// # Errors
/// `EPERM`, `EINVAL` as semctl(2).
pub fn remove(id: i32) -> Result<()> {
    let done = with(id, |Handle { set, block, .. }| super::remove(NOUN, block, id, || set.wake_all()));
    if_hidden_not_yours(NOUN, id, done)?;
    HANDLES.forget(id);
    Ok(())
}
