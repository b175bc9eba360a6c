/* Sets of semaphores from C. See check.h for how a test program works. */
#define KIND(suffix) madang_semaphore_set##suffix
#define FILES "madang.semaphores."
#include "../check.h"

#include <poll.h>
#include <sys/epoll.h>

static madang_semaphore_set *open_values(const char *which, const uint32_t *values, uint32_t count)
{
    madang_semaphore_set_options options = {.struct_size = sizeof options, .values = values, .semaphores = count};
    madang_semaphore_set *set = NULL;
    EQUAL(madang_semaphore_set_open(which, &options, &set), 0);
    CHECK(set != NULL);
    return set;
}

static int operate(madang_semaphore_set *set, uint32_t index, int32_t delta, uint32_t flags, int64_t timeout_ns)
{
    madang_operation operation = {index, delta, flags};
    return madang_semaphore_set_operate(set, &operation, 1, 0, timeout_ns);
}

static void smoke(void)
{
    const uint32_t values[] = {3, 0};
    madang_semaphore_set *set = open_values(name("s"), values, 2), *same;
    EQUAL(madang_semaphore_set_is_new(set), 1);
    EQUAL(madang_semaphore_set_count(set), 2);
    CHECK(strcmp(madang_semaphore_set_name(set), name("s")) == 0);
    EQUAL(madang_semaphore_set_open(name("s"), NULL, &same), 0);
    EQUAL(madang_semaphore_set_is_new(same), 0);
    const madang_operation both[] = {{0, -2, 0}, {1, 5, 0}};
    EQUAL(madang_semaphore_set_operate(same, both, 2, 0, -1), 0);
    EQUAL(madang_semaphore_set_value(set, 0), 1);
    EQUAL(madang_semaphore_set_last_pid(set, 1), getpid());
    uint32_t found[3] = {9, 9, 9};
    EQUAL(madang_semaphore_set_values(set, found, 1), 2);
    CHECK(found[0] == 1 && found[1] == 9);
    EQUAL(madang_semaphore_set_values(set, NULL, 0), 2);
    EQUAL(madang_semaphore_set_values(set, found, 3), 2);
    CHECK(found[1] == 5 && found[2] == 9);
    EQUAL(madang_semaphore_set_set_value(set, 0, 7), 0);
    EQUAL(madang_semaphore_set_value(same, 0), 7);
    EQUAL(madang_semaphore_set_set_values(set, values, 2), 0);
    EQUAL(madang_semaphore_set_value(same, 0), 3);
    madang_semaphore_set_status status = {.struct_size = sizeof status};
    EQUAL(madang_semaphore_set_stat(set, &status), 0);
    CHECK(status.semaphores == 2 && status.participants == 2 && status.mode == 0600 && status.max_value == INT32_MAX);
    madang_participant who[2] = {{.struct_size = sizeof who[0]}};
    EQUAL(madang_semaphore_set_participants(set, who, 2), 2);
    CHECK(who[0].pid == (uint32_t)getpid());
    EQUAL(madang_semaphore_set_close(set), 0);
    EQUAL(madang_semaphore_set_close(same), 0);
    EQUAL(madang_semaphore_set_unlink(name("s")), 0);
    FAILS(madang_semaphore_set_unlink(name("s")), ENOENT, "there is none");
}

static void timeout(void)
{
    madang_semaphore_set *set = open_values(name("s"), NULL, 1);
    FAILS(operate(set, 0, -1, 0, 0), EAGAIN, "semaphore 0 is 0, less than 1");
    FAILS(operate(set, 0, -1, MADANG_NO_WAIT, -1), EAGAIN, "less than 1");
    int64_t begun = now_ns();
    FAILS(operate(set, 0, -1, 0, 20 * MS), ETIMEDOUT, "less than 1");
    CHECK(now_ns() - begun >= 20 * MS);
    madang_operation operation = {0, -1, 0};
    FAILS(madang_semaphore_set_operate(set, &operation, 1, MADANG_DEADLINE, 1), ETIMEDOUT, "less than 1");
    FAILS(madang_semaphore_set_operate(set, &operation, 1, MADANG_INSTANT, 0), EAGAIN, "less than 1");
    EQUAL(operate(set, 0, 1, 0, 0), 0);
    FAILS(operate(set, 0, 0, 0, 0), EAGAIN, "isn't 0, but 1");
}

