"""The classic exercise: two processes chat over two FIFOs. Both open the same channel; who comes first is Ann, and begins.

Here one starts the other, for there must be two; but they share nothing but the channel's name.
"""

import subprocess
import sys

import madang


def chat():
    reader, writer, is_first = madang.fifo.open_channel("chat", timeout=30)
    if is_first:
        name, lines = "Ann", ["Is anybody there?", "Tea at four?", "See you."]
    else:
        name, lines = "Bob", ["Yes, Bob.", "With pleasure."]
    with reader, writer:
        if not is_first:
            hear(name, reader)
        for line in lines:
            writer.write_all(line.encode())
            hear(name, reader)


def hear(name, reader):
    """Prints what the other says. They take turns, and what is short is written whole: so one read is one message."""
    said = reader.read()
    print(f"{name} hears: {said.decode()}" if said else f"{name}: the other has left", flush=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["other"]:
        chat()
    else:
        other = subprocess.Popen([sys.executable, __file__, "other"])
        chat()
        other.wait()
        madang.fifo.remove_channel("chat")  # it persists until it is removed
