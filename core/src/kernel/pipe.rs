//! Pipes: bytes that go in at one end and come out at the other, in order (pipe(7)).
//!
//! Neither end blocks in the kernel: its description is `O_NONBLOCK`, and what waits here waits by poll(2), so that all of it
//! has an end. That is a property of the description, which whoever else has the descriptor shares; so it is only ever set on
//! descriptions of our own making, and taken back when an end is handed to another program.
//!
//! A write to a pipe that nobody reads raises SIGPIPE, which kills. Linux 6.18 has a flag of pwritev2(2) against that. Where it
//! is missing, which is learnt once, the signal is blocked in the thread around the write, and if it came, and had not been waiting
//! there before, taken by sigtimedwait(2).

#![forbid(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};

use super::wait::{polling, until_ready};
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::sys::pipe::SigpipeBlocked;
use crate::sys::{Errno, file, pipe, poll};

/// How many bytes a single write transfers as one piece, never mixed with those of other writers (pipe(7)): 4096.
pub const PIPE_BUF: usize = libc::PIPE_BUF;

/// A new pipe, all defaults: its two ends. Doesn't block.
///
/// ```
/// let (reader, writer) = madang::pipe::pair()?;
/// writer.write_all(b"hello")?;
/// drop(writer); // what was written stays; then the file ends
/// let mut bytes = [0; 16];
/// assert_eq!(reader.read(&mut bytes)?, 5);
/// assert_eq!(reader.read(&mut bytes)?, 0);
/// # Ok::<(), madang::Error>(())
/// ```
///
/// # Errors
/// `EMFILE`, `ENFILE`: too many open files.
#[doc(alias = "pipe2")]
pub fn pair() -> Result<(Reader, Writer)> {
    Options::default().pair()
}

/// All defaults; change what you need, then make a [`pair`](Options::pair).
#[must_use]
pub fn options() -> Options {
    Options::default()
}

/// What a new pipe shall be like; made by [`options`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    packets: bool,
    capacity: usize,
    leave_sigpipe: bool,
}

impl Options {
    /// Packet mode: each write of at most [`PIPE_BUF`] bytes is a packet, and a read takes one. What doesn't fit its buffer is lost, so
    /// read with `PIPE_BUF` bytes. A longer write is several packets. (`O_DIRECT`, pipe(2).)
    #[doc(alias = "O_DIRECT")]
    #[must_use]
    pub fn packets(mut self, yes: bool) -> Self {
        self.packets = yes;
        self
    }

    /// How many bytes it can hold at least; see [`Writer::set_capacity`]. 0, the default, is the kernel's: 64 KiB as a rule.
    #[must_use]
    pub fn capacity(mut self, bytes: usize) -> Self {
        self.capacity = bytes;
        self
    }

    /// A write that nobody reads any more raises SIGPIPE as write(2) does, which kills unless it is handled; for programs that want
    /// to end so.
    #[must_use]
    pub fn leave_sigpipe(mut self, yes: bool) -> Self {
        self.leave_sigpipe = yes;
        self
    }

    /// A new pipe: its two ends. Doesn't block.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE`; for a capacity as [`Writer::set_capacity`].
    pub fn pair(&self) -> Result<(Reader, Writer)> {
        let (reader, writer) = pipe::pair(self.packets).map_err(|errno| errno.during("make a pipe"))?;
        let (reader, writer) = (Reader { fd: reader }, Writer { fd: writer, leave_sigpipe: self.leave_sigpipe });
        if self.capacity > 0 {
            writer.set_capacity(self.capacity)?;
        }
        Ok((reader, writer))
    }
}

/// The end of a pipe, or of a FIFO, from which one reads. Any thread may use it; several readers share what comes.
///
/// It is closed when it is dropped; when the last reader of a pipe is gone, who writes gets `EPIPE`.
///
/// It is close-on-exec. To give it to a child, make a `Stdio` of it, which the child has as its standard input:
///
/// ```
/// use std::process::{Command, Stdio};
/// let (reader, writer) = madang::pipe::pair()?;
/// let mut child = Command::new("cat").stdin(Stdio::from(reader)).stdout(Stdio::piped()).spawn()?;
/// writer.write_all(b"from the parent")?;
/// drop(writer); // or the child would wait for more
/// assert_eq!(child.wait_with_output()?.stdout, b"from the parent");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Reader {
    fd: OwnedFd,
}

