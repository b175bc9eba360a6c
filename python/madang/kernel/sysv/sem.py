"""System V semaphore sets: semget, semop, semtimedop and semctl. See help(madang.sysv.sem.Set)."""

from ..._madang.kernel.sysv.sem import (
    Limits,
    Op,
    Set,
    Status,
    limits,
    list,  # noqa: F401
)

# Without `list`: an import of all must not hide Python's own.
__all__ = ["Limits", "Op", "Set", "Status", "limits"]
