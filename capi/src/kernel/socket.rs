//! `madang_socket_*`: sockets for C.

use std::ffi::{c_char, c_int, c_void};
use std::os::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd};

use madang_core::socket::{Address, Connecting, Credentials, Datagram, Listener, Message, Shutdown, Stream, Wanted};

use crate::deadline::limit;
use crate::error::{Failure, Result, call};
use crate::handle::{Handle, shell};
use crate::pointer::{self, Numbers, Out, Place};

/// Option flag of listeners: a socket file at which nobody listens is not replaced, but -EADDRINUSE.
pub const MADANG_SOCKET_NO_RECLAIM: u32 = 1 << 8;

/// In a message's flags: descriptors came with it for which there was no room; they are closed.
pub const MADANG_SOCKET_FDS_LOST: u32 = 1;

/// In a message's flags: pid, uid and gid say who sent it. See madang_socket_pass_credentials().
pub const MADANG_SOCKET_HAS_SENDER: u32 = 2;

/// kind, for madang_socket_pair(): bytes, and messages with their length before them.
pub const MADANG_SOCKET_STREAM: c_int = 0;

/// kind, for madang_socket_pair(): packets, which the kernel keeps apart.
pub const MADANG_SOCKET_PACKET: c_int = 1;

/// How many bytes a message may have, unless madang_socket_set_message_limit() says otherwise.
pub const MADANG_SOCKET_MESSAGE_LIMIT: u64 = 16 << 20;

const _: () = assert!(MADANG_SOCKET_MESSAGE_LIMIT == madang_core::socket::MESSAGE_LIMIT as u64);

/// How a listener is made: struct_size, and what shall not be the default.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct madang_socket_listener_options {
    /// sizeof(madang_socket_listener_options)
    pub struct_size: u32,
    /// 0 or MADANG_SOCKET_NO_RECLAIM
    pub flags: u32,
    /// The permission bits of a Unix socket's file, exactly: no umask. Who may write it may connect.
    /// Default 0600.
    pub mode: u32,
    /// How many may have connected and wait to be accepted. Default 128.
    pub backlog: u32,
}

/// Room for the text of the longest address of a sender, and a NUL.
const ADDRESS: usize = 128;

/// What came with a message. It is filled but for struct_size.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct madang_socket_message {
    /// sizeof(madang_socket_message), set by the caller
    pub struct_size: u32,
    /// MADANG_SOCKET_FDS_LOST, MADANG_SOCKET_HAS_SENDER
    pub flags: u32,
    /// Bytes; also on -E2BIG: what is needed
    pub length: u64,
    /// How many descriptors came, and were written
    pub fds: u32,
    /// Who sent it, if flags have MADANG_SOCKET_HAS_SENDER
    pub pid: i32,
    /// See pid
    pub uid: u32,
    /// See pid
    pub gid: u32,
    /// The address that a datagram came from, to answer it, and a NUL; else empty
    pub address: [c_char; 128],
}

impl Default for madang_socket_message {
    fn default() -> Self {
        Self { struct_size: 0, flags: 0, length: 0, fds: 0, pid: 0, uid: 0, gid: 0, address: [0; ADDRESS] }
    }
}

impl From<&Message> for madang_socket_message {
    fn from(message: &Message) -> Self {
        let Message { data, fds, fds_lost, sender, address } = message;
        let mut told = Self { length: data.len() as u64, fds: fds.len() as u32, ..Self::default() };
        if *fds_lost {
            told.flags |= MADANG_SOCKET_FDS_LOST;
        }
        if let Some(Credentials { pid, uid, gid }) = *sender {
            (told.pid, told.uid, told.gid) = (pid, uid, gid);
            told.flags |= MADANG_SOCKET_HAS_SENDER;
        }
        let text = address.as_ref().map(Address::to_string).unwrap_or_default();
        // What isn't UTF-8 got longer when it was replaced; the last byte stays NUL.
        for (to, from) in told.address[..ADDRESS - 1].iter_mut().zip(text.bytes()) {
            *to = from as c_char;
        }
        told
    }
}

