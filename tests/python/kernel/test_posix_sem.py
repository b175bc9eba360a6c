"""madang.posix.sem, with posix_ipc as a witness."""

import errno
import os
import time

import madang
import posix_ipc
import pytest
from madang.kernel.posix import sem, shm
from support import NOBODY, SHM, Thread, alarm, as_user, fails, in_child, needs_root, wait_until


@pytest.fixture
def semaphore(name):
    with sem.Semaphore(name, value=1, create="only") as semaphore:
        yield semaphore


def test_smoke(name):
    assert madang.kernel.posix.sem is madang.posix.sem is sem
    with sem.Semaphore(name, value=2) as semaphore, sem.Semaphore(name, value=9) as same:
        assert (semaphore.name, semaphore.is_new, same.is_new, same.value) == (name, True, False, 2)
        semaphore.wait()
        same.wait(timeout=0)
        with fails(errno.EAGAIN, "its value is 0", BlockingIOError):
            semaphore.wait(timeout=0)
        same.post()
        assert semaphore.value == 1
        semaphore.wait(timeout=1.0)
    sem.Semaphore.unlink(name)


def test_the_witness_opens_ours(name):
    with sem.Semaphore(name, value=3, mode=0o640) as semaphore:
        theirs = posix_ipc.Semaphore(f"/{name}")
        assert theirs.value == 3 and (SHM / f"sem.{name}").stat().st_mode & 0o7777 == 0o640
        theirs.release()
        assert semaphore.value == 4
        semaphore.wait()
        assert theirs.value == 3
        theirs.unlink()
        theirs.close()
        with fails(errno.ENOENT, "there is none", FileNotFoundError):
            sem.Semaphore.stat(name)


def test_we_open_the_witness_s(name):
    theirs = posix_ipc.Semaphore(f"/{name}", posix_ipc.O_CREX, mode=0o600, initial_value=1)
    with sem.Semaphore(name, create="never") as semaphore:
        status = sem.Semaphore.stat(name)
        assert (status.value, status.mode, status.uid, status.gid) == (1, 0o600, os.geteuid(), os.getegid())
        semaphore.wait()
        with pytest.raises(posix_ipc.BusyError):
            theirs.acquire(0)
        waiter = Thread(theirs.acquire, 10)
        wait_until(waiter.sleeps)
        semaphore.post()
        waiter.join()
    theirs.close()
    sem.Semaphore.unlink(name)
    with pytest.raises(posix_ipc.ExistentialError):
        posix_ipc.Semaphore(f"/{name}")


def test_byte_for_byte_it_is_what_the_witness_makes(name):
    theirs = posix_ipc.Semaphore(f"/{name}2", posix_ipc.O_CREX, initial_value=5)
    with sem.Semaphore(name, value=5):
        assert (SHM / f"sem.{name}").read_bytes() == (SHM / f"sem.{name}2").read_bytes()
    theirs.close()


def test_ping_pong(name):
    with sem.Semaphore(name + "ping") as ping, sem.Semaphore(name + "pong") as pong:

        def child():
            for _ in range(200):
                ping.wait(timeout=10)
                pong.post()

        thread = Thread(in_child, child)
        for _ in range(200):
            ping.post()
            pong.wait(timeout=10)
        thread.join()
        assert (ping.value, pong.value) == (0, 0)


def test_timeout(semaphore):
    semaphore.wait()
    begun = time.monotonic()
    with fails(errno.ETIMEDOUT, "the time is over", TimeoutError):
        semaphore.wait(timeout=0.02)
    assert time.monotonic() - begun >= 0.02
    with pytest.raises(ValueError, match="seconds"):
        semaphore.wait(timeout=-1)


def test_signal_handlers_run_meanwhile(semaphore):
    ran = []
    semaphore.wait()

    def handler(*_):
        ran.append(1)
        if len(ran) == 3:
            semaphore.post()

    with alarm(0.02, handler):
        semaphore.wait(timeout=10)
    assert len(ran) >= 3


def test_capacity(name):
    with sem.Semaphore(name, value=sem.MAX_VALUE) as semaphore:
        with fails(errno.EOVERFLOW, "2147483647, the greatest"):
            semaphore.post()
        assert semaphore.value == sem.MAX_VALUE


@pytest.mark.parametrize("kind", ["mapping", "segment"])
def test_unnamed(name, kind):
    def memory():
        if kind == "segment":
            return madang.Segment(name, length=4096)
        with shm.Object(name, size=4096) as object:
            return object.map()

    with memory() as here:
        ping = sem.Semaphore.init_in(here, 64)
        pong = sem.Semaphore.init_in(here, 4096 - sem.SIZE, 5)
        assert (ping.is_new, ping.name, pong.value) == (True, "", 5)
    # The semaphores keep the memory.

    def child():
        with memory() as there, sem.Semaphore.at(there, 64) as ping, sem.Semaphore.at(there, 4096 - sem.SIZE) as pong:
            assert not ping.is_new
            ping.wait(timeout=10)
            pong.post()

    thread = Thread(in_child, child)
    ping.post()
    thread.join()
    assert (ping.value, pong.value) == (0, 6)
    assert repr(pong) == f'<madang.posix.sem.Semaphore "": at {4096 - sem.SIZE}, value 6>'
    ping.close()
    pong.close()


