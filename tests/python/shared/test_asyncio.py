"""madang.Queue in asyncio."""

import asyncio
import contextlib
import errno
import gc
import os
import random
import signal
import socket
import threading
import time
from pathlib import Path

import madang
import pytest
from madang import _asynchronous
from shared.test_descriptor import forget_watchers
from support import Thread, fails, in_child

with contextlib.suppress(ImportError):
    import uvloop


def run(coroutine):
    """As asyncio.run, with a limit."""
    return asyncio.run(limited(coroutine))


async def limited(coroutine):
    async with asyncio.timeout(50):
        return await coroutine


async def until(condition):
    """Lets the others run until it is so."""
    while not condition():
        await asyncio.sleep(0.001)


async def asleep(*tasks):
    """They wait, as far as they come without being woken."""
    for _ in range(5):
        await asyncio.sleep(0)
    assert not any(task.done() for task in tasks)


def watches():
    """How many inotify instances this process has."""
    links = []
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            links.append(os.readlink(link))
    return links.count("anon_inode:inotify")


def test_smoke(queue):
    async def main():
        waiting = asyncio.create_task(queue.recv_async())
        await asleep(waiting)
        queue.send(b"two teas", 3)
        assert await waiting == (b"two teas", 3)
        await queue.send_async(b"one coffee", type=4)
        assert await queue.recv_async(0, 1.0) == (b"one coffee", 4)

    run(main())


def test_iteration(queue):
    async def main():
        numbers = [str(number).encode() for number in range(1000)]

        async def send():
            for number in numbers:
                await queue.send_async(number, 2)
                if random.random() < 0.1:
                    await asyncio.sleep(0)

        sending = asyncio.create_task(send())
        received = []
        async for data, kind in queue:
            assert kind == 2
            received.append(data)
            if len(received) == len(numbers):
                break
        assert received == numbers
        await sending

    run(main())


@pytest.mark.parametrize("length", [0, 1, 1024, 1025, 65535, 65536, 1 << 20])
def test_messages_of_every_length(queue, length):
    async def main():
        data = random.Random(length).randbytes(length)
        waiting = asyncio.create_task(queue.recv_async())
        await asleep(waiting)
        await queue.send_async(data)
        assert await waiting == (data, 1)
        waiting = asyncio.create_task(queue.send_async(bytearray(data)))
        assert await queue.recv_async() == (data, 1)
        await waiting

    run(main())


def test_capacity(name):
    """Who finds the queue full waits, and all send in the order in which they came."""

    async def main():
        with madang.Queue(name, capacity=100) as queue:
            sending = [asyncio.create_task(queue.send_async(bytes([number]) * 60)) for number in range(20)]
            await asleep(*sending[1:])
            assert sending[0].done()
            for number in range(20):
                assert (await queue.recv_async())[0] == bytes([number]) * 60
            await asyncio.gather(*sending)

    run(main())


def test_timeout(queue):
    async def main():
        with fails(errno.EAGAIN, "no message", BlockingIOError):
            await queue.recv_async(timeout=0)
        begun = time.monotonic()
        with fails(errno.ETIMEDOUT, "no message came", TimeoutError):
            await queue.recv_async(timeout=0.05)
        assert 0.04 < time.monotonic() - begun < 5
        await queue.send_async(bytes(queue.capacity), timeout=0)
        with fails(errno.EAGAIN, "full", BlockingIOError):
            await queue.send_async(b"more", timeout=0)
        with fails(errno.ETIMEDOUT, "stayed full", TimeoutError):
            await queue.send_async(b"more", timeout=0.05)
        # Not the one that waits behind another, either.
        queue.recv()
        waiting = asyncio.create_task(queue.recv_async())
        await asleep(waiting)
        with pytest.raises(TimeoutError):
            await queue.recv_async(timeout=0.01)
        await asleep(waiting)
        queue.send(b"")
        await waiting

    run(main())


def test_what_is_wrong_is_said_at_once(queue):
    async def main():
        with fails(errno.EINVAL, "type"):
            await queue.send_async(b"", 0)
        with fails(errno.EMSGSIZE, "capacity"):
            await queue.send_async(bytes(queue.capacity + 1))
        with pytest.raises(TypeError):
            await queue.send_async("text")
        for timeout in (-1, float("nan")):
            with pytest.raises(ValueError, match="timeout"):
                await queue.recv_async(timeout=timeout)
        for timeout in (1e300, float("inf")):
            waiting = asyncio.create_task(queue.recv_async(timeout=timeout))
            await asleep(waiting)
            queue.send(b"")
            await waiting
        queue.close()
        for attempt in (queue.recv_async(), queue.send_async(b"")):
            with fails(errno.EBADF, "closed"):
                await attempt

    run(main())


