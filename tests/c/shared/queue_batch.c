/* The queue from C: several messages with one call, and messages of several pieces. check.h says how a test program works. */
#include "queue.h"

#include <pthread.h>
#include <stddef.h>

#define LENGTH(array) (sizeof(array) / sizeof(array)[0])

static madang_item item(int64_t type, const char *text)
{
    return (madang_item){.type = type, .data = text, .length = strlen(text)};
}

/* Where the message behind one of that length begins. */
static size_t next(uint64_t length)
{
    return (length + 7) / 8 * 8;
}

/* So many items of that length each. */
static const madang_item *many(size_t count, size_t length)
{
    static madang_item items[1000];
    static const char bytes[4096];
    CHECK(count <= LENGTH(items) && length <= sizeof bytes);
    for (size_t i = 0; i < count; i++)
        items[i] = (madang_item){.type = (int64_t)i + 1, .data = bytes, .length = length};
    return items;
}

static void smoke(void)
{
    madang_queue *queue = open_default(name("q"));
    const madang_item items[] = {item(7, "two teas"), {.type = INT64_MAX}, item(3, "one coffee"), item(1, "x")};
    EQUAL(madang_queue_send_many(queue, items, 4, 0, -1), 4);
    EQUAL(madang_queue_messages(queue), 4);

    char text[64];
    madang_message messages[8] = {{.struct_size = sizeof messages[0]}};
    EQUAL(madang_queue_recv_many(queue, 0, text, sizeof text, messages, 8, 0, -1), 4);
    size_t at = 0;
    for (int i = 0; i < 4; i++) {
        CHECK(messages[i].struct_size == sizeof messages[0] && messages[i].flags == 0);
        CHECK(messages[i].type == items[i].type && messages[i].sequence == (uint64_t)i);
        CHECK(messages[i].length == items[i].length);
        CHECK(items[i].length == 0 || memcmp(text + at, items[i].data, items[i].length) == 0);
        at += next(messages[i].length);
    }
    FAILS(madang_queue_recv_many(queue, 0, text, sizeof text, messages, 8, 0, 0), EAGAIN, "there is no message");

    /* What was sent in one way is received in the other. */
    EQUAL(madang_queue_send_many(queue, items, 1, 0, 0), 1);
    expect_text(queue, "two teas");
    send_text(queue, 5, "alone");
    EQUAL(madang_queue_recv_many(queue, 0, text, sizeof text, messages, 1, 0, -1), 1);
    CHECK(messages[0].type == 5 && messages[0].length == 5 && memcmp(text, "alone", 5) == 0);

    /* Nothing is asked for. */
    EQUAL(madang_queue_send_many(queue, NULL, 0, 0, -1), 0);
    EQUAL(madang_queue_recv_many(queue, 0, NULL, 0, NULL, 0, 0, -1), 0);
}

static void capacity(void)
{
    madang_queue *queue = open_limited(name("q"), 100, 7);
    /* As many as fit, and how many that is. */
    EQUAL(madang_queue_send_many(queue, many(20, 30), 20, 0, 0), 3);
    FAILS(madang_queue_send_many(queue, many(20, 30), 20, 0, 0), EAGAIN, "the queue is full");
    EQUAL(madang_queue_send_many(queue, many(20, 5), 20, 0, 0), 2);
    EQUAL(madang_queue_send_many(queue, many(20, 0), 20, MADANG_INSTANT, 0), 2);
    FAILS(madang_queue_send_many(queue, many(20, 0), 20, MADANG_INSTANT, 0), EAGAIN, "the queue is full");

    char text[100];
    madang_message messages[7] = {{.struct_size = sizeof messages[0]}};
    /* As many as there is room for: two, of which each but the last is padded; then by number. */
    EQUAL(madang_queue_recv_many(queue, 0, text, 62, messages, 7, 0, 0), 2);
    EQUAL(madang_queue_recv_many(queue, 0, text, sizeof text, messages, 2, 0, 0), 2);
    CHECK(messages[0].length == 30 && messages[1].length == 5 && messages[1].sequence == 3);
    EQUAL(madang_queue_recv_many(queue, 0, text, 5, messages, 7, 0, 0), 3);
    EQUAL(madang_queue_messages(queue), 0);
}

