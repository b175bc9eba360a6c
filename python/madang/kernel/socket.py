"""Sockets: connections on this machine and between machines, with whole messages, descriptors and credentials.

    with madang.socket.Listener("unix:/run/echo") as server:
        client = server.accept()
        client.send_message(client.recv_message().data)

    with madang.socket.Stream.connect("unix:/run/echo", timeout=1.0) as s:
        s.send_message(b"two teas")
        print(s.recv_message(timeout=1.0).data)

Addresses are texts: "unix:/run/x", "unix:@x", "packet:/run/x", "tcp:127.0.0.1:80", "udp:[::1]:0"; see help(madang.socket.Listener).
What Python's own socket module has made can be taken over: Stream.from_fd(s.detach()).
"""

from .._madang.kernel.socket import Credentials, Datagram, Listener, Message, Stream

__all__ = ["Credentials", "Datagram", "Listener", "Message", "Stream"]
