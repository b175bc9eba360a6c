//! `madang.kernel.socket`.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};

use madang::socket::{self, Address, Connecting, Shutdown, Wanted};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use super::fds::Fd;
use super::held::Held;
use crate::buffer::{self, Readable};
use crate::descriptor;
use crate::error::Result;
use crate::options;
use crate::timeout::{self, Timeout};

/// From this length on, in bytes, data is copied without the GIL.
const MUCH: usize = 64 << 10;

fn address(text: &str) -> Result<Address> {
    Ok(text.parse()?)
}

/// The descriptors that are to go along.
fn borrow(fds: &[Fd]) -> Result<Vec<BorrowedFd<'_>>> {
    fds.iter().map(Fd::borrow).collect()
}

/// The argument `fds` of what receives.
fn wanted(fds: i64) -> Result<Wanted> {
    Ok(Wanted { fds: options::not_negative("fds", fds)?, ..Wanted::default() })
}

/// Who a process is: as the kernel says it, not the process.
#[pyclass(frozen, get_all, eq, hash, module = "madang.kernel.socket")]
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Credentials {
    /// The process's id. It may have ended since, and the id be another's: see Stream.peer_pidfd().
    pid: i32,
    /// Its effective user id.
    uid: u32,
    /// Its effective group id.
    gid: u32,
}

impl From<socket::Credentials> for Credentials {
    fn from(socket::Credentials { pid, uid, gid }: socket::Credentials) -> Self {
        Self { pid, uid, gid }
    }
}

#[pymethods]
impl Credentials {
    fn __repr__(&self) -> String {
        let Self { pid, uid, gid } = self;
        format!("Credentials(pid={pid}, uid={uid}, gid={gid})")
    }
}

/// A message that was received.
#[pyclass(frozen, module = "madang.kernel.socket")]
pub(crate) struct Message {
    data: Py<PyBytes>,
    fds: Py<PyList>,
    fds_lost: bool,
    sender: Option<Py<Credentials>>,
    address: Option<String>,
}

impl Message {
    fn new(py: Python, message: socket::Message) -> Result<Self> {
        let socket::Message { data, fds, fds_lost, sender, address } = message;
        let data = buffer::bytes(py, &data)?.unbind();
        let sender = sender.map(|sender| Py::new(py, Credentials::from(sender))).transpose()?;
        let fds = PyList::new(py, fds.into_iter().map(IntoRawFd::into_raw_fd))?.unbind();
        Ok(Self { data, fds, fds_lost, sender, address: address.as_ref().map(Address::to_string) })
    }
}

#[pymethods]
impl Message {
    /// Its bytes.
    #[getter]
    fn data(&self, py: Python) -> Py<PyBytes> {
        self.data.clone_ref(py)
    }

    /// The descriptors that came along, as many as were wanted: a list of numbers, which are yours to close.
    #[getter]
    fn fds(&self, py: Python) -> Py<PyList> {
        self.fds.clone_ref(py)
    }

    /// Whether more descriptors came than were wanted: they are closed.
    #[getter]
    fn fds_lost(&self) -> bool {
        self.fds_lost
    }

    /// Who sent it, if the socket passes credentials; else None.
    #[getter]
    fn sender(&self, py: Python) -> Option<Py<Credentials>> {
        self.sender.as_ref().map(|sender| sender.clone_ref(py))
    }

    /// The address that a datagram came from, to answer it, if its sender has one; else None.
    #[getter]
    fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }

    fn __repr__(&self, py: Python) -> Result<String> {
        let (length, fds) = (self.data.bind(py).as_bytes().len(), self.fds.bind(py).len());
        Ok(format!("<madang.socket.Message: {length} bytes, {fds} descriptors>"))
    }
}

/// A server's end: clients connect to it, and accept() gives a Stream for each.
///
///     with madang.socket.Listener("unix:/run/echo") as server:
///         while True:
///             client = server.accept()
///
/// address: "unix:/run/echo", a Unix socket with a file; "unix:@echo", one with an abstract name, which has
///     no file and no permissions; "packet:/run/echo" and "packet:@echo" for whole messages that the kernel
///     keeps apart; "tcp:127.0.0.1:8000", "tcp:[::1]:0", where port 0 is one that the kernel chooses. A
///     path may be of any length.
/// mode: the permission bits of the file, exactly (no umask): who may write it may connect.
/// backlog: how many may have connected and wait for accept().
/// reclaim: whether a socket file at which nobody listens, left by a server that was killed, is
///     replaced. Of two who try at once, one does; a living server's is never taken from it.
///
/// The file appears when somebody listens, and goes when the listener is closed: by close(), at the end of
/// a `with` block, or when it is forgotten. A forked child takes no file away.
///
/// What fails raises OSError with an errno, and the subclass that Python has for it: EADDRINUSE if somebody
/// listens there, or the file is no socket; EINVAL; FileNotFoundError and PermissionError for the file's
/// directory; EBUSY if that stays locked for a second; EADDRNOTAVAIL; ENAMETOOLONG. On a closed one: EBADF.
#[pyclass(frozen, module = "madang.kernel.socket")]
pub(crate) struct Listener {
    open: Held<socket::Listener>,
    address: String,
}

