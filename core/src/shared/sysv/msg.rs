//! Message queues by System V's calls: `msgget`, `msgsnd`, `msgrcv`, `msgctl`.

#![forbid(unsafe_code)]

use std::mem::MaybeUninit;

use super::handles::{Handles, Recent, Removable};
use super::limits::limits;
use super::*;
use crate::shared::Create;
use crate::shared::queue::{KIND, Queue, QueueOptions, Select};
use crate::{Deadline, Received};

pub(super) const NOUN: Noun = Noun { kind: KIND, noun: "message queue", is_used: never };

/// What a queue can be given at most by `IPC_SET` without being made anew, in bytes, and in messages.
const MOST_BYTES: u64 = 1 << 20;
const MOST_MESSAGES: u64 = 1 << 16;
/// How many processes and handles may use one at once.
const PARTICIPANTS: u32 = 1000;

/// What `IPC_STAT` tells of a queue: `struct msqid_ds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// Whose it is.
    pub permissions: Permissions,
    /// When a message was last sent, in seconds since 1970; 0 is never.
    pub sent: u64,
    /// When one was last received.
    pub received: u64,
    /// When it was made, or changed by `IPC_SET`.
    pub changed: u64,
    /// Bytes held.
    pub bytes: u64,
    /// Messages held.
    pub messages: u64,
    /// The most bytes that it holds.
    pub limit: u64,
    /// The process that sent last; 0 is none.
    pub sender: u32,
    /// The process that received last.
    pub receiver: u32,
}

/// A queue that this process uses.
struct Handle {
    queue: Queue,
    block: Home<Block>,
    judged: Judged,
}

impl Removable for Handle {
    #[inline]
    fn is_gone(&self) -> bool {
        !self.block.is_ready()
    }

    fn is_bound(&self) -> bool {
        false
    }
}

static HANDLES: Handles<Handle> = Handles::new();

thread_local! {
    static RECENT: RefCell<Recent<Handle>> = const { RefCell::new(Recent::new()) };
}

fn options() -> QueueOptions {
    Queue::options().any_owner(true).max_participants(0)
}

impl Handle {
    fn open(id: i32) -> Result<Self> {
        let found = find(NOUN, id)?;
        drop(found);
        let queue = options().create(Create::Never).open_as(NOUN.by_id(id)?, &|_, _| {});
        let mut queue = queue.map_err(|error| NOUN.if_gone(id, error))?;
        let block = queue.becomes_sysv();
        let handle = Self { queue, block, judged: Judged::default() };
        if handle.is_gone() { Err(NOUN.unknown(id)) } else { Ok(handle) }
    }

    #[inline]
    fn permits(&self, id: i32, wanted: u32) -> Result<()> {
        if self.judged.permit(&self.block, wanted) { Ok(()) } else { Err(NOUN.refused(id)) }
    }
}

#[inline]
fn with<T>(id: i32, work: impl FnOnce(&Handle) -> Result<T>) -> Result<T> {
    HANDLES.with(&RECENT, id, || Handle::open(id), work)
}

/// The identifier of the queue of that key, which is made if `flags` say so: `msgget(2)`.
///
/// `flags`: `IPC_CREAT`, `IPC_EXCL`, and the permission bits. Doesn't wait, but for one who is just removing what had the key: a second
/// at most.
///
/// # Errors
/// `ENOENT`, `EEXIST`, `EACCES` as msgget(2); `ENOSPC` if the file system is full; `EBUSY` if who removes what had the key
/// doesn't get on.
pub fn msgget(key: i32, flags: i32) -> Result<i32> {
    let limit = limits().msgmnb;
    let made = options()
        .create(Create::Only)
        .capacity(limit.max(MOST_BYTES))
        .max_messages(limit.max(MOST_MESSAGES))
        .max_participants(PARTICIPANTS)
        .lean();
    let make = |name: &Name, mode, describe: Describe| {
        made.clone().mode(mode).limits(limit, limit).find_or_make(name, describe).map(|(_, object)| object)
    };
    Get { noun: NOUN, key, flags, make: &make, fits: &|_, _| Ok(()) }.id()
}

