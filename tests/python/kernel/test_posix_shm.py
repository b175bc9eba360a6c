"""madang.posix.shm, with posix_ipc as a witness."""

import errno
import fcntl
import gc
import mmap
import os

import madang
import posix_ipc
import pytest
from madang.kernel.posix import shm
from support import NOBODY, SHM, as_user, fails, in_child, is_mapped, needs_root, small_file_system


@pytest.fixture
def object(name):
    with shm.Object(name, size="8K", create="only") as object:
        yield object


def test_smoke(name):
    assert madang.kernel.posix.shm is madang.posix.shm is shm
    with shm.Object(name, size=5000) as object:
        assert (object.name, object.is_new, object.size, object.read_only) == (name, True, 5000, False)
        with object.map() as mapping, memoryview(mapping) as view:
            assert (len(mapping), mapping.read_only, bytes(view)) == (5000, False, bytes(5000))
            view[4990:] = b"0123456789"
    with shm.Object(name, read_only=True) as same, same.map(4096, 904, read_only=True) as part:
        assert (same.is_new, same.read_only, part.read_only) == (False, True, True)
        assert bytes(part)[-10:] == b"0123456789"
    shm.Object.unlink(name)


def test_what_is_mapped_stays(object):
    mapping = object.map()
    view = memoryview(mapping)
    object.close()
    mapping.close()
    view[0] = 7
    assert is_mapped(SHM / object.name)
    view.release()
    assert not is_mapped(SHM / object.name)


def test_the_witness_opens_ours(name):
    with shm.Object(name, size=4096, mode=0o640) as object, object.map() as mapping:
        memoryview(mapping)[:4] = b"ours"
        theirs = posix_ipc.SharedMemory(f"/{name}")
        assert (theirs.size, os.fstat(theirs.fd).st_mode & 0o7777) == (4096, 0o640)
        with mmap.mmap(theirs.fd, 0) as memory:
            assert memory[:4] == b"ours"
            memory[:6] = b"theirs"
        assert bytes(mapping)[:6] == b"theirs"
        theirs.close_fd()
        theirs.unlink()
        assert object.stat().is_unlinked


def test_we_open_the_witness_s(name):
    theirs = posix_ipc.SharedMemory(f"/{name}", posix_ipc.O_CREX, mode=0o600, size=10_000)
    os.pwrite(theirs.fd, b"theirs", 0)
    with shm.Object(name, create="never") as object, object.map() as mapping:
        status = object.stat()
        assert (status.size, status.mode, status.uid, status.is_unlinked) == (10_000, 0o600, os.geteuid(), False)
        assert bytes(mapping)[:6] == b"theirs"
        object.set_size("16K")
    assert theirs.size == 16 << 10
    theirs.close_fd()
    shm.Object.unlink(name)
    with pytest.raises(posix_ipc.ExistentialError):
        posix_ipc.SharedMemory(f"/{name}")


def test_it_is_a_segment(object):
    with madang.Segment(object.name) as segment, object.map() as mapping:
        memoryview(segment)[:2] = b"ok"
        assert bytes(mapping)[:2] == b"ok"


def test_a_child_writes(object):
    def write():
        with shm.Object(object.name) as same, same.map() as mapping:
            memoryview(mapping)[:14] = b"from the child"

    in_child(write)
    with object.map() as mapping:
        assert bytes(mapping)[:14] == b"from the child"


def test_grow_and_shrink(name):
    with shm.Object(name) as object:
        with fails(errno.EINVAL, "it is empty"):
            object.map()
        object.set_size("1M")
        assert (object.size, object.stat().allocated) == (1 << 20, 1 << 20)
        with object.map() as mapping:
            memoryview(mapping)[-1] = 7
        object.set_size(1)
        object.set_size("1M")
        with object.map() as mapping:
            assert memoryview(mapping)[-1] == 0
        with fails(errno.ENOSPC, "--shm-size"):
            object.set_size(1 << 50)
        assert object.size == 1 << 20


@needs_root
def test_a_full_file_system(name):
    with small_file_system(SHM, 1 << 20):
        with fails(errno.ENOSPC, "--shm-size"):
            shm.Object(name, size="2M")
        assert os.listdir(SHM) == []


def test_its_mode_is_exact(name):
    old = os.umask(0o077)
    try:
        with shm.Object(name, size=1, mode=0o666) as object:
            assert object.stat().mode == 0o666
    finally:
        os.umask(old)


