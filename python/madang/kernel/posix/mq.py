"""POSIX message queues: messages with priorities (mq_overview(7)).

with madang.posix.mq.Queue("orders") as q:  # opens it, or creates it
    q.send(b"two teas", priority=7, timeout=1.0)
    data, priority = q.recv(timeout=1.0)
"""

from ..._madang.kernel.posix.mq import MAX_PRIORITY, Queue, QueueStatus, list  # noqa: F401

# Without `list`: `from madang.kernel.posix.mq import *` must not hide Python's own.
__all__ = ["MAX_PRIORITY", "Queue", "QueueStatus"]
