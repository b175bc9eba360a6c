//! Unix sockets: a stream of messages of one size, and packets that stay whole (SOCK_SEQPACKET).
//!
//! Several processes may share the packets' socket pair, but not the stream's: what they read would be torn.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::rc::Rc;

use super::pipe::{read_whole, write_whole};
use super::{Frame, Link, Receiver, Sender, one_pair_only};
use crate::harness::{Scenario, Task, check, unsupported};

#[derive(Clone)]
struct Pair {
    sending: Rc<OwnedFd>,
    receiving: Rc<OwnedFd>,
}

impl Pair {
    fn new(kind: libc::c_int, task: &Task) -> io::Result<Self> {
        let blocking = if task.cell.scenario == Scenario::Awake { libc::SOCK_NONBLOCK } else { 0 };
        let mut ends = [0; 2];
        // SAFETY: the kernel writes two descriptors into `ends`, which nobody else owns.
        let pair = unsafe {
            check(libc::socketpair(libc::AF_UNIX, kind | libc::SOCK_CLOEXEC, 0, ends.as_mut_ptr()))?;
            let [sending, receiving] = ends.map(|end| Rc::new(OwnedFd::from_raw_fd(end)));
            Self { sending, receiving }
        };
        if blocking != 0 {
            // SAFETY: takes numbers and touches no memory.
            check(unsafe { libc::fcntl(pair.receiving.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) })?;
        }
        pair.hold(task.capacity);
        Ok(pair)
    }

    /// Asks for room for so many bytes: beyond the machine's limit (`net.core.wmem_max`) only root gets it.
    fn hold(&self, bytes: usize) {
        let bytes = i32::try_from(bytes).unwrap_or(i32::MAX);
        for option in [libc::SO_SNDBUF, libc::SO_SNDBUFFORCE] {
            let length = size_of_val(&bytes) as libc::socklen_t;
            let value = (&raw const bytes).cast();
            // SAFETY: the value is an int, as the option wants it, and the call only reads it.
            unsafe { libc::setsockopt(self.sending.as_raw_fd(), libc::SOL_SOCKET, option, value, length) };
        }
    }
}

#[derive(Clone)]
pub(crate) struct Stream(Pair);

impl Link for Stream {
    type Sender = Self;
    type Receiver = Self;

    fn make(task: &Task, _: &str) -> io::Result<Self> {
        one_pair_only(task, "several receivers of one stream would tear its messages")?;
        Ok(Self(Pair::new(libc::SOCK_STREAM, task)?))
    }

    fn sender(&self) -> io::Result<Self> {
        Ok(self.clone())
    }

    fn receiver(&self) -> io::Result<Self> {
        Ok(self.clone())
    }
}

impl Sender for Stream {
    fn send(&mut self, frame: &Frame) -> io::Result<()> {
        write_whole(&self.0.sending, frame.body())
    }
}

impl Receiver for Stream {
    fn recv(&mut self, frame: &mut Frame) -> io::Result<usize> {
        read_whole(&self.0.receiving, frame.body_mut())
    }
}

#[derive(Clone)]
pub(crate) struct Packets(Pair);

impl Link for Packets {
    type Sender = Self;
    type Receiver = Self;

    fn make(task: &Task, _: &str) -> io::Result<Self> {
        Ok(Self(Pair::new(libc::SOCK_SEQPACKET, task)?))
    }

    fn sender(&self) -> io::Result<Self> {
        Ok(self.clone())
    }

    fn receiver(&self) -> io::Result<Self> {
        Ok(self.clone())
    }
}

impl Sender for Packets {
    fn send(&mut self, frame: &Frame) -> io::Result<()> {
        let body = frame.body();
        // SAFETY: the body is ours to read for the length of the call.
        let sent = unsafe { libc::send(self.0.sending.as_raw_fd(), body.as_ptr().cast(), body.len(), 0) };
        match usize::try_from(sent).map_err(|_| io::Error::last_os_error()) {
            Err(error) if error.raw_os_error() == Some(libc::EMSGSIZE) => {
                Err(unsupported("longer than the socket's buffer: only root may raise it"))
            }
            result => result.map(drop),
        }
    }
}

impl Receiver for Packets {
    fn recv(&mut self, frame: &mut Frame) -> io::Result<usize> {
        let body = frame.body_mut();
        // SAFETY: the body is ours to write for the length of the call.
        let length = unsafe { libc::recv(self.0.receiving.as_raw_fd(), body.as_mut_ptr().cast(), body.len(), 0) };
        usize::try_from(length).map_err(|_| io::Error::last_os_error())
    }

    fn poll(&mut self, frame: &mut Frame) -> io::Result<usize> {
        loop {
            match self.recv(frame) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
    }
}
