//! `madang_pipe_*`: pipes for C.

use std::ffi::{c_int, c_void};
use std::os::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd};

use madang_core::pipe::{self, Reader, Writer};

use crate::deadline::limit;
use crate::error::{Failure, Result, call};
use crate::handle::{Handle, Shell, shell};
use crate::pointer::{self, Place};
use crate::shared::option_flags;

/// How many bytes a single write to a pipe or FIFO transfers as one piece, never mixed with those
/// of other writers: what <limits.h> calls PIPE_BUF.
pub const MADANG_PIPE_BUF: usize = 4096;

const _: () = assert!(MADANG_PIPE_BUF == pipe::PIPE_BUF);

/// Option flag of pipes: packet mode. Each write of at most MADANG_PIPE_BUF bytes is a packet, and
/// a read takes one; what doesn't fit its buffer is lost, so read with MADANG_PIPE_BUF bytes. A
/// longer write is several packets. O_DIRECT in pipe(2).
pub const MADANG_PACKETS: u32 = 1 << 16;

/// Option flag of pipes and FIFOs: a write that nobody reads any more raises SIGPIPE, as write(2)
/// does, which kills the process unless it is handled. Without it the write is only -EPIPE.
pub const MADANG_LEAVE_SIGPIPE: u32 = 1 << 17;

/// Flag of madang_pipe_reader_detach() and its like: the descriptor survives exec.
pub const MADANG_INHERITABLE: u32 = 1 << 18;

/// How a pipe is made: struct_size, and what shall not be the default.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct madang_pipe_options {
    /// sizeof(madang_pipe_options)
    pub struct_size: u32,
    /// 0, MADANG_PACKETS, MADANG_LEAVE_SIGPIPE, or both with |
    pub flags: u32,
    /// How many bytes it can hold at least; see madang_pipe_writer_set_capacity(). Default: the
    /// kernel's, 64 KiB as a rule.
    pub capacity: u64,
}

impl madang_pipe_options {
    fn to_core(self) -> Result<pipe::Options> {
        let known = [(MADANG_PACKETS, "MADANG_PACKETS"), (MADANG_LEAVE_SIGPIPE, "MADANG_LEAVE_SIGPIPE")];
        let [packets, leave_sigpipe] = option_flags(self.flags, known)?;
        // What is too large to count is too large for the kernel, too, which says so.
        let capacity = usize::try_from(self.capacity).unwrap_or(usize::MAX);
        Ok(pipe::options().packets(packets).leave_sigpipe(leave_sigpipe).capacity(capacity))
    }
}

/// The end of a pipe, or of a FIFO, from which one reads.
///
/// Its descriptor is close-on-exec and doesn't block; what waits, waits in here. When the last
/// reader of a pipe is closed, in whatever process, who writes gets -EPIPE.
pub struct madang_pipe_reader {
    handle: Handle<Reader>,
}

/// The end of a pipe, or of a FIFO, to which one writes.
///
/// As madang_pipe_reader. When the last writer of a pipe is closed, in whatever process, who reads
/// gets what is left, and then 0, the end of the file.
pub struct madang_pipe_writer {
    handle: Handle<Writer>,
}

shell!(madang_pipe_reader, Reader, b"piRd", "reader");
shell!(madang_pipe_writer, Writer, b"piWr", "writer");

/// Makes a pipe: bytes that are written to *writer are read from *reader, in order (pipe(7)).
///
/// options may be NULL. Both ends are written only on success; give each to its close in the end. A
/// child of fork(2) has both; it closes the one that it doesn't use, and so does the parent with
/// the other, or the end of the file is never seen. A program that is started has neither: see
/// madang_pipe_reader_detach().
///
/// Returns 0, or
///   -EMFILE, -ENFILE  too many open files
///   -EPERM, -ENOMEM   options.capacity: see madang_pipe_writer_set_capacity()
///   -EINVAL           a flag, a struct_size, or a capacity that no pipe can have
///   -E2BIG            options sets a field that this version doesn't have
///   -EFAULT           reader or writer is NULL
///
/// Doesn't wait. Any thread may call it at any time. See pipe(2).
#[unsafe(no_mangle)]
pub extern "C" fn madang_pipe_open(
    options: *const madang_pipe_options,
    reader: *mut *mut madang_pipe_reader,
    writer: *mut *mut madang_pipe_writer,
) -> c_int {
    call("madang_pipe_open", || {
        let (to_read, to_write) = (Place::new(reader)?, Place::new(writer)?);
        let (reader, writer) = pointer::options(options)?.to_core()?.pair()?;
        to_read.put_nameless(reader);
        to_write.put_nameless(writer);
        Ok(0)
    })
}

