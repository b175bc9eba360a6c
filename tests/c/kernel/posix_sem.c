/* POSIX semaphores from C. See check.h for how a test program works. */
#define KIND(suffix) madang_posix_sem##suffix
#define FILES "sem."
#include "../check.h"

#include <limits.h>
#include <semaphore.h>
#include <sys/time.h>

static madang_posix_sem *open_with(const char *which, madang_posix_sem_options options)
{
    madang_posix_sem *semaphore = NULL;
    options.struct_size = sizeof options;
    EQUAL(madang_posix_sem_open(which, &options, &semaphore), 0);
    CHECK(semaphore != NULL);
    return semaphore;
}

static madang_posix_sem *of_value(const char *which, uint32_t value)
{
    return open_with(which, (madang_posix_sem_options){.value = value, .create = MADANG_CREATE_ONLY});
}

static madang_mapping *memory(uint64_t size, uint32_t flags)
{
    madang_posix_shm_options options = {.struct_size = sizeof options, .size = size};
    madang_posix_shm *object;
    madang_mapping *mapping;
    EQUAL(madang_posix_shm_open(name("memory"), &options, &object), 0);
    EQUAL(madang_posix_shm_map(object, 0, 0, flags, &mapping), 0);
    EQUAL(madang_posix_shm_close(object), 0);
    return mapping;
}

static void smoke(void)
{
    madang_posix_sem *semaphore = of_value(name("s"), 2), *same;
    EQUAL(madang_posix_sem_is_new(semaphore), 1);
    CHECK(strcmp(madang_posix_sem_name(semaphore), name("s")) == 0);
    EQUAL(madang_posix_sem_open(name("s"), NULL, &same), 0);
    EQUAL(madang_posix_sem_is_new(same), 0);
    EQUAL(madang_posix_sem_value(same), 2);
    EQUAL(madang_posix_sem_wait(semaphore, 0, -1), 0);
    EQUAL(madang_posix_sem_wait(same, MADANG_INSTANT, 0), 0);
    FAILS(madang_posix_sem_wait(same, 0, 0), EAGAIN, "its value is 0");
    EQUAL(madang_posix_sem_post(same), 0);
    EQUAL(madang_posix_sem_value(semaphore), 1);
    EQUAL(madang_posix_sem_close(semaphore), 0);
    EQUAL(madang_posix_sem_close(same), 0);
    EQUAL(madang_posix_sem_unlink(name("s")), 0);
    FAILS(madang_posix_sem_unlink(name("s")), ENOENT, "there is none");
}

static void the_c_library_s(void)
{
    madang_posix_sem *ours = of_value(name("s"), 3);
    sem_t *theirs = sem_open(name("s"), 0);
    CHECK(theirs != SEM_FAILED);
    EQUAL(sem_post(theirs), 0);
    EQUAL(madang_posix_sem_value(ours), 4);
    theirs = sem_open(name("t"), O_CREAT | O_EXCL, 0600, 1);
    CHECK(theirs != SEM_FAILED);
    ours = open_with(name("t"), (madang_posix_sem_options){.create = MADANG_CREATE_NEVER});
    EQUAL(madang_posix_sem_wait(ours, 0, -1), 0);
    CHECK(sem_trywait(theirs) == -1 && errno == EAGAIN);
}

static void timeouts(void)
{
    madang_posix_sem *semaphore = of_value(name("s"), 0);
    int64_t begun = now_ns();
    FAILS(madang_posix_sem_wait(semaphore, 0, 20 * MS), ETIMEDOUT, "the time is over");
    FAILS(madang_posix_sem_wait(semaphore, MADANG_DEADLINE, begun + 40 * MS), ETIMEDOUT, "the time is over");
    CHECK(now_ns() >= begun + 40 * MS);
    FAILS(madang_posix_sem_wait(semaphore, MADANG_DEADLINE, 1), ETIMEDOUT, "the time is over");
    FAILS(madang_posix_sem_wait(semaphore, 64, 0), EINVAL, "flags 0x40");
    EQUAL(madang_posix_sem_post(semaphore), 0);
    EQUAL(madang_posix_sem_wait(semaphore, MADANG_DEADLINE, 1), 0);
}

