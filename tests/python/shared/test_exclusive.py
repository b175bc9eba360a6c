"""Ends of a madang.Queue that one handle has to itself, and messages that are leased too often."""

import errno
import multiprocessing
import os
import pickle
import signal

import madang
import pytest
from support import Thread, fails, in_child, says, script, wait_until

ENDS = ["sender", "receiver"]


class Alone:
    """A queue, one end of which a handle has to itself, and another handle, which has none."""

    def __init__(self, name, end):
        self.end, self.options = end, {f"exclusive_{end}": True}
        self.alone = madang.Queue(name, **self.options)
        self.other = madang.Queue(name)
        self.sender, self.receiver = (self.alone, self.other) if end == "sender" else (self.other, self.alone)

    def pass_one(self, data=b"x"):
        self.sender.send(data)
        assert self.receiver.recv(timeout=0) == (data, 1)

    def uses(self, queue):
        """All that only who may use the end can do."""
        if self.end == "sender":
            return [
                lambda: queue.send(b"x"),
                lambda: queue.send(b"x" * 5000, timeout=0),
                lambda: queue.send(b"x", timeout=1),
                lambda: queue.send_many([b"x"]),
                lambda: queue.sendv([b"x"]),
                lambda: queue.reserve(1).commit(timeout=1),
            ]
        return [
            lambda: queue.recv(),
            lambda: queue.recv(5, timeout=0),
            lambda: queue.recv_into(bytearray(1), timeout=1),
            lambda: queue.recv_many(1),
            lambda: queue.lease(timeout=1),
            lambda: queue.peek(),
        ]

    def refuses(self, queue):
        for use in self.uses(queue):
            with fails(errno.EBUSY, "another handle, or another thread, has this end"):
                use()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.alone.close()
        self.other.close()


@pytest.fixture(params=ENDS)
def both(request, name):
    with Alone(name, request.param) as both:
        yield both


def test_others_are_refused_while_it_is_open(both, name):
    for number in range(100):
        both.pass_one(b"%d" % number)
        both.refuses(both.other)
    with fails(errno.EBUSY, "open"):
        madang.Queue(name, **both.options)
    both.alone.close()
    with madang.Queue(name) as another:
        another.send(b"free")
        assert another.recv() == (b"free", 1)
    madang.Queue(name, **both.options).close()


def test_both_ends(name):
    with madang.Queue(name, exclusive_sender=True, exclusive_receiver=True) as alone, madang.Queue(name) as other:
        for number in range(2000):
            alone.send(b"%d" % number, 1 + number % 3)
            assert alone.recv() == (b"%d" % number, 1 + number % 3)
        for use in (lambda: other.send(b""), other.recv):
            with fails(errno.EBUSY, "has this end"):
                use()
        alone.send_many([b"1", (b"2", 2), b"3"])
        assert alone.recv(2) == (b"2", 2)
        with alone.lease() as message:
            assert message.data == b"1"
        with alone.reserve(1) as reservation:
            reservation.write(b"4")
        assert alone.recv_many(10) == [(b"3", 1), (b"4", 1)]
        assert other.stat().messages == 0


def test_it_is_the_first_threads(both):
    both.pass_one()
    for _ in range(3):
        Thread(both.refuses, both.alone).join()
        both.pass_one()
        both.refuses(both.other)


def test_the_other_end_is_any_threads(both):
    both.pass_one()
    work = both.alone.recv if both.end == "sender" else lambda: both.alone.send(b"x")
    turn = both.sender.send if both.end == "sender" else both.receiver.recv

    def works():
        for _ in range(1500):
            work()

    thread = Thread(works)
    for _ in range(1500):
        turn(*([b"x"] if both.end == "sender" else []))
    thread.join()
    both.refuses(both.other)
    both.pass_one()


def test_a_forked_child_is_another(both):
    both.pass_one()
    in_child(lambda: both.refuses(both.alone))
    both.pass_one()


def test_unpickled_it_is_another(both):
    both.pass_one()
    with pickle.loads(pickle.dumps(both.alone)) as unpickled:
        both.refuses(unpickled)
    both.pass_one()


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("how", ["exit", "kill"])
def test_the_dead_shut_nobody_out(name, end, how):
    text = f"""
import madang, sys, time
alone = madang.Queue(sys.argv[1], exclusive_{end}=True)
if {end == "sender"}:
    alone.send(b"from the dead")
print("ready", flush=True)
if {how == "kill"}:
    time.sleep(60)
"""
    with madang.Queue(name) as other, script(text, name) as process:
        says(process, "ready")
        if how == "kill":
            with fails(errno.EBUSY, "has this end"):
                other.send(b"") if end == "sender" else other.recv()
            process.kill()
        process.wait()
        other.send(b"x")
        assert other.recv() == ((b"from the dead", 1) if end == "sender" else (b"x", 1))
        madang.Queue(name, **{f"exclusive_{end}": True}).close()


