"""madang.Reservation: a message that is written in place before it is sent."""

import copy
import errno
import gc
import multiprocessing
import os
import pickle
import random
import signal
import struct
import sys

import madang
import numpy
import pytest
import support
from support import Thread, alarm, fails, in_child, is_mapped, queue_file, wait_until

LENGTHS = [0, 1, 64, 4096, 5000, 65536, 100_000, 1 << 20]


@pytest.mark.parametrize("length", LENGTHS)
def test_smoke(queue, length):
    data = random.Random(length).randbytes(length)
    with queue.reserve(length, 3) as place:
        assert (place.type, len(place), bool(place), place.ended) == (3, length, True, False)
        assert (place.data.nbytes, place.data.readonly) == (length, False)
        place.data[:] = data
        assert len(queue) == 0
    assert place.ended
    assert len(queue) == 1
    assert queue.recv() == (data, 3)
    status = queue.stat()
    assert (status.messages, status.bytes, status.sent, status.received) == (0, 0, 1, 1)


def test_the_default_type_is_1(queue):
    with queue.reserve(2) as place:
        place.write(b"ab")
    assert queue.recv() == (b"ab", 1)


def test_committed_by_hand(queue):
    with queue.reserve(10, type=3, timeout=0) as place:
        place.write(b"0123456789")
        place.commit(type=4, length=5, timeout=1.0)
        assert place.ended
    assert queue.recv() == (b"01234", 4)
    for use in (
        place.commit,
        place.release,
        place.__enter__,
        lambda: place.data,
        lambda: place.write(b""),
        lambda: memoryview(place),
    ):
        with fails(errno.EBADF, "this reservation is sent or given back already"):
            use()
    assert (place.type, len(place)) == (3, 10)


@pytest.mark.parametrize("length", [0, 1, 9, 10])
def test_a_part_of_it(queue, length):
    place = queue.reserve(10)
    place.write(b"0123456789")
    place.commit(None, length)
    assert queue.recv() == (b"0123456789"[:length], 1)
    assert queue.stat().bytes == 0


def test_an_exception_gives_it_back(queue):
    for error in (KeyError, KeyboardInterrupt, SystemExit):
        with pytest.raises(error), queue.reserve(5000) as place:
            raise error
        assert place.ended
    assert len(queue) == 0
    status = queue.stat()
    assert (status.messages, status.bytes, status.sent) == (0, 0, 0)


def test_released_or_forgotten_nothing_is_sent(name):
    with madang.Queue(name, capacity="1M") as queue:
        for _ in range(20):
            place = queue.reserve(1 << 20)
            place.release()
            queue.reserve(1 << 20)
            cycle = [queue.reserve(1 << 20)]
            cycle.append(cycle)
            del cycle
            gc.collect()
        assert len(queue) == 0
        queue.send(bytes(1 << 20), timeout=0)


def test_others_send_meanwhile(queue):
    place = queue.reserve(3)
    queue.send(b"first")
    place.write(b"abc")
    place.commit()
    queue.send(b"third")
    assert [queue.recv()[0] for _ in range(3)] == [b"first", b"abc", b"third"]


def test_repr(queue):
    place = queue.reserve(2, 3)
    assert repr(place) == "<madang.Reservation: type 3, 2 bytes>"
    place.release()
    assert repr(place) == "<madang.Reservation: type 3, 2 bytes, ended>"


def test_it_is_made_by_a_queue_only_and_neither_copied_nor_pickled(queue):
    with pytest.raises(TypeError):
        madang.Reservation()
    with queue.reserve(0) as place:
        for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match="pickle"):
                attempt(place)


## Writing


@pytest.mark.parametrize("length", [0, 1, 100, 65535, 65536, 200_000])
def test_write(queue, length):
    data = random.Random(length).randbytes(length)
    with queue.reserve(length + 20) as place:
        place.data[:] = bytes(length + 20)
        place.write(data, 10)
        place.write(numpy.array([1, 2], "u2"))
        place.write(memoryview(b"end"), offset=length + 17)
        place.write(b"", length + 20)
    received = queue.recv()[0]
    assert received == b"\1\0\2\0" + bytes(6) + data + bytes(7) + b"end"


