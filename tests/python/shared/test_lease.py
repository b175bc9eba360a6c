"""madang.Lease: a message that is read in place, and comes back unless it is acknowledged."""

import copy
import errno
import gc
import itertools
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

LENGTHS = [0, 1, 64, 4096, 5000, 100_000]


@pytest.mark.parametrize("length", LENGTHS)
def test_smoke(queue, length):
    data = random.Random(length).randbytes(length)
    queue.send(b"before")
    queue.send(data, 3)
    queue.recv()
    with queue.lease() as message:
        assert (message.type, message.sequence, message.redelivered) == (3, 1, 0)
        assert len(message) == length and message
        assert message.data == data == bytes(message) == bytes(message.data)
        assert queue.stat().leased == len(queue) == 1
        assert not message.ended
    assert message.ended
    status = queue.stat()
    assert (status.messages, status.bytes, status.leased, status.received) == (0, 0, 0, 2)


def test_acknowledged_by_hand(queue):
    queue.send(b"x")
    with queue.lease() as message:
        message.ack()
        assert message.ended
    assert len(queue) == 0
    for use in (message.ack, message.release, message.__enter__, lambda: message.data, lambda: bytes(message)):
        with fails(errno.EBADF, "this lease is acknowledged or given back already"):
            use()
    # What was told of it stays.
    assert (message.type, message.sequence, message.redelivered, len(message)) == (1, 0, 0, 1)


def test_released_it_comes_back_in_its_old_place(queue):
    for number in range(3):
        queue.send(b"%d" % number, 7)
    first, second = queue.lease(), queue.lease()
    second.release()
    first.release()
    for number, times in ((0, 1), (1, 1), (2, 0)):
        with queue.lease() as message:
            assert (bytes(message), message.sequence, message.redelivered) == (b"%d" % number, number, times)
    assert len(queue) == 0


def test_each_time_is_counted(queue):
    queue.send(b"x")
    for times in range(5):
        message = queue.lease()
        assert message.redelivered == times
        message.release()
    assert queue.recv_into(bytearray(1)).redelivered == 5


def test_an_exception_gives_it_back(queue):
    queue.send(b"x", 3)
    for error in (KeyError, KeyboardInterrupt, SystemExit, GeneratorExit):
        with pytest.raises(error), queue.lease() as message:
            raise error
        assert message.ended
        assert queue.stat().leased == 0
    assert queue.recv_into(bytearray(1)).redelivered == 4


def test_forgotten_it_comes_back(queue):
    queue.send(b"x")
    queue.lease()
    with queue.lease() as message:
        assert message.redelivered == 1
    queue.send(b"y")
    cycle = [queue.lease()]
    cycle.append(cycle)
    del cycle
    gc.collect()
    assert queue.recv_into(bytearray(1)).redelivered == 1


def test_by_type(queue):
    for kind in (5, 3, 9):
        queue.send(b"%d" % kind, kind)
    leases = [queue.lease(9), queue.lease(-9), queue.lease(type=madang.Except(3))]
    assert [(bytes(lease), lease.type) for lease in leases] == [(b"9", 9), (b"3", 3), (b"5", 5)]
    with fails(errno.EAGAIN, "no message", BlockingIOError):
        queue.lease(timeout=0)
    for lease in leases:
        lease.ack()


def test_others_go_on_meanwhile(queue):
    for number in range(5):
        queue.send(b"%d" % number)
    message = queue.lease()
    assert [queue.recv() for _ in range(4)] == [(b"%d" % number, 1) for number in range(1, 5)]
    queue.send(b"more")
    assert queue.recv() == (b"more", 1)
    assert bytes(message) == b"0"
    message.ack()


def test_it_counts_as_held(name):
    with madang.Queue(name, capacity="64K") as queue:
        queue.send(bytes(64 << 10))
        with queue.lease():
            with fails(errno.EAGAIN, "full", BlockingIOError):
                queue.send(b"x", timeout=0)
        queue.send(b"x", timeout=0)


def test_acknowledging_lets_a_sender_go_on(name):
    with madang.Queue(name, capacity="64K") as queue:
        queue.send(bytes(64 << 10))
        message = queue.lease()
        sender = Thread(queue.send, b"next", 2)
        wait_until(sender.sleeps)
        message.ack()
        sender.join()
        assert queue.recv() == (b"next", 2)


