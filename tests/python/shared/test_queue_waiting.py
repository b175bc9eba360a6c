"""madang.Queue: waiting, with deadlines and signals."""

import errno
import signal
import sys
import threading
import time

import madang
import pytest
import support
from support import Thread, alarm, fails, wait_until

## Waiting


def test_timeout(queue):
    start = time.monotonic()
    with fails(errno.ETIMEDOUT, "no message came", TimeoutError):
        queue.recv(timeout=0.25)
    assert 0.25 <= time.monotonic() - start < 5
    queue.send(bytes(queue.capacity))
    start = time.monotonic()
    with fails(errno.ETIMEDOUT, "stayed full", TimeoutError):
        queue.send(b"x", timeout=0.25)
    assert 0.25 <= time.monotonic() - start < 5
    assert len(queue) == 1


def test_timeout_of_recv_into(queue):
    with fails(errno.ETIMEDOUT, "no message came", TimeoutError):
        queue.recv_into(bytearray(3), timeout=0.01)
    with fails(errno.EAGAIN, "no message", BlockingIOError):
        queue.recv_into(bytearray(3), timeout=0)


def test_timeout_0_does_not_wait(queue):
    with fails(errno.EAGAIN, "no message", BlockingIOError):
        queue.recv(timeout=0)
    queue.send(b"x", timeout=0)
    assert queue.recv(timeout=0) == (b"x", 1)


def test_the_least_timeout_is_a_timeout(queue):
    with pytest.raises(TimeoutError):
        queue.recv(timeout=5e-324)


@pytest.mark.parametrize("timeout", [1e300, float("inf"), None, 10**12])
def test_long_timeouts(queue, timeout):
    receiver = Thread(queue.recv, 0, timeout)
    wait_until(receiver.sleeps)
    queue.send(b"at last")
    assert receiver.join() == (b"at last", 1)


def test_a_waiting_sender_goes_on_when_there_is_room(queue):
    queue.send(bytes(queue.capacity))
    sender = Thread(queue.send, b"next", 2)
    wait_until(sender.sleeps)
    queue.recv()
    sender.join()
    assert queue.recv() == (b"next", 2)


@pytest.mark.parametrize("length", [0, 64, 5000, 100_000])
def test_a_waiting_receiver_gets_messages_of_every_length(queue, length):
    receiver = Thread(queue.recv)
    wait_until(receiver.sleeps)
    queue.send(b"x" * length)
    assert receiver.join() == (b"x" * length, 1)


def test_other_threads_go_on_while_one_waits(queue):
    # Were the GIL kept, this thread would not come to send.
    receiver = Thread(queue.recv)
    wait_until(receiver.sleeps)
    assert sum(range(100_000)) == 4999950000
    queue.send(b"x")
    receiver.join()


def test_other_threads_go_on_while_much_is_copied(name):
    # Nobody is made to give the GIL away, so another thread goes on only where it is let go.
    previous = sys.getswitchinterval()
    sys.setswitchinterval(10)
    go, steps, data, buffer = threading.Lock(), [], bytes(48 << 20), bytearray(48 << 20)
    go.acquire()

    def walk():
        while go.acquire() and data:
            steps.append(1)

    def goes_on_during(call):
        before = len(steps)
        go.release()
        call()
        after = len(steps)
        wait_until(lambda: len(steps) > before)
        return after > before

    walker = Thread(walk)
    try:
        assert not goes_on_during(lambda: sum(range(100_000)))
        with madang.Queue(name, capacity="48M") as queue:
            calls = [lambda: queue.send(data), queue.recv, lambda: queue.send(data), lambda: queue.recv_into(buffer)]
            went = [False] * len(calls)
            # A copy takes some 10 ms, in which the other thread needs a processor too: on a busy machine not each time.
            for _ in range(50):
                went = [goes_on_during(call) or once for call, once in zip(calls, went, strict=True)]
                if all(went):
                    break
            assert went == [True] * len(calls)
    finally:
        data = b""
        go.release()
        walker.join()
        sys.setswitchinterval(previous)


## Signals


def test_interrupted_by_a_handler_it_goes_on_to_the_same_deadline(queue):
    calls = []
    with alarm(0.05, lambda *_: calls.append(time.monotonic())):
        start = time.monotonic()
        with pytest.raises(TimeoutError):
            queue.recv(timeout=0.5)
        took = time.monotonic() - start
    assert len(calls) >= 3
    assert 0.5 <= took < 5


def test_interrupted_by_a_handler_that_sends(queue):
    with alarm(0.05, lambda *_: queue.send(b"from the handler")):
        assert queue.recv() == (b"from the handler", 1)


def test_interrupted_by_a_handler_that_raises(queue):
    class Enough(Exception):
        pass

    def handler(*_):
        raise Enough

    with alarm(0.05, handler), pytest.raises(Enough):
        queue.recv()
    queue.send(bytes(queue.capacity))
    with alarm(0.05, handler), pytest.raises(Enough):
        queue.send(b"x")
    assert len(queue) == 1


def test_a_signal_that_another_thread_is_given(queue):
    # The main thread's futex is not interrupted; it looks by itself.
    calls = []
    previous = signal.signal(signal.SIGUSR1, lambda *_: calls.append(1))
    other = Thread(queue.recv)
    wait_until(other.sleeps)
    poster = Thread(lambda: (time.sleep(0.05), signal.pthread_kill(other.ident, signal.SIGUSR1)))
    try:
        with madang.Queue(queue.name + "2") as empty, pytest.raises(TimeoutError):
            empty.recv(timeout=0.5)
    finally:
        signal.signal(signal.SIGUSR1, previous)
        queue.send(b"")
        other.join()
        poster.join()
    assert calls == [1]


@pytest.mark.parametrize(
    "blocked", ["q.recv()", "q.recv_into(bytearray(9))", "q.send(bytes(q.capacity)); q.send(b'x')"]
)
def test_interrupted_by_ctrl_c(name, blocked):
    text = f"import madang, sys; q = madang.Queue(sys.argv[1]); print('ready', flush=True); {blocked}"
    with support.script(text, name) as process:
        support.says(process, "ready")
        wait_until(lambda: support.is_asleep(str(process.pid)))
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=10)
    assert "KeyboardInterrupt" in error
    assert process.returncode == -signal.SIGINT
