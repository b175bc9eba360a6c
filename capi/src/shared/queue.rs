//! `madang_queue_*`: the queue for C.

use std::ffi::{c_char, c_int, c_void};

use libc::iovec;
use madang_core::{Error, Queue, QueueOptions, QueueStatus, Received, Select};

use super::{MADANG_ANY_OWNER, create, option_flags};
use crate::deadline::limit;
use crate::error::{Failure, Result, call};
use crate::handle::{Handle, shell};
use crate::pointer::{self, Out, Outs, Place};

/// How a queue is opened: struct_size, and what shall not be the default. What a queue is like is
/// decided when it is created; of one that exists, capacity, max_messages and max_participants are
/// what it must have at least.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct madang_queue_options {
    /// sizeof(madang_queue_options)
    pub struct_size: u32,
    /// 0 or MADANG_ANY_OWNER
    pub flags: u32,
    /// The most bytes that it holds, 1 to 2^40; also the longest message. Default 1 MiB. Counted are
    /// the messages' own bytes; what madang needs to keep them comes on top. Memory is taken as it
    /// is used, and then kept until the queue is unlinked.
    pub capacity: u64,
    /// The most messages that it holds, 1 to 2^32. Default: the lesser of capacity and 65,536.
    pub max_messages: u64,
    /// How many handles of it may be open in all processes together, 1 to 65,534. Default 1,024.
    pub max_participants: u32,
    /// The permission bits of a new queue, exactly: no umask. Default 0600. Who takes part needs to
    /// read and to write.
    pub mode: u32,
    /// MADANG_CREATE_IF_MISSING, the default; MADANG_CREATE_NEVER; MADANG_CREATE_ONLY
    pub create: u32,
    /// 0 in this version
    pub reserved: u32,
}

impl madang_queue_options {
    fn to_core(self) -> Result<QueueOptions> {
        if self.reserved != 0 {
            return Err(pointer::newer::<Self>());
        }
        let [any_owner] = option_flags(self.flags, [(MADANG_ANY_OWNER, "MADANG_ANY_OWNER")])?;
        Ok(Queue::options()
            .capacity(self.capacity)
            .max_messages(self.max_messages)
            .max_participants(self.max_participants)
            .mode(self.mode)
            .create(create(self.create)?)
            .any_owner(any_owner))
    }
}

/// What a queue is and holds.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct madang_queue_status {
    /// sizeof(madang_queue_status), set by the caller
    pub struct_size: u32,
    /// How many handles of it may be open
    pub max_participants: u32,
    /// The most bytes that it holds; also the longest message
    pub capacity: u64,
    /// The most messages that it holds
    pub max_messages: u64,
    /// Bytes held
    pub bytes: u64,
    /// Messages held
    pub messages: u64,
    /// Messages ever sent to it
    pub sent: u64,
    /// Messages ever received from it
    pub received: u64,
    /// How often the living repaired what a killed process left half done
    pub repairs: u64,
    /// Bytes of memory that it takes
    pub allocated: u64,
    /// Handles of it that are open in living processes
    pub participants: u32,
    /// Permission bits
    pub mode: u32,
    /// The owner's user id
    pub uid: u32,
    /// The owner's group id
    pub gid: u32,
}

impl From<QueueStatus> for madang_queue_status {
    fn from(status: QueueStatus) -> Self {
        Self {
            struct_size: 0,
            max_participants: status.max_participants,
            capacity: status.capacity,
            max_messages: status.max_messages,
            bytes: status.bytes,
            messages: status.messages,
            sent: status.sent,
            received: status.received,
            repairs: status.repairs,
            allocated: status.allocated,
            participants: status.participants,
            mode: status.mode,
            uid: status.uid,
            gid: status.gid,
        }
    }
}

/// What is said of a message that was received.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct madang_message {
    /// sizeof(madang_message), set by the caller
    pub struct_size: u32,
    /// 0 in this version
    pub flags: u32,
    /// Its type, greater than 0
    pub r#type: i64,
    /// Its length in bytes. After -E2BIG: what the buffer needs; nothing else is written then.
    pub length: u64,
    /// How many messages were sent to this queue before it
    pub sequence: u64,
}

