"""madang.ObjectQueue: a queue of Python objects."""

import copy
import errno
import multiprocessing
import os
import pickle
import queue
import signal
import threading
import time

import hypothesis
import madang
import numpy
import pytest
import support
from hypothesis import strategies
from support import Thread, alarm, fails, in_child, queue_file, wait_until


@pytest.fixture
def objects(name):
    with madang.ObjectQueue(name, capacity="16M", create="only") as objects:
        yield objects


class Point:
    """An object of a class of one's own."""

    def __init__(self, x, y):
        self.x, self.y = x, y

    def __eq__(self, other):
        return (self.x, self.y) == (other.x, other.y)


class Unpicklable:
    def __reduce__(self):
        raise ArithmeticError("not me")


def fail_to_unpickle():
    raise ArithmeticError("not here")


class Ununpicklable:
    def __reduce__(self):
        return fail_to_unpickle, ()


class RaisesTimeout:
    def __reduce__(self):
        raise TimeoutError("of the object's own")


def test_smoke(objects):
    job = {"id": 7, "point": Point(1, 2), "pixels": numpy.arange(6).reshape(2, 3)}
    objects.put(job)
    objects.put(None, timeout=1.0)
    assert objects.qsize() == 2 and not objects.empty() and not objects.full()
    got = objects.get()
    assert (got["id"], got["point"], got["pixels"].tolist()) == (7, Point(1, 2), [[0, 1, 2], [3, 4, 5]])
    assert objects.get(True, 1.0) is None
    assert objects.empty()
    madang.ObjectQueue.unlink(objects.name)


@pytest.mark.parametrize(
    "value",
    [None, 0, "text", b"", b"x" * 5000, bytearray(b"y" * 100_000), [1, [2]], {1: {2}}, Point(3, 4), ValueError("x")],
    ids=lambda value: type(value).__name__,
)
def test_any_object(objects, value):
    objects.put(value)
    got = objects.get()
    assert type(got) is type(value)
    assert got == value or repr(got) == repr(value)


@hypothesis.settings(max_examples=50, deadline=None, database=None)
@hypothesis.given(
    values=strategies.lists(
        strategies.recursive(
            strategies.none() | strategies.integers() | strategies.binary(max_size=5000) | strategies.text(),
            lambda inner: strategies.lists(inner) | strategies.dictionaries(strategies.text(), inner),
        )
    )
)
def test_objects_come_in_order(values):
    name = f"pytest-{os.getpid()}-objects"
    with madang.ObjectQueue(name, create="only") as objects:
        madang.ObjectQueue.unlink(name)
        for value in values:
            objects.put_nowait(value)
        assert objects.qsize() == len(values)
        assert [objects.get_nowait() for _ in values] == values
        with pytest.raises(queue.Empty):
            objects.get_nowait()


## Arrays: buffers go beside the pickle


ARRAYS = {
    "large": numpy.arange(1 << 20, dtype="f8"),
    "small": numpy.arange(3, dtype="u1"),
    "empty": numpy.zeros(0),
    "matrix": numpy.arange(12).reshape(3, 4),
    "Fortran": numpy.asfortranarray(numpy.arange(12).reshape(3, 4)),
    "with gaps": numpy.arange(100)[::7],
    "records": numpy.array([(1, 2.5), (3, 4.5)], dtype=[("a", "i4"), ("b", "f8")]),
    "scalar": numpy.array(5.0),
}


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
def test_arrays(objects, array):
    objects.put(array)
    got = objects.get()
    assert (got.dtype, got.shape) == (array.dtype, array.shape)
    assert (got == array).all()
    assert got.flags.writeable and got.flags.f_contiguous == array.flags.f_contiguous or not array.flags.forc
    assert got.ctypes.data % 8 == 0
    if got.size and got.dtype.names is None:
        got += 1


def test_several_arrays(objects):
    arrays = [
        numpy.full(length, length % 251, dtype) for length in (1, 1000, 3, 100_000) for dtype in ("u1", "f8", "u2")
    ]
    objects.put({"arrays": arrays, "again": arrays[3], "rest": "text"})
    got = objects.get()
    for array, same in zip(arrays, got["arrays"], strict=True):
        assert (array == same).all() and array.dtype == same.dtype
    assert got["again"] is got["arrays"][3]
    assert got["rest"] == "text"


