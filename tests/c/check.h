/*
 * What the C tests have in common.
 *
 * A test program is a table of named cases. Each case runs in a process of its own: one that crashes
 * or hangs leaves the others alone. Its objects have names that begin with prefix(); however the
 * case ends, what is left of them is removed, and what it has forked is killed.
 *
 *     ./queue            all cases
 *     ./queue smoke      one
 *
 * A case ends by returning, by a CHECK that does not hold, or by skip(), which is said aloud.
 *
 * Before it includes this, a program that is about named objects says which kind it is about: KIND(suffix) is what follows
 * madang_ in its names, and FILES what its files' names begin with. Of objects that are no files it may say how those that a case
 * left are removed: REMOVE().
 */
#ifndef CHECK_H
#define CHECK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <inttypes.h>
#include <madang.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
/* As in <sanitizer/allocator_interface.h>, which not every compiler's package has. */
size_t __sanitizer_get_current_allocated_bytes(void);
#endif

#define MS 1000000LL
#define SECONDS_PER_CASE 30
#define SKIPPED 77

#define CHECK(condition)                                                                                   \
    do {                                                                                                   \
        if (!(condition)) {                                                                                \
            fprintf(stderr, "%s:%d: not so: %s\n    the last error: %s\n", __FILE__, __LINE__, #condition, \
                    madang_last_error());                                                                  \
            exit(EXIT_FAILURE);                                                                            \
        }                                                                                                  \
    } while (0)

#define EQUAL(left, right) check_equal(__FILE__, __LINE__, #left, (int64_t)(left), (int64_t)(right))

