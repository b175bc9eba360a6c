"""madang.Queue: choosing messages by type, looking at them, taking a part."""

import copy
import errno
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable

import hypothesis
import madang
import numpy
import pytest
import support
from hypothesis import strategies
from madang import Except
from support import Thread, alarm, fails, wait_until


def test_smoke(queue):
    for kind in (5, 3, 3, 9):
        queue.send(b"%d" % kind, kind)
    assert queue.recv(3) == (b"3", 3)
    assert queue.recv(type=Except(5)) == (b"3", 3)
    assert queue.recv(-9) == (b"5", 5)
    assert queue.recv(0) == (b"9", 9)
    assert len(queue) == 0


## Selection, compared with a plain list


class Model:
    """The rules of msgrcv(2), over a list of (data, type)."""

    def __init__(self) -> None:
        self.messages: list[tuple[bytes, int]] = []

    def find(self, which: int | Except) -> int | None:
        kinds = [kind for _, kind in self.messages]
        if isinstance(which, Except):
            wanted: Callable[[int], bool] = lambda kind: kind != which.type  # noqa: E731
        elif which < 0:
            lowest = min(kinds, default=0)
            wanted = lambda kind: kind == lowest and kind <= -which  # noqa: E731
        else:
            wanted = lambda kind: which in (0, kind)  # noqa: E731
        return next((at for at, kind in enumerate(kinds) if wanted(kind)), None)

    def take(self, which: int | Except) -> tuple[bytes, int] | None:
        at = self.find(which)
        return None if at is None else self.messages.pop(at)


KINDS = strategies.one_of(strategies.integers(1, 4), strategies.sampled_from([2**31, 2**63 - 1]))
WHICH = strategies.one_of(strategies.just(0), KINDS, KINDS.map(lambda kind: -kind), KINDS.map(Except))
LENGTHS = strategies.sampled_from([0, 1, 100, 1023, 1025, 5000, 70_000])
STEPS = strategies.one_of(
    strategies.tuples(strategies.just("send"), KINDS, LENGTHS),
    strategies.tuples(strategies.sampled_from(["recv", "recv_into", "ack", "release"]), WHICH),
    strategies.tuples(strategies.just("peek"), strategies.integers(0, 9)),
    strategies.tuples(strategies.just("trim")),
)


@hypothesis.settings(max_examples=150, deadline=None, database=None)
@hypothesis.given(steps=strategies.lists(STEPS, max_size=60))
def test_like_a_list(steps):
    model, buffer, number, given_back = Model(), bytearray(70_000), 0, set()
    name = f"pytest-{os.getpid()}-model"
    with madang.Queue(name, create="only") as queue:
        madang.Queue.unlink(name)
        for verb, *arguments in steps:
            if verb == "send":
                kind, length = arguments
                data = number.to_bytes(4, "little") * (length // 4) + b"x" * (length % 4)
                number += 1
                if length + queue.stat().bytes <= queue.capacity:
                    queue.send(data, kind, timeout=0)
                    model.messages.append((data, kind))
            elif verb == "peek":
                position = arguments[0]
                if position < len(model.messages):
                    assert queue.peek(position) == model.messages[position]
                else:
                    with fails(errno.EAGAIN, f"position {position}", BlockingIOError):
                        queue.peek(position)
            elif verb == "trim":
                queue.trim()
            elif model.find(arguments[0]) is None:
                with fails(errno.EAGAIN, "no message", BlockingIOError):
                    getattr(queue, "lease" if verb in ("ack", "release") else verb)(
                        *([buffer] if verb == "recv_into" else []), arguments[0], timeout=0
                    )
            elif verb == "release":
                expected = model.messages[model.find(arguments[0])]
                lease = queue.lease(arguments[0], timeout=0)
                assert (bytes(lease), lease.type) == expected
                assert (lease.redelivered > 0) == (lease.sequence in given_back)
                given_back.add(lease.sequence)
                lease.release()
            else:
                expected = model.take(arguments[0])
                if verb == "recv":
                    received = queue.recv(arguments[0], timeout=0)
                elif verb == "recv_into":
                    about = queue.recv_into(buffer, arguments[0], timeout=0)
                    assert (about.redelivered > 0) == (about.sequence in given_back)
                    received = bytes(buffer[: about.length]), about.type
                else:
                    with queue.lease(arguments[0], timeout=0) as lease:
                        received = bytes(lease.data), lease.type
                assert received == expected
            status = queue.stat()
            assert len(queue) == status.messages == len(model.messages)
            assert status.bytes == sum(len(data) for data, _ in model.messages)
            assert status.leased == 0


def test_the_least_number_is_any_type(queue):
    queue.send(b"x", 2**63 - 1)
    assert queue.recv(-(2**63)) == (b"x", 2**63 - 1)


## Except is a value


def test_except(queue):
    assert repr(Except(3)) == "Except(type=3)"
    assert Except(3).type == Except(type=3).type == 3
    assert Except(3) == Except(3) != Except(4)
    assert len({Except(3), Except(3), Except(4)}) == 2
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(Except(3), protocol)) == Except(3) == copy.deepcopy(Except(3))
    with pytest.raises(AttributeError):
        Except(3).type = 4


