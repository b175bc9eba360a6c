"""Primitives whose state the kernel holds: what man pages call pipe, fifo, System V and POSIX IPC, socket, signal, file.

Each is a module here, and has a short name too: madang.pipe is madang.kernel.pipe.

What waits takes a timeout in seconds: None waits for ever, 0 doesn't wait (BlockingIOError); when it is over,
TimeoutError is raised. Python's signal handlers run meanwhile. What fails raises OSError with an errno and a sentence
that says what to do. Descriptors aren't inherited by programs that are started, unless one asks for it.
"""

from typing import Literal, Self, final

from . import fifo as fifo
from . import file as file
from . import memfd as memfd
from . import pipe as pipe
from . import posix as posix
from . import signal as signal
from . import socket as socket
from . import sysv as sysv

__all__ = ["Mapping", "fifo", "file", "memfd", "pipe", "posix", "signal", "socket", "sysv"]

@final
class Mapping:
    """Memory that this process shares with others: what one gets by mapping System V or POSIX shared memory,
    a file, or a memfd.

    It is a buffer, so whatever takes bytes takes it, without a copy: memoryview(m)[:5] = b"hello", or
    numpy.frombuffer(m, "f4"). Arrays and memoryviews made of it keep the memory mapped: they stay good,
    whatever becomes of the handles, until the last of them is gone.

    What several processes write there at once they must order among themselves, for instance by a
    semaphore. Who may truncate the file behind it may kill with SIGBUS whoever then touches what was cut off.

    len(m) is its length in bytes. It is closed by close(), at the end of a `with` block, and when it is
    forgotten. What is used after that raises OSError with EBADF.
    """

    def __len__(self) -> int: ...
    def __bool__(self) -> Literal[True]: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
    @property
    def read_only(self) -> bool:
        """Whether its memory can't be written."""

    def sync(self, offset: int = 0, length: int | None = None) -> None:
        """Writes what was changed to the file that is mapped, if it is one, and waits until it is there: it is safe then
        from a power failure. Other processes see changes anyway, at once.

        offset, length: only so many bytes from there; None is all that follows. It goes by pages.

        Raises OSError with EINVAL if they don't lie within, EIO if they can't be written.
        """

    @property
    def closed(self) -> bool:
        """Whether it is closed."""

    def close(self) -> None:
        """Closes it; closing it again does nothing. The memory is unmapped when the last view of it is gone."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...
