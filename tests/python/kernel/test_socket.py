"""madang.socket."""

import errno
import fcntl
import os
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from select import select

import madang
import pytest
from madang.kernel.socket import Credentials, Datagram, Listener, Message, Stream
from support import NOBODY, Thread, alarm, as_user, fails, in_child, needs_root, script, wait_until


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory whose path is short, for what doesn't know madang."""
    with tempfile.TemporaryDirectory(prefix="madang-") as path:
        os.chmod(path, 0o755)
        yield Path(path)


@pytest.fixture
def pair() -> Iterator[tuple[Stream, Stream]]:
    one, other = Stream.pair()
    with one, other:
        yield one, other


def open_descriptors() -> list[str]:
    return os.listdir("/proc/self/fd")


def message(stream: Stream, **arguments: int) -> Message:
    found = stream.recv_message(10, **arguments)
    assert found is not None, "the end"
    return found


## Servers and clients


@pytest.mark.parametrize(
    "text", ["unix:{}/s", "packet:{}/s", "unix:@{}", "packet:@{}", "tcp:127.0.0.1:0", "tcp:[::1]:0"]
)
def test_smoke(place, text):
    with Listener(text.format(place)) as server:
        client = os.fork()
        if client == 0:
            with Stream.connect(server.address, timeout=10) as stream:
                stream.send_message(b"two teas", timeout=10)
                right = message(stream).data == b"coming" and stream.recv_message(10) is None
                os._exit(0 if right else 1)
        with server.accept(timeout=10) as stream:
            assert message(stream).data == b"two teas"
            if not text.startswith("tcp"):
                assert stream.peer() == stream.peer()
                peer = stream.peer()
                assert (peer.pid, peer.uid, peer.gid) == (client, os.geteuid(), os.getegid())
            assert stream.local_address == server.address
            stream.send_message(b"coming")
        assert os.waitstatus_to_exitcode(os.waitpid(client, 0)[1]) == 0
    assert list(place.iterdir()) == []


def test_a_stranger_speaks_it(place):
    """With Python's own socket module, and nothing of madang's."""
    with Listener(f"unix:{place}/s") as server, socket.socket(socket.AF_UNIX) as stranger:
        stranger.connect(f"{place}/s")
        stranger.sendall(struct.pack("!I", 5) + b"hello")
        with server.accept(10) as stream:
            assert message(stream).data == b"hello"
            stream.send_message(b"bye")
            (length,) = struct.unpack("!I", stranger.recv(4, socket.MSG_WAITALL))
            assert stranger.recv(length, socket.MSG_WAITALL) == b"bye"


def test_bytes(pair):
    one, other = pair
    assert one.send(b"hello") == 5
    assert other.recv(100) == b"hello"
    with fails(errno.EAGAIN, "only to try", BlockingIOError):
        other.recv(100, timeout=0)
    with fails(errno.ETIMEDOUT, "the time is over", TimeoutError):
        other.recv(100, timeout=0.02)
    one.shutdown("sending")
    assert other.recv(100) == b""
    assert other.recv_message() is None
    with fails(errno.EPIPE, "gone", BrokenPipeError):
        one.send(b"x")
    with pytest.raises(ValueError, match="sending"):
        one.shutdown("maybe")  # type: ignore[arg-type]


@pytest.mark.parametrize("data", [b"", b"x", bytearray(b"xyz"), memoryview(b"abc"), bytes(range(256)) * 20_000])
def test_messages(pair, data):
    one, other = pair
    sender = Thread(one.send_message, data)
    assert message(other).data == bytes(data)
    sender.join()


def test_packets():
    one, other = Stream.pair(packets=True)
    one.send_message(b"one")
    one.send_message(b"two")
    assert [message(other).data, message(other).data] == [b"one", b"two"]
    with fails(errno.ENOTSUP, "send_message"):
        one.send(b"x")
    with fails(errno.EINVAL, "an empty packet"):
        one.send_message(b"")
    one.close()
    assert other.recv_message() is None


## Waiting


def test_timeout(place):
    with Listener(f"unix:{place}/s", backlog=1) as server:
        with fails(errno.EAGAIN, "accept at unix:", BlockingIOError):
            server.accept(timeout=0)
        with fails(errno.ETIMEDOUT, "accept at unix:", TimeoutError):
            server.accept(timeout=0.02)
        clients = []
        with fails(errno.ETIMEDOUT, "connect to unix:", TimeoutError):
            while len(clients) < 10:
                clients.append(Stream.connect(server.address, timeout=0.02))
        with pytest.raises(ValueError, match="0 or more"):
            server.accept(timeout=-1)


