//! `madang.kernel.posix.mq`.

use std::os::fd::{AsFd, AsRawFd};

use madang::posix::mq::{self, Access, Notify};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::Listed;
use crate::buffer::{self, NewBytes, Readable, Writable};
use crate::descriptor;
use crate::error::Result;
use crate::kernel::held::Held;
use crate::options::{self, Count, Size};
use crate::timeout::Timeout;

/// What is copied with the GIL held: some microseconds.
const LITTLE: usize = 64 << 10;

/// A message queue of the kernel's (mq_overview(7)): the same as mq_open("/NAME") gives in C.
///
/// A message is some bytes with a priority. The one with the greatest is received first; of several, the
/// one sent first. Any number of processes send and receive; each message is received once.
///
/// The constructor opens the queue, or creates it. It doesn't wait.
///
/// name: 1 to 255 bytes of UTF-8, without "/": what is "/orders" in C is "orders" here.
/// create: "if-missing"; "never" only opens what exists; "only" only opens what it creates.
/// mode: the permission bits of a new queue, exactly (no umask; for a moment it may have less); 0 is
///     0o600 too.
/// max_messages: how many messages a new queue holds; of an existing one the least that will do. None is
///     what /proc/sys/fs/mqueue/msg_default says, mostly 10; up to msg_max there, root up to 65,536.
/// max_message_size: how many bytes a message in a new queue may have, as a number or as text such as
///     "8K"; of an existing one the least that will do. None is what msgsize_default there says, mostly
///     8,192; up to msgsize_max, root up to 16 MiB.
/// access: "both"; "receive" or "send" needs no permission for the other.
///
/// It persists until Queue.unlink(name). Any thread may use a handle; a forked child may use the one that
/// it inherited. It is closed by close(), at the end of a `with` block, and when it is forgotten; what is
/// used after that raises OSError with EBADF. Closing it takes back what this process registered with the
/// queue (see notify), by whatever handle.
///
/// Raises FileNotFoundError and FileExistsError, as `create` says; PermissionError (EACCES: its mode);
/// OSError with EINVAL for a bad name or mode, limits above the machine's, or where an existing queue is
/// smaller than asked for; EMFILE above RLIMIT_MSGQUEUE, which is for all queues of a user, or for too many
/// descriptors; ENOSPC for too many queues; ENAMETOOLONG, ENFILE, ENOMEM.
#[pyclass(frozen, module = "madang.kernel.posix.mq")]
pub(crate) struct Queue {
    held: Held<mq::Queue>,
    name: String,
    is_new: bool,
    max_messages: u64,
    max_message_size: usize,
}

fn access(access: &str) -> PyResult<Access> {
    match access {
        "both" => Ok(Access::Both),
        "receive" => Ok(Access::Receive),
        "send" => Ok(Access::Send),
        _ => Err(PyValueError::new_err(format!("access={access:?}: it is \"both\", \"receive\" or \"send\""))),
    }
}

impl Queue {
    fn open(queue: mq::Queue) -> Self {
        Self {
            name: queue.name().to_owned(),
            is_new: queue.is_new(),
            max_messages: queue.max_messages(),
            max_message_size: queue.max_message_size(),
            held: Held::new("posix queue", queue),
        }
    }
}

#[pymethods]
impl Queue {
    #[new]
    #[pyo3(signature = (name, *, create="if-missing", mode=0o600, max_messages=None, max_message_size=None, access="both"))]
    fn new(
        name: &str,
        create: &str,
        #[pyo3(from_py_with = options::mode)] mode: u32,
        max_messages: Option<Count>,
        max_message_size: Option<Size>,
        access: &str,
    ) -> Result<Self> {
        let queue = mq::Queue::options()
            .create(options::create(create)?)
            .mode(mode)
            .max_messages(max_messages.map_or(0, u64::from))
            .max_message_size(max_message_size.map_or(0, u64::from))
            .access(self::access(access)?)
            .open(name)?;
        Ok(Self::open(queue))
    }

