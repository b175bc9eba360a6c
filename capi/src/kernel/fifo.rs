//! `madang_fifo_*`: FIFOs for C. Their ends are `madang_pipe_*`'s.

use std::ffi::{c_char, c_int};

use madang_core::fifo::{self, Options};

use super::pipe::{MADANG_LEAVE_SIGPIPE, madang_pipe_reader, madang_pipe_writer};
use crate::deadline::limit;
use crate::error::{Result, call};
use crate::pointer::{self, Place};
use crate::shared::{MADANG_ANY_OWNER, create, option_flags};

/// How a FIFO is opened: struct_size, and what shall not be the default.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct madang_fifo_options {
    /// sizeof(madang_fifo_options)
    pub struct_size: u32,
    /// 0, MADANG_ANY_OWNER, MADANG_LEAVE_SIGPIPE, or both with |
    pub flags: u32,
    /// The permission bits of a new FIFO, exactly: no umask. Default 0600.
    pub mode: u32,
    /// MADANG_CREATE_IF_MISSING, the default; MADANG_CREATE_NEVER; MADANG_CREATE_ONLY
    pub create: u32,
}

impl madang_fifo_options {
    fn to_core(self) -> Result<Options> {
        let known = [(MADANG_ANY_OWNER, "MADANG_ANY_OWNER"), (MADANG_LEAVE_SIGPIPE, "MADANG_LEAVE_SIGPIPE")];
        let [any_owner, leave_sigpipe] = option_flags(self.flags, known)?;
        let options = fifo::options().mode(self.mode).create(create(self.create)?);
        Ok(options.any_owner(any_owner).leave_sigpipe(leave_sigpipe))
    }
}

/// Makes a FIFO, a pipe with a name, with exactly these permission bits: no umask. The name never
/// shows others. mode 0 is no permission at all.
///
/// Returns 0, or
///   -EEXIST         the name is taken
///   -EINVAL         mode has more than permission bits, or path can't be a file's
///   -EFAULT         path is NULL
///   -ENOENT, -EACCES, -ENOTDIR, -EROFS, -ENOSPC, -ENAMETOOLONG
///                   as with mkfifo(3): the directory
///
/// Doesn't wait. Any thread may call it at any time. Who is killed meanwhile may leave a file
/// .madang.new.* in the directory.
#[unsafe(no_mangle)]
pub extern "C" fn madang_fifo_make(path: *const c_char, mode: u32) -> c_int {
    call("madang_fifo_make", || {
        fifo::make(pointer::path(path)?, mode)?;
        Ok(0)
    })
}

/// Opens the end of a FIFO from which one reads, or makes the FIFO first.
///
/// It waits until somebody opened the other end, as open(2) does; but with a timeout_ns of 0 it
/// opens it at once: then the first madang_pipe_read() waits for a writer, and 0 is only returned
/// when one has been there and is gone. options may be NULL. *reader is written only on success;
/// give it to madang_pipe_reader_close() in the end.
///
/// Returns 0, or
///   -ETIMEDOUT     nobody opened it to write in time
///   -EINTR         a signal handler ran while it waited
///   -ENOENT        there is none, and create is MADANG_CREATE_NEVER; or there is no directory
///   -EEXIST        there is one, and create is MADANG_CREATE_ONLY
///   -ENODEV        the name is not a FIFO's
///   -ELOOP         it is a symbolic link's, which is never followed
///   -EPERM         it belongs to another user, who may have planted it: see MADANG_ANY_OWNER
///   -EACCES        permission denied
///   -EBUSY         others keep making and removing it: try again
///   -EINVAL        a flag, a struct_size, a mode, or path can't be a file's
///   -E2BIG         options sets a field that this version doesn't have
///   -EFAULT        path or reader is NULL
///   -EMFILE, -ENFILE, and what madang_fifo_make() returns
///
/// Waits as timeout_ns says: it looks again and again, at first every 50 µs, at last every 5 ms.
/// Any thread may call it at any time. See fifo(7).
#[unsafe(no_mangle)]
pub extern "C" fn madang_fifo_open_reader(
    path: *const c_char,
    options: *const madang_fifo_options,
    reader: *mut *mut madang_pipe_reader,
    flags: u32,
    timeout_ns: i64,
) -> c_int {
    call("madang_fifo_open_reader", || {
        let (place, path) = (Place::new(reader)?, pointer::path(path)?);
        let (options, deadline) = (pointer::options(options)?.to_core()?, limit(flags, timeout_ns)?.deadline());
        let reader = if deadline.is_try() { options.try_reader(path) } else { options.reader_until(path, deadline) };
        place.put_nameless(reader?);
        Ok(0)
    })
}

