/* The queue from C: what it refuses, each with its own errno and a sentence, and without losing anything. */
#include "queue.h"

#include <sys/socket.h>
#include <sys/un.h>

/* Where things lie in a queue's file, with the default max_participants. */
#define LAYOUT_AT 8
#define KIND_AT 16
#define SIZE_AT 24
#define CAPACITY_AT 32
#define SENT_AT 656
#define RECEIVED_AT 784
#define RING_AT 65536

static void bad_name(void)
{
    char long_name[300];
    memset(long_name, 'n', sizeof long_name);
    long_name[243] = '\0';
    OPEN_FAILS("", NULL, EINVAL, "the name is empty");
    OPEN_FAILS("/orders", NULL, EINVAL, "a name has no '/' in it");
    OPEN_FAILS("..", NULL, EINVAL, "can't be the name of a file");
    OPEN_FAILS("\xff", NULL, EINVAL, "is not UTF-8");
    OPEN_FAILS(long_name, NULL, ENAMETOOLONG, "it may have 242 at most");
    FAILS(madang_queue_unlink(""), EINVAL, "the name is empty");
    FAILS(madang_queue_unlink(long_name), ENAMETOOLONG, "242");
    CHECK(setenv("MADANG_DIR", "tmp", 1) == 0);
    OPEN_FAILS(name("q"), NULL, EINVAL, "MADANG_DIR is \"tmp\"");
    CHECK(setenv("MADANG_DIR", "/dev/shm/there/is/none", 1) == 0);
    OPEN_FAILS(name("q"), NULL, ENOENT, "there is no directory \"/dev/shm/there/is/none\"");
}

static void another_object(void)
{
    madang_queue *queue = open_default(name("q"));
    send_text(queue, 1, "kept");
    const struct {
        off_t at;
        uint64_t value;
        size_t length;
        int number;
        const char *words;
    } patches[] = {
        {KIND_AT, 77, 4, EPROTOTYPE, "an object that this version doesn't know, not a queue"},
        {LAYOUT_AT, 99, 4, EPROTO, "it has layout version 99, this library 1"},
        {LAYOUT_AT + 4, 0x04030201, 4, EPROTO, "byte order"},
        {0, 0, 8, EUCLEAN, "it doesn't begin as madang's objects do"},
        {SIZE_AT, 1, 8, EUCLEAN, "truncated or has grown"},
        {KIND_AT + 4, 0, 4, EUCLEAN, "its roster"},
        {CAPACITY_AT, UINT64_MAX, 8, EUCLEAN, "its sizes contradict each other"},
        {CAPACITY_AT + 16, 1 << 20, 8, EUCLEAN, "its sizes contradict each other"},
    };
    for (size_t i = 0; i < sizeof patches / sizeof patches[0]; i++) {
        uint64_t before = patch(name("q"), patches[i].at, patches[i].value, patches[i].length);
        madang_queue *other;
        EQUAL(madang_queue_open(name("q"), NULL, &other), -patches[i].number);
        CHECK(strstr(madang_last_error(), patches[i].words));
        patch(name("q"), patches[i].at, before, patches[i].length);
    }
    /* Who has it open didn't notice, and nothing is lost. */
    expect_text(queue, "kept");
    EQUAL(madang_queue_close(open_default(name("q"))), 0);
}

static void damaged(void)
{
    const off_t lengths[] = {0, 1, 100, 5000, 65536, 100000};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        EQUAL(madang_queue_close(open_default(name("short"))), 0);
        CHECK(truncate(path(name("short")), lengths[i]) == 0);
        OPEN_FAILS(name("short"), NULL, EUCLEAN, "it is damaged");
        EQUAL(madang_queue_unlink(name("short")), 0);
    }
    /* Rubbish instead of a record: an error, each time, and no fault. */
    madang_queue *queue = open_default(name("rubbish"));
    send_text(queue, 1, "to be scribbled over");
    const uint64_t rubbish[] = {UINT64_MAX, 0x1234567890abcdefULL, 1 | (uint64_t)1 << 40, 5};
    for (size_t i = 0; i < sizeof rubbish / sizeof rubbish[0]; i++) {
        patch(name("rubbish"), RING_AT, rubbish[i], 8);
        char text[64];
        FAILS(madang_queue_recv(queue, 0, text, sizeof text, 0, NULL, 0), EUCLEAN, "the object is damaged");
    }
}

