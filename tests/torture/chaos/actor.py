"""The actor in Python. What it does, and the book that it writes, are described in actor.rs, book.rs and queue.rs."""

import errno
import mmap
import os
import random
import signal
import struct
import sys
import time
from collections.abc import Callable
from functools import cache

import madang

# The book, as in book.rs.
HEAD, LEAF, LIVES, MESSAGES, HAND = 512, 64, 8192, 65536, 32768
STOP, PLACES = 0, 64
PID, STATE, KILLED, STOPS, OPERATIONS, BEGUN, DONE, IN_HAND, LONGEST, BUSY = range(10)
LEASED, TEXT, TEXT_WORDS = 14, 16, 48
BORN, ENDED, FAULT = 1, 2, 3
HAND_HOLDS = 1 << 32

TIMEOUT = 0.02  # seconds
REFUSED = {errno.EAGAIN, errno.ETIMEDOUT, errno.ENOMSG}


class Fault(Exception):
    """Its first word is the harm."""


class Me:
    """One's own place in the book, and one's choices."""

    def __init__(self, path: str, life: int, seed: int, gives: int, mix: int, lifetime: int) -> None:
        with open(path, "r+b") as file:
            self.book = memoryview(mmap.mmap(file.fileno(), (HEAD + LIVES * (LEAF + MESSAGES + HAND)) * 8)).cast("Q")
        self.seed, self.gives, self.mix, self.lifetime = seed, gives, mix, lifetime
        self.take(life)

    def take(self, life: int) -> None:
        self.life = life
        at = HEAD + life * LEAF
        self.leaf = self.book[at : at + LEAF]
        at = HEAD + LIVES * (LEAF + MESSAGES) + life * HAND
        self.hand = self.book[at : at + HAND].cast("B")
        # (Python's own generator is quicker; from the same seed it makes the same choices.)
        self.random = random.Random(self.seed ^ life << 32)
        signal.alarm(self.lifetime)

    def begin(self) -> None:
        self.leaf[PID] = os.getpid()
        self.leaf[STATE] = BORN

    def below(self, end: int) -> int:
        return int(self.random.random() * end)

    def fail(self, what: str) -> None:
        text = what.encode()[: TEXT_WORDS * 8 - 1].ljust(TEXT_WORDS * 8, b"\0")
        self.leaf[TEXT : TEXT + TEXT_WORDS] = memoryview(text).cast("Q")
        self.leaf[STATE] = FAULT

    def call(self, what: str, call: Callable[[float], object]) -> object:
        """A call: it is timed, and what it was refused is told apart from what must not be: None."""
        timeout = TIMEOUT * self.below(2)
        stops, begun = self.leaf[STOPS], time.monotonic()
        try:
            return call(timeout)
        except OSError as error:
            if error.errno == errno.EBUSY:
                self.leaf[BUSY] += 1
            elif error.errno not in REFUSED:
                raise Fault(f"wrong: {what}: {error}") from error
            return None
        finally:
            over = int((time.monotonic() - begun - timeout) * 1e9)
            if self.leaf[STOPS] == stops and self.leaf[LONGEST] < over:
                self.leaf[LONGEST] = over

    def pause(self) -> None:
        if self.below(32) == 0:
            time.sleep(self.below(1000) / 1e6)

    def is_over(self) -> bool:
        return self.book[STOP] != 0 or self.leaf[BEGUN] + 64 > MESSAGES


BATCHES, LEASES, RESERVATIONS, LARGE = 1, 2, 4, 8
TYPES, MOST_BATCH, MESSAGE_HEAD = 4, 16, 12


def type_of(sender: int, index: int) -> int:
    return 1 + (sender + index) % TYPES


