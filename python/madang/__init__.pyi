"""Inter-process communication for Linux: queues and segments in shared memory.

The same objects, names and errors as from Rust and C. See help(madang.Queue) and help(madang.Segment);
for Python objects, help(madang.ObjectQueue).

Caveats, and what to do about them:

- A queue or segment outlives the processes that use it, until it is unlinked or the machine stops.
  Unlink what you no longer need; madang.list() shows what is there, and so does the command madang ls.
- A container's /dev/shm often has only 64 MB, and a full one is ENOSPC. Start the container with a
  larger one (--shm-size), or set MADANG_DIR to the absolute path of a directory on another tmpfs, the
  same for all processes. Segments are always in /dev/shm.
- A receiver that is killed takes the message that it just received along. If somebody must have worked
  on a message, lease it (`with q.lease() as m`): it comes back unless the block is left normally.
- An array over a lease or a reservation keeps it: to leave the block with one is BufferError. Delete
  the array before, or copy what you need.
- A process that is stopped (SIGSTOP, a debugger) while it is inside a queue is alive, and the others
  wait for it. Give calls a timeout: they end with TimeoutError, or, if it is 0, with EBUSY after a
  second. Let the process go on, or kill it: then the next caller repairs what it left.
- Who may write an object may damage it, which the others see as EUCLEAN or as a wrong message; or
  truncate its file, which kills them with SIGBUS. Keep the mode 0o600 among strangers. What belongs to
  neither this process's user nor root is not opened, but with any_owner.
- What another thread writes to a buffer while it is sent, or while something is received into it,
  makes some mixture of old and new.
"""

import builtins
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Literal, Self, TypeVar, final

from typing_extensions import Buffer

from . import kernel as kernel
from . import shared as shared
from ._objects import ObjectQueue as ObjectQueue
from .kernel import fifo as fifo
from .kernel import file as file
from .kernel import memfd as memfd
from .kernel import pipe as pipe
from .kernel import posix as posix
from .kernel import signal as signal
from .kernel import socket as socket
from .kernel import sysv as sysv

# Without `gc` and `list`: `from madang import *` must not hide Python's own.
__all__ = [
    "Barrier",
    "Condition",
    "Event",
    "Except",
    "Lease",
    "LeftOvers",
    "Listed",
    "Mutex",
    "ObjectQueue",
    "Operation",
    "Participant",
    "Queue",
    "QueueStatus",
    "Received",
    "Reservation",
    "RwLock",
    "RwLockGuard",
    "Segment",
    "SemaphoreSet",
    "SemaphoreSetStatus",
    "Waiting",
    "__version__",
    "fifo",
    "file",
    "kernel",
    "left_overs",
    "pipe",
    "memfd",
    "posix",
    "shared",
    "sysv",
    "signal",
    "socket",
]

__version__: str

_T = TypeVar("_T")

def gc() -> LeftOvers:
    """Removes left-overs of processes that were killed: half-made objects, and removed ones of System V's calls.
    Half-made ones are rare: where /dev/shm is a tmpfs and /proc is mounted, only System V's calls can leave any.
    More common are System V segments that were removed while they were attached, and whose last user was killed.
    Objects that are whole and weren't removed are never touched.

    Raises as madang.list() does.
    """

def left_overs() -> LeftOvers:
    """Tells what madang.gc() would remove. Raises as madang.list() does."""

def list(*, segments: bool = False, any_owner: bool = False) -> builtins.list[Listed]:
    """The objects that exist: queues, sets of semaphores, locks and their like, by kind and name. What can't be
    opened is listed too, and has an `error`. A snapshot: others make and remove meanwhile.

    segments: lists segments as well: every regular file in /dev/shm that isn't madang's, whoever made
        it, by whatever means.
    any_owner: takes another user's object for good, as any_owner does when it is opened.

    Raises FileNotFoundError, NotADirectoryError or PermissionError if the directory can't be read;
    OSError with EINVAL where MADANG_DIR isn't absolute, EMFILE and ENFILE.
    """

@final
class Except:
    """Any type but one, for what receives: q.recv(madang.Except(3)). A value: compared, hashed and pickled."""

    def __new__(cls, type: int) -> Self: ...
    @property
    def type(self) -> int:
        """The type that is not wanted, greater than 0."""

    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Lease:
    """A message that was handed out, but is still the queue's until it is acknowledged. See Queue.lease.

        with q.lease(timeout=1.0) as m:
            work(m.data, m.type)

    At the end of the block the message is acknowledged: it is done with, and leaves the queue. If an
    exception leaves the block, the message is given back: it is received again, in its old place, and
    `redelivered` says so. So is one whose lease is forgotten, and one whose process is killed: what a
    lease is done for happens at least once.

    It is a buffer: bytes(m), numpy.frombuffer(m, "f4"). These are the bytes in the queue's own memory,
    and can't be written. As long as there is a view of them (an array, a slice of a memoryview), to
    acknowledge or release the lease is BufferError, and it stays. (An exception that leaves the block
    is not replaced: then the message is given back with the last view.) Only `data` itself is released
    with the lease.

    It hinders nobody, however long it is held, but its message counts as held by the queue. It keeps the
    queue open for itself: it stays good when the handle is closed. In a forked child it is not the
    child's: OSError with EOWNERDEAD.

    len(m) is the message's length in bytes. bool(m) is True, also of an empty one.
    """

    @property
    def data(self) -> memoryview:
        """Its bytes: a memoryview of the queue's own memory, which can't be written. It is released with the
        lease. OSError with EBADF when the lease is over, EOWNERDEAD in a forked child.
        """

    @property
    def type(self) -> int:
        """The message's type, greater than 0."""

    @property
    def sequence(self) -> int:
        """How many messages were sent to this queue before it: by this repeats are told."""

    @property
    def redelivered(self) -> int:
        """How often it was handed out before by a lease that wasn't acknowledged; mostly 0."""

    @property
    def ended(self) -> bool:
        """Whether it was acknowledged or given back."""

    def ack(self) -> None:
        """Acknowledges the message: it is done with, and leaves the queue.

        BufferError if there are views of it left. OSError with EBADF if the lease is over already;
        EOWNERDEAD in a forked child, or if the others presumed this process dead: the message will be, or
        was, received again. What a signal handler raises, if another participant stays inside the queue
        (it was stopped); else it doesn't wait. Whatever it raises, the lease stays.
        """

    def release(self) -> None:
        """Gives the message back: it is received again, by whomever, in its old place. Raises as ack does."""

    def __len__(self) -> int: ...
    def __bool__(self) -> Literal[True]: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, exception_type: object = None, *_exception: object) -> None: ...

@final
class LeftOvers:
    """Left-overs of processes that were killed: half-made objects, and removed ones of System V's calls.

    A value: compared, hashed and pickled.
    """

    def __new__(cls, files: int, bytes: int, others: int) -> Self: ...
    @property
    def files(self) -> int:
        """How many there are, or were."""

    @property
    def bytes(self) -> int:
        """Bytes of memory that they take, or took."""

    @property
    def others(self) -> int:
        """How many half-made ones there are of other users, which only these or root can judge and remove."""

    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Listed:
    """An object that madang.list() found."""

    @property
    def kind(
        self,
    ) -> Literal[
        "queue", "semaphores", "mutex", "rwlock", "condition", "barrier", "event", "segment", "memory", "other"
    ]:
        """What it is: "queue", "semaphores", "mutex", "rwlock", "condition", "barrier", "event", "segment", "memory", or
        "other", which this version of madang doesn't know.
        """

    @property
    def name(self) -> str:
        """The name by which it is opened."""

    @property
    def size(self) -> int:
        """Its file's size in bytes: of a queue all that it may ever take, of a segment its length."""

    @property
    def allocated(self) -> int:
        """Bytes of memory that it takes."""

    @property
    def mode(self) -> int:
        """Permission bits."""

    @property
    def uid(self) -> int:
        """The owner's user id."""

    @property
    def gid(self) -> int:
        """The owner's group id."""

    @property
    def error(self) -> OSError | None:
        """None, or the OSError that opening it raises: it is damaged (EUCLEAN), of another layout version
        (EPROTO), not permitted (EACCES), another user's (EPERM), or of a kind that this version doesn't
        know (ENOTSUP).
        """