#[pymethods]
impl Listener {
    #[new]
    #[pyo3(signature = (address, *, mode=0o600, backlog=128, reclaim=true))]
    fn new(
        py: Python,
        address: &str,
        #[pyo3(from_py_with = options::mode)] mode: u32,
        backlog: i64,
        reclaim: bool,
    ) -> Result<Self> {
        let backlog = options::not_negative("a backlog", backlog)?.try_into().unwrap_or(u32::MAX);
        let options = socket::Listener::options().mode(mode).backlog(backlog).reclaim(reclaim);
        // To resolve a host takes a while, and so may another who has the directory locked.
        let listener = py.detach(|| address.parse().and_then(|address| options.bind(&address)))?;
        let address = listener.address().to_string();
        Ok(Self { open: Held::new("listener", listener), address })
    }

    /// Takes the next client; waits for one, at most `timeout` seconds.
    ///
    /// Raises TimeoutError; BlockingIOError if timeout is 0; EMFILE and ENFILE, and the client still waits.
    #[pyo3(signature = (timeout=None))]
    fn accept(&self, py: Python, timeout: Option<Timeout>) -> Result<Stream> {
        let stream = self.open.wait(py, timeout, true, |listener, slice| listener.accept_until(slice))?;
        Ok(Stream::from(stream))
    }

    /// Where it listens, with the port that the kernel chose.
    #[getter]
    fn address(&self) -> &str {
        &self.address
    }

    /// Its descriptor: readable when there is somebody to accept.
    fn fileno(&self) -> Result<RawFd> {
        Ok(self.open.share()?.as_fd().as_raw_fd())
    }

    /// Whether it is closed.
    #[getter]
    fn closed(&self) -> bool {
        self.open.is_closed()
    }

    /// Closes it, and takes a Unix socket's file away. Closing it again does nothing.
    fn close(&self, py: Python) {
        self.open.close(py);
    }

    fn __enter__(slf: Bound<'_, Self>) -> Result<Bound<'_, Self>> {
        slf.get().open.share()?;
        Ok(slf)
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python, _exception: &Bound<'_, PyAny>) {
        self.close(py);
    }

    fn __repr__(&self) -> String {
        let closed = if self.open.is_closed() { ", closed" } else { "" };
        format!("<madang.socket.Listener {:?}{closed}>", self.address)
    }
}

/// A connection: bytes in order, or whole messages, to and fro.
///
///     with madang.socket.Stream.connect("unix:/run/echo") as s:
///         s.send_message(b"two teas")
///         answer = s.recv_message(timeout=1.0)
///
/// It is made by Stream.connect(), Stream.pair(), Stream.from_fd() and Listener.accept().
///
/// A message goes as its length in 4 bytes, the highest first, and then its bytes: struct.pack("!I",
/// len(data)) + data, so that anyone can read and write it. On "packet:" the kernel keeps messages apart, and
/// there is no length before them, and no empty message.
///
/// Whoever sends to one who is gone gets BrokenPipeError, and no signal. The descriptor is close-on-exec.
/// Threads may use it at once: messages don't mix.
///
/// It is closed by close(), at the end of a `with` block, and when it is forgotten. What is used after that
/// raises OSError with EBADF.
#[pyclass(frozen, module = "madang.kernel.socket")]
pub(crate) struct Stream {
    open: Held<socket::Stream>,
    local: String,
    peer: String,
}

impl From<socket::Stream> for Stream {
    fn from(stream: socket::Stream) -> Self {
        let (local, peer) = (stream.local_address().to_string(), stream.peer_address().to_string());
        Self { open: Held::new("stream", stream), local, peer }
    }
}

#[pymethods]
impl Stream {
    /// Connects to who listens at the address (see Listener), waiting at most `timeout` seconds: for TCP's
    /// greeting, and for room in the listener's backlog.
    ///
    /// Raises ConnectionRefusedError if nobody listens; FileNotFoundError and PermissionError for a Unix
    /// socket's file; OSError with EPROTOTYPE if it is of another kind, EINVAL for a bad address, EHOSTUNREACH
    /// and ENETUNREACH; TimeoutError; BlockingIOError if timeout is 0.
    #[staticmethod]
    #[pyo3(signature = (address, timeout=None))]
    fn connect(py: Python, address: &str, timeout: Option<Timeout>) -> Result<Self> {
        let deadline = timeout::deadline(timeout);
        let mut connecting = py.detach(|| address.parse().and_then(|address| Connecting::new(&address)))?;
        let stream = timeout::wait(py, deadline, |slice| Ok(py.detach(|| connecting.finish_until(slice))?))?;
        Ok(Self::from(stream))
    }

