/* The queue from C: what it does. What it refuses is in queue_refusals.c; check.h says how a test program works. */
#include "queue.h"

#include <limits.h>
#include <pthread.h>
#include <stddef.h>

static void smoke(void)
{
    madang_queue *queue = open_default(name("q"));
    EQUAL(madang_queue_is_new(queue), 1);
    CHECK(strcmp(madang_queue_name(queue), name("q")) == 0);
    EQUAL(madang_queue_capacity(queue), 1 << 20);
    EQUAL(madang_queue_messages(queue), 0);

    send_text(queue, 7, "two teas");
    send_text(queue, INT64_MAX, "one coffee");
    EQUAL(madang_queue_messages(queue), 2);

    char text[64];
    madang_message message = {.struct_size = sizeof message};
    EQUAL(madang_queue_recv(queue, 0, text, sizeof text, 0, &message, -1), 8);
    CHECK(memcmp(text, "two teas", 8) == 0);
    CHECK(message.struct_size == sizeof message && message.flags == 0 && message.type == 7);
    CHECK(message.length == 8 && message.sequence == 0 && message.redelivered == 0 && message.reserved == 0);
    EQUAL(madang_queue_recv(queue, 0, text, sizeof text, 0, &message, 0), 10);
    CHECK(message.type == INT64_MAX && message.sequence == 1);

    madang_queue *same = open_default(name("q"));
    EQUAL(madang_queue_is_new(same), 0);
    send_text(queue, 1, "by another handle");
    expect_text(same, "by another handle");

    madang_queue_status status = {.struct_size = sizeof status};
    EQUAL(madang_queue_stat(same, &status), 0);
    CHECK(status.capacity == 1 << 20 && status.max_messages == 65536 && status.max_participants == 1024);
    CHECK(status.bytes == 0 && status.messages == 0 && status.sent == 3 && status.received == 3);
    CHECK(status.participants == 2 && status.repairs == 0 && status.allocated >= 65536);
    CHECK(status.mode == 0600 && status.uid == geteuid() && status.gid == getegid());

    EQUAL(madang_queue_close(same), 0);
    EQUAL(madang_queue_close(queue), 0);
    EQUAL(madang_queue_unlink(name("q")), 0);
    FAILS(madang_queue_unlink(name("q")), ENOENT, "there is none");
}

static void version_and_texts(void)
{
    EQUAL(madang_version(), MADANG_VERSION);
    CHECK(madang_version() >> 16 == MADANG_VERSION_MAJOR);
    for (int error = -200; error <= 200; error++)
        CHECK(madang_strerror(error) == madang_strerror(-error) && strlen(madang_strerror(error)) > 5);
    CHECK(strstr(madang_strerror(-EUCLEAN), "damaged") && strstr(madang_strerror(EUCLEAN), "(EUCLEAN)"));
    CHECK(madang_strerror(INT_MIN) && madang_strerror(INT_MAX));
}

static void *first_text(void *unused)
{
    (void)unused;
    return (void *)strstr(madang_last_error(), "no call of madang has failed");
}

static void last_error(void)
{
    CHECK(first_text(NULL));
    FAILS(madang_queue_unlink(name("none")), ENOENT, "unlink \"c-test-");
    /* Another thread has a text of its own, and success changes nothing. */
    pthread_t thread;
    void *fresh;
    CHECK(pthread_create(&thread, NULL, first_text, NULL) == 0 && pthread_join(thread, &fresh) == 0 && fresh);
    madang_queue *queue = open_default(name("q"));
    CHECK(strstr(madang_last_error(), "(ENOENT)"));
    /* A text stays as it is while nothing fails. */
    const char *before = madang_last_error();
    CHECK(before == madang_last_error());
    EQUAL(madang_queue_close(queue), 0);
}