/// Takes over a descriptor from which a pipe is read, such as the standard input that a parent
/// gave.
///
/// On success fd belongs to *reader, and its number may be another file's: the pipe is opened anew
/// by way of /proc, so that whoever shares the descriptor doesn't find that it doesn't block any
/// more. (Where that can't be, because there is no /proc, or the pipe is another user's, they do.)
/// On failure fd is as it was.
///
/// Returns 0, or
///   -ENODEV            fd is not a pipe's
///   -EBADF             fd is not open, or is the end where it is written
///   -EFAULT            reader is NULL
///   -EMFILE, -ENFILE   too many open files
///
/// Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_pipe_reader_from_fd(fd: c_int, reader: *mut *mut madang_pipe_reader) -> c_int {
    call("madang_pipe_reader_from_fd", || {
        let place = Place::new(reader)?;
        place.put_nameless(pointer::take_over(fd, |fd| Ok(Reader::from_fd(fd)?))?);
        Ok(0)
    })
}

/// Takes over a descriptor to which a pipe is written; otherwise as madang_pipe_reader_from_fd().
/// flags is 0 or MADANG_LEAVE_SIGPIPE; another one is -EINVAL.
#[unsafe(no_mangle)]
pub extern "C" fn madang_pipe_writer_from_fd(fd: c_int, flags: u32, writer: *mut *mut madang_pipe_writer) -> c_int {
    call("madang_pipe_writer_from_fd", || {
        let place = Place::new(writer)?;
        let [leave] = option_flags(flags, [(MADANG_LEAVE_SIGPIPE, "MADANG_LEAVE_SIGPIPE")])?;
        let writer = pointer::take_over(fd, |fd| Ok(Writer::from_fd(fd)?))?;
        place.put_nameless(writer.leave_sigpipe(leave));
        Ok(0)
    })
}

/// Waits until there is something to read, and reads it into the capacity bytes at buffer.
///
/// It reads what there is, as far as the buffer goes; less than that is usual. flags is 0,
/// MADANG_DEADLINE or MADANG_INSTANT, which means the same as a timeout_ns of 0.
///
/// Returns how many bytes it read; 0 if there is no writer any more and never will be (with a FIFO:
/// if there is none at the moment), or capacity is 0; or
///   -EAGAIN     there is nothing, and timeout_ns is 0
///   -ETIMEDOUT  nothing came in time
///   -EINTR      a signal handler ran while it waited; nothing was read
///   -EBADF      the handle was closed
///   -EFAULT     reader is NULL, or buffer is and capacity is not 0
///   -EINVAL     an unknown flag
///
/// Waits as timeout_ns says. Any thread may call it at any time; what comes is shared among those
/// who read. See read(2), pipe(7).
#[unsafe(no_mangle)]
pub extern "C" fn madang_pipe_read(
    reader: *mut madang_pipe_reader,
    buffer: *mut c_void,
    capacity: usize,
    flags: u32,
    timeout_ns: i64,
) -> i64 {
    call("madang_pipe_read", || {
        let reader = pointer::opened(reader)?;
        let buffer = pointer::bytes_mut(buffer, capacity, "buffer")?;
        Ok(limit(flags, timeout_ns)?.run(|deadline| reader.read_uninit(buffer, deadline))? as i64)
    })
}

/// Waits until length bytes were read to buffer, or the file ends.
///
/// *filled, unless it is NULL, becomes how many bytes were read, also on failure: what came before
/// a time-out or a signal stands in the buffer.
///
/// Returns how many bytes it read: fewer than length only where the file ended before; or fails as
/// madang_pipe_read() does.
///
/// Waits as timeout_ns says, for all of it together. Any thread may call it at any time; who reads
/// at the same time takes some of what comes.
#[unsafe(no_mangle)]
pub extern "C" fn madang_pipe_read_exact(
    reader: *mut madang_pipe_reader,
    buffer: *mut c_void,
    length: usize,
    filled: *mut usize,
    flags: u32,
    timeout_ns: i64,
) -> i64 {
    call("madang_pipe_read_exact", || {
        pointer::put(filled, 0);
        let reader = pointer::opened(reader)?;
        let buffer = pointer::bytes_mut(buffer, length, "buffer")?;
        let read = reader.read_exact_uninit(buffer, limit(flags, timeout_ns)?.deadline());
        pointer::put(filled, read.as_ref().map_or_else(madang_core::Error::transferred, |read| *read));
        Ok(read? as i64)
    })
}

