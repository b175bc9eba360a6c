#!/usr/bin/env python3
"""A worker of the demo, in Python: takes lines from one queue, counts their words, sends the counts back by another.

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
COUNTED_AT_ONCE = 64 << 10  # bytes that are gathered before they are counted, which is quicker than line by line

# A word is a longest run of ASCII letters, in lower case; all other bytes lie between words.
LETTERS = bytes(byte | 0x20 if chr(byte).isascii() and chr(byte).isalpha() else ord(" ") for byte in range(256))


def words(text: bytes | bytearray) -> list[bytes]:
    return bytes(text).translate(LETTERS).split()


def count(lines: madang.Queue) -> tuple[Counter[bytes], int]:
    """Takes lines until the stop: how often each word came, and how many lines there were."""
    counts: Counter[bytes] = Counter()
    text = bytearray()
    taken = 0
    while True:
        line, kind = lines.recv()
        if kind == STOP:
            counts.update(words(text))
            return counts, taken
        taken += 1
        text += line
        text += b"\n"
        if len(text) >= COUNTED_AT_ONCE:
            counts.update(words(text))
            text.clear()


def report(answers: madang.Queue, number: int, counts: Counter[bytes]) -> None:
    """Sends "COUNT WORD" lines, as many as an answer takes."""
    text = bytearray()
    for word, times in counts.items():
        text += b"%d %b\n" % (times, word)
        if len(text) >= ANSWER_BYTES:
            answers.send(text, type=number)
            text.clear()
    if text:
        answers.send(text, type=number)


def main() -> None:
    lines_name, answers_name, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
    # Opened, never made: should the coordinator be gone, no queue is left behind.
    with (
        madang.Queue(lines_name, create="never") as lines,
        madang.Queue(answers_name, create="never") as answers,
    ):
        hello = f"hello Python {platform.python_version()}, process {os.getpid()}\n"
        answers.send(hello.encode(), type=number)
        counts, taken = count(lines)
        report(answers, number, counts)
        answers.send(b"messages %d\n" % taken, type=number)


if __name__ == "__main__":
    main()
