"""Does one thing with the System V objects of a key; sysv.rs says what."""

import errno
import sys

from madang import sysv

PATIENCE = 30


def write(key: int, offset: int, text: str) -> str:
    segment = sysv.shm.Segment(key, size=10000)
    with segment.attach() as memory, memoryview(memory) as view:
        if offset + len(text) > len(view):
            raise OSError(errno.EINVAL, "it would not lie within")
        view[offset : offset + len(text)] = text.encode()
    return f"new={int(segment.is_new)}"


def read(key: int, offset: int, length: int) -> str:
    with sysv.shm.Segment(key, size=10000).attach() as memory, memoryview(memory) as view:
        return bytes(view[offset : offset + length]).decode()


def recv(key: int, select: int) -> str:
    data, type = sysv.msg.Queue(key).recv(select, PATIENCE)
    return f"{type} {data.decode()}"


def old(key: int) -> sysv.sem.Set:
    return sysv.sem.Set(key, create="never")


STEPS = {
    "send": lambda key, type, text: sysv.msg.Queue(key).send(text.encode(), int(type)) or "sent",
    "recv": lambda key, select: recv(key, int(select)),
    "remove-queue": lambda key: sysv.msg.Queue.unlink(key) or "removed",
    "write": lambda key, offset, text: write(key, int(offset), text),
    "read": lambda key, offset, length: read(key, int(offset), int(length)),
    "remove-segment": lambda key: sysv.shm.Segment.unlink(key) or "removed",
    "set": lambda key, *values: f"new={int(sysv.sem.Set(key, values=list(map(int, values))).is_new)}",
    "take": lambda key, index: old(key).acquire(int(index), PATIENCE) or "taken",
    "give": lambda key, index: old(key).release(int(index)) or "given",
    "values": lambda key: " ".join(map(str, old(key).values())),
    "remove-set": lambda key: sysv.sem.Set.unlink(key) or "removed",
}

verb, key, *words = sys.argv[1:]
try:
    print(STEPS[verb](int(key), *words))
except OSError as error:
    print(f"error {error.errno}")