/// Who is at the other end of a connection.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct madang_socket_peer {
    /// sizeof(madang_socket_peer), set by the caller
    pub struct_size: u32,
    /// The process's id. It may have ended since, and the id be another's
    pub pid: i32,
    /// Its effective user id, when it connected
    pub uid: u32,
    /// Its effective group id
    pub gid: u32,
}

/// A server's end of connections.
pub struct madang_socket_listener {
    handle: Handle<Listener>,
}

shell!(madang_socket_listener, Listener, b"lstn", "listener");

/// A connection: bytes in order, or whole messages, to and fro.
///
/// Addresses are texts:
///
///     unix:/run/echo        a Unix socket with a file, whose mode says who may connect; any length
///     unix:@echo            a Unix socket with an abstract name: no file, no permissions (unix(7))
///     packet:/run/echo, packet:@echo
///                           the same, for packets: whole messages, kept apart by the kernel
///     tcp:127.0.0.1:8000, tcp:[::1]:0, tcp:localhost:80
///                           TCP; port 0 is one that the kernel chooses. To resolve a host's name
///                           takes as long as the system's resolver takes
///     udp:127.0.0.1:8000    UDP, for datagrams
///
/// Every descriptor is close-on-exec. Whoever sends to one who is gone gets -EPIPE, and no SIGPIPE.
///
/// On a stream, a message is its length in 4 bytes, the highest first, and then its bytes; so anyone
/// can read and write it:
///
///     uint32_t length;
///     recv(fd, &length, 4, MSG_WAITALL);
///     length = ntohl(length);
///     recv(fd, text, length, MSG_WAITALL);
///
/// An empty message is four zeros. On packet: there is no length before it, and no empty message.
pub struct madang_socket {
    handle: Handle<Stream>,
}

shell!(madang_socket, Stream, b"sock", "socket");

/// A socket for single messages, to whom one likes.
pub struct madang_socket_datagram {
    handle: Handle<Datagram>,
}

shell!(madang_socket_datagram, Datagram, b"dgrm", "datagram");

fn address(text: *const c_char) -> Result<Address> {
    Ok(pointer::text_called(text, "address")?.parse()?)
}

/// The end of a connection: no error of the core's, whose caller sees it by the type.
fn end() -> Failure {
    Failure::misuse(libc::ENODATA, "the end: the other side has closed the connection, or sends nothing more")
}

/// Gives what was received to the caller, and says how long it is.
fn deliver(
    received: Result<Message>,
    buffer: &mut [std::mem::MaybeUninit<u8>],
    fds: Numbers<c_int>,
    message: Option<Out<madang_socket_message>>,
) -> Result<i64> {
    let received = received.inspect_err(|failure| {
        if let (Failure::Core(error), Some(message)) = (failure, message)
            && error.errno() == libc::E2BIG
        {
            message.change(|told| told.length = error.length());
        }
    })?;
    pointer::copy_bytes(&received.data, buffer);
    if let Some(message) = message {
        message.fill(&madang_socket_message::from(&received));
    }
    fds.fill(received.fds.into_iter().map(IntoRawFd::into_raw_fd));
    Ok(received.data.len() as i64)
}

/// Listens at an address (bind(2), listen(2)); give *listener to madang_socket_listener_close() in
/// the end. options may be NULL.
///
/// A Unix socket's file appears when somebody listens, with its mode. If there is one already at
/// which nobody listens, left by a server that was killed, it is replaced: of two who try at once,
/// one does. A living server's is never taken from it. A TCP port whose server has just ended is
/// free at once (SO_REUSEADDR).
///
/// Returns 0, or
///   -EADDRINUSE     somebody listens there, or a file that is no socket has the name
///   -EINVAL         a bad address, mode, flag or struct_size
///   -ENOENT, -ENOTDIR, -EACCES, -EPERM, -EROFS, -ENOSPC
///                   a file can't be made, or replaced, in its directory
///   -EBUSY          somebody keeps the directory locked (flock(2)), for a second
///   -EADDRNOTAVAIL  this machine doesn't have the address
///   -EAFNOSUPPORT   nor that family of addresses
///   -ENAMETOOLONG   an abstract name of more than 107 bytes, a file name of more than 255
///   -E2BIG          options sets a field that this version doesn't have
///   -EFAULT         address or listener is NULL
///   -EMFILE, -ENFILE, -ENOMEM
///                   as with socket(2)
///
/// Waits only for another who listens in the same directory, a second at most. Any thread may call
/// it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_socket_listener_open(
    address: *const c_char,
    options: *const madang_socket_listener_options,
    listener: *mut *mut madang_socket_listener,
) -> c_int {
    call("madang_socket_listener_open", || {
        let place = Place::new(listener)?;
        let address = self::address(address)?;
        let madang_socket_listener_options { flags, mode, backlog, .. } = pointer::options(options)?;
        if flags & !MADANG_SOCKET_NO_RECLAIM != 0 {
            let what = format!("option flags {flags:#x}: it knows only MADANG_SOCKET_NO_RECLAIM");
            return Err(Failure::misuse(libc::EINVAL, what));
        }
        let options = Listener::options().mode(mode).backlog(backlog).reclaim(flags == 0);
        let listener = options.bind(&address)?;
        let name = listener.address().to_string();
        place.put(listener, &name);
        Ok(0)
    })
}