/* More than one commit takes: it goes on by itself, and so does who receives. */
static void large(void)
{
    enum { COUNT = 300, EACH = 4000 };
    static char bytes[COUNT * EACH];
    static madang_message messages[COUNT] = {{.struct_size = sizeof messages[0]}};
    madang_queue *queue = open_limited(name("q"), sizeof bytes, 0);
    for (int round = 0; round < 3; round++) {
        EQUAL(madang_queue_send_many(queue, many(COUNT, EACH), COUNT, 0, 0), COUNT);
        EQUAL(madang_queue_recv_many(queue, 0, bytes, sizeof bytes, messages, COUNT, 0, 0), COUNT);
        for (int i = 0; i < COUNT; i++)
            CHECK(messages[i].type == i + 1 && messages[i].sequence == (uint64_t)(round * COUNT + i));
    }
}

static void timeout(void)
{
    madang_queue *queue = open_limited(name("q"), 8, 0);
    char bytes[64];
    madang_message messages[8] = {{.struct_size = sizeof messages[0]}};
    int64_t start = now_ns();
    FAILS(madang_queue_recv_many(queue, 0, bytes, 64, messages, 8, 0, 30 * MS), ETIMEDOUT, "no message came");
    CHECK(now_ns() - start >= 30 * MS);
    FAILS(madang_queue_recv_many(queue, 0, bytes, 64, messages, 8, MADANG_DEADLINE, start), ETIMEDOUT, "no message");
    start = now_ns();
    /* It waits for room for the third, and then says how many went. */
    EQUAL(madang_queue_send_many(queue, many(3, 4), 3, 0, 30 * MS), 2);
    CHECK(now_ns() - start >= 30 * MS);
    FAILS(madang_queue_send_many(queue, many(3, 4), 3, 0, 30 * MS), ETIMEDOUT, "the queue stayed full");
    FAILS(madang_queue_send_many(queue, many(3, 4), 3, MADANG_DEADLINE, start), ETIMEDOUT, "the queue stayed full");
    FAILS(madang_queue_sendv(queue, 1, &(struct iovec){"x", 1}, 1, 0, 30 * MS), ETIMEDOUT, "the queue stayed full");
    FAILS(madang_queue_send_many(queue, many(3, 4), 3, MADANG_INSTANT, 1), EINVAL, "timeout_ns must be 0");
    FAILS(madang_queue_recv_many(queue, 0, bytes, 64, messages, 8, 1 << 20, 0), EINVAL, "flags 0x100000");
    /* It waits only for the first. */
    EQUAL(madang_queue_recv_many(queue, 0, bytes, 64, messages, 8, 0, -1), 2);
}

static void count_signal(int number)
{
    (void)number;
}

/* Sends a signal every millisecond, so that one of them comes while the thread sleeps. */
static void *pester(void *thread)
{
    struct timespec pause = {.tv_nsec = 1000000};
    for (;;) {
        nanosleep(&pause, NULL);
        pthread_kill(*(pthread_t *)thread, SIGUSR1);
    }
    return NULL;
}

static void interrupted(void)
{
    madang_queue *queue = open_limited(name("q"), 8, 0);
    char bytes[64];
    madang_message messages[8] = {{.struct_size = sizeof messages[0]}};
    pthread_t me = pthread_self(), pesterer;
    struct sigaction action = {.sa_handler = count_signal};
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0 && pthread_create(&pesterer, NULL, pester, &me) == 0);
    FAILS(madang_queue_recv_many(queue, 0, bytes, 64, messages, 8, 0, -1), EINTR, "a signal handler ran while waiting");
    /* What went before the signal went. */
    EQUAL(madang_queue_send_many(queue, many(3, 4), 3, 0, -1), 2);
    FAILS(madang_queue_send_many(queue, many(1, 4), 1, 0, -1), EINTR, "nothing was done");
    EQUAL(madang_queue_messages(queue), 2);
}

