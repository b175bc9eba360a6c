/* Mutexes, read-write locks, conditions, barriers and events from C. See check.h for how a test program works. */
#define KIND(suffix) madang_mutex##suffix
#define FILES "madang.mutex."
#define madang_mutex_options madang_sync_options
#include "../check.h"

#include <pthread.h>

#define LONG (10000 * MS)

static madang_segment *open_segment(void)
{
    madang_segment_options options = {.struct_size = sizeof options, .length = 8192};
    madang_segment *segment = NULL;
    EQUAL(madang_segment_open(name("s"), &options, &segment), 0);
    return segment;
}

static madang_mutex *open_mutex(void)
{
    madang_mutex *mutex = NULL;
    EQUAL(madang_mutex_open(name("m"), NULL, &mutex), 0);
    return mutex;
}

static madang_event *open_event(const char *which)
{
    madang_event *event = NULL;
    EQUAL(madang_event_open(which, NULL, &event), 0);
    return event;
}

/* In a child: says so by the event, and stays until it is killed. */
static void stay(madang_event *event)
{
    EQUAL(madang_event_set(event), 0);
    for (;;)
        pause();
}

static void bury(pid_t child)
{
    CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
}

static void smoke(void)
{
    madang_mutex *mutex = open_mutex(), *same = open_mutex();
    EQUAL(madang_mutex_is_new(mutex), 1);
    EQUAL(madang_mutex_is_new(same), 0);
    CHECK(strcmp(madang_mutex_name(mutex), name("m")) == 0);
    EQUAL(madang_mutex_lock(mutex, 0, -1), 0);
    FAILS(madang_mutex_lock(same, 0, 0), EAGAIN, "it would have to wait");
    EQUAL(madang_mutex_unlock(mutex), 0);
    EQUAL(madang_mutex_lock(same, 0, 0), 0);
    EQUAL(madang_mutex_unlock(same), 0);
    EQUAL(madang_mutex_close(mutex), 0);
    EQUAL(madang_mutex_close(same), 0);
    EQUAL(madang_mutex_unlink(name("m")), 0);
    FAILS(madang_mutex_unlink(name("m")), ENOENT, "there is none");
}