/* Whatever its counters say, it holds no less than nothing and no more than it may. */
static void scribbled_counts(void)
{
    const off_t counts[] = {SENT_AT, RECEIVED_AT};
    const uint64_t rubbish[] = {0, 1, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX};
    madang_queue *queue = open_limited(name("q"), 1000, 10);
    send_text(queue, 1, "one");
    madang_queue_status status = {.struct_size = sizeof status};
    for (size_t i = 0; i < 2 * 5; i++) {
        for (int word = 0; word < 4; word++)
            patch(name("q"), counts[i / 5] + 8 * word, rubbish[i % 5], 8);
        int64_t messages = madang_queue_messages(queue);
        CHECK(messages >= 0 && messages <= 10);
        EQUAL(madang_queue_stat(queue, &status), 0);
        CHECK(status.messages <= 10 && status.bytes <= 1000);
    }
}

static void not_a_file(void)
{
    CHECK(mkdir(path(name("directory")), 0700) == 0);
    OPEN_FAILS(name("directory"), NULL, EISDIR, "is a directory");
    FAILS(madang_queue_unlink(name("directory")), EISDIR, "unlink \"");
    CHECK(mkfifo(path(name("fifo")), 0600) == 0);
    OPEN_FAILS(name("fifo"), NULL, ENODEV, "is not a regular file");
    CHECK(symlink("/dev/shm/nowhere", path(name("link"))) == 0);
    OPEN_FAILS(name("link"), NULL, ELOOP, "a symbolic link, which is never followed");

    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    CHECK(strlen(path(name("socket"))) < sizeof address.sun_path);
    memcpy(address.sun_path, path(name("socket")), strlen(path(name("socket"))));
    CHECK(listener >= 0 && bind(listener, (struct sockaddr *)&address, sizeof address) == 0);
    OPEN_FAILS(name("socket"), NULL, ENXIO, "open \"");
}

static void open_what_root_made(void)
{
    OPEN_FAILS(name("private"), NULL, EACCES, "does not permit this user to use it");
    FAILS(madang_queue_unlink(name("private")), EPERM, "only the owner");
    madang_queue *queue = open_default(name("public"));
    expect_text(queue, "for everybody");
    send_text(queue, 1, "from user 1234");
    madang_queue_options options = {.struct_size = sizeof options, .mode = 0666};
    EQUAL(madang_queue_open(name("planted"), &options, &queue), 0);
    send_text(queue, 1, "planted");
}

static void other_users(void)
{
    madang_queue_options options = {.struct_size = sizeof options, .mode = 0666};
    madang_queue *public;
    EQUAL(madang_queue_close(open_default(name("private"))), 0);
    EQUAL(madang_queue_open(name("public"), &options, &public), 0);
    send_text(public, 1, "for everybody");
    as_user(1234, open_what_root_made);
    expect_text(public, "from user 1234");

    /* What a stranger made is only opened by those who say so. */
    OPEN_FAILS(name("planted"), NULL, EPERM, "it belongs to user 1234");
    CHECK(chown(path(name("public")), 1234, 1234) == 0);
    OPEN_FAILS(name("public"), NULL, EPERM, "it may have been planted");
    options = (madang_queue_options){.struct_size = sizeof options, .flags = MADANG_ANY_OWNER};
    madang_queue *planted;
    EQUAL(madang_queue_open(name("planted"), &options, &planted), 0);
    expect_text(planted, "planted");
}

