/* Reservations from C: what they do, what they refuse, and that nothing is lost by them. */
#include "queue.h"

#include <pthread.h>

static madang_reservation *reserve(madang_queue *queue, size_t length)
{
    madang_reservation *reservation = NULL;
    EQUAL(madang_queue_reserve(queue, length, 0, 0, &reservation), 0);
    EQUAL(madang_reservation_length(reservation), length);
    return reservation;
}

static madang_reservation *reserve_text(madang_queue *queue, const char *text)
{
    madang_reservation *reservation = reserve(queue, strlen(text));
    memcpy(madang_reservation_data(reservation), text, strlen(text));
    return reservation;
}

static void smoke(void)
{
    madang_queue *queue = open_default(name("q"));
    madang_reservation *first = reserve_text(queue, "two teas"), *second = reserve_text(queue, "one coffee, please");
    EQUAL((uintptr_t)madang_reservation_data(first) % 64, 0);
    CHECK(madang_reservation_data(first) != madang_reservation_data(second));
    send_text(queue, 5, "sent meanwhile");
    EQUAL(madang_queue_messages(queue), 1);
    /* They come in the order in which they are committed, and a part is enough. */
    EQUAL(madang_reservation_commit(second, 6, 10, 0, -1), 0);
    EQUAL(madang_reservation_commit(first, INT64_MAX, 8, MADANG_INSTANT, 0), 0);
    expect_text(queue, "sent meanwhile");
    char text[64];
    madang_message message = {.struct_size = sizeof message};
    EQUAL(madang_queue_recv(queue, 0, text, sizeof text, 0, &message, 0), 10);
    CHECK(memcmp(text, "one coffee", 10) == 0 && message.type == 6 && message.sequence == 1 && message.length == 10);
    EQUAL(madang_queue_recv(queue, 0, text, sizeof text, 0, &message, 0), 8);
    CHECK(memcmp(text, "two teas", 8) == 0 && message.type == INT64_MAX && message.sequence == 2);

    EQUAL(madang_reservation_drop(reserve_text(queue, "never sent")), 0);
    madang_queue_status status = status_of(queue);
    CHECK(status.messages == 0 && status.bytes == 0 && status.sent == 3 && status.received == 3);
}

static void empty_and_largest(void)
{
    enum { LARGEST = 3000001 };
    madang_queue *queue = open_limited(name("q"), LARGEST, 0);
    char *bytes = malloc(LARGEST);
    CHECK(bytes);
    for (int round = 0; round < 3; round++) {
        madang_reservation *largest = reserve(queue, LARGEST), *empty = reserve(queue, 0);
        memset(madang_reservation_data(largest), 'a' + round, LARGEST);
        CHECK(madang_reservation_data(empty));
        EQUAL(madang_reservation_commit(empty, 1, 0, 0, 0), 0);
        EQUAL(madang_reservation_commit(largest, 2, LARGEST, 0, 0), 0);
        EQUAL(madang_queue_recv(queue, 0, NULL, 0, 0, NULL, 0), 0);
        EQUAL(madang_queue_recv(queue, 0, bytes, LARGEST, 0, NULL, 0), LARGEST);
        CHECK(bytes[0] == 'a' + round && memcmp(bytes, bytes + 1, LARGEST - 1) == 0);
    }
    free(bytes);
    madang_reservation *reservation;
    FAILS(madang_queue_reserve(queue, LARGEST + 1, 0, -1, &reservation), EMSGSIZE, "its capacity is 3000001");
    FAILS(madang_queue_reserve(queue, SIZE_MAX, 0, -1, &reservation), EMSGSIZE, "its capacity is 3000001");
}

static volatile sig_atomic_t signals;

static void count_signal(int number)
{
    (void)number;
    signals++;
}

static void *pester(void *thread)
{
    struct timespec pause = {.tv_nsec = 1000000};
    for (;;) {
        nanosleep(&pause, NULL);
        pthread_kill(*(pthread_t *)thread, SIGUSR1);
    }
    return NULL;
}

