"""An echo server and its client over a Unix socket, by whole messages: of any length, also empty, however the bytes arrive.

The client is this program again. There is no file of the socket left in the end.
"""

import subprocess
import sys

import madang

ADDRESS = "unix:echo.sock"


def server():
    with madang.socket.Listener(ADDRESS) as listener:  # from now on clients may connect
        client = subprocess.Popen([sys.executable, __file__, "client"])
        with listener.accept(timeout=30) as stream:
            while (message := stream.recv_message()) is not None:
                stream.send_message(message.data)
        client.wait()
        print("server: the client has gone")


def client():
    with madang.socket.Stream.connect(ADDRESS, timeout=30) as stream:
        for message in [b"two teas", b"", bytes(1_000_000)]:
            stream.send_message(message, timeout=30)
            answer = stream.recv_message(timeout=30)
            print(f"client: {shown(message)} -> {shown(answer.data)}", flush=True)


def shown(message):
    return message.decode() if 0 < len(message) <= 80 else f"({len(message)} bytes)"


if __name__ == "__main__":
    client() if sys.argv[1:] == ["client"] else server()
