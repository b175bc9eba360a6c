"""madang.list, madang.left_overs, madang.gc, Queue.participants: what there is, who takes part, what was left."""

import errno
import os
import pickle
import time

import madang
import pytest
import support
from support import in_child, queue_file, script


def find(name, **options):
    found = [listed for listed in madang.list(**options) if listed.name == name]
    return found[0] if found else None


def test_smoke(name):
    with madang.Queue(name, mode=0o640) as queue:
        listed = find(name)
        assert (listed.kind, listed.mode, listed.error) == ("queue", 0o640, None)
        assert (listed.uid, listed.gid) == (os.geteuid(), queue_file(name).stat().st_gid)
        assert listed.size == queue_file(name).stat().st_size
        assert listed.allocated == queue.stat().allocated
        assert repr(listed) == f'<madang.Listed queue "{name}": {listed.size} bytes>'
    madang.Queue.unlink(name)
    assert find(name) is None


def test_segments(name):
    with madang.Segment(name, length=5000):
        assert find(name) is None
        listed = find(name, segments=True)
        assert (listed.kind, listed.size) == ("segment", 5000)


def test_what_cannot_be_opened(queue, name):
    support.patch(queue_file(name), 8, (77).to_bytes(4, "little"))
    listed = find(name)
    assert isinstance(listed.error, OSError)
    assert listed.error.errno == errno.EPROTO
    assert "layout version 77" in str(listed.error)
    assert "can't be opened" in repr(listed)
    with pytest.raises(OSError, match="layout version 77"):
        raise listed.error


@support.needs_root
def test_any_owner(queue, name):
    os.chown(queue_file(name), support.NOBODY, -1)
    assert isinstance(find(name).error, PermissionError)
    assert find(name, any_owner=True).error is None


def test_a_missing_directory(tmp_path):
    def list_it():
        os.environ["MADANG_DIR"] = str(tmp_path / "missing")
        try:
            madang.list()
        except FileNotFoundError as error:
            return str(error)

    assert "there is no directory" in in_child(list_it)


def test_left_overs(tmp_path):
    def sweep():
        os.environ["MADANG_DIR"] = str(tmp_path)
        (tmp_path / "madang.new.0123456789abcdef").write_bytes(bytes(10_000))
        return madang.left_overs(), madang.gc(), madang.gc()

    before, swept, after = in_child(sweep)
    assert before == swept
    assert (swept.files, swept.others) == (1, 0)
    assert 10_000 <= swept.bytes < 100_000
    assert after == madang.LeftOvers(0, 0, 0)
    assert list(tmp_path.iterdir()) == []
    assert repr(after) == "LeftOvers(files=0, bytes=0, others=0)"
    assert pickle.loads(pickle.dumps(swept)) == swept
    assert hash(after) == hash(madang.LeftOvers(0, 0, 0))


def test_participants(queue, name):
    before = time.monotonic_ns()
    program = "import madang, signal, sys; q = madang.Queue(sys.argv[1]); print('joined', flush=True); signal.pause()"
    with script(program, name) as process:
        support.says(process, "joined")
        others = [who for who in queue.participants() if not who.is_me]
        assert [(who.pid, who.lives) for who in others] == [(process.pid, True)]
        assert before <= others[0].joined_ns <= time.monotonic_ns()
        mine = [who for who in queue.participants() if who.is_me]
        assert [(who.pid, who.lives) for who in mine] == [(os.getpid(), True)]
        assert pickle.loads(pickle.dumps(mine[0])) == mine[0]
        assert repr(mine[0]).endswith("lives=True, is_me=True)")
        process.kill()
        process.wait()
        support.wait_until(lambda: not next(who for who in queue.participants() if who.pid == process.pid).lives)
    queue.close()
    with support.fails(errno.EBADF, "is closed"):
        queue.participants()


def test_from_madang_import_everything_hides_nothing():
    names: dict = {}
    exec("from madang import *", names)
    assert "list" not in names and "gc" not in names and "Queue" in names
