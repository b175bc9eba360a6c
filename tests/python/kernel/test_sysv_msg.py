"""madang.sysv.msg."""

import errno
import os
import signal
import time

import madang
import numpy
import pytest
import support
from madang import Except
from madang.kernel.sysv.msg import Queue
from support import NOBODY, Thread, as_user, fails, in_child, wait_until


@pytest.fixture
def queue(key):
    return Queue(key)


def test_smoke(queue, key):
    queue.send(b"two teas", type=3)
    assert in_child(lambda: Queue(key, create="never").recv()) == (b"two teas", 3)
    in_child(lambda: queue.send(b"", 2))
    assert queue.recv(timeout=1.0) == (b"", 2)


@pytest.mark.parametrize("data", [b"12", bytearray(b"12"), memoryview(b"12"), numpy.frombuffer(b"12", "u1")])
def test_what_is_sent(queue, data):
    queue.send(data)
    assert queue.recv() == (b"12", 1)


def test_select(queue):
    for type in (3, 1, 2, 3):
        queue.send(b"%d" % type, type)
    assert queue.recv(2) == (b"2", 2)
    assert queue.recv(Except(3)) == (b"1", 1)
    assert queue.recv(-9) == (b"3", 3)
    with fails(errno.EAGAIN, "it has no message of type 4", BlockingIOError):
        queue.recv(4, timeout=0)
    for bad in (0, -1):
        with fails(errno.EINVAL, "a message's type is greater than 0"):
            queue.send(b"", bad)
        with fails(errno.EINVAL, "a message's type is greater than 0"):
            queue.recv(Except(bad), timeout=0)


def test_recv_into(queue):
    buffer = bytearray(b"-" * 8)
    queue.send(b"0123456789", 4)
    with fails(errno.E2BIG, "the buffer's 8 bytes, and stays") as raised:
        queue.recv_into(buffer)
    assert raised.value.length == 0
    assert queue.stat().messages == 1
    assert queue.recv_into(buffer, truncate=True) == (8, 4)
    assert buffer == b"01234567"
    queue.send(b"ab")
    assert queue.recv_into(memoryview(buffer)[4:], timeout=1) == (2, 1)
    assert buffer == b"0123ab67"
    queue.send(bytes(8192))
    assert queue.recv_into(numpy.ones(20_000, "u1")) == (8192, 1)


def test_peek(queue):
    with fails(errno.EAGAIN, "there is no message at position 0", BlockingIOError):
        queue.peek()
    queue.send(b"first", 2)
    queue.send(b"second", 1)
    assert (queue.peek(), queue.peek(1)) == ((b"first", 2), (b"second", 1))
    assert queue.stat().messages == 2


def test_timeout(queue):
    with fails(errno.EAGAIN, "it is empty", BlockingIOError):
        queue.recv(timeout=0)
    begun = time.monotonic()
    with fails(errno.ETIMEDOUT, "no message of any type came", TimeoutError):
        queue.recv(timeout=0.15)
    assert time.monotonic() - begun >= 0.15
    queue.set_capacity(10)
    queue.send(b"12345678")
    with fails(errno.EAGAIN, "it is full", BlockingIOError):
        queue.send(b"123", timeout=0)
    with fails(errno.ETIMEDOUT, "it stayed full", TimeoutError):
        queue.send(b"123", timeout=0.02)
    with fails(errno.EMSGSIZE, "where all may have 10 together"):
        queue.send(b"12345678901", timeout=1)
    with fails(errno.EMSGSIZE, "kernel.msgmax"):
        queue.send(bytes(1 << 20))


@pytest.mark.parametrize("timeout", [None, 30])
def test_other_threads_go_on(queue, timeout):
    receiver = Thread(queue.recv, 0, timeout)
    wait_until(receiver.sleeps)
    queue.send(b"wake up")
    assert receiver.join() == (b"wake up", 1)


@pytest.mark.parametrize("timeout", [None, 30])
def test_removed_while_waiting(queue, timeout):
    receiver = Thread(queue.recv, 0, timeout)
    wait_until(receiver.sleeps)
    queue.remove()
    with fails(errno.EIDRM, "it was removed"):
        receiver.join()
    for stale in (lambda: queue.send(b""), lambda: queue.recv(timeout=0), queue.peek, lambda: queue.set_capacity(1)):
        with fails(errno.EIDRM, "it was removed"):
            stale()


@pytest.mark.parametrize("timeout", [None, 30])
def test_signals(queue, timeout):
    """Handlers run while it waits, and then it goes on; what they raise ends it."""
    calls = []

    def handler(number, frame):
        calls.append(number)
        if len(calls) == 3:
            queue.send(b"from the handler")

    with support.alarm(0.02, handler):
        assert queue.recv(timeout=timeout) == (b"from the handler", 1)
    assert len(calls) >= 3

    def raises(number, frame):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), support.alarm(0.02, raises):
        queue.recv(timeout=timeout)
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


@support.needs_root
def test_permissions(keys):
    queue = Queue(keys(), mode=0o604)
    queue.send(b"for all")
    with fails(errno.EACCES, "its mode does not permit it", PermissionError):
        as_user(NOBODY, lambda: queue.send(b""))
    assert as_user(NOBODY, queue.recv) == (b"for all", 1)
    queue.change(uid=NOBODY)
    with fails(errno.EPERM, "CAP_SYS_RESOURCE", PermissionError):
        as_user(NOBODY, lambda: queue.set_capacity(madang.sysv.msg.limits().capacity + 1))


def test_stat(queue):
    queue.send(b"12345")
    queue.send(b"12")
    child = in_child(lambda: (queue.recv(), os.getpid())[1])
    stat = queue.stat()
    assert (stat.messages, stat.bytes, stat.last_sender, stat.last_receiver) == (1, 2, os.getpid(), child)
    assert 0 <= time.time() - stat.sent_at < 30
    assert hash(stat) == hash(queue.stat())
    assert stat == queue.stat()


def test_bad_input(queue, keys):
    for bad in (-1, float("nan")):
        with pytest.raises(ValueError, match="timeout="):
            queue.recv(timeout=bad)
    with pytest.raises(TypeError):
        queue.send("text")
    with pytest.raises(TypeError):
        queue.recv("1")
    with pytest.raises((TypeError, BufferError)):
        queue.recv_into(b"read-only")
    with pytest.raises(OverflowError):
        queue.send(b"", 1 << 63)
    with pytest.raises(OverflowError):
        queue.peek(-1)
    with pytest.raises(OverflowError):
        queue.set_capacity(-1)
    with pytest.raises(ValueError, match="create="):
        Queue(keys(), create="maybe")
    with pytest.raises(TypeError):
        Queue()


def test_no_descriptor(queue):
    before = os.listdir("/proc/self/fd")
    for _ in range(100):
        queue.send(b"x")
        queue.recv()
        Queue.from_id(queue.id)
    assert os.listdir("/proc/self/fd") == before