@final
class Participant:
    """An open handle of a queue, or what a dead one left in its place. A value: compared, hashed and pickled."""

    def __new__(cls, pid: int, joined_ns: int, lives: bool, is_me: bool) -> Self: ...
    @property
    def pid(self) -> int:
        """The process that opened it, as its own pid namespace numbers it: in another container that number
        may be another process's, or nobody's.
        """

    @property
    def joined_ns(self) -> int:
        """When it joined, as time.monotonic_ns() gives it."""

    @property
    def lives(self) -> bool:
        """Whether it lives. A dead one's place goes to whoever needs it, who first settles what is left."""

    @property
    def is_me(self) -> bool:
        """Whether it is the very handle that was asked."""

    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Queue:
    """A bounded queue of messages in shared memory, for any number of senders and receivers.

    They may be in any processes and languages: who opens the same name, from Python, Rust or C, has
    the same queue. A message is some bytes and a type greater than 0. Messages are received in the
    order in which they were sent, or by type.

        with madang.Queue("orders", capacity="4M") as q:
            q.send(b"two teas", type=3, timeout=1.0)
            data, type = q.recv()           # the first; q.recv(3): the first of type 3

    A receiver that must not lose a message when it fails or is killed leases it: `with q.lease() as m`.
    Who sends or receives much can do so without a copy: q.reserve() and q.lease(). Objects are sent by
    madang.ObjectQueue.

    The constructor opens the queue, or creates it. It doesn't wait.

    name: 1 to 242 bytes of UTF-8, without "/". The queue is the file madang.queue.NAME in /dev/shm, or
        in the directory that the environment variable MADANG_DIR names. (Its path must be absolute.
        Set-user-id programs ignore it.)
    capacity: the most bytes that it holds, also the longest message; an int, or text with K, M, G or
        T (1024 each): "64K", "4M". 1 TiB at most, by default 1 MiB. Memory is only taken as it is used.
    max_messages: the most messages that it holds: 2**32 at most, by default the lesser of the capacity
        and 65,536.
    max_participants: for how many open handles, in all processes together, it has room: 65,534 at most,
        by default 1,024. Of an existing queue, these three are the least that will do; None takes it as
        it is.
    mode: the permission bits of a new queue, exactly (no umask); 0 is 0o600 too. Who takes part needs
        read and write permission.
    create: "if-missing"; "never" only opens what exists; "only" only opens what it creates.
    any_owner: opens it although it belongs to another user, who can do with it what he likes. (What
        belongs to root is always opened.)
    exclusive_sender: this handle alone sends, as long as it is open, and so costs least: to others sending,
        and opening with the same, is EBUSY. It belongs to the first thread that uses the handle, and to
        this process: other threads and forked children send as others do.
    exclusive_receiver: the same for receiving.
    dead_letters: a tuple, ("failed", 3): a message that was leased 3 times (up to 65,535), and never
        acknowledged, isn't leased again but goes to the queue "failed": it may be what kills its
        receivers. That queue is made when it is first needed; if it is full, the message is leased all
        the same. Only a new queue takes this; an existing one keeps what it was made with.

    The queue persists, with what it holds, until Queue.unlink(name). A handle is closed by close(),
    at the end of a `with` block, and when it is forgotten; that never unlinks.

    len(q) is how many messages it holds now. bool(q) is True, also of an empty or closed one.

    A handle may be shared by threads. It may be sent to another process: pickled, it is its name, and
    unpickling opens the queue, but never creates it. So it can be an argument of a
    multiprocessing.Process, whatever the start method. It may be used in a forked child, which is a
    participant of its own: there its first use may fail as opening does, with EUSERS for instance.

    What is promised: a process that is killed at any instruction leaves every other one able to go
    on, and a message whose send returned is received once. Who is killed right after a receive takes
    the message along; with a lease it comes back.

    What fails raises OSError with an errno, and the subclass that Python has for it. Here:
    FileNotFoundError (ENOENT) and FileExistsError (EEXIST), as `create` says; PermissionError (EACCES:
    its mode; EPERM: it is another user's); IsADirectoryError, ELOOP (a symbolic link), ENODEV and ENXIO
    (no regular file) for what has the name but is no queue; EINVAL for a bad name, where a limit or the
    mode is too large, where an existing queue is smaller than asked for, or where MADANG_DIR isn't
    absolute; ENAMETOOLONG; ENOSPC; EUSERS if it has no place for another handle; EPROTOTYPE for another
    kind of object, EPROTO for another layout version or byte order, EUCLEAN for a damaged one; EBUSY if
    another handle has the end that this one asks for alone, ENOTSUP if it can't be had alone for want of
    membarrier(2); ENOMEM, EMFILE and ENFILE as open(2) and mmap(2). On a closed handle: EBADF.

    What can't be meant at all is ValueError: a limit below 1, a negative mode, a number that 64 bits
    don't hold, a text that is no size, a name that UTF-8 can't write.
    """

    def __new__(
        cls,
        name: str,
        *,
        capacity: int | str | None = None,
        max_messages: int | None = None,
        max_participants: int | None = None,
        mode: int = 0o600,
        create: Literal["if-missing", "never", "only"] = "if-missing",
        any_owner: bool = False,
        exclusive_sender: bool = False,
        exclusive_receiver: bool = False,
        dead_letters: tuple[str, int] | None = None,
    ) -> Self: ...
    def send(self, data: Buffer, type: int = 1, timeout: float | None = None) -> None:
        """Sends a message; waits while the queue is full.

        data: its bytes: bytes, bytearray, memoryview, a NumPy array, or what else has contiguous memory.
        type: greater than 0.
        timeout: in seconds. None waits for ever; 0 doesn't wait.

        Other threads go on while it waits, or copies 64 KiB or more. Signal handlers run, and then it
        goes on to the same deadline.

        Whatever it raises, the message was not sent; but for EOWNERDEAD, after which it may have been.

        BlockingIOError (EAGAIN): the queue is full, and the timeout is 0. TimeoutError: it stayed full, or
        another sender stayed inside (it was stopped). OSError with EBUSY if the timeout is 0 and another
        sender stays inside for a second, or if another handle, or thread, sends alone (see
        exclusive_sender); EINVAL for a type below 1; EMSGSIZE if data is longer than the
        capacity; ENOSPC if there is no memory for it; EUCLEAN if the queue is damaged; EOWNERDEAD if the
        others found this handle dead and went on without it: close it, and open it anew; EBADF.
        ValueError for a timeout that isn't 0 or more; OverflowError for a type that 64 bits don't hold, or
        a timeout that a float doesn't; TypeError and BufferError for data; and what a signal handler
        raises, as KeyboardInterrupt.
        """

    def recv(self, type: int | Except = 0, timeout: float | None = None) -> tuple[bytes, int]:
        """Receives a message; waits while there is none. Returns its bytes and its type.

        type: which message. 0: the first. t greater than 0: the first of that type. -t: of the lowest type
            there is, if it is not above t, the first. madang.Except(t): the first of any other type.
        timeout: in seconds. None waits for ever; 0 doesn't wait.

        Other threads go on while it waits, or copies 64 KiB or more. Signal handlers run, and then it
        goes on to the same deadline.

        Whatever it raises, nothing was received; but for MemoryError, with which a message may be lost,
        and EOWNERDEAD, after which one may have been received.

        BlockingIOError (EAGAIN): there is no such message, and the timeout is 0. TimeoutError: none came, or
        another receiver stayed inside (it was stopped). OSError with EBUSY if the timeout is 0 and another
        receiver stays inside for a second, or if another handle, or thread, receives alone (see
        exclusive_receiver); ENOSPC if there is no room to set aside the messages before the
        one that is wanted; EINVAL for an Except below 1; EUCLEAN if the queue is damaged; EOWNERDEAD if the
        others found this handle dead and went on without it: close it, and open it anew; EBADF.
        ValueError for a timeout that isn't 0 or more; OverflowError for a type that 64 bits don't hold, or
        a timeout that a float doesn't; MemoryError; and what a signal handler raises, as
        KeyboardInterrupt.
        """

    def recv_into(
        self, buffer: Buffer, type: int | Except = 0, timeout: float | None = None, *, truncate: bool = False
    ) -> Received:
        """Receives as recv does, but into the caller's memory: nothing is allocated.

        buffer: bytearray, memoryview, a NumPy array, or what else has contiguous memory that may be
            written. It is filled from its start; what lies after the message is left as it was.
        truncate: takes a message that is too long too, and what doesn't fit is lost: is_cut.

        Raises as recv does, EOWNERDEAD too. OSError with E2BIG if the buffer is too small: the message
        stays, and the exception has an attribute `length`, the bytes that it needs. TypeError and
        BufferError for buffer.
        """

    def send_many(self, messages: Iterable[Buffer | tuple[Buffer, int]], timeout: float | None = None) -> int:
        """Sends messages, in this order; waits until all of them are sent. Returns how many are.

            q.send_many([b"two teas", (b"one coffee", 3)])

        messages: an iterable; each is what send takes as data, of type 1, or a tuple of that and a type.
        timeout: in seconds, for all of them together. None waits until all are sent; 0 sends what there is
            room for.

        Many small messages cost a fraction of as many sends. They need not be received together, nor is
        sending them one step: others' messages may come in between, and who is killed on the way has sent
        the first of them.

        Raises as send does, if none was sent. If it is some of them that were sent when the timeout was over,
        or whatever came up, it returns how many: send the rest again to learn it. An invalid type or length
        in any of them refuses all; the text has its index. What a signal handler raises, and EBADF if
        another thread closes the handle meanwhile, is raised in any case: the first of them may have been
        sent then. So is what the iterable raises: then none was.
        """

    def sendv(self, pieces: Iterable[Buffer], type: int = 1, timeout: float | None = None) -> None:
        """Sends one message that consists of several pieces, without putting them together before.

            q.sendv([header, body], type=3)

        pieces: an iterable; each is what send takes as data.

        All else as send.
        """

    def recv_many(
        self, count: int, type: int | Except = 0, timeout: float | None = None
    ) -> builtins.list[tuple[bytes, int]]:
        """Receives as many messages as there are, but at most count; waits while there is none. Returns a
        list of what recv would return.

            for data, type in q.recv_many(100):
                ...

        count: 0 or more, which is the list's length at most; with 0 it is empty.
        type, timeout: as with recv. It waits only for the first message.

        Raises as recv does: whatever it raises, nothing was received; but for MemoryError, with which messages
        may be lost, and EOWNERDEAD, after which some may have been received. ValueError for a negative
        count. Who is killed after it returned takes all of them along.
        """

    def peek(self, position: int = 0) -> tuple[bytes, int]:
        """Returns the bytes and the type of a message that stays; doesn't wait.

        position: how many messages come before it. Leased ones don't count.

        BlockingIOError (EAGAIN): there are fewer. Else it raises as recv does; ValueError for a position
        below 0.
        """

    def lease(self, type: int | Except = 0, timeout: float | None = None) -> Lease:
        """Leases a message: it is read in place, and comes back unless it is acknowledged. Waits while there
        is none.

            with q.lease() as m:
                work(m.data, m.type)

        type, timeout: as of recv.

        Raises as recv does, but MemoryError and EOWNERDEAD lose nothing: the message comes back.
        """

    def reserve(self, length: int, type: int = 1, timeout: float | None = None) -> Reservation:
        """Reserves a place for a message of length bytes, which is written there before it is sent. Waits
        while the queue is full.

            with q.reserve(8 * len(pixels), type=2) as r:
                r.write(pixels)

        type: of the message, greater than 0.
        timeout: in seconds. None waits for ever; 0 doesn't wait. The end of a `with` block, which sends the
            message, waits as long once more.

        Raises as send does; ValueError for a length below 0.
        """

    def trim(self) -> int:
        """Gives back memory that the queue took for messages outside of its ring (long, skipped, leased,
        reserved ones, also those of the dead) and doesn't need any more. Returns how many bytes.

        Raises OSError with EBUSY if another participant stays inside for a second, EOWNERDEAD (see send),
        EUCLEAN or EBADF.
        """

    def recv_async(
        self, type: int | Except = 0, timeout: float | None = None
    ) -> Coroutine[Any, Any, tuple[bytes, int]]:
        """Receives as recv does, in asyncio: `data, type = await q.recv_async()`. Other tasks go on while it
        waits.

        timeout: in seconds. None waits for ever; 0 doesn't wait.

        Tasks that wait for the same are served in the order in which they came, and each message goes to
        one. A task that is cancelled while it waits has taken nothing. All tasks of a loop wait by one
        descriptor, however many queues there are. A handle may be used in several loops, in threads of
        their own.

        `async for data, type in q` receives one after the other, without an end.

        Raises as recv does; and OSError with EMFILE if this user's inotify instances, or the process's
        descriptors, are used up, ENOSPC if the inotify watches are: the text says what to do. If the
        handle is closed meanwhile: EBADF, within a quarter of a second.
        """

    def send_async(self, data: Buffer, type: int = 1, timeout: float | None = None) -> Coroutine[Any, Any, None]:
        """Sends as send does, in asyncio: `await q.send_async(b"two teas", type=3)`. Other tasks go on while it
        waits. A task that is cancelled while it waits has sent nothing.

        data: its bytes, which must not change until it is sent.

        Tasks send in the order in which they came. All else is as with recv_async and send.
        """

    def __aiter__(self) -> Self: ...
    def __anext__(self) -> Coroutine[Any, Any, tuple[bytes, int]]: ...
    def fileno(self) -> int:
        """A descriptor that is readable when there may be something to receive: for select, poll, selectors,
        and every event loop. (For asyncio there is recv_async.)

        Readable means "try", no more: another may have been faster, and now and then, up to four times a
        second, it is readable for nothing. It stays so until a receive with this handle finds nothing and
        raises BlockingIOError or TimeoutError; from then on a message makes it readable again. So
        receive with timeout=0 until there is nothing, or select before each: both are right. There is
        nothing to arm.

        It is the handle's: the same each time, and closed with it; take it out of a selector before. A
        forked child that waits by it calls this first. Threads that wait for different types open a
        handle each. It takes three descriptors, and one of the inotify instances of which a user has 128
        by default.

        Raises OSError with EMFILE if the user's inotify instances, or the process's descriptors, are used up,
        ENOSPC if the user's inotify watches are: the text says which sysctl; ENFILE, ENOMEM; EOWNERDEAD (see
        send); EBADF.
        """

    def send_fileno(self) -> int:
        """A descriptor that is readable (sic) when there may be room for the message that the last send with
        this handle found no room for. All else is as with fileno.
        """

    def stat(self) -> QueueStatus:
        """What the queue is and holds now. Raises OSError with EOWNERDEAD (see send) or EBADF."""

    def participants(self) -> builtins.list[Participant]:
        """Who takes part: every open handle, and those of killed processes whose place nobody has needed
        since. In no order. Raises as stat does.
        """

    def __len__(self) -> int: ...
    def __bool__(self) -> Literal[True]: ...
    @property
    def name(self) -> str:
        """The name by which it was opened."""

    @property
    def capacity(self) -> int:
        """The most bytes that it holds; also the longest message."""

    @property
    def is_new(self) -> bool:
        """Whether this very handle created it."""

    @property
    def closed(self) -> bool:
        """Whether this handle is closed."""

    def close(self) -> None:
        """Closes the handle; doesn't unlink the queue. Closing it again does nothing.

        A call that waits in another thread raises OSError with EBADF within a fifth of a second, unless
        what it waits for comes before it notices.
        """

    @staticmethod
    def unlink(name: str) -> None:
        """Takes the name away; who has the queue open goes on with it. The next open makes a new one.

        Raises FileNotFoundError; PermissionError if it is another user's; IsADirectoryError; OSError with
        EINVAL or ENAMETOOLONG for a bad name, or EINVAL where MADANG_DIR isn't absolute.
        """

    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Received:
    """What is said of a message that was received into a buffer. A value: compared, hashed and pickled."""

    def __new__(cls, length: int, type: int, sequence: int, redelivered: int, message_length: int) -> Self: ...
    @property
    def length(self) -> int:
        """How many bytes of the buffer it filled."""

    @property
    def type(self) -> int:
        """Its type, greater than 0."""

    @property
    def sequence(self) -> int:
        """How many messages were sent to this queue before it."""

    @property
    def redelivered(self) -> int:
        """How often it was handed out before by a lease that wasn't acknowledged; mostly 0."""

    @property
    def message_length(self) -> int:
        """How long the message was. More than length only where it was cut."""

    @property
    def is_cut(self) -> bool:
        """Whether the buffer was too small, and the rest of the message is lost."""

    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Reservation:
    """A place in a queue for one message, which is written there before it is sent. See Queue.reserve.

        with q.reserve(pixels.nbytes, type=2) as r:
            r.write(pixels)

    At the end of the block the message is sent. If an exception leaves the block, the place is given back
    and nothing is sent; so is one that is forgotten, and one whose process is killed.

    It is a buffer of the queue's own memory that may be written: r.data[:5] = b"hello", or
    numpy.frombuffer(r, "f4")[:] = 0. What it holds at first is anything. As long as there is a view of
    it (an array, a slice of a memoryview), to commit or release it is BufferError, and it stays. (An
    exception that leaves the block is not replaced: then the place is given back with the last view.)
    Only `data` itself is released with it.

    It hinders nobody, however long it is held: others send meanwhile, and its message comes after
    theirs. It keeps the queue open for itself: it stays good when the handle is closed. In a forked child
    it is not the child's: OSError with EOWNERDEAD.

    len(r) is its length in bytes. bool(r) is True, also of an empty one.
    """

    @property
    def data(self) -> memoryview:
        """Its bytes: a memoryview of the queue's own memory, to be written. It is released with the
        reservation. OSError with EBADF when that is over, EOWNERDEAD in a forked child.
        """

    @property
    def type(self) -> int:
        """The type that the message has, unless commit says otherwise."""

    @property
    def ended(self) -> bool:
        """Whether it was sent or given back."""

    def write(self, data: Buffer, offset: int = 0) -> None:
        """Copies data to it, beginning at offset, and leaves no view behind.

        data: bytes, bytearray, memoryview, a NumPy array, or what else has contiguous memory.
        offset: in bytes.

        Other threads go on while it copies 64 KiB or more. ValueError if the data don't lie within, and
        nothing is written; OSError with EBADF when it is over, EOWNERDEAD in a forked child; TypeError and
        BufferError for data.
        """

    def commit(self, type: int | None = None, length: int | None = None, timeout: float | None = None) -> None:
        """Sends it; waits while the queue is full.

        type: greater than 0; None is the one given to reserve.
        length: how many of its bytes, from the start, are the message; None is all of them.
        timeout: in seconds. None waits for ever; 0 doesn't wait.

        Raises as Queue.send does, but EMSGSIZE. BufferError if there are views of it left. ValueError if it
        is not so long. OSError with EBADF if it is over already, EOWNERDEAD in a forked child. Whatever
        it raises, nothing was sent, and it stays; but for EOWNERDEAD.
        """

    def release(self) -> None:
        """Gives the place back; nothing is sent.

        BufferError if there are views of it left, and it stays. OSError with EBADF if it is over already,
        EOWNERDEAD in a forked child.
        """

    def __len__(self) -> int: ...
    def __bool__(self) -> Literal[True]: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, exception_type: object = None, *_exception: object) -> None: ...

