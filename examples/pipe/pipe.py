"""The classic exercise: a parent and a child over two pipes. The parent writes lines, the child answers each in upper case.

The child is this program again, which gets its ends as standard input and output.
"""

import os
import subprocess
import sys

import madang


def parent():
    for_child, to_child = madang.pipe.pair()
    from_child, by_child = madang.pipe.pair()
    # The child's ends become the child's alone: so it sees the end of the file, and we see its.
    stdin, stdout = for_child.detach(), by_child.detach()
    child = subprocess.Popen([sys.executable, __file__, "child"], stdin=stdin, stdout=stdout)
    os.close(stdin)
    os.close(stdout)

    # Python's own files take it from there.
    with open(from_child.detach()) as answers:
        for line in ["hello", "how are you?", "goodbye"]:
            to_child.write_all(f"{line}\n".encode())
            print(line, "->", answers.readline().rstrip())
        to_child.close()  # the end of the file
        print("the child ended:", "true" if child.wait() == 0 else "false")


def child():
    reader, writer = madang.pipe.Reader.from_fd(os.dup(0)), madang.pipe.Writer.from_fd(os.dup(1))
    for line in open(reader.detach()):
        writer.write_all(line.upper().encode())


if __name__ == "__main__":
    child() if sys.argv[1:] == ["child"] else parent()