def test_giving_back_wakes_a_receiver(queue):
    queue.send(b"x", 7)
    message = queue.lease()
    receiver = Thread(queue.recv, 7, 30)
    wait_until(receiver.sleeps)
    message.release()
    assert receiver.join() == (b"x", 7)


def test_repr(queue):
    queue.send(b"ab", 3)
    message = queue.lease()
    assert repr(message) == "<madang.Lease: type 3, 2 bytes, sequence 0>"
    message.release()
    assert repr(message) == "<madang.Lease: type 3, 2 bytes, sequence 0, ended>"
    assert repr(queue.lease()) == "<madang.Lease: type 3, 2 bytes, sequence 0, redelivered 1>"


def test_it_is_made_by_a_queue_only_and_neither_copied_nor_pickled(queue):
    with pytest.raises(TypeError):
        madang.Lease()
    queue.send(b"x")
    with queue.lease() as message:
        for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match="pickle"):
                attempt(message)
        with pytest.raises(AttributeError):
            message.type = 3


## Views


def test_data_can_not_be_written(queue):
    queue.send(b"abcd")
    with queue.lease() as message:
        data = message.data
        assert data.readonly and (data.format, data.ndim, data.nbytes) == ("B", 1, 4)
        with pytest.raises(TypeError):
            data[0] = 1
        assert not numpy.frombuffer(message, "u1").flags.writeable
        with pytest.raises((BufferError, TypeError)):
            queue.recv_into(message)
        del data


def test_data_is_one_memoryview_while_somebody_has_it(queue):
    queue.send(b"abcd")
    with queue.lease() as message:
        data = message.data
        assert message.data is data
        data.release()
        assert message.data == b"abcd"
        with message.data as data:
            assert data[1:3] == b"bc"
        assert message.data == b"abcd"


def test_data_is_released_with_the_lease(queue):
    for end in ("ack", "release"):
        queue.send(b"abcd")
        message = queue.lease()
        data = message.data
        getattr(message, end)()
        with pytest.raises(ValueError, match="released"):
            data[0]
    with queue.lease() as message:
        data = message.data
    with pytest.raises(ValueError, match="released"):
        bytes(data)


VIEWS = {
    "array": lambda message: numpy.frombuffer(message, "u1"),
    "array of data": lambda message: numpy.frombuffer(message.data, "u1"),
    "part of data": lambda message: message.data[1:3],
    "part of a part": lambda message: message.data[1:][:2].cast("B"),
    "memoryview": lambda message: memoryview(message),
    "PickleBuffer": lambda message: pickle.PickleBuffer(message),
}


@pytest.mark.parametrize("make", VIEWS.values(), ids=VIEWS)
def test_a_view_keeps_the_lease(queue, make):
    queue.send(b"abcd")
    message = queue.lease()
    view = make(message)
    for end in (message.ack, message.release):
        with pytest.raises(BufferError, match="this lease has 1 views left"):
            end()
    assert not message.ended and queue.stat().leased == 1
    assert bytes(message) == b"abcd"
    del view
    message.ack()
    assert len(queue) == 0


@pytest.mark.parametrize("make", VIEWS.values(), ids=VIEWS)
def test_leaving_the_block_with_a_view(queue, make):
    queue.send(b"abcd")
    with pytest.raises(BufferError, match="this lease has 1 views left"):
        with queue.lease() as message:
            view = make(message)
    assert not message.ended and queue.stat().leased == 1
    del view
    message.ack()
    assert len(queue) == 0


@pytest.mark.parametrize("make", VIEWS.values(), ids=VIEWS)
def test_an_exception_with_a_view_stays_the_exception(queue, make):
    queue.send(b"abcd")
    with pytest.raises(KeyboardInterrupt):
        with queue.lease() as message:
            view = make(message)
            raise KeyboardInterrupt
    # It is over, but what the view shows stays until the last of them goes.
    assert message.ended and queue.stat().leased == 1
    for use in (message.ack, message.release, lambda: message.data, lambda: bytes(message)):
        with fails(errno.EBADF, "already"):
            use()
    with fails(errno.EAGAIN, "no message", BlockingIOError):
        queue.recv(timeout=0)
    del view
    gc.collect()
    assert queue.stat().leased == 0
    assert queue.recv_into(bytearray(4)).redelivered == 1


def test_a_view_alone_keeps_the_lease(queue):
    queue.send(b"abcd")
    array = numpy.frombuffer(queue.lease().data, "u1")
    gc.collect()
    assert queue.stat().leased == 1
    assert array.tolist() == [97, 98, 99, 100]
    del array
    assert queue.recv_into(bytearray(4)).redelivered == 1


