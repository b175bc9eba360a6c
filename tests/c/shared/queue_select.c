/* The queue from C: which message is received, how much of it, and whether it stays. */
#include "queue.h"

#include <pthread.h>

/* Receives the message that is selected, and checks that it is this text, of this type. */
static void expect(madang_queue *queue, int64_t select, uint32_t flags, int64_t type, const char *text)
{
    char buffer[256];
    madang_message message = {.struct_size = sizeof message};
    int64_t timeout = flags & MADANG_PEEK ? 0 : 5000 * MS;
    EQUAL(madang_queue_recv(queue, select, buffer, sizeof buffer, flags, &message, timeout), strlen(text));
    CHECK(memcmp(buffer, text, strlen(text)) == 0);
    EQUAL(message.type, type);
    CHECK(message.length == strlen(text) && message.flags == 0 && message.redelivered == 0);
}

static madang_queue *with_five(void)
{
    madang_queue *queue = open_default(name("q"));
    send_text(queue, 5, "five");
    send_text(queue, 3, "three");
    send_text(queue, 7, "seven");
    send_text(queue, 3, "another three");
    send_text(queue, INT64_MAX, "the largest");
    return queue;
}

static void by_type(void)
{
    madang_queue *queue = with_five();
    char text[64];
    FAILS(madang_queue_recv(queue, 4, text, sizeof text, 0, NULL, 0), EAGAIN, "there is no message");
    FAILS(madang_queue_recv(queue, -2, text, sizeof text, MADANG_INSTANT, NULL, 0), EAGAIN, "there is no message");
    FAILS(madang_queue_recv(queue, 4, text, sizeof text, 0, NULL, 20 * MS), ETIMEDOUT, "no message came");
    FAILS(madang_queue_recv(queue, 4, text, sizeof text, MADANG_DEADLINE, NULL, now_ns() + 20 * MS), ETIMEDOUT, "came");
    expect(queue, 7, 0, 7, "seven");
    expect(queue, -6, 0, 3, "three");
    expect(queue, 3, MADANG_EXCEPT, 5, "five");
    expect(queue, 3, MADANG_EXCEPT, INT64_MAX, "the largest");
    FAILS(madang_queue_recv(queue, 3, text, sizeof text, MADANG_EXCEPT, NULL, 0), EAGAIN, "there is no message");
    expect(queue, INT64_MIN, 0, 3, "another three");
    EQUAL(madang_queue_messages(queue), 0);
    send_text(queue, INT64_MAX, "the largest");
    expect(queue, INT64_MAX, 0, INT64_MAX, "the largest");
}

/* What was passed over keeps its order, its sequence and its place in the counts. */
static void order(void)
{
    enum { COUNT = 3000 };
    madang_queue *queue = open_default(name("q"));
    for (int64_t i = 0; i < COUNT; i++)
        EQUAL(madang_queue_send(queue, 1 + i % 10, &i, sizeof i, 0, 0), 0);
    madang_message message = {.struct_size = sizeof message};
    int64_t number;
    for (int64_t i = 9; i < COUNT; i += 10) {
        EQUAL(madang_queue_recv(queue, 10, &number, sizeof number, 0, &message, 0), sizeof number);
        CHECK(number == i && message.sequence == (uint64_t)i);
    }
    EQUAL(madang_queue_messages(queue), COUNT - COUNT / 10);
    for (int64_t i = 0; i < COUNT; i += i % 10 == 8 ? 2 : 1) {
        EQUAL(madang_queue_recv(queue, 0, &number, sizeof number, 0, &message, 0), sizeof number);
        CHECK(number == i && message.sequence == (uint64_t)i && message.type == 1 + i % 10);
    }
    EQUAL(madang_queue_messages(queue), 0);
}

static void *wait_for_type_2(void *queue)
{
    expect(queue, 2, 0, 2, "two");
    return NULL;
}

/* Who waits for a type is woken by that. */
static void waits_for_its_type(void)
{
    madang_queue *queue = open_default(name("q"));
    for (int round = 0; round < 5; round++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, wait_for_type_2, queue) == 0);
        struct timespec pause = {.tv_nsec = round * 5000000L};
        nanosleep(&pause, NULL);
        send_text(queue, 1, "one");
        send_text(queue, 2, "two");
        CHECK(pthread_join(thread, NULL) == 0);
        expect_text(queue, "one");
    }
}

