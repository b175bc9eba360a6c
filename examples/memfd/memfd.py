"""Memory for a stranger: a parent fills a memfd, seals it, and hands it to a child. The child doesn't trust the parent: it checks the
seals, and knows then that nobody can change what it reads, or take it away.

The child is this program again, which inherits the memfd. Between strangers it would come over a Unix socket, by socket.send_fds.
"""

import subprocess
import sys

from madang.kernel.memfd import Memfd

TEXT = b"nobody can change this"


def parent():
    with Memfd("letter", size=len(TEXT)) as memory:
        with memory.map() as mapping, memoryview(mapping) as view:
            view[:] = TEXT
        memory.seal("shrink", "grow", "write", "seal")
        fd = memory.fileno()
        done = subprocess.run([sys.executable, __file__, str(fd)], pass_fds=[fd])
        print("the child ended", "well" if done.returncode == 0 else "badly")


def child(fd):
    with Memfd.from_fd(fd, ["write", "grow"]) as memory:  # PermissionError if it isn't sealed like that
        with memory.map(read_only=True) as mapping:
            print("the child reads:", bytes(mapping).decode())
        try:
            memory.map()
        except PermissionError:
            print("the child can't write")


if __name__ == "__main__":
    child(int(sys.argv[1])) if len(sys.argv) > 1 else parent()
