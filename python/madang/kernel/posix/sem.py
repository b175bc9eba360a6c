"""POSIX semaphores, named and unnamed (sem_overview(7)).

turn = madang.posix.sem.Semaphore("turn", value=1)
turn.wait(timeout=1.0)
turn.post()
"""

from ..._madang.kernel.posix.sem import ALIGNMENT, MAX_VALUE, SIZE, Semaphore, SemaphoreStatus, list  # noqa: F401

# Without `list`: `from madang.kernel.posix.sem import *` must not hide Python's own.
__all__ = ["ALIGNMENT", "MAX_VALUE", "SIZE", "Semaphore", "SemaphoreStatus"]
