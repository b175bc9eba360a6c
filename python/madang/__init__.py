"""Inter-process communication for Linux: queues and segments in shared memory.

The same objects, names and errors as from Rust and C. See help(madang.Queue) and help(madang.Segment);
for Python objects, help(madang.ObjectQueue).

Caveats, and what to do about them:

- A queue or segment outlives the processes that use it, until it is unlinked or the machine stops.
  Unlink what you no longer need; madang.list() shows what is there, and so does the command madang ls.
- A container's /dev/shm often has only 64 MB, and a full one is ENOSPC. Start the container with a
  larger one (--shm-size), or set MADANG_DIR to the absolute path of a directory on another tmpfs, the
  same for all processes. Segments are always in /dev/shm.
- A receiver that is killed takes the message that it just received along. If somebody must have worked
  on a message, lease it (`with q.lease() as m`): it comes back unless the block is left normally.
- An array over a lease or a reservation keeps it: to leave the block with one is BufferError. Delete
  the array before, or copy what you need.
- A process that is stopped (SIGSTOP, a debugger) while it is inside a queue is alive, and the others
  wait for it. Give calls a timeout: they end with TimeoutError, or, if it is 0, with EBUSY after a
  second. Let the process go on, or kill it: then the next caller repairs what it left.
- Who may write an object may damage it, which the others see as EUCLEAN or as a wrong message; or
  truncate its file, which kills them with SIGBUS. Keep the mode 0o600 among strangers. What belongs to
  neither this process's user nor root is not opened, but with any_owner.
- What another thread writes to a buffer while it is sent, or while something is received into it,
  makes some mixture of old and new.
"""

import sys

from . import kernel, shared
from ._madang import (
    Barrier,
    Condition,
    Event,
    Except,
    Lease,
    LeftOvers,
    Listed,
    Mutex,
    Operation,
    Participant,
    Queue,
    QueueStatus,
    Received,
    Reservation,
    RwLock,
    RwLockGuard,
    Segment,
    SemaphoreSet,
    SemaphoreSetStatus,
    Waiting,
    __version__,
    gc,  # noqa: F401
    left_overs,
    list,  # noqa: F401
)
from ._objects import ObjectQueue
from .kernel import fifo, file, memfd, pipe, posix, signal, socket, sysv

# So that `from madang.pipe import pair` finds them, too.
for _module in (fifo, file, memfd, pipe, posix, signal, socket, sysv):
    sys.modules[_module.__name__.replace(".kernel", "")] = _module

# Without `gc` and `list`: `from madang import *` must not hide Python's own.
__all__ = [
    "Barrier",
    "Condition",
    "Event",
    "Except",
    "Lease",
    "LeftOvers",
    "Listed",
    "Mutex",
    "ObjectQueue",
    "Operation",
    "Participant",
    "Queue",
    "QueueStatus",
    "Received",
    "Reservation",
    "RwLock",
    "RwLockGuard",
    "Segment",
    "SemaphoreSet",
    "SemaphoreSetStatus",
    "Waiting",
    "__version__",
    "fifo",
    "file",
    "kernel",
    "left_overs",
    "pipe",
    "memfd",
    "posix",
    "shared",
    "sysv",
    "signal",
    "socket",
]
