"""Sets of semaphores."""

import errno
import multiprocessing
import os
import pickle
import signal
import threading
import time

import madang
import pytest
from madang import Operation, SemaphoreSet
from support import START_METHODS, fails


@pytest.fixture
def two(name: str):
    """A set of two semaphores, 3 and 0."""
    with SemaphoreSet(name, [3, 0], create="only") as two:
        yield two


def test_smoke(name, two):
    assert two.is_new and len(two) == 2 and two.name == name and two.max_value == 2**31 - 1
    with SemaphoreSet(name) as same:
        assert not same.is_new
        same.operate([(0, -2), Operation(1, 5)])
        assert two.values() == [1, 5] and two.value(1) == 5
        assert two.last_pid(1) == os.getpid()
        two.set_value(0, 7)
        assert same.value(0) == 7
        two.set_values([0, 1])
        same.operate(((0, 0), (1, -1)))
        assert two.values() == [0, 0]
        two.release(1, 3)
        same.acquire(1, 2)
        assert two.value(1) == 1
        status = two.stat()
        assert (status.semaphores, status.participants, status.mode) == (2, 2, 0o600)
        assert {who.pid for who in two.participants()} == {os.getpid()}
    assert repr(two) == f'<madang.SemaphoreSet "{name}": 2 semaphores>'
    SemaphoreSet.unlink(name)
    with fails(errno.ENOENT, "there is none", FileNotFoundError):
        SemaphoreSet(name, create="never")


def test_values():
    operation = Operation(1, -2, undo=True)
    assert repr(operation) == "Operation(index=1, delta=-2, undo=True, no_wait=False)"
    assert pickle.loads(pickle.dumps(operation)) == operation and hash(operation) != hash(Operation(1, -2))
    waiting = madang.Waiting(1, 2)
    assert pickle.loads(pickle.dumps(waiting)) == waiting and repr(waiting) == "Waiting(to_grow=1, for_zero=2)"


def test_status_is_a_value(two):
    status = two.stat()
    assert pickle.loads(pickle.dumps(status)) == status and "semaphores=2" in repr(status)


def test_timeout(two):
    with fails(errno.EAGAIN, "semaphore 1 is 0, less than 1", BlockingIOError):
        two.acquire(1, timeout=0)
    begun = time.monotonic()
    with fails(errno.ETIMEDOUT, "less than 1", TimeoutError):
        two.acquire(1, timeout=0.03)
    assert time.monotonic() - begun >= 0.03
    with fails(errno.EAGAIN, "less than 1", BlockingIOError):
        two.operate([Operation(1, -1, no_wait=True)])
    with fails(errno.EAGAIN, "less than 1", BlockingIOError):
        two.operate([(0, -1), Operation(1, -1, no_wait=True)])
    with fails(errno.EAGAIN, "isn't 0, but 3", BlockingIOError):
        two.operate([(0, 0)], timeout=0)
    assert two.values() == [3, 0]


def test_threads_wait_and_others_go_on(two):
    got = []

    def wait() -> None:
        two.acquire(1, 2)
        got.append(True)

    thread = threading.Thread(target=wait)
    thread.start()
    while two.waiting(1).to_grow == 0:
        time.sleep(0.001)
    assert two.waiting(1) == madang.Waiting(1, 0)
    two.release(1)
    two.release(1)
    thread.join(10)
    assert got and two.waiting(1).to_grow == 0


def child(two: SemaphoreSet) -> None:
    two.acquire(0, 2, undo=True)
    two.release(1)
    signal.pause()


@pytest.mark.parametrize("method", START_METHODS)
def test_owner_died(two, method):
    process = multiprocessing.get_context(method).Process(target=child, args=(two,))
    process.start()
    two.acquire(1, timeout=30)
    assert two.value(0) == 1 and two.last_pid(0) == process.pid
    process.kill()
    process.join()
    assert two.value(0) == 3


def test_close_gives_back(name, two):
    with SemaphoreSet(name) as mine:
        mine.operate([Operation(0, -3, undo=True), Operation(1, 1, undo=True)])
        mine.release(0, undo=True)
        assert two.values() == [1, 1]
    assert two.values() == [3, 0]


def test_interrupted(two):
    def handler(*_: object) -> None:
        two.release(1)

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        two.acquire(1, timeout=10)
    finally:
        signal.signal(signal.SIGALRM, before)


def test_refusals(name, two):
    cases = [
        ([], errno.EINVAL, "at least one"),
        ([(0, 1)] * 513, errno.E2BIG, "512 at most"),
        ([(2, 1)], errno.EFBIG, "it has 2"),
        ([(0, 2**31 - 1)], errno.ERANGE, "exceed"),
    ]
    for operations, number, text in cases:
        with fails(number, text):
            two.operate(operations)
    for operations in ([1], [(0,)], [(0, 1, 2)], 5, [("a", 1)]):
        with pytest.raises((TypeError, ValueError)):
            two.operate(operations)
    for wrong in ((-1, 1), (0, 2**31)):
        with pytest.raises(OverflowError):
            two.operate([wrong])
    for amount in (0, -1):
        with pytest.raises(ValueError, match="1 or more"):
            two.acquire(0, amount)
    with fails(errno.EFBIG, "semaphore 2"):
        two.value(2)
    with fails(errno.EINVAL, "1 values for 2"):
        two.set_values([1])
    with fails(errno.ERANGE, "at most"):
        two.set_value(0, 2**31)
    with fails(errno.EINVAL, "its number of semaphores is 2, 3"):
        SemaphoreSet(name, semaphores=3)
    with fails(errno.EEXIST, "taken", FileExistsError):
        SemaphoreSet(name, create="only")
    with fails(errno.EINVAL, "65536 at most"):
        SemaphoreSet(name + "new", semaphores=65_537)
    with fails(errno.ERANGE, "10 at most"):
        SemaphoreSet(name + "new", [11], max_value=10)
    with pytest.raises(ValueError, match="1 or more"):
        SemaphoreSet(name + "new", semaphores=0)
    assert two.values() == [3, 0]


def test_closed_handle(two):
    two.close()
    two.close()
    assert two.closed and bool(two) and "closed" in repr(two)
    for use in (two.values, two.stat, two.participants, lambda: len(two), lambda: two.operate([(0, 1)])):
        with fails(errno.EBADF, "this handle is closed"):
            use()
    with fails(errno.EBADF, "closed"), two:
        pass
