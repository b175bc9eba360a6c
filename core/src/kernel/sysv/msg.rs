//! System V message queues: `msgget`, `msgsnd`, `msgrcv`, `msgctl`.
//!
//! The kernel wants a message's type and bytes in one piece, and gives them so. They are put together on the stack up to
//! 8 KiB, the longest that a system takes by default; so a call costs what the bare one costs, and one copy.
//!
//! **Waiting.** What waits for ever is one bare call. The kernel has no time-out; with a deadline it is tried again and again, at
//! first every 50 µs, then ever more rarely up to every 5 ms. So a message may be seen 5 ms late, and who waits with a deadline
//! doesn't stand in line with who waits without. Where that matters, wait for ever, or use a [`madang::Queue`](crate::Queue).

#![forbid(unsafe_code)]
use std::ffi::c_long;
use std::mem::MaybeUninit;

use super::{Change, Key, Kind, Opening, Permissions};
use crate::error::{Error, Result};
use crate::kernel::wait;
use crate::sys::sysv::{self as sys, Room, SMALL};
use crate::sys::{Errno, sysv::Message as Packed};
use crate::{Create, Deadline, Select};

/// Flags of msgrcv(2), which libc doesn't have everywhere.
const MSG_NOERROR: i32 = 0o10000;
const MSG_EXCEPT: i32 = 0o20000;
const MSG_COPY: i32 = 0o40000;

/// How a queue is opened; made by [`Queue::options`].
#[derive(Clone, Debug, Default)]
pub struct QueueOptions(Opening);

impl QueueOptions {
    /// Whether it may be created; by default if it is missing.
    #[must_use]
    pub fn create(mut self, create: Create) -> Self {
        self.0.create = create;
        self
    }

    /// The permission bits of a new queue, exactly (no umask); by default, and for 0, `0o600`.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.0.mode = mode;
        self
    }

    /// Opens the queue of this key, or creates it (msgget(2)). Doesn't wait.
    ///
    /// # Errors
    /// `ENOENT`, `EEXIST` as [`create`](Self::create) says; `EINVAL` for a bad mode, or [`Key::PRIVATE`] with
    /// [`Create::Never`]; `ENOSPC` if there are as many queues as the system allows; `ENOMEM`, `ENOSYS`.
    pub fn open(&self, key: Key) -> Result<Queue> {
        let opening = Opening { kind: Kind::Queue, ..self.0 };
        let (id, is_new) =
            opening.open(key, || sys::msg_get(key.number(), 0), |flags| sys::msg_get(key.number(), flags), |_| None)?;
        Ok(Queue { id, is_new })
    }
}

/// A message that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its type, greater than 0 (`mtype`).
    pub mtype: i64,
    /// Its bytes.
    pub data: Vec<u8>,
}

/// What is said of a message that was received into a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Received {
    /// Its type, greater than 0 (`mtype`).
    pub mtype: i64,
    /// How many bytes of the buffer it filled.
    pub length: usize,
}

/// What [`Queue::stat`] tells: `struct msqid_ds` (msgctl(2)). Times are in seconds since 1970, 0 is never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The queue's identifier.
    pub id: i32,
    /// To whom it belongs, and who may do what.
    pub permissions: Permissions,
    /// How many messages it holds.
    pub messages: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// The most bytes that it holds (`msg_qbytes`).
    pub capacity: u64,
    /// The process that sent last; 0 is none, or one of another pid namespace.
    pub last_sender: i32,
    /// The process that received last; 0 is none, or one of another pid namespace.
    pub last_receiver: i32,
    /// When the last message was sent.
    pub sent_at: i64,
    /// When the last message was received.
    pub received_at: i64,
    /// When it was created, or its permissions or capacity were changed last.
    pub changed_at: i64,
}

impl Status {
    fn new(id: i32, stat: &libc::msqid_ds) -> Self {
        Self {
            id,
            permissions: stat.msg_perm.into(),
            messages: stat.msg_qnum as u64,
            bytes: stat.__msg_cbytes as u64,
            capacity: stat.msg_qbytes as u64,
            last_sender: stat.msg_lspid,
            last_receiver: stat.msg_lrpid,
            sent_at: stat.msg_stime as i64,
            received_at: stat.msg_rtime as i64,
            changed_at: stat.msg_ctime as i64,
        }
    }
}

