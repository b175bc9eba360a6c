/* Signals from C. See check.h for how a test program works. */
#include "../check.h"

#include <poll.h>

#define SOON 0, 10000 * MS
#define SHORTLY 0, 20 * MS
#define AT_ONCE 0, 0

static uint64_t usr1, usr2, rt;

static void prepare(void)
{
    usr1 = madang_signal_set(SIGUSR1);
    usr2 = madang_signal_set(SIGUSR2);
    rt = madang_signal_set(SIGRTMIN + 3);
}

static void is(const madang_signal_info *info, int signal, int code, int pid, int value)
{
    EQUAL(info->signal, signal);
    EQUAL(info->code, code);
    EQUAL(info->pid, pid);
    EQUAL(info->uid, getuid());
    EQUAL(info->value, value);
}

/* By pid and by pidfd, with a value and without, taken by wait and by descriptor. */
static void smoke(void)
{
    prepare();
    int parent = getpid();
    uint64_t before;
    EQUAL(madang_signal_block(usr1 | usr2 | rt, &before), 0);
    EQUAL(before, 0);
    pid_t child = fork();
    if (child == 0) {
        madang_signal_info info = {.struct_size = sizeof info};
        madang_signal_descriptor *descriptor;
        EQUAL(madang_signal_wait(usr1, &info, SOON), SIGUSR1);
        is(&info, SIGUSR1, SI_USER, parent, 0);
        EQUAL(madang_signal_wait(usr2, &info, SOON), SIGUSR2);
        is(&info, SIGUSR2, SI_QUEUE, parent, -7);
        EQUAL(madang_signal_descriptor_open(rt, &descriptor), 0);
        for (int value = 1; value <= 2; value++) {
            EQUAL(madang_signal_descriptor_read(descriptor, &info, SOON), SIGRTMIN + 3);
            is(&info, SIGRTMIN + 3, SI_QUEUE, parent, value);
        }
        exit(EXIT_SUCCESS);
    }
    madang_signal_process *process;
    EQUAL(madang_signal_process_open(child, &process), 0);
    EQUAL(madang_signal_kill(child, SIGUSR1), 0);
    EQUAL(madang_signal_queue(child, SIGUSR2, -7), 0);
    EQUAL(madang_signal_process_queue(process, SIGRTMIN + 3, 1), 0);
    EQUAL(madang_signal_process_queue(process, SIGRTMIN + 3, 2), 0);
    EQUAL(madang_signal_process_wait(process, SOON), 0);
    struct pollfd poller = {.fd = madang_signal_process_fd(process), .events = POLLIN};
    EQUAL(poll(&poller, 1, 0), 1);
    reap(child);
    FAILS(madang_signal_process_send(process, SIGUSR1), ESRCH, "no such process");
    EQUAL(madang_signal_restore(before), 0);
    uint64_t now;
    EQUAL(madang_signal_blocked(&now), 0);
    EQUAL(now, 0);
}

static void timeout(void)
{
    prepare();
    EQUAL(madang_signal_block(usr1, NULL), 0);
    madang_signal_descriptor *descriptor;
    EQUAL(madang_signal_descriptor_open(usr1, &descriptor), 0);
    FAILS(madang_signal_wait(usr1, NULL, AT_ONCE), EAGAIN, "wait for a signal");
    FAILS(madang_signal_wait(usr1, NULL, MADANG_INSTANT, 0), EAGAIN, "wait for a signal");
    FAILS(madang_signal_wait(usr1, NULL, SHORTLY), ETIMEDOUT, "wait for a signal");
    FAILS(madang_signal_wait(usr1, NULL, MADANG_DEADLINE, 5), ETIMEDOUT, "wait for a signal");
    FAILS(madang_signal_descriptor_read(descriptor, NULL, AT_ONCE), EAGAIN, "read a signal");
    FAILS(madang_signal_descriptor_read(descriptor, NULL, SHORTLY), ETIMEDOUT, "read a signal");
    madang_signal_process *me;
    EQUAL(madang_signal_process_open(getpid(), &me), 0);
    FAILS(madang_signal_process_wait(me, AT_ONCE), EAGAIN, "the end of a process");
    FAILS(madang_signal_process_wait(me, SHORTLY), ETIMEDOUT, "the end of a process");
    uint64_t pending = 1;
    EQUAL(madang_signal_pending(&pending), 0);
    EQUAL(pending, 0);
    EQUAL(madang_signal_process_send(me, SIGUSR1), 0);
    EQUAL(madang_signal_pending(&pending), 0);
    EQUAL(pending, usr1);
    EQUAL(madang_signal_wait(usr1, NULL, AT_ONCE), SIGUSR1);
}

