"""Two processes update a counter in a file, under a lock, so that no update is lost. Then a report is written in one step, so
that nobody ever reads half of it.

Here one process starts the other; they share nothing but the files' names.
"""

import subprocess
import sys
from pathlib import Path

import madang

TIMES = 1000


def count():
    """Adds 1 to the number in the file, again and again."""
    with madang.file.File("counter", length=8) as file, file.map() as mapping:  # opens it, or makes it, of 8 zeroes
        with memoryview(mapping).cast("Q") as number:
            for _ in range(TIMES):
                with file.lock():
                    number[0] += 1
        mapping.sync()  # safe from a power failure


if __name__ == "__main__":
    if sys.argv[1:] == ["other"]:
        count()
        sys.exit()
    other = subprocess.Popen([sys.executable, __file__, "other"])
    count()
    other.wait()

    total = int.from_bytes(Path("counter").read_bytes(), sys.byteorder)
    print(f"two processes added {TIMES} each: {total}")

    madang.file.replace("report", f"the counter is at {total}".encode())
    print("the report says:", Path("report").read_text())