def test_bad_types(queue):
    queue.send(b"x")
    receivers = [queue.recv, queue.lease, lambda *which, **limit: queue.recv_into(bytearray(9), *which, **limit)]
    for receive in receivers:
        for bad in (0, -1, -(2**63)):
            with fails(errno.EINVAL, f"type {bad}"):
                receive(Except(bad))
        for bad in (2**63, -(2**63) - 1):
            with pytest.raises(OverflowError):
                receive(bad)
        for bad in ("1", 1.5, None, b"", [1]):
            with pytest.raises(TypeError):
                receive(bad)
    for bad in (2**63, "3", None):
        with pytest.raises((OverflowError, TypeError)):
            Except(bad)
    assert queue.recv() == (b"x", 1)


def test_numbers_of_numpy(queue):
    queue.send(b"x", numpy.int64(7))
    assert queue.recv(numpy.int32(7)) == (b"x", 7)


## Waiting


@pytest.mark.parametrize("which", [7, -7, Except(9)])
@pytest.mark.parametrize("receive", ["recv", "lease"])
def test_it_waits_for_that_type(queue, which, receive):
    queue.send(b"other", 9)
    receiver = Thread(getattr(queue, receive), which, 30)
    wait_until(receiver.sleeps)
    queue.send(b"another", 9)
    assert receiver.is_alive()
    queue.send(b"this", 7)
    received = receiver.join()
    if receive == "lease":
        assert (bytes(received), received.type) == (b"this", 7)
        received.ack()
    else:
        assert received == (b"this", 7)
    assert [queue.recv() for _ in range(2)] == [(b"other", 9), (b"another", 9)]


def test_timeout(queue):
    queue.send(b"other", 9)
    for which in (7, -7, Except(9)):
        with fails(errno.ETIMEDOUT, "no message came", TimeoutError):
            queue.recv(which, timeout=0.01)
        with fails(errno.ETIMEDOUT, "no message came", TimeoutError):
            queue.lease(which, timeout=0.01)
        with fails(errno.EAGAIN, "no message", BlockingIOError):
            queue.recv(which, timeout=0)
        with fails(errno.EAGAIN, "no message", BlockingIOError):
            queue.lease(which, timeout=0)
    assert len(queue) == 1


def test_each_gets_its_own_type(name):
    # Receivers of one handle, woken by type.
    count, kinds = 300, (1, 2, 3)
    with madang.Queue(name) as queue:

        def receive(kind):
            return [queue.recv(kind, timeout=30)[0] for _ in range(count)]

        receivers = [Thread(receive, kind) for kind in kinds]
        for number in range(count):
            for kind in kinds:
                queue.send(b"%d" % number, kind)
        for receiver in receivers:
            assert receiver.join() == [b"%d" % number for number in range(count)]
        assert len(queue) == 0


def test_interrupted_by_a_handler_that_sends(queue):
    queue.send(b"other", 9)
    with alarm(0.05, lambda *_: queue.send(b"from the handler", 7)):
        assert queue.recv(7) == (b"from the handler", 7)


@pytest.mark.parametrize("waits", ["q.recv(7)", "q.lease(-7)", "q.recv_into(bytearray(9), madang.Except(9))"])
def test_interrupted_by_ctrl_c(queue, waits):
    queue.send(b"other", 9)
    text = f"import madang, sys; q = madang.Queue(sys.argv[1]); print('ready', flush=True); {waits}"
    with support.script(text, queue.name) as process:
        support.says(process, "ready")
        wait_until(lambda: support.is_asleep(str(process.pid)))
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=10)
    assert "KeyboardInterrupt" in error
    assert process.returncode == -signal.SIGINT
    assert queue.recv() == (b"other", 9)


