/* Pipes from C. See check.h for how a test program works. */
#include "../check.h"

#include <poll.h>

static madang_pipe_reader *reader;
static madang_pipe_writer *writer;

static void open_with(madang_pipe_options options)
{
    options.struct_size = sizeof options;
    EQUAL(madang_pipe_open(&options, &reader, &writer), 0);
}

static void open_pipe(void)
{
    EQUAL(madang_pipe_open(NULL, &reader, &writer), 0);
}

static size_t fill(void)
{
    static const char page[MADANG_PIPE_BUF];
    size_t filled = 0;
    while (madang_pipe_write(writer, page, sizeof page, 0, 0) > 0)
        filled += sizeof page;
    return filled;
}

static void smoke(void)
{
    open_pipe();
    char bytes[16];
    EQUAL(madang_pipe_write(writer, "hello", 5, 0, -1), 5);
    EQUAL(madang_pipe_reader_waiting(reader), 5);
    EQUAL(madang_pipe_writer_waiting(writer), 5);
    EQUAL(madang_pipe_read(reader, bytes, 2, 0, -1), 2);
    EQUAL(madang_pipe_read(reader, bytes + 2, sizeof bytes - 2, 0, 0), 3);
    CHECK(memcmp(bytes, "hello", 5) == 0);
    FAILS(madang_pipe_read(reader, bytes, sizeof bytes, 0, 0), EAGAIN, "read from a pipe: it would have to wait");
    FAILS(madang_pipe_read(reader, bytes, sizeof bytes, MADANG_INSTANT, 0), EAGAIN, "only to try");
    EQUAL(madang_pipe_write_all(writer, "!", 1, NULL, 0, -1), 0);
    EQUAL(madang_pipe_writer_close(writer), 0);
    EQUAL(madang_pipe_read(reader, bytes, sizeof bytes, 0, -1), 1);
    EQUAL(madang_pipe_read(reader, bytes, sizeof bytes, 0, -1), 0);
    EQUAL(madang_pipe_reader_close(reader), 0);
}

static void parent_and_child(void)
{
    open_pipe();
    madang_pipe_reader *answers;
    madang_pipe_writer *answer;
    EQUAL(madang_pipe_open(NULL, &answers, &answer), 0);
    pid_t child = fork();
    if (child == 0) {
        char bytes[6] = "";
        EQUAL(madang_pipe_writer_close(writer), 0);
        EQUAL(madang_pipe_read_exact(reader, bytes, 6, NULL, 0, 10000 * MS), 5);
        CHECK(strcmp(bytes, "hello") == 0);
        EQUAL(madang_pipe_write_all(answer, "HELLO", 5, NULL, 0, -1), 0);
        exit(EXIT_SUCCESS);
    }
    EQUAL(madang_pipe_write(writer, "hel", 3, 0, -1), 3);
    EQUAL(madang_pipe_write(writer, "lo", 2, 0, -1), 2);
    EQUAL(madang_pipe_writer_close(writer), 0);
    EQUAL(madang_pipe_writer_close(answer), 0);
    char bytes[6] = "";
    EQUAL(madang_pipe_read_exact(answers, bytes, 6, NULL, 0, 10000 * MS), 5);
    CHECK(strcmp(bytes, "HELLO") == 0);
    reap(child);
}

/* cat knows nothing of EAGAIN, and gets our ends as its standard input and output. */
static void handed_to_a_program(void)
{
    open_pipe();
    madang_pipe_reader *answers;
    madang_pipe_writer *answer;
    EQUAL(madang_pipe_open(NULL, &answers, &answer), 0);
    int in = madang_pipe_reader_detach(reader, 0), out = madang_pipe_writer_detach(answer, 0);
    CHECK(in >= 0 && fcntl(in, F_GETFD) == FD_CLOEXEC && !(fcntl(in, F_GETFL) & O_NONBLOCK));
    pid_t child = fork();
    if (child == 0) {
        dup2(in, STDIN_FILENO);
        dup2(out, STDOUT_FILENO);
        execlp("cat", "cat", NULL);
        _exit(127);
    }
    close(in);
    close(out);
    char bytes[8] = "";
    EQUAL(madang_pipe_write_all(writer, "hello", 5, NULL, 0, -1), 0);
    EQUAL(madang_pipe_read_exact(answers, bytes, 5, NULL, 0, 10000 * MS), 5);
    CHECK(strcmp(bytes, "hello") == 0);
    EQUAL(madang_pipe_writer_close(writer), 0);
    EQUAL(madang_pipe_read(answers, bytes, sizeof bytes, 0, 10000 * MS), 0);
    reap(child);
}

