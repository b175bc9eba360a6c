"""Pipes: bytes that go in at one end and come out at the other, in order (pipe(7)).

    reader, writer = madang.pipe.pair()
    writer.write_all(b"hello", timeout=1.0)
    reader.read(timeout=1.0)  # b"hello"

The ends of a FIFO, which is a pipe with a name, are of the same classes.
"""

from .._madang.kernel.pipe import PIPE_BUF, Reader, Writer, pair

__all__ = ["PIPE_BUF", "Reader", "Writer", "pair"]
