"""Pipes: bytes that go in at one end and come out at the other, in order (pipe(7)).

    reader, writer = madang.pipe.pair()
    writer.write_all(b"hello", timeout=1.0)
    reader.read(timeout=1.0)  # b"hello"

The ends of a FIFO, which is a pipe with a name, are of the same classes.
"""

from typing import Self, final

from typing_extensions import Buffer

__all__ = ["PIPE_BUF", "Reader", "Writer", "pair"]

PIPE_BUF: int

def pair(
    *, packets: bool = False, capacity: int | str | None = None, leave_sigpipe: bool = False
) -> tuple[Reader, Writer]:
    """A new pipe: (reader, writer). Bytes that are written to the one are read from the other, in order (pipe(7)).

        reader, writer = madang.pipe.pair()

    packets: packet mode. Each write of at most PIPE_BUF bytes is a packet, and a read takes one; what is
        longer than was asked for is lost, so read with PIPE_BUF. A longer write is several packets.
    capacity: how many bytes it can hold at least, as a number or as text such as "1M"; see
        Writer.set_capacity. None is the kernel's default, 64 KiB as a rule.
    leave_sigpipe: a write that nobody reads any more raises SIGPIPE, as write(2) does. (Python ignores it,
        unless the program has changed that.) Otherwise it is only BrokenPipeError.

    Raises OSError with EMFILE or ENFILE; what Writer.set_capacity raises.
    """