    /// Takes over a descriptor of a queue that was inherited or received. From then on it doesn't block, for all
    /// who share it.
    ///
    /// It belongs to the Queue then, and its number may be another file's.
    ///
    /// Raises OSError with EBADF if it is not one of a message queue, or not open; EMFILE. Then it stays the
    /// caller's.
    #[staticmethod]
    fn from_fd(fd: i32) -> Result<Self> {
        Ok(Self::open(descriptor::take_over(fd, mq::Queue::try_from)?))
    }

    /// Waits until there is room, and sends the data (bytes, a bytearray, an array, …).
    ///
    /// priority: 0 to MAX_PRIORITY, 32,767.
    /// timeout: in seconds, by the monotonic clock; None waits for ever, 0 doesn't wait.
    ///
    /// Raises TimeoutError; BlockingIOError if it is full and timeout is 0; OSError with EMSGSIZE if the data is
    /// longer than max_message_size, EINVAL for a bad priority, EBADF if it was opened only to receive.
    #[pyo3(signature = (data, priority=0, *, timeout=None))]
    fn send(&self, py: Python, data: Readable, priority: i64, timeout: Option<Timeout>) -> Result<()> {
        let priority = u32::try_from(priority)
            .map_err(|_| options::bad_value(format!("a priority of {priority}: it is 0 to {}", mq::MAX_PRIORITY)))?;
        let data = data.as_slice();
        let little = data.len() <= LITTLE;
        self.held.wait(py, timeout, little, |queue, deadline| queue.send_until(priority, data, deadline))
    }

    /// Waits until there is a message, and receives the first of the greatest priority: (data, priority).
    ///
    /// timeout: in seconds, by the monotonic clock; None waits for ever, 0 doesn't wait.
    ///
    /// Raises TimeoutError; BlockingIOError if it is empty and timeout is 0; OSError with EBADF if it was opened
    /// only to send; MemoryError.
    #[pyo3(signature = (*, timeout=None))]
    fn recv<'py>(&self, py: Python<'py>, timeout: Option<Timeout>) -> Result<Bound<'py, PyTuple>> {
        let mut bytes = NewBytes::new(py, self.max_message_size as u64)?;
        let mut room = bytes.room();
        let little = self.max_message_size <= LITTLE;
        let priority = self.held.wait(py, timeout, little, |queue, deadline| room.receive_posix(queue, deadline))?;
        Ok(buffer::message(bytes.received()?, priority.into())?)
    }

    /// As recv, into a buffer (a bytearray, an array, …): (length, priority).
    ///
    /// Raises OSError with E2BIG if it has no room for max_message_size bytes; the exception's attribute
    /// `length` says what it needs. Else as recv.
    #[pyo3(signature = (buffer, *, timeout=None))]
    fn recv_into(&self, py: Python, mut buffer: Writable, timeout: Option<Timeout>) -> Result<(usize, u32)> {
        let room = buffer.room();
        let little = self.max_message_size <= LITTLE;
        let received = self.held.wait(py, timeout, little, |queue, deadline| queue.recv_into_uninit(room, deadline))?;
        Ok((received.length, received.priority))
    }

    /// What it is, and what it holds.
    fn stat(&self) -> Result<QueueStatus> {
        Ok(self.held.share()?.stat()?.into())
    }

    /// Registers this process to be told, once, when a message comes into the empty queue (mq_notify(3)).
    ///
    /// signal: the signal that tells it, with `value` (signal.sigwaitinfo tells its sender); None: it isn't
    ///     told, but nobody else can be registered meanwhile.
    ///
    /// Only one process at a time can be registered. It isn't told as long as somebody waits in a plain
    /// mq_receive; who waits in recv or select doesn't count as such. When it was told it is registered no
    /// more: register anew first, then receive with timeout=0 until BlockingIOError.
    ///
    /// Raises OSError with EBUSY if a process is registered already, be it this one; EINVAL if there is no
    /// such signal.
    #[pyo3(signature = (signal, value=0))]
    fn notify(&self, signal: Option<i32>, value: i32) -> Result<()> {
        let how = signal.map_or(Notify::Nothing, |signal| Notify::Signal { signal, value });
        Ok(self.held.share()?.notify(how)?)
    }

    /// Takes back what this process registered; does nothing if it is not registered.
    fn cancel_notify(&self) -> Result<()> {
        Ok(self.held.share()?.cancel_notify()?)
    }

    /// The name by which it was opened; "" if it was made of a descriptor.
    #[getter]
    fn name(&self) -> &str {
        &self.name
    }

    /// Whether this very handle created it.
    #[getter]
    fn is_new(&self) -> bool {
        self.is_new
    }

    /// The most messages that it holds.
    #[getter]
    fn max_messages(&self) -> u64 {
        self.max_messages
    }

    /// The most bytes that a message may have.
    #[getter]
    fn max_message_size(&self) -> usize {
        self.max_message_size
    }

    /// The descriptor, for select and event loops: readable when there is a message, writable when there is
    /// room. It is this object's.
    fn fileno(&self) -> Result<i32> {
        Ok(self.held.share()?.as_fd().as_raw_fd())
    }

    /// Takes the name away; who has the queue open goes on with it. The next open makes a new one.
    ///
    /// Raises FileNotFoundError; PermissionError if it is another user's; OSError with EINVAL or ENAMETOOLONG
    /// for a bad name.
    #[staticmethod]
    fn unlink(name: &str) -> Result<()> {
        Ok(mq::Queue::unlink(name)?)
    }

    /// Whether this handle is closed.
    #[getter]
    fn closed(&self) -> bool {
        self.held.is_closed()
    }

    /// Closes the handle; doesn't unlink the queue. Closing it again does nothing.
    fn close(&self, py: Python) {
        self.held.close(py);
    }

    fn __enter__(slf: Bound<'_, Self>) -> Result<Bound<'_, Self>> {
        slf.get().held.share()?;
        Ok(slf)
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python, _exception: &Bound<'_, PyTuple>) {
        self.close(py);
    }

    fn __repr__(&self) -> String {
        let Self { name, max_messages, max_message_size, .. } = self;
        if self.held.is_closed() {
            return format!("<madang.posix.mq.Queue {name:?}: closed>");
        }
        format!("<madang.posix.mq.Queue {name:?}: {max_messages} messages of {max_message_size} bytes>")
    }
}