static void *drain(void *queue)
{
    char bytes[64];
    madang_message messages[8] = {{.struct_size = sizeof messages[0]}};
    for (int received = 0; received < 1000;) {
        int64_t count = madang_queue_recv_many(queue, 0, bytes, sizeof bytes, messages, 8, 0, -1);
        CHECK(count >= 1 && count <= 2);
        for (int64_t i = 0; i < count; i++)
            CHECK(messages[i].type == ++received);
    }
    return NULL;
}

/* A thousand messages go through a queue that holds two. */
static void waits_for_all(void)
{
    madang_queue *queue = open_limited(name("q"), 8, 0);
    pthread_t receiver;
    CHECK(pthread_create(&receiver, NULL, drain, queue) == 0);
    EQUAL(madang_queue_send_many(queue, many(1000, 4), 1000, 0, -1), 1000);
    CHECK(pthread_join(receiver, NULL) == 0);
}

static void pieces(void)
{
    madang_queue *queue = open_limited(name("q"), 100, 0);
    char one[] = "two", two[] = " ", three[] = "teas";
    const struct iovec pieces[] = {{one, 3}, {NULL, 0}, {two, 1}, {three, 4}};
    EQUAL(madang_queue_sendv(queue, 7, pieces, 4, 0, -1), 0);
    expect_text(queue, "two teas");
    EQUAL(madang_queue_sendv(queue, 7, NULL, 0, 0, -1), 0);
    EQUAL(madang_queue_sendv(queue, 7, &pieces[1], 1, MADANG_INSTANT, 0), 0);
    expect_text(queue, "");
    expect_text(queue, "");

    char bytes[60] = {0};
    const struct iovec large[] = {{bytes, 60}, {bytes, 41}};
    FAILS(madang_queue_sendv(queue, 7, large, 2, 0, -1), EMSGSIZE, "a message of 101 bytes: its capacity is 100");
    FAILS(madang_queue_sendv(queue, 0, large, 1, 0, -1), EINVAL, "a message's type is greater than 0");
    EQUAL(madang_queue_sendv(queue, 7, large, 1, 0, -1), 0);
    FAILS(madang_queue_sendv(queue, 7, &large[1], 1, 0, 0), EAGAIN, "the queue is full");
    FAILS(madang_queue_sendv(queue, 7, NULL, 1, 0, 0), EFAULT, "pieces is NULL");
    const struct iovec nothing[] = {{bytes, 1}, {NULL, 1}}, endless[] = {{bytes, 1}, {bytes, SIZE_MAX}};
    FAILS(madang_queue_sendv(queue, 7, nothing, 2, 0, 0), EFAULT, "pieces[1].iov_base is NULL");
    FAILS(madang_queue_sendv(queue, 7, endless, 2, 0, 0), EINVAL, "no memory is so large");
    FAILS(madang_queue_sendv(queue, 7, pieces, SIZE_MAX, 0, 0), EINVAL, "no memory is so large");
    EQUAL(madang_queue_messages(queue), 1);
}

