//! `madang.kernel.sysv.msg`.

use std::mem::MaybeUninit;

use madang::{Deadline, Select};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use super::{AnyKey, change};
use crate::buffer::{self, Readable, Writable};
use crate::error::Result;
use crate::options;
use crate::shared::queue::select::Which;
use crate::shared::repr;
use crate::timeout::{self, Timeout};

/// A System V message queue: any number of processes send and receive; a message is a type above 0 and
/// bytes, and receivers choose by type.
///
///     with_key = madang.sysv.msg.Queue(0x6d61)
///     with_key.send(b"two teas", type=3)
///     data, type = with_key.recv(timeout=1.0)
///
/// The constructor opens the queue of a key, or creates it. It doesn't wait, and asks for no permission:
/// using does.
///
/// key: a number, perhaps from madang.sysv.ftok(). 0 or None always makes a new one, which others find
///     by its id only.
/// mode: the permission bits of a new queue, exactly (no umask); 0 is 0o600 too.
/// create: "if-missing"; "never" only opens what exists; "only" only opens what it creates.
///
/// The queue is the kernel's: it lives until it is removed, or the machine stops. This object is its
/// identifier, and holds nothing else: there is nothing to close. It may be used in a forked child, and
/// pickled.
///
/// What fails raises OSError with an errno, and the subclass that Python has for it. Here:
/// FileNotFoundError (ENOENT) and FileExistsError (EEXIST), as `create` says; OSError with EINVAL for a
/// bad mode, or create="never" without a key; ENOSPC where the system's limit (kernel.msgmni) is reached;
/// ENOMEM; ENOSYS where the kernel has no System V IPC. After the queue was removed: OSError with EIDRM.
/// ValueError for a key that 32 bits don't hold.
#[pyclass(frozen, module = "madang.kernel.sysv.msg")]
pub(crate) struct Queue(madang::sysv::msg::Queue);

impl Queue {
    /// Tries with the GIL held, then waits without it.
    fn wait<T>(
        &self,
        py: Python,
        timeout: Option<Timeout>,
        mut attempt: impl FnMut(&madang::sysv::msg::Queue, Deadline) -> madang::Result<T> + Send,
    ) -> Result<T>
    where
        T: Send,
    {
        match attempt(&self.0, Deadline::INSTANT) {
            Err(error) if timeout::may_wait(&error, timeout) => {}
            outcome => return Ok(outcome?),
        }
        let mut attempt = |deadline| py.detach(|| Ok(attempt(&self.0, deadline)?));
        match timeout {
            // In slices it would have to look again and again; so it is one call, as everywhere.
            None => timeout::wait_whole(py, || attempt(Deadline::NEVER)),
            Some(_) => timeout::wait(py, timeout::deadline(timeout), attempt),
        }
    }
}

#[pymethods]
impl Queue {
    #[new]
    #[pyo3(signature = (key, *, mode=0o600, create="if-missing"))]
    fn new(key: AnyKey, #[pyo3(from_py_with = options::mode)] mode: u32, create: &str) -> Result<Self> {
        let options = madang::sysv::msg::Queue::options().mode(mode).create(options::create(create)?);
        Ok(Self(options.open(key.into())?))
    }

