"""Mutexes, read-write locks, conditions, barriers and events: by name, and in a segment."""

import errno
import gc
import multiprocessing
import os
import pickle
import signal
import threading
import time

import madang
import pytest
import support
from madang import Barrier, Condition, Event, Mutex, RwLock, Segment
from support import NOBODY, SHM, START_METHODS, Thread, alarm, fails, in_child, wait_until

MAKERS = [Mutex, RwLock, lambda *args, **where: Condition(Mutex(*args, **where), *args, **where), Event]
MAKERS.append(lambda *args, **where: Barrier(2, *args, **where))
KINDS = ["mutex", "rwlock", "condition", "event", "barrier"]


@pytest.fixture
def segment(name: str):
    with Segment(name, length=8192) as segment:
        yield segment


@pytest.fixture(params=["name", "segment"])
def where(request, name: str, segment: Segment):
    """By name, and in a segment: the arguments for the place of that number."""

    def arguments(number: int = 0) -> dict:
        if request.param == "name":
            return {"name": f"{name}{number}"}
        return {"segment": segment, "offset": 1024 * number}

    return arguments


## Mutexes


def test_smoke(where):
    mutex, same = Mutex(**where()), Mutex(**where())
    assert not mutex.locked() and not mutex.owner_died
    assert mutex.acquire() is True
    assert mutex.locked() and same.locked()
    assert same.acquire(blocking=False) is False
    assert same.acquire(False) is False
    assert same.acquire(timeout=0) is False
    begun = time.monotonic()
    assert same.acquire(timeout=0.03) is False
    assert time.monotonic() - begun >= 0.03
    mutex.release()
    with same as held:
        assert held is same and not same.owner_died and not mutex.acquire(False)
    with pytest.raises(KeyError), mutex:
        raise KeyError
    assert not mutex.locked()
    mutex.close()
    same.close()


def test_names(name):
    for make, kind in zip(MAKERS, KINDS, strict=True):
        first, second = make(name), make(name)
        assert first.is_new and not second.is_new and first.name == name and not first.closed
        assert kind in repr(first).lower() and name in repr(first)
        assert (SHM / f"madang.{kind}.{name}").stat().st_mode & 0o7777 == 0o600
        assert next(it for it in madang.list() if it.name == name and it.kind == kind).error is None
        type(first).unlink(name)
        with fails(errno.ENOENT, "there is none", FileNotFoundError):
            type(first).unlink(name)
        if kind == "condition":
            Mutex.unlink(name)


def test_in_a_segment(name, segment):
    for number, make in enumerate(MAKERS):
        it = make(segment=segment, offset=1024 * number)
        assert not it.is_new and it.name == name
        assert f'in segment "{name}" at {1024 * number}' in repr(it)
    mutex = Mutex(segment=segment)
    segment.close()
    with mutex:
        assert mutex.locked()


def test_arguments_of_acquire(name):
    mutex = Mutex(name)
    for timeout in (None, -1, -1.0, 5):
        assert mutex.acquire(timeout=timeout)
        mutex.release()
    for wrong in (-2, -0.5, float("nan")):
        with pytest.raises(ValueError, match="0 or more"):
            mutex.acquire(timeout=wrong)
    with pytest.raises(ValueError, match="one of them"):
        mutex.acquire(False, 1)
    with pytest.raises(TypeError):
        mutex.acquire(timeout="soon")
    assert not mutex.locked()


def hold(mutex: Mutex, lock: RwLock, ready: Event) -> None:
    guard = lock.write()
    mutex.acquire()
    ready.set()
    signal.pause()
    guard.release()


@pytest.mark.parametrize("method", START_METHODS)
def test_owner_died(where, method):
    mutex, lock, ready = Mutex(**where(0)), RwLock(**where(1)), Event(**where(2))
    process = multiprocessing.get_context(method).Process(target=hold, args=(mutex, lock, ready))
    process.start()
    assert ready.wait(30)
    assert not mutex.acquire(timeout=0)
    with fails(errno.EAGAIN, "would have to wait", BlockingIOError):
        lock.read(timeout=0)
    process.kill()
    process.join()
    with mutex:
        assert mutex.owner_died
    with mutex:
        assert not mutex.owner_died
    with lock.read() as held:
        assert held.owner_died
    with lock.write(timeout=10) as held:
        assert held.owner_died
    with lock.write() as held:
        assert not held.owner_died


