"""Sockets: connections on this machine and between machines, with whole messages, descriptors and credentials.

    with madang.socket.Listener("unix:/run/echo") as server:
        client = server.accept()
        client.send_message(client.recv_message().data)

    with madang.socket.Stream.connect("unix:/run/echo", timeout=1.0) as s:
        s.send_message(b"two teas")
        print(s.recv_message(timeout=1.0).data)

Addresses are texts: "unix:/run/x", "unix:@x", "packet:/run/x", "tcp:127.0.0.1:80", "udp:[::1]:0"; see help(madang.socket.Listener).
What Python's own socket module has made can be taken over: Stream.from_fd(s.detach()).
"""

from collections.abc import Sequence
from typing import Literal, Protocol, Self, final

from typing_extensions import Buffer

__all__ = ["Credentials", "Datagram", "Listener", "Message", "Stream"]

class _HasFileno(Protocol):
    def fileno(self) -> int: ...

@final
class Credentials:
    """Who a process is: as the kernel says it, not the process."""

    @property
    def pid(self) -> int:
        """The process's id. It may have ended since, and the id be another's: see Stream.peer_pidfd()."""

    @property
    def uid(self) -> int:
        """Its effective user id."""

    @property
    def gid(self) -> int:
        """Its effective group id."""

    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Message:
    """A message that was received."""

    @property
    def data(self) -> bytes:
        """Its bytes."""

    @property
    def fds(self) -> list[int]:
        """The descriptors that came along, as many as were wanted: a list of numbers, which are yours to close."""

    @property
    def fds_lost(self) -> bool:
        """Whether more descriptors came than were wanted: they are closed."""

    @property
    def sender(self) -> Credentials | None:
        """Who sent it, if the socket passes credentials; else None."""

    @property
    def address(self) -> str | None:
        """The address that a datagram came from, to answer it, if its sender has one; else None."""

