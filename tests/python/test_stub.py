"""The stub says what the module does: the same names and signatures, and the same docstrings."""

import importlib
import importlib.util
import pkgutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import madang

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> str:
    """Runs a Python module, away from the sources: it is the installed madang that is looked at."""
    done = subprocess.run(
        [sys.executable, "-m", *arguments], capture_output=True, text=True, timeout=300, cwd=Path(sys.prefix)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_stubtest(tmp_path):
    # Before 3.12 the buffer protocol has no methods that Python could see.
    allowlist = tmp_path / "allowlist"
    allowlist.write_text("madang\\..*\\.__buffer__\n" if sys.version_info < (3, 12) else "")
    run("mypy.stubtest", "--allowlist", str(allowlist), "madang")


def test_docstrings():
    spec = importlib.util.spec_from_file_location("docstrings", ROOT / "python" / "docstrings.py")
    docstrings = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(docstrings)
    for stub, module in docstrings.stubs():
        text = stub.read_text()
        assert docstrings.with_docstrings(text, module) == text, f"{stub}: run python/docstrings.py"


def test_types_as_a_user_sees_them(tmp_path):
    program = tmp_path / "program.py"
    program.write_text("""
import signal
from typing import assert_type
import madang
import numpy

with madang.Queue("orders", capacity="4M", create="never") as q:
    q.send(b"", type=3, timeout=1.0)
    q.send(numpy.zeros(3))
    data, type = q.recv()
    assert_type(data, bytes)
    assert_type(type, int)
    assert_type(q.recv_into(bytearray(3)).sequence, int)
    assert_type(q.stat().bytes, int)
    s = madang.Segment("frame", length=8)
    q.recv(madang.Except(3), timeout=1)
    assert_type(q.recv_into(bytearray(3), 3, truncate=True).is_cut, bool)
    with q.lease(-3) as m:
        assert_type(m.data, memoryview)
        numpy.frombuffer(m, "f4")
    with q.reserve(3) as r:
        r.write(m)
        r.commit(type=3, length=2, timeout=1.0)
    o = madang.ObjectQueue("jobs", capacity="4M")
    o.put({"any": "thing"}, timeout=1.0)
    print(o.get(block=False))
    reader, writer = madang.pipe.pair(capacity="1M")
    writer.write_all(numpy.zeros(3), timeout=1.0)
    assert_type(reader.read(), bytes)
    assert_type(reader.read_into(bytearray(3), timeout=1), int)
    with madang.fifo.open_reader("fifo", timeout=0) as r1, madang.fifo.open_channel("channel")[1] as w1:
        assert_type(r1, madang.pipe.Reader)
        assert_type(w1, madang.pipe.Writer)
    with madang.file.File("file", length="4K") as f, f.lock(shared=True, timeout=1), f.map() as m1:
        memoryview(m1)
        m1.sync()
        if (holder := f.holder()) is not None:
            assert_type(holder.pids, list[int])
    madang.file.replace("file", b"", keep_mode=True)
    assert_type(madang.file.Follow("file").read(timeout=1), bytes)
    writer.write("text")  # type: ignore[arg-type]
    with madang.socket.Stream.connect("unix:x", 1.0) as stream, open("x") as file:
        stream.send_message(numpy.zeros(3), fds=[0, file], timeout=1)
        if (message := stream.recv_message(fds=1)) is not None:
            assert_type(message.data, bytes)
            assert_type(message.fds, list[int])
        stream.shutdown("maybe")  # type: ignore[arg-type]
    with madang.signal.block({signal.SIGUSR1, "SIGUSR2"}):
        assert_type(madang.signal.wait([10, "SIGUSR2"], timeout=1).value, int)
    with madang.Mutex("mutex") as mutex:
        assert_type(mutex, madang.Mutex)
        assert_type(mutex.owner_died, bool)
    assert_type(mutex.acquire(timeout=1.0), bool)
    with madang.RwLock(segment=s, offset=64).write() as held:
        assert_type(held.owner_died, bool)
    assert_type(madang.Condition(mutex, "changed").wait_for(lambda: 5), int)
    assert_type(madang.Barrier(3, "start").wait(), int)
    madang.Mutex(name=3)  # type: ignore[arg-type]
    q.recv("text")  # type: ignore[arg-type]
    q.send(s)
    memoryview(s)
    numpy.frombuffer(s, "f4")
    q.send("text")  # type: ignore[arg-type]
    madang.Queue("orders", create="maybe")  # type: ignore[arg-type]
""")
    # From 3.12 on, since for 3.11 NumPy's own stubs don't say that an array is a buffer.
    run("mypy", "--strict", "--python-version", "3.12", "--cache-dir", str(tmp_path / "cache"), str(program))


def modules(module: ModuleType) -> Iterator[ModuleType]:
    """The module and those in it."""
    yield module
    for info in pkgutil.iter_modules(getattr(module, "__path__", [])):
        if not info.name.startswith("_"):
            yield from modules(importlib.import_module(f"{module.__name__}.{info.name}"))


def test_every_public_name_is_documented():
    for module in modules(madang):
        assert module.__doc__, module
        for name in module.__all__:
            thing = getattr(module, name)
            if not isinstance(thing, type | ModuleType) and not callable(thing):
                continue  # a constant
            assert thing.__doc__, f"{module.__name__}.{name}"
            for member in dir(thing) if isinstance(thing, type) else ():
                assert member.startswith("_") or getattr(thing, member).__doc__, f"{module.__name__}.{name}.{member}"


def test_version():
    cargo = tomllib.loads((ROOT / "Cargo.toml").read_text())
    assert madang.__version__ == cargo["workspace"]["package"]["version"]