static void ignore(int signal)
{
    (void)signal;
}

static void interrupted(void)
{
    prepare();
    struct sigaction action = {.sa_handler = ignore};
    sigaction(SIGALRM, &action, NULL);
    EQUAL(madang_signal_block(usr1, NULL), 0);
    pid_t child = fork();
    if (child == 0) {
        for (;;) {
            kill(getppid(), SIGALRM);
            usleep(10000);
        }
    }
    FAILS(madang_signal_wait(usr1, NULL, 0, -1), EINTR, "a signal handler ran");
    madang_signal_process *process;
    EQUAL(madang_signal_process_open(child, &process), 0);
    FAILS(madang_signal_process_wait(process, 0, -1), EINTR, "a signal handler ran");
    EQUAL(madang_signal_process_send(process, SIGKILL), 0);
    EQUAL(madang_signal_process_wait(process, MADANG_DEADLINE, INT64_MAX), 0);
}

static pid_t target;
static madang_signal_process *target_process;

static void without_permission(void)
{
    FAILS(madang_signal_kill(target, SIGUSR1), EPERM, "another user");
    FAILS(madang_signal_queue(target, SIGUSR1, 1), EPERM, "another user");
    FAILS(madang_signal_process_send(target_process, SIGUSR1), EPERM, "another user");
    FAILS(madang_signal_process_queue(target_process, SIGUSR1, 1), EPERM, "another user");
}

static void no_permission(void)
{
    target = getpid();
    EQUAL(madang_signal_process_open(target, &target_process), 0);
    as_user(65534, without_permission);
}

static void refusals(void)
{
    prepare();
    madang_signal_process *process = NULL;
    madang_signal_descriptor *descriptor = NULL;
    madang_signal_info small = {.struct_size = 2};
    FAILS(madang_signal_block(madang_signal_set(SIGKILL), NULL), EINVAL, "SIGKILL can't be blocked");
    FAILS(madang_signal_block(usr1 | madang_signal_set(SIGSTOP), NULL), EINVAL, "SIGSTOP can't be blocked");
    FAILS(madang_signal_block(0, NULL), EINVAL, "the set is empty");
    FAILS(madang_signal_wait(usr1, NULL, AT_ONCE), EINVAL, "doesn't block SIGUSR1");
    FAILS(madang_signal_descriptor_open(usr1, &descriptor), EINVAL, "doesn't block SIGUSR1");
    EQUAL(madang_signal_block(usr1, NULL), 0);
    FAILS(madang_signal_wait(usr1, &small, AT_ONCE), EINVAL, "struct_size");
    FAILS(madang_signal_wait(usr1, NULL, 64, 0), EINVAL, "no such flags");
    FAILS(madang_signal_descriptor_open(usr1, NULL), EFAULT, "descriptor is NULL");
    FAILS(madang_signal_kill(0, SIGUSR1), EINVAL, "greater than 0");
    FAILS(madang_signal_kill(-1, SIGUSR1), EINVAL, "greater than 0");
    FAILS(madang_signal_queue(-1, SIGUSR1, 0), EINVAL, "greater than 0");
    FAILS(madang_signal_kill_group(1, SIGUSR1), EINVAL, "greater than 1");
    FAILS(madang_signal_kill(getpid(), 0), EINVAL, "there are 1 to 31");
    FAILS(madang_signal_kill(getpid(), 33), EINVAL, "there are 1 to 31");
    FAILS(madang_signal_process_open(0, &process), EINVAL, "greater than 0");
    FAILS(madang_signal_process_open(getpid(), NULL), EFAULT, "process is NULL");
    FAILS(madang_signal_process_from_fd(9999, &process), EBADF, "not an open descriptor");
    CHECK(process == NULL && descriptor == NULL);
    FAILS(madang_signal_process_send(NULL, SIGUSR1), EFAULT, "process is NULL");
    EQUAL(madang_signal_process_open(getpid(), &process), 0);
    EQUAL(madang_signal_process_close(process), 0);
    FAILS(madang_signal_process_close(process), EBADF, "closed before");
    FAILS(madang_signal_process_queue(process, SIGUSR1, 1), EBADF, "closed before");
    FAILS(madang_signal_blocked(NULL), EFAULT, "set is NULL");
    EQUAL(madang_signal_set(64), 1ULL << 63);
    EQUAL(madang_signal_set(32), 0);
    CHECK(strstr(madang_last_error(), "there are 1 to 31"));
}

