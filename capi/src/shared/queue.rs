//! `madang_queue_*`: the queue for C.

use std::ffi::{c_char, c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr;

use libc::iovec;
use madang_core::{Error, Participant, Queue, QueueOptions, QueueStatus, Received, Select};

use super::{MADANG_ANY_OWNER, MADANG_EXCLUSIVE_RECEIVER, MADANG_EXCLUSIVE_SENDER, create, option_flags};
use crate::deadline::{MADANG_INSTANT, Outcome, limit};
use crate::error::{Failure, Result, call};
use crate::handle::{Handle, shell};
use crate::pointer::{self, Out, Outs, Place};

/// How a queue is opened: struct_size, and what shall not be the default. What a queue is like is
/// decided when it is created; of one that exists, capacity, max_messages and max_participants are
/// what it must have at least.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct madang_queue_options {
    /// sizeof(madang_queue_options)
    pub struct_size: u32,
    /// 0, or MADANG_ANY_OWNER, MADANG_EXCLUSIVE_SENDER, MADANG_EXCLUSIVE_RECEIVER
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
    /// After how many leases that were not acknowledged a message of a new queue goes to the queue
    /// dead_letters, 1 to 65,535, instead of being leased again. Default 0: never.
    pub deliveries: u32,
    /// The name of that queue, which is made when it is first needed; NULL if deliveries is 0. If it
    /// is full or can't be had, the message is leased all the same. An existing queue keeps what it
    /// was made with.
    pub dead_letters: *const c_char,
}

impl Default for madang_queue_options {
    fn default() -> Self {
        Self {
            struct_size: 0,
            flags: 0,
            capacity: 0,
            max_messages: 0,
            max_participants: 0,
            mode: 0,
            create: 0,
            deliveries: 0,
            dead_letters: ptr::null(),
        }
    }
}

impl madang_queue_options {
    fn to_core(self) -> Result<QueueOptions> {
        let known = [
            (MADANG_ANY_OWNER, "MADANG_ANY_OWNER"),
            (MADANG_EXCLUSIVE_SENDER, "MADANG_EXCLUSIVE_SENDER"),
            (MADANG_EXCLUSIVE_RECEIVER, "MADANG_EXCLUSIVE_RECEIVER"),
        ];
        let [any_owner, sends_alone, receives_alone] = option_flags(self.flags, known)?;
        let dead_letters = if self.dead_letters.is_null() { "" } else { pointer::text(self.dead_letters)? };
        let deliveries = u16::try_from(self.deliveries).map_err(|_| {
            Failure::misuse(libc::EINVAL, format!("deliveries {}: it may be 65,535 at most", self.deliveries))
        })?;
        Ok(Queue::options()
            .exclusive_sender(sends_alone)
            .exclusive_receiver(receives_alone)
            .dead_letters(dead_letters, deliveries)
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
    /// Of the messages held, how many are leased (what the dead had leased is given back first,
    /// unless somebody is inside just then)
    pub leased: u64,
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
            leased: status.leased,
        }
    }
}

/// Flag of madang_participant: it lives.
pub const MADANG_LIVES: u32 = 1;

/// Flag of madang_participant: it is the very handle that was asked.
pub const MADANG_IS_ME: u32 = 2;

/// An open handle of a queue, or what a dead one left in its place.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct madang_participant {
    /// sizeof(madang_participant), set by the caller in the first of them
    pub struct_size: u32,
    /// MADANG_LIVES, MADANG_IS_ME, both with |, or 0: it is dead, and its place goes to whoever
    /// needs it
    pub flags: u32,
    /// When it joined: nanoseconds on CLOCK_MONOTONIC
    pub joined_ns: u64,
    /// The process that opened it, as its own pid namespace numbers it: in another container that
    /// number may be another process's, or nobody's
    pub pid: u32,
    /// 0 in this version
    pub reserved: u32,
}

impl From<Participant> for madang_participant {
    fn from(participant: Participant) -> Self {
        let Participant { pid, joined_ns, lives, is_me, .. } = participant;
        let flag = |is, flag| if is { flag } else { 0 };
        let flags = flag(lives, MADANG_LIVES) | flag(is_me, MADANG_IS_ME);
        Self { struct_size: 0, flags, joined_ns, pid, reserved: 0 }
    }
}

/// Flag of receiving and leasing: select is a type, and the first message that is *not* of it is
/// wanted.
pub const MADANG_EXCEPT: u32 = 4;

/// Flag of madang_queue_recv(): a message that the buffer is too small for is cut, and what doesn't
/// fit is lost. madang_message says so with MADANG_TRUNCATED.
pub const MADANG_TRUNCATE: u32 = 8;

/// Flag of madang_queue_recv(): the message stays in the queue, and select is its position there.
pub const MADANG_PEEK: u32 = 16;

/// Flag of madang_message: the buffer was too small, and length is more than what was received. It
/// is the same number as MADANG_TRUNCATE, as MSG_TRUNC is both for recvmsg(2).
pub const MADANG_TRUNCATED: u32 = MADANG_TRUNCATE;

