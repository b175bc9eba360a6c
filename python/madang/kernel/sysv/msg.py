"""System V message queues: msgget, msgsnd, msgrcv and msgctl. See help(madang.sysv.msg.Queue)."""

from ..._madang.kernel.sysv.msg import (
    Limits,
    Queue,
    Status,
    limits,
    list,  # noqa: F401
)

# Without `list`: an import of all must not hide Python's own.
__all__ = ["Limits", "Queue", "Status", "limits"]
