/* System V semaphore sets from C. See check.h for how a test program works. */
#include "sysv.h"

static madang_sysv_sem *set;

static madang_sysv_sem *opened(const uint16_t *values, size_t count)
{
    madang_sysv_sem *handle = NULL;
    EQUAL(madang_sysv_sem_open(key(0), values, count, NULL, &handle), 0);
    return handle;
}

static madang_sysv_sem_status status_of(madang_sysv_sem *handle)
{
    madang_sysv_sem_status status = {.struct_size = sizeof status};
    EQUAL(madang_sysv_sem_stat(handle, &status), 0);
    return status;
}

/* Another process sees it by the bare calls, and the other way round. */
static void smoke(void)
{
    set = opened((uint16_t[]){1, 0, 5}, 3);
    EQUAL(madang_sysv_sem_is_new(set), 1);
    EQUAL(madang_sysv_sem_acquire(set, 0, 0, -1), 0);
    madang_sysv_sem_op both[] = {{1, 3, 0}, {2, -5, MADANG_SYSV_NO_WAIT}};
    EQUAL(madang_sysv_sem_operate(set, both, 2, 0, -1), 0);
    pid_t child = fork();
    if (child == 0) {
        int id = semget(key(0), 0, 0);
        unsigned short values[3];
        EQUAL(semctl(id, 0, GETALL, values), 0);
        CHECK(values[0] == 0 && values[1] == 3 && values[2] == 0);
        struct sembuf give = {2, 7, 0};
        EQUAL(semop(id, &give, 1), 0);
        exit(EXIT_SUCCESS);
    }
    reap(child);
    EQUAL(madang_sysv_sem_value(set, 2), 7);
    EQUAL(madang_sysv_sem_pid(set, 2), child);
    EQUAL(madang_sysv_sem_set_value(set, 0, 32767), 0);
    uint16_t values[3] = {0, 0, 9};
    EQUAL(madang_sysv_sem_values(set, values, 2), 3);
    CHECK(values[0] == 32767 && values[1] == 3 && values[2] == 9);
    EQUAL(madang_sysv_sem_values(set, NULL, 0), 3);
    values[0] = 4;
    EQUAL(madang_sysv_sem_set_values(set, values, 3), 0);
    EQUAL(madang_sysv_sem_release(set, 0), 0);
    EQUAL(madang_sysv_sem_value(set, 0), 5);
    madang_sysv_sem_op many[20];
    for (int i = 0; i < 20; i++)
        many[i] = (madang_sysv_sem_op){1, 1, 0};
    EQUAL(madang_sysv_sem_operate(set, many, 20, 0, 0), 0);
    EQUAL(madang_sysv_sem_value(set, 1), 23);
    EQUAL(madang_sysv_sem_close(set), 0);
    FAILS(madang_sysv_sem_release(set, 0), EBADF, "");
}

static void timeout(void)
{
    set = opened((uint16_t[]){0, 1}, 2);
    FAILS(madang_sysv_sem_acquire(set, 0, 0, 0), EAGAIN, "it would have to wait");
    FAILS(madang_sysv_sem_acquire(set, 0, MADANG_INSTANT, 0), EAGAIN, "it would have to wait");
    int64_t begun = now_ns();
    FAILS(madang_sysv_sem_acquire(set, 0, 0, 20 * MS), ETIMEDOUT, "the time is over");
    CHECK(now_ns() - begun >= 20 * MS);
    FAILS(madang_sysv_sem_acquire(set, 0, MADANG_DEADLINE, begun), ETIMEDOUT, "");
    FAILS(madang_sysv_sem_wait_zero(set, 1, 0, 20 * MS), ETIMEDOUT, "zero on 1");
    EQUAL(madang_sysv_sem_wait_zero(set, 0, 0, -1), 0);
    madang_sysv_sem_op both[] = {{1, -1, 0}, {0, -1, MADANG_SYSV_NO_WAIT}};
    FAILS(madang_sysv_sem_operate(set, both, 2, 0, -1), EAGAIN, "-1 on 1, -1 on 0");
    EQUAL(madang_sysv_sem_value(set, 1), 1);
}

