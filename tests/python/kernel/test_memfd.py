"""madang.memfd."""

import errno
import fcntl
import gc
import mmap
import os
import socket
import subprocess
import sys
from pathlib import Path

import madang
import pytest
from madang.kernel.memfd import Memfd
from support import fails, in_child


@pytest.fixture
def memory():
    with Memfd("test", size=4096) as memory:
        yield memory


def write(memory, data):
    with memory.map() as mapping, memoryview(mapping) as view:
        view[: len(data)] = data


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def test_smoke():
    assert madang.kernel.memfd is madang.memfd
    with Memfd("smoke", size="5K") as memory:
        assert memory.size == 5120 and os.readlink(f"/proc/self/fd/{memory.fileno()}") == "/memfd:smoke (deleted)"
        write(memory, b"hello")
        with memory.map(0, 5, read_only=True) as mapping:
            assert (bytes(mapping), mapping.read_only) == (b"hello", True)
        memory.set_size("1M")
        memory.set_size(3)
        assert os.pread(memory.fileno(), 100, 0) == b"hel"
        assert fcntl.fcntl(memory, fcntl.F_GETFD) == fcntl.FD_CLOEXEC


def test_seals(memory):
    at_first = memory.seals
    assert at_first in (frozenset(), frozenset(["exec"]))
    memory.seal("grow", "shrink")
    assert memory.seals == at_first | {"grow", "shrink"}
    for size in (4095, 4097):
        with fails(errno.EPERM, "it is sealed .SHRINK . GROW", PermissionError):
            memory.set_size(size)
    mapping = memory.map()
    with fails(errno.EBUSY, "it is mapped to be written"):
        memory.seal("write")
    memory.seal("future-write")
    with fails(errno.EPERM, "it is sealed", PermissionError):
        memory.map()
    memoryview(mapping)[:5] = b"still"
    mapping.close()
    gc.collect()
    memory.seal("write", "seal")
    with memory.map(read_only=True) as mapping:
        assert bytes(mapping)[:5] == b"still"
    with fails(errno.EPERM, "it is sealed with SEAL", PermissionError):
        memory.seal("exec")
    with pytest.raises(OSError) as raised:
        os.pwrite(memory.fileno(), b"x", 0)
    assert raised.value.errno == errno.EPERM
    with pytest.raises(PermissionError):
        mmap.mmap(memory.fileno(), 4096)


def test_over_a_socket(memory):
    """A stranger's: the receiver checks the seals, and can't write."""
    write(memory, b"for the child")
    ours, theirs = socket.socketpair()

    def child():
        _, [fd], _, _ = socket.recv_fds(theirs, 10, 1)
        with fails(errno.EPERM, "not sealed with GROW", PermissionError):
            Memfd.from_fd(fd, ["write", "grow"])
        with Memfd.from_fd(fd, ["write"]) as received, received.map(read_only=True) as mapping:
            with fails(errno.EPERM, "it is sealed", PermissionError):
                received.map()
            return bytes(mapping)[:13], sorted(received.seals - {"exec"})

    memory.seal("write", "shrink")
    with ours, theirs:
        socket.send_fds(ours, [b"frame"], [memory.fileno()])
        assert in_child(child) == (b"for the child", ["shrink", "write"])


