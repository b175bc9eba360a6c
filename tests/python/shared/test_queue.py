"""madang.Queue."""

import copy
import errno
import gc
import itertools
import multiprocessing
import os
import pickle
import random
import signal
import socket
import struct
import sys
import threading
import time
from collections import deque

import hypothesis
import madang
import numpy
import pytest
import support
from hypothesis import strategies
from support import Thread, alarm, as_user, fails, in_child, queue_file, wait_until

START_METHODS = ["fork", "spawn", "forkserver"]


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
    assert repr(received) == "Received(length=2, type=7, sequence=0)"
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
    numbers = range(100, 113)
    other = pickle.loads(pickle.dumps(madang.QueueStatus(*numbers), protocol))
    assert repr(other) == repr(madang.QueueStatus(*numbers))
    assert (other.capacity, other.max_participants, other.participants, other.gid) == (100, 102, 107, 112)
    assert madang.Received(length=2, type=2**63 - 1, sequence=0) == received


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


## Threads


def test_spsc_in_threads(name):
    with madang.Queue(name, max_messages=10) as queue:
        sender = Thread(support.send_numbers, queue, 1, 5000)
        assert support.receive_numbers(queue, 5000) == [(1, number) for number in range(5000)]
        sender.join()


def test_mpmc_in_threads_that_share_a_handle(name):
    with madang.Queue(name, max_messages=50) as queue:
        senders = [Thread(support.send_numbers, queue, 1 + sender, 2000) for sender in range(3)]
        receivers = [Thread(support.receive_numbers, queue, 2000) for _ in range(3)]
        for sender in senders:
            sender.join()
        check_numbers([receiver.join() for receiver in receivers], 3, 2000)


def test_mpmc_of_mixed_lengths(name):
    # What a receiver was told of a large message's length may be another's by the time that it has the memory.
    lengths = [random.Random(number).choice([10, 1024, 5000, 70_000]) for number in range(600)]

    def send(first):
        for number in range(first, 600, 3):
            queue.send(bytes([number % 251]) * lengths[number], number + 1, timeout=30)

    def receive():
        return [queue.recv(timeout=30) for _ in range(200)]

    with madang.Queue(name, capacity="256K") as queue:
        senders = [Thread(send, first) for first in range(3)]
        receivers = [Thread(receive) for _ in range(3)]
        for sender in senders:
            sender.join()
        received = {kind - 1: data for receiver in receivers for data, kind in receiver.join()}
    assert received == {number: bytes([number % 251]) * length for number, length in enumerate(lengths)}


def check_numbers(received, senders, count):
    """Each message came once, and each receiver saw each sender's in order."""
    for numbers in received:
        for sender in range(1, senders + 1):
            own = [number for who, number in numbers if who == sender]
            assert own == sorted(own)
    expected = [(sender, number) for sender in range(1, senders + 1) for number in range(count)]
    assert sorted(itertools.chain(*received)) == expected


def test_two_handles_in_one_process(name):
    with madang.Queue(name) as one, madang.Queue(name) as other:
        one.send(b"across")
        assert len(other) == 1
        assert other.recv() == (b"across", 1)


def test_closing_while_another_thread_waits(queue):
    waiting = [Thread(queue.recv), Thread(queue.recv_into, bytearray(10))]
    for thread in waiting:
        wait_until(thread.sleeps)
    queue.close()
    for thread in waiting:
        with fails(errno.EBADF, "closed"):
            thread.join(timeout=5)


def test_threads_that_wait_when_the_interpreter_ends(name):
    # They wake in the middle of its end, and then can't have the GIL any more.
    text = """
import builtins, madang, sys, threading, time

class Last:
    def __init__(self):
        self.sleep = time.sleep

    def __del__(self):
        self.sleep(0.3)
        print("the end", flush=True)

builtins.last = Last()
queue = madang.Queue(sys.argv[1])
for call in (queue.recv, lambda: queue.recv_into(bytearray(1)), lambda: queue.recv(timeout=30)):
    threading.Thread(target=call, daemon=True).start()
"""
    with support.script(text, name) as process:
        output, error = process.communicate(timeout=30)
    assert (process.returncode, output, error) == (0, "the end\n", "")


## Processes