static void capacity(void)
{
    madang_queue *queue = open_limited(name("bytes"), 100, 0);
    char bytes[101] = {0};
    EQUAL(madang_queue_send(queue, 1, bytes, 60, 0, 0), 0);
    FAILS(madang_queue_send(queue, 1, bytes, 41, 0, 0), EAGAIN, "full");
    EQUAL(madang_queue_send(queue, 1, bytes, 40, 0, 0), 0);
    FAILS(madang_queue_send(queue, 1, bytes, 1, 0, 0), EAGAIN, "full");
    EQUAL(madang_queue_recv(queue, 0, bytes, sizeof bytes, 0, NULL, 0), 60);
    EQUAL(madang_queue_send(queue, 1, bytes, 60, 0, 0), 0);
    FAILS(madang_queue_send(queue, 1, bytes, 101, 0, 0), EMSGSIZE, "a message of 101 bytes: its capacity is 100");
    EQUAL(madang_queue_messages(queue), 2);

    madang_queue *few = open_limited(name("messages"), 0, 3);
    for (int i = 0; i < 3; i++)
        EQUAL(madang_queue_send(few, 1, NULL, 0, 0, 0), 0);
    FAILS(madang_queue_send(few, 1, NULL, 0, 0, 0), EAGAIN, "full");

    /* Of an existing queue the limits are what it must have at least. */
    madang_queue_options less = {.struct_size = sizeof less, .capacity = 50, .max_participants = 10};
    madang_queue *same;
    EQUAL(madang_queue_open(name("bytes"), &less, &same), 0);
    EQUAL(madang_queue_capacity(same), 100);
    madang_queue_options more = {.struct_size = sizeof more, .capacity = 101};
    OPEN_FAILS(name("bytes"), &more, EINVAL, "its capacity is 100, 101 was asked for");
    more = (madang_queue_options){.struct_size = sizeof more, .max_messages = 4};
    OPEN_FAILS(name("messages"), &more, EINVAL, "its max_messages is 3");
    more = (madang_queue_options){.struct_size = sizeof more, .max_participants = 1025};
    OPEN_FAILS(name("messages"), &more, EINVAL, "its max_participants is 1024");
}

static void empty_and_largest(void)
{
    enum { LARGEST = 3000001 };
    madang_queue *queue = open_limited(name("q"), LARGEST, 0);
    unsigned char *out = malloc(LARGEST), *in = malloc(LARGEST);
    CHECK(out && in);
    for (size_t i = 0; i < LARGEST; i++)
        out[i] = (unsigned char)(i * 31 >> 3);
    for (int round = 0; round < 10; round++) {
        EQUAL(madang_queue_send(queue, 1, out, LARGEST, 0, 0), 0);
        /* A message without bytes needs no room but a place. */
        EQUAL(madang_queue_send(queue, 2, NULL, 0, 0, 0), 0);
        EQUAL(madang_queue_send(queue, 3, "", 0, 0, 0), 0);
        memset(in, 0, LARGEST);
        EQUAL(madang_queue_recv(queue, 0, in, LARGEST, 0, NULL, 0), LARGEST);
        CHECK(memcmp(in, out, LARGEST) == 0);
        EQUAL(madang_queue_recv(queue, 0, NULL, 0, 0, NULL, 0), 0);
        EQUAL(madang_queue_recv(queue, 0, in, LARGEST, 0, NULL, 0), 0);
    }
    FAILS(madang_queue_send(queue, 1, out, (size_t)LARGEST + 1, 0, 0), EMSGSIZE, "3000001");
    FAILS(madang_queue_send(queue, 1, out, SIZE_MAX, 0, 0), EINVAL, "no memory is so large");
    FAILS(madang_queue_recv(queue, 0, in, SIZE_MAX, 0, NULL, 0), EINVAL, "no memory is so large");
    free(out);
    free(in);
}

/* Checks that a call waited for about so long. */
static void waited(int64_t since, int64_t least)
{
    int64_t took = now_ns() - since;
    CHECK(took >= least && took < least + 5000 * MS);
}

