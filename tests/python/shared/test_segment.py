"""madang.Segment."""

import copy
import errno
import gc
import multiprocessing
import os
import pickle
import socket
import subprocess
import sys

import madang
import numpy
import pytest
import support
from support import SHM, as_user, fails, in_child, is_mapped


@pytest.fixture
def segment(name):
    with madang.Segment(name, length="64K", create="only") as segment:
        yield segment


def test_smoke(name):
    with madang.Segment(name, length=4096) as segment, memoryview(segment) as view:
        assert (len(segment), len(view), view.format, view.readonly) == (4096, 4096, "B", False)
        assert bytes(view) == bytes(4096)
        view[:5] = b"hello"
        with madang.Segment(name) as same:
            assert bytes(same)[:5] == b"hello"
    madang.Segment.unlink(name)


def test_it_is_the_plain_file(segment):
    path = SHM / segment.name
    assert path.stat().st_size == 64 << 10
    assert path.stat().st_mode & 0o7777 == 0o600
    support.patch(path, 100, b"from outside")
    assert bytes(segment)[100:112] == b"from outside"
    memoryview(segment)[:4] = b"back"
    assert path.read_bytes()[:4] == b"back"


@pytest.mark.parametrize(("length", "bytes"), [(1, 1), ("5", 5), ("3K", 3072), (4097, 4097), ("8M", 8 << 20)])
def test_lengths(name, length, bytes):
    with madang.Segment(name, length=length) as segment:
        assert len(segment) == bytes
        assert memoryview(segment).nbytes == bytes


def test_an_existing_segment_is_taken_as_it_is(segment):
    with madang.Segment(segment.name) as other, madang.Segment(segment.name, length=10) as third:
        assert (segment.is_new, other.is_new, third.is_new) == (True, False, False)
        assert len(other) == len(third) == 64 << 10


def test_its_memory_is_taken_at_once(segment):
    assert (SHM / segment.name).stat().st_blocks * 512 == 64 << 10


## Views


def test_an_array_over_it(segment):
    array = numpy.frombuffer(segment, "f4")
    assert array.shape == (16384,) and array.flags.writeable
    array[:] = 1.5
    assert numpy.frombuffer(madang.Segment(segment.name), "f4").sum() == 1.5 * 16384


def test_an_array_keeps_the_mapping(name):
    segment = madang.Segment(name, length="64K")
    array = numpy.frombuffer(segment, "u1")
    del segment
    gc.collect()
    assert is_mapped(SHM / name)
    array[:] = 7
    assert array.sum() == 7 * (64 << 10)
    del array
    assert not is_mapped(SHM / name)


def test_closing_with_exported_views(name):
    segment = madang.Segment(name, length="64K")
    view, array = memoryview(segment), numpy.frombuffer(segment, "u1")
    segment.close()
    with fails(errno.EBADF, "closed"):
        memoryview(segment)
    view[0] = 42
    assert array[0] == 42
    view.release()
    assert is_mapped(SHM / name)
    del array
    assert not is_mapped(SHM / name)


def test_a_view_of_a_view(name):
    segment = madang.Segment(name, length=100)
    part = memoryview(segment)[10:20].cast("H")
    segment.close()
    part[0] = 0x0102
    assert madang.Segment(name) and is_mapped(SHM / name)
    part.release()
    gc.collect()
    assert not is_mapped(SHM / name)


def test_unlinked_it_is_still_there_for_who_has_it(segment):
    view = memoryview(segment)
    madang.Segment.unlink(segment.name)
    view[:2] = b"ok"
    with madang.Segment(segment.name, length=10) as other:
        assert other.is_new and bytes(other) == bytes(10)
    assert bytes(view[:2]) == b"ok"


def test_read_only(segment):
    memoryview(segment)[:2] = b"ok"
    with madang.Segment(segment.name, read_only=True) as other:
        assert (other.read_only, segment.read_only) == (True, False)
        view = memoryview(other)
        assert view.readonly and bytes(view[:2]) == b"ok"
        with pytest.raises(TypeError):
            view[0] = 1
        assert not numpy.frombuffer(other, "u1").flags.writeable
        with open("/dev/zero", "rb", buffering=0) as zero, pytest.raises((TypeError, BufferError)):
            zero.readinto(other)
        with pickle.loads(pickle.dumps(other)) as unpickled:
            assert unpickled.read_only