/// What the system allows, and how much of it is used: [`limits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The most queues (`kernel.msgmni`).
    pub max_queues: u64,
    /// The longest message, in bytes (`kernel.msgmax`).
    pub max_message: u64,
    /// A new queue's capacity in bytes, and the most without privilege (`kernel.msgmnb`).
    pub capacity: u64,
    /// How many queues there are.
    pub queues: u64,
    /// How many messages they hold.
    pub messages: u64,
    /// How many bytes those have.
    pub bytes: u64,
}

/// What the system allows, and how much of it is used, in this IPC namespace (`IPC_INFO`, `MSG_INFO` of msgctl(2)).
///
/// # Errors
/// `ENOSYS`.
pub fn limits() -> Result<Limits> {
    let told = |errno| super::no_limits(errno, "limits of message queues");
    let (limits, (_, used)) = (sys::msg_limits().map_err(told)?, sys::msg_info().map_err(told)?);
    let count = |number: i32| u64::try_from(number).unwrap_or(0);
    Ok(Limits {
        max_queues: count(limits.msgmni),
        max_message: count(limits.msgmax),
        capacity: count(limits.msgmnb),
        queues: count(used.msgpool),
        messages: count(used.msgmap),
        bytes: count(used.msgtql),
    })
}

/// All queues of this IPC namespace, as ipcs(1) shows them; before Linux 4.17 only those that the caller may read. A snapshot.
///
/// # Errors
/// `ENOSYS`.
pub fn list() -> Result<Vec<Status>> {
    let (highest, _) = sys::msg_info().map_err(|errno| super::no_limits(errno, "list message queues"))?;
    Ok(super::table(highest, |index, whose| sys::msg_stat_index(index, whose).map(|(id, stat)| Status::new(id, &stat))))
}

/// A System V message queue.
///
/// Any number of processes send and receive; a message is a type above 0 and bytes, and receivers [choose](Select) by type. It
/// is the kernel's: it lives until it is [removed](Self::remove). To drop this does nothing.
///
/// ```
/// use madang::sysv::{Key, msg::Queue};
/// use madang::{Deadline, Select};
/// use std::time::Duration;
///
/// let queue = Queue::open(Key::PRIVATE)?;
/// queue.send(2, b"a letter")?;
/// queue.send(1, b"urgent")?;
/// assert_eq!(queue.recv(Select::UpTo(2))?.data, b"urgent");
/// let soon = Deadline::after(Duration::from_secs(1));
/// assert_eq!(queue.recv_until(Select::Any, soon)?.mtype, 2);
/// assert_eq!(queue.try_recv(Select::Any).unwrap_err().errno(), libc::EAGAIN);
/// queue.remove()?;
/// # Ok::<(), madang::Error>(())
/// ```
#[doc(alias("msgget", "msgsnd", "msgrcv", "msgctl"))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    id: i32,
    is_new: bool,
}

impl Queue {
    /// All defaults; change what you need, then [`open`](QueueOptions::open).
    #[must_use]
    pub fn options() -> QueueOptions {
        QueueOptions::default()
    }

    /// Opens the queue of this key, or creates it, with all defaults. With [`Key::PRIVATE`] it is always a new one.
    ///
    /// # Errors
    /// As [`QueueOptions::open`].
    pub fn open(key: Key) -> Result<Self> {
        Self::options().open(key)
    }

    /// The queue of this identifier.
    ///
    /// # Errors
    /// `EINVAL` if there is none; `ENOSYS`.
    pub fn from_id(id: i32) -> Result<Self> {
        match sys::msg_stat(id) {
            // One may send to what one may not look at.
            Ok(_) | Err(Errno(libc::EACCES)) => Ok(Self { id, is_new: false }),
            Err(Errno(libc::EINVAL | libc::EIDRM)) => Err(super::no_such(Kind::Queue, id)),
            Err(errno) => Err(failed(id, "open", errno, |_| None)),
        }
    }

    /// Removes the queue of this key, as [`remove`](Self::remove) does.
    ///
    /// # Errors
    /// `ENOENT` if there is none; `EPERM`.
    pub fn unlink(key: Key) -> Result<()> {
        Self::options().create(Create::Never).open(key)?.remove()
    }

