"""madang.Queue: several messages with one call, and messages of several pieces."""

import errno
import gc
import os
import random
import signal
import sys
import time
from collections import deque

import hypothesis
import madang
import numpy
import pytest
import support
from hypothesis import strategies
from support import Thread, alarm, fails


def test_smoke(queue):
    assert queue.send_many([b"two teas", (b"one coffee", 3), bytearray(b"x"), (b"", 2**63 - 1)]) == 4
    assert len(queue) == 4
    assert queue.recv_many(10) == [(b"two teas", 1), (b"one coffee", 3), (b"x", 1), (b"", 2**63 - 1)]
    # What was sent in one way is received in the other.
    queue.send_many([b"alone"])
    assert queue.recv() == (b"alone", 1)
    queue.send(b"alone", 7)
    assert queue.recv_many(count=1, type=0, timeout=1.0) == [(b"alone", 7)]


def test_nothing(queue):
    assert queue.send_many([]) == 0
    assert queue.recv_many(0) == []
    assert len(queue) == 0


@pytest.mark.parametrize("kind", [list, tuple, iter, lambda items: (item for item in items)])
def test_whatever_can_be_gone_through(queue, kind):
    assert queue.send_many(kind([b"a", (memoryview(b"b"), 2), numpy.frombuffer(b"cc", "u2")])) == 3
    assert queue.recv_many(3) == [(b"a", 1), (b"b", 2), (b"cc", 1)]
    queue.sendv(kind([b"a", bytearray(b"b"), numpy.frombuffer(b"cc", "u2"), b""]), type=5)
    assert queue.recv() == (b"abcc", 5)


def test_what_was_received_can_be_sent(queue):
    queue.send_many([(b"a", 2), (b"b", 1)])
    queue.send_many(queue.recv_many(10))
    assert queue.recv_many(10) == [(b"a", 2), (b"b", 1)]


def test_capacity(name):
    with madang.Queue(name, capacity=100, max_messages=5) as queue:
        assert queue.send_many([bytes(30)] * 20, timeout=0) == 3
        with fails(errno.EAGAIN, "the queue is full", BlockingIOError):
            queue.send_many([bytes(30)] * 20, timeout=0)
        assert queue.send_many([b""] * 20, 0) == 2
        assert len(queue.recv_many(2)) == 2
        assert [len(data) for data, _ in queue.recv_many(100)] == [30, 0, 0]
        with fails(errno.EAGAIN, "there is no message", BlockingIOError):
            queue.recv_many(1, timeout=0)


@pytest.mark.parametrize("length", [0, 1, 1023, 4096, 40_000, 65_535, 65_536, 65_537, 200_000])
def test_messages_of_every_length(name, length):
    with madang.Queue(name, capacity="4M") as queue:
        messages = [(random.Random(number).randbytes(length), number + 1) for number in range(10)]
        assert queue.send_many(messages) == 10
        received = []
        while len(received) < 10:
            received += queue.recv_many(10, timeout=0)
        assert received == messages
        queue.sendv([data for data, _ in messages], 3)
        assert queue.recv() == (b"".join(data for data, _ in messages), 3)


def test_more_than_is_received_at_once(name):
    with madang.Queue(name, capacity="4M", max_messages=20_000) as queue:
        messages = [(number.to_bytes(4), 1) for number in range(10_000)]
        assert queue.send_many(messages) == 10_000
        assert queue.recv_many(9_000) == messages[:9_000]
        assert queue.recv_many(9_000) == messages[9_000:]
        # As many as there are, though the memory for one batch doesn't hold them.
        large = [(bytes([number]) * 40_000, 1) for number in range(20)]
        queue.send_many(large)
        assert queue.recv_many(20) == large
        # A longer one comes alone.
        queue.send_many([b"a", bytes(70_000), b"b"])
        assert [[len(data) for data, _ in queue.recv_many(3)] for _ in range(3)] == [[1], [70_000], [1]]


