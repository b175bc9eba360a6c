/*
 * What the bodies of the parity suite have in common.
 *
 * Each is a program that makes System V calls, compiled once, and run twice: against the kernel, and against ours by LD_PRELOAD.
 * It asserts nothing: it says what it saw, a line for each look, and main.rs compares the lines. So a line has in it only what
 * must be the same each time: no identifiers, pids, times or addresses.
 *
 * Each case is a process of its own, with all whom it forks; whoever hangs is killed, which is said too. Who is to be asleep is
 * waited for; nothing relies on a sleep being long enough.
 */
#ifndef PARITY_H
#define PARITY_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SECONDS_PER_CASE 20
#define KEY 0x5eed0001
#define NOBODY 65534

static const char *case_name;
static const char *program;

static void say(const char *format, ...)
{
    char line[512];
    int length = snprintf(line, sizeof line, "%s: ", case_name);
    va_list arguments;
    va_start(arguments, format);
    length += vsnprintf(line + length, sizeof line - length - 1, format, arguments);
    va_end(arguments);
    line[length++] = '\n';
    /* One write: children speak too. */
    if (write(1, line, length) != length)
        _exit(EXIT_FAILURE);
}

static const char *errno_name(int number)
{
    static const struct {
        int number;
        const char *name;
    } names[] = {
#define NAME(number) {number, #number}
        {0, "fine"},  NAME(E2BIG),  NAME(EACCES), NAME(EAGAIN), NAME(EBADF),  NAME(EBUSY),   NAME(ECHILD), NAME(EEXIST),
        NAME(EFAULT), NAME(EFBIG),  NAME(EIDRM),  NAME(EINTR),  NAME(EINVAL), NAME(EIO),     NAME(EMFILE), NAME(ENOENT),
        NAME(ENOMEM), NAME(ENOMSG), NAME(ENOSPC), NAME(ENOSYS), NAME(EPERM),  NAME(ERANGE),  NAME(EROFS),  NAME(ESRCH),
        NAME(EUCLEAN), NAME(EUSERS), NAME(EOWNERDEAD), NAME(ETIMEDOUT), NAME(EPROTO),
#undef NAME
    };
    static char other[16];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].number == number)
            return names[i].name;
    snprintf(other, sizeof other, "errno %d", number);
    return other;
}

/* Says what a call returned. */
#define SAY(call) said(#call, (long)(call))
/* As SAY, of what returns an identifier, or an address: these differ each time. */
#define ID(call) said_id(#call, (call))
#define AT(call) said_address(#call, (call))
/* Says whether something is so. */
#define IS(condition) say("%s: %s", #condition, (condition) ? "yes" : "no")
/* The errno of a call, or 0. */
#define ERRNO(call) ((long)(call) == -1 ? errno : 0)

static inline long said(const char *what, long result)
{
    if (result == -1)
        say("%s = %s", what, errno_name(errno));
    else
        say("%s = %ld", what, result);
    return result;
}

static inline int said_id(const char *what, int id)
{
    if (id == -1)
        say("%s = %s", what, errno_name(errno));
    else
        say("%s = %s", what, id >= 0 ? "an identifier" : "A NEGATIVE NUMBER");
    return id;
}

static inline void *said_address(const char *what, void *address)
{
    if (address == (void *)-1)
        say("%s = %s", what, errno_name(errno));
    else
        say("%s = an address", what);
    return address;
}

/* Processes. */

static int checkpoint[2];

/* A child says that it has come here; and its parent waits for that. */
static inline void reach(void)
{
    if (write(checkpoint[1], ".", 1) != 1)
        _exit(EXIT_FAILURE);
}

static inline void wait_checkpoint(void)
{
    char dot;
    if (read(checkpoint[0], &dot, 1) != 1)
        _exit(EXIT_FAILURE);
}

typedef int (*work)(void *);

/* Runs work in a child, which exits with what it returns. */
static inline pid_t start(work what, void *with)
{
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        exit(what(with));
    }
    return child;
}

