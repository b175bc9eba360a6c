//! A connection.
//!
//! **A message that is half out, or half in.** A call that waits may end in the midst of a message. What has come of one that is
//! received is kept, and the next call goes on with it: nothing is lost. Of one that is sent the connection keeps how much is out and
//! a hash of the whole: **the same message, sent again, goes on** where it was; any other is refused (`EBUSY`), since it would be taken for the rest of
//! the first. So "again until it succeeds" sends it once. Threads that send at once wait for each other by this, too: a half whose
//! sender is still at it, or has been a moment ago, is waited for.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::message::{Credentials, MESSAGE_LIMIT, Message, Wanted, sender};
use super::{Address, Transport, place};
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::kernel::wait::{failed, polling, until_ready};
use crate::sys::socket::{self, MOST_FDS, Name, Room};
use crate::sys::{Errno, clock, poll};

/// For how long a half message whose sender has returned is waited for by others: he may be about to go on.
const ABOUT_TO_GO_ON: Duration = Duration::from_millis(200);

/// How much room is made for a message whose bytes haven't come yet.
const PIECE: usize = 64 << 10;

/// Which direction [`Stream::shutdown`] ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// Nothing is received any more.
    Receiving,
    /// Nothing is sent any more: the other end receives what is on the way, and then the end.
    Sending,
    /// Both.
    Both,
}

/// A connection that is being made: for who waits for several things at once.
///
/// Its descriptor is writable when [`finish_until`](Self::finish_until) won't wait (but a Unix listener whose backlog is full has to be asked
/// again). Dropping it gives up.
#[derive(Debug)]
pub struct Connecting {
    fd: Option<OwnedFd>,
    address: Address,
}

impl Connecting {
    /// Begins to connect. Doesn't wait.
    ///
    /// # Errors
    /// As [`Stream::connect`].
    pub fn new(address: &Address) -> Result<Self> {
        if address.transport == Transport::Udp {
            let what = format!("connect to {address}: udp has no connections: use a Datagram");
            return Err(Error::new(libc::EINVAL, what));
        }
        let fd = socket::open(address.domain(), address.kind())
            .map_err(|errno| failed(errno, &format!("connect to {address}")))?;
        Ok(Self { fd: Some(fd), address: address.clone() })
    }

    /// Waits until it is connected. What failed with `EAGAIN`, `ETIMEDOUT` or `EINTR` can be gone on with.
    ///
    /// # Errors
    /// As [`Stream::connect`]; `EBADF` after it was connected, or failed.
    pub fn finish_until(&mut self, deadline: Deadline) -> Result<Stream> {
        let address = &self.address;
        let doing = || format!("connect to {address}");
        let Some(fd) = &self.fd else {
            return Err(Error::new(libc::EBADF, format!("{}: it is over", doing())));
        };
        let connect = || match place::connect(fd.as_fd(), address) {
            Err(Errno(libc::EINPROGRESS | libc::EALREADY)) => Err(Errno(libc::EAGAIN)),
            Err(Errno(libc::EISCONN)) => Ok(()),
            // TCP has given up; the same errno from below means that our own time is over.
            Err(Errno(libc::ETIMEDOUT)) => Err(Errno(libc::EHOSTUNREACH)),
            connected => connected,
        };
        let connected = match address.transport {
            Transport::Tcp => until_ready(fd.as_fd(), poll::OUT, deadline, doing, connect),
            // No room in the listener's backlog, for which one can't poll.
            _ => polling(deadline, libc::EAGAIN, doing, connect),
        };
        if let Err(error) = connected {
            return Err(match error.errno() {
                libc::EAGAIN | libc::ETIMEDOUT | libc::EINTR => error,
                errno => {
                    self.fd = None;
                    Errno(errno).during(cannot(errno, &self.address))
                }
            });
        }
        let Some(fd) = self.fd.take() else { unreachable!("it was there above") };
        let local = socket::set_blocking(fd.as_fd()).and_then(|()| socket::local_name(fd.as_fd()));
        let local = local.map_err(|errno| failed(errno, &format!("connect to {address}")))?;
        Ok(Stream::new(fd, Address::new(address.transport, local), address.clone()))
    }
}