@pytest.mark.parametrize("method", START_METHODS)
def test_multiprocessing(name, method):
    context = multiprocessing.get_context(method)
    with madang.Queue(name + "1") as requests, madang.Queue(name + "2") as answers:
        process = context.Process(target=support.echo, args=(requests, answers))
        process.start()
        requests.send(b"two teas", 3)
        assert answers.recv(timeout=30) == (b"TWO TEAS", 4)
        requests.send(bytes(100_000), 3)
        assert answers.recv(timeout=30) == (bytes(100_000), 4)
        requests.send(b"")
        assert answers.recv(timeout=30) == (b"", 2)
        process.join(30)
        assert process.exitcode == 0
        process.close()
        assert requests.stat().participants == 1


def test_mpmc_in_processes(name):
    context = multiprocessing.get_context("fork")
    with madang.Queue(name + "1", max_messages=50) as numbers, madang.Queue(name + "2") as results:
        senders = [context.Process(target=support.send_numbers, args=(numbers, 1 + who, 2000)) for who in range(2)]
        receivers = [context.Process(target=support.hand_on, args=(numbers, results, 2000)) for _ in range(2)]
        for process in senders + receivers:
            process.start()
        check_numbers([pickle.loads(results.recv(timeout=30)[0]) for _ in receivers], 2, 2000)
        for process in senders + receivers:
            process.join(30)
            assert process.exitcode == 0
            process.close()


def test_a_forked_child_is_a_participant_of_its_own(queue):
    def child():
        queue.send(b"from the child")
        return queue.stat().participants

    assert queue.stat().participants == 1
    assert in_child(child) == 2
    assert queue.recv() == (b"from the child", 1)
    assert queue.stat().participants == 1


def test_owner_died_while_sending(name):
    text = """
import itertools, madang, sys
queue = madang.Queue(sys.argv[1], create="never")
for number in itertools.count():
    queue.send(b"%d" % number)
"""
    with madang.Queue(name, max_messages=100) as queue:
        with support.script(text, name) as process:
            received = [number for _, number in support.receive_numbers(queue, 1000)]
        assert process.returncode == -signal.SIGKILL
        received += [number for _, number in support.receive_numbers(queue, len(queue))]
        assert received == list(range(len(received)))
        queue.send(b"and on")
        assert queue.recv() == (b"and on", 1)


def test_owner_died_while_it_waited(name):
    text = "import madang, sys; q = madang.Queue(sys.argv[1]); print('ready', flush=True); q.recv()"
    with madang.Queue(name) as queue:
        with support.script(text, name) as process:
            support.says(process, "ready")
            wait_until(lambda: support.is_asleep(str(process.pid)))
        queue.send(b"for me")
        assert queue.recv(timeout=10) == (b"for me", 1)
        assert queue.stat().participants == 1


SENDERS_LOCK, RECEIVERS_LOCK = 640, 768


@pytest.mark.parametrize("lock", [SENDERS_LOCK, RECEIVERS_LOCK])
def test_another_participant_stays_inside(name, lock):
    def use(timeout):
        queue.send(b"x", timeout=timeout) if lock == SENDERS_LOCK else queue.recv(timeout=timeout)

    with madang.Queue(name) as queue, madang.Queue(name):
        queue.send(b"kept", 7)
        # As if it were stopped there: the second handle's word is in the lock, and it lives.
        support.patch(queue_file(name), lock, struct.pack("=I", support.participant(name, 1)))
        start = time.monotonic()
        with fails(errno.EBUSY, "inside"):
            use(0)
        assert 1 <= time.monotonic() - start < 10
        start = time.monotonic()
        with fails(errno.ETIMEDOUT, "inside", TimeoutError):
            use(0.25)
        assert 0.25 <= time.monotonic() - start < 5
        support.patch(queue_file(name), lock, bytes(4))
        assert queue.recv() == (b"kept", 7)
        assert queue.stat().repairs == 0


@pytest.mark.parametrize("lock", [SENDERS_LOCK, RECEIVERS_LOCK])
@pytest.mark.parametrize("timeout", [0, 10, None])
def test_owner_died_inside(name, lock, timeout):
    text = "import madang, sys; q = madang.Queue(sys.argv[1]); print('ready', flush=True); q.recv()"
    with madang.Queue(name) as queue:
        with support.script(text, name) as process:
            support.says(process, "ready")
            owner = support.participant(name, 1)
        queue.send(b"kept", 7)
        support.patch(queue_file(name), lock, struct.pack("=I", owner))
        if lock == SENDERS_LOCK:
            queue.send(b"and on", timeout=timeout)
        assert queue.recv(timeout=timeout) == (b"kept", 7)
        assert queue.stat().repairs == 1


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


