"""madang.ObjectQueue: a queue of Python objects, on top of madang.Queue.

A message of type PICKLE is an object's pickle. An object with large buffers in it (NumPy arrays, for instance) is a message of
type PARTS: the pickle, and the buffers behind it, which so are copied once into the queue's memory and once out of it. It begins
with a table of 64-bit numbers, how many parts and how long each is; then the parts, each at a multiple of 64.
"""

import errno
import pickle
import queue
import struct
import time
from typing import Any, Literal, Self, final

from . import Queue

PICKLE, PARTS = 1, 2
ALIGNMENT = 64


@final
class ObjectQueue:
    """A queue of Python objects, as multiprocessing.Queue is, but by name, between any processes.

        with madang.ObjectQueue("jobs", capacity="64M") as q:
            q.put({"id": 7, "pixels": numpy.zeros((1000, 1000))})
            job = q.get(timeout=1.0)

    UNPICKLING TRUSTS THE SENDERS: whoever may write to the queue can make the receivers run any code.
    So leave its mode 0o600, which admits your own processes only; give another mode only where you
    would let those users log in as you. Another user's queue is not opened. Between processes that
    don't trust each other, send bytes by madang.Queue.

    name and the options are those of madang.Queue, and so are the errors: an object whose pickle, with
    all that is in it, is longer than the capacity (1 MiB unless you say otherwise) is OSError with
    EMSGSIZE. What can't be pickled, or unpickled, raises what pickle raises; an object that can't be
    unpickled has left the queue then.

    There is no thread in between: put has put the object into the queue when it returns, and a process
    that ends has nothing left to flush. A handle may be shared by threads and used in a forked child.
    Pickled, it is its name, as a madang.Queue is; so it can be an argument of a multiprocessing.Process.

    What else madang.Queue can do (types, leases, stat) it can do with the same name; what ObjectQueue
    sends there are messages of the types 1 and 2.
    """

    __module__ = "madang"
    __slots__ = ("_queue",)

    def __init__(
        self,
        name: str,
        *,
        capacity: int | str | None = None,
        max_messages: int | None = None,
        max_participants: int | None = None,
        mode: int = 0o600,
        create: Literal["if-missing", "never", "only"] = "if-missing",
    ) -> None:
        self._queue = Queue(
            name,
            capacity=capacity,
            max_messages=max_messages,
            max_participants=max_participants,
            mode=mode,
            create=create,
        )

    def put(self, obj: Any, block: bool = True, timeout: float | None = None) -> None:
        """Puts an object into the queue; waits while it is full.

        block: False doesn't wait, as a timeout of 0.
        timeout: in seconds; None waits for ever.

        Raises queue.Full; what pickle raises; else what madang.Queue.send raises.
        """
        timeout = timeout if block else 0
        buffers: list[pickle.PickleBuffer] = []
        data = pickle.dumps(obj, 5, buffer_callback=buffers.append)
        try:
            if buffers:
                self._put_parts([data, *(buffer.raw() for buffer in buffers)], timeout)
            else:
                self._queue.send(data, PICKLE, timeout)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.ETIMEDOUT):
                raise queue.Full from None
            raise

    def _put_parts(self, parts: list[Any], timeout: float | None) -> None:
        lengths = [len(part) for part in parts]
        table = struct.pack(f"={1 + len(lengths)}Q", len(lengths), *lengths)
        starts, end = _layout(len(table), lengths)
        deadline = None if not timeout else time.monotonic() + timeout
        with self._queue.reserve(end, PARTS, timeout) as message:
            message.write(table)
            for start, part in zip(starts, parts, strict=True):
                message.write(part, start)
            # Not twice as long as it was told to.
            message.commit(timeout=timeout if deadline is None else max(deadline - time.monotonic(), 0))

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Takes the first object out of the queue; waits while there is none.

        block, timeout: as of put.

        Raises queue.Empty; what unpickling raises; else what madang.Queue.lease raises.
        """
        try:
            with self._queue.lease(timeout=timeout if block else 0) as message:
                contents, kind = bytearray(message), message.type
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.ETIMEDOUT):
                raise queue.Empty from None
            raise
        if kind == PICKLE:
            return pickle.loads(contents)
        data, *buffers = _parts(memoryview(contents))
        return pickle.loads(data, buffers=buffers)

    def put_nowait(self, obj: Any) -> None:
        """put, without waiting."""
        self.put(obj, False)

    def get_nowait(self) -> Any:
        """get, without waiting."""
        return self.get(False)

    def qsize(self) -> int:
        """How many objects it holds now."""
        return len(self._queue)

    def empty(self) -> bool:
        """Whether it holds none now. Another process may put one at any moment."""
        return len(self._queue) == 0

    def full(self) -> bool:
        """Whether it has no room now, not even for an empty message."""
        status = self._queue.stat()
        return status.messages >= status.max_messages or status.bytes >= status.capacity

    @property
    def name(self) -> str:
        """The name by which it was opened."""
        return self._queue.name

    @property
    def closed(self) -> bool:
        """Whether this handle is closed."""
        return self._queue.closed

    def close(self) -> None:
        """Closes the handle, as madang.Queue.close does."""
        self._queue.close()

    @staticmethod
    def unlink(name: str) -> None:
        """Takes the name away, as madang.Queue.unlink does."""
        Queue.unlink(name)

    def __enter__(self) -> Self:
        self._queue.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return repr(self._queue).replace("madang.Queue", "madang.ObjectQueue", 1)


def _layout(table: int, lengths: list[int]) -> tuple[list[int], int]:
    """Where each part begins behind a table of so many bytes, and where the last one ends."""
    starts, end = [], table
    for length in lengths:
        start = -(-end // ALIGNMENT) * ALIGNMENT
        starts.append(start)
        end = start + length
    return starts, end


def _parts(message: memoryview) -> list[memoryview]:
    """The parts of a message."""
    (count,) = struct.unpack_from("=Q", message)
    lengths = list(struct.unpack_from(f"={count}Q", message, 8))
    starts, _ = _layout(8 + 8 * count, lengths)
    return [message[start : start + length] for start, length in zip(starts, lengths, strict=True)]
