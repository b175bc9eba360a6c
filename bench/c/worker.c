/*
 * One worker of the benchmark, through the public C interface: it does one job, and reports one line.
 *
 *   worker send|recv|solo|idle NAME "" SIZE CAPACITY STRIDE LEAST RUN WARM_UP PAUSE BATCH
 *   worker ping|pong THERE BACK        SIZE CAPACITY STRIDE LEAST RUN WARM_UP PAUSE BATCH
 *
 * LEAST is how many messages the warm-up has at least; times are in nanoseconds; with a BATCH of more than 1, so many are sent and
 * received with one call. It says "ready", waits for "go", and then reports as src/harness.rs describes. The jobs are those of
 * src/peers/mod.rs, word for word.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "madang.h"

/* What a message is, by its first byte. */
enum { WARM_UP = 0, COUNTED = 1, LAST = 255 };

struct task {
    size_t   size, capacity, stride, least;
    uint64_t run, warm_up, pause;
    size_t   batch;
    uint8_t *buffer;
};

enum { MOST_BATCH = 64 };

static void fail(const char *what)
{
    const char *why = madang_last_error();
    printf("error %s: %s\n", what, why ? why : "no reason was given");
    fflush(stdout);
    exit(1);
}

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void ready(void)
{
    char go[8];
    printf("ready\n");
    fflush(stdout);
    if (!fgets(go, sizeof go, stdin))
        exit(1);
}

static madang_queue *open_queue(const char *name, const struct task *task)
{
    madang_queue_options options = { .struct_size = sizeof options, .capacity = task->capacity };
    madang_queue *queue;
    if (madang_queue_open(name, &options, &queue) < 0)
        fail("madang_queue_open");
    return queue;
}

static inline void send_one(madang_queue *queue, const struct task *task)
{
    if (madang_queue_send(queue, 1, task->buffer, task->size, 0, -1) < 0)
        fail("madang_queue_send");
}

static inline void receive_one(madang_queue *queue, const struct task *task)
{
    int64_t length = madang_queue_recv(queue, 0, task->buffer, task->size, 0, NULL, -1);
    if (length != (int64_t)task->size)
        fail("madang_queue_recv");
}

static void send_batch(madang_queue *queue, const struct task *task, size_t count)
{
    madang_item items[MOST_BATCH];
    for (size_t i = 0; i < count; i++)
        items[i] = (madang_item){ .type = 1, .data = task->buffer, .length = task->size };
    if (madang_queue_send_many(queue, items, count, 0, -1) != (int64_t)count)
        fail("madang_queue_send_many");
}

static void send_stride(madang_queue *queue, const struct task *task)
{
    if (task->batch > 1) {
        for (size_t done = 0; done < task->stride; done += task->batch)
            send_batch(queue, task, task->stride - done < task->batch ? task->stride - done : task->batch);
    } else {
        for (size_t i = 0; i < task->stride; i++)
            send_one(queue, task);
    }
}

static uint64_t send_until(madang_queue *queue, const struct task *task, uint64_t until, size_t least)
{
    uint64_t count = 0;
    while (now() < until || count < least) {
        send_stride(queue, task);
        count += task->stride;
    }
    return count;
}

static void send_all(madang_queue *queue, const struct task *task)
{
    ready();
    task->buffer[0] = WARM_UP;
    send_until(queue, task, now() + task->warm_up, task->least);
    task->buffer[0] = COUNTED;
    uint64_t start = now();
    uint64_t count = send_until(queue, task, start + task->run, 0);
    uint64_t end = now();
    task->buffer[0] = LAST;
    send_one(queue, task);
    printf("sent %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", count, start, end);
}

static void receive_batches(madang_queue *queue, const struct task *task)
{
    madang_message messages[MOST_BATCH] = { { .struct_size = sizeof messages[0] } };
    size_t step = (task->size + 7) / 8 * 8, capacity = task->batch * step;
    uint8_t *buffer = malloc(capacity);
    uint64_t count = 0;
    int last = 0;
    if (!buffer)
        exit(1);
    ready();
    while (!last) {
        int64_t received =
            madang_queue_recv_many(queue, 0, buffer, capacity, messages, task->batch, 0, -1);
        if (received < 0)
            fail("madang_queue_recv_many");
        for (int64_t i = 0; i < received; i++) {
            if (messages[i].length != task->size)
                fail("the length");
            count += buffer[(size_t)i * step] == COUNTED;
            last |= buffer[(size_t)i * step] == LAST;
        }
    }
    printf("received %" PRIu64 " %" PRIu64 "\n", count, now());
}

static void receive_all(madang_queue *queue, const struct task *task)
{
    uint64_t count = 0;
    ready();
    for (;;) {
        receive_one(queue, task);
        if (task->buffer[0] == COUNTED)
            count++;
        else if (task->buffer[0] == LAST)
            break;
    }
    printf("received %" PRIu64 " %" PRIu64 "\n", count, now());
}

/* The histogram of src/histogram.rs. */
enum { BUCKETS = 40 << 8 };
static uint32_t trips[BUCKETS];

