"""System V shared memory: shmget, shmat, shmdt and shmctl. See help(madang.sysv.shm.Segment)."""

from ..._madang.kernel.sysv.shm import (
    Limits,
    Segment,
    Status,
    limits,
    list,  # noqa: F401
)

# Without `list`: an import of all must not hide Python's own.
__all__ = ["Limits", "Segment", "Status", "limits"]
