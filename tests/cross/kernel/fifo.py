"""send PATH, recv PATH, talk PATH: what fifo.rs says. Exits with 0 if all is as it should be."""

import sys

import madang

BYTES = bytes(index * 7 % 251 for index in range(200_000))
_, task, path = sys.argv

if task == "send":
    with madang.fifo.open_writer(path, timeout=30) as writer:
        writer.write_all(BYTES, timeout=30)
elif task == "recv":
    with madang.fifo.open_reader(path, timeout=30) as reader:
        assert reader.read_exact(len(BYTES) + 1, timeout=30) == BYTES
else:
    reader, writer, is_first = madang.fifo.open_channel(path, timeout=30)
    writer.write_all(b"first" if is_first else b"other", timeout=30)
    assert reader.read_exact(5, timeout=30) == (b"other" if is_first else b"first")
