"""System V's calls, served from shared memory: the same meaning, without the kernel.

A message queue is a madang.Queue, a set of semaphores a madang.SemaphoreSet, by the name f"sysv.key.{key:08x}". What they have
in common with a program that runs under LD_PRELOAD=libmadang-sysv.so, or `madang run`, is the key. The kernel's own are in
madang.kernel.sysv. What differs from them stands in docs/parity.md.

What fails raises OSError with the errno of the man page: msgop(2), semop(2), shmop(2) and their kin.
"""

from collections.abc import Sequence
from typing import Literal, Self, final

from typing_extensions import Buffer

from madang import Operation, Waiting

# As <sys/ipc.h>, <sys/msg.h> and <sys/shm.h> have them.
IPC_PRIVATE: int
IPC_CREAT: int
IPC_EXCL: int
IPC_NOWAIT: int
MSG_NOERROR: int
MSG_EXCEPT: int
MSG_COPY: int
SHM_RDONLY: int
SHM_RND: int
SHM_EXEC: int

__all__ = [
    "IPC_CREAT",
    "IPC_EXCL",
    "IPC_NOWAIT",
    "IPC_PRIVATE",
    "MSG_COPY",
    "MSG_EXCEPT",
    "MSG_NOERROR",
    "SHM_EXEC",
    "SHM_RDONLY",
    "SHM_RND",
    "Attachment",
    "Perm",
    "QueueStatus",
    "SegmentStatus",
    "SetStatus",
    "getall",
    "getpid",
    "getval",
    "getwaiting",
    "limits",
    "msgget",
    "msgids",
    "msglist",
    "msgrcv",
    "msgremove",
    "msgset",
    "msgsnd",
    "msgstat",
    "semget",
    "semids",
    "semlist",
    "semop",
    "semremove",
    "semset",
    "semstat",
    "setall",
    "setval",
    "shmat",
    "shmget",
    "shmids",
    "shmlist",
    "shmlock",
    "shmremove",
    "shmset",
    "shmstat",
]

@final
class Perm:
    """Whose an object is: struct ipc_perm."""

    @property
    def key(self) -> int:
        """Its key; 0 is IPC_PRIVATE."""

    @property
    def id(self) -> int:
        """Its identifier."""

    @property
    def uid(self) -> int:
        """The owner."""

    @property
    def gid(self) -> int:
        """The owner's group."""

    @property
    def cuid(self) -> int:
        """Who made it."""

    @property
    def cgid(self) -> int:
        """His group."""

    @property
    def mode(self) -> int:
        """The permission bits."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class QueueStatus:
    """What msgctl's IPC_STAT tells of a queue."""

    @property
    def perm(self) -> Perm:
        """Whose it is."""

    @property
    def stime(self) -> int:
        """When a message was last sent, in seconds since 1970; 0 is never."""

    @property
    def rtime(self) -> int:
        """When one was last received."""

    @property
    def ctime(self) -> int:
        """When it was made, or changed."""

    @property
    def cbytes(self) -> int:
        """Bytes held."""

    @property
    def qnum(self) -> int:
        """Messages held."""

    @property
    def qbytes(self) -> int:
        """The most bytes that it holds."""

    @property
    def lspid(self) -> int:
        """The process that sent last; 0 is none."""

    @property
    def lrpid(self) -> int:
        """The process that received last."""

@final
class SetStatus:
    """What semctl's IPC_STAT tells of a set."""

    @property
    def perm(self) -> Perm:
        """Whose it is."""

    @property
    def otime(self) -> int:
        """When it was last operated on, in seconds since 1970; 0 is never."""

    @property
    def ctime(self) -> int:
        """When it was made, or changed."""

    @property
    def nsems(self) -> int:
        """How many semaphores it has."""

