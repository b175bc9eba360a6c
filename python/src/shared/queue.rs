//! `madang.Queue`.
//!
//! Each verb first tries with the GIL held, which is all that most calls need: a send and a receive of 64 bytes take
//! some 100 ns together, and letting the GIL go in both would be as much once more. It is let go to wait, and to copy much.
//!
//! A small message is received into the handle's own scratch memory, since its length isn't known before; for a larger
//! one the queue tells the length, and it is received into a new `bytes` of just that length.

use std::os::fd::RawFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use madang::{Batch, Deadline, Select};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use crate::buffer::{self, NewBytes, Readable, Room, Writable};
use crate::error::{Error, Result};
use crate::options::{self, Count, Size};
use crate::shared::participant::Participant;
use crate::timeout::{self, Timeout};

pub(crate) use status::{QueueStatus, Received};

mod batch;
pub(crate) mod descriptor;
mod status;

/// From this length on, in bytes, a message is copied without the GIL. To let it go and take it again is 50 ns; to copy that
/// much is 500 ns from the cache, and 5 µs from another processor's.
const MUCH: usize = 64 << 10;

/// Messages up to this length, in bytes, go through scratch memory: to copy that much twice costs as much as to ask twice.
const SMALL: usize = 1 << 10;

/// A message as `recv` returns it: its bytes and its type.
type Message<'py> = Bound<'py, PyTuple>;

/// A bounded queue of messages in shared memory, for any number of senders and receivers.
///
/// They may be in any processes and languages: who opens the same name, from Python, Rust or C, has
/// the same queue. A message is some bytes and a type greater than 0. Messages are received in the
/// order in which they were sent.
///
///     with madang.Queue("orders", capacity="4M") as q:
///         q.send(b"two teas", type=3, timeout=1.0)
///         data, type = q.recv()
///
/// The constructor opens the queue, or creates it. It doesn't wait.
///
/// name: 1 to 242 bytes of UTF-8, without "/". The queue is the file madang.queue.NAME in /dev/shm, or
///     in the directory that the environment variable MADANG_DIR names. (Its path must be absolute.
///     Set-user-id programs ignore it.)
/// capacity: the most bytes that it holds, also the longest message; an int, or text with K, M, G or
///     T (1024 each): "64K", "4M". 1 TiB at most, by default 1 MiB. Memory is only taken as it is used.
/// max_messages: the most messages that it holds: 2**32 at most, by default the lesser of the capacity
///     and 65,536.
/// max_participants: for how many open handles, in all processes together, it has room: 65,534 at most,
///     by default 1,024. Of an existing queue, these three are the least that will do; None takes it as
///     it is.
/// mode: the permission bits of a new queue, exactly (no umask); 0 is 0o600 too. Who takes part needs
///     read and write permission.
/// create: "if-missing"; "never" only opens what exists; "only" only opens what it creates.
/// any_owner: opens it although it belongs to another user, who can do with it what he likes. (What
///     belongs to root is always opened.)
///
/// The queue persists, with what it holds, until Queue.unlink(name). A handle is closed by close(),
/// at the end of a `with` block, and when it is forgotten; that never unlinks.
///
/// len(q) is how many messages it holds now. bool(q) is True, also of an empty or closed one.
///
/// A handle may be shared by threads. It may be sent to another process: pickled, it is its name, and
/// unpickling opens the queue, but never creates it. So it can be an argument of a
/// multiprocessing.Process, whatever the start method. It may be used in a forked child, which is a
/// participant of its own: there its first use may fail as opening does, with EUSERS for instance.
///
/// What is promised: a process that is killed at any instruction leaves every other one able to go
/// on, and a message whose send returned is received once. Who is killed right after a receive takes
/// the message along.
///
/// What fails raises OSError with an errno, and the subclass that Python has for it. Here:
/// FileNotFoundError (ENOENT) and FileExistsError (EEXIST), as `create` says; PermissionError (EACCES:
/// its mode; EPERM: it is another user's); IsADirectoryError, ELOOP (a symbolic link), ENODEV and ENXIO
/// (no regular file) for what has the name but is no queue; EINVAL for a bad name, where a limit or the
/// mode is too large, where an existing queue is smaller than asked for, or where MADANG_DIR isn't
/// absolute; ENAMETOOLONG; ENOSPC; EUSERS if it has no place for another handle; EPROTOTYPE for another
/// kind of object, EPROTO for another layout version or byte order, EUCLEAN for a damaged one; ENOMEM,
/// EMFILE and ENFILE as open(2) and mmap(2). On a closed handle: EBADF.
///
/// What can't be meant at all is ValueError: a limit below 1, a negative mode, a number that 64 bits
/// don't hold, a text that is no size, a name that UTF-8 can't write.
#[pyclass(frozen, module = "madang")]
pub(crate) struct Queue {
    handle: Mutex<Handle>,
    name: String,
    capacity: u64,
    is_new: bool,
    any_owner: bool,
}

