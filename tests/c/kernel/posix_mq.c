/* POSIX message queues from C. See check.h for how a test program works. */
#define KIND(suffix) madang_posix_mq##suffix
#define FILES ""
/* They are no files; the cases use these names only. */
#define REMOVE() (madang_posix_mq_unlink(name("q")), madang_posix_mq_unlink(name("r")))
#include "../check.h"

#include <mqueue.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/time.h>

static madang_posix_mq *open_with(const char *which, madang_posix_mq_options options)
{
    madang_posix_mq *queue = NULL;
    options.struct_size = sizeof options;
    EQUAL(madang_posix_mq_open(which, &options, &queue), 0);
    CHECK(queue != NULL);
    return queue;
}

static madang_posix_mq *small(void)
{
    return open_with(name("q"), (madang_posix_mq_options){.max_messages = 2, .max_message_size = 8});
}

static void smoke(void)
{
    madang_posix_mq *queue =
        open_with(name("q"), (madang_posix_mq_options){.max_messages = 4, .max_message_size = 100});
    EQUAL(madang_posix_mq_is_new(queue), 1);
    CHECK(strcmp(madang_posix_mq_name(queue), name("q")) == 0);
    EQUAL(madang_posix_mq_send(queue, 1, "low", 3, 0, -1), 0);
    EQUAL(madang_posix_mq_send(queue, MADANG_POSIX_MQ_MAX_PRIORITY, "high", 4, 0, -1), 0);
    EQUAL(madang_posix_mq_send(queue, 0, NULL, 0, 0, 0), 0);
    madang_posix_mq *same;
    EQUAL(madang_posix_mq_open(name("q"), NULL, &same), 0);
    EQUAL(madang_posix_mq_is_new(same), 0);
    char text[100];
    uint32_t priority;
    EQUAL(madang_posix_mq_recv(same, text, sizeof text, 0, &priority, -1), 4);
    CHECK(priority == MADANG_POSIX_MQ_MAX_PRIORITY && memcmp(text, "high", 4) == 0);
    EQUAL(madang_posix_mq_recv(same, text, sizeof text, 0, NULL, -1), 3);
    EQUAL(madang_posix_mq_recv(same, text, sizeof text, 0, &priority, SECONDS_PER_CASE * 1000 * MS), 0);
    EQUAL(priority, 0);
    EQUAL(madang_posix_mq_close(queue), 0);
    EQUAL(madang_posix_mq_close(same), 0);
    EQUAL(madang_posix_mq_unlink(name("q")), 0);
    FAILS(madang_posix_mq_unlink(name("q")), ENOENT, "there is none");
}

static void the_c_library_s(void)
{
    madang_posix_mq *queue = small();
    char path[128], text[8];
    unsigned priority;
    snprintf(path, sizeof path, "/%s", name("q"));
    mqd_t theirs = mq_open(path, O_RDWR);
    CHECK(theirs >= 0);
    EQUAL(madang_posix_mq_send(queue, 5, "ours", 4, 0, -1), 0);
    EQUAL(mq_receive(theirs, text, sizeof text, &priority), 4);
    EQUAL(priority, 5);
    EQUAL(mq_send(theirs, "theirs", 6, 9), 0);
    EQUAL(madang_posix_mq_recv(queue, text, sizeof text, 0, &priority, 0), 6);
    EQUAL(priority, 9);
}

static void timeouts(void)
{
    madang_posix_mq *queue = small();
    char text[8];
    int64_t begun = now_ns();
    FAILS(madang_posix_mq_recv(queue, text, 8, 0, NULL, 20 * MS), ETIMEDOUT, "recv: the time is over");
    FAILS(madang_posix_mq_recv(queue, text, 8, MADANG_DEADLINE, NULL, begun + 40 * MS), ETIMEDOUT, "over");
    CHECK(now_ns() >= begun + 40 * MS);
    FAILS(madang_posix_mq_recv(queue, text, 8, 0, NULL, 0), EAGAIN, "only to try");
    FAILS(madang_posix_mq_recv(queue, text, 8, MADANG_INSTANT, NULL, 0), EAGAIN, "only to try");
    for (int i = 0; i < 2; i++)
        EQUAL(madang_posix_mq_send(queue, 0, "full", 4, MADANG_INSTANT, 0), 0);
    FAILS(madang_posix_mq_send(queue, 0, "more", 4, 0, 0), EAGAIN, "send of 4 bytes");
    FAILS(madang_posix_mq_send(queue, 0, "more", 4, 0, 20 * MS), ETIMEDOUT, "the time is over");
    FAILS(madang_posix_mq_send(queue, 0, "more", 4, MADANG_DEADLINE, 1), ETIMEDOUT, "the time is over");
    FAILS(madang_posix_mq_send(queue, 0, "more", 4, 64, 0), EINVAL, "flags 0x40");
    FAILS(madang_posix_mq_recv(queue, text, 8, MADANG_INSTANT, NULL, 1), EINVAL, "must be 0");
}