static void names(void)
{
    EQUAL(madang_signal_number("SIGUSR1"), SIGUSR1);
    EQUAL(madang_signal_number("TERM"), SIGTERM);
    EQUAL(madang_signal_number("SIGRTMIN+3"), SIGRTMIN + 3);
    EQUAL(madang_signal_number("SIGRTMAX"), SIGRTMAX);
    EQUAL(madang_signal_rt(3), SIGRTMIN + 3);
    FAILS(madang_signal_number("SIGNONE"), EINVAL, "is no signal");
    FAILS(madang_signal_number(NULL), EFAULT, "name is NULL");
    FAILS(madang_signal_rt(31), EINVAL, "SIGRTMIN+30");
    CHECK(strcmp(madang_signal_name(SIGUSR1), "SIGUSR1") == 0);
    CHECK(strcmp(madang_signal_name(SIGRTMAX), "SIGRTMIN+30") == 0);
    FAILS_WITH_NOTHING(madang_signal_name(33), EINVAL, "there are 1 to 31");
}

static void descriptors_dont_leak(void)
{
    prepare();
    int before = open_descriptors();
    EQUAL(madang_signal_block(usr1, NULL), 0);
    for (int i = 0; i < 3; i++) {
        madang_signal_process *process, *same;
        madang_signal_descriptor *descriptor;
        EQUAL(madang_signal_process_open(getpid(), &process), 0);
        EQUAL(madang_signal_process_from_fd(dup(madang_signal_process_fd(process)), &same), 0);
        EQUAL(madang_signal_descriptor_open(usr1, &descriptor), 0);
        EQUAL(fcntl(madang_signal_process_fd(process), F_GETFD), FD_CLOEXEC);
        EQUAL(fcntl(madang_signal_descriptor_fd(descriptor), F_GETFD), FD_CLOEXEC);
        EQUAL(madang_signal_process_send(same, SIGUSR1), 0);
        EQUAL(madang_signal_descriptor_read(descriptor, NULL, SOON), SIGUSR1);
        EQUAL(madang_signal_descriptor_close(descriptor), 0);
        EQUAL(madang_signal_process_close(same), 0);
        EQUAL(madang_signal_process_close(process), 0);
    }
    EQUAL(open_descriptors(), before);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        CASE(smoke), CASE(timeout), CASE(interrupted), CASE(no_permission), CASE(refusals),
        CASE(names), CASE(descriptors_dont_leak),
    };
    return run_cases(cases, sizeof cases / sizeof *cases, argc, argv);
}
