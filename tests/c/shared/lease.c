/* Leases from C: what they do, what they refuse, and that nothing is lost by them. */
#include "queue.h"

#include <pthread.h>

/* Leases the first message, and checks that it is this text, handed out so often before. */
static madang_lease *lease_text(madang_queue *queue, const char *text, uint32_t redelivered)
{
    madang_message message = {.struct_size = sizeof message};
    madang_lease *lease = NULL;
    EQUAL(madang_queue_lease(queue, 0, 0, &message, 5000 * MS, &lease), strlen(text));
    EQUAL(madang_lease_length(lease), strlen(text));
    CHECK(memcmp(madang_lease_data(lease), text, strlen(text)) == 0);
    EQUAL(message.redelivered, redelivered);
    EQUAL(message.flags, redelivered ? MADANG_REDELIVERED : 0);
    EQUAL(message.length, strlen(text));
    return lease;
}

static void smoke(void)
{
    madang_queue *queue = open_default(name("q"));
    send_text(queue, 7, "two teas");
    send_text(queue, 8, "one coffee");
    madang_message message = {.struct_size = sizeof message};
    madang_lease *lease;
    EQUAL(madang_queue_lease(queue, 0, 0, &message, -1, &lease), 8);
    CHECK(message.type == 7 && message.sequence == 0 && message.length == 8);
    CHECK(message.flags == 0 && message.redelivered == 0 && message.reserved == 0);
    EQUAL(madang_lease_length(lease), 8);
    EQUAL((uintptr_t)madang_lease_data(lease) % 64, 0);
    CHECK(memcmp(madang_lease_data(lease), "two teas", 8) == 0);

    /* Others don't see it, but it is held. */
    expect_text(queue, "one coffee");
    madang_queue_status status = status_of(queue);
    CHECK(status.messages == 1 && status.bytes == 8 && status.leased == 1 && status.received == 1);
    EQUAL(madang_lease_ack(lease), 0);
    status = status_of(queue);
    CHECK(status.messages == 0 && status.bytes == 0 && status.leased == 0 && status.received == 2);
    madang_lease *none = lease;
    FAILS(madang_queue_lease(queue, 0, 0, NULL, 0, &lease), EAGAIN, "there is no message");
    CHECK(lease == none);
}

/* What is given back is received in its old place, and says that it was handed out. */
static void release(void)
{
    madang_queue *queue = open_default(name("q"));
    const char *texts[] = {"one", "two", "three", "four"};
    for (int i = 0; i < 4; i++)
        send_text(queue, i + 1, texts[i]);
    madang_lease *one = lease_text(queue, "one", 0), *two = lease_text(queue, "two", 0);
    EQUAL(madang_lease_release(two), 0);
    EQUAL(madang_lease_release(one), 0);
    EQUAL(madang_lease_release(lease_text(queue, "one", 1)), 0);
    EQUAL(madang_lease_ack(lease_text(queue, "one", 2)), 0);
    char text[8];
    madang_message message = {.struct_size = sizeof message};
    EQUAL(madang_queue_recv(queue, 0, text, sizeof text, 0, &message, 0), 3);
    CHECK(message.type == 2 && message.sequence == 1);
    CHECK(message.flags == MADANG_REDELIVERED && message.redelivered == 1);
    /* Both marks at once. */
    EQUAL(madang_lease_release(lease_text(queue, "three", 0)), 0);
    EQUAL(madang_queue_recv(queue, 0, text, 2, MADANG_TRUNCATE, &message, 0), 2);
    CHECK(message.flags == (MADANG_REDELIVERED | MADANG_TRUNCATED) && message.length == 5);
    expect_text(queue, "four");
    EQUAL(madang_queue_messages(queue), 0);
}