def test_several_views(queue):
    queue.send(b"abcd")
    message = queue.lease()
    views = [numpy.frombuffer(message, "u1"), message.data[1:], memoryview(message)]
    while views:
        with pytest.raises(BufferError, match=f"{len(views)} views"):
            message.ack()
        views.pop()
    message.ack()


def test_an_empty_message(queue):
    queue.send(b"")
    with queue.lease() as message:
        assert (len(message), bool(message), bytes(message), message.data.nbytes) == (0, True, b"", 0)


def test_an_array_is_no_copy(queue):
    queue.send(numpy.arange(1000, dtype="f8"))
    with queue.lease() as message:
        array = numpy.frombuffer(message, "f8")
        assert array.sum() == 999 * 1000 / 2
        again = numpy.frombuffer(message.data, "f8")
        assert array.ctypes.data == again.ctypes.data
        assert not array.flags.owndata
        del array, again


## The queue's handle


def test_it_outlives_the_handle(queue):
    queue.send(b"x" * 5000)
    queue.send(b"y")
    first, second = queue.lease(), queue.lease()
    array = numpy.frombuffer(first, "u1")
    queue.close()
    assert array.sum() == ord("x") * 5000
    del array
    first.ack()
    second.release()
    with madang.Queue(queue.name) as queue:
        assert queue.recv() == (b"y", 1)
        assert len(queue) == 0


def test_the_memory_goes_with_the_last_of_them(name):
    queue = madang.Queue(name)
    queue.send(b"abcd")
    array = numpy.frombuffer(queue.lease(), "u1")
    queue.close()
    assert is_mapped(queue_file(name)) and array[0] == ord("a")
    del array
    gc.collect()
    assert not is_mapped(queue_file(name))
    with madang.Queue(name) as queue:
        assert (queue.stat().leased, queue.stat().participants) == (0, 1)


def test_nothing_leaks(queue):
    def use():
        queue.send(b"abcd")
        with queue.lease() as message:
            assert message.data == b"abcd"
        queue.send(b"abcd")
        with pytest.raises(KeyError), queue.lease() as message:
            raise KeyError
        numpy.frombuffer(queue.lease(), "u1")
        queue.recv()
        with pytest.raises(BlockingIOError):
            queue.lease(timeout=0)

    def held():
        gc.collect()
        return sys.getallocatedblocks() + sum(map(sys.getrefcount, (queue, madang.Lease, madang.Queue)))

    use()
    before = held()
    for _ in range(300):
        use()
    assert held() - before < 100


## Waiting, signals, threads


def test_it_waits(queue):
    with fails(errno.ETIMEDOUT, "no message came", TimeoutError):
        queue.lease(timeout=0.01)
    with fails(errno.EAGAIN, "no message", BlockingIOError):
        queue.lease(timeout=0)
    for bad in (-1, float("nan")):
        with pytest.raises(ValueError, match="timeout"):
            queue.lease(timeout=bad)
    waiting = Thread(queue.lease)
    wait_until(waiting.sleeps)
    queue.send(b"x")
    with waiting.join() as message:
        assert bytes(message) == b"x"


def test_closing_while_another_thread_waits(queue):
    waiting = Thread(queue.lease)
    wait_until(waiting.sleeps)
    queue.close()
    with fails(errno.EBADF, "closed"):
        waiting.join(timeout=5)


def test_interrupted_by_a_handler(queue):
    class Enough(Exception):
        pass

    def handler(*_):
        raise Enough

    with alarm(0.05, handler), pytest.raises(Enough):
        queue.lease()
    with alarm(0.05, lambda *_: queue.send(b"from the handler")):
        assert bytes(queue.lease()) == b"from the handler"


RECEIVERS_LOCK = 768


def test_another_participant_stays_inside(name):
    """What ends a lease waits for others inside, without the GIL; a signal handler may end that."""

    class Enough(Exception):
        pass

    def handler(*_):
        raise Enough

    with madang.Queue(name) as queue, madang.Queue(name):
        queue.send(b"kept", 7)
        message = queue.lease()
        # As if it were stopped there: the second handle's word is in the lock, and it lives.
        support.patch(queue_file(name), RECEIVERS_LOCK, struct.pack("=I", support.participant(name, 1)))
        with fails(errno.EBUSY, "inside"):
            queue.lease(timeout=0)
        with fails(errno.ETIMEDOUT, "inside", TimeoutError):
            queue.lease(timeout=0.25)
        with alarm(0.05, handler), pytest.raises(Enough):
            message.release()
        assert not message.ended and bytes(message) == b"kept"
        waiting = Thread(message.release)
        wait_until(waiting.sleeps)
        support.patch(queue_file(name), RECEIVERS_LOCK, bytes(4))
        waiting.join()
        assert message.ended
        assert queue.recv_into(bytearray(9)).redelivered == 1


