"""madang.sysv: what the three kinds of System V IPC have in common, and sysv_ipc as a witness of them."""

import copy
import ctypes
import errno
import os
import pickle
import time
from pathlib import Path

import madang
import pytest
import support
import sysv_ipc
from madang import sysv
from support import NOBODY, as_user, fails, in_child

LIBC = ctypes.CDLL(None, use_errno=True)


def make(kind, key, **options):
    if kind is sysv.shm.Segment and options.get("create") != "never":
        options["size"] = 100
    if kind is sysv.sem.Set and options.get("create") != "never":
        options["count"] = 3
    return kind(key, **options)


kinds = pytest.mark.parametrize(
    ("kind", "module"),
    [(sysv.msg.Queue, sysv.msg), (sysv.shm.Segment, sysv.shm), (sysv.sem.Set, sysv.sem)],
    ids=["msg", "shm", "sem"],
)


@pytest.mark.parametrize("path", ["/", "/dev/null", Path("/proc/self/exe")])
@pytest.mark.parametrize("id", [1, ord("A"), 255])
def test_ftok(path, id):
    theirs = LIBC.ftok(os.fsencode(path), id)
    assert sysv.ftok(path, id) == theirs
    assert sysv_ipc.ftok(str(path), id, True) & 0xFFFFFFFF == theirs & 0xFFFFFFFF


def test_ftok_of_what_is_no_file(tmp_path):
    with fails(errno.ENOENT, "give it the path of a file that exists", FileNotFoundError):
        sysv.ftok(tmp_path / "none", 1)
    with pytest.raises(OverflowError):
        sysv.ftok("/", 256)
    with pytest.raises(TypeError):
        sysv.ftok(3, 1)


def test_a_file_that_is_made_again_has_another_key(tmp_path):
    (tmp_path / "file").touch()
    before = sysv.ftok(tmp_path / "file", 1)
    (tmp_path / "new").touch()
    (tmp_path / "new").rename(tmp_path / "file")
    assert sysv.ftok(tmp_path / "file", 1) != before


@kinds
def test_create(kind, module, key):
    with fails(errno.ENOENT, "there is none of this key", FileNotFoundError):
        make(kind, key, create="never")
    new, same = make(kind, key), make(kind, key)
    assert (new.is_new, same.is_new, new.id == same.id) == (True, False, True)
    with fails(errno.EEXIST, "there is one of this key already", FileExistsError):
        make(kind, key, create="only")
    with fails(errno.EINVAL, "nine permission bits"):
        make(kind, key, mode=0o1600)
    assert kind.from_id(new.id).stat() == new.stat()
    assert pickle.loads(pickle.dumps(new)).id == copy.copy(new).id == new.id
    assert repr(new).endswith(f" {new.id}>")
    new.remove()
    for stale in (new.remove, new.stat, new.change):
        with fails(errno.EIDRM, "it was removed"):
            stale()
    with fails(errno.EINVAL, "there is none of this identifier"):
        kind.from_id(new.id)
    with fails(errno.EINVAL, "there is none of this identifier"):
        kind.remove_id(-1)
    with fails(errno.ENOENT, "there is none of this key", FileNotFoundError):
        kind.unlink(key)


@kinds
def test_without_a_key(kind, module):
    one, other = make(kind, None), make(kind, sysv.IPC_PRIVATE)
    try:
        assert one.id != other.id
        assert one.stat().key == 0
    finally:
        kind.remove_id(one.id)
        other.remove()
    with fails(errno.EINVAL, "IPC_PRIVATE always makes a new one"):
        make(kind, None, create="never")


@kinds
def test_keys(kind, module, key):
    make(kind, key).remove()
    high = make(kind, key | 0x8000_0000)
    assert high.stat().key == (key | 0x8000_0000) - (1 << 32)
    assert make(kind, high.stat().key).id == high.id
    high.remove()
    for bad in (1 << 32, -(1 << 31) - 1):
        with pytest.raises(ValueError, match="32 bits"):
            make(kind, bad)
    for bad in ("1", 1.5):
        with pytest.raises(TypeError):
            make(kind, bad)


@kinds
@support.needs_root
def test_permissions(kind, module, key):
    mask = os.umask(0o077)
    try:
        made = make(kind, key, mode=0o646)
    finally:
        os.umask(mask)
    assert made.stat().mode == 0o646
    made.change(mode=0o604)
    assert made.stat().mode == 0o604
    with fails(errno.EPERM, "only its owner, its creator and root", PermissionError):
        as_user(NOBODY, lambda: made.change(mode=0o666))
    with fails(errno.EPERM, "only its owner, its creator and root", PermissionError):
        as_user(NOBODY, made.remove)
    made.change(uid=NOBODY, gid=NOBODY, mode=0o600)
    stat = made.stat()
    assert (stat.uid, stat.gid, stat.creator_uid, stat.creator_gid, stat.mode) == (NOBODY, NOBODY, 0, 0, 0o600)
    as_user(NOBODY, made.remove)
    with fails(errno.EIDRM, "it was removed"):
        made.stat()


@kinds
def test_list(kind, module, key):
    made = make(kind, key)
    assert [status for status in module.list() if status.key == key] == [made.stat()]
    assert "max_" in repr(module.limits())
    file = {sysv.msg: "msg", sysv.shm: "shm", sysv.sem: "sem"}[module]
    lines = Path(f"/proc/sysvipc/{file}").read_text().splitlines()[1:]
    assert [int(line.split()[1]) for line in lines if int(line.split()[0]) == key] == [made.id]
    made.remove()
    assert key not in [status.key for status in module.list()]