/* The call returns -number, and madang_last_error() has the words and the errno's name in it. */
#define FAILS(call, number, words) \
    check_fails(__FILE__, __LINE__, #call, (int64_t)(call), number, "(" #number ")", words)

/* As FAILS, for calls that return NULL or 0 when they fail. */
#define FAILS_WITH_NOTHING(call, number, words) \
    check_fails(__FILE__, __LINE__, #call, (call) ? 0 : -(number), number, "(" #number ")", words)

static inline void check_equal(const char *file, int line, const char *what, int64_t left, int64_t right)
{
    if (left != right) {
        fprintf(stderr, "%s:%d: %s is %" PRId64 ", not %" PRId64 "\n    the last error: %s\n", file, line, what, left,
                right, madang_last_error());
        exit(EXIT_FAILURE);
    }
}

static inline void check_fails(const char *file, int line, const char *call, int64_t returned, int number,
                               const char *name, const char *words)
{
    const char *text = madang_last_error();
    if (returned != -number || !strstr(text, name) || !strstr(text, words)) {
        fprintf(stderr, "%s:%d: %s\n    returned %" PRId64 ", expected %s (%d) with \"%s\"\n    the last error: %s\n",
                file, line, call, returned, name, -number, words, text);
        exit(EXIT_FAILURE);
    }
}

/* What all names of this run of this case begin with; and the case. */
static char prefix_text[64];
static const char *case_name;

static inline void skip(const char *why)
{
    printf("%s: skipped: %s\n", case_name, why);
    exit(SKIPPED);
}

/* One of the case's names; each thread has four at once. */
static inline const char *name(const char *which)
{
    static _Thread_local char names[4][128];
    static _Thread_local unsigned next;
    char *text = names[next++ % 4];
    snprintf(text, sizeof names[0], "%s-%s", prefix_text, which);
    return text;
}

#ifdef KIND
/* The file of the object of that name. */
static inline const char *path(const char *which)
{
    static char text[256];
    snprintf(text, sizeof text, "/dev/shm/" FILES "%s", which);
    return text;
}

/* Opening fails with this errno and these words, and leaves the caller's pointer alone. */
#define OPEN_FAILS(which, options, number, words) \
    check_open_fails(__FILE__, __LINE__, which, options, number, "(" #number ")", words)

static inline void check_open_fails(const char *file, int line, const char *which, const KIND(_options) * options,
                                    int number, const char *number_name, const char *words)
{
    KIND() *const untouched = (KIND() *)(void *)&line;
    KIND() *object = untouched;
    int returned = KIND(_open)(which, options, &object);
    check_fails(file, line, "opening it", returned, number, number_name, words);
    CHECK(object == untouched);
}
#endif

static inline int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* Waits for a child and checks that it ended well. */
static inline void reap(pid_t child)
{
    int status;
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* How many descriptors this process has open. */
static inline int open_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* Mounts an empty tmpfs of that size, for this process alone: nothing is left mounted, however it ends. */
static inline void mount_small(const char *place, const char *size)
{
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0
        || mount("none", place, "tmpfs", 0, size) != 0)
        skip("mounting a small tmpfs is not permitted");
}

/* Bytes that malloc has given out, where that can be asked; else 0. */
static inline size_t allocated(void)
{
#ifdef __SANITIZE_ADDRESS__
    return __sanitizer_get_current_allocated_bytes();
#elif defined(__GLIBC__) && __GLIBC__ * 100 + __GLIBC_MINOR__ >= 233
    return mallinfo2().uordblks;
#else
    return 0;
#endif
}

/* Runs work in a child as an unprivileged user, and checks that it ended well. Only root can. */
static inline void as_user(uid_t user, void (*work)(void))
{
    if (geteuid() != 0)
        skip("only root can act as another user");
    pid_t child = fork();
    if (child == 0) {
        CHECK(setgroups(0, NULL) == 0 && setgid(user) == 0 && setuid(user) == 0);
        work();
        exit(EXIT_SUCCESS);
    }
    reap(child);
}

struct test_case {
    const char *name;
    void (*run)(void);
};

/* clang-format off */
#define CASE(function) {.name = #function, .run = function}
/* clang-format on */

static inline void remove_left_over(void)
{
#ifdef REMOVE
    REMOVE();
#endif
    char pattern[4][128];
    snprintf(pattern[0], sizeof pattern[0], "/dev/shm/madang.*.%s-*", prefix_text);
    snprintf(pattern[1], sizeof pattern[1], "/dev/shm/%s-*/*", prefix_text);
    snprintf(pattern[2], sizeof pattern[2], "/dev/shm/%s-*", prefix_text);
    snprintf(pattern[3], sizeof pattern[3], "/dev/shm/sem.%s-*", prefix_text);
    for (int i = 0; i < 4; i++) {
        glob_t found;
        if (glob(pattern[i], 0, NULL, &found) == 0) {
            for (size_t at = 0; at < found.gl_pathc; at++)
                remove(found.gl_pathv[at]);
            globfree(&found);
        }
    }
}

/* Runs one case; returns whether it may be called passed. */
static inline int run_case(const struct test_case *which)
{
    snprintf(prefix_text, sizeof prefix_text, "c-test-%d-%s", (int)getpid(), which->name);
    case_name = which->name;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        setpgid(0, 0);
        alarm(SECONDS_PER_CASE);
        which->run();
        exit(EXIT_SUCCESS);
    }
    int status = -1;
    waitpid(child, &status, 0);
    kill(-child, SIGKILL);
    remove_left_over();
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        printf("%s: ok\n", which->name);
    else if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
        ; /* It has said why. */
    else if (WIFSIGNALED(status))
        printf("%s: FAILED by signal %d (%s)\n", which->name, WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        printf("%s: FAILED\n", which->name);
    return WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == SKIPPED);
}

static inline int run_cases(const struct test_case *cases, size_t count, int argc, char **argv)
{
    int failed = 0, ran = 0;
    for (size_t i = 0; i < count; i++) {
        if (argc < 2 || strcmp(argv[1], cases[i].name) == 0) {
            ran++;
            failed += !run_case(&cases[i]);
        }
    }
    if (ran == 0)
        fprintf(stderr, "there is no case %s\n", argv[1]);
    return failed > 0 || ran == 0;
}

#endif
