"""Producer and consumer, kept in order by two System V semaphores: a child puts squares into shared memory that has room for
one, the parent takes them out. Neither overtakes the other.
"""

import multiprocessing

from madang import sysv

COUNT = 5
# The semaphores: how many places are free, how many are full.
FREE, FULL = 0, 1


def produce(places: sysv.sem.Set, segment: sysv.shm.Segment) -> None:
    with segment.attach() as memory, memoryview(memory).cast("i") as place:
        for number in range(1, COUNT + 1):
            places.acquire(FREE, timeout=5)
            place[0] = number * number
            places.release(FULL)


def consume(places: sysv.sem.Set, segment: sysv.shm.Segment) -> None:
    with segment.attach() as memory, memoryview(memory).cast("i") as place:
        for _ in range(COUNT):
            places.acquire(FULL, timeout=5)
            number = place[0]
            places.release(FREE)
            print(f"consumed {number}")


def main() -> None:
    places = sysv.sem.Set(None, values=[1, 0])
    segment = sysv.shm.Segment(None, size=4096)
    try:
        producer = multiprocessing.Process(target=produce, args=(places, segment))
        producer.start()
        consume(places, segment)
        producer.join()
    finally:
        segment.remove()
        places.remove()  # or they stay until the machine stops


if __name__ == "__main__":
    main()