/* One that can't be sent refuses all of them, and is named. */
static void refusals(void)
{
    madang_queue *queue = open_limited(name("q"), 64, 0);
    madang_item items[3] = {item(1, "one"), item(2, "two"), item(3, "three")};
    items[2].type = 0;
    FAILS(madang_queue_send_many(queue, items, 3, 0, 0), EINVAL, "message 2 of 3");
    FAILS(madang_queue_send_many(queue, items, 3, 0, 0), EINVAL, "a message's type is greater than 0");
    items[2] = (madang_item){.type = 3, .data = queue, .length = 65};
    FAILS(madang_queue_send_many(queue, items, 3, 0, 0), EMSGSIZE, "message 2 of 3");
    items[1].data = NULL;
    FAILS(madang_queue_send_many(queue, items, 3, 0, 0), EFAULT, "items[1].data is NULL");
    items[1] = (madang_item){.type = 3, .data = queue, .length = SIZE_MAX};
    FAILS(madang_queue_send_many(queue, items, 3, 0, 0), EINVAL, "items[1].data of");
    FAILS(madang_queue_send_many(queue, NULL, 1, 0, 0), EFAULT, "items is NULL");
    FAILS(madang_queue_send_many(queue, items, SIZE_MAX, 0, 0), EINVAL, "no memory is so large");
    FAILS(madang_queue_send_many(NULL, items, 1, 0, 0), EFAULT, "queue is NULL");
    EQUAL(madang_queue_messages(queue), 0);

    char text[64];
    madang_message messages[3] = {{.struct_size = sizeof messages[0], .type = 81, .sequence = 82}};
    EQUAL(madang_queue_send_many(queue, many(2, 9), 2, 0, 0), 2);
    FAILS(madang_queue_recv_many(queue, 0, text, 8, messages, 3, 0, 0), E2BIG, "the message, which stays");
    CHECK(messages[0].length == 9 && messages[0].type == 81 && messages[0].sequence == 82);
    FAILS(madang_queue_recv_many(queue, 0, NULL, 8, messages, 3, 0, 0), EFAULT, "buffer is NULL");
    FAILS(madang_queue_recv_many(queue, 0, text, 64, NULL, 3, 0, 0), EFAULT, "messages is NULL");
    FAILS(madang_queue_recv_many(queue, 0, text, 64, messages, SIZE_MAX, 0, 0), EINVAL, "no memory is so large");
    EQUAL(madang_queue_recv_many(queue, 2, text, 64, messages, 3, 0, 0), 1);
    FAILS(madang_queue_recv_many(NULL, 0, text, 64, messages, 3, 0, 0), EFAULT, "queue is NULL");
    messages[0].struct_size = 0;
    FAILS(madang_queue_recv_many(queue, 0, text, 64, messages, 3, 0, 0), EINVAL, "sizeof(madang_message)");
    EQUAL(madang_queue_messages(queue), 1);
    EQUAL(madang_queue_close(queue), 0);
    FAILS(madang_queue_send_many(queue, items, 1, 0, 0), EBADF, "madang_queue_send_many");
    FAILS(madang_queue_sendv(queue, 1, NULL, 0, 0, 0), EBADF, "madang_queue_sendv");
    FAILS(madang_queue_recv_many(queue, 0, text, 64, messages, 3, 0, 0), EBADF, "madang_queue_recv_many");
}

/* An older program's structs are shorter, a newer one's longer: each lies where that program has it. */
static void struct_sizes(void)
{
    madang_queue *queue = open_default(name("q"));
    char text[64];
    struct older {
        uint32_t struct_size, flags;
        int64_t type;
        uint64_t length;
    } older[3] = {{.struct_size = sizeof older[0]}};
    struct newer {
        madang_message known;
        uint64_t unknown;
    } newer[3] = {{.known = {.struct_size = sizeof newer[0]}, .unknown = 77}, {.unknown = 78}, {.unknown = 79}};
    madang_message *shorter = (madang_message *)(void *)older;
    EQUAL(madang_queue_send_many(queue, many(2, 3), 2, 0, 0), 2);
    older[2].type = 80;
    EQUAL(madang_queue_recv_many(queue, 0, text, sizeof text, shorter, 3, 0, 0), 2);
    for (int i = 0; i < 2; i++)
        CHECK(older[i].struct_size == sizeof older[0] && older[i].type == i + 1 && older[i].length == 3);
    CHECK(older[2].struct_size == 0 && older[2].type == 80);
    EQUAL(madang_queue_send_many(queue, many(2, 3), 2, 0, 0), 2);
    EQUAL(madang_queue_recv_many(queue, 0, text, sizeof text, &newer[0].known, 3, 0, 0), 2);
    for (int i = 0; i < 2; i++)
        CHECK(newer[i].known.struct_size == sizeof newer[0] && newer[i].known.sequence == (uint64_t)i + 2
              && newer[i].unknown == 0);
    CHECK(newer[2].unknown == 79);
}

enum { SENDERS = 3, RECEIVERS = 3, BATCHES = 1000, EACH = 20 };

static void *sender(void *queue)
{
    static _Atomic int64_t number = 1;
    int64_t type = number++, numbers[EACH];
    madang_item items[EACH];
    for (int64_t i = 0; i < BATCHES * EACH; i += EACH) {
        for (int j = 0; j < EACH; j++) {
            numbers[j] = i + j;
            items[j] = (madang_item){.type = type, .data = &numbers[j], .length = sizeof numbers[j]};
        }
        EQUAL(madang_queue_send_many(queue, items, EACH, 0, -1), EACH);
    }
    return NULL;
}