    /// Removes the queue of this identifier, as [`remove`](Self::remove) does.
    ///
    /// # Errors
    /// `EINVAL` if there is none; `EPERM`.
    #[doc(alias = "ipcrm")]
    pub fn remove_id(id: i32) -> Result<()> {
        Self::from_id(id)?.remove()
    }

    /// The identifier: who knows it may use the queue too.
    #[must_use]
    pub fn id(&self) -> i32 {
        self.id
    }

    /// Whether this very open created it.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Sends a message of a type above 0. Waits for ever while the queue is full, in one bare `msgsnd`: a message that is
    /// longer than the queue's whole capacity never goes.
    ///
    /// # Errors
    /// `EINTR`; `EMSGSIZE` for one longer than `kernel.msgmax`, by default 8192 bytes; `EINVAL` for a bad type; `EIDRM` if the
    /// queue is removed, also while this waits; `EACCES` where its mode doesn't let this user write; `ENOMEM`.
    pub fn send(&self, mtype: i64, data: &[u8]) -> Result<()> {
        self.send_until(mtype, data, Deadline::NEVER)
    }

    /// Sends a message if there is room.
    ///
    /// # Errors
    /// `EAGAIN` if there is none, else as [`send`](Self::send); `EMSGSIZE` also for what this queue could never hold.
    pub fn try_send(&self, mtype: i64, data: &[u8]) -> Result<()> {
        self.send_until(mtype, data, Deadline::NOW)
    }

    /// Sends a message; waits while the queue is full, until then (see [the module](self) for how).
    ///
    /// # Errors
    /// `ETIMEDOUT`, else as [`try_send`](Self::try_send).
    #[inline]
    pub fn send_until(&self, mtype: i64, data: &[u8], deadline: Deadline) -> Result<()> {
        let native = match c_long::try_from(mtype) {
            Ok(native @ 1..) => native,
            _ => return Err(self.failed("send to", Errno(libc::EINVAL), |errno| Some((errno, bad_type(mtype))))),
        };
        sys::with_message(native, data, |message| self.send_packed(message, deadline))
            .map_err(|errno| self.not_sent(mtype, data.len(), errno, deadline))
    }

    #[inline]
    fn send_packed(&self, message: &Packed, deadline: Deadline) -> std::result::Result<(), Errno> {
        match deadline {
            Deadline::NEVER => message.send(self.id, 0),
            _ => poll(deadline, libc::EAGAIN, || message.send(self.id, libc::IPC_NOWAIT)),
        }
    }

    #[cold]
    fn not_sent(&self, mtype: i64, length: usize, errno: Errno, deadline: Deadline) -> Error {
        let waited = |errno| {
            // It might be one that can never fit: the kernel would let it wait for ever.
            let capacity = sys::msg_stat(self.id).map_or(u64::MAX, |stat| Status::new(self.id, &stat).capacity);
            match errno {
                _ if length as u64 > capacity => {
                    (libc::EMSGSIZE, format!("a message of {length} bytes, where all may have {capacity} together"))
                }
                libc::EAGAIN => (errno, "it is full".to_owned()),
                _ => (errno, format!("it stayed full, and {}", in_time(deadline))),
            }
        };
        self.failed("send to", errno, |errno| match errno {
            libc::EAGAIN | libc::ETIMEDOUT => Some(waited(errno)),
            libc::EINVAL if mtype < 1 => Some((errno, bad_type(mtype))),
            libc::EINVAL => Some((
                libc::EMSGSIZE,
                format!("a message of {length} bytes is longer than the system's kernel.msgmax (sysctl), or this kernel, takes"),
            )),
            _ => None,
        })
    }

    /// Receives a message; waits for ever while there is none, in one bare `msgrcv` (two for a message of more than 8 KiB).
    ///
    /// # Errors
    /// `EINTR`; `EINVAL` for a selected type below 1; `EIDRM` if the queue is removed, also while this waits; `EACCES` where
    /// its mode doesn't let this user read. Then nothing was received.
    pub fn recv(&self, select: Select) -> Result<Message> {
        self.recv_until(select, Deadline::NEVER)
    }

    /// Receives a message if there is one.
    ///
    /// # Errors
    /// `EAGAIN` if there is none, else as [`recv`](Self::recv).
    pub fn try_recv(&self, select: Select) -> Result<Message> {
        self.recv_until(select, Deadline::NOW)
    }

