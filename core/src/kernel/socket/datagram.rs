//! Single messages, to whom one likes.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::listener::cannot;
use super::message::{MESSAGE_LIMIT, Message, Wanted};
use super::place::{self, Place};
use super::stream::{explained, pass_credentials, receive_packet, refuse_fds};
use super::{Address, Transport};
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::kernel::wait::{failed, polling, until_ready};
use crate::sys::socket::Name;
use crate::sys::{poll, socket};

/// A socket for single messages, `unix:` or `udp:` (unix(7), udp(7)).
///
/// A Unix socket's datagrams arrive, in order, and who sends waits for room. Those of UDP may get lost, come twice, or in another order; a
/// receiver without room loses them.
///
/// Any thread may use it. Dropping it closes it, and takes a Unix socket's file away.
///
/// ```
/// use madang::socket::Datagram;
/// let server = Datagram::bind(&"udp:127.0.0.1:0".parse()?)?;
/// let client = Datagram::connect(server.address())?;
/// client.send(b"ping")?;
/// let ping = server.recv()?;
/// server.send_to(b"pong", &ping.address.unwrap())?;
/// assert_eq!(client.recv()?.data, b"pong");
/// # Ok::<(), madang::Error>(())
/// ```
#[derive(Debug)]
pub struct Datagram {
    // Goes first, as a listener's.
    place: Option<Place>,
    fd: OwnedFd,
    address: Address,
    peer: Option<Address>,
    credentials: AtomicBool,
    /// Held while a packet's length is looked at and the packet received.
    receiving: Mutex<()>,
}

impl Datagram {
    fn new(place: Option<Place>, fd: OwnedFd, address: Address, peer: Option<Address>) -> Self {
        Self { place, fd, address, peer, credentials: AtomicBool::new(false), receiving: Mutex::default() }
    }

    fn open(address: &Address, doing: &str) -> Result<OwnedFd> {
        if !matches!(address.transport, Transport::Unix | Transport::Udp) {
            let what = format!("{doing}: datagrams are for unix: and udp:; connect a Stream");
            return Err(Error::new(libc::EINVAL, what));
        }
        socket::open(address.domain(), libc::SOCK_DGRAM).map_err(|errno| failed(errno, doing))
    }

    /// Receives what is sent to `address`; a Unix socket's file has the mode 0600: see [`bind_mode`](Self::bind_mode).
    ///
    /// # Errors
    /// As [`Listener::bind`](super::Listener::bind).
    pub fn bind(address: &Address) -> Result<Self> {
        Self::bind_mode(address, 0o600)
    }

    /// As [`bind`](Self::bind); who may write the file may send. The bits are exact: no umask.
    ///
    /// # Errors
    /// As [`Listener::bind`](super::Listener::bind).
    pub fn bind_mode(address: &Address, mode: u32) -> Result<Self> {
        let fd = Self::open(address, &format!("bind {address}"))?;
        if let Some(path) = address.path() {
            let place = place::bind(fd.as_fd(), address, path, mode, true, || Ok(()))?;
            return Ok(Self::new(Some(place), fd, address.clone(), None));
        }
        let bound = socket::bind(fd.as_fd(), &address.name).and_then(|()| socket::local_name(fd.as_fd()));
        let name = bound.map_err(|errno| cannot(errno, address))?;
        Ok(Self::new(None, fd, Address::new(address.transport, name), None))
    }

    /// Sends to `address`, and receives what comes from there. A Unix socket gets an abstract name that the kernel chooses, so
    /// that it can be answered.
    ///
    /// # Errors
    /// `ENOENT`, `ECONNREFUSED`, `EACCES` if a Unix socket isn't there, isn't bound any more, or may not be written; `EPROTOTYPE`; `EINVAL`.
    pub fn connect(address: &Address) -> Result<Self> {
        let doing = format!("connect to {address}");
        let fd = Self::open(address, &doing)?;
        if address.transport == Transport::Unix {
            socket::bind(fd.as_fd(), &Name::Unix(Vec::new())).map_err(|errno| failed(errno, &doing))?;
        }
        place::connect(fd.as_fd(), address).map_err(|errno| explained(failed(errno, &doing)))?;
        let name = socket::local_name(fd.as_fd()).map_err(|errno| failed(errno, &doing))?;
        Ok(Self::new(None, fd, Address::new(address.transport, name), Some(address.clone())))
    }

