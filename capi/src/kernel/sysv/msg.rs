//! `madang_sysv_msg_*`: System V message queues for C.

use std::ffi::{c_int, c_void};

use madang_core::Select;
use madang_core::sysv::msg::{self, Limits, Queue, QueueOptions, Status};

use super::{madang_sysv_change, told};
use crate::deadline::limit;
use crate::error::{Result, call};
use crate::handle::{Handle, shell};
use crate::pointer::{self, Out, Outs, Place, Slot};
use crate::shared::create;
use crate::shared::queue::{MADANG_EXCEPT, MADANG_TRUNCATE, selected};

/// How a System V message queue is opened: struct_size, and what shall not be the default.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct madang_sysv_msg_options {
    /// sizeof(madang_sysv_msg_options)
    pub struct_size: u32,
    /// The permission bits of a new queue, exactly: no umask. Default 0600.
    pub mode: u32,
    /// MADANG_CREATE_IF_MISSING, the default; MADANG_CREATE_NEVER; MADANG_CREATE_ONLY
    pub create: u32,
    /// 0
    pub reserved: u32,
}

impl madang_sysv_msg_options {
    fn to_core(self) -> Result<QueueOptions> {
        if self.reserved != 0 {
            return Err(pointer::newer::<Self>());
        }
        Ok(Queue::options().mode(self.mode).create(create(self.create)?))
    }
}

/// What there is to tell of a System V message queue (struct msqid_ds of msgctl(2)). Times are in
/// seconds since 1970, 0 is never; a pid of 0 is none, or one of another pid namespace.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct madang_sysv_msg_status {
    /// sizeof(madang_sysv_msg_status)
    pub struct_size: u32,
    /// The identifier
    pub id: i32,
    /// The key; MADANG_SYSV_PRIVATE if it has none
    pub key: i32,
    /// The permission bits
    pub mode: u32,
    /// The owner
    pub uid: u32,
    /// The owner's group
    pub gid: u32,
    /// Who made it, who has the owner's rights too
    pub creator_uid: u32,
    /// The group of who made it
    pub creator_gid: u32,
    /// How often its place in the kernel's table was given away before
    pub sequence: u32,
    /// The process that sent last
    pub last_sender: i32,
    /// The process that received last
    pub last_receiver: i32,
    /// 0
    pub reserved: u32,
    /// How many messages it holds
    pub messages: u64,
    /// How many bytes they have
    pub bytes: u64,
    /// The most bytes that it holds (msg_qbytes)
    pub capacity: u64,
    /// When the last message was sent
    pub sent_at: i64,
    /// When the last message was received
    pub received_at: i64,
    /// When it was created, or its permissions or capacity were changed last
    pub changed_at: i64,
}

impl From<Status> for madang_sysv_msg_status {
    fn from(status: Status) -> Self {
        told!(
            Self,
            status.id,
            status.permissions,
            last_sender: status.last_sender,
            last_receiver: status.last_receiver,
            reserved: 0,
            messages: status.messages,
            bytes: status.bytes,
            capacity: status.capacity,
            sent_at: status.sent_at,
            received_at: status.received_at,
            changed_at: status.changed_at,
        )
    }
}

/// What the system allows of message queues, and how much of it is used.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct madang_sysv_msg_limits {
    /// sizeof(madang_sysv_msg_limits)
    pub struct_size: u32,
    /// 0
    pub reserved: u32,
    /// The most queues (kernel.msgmni)
    pub max_queues: u64,
    /// The longest message, in bytes (kernel.msgmax)
    pub max_message: u64,
    /// A new queue's capacity in bytes, and the most without privilege (kernel.msgmnb)
    pub capacity: u64,
    /// How many queues there are
    pub queues: u64,
    /// How many messages they hold
    pub messages: u64,
    /// How many bytes those have
    pub bytes: u64,
}

impl From<Limits> for madang_sysv_msg_limits {
    fn from(limits: Limits) -> Self {
        let Limits { max_queues, max_message, capacity, queues, messages, bytes, .. } = limits;
        Self { struct_size: 0, reserved: 0, max_queues, max_message, capacity, queues, messages, bytes }
    }
}

/// An open System V message queue.
///
/// Any number of processes send and receive; a message is a type above 0 and bytes, and receivers
/// choose by type. It is the kernel's: it lives until it is removed or the machine stops. The
/// handle is the identifier, and holds nothing else.
pub struct madang_sysv_msg {
    handle: Handle<Queue>,
}

