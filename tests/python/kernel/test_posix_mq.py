"""madang.posix.mq, with posix_ipc as a witness."""

import errno
import fcntl
import gc
import os
import resource
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import madang
import posix_ipc
import pytest
from madang.kernel.posix import mq
from support import NOBODY, Thread, alarm, as_user, fails, in_child, needs_root, wait_until

LIMITS = Path("/proc/sys/fs/mqueue")


@pytest.fixture
def name(name):
    """Queues are no files that could be found and removed."""
    yield name
    try:
        mq.Queue.unlink(name)
    except FileNotFoundError:
        pass


@pytest.fixture
def queue(name):
    with mq.Queue(name, max_messages=2, max_message_size=64, create="only") as queue:
        yield queue


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def test_smoke(name):
    assert madang.kernel.posix.mq is madang.posix.mq is mq and mq.MAX_PRIORITY == 32767
    with mq.Queue(name, max_messages=4, max_message_size="1K") as queue:
        assert (queue.name, queue.is_new, queue.max_messages, queue.max_message_size) == (name, True, 4, 1024)
        queue.send(b"low")
        queue.send(bytearray(b"high"), mq.MAX_PRIORITY)
        queue.send(b"low, later", priority=0, timeout=1.0)
        with mq.Queue(name) as same:
            assert not same.is_new
            assert same.recv() == (b"high", mq.MAX_PRIORITY)
            assert [same.recv(timeout=0), same.recv(timeout=1)] == [(b"low", 0), (b"low, later", 0)]
            with fails(errno.EAGAIN, "only to try", BlockingIOError):
                same.recv(timeout=0)
    mq.Queue.unlink(name)


def test_recv_into(queue):
    queue.send(b"hello", 3)
    buffer = bytearray(70)
    assert queue.recv_into(memoryview(buffer)[3:]) == (5, 3)
    assert buffer[3:9] == b"hello\0"
    queue.send(b"stays")
    with fails(errno.E2BIG, "longer") as raised:
        queue.recv_into(bytearray(63))
    assert raised.value.length == 64
    assert queue.recv() == (b"stays", 0)


def test_the_witness_opens_ours(name):
    with mq.Queue(name, max_messages=3, max_message_size=100, mode=0o640) as queue:
        theirs = posix_ipc.MessageQueue(f"/{name}")
        assert (theirs.max_messages, theirs.max_message_size, theirs.current_messages) == (3, 100, 0)
        assert os.fstat(theirs.mqd).st_mode & 0o7777 == 0o640
        queue.send(b"ours", 5)
        assert theirs.receive(1) == (b"ours", 5)
        theirs.send(b"theirs", priority=9)
        assert queue.recv(timeout=0) == (b"theirs", 9)
        theirs.close()
        theirs.unlink()
        with fails(errno.ENOENT, "there is none", FileNotFoundError):
            mq.Queue.unlink(name)


def test_we_open_the_witness_s(name):
    theirs = posix_ipc.MessageQueue(f"/{name}", posix_ipc.O_CREX, mode=0o600, max_messages=5, max_message_size=50)
    with mq.Queue(name, create="never") as queue:
        theirs.send(b"theirs", priority=2)
        status = queue.stat()
        assert (status.max_messages, status.max_message_size, status.messages, status.bytes) == (5, 50, 1, 6)
        assert (status.mode, status.uid, status.gid) == (0o600, os.geteuid(), os.getegid())
        assert queue.recv() == (b"theirs", 2)
        queue.send(b"ours", 1)
        assert theirs.current_messages == 1 and theirs.receive(1) == (b"ours", 1)
    theirs.close()
    mq.Queue.unlink(name)
    with pytest.raises(posix_ipc.ExistentialError):
        posix_ipc.MessageQueue(f"/{name}")


def test_a_child_sends(queue):
    in_child(lambda: queue.send(b"from the child", 4))
    assert queue.recv(timeout=10) == (b"from the child", 4)


def test_threads_wait_for_each_other(queue):
    receiver = Thread(queue.recv)
    wait_until(receiver.sleeps)
    queue.send(b"at last")
    assert receiver.join() == (b"at last", 0)
    sender = Thread(lambda: [queue.send(b"%d" % i) for i in range(100)])
    assert [queue.recv(timeout=10)[0] for _ in range(100)] == [b"%d" % i for i in range(100)]
    sender.join()