    /// Sends a message; waits while the queue is full.
    ///
    /// data: its bytes: bytes, bytearray, memoryview, a NumPy array, or what else has contiguous memory.
    /// type: greater than 0.
    /// timeout: in seconds. None waits for ever; 0 doesn't wait.
    ///
    /// The kernel has no time-out: with one it is tried again and again, at first every 50 µs, in the end
    /// every 5 ms. Other threads go on while it waits. Signal handlers run, and then it goes on; but without a
    /// timeout one whose signal came in the moment before it slept, or to another thread, runs at its end.
    ///
    /// BlockingIOError (EAGAIN): the queue is full, and the timeout is 0. TimeoutError: it stayed full.
    /// PermissionError (EACCES): its mode doesn't let this user write. OSError with EMSGSIZE for a message
    /// longer than kernel.msgmax (by default 8192 bytes) or, with a timeout, than the capacity (to wait for
    /// ever for that never ends); EINVAL for a type below 1; EIDRM if the queue is removed, also while this
    /// waits; ENOMEM. ValueError for a timeout that isn't 0 or more; TypeError and BufferError for data.
    #[pyo3(signature = (data, r#type=1, timeout=None))]
    fn send(&self, py: Python, data: Readable, r#type: i64, timeout: Option<Timeout>) -> Result<()> {
        let data = data.as_slice();
        self.wait(py, timeout, |queue, deadline| queue.send_until(r#type, data, deadline))
    }

    /// Receives a message; waits while there is none. Returns its bytes and its type.
    ///
    /// type: which message. 0: the first. t greater than 0: the first of that type. -t: of the lowest type
    ///     there is, if it is not above t, the first. madang.Except(t): the first of any other type.
    /// timeout: in seconds. None waits for ever; 0 doesn't wait.
    ///
    /// With a timeout it looks again and again, as send() does: a message may be seen 5 ms late. Other
    /// threads go on while it waits. Signal handlers run, as in send().
    ///
    /// BlockingIOError (EAGAIN): there is no such message, and the timeout is 0. TimeoutError: none came.
    /// PermissionError (EACCES): its mode doesn't let this user read. OSError with EINVAL for an Except
    /// below 1; EIDRM if the queue is removed, also while this waits. ValueError for a timeout that isn't 0
    /// or more.
    #[pyo3(signature = (r#type=Which::ANY, timeout=None), text_signature = "($self, type=0, timeout=None)")]
    fn recv<'py>(&self, py: Python<'py>, r#type: Which, timeout: Option<Timeout>) -> Result<Message<'py>> {
        let select: Select = r#type.into();
        let message = self.wait(py, timeout, |queue, deadline| queue.recv_until(select, deadline))?;
        given(py, &message)
    }

    /// Receives as recv does, but into the caller's memory. Returns how many bytes it filled, and the type.
    ///
    /// buffer: bytearray, memoryview, a NumPy array, or what else has contiguous memory that may be
    ///     written. It is filled from its start.
    /// truncate: takes a message that is too long too, and what doesn't fit is lost; whether that was so
    ///     the kernel doesn't tell.
    ///
    /// Raises as recv does. OSError with E2BIG if the buffer is too small: the message stays (how long it is
    /// the kernel doesn't tell: the exception's `length` is 0). TypeError and BufferError for buffer.
    #[pyo3(
        signature = (buffer, r#type=Which::ANY, timeout=None, *, truncate=false),
        text_signature = "($self, buffer, type=0, timeout=None, *, truncate=False)"
    )]
    fn recv_into(
        &self,
        py: Python,
        mut buffer: Writable,
        r#type: Which,
        timeout: Option<Timeout>,
        truncate: bool,
    ) -> Result<(usize, i64)> {
        let select: Select = r#type.into();
        let room: &mut [MaybeUninit<u8>] = buffer.room();
        let received = self.wait(py, timeout, |queue, deadline| match truncate {
            false => queue.recv_into_uninit(select, room, deadline),
            true => queue.recv_cut(select, room, deadline),
        })?;
        Ok((received.length, received.mtype))
    }

    /// The message at a position, 0 being the first: its bytes and its type. It stays; never waits.
    ///
    /// BlockingIOError (EAGAIN) if there are not so many. OSError with ENOSYS if the kernel wasn't built for
    /// it (CONFIG_CHECKPOINT_RESTORE); else as recv.
    #[pyo3(signature = (position=0))]
    fn peek<'py>(&self, py: Python<'py>, position: u64) -> Result<Message<'py>> {
        given(py, &self.0.peek(position)?)
    }

    /// Sets the most bytes that it holds. What it holds already stays. Raises PermissionError (EPERM) beyond
    /// kernel.msgmnb without CAP_SYS_RESOURCE, and for who is neither owner nor creator nor root; OSError
    /// with EIDRM.
    fn set_capacity(&self, bytes: u64) -> Result<()> {
        Ok(self.0.set_capacity(bytes)?)
    }

    /// The message queue of an identifier, which any process that knows it may use. Raises OSError with EINVAL if
    /// there is none.
    #[staticmethod]
    fn from_id(id: i32) -> Result<Self> {
        Ok(Self(madang::sysv::msg::Queue::from_id(id)?))
    }

    /// Removes the message queue of a key, as remove() does. Raises FileNotFoundError if there is none;
    /// PermissionError.
    #[staticmethod]
    fn unlink(key: AnyKey) -> Result<()> {
        Ok(madang::sysv::msg::Queue::unlink(key.into())?)
    }

    /// Removes the message queue of an identifier, as remove() does. Raises OSError with EINVAL if there is none;
    /// PermissionError.
    #[staticmethod]
    fn remove_id(id: i32) -> Result<()> {
        Ok(madang::sysv::msg::Queue::remove_id(id)?)
    }

    /// The identifier, as ipcs(1) shows it.
    #[getter]
    fn id(&self) -> i32 {
        self.0.id()
    }

    /// Whether this very object created it.
    #[getter]
    fn is_new(&self) -> bool {
        self.0.is_new()
    }

    /// What there is to tell of it: owner, mode, counts, times. Raises PermissionError if its mode doesn't
    /// let this user read; OSError with EIDRM.
    fn stat(&self) -> Result<Status> {
        Ok(self.0.stat()?.into())
    }

    /// Changes owner, group or permission bits; what is None stays as it was found just before. Raises
    /// PermissionError for who is neither owner nor creator nor root; OSError with EINVAL for a mode above
    /// 0o777, EIDRM.
    #[pyo3(signature = (*, mode=None, uid=None, gid=None))]
    fn change(&self, mode: Option<u32>, uid: Option<u32>, gid: Option<u32>) -> Result<()> {
        Ok(self.0.change(change(mode, uid, gid))?)
    }

    /// Removes it: at once, with all messages that it holds; who waits gets EIDRM. The key is free. Raises
    /// PermissionError for who is neither owner nor creator nor root; OSError with EIDRM if it is gone.
    fn remove(&self) -> Result<()> {
        Ok(self.0.remove()?)
    }

    /// Pickled, it is its identifier: for processes of this machine, as long as it is there.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (i32,))> {
        Ok((slf.get_type().getattr("from_id")?, (slf.get().0.id(),)))
    }

    fn __repr__(&self) -> String {
        format!("<madang.sysv.msg.Queue {}>", self.0.id())
    }
}

