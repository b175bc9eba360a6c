"""Inter-process communication for Linux: queues and segments in shared memory.

The same objects, names and errors as from Rust and C. See help(madang.Queue) and help(madang.Segment).
"""

from typing import Any, Literal, Self, final

from typing_extensions import Buffer

__all__ = ["Queue", "QueueStatus", "Received", "Segment", "__version__"]

__version__: str

@final
class Queue:
    """A bounded queue of messages in shared memory, for any number of senders and receivers.

    They may be in any processes and languages: who opens the same name, from Python, Rust or C, has
    the same queue. A message is some bytes and a type greater than 0. Messages are received in the
    order in which they were sent.

        with madang.Queue("orders", capacity="4M") as q:
            q.send(b"two teas", type=3, timeout=1.0)
            data, type = q.recv()

    The constructor opens the queue, or creates it. It doesn't wait.

    name: 1 to 242 bytes, without "/". The queue is the file madang.queue.NAME in /dev/shm, or in the
        directory MADANG_DIR of the environment.
    capacity: the most bytes that it holds, also the longest message; an int, or text with K, M, G or
        T (1024 each): "64K", "4M". Of a new queue by default 1 MiB; of an existing one it is the
        least that will do. 1 TiB at most; memory is only taken as it is used.
    max_messages: the most messages that it holds. By default the lesser of the capacity and 65,536.
    max_participants: for how many open handles, in all processes together, it has room: 1 to 65,534.
        By default 1,024.
    mode: the permission bits of a new queue, exactly (no umask). Who takes part needs read and write
        permission.
    create: "if-missing"; "never" only opens what exists; "only" only opens what it creates.
    any_owner: opens it although it belongs to another user, who can do with it what he likes. (What
        belongs to root is always opened.)

    The queue persists, with what it holds, until Queue.unlink(name). A handle is closed by close(),
    at the end of a `with` block, and when it is forgotten; that never unlinks.

    A handle may be shared by threads. It may be used in a forked child, and be sent to another
    process: pickled, it is its name, and unpickling opens the queue, but never creates it. So it can
    be an argument of a multiprocessing.Process, whatever the start method.

    What is promised: a process that is killed at any instruction leaves every other one able to go
    on, and a message whose send returned is received once. Who is killed right after a receive takes
    the message along.

    What fails raises OSError with an errno, and the subclass that Python has for it. Here:
    FileNotFoundError (ENOENT) and FileExistsError (EEXIST), as `create` says; PermissionError (EACCES:
    its mode; EPERM: it is another user's); IsADirectoryError, and ELOOP (a symbolic link) and ENODEV
    (no regular file) for what has the name but is no queue; EINVAL for a bad name or limit, or
    where an existing queue is smaller than asked for; ENAMETOOLONG; ENOSPC; EUSERS if it has no place
    for another handle; EPROTOTYPE for another kind of object, EPROTO for another layout version,
    EUCLEAN for a damaged one. On a closed handle: EBADF. A number out of its range is ValueError.
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
    ) -> Self: ...
    def send(self, data: Buffer, type: int = 1, timeout: float | None = None) -> None:
        """Sends a message; waits while the queue is full.

        data: its bytes: bytes, bytearray, memoryview, a NumPy array, or what else has contiguous memory.
        type: greater than 0.
        timeout: in seconds. None waits for ever; 0 doesn't wait.

        Other threads go on while it waits, or copies 64 KiB or more. Signal handlers run, and then it
        goes on to the same deadline.

        Whatever it raises, the message was not sent. BlockingIOError (EAGAIN): the queue is full, and the
        timeout is 0. TimeoutError: it stayed full. OSError with EINVAL for the type, EMSGSIZE if data is
        longer than the capacity, ENOSPC if there is no memory for it, EBUSY if the timeout is 0 and
        another sender stays inside for a second (it was stopped), EBADF. ValueError for the timeout;
        TypeError and BufferError for data; and what a signal handler raises, as KeyboardInterrupt.
        """

    def recv(self, type: int = 0, timeout: float | None = None) -> tuple[bytes, int]:
        """Receives the first message; waits while there is none. Returns its bytes and its type.

        type: 0 is any type. (To choose by type comes with a later version; until then it is ENOTSUP.)
        timeout: in seconds. None waits for ever; 0 doesn't wait.

        Other threads go on while it waits, or copies 64 KiB or more. Signal handlers run, and then it
        goes on to the same deadline.

        When it raises, nothing was received. BlockingIOError (EAGAIN): the queue is empty, and the timeout
        is 0. TimeoutError: no message came. OSError with EBUSY if the timeout is 0 and another receiver
        stays inside for a second (it was stopped), EUCLEAN if the queue is damaged, ENOTSUP, EBADF.
        ValueError for the timeout; MemoryError; and what a signal handler raises, as KeyboardInterrupt.
        """

    def recv_into(self, buffer: Buffer, type: int = 0, timeout: float | None = None) -> Received:
        """Receives as recv does, but into the caller's memory: nothing is allocated.

        buffer: bytearray, memoryview, a NumPy array, or what else has contiguous memory that may be
            written. It is filled from its start; what lies after the message is left as it was.

        Raises as recv does. OSError with E2BIG if the buffer is too small: the message stays, and the
        exception has an attribute `length`, the bytes that it needs. TypeError and BufferError for buffer.
        """

    def stat(self) -> QueueStatus:
        """What the queue is and holds now."""

    def __len__(self) -> int: ...
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

        A call that waits in another thread raises OSError with EBADF within a fifth of a second.
        """

    @staticmethod
    def unlink(name: str) -> None:
        """Takes the name away; who has the queue open goes on with it. The next open makes a new one.

        Raises FileNotFoundError; PermissionError if it is another user's; OSError with EINVAL or
        ENAMETOOLONG for a bad name.
        """

    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Received:
    """What is said of a message that was received into a buffer."""

    @property
    def length(self) -> int:
        """How many bytes of the buffer it filled."""

    @property
    def type(self) -> int:
        """Its type, greater than 0."""

    @property
    def sequence(self) -> int:
        """How many messages were sent to this queue before it."""

