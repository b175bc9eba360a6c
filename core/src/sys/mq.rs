//! POSIX message queues: mq_overview(7). By number, since old C libraries have them in a library of their own.
//!
//! On Linux a queue's descriptor is a file descriptor, and the kernel wants names without the slash that mq_open(3) takes away.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::{Errno, check};

/// What a queue is made with, and what it holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attributes {
    pub(crate) max_messages: u64,
    pub(crate) max_message_size: u64,
    pub(crate) messages: u64,
}

/// What the kernel mounts as a queue file system (statfs(2)).
const MQUEUE_MAGIC: u64 = 0x1980_0202;

fn numbers(flags: i32, max_messages: i64, max_message_size: i64) -> Result<libc::mq_attr, Errno> {
    let number = |number: i64| libc::c_long::try_from(number).map_err(|_| Errno(libc::EINVAL));
    // SAFETY: all-zero is a valid `mq_attr`.
    let mut attributes: libc::mq_attr = unsafe { std::mem::zeroed() };
    attributes.mq_flags = flags.into();
    attributes.mq_maxmsg = number(max_messages)? as _;
    attributes.mq_msgsize = number(max_message_size)? as _;
    Ok(attributes)
}

/// Opens a queue, or makes one where `flags` say so; without `limits` of the kernel's default size. Its descriptor is close-on-exec and
/// doesn't block (mq_open(3)).
pub(crate) fn open(name: &CStr, flags: i32, mode: u32, limits: Option<(u64, u64)>) -> Result<OwnedFd, Errno> {
    let number = |limit: u64| i64::try_from(limit).map_err(|_| Errno(libc::EINVAL));
    let attributes = limits.map(|(count, size)| numbers(0, number(count)?, number(size)?)).transpose()?;
    let attributes = attributes.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    let flags = flags | libc::O_CLOEXEC | libc::O_NONBLOCK;
    // SAFETY: a C string and null or valid attributes, which outlive the call.
    let fd = check(unsafe { libc::syscall(libc::SYS_mq_open, name.as_ptr(), flags, mode, attributes) })?;
    // SAFETY: the kernel just made this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Sends, or fails with `EAGAIN` (mq_send(3)).
pub(crate) fn send(fd: BorrowedFd, priority: u32, data: &[u8]) -> Result<(), Errno> {
    let no_time = std::ptr::null::<libc::timespec>();
    // SAFETY: the data are valid for their length; no time is passed.
    check(unsafe {
        libc::syscall(libc::SYS_mq_timedsend, fd.as_raw_fd(), data.as_ptr(), data.len(), priority, no_time)
    })
    .map(drop)
}

/// Receives, or fails with `EAGAIN`; the message's length, and its priority (mq_receive(3)).
pub(crate) fn receive(fd: BorrowedFd, buffer: &mut [MaybeUninit<u8>]) -> Result<(usize, u32), Errno> {
    let no_time = std::ptr::null::<libc::timespec>();
    let (to, length, mut priority) = (buffer.as_mut_ptr(), buffer.len(), 0u32);
    // SAFETY: the buffer is valid for its length, and so is the priority; no time is passed.
    let received = check(unsafe {
        libc::syscall(libc::SYS_mq_timedreceive, fd.as_raw_fd(), to, length, &raw mut priority, no_time)
    })?;
    Ok((received as usize, priority))
}

/// As [`receive`], into bytes.
pub(crate) fn receive_bytes(fd: BorrowedFd, buffer: &mut [u8]) -> Result<(usize, u32), Errno> {
    // SAFETY: the same memory; the kernel writes bytes there, so that they stay initialised.
    receive(fd, unsafe { std::slice::from_raw_parts_mut(buffer.as_mut_ptr().cast(), buffer.len()) })
}

/// What the queue is (mq_getattr(3)); `EBADF` if it is none.
pub(crate) fn attributes(fd: BorrowedFd) -> Result<Attributes, Errno> {
    let mut found = numbers(0, 0, 0)?;
    let nothing = std::ptr::null::<libc::mq_attr>();
    // SAFETY: `found` is a valid place for the answer; nothing is set.
    check(unsafe { libc::syscall(libc::SYS_mq_getsetattr, fd.as_raw_fd(), nothing, &raw mut found) })?;
    Ok(Attributes {
        max_messages: found.mq_maxmsg as u64,
        max_message_size: found.mq_msgsize as u64,
        messages: found.mq_curmsgs as u64,
    })
}

/// Lets calls with this description not block any more (mq_setattr(3)).
pub(crate) fn set_nonblocking(fd: BorrowedFd) -> Result<(), Errno> {
    let wanted = numbers(libc::O_NONBLOCK, 0, 0)?;
    let nothing = std::ptr::null_mut::<libc::mq_attr>();
    // SAFETY: the attributes are valid; nothing is asked for.
    check(unsafe { libc::syscall(libc::SYS_mq_getsetattr, fd.as_raw_fd(), &raw const wanted, nothing) }).map(drop)
}

/// Registers this process to be told of a message by a signal with a value, or, for `None`, in no way (mq_notify(3)).
pub(crate) fn notify(fd: BorrowedFd, signal: Option<(i32, i32)>) -> Result<(), Errno> {
    // SAFETY: all-zero is a valid `sigevent`.
    let mut event: libc::sigevent = unsafe { std::mem::zeroed() };
    event.sigev_notify = libc::SIGEV_NONE;
    if let Some((number, value)) = signal {
        event.sigev_notify = libc::SIGEV_SIGNAL;
        event.sigev_signo = number;
        // SAFETY: `sigval` is a union of a pointer and an int, both at its start.
        unsafe { (&raw mut event.sigev_value).cast::<libc::c_int>().write(value) };
    }
    // SAFETY: the event outlives the call.
    check(unsafe { libc::syscall(libc::SYS_mq_notify, fd.as_raw_fd(), &raw const event) }).map(drop)
}

/// Takes this process's registration back, if it has one.
pub(crate) fn cancel_notify(fd: BorrowedFd) -> Result<(), Errno> {
    let nothing = std::ptr::null::<libc::sigevent>();
    // SAFETY: no memory is passed.
    check(unsafe { libc::syscall(libc::SYS_mq_notify, fd.as_raw_fd(), nothing) }).map(drop)
}

/// Takes the name away (mq_unlink(3)).
pub(crate) fn unlink(name: &CStr) -> Result<(), Errno> {
    // SAFETY: a C string that outlives the call.
    check(unsafe { libc::syscall(libc::SYS_mq_unlink, name.as_ptr()) }).map(drop)
}

/// Whether queues are shown as files in that directory (statfs(2)).
pub(crate) fn shows_queues(directory: &CStr) -> Result<bool, Errno> {
    // SAFETY: all-zero is a valid `statfs64`.
    let mut found: libc::statfs64 = unsafe { std::mem::zeroed() };
    // SAFETY: a C string, and a valid place for the answer.
    check(unsafe { libc::statfs64(directory.as_ptr(), &raw mut found) }.into())?;
    Ok(found.f_type as u64 == MQUEUE_MAGIC)
}
