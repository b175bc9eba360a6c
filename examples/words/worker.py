#!/usr/bin/env python3
"""A worker of the demo, in Python: leases lines from one queue, counts their words, sends the counts back by another.

    worker.py LINES ANSWERS NUMBER

What travels is described in README.md.
"""

import os
import platform
import sys
from collections import Counter

import madang

STOP = 256  # the type that ends the input; no line has it, for a line's type is a byte
ANSWER_BYTES = 32 << 10  # an answer is sent when it has become this long
LINES_AT_ONCE = 256  # so many lines are held at most before they are answered and acknowledged

# A word is a longest run of ASCII letters, in lower case; all other bytes lie between words.
LETTERS = bytes(byte | 0x20 if chr(byte).isascii() and chr(byte).isalpha() else ord(" ") for byte in range(256))


def write_counts(text: bytearray, line: madang.Lease) -> None:
    """Writes "line SEQUENCE REDELIVERED", then "COUNT WORD" for each of its words."""
    text += b"line %d %d\n" % (line.sequence, line.redelivered)
    for word, times in Counter(bytes(line.data).translate(LETTERS).split()).items():
        text += b"%d %b\n" % (times, word)


def answer(answers: madang.Queue, number: int, text: bytearray, held: list[madang.Lease]) -> None:
    """Sends what was counted, then acknowledges the lines.

    Killed in between, they are counted once more, and told by their sequence.
    """
    if text:
        answers.send(text, type=number)
        text.clear()
    for line in held:
        line.ack()
    held.clear()


def count(lines: madang.Queue, answers: madang.Queue, number: int) -> None:
    """Takes lines until the stop, by lease, and answers.

    Only what was answered is acknowledged, so if this process is killed another takes the rest.
    """
    text = bytearray()
    held: list[madang.Lease] = []
    while True:
        try:
            line = lines.lease(timeout=0)
        except BlockingIOError:
            answer(answers, number, text, held)
            line = lines.lease()
        if line.type == STOP:
            answer(answers, number, text, held)
            line.ack()
            return
        write_counts(text, line)
        held.append(line)
        if len(text) >= ANSWER_BYTES or len(held) >= LINES_AT_ONCE:
            answer(answers, number, text, held)


def main() -> None:
    lines_name, answers_name, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
    # Opened, never made: should the coordinator be gone, no queue is left behind.
    with (
        madang.Queue(lines_name, create="never") as lines,
        madang.Queue(answers_name, create="never") as answers,
    ):
        hello = f"hello Python {platform.python_version()}, process {os.getpid()}\n"
        answers.send(hello.encode(), type=number)
        count(lines, answers, number)
        answers.send(b"done\n", type=number)


if __name__ == "__main__":
    main()
