"""madang.Queue: sending and receiving, limits, handles, where queues lie."""

import copy
import errno
import gc
import os
import pickle
import random
import sys
from collections import deque

import hypothesis
import madang
import numpy
import pytest
import support
from hypothesis import strategies
from support import fails, in_child, queue_file

## Sending and receiving


def test_smoke(name):
    with madang.Queue(name) as queue:
        queue.send(b"two teas", 3)
        queue.send(b"one coffee", type=4, timeout=1.0)
        data, kind = queue.recv()
        assert (data, kind) == (b"two teas", 3)
        assert queue.recv(0, 1.0) == (b"one coffee", 4)
    madang.Queue.unlink(name)


def test_the_default_type_is_1(queue):
    queue.send(b"")
    assert queue.recv() == (b"", 1)


@pytest.mark.parametrize("length", [0, 1, 64, 1023, 1024, 1025, 4096, 65535, 65536, 65537, 1 << 20])
def test_messages_of_every_length(queue, length):
    data = random.Random(length).randbytes(length)
    queue.send(data, 2**63 - 1)
    assert queue.recv() == (data, 2**63 - 1)
    buffer = bytearray(length + 3)
    queue.send(data, length + 1)
    received = queue.recv_into(buffer)
    assert (received.length, received.type, received.sequence) == (length, length + 1, 1)
    assert buffer == data + bytes(3)


@pytest.mark.parametrize(
    "data",
    [
        b"abcd",
        bytearray(b"abcd"),
        memoryview(b"abcd"),
        memoryview(bytearray(b"xabcdx"))[1:5],
        numpy.frombuffer(b"abcd", "u2"),
        numpy.frombuffer(b"abcd", "u1").reshape(2, 2),
    ],
    ids=["bytes", "bytearray", "memoryview", "slice", "numpy", "matrix"],
)
def test_whatever_has_contiguous_memory_is_sent(queue, data):
    queue.send(data)
    assert queue.recv() == (b"abcd", 1)


def test_recv_into_whatever_has_memory_to_write(queue):
    numbers = numpy.zeros(3, "u4")
    queue.send(numpy.array([7, 8], "u4"))
    assert queue.recv_into(numbers).length == 8
    assert numbers.tolist() == [7, 8, 0]
    part = bytearray(b"......")
    queue.send(b"ab")
    queue.recv_into(memoryview(part)[2:4])
    assert part == b"..ab.."


def test_a_bytearray_may_grow_again_after_it_was_sent(queue):
    data = bytearray(b"x" * 100_000)
    queue.send(data)
    queue.recv_into(data)
    data += b"y"


def test_messages_come_in_order_and_are_numbered(queue):
    support.send_numbers(queue, 1, 1000)
    buffer = bytearray(10)
    for number in range(1000):
        received = queue.recv_into(buffer)
        assert (received.sequence, int(buffer[: received.length])) == (number, number)


def test_received_and_status_are_values(queue):
    queue.send(b"ab", 7)
    received = queue.recv_into(bytearray(2))
    assert repr(received) == "Received(length=2, type=7, sequence=0, redelivered=0, message_length=2)"
    queue.send(b"ab", 7)
    again = queue.recv_into(bytearray(2))
    assert received != again and len({received, again, received}) == 2
    assert queue.stat() == queue.stat()
    assert repr(queue.stat()).startswith("QueueStatus(capacity=1048576, max_messages=65536, ")
    with pytest.raises(AttributeError):
        received.length = 3


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_received_and_status_are_pickled(name, protocol):
    with madang.Queue(name, capacity="1G", max_messages=2**32, mode=0o640) as queue:
        for number in range(3):
            queue.send(b"ab", 2**63 - 1 - number)
        received, status = queue.recv_into(bytearray(2)), queue.stat()
    for value in (received, status):
        other = pickle.loads(pickle.dumps(value, protocol))
        assert (type(other), other, repr(other)) == (type(value), value, repr(value))
        assert copy.deepcopy(value) == value
    # Each number in its own place, whichever of them are equal here.
    numbers = range(100, 114)
    other = pickle.loads(pickle.dumps(madang.QueueStatus(*numbers), protocol))
    assert repr(other) == repr(madang.QueueStatus(*numbers))
    some = (other.capacity, other.max_participants, other.leased, other.participants, other.gid)
    assert some == (100, 102, 107, 108, 113)
    assert madang.Received(2, 2**63 - 1, 0, redelivered=0, message_length=2) == received
    other = pickle.loads(pickle.dumps(madang.Received(1, 2, 3, 4, 5), protocol))
    assert repr(other) == "Received(length=1, type=2, sequence=3, redelivered=4, message_length=5)"


