/* What the tests of System V IPC have in common: keys that nobody else has, and that are free after the case. */
#ifndef SYSV_H
#define SYSV_H

static void remove_keys(void);
#define REMOVE remove_keys
#include "../check.h"

#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#define NOBODY 65534
#define KEYS 8

/* One of the case's keys: which is 0 to 7. */
static inline int32_t key(int which)
{
    uint32_t hash = 2166136261u;
    for (const char *at = prefix_text; *at; at++)
        hash = (hash ^ (unsigned char)*at) * 16777619u;
    return (int32_t)((hash & 0x0ffffff8u) | 0x50000000u | (unsigned)which);
}

static void remove_keys(void)
{
    for (int i = 0; i < KEYS; i++) {
        msgctl(msgget(key(i), 0), IPC_RMID, NULL);
        shmctl(shmget(key(i), 0, 0), IPC_RMID, NULL);
        semctl(semget(key(i), 0, 0), 0, IPC_RMID);
    }
}

/* Waits until a child sleeps: the case's own time-out is the limit. */
static inline void wait_until_asleep(pid_t child)
{
    char path[64], stat[256], state = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)child);
    while (state != 'S' && state != 'Z') {
        FILE *file = fopen(path, "r");
        CHECK(file != NULL);
        size_t length = fread(stat, 1, sizeof stat - 1, file);
        fclose(file);
        stat[length] = '\0';
        CHECK(strrchr(stat, ')') != NULL);
        state = strrchr(stat, ')')[2];
    }
}

/* A child that is about to wait when it begins work, and sleeps when this returns. */
static inline pid_t asleep(void (*work)(void))
{
    int ready[2];
    char byte;
    CHECK(pipe(ready) == 0);
    pid_t child = fork();
    if (child == 0) {
        CHECK(write(ready[1], "", 1) == 1);
        work();
        exit(EXIT_SUCCESS);
    }
    CHECK(read(ready[0], &byte, 1) == 1);
    close(ready[0]);
    close(ready[1]);
    wait_until_asleep(child);
    return child;
}

static inline void nothing(int number)
{
    (void)number;
}

/* Signals a child until it ends well: one that comes just before a sleep is not noticed. */
static inline void interrupt(pid_t child)
{
    int status;
    while (waitpid(child, &status, WNOHANG) == 0) {
        kill(child, SIGUSR1);
        usleep(1000);
    }
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static inline int open_files(void)
{
    glob_t found;
    CHECK(glob("/proc/self/fd/*", 0, NULL, &found) == 0);
    int count = (int)found.gl_pathc;
    globfree(&found);
    return count;
}

#endif