type Message<'py> = Bound<'py, PyTuple>;

fn given<'py>(py: Python<'py>, message: &madang::sysv::msg::Message) -> Result<Message<'py>> {
    let bytes: Bound<'py, PyBytes> = buffer::bytes(py, &message.data)?;
    Ok(buffer::message(bytes, message.mtype)?)
}

/// What stat() and list() tell of a message queue; a snapshot. Times are in seconds since 1970, 0 is
/// never; a process of 0 is none, or one of another pid namespace. A value: compared and hashed.
#[pyclass(frozen, get_all, eq, hash, module = "madang.kernel.sysv.msg")]
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Status {
    /// The identifier.
    id: i32,
    /// The key; 0 if it has none.
    key: i32,
    /// The permission bits.
    mode: u32,
    /// The owner.
    uid: u32,
    /// The owner's group.
    gid: u32,
    /// Who made it, who has the owner's rights too.
    creator_uid: u32,
    /// The group of who made it.
    creator_gid: u32,
    /// How often its place in the kernel's table was given away before.
    sequence: u32,
    /// How many messages it holds.
    messages: u64,
    /// How many bytes they have.
    bytes: u64,
    /// The most bytes that it holds.
    capacity: u64,
    /// The process that sent last.
    last_sender: i32,
    /// The process that received last.
    last_receiver: i32,
    /// When the last message was sent.
    sent_at: i64,
    /// When the last message was received.
    received_at: i64,
    /// When it was created, or its permissions or capacity were changed last.
    changed_at: i64,
}

#[pymethods]
impl Status {
    fn __repr__(&self) -> String {
        repr(self)
    }
}

impl From<madang::sysv::msg::Status> for Status {
    fn from(status: madang::sysv::msg::Status) -> Self {
        let permissions = status.permissions;
        Self {
            id: status.id,
            key: permissions.key.number(),
            mode: permissions.mode,
            uid: permissions.uid,
            gid: permissions.gid,
            creator_uid: permissions.creator_uid,
            creator_gid: permissions.creator_gid,
            sequence: permissions.sequence,
            messages: status.messages,
            bytes: status.bytes,
            capacity: status.capacity,
            last_sender: status.last_sender,
            last_receiver: status.last_receiver,
            sent_at: status.sent_at,
            received_at: status.received_at,
            changed_at: status.changed_at,
        }
    }
}

/// What limits() tells. A value: compared and hashed.
#[pyclass(frozen, get_all, eq, hash, module = "madang.kernel.sysv.msg")]
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Limits {
    /// The most queues (kernel.msgmni).
    max_queues: u64,
    /// The longest message, in bytes (kernel.msgmax).
    max_message: u64,
    /// A new queue's capacity in bytes, and the most without privilege (kernel.msgmnb).
    capacity: u64,
    /// How many queues there are.
    queues: u64,
    /// How many messages they hold.
    messages: u64,
    /// How many bytes those have.
    bytes: u64,
}

#[pymethods]
impl Limits {
    fn __repr__(&self) -> String {
        repr(self)
    }
}

impl From<madang::sysv::msg::Limits> for Limits {
    fn from(limits: madang::sysv::msg::Limits) -> Self {
        Self {
            max_queues: limits.max_queues,
            max_message: limits.max_message,
            capacity: limits.capacity,
            queues: limits.queues,
            messages: limits.messages,
            bytes: limits.bytes,
        }
    }
}

/// All message queues of this IPC namespace, as ipcs(1) shows them; before Linux 4.17, those that this user
/// may read. A snapshot. Raises OSError with ENOSYS where the kernel has no System V IPC.
#[pyfunction]
pub(crate) fn list() -> Result<Vec<Status>> {
    Ok(madang::sysv::msg::list()?.into_iter().map(Status::from).collect())
}

/// What the system allows of message queues, and how much of it is used. Raises OSError with ENOSYS where the
/// kernel has no System V IPC.
#[pyfunction]
pub(crate) fn limits() -> Result<Limits> {
    Ok(madang::sysv::msg::limits()?.into())
}
