"""FIFOs: pipes with a name in the file system, for processes that have no common ancestor (fifo(7)).

    reader = madang.fifo.open_reader("orders", timeout=10)  # opens it, or makes it
    writer = madang.fifo.open_writer("orders", timeout=10)  # in another process

A FIFO persists until it is removed. Its ends are madang.pipe.Reader and madang.pipe.Writer. Nothing here waits
for ever unless it is told to, as open() does.
"""

from os import PathLike
from typing import Literal

from .pipe import Reader, Writer

__all__ = ["make", "open_both", "open_channel", "open_reader", "open_writer", "remove", "remove_channel"]

def make(path: str | PathLike[str], mode: int | None = None) -> None:
    """Makes a FIFO, a pipe with a name, with exactly these permission bits: no umask. The name never shows
    others.

    Raises FileExistsError; FileNotFoundError, PermissionError or NotADirectoryError for its directory; OSError
    with EINVAL for a bad mode. Who is killed meanwhile may leave a file .madang.new.* in the directory.
    """

def remove(path: str | PathLike[str]) -> None:
    """Takes the name away, if it is a FIFO's. Who has it open goes on with it.

    Raises FileNotFoundError; OSError with ENODEV if it is no FIFO, ELOOP if it is a symbolic link: it stays;
    PermissionError.
    """

def remove_channel(path: str | PathLike[str]) -> None:
    """Takes the two names of a channel away: those of them that there are. Raises as remove does."""

def open_reader(
    path: str | PathLike[str],
    *,
    timeout: float | None = None,
    create: Literal["if-missing", "never", "only"] = "if-missing",
    mode: int | None = None,
    any_owner: bool = False,
) -> Reader:
    """Opens the end of a FIFO from which one reads, or makes the FIFO first; waits until somebody opened the
    other end.

    timeout: in seconds; None waits for ever. 0 opens it at once: then the first read waits for a writer,
        and is b"" only when one has been there and is gone.
    create: "if-missing", "never" (FileNotFoundError) or "only" (FileExistsError).
    mode: the permission bits of a new one, exactly; None is 0o600.
    any_owner: opens it although it belongs to another user than this process's or root.

    Raises TimeoutError; OSError with ENODEV if it is not a FIFO, ELOOP if it is a symbolic link;
    PermissionError (EACCES; EPERM: another user's, who may have planted it); EBUSY if others keep making and
    removing it; ValueError if an argument can't be meant.
    """

def open_writer(
    path: str | PathLike[str],
    *,
    timeout: float | None = None,
    create: Literal["if-missing", "never", "only"] = "if-missing",
    mode: int | None = None,
    any_owner: bool = False,
    leave_sigpipe: bool = False,
) -> Writer:
    """Opens the end of a FIFO to which one writes, or makes the FIFO first; waits until somebody has it open to
    read. It looks again and again, at first every 50 microseconds, at last every 5 milliseconds.

    leave_sigpipe: as for madang.pipe.pair. The others are as for open_reader.

    Raises TimeoutError; BlockingIOError if nobody reads and timeout is 0; otherwise as open_reader does.
    """

def open_both(
    path: str | PathLike[str],
    *,
    create: Literal["if-missing", "never", "only"] = "if-missing",
    mode: int | None = None,
    any_owner: bool = False,
    leave_sigpipe: bool = False,
) -> tuple[Reader, Writer]:
    """Opens both ends of a FIFO, which needs nobody else: (reader, writer). For a server that doesn't want to see
    the file end whenever a client leaves: as long as the writer is kept, no read is b"". Raises as
    open_reader does.
    """

def open_channel(
    path: str | PathLike[str],
    *,
    timeout: float | None = None,
    create: Literal["if-missing", "never", "only"] = "if-missing",
    mode: int | None = None,
    any_owner: bool = False,
    leave_sigpipe: bool = False,
) -> tuple[Reader, Writer, bool]:
    """Opens a side of the two-way channel called path, which is made of the FIFOs path.a and path.b, and waits for
    the other side: both call the same. What one writes the other reads.

        reader, writer, is_first = madang.fifo.open_channel("chat", timeout=10)

    is_first says whether this is the side that reads path.a, which on a new channel is who came first: by
    that they can agree who begins. A side is taken by a lock on what is read, so there is no race, and the
    place of one who was killed is free. It is held as long as the reader is open.

    Raises OSError with EBUSY if both sides are taken; TimeoutError if the other side doesn't come in time;
    otherwise as open_reader does.
    """
