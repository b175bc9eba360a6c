"""Messages by priority: a child sends orders over a POSIX message queue, and the parent receives the most urgent first."""

import os
import subprocess
import sys

from madang.kernel.posix.mq import Queue


def parent(name):
    with Queue(name, max_messages=4, max_message_size=100) as queue:
        subprocess.run([sys.executable, __file__, name], check=True)
        for _ in range(4):
            data, priority = queue.recv()  # waits, if there is none yet
            print(f"{priority}: {data.decode()}")
    Queue.unlink(name)  # or it stays until the machine stops


def child(name):
    with Queue(name) as queue:
        queue.send(b"one coffee", 1)
        queue.send(b"two teas", 5)
        queue.send(b"a cake", 1)
        queue.send(b"fire!", 9)


if __name__ == "__main__":
    child(sys.argv[1]) if len(sys.argv) > 1 else parent(f"orders-{os.getpid()}")
