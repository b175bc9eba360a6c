"""POSIX IPC: message queues (mq), shared memory (shm) and semaphores (sem); mq_overview(7) and its like.

A name is given without the "/" that the C functions want before it: "orders" is mq_open("/orders"). Objects
persist until they are unlinked, or the machine stops. They are the same objects that every other program makes
by the C functions.
"""

from typing import final

from . import mq as mq
from . import sem as sem
from . import shm as shm

__all__ = ["Listed", "mq", "sem", "shm"]

@final
class Listed:
    """An object that mq.list(), shm.list() or sem.list() found."""

    @property
    def name(self) -> str:
        """The name by which it is opened."""

    @property
    def mode(self) -> int:
        """Permission bits."""

    @property
    def uid(self) -> int:
        """The owner's user id."""

    @property
    def gid(self) -> int:
        """The owner's group id."""

    @property
    def size(self) -> int | None:
        """In bytes: of shared memory its size; of a message queue what its messages have together, None if
        this process may not read it; of a semaphore its memory.
        """

    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
