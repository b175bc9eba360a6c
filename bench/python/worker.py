"""The benchmark's Python side: a host that measures what it is asked for, line by line.

    JOB PEER NAME SIZE CAPACITY STRIDE LEAST RUN WARM-UP PAUSE CPU CPU      → what its workers report, joined by ";"
                                                                            → or: unsupported WHY | error WHY

JOB is flow-1, flow-2, flow-4, awake, asleep, solo or idle; LEAST is how many messages the warm-up has at least; times are in
nanoseconds. The jobs are those of
src/peers/mod.rs. The host forks the workers, so that they inherit what can only be inherited, and nobody waits for an
interpreter to start.
"""

import ctypes
import os
import resource
import select
import signal
import sys
import time
from dataclasses import dataclass

from peers import PEERS, Unsupported

WARM_UP, COUNTED, LAST = 0, 1, 255  # what a message is, by its first byte
GRACE = 15.0  # seconds that a worker may take beyond its time

now = time.monotonic_ns


@dataclass
class Task:
    job: str
    peer: str
    name: str
    size: int
    capacity: int
    stride: int
    least: int
    run: int
    warm_up: int
    pause: int
    cpus: tuple[int, int]

    @classmethod
    def read(cls, line):
        job, peer, name, *numbers = line.split()
        *numbers, cpu, other = map(int, numbers)
        return cls(job, peer, name, *numbers, cpus=(cpu, other))

    def message(self, kind):
        return bytes([kind]) + b"\x5a" * (self.size - 1)

    def make(self, name, couples=1):
        return PEERS[self.peer](name, self.size, self.capacity, couples)


class Trips(dict):
    """The histogram of src/histogram.rs."""

    def add(self, nanoseconds):
        shift = max(nanoseconds.bit_length() - 8, 0)
        index = shift << 8 | nanoseconds >> shift
        self[index] = self.get(index, 0) + 1

    def __str__(self):
        return "trips " + " ".join(f"{index}:{count}" for index, count in sorted(self.items()))


def clock_cost():
    totals = []
    for _ in range(101):
        start = now()
        for _ in range(100):
            end = now()
        totals.append(end - start)
    return sorted(totals)[50] // 100


def send_until(send, message, until, least, stride, batch):
    count = 0
    while now() < until or count < least:
        for _ in range(0, stride, batch):
            send(message)
        count += stride
    return count


def send_all(task, peer, index, ready):
    send = peer.sender(index)
    warm_up, counted, last = map(task.message, (WARM_UP, COUNTED, LAST))
    if peer.batch > 1:
        warm_up, counted, last = [warm_up] * peer.batch, [counted] * peer.batch, [last]
    ready()
    send_until(send, warm_up, now() + task.warm_up, task.least, task.stride, peer.batch)
    start = now()
    count = send_until(send, counted, start + task.run, 0, task.stride, peer.batch)
    end = now()
    send(last)
    peer.flush()
    return f"sent {count} {start} {end}"


def receive_all(task, peer, index, ready):
    receive = peer.receiver(index)
    count = 0
    ready()
    if peer.batch > 1:  # several loops, so that nobody pays for the question
        kind = None
        while kind != LAST:
            for data, _ in receive():
                kind = data[0]
                if kind == COUNTED:
                    count += 1
    elif peer.pairs:
        while True:
            kind = receive()[0][0]
            if kind == COUNTED:
                count += 1
            elif kind == LAST:
                break
    else:
        while True:
            kind = receive()[0]
            if kind == COUNTED:
                count += 1
            elif kind == LAST:
                break
    return f"received {count} {now()}"


def waiter(task, peer):
    return peer.poller(0) if task.job == "awake" else peer.receiver(0)


def ping(task, there, back, ready):
    receive, send = waiter(task, back), there.sender(0)
    counted, last = task.message(COUNTED), task.message(LAST)
    trips, cost, pause = Trips(), clock_cost(), task.pause / 1e9

    def trip():
        if pause:
            time.sleep(pause)
        start = now()
        send(counted)
        receive()
        return max(now() - start - cost, 0)

    ready()
    warm, least = now() + task.warm_up, task.least
    while now() < warm or least > 0:
        trip()
        least -= 1
    until = now() + task.run
    while now() < until:
        trips.add(trip())
    send(last)
    there.flush()
    return str(trips)


def pong(task, there, back, ready):
    receive, send = waiter(task, there), back.sender(0)
    ready()
    while True:
        data = receive()
        if there.pairs:
            data = data[0]
        if data[0] == LAST:
            return "done"
        send(data)