def test_list(object):
    [mine] = [listed for listed in shm.list() if listed.name == object.name]
    assert (mine.size, mine.mode, mine.uid, mine.gid) == (8192, 0o600, os.geteuid(), os.getegid())
    assert mine in shm.list() and repr(mine).startswith(f'Listed(name="{object.name}", mode=0o600')
    with madang.Queue(object.name), madang.posix.sem.Semaphore(object.name):
        assert [listed.name for listed in shm.list() if object.name in listed.name] == [object.name]
    assert repr(object.stat()).startswith("ObjectStatus(size=8192, allocated=8192, is_unlinked=False, mode=0o600")


def test_create(name):
    for options in ({"create": "never"}, {"read_only": True}):
        with fails(errno.ENOENT, "there is none", FileNotFoundError):
            shm.Object(name, **options)
    with fails(errno.EINVAL, "read-only"):
        shm.Object(name, create="only", read_only=True)
    with shm.Object(name, size=100):
        with fails(errno.EEXIST, "taken", FileExistsError):
            shm.Object(name, create="only")
        with fails(errno.EINVAL, "it has 100 bytes, 101 were asked for"):
            shm.Object(name, size=101)


def test_bad_input(object, name):
    for bad in ["", "a/b", "/a", ".", "nul\0", "madang.x"]:
        for call in (shm.Object, shm.Object.unlink):
            with fails(errno.EINVAL, "name"):
                call(bad)
    with fails(errno.EINVAL, "mode"):
        shm.Object(name + "2", mode=0o10000)
    for bad in ({"size": 0}, {"size": "4X"}, {"create": "maybe"}, {"mode": -1}):
        with pytest.raises(ValueError):
            shm.Object(name + "2", **bad)
    for bad in (None, 3, b"bytes"):
        with pytest.raises(TypeError):
            shm.Object(bad)
    with fails(errno.EINVAL, "page size"):
        object.map(1)
    with fails(errno.EINVAL, "don't lie within its 8192"):
        object.map(4096, 4097)
    with fails(errno.EINVAL, "don't lie within"):
        object.map(8192)
    with pytest.raises(ValueError, match="offset of -1"):
        object.map(-1)
    with pytest.raises(TypeError):
        object.map(0, 1.5)
    with shm.Object(name, read_only=True) as reader:
        for use in (reader.map, lambda: reader.set_size(1)):
            with fails(errno.EACCES, "opened read-only", PermissionError):
                use()


def test_something_else_has_the_name(name):
    path = SHM / name
    path.mkdir()
    with fails(errno.EISDIR, "is a directory", IsADirectoryError):
        shm.Object(name, size=1)
    path.rmdir()
    path.symlink_to("/dev/null")
    with fails(errno.ELOOP, "symbolic link"):
        shm.Object(name, size=1)


@needs_root
def test_as_another_user(name):
    with shm.Object(name, size=8, mode=0o604):
        with fails(errno.EACCES, "does not permit", PermissionError):
            as_user(NOBODY, lambda: shm.Object(name).close())
        with fails(errno.EPERM, "only the owner", PermissionError):
            as_user(NOBODY, lambda: shm.Object.unlink(name))
        assert as_user(NOBODY, lambda: bytes(shm.Object(name, read_only=True).map(read_only=True))) == bytes(8)


def test_from_fd(object):
    with shm.Object.from_fd(os.dup(object.fileno())) as received, received.map() as mapping:
        assert (received.name, received.is_new, received.read_only, received.size) == ("", False, False, 8192)
        memoryview(mapping)[:2] = b"ok"
    with shm.Object.from_fd(os.open(SHM / object.name, os.O_RDONLY)) as reader:
        assert reader.read_only and bytes(reader.map(read_only=True))[:2] == b"ok"
    with open("/dev/null") as null, fails(errno.ENODEV, "not one of a regular file"):
        shm.Object.from_fd(null.fileno())
    with fails(errno.EBADF, "fd 1000"):
        shm.Object.from_fd(1000)


def test_closed(object):
    assert repr(object) == f'<madang.posix.shm.Object "{object.name}": 8192 bytes>'
    assert fcntl.fcntl(object, fcntl.F_GETFD) == fcntl.FD_CLOEXEC
    object.close()
    object.close()
    assert object.closed and repr(object) == f'<madang.posix.shm.Object "{object.name}": closed>'
    for use in [lambda: object.size, object.map, object.stat, object.fileno, object.__enter__]:
        with fails(errno.EBADF, "it is closed"):
            use()


def test_nothing_leaks(object):
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(10):
        with shm.Object(object.name) as other:
            other.map()
        with pytest.raises(OSError):
            shm.Object(object.name, size="1M")
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before
    assert not is_mapped(SHM / object.name)
