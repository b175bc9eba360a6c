"""POSIX shared memory objects (shm_overview(7)).

with madang.posix.shm.Object("frame", size="8M") as o, o.map() as m:
    memoryview(m)[:5] = b"hello"
"""

from ..._madang.kernel.posix.shm import Object, ObjectStatus, list  # noqa: F401

# Without `list`: `from madang.kernel.posix.shm import *` must not hide Python's own.
__all__ = ["Object", "ObjectStatus"]
