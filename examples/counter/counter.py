"""Several processes count in a segment, under a mutex that lies beside the number. One of them is killed while it has the
mutex: the next who takes it is told, and puts right what was half done.

The number stands there twice. Who counts raises the first, then the second; so if they differ, somebody was killed in
between.
"""

import multiprocessing
import os
import signal

import madang

WORKERS = 3
TIMES = 1000

# Where it lies in the segment: a mutex takes 64 bytes, at a multiple of 64; then come 64-bit numbers.
MUTEX, NUMBERS = 0, 64
FIRST, SECOND, PUT_RIGHT = range(3)


class Counter:
    def __init__(self, name: str) -> None:
        # A new segment is all 0, and so is a free mutex: there is nothing to initialise.
        self.segment = madang.Segment(name, length=4096)
        self.mutex = madang.Mutex(segment=self.segment, offset=MUTEX)
        self.numbers = memoryview(self.segment)[NUMBERS : NUMBERS + 24].cast("Q")

    def put_right(self) -> None:
        """To be called with the mutex: puts right what a dead owner left."""
        numbers = self.numbers
        if self.mutex.owner_died and numbers[FIRST] != numbers[SECOND]:
            numbers[FIRST] = numbers[SECOND]
            numbers[PUT_RIGHT] += 1

    def count(self) -> None:
        with self.mutex:
            self.put_right()
            self.numbers[FIRST] += 1
            self.numbers[SECOND] += 1

    def count_and_be_killed(self) -> None:
        with self.mutex:
            self.put_right()
            self.numbers[FIRST] += 1
            os.kill(os.getpid(), signal.SIGKILL)


def work(name: str) -> None:
    counter = Counter(name)
    for _ in range(TIMES):
        counter.count()


def be_killed(name: str) -> None:
    Counter(name).count_and_be_killed()


def main() -> None:
    name = f"counter-example-{os.getpid()}"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=work, args=(name,)) for _ in range(WORKERS)]
    victim = context.Process(target=be_killed, args=(name,))
    for process in [*workers, victim]:
        process.start()
    for process in [*workers, victim]:
        process.join()
    assert victim.exitcode == -signal.SIGKILL

    counter = Counter(name)
    with counter.mutex:  # if the victim came last, it is this one that is told
        counter.put_right()
    print(f"{WORKERS} processes counted to {counter.numbers[FIRST]}")
    print(f"one was killed in the middle of it, and was put right {counter.numbers[PUT_RIGHT]} time")
    madang.Segment.unlink(name)


if __name__ == "__main__":
    main()
