"""System V's calls, served from shared memory. What they mean is compared with the kernel's in tests/parity."""

import errno
import os
import signal
import threading

import madang
import numpy
import pytest
from madang.shared import sysv
from madang.shared.sysv import IPC_CREAT, IPC_EXCL, IPC_NOWAIT
from support import fails

NEW = IPC_CREAT | IPC_EXCL | 0o600


@pytest.fixture
def key():
    """A key that nobody else has; what bears it is removed."""
    key = 0x50000000 | (os.getpid() & 0x3FFFFF) << 4
    yield key
    for get, remove in (
        (lambda: sysv.msgget(key, 0), sysv.msgremove),
        (lambda: sysv.semget(key, 0, 0), sysv.semremove),
        (lambda: sysv.shmget(key, 0, 0), sysv.shmremove),
    ):
        try:
            remove(get())
        except FileNotFoundError:
            pass


def test_messages(key):
    id = sysv.msgget(key, NEW)
    assert sysv.msgget(key, 0) == id
    with fails(errno.EEXIST, "only creates", FileExistsError):
        sysv.msgget(key, NEW)
    sysv.msgsnd(id, 3, b"two teas")
    sysv.msgsnd(id, 2, numpy.frombuffer(b"coffee", "u1"))
    # The same object by the native API.
    with madang.Queue(f"sysv.key.{key:08x}", create="never") as queue:
        assert queue.recv(2) == (b"coffee", 2)
        queue.send(b"milk", 9)
    assert sysv.msgrcv(id, 100, -5) == (b"two teas", 3)
    with fails(errno.E2BIG, "too small"):
        sysv.msgrcv(id, 1)
    assert sysv.msgrcv(id, 1, 3, sysv.MSG_EXCEPT | sysv.MSG_NOERROR) == (b"m", 9)
    with fails(errno.ENOMSG, "no message"):
        sysv.msgrcv(id, 100, 0, IPC_NOWAIT)
    status = sysv.msgstat(id)
    assert (status.qnum, status.lspid, status.perm.key, status.perm.mode) == (0, os.getpid(), key, 0o600)
    sysv.msgset(id, mode=0o640, qbytes=10)
    assert (sysv.msgstat(id).qbytes, sysv.msgstat(id).perm.mode) == (10, 0o640)
    sysv.msgsnd(id, 1, bytes(10))
    with fails(errno.EAGAIN, "full", BlockingIOError):
        sysv.msgsnd(id, 1, b"x", IPC_NOWAIT)
    for bad in (0, -1):
        with fails(errno.EINVAL, "1 or more"):
            sysv.msgsnd(id, bad, b"")
    sysv.msgremove(id)
    with fails(errno.EINVAL, "no message queue"):
        sysv.msgstat(id)
    with fails(errno.ENOENT, "no message queue", FileNotFoundError):
        sysv.msgget(key, 0)


def test_removed_under_the_native_api(key):
    queue_id, set_id = sysv.msgget(key, NEW), sysv.semget(key, 1, NEW)
    name = f"sysv.key.{key:08x}"
    with madang.Queue(name, create="never") as queue, madang.SemaphoreSet(name, create="never") as semaphores:
        sysv.msgremove(queue_id)
        sysv.semremove(set_id)
        with fails(errno.EIDRM, "it was removed"):
            queue.send(b"to nobody")
        with fails(errno.EIDRM, "it was removed"):
            semaphores.release(0)


def test_removed_while_waiting(key):
    id = sysv.msgget(key, NEW)
    raised: list[OSError] = []

    def receive() -> None:
        try:
            sysv.msgrcv(id, 10)
        except OSError as error:
            raised.append(error)

    waiting = threading.Thread(target=receive)
    waiting.start()
    with pytest.raises(OSError, match="no message"):
        sysv.msgrcv(id, 10, 0, IPC_NOWAIT)
    sysv.msgremove(id)
    waiting.join(10)
    assert raised and raised[0].errno in (errno.EIDRM, errno.EINVAL)


