"""Fixtures: keys that nobody else has, and that are free after the test, whatever it did."""

import contextlib
import itertools
import os
from collections.abc import Callable, Iterator

import pytest
from madang import sysv

_numbers = itertools.count()


@pytest.fixture
def keys() -> Iterator[Callable[[], int]]:
    """Makes keys of System V objects."""
    made: list[int] = []

    def make() -> int:
        made.append(0x4000_0000 | (os.getpid() & 0x1F_FFFF) << 9 | next(_numbers) & 0x1FF)
        return made[-1]

    yield make
    for key in made:
        for kind in (sysv.msg.Queue, sysv.shm.Segment, sysv.sem.Set):
            with contextlib.suppress(FileNotFoundError):
                kind.unlink(key)


@pytest.fixture
def key(keys: Callable[[], int]) -> int:
    return keys()
