"""Primitives whose state the kernel holds: what man pages call pipe, fifo, System V and POSIX IPC, socket, signal, file.

Each is a module here, and has a short name too: madang.pipe is madang.kernel.pipe.

What waits takes a timeout in seconds: None waits for ever, 0 doesn't wait (BlockingIOError); when it is over,
TimeoutError is raised. Python's signal handlers run meanwhile. What fails raises OSError with an errno and a sentence
that says what to do. Descriptors aren't inherited by programs that are started, unless one asks for it.
"""

from .._madang.kernel import Mapping
from . import fifo, file, memfd, pipe, posix, signal, socket, sysv

__all__ = ["Mapping", "fifo", "file", "memfd", "pipe", "posix", "signal", "socket", "sysv"]