/// Where it listens, with the port that the kernel chose.
///
/// Returns a text that is valid until the handle is closed, or NULL if it was closed or is NULL.
/// Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_socket_listener_address(listener: *const madang_socket_listener) -> *const c_char {
    call("madang_socket_listener_address", || pointer::name_of(listener))
}

/// Its descriptor, to poll: readable when there is somebody to accept. It is the handle's.
///
/// Returns 0 or more; -EBADF if it was closed, -EFAULT if it is NULL. Doesn't wait. Any thread may
/// call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_socket_listener_fd(listener: *const madang_socket_listener) -> c_int {
    call("madang_socket_listener_fd", || Ok(pointer::opened(listener)?.as_fd().as_raw_fd()))
}

/// Closes it, and takes a Unix socket's file away; a forked child's copy takes none away. No other
/// thread may be inside a call with it.
///
/// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
#[unsafe(no_mangle)]
pub extern "C" fn madang_socket_listener_close(listener: *mut madang_socket_listener) -> c_int {
    call("madang_socket_listener_close", || pointer::close(listener).map(|()| 0))
}

/// Takes the next client (accept(2)); give *socket to madang_socket_close() in the end.
///
/// flags and timeout_ns: see "Time"; MADANG_INSTANT is the same as timeout_ns 0.
///
/// Returns 0, or
///   -EAGAIN           nobody has connected, and it was not to wait
///   -ETIMEDOUT        nor in time
///   -EINTR            a signal handler ran
///   -EMFILE, -ENFILE  too many descriptors; the client still waits
///   -EINVAL           bad flags
///   -EBADF, -EFAULT   listener was closed; a pointer is NULL
///
/// Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_socket_accept(
    listener: *mut madang_socket_listener,
    flags: u32,
    timeout_ns: i64,
    socket: *mut *mut madang_socket,
) -> c_int {
    call("madang_socket_accept", || {
        let place = Place::new(socket)?;
        let listener = pointer::opened(listener)?;
        let stream = limit(flags, timeout_ns)?.run(|deadline| listener.accept_until(deadline))?;
        put(place, stream);
        Ok(0)
    })
}

fn put(place: Place<madang_socket>, stream: Stream) {
    let name = stream.peer_address().to_string();
    place.put(stream, &name);
}

/// Connects to who listens at an address (connect(2)); give *socket to madang_socket_close() in the
/// end. It waits for TCP's greeting, and for room in the listener's backlog.
///
/// flags and timeout_ns: see "Time"; MADANG_INSTANT is the same as timeout_ns 0. A call that fails
/// gives up; the next begins anew.
///
/// Returns 0, or
///   -ECONNREFUSED   nobody listens there
///   -ENOENT         a Unix socket has no such file
///   -EACCES         its mode doesn't let this process connect
///   -EPROTOTYPE     it is of another kind: unix: instead of packet:, or the other way round
///   -EAGAIN         it would have to wait, and was not to
///   -ETIMEDOUT      the time is over
///   -EINTR          a signal handler ran
///   -EINVAL         a bad address, or bad flags
///   -EHOSTUNREACH, -ENETUNREACH, -EAFNOSUPPORT
///                   there is no way there, or TCP has given up
///   -EMFILE, -ENFILE, -ENOMEM
///                   as with socket(2)
///   -EFAULT         a pointer is NULL
///
/// Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_socket_connect(
    address: *const c_char,
    flags: u32,
    timeout_ns: i64,
    socket: *mut *mut madang_socket,
) -> c_int {
    call("madang_socket_connect", || {
        let place = Place::new(socket)?;
        let mut connecting = Connecting::new(&self::address(address)?)?;
        let stream = limit(flags, timeout_ns)?.run(|deadline| connecting.finish_until(deadline))?;
        put(place, stream);
        Ok(0)
    })
}

