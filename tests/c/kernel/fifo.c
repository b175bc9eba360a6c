/* FIFOs from C. See check.h for how a test program works. */
#include "../check.h"

static madang_pipe_reader *reader;
static madang_pipe_writer *writer;

/* A path of the case's. They lie in /dev/shm, where check.h removes what is left. */
static const char *fifo(const char *which)
{
    static _Thread_local char paths[4][160];
    static _Thread_local unsigned next;
    char *text = paths[next++ % 4];
    snprintf(text, sizeof paths[0], "/dev/shm/%s", name(which));
    return text;
}

static void smoke(void)
{
    char bytes[8];
    EQUAL(madang_fifo_open_reader(fifo("f"), NULL, &reader, 0, 0), 0);
    FAILS(madang_pipe_read(reader, bytes, sizeof bytes, 0, 0), EAGAIN, "read from a pipe");
    EQUAL(madang_fifo_open_writer(fifo("f"), NULL, &writer, 0, 0), 0);
    EQUAL(madang_pipe_write(writer, "hello", 5, 0, -1), 5);
    EQUAL(madang_pipe_read(reader, bytes, sizeof bytes, 0, 0), 5);
    EQUAL(madang_pipe_writer_close(writer), 0);
    EQUAL(madang_pipe_read(reader, bytes, sizeof bytes, 0, -1), 0);
    EQUAL(madang_fifo_remove(fifo("f")), 0);
    FAILS(madang_fifo_remove(fifo("f")), ENOENT, "remove");
}

static void mode(void)
{
    struct stat file;
    umask(077);
    EQUAL(madang_fifo_make(fifo("f"), 0666), 0);
    CHECK(stat(fifo("f"), &file) == 0 && S_ISFIFO(file.st_mode) && (file.st_mode & 07777) == 0666);
    FAILS(madang_fifo_make(fifo("f"), 0600), EEXIST, "the name is taken");
    FAILS(madang_fifo_make(fifo("g"), 010000), EINVAL, "more than permission bits");
    madang_fifo_options options = {.struct_size = sizeof options, .mode = 0640};
    EQUAL(madang_fifo_open_reader(fifo("h"), &options, &reader, 0, 0), 0);
    CHECK(stat(fifo("h"), &file) == 0 && (file.st_mode & 07777) == 0640);
}

static void create(void)
{
    madang_fifo_options options = {.struct_size = sizeof options, .create = MADANG_CREATE_NEVER};
    FAILS(madang_fifo_open_reader(fifo("f"), &options, &reader, 0, 0), ENOENT, "there is none");
    options.create = MADANG_CREATE_ONLY;
    EQUAL(madang_fifo_open_reader(fifo("f"), &options, &reader, 0, 0), 0);
    FAILS(madang_fifo_open_reader(fifo("f"), &options, &reader, 0, 0), EEXIST, "the name is taken");
    options.create = 7;
    FAILS(madang_fifo_open_reader(fifo("f"), &options, &reader, 0, 0), EINVAL, "create 7");
}

static void timeout(void)
{
    int64_t begun = now_ns();
    FAILS(madang_fifo_open_writer(fifo("f"), NULL, &writer, 0, 0), EAGAIN, "nobody has it open to read");
    FAILS(madang_fifo_open_writer(fifo("f"), NULL, &writer, 0, 20 * MS), ETIMEDOUT, "nobody opened it to read in time");
    FAILS(madang_fifo_open_reader(fifo("f"), NULL, &reader, 0, 20 * MS), ETIMEDOUT, "wait for a writer: the time is over");
    FAILS(madang_fifo_open_reader(fifo("f"), NULL, &reader, MADANG_DEADLINE, now_ns()), ETIMEDOUT, "to read");
    CHECK(now_ns() - begun >= 40 * MS);
    FAILS(madang_fifo_open_channel(fifo("c"), NULL, &reader, &writer, 0, 20 * MS), ETIMEDOUT, "in time");
    FAILS(madang_fifo_open_reader(fifo("f"), NULL, &reader, 4, 0), EINVAL, "flags 0x4");
}

