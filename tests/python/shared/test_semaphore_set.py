"""Sets of semaphores."""

import errno
import multiprocessing
import os
import pickle
import select
import selectors
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


def sleeps(two: SemaphoreSet, number: int) -> None:
    """Waits until so many sleep on the second semaphore."""
    while two.waiting(1).to_grow != number:
        time.sleep(0.001)


@pytest.mark.parametrize("between", [0.05, 0.07, 0.09])
def test_order(two, between):
    """Who looks for signals meanwhile, ten times a second, keeps his place: here the first looks once after the second came."""
    came = []
    threads = [threading.Thread(target=lambda who=who: (two.acquire(1), came.append(who))) for who in range(2)]
    threads[0].start()
    sleeps(two, 1)
    time.sleep(between)
    threads[1].start()
    sleeps(two, 2)
    time.sleep(0.125 - between)
    for who, thread in enumerate(threads):
        two.release(1)
        thread.join(10)
        assert came == list(range(who + 1))


def test_a_signal_keeps_the_place(two):
    handled = threading.Event()
    before = signal.signal(signal.SIGUSR1, lambda *_: handled.set())
    second = threading.Thread(target=two.acquire, args=(1,))

    def meanwhile() -> None:
        sleeps(two, 1)
        second.start()
        sleeps(two, 2)
        os.kill(os.getpid(), signal.SIGUSR1)
        handled.wait(10)
        two.release(1)

    helper = threading.Thread(target=meanwhile)
    helper.start()
    try:
        two.acquire(1, timeout=10)
        assert handled.is_set() and two.waiting(1).to_grow == 1
    finally:
        signal.signal(signal.SIGUSR1, before)
        two.release(1)
        helper.join(10)
        second.join(10)


def test_an_exception_gives_the_place_up(two):
    class Stop(Exception):
        pass

    def handler(*_: object) -> None:
        raise Stop

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(Stop):
            two.acquire(1)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert two.waiting(1).to_grow == 0


def is_readable(thing, timeout=0.0):
    return bool(select.select([thing], [], [], timeout)[0])


def test_descriptor(name, two):
    assert is_readable(two) and not os.get_inheritable(two.fileno())
    with SemaphoreSet(name) as other:
        for _ in range(3):
            with pytest.raises(BlockingIOError):
                two.acquire(1, timeout=0)
            assert not is_readable(two)
            other.release(0)
            assert not is_readable(two)
            other.release(1)
            assert is_readable(two)
            two.acquire(1, timeout=0)
            assert is_readable(two)
        with pytest.raises(TimeoutError):
            two.acquire(1, timeout=0.15)
        assert not is_readable(two)
        other.operate([Operation(1, 1, undo=True), (0, -1)])
        assert is_readable(two)
    fd = two.fileno()
    assert fd == two.fileno()
    two.close()
    with pytest.raises(OSError):
        os.fstat(fd)
    with fails(errno.EBADF, "closed"):
        two.fileno()


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
    assert two.value(0) == 3 and two.last_pid(0) == process.pid


@pytest.mark.parametrize("method", START_METHODS)
def test_owner_died_while_one_polls(two, method):
    process = multiprocessing.get_context(method).Process(target=child, args=(two,))
    process.start()
    two.acquire(1, timeout=30)
    selector = selectors.DefaultSelector()
    selector.register(two, selectors.EVENT_READ)
    with pytest.raises(BlockingIOError):
        two.acquire(0, 3, timeout=0)
    process.kill()
    process.join()
    for _ in range(100):
        selector.select(10)
        try:
            two.acquire(0, 3, timeout=0)
            break
        except BlockingIOError:
            pass
    assert two.value(0) == 0
    selector.close()


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
