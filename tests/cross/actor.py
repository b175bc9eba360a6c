"""The actor in Python; main.rs says what an actor does."""

import errno
import struct
import sys
from functools import cache

import madang


def main() -> None:
    actor = Actor()
    say(f"ok version={madang.__version__}")
    for line in sys.stdin:
        say("begun")
        verb, *words = line.split()
        names = [word for word in words if "=" not in word]
        values = {key: value(text) for key, text in (word.split("=") for word in words if "=" in word)}
        try:
            say(f"ok {getattr(actor, verb.replace('-', '_'))(*names, **values) or ''}")
        except OSError as error:
            say(f"error errno={error.errno} length={getattr(error, 'length', 0)} {error.strerror}")


def say(line: str) -> None:
    print(line, flush=True)


def value(text: str) -> int | str:
    return int(text) if text.lstrip("-").isdigit() else text


def seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def payload(sender: int, index: int, length: int) -> bytes:
    rest = pattern(index % 256) * (length // 256 + 1)
    return (struct.pack("<IQ", sender, index) + rest[12:])[:length]


def told(sender: int, index: int, type: int, data: bytes) -> str:
    """What there is to tell of a message."""
    return f"type={type} length={len(data)} whole={data == payload(sender, index, len(data)):d}"


def selection(select: int = 0, **rest: int) -> int | madang.Except:
    """Which message is wanted. (`except` can't be a parameter's name.)"""
    return madang.Except(select) if rest.get("except") else select


@cache
def pattern(index: int) -> bytes:
    """The bytes by their places in the message; they come again after 256."""
    return bytes((at * 31 + index) % 256 for at in range(256))


def operations(text: str) -> list[madang.Operation | tuple[int, int]]:
    """INDEX:DELTA[u][n],…; in the short form where that says it all."""
    pairs = [operation.split(":") for operation in text.split(",") if operation]
    return [
        madang.Operation(int(index), int(rest.rstrip("un")), undo="u" in rest, no_wait="n" in rest)
        if rest.rstrip("un") != rest
        else (int(index), int(rest))
        for index, rest in pairs
    ]


def numbers(text: int | str) -> list[int]:
    return [int(number) for number in str(text).split(",") if number]


class Actor:
    queue: madang.Queue
    segment: madang.Segment
    leased: madang.Lease | None = None
    reservation: madang.Reservation | None = None
    mutex: madang.Mutex
    rwlock: madang.RwLock
    guard: madang.RwLockGuard
    condition: madang.Condition
    barrier: madang.Barrier
    event: madang.Event
    semaphores: madang.SemaphoreSet

    def open(self, name: str, **options) -> str:
        self.close()
        self.queue = queue = madang.Queue(name, **options)
        return f"new={queue.is_new:d} capacity={queue.capacity} messages={len(queue)}"

    def close(self) -> None:
        if hasattr(self, "queue"):
            self.queue.close()

    def unlink(self, name: str) -> None:
        madang.Queue.unlink(name)

    def send(self, sender: int, index: int, length: int, type: int, timeout: int | None = None) -> None:
        self.queue.send(payload(sender, index, length), type, seconds(timeout))

    def recv(
        self,
        sender: int,
        index: int,
        buffer: int | None = None,
        cut: int = 0,
        timeout: int | None = None,
        **wanted: int,
    ) -> str:
        if buffer is None:
            data, type = self.queue.recv(selection(**wanted), seconds(timeout))
            return told(sender, index, type, data)
        room = bytearray(buffer)
        message = self.queue.recv_into(room, selection(**wanted), seconds(timeout), truncate=cut == 1)
        assert message.is_cut == (message.length < message.message_length)
        answer = told(sender, index, message.type, room[: message.length]) + f" sequence={message.sequence}"
        return answer + f" all={message.message_length}" if cut else answer

    def peek(self, sender: int, index: int, position: int) -> str:
        data, type = self.queue.peek(position)
        return told(sender, index, type, data)

    def lease(self, sender: int, index: int, timeout: int | None = None, **wanted: int) -> str:
        if self.leased is not None and not self.leased.ended:
            self.leased.release()
        self.leased = message = self.queue.lease(selection(**wanted), seconds(timeout))
        answer = told(sender, index, message.type, bytes(message))
        return f"{answer} sequence={message.sequence} redelivered={message.redelivered}"

    def ack(self) -> None:
        self.leased.ack()

    def release(self) -> None:
        self.leased.release()

    def reserve(self, length: int, timeout: int | None = None) -> None:
        self.drop()
        self.reservation = self.queue.reserve(length, timeout=seconds(timeout))

    def commit(self, sender: int, index: int, length: int, type: int, timeout: int | None = None) -> None:
        self.reservation.write(payload(sender, index, length))
        self.reservation.commit(type, length, seconds(timeout))

    def drop(self) -> None:
        if self.reservation is not None and not self.reservation.ended:
            self.reservation.release()

    def trim(self) -> str:
        return f"bytes={self.queue.trim()}"

    def stat(self) -> str:
        s = self.queue.stat()
        return (
            f"capacity={s.capacity} max_messages={s.max_messages} max_participants={s.max_participants} "
            f"bytes={s.bytes} messages={s.messages} sent={s.sent} received={s.received} "
            f"participants={s.participants} repairs={s.repairs} allocated={s.allocated} "
            f"mode={s.mode} uid={s.uid} gid={s.gid}"
        )

    def stream(self, sender: int, first: int, count: int, lengths: str, marks: int | None = None) -> None:
        of_each = [int(length) for length in str(lengths).split(",")]
        for index in range(first, first + count):
            self.queue.send(payload(sender, index, of_each[index % len(of_each)]), sender + 1)
            self.mark(marks, index)

    def collect(self, marks: int | None = None) -> str:
        room = memoryview(bytearray(self.queue.capacity))
        log = []
        while (message := self.queue.recv_into(room)).length > 0:
            data = room[: message.length]
            sender, index = struct.unpack_from("<IQ", data)
            assert data == payload(sender, index, len(data)), f"message {index} of sender {sender} is garbled"
            self.mark(marks, index)
            log.append(f"{message.sequence}:{message.type}:{sender}:{index}:{message.length}")
        return " ".join(log)

    def send_many(self, sender: int, index: int, type: int, lengths: str, timeout: int | None = None) -> str:
        messages = [(payload(sender, index, int(length)), type) for length in str(lengths).split(",")]
        return f"sent={self.queue.send_many(messages, seconds(timeout))}"

    def send_pieces(self, sender: int, index: int, length: int, type: int, timeout: int | None = None) -> None:
        data = payload(sender, index, length)
        third = length // 3
        self.queue.sendv([data[:third], data[third : 2 * third], b"", data[2 * third :]], type, seconds(timeout))

    def stream_batches(
        self, sender: int, first: int, count: int, lengths: str, batch: int, marks: int | None = None
    ) -> None:
        of_each = [int(length) for length in str(lengths).split(",")]
        for start in range(first, first + count, batch):
            indices = range(start, min(start + batch, first + count))
            messages = [(payload(sender, index, of_each[index % len(of_each)]), sender + 1) for index in indices]
            assert self.queue.send_many(messages) == len(messages)
            for index in indices:
                self.mark(marks, index)

    def collect_batches(self, batch: int, marks: int | None = None) -> str:
        log = []
        sequence = 0  # of one who receives alone
        while True:
            for data, type in self.queue.recv_many(batch):
                if not data:
                    return " ".join(log)
                sender, index = struct.unpack_from("<IQ", data)
                assert data == payload(sender, index, len(data)), f"message {index} of sender {sender} is garbled"
                self.mark(marks, index)
                log.append(f"{sequence}:{type}:{sender}:{index}:{len(data)}")
                sequence += 1

    def mark(self, marks: int | None, index: int) -> None:
        """Adds 1 to the message's byte in the segment, if that was asked for."""
        if marks is not None:
            self.bytes[marks + index] += 1

    def open_segment(self, name: str, length: int | None = None, read_only: int = 0, **options) -> str:
        self.close_segment()
        self.segment = segment = madang.Segment(name, length=length, read_only=read_only == 1, **options)
        self.bytes = memoryview(segment)
        return f"new={segment.is_new:d} length={len(segment)}"

    def close_segment(self) -> None:
        if hasattr(self, "segment"):
            self.bytes.release()
            self.segment.close()

    def unlink_segment(self, name: str) -> None:
        madang.Segment.unlink(name)

    def write(self, offset: int, sender: int, index: int, length: int) -> None:
        self.bytes[offset : offset + length] = payload(sender, index, length)

    def read(self, offset: int, sender: int, index: int, length: int) -> str:
        return f"whole={self.bytes[offset : offset + length] == payload(sender, index, length):d}"

    def open_set(self, name: str, values: int | str | None = None, **options) -> str:
        self.close_set()
        values = None if values is None else numbers(values)
        self.semaphores = madang.SemaphoreSet(name, values, **options)
        return f"new={self.semaphores.is_new:d} semaphores={len(self.semaphores)} max_value={self.semaphores.max_value}"

    def close_set(self) -> None:
        if hasattr(self, "semaphores"):
            self.semaphores.close()

    def unlink_set(self, name: str) -> None:
        madang.SemaphoreSet.unlink(name)

    def operate(self, ops: str = "", timeout: int | None = None) -> None:
        self.semaphores.operate(operations(ops), seconds(timeout))

    def semaphore(self, index: int) -> str:
        value, pid, waiting = (
            self.semaphores.value(index),
            self.semaphores.last_pid(index),
            self.semaphores.waiting(index),
        )
        return f"value={value} pid={pid} to_grow={waiting.to_grow} for_zero={waiting.for_zero}"

    def values(self) -> str:
        return " ".join(f"{index}={value}" for index, value in enumerate(self.semaphores.values()))

    def set_value(self, index: int, value: int) -> None:
        self.semaphores.set_value(index, value)

    def set_values(self, values: int | str) -> None:
        self.semaphores.set_values(numbers(values))

    def stat_set(self) -> str:
        s = self.semaphores.stat()
        return (
            f"semaphores={s.semaphores} max_value={s.max_value} max_participants={s.max_participants} "
            f"participants={s.participants} repairs={s.repairs} allocated={s.allocated} "
            f"mode={s.mode} uid={s.uid} gid={s.gid}"
        )

    def count_alone(self, ops: str, ops_after: str, at: int, rounds: int) -> None:
        """As one counts who is alone."""
        before, after = operations(ops), operations(ops_after)
        for _ in range(rounds):
            self.semaphores.operate(before)
            (count,) = struct.unpack_from("<H", self.bytes, at)
            struct.pack_into("<H", self.bytes, at, (count + 1) % 65536)
            self.semaphores.operate(after)

    def place(self, kind: str, parties: int = 0, **where) -> None:
        if "offset" in where:
            where["segment"] = self.segment
        if kind == "mutex":
            self.mutex = madang.Mutex(**where)
        elif kind == "rwlock":
            self.rwlock = madang.RwLock(**where)
        elif kind == "condition":
            self.condition = madang.Condition(self.mutex, **where)
        elif kind == "barrier":
            self.barrier = madang.Barrier(parties, **where)
        elif kind == "event":
            self.event = madang.Event(**where)

    def lock(self, timeout: int | None = None) -> str:
        in_time(self.mutex.acquire(timeout=seconds(timeout)), timeout)
        return f"died={self.mutex.owner_died:d}"

    def unlock(self) -> None:
        self.mutex.release()

    def read_lock(self, timeout: int | None = None) -> str:
        self.guard = self.rwlock.read(seconds(timeout))
        return f"died={self.guard.owner_died:d}"

    def write_lock(self, timeout: int | None = None) -> str:
        self.guard = self.rwlock.write(seconds(timeout))
        return f"died={self.guard.owner_died:d}"

    def unlock_rwlock(self) -> None:
        self.guard.release()

    def await_change(self, timeout: int | None = None) -> str:
        in_time(self.condition.wait(seconds(timeout)), timeout)
        return f"died={self.mutex.owner_died:d}"

    def tell_one(self) -> None:
        self.condition.notify()

    def tell_all(self) -> None:
        self.condition.notify_all()

    def meet(self, timeout: int | None = None) -> str:
        return f"rank={self.barrier.wait(seconds(timeout))}"

    def set(self) -> None:
        self.event.set()

    def clear(self) -> None:
        self.event.clear()

    def wait_for_event(self, timeout: int | None = None) -> None:
        in_time(self.event.wait(seconds(timeout)), timeout)

    def count(self, at: int, times: int) -> str:
        died = 0
        with self.bytes[at : at + 8].cast("Q") as number:
            for _ in range(times):
                with self.mutex:
                    died += self.mutex.owner_died
                    number[0] += 1
        return f"died={died}"


def in_time(did: bool, timeout: int | None) -> None:
    if not did:
        raise OSError(errno.ETIMEDOUT if timeout else errno.EAGAIN, "the time is over")


# What can't be a method's name.
setattr(Actor, "await", Actor.wait_for_event)

main()
