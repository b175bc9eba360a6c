//! `madang.Queue`.
//!
//! Each verb first tries with the GIL held, which is all that most calls need: a send and a receive of 64 bytes take
//! some 100 ns together, and letting the GIL go in both would be as much once more. It is let go to wait, and to copy much.
//!
//! A receiver that looks over a long queue for a type has, with the GIL held, only its first look.
//!
//! A small message is received into the handle's own scratch memory, since its length isn't known before; for a larger
//! one the queue tells the length, and it is received into a new `bytes` of just that length.

use std::os::fd::RawFd;

use madang::{Batch, Deadline, Select};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use crate::buffer::{self, NewBytes, Readable, Room, Writable};
use crate::error::{Error, Result};
use crate::options::{self, Count, Size};
use crate::shared::handle::Handle;
use crate::shared::lease::Lease;
use crate::shared::participant::Participant;
use crate::shared::reservation::Reservation;
use crate::timeout::{self, Timeout};

use descriptor::Given;
pub(crate) use select::{Except, Which};
pub(crate) use status::{QueueStatus, Received};

mod batch;
pub(crate) mod descriptor;
pub(crate) mod select;
mod status;

/// From this length on, in bytes, a message is copied without the GIL. To let it go and take it again is 50 ns; to copy that
/// much is 500 ns from the cache, and 5 µs from another processor's.
pub(crate) const MUCH: usize = 64 << 10;

/// Messages up to this length, in bytes, go through scratch memory: to copy that much twice costs as much as to ask twice.
const SMALL: usize = 1 << 10;

/// A message as `recv` returns it: its bytes and its type.
type Message<'py> = Bound<'py, PyTuple>;

/// A bounded queue of messages in shared memory, for any number of senders and receivers.
///
/// They may be in any processes and languages: who opens the same name, from Python, Rust or C, has
/// the same queue. A message is some bytes and a type greater than 0. Messages are received in the
/// order in which they were sent, or by type.
///
///     with madang.Queue("orders", capacity="4M") as q:
///         q.send(b"two teas", type=3, timeout=1.0)
///         data, type = q.recv()           # the first; q.recv(3): the first of type 3
///
/// A receiver that must not lose a message when it fails or is killed leases it: `with q.lease() as m`.
/// Who sends or receives much can do so without a copy: q.reserve() and q.lease(). Objects are sent by
/// madang.ObjectQueue.
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
/// exclusive_sender: this handle alone sends, as long as it is open, and so costs least: to others sending,
///     and opening with the same, is EBUSY. It belongs to the first thread that uses the handle, and to
///     this process: other threads and forked children send as others do.
/// exclusive_receiver: the same for receiving.
/// dead_letters: a tuple, ("failed", 3): a message that was leased 3 times (up to 65,535), and never
///     acknowledged, isn't leased again but goes to the queue "failed": it may be what kills its
///     receivers. That queue is made when it is first needed; if it is full, the message is leased all
///     the same. Only a new queue takes this; an existing one keeps what it was made with.
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
/// the message along; with a lease it comes back.
///
/// What fails raises OSError with an errno, and the subclass that Python has for it. Here:
/// FileNotFoundError (ENOENT) and FileExistsError (EEXIST), as `create` says; PermissionError (EACCES:
/// its mode; EPERM: it is another user's); IsADirectoryError, ELOOP (a symbolic link), ENODEV and ENXIO
/// (no regular file) for what has the name but is no queue; EINVAL for a bad name, where a limit or the
/// mode is too large, where an existing queue is smaller than asked for, or where MADANG_DIR isn't
/// absolute; ENAMETOOLONG; ENOSPC; EUSERS if it has no place for another handle; EPROTOTYPE for another
/// kind of object, EPROTO for another layout version or byte order, EUCLEAN for a damaged one; EBUSY if
/// another handle has the end that this one asks for alone, ENOTSUP if it can't be had alone for want of
/// membarrier(2); ENOMEM, EMFILE and ENFILE as open(2) and mmap(2). On a closed handle: EBADF.
///
/// What can't be meant at all is ValueError: a limit below 1, a negative mode, a number that 64 bits
/// don't hold, a text that is no size, a name that UTF-8 can't write.
#[pyclass(frozen, module = "madang")]
pub(crate) struct Queue {
    handle: Handle<madang::Queue, Scratch>,
    capacity: u64,
}

