/* What the tests of the queue have in common. */
#ifndef QUEUE_H
#define QUEUE_H

#define KIND(suffix) madang_queue##suffix
#define FILES "madang.queue."
#include "../check.h"

#include <fcntl.h>

static inline madang_queue *open_limited(const char *which, uint64_t capacity, uint64_t max_messages)
{
    madang_queue_options options = {.struct_size = sizeof options, .capacity = capacity, .max_messages = max_messages};
    madang_queue *queue = NULL;
    EQUAL(madang_queue_open(which, &options, &queue), 0);
    CHECK(queue != NULL);
    return queue;
}

static inline madang_queue *open_default(const char *which)
{
    return open_limited(which, 0, 0);
}

/* Changes bytes of the queue's file, and returns what was there. */
static inline uint64_t patch(const char *which, off_t at, uint64_t value, size_t length)
{
    uint64_t before = 0;
    int file = open(path(which), O_RDWR | O_CLOEXEC);
    CHECK(file >= 0 && pread(file, &before, length, at) == (ssize_t)length);
    CHECK(pwrite(file, &value, length, at) == (ssize_t)length && close(file) == 0);
    return before;
}

static inline void send_text(madang_queue *queue, int64_t type, const char *text)
{
    EQUAL(madang_queue_send(queue, type, text, strlen(text), 0, 0), 0);
}

/* Receives, and checks that it is this text. */
static inline void expect_text(madang_queue *queue, const char *text)
{
    char buffer[256];
    EQUAL(madang_queue_recv(queue, 0, buffer, sizeof buffer, 0, NULL, 5000 * MS), strlen(text));
    CHECK(memcmp(buffer, text, strlen(text)) == 0);
}

/* What the queue is and holds. */
static inline madang_queue_status status_of(madang_queue *queue)
{
    madang_queue_status status = {.struct_size = sizeof status};
    EQUAL(madang_queue_stat(queue, &status), 0);
    return status;
}

#endif
