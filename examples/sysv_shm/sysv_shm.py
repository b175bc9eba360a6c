"""System V shared memory: a child writes a greeting, which the parent prints.

The segment has no key: the child is given the segment itself, which is its identifier when it is pickled. It is removed as
soon as nobody new will come, and so goes with the last attachment, however the processes end.
"""

import errno
import multiprocessing

from madang import sysv

GREETING = b"hello from the child"


def child(segment: sysv.shm.Segment) -> None:
    with segment.attach() as memory:
        memoryview(memory)[: len(GREETING)] = GREETING


def main() -> None:
    segment = sysv.shm.Segment(None, size=4096)
    with segment.attach() as memory:
        print(f"attached: {segment.stat().attached}", flush=True)
        process = multiprocessing.Process(target=child, args=(segment,))
        process.start()
        process.join()
        segment.remove()

        # It is there as long as somebody has it attached.
        with memoryview(memory) as view:
            print(f"the child wrote: {bytes(view[: len(GREETING)]).decode()}")
    try:
        segment.stat()
    except OSError as error:
        if error.errno == errno.EIDRM:
            print("the segment is gone")


if __name__ == "__main__":
    main()
