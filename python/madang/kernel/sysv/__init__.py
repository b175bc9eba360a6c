"""System V IPC: message queues (msg), shared memory (shm) and semaphore sets (sem).

An object is found by its key, a number that programs agree on (ftok makes one of a file's name), and lives in the kernel under
an identifier until it is removed or the machine stops. What one holds here is the identifier: there is nothing to close.

An object has an owner and a creator, and nine permission bits, which are exactly those that its creator gave: there is no
umask. Only owner, creator and root change or remove it. Opening asks for no permission; using does.

ipcs(1) shows what there is, and so do msg.list(), shm.list() and sem.list(). See sysvipc(7).
"""

from ..._madang.kernel.sysv import ftok
from . import msg, sem, shm

# The key that stands for none.
IPC_PRIVATE = 0

__all__ = ["IPC_PRIVATE", "ftok", "msg", "sem", "shm"]