#[cold]
fn cannot(errno: i32, address: &Address) -> String {
    let why = match errno {
        libc::ECONNREFUSED => ": nobody listens there",
        libc::ENOENT => ": there is no such socket: is the server running?",
        libc::EACCES | libc::EPERM => ": who connects needs write permission for the socket's file",
        libc::EPROTOTYPE => ": a socket of another kind listens there (unix: for bytes, packet: for packets)",
        libc::ENAMETOOLONG => ": the name is too long",
        libc::EHOSTUNREACH | libc::ENETUNREACH => ": there is no way there, or nobody answers",
        _ => "",
    };
    format!("connect to {address}{why}")
}

impl AsFd for Connecting {
    /// # Panics
    /// After [`finish_until`](Self::finish_until) succeeded or failed for good.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_ref().expect("it is over").as_fd()
    }
}

/// TCP gives up on a connection with `ETIMEDOUT`. To our callers that says that one may go on.
fn given_up(errno: Errno) -> Errno {
    if errno.0 == libc::ETIMEDOUT { Errno(libc::ECONNRESET) } else { errno }
}

/// A message that is half out.
#[derive(Debug)]
struct Half {
    /// Without the length before it.
    length: usize,
    hash: u64,
    /// With the length before it.
    sent: usize,
    /// Its sender is at it.
    is_active: bool,
    /// When he last was, in nanoseconds.
    left_ns: u64,
}

impl Half {
    fn is(&self, data: &[u8]) -> bool {
        self.length == data.len() && self.hash == hash(data)
    }
}

fn hash(data: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    data.hash(&mut hasher);
    hasher.finish()
}

/// A message that is half in.
#[derive(Debug, Default)]
struct Coming {
    /// What has come of the length.
    head: Vec<u8>,
    body: Vec<u8>,
    fds: Vec<OwnedFd>,
    fds_lost: bool,
    sender: Option<Credentials>,
    /// The peer announced so many bytes, which are too many: no message is received any more.
    refused: Option<usize>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection: bytes in order, or whole messages (see [`socket`](crate::socket)), to and fro.
///
/// Any thread may use it. Dropping it closes it. It implements [`Read`](io::Read) and [`Write`](io::Write), which wait for ever.
///
/// ```
/// use madang::socket::{Stream, Wanted};
/// use madang::Deadline;
/// use std::io::{Read, Write};
/// use std::os::fd::AsFd;
/// use std::time::Duration;
///
/// let (one, other) = Stream::pair()?;
/// (&one).write_all(b"bytes").unwrap();
/// let mut bytes = [0; 5];
/// (&other).read_exact(&mut bytes).unwrap();
///
/// let file = std::fs::File::open("/dev/null").unwrap();
/// one.send_message_with(b"a file", &[file.as_fd()], Deadline::NEVER)?;
/// let deadline = Deadline::after(Duration::from_secs(5));
/// let message = other.recv_message_with(Wanted { fds: 1, ..Wanted::default() }, deadline)?.unwrap();
/// assert_eq!((&message.data[..], message.fds.len()), (&b"a file"[..], 1));
/// # Ok::<(), madang::Error>(())
/// ```
#[derive(Debug)]
pub struct Stream {
    fd: OwnedFd,
    local: Address,
    peer: Address,
    limit: AtomicUsize,
    credentials: AtomicBool,
    sending: Mutex<Option<Half>>,
    receiving: Mutex<Coming>,
}

impl Stream {
    pub(super) fn new(fd: OwnedFd, local: Address, peer: Address) -> Self {
        if local.transport == Transport::Tcp {
            // A message in two pieces would wait for the acknowledgement of the last one (tcp(7)). What can't be set is slower.
            let _ = socket::set_option(fd.as_fd(), libc::IPPROTO_TCP, libc::TCP_NODELAY, 1);
        }
        Self {
            fd,
            local,
            peer,
            limit: AtomicUsize::new(MESSAGE_LIMIT),
            credentials: AtomicBool::new(false),
            sending: Mutex::default(),
            receiving: Mutex::default(),
        }
    }