    /// Both ends of a connection: give one to a child. With packets=True the kernel keeps messages apart.
    #[staticmethod]
    #[pyo3(signature = (*, packets=false))]
    fn pair(packets: bool) -> Result<(Self, Self)> {
        let (one, other) = if packets { socket::Stream::pair_of_packets() } else { socket::Stream::pair() }?;
        Ok((one.into(), other.into()))
    }

    /// Takes a connected descriptor over that something else has made, as an inherited one: its number, or what has
    /// a fileno(). It belongs to the Stream then.
    ///
    /// Raises OSError with EINVAL if it isn't connected, or neither a Unix socket nor TCP; ENOTSOCK; EBADF; EMFILE. Then it
    /// stays yours.
    #[staticmethod]
    fn from_fd(fd: Fd) -> Result<Self> {
        Ok(descriptor::take_over(fd.0, socket::Stream::from_fd)?.into())
    }

    /// Sends some of the bytes, at least one, and returns how many; waits for room.
    ///
    /// Raises BrokenPipeError and ConnectionResetError if the other end is gone; OSError with EBUSY if a message is
    /// half sent, ENOTSUP for packets; TimeoutError; BlockingIOError if timeout is 0.
    #[pyo3(signature = (data, timeout=None))]
    fn send(&self, py: Python, data: Readable, timeout: Option<Timeout>) -> Result<usize> {
        let data = data.as_slice();
        self.open.wait(py, timeout, data.len() < MUCH, |stream, slice| stream.send_until(data, slice))
    }

