"""madang.file."""

import errno
import fcntl
import os
import stat
import subprocess
import sys
import threading
import time

import madang
import numpy
import pytest
from madang import file
from support import Thread, alarm, as_user, fails, in_child, needs_root, says, script, wait_until


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file"


def test_open_and_make(path):
    assert madang.kernel.file is madang.file
    with fails(errno.ENOENT, "there is none", FileNotFoundError):
        file.File(path, create="never")
    before = os.umask(0o077)
    try:
        new = file.File(str(path), mode=0o644, length="8K")
    finally:
        os.umask(before)
    with new:
        assert (new.is_new, new.read_only, new.length, new.path) == (True, False, 8192, path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o644 and path.stat().st_size == 8192
        assert os.pwrite(new.fileno(), b"text", 0) == 4
    assert repr(new) == f'<madang.file.File "{path}": closed>'
    with fails(errno.EEXIST, "the name is taken", FileExistsError):
        file.File(path, create="only")
    with fails(errno.EISDIR, "open", IsADirectoryError):
        file.File(path.parent)
    with fails(errno.ENODEV, "it is not a regular file"):
        file.File("/dev/null")
    with fails(errno.EINVAL, "neither made nor grown"):
        file.File(path, read_only=True, length=1)
    for bad in ({"length": 0}, {"length": "much"}, {"mode": -1}, {"create": "maybe"}):
        with pytest.raises(ValueError):
            file.File(path, **bad)
    with pytest.raises(TypeError):
        file.File(3)


def test_locks(path):
    with file.File(path) as one, file.File(path) as other:
        with one.lock() as guard:
            with fails(errno.EAGAIN, "lock", BlockingIOError):
                other.lock(timeout=0)
            begun = time.monotonic()
            with fails(errno.ETIMEDOUT, "the time is over", TimeoutError):
                other.lock(shared=True, start=1 << 40, length=1, timeout=0.15)  # more than a slice
            assert time.monotonic() - begun >= 0.15
            # A closed descriptor of the same file takes nothing along, as it does with the old locks.
            path.open("rb").close()
            with path.open("r+b") as old, pytest.raises(BlockingIOError):
                fcntl.lockf(old, fcntl.LOCK_EX | fcntl.LOCK_NB)
            assert not guard.released
        assert guard.released
        guard.release()
        with one.lock(shared=True), other.lock(shared=True), fails(errno.EAGAIN, "lock", BlockingIOError):
            file.File(path).lock(timeout=0)
        with one.lock(start=0, length=10), other.lock(start=10):
            assert one.holder() is not None
        assert one.holder() is None
        with fails(errno.EINVAL, "no file is so long"):
            one.lock(start=(1 << 63) - 1, length=1)
        with pytest.raises(ValueError):
            one.lock(start=-1)
        with fails(errno.EBADF, "read-only"):
            file.File(path, read_only=True).lock()
        one.lock()  # forgotten, and so released
        other.lock(timeout=0).release()


def test_a_guard_outlives_its_file(path):
    with file.File(path) as one:
        guard = one.lock()
    with file.File(path) as other:
        with fails(errno.EAGAIN, "lock", BlockingIOError):
            other.lock(timeout=0)
        guard.release()
        other.lock(timeout=0).release()


def test_other_processes(path):
    program = """
import madang, signal, sys
with madang.file.File(sys.argv[1]) as f, f.lock(start=100, length=50):
    print("locked", flush=True)
    signal.pause()
"""
    with file.File(path) as one, script(program, str(path)) as process:
        says(process, "locked")
        holder = one.holder()
        assert (holder.shared, holder.start, holder.length, holder.pids) == (False, 100, 50, [process.pid])
        assert repr(holder) == f"Holder(shared=False, start=100, length=50, pids=[{process.pid}])"
        assert one.holder(start=0, length=100) is None
        process.kill()
        one.lock(timeout=10).release()


def test_fork_child(path):
    with file.File(path) as one, one.lock() as guard:

        def child():
            assert guard.released
            guard.release()
            with fails(errno.EAGAIN, "lock", BlockingIOError):
                one.lock(timeout=0)

        in_child(child)
        with file.File(path) as other, fails(errno.EAGAIN, "lock", BlockingIOError):
            other.lock(timeout=0)


def test_stress_a_counter(path):
    times = 100
    with file.File(path, length=8) as one:
        number = numpy.frombuffer(one.map(), "u8")

        def add(opened):
            for _ in range(times):
                with opened.lock(timeout=10):
                    old = number[0]
                    time.sleep(0)
                    number[0] = old + 1

        children = [Thread(in_child, lambda: add(file.File(path))) for _ in range(2)]
        threads = [Thread(add, one) for _ in range(2)]
        for thread in children + threads:
            thread.join()
        assert number[0] == 4 * times


def test_signal_handlers_run_meanwhile(path):
    with file.File(path) as one, file.File(path) as other:
        guard = one.lock()
        with alarm(0.01, lambda *_: guard.release()), other.lock(timeout=10):
            pass


def test_closed_while_another_thread_waits(path):
    with file.File(path) as one, file.File(path) as other, one.lock():

        def wait():
            with fails(errno.EBADF, "it is closed"):
                other.lock()

        thread = Thread(wait)
        wait_until(thread.sleeps)
        other.close()
        thread.join()


def test_mapped_and_grown(path):
    with file.File(path) as one:
        with fails(errno.EINVAL, "there is nothing to map"):
            one.map()
        assert one.grow(5000) == 5000 and one.grow(1) == 5000
        with one.map() as mapping:
            assert len(mapping) == 5000 and not mapping.read_only
            memoryview(mapping)[4990:4995] = b"hello"
            mapping.sync()
            mapping.sync(4990, 10)
            with fails(errno.EINVAL, "don't lie within"):
                mapping.sync(4990, 11)
            with pytest.raises(ValueError):
                mapping.sync(-1)
            assert path.read_bytes()[4990:4995] == b"hello"
        assert one.grow("20K") == 20 << 10
        assert len(one.map(4096, 1000)) == 1000 and len(one.map(4096)) == (20 << 10) - 4096
        with fails(errno.EINVAL, "a multiple of the page size"):
            one.map(1)
        with fails(errno.EINVAL, "would be SIGBUS"):
            one.map(0, "1M")
        array = numpy.frombuffer(one.map(), "u1")
    assert bytes(array[4990:4995]) == b"hello"
    with file.File(path, read_only=True) as one:
        assert one.map().read_only
        with fails(errno.EACCES, "read-only", PermissionError):
            one.grow("1M")


def test_replaced(path):
    file.replace(path, b"first")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o624)
    with path.open("rb") as old:
        file.replace(path, memoryview(b"second"), keep_mode=True)
        assert old.read() == b"first"
    assert path.read_bytes() == b"second" and stat.S_IMODE(path.stat().st_mode) == 0o624
    file.replace(path, b"", mode=0o666)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666
    with fails(errno.EISDIR, "rename", IsADirectoryError):
        file.replace(path.parent, b"")
    with fails(errno.ENOENT, "in its directory", FileNotFoundError):
        file.replace(path.parent / "no" / "where", b"")
    with fails(errno.EINVAL, "more than permission bits"):
        file.replace(path, b"", mode=0o10000)
    with pytest.raises(TypeError):
        file.replace(path, "text")
    assert os.listdir(path.parent) == ["file"]