@final
class QueueStatus:
    """What Queue.stat() tells; a snapshot. A value: compared, hashed and pickled."""

    def __new__(
        cls,
        capacity: int,
        max_messages: int,
        max_participants: int,
        bytes: int,
        messages: int,
        sent: int,
        received: int,
        leased: int,
        participants: int,
        repairs: int,
        allocated: int,
        mode: int,
        uid: int,
        gid: int,
    ) -> Self: ...
    @property
    def capacity(self) -> int:
        """The most bytes that it holds; also the longest message."""

    @property
    def max_messages(self) -> int:
        """The most messages that it holds."""

    @property
    def max_participants(self) -> int:
        """How many open handles it has room for."""

    @property
    def bytes(self) -> int:
        """Bytes held."""

    @property
    def messages(self) -> int:
        """Messages held."""

    @property
    def sent(self) -> int:
        """Messages ever sent to it."""

    @property
    def received(self) -> int:
        """Messages ever received from it."""

    @property
    def leased(self) -> int:
        """Of the messages held, how many are leased. (What the dead had leased is given back first, unless somebody is inside just then.)"""

    @property
    def participants(self) -> int:
        """Open handles in all living processes."""

    @property
    def repairs(self) -> int:
        """How often the living repaired what a killed process left half done."""

    @property
    def allocated(self) -> int:
        """Bytes of memory that it takes."""

    @property
    def mode(self) -> int:
        """Permission bits."""

    @property
    def uid(self) -> int:
        """The owner's user id."""

    @property
    def gid(self) -> int:
        """The owner's group id."""

    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Segment:
    """Plain named bytes in shared memory: the same object as shm_open("/NAME") makes in C.

    A segment is a buffer, so whatever takes bytes takes it, without a copy:

        s = madang.Segment("frame", length="8M")
        pixels = numpy.frombuffer(s, "f4")
        memoryview(s)[:5] = b"hello"

    What several processes write there at once they must order among themselves, for instance by a
    madang.Queue.

    The constructor opens the segment, or creates it, filled with zeros. It doesn't wait.

    name: 1 to 255 bytes of UTF-8, without "/", and not beginning with "madang.". The segment is the
        file /dev/shm/NAME. (MADANG_DIR is for queues.)
    length: in bytes; an int, or text with K, M, G or T (1024 each): "64K", "8M". A new segment must be
        given its length; of an existing one it is the least that will do. The memory is taken at
        once, so that touching it can't fail.
    mode: the permission bits of a new segment, exactly (no umask); 0 is 0o600 too.
    create: "if-missing"; "never" only opens what exists; "only" only opens what it creates.
    read_only: the memory can't be written by this handle. The segment must exist.
    any_owner: opens it although it belongs to another user, who could change or truncate it at any
        time. (What belongs to root is always opened.)

    Who may write a segment may truncate it, which is SIGBUS for all who then touch what was cut off.

    len(s) is its length in bytes. bool(s) is True, also of a closed one.

    The segment persists until Segment.unlink(name). A handle is closed by close(), at the end of a
    `with` block, and when it is forgotten; that never unlinks. Arrays and memoryviews made of it keep the
    memory mapped: they stay good, whatever becomes of the handle, until the last of them is gone.

    It may be used in a forked child, and be sent to another process: pickled, it is its name, and
    unpickling opens the segment, but never creates it.

    What fails raises OSError with an errno, and the subclass that Python has for it. Here:
    FileNotFoundError (ENOENT) and FileExistsError (EEXIST), as `create` says, or where one that doesn't
    exist is opened read-only or without a length; PermissionError (EACCES: its mode; EPERM: it is another
    user's); IsADirectoryError, ELOOP (a symbolic link), ENODEV and ENXIO (no regular file) for what has
    the name but is no segment; EINVAL for a bad name or mode, create="only" without a length or
    read-only, or where an existing segment is empty or smaller than asked for; ENAMETOOLONG; ENOSPC;
    ENOMEM, EMFILE and ENFILE as open(2) and mmap(2). On a closed handle: EBADF.

    What can't be meant at all is ValueError: a length below 1, a negative mode, a number that 64 bits
    don't hold, a text that is no size, a name that UTF-8 can't write.
    """

    def __new__(
        cls,
        name: str,
        *,
        length: int | str | None = None,
        mode: int = 0o600,
        create: Literal["if-missing", "never", "only"] = "if-missing",
        read_only: bool = False,
        any_owner: bool = False,
    ) -> Self: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def __len__(self) -> int: ...
    def __bool__(self) -> Literal[True]: ...
    @property
    def name(self) -> str:
        """The name by which it was opened."""

    @property
    def is_new(self) -> bool:
        """Whether this very handle created it."""

    @property
    def read_only(self) -> bool:
        """Whether its memory can't be written through this handle."""

    @property
    def closed(self) -> bool:
        """Whether this handle is closed."""

    def close(self) -> None:
        """Closes the handle; doesn't unlink the segment. Closing it again does nothing.

        Arrays and memoryviews made of it stay good; the memory is unmapped when the last of them is gone.
        """

    @staticmethod
    def unlink(name: str) -> None:
        """Takes the name away; who has the segment open goes on with it. The next open makes a new one.

        Raises FileNotFoundError; PermissionError if it is another user's; IsADirectoryError; OSError with
        EINVAL or ENAMETOOLONG for a bad name.
        """

    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Operation:
    """One operation on one semaphore of a set, as struct sembuf of semop(2). A value: compared, hashed and pickled.

    index: the semaphore; the first is 0.
    delta: what is added to its value, which never goes below 0: it is waited for until it is large
        enough. 0 waits until it is 0.
    undo: it is taken back when the handle is closed, or its process ends in any way (SEM_UNDO).
    no_wait: if it can't be done at once, BlockingIOError is raised for all of them (IPC_NOWAIT).
    """

    def __new__(cls, index: int, delta: int, *, undo: bool = False, no_wait: bool = False) -> Self: ...
    @property
    def index(self) -> int:
        """The semaphore."""

    @property
    def delta(self) -> int:
        """What is added to its value; 0 waits until it is 0."""

    @property
    def undo(self) -> bool:
        """Whether it is taken back in the end."""

    @property
    def no_wait(self) -> bool:
        """Whether it isn't waited for."""

    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Waiting:
    """How many wait for a semaphore. A value: compared, hashed and pickled."""

    def __new__(cls, to_grow: int, for_zero: int) -> Self: ...
    @property
    def to_grow(self) -> int:
        """For its value to grow (GETNCNT)."""

    @property
    def for_zero(self) -> int:
        """For its value to become 0 (GETZCNT)."""

    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class SemaphoreSetStatus:
    """What SemaphoreSet.stat() tells; a snapshot. A value: compared, hashed and pickled."""

    def __new__(
        cls,
        semaphores: int,
        max_value: int,
        max_participants: int,
        participants: int,
        repairs: int,
        allocated: int,
        mode: int,
        uid: int,
        gid: int,
    ) -> Self: ...
    @property
    def semaphores(self) -> int:
        """How many semaphores it has."""

    @property
    def max_value(self) -> int:
        """The largest value that one may have."""

    @property
    def max_participants(self) -> int:
        """How many open handles it has room for."""

    @property
    def participants(self) -> int:
        """Open handles in all living processes."""

    @property
    def repairs(self) -> int:
        """How often the living repaired what a killed process left half done."""

    @property
    def allocated(self) -> int:
        """Bytes of memory that it takes."""

    @property
    def mode(self) -> int:
        """Permission bits."""

    @property
    def uid(self) -> int:
        """The owner's user id."""

    @property
    def gid(self) -> int:
        """The owner's group id."""

    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class SemaphoreSet:
    """A set of semaphores in shared memory, for any number of processes in any languages.

    A semaphore is a number that is never below 0. Several are changed together or none of them, as
    semop(2) does it:

        s = madang.SemaphoreSet("slots", values=[8, 0])
        s.operate([(0, -1), (1, +1)])  # waits until the first isn't 0

    What is done with undo is taken back when the handle is closed or its process ends, be it by SIGKILL:
    at once for whoever looks, and within 300 ms for who sleeps. Those who sleep are served in the order
    in which they came; who comes just then may be quicker.

    The constructor opens the set, or creates it. It doesn't wait.

    name: 1 to 237 bytes of UTF-8, without "/". The set is the file madang.semaphores.NAME in /dev/shm, or in
        the directory whose absolute path MADANG_DIR has.
    values: with which the semaphores of a new set begin; nobody ever sees it without them. An existing
        set keeps its own.
    semaphores: how many it has, 65,536 at most; by default as many as values, or 1.
    max_value: the largest value that one may have: 2**31 - 1 at most, which is the default.
    max_participants: for how many open handles, in all processes together, it has room: 65,534 at most, by
        default 1,024. Of an existing set, these three are the least that will do; None takes it as it is.
    mode: the permission bits of a new set, exactly (no umask); 0 is 0o600 too. Who takes part needs read and
        write permission.
    create: "if-missing"; "never" only opens what exists; "only" only opens what it creates.
    any_owner: opens it although it belongs to another user, who can do with it what he likes. (What
        belongs to root is always opened.)

    The set persists until SemaphoreSet.unlink(name). A handle is closed by close(), at the end of a `with`
    block, and when it is forgotten. len(s) is how many semaphores it has. It may be shared by threads, used
    in a forked child (which has nothing to be undone), and sent to another process: pickled, it is its
    name, and unpickling opens the set, but never creates it.

    What fails raises OSError as with madang.Queue; ERANGE for a value above the largest. What can't be meant
    at all is ValueError or OverflowError.
    """

    def __new__(
        cls,
        name: str,
        values: Sequence[int] | None = None,
        *,
        semaphores: int | None = None,
        max_value: int | None = None,
        max_participants: int | None = None,
        mode: int = 0o600,
        create: Literal["if-missing", "never", "only"] = "if-missing",
        any_owner: bool = False,
    ) -> Self: ...
    def operate(self, operations: Sequence[Operation | tuple[int, int]], timeout: float | None = None) -> None:
        """Does all of the operations, in their order, or none of them; waits until they can be done.

        operations: 1 to 512; each is a madang.Operation, or a tuple (index, delta): what is added to the value
            of that semaphore. A negative delta waits until it is large enough, 0 waits until it is 0.
        timeout: in seconds. None waits for ever; 0 doesn't wait.

        Other threads go on while it waits. Signal handlers run, and then it goes on to the same deadline.

        Whatever it raises, nothing was done; but for EOWNERDEAD, after which it may have been.

        BlockingIOError (EAGAIN): they can't be done, and the timeout is 0, or the one that can't has no_wait.
        TimeoutError. OSError with EFBIG if the set has no semaphore of an index; ERANGE if a value would exceed
        max_value, or an amount to be undone; E2BIG for more than 512, EINVAL for none; EBUSY if the timeout
        is 0 and another participant stays inside for a second; ENOSPC if there is no memory for what is to be
        undone; EUCLEAN if the set is damaged; EOWNERDEAD if the others found this handle dead and went on
        without it; EBADF. ValueError, TypeError and OverflowError for what is no operation or timeout; and
        what a signal handler raises, as KeyboardInterrupt.
        """

    def acquire(self, index: int = 0, amount: int = 1, timeout: float | None = None, *, undo: bool = False) -> None:
        """Takes amount from the value of a semaphore; waits until it is as large. As operate([(index, -amount)]).

        undo: it is given back when the handle is closed or its process ends.
        """

    def release(self, index: int = 0, amount: int = 1, *, undo: bool = False) -> None:
        """Adds amount to the value of a semaphore. As operate([(index, amount)]).

        undo: it is taken back when the handle is closed or its process ends; so it evens out an acquire with
            undo.
        """

    def fileno(self) -> int:
        """A descriptor that is readable when what could not be done may be done now: for select, poll, selectors,
        and every event loop.

        Readable means "try", no more: another may have been faster, and now and then, up to four times a
        second, it is readable for nothing. It stays so until an operation with this handle raises
        BlockingIOError or TimeoutError; from then on a change of a semaphore that was wanted makes it readable
        again. So operate with timeout=0 until it can't be done, or select before each: both are right. There is
        nothing to arm. Who waits by it has no place in the order of those who sleep.

        It is the handle's: the same each time, and closed with it; take it out of a selector before. A
        forked child that waits by it calls this first. Threads that want different things open a handle
        each. It takes three descriptors, and one of the inotify instances of which a user has 128 by default.

        Raises OSError with EMFILE if the user's inotify instances, or the process's descriptors, are used up,
        ENOSPC if the user's inotify watches are: the text says which sysctl; ENFILE, ENOMEM; EOWNERDEAD (see
        operate); EBADF.
        """

    def value(self, index: int) -> int:
        """The value of one semaphore (GETVAL). What the dead had to be undone is given back before.

        Raises OSError with EFBIG if there is none of that index; EBUSY, EUCLEAN, EOWNERDEAD and EBADF as operate.
        """

    def values(self) -> builtins.list[int]:
        """The values of all semaphores at one moment (GETALL). Raises as value does."""

    def set_value(self, index: int, value: int) -> None:
        """Sets the value of one semaphore (SETVAL). Nobody undoes anything on it any more.

        Raises OSError with ERANGE for a value above max_value; else as value does.
        """

    def set_values(self, values: Sequence[int]) -> None:
        """Sets the values of all semaphores at once (SETALL). Nobody undoes anything on them any more.

        Raises OSError with EINVAL unless there are as many; else as set_value does.
        """

    def last_pid(self, index: int) -> int:
        """The process that changed the semaphore last, or found it 0, as its own pid namespace numbers it; 0 is
        none (GETPID). Raises as value does.
        """

    def waiting(self, index: int) -> Waiting:
        """How many living threads wait for the semaphore (GETNCNT, GETZCNT). One that waits for several is
        counted where it is stuck. Raises as value does.
        """

    def stat(self) -> SemaphoreSetStatus:
        """What the set is. Raises OSError with EOWNERDEAD (see operate) or EBADF."""

    def participants(self) -> builtins.list[Participant]:
        """Who takes part: every open handle, and those of killed processes whose place nobody has needed
        since. In no order. Raises as stat does.
        """

    def __len__(self) -> int: ...
    def __bool__(self) -> Literal[True]: ...
    @property
    def name(self) -> str:
        """The name by which it was opened."""

    @property
    def max_value(self) -> int:
        """The largest value that one of its semaphores may have."""

    @property
    def is_new(self) -> bool:
        """Whether this very handle created it."""

    @property
    def closed(self) -> bool:
        """Whether this handle is closed."""

    def close(self) -> None:
        """Closes the handle, and takes back what was done by it with undo; doesn't unlink the set. Closing it again
        does nothing.

        A call that waits in another thread raises OSError with EBADF within a fifth of a second.
        """

    @staticmethod
    def unlink(name: str) -> None:
        """Takes the name away; who has the set open goes on with it. The next open makes a new one.

        Raises FileNotFoundError; PermissionError if it is another user's; IsADirectoryError; OSError with
        EINVAL or ENAMETOOLONG for a bad name.
        """

    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Mutex:
    """A mutex in shared memory, for any processes and threads in any languages.

        m = madang.Mutex("counter")
        with m:
            if m.owner_died:
                ...  # put right what the mutex guards
            ...

    One has it at a time. If its owner's process ends while it has it, be it by SIGKILL, the next who takes it
    is told, sees what it left, and can go on. It is not recursive: who takes it twice waits for itself.
    Who waits is not served in any order.

    It is used as a threading.Lock is: acquire, release, locked, and `with`, which acquires and releases. (It
    doesn't close the handle, as `with` does of other objects.) The handle remembers whether it holds the
    mutex: threads that share it keep each other out, and any of them may release it. In a forked child
    the mutex is not the child's, though its parent holds it.

    The constructor opens it, or creates it, free. It doesn't wait.

    name: 1 to 242 bytes of UTF-8, without "/". It is the file madang.mutex.NAME in /dev/shm, or in the
        directory whose absolute path MADANG_DIR has.
    segment, offset: instead of a name, where in a madang.Segment it lies: 64 bytes there are its own, at a
        multiple of 64, by default at the start. All 0, as in a new segment, is its initial state: free.
        It keeps the segment's memory mapped.
    mode: the permission bits of a new one, exactly (no umask); 0 is 0o600 too. Who uses it needs read and
        write permission.
    create: "if-missing"; "never" only opens what exists; "only" only opens what it creates.
    any_owner: opens it although it belongs to another user, who can do with it what he likes. (What
        belongs to root is always opened.)

    One with a name persists until Mutex.unlink(name); one in a segment, as long as the segment does. A
    handle is closed by close(), and when it is forgotten. It may be shared by threads, used in a
    forked child, and sent to another process: pickled, it is its name, or its segment's and the offset,
    and unpickling opens it, but never creates it.

    What fails raises OSError as with madang.Queue; a place that doesn't lie in the segment, or at no multiple
    of 64, is EINVAL. What can't be meant at all is TypeError, ValueError or OverflowError.
    """

    def __new__(
        cls,
        name: str | None = None,
        *,
        segment: Segment | None = None,
        offset: int | None = None,
        mode: int = 0o600,
        create: Literal["if-missing", "never", "only"] = "if-missing",
        any_owner: bool = False,
    ) -> Self: ...
    def acquire(self, blocking: bool = True, timeout: float | None = -1) -> bool:
        """Acquires the mutex; waits until it can. The arguments, and what it returns, are as of
        threading.Lock.acquire.

        blocking: False doesn't wait.
        timeout: in seconds; -1, or None, waits for ever.

        Returns whether it is held now: False if somebody else had it until the time was over. Then
        `owner_died` says what became of the last owner.

        Other threads go on while it waits. Signal handlers run, and then it goes on to the same deadline.

        Raises OSError with EOWNERDEAD if the others found this handle dead and went on without it; EBADF;
        ValueError for another timeout below 0, or one with blocking=False; and what a signal handler
        raises, as KeyboardInterrupt. Then it isn't held.
        """

    def release(self) -> None:
        """Releases the mutex. Any thread may, with the handle that acquired it.

        Raises PermissionError (EPERM) if this handle doesn't hold it; OSError with EOWNERDEAD in a child that
        was forked when its parent held it, or if somebody else wrote over it; EBADF.
        """

    def locked(self) -> bool:
        """Whether somebody has it. It may be otherwise at the next moment. Raises OSError as acquire does."""

    @property
    def owner_died(self) -> bool:
        """Whether, when this handle acquired it last, the owner before had died while he had it: what the mutex
        guards may be half changed. The next who acquires it isn't told any more.
        """

    @property
    def name(self) -> str:
        """The name by which it was opened, or that of the segment that it lies in."""

    @property
    def is_new(self) -> bool:
        """Whether this very handle created it. (Of one in a segment nobody can say.)"""

    @property
    def closed(self) -> bool:
        """Whether this handle is closed."""

    def close(self) -> None:
        """Closes the handle; doesn't unlink it. Closing it again does nothing.
        If it holds the mutex, that is left as a death would leave it: the next who acquires it is told.

        A call that waits in another thread raises OSError with EBADF within a fifth of a second.
        """

    @staticmethod
    def unlink(name: str) -> None:
        """Takes the name away; who has it open goes on with it. The next open makes a new one.

        Raises FileNotFoundError; PermissionError if it is another user's; IsADirectoryError; OSError with
        EINVAL or ENAMETOOLONG for a bad name.
        """

    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class RwLockGuard:
    """A read-write lock that is held. See RwLock.read and RwLock.write.

    It is released at the end of a `with` block, by release(), and when it is forgotten. In a forked child it is
    not the child's: OSError with EOWNERDEAD.
    """

    @property
    def owner_died(self) -> bool:
        """Whether a writer was killed while he had the lock, or waited for it, and nobody had written since when it
        was taken: what the lock guards may be half changed.
        """

    def release(self) -> None:
        """Releases the lock.

        Raises PermissionError (EPERM) if it was released before; OSError with EOWNERDEAD in a forked child.
        """

    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...