static void truncated(void)
{
    madang_queue *queue = open_limited(name("q"), 100000, 0);
    char text[16];
    madang_message message = {.struct_size = sizeof message};
    send_text(queue, 2, "a message");
    send_text(queue, 3, "the next one");
    memset(text, '.', sizeof text);
    EQUAL(madang_queue_recv(queue, 0, text, 5, MADANG_TRUNCATE, &message, 0), 5);
    CHECK(memcmp(text, "a mes...", 8) == 0);
    CHECK(message.flags == MADANG_TRUNCATED && message.length == 9 && message.type == 2 && message.sequence == 0);
    /* One that fits is whole, and so is one that fits just. */
    EQUAL(madang_queue_recv(queue, 3, text, 12, MADANG_TRUNCATE, &message, -1), 12);
    CHECK(memcmp(text, "the next one", 12) == 0 && message.flags == 0 && message.length == 12);
    /* Of none at all, and one that lies in a block. */
    static char large[50000];
    send_text(queue, 4, "gone");
    EQUAL(madang_queue_send(queue, 5, large, sizeof large, 0, 0), 0);
    EQUAL(madang_queue_recv(queue, 5, text, 3, MADANG_TRUNCATE, &message, 0), 3);
    CHECK(message.flags == MADANG_TRUNCATED && message.length == sizeof large);
    EQUAL(madang_queue_recv(queue, 5, NULL, 0, MADANG_TRUNCATE | MADANG_EXCEPT, NULL, 0), 0);
    EQUAL(madang_queue_messages(queue), 0);
}

static void too_small_a_buffer(void)
{
    madang_queue *queue = with_five();
    char text[16];
    madang_message message = {.struct_size = sizeof message, .type = 81};
    FAILS(madang_queue_recv(queue, 7, text, 4, 0, &message, -1), E2BIG, "for 5 bytes");
    CHECK(message.length == 5 && message.type == 81);
    FAILS(madang_queue_recv(queue, 5, text, 4, MADANG_EXCEPT, &message, -1), E2BIG, "for 5 bytes");
    FAILS(madang_queue_recv(queue, 3, text, 12, MADANG_PEEK, &message, 0), E2BIG, "for 13 bytes");
    CHECK(message.length == 13 && message.type == 81);
    FAILS(madang_queue_recv(queue, 3, NULL, 0, MADANG_PEEK, NULL, 0), E2BIG, "for 13 bytes");
    EQUAL(madang_queue_messages(queue), 5);
    expect(queue, 7, 0, 7, "seven");
    expect(queue, 0, 0, 5, "five");
}

static void peek(void)
{
    madang_queue *queue = with_five();
    char text[64];
    madang_message message = {.struct_size = sizeof message};
    for (int round = 0; round < 2; round++) {
        expect(queue, 0, MADANG_PEEK, 5, "five");
        expect(queue, 3, MADANG_PEEK, 3, "another three");
        expect(queue, 4, MADANG_PEEK | MADANG_INSTANT, INT64_MAX, "the largest");
        FAILS(madang_queue_recv(queue, 5, text, 64, MADANG_PEEK, NULL, 0), EAGAIN, "no message at position 5");
        FAILS(madang_queue_recv(queue, INT64_MAX, text, 64, MADANG_PEEK, NULL, 0), EAGAIN, "no message at position");
        EQUAL(madang_queue_recv(queue, 3, text, 7, MADANG_PEEK | MADANG_TRUNCATE, &message, 0), 7);
        CHECK(memcmp(text, "another", 7) == 0 && message.flags == MADANG_TRUNCATED && message.length == 13);
        EQUAL(message.sequence, 3);
    }
    EQUAL(madang_queue_messages(queue), 5);
    EQUAL(status_of(queue).received, 0);
    /* Positions are those of what is there. */
    expect(queue, 3, 0, 3, "three");
    expect(queue, 1, MADANG_PEEK, 7, "seven");
    madang_lease *lease;
    EQUAL(madang_queue_lease(queue, 7, 0, NULL, 0, &lease), 5);
    expect(queue, 1, MADANG_PEEK, 3, "another three");
    EQUAL(madang_lease_release(lease), 0);
    EQUAL(madang_queue_recv(queue, 1, text, 64, MADANG_PEEK, &message, 0), 5);
    CHECK(message.flags == MADANG_REDELIVERED && message.redelivered == 1);
    expect(queue, 0, 0, 5, "five");
}