/// What small messages are received into, and more of them at once.
struct Scratch {
    small: Box<[u8; SMALL]>,
    /// For `recv_many`, from its first use on.
    batch: Option<Batch>,
}

#[pymethods]
impl Queue {
    #[new]
    #[pyo3(signature = (
        name, *, capacity=None, max_messages=None, max_participants=None, mode=0o600, create="if-missing", any_owner=false,
        exclusive_sender=false, exclusive_receiver=false, dead_letters=None
    ))]
    #[allow(clippy::too_many_arguments, reason = "Python's keywords")]
    fn new(
        name: &str,
        capacity: Option<Size>,
        max_messages: Option<Count>,
        max_participants: Option<Count>,
        #[pyo3(from_py_with = options::mode)] mode: u32,
        create: &str,
        any_owner: bool,
        exclusive_sender: bool,
        exclusive_receiver: bool,
        dead_letters: Option<(String, Count)>,
    ) -> Result<Self> {
        let participants = max_participants.map_or(0, u64::from);
        let too_many = |what, number| Error::os(libc::EINVAL, format!("open {name:?}: {what} {number} (EINVAL)"));
        let mut options = madang::Queue::options()
            .capacity(capacity.map_or(0, u64::from))
            .max_messages(max_messages.map_or(0, u64::from))
            .max_participants(u32::try_from(participants).map_err(|_| too_many("max_participants", participants))?)
            .mode(mode)
            .create(options::create(create)?)
            .any_owner(any_owner)
            .exclusive_sender(exclusive_sender)
            .exclusive_receiver(exclusive_receiver);
        if let Some((letters, deliveries)) = dead_letters {
            let deliveries = u64::from(deliveries);
            let most = u16::try_from(deliveries).map_err(|_| too_many("dead letters after deliveries", deliveries))?;
            options = options.dead_letters(&letters, most);
        }
        // With the GIL, which guards the environment too: who writes os.environ must not do so while MADANG_DIR is read.
        let queue = options.open(name)?;
        let (capacity, is_new) = (queue.capacity(), queue.is_new());
        let scratch = Scratch { small: Box::new([0; SMALL]), batch: None };
        let handle = Handle::new("queue", name, is_new, any_owner, queue, scratch);
        Ok(Self { handle, capacity })
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
    /// sender stays inside for a second, or if another handle, or thread, sends alone (see
    /// exclusive_sender); EINVAL for a type below 1; EMSGSIZE if data is longer than the
    /// capacity; ENOSPC if there is no memory for it; EUCLEAN if the queue is damaged; EOWNERDEAD if the
    /// others found this handle dead and went on without it: close it, and open it anew; EBADF.
    /// ValueError for a timeout that isn't 0 or more; OverflowError for a type that 64 bits don't hold, or
    /// a timeout that a float doesn't; TypeError and BufferError for data; and what a signal handler
    /// raises, as KeyboardInterrupt.
    #[pyo3(signature = (data, r#type=1, timeout=None))]
    fn send(&self, py: Python, data: Readable, r#type: i64, timeout: Option<Timeout>) -> Result<()> {
        let data = data.as_slice();
        if data.len() < MUCH {
            match self.handle.lock().object(&self.handle)?.send_until(r#type, data, Deadline::INSTANT) {
                Err(error) if timeout::may_wait(&error, timeout) => {}
                outcome => return Ok(outcome?),
            }
        }
        timeout::wait(py, timeout::deadline(timeout), |slice| {
            let queue = self.handle.share()?;
            py.detach(|| Ok(queue.send_until(r#type, data, slice)?))
        })
    }

    /// Receives a message; waits while there is none. Returns its bytes and its type.
    ///
    /// type: which message. 0: the first. t greater than 0: the first of that type. -t: of the lowest type
    ///     there is, if it is not above t, the first. madang.Except(t): the first of any other type.
    /// timeout: in seconds. None waits for ever; 0 doesn't wait.
    ///
    /// Other threads go on while it waits, or copies 64 KiB or more. Signal handlers run, and then it
    /// goes on to the same deadline.
    ///
    /// Whatever it raises, nothing was received; but for MemoryError, with which a message may be lost,
    /// and EOWNERDEAD, after which one may have been received.
    ///
    /// BlockingIOError (EAGAIN): there is no such message, and the timeout is 0. TimeoutError: none came, or
    /// another receiver stayed inside (it was stopped). OSError with EBUSY if the timeout is 0 and another
    /// receiver stays inside for a second, or if another handle, or thread, receives alone (see
    /// exclusive_receiver); ENOSPC if there is no room to set aside the messages before the
    /// one that is wanted; EINVAL for an Except below 1; EUCLEAN if the queue is damaged; EOWNERDEAD if the
    /// others found this handle dead and went on without it: close it, and open it anew; EBADF.
    /// ValueError for a timeout that isn't 0 or more; OverflowError for a type that 64 bits don't hold, or
    /// a timeout that a float doesn't; MemoryError; and what a signal handler raises, as
    /// KeyboardInterrupt.
    #[pyo3(signature = (r#type=Which::ANY, timeout=None), text_signature = "($self, type=0, timeout=None)")]
    fn recv<'py>(&self, py: Python<'py>, r#type: Which, timeout: Option<Timeout>) -> Result<Message<'py>> {
        let select = r#type.into();
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
    /// truncate: takes a message that is too long too, and what doesn't fit is lost: is_cut.
    ///
    /// Raises as recv does, EOWNERDEAD too. OSError with E2BIG if the buffer is too small: the message
    /// stays, and the exception has an attribute `length`, the bytes that it needs. TypeError and
    /// BufferError for buffer.
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
    ) -> Result<Received> {
        let (select, buffer) = (r#type.into(), buffer.room());
        let receive = |queue: &madang::Queue, buffer: &mut [_], deadline| match truncate {
            true => queue.recv_cut(select, buffer, deadline),
            false => queue.recv_into_uninit(select, buffer, deadline),
        };
        // A longer message is copied without the GIL.
        let little = buffer.len().min(MUCH);
        if little == buffer.len() || !truncate {
            match receive(self.handle.lock().object(&self.handle)?, &mut buffer[..little], Deadline::INSTANT) {
                Err(error) if error.errno() == libc::E2BIG && little < buffer.len() => {}
                Err(error) if timeout::may_wait(&error, timeout) => {}
                outcome => return Ok(outcome?.into()),
            }
        }
        timeout::wait(py, timeout::deadline(timeout), |slice| {
            let queue = self.handle.share()?;
            py.detach(|| Ok(receive(&queue, buffer, slice)?.into()))
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
    #[pyo3(signature = (count, r#type=Which::ANY, timeout=None), text_signature = "($self, count, type=0, timeout=None)")]
    fn recv_many<'py>(
        &self,
        py: Python<'py>,
        count: batch::Number,
        r#type: Which,
        timeout: Option<Timeout>,
    ) -> Result<Bound<'py, PyList>> {
        batch::receive(self, py, count, r#type.into(), timeout)
    }

    /// Returns the bytes and the type of a message that stays; doesn't wait.
    ///
    /// position: how many messages come before it. Leased ones don't count.
    ///
    /// BlockingIOError (EAGAIN): there are fewer. Else it raises as recv does; ValueError for a position
    /// below 0.
    #[pyo3(signature = (position=0))]
    fn peek<'py>(&self, py: Python<'py>, position: i64) -> Result<Message<'py>> {
        let position = options::not_negative("a position", position)? as u64;
        let queue = self.handle.share()?;
        let mut length = SMALL as u64;
        loop {
            let mut bytes = NewBytes::new(py, length)?;
            let mut room = bytes.room();
            match py.detach(|| room.peek(&queue, position)) {
                Err(error) if error.errno() == libc::E2BIG => length = error.length(),
                outcome => {
                    let mtype = outcome?.mtype;
                    return Ok(buffer::message(bytes.received()?, mtype)?);
                }
            }
        }
    }

    /// Leases a message: it is read in place, and comes back unless it is acknowledged. Waits while there
    /// is none.
    ///
    ///     with q.lease() as m:
    ///         work(m.data, m.type)
    ///
    /// type, timeout: as of recv.
    ///
    /// Raises as recv does, but MemoryError and EOWNERDEAD lose nothing: the message comes back.
    #[pyo3(signature = (r#type=Which::ANY, timeout=None), text_signature = "($self, type=0, timeout=None)")]
    fn lease(&self, py: Python, r#type: Which, timeout: Option<Timeout>) -> Result<Lease> {
        let select = r#type.into();
        let lease = match madang::Lease::new(self.handle.share()?, select, Deadline::INSTANT) {
            Err(error) if timeout::may_wait(&error, timeout) => {
                timeout::wait(py, timeout::deadline(timeout), |slice| {
                    let queue = self.handle.share()?;
                    py.detach(|| Ok(madang::Lease::new(queue, select, slice)?))
                })?
            }
            outcome => outcome?,
        };
        Ok(lease.into())
    }

    /// Reserves a place for a message of length bytes, which is written there before it is sent. Waits
    /// while the queue is full.
    ///
    ///     with q.reserve(8 * len(pixels), type=2) as r:
    ///         r.write(pixels)
    ///
    /// type: of the message, greater than 0.
    /// timeout: in seconds. None waits for ever; 0 doesn't wait. The end of a `with` block, which sends the
    ///     message, waits as long once more.
    ///
    /// Raises as send does; ValueError for a length below 0.
    #[pyo3(signature = (length, r#type=1, timeout=None))]
    fn reserve(&self, py: Python, length: i64, r#type: i64, timeout: Option<Timeout>) -> Result<Reservation> {
        let length = options::not_negative("a length", length)?;
        if r#type < 1 {
            return Err(self.bad_type(r#type));
        }
        // To take much memory takes a while.
        if length < MUCH {
            match madang::Reservation::new(self.handle.share()?, length, Deadline::INSTANT) {
                Err(error) if timeout::may_wait(&error, timeout) => {}
                outcome => return Ok(Reservation::new(outcome?, r#type, timeout)),
            }
        }
        let reservation = timeout::wait(py, timeout::deadline(timeout), |slice| {
            let queue = self.handle.share()?;
            py.detach(|| Ok(madang::Reservation::new(queue, length, slice)?))
        })?;
        Ok(Reservation::new(reservation, r#type, timeout))
    }

    /// Gives back memory that the queue took for messages outside of its ring (long, skipped, leased,
    /// reserved ones, also those of the dead) and doesn't need any more. Returns how many bytes.
    ///
    /// Raises OSError with EBUSY if another participant stays inside for a second, EOWNERDEAD (see send),
    /// EUCLEAN or EBADF.
    fn trim(&self, py: Python) -> Result<u64> {
        let queue = self.handle.share()?;
        Ok(py.detach(|| queue.trim())?)
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
    #[pyo3(signature = (r#type=Given::default(), timeout=None), text_signature = "($self, type=0, timeout=None)")]
    fn recv_async<'py>(
        slf: &Bound<'py, Self>,
        r#type: Given<'py>,
        timeout: Option<Timeout>,
    ) -> Result<Bound<'py, PyAny>> {
        descriptor::receive(slf, r#type, timeout)
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
        descriptor::send(slf, data, r#type, timeout)
    }

    fn __aiter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __anext__<'py>(slf: &Bound<'py, Self>) -> Result<Bound<'py, PyAny>> {
        descriptor::receive(slf, Given::default(), None)
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
        let queue = self.handle.share()?;
        Ok(py.detach(|| queue.stat())?.into())
    }

    /// Who takes part: every open handle, and those of killed processes whose place nobody has needed
    /// since. In no order. Raises as stat does.
    fn participants(&self, py: Python) -> Result<Vec<Participant>> {
        let queue = self.handle.share()?;
        Ok(py.detach(|| queue.participants())?.into_iter().map(Participant::from).collect())
    }

    /// How many messages the queue holds now.
    fn __len__(&self) -> Result<usize> {
        Ok(self.handle.lock().object(&self.handle)?.len() as usize)
    }

    /// As a file or socket is, whatever it holds: `if queue` asks whether there is a handle.
    fn __bool__(&self) -> bool {
        true
    }

    /// The name by which it was opened.
    #[getter]
    fn name(&self) -> &str {
        &self.handle.name
    }

    /// The most bytes that it holds; also the longest message.
    #[getter]
    fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Whether this very handle created it.
    #[getter]
    fn is_new(&self) -> bool {
        self.handle.is_new
    }

    /// Whether this handle is closed.
    #[getter]
    fn closed(&self) -> bool {
        self.handle.is_closed()
    }

    /// Closes the handle; doesn't unlink the queue. Closing it again does nothing.
    ///
    /// A call that waits in another thread raises OSError with EBADF within a fifth of a second, unless
    /// what it waits for comes before it notices.
    fn close(&self, py: Python) {
        self.handle.close(py);
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
        slf.get().handle.share()?;
        Ok(slf)
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python, _exception: &Bound<'_, PyAny>) {
        self.close(py);
    }

    /// Pickled, a queue is its name.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> Result<(Bound<'py, PyAny>, (String,))> {
        slf.get().handle.reduce(slf.get_type().as_any(), &PyDict::new(slf.py()))
    }

    fn __repr__(&self) -> String {
        let Self { handle, capacity } = self;
        let name = &handle.name;
        match handle.get() {
            Some(queue) => format!("<madang.Queue {name:?}: {} messages, capacity {capacity}>", queue.len()),
            None => format!("<madang.Queue {name:?}: closed>"),
        }
    }
}

impl Queue {
    #[cold]
    fn bad_type(&self, r#type: i64) -> Error {
        let name = &self.handle.name;
        let what = format!("reserve {name:?}: type {}: a message's type is greater than 0 (EINVAL)", r#type);
        Error::os(libc::EINVAL, what)
    }

    /// Receives a small message if there is one.
    #[inline]
    fn try_small<'py>(&self, py: Python<'py>, select: Select) -> Result<Message<'py>> {
        let mut handle = self.handle.lock();
        let (queue, scratch) = handle.parts(&self.handle)?;
        let received = queue.recv_into(select, &mut scratch.small[..], Deadline::INSTANT)?;
        // Making a `bytes` runs no code of Python's; making the tuple may (the garbage collector).
        let data = buffer::bytes(py, &scratch.small[..received.length])?;
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
        match room.receive(self.handle.lock().object(&self.handle)?, select, Deadline::INSTANT) {
            Err(error) if matches!(error.errno(), libc::EAGAIN | libc::EBUSY) => Ok(None),
            outcome => Ok(Some(outcome?)),
        }
    }

    fn wait_into(&self, py: Python, select: Select, room: &mut Room, deadline: Deadline) -> Result<madang::Received> {
        timeout::wait(py, deadline, |slice| {
            let queue = self.handle.share()?;
            py.detach(|| Ok(room.receive(&queue, select, slice)?))
        })
    }
}