    /// Receives a message; waits while there is none, until then (see [the module](self) for how).
    ///
    /// # Errors
    /// `ETIMEDOUT`, else as [`try_recv`](Self::try_recv).
    pub fn recv_until(&self, select: Select, deadline: Deadline) -> Result<Message> {
        let mut capacity = SMALL;
        loop {
            let made = |mtype, data: &[u8]| Message { mtype, data: data.to_vec() };
            match self.take(select, capacity, 0, deadline, made) {
                // How long it is the kernel doesn't say.
                Err(error) if error.errno() == libc::E2BIG && capacity < LONGEST => {
                    capacity = capacity.saturating_mul(4);
                }
                outcome => return outcome,
            }
        }
    }

    /// As [`recv_until`](Self::recv_until), into a buffer.
    ///
    /// # Errors
    /// `E2BIG` if the message is longer: it stays. How long it is the kernel doesn't tell, so [`Error::length`] is 0.
    /// Else as there.
    pub fn recv_into(&self, select: Select, buffer: &mut [u8], deadline: Deadline) -> Result<Received> {
        self.recv_to(select, buffer.len(), 0, deadline, |data| buffer[..data.len()].copy_from_slice(data))
    }

    /// As [`recv_into`](Self::recv_into), into memory that need not be initialised; as much of it is as [`Received::length`]
    /// says.
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn recv_into_uninit(
        &self,
        select: Select,
        buffer: &mut [MaybeUninit<u8>],
        deadline: Deadline,
    ) -> Result<Received> {
        self.recv_to(select, buffer.len(), 0, deadline, |data| fill(buffer, data))
    }

    /// As [`recv_into_uninit`](Self::recv_into_uninit), but of a message that is longer than the buffer the rest is lost
    /// (`MSG_NOERROR`). Whether that was so the kernel doesn't tell.
    ///
    /// # Errors
    /// As there, without `E2BIG`.
    #[doc(alias = "MSG_NOERROR")]
    pub fn recv_cut(&self, select: Select, buffer: &mut [MaybeUninit<u8>], deadline: Deadline) -> Result<Received> {
        self.recv_to(select, buffer.len(), MSG_NOERROR, deadline, |data| fill(buffer, data))
    }

    /// A copy of the message at this position, 0 being the first, which stays (`MSG_COPY`).
    ///
    /// # Errors
    /// `EAGAIN` if there are not so many; `ENOSYS` if the kernel wasn't built for it (`CONFIG_CHECKPOINT_RESTORE`); else as
    /// [`try_recv`](Self::try_recv).
    #[doc(alias = "MSG_COPY")]
    pub fn peek(&self, position: u64) -> Result<Message> {
        let mut capacity = SMALL;
        loop {
            match self.look(position, capacity, |mtype, data| Message { mtype, data: data.to_vec() }) {
                Err(error) if error.errno() == libc::E2BIG && capacity < LONGEST => {
                    capacity = capacity.saturating_mul(4);
                }
                outcome => return outcome,
            }
        }
    }

    /// As [`peek`](Self::peek), into a buffer.
    ///
    /// # Errors
    /// `E2BIG` if the message is longer; else as there.
    pub fn peek_into(&self, position: u64, buffer: &mut [u8]) -> Result<Received> {
        self.look(position, buffer.len(), |mtype, data| {
            buffer[..data.len()].copy_from_slice(data);
            Received { mtype, length: data.len() }
        })
    }

    /// As [`peek_into`](Self::peek_into), into memory that need not be initialised; as much of it is as [`Received::length`]
    /// says.
    ///
    /// # Errors
    /// As there.
    pub fn peek_into_uninit(&self, position: u64, buffer: &mut [MaybeUninit<u8>]) -> Result<Received> {
        self.look(position, buffer.len(), |mtype, data| {
            fill(buffer, data);
            Received { mtype, length: data.len() }
        })
    }