def test_handed_to_a_program(memory):
    write(memory, b"for the program")
    memory.seal("write", "shrink", "grow", "seal")
    text = """
import sys
from madang.kernel.memfd import Memfd
with Memfd.from_fd(int(sys.argv[1]), ["write", "grow", "seal"]) as memory, memory.map(read_only=True) as mapping:
    print(bytes(mapping)[:15].decode())
"""
    fd = memory.fileno()
    command = [sys.executable, "-c", text, str(fd)]
    done = subprocess.run(command, pass_fds=[fd], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "for the program\n"


def test_from_fd(memory):
    fd = os.dup(memory.fileno())
    with fails(errno.EPERM, "not sealed with SHRINK", PermissionError):
        Memfd.from_fd(fd)
    os.fstat(fd)  # it stayed ours
    with Memfd.from_fd(fd, trusted=True) as same:
        write(same, b"shared")
    with memory.map() as mapping:
        assert bytes(mapping)[:6] == b"shared"
    for path in ("/dev/null", "/dev", sys.executable):
        fd = os.open(path, os.O_RDONLY)
        with fails(errno.EINVAL, "not one of a memfd"):
            Memfd.from_fd(fd, trusted=True)
        os.close(fd)
    for bad in (-1, 1000):
        with fails(errno.EBADF, f"fd {bad}"):
            Memfd.from_fd(bad)
    with pytest.raises(ValueError, match="asks for no seals"):
        Memfd.from_fd(0, ["grow"], trusted=True)


def test_a_read_only_descriptor(memory):
    memory.seal("shrink")
    fd = os.open(f"/proc/self/fd/{memory.fileno()}", os.O_RDONLY)
    with Memfd.from_fd(fd) as reader:
        with fails(errno.EACCES, "read-only", PermissionError):
            reader.map()
        with fails(errno.EPERM, "read-only", PermissionError):
            reader.seal("grow")
        assert len(reader.map(read_only=True)) == 4096


def test_detach(memory):
    fd = memory.detach()
    assert memory.closed and os.fstat(fd).st_size == 4096
    os.close(fd)


def test_executable():
    with Memfd("program", executable=True) as memory:
        assert os.fstat(memory.fileno()).st_mode & 0o777 == 0o777
        assert "exec" not in memory.seals


def test_huge_pages():
    free = int(Path("/proc/sys/vm/nr_hugepages").read_text())
    try:
        with Memfd("huge", size="2M", huge_pages="2M") as memory:
            write(memory, b"huge")
    except OSError as error:
        assert free == 0 and "huge pages" in error.strerror
        pytest.skip("the machine has no huge pages")


def test_bad_input(memory):
    with fails(errno.EINVAL, "249 at most"):
        Memfd("n" * 250)
    with fails(errno.EINVAL, "NUL"):
        Memfd("nul\0")
    with Memfd("large", size=2**62) as large, fails(errno.ENOMEM, "no 4611686018427387904 bytes"):
        large.map()
    with fails(errno.EINVAL, "a power of two"):
        Memfd("odd", size="3M", huge_pages="3M")
    for bad in ({"size": 0}, {"size": "4X"}, {"huge_pages": 0}):
        with pytest.raises((ValueError, TypeError)):
            Memfd("bad", **bad)
    for bad in (None, 3, b"bytes"):
        with pytest.raises(TypeError):
            Memfd(bad)
    with pytest.raises(ValueError, match='"lock" is no seal'):
        memory.seal("lock")
    with pytest.raises(TypeError):
        memory.seal(1)
    with fails(errno.EINVAL, "page size"):
        memory.map(1)
    with fails(errno.EINVAL, "don't lie within its 4096"):
        memory.map(0, 4097)
    with Memfd("empty") as empty, fails(errno.EINVAL, "it is empty"):
        empty.map()


def test_closed(memory):
    assert repr(memory).startswith("<madang.memfd.Memfd: 4096 bytes, seals: ")
    memory.close()
    memory.close()
    assert memory.closed and repr(memory) == "<madang.memfd.Memfd: closed>"
    for use in [
        lambda: memory.size,
        lambda: memory.seals,
        lambda: memory.seal("grow"),
        lambda: memory.set_size(1),
        memory.map,
        memory.fileno,
        memory.detach,
        memory.__enter__,
    ]:
        with fails(errno.EBADF, "it is closed"):
            use()


def test_nothing_leaks(memory):
    before = descriptors()
    for _ in range(10):
        with Memfd("other", size=100) as other:
            other.map()
            with pytest.raises(PermissionError):
                Memfd.from_fd(other.fileno())
        Memfd("forgotten")
    gc.collect()
    assert descriptors() == before
