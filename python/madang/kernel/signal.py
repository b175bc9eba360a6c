"""Signals: sent with a value, to processes that can't be mistaken, and waited for instead of handled.

    with madang.signal.block({signal.SIGUSR1, "SIGRTMIN+3"}):
        info = madang.signal.wait({signal.SIGUSR1, "SIGRTMIN+3"}, timeout=5.0)
        print(info.signal, info.value, info.pid)

It stands beside Python's own signal module, and takes and gives its signal.Signals. Nothing here installs a handler. A Python handler
runs in the main thread, some time after the signal came; a signal that is blocked waits until it is taken, or
unblocked, and one that was taken here has no handler run. While something here waits, the handlers of other signals run.

Of an ordinary signal at most one waits: sent twice, it comes once. Real-time signals (rt) queue.
"""

from .._madang.kernel.signal import (
    Descriptor,
    Info,
    Process,
    block,
    blocked,
    kill,
    kill_group,
    name,
    number,
    pending,
    queue,
    rt,
    wait,
)

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
