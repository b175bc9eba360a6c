/* What the tests of the queue have in common. */
#ifndef QUEUE_H
#define QUEUE_H

#include "../check.h"

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

static inline const char *path(const char *which)
{
    static char text[256];
    snprintf(text, sizeof text, "/dev/shm/madang.queue.%s", which);
    return text;
}

/* Opening fails with this errno and these words, and leaves the caller's pointer alone. */
#define OPEN_FAILS(which, options, number, words) \
    check_open_fails(__LINE__, which, options, number, "(" #number ")", words)

static inline void check_open_fails(int line, const char *which, const madang_queue_options *options, int number,
                                    const char *number_name, const char *words)
{
    madang_queue *const untouched = (madang_queue *)(void *)&line;
    madang_queue *queue = untouched;
    int returned = madang_queue_open(which, options, &queue);
    check_fails(__FILE__, line, "madang_queue_open", returned, number, number_name, words);
    CHECK(queue == untouched);
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

#endif
