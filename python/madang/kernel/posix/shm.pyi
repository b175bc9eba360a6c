"""POSIX shared memory objects (shm_overview(7)).

with madang.posix.shm.Object("frame", size="8M") as o, o.map() as m:
    memoryview(m)[:5] = b"hello"
"""

import builtins
from typing import Literal, Self, final

from .. import Mapping
from . import Listed

__all__ = ["Object", "ObjectStatus"]

def list() -> builtins.list[Listed]:
    """The objects that exist, in the order of their names; a snapshot: all regular files in /dev/shm but
    madang's own and semaphores.

    Raises FileNotFoundError or PermissionError if /dev/shm can't be read; OSError with EMFILE and ENFILE.
    """

@final
class Object:
    """A shared memory object (shm_overview(7)): what shm_open("/NAME") gives in C.

    It is the same object as a madang.Segment of that name. Take the Segment where it will do: it opens,
    checks owner and size, and maps in one step. Take this one for what is more: to let it grow or shrink,
    to map parts of it, to look at it without mapping it, to hand its descriptor on.

        with madang.posix.shm.Object("frame", size="8M") as o, o.map() as m:
            memoryview(m)[:5] = b"hello"

    The constructor opens the object, or creates it, filled with zeros. It doesn't wait.

    name: 1 to 255 bytes of UTF-8, without "/", and not beginning with "madang.".
    size: in bytes; an int, or text such as "8M". Of a new object exactly, and its space is taken at once; of
        an existing one at least. None: a new one is empty.
    mode: the permission bits of a new object, exactly (no umask); 0 is 0o600 too.
    create: "if-missing"; "never" only opens what exists; "only" only opens what it creates.
    read_only: opens it only to be read. It must exist.

    Whoever owns it, it is opened; stat() tells whose it is. Who may write it may truncate it, which is
    SIGBUS for all who then touch what was cut off: between strangers use a sealed madang.memfd.Memfd.

    It persists until Object.unlink(name). It is closed by close(), at the end of a `with` block, and when it
    is forgotten; what was mapped stays. What is used after that raises OSError with EBADF.

    Raises FileNotFoundError and FileExistsError, as `create` says; PermissionError (EACCES: its mode);
    OSError with EINVAL for a bad name or mode, to create one read-only, or where an existing object is
    smaller than asked for; ENOSPC; EFBIG; ENAMETOOLONG; IsADirectoryError, ELOOP, ENODEV and ENXIO for what
    has the name but is no regular file; EMFILE, ENFILE, ENOMEM.
    """

    def __new__(
        cls,
        name: str,
        *,
        size: int | str | None = None,
        mode: int = 0o600,
        create: Literal["if-missing", "never", "only"] = "if-missing",
        read_only: bool = False,
    ) -> Self: ...
    @staticmethod
    def from_fd(fd: int) -> Object:
        """Takes over a descriptor of shared memory that was inherited or received; or of any regular file. Whoever else
        can write it can truncate it: from a stranger take a madang.memfd.Memfd instead.

        It belongs to the Object then, and its number may be another file's.

        Raises OSError with ENODEV if it is no regular file's, EBADF if it is not open, EMFILE. Then it stays the
        caller's.
        """

    @property
    def size(self) -> int:
        """Its size in bytes, as it is now."""

    def set_size(self, size: int | str) -> None:
        """Gives it another size, 1 byte or more, as a number or as text such as "8M". What is added is zero, and its
        space is taken at once; if there is none, nothing changes. Who touches what was cut off dies of SIGBUS.

        Raises OSError with ENOSPC, EFBIG; PermissionError (EACCES) if it was opened read-only.
        """

    def stat(self) -> ObjectStatus:
        """What it is."""

    def map(self, offset: int = 0, length: int | str | None = None, *, read_only: bool = False) -> Mapping:
        """Maps a part of it, by default all: a madang.kernel.Mapping, which stays whatever becomes of this handle.

        offset: in bytes, a multiple of the page size.
        length: in bytes, as a number or as text such as "8M"; None is up to its end.
        read_only: the memory can't be written.

        Raises OSError with EINVAL if the part doesn't lie within it, if it is empty, or for the offset;
        PermissionError (EACCES) to write what was opened read-only; ENOMEM.
        """

    @property
    def name(self) -> str:
        """The name by which it was opened; "" if it was made of a descriptor."""

    @property
    def is_new(self) -> bool:
        """Whether this very handle created it."""

    @property
    def read_only(self) -> bool:
        """Whether it was opened only to be read."""

    def fileno(self) -> int:
        """The descriptor, for mmap, socket.send_fds and their like. It is this object's."""

    @staticmethod
    def unlink(name: str) -> None:
        """Takes the name away; who has the object open or mapped goes on with it.

        Raises FileNotFoundError; PermissionError if it is another user's; IsADirectoryError; OSError with EINVAL
        or ENAMETOOLONG for a bad name.
        """

    @property
    def closed(self) -> bool:
        """Whether this handle is closed."""

    def close(self) -> None:
        """Closes the handle; doesn't unlink the object, and what was mapped stays. Closing it again does nothing."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...

@final
class ObjectStatus:
    """What Object.stat() tells; a snapshot. A value: compared and hashed."""

    @property
    def size(self) -> int:
        """Its size in bytes."""

    @property
    def allocated(self) -> int:
        """Bytes of memory that it takes."""

    @property
    def is_unlinked(self) -> bool:
        """Whether it has no name any more."""

    @property
    def mode(self) -> int:
        """Permission bits."""

    @property
    def uid(self) -> int:
        """The owner's user id."""

    @property
    def gid(self) -> int:
        """The owner's group id."""

    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
