"""Hard places: signals by the thousand while one waits. (The rest of what is hard is tried in Rust, where the calls are made.)"""

import signal
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import madang
import pytest

MESSAGES = 2000


@contextmanager
def under_fire() -> Iterator[list[int]]:
    """A signal every 200 µs, whose handler counts: the main thread runs it."""
    calls = []
    previous = signal.signal(signal.SIGALRM, lambda *_: calls.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
    try:
        yield calls
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert len(calls) > 100


@contextmanager
def other(work: Callable[[], None]) -> Iterator[None]:
    """A thread beside the main one, which isn't interrupted."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield
    thread.join(10)
    assert not thread.is_alive()


def pause(index: int) -> None:
    if index % 8 == 0:
        time.sleep(0.0005)


def test_receiving_under_fire(queue):
    def send() -> None:
        for index in range(MESSAGES):
            queue.send(struct.pack("q", index) * (1 + index % 100), type=1 + index % 3)
            pause(index)

    with under_fire(), other(send):
        for index in range(MESSAGES):
            data, kind = queue.recv(timeout=10)
            assert (data, kind) == (struct.pack("q", index) * (1 + index % 100), 1 + index % 3)
    assert len(queue) == 0


def test_sending_under_fire(name):
    with madang.Queue(name, capacity=2000) as queue:
        received = []

        def receive() -> None:
            for index in range(MESSAGES):
                received.append(queue.recv(timeout=10)[0])
                pause(index)

        with under_fire(), other(receive):
            for index in range(MESSAGES):
                queue.send(struct.pack("q", index), timeout=10)
        assert received == [struct.pack("q", index) for index in range(MESSAGES)]


def test_deadlines_under_fire(queue, name):
    with under_fire(), madang.SemaphoreSet(name, values=[0]) as semaphores:
        waits = [
            lambda: queue.recv(timeout=0.2),
            lambda: queue.lease(timeout=0.2),
            lambda: semaphores.acquire(0, timeout=0.2),
        ]
        for wait in waits:
            begun = time.monotonic()
            with pytest.raises(TimeoutError):
                wait()
            assert 0.2 <= time.monotonic() - begun < 3
        assert semaphores.values() == [0]