/// Waits until there is room in the pipe, and writes what there is room for of the length bytes at
/// data.
///
/// At most MADANG_PIPE_BUF bytes are written whole or not at all, and what other writers write
/// never stands among them. Of more it writes 1 byte or more, perhaps in pieces between which
/// others write.
///
/// Returns how many bytes it wrote, or
///   -EPIPE      nobody has the pipe open to read. SIGPIPE doesn't come, but with
///               MADANG_LEAVE_SIGPIPE
///   -EAGAIN     there is no room, and timeout_ns is 0
///   -ETIMEDOUT  there was no room in time
///   -EINTR      a signal handler ran while it waited; nothing was written
///   -EBADF      the handle was closed
///   -EFAULT     writer is NULL, or data is and length is not 0
///   -EINVAL     an unknown flag
///
/// Waits as timeout_ns says. Any thread may call it at any time. See write(2), pipe(7). To
/// spare the process SIGPIPE costs 0.1 µs from Linux 6.18 on; before, the signal is blocked in the
/// thread around the call, which is three system calls more.
#[unsafe(no_mangle)]
pub extern "C" fn madang_pipe_write(
    writer: *mut madang_pipe_writer,
    data: *const c_void,
    length: usize,
    flags: u32,
    timeout_ns: i64,
) -> i64 {
    call("madang_pipe_write", || {
        let (writer, data) = (pointer::opened(writer)?, pointer::bytes(data, length, "data")?);
        Ok(limit(flags, timeout_ns)?.run(|deadline| writer.write_until(data, deadline))? as i64)
    })
}

/// Waits until all of the length bytes at data are written.
///
/// *written, unless it is NULL, becomes how many bytes were written, also on failure: of more than
/// MADANG_PIPE_BUF bytes some may have been.
///
/// Returns 0, or fails as madang_pipe_write() does. Waits as timeout_ns says, for all of them
/// together. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_pipe_write_all(
    writer: *mut madang_pipe_writer,
    data: *const c_void,
    length: usize,
    written: *mut usize,
    flags: u32,
    timeout_ns: i64,
) -> c_int {
    call("madang_pipe_write_all", || {
        pointer::put(written, 0);
        let (writer, data) = (pointer::opened(writer)?, pointer::bytes(data, length, "data")?);
        let outcome = writer.write_all_until(data, limit(flags, timeout_ns)?.deadline());
        pointer::put(written, outcome.as_ref().map_or_else(madang_core::Error::transferred, |()| length));
        Ok(outcome.map(|()| 0)?)
    })
}

/// The descriptor, for poll(2) and its like: readable means that there is something to read, or the
/// end of the file. It is the handle's: don't close it; and it doesn't block.
///
/// Returns it, or -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any thread
/// may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_pipe_reader_fd(reader: *const madang_pipe_reader) -> c_int {
    call("madang_pipe_reader_fd", || fd(reader))
}

/// As madang_pipe_reader_fd(); writable means that there is room for MADANG_PIPE_BUF bytes.
#[unsafe(no_mangle)]
pub extern "C" fn madang_pipe_writer_fd(writer: *const madang_pipe_writer) -> c_int {
    call("madang_pipe_writer_fd", || fd(writer))
}

/// How many bytes wait in the pipe to be read: FIONREAD. Others may read and write meanwhile.
///
/// Returns it, or -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any thread
/// may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_pipe_reader_waiting(reader: *const madang_pipe_reader) -> i64 {
    call("madang_pipe_reader_waiting", || Ok(pointer::opened(reader)?.waiting()? as i64))
}

/// As madang_pipe_reader_waiting().
#[unsafe(no_mangle)]
pub extern "C" fn madang_pipe_writer_waiting(writer: *const madang_pipe_writer) -> i64 {
    call("madang_pipe_writer_waiting", || Ok(pointer::opened(writer)?.waiting()? as i64))
}

/// How many bytes the pipe can hold: F_GETPIPE_SZ. It holds them in pages, so many small writes
/// fill it before.
///
/// Returns it, or -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any thread
/// may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_pipe_reader_capacity(reader: *const madang_pipe_reader) -> i64 {
    call("madang_pipe_reader_capacity", || Ok(pointer::opened(reader)?.capacity()? as i64))
}