/// The end of a pipe, or of a FIFO, to which one writes. Any thread may use it; see [`write_until`](Self::write_until) for
/// what is not mixed.
///
/// It is closed when it is dropped; when the last writer of a pipe is gone, who reads gets what is left, and then the end of the file.
///
/// When nobody reads any more, writing is `EPIPE`, and no signal comes. It is close-on-exec; to give it to a child, see [`Reader`].
///
/// ```
/// use madang::{Deadline, pipe};
/// use std::time::Duration;
/// let (reader, writer) = pipe::pair()?;
/// writer.write_all_until(b"anybody?", Deadline::after(Duration::from_secs(1)))?;
/// drop(reader);
/// let error = writer.write(b"nobody?").unwrap_err();
/// assert_eq!(error.errno(), 32); // EPIPE
/// # Ok::<(), madang::Error>(())
/// ```
#[derive(Debug)]
pub struct Writer {
    fd: OwnedFd,
    leave_sigpipe: bool,
}

impl Reader {
    /// Takes an end over that somebody else made: what a parent handed to this process, as standard input.
    ///
    /// The pipe is opened anew by way of `/proc`, so that whoever shares the descriptor doesn't find that it doesn't block any
    /// more; `fd` is closed. Where that can't be (no `/proc`, or the pipe was another user's), it is `fd` that is used, and
    /// doesn't block any more, for nobody who shares it.
    ///
    /// # Errors
    /// `ENODEV` if it is no pipe; `EBADF` if it can't be read. Then it is closed.
    pub fn from_fd(fd: OwnedFd) -> Result<Self> {
        let (fd, flags) = adopt(fd)?;
        if flags.may_read() { Ok(Self { fd }) } else { Err(wrong_end("read")) }
    }

    /// As [`from_fd`](Self::from_fd), for what this library opened itself.
    pub(super) fn opened(fd: OwnedFd) -> Self {
        Self { fd }
    }

    /// Reads what is there, and doesn't wait.
    ///
    /// # Errors
    /// `EAGAIN` if there is nothing; otherwise as [`read_until`](Self::read_until).
    pub fn try_read(&self, buffer: &mut [u8]) -> Result<usize> {
        self.read_until(buffer, Deadline::NOW)
    }

    /// Waits until there is something, and reads it; how many bytes: 0 is the end of the file.
    ///
    /// # Errors
    /// As [`read_until`](Self::read_until).
    pub fn read(&self, buffer: &mut [u8]) -> Result<usize> {
        self.read_until(buffer, Deadline::NEVER)
    }

    /// As [`read`](Self::read), and waits until then at most (read(2)).
    ///
    /// It reads what there is, as far as the buffer goes; less than that is usual. 0 means that there is no writer any more and never
    /// will be (with a FIFO: that there is none at the moment), or that the buffer is empty.
    ///
    /// # Errors
    /// `ETIMEDOUT`, `EAGAIN` where nothing came; `EINTR` if a signal handler ran meanwhile. Then nothing was read.
    pub fn read_until(&self, buffer: &mut [u8], deadline: Deadline) -> Result<usize> {
        self.read_uninit(pipe::room(buffer), deadline)
    }

    /// As [`read_until`](Self::read_until), into memory that need not be initialised: as many bytes of it as this returns are then.
    ///
    /// # Errors
    /// As [`read_until`](Self::read_until).
    pub fn read_uninit(&self, buffer: &mut [MaybeUninit<u8>], deadline: Deadline) -> Result<usize> {
        let doing = || "read from a pipe".to_owned();
        until_ready(self.as_fd(), poll::IN, deadline, doing, || self.attempt(buffer))
    }