/* After an error it can be committed again: what was written is there. */
static void tried_again(void)
{
    madang_queue *queue = open_limited(name("q"), 100, 0);
    char bytes[100] = {0};
    madang_reservation *reservation = reserve_text(queue, "patience");
    EQUAL(madang_queue_send(queue, 1, bytes, 93, 0, 0), 0);
    for (int round = 0; round < 3; round++) {
        FAILS(madang_reservation_commit(reservation, 2, 8, 0, 0), EAGAIN, "the queue is full");
        FAILS(madang_reservation_commit(reservation, 2, 8, MADANG_INSTANT, 0), EAGAIN, "the queue is full");
        FAILS(madang_reservation_commit(reservation, 2, 8, 0, 10 * MS), ETIMEDOUT, "the queue stayed full");
        FAILS(madang_reservation_commit(reservation, 2, 8, MADANG_DEADLINE, now_ns()), ETIMEDOUT, "stayed full");
        FAILS(madang_reservation_commit(reservation, 0, 8, 0, 0), EINVAL, "greater than 0");
        FAILS(madang_reservation_commit(reservation, -2, 8, 0, 0), EINVAL, "type -2");
        FAILS(madang_reservation_commit(reservation, 2, 9, 0, 0), EINVAL, "9 bytes of 8");
        FAILS(madang_reservation_commit(reservation, 2, SIZE_MAX, 0, 0), EINVAL, "of 8");
        FAILS(madang_reservation_commit(reservation, 2, 8, MADANG_EXCEPT, 0), EINVAL, "flags 0x4");
        FAILS(madang_reservation_commit(reservation, 2, 8, MADANG_INSTANT, 1), EINVAL, "timeout_ns must be 0");
        EQUAL(madang_reservation_length(reservation), 8);
        CHECK(memcmp(madang_reservation_data(reservation), "patience", 8) == 0);
    }
    pthread_t me = pthread_self(), pesterer;
    struct sigaction action = {.sa_handler = count_signal, .sa_flags = SA_RESTART};
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0 && pthread_create(&pesterer, NULL, pester, &me) == 0);
    FAILS(madang_reservation_commit(reservation, 2, 8, 0, -1), EINTR, "a signal handler ran while waiting");
    CHECK(signals > 0);
    madang_reservation *other;
    FAILS(madang_queue_reserve(queue, 8, 0, -1, &other), EINTR, "a signal handler ran while waiting");
    CHECK(pthread_cancel(pesterer) == 0 && pthread_join(pesterer, NULL) == 0);

    /* A shorter part fits. */
    EQUAL(madang_reservation_commit(reservation, 2, 7, 0, 0), 0);
    EQUAL(madang_queue_recv(queue, 1, bytes, sizeof bytes, 0, NULL, 0), 93);
    expect_text(queue, "patienc");
}

static void *receive_one(void *queue)
{
    struct timespec pause = {.tv_nsec = 20000000};
    nanosleep(&pause, NULL);
    char bytes[100];
    EQUAL(madang_queue_recv(queue, 0, bytes, sizeof bytes, 0, NULL, -1), 93);
    return NULL;
}

/* A commit, and a reserve, that wait for room get it. */
static void waits_for_room(void)
{
    madang_queue *queue = open_limited(name("q"), 100, 0);
    char bytes[93] = {0};
    for (int commits = 0; commits < 2; commits++) {
        madang_reservation *reservation = commits ? reserve_text(queue, "patience") : NULL;
        EQUAL(madang_queue_send(queue, 1, bytes, 93, 0, 0), 0);
        pthread_t receiver;
        CHECK(pthread_create(&receiver, NULL, receive_one, queue) == 0);
        if (!commits) {
            EQUAL(madang_queue_reserve(queue, 8, 0, -1, &reservation), 0);
            memcpy(madang_reservation_data(reservation), "patience", 8);
        }
        EQUAL(madang_reservation_commit(reservation, 2, 8, 0, 5000 * MS), 0);
        CHECK(pthread_join(receiver, NULL) == 0);
        expect_text(queue, "patience");
    }
}

/* A message is received into a reservation of another queue: copied once. */
static void received_into(void)
{
    madang_queue *from = open_default(name("from")), *to = open_default(name("to"));
    send_text(from, 1, "passed on");
    madang_reservation *place = reserve(to, 100);
    int64_t length = madang_queue_recv(from, 0, madang_reservation_data(place), 100, 0, NULL, -1);
    EQUAL(length, 9);
    EQUAL(madang_reservation_commit(place, 1, (size_t)length, 0, 0), 0);
    expect_text(to, "passed on");
}