/// What Queue.stat() tells; a snapshot. A value: compared and hashed.
#[pyclass(frozen, get_all, eq, hash, module = "madang.kernel.posix.mq")]
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct QueueStatus {
    /// The most messages that it holds.
    max_messages: u64,
    /// The most bytes that one of them has.
    max_message_size: u64,
    /// Messages held.
    messages: u64,
    /// Bytes that they have together; None where it was opened only to send.
    bytes: Option<u64>,
    /// Whom the queue is to tell of a message: a process id, 0 for nobody, or for one of another pid
    /// namespace; None where it was opened only to send.
    notified_pid: Option<u32>,
    /// Permission bits.
    mode: u32,
    /// The owner's user id.
    uid: u32,
    /// The owner's group id.
    gid: u32,
}

#[pymethods]
impl QueueStatus {
    fn __repr__(&self) -> String {
        let Self { max_messages, max_message_size, messages, mode, uid, gid, .. } = self;
        let bytes = self.bytes.map_or_else(|| "None".to_owned(), |bytes| bytes.to_string());
        let pid = self.notified_pid.map_or_else(|| "None".to_owned(), |pid| pid.to_string());
        format!(
            "QueueStatus(max_messages={max_messages}, max_message_size={max_message_size}, messages={messages}, \
             bytes={bytes}, notified_pid={pid}, mode=0o{mode:o}, uid={uid}, gid={gid})"
        )
    }
}

impl From<mq::QueueStatus> for QueueStatus {
    fn from(status: mq::QueueStatus) -> Self {
        let mq::QueueStatus { max_messages, max_message_size, messages, bytes, notified_pid, mode, uid, gid, .. } =
            status;
        Self { max_messages, max_message_size, messages, bytes, notified_pid, mode, uid, gid }
    }
}

/// The queues that exist, in the order of their names; a snapshot. They can be seen only where root has
/// mounted their file system: mkdir -p /dev/mqueue, then mount -t mqueue none /dev/mqueue.
///
/// Raises FileNotFoundError where it is not mounted; OSError with EMFILE and ENFILE.
#[pyfunction]
pub(crate) fn list() -> Result<Vec<Listed>> {
    Ok(mq::list()?.into_iter().map(Listed::from).collect())
}
