/*
 * Several processes count in a segment, under a mutex that lies beside the number. One of them is killed while it has
 * the mutex: the next who takes it is told, and puts right what was half done.
 *
 * The number stands there twice. Who counts raises the first, then the second; so if they differ, somebody was killed in
 * between.
 */
#define _POSIX_C_SOURCE 200809L

#include <inttypes.h>
#include <madang.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKERS 3
#define TIMES 1000

/* What lies in the segment. A mutex takes MADANG_MUTEX_SIZE bytes, at a multiple of 64. */
struct counter {
    char mutex[MADANG_MUTEX_SIZE];
    volatile uint64_t first, second, put_right;
};

static madang_segment *segment;
static madang_mutex *mutex;
static struct counter *counter;

static void check(int64_t returned)
{
    if (returned < 0) {
        fprintf(stderr, "%s\n", madang_last_error());
        exit(EXIT_FAILURE);
    }
}

/* A new segment is all 0, and so is a free mutex: there is nothing to initialise. */
static void open_counter(const char *name)
{
    madang_segment_options options = {.struct_size = sizeof options, .length = sizeof *counter};
    check(madang_segment_open(name, &options, &segment));
    check(madang_mutex_within(segment, offsetof(struct counter, mutex), &mutex));
    counter = madang_segment_data(segment);
}

/* Takes the mutex, and puts right what a dead owner left. */
static void lock(void)
{
    int owner_died = madang_mutex_lock(mutex, 0, -1);
    check(owner_died);
    if (owner_died && counter->first != counter->second) {
        counter->first = counter->second;
        counter->put_right++;
    }
}

static void count(void)
{
    lock();
    counter->first++;
    counter->second++;
    check(madang_mutex_unlock(mutex));
}

/* Dies in the middle of it. */
static void count_and_be_killed(void)
{
    lock();
    counter->first++;
    raise(SIGKILL);
}

/* In a process of its own, which opens all by name. */
static pid_t start(const char *name, int is_victim)
{
    pid_t child = fork();
    if (child == 0) {
        open_counter(name);
        if (is_victim)
            count_and_be_killed();
        for (int i = 0; i < TIMES; i++)
            count();
        _exit(EXIT_SUCCESS);
    }
    return child;
}

int main(void)
{
    char name[64];
    pid_t workers[WORKERS];
    int status;

    snprintf(name, sizeof name, "counter-example-%ld", (long)getpid());
    for (int i = 0; i < WORKERS; i++)
        workers[i] = start(name, 0);
    if (waitpid(start(name, 1), &status, 0) < 0 || !WIFSIGNALED(status))
        return EXIT_FAILURE;
    for (int i = 0; i < WORKERS; i++)
        if (waitpid(workers[i], &status, 0) < 0 || status != 0)
            return EXIT_FAILURE;

    open_counter(name);
    lock(); /* If the victim came last, it is this one that is told. */
    check(madang_mutex_unlock(mutex));
    printf("%d processes counted to %" PRIu64 "\n", WORKERS, counter->first);
    printf("one was killed in the middle of it, and was put right %" PRIu64 " time\n", counter->put_right);
    check(madang_mutex_close(mutex));
    check(madang_segment_close(segment));
    check(madang_segment_unlink(name));
    return EXIT_SUCCESS;
}