def test_no_reader_sees_half_of_it(path):
    contents = [b"a" * 100_000, b"b" * 50_000]
    file.replace(path, contents[0])
    program = (
        "import madang, sys\nwhile True:\n for c in b'b' * 50_000, b'a' * 100_000: madang.file.replace(sys.argv[1], c)"
    )
    with subprocess.Popen([sys.executable, "-P", "-c", program, str(path)]) as process:
        try:
            seen = set()
            wait_until(lambda: seen.add(path.read_bytes()) or len(seen) == 2)
            for _ in range(100):
                assert path.read_bytes() in contents
        finally:
            process.kill()


@needs_root
def test_other_users(path):
    for parent in path.parents:
        if parent.name.startswith("pytest-"):
            parent.chmod(0o755)
    path.parent.chmod(0o755)
    file.replace(path, b"root's")

    def other():
        with fails(errno.EACCES, "does not permit this user", PermissionError):
            file.File(path)
        with fails(errno.EACCES, "in its directory", PermissionError):
            file.replace(path, b"x")
        with fails(errno.EACCES, "follow", PermissionError):
            file.Follow(path)

    as_user(65534, other)


def test_followed(path):
    with fails(errno.ENOENT, "follow", FileNotFoundError):
        file.Follow(path)
    path.write_text("old")
    with file.Follow(path) as all_of_it, file.Follow(path, from_end=True) as new:
        assert all_of_it.read(timeout=0) == b"old"
        with fails(errno.EAGAIN, "there is nothing new", BlockingIOError):
            new.read(timeout=0)
        with fails(errno.ETIMEDOUT, "nothing was written in time", TimeoutError):
            new.read(timeout=0.15)
        thread = Thread(lambda: new.read(timeout=10))
        wait_until(thread.sleeps)
        subprocess.run(["sh", "-c", f"echo more >>'{path}'"], check=True)
        assert thread.join() == b"more\n"
        assert all_of_it.read(2) + all_of_it.read() == b"more\n"
        path.write_text("anew")
        assert (all_of_it.read(timeout=10), all_of_it.restarts) == (b"anew", 1)
        with path.open("a") as old:
            old.write("!")
        file.replace(path, b"another")
        assert (all_of_it.read(), all_of_it.read(timeout=10), all_of_it.restarts) == (b"!", b"another", 2)
        assert all_of_it.read(0) == b""
    with fails(errno.EBADF, "follow: it is closed"):
        new.read()
    assert new.closed and repr(new).endswith(": closed>")


def test_one_thread_at_a_time_follows(path):
    path.touch()
    with file.Follow(path) as follow:
        stop = threading.Event()

        def wait():
            while not stop.is_set():
                with pytest.raises(TimeoutError):
                    follow.read(timeout=0.05)

        thread = Thread(wait)
        wait_until(thread.sleeps)

        def is_busy():
            try:
                return follow.restarts and False
            except OSError as error:
                return error.errno == errno.EBUSY

        wait_until(is_busy)
        stop.set()
        thread.join()


def test_nothing_leaks(path):
    file.File(path).close()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(10):
        with file.File(path, length=10) as one, one.lock(), one.map():
            with fails(errno.EAGAIN, "lock", BlockingIOError):
                file.File(path).lock(timeout=0)
        with file.Follow(path, from_end=True) as follow:
            file.replace(path, b"x" * 20)
            assert len(follow.read()) == 20
    assert len(os.listdir("/proc/self/fd")) == before
