"""madang.Queue among several: threads, processes, the dead, and those who stay inside."""

import errno
import itertools
import multiprocessing
import pickle
import random
import signal
import struct
import time

import madang
import pytest
import support
from support import Thread, fails, in_child, queue_file, wait_until

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


@pytest.mark.parametrize("method", support.START_METHODS)
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


def test_who_was_presumed_dead_is_told(queue):
    # Another gives the senders' lock to somebody who is dead, whenever it sees it held; so this handle finds that it was taken
    # from it in the middle of a send.
    text = """
import mmap, struct, sys
with open(sys.argv[1], "r+b") as file:
    lock = memoryview(mmap.mmap(file.fileno(), 4096)).cast("I")
dead = int(sys.argv[2])
print("ready", flush=True)
while True:
    if lock[640 // 4] not in (0, dead):
        lock[640 // 4] = dead
"""
    madang.Queue(queue.name).close()
    dead = support.participant(queue.name, 1)
    # A handle that several threads use doesn't keep the lock.
    Thread(queue.send, b"x").join()
    uses = [lambda: queue.send(b"x"), lambda: queue.recv(timeout=0), lambda: queue.lease(timeout=0), queue.stat]
    with support.script(text, str(queue_file(queue.name)), str(dead)) as process:
        support.says(process, "ready")
        with fails(errno.EOWNERDEAD, "the others found this handle dead and went on without it: open it anew"):
            while True:
                queue.send(bytes(4000))
                queue.recv()
    for use in uses:
        with fails(errno.EOWNERDEAD, "open it anew"):
            use()
    with pickle.loads(pickle.dumps(queue)) as again:
        while len(again):
            again.recv()
        again.send(b"on")
        assert again.recv() == (b"on", 1)