def test_writing_beyond_the_end(queue):
    with queue.reserve(10) as place:
        place.write(bytes(10))
        for data, offset in ((bytes(11), 0), (b"ab", 9), (b"a", 10), (b"", 11), (b"a", 2**63 - 1), (bytes(100_000), 0)):
            with pytest.raises(
                ValueError, match=f"{len(data)} bytes at {offset} don't lie within the reservation's 10"
            ):
                place.write(data, offset)
        with pytest.raises(ValueError, match="offset of -1"):
            place.write(b"a", -1)
        for bad in (None, "text", 3):
            with pytest.raises(TypeError):
                place.write(bad)
    assert queue.recv() == (bytes(10), 1)


def test_write_what_lies_in_shared_memory(queue):
    queue.send(b"x" * 5000)
    with queue.lease() as message, queue.reserve(len(message)) as place:
        place.write(message)
        place.write(place.data[:10], 5)
    assert queue.recv() == (b"x" * 5000, 1)


def test_an_array_is_written_in_place(queue):
    with queue.reserve(8000) as place:
        array = numpy.frombuffer(place, "f8")
        assert array.flags.writeable and not array.flags.owndata
        numpy.multiply(numpy.arange(1000), 0.5, out=array)
        del array
    with queue.lease() as message:
        assert numpy.frombuffer(message, "f8").sum() == 999 * 500 / 2


def test_recv_into_a_reservation(queue):
    queue.send(b"abcd")
    with queue.reserve(4, 2) as place:
        assert queue.recv_into(place).length == 4
    assert queue.recv() == (b"abcd", 2)


## Views

VIEWS = {
    "array": lambda place: numpy.frombuffer(place, "u1"),
    "array of data": lambda place: numpy.frombuffer(place.data, "u1"),
    "part of data": lambda place: place.data[1:3],
    "memoryview": lambda place: memoryview(place),
}


@pytest.mark.parametrize("make", VIEWS.values(), ids=VIEWS)
def test_a_view_keeps_it(queue, make):
    place = queue.reserve(4)
    view = make(place)
    for end in (place.commit, place.release, lambda: place.__exit__(None, None, None)):
        with pytest.raises(BufferError, match="this reservation has 1 views left"):
            end()
    assert not place.ended and len(queue) == 0
    view[:2] = memoryview(b"ab")[: len(view[:2])]
    del view
    place.write(b"abcd")
    place.commit()
    assert queue.recv() == (b"abcd", 1)


@pytest.mark.parametrize("make", VIEWS.values(), ids=VIEWS)
def test_an_exception_with_a_view_stays_the_exception(queue, make):
    with pytest.raises(KeyboardInterrupt):
        with queue.reserve(1 << 20) as place:
            view = make(place)
            raise KeyboardInterrupt
    assert place.ended
    with fails(errno.EBADF, "already"):
        place.commit()
    view[:1] = memoryview(b"x")
    # Its memory is held until the view goes.
    held = queue.stat().allocated
    del view
    gc.collect()
    assert queue.trim() > 900_000
    assert queue.stat().allocated < held


def test_data_is_released_with_it(queue):
    for end in ("commit", "release"):
        place = queue.reserve(4)
        data = place.data
        assert place.data is data
        getattr(place, end)()
        with pytest.raises(ValueError, match="released"):
            data[0] = 1


def test_nothing_leaks(queue):
    def use():
        with queue.reserve(10) as place:
            place.data[:] = bytes(10)
        with pytest.raises(KeyError), queue.reserve(10) as place:
            raise KeyError
        numpy.frombuffer(queue.reserve(10), "u1")
        queue.recv()

    def held():
        gc.collect()
        return sys.getallocatedblocks() + sum(map(sys.getrefcount, (queue, madang.Reservation, madang.Queue)))

    use()
    before = held()
    for _ in range(300):
        use()
    assert held() - before < 100


## Waiting, signals


def test_a_full_queue(name):
    with madang.Queue(name, capacity="64K", max_messages=3) as queue:
        for _ in range(3):
            queue.send(b"x")
        for length in (1, 64 << 10):
            with fails(errno.EAGAIN, "full", BlockingIOError):
                queue.reserve(length, timeout=0)
            with fails(errno.ETIMEDOUT, "stayed full", TimeoutError):
                queue.reserve(length, timeout=0.01)
        waiting = Thread(queue.reserve, 1, 2)
        wait_until(waiting.sleeps)
        queue.recv()
        place = waiting.join()
        place.write(b"y")
        place.commit()
        assert [queue.recv() for _ in range(3)] == [(b"x", 1), (b"x", 1), (b"y", 2)]


