"""What lies in shared memory, under other names: System V's calls (sysv).

Its own primitives are in madang itself: madang.Queue, madang.SemaphoreSet, madang.Mutex and so on.
"""

from . import sysv

__all__ = ["sysv"]