static void by_type(void)
{
    madang_queue *queue = open_default(name("q"));
    madang_message message = {.struct_size = sizeof message};
    for (int type = 1; type <= 5; type++)
        send_text(queue, type, "text");
    const struct {
        int64_t select;
        uint32_t flags;
        int64_t type;
    } cases[] = {{4, 0, 4}, {-3, MADANG_INSTANT, 1}, {2, MADANG_EXCEPT, 3}, {0, MADANG_DEADLINE, 2}, {INT64_MIN, 0, 5}};
    madang_lease *leases[5];
    for (int i = 0; i < 5; i++) {
        EQUAL(madang_queue_lease(queue, cases[i].select, cases[i].flags, &message, 0, &leases[i]), 4);
        EQUAL(message.type, cases[i].type);
    }
    FAILS(madang_queue_lease(queue, -9, 0, &message, 10 * MS, &leases[0]), ETIMEDOUT, "no message came");
    EQUAL(status_of(queue).leased, 5);
    for (int i = 0; i < 5; i++)
        EQUAL(madang_lease_release(leases[i]), 0);
    EQUAL(madang_queue_messages(queue), 5);
}

static void empty_and_largest(void)
{
    enum { LARGEST = 3000001 };
    madang_queue *queue = open_limited(name("q"), LARGEST, 0);
    char *bytes = malloc(LARGEST);
    CHECK(bytes);
    memset(bytes, 'x', LARGEST);
    for (int round = 0; round < 3; round++) {
        EQUAL(madang_queue_send(queue, 1, bytes, LARGEST, 0, 0), 0);
        EQUAL(madang_queue_send(queue, 2, NULL, 0, 0, 0), 0);
        madang_lease *largest, *empty;
        EQUAL(madang_queue_lease(queue, 0, 0, NULL, 0, &largest), LARGEST);
        EQUAL(madang_queue_lease(queue, 0, 0, NULL, 0, &empty), 0);
        CHECK(memcmp(madang_lease_data(largest), bytes, LARGEST) == 0);
        CHECK(madang_lease_data(empty) && madang_lease_length(empty) == 0);
        FAILS(madang_queue_send(queue, 1, bytes, 1, 0, 0), EAGAIN, "full");
        EQUAL(madang_lease_ack(largest), 0);
        EQUAL(madang_queue_send(queue, 1, bytes, 1, 0, 0), 0);
        EQUAL(madang_lease_ack(empty), 0);
        expect_text(queue, "x");
    }
    free(bytes);
}

/* A leased message is sent on as it lies there, also to its own queue. */
static void sent_on(void)
{
    madang_queue *from = open_default(name("from")), *to = open_default(name("to"));
    static char page[20000];
    for (size_t i = 0; i < sizeof page; i++)
        page[i] = (char)(i * 7 >> 2);
    const size_t lengths[] = {5, sizeof page};
    for (int i = 0; i < 2; i++) {
        EQUAL(madang_queue_send(from, 3, page, lengths[i], 0, 0), 0);
        madang_lease *lease;
        EQUAL(madang_queue_lease(from, 0, 0, NULL, 0, &lease), lengths[i]);
        EQUAL(madang_queue_send(to, 3, madang_lease_data(lease), madang_lease_length(lease), 0, 0), 0);
        EQUAL(madang_queue_send(from, 4, madang_lease_data(lease), madang_lease_length(lease), 0, 0), 0);
        EQUAL(madang_lease_ack(lease), 0);
        static char copy[sizeof page];
        madang_queue *both[] = {from, to};
        for (int which = 0; which < 2; which++) {
            EQUAL(madang_queue_recv(both[which], 0, copy, sizeof copy, 0, NULL, 0), lengths[i]);
            CHECK(memcmp(copy, page, lengths[i]) == 0);
        }
    }
}