shell!(madang_sysv_msg, Queue, b"svmq", "queue");

/// Opens the System V message queue of this key, or creates it (msgget(2)). With
/// MADANG_SYSV_PRIVATE it is always a new one.
///
/// options may be NULL. *queue is written only on success; give it to madang_sysv_msg_close() in
/// the end. Opening asks for no permission: using does.
///
/// Returns 0, or
///   -ENOENT  there is none, and create is MADANG_CREATE_NEVER
///   -EEXIST  there is one, and create is MADANG_CREATE_ONLY
///   -EINVAL  a bad mode, create or struct_size; or MADANG_SYSV_PRIVATE with MADANG_CREATE_NEVER
///   -ENOSPC  there are as many as the system allows (kernel.msgmni)
///   -EBUSY   others keep making and removing it: try again
///   -E2BIG   options sets a field that this version doesn't have
///   -ENOSYS  the kernel has no System V IPC, or a container's filter forbids it
///   -ENOMEM  no memory
///   -EFAULT  queue is NULL
///
/// Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_msg_open(
    key: i32,
    options: *const madang_sysv_msg_options,
    queue: *mut *mut madang_sysv_msg,
) -> c_int {
    call("madang_sysv_msg_open", || {
        let place = Place::new(queue)?;
        place.put_nameless(pointer::options(options)?.to_core()?.open(key.into())?);
        Ok(0)
    })
}

/// Sends a message of a type above 0 (msgsnd(2)). While the queue is full it waits, for timeout_ns
/// nanoseconds at most; 0 doesn't wait, negative waits for ever. flags: 0, MADANG_DEADLINE or
/// MADANG_INSTANT, which is as timeout_ns 0 here.
///
/// To wait for ever is one bare msgsnd. The kernel has no time-out: with one it is tried again and
/// again, at first every 50 microseconds, in the end every 5 milliseconds.
///
/// Returns 0, or
///   -EAGAIN     the queue is full, and timeout_ns is 0
///   -ETIMEDOUT  the time is over
///   -EINTR      a signal handler ran while it waited
///   -EMSGSIZE   the message is longer than kernel.msgmax (by default 8192 bytes); or than the
///               queue's whole capacity, if it has not to wait for ever: to wait for that never
///               ends
///   -EIDRM      the queue was removed, perhaps while this waited
///   -EACCES     its mode doesn't let this process write
///   -EINVAL     a type below 1, or a bad flag
///   -ENOMEM     no memory
///   -EBADF      queue was closed
///   -EFAULT     queue is NULL, or data is and length is not 0
/// Whatever the error, the message was not sent.
///
/// Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_msg_send(
    queue: *mut madang_sysv_msg,
    r#type: i64,
    data: *const c_void,
    length: usize,
    flags: u32,
    timeout_ns: i64,
) -> c_int {
    call("madang_sysv_msg_send", || {
        let queue = pointer::opened(queue)?;
        let data = pointer::bytes(data, length, "data")?;
        limit(flags, timeout_ns)?.run(|deadline| queue.send_until(r#type, data, deadline))?;
        Ok(0)
    })
}

/// Receives a message (msgrcv(2)): its bytes into buffer, which has room for capacity bytes, and
/// its type into *type, which may be NULL.
///
/// select says which message, as msgrcv's msgtyp:
///   0   the first one
///   t   the first one of type t
///   -t  of the lowest type that there is, if it is not above t, the first one
///
/// flags: 0, or these with |
///   MADANG_EXCEPT    with select t: the first one that is not of type t
///   MADANG_TRUNCATE  if it is longer than capacity, the rest is lost (MSG_NOERROR); whether that
///                    was so the kernel doesn't tell
///   MADANG_DEADLINE or MADANG_INSTANT
///
/// While there is no such message it waits, for timeout_ns nanoseconds at most; 0 doesn't wait,
/// negative waits for ever, in one bare msgrcv. With a time-out it is tried again and again, as in
/// madang_sysv_msg_send(); so a message may be seen 5 ms late.
///
/// Returns how many bytes of buffer were filled, 0 or more; or
///   -EAGAIN     there is no such message, and timeout_ns is 0
///   -ETIMEDOUT  the time is over
///   -EINTR      a signal handler ran while it waited
///   -E2BIG      the message is longer than capacity, and stays; how long the kernel doesn't tell
///   -EIDRM      the queue was removed, perhaps while this waited
///   -EACCES     its mode doesn't let this process read
///   -EINVAL     an unknown flag, or select is not greater than 0 with MADANG_EXCEPT
///   -EBADF      queue was closed
///   -EFAULT     queue is NULL, or buffer is and capacity is not 0
/// Whatever the error, nothing was received, and *type was not written.
///
/// Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_msg_recv(
    queue: *mut madang_sysv_msg,
    select: i64,
    buffer: *mut c_void,
    capacity: usize,
    flags: u32,
    r#type: *mut i64,
    timeout_ns: i64,
) -> i64 {
    call("madang_sysv_msg_recv", || {
        let queue = pointer::opened(queue)?;
        let buffer = pointer::bytes_mut(buffer, capacity, "buffer")?;
        let select: Select = selected(select, flags)?;
        let limit = limit(flags & !(MADANG_EXCEPT | MADANG_TRUNCATE), timeout_ns)?;
        let received = limit.run(|deadline| match flags & MADANG_TRUNCATE {
            0 => queue.recv_into_uninit(select, buffer, deadline),
            _ => queue.recv_cut(select, buffer, deadline),
        })?;
        if let Some(slot) = Slot::optional(r#type) {
            slot.put(received.mtype);
        }
        Ok(received.length as i64)
    })
}

/// Copies the message at this position, 0 being the first, which stays (MSG_COPY of msgrcv(2)): as
/// madang_sysv_msg_recv() does. Never waits.
///
/// Returns how many bytes of buffer were filled; -EAGAIN if there are not so many messages, -E2BIG
/// if it is longer than capacity, -ENOSYS if the kernel wasn't built for it
/// (CONFIG_CHECKPOINT_RESTORE), -EIDRM, -EACCES, -EBADF, -EFAULT as there. Any thread may call it
/// at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_msg_peek(
    queue: *mut madang_sysv_msg,
    position: u64,
    buffer: *mut c_void,
    capacity: usize,
    r#type: *mut i64,
) -> i64 {
    call("madang_sysv_msg_peek", || {
        let queue = pointer::opened(queue)?;
        let received = queue.peek_into_uninit(position, pointer::bytes_mut(buffer, capacity, "buffer")?)?;
        if let Some(slot) = Slot::optional(r#type) {
            slot.put(received.mtype);
        }
        Ok(received.length as i64)
    })
}