def test_a_half_message_goes_on(pair):
    one, other = pair
    much = bytes(range(256)) * 10_000
    with fails(errno.ETIMEDOUT, "of 2560004 bytes are out; send the same message again", TimeoutError):
        one.send_message(much, timeout=0.02)
    with fails(errno.EBUSY, "another message, of 2560000 bytes, is half sent"):
        one.send_message(b"another")
    with fails(errno.ETIMEDOUT, "", TimeoutError):
        other.recv_message(timeout=0.02)
    with fails(errno.EBUSY, "a message is half received"):
        other.recv(1)
    receiver = Thread(message, other)
    one.send_message(much, timeout=10)
    assert receiver.join().data == much
    one.send_message(b"another")
    assert message(other).data == b"another"


def test_messages_of_threads_dont_mix(pair):
    one, other = pair

    def send(letter):
        for _ in range(5):
            one.send_message(letter * 1_000_000, timeout=30)

    senders = [Thread(send, letter) for letter in (b"a", b"b", b"c")]
    got = sorted(message(other).data for _ in range(15))
    assert got == sorted(letter * 1_000_000 for letter in (b"a", b"b", b"c") for _ in range(5))
    for sender in senders:
        sender.join()


def test_signal_handlers_run_meanwhile(pair):
    one, other = pair
    calls = []

    def handler(*_):
        calls.append(1)
        if len(calls) == 3:
            one.send_message(b"at last")

    with alarm(0.02, handler):
        assert message(other).data == b"at last"
    with alarm(0.02, lambda *_: 1 / 0), pytest.raises(ZeroDivisionError):
        other.recv_message()


def test_close_while_waiting(pair):
    _, other = pair
    waiting = Thread(other.recv_message)
    wait_until(waiting.sleeps)
    other.close()
    with fails(errno.EBADF, "it is closed"):
        waiting.join()


def test_others_go_on_meanwhile(pair):
    one, other = pair
    threading.Timer(0.1, one.send_message, (b"from another thread",)).start()
    assert message(other).data == b"from another thread"


def test_poll(pair):
    one, other = pair
    assert select([other], [], [], 0) == ([], [], [])
    one.send_message(b"x")
    assert select([other], [], [], 10) == ([other], [], [])


## What must not harm


def test_limits(pair):
    one, other = pair
    assert one.message_limit == 16 << 20
    one.message_limit = 5
    with fails(errno.EMSGSIZE, "it has 6 bytes, and the limit is 5"):
        one.send_message(b"123456")
    one.send(b"\xff\xff\xff\xff")
    for _ in range(2):
        with fails(errno.EMSGSIZE, "announced 4294967295 bytes"):
            other.recv_message()
    with pytest.raises(ValueError, match="0 or more"):
        one.message_limit = -1


def test_the_end_within_a_message(pair):
    one, other = pair
    one.send(struct.pack("!I", 9) + b"part")
    one.close()
    with fails(errno.ECONNRESET, "within a message", ConnectionResetError):
        other.recv_message()


def test_nobody_dies():
    def send():
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        for packets in (False, True):
            one, other = Stream.pair(packets=packets)
            other.close()
            with fails(errno.EPIPE, "gone", BrokenPipeError):
                one.send_message(b"x")
        return "alive"

    assert in_child(send) == "alive"


def test_a_stale_file_is_reclaimed(place):
    server = f"""import madang, signal; server = madang.socket.Listener("unix:{place}/s"); print("listening", flush=True); signal.pause()"""
    with script(server) as process:
        assert process.stdout is not None and process.stdout.readline() == "listening\n"
        with fails(errno.EADDRINUSE, "somebody listens there"):
            Listener(f"unix:{place}/s")
    assert (place / "s").exists()
    with fails(errno.ECONNREFUSED, "nobody listens there", ConnectionRefusedError):
        Stream.connect(f"unix:{place}/s")
    with fails(errno.EADDRINUSE, "a file of that name"):
        Listener(f"unix:{place}/s", reclaim=False)
    with Listener(f"unix:{place}/s"):
        Stream.connect(f"unix:{place}/s").close()
    (place / "file").write_text("precious")
    with fails(errno.EADDRINUSE, "is no socket"):
        Listener(f"unix:{place}/file")
    assert (place / "file").read_text() == "precious"