    /// Connects to who listens at `address` (connect(2)). Waits for TCP's greeting, and for room in the listener's backlog.
    ///
    /// # Errors
    /// `ECONNREFUSED` if nobody listens; `ENOENT` and `EACCES` for a socket's file; `EPROTOTYPE` if it is of another kind; `EINVAL`; `EINTR`;
    /// `EHOSTUNREACH` (also when TCP itself gives up), `ENETUNREACH`; `EMFILE`.
    pub fn connect(address: &Address) -> Result<Self> {
        Self::connect_until(address, Deadline::NEVER)
    }

    /// As [`connect`](Self::connect), but waits until the deadline: `ETIMEDOUT`. [`Connecting`] can be gone on with.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn connect_until(address: &Address, deadline: Deadline) -> Result<Self> {
        Connecting::new(address)?.finish_until(deadline)
    }

    /// Both ends of a connection, for bytes (socketpair(2)). Give one to a child.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE`.
    pub fn pair() -> Result<(Self, Self)> {
        Self::pair_of(Transport::Unix)
    }

    /// Both ends of a connection, for packets.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE`.
    pub fn pair_of_packets() -> Result<(Self, Self)> {
        Self::pair_of(Transport::Packet)
    }

    fn pair_of(transport: Transport) -> Result<(Self, Self)> {
        let nowhere = Address::new(transport, Name::Unix(Vec::new()));
        let (one, other) = socket::pair(nowhere.kind()).map_err(|errno| failed(errno, "socketpair"))?;
        let stream = |fd| Self::new(fd, nowhere.clone(), nowhere.clone());
        Ok((stream(one), stream(other)))
    }

    /// Takes a connection over that something else has made, as an inherited one. It stays as blocking as it was.
    ///
    /// # Errors
    /// `EINVAL` if it isn't connected, or none of the kinds that are known here; `ENOTSOCK`.
    pub fn from_fd(fd: OwnedFd) -> Result<Self> {
        let doing = "take a connection over";
        let number = |name| socket::option(fd.as_fd(), libc::SOL_SOCKET, name).map_err(|errno| failed(errno, doing));
        let transport = match (number(libc::SO_DOMAIN)?, number(libc::SO_TYPE)?) {
            (libc::AF_UNIX, libc::SOCK_STREAM) => Transport::Unix,
            (libc::AF_UNIX, libc::SOCK_SEQPACKET) => Transport::Packet,
            (libc::AF_INET | libc::AF_INET6, libc::SOCK_STREAM) => Transport::Tcp,
            _ => return Err(Error::new(libc::EINVAL, format!("{doing}: it is no stream of a Unix socket or TCP"))),
        };
        let peer = socket::peer_name(fd.as_fd()).map_err(|errno| match errno {
            Errno(libc::ENOTCONN) => Error::new(libc::EINVAL, format!("{doing}: it isn't connected")),
            errno => failed(errno, doing),
        })?;
        let local = socket::local_name(fd.as_fd()).map_err(|errno| failed(errno, doing))?;
        let passes = transport != Transport::Tcp && number(libc::SO_PASSCRED)? != 0;
        let stream = Self::new(fd, Address::new(transport, local), Address::new(transport, peer));
        stream.credentials.store(passes, Ordering::Relaxed);
        Ok(stream)
    }

    fn doing(&self, what: &str) -> String {
        match (self.peer.is_unnamed(), self.local.is_unnamed()) {
            (false, _) => format!("{what} {}", self.peer),
            (true, false) => format!("{what} client of {}", self.local),
            _ => format!("{what} the other end"),
        }
    }

    /// Whether the kernel keeps its messages apart.
    fn has_packets(&self) -> bool {
        self.local.transport == Transport::Packet
    }

    fn room(&self) -> Room {
        Wanted::default().room(self.credentials.load(Ordering::Relaxed))
    }