/// Sends a message: `msgsnd(2)`. Waits while the queue is full, unless `flags` has `IPC_NOWAIT`.
///
/// # Errors
/// As msgsnd(2): `EAGAIN`, `EACCES`, `EIDRM`, `EINTR`, `EINVAL`, `ENOMEM`.
#[inline]
pub fn msgsnd(id: i32, mtype: i64, data: &[u8], flags: i32) -> Result<()> {
    msgsnd_until(id, mtype, data, deadline(flags))
}

fn deadline(flags: i32) -> Deadline {
    if flags & libc::IPC_NOWAIT != 0 { Deadline::NOW } else { Deadline::NEVER }
}

/// As [`msgsnd`], but waits until `deadline` at most: `ETIMEDOUT`.
#[doc(hidden)]
#[inline]
pub fn msgsnd_until(id: i32, mtype: i64, data: &[u8], deadline: Deadline) -> Result<()> {
    if mtype < 1 || data.len() as u64 > limits().msgmax {
        return Err(bad_message(id, mtype, data.len()));
    }
    with(id, |handle| {
        let Handle { queue, block, .. } = handle;
        handle.permits(id, ALTER)?;
        if !queue.send_at_once(mtype, data) {
            queue.send_until(mtype, data, deadline).map_err(|error| as_system_v(error, libc::EAGAIN))?;
        }
        block.first.note(queue.pid(), clock::coarse_s());
        Ok(())
    })
}

#[cold]
fn bad_message(id: i32, mtype: i64, length: usize) -> Error {
    let most = limits().msgmax;
    let what =
        format!("msgsnd to {id}: type {mtype}, {length} bytes: the type is 1 or more, the length {most} at most");
    Error::new(libc::EINVAL, what)
}

/// Receives a message into `buffer`, and tells its length there and its type: `msgrcv(2)`. Waits while there is none, unless `flags` has
/// `IPC_NOWAIT`.
///
/// `flags`: `IPC_NOWAIT`, `MSG_EXCEPT`, `MSG_NOERROR`, `MSG_COPY`.
///
/// # Errors
/// As msgrcv(2): `ENOMSG`, `E2BIG`, `EACCES`, `EIDRM`, `EINTR`, `EINVAL`.
#[inline]
pub fn msgrcv(id: i32, buffer: &mut [MaybeUninit<u8>], msgtyp: i64, flags: i32) -> Result<(usize, i64)> {
    msgrcv_until(id, buffer, msgtyp, flags, deadline(flags))
}

/// As [`msgrcv`], but waits until `deadline` at most, whatever `flags` say: `ETIMEDOUT`.
#[doc(hidden)]
#[inline]
pub fn msgrcv_until(
    id: i32,
    buffer: &mut [MaybeUninit<u8>],
    msgtyp: i64,
    flags: i32,
    deadline: Deadline,
) -> Result<(usize, i64)> {
    with(id, |handle| {
        let Handle { queue, block, .. } = handle;
        handle.permits(id, READ)?;
        if flags & libc::MSG_COPY != 0 {
            return copy(handle, buffer, msgtyp, flags);
        }
        let received = match (msgtyp, flags) {
            (0, 0) => queue.recv_at_once(buffer),
            _ => None,
        };
        let Received { length, mtype, .. } = match received {
            Some(received) => received,
            None => receive(queue, buffer, msgtyp, flags, deadline)?,
        };
        block.second.note(queue.pid(), clock::coarse_s());
        Ok((length, mtype))
    })
}

fn receive(
    queue: &Queue,
    buffer: &mut [MaybeUninit<u8>],
    msgtyp: i64,
    flags: i32,
    deadline: Deadline,
) -> Result<Received> {
    let select = match msgtyp {
        1.. if flags & libc::MSG_EXCEPT != 0 => Select::Except(msgtyp),
        _ => Select::from_msgtyp(msgtyp),
    };
    let received = if flags & libc::MSG_NOERROR != 0 {
        queue.recv_cut(select, buffer, deadline)
    } else {
        queue.recv_into_uninit(select, buffer, deadline)
    };
    received.map_err(|error| as_system_v(error, libc::ENOMSG))
}