@needs_root
def test_its_mode(place):
    with Listener(f"unix:{place}/s", mode=0o640), Datagram(f"unix:{place}/d", mode=0o666):
        for name, mode in (("s", 0o640), ("d", 0o666)):
            found = (place / name).stat().st_mode
            assert stat.S_ISSOCK(found) and stat.S_IMODE(found) == mode
        with fails(errno.EACCES, "write permission", PermissionError):
            as_user(NOBODY, lambda: Stream.connect(f"unix:{place}/s"))
        as_user(NOBODY, lambda: Datagram.connect(f"unix:{place}/d").close())
        with fails(errno.EACCES, "may not make a file", PermissionError):
            as_user(NOBODY, lambda: Listener(f"unix:{place}/x"))
    with fails(errno.EINVAL, "permission bits"):
        Listener(f"unix:{place}/s", mode=0o1000)


def test_long_paths(place):
    deep = place / ("d" * 150)
    deep.mkdir()
    name = "n" * 200
    with Listener(f"unix:{deep}/{name}") as server, Stream.connect(server.address) as client:
        client.send_message(b"far")
        assert message(server.accept(10)).data == b"far"


def test_a_forked_child_takes_no_file_away(place):
    with Listener(f"unix:{place}/s") as server:
        in_child(server.close)
        assert (place / "s").exists()


## Descriptors and credentials


def test_descriptors_between_programs(pair, tmp_path):
    """A file, a pipe and a memfd, handed to a program that has nothing but one end of a pair."""
    one, other = pair
    (tmp_path / "file").write_text("in a file")
    program = """
import os, sys, madang
with madang.socket.Stream.from_fd(int(sys.argv[1])) as stream:
    message = stream.recv_message(10, fds=3)
    assert not message.fds_lost
    answer = [os.read(fd, 100) for fd in message.fds]
    assert all(not os.get_inheritable(fd) for fd in message.fds)
    stream.send_message(b", ".join([message.data, *answer]))
"""
    reader, writer = os.pipe()
    memory = os.memfd_create("memory")
    os.write(memory, b"in memory")
    os.lseek(memory, 0, os.SEEK_SET)
    os.write(writer, b"in a pipe")
    with open(tmp_path / "file") as file:
        one.send_message(b"three", fds=[file, reader, memory])
    for fd in (reader, writer, memory):
        os.close(fd)
    number = other.fileno()
    subprocess.run([sys.executable, "-P", "-c", program, str(number)], pass_fds=[number], check=True, timeout=30)
    assert message(one).data == b"three, in a file, in a pipe, in memory"


@pytest.mark.parametrize("packets", [False, True])
@pytest.mark.parametrize("credentials", [False, True])
def test_what_nobody_wants_is_closed(packets, credentials):
    one, other = Stream.pair(packets=packets)
    other.pass_credentials(credentials)
    before = open_descriptors()
    for wanted in (0, 1, 2):
        one.send_message(b"x", fds=[0, 1, 2])
        got = message(other, fds=wanted)
        assert (len(got.fds), got.fds_lost) == (wanted, True)
        assert got.sender == (Stream.peer(other) if credentials else None)
        assert len(open_descriptors()) == len(before) + wanted
        for fd in got.fds:
            os.close(fd)
    with fails(errno.EBADF, "send a message"):
        one.send_message(b"x", fds=[9999])
    with fails(errno.EBADF, "it is no descriptor"):
        one.send_message(b"x", fds=[-1])
    with fails(errno.EINVAL, "at most 253"):
        one.send_message(b"x", fds=[0] * 254)
    with pytest.raises(TypeError):
        one.send_message(b"x", fds=["0"])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="0 or more"):
        other.recv_message(fds=-1)


def test_who_sent_it(pair):
    one, other = pair
    other.pass_credentials()
    child = os.fork()
    if child == 0:
        one.send_message(b"mine")
        os._exit(0)
    sender = message(other).sender
    os.waitpid(child, 0)
    assert isinstance(sender, Credentials) and sender.pid == child
    assert repr(sender) == f"Credentials(pid={child}, uid={os.getuid()}, gid={os.getgid()})"
    assert other.peer().pid == os.getpid()


def test_peer_pidfd(pair):
    one, _ = pair
    try:
        fd = one.peer_pidfd()
    except OSError as error:
        assert error.errno == errno.ENOTSUP
        pytest.skip("an older kernel")
    with madang.signal.Process.from_fd(fd) as process, fails(errno.EAGAIN, "", BlockingIOError):
        process.wait(timeout=0)


def test_internet_has_no_credentials():
    with Listener("tcp:127.0.0.1:0") as server, Stream.connect(server.address) as client:
        for refused in (client.peer, client.peer_pidfd, client.pass_credentials):
            with fails(errno.ENOTSUP, "only Unix sockets"):
                refused()
        with fails(errno.EINVAL, "only over Unix sockets"):
            client.send_message(b"x", fds=[0])