    /// Two that are connected with each other (socketpair(2)).
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE`.
    pub fn pair() -> Result<(Self, Self)> {
        let (one, other) = socket::pair(libc::SOCK_DGRAM).map_err(|errno| failed(errno, "socketpair"))?;
        let nowhere = Address::new(Transport::Unix, Name::Unix(Vec::new()));
        let datagram = |fd| Self::new(None, fd, nowhere.clone(), Some(nowhere.clone()));
        Ok((datagram(one), datagram(other)))
    }

    /// Sends to where it is connected; waits for room.
    ///
    /// # Errors
    /// `EDESTADDRREQ` or `ENOTCONN` if it isn't; `ECONNREFUSED` if nobody receives there; `EMSGSIZE` if it is too large; `EINTR`.
    pub fn send(&self, data: &[u8]) -> Result<()> {
        self.send_with(data, &[], None, Deadline::NEVER)
    }

    /// Sends to `address`; waits for room.
    ///
    /// # Errors
    /// As [`send`](Self::send); `ENOENT`, `EACCES`.
    pub fn send_to(&self, data: &[u8], address: &Address) -> Result<()> {
        self.send_with(data, &[], Some(address), Deadline::NEVER)
    }

    /// As [`send`](Self::send) or [`send_to`](Self::send_to), but doesn't wait: `EAGAIN`.
    ///
    /// # Errors
    /// As [`send_to`](Self::send_to).
    pub fn try_send(&self, data: &[u8], address: Option<&Address>) -> Result<()> {
        self.send_with(data, &[], address, Deadline::NOW)
    }

    /// As [`send`](Self::send) or [`send_to`](Self::send_to) until the deadline (`ETIMEDOUT`), with descriptors along.
    ///
    /// # Errors
    /// As [`send_to`](Self::send_to); `EINVAL` for more than 253 descriptors, for descriptors over UDP, and for an address of another transport.
    pub fn send_with(&self, data: &[u8], fds: &[BorrowedFd], to: Option<&Address>, deadline: Deadline) -> Result<()> {
        let doing = || match to.or(self.peer.as_ref()) {
            Some(address) if !address.is_unnamed() => format!("send to {address}"),
            _ => "send".to_owned(),
        };
        refuse_fds(fds, self.address.transport).map_err(|error| error.during(doing()))?;
        if to.is_some_and(|to| to.transport != self.address.transport) {
            let what = format!("{}: this socket's addresses begin as {}", doing(), self.address);
            return Err(Error::new(libc::EINVAL, what));
        }
        let send = |name: Option<&Name>| socket::send(self.fd.as_fd(), [data, &[]], fds, name).map(drop);
        let sent = match to {
            None => until_ready(self.fd.as_fd(), poll::OUT, deadline, doing, || send(None)),
            Some(to) => place::with_name(to, |name| match self.address.transport {
                // The receiver has no room, for which one can't poll.
                Transport::Unix => polling(deadline, libc::EAGAIN, doing, || send(Some(name))),
                _ => until_ready(self.fd.as_fd(), poll::OUT, deadline, doing, || send(Some(name))),
            })
            .map_err(|errno| failed(errno, &doing()))?,
        };
        sent.map_err(explained)
    }

    /// Receives a message; waits for one.
    ///
    /// # Errors
    /// `EINTR`; `ECONNREFUSED` where UDP found nobody for what was sent before.
    pub fn recv(&self) -> Result<Message> {
        self.recv_with(Wanted::default(), Deadline::NEVER)
    }

    /// As [`recv`](Self::recv), but doesn't wait: `EAGAIN`.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn try_recv(&self) -> Result<Message> {
        self.recv_with(Wanted::default(), Deadline::NOW)
    }

    /// As [`recv`](Self::recv), but waits until the deadline: `ETIMEDOUT`.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn recv_until(&self, deadline: Deadline) -> Result<Message> {
        self.recv_with(Wanted::default(), deadline)
    }

    /// As [`recv_until`](Self::recv_until), with descriptors if those are wanted, and with at most so many bytes.
    ///
    /// # Errors
    /// As [`recv`](Self::recv); `E2BIG` if it has more bytes than are wanted: it stays.
    pub fn recv_with(&self, wanted: Wanted, deadline: Deadline) -> Result<Message> {
        let doing = || format!("receive at {}", self.address);
        let room = wanted.room(self.credentials.load(Ordering::Relaxed));
        let mut message = until_ready(self.fd.as_fd(), poll::IN, deadline, doing, || {
            let _alone = self.receiving.lock().unwrap_or_else(PoisonError::into_inner);
            receive_packet(self.fd.as_fd(), wanted, room, MESSAGE_LIMIT)
        })??;
        message.address = message.address.map(|from| Address::new(self.address.transport, from.name));
        message.address = message.address.filter(|from| !from.is_unnamed());
        Ok(message)
    }

    /// As [`Stream::pass_credentials`](super::Stream::pass_credentials).
    ///
    /// # Errors
    /// `ENOTSUP` for UDP.
    pub fn pass_credentials(&self, yes: bool) -> Result<()> {
        pass_credentials(self.fd.as_fd(), &self.address, yes)?;
        self.credentials.store(yes, Ordering::Relaxed);
        Ok(())
    }

    /// Where it receives: with the port, or the abstract name, that the kernel chose.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Where it sends, if it is connected.
    #[must_use]
    pub fn peer_address(&self) -> Option<&Address> {
        self.peer.as_ref()
    }

    /// Whether dropping it takes a file away.
    #[must_use]
    pub fn has_file(&self) -> bool {
        self.place.is_some()
    }
}

impl AsFd for Datagram {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl From<Datagram> for OwnedFd {
    /// A Unix socket's file goes.
    fn from(datagram: Datagram) -> Self {
        datagram.fd
    }
}
