"""System V IPC: message queues (msg), shared memory (shm) and semaphore sets (sem).

An object is found by its key, a number that programs agree on (ftok makes one of a file's name), and lives in the kernel under
an identifier until it is removed or the machine stops. What one holds here is the identifier: there is nothing to close.

An object has an owner and a creator, and nine permission bits, which are exactly those that its creator gave: there is no
umask. Only owner, creator and root change or remove it. Opening asks for no permission; using does.

ipcs(1) shows what there is, and so do msg.list(), shm.list() and sem.list(). See sysvipc(7).
"""

from os import PathLike
from typing import Final

from . import msg as msg
from . import sem as sem
from . import shm as shm

__all__ = ["IPC_PRIVATE", "ftok", "msg", "sem", "shm"]

IPC_PRIVATE: Final = 0

def ftok(path: str | PathLike[str], id: int) -> int:
    """The key that the C function ftok makes of an existing file and an id from 0 to 255: programs in any
    language that name the same file get the same key.

    It has 8 bits of the id, 8 of the device and 16 of the inode's number. So it is not unique: other files
    may give the same key (any two whose inode numbers differ by a multiple of 65536, on one device), and a
    file that is made again gives another key. Don't let programs recreate the file, and look whether what
    you open is what you expect.

    Raises FileNotFoundError, PermissionError and others of os.stat; OSError with EINVAL where the key would
    be IPC_PRIVATE; OverflowError for an id that is not from 0 to 255.
    """