/// Makes both ends of a connection (socketpair(2)): give one to a child. kind is
/// MADANG_SOCKET_STREAM or MADANG_SOCKET_PACKET.
///
/// Returns 0; -EINVAL for another kind; -EMFILE, -ENFILE; -EFAULT if a pointer is NULL. Doesn't
/// wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_socket_pair(
    kind: c_int,
    one: *mut *mut madang_socket,
    other: *mut *mut madang_socket,
) -> c_int {
    call("madang_socket_pair", || {
        let (one_place, other_place) = (Place::new(one)?, Place::new(other)?);
        let (one, other) = match kind {
            MADANG_SOCKET_STREAM => Stream::pair()?,
            MADANG_SOCKET_PACKET => Stream::pair_of_packets()?,
            _ => {
                let what = format!("kind {kind}: it is MADANG_SOCKET_STREAM or MADANG_SOCKET_PACKET");
                return Err(Failure::misuse(libc::EINVAL, what));
            }
        };
        put(one_place, one);
        put(other_place, other);
        Ok(0)
    })
}

/// Takes a connected descriptor over that something else has made, as an inherited one. It becomes
/// the handle's; if this fails, it stays the caller's.
///
/// Returns 0; -EINVAL if it isn't connected, or neither a Unix socket (stream, seqpacket) nor TCP;
/// -ENOTSOCK; -EMFILE; -EBADF if it isn't open; -EFAULT if socket is NULL. Doesn't wait.
#[unsafe(no_mangle)]
pub extern "C" fn madang_socket_from_fd(fd: c_int, socket: *mut *mut madang_socket) -> c_int {
    call("madang_socket_from_fd", || {
        let place = Place::new(socket)?;
        put(place, pointer::take_over(fd, |fd| Ok(Stream::from_fd(fd)?))?);
        Ok(0)
    })
}

/// Closes the handle, but not its descriptor, which becomes the caller's: for other programs, or as
/// standard input or output of a child. It blocks as usual, and is close-on-exec. What of a message
/// is half received is lost. No other thread may be inside a call with the handle.
///
/// Returns 0 or more, the descriptor; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't
/// wait.
#[unsafe(no_mangle)]
pub extern "C" fn madang_socket_detach(socket: *mut madang_socket) -> c_int {
    call("madang_socket_detach", || Ok(OwnedFd::from(pointer::take(socket)?).into_raw_fd()))
}

/// Sends some of the bytes, at least one.
///
/// Returns how many; -EPIPE or -ECONNRESET if the other end is gone; -EAGAIN, -ETIMEDOUT, -EINTR;
/// -EBUSY if a message is half sent; -ENOTSUP for packets; -EINVAL for bad flags; -EBADF if socket
/// was closed; -EFAULT if it, or data, is NULL. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_socket_send(
    socket: *mut madang_socket,
    data: *const c_void,
    length: usize,
    flags: u32,
    timeout_ns: i64,
) -> i64 {
    call("madang_socket_send", || {
        let stream = pointer::opened(socket)?;
        let data = pointer::bytes(data, length, "data")?;
        Ok(limit(flags, timeout_ns)?.run(|deadline| stream.send_until(data, deadline))? as i64)
    })
}

/// How many bytes are received at once.
const MUCH: usize = 1 << 20;