    /// Receives some bytes, at most `length`; b"" is the end. Waits for one.
    ///
    /// Raises ConnectionResetError if the other end is gone and left what was sent to it; OSError with EBUSY if
    /// a message is half received, ENOTSUP for packets; TimeoutError; BlockingIOError if timeout is 0.
    #[pyo3(signature = (length, timeout=None))]
    fn recv<'py>(&self, py: Python<'py>, length: i64, timeout: Option<Timeout>) -> Result<Bound<'py, PyBytes>> {
        let mut room = vec![0; options::not_negative("a length", length)?.min(1 << 20)];
        let filled = self.open.wait(py, timeout, true, |stream, slice| stream.recv_until(&mut room, slice))?;
        Ok(buffer::bytes(py, &room[..filled])?)
    }

    /// Sends a message, and descriptors along with it, of which the receiver gets copies; waits for room.
    ///
    /// data: bytes, or any buffer. fds: numbers, or what has a fileno(); they may be closed as soon as this
    /// has returned.
    ///
    /// After TimeoutError, BlockingIOError (timeout is 0), or what a signal handler raised, some of it may be
    /// out. The same message, sent again, then goes on where it was; any other one is EBUSY.
    ///
    /// Raises BrokenPipeError and ConnectionResetError if the other end is gone; OSError with EMSGSIZE if it is
    /// larger than message_limit, or than the kernel takes as one packet, EINVAL for more than 253
    /// descriptors, any over TCP, and an empty packet.
    #[pyo3(signature = (data, *, fds=Vec::new(), timeout=None))]
    fn send_message(&self, py: Python, data: Readable, fds: Vec<Fd>, timeout: Option<Timeout>) -> Result<()> {
        let (data, fds) = (data.as_slice(), borrow(&fds)?);
        self.open.wait(py, timeout, data.len() < MUCH, |stream, slice| stream.send_message_with(data, &fds, slice))
    }

    /// Receives a message, and at most `fds` descriptors that came with it; waits for one. None is the end: the
    /// other side has closed, or ended sending.
    ///
    /// What has come of a message is kept: after an error, the next call goes on with it.
    ///
    /// Raises OSError with EMSGSIZE if the peer announces more than message_limit, and from then on always;
    /// ConnectionResetError if the connection ended within a message; TimeoutError; BlockingIOError if timeout
    /// is 0.
    #[pyo3(signature = (timeout=None, *, fds=0))]
    fn recv_message(&self, py: Python, timeout: Option<Timeout>, fds: i64) -> Result<Option<Message>> {
        let wanted = wanted(fds)?;
        let received = self.open.wait(py, timeout, true, |stream, slice| stream.recv_message_with(wanted, slice))?;
        received.map(|message| Message::new(py, message)).transpose()
    }

    /// The largest message that is sent or received, in bytes: so a stranger can't make this process take
    /// much memory. 16 MiB, unless it is set. (For packets the kernel has a limit too, about 200 KiB.)
    #[getter]
    fn message_limit(&self) -> Result<usize> {
        Ok(self.open.share()?.message_limit())
    }

    #[setter]
    fn set_message_limit(&self, bytes: i64) -> Result<()> {
        self.open.share()?.set_message_limit(options::not_negative("a limit", bytes)?);
        Ok(())
    }

    /// Whether each message that is received says who sent it, not only who connected. What was sent before says
    /// nobody: so a server calls it, and then speaks first. OSError with ENOTSUP for TCP.
    #[pyo3(signature = (yes=true))]
    fn pass_credentials(&self, yes: bool) -> Result<()> {
        Ok(self.open.share()?.pass_credentials(yes)?)
    }

    /// Who is at the other end: who connected, or listened, or made the pair, as it was then. OSError with
    /// ENOTSUP for TCP.
    fn peer(&self) -> Result<Credentials> {
        Ok(self.open.share()?.peer()?.into())
    }

    /// A descriptor of the process at the other end, that no reused pid can stand for: for
    /// madang.signal.Process.from_fd(). It is yours to close.
    ///
    /// Raises OSError with ENOTSUP for TCP and before Linux 6.5; ProcessLookupError or EINVAL if the process has ended.
    fn peer_pidfd(&self) -> Result<RawFd> {
        Ok(self.open.share()?.peer_pidfd()?.into_raw_fd())
    }

    /// Ends a direction, whoever else has the connection open: "sending", "receiving" or "both".
    #[pyo3(signature = (which="both"))]
    fn shutdown(&self, which: &str) -> Result<()> {
        let which = match which {
            "sending" => Shutdown::Sending,
            "receiving" => Shutdown::Receiving,
            "both" => Shutdown::Both,
            _ => {
                let what = format!("which={which:?}: it is \"sending\", \"receiving\" or \"both\"");
                return Err(options::bad_value(what).into());
            }
        };
        Ok(self.open.share()?.shutdown(which)?)
    }

    /// Where this end is.
    #[getter]
    fn local_address(&self) -> &str {
        &self.local
    }

    /// Where the other end is. A Unix client has no name: then it ends after the colon.
    #[getter]
    fn peer_address(&self) -> &str {
        &self.peer
    }

    /// Its descriptor, to poll. Of a message that is half received poll knows nothing; readable means: try.
    fn fileno(&self) -> Result<RawFd> {
        Ok(self.open.share()?.as_fd().as_raw_fd())
    }

    /// Closes this object, but not its descriptor, which it returns: for other programs. The caller closes it. It blocks
    /// as usual. What of a message is half received is lost. OSError with EBUSY if another thread waits with it.
    fn detach(&self) -> Result<RawFd> {
        Ok(OwnedFd::from(self.open.take()?).into_raw_fd())
    }

    /// Whether it is closed.
    #[getter]
    fn closed(&self) -> bool {
        self.open.is_closed()
    }

    /// Closes it; closing it again does nothing.
    fn close(&self, py: Python) {
        self.open.close(py);
    }

    fn __enter__(slf: Bound<'_, Self>) -> Result<Bound<'_, Self>> {
        slf.get().open.share()?;
        Ok(slf)
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python, _exception: &Bound<'_, PyAny>) {
        self.close(py);
    }

    fn __repr__(&self) -> String {
        let closed = if self.open.is_closed() { ", closed" } else { "" };
        format!("<madang.socket.Stream from {:?} to {:?}{closed}>", self.local, self.peer)
    }
}

/// A socket for single messages, to whom one likes.
///
///     with madang.socket.Datagram("unix:/run/log") as log:
///         message = log.recv()
///
/// A Unix socket's datagrams arrive, in order, and who sends waits for room. Those of UDP may get lost, come
/// twice, or in another order; a receiver without room loses them.
///
/// The constructor makes one that receives at the address; Datagram.connect() one that sends there.
///
/// address: "unix:/run/log", "unix:@log", "udp:127.0.0.1:9000", "udp:[::1]:0".
/// mode: the permission bits of the file, exactly (no umask): who may write it may send.
///
/// A stale file is replaced, the file goes when it is closed, and what fails raises, as with Listener.
#[pyclass(frozen, module = "madang.kernel.socket")]
pub(crate) struct Datagram {
    open: Held<socket::Datagram>,
    address: String,
}