static void ping_pong(void)
{
    madang_posix_sem *ping = of_value(name("ping"), 0), *pong = of_value(name("pong"), 0);
    pid_t child = fork();
    for (int i = 0; i < 1000; i++) {
        EQUAL(madang_posix_sem_post(child == 0 ? pong : ping), 0);
        EQUAL(madang_posix_sem_wait(child == 0 ? ping : pong, 0, -1), 0);
    }
    if (child == 0)
        exit(EXIT_SUCCESS);
    reap(child);
}

static void nothing(int number)
{
    (void)number;
}

static void interrupted(void)
{
    madang_posix_sem *semaphore = of_value(name("s"), 0);
    struct itimerval soon = {.it_value = {.tv_usec = 20000}};
    struct sigaction action = {.sa_handler = nothing, .sa_flags = SA_RESTART};
    CHECK(sigaction(SIGALRM, &action, NULL) == 0 && setitimer(ITIMER_REAL, &soon, NULL) == 0);
    FAILS(madang_posix_sem_wait(semaphore, 0, -1), EINTR, "nothing was taken");
}

static void capacity(void)
{
    madang_posix_sem *semaphore = of_value(name("s"), SEM_VALUE_MAX);
    FAILS(madang_posix_sem_post(semaphore), EOVERFLOW, "2147483647, the greatest");
    EQUAL(madang_posix_sem_value(semaphore), SEM_VALUE_MAX);
}

static void unnamed(void)
{
    madang_mapping *mapping = memory(4096, 0);
    madang_posix_sem *ping, *pong;
    EQUAL(madang_posix_sem_init(mapping, 64, 0, &ping), 0);
    EQUAL(madang_posix_sem_init(mapping, 4096 - sizeof(sem_t), 5, &pong), 0);
    EQUAL(madang_posix_sem_is_new(ping), 1);
    CHECK(*madang_posix_sem_name(ping) == '\0');
    /* The C library's own function finds it there. */
    EQUAL(sem_post((sem_t *)(void *)((char *)madang_mapping_data(mapping) + 64)), 0);
    EQUAL(madang_posix_sem_wait(ping, 0, 0), 0);
    /* The semaphores keep the memory. */
    EQUAL(madang_mapping_close(mapping), 0);
    FAILS(madang_posix_sem_at(mapping, 64, &ping), EBADF, "not an open handle");
    pid_t child = fork();
    if (child == 0) {
        madang_posix_sem *theirs;
        EQUAL(madang_posix_sem_at(memory(4096, 0), 64, &theirs), 0);
        EQUAL(madang_posix_sem_is_new(theirs), 0);
        EQUAL(madang_posix_sem_wait(theirs, 0, -1), 0);
        EQUAL(madang_posix_sem_post(pong), 0);
        exit(EXIT_SUCCESS);
    }
    EQUAL(madang_posix_sem_post(ping), 0);
    reap(child);
    EQUAL(madang_posix_sem_value(pong), 6);
    EQUAL(madang_posix_sem_close(ping), 0);
    EQUAL(madang_posix_sem_close(pong), 0);
}

static void bad_places(void)
{
    madang_mapping *mapping = memory(100, 0);
    madang_posix_sem *untouched = (madang_posix_sem *)(void *)&mapping, *semaphore = untouched;
    FAILS(madang_posix_sem_init(mapping, 1, 0, &semaphore), EINVAL, "must be a multiple of");
    FAILS(madang_posix_sem_init(mapping, 96, 0, &semaphore), EINVAL, "don't lie within its 100");
    FAILS(madang_posix_sem_at(mapping, SIZE_MAX, &semaphore), EINVAL, "don't lie within");
    FAILS(madang_posix_sem_init(mapping, 0, SEM_VALUE_MAX + 1u, &semaphore), EINVAL, "2147483647 at most");
    FAILS(madang_posix_sem_at(memory(100, MADANG_READ_ONLY), 0, &semaphore), EACCES, "read-only");
    FAILS(madang_posix_sem_at(NULL, 0, &semaphore), EFAULT, "mapping is NULL");
    FAILS(madang_posix_sem_at(mapping, 0, NULL), EFAULT, "semaphore is NULL");
    CHECK(semaphore == untouched);
}