@pytest.mark.parametrize("receive", ["recv", "lease"])
def test_other_threads_go_on_while_one_looks_over_a_long_queue(name, receive):
    # Nobody is made to give the GIL away, so another thread goes on only where it is let go.
    previous = sys.getswitchinterval()
    steps, done = [], threading.Event()

    def walk():
        while not done.is_set():
            steps.append(1)
            time.sleep(0)

    with madang.Queue(name, capacity="64M") as queue:
        for _ in range(30_000):
            queue.send(bytes(1000), 9)
        queue.send(b"last", 7)
        sys.setswitchinterval(10)
        walker = Thread(walk)
        try:
            wait_until(lambda: len(steps) > 0)
            before = len(steps)
            received = getattr(queue, receive)(7, 30)
            assert len(steps) > before
        finally:
            done.set()
            sys.setswitchinterval(previous)
        walker.join()
        assert len(queue) == 30_000 + (receive == "lease")
        assert queue.recv() == (bytes(1000), 9)
        del received


## Peek


@pytest.mark.parametrize("length", [0, 1023, 1024, 1025, 5000, 70_000])
def test_peek(queue, length):
    queue.send(b"first", 9)
    queue.send(b"x" * length, 2)
    for _ in range(2):
        assert queue.peek() == (b"first", 9)
        assert queue.peek(position=1) == (b"x" * length, 2)
    with fails(errno.EAGAIN, "position 2", BlockingIOError):
        queue.peek(2)
    assert queue.stat().received == 0


def test_peek_passes_leased_ones(queue):
    queue.send(b"leased")
    queue.send(b"next")
    with queue.lease():
        assert queue.peek() == (b"next", 1)
    with fails(errno.EAGAIN, "position 1", BlockingIOError):
        queue.peek(1)


def test_bad_positions(queue):
    with pytest.raises(ValueError, match="position of -1"):
        queue.peek(-1)
    with pytest.raises(OverflowError):
        queue.peek(2**63)
    with pytest.raises(TypeError):
        queue.peek("first")


## A part of a message


@pytest.mark.parametrize(("length", "room"), [(10, 3), (10, 0), (5000, 4999), (100_000, 70_000), (100_000, 5)])
def test_truncate(queue, length, room):
    data = bytes(range(256)) * (length // 256 + 1)
    queue.send(data[:length], 3)
    queue.send(b"next")
    buffer = bytearray(room)
    received = queue.recv_into(buffer, truncate=True)
    assert (received.length, received.message_length, received.is_cut) == (room, length, True)
    assert (received.type, received.sequence, received.redelivered) == (3, 0, 0)
    assert buffer == data[:room]
    assert queue.recv() == (b"next", 1)


def test_truncate_what_fits(queue):
    buffer = bytearray(100_000)
    for length in (0, 10, 5000, 100_000):
        queue.send(b"x" * length)
        received = queue.recv_into(buffer, 0, None, truncate=True)
        assert (received.length, received.message_length, received.is_cut) == (length, length, False)
        assert buffer[:length] == b"x" * length
    with fails(errno.EAGAIN, "no message", BlockingIOError):
        queue.recv_into(buffer, timeout=0, truncate=True)
    with fails(errno.ETIMEDOUT, "no message came", TimeoutError):
        queue.recv_into(bytearray(9), timeout=0.01, truncate=True)
    with pytest.raises(TypeError):
        queue.recv_into(buffer, 0, None, True)


## Memory


def test_trim(name):
    with madang.Queue(name, capacity="16M") as queue:
        assert queue.trim() == 0
        before = queue.stat().allocated
        for _ in range(10):
            queue.send(bytes(1 << 20))
        for _ in range(10):
            queue.recv()
        assert queue.stat().allocated > 10 << 20
        assert queue.trim() >= 9 << 20
        assert queue.stat().allocated < before + (2 << 20)
        queue.send(b"x" * 100_000)
        assert queue.recv() == (b"x" * 100_000, 1)


def test_stress_by_type(name):
    """Senders of several types, receivers who choose in every way: each message once, each type in order."""
    count, done = 1500, threading.Event()
    with madang.Queue(name, max_messages=100) as queue:

        def receive(which):
            received = []
            while not done.is_set() or len(queue):
                try:
                    received.append(queue.recv(which, timeout=0.02))
                except TimeoutError:
                    pass
            return received

        receivers = [Thread(receive, which) for which in (1, -2, Except(1), 0)]
        senders = [Thread(support.send_numbers, queue, sender, count) for sender in (1, 2, 3)]
        for sender in senders:
            sender.join()
        done.set()
        everything = [receiver.join() for receiver in receivers]
    assert {kind for _, kind in everything[0]} <= {1}
    assert {kind for _, kind in everything[1]} <= {1, 2}
    assert {kind for _, kind in everything[2]} <= {2, 3}
    for received in everything:
        for kind in (1, 2, 3):
            numbers = [int(data) for data, own in received if own == kind]
            assert numbers == sorted(numbers)
    together = sorted((kind, int(data)) for received in everything for data, kind in received)
    assert together == [(kind, number) for kind in (1, 2, 3) for number in range(count)]