def test_two_threads_end_it(queue):
    for _ in range(200):
        queue.send(b"x")
        message = queue.lease()

        def ack(message=message):
            try:
                message.ack()
                return 1
            except OSError as error:
                assert error.errno == errno.EBADF
                return 0

        threads = [Thread(ack) for _ in range(2)]
        assert sum(thread.join() for thread in threads) == 1
        assert len(queue) == 0


def test_mpmc_in_threads(name):
    """Every message is acknowledged once, however often it was given back."""
    count, dice = 600, random.Random(1)

    def receive(queue):
        done = []
        while True:
            with queue.lease(timeout=30) as message:
                if not message.data:
                    return done
                if dice.random() < 0.3:
                    message.release()
                else:
                    done.append((message.type, int(bytes(message))))

    with madang.Queue(name, max_messages=50) as queue:
        receivers = [Thread(receive, queue) for _ in range(3)]
        senders = [Thread(support.send_numbers, queue, sender, count) for sender in (1, 2)]
        for sender in senders:
            sender.join()
        wait_until(lambda: len(queue) == 0)
        for _ in receivers:
            queue.send(b"")
        done = sorted(itertools.chain(*(receiver.join() for receiver in receivers)))
    assert done == [(sender, number) for sender in (1, 2) for number in range(count)]


## Processes


@pytest.mark.parametrize("method", support.START_METHODS)
def test_multiprocessing(name, method):
    context = multiprocessing.get_context(method)
    with madang.Queue(name + "1", capacity="16M") as frames, madang.Queue(name + "2") as results:
        process = context.Process(target=support.add_up, args=(frames, results))
        process.start()
        for number in range(3):
            with frames.reserve(8 << 20, timeout=30) as frame:
                numbers = numpy.frombuffer(frame, "f8")
                numbers[:] = number
                del numbers
        frames.send(b"")
        for number in range(3):
            assert float(results.recv(timeout=30)[0]) == number * (1 << 20)
        process.join(30)
        assert process.exitcode == 0
        process.close()
        assert len(frames) == 0


HOLDER = """
import madang, numpy, sys, time
queue = madang.Queue(sys.argv[1], create="never")
leases = [queue.lease() for _ in range(int(sys.argv[2]))]
views = [numpy.frombuffer(lease, "u1") for lease in leases]
print("leased", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("length", LENGTHS)
def test_owner_died(queue, length):
    for number in range(4):
        queue.send(bytes([number]) * length, number + 1)
    with support.script(HOLDER, queue.name, "2") as process:
        support.says(process, "leased")
        assert queue.stat().leased == 2
        for kind in (3, 4):
            with queue.lease(timeout=0) as message:
                assert (message.type, message.redelivered) == (kind, 0)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    for number, times in ((0, 1), (1, 1)):
        with queue.lease(timeout=10) as message:
            assert (message.type, message.redelivered, message.sequence) == (number + 1, times, number)
            assert bytes(message) == bytes([number]) * length
    assert len(queue) == queue.stat().leased == 0


def test_owner_died_while_another_waits(queue):
    queue.send(b"x", 7)
    with support.script(HOLDER, queue.name, "1") as process:
        support.says(process, "leased")
        receiver = Thread(queue.lease, 7, 30)
        wait_until(receiver.sleeps)
        process.kill()
        process.wait()
        message = receiver.join()
    assert (bytes(message), message.redelivered) == (b"x", 1)
    message.ack()


def test_owner_died_at_any_moment(name):
    """Workers that lease, answer and acknowledge are killed again and again: each request is answered, twice only if it says so."""
    worker = """
import madang, sys
requests, answers = (madang.Queue(name, create="never") for name in sys.argv[1:])
while True:
    with requests.lease() as request:
        answers.send(b"%d %d" % (request.sequence, request.redelivered))
