"""The server and the client of socket.rs, in Python: socket.py serve ADDRESS; socket.py ask ADDRESS FILE."""

import os
import sys

from madang.kernel.socket import Listener, Stream

SOON = 20
MUCH = bytes(number % 251 for number in range(1_000_000))


def serve(address):
    with Listener(address) as listener:
        print(listener.address, flush=True)
        with listener.accept(SOON) as stream:
            stream.pass_credentials()
            stream.send_message(b"welcome")
            message = stream.recv_message(SOON, fds=1)
            content = os.read(message.fds[0], 100)
            reader, writer = os.pipe()
            os.write(writer, b"from the server")
            stream.send_message(b"%s, %s, %d" % (message.data, content, message.sender.pid), fds=[reader], timeout=SOON)
            stream.send_message(stream.recv_message(SOON).data, timeout=SOON)
            assert stream.recv_message(SOON) is None


def ask(address, path):
    with Stream.connect(address, SOON) as stream, open(path) as file:
        assert stream.recv_message(SOON).data == b"welcome"
        stream.send_message(b"two teas", fds=[file], timeout=SOON)
        answer = stream.recv_message(SOON, fds=1)
        content = os.read(answer.fds[0], 100)
        stream.send_message(MUCH, timeout=SOON)
        came = stream.recv_message(SOON)
        print(f"{answer.data.decode()}, {content.decode()}, {int(came.data == MUCH)}")


if __name__ == "__main__":
    {"serve": serve, "ask": ask}[sys.argv[1]](*sys.argv[2:])
