"""System V message queues: msgget, msgsnd, msgrcv and msgctl. See help(madang.sysv.msg.Queue)."""

import builtins
from typing import Any, Literal, Self, final

from typing_extensions import Buffer

from ... import Except

# Without `list`: an import of all must not hide Python's own.
__all__ = ["Limits", "Queue", "Status", "limits"]

def limits() -> Limits:
    """What the system allows of message queues, and how much of it is used. Raises OSError with ENOSYS where the
    kernel has no System V IPC.
    """

def list() -> builtins.list[Status]:
    """All message queues of this IPC namespace, as ipcs(1) shows them; before Linux 4.17, those that this user
    may read. A snapshot. Raises OSError with ENOSYS where the kernel has no System V IPC.
    """

@final
class Queue:
    """A System V message queue: any number of processes send and receive; a message is a type above 0 and
    bytes, and receivers choose by type.

        with_key = madang.sysv.msg.Queue(0x6d61)
        with_key.send(b"two teas", type=3)
        data, type = with_key.recv(timeout=1.0)

    The constructor opens the queue of a key, or creates it. It doesn't wait, and asks for no permission:
    using does.

    key: a number, perhaps from madang.sysv.ftok(). 0 or None always makes a new one, which others find
        by its id only.
    mode: the permission bits of a new queue, exactly (no umask); 0 is 0o600 too.
    create: "if-missing"; "never" only opens what exists; "only" only opens what it creates.

    The queue is the kernel's: it lives until it is removed, or the machine stops. This object is its
    identifier, and holds nothing else: there is nothing to close. It may be used in a forked child, and
    pickled.

    What fails raises OSError with an errno, and the subclass that Python has for it. Here:
    FileNotFoundError (ENOENT) and FileExistsError (EEXIST), as `create` says; OSError with EINVAL for a
    bad mode, or create="never" without a key; ENOSPC where the system's limit (kernel.msgmni) is reached;
    ENOMEM; ENOSYS where the kernel has no System V IPC. After the queue was removed: OSError with EIDRM.
    ValueError for a key that 32 bits don't hold.
    """

    def __new__(
        cls, key: int | None, *, mode: int = 0o600, create: Literal["if-missing", "never", "only"] = "if-missing"
    ) -> Self: ...
    def send(self, data: Buffer, type: int = 1, timeout: float | None = None) -> None:
        """Sends a message; waits while the queue is full.

        data: its bytes: bytes, bytearray, memoryview, a NumPy array, or what else has contiguous memory.
        type: greater than 0.
        timeout: in seconds. None waits for ever; 0 doesn't wait.

        The kernel has no time-out: with one it is tried again and again, at first every 50 µs, in the end
        every 5 ms. Other threads go on while it waits. Signal handlers run, and then it goes on; but without a
        timeout one whose signal came in the moment before it slept, or to another thread, runs at its end.

        BlockingIOError (EAGAIN): the queue is full, and the timeout is 0. TimeoutError: it stayed full.
        PermissionError (EACCES): its mode doesn't let this user write. OSError with EMSGSIZE for a message
        longer than kernel.msgmax (by default 8192 bytes) or, with a timeout, than the capacity (to wait for
        ever for that never ends); EINVAL for a type below 1; EIDRM if the queue is removed, also while this
        waits; ENOMEM. ValueError for a timeout that isn't 0 or more; TypeError and BufferError for data.
        """

    def recv(self, type: int | Except = 0, timeout: float | None = None) -> tuple[bytes, int]:
        """Receives a message; waits while there is none. Returns its bytes and its type.

        type: which message. 0: the first. t greater than 0: the first of that type. -t: of the lowest type
            there is, if it is not above t, the first. madang.Except(t): the first of any other type.
        timeout: in seconds. None waits for ever; 0 doesn't wait.

        With a timeout it looks again and again, as send() does: a message may be seen 5 ms late. Other
        threads go on while it waits. Signal handlers run, as in send().

        BlockingIOError (EAGAIN): there is no such message, and the timeout is 0. TimeoutError: none came.
        PermissionError (EACCES): its mode doesn't let this user read. OSError with EINVAL for an Except
        below 1; EIDRM if the queue is removed, also while this waits. ValueError for a timeout that isn't 0
        or more.
        """

    def recv_into(
        self, buffer: Buffer, type: int | Except = 0, timeout: float | None = None, *, truncate: bool = False
    ) -> tuple[int, int]:
        """Receives as recv does, but into the caller's memory. Returns how many bytes it filled, and the type.

        buffer: bytearray, memoryview, a NumPy array, or what else has contiguous memory that may be
            written. It is filled from its start.
        truncate: takes a message that is too long too, and what doesn't fit is lost; whether that was so
            the kernel doesn't tell.

        Raises as recv does. OSError with E2BIG if the buffer is too small: the message stays (how long it is
        the kernel doesn't tell: the exception's `length` is 0). TypeError and BufferError for buffer.
        """

    def peek(self, position: int = 0) -> tuple[bytes, int]:
        """The message at a position, 0 being the first: its bytes and its type. It stays; never waits.

        BlockingIOError (EAGAIN) if there are not so many. OSError with ENOSYS if the kernel wasn't built for
        it (CONFIG_CHECKPOINT_RESTORE); else as recv.
        """

    def set_capacity(self, bytes: int) -> None:
        """Sets the most bytes that it holds. What it holds already stays. Raises PermissionError (EPERM) beyond
        kernel.msgmnb without CAP_SYS_RESOURCE, and for who is neither owner nor creator nor root; OSError
        with EIDRM.
        """

    @staticmethod
    def from_id(id: int) -> Queue:
        """The message queue of an identifier, which any process that knows it may use. Raises OSError with EINVAL if
        there is none.
        """

    @staticmethod
    def unlink(key: int | None) -> None:
        """Removes the message queue of a key, as remove() does. Raises FileNotFoundError if there is none;
        PermissionError.
        """

    @staticmethod
    def remove_id(id: int) -> None:
        """Removes the message queue of an identifier, as remove() does. Raises OSError with EINVAL if there is none;
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
        """Removes it: at once, with all messages that it holds; who waits gets EIDRM. The key is free. Raises
        PermissionError for who is neither owner nor creator nor root; OSError with EIDRM if it is gone.
        """

    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Status:
    """What stat() and list() tell of a message queue; a snapshot. Times are in seconds since 1970, 0 is
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
    def messages(self) -> int:
        """How many messages it holds."""

    @property
    def bytes(self) -> int:
        """How many bytes they have."""

    @property
    def capacity(self) -> int:
        """The most bytes that it holds."""

    @property
    def last_sender(self) -> int:
        """The process that sent last."""

    @property
    def last_receiver(self) -> int:
        """The process that received last."""

    @property
    def sent_at(self) -> int:
        """When the last message was sent."""

    @property
    def received_at(self) -> int:
        """When the last message was received."""

    @property
    def changed_at(self) -> int:
        """When it was created, or its permissions or capacity were changed last."""

@final
class Limits:
    """What limits() tells. A value: compared and hashed."""

    @property
    def max_queues(self) -> int:
        """The most queues (kernel.msgmni)."""

    @property
    def max_message(self) -> int:
        """The longest message, in bytes (kernel.msgmax)."""

    @property
    def capacity(self) -> int:
        """A new queue's capacity in bytes, and the most without privilege (kernel.msgmnb)."""

    @property
    def queues(self) -> int:
        """How many queues there are."""

    @property
    def messages(self) -> int:
        """How many messages they hold."""

    @property
    def bytes(self) -> int:
        """How many bytes those have."""