static void add(uint64_t nanoseconds)
{
    unsigned bits = nanoseconds ? 64 - (unsigned)__builtin_clzll(nanoseconds) : 0;
    unsigned shift = bits > 8 ? bits - 8 : 0;
    uint64_t index = ((uint64_t)shift << 8) | (nanoseconds >> shift);
    trips[index < BUCKETS ? index : BUCKETS - 1]++;
}

static void print_trips(void)
{
    printf("trips");
    for (unsigned i = 0; i < BUCKETS; i++)
        if (trips[i])
            printf(" %u:%" PRIu32, i, trips[i]);
    printf("\n");
}

static int by_length(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* What one reading of the clock costs: it is in every round trip, and taken off. The median of 101 means of 100. */
static uint64_t clock_cost(void)
{
    uint64_t totals[101];
    for (int i = 0; i < 101; i++) {
        uint64_t start = now(), end = start;
        for (int j = 0; j < 100; j++)
            end = now();
        totals[i] = end - start;
    }
    qsort(totals, 101, sizeof totals[0], by_length);
    return totals[50] / 100;
}

static uint64_t trip(madang_queue *there, madang_queue *back, const struct task *task, uint64_t cost)
{
    if (task->pause) {
        struct timespec pause = { .tv_nsec = (long)task->pause };
        nanosleep(&pause, NULL);
    }
    uint64_t start = now();
    send_one(there, task);
    receive_one(back, task);
    uint64_t took = now() - start;
    return took > cost ? took - cost : 0;
}

static void ping(madang_queue *there, madang_queue *back, const struct task *task)
{
    uint64_t cost = clock_cost();
    task->buffer[0] = COUNTED;
    ready();
    uint64_t warm = now() + task->warm_up;
    for (size_t count = 0; now() < warm || count < task->least; count++)
        trip(there, back, task, cost);
    uint64_t until = now() + task->run;
    while (now() < until)
        add(trip(there, back, task, cost));
    task->buffer[0] = LAST;
    send_one(there, task);
    print_trips();
}

static void pong(madang_queue *there, madang_queue *back, const struct task *task)
{
    ready();
    for (;;) {
        receive_one(there, task);
        if (task->buffer[0] == LAST)
            break;
        send_one(back, task);
    }
    printf("done\n");
}

static uint64_t pairs_until(madang_queue *queue, const struct task *task, uint64_t until, size_t least)
{
    uint64_t count = 0;
    while (now() < until || count < least) {
        for (size_t i = 0; i < task->stride; i++) {
            send_one(queue, task);
            receive_one(queue, task);
        }
        count += task->stride;
    }
    return count;
}

static void solo(madang_queue *queue, const struct task *task)
{
    ready();
    pairs_until(queue, task, now() + task->warm_up, task->least);
    uint64_t start = now();
    uint64_t count = pairs_until(queue, task, start + task->run, 0);
    printf("solo %" PRIu64 " %" PRIu64 "\n", count, now() - start);
}

static uint64_t cpu_time(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    uint64_t seconds = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec);
    uint64_t microseconds = (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    return seconds * 1000000000 + microseconds * 1000;
}

static void idle(madang_queue *queue, const struct task *task)
{
    ready();
    uint64_t cpu = cpu_time(), start = now();
    receive_one(queue, task);
    printf("idle %" PRIu64 " %" PRIu64 "\n", cpu_time() - cpu, now() - start);
}

int main(int argc, char **argv)
{
    if (argc != 12) {
        fprintf(stderr, "usage: see the head of bench/c/worker.c\n");
        return 2;
    }
    struct task task = {
        .size = strtoull(argv[4], NULL, 10), .capacity = strtoull(argv[5], NULL, 10),
        .stride = strtoull(argv[6], NULL, 10), .least = strtoull(argv[7], NULL, 10),
        .run = strtoull(argv[8], NULL, 10), .warm_up = strtoull(argv[9], NULL, 10),
        .pause = strtoull(argv[10], NULL, 10), .batch = strtoull(argv[11], NULL, 10),
    };
    if (task.batch > MOST_BATCH)
        return 2;
    task.buffer = malloc(task.size);
    if (!task.buffer)
        return 1;
    memset(task.buffer, 0x5a, task.size);

    const char *job = argv[1];
    madang_queue *first = open_queue(argv[2], &task), *second = NULL;
    if (!strcmp(job, "ping") || !strcmp(job, "pong"))
        second = open_queue(argv[3], &task);

    if (!strcmp(job, "send"))
        send_all(first, &task);
    else if (!strcmp(job, "recv") && task.batch > 1)
        receive_batches(first, &task);
    else if (!strcmp(job, "recv"))
        receive_all(first, &task);
    else if (!strcmp(job, "ping"))
        ping(first, second, &task);
    else if (!strcmp(job, "pong"))
        pong(first, second, &task);
    else if (!strcmp(job, "solo"))
        solo(first, &task);
    else if (!strcmp(job, "idle"))
        idle(first, &task);
    else
        return 2;

    fflush(stdout);
    if (second)
        madang_queue_close(second);
    madang_queue_close(first);
    return 0;
}
