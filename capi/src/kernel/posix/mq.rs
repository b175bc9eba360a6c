//! `madang_posix_mq_*`: message queues with priorities for C.

use std::ffi::{c_char, c_int, c_void};
use std::os::fd::{AsFd, AsRawFd};

use madang_core::posix::mq::{self, Access, Notify, Queue, QueueOptions, QueueStatus};

use super::madang_posix_listed;
use crate::deadline::limit;
use crate::error::{Failure, Result, call};
use crate::handle::{Handle, shell};
use crate::pointer::{self, Out, Place};
use crate::shared::{create, option_flags};

/// Option flag of POSIX message queues: opened only to receive, which needs the permission to read
/// and no other.
pub const MADANG_POSIX_MQ_RECEIVE_ONLY: u32 = 1 << 13;

/// Option flag of POSIX message queues: opened only to send, which needs the permission to write
/// and no other.
pub const MADANG_POSIX_MQ_SEND_ONLY: u32 = 1 << 14;

/// The greatest priority of a message in a POSIX message queue.
pub const MADANG_POSIX_MQ_MAX_PRIORITY: u32 = 32_767;

const _: () = assert!(MADANG_POSIX_MQ_MAX_PRIORITY == mq::MAX_PRIORITY);

/// How a POSIX message queue is opened: struct_size, and what shall not be the default.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct madang_posix_mq_options {
    /// sizeof(madang_posix_mq_options)
    pub struct_size: u32,
    /// 0, MADANG_POSIX_MQ_RECEIVE_ONLY or MADANG_POSIX_MQ_SEND_ONLY
    pub flags: u32,
    /// Messages that a new queue holds; of an existing one the least that will do. Default: what
    /// /proc/sys/fs/mqueue/msg_default says, mostly 10; up to msg_max there, with CAP_SYS_RESOURCE
    /// up to 65,536.
    pub max_messages: u64,
    /// Bytes that a message in a new queue may have; of an existing one the least that will do.
    /// Default: what /proc/sys/fs/mqueue/msgsize_default says, mostly 8,192; up to msgsize_max
    /// there, with CAP_SYS_RESOURCE up to 16 MiB.
    pub max_message_size: u64,
    /// The permission bits of a new queue, exactly: no umask. Default 0600.
    pub mode: u32,
    /// MADANG_CREATE_IF_MISSING, the default; MADANG_CREATE_NEVER; MADANG_CREATE_ONLY
    pub create: u32,
}

impl madang_posix_mq_options {
    fn to_core(self) -> Result<QueueOptions> {
        let known = [
            (MADANG_POSIX_MQ_RECEIVE_ONLY, "MADANG_POSIX_MQ_RECEIVE_ONLY"),
            (MADANG_POSIX_MQ_SEND_ONLY, "MADANG_POSIX_MQ_SEND_ONLY"),
        ];
        let access = match option_flags(self.flags, known)? {
            [false, false] => Access::Both,
            [true, false] => Access::Receive,
            [false, true] => Access::Send,
            [true, true] => {
                return Err(Failure::misuse(libc::EINVAL, "either only to receive or only to send; for both, no flag"));
            }
        };
        Ok(Queue::options()
            .max_messages(self.max_messages)
            .max_message_size(self.max_message_size)
            .mode(self.mode)
            .create(create(self.create)?)
            .access(access))
    }
}

/// What madang_posix_mq_stat() tells; a snapshot.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct madang_posix_mq_status {
    /// sizeof(madang_posix_mq_status), set by the caller
    pub struct_size: u32,
    /// Permission bits
    pub mode: u32,
    /// The owner's user id
    pub uid: u32,
    /// The owner's group id
    pub gid: u32,
    /// The most messages that it holds
    pub max_messages: u64,
    /// The most bytes that one of them has
    pub max_message_size: u64,
    /// Messages held
    pub messages: u64,
    /// Bytes that they have together; -1 where it was opened only to send
    pub bytes: i64,
    /// Whom the queue is to tell of a message: a process id; 0 for nobody, or for one of another pid
    /// namespace; -1 where it was opened only to send
    pub notified_pid: i32,
    /// 0
    pub reserved: u32,
}