def test_limits():
    sysctl = Path("/proc/sys/kernel")
    assert sysv.msg.limits().max_message == int((sysctl / "msgmax").read_text())
    assert sysv.shm.limits().max_segments == int((sysctl / "shmmni").read_text())
    assert sysv.sem.limits().max_operations == int((sysctl / "sem").read_text().split()[2])


# sysv_ipc is another author's package: what it makes we open, what we make it opens, and both tell the same of it.


def alike(stat, theirs):
    assert stat.id == theirs.id
    assert stat.key == theirs.key
    assert (stat.mode, stat.uid, stat.gid) == (theirs.mode, theirs.uid, theirs.gid)
    assert (stat.creator_uid, stat.creator_gid) == (theirs.cuid, theirs.cgid)


@pytest.mark.parametrize("ours", [True, False])
def test_witness_of_queues(key, ours):
    if ours:
        queue = sysv.msg.Queue(key, mode=0o640, create="only")
        theirs = sysv_ipc.MessageQueue(key)
    else:
        theirs = sysv_ipc.MessageQueue(key, sysv_ipc.IPC_CREX, mode=0o640)
        queue = sysv.msg.Queue(key, create="never")
    alike(queue.stat(), theirs)
    theirs.send(b"from them", type=4)
    assert queue.recv(4) == (b"from them", 4)
    queue.send(b"from us", 5)
    stat = queue.stat()
    assert (stat.messages, stat.capacity) == (theirs.current_messages, theirs.max_size)
    assert (stat.last_sender, stat.last_receiver) == (theirs.last_send_pid, theirs.last_receive_pid)
    assert (stat.sent_at, stat.received_at) == (theirs.last_send_time, theirs.last_receive_time)
    assert stat.changed_at == theirs.last_change_time
    assert theirs.receive() == (b"from us", 5)
    theirs.max_size = 100
    theirs.mode = 0o600
    assert (queue.stat().capacity, queue.stat().mode) == (100, 0o600)
    queue.set_capacity(200)
    queue.change(mode=0o660)
    assert (theirs.max_size, theirs.mode) == (200, 0o660)
    if ours:
        theirs.remove()
        with fails(errno.EIDRM, "it was removed"):
            queue.send(b"")
    else:
        queue.remove()
        with pytest.raises(OSError, match="Invalid argument"):
            theirs.send(b"")


@pytest.mark.parametrize("ours", [True, False])
def test_witness_of_segments(key, ours):
    if ours:
        segment = sysv.shm.Segment(key, size=5000, mode=0o640, create="only")
        theirs = sysv_ipc.SharedMemory(key)
    else:
        theirs = sysv_ipc.SharedMemory(key, sysv_ipc.IPC_CREX, mode=0o640, size=5000)
        segment = sysv.shm.Segment(key)
    alike(segment.stat(), theirs)
    assert segment.size == theirs.size == 5000
    with segment.attach() as memory, memoryview(memory) as view:
        theirs.write(b"from them", 10)
        assert bytes(view[10:19]) == b"from them"
        view[4000:4007] = b"from us"
        assert theirs.read(7, 4000) == b"from us"
        stat = segment.stat()
        assert stat.attached == theirs.number_attached == 2
        assert (stat.creator, stat.last_user) == (theirs.creator_pid, theirs.last_pid)
        assert (stat.attached_at, stat.changed_at) == (theirs.last_attach_time, theirs.last_change_time)
    theirs.detach()
    assert segment.stat().attached == 0
    theirs.remove()
    with fails(errno.EIDRM, "it was removed"):
        segment.attach()


@pytest.mark.parametrize("ours", [True, False])
def test_witness_of_sets(key, ours):
    begun = time.monotonic()
    if ours:
        semaphores = sysv.sem.Set(key, 1, value=2, mode=0o640, create="only")
        theirs = sysv_ipc.Semaphore(key)
        assert theirs.o_time != 0  # by which they know that it was given its value
    else:
        theirs = sysv_ipc.Semaphore(key, sysv_ipc.IPC_CREX, mode=0o640, initial_value=2)
        semaphores = sysv.sem.Set(key, 1, value=9)
    alike(semaphores.stat(), theirs)
    assert semaphores.value() == theirs.value == 2
    theirs.acquire()
    semaphores.acquire(timeout=1)
    theirs.block = False
    with pytest.raises(sysv_ipc.BusyError):
        theirs.acquire()
    with fails(errno.EAGAIN, "it would have to wait", BlockingIOError):
        semaphores.acquire(timeout=0)
    assert in_child(lambda: (semaphores.release(), os.getpid())[1]) == theirs.last_pid == semaphores.pid()
    theirs.acquire()
    theirs.value = 7
    assert semaphores.value() == 7
    assert (semaphores.waiting_for_increase(), semaphores.waiting_for_zero()) == (
        theirs.waiting_for_nonzero,
        theirs.waiting_for_zero,
    )
    assert semaphores.stat().operated_at == theirs.o_time
    theirs.remove()
    with fails(errno.EIDRM, "it was removed"):
        semaphores.release()
    assert time.monotonic() - begun < 0.9  # nobody had to be patient


def test_short_name():
    assert madang.sysv is madang.kernel.sysv