## Bad input: each its own errno and sentence, and nothing is lost


def test_bad_names():
    for bad in ["", "a/b", "/a", ".", "..", "nul\0"]:
        for call in (madang.Queue, madang.Queue.unlink):
            with fails(errno.EINVAL, "name"):
                call(bad)
    with fails(errno.ENAMETOOLONG, "243 bytes: it may have 242"):
        madang.Queue("n" * 243)
    for bad in [None, 3, b"bytes"]:
        with pytest.raises(TypeError, match="name"):
            madang.Queue(bad)
    for call in (madang.Queue, madang.Queue.unlink):
        with pytest.raises(UnicodeEncodeError):
            call("\udcff")


def test_an_unknown_name(name):
    with fails(errno.ENOENT, f'"{name}".*does not create', FileNotFoundError):
        madang.Queue(name, create="never")
    with fails(errno.ENOENT, f'unlink "{name}"', FileNotFoundError):
        madang.Queue.unlink(name)


def test_a_name_that_is_taken(queue):
    queue.send(b"x")
    with fails(errno.EEXIST, "taken", FileExistsError):
        madang.Queue(queue.name, create="only")
    assert queue.recv() == (b"x", 1)


def test_bad_options(name):
    with pytest.raises(ValueError, match='create="maybe"'):
        madang.Queue(name, create="maybe")
    for limit in ("max_messages", "max_participants"):
        for number in (0, -1):
            with pytest.raises(ValueError, match=str(number)):
                madang.Queue(name, **{limit: number})
        with pytest.raises(TypeError):
            madang.Queue(name, **{limit: "many"})
    for option in ("capacity", "max_messages", "max_participants", "mode"):
        for number in (2**63, 2**64, 10**5000, -(2**63) - 1):
            with pytest.raises(ValueError, match="64 bits"):
                madang.Queue(name, **{option: number})
    for number in (-1, 2**32):
        with pytest.raises(ValueError, match=f"mode of {number}"):
            madang.Queue(name, mode=number)
    with pytest.raises(TypeError, match="mode"):
        madang.Queue(name, mode="0600")
    with pytest.raises(TypeError, match="capacity"):
        madang.Queue(name, capacity=b"4M")
    for options, text in [
        ({"capacity": 2**40 + 1}, "capacity"),
        ({"max_messages": 2**32 + 1}, "max_messages"),
        ({"max_participants": 65535}, "max_participants"),
        ({"max_participants": 2**40}, f"max_participants {2**40}"),
        ({"mode": 0o10000}, "mode 010000"),
    ]:
        with fails(errno.EINVAL, text):
            madang.Queue(name, **options)
    with pytest.raises(TypeError):
        madang.Queue(name, "4M")
    assert not queue_file(name).exists()


@pytest.mark.parametrize(
    ("offset", "data", "number", "text"),
    [
        (16, struct.pack("=I", 99), errno.EPROTOTYPE, "not a queue"),
        (8, struct.pack("=I", 99), errno.EPROTO, "layout version 99"),
        (12, struct.pack("=I", 0x04030201), errno.EPROTO, "byte order"),
        (24, struct.pack("=Q", 1 << 20), errno.EUCLEAN, "truncated or has grown"),
        (0, bytes(8), errno.EUCLEAN, "damaged"),
        (20, struct.pack("=I", 0), errno.EUCLEAN, "damaged"),
        (32, struct.pack("=Q", 2**60), errno.EUCLEAN, "damaged"),
    ],
    ids=["kind", "layout", "byte order", "size", "magic", "slots", "capacity"],
)
def test_a_queue_of_another_kind(name, offset, data, number, text):
    madang.Queue(name).close()
    support.patch(queue_file(name), offset, data)
    with fails(number, text):
        madang.Queue(name)


@pytest.mark.parametrize("size", [0, 100, 70_000])
def test_a_truncated_queue(name, size):
    madang.Queue(name).close()
    os.truncate(queue_file(name), size)
    with fails(errno.EUCLEAN, "damaged"):
        madang.Queue(name)


