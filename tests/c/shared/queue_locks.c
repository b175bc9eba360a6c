/*
 * The queue from C, while somebody else is inside.
 *
 * Nobody can be stopped inside just so: instead the word of a lock is scribbled into the queue's file, as if the
 * participant that it names had it. Whether that one lives is real. docs/layout.md says where things lie.
 */
#include "queue.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>

#define SENDERS_LOCK_AT 640
#define RECEIVERS_LOCK_AT 768
#define SLOT_AT(slot) (4096 + 32 * (slot))
#define GENERATIONS 0x7fff
#define SLEEPERS 0x80000000U

/* What the word of a lock is while whoever has that slot now has the lock. */
static uint32_t held_by(const char *which, uint32_t slot)
{
    uint32_t state;
    int file = open(path(which), O_RDONLY | O_CLOEXEC);
    CHECK(file >= 0 && pread(file, &state, sizeof state, SLOT_AT(slot)) == sizeof state && close(file) == 0);
    CHECK(state >> 30 == 2);
    return (state & GENERATIONS) << 16 | (slot + 1);
}

/* Scribbles the word of a lock, and returns what was there, without whether somebody slept. */
static uint32_t scribble(off_t lock, uint32_t word)
{
    return (uint32_t)patch(name("q"), lock, word, sizeof word) & ~SLEEPERS;
}

/* What a call took, in milliseconds. */
#define TAKES(least, most, call)                               \
    do {                                                       \
        int64_t start = now_ns();                              \
        call;                                                  \
        int64_t took = (now_ns() - start) / MS;                \
        if (took < (least) || took > (most))                   \
            fprintf(stderr, "it took %" PRId64 " ms\n", took); \
        CHECK(took >= (least) && took <= (most));              \
    } while (0)

static void living_owner(void)
{
    madang_queue *queue = open_default(name("q")), *other = open_default(name("q"));
    char text[8];
    uint32_t word = held_by(name("q"), 1);
    send_text(queue, 1, "kept");

    EQUAL(scribble(SENDERS_LOCK_AT, word), 0);
    TAKES(900, 3000, FAILS(madang_queue_send(queue, 1, "x", 1, 0, 0), EBUSY, "another participant is inside"));
    TAKES(0, 500, FAILS(madang_queue_send(queue, 1, "x", 1, MADANG_INSTANT, 0), EBUSY, "is it stopped?"));
    TAKES(50, 2000, FAILS(madang_queue_send(queue, 1, "x", 1, 0, 50 * MS), ETIMEDOUT, "another participant is inside"));
    TAKES(0, 500, FAILS(madang_queue_send(queue, 1, "x", 1, MADANG_DEADLINE, 0), ETIMEDOUT, "inside"));
    /* The other end is free. */
    expect_text(queue, "kept");
    EQUAL(scribble(SENDERS_LOCK_AT, 0), word);
    send_text(queue, 1, "after");

    EQUAL(scribble(RECEIVERS_LOCK_AT, word), 0);
    TAKES(0, 500, FAILS(madang_queue_recv(queue, 0, text, 8, MADANG_INSTANT, NULL, 0), EBUSY, "inside"));
    TAKES(50, 2000, FAILS(madang_queue_recv(queue, 0, text, 8, 0, NULL, 50 * MS), ETIMEDOUT, "inside"));
    EQUAL(scribble(RECEIVERS_LOCK_AT, 0), word);
    expect_text(queue, "after");

    madang_queue_status status = {.struct_size = sizeof status};
    EQUAL(madang_queue_stat(other, &status), 0);
    CHECK(status.messages == 0 && status.sent == 2 && status.repairs == 0);
}

/* Makes a participant that is dead, in slot 1; returns its word. */
static uint32_t dead_word(madang_queue *queue)
{
    pid_t child = fork();
    if (child == 0) {
        send_text(queue, 1, "here");
        for (;;)
            pause();
    }
    expect_text(queue, "here");
    uint32_t word = held_by(name("q"), 1);
    CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
    return word;
}

