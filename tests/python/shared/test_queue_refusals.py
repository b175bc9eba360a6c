"""madang.Queue, given bad input: each its own errno and sentence, and nothing is lost."""

import errno
import os
import pickle
import socket
import struct

import madang
import numpy
import pytest
import support
from support import as_user, fails, queue_file


def test_bad_names():
    for bad in ["", "a/b", "/a", ".", "..", "nul\0"]:
        for call in (madang.Queue, madang.Queue.unlink):
            with fails(errno.EINVAL, "name"):
                call(bad)
    with fails(errno.ENAMETOOLONG, "243 bytes: it may have 242"):
        madang.Queue("n" * 243)
    for bad in [None, 3, b"bytes"]:
        with pytest.raises(TypeError, match="name"):
            madang.Queue(bad)
    for call in (madang.Queue, madang.Queue.unlink):
        with pytest.raises(UnicodeEncodeError):
            call("\udcff")


def test_an_unknown_name(name):
    with fails(errno.ENOENT, f'"{name}".*does not create', FileNotFoundError):
        madang.Queue(name, create="never")
    with fails(errno.ENOENT, f'unlink "{name}"', FileNotFoundError):
        madang.Queue.unlink(name)


def test_a_name_that_is_taken(queue):
    queue.send(b"x")
    with fails(errno.EEXIST, "taken", FileExistsError):
        madang.Queue(queue.name, create="only")
    assert queue.recv() == (b"x", 1)


def test_bad_options(name):
    with pytest.raises(ValueError, match='create="maybe"'):
        madang.Queue(name, create="maybe")
    for limit in ("max_messages", "max_participants"):
        for number in (0, -1):
            with pytest.raises(ValueError, match=str(number)):
                madang.Queue(name, **{limit: number})
        with pytest.raises(TypeError):
            madang.Queue(name, **{limit: "many"})
    for option in ("capacity", "max_messages", "max_participants", "mode"):
        for number in (2**63, 2**64, 10**5000, -(2**63) - 1):
            with pytest.raises(ValueError, match="64 bits"):
                madang.Queue(name, **{option: number})
    for number in (-1, 2**32):
        with pytest.raises(ValueError, match=f"mode of {number}"):
            madang.Queue(name, mode=number)
    with pytest.raises(TypeError, match="mode"):
        madang.Queue(name, mode="0600")
    with pytest.raises(TypeError, match="capacity"):
        madang.Queue(name, capacity=b"4M")
    for options, text in [
        ({"capacity": 2**40 + 1}, "capacity"),
        ({"max_messages": 2**32 + 1}, "max_messages"),
        ({"max_participants": 65535}, "max_participants"),
        ({"max_participants": 2**40}, f"max_participants {2**40}"),
        ({"mode": 0o10000}, "mode 010000"),
    ]:
        with fails(errno.EINVAL, text):
            madang.Queue(name, **options)
    with pytest.raises(TypeError):
        madang.Queue(name, "4M")
    assert not queue_file(name).exists()


@pytest.mark.parametrize(
    ("offset", "data", "number", "text"),
    [
        (16, struct.pack("=I", 99), errno.EPROTOTYPE, "not a queue"),
        (8, struct.pack("=I", 99), errno.EPROTO, "layout version 99"),
        (12, struct.pack("=I", 0x04030201), errno.EPROTO, "byte order"),
        (24, struct.pack("=Q", 1 << 20), errno.EUCLEAN, "truncated or has grown"),
        (0, bytes(8), errno.EUCLEAN, "damaged"),
        (20, struct.pack("=I", 0), errno.EUCLEAN, "damaged"),
        (32, struct.pack("=Q", 2**60), errno.EUCLEAN, "damaged"),
    ],
    ids=["kind", "layout", "byte order", "size", "magic", "slots", "capacity"],
)
def test_a_queue_of_another_kind(name, offset, data, number, text):
    madang.Queue(name).close()
    support.patch(queue_file(name), offset, data)
    with fails(number, text):
        madang.Queue(name)


@pytest.mark.parametrize("size", [0, 100, 70_000])
def test_a_truncated_queue(name, size):
    madang.Queue(name).close()
    os.truncate(queue_file(name), size)
    with fails(errno.EUCLEAN, "damaged"):
        madang.Queue(name)


