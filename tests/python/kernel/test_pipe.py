"""madang.pipe."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time

import madang
import pytest
from madang import pipe
from support import Thread, alarm, as_user, fails, in_child, needs_root, wait_until


@pytest.fixture
def ends():
    reader, writer = pipe.pair()
    with reader, writer:
        yield reader, writer


def fill(writer):
    filled = 0
    try:
        while True:
            filled += writer.write(bytes(pipe.PIPE_BUF), timeout=0)
    except BlockingIOError:
        return filled


def test_smoke(ends):
    reader, writer = ends
    assert madang.kernel.pipe is madang.pipe and pipe.PIPE_BUF == 4096
    assert writer.write(b"hello") == 5
    assert (reader.waiting(), writer.waiting()) == (5, 5)
    assert (reader.read(2), reader.read()) == (b"he", b"llo")
    with fails(errno.EAGAIN, "read from a pipe: it would have to wait", BlockingIOError):
        reader.read(timeout=0)
    writer.write_all(bytearray(b"!"))
    writer.close()
    assert (reader.read(timeout=1), reader.read(timeout=1), reader.read_exact(3)) == (b"!", b"", b"")
    buffer = bytearray(3)
    assert reader.read_into(buffer, timeout=0) == 0


def test_read_into(ends):
    reader, writer = ends
    writer.write_all(b"hello")
    buffer = bytearray(b"........")
    assert reader.read_into(memoryview(buffer)[1:4]) == 3
    assert buffer == b".hel...."
    with pytest.raises(BufferError):
        reader.read_into(b"123")


def test_parent_and_child(ends):
    requests, to_child = ends
    answers, to_parent = pipe.pair()

    def child():
        to_child.close()
        text = requests.read_exact(100, timeout=10)
        to_parent.write_all(text.upper())
        return text

    with answers, to_parent:
        thread = Thread(in_child, child)
        wait_until(lambda: thread.native_id is not None)
        to_child.write_all(b"hel")
        to_child.write_all(b"lo")
        # The child's own copy of our end is closed by it.
        to_child.close()
        assert answers.read_exact(5, timeout=10) == b"HELLO"
        assert thread.join() == b"hello"


def test_handed_to_a_program(ends):
    """`cat` knows nothing of EAGAIN."""
    reader, writer = ends
    answers, to_parent = pipe.pair()
    stdin, stdout = reader.detach(), to_parent.detach()
    assert reader.closed and os.get_blocking(stdin) and not os.get_inheritable(stdin)
    with subprocess.Popen(["cat"], stdin=stdin, stdout=stdout) as child, answers:
        os.close(stdin)
        os.close(stdout)
        long = os.urandom(300_000)
        thread = Thread(lambda: (writer.write_all(long, timeout=10), writer.close()))
        assert answers.read_exact(len(long), timeout=10) == long
        assert answers.read(timeout=10) == b""
        thread.join()
    assert child.returncode == 0


def test_passed_by_its_number(ends):
    reader, writer = ends
    fd = writer.detach()
    subprocess.run(["sh", "-c", f"echo hello >/proc/self/fd/{fd}"], pass_fds=[fd], check=True)
    os.close(fd)
    assert (reader.read(timeout=10), reader.read(timeout=10)) == (b"hello\n", b"")
    fd = reader.detach(inheritable=True)
    assert os.get_inheritable(fd)
    os.close(fd)


def test_an_end_that_was_inherited():
    program = """
import os, sys, madang
reader = madang.pipe.Reader.from_fd(0)
writer = madang.pipe.Writer.from_fd(1)
assert os.get_blocking(int(sys.argv[1])), "whoever shares the descriptor doesn't notice"
while text := reader.read(timeout=10):
    writer.write_all(text.upper(), timeout=10)