@final
class Reader:
    """The end of a pipe, or of a FIFO, from which one reads.

    Several threads and processes may read: they share what comes. The file ends when the last writer is
    closed, in whatever process; so close what you don't use, also in children. In a forked child it can be
    used as in the parent.

    Its descriptor isn't inherited by programs that are started; see detach. It is closed by close(), at
    the end of a `with` block, and when it is forgotten. What is used after that raises OSError with EBADF.
    """

    @staticmethod
    def from_fd(fd: int) -> Reader:
        """Takes over a descriptor from which a pipe is read, such as one that a parent handed to this process.

        It belongs to the Reader then, and its number may be another file's. The pipe is opened anew by way
        of /proc, so that whoever shares the descriptor doesn't find that it doesn't block any more. (Where
        that can't be, because there is no /proc, or the pipe is another user's, they do.)

        Raises OSError with ENODEV if it is not a pipe's; with EBADF if it is the other end, or not open.
        Then it stays the caller's.
        """

    def read(self, length: int = 65536, *, timeout: float | None = None) -> bytes:
        """Waits until there is something, and reads it: at most `length` bytes. b"" is the end of the file: there
        is no writer any more, and never will be (with a FIFO: there is none at the moment).

        timeout: in seconds; None waits for ever, 0 doesn't wait.

        Raises TimeoutError; BlockingIOError if there is nothing and timeout is 0; MemoryError.
        """

    def read_into(self, buffer: Buffer, *, timeout: float | None = None) -> int:
        """Waits until there is something, and reads it into the buffer (a bytearray, an array, …); how many bytes:
        0 at the end of the file.

        Raises as read does.
        """

    def read_exact(self, length: int, *, timeout: float | None = None) -> bytes:
        """Waits until `length` bytes have come; fewer only where the file ended before.

        Raises as read does. What had come by then is the exception's attribute `partial`.
        """

    def waiting(self) -> int:
        """How many bytes wait in the pipe to be read. Others may read and write meanwhile."""

    @property
    def capacity(self) -> int:
        """How many bytes the pipe can hold. It holds them in pages, so many small writes fill it before."""

    def set_capacity(self, capacity: int | str) -> int:
        """Lets the pipe hold at least so many bytes, a number or text such as "1M"; how many that are now: the
        next power of two, and a page or more.

        Raises PermissionError (EPERM) for more than /proc/sys/fs/pipe-max-size, if one isn't privileged;
        OSError with EBUSY if it holds more than that at the moment, EINVAL if no pipe can hold so many.
        """

    def fileno(self) -> int:
        """The descriptor, for select and event loops. It is this object's, and doesn't block: don't read or
        write it by other means, nor give it to a child; for that there is detach.
        """

    def detach(self, *, inheritable: bool = False) -> int:
        """Closes this object, but not its descriptor, which it returns: for other programs, and for open(). From
        then on it blocks as usual, for whoever shares it. The caller closes it.

            fd = reader.detach()
            child = subprocess.Popen(["sort"], stdin=fd)  # or pass_fds=[fd]
            os.close(fd)

        inheritable: programs that are started by other means inherit it too, as long as it is open here.
            subprocess needs no such thing.

        Raises OSError with EBUSY if another thread waits with it.
        """

    @property
    def closed(self) -> bool:
        """Whether it is closed."""

    def close(self) -> None:
        """Closes it; closing it again does nothing."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...

@final
class Writer:
    """The end of a pipe, or of a FIFO, to which one writes.

    Several threads and processes may write: what is written with one call of at most PIPE_BUF bytes stays
    together. When nobody reads any more, writing raises BrokenPipeError (EPIPE), and no signal comes.

    Its descriptor isn't inherited by programs that are started; see detach. It is closed by close(), at
    the end of a `with` block, and when it is forgotten. What is used after that raises OSError with EBADF.
    """

    @staticmethod
    def from_fd(fd: int, *, leave_sigpipe: bool = False) -> Writer:
        """Takes over a descriptor to which a pipe is written. As Reader.from_fd; leave_sigpipe as for pair."""

    def write(self, data: Buffer, *, timeout: float | None = None) -> int:
        """Waits until there is room, and writes what there is room for of the data (bytes, a bytearray, an
        array, …); how many bytes were written.

        At most PIPE_BUF bytes are written whole or not at all, and what others write never stands among
        them. Of more it writes 1 or more, perhaps in pieces between which others write.

        timeout: in seconds; None waits for ever, 0 doesn't wait.

        Raises BrokenPipeError if nobody has the pipe open to read; TimeoutError; BlockingIOError if there is
        no room and timeout is 0. Then nothing was written.
        """

    def write_all(self, data: Buffer, *, timeout: float | None = None) -> None:
        """Waits until all of the data is written.

        Raises as write does; but of more than PIPE_BUF bytes some may have been written: how many is the
        exception's attribute `transferred`.
        """

    def waiting(self) -> int:
        """How many bytes wait in the pipe to be read. Others may read and write meanwhile."""

    @property
    def capacity(self) -> int:
        """How many bytes the pipe can hold. It holds them in pages, so many small writes fill it before."""

    def set_capacity(self, capacity: int | str) -> int:
        """Lets the pipe hold at least so many bytes, a number or text such as "1M"; how many that are now: the
        next power of two, and a page or more.

        Raises PermissionError (EPERM) for more than /proc/sys/fs/pipe-max-size, if one isn't privileged;
        OSError with EBUSY if it holds more than that at the moment, EINVAL if no pipe can hold so many.
        """

    def fileno(self) -> int:
        """The descriptor, for select and event loops. It is this object's, and doesn't block: don't read or
        write it by other means, nor give it to a child; for that there is detach.
        """

    def detach(self, *, inheritable: bool = False) -> int:
        """Closes this object, but not its descriptor, which it returns: for other programs, and for open(). From
        then on it blocks as usual, for whoever shares it. The caller closes it.

            fd = reader.detach()
            child = subprocess.Popen(["sort"], stdin=fd)  # or pass_fds=[fd]
            os.close(fd)

        inheritable: programs that are started by other means inherit it too, as long as it is open here.
            subprocess needs no such thing.

        Raises OSError with EBUSY if another thread waits with it.
        """

    @property
    def closed(self) -> bool:
        """Whether it is closed."""

    def close(self) -> None:
        """Closes it; closing it again does nothing."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...