/// `MSG_COPY`: the message at a position, which stays.
fn copy(handle: &Handle, buffer: &mut [MaybeUninit<u8>], position: i64, flags: i32) -> Result<(usize, i64)> {
    if flags & libc::MSG_EXCEPT != 0 || flags & libc::IPC_NOWAIT == 0 {
        let what = "msgrcv: MSG_COPY goes with IPC_NOWAIT, and not with MSG_EXCEPT";
        return Err(Error::new(libc::EINVAL, what));
    }
    let none = || Error::new(libc::ENOMSG, format!("msgrcv: there is no message at position {position}"));
    let position = u64::try_from(position).map_err(|_| none())?;
    let shown = handle.queue.peek_into_uninit(position, buffer, Deadline::NOW);
    let Received { length, mtype, .. } = shown.map_err(|error| match error.errno() {
        // As the kernel: a copy isn't cut.
        libc::E2BIG if flags & libc::MSG_NOERROR != 0 => Error::new(libc::EINVAL, error.message().to_owned()),
        _ => as_system_v(error, libc::ENOMSG),
    })?;
    Ok((length, mtype))
}

/// `IPC_STAT`.
///
/// # Errors
/// `EINVAL`, `EACCES` as msgctl(2).
pub fn stat(id: i32) -> Result<Status> {
    with(id, |handle| {
        handle.permits(id, READ)?;
        handle.status()
    })
}

/// `MSG_STAT`: what [`stat`] tells of the queue at an index of [`identifiers`]. `MSG_STAT_ANY`: whoever may read it, if `any`.
///
/// # Errors
/// `EINVAL` for an index at which there is none; `EACCES`.
pub fn stat_at(index: i32, any: bool) -> Result<Status> {
    let id = identifier_at(NOUN, index)?;
    if any { with(id, Handle::status) } else { stat(id) }
}

/// What [`stat`] tells of all queues, in the order of their identifiers, whoever may read them. What this process can't open, or is gone
/// by now, isn't there.
///
/// # Errors
/// As [`list`](crate::list()).
pub fn list() -> Result<Vec<Status>> {
    // Not by those that stay open: there may be more than a process may have open.
    let told = |id| Handle::open(id).and_then(|handle| handle.status()).ok();
    Ok(identifiers()?.into_iter().filter_map(told).collect())
}

/// The identifiers of all queues, in their order.
///
/// # Errors
/// As [`list`](crate::list).
pub fn identifiers() -> Result<Vec<i32>> {
    super::identifiers(NOUN)
}

impl Handle {
    fn status(&self) -> Result<Status> {
        let (sender, sent) = self.block.first.get();
        let (receiver, received) = self.block.second.get();
        let held = self.queue.stat()?;
        let (limit, _) = self.queue.limits();
        Ok(Status {
            permissions: permissions(&self.block),
            sent,
            received,
            changed: self.block.changed.get(),
            bytes: held.bytes,
            messages: held.messages,
            limit,
            sender,
            receiver,
        })
    }
}

/// `IPC_SET`: owner, mode, and the most bytes that the queue holds.
///
/// # Errors
/// `EPERM`, `EINVAL` as msgctl(2); `EINVAL` too for more than the queue was made for: the greater of 1 MiB and `MSGMNB`.
pub fn set(id: i32, change: &Change, limit: u64) -> Result<()> {
    let done = with(id, |Handle { queue, .. }| {
        let found = find(NOUN, id)?;
        if found.permissions().may_be_changed() && limit > queue.capacity() {
            let most = queue.capacity();
            let what = format!("message queue {id}: {limit} bytes: it was made for {most}; see MADANG_MSGMNB");
            return Err(Error::new(libc::EINVAL, what));
        }
        super::change(NOUN, &found, id, change)?;
        queue.set_limits(limit, limit).map_err(|error| as_system_v(error, libc::EAGAIN))
    });
    if_hidden_not_yours(NOUN, id, done)
}

/// `IPC_RMID`: who waits gets `EIDRM`.
///
/// # Errors
/// `EPERM`, `EINVAL` as msgctl(2).
pub fn remove(id: i32) -> Result<()> {
    let done = with(id, |Handle { queue, block, .. }| super::remove(NOUN, block, id, || queue.wake_all()));
    if_hidden_not_yours(NOUN, id, done)?;
    HANDLES.forget(id);
    Ok(())
}
