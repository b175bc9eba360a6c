"""Memory without a name that can be sealed, to be handed to a stranger (memfd_create(2)).

with madang.memfd.Memfd("frame", size="8M") as memory:
    memory.seal("shrink", "grow")
    socket.send_fds(sock, [b"frame"], [memory.fileno()])
"""

from collections.abc import Iterable
from typing import Literal, Self, TypeAlias, final

from . import Mapping

__all__ = ["Memfd"]

_Seal: TypeAlias = Literal["seal", "shrink", "grow", "write", "future-write", "exec"]

@final
class Memfd:
    """Memory without a name in any directory, which lives as long as somebody has it open or mapped
    (memfd_create(2)). The safe way between processes that don't trust each other.

    Fill it, seal it, hand its descriptor on: what the seals say then holds for everybody, for ever.

        with madang.memfd.Memfd("frame", size="8M") as memory:
            with memory.map() as mapping, memoryview(mapping) as view:
                view[:5] = b"hello"
            memory.seal("shrink", "grow", "write", "seal")
            socket.send_fds(sock, [b"frame"], [memory.fileno()])

    The constructor makes one, filled with zeros. It doesn't wait.

    name: up to 249 bytes of UTF-8. It is for people, who see it in /proc/PID/fd; it need not be unique.
    size: in bytes; an int, or text such as "8M". None: it is empty. Memory is taken as it is touched (huge
        pages at once): nothing but the machine's limits it, at whose end somebody is killed, not refused.
    executable: it may be executed. Otherwise it may not, and is sealed so ("exec"), where the kernel knows
        that (from Linux 6.3 on).
    huge_pages: it lies in huge pages: True for those of the machine's default size, or their size, such as
        "2M". The machine must have some: /proc/sys/vm/nr_hugepages. Its size is a multiple of theirs.

    The seals: "shrink" and "grow": its size; "write": its contents (can be added only while it is not mapped
    to be written); "future-write": its contents, but through mappings that are there already (from Linux 5.1
    on); "exec": whether it may be executed (from Linux 6.3 on); "seal": no seals can be added.

    It is closed by close(), at the end of a `with` block, and when it is forgotten; what was mapped stays.
    What is used after that raises OSError with EBADF.

    Raises OSError with ENOSPC or ENOMEM for want of huge pages; EINVAL for a bad name, or a
    size that is no multiple of the huge pages'; ENODEV or ENOTSUP where there are none of that size; EFBIG,
    EMFILE, ENFILE; PermissionError (EACCES) for one that may be executed where vm.memfd_noexec forbids it.
    """

    def __new__(
        cls,
        name: str,
        *,
        size: int | str | None = None,
        executable: bool = False,
        huge_pages: bool | int | str | None = None,
    ) -> Self: ...
    @staticmethod
    def from_fd(fd: int, seals: Iterable[_Seal] | None = None, *, trusted: bool = False) -> Memfd:
        """Takes over a descriptor that was received from somebody who need not be trusted: it must be one of a memfd,
        which is sealed with these seals, and in any case with "shrink", so that touching it is no risk.

        Without the seal "write" the sender may go on writing: copy what you check before you check it.

        seals: such as ["grow", "write"].
        trusted: asks for no seals. Who can write it can then truncate it, which is SIGBUS for who touches
            what was cut off.

        The descriptor belongs to the Memfd then, and its number may be another file's.

        Raises PermissionError (EPERM) if a seal is missing; OSError with EINVAL if it is no memfd, EBADF if it
        is not open, EMFILE. Then it stays the caller's.
        """

    @property
    def size(self) -> int:
        """Its size in bytes, as it is now."""

    def set_size(self, size: int | str) -> None:
        """Gives it another size, 1 byte or more, as a number or as text such as "8M". What is added is zero, and
        memory is taken as it is touched.

        Raises PermissionError (EPERM) if it is sealed against that; OSError with EFBIG; EINVAL if its descriptor
        is read-only, or the size no multiple of its huge pages'.
        """

    @property
    def seals(self) -> frozenset[_Seal]:
        """What can't be done to it any more: a frozenset of "seal", "shrink", "grow", "write", "future-write" and
        "exec".
        """

    def seal(self, *seals: _Seal) -> None:
        """Adds seals, such as "shrink", which can't be taken away.

        Raises OSError with EBUSY for "write" while it is mapped to be written, in any process; PermissionError
        (EPERM) if it is sealed with "seal", or its descriptor is read-only; EINVAL for a seal that this kernel
        doesn't know; ValueError for what is no seal.
        """

    def map(self, offset: int = 0, length: int | str | None = None, *, read_only: bool = False) -> Mapping:
        """Maps a part of it, by default all: a madang.kernel.Mapping, which stays whatever becomes of this handle.

        offset: in bytes, a multiple of the page size.
        length: in bytes, as a number or as text such as "8M"; None is up to its end.
        read_only: the memory can't be written.

        Raises OSError with EINVAL if the part doesn't lie within it, if it is empty, or for the offset;
        PermissionError to write what is sealed with "write" or "future-write" (EPERM), or where the descriptor
        is read-only (EACCES); ENOMEM.
        """

    def fileno(self) -> int:
        """The descriptor: to be handed on, by socket.send_fds or subprocess's pass_fds. It is this object's."""

    def detach(self) -> int:
        """Closes this object, but not its descriptor, which it returns. The caller closes it.

        Raises OSError with EBUSY if another thread is inside.
        """

    @property
    def closed(self) -> bool:
        """Whether it is closed."""

    def close(self) -> None:
        """Closes it; closing it again does nothing. What was mapped stays."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...