def test_bad_places(name):
    with shm.Object(name, size=100) as object, object.map() as memory, object.map(read_only=True) as read_only:
        with fails(errno.EINVAL, "must be a multiple of"):
            sem.Semaphore.init_in(memory, 1)
        with fails(errno.EINVAL, "don't lie within its 100"):
            sem.Semaphore.at(memory, 96)
        with fails(errno.EACCES, "read-only", PermissionError):
            sem.Semaphore.at(read_only, 0)
        with pytest.raises(ValueError, match="offset of -8"):
            sem.Semaphore.at(memory, -8)
        for bad in (None, bytearray(100), memoryview(memory)):
            with pytest.raises(TypeError):
                sem.Semaphore.init_in(bad, 0)
        del bad
        closed = object.map()
        closed.close()
        with fails(errno.EBADF, "it is closed"):
            sem.Semaphore.at(closed, 0)


def test_stat_and_list(name):
    old = os.umask(0o077)
    try:
        sem.Semaphore(name, value=7, mode=0o666).close()
    finally:
        os.umask(old)
    status = sem.Semaphore.stat(name)
    assert repr(status) == f"SemaphoreStatus(value=7, mode=0o666, uid={os.geteuid()}, gid={os.getegid()})"
    assert status == sem.Semaphore.stat(name) and hash(status) == hash(sem.Semaphore.stat(name))
    [mine] = [listed for listed in sem.list() if listed.name == name]
    assert (mine.mode, mine.size) == (0o666, sem.SIZE)


def test_create(name):
    with fails(errno.ENOENT, "does not create it", FileNotFoundError):
        sem.Semaphore(name, create="never")
    with sem.Semaphore(name), fails(errno.EEXIST, "taken", FileExistsError):
        sem.Semaphore(name, create="only")


def test_bad_input(name):
    for bad in ["", "a/b", "/a", ".", "nul\0"]:
        for call in (sem.Semaphore, sem.Semaphore.unlink, sem.Semaphore.stat):
            with fails(errno.EINVAL, "name"):
                call(bad)
    with fails(errno.ENAMETOOLONG, "251"):
        sem.Semaphore("n" * 252)
    with fails(errno.EINVAL, "2147483647 at most"):
        sem.Semaphore(name, value=sem.MAX_VALUE + 1)
    with fails(errno.EINVAL, "mode"):
        sem.Semaphore(name, mode=0o10000)
    for bad in ({"value": -1}, {"value": 1 << 40}, {"create": "maybe"}, {"mode": -1}):
        with pytest.raises(ValueError):
            sem.Semaphore(name, **bad)
    for bad in (None, 3, b"bytes"):
        with pytest.raises(TypeError):
            sem.Semaphore(bad)
    (SHM / f"sem.{name}").write_text("short")
    with fails(errno.EINVAL, "has 5 bytes: it is no semaphore"):
        sem.Semaphore(name)


@needs_root
def test_as_another_user(name):
    with sem.Semaphore(name, mode=0o644):
        with fails(errno.EACCES, "does not permit", PermissionError):
            as_user(NOBODY, lambda: sem.Semaphore(name).close())
        with fails(errno.EPERM, "only the owner", PermissionError):
            as_user(NOBODY, lambda: sem.Semaphore.unlink(name))


def test_closed(semaphore):
    assert repr(semaphore) == f'<madang.posix.sem.Semaphore "{semaphore.name}": value 1>'
    semaphore.close()
    semaphore.close()
    assert semaphore.closed and repr(semaphore) == f'<madang.posix.sem.Semaphore "{semaphore.name}": closed>'
    for use in [semaphore.post, semaphore.wait, lambda: semaphore.value, semaphore.__enter__]:
        with fails(errno.EBADF, "it is closed"):
            use()


def test_closed_while_another_thread_waits(semaphore):
    semaphore.wait()
    waiter = Thread(semaphore.wait)
    wait_until(waiter.sleeps)
    semaphore.close()
    with fails(errno.EBADF, "it is closed"):
        waiter.join()


def test_a_handle_needs_no_descriptor(name):
    before = len(os.listdir("/proc/self/fd"))
    with sem.Semaphore(name), sem.Semaphore(name):
        with pytest.raises(FileExistsError):
            sem.Semaphore(name, create="only")
        assert len(os.listdir("/proc/self/fd")) == before