    fn attempt(&self, buffer: &mut [MaybeUninit<u8>]) -> std::result::Result<usize, Errno> {
        loop {
            let read = pipe::read(self.as_fd(), buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            // There is no writer. That poll hangs up only if there was one since this end was opened is how a FIFO's end differs
            // from its beginning.
            match poll::look(self.as_fd(), poll::IN)? {
                came if came & poll::IN != 0 => {}
                gone if gone & poll::HUP != 0 => return Ok(0),
                _ => return Err(Errno(libc::EAGAIN)),
            }
        }
    }

    /// Waits until somebody has the pipe open to write, or had since this end was opened: for a FIFO, whose reader may come
    /// first. Reading waits for a writer, too; this is for who wants to know before. It looks again and again, at first every
    /// 50 µs, at last every 5 ms.
    ///
    /// # Errors
    /// `ETIMEDOUT`, `EAGAIN`, `EINTR`; `EMFILE`, `ENFILE`: it takes a pipe of its own to find out.
    pub fn wait_for_writer_until(&self, deadline: Deadline) -> Result<()> {
        let doing = || "wait for a writer".to_owned();
        let (_scratch, to) = pipe::pair(false).map_err(|errno| errno.during(doing()))?;
        polling(deadline, libc::EAGAIN, doing, || {
            let had_one = poll::look(self.as_fd(), poll::IN)? != 0;
            match pipe::tee(self.as_fd(), to.as_fd()) {
                _ if had_one => Ok(()),
                Ok(0) => Err(Errno(libc::EAGAIN)),
                Ok(_) | Err(Errno(libc::EAGAIN)) => Ok(()),
                Err(errno) => Err(errno),
            }
        })
    }

    /// Waits until the buffer is full; how many bytes were read: fewer than it holds only where the file ended before.
    ///
    /// # Errors
    /// As [`read_exact_until`](Self::read_exact_until).
    pub fn read_exact(&self, buffer: &mut [u8]) -> Result<usize> {
        self.read_exact_until(buffer, Deadline::NEVER)
    }

    /// As [`read_exact`](Self::read_exact), and waits until then at most.
    ///
    /// # Errors
    /// As [`read_until`](Self::read_until). What was read until then stands in the buffer; [`Error::transferred`] says how
    /// many bytes.
    pub fn read_exact_until(&self, buffer: &mut [u8], deadline: Deadline) -> Result<usize> {
        self.read_exact_uninit(pipe::room(buffer), deadline)
    }

    /// As [`read_exact_until`](Self::read_exact_until), into memory that need not be initialised.
    ///
    /// # Errors
    /// As [`read_exact_until`](Self::read_exact_until).
    pub fn read_exact_uninit(&self, buffer: &mut [MaybeUninit<u8>], deadline: Deadline) -> Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.read_uninit(&mut buffer[filled..], deadline).map_err(|error| error.after(filled))? {
                0 => break,
                read => filled += read,
            }
        }
        Ok(filled)
    }
}

impl Writer {
    /// Takes an end over that somebody else made, as [`Reader::from_fd`] does.
    ///
    /// # Errors
    /// `ENODEV` if it is no pipe; `EBADF` if it can't be written. Then it is closed.
    pub fn from_fd(fd: OwnedFd) -> Result<Self> {
        let (fd, flags) = adopt(fd)?;
        if flags.may_write() { Ok(Self { fd, leave_sigpipe: false }) } else { Err(wrong_end("written")) }
    }

    /// As [`from_fd`](Self::from_fd), for what this library opened itself.
    pub(super) fn opened(fd: OwnedFd, leave_sigpipe: bool) -> Self {
        Self { fd, leave_sigpipe }
    }

    /// The same end; as [`Options::leave_sigpipe`] says from now on.
    #[must_use]
    pub fn leave_sigpipe(self, yes: bool) -> Self {
        Self { leave_sigpipe: yes, ..self }
    }

    /// Writes what there is room for, and doesn't wait.
    ///
    /// # Errors
    /// `EAGAIN` if there is no room; otherwise as [`write_until`](Self::write_until).
    pub fn try_write(&self, data: &[u8]) -> Result<usize> {
        self.write_until(data, Deadline::NOW)
    }

    /// Waits until there is room, and writes; how many bytes were written: 1 or more, unless there are none.
    ///
    /// # Errors
    /// As [`write_until`](Self::write_until).
    pub fn write(&self, data: &[u8]) -> Result<usize> {
        self.write_until(data, Deadline::NEVER)
    }

    /// As [`write`](Self::write), and waits until then at most (write(2), pipe(7)).
    ///
    /// At most [`PIPE_BUF`] bytes are written whole or not at all, and what other writers write never stands among them. Of more it writes
    /// what there is room for, perhaps in pieces between which others write.
    ///
    /// # Errors
    /// `ETIMEDOUT`, `EAGAIN` where there was no room; `EPIPE` where nobody reads any more; `EINTR` if a signal handler ran
    /// meanwhile. Then nothing was written.
    pub fn write_until(&self, data: &[u8], deadline: Deadline) -> Result<usize> {
        let doing = || format!("write {} bytes to a pipe", data.len());
        until_ready(self.as_fd(), poll::OUT, deadline, doing, || self.attempt(data)).map_err(|error| {
            match error.errno() {
                libc::EPIPE => gone(data.len()),
                _ => error,
            }
        })
    }

