"""POSIX IPC: message queues (mq), shared memory (shm) and semaphores (sem); mq_overview(7) and its like.

A name is given without the "/" that the C functions want before it: "orders" is mq_open("/orders"). Objects
persist until they are unlinked, or the machine stops. They are the same objects that every other program makes
by the C functions.
"""

from ..._madang.kernel.posix import Listed
from . import mq, sem, shm

__all__ = ["Listed", "mq", "sem", "shm"]
