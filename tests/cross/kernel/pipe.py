"""A filter: adds 1 to each byte on its way from standard input to standard output. Exits with the errno."""

import os
import sys

import madang

PLUS_1 = bytes((byte + 1) % 256 for byte in range(256))

reader, writer = madang.pipe.Reader.from_fd(0), madang.pipe.Writer.from_fd(1)
try:
    while data := reader.read(timeout=30):
        writer.write_all(data.translate(PLUS_1), timeout=30)
except OSError as error:
    print(error, file=sys.stderr)
    os._exit(error.errno)
# Without Python's own closing of descriptors 0 and 1, which it no longer has.
os._exit(0)