def payload(sender: int, index: int, length: int) -> bytes:
    rest = pattern(index % 256) * (length // 256 + 1)
    return (struct.pack("<IQ", sender, index) + rest[12:])[:length]


@cache
def pattern(index: int) -> bytes:
    """The bytes by their places in the message; they come again after 256."""
    return bytes((at * 31 + index) % 256 for at in range(256))


class QueueTurns:
    def __init__(self, name: str, me: Me) -> None:
        self.queue = madang.Queue(name, create="never")
        self.capacity = self.queue.capacity
        self.me = me
        self.forked()

    def forked(self) -> None:
        self.floors = [0] * (TYPES + 1)

    def turn(self) -> None:
        me = self.me
        if me.below(8) < me.gives:
            self.send()
            return
        select = self.draw_select()
        how = me.below(3)
        if how == 0 and me.mix & BATCHES:
            self.receive_batch(select)
        elif how == 1 and me.mix & LEASES:
            self.lease(select)
        else:
            self.receive(select)

    def draw_length(self) -> int:
        most, which, large = 200, self.me.below(16), self.me.mix & LARGE
        if which == 0 and large:
            most = self.capacity - self.capacity // 16
        elif which in (1, 2) and large:
            most = self.capacity // 4
        elif which < 4:
            most = self.capacity // 16
        return MESSAGE_HEAD + self.me.below(min(most, self.capacity - MESSAGE_HEAD))

    def send(self) -> None:
        me = self.me
        index = me.leaf[DONE]
        count = 1 + me.below(MOST_BATCH) if me.mix & BATCHES and me.below(4) == 0 else 1
        is_reserved = me.mix & RESERVATIONS and me.below(4) == 0
        messages = [
            (payload(me.life, index + i, self.draw_length()), type_of(me.life, index + i)) for i in range(count)
        ]
        me.leaf[BEGUN] = index + count
        if count > 1:
            sent = me.call("send_many", lambda timeout: self.queue.send_many(messages, timeout)) or 0
        elif is_reserved:
            sent = self.send_reserved(*messages[0])
        else:
            sent = self.sent("send", lambda timeout: self.queue.send(*messages[0], timeout))
        me.leaf[DONE] = index + sent
        me.leaf[BEGUN] = index + sent

    def sent(self, what: str, call: Callable[[float], None]) -> int:
        """1 if it was, else 0."""
        return self.me.call(what, lambda timeout: call(timeout) or 1) or 0

    def send_reserved(self, data: bytes, type: int) -> int:
        """Reserves, and sends or gives back."""
        place = self.me.call("reserve", lambda timeout: self.queue.reserve(len(data) + 5, timeout=timeout))
        if place is None:
            return 0
        place.write(data)
        sent = self.me.below(4) and self.sent("commit", lambda timeout: place.commit(type, len(data), timeout))
        if not sent:
            place.release()
        return sent

    def draw_select(self) -> int | madang.Except:
        type, which = 1 + self.me.below(TYPES), self.me.below(8)
        return 0 if which < 4 else madang.Except(type) if which == 7 else -type if which == 6 else type

    def receive(self, select: int | madang.Except) -> None:
        self.me.leaf[IN_HAND] = HAND_HOLDS
        received = self.me.call("recv", lambda timeout: self.queue.recv_into(self.me.hand, select, timeout))
        if received is not None:
            entry = self.entry_of(received.type, self.me.hand[: received.length])
            self.hand_out(entry, received.sequence, received.redelivered)
            self.me.book[entry] += 1
            self.check_order(select, received)
        self.me.leaf[IN_HAND] = 0

    def receive_batch(self, select: int | madang.Except) -> None:
        """(Nothing is told of a message but its type.)"""
        count = 1 + self.me.below(MOST_BATCH)
        self.me.leaf[IN_HAND] = count
        messages = self.me.call("recv_many", lambda timeout: self.queue.recv_many(count, select, timeout))
        for data, type in messages or []:
            entry = self.entry_of(type, data)
            self.hand_out(entry)
            self.me.book[entry] += 1
        self.me.leaf[IN_HAND] = 0

    def lease(self, select: int | madang.Except) -> None:
        """Leases, and acknowledges or gives back."""
        lease = self.me.call("lease", lambda timeout: self.queue.lease(select, timeout))
        if lease is None:
            return
        entry = self.entry_of(lease.type, bytes(lease))
        self.hand_out(entry, lease.sequence, lease.redelivered)
        if self.me.below(8) == 0:
            lease.release()
            return
        self.me.leaf[LEASED] = entry
        lease.ack()
        self.me.book[entry] += 1
        self.me.leaf[LEASED] = 0

    def entry_of(self, type: int, data: bytes | memoryview) -> int:
        """Where the book has the message, after everything in it was checked."""
        if len(data) < MESSAGE_HEAD:
            raise Fault("wrong: a message without a head")
        sender, index = struct.unpack_from("<IQ", data)
        if sender >= LIVES or index >= MESSAGES or data != payload(sender, index, len(data)):
            raise Fault(f"wrong: a garbled message of {len(data)} bytes: {sender}, {index}")
        if type != type_of(sender, index):
            raise Fault(f"wrong: message {index} of {sender} has type {type}")
        return HEAD + LIVES * LEAF + sender * MESSAGES + index

    def hand_out(self, entry: int, sequence: int | None = None, redelivered: int | None = None) -> None:
        was = self.me.book[entry]
        times, known = was >> 8 & 0xFF, was >> 16
        if was & 0xFF:
            raise Fault(f"doubled: it was received before (place {entry})")
        if times > 0 and redelivered == 0:
            raise Fault(f"doubled: it was handed out before, and has no mark (place {entry})")
        if known and sequence is not None and sequence != known - 1:
            raise Fault(f"wrong: its sequence was {known - 1}, and is {sequence}")
        if sequence is not None:
            known = sequence + 1
        self.me.book[entry] = known << 16 | min(times + 1, 0xFF) << 8

    def check_order(self, select: int | madang.Except, message: madang.Received) -> None:
        """Floors: what no selection lets by."""
        type, sequence, floors = message.type, message.sequence, self.floors
        if message.redelivered > 0:
            return
        if sequence < floors[type]:
            raise Fault(f"wrong: {select}: sequence {sequence} of type {type} after {floors[type]}, and no mark")
        if isinstance(select, madang.Except):
            passed = [other for other in range(TYPES + 1) if other != select.type]
        elif select == 0:
            passed = range(TYPES + 1)
        else:
            passed = range(type + 1) if select < 0 else [type]
        for other in passed:
            floors[other] = max(floors[other], sequence)


WORLDS = {"queue": QueueTurns}


def live(me: Me, turns: QueueTurns, fork_at: int) -> None:
    turn = 0
    while not me.is_over():
        turn += 1
        if turn == fork_at and os.fork() == 0:
            me.take(me.life + LIVES // 2)
            me.begin()
            turns.forked()
        turns.turn()
        me.leaf[OPERATIONS] += 1
        me.pause()


def main() -> None:
    path, world, name, *numbers = sys.argv[1:]
    life, seed, gives, fork_at, mix, lifetime = map(int, numbers)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    me = Me(path, life, seed, gives, mix, lifetime)
    try:
        turns = WORLDS[world](name, me)
        me.begin()
        live(me, turns, fork_at)
        me.leaf[STATE] = ENDED
    except Fault as fault:
        me.fail(str(fault))
    except Exception as error:
        me.fail(f"wrong: {error!r}")


main()