@pytest.mark.parametrize("rubbish", [2**64 - 1, 0x1234567890ABCDEF, 1 | 1 << 40, 5])
def test_a_scribbled_record(queue, rubbish):
    queue.send(b"kept", 7)
    # Its word is the first of the near ring.
    file, ring = queue_file(queue.name), 65536
    before = file.read_bytes()[ring : ring + 8]
    support.patch(file, ring, struct.pack("=Q", rubbish))
    for receive in (
        lambda: queue.recv(timeout=0),
        lambda: queue.recv(timeout=1),
        lambda: queue.recv(),
        lambda: queue.recv_into(bytearray(100)),
        lambda: queue.recv_into(bytearray(100_000)),
    ):
        with fails(errno.EUCLEAN, "damaged"):
            receive()
    support.patch(file, ring, before)
    assert queue.recv() == (b"kept", 7)
    queue.send(b"and on")
    assert queue.recv() == (b"and on", 1)


def test_scribbled_contents_never_crash(name):
    text = """
import madang, random, sys
queue = madang.Queue(sys.argv[1], capacity=10000)
scribble = random.Random(int(sys.argv[2]))
for number in range(20):
    queue.send(b"x" * 100)
path = "/dev/shm/madang.queue." + sys.argv[1]
with open(path, "r+b", buffering=0) as file:
    for _ in range(300):
        # The control lines and the ring; the header and the roster are read once.
        file.seek(scribble.choice([scribble.randrange(512, 1152, 8), scribble.randrange(65536, 70000, 8)]))
        file.write(scribble.randbytes(8))
        for call in (lambda: queue.send(b"y" * 50, timeout=0), lambda: queue.recv(timeout=0), lambda: len(repr(queue))):
            try:
                call()
            except OSError:
                pass
"""
    for seed in range(3):
        with support.script(text, f"{name}{seed}", str(seed)) as process:
            _, error = process.communicate(timeout=50)
        assert (process.returncode, error) == (0, "")


def test_something_else_has_the_name(name):
    path = queue_file(name)
    path.mkdir()
    with fails(errno.EISDIR, "is a directory", IsADirectoryError):
        madang.Queue(name)
    with fails(errno.EISDIR, "unlink", IsADirectoryError):
        madang.Queue.unlink(name)
    path.rmdir()
    os.mkfifo(path)
    with fails(errno.ENODEV, "not a regular file"):
        madang.Queue(name)
    path.unlink()
    path.symlink_to("/dev/null")
    with fails(errno.ELOOP, "symbolic link"):
        madang.Queue(name)
    path.unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        with fails(errno.ENXIO, "open"):
            madang.Queue(name)


@support.needs_root
def test_a_strangers_queue(queue):
    os.chown(queue_file(queue.name), support.NOBODY, -1)
    with fails(errno.EPERM, f"belongs to user {support.NOBODY}", PermissionError):
        madang.Queue(queue.name)
    with madang.Queue(queue.name, any_owner=True) as other:
        other.send(b"x")
        with pickle.loads(pickle.dumps(other)) as unpickled:
            assert unpickled.recv() == (b"x", 1)


@support.needs_root
def test_no_permission(queue):
    def open_and_close():
        madang.Queue(queue.name).close()

    with fails(errno.EACCES, "does not permit", PermissionError):
        as_user(support.NOBODY, open_and_close)
    with fails(errno.EPERM, "only the owner", PermissionError):
        as_user(support.NOBODY, lambda: madang.Queue.unlink(queue.name))
    os.chmod(queue_file(queue.name), 0o666)
    as_user(support.NOBODY, open_and_close)


def test_bad_types(queue):
    for bad in (0, -1, -(2**63)):
        with fails(errno.EINVAL, f"type {bad}"):
            queue.send(b"x", bad)
        with fails(errno.EINVAL, f"type {bad}"):
            queue.send(bytes(100_000), bad)
    for bad in (2**63, -(2**63) - 1):
        with pytest.raises(OverflowError):
            queue.send(b"x", bad)
    for bad in (1.5, "1", None):
        with pytest.raises(TypeError):
            queue.send(b"x", bad)
    assert len(queue) == 0