impl From<Received> for madang_message {
    #[inline]
    fn from(received: Received) -> Self {
        let Received { length, mtype, sequence, .. } = received;
        Self { struct_size: 0, flags: 0, r#type: mtype, length: length as u64, sequence }
    }
}

/// An open queue.
///
/// A bounded queue of messages in shared memory, for any number of senders and receivers in any
/// processes and languages. A message is a type greater than 0 and some bytes, perhaps none.
/// Messages are received in the order in which they were sent. The queue lives until
/// madang_queue_unlink(), with what it holds, though nobody has it open.
///
/// A message whose send returned 0 is there. One whose sender was killed while sending is there
/// wholly or not at all. A receive hands over when it returns: who is killed right after it takes
/// the message along, as with msgrcv(2).
pub struct madang_queue {
    handle: Handle<Queue>,
}

shell!(madang_queue, Queue, b"queu", "queue");

/// Opens the queue called name, or creates it.
///
/// name is 1 to 242 bytes of UTF-8 without '/'. The queue is the file madang.queue.<name> in
/// /dev/shm, or in the directory whose absolute path the environment variable MADANG_DIR has; in
/// set-user-id programs that is ignored. options may be NULL: all defaults. *queue is written only
/// on success; give it to madang_queue_close() in the end. Until then it keeps one descriptor.
///
/// Returns 0, or
///   -EINVAL        a bad name, limit, flag or struct_size; the existing queue is smaller than
///                  asked for; or MADANG_DIR is not an absolute path
///   -ENAMETOOLONG  the name
///   -ENOENT        there is none, and create is MADANG_CREATE_NEVER; or the directory that
///                  MADANG_DIR names is missing
///   -EEXIST        there is one, and create is MADANG_CREATE_ONLY
///   -EACCES        its permission bits don't let this process read and write it
///   -EPERM         it belongs to another user, who may have planted it: see MADANG_ANY_OWNER
///   -EISDIR, -ELOOP, -ENODEV, -ENXIO
///                  the name is a directory's, a symbolic link's, or that of some other thing that
///                  is no regular file
///   -EPROTOTYPE    the name is that of an object of another kind
///   -EPROTO        it was made by a version of madang with another layout
///   -EUCLEAN       it is damaged
///   -ENOSPC        /dev/shm (or MADANG_DIR) is full; a container's often has 64 MB
///   -EUSERS        max_participants handles are open
///   -EBUSY         others keep making and removing it: try again
///   -E2BIG         options sets a field that this version doesn't have
///   -EFAULT        name or queue is NULL
///   -ENOMEM, -EMFILE, -ENFILE
///                  as with open(2) and mmap(2)
///
/// Doesn't wait. Any thread may call it at any time. A process may open a queue several times.
#[unsafe(no_mangle)]
pub extern "C" fn madang_queue_open(
    name: *const c_char,
    options: *const madang_queue_options,
    queue: *mut *mut madang_queue,
) -> c_int {
    call("madang_queue_open", || {
        let place = Place::new(queue)?;
        let name = pointer::text(name)?;
        let queue = pointer::options(options)?.to_core()?.open(name)?;
        place.put(queue, name);
        Ok(0)
    })
}

/// Sends a message: a type greater than 0, and length bytes at data, which are copied.
///
/// length is 0 to the queue's capacity; where it is 0, data may be NULL. flags: 0, MADANG_DEADLINE
/// or MADANG_INSTANT. While the queue is full it waits, for timeout_ns nanoseconds at most; 0
/// doesn't wait, negative waits for ever.
///
/// Returns 0, or
///   -EAGAIN      the queue is full, and timeout_ns is 0
///   -EBUSY       timeout_ns is 0, and another sender, who is inside, doesn't get on for a second;
///                with MADANG_INSTANT, for some microseconds
///   -ETIMEDOUT   the time is over
///   -EINTR       a signal handler ran while it waited
///   -EINVAL      type is not greater than 0, or an unknown flag
///   -EMSGSIZE    the message is longer than the queue's capacity
///   -ENOSPC      there is no memory for the message in /dev/shm (or MADANG_DIR)
///   -ENOENT      to take memory for the message it needs the queue's file, but the program closed
///                the handle's descriptor, and the name doesn't lead to that file any more
///   -EOWNERDEAD  the other participants found this handle dead and went on without it: close it,
///                and open it anew
///   -EUCLEAN     the queue is damaged
///   -EBADF       queue was closed
///   -EFAULT      queue is NULL, or data is and length is not 0
/// Whatever the error, the message was not sent; but for -EOWNERDEAD, after which it may have been.
///
/// Any thread may call it at any time, while others send and receive with the same handle.
#[unsafe(no_mangle)]
pub extern "C" fn madang_queue_send(
    queue: *mut madang_queue,
    r#type: i64,
    data: *const c_void,
    length: usize,
    flags: u32,
    timeout_ns: i64,
) -> c_int {
    // Apart from all that could go wrong, for which registers would be saved.
    if flags == 0
        && let Some(queue) = pointer::if_opened(queue)
        && let Some(data) = pointer::if_bytes(data, length)
        && queue.send_at_once(r#type, data)
    {
        return 0;
    }
    send(queue, r#type, data, length, flags, timeout_ns)
}

#[inline(never)]
extern "C" fn send(
    queue: *mut madang_queue,
    r#type: i64,
    data: *const c_void,
    length: usize,
    flags: u32,
    timeout_ns: i64,
) -> c_int {
    call("madang_queue_send", || {
        let queue = pointer::opened(queue)?;
        let data = pointer::bytes(data, length, "data")?;
        limit(flags, timeout_ns)?.run(|deadline| queue.send_until(r#type, data, deadline))?;
        Ok(0)
    })
}

/// Receives the first message: its bytes into buffer, which has room for capacity bytes, and if
/// message is not NULL, what there is to say of it into *message.
///
/// select is 0 in this version: any type. flags: 0, MADANG_DEADLINE or MADANG_INSTANT. While there
/// is no message it waits, for timeout_ns nanoseconds at most; 0 doesn't wait, negative waits for
/// ever. Set message->struct_size before, once.
///
/// Returns the message's length, 0 or more, or
///   -EAGAIN      there is no message, and timeout_ns is 0
///   -E2BIG       the message is longer than capacity: it stays, and message->length says how long
///                it is
///   -EBUSY       timeout_ns is 0, and another receiver, who is inside, doesn't get on for a second;
///                with MADANG_INSTANT, for some microseconds
///   -ETIMEDOUT   the time is over
///   -EINTR       a signal handler ran while it waited
///   -EINVAL      an unknown flag, or message->struct_size is not set
///   -ENOTSUP     select is not 0
///   -EOWNERDEAD  the other participants found this handle dead and went on without it: close it,
///                and open it anew
///   -EUCLEAN     the queue is damaged
///   -EBADF       queue was closed
///   -EFAULT      queue is NULL, or buffer is and capacity is not 0
/// Whatever the error, nothing was received; but for -EOWNERDEAD, after which a message may have
/// been. *message was not written (but for its length on -E2BIG), and what is in buffer is
/// undefined.
///
/// Any thread may call it at any time, while others send and receive with the same handle. Each
/// message goes to one.
#[unsafe(no_mangle)]
pub extern "C" fn madang_queue_recv(
    queue: *mut madang_queue,
    select: i64,
    buffer: *mut c_void,
    capacity: usize,
    flags: u32,
    message: *mut madang_message,
    timeout_ns: i64,
) -> i64 {
    call("madang_queue_recv", || {
        let queue = pointer::opened(queue)?;
        let message = Out::optional(message)?;
        let buffer = pointer::bytes_mut(buffer, capacity, "buffer")?;
        let select = selected(select)?;
        let received = limit(flags, timeout_ns)?.run(|deadline| queue.recv_into_uninit(select, buffer, deadline));
        let received = received.inspect_err(|error| tell_length(message, error))?;
        if let Some(message) = message {
            message.fill(&received.into());
        }
        Ok(received.length as i64)
    })
}

/// A message to be sent with others. Never grows, so it needs no struct_size.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct madang_item {
    /// Greater than 0
    pub r#type: i64,
    /// Its bytes, which are copied; may be NULL if there are none
    pub data: *const c_void,
    /// How many, 0 to the queue's capacity
    pub length: usize,
}

/// Sends count messages, in this order. Many small ones cost a fraction of as many sends.
///
/// flags: 0, MADANG_DEADLINE or MADANG_INSTANT. While the queue is full it waits, for timeout_ns
/// nanoseconds at most, for all of them together; 0 doesn't wait, negative waits until all are sent.
///
/// They need not be received together, nor is sending them one step: others' messages may come in
/// between, and who is killed on the way has sent the first of them.
///
/// Returns how many it sent, the first of them: 1 to count; 0 only if count is 0. Less than count
/// means that what would be an error came up after some were sent: send the rest again to learn it.
/// If none was sent it returns the errors of madang_queue_send(); and
///   -EINVAL, -EMSGSIZE, -EFAULT
///                also for any of the items: madang_last_error() has its index; then none was sent
///   -EFAULT      items is NULL and count is not 0
///
/// Any thread may call it at any time, while others send and receive with the same handle.
#[unsafe(no_mangle)]
pub extern "C" fn madang_queue_send_many(
    queue: *mut madang_queue,
    items: *const madang_item,
    count: usize,
    flags: u32,
    timeout_ns: i64,
) -> i64 {
    call("madang_queue_send_many", || {
        let queue = pointer::opened(queue)?;
        let items = pointer::items(items, count)?;
        let mut sent = 0;
        let outcome = limit(flags, timeout_ns)?
            .run(|deadline| queue.send_rest(count, |index| items.message(index), &mut sent, deadline));
        match outcome {
            Err(error) if sent == 0 => Err(error.into()),
            _ => Ok(sent as i64),
        }
    })
}

/// Sends one message whose bytes lie in several pieces, one after the other, as writev(2) does:
/// nobody has to put them together before.
///
/// pieces is an array of count struct iovec (sys/uio.h); where iov_len is 0, iov_base may be NULL.
/// All else as madang_queue_send().
///
/// Returns 0, or the errors of madang_queue_send(); -EFAULT also if pieces is NULL and count is not
/// 0; -EINVAL also if a piece is larger than any memory.
///
/// Any thread may call it at any time, while others send and receive with the same handle.
#[unsafe(no_mangle)]
pub extern "C" fn madang_queue_sendv(
    queue: *mut madang_queue,
    r#type: i64,
    pieces: *const iovec,
    count: usize,
    flags: u32,
    timeout_ns: i64,
) -> c_int {
    call("madang_queue_sendv", || {
        let queue = pointer::opened(queue)?;
        let pieces = pointer::pieces(pieces, count)?;
        limit(flags, timeout_ns)?
            .run(|deadline| queue.send_pieces(r#type, pieces.count(), |index| pieces.bytes(index), deadline))?;
        Ok(0)
    })
}

/// Receives the first messages, as many as there are, buffer has room for and count allows: their
/// bytes into buffer, which has room for capacity bytes, and what there is to say of them into
/// messages, which has room for count. It waits only for the first.
///
/// The first message begins where buffer does, and each other one at the next multiple of 8 bytes
/// behind the one before. select, flags and timeout_ns as with madang_queue_recv(). Set
/// messages[0].struct_size before, once: it is that of all, and is put into the others.
///
/// Returns how many it received, 1 to count; 0 only if count is 0; or the errors of
/// madang_queue_recv(), -E2BIG if already the first is longer than capacity: it stays, and
/// messages[0].length says how long it is. -EFAULT also if messages is NULL and count is not 0.
/// Whatever the error, nothing was received; but for -EOWNERDEAD, after which some may have been.
/// What is in buffer behind and between what was received, and in messages behind it, is undefined.
///
/// Any thread may call it at any time, while others send and receive with the same handle. Each
/// message goes to one. Who is killed right after it returned takes all of them along.
#[unsafe(no_mangle)]
pub extern "C" fn madang_queue_recv_many(
    queue: *mut madang_queue,
    select: i64,
    buffer: *mut c_void,
    capacity: usize,
    messages: *mut madang_message,
    count: usize,
    flags: u32,
    timeout_ns: i64,
) -> i64 {
    call("madang_queue_recv_many", || {
        let queue = pointer::opened(queue)?;
        let messages = Outs::new(messages, count, "messages")?;
        let buffer = pointer::bytes_mut(buffer, capacity, "buffer")?;
        let select = selected(select)?;
        let received = limit(flags, timeout_ns)?.run(|deadline| {
            let mut index = 0;
            let note = |received: Received| {
                messages.fill(index, &received.into());
                index += 1;
            };
            queue.recv_many_into_uninit(select, buffer, count, note, deadline)
        });
        Ok(received.inspect_err(|error| tell_length(messages.first(), error))? as i64)
    })
}

#[inline]
fn selected(select: i64) -> Result<Select> {
    if select == 0 { Ok(Select::Any) } else { Err(no_such_select(select)) }
}

#[cold]
#[inline(never)]
fn no_such_select(select: i64) -> Failure {
    Failure::misuse(libc::ENOTSUP, format!("select {select}: this version receives only any type, 0"))
}

/// Tells a caller whose buffer is too small what it needs.
#[cold]
fn tell_length(message: Option<Out<madang_message>>, error: &Error) {
    if let (libc::E2BIG, Some(message)) = (error.errno(), message) {
        message.change(|message| message.length = error.length());
    }
}

/// Tells what the queue is and holds, as it was at one moment during the call. Set
/// status->struct_size before.
///
/// Returns 0, or -EINVAL if struct_size is not set, -EBADF if queue was closed, -EFAULT if a pointer
/// is NULL, -EOWNERDEAD and -ENOENT as with madang_queue_send(). *status is written only on success.
///
/// Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_queue_stat(queue: *mut madang_queue, status: *mut madang_queue_status) -> c_int {
    call("madang_queue_stat", || {
        let queue = pointer::opened(queue)?;
        let out = Out::required(status, "status")?;
        out.fill(&queue.stat()?.into());
        Ok(0)
    })
}

/// The name by which the queue was opened.
///
/// Returns a text that is valid until the handle is closed, or NULL if the handle was closed or is
/// NULL (madang_last_error() tells). Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_queue_name(queue: *const madang_queue) -> *const c_char {
    call("madang_queue_name", || pointer::name_of(queue))
}

/// Whether this handle's open created the queue.
///
/// Returns 1 or 0; -EBADF if the handle was closed, -EFAULT if it is NULL. So compare it with 1: the
/// errors are true, too. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_queue_is_new(queue: *const madang_queue) -> c_int {
    call("madang_queue_is_new", || Ok(pointer::opened(queue)?.is_new().into()))
}

/// The most bytes that the queue holds; also the longest message.
///
/// Returns 1 to 2^40; -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any
/// thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_queue_capacity(queue: *const madang_queue) -> i64 {
    call("madang_queue_capacity", || Ok(pointer::opened(queue)?.capacity() as i64))
}

/// How many messages the queue held at some moment during the call.
///
/// Returns 0 to max_messages; -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait.
/// Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_queue_messages(queue: *const madang_queue) -> i64 {
    call("madang_queue_messages", || Ok(pointer::opened(queue)?.len() as i64))
}

/// Closes the handle. The queue lives on, with what it holds.
///
/// No other thread may be inside a call with this handle. Using it afterwards is -EBADF, until 1,024
/// more queues were closed by the process; then it is undefined.
///
/// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
#[unsafe(no_mangle)]
pub extern "C" fn madang_queue_close(queue: *mut madang_queue) -> c_int {
    call("madang_queue_close", || pointer::close(queue).map(|()| 0))
}

/// Takes the name away. Who has the queue open goes on with it; its memory goes with the last of
/// them. The next open of the name creates a new queue.
///
/// Returns 0; -ENOENT if there is none; -EACCES or -EPERM if it is another user's; -EISDIR if it is
/// a directory; -EROFS if MADANG_DIR can only be read; -EINVAL or -ENAMETOOLONG for a bad name, or
/// -EINVAL for MADANG_DIR; -EFAULT if it is NULL. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_queue_unlink(name: *const c_char) -> c_int {
    call("madang_queue_unlink", || {
        Queue::unlink(pointer::text(name)?)?;
        Ok(0)
    })
}