/// Opens the end of a FIFO to which one writes, or makes the FIFO first; and waits until somebody
/// has it open to read.
///
/// Returns 0, or -EAGAIN if nobody reads and timeout_ns is 0 (what open(2) calls ENXIO); -ETIMEDOUT
/// if nobody opened it to read in time; otherwise as madang_fifo_open_reader(). Waits as that does.
#[unsafe(no_mangle)]
pub extern "C" fn madang_fifo_open_writer(
    path: *const c_char,
    options: *const madang_fifo_options,
    writer: *mut *mut madang_pipe_writer,
    flags: u32,
    timeout_ns: i64,
) -> c_int {
    call("madang_fifo_open_writer", || {
        let (place, path) = (Place::new(writer)?, pointer::path(path)?);
        let (options, deadline) = (pointer::options(options)?.to_core()?, limit(flags, timeout_ns)?.deadline());
        place.put_nameless(options.writer_until(path, deadline)?);
        Ok(0)
    })
}

/// Opens both ends of a FIFO, which needs nobody else: for a server that doesn't want to see the
/// file end whenever a client leaves. As long as the writer is kept, reading never returns 0.
///
/// Returns 0, or fails as madang_fifo_open_reader(). Doesn't wait. Any thread may call it at any
/// time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_fifo_open_both(
    path: *const c_char,
    options: *const madang_fifo_options,
    reader: *mut *mut madang_pipe_reader,
    writer: *mut *mut madang_pipe_writer,
) -> c_int {
    call("madang_fifo_open_both", || {
        let (to_read, to_write, path) = (Place::new(reader)?, Place::new(writer)?, pointer::path(path)?);
        let (reader, writer) = pointer::options(options)?.to_core()?.both(path)?;
        to_read.put_nameless(reader);
        to_write.put_nameless(writer);
        Ok(0)
    })
}

/// Opens a side of the two-way channel called path, which is made of the FIFOs path.a and path.b,
/// and waits for the other side: both call the same. What one writes the other reads.
///
/// A side is taken by a lock on what is read (flock(2)), so there is no race, and the place of one
/// who was killed is free. It is held as long as *reader is open.
///
/// Returns 1 for the side that reads path.a, which on a new channel is who came first, 2 for the
/// other, by which they can agree who begins; or
///   -EBUSY      both sides are taken
///   -ETIMEDOUT  the other side didn't come in time; -EAGAIN if timeout_ns is 0
/// or fails as madang_fifo_open_reader(). Waits as that does.
#[unsafe(no_mangle)]
pub extern "C" fn madang_fifo_open_channel(
    path: *const c_char,
    options: *const madang_fifo_options,
    reader: *mut *mut madang_pipe_reader,
    writer: *mut *mut madang_pipe_writer,
    flags: u32,
    timeout_ns: i64,
) -> c_int {
    call("madang_fifo_open_channel", || {
        let (to_read, to_write, path) = (Place::new(reader)?, Place::new(writer)?, pointer::path(path)?);
        let (options, deadline) = (pointer::options(options)?.to_core()?, limit(flags, timeout_ns)?.deadline());
        let channel = options.channel_until(path, deadline)?;
        to_read.put_nameless(channel.reader);
        to_write.put_nameless(channel.writer);
        Ok(if channel.is_first { 1 } else { 2 })
    })
}

/// Takes the name away, if it is a FIFO's. Who has it open goes on with it.
///
/// Returns 0; -ENOENT if there is none; -ENODEV if it is no FIFO, -ELOOP if it is a symbolic link:
/// it stays; -EACCES or -EPERM if the directory doesn't permit it; -EFAULT if path is NULL. Doesn't
/// wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_fifo_remove(path: *const c_char) -> c_int {
    call("madang_fifo_remove", || {
        fifo::remove(pointer::path(path)?)?;
        Ok(0)
    })
}

/// Takes the two names of a channel away: those of them that there are. Otherwise as
/// madang_fifo_remove(); -ENOENT if there is neither.
#[unsafe(no_mangle)]
pub extern "C" fn madang_fifo_remove_channel(path: *const c_char) -> c_int {
    call("madang_fifo_remove_channel", || {
        fifo::remove_channel(pointer::path(path)?)?;
        Ok(0)
    })
}