@hypothesis.settings(max_examples=50, deadline=None, database=None)
@hypothesis.given(
    steps=strategies.lists(
        strategies.one_of(
            strategies.none(),
            strategies.tuples(strategies.integers(0, 70_000), strategies.integers(1, 2**63 - 1)),
        )
    )
)
def test_like_a_deque(steps):
    name = f"pytest-{os.getpid()}-model"
    model: deque[tuple[bytes, int]] = deque()
    with madang.Queue(name, capacity="128K", max_messages=5, create="only") as queue:
        madang.Queue.unlink(name)
        for number, step in enumerate(steps):
            if step is None:
                try:
                    assert queue.recv(timeout=0) == model.popleft()
                except BlockingIOError:
                    assert not model
            else:
                message = (bytes([number % 256]) * step[0], step[1])
                held = sum(len(data) for data, _ in model)
                try:
                    queue.send(*message, timeout=0)
                    model.append(message)
                except BlockingIOError:
                    assert len(model) == 5 or held + step[0] > 128 << 10
            assert len(queue) == len(model)


## Limits


def test_capacity(name):
    with madang.Queue(name, capacity="64K", max_messages=3) as queue:
        assert queue.capacity == 64 << 10
        queue.send(b"x" * (64 << 10))
        with fails(errno.EAGAIN, "full", BlockingIOError):
            queue.send(b"x", timeout=0)
        assert queue.recv() == (b"x" * (64 << 10), 1)
        for _ in range(3):
            queue.send(b"")
        with fails(errno.EAGAIN, "full", BlockingIOError):
            queue.send(b"", timeout=0)
        assert len(queue) == 3


@pytest.mark.parametrize(
    ("size", "bytes"),
    [(1, 1), ("1", 1), ("4096", 4096), ("2K", 2048), ("2k", 2048), ("4M", 4 << 20), ("1G", 1 << 30), (True, 1)],
)
def test_sizes(name, size, bytes):
    with madang.Queue(name, capacity=size, max_messages=1) as queue:
        assert queue.capacity == bytes


@pytest.mark.parametrize(
    "size", ["", "K", "4X", "-1", "1.5M", " 4M", "4MB", "4 M", "٤M", "9" * 30, "9999999999T", 0, -1]
)
def test_bad_sizes(name, size):
    with pytest.raises(ValueError, match="size"):
        madang.Queue(name, capacity=size)
    assert not queue_file(name).exists()


def test_an_empty_queue_is_true(queue):
    assert queue and len(queue) == 0
    queue.close()
    assert queue


def test_status(name):
    with madang.Queue(name, capacity="1M", max_messages=100, max_participants=10, mode=0o640) as queue:
        queue.send(b"abc")
        queue.send(b"de")
        queue.recv()
        other = madang.Queue(name)
        status = queue.stat()
        assert (status.capacity, status.max_messages, status.max_participants) == (1 << 20, 100, 10)
        assert (status.bytes, status.messages, status.sent, status.received) == (2, 1, 2, 1)
        assert (status.participants, status.repairs, status.mode) == (2, 0, 0o640)
        assert (status.uid, status.gid) == (os.getuid(), os.getgid())
        assert 0 < status.allocated <= 1 << 20
        other.close()
        assert queue.stat().participants == 1
        assert len(queue) == 1


def test_an_existing_queue_is_taken_as_it_is(name):
    with madang.Queue(name, capacity="64K") as first, madang.Queue(name) as second:
        assert (first.is_new, second.is_new) == (True, False)
        assert second.capacity == 64 << 10
        with fails(errno.EINVAL, "capacity is 65536, 65537 was asked for"):
            madang.Queue(name, capacity=65537)
        for limit, has in (("max_messages", 65536), ("max_participants", 1024)):
            madang.Queue(name, **{limit: has}).close()
            with fails(errno.EINVAL, f"{limit} is {has}, {has + 1} was asked for"):
                madang.Queue(name, **{limit: has + 1})


def test_the_mode_is_exact(name):
    previous = os.umask(0o077)
    try:
        madang.Queue(name, mode=0o666).close()
    finally:
        os.umask(previous)
    assert queue_file(name).stat().st_mode & 0o7777 == 0o666


def test_no_place_for_another_handle(name):
    with madang.Queue(name, max_participants=1) as queue:
        with fails(errno.EUSERS, "all 1 places"):
            madang.Queue(name)
        queue.send(b"still good")
    with madang.Queue(name) as queue:
        assert queue.recv() == (b"still good", 1)


def test_no_place_for_a_forked_child(name):
    with madang.Queue(name, max_participants=1) as queue:
        for use in (lambda: queue.send(b"x"), lambda: queue.recv(), lambda: queue.stat()):
            with fails(errno.EUSERS, "all 1 places"):
                in_child(use)
        queue.send(b"still good")
        assert queue.recv() == (b"still good", 1)