static void *receiver(void *queue)
{
    int64_t sum = 0, last[SENDERS + 1] = {-1, -1, -1, -1}, numbers[7];
    madang_message messages[7] = {{.struct_size = sizeof messages[0]}};
    for (;;) {
        int64_t count = madang_queue_recv_many(queue, 0, numbers, sizeof numbers, messages, 7, 0, -1);
        CHECK(count > 0);
        for (int64_t i = 0; i < count; i++) {
            int64_t type = messages[i].type;
            if (numbers[i] < 0) {
                /* The others' ends that came along. */
                for (i++; i < count; i++)
                    EQUAL(madang_queue_send(queue, 1, &numbers[i], sizeof numbers[i], 0, -1), 0);
                return (void *)(intptr_t)sum;
            }
            /* One receiver sees each sender's messages in order. */
            CHECK(type <= SENDERS && numbers[i] > last[type]);
            last[type] = numbers[i];
            sum += numbers[i] + 1;
        }
    }
}

static void threads(void)
{
    madang_queue *queue = open_limited(name("q"), 4096, 0);
    pthread_t senders[SENDERS], receivers[RECEIVERS];
    for (int i = 0; i < RECEIVERS; i++)
        CHECK(pthread_create(&receivers[i], NULL, receiver, queue) == 0);
    for (int i = 0; i < SENDERS; i++)
        CHECK(pthread_create(&senders[i], NULL, sender, queue) == 0);
    for (int i = 0; i < SENDERS; i++)
        CHECK(pthread_join(senders[i], NULL) == 0);
    int64_t end = -1, sum = 0;
    for (int i = 0; i < RECEIVERS; i++)
        EQUAL(madang_queue_send(queue, 1, &end, sizeof end, 0, -1), 0);
    for (int i = 0; i < RECEIVERS; i++) {
        void *part;
        CHECK(pthread_join(receivers[i], &part) == 0);
        sum += (intptr_t)part;
    }
    EQUAL(sum, SENDERS * (int64_t)BATCHES * EACH * (BATCHES * EACH + 1) / 2);
    EQUAL(madang_queue_messages(queue), 0);
}

/* A sender that is killed in the midst of a batch leaves whole messages, in order, and a queue that goes on. */
static void owner_died(void)
{
    madang_queue *queue = open_limited(name("q"), 1 << 16, 0);
    int64_t expected = 0;
    madang_message message = {.struct_size = sizeof message};
    for (int round = 0; round < 30; round++) {
        int64_t number = -1;
        pid_t child = fork();
        if (child == 0) {
            int64_t numbers[50];
            madang_item items[50];
            for (int64_t i = 0;; i += 50) {
                for (int j = 0; j < 50; j++) {
                    numbers[j] = i + j;
                    items[j] = (madang_item){.type = round + 1, .data = &numbers[j], .length = sizeof numbers[j]};
                }
                EQUAL(madang_queue_send_many(queue, items, 50, 0, -1), 50);
            }
        }
        while (number < 100 + round * 37) {
            EQUAL(madang_queue_recv(queue, 0, &expected, sizeof expected, 0, &message, 5000 * MS), sizeof expected);
            CHECK(expected == ++number);
        }
        kill(child, SIGKILL);
        CHECK(waitpid(child, NULL, 0) == child);
        while (madang_queue_recv(queue, 0, &expected, sizeof expected, 0, &message, 0) > 0)
            CHECK(message.type == round + 1 && expected == ++number);
        CHECK(strstr(madang_last_error(), "(EAGAIN)"));
    }
    madang_queue_status status = {.struct_size = sizeof status};
    EQUAL(madang_queue_stat(queue, &status), 0);
    EQUAL(status.messages, 0);
    EQUAL(status.sent, status.received);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        CASE(smoke),         CASE(capacity), CASE(large),    CASE(timeout),      CASE(interrupted),
        CASE(waits_for_all), CASE(pieces),   CASE(refusals), CASE(struct_sizes), CASE(threads),
        CASE(owner_died),
    };
    return run_cases(cases, sizeof cases / sizeof cases[0], argc, argv);
}