def test_a_read_only_array_stays_so(objects):
    array = numpy.arange(1000)
    array.flags.writeable = False
    objects.put(array)
    assert not objects.get().flags.writeable


def test_arrays_are_copies(objects):
    array = numpy.zeros(10_000)
    objects.put(array)
    array[:] = 1
    first = objects.get()
    objects.put(first)
    second = objects.get()
    first[:] = 2
    assert (second == 0).all()
    assert objects.empty()


## Waiting


def test_empty(objects):
    with pytest.raises(queue.Empty):
        objects.get(block=False)
    with pytest.raises(queue.Empty):
        objects.get_nowait()
    with pytest.raises(queue.Empty):
        objects.get(False, 30)
    start = time.monotonic()
    with pytest.raises(queue.Empty):
        objects.get(timeout=0.1)
    assert 0.1 <= time.monotonic() - start < 5
    with pytest.raises(ValueError, match="timeout"):
        objects.get(timeout=-1)


@pytest.mark.parametrize("value", ["text", numpy.zeros(3)], ids=["pickle", "parts"])
def test_full(name, value):
    with madang.ObjectQueue(name, max_messages=2) as objects:
        objects.put(value)
        assert not objects.full()
        objects.put(value)
        assert objects.full() and not objects.empty()
        with pytest.raises(queue.Full):
            objects.put(value, block=False)
        with pytest.raises(queue.Full):
            objects.put_nowait(value)
        start = time.monotonic()
        with pytest.raises(queue.Full):
            objects.put(value, timeout=0.1)
        assert 0.1 <= time.monotonic() - start < 5
        waiting = Thread(objects.put, value)
        wait_until(waiting.sleeps)
        objects.get()
        waiting.join()
        assert objects.full()


def test_full_by_its_bytes(name):
    with madang.ObjectQueue(name, capacity="64K") as objects:
        objects.put(numpy.zeros(7000, "u1"))
        while True:
            try:
                objects.put_nowait(numpy.zeros(7000, "u1"))
            except queue.Full:
                break
        assert not objects.full() and objects.qsize() == 9


def test_committing_parts_waits_no_longer_than_the_timeout(name):
    # There is room when the place is reserved, but none at its end.
    with madang.ObjectQueue(name, max_messages=1) as objects, madang.Queue(name) as same:

        class Slow:
            def __reduce_ex__(self, protocol):
                return bytes, (pickle.PickleBuffer(b"x" * 10),)

        objects.put(Slow())
        assert objects.get() == b"x" * 10
        same.send(b"full")
        start = time.monotonic()
        with pytest.raises(queue.Full):
            objects.put(Slow(), timeout=0.2)
        assert 0.2 <= time.monotonic() - start < 5


def test_a_signal_handler_runs(objects):
    with alarm(0.05, lambda *_: objects.put("from the handler")):
        assert objects.get() == "from the handler"

    def handler(*_):
        raise TimeoutError("of the handler's own")

    # Which is not taken for the queue's.
    with alarm(0.05, handler), pytest.raises(TimeoutError, match="handler's own"):
        while True:
            objects.get()


def test_interrupted_by_ctrl_c(name):
    text = "import madang, sys; q = madang.ObjectQueue(sys.argv[1]); print('ready', flush=True); q.get()"
    with support.script(text, name) as process:
        support.says(process, "ready")
        wait_until(lambda: support.is_asleep(str(process.pid)))
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=10)
    assert "KeyboardInterrupt" in error


## What fails


def test_what_can_not_be_pickled(objects):
    for value, error in (
        (Unpicklable(), ArithmeticError),
        (threading.Lock(), TypeError),
        (RaisesTimeout(), TimeoutError),
    ):
        with pytest.raises(error):
            objects.put(value)
        with pytest.raises(error):
            objects.put([numpy.zeros(10_000), value])
    assert objects.empty()


def test_what_can_not_be_unpickled_has_left(objects):
    objects.put(Ununpicklable())
    objects.put([numpy.zeros(10_000), Ununpicklable()])
    objects.put("next")
    for _ in range(2):
        with pytest.raises(ArithmeticError):
            objects.get()
    assert objects.get() == "next"


def test_an_object_that_can_never_fit(name):
    with madang.ObjectQueue(name, capacity="64K") as objects:
        for value in ("x" * 70_000, numpy.zeros(70_000, "u1")):
            with fails(errno.EMSGSIZE, "capacity is 65536"):
                objects.put(value)
        assert objects.empty()
    with madang.ObjectQueue(name) as objects:
        objects.put("it goes on")
        assert objects.get() == "it goes on"