def test_committing_waits_too(name):
    with madang.Queue(name, max_messages=1) as queue:
        place = queue.reserve(1, timeout=0.01)
        place.write(b"y")
        queue.send(b"x")
        with fails(errno.EAGAIN, "full", BlockingIOError):
            place.commit(timeout=0)
        with fails(errno.ETIMEDOUT, "stayed full", TimeoutError):
            place.commit(timeout=0.01)
        # The block's end waits as long as reserve was told to.
        with fails(errno.ETIMEDOUT, "stayed full", TimeoutError):
            place.__exit__(None, None, None)
        with fails(errno.EAGAIN, "full", BlockingIOError):
            queue.recv()
            with queue.reserve(1, timeout=0):
                queue.send(b"x")
        # Whatever failed, it stays.
        assert not place.ended
        waiting = Thread(place.commit)
        wait_until(waiting.sleeps)
        assert queue.recv() == (b"x", 1)
        waiting.join()
        assert queue.recv() == (b"y", 1)


def test_interrupted_by_a_handler(name):
    class Enough(Exception):
        pass

    def handler(*_):
        raise Enough

    with madang.Queue(name, max_messages=1) as queue:
        place = queue.reserve(1)
        place.write(b"y")
        queue.send(b"x")
        with alarm(0.05, handler), pytest.raises(Enough):
            queue.reserve(1)
        with alarm(0.05, handler), pytest.raises(Enough):
            place.commit()
        with alarm(0.05, lambda *_: len(queue) and queue.peek() == (b"x", 1) and queue.recv()):
            place.commit()
        assert queue.recv() == (b"y", 1)


def test_interrupted_by_ctrl_c(name):
    text = """
import madang, sys
q = madang.Queue(sys.argv[1], max_messages=1)
q.send(b"x")
print("ready", flush=True)
q.reserve(1)
"""
    with support.script(text, name) as process:
        support.says(process, "ready")
        wait_until(lambda: support.is_asleep(str(process.pid)))
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=10)
    assert "KeyboardInterrupt" in error


SENDERS_LOCK = 640


def test_another_participant_stays_inside(name):
    with madang.Queue(name) as queue, madang.Queue(name):
        place = queue.reserve(4)
        place.write(b"kept")
        # As if it were stopped there: the second handle's word is in the lock, and it lives.
        support.patch(queue_file(name), SENDERS_LOCK, struct.pack("=I", support.participant(name, 1)))
        with fails(errno.EBUSY, "inside"):
            place.commit(timeout=0)
        with fails(errno.ETIMEDOUT, "inside", TimeoutError):
            place.commit(timeout=0.25)
        support.patch(queue_file(name), SENDERS_LOCK, bytes(4))
        place.commit()
        assert queue.recv() == (b"kept", 1)


def test_the_handle_may_be_closed(queue):
    place = queue.reserve(4)
    waiting = queue.reserve(4)
    queue.close()
    place.write(b"abcd")
    place.commit()
    assert is_mapped(queue_file(queue.name))
    waiting.release()
    del waiting, place
    with madang.Queue(queue.name) as queue:
        assert queue.recv() == (b"abcd", 1)


## Processes


@pytest.mark.parametrize("method", support.START_METHODS)
def test_multiprocessing(name, method):
    context = multiprocessing.get_context(method)
    with madang.Queue(name, capacity="16M") as queue:
        process = context.Process(target=support.send_frames, args=(queue, 5, 8 << 20))
        process.start()
        for number in range(5):
            with queue.lease(timeout=30) as message:
                assert message.type == number + 1
                frame = numpy.frombuffer(message, "f8")
                assert frame.shape == (1 << 20,) and (frame == number).all()
                del frame
        process.join(30)
        assert process.exitcode == 0
        process.close()