/* Who dies with a lease leaves the message to the others; who sleeps is woken by that, or looks by himself. */
static void owner_died(void)
{
    madang_queue *queue = open_default(name("q"));
    send_text(queue, 1, "one");
    send_text(queue, 2, "two");
    for (uint32_t round = 0; round < 5; round++) {
        int pipes[2];
        char done;
        CHECK(pipe(pipes) == 0);
        pid_t child = fork();
        if (child == 0) {
            lease_text(queue, "one", round);
            CHECK(write(pipes[1], "x", 1) == 1);
            pause();
        }
        CHECK(read(pipes[0], &done, 1) == 1);
        EQUAL(status_of(queue).leased, 1);
        kill(child, SIGKILL);
        CHECK(waitpid(child, NULL, 0) == child);
        /* Also for one who doesn't wait. */
        char text[8];
        madang_lease *two;
        madang_message message = {.struct_size = sizeof message};
        EQUAL(madang_queue_lease(queue, 2, 0, &message, 0, &two), 3);
        EQUAL(message.redelivered, round);
        EQUAL(madang_lease_release(two), 0);
        FAILS(madang_queue_recv(queue, 1, text, 1, 0, &message, 0), E2BIG, "larger");
        close(pipes[0]);
        close(pipes[1]);
    }
    EQUAL(madang_lease_ack(lease_text(queue, "one", 5)), 0);
    EQUAL(madang_lease_ack(lease_text(queue, "two", 5)), 0);
    EQUAL(madang_queue_messages(queue), 0);
}

/* A child's copy is nobody's lease: it neither ends the parent's nor is of use. */
static void fork_child(void)
{
    madang_queue_options one = {.struct_size = sizeof one, .max_participants = 1};
    madang_queue *queue, *small;
    queue = open_default(name("q"));
    EQUAL(madang_queue_open(name("small"), &one, &small), 0);
    for (int joined = 0; joined < 2; joined++) {
        send_text(queue, 1, "acknowledged");
        send_text(queue, 1, "given back");
        send_text(small, 1, "small");
        madang_lease *first = lease_text(queue, "acknowledged", 0), *second = lease_text(queue, "given back", 0);
        madang_lease *third = lease_text(small, "small", 0);
        pid_t child = fork();
        if (child == 0) {
            if (joined)
                EQUAL(status_of(queue).leased, 2);
            EQUAL(madang_lease_length(first), 12);
            FAILS(madang_lease_ack(first), EOWNERDEAD, "not this process's any more");
            FAILS(madang_lease_release(second), EOWNERDEAD, "not this process's any more");
            FAILS(madang_lease_ack(first), EBADF, "not an open handle of a lease");
            /* Even where it finds no place for itself. */
            FAILS(madang_lease_ack(third), EOWNERDEAD, "not this process's any more");
            send_text(queue, 1, "from the child");
            EQUAL(madang_queue_close(queue), 0);
            exit(EXIT_SUCCESS);
        }
        reap(child);
        EQUAL(status_of(queue).leased, 2);
        expect_text(queue, "from the child");
        EQUAL(madang_lease_ack(first), 0);
        EQUAL(madang_lease_release(second), 0);
        EQUAL(madang_lease_ack(third), 0);
        EQUAL(madang_lease_ack(lease_text(queue, "given back", 1)), 0);
        EQUAL(madang_queue_messages(queue), 0);
    }
}

/* Leases stay when the handle is closed, and keep its place. */
static void outlives_the_handle(void)
{
    madang_queue *watcher = open_default(name("q"));
    size_t before = 0;
    for (int round = 0; round < 2000; round++) {
        madang_queue *queue = open_default(name("q"));
        send_text(queue, 1, "acknowledged");
        send_text(queue, 1, "given back");
        madang_lease *first = lease_text(queue, "acknowledged", 0), *second = lease_text(queue, "given back", 0);
        EQUAL(madang_queue_close(queue), 0);
        FAILS(madang_queue_messages(queue), EBADF, "was it closed before?");
        FAILS(madang_queue_close(queue), EBADF, "was it closed before?");
        EQUAL(status_of(watcher).participants, 2);
        CHECK(memcmp(madang_lease_data(first), "acknowledged", 12) == 0);
        EQUAL(madang_lease_ack(first), 0);
        EQUAL(status_of(watcher).participants, 2);
        EQUAL(madang_lease_release(second), 0);
        EQUAL(status_of(watcher).participants, 1);
        EQUAL(madang_lease_ack(lease_text(watcher, "given back", 1)), 0);
        EQUAL(madang_queue_messages(watcher), 0);
        /* Nothing grows without end. */
        if (round == 1500)
            before = allocated();
    }
    CHECK(allocated() < before + 10000);
}