static void inherited_by_its_number(void)
{
    open_pipe();
    CHECK(fcntl(madang_pipe_writer_fd(writer), F_GETFD) == FD_CLOEXEC);
    FAILS(madang_pipe_writer_detach(writer, 1), EINVAL, "it knows only MADANG_INHERITABLE");
    int fd = madang_pipe_writer_detach(writer, MADANG_INHERITABLE);
    CHECK(fcntl(fd, F_GETFD) == 0 && !(fcntl(fd, F_GETFL) & O_NONBLOCK));
    char command[64], bytes[8];
    snprintf(command, sizeof command, "echo hello >/proc/self/fd/%d", fd);
    CHECK(system(command) == 0);
    close(fd);
    EQUAL(madang_pipe_read(reader, bytes, sizeof bytes, 0, 10000 * MS), 6);
    EQUAL(madang_pipe_read(reader, bytes, sizeof bytes, 0, 10000 * MS), 0);
}

static void an_end_that_was_inherited(void)
{
    int ends[2];
    CHECK(pipe(ends) == 0);
    int shared = dup(ends[1]);
    FAILS(madang_pipe_reader_from_fd(ends[1], &reader), EBADF, "it is the other end");
    FAILS(madang_pipe_writer_from_fd(ends[1], MADANG_PACKETS, &writer), EINVAL, "it knows only MADANG_LEAVE_SIGPIPE");
    CHECK(fcntl(ends[1], F_GETFD) == 0); /* Still the caller's. */
    EQUAL(madang_pipe_writer_from_fd(ends[1], 0, &writer), 0);
    EQUAL(madang_pipe_reader_from_fd(ends[0], &reader), 0);
    CHECK(!(fcntl(shared, F_GETFL) & O_NONBLOCK));
    CHECK(fcntl(madang_pipe_writer_fd(writer), F_GETFL) & O_NONBLOCK);
    CHECK(fill() > 0);
    char bytes[8];
    EQUAL(madang_pipe_read(reader, bytes, sizeof bytes, 0, 0), 8);
    int null = open("/dev/null", O_RDWR);
    FAILS(madang_pipe_reader_from_fd(null, &reader), ENODEV, "the descriptor is not a pipe's");
    FAILS(madang_pipe_reader_from_fd(-1, &reader), EBADF, "fd -1 is not an open descriptor");
    FAILS(madang_pipe_writer_from_fd(999, 0, &writer), EBADF, "fd 999 is not an open descriptor");
}

static void timeout(void)
{
    open_pipe();
    char byte = 0;
    int64_t begun = now_ns();
    FAILS(madang_pipe_read(reader, &byte, 1, 0, 20 * MS), ETIMEDOUT, "read from a pipe: the time is over");
    CHECK(now_ns() - begun >= 20 * MS);
    fill();
    FAILS(madang_pipe_write(writer, &byte, 1, 0, 0), EAGAIN, "write 1 bytes to a pipe");
    FAILS(madang_pipe_write(writer, &byte, 1, MADANG_DEADLINE, now_ns() + 20 * MS), ETIMEDOUT, "the time is over");
    CHECK(now_ns() - begun >= 40 * MS);
    FAILS(madang_pipe_write(writer, &byte, 1, 4, 0), EINVAL, "flags 0x4");
}

static void how_far_it_came(void)
{
    static char bytes[20000];
    open_with((madang_pipe_options){.capacity = 8192});
    size_t moved = 1;
    FAILS(madang_pipe_write_all(writer, bytes, sizeof bytes, &moved, 0, 20 * MS), ETIMEDOUT, "the time is over");
    EQUAL(moved, 8192);
    FAILS(madang_pipe_read_exact(reader, bytes, sizeof bytes, &moved, 0, 20 * MS), ETIMEDOUT, "the time is over");
    EQUAL(moved, 8192);
    EQUAL(madang_pipe_write_all(writer, bytes, 3, &moved, 0, 20 * MS), 0);
    EQUAL(moved, 3);
    EQUAL(madang_pipe_writer_close(writer), 0);
    EQUAL(madang_pipe_read_exact(reader, bytes, sizeof bytes, &moved, 0, -1), 3);
    EQUAL(moved, 3);
    FAILS(madang_pipe_write_all(writer, bytes, 3, &moved, 0, 0), EBADF, "madang_pipe_write_all: writer is not an open handle");
    EQUAL(moved, 0);
}