/* What the dead had reserved is there again. */
static void owner_died(void)
{
    madang_queue *queue = open_limited(name("q"), 200000, 4);
    for (int round = 0; round < 30; round++) {
        int pipes[2];
        char done;
        CHECK(pipe(pipes) == 0);
        pid_t child = fork();
        if (child == 0) {
            memset(madang_reservation_data(reserve(queue, 150000)), 'x', 150000);
            reserve(queue, 40000);
            CHECK(write(pipes[1], "x", 1) == 1);
            pause();
        }
        CHECK(read(pipes[0], &done, 1) == 1);
        kill(child, SIGKILL);
        CHECK(waitpid(child, NULL, 0) == child);
        EQUAL(madang_queue_messages(queue), 0);
        madang_reservation *all = reserve(queue, 200000);
        EQUAL(madang_reservation_drop(all), 0);
        close(pipes[0]);
        close(pipes[1]);
    }
    madang_queue_status status = status_of(queue);
    CHECK(status.sent == 0 && status.participants == 1);
    CHECK(status.allocated < 2000000);
}

static void fork_child(void)
{
    madang_queue_options one = {.struct_size = sizeof one, .max_participants = 1};
    madang_queue *queue = open_default(name("q")), *small;
    EQUAL(madang_queue_open(name("small"), &one, &small), 0);
    for (int joined = 0; joined < 2; joined++) {
        madang_reservation *first = reserve_text(queue, "first"), *second = reserve_text(queue, "second");
        madang_reservation *third = reserve_text(small, "third");
        pid_t child = fork();
        if (child == 0) {
            if (joined)
                EQUAL(status_of(queue).messages, 0);
            for (int i = 0; i < 2; i++)
                FAILS(madang_reservation_commit(first, 1, 5, 0, -1), EOWNERDEAD, "not this process's any more");
            EQUAL(madang_reservation_drop(first), 0);
            EQUAL(madang_reservation_drop(second), 0);
            FAILS(madang_reservation_drop(second), EBADF, "not an open handle of a reservation");
            FAILS(madang_reservation_commit(third, 1, 5, 0, -1), EOWNERDEAD, "not this process's any more");
            EQUAL(madang_reservation_drop(third), 0);
            /* What it sends doesn't come to lie where the parent writes. */
            for (int i = 0; i < 20; i++)
                EQUAL(madang_reservation_commit(reserve_text(queue, "from the child"), 1, 14, 0, 0), 0);
            exit(EXIT_SUCCESS);
        }
        reap(child);
        EQUAL(madang_reservation_commit(first, 1, 5, 0, 0), 0);
        EQUAL(madang_reservation_drop(second), 0);
        EQUAL(madang_reservation_commit(third, 1, 5, 0, 0), 0);
        for (int i = 0; i < 20; i++)
            expect_text(queue, "from the child");
        expect_text(queue, "first");
        expect_text(small, "third");
    }
}

static void outlives_the_handle(void)
{
    madang_queue *watcher = open_default(name("q"));
    size_t before = 0;
    for (int round = 0; round < 2000; round++) {
        madang_queue *queue = open_default(name("q"));
        madang_reservation *first = reserve_text(queue, "first"), *second = reserve_text(queue, "second");
        EQUAL(madang_queue_close(queue), 0);
        EQUAL(status_of(watcher).participants, 2);
        EQUAL(madang_reservation_commit(first, 1, 5, 0, 0), 0);
        EQUAL(madang_reservation_drop(second), 0);
        EQUAL(status_of(watcher).participants, 1);
        expect_text(watcher, "first");
        if (round == 1500)
            before = allocated();
    }
    CHECK(allocated() < before + 10000);
}

