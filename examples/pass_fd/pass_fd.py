"""A file's descriptor is handed to another process, over a socket: a file that has no name any more, so that nobody could open it.

The child is this program again; its end of a pair of sockets is its standard input.
"""

import os
import subprocess
import sys

import madang


def parent():
    ours, theirs = madang.socket.Stream.pair()
    child = subprocess.Popen([sys.executable, __file__, "child"], stdin=theirs)
    theirs.close()  # the child's alone, now that it is started

    with open("letter", "w+") as file:
        os.remove("letter")
        file.write("Dear child, this file has no name any more.")
        file.seek(0)
        ours.send_message(b"a letter", fds=[file], timeout=30)
    # It is closed here: the child has its own copy.
    print("parent: the child ended:", "true" if child.wait() == 0 else "false")


def child():
    with madang.socket.Stream.from_fd(os.dup(0)) as stream:
        message = stream.recv_message(timeout=30, fds=1)  # what isn't wanted is closed
        print(f'child: I got "{message.data.decode()}" and a descriptor', flush=True)
        with open(message.fds[0]) as file:
            print("child: in it stands:", file.read(), flush=True)


if __name__ == "__main__":
    child() if sys.argv[1:] == ["child"] else parent()
