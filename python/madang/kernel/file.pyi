"""Files: locked in whole or in part, mapped and grown, replaced in one step, and followed while they grow.

with madang.file.File("counter", length=8) as f, f.lock(timeout=5):  # nobody else has it
    number = memoryview(f.map()).cast("Q")
    number[0] += 1

madang.file.replace("settings.json", b"{}")  # nobody ever reads half of it
"""

from os import PathLike
from pathlib import Path
from typing import Literal, Self, final

from typing_extensions import Buffer

from . import Mapping

__all__ = ["File", "Follow", "Guard", "Holder", "replace"]

@final
class File:
    """An open regular file: to be locked, mapped, and grown.

        with madang.file.File("counter", length=8) as f, f.lock(timeout=5):
            ...

    path: symbolic links are followed.
    create: "if-missing", "never" (FileNotFoundError) or "only" (FileExistsError).
    mode: the permission bits of a new file, exactly, whatever the umask says; None is 0o600. The name of a
        new file never shows another mode or length.
    length: at least so many bytes, a number or text such as "4M"; see grow. None takes it as it is, and makes
        an empty one.
    read_only: it must exist; it can be locked shared, and its mappings can't be written.

    Any thread may use it. In a forked child it is the child's own: the child has locked nothing. It is
    closed, and what it has locked unlocked, by close(), at the end of a `with` block, and when it is
    forgotten. What is used after that raises OSError with EBADF.

    What fails raises OSError with an errno: FileNotFoundError and FileExistsError as `create` says,
    PermissionError, IsADirectoryError and others as open() does; ENODEV if it is no regular file; ENOSPC and
    EFBIG for the length; EINVAL for a bad mode or path, or for a read_only one with a length or create="only".
    """

    def __new__(
        cls,
        path: str | PathLike[str],
        *,
        create: Literal["if-missing", "never", "only"] = "if-missing",
        mode: int | None = None,
        length: int | str | None = None,
        read_only: bool = False,
    ) -> Self: ...
    @property
    def path(self) -> Path:
        """The path by which it was opened."""

    @property
    def is_new(self) -> bool:
        """Whether this very open made it."""

    @property
    def read_only(self) -> bool:
        """Whether it was opened only to be read."""

    @property
    def length(self) -> int:
        """How many bytes it has, at the moment."""

    def grow(self, length: int | str) -> int:
        """Makes it at least so long, a number or text such as "4M"; its length then. What is new is 0, and its space
        is taken, so that touching it in a mapping can't fail. It never becomes shorter. Mappings stay as they are:
        map it again.

        Raises OSError with ENOSPC, EDQUOT, EFBIG; PermissionError (EACCES) if it was opened read-only.
        """

    def map(self, offset: int = 0, length: int | str | None = None) -> Mapping:
        """Maps so many bytes of it from the offset, which is a multiple of the page size; None is all that follows.
        The mapping outlives this object.

        Raises OSError with EINVAL if there are no such bytes, or the offset is no such multiple; ENOMEM.
        """

    def lock(self, *, shared: bool = False, start: int = 0, length: int = 0, timeout: float | None = None) -> Guard:
        """Locks it, or a part of it; waits until nobody is in the way. It is unlocked at the end of a `with` block,
        by release(), and when the Guard is forgotten.

        shared: together with others who lock it so; otherwise for oneself alone.
        start, length: only so many bytes from there, which need not exist; a length of 0 is all that follows,
            however long the file becomes.
        timeout: in seconds; None waits for ever, 0 doesn't wait. It looks again and again, at first every 50
            microseconds, at last every 5 milliseconds.

        What one File has locked keeps others out: other Files, of this process or another, and whoever else
        uses such locks or fcntl.lockf (not fcntl.flock). It keeps other threads with the same File out as well,
        whether or not both would share it. A thread that locks what it has locked already waits for itself.
        The locks are advice: who doesn't lock may read and write.

        Raises TimeoutError; BlockingIOError if somebody is in the way and timeout is 0; OSError with EBADF to
        lock a read-only file exclusively; EINVAL for a range that no file has.
        """

    def holder(self, *, shared: bool = False, start: int = 0, length: int = 0) -> Holder | None:
        """Who is in the way of such a lock, or None: at the moment, and only one of them. What this File itself has
        locked it doesn't tell.
        """

    def fileno(self) -> int:
        """The descriptor, for os.pread and its like. It is this object's: don't close it."""

    @property
    def closed(self) -> bool:
        """Whether it is closed."""

    def close(self) -> None:
        """Closes it; closing it again does nothing. Mappings stay, and so do locks until their Guards are released."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...

@final
class Guard:
    """Something is locked as long as this is not released. See File.lock. In a forked child it is nothing."""

    def release(self) -> None:
        """Unlocks it; unlocking it again does nothing."""

    @property
    def released(self) -> bool:
        """Whether it is released."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...

@final
class Holder:
    """Who is in the way of a lock: what File.holder tells."""

    @property
    def shared(self) -> bool:
        """Whether he shares it."""

    @property
    def start(self) -> int:
        """The first byte that he has locked."""

    @property
    def length(self) -> int:
        """How many; 0 is all that follow."""

    @property
    def pids(self) -> list[int]:
        """The processes that have it, as far as /proc tells this user. Perhaps none."""

def replace(path: str | PathLike[str], data: Buffer, *, mode: int | None = None, keep_mode: bool = False) -> None:
    """Replaces a file by one with that data (bytes, a bytearray, an array, …), or makes it, in one step: whoever
    opens it finds the old contents or the new ones, also after a power failure.

    mode: the permission bits, exactly; None is 0o600.
    keep_mode: they stay those of the old file, if there is one.

    Who has the old one open goes on with that. The new one belongs to this process's user; of a symbolic
    link, the link is replaced. Who is killed meanwhile may leave a file .madang.new.* in the directory.

    Raises FileNotFoundError, PermissionError, NotADirectoryError for the directory; IsADirectoryError; OSError
    with ENOSPC, EDQUOT, EFBIG, EIO; EINVAL for a bad mode or path. Then the old file is as it was. (Only if the
    last step fails, to bring the directory to the disk, it is replaced already; the text says so.)
    """

@final
class Follow:
    """Follows a file while it grows, as tail -F does: also when it is truncated, or another file takes its name.

        with madang.file.Follow("log", from_end=True) as follow:
            while True:
                print(follow.read().decode(), end="")

    from_end: begins with what is written from now on, not with what is in the file already.

    One thread at a time may use it. It is closed by close(), at the end of a `with` block, and when it is
    forgotten. What is used after that raises OSError with EBADF.

    Raises FileNotFoundError, PermissionError and others as open() does; OSError with ENODEV if it is no regular
    file.
    """

    def __new__(cls, path: str | PathLike[str], *, from_end: bool = False) -> Self: ...
    def read(self, length: int = 65536, *, timeout: float | None = None) -> bytes:
        """Waits until there is something new in the file, and reads it: at most `length` bytes, and never b"", unless
        that is 0. Bytes of two files, or of before and after a truncation, never come by one call.

        timeout: in seconds; None waits for ever, 0 doesn't wait.

        A file that is truncated and grows past what was read before anybody looks is not found out.

        Raises TimeoutError; BlockingIOError if nothing is new and timeout is 0; OSError with EBUSY if another thread
        is inside; what opening the file that took the name fails with.
        """

    @property
    def restarts(self) -> int:
        """How often it began at a start again: the file was truncated, or replaced. What was read last is of the
        present one.
        """

    @property
    def closed(self) -> bool:
        """Whether it is closed."""

    def close(self) -> None:
        """Closes it; closing it again does nothing."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...