@final
class Listener:
    """A server's end: clients connect to it, and accept() gives a Stream for each.

        with madang.socket.Listener("unix:/run/echo") as server:
            while True:
                client = server.accept()

    address: "unix:/run/echo", a Unix socket with a file; "unix:@echo", one with an abstract name, which has
        no file and no permissions; "packet:/run/echo" and "packet:@echo" for whole messages that the kernel
        keeps apart; "tcp:127.0.0.1:8000", "tcp:[::1]:0", where port 0 is one that the kernel chooses. A
        path may be of any length.
    mode: the permission bits of the file, exactly (no umask): who may write it may connect.
    backlog: how many may have connected and wait for accept().
    reclaim: whether a socket file at which nobody listens, left by a server that was killed, is
        replaced. Of two who try at once, one does; a living server's is never taken from it.

    The file appears when somebody listens, and goes when the listener is closed: by close(), at the end of
    a `with` block, or when it is forgotten. A forked child takes no file away.

    What fails raises OSError with an errno, and the subclass that Python has for it: EADDRINUSE if somebody
    listens there, or the file is no socket; EINVAL; FileNotFoundError and PermissionError for the file's
    directory; EBUSY if that stays locked for a second; EADDRNOTAVAIL; ENAMETOOLONG. On a closed one: EBADF.
    """

    def __new__(cls, address: str, *, mode: int = 0o600, backlog: int = 128, reclaim: bool = True) -> Self: ...
    def accept(self, timeout: float | None = None) -> Stream:
        """Takes the next client; waits for one, at most `timeout` seconds.

        Raises TimeoutError; BlockingIOError if timeout is 0; EMFILE and ENFILE, and the client still waits.
        """

    @property
    def address(self) -> str:
        """Where it listens, with the port that the kernel chose."""

    def fileno(self) -> int:
        """Its descriptor: readable when there is somebody to accept."""

    @property
    def closed(self) -> bool:
        """Whether it is closed."""

    def close(self) -> None:
        """Closes it, and takes a Unix socket's file away. Closing it again does nothing."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...

@final
class Stream:
    """A connection: bytes in order, or whole messages, to and fro.

        with madang.socket.Stream.connect("unix:/run/echo") as s:
            s.send_message(b"two teas")
            answer = s.recv_message(timeout=1.0)

    It is made by Stream.connect(), Stream.pair(), Stream.from_fd() and Listener.accept().

    A message goes as its length in 4 bytes, the highest first, and then its bytes: struct.pack("!I",
    len(data)) + data, so that anyone can read and write it. On "packet:" the kernel keeps messages apart, and
    there is no length before them, and no empty message.

    Whoever sends to one who is gone gets BrokenPipeError, and no signal. The descriptor is close-on-exec.
    Threads may use it at once: messages don't mix.

    It is closed by close(), at the end of a `with` block, and when it is forgotten. What is used after that
    raises OSError with EBADF.
    """

    @staticmethod
    def connect(address: str, timeout: float | None = None) -> Stream:
        """Connects to who listens at the address (see Listener), waiting at most `timeout` seconds: for TCP's
        greeting, and for room in the listener's backlog.

        Raises ConnectionRefusedError if nobody listens; FileNotFoundError and PermissionError for a Unix
        socket's file; OSError with EPROTOTYPE if it is of another kind, EINVAL for a bad address, EHOSTUNREACH
        and ENETUNREACH; TimeoutError; BlockingIOError if timeout is 0.
        """

    @staticmethod
    def pair(*, packets: bool = False) -> tuple[Stream, Stream]:
        """Both ends of a connection: give one to a child. With packets=True the kernel keeps messages apart."""

    @staticmethod
    def from_fd(fd: int | _HasFileno) -> Stream:
        """Takes a connected descriptor over that something else has made, as an inherited one: its number, or what has
        a fileno(). It belongs to the Stream then.

        Raises OSError with EINVAL if it isn't connected, or neither a Unix socket nor TCP; ENOTSOCK; EBADF; EMFILE. Then it
        stays yours.
        """

    def send(self, data: Buffer, timeout: float | None = None) -> int:
        """Sends some of the bytes, at least one, and returns how many; waits for room.

        Raises BrokenPipeError and ConnectionResetError if the other end is gone; OSError with EBUSY if a message is
        half sent, ENOTSUP for packets; TimeoutError; BlockingIOError if timeout is 0.
        """

    def recv(self, length: int, timeout: float | None = None) -> bytes:
        """Receives some bytes, at most `length`; b"" is the end. Waits for one.

        Raises ConnectionResetError if the other end is gone and left what was sent to it; OSError with EBUSY if
        a message is half received, ENOTSUP for packets; TimeoutError; BlockingIOError if timeout is 0.
        """

    def send_message(
        self, data: Buffer, *, fds: Sequence[int | _HasFileno] = ..., timeout: float | None = None
    ) -> None:
        """Sends a message, and descriptors along with it, of which the receiver gets copies; waits for room.

        data: bytes, or any buffer. fds: numbers, or what has a fileno(); they may be closed as soon as this
        has returned.

        After TimeoutError, BlockingIOError (timeout is 0), or what a signal handler raised, some of it may be
        out. The same message, sent again, then goes on where it was; any other one is EBUSY.

        Raises BrokenPipeError and ConnectionResetError if the other end is gone; OSError with EMSGSIZE if it is
        larger than message_limit, or than the kernel takes as one packet, EINVAL for more than 253
        descriptors, any over TCP, and an empty packet.
        """

    def recv_message(self, timeout: float | None = None, *, fds: int = 0) -> Message | None:
        """Receives a message, and at most `fds` descriptors that came with it; waits for one. None is the end: the
        other side has closed, or ended sending.

        What has come of a message is kept: after an error, the next call goes on with it.

        Raises OSError with EMSGSIZE if the peer announces more than message_limit, and from then on always;
        ConnectionResetError if the connection ended within a message; TimeoutError; BlockingIOError if timeout
        is 0.
        """

    @property
    def message_limit(self) -> int:
        """The largest message that is sent or received, in bytes: so a stranger can't make this process take
        much memory. 16 MiB, unless it is set. (For packets the kernel has a limit too, about 200 KiB.)
        """

    @message_limit.setter
    def message_limit(self, bytes: int) -> None: ...
    def pass_credentials(self, yes: bool = True) -> None:
        """Whether each message that is received says who sent it, not only who connected. What was sent before says
        nobody: so a server calls it, and then speaks first. OSError with ENOTSUP for TCP.
        """

    def peer(self) -> Credentials:
        """Who is at the other end: who connected, or listened, or made the pair, as it was then. OSError with
        ENOTSUP for TCP.
        """

    def peer_pidfd(self) -> int:
        """A descriptor of the process at the other end, that no reused pid can stand for: for
        madang.signal.Process.from_fd(). It is yours to close.

        Raises OSError with ENOTSUP for TCP and before Linux 6.5; ProcessLookupError or EINVAL if the process has ended.
        """

    def shutdown(self, which: Literal["sending", "receiving", "both"] = "both") -> None:
        """Ends a direction, whoever else has the connection open: "sending", "receiving" or "both"."""

    @property
    def local_address(self) -> str:
        """Where this end is."""

    @property
    def peer_address(self) -> str:
        """Where the other end is. A Unix client has no name: then it ends after the colon."""

    def detach(self) -> int:
        """Closes this object, but not its descriptor, which it returns: for other programs. The caller closes it. It blocks
        as usual. What of a message is half received is lost. OSError with EBUSY if another thread waits with it.
        """

    def fileno(self) -> int:
        """Its descriptor, to poll. Of a message that is half received poll knows nothing; readable means: try."""

    @property
    def closed(self) -> bool:
        """Whether it is closed."""

    def close(self) -> None:
        """Closes it; closing it again does nothing."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...

