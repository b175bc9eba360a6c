"""System V shared memory: shmget, shmat, shmdt and shmctl. See help(madang.sysv.shm.Segment)."""

import builtins
from typing import Any, Literal, Self, final

from .. import Mapping

# Without `list`: an import of all must not hide Python's own.
__all__ = ["Limits", "Segment", "Status", "limits"]

def limits() -> Limits:
    """What the system allows of segments, and how much of it is used. Raises OSError with ENOSYS where the
    kernel has no System V IPC.
    """

def list() -> builtins.list[Status]:
    """All segments of this IPC namespace, as ipcs(1) shows them; before Linux 4.17, those that this user
    may read. A snapshot. Raises OSError with ENOSYS where the kernel has no System V IPC.
    """

@final
class Segment:
    """A System V shared memory segment.

        segment = madang.sysv.shm.Segment(0x6d61, size="1M")
        with segment.attach() as memory:
            memoryview(memory)[:5] = b"hello"

    The constructor opens the segment of a key, or creates it, filled with zeros. It attaches nothing, and
    asks for no permission: attaching does.

    key: a number, perhaps from madang.sysv.ftok(). 0 or None always makes a new one, which others find
        by its id only.
    size: in bytes; an int, or text with K, M, G or T (1024 each). A new segment must be given its size; of
        an existing one it is the least that will do.
    mode: the permission bits of a new segment, exactly (no umask); 0 is 0o600 too.
    create: "if-missing"; "never" only opens what exists; "only" only opens what it creates.
    huge_pages: a new segment lies in huge pages of this size, such as "2M": see
        /sys/kernel/mm/hugepages.
    no_reserve: no swap space is set aside: touching it may kill the process when memory is exhausted.

    The segment is the kernel's: it lives until it is removed and nobody has it attached any more, or the
    machine stops. This object is its identifier, and holds nothing else: there is nothing to close. It may
    be used in a forked child, and pickled.

    What fails raises OSError with an errno, and the subclass that Python has for it. Here:
    FileNotFoundError (ENOENT) and FileExistsError (EEXIST), as `create` says, or ENOENT where a size is
    missing; OSError with EINVAL for a bad mode, a size beyond kernel.shmmax, an existing segment that is
    smaller, or huge pages that the machine doesn't have; ENOMEM, also where too few huge pages are free;
    PermissionError (EPERM) for huge pages without CAP_IPC_LOCK; ENOSPC where the system's limits are
    reached; ENOSYS where the kernel has no System V IPC. After the segment is gone: OSError with EIDRM.
    ValueError for a key that 32 bits don't hold, and for what is no size.
    """

    def __new__(
        cls,
        key: int | None,
        *,
        size: int | str | None = None,
        mode: int = 0o600,
        create: Literal["if-missing", "never", "only"] = "if-missing",
        huge_pages: int | str | None = None,
        no_reserve: bool = False,
    ) -> Self: ...
    def attach(
        self, *, read_only: bool = False, address: int | None = None, round: bool = False, executable: bool = False
    ) -> Mapping:
        """Attaches it: the memory, as a buffer. There may be several at once; each detaches when it is closed
        and the last array or memoryview of it is gone. A forked child inherits them.

        read_only: the memory can't be written; needs permission to read only.
        address: where, a multiple of the page size, if nothing lies there; what is mapped already is never
            replaced. For data that holds pointers to itself. None: wherever there is room.
        round: rounds the address down to a page.
        executable: what lies there may be executed; needs permission for that.

        PermissionError (EACCES): its mode doesn't let this user do that. OSError with EINVAL if the address
        is not a multiple of the page size, or not free; EIDRM if the segment is gone; ENOMEM.
        """

    def lock(self) -> None:
        """Keeps it in memory once it is touched: it is never swapped out.

        PermissionError (EPERM) for who is neither owner nor creator, or may lock nothing. OSError with ENOMEM
        if it is larger than this process may lock (RLIMIT_MEMLOCK); EIDRM.
        """

    def unlock(self) -> None:
        """Lets it be swapped out again. Raises PermissionError; OSError with EIDRM."""

    @property
    def size(self) -> int:
        """Its size in bytes. Raises as stat() does."""

    @staticmethod
    def from_id(id: int) -> Segment:
        """The segment of an identifier, which any process that knows it may use. Raises OSError with EINVAL if
        there is none.
        """

    @staticmethod
    def unlink(key: int | None) -> None:
        """Removes the segment of a key, as remove() does. Raises FileNotFoundError if there is none;
        PermissionError.
        """

    @staticmethod
    def remove_id(id: int) -> None:
        """Removes the segment of an identifier, as remove() does. Raises OSError with EINVAL if there is none;
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
        """Removes it: the key is free at once, the memory goes with the last attachment. Raises
        PermissionError for who is neither owner nor creator nor root; OSError with EIDRM if it is gone.
        """

    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Status:
    """What stat() and list() tell of a segment; a snapshot. Times are in seconds since 1970, 0 is
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
    def size(self) -> int:
        """Its size in bytes."""

    @property
    def attached(self) -> int:
        """How many attachments there are, of all processes."""

    @property
    def creator(self) -> int:
        """The process that made it."""

    @property
    def last_user(self) -> int:
        """The process that attached or detached last."""

    @property
    def attached_at(self) -> int:
        """When it was attached last."""

    @property
    def detached_at(self) -> int:
        """When it was detached last."""

    @property
    def changed_at(self) -> int:
        """When it was created, or its permissions were changed last."""

    @property
    def is_removed(self) -> bool:
        """It goes with the last attachment."""

    @property
    def is_locked(self) -> bool:
        """It is kept in memory: see lock()."""

@final
class Limits:
    """What limits() tells. A value: compared and hashed."""

    @property
    def max_segments(self) -> int:
        """The most segments (kernel.shmmni)."""

    @property
    def max_size(self) -> int:
        """The largest segment, in bytes (kernel.shmmax)."""

    @property
    def min_size(self) -> int:
        """The smallest segment, in bytes: 1."""

    @property
    def max_pages(self) -> int:
        """The most pages of all segments together (kernel.shmall)."""

    @property
    def segments(self) -> int:
        """How many segments there are."""

    @property
    def pages(self) -> int:
        """How many pages they have."""

    @property
    def resident_pages(self) -> int:
        """How many of those are in memory."""

    @property
    def swapped_pages(self) -> int:
        """How many of those are swapped out."""