static void bad_arguments(void)
{
    madang_queue *queue = open_limited(name("q"), 64, 0);
    char text[8] = "untouch";
    send_text(queue, 3, "a message");
    FAILS(madang_queue_send(queue, 0, "x", 1, 0, 0), EINVAL, "a message's type is greater than 0");
    FAILS(madang_queue_send(queue, INT64_MIN, "x", 1, 0, 0), EINVAL, "type -9223372036854775808");
    FAILS(madang_queue_send(queue, 1, queue, 65, 0, 0), EMSGSIZE, "its capacity is 64");
    FAILS(madang_queue_recv(queue, 2, text, 8, 0, NULL, 0), EAGAIN, "there is no message");
    FAILS(madang_queue_recv(queue, -2, text, 8, 0, NULL, 0), EAGAIN, "there is no message");

    /* The message stays, and its length is told; nothing else is written. */
    madang_message message = {.struct_size = sizeof message, .type = 81, .sequence = 82};
    FAILS(madang_queue_recv(queue, 0, text, 8, 0, &message, -1), E2BIG, "the message, which stays");
    CHECK(strstr(madang_last_error(), "9 bytes"));
    CHECK(message.length == 9 && message.type == 81 && message.sequence == 82);
    CHECK(message.struct_size == sizeof message);
    /* Of an older program's, only what it has. */
    message = (madang_message){.struct_size = offsetof(madang_message, sequence), .sequence = 83};
    FAILS(madang_queue_recv(queue, 0, text, 8, 0, &message, -1), E2BIG, "larger one");
    CHECK(message.length == 9 && message.type == 0 && message.sequence == 83);
    message = (madang_message){.struct_size = offsetof(madang_message, length), .length = 84, .sequence = 85};
    FAILS(madang_queue_recv(queue, 0, text, 8, 0, &message, -1), E2BIG, "larger one");
    CHECK(message.type == 0 && message.length == 84 && message.sequence == 85);
    FAILS(madang_queue_recv(queue, 0, NULL, 0, 0, NULL, -1), E2BIG, "larger one");
    EQUAL(madang_queue_messages(queue), 1);
    expect_text(queue, "a message");
}

static void null_pointers(void)
{
    madang_queue *queue = open_default(name("q"));
    char text[8];
    send_text(queue, 1, "kept");
    OPEN_FAILS(NULL, NULL, EFAULT, "madang_queue_open: name is NULL");
    FAILS(madang_queue_open(name("x"), NULL, NULL), EFAULT, "queue is NULL");
    CHECK(access(path(name("x")), F_OK) != 0);
    FAILS(madang_queue_send(NULL, 1, "x", 1, 0, 0), EFAULT, "madang_queue_send: queue is NULL");
    FAILS(madang_queue_send(queue, 1, NULL, 1, 0, 0), EFAULT, "data is NULL");
    FAILS(madang_queue_recv(NULL, 0, text, 8, 0, NULL, 0), EFAULT, "queue is NULL");
    FAILS(madang_queue_recv(queue, 0, NULL, 8, 0, NULL, 0), EFAULT, "buffer is NULL");
    madang_queue_status status = {.struct_size = sizeof status};
    FAILS(madang_queue_stat(NULL, &status), EFAULT, "queue is NULL");
    FAILS(madang_queue_stat(queue, NULL), EFAULT, "status is NULL");
    FAILS(madang_queue_trim(NULL), EFAULT, "queue is NULL");
    FAILS_WITH_NOTHING(madang_queue_name(NULL), EFAULT, "queue is NULL");
    FAILS(madang_queue_is_new(NULL), EFAULT, "queue is NULL");
    FAILS(madang_queue_capacity(NULL), EFAULT, "queue is NULL");
    FAILS(madang_queue_messages(NULL), EFAULT, "queue is NULL");
    FAILS(madang_queue_close(NULL), EFAULT, "queue is NULL");
    FAILS(madang_queue_unlink(NULL), EFAULT, "name is NULL");
    expect_text(queue, "kept");
}