@hypothesis.settings(max_examples=50, deadline=None, database=None)
@hypothesis.given(
    steps=strategies.lists(
        strategies.one_of(
            strategies.integers(1, 10), strategies.lists(strategies.integers(0, 70_000), min_size=1, max_size=8)
        )
    )
)
def test_like_a_deque(steps):
    name = f"pytest-{os.getpid()}-batches"
    model: deque[tuple[bytes, int]] = deque()
    with madang.Queue(name, capacity="128K", max_messages=9, create="only") as queue:
        madang.Queue.unlink(name)
        for number, step in enumerate(steps):
            if isinstance(step, list):
                messages = [(bytes([number % 256]) * length, number + 1) for length in step]
                fits = 0
                held = sum(len(data) for data, _ in model)
                for data, _ in messages:
                    held += len(data)
                    if held > 128 << 10 or len(model) + fits == 9:
                        break
                    fits += 1
                try:
                    assert queue.send_many(messages, timeout=0) == fits > 0
                except BlockingIOError:
                    assert fits == 0
                model.extend(messages[:fits])
            else:
                try:
                    received = queue.recv_many(step, timeout=0)
                    assert 0 < len(received) <= step
                    assert received == [model.popleft() for _ in received]
                except BlockingIOError:
                    assert not model


def test_timeout(name):
    with madang.Queue(name, capacity=8) as queue:
        begun = time.monotonic()
        with fails(errno.ETIMEDOUT, "no message came", TimeoutError):
            queue.recv_many(3, timeout=0.05)
        assert time.monotonic() - begun >= 0.05
        begun = time.monotonic()
        # It waits for room for the third, and then says how many went.
        assert queue.send_many([b"four"] * 3, timeout=0.15) == 2
        assert time.monotonic() - begun >= 0.15
        with fails(errno.ETIMEDOUT, "the queue stayed full", TimeoutError):
            queue.send_many([b"four"] * 3, timeout=0.05)
        with fails(errno.ETIMEDOUT, "the queue stayed full", TimeoutError):
            queue.sendv([b"fo", b"ur"], timeout=0.05)
        # It waits only for the first.
        assert len(queue.recv_many(3)) == 2


def test_it_waits_for_all(name):
    with madang.Queue(name, capacity=8) as queue:
        messages = [(number.to_bytes(4), number + 1) for number in range(1000)]
        sender = Thread(queue.send_many, messages)
        received = []
        while len(received) < 1000:
            received += queue.recv_many(5)
        assert sender.join() == 1000
        assert received == messages


def test_interrupted_by_a_handler_it_goes_on(name):
    with madang.Queue(name, capacity=8) as queue:

        def handler(*_):
            queue.recv_many(2)

        with alarm(0.05, handler):
            assert queue.send_many([b"four"] * 4, timeout=20) == 4

        with alarm(0.05, lambda *_: queue.send_many([b"a", b"b"])):
            queue.recv_many(2)
            assert queue.recv_many(2, timeout=20) == [(b"a", 1), (b"b", 1)]


def test_interrupted_by_a_handler_that_raises(name):
    with madang.Queue(name, capacity=8) as queue:

        def handler(*_):
            raise KeyError

        with alarm(0.05, handler), pytest.raises(KeyError):
            queue.send_many([b"four"] * 3)
        assert queue.recv_many(9) == [(b"four", 1)] * 2, "the first of them were sent"
        with alarm(0.05, handler), pytest.raises(KeyError):
            queue.recv_many(3)


def test_other_threads_go_on_while_one_waits(queue):
    receiver = Thread(queue.recv_many, 5)
    support.wait_until(lambda: support.is_asleep(f"self/task/{receiver.native_id}"))
    assert receiver.is_alive()
    queue.send_many([b"a"])
    assert receiver.join() == [(b"a", 1)]


def test_a_handler_or_an_iterable_that_comes_back(queue):
    """What a call goes through may use the same handle."""
    queue.send_many([b"a"])

    def items():
        yield queue.recv()
        yield from queue.recv_many(3, timeout=0) if len(queue) else [b"b"]
        queue.send(b"between")

    assert queue.send_many(items()) == 2
    assert queue.recv_many(9) == [(b"between", 1), (b"a", 1), (b"b", 1)]