enum { THREADS = 4, EACH = 3000 };

/* Leases and acknowledges until the end comes; gives every seventh back first. Returns the sum of what it acknowledged. */
static void *worker(void *queue)
{
    int64_t sum = 0, number;
    for (int turn = 0;; turn++) {
        madang_message message = {.struct_size = sizeof message};
        madang_lease *lease;
        EQUAL(madang_queue_lease(queue, 0, 0, &message, 5000 * MS, &lease), sizeof number);
        memcpy(&number, madang_lease_data(lease), sizeof number);
        if (number >= 0 && turn % 7 == 0) {
            EQUAL(madang_lease_release(lease), 0);
            continue;
        }
        EQUAL(madang_lease_ack(lease), 0);
        if (number < 0)
            return (void *)(intptr_t)sum;
        sum += number;
    }
}

static void threads(void)
{
    madang_queue *queue = open_limited(name("q"), 4096, 0);
    pthread_t workers[THREADS];
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&workers[i], NULL, worker, queue) == 0);
    int64_t sum = 0, end = -1;
    for (int64_t i = 0; i < THREADS * EACH; i++)
        EQUAL(madang_queue_send(queue, 1 + i % 3, &i, sizeof i, 0, -1), 0);
    for (int i = 0; i < THREADS; i++)
        EQUAL(madang_queue_send(queue, 1, &end, sizeof end, 0, -1), 0);
    for (int i = 0; i < THREADS; i++) {
        void *part;
        CHECK(pthread_join(workers[i], &part) == 0);
        sum += (intptr_t)part;
    }
    /* What was given back behind the ends is there still. */
    int64_t number;
    while (madang_queue_recv(queue, 0, &number, sizeof number, 0, NULL, 0) > 0)
        sum += number;
    EQUAL(sum, (int64_t)THREADS * EACH * (THREADS * EACH - 1) / 2);
    EQUAL(status_of(queue).leased, 0);
}

static void refusals(void)
{
    madang_queue *queue = open_default(name("q")), *closed = open_default(name("q"));
    EQUAL(madang_queue_close(closed), 0);
    send_text(queue, 3, "a message");
    madang_lease *const untouched = (madang_lease *)(void *)&queue;
    madang_lease *lease = untouched;
    madang_message message = {.struct_size = sizeof message, .length = 81};
    FAILS(madang_queue_lease(NULL, 0, 0, NULL, 0, &lease), EFAULT, "madang_queue_lease: queue is NULL");
    FAILS(madang_queue_lease(closed, 0, 0, NULL, 0, &lease), EBADF, "not an open handle of a queue");
    FAILS(madang_queue_lease(queue, 0, 0, &message, 0, NULL), EFAULT, "lease is NULL");
    FAILS(madang_queue_lease(queue, 0, MADANG_EXCEPT, &message, 0, &lease), EINVAL, "greater than 0");
    FAILS(madang_queue_lease(queue, 0, MADANG_PEEK, &message, 0, &lease), EINVAL, "flags 0x10");
    FAILS(madang_queue_lease(queue, 0, MADANG_TRUNCATE, &message, 0, &lease), EINVAL, "flags 0x8");
    FAILS(madang_queue_lease(queue, 1, MADANG_EXCEPT | 64, &message, 0, &lease), EINVAL, "flags 0x40");
    FAILS(madang_queue_lease(queue, 0, MADANG_INSTANT, &message, 1, &lease), EINVAL, "timeout_ns must be 0");
    FAILS(madang_queue_lease(queue, 3, MADANG_EXCEPT, &message, 0, &lease), EAGAIN, "there is no message");
    FAILS(madang_queue_lease(queue, 3, MADANG_EXCEPT | MADANG_DEADLINE, &message, 0, &lease), ETIMEDOUT, "no message");
    message.struct_size = 0;
    FAILS(madang_queue_lease(queue, 0, 0, &message, 0, &lease), EINVAL, "sizeof(madang_message)");
    CHECK(lease == untouched && message.length == 81);
    EQUAL(madang_queue_messages(queue), 1);
    EQUAL(status_of(queue).leased, 0);

    FAILS(madang_lease_ack(NULL), EFAULT, "madang_lease_ack: lease is NULL");
    FAILS(madang_lease_release(NULL), EFAULT, "madang_lease_release: lease is NULL");
    FAILS_WITH_NOTHING(madang_lease_data(NULL), EFAULT, "lease is NULL");
    FAILS_WITH_NOTHING(madang_lease_length(NULL), EFAULT, "lease is NULL");
    EQUAL(madang_lease_ack(lease_text(queue, "a message", 0)), 0);
}