static void waits_for_another(void)
{
    madang_semaphore_set *set = open_values(name("s"), NULL, 2);
    pid_t child = fork();
    if (child == 0) {
        EQUAL(operate(set, 0, -2, 0, -1), 0);
        EQUAL(operate(set, 1, 1, 0, -1), 0);
        exit(EXIT_SUCCESS);
    }
    uint32_t to_grow = 0, for_zero = 1;
    while (to_grow == 0)
        EQUAL(madang_semaphore_set_waiting(set, 0, &to_grow, &for_zero), 0);
    CHECK(to_grow == 1 && for_zero == 0);
    EQUAL(madang_semaphore_set_waiting(set, 0, NULL, NULL), 0);
    EQUAL(operate(set, 0, 2, 0, -1), 0);
    EQUAL(operate(set, 1, -1, 0, 10000 * MS), 0);
    EQUAL(madang_semaphore_set_last_pid(set, 0), child);
    reap(child);
}

static void owner_died(void)
{
    const uint32_t values[] = {1, 0};
    madang_semaphore_set *set = open_values(name("s"), values, 2);
    pid_t child = fork();
    if (child == 0) {
        EQUAL(operate(set, 0, -1, MADANG_UNDO, -1), 0);
        EQUAL(operate(set, 1, 1, 0, -1), 0);
        for (;;)
            pause();
    }
    EQUAL(operate(set, 1, -1, 0, 10000 * MS), 0);
    FAILS(operate(set, 0, -1, 0, 0), EAGAIN, "is 0");
    CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
    EQUAL(madang_semaphore_set_value(set, 0), 1);
    /* Who closes gives back, too. */
    madang_semaphore_set *same = open_values(name("s"), NULL, 2);
    EQUAL(operate(same, 0, -1, MADANG_UNDO, -1), 0);
    EQUAL(madang_semaphore_set_close(same), 0);
    EQUAL(operate(set, 0, -1, 0, 0), 0);
}

static void nothing(int signal)
{
    (void)signal;
}