static void refusals(void)
{
    madang_queue *queue = open_limited(name("q"), 1000, 0), *closed = open_default(name("q"));
    EQUAL(madang_queue_close(closed), 0);
    madang_reservation *const untouched = (madang_reservation *)(void *)&queue;
    madang_reservation *reservation = untouched;
    send_text(queue, 1, "kept");
    FAILS(madang_queue_reserve(NULL, 1, 0, 0, &reservation), EFAULT, "madang_queue_reserve: queue is NULL");
    FAILS(madang_queue_reserve(closed, 1, 0, 0, &reservation), EBADF, "not an open handle of a queue");
    FAILS(madang_queue_reserve(queue, 1, 0, 0, NULL), EFAULT, "reservation is NULL");
    FAILS(madang_queue_reserve(queue, 1001, 0, -1, &reservation), EMSGSIZE, "1001 bytes");
    FAILS(madang_queue_reserve(queue, 997, 0, 0, &reservation), EAGAIN, "full");
    FAILS(madang_queue_reserve(queue, 997, 0, 10 * MS, &reservation), ETIMEDOUT, "the queue stayed full");
    FAILS(madang_queue_reserve(queue, 1, MADANG_EXCEPT, 0, &reservation), EINVAL, "flags 0x4");
    FAILS(madang_queue_reserve(queue, 1, MADANG_INSTANT, -1, &reservation), EINVAL, "timeout_ns must be 0");
    CHECK(reservation == untouched);
    FAILS(madang_reservation_commit(NULL, 1, 1, 0, 0), EFAULT, "madang_reservation_commit: reservation is NULL");
    FAILS(madang_reservation_drop(NULL), EFAULT, "madang_reservation_drop: reservation is NULL");
    FAILS_WITH_NOTHING(madang_reservation_data(NULL), EFAULT, "reservation is NULL");
    FAILS_WITH_NOTHING(madang_reservation_length(NULL), EFAULT, "reservation is NULL");

    madang_reservation *committed = reserve_text(queue, "sent"), *dropped = reserve_text(queue, "dropped");
    madang_reservation *ended[] = {committed, dropped, (madang_reservation *)(void *)queue};
    EQUAL(madang_reservation_commit(committed, 1, 4, 0, 0), 0);
    EQUAL(madang_reservation_drop(dropped), 0);
    for (int i = 0; i < 3; i++) {
        FAILS(madang_reservation_commit(ended[i], 1, 1, 0, 0), EBADF, "not an open handle of a reservation");
        FAILS(madang_reservation_drop(ended[i]), EBADF, "not an open handle of a reservation");
        FAILS_WITH_NOTHING(madang_reservation_data(ended[i]), EBADF, "not an open handle of a reservation");
        FAILS_WITH_NOTHING(madang_reservation_length(ended[i]), EBADF, "not an open handle of a reservation");
    }
    reservation = reserve(queue, 1);
    FAILS(madang_queue_close((madang_queue *)(void *)reservation), EBADF, "not an open handle of a queue");
    EQUAL(madang_reservation_drop(reservation), 0);
    expect_text(queue, "kept");
    expect_text(queue, "sent");
    EQUAL(madang_queue_messages(queue), 0);
}

enum { THREADS = 3, EACH = 3000 };

static void *sender(void *queue)
{
    for (int64_t i = 0; i < EACH; i++) {
        madang_reservation *place;
        EQUAL(madang_queue_reserve(queue, 100, 0, -1, &place), 0);
        memcpy(madang_reservation_data(place), &i, sizeof i);
        if (i % 5 == 4)
            EQUAL(madang_reservation_drop(place), 0);
        else
            EQUAL(madang_reservation_commit(place, 1, sizeof i, 0, -1), 0);
    }
    return NULL;
}

static void threads(void)
{
    madang_queue *queue = open_limited(name("q"), 4096, 0);
    pthread_t senders[THREADS];
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&senders[i], NULL, sender, queue) == 0);
    int64_t sum = 0, number;
    for (int i = 0; i < THREADS * EACH * 4 / 5; i++) {
        EQUAL(madang_queue_recv(queue, 0, &number, sizeof number, 0, NULL, 5000 * MS), sizeof number);
        sum += number;
    }
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(senders[i], NULL) == 0);
    int64_t expected = 0;
    for (int64_t i = 0; i < EACH; i++)
        expected += i % 5 == 4 ? 0 : i * THREADS;
    EQUAL(sum, expected);
    EQUAL(madang_queue_messages(queue), 0);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        CASE(smoke),         CASE(empty_and_largest), CASE(tried_again), CASE(waits_for_room),
        CASE(received_into), CASE(owner_died),        CASE(fork_child),  CASE(outlives_the_handle),
        CASE(refusals),      CASE(threads),
    };
    return run_cases(cases, sizeof cases / sizeof cases[0], argc, argv);
}