static void acquire(void)
{
    EQUAL(madang_sysv_sem_acquire(set, 0, 0, 10000 * MS), 0);
}

static void wait_zero(void)
{
    EQUAL(madang_sysv_sem_wait_zero(set, 1, 0, -1), 0);
}

static void who_waits(void)
{
    set = opened((uint16_t[]){0, 1}, 2);
    pid_t one = asleep(acquire), other = asleep(wait_zero);
    EQUAL(madang_sysv_sem_waiting_for_increase(set, 0), 1);
    EQUAL(madang_sysv_sem_waiting_for_zero(set, 0), 0);
    EQUAL(madang_sysv_sem_waiting_for_increase(set, 1), 0);
    EQUAL(madang_sysv_sem_waiting_for_zero(set, 1), 1);
    EQUAL(madang_sysv_sem_release(set, 0), 0);
    EQUAL(madang_sysv_sem_acquire(set, 1, 0, 0), 0);
    reap(one);
    reap(other);
}

static void undo(void)
{
    set = opened((uint16_t[]){1, 1}, 2);
    pid_t child = fork();
    if (child == 0) {
        madang_sysv_sem_op both[] = {{0, -1, MADANG_SYSV_UNDO}, {1, -1, 0}};
        EQUAL(madang_sysv_sem_operate(set, both, 2, 0, 0), 0);
        raise(SIGKILL);
    }
    waitpid(child, NULL, 0);
    EQUAL(madang_sysv_sem_value(set, 0), 1);
    EQUAL(madang_sysv_sem_value(set, 1), 0);
}

static void acquire_removed(void)
{
    FAILS(madang_sysv_sem_acquire(set, 0, 0, -1), EIDRM, "it was removed");
}

static void acquire_interrupted(void)
{
    FAILS(madang_sysv_sem_acquire(set, 0, 0, 10000 * MS), EINTR, "a signal handler ran while waiting");
}

static void removed_while_waiting(void)
{
    set = opened(NULL, 1);
    signal(SIGUSR1, nothing);
    interrupt(asleep(acquire_interrupted));
    pid_t child = asleep(acquire_removed);
    EQUAL(madang_sysv_sem_remove(set), 0);
    reap(child);
    FAILS(madang_sysv_sem_value(set, 0), EIDRM, "it was removed");
    FAILS(madang_sysv_sem_release(set, 0), EIDRM, "it was removed");
}

/* A creator that was killed between the call that makes the set and the one that gives it values. */
static void killed_creator(void)
{
    pid_t child = fork();
    if (child == 0) {
        semget(key(0), 1, IPC_CREAT | IPC_EXCL | 0600);
        raise(SIGKILL);
    }
    waitpid(child, NULL, 0);
    int half = semget(key(0), 0, 0);
    CHECK(half != -1);
    madang_sysv_sem_options options = {.struct_size = sizeof options, .patience_ns = 30 * MS};
    FAILS(madang_sysv_sem_open(key(0), NULL, 0, &options, &set), ETIMEDOUT, "its creator was killed");
    options.patience_ns = -1;
    EQUAL(madang_sysv_sem_open(key(0), NULL, 0, &options, &set), 0);
    EQUAL(madang_sysv_sem_id(set), half);
    EQUAL(madang_sysv_sem_close(set), 0);
    options.patience_ns = 30 * MS;
    EQUAL(madang_sysv_sem_open(key(0), (uint16_t[]){3}, 1, &options, &set), 0);
    CHECK(madang_sysv_sem_is_new(set) == 1 && madang_sysv_sem_id(set) != half);
    EQUAL(madang_sysv_sem_value(set, 0), 3);
}

static void as_nobody(void)
{
    FAILS(madang_sysv_sem_acquire(set, 0, 0, 0), EACCES, "its mode does not permit it");
    FAILS(madang_sysv_sem_set_value(set, 0, 1), EACCES, "its mode does not permit it");
    FAILS(madang_sysv_sem_remove(set), EPERM, "only its owner");
    EQUAL(madang_sysv_sem_value(set, 0), 1);
}

