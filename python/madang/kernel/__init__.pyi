"""Primitives whose state the kernel holds: what man pages call pipe, fifo, System V and POSIX IPC, socket, signal, file.

Each is a module here, and has a short name too: madang.pipe is madang.kernel.pipe.

What waits takes a timeout in seconds: None waits for ever, 0 doesn't wait (BlockingIOError); when it is over,
TimeoutError is raised. Python's signal handlers run meanwhile. What fails raises OSError with an errno and a sentence
that says what to do. Descriptors aren't inherited by programs that are started, unless one asks for it.
"""

from typing import Any, Literal, Self, final

__all__ = ["Mapping"]

@final
class Mapping:
    """x"""

    def __len__(self) -> int: ...
    def __bool__(self) -> Literal[True]: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
    @property
    def read_only(self) -> bool:
        """x"""

    @property
    def closed(self) -> bool:
        """x"""

    def close(self) -> None:
        """x"""

    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...
