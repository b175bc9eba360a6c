/*
 * System V IPC from shared memory, for programs that are compiled anew
 * ====================================================================
 *
 * A program that includes this instead of <sys/msg.h>, <sys/sem.h> and <sys/shm.h> (or after them), and
 * is linked with libmadang, has its calls served from shared memory: the same names, the same meaning,
 * many times faster, and without the kernel's limits. One that can't be compiled anew gets the
 * same by LD_PRELOAD=libmadang-sysv.so, or by `madang run -- program`.
 *
 * What differs from the kernel stands in docs/parity.md.
 */
#ifndef MADANG_SYSV_H
#define MADANG_SYSV_H

#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#include <madang.h>

#define msgget madang_msgget
#define msgsnd madang_msgsnd
#define msgrcv madang_msgrcv
#define msgctl madang_msgctl

#define semget madang_semget
#define semop madang_semop
#define semtimedop madang_semtimedop
/* Its fourth argument is a union that the program defines itself, or there is none. */
#define semctl(...) MADANG_SEMCTL_(__VA_ARGS__, 0, 0)
#define MADANG_SEMCTL_(semid, semnum, cmd, arg, ...)                                               \
    __extension__({                                                                                \
        __typeof__(arg) madang_arg_ = (arg);                                                       \
        madang_semctl(semid, semnum, cmd, madang_semun_(&madang_arg_, sizeof madang_arg_));         \
    })

#define shmget madang_shmget
#define shmat madang_shmat
#define shmdt madang_shmdt
#define shmctl madang_shmctl

/* The number or pointer in a union semun, whatever type it is passed as. */
static inline void *madang_semun_(const void *argument, size_t size)
{
    void *pointer = NULL;
    memcpy(&pointer, argument, size < sizeof pointer ? size : sizeof pointer);
    return pointer;
}

#endif
