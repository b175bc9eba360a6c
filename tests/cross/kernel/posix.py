"""posix.rs says what this does."""

import os
import signal
import sys

from madang.kernel.memfd import Memfd
from madang.kernel.posix import mq, sem, shm

PATIENCE = 30


def queue(name):
    return mq.Queue(name, max_messages=4, max_message_size=64, mode=0o640)


def unnamed(name, offset):
    return sem.Semaphore.at(shm.Object(name).map(), int(offset))


def post(semaphore):
    semaphore.post()
    print(semaphore.value)


def wait(semaphore):
    semaphore.wait(timeout=PATIENCE)
    print(semaphore.value)


def text(mapping):
    return bytes(mapping).partition(b"\0")[0].decode()


def write(mapping, text):
    with mapping, memoryview(mapping) as view:
        view[: len(text)] = text.encode()


def main(verb, *words):
    match verb, *words:
        case "mq-send", name, priority, message:
            queue(name).send(message.encode(), int(priority), timeout=PATIENCE)
        case "mq-recv", name:
            data, priority = queue(name).recv(timeout=PATIENCE)
            print(priority, data.decode())
        case "mq-unlink", name:
            mq.Queue.unlink(name)
        case "shm-write", name, greeting:
            write(shm.Object(name, size=4096, mode=0o640).map(), greeting)
        case "shm-read", name:
            print(text(shm.Object(name, read_only=True).map(read_only=True)))
        case "shm-size", name, size:
            with shm.Object(name) as object:
                print(object.size)
                object.set_size(int(size))
        case "shm-unlink", name:
            shm.Object.unlink(name)
        case "sem-make", name, value:
            sem.Semaphore(name, value=int(value), mode=0o640)
        case "sem-post", name:
            post(sem.Semaphore(name))
        case "sem-wait", name:
            wait(sem.Semaphore(name))
        case "sem-unlink", name:
            sem.Semaphore.unlink(name)
        case "init", name, offset, value:
            sem.Semaphore.init_in(shm.Object(name, size=4096, mode=0o640).map(), int(offset), int(value))
        case "post", name, offset:
            post(unnamed(name, offset))
        case "wait", name, offset:
            wait(unnamed(name, offset))
        case "memfd-make", greeting:
            with Memfd("cross", size=4096) as memory:
                write(memory.map(), greeting)
                memory.seal("shrink", "grow", "write")
                print(os.getpid(), memory.fileno(), flush=True)
                sys.stdin.read()
        case ("memfd-read",):
            try:
                with Memfd.from_fd(os.dup(0), ["grow", "write"]) as memory:
                    print(text(memory.map(read_only=True)))
            except PermissionError as error:
                print(error.errno)
        case _:
            raise SystemExit(f"what is {verb} {words}?")


signal.alarm(60)
main(*sys.argv[1:])