static void timeout(void)
{
    madang_queue *queue = open_limited(name("q"), 8, 0);
    char bytes[8] = "eight ch";

    int64_t start = now_ns();
    FAILS(madang_queue_recv(queue, 0, bytes, 8, 0, NULL, 0), EAGAIN, "there is no message");
    FAILS(madang_queue_recv(queue, 0, bytes, 8, MADANG_INSTANT, NULL, 0), EAGAIN, "there is no message");
    FAILS(madang_queue_recv(queue, 0, bytes, 8, 0, NULL, 50 * MS), ETIMEDOUT, "no message came");
    waited(start, 50 * MS);
    start = now_ns();
    FAILS(madang_queue_recv(queue, 0, bytes, 8, MADANG_DEADLINE, NULL, start + 50 * MS), ETIMEDOUT, "no message");
    waited(start, 50 * MS);
    FAILS(madang_queue_recv(queue, 0, bytes, 8, MADANG_DEADLINE, NULL, 0), ETIMEDOUT, "no message");
    FAILS(madang_queue_recv(queue, 0, bytes, 8, MADANG_DEADLINE, NULL, start), ETIMEDOUT, "no message");

    EQUAL(madang_queue_send(queue, 1, bytes, 8, MADANG_DEADLINE, 0), 0);
    start = now_ns();
    FAILS(madang_queue_send(queue, 1, bytes, 8, 0, 0), EAGAIN, "the queue is full");
    FAILS(madang_queue_send(queue, 1, bytes, 8, MADANG_INSTANT, 0), EAGAIN, "the queue is full");
    FAILS(madang_queue_send(queue, 1, bytes, 8, 0, 50 * MS), ETIMEDOUT, "the queue stayed full");
    waited(start, 50 * MS);
    FAILS(madang_queue_send(queue, 1, bytes, 8, MADANG_DEADLINE, start), ETIMEDOUT, "the queue stayed full");
    /* The message in it was not harmed, and a deadline that has passed is still a try. */
    EQUAL(madang_queue_recv(queue, 0, bytes, 8, MADANG_DEADLINE, NULL, start), 8);

    FAILS(madang_queue_send(queue, 1, bytes, 8, MADANG_INSTANT, 1), EINVAL, "timeout_ns must be 0");
    FAILS(madang_queue_send(queue, 1, bytes, 8, MADANG_INSTANT | MADANG_DEADLINE, 0), EINVAL, "not both");
    FAILS(madang_queue_send(queue, 1, bytes, 8, 4, 0), EINVAL, "flags 0x4");
    FAILS(madang_queue_recv(queue, 0, bytes, 8, MADANG_ANY_OWNER, NULL, -1), EINVAL, "flags 0x100");
    FAILS(madang_queue_recv(queue, 0, bytes, 8, MADANG_REDELIVERED | MADANG_DEADLINE, NULL, -1), EINVAL, "flags 0x20");
    EQUAL(madang_queue_messages(queue), 0);
}

static volatile sig_atomic_t signals;

static void count_signal(int number)
{
    (void)number;
    signals++;
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
    char bytes[8] = "eight ch";
    pthread_t me = pthread_self(), pesterer;
    /* SA_RESTART makes no difference, as with msgrcv(2). */
    struct sigaction action = {.sa_handler = count_signal, .sa_flags = SA_RESTART};
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0 && pthread_create(&pesterer, NULL, pester, &me) == 0);

    FAILS(madang_queue_recv(queue, 0, bytes, 8, 0, NULL, -1), EINTR, "a signal handler ran while waiting");
    CHECK(signals > 0);
    /* A deadline is gone on to without drift. */
    int64_t start = now_ns(), length;
    int interrupts = 0;
    do {
        length = madang_queue_recv(queue, 0, bytes, 8, MADANG_DEADLINE, NULL, start + 100 * MS);
        interrupts += length == -EINTR;
    } while (length == -EINTR);
    EQUAL(length, -ETIMEDOUT);
    waited(start, 100 * MS);
    CHECK(interrupts > 1);

    EQUAL(madang_queue_send(queue, 1, bytes, 8, 0, -1), 0);
    FAILS(madang_queue_send(queue, 2, bytes, 8, 0, -1), EINTR, "a signal handler ran while waiting");
    /* What was interrupted was not sent, and what was there is there. */
    EQUAL(madang_queue_messages(queue), 1);
    EQUAL(madang_queue_recv(queue, 0, bytes, 8, 0, NULL, 0), 8);
    CHECK(memcmp(bytes, "eight ch", 8) == 0);
}

static void fork_child(void)
{
    madang_queue *there = open_default(name("there")), *back = open_default(name("back"));
    send_text(there, 1, "from before the fork");
    pid_t child = fork();
    if (child == 0) {
        expect_text(there, "from before the fork");
        expect_text(there, "to the child");
        EQUAL(madang_queue_send(back, 1, "to the parent", 13, 0, -1), 0);
        EQUAL(madang_queue_close(back), 0);
        expect_text(there, "the end");
        exit(EXIT_SUCCESS);
    }
    send_text(there, 1, "to the child");
    expect_text(back, "to the parent");
    madang_queue_status status = {.struct_size = sizeof status};
    EQUAL(madang_queue_stat(there, &status), 0);
    EQUAL(status.participants, 2);
    send_text(there, 1, "the end");
    reap(child);
    EQUAL(madang_queue_stat(there, &status), 0);
    EQUAL(status.participants, 1);
    /* The child's close was the child's. */
    send_text(back, 1, "still open");
    expect_text(back, "still open");
}

