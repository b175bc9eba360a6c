"""Waiting for queues in asyncio: what Queue.recv_async and Queue.send_async do.

All tasks of a loop wait by one descriptor, the loop's hub's (see core/src/shared/watcher.rs), however many queues there are: a user
has 128 inotify instances, and a loop with thousands of readers is slow.

**Lines.** Who waits for the same (messages of a type of one queue; room in one queue) stands in a line. Only its head tries; whoever
leaves the head, with a message, without, or cancelled, wakes the next. So a ring wakes one task and not all, and nobody
is overtaken by who came later. A line is quiet only after a try of its head that found nothing, and that try arms (core/src/shared/bell.rs): so
no ring is lost.

**Cancelling.** Nothing is ever handed to a task. It is woken, and then tries by itself, and returns without awaiting anything in between:
a message that was taken is returned. A task that is cancelled after it was woken hasn't tried, and wakes the next.

**Starving.** A task that finds a message each time doesn't wait; so now and then it lets the loop run all the same.

**Ticks.** While anybody waits, the hub looks four times a second whether a sender was killed before it could ring. Nothing runs in a loop in
which nobody waits.
"""

from __future__ import annotations

import asyncio
import errno
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from ._madang import _try_recv, _try_send, _Watcher  # type: ignore[import-not-found]

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from . import Queue

# How often a task may succeed at once before the loop gets a turn.
EAGER = 64
# In seconds, after which a task tries again that found another participant inside for its one small copy.
SOON = 0.001


class Waiter:
    """A task in a line."""

    __slots__ = ("expired", "future")

    def __init__(self) -> None:
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.expired = False

    def wake(self) -> None:
        if not self.future.done():
            self.future.set_result(None)

    def expire(self) -> None:
        self.expired = True
        self.wake()


Line = deque[Waiter]


class Hub:
    """What the tasks of one loop wait on. It doesn't know the loop, which knows it: so it goes with it."""

    def __init__(self) -> None:
        self.watcher = _Watcher()
        self.clear()

    def clear(self) -> None:
        """Nobody waits (any more: the loop is closed)."""
        # By the queue's key: by the type, the line.
        self.receivers: dict[int, dict[int, Line]] = {}
        self.senders: dict[int, dict[int, Line]] = {}
        self.waiting = 0

    def rung(self) -> None:
        """The descriptor is readable."""
        for key, may_receive, may_send in self.watcher.rung():
            if may_receive:
                self.wake(self.receivers.get(key))
            if may_send:
                self.wake(self.senders.get(key))
        if not self.waiting:
            self.watcher.tick(False)

    @staticmethod
    def wake(lines: dict[int, Line] | None) -> None:
        for line in lines.values() if lines else ():
            line[0].wake()

    def has_line(self, sides: dict[int, dict[int, Line]], queue: Queue, kind: int) -> bool:
        """Whether somebody waits for the same."""
        return self.waiting > 0 and kind in sides.get(self.watcher.add(queue), ())

    async def wait(
        self,
        sides: dict[int, dict[int, Line]],
        key: int,
        kind: int,
        attempt: Callable[[], Any],
        timeout: float | None,
    ) -> Any:
        """What `attempt` returns when it is neither None nor False; None if the time is over."""
        loop = asyncio.get_running_loop()
        lines = sides.setdefault(key, {})
        line = lines.setdefault(kind, deque())
        waiter = Waiter()
        line.append(waiter)
        self.waiting += 1
        self.watcher.tick(True)
        alarm = None if timeout is None else loop.call_later(timeout, waiter.expire)
        try:
            while True:
                if line[0] is waiter:
                    found = attempt()
                    if found:
                        return found
                    if found is False:
                        loop.call_later(SOON, waiter.wake)
                if waiter.expired:
                    return None
                if waiter.future.done():
                    waiter.future = loop.create_future()
                await waiter.future
        finally:
            if alarm is not None:
                alarm.cancel()
            self.waiting -= 1
            was_head = line[0] is waiter
            line.remove(waiter)
            if not line:
                del lines[kind]
                if not lines:
                    del sides[key]
            elif was_head:
                line[0].wake()


# Each loop's hub.
_hubs: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = weakref.WeakKeyDictionary()
_lock = threading.Lock()
_eager = 0


def _forget() -> None:
    """In a forked child: its loops are others, and the hubs were the parent's."""
    global _hubs, _lock
    _hubs, _lock = weakref.WeakKeyDictionary(), threading.Lock()


os.register_at_fork(after_in_child=_forget)


def _hub() -> Hub:
    """The running loop's. A new loop takes over the one of a loop that is closed: so one asyncio.run after another needs only one."""
    loop = asyncio.get_running_loop()
    hub = _hubs.get(loop)
    if hub is None:
        with _lock:
            closed = next((other for other in _hubs if other.is_closed()), None)
            hub = Hub() if closed is None else _hubs.pop(closed)
            hub.clear()
            loop.add_reader(hub.watcher.fileno(), hub.rung)
            _hubs[loop] = hub
    return hub


async def _until(queue: Queue, receives: bool, kind: int, attempt: Callable[[], Any], timeout: float | None) -> Any:
    """What `attempt` returns when it finds something; None if the time is over."""
    global _eager
    if _eager >= EAGER:
        # Before anything is in hand: this is where a task may be cancelled.
        _eager = 0
        await asyncio.sleep(0)
    hub = _hubs.get(asyncio.get_running_loop())
    if hub is None or not hub.has_line(hub.receivers if receives else hub.senders, queue, kind):
        if found := attempt():
            _eager += 1
            return found
        hub = hub or _hub()
    _eager = 0
    return await hub.wait(hub.receivers if receives else hub.senders, hub.watcher.add(queue), kind, attempt, timeout)


async def recv(queue: Queue, type: int, timeout: float | None) -> tuple[bytes, int]:
    """Queue.recv_async."""
    if timeout == 0:
        return queue.recv(type, 0)
    if found := await _until(queue, True, type, partial(_try_recv, queue, type), timeout):
        return found
    raise OSError(errno.ETIMEDOUT, f"recv {queue.name}: no message came (ETIMEDOUT)")


async def send(queue: Queue, data: Buffer, type: int, timeout: float | None) -> None:
    """Queue.send_async."""
    if timeout == 0:
        queue.send(data, type, 0)
    elif not await _until(queue, False, 0, partial(_try_send, queue, data, type), timeout):
        raise OSError(errno.ETIMEDOUT, f"send {queue.name}: the queue stayed full (ETIMEDOUT)")
