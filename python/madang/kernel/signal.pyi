"""Signals: sent with a value, to processes that can't be mistaken, and waited for instead of handled.

    with madang.signal.block({signal.SIGUSR1, "SIGRTMIN+3"}):
        info = madang.signal.wait({signal.SIGUSR1, "SIGRTMIN+3"}, timeout=5.0)
        print(info.signal, info.value, info.pid)

It stands beside Python's own signal module, and takes and gives its signal.Signals. Nothing here installs a handler. A Python handler
runs in the main thread, some time after the signal came; a signal that is blocked waits until it is taken, or
unblocked, and one that was taken here has no handler run. While something here waits, the handlers of other signals run.

Of an ordinary signal at most one waits: sent twice, it comes once. Real-time signals (rt) queue.
"""

from collections.abc import Iterable
from signal import Signals
from typing import Protocol, Self, final

__all__ = [
    "Descriptor",
    "Info",
    "Process",
    "block",
    "blocked",
    "kill",
    "kill_group",
    "name",
    "number",
    "pending",
    "queue",
    "rt",
    "wait",
]

class _HasFileno(Protocol):
    def fileno(self) -> int: ...

@final
class Info:
    """A signal that was taken, and who sent it."""

    @property
    def signal(self) -> Signals | int:
        """Which: a signal.Signals, or an int if that has no name for it."""

    @property
    def code(self) -> int:
        """How it was sent, see sigaction(2): 0 (SI_USER) by kill, -1 (SI_QUEUE) with a value, positive by the kernel."""

    @property
    def pid(self) -> int:
        """Who sent it, or, of SIGCHLD, which child; 0 for the kernel."""

    @property
    def uid(self) -> int:
        """The real user id of that process."""

    @property
    def value(self) -> int:
        """The value that was sent along; else 0."""

    @property
    def status(self) -> int:
        """Of SIGCHLD: the exit status, or the signal that ended the child."""

@final
class block:
    """Blocks signals in the thread that enters the `with` block, until it leaves it:

        with madang.signal.block({signal.SIGUSR1, "SIGRTMIN+3"}):
            info = madang.signal.wait("SIGUSR1", timeout=5.0)

    A signal that is blocked waits until somebody takes it; what wasn't taken is handled when the block ends.
    Threads and processes that are made meanwhile inherit the mask. A signal to the process goes to any
    thread that doesn't block it: so block in the main thread before others are made. (To block for good:
    signal.pthread_sigmask.)

    Entering raises OSError with EINVAL for SIGKILL and SIGSTOP, which can't be blocked, and for none.
    Leaving in another thread is RuntimeError.
    """

    def __new__(cls, signals: int | str | Iterable[int | str]) -> Self: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...

def wait(signals: int | str | Iterable[int | str], timeout: float | None = None) -> Info:
    """Takes one of these signals, which the calling thread blocks; waits for one, at most `timeout` seconds.

    signals: a number (signal.SIGUSR1), a name ("SIGUSR1", "USR1", "SIGRTMIN+3"), or several of them.

    Python's handlers of other signals run meanwhile. A signal that is taken here has no handler run.

    Raises OSError with EINVAL if one of them isn't blocked (it would be handled instead), or can't be;
    TimeoutError; BlockingIOError if timeout is 0.
    """

def pending() -> set[Signals | int]:
    """The signals that were sent to the thread, or to the process, and wait since they are blocked: a set."""

def blocked() -> set[Signals | int]:
    """The signals that the calling thread blocks: a set."""

def kill(pid: int, signal: int | str) -> None:
    """Sends a signal to the process that has this id now: see Process. (A pid of 0 or less, which means groups or
    everybody to os.kill, is EINVAL.)

    Raises ProcessLookupError if there is none; PermissionError if it is another user's; OSError with EINVAL
    for a bad pid or signal.
    """

def kill_group(group: int, signal: int | str) -> None:
    """Sends a signal to each process of a group. Raises as kill does; EINVAL for a group below 2."""

def queue(pid: int, signal: int | str, value: int) -> None:
    """Sends a signal with a value, of 32 bits, to the process that has this id now.

    Raises as kill does; BlockingIOError if too many signals wait for its user already.
    """

def rt(offset: int) -> int:
    """The real-time signal SIGRTMIN + offset, 0 to 30: a number. They queue, and are for programs to use. OSError with
    EINVAL if there are not so many.
    """

def number(name: str) -> int:
    """The number of the signal of that name: "SIGUSR1", "USR1", "SIGRTMIN+3". OSError with EINVAL if there is none."""

def name(signal: int | str) -> str:
    """The signal's name: "SIGUSR1", "SIGRTMIN+3". OSError with EINVAL if there is no such signal."""

@final
class Process:
    """A process, by a descriptor that stands for it and never for another one that got its id.

        with madang.signal.Process(child.pid) as process:
            process.queue("SIGUSR1", 42)
            process.wait(timeout=5.0)

    pid: the process that has this id now. That of a child is right as long as the child wasn't waited for;
        of others madang.socket.Stream.peer_pidfd() knows better.

    It is closed by close(), at the end of a `with` block, and when it is forgotten; the process goes on.

    Raises ProcessLookupError if there is none; OSError with EINVAL for a pid below 1, ENOSYS before Linux 5.3.
    """

    def __new__(cls, pid: int) -> Self: ...
    @staticmethod
    def from_fd(fd: int | _HasFileno) -> Process:
        """The process that a pidfd stands for; it is closed with the Process. OSError with EBADF if it isn't open."""

    def send(self, signal: int | str) -> None:
        """Sends it a signal.

        Raises ProcessLookupError if it has ended; PermissionError if it is another user's; EINVAL for a bad signal.
        """

    def queue(self, signal: int | str, value: int) -> None:
        """Sends it a signal with a value, of 32 bits.

        Raises as send does; BlockingIOError if too many signals wait for its user already.
        """

    def wait(self, timeout: float | None = None) -> None:
        """Waits until it has ended, at most `timeout` seconds. Whose child it is still has to wait for it (os.waitpid).

        Raises TimeoutError; BlockingIOError if timeout is 0.
        """

    def fileno(self) -> int:
        """Its descriptor: readable when the process has ended."""

    @property
    def closed(self) -> bool:
        """Whether it is closed."""

    def close(self) -> None:
        """Closes it; closing it again does nothing."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...

@final
class Descriptor:
    """A descriptor that is readable when one of these signals waits: for select, selectors and asyncio.

    signals: as wait takes them; the calling thread blocks them.

    It takes what waits for the process, or for the thread that reads. Closing it unblocks nothing.

    Raises OSError with EINVAL if one of them isn't blocked, or can't be.
    """

    def __new__(cls, signals: int | str | Iterable[int | str]) -> Self: ...
    def read(self, timeout: float | None = None) -> Info:
        """Takes one; waits for one, at most `timeout` seconds.

        Raises TimeoutError; BlockingIOError if timeout is 0.
        """

    def fileno(self) -> int:
        """Its number."""

    @property
    def closed(self) -> bool:
        """Whether it is closed."""

    def close(self) -> None:
        """Closes it; closing it again does nothing."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...