def test_first_come_first_served(queue):
    async def main():
        order = []

        async def receive(number):
            order.append((number, int((await queue.recv_async())[0])))

        tasks = []
        for number in range(100):
            tasks.append(asyncio.create_task(receive(number)))
            await asyncio.sleep(0)
        for number in range(100):
            queue.send(b"%d" % number)
        await asyncio.gather(*tasks)
        assert order == [(number, number) for number in range(100)]

    run(main())


def test_a_cancelled_wait_takes_no_message(queue):
    async def main():
        for ready in (False, True):
            one, two = (asyncio.create_task(queue.recv_async()) for _ in range(2))
            await asleep(one, two)
            queue.send(b"for the other")
            if ready:
                # The first is woken, but doesn't run yet.
                _asynchronous._hub().rung()
            one.cancel()
            results = await asyncio.gather(one, two, return_exceptions=True)
            taken = [result for result in results if not isinstance(result, BaseException)]
            assert taken == [(b"for the other", 1)]

    run(main())


def test_closed_while_tasks_wait(queue):
    async def main():
        tasks = [asyncio.create_task(queue.recv_async()) for _ in range(10)]
        await asleep(*tasks)
        queue.close()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(result, OSError)
            assert result.errno == errno.EBADF

    run(main())


def test_a_lost_ring_is_healed_by_the_timer(queue, name):
    async def main():
        waiting = asyncio.create_task(queue.recv_async())
        await asleep(waiting)
        forget_watchers(name)
        queue.send(b"")
        await waiting
        queue.send(bytes(queue.capacity))
        waiting = asyncio.create_task(queue.send_async(b"more"))
        await asleep(waiting)
        forget_watchers(name)
        queue.recv()
        await waiting

    run(main())


def test_a_busy_queue_starves_nobody(queue):
    """A task that never has to wait lets others run."""

    async def main():
        turns = 0

        async def others():
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        running = asyncio.create_task(others())
        for _ in range(2000):
            await queue.send_async(b"")
            await queue.recv_async()
        running.cancel()
        assert turns > 20

    run(main())


def test_one_descriptor_for_all(name):
    """However many queues, tasks, and loops one after the other."""

    async def main(queues):
        tasks = [asyncio.create_task(queue.recv_async()) for queue in queues]
        await asleep(*tasks)
        for queue in queues:
            queue.send(b"")
        await asyncio.gather(*tasks)
        return watches()

    gc.collect()
    before = watches()
    with contextlib.ExitStack() as stack:
        queues = [stack.enter_context(madang.Queue(f"{name}{number}")) for number in range(200)]
        for _ in range(3):
            assert run(main(queues)) <= before + 1


def test_several_loops(name):
    """In threads, on one handle: each message arrives once."""
    messages, loops = 2000, 4
    with madang.Queue(name, max_messages=10) as queue:

        async def receive():
            found = []
            while (data := (await queue.recv_async())[0]) != b"":
                found.append(int(data))
            return found

        async def main():
            return sum(await asyncio.gather(*(receive() for _ in range(5))), [])

        threads = [Thread(run, main()) for _ in range(loops)]
        for number in range(messages):
            queue.send(b"%d" % number, timeout=20)
        for _ in range(5 * loops):
            queue.send(b"", timeout=20)
        assert sorted(sum((thread.join() for thread in threads), [])) == list(range(messages))


def test_fork(queue):
    """A forked child has a loop of its own, and a descriptor of its own."""

    async def first():
        waiting = asyncio.create_task(queue.recv_async())
        await asleep(waiting)
        queue.send(b"")
        await waiting

    async def parent():
        waiting = asyncio.create_task(queue.recv_async())
        await asleep(waiting)
        thread = Thread(in_child, lambda: run(first_in_child()))
        await waiting
        queue.send(b"back")
        await until(lambda: not thread.is_alive())
        thread.join()

    async def first_in_child():
        await queue.send_async(b"there")
        await asyncio.sleep(0.01)
        assert (await queue.recv_async())[0] == b"back"

    run(first())
    # Not from the thread that runs the loop: the child would be in it.
    run(parent())


def test_idle(name):
    """Tasks that wait for nothing take less than a thousandth of a processor."""

    async def main():
        with contextlib.ExitStack() as stack:
            queues = [stack.enter_context(madang.Queue(f"{name}{number}")) for number in range(100)]
            tasks = [asyncio.create_task(queue.recv_async()) for queue in queues for _ in range(10)]
            await asleep(*tasks)
            await asyncio.sleep(0.3)
            before = time.process_time()
            await asyncio.sleep(3)
            used = time.process_time() - before
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            # With nobody waiting nothing ticks.
            await asyncio.sleep(0.3)
            before = time.process_time()
            await asyncio.sleep(1)
            return used / 3, time.process_time() - before

    waiting, nobody = run(main())
    print(f"waiting {waiting:.4%}, nobody waiting {nobody:.4%}")
    assert waiting < 0.004
    assert nobody < 0.001


## The great one


