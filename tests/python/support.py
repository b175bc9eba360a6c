"""What the tests of several files use: errors, processes, and looking at a process from outside.

Workers of child processes stand here too, since a spawned child imports them anew.
"""

import errno
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import madang
import numpy
import pytest

SHM = Path("/dev/shm")
NOBODY = 65534
START_METHODS = ["fork", "spawn", "forkserver"]

# Only root can give files away, become another user and mount; CI is root, so there nothing is skipped.
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


## Errors


@contextmanager
def fails(number: int, text: str, kind: type[OSError] = OSError) -> Iterator[pytest.ExceptionInfo[OSError]]:
    """The block raises that errno, as exactly that exception, with a sentence in which the regular expression occurs."""
    with pytest.raises(OSError) as raised:
        yield raised
    error = raised.value
    assert errno.errorcode[error.errno or 0] == errno.errorcode[number], error
    assert type(error) is kind
    assert re.search(text, error.strerror), f"{text!r} is not in {error.strerror!r}"


## Places


def queue_file(name: str) -> Path:
    return SHM / f"madang.queue.{name}"


def patch(path: Path, offset: int, data: bytes) -> None:
    """Writes into a file, as a scribbler would."""
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def word(path: Path, offset: int) -> int:
    """The 32-bit word there."""
    return int(numpy.fromfile(path, "u4", 1, offset=offset)[0])


def participant(name: str, slot: int) -> int:
    """What a lock that the handle in that slot holds has in its word (see docs/layout.md)."""
    generation = word(queue_file(name), 4096 + 32 * slot) & 0x7FFF
    return generation << 16 | slot + 1


def open_files() -> list[str]:
    """What this process has open in shared memory."""
    links = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            links.append(os.readlink(link))
        except FileNotFoundError:  # the one by which the folder was listed
            pass
    return [link for link in links if link.startswith(f"{SHM}/")]


def is_mapped(path: Path) -> bool:
    """Whether this process has that file mapped. (By its number: it has no name in there, since it was made without one.)"""
    lines = Path("/proc/self/maps").read_text().splitlines()
    return str(path.stat().st_ino) in (line.split()[4] for line in lines)


@contextmanager
def small_file_system(place: Path, bytes: int) -> Iterator[None]:
    """A tmpfs of so many bytes is mounted there."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={bytes}", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("may not mount here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


## Processes and threads


def is_asleep(task: str) -> bool:
    """Whether a thread ("PID" or "self/task/TID") sleeps."""
    return Path(f"/proc/{task}/stat").read_text().rpartition(")")[2].split()[0] == "S"


def wait_until(condition: Callable[[], bool]) -> None:
    """Looks until it is so; the test's own time-out is the limit."""
    while not condition():
        time.sleep(0.001)


class Thread(threading.Thread):
    """A thread whose result, or exception, is the result of `join`."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        super().__init__(daemon=True)
        self.work = (function, arguments)
        self.start()

    def run(self) -> None:
        function, arguments = self.work
        self.result: Any = None
        self.error: BaseException | None = None
        try:
            self.result = function(*arguments)
        except BaseException as error:
            self.error = error

    def sleeps(self) -> bool:
        return self.native_id is not None and is_asleep(f"self/task/{self.native_id}")

    def join(self, timeout: float | None = 30) -> Any:
        super().join(timeout)
        assert not self.is_alive(), "the thread hangs"
        if self.error is not None:
            raise self.error
        return self.result


def as_user(user: int, function: Callable[[], Any]) -> Any:
    """The function's result, or its exception, in a forked child with that user id."""
    return in_child(lambda: (os.setgroups([]), os.setgid(user), os.setuid(user), function())[-1])


def in_child(function: Callable[[], Any]) -> Any:
    """The function's result, or its exception, in a forked child."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            outcome: tuple[bool, Any] = (True, function())
        except BaseException as error:
            traceback.print_exc()
            outcome = (False, error)
        with open(writer, "wb") as pipe:
            pickle.dump(outcome, pipe)
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        outcome_of_child = pipe.read()
    os.waitpid(child, 0)
    succeeded, result = pickle.loads(outcome_of_child)
    if succeeded:
        return result
    raise result


@contextmanager
def script(text: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process that runs the text; killed at the end if it still lives."""
    command = [sys.executable, "-c", text, *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process:
        try:
            yield process
        finally:
            process.kill()


def says(process: subprocess.Popen[str], line: str) -> None:
    """Waits for the process to print that line."""
    assert process.stdout is not None
    assert process.stdout.readline() == line + "\n"


@contextmanager
def alarm(seconds: float, handler: Callable[..., Any]) -> Iterator[None]:
    """SIGALRM comes every so often."""
    previous = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, seconds, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


## Workers


def echo(requests: madang.Queue, answers: madang.Queue) -> None:
    """Answers each message in upper case, by the next type; the empty one is the last."""
    while True:
        data, kind = requests.recv(timeout=30)
        answers.send(data.upper(), kind + 1, timeout=30)
        if not data:
            return


def invert(segment: madang.Segment, done: madang.Queue) -> None:
    """Inverts every byte of the segment."""
    with memoryview(segment) as view:
        view[:] = bytes(byte ^ 0xFF for byte in view)
    done.send(b"", timeout=30)


def add_up(frames: madang.Queue, results: madang.Queue) -> None:
    """Adds the numbers of each frame up, in the queue's memory; the empty one is the last."""
    while True:
        with frames.lease(timeout=30) as frame:
            if not len(frame):
                return
            results.send(b"%f" % numpy.frombuffer(frame, "f8").sum(), timeout=30)


def work_on_objects(jobs: madang.ObjectQueue, results: madang.ObjectQueue) -> None:
    """Adds up the array of each job, until there is None."""
    while (job := jobs.get(timeout=30)) is not None:
        number, array = job
        results.put((number, int(array.sum())), timeout=30)


def send_frames(queue: madang.Queue, count: int, length: int) -> None:
    """Sends so many frames of so many bytes, in the queue's memory: 0.0 0.0 … of type 1, 1.0 1.0 … of type 2, and so on."""
    for number in range(count):
        with queue.reserve(length, number + 1, timeout=30) as frame:
            numbers = numpy.frombuffer(frame, "f8")
            numbers[:] = number
            del numbers


def send_numbers(queue: madang.Queue, sender: int, count: int) -> None:
    """Sends 0, 1, … of the type that the sender is."""
    for number in range(count):
        queue.send(b"%d" % number, sender, timeout=30)


def receive_numbers(queue: madang.Queue, count: int) -> list[tuple[int, int]]:
    """Receives so many numbers: (sender, number)."""
    received = (queue.recv(timeout=30) for _ in range(count))
    return [(sender, int(data)) for data, sender in received]


def hand_on(numbers: madang.Queue, results: madang.Queue, count: int) -> None:
    """Receives so many numbers, and says which."""
    results.send(pickle.dumps(receive_numbers(numbers, count)), timeout=30)