/// As madang_pipe_reader_capacity().
#[unsafe(no_mangle)]
pub extern "C" fn madang_pipe_writer_capacity(writer: *const madang_pipe_writer) -> i64 {
    call("madang_pipe_writer_capacity", || Ok(pointer::opened(writer)?.capacity()? as i64))
}

/// Lets the pipe hold at least so many bytes: F_SETPIPE_SZ in fcntl(2).
///
/// Returns how many it can hold now: the next power of two, and a page or more; or
///   -EPERM   more than /proc/sys/fs/pipe-max-size, and the process is not privileged; or all pipes
///            of the user together have more than /proc/sys/fs/pipe-user-pages-soft pages
///   -EBUSY   it holds more than that at the moment
///   -EINVAL  no pipe can hold so many
///   -ENOMEM  no memory
///   -EBADF   the handle was closed
///   -EFAULT  it is NULL
///
/// Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_pipe_reader_set_capacity(reader: *mut madang_pipe_reader, bytes: usize) -> i64 {
    call("madang_pipe_reader_set_capacity", || Ok(pointer::opened(reader)?.set_capacity(bytes)? as i64))
}

/// As madang_pipe_reader_set_capacity().
#[unsafe(no_mangle)]
pub extern "C" fn madang_pipe_writer_set_capacity(writer: *mut madang_pipe_writer, bytes: usize) -> i64 {
    call("madang_pipe_writer_set_capacity", || Ok(pointer::opened(writer)?.set_capacity(bytes)? as i64))
}

/// Closes the handle, but not its descriptor, which it returns: for a program that knows nothing of
/// madang, mostly a child that is about to be started. From then on it blocks as usual, in all
/// processes that share it.
///
/// flags is 0 for a descriptor that is dup2(2)ed to a child's standard input, which takes the
/// close-on-exec away; or MADANG_INHERITABLE for one that is inherited by its number. Then every
/// program that any thread starts inherits it, until it is closed here.
///
///     int fd = madang_pipe_reader_detach(reader, 0);
///     pid_t child = fork();
///     if (child == 0) {
///         dup2(fd, STDIN_FILENO);
///         execlp("sort", "sort", NULL);
///         _exit(127);
///     }
///     close(fd);
///
/// Returns the descriptor, which is the caller's, or -EBADF if the handle was closed before,
/// -EFAULT if it is NULL, -EINVAL for another flag: then nothing is closed. Doesn't wait. No other
/// thread may be inside a call with this handle.
#[unsafe(no_mangle)]
pub extern "C" fn madang_pipe_reader_detach(reader: *mut madang_pipe_reader, flags: u32) -> c_int {
    call("madang_pipe_reader_detach", || {
        if inheritable(flags)? {
            return Ok(pointer::take(reader)?.into_inheritable()?.into_raw_fd());
        }
        Ok(OwnedFd::from(pointer::take(reader)?).into_raw_fd())
    })
}

/// As madang_pipe_reader_detach().
#[unsafe(no_mangle)]
pub extern "C" fn madang_pipe_writer_detach(writer: *mut madang_pipe_writer, flags: u32) -> c_int {
    call("madang_pipe_writer_detach", || {
        if inheritable(flags)? {
            return Ok(pointer::take(writer)?.into_inheritable()?.into_raw_fd());
        }
        Ok(OwnedFd::from(pointer::take(writer)?).into_raw_fd())
    })
}

/// Closes the end. No other thread may be inside a call with it.
///
/// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
#[unsafe(no_mangle)]
pub extern "C" fn madang_pipe_reader_close(reader: *mut madang_pipe_reader) -> c_int {
    call("madang_pipe_reader_close", || pointer::close(reader).map(|()| 0))
}

/// As madang_pipe_reader_close(). What was written stays for the reader.
#[unsafe(no_mangle)]
pub extern "C" fn madang_pipe_writer_close(writer: *mut madang_pipe_writer) -> c_int {
    call("madang_pipe_writer_close", || pointer::close(writer).map(|()| 0))
}

fn fd<S: Shell>(end: *const S) -> Result<c_int>
where
    S::Object: AsFd,
{
    Ok(pointer::opened(end)?.as_fd().as_raw_fd())
}

fn inheritable(flags: u32) -> Result<bool> {
    match flags {
        0 => Ok(false),
        MADANG_INHERITABLE => Ok(true),
        _ => Err(Failure::misuse(libc::EINVAL, format!("flags {flags:#x}: it knows only MADANG_INHERITABLE"))),
    }
}