    /// Sends some of these bytes, at least one, and says how many; waits for room.
    ///
    /// # Errors
    /// `EPIPE` and `ECONNRESET` if the other end is gone; `EINTR`; `EBUSY` if a message is half sent; `ENOTSUP` on `packet:`.
    pub fn send(&self, data: &[u8]) -> Result<usize> {
        self.send_until(data, Deadline::NEVER)
    }

    /// As [`send`](Self::send), but doesn't wait: `EAGAIN`.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn try_send(&self, data: &[u8]) -> Result<usize> {
        self.send_until(data, Deadline::NOW)
    }

    /// As [`send`](Self::send), but waits until the deadline: `ETIMEDOUT`.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_until(&self, data: &[u8], deadline: Deadline) -> Result<usize> {
        let doing = || self.doing("send to");
        self.refuse_bytes(doing)?;
        if let Some(half) = &*lock(&self.sending) {
            return Err(in_the_way(half, &doing()));
        }
        until_ready(self.fd.as_fd(), poll::OUT, deadline, doing, || {
            socket::send(self.fd.as_fd(), [data, &[]], &[], None).map_err(given_up)
        })
        .map_err(explained)
    }

    /// Receives some bytes, and says how many; 0 is the end (or no room). Waits for one.
    ///
    /// # Errors
    /// `ECONNRESET` if the other end is gone and left what was sent to it; `EINTR`; `EBUSY` if a message is half received; `ENOTSUP` on `packet:`.
    pub fn recv(&self, room: &mut [u8]) -> Result<usize> {
        self.recv_until(room, Deadline::NEVER)
    }

    /// As [`recv`](Self::recv), but doesn't wait: `EAGAIN`.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn try_recv(&self, room: &mut [u8]) -> Result<usize> {
        self.recv_until(room, Deadline::NOW)
    }

    /// As [`recv`](Self::recv), but waits until the deadline: `ETIMEDOUT`.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn recv_until(&self, room: &mut [u8], deadline: Deadline) -> Result<usize> {
        let doing = || self.doing("receive from");
        self.refuse_bytes(doing)?;
        let coming = lock(&self.receiving);
        if !coming.head.is_empty() {
            let why = "a message is half received: receive it by recv_message first";
            return Err(Error::new(libc::EBUSY, format!("{}: {why}", doing())));
        }
        drop(coming);
        if room.is_empty() {
            return Ok(0);
        }
        let receive = || match socket::recv(self.fd.as_fd(), room, self.room(), 0) {
            Ok(came) => Ok(came.length),
            Err(errno) => Err(given_up(errno)),
        };
        until_ready(self.fd.as_fd(), poll::IN, deadline, doing, receive)
    }

    fn refuse_bytes(&self, doing: impl Fn() -> String) -> Result<()> {
        if self.has_packets() {
            let why = "packets are sent and received as messages: by send_message and recv_message";
            return Err(Error::new(libc::ENOTSUP, format!("{}: {why}", doing())));
        }
        Ok(())
    }

    /// Sends a message; waits for room. The other end receives it whole, or not at all.
    ///
    /// # Errors
    /// `EMSGSIZE` if it is larger than the [limit](Self::set_message_limit), or than the kernel takes as one packet; `EPIPE` and
    /// `ECONNRESET` if the other end is gone; `EINTR`; `EBUSY` if another message is half sent. After `EINTR`, `ETIMEDOUT` or `EAGAIN` the same
    /// message may be sent again: it then goes on where it was.
    pub fn send_message(&self, data: &[u8]) -> Result<()> {
        self.send_message_until(data, Deadline::NEVER)
    }

    /// As [`send_message`](Self::send_message), but doesn't wait: `EAGAIN`, though some of it may be out.
    ///
    /// # Errors
    /// As [`send_message`](Self::send_message).
    pub fn try_send_message(&self, data: &[u8]) -> Result<()> {
        self.send_message_until(data, Deadline::NOW)
    }

    /// As [`send_message`](Self::send_message), but waits until the deadline: `ETIMEDOUT`, though some of it may be out.
    ///
    /// # Errors
    /// As [`send_message`](Self::send_message).
    pub fn send_message_until(&self, data: &[u8], deadline: Deadline) -> Result<()> {
        self.send_message_with(data, &[], deadline)
    }

    /// As [`send_message_until`](Self::send_message_until), and descriptors along with it, of which the receiver gets copies (`SCM_RIGHTS`, unix(7)).
    /// They may be closed as soon as this has returned.
    ///
    /// # Errors
    /// As [`send_message`](Self::send_message); `EINVAL` for more than 253, for TCP, and with an empty packet; `ETOOMANYREFS` if too many are on
    /// the way.
    pub fn send_message_with(&self, data: &[u8], fds: &[BorrowedFd], deadline: Deadline) -> Result<()> {
        let doing = || self.doing("send a message to");
        self.check(data, fds).map_err(|error| error.during(doing()))?;
        if self.has_packets() {
            let send = || socket::send(self.fd.as_fd(), [data, &[]], fds, None).map(drop);
            return until_ready(self.fd.as_fd(), poll::OUT, deadline, doing, send).map_err(explained);
        }
        // While another's half is in the way, the socket may be full or ready: to poll it tells nothing.
        polling(deadline, libc::EAGAIN, doing, || self.begin(data, deadline.is_try()))??;
        until_ready(self.fd.as_fd(), poll::OUT, deadline, doing, || self.go_on(data, fds))
            .map_err(|error| self.leave_half(data, error))
    }

    /// Makes the half message this thread's: a new one, or the one that it left.
    fn begin(&self, data: &[u8], is_try: bool) -> std::result::Result<Result<()>, Errno> {
        let mut sending = lock(&self.sending);
        match &mut *sending {
            Some(half) if half.is_active => return Err(Errno(libc::EAGAIN)),
            Some(half) if half.is(data) => half.is_active = true,
            Some(half) => {
                let left = Duration::from_nanos(clock::monotonic_ns().saturating_sub(half.left_ns));
                if !is_try && left < ABOUT_TO_GO_ON {
                    return Err(Errno(libc::EAGAIN));
                }
                return Ok(Err(in_the_way(half, &self.doing("send a message to"))));
            }
            none => *none = Some(Half { length: data.len(), hash: 0, sent: 0, is_active: true, left_ns: 0 }),
        }
        Ok(Ok(()))
    }

    /// Sends what isn't out yet of this thread's half message, as far as there is room.
    fn go_on(&self, data: &[u8], fds: &[BorrowedFd]) -> std::result::Result<(), Errno> {
        let head = (data.len() as u32).to_be_bytes();
        let mut sending = lock(&self.sending);
        let Some(half) = &mut *sending else { return Ok(()) };
        while half.sent < head.len() + data.len() {
            let pieces = [&head[half.sent.min(head.len())..], &data[half.sent.saturating_sub(head.len())..]];
            // Descriptors go with the first byte.
            half.sent += socket::send(self.fd.as_fd(), pieces, if half.sent == 0 { fds } else { &[] }, None)
                .map_err(given_up)?;
        }
        *sending = None;
        Ok(())
    }

    /// What becomes of a message whose call ends before it is out.
    #[cold]
    fn leave_half(&self, data: &[u8], error: Error) -> Error {
        let mut sending = lock(&self.sending);
        match (&mut *sending, error.errno()) {
            (Some(half), libc::EAGAIN | libc::ETIMEDOUT | libc::EINTR) if half.sent > 0 => {
                (half.is_active, half.left_ns, half.hash) = (false, clock::monotonic_ns(), hash(data));
                let (sent, all, why) = (half.sent, data.len() + 4, error.message());
                let what =
                    format!("{why}: {sent} of {all} bytes are out; send the same message again, which goes on there");
                Error::new(error.errno(), what)
            }
            _ => {
                *sending = None;
                explained(error)
            }
        }
    }

    fn check(&self, data: &[u8], fds: &[BorrowedFd]) -> Result<()> {
        let limit = self.message_limit();
        if data.len() > limit {
            let what = format!("it has {} bytes, and the limit is {limit}: see set_message_limit", data.len());
            return Err(Error::new(libc::EMSGSIZE, what));
        }
        if self.has_packets() && data.is_empty() {
            return Err(Error::new(libc::EINVAL, "an empty packet would be taken for the end"));
        }
        refuse_fds(fds, self.local.transport)
    }

    /// Receives a message; waits for one. `None` is the end: the other side has closed, or ended sending.
    ///
    /// # Errors
    /// `EMSGSIZE` if the peer announces a message larger than the [limit](Self::set_message_limit): from then on nothing is received;
    /// `ECONNRESET` if the connection ends within a message, or left what was sent to it; `EINTR`. Else nothing is lost by an error:
    /// the next call goes on.
    pub fn recv_message(&self) -> Result<Option<Message>> {
        self.recv_message_until(Deadline::NEVER)
    }

    /// As [`recv_message`](Self::recv_message), but doesn't wait: `EAGAIN`.
    ///
    /// # Errors
    /// As [`recv_message`](Self::recv_message).
    pub fn try_recv_message(&self) -> Result<Option<Message>> {
        self.recv_message_until(Deadline::NOW)
    }

    /// As [`recv_message`](Self::recv_message), but waits until the deadline: `ETIMEDOUT`.
    ///
    /// # Errors
    /// As [`recv_message`](Self::recv_message).
    pub fn recv_message_until(&self, deadline: Deadline) -> Result<Option<Message>> {
        self.recv_message_with(Wanted::default(), deadline)
    }

    /// As [`recv_message_until`](Self::recv_message_until), with descriptors if those are wanted, and with at most so many bytes.
    ///
    /// # Errors
    /// As [`recv_message`](Self::recv_message); `E2BIG` if it has more bytes than are wanted: it stays, and [`Error::length`] says how many.
    pub fn recv_message_with(&self, wanted: Wanted, deadline: Deadline) -> Result<Option<Message>> {
        let doing = || self.doing("receive a message from");
        let room = wanted.room(self.credentials.load(Ordering::Relaxed));
        until_ready(self.fd.as_fd(), poll::IN, deadline, doing, || {
            let coming = &mut *lock(&self.receiving);
            if self.has_packets() {
                return receive_packet(self.fd.as_fd(), wanted, room, self.message_limit())
                    .map(|outcome| outcome.map(|message| (!message.data.is_empty()).then_some(message)));
            }
            self.take_in(coming, wanted.bytes, room)
        })?
        .map_err(|error| if error.errno() == libc::E2BIG { error } else { error.during(doing()) })
    }

    /// Receives what there is of the next message, until it is whole.
    fn take_in(
        &self,
        coming: &mut Coming,
        most: usize,
        room: Room,
    ) -> std::result::Result<Result<Option<Message>>, Errno> {
        let within = || Ok(Err(Error::new(libc::ECONNRESET, "the connection ended within a message")));
        let limit = self.message_limit();
        while coming.refused.is_none() {
            if coming.head.len() < 4 {
                let mut head = [0; 4];
                let missing = 4 - coming.head.len();
                let came = self.receive(coming, &mut head[..missing], room)?;
                match (came, coming.head.len()) {
                    (0, 0) => return Ok(Ok(None)),
                    (0, _) => return within(),
                    _ => coming.head.extend_from_slice(&head[..came]),
                }
                continue;
            }
            let length = coming.head.iter().fold(0, |length, &byte| length << 8 | usize::from(byte));
            if length > limit {
                coming.refused = Some(length);
            } else if length > most {
                return Ok(Err(Error::too_big(length as u64)));
            } else if coming.body.len() == length {
                let Coming { body: data, fds, fds_lost, sender, .. } = std::mem::take(coming);
                return Ok(Ok(Some(Message { data, fds, fds_lost, sender, address: None })));
            } else {
                // As it comes, and not as it was announced.
                let (has, mut body) = (coming.body.len(), std::mem::take(&mut coming.body));
                body.resize(length.min(has + has.max(PIECE)), 0);
                let came = self.receive(coming, &mut body[has..], room);
                body.truncate(has + *came.as_ref().unwrap_or(&0));
                coming.body = body;
                if came? == 0 {
                    return within();
                }
            }
        }
        let what = format!(
            "the peer announced {} bytes, and the limit is {limit}: close the connection (does the peer speak this protocol?)",
            coming.refused.unwrap_or_default()
        );
        Ok(Err(Error::new(libc::EMSGSIZE, what)))
    }

    /// Receives some bytes, and keeps what comes along.
    fn receive(&self, coming: &mut Coming, into: &mut [u8], room: Room) -> std::result::Result<usize, Errno> {
        // All the descriptors of one message are as many as are wanted.
        let room = Room { fds: room.fds.saturating_sub(coming.fds.len()), ..room };
        let came = socket::recv(self.fd.as_fd(), into, room, 0).map_err(given_up)?;
        coming.fds.extend(came.fds);
        coming.fds_lost |= came.fds_lost;
        coming.sender = coming.sender.or(sender(came.sender));
        Ok(came.length)
    }

    /// The largest message that is sent or received, in bytes: at most `u32::MAX`, by default [`MESSAGE_LIMIT`]. For packets the kernel
    /// has a limit too, by the socket's buffer (about 200 KiB by default, socket(7)).
    pub fn set_message_limit(&self, bytes: usize) {
        self.limit.store(bytes.min(u32::MAX as usize), Ordering::Relaxed);
    }

    /// See [`set_message_limit`](Self::set_message_limit).
    #[must_use]
    pub fn message_limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// Whether each message that is received says who sent it, not only who connected (`SO_PASSCRED`, unix(7)): a connection may be handed on.
    /// What was sent before says nobody: so a server sets it, and then speaks first.
    ///
    /// # Errors
    /// `ENOTSUP` for TCP.
    pub fn pass_credentials(&self, yes: bool) -> Result<()> {
        pass_credentials(self.fd.as_fd(), &self.local, yes)?;
        self.credentials.store(yes, Ordering::Relaxed);
        Ok(())
    }

    /// Who is at the other end: who connected, or listened, or made the pair, as it was then (`SO_PEERCRED`, unix(7)).
    ///
    /// # Errors
    /// `ENOTSUP` for TCP.
    pub fn peer(&self) -> Result<Credentials> {
        self.refuse_internet("the peer's credentials")?;
        let found = socket::peer(self.fd.as_fd()).map_err(|errno| failed(errno, "SO_PEERCRED"))?;
        Ok(found.into())
    }

    /// A descriptor of the process at the other end, that no reused pid can stand for (`SO_PEERPIDFD`): see [`signal::Process`](crate::signal::Process).
    ///
    /// # Errors
    /// `ENOTSUP` for TCP, and before Linux 6.5; `ESRCH` or `EINVAL`, as the kernel has it, if the process has ended.
    pub fn peer_pidfd(&self) -> Result<OwnedFd> {
        self.refuse_internet("the peer's pidfd")?;
        socket::peer_pidfd(self.fd.as_fd()).map_err(|errno| match errno {
            Errno(libc::ENOPROTOOPT) => Error::new(libc::ENOTSUP, "SO_PEERPIDFD: the kernel is older than Linux 6.5"),
            errno => failed(errno, "SO_PEERPIDFD"),
        })
    }

    fn refuse_internet(&self, what: &str) -> Result<()> {
        if self.local.transport == Transport::Tcp {
            return Err(Error::new(libc::ENOTSUP, format!("{what}: only Unix sockets know who is there")));
        }
        Ok(())
    }

    /// Ends one direction, or both, whoever else has the connection open (shutdown(2)).
    ///
    /// # Errors
    /// `ENOTCONN` if the other end has reset the connection.
    pub fn shutdown(&self, which: Shutdown) -> Result<()> {
        let how = match which {
            Shutdown::Receiving => libc::SHUT_RD,
            Shutdown::Sending => libc::SHUT_WR,
            Shutdown::Both => libc::SHUT_RDWR,
        };
        socket::shutdown(self.fd.as_fd(), how)
            .map_err(|errno| failed(errno, &self.doing("shut down the connection to")))
    }

    /// Where this end is. A Unix client's has no name: it is [unnamed](Address::is_unnamed).
    #[must_use]
    pub fn local_address(&self) -> &Address {
        &self.local
    }

    /// Where the other end is; see [`local_address`](Self::local_address).
    #[must_use]
    pub fn peer_address(&self) -> &Address {
        &self.peer
    }
}