static void permissions(void)
{
    madang_sysv_sem_options options = {.struct_size = sizeof options, .mode = 0644};
    EQUAL(madang_sysv_sem_open(key(0), (uint16_t[]){1}, 1, &options, &set), 0);
    EQUAL(status_of(set).mode, 0644);
    as_user(NOBODY, as_nobody);
    madang_sysv_change change = {.struct_size = sizeof change, .flags = MADANG_SYSV_UID, .uid = NOBODY};
    EQUAL(madang_sysv_sem_change(set, &change), 0);
    EQUAL(status_of(set).uid, NOBODY);
}

static void told(void)
{
    set = opened(NULL, 40);
    struct semid_ds raw;
    EQUAL(semctl(madang_sysv_sem_id(set), 0, IPC_STAT, &raw), 0);
    madang_sysv_sem_status status = status_of(set);
    CHECK(status.key == key(0) && status.count == 40 && status.mode == 0600);
    CHECK(status.operated_at == raw.sem_otime && status.changed_at == raw.sem_ctime && raw.sem_otime != 0);
    madang_sysv_sem_status all[256] = {{.struct_size = sizeof all[0]}};
    int64_t count = madang_sysv_sem_list(all, 256), found = 0;
    for (int64_t i = 0; i < count && i < 256; i++)
        found += all[i].key == key(0) && all[i].count == 40;
    EQUAL(found, 1);
    madang_sysv_sem_limits limits = {.struct_size = sizeof limits};
    EQUAL(madang_sysv_sem_get_limits(&limits), 0);
    CHECK(limits.sets >= 1 && limits.semaphores >= 40 && limits.max_value == 32767);
}

static void bad_input(void)
{
    FAILS(madang_sysv_sem_open(key(0), NULL, 0, NULL, &set), ENOENT, "to create it, give it a count");
    FAILS(madang_sysv_sem_open(key(0), (uint16_t[]){32768}, 1, NULL, &set), ERANGE, "at most 32767");
    set = opened((uint16_t[]){32767, 0}, 2);
    madang_sysv_sem *none;
    FAILS(madang_sysv_sem_open(key(0), NULL, 3, NULL, &none), EINVAL, "less than the 3 semaphores");
    FAILS(madang_sysv_sem_open(key(0), NULL, 3, NULL, NULL), EFAULT, "set is NULL");
    FAILS(madang_sysv_sem_release(set, 0), ERANGE, "above 32767");
    FAILS(madang_sysv_sem_release(set, 2), EINVAL, "no semaphore 2 in its 2");
    FAILS(madang_sysv_sem_value(set, 2), EINVAL, "no semaphore 2 in its 2");
    FAILS(madang_sysv_sem_set_value(set, 0, 32768), ERANGE, "at most 32767");
    FAILS(madang_sysv_sem_set_values(set, (uint16_t[]){1}, 1), EINVAL, "1 values for its 2");
    FAILS(madang_sysv_sem_set_values(set, NULL, 2), EFAULT, "values is NULL");
    FAILS(madang_sysv_sem_values(set, NULL, 2), EFAULT, "values is NULL");
    FAILS(madang_sysv_sem_operate(set, NULL, 1, 0, 0), EFAULT, "operations is NULL");
    FAILS(madang_sysv_sem_operate(set, NULL, 0, 0, 0), EINVAL, "no operations");
    madang_sysv_sem_op bad = {0, 1, 1};
    FAILS(madang_sysv_sem_operate(set, &bad, 1, 0, 0), EINVAL, "NO_WAIT and UNDO");
    FAILS(madang_sysv_sem_acquire(set, 0, 64, 0), EINVAL, "no such flags");
    FAILS(madang_sysv_sem_acquire(NULL, 0, 0, 0), EFAULT, "set is NULL");
    FAILS(madang_sysv_sem_from_id(-1, &none), EINVAL, "there is none of this identifier");
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        CASE(smoke), CASE(timeout),        CASE(who_waits),   CASE(undo), CASE(removed_while_waiting),
        CASE(told),  CASE(killed_creator), CASE(permissions), CASE(bad_input),
    };
    return run_cases(cases, sizeof cases / sizeof cases[0], argc, argv);
}