    fn look<T>(&self, position: u64, capacity: usize, got: impl FnOnce(i64, &[u8]) -> T) -> Result<T> {
        let none = Errno(libc::ENOMSG);
        let outcome = sys::with_room(capacity, |room| {
            room.recv(self.id, c_long::try_from(position).map_err(|_| none)?, MSG_COPY | libc::IPC_NOWAIT)?;
            room.message().map(|(mtype, data)| got(mtype, data)).ok_or(none)
        });
        outcome.map_err(|errno| {
            let unknown = "this kernel can't copy messages: it wasn't built with CONFIG_CHECKPOINT_RESTORE";
            self.failed("peek into", errno, |errno| match errno {
                libc::ENOMSG => Some((libc::EAGAIN, format!("there is no message at position {position}"))),
                libc::E2BIG => Some((errno, too_small(capacity))),
                libc::ENOSYS => Some((errno, unknown.to_owned())),
                _ => None,
            })
        })
    }

    #[inline]
    fn recv_to(
        &self,
        select: Select,
        capacity: usize,
        flags: i32,
        deadline: Deadline,
        mut copy: impl FnMut(&[u8]),
    ) -> Result<Received> {
        let mut got = |mtype, data: &[u8]| {
            copy(data);
            Received { mtype, length: data.len() }
        };
        if capacity > SMALL {
            // Most are small, and need no memory then.
            match self.take(select, SMALL, 0, deadline, &mut got) {
                Err(error) if error.errno() == libc::E2BIG => {}
                outcome => return outcome,
            }
        }
        self.take(select, capacity, flags, deadline, got)
    }

    #[inline]
    fn take<T>(
        &self,
        select: Select,
        capacity: usize,
        flags: i32,
        deadline: Deadline,
        got: impl FnOnce(i64, &[u8]) -> T,
    ) -> Result<T> {
        let failed = |errno| self.not_received(select, capacity, errno, deadline);
        let (msgtyp, except) = msgtyp(select).map_err(failed)?;
        let outcome = sys::with_room(capacity, |room| {
            self.recv_packed(room, msgtyp, flags | except, deadline)?;
            room.message().map(|(mtype, data)| got(mtype, data)).ok_or(Errno(libc::EIO))
        });
        outcome.map_err(failed)
    }

    #[inline]
    fn recv_packed(
        &self,
        room: &mut Room,
        msgtyp: c_long,
        flags: i32,
        deadline: Deadline,
    ) -> std::result::Result<(), Errno> {
        match deadline {
            Deadline::NEVER => room.recv(self.id, msgtyp, flags),
            _ => poll(deadline, libc::ENOMSG, || room.recv(self.id, msgtyp, flags | libc::IPC_NOWAIT)),
        }
    }

    #[cold]
    fn not_received(&self, select: Select, capacity: usize, errno: Errno, deadline: Deadline) -> Error {
        self.failed("receive from", errno, |errno| match (errno, select) {
            (libc::EAGAIN, Select::Any) => Some((errno, "it is empty".to_owned())),
            (libc::EAGAIN, _) => Some((errno, format!("it has no message of {}", wanted(select)))),
            (libc::ETIMEDOUT, _) => {
                Some((errno, format!("no message of {} came, and {}", wanted(select), in_time(deadline))))
            }
            (libc::E2BIG, _) => Some((errno, too_small(capacity))),
            (libc::EINVAL, _) => Some((errno, format!("{}: a message's type is greater than 0", wanted(select)))),
            _ => None,
        })
    }

    /// What there is to tell of it (`IPC_STAT`).
    ///
    /// # Errors
    /// `EACCES` where its mode doesn't let this user read; `EIDRM`.
    pub fn stat(&self) -> Result<Status> {
        let stat = sys::msg_stat(self.id).map_err(|errno| self.failed("stat", errno, |_| None))?;
        Ok(Status::new(self.id, &stat))
    }

    /// Changes owner, group or permission bits (`IPC_SET`). What it leaves is what was found just before: of two who change at
    /// once, the later wins.
    ///
    /// # Errors
    /// `EPERM` for who is neither owner nor creator nor root; `EINVAL` for a bad mode; `EACCES` where its mode doesn't let this
    /// user read what is to stay; `EIDRM`.
    pub fn change(&self, change: Change) -> Result<()> {
        let mut stat = sys::msg_stat(self.id).map_err(|errno| self.failed("change", errno, |_| None))?;
        change.apply(&mut stat.msg_perm)?;
        sys::msg_set(self.id, stat).map_err(|errno| self.failed("change", errno, |_| None))
    }