/// What a lock guards. It is held only by threads that have the GIL and for one try, so nobody ever waits for it; and never
/// where Python could run code of its own, which may come back here.
struct Handle {
    /// Those who wait have a share of their own; `None` when it is closed.
    queue: Option<Arc<madang::Queue>>,
    scratch: Box<[u8; SMALL]>,
    /// For `recv_many`, from its first use on.
    batch: Option<Batch>,
}

#[pymethods]
impl Queue {
    #[new]
    #[pyo3(signature = (
        name, *, capacity=None, max_messages=None, max_participants=None, mode=0o600, create="if-missing", any_owner=false
    ))]
    fn new(
        name: &str,
        capacity: Option<Size>,
        max_messages: Option<Count>,
        max_participants: Option<Count>,
        #[pyo3(from_py_with = options::mode)] mode: u32,
        create: &str,
        any_owner: bool,
    ) -> Result<Self> {
        let participants = max_participants.map_or(0, u64::from);
        let too_many = |_| Error::os(libc::EINVAL, format!("open {name:?}: max_participants {participants} (EINVAL)"));
        let options = madang::Queue::options()
            .capacity(capacity.map_or(0, u64::from))
            .max_messages(max_messages.map_or(0, u64::from))
            .max_participants(u32::try_from(participants).map_err(too_many)?)
            .mode(mode)
            .create(options::create(create)?)
            .any_owner(any_owner);
        // With the GIL, which guards the environment too: who writes os.environ must not do so while MADANG_DIR is read.
        let queue = options.open(name)?;
        let (capacity, is_new) = (queue.capacity(), queue.is_new());
        let handle = Handle { queue: Some(Arc::new(queue)), scratch: Box::new([0; SMALL]), batch: None };
        Ok(Self { handle: Mutex::new(handle), name: name.to_owned(), capacity, is_new, any_owner })
    }

    /// Sends a message; waits while the queue is full.
    ///
    /// data: its bytes: bytes, bytearray, memoryview, a NumPy array, or what else has contiguous memory.
    /// type: greater than 0.
    /// timeout: in seconds. None waits for ever; 0 doesn't wait.
    ///
    /// Other threads go on while it waits, or copies 64 KiB or more. Signal handlers run, and then it
    /// goes on to the same deadline.
    ///
    /// Whatever it raises, the message was not sent; but for EOWNERDEAD, after which it may have been.
    ///
    /// BlockingIOError (EAGAIN): the queue is full, and the timeout is 0. TimeoutError: it stayed full, or
    /// another sender stayed inside (it was stopped). OSError with EBUSY if the timeout is 0 and another
    /// sender stays inside for a second; EINVAL for a type below 1; EMSGSIZE if data is longer than the
    /// capacity; ENOSPC if there is no memory for it; EUCLEAN if the queue is damaged; EOWNERDEAD if the
    /// others found this handle dead and went on without it: close it, and open it anew; EBADF.
    /// ValueError for a timeout that isn't 0 or more; OverflowError for a type that 64 bits don't hold, or
    /// a timeout that a float doesn't; TypeError and BufferError for data; and what a signal handler
    /// raises, as KeyboardInterrupt.
    #[pyo3(signature = (data, r#type=1, timeout=None))]
    fn send(&self, py: Python, data: Readable, r#type: i64, timeout: Option<Timeout>) -> Result<()> {
        let data = data.as_slice();
        if data.len() < MUCH {
            match self.handle().open(self)?.send_until(r#type, data, Deadline::INSTANT) {
                Err(error) if timeout::may_wait(&error, timeout) => {}
                outcome => return Ok(outcome?),
            }
        }
        timeout::wait(py, timeout::deadline(timeout), |slice| {
            let queue = self.share()?;
            py.detach(|| Ok(queue.send_until(r#type, data, slice)?))
        })
    }

    /// Receives the first message; waits while there is none. Returns its bytes and its type.
    ///
    /// type: 0 is any type. (To choose by type comes with a later version; until then it is ENOTSUP.)
    /// timeout: in seconds. None waits for ever; 0 doesn't wait.
    ///
    /// Other threads go on while it waits, or copies 64 KiB or more. Signal handlers run, and then it
    /// goes on to the same deadline.
    ///
    /// Whatever it raises, nothing was received; but for MemoryError, with which a message may be lost,
    /// and EOWNERDEAD, after which one may have been received.
    ///
    /// BlockingIOError (EAGAIN): the queue is empty, and the timeout is 0. TimeoutError: no message came, or
    /// another receiver stayed inside (it was stopped). OSError with EBUSY if the timeout is 0 and another
    /// receiver stays inside for a second; ENOTSUP; EUCLEAN if the queue is damaged; EOWNERDEAD if the
    /// others found this handle dead and went on without it: close it, and open it anew; EBADF.
    /// ValueError for a timeout that isn't 0 or more; OverflowError for a type that 64 bits don't hold, or
    /// a timeout that a float doesn't; MemoryError; and what a signal handler raises, as
    /// KeyboardInterrupt.
    #[pyo3(signature = (r#type=0, timeout=None))]
    fn recv<'py>(&self, py: Python<'py>, r#type: i64, timeout: Option<Timeout>) -> Result<Message<'py>> {
        let select = self.select(r#type)?;
        match self.try_small(py, select) {
            Err(Error::Core(error)) if error.errno() == libc::E2BIG || timeout::may_wait(&error, timeout) => {
                self.recv_slow(py, select, timeout::deadline(timeout), error.length())
            }
            outcome => outcome,
        }
    }

    /// Receives as recv does, but into the caller's memory: nothing is allocated.
    ///
    /// buffer: bytearray, memoryview, a NumPy array, or what else has contiguous memory that may be
    ///     written. It is filled from its start; what lies after the message is left as it was.
    ///
    /// Raises as recv does, EOWNERDEAD too. OSError with E2BIG if the buffer is too small: the message
    /// stays, and the exception has an attribute `length`, the bytes that it needs. TypeError and
    /// BufferError for buffer.
    #[pyo3(signature = (buffer, r#type=0, timeout=None))]
    fn recv_into(&self, py: Python, mut buffer: Writable, r#type: i64, timeout: Option<Timeout>) -> Result<Received> {
        let select = self.select(r#type)?;
        let buffer = buffer.as_mut_slice();
        // A longer message is copied without the GIL.
        let little = buffer.len().min(MUCH);
        match self.handle().open(self)?.recv_into(select, &mut buffer[..little], Deadline::INSTANT) {
            Err(error) if error.errno() == libc::E2BIG && little < buffer.len() => {}
            Err(error) if timeout::may_wait(&error, timeout) => {}
            outcome => return Ok(outcome?.into()),
        }
        timeout::wait(py, timeout::deadline(timeout), |slice| {
            let queue = self.share()?;
            py.detach(|| Ok(queue.recv_into(select, buffer, slice)?.into()))
        })
    }

    /// Sends messages, in this order; waits until all of them are sent. Returns how many are.
    ///
    ///     q.send_many([b"two teas", (b"one coffee", 3)])
    ///
    /// messages: an iterable; each is what send takes as data, of type 1, or a tuple of that and a type.
    /// timeout: in seconds, for all of them together. None waits until all are sent; 0 sends what there is
    ///     room for.
    ///
    /// Many small messages cost a fraction of as many sends. They need not be received together, nor is
    /// sending them one step: others' messages may come in between, and who is killed on the way has sent
    /// the first of them.
    ///
    /// Raises as send does, if none was sent. If it is some of them that were sent when the timeout was over,
    /// or whatever came up, it returns how many: send the rest again to learn it. An invalid type or length
    /// in any of them refuses all; the text has its index. What a signal handler raises, and EBADF if
    /// another thread closes the handle meanwhile, is raised in any case: the first of them may have been
    /// sent then. So is what the iterable raises: then none was.
    #[pyo3(signature = (messages, timeout=None))]
    fn send_many(&self, py: Python, messages: &Bound<'_, PyAny>, timeout: Option<Timeout>) -> Result<usize> {
        batch::send(self, py, messages, timeout)
    }

    /// Sends one message that consists of several pieces, without putting them together before.
    ///
    ///     q.sendv([header, body], type=3)
    ///
    /// pieces: an iterable; each is what send takes as data.
    ///
    /// All else as send.
    #[pyo3(signature = (pieces, r#type=1, timeout=None))]
    fn sendv(&self, py: Python, pieces: &Bound<'_, PyAny>, r#type: i64, timeout: Option<Timeout>) -> Result<()> {
        batch::send_pieces(self, py, pieces, r#type, timeout)
    }

    /// Receives as many messages as there are, but at most count; waits while there is none. Returns a
    /// list of what recv would return.
    ///
    ///     for data, type in q.recv_many(100):
    ///         ...
    ///
    /// count: 0 or more, which is the list's length at most; with 0 it is empty.
    /// type, timeout: as with recv. It waits only for the first message.
    ///
    /// Raises as recv does: whatever it raises, nothing was received; but for MemoryError, with which messages
    /// may be lost, and EOWNERDEAD, after which some may have been received. ValueError for a negative
    /// count. Who is killed after it returned takes all of them along.
    #[pyo3(signature = (count, r#type=0, timeout=None))]
    fn recv_many<'py>(
        &self,
        py: Python<'py>,
        count: batch::Number,
        r#type: i64,
        timeout: Option<Timeout>,
    ) -> Result<Bound<'py, PyList>> {
        batch::receive(self, py, count, self.select(r#type)?, timeout)
    }

    /// Receives as recv does, in asyncio: `data, type = await q.recv_async()`. Other tasks go on while it
    /// waits.
    ///
    /// timeout: in seconds. None waits for ever; 0 doesn't wait.
    ///
    /// Tasks that wait for the same are served in the order in which they came, and each message goes to
    /// one. A task that is cancelled while it waits has taken nothing. All tasks of a loop wait by one
    /// descriptor, however many queues there are. A handle may be used in several loops, in threads of
    /// their own.
    ///
    /// `async for data, type in q` receives one after the other, without an end.
    ///
    /// Raises as recv does; and OSError with EMFILE if this user's inotify instances, or the process's
    /// descriptors, are used up, ENOSPC if the inotify watches are: the text says what to do. If the
    /// handle is closed meanwhile: EBADF, within a quarter of a second.
    #[pyo3(signature = (r#type=0, timeout=None))]
    fn recv_async<'py>(slf: &Bound<'py, Self>, r#type: i64, timeout: Option<Timeout>) -> Result<Bound<'py, PyAny>> {
        descriptor::coroutine(slf, "recv", None, r#type, timeout)
    }

    /// Sends as send does, in asyncio: `await q.send_async(b"two teas", type=3)`. Other tasks go on while it
    /// waits. A task that is cancelled while it waits has sent nothing.
    ///
    /// data: its bytes, which must not change until it is sent.
    ///
    /// Tasks send in the order in which they came. All else is as with recv_async and send.
    #[pyo3(signature = (data, r#type=1, timeout=None))]
    fn send_async<'py>(
        slf: &Bound<'py, Self>,
        data: &Bound<'py, PyAny>,
        r#type: i64,
        timeout: Option<Timeout>,
    ) -> Result<Bound<'py, PyAny>> {
        descriptor::coroutine(slf, "send", Some(data), r#type, timeout)
    }

    fn __aiter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __anext__<'py>(slf: &Bound<'py, Self>) -> Result<Bound<'py, PyAny>> {
        descriptor::coroutine(slf, "recv", None, 0, None)
    }

    /// A descriptor that is readable when there may be something to receive: for select, poll, selectors,
    /// and every event loop. (For asyncio there is recv_async.)
    ///
    /// Readable means "try", no more: another may have been faster, and now and then, up to four times a
    /// second, it is readable for nothing. It stays so until a receive with this handle finds nothing and
    /// raises BlockingIOError or TimeoutError; from then on a message makes it readable again. So
    /// receive with timeout=0 until there is nothing, or select before each: both are right. There is
    /// nothing to arm.
    ///
    /// It is the handle's: the same each time, and closed with it; take it out of a selector before. A
    /// forked child that waits by it calls this first. Threads that wait for different types open a
    /// handle each. It takes three descriptors, and one of the inotify instances of which a user has 128
    /// by default.
    ///
    /// Raises OSError with EMFILE if the user's inotify instances, or the process's descriptors, are used up,
    /// ENOSPC if the user's inotify watches are: the text says which sysctl; ENFILE, ENOMEM; EOWNERDEAD (see
    /// send); EBADF.
    fn fileno(&self) -> Result<RawFd> {
        descriptor::fileno(self, false)
    }

    /// A descriptor that is readable (sic) when there may be room for the message that the last send with
    /// this handle found no room for. All else is as with fileno.
    fn send_fileno(&self) -> Result<RawFd> {
        descriptor::fileno(self, true)
    }

    /// What the queue is and holds now. Raises OSError with EOWNERDEAD (see send) or EBADF.
    fn stat(&self, py: Python) -> Result<QueueStatus> {
        let queue = self.share()?;
        Ok(py.detach(|| queue.stat())?.into())
    }

    /// Who takes part: every open handle, and those of killed processes whose place nobody has needed
    /// since. In no order. Raises as stat does.
    fn participants(&self, py: Python) -> Result<Vec<Participant>> {
        let queue = self.share()?;
        Ok(py.detach(|| queue.participants())?.into_iter().map(Participant::from).collect())
    }

    /// How many messages the queue holds now.
    fn __len__(&self) -> Result<usize> {
        Ok(self.handle().open(self)?.len() as usize)
    }

    /// As a file or socket is, whatever it holds: `if queue` asks whether there is a handle.
    fn __bool__(&self) -> bool {
        true
    }

    /// The name by which it was opened.
    #[getter]
    fn name(&self) -> &str {
        &self.name
    }

    /// The most bytes that it holds; also the longest message.
    #[getter]
    fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Whether this very handle created it.
    #[getter]
    fn is_new(&self) -> bool {
        self.is_new
    }

    /// Whether this handle is closed.
    #[getter]
    fn closed(&self) -> bool {
        self.handle().queue.is_none()
    }

    /// Closes the handle; doesn't unlink the queue. Closing it again does nothing.
    ///
    /// A call that waits in another thread raises OSError with EBADF within a fifth of a second, unless
    /// what it waits for comes before it notices.
    fn close(&self, py: Python) {
        let queue = self.handle().queue.take();
        // To unmap a large queue takes a while.
        py.detach(|| drop(queue));
    }

    /// Takes the name away; who has the queue open goes on with it. The next open makes a new one.
    ///
    /// Raises FileNotFoundError; PermissionError if it is another user's; IsADirectoryError; OSError with
    /// EINVAL or ENAMETOOLONG for a bad name, or EINVAL where MADANG_DIR isn't absolute.
    #[staticmethod]
    fn unlink(name: &str) -> Result<()> {
        Ok(madang::Queue::unlink(name)?)
    }

    fn __enter__(slf: Bound<'_, Self>) -> Result<Bound<'_, Self>> {
        slf.get().share()?;
        Ok(slf)
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python, _exception: &Bound<'_, PyAny>) {
        self.close(py);
    }

    /// Pickled, a queue is its name.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> Result<(Bound<'py, PyAny>, (String,))> {
        let queue = slf.get();
        queue.share()?;
        let options = PyDict::new(slf.py());
        options.set_item("any_owner", queue.any_owner)?;
        Ok((super::reopen(slf, &options)?, (queue.name.clone(),)))
    }

    fn __repr__(&self) -> String {
        let Self { name, capacity, .. } = self;
        match &self.handle().queue {
            Some(queue) => format!("<madang.Queue {name:?}: {} messages, capacity {capacity}>", queue.len()),
            None => format!("<madang.Queue {name:?}: closed>"),
        }
    }
}

impl Queue {
    fn handle(&self) -> MutexGuard<'_, Handle> {
        self.handle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A share of the open queue, for use without the GIL.
    fn share(&self) -> Result<Arc<madang::Queue>> {
        self.handle().open(self).cloned()
    }

    fn select(&self, r#type: i64) -> Result<Select> {
        match r#type {
            0 => Ok(Select::Any),
            _ => Err(self.cannot_select(r#type)),
        }
    }

    #[cold]
    fn cannot_select(&self, r#type: i64) -> Error {
        let what = "this version receives messages of any type only: give 0, and look at the type that comes (ENOTSUP)";
        Error::os(libc::ENOTSUP, format!("recv {:?}: type {}: {what}", self.name, r#type))
    }

    /// Receives a small message if there is one.
    #[inline]
    fn try_small<'py>(&self, py: Python<'py>, select: Select) -> Result<Message<'py>> {
        let mut handle = self.handle();
        let (queue, scratch) = handle.parts(self)?;
        let received = queue.recv_into(select, scratch, Deadline::INSTANT)?;
        // Making a `bytes` runs no code of Python's; making the tuple may (the garbage collector).
        let data = buffer::bytes(py, &scratch[..received.length])?;
        drop(handle);
        Ok(buffer::message(data, received.mtype)?)
    }

    /// Waits for a message, of which it may be known that it needs `length` bytes (else 0). Another receiver may take it
    /// meanwhile; the next may be longer again.
    #[cold]
    fn recv_slow<'py>(
        &self,
        py: Python<'py>,
        select: Select,
        deadline: Deadline,
        mut length: u64,
    ) -> Result<Message<'py>> {
        loop {
            match self.wait(py, select, deadline, length.max(SMALL as u64)) {
                Err(error) => length = error.needed_length().ok_or(error)?,
                message => return message,
            }
        }
    }

    /// Waits for a message of `length` bytes at most.
    fn wait<'py>(&self, py: Python<'py>, select: Select, deadline: Deadline, length: u64) -> Result<Message<'py>> {
        let mut bytes = NewBytes::new(py, length)?;
        let mut room = bytes.room();
        let received = match self.try_little(select, &mut room)? {
            Some(received) => received,
            None => self.wait_into(py, select, &mut room, deadline)?,
        };
        Ok(buffer::message(bytes.received()?, received.mtype)?)
    }

    /// Receives with the GIL held if that is little to copy and can be done at once.
    fn try_little(&self, select: Select, room: &mut Room) -> Result<Option<madang::Received>> {
        if room.length() >= MUCH {
            return Ok(None);
        }
        match room.receive(self.handle().open(self)?, select, Deadline::INSTANT) {
            Err(error) if matches!(error.errno(), libc::EAGAIN | libc::EBUSY) => Ok(None),
            outcome => Ok(Some(outcome?)),
        }
    }

    fn wait_into(&self, py: Python, select: Select, room: &mut Room, deadline: Deadline) -> Result<madang::Received> {
        timeout::wait(py, deadline, |slice| {
            let queue = self.share()?;
            py.detach(|| Ok(room.receive(&queue, select, slice)?))
        })
    }
}

impl Handle {
    #[inline]
    fn open(&self, queue: &Queue) -> Result<&Arc<madang::Queue>> {
        self.queue.as_ref().ok_or_else(|| Error::closed("queue", &queue.name))
    }

    #[inline]
    fn parts(&mut self, queue: &Queue) -> Result<(&madang::Queue, &mut [u8; SMALL])> {
        let open = self.queue.as_deref().ok_or_else(|| Error::closed("queue", &queue.name))?;
        Ok((open, &mut self.scratch))
    }
}