@final
class SegmentStatus:
    """What shmctl's IPC_STAT tells of a segment."""

    @property
    def perm(self) -> Perm:
        """Whose it is."""

    @property
    def removed(self) -> bool:
        """Whether it was removed, and goes with its last attachment (SHM_DEST)."""

    @property
    def locked(self) -> bool:
        """Whether it was locked (SHM_LOCKED)."""

    @property
    def segsz(self) -> int:
        """Its length in bytes."""

    @property
    def atime(self) -> int:
        """When it was last attached, in seconds since 1970; 0 is never."""

    @property
    def dtime(self) -> int:
        """When it was last detached."""

    @property
    def ctime(self) -> int:
        """When it was made, or changed."""

    @property
    def cpid(self) -> int:
        """The process that made it."""

    @property
    def lpid(self) -> int:
        """The process that attached or detached it last."""

    @property
    def nattch(self) -> int:
        """How many attachments there are."""

@final
class Attachment:
    """A segment that is attached: a buffer, so whatever takes bytes takes it, without a copy. Arrays and memoryviews made
    of it keep it attached until the last of them is gone.
    """

    @property
    def address(self) -> int:
        """Where it is attached."""

    @property
    def closed(self) -> bool:
        """Whether it is closed."""

    def close(self) -> None:
        """Detaches it (shmdt), when the last view of it is gone. Closing it again does nothing."""

    def __len__(self) -> int: ...
    def __bool__(self) -> Literal[True]: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exception: object) -> None: ...

def msgget(key: int, flags: int) -> int:
    """The identifier of the queue of that key, which is made if flags say so (msgget). madang.Queue opens it too, by
    the name f"sysv.key.{key:08x}".

    key: a number; 0 (IPC_PRIVATE) makes a new one each time.
    flags: IPC_CREAT, IPC_EXCL and the permission bits, such as IPC_CREAT | 0o600.

    Raises FileNotFoundError, FileExistsError, PermissionError, OSError with ENOSPC; with EBUSY if who is just removing what
    had the key doesn't get on for a second, for which it waits.
    """

def msgsnd(id: int, type: int, data: Buffer, flags: int = 0) -> None:
    """Sends a message (msgsnd).

    type: 1 or more. data: bytes and whatever else has contiguous memory; 8192 at most, unless MSGMAX says otherwise.
    flags: IPC_NOWAIT: BlockingIOError if the queue is full. Else it waits; other threads go on, and signal handlers
        run.

    Raises OSError with EINVAL for a bad identifier, type or length; EIDRM if it was removed meanwhile; PermissionError.
    """

def msgrcv(id: int, size: int, type: int = 0, flags: int = 0) -> tuple[bytes, int]:
    """Receives a message, and returns its bytes and its type (msgrcv).

    size: how many bytes it may have.
    type: 0: the first message; t above 0: the first of that type; -t: the first of the lowest type up to t.
    flags: IPC_NOWAIT; MSG_EXCEPT: the first of another type; MSG_NOERROR: one that is too long is cut; MSG_COPY, with
        IPC_NOWAIT: a copy of the one at the position `type`.

    Raises OSError with ENOMSG if there is none and IPC_NOWAIT is set; E2BIG if it is too long, and it stays; EINVAL for a bad
    identifier, EIDRM if it was removed meanwhile; PermissionError.
    """

def msgstat(id: int) -> QueueStatus:
    """What the queue is and holds (msgctl, IPC_STAT)."""

def msgids() -> list[int]:
    """The identifiers of all queues, in their order, also of those that this process can't open. Doesn't wait.

    Raises as madang.list() does.
    """

def msglist() -> list[QueueStatus]:
    """What each queue is and holds (msgctl, MSG_STAT_ANY, in a loop over all), by identifier.

    Whoever may read them; but what this process can't open isn't there. Doesn't wait.

    Raises as madang.list() does.
    """

def msgset(
    id: int, *, uid: int | None = None, gid: int | None = None, mode: int | None = None, qbytes: int | None = None
) -> None:
    """Changes owner, mode or the most bytes that the queue holds (msgctl, IPC_SET); None leaves it."""

def msgremove(id: int) -> None:
    """Removes the queue (msgctl, IPC_RMID): who waits gets EIDRM."""

def semget(key: int, nsems: int, flags: int) -> int:
    """The identifier of the set of that key, which is made of nsems semaphores of value 0 if flags say so (semget).
    madang.SemaphoreSet opens it too, by the name f"sysv.key.{key:08x}".
    """

