"""Two processes in turn: the parent says ping, the child says pong, and two POSIX semaphores keep them in order."""

import os
import subprocess
import sys

from madang.kernel.posix.sem import Semaphore


def parent(pid):
    with Semaphore(f"ping-{pid}") as ping, Semaphore(f"pong-{pid}") as pong:
        ping.post()
        child = subprocess.Popen([sys.executable, __file__, pid])
        for number in range(1, 4):
            ping.wait(timeout=10)  # Who gives up in the end doesn't hang if the other one died.
            print("ping", number, flush=True)
            pong.post()
        child.wait()
    Semaphore.unlink(f"ping-{pid}")  # or they stay until the machine stops
    Semaphore.unlink(f"pong-{pid}")


def child(pid):
    with Semaphore(f"ping-{pid}") as ping, Semaphore(f"pong-{pid}") as pong:
        for number in range(1, 4):
            pong.wait(timeout=10)
            print("pong", number, flush=True)
            ping.post()


if __name__ == "__main__":
    child(sys.argv[1]) if len(sys.argv) > 1 else parent(str(os.getpid()))