/* A child needs a place of its own, and there may be none. */
static void fork_without_a_place(void)
{
    madang_queue_options one = {.struct_size = sizeof one, .max_participants = 1};
    madang_queue *queue;
    EQUAL(madang_queue_open(name("q"), &one, &queue), 0);
    send_text(queue, 1, "the parent's");
    pid_t child = fork();
    if (child == 0) {
        char text[8];
        madang_queue_status status = {.struct_size = sizeof status};
        FAILS(madang_queue_send(queue, 1, "x", 1, 0, -1), EUSERS, "all 1 places");
        FAILS(madang_queue_recv(queue, 0, text, 8, 0, NULL, -1), EUSERS, "all 1 places");
        FAILS(madang_queue_stat(queue, &status), EUSERS, "all 1 places");
        EQUAL(madang_queue_capacity(queue), 1 << 20);
        EQUAL(madang_queue_close(queue), 0);
        exit(EXIT_SUCCESS);
    }
    reap(child);
    expect_text(queue, "the parent's");
}

static void closefrom_is_survived(void)
{
    madang_queue *queue = open_default(name("q"));
    for (int fd = 3; fd < 64; fd++)
        close(fd);
    int other = open("/dev/null", O_RDONLY);
    send_text(queue, 1, "without a descriptor");
    expect_text(queue, "without a descriptor");
    madang_queue_status status = {.struct_size = sizeof status};
    EQUAL(madang_queue_stat(queue, &status), 0);
    EQUAL(status.participants, 1);
    EQUAL(madang_queue_close(queue), 0);
    CHECK(fcntl(other, F_GETFD) >= 0);
}

enum { SENDERS = 3, RECEIVERS = 3, EACH = 20000 };

static void *sender(void *queue)
{
    static _Atomic int64_t next = 1;
    int64_t type = next++;
    for (int64_t i = 0; i < EACH; i++)
        EQUAL(madang_queue_send(queue, type, &i, sizeof i, 0, -1), 0);
    return NULL;
}

