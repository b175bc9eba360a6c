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
from functools import cache, partial

import madang
from madang.shared import sysv

# The book, as in book.rs.
HEAD, LEAF, LIVES, MESSAGES, HAND = 512, 64, 65536, 32768, 32768
STOP, PLACES = 0, 64
PID, STATE, KILLED, STOPS, OPERATIONS, BEGUN, DONE, IN_HAND, LONGEST_TRY = range(9)
SECOND_BEGUN, SECOND_DONE, THIRD_BEGUN, THIRD_DONE, LEASED, FOUND, LONGEST_WAIT = range(9, 16)
TEXT, TEXT_WORDS = 16, 48
INSIDE, COUNTER, WRITER, ONE, OTHER, TICKETS = range(PLACES, PLACES + 6)
BORN, ENDED, FAULT = 1, 2, 3
HAND_HOLDS = 1 << 32

TIMEOUT = 0.02  # seconds
REFUSED = {errno.EAGAIN, errno.EBUSY, errno.ETIMEDOUT, errno.ENOMSG}


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
        """A call that waits, or doesn't: None is what may be refused."""
        return self.timed(what, TIMEOUT * self.below(2), call)

    def timed(self, what: str, timeout: float, call: Callable[[float], object]) -> object:
        stops, begun = self.leaf[STOPS], time.monotonic()
        try:
            return call(timeout)
        except OSError as error:
            if error.errno not in REFUSED:
                raise Fault(f"wrong: {what}: {error}") from error
            return None
        finally:
            over = int((time.monotonic() - begun - timeout) * 1e9)
            longest = LONGEST_WAIT if timeout else LONGEST_TRY
            if self.leaf[STOPS] == stops and self.leaf[longest] < over:
                self.leaf[longest] = over

    def look_inside(self, place: int, is_told: bool) -> None:
        """Whoever is inside must have been killed, and one must have been told."""
        other = self.book[place]
        if other and self.book[HEAD + other * LEAF + KILLED] == 0:
            raise Fault(f"doubled: life {other} is inside ({place - PLACES}), too")
        if other and not is_told:
            raise Fault(f"wrong: nobody told that life {other} was killed inside ({place - PLACES})")
        self.leaf[FOUND] += other != 0

    def enter(self, place: int, is_told: bool) -> None:
        self.look_inside(place, is_told)
        self.book[place] = self.life

    def leave(self, place: int) -> None:
        self.book[place] = 0

    def change(self, place: int, by: int, begun: int, done: int) -> None:
        """Not atomically, and tells of it before and after."""
        was = self.book[place]
        self.leaf[begun] += 1
        self.book[place] = was + by
        self.leaf[done] += 1

    def compare(self, is_told: bool) -> None:
        one, other = self.book[ONE], self.book[OTHER]
        if one != other and not is_told:
            raise Fault(f"wrong: {one} and {other} are not equal, and nobody told")

    def pause(self) -> None:
        if self.below(128) == 0:
            time.sleep(self.below(1000) / 1e6)

    def is_over(self) -> bool:
        return self.book[STOP] != 0 or self.leaf[BEGUN] + 64 > MESSAGES


BATCHES, LEASES, RESERVATIONS, LARGE, ALONE = 1, 2, 4, 8, 16
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
        self.me = me
        self.queue = self.open(name)
        self.capacity = self.queue.capacity
        self.forked()

    def open(self, name: str) -> madang.Queue:
        """Perhaps for oneself alone, when the one before is gone."""
        sends, receives = (self.me.mix & ALONE and self.me.gives == gives for gives in (8, 0))
        while True:
            try:
                return madang.Queue(
                    name, create="never", exclusive_sender=bool(sends), exclusive_receiver=bool(receives)
                )
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise

    def forked(self) -> None:
        self.floors = [0] * (TYPES + 1)

    def turn(self) -> None:
        me = self.me
        if me.below(512) == 0:
            self.look_after()
            return
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

    def look_after(self) -> None:
        """What is done besides, also to open it anew."""
        queue, timed = self.queue, self.me.timed
        which = self.me.below(4 if self.me.mix & ALONE else 5)
        if which == 4:
            self.queue = madang.Queue(queue.name, create="never")
            queue.close()
        elif which == 3:
            timed("peek", 0, lambda _: queue.peek(8))
        else:
            looks = [queue.trim, queue.stat, queue.participants]
            timed("look", 0, lambda _: looks[which]())

    def draw_length(self) -> int:
        most, which, large = 200, self.me.below(64), self.me.mix & LARGE
        if which == 0 and large:
            most = self.capacity - self.capacity // 16
        elif which < 4 and large:
            most = self.capacity // 4
        elif which < 16:
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