impl From<QueueStatus> for madang_posix_mq_status {
    fn from(status: QueueStatus) -> Self {
        let QueueStatus { max_messages, max_message_size, messages, bytes, notified_pid, mode, uid, gid, .. } = status;
        let bytes = bytes.map_or(-1, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
        let notified_pid = notified_pid.map_or(-1, u32::cast_signed);
        Self {
            struct_size: 0,
            mode,
            uid,
            gid,
            max_messages,
            max_message_size,
            messages,
            bytes,
            notified_pid,
            reserved: 0,
        }
    }
}

/// An open POSIX message queue (mq_overview(7)): the same as mq_open("/name") gives.
///
/// A message is some bytes with a priority. The one with the greatest is received first; of
/// several, the one sent first. Any number of processes send and receive; each message is received
/// once. It persists until madang_posix_mq_unlink(), or the machine stops.
///
/// A child of fork(2) may use the handle that it inherited; both close theirs.
pub struct madang_posix_mq {
    handle: Handle<Queue>,
}

shell!(madang_posix_mq, Queue, b"pomq", "queue");

/// Opens the POSIX message queue called name, or creates it.
///
/// name is 1 to 255 bytes of UTF-8 without '/': what is "/orders" for mq_open(3) is "orders" here.
/// options may be NULL. *queue is written only on success; give it to madang_posix_mq_close() in
/// the end. Its descriptor is close-on-exec and doesn't block.
///
/// A new queue gets its mode exactly, but for a moment it may have less: whoever opens it then may
/// see -EACCES.
///
/// Returns 0, or
///   -EINVAL        a bad name, flag, mode or struct_size; limits above the machine's; or the
///                  existing queue is smaller than asked for
///   -ENAMETOOLONG  the name
///   -ENOENT        there is none, and create is MADANG_CREATE_NEVER
///   -EEXIST        there is one, and create is MADANG_CREATE_ONLY
///   -EACCES        its permission bits don't let this process use it so
///   -EMFILE        it would hold more than this user's queues may together, RLIMIT_MSGQUEUE bytes
///                  (getrlimit(2)); or the process has too many open files
///   -ENOSPC        there are /proc/sys/fs/mqueue/queues_max queues already
///   -EBUSY         others keep making and removing it: try again
///   -E2BIG         options sets a field that this version doesn't have
///   -EFAULT        name or queue is NULL
///   -ENFILE, -ENOMEM
///                  as with mq_open(3)
///
/// Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_posix_mq_open(
    name: *const c_char,
    options: *const madang_posix_mq_options,
    queue: *mut *mut madang_posix_mq,
) -> c_int {
    call("madang_posix_mq_open", || {
        let place = Place::new(queue)?;
        let name = pointer::text(name)?;
        let queue = pointer::options(options)?.to_core()?.open(name)?;
        place.put(queue, name);
        Ok(0)
    })
}

/// Takes over a descriptor of a queue that was inherited or received. From then on it doesn't
/// block, for all who share it.
///
/// fd belongs to the queue then, and its number may be another file's; if the call fails, it stays
/// the caller's. *queue is written only on success; give it to madang_posix_mq_close() in the end.
///
/// Returns 0; -EBADF if it is no descriptor, or not one of a message queue; -EMFILE; -EFAULT if
/// queue is NULL. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_posix_mq_from_fd(fd: c_int, queue: *mut *mut madang_posix_mq) -> c_int {
    call("madang_posix_mq_from_fd", || {
        let place = Place::new(queue)?;
        place.put_nameless(pointer::take_over(fd, |fd| Ok(Queue::try_from(fd)?))?);
        Ok(0)
    })
}

/// Sends length bytes at data, with a priority from 0 to MADANG_POSIX_MQ_MAX_PRIORITY (mq_send(3)).
///
/// flags: 0, MADANG_DEADLINE or MADANG_INSTANT (here the same as no time). Waits for room for
/// timeout_ns nanoseconds, negative is for ever, by the monotonic clock.
///
/// Returns 0, or
///   -EAGAIN     it is full, and the call was not to wait
///   -ETIMEDOUT  the time is over
///   -EINTR      a signal handler ran while it waited; nothing was sent
///   -EMSGSIZE   longer than a message in this queue may be
///   -EINVAL     a bad priority or flag
///   -EBADF      the handle was closed, or opened only to receive
///   -EFAULT     queue is NULL; or data, and length is not 0
///
/// Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_posix_mq_send(
    queue: *mut madang_posix_mq,
    priority: u32,
    data: *const c_void,
    length: usize,
    flags: u32,
    timeout_ns: i64,
) -> c_int {
    call("madang_posix_mq_send", || {
        let queue = pointer::opened(queue)?;
        let data = pointer::bytes(data, length, "data")?;
        limit(flags, timeout_ns)?.run(|deadline| queue.send_until(priority, data, deadline))?;
        Ok(0)
    })
}

/// Receives the first message of the greatest priority (mq_receive(3)).
///
/// buffer has room for capacity bytes, at least what madang_posix_mq_stat() tells as
/// max_message_size. priority may be NULL. flags and timeout_ns are as in madang_posix_mq_send().
///
/// Returns the message's length, or
///   -EAGAIN     it is empty, and the call was not to wait
///   -ETIMEDOUT  the time is over
///   -EINTR      a signal handler ran while it waited; nothing was received
///   -E2BIG      the buffer is smaller than the longest message that the queue takes
///   -EINVAL     a bad flag
///   -EBADF      the handle was closed, or opened only to send
///   -EFAULT     queue or buffer is NULL
///
/// Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_posix_mq_recv(
    queue: *mut madang_posix_mq,
    buffer: *mut c_void,
    capacity: usize,
    flags: u32,
    priority: *mut u32,
    timeout_ns: i64,
) -> i64 {
    call("madang_posix_mq_recv", || {
        let queue = pointer::opened(queue)?;
        let buffer = pointer::bytes_mut(buffer, capacity, "buffer")?;
        let received = limit(flags, timeout_ns)?.run(|deadline| queue.recv_into_uninit(buffer, deadline))?;
        pointer::put_number(priority, received.priority);
        Ok(received.length as i64)
    })
}

