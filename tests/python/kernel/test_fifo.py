"""madang.fifo."""

import errno
import os
import stat
import threading
import time

import madang
import pytest
from madang import fifo
from support import Thread, alarm, as_user, fails, in_child, needs_root, wait_until


@pytest.fixture
def path(tmp_path):
    return tmp_path / "fifo"


def test_smoke(path):
    assert madang.kernel.fifo is madang.fifo
    with fifo.open_reader(path, timeout=0) as reader:
        assert path.is_fifo() and stat.S_IMODE(path.stat().st_mode) == 0o600
        with fails(errno.EAGAIN, "read from a pipe", BlockingIOError):
            reader.read(timeout=0)
        with fifo.open_writer(str(path), timeout=0) as writer:
            writer.write_all(b"hello")
        assert (reader.read(), reader.read()) == (b"hello", b"")
    fifo.remove(path)
    assert not path.exists()
    with fails(errno.ENOENT, "remove", FileNotFoundError):
        fifo.remove(path)


def test_mode(path):
    before = os.umask(0o077)
    try:
        fifo.make(path, 0o666)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666
    assert os.listdir(path.parent) == ["fifo"]
    with fails(errno.EEXIST, "the name is taken", FileExistsError):
        fifo.make(path)
    with fails(errno.EINVAL, "more than permission bits"):
        fifo.make(path.with_name("other"), 0o10000)
    with fifo.open_reader(path.with_name("third"), timeout=0, mode=0o640):
        assert stat.S_IMODE(path.with_name("third").stat().st_mode) == 0o640


def test_create(path):
    with fails(errno.ENOENT, "there is none", FileNotFoundError):
        fifo.open_reader(path, create="never")
    with fifo.open_reader(path, create="only", timeout=0), fails(errno.EEXIST, "taken", FileExistsError):
        fifo.open_writer(path, create="only")
    with pytest.raises(ValueError):
        fifo.open_reader(path, create="maybe")


def test_timeout(path):
    begun = time.monotonic()
    with fails(errno.EAGAIN, "nobody has it open to read", BlockingIOError):
        fifo.open_writer(path, timeout=0)
    with fails(errno.ETIMEDOUT, "nobody opened it to read in time", TimeoutError):
        fifo.open_writer(path, timeout=0.15)  # more than a slice
    with fails(errno.ETIMEDOUT, "wait for a writer", TimeoutError):
        fifo.open_reader(path, timeout=0.15)
    with fails(errno.ETIMEDOUT, "in time", TimeoutError):
        fifo.open_channel(path, timeout=0.15)
    with fails(errno.ETIMEDOUT, "in time", TimeoutError):
        fifo.open_writer(path.with_name("new"), timeout=0.15, create="only")
    assert time.monotonic() - begun >= 0.6


def test_two_processes(path):
    def child():
        with fifo.open_writer(path, timeout=10) as writer:
            writer.write_all(b"hello")

    thread = Thread(in_child, child)
    with fifo.open_reader(path, timeout=10) as reader:
        assert reader.read_exact(100, timeout=10) == b"hello"
    thread.join()


def test_signal_handlers_run_meanwhile(path):
    readers = []

    def handler(*_):
        if not readers:
            readers.append(fifo.open_reader(path, timeout=0))

    with alarm(0.01, handler), fifo.open_writer(path, timeout=10), readers[0]:
        pass


def test_both(path):
    reader, writer = fifo.open_both(path)
    with reader:
        with writer:
            with fifo.open_writer(path, timeout=0) as client:
                client.write(b"x")
            assert reader.read() == b"x"
            with fails(errno.EAGAIN, "read", BlockingIOError):
                reader.read(timeout=0)
        assert reader.read() == b""


def test_channel(path):
    def talk():
        reader, writer, is_first = fifo.open_channel(path, timeout=10)
        with reader, writer:
            writer.write_all(b"first" if is_first else b"other")
            said = reader.read_exact(5, timeout=10)
            met.wait(10)
            return is_first, said

    met = threading.Barrier(3)
    talks = [Thread(talk), Thread(talk)]
    wait_until(lambda: met.n_waiting == 2)
    with fails(errno.EBUSY, "both are taken"):
        fifo.open_channel(path, timeout=0)
    met.wait(10)
    assert sorted(talk.join() for talk in talks) == [(False, b"first"), (True, b"other")]
    fifo.remove_channel(path)
    assert os.listdir(path.parent) == []
    with fails(errno.ENOENT, "remove", FileNotFoundError):
        fifo.remove_channel(path)


def test_what_is_no_fifo(path):
    path.write_text("precious")
    link = path.with_name("link")
    link.symlink_to(path)
    for open_it in (fifo.open_reader, fifo.open_writer, fifo.open_both, fifo.remove):
        with fails(errno.ENODEV, "it is not a FIFO"):
            open_it(path)
        with fails(errno.ELOOP, "which is never followed"):
            open_it(link)
    assert path.read_text() == "precious"
    with fails(errno.ENOENT, "mknod", FileNotFoundError):
        fifo.open_reader(path.parent / "no" / "where")
    with fails(errno.EINVAL, "NUL"):
        fifo.make("a\0b")
    with pytest.raises(TypeError):
        fifo.make(3)


@needs_root
def test_other_users(path):
    path.parent.chmod(0o777)
    for parent in path.parents:
        if parent.name.startswith("pytest-"):
            parent.chmod(0o755)
    fifo.make(path)
    planted = path.with_name("planted")

    def other():
        with fails(errno.EACCES, "does not permit this user", PermissionError):
            fifo.open_reader(path)
        fifo.make(planted, 0o666)

    as_user(65534, other)
    with fails(errno.EPERM, "it belongs to user 65534", PermissionError):
        fifo.open_reader(planted)
    fifo.open_reader(planted, any_owner=True, timeout=0).close()


def test_nothing_leaks(path):
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(10):
        for end in fifo.open_both(path):
            end.close()
        with pytest.raises(BlockingIOError):
            fifo.open_writer(path, timeout=0)
        with pytest.raises(TimeoutError):
            fifo.open_reader(path, timeout=0.001)
        with pytest.raises(BlockingIOError):
            fifo.open_channel(path, timeout=0)
    assert len(os.listdir("/proc/self/fd")) == before