static void stat_and_list(void)
{
    umask(077);
    open_with(name("s"), (madang_posix_sem_options){.value = 7, .mode = 0666});
    madang_posix_sem_status status = {.struct_size = sizeof status};
    EQUAL(madang_posix_sem_stat(name("s"), &status), 0);
    CHECK(status.value == 7 && status.mode == 0666 && status.uid == geteuid() && status.gid == getegid());
    FAILS(madang_posix_sem_stat(name("t"), &status), ENOENT, "there is none");
    madang_posix_listed listed[200] = {{.struct_size = sizeof listed[0]}};
    int64_t count = madang_posix_sem_list(listed, 200), i = 0;
    CHECK(count <= 200);
    while (i < count && strcmp(listed[i].name, name("s")) != 0)
        i++;
    CHECK(i < count && listed[i].mode == 0666 && listed[i].size == sizeof(sem_t));
}

static void bad_input(void)
{
    madang_posix_sem_options options = {.struct_size = sizeof options, .create = MADANG_CREATE_NEVER};
    OPEN_FAILS(name("s"), &options, ENOENT, "does not create it");
    OPEN_FAILS("", NULL, EINVAL, "the name is empty");
    OPEN_FAILS("/s", NULL, EINVAL, "a name has no '/'");
    options = (madang_posix_sem_options){.struct_size = sizeof options, .value = SEM_VALUE_MAX + 1u};
    OPEN_FAILS(name("s"), &options, EINVAL, "2147483647 at most");
    options = (madang_posix_sem_options){.struct_size = sizeof options, .mode = 010000};
    OPEN_FAILS(name("s"), &options, EINVAL, "permission bits");
    of_value(name("s"), 0);
    options = (madang_posix_sem_options){.struct_size = sizeof options, .create = MADANG_CREATE_ONLY};
    OPEN_FAILS(name("s"), &options, EEXIST, "the name is taken");
    CHECK(truncate(path(name("s")), 5) == 0);
    OPEN_FAILS(name("s"), NULL, EINVAL, "has 5 bytes: it is no semaphore");
}

static void use_what_root_made(void)
{
    OPEN_FAILS(name("s"), NULL, EACCES, "does not permit this user");
    FAILS(madang_posix_sem_unlink(name("s")), EPERM, "only the owner");
}

static void other_users(void)
{
    of_value(name("s"), 0);
    as_user(65534, use_what_root_made);
}

static void null_pointers(void)
{
    OPEN_FAILS(NULL, NULL, EFAULT, "name is NULL");
    FAILS(madang_posix_sem_open(name("s"), NULL, NULL), EFAULT, "semaphore is NULL");
    FAILS(madang_posix_sem_post(NULL), EFAULT, "semaphore is NULL");
    FAILS(madang_posix_sem_wait(NULL, 0, 0), EFAULT, "semaphore is NULL");
    FAILS(madang_posix_sem_value(NULL), EFAULT, "semaphore is NULL");
    FAILS(madang_posix_sem_stat(name("s"), NULL), EFAULT, "status is NULL");
    FAILS_WITH_NOTHING(madang_posix_sem_name(NULL), EFAULT, "semaphore is NULL");
    FAILS(madang_posix_sem_is_new(NULL), EFAULT, "semaphore is NULL");
    FAILS(madang_posix_sem_close(NULL), EFAULT, "semaphore is NULL");
    FAILS(madang_posix_sem_unlink(NULL), EFAULT, "name is NULL");
    FAILS(madang_posix_sem_list(NULL, 1), EFAULT, "objects is NULL");
}

static void closed_handle(void)
{
    int before = open_descriptors();
    madang_posix_sem *semaphore = of_value(name("s"), 0);
    EQUAL(open_descriptors(), before);
    EQUAL(madang_posix_sem_close(semaphore), 0);
    FAILS(madang_posix_sem_close(semaphore), EBADF, "was it closed before?");
    FAILS(madang_posix_sem_post(semaphore), EBADF, "not an open handle");
    FAILS(madang_posix_sem_wait(semaphore, 0, 0), EBADF, "not an open handle");
    FAILS(madang_posix_sem_value(semaphore), EBADF, "not an open handle");
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        CASE(smoke),      CASE(the_c_library_s), CASE(timeouts),  CASE(ping_pong),   CASE(interrupted),
        CASE(capacity),   CASE(unnamed),         CASE(bad_places), CASE(stat_and_list), CASE(bad_input),
        CASE(other_users), CASE(null_pointers),  CASE(closed_handle),
    };
    return run_cases(cases, sizeof cases / sizeof cases[0], argc, argv);
}
