"""POSIX semaphores, named and unnamed (sem_overview(7)).

turn = madang.posix.sem.Semaphore("turn", value=1)
turn.wait(timeout=1.0)
turn.post()
"""

import builtins
from typing import Literal, Self, final

from ... import Segment
from .. import Mapping
from . import Listed

__all__ = ["ALIGNMENT", "MAX_VALUE", "SIZE", "Semaphore", "SemaphoreStatus"]

ALIGNMENT: int
MAX_VALUE: int
SIZE: int

def list() -> builtins.list[Listed]:
    """The named semaphores that exist, in the order of their names; a snapshot. (With musl none, for nothing
    tells them from shared memory there.)

    Raises FileNotFoundError or PermissionError if /dev/shm can't be read; OSError with EMFILE and ENFILE.
    """

@final
class Semaphore:
    """A semaphore of the C library's, shared between processes (sem_overview(7)): what sem_open("/NAME") gives.

    A counter: post() adds 1, wait() takes 1 as soon as it is more than 0. Unless somebody waits, neither
    makes a system call.

        turn = madang.posix.sem.Semaphore("turn", value=1)
        turn.wait(timeout=1.0)
        turn.post()

    The constructor opens the semaphore of that name, or creates it. It doesn't wait. Unnamed ones, which
    lie in memory that the processes share, are made by Semaphore.init_in, and found by Semaphore.at.

    name: 1 to 251 bytes of UTF-8, without "/": what is "/turn" in C is "turn" here.
    value: of a new semaphore, 0 to MAX_VALUE, 2,147,483,647. An existing one is left as it is.
    mode: the permission bits of a new semaphore, exactly (no umask); 0 is 0o600 too. Who is to use it must
        be able to read and to write it.
    create: "if-missing"; "never" only opens what exists; "only" only opens what it creates.

    Who is killed keeps what he took: nobody notices. Where that matters use a System V semaphore with
    undo, or a lock on a file, which the kernel takes back from the dead.

    A named one persists until Semaphore.unlink(name), an unnamed one as long as its memory. A handle is
    closed by close(), at the end of a `with` block (which doesn't wait nor post), and when it is forgotten;
    what is used after that raises OSError with EBADF. A forked child may use the one that it inherited.

    Raises FileNotFoundError and FileExistsError, as `create` says; PermissionError (EACCES: its mode);
    OSError with EINVAL for a bad name, value or mode, or where what has the name is no semaphore; ENOSPC;
    ENAMETOOLONG; IsADirectoryError, ELOOP, ENODEV and ENXIO for what has the name but is no regular file;
    EMFILE, ENFILE, ENOMEM.
    """

    def __new__(
        cls,
        name: str,
        *,
        value: int = 0,
        mode: int = 0o600,
        create: Literal["if-missing", "never", "only"] = "if-missing",
    ) -> Self: ...
    @staticmethod
    def init_in(memory: Mapping | Segment, offset: int, value: int = 0) -> Semaphore:
        """Makes an unnamed one in memory that is shared (sem_init(3)), once, before anybody uses it: to make it anew
        while others wait for it leaves them waiting.

        memory: a madang.kernel.Mapping or a madang.Segment. It stays mapped as long as the semaphore's handle
            lives.
        offset: where it lies there, in bytes: SIZE bytes at a multiple of ALIGNMENT.
        value: 0 to MAX_VALUE.

        Raises OSError with EINVAL if it doesn't lie within, or for a bad offset or value; PermissionError
        (EACCES) if the memory is read-only; EBADF if it is closed.
        """

    @staticmethod
    def at(memory: Mapping | Segment, offset: int) -> Semaphore:
        """The unnamed one that was made in that memory, at that offset, by whatever process or language. Whether
        there is one can't be seen: of other bytes it makes one with some value.

        Raises as init_in does.
        """

    def post(self) -> None:
        """Adds 1, and wakes one who waits, if somebody does. Doesn't wait.

        Raises OSError with EOVERFLOW if its value is MAX_VALUE.
        """

    def wait(self, *, timeout: float | None = None) -> None:
        """Takes 1 as soon as its value is more than 0.

        timeout: in seconds, by the monotonic clock where the C library can (glibc from 2.30 on); None waits for
            ever, 0 doesn't wait.

        Raises TimeoutError; BlockingIOError if its value is 0 and timeout is 0. Then nothing was taken.
        """

    @property
    def value(self) -> int:
        """Its value, which may be another one by now."""

    @staticmethod
    def stat(name: str) -> SemaphoreStatus:
        """What the semaphore of that name is.

        Raises FileNotFoundError if there is none; else as the constructor.
        """

    @property
    def name(self) -> str:
        """The name by which it was opened; "" for an unnamed one."""

    @property
    def is_new(self) -> bool:
        """Whether the very call that made this handle made it."""

    @staticmethod
    def unlink(name: str) -> None:
        """Takes the name away; who has the semaphore open goes on with it. The next open makes a new one.

        Raises FileNotFoundError; PermissionError if it is another user's; OSError with EINVAL or ENAMETOOLONG
        for a bad name.
        """

    @property
    def closed(self) -> bool:
        """Whether this handle is closed."""

    def close(self) -> None:
        """Closes the handle, which does nothing to the semaphore. Closing it again does nothing."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...

@final
class SemaphoreStatus:
    """What Semaphore.stat(name) tells; a snapshot. A value: compared and hashed."""

    @property
    def value(self) -> int:
        """Its value."""

    @property
    def mode(self) -> int:
        """Permission bits."""

    @property
    def uid(self) -> int:
        """The owner's user id."""

    @property
    def gid(self) -> int:
        """The owner's group id."""

    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
