"""The peers in Python: ours, and what people use today.

A peer is made in the host, before the workers are forked, and is one direction from any sender to any receiver. In a worker,
`sender()` gives a function that sends bytes and waits for room; `receiver()` one that waits for a message; `poller()` one
that never sleeps while it waits (where the peer has such a call). These are the peer's own functions wherever possible, so
that no row pays for a wrapper. `pairs` says that what is received is (data, something).
"""


class Unsupported(Exception):
    """The row says n/a, and this."""


def polled(attempt, empty):
    """`attempt` in a loop for as long as it raises `empty`."""

    def poll():
        while True:
            try:
                return attempt()
            except empty:
                pass

    return poll


class Peer:
    pairs = False  # what is received is (data, something)
    batch = 1  # so many messages are sent with one call, a list of them; then what is received is a list of pairs
    holds = None  # how many bytes it takes at once while nobody receives, if not as many as it is asked to

    def __init__(self, name, size, capacity, couples):
        """Makes it for messages of `size` bytes, of which it may hold `capacity` bytes; so many senders and receivers."""

    def sender(self, index):
        raise NotImplementedError

    def receiver(self, index):
        raise NotImplementedError

    def poller(self, index):
        return self.receiver(index)

    def flush(self):
        """In a worker that sent its last message: returns when that is safe from the worker's end."""

    def close(self):
        """In the host, after the workers are gone."""


class Madang(Peer):
    pairs = True

    def __init__(self, name, size, capacity, couples):
        import madang

        self.name, self.capacity, self.module = name, capacity, madang
        self.open().close()

    def open(self):
        self.queue = self.module.Queue(self.name, capacity=self.capacity)
        return self.queue

    def sender(self, index):
        return self.open().send

    def receiver(self, index):
        return self.open().recv

    # Unlinked by the harness, which does that even if this process died.


class MadangBatches(Madang):
    batch = 32

    def sender(self, index):
        return self.open().send_many

    def receiver(self, index):
        recv_many = self.open().recv_many
        return lambda: recv_many(self.batch)


class MadangInto(Madang):
    """Receives into a buffer that is there already, which is what large messages want."""

    pairs = False

    def __init__(self, name, size, capacity, couples):
        super().__init__(name, size, capacity, couples)
        self.buffer = bytearray(size)

    def receiver(self, index):
        queue, buffer = self.open(), self.buffer

        def receive():
            queue.recv_into(buffer)
            return buffer

        return receive


class MadangLease(Madang):
    """Arrays: copied into the queue's own memory, and looked at there."""

    pairs = False

    def __init__(self, name, size, capacity, couples):
        import numpy

        super().__init__(name, size, capacity, couples)
        self.size, self.numpy = size, numpy

    def sender(self, index):
        queue, size = self.open(), self.size

        def send(message):
            with queue.reserve(size) as place:
                place.write(message)

        return send

    def receiver(self, index):
        queue, view = self.open(), self.numpy.frombuffer

        def receive():
            with queue.lease() as message:
                array = view(message, "u1")
                kind = array[:1].tobytes()
                del array
            return kind

        return receive


class MadangObjects(Peer):
    def __init__(self, name, size, capacity, couples):
        import madang
        import numpy

        # More than the arrays: their pickles.
        self.queue = madang.ObjectQueue(name, capacity=capacity + (1 << 20))
        self.array = lambda message: numpy.frombuffer(message, "u1")

    def sender(self, index):
        return lambda message: self.queue.put(self.array(message))

    def receiver(self, index):
        return self.queue.get


class SysvIpc(Peer):
    pairs = True

    def __init__(self, name, size, capacity, couples):
        import sysv_ipc

        longest, largest = (int(open(f"/proc/sys/kernel/{limit}").read()) for limit in ("msgmax", "msgmnb"))
        if size > min(longest, largest):
            raise Unsupported(f"msgmax is {longest}, msgmnb {largest}: only root may raise them")
        self.queue = sysv_ipc.MessageQueue(None, sysv_ipc.IPC_CREX, max_message_size=size)
        self.queue.max_size = min(capacity, largest)
        self.empty = sysv_ipc.BusyError

    def sender(self, index):
        return self.queue.send

    def receiver(self, index):
        return self.queue.receive

    def poller(self, index):
        return polled(lambda: self.queue.receive(False), self.empty)

    def close(self):
        self.queue.remove()


