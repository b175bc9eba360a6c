"""Memory without a name that can be sealed, to be handed to a stranger (memfd_create(2)).

with madang.memfd.Memfd("frame", size="8M") as memory:
    memory.seal("shrink", "grow")
    socket.send_fds(sock, [b"frame"], [memory.fileno()])
"""

from .._madang.kernel.memfd import Memfd

__all__ = ["Memfd"]