/// Tells what the queue is, and what it holds (mq_getattr(3)).
///
/// Returns 0; -EINVAL if struct_size is not set, -EBADF if the handle was closed, -EFAULT if a
/// pointer is NULL. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_posix_mq_stat(queue: *mut madang_posix_mq, status: *mut madang_posix_mq_status) -> c_int {
    call("madang_posix_mq_stat", || {
        let out = Out::required(status, "status")?;
        out.fill(&pointer::opened(queue)?.stat()?.into());
        Ok(0)
    })
}

/// Registers this process to be told, once, when a message comes into the empty queue: by signal,
/// which carries value (si_value), SI_MESGQ as si_code, and the sender's pid and user; or, if
/// signal is 0, not at all, but nobody else can be registered meanwhile (mq_notify(3)).
///
/// Only one process can be. It isn't told as long as somebody waits in a plain mq_receive(3); who
/// waits in madang_posix_mq_recv() or poll(2) doesn't count as such. When it was told it is
/// registered no more: register anew first, then receive until -EAGAIN. The registration goes when
/// this process closes any handle of the queue.
///
/// Returns 0; -EBUSY if a process is registered already, be it this one; -EINVAL if there is no
/// such signal; -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any thread
/// may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_posix_mq_notify(queue: *mut madang_posix_mq, signal: c_int, value: c_int) -> c_int {
    call("madang_posix_mq_notify", || {
        let how = if signal == 0 { Notify::Nothing } else { Notify::Signal { signal, value } };
        pointer::opened(queue)?.notify(how)?;
        Ok(0)
    })
}

/// Takes back what madang_posix_mq_notify() registered; does nothing if this process isn't
/// registered.
///
/// Returns 0; -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any thread may
/// call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_posix_mq_cancel_notify(queue: *mut madang_posix_mq) -> c_int {
    call("madang_posix_mq_cancel_notify", || {
        pointer::opened(queue)?.cancel_notify()?;
        Ok(0)
    })
}

/// The queue's descriptor for poll(2) and its like: readable when there is a message, writable when
/// there is room. It is the handle's, and must not be closed.
///
/// Returns 0 or more; -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any
/// thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_posix_mq_fd(queue: *const madang_posix_mq) -> c_int {
    call("madang_posix_mq_fd", || Ok(pointer::opened(queue)?.as_fd().as_raw_fd()))
}

/// The name by which the queue was opened; empty if it was made of a descriptor.
///
/// Returns a text that is valid until the handle is closed, or NULL if the handle was closed or is
/// NULL (madang_last_error() tells). Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_posix_mq_name(queue: *const madang_posix_mq) -> *const c_char {
    call("madang_posix_mq_name", || pointer::name_of(queue))
}

/// Whether this handle's open created the queue.
///
/// Returns 1 or 0; -EBADF if the handle was closed, -EFAULT if it is NULL. So compare it with 1:
/// the errors are true, too. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_posix_mq_is_new(queue: *const madang_posix_mq) -> c_int {
    call("madang_posix_mq_is_new", || Ok(pointer::opened(queue)?.is_new().into()))
}

/// Closes the handle, which also takes back what this process registered with the queue, by
/// whatever handle (mq_close(3)). No other thread may be inside a call with it.
///
/// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
#[unsafe(no_mangle)]
pub extern "C" fn madang_posix_mq_close(queue: *mut madang_posix_mq) -> c_int {
    call("madang_posix_mq_close", || pointer::close(queue).map(|()| 0))
}

/// Takes the queue's name away; who has it open goes on with it. The next open makes a new one.
///
/// Returns 0; -ENOENT if there is none; -EPERM or -EACCES if it is another user's; -EINVAL or
/// -ENAMETOOLONG for a bad name; -EFAULT if it is NULL. Doesn't wait. Any thread may call it at any
/// time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_posix_mq_unlink(name: *const c_char) -> c_int {
    call("madang_posix_mq_unlink", || {
        Queue::unlink(pointer::text(name)?)?;
        Ok(0)
    })
}

/// Lists the POSIX message queues that exist, in the order of their names. They can be seen only
/// where root has mounted their file system: mkdir -p /dev/mqueue, then
/// mount -t mqueue none /dev/mqueue.
///
/// objects is an array of capacity structs, of which only the first one's struct_size need be set.
///
/// Returns how many there are, of which the first capacity are written; with capacity 0, objects
/// may be NULL. Or -ENOENT where it is not mounted; -EINVAL if struct_size is not set; -EFAULT if
/// objects is NULL; -EMFILE, -ENFILE. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_posix_mq_list(objects: *mut madang_posix_listed, capacity: usize) -> i64 {
    call("madang_posix_mq_list", || super::list(objects, capacity, mq::list))
}