def send_to_all(names, number, count):
    """A process that sends: each message says who sent it, and which it is."""
    rng = random.Random(number)
    queues = [madang.Queue(name) for name in names]
    for index in range(count):
        queues[rng.randrange(len(queues))].send(b"%d %d" % (number, index), timeout=30)
        if rng.random() < 0.01:
            time.sleep(0.001)


async def answer(reader, writer):
    # Who asks may go before the answer comes.
    with contextlib.suppress(ConnectionResetError):
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()
    writer.close()


async def ping(reader, writer, pauses):
    """Asks over the socket all the time; says how long the longest answer took."""
    longest = 0.0
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            begun = time.monotonic()
            writer.write(b"ping\n")
            assert await reader.readline() == b"ping\n"
            longest = max(longest, time.monotonic() - begun)
            pauses.append(longest)
            await asyncio.sleep(0.001)
    return longest


async def thousand_tasks(names, senders, count, cancels):
    queues = [madang.Queue(name) for name in names]
    got, answered = [], []

    async def receive(queue):
        while True:
            got.append((await queue.recv_async())[0])

    sockets = socket.socketpair()
    (reader, writer), there = [await asyncio.open_connection(sock=end) for end in sockets]
    echo = asyncio.create_task(answer(*there))
    pings = asyncio.create_task(ping(reader, writer, answered))
    tasks = [asyncio.create_task(receive(queue)) for queue in queues for _ in range(10)]
    rng = random.Random(1)
    loop = asyncio.get_running_loop()
    processes = [
        loop.run_in_executor(None, in_child, lambda number=number: send_to_all(names, number, count))
        for number in range(senders)
    ]
    while len(got) < senders * count:
        if cancels:
            for _ in range(20):
                victim = rng.randrange(len(tasks))
                tasks[victim].cancel()
                tasks[victim] = asyncio.create_task(receive(queues[victim // 10]))
        await asyncio.sleep(0.001)
    await asyncio.gather(*processes)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    pings.cancel()
    longest = await pings
    writer.close()
    await echo
    for queue in queues:
        queue.close()
    return got, len(answered), longest


LOOPS = [asyncio.new_event_loop]
if "uvloop" in globals():
    LOOPS.append(uvloop.new_event_loop)


@pytest.mark.parametrize("cancels", [False, True], ids=["undisturbed", "cancels"])
@pytest.mark.parametrize("new_loop", LOOPS, ids=lambda new: new.__module__.split(".")[0])
def test_1000_tasks_on_100_queues_and_a_socket(name, new_loop, cancels):
    senders, count = 3, 5000
    names = [f"{name}{number}" for number in range(100)]
    with asyncio.Runner(loop_factory=new_loop) as runner:
        got, answers, longest = runner.run(limited(thousand_tasks(names, senders, count, cancels)))
    print(f"{answers} answers over the socket, the longest took {longest * 1000:.1f} ms")
    expected = sorted(b"%d %d" % (number, index) for number in range(senders) for index in range(count))
    assert sorted(got) == expected, "each message once"
    assert answers > 2, "the socket had its turns"
    assert longest < 10


def test_senders_are_killed(name):
    """What was committed arrives, though its sender was killed before it could ring; what a killed one told of is there."""

    async def main():
        with madang.Queue(name, max_messages=50) as queue, madang.Segment(name + "told", length=8) as told:
            got = []

            async def receive():
                while True:
                    got.append((await queue.recv_async())[0])

            tasks = [asyncio.create_task(receive()) for _ in range(10)]
            loop = asyncio.get_running_loop()
            for _ in range(50):
                child = await loop.run_in_executor(None, start_sender, name)
                await asyncio.sleep(random.random() * 0.005)
                os.kill(child, signal.SIGKILL)
                await loop.run_in_executor(None, os.waitpid, child, 0)
            sent = int.from_bytes(memoryview(told)[:8], "little")
            await until(lambda: not len(queue))
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert sent <= len(got) <= sent + 50
            assert len(set(got)) == len(got)

    run(main())


def start_sender(name):
    child = os.fork()
    if child == 0:
        with madang.Queue(name) as queue, madang.Segment(name + "told") as told:
            while True:
                queue.send(os.urandom(8), timeout=30)
                number = int.from_bytes(memoryview(told)[:8], "little") + 1
                memoryview(told)[:8] = number.to_bytes(8, "little")
    return child


def test_threads_send_while_tasks_wait(queue):
    async def main():
        got = []

        async def receive():
            while True:
                got.append((await queue.recv_async())[0])

        tasks = [asyncio.create_task(receive()) for _ in range(10)]

        def send(number):
            for index in range(500):
                queue.send(b"%d %d" % (number, index))

        threads = [threading.Thread(target=send, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        await until(lambda: len(got) == 2000)
        for thread in threads:
            thread.join()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert len(set(got)) == 2000

    run(main())
