"""A System V message queue that is read by type: a child posts, the parent takes the letters first, then the rest by urgency.

Both find the queue by a key that they make of the same path, here the working directory's.
"""

import multiprocessing

from madang import sysv


def child(key: int) -> None:
    queue = sysv.msg.Queue(key, create="never")
    for type, data in [(3, b"a newspaper"), (1, b"a telegram"), (2, b"a letter"), (1, b"another telegram")]:
        queue.send(data, type)


def main() -> None:
    key = sysv.ftok(".", ord("p"))
    queue = sysv.msg.Queue(key, create="only")
    try:
        process = multiprocessing.Process(target=child, args=(key,))
        process.start()
        process.join()
        # The first of type 2; then, of the lowest type up to 9, the first; and so on.
        for select in (2, -9, -9, -9):
            data, type = queue.recv(select, timeout=5)
            print(f"type {type}: {data.decode()}")
        try:
            queue.recv(timeout=0)
        except BlockingIOError:
            print("nothing else came")
    finally:
        queue.remove()  # or it stays until the machine stops


if __name__ == "__main__":
    main()