@pytest.mark.parametrize("rubbish", [2**64 - 1, 0x1234567890ABCDEF, 1 | 1 << 40, 5])
def test_a_scribbled_record(queue, rubbish):
    queue.send(b"kept", 7)
    # Its word is the first of the near ring.
    file, ring = queue_file(queue.name), 65536
    before = file.read_bytes()[ring : ring + 8]
    support.patch(file, ring, struct.pack("=Q", rubbish))
    for receive in (
        lambda: queue.recv(timeout=0),
        lambda: queue.recv(timeout=1),
        lambda: queue.recv(),
        lambda: queue.recv_into(bytearray(100)),
        lambda: queue.recv_into(bytearray(100_000)),
    ):
        with fails(errno.EUCLEAN, "damaged"):
            receive()
    support.patch(file, ring, before)
    assert queue.recv() == (b"kept", 7)
    queue.send(b"and on")
    assert queue.recv() == (b"and on", 1)


def test_scribbled_contents_never_crash(name):
    text = """
import madang, random, sys
queue = madang.Queue(sys.argv[1], capacity=10000)
scribble = random.Random(int(sys.argv[2]))
for number in range(20):
    queue.send(b"x" * 100)
path = "/dev/shm/madang.queue." + sys.argv[1]
with open(path, "r+b", buffering=0) as file:
    for _ in range(300):
        # The control lines and the ring; the header and the roster are read once.
        file.seek(scribble.choice([scribble.randrange(512, 1152, 8), scribble.randrange(65536, 70000, 8)]))
        file.write(scribble.randbytes(8))
        for call in (lambda: queue.send(b"y" * 50, timeout=0), lambda: queue.recv(timeout=0), lambda: len(repr(queue))):
            try:
                call()
            except OSError:
                pass
"""
    for seed in range(3):
        with support.script(text, f"{name}{seed}", str(seed)) as process:
            _, error = process.communicate(timeout=50)
        assert (process.returncode, error) == (0, "")


def test_something_else_has_the_name(name):
    path = queue_file(name)
    path.mkdir()
    with fails(errno.EISDIR, "is a directory", IsADirectoryError):
        madang.Queue(name)
    with fails(errno.EISDIR, "unlink", IsADirectoryError):
        madang.Queue.unlink(name)
    path.rmdir()
    os.mkfifo(path)
    with fails(errno.ENODEV, "not a regular file"):
        madang.Queue(name)
    path.unlink()
    path.symlink_to("/dev/null")
    with fails(errno.ELOOP, "symbolic link"):
        madang.Queue(name)
    path.unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        with fails(errno.ENXIO, "open"):
            madang.Queue(name)


@support.needs_root
def test_a_strangers_queue(queue):
    os.chown(queue_file(queue.name), support.NOBODY, -1)
    with fails(errno.EPERM, f"belongs to user {support.NOBODY}", PermissionError):
        madang.Queue(queue.name)
    with madang.Queue(queue.name, any_owner=True) as other:
        other.send(b"x")
        with pickle.loads(pickle.dumps(other)) as unpickled:
            assert unpickled.recv() == (b"x", 1)


@support.needs_root
def test_no_permission(queue):
    def open_and_close():
        madang.Queue(queue.name).close()

    with fails(errno.EACCES, "does not permit", PermissionError):
        as_user(support.NOBODY, open_and_close)
    with fails(errno.EPERM, "only the owner", PermissionError):
        as_user(support.NOBODY, lambda: madang.Queue.unlink(queue.name))
    os.chmod(queue_file(queue.name), 0o666)
    as_user(support.NOBODY, open_and_close)


def test_bad_types(queue):
    for bad in (0, -1, -(2**63)):
        with fails(errno.EINVAL, f"type {bad}"):
            queue.send(b"x", bad)
        with fails(errno.EINVAL, f"type {bad}"):
            queue.send(bytes(100_000), bad)
    for bad in (2**63, -(2**63) - 1):
        with pytest.raises(OverflowError):
            queue.send(b"x", bad)
    for bad in (1.5, "1", None):
        with pytest.raises(TypeError):
            queue.send(b"x", bad)
    assert len(queue) == 0


