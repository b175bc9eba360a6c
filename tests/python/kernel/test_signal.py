"""madang.signal, beside Python's own."""

import asyncio
import errno
import functools
import os
import signal
from select import select

import madang
import pytest
from madang.kernel.signal import Descriptor, Process, block, blocked, kill, kill_group, pending, queue, rt, wait
from support import NOBODY, Thread, alarm, as_user, fails, in_child, needs_root

SI_USER, SI_QUEUE, CLD_EXITED = 0, -1, 1
RT = rt(3)


def alone(test):
    """In a forked child: a signal to a process goes to any thread that doesn't block it, and pytest has more than one."""

    @functools.wraps(test)
    def run():
        in_child(test)

    return run


@pytest.mark.parametrize("by_descriptor", [False, True])
def test_smoke(by_descriptor):
    """By pid and by pidfd, with a value and without, taken by wait and by descriptor."""
    signals = {signal.SIGUSR1, "SIGUSR2", RT}
    parent, me = os.getpid(), os.getuid()
    with block(signals):  # the child inherits it: no signal comes before
        child = os.fork()
        if child == 0:
            next = Descriptor(signals).read if by_descriptor else lambda timeout: wait(signals, timeout)
            got = [next(10) for _ in range(4)]
            found = [(info.signal, info.code, info.pid, info.uid, info.value) for info in got]
            right = [
                (signal.SIGUSR1, SI_USER, parent, me, 0),
                (signal.SIGUSR2, SI_QUEUE, parent, me, -7),
                (RT, SI_QUEUE, parent, me, 1),
                (RT, SI_QUEUE, parent, me, 2),
            ]
            os._exit(0 if sorted(found) == right else 1)
        with Process(child) as process:
            kill(child, signal.SIGUSR1)
            queue(child, "USR2", -7)
            process.queue(RT, 1)
            process.queue(RT, 2)
            process.wait(timeout=10)
            assert select([process], [], [], 0) == ([process], [], [])
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            with fails(errno.ESRCH, "no such process", ProcessLookupError):
                process.send(signal.SIGKILL)
            with fails(errno.ESRCH, "no such process", ProcessLookupError):
                process.queue(signal.SIGKILL, 1)


def test_the_mask_is_restored():
    assert blocked() == set()
    with block("SIGUSR1"):
        assert blocked() == {signal.SIGUSR1} == signal.pthread_sigmask(signal.SIG_BLOCK, [])
        with block([signal.SIGUSR2, RT]):
            assert blocked() == {signal.SIGUSR1, signal.SIGUSR2, RT}
            assert Thread(blocked).join() == blocked(), "a thread inherits it"
        assert blocked() == {signal.SIGUSR1}
    assert blocked() == set()
    guard = block("SIGUSR1")
    assert blocked() == set(), "only a block that is entered blocks"
    with guard, guard:
        with pytest.raises(RuntimeError, match="a thread's"):
            Thread(guard.__exit__).join()
    assert blocked() == set()


@alone
def test_beside_python_s_handlers():
    """What is taken has no handler run; what is left is handled when it is unblocked."""
    calls = []
    before = signal.signal(signal.SIGUSR1, lambda *_: calls.append(1))
    try:
        with block(signal.SIGUSR1):
            kill(os.getpid(), signal.SIGUSR1)
            assert pending() == {signal.SIGUSR1} == signal.sigpending()
            info = wait(signal.SIGUSR1, timeout=10)
            assert isinstance(info.signal, signal.Signals) and info.pid == os.getpid()
            assert calls == []
            kill(os.getpid(), signal.SIGUSR1)
            assert calls == []
        assert calls == [1]
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_timeout():
    with block("SIGUSR1"), Descriptor("SIGUSR1") as descriptor, Process(os.getpid()) as me:
        for call in (lambda timeout: wait("SIGUSR1", timeout), descriptor.read, me.wait):
            with fails(errno.EAGAIN, "", BlockingIOError):
                call(0)
            with fails(errno.ETIMEDOUT, "", TimeoutError):
                call(0.02)
        with pytest.raises(ValueError, match="0 or more"):
            wait("SIGUSR1", -1)


@alone
def test_other_handlers_run_meanwhile():
    calls = []

    def handler(*_):
        calls.append(1)
        if len(calls) == 3:
            kill(os.getpid(), signal.SIGUSR1)

    with block(signal.SIGUSR1):
        with alarm(0.02, handler):
            assert wait(signal.SIGUSR1).signal == signal.SIGUSR1
        with alarm(0.02, lambda *_: 1 / 0), pytest.raises(ZeroDivisionError):
            wait(signal.SIGUSR1)