def test_a_segment_is_sent_and_received_into(segment):
    with madang.Queue(segment.name) as queue:
        memoryview(segment)[:] = bytes(range(256)) * 256
        queue.send(segment)
        memoryview(segment)[:] = bytes(64 << 10)
        assert queue.recv_into(segment).length == 64 << 10
        assert bytes(segment) == bytes(range(256)) * 256


## Processes


@pytest.mark.parametrize("method", support.START_METHODS)
def test_multiprocessing(name, method):
    context = multiprocessing.get_context(method)
    with madang.Segment(name, length="64K") as segment, madang.Queue(name) as done:
        array = numpy.frombuffer(segment, "u1")
        array[:] = 0x0F
        process = context.Process(target=support.invert, args=(segment, done))
        process.start()
        done.recv(timeout=30)
        assert (array == 0xF0).all()
        process.join(30)
        assert process.exitcode == 0
        process.close()


def test_a_forked_child_writes_the_same_memory(segment):
    view = memoryview(segment)
    in_child(lambda: view.__setitem__(0, 9))
    assert view[0] == 9


## Handles


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickled_it_is_its_name(segment, protocol):
    other = pickle.loads(pickle.dumps(segment, protocol))
    assert (other.name, other.is_new, other.read_only, len(other)) == (segment.name, False, False, 64 << 10)
    memoryview(other)[:2] = b"ok"
    assert bytes(segment)[:2] == b"ok"


def test_copied_it_is_another_handle(segment):
    other = copy.copy(segment)
    segment.close()
    assert len(other) == 64 << 10


def test_unpickling_never_creates(segment):
    pickled = pickle.dumps(segment)
    madang.Segment.unlink(segment.name)
    with fails(errno.ENOENT, "does not create", FileNotFoundError):
        pickle.loads(pickled)


def test_it_persists(name):
    with madang.Segment(name, length=10) as segment:
        memoryview(segment)[:4] = b"kept"
    with madang.Segment(name) as segment:
        assert bytes(segment) == b"kept" + bytes(6)


def test_closed(segment):
    assert repr(segment) == f'<madang.Segment "{segment.name}": 65536 bytes>'
    segment.close()
    segment.close()
    assert segment.closed and segment
    for use in [
        lambda: len(segment),
        lambda: memoryview(segment),
        lambda: pickle.dumps(segment),
        lambda: segment.__enter__(),
    ]:
        with fails(errno.EBADF, "this handle is closed"):
            use()
    assert (segment.is_new, segment.read_only) == (True, False)
    assert repr(segment) == f'<madang.Segment "{segment.name}": closed>'


def test_leaving_the_block_closes(name):
    with pytest.raises(KeyError), madang.Segment(name, length=10) as segment:
        raise KeyError
    assert segment.closed
    assert not is_mapped(SHM / name)


def test_nothing_leaks(segment):
    def use():
        with memoryview(segment) as view:
            view[0] = 1
        numpy.frombuffer(segment, "u1")

    def held():
        gc.collect()
        return sys.getallocatedblocks() + sys.getrefcount(segment)

    use()
    before = held()
    for _ in range(500):
        use()
    assert held() - before < 100


## Bad input: each its own errno and sentence


def test_bad_names():
    for bad in ["", "a/b", "/a", ".", "..", "nul\0", "madang.x"]:
        for call in (lambda name: madang.Segment(name, length=1), madang.Segment.unlink):
            with fails(errno.EINVAL, "name"):
                call(bad)
    with fails(errno.ENAMETOOLONG, "256 bytes: it may have 255"):
        madang.Segment("n" * 256)
    for bad in [None, 3, b"bytes"]:
        with pytest.raises(TypeError, match="name"):
            madang.Segment(bad)
    with pytest.raises(UnicodeEncodeError):
        madang.Segment("\udcff")


def test_an_unknown_name(name):
    for options in ({}, {"create": "never"}, {"create": "never", "length": 10}, {"read_only": True}):
        with fails(errno.ENOENT, f'"{name}"', FileNotFoundError):
            madang.Segment(name, **options)
    with fails(errno.ENOENT, f'unlink "{name}"', FileNotFoundError):
        madang.Segment.unlink(name)