@final
class RwLock:
    """A read-write lock in shared memory, for any processes and threads in any languages: one who writes, or up
    to 120 who read.

        lock = madang.RwLock("prices")
        with lock.read():
            ...
        with lock.write() as held:
            if held.owner_died:
                ...  # put right what the lock guards
            ...

    Who waits to write comes before those who come to read after it. A killed reader's hold goes with it. If
    a writer's process is killed, whoever takes the lock is told, until somebody has had it to write. It is
    not recursive.

    The constructor opens it, or creates it, free. It doesn't wait.

    name: 1 to 241 bytes of UTF-8, without "/". It is the file madang.rwlock.NAME in /dev/shm, or in the
        directory whose absolute path MADANG_DIR has.
    segment, offset: instead of a name, where in a madang.Segment it lies: 512 bytes there are its own, at a
        multiple of 64, by default at the start. All 0, as in a new segment, is its initial state: free.
        It keeps the segment's memory mapped.
    mode: the permission bits of a new one, exactly (no umask); 0 is 0o600 too. Who uses it needs read and
        write permission.
    create: "if-missing"; "never" only opens what exists; "only" only opens what it creates.
    any_owner: opens it although it belongs to another user, who can do with it what he likes. (What
        belongs to root is always opened.)

    One with a name persists until RwLock.unlink(name); one in a segment, as long as the segment does. A
    handle is closed by close(), and when it is forgotten. It may be shared by threads, used in a
    forked child, and sent to another process: pickled, it is its name, or its segment's and the offset,
    and unpickling opens it, but never creates it.

    What fails raises OSError as with madang.Queue; a place that doesn't lie in the segment, or at no multiple
    of 64, is EINVAL. What can't be meant at all is TypeError, ValueError or OverflowError.
    """

    def __new__(
        cls,
        name: str | None = None,
        *,
        segment: Segment | None = None,
        offset: int | None = None,
        mode: int = 0o600,
        create: Literal["if-missing", "never", "only"] = "if-missing",
        any_owner: bool = False,
    ) -> Self: ...
    def read(self, timeout: float | None = None) -> RwLockGuard:
        """Takes the lock to read; waits while somebody writes, or waits to. It is held from here on, until the
        guard that is returned is released: at the end of a `with` block, by release(), or when it is
        forgotten.

        timeout: in seconds. None waits for ever; 0 doesn't wait.

        Other threads go on while it waits. Signal handlers run, and then it goes on to the same deadline.

        Raises BlockingIOError (EAGAIN) if it would have to wait and the timeout is 0; TimeoutError; OSError
        with EUSERS if 120 read already, EOWNERDEAD if the others found this handle dead and went on without
        it, EBADF; and what a signal handler raises, as KeyboardInterrupt. Then it isn't held.
        """

    def write(self, timeout: float | None = None) -> RwLockGuard:
        """Takes the lock to write; waits until nobody else reads or writes. As of read, it is held until the guard
        is released. While it waits, nobody else comes in to read.

        Raises as read does, but EUSERS.
        """

    @property
    def name(self) -> str:
        """The name by which it was opened, or that of the segment that it lies in."""

    @property
    def is_new(self) -> bool:
        """Whether this very handle created it. (Of one in a segment nobody can say.)"""

    @property
    def closed(self) -> bool:
        """Whether this handle is closed."""

    def close(self) -> None:
        """Closes the handle; doesn't unlink it. Closing it again does nothing.
        What it holds stays held until the guard is released.

        A call that waits in another thread raises OSError with EBADF within a fifth of a second.
        """

    @staticmethod
    def unlink(name: str) -> None:
        """Takes the name away; who has it open goes on with it. The next open makes a new one.

        Raises FileNotFoundError; PermissionError if it is another user's; IsADirectoryError; OSError with
        EINVAL or ENAMETOOLONG for a bad name.
        """

    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Condition:
    """A condition in shared memory: one waits until another tells that something may have changed. It goes with a
    madang.Mutex, which guards that something.

        changed = madang.Condition(mutex, "changed")
        with changed:
            changed.wait_for(lambda: view[0] == 1)

    It is used as a threading.Condition is; `with` acquires and releases the mutex. One waits in a loop, or by
    wait_for, since now and then one is woken though nothing has changed. A process that is killed before it
    tells has told nobody: where that may be, wait with a timeout.

    The constructor opens it, or creates it. It doesn't wait.

    mutex: the madang.Mutex that goes with it: by name or in a segment, as the condition itself.
    name: 1 to 238 bytes of UTF-8, without "/". It is the file madang.condition.NAME in /dev/shm, or in the
        directory whose absolute path MADANG_DIR has.
    segment, offset: instead of a name, where in a madang.Segment it lies: 64 bytes there are its own, at a
        multiple of 64, by default at the start. All 0, as in a new segment, is its initial state: nobody waits.
        It keeps the segment's memory mapped.
    mode: the permission bits of a new one, exactly (no umask); 0 is 0o600 too. Who uses it needs read and
        write permission.
    create: "if-missing"; "never" only opens what exists; "only" only opens what it creates.
    any_owner: opens it although it belongs to another user, who can do with it what he likes. (What
        belongs to root is always opened.)

    One with a name persists until Condition.unlink(name); one in a segment, as long as the segment does. A
    handle is closed by close(), and when it is forgotten. It may be shared by threads, used in a
    forked child, and sent to another process: pickled, it is its name, or its segment's and the offset,
    and unpickling opens it, but never creates it.

    What fails raises OSError as with madang.Queue; a place that doesn't lie in the segment, or at no multiple
    of 64, is EINVAL. What can't be meant at all is TypeError, ValueError or OverflowError.
    """

    def __new__(
        cls,
        mutex: Mutex,
        name: str | None = None,
        *,
        segment: Segment | None = None,
        offset: int | None = None,
        mode: int = 0o600,
        create: Literal["if-missing", "never", "only"] = "if-missing",
        any_owner: bool = False,
    ) -> Self: ...
    def wait(self, timeout: float | None = None) -> bool:
        """Releases the mutex, waits until somebody notifies, and acquires the mutex again.

        timeout: in seconds, besides what it takes to acquire the mutex again. None waits for ever.

        Returns whether it was notified, or woken for nothing; False if the time was over. Then, and whatever it
        raises but EOWNERDEAD, the mutex is held again; its `owner_died` says whether another owner died
        meanwhile.

        Other threads go on while it waits. Signal handlers run, and then it goes on to the same deadline; no
        notification is missed by that.

        Raises PermissionError (EPERM) if the mutex's handle doesn't hold it; OSError with EOWNERDEAD if the
        others found a handle dead and went on without it, EBADF; and what a signal handler raises, as
        KeyboardInterrupt.
        """

    def wait_for(self, predicate: Callable[[], _T], timeout: float | None = None) -> _T:
        """Waits until predicate() is true; as threading.Condition.wait_for.

        predicate: called with the mutex held.
        timeout: in seconds, for all waits together. None waits for ever.

        Returns what predicate returned last. Raises what it raises, and what wait raises.
        """

    def notify(self, n: int = 1) -> None:
        """Wakes n of those who wait, if as many do. The mutex need not be held.

        Raises OSError with EOWNERDEAD if the others found this handle dead and went on without it; EBADF.
        """

    def notify_all(self) -> None:
        """Wakes all who wait. The mutex need not be held. Raises as notify does."""

    def acquire(self, blocking: bool = True, timeout: float | None = -1) -> bool:
        """Acquires the mutex: as its acquire."""

    def release(self) -> None:
        """Releases the mutex: as its release."""

    @property
    def mutex(self) -> Mutex:
        """The mutex that goes with it."""

    @property
    def name(self) -> str:
        """The name by which it was opened, or that of the segment that it lies in."""

    @property
    def is_new(self) -> bool:
        """Whether this very handle created it. (Of one in a segment nobody can say.)"""

    @property
    def closed(self) -> bool:
        """Whether this handle is closed."""

    def close(self) -> None:
        """Closes the handle; doesn't unlink it. Closing it again does nothing.
        The mutex stays open.

        A call that waits in another thread raises OSError with EBADF within a fifth of a second.
        """

    @staticmethod
    def unlink(name: str) -> None:
        """Takes the name away; who has it open goes on with it. The next open makes a new one.

        Raises FileNotFoundError; PermissionError if it is another user's; IsADirectoryError; OSError with
        EINVAL or ENAMETOOLONG for a bad name.
        """

    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Barrier:
    """A barrier in shared memory: several wait until all of them are there, again and again.

        b = madang.Barrier(3, "start")
        rank = b.wait()

    It is used as a threading.Barrier is, but never breaks: who gives up, or is killed, while it waits is not
    there any more, and the others go on waiting for as many as it takes.

    The constructor opens it, or creates it. It doesn't wait.

    parties: how many wait for each other, 1 to 120. The first who says so decides, for all and for good:
        OSError with EINVAL for another number.
    name: 1 to 240 bytes of UTF-8, without "/". It is the file madang.barrier.NAME in /dev/shm, or in the
        directory whose absolute path MADANG_DIR has.
    segment, offset: instead of a name, where in a madang.Segment it lies: 1024 bytes there are its own, at a
        multiple of 64, by default at the start. All 0, as in a new segment, is its initial state: open for any number.
        It keeps the segment's memory mapped.
    mode: the permission bits of a new one, exactly (no umask); 0 is 0o600 too. Who uses it needs read and
        write permission.
    create: "if-missing"; "never" only opens what exists; "only" only opens what it creates.
    any_owner: opens it although it belongs to another user, who can do with it what he likes. (What
        belongs to root is always opened.)

    One with a name persists until Barrier.unlink(name); one in a segment, as long as the segment does. A
    handle is closed by close(), at the end of a `with` block, and when it is forgotten. It may be shared by threads, used in a
    forked child, and sent to another process: pickled, it is its name, or its segment's and the offset,
    and unpickling opens it, but never creates it.

    What fails raises OSError as with madang.Queue; a place that doesn't lie in the segment, or at no multiple
    of 64, is EINVAL. What can't be meant at all is TypeError, ValueError or OverflowError.
    """

    def __new__(
        cls,
        parties: int,
        name: str | None = None,
        *,
        segment: Segment | None = None,
        offset: int | None = None,
        mode: int = 0o600,
        create: Literal["if-missing", "never", "only"] = "if-missing",
        any_owner: bool = False,
    ) -> Self: ...
    def wait(self, timeout: float | None = None) -> int:
        """Waits until all are there. Returns as which of them the caller came: 0 is the first, parties - 1 the last,
        who has something to do for all, if somebody has to.

        timeout: in seconds. None waits for ever; 0 doesn't wait.

        Other threads go on while it waits. Signal handlers run, and then it goes on to the same deadline; it
        stays there meanwhile.

        Raises BlockingIOError (EAGAIN) if not all are there and the timeout is 0; TimeoutError; OSError with
        EOWNERDEAD if the others found this handle dead and went on without it, EUCLEAN, EBADF; and what a signal
        handler raises, as KeyboardInterrupt. Then the caller isn't there any more.
        """

    @property
    def parties(self) -> int:
        """How many wait for each other."""

    @property
    def n_waiting(self) -> int:
        """How many living wait now. Raises OSError with EOWNERDEAD or EBADF."""

    @property
    def name(self) -> str:
        """The name by which it was opened, or that of the segment that it lies in."""

    @property
    def is_new(self) -> bool:
        """Whether this very handle created it. (Of one in a segment nobody can say.)"""

    @property
    def closed(self) -> bool:
        """Whether this handle is closed."""

    def close(self) -> None:
        """Closes the handle; doesn't unlink it. Closing it again does nothing.

        A call that waits in another thread raises OSError with EBADF within a fifth of a second.
        """

    @staticmethod
    def unlink(name: str) -> None:
        """Takes the name away; who has it open goes on with it. The next open makes a new one.

        Raises FileNotFoundError; PermissionError if it is another user's; IsADirectoryError; OSError with
        EINVAL or ENAMETOOLONG for a bad name.
        """

    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Event:
    """An event in shared memory: it is set or not, and one waits until it is. It is used as a threading.Event is.

        ready = madang.Event("ready")
        ready.wait(timeout=1.0)

    The constructor opens it, or creates it, not set. It doesn't wait.

    name: 1 to 242 bytes of UTF-8, without "/". It is the file madang.event.NAME in /dev/shm, or in the
        directory whose absolute path MADANG_DIR has.
    segment, offset: instead of a name, where in a madang.Segment it lies: 64 bytes there are its own, at a
        multiple of 64, by default at the start. All 0, as in a new segment, is its initial state: not set.
        It keeps the segment's memory mapped.
    mode: the permission bits of a new one, exactly (no umask); 0 is 0o600 too. Who uses it needs read and
        write permission.
    create: "if-missing"; "never" only opens what exists; "only" only opens what it creates.
    any_owner: opens it although it belongs to another user, who can do with it what he likes. (What
        belongs to root is always opened.)

    One with a name persists until Event.unlink(name); one in a segment, as long as the segment does. A
    handle is closed by close(), at the end of a `with` block, and when it is forgotten. It may be shared by threads, used in a
    forked child, and sent to another process: pickled, it is its name, or its segment's and the offset,
    and unpickling opens it, but never creates it.

    What fails raises OSError as with madang.Queue; a place that doesn't lie in the segment, or at no multiple
    of 64, is EINVAL. What can't be meant at all is TypeError, ValueError or OverflowError.
    """

    def __new__(
        cls,
        name: str | None = None,
        *,
        segment: Segment | None = None,
        offset: int | None = None,
        mode: int = 0o600,
        create: Literal["if-missing", "never", "only"] = "if-missing",
        any_owner: bool = False,
    ) -> Self: ...
    def set(self) -> None:
        """Sets it: all who wait go on, even if it is cleared at once; and who comes doesn't wait.

        Raises OSError with EOWNERDEAD if the others found this handle dead and went on without it; EBADF.
        """

    def clear(self) -> None:
        """Takes it back: who comes waits again. Raises OSError with EBADF."""

    def is_set(self) -> bool:
        """Whether it is set. Raises OSError with EBADF."""

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until it is set. Returns whether it is, or was meanwhile; False if the time was over.

        timeout: in seconds. None waits for ever; 0 doesn't wait.

        Other threads go on while it waits. Signal handlers run, and then it goes on to the same deadline; an
        event that was set for a moment is not missed by that.

        Raises as set does; and what a signal handler raises, as KeyboardInterrupt.
        """

    @property
    def name(self) -> str:
        """The name by which it was opened, or that of the segment that it lies in."""

    @property
    def is_new(self) -> bool:
        """Whether this very handle created it. (Of one in a segment nobody can say.)"""

    @property
    def closed(self) -> bool:
        """Whether this handle is closed."""

    def close(self) -> None:
        """Closes the handle; doesn't unlink it. Closing it again does nothing.

        A call that waits in another thread raises OSError with EBADF within a fifth of a second.
        """

    @staticmethod
    def unlink(name: str) -> None:
        """Takes the name away; who has it open goes on with it. The next open makes a new one.

        Raises FileNotFoundError; PermissionError if it is another user's; IsADirectoryError; OSError with
        EINVAL or ENAMETOOLONG for a bad name.
        """

    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...
    def __reduce__(self) -> tuple[Any, ...]: ...