/* Whoever comes next repairs, even if it only tries. */
static void dead_owner(void)
{
    madang_queue *queue = open_default(name("q"));
    uint32_t word = dead_word(queue);
    const struct {
        uint32_t flags;
        int64_t timeout;
    } calls[] = {{0, 0}, {MADANG_INSTANT, 0}, {0, 5000 * MS}, {0, -1}};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        char text[8];
        EQUAL(scribble(SENDERS_LOCK_AT, word), 0);
        EQUAL(madang_queue_send(queue, 1, "sent", 4, calls[i].flags, calls[i].timeout), 0);
        EQUAL(scribble(RECEIVERS_LOCK_AT, word), 0);
        EQUAL(madang_queue_recv(queue, 0, text, 8, calls[i].flags, NULL, calls[i].timeout), 4);
        CHECK(memcmp(text, "sent", 4) == 0);
        madang_queue_status status = {.struct_size = sizeof status};
        EQUAL(madang_queue_stat(queue, &status), 0);
        EQUAL(status.repairs, 2 * (i + 1));
        CHECK(status.messages == 0 && status.sent == status.received);
    }
}

struct thief {
    _Atomic uint32_t *lock;
    uint32_t word;
    atomic_bool enough;
};

/* Gives a lock that somebody holds to another, as those do who believe the owner dead. */
static void *steal(void *argument)
{
    struct thief *thief = argument;
    while (!atomic_load(&thief->enough)) {
        uint32_t held = atomic_load(thief->lock);
        if (held != 0 && held != thief->word && atomic_compare_exchange_strong(thief->lock, &held, thief->word))
            break;
    }
    return NULL;
}

/* A handle that was believed dead while it was inside does nothing any more. */
static void presumed_dead(void)
{
    enum { LARGE = 32 << 20 };
    madang_queue *queue = open_limited(name("q"), LARGE, 0);
    struct thief thief = {.word = dead_word(queue)};
    char *large = calloc(1, LARGE);
    int file = open(path(name("q")), O_RDWR | O_CLOEXEC);
    char *control = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    CHECK(large && control != MAP_FAILED);
    thief.lock = (_Atomic uint32_t *)(void *)(control + SENDERS_LOCK_AT);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, steal, &thief) == 0);

    /* The copy of a large message leaves time enough to steal; but who knows. */
    int returned;
    while ((returned = madang_queue_send(queue, 1, large, LARGE, 0, 0)) == 0)
        EQUAL(madang_queue_recv(queue, 0, large, LARGE, 0, NULL, 0), LARGE);
    FAILS(returned, EOWNERDEAD, "the others found this handle dead and went on without it");
    atomic_store(&thief.enough, true);
    CHECK(pthread_join(thread, NULL) == 0);

    madang_queue_status status = {.struct_size = sizeof status};
    FAILS(madang_queue_send(queue, 1, "x", 1, 0, -1), EOWNERDEAD, "open it anew");
    FAILS(madang_queue_recv(queue, 0, large, LARGE, 0, NULL, -1), EOWNERDEAD, "open it anew");
    FAILS(madang_queue_stat(queue, &status), EOWNERDEAD, "open it anew");
    EQUAL(madang_queue_close(queue), 0);

    /* What was being sent is there, or it isn't; and all goes on. */
    queue = open_default(name("q"));
    int64_t length = madang_queue_recv(queue, 0, large, LARGE, 0, NULL, 0);
    CHECK(length == LARGE || length == -EAGAIN);
    send_text(queue, 1, "after");
    expect_text(queue, "after");
    EQUAL(madang_queue_stat(queue, &status), 0);
    CHECK(status.messages == 0 && status.bytes == 0 && status.repairs > 0);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {CASE(living_owner), CASE(dead_owner), CASE(presumed_dead)};
    return run_cases(cases, sizeof cases / sizeof cases[0], argc, argv);
}
