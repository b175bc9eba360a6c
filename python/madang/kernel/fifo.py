"""FIFOs: pipes with a name in the file system, for processes that have no common ancestor (fifo(7)).

    reader = madang.fifo.open_reader("orders", timeout=10)  # opens it, or makes it
    writer = madang.fifo.open_writer("orders", timeout=10)  # in another process

A FIFO persists until it is removed. Its ends are madang.pipe.Reader and madang.pipe.Writer. Nothing here waits
for ever unless it is told to, as open() does.
"""

from .._madang.kernel.fifo import make, open_both, open_channel, open_reader, open_writer, remove, remove_channel

__all__ = ["make", "open_both", "open_channel", "open_reader", "open_writer", "remove", "remove_channel"]