def test_a_lease_of_a_thread_that_may_not_receive_comes_back(name):
    """To give it back takes the receivers' end too."""
    with madang.Queue(name) as other:
        other.send(b"x")
        lease = other.lease()
        with madang.Queue(name, exclusive_receiver=True) as alone:
            with fails(errno.EAGAIN, "no message", BlockingIOError):
                alone.recv(timeout=0)
            lease.release()
            assert lease.ended
            data = bytearray(1)
            received = alone.recv_into(data, timeout=0)
            assert (data, received.redelivered) == (b"x", 1)


## Dead letters


def lease_and_die(queue):
    queue.lease(timeout=30)
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("deliveries", [1, 2, 5])
def test_what_is_leased_too_often_is_a_dead_letter(name, deliveries):
    letters = name + "letters"
    with madang.Queue(name, dead_letters=(letters, deliveries)) as queue:
        queue.send(b"poison" * 1000, 7)
        queue.send(b"good", 8)
        for turn in range(deliveries):
            message = queue.lease(timeout=0)
            assert (message.type, message.redelivered) == (7, turn)
            message.release()
            assert letters not in [listed.name for listed in madang.list()]
        with queue.lease(timeout=0) as message:
            assert (message.type, message.data, message.redelivered) == (8, b"good", 0)
        assert (len(queue), queue.stat().leased) == (0, 0)
    with madang.Queue(letters, create="never") as buried:
        assert (buried.recv(timeout=0), len(buried)) == ((b"poison" * 1000, 7), 0)


def test_who_kills_its_receivers_is_buried(name):
    with madang.Queue(name, dead_letters=(name + "letters", 3)) as queue:
        queue.send(b"poison")
        context = multiprocessing.get_context("fork")
        for _ in range(3):
            victim = context.Process(target=lease_and_die, args=(queue,))
            victim.start()
            victim.join()
            assert victim.exitcode == -signal.SIGKILL
        with fails(errno.ETIMEDOUT, "", TimeoutError):
            queue.lease(timeout=0.1)
        assert len(queue) == 0
    with madang.Queue(name + "letters") as buried:
        assert buried.recv(timeout=0) == (b"poison", 1)


def test_a_sleeper_buries_too(name):
    with madang.Queue(name, dead_letters=(name + "letters", 1)) as queue:
        queue.send(b"poison")
        message = queue.lease()
        sleeper = Thread(queue.lease)
        wait_until(sleeper.sleeps)
        message.release()
        with madang.Queue(name + "letters") as buried:
            assert buried.recv(timeout=30) == (b"poison", 1)
        queue.send(b"good")
        assert sleeper.join().data == b"good"


def test_a_full_dead_letter_queue_buries_nothing(name):
    with madang.Queue(name + "letters", max_messages=1) as letters:
        letters.send(b"full")
        with madang.Queue(name, dead_letters=(name + "letters", 1)) as queue:
            queue.send(b"poison")
            for turn in range(3):
                with pytest.raises(KeyError), queue.lease(timeout=0) as message:
                    assert (message.data, message.redelivered) == (b"poison", turn)
                    raise KeyError
            letters.recv()
            with fails(errno.EAGAIN, "no message", BlockingIOError):
                queue.lease(timeout=0)
            assert letters.recv(timeout=0) == (b"poison", 1)


def test_an_existing_queue_keeps_what_it_was_made_with(queue, name):
    with madang.Queue(name, dead_letters=(name + "letters", 1)) as other:
        other.send(b"x")
        other.lease().release()
        assert other.lease(timeout=0).redelivered == 1
    assert not [listed for listed in madang.list() if listed.name == name + "letters"]


def test_bad_dead_letters(name):
    for number in (0, -1):
        with pytest.raises(ValueError, match=f"a limit of {number}"):
            madang.Queue(name, dead_letters=("letters", number))
    with fails(errno.EINVAL, "dead letters after deliveries 65536"):
        madang.Queue(name, dead_letters=("letters", 65536))
    for bad in ("", "a/b", "\0", "x" * 243):
        with pytest.raises(OSError, match="dead-letter queue"):
            madang.Queue(name, dead_letters=(bad, 3))
    for bad in (
        "letters",
        3,
        ("letters",),
        ("letters", 3, 4),
        (3, "letters"),
        (None, 3),
        ["letters", 3],
        ("letters", 2.0),
    ):
        with pytest.raises((TypeError, ValueError)):
            madang.Queue(name, dead_letters=bad)
    with pytest.raises(TypeError):
        madang.Queue(name, exclusive_sender="yes")
    with fails(errno.ENOENT, "", FileNotFoundError):
        madang.Queue(name, create="never")
    madang.Queue(name, dead_letters=("letters", 65535)).close()