def test_mpmc_in_threads(name):
    count, senders = 2000, 3
    with madang.Queue(name, capacity=1000) as queue:

        def send(sender):
            for start in range(0, count, 20):
                queue.send_many([((start + index).to_bytes(4), sender) for index in range(20)])

        def receive():
            received = []
            while True:
                for data, sender in queue.recv_many(7):
                    if sender == 100:
                        received.append(None)
                    else:
                        received.append((sender, int.from_bytes(data)))
                if None in received:
                    # The others' ends that came along.
                    for _ in range(received.count(None) - 1):
                        queue.send(b"", 100)
                    return [one for one in received if one is not None]

        receivers = [Thread(receive) for _ in range(3)]
        for thread in [Thread(send, sender) for sender in range(1, senders + 1)]:
            thread.join()
        for _ in receivers:
            queue.send(b"", 100)
        everything = []
        for receiver in receivers:
            received = receiver.join()
            everything += received
            for sender in range(1, senders + 1):
                numbers = [number for who, number in received if who == sender]
                assert numbers == sorted(numbers)
        assert sorted(everything) == [(sender, number) for sender in range(1, senders + 1) for number in range(count)]


def test_owner_died_in_the_midst_of_a_batch(name):
    with madang.Queue(name, capacity="64K") as queue:
        for round in range(20):
            child = os.fork()
            if child == 0:
                number = 0
                while True:
                    queue.send_many([((number + index).to_bytes(4), round + 1) for index in range(50)])
                    number += 50
            numbers = []
            while len(numbers) < 100 + 37 * round:
                numbers += [int.from_bytes(data) for data, _ in queue.recv_many(30, timeout=10)]
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            while len(queue):
                received = queue.recv_many(30, timeout=0)
                assert all(kind == round + 1 for _, kind in received)
                numbers += [int.from_bytes(data) for data, _ in received]
            assert numbers == list(range(len(numbers)))


def test_one_that_cannot_be_sent_refuses_all(queue):
    with fails(errno.EINVAL, "message 2 of 3: .*type 0: a message's type is greater than 0"):
        queue.send_many([b"a", b"b", (b"c", 0)])
    with fails(errno.EMSGSIZE, "message 1 of 2: .*its capacity is"):
        queue.send_many([b"a", bytes(queue.capacity + 1)])
    with fails(errno.EMSGSIZE, "its capacity is"):
        queue.sendv([bytes(queue.capacity), b"x"])
    with fails(errno.EINVAL, "type -1"):
        queue.sendv([b"x"], -1)
    for bad in (5, None, b"abc", ["text"], [5], [(b"a", "type")], [(5, 5)]):
        with pytest.raises(TypeError):
            queue.send_many(bad)
    for bad in (5, None, b"abc", ["text"], [(b"a", 1)]):
        with pytest.raises(TypeError):
            queue.sendv(bad)
    for bad in ((), (b"a",), (b"a", 1, 1)):
        with pytest.raises(ValueError, match=f"not one of {len(bad)}"):
            queue.send_many([b"a", bad])
    with pytest.raises(OverflowError):
        queue.send_many([b"a", (b"b", 2**63)])
    for call in (queue.send_many, queue.sendv):
        with pytest.raises((BufferError, ValueError)):
            call([b"a", numpy.zeros((4, 4))[:, 1]])

    def broken():
        yield b"a"
        raise KeyError

    with pytest.raises(KeyError):
        queue.send_many(broken())
    assert len(queue) == 0


def test_by_type(queue):
    """However far apart they lie, and whether they were passed over before."""
    sent = [(b"%d" % number, number % 97 + 1) for number in range(1000)]
    queue.send_many(sent)

    def take(wanted):
        taken = [message for message in sent if wanted(message[1])]
        sent[:] = [message for message in sent if not wanted(message[1])]
        return taken

    assert queue.recv_many(1000, type=7, timeout=0) == take(lambda kind: kind == 7)
    assert queue.recv_many(1000, madang.Except(9), timeout=30)[:20] == take(lambda kind: kind != 9)[:20]
    assert queue.recv_many(3, -50) == sent[:3]
    assert queue.recv_many(1000) == sent[3:]
    # The lowest first, and each type in order.
    queue.send_many([(b"%d" % number, number % 3 + 1) for number in range(30)])
    lowest = queue.recv_many(1000, type=-2, timeout=0)
    assert lowest == [(b"%d" % number, kind) for kind in (1, 2) for number in range(kind - 1, 30, 3)]
    assert len(queue) == 10
    for timeout, error, kind in ((0, errno.EAGAIN, BlockingIOError), (0.01, errno.ETIMEDOUT, TimeoutError)):
        with fails(error, "no message", kind):
            queue.recv_many(10, type=1, timeout=timeout)


