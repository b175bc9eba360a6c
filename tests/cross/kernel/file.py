"""count PATH, hold PATH, replace PATH: what file.rs says. Exits with 0 if all is as it should be."""

import os
import signal
import sys
import time
from pathlib import Path

import madang

_, task, path = sys.argv

if task == "count":
    with madang.file.File(path, length=8) as file:
        number = memoryview(file.map()).cast("Q")
        for _ in range(300):
            with file.lock(timeout=30):
                old = number[0]
                time.sleep(0)
                number[0] = old + 1
elif task == "hold":
    with madang.file.File(path) as file, file.lock(start=10, length=10, timeout=30):
        signal.alarm(60)
        signal.pause()
else:
    # The lock lies beside the file: the two replace it one after the other, the second when the first was seen.
    with madang.file.File(path + ".turn") as turn, turn.lock(timeout=30):
        madang.file.replace(path, b"Python", keep_mode=True)
        seen = Path(path).with_name("seen")
        while not seen.exists():
            os.sched_yield()
        with madang.file.Follow(seen) as follow:
            while b"Python" not in follow.read(timeout=30):
                pass