/// `EINVAL` where descriptors can't go along.
pub(super) fn refuse_fds(fds: &[BorrowedFd], transport: Transport) -> Result<()> {
    if fds.len() > MOST_FDS {
        let what = format!("{} descriptors: at most {MOST_FDS} go with one message", fds.len());
        return Err(Error::new(libc::EINVAL, what));
    }
    if !fds.is_empty() && matches!(transport, Transport::Tcp | Transport::Udp) {
        return Err(Error::new(libc::EINVAL, "descriptors go only over Unix sockets"));
    }
    Ok(())
}

pub(super) fn pass_credentials(fd: BorrowedFd, local: &Address, yes: bool) -> Result<()> {
    if matches!(local.transport, Transport::Tcp | Transport::Udp) {
        return Err(Error::new(libc::ENOTSUP, "SO_PASSCRED: only Unix sockets know who sends"));
    }
    socket::set_option(fd, libc::SOL_SOCKET, libc::SO_PASSCRED, yes.into())
        .map_err(|errno| failed(errno, "SO_PASSCRED"))
}

/// Receives a packet whole: its length is looked at before. The caller keeps other threads away meanwhile.
pub(super) fn receive_packet(
    fd: BorrowedFd,
    wanted: Wanted,
    room: Room,
    limit: usize,
) -> std::result::Result<Result<Message>, Errno> {
    let length = socket::recv(fd, &mut [], Room::default(), libc::MSG_PEEK | libc::MSG_TRUNC)?.length;
    if length > wanted.bytes.min(limit) {
        return Ok(Err(Error::too_big(length as u64)));
    }
    let mut data = vec![0; length];
    let came = socket::recv(fd, &mut data, room, 0)?;
    data.truncate(came.length);
    let sender = sender(came.sender);
    let address = Some(Address::new(Transport::Unix, came.from));
    Ok(Ok(Message { data, fds: came.fds, fds_lost: came.fds_lost, sender, address }))
}