@pytest.mark.parametrize("kind", [1, -1, 7, 2**63 - 1])
def test_choosing_by_type_comes_later(queue, kind):
    queue.send(b"x", 7)
    with fails(errno.ENOTSUP, f"type {kind}"):
        queue.recv(kind)
    with fails(errno.ENOTSUP, f"type {kind}"):
        queue.recv_into(bytearray(3), kind)
    assert queue.recv() == (b"x", 7)


@pytest.mark.parametrize("length", [101, 100_000])
def test_a_message_that_can_never_fit(name, length):
    with madang.Queue(name, capacity=100) as queue:
        with fails(errno.EMSGSIZE, f"{length} bytes"):
            queue.send(bytes(length))
        assert len(queue) == 0


@pytest.mark.parametrize(("length", "room"), [(1, 0), (10, 9), (5000, 10), (100_000, 70_000), (100_000, 10)])
def test_a_buffer_that_is_too_small(queue, length, room):
    queue.send(b"x" * length, 3)
    buffer = bytearray(room)
    with fails(errno.E2BIG, "stays") as raised:
        queue.recv_into(buffer)
    assert raised.value.length == length
    assert buffer == bytes(room)
    assert queue.recv() == (b"x" * length, 3)


def test_bad_timeouts(queue):
    queue.send(b"x")
    for bad in (-1, -1e-9, float("nan"), float("-inf")):
        with pytest.raises(ValueError, match="timeout"):
            queue.recv(timeout=bad)
        with pytest.raises(ValueError, match="timeout"):
            queue.send(b"y", timeout=bad)
    for bad in ("1", b"1", []):
        with pytest.raises(TypeError, match="timeout"):
            queue.recv(timeout=bad)
    assert queue.recv() == (b"x", 1)


def test_numbers_that_64_bits_do_not_hold(queue):
    queue.send(b"x")
    for call in (
        lambda: queue.send(b"y", 2**63),
        lambda: queue.recv(2**63),
        lambda: queue.recv_into(bytearray(9), -(2**63) - 1),
        lambda: queue.recv(timeout=10**400),
        lambda: queue.send(b"y", timeout=10**400),
    ):
        with pytest.raises(OverflowError):
            call()
    assert queue.recv(timeout=0) == (b"x", 1)
    assert len(queue) == 0


def test_exhausted_memory(name):
    # Each allocation of Python's fails in turn: MemoryError and nothing else, and the queue goes on.
    text = """
import _testcapi, madang, sys
queue = madang.Queue(sys.argv[1])
errors = 0
for length in (20, 5000, 100_000):
    data = bytes(length)
    for nth in range(8):
        queue.send(data, 2**40)
        _testcapi.set_nomemory(nth, nth + 1)
        try:
            queue.recv()
        except MemoryError:
            errors += 1
        finally:
            _testcapi.remove_mem_hooks()
        for _ in range(len(queue)):
            assert queue.recv() == (data, 2**40)
print(errors >= 6)
"""
    pytest.importorskip("_testcapi")
    with support.script(text, name) as process:
        assert process.communicate(timeout=30) == ("True\n", "")
    with madang.Queue(name, create="never") as queue:
        queue.send(b"and on")
        assert queue.recv() == (b"and on", 1)


def test_bad_data(queue):
    for bad in (None, "text", 3, [1, 2], object()):
        with pytest.raises(TypeError, match="bytes-like object is required"):
            queue.send(bad)
    with pytest.raises(BufferError):
        queue.send(memoryview(b"abcd")[::2])
    with pytest.raises(ValueError, match="contiguous"):  # NumPy's own
        queue.send(numpy.zeros((4, 4))[:, 1])
    released = memoryview(b"x")
    released.release()
    with pytest.raises(ValueError, match="released"):
        queue.send(released)
    with pytest.raises(TypeError):
        queue.send()
    assert len(queue) == 0


def test_bad_buffers(queue):
    queue.send(b"ab")
    for bad in (None, "text", b"read-only"):
        with pytest.raises((TypeError, BufferError)):
            queue.recv_into(bad)
    with pytest.raises(BufferError):
        queue.recv_into(memoryview(b"read-only"))
    with pytest.raises(BufferError):
        queue.recv_into(memoryview(bytearray(4))[::2])
    frozen = numpy.zeros(4, "u1")
    frozen.flags.writeable = False
    with pytest.raises((BufferError, ValueError)):
        queue.recv_into(frozen)
    assert queue.recv() == (b"ab", 1)


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