"""
    reader, writer = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-P", "-c", program, str(reader)], stdin=reader, stdout=subprocess.PIPE, pass_fds=[reader]
    ) as child:
        os.close(reader)
        os.write(writer, b"hello")
        os.close(writer)
        assert child.communicate(timeout=10) == (b"HELLO", None)
    assert child.returncode == 0


def test_what_is_no_end():
    reader, writer = os.pipe()
    null = os.open("/dev/null", os.O_RDWR)
    try:
        with fails(errno.EBADF, "it is the other end"):
            pipe.Reader.from_fd(writer)
        with fails(errno.EBADF, "it is the other end"):
            pipe.Writer.from_fd(reader)
        with fails(errno.ENODEV, "the descriptor is not a pipe's"):
            pipe.Reader.from_fd(null)
    finally:
        for fd in (reader, writer, null):
            os.close(fd)  # they stayed ours
    for fd in (-1, reader):
        with fails(errno.EBADF, "fd"):
            pipe.Reader.from_fd(fd)


def test_timeout(ends):
    reader, writer = ends
    begun = time.monotonic()
    with fails(errno.ETIMEDOUT, "read from a pipe: the time is over", TimeoutError):
        reader.read(timeout=0.03)
    fill(writer)
    with fails(errno.EAGAIN, "write 1 bytes to a pipe", BlockingIOError):
        writer.write(b"x", timeout=0)
    with fails(errno.ETIMEDOUT, "the time is over", TimeoutError):
        writer.write(b"x", timeout=0.03)
    assert time.monotonic() - begun >= 0.06


def test_how_far_it_came():
    reader, writer = pipe.pair(capacity=8192)
    with reader, writer:
        with fails(errno.ETIMEDOUT, "the time is over", TimeoutError) as raised:
            writer.write_all(bytes(20_000), timeout=0.03)
        assert raised.value.transferred == 8192
        with fails(errno.ETIMEDOUT, "the time is over", TimeoutError) as raised:
            reader.read_exact(20_000, timeout=0.03)
        assert raised.value.partial == bytes(8192)
        writer.write_all(b"end")
        writer.close()
        assert reader.read_exact(20_000) == b"end"


def test_signal_handlers_run_meanwhile(ends):
    reader, writer = ends
    seen = []

    def handler(*_):
        seen.append(1)
        if len(seen) == 3:
            writer.write_all(b"from the handler")

    with alarm(0.01, handler):
        assert reader.read(timeout=10) == b"from the handler"

    def stop(*_):
        raise KeyError("from the handler")

    with alarm(0.01, stop), pytest.raises(KeyError) as raised:
        reader.read_exact(5)
    assert raised.value.partial == b""


def test_a_vanished_reader():
    # In a child, where no other thread or process has our end open.
    def vanish():
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        reader, writer = pipe.pair()
        reader.close()
        with fails(errno.EPIPE, "nobody has it open to read", BrokenPipeError) as raised:
            writer.write_all(b"x" * 100_000)
        assert raised.value.transferred == 0
        return "alive"

    assert in_child(vanish) == "alive"


def test_sigpipe_is_left_to_who_wants_it():
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        reader, writer = pipe.pair(leave_sigpipe=True)
        reader.close()
        writer.write(b"x")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGPIPE


def test_capacity():
    reader, writer = pipe.pair(capacity=5000)
    with reader, writer:
        assert reader.capacity == writer.capacity == 8192
        assert fill(writer) == 8192
        with fails(errno.EBUSY, "8192 bytes wait in it"):
            reader.set_capacity(4096)
        assert writer.set_capacity("128K") == 128 << 10
        with fails(errno.EINVAL, "let a pipe hold"):
            writer.set_capacity("1T")
        with pytest.raises(ValueError):
            writer.set_capacity(0)


@needs_root
def test_capacity_of_others():
    def ask():
        with fails(errno.EPERM, "/proc/sys/fs/pipe-max-size", PermissionError):
            pipe.pair(capacity="1G")

    as_user(65534, ask)


def test_packets():
    reader, writer = pipe.pair(packets=True)
    with reader, writer:
        writer.write(b"one")
        writer.write(b"three")
        assert (reader.read(2), reader.read()) == (b"on", b"three")


def test_several_writers_are_not_mixed(ends):
    reader, writer = ends
    each = 50

    def write(mark):
        for _ in range(each):
            writer.write_all(bytes([mark]) * pipe.PIPE_BUF, timeout=10)

    threads = [Thread(write, mark) for mark in range(4)]
    pieces = [reader.read_exact(pipe.PIPE_BUF, timeout=10) for _ in range(4 * each)]
    assert all(piece == piece[:1] * pipe.PIPE_BUF for piece in pieces)
    for thread in threads:
        thread.join()


def test_closed(ends):
    reader, writer = ends
    assert repr(reader) == f"<madang.pipe.Reader: descriptor {reader.fileno()}>"
    for end in ends:
        end.close()
        end.close()
    assert repr(writer) == "<madang.pipe.Writer: closed>"
    for call in (reader.read, reader.waiting, reader.fileno, reader.detach, reader.__enter__, writer.fileno):
        with fails(errno.EBADF, "it is closed"):
            call()
    with fails(errno.EBADF, "writer: it is closed"):
        writer.write(b"x")


def test_closed_while_another_thread_waits(ends):
    reader, _ = ends

    def read():
        with fails(errno.EBADF, "it is closed"):
            reader.read()

    thread = Thread(read)
    wait_until(thread.sleeps)
    with fails(errno.EBUSY, "another thread waits with it"):
        reader.detach()
    reader.close()
    thread.join()


def test_other_threads_run_meanwhile(ends):
    reader, writer = ends
    thread = threading.Thread(target=lambda: writer.write_all(b"x"))
    timer = threading.Timer(0.02, thread.start)
    timer.start()
    assert reader.read(timeout=10) == b"x"
    timer.join()
    thread.join()


def test_bad_arguments(ends):
    reader, writer = ends
    with pytest.raises(ValueError):
        reader.read(-1)
    with pytest.raises(ValueError):
        reader.read(timeout=-1)
    with pytest.raises(TypeError):
        reader.read("1")
    with pytest.raises(TypeError):
        writer.write("text")
    with pytest.raises(TypeError):
        pipe.Reader()
    with pytest.raises(ValueError):
        pipe.pair(capacity="much")
    assert reader.read(0) == b""


def test_nothing_leaks():
    def count():
        return len(os.listdir("/proc/self/fd"))

    before = count()
    for _ in range(10):
        reader, writer = pipe.pair()
        os.close(reader.detach())
        writer = pipe.Writer.from_fd(writer.detach())
        with fails(errno.EINVAL, "let a pipe hold"):
            pipe.pair(capacity="1T")
        del reader, writer
    assert count() == before