def test_semaphores(key):
    id = sysv.semget(key, 2, NEW)
    sysv.setall(id, [5, 6])
    sysv.semop(id, [madang.Operation(0, -5, undo=True), (1, -1)])
    assert (sysv.getall(id), sysv.getval(id, 1), sysv.getpid(id, 0)) == ([0, 5], 5, os.getpid())
    with fails(errno.EAGAIN, "less than 1", BlockingIOError):
        sysv.semop(id, [(0, -1)], timeout=0)
    with fails(errno.ETIMEDOUT, "less than 1", TimeoutError):
        sysv.semop(id, [(0, -1)], timeout=0.02)
    with fails(errno.ERANGE, "0 to 32767"):
        sysv.setval(id, 0, 32768)
    with fails(errno.EFBIG, "it has 2"):
        sysv.semop(id, [(2, 1)])
    with fails(errno.EINVAL, "it has 2"):
        sysv.getval(id, 2)
    assert sysv.getwaiting(id, 0).to_grow == 0
    assert sysv.semstat(id).nsems == 2
    # The same object by the native API; and what another process has to be undone.
    with madang.SemaphoreSet(f"sysv.key.{key:08x}", create="never") as same:
        pid = os.fork()
        if pid == 0:
            sysv.semop(id, [madang.Operation(1, -5, undo=True)])
            os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(pid, 0)
        assert same.values() == [0, 5]
    sysv.semset(id, mode=0o644)
    assert sysv.semstat(id).perm.mode == 0o644
    sysv.semremove(id)
    with fails(errno.EINVAL, "set of semaphores"):
        sysv.getall(id)


def test_memory(key):
    id = sysv.shmget(key, 5000, NEW)
    with sysv.shmat(id) as memory:
        assert len(memory) == 5000 and memory.address % 4096 == 0
        memoryview(memory)[:5] = b"hello"
        pid = os.fork()
        if pid == 0:
            mine = sysv.shmat(sysv.shmget(key, 0, 0), flags=sysv.SHM_RDONLY)
            good = bytes(memoryview(mine)[:5]) == b"hello" and sysv.shmstat(id).nattch == 3
            os._exit(0 if good and memoryview(mine).readonly else 1)
        assert os.waitpid(pid, 0)[1] == 0
        assert sysv.shmstat(id).nattch == 1
        array = numpy.frombuffer(memory, "u1")
        sysv.shmremove(id)
        assert sysv.shmstat(id).removed
    # The array keeps it attached.
    assert bytes(array[:5]) == b"hello" and memory.closed
    del array
    with fails(errno.EINVAL, "shared memory segment"):
        sysv.shmstat(id)
    with fails(errno.EBADF, "closed"):
        len(memory)
    with fails(errno.EINVAL, "bytes"):
        sysv.shmget(0, 0, NEW)


def test_locked(key):
    id = sysv.shmget(key, 100, NEW)
    assert not sysv.shmstat(id).locked
    sysv.shmlock(id, True)
    status = sysv.shmstat(id)
    assert status.locked and status.perm.mode & 0o777 == 0o600 and "locked=True" in repr(status)
    sysv.shmlock(id, False)
    assert not sysv.shmstat(id).locked
    sysv.shmremove(id)
    with fails(errno.EINVAL, "no shared memory segment"):
        sysv.shmlock(id, True)


def test_only_the_owner_locks(key):
    id = sysv.shmget(key, 100, IPC_CREAT | IPC_EXCL | 0o666)
    pid = os.fork()
    if pid == 0:
        try:
            is_owner = os.geteuid() != 0
            if not is_owner:
                os.setuid(65_534)
            sysv.shmlock(id, True)
            os._exit(0 if is_owner else 1)
        except PermissionError as error:
            os._exit(0 if error.errno == errno.EPERM else 2)
        finally:
            os._exit(3)
    assert os.waitpid(pid, 0)[1] == 0


def test_lists(key):
    kinds = (
        (sysv.msgget(key, NEW), sysv.msgids, sysv.msglist, sysv.msgstat, sysv.msgremove),
        (sysv.semget(key, 3, NEW), sysv.semids, sysv.semlist, sysv.semstat, sysv.semremove),
        (sysv.shmget(key, 5000, NEW), sysv.shmids, sysv.shmlist, sysv.shmstat, sysv.shmremove),
    )
    for id, ids, list_all, stat, remove in kinds:
        # Others make and remove theirs meanwhile.
        (status,) = (status for status in list_all() if status.perm.id == id)
        assert status.perm == stat(id).perm and status.perm.key == key
        assert repr(status) == repr(stat(id)) and type(status) is type(stat(id))
        known = ids()
        assert id in known and known == sorted(known)
        remove(id)
        assert id not in ids() and all(status.perm.id != id for status in list_all())


def test_a_removed_segment_is_listed_while_it_is_attached(key):
    id = sysv.shmget(key, 5000, NEW)
    memory = sysv.shmat(id)
    sysv.shmremove(id)
    (status,) = (status for status in sysv.shmlist() if status.perm.id == id)
    assert (status.removed, status.nattch, status.segsz) == (True, 1, 5000)
    memory.close()
    assert id not in sysv.shmids()


def test_limits():
    limits = sysv.limits()
    assert limits["msgmax"] >= 8192 and limits["semvmx"] == 32767