/// Sets the most bytes that the queue holds (msg_qbytes). What it holds already stays.
///
/// Returns 0; -EPERM beyond kernel.msgmnb without CAP_SYS_RESOURCE, or if this process's user is
/// neither owner nor creator nor root; -EACCES, -EIDRM, -EINVAL for a number that no queue holds,
/// -EBADF, -EFAULT. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_msg_set_capacity(queue: *mut madang_sysv_msg, bytes: u64) -> c_int {
    call("madang_sysv_msg_set_capacity", || {
        pointer::opened(queue)?.set_capacity(bytes)?;
        Ok(0)
    })
}

/// The message queue of an identifier, as madang_sysv_msg_id() and ipcs(1) give it.
///
/// *queue is written only on success; give it to madang_sysv_msg_close() in the end.
///
/// Returns 0, -EINVAL if there is none of this identifier, -ENOSYS, or -EFAULT if queue is NULL.
/// Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_msg_from_id(id: i32, queue: *mut *mut madang_sysv_msg) -> c_int {
    call("madang_sysv_msg_from_id", || {
        let place = Place::new(queue)?;
        place.put_nameless(Queue::from_id(id)?);
        Ok(0)
    })
}

/// The identifier: any process that knows it may use the message queue too.
///
/// Returns 0 or more; -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any
/// thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_msg_id(queue: *const madang_sysv_msg) -> c_int {
    call("madang_sysv_msg_id", || Ok(pointer::opened(queue)?.id()))
}

/// Whether this handle's open created the message queue.
///
/// Returns 1 or 0; -EBADF if the handle was closed, -EFAULT if it is NULL. So compare it with 1:
/// the errors are true, too. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_msg_is_new(queue: *const madang_sysv_msg) -> c_int {
    call("madang_sysv_msg_is_new", || Ok(pointer::opened(queue)?.is_new().into()))
}