class MessageTurns(QueueTurns):
    """With System V's calls, which don't wait here: they would have no end."""

    def __init__(self, id: str, me: Me) -> None:
        self.id, self.capacity, self.me = int(id), 8192, me

    def turn(self) -> None:
        if self.me.below(8) < self.me.gives:
            self.send()
        else:
            self.receive()

    def send(self) -> None:
        leaf, index = self.me.leaf, self.me.leaf[DONE]
        data, type = payload(self.me.life, index, self.draw_length()), type_of(self.me.life, index)
        leaf[BEGUN] = index + 1
        sent = self.sent("msgsnd", lambda _: sysv.msgsnd(self.id, type, data, sysv.IPC_NOWAIT))
        leaf[DONE] = index + sent
        leaf[BEGUN] = index + sent

    def receive(self) -> None:
        select, flags = self.draw_select(), sysv.IPC_NOWAIT
        if isinstance(select, madang.Except):
            select, flags = select.type, flags | sysv.MSG_EXCEPT
        self.me.leaf[IN_HAND] = 1
        received = self.me.call("msgrcv", lambda _: sysv.msgrcv(self.id, self.capacity, select, flags))
        if received is not None:
            data, type = received
            entry = self.entry_of(type, data)
            self.hand_out(entry)
            self.me.book[entry] += 1
        self.me.leaf[IN_HAND] = 0


class SemaphoreTurns:
    def __init__(self, name: str, me: Me) -> None:
        self.do = madang.SemaphoreSet(name, create="never").operate
        self.me = me

    def forked(self) -> None:
        pass

    def operate(self, operations: list[madang.Operation]) -> bool:
        did = self.me.call("operate", lambda timeout: self.do(operations, timeout) or True)
        return did is not None

    def give_back(self, operations: list[madang.Operation]) -> None:
        """What can be done, though somebody who is stopped may hold it up."""
        while not self.operate(operations):
            pass

    def count_alone(self) -> None:
        if not self.operate([madang.Operation(0, -1, undo=True)]):
            return
        self.me.enter(INSIDE, True)
        self.me.change(COUNTER, 1, BEGUN, DONE)
        self.me.leave(INSIDE)
        self.give_back([madang.Operation(0, 1, undo=True)])

    def hold(self, *amounts: tuple[int, int]) -> None:
        if not self.operate([madang.Operation(index, -amount, undo=True) for index, amount in amounts]):
            return
        self.me.pause()
        # (Who ends now leaves it to the undoing.)
        if not self.me.is_over():
            self.give_back([madang.Operation(index, amount, undo=True) for index, amount in amounts])

    def turn(self) -> None:
        one, more, amount = self.me.below(3), self.me.below(2), 1 + self.me.below(3)
        one, other = 1 + one, 1 + (one + 1 + more) % 3
        which = self.me.below(4)
        if which == 0:
            self.count_alone()
        elif which == 1:
            self.hold((one, amount))
        elif which == 2:
            self.hold((one, amount), (other, 1))
        else:
            self.operate([madang.Operation(one, -amount), madang.Operation(other, amount)])


class SysvSemaphoreTurns(SemaphoreTurns):
    def __init__(self, id: str, me: Me) -> None:
        self.do = partial(sysv.semop, int(id))
        self.me = me


class LockTurns:
    def __init__(self, name: str, me: Me) -> None:
        segment = madang.Segment(name, create="never")
        self.mutex = madang.Mutex(segment=segment, offset=0)
        self.condition = madang.Condition(self.mutex, segment=segment, offset=64)
        self.rwlock = madang.RwLock(segment=segment, offset=512)
        self.me = me

    def forked(self) -> None:
        pass

    def lock(self) -> bool:
        if not self.me.call("lock", lambda timeout: self.mutex.acquire(timeout > 0, timeout or -1)):
            return False
        self.me.enter(INSIDE, self.mutex.owner_died)
        return True

    def count(self) -> None:
        if self.lock():
            self.me.change(COUNTER, 1, BEGUN, DONE)
            self.me.leave(INSIDE)
            self.mutex.release()

    def give(self) -> None:
        if self.lock():
            self.me.change(TICKETS, 1, SECOND_BEGUN, SECOND_DONE)
            self.me.leave(INSIDE)
            self.condition.notify()
            self.mutex.release()

    def take(self) -> None:
        if not self.lock():
            return
        while self.me.book[TICKETS] == 0:
            self.me.leave(INSIDE)
            if not self.me.timed("wait", TIMEOUT, self.condition.wait):
                self.mutex.release()
                return
            self.me.enter(INSIDE, self.mutex.owner_died)
        self.me.change(TICKETS, -1, THIRD_BEGUN, THIRD_DONE)
        self.me.leave(INSIDE)
        self.mutex.release()

    def read(self) -> None:
        guard = self.me.call("read", self.rwlock.read)
        if guard is not None:
            self.me.look_inside(WRITER, guard.owner_died)
            self.me.compare(guard.owner_died)
            guard.release()

    def write(self) -> None:
        guard = self.me.call("write", self.rwlock.write)
        if guard is not None:
            self.me.enter(WRITER, guard.owner_died)
            self.me.compare(guard.owner_died)
            following = self.me.book[ONE] + 1
            self.me.book[ONE] = following
            self.me.book[OTHER] = following
            self.me.leave(WRITER)
            guard.release()

    def turn(self) -> None:
        which = self.me.below(4)
        if which == 0:
            self.count()
        elif which == 1:
            self.give() if self.me.below(8) < self.me.gives else self.take()
        elif which == 2:
            self.write()
        else:
            self.read()


WORLDS = {
    "queue": QueueTurns,
    "messages": MessageTurns,
    "semaphores": SemaphoreTurns,
    "sysv-semaphores": SysvSemaphoreTurns,
    "locks": LockTurns,
}


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