/* Starts a child that reaches the checkpoint right before it does something that puts it to sleep, and waits until it sleeps. */
static inline pid_t start_sleeper(work what, void *with)
{
    pid_t child = start(what, with);
    wait_checkpoint();
    for (int asleep = 0; asleep < 5;) {
        char path[64], text[512] = "";
        snprintf(path, sizeof path, "/proc/%d/stat", (int)child);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
            text[0] = 0;
            ssize_t got = read(fd, text, sizeof text - 1);
            text[got > 0 ? got : 0] = 0;
            close(fd);
        }
        const char *after = strrchr(text, ')');
        if (after && after[2] == 'Z')
            return child;
        asleep = after && after[2] == 'S' ? asleep + 1 : 0;
        usleep(2000);
    }
    return child;
}

/* How a child ended: the errno that it exits with, by name. */
static inline void ended(const char *who, pid_t child)
{
    int status;
    while (waitpid(child, &status, 0) == -1 && errno == EINTR)
        ;
    if (WIFSIGNALED(status))
        say("%s: ended by signal %d", who, WTERMSIG(status));
    else
        say("%s: %s", who, errno_name(WEXITSTATUS(status)));
}

/* Whether it sleeps still, after others have had the time to wake it. */
static inline int sleeps(pid_t child)
{
    int status;
    usleep(50000);
    return waitpid(child, &status, WNOHANG) == 0;
}

/* Does the work as another user. */
static inline void as_nobody(work what, void *with)
{
    pid_t child = fork();
    if (child == 0) {
        if (setgroups(0, NULL) != 0 || setgid(NOBODY) != 0 || setuid(NOBODY) != 0) {
            say("only root can be somebody else");
            _exit(EXIT_FAILURE);
        }
        exit(what(with));
    }
    ended("as nobody", child);
}

static inline void handler(int number)
{
    (void)number;
}

/* Whether a time is about now. */
static inline int is_now(time_t then)
{
    time_t now = time(NULL);
    return then >= now - 5 && then <= now + 1;
}

static inline const char *who(pid_t pid, pid_t child)
{
    return pid == 0 ? "nobody" : pid == getpid() ? "me" : pid == child ? "the child" : "SOMEBODY";
}

/* A process that runs this program again, to do one thing: argv is program, "do", what, number. */
static inline pid_t start_anew(const char *what, long number)
{
    pid_t child = fork();
    if (child == 0) {
        char text[32];
        snprintf(text, sizeof text, "%ld", number);
        execl(program, program, "do", case_name, what, text, (char *)NULL);
        _exit(EXIT_FAILURE);
    }
    return child;
}

struct parity_case {
    const char *name;
    void (*run)(void);
};

#define CASE(function) {#function, function}

/* What start_anew() runs. */
static int anew(const char *what, long number);

static inline int run_cases(const struct parity_case *cases, size_t count, int argc, char **argv)
{
    program = argv[0];
    if (argc == 5 && strcmp(argv[1], "do") == 0) {
        case_name = argv[2];
        return anew(argv[3], atol(argv[4]));
    }
    /* The kernel's objects of others aren't seen, and ours go with this process. Ours lie in a folder of their own. */
    (void)unshare(CLONE_NEWIPC);
    for (size_t i = 0; i < count; i++) {
        if (argc > 1 && strcmp(argv[1], cases[i].name) != 0)
            continue;
        case_name = cases[i].name;
        pid_t child = fork();
        if (child == 0) {
            setpgid(0, 0);
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (pipe2(checkpoint, O_CLOEXEC) != 0)
                _exit(EXIT_FAILURE);
            alarm(SECONDS_PER_CASE);
            cases[i].run();
            exit(EXIT_SUCCESS);
        }
        int status;
        waitpid(child, &status, 0);
        kill(-child, SIGKILL);
        if (WIFSIGNALED(status))
            say("ENDED BY SIGNAL %d", WTERMSIG(status));
        else if (WEXITSTATUS(status) != 0)
            say("FAILED");
    }
    return EXIT_SUCCESS;
}

#endif