"""
    seen, sent, kills, dice = {}, 0, 20, random.Random(2)

    def look(timeout):
        try:
            sequence, times = map(int, answers.recv(timeout=timeout)[0].split())
            seen.setdefault(sequence, []).append(times)
            return True
        except (TimeoutError, BlockingIOError):
            return False

    with madang.Queue(name + "1") as requests, madang.Queue(name + "2") as answers:
        for _ in range(kills):
            with support.script(worker, name + "1", name + "2"):
                answered, enough = len(seen), dice.randrange(1, 300)
                while len(seen) < answered + enough:
                    while len(requests) < 50:
                        requests.send(bytes(dice.choice([0, 64, 5000])))
                        sent += 1
                    look(timeout=10)
        with support.script(worker, name + "1", name + "2"):
            wait_until(lambda: look(timeout=0.01) or len(requests) == 0)
            wait_until(lambda: len(requests) == 0)
        while look(timeout=0):
            pass
        assert sorted(seen) == list(range(sent))
        assert all(times == sorted(set(times)) for times in seen.values())
        assert requests.stat().leased == 0


def test_an_inherited_lease_is_the_parents(queue):
    queue.send(b"abcd", 3)
    message = queue.lease()
    data = message.data
    for use in (
        message.ack,
        message.release,
        lambda: message.data,
        lambda: bytes(message),
        lambda: numpy.frombuffer(message, "u1"),
        lambda: message.__exit__(None, None, None),
        # Also where the child has joined.
        lambda: (queue.stat(), message.ack()),
    ):
        with fails(errno.EOWNERDEAD, "another process's|not this process's"):
            in_child(use)
    # An exception, or forgetting it, does nothing there.
    in_child(lambda: message.__exit__(KeyError, KeyError(), None))
    in_child(lambda: queue.stat() and message.__exit__(KeyError, KeyError(), None))
    in_child(lambda: (globals().update(message=None), gc.collect())[0])
    assert queue.stat().leased == 1
    assert data == b"abcd" and message.type == 3
    with message:
        assert data == b"abcd"
    assert len(queue) == 0


def test_a_forked_child_leases_for_itself(queue):
    queue.send(b"x")

    def child():
        with queue.lease(timeout=10) as message:
            assert bytes(message) == b"x"
            raise KeyError

    with pytest.raises(KeyError):
        in_child(child)
    assert queue.recv_into(bytearray(1), timeout=10).redelivered == 1


def test_when_the_interpreter_ends_what_is_leased_comes_back(queue):
    queue.send(b"x")
    text = """
import madang, sys
queue = madang.Queue(sys.argv[1], create="never")
class Keeper: pass
keeper = Keeper(); keeper.lease = queue.lease(); keeper.view = keeper.lease.data[:]; keeper.self = keeper
sys.stderr.keeper = keeper
"""
    with support.script(text.replace("sys.stderr.keeper", "sys.keeper"), queue.name) as process:
        assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == 0
    assert queue.recv_into(bytearray(1), timeout=10).redelivered == 1


def test_a_segment_is_not_needed_for_a_pipe(queue):
    # What takes a buffer takes a lease.
    queue.send(b"x" * 1000)
    reader, writer = os.pipe()
    with queue.lease() as message:
        assert os.write(writer, message) == 1000
    assert os.read(reader, 2000) == b"x" * 1000
    os.close(reader), os.close(writer)


def test_bad_arguments(queue):
    queue.send(b"x")
    for bad in ("1", 1.5, None):
        with pytest.raises(TypeError):
            queue.lease(bad)
    with pytest.raises(TypeError):
        queue.lease(0, "1")
    assert queue.stat().leased == 0


def test_exhausted_memory(queue):
    # Each allocation of Python's fails in turn: MemoryError and nothing else, and the message comes back.
    text = """
import _testcapi, madang, sys
queue = madang.Queue(sys.argv[1])
queue.send(b"x" * 100)
errors = 0
for nth in range(12):
    lease = data = None
    _testcapi.set_nomemory(nth, nth + 1)
    try:
        lease = queue.lease(0, 0)
        data = lease.data
    except MemoryError:
        errors += 1
    finally:
        _testcapi.remove_mem_hooks()
    data = None
    if lease is not None:
        lease.release()
    assert (len(queue), queue.stat().leased) == (1, 0), nth
print(errors >= 2)
"""
    pytest.importorskip("_testcapi")
    with support.script(text, queue.name) as process:
        assert process.communicate(timeout=30) == ("True\n", "")
