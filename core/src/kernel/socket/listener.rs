//! The server's end: bind, listen, accept.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::place::{self, Place};
use super::{Address, Stream, Transport};
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::kernel::wait::{failed, until_ready};
use crate::sys::{Errno, poll, socket};

/// How a [`Listener`] is made; by [`Listener::options`].
#[derive(Clone, Debug)]
pub struct ListenerOptions {
    mode: u32,
    backlog: i32,
    reclaim: bool,
}

impl Default for ListenerOptions {
    fn default() -> Self {
        Self { mode: 0o600, backlog: 128, reclaim: true }
    }
}

impl ListenerOptions {
    /// The permission bits of the socket's file, exactly (no umask); who may write it may connect. By default, and for 0, `0o600`.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = if mode == 0 { 0o600 } else { mode };
        self
    }

    /// How many may have connected and wait for `accept`; by default, and for 0, 128. (`net.core.somaxconn` is a limit too.)
    #[must_use]
    pub fn backlog(mut self, count: u32) -> Self {
        self.backlog = if count == 0 { 128 } else { count.try_into().unwrap_or(i32::MAX) };
        self
    }

    /// Whether a socket file at which nobody listens is replaced; by default yes.
    #[must_use]
    pub fn reclaim(mut self, yes: bool) -> Self {
        self.reclaim = yes;
        self
    }

    /// Listens at `address`: see [`Listener::bind`].
    ///
    /// # Errors
    /// See there.
    pub fn bind(&self, address: &Address) -> Result<Listener> {
        let doing = || format!("bind {address}");
        if address.transport == Transport::Udp {
            let what = format!("{}: udp has no connections: use a Datagram", doing());
            return Err(Error::new(libc::EINVAL, what));
        }
        if self.mode & !0o777 != 0 {
            let what = format!("{}: the mode {:#o} has more than permission bits", doing(), self.mode);
            return Err(Error::new(libc::EINVAL, what));
        }
        let fd = socket::open(address.domain(), address.kind()).map_err(|errno| failed(errno, &doing()))?;
        let listen = || socket::listen(fd.as_fd(), self.backlog);
        let (place, address) = match address.path() {
            Some(path) => {
                let place = place::bind(fd.as_fd(), address, path, self.mode, self.reclaim, listen)?;
                (Some(place), address.clone())
            }
            None => {
                let name = bind_nameless(fd.as_fd(), address, listen).map_err(|errno| cannot(errno, address))?;
                (None, name)
            }
        };
        Ok(Listener { place, fd, address })
    }
}

/// Binds what has no file, and returns what it is bound to.
fn bind_nameless(
    fd: BorrowedFd,
    address: &Address,
    listen: impl FnOnce() -> std::result::Result<(), Errno>,
) -> std::result::Result<Address, Errno> {
    if address.transport == Transport::Tcp {
        // Else the port of a server that has just ended is taken for a minute; a living one keeps it all the same (socket(7)).
        socket::set_option(fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
    }
    socket::bind(fd, &address.name)?;
    listen()?;
    Ok(Address::new(address.transport, socket::local_name(fd)?))
}

/// What bind(2) failed with.
#[cold]
pub(super) fn cannot(errno: Errno, address: &Address) -> Error {
    errno.during(match errno.0 {
        libc::EADDRINUSE => format!("bind {address}: somebody has it: stop him, or choose another address"),
        libc::EADDRNOTAVAIL => format!("bind {address}: no interface of this machine has it"),
        libc::EACCES => format!("bind {address}: ports below 1024 need privileges"),
        libc::EAFNOSUPPORT => format!("bind {address}: this machine doesn't have that family of addresses"),
        libc::ENAMETOOLONG => format!("bind {address}: an abstract name has at most 107 bytes"),
        _ => format!("bind {address}"),
    })
}

/// A server's end, to which clients connect (listen(2)).
///
/// Any thread may use it. Dropping it ends it, and takes a Unix socket's file away.
///
/// ```
/// # let name = format!("unix:@listener-example-{}", std::process::id());
/// use madang::socket::{Address, Listener, Stream};
/// let address: Address = name.parse()?;
/// let server = Listener::bind(&address)?;
/// let client = Stream::connect(&address)?;
/// assert_eq!(server.accept()?.peer()?.pid, std::process::id() as i32);
/// assert_eq!(Listener::bind(&address).unwrap_err().errno(), libc::EADDRINUSE);
/// # Ok::<(), madang::Error>(())
/// ```
#[doc(alias = "listen")]
#[derive(Debug)]
pub struct Listener {
    // Goes first: the file is away before nobody listens any more.
    place: Option<Place>,
    fd: OwnedFd,
    address: Address,
}

impl Listener {
    /// All defaults; change what you need, then [`bind`](ListenerOptions::bind).
    #[must_use]
    pub fn options() -> ListenerOptions {
        ListenerOptions::default()
    }

    /// Listens at `address`, with all defaults. Doesn't wait, but for another server that is made in the same directory: a second at most.
    ///
    /// The file of a Unix socket appears when somebody listens, with its mode. If there is one already at which nobody
    /// listens, left by a server that was killed, it is replaced: of two who try at once, one does. A living server's is never
    /// taken from it.
    ///
    /// # Errors
    /// `EADDRINUSE` if somebody listens there, or if the file is no socket; `EINVAL`; `ENOENT`, `EACCES`, `EROFS` for the file's directory;
    /// `EBUSY` if it stays locked; `EADDRNOTAVAIL`; `ENAMETOOLONG`; `EMFILE`.
    pub fn bind(address: &Address) -> Result<Self> {
        Self::options().bind(address)
    }

    /// Takes the next client; waits for one.
    ///
    /// # Errors
    /// `EINTR`; `EMFILE` and `ENFILE`, and the client still waits.
    pub fn accept(&self) -> Result<Stream> {
        self.accept_until(Deadline::NEVER)
    }

    /// As [`accept`](Self::accept), but doesn't wait: `EAGAIN`.
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    pub fn try_accept(&self) -> Result<Stream> {
        self.accept_until(Deadline::NOW)
    }

    /// As [`accept`](Self::accept), but waits until the deadline: `ETIMEDOUT`.
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    pub fn accept_until(&self, deadline: Deadline) -> Result<Stream> {
        let doing = || format!("accept at {}", self.address);
        let (fd, peer) =
            until_ready(self.fd.as_fd(), poll::IN, deadline, doing, || match socket::accept(self.fd.as_fd()) {
                // The client has gone again (accept(2)).
                Err(Errno(libc::ECONNABORTED | libc::EPROTO)) => Err(Errno(libc::EAGAIN)),
                accepted => accepted,
            })?;
        let local = match self.address.transport {
            // Which of several addresses of the machine the client chose.
            Transport::Tcp => socket::local_name(fd.as_fd()).map(|name| Address::new(Transport::Tcp, name)),
            _ => Ok(self.address.clone()),
        };
        let local = local.map_err(|errno| failed(errno, &doing()))?;
        Ok(Stream::new(fd, local, Address::new(self.address.transport, peer)))
    }

    /// Where it listens: with the port that the kernel chose.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Whether dropping it takes a file away.
    #[must_use]
    pub fn has_file(&self) -> bool {
        self.place.is_some()
    }
}

impl AsFd for Listener {
    /// To poll: readable when there is somebody to accept.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
