"""madang.sysv.shm."""

import errno
import gc

import numpy
import pytest
import support
from madang.kernel.sysv.shm import Segment
from support import NOBODY, as_user, fails, in_child


@pytest.fixture
def segment(key):
    return Segment(key, size="64K")


def test_smoke(segment, key):
    with segment.attach() as memory, memoryview(memory) as view:
        assert (len(memory), memory.read_only, segment.size, view.readonly) == (65536, False, 65536, False)
        assert bytes(view) == bytes(65536)
        view[:5] = b"hello"

        def child():
            with Segment(key).attach() as memory, memoryview(memory) as view:
                view[5:10] = b"child"
                return bytes(view[:10])

        assert in_child(child) == b"hellochild"
        assert bytes(view[:10]) == b"hellochild"


def test_views_keep_it_attached(segment):
    memory = segment.attach()
    numbers = numpy.frombuffer(memory, "u8")
    segment.remove()
    assert (segment.stat().is_removed, segment.stat().attached) == (True, 1)
    memory.close()
    assert memory.closed
    with fails(errno.EBADF, "it is closed"):
        len(memory)
    numbers[8191] = 7
    assert segment.stat().attached == 1
    del memory, numbers
    gc.collect()
    with fails(errno.EIDRM, "it was removed"):
        segment.stat()
    with fails(errno.EIDRM, "it was removed"):
        segment.attach()


def test_several(segment):
    with segment.attach() as one, segment.attach() as other:
        assert segment.stat().attached == 2
        memoryview(one)[100:104] = b"both"
        assert bytes(memoryview(other)[100:104]) == b"both"
    gc.collect()
    assert segment.stat().attached == 0


def test_read_only(segment):
    with segment.attach(read_only=True) as memory:
        assert memory.read_only
        with pytest.raises(TypeError), memoryview(memory) as view:
            view[0] = 1
        assert not numpy.frombuffer(memory, "u1").flags.writeable
        gc.collect()


def address(memory):
    return numpy.frombuffer(memory, "u1").ctypes.data


def test_at_an_address(segment):
    with segment.attach() as memory:
        place = address(memory)
        with fails(errno.EINVAL, "something is mapped there"):
            segment.attach(address=place)
    gc.collect()
    with fails(errno.EINVAL, "not a multiple of the page size"):
        segment.attach(address=place + 1)
    with segment.attach(address=place + 1, round=True) as memory:
        assert address(memory) == place


def test_sizes(keys):
    key = keys()
    with fails(errno.ENOENT, "to create it, give it a size", FileNotFoundError):
        Segment(key)
    segment = Segment(key, size=5000)
    assert (Segment(key).size, Segment(key, size=4999).id) == (5000, segment.id)
    with fails(errno.EINVAL, "less than the 5001 bytes"):
        Segment(key, size=5001)
    with fails(errno.EINVAL, "/sys/kernel/mm/hugepages"):
        Segment(None, size=4096, huge_pages="8K")
    with pytest.raises(ValueError, match="it is 1 or more"):
        Segment(key, size=0)
    with pytest.raises(ValueError, match="not a size"):
        Segment(key, size="much")
    reserved = Segment(None, size=4096, no_reserve=True)
    reserved.remove()


def test_lock(segment):
    segment.lock()
    assert (segment.stat().is_locked, segment.stat().mode) == (True, 0o600)
    assert "is_locked=True, " in repr(segment.stat()) or "is_locked=True)" in repr(segment.stat())
    segment.unlock()
    assert not segment.stat().is_locked


@support.needs_root
def test_permissions(key):
    segment = Segment(key, size=4096, mode=0o604)
    with fails(errno.EACCES, "its mode does not permit it", PermissionError):
        as_user(NOBODY, lambda: segment.attach().close())
    as_user(NOBODY, lambda: segment.attach(read_only=True).close())
    with fails(errno.EPERM, "RLIMIT_MEMLOCK", PermissionError):
        as_user(NOBODY, segment.lock)