static void ended(void)
{
    madang_queue *queue = open_default(name("q"));
    send_text(queue, 1, "one");
    send_text(queue, 1, "two");
    madang_lease *lease = lease_text(queue, "one", 0), *other = lease_text(queue, "two", 0);
    madang_reservation *reservation;
    EQUAL(madang_queue_reserve(queue, 10, 0, 0, &reservation), 0);

    /* Of another kind. */
    FAILS(madang_lease_ack((madang_lease *)(void *)queue), EBADF, "not an open handle of a lease");
    FAILS(madang_lease_release((madang_lease *)(void *)reservation), EBADF, "not an open handle of a lease");
    FAILS_WITH_NOTHING(madang_lease_data((madang_lease *)(void *)reservation), EBADF, "not an open handle of a lease");
    FAILS(madang_queue_close((madang_queue *)(void *)lease), EBADF, "not an open handle of a queue");
    FAILS(madang_queue_send((madang_queue *)(void *)lease, 1, "x", 1, 0, 0), EBADF, "not an open handle of a queue");
    FAILS(madang_reservation_drop((madang_reservation *)(void *)lease), EBADF, "not an open handle of a reservation");

    EQUAL(madang_lease_ack(lease), 0);
    for (int round = 0; round < 2; round++) {
        FAILS(madang_lease_ack(lease), EBADF, "madang_lease_ack: lease is not an open handle of a lease");
        FAILS(madang_lease_release(lease), EBADF, "was it closed before?");
        FAILS_WITH_NOTHING(madang_lease_data(lease), EBADF, "was it closed before?");
        FAILS_WITH_NOTHING(madang_lease_length(lease), EBADF, "was it closed before?");
        /* It is still found after many more have ended. */
        for (int i = 0; i < 1023 && round == 0; i++) {
            send_text(queue, 1, "more");
            EQUAL(madang_lease_ack(lease_text(queue, "more", 0)), 0);
        }
    }
    EQUAL(madang_lease_release(other), 0);
    FAILS(madang_lease_release(other), EBADF, "was it closed before?");
    EQUAL(madang_lease_ack(lease_text(queue, "two", 1)), 0);
    EQUAL(madang_reservation_drop(reservation), 0);
    EQUAL(madang_queue_messages(queue), 0);
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

static void interrupted(void)
{
    madang_queue *queue = open_default(name("q"));
    pthread_t me = pthread_self(), pesterer;
    struct sigaction action = {.sa_handler = count_signal, .sa_flags = SA_RESTART};
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0 && pthread_create(&pesterer, NULL, pester, &me) == 0);
    send_text(queue, 2, "not wanted");
    madang_lease *lease;
    FAILS(madang_queue_lease(queue, 1, 0, NULL, -1, &lease), EINTR, "a signal handler ran while waiting");
    CHECK(signals > 0);
    EQUAL(madang_queue_lease(queue, 2, 0, NULL, -1, &lease), 10);
    EQUAL(madang_lease_ack(lease), 0);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        CASE(smoke),      CASE(release),    CASE(by_type),             CASE(empty_and_largest), CASE(sent_on),
        CASE(owner_died), CASE(fork_child), CASE(outlives_the_handle), CASE(threads),           CASE(refusals),
        CASE(ended),      CASE(interrupted),
    };
    return run_cases(cases, sizeof cases / sizeof cases[0], argc, argv);
}