#[cold]
fn in_the_way(half: &Half, doing: &str) -> Error {
    let Half { length, sent, .. } = half;
    let what = format!(
        "{doing}: another message, of {length} bytes, is half sent ({sent} of {} bytes are out): send that one again first, or close",
        length + 4
    );
    Error::new(libc::EBUSY, what)
}

/// Says what can be done about what a send failed with.
#[cold]
pub(super) fn explained(error: Error) -> Error {
    let why = match error.errno() {
        libc::EPIPE => "the other end is gone, or receives no more",
        libc::ECONNRESET => "the other end is gone, and left what was sent to it",
        libc::ECONNREFUSED => "nobody receives there",
        libc::ENOENT => "there is no such socket",
        libc::EMSGSIZE => "it is larger than the kernel takes as one: see SO_SNDBUF in socket(7)",
        libc::ETOOMANYREFS => "too many descriptors are on the way: let the receivers take some",
        _ => return error,
    };
    Error::new(error.errno(), format!("{}: {why}", error.message()))
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl From<Stream> for OwnedFd {
    /// For other programs, and as standard input or output of a child; it blocks as usual. What of a message is half received is lost.
    fn from(stream: Stream) -> Self {
        stream.fd
    }
}

impl io::Read for &Stream {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        Ok(self.recv(room)?)
    }
}

impl io::Write for &Stream {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if data.is_empty() {
            return Ok(0);
        }
        Ok(self.send(data)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl io::Read for Stream {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        (&*self).read(room)
    }
}

impl io::Write for Stream {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        (&*self).write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