def test_owner_died(name):
    text = """
import madang, sys, time
queue = madang.Queue(sys.argv[1], create="never")
places = [queue.reserve(1 << 20) for _ in range(3)]
places[0].data[:] = bytes(1 << 20)
print("reserved", flush=True)
time.sleep(60)
"""
    with madang.Queue(name, capacity="3M") as queue:
        for _ in range(5):
            with support.script(text, name) as process:
                support.says(process, "reserved")
        assert process.returncode == -signal.SIGKILL
        for _ in range(3):
            queue.send(bytes(1 << 20), timeout=10)
        assert len(queue) == 3
        for _ in range(3):
            queue.recv()
        # What the dead had reserved is free again.
        queue.trim()
        assert queue.stat().allocated < 1 << 20


def test_owner_died_at_any_moment(name):
    """What a sender that is killed had committed is whole."""
    text = """
import itertools, madang, numpy, sys
queue = madang.Queue(sys.argv[1], create="never")
for number in itertools.count():
    length = (number * 7919) % 9000
    with queue.reserve(length, number + 1) as place:
        place.data[:] = bytes([number % 256]) * length
"""
    with madang.Queue(name, max_messages=100) as queue:
        for kill in range(15):
            with support.script(text, name):
                number = 0
                for _ in range(20 * (kill + 1)):
                    data, kind = queue.recv(timeout=30)
                    assert (kind, len(data)) == (number + 1, number * 7919 % 9000)
                    assert data == bytes([number % 256]) * len(data)
                    number += 1
            while len(queue):
                data, kind = queue.recv(timeout=30)
                assert (kind, data) == (number + 1, bytes([number % 256]) * (number * 7919 % 9000))
                number += 1
        assert (queue.stat().bytes, queue.stat().leased) == (0, 0)


def test_an_inherited_reservation_is_the_parents(queue):
    place = queue.reserve(4, 3)
    for use in (
        place.commit,
        place.release,
        lambda: place.data,
        lambda: place.write(b"x"),
        lambda: memoryview(place),
        lambda: place.__exit__(None, None, None),
        lambda: (queue.stat(), place.commit()),
    ):
        with fails(errno.EOWNERDEAD, "another process's|not this process's"):
            in_child(use)
    in_child(lambda: place.__exit__(KeyError, KeyError(), None))
    in_child(lambda: queue.stat() and place.__exit__(KeyError, KeyError(), None))
    assert len(queue) == 0
    place.write(b"abcd")
    place.commit()
    assert queue.recv() == (b"abcd", 3)


## Bad input


def test_bad_arguments(queue):
    with pytest.raises(ValueError, match="length of -1"):
        queue.reserve(-1)
    for bad in (2**63, -(2**63) - 1):
        with pytest.raises(OverflowError):
            queue.reserve(bad)
    for bad in (None, "4K", 1.5):
        with pytest.raises(TypeError):
            queue.reserve(bad)
    for bad in (0, -1):
        with fails(errno.EINVAL, f"type {bad}: a message's type is greater than 0"):
            queue.reserve(1, bad)
    for length in ((1 << 20) + 1, 2**62):
        with fails(errno.EMSGSIZE, f"{length} bytes"):
            queue.reserve(length)
    with pytest.raises(ValueError, match="timeout"):
        queue.reserve(1, timeout=-1)
    with queue.reserve(1) as place:
        with fails(errno.EINVAL, "type 0: a message's type is greater than 0"):
            place.commit(0)
        for length in (2, 2**40):
            with pytest.raises(ValueError, match=f"{length} bytes at 0 don't lie within the reservation's 1"):
                place.commit(length=length)
        with pytest.raises(ValueError, match="length of -1"):
            place.commit(length=-1)
        with pytest.raises(ValueError, match="timeout"):
            place.commit(timeout=float("nan"))
        place.data[0] = 7
    assert queue.recv() == (b"\7", 1)


@support.needs_root
def test_a_full_file_system(name, tmp_path, monkeypatch):
    monkeypatch.setenv("MADANG_DIR", str(tmp_path))
    with support.small_file_system(tmp_path, 1 << 20):
        with madang.Queue(name, capacity="8M") as queue:
            for length in (2 << 20, 900_000):
                with fails(errno.ENOSPC, "is full.*shm-size"):
                    places = []
                    while True:
                        places.append(queue.reserve(length))
                places.clear()
            with queue.reserve(5000) as place:
                place.data[:] = b"x" * 5000
            assert queue.recv() == (b"x" * 5000, 1)
        os.unlink(tmp_path / f"madang.queue.{name}")