def solo(task, peer, ready):
    receive, send, stride = peer.receiver(0), peer.sender(0), task.stride
    message = task.message(COUNTED)
    ready()

    def pairs(until, least):
        count = 0
        while now() < until or count < least:
            for _ in range(stride):
                send(message)
                receive()
            count += stride
        return count

    pairs(now() + task.warm_up, task.least)
    start = now()
    count = pairs(start + task.run, 0)
    return f"solo {count} {now() - start}"


def cpu_time():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return int((usage.ru_utime + usage.ru_stime) * 1e9)


def idle(task, peer):
    """In the host itself, which is told by a `go`, and by a message that it has idled enough."""
    receive = peer.receiver(0)
    say("ready")
    sys.stdin.readline()
    cpu, start = cpu_time(), now()
    receive()
    return f"idle {cpu_time() - cpu} {now() - start}"


class Worker:
    """A forked child that runs `job(ready)` on one core, and reports what it returns."""

    def __init__(self, cpu, job):
        here, there = os.pipe(), os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(here[0]), os.close(there[1])
            self.run(cpu, job, there[0], here[1])
        os.close(here[1]), os.close(there[0])
        self.reading, self.writing, self.unread = here[0], there[1], b""

    def run(self, cpu, job, reading, writing):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: dies with the host
        os.sched_setaffinity(0, {cpu})

        def ready():
            os.write(writing, b"ready\n")
            os.read(reading, 1)

        try:
            report = job(ready)
        except Unsupported as why:
            report = f"unsupported {why}"
        except BaseException as error:
            report = f"error {type(error).__name__}: {error}"
        rest = report.replace("\n", " ").encode() + b"\n"
        while rest:
            rest = rest[os.write(writing, rest) :]
        os._exit(0)

    def line(self, until):
        while b"\n" not in self.unread:
            if not select.select([self.reading], [], [], max(until - time.monotonic(), 0))[0]:
                raise TimeoutError("a worker hangs")
            chunk = os.read(self.reading, 1 << 16)
            if not chunk:
                raise ChildProcessError("a worker died")
            self.unread += chunk
        line, _, self.unread = self.unread.partition(b"\n")
        if line.startswith((b"unsupported ", b"error ")):
            raise Failed(line.decode())
        return line.decode()

    def go(self):
        os.write(self.writing, b"g")

    def end(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.reading), os.close(self.writing)


class Failed(Exception):
    """What a worker said instead of a report."""


def conduct(task, jobs):
    """Runs the jobs, each (cpu, function), from one start; their reports."""
    workers = []
    try:
        for cpu, job in jobs:
            workers.append(Worker(cpu, job))
            workers[-1].line(time.monotonic() + GRACE)  # one is ready before the next begins: sockets are bound in time
        for worker in workers:
            worker.go()
        until = time.monotonic() + task.run * 2e-9 + GRACE
        return ";".join([worker.line(until) for worker in workers])
    finally:
        for worker in workers:
            worker.end()


def flow(task, peer, couples):
    near, far = task.cpus
    jobs = []
    for index in range(couples):
        cpus = (near, far) if index % 2 == 0 else (far, near)
        jobs.append((cpus[1], lambda ready, index=index: receive_all(task, peer, index, ready)))
        jobs.append((cpus[0], lambda ready, index=index: send_all(task, peer, index, ready)))
    return conduct(task, jobs)


def round_trip(task, there, back):
    near, far = task.cpus
    return conduct(
        task,
        [
            (far, lambda ready: pong(task, there, back, ready)),
            (near, lambda ready: ping(task, there, back, ready)),
        ],
    )


def measure(task):
    couples = int(task.job[5:]) if task.job.startswith("flow-") else 1
    two = task.job in ("awake", "asleep")
    holds = PEERS[task.peer].holds
    if task.job == "solo" and holds is not None and task.size > holds:
        raise Unsupported(f"it holds {holds} bytes only, and who sends more waits for a receiver")
    peers = []
    try:
        for name in [f"{task.name}-there", f"{task.name}-back"] if two else [task.name]:
            peers.append(task.make(name, couples))
        if two:
            return round_trip(task, *peers)
        if task.job == "solo":
            return conduct(task, [(task.cpus[0], lambda ready: solo(task, peers[0], ready))])
        if task.job == "idle":
            os.sched_setaffinity(0, {task.cpus[1]})
            return idle(task, peers[0])
        return flow(task, peers[0], couples)
    finally:
        for peer in peers:
            peer.close()


def answer(line):
    try:
        return measure(Task.read(line))
    except Unsupported as why:
        return f"unsupported {why}"
    except ModuleNotFoundError as error:
        return f"unsupported the package {error.name} is not installed"
    except Failed as failed:
        return str(failed)
    except Exception as error:
        return f"error {type(error).__name__}: {error}"


def say(line):
    print(line.replace("\n", " "), flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the harness sees to it
    while line := sys.stdin.readline():
        say(answer(line))