/// Receives some bytes, at most capacity.
///
/// Returns how many, 0 at the end; -ECONNRESET if the other end is gone and left what was sent to
/// it; -EAGAIN, -ETIMEDOUT, -EINTR; -EBUSY if a message is half received; -ENOTSUP for packets;
/// -EINVAL for bad flags; -EBADF if socket was closed; -EFAULT if it, or buffer, is NULL. Any thread
/// may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_socket_recv(
    socket: *mut madang_socket,
    buffer: *mut c_void,
    capacity: usize,
    flags: u32,
    timeout_ns: i64,
) -> i64 {
    call("madang_socket_recv", || {
        let stream = pointer::opened(socket)?;
        let buffer = pointer::bytes_mut(buffer, capacity, "buffer")?;
        let mut room = vec![0; capacity.min(MUCH)];
        let length = limit(flags, timeout_ns)?.run(|deadline| stream.recv_until(&mut room, deadline))?;
        pointer::copy_bytes(&room[..length], buffer);
        Ok(length as i64)
    })
}

/// Sends a message, and fds_count descriptors along with it (SCM_RIGHTS, unix(7)), of which the
/// receiver gets copies: they may be closed as soon as this has returned. fds may be NULL for none.
///
/// After -EAGAIN, -ETIMEDOUT and -EINTR some of the message may be out. The same message, sent
/// again, then goes on where it was, so that "again until it is 0" sends it once; any other one is
/// -EBUSY. (Its descriptors go with its first byte.)
///
/// Returns 0, or
///   -EAGAIN         there is no room, and it was not to wait
///   -ETIMEDOUT      nor in time
///   -EINTR          a signal handler ran
///   -EBUSY          another message is half sent: send that one first, or close
///   -EMSGSIZE       it is larger than madang_socket_set_message_limit() says, or than the kernel
///                   takes as one packet
///   -EPIPE          the other end is gone, or receives no more; never SIGPIPE
///   -ECONNRESET     the other end is gone, and left what was sent to it
///   -EINVAL         bad flags; more than 253 descriptors, or any over TCP; an empty packet
///   -ETOOMANYREFS   too many descriptors are on the way
///   -EBADF          socket was closed, or one of fds isn't open
///   -EFAULT         a pointer is NULL
///
/// Any thread may call it at any time; messages don't mix.
#[unsafe(no_mangle)]
pub extern "C" fn madang_socket_send_message(
    socket: *mut madang_socket,
    data: *const c_void,
    length: usize,
    fds: *const c_int,
    fds_count: usize,
    flags: u32,
    timeout_ns: i64,
) -> c_int {
    call("madang_socket_send_message", || {
        let stream = pointer::opened(socket)?;
        let data = pointer::bytes(data, length, "data")?;
        let fds = pointer::descriptors(fds, fds_count)?;
        limit(flags, timeout_ns)?.run(|deadline| stream.send_message_with(data, &fds, deadline))?;
        Ok(0)
    })
}

/// Receives a message of at most capacity bytes, and at most fds_capacity descriptors that came with
/// it, which are the caller's to close. They are close-on-exec. More descriptors are closed; fds may
/// be NULL for none. message may be NULL.
///
/// Returns its length, 0 or more; or
///   -ENODATA        the end: the other side has closed, or ended sending
///   -EAGAIN         there is no whole message, and it was not to wait
///   -ETIMEDOUT      nor in time
///   -EINTR          a signal handler ran
///   -E2BIG          it has more bytes, and stays; message->length says how many
///   -EMSGSIZE       the peer announces more bytes than madang_socket_set_message_limit() allows:
///                   from now on no message is received
///   -ECONNRESET     the connection ended within a message; or the other end is gone, and left what
///                   was sent to it
///   -EINVAL         bad flags or struct_size
///   -EBADF          socket was closed
///   -EFAULT         socket is NULL, or buffer or fds and their capacity isn't 0
/// What has come of a message is kept: after an error, the next call goes on with it.
///
/// Any thread may call it at any time. Each message goes to one.
#[unsafe(no_mangle)]
pub extern "C" fn madang_socket_recv_message(
    socket: *mut madang_socket,
    buffer: *mut c_void,
    capacity: usize,
    fds: *mut c_int,
    fds_capacity: usize,
    message: *mut madang_socket_message,
    flags: u32,
    timeout_ns: i64,
) -> i64 {
    call("madang_socket_recv_message", || {
        let stream = pointer::opened(socket)?;
        let buffer = pointer::bytes_mut(buffer, capacity, "buffer")?;
        let (fds, message) = (Numbers::new(fds, fds_capacity, "fds")?, Out::optional(message)?);
        let wanted = Wanted { bytes: capacity, fds: fds_capacity };
        let received = limit(flags, timeout_ns)?.run(|deadline| stream.recv_message_with(wanted, deadline));
        let received = received.map_err(Failure::from).and_then(|received| received.ok_or_else(end));
        deliver(received, buffer, fds, message)
    })
}