def add(mutex: Mutex, segment: Segment, offset: int, count: int) -> None:
    with memoryview(segment) as view, view[offset : offset + 8].cast("Q") as number:
        for _ in range(count):
            with mutex:
                number[0] += 1


@pytest.mark.parametrize("method", START_METHODS)
def test_several_processes_count(where, segment, method):
    mutex = Mutex(**where())
    context = multiprocessing.get_context(method)
    processes = [context.Process(target=add, args=(mutex, segment, 4096, 1000)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert int.from_bytes(memoryview(segment)[4096:4104], "little") == 3000


def test_threads_share_a_handle(name):
    mutex, lock = Mutex(name), RwLock(name)
    total = 0

    def count() -> None:
        nonlocal total
        for number in range(300):
            with mutex:
                before = total
                if number % 50 == 0:
                    time.sleep(0)
                total = before + 1
            with lock.write(timeout=30) if number % 4 == 0 else lock.read(timeout=30):
                pass

    for thread in [Thread(count) for _ in range(4)]:
        thread.join()
    assert total == 1200


def test_who_holds_it(segment):
    mutex, other = (Mutex(segment=segment) for _ in range(2))
    for each in (mutex, other):
        with fails(errno.EPERM, "this handle doesn't hold it", PermissionError):
            each.release()
    mutex.acquire()
    with fails(errno.EPERM, "this handle doesn't hold it", PermissionError):
        other.release()

    def child() -> None:
        with fails(errno.EOWNERDEAD, "another process's"):
            mutex.release()
        assert not mutex.acquire(timeout=0)

    in_child(child)
    assert other.locked()
    Thread(mutex.release).join()
    assert not other.locked()


def test_closed_while_held(segment):
    mutex, other = (Mutex(segment=segment) for _ in range(2))
    mutex.acquire()
    mutex.close()
    assert other.acquire(timeout=0) and other.owner_died
    other.release()
    forgotten = Mutex(segment=segment)
    forgotten.acquire()
    del forgotten
    gc.collect()
    assert other.acquire(timeout=0) and other.owner_died


## Read-write locks


def test_readers_and_writers(where):
    lock, other = RwLock(**where()), RwLock(**where())
    with lock.read() as one, other.read(timeout=0):
        assert not one.owner_died
        with fails(errno.EAGAIN, "would have to wait", BlockingIOError):
            other.write(timeout=0)
        with fails(errno.ETIMEDOUT, "the time is over", TimeoutError):
            other.write(timeout=0.03)
    held = lock.write()
    for take in (other.read, other.write, lock.read, lock.write):
        with fails(errno.ETIMEDOUT, "the time is over", TimeoutError):
            take(timeout=0.01)
    held.release()
    with fails(errno.EPERM, "released before", PermissionError):
        held.release()
    with fails(errno.EPERM, "released before", PermissionError), held:
        pass
    with other.write() as held:
        held.release()
        lock.write().release()
    # What is forgotten is released; and what is held is, though the handle is closed.
    del held
    lock.read()
    guard = other.write(timeout=0)
    other.close()
    with fails(errno.EAGAIN, "wait", BlockingIOError):
        lock.read(timeout=0)
    guard.release()
    lock.read(timeout=0)


def test_too_many_readers(name):
    lock = RwLock(name)
    held = [lock.read() for _ in range(120)]
    with fails(errno.EUSERS, "120 read already"):
        lock.read()
    held.pop()
    held.append(lock.read())
    in_child(lambda: held.clear())
    with fails(errno.EAGAIN, "wait", BlockingIOError):
        lock.write(timeout=0)


def test_a_guard_is_not_inherited(name):
    lock = RwLock(name)
    guard = lock.write()

    def child() -> None:
        with fails(errno.EOWNERDEAD, "another process's"):
            guard.release()

    in_child(child)
    with fails(errno.EAGAIN, "wait", BlockingIOError):
        lock.read(timeout=0)


def test_readers_do_not_starve_a_writer(name):
    """Two who read in turn, each longer than a slice of the writer's wait."""
    lock, stop = RwLock(name), threading.Event()

    def read() -> None:
        while not stop.is_set():
            with lock.read(timeout=30):
                time.sleep(0.15)

    readers = [Thread(read)]
    time.sleep(0.075)
    readers.append(Thread(read))
    wait_until(lambda: all(reader.native_id for reader in readers))
    begun = time.monotonic()
    try:
        for _ in range(3):
            lock.write(timeout=10).release()
        assert time.monotonic() - begun < 3
    finally:
        stop.set()
        for reader in readers:
            reader.join()


## Conditions


def produce(changed: Condition, segment: Segment, offset: int) -> None:
    with memoryview(segment) as view:
        for number in range(1, 101):
            with changed:
                assert changed.wait_for(lambda: view[offset] == 0, timeout=30)
                view[offset] = number
                changed.notify_all()


@pytest.mark.parametrize("method", START_METHODS)
def test_condition(where, segment, method):
    changed = Condition(Mutex(**where(0)), **where(1))
    process = multiprocessing.get_context(method).Process(target=produce, args=(changed, segment, 4096))
    process.start()
    with memoryview(segment) as view:
        for number in range(1, 101):
            with changed:
                while view[4096] == 0:
                    assert changed.wait(timeout=30)
                assert view[4096] == number
                view[4096] = 0
            changed.notify()
    process.join(30)
    assert process.exitcode == 0


def test_a_condition_times_out(name):
    changed = Condition(Mutex(name), name)
    with fails(errno.EPERM, "doesn't hold it", PermissionError):
        changed.wait()
    with changed:
        assert changed.wait(0) is False
        begun = time.monotonic()
        assert changed.wait(0.25) is False
        assert time.monotonic() - begun >= 0.25
        assert changed.wait_for(lambda: 0, 0.01) == 0
        assert changed.wait_for(lambda: "there") == "there"
        assert changed.mutex.locked()
        with pytest.raises(ZeroDivisionError):
            changed.wait_for(lambda: 1 // 0)
    assert not changed.mutex.locked()
    changed.notify(0)
    changed.notify(-1)
    changed.notify(2**62)


def test_notify_wakes_as_many_as_are_meant(name):
    changed = Condition(Mutex(name), name)
    tickets, served = 0, 0

    def customer() -> None:
        nonlocal tickets, served
        with changed:
            while tickets == 0:
                changed.wait(30)
            tickets -= 1
            served += 1

    threads = [Thread(customer) for _ in range(5)]
    wait_until(lambda: all(thread.native_id and thread.sleeps() for thread in threads))
    for tickets_now in (1, 2, 2):
        with changed:
            tickets += tickets_now
        changed.notify(tickets_now)
    for thread in threads:
        thread.join()
    assert served == 5


def die_with_it(changed: Condition) -> None:
    changed.acquire()
    changed.notify_all()
    os.kill(os.getpid(), signal.SIGKILL)


def test_the_mutex_comes_from_a_dead_owner(name):
    changed = Condition(Mutex(name), name)
    with changed:
        process = multiprocessing.get_context("fork").Process(target=die_with_it, args=(changed,))
        process.start()
        assert changed.wait(30)
        assert changed.mutex.owner_died
    process.join()


class Stop(Exception):
    pass


def test_the_mutex_is_held_after_an_exception(name):
    changed = Condition(Mutex(name), name)

    def handler(*_: object) -> None:
        raise Stop

    with pytest.raises(Stop), changed, alarm(0.05, handler):
        try:
            changed.wait(30)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            assert changed.mutex.locked()
    assert not changed.mutex.locked()


def test_nothing_is_missed_between_slices(name):
    """Somebody notifies while a signal handler runs, that is between two sleeps."""
    changed = Condition(Mutex(name), name)
    ran = []

    def handler(*_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        ran.append(changed.notify())

    with changed, alarm(0.05, handler):
        begun = time.monotonic()
        assert changed.wait(30)
    assert ran and time.monotonic() - begun < 5


## Barriers


def meet(barrier: Barrier, ranks: madang.Queue, rounds: int) -> None:
    for number in range(1, rounds + 1):
        ranks.send(bytes([barrier.wait(30)]), number)


@pytest.mark.parametrize("method", START_METHODS)
def test_barrier(where, queue, method):
    barrier = Barrier(3, **where())
    assert barrier.parties == 3 and barrier.n_waiting == 0
    context = multiprocessing.get_context(method)
    processes = [context.Process(target=meet, args=(barrier, queue, 20)) for _ in range(2)]
    for process in processes:
        process.start()
    meet(barrier, queue, 20)
    for process in processes:
        process.join(30)
    for number in range(1, 21):
        assert sorted(queue.recv(number, timeout=0)[0][0] for _ in range(3)) == [0, 1, 2]


def test_barrier_of_one_and_of_those_who_gave_up(name):
    alone = Barrier(1, name)
    assert [alone.wait(), alone.wait(0)] == [0, 0]
    two = Barrier(2, name + "2")
    with fails(errno.EAGAIN, "would have to wait", BlockingIOError):
        two.wait(0)
    with fails(errno.ETIMEDOUT, "the time is over", TimeoutError):
        two.wait(0.15)
    assert two.n_waiting == 0

    def handler(*_: object) -> None:
        raise Stop

    with alarm(0.05, handler), pytest.raises(Stop):
        try:
            two.wait()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    assert two.n_waiting == 0
    waits = Thread(two.wait)
    wait_until(lambda: two.n_waiting == 1)
    # Longer than a slice: it came once.
    time.sleep(0.25)
    assert two.n_waiting == 1
    assert {two.wait(10), waits.join()} == {0, 1}


## Events


def wait_and_set(first: Event, second: Event) -> None:
    assert first.wait(30)
    second.set()


@pytest.mark.parametrize("method", START_METHODS)
def test_event(where, method):
    first, second = Event(**where(0)), Event(**where(1))
    process = multiprocessing.get_context(method).Process(target=wait_and_set, args=(first, second))
    process.start()
    assert not first.is_set() and first.wait(0) is False and first.wait(0.03) is False
    first.set()
    assert second.wait(30) and second.is_set() and second.wait(0)
    second.clear()
    assert not second.is_set()
    process.join()


def test_a_short_event_is_not_missed(name):
    event = Event(name)
    thread = Thread(event.wait, 10)
    wait_until(thread.sleeps)
    event.set()
    event.clear()
    assert thread.join() is True


## All of them


def test_interrupted(name):
    """Handlers run while one waits, and what they do ends the wait."""
    mutex, lock, event = Mutex(name), RwLock(name), Event(name)
    mutex.acquire()
    guards = [lock.write()]
    for release, wait in (
        (mutex.release, mutex.acquire),
        (guards.clear, lock.read),
        (event.set, event.wait),
    ):

        def handler(*_: object, release=release) -> None:
            signal.setitimer(signal.ITIMER_REAL, 0)
            release()

        with alarm(0.05, handler):
            assert wait(timeout=10)


def test_a_handler_that_raises_ends_the_wait(name):
    mutex, lock, event = Mutex(name), RwLock(name), Event(name)
    mutex.acquire()
    guard = lock.write()

    def handler(*_: object) -> None:
        raise Stop

    for wait in (mutex.acquire, lock.read, lock.write, event.wait):
        with alarm(0.03, handler), pytest.raises(Stop):
            try:
                wait()
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
    guard.release()
    lock.write(timeout=0).release()


def test_pickled(where, segment):
    for number, make in enumerate(MAKERS):
        it = make(**where(number))
        copy = pickle.loads(pickle.dumps(it))
        assert type(copy) is type(it) and repr(copy) == repr(it) and not copy.is_new
        if isinstance(it, Condition):
            assert repr(copy.mutex) == repr(it.mutex)
    # Together with their segment they are pickled once.
    mutex, event = Mutex(segment=segment), Event(segment=segment, offset=64)
    copies = pickle.loads(pickle.dumps([mutex, event]))
    with copies[0]:
        assert mutex.locked()
    event.set()
    assert copies[1].is_set()


def test_unpickling_creates_nothing(name):
    for make in MAKERS:
        it = make(name)
        data = pickle.dumps(it)
        type(it).unlink(name)
        if isinstance(it, Condition):
            Mutex.unlink(name)
        with fails(errno.ENOENT, "there is none", FileNotFoundError):
            pickle.loads(data)


def test_closed_handles(where):
    for number, make in enumerate(MAKERS):
        it = make(**where(number))
        it.close()
        it.close()
        assert it.closed and "closed" in repr(it)
        with fails(errno.EBADF, "this handle is closed"):
            pickle.dumps(it)
    mutex, lock, event = Mutex(**where()), RwLock(**where(1)), Event(**where(2))
    barrier, condition = Barrier(1, **where(3)), Condition(Mutex(**where(5)), **where(4))
    uses = [mutex.acquire, mutex.release, mutex.locked, lock.read, lock.write, event.set, event.clear, event.is_set]
    uses += [event.wait, barrier.wait, condition.notify, condition.notify_all]
    for it in (mutex, lock, event, barrier, condition):
        it.close()
    for use in uses:
        with fails(errno.EBADF, "this handle is closed"):
            use()
    with fails(errno.EBADF, "closed"), barrier:
        pass
    with fails(errno.EBADF, "closed"), mutex:
        pass
    with condition, fails(errno.EBADF, "closed"):
        condition.wait()


@pytest.mark.parametrize("which", range(4))
def test_closed_while_another_thread_waits(name, which):
    first = Mutex(name)
    first.acquire()
    lock = RwLock(name)
    guard = lock.write()
    it = [Mutex(name), RwLock(name), Event(name), Barrier(2, name)][which]
    thread = Thread([getattr(it, "acquire", None), getattr(it, "read", None)][which] if which < 2 else it.wait)
    wait_until(thread.sleeps)
    it.close()
    with fails(errno.EBADF, "closed"):
        thread.join()
    guard.release()


def test_refusals(name, segment):
    for make in MAKERS:
        with fails(errno.EINVAL, "at a multiple of 64"):
            make(segment=segment, offset=32)
        with fails(errno.EINVAL, "must lie within its 8192"):
            make(segment=segment, offset=8192)
        with fails(errno.ENOENT, "there is none", FileNotFoundError):
            make(name, create="never")
        with fails(errno.EINVAL, "no '/'"):
            make("a/b")
        with pytest.raises(OverflowError):
            make(segment=segment, offset=-64)
        for wrong in ({}, {"name": name, "segment": segment}, {"name": name, "offset": 0}, {"offset": 64}):
            with pytest.raises(TypeError):
                make(**wrong)
        for wrong in (5, None, b"name"):
            with pytest.raises(TypeError):
                make(wrong)
        with pytest.raises(ValueError, match="create="):
            make(name, create="perhaps")
        with pytest.raises(TypeError):
            make(segment=name)
    Mutex(name)
    with fails(errno.EEXIST, "taken", FileExistsError):
        Mutex(name, create="only")
    for parties in (0, -1, 121, 2**40):
        with pytest.raises(ValueError, match="1 to 120"):
            Barrier(parties, name)
    assert not (SHM / f"madang.barrier.{name}").exists()
    Barrier(2, name)
    with fails(errno.EINVAL, "it was made for 2"):
        Barrier(3, name)
    with pytest.raises(TypeError):
        Condition(name)
    with Segment(name, read_only=True) as read_only, fails(errno.EINVAL, "opened read-only"):
        Mutex(segment=read_only)
    segment.close()
    with fails(errno.EBADF, "closed"):
        Mutex(segment=segment)


@support.needs_root
def test_other_users(name):
    for make, kind in zip(MAKERS, KINDS, strict=True):
        it = make(name)
        with fails(errno.EACCES, "permit", PermissionError):
            support.as_user(NOBODY, lambda make=make: make(name))
        os.chown(SHM / f"madang.{kind}.{name}", NOBODY, -1)
        with fails(errno.EPERM, "belongs to", PermissionError):
            make(name)
        make(name, any_owner=True).close()
        type(it).unlink(name)
        if kind == "condition":
            Mutex.unlink(name)


def test_no_descriptor_is_left(name, segment):
    before = len(os.listdir("/proc/self/fd"))
    for make in MAKERS:
        it = make(name)
        it.close()
        del it
    many = [Mutex(segment=segment, offset=64 * number) for number in range(100)]
    assert len(os.listdir("/proc/self/fd")) <= before + 1
    del many
    gc.collect()
