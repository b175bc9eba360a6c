/*
 * Producer and consumer, kept in order by two System V semaphores: a child puts squares into shared memory that has room for
 * one, the parent takes them out. Neither overtakes the other.
 */
#define _POSIX_C_SOURCE 200809L
#include <madang.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* The semaphores: how many places are free, how many are full. */
enum { FREE, FULL };

static const int64_t SOON = 5000000000;
static const int COUNT = 5;

/* Ends the program with what went wrong, if anything did. */
static void check(int error)
{
    if (error < 0) {
        fprintf(stderr, "%s\n", madang_last_error());
        exit(1);
    }
}

static void produce(madang_sysv_sem *set, int *place)
{
    for (int number = 1; number <= COUNT; number++) {
        check(madang_sysv_sem_acquire(set, FREE, 0, SOON));
        *place = number * number;
        check(madang_sysv_sem_release(set, FULL));
    }
}

static void consume(madang_sysv_sem *set, const int *place)
{
    for (int i = 0; i < COUNT; i++) {
        check(madang_sysv_sem_acquire(set, FULL, 0, SOON));
        int number = *place;
        check(madang_sysv_sem_release(set, FREE));
        printf("consumed %d\n", number);
    }
}

int main(void)
{
    madang_sysv_shm_options options = {.struct_size = sizeof options, .size = sizeof(int)};
    madang_sysv_shm *segment;
    madang_mapping *place;
    madang_sysv_sem *set;

    check(madang_sysv_sem_open(MADANG_SYSV_PRIVATE, (uint16_t[]){1, 0}, 2, NULL, &set));
    check(madang_sysv_shm_open(MADANG_SYSV_PRIVATE, &options, &segment));
    check(madang_sysv_shm_attach(segment, NULL, &place));
    if (fork() == 0) {
        produce(set, madang_mapping_data(place)); /* inherited */
        return 0;
    }
    consume(set, madang_mapping_data(place));
    wait(NULL);
    check(madang_sysv_shm_remove(segment));
    check(madang_sysv_sem_remove(set)); /* or they stay until the machine stops */
    check(madang_mapping_close(place));
    check(madang_sysv_shm_close(segment));
    check(madang_sysv_sem_close(set));
    return 0;
}
