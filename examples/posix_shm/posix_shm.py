"""The classic exercise: a child writes a greeting into shared memory, and the parent prints it."""

import os
import subprocess
import sys

from madang.kernel.posix.shm import Object


def parent(name):
    with Object(name, size=4096) as object, object.map(read_only=True) as memory:
        subprocess.run([sys.executable, __file__, name], check=True)
        print("the child says:", bytes(memory)[:13].decode())
    Object.unlink(name)  # or it stays until the machine stops


def child(name):
    with Object(name) as object, object.map() as memory, memoryview(memory) as view:
        view[:13] = b"hello, parent"


if __name__ == "__main__":
    child(sys.argv[1]) if len(sys.argv) > 1 else parent(f"greeting-{os.getpid()}")