static void two_processes(void)
{
    pid_t child = fork();
    if (child == 0) {
        EQUAL(madang_fifo_open_writer(fifo("f"), NULL, &writer, 0, 10000 * MS), 0);
        EQUAL(madang_pipe_write_all(writer, "hello", 5, NULL, 0, -1), 0);
        exit(EXIT_SUCCESS);
    }
    char bytes[8] = "";
    EQUAL(madang_fifo_open_reader(fifo("f"), NULL, &reader, 0, 10000 * MS), 0);
    EQUAL(madang_pipe_read_exact(reader, bytes, sizeof bytes, NULL, 0, 10000 * MS), 5);
    CHECK(strcmp(bytes, "hello") == 0);
    reap(child);
}

static void on_signal(int number)
{
    (void)number;
}

static void interrupted(void)
{
    signal(SIGALRM, on_signal);
    struct itimerspec often = {{0, 10 * MS}, {0, 10 * MS}};
    timer_t timer;
    CHECK(timer_create(CLOCK_MONOTONIC, NULL, &timer) == 0 && timer_settime(timer, 0, &often, NULL) == 0);
    FAILS(madang_fifo_open_writer(fifo("f"), NULL, &writer, 0, -1), EINTR, "a signal handler ran while waiting");
    FAILS(madang_fifo_open_reader(fifo("f"), NULL, &reader, 0, -1), EINTR, "a signal handler ran while waiting");
}

static void both(void)
{
    EQUAL(madang_fifo_open_both(fifo("f"), NULL, &reader, &writer), 0);
    pid_t child = fork();
    if (child == 0) {
        madang_pipe_writer *client;
        EQUAL(madang_fifo_open_writer(fifo("f"), NULL, &client, 0, 0), 0);
        EQUAL(madang_pipe_write(client, "x", 1, 0, -1), 1);
        exit(EXIT_SUCCESS);
    }
    reap(child);
    char bytes[8];
    EQUAL(madang_pipe_read(reader, bytes, sizeof bytes, 0, -1), 1);
    FAILS(madang_pipe_read(reader, bytes, sizeof bytes, 0, 0), EAGAIN, "read from a pipe");
    EQUAL(madang_pipe_writer_close(writer), 0);
    EQUAL(madang_pipe_read(reader, bytes, sizeof bytes, 0, -1), 0);
}

static void channel(void)
{
    pid_t child = fork();
    int side = madang_fifo_open_channel(fifo("c"), NULL, &reader, &writer, 0, 10000 * MS);
    CHECK(side == 1 || side == 2);
    char mine = '0' + side, theirs = 0;
    EQUAL(madang_pipe_write(writer, &mine, 1, 0, -1), 1);
    EQUAL(madang_pipe_read(reader, &theirs, 1, 0, 10000 * MS), 1);
    CHECK(mine + theirs == '1' + '2');
    if (child == 0) {
        EQUAL(madang_pipe_read(reader, &theirs, 1, 0, 10000 * MS), 0);
        exit(EXIT_SUCCESS);
    }
    madang_pipe_reader *third;
    madang_pipe_writer *other;
    FAILS(madang_fifo_open_channel(fifo("c"), NULL, &third, &other, 0, -1), EBUSY, "both are taken");
    EQUAL(madang_pipe_writer_close(writer), 0);
    reap(child);
    EQUAL(madang_fifo_remove_channel(fifo("c")), 0);
    FAILS(madang_fifo_remove_channel(fifo("c")), ENOENT, "remove");
}

static void no_fifo(void)
{
    CHECK(close(open(fifo("file"), O_CREAT | O_WRONLY, 0600)) == 0 && symlink(fifo("file"), fifo("link")) == 0);
    FAILS(madang_fifo_open_reader(fifo("file"), NULL, &reader, 0, 0), ENODEV, "it is not a FIFO");
    FAILS(madang_fifo_open_writer(fifo("file"), NULL, &writer, 0, 0), ENODEV, "it is not a FIFO");
    FAILS(madang_fifo_remove(fifo("file")), ENODEV, "it is not a FIFO");
    FAILS(madang_fifo_open_both(fifo("link"), NULL, &reader, &writer), ELOOP, "which is never followed");
    FAILS(madang_fifo_open_reader("/dev/shm", NULL, &reader, 0, 0), ENODEV, "it is not a FIFO");
    FAILS(madang_fifo_open_reader("/dev/shm/no/where", NULL, &reader, 0, 0), ENOENT, "/no/where");
    FAILS(madang_fifo_open_reader("", NULL, &reader, 0, 0), EINVAL, "can't be the name of a file");
    CHECK(access(fifo("file"), F_OK) == 0);
}