/// Flag of madang_message: it was handed out before by a lease that was not acknowledged.
/// redelivered says how often.
pub const MADANG_REDELIVERED: u32 = 32;

/// What is said of a message that was received or leased.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct madang_message {
    /// sizeof(madang_message), set by the caller
    pub struct_size: u32,
    /// MADANG_REDELIVERED, MADANG_TRUNCATED, both with |, or 0
    pub flags: u32,
    /// Its type, greater than 0
    pub r#type: i64,
    /// Its length in bytes. After -E2BIG: what the buffer needs; nothing else is written then.
    pub length: u64,
    /// How many messages were sent to this queue before it. No other message of the queue has the
    /// same: by this who receives one for the second time can tell.
    pub sequence: u64,
    /// How often it was handed out before by leases that were not acknowledged; 65,535 is that, or
    /// more
    pub redelivered: u32,
    /// 0 in this version
    pub reserved: u32,
}

impl madang_message {
    #[inline]
    pub(super) fn new(mtype: i64, length: usize, sequence: u64, redelivered: u32) -> Self {
        let flags = if redelivered > 0 { MADANG_REDELIVERED } else { 0 };
        Self { struct_size: 0, flags, r#type: mtype, length: length as u64, sequence, redelivered, reserved: 0 }
    }
}

impl From<Received> for madang_message {
    #[inline]
    fn from(received: Received) -> Self {
        let mut message = Self::new(received.mtype, received.message_length, received.sequence, received.redelivered);
        if received.is_cut() {
            message.flags |= MADANG_TRUNCATED;
        }
        message
    }
}

/// Which message a call's select and flags mean. Flags that have nothing to do with it are not
/// looked at.
#[inline]
pub(crate) fn selected(select: i64, flags: u32) -> Result<Select> {
    match (flags & MADANG_EXCEPT, select) {
        (0, select) => Ok(Select::from_msgtyp(select)),
        (_, 1..) => Ok(Select::Except(select)),
        _ => Err(nothing_excepted(select)),
    }
}

#[cold]
#[inline(never)]
fn nothing_excepted(select: i64) -> Failure {
    let what = format!("select {select}: with MADANG_EXCEPT it is the type that is not wanted, greater than 0");
    Failure::misuse(libc::EINVAL, what)
}

/// An open queue.
///
/// A bounded queue of messages in shared memory, for any number of senders and receivers in any
/// processes and languages. A message is a type greater than 0 and some bytes, perhaps none.
/// Messages are received in the order in which they were sent, or by their types. The queue lives
/// until madang_queue_unlink(), with what it holds, though nobody has it open.
///
/// A message whose send returned 0 is there. One whose sender was killed while sending is there
/// wholly or not at all. A receive hands over when it returns: who is killed right after it takes
/// the message along, as with msgrcv(2). With a lease it would come back: see madang_queue_lease().
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
///                with MADANG_INSTANT, for some microseconds. Or another handle has that
///                end of the queue to itself
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

/// Receives a message: its bytes into buffer, which has room for capacity bytes, and if message is
/// not NULL, what there is to say of it into *message. Set message->struct_size before, once.
///
/// select says which message, as msgrcv(2)'s msgtyp:
///   0   the first one
///   t   the first one of type t
///   -t  of the lowest type that there is, if it is not above t, the first one
///
/// flags: 0, or these with |
///   MADANG_EXCEPT    with select t: the first one that is not of type t
///   MADANG_TRUNCATE  if it is longer than capacity, its first capacity bytes are received, and the
///                    rest is lost; message->length still is its whole length, and message->flags
///                    has MADANG_TRUNCATED
///   MADANG_PEEK      it stays. select is its position: how many others, of those that are not
///                    leased, come before it. timeout_ns must be 0, for this never waits for a
///                    message.
///   MADANG_DEADLINE or MADANG_INSTANT
/// MADANG_PEEK goes with MADANG_TRUNCATE and MADANG_INSTANT only.
///
/// While there is no such message it waits, for timeout_ns nanoseconds at most; 0 doesn't wait,
/// negative waits for ever. Messages that are not selected hinder nobody, however many they are; but
/// the queue may have to set some of them aside first, which takes memory.
///
/// Returns how many bytes of buffer were filled, 0 or more: the message's length, unless it was cut.
/// Or
///   -EAGAIN      there is no such message, and timeout_ns is 0
///   -E2BIG       the message is longer than capacity: it stays, and message->length says how long
///                it is
///   -EBUSY       timeout_ns is 0, and another receiver, who is inside, doesn't get on for a second;
///                with MADANG_INSTANT, for some microseconds. Or another handle has that
///                end of the queue to itself
///   -ETIMEDOUT   the time is over
///   -EINTR       a signal handler ran while it waited
///   -EINVAL      an unknown flag, or flags that exclude each other; select is not greater than 0
///                with MADANG_EXCEPT, or negative with MADANG_PEEK; timeout_ns is not 0 with
///                MADANG_PEEK; or message->struct_size is not set
///   -ENOSPC      there is no memory to set aside the messages before the selected one: receive some
///                of those, or end leases
///   -ENOENT      to take that memory it needs the queue's file: as with madang_queue_send()
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
    // Apart from all that could go wrong, for which registers would be saved.
    if (select, flags) == (0, 0)
        && let Some(queue) = pointer::if_opened(queue)
        && let Some(buffer) = pointer::if_bytes_mut(buffer, capacity)
        && let Some(message) = Out::if_usual(message)
        && let Some(received) = queue.recv_at_once(buffer)
    {
        if let Some(message) = message {
            message.fill(&received.into());
        }
        return received.length as i64;
    }
    recv(queue, select, buffer, capacity, flags, message, timeout_ns)
}