    /// Sets the most bytes that it holds (`msg_qbytes`). What it holds already stays.
    ///
    /// # Errors
    /// `EPERM` above the system's `kernel.msgmnb`, by default 16384, without `CAP_SYS_RESOURCE`; else as
    /// [`change`](Self::change).
    pub fn set_capacity(&self, bytes: u64) -> Result<()> {
        let mut stat = sys::msg_stat(self.id).map_err(|errno| self.failed("change", errno, |_| None))?;
        let too_many = || Error::new(libc::EINVAL, format!("a capacity of {bytes} bytes: no queue holds so many"));
        stat.msg_qbytes = bytes.try_into().map_err(|_| too_many())?;
        sys::msg_set(self.id, stat).map_err(|errno| {
            let limit = limits().map_or(0, |limits| limits.capacity);
            self.failed("change", errno, |errno| match errno {
                libc::EPERM if bytes > limit => Some((
                    errno,
                    format!(
                        "more than {limit} bytes need CAP_SYS_RESOURCE: ask for less, or raise kernel.msgmnb (sysctl)"
                    ),
                )),
                _ => None,
            })
        })
    }

    /// Removes it, with all messages that it holds; who waits gets `EIDRM`. The key is free at once.
    ///
    /// # Errors
    /// `EPERM` for who is neither owner nor creator nor root; `EIDRM` if it was removed before.
    pub fn remove(&self) -> Result<()> {
        sys::msg_remove(self.id).map_err(|errno| self.failed("remove", errno, |_| None))
    }

    #[cold]
    fn failed(&self, verb: &str, errno: Errno, more: impl FnOnce(i32) -> Option<(i32, String)>) -> Error {
        failed(self.id, verb, errno, more)
    }
}

/// Longer than any message: the kernel counts in an `int`.
const LONGEST: usize = i32::MAX as usize;

fn failed(id: i32, verb: &str, errno: Errno, more: impl FnOnce(i32) -> Option<(i32, String)>) -> Error {
    super::failed((Kind::Queue, id), verb, errno, || super::is_there(sys::msg_stat(id)), more)
}

/// Tries until the deadline; `again` is what is not an error but a reason to try again, and becomes `EAGAIN` or `ETIMEDOUT`.
#[inline]
fn poll(
    deadline: Deadline,
    again: i32,
    mut attempt: impl FnMut() -> std::result::Result<(), Errno>,
) -> std::result::Result<(), Errno> {
    match attempt() {
        Err(Errno(errno)) if errno == again && deadline.is_try() => Err(Errno(libc::EAGAIN)),
        Err(Errno(errno)) if errno == again => {
            wait::polling(deadline, again, String::new, attempt).map_err(|error| Errno(error.errno()))
        }
        outcome => outcome,
    }
}

fn fill(buffer: &mut [MaybeUninit<u8>], data: &[u8]) {
    buffer.iter_mut().zip(data).for_each(|(to, &from)| {
        to.write(from);
    });
}

/// msgrcv's msgtyp, and a flag.
#[inline]
fn msgtyp(select: Select) -> std::result::Result<(c_long, i32), Errno> {
    let (mtype, flag) = match select {
        Select::Any => return Ok((0, 0)),
        Select::Type(mtype) | Select::UpTo(mtype) => (mtype, 0),
        Select::Except(mtype) => (mtype, MSG_EXCEPT),
    };
    match c_long::try_from(mtype) {
        Ok(native @ 1..) => Ok((if matches!(select, Select::UpTo(_)) { -native } else { native }, flag)),
        _ => Err(Errno(libc::EINVAL)),
    }
}

fn wanted(select: Select) -> String {
    match select {
        Select::Any => "any type".to_owned(),
        Select::Type(mtype) => format!("type {mtype}"),
        Select::UpTo(mtype) => format!("a type up to {mtype}"),
        Select::Except(mtype) => format!("a type other than {mtype}"),
    }
}

fn bad_type(mtype: i64) -> String {
    format!("type {mtype}: a message's type is greater than 0")
}

fn too_small(capacity: usize) -> String {
    format!("the message is longer than the buffer's {capacity} bytes, and stays: receive again with a larger one")
}

fn in_time(deadline: Deadline) -> &'static str {
    if deadline.is_try() { "it was only to try" } else { "the time is over" }
}