@alone
def test_asyncio():
    async def main():
        with block(signal.SIGUSR1), Descriptor(signal.SIGUSR1) as descriptor:
            came: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().add_reader(descriptor, lambda: came.set_result(descriptor.read(0).value))
            queue(os.getpid(), signal.SIGUSR1, 5)
            value = await asyncio.wait_for(came, 10)
            asyncio.get_running_loop().remove_reader(descriptor)
            return value

    assert asyncio.run(main()) == 5


@alone
def test_a_child_that_ends():
    with block(signal.SIGCHLD):
        child = os.fork()
        if child == 0:
            os._exit(7)
        info = wait(signal.SIGCHLD, 10)
        assert (info.pid, info.code, info.status) == (child, CLD_EXITED, 7)
        os.waitpid(child, 0)


def test_a_group():
    def group():
        os.setpgid(0, 0)
        with block("SIGTERM"):
            kill_group(os.getpid(), "SIGTERM")
            return wait("SIGTERM", 10).pid == os.getpid()

    assert in_child(group)


def test_refusals():
    for never in (signal.SIGKILL, "SIGSTOP", [signal.SIGUSR1, signal.SIGKILL]):
        with fails(errno.EINVAL, "can't be blocked"), block(never):
            pass
        with fails(errno.EINVAL, "can't be blocked"):
            wait(never)
    with fails(errno.EINVAL, "the set is empty"), block([]):
        pass
    with fails(errno.EINVAL, "this thread doesn't block SIGUSR1"):
        wait(signal.SIGUSR1)
    with fails(errno.EINVAL, "doesn't block SIGUSR1"):
        Descriptor(signal.SIGUSR1)
    for pid in (0, -1):
        for call in (lambda: kill(pid, 10), lambda: queue(pid, 10, 1), lambda: Process(pid)):  # noqa: B023
            with fails(errno.EINVAL, "greater than 0"):
                call()
    with fails(errno.EINVAL, "greater than 1"):
        kill_group(1, 10)
    for wrong in (0, 33, 65, "SIGNONE", -9):
        with fails(errno.EINVAL, "signal"):
            kill(os.getpid(), wrong)
    for wrong in (None, 1.5, object()):
        with pytest.raises(TypeError):
            kill(os.getpid(), wrong)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            block(wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="32 bits"):
        queue(os.getpid(), 10, 1 << 31)
    with pytest.raises(TypeError):
        queue(os.getpid(), 10, "1")  # type: ignore[arg-type]


@needs_root
def test_another_users():
    target = os.getpid()
    with Process(target) as process:
        for call in (
            lambda: kill(target, 10),
            lambda: queue(target, 10, 1),
            lambda: process.send(10),
            lambda: process.queue(10, 1),
        ):
            with fails(errno.EPERM, "another user", PermissionError):
                as_user(NOBODY, call)


def test_names():
    assert madang.signal.number("SIGUSR1") == madang.signal.number("USR1") == signal.SIGUSR1
    assert madang.signal.number("SIGRTMIN+3") == RT == signal.SIGRTMIN + 3
    assert madang.signal.name(signal.SIGUSR1) == "SIGUSR1"
    assert madang.signal.name(RT) == "SIGRTMIN+3"
    with fails(errno.EINVAL, "is no signal"):
        madang.signal.number("usr1")
    with fails(errno.EINVAL, r"SIGRTMIN\+30"):
        rt(31)


def test_closed():
    with block("SIGUSR1"):
        process, descriptor = Process(os.getpid()), Descriptor("SIGUSR1")
        for thing in (process, descriptor):
            thing.close()
            thing.close()
            assert thing.closed
            with fails(errno.EBADF, "it is closed"):
                thing.fileno()
        with fails(errno.EBADF, "it is closed"):
            process.send(10)
        with fails(errno.EBADF, "it is closed"):
            descriptor.read()


@alone
def test_descriptors_dont_leak():
    before = len(os.listdir("/proc/self/fd"))
    with block("SIGUSR1"):
        for _ in range(3):
            with Process(os.getpid()) as process, Descriptor("SIGUSR1") as descriptor:
                assert not os.get_inheritable(process.fileno()) and not os.get_inheritable(descriptor.fileno())
                with Process.from_fd(os.dup(process.fileno())) as same:
                    same.send("SIGUSR1")
                descriptor.read(10)
            Process(os.getpid())
    assert len(os.listdir("/proc/self/fd")) == before
