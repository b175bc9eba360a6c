"""POSIX message queues: messages with priorities (mq_overview(7)).

with madang.posix.mq.Queue("orders") as q:  # opens it, or creates it
    q.send(b"two teas", priority=7, timeout=1.0)
    data, priority = q.recv(timeout=1.0)
"""

import builtins
from typing import Literal, Self, final

from typing_extensions import Buffer

from . import Listed

__all__ = ["MAX_PRIORITY", "Queue", "QueueStatus"]

MAX_PRIORITY: int

def list() -> builtins.list[Listed]:
    """The queues that exist, in the order of their names; a snapshot. They can be seen only where root has
    mounted their file system: mkdir -p /dev/mqueue, then mount -t mqueue none /dev/mqueue.

    Raises FileNotFoundError where it is not mounted; OSError with EMFILE and ENFILE.
    """

@final
class Queue:
    """A message queue of the kernel's (mq_overview(7)): the same as mq_open("/NAME") gives in C.

    A message is some bytes with a priority. The one with the greatest is received first; of several, the
    one sent first. Any number of processes send and receive; each message is received once.

    The constructor opens the queue, or creates it. It doesn't wait.

    name: 1 to 255 bytes of UTF-8, without "/": what is "/orders" in C is "orders" here.
    create: "if-missing"; "never" only opens what exists; "only" only opens what it creates.
    mode: the permission bits of a new queue, exactly (no umask; for a moment it may have less); 0 is
        0o600 too.
    max_messages: how many messages a new queue holds; of an existing one the least that will do. None is
        what /proc/sys/fs/mqueue/msg_default says, mostly 10; up to msg_max there, root up to 65,536.
    max_message_size: how many bytes a message in a new queue may have, as a number or as text such as
        "8K"; of an existing one the least that will do. None is what msgsize_default there says, mostly
        8,192; up to msgsize_max, root up to 16 MiB.
    access: "both"; "receive" or "send" needs no permission for the other.

    It persists until Queue.unlink(name). Any thread may use a handle; a forked child may use the one that
    it inherited. It is closed by close(), at the end of a `with` block, and when it is forgotten; what is
    used after that raises OSError with EBADF. Closing it takes back what this process registered with the
    queue (see notify), by whatever handle.

    Raises FileNotFoundError and FileExistsError, as `create` says; PermissionError (EACCES: its mode);
    OSError with EINVAL for a bad name or mode, limits above the machine's, or where an existing queue is
    smaller than asked for; EMFILE above RLIMIT_MSGQUEUE, which is for all queues of a user, or for too many
    descriptors; ENOSPC for too many queues; ENAMETOOLONG, ENFILE, ENOMEM.
    """

    def __new__(
        cls,
        name: str,
        *,
        create: Literal["if-missing", "never", "only"] = "if-missing",
        mode: int = 0o600,
        max_messages: int | None = None,
        max_message_size: int | str | None = None,
        access: Literal["both", "receive", "send"] = "both",
    ) -> Self: ...
    @staticmethod
    def from_fd(fd: int) -> Queue:
        """Takes over a descriptor of a queue that was inherited or received. From then on it doesn't block, for all
        who share it.

        It belongs to the Queue then, and its number may be another file's.

        Raises OSError with EBADF if it is not one of a message queue, or not open; EMFILE. Then it stays the
        caller's.
        """

    def send(self, data: Buffer, priority: int = 0, *, timeout: float | None = None) -> None:
        """Waits until there is room, and sends the data (bytes, a bytearray, an array, …).

        priority: 0 to MAX_PRIORITY, 32,767.
        timeout: in seconds, by the monotonic clock; None waits for ever, 0 doesn't wait.

        Raises TimeoutError; BlockingIOError if it is full and timeout is 0; OSError with EMSGSIZE if the data is
        longer than max_message_size, EINVAL for a bad priority, EBADF if it was opened only to receive.
        """

    def recv(self, *, timeout: float | None = None) -> tuple[bytes, int]:
        """Waits until there is a message, and receives the first of the greatest priority: (data, priority).

        timeout: in seconds, by the monotonic clock; None waits for ever, 0 doesn't wait.

        Raises TimeoutError; BlockingIOError if it is empty and timeout is 0; OSError with EBADF if it was opened
        only to send; MemoryError.
        """

    def recv_into(self, buffer: Buffer, *, timeout: float | None = None) -> tuple[int, int]:
        """As recv, into a buffer (a bytearray, an array, …): (length, priority).

        Raises OSError with E2BIG if it has no room for max_message_size bytes; the exception's attribute
        `length` says what it needs. Else as recv.
        """

    def stat(self) -> QueueStatus:
        """What it is, and what it holds."""

    def notify(self, signal: int | None, value: int = 0) -> None:
        """Registers this process to be told, once, when a message comes into the empty queue (mq_notify(3)).

        signal: the signal that tells it, with `value` (signal.sigwaitinfo tells its sender); None: it isn't
            told, but nobody else can be registered meanwhile.

        Only one process at a time can be registered. It isn't told as long as somebody waits in a plain
        mq_receive; who waits in recv or select doesn't count as such. When it was told it is registered no
        more: register anew first, then receive with timeout=0 until BlockingIOError.

        Raises OSError with EBUSY if a process is registered already, be it this one; EINVAL if there is no
        such signal.
        """

    def cancel_notify(self) -> None:
        """Takes back what this process registered; does nothing if it is not registered."""

    @property
    def name(self) -> str:
        """The name by which it was opened; "" if it was made of a descriptor."""

    @property
    def is_new(self) -> bool:
        """Whether this very handle created it."""

    @property
    def max_messages(self) -> int:
        """The most messages that it holds."""

    @property
    def max_message_size(self) -> int:
        """The most bytes that a message may have."""

    def fileno(self) -> int:
        """The descriptor, for select and event loops: readable when there is a message, writable when there is
        room. It is this object's.
        """

    @staticmethod
    def unlink(name: str) -> None:
        """Takes the name away; who has the queue open goes on with it. The next open makes a new one.

        Raises FileNotFoundError; PermissionError if it is another user's; OSError with EINVAL or ENAMETOOLONG
        for a bad name.
        """

    @property
    def closed(self) -> bool:
        """Whether this handle is closed."""

    def close(self) -> None:
        """Closes the handle; doesn't unlink the queue. Closing it again does nothing."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...

@final
class QueueStatus:
    """What Queue.stat() tells; a snapshot. A value: compared and hashed."""

    @property
    def max_messages(self) -> int:
        """The most messages that it holds."""

    @property
    def max_message_size(self) -> int:
        """The most bytes that one of them has."""

    @property
    def messages(self) -> int:
        """Messages held."""

    @property
    def bytes(self) -> int | None:
        """Bytes that they have together; None where it was opened only to send."""

    @property
    def notified_pid(self) -> int | None:
        """Whom the queue is to tell of a message: a process id, 0 for nobody, or for one of another pid
        namespace; None where it was opened only to send.
        """

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