def test_timeout(queue):
    begun = time.monotonic()
    with fails(errno.ETIMEDOUT, "recv: the time is over", TimeoutError):
        queue.recv(timeout=0.02)
    assert time.monotonic() - begun >= 0.02
    queue.send(b"1", timeout=0)
    queue.send(b"2", timeout=0)
    with fails(errno.EAGAIN, "send of 4 bytes", BlockingIOError):
        queue.send(b"more", timeout=0)
    with fails(errno.ETIMEDOUT, "the time is over", TimeoutError):
        queue.send(b"more", timeout=0.02)
    for bad in (-1, float("nan")):
        with pytest.raises(ValueError, match="seconds"):
            queue.recv(timeout=bad)


def test_signal_handlers_run_meanwhile(queue):
    ran = []

    def handler(*_):
        ran.append(1)
        if len(ran) == 3:
            queue.send(b"by the handler")

    with alarm(0.02, handler):
        assert queue.recv(timeout=10) == (b"by the handler", 0)
    assert len(ran) >= 3

    def interrupt(*_):
        raise KeyError

    with alarm(0.02, interrupt), pytest.raises(KeyError):
        queue.recv()


def test_select(queue):
    assert select.select([queue], [queue], [], 0) == ([], [queue], [])
    queue.send(b"1")
    queue.send(b"2")
    assert select.select([queue], [queue], [], 0) == ([queue], [], [])
    assert fcntl.fcntl(queue, fcntl.F_GETFD) == fcntl.FD_CLOEXEC


def test_notify(queue):
    def registered():
        # A child has one thread, so nobody else takes the signal.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
        queue.notify(signal.SIGUSR1, 42)
        assert queue.stat().notified_pid == os.getpid()
        with fails(errno.EBUSY, "a process is registered already"):
            queue.notify(None)
        sender = os.fork()
        if sender == 0:
            queue.send(b"1")
            os._exit(0)
        info = signal.sigtimedwait([signal.SIGUSR1], 10)
        assert (info.si_signo, info.si_code, info.si_pid) == (signal.SIGUSR1, -3, sender)  # SI_MESGQ
        os.waitpid(sender, 0)
        assert queue.stat().notified_pid == 0
        queue.recv()
        queue.notify(None)
        queue.send(b"2")
        queue.cancel_notify()
        queue.cancel_notify()
        assert signal.sigtimedwait([signal.SIGUSR1], 0) is None
        with fails(errno.EINVAL, "there is no signal 1000"):
            queue.notify(1000)

    in_child(registered)
    assert queue.recv(timeout=0) == (b"2", 0)


def test_its_mode_is_exact(name):
    old = os.umask(0o077)
    try:
        with mq.Queue(name, mode=0o622) as queue:
            assert queue.stat().mode == 0o622
    finally:
        os.umask(old)


def test_stat_is_a_value(queue):
    assert queue.stat() == queue.stat() and hash(queue.stat()) == hash(queue.stat())
    assert repr(queue.stat()).startswith("QueueStatus(max_messages=2, max_message_size=64, messages=0, bytes=0")
    with mq.Queue(queue.name, access="send") as sender:
        assert (sender.stat().bytes, sender.stat().notified_pid) == (None, None)


def test_create(name):
    with fails(errno.ENOENT, "there is none", FileNotFoundError):
        mq.Queue(name, create="never")
    with mq.Queue(name, max_messages=2, max_message_size=16):
        with fails(errno.EEXIST, "the name is taken", FileExistsError):
            mq.Queue(name, create="only")
        with fails(errno.EINVAL, "it holds 2 messages of 16 bytes"):
            mq.Queue(name, max_message_size=17)