/// Tells what there is to tell of it, into *status (IPC_STAT of msgctl(2)). Set status->struct_size
/// before.
///
/// Returns 0; -EACCES if its mode doesn't let this process read it, -EIDRM if it was removed,
/// -EINVAL if struct_size is not set, -EBADF if the handle was closed, -EFAULT if a pointer is
/// NULL. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_msg_stat(queue: *const madang_sysv_msg, status: *mut madang_sysv_msg_status) -> c_int {
    call("madang_sysv_msg_stat", || {
        let out = Out::required(status, "status")?;
        out.fill(&pointer::opened(queue)?.stat()?.into());
        Ok(0)
    })
}

/// Changes owner, group or permission bits (IPC_SET of msgctl(2)). What it leaves is what was found
/// just before: of two who change at once, the later wins.
///
/// Returns 0, or
///   -EPERM   this process's user is neither owner nor creator nor root
///   -EACCES  its mode doesn't let this process read what is to stay
///   -EINVAL  a mode above 0777, an unknown flag, or a bad struct_size
///   -EIDRM   it was removed
///   -EBADF   the handle was closed
///   -EFAULT  a pointer is NULL
///
/// Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_msg_change(queue: *mut madang_sysv_msg, change: *const madang_sysv_change) -> c_int {
    call("madang_sysv_msg_change", || {
        pointer::opened(queue)?.change(super::change(change)?)?;
        Ok(0)
    })
}

/// Removes it (IPC_RMID of msgctl(2)): at once, with all messages that it holds;
/// who waits gets -EIDRM. The key is free.
/// The handle still has to be closed.
///
/// Returns 0; -EPERM if this process's user is neither owner nor creator nor root, -EIDRM if it was
/// removed before, -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any thread
/// may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_msg_remove(queue: *mut madang_sysv_msg) -> c_int {
    call("madang_sysv_msg_remove", || {
        pointer::opened(queue)?.remove()?;
        Ok(0)
    })
}

/// Removes the message queue of this identifier, as madang_sysv_msg_remove() does.
///
/// Returns 0; -EINVAL if there is none, -EPERM, -ENOSYS. Doesn't wait. Any thread may call it at
/// any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_msg_remove_id(id: i32) -> c_int {
    call("madang_sysv_msg_remove_id", || {
        Queue::remove_id(id)?;
        Ok(0)
    })
}

/// Removes the message queue of this key, as madang_sysv_msg_remove() does.
///
/// Returns 0; -ENOENT if there is none, -EINVAL for MADANG_SYSV_PRIVATE, -EPERM, -ENOSYS. Doesn't
/// wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_msg_unlink(key: i32) -> c_int {
    call("madang_sysv_msg_unlink", || {
        Queue::unlink(key.into())?;
        Ok(0)
    })
}

/// Lists all message queues of this IPC namespace, as ipcs(1) does; before Linux 4.17, those that
/// this process may read. statuses is an array of capacity structs, of which only the first one's
/// struct_size need be set.
///
/// Returns how many there are, of which the first capacity are written: as with snprintf(3), a
/// larger number says that the array is too small. With capacity 0, statuses may be NULL. Or
/// -ENOSYS; -EINVAL if struct_size is not set; -EFAULT. Doesn't wait. Any thread may call it at any
/// time; others make and remove some meanwhile.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_msg_list(statuses: *mut madang_sysv_msg_status, capacity: usize) -> i64 {
    call("madang_sysv_msg_list", || {
        let outs = Outs::new(statuses, capacity, "statuses")?;
        Ok(outs.fill_all(msg::list()?.into_iter().map(madang_sysv_msg_status::from)))
    })
}

/// Tells what the system allows, and how much of it is used, into *limits. Set limits->struct_size
/// before.
///
/// Returns 0; -ENOSYS; -EINVAL if struct_size is not set; -EFAULT if limits is NULL. Doesn't wait.
/// Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_msg_get_limits(limits: *mut madang_sysv_msg_limits) -> c_int {
    call("madang_sysv_msg_get_limits", || {
        let out = Out::required(limits, "limits")?;
        out.fill(&msg::limits()?.into());
        Ok(0)
    })
}

/// Closes the handle; the message queue lives on. No other thread may be inside a call with it.
///
/// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_msg_close(queue: *mut madang_sysv_msg) -> c_int {
    call("madang_sysv_msg_close", || pointer::close(queue).map(|()| 0))
}