## Handles


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickled_it_is_its_name(queue, protocol):
    queue.send(b"x")
    other = pickle.loads(pickle.dumps(queue, protocol))
    assert (other.name, other.is_new, len(other)) == (queue.name, False, 1)
    other.close()
    assert queue.recv() == (b"x", 1)


def test_copied_it_is_another_handle(queue):
    other = copy.copy(queue)
    queue.close()
    other.send(b"x")
    other.close()


def test_unpickling_never_creates(queue):
    pickled = pickle.dumps(queue)
    madang.Queue.unlink(queue.name)
    with fails(errno.ENOENT, "does not create", FileNotFoundError):
        pickle.loads(pickled)
    assert not queue_file(queue.name).exists()


def test_it_persists(name):
    with madang.Queue(name) as queue:
        queue.send(b"kept")
    queue = madang.Queue(name, create="never")
    del queue
    gc.collect()
    with madang.Queue(name, create="never") as queue:
        assert queue.recv() == (b"kept", 1)


def test_unlink_takes_only_the_name(queue):
    madang.Queue.unlink(queue.name)
    with madang.Queue(queue.name) as other:
        assert other.is_new
        queue.send(b"x")
        assert (len(queue), len(other)) == (1, 0)


def test_closed(queue):
    assert not queue.closed
    queue.close()
    queue.close()
    assert queue.closed
    for use in [
        lambda: queue.send(b"x"),
        lambda: queue.send(bytes(100_000)),
        lambda: queue.recv(),
        lambda: queue.recv_into(bytearray(3)),
        lambda: queue.recv_into(bytearray(3), truncate=True),
        lambda: queue.peek(),
        lambda: queue.lease(),
        lambda: queue.reserve(3),
        lambda: queue.reserve(100_000),
        lambda: queue.trim(),
        lambda: queue.stat(),
        lambda: len(queue),
        lambda: pickle.dumps(queue),
        lambda: queue.__enter__(),
    ]:
        with fails(errno.EBADF, "this handle is closed"):
            use()
    assert (queue.capacity, queue.is_new) == (1 << 20, True)
    assert repr(queue) == f'<madang.Queue "{queue.name}": closed>'


def test_leaving_the_block_closes(name):
    with pytest.raises(KeyError), madang.Queue(name) as queue:
        raise KeyError
    assert queue.closed


def test_repr(queue):
    queue.send(b"x")
    assert repr(queue) == f'<madang.Queue "{queue.name}": 1 messages, capacity 1048576>'


def test_closing_gives_back_what_it_took(name):
    for _ in range(100):
        madang.Queue(name, max_participants=3).close()
    assert support.open_files() == []
    assert not support.is_mapped(queue_file(name))


def test_nothing_leaks(queue):
    def round_trip():
        for length in (10, 5000, 70_000):
            queue.send(b"x" * length)
            queue.recv()
            queue.send(bytearray(length))
            queue.recv_into(bytearray(length))
        with pytest.raises(BlockingIOError):
            queue.recv(timeout=0)

    def held():
        gc.collect()
        return sys.getallocatedblocks() + sum(map(sys.getrefcount, (queue, madang.Queue, madang.Received)))

    round_trip()
    before = held()
    for _ in range(500):
        round_trip()
    assert held() - before < 100


## Where queues lie


def test_another_directory(name, tmp_path, monkeypatch):
    monkeypatch.setenv("MADANG_DIR", str(tmp_path))
    with madang.Queue(name) as queue:
        queue.send(b"x")
        assert (tmp_path / f"madang.queue.{name}").exists()
        assert not queue_file(name).exists()
    monkeypatch.setenv("MADANG_DIR", "not/absolute")
    with fails(errno.EINVAL, "MADANG_DIR"):
        madang.Queue(name)
    monkeypatch.setenv("MADANG_DIR", str(tmp_path / "none"))
    with fails(errno.ENOENT, "no directory", FileNotFoundError):
        madang.Queue(name)


@support.needs_root
def test_a_full_file_system(name, tmp_path, monkeypatch):
    monkeypatch.setenv("MADANG_DIR", str(tmp_path))
    with support.small_file_system(tmp_path, 1 << 20):
        with madang.Queue(name, capacity="8M") as queue:
            with fails(errno.ENOSPC, "is full.*shm-size"):
                for number in range(100):
                    queue.send(b"x" * 100_000, number + 1)
            # What was sent is there, and once there is room it goes on.
            held = len(queue)
            assert 1 <= held < 11
            assert [queue.recv()[1] for _ in range(held)] == [number + 1 for number in range(held)]
            queue.send(b"on")
            assert queue.recv() == (b"on", 1)
        madang.Queue.unlink(name)
        (tmp_path / "filler").write_bytes(bytes(900 << 10))
        with fails(errno.ENOSPC, "is full.*shm-size"):
            madang.Queue(name + "2", max_participants=60_000)
        assert not (tmp_path / f"madang.queue.{name}2").exists()
