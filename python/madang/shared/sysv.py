"""System V's calls, served from shared memory: the same meaning, without the kernel.

A message queue is a madang.Queue, a set of semaphores a madang.SemaphoreSet, by the name f"sysv.key.{key:08x}". What they have
in common with a program that runs under LD_PRELOAD=libmadang-sysv.so, or `madang run`, is the key. The kernel's own are in
madang.kernel.sysv. What differs from them stands in docs/parity.md.

What fails raises OSError with the errno of the man page: msgop(2), semop(2), shmop(2) and their kin.
"""

from .._madang.shared.sysv import (
    Attachment,
    Perm,
    QueueStatus,
    SegmentStatus,
    SetStatus,
    getall,
    getpid,
    getval,
    getwaiting,
    limits,
    msgget,
    msgids,
    msglist,
    msgrcv,
    msgremove,
    msgset,
    msgsnd,
    msgstat,
    semget,
    semids,
    semlist,
    semop,
    semremove,
    semset,
    semstat,
    setall,
    setval,
    shmat,
    shmget,
    shmids,
    shmlist,
    shmlock,
    shmremove,
    shmset,
    shmstat,
)

# As <sys/ipc.h>, <sys/msg.h> and <sys/shm.h> have them.
IPC_PRIVATE = 0
IPC_CREAT = 0o1000
IPC_EXCL = 0o2000
IPC_NOWAIT = 0o4000
MSG_NOERROR = 0o10000
MSG_EXCEPT = 0o20000
MSG_COPY = 0o40000
SHM_RDONLY = 0o10000
SHM_RND = 0o20000
SHM_EXEC = 0o100000

__all__ = [
    "IPC_CREAT",
    "IPC_EXCL",
    "IPC_NOWAIT",
    "IPC_PRIVATE",
    "MSG_COPY",
    "MSG_EXCEPT",
    "MSG_NOERROR",
    "SHM_EXEC",
    "SHM_RDONLY",
    "SHM_RND",
    "Attachment",
    "Perm",
    "QueueStatus",
    "SegmentStatus",
    "SetStatus",
    "getall",
    "getpid",
    "getval",
    "getwaiting",
    "limits",
    "msgget",
    "msgids",
    "msglist",
    "msgrcv",
    "msgremove",
    "msgset",
    "msgsnd",
    "msgstat",
    "semget",
    "semids",
    "semlist",
    "semop",
    "semremove",
    "semset",
    "semstat",
    "setall",
    "setval",
    "shmat",
    "shmget",
    "shmids",
    "shmlist",
    "shmlock",
    "shmremove",
    "shmset",
    "shmstat",
]