/// The largest message that is sent or received with this handle, in bytes: at most UINT32_MAX, by
/// default MADANG_SOCKET_MESSAGE_LIMIT. So a stranger can't make this process take much memory.
/// (For packets the kernel has a limit too: about 200 KiB, SO_SNDBUF in socket(7).)
///
/// Returns 0; -EBADF if it was closed, -EFAULT if it is NULL. Doesn't wait. Any thread may call it
/// at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_socket_set_message_limit(socket: *mut madang_socket, bytes: u64) -> c_int {
    call("madang_socket_set_message_limit", || {
        pointer::opened(socket)?.set_message_limit(usize::try_from(bytes).unwrap_or(usize::MAX));
        Ok(0)
    })
}

/// Whether each message that is received says who sent it, not only who connected (SO_PASSCRED,
/// unix(7)). What was sent before says nobody: so a server sets it, and then speaks first.
///
/// Returns 0; -ENOTSUP for TCP; -EBADF if it was closed, -EFAULT if it is NULL. Doesn't wait. Any
/// thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_socket_pass_credentials(socket: *mut madang_socket, yes: c_int) -> c_int {
    call("madang_socket_pass_credentials", || {
        pointer::opened(socket)?.pass_credentials(yes != 0)?;
        Ok(0)
    })
}

/// Who is at the other end: who connected, or listened, or made the pair (SO_PEERCRED, unix(7)).
///
/// Returns 0; -ENOTSUP for TCP; -EINVAL for a bad struct_size; -EBADF if it was closed, -EFAULT if
/// a pointer is NULL. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_socket_get_peer(socket: *mut madang_socket, peer: *mut madang_socket_peer) -> c_int {
    call("madang_socket_get_peer", || {
        let out = Out::required(peer, "peer")?;
        let Credentials { pid, uid, gid } = pointer::opened(socket)?.peer()?;
        out.fill(&madang_socket_peer { struct_size: 0, pid, uid, gid });
        Ok(0)
    })
}

/// A descriptor of the process at the other end, that no reused pid can stand for (SO_PEERPIDFD,
/// Linux 6.5): for madang_signal_process_from_fd(), or poll(2). The caller closes it.
///
/// Returns 0 or more, the descriptor; -ENOTSUP for TCP and older kernels; -ESRCH or -EINVAL if the
/// process has ended; -EMFILE; -EBADF if socket was closed, -EFAULT if it is NULL. Doesn't wait. Any
/// thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_socket_peer_pidfd(socket: *mut madang_socket) -> c_int {
    call("madang_socket_peer_pidfd", || Ok(pointer::opened(socket)?.peer_pidfd()?.into_raw_fd()))
}

/// Ends a direction, whoever else has the connection open (shutdown(2)): how is 0 (SHUT_RD), 1
/// (SHUT_WR) or 2 (SHUT_RDWR).
///
/// Returns 0; -EINVAL for another how; -ENOTCONN if the other end is gone; -EBADF if socket was
/// closed, -EFAULT if it is NULL. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_socket_shutdown(socket: *mut madang_socket, how: c_int) -> c_int {
    call("madang_socket_shutdown", || {
        let which = match how {
            libc::SHUT_RD => Shutdown::Receiving,
            libc::SHUT_WR => Shutdown::Sending,
            libc::SHUT_RDWR => Shutdown::Both,
            _ => return Err(Failure::misuse(libc::EINVAL, format!("how {how}: it is SHUT_RD, SHUT_WR or SHUT_RDWR"))),
        };
        pointer::opened(socket)?.shutdown(which)?;
        Ok(0)
    })
}

/// Where the other end is. A Unix client has no name: then it ends after the colon.
///
/// Returns a text that is valid until the handle is closed, or NULL if it was closed or is NULL.
/// Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_socket_peer_address(socket: *const madang_socket) -> *const c_char {
    call("madang_socket_peer_address", || pointer::name_of(socket))
}