@pytest.mark.parametrize("length", [101, 100_000])
def test_a_message_that_can_never_fit(name, length):
    with madang.Queue(name, capacity=100) as queue:
        with fails(errno.EMSGSIZE, f"{length} bytes"):
            queue.send(bytes(length))
        assert len(queue) == 0


@pytest.mark.parametrize(("length", "room"), [(1, 0), (10, 9), (5000, 10), (100_000, 70_000), (100_000, 10)])
def test_a_buffer_that_is_too_small(queue, length, room):
    queue.send(b"x" * length, 3)
    buffer = bytearray(room)
    with fails(errno.E2BIG, "stays") as raised:
        queue.recv_into(buffer)
    assert raised.value.length == length
    assert buffer == bytes(room)
    assert queue.recv() == (b"x" * length, 3)


def test_bad_timeouts(queue):
    queue.send(b"x")
    for bad in (-1, -1e-9, float("nan"), float("-inf")):
        with pytest.raises(ValueError, match="timeout"):
            queue.recv(timeout=bad)
        with pytest.raises(ValueError, match="timeout"):
            queue.send(b"y", timeout=bad)
    for bad in ("1", b"1", []):
        with pytest.raises(TypeError, match="timeout"):
            queue.recv(timeout=bad)
    assert queue.recv() == (b"x", 1)


def test_numbers_that_64_bits_do_not_hold(queue):
    queue.send(b"x")
    for call in (
        lambda: queue.send(b"y", 2**63),
        lambda: queue.recv(2**63),
        lambda: queue.recv_into(bytearray(9), -(2**63) - 1),
        lambda: queue.recv(timeout=10**400),
        lambda: queue.send(b"y", timeout=10**400),
    ):
        with pytest.raises(OverflowError):
            call()
    assert queue.recv(timeout=0) == (b"x", 1)
    assert len(queue) == 0


def test_exhausted_memory(name):
    # Each allocation of Python's fails in turn: MemoryError and nothing else, and the queue goes on.
    text = """
import _testcapi, madang, sys
queue = madang.Queue(sys.argv[1])
errors = 0
for length in (20, 5000, 100_000):
    data = bytes(length)
    for nth in range(8):
        queue.send(data, 2**40)
        _testcapi.set_nomemory(nth, nth + 1)
        try:
            queue.recv()
        except MemoryError:
            errors += 1
        finally:
            _testcapi.remove_mem_hooks()
        for _ in range(len(queue)):
            assert queue.recv() == (data, 2**40)
print(errors >= 6)
"""
    pytest.importorskip("_testcapi")
    with support.script(text, name) as process:
        assert process.communicate(timeout=30) == ("True\n", "")
    with madang.Queue(name, create="never") as queue:
        queue.send(b"and on")
        assert queue.recv() == (b"and on", 1)


def test_bad_data(queue):
    for bad in (None, "text", 3, [1, 2], object()):
        with pytest.raises(TypeError, match="bytes-like object is required"):
            queue.send(bad)
    with pytest.raises(BufferError):
        queue.send(memoryview(b"abcd")[::2])
    with pytest.raises(ValueError, match="contiguous"):  # NumPy's own
        queue.send(numpy.zeros((4, 4))[:, 1])
    released = memoryview(b"x")
    released.release()
    with pytest.raises(ValueError, match="released"):
        queue.send(released)
    with pytest.raises(TypeError):
        queue.send()
    assert len(queue) == 0


def test_bad_buffers(queue):
    queue.send(b"ab")
    for bad in (None, "text", b"read-only"):
        with pytest.raises((TypeError, BufferError)):
            queue.recv_into(bad)
    with pytest.raises(BufferError):
        queue.recv_into(memoryview(b"read-only"))
    with pytest.raises(BufferError):
        queue.recv_into(memoryview(bytearray(4))[::2])
    frozen = numpy.zeros(4, "u1")
    frozen.flags.writeable = False
    with pytest.raises((BufferError, ValueError)):
        queue.recv_into(frozen)
    assert queue.recv() == (b"ab", 1)