static void processes(void)
{
    madang_posix_mq *queue = small();
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 1000; i++)
            EQUAL(madang_posix_mq_send(queue, 0, &i, sizeof i, 0, -1), 0);
        EQUAL(madang_posix_mq_close(queue), 0);
        exit(EXIT_SUCCESS);
    }
    for (int i = 0; i < 1000; i++) {
        int got[2];
        EQUAL(madang_posix_mq_recv(queue, got, 8, 0, NULL, -1), sizeof i);
        EQUAL(got[0], i);
    }
    reap(child);
}

static volatile sig_atomic_t handled;

static void handle(int number, siginfo_t *info, void *context)
{
    (void)context;
    handled = number + 1000 * info->si_value.sival_int;
}

static void on(int number)
{
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_RESTART};
    CHECK(sigaction(number, &action, NULL) == 0);
}

static void interrupted(void)
{
    madang_posix_mq *queue = small();
    char text[8];
    struct itimerval soon = {.it_value = {.tv_usec = 20000}};
    on(SIGALRM);
    CHECK(setitimer(ITIMER_REAL, &soon, NULL) == 0);
    FAILS(madang_posix_mq_recv(queue, text, 8, 0, NULL, -1), EINTR, "a signal handler ran");
}

static void notification(void)
{
    madang_posix_mq *queue = small();
    on(SIGUSR1);
    EQUAL(madang_posix_mq_notify(queue, SIGUSR1, 7), 0);
    madang_posix_mq_status status = {.struct_size = sizeof status};
    EQUAL(madang_posix_mq_stat(queue, &status), 0);
    EQUAL(status.notified_pid, getpid());
    pid_t child = fork();
    if (child == 0) {
        FAILS(madang_posix_mq_notify(queue, 0, 0), EBUSY, "a process is registered already");
        EQUAL(madang_posix_mq_send(queue, 0, "1", 1, 0, 0), 0);
        exit(EXIT_SUCCESS);
    }
    reap(child);
    while (handled == 0)
        usleep(1000);
    EQUAL(handled, SIGUSR1 + 7000);
    EQUAL(madang_posix_mq_notify(queue, 0, 0), 0);
    EQUAL(madang_posix_mq_cancel_notify(queue), 0);
    EQUAL(madang_posix_mq_cancel_notify(queue), 0);
    FAILS(madang_posix_mq_notify(queue, 1000, 0), EINVAL, "there is no signal 1000");
}

static void stat_and_poll(void)
{
    umask(077);
    madang_posix_mq *queue = open_with(
        name("q"), (madang_posix_mq_options){.max_messages = 1, .max_message_size = 8, .mode = 0622});
    struct pollfd what = {madang_posix_mq_fd(queue), POLLIN | POLLOUT, 0};
    CHECK(poll(&what, 1, 0) == 1 && what.revents == POLLOUT);
    CHECK(fcntl(what.fd, F_GETFD) == FD_CLOEXEC);
    EQUAL(madang_posix_mq_send(queue, 0, "12345", 5, 0, 0), 0);
    CHECK(poll(&what, 1, 0) == 1 && what.revents == POLLIN);
    madang_posix_mq_status status = {.struct_size = sizeof status};
    EQUAL(madang_posix_mq_stat(queue, &status), 0);
    CHECK(status.max_messages == 1 && status.max_message_size == 8 && status.messages == 1 && status.bytes == 5);
    CHECK(status.mode == 0622 && status.uid == geteuid() && status.gid == getegid() && status.notified_pid == 0);
    madang_posix_mq *sender = open_with(name("q"), (madang_posix_mq_options){.flags = MADANG_POSIX_MQ_SEND_ONLY});
    EQUAL(madang_posix_mq_stat(sender, &status), 0);
    CHECK(status.bytes == -1 && status.notified_pid == -1);
}