def test_closed(objects):
    assert not objects.closed
    objects.close()
    objects.close()
    assert objects.closed
    for use in (
        lambda: objects.put(1),
        lambda: objects.put(numpy.zeros(3)),
        objects.get,
        objects.qsize,
        objects.empty,
        objects.full,
        objects.__enter__,
        lambda: pickle.dumps(objects),
    ):
        with fails(errno.EBADF, "this handle is closed"):
            use()


def test_options(name):
    with fails(errno.ENOENT, "does not create", FileNotFoundError):
        madang.ObjectQueue(name, create="never")
    with madang.ObjectQueue(name, capacity="2M", max_messages=10, max_participants=5, mode=0o640) as objects:
        status = madang.Queue(name).stat()
        assert (status.capacity, status.max_messages, status.max_participants) == (2 << 20, 10, 5)
        assert status.mode == 0o640
        assert repr(objects) == f'<madang.ObjectQueue "{name}": 0 messages, capacity 2097152>'
    assert repr(objects) == f'<madang.ObjectQueue "{name}": closed>'
    assert madang.ObjectQueue.__module__ == "madang"
    with pytest.raises(TypeError):
        madang.ObjectQueue(name, any_owner=True)
    with pytest.raises(AttributeError):
        objects.other = 3


@support.needs_root
def test_a_strangers_queue_is_not_opened(objects):
    os.chown(queue_file(objects.name), support.NOBODY, -1)
    with fails(errno.EPERM, "belongs to user", PermissionError):
        madang.ObjectQueue(objects.name)


## Handles and processes


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickled_it_is_its_name(objects, protocol):
    objects.put("x")
    with pickle.loads(pickle.dumps(objects, protocol)) as other, copy.copy(objects) as third:
        assert (other.name, third.qsize()) == (objects.name, 1)
        assert other.get() == "x"


def test_through_itself(objects):
    objects.put(objects)
    with objects.get() as other:
        other.put("x")
    assert objects.get() == "x"


@pytest.mark.parametrize("method", support.START_METHODS)
def test_multiprocessing(name, method):
    context = multiprocessing.get_context(method)
    with madang.ObjectQueue(name + "1", capacity="32M") as jobs, madang.ObjectQueue(name + "2") as results:
        processes = [context.Process(target=support.work_on_objects, args=(jobs, results)) for _ in range(2)]
        for process in processes:
            process.start()
        for number in range(20):
            jobs.put((number, numpy.full(1 << 17, number)), timeout=30)
        for _ in processes:
            jobs.put(None)
        got = dict(results.get(timeout=30) for _ in range(20))
        assert got == {number: number << 17 for number in range(20)}
        for process in processes:
            process.join(30)
            assert process.exitcode == 0
            process.close()
        assert jobs.empty() and results.empty()


def test_a_forked_child(objects):
    in_child(lambda: objects.put({"from": "the child"}))
    assert objects.get() == {"from": "the child"}


def test_mpmc_in_threads(name):
    with madang.ObjectQueue(name, max_messages=20) as objects:

        def put(sender):
            for number in range(500):
                objects.put((sender, number, numpy.full(number, sender)), timeout=30)

        def get():
            got = [objects.get(timeout=30) for _ in range(500)]
            assert all((array == sender).all() and len(array) == number for sender, number, array in got)
            return [(sender, number) for sender, number, _ in got]

        putters, getters = [Thread(put, sender) for sender in range(3)], [Thread(get) for _ in range(3)]
        for putter in putters:
            putter.join()
        got = sorted(pair for getter in getters for pair in getter.join())
    assert got == [(sender, number) for sender in range(3) for number in range(500)]


def test_a_process_that_ends_has_nothing_left_to_flush(name):
    text = """
import madang, numpy, os, sys
objects = madang.ObjectQueue(sys.argv[1], create="never")
for number in range(100):
    objects.put(numpy.full(5000, number))
os._exit(0)
"""
    with madang.ObjectQueue(name, capacity="16M") as objects:
        with support.script(text, name) as process:
            assert process.wait(30) == 0
        assert [int(objects.get_nowait()[0]) for _ in range(100)] == list(range(100))