/* All five by name: opened, found again, closed, removed. */
static void by_name(void)
{
#define BY_NAME(kind)                                            \
    do {                                                         \
        madang_##kind *it, *same;                                \
        EQUAL(madang_##kind##_open(name("it"), NULL, &it), 0);   \
        EQUAL(madang_##kind##_open(name("it"), NULL, &same), 0); \
        EQUAL(madang_##kind##_is_new(it), 1);                    \
        EQUAL(madang_##kind##_is_new(same), 0);                  \
        CHECK(!strcmp(madang_##kind##_name(it), name("it")));    \
        EQUAL(madang_##kind##_close(it), 0);                     \
        EQUAL(madang_##kind##_close(same), 0);                   \
        EQUAL(madang_##kind##_unlink(name("it")), 0);            \
    } while (0)
    BY_NAME(mutex);
    BY_NAME(rwlock);
    BY_NAME(condition);
    BY_NAME(barrier);
    BY_NAME(event);
}

/* Locks in a segment outlive its handle. */
static void in_a_segment(void)
{
    madang_segment *segment = open_segment();
    madang_mutex *mutex, *same;
    madang_event *event;
    EQUAL(madang_mutex_within(segment, 64, &mutex), 0);
    EQUAL(madang_mutex_within(segment, 64, &same), 0);
    EQUAL(madang_event_within(segment, 64 + MADANG_MUTEX_SIZE, &event), 0);
    EQUAL(madang_mutex_is_new(mutex), 0);
    CHECK(strcmp(madang_mutex_name(mutex), name("s")) == 0);
    EQUAL(madang_segment_close(segment), 0);
    EQUAL(madang_mutex_lock(mutex, 0, -1), 0);
    FAILS(madang_mutex_lock(same, 0, 0), EAGAIN, "it would have to wait");
    pid_t child = fork();
    if (child == 0) {
        madang_mutex *mine;
        EQUAL(madang_mutex_within(open_segment(), 64, &mine), 0);
        EQUAL(madang_event_set(event), 0);
        EQUAL(madang_mutex_lock(mine, 0, LONG), 0);
        EQUAL(madang_mutex_unlock(mine), 0);
        exit(EXIT_SUCCESS);
    }
    EQUAL(madang_event_wait(event, 0, LONG), 0);
    EQUAL(madang_mutex_unlock(mutex), 0);
    reap(child);
}

static void timeout(void)
{
    madang_segment *segment = open_segment();
    madang_mutex *mutex = open_mutex();
    madang_rwlock *lock;
    madang_condition *condition;
    madang_barrier *barrier;
    madang_event *event = open_event(name("e"));
    EQUAL(madang_rwlock_within(segment, 0, &lock), 0);
    EQUAL(madang_condition_within(segment, 1024, &condition), 0);
    EQUAL(madang_barrier_within(segment, 2048, &barrier), 0);
    EQUAL(madang_barrier_set_parties(barrier, 2), 0);
    EQUAL(madang_mutex_lock(mutex, 0, 0), 0);
    EQUAL(madang_rwlock_lock_write(lock, 0, 0), 0);
    int64_t begun = now_ns();
#define TIMES_OUT(call, ...)                                            \
    do {                                                                \
        FAILS(call(__VA_ARGS__, 0, 20 * MS), ETIMEDOUT, "the time is over"); \
        FAILS(call(__VA_ARGS__, MADANG_DEADLINE, 1), ETIMEDOUT, "the time is over"); \
        FAILS(call(__VA_ARGS__, 0, 0), EAGAIN, "would have to wait");   \
        FAILS(call(__VA_ARGS__, MADANG_INSTANT, 0), EAGAIN, "would have to wait"); \
        FAILS(call(__VA_ARGS__, MADANG_INSTANT, 1), EINVAL, "MADANG_INSTANT doesn't wait"); \
        FAILS(call(__VA_ARGS__, 64, 0), EINVAL, "no such flags");       \
    } while (0)
    TIMES_OUT(madang_mutex_lock, mutex);
    TIMES_OUT(madang_rwlock_lock_read, lock);
    TIMES_OUT(madang_rwlock_lock_write, lock);
    TIMES_OUT(madang_condition_wait, condition, mutex);
    TIMES_OUT(madang_barrier_wait, barrier);
    TIMES_OUT(madang_event_wait, event);
    CHECK(now_ns() - begun >= 6 * 20 * MS);
    EQUAL(madang_mutex_unlock(mutex), 0);
    EQUAL(madang_rwlock_unlock(lock), 0);
    EQUAL(madang_barrier_waiting(barrier), 0);
}

static void owner_died(void)
{
    madang_segment *segment = open_segment();
    madang_mutex *mutex;
    madang_rwlock *lock;
    madang_event *event = open_event(name("e"));
    EQUAL(madang_mutex_within(segment, 0, &mutex), 0);
    EQUAL(madang_rwlock_within(segment, 512, &lock), 0);
    pid_t child = fork();
    if (child == 0) {
        EQUAL(madang_mutex_lock(mutex, 0, -1), 0);
        EQUAL(madang_rwlock_lock_write(lock, 0, -1), 0);
        stay(event);
    }
    EQUAL(madang_event_wait(event, 0, LONG), 0);
    FAILS(madang_mutex_lock(mutex, 0, 0), EAGAIN, "it would have to wait");
    FAILS(madang_rwlock_lock_read(lock, 0, 0), EAGAIN, "it would have to wait");
    bury(child);
    EQUAL(madang_mutex_lock(mutex, 0, LONG), 1);
    EQUAL(madang_mutex_unlock(mutex), 0);
    EQUAL(madang_mutex_lock(mutex, 0, LONG), 0);
    EQUAL(madang_rwlock_lock_read(lock, 0, LONG), 1);
    EQUAL(madang_rwlock_unlock(lock), 0);
    EQUAL(madang_rwlock_lock_write(lock, 0, LONG), 1);
    EQUAL(madang_rwlock_unlock(lock), 0);
    EQUAL(madang_rwlock_lock_write(lock, 0, LONG), 0);
    /* Who closes what he holds has left it, too. */
    EQUAL(madang_mutex_close(mutex), 0);
    EQUAL(madang_rwlock_close(lock), 0);
    EQUAL(madang_mutex_within(segment, 0, &mutex), 0);
    EQUAL(madang_rwlock_within(segment, 512, &lock), 0);
    EQUAL(madang_mutex_lock(mutex, 0, 0), 1);
    EQUAL(madang_rwlock_lock_read(lock, 0, 0), 1);
}

static void who_holds_it(void)
{
    madang_segment *segment = open_segment();
    madang_mutex *mutex, *other;
    madang_rwlock *lock;
    EQUAL(madang_mutex_within(segment, 0, &mutex), 0);
    EQUAL(madang_mutex_within(segment, 0, &other), 0);
    EQUAL(madang_rwlock_within(segment, 512, &lock), 0);
    FAILS(madang_mutex_unlock(mutex), EPERM, "this handle doesn't hold it");
    FAILS(madang_rwlock_unlock(lock), EPERM, "this handle doesn't hold it");
    EQUAL(madang_mutex_lock(mutex, 0, 0), 0);
    FAILS(madang_mutex_unlock(other), EPERM, "this handle doesn't hold it");
    for (int i = 0; i < 3; i++)
        EQUAL(madang_rwlock_lock_read(lock, 0, 0), 0);
    /* A child has no part in it. */
    pid_t child = fork();
    if (child == 0) {
        FAILS(madang_mutex_unlock(mutex), EOWNERDEAD, "another process's");
        FAILS(madang_rwlock_unlock(lock), EOWNERDEAD, "another process's");
        FAILS(madang_mutex_lock(mutex, 0, 0), EAGAIN, "it would have to wait");
        EQUAL(madang_rwlock_lock_read(lock, 0, 0), 0);
        EQUAL(madang_rwlock_unlock(lock), 0);
        EQUAL(madang_mutex_close(mutex), 0);
        EQUAL(madang_rwlock_close(lock), 0);
        exit(EXIT_SUCCESS);
    }
    reap(child);
    FAILS(madang_mutex_lock(other, 0, 0), EAGAIN, "it would have to wait");
    EQUAL(madang_mutex_unlock(mutex), 0);
    for (int i = 0; i < 3; i++) {
        FAILS(madang_rwlock_lock_write(lock, 0, 0), EAGAIN, "it would have to wait");
        EQUAL(madang_rwlock_unlock(lock), 0);
    }
    FAILS(madang_rwlock_unlock(lock), EPERM, "this handle doesn't hold it");
    EQUAL(madang_rwlock_lock_write(lock, 0, 0), 0);
    EQUAL(madang_rwlock_unlock(lock), 0);
}

static madang_mutex *shared_mutex;
static madang_rwlock *shared_lock;
static long counter;

static void *count(void *unused)
{
    (void)unused;
    for (int i = 0; i < 2000; i++) {
        EQUAL(madang_mutex_lock(shared_mutex, 0, LONG), 0);
        counter++;
        EQUAL(madang_mutex_unlock(shared_mutex), 0);
        EQUAL((i % 4 ? madang_rwlock_lock_read : madang_rwlock_lock_write)(shared_lock, 0, LONG), 0);
        EQUAL(madang_rwlock_unlock(shared_lock), 0);
    }
    return NULL;
}

/* One handle for all threads. */
static void threads(void)
{
    shared_mutex = open_mutex();
    EQUAL(madang_rwlock_open(name("l"), NULL, &shared_lock), 0);
    pthread_t thread[4];
    for (int i = 0; i < 4; i++)
        EQUAL(pthread_create(&thread[i], NULL, count, NULL), 0);
    for (int i = 0; i < 4; i++)
        EQUAL(pthread_join(thread[i], NULL), 0);
    EQUAL(counter, 8000);
    FAILS(madang_rwlock_unlock(shared_lock), EPERM, "this handle doesn't hold it");
}

/* A place for one number, which one fills and another empties. */
static void condition(void)
{
    madang_segment *segment = open_segment();
    madang_mutex *mutex;
    madang_condition *full, *empty;
    EQUAL(madang_mutex_within(segment, 0, &mutex), 0);
    EQUAL(madang_condition_within(segment, 64, &full), 0);
    EQUAL(madang_condition_within(segment, 128, &empty), 0);
    volatile int *place = (int *)((char *)madang_segment_data(segment) + 256);
    FAILS(madang_condition_wait(full, mutex, 0, -1), EPERM, "this handle doesn't hold it");
    pid_t child = fork();
    if (child == 0) {
        for (int i = 1; i <= 200; i++) {
            EQUAL(madang_mutex_lock(mutex, 0, LONG), 0);
            while (*place != 0)
                EQUAL(madang_condition_wait(empty, mutex, 0, LONG), 0);
            *place = i;
            EQUAL(madang_condition_notify_one(full), 0);
            EQUAL(madang_mutex_unlock(mutex), 0);
        }
        exit(EXIT_SUCCESS);
    }
    for (int i = 1; i <= 200; i++) {
        EQUAL(madang_mutex_lock(mutex, 0, LONG), 0);
        while (*place == 0)
            EQUAL(madang_condition_wait(full, mutex, 0, LONG), 0);
        EQUAL(*place, i);
        *place = 0;
        EQUAL(madang_mutex_unlock(mutex), 0);
        EQUAL(madang_condition_notify_all(empty), 0);
    }
    reap(child);
}

/* The mutex is held again, whatever came of the wait. */
static void a_wait_gives_the_mutex_back(void)
{
    madang_mutex *mutex = open_mutex();
    madang_condition *changed;
    EQUAL(madang_condition_open(name("c"), NULL, &changed), 0);
    EQUAL(madang_mutex_lock(mutex, 0, -1), 0);
    FAILS(madang_condition_wait(changed, mutex, 0, 5 * MS), ETIMEDOUT, "the time is over");
    EQUAL(madang_mutex_unlock(mutex), 0);
    EQUAL(madang_mutex_lock(mutex, 0, -1), 0);
    pid_t child = fork();
    if (child == 0) {
        EQUAL(madang_mutex_lock(mutex, 0, LONG), 0);
        EQUAL(madang_condition_notify_all(changed), 0);
        _exit(EXIT_SUCCESS); /* with the mutex */
    }
    EQUAL(madang_condition_wait(changed, mutex, 0, LONG), 1);
    EQUAL(madang_mutex_unlock(mutex), 0);
    reap(child);
}

static void barrier(void)
{
    madang_barrier *barrier, *same;
    EQUAL(madang_barrier_open(name("b"), NULL, &barrier), 0);
    EQUAL(madang_barrier_open(name("b"), NULL, &same), 0);
    EQUAL(madang_barrier_parties(barrier), 0);
    FAILS(madang_barrier_wait(barrier, 0, -1), EINVAL, "nobody has said how many");
    FAILS(madang_barrier_set_parties(barrier, 0), EINVAL, "1 to 120");
    EQUAL(madang_barrier_set_parties(barrier, 2), 0);
    EQUAL(madang_barrier_set_parties(same, 2), 0);
    FAILS(madang_barrier_set_parties(same, 3), EINVAL, "it was made for 2");
    EQUAL(madang_barrier_parties(same), 2);
    /* One who is killed while it waits isn't there any more. */
    pid_t child = fork();
    if (child == 0) {
        madang_barrier_wait(barrier, 0, -1);
        exit(EXIT_FAILURE);
    }
    while (madang_barrier_waiting(same) == 0)
        usleep(1000);
    bury(child);
    FAILS(madang_barrier_wait(same, 0, 10 * MS), ETIMEDOUT, "the time is over");
    child = fork();
    for (int round = 0; round < 100; round++) {
        int64_t rank = madang_barrier_wait(barrier, 0, LONG);
        CHECK(rank == 0 || rank == 1);
    }
    if (child == 0)
        exit(EXIT_SUCCESS);
    reap(child);
}

static void event(void)
{
    madang_event *event = open_event(name("e")), *ready = open_event(name("r"));
    EQUAL(madang_event_is_set(event), 0);
    pid_t child = fork();
    if (child == 0) {
        EQUAL(madang_event_set(ready), 0);
        EQUAL(madang_event_wait(event, 0, LONG), 0);
        exit(EXIT_SUCCESS);
    }
    EQUAL(madang_event_wait(ready, 0, LONG), 0);
    EQUAL(madang_event_set(event), 0);
    EQUAL(madang_event_is_set(event), 1);
    reap(child);
    EQUAL(madang_event_wait(event, 0, -1), 0);
    EQUAL(madang_event_clear(event), 0);
    EQUAL(madang_event_is_set(event), 0);
}

static void nothing(int signal)
{
    (void)signal;
}

/* Signals come to the child until it has ended well. */
static void signal_until_it_ends(pid_t child)
{
    int status;
    pid_t ended;
    while ((ended = waitpid(child, &status, WNOHANG)) == 0) {
        kill(child, SIGUSR1);
        usleep(1000);
    }
    CHECK(ended == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void interrupted(void)
{
    madang_mutex *mutex = open_mutex(), *mine = NULL;
    madang_rwlock *lock;
    madang_condition *condition;
    madang_barrier *barrier;
    madang_event *event = open_event(name("e"));
    EQUAL(madang_rwlock_open(name("l"), NULL, &lock), 0);
    EQUAL(madang_condition_open(name("c"), NULL, &condition), 0);
    EQUAL(madang_barrier_open(name("b"), NULL, &barrier), 0);
    EQUAL(madang_barrier_set_parties(barrier, 2), 0);
    EQUAL(madang_mutex_open(name("mine"), NULL, &mine), 0);
    EQUAL(madang_mutex_lock(mutex, 0, -1), 0);
    EQUAL(madang_rwlock_lock_write(lock, 0, -1), 0);
    signal(SIGUSR1, nothing);
    for (int which = 0; which < 6; which++) {
        pid_t child = fork();
        if (child == 0) {
            if (which == 0)
                FAILS(madang_mutex_lock(mutex, 0, -1), EINTR, "a signal handler ran");
            if (which == 1)
                FAILS(madang_rwlock_lock_read(lock, 0, -1), EINTR, "a signal handler ran");
            if (which == 2)
                FAILS(madang_rwlock_lock_write(lock, 0, -1), EINTR, "a signal handler ran");
            if (which == 3) {
                EQUAL(madang_mutex_lock(mine, 0, -1), 0);
                FAILS(madang_condition_wait(condition, mine, 0, -1), EINTR, "a signal handler ran");
                EQUAL(madang_mutex_unlock(mine), 0);
            }
            if (which == 4)
                FAILS(madang_barrier_wait(barrier, 0, -1), EINTR, "a signal handler ran");
            if (which == 5)
                FAILS(madang_event_wait(event, 0, -1), EINTR, "a signal handler ran");
            exit(EXIT_SUCCESS);
        }
        signal_until_it_ends(child);
    }
    EQUAL(madang_barrier_waiting(barrier), 0);
}

static void refusals(void)
{
    madang_segment *segment = open_segment(), *read_only;
    madang_mutex *mutex = open_mutex();
    madang_barrier *barrier;
    madang_condition *condition;
    EQUAL(madang_condition_within(segment, 0, &condition), 0);
    FAILS(madang_mutex_within(segment, 32, &mutex), EINVAL, "at a multiple of 64");
    FAILS(madang_mutex_within(segment, 8192, &mutex), EINVAL, "must lie within its 8192");
    FAILS(madang_mutex_within(segment, SIZE_MAX - 63, &mutex), EINVAL, "must lie within");
    FAILS(madang_barrier_within(segment, 8128, &barrier), EINVAL, "1024 bytes at 8128");
    FAILS(madang_mutex_within(NULL, 0, &mutex), EFAULT, "segment is NULL");
    FAILS(madang_mutex_within(segment, 0, NULL), EFAULT, "mutex is NULL");
    madang_segment_options only_to_read = {.struct_size = sizeof only_to_read, .flags = MADANG_READ_ONLY};
    EQUAL(madang_segment_open(name("s"), &only_to_read, &read_only), 0);
    FAILS(madang_mutex_within(read_only, 0, &mutex), EINVAL, "opened read-only");

    madang_sync_options options = {.struct_size = sizeof options, .flags = MADANG_READ_ONLY};
    OPEN_FAILS(name("new"), &options, EINVAL, "it knows only MADANG_ANY_OWNER");
    options.flags = 0;
    options.create = MADANG_CREATE_NEVER;
    OPEN_FAILS(name("new"), &options, ENOENT, "there is none");
    options.create = MADANG_CREATE_ONLY;
    OPEN_FAILS(name("m"), &options, EEXIST, "taken");
    options.create = 3;
    OPEN_FAILS(name("m"), &options, EINVAL, "it is one of MADANG_CREATE_IF_MISSING");
    options.struct_size = 0;
    OPEN_FAILS(name("m"), &options, EINVAL, "set it to sizeof(madang_sync_options)");
    OPEN_FAILS(NULL, NULL, EFAULT, "name is NULL");
    OPEN_FAILS("a/b", NULL, EINVAL, "no '/'");
    FAILS(madang_mutex_open(name("m"), NULL, NULL), EFAULT, "mutex is NULL");
    FAILS(madang_mutex_lock(NULL, 0, 0), EFAULT, "mutex is NULL");
    FAILS(madang_rwlock_lock_read(NULL, 0, 0), EFAULT, "lock is NULL");
    FAILS(madang_rwlock_lock_write(NULL, 0, 0), EFAULT, "lock is NULL");
    FAILS(madang_rwlock_unlock(NULL), EFAULT, "lock is NULL");
    FAILS(madang_condition_wait(NULL, mutex, 0, 0), EFAULT, "condition is NULL");
    FAILS(madang_condition_wait(condition, NULL, 0, 0), EFAULT, "mutex is NULL");
    FAILS(madang_condition_notify_one(NULL), EFAULT, "condition is NULL");
    FAILS(madang_barrier_wait(NULL, 0, 0), EFAULT, "barrier is NULL");
    FAILS(madang_barrier_set_parties(NULL, 1), EFAULT, "barrier is NULL");
    FAILS(madang_event_wait(NULL, 0, 0), EFAULT, "event is NULL");
    FAILS(madang_event_set(NULL), EFAULT, "event is NULL");
    FAILS(madang_event_unlink(NULL), EFAULT, "name is NULL");
    /* As another kind. */
    FAILS(madang_mutex_unlock((madang_mutex *)(void *)condition), EBADF, "not an open handle of a mutex");
    char file[256];
    snprintf(file, sizeof file, "/dev/shm/madang.event.%s", name("m"));
    CHECK(link(path(name("m")), file) == 0);
    madang_event *event;
    FAILS(madang_event_open(name("m"), NULL, &event), EPROTOTYPE, "it is a mutex, not an event");
    CHECK(unlink(file) == 0);
}

static void closed_handles(void)
{
    madang_mutex *mutex = open_mutex();
    madang_condition *condition;
    madang_segment *segment = open_segment();
    EQUAL(madang_condition_open(name("c"), NULL, &condition), 0);
    EQUAL(madang_mutex_lock(mutex, 0, 0), 0);
    EQUAL(madang_mutex_close(mutex), 0);
    FAILS(madang_mutex_close(mutex), EBADF, "madang_mutex_close");
    FAILS(madang_mutex_lock(mutex, 0, 0), EBADF, "madang_mutex_lock");
    FAILS(madang_mutex_unlock(mutex), EBADF, "madang_mutex_unlock");
    FAILS(madang_mutex_is_new(mutex), EBADF, "madang_mutex_is_new");
    FAILS_WITH_NOTHING(madang_mutex_name(mutex), EBADF, "madang_mutex_name");
    FAILS(madang_condition_wait(condition, mutex, 0, 0), EBADF, "not an open handle of a mutex");
    EQUAL(madang_condition_close(condition), 0);
    FAILS(madang_condition_notify_all(condition), EBADF, "madang_condition_notify_all");
    EQUAL(madang_segment_close(segment), 0);
    FAILS(madang_mutex_within(segment, 0, &mutex), EBADF, "not an open handle of a segment");
}

static char others[128];

static void as_stranger(void)
{
    OPEN_FAILS(others, NULL, EACCES, "does not permit");
}

static void other_users(void)
{
    snprintf(others, sizeof others, "%s", name("m"));
    EQUAL(madang_mutex_close(open_mutex()), 0);
    as_user(65534, as_stranger);
    CHECK(chown(path(others), 65534, 65534) == 0);
    OPEN_FAILS(others, NULL, EPERM, "belongs to");
    madang_sync_options options = {.struct_size = sizeof options, .flags = MADANG_ANY_OWNER};
    madang_mutex *mutex;
    EQUAL(madang_mutex_open(others, &options, &mutex), 0);
    EQUAL(madang_mutex_close(mutex), 0);
}

static void no_space(void)
{
    mount_small("/dev/shm", "size=8k");
    madang_mutex *mutex;
    EQUAL(madang_mutex_open(name("one"), NULL, &mutex), 0);
    madang_segment_options options = {.struct_size = sizeof options, .length = 4096};
    madang_segment *segment;
    EQUAL(madang_segment_open(name("s"), &options, &segment), 0);
    OPEN_FAILS(name("m"), NULL, ENOSPC, "is full");
    CHECK(access(path(name("m")), F_OK) != 0);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        CASE(smoke),       CASE(by_name),      CASE(in_a_segment), CASE(timeout),
        CASE(owner_died),  CASE(who_holds_it), CASE(threads),      CASE(condition),
        CASE(a_wait_gives_the_mutex_back),     CASE(barrier),      CASE(event),
        CASE(interrupted), CASE(refusals),     CASE(closed_handles), CASE(other_users),
        CASE(no_space),
    };
    return run_cases(cases, sizeof cases / sizeof cases[0], argc, argv);
}