    /// Waits until all of it is written.
    ///
    /// # Errors
    /// As [`write_all_until`](Self::write_all_until).
    pub fn write_all(&self, data: &[u8]) -> Result<()> {
        self.write_all_until(data, Deadline::NEVER)
    }

    /// As [`write_all`](Self::write_all), and waits until then at most.
    ///
    /// # Errors
    /// As [`write_until`](Self::write_until); but of more than [`PIPE_BUF`] bytes some may have been written:
    /// [`Error::transferred`] says how many.
    pub fn write_all_until(&self, data: &[u8], deadline: Deadline) -> Result<()> {
        let mut written = 0;
        while written < data.len() {
            written += self.write_until(&data[written..], deadline).map_err(|error| error.after(written))?;
        }
        Ok(())
    }

    fn attempt(&self, data: &[u8]) -> std::result::Result<usize, Errno> {
        if self.leave_sigpipe { pipe::write(self.as_fd(), data) } else { write_without_signal(self.as_fd(), data) }
    }
}

/// Whether the kernel is believed to know the flag against SIGPIPE: until it says otherwise.
static KERNEL_SPARES: AtomicBool = AtomicBool::new(true);

fn write_without_signal(fd: BorrowedFd, data: &[u8]) -> std::result::Result<usize, Errno> {
    if KERNEL_SPARES.load(Ordering::Relaxed) {
        match pipe::write_without_signal(fd, data) {
            // EINVAL from old kernels; ENOSYS from the oldest, and where the call is forbidden.
            Err(Errno(libc::EOPNOTSUPP | libc::EINVAL | libc::ENOSYS)) => {
                KERNEL_SPARES.store(false, Ordering::Relaxed);
            }
            written => return written,
        }
    }
    write_with_signal_blocked(fd, data)
}

/// The way of older kernels.
fn write_with_signal_blocked(fd: BorrowedFd, data: &[u8]) -> std::result::Result<usize, Errno> {
    let blocked = SigpipeBlocked::new();
    let written = pipe::write(fd, data);
    // Also of a part: where somebody made the description block, the reader may have gone after that.
    if written != Ok(data.len()) {
        blocked.take_ours();
    }
    written
}

#[cold]
fn gone(length: usize) -> Error {
    Error::new(libc::EPIPE, format!("write {length} bytes to a pipe: nobody has it open to read: close this end, too"))
}

#[cold]
fn wrong_end(verb: &str) -> Error {
    Error::new(libc::EBADF, format!("take over an end of a pipe: it can't be {verb}: it is the other end"))
}

/// A description of one's own of the pipe behind `fd`, which doesn't block; or `fd` itself.
fn adopt(fd: OwnedFd) -> Result<(OwnedFd, pipe::Flags)> {
    let doing = |errno: Errno| errno.during("take over an end of a pipe");
    if !file::stat(fd.as_fd()).map_err(doing)?.is_fifo() {
        return Err(Error::new(libc::ENODEV, "take over an end of a pipe: the descriptor is not a pipe's"));
    }
    let flags = pipe::flags(fd.as_fd()).map_err(doing)?;
    match file::reopen_as(fd.as_fd(), flags.to_open()) {
        // A FIFO whose writers are gone already would not end when it is opened anew: it would wait for the next.
        Ok(own) if !has_hung_up(&fd) || has_hung_up(&own) => Ok((own, flags)),
        _ => pipe::set_blocking(fd.as_fd(), false).map(|()| (fd, flags)).map_err(doing),
    }
}

fn has_hung_up(fd: &OwnedFd) -> bool {
    poll::look(fd.as_fd(), poll::IN).is_ok_and(|seen| seen & poll::HUP != 0)
}

/// Why the capacity can't be that.
#[cold]
fn no_such_capacity(fd: BorrowedFd, bytes: usize, errno: Errno) -> Error {
    let doing = format!("let a pipe hold {bytes} bytes");
    errno.during(match errno.0 {
        libc::EPERM => format!(
            "{doing}: unprivileged users may have pipes of at most /proc/sys/fs/pipe-max-size bytes, and \
             /proc/sys/fs/pipe-user-pages-soft pages in all: ask for less, or let root raise them"
        ),
        libc::EBUSY => {
            format!("{doing}: {} bytes wait in it, which is more: read some first", pipe::waiting(fd).unwrap_or(0))
        }
        _ => doing,
    })
}