#[inline(never)]
extern "C" fn recv(
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
        let received = if flags & MADANG_PEEK == 0 {
            let (select, cuts) = (selected(select, flags)?, flags & MADANG_TRUNCATE != 0);
            let limit = limit(flags & !(MADANG_EXCEPT | MADANG_TRUNCATE), timeout_ns)?;
            // In one place, so that the compiler puts the work itself there.
            limit.run(|deadline| match cuts {
                false => queue.recv_into_uninit(select, buffer, deadline),
                true => queue.recv_cut(select, buffer, deadline),
            })
        } else {
            peek(queue, select, buffer, flags, timeout_ns)?
        };
        let received = received.inspect_err(|error| tell_length(message, error))?;
        if let Some(message) = message {
            message.fill(&received.into());
        }
        Ok(received.length as i64)
    })
}

#[inline(never)]
fn peek(
    queue: &Queue,
    select: i64,
    buffer: &mut [MaybeUninit<u8>],
    flags: u32,
    timeout_ns: i64,
) -> Result<Outcome<Received>> {
    let position = u64::try_from(select).map_err(|_| no_position(select))?;
    let rest = flags & !(MADANG_PEEK | MADANG_TRUNCATE);
    if timeout_ns != 0 || rest & !MADANG_INSTANT != 0 {
        return Err(bad_peek());
    }
    let peek = if flags & MADANG_TRUNCATE != 0 { Queue::peek_cut } else { Queue::peek_into_uninit };
    Ok(limit(rest, 0)?.run(|deadline| peek(queue, position, buffer, deadline)))
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
        let select = selected(select, flags)?;
        let received = limit(flags & !MADANG_EXCEPT, timeout_ns)?.run(|deadline| {
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

#[cold]
fn no_position(select: i64) -> Failure {
    Failure::misuse(libc::EINVAL, format!("select {select}: with MADANG_PEEK it is a position, 0 or more"))
}

#[cold]
fn bad_peek() -> Failure {
    let what =
        "MADANG_PEEK goes with MADANG_TRUNCATE and MADANG_INSTANT only, and timeout_ns must be 0: it doesn't wait";
    Failure::misuse(libc::EINVAL, what)
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

/// Tells who takes part: every open handle, and those of killed processes whose place nobody has
/// needed since. In no order.
///
/// participants is an array of capacity structs, of which only the first one's struct_size need be
/// set. max_participants is always enough.
///
/// Returns how many there are, of which the first capacity are written: as with snprintf(3), a
/// larger number says that the array is too small. With capacity 0, participants may be NULL. Or
/// -EINVAL if struct_size is not set, -EBADF if queue was closed, -EFAULT if a pointer is NULL,
/// -EOWNERDEAD and -ENOENT as with madang_queue_send().
///
/// Doesn't wait. Any thread may call it at any time; others come and go meanwhile.
#[unsafe(no_mangle)]
pub extern "C" fn madang_queue_participants(
    queue: *mut madang_queue,
    participants: *mut madang_participant,
    capacity: usize,
) -> i64 {
    call("madang_queue_participants", || {
        let queue = pointer::opened(queue)?;
        let outs = Outs::new(participants, capacity, "participants")?;
        Ok(outs.fill_all(queue.participants()?.into_iter().map(madang_participant::from)))
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

/// Gives memory back to the system that the queue took for messages outside its rings (long, leased,
/// reserved, set aside) and does not use now. It will be taken again when it is needed.
///
/// Returns how many bytes, 0 or more, less what others took meanwhile; or -EBUSY if another
/// participant who is inside doesn't get on for a second, -EBADF if queue was closed, -EFAULT if it
/// is NULL, -EOWNERDEAD, -EUCLEAN and
/// -ENOENT as with madang_queue_send(). Doesn't wait for messages. Any thread may call it at any
/// time, while others send and receive.
#[unsafe(no_mangle)]
pub extern "C" fn madang_queue_trim(queue: *mut madang_queue) -> i64 {
    call("madang_queue_trim", || Ok(pointer::opened(queue)?.trim()? as i64))
}

/// Closes the handle. The queue lives on, with what it holds.
///
/// Leases and reservations that were made with the handle stay as they are. Until the last of them
/// has ended, its place among the queue's participants, and its descriptor, are kept.
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
