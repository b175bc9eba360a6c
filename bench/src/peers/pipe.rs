//! A pipe of 1 MiB, messages of one size: write(2), and read(2) until the message is whole.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::rc::Rc;

use super::{Frame, Link, Receiver, Sender};
use crate::harness::{Scenario, Task, check, unsupported};

/// Up to here writes are atomic, so that several processes may share a pipe.
const PIPE_BUF: usize = 4096;

/// The most that fcntl(2) gives an unprivileged process.
const LARGEST: usize = 1 << 20;

#[derive(Clone)]
pub(crate) struct Pipe {
    reader: Rc<OwnedFd>,
    writer: Rc<OwnedFd>,
}

impl Link for Pipe {
    type Sender = Self;
    type Receiver = Self;

    fn make(task: &Task, _: &str) -> io::Result<Self> {
        if matches!(task.cell.scenario, Scenario::Flow(pairs) if pairs > 1) && task.cell.size > PIPE_BUF {
            return Err(unsupported("beyond 4 KiB the writes of several senders mix"));
        }
        let mut ends = [0; 2];
        // SAFETY: the kernel writes two descriptors into `ends`, which nobody else owns.
        let pipe = unsafe {
            check(libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC))?;
            let [reader, writer] = ends.map(|end| Rc::new(OwnedFd::from_raw_fd(end)));
            Self { reader, writer }
        };
        // SAFETY: both calls take numbers and touch no memory.
        unsafe {
            check(libc::fcntl(pipe.writer.as_raw_fd(), libc::F_SETPIPE_SZ, task.capacity.min(LARGEST)))?;
            if task.cell.scenario == Scenario::Awake {
                check(libc::fcntl(pipe.reader.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK))?;
            }
        }
        Ok(pipe)
    }

    fn sender(&self) -> io::Result<Self> {
        Ok(self.clone())
    }

    fn receiver(&self) -> io::Result<Self> {
        Ok(self.clone())
    }
}

impl Sender for Pipe {
    fn send(&mut self, frame: &Frame) -> io::Result<()> {
        write_whole(&self.writer, frame.body())
    }
}

impl Receiver for Pipe {
    fn recv(&mut self, frame: &mut Frame) -> io::Result<usize> {
        read_whole(&self.reader, frame.body_mut())
    }
}

/// Writes all of it, however many calls that takes.
pub(super) fn write_whole(fd: &OwnedFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        // SAFETY: the bytes are ours to read for the length of the call.
        let written = unsafe { libc::write(fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) };
        bytes = &bytes[usize::try_from(written).map_err(|_| io::Error::last_os_error())?..];
    }
    Ok(())
}

/// Reads until the buffer is full; where the descriptor doesn't block, by polling.
pub(super) fn read_whole(fd: &OwnedFd, bytes: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        let rest = &mut bytes[filled..];
        // SAFETY: the rest is ours to write for the length of the call.
        match unsafe { libc::read(fd.as_raw_fd(), rest.as_mut_ptr().cast(), rest.len()) } {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            length if length > 0 => filled += length.unsigned_abs(),
            _ => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::WouldBlock => {}
                error => return Err(error),
            },
        }
    }
    Ok(filled)
}
