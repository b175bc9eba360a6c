"""Waiting for a madang.Queue by its descriptors: select, poll, epoll, selectors."""

import errno
import mmap
import os
import select
import selectors
import socket

import madang
import pytest
from support import fails, in_child, queue_file


def is_readable(thing, timeout=0.0):
    return bool(select.select([thing], [], [], timeout)[0])


def drain(queue):
    """All there is; after that the descriptor is silent."""
    found = []
    while True:
        try:
            found.append(queue.recv(timeout=0)[0])
        except BlockingIOError:
            return found


def forget_watchers(name):
    """As if a sender had been killed between its commit and its ring (see docs/layout.md). Through a mapping, which rings nobody."""
    with queue_file(name).open("r+b") as file, mmap.mmap(file.fileno(), 4096) as page:
        page[896:904] = page[1024:1032] = bytes(8)


def test_smoke(queue):
    assert is_readable(queue)
    assert drain(queue) == []
    assert not is_readable(queue)
    queue.send(b"one")
    queue.send(b"two")
    assert is_readable(queue)
    assert queue.recv() == (b"one", 1)
    assert is_readable(queue)
    assert drain(queue) == [b"two"]
    assert not is_readable(queue)
    assert queue.fileno() == queue.fileno()
    assert not os.get_inheritable(queue.fileno())


def test_capacity(name):
    with madang.Queue(name, capacity=8) as queue:
        fd = queue.send_fileno()
        assert is_readable(fd)
        queue.send(b"12345678")
        with pytest.raises(BlockingIOError):
            queue.send(b"9", timeout=0)
        assert not is_readable(fd)
        queue.recv()
        assert is_readable(fd)
        assert fd != queue.fileno()


def test_timeout(queue):
    queue.fileno()
    with pytest.raises(TimeoutError):
        queue.recv(timeout=0.001)
    assert not is_readable(queue)


def test_poll(queue):
    poll = select.poll()
    poll.register(queue, select.POLLIN)
    drain(queue)
    assert poll.poll(0) == []
    queue.send(b"")
    assert poll.poll(0) == [(queue.fileno(), select.POLLIN)]


@pytest.mark.parametrize("edge", [0, select.EPOLLET], ids=["level", "edge"])
def test_epoll(queue, edge):
    drain(queue)
    with select.epoll() as epoll:
        epoll.register(queue, select.EPOLLIN | edge)
        epoll.poll(0)
        drain(queue)
        for _ in range(100):
            assert epoll.poll(0) == []
            queue.send(b"one")
            queue.send(b"two")
            assert epoll.poll(0) == [(queue.fileno(), select.EPOLLIN)]
            assert len(drain(queue)) == 2


@pytest.mark.parametrize(
    "kind", [selectors.DefaultSelector, selectors.SelectSelector, selectors.PollSelector, selectors.EpollSelector]
)
def test_selectors(name, kind):
    ours, theirs = socket.socketpair()
    with kind() as selector, ours, theirs, madang.Queue(name + "a") as one, madang.Queue(name + "b") as two:
        for thing in (one, two, ours):
            selector.register(thing, selectors.EVENT_READ)

        def ready():
            return {key.fileobj for key, _ in selector.select(0)}

        assert ready() == {one, two}
        assert drain(one) == drain(two) == []
        assert ready() == set()
        two.send(b"")
        theirs.send(b"x")
        assert ready() == {two, ours}
        for thing in (one, two, ours):
            selector.unregister(thing)


def test_closed(queue):
    fd = queue.fileno()
    queue.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
    for ask in (queue.fileno, queue.send_fileno):
        with fails(errno.EBADF, "closed"):
            ask()


def test_a_lost_ring_is_healed_by_the_timer(queue, name):
    queue.fileno()
    drain(queue)
    forget_watchers(name)
    queue.send(b"")
    assert not is_readable(queue, 0.01)
    assert is_readable(queue, 0.5)
    assert drain(queue) == [b""]


def test_fork(queue):
    queue.fileno()
    drain(queue)

    def child():
        fd = queue.fileno()
        drain(queue)
        queue.send(b"by the child")
        drained = drain(queue) if is_readable(fd) else None
        queue.send(b"for the parent")
        return drained

    assert in_child(child) == [b"by the child"]
    assert is_readable(queue)
    assert drain(queue) == [b"for the parent"]


def test_unlinked(queue, name):
    queue.fileno()
    drain(queue)
    madang.Queue.unlink(name)
    with madang.Queue(name, create="only") as other:
        drain(queue)
        other.send(b"of another queue")
        assert not is_readable(queue)
    queue.send(b"still here")
    assert is_readable(queue)
    assert drain(queue) == [b"still here"]