/// Where this end is: as much of the text as there is room for in buffer, and a NUL.
///
/// Returns the length of the whole text without the NUL, as snprintf(3); -EBADF if socket was
/// closed, -EFAULT if it is NULL, or buffer is and capacity isn't 0. Doesn't wait. Any thread may
/// call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_socket_local_address(
    socket: *const madang_socket,
    buffer: *mut c_char,
    capacity: usize,
) -> i64 {
    call("madang_socket_local_address", || {
        let address = pointer::opened(socket)?.local_address().to_string();
        let buffer = pointer::bytes_mut(buffer.cast(), capacity, "buffer")?;
        let length = address.len().min(capacity.saturating_sub(1));
        pointer::copy_bytes(&[&address.as_bytes()[..length], b"\0"].concat(), buffer);
        Ok(address.len() as i64)
    })
}

/// Its descriptor, to poll: it is the handle's. Of a message that is half received poll(2) knows
/// nothing; readable means: try.
///
/// Returns 0 or more; -EBADF if it was closed, -EFAULT if it is NULL. Doesn't wait. Any thread may
/// call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_socket_fd(socket: *const madang_socket) -> c_int {
    call("madang_socket_fd", || Ok(pointer::opened(socket)?.as_fd().as_raw_fd()))
}

/// Closes it. No other thread may be inside a call with it.
///
/// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
#[unsafe(no_mangle)]
pub extern "C" fn madang_socket_close(socket: *mut madang_socket) -> c_int {
    call("madang_socket_close", || pointer::close(socket).map(|()| 0))
}

/// Receives what is sent to an address, unix: or udp:; give *datagram to
/// madang_socket_datagram_close() in the end. mode is as a listener's, 0 for 0600; a stale file is
/// replaced too.
///
/// A Unix socket's datagrams arrive, in order, and who sends waits for room. Those of UDP may get
/// lost, come twice, or in another order (udp(7)).
///
/// Returns 0, or as madang_socket_listener_open(). Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_socket_datagram_bind(
    address: *const c_char,
    mode: u32,
    datagram: *mut *mut madang_socket_datagram,
) -> c_int {
    call("madang_socket_datagram_bind", || {
        let place = Place::new(datagram)?;
        let bound = Datagram::bind_mode(&self::address(address)?, if mode == 0 { 0o600 } else { mode })?;
        put_datagram(place, bound);
        Ok(0)
    })
}

fn put_datagram(place: Place<madang_socket_datagram>, datagram: Datagram) {
    let name = datagram.address().to_string();
    place.put(datagram, &name);
}

/// Sends to an address, and receives what comes from there. A Unix socket gets an abstract name that
/// the kernel chooses, so that it can be answered. Give *datagram to madang_socket_datagram_close()
/// in the end.
///
/// Returns 0; -ENOENT, -ECONNREFUSED or -EACCES if a Unix socket isn't there, isn't bound any more,
/// or may not be written; -EPROTOTYPE if it is of another kind; -EINVAL for a bad address; -EMFILE,
/// -ENFILE; -EFAULT if a pointer is NULL. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_socket_datagram_connect(
    address: *const c_char,
    datagram: *mut *mut madang_socket_datagram,
) -> c_int {
    call("madang_socket_datagram_connect", || {
        let place = Place::new(datagram)?;
        put_datagram(place, Datagram::connect(&self::address(address)?)?);
        Ok(0)
    })
}

/// Makes two that are connected with each other (socketpair(2)).
///
/// Returns 0; -EMFILE, -ENFILE; -EFAULT if a pointer is NULL. Doesn't wait. Any thread may call it
/// at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_socket_datagram_pair(
    one: *mut *mut madang_socket_datagram,
    other: *mut *mut madang_socket_datagram,
) -> c_int {
    call("madang_socket_datagram_pair", || {
        let (one_place, other_place) = (Place::new(one)?, Place::new(other)?);
        let (one, other) = Datagram::pair()?;
        put_datagram(one_place, one);
        put_datagram(other_place, other);
        Ok(0)
    })
}