static void open_what_root_made(void)
{
    FAILS(madang_fifo_open_reader(fifo("private"), NULL, &reader, 0, 0), EACCES, "does not permit this user");
    EQUAL(madang_fifo_make(fifo("planted"), 0666), 0);
}

static void other_users(void)
{
    EQUAL(madang_fifo_make(fifo("private"), 0600), 0);
    as_user(65534, open_what_root_made);
    FAILS(madang_fifo_open_reader(fifo("planted"), NULL, &reader, 0, 0), EPERM, "it belongs to user 65534");
    madang_fifo_options options = {.struct_size = sizeof options, .flags = MADANG_ANY_OWNER};
    EQUAL(madang_fifo_open_reader(fifo("planted"), &options, &reader, 0, 0), 0);
}

static void nothing_leaks(void)
{
    int before = open_descriptors();
    for (int i = 0; i < 10; i++) {
        EQUAL(madang_fifo_open_both(fifo("f"), NULL, &reader, &writer), 0);
        EQUAL(madang_pipe_reader_close(reader), 0);
        EQUAL(madang_pipe_writer_close(writer), 0);
        FAILS(madang_fifo_open_writer(fifo("f"), NULL, &writer, 0, 0), EAGAIN, "nobody");
        FAILS(madang_fifo_open_reader(fifo("f"), NULL, &reader, 0, 1), ETIMEDOUT, "writer");
        FAILS(madang_fifo_open_channel(fifo("c"), NULL, &reader, &writer, 0, 0), EAGAIN, "nobody");
    }
    EQUAL(open_descriptors(), before);
}

static void bad_input(void)
{
    FAILS(madang_fifo_make(NULL, 0600), EFAULT, "path is NULL");
    FAILS(madang_fifo_open_reader(NULL, NULL, &reader, 0, 0), EFAULT, "path is NULL");
    FAILS(madang_fifo_open_reader("x", NULL, NULL, 0, 0), EFAULT, "reader is NULL");
    FAILS(madang_fifo_open_writer(NULL, NULL, &writer, 0, 0), EFAULT, "path is NULL");
    FAILS(madang_fifo_open_writer("x", NULL, NULL, 0, 0), EFAULT, "writer is NULL");
    FAILS(madang_fifo_open_both(NULL, NULL, &reader, &writer), EFAULT, "path is NULL");
    FAILS(madang_fifo_open_both("x", NULL, NULL, &writer), EFAULT, "reader is NULL");
    FAILS(madang_fifo_open_both("x", NULL, &reader, NULL), EFAULT, "writer is NULL");
    FAILS(madang_fifo_open_channel(NULL, NULL, &reader, &writer, 0, 0), EFAULT, "path is NULL");
    FAILS(madang_fifo_open_channel("x", NULL, NULL, &writer, 0, 0), EFAULT, "reader is NULL");
    FAILS(madang_fifo_open_channel("x", NULL, &reader, NULL, 0, 0), EFAULT, "writer is NULL");
    FAILS(madang_fifo_remove(NULL), EFAULT, "path is NULL");
    FAILS(madang_fifo_remove_channel(NULL), EFAULT, "path is NULL");
    madang_fifo_options bad = {.struct_size = sizeof bad, .flags = MADANG_PACKETS};
    FAILS(madang_fifo_open_reader("x", &bad, &reader, 0, 0), EINVAL, "it knows only MADANG_ANY_OWNER and");
    bad = (madang_fifo_options){.struct_size = 1};
    FAILS(madang_fifo_open_reader("x", &bad, &reader, 0, 0), EINVAL, "sizeof(madang_fifo_options)");
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        CASE(smoke),       CASE(mode), CASE(create),  CASE(timeout), CASE(two_processes), CASE(interrupted),
        CASE(both),        CASE(channel), CASE(no_fifo), CASE(other_users), CASE(nothing_leaks), CASE(bad_input),
    };
    return run_cases(cases, sizeof cases / sizeof cases[0], argc, argv);
}