impl From<socket::Datagram> for Datagram {
    fn from(datagram: socket::Datagram) -> Self {
        let address = datagram.address().to_string();
        Self { open: Held::new("datagram", datagram), address }
    }
}

#[pymethods]
impl Datagram {
    #[new]
    #[pyo3(signature = (address, *, mode=0o600))]
    fn new(py: Python, address: &str, #[pyo3(from_py_with = options::mode)] mode: u32) -> Result<Self> {
        let mode = if mode == 0 { 0o600 } else { mode };
        let bind = || address.parse().and_then(|address| socket::Datagram::bind_mode(&address, mode));
        Ok(py.detach(bind)?.into())
    }

    /// Sends to the address, and receives what comes from there. A Unix socket gets an abstract name that the
    /// kernel chooses, so that it can be answered. Doesn't wait.
    ///
    /// Raises FileNotFoundError, ConnectionRefusedError and PermissionError if a Unix socket isn't there, isn't bound
    /// any more, or may not be written; OSError with EPROTOTYPE, EINVAL.
    #[staticmethod]
    fn connect(py: Python, address: &str) -> Result<Self> {
        Ok(py.detach(|| address.parse().and_then(|address| socket::Datagram::connect(&address)))?.into())
    }

    /// Two that are connected with each other.
    #[staticmethod]
    fn pair() -> Result<(Self, Self)> {
        let (one, other) = socket::Datagram::pair()?;
        Ok((one.into(), other.into()))
    }

    /// Sends a message to the address, or, without one, to where it is connected; and descriptors along, as
    /// Stream.send_message().
    ///
    /// Raises ConnectionRefusedError, FileNotFoundError and PermissionError if nobody receives there, or this process
    /// may not send there; OSError with EMSGSIZE if it is too large, ENOTCONN or EDESTADDRREQ if it isn't
    /// connected, EINVAL; TimeoutError; BlockingIOError if timeout is 0.
    #[pyo3(signature = (data, address=None, *, fds=Vec::new(), timeout=None))]
    fn send(
        &self,
        py: Python,
        data: Readable,
        address: Option<&str>,
        fds: Vec<Fd>,
        timeout: Option<Timeout>,
    ) -> Result<()> {
        let (data, fds, to) = (data.as_slice(), borrow(&fds)?, address.map(self::address).transpose()?);
        self.open.wait(py, timeout, true, |datagram, slice| datagram.send_with(data, &fds, to.as_ref(), slice))
    }

    /// Receives a message, and at most `fds` descriptors that came with it; waits for one.
    ///
    /// Raises TimeoutError; BlockingIOError if timeout is 0; ConnectionRefusedError where UDP found nobody for
    /// what was sent before.
    #[pyo3(signature = (timeout=None, *, fds=0))]
    fn recv(&self, py: Python, timeout: Option<Timeout>, fds: i64) -> Result<Message> {
        let wanted = wanted(fds)?;
        let received = self.open.wait(py, timeout, true, |datagram, slice| datagram.recv_with(wanted, slice))?;
        Message::new(py, received)
    }

    /// As Stream.pass_credentials(). OSError with ENOTSUP for UDP.
    #[pyo3(signature = (yes=true))]
    fn pass_credentials(&self, yes: bool) -> Result<()> {
        Ok(self.open.share()?.pass_credentials(yes)?)
    }

    /// Where it receives, with the port or the abstract name that the kernel chose.
    #[getter]
    fn address(&self) -> &str {
        &self.address
    }

    /// Its descriptor, to poll.
    fn fileno(&self) -> Result<RawFd> {
        Ok(self.open.share()?.as_fd().as_raw_fd())
    }

    /// Whether it is closed.
    #[getter]
    fn closed(&self) -> bool {
        self.open.is_closed()
    }

    /// Closes it, and takes a Unix socket's file away. Closing it again does nothing.
    fn close(&self, py: Python) {
        self.open.close(py);
    }

    fn __enter__(slf: Bound<'_, Self>) -> Result<Bound<'_, Self>> {
        slf.get().open.share()?;
        Ok(slf)
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python, _exception: &Bound<'_, PyAny>) {
        self.close(py);
    }

    fn __repr__(&self) -> String {
        let closed = if self.open.is_closed() { ", closed" } else { "" };
        format!("<madang.socket.Datagram {:?}{closed}>", self.address)
    }
}