def semop(id: int, operations: Sequence[Operation | tuple[int, int]], timeout: float | None = None) -> None:
    """Does all operations or none (semop, semtimedop).

    operations: each is a madang.Operation, or a tuple (index, delta).
    timeout: in seconds; None waits for ever: TimeoutError when it is over. BlockingIOError if it is 0, or the operation
        that can't be done has no_wait. Other threads go on while it waits, and signal handlers run.

    Raises OSError with EINVAL, EFBIG, E2BIG, ERANGE, EIDRM; PermissionError.
    """

def getval(id: int, index: int) -> int:
    """The value of one semaphore (semctl, GETVAL)."""

def getall(id: int) -> list[int]:
    """The values of all (GETALL)."""

def getpid(id: int, index: int) -> int:
    """The process that operated on it last (GETPID)."""

def getwaiting(id: int, index: int) -> Waiting:
    """How many wait for it to grow, and to become 0 (GETNCNT, GETZCNT)."""

def setval(id: int, index: int, value: int) -> None:
    """Sets the value of one semaphore (SETVAL)."""

def setall(id: int, values: Sequence[int]) -> None:
    """Sets the values of all (SETALL)."""

def semstat(id: int) -> SetStatus:
    """What the set is (semctl, IPC_STAT)."""

def semids() -> list[int]:
    """The identifiers of all sets, in their order, also of those that this process can't open. Doesn't wait.

    Raises as madang.list() does.
    """

def semlist() -> list[SetStatus]:
    """What each set is (semctl, SEM_STAT_ANY, in a loop over all), by identifier.

    Whoever may read them; but what this process can't open isn't there. Doesn't wait.

    Raises as madang.list() does.
    """

def semset(id: int, *, uid: int | None = None, gid: int | None = None, mode: int | None = None) -> None:
    """Changes owner or mode (semctl, IPC_SET); None leaves it."""

def semremove(id: int) -> None:
    """Removes the set (semctl, IPC_RMID): who waits gets EIDRM."""

def shmget(key: int, size: int, flags: int) -> int:
    """The identifier of the segment of that key, which is made of size bytes if flags say so (shmget)."""

def shmat(id: int, address: int | None = None, flags: int = 0) -> Attachment:
    """Attaches the segment (shmat).

    address: where; None is anywhere, else as shmat(2) has it.
    flags: SHM_RDONLY, SHM_RND, SHM_EXEC. (SHM_REMAP is refused: it would replace memory of Python's.)

    Raises OSError with EINVAL, ENOMEM; PermissionError.
    """

def shmstat(id: int) -> SegmentStatus:
    """What the segment is (shmctl, IPC_STAT)."""

def shmids() -> list[int]:
    """The identifiers of all segments, in their order, also of those that this process can't open. Doesn't wait.

    Raises as madang.list() does.
    """

def shmlist() -> list[SegmentStatus]:
    """What each segment is (shmctl, SHM_STAT_ANY, in a loop over all), by identifier. What was removed is there as long as
    it is attached.

    Whoever may read them; but what this process can't open isn't there. Doesn't wait.

    Raises as madang.list() does.
    """

def shmset(id: int, *, uid: int | None = None, gid: int | None = None, mode: int | None = None) -> None:
    """Changes owner or mode (shmctl, IPC_SET); None leaves it."""

def shmlock(id: int, locked: bool) -> None:
    """Says that the segment is locked (shmctl, SHM_LOCK), or not (SHM_UNLOCK): shmstat tells it, and that is all. Memory in
    a file system can't be locked for others.

    Raises PermissionError unless the caller is owner, creator or root; OSError with EINVAL for a bad identifier. Doesn't
    wait.
    """

def shmremove(id: int) -> None:
    """Removes the segment (shmctl, IPC_RMID): it goes with its last attachment."""

def limits() -> dict[str, int]:
    """The limits in force, by name: msgmax, msgmnb, msgmni, semmsl, semmns, semopm, semmni, semvmx, shmmax, shmall,
    shmmni (IPC_INFO).
    """
