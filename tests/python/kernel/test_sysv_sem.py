"""madang.sysv.sem."""

import errno
import os
import pickle
import signal
import time

import pytest
import support
from madang.kernel.sysv.sem import Op, Set
from support import NOBODY, Thread, as_user, fails, in_child, wait_until


@pytest.fixture
def pair(key):
    return Set(key, values=[1, 0])


def test_smoke(pair, key):
    assert (len(pair), bool(pair), pair.values()) == (2, True, [1, 0])
    pair.acquire()
    pair.operate([Op(0, 2), Op(1, 5)])
    assert in_child(lambda: (Set(key).acquire(1), Set(key).values())[1]) == [2, 4]
    pair.set_value(0, 32767)
    assert pair.value(0) == 32767
    pair.set_values([3, 4])
    pair.release(1)
    assert pair.values() == [3, 5]
    assert pair.pid(1) == os.getpid()


def test_as_a_whole_or_not_at_all(pair):
    for operations in ([Op(0, -1), Op(1, -1)], (Op(0, -1), Op(1, -1, no_wait=True))):
        with fails(errno.EAGAIN, "only to try: -1 on 0, -1 on 1", BlockingIOError):
            pair.operate(operations, timeout=0)
    with fails(errno.EAGAIN, "only to try", BlockingIOError):
        pair.operate([Op(0, -1), Op(1, -1, no_wait=True)])
    assert pair.values() == [1, 0]


def test_timeout(pair):
    begun = time.monotonic()
    with fails(errno.ETIMEDOUT, "the time is over", TimeoutError):
        pair.acquire(1, timeout=0.15)
    assert time.monotonic() - begun >= 0.15
    with fails(errno.ETIMEDOUT, "zero on 0", TimeoutError):
        pair.wait_zero(0, timeout=0.02)
    pair.wait_zero(1)


@pytest.mark.parametrize("timeout", [None, 30])
def test_other_threads_go_on(pair, timeout):
    taker, watcher = Thread(pair.acquire, 1, timeout), Thread(pair.wait_zero, 0, timeout)
    wait_until(lambda: pair.waiting_for_increase(1) == 1 and pair.waiting_for_zero(0) == 1)
    pair.operate([Op(1, 1), Op(0, -1)])
    taker.join()
    watcher.join()


@pytest.mark.parametrize("timeout", [None, 30])
def test_removed_while_waiting(pair, timeout):
    taker = Thread(pair.acquire, 1, timeout)
    wait_until(taker.sleeps)
    pair.remove()
    with fails(errno.EIDRM, "it was removed"):
        taker.join()
    for stale in (pair.release, pair.values, lambda: len(pair), lambda: pair.set_value(0, 1)):
        with fails(errno.EIDRM, "it was removed"):
            stale()


@pytest.mark.parametrize("timeout", [None, 30])
def test_signals(pair, timeout):
    calls = []

    def handler(number, frame):
        calls.append(number)
        if len(calls) == 3:
            pair.release(1)

    with support.alarm(0.02, handler):
        pair.acquire(1, timeout)
    assert len(calls) >= 3


def test_undo(pair):
    taken = in_child(lambda: (pair.acquire(0, undo=True), pair.release(1), pair.values())[2])
    assert taken == [0, 1]
    wait_until(lambda: pair.values() == [1, 1])


def test_killed_creator(key):
    """One that is killed between the call that makes the set and the one that gives it values."""
    text = f"import ctypes, os; ctypes.CDLL(None).semget({key}, 1, 0o3600); os.kill(os.getpid(), 9)"
    with support.script(text) as creator:
        assert creator.wait(30) == -signal.SIGKILL
    with fails(errno.ETIMEDOUT, "its creator was killed", TimeoutError):
        Set(key, patience=0.03)
    half = Set(key, patience=0)
    assert half.values() == [0]
    whole = Set(key, 1, value=3, patience=0.03)
    assert (whole.is_new, whole.values(), whole.id != half.id) == (True, [3], True)


@support.needs_root
def test_permissions(key):
    pair = Set(key, 2, value=1, mode=0o604)
    with fails(errno.EACCES, "its mode does not permit it", PermissionError):
        as_user(NOBODY, pair.acquire)
    with fails(errno.EACCES, "its mode does not permit it", PermissionError):
        as_user(NOBODY, lambda: pair.set_value(0, 1))
    assert as_user(NOBODY, pair.values) == [1, 1]


def test_operations_are_values():
    op = Op(3, -2, undo=True)
    assert op == pickle.loads(pickle.dumps(op))
    assert hash(op) == hash(Op(3, -2, undo=True))
    assert op != Op(3, -2)
    assert repr(op) == "Op(index=3, delta=-2, no_wait=False, undo=True)"
    assert (op.index, op.delta, op.no_wait, op.undo) == (3, -2, False, True)


def test_bad_input(pair, keys):
    key = keys()
    with fails(errno.ENOENT, "to create it, give it a count", FileNotFoundError):
        Set(key)
    with fails(errno.ERANGE, "at most 32767"):
        Set(key, 1, value=32768)
    with fails(errno.EINVAL, "less than the 3 semaphores"):
        Set(pair.stat().key, 3)
    with fails(errno.EINVAL, "no semaphore 2 in its 2"):
        pair.acquire(2)
    with fails(errno.EINVAL, "no semaphore 2 in its 2"):
        pair.value(2)
    with fails(errno.EINVAL, "1 values for its 2 semaphores"):
        pair.set_values([1])
    with fails(errno.EINVAL, "no operations"):
        pair.operate([])
    with fails(errno.E2BIG, "501 operations"):
        pair.operate([Op(1, 1)] * 501)
    pair.set_value(0, 32767)
    with fails(errno.ERANGE, "above 32767"):
        pair.release()
    for bad in (lambda: pair.acquire(-1), lambda: pair.set_value(0, 65536), lambda: Op(0, 40000)):
        with pytest.raises(OverflowError):
            bad()
    for bad in (lambda: pair.operate([(0, 1)]), lambda: pair.acquire("0"), lambda: Set(key, "many")):
        with pytest.raises(TypeError):
            bad()
    for bad in (lambda: Set(key, 0), lambda: pair.acquire(timeout=-1), lambda: Set(key, 1, patience=-1)):
        with pytest.raises(ValueError):
            bad()