static void on_signal(int number)
{
    (void)number;
}

static void interrupted(void)
{
    open_pipe();
    signal(SIGALRM, on_signal); /* With SA_RESTART. */
    struct itimerspec often = {{0, 10 * MS}, {0, 10 * MS}};
    timer_t timer;
    CHECK(timer_create(CLOCK_MONOTONIC, NULL, &timer) == 0 && timer_settime(timer, 0, &often, NULL) == 0);
    char bytes[8];
    FAILS(madang_pipe_read(reader, bytes, sizeof bytes, 0, -1), EINTR, "a signal handler ran while waiting");
    fill();
    FAILS(madang_pipe_write(writer, bytes, sizeof bytes, 0, -1), EINTR, "nothing was done");
}

static void a_vanished_reader(void)
{
    open_pipe();
    EQUAL(madang_pipe_reader_close(reader), 0);
    /* SIGPIPE is as it always is in C: it would kill. */
    FAILS(madang_pipe_write(writer, "x", 1, 0, -1), EPIPE, "nobody has it open to read");
    FAILS(madang_pipe_write_all(writer, "x", 1, NULL, 0, -1), EPIPE, "close this end, too");
    sigset_t set;
    CHECK(sigpending(&set) == 0 && sigismember(&set, SIGPIPE) == 0);

    open_with((madang_pipe_options){.flags = MADANG_LEAVE_SIGPIPE});
    EQUAL(madang_pipe_reader_close(reader), 0);
    pid_t child = fork();
    if (child == 0) {
        madang_pipe_write(writer, "x", 1, 0, -1);
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
}

static void capacity(void)
{
    open_with((madang_pipe_options){.capacity = 5000});
    EQUAL(madang_pipe_writer_capacity(writer), 8192);
    EQUAL(madang_pipe_reader_capacity(reader), 8192);
    EQUAL(fill(), 8192);
    FAILS(madang_pipe_reader_set_capacity(reader, 4096), EBUSY, "8192 bytes wait in it");
    EQUAL(madang_pipe_writer_set_capacity(writer, 65536), 65536);
    FAILS(madang_pipe_writer_set_capacity(writer, SIZE_MAX), EINVAL, "let a pipe hold");
}

static void ask_for_much(void)
{
    open_pipe();
    FAILS(madang_pipe_writer_set_capacity(writer, 1 << 30), EPERM, "/proc/sys/fs/pipe-max-size");
}

static void other_users(void)
{
    as_user(65534, ask_for_much);
}

static void packets(void)
{
    open_with((madang_pipe_options){.flags = MADANG_PACKETS});
    char bytes[MADANG_PIPE_BUF];
    EQUAL(madang_pipe_write(writer, "one", 3, 0, -1), 3);
    EQUAL(madang_pipe_write(writer, "three", 5, 0, -1), 5);
    EQUAL(madang_pipe_read(reader, bytes, 2, 0, -1), 2);
    EQUAL(madang_pipe_read(reader, bytes, sizeof bytes, 0, -1), 5);
    CHECK(memcmp(bytes, "three", 5) == 0);
}

static void descriptor(void)
{
    open_pipe();
    struct pollfd poll_it = {madang_pipe_reader_fd(reader), POLLIN, 0};
    EQUAL(poll(&poll_it, 1, 0), 0);
    EQUAL(madang_pipe_write(writer, "x", 1, 0, -1), 1);
    EQUAL(poll(&poll_it, 1, 1000), 1);
}

static void nothing_leaks(void)
{
    int before = open_descriptors();
    for (int i = 0; i < 10; i++) {
        open_pipe();
        EQUAL(madang_pipe_reader_close(reader), 0);
        close(madang_pipe_writer_detach(writer, MADANG_INHERITABLE));
        int ends[2];
        CHECK(pipe(ends) == 0);
        EQUAL(madang_pipe_reader_from_fd(ends[0], &reader), 0);
        EQUAL(madang_pipe_reader_close(reader), 0);
        FAILS(madang_pipe_reader_from_fd(ends[1], &reader), EBADF, "the other end");
        close(ends[1]);
    }
    EQUAL(open_descriptors(), before);
}

static void bad_input(void)
{
    char byte = 0;
    madang_pipe_options bad = {.struct_size = sizeof bad, .flags = MADANG_READ_ONLY};
    FAILS(madang_pipe_open(&bad, &reader, &writer), EINVAL, "it knows only MADANG_PACKETS and MADANG_LEAVE_SIGPIPE");
    bad = (madang_pipe_options){.struct_size = sizeof bad, .capacity = UINT64_MAX};
    FAILS(madang_pipe_open(&bad, &reader, &writer), EINVAL, "let a pipe hold");
    bad.struct_size = 0;
    FAILS(madang_pipe_open(&bad, &reader, &writer), EINVAL, "sizeof(madang_pipe_options)");
    FAILS(madang_pipe_open(NULL, NULL, &writer), EFAULT, "reader is NULL");
    FAILS(madang_pipe_open(NULL, &reader, NULL), EFAULT, "writer is NULL");
    FAILS(madang_pipe_reader_from_fd(0, NULL), EFAULT, "reader is NULL");
    FAILS(madang_pipe_writer_from_fd(0, 0, NULL), EFAULT, "writer is NULL");
    FAILS(madang_pipe_read(NULL, &byte, 1, 0, 0), EFAULT, "reader is NULL");
    FAILS(madang_pipe_read_exact(NULL, &byte, 1, NULL, 0, 0), EFAULT, "reader is NULL");
    FAILS(madang_pipe_write(NULL, &byte, 1, 0, 0), EFAULT, "writer is NULL");
    FAILS(madang_pipe_write_all(NULL, &byte, 1, NULL, 0, 0), EFAULT, "writer is NULL");
    FAILS(madang_pipe_reader_fd(NULL), EFAULT, "reader is NULL");
    FAILS(madang_pipe_writer_fd(NULL), EFAULT, "writer is NULL");
    FAILS(madang_pipe_reader_waiting(NULL), EFAULT, "reader is NULL");
    FAILS(madang_pipe_writer_waiting(NULL), EFAULT, "writer is NULL");
    FAILS(madang_pipe_reader_capacity(NULL), EFAULT, "reader is NULL");
    FAILS(madang_pipe_writer_capacity(NULL), EFAULT, "writer is NULL");
    FAILS(madang_pipe_reader_set_capacity(NULL, 1), EFAULT, "reader is NULL");
    FAILS(madang_pipe_writer_set_capacity(NULL, 1), EFAULT, "writer is NULL");
    FAILS(madang_pipe_reader_detach(NULL, 0), EFAULT, "reader is NULL");
    FAILS(madang_pipe_writer_detach(NULL, 0), EFAULT, "writer is NULL");
    FAILS(madang_pipe_reader_close(NULL), EFAULT, "reader is NULL");
    FAILS(madang_pipe_writer_close(NULL), EFAULT, "writer is NULL");
    open_pipe();
    FAILS(madang_pipe_read(reader, NULL, 1, 0, 0), EFAULT, "buffer is NULL");
    FAILS(madang_pipe_write(writer, NULL, 1, 0, 0), EFAULT, "data is NULL");
    EQUAL(madang_pipe_write(writer, NULL, 0, 0, 0), 0);
    /* One end is not the other. */
    FAILS(madang_pipe_writer_close((madang_pipe_writer *)reader), EBADF, "writer is not an open handle of a writer");
    EQUAL(madang_pipe_reader_close(reader), 0);
    close(madang_pipe_writer_detach(writer, 0));
    FAILS(madang_pipe_read(reader, &byte, 1, 0, 0), EBADF, "was it closed before?");
    FAILS(madang_pipe_write(writer, &byte, 1, 0, 0), EBADF, "was it closed before?");
    FAILS(madang_pipe_reader_fd(reader), EBADF, "madang_pipe_reader_fd");
    FAILS(madang_pipe_reader_close(reader), EBADF, "madang_pipe_reader_close");
    FAILS(madang_pipe_writer_detach(writer, 0), EBADF, "madang_pipe_writer_detach");
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        CASE(smoke),           CASE(parent_and_child),
        CASE(handed_to_a_program), CASE(inherited_by_its_number),
        CASE(an_end_that_was_inherited), CASE(timeout),
        CASE(how_far_it_came), CASE(interrupted),
        CASE(a_vanished_reader), CASE(capacity),
        CASE(other_users),     CASE(packets),
        CASE(descriptor),      CASE(nothing_leaks),
        CASE(bad_input),
    };
    return run_cases(cases, sizeof cases / sizeof cases[0], argc, argv);
}