/// What both ends have.
macro_rules! both_ends {
    ($($End:ident)*) => {$(
        impl $End {
            /// How many bytes wait in the pipe to be read (`FIONREAD`). Doesn't block; others may read and write meanwhile.
            ///
            /// # Errors
            /// None that would be known.
            #[doc(alias = "FIONREAD")]
            pub fn waiting(&self) -> Result<usize> {
                pipe::waiting(self.as_fd()).map_err(|errno| errno.during("ask how many bytes wait in a pipe"))
            }

            /// How many bytes the pipe can hold (`F_GETPIPE_SZ`). It holds them in pages, so many small writes fill it before.
            ///
            /// # Errors
            /// None that would be known.
            #[doc(alias = "F_GETPIPE_SZ")]
            pub fn capacity(&self) -> Result<usize> {
                pipe::capacity(self.as_fd()).map_err(|errno| errno.during("ask how many bytes a pipe can hold"))
            }

            /// Lets the pipe hold at least so many bytes; how many that are now: the next power of two, and a page or more
            /// (`F_SETPIPE_SZ`, fcntl(2)). Doesn't block.
            ///
            /// # Errors
            /// `EPERM` for more than `/proc/sys/fs/pipe-max-size`, if one isn't privileged; `EBUSY` if it holds more than that at the
            /// moment; `EINVAL` if no pipe can hold so many; `ENOMEM`.
            #[doc(alias = "F_SETPIPE_SZ")]
            pub fn set_capacity(&self, bytes: usize) -> Result<usize> {
                pipe::set_capacity(self.as_fd(), bytes).map_err(|errno| no_such_capacity(self.as_fd(), bytes, errno))
            }

            /// Whether it is in packet mode; see [`Options::packets`].
            ///
            /// # Errors
            /// None that would be known.
            pub fn is_packets(&self) -> Result<bool> {
                let flags = pipe::flags(self.as_fd()).map_err(|errno| errno.during("ask how a pipe was opened"))?;
                Ok(flags.packets())
            }

            /// The descriptor, for a program that is to inherit it by its number: it blocks as usual, and survives exec. As long as
            /// it is open here, every program that any thread starts inherits it. (For a child's standard input or output, make a
            /// `Stdio` of the end: nobody else gets that.)
            ///
            /// # Errors
            /// None that would be known.
            pub fn into_inheritable(self) -> Result<OwnedFd> {
                let fd = OwnedFd::from(self);
                pipe::set_inheritable(fd.as_fd()).map_err(|errno| errno.during("let a pipe be inherited"))?;
                Ok(fd)
            }
        }

        impl AsFd for $End {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.fd.as_fd()
            }
        }

        /// The descriptor, which blocks as usual from now on, for whoever shares it.
        impl From<$End> for OwnedFd {
            fn from(end: $End) -> Self {
                // It can't fail: the descriptor is open.
                let _ = pipe::set_blocking(end.as_fd(), true);
                end.fd
            }
        }

        /// For a child's standard input, output or error: [`std::process::Command`].
        impl From<$End> for Stdio {
            fn from(end: $End) -> Self {
                OwnedFd::from(end).into()
            }
        }

        impl TryFrom<OwnedFd> for $End {
            type Error = Error;

            fn try_from(fd: OwnedFd) -> Result<Self> {
                Self::from_fd(fd)
            }
        }
    )*};
}

both_ends! { Reader Writer }

impl io::Read for &Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(self.read_until(buffer, Deadline::NEVER)?)
    }
}

impl io::Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(self.read_until(buffer, Deadline::NEVER)?)
    }
}

impl io::Write for &Writer {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        Ok(self.write_until(data, Deadline::NEVER)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl io::Write for Writer {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        Ok(self.write_until(data, Deadline::NEVER)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the newest kernels never come to. (That no signal comes is seen in `tests/rust/kernel/pipe.rs`.)
    #[test]
    fn the_way_of_older_kernels() {
        let (reader, writer) = pair().unwrap();
        assert_eq!(write_with_signal_blocked(writer.as_fd(), b"hello"), Ok(5));
        assert_eq!(reader.waiting().unwrap(), 5);
        drop(reader);
        for _ in 0..3 {
            assert_eq!(write_with_signal_blocked(writer.as_fd(), b"hello"), Err(Errno(libc::EPIPE)));
        }
    }
}