def test_a_name_that_is_taken(segment):
    with fails(errno.EEXIST, "taken", FileExistsError):
        madang.Segment(segment.name, length=10, create="only")
    assert len(segment) == 64 << 10


def test_bad_options(name):
    with fails(errno.EINVAL, "give the segment a length"):
        madang.Segment(name, create="only")
    for number in (-1, 2**32):
        with pytest.raises(ValueError, match=f"mode of {number}"):
            madang.Segment(name, length=10, mode=number)
    for number in (2**63, 10**5000):
        with pytest.raises(ValueError, match="64 bits"):
            madang.Segment(name, length=number)
    with fails(errno.EINVAL, "read-only"):
        madang.Segment(name, length=10, create="only", read_only=True)
    with fails(errno.EINVAL, "mode"):
        madang.Segment(name, length=10, mode=0o10000)
    with pytest.raises(ValueError, match="create"):
        madang.Segment(name, length=10, create="maybe")
    for bad in (0, -1, "4X", ""):
        with pytest.raises(ValueError, match="size"):
            madang.Segment(name, length=bad)
    with pytest.raises(TypeError, match="length"):
        madang.Segment(name, length=1.5)
    assert not (SHM / name).exists()


def test_a_segment_that_is_too_small(name):
    with madang.Segment(name, length=100):
        with fails(errno.EINVAL, "has 100 bytes, 101 were asked for"):
            madang.Segment(name, length=101)
    os.truncate(SHM / name, 0)
    with fails(errno.EINVAL, "it is empty"):
        madang.Segment(name)


def test_something_else_has_the_name(name):
    path = SHM / name
    path.mkdir()
    with fails(errno.EISDIR, "is a directory", IsADirectoryError):
        madang.Segment(name, length=1)
    with fails(errno.EISDIR, "unlink", IsADirectoryError):
        madang.Segment.unlink(name)
    path.rmdir()
    os.mkfifo(path)
    with fails(errno.ENODEV, "not a regular file"):
        madang.Segment(name, length=1)
    path.unlink()
    path.symlink_to("/dev/null")
    with fails(errno.ELOOP, "symbolic link"):
        madang.Segment(name, length=1)
    path.unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        with fails(errno.ENXIO, "open"):
            madang.Segment(name, length=1)


@support.needs_root
def test_a_strangers_segment(segment):
    os.chown(SHM / segment.name, support.NOBODY, -1)
    with fails(errno.EPERM, f"belongs to user {support.NOBODY}", PermissionError):
        madang.Segment(segment.name)
    with madang.Segment(segment.name, any_owner=True) as other, pickle.loads(pickle.dumps(other)) as unpickled:
        assert len(unpickled) == 64 << 10


@support.needs_root
def test_no_permission(segment):
    def open_and_close(**options):
        madang.Segment(segment.name, **options).close()

    with fails(errno.EACCES, "does not permit", PermissionError):
        as_user(support.NOBODY, open_and_close)
    os.chmod(SHM / segment.name, 0o644)
    as_user(support.NOBODY, lambda: open_and_close(read_only=True))
    with fails(errno.EACCES, "does not permit", PermissionError):
        as_user(support.NOBODY, open_and_close)
    with fails(errno.EPERM, "only the owner", PermissionError):
        as_user(support.NOBODY, lambda: madang.Segment.unlink(segment.name))


@support.needs_root
def test_a_full_file_system(name):
    text = f"""
import errno, madang, os
try:
    madang.Segment("{name}", length="2M")
except OSError as error:
    assert error.errno == errno.ENOSPC and "shm-size" in str(error), error
else:
    raise AssertionError("it fits?")
assert os.listdir("/dev/shm") == []
"""
    # In a mount namespace of its own /dev/shm may be as small as we like.
    shell = 'mount -t tmpfs -o size=1M tmpfs /dev/shm && exec "$0" -c "$1"'
    command = ["unshare", "--mount", "sh", "-c", shell, sys.executable, text]
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0:
        pytest.skip("may not unshare here")
    subprocess.run(command, check=True, timeout=30)