def test_bad_arguments_of_recv_many(queue):
    queue.send(b"kept")
    with pytest.raises(ValueError, match="count=-1"):
        queue.recv_many(-1)
    for bad in (2**63, -(2**63) - 1):
        with pytest.raises(OverflowError):
            queue.recv_many(bad)
    with pytest.raises(TypeError):
        queue.recv_many("3")
    with fails(errno.EINVAL, "type"):
        queue.recv_many(1, type=madang.Except(0))
    for bad in ("3", None, 2**63):
        with pytest.raises((TypeError, OverflowError)):
            queue.recv_many(1, type=bad)
    with pytest.raises(ValueError):
        queue.recv_many(1, timeout=-1)
    assert queue.recv_many(2**63 - 1) == [(b"kept", 1)]


def test_closed(name):
    queue = madang.Queue(name)
    queue.close()
    for call in (
        lambda: queue.send_many([]),
        lambda: queue.send_many([b""]),
        lambda: queue.sendv([]),
        lambda: queue.recv_many(0),
        lambda: queue.recv_many(1),
    ):
        with fails(errno.EBADF, "this handle is closed"):
            call()


def test_closing_while_another_thread_waits(queue):
    receiver = Thread(queue.recv_many, 5)
    support.wait_until(lambda: support.is_asleep(f"self/task/{receiver.native_id}"))
    queue.close()
    with fails(errno.EBADF, "this handle is closed"):
        receiver.join()


def test_a_scribbled_record_behind_a_good_one(queue):
    queue.send_many([b"good", b"scribbled"])
    support.patch(support.queue_file(queue.name), 65536 + 24, b"\xff" * 8)
    assert queue.recv_many(2) == [(b"good", 1)]
    with fails(errno.EUCLEAN, "damaged"):
        queue.recv_many(2)


def test_a_full_file_system(name, tmp_path, monkeypatch):
    monkeypatch.setenv("MADANG_DIR", str(tmp_path))
    with support.small_file_system(tmp_path, 1 << 20):
        with madang.Queue(name, capacity="8M") as queue:
            messages = [(b"x" * 10_000, number + 1) for number in range(300)]
            sent = queue.send_many(messages)
            assert 10 <= sent < 110, "what there was room for"
            with fails(errno.ENOSPC, "is full.*shm-size"):
                queue.send_many(messages[sent:])
            with fails(errno.ENOSPC, "is full.*shm-size"):
                queue.sendv([b"x" * 100_000] * 5)
            received = []
            while len(received) < sent:
                received += queue.recv_many(sent)
            assert received == messages[:sent]
            queue.send_many([b"on"])
            assert queue.recv_many(9) == [(b"on", 1)]
        madang.Queue.unlink(name)


def test_nothing_leaks(queue):
    messages = [(bytes(number), number + 1) for number in range(100)]

    def round_trip():
        queue.send_many(messages)
        queue.recv_many(100)
        queue.send_many(bytearray(length) for length in range(10))
        queue.recv_many(100)
        queue.sendv([b"x" * 10, bytearray(10)])
        queue.recv_many(1)
        with pytest.raises(BlockingIOError):
            queue.recv_many(1, timeout=0)
        with pytest.raises(OSError):
            queue.send_many([b"x" * 10, (bytearray(10), 0)])

    def held():
        gc.collect()
        return sys.getallocatedblocks() + sys.getrefcount(queue)

    round_trip()
    before = held()
    for _ in range(500):
        round_trip()
    assert held() - before < 100