## Datagrams


@pytest.mark.parametrize("text", ["unix:{}/d", "unix:@{}", "udp:127.0.0.1:0", "udp:[::1]:0"])
def test_datagrams(place, text):
    with Datagram(text.format(place)) as server:

        def ask():
            with Datagram.connect(server.address) as client:
                client.send(b"ping")
                return client.recv(10).data

        child = Thread(in_child, ask)
        ping = server.recv(10)
        assert ping.data == b"ping"
        server.send(b"pong", ping.address)
        assert child.join() == b"pong"
        with fails(errno.EAGAIN, "receive at", BlockingIOError):
            server.recv(0)
        with fails(errno.ETIMEDOUT, "receive at", TimeoutError):
            server.recv(0.02)
    assert list(place.iterdir()) == []


def test_datagrams_have_descriptors_and_senders():
    one, other = Datagram.pair()
    other.pass_credentials()
    one.send(b"", fds=[0], timeout=10)
    got = other.recv(10, fds=1)
    assert (got.data, len(got.fds), got.address) == (b"", 1, None)
    assert got.sender is not None and got.sender.pid == os.getpid()
    os.close(got.fds[0])
    with fails(errno.EMSGSIZE, "as one"):
        one.send(bytes(1 << 20))
    other.close()
    with fails(errno.ECONNREFUSED, "nobody receives there", ConnectionRefusedError):
        one.send(b"x")


## Bad input


def test_bad_addresses():
    for text, words in (
        ("/run/x", 'begins with "unix:"'),
        ("unix:", "give it a path"),
        ("tcp:127.0.0.1", "HOST:PORT"),
        ("tcp:no.such.host.invalid:1", "the host isn't found"),
        ("udp:127.0.0.1:0", "Datagram"),
    ):
        with fails(errno.EINVAL, words):
            Listener(text)
        with fails(errno.EINVAL, words):
            Stream.connect(text)
    with fails(errno.EINVAL, "datagrams are for unix: and udp:"):
        Datagram("tcp:127.0.0.1:0")
    with fails(errno.ENOENT, "is the server running?", FileNotFoundError):
        Stream.connect("unix:/none/such")
    with fails(errno.ENOENT, "no such directory", FileNotFoundError):
        Listener("unix:/none/such")
    with pytest.raises(TypeError):
        Listener(5)  # type: ignore[arg-type]


def test_wrong_types(pair):
    one, _ = pair
    for wrong in ("text", None, 5):
        with pytest.raises(TypeError):
            one.send_message(wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        one.recv_message("soon")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Stream()  # type: ignore[call-arg]


def test_closed(place):
    one, other = Stream.pair()
    server = Listener(f"unix:{place}/s")
    datagram = Datagram(f"unix:{place}/d")
    for thing in (one, server, datagram):
        assert not thing.closed
        thing.close()
        thing.close()
        assert thing.closed and "closed" in repr(thing)
        with fails(errno.EBADF, "it is closed"):
            thing.fileno()
        with fails(errno.EBADF, "it is closed"), thing:
            pass
    for call in (one.recv_message, server.accept, datagram.recv, one.peer, lambda: one.send_message(b"x")):
        with fails(errno.EBADF, "it is closed"):
            call()


def test_from_fd():
    ours, theirs = socket.socketpair()
    with theirs, Stream.from_fd(ours.detach()) as stream:
        stream.send_message(b"hello")
        assert theirs.recv(100) == b"\0\0\0\x05hello"
        fd = stream.detach()
        assert stream.closed and os.get_blocking(fd)
        with open(fd, "wb", closefd=True) as file:
            file.write(b"as a file")
        assert theirs.recv(100) == b"as a file"
    with open("/dev/null") as file:
        with fails(errno.ENOTSOCK, "take a connection over"):
            Stream.from_fd(file)
        assert file.read() == "", "it is still open"
    with fails(errno.EBADF, "EBADF"):
        Stream.from_fd(-1)


def test_descriptors_dont_leak(place):
    before = open_descriptors()
    for _ in range(3):
        with (
            Listener(f"unix:{place}/s") as server,
            Stream.connect(server.address) as client,
            server.accept(10) as served,
            Datagram(f"unix:{place}/d") as datagram,
        ):
            for thing in (server, client, served, datagram):
                assert fcntl.fcntl(thing.fileno(), fcntl.F_GETFD) == fcntl.FD_CLOEXEC
            with fails(errno.EADDRINUSE, ""):
                Listener(server.address)
        Stream.pair()
    assert len(open_descriptors()) == len(before)