class PosixIpc(Peer):
    pairs = True

    def __init__(self, name, size, capacity, couples):
        import posix_ipc

        def create(messages):
            return posix_ipc.MessageQueue(f"/{name}", posix_ipc.O_CREX, max_messages=messages, max_message_size=size)

        wanted = min(max(capacity // size, 10), 65_536)
        halves = [wanted >> halvings for halvings in range(17) if wanted >> halvings > 10]
        for messages in [*halves, 10, 4, 2, 1]:  # as src/peers/mq.rs
            try:
                self.queue = create(messages)
                break
            except (OSError, ValueError, posix_ipc.Error) as error:
                refusal = error
        else:
            raise Unsupported(f"not even one message of {size} bytes: {refusal}; only root may raise the limits")
        self.queue.unlink()
        self.empty = posix_ipc.BusyError

    def sender(self, index):
        return self.queue.send

    def receiver(self, index):
        return self.queue.receive

    def poller(self, index):
        return polled(lambda: self.queue.receive(0), self.empty)

    def close(self):
        self.queue.close()


class MultiprocessingQueue(Peer):
    def __init__(self, name, size, capacity, couples):
        import multiprocessing

        self.queue = multiprocessing.get_context("fork").Queue(min(max(capacity // size, 2), 32_767))

    def sender(self, index):
        return self.queue.put

    def receiver(self, index):
        return self.queue.get

    # No poller: it would keep the core from the thread that sends.

    def flush(self):
        self.queue.close()
        self.queue.join_thread()

    def close(self):
        self.queue.cancel_join_thread()
        self.queue.close()


class MultiprocessingArrays(MultiprocessingQueue):
    def __init__(self, name, size, capacity, couples):
        import numpy

        super().__init__(name, size, capacity, couples)
        self.array = lambda message: numpy.frombuffer(message, "u1")

    def sender(self, index):
        return lambda message: self.queue.put(self.array(message))


class MultiprocessingPipe(Peer):
    holds = 65_536 - 4  # a pipe, and the length before the message

    def __init__(self, name, size, capacity, couples):
        import multiprocessing

        if couples > 1:
            raise Unsupported("several receivers of one pipe would tear its messages")
        self.reader, self.writer = multiprocessing.Pipe(False)

    def sender(self, index):
        return self.writer.send_bytes

    def receiver(self, index):
        return self.reader.recv_bytes

    def poller(self, index):
        reader = self.reader

        def poll():
            while not reader.poll(0):
                pass
            return reader.recv_bytes()

        return poll

    def close(self):
        self.reader.close()
        self.writer.close()


class ZeroMq(Peer):
    """PUSH and PULL over ipc://; with several couples each has a socket pair of its own, which is its best case."""

    def __init__(self, name, size, capacity, couples):
        import zmq

        self.zmq, self.name = zmq, name

    def address(self, index):
        return f"ipc://@{self.name}-{index}"  # an abstract name: no file to clear away

    def socket(self, kind):
        if not hasattr(self, "context"):
            self.context = self.zmq.Context()  # in the worker: a context doesn't survive fork
        return self.context.socket(kind)

    def sender(self, index):
        self.pushing = self.socket(self.zmq.PUSH)
        self.pushing.setsockopt(self.zmq.RECONNECT_IVL, 1)  # ms: the other side may not have bound yet
        self.pushing.connect(self.address(index))
        return self.pushing.send

    def receiver(self, index):
        self.pulling = self.socket(self.zmq.PULL)
        self.pulling.bind(self.address(index))
        return self.pulling.recv

    # No poller: it would keep the core from ZeroMQ's own thread.

    def flush(self):
        self.pushing.close()
        self.context.term()  # waits until all is sent


PEERS = {
    "madang-py": Madang,
    "madang-py-into": MadangInto,
    "madang-py-32": MadangBatches,
    "sysv_ipc": SysvIpc,
    "posix_ipc": PosixIpc,
    "mp-queue": MultiprocessingQueue,
    "mp-pipe": MultiprocessingPipe,
    "pyzmq": ZeroMq,
    "madang-py-lease": MadangLease,
    "madang-py-objects": MadangObjects,
    "mp-queue-arrays": MultiprocessingArrays,
}
