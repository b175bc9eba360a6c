"""System V semaphore sets: semget, semop, semtimedop and semctl. See help(madang.sysv.sem.Set)."""

import builtins
from collections.abc import Sequence
from typing import Any, Literal, Self, final

# Without `list`: an import of all must not hide Python's own.
__all__ = ["Limits", "Op", "Set", "Status", "limits"]

def limits() -> Limits:
    """What the system allows of semaphore sets, and how much of it is used. Raises OSError with ENOSYS where the
    kernel has no System V IPC.
    """

def list() -> builtins.list[Status]:
    """All semaphore sets of this IPC namespace, as ipcs(1) shows them; before Linux 4.17, those that this user
    may read. A snapshot. Raises OSError with ENOSYS where the kernel has no System V IPC.
    """

@final
class Op:
    """One operation on one semaphore of a set, for Set.operate(). A value: compared, hashed and pickled.

    index: which semaphore, from 0.
    delta: above 0 it is added; below 0 it is taken, once there is as much; 0 waits until the value is 0.
    no_wait: BlockingIOError where this one would have to wait, whatever the timeout.
    undo: it is undone when the process ends, however it ends.
    """

    def __new__(cls, index: int, delta: int, no_wait: bool = False, undo: bool = False) -> Self: ...
    @property
    def index(self) -> int:
        """Which semaphore, from 0."""

    @property
    def delta(self) -> int:
        """What is added; below 0, taken; 0 waits until the value is 0."""

    @property
    def no_wait(self) -> bool:
        """Whether it fails where it would have to wait."""

    @property
    def undo(self) -> bool:
        """Whether it is undone when the process ends."""

    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Set:
    """A System V semaphore set: any number of semaphores, each a value from 0 to 32767; operations on
    several are done as a whole or not at all.

        tables = madang.sysv.sem.Set(0x6d61, 1, value=4)
        tables.acquire(timeout=1.0)
        tables.release()

    The constructor opens the set of a key, or creates it. It asks for no permission: using does.

    key: a number, perhaps from madang.sysv.ftok(). 0 or None always makes a new one, which others find
        by its id only.
    count: how many semaphores; a new set must be given it, of an existing one it is the least that will
        do.
    value: that each semaphore of a new set has.
    values: those of a new set's semaphores, one after the other, instead of count and value.
    mode: the permission bits of a new set, exactly (no umask); 0 is 0o600 too.
    create: "if-missing"; "never" only opens what exists; "only" only opens what it creates.
    patience: how long, in seconds, it waits for the creator of an existing set to give it its values,
        before it takes the creator for dead. 0 takes any set as it is.

    Nobody sees a new set without its values: who opens it waits until the creator has given them, as a
    rule not at all. A creator that was killed before that is found: then the set, with which nothing was
    done yet, is made anew. (Sets of other programs, which give values by SETVAL or SETALL, are taken as
    they are; so are those for which somebody waits.)

    The set is the kernel's: it lives until it is removed, or the machine stops. This object is its
    identifier, and holds nothing else: there is nothing to close. It may be used in a forked child, and
    pickled. len(s) is how many semaphores it has; bool(s) is True.

    What fails raises OSError with an errno, and the subclass that Python has for it. Here:
    FileNotFoundError (ENOENT) and FileExistsError (EEXIST), as `create` says, or ENOENT where a count is
    missing; TimeoutError if nobody has given it values, and this one may not create; PermissionError
    (EPERM) if it may, but the set is another user's; OSError with EINVAL for a bad mode, more semaphores
    than the system allows, or an existing set that has less; ERANGE for a value above 32767; ENOSPC where
    the system's limits (kernel.sem) are reached; ENOMEM; ENOSYS where the kernel has no System V IPC.
    After the set was removed: OSError with EIDRM. ValueError for a key that 32 bits don't hold;
    OverflowError for an index or a value that 16 bits don't.
    """

    def __new__(
        cls,
        key: int | None,
        count: int | None = None,
        *,
        value: int = 0,
        values: Sequence[int] | None = None,
        mode: int = 0o600,
        create: Literal["if-missing", "never", "only"] = "if-missing",
        patience: float = 1.0,
    ) -> Self: ...
    def __len__(self) -> int: ...
    def __bool__(self) -> Literal[True]: ...
    def operate(self, operations: Sequence[Op], timeout: float | None = None) -> None:
        """Does operations at once, in their order, or none of them; waits until that can be done.

            s.operate([Op(0, -1), Op(1, 5, undo=True)])

        timeout: in seconds. None waits for ever; 0 doesn't wait.

        Other threads go on while it waits. Signal handlers run, and then it goes on to the same deadline.
        Whatever it raises, nothing was done.

        BlockingIOError (EAGAIN): it would have to wait, and the timeout is 0, or an operation has no_wait.
        TimeoutError. PermissionError (EACCES): its mode doesn't let this user write. OSError with EIDRM if
        the set is removed, also while this waits; EINVAL for an index that the set doesn't have, or no
        operations; ERANGE if a value would be above 32767; E2BIG for more operations than the system allows
        (500); ENOSPC and ENOMEM for what is to be undone. ValueError for a timeout that isn't 0 or more.
        """

    def acquire(self, index: int = 0, timeout: float | None = None, *, undo: bool = False) -> None:
        """Takes 1 from a semaphore; waits while it is 0. Waits, and raises, as operate() does.

        undo: it is undone when the process ends, however it ends.
        """

    def release(self, index: int = 0, *, undo: bool = False) -> None:
        """Adds 1 to a semaphore. Doesn't wait. Raises as operate() does.

        undo: it is undone when the process ends; for what was acquired so.
        """

    def wait_zero(self, index: int = 0, timeout: float | None = None) -> None:
        """Waits until a semaphore is 0. Waits, and raises, as operate() does; permission to read is enough."""

    def value(self, index: int = 0) -> int:
        """A semaphore's value; it may be another one already. Raises PermissionError; OSError with EINVAL for
        an index that the set doesn't have, EIDRM.
        """

    def values(self) -> builtins.list[int]:
        """All values, as they were at one moment. Raises as value() does."""

    def set_value(self, index: int, value: int) -> None:
        """Sets a semaphore's value, wakes who can go on, and forgets what processes would undo of it. Raises as
        value() does; OSError with ERANGE above 32767.
        """

    def set_values(self, values: Sequence[int]) -> None:
        """Sets all values at once, one for each semaphore. Raises as set_value() does."""

    def pid(self, index: int = 0) -> int:
        """The process that did something with a semaphore last; 0 is none, or one of another pid namespace.
        Raises as value() does.
        """

    def waiting_for_increase(self, index: int = 0) -> int:
        """How many wait for a semaphore to have more. Raises as value() does."""

    def waiting_for_zero(self, index: int = 0) -> int:
        """How many wait for a semaphore to be 0. Raises as value() does."""

    @staticmethod
    def from_id(id: int) -> Set:
        """The semaphore set of an identifier, which any process that knows it may use. Raises OSError with EINVAL if
        there is none.
        """

    @staticmethod
    def unlink(key: int | None) -> None:
        """Removes the semaphore set of a key, as remove() does. Raises FileNotFoundError if there is none;
        PermissionError.
        """

    @staticmethod
    def remove_id(id: int) -> None:
        """Removes the semaphore set of an identifier, as remove() does. Raises OSError with EINVAL if there is none;
        PermissionError.
        """

    @property
    def id(self) -> int:
        """The identifier, as ipcs(1) shows it."""

    @property
    def is_new(self) -> bool:
        """Whether this very object created it."""

    def stat(self) -> Status:
        """What there is to tell of it: owner, mode, counts, times. Raises PermissionError if its mode doesn't
        let this user read; OSError with EIDRM.
        """

    def change(self, *, mode: int | None = None, uid: int | None = None, gid: int | None = None) -> None:
        """Changes owner, group or permission bits; what is None stays as it was found just before. Raises
        PermissionError for who is neither owner nor creator nor root; OSError with EINVAL for a mode above
        0o777, EIDRM.
        """

    def remove(self) -> None:
        """Removes it: at once; who waits gets EIDRM. The key is free. Raises
        PermissionError for who is neither owner nor creator nor root; OSError with EIDRM if it is gone.
        """

    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Status:
    """What stat() and list() tell of a semaphore set; a snapshot. Times are in seconds since 1970, 0 is
    never; a process of 0 is none, or one of another pid namespace. A value: compared and hashed.
    """

    @property
    def id(self) -> int:
        """The identifier."""

    @property
    def key(self) -> int:
        """The key; 0 if it has none."""

    @property
    def mode(self) -> int:
        """The permission bits."""

    @property
    def uid(self) -> int:
        """The owner."""

    @property
    def gid(self) -> int:
        """The owner's group."""

    @property
    def creator_uid(self) -> int:
        """Who made it, who has the owner's rights too."""

    @property
    def creator_gid(self) -> int:
        """The group of who made it."""

    @property
    def sequence(self) -> int:
        """How often its place in the kernel's table was given away before."""

    @property
    def count(self) -> int:
        """How many semaphores it has."""

    @property
    def operated_at(self) -> int:
        """When an operation was done last."""

    @property
    def changed_at(self) -> int:
        """When it was created, or its permissions or, by themselves, values were changed last."""

@final
class Limits:
    """What limits() tells. A value: compared and hashed."""

    @property
    def max_sets(self) -> int:
        """The most sets (the fourth number of kernel.sem)."""

    @property
    def max_semaphores(self) -> int:
        """The most semaphores of all sets together (the second)."""

    @property
    def max_in_a_set(self) -> int:
        """The most semaphores in a set (the first)."""

    @property
    def max_operations(self) -> int:
        """The most operations at once (the third)."""

    @property
    def max_value(self) -> int:
        """The highest value: 32767."""

    @property
    def sets(self) -> int:
        """How many sets there are."""

    @property
    def semaphores(self) -> int:
        """How many semaphores they have."""