static void *receiver(void *queue)
{
    int64_t sum = 0, last[SENDERS + 1] = {-1, -1, -1, -1}, number;
    madang_message message = {.struct_size = sizeof message};
    for (;;) {
        EQUAL(madang_queue_recv(queue, 0, &number, sizeof number, 0, &message, -1), sizeof number);
        if (number < 0)
            return (void *)(intptr_t)sum;
        /* One receiver sees each sender's messages in order. */
        CHECK(message.type <= SENDERS && number > last[message.type]);
        last[message.type] = number;
        sum += number + 1;
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
    EQUAL(sum, SENDERS * (int64_t)EACH * (EACH + 1) / 2);
    EQUAL(madang_queue_messages(queue), 0);
}

/* A sender that is killed at any moment leaves whole messages, in order, and a queue that goes on. */
static void owner_died(void)
{
    madang_queue *queue = open_limited(name("q"), 1 << 16, 0);
    int64_t expected = 0, number;
    for (int round = 0; round < 30; round++) {
        pid_t child = fork();
        if (child == 0)
            for (int64_t i = 0;; i++)
                EQUAL(madang_queue_send(queue, round + 1, &i, sizeof i, 0, -1), 0);
        for (int i = 0; i < 100 + round * 37; i++)
            EQUAL(madang_queue_recv(queue, 0, &number, sizeof number, 0, NULL, 5000 * MS), sizeof number);
        kill(child, SIGKILL);
        CHECK(waitpid(child, NULL, 0) == child);
        madang_message message = {.struct_size = sizeof message};
        while (madang_queue_recv(queue, 0, &expected, sizeof expected, 0, &message, 0) > 0) {
            CHECK(message.type == round + 1 && expected == number + 1);
            number = expected;
        }
        CHECK(strstr(madang_last_error(), "(EAGAIN)"));
    }
    madang_queue_status status = {.struct_size = sizeof status};
    EQUAL(madang_queue_stat(queue, &status), 0);
    EQUAL(status.messages, 0);
    EQUAL(status.sent, status.received);
    EQUAL(status.participants, 1);
}

static void create(void)
{
    madang_queue_options never = {.struct_size = sizeof never, .create = MADANG_CREATE_NEVER};
    madang_queue_options only = {.struct_size = sizeof only, .create = MADANG_CREATE_ONLY};
    madang_queue_options other = {.struct_size = sizeof other, .create = 3};
    OPEN_FAILS(name("q"), &never, ENOENT, "the call does not create it");
    OPEN_FAILS(name("q"), &other, EINVAL, "create 3");
    madang_queue *queue, *same;
    EQUAL(madang_queue_open(name("q"), &only, &queue), 0);
    EQUAL(madang_queue_is_new(queue), 1);
    send_text(queue, 1, "kept");
    OPEN_FAILS(name("q"), &only, EEXIST, "the name is taken");
    EQUAL(madang_queue_open(name("q"), &never, &same), 0);
    EQUAL(madang_queue_is_new(same), 0);
    expect_text(same, "kept");

    /* After unlink the old handles go on with the old queue. */
    EQUAL(madang_queue_unlink(name("q")), 0);
    madang_queue *young = open_default(name("q"));
    EQUAL(madang_queue_is_new(young), 1);
    send_text(queue, 1, "old");
    EQUAL(madang_queue_messages(young), 0);
    expect_text(same, "old");
}

static void options(void)
{
    madang_queue_options options = {.struct_size = sizeof options, .mode = 0640};
    madang_queue *queue;
    umask(077);
    EQUAL(madang_queue_open(name("mode"), &options, &queue), 0);
    struct stat file;
    CHECK(stat(path(name("mode")), &file) == 0 && (file.st_mode & 07777) == 0640);

    options = (madang_queue_options){.struct_size = sizeof options, .max_participants = 2};
    madang_queue *first, *second;
    EQUAL(madang_queue_open(name("two"), &options, &first), 0);
    EQUAL(madang_queue_open(name("two"), &options, &second), 0);
    OPEN_FAILS(name("two"), &options, EUSERS, "all 2 places");
    EQUAL(madang_queue_close(first), 0);
    EQUAL(madang_queue_open(name("two"), &options, &first), 0);

    options = (madang_queue_options){.struct_size = sizeof options, .capacity = UINT64_MAX};
    OPEN_FAILS(name("q"), &options, EINVAL, "at most");
    options = (madang_queue_options){.struct_size = sizeof options, .max_messages = UINT64_MAX};
    OPEN_FAILS(name("q"), &options, EINVAL, "at most");
    options = (madang_queue_options){.struct_size = sizeof options, .max_participants = 65535};
    OPEN_FAILS(name("q"), &options, EINVAL, "65534 at most");
    options = (madang_queue_options){.struct_size = sizeof options, .mode = 0100600};
    OPEN_FAILS(name("q"), &options, EINVAL, "has more than permission bits");
    options = (madang_queue_options){.struct_size = sizeof options, .flags = MADANG_READ_ONLY};
    OPEN_FAILS(name("q"), &options, EINVAL, "option flags 0x200");
    options = (madang_queue_options){.struct_size = sizeof options, .deliveries = 65536};
    OPEN_FAILS(name("q"), &options, EINVAL, "65,535 at most");
    options = (madang_queue_options){.struct_size = sizeof options, .deliveries = 1};
    OPEN_FAILS(name("q"), &options, EINVAL, "dead-letter queue");
    options = (madang_queue_options){.struct_size = sizeof options, .dead_letters = "letters"};
    OPEN_FAILS(name("q"), &options, EINVAL, "after 0 deliveries");
}

/* An end that one handle has to itself. */
static void exclusive(void)
{
    madang_queue_options options = {.struct_size = sizeof options, .flags = MADANG_EXCLUSIVE_SENDER};
    madang_queue *alone, *other;
    EQUAL(madang_queue_open(name("exclusive"), &options, &alone), 0);
    EQUAL(madang_queue_open(name("exclusive"), NULL, &other), 0);
    OPEN_FAILS(name("exclusive"), &options, EBUSY, "to itself");
    for (int i = 0; i < 3000; i++) {
        EQUAL(madang_queue_send(alone, 1, &i, sizeof i, 0, 0), 0);
        EQUAL(madang_queue_send(other, 1, "x", 1, 0, -1), -EBUSY);
        int received = -1;
        EQUAL(madang_queue_recv(other, 0, &received, sizeof received, 0, NULL, 0), sizeof received);
        EQUAL(received, i);
    }
    EQUAL(madang_queue_close(alone), 0);
    EQUAL(madang_queue_send(other, 1, "x", 1, 0, 0), 0);
    EQUAL(madang_queue_close(other), 0);
}

/* What is leased too often goes elsewhere. */
static void dead_letters(void)
{
    char letters[256];
    snprintf(letters, sizeof letters, "%s", name("letters"));
    madang_queue_options options = {.struct_size = sizeof options, .deliveries = 1, .dead_letters = letters};
    madang_queue *queue, *dead;
    madang_lease *lease;
    EQUAL(madang_queue_open(name("work"), &options, &queue), 0);
    EQUAL(madang_queue_send(queue, 7, "poison", 6, 0, 0), 0);
    EQUAL(madang_queue_lease(queue, 0, 0, NULL, 0, &lease), 6);
    EQUAL(madang_lease_release(lease), 0);
    EQUAL(madang_queue_lease(queue, 0, 0, NULL, 0, &lease), -EAGAIN);
    EQUAL(madang_queue_open(letters, NULL, &dead), 0);
    char buffer[6];
    EQUAL(madang_queue_recv(dead, 7, buffer, sizeof buffer, 0, NULL, 0), 6);
    CHECK(memcmp(buffer, "poison", 6) == 0);
    EQUAL(madang_queue_close(dead), 0);
    EQUAL(madang_queue_close(queue), 0);
}

/* Structs of an older and of a newer program. */
static void struct_sizes(void)
{
    struct {
        madang_queue_options known;
        uint64_t unknown;
    } newer = {.known = {.struct_size = sizeof newer, .capacity = 1000}};
    madang_queue *queue;
    EQUAL(madang_queue_open(name("newer"), &newer.known, &queue), 0);
    EQUAL(madang_queue_capacity(queue), 1000);
    newer.unknown = 1;
    OPEN_FAILS(name("newer"), &newer.known, E2BIG, "needs a newer one");

    madang_queue_options options = {.capacity = 2000, .create = 99};
    OPEN_FAILS(name("older"), &options, EINVAL, "set it to sizeof(madang_queue_options)");
    options.struct_size = 0xdeadbeef;
    OPEN_FAILS(name("older"), &options, EINVAL, "struct_size is 3735928559");
    options.struct_size = 513;
    OPEN_FAILS(name("older"), &options, EINVAL, "struct_size is 513");
    options.struct_size = offsetof(madang_queue_options, max_messages);
    EQUAL(madang_queue_open(name("older"), &options, &queue), 0);
    EQUAL(madang_queue_capacity(queue), 2000);

    send_text(queue, 5, "five");
    send_text(queue, 6, "six");
    char text[8];
    madang_message message = {.struct_size = 0};
    FAILS(madang_queue_recv(queue, 0, text, 8, 0, &message, 0), EINVAL, "sizeof(madang_message)");
    EQUAL(madang_queue_messages(queue), 2);
    message = (madang_message){.struct_size = offsetof(madang_message, length), .length = 77, .sequence = 78};
    EQUAL(madang_queue_recv(queue, 0, text, 8, 0, &message, 0), 4);
    CHECK(message.type == 5 && message.length == 77 && message.sequence == 78);
    struct {
        madang_message known;
        uint64_t unknown;
    } longer = {.known = {.struct_size = sizeof longer}, .unknown = 79};
    EQUAL(madang_queue_recv(queue, 0, text, 8, 0, &longer.known, 0), 3);
    CHECK(longer.known.struct_size == sizeof longer && longer.known.type == 6 && longer.unknown == 0);
    /* A program of before there were leases. */
    send_text(queue, 7, "seven");
    message = (madang_message){.struct_size = offsetof(madang_message, redelivered), .redelivered = 81};
    EQUAL(madang_queue_recv(queue, 0, text, 8, 0, &message, 0), 5);
    CHECK(message.type == 7 && message.length == 5 && message.sequence == 2 && message.redelivered == 81);

    madang_queue_status status = {.struct_size = 4, .capacity = 80};
    EQUAL(madang_queue_stat(queue, &status), 0);
    CHECK(status.struct_size == 4 && status.capacity == 80);
    status.struct_size = 3;
    FAILS(madang_queue_stat(queue, &status), EINVAL, "sizeof(madang_queue_status)");
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        CASE(smoke),       CASE(version_and_texts), CASE(last_error),
        CASE(capacity),    CASE(empty_and_largest), CASE(timeout),
        CASE(interrupted), CASE(fork_child),        CASE(fork_without_a_place),
        CASE(threads),     CASE(owner_died),        CASE(closefrom_is_survived),
        CASE(create),      CASE(options),           CASE(struct_sizes),
        CASE(exclusive),   CASE(dead_letters),
    };
    return run_cases(cases, sizeof cases / sizeof cases[0], argc, argv);
}