static void list(void)
{
    madang_posix_mq *queue = small();
    EQUAL(madang_posix_mq_send(queue, 0, "123", 3, 0, 0), 0);
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0
        || mount("none", "/dev", "tmpfs", 0, NULL) != 0)
        skip("mounting is not permitted");
    FAILS(madang_posix_mq_list(NULL, 0), ENOENT, "mount -t mqueue none /dev/mqueue");
    CHECK(mkdir("/dev/mqueue", 0755) == 0);
    if (mount("none", "/dev/mqueue", "mqueue", 0, NULL) != 0)
        skip("mounting an mqueue is not permitted");
    madang_posix_listed listed[100] = {{.struct_size = sizeof listed[0]}};
    int64_t count = madang_posix_mq_list(listed, 100);
    CHECK(count >= 1 && count <= 100);
    int64_t i = 0;
    while (i < count && strcmp(listed[i].name, name("q")) != 0)
        i++;
    CHECK(i < count && listed[i].size == 3 && listed[i].mode == 0600 && listed[i].uid == 0);
}

static void create(void)
{
    madang_posix_mq_options options = {.struct_size = sizeof options, .create = MADANG_CREATE_NEVER};
    OPEN_FAILS(name("q"), &options, ENOENT, "does not create it");
    small();
    options.create = MADANG_CREATE_ONLY;
    OPEN_FAILS(name("q"), &options, EEXIST, "the name is taken");
    options.create = 9;
    OPEN_FAILS(name("q"), &options, EINVAL, "create 9");
    options = (madang_posix_mq_options){.struct_size = sizeof options, .max_messages = 3};
    OPEN_FAILS(name("q"), &options, EINVAL, "it holds 2 messages of 8 bytes");
    options = (madang_posix_mq_options){.struct_size = sizeof options, .max_messages = 1 << 30};
    OPEN_FAILS(name("r"), &options, EINVAL, "msg_max");
    options = (madang_posix_mq_options){.struct_size = sizeof options, .mode = 010000};
    OPEN_FAILS(name("r"), &options, EINVAL, "permission bits");
    options = (madang_posix_mq_options){.struct_size = sizeof options, .flags = MADANG_READ_ONLY};
    OPEN_FAILS(name("r"), &options, EINVAL, "it knows only MADANG_POSIX_MQ_RECEIVE_ONLY");
    options.flags = MADANG_POSIX_MQ_RECEIVE_ONLY | MADANG_POSIX_MQ_SEND_ONLY;
    OPEN_FAILS(name("r"), &options, EINVAL, "for both, no flag");
    options.struct_size = 0;
    OPEN_FAILS(name("r"), &options, EINVAL, "sizeof(madang_posix_mq_options)");
}

static void bad_input(void)
{
    OPEN_FAILS("", NULL, EINVAL, "the name is empty");
    OPEN_FAILS("/q", NULL, EINVAL, "a name has no '/'");
    OPEN_FAILS("\xc3\x28", NULL, EINVAL, "is not UTF-8");
    madang_posix_mq *queue = small();
    char text[8];
    FAILS(madang_posix_mq_send(queue, MADANG_POSIX_MQ_MAX_PRIORITY + 1, "x", 1, 0, 0), EINVAL, "32767 at most");
    FAILS(madang_posix_mq_send(queue, 0, "123456789", 9, 0, 0), EMSGSIZE, "it has 8 at most");
    FAILS(madang_posix_mq_recv(queue, text, 7, 0, NULL, 0), E2BIG, "for 8 bytes");
    madang_posix_mq *sender = open_with(name("q"), (madang_posix_mq_options){.flags = MADANG_POSIX_MQ_SEND_ONLY});
    madang_posix_mq *receiver = open_with(name("q"), (madang_posix_mq_options){.flags = MADANG_POSIX_MQ_RECEIVE_ONLY});
    FAILS(madang_posix_mq_send(receiver, 0, "x", 1, 0, 0), EBADF, "opened only to receive");
    FAILS(madang_posix_mq_recv(sender, text, 8, 0, NULL, 0), EBADF, "opened only to send");
    EQUAL(madang_posix_mq_send(sender, 0, "x", 1, 0, 0), 0);
    EQUAL(madang_posix_mq_recv(receiver, text, 8, 0, NULL, 0), 1);
}

