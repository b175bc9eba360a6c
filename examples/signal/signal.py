"""A child waits for signals, instead of handling them; its parent sends them with values, to a descriptor that stands for the child.

The child is this program again. It says when it has blocked the signals: before, they would end it.
"""

import os
import subprocess
import sys
from signal import SIGKILL, SIGTERM, SIGUSR1

import madang

RT = madang.signal.rt(1)


def parent():
    child = subprocess.Popen([sys.executable, "-P", __file__, "child"], stdout=subprocess.PIPE, text=True)
    child.stdout.readline()  # "ready"

    with madang.signal.Process(child.pid) as process:
        process.queue(SIGUSR1, 7)
        print(child.stdout.readline(), end="")
        process.queue(RT, 1)  # real-time signals queue: both come
        process.queue(RT, 2)
        process.send(SIGTERM)
        process.wait(timeout=30)
        print(child.stdout.read(), end="")
        child.wait()
        print("parent: the child has ended")
        try:
            process.send(SIGKILL)  # whoever gets the child's pid next: this is not him
        except ProcessLookupError:
            print("parent: it can't be hit any more: ESRCH")


def child():
    with madang.signal.block({SIGUSR1, RT, SIGTERM}):
        print("ready", flush=True)
        for _ in range(3):
            info = madang.signal.wait({SIGUSR1, RT}, timeout=30)
            is_parent = "true" if info.pid == os.getppid() else "false"
            name = madang.signal.name(info.signal)
            print(f"child: {name} with {info.value}, from my parent: {is_parent}", flush=True)
        print("child:", madang.signal.wait(SIGTERM, timeout=30).signal.name, flush=True)


if __name__ == "__main__":
    child() if sys.argv[1:] == ["child"] else parent()