static void closed_handle(void)
{
    madang_queue *queue = open_default(name("q")), *same = open_default(name("q"));
    send_text(queue, 1, "kept");
    size_t before = allocated();
    EQUAL(madang_queue_close(queue), 0);
    for (int round = 0; round < 2; round++) {
        char text[8];
        madang_queue_status status = {.struct_size = sizeof status};
        FAILS(madang_queue_send(queue, 1, "x", 1, 0, 0), EBADF, "queue is not an open handle of a queue");
        FAILS(madang_queue_recv(queue, 0, text, 8, 0, NULL, 0), EBADF, "was it closed before?");
        FAILS(madang_queue_stat(queue, &status), EBADF, "madang_queue_stat");
        FAILS(madang_queue_trim(queue), EBADF, "madang_queue_trim");
        FAILS_WITH_NOTHING(madang_queue_name(queue), EBADF, "madang_queue_name");
        FAILS(madang_queue_is_new(queue), EBADF, "madang_queue_is_new");
        FAILS(madang_queue_capacity(queue), EBADF, "madang_queue_capacity");
        FAILS(madang_queue_messages(queue), EBADF, "madang_queue_messages");
        FAILS(madang_queue_close(queue), EBADF, "madang_queue_close");
        /* It is still found after many more were closed. */
        for (int i = 0; i < 1023 && round == 0; i++)
            EQUAL(madang_queue_close(open_default(name("other"))), 0);
    }
    /* And then its memory may be another's: nothing grows without end. */
    size_t memory = allocated();
    CHECK(before == 0 || memory > before + 1024 * sizeof(void *));
    for (int i = 0; i < 1100; i++)
        EQUAL(madang_queue_close(open_default(name("other"))), 0);
    CHECK(allocated() < memory + 10000);
    expect_text(same, "kept");

    madang_segment_options options = {.struct_size = sizeof options, .length = 1};
    madang_segment *segment;
    EQUAL(madang_segment_open(name("s"), &options, &segment), 0);
    FAILS(madang_queue_messages((madang_queue *)(void *)segment), EBADF, "not an open handle of a queue");
    FAILS_WITH_NOTHING(madang_queue_name((madang_queue *)(void *)segment), EBADF, "not an open handle of a queue");
    FAILS(madang_queue_close((madang_queue *)(void *)segment), EBADF, "not an open handle of a queue");
    FAILS_WITH_NOTHING(madang_segment_size((madang_segment *)(void *)same), EBADF, "not an open handle of a segment");
    FAILS(madang_segment_close((madang_segment *)(void *)same), EBADF, "not an open handle of a segment");
    EQUAL(madang_segment_close(segment), 0);
}

/* A queue on a file system that is too small for what its limits admit. */
static void no_space(void)
{
    const char *directory = name("tmpfs");
    char place[160];
    snprintf(place, sizeof place, "/dev/shm/%s", directory);
    CHECK(mkdir(place, 0700) == 0);
    mount_small(place, "size=1m");
    CHECK(setenv("MADANG_DIR", place, 1) == 0);

    madang_queue *queue = open_limited("q", 8 << 20, 0);
    static char page[4096];
    int64_t sent = 0, received = 0;
    for (int round = 0; round < 3; round++) {
        int returned;
        while (memcpy(page, &sent, 8), (returned = madang_queue_send(queue, 1, page, sizeof page, 0, 0)) == 0)
            sent++;
        FAILS(returned, ENOSPC, "is full: remove what is left over there, or make it larger");
        CHECK(sent - received > 50);
        madang_queue *second;
        FAILS(madang_queue_open("second", NULL, &second), ENOSPC, "create \"second\"");
        while (madang_queue_recv(queue, 0, page, sizeof page, 0, NULL, 0) == sizeof page)
            CHECK(memcmp(page, &received, 8) == 0 && ++received);
        EQUAL(received, sent);
    }
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        CASE(bad_name), CASE(bad_arguments),    CASE(null_pointers), CASE(closed_handle), CASE(another_object),
        CASE(damaged),  CASE(scribbled_counts), CASE(not_a_file),    CASE(other_users),   CASE(no_space),
    };
    return run_cases(cases, sizeof cases / sizeof cases[0], argc, argv);
}