static void use_what_root_made(void)
{
    OPEN_FAILS(name("q"), NULL, EACCES, "does not permit this user");
    FAILS(madang_posix_mq_unlink(name("q")), EPERM, "only its owner may");
    madang_posix_mq_options options = {.struct_size = sizeof options, .max_messages = 60000};
    OPEN_FAILS(name("r"), &options, EINVAL, "/proc/sys/fs/mqueue has msg_max");
    struct rlimit none = {0, 0};
    CHECK(setrlimit(RLIMIT_MSGQUEUE, &none) == 0);
    OPEN_FAILS(name("r"), NULL, EMFILE, "RLIMIT_MSGQUEUE");
}

static void other_users(void)
{
    small();
    as_user(65534, use_what_root_made);
}

static void from_fd(void)
{
    madang_posix_mq *queue = small(), *received;
    char text[8];
    EQUAL(madang_posix_mq_from_fd(dup(madang_posix_mq_fd(queue)), &received), 0);
    CHECK(*madang_posix_mq_name(received) == '\0');
    EQUAL(madang_posix_mq_send(received, 3, "by fd", 5, 0, 0), 0);
    EQUAL(madang_posix_mq_recv(queue, text, 8, 0, NULL, 0), 5);
    FAILS(madang_posix_mq_from_fd(open("/dev/null", O_RDWR), &received), EBADF, "not one of a message queue");
    FAILS(madang_posix_mq_from_fd(-1, &received), EBADF, "not an open descriptor");
    FAILS(madang_posix_mq_from_fd(0, NULL), EFAULT, "queue is NULL");
}

static void null_pointers(void)
{
    madang_posix_mq *queue = small();
    char text[8];
    OPEN_FAILS(NULL, NULL, EFAULT, "name is NULL");
    FAILS(madang_posix_mq_open(name("q"), NULL, NULL), EFAULT, "queue is NULL");
    FAILS(madang_posix_mq_send(NULL, 0, "x", 1, 0, 0), EFAULT, "queue is NULL");
    FAILS(madang_posix_mq_send(queue, 0, NULL, 1, 0, 0), EFAULT, "data is NULL");
    FAILS(madang_posix_mq_recv(NULL, text, 8, 0, NULL, 0), EFAULT, "queue is NULL");
    FAILS(madang_posix_mq_recv(queue, NULL, 8, 0, NULL, 0), EFAULT, "buffer is NULL");
    FAILS(madang_posix_mq_stat(queue, NULL), EFAULT, "status is NULL");
    FAILS(madang_posix_mq_stat(NULL, NULL), EFAULT, "is NULL");
    FAILS(madang_posix_mq_notify(NULL, 0, 0), EFAULT, "queue is NULL");
    FAILS(madang_posix_mq_cancel_notify(NULL), EFAULT, "queue is NULL");
    FAILS(madang_posix_mq_fd(NULL), EFAULT, "queue is NULL");
    FAILS_WITH_NOTHING(madang_posix_mq_name(NULL), EFAULT, "queue is NULL");
    FAILS(madang_posix_mq_is_new(NULL), EFAULT, "queue is NULL");
    FAILS(madang_posix_mq_close(NULL), EFAULT, "queue is NULL");
    FAILS(madang_posix_mq_unlink(NULL), EFAULT, "name is NULL");
    FAILS(madang_posix_mq_list(NULL, 1), EFAULT, "objects is NULL");
}

static void closed_handle(void)
{
    int before = open_descriptors();
    madang_posix_mq *queue = small();
    char text[8];
    EQUAL(madang_posix_mq_close(queue), 0);
    EQUAL(open_descriptors(), before);
    FAILS(madang_posix_mq_close(queue), EBADF, "was it closed before?");
    FAILS(madang_posix_mq_send(queue, 0, "x", 1, 0, 0), EBADF, "not an open handle");
    FAILS(madang_posix_mq_recv(queue, text, 8, 0, NULL, 0), EBADF, "not an open handle");
    FAILS(madang_posix_mq_fd(queue), EBADF, "not an open handle");
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        CASE(smoke),         CASE(the_c_library_s), CASE(timeouts),    CASE(processes), CASE(interrupted),
        CASE(notification),  CASE(stat_and_poll),   CASE(list),        CASE(create),    CASE(bad_input),
        CASE(other_users),   CASE(null_pointers),   CASE(closed_handle), CASE(from_fd),
    };
    return run_cases(cases, sizeof cases / sizeof cases[0], argc, argv);
}
