"""Inter-process communication for Linux: queues and segments in shared memory.

The same objects, names and errors as from Rust and C. See help(madang.Queue) and help(madang.Segment).
"""

from ._madang import Queue, QueueStatus, Received, Segment, __version__

__all__ = ["Queue", "QueueStatus", "Received", "Segment", "__version__"]