@final
class Datagram:
    """A socket for single messages, to whom one likes.

        with madang.socket.Datagram("unix:/run/log") as log:
            message = log.recv()

    A Unix socket's datagrams arrive, in order, and who sends waits for room. Those of UDP may get lost, come
    twice, or in another order; a receiver without room loses them.

    The constructor makes one that receives at the address; Datagram.connect() one that sends there.

    address: "unix:/run/log", "unix:@log", "udp:127.0.0.1:9000", "udp:[::1]:0".
    mode: the permission bits of the file, exactly (no umask): who may write it may send.

    A stale file is replaced, the file goes when it is closed, and what fails raises, as with Listener.
    """

    def __new__(cls, address: str, *, mode: int = 0o600) -> Self: ...
    @staticmethod
    def connect(address: str) -> Datagram:
        """Sends to the address, and receives what comes from there. A Unix socket gets an abstract name that the
        kernel chooses, so that it can be answered. Doesn't wait.

        Raises FileNotFoundError, ConnectionRefusedError and PermissionError if a Unix socket isn't there, isn't bound
        any more, or may not be written; OSError with EPROTOTYPE, EINVAL.
        """

    @staticmethod
    def pair() -> tuple[Datagram, Datagram]:
        """Two that are connected with each other."""

    def send(
        self,
        data: Buffer,
        address: str | None = None,
        *,
        fds: Sequence[int | _HasFileno] = ...,
        timeout: float | None = None,
    ) -> None:
        """Sends a message to the address, or, without one, to where it is connected; and descriptors along, as
        Stream.send_message().

        Raises ConnectionRefusedError, FileNotFoundError and PermissionError if nobody receives there, or this process
        may not send there; OSError with EMSGSIZE if it is too large, ENOTCONN or EDESTADDRREQ if it isn't
        connected, EINVAL; TimeoutError; BlockingIOError if timeout is 0.
        """

    def recv(self, timeout: float | None = None, *, fds: int = 0) -> Message:
        """Receives a message, and at most `fds` descriptors that came with it; waits for one.

        Raises TimeoutError; BlockingIOError if timeout is 0; ConnectionRefusedError where UDP found nobody for
        what was sent before.
        """

    def pass_credentials(self, yes: bool = True) -> None:
        """As Stream.pass_credentials(). OSError with ENOTSUP for UDP."""

    @property
    def address(self) -> str:
        """Where it receives, with the port or the abstract name that the kernel chose."""

    def fileno(self) -> int:
        """Its descriptor, to poll."""

    @property
    def closed(self) -> bool:
        """Whether it is closed."""

    def close(self) -> None:
        """Closes it, and takes a Unix socket's file away. Closing it again does nothing."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...