static void refusals(void)
{
    madang_queue *queue = with_five();
    char text[64];
    const int64_t no_types[] = {0, -1, INT64_MIN};
    for (int i = 0; i < 3; i++)
        FAILS(madang_queue_recv(queue, no_types[i], text, 64, MADANG_EXCEPT, NULL, 0), EINVAL, "greater than 0");
    FAILS(madang_queue_recv(queue, -1, text, 64, MADANG_PEEK, NULL, 0), EINVAL, "select -1: with MADANG_PEEK it is a");
    FAILS(madang_queue_recv(queue, 0, text, 64, MADANG_PEEK, NULL, 1), EINVAL, "timeout_ns must be 0");
    FAILS(madang_queue_recv(queue, 0, text, 64, MADANG_PEEK, NULL, -1), EINVAL, "timeout_ns must be 0");
    FAILS(madang_queue_recv(queue, 1, text, 64, MADANG_PEEK | MADANG_EXCEPT, NULL, 0), EINVAL, "MADANG_PEEK goes with");
    FAILS(madang_queue_recv(queue, 1, text, 64, MADANG_PEEK | MADANG_DEADLINE, NULL, 0), EINVAL, "MADANG_PEEK goes");
    FAILS(madang_queue_recv(queue, 1, text, 64, MADANG_PEEK | 64, NULL, 0), EINVAL, "MADANG_PEEK goes with");
    FAILS(madang_queue_recv(queue, 1, text, 64, MADANG_EXCEPT | 64, NULL, 0), EINVAL, "flags 0x40");
    FAILS(madang_queue_recv(queue, 1, text, 64, MADANG_TRUNCATE | 1u << 31, NULL, 0), EINVAL, "flags 0x80000000");
    FAILS(madang_queue_recv(queue, 1, text, 64, MADANG_TRUNCATE | MADANG_INSTANT, NULL, 5), EINVAL, "must be 0");
    FAILS(madang_queue_send(queue, 1, "x", 1, MADANG_TRUNCATE, 0), EINVAL, "flags 0x8");
    FAILS(madang_queue_recv(queue, 0, NULL, 8, MADANG_TRUNCATE, NULL, 0), EFAULT, "buffer is NULL");
    FAILS(madang_queue_recv(queue, 0, NULL, 8, MADANG_PEEK, NULL, 0), EFAULT, "buffer is NULL");
    EQUAL(madang_queue_messages(queue), 5);
    expect(queue, 0, 0, 5, "five");
}

/* There is no memory to set aside what lies before the wanted one: it and they stay. */
static void no_space(void)
{
    char place[160];
    snprintf(place, sizeof place, "/dev/shm/%s", name("tmpfs"));
    CHECK(mkdir(place, 0700) == 0);
    mount_small(place, "size=2m");
    CHECK(setenv("MADANG_DIR", place, 1) == 0);
    madang_queue *queue = open_limited("q", 8 << 20, 0);
    static char page[1000];
    int64_t sent = 0;
    while (memcpy(page, &sent, 8), madang_queue_send(queue, 1, page, sizeof page, 0, 0) == 0)
        sent++;
    CHECK(sent > 1000);
    /* For the last one, which is wanted, there is room again. */
    for (int64_t i = 0; i < 100; i++)
        EQUAL(madang_queue_recv(queue, 0, page, sizeof page, 0, NULL, 0), sizeof page);
    EQUAL(madang_queue_send(queue, 2, "wanted", 6, 0, 0), 0);
    FAILS(madang_queue_recv(queue, 2, page, sizeof page, 0, NULL, 0), ENOSPC, "is full");
    for (int64_t i = 100, number; i < sent; i++) {
        EQUAL(madang_queue_recv(queue, 0, page, sizeof page, 0, NULL, 0), sizeof page);
        memcpy(&number, page, 8);
        EQUAL(number, i);
    }
    EQUAL(madang_queue_recv(queue, 2, page, sizeof page, 0, NULL, 0), 6);
}

static void trim(void)
{
    enum { LENGTH = 1 << 20 };
    madang_queue *queue = open_limited(name("q"), 8 * LENGTH, 0);
    char *bytes = calloc(1, LENGTH);
    CHECK(bytes);
    EQUAL(madang_queue_trim(queue), 0);
    for (int i = 0; i < 4; i++)
        EQUAL(madang_queue_send(queue, 1, bytes, LENGTH, 0, 0), 0);
    for (int i = 0; i < 3; i++)
        EQUAL(madang_queue_recv(queue, 0, bytes, LENGTH, 0, NULL, 0), LENGTH);
    uint64_t before = status_of(queue).allocated;
    int64_t trimmed = madang_queue_trim(queue);
    CHECK(trimmed >= 2 * LENGTH);
    EQUAL(status_of(queue).allocated, before - (uint64_t)trimmed);
    EQUAL(madang_queue_trim(queue), 0);
    EQUAL(madang_queue_recv(queue, 0, bytes, LENGTH, 0, NULL, 0), LENGTH);
    for (int i = 0; i < 4; i++)
        EQUAL(madang_queue_send(queue, 1, bytes, LENGTH, 0, 0), 0);
    free(bytes);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        CASE(by_type),            CASE(order), CASE(waits_for_its_type), CASE(truncated),
        CASE(too_small_a_buffer), CASE(peek),  CASE(refusals),           CASE(no_space),
        CASE(trim),
    };
    return run_cases(cases, sizeof cases / sizeof cases[0], argc, argv);
}