def test_bad_input(queue, name):
    for bad in ["", "a/b", "/a", ".", "nul\0"]:
        for call in (mq.Queue, mq.Queue.unlink):
            with fails(errno.EINVAL, "name"):
                call(bad)
    with fails(errno.ENAMETOOLONG, "255"):
        mq.Queue("n" * 256)
    with fails(errno.EINVAL, "msg_max"):
        mq.Queue(name + "2", max_messages=1 << 40)
    with fails(errno.EINVAL, "mode"):
        mq.Queue(name + "2", mode=0o10000)
    for bad in ({"max_messages": 0}, {"max_message_size": "4X"}, {"access": "none"}, {"create": "maybe"}, {"mode": -1}):
        with pytest.raises(ValueError):
            mq.Queue(name + "2", **bad)
    for bad in ({"max_messages": "2"}, {"mode": "x"}, {"access": 1}):
        with pytest.raises(TypeError):
            mq.Queue(name + "2", **bad)
    for bad in (None, 3, b"bytes"):
        with pytest.raises(TypeError):
            mq.Queue(bad)
    with fails(errno.EMSGSIZE, "it has 64 at most"):
        queue.send(bytes(65))
    with fails(errno.EINVAL, "32767 at most"):
        queue.send(b"", mq.MAX_PRIORITY + 1)
    with pytest.raises(ValueError, match="priority of -1"):
        queue.send(b"", -1)
    with pytest.raises(TypeError):
        queue.send("text")
    with pytest.raises(BufferError):
        queue.recv_into(bytes(64))
    with mq.Queue(name, access="send") as sender, mq.Queue(name, access="receive") as receiver:
        with fails(errno.EBADF, "opened only to send"):
            sender.recv(timeout=0)
        with fails(errno.EBADF, "opened only to receive"):
            receiver.send(b"")
        sender.send(b"ok")
        assert receiver.recv() == (b"ok", 0)


@needs_root
def test_as_another_user(name):
    with mq.Queue(name, mode=0o602):
        with fails(errno.EACCES, "does not permit", PermissionError):
            as_user(NOBODY, lambda: mq.Queue(name).close())
        with fails(errno.EPERM, "only its owner", PermissionError):
            as_user(NOBODY, lambda: mq.Queue.unlink(name))

        def send():
            with mq.Queue(name, access="send") as queue:
                queue.send(b"allowed")

        as_user(NOBODY, send)
        with mq.Queue(name) as queue:
            assert queue.recv(timeout=0) == (b"allowed", 0)

    def poor():
        resource.setrlimit(resource.RLIMIT_MSGQUEUE, (0, 0))
        mq.Queue(name + "2")

    with fails(errno.EMFILE, "RLIMIT_MSGQUEUE"):
        as_user(NOBODY, poor)


def test_from_fd(queue):
    with mq.Queue.from_fd(os.dup(queue.fileno())) as received:
        assert (received.name, received.is_new, received.max_messages) == ("", False, 2)
        received.send(b"by fd", 3)
        assert queue.recv(timeout=0) == (b"by fd", 3)
    with open("/dev/null") as null, fails(errno.EBADF, "not one of a message queue"):
        mq.Queue.from_fd(null.fileno())
    with fails(errno.EBADF, "fd -1"):
        mq.Queue.from_fd(-1)


def test_closed(queue):
    assert repr(queue) == f'<madang.posix.mq.Queue "{queue.name}": 2 messages of 64 bytes>'
    queue.close()
    queue.close()
    assert queue.closed and repr(queue) == f'<madang.posix.mq.Queue "{queue.name}": closed>'
    for use in [
        lambda: queue.send(b""),
        lambda: queue.recv(),
        lambda: queue.recv_into(bytearray(64)),
        queue.stat,
        queue.fileno,
        queue.cancel_notify,
        lambda: queue.notify(None),
        queue.__enter__,
    ]:
        with fails(errno.EBADF, "it is closed"):
            use()


def test_closed_while_another_thread_waits(queue):
    receiver = Thread(queue.recv)
    wait_until(receiver.sleeps)
    queue.close()
    with fails(errno.EBADF, "it is closed"):
        receiver.join()


def test_nothing_leaks(queue):
    before = descriptors()
    for _ in range(10):
        with mq.Queue(queue.name) as other:
            other.stat()
        mq.Queue(queue.name)
        with pytest.raises(FileExistsError):
            mq.Queue(queue.name, create="only")
    gc.collect()
    assert descriptors() == before


@needs_root
def test_list(queue):
    queue.send(b"12345")
    text = f"""
import errno, os, subprocess
from madang.kernel.posix import mq
try:
    mq.list()
except FileNotFoundError as error:
    assert "mount -t mqueue none /dev/mqueue" in error.strerror
else:
    raise AssertionError
os.mkdir("/dev/mqueue")
subprocess.run(["mount", "-t", "mqueue", "none", "/dev/mqueue"], check=True)
[mine] = [queue for queue in mq.list() if queue.name == "{queue.name}"]
assert (mine.mode, mine.uid, mine.size) == (0o600, 0, 5), mine
"""
    # In a mount namespace of its own it may be mounted.
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0:
        pytest.skip("may not unshare here")
    shell = 'mount -t tmpfs tmpfs /dev && exec "$0" -c "$1"'
    subprocess.run(["unshare", "--mount", "sh", "-c", shell, sys.executable, text], check=True, timeout=30)