@final
class QueueStatus:
    """What Queue.stat() tells; a snapshot."""

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

    name: 1 to 255 bytes, without "/", and not beginning with "madang.". The segment is the file
        /dev/shm/NAME.
    length: in bytes; an int, or text with K, M, G or T (1024 each): "64K", "8M". A new segment must be
        given its length; of an existing one it is the least that will do. The memory is taken at
        once, so that touching it can't fail.
    mode: the permission bits of a new segment, exactly (no umask).
    create: "if-missing"; "never" only opens what exists; "only" only opens what it creates.
    read_only: the memory can't be written by this handle. The segment must exist.
    any_owner: opens it although it belongs to another user, who could change or truncate it at any
        time. (What belongs to root is always opened.)

    The segment persists until Segment.unlink(name). A handle is closed by close(), at the end of a
    `with` block, and when it is forgotten; that never unlinks. Arrays and memoryviews made of it keep the
    memory mapped: they stay good, whatever becomes of the handle, until the last of them is gone.

    It may be used in a forked child, and be sent to another process: pickled, it is its name, and
    unpickling opens the segment, but never creates it.

    What fails raises OSError with an errno, and the subclass that Python has for it. Here:
    FileNotFoundError (ENOENT) and FileExistsError (EEXIST), as `create` says; PermissionError (EACCES:
    its mode; EPERM: it is another user's); IsADirectoryError, and ELOOP (a symbolic link) and ENODEV
    (no regular file) for what has the name but is no segment; EINVAL for a bad name, no length, or
    where an existing segment is smaller than asked for; ENAMETOOLONG; ENOSPC. On a closed handle: EBADF.
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

        Raises FileNotFoundError; PermissionError if it is another user's; OSError with EINVAL or
        ENAMETOOLONG for a bad name.
        """

    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...
    def __reduce__(self) -> tuple[Any, ...]: ...