/// Sends a message to an address, or, with NULL, to where it is connected; and descriptors along, as
/// madang_socket_send_message().
///
/// Returns 0, or
///   -EAGAIN         there is no room, and it was not to wait
///   -ETIMEDOUT      nor in time
///   -EINTR          a signal handler ran
///   -EDESTADDRREQ, -ENOTCONN
///                   it isn't connected, and address is NULL
///   -ECONNREFUSED, -ENOENT, -EACCES
///                   nobody receives there, or this process may not send there
///   -EMSGSIZE       it is too large for one
///   -EINVAL         bad flags, a bad address, or one of another transport; more than 253
///                   descriptors, or any over UDP
///   -EBADF          datagram was closed, or one of fds isn't open
///   -EFAULT         a pointer is NULL
///
/// Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_socket_datagram_send(
    datagram: *mut madang_socket_datagram,
    address: *const c_char,
    data: *const c_void,
    length: usize,
    fds: *const c_int,
    fds_count: usize,
    flags: u32,
    timeout_ns: i64,
) -> c_int {
    call("madang_socket_datagram_send", || {
        let datagram = pointer::opened(datagram)?;
        let to = if address.is_null() { None } else { Some(self::address(address)?) };
        let data = pointer::bytes(data, length, "data")?;
        let fds = pointer::descriptors(fds, fds_count)?;
        limit(flags, timeout_ns)?.run(|deadline| datagram.send_with(data, &fds, to.as_ref(), deadline))?;
        Ok(0)
    })
}

/// Receives a message, as madang_socket_recv_message(); message->address says from where, so that it
/// can be answered.
///
/// Returns its length, 0 or more; -EAGAIN, -ETIMEDOUT, -EINTR, -E2BIG, -EINVAL, -EBADF and -EFAULT
/// as there; -ECONNREFUSED where UDP found nobody for what was sent before. Any thread may call it
/// at any time. Each message goes to one.
#[unsafe(no_mangle)]
pub extern "C" fn madang_socket_datagram_recv(
    datagram: *mut madang_socket_datagram,
    buffer: *mut c_void,
    capacity: usize,
    fds: *mut c_int,
    fds_capacity: usize,
    message: *mut madang_socket_message,
    flags: u32,
    timeout_ns: i64,
) -> i64 {
    call("madang_socket_datagram_recv", || {
        let datagram = pointer::opened(datagram)?;
        let buffer = pointer::bytes_mut(buffer, capacity, "buffer")?;
        let (fds, message) = (Numbers::new(fds, fds_capacity, "fds")?, Out::optional(message)?);
        let wanted = Wanted { bytes: capacity, fds: fds_capacity };
        let received = limit(flags, timeout_ns)?.run(|deadline| datagram.recv_with(wanted, deadline));
        deliver(received.map_err(Failure::from), buffer, fds, message)
    })
}

/// As madang_socket_pass_credentials().
///
/// Returns 0; -ENOTSUP for UDP; -EBADF if it was closed, -EFAULT if it is NULL. Doesn't wait. Any
/// thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_socket_datagram_pass_credentials(datagram: *mut madang_socket_datagram, yes: c_int) -> c_int {
    call("madang_socket_datagram_pass_credentials", || {
        pointer::opened(datagram)?.pass_credentials(yes != 0)?;
        Ok(0)
    })
}

/// Where it receives, with the port or the abstract name that the kernel chose.
///
/// Returns a text that is valid until the handle is closed, or NULL if it was closed or is NULL.
/// Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_socket_datagram_address(datagram: *const madang_socket_datagram) -> *const c_char {
    call("madang_socket_datagram_address", || pointer::name_of(datagram))
}

/// Its descriptor, to poll; it is the handle's.
///
/// Returns 0 or more; -EBADF if it was closed, -EFAULT if it is NULL. Doesn't wait. Any thread may
/// call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_socket_datagram_fd(datagram: *const madang_socket_datagram) -> c_int {
    call("madang_socket_datagram_fd", || Ok(pointer::opened(datagram)?.as_fd().as_raw_fd()))
}

/// Closes it, and takes a Unix socket's file away. No other thread may be inside a call with it.
///
/// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
#[unsafe(no_mangle)]
pub extern "C" fn madang_socket_datagram_close(datagram: *mut madang_socket_datagram) -> c_int {
    call("madang_socket_datagram_close", || pointer::close(datagram).map(|()| 0))
}