static void interrupted(void)
{
    madang_semaphore_set *set = open_values(name("s"), NULL, 1);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGUSR1, nothing);
        FAILS(operate(set, 0, -1, 0, -1), EINTR, "a signal handler ran");
        exit(EXIT_SUCCESS);
    }
    int status;
    pid_t ended;
    while ((ended = waitpid(child, &status, WNOHANG)) == 0) {
        uint32_t to_grow = 0;
        EQUAL(madang_semaphore_set_waiting(set, 0, &to_grow, NULL), 0);
        if (to_grow > 0)
            kill(child, SIGUSR1);
        usleep(1000);
    }
    CHECK(ended == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void refusals(void)
{
    const uint32_t values[] = {1, 2};
    madang_semaphore_set_options options = {
        .struct_size = sizeof options, .values = values, .semaphores = 2, .max_value = 10};
    madang_semaphore_set *set;
    EQUAL(madang_semaphore_set_open(name("s"), &options, &set), 0);
    static const madang_operation many[513];
    FAILS(madang_semaphore_set_operate(set, many, 0, 0, 0), EINVAL, "at least one");
    FAILS(madang_semaphore_set_operate(set, many, 513, 0, 0), E2BIG, "512 at most");
    FAILS(madang_semaphore_set_operate(set, NULL, 1, 0, 0), EFAULT, "operations is NULL");
    FAILS(madang_semaphore_set_operate(set, many, 1, 64, 0), EINVAL, "no such flags");
    FAILS(operate(set, 0, 1, 4, 0), EINVAL, "an operation's flags 0x4");
    FAILS(operate(set, 2, 1, 0, 0), EFBIG, "it has 2");
    FAILS(operate(set, 1, 9, 0, 0), ERANGE, "exceed 10");
    FAILS(madang_semaphore_set_value(set, 2), EFBIG, "semaphore 2");
    FAILS(madang_semaphore_set_last_pid(set, 2), EFBIG, "semaphore 2");
    FAILS(madang_semaphore_set_waiting(set, 2, NULL, NULL), EFBIG, "semaphore 2");
    FAILS(madang_semaphore_set_set_value(set, 0, 11), ERANGE, "10 at most");
    FAILS(madang_semaphore_set_set_values(set, values, 1), EINVAL, "1 values for 2");
    FAILS(madang_semaphore_set_set_values(set, NULL, 2), EFAULT, "values is NULL");
    FAILS(madang_semaphore_set_values(set, NULL, 2), EFAULT, "values is NULL");
    FAILS(madang_semaphore_set_stat(set, NULL), EFAULT, "status is NULL");
    EQUAL(madang_semaphore_set_value(set, 0), 1);
    EQUAL(madang_semaphore_set_value(set, 1), 2);

    options.semaphores = 3;
    options.values = NULL;
    OPEN_FAILS(name("s"), &options, EINVAL, "its number of semaphores is 2, 3");
    options.semaphores = 65537;
    OPEN_FAILS(name("new"), &options, EINVAL, "65536 at most");
    options.semaphores = 2;
    const uint32_t large[] = {1, 11};
    options.values = large;
    OPEN_FAILS(name("new"), &options, ERANGE, "10 at most");
    options.reserved = 1;
    OPEN_FAILS(name("new"), &options, E2BIG, "needs a newer one");
    options.reserved = 0;
    options.flags = MADANG_READ_ONLY;
    OPEN_FAILS(name("new"), &options, EINVAL, "it knows only MADANG_ANY_OWNER");
    OPEN_FAILS(NULL, NULL, EFAULT, "name is NULL");
    OPEN_FAILS("a/b", NULL, EINVAL, "no '/'");
    FAILS(madang_semaphore_set_open(name("s"), NULL, NULL), EFAULT, "set is NULL");
    /* As another kind. */
    madang_queue *queue;
    EQUAL(madang_queue_open(name("q"), NULL, &queue), 0);
    FAILS(operate((madang_semaphore_set *)(void *)queue, 0, 1, 0, 0), EBADF, "not an open handle of a set");
    EQUAL(madang_queue_unlink(name("q")), 0);
}

static int is_readable(int fd, int milliseconds)
{
    struct pollfd what = {.fd = fd, .events = POLLIN};
    CHECK(poll(&what, 1, milliseconds) >= 0);
    CHECK((what.revents & ~POLLIN) == 0);
    return what.revents;
}

/* By a descriptor: what another process gives makes it readable, and what it took when it is killed. */
static void descriptor(void)
{
    const uint32_t values[] = {0, 1, 0};
    madang_semaphore_set *set = open_values(name("s"), values, 3);
    int fd = madang_semaphore_set_fd(set), epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u32 = 5};
    CHECK(fd >= 0 && is_readable(fd, 0) && (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    EQUAL(madang_semaphore_set_fd(set), fd);
    FAILS(operate(set, 0, -1, 0, 0), EAGAIN, "less than 1");
    CHECK(!is_readable(fd, 0));
    CHECK(epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
    pid_t child = fork();
    if (child == 0) {
        EQUAL(operate(set, 1, -1, MADANG_UNDO, -1), 0);
        EQUAL(operate(set, 0, 1, 0, -1), 0);
        for (;;)
            pause();
    }
    CHECK(epoll_wait(epoll, &event, 1, 10000) == 1 && event.data.u32 == 5);
    while (operate(set, 0, -1, 0, 0) < 0)
        CHECK(is_readable(fd, 10000));
    FAILS(operate(set, 1, -1, 0, 1), ETIMEDOUT, "less than 1");
    CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
    while (operate(set, 1, -1, 0, 0) < 0)
        CHECK(is_readable(fd, 10000));
    FAILS(madang_semaphore_set_fd(NULL), EFAULT, "set is NULL");
    EQUAL(madang_semaphore_set_close(set), 0);
    CHECK(fcntl(fd, F_GETFD) == -1);
    FAILS(madang_semaphore_set_fd(set), EBADF, "madang_semaphore_set_fd");
    close(epoll);
}

/* What an array needs is told of the whole of it; values are those of one moment. */
static void whole_arrays(void)
{
    const uint32_t values[] = {1, 0};
    madang_semaphore_set *set = open_values(name("s"), values, 2);
    const madang_operation twice[] = {{0, -1, 0}, {0, -1, 0}}, to_one[] = {{0, -1, 0}, {0, 0, 0}};
    const madang_operation moves[] = {{0, -1, 0}, {1, 1, 0}}, back[] = {{1, -1, 0}, {0, 1, 0}};
    FAILS(madang_semaphore_set_operate(set, twice, 2, 0, 0), EAGAIN, "semaphore 0 is 1, less than 2");
    EQUAL(operate(set, 0, 1, 0, 0), 0);
    FAILS(madang_semaphore_set_operate(set, to_one, 2, 0, 0), EAGAIN, "semaphore 0 isn't 1, but 2");
    EQUAL(operate(set, 0, -1, 0, 0), 0);
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 20000; i++) {
            EQUAL(madang_semaphore_set_operate(set, moves, 2, 0, -1), 0);
            EQUAL(madang_semaphore_set_operate(set, back, 2, 0, -1), 0);
        }
        exit(EXIT_SUCCESS);
    }
    for (int i = 0; i < 20000; i++) {
        uint32_t found[2];
        EQUAL(madang_semaphore_set_values(set, found, 2), 2);
        CHECK(found[0] + found[1] == 1);
    }
    reap(child);
}

static void closed_handle(void)
{
    madang_semaphore_set *set = open_values(name("s"), NULL, 1);
    EQUAL(madang_semaphore_set_close(set), 0);
    FAILS(operate(set, 0, 1, 0, 0), EBADF, "not an open handle of a set");
    FAILS(madang_semaphore_set_value(set, 0), EBADF, "madang_semaphore_set_value");
    FAILS(madang_semaphore_set_count(set), EBADF, "madang_semaphore_set_count");
    FAILS(madang_semaphore_set_is_new(set), EBADF, "madang_semaphore_set_is_new");
    FAILS_WITH_NOTHING(madang_semaphore_set_name(set), EBADF, "madang_semaphore_set_name");
    FAILS(madang_semaphore_set_close(set), EBADF, "madang_semaphore_set_close");
    FAILS(madang_semaphore_set_close(NULL), EFAULT, "set is NULL");
}

static char others[128];

static void as_stranger(void)
{
    OPEN_FAILS(others, NULL, EACCES, "does not permit");
}

static void other_users(void)
{
    snprintf(others, sizeof others, "%s", name("s"));
    open_values(others, NULL, 1);
    as_user(65534, as_stranger);
}

static void no_space(void)
{
    mount_small("/dev/shm", "size=64k");
    OPEN_FAILS(name("s"), NULL, ENOSPC, "is full");
    CHECK(access(path(name("s")), F_OK) != 0);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        CASE(smoke),    CASE(timeout),       CASE(waits_for_another), CASE(owner_died), CASE(interrupted),
        CASE(refusals), CASE(closed_handle), CASE(other_users), CASE(no_space), CASE(descriptor), CASE(whole_arrays),
    };
    return run_cases(cases, sizeof cases / sizeof cases[0], argc, argv);
}
