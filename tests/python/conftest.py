"""Fixtures: names that nobody else has, and that are gone after the test, whatever it did."""

import gc
import itertools
import os
from collections.abc import Iterator

import madang
import pytest
import support
from support import SHM

_numbers = itertools.count()


@pytest.fixture
def name() -> Iterator[str]:
    """A name for objects of the test's own in /dev/shm, and for others that begin with it."""
    mine = f"pytest-{os.getpid()}-{next(_numbers)}-"
    yield mine
    left = [path for path in SHM.iterdir() if mine in path.name]
    for path in left:
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    kinds = ("queue", "semaphores", "mutex", "rwlock", "condition", "barrier", "event")
    objects = (mine, f"sem.{mine}", *(f"madang.{kind}.{mine}" for kind in kinds))
    assert all(path.name.startswith(objects) for path in left), f"what is this? {left}"


@pytest.fixture
def queue(name: str) -> Iterator[madang.Queue]:
    """A new queue with all defaults."""
    with madang.Queue(name, create="only") as queue:
        yield queue


@pytest.fixture(autouse=True)
def nothing_left_open() -> Iterator[None]:
    """No test leaves a descriptor of shared memory behind."""
    yield
    if support.open_files():
        gc.collect()  # the frames of exceptions are forgotten in circles
    assert support.open_files() == []
