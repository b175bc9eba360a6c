/* semget, semop, semtimedop, semctl. */
#include "parity.h"

union argument {
    int value;
    struct semid_ds *status;
    unsigned short *array;
    struct seminfo *info;
};

static int set(int count)
{
    int id = semget(IPC_PRIVATE, count, 0600);
    if (id < 0)
        say("no set: %s", errno_name(errno));
    return id;
}

static int removed(int id)
{
    return semctl(id, 0, IPC_RMID);
}

static int give(int id, int index, int value)
{
    return semctl(id, index, SETVAL, (union argument){.value = value});
}

/* One operation. */
static int one(int id, int index, int delta, int flags)
{
    struct sembuf operation = {index, delta, flags};
    return semop(id, &operation, 1);
}

/* Several: OPS(id, {0, 1, 0}, {1, -1, IPC_NOWAIT}). */
#define OPS(id, ...) \
    said("semop(" #__VA_ARGS__ ")", \
         semop(id, (struct sembuf[]){__VA_ARGS__}, sizeof((struct sembuf[]){__VA_ARGS__}) / sizeof(struct sembuf)))

static void values(int id)
{
    struct semid_ds told;
    unsigned short all[64];
    if (semctl(id, 0, IPC_STAT, (union argument){.status = &told}) == -1
        || semctl(id, 0, GETALL, (union argument){.array = all}) == -1) {
        say("values: %s", errno_name(errno));
        return;
    }
    char text[256] = "";
    int length = 0;
    for (unsigned i = 0; i < told.sem_nsems && i < 64; i++)
        length += snprintf(text + length, sizeof text - length, " %d", all[i]);
    say("values:%s", text);
}

static struct semid_ds status(int id)
{
    struct semid_ds told;
    memset(&told, 0xee, sizeof told);
    SAY(semctl(id, 0, IPC_STAT, (union argument){.status = &told}));
    return told;
}

static void keys(void)
{
    SAY(semget(KEY, 1, 0));
    SAY(semget(KEY, 0, IPC_CREAT | 0600));
    SAY(semget(KEY, -1, IPC_CREAT | 0600));
    SAY(semget(KEY, 32001, IPC_CREAT | 0600));
    SAY(semget(IPC_PRIVATE, 0, 0600));
    int id = ID(semget(KEY, 3, IPC_CREAT | 0640));
    IS(semget(KEY, 3, 0) == id);
    IS(semget(KEY, 2, 0) == id);
    IS(semget(KEY, 0, 0) == id);
    IS(semget(KEY, 0, IPC_CREAT) == id);
    SAY(semget(KEY, 4, 0));
    SAY(semget(KEY, 4, IPC_CREAT | 0600));
    SAY(semget(KEY, -1, 0));
    SAY(semget(KEY, 40000, 0));
    SAY(semget(KEY, 4, IPC_CREAT | IPC_EXCL | 0600));
    SAY(semget(KEY, 3, IPC_CREAT | IPC_EXCL | 0600));
    SAY(semget(KEY, 40000, IPC_CREAT | IPC_EXCL | 0600));
    SAY(removed(id));
    SAY(removed(id));
    SAY(semget(KEY, 3, 0));
    int most = ID(semget(KEY, 32000, IPC_CREAT | 0600));
    SAY(one(most, 31999, 5, 0));
    SAY(semctl(most, 31999, GETVAL));
    SAY(one(most, 32000, 5, 0));
    SAY(removed(most));
}

static int get_as_other(void *nothing)
{
    (void)nothing;
    ID(semget(KEY, 0, 0));
    ID(semget(KEY, 9, 0));
    ID(semget(KEY, 1, 0400));
    ID(semget(KEY, 1, 0200));
    ID(semget(KEY, 9, 0200));
    ID(semget(KEY, 1, IPC_CREAT | 0600));
    ID(semget(KEY, 1, IPC_CREAT | IPC_EXCL | 0600));
    return 0;
}

static void modes_at_get(void)
{
    int modes[] = {0600, 0604, 0602, 0606, 0060};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        int id = semget(KEY, 2, IPC_CREAT | modes[i]);
        say("mode 0%03o", modes[i]);
        as_nobody(get_as_other, NULL);
        removed(id);
    }
}

static int use_as_other(void *with)
{
    int id = *(int *)with;
    unsigned short all[4] = {7, 8, 0, 0};
    struct semid_ds told = {0};
    SAY(one(id, 0, 1, IPC_NOWAIT));
    SAY(one(id, 1, 0, IPC_NOWAIT));
    SAY(semctl(id, 0, GETVAL));
    SAY(semctl(id, 0, SETVAL, (union argument){.value = 3}));
    SAY(semctl(id, 0, SETVAL, (union argument){.value = -3}));
    SAY(semctl(id, 5, SETVAL, (union argument){.value = 3}));
    SAY(semctl(id, 5, GETVAL));
    SAY(semctl(id, 0, SETALL, (union argument){.array = all}));
    SAY(semctl(id, 0, GETALL, (union argument){.array = all}));
    SAY(semctl(id, 0, GETNCNT));
    SAY(semctl(id, 0, GETZCNT));
    IS(semctl(id, 0, GETPID) >= 0);
    SAY(semctl(id, 0, IPC_STAT, (union argument){.status = &told}));
    told.sem_perm.uid = told.sem_perm.gid = NOBODY;
    told.sem_perm.mode = 0666;
    SAY(semctl(id, 0, IPC_SET, (union argument){.status = &told}));
    SAY(removed(id));
    return 0;
}

static void modes_in_use(void)
{
    int modes[] = {0600, 0604, 0602, 0606, 0660};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        int id = semget(IPC_PRIVATE, 2, modes[i]);
        say("mode 0%03o", modes[i]);
        as_nobody(use_as_other, &id);
        SAY(removed(id));
    }
}

static int bad_index_as_reader(void *with)
{
    SAY(one(*(int *)with, 9, 1, IPC_NOWAIT));
    return 0;
}

/* The index is looked at before the permission. */
static void bad_index_without_permission(void)
{
    int id = semget(IPC_PRIVATE, 2, 0604);
    as_nobody(bad_index_as_reader, &id);
    SAY(removed(id));
}

static void wrong_arguments(void)
{
    int id = set(2);
    struct sembuf operation = {0, 1, 0};
    static struct sembuf many[501];
    SAY(semop(id, &operation, 0));
    SAY(semop(-1, &operation, 0));
    SAY(semop(-1, &operation, 1));
    SAY(semop(0x7ffffff0, &operation, 1));
    SAY(semop(id, many, 501));
    SAY(semop(0x7ffffff0, many, 501));
    SAY(semop(id, many, 500));
    SAY(semop(id, many, -1));
    SAY(semop(id, NULL, 1));
    SAY(semop(id, (void *)-8, 1));
    SAY(one(id, 2, 1, 0));
    SAY(one(id, 65535, 1, 0));
    OPS(id, {0, 1, 0}, {2, 1, 0});
    values(id);
    SAY(semctl(id, 2, GETVAL));
    SAY(semctl(id, -1, GETVAL));
    SAY(semctl(id, 2, GETPID));
    SAY(semctl(id, 2, GETNCNT));
    SAY(semctl(id, 2, GETZCNT));
    SAY(give(id, 2, 1));
    SAY(give(id, -1, 1));
    SAY(give(id, 0, -1));
    SAY(give(id, 0, 32768));
    SAY(give(id, 2, 32768));
    SAY(give(id, 0, 32767));
    SAY(one(id, 0, 1, 0));
    SAY(one(id, 0, 1, IPC_NOWAIT));
    SAY(one(id, 0, 32767, 0));
    SAY(one(id, 0, -32767, 0));
    SAY(one(id, 0, -32768, IPC_NOWAIT));
    SAY(one(id, 1, 32767, SEM_UNDO));
    SAY(one(id, 1, 1, SEM_UNDO));
    SAY(one(id, 1, -32767, 0));
    SAY(one(id, 1, 1, SEM_UNDO));
    SAY(one(id, 1, 2, SEM_UNDO));
    values(id);
    unsigned short all[2] = {1, 32768};
    SAY(semctl(id, 0, SETALL, (union argument){.array = all}));
    SAY(semctl(id, 99, SETALL, (union argument){.array = all}));
    values(id);
    SAY(semctl(id, 0, SETALL, (union argument){.array = NULL}));
    SAY(semctl(id, 0, GETALL, (union argument){.array = NULL}));
    SAY(semctl(id, 0, IPC_STAT, (union argument){.status = NULL}));
    SAY(semctl(id, 0, IPC_SET, (union argument){.status = NULL}));
    SAY(semctl(id, 0, IPC_INFO, (union argument){.info = NULL}));
    SAY(semctl(id, 0, 99));
    SAY(semctl(id, 0, -1));
    SAY(semctl(-1, 0, GETVAL));
    SAY(semctl(-1, 0, IPC_RMID));
    SAY(semctl(id, 99, IPC_RMID));
    SAY(semop(id, &operation, 1));
    SAY(semctl(id, 0, GETVAL));
    SAY(give(id, 0, 1));
    SAY(semctl(id, 0, GETALL, (union argument){.array = all}));
    SAY(removed(id));
}

static void leaves_errno(void)
{
    errno = 4242;
    int id = semget(KEY, 2, IPC_CREAT | 0600);
    IS(errno == 4242);
    IS(one(id, 0, 1, 0) == 0 && errno == 4242);
    IS(one(id, 0, -1, SEM_UNDO) == 0 && errno == 4242);
    IS(semctl(id, 0, GETVAL) == 0 && errno == 4242);
    IS(removed(id) == 0 && errno == 4242);
}

static void arrays(void)
{
    int id = set(3);
    OPS(id, {0, 1, 0}, {1, 2, 0}, {2, 3, 0});
    values(id);
    OPS(id, {0, 1, 0}, {1, -3, IPC_NOWAIT});
    OPS(id, {0, 1, IPC_NOWAIT}, {1, -3, IPC_NOWAIT});
    values(id);
    OPS(id, {0, 1, 0}, {0, -2, IPC_NOWAIT});
    values(id);
    OPS(id, {0, -1, IPC_NOWAIT}, {0, 1, 0});
    OPS(id, {0, 1, 0}, {0, -1, IPC_NOWAIT}, {0, 0, IPC_NOWAIT}, {0, 5, 0});
    values(id);
    OPS(id, {0, -5, IPC_NOWAIT}, {0, 0, IPC_NOWAIT}, {0, 32767, 0}, {0, 1, 0});
    values(id);
    OPS(id, {0, 0, IPC_NOWAIT});
    OPS(id, {0, -5, IPC_NOWAIT}, {1, -2, IPC_NOWAIT}, {2, -3, IPC_NOWAIT});
    OPS(id, {0, 0, IPC_NOWAIT}, {1, 0, IPC_NOWAIT}, {2, 0, IPC_NOWAIT}, {0, 1, 0}, {1, 1, 0}, {2, 1, 0});
    values(id);
    OPS(id, {0, -1, SEM_UNDO}, {1, -1, SEM_UNDO}, {2, -2, SEM_UNDO | IPC_NOWAIT});
    values(id);
    SAY(removed(id));
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void timeouts(void)
{
    int id = set(2);
    struct sembuf take = {0, -1, 0}, zero = {1, 0, 0}, both[] = {{0, -1, 0}, {1, -1, IPC_NOWAIT}};
    struct timespec little = {0, 30000000}, none = {0, 0}, bad = {0, 1000000000}, negative = {-1, 0}, less = {0, -1};
    int64_t begun = now_ms();
    SAY(semtimedop(id, &take, 1, &little));
    IS(now_ms() - begun >= 29);
    one(id, 1, 1, 0);
    begun = now_ms();
    SAY(semtimedop(id, &zero, 1, &little));
    IS(now_ms() - begun >= 29);
    begun = now_ms();
    /* The first blocks, and may; what follows isn't looked at. */
    SAY(semtimedop(id, both, 2, &little));
    IS(now_ms() - begun >= 29);
    SAY(semtimedop(id, &take, 1, &none));
    SAY(semtimedop(id, &take, 1, &bad));
    SAY(semtimedop(id, &take, 1, &negative));
    SAY(semtimedop(id, &take, 1, &less));
    SAY(semtimedop(id, &take, 0, &little));
    SAY(semtimedop(id, &take, 0, &bad));
    SAY(semtimedop(id, &take, 1, (void *)-8));
    one(id, 0, 9, 0);
    SAY(semtimedop(id, &take, 1, &none));
    SAY(semtimedop(id, &take, 1, &bad));
    SAY(semtimedop(id, &take, 1, &negative));
    SAY(semtimedop(id, &take, 1, NULL));
    SAY(semtimedop(0x7ffffff0, &take, 1, &bad));
    values(id);
    SAY(removed(id));
}

static int holds(void *with)
{
    int id = *(int *)with;
    one(id, 0, -2, SEM_UNDO);
    one(id, 1, 3, SEM_UNDO);
    one(id, 0, -1, SEM_UNDO);
    return 0;
}

static int holds_for_ever(void *with)
{
    holds(with);
    reach();
    pause();
    return 0;
}

static void undone_at_exit(void)
{
    int id = set(2);
    give(id, 0, 5);
    pid_t child = start(holds, &id);
    ended("holder", child);
    values(id);
    say("pids: %s, %s", who(semctl(id, 0, GETPID), child), who(semctl(id, 1, GETPID), child));
    SAY(removed(id));
}

static int raise_and_go(void *with)
{
    return ERRNO(one(*(int *)with, 0, 1, SEM_UNDO));
}

/* What a process that is gone had raised isn't there for others. */
static void raised_and_gone(void)
{
    int id = set(1);
    SAY(one(id, 0, 1, 0));
    ended("who raised", start(raise_and_go, &id));
    SAY(one(id, 0, -2, IPC_NOWAIT));
    SAY(one(id, 0, -1, IPC_NOWAIT));
    SAY(one(id, 0, -1, IPC_NOWAIT));
    SAY(removed(id));
}

static void undone_at_kill(void)
{
    int id = set(2);
    give(id, 0, 5);
    pid_t child = start(holds_for_ever, &id);
    wait_checkpoint();
    values(id);
    kill(child, SIGKILL);
    ended("holder", child);
    values(id);
    say("pids: %s, %s", who(semctl(id, 0, GETPID), child), who(semctl(id, 1, GETPID), child));
    SAY(removed(id));
}

static void undo_is_forgotten(void)
{
    int id = set(2);
    unsigned short all[2] = {9, 9};
    give(id, 0, 5);
    pid_t child = start(holds_for_ever, &id);
    wait_checkpoint();
    SAY(give(id, 0, 1));
    kill(child, SIGKILL);
    ended("holder", child);
    values(id);
    give(id, 0, 5);
    give(id, 1, 0);
    child = start(holds_for_ever, &id);
    wait_checkpoint();
    SAY(semctl(id, 0, SETALL, (union argument){.array = all}));
    kill(child, SIGKILL);
    ended("holder", child);
    values(id);
    SAY(removed(id));
}

static int raises(void *with)
{
    int id = *(int *)with;
    one(id, 0, 5, SEM_UNDO);
    one(id, 1, -5, SEM_UNDO);
    reach();
    pause();
    return 0;
}

/* What can't be given back as a whole. */
static void undo_is_cut(void)
{
    int id = set(2);
    give(id, 1, 5);
    pid_t child = start(raises, &id);
    wait_checkpoint();
    SAY(one(id, 0, -3, 0));
    SAY(one(id, 1, 32767, 0));
    kill(child, SIGKILL);
    ended("who raised", child);
    values(id);
    SAY(removed(id));
}

static int adds_up(void *with)
{
    int id = *(int *)with;
    one(id, 0, -1, SEM_UNDO);
    one(id, 0, 1, SEM_UNDO);
    one(id, 0, -1, SEM_UNDO);
    one(id, 0, 1, 0);
    return ERRNO(OPS(id, {1, -1, SEM_UNDO}, {1, -1, 0}, {1, 1, SEM_UNDO}, {0, -1, SEM_UNDO}));
}

static void undo_adds_up(void)
{
    int id = set(2);
    give(id, 0, 5);
    give(id, 1, 5);
    ended("who adds", start(adds_up, &id));
    values(id);
    SAY(removed(id));
}

static int undo_in_child(void *with)
{
    int id = *(int *)with;
    one(id, 0, -1, SEM_UNDO);
    ended("grandchild", start(holds, &id));
    values(id);
    return 0;
}

/* A child doesn't inherit what its parent would give back. */
static void undo_and_fork(void)
{
    int id = set(2);
    give(id, 0, 9);
    ended("child", start(undo_in_child, &id));
    values(id);
    SAY(removed(id));
}

static int exec_with_undo(void *with)
{
    int id = *(int *)with;
    char text[32];
    one(id, 0, -1, SEM_UNDO);
    snprintf(text, sizeof text, "%d", id);
    execl(program, program, "do", case_name, "values", text, (char *)NULL);
    return errno;
}

static void undo_and_exec(void)
{
    int id = set(1);
    give(id, 0, 5);
    ended("who became another program", start(exec_with_undo, &id));
    values(id);
    SAY(removed(id));
}

static int anew(const char *what, long number)
{
    int id = number;
    if (strcmp(what, "values") != 0)
        return EINVAL;
    values(id);
    SAY(one(id, 0, 1, 0));
    return 0;
}

static void *undo_in_thread(void *with)
{
    int id = *(int *)with;
    one(id, 0, -1, SEM_UNDO);
    return NULL;
}

/* What a thread took is given back by the process. */
static int threads_with_undo(void *with)
{
    pthread_t thread;
    pthread_create(&thread, NULL, undo_in_thread, with);
    pthread_join(thread, NULL);
    values(*(int *)with);
    return ERRNO(one(*(int *)with, 0, 1, SEM_UNDO));
}

static void undo_and_threads(void)
{
    int id = set(1);
    give(id, 0, 5);
    ended("process", start(threads_with_undo, &id));
    values(id);
    SAY(removed(id));
}

struct wish {
    int id, index, delta, flags;
};

static int sleep_for(void *with)
{
    struct wish *wish = with;
    reach();
    return ERRNO(one(wish->id, wish->index, wish->delta, wish->flags));
}

static void undo_wakes(void)
{
    int id = set(2);
    give(id, 0, 3);
    pid_t child = start(holds_for_ever, &id);
    wait_checkpoint();
    struct wish wish = {id, 0, -1, 0}, zero = {id, 1, 0, 0};
    pid_t sleeper = start_sleeper(sleep_for, &wish), other = start_sleeper(sleep_for, &zero);
    IS(sleeps(sleeper));
    kill(child, SIGKILL);
    ended("holder", child);
    ended("who wants one", sleeper);
    ended("who wants none", other);
    values(id);
    SAY(removed(id));
}

static void waiters(int id, int index)
{
    say("semaphore %d: %d for more, %d for zero", index, semctl(id, index, GETNCNT), semctl(id, index, GETZCNT));
}

static int sleep_for_two(void *with)
{
    int id = *(int *)with;
    struct sembuf both[] = {{0, -1, 0}, {1, -1, 0}};
    reach();
    return ERRNO(semop(id, both, 2));
}

static void counts_waiters(void)
{
    int id = set(2);
    one(id, 1, 1, 0);
    waiters(id, 0);
    struct wish more = {id, 0, -1, 0}, much = {id, 0, -5, 0}, zero = {id, 1, 0, 0};
    pid_t a = start_sleeper(sleep_for, &more), b = start_sleeper(sleep_for, &much), c = start_sleeper(sleep_for, &zero);
    waiters(id, 0);
    waiters(id, 1);
    pid_t d = start_sleeper(sleep_for_two, &id);
    waiters(id, 0);
    waiters(id, 1);
    SAY(one(id, 0, 1, 0));
    ended("who wants one", a);
    waiters(id, 0);
    kill(b, SIGKILL);
    ended("who wants five", b);
    waiters(id, 0);
    SAY(one(id, 1, -1, 0));
    ended("who wants none", c);
    waiters(id, 0);
    waiters(id, 1);
    SAY(one(id, 0, 1, 0));
    /* It now waits for the other: it has to find that out by itself, with ours. */
    IS(sleeps(d));
    waiters(id, 0);
    waiters(id, 1);
    SAY(one(id, 1, 1, 0));
    ended("who wants both", d);
    values(id);
    waiters(id, 0);
    waiters(id, 1);
    SAY(removed(id));
}

static void order_of_sleepers(void)
{
    int id = set(1);
    struct wish two = {id, 0, -2, 0}, single = {id, 0, -1, 0};
    pid_t a = start_sleeper(sleep_for, &two), b = start_sleeper(sleep_for, &single), c = start_sleeper(sleep_for, &single);
    SAY(one(id, 0, 1, 0));
    ended("the first who wants one", b);
    IS(sleeps(a));
    IS(sleeps(c));
    SAY(one(id, 0, 2, 0));
    ended("who wants two", a);
    IS(sleeps(c));
    SAY(one(id, 0, 1, 0));
    ended("the second who wants one", c);
    values(id);
    a = start_sleeper(sleep_for, &single);
    b = start_sleeper(sleep_for, &single);
    SAY(one(id, 0, 1, 0));
    ended("a", a);
    SAY(one(id, 0, 1, 0));
    ended("b", b);
    SAY(removed(id));
}

static void set_wakes(void)
{
    int id = set(2);
    give(id, 1, 1);
    struct wish two = {id, 0, -2, 0}, zero = {id, 1, 0, 0};
    pid_t a = start_sleeper(sleep_for, &two), b = start_sleeper(sleep_for, &zero);
    SAY(give(id, 0, 1));
    IS(sleeps(a));
    SAY(give(id, 0, 4));
    ended("a", a);
    SAY(give(id, 1, 0));
    ended("b", b);
    values(id);
    give(id, 0, 0);
    give(id, 1, 1);
    a = start_sleeper(sleep_for, &two);
    b = start_sleeper(sleep_for, &zero);
    unsigned short all[2] = {3, 0};
    SAY(semctl(id, 0, SETALL, (union argument){.array = all}));
    ended("a", a);
    ended("b", b);
    values(id);
    SAY(removed(id));
}

static void removed_while_asleep(void)
{
    int id = set(2);
    one(id, 1, 1, 0);
    struct wish more = {id, 0, -1, 0}, zero = {id, 1, 0, 0}, undo = {id, 0, -1, SEM_UNDO};
    pid_t a = start_sleeper(sleep_for, &more), b = start_sleeper(sleep_for, &zero), c = start_sleeper(sleep_for, &undo);
    SAY(removed(id));
    ended("a", a);
    ended("b", b);
    ended("c", c);
    SAY(one(id, 0, 1, 0));
}

static void interrupted(void)
{
    int id = set(1), flags[] = {0, SA_RESTART};
    struct wish more = {id, 0, -1, 0};
    for (int i = 0; i < 2; i++) {
        struct sigaction action = {.sa_handler = handler, .sa_flags = flags[i]};
        sigaction(SIGUSR1, &action, NULL);
        pid_t child = start_sleeper(sleep_for, &more);
        kill(child, SIGUSR1);
        ended(flags[i] ? "with SA_RESTART" : "without SA_RESTART", child);
    }
    pid_t child = start_sleeper(sleep_for, &more);
    kill(child, SIGSTOP);
    waitpid(child, NULL, WUNTRACED);
    kill(child, SIGCONT);
    usleep(20000);
    one(id, 0, 1, 0);
    ended("who was stopped", child);
    values(id);
    waiters(id, 0);
    SAY(removed(id));
}

static int operate_once(void *with)
{
    return ERRNO(OPS(*(int *)with, {0, 1, 0}, {2, 0, 0}));
}

static void pids(void)
{
    int id = set(3);
    say("pids: %s, %s, %s", who(semctl(id, 0, GETPID), 0), who(semctl(id, 1, GETPID), 0), who(semctl(id, 2, GETPID), 0));
    pid_t child = start(operate_once, &id);
    ended("child", child);
    say("pids: %s, %s, %s", who(semctl(id, 0, GETPID), child), who(semctl(id, 1, GETPID), child),
        who(semctl(id, 2, GETPID), child));
    SAY(one(id, 1, -1, IPC_NOWAIT));
    say("pids: %s", who(semctl(id, 1, GETPID), child));
    SAY(give(id, 2, 1));
    say("pids: %s", who(semctl(id, 2, GETPID), child));
    unsigned short all[3] = {1, 2, 3};
    SAY(semctl(id, 0, SETALL, (union argument){.array = all}));
    say("pids: %s, %s, %s", who(semctl(id, 0, GETPID), child), who(semctl(id, 1, GETPID), child),
        who(semctl(id, 2, GETPID), child));
    SAY(removed(id));
}

static void tells(void)
{
    int id = semget(KEY, 4, IPC_CREAT | 0640);
    struct semid_ds told = status(id);
    say("key %#x, uid %d, gid %d, cuid %d, cgid %d, mode 0%o, %lu semaphores", told.sem_perm.__key, told.sem_perm.uid,
        told.sem_perm.gid, told.sem_perm.cuid, told.sem_perm.cgid, told.sem_perm.mode, (unsigned long)told.sem_nsems);
    IS(told.sem_otime == 0);
    IS(is_now(told.sem_ctime));
    SAY(give(id, 0, 1));
    IS(status(id).sem_otime == 0);
    SAY(one(id, 1, -1, IPC_NOWAIT));
    IS(status(id).sem_otime == 0);
    SAY(one(id, 1, 0, IPC_NOWAIT));
    IS(is_now(status(id).sem_otime));
    values(id);
    told.sem_perm.uid = NOBODY;
    told.sem_perm.mode = 07622;
    SAY(semctl(id, 0, IPC_SET, (union argument){.status = &told}));
    told = status(id);
    say("key %#x, uid %d, gid %d, cuid %d, cgid %d, mode 0%o", told.sem_perm.__key, told.sem_perm.uid, told.sem_perm.gid,
        told.sem_perm.cuid, told.sem_perm.cgid, told.sem_perm.mode);
    as_nobody(use_as_other, &id);
    SAY(removed(id));
}

static void lists(void)
{
    struct seminfo info = {0};
    IS(semctl(0, 0, IPC_INFO, (union argument){.info = &info}) >= 0);
    say("map %d, mni %d, mns %d, mnu %d, msl %d, opm %d, ume %d, usz %d, vmx %d, aem %d", info.semmap, info.semmni, info.semmns,
        info.semmnu, info.semmsl, info.semopm, info.semume, info.semusz, info.semvmx, info.semaem);
    int ids[3];
    for (int i = 0; i < 3; i++)
        ids[i] = semget(KEY + i, i + 1, IPC_CREAT | 0600);
    int highest = semctl(0, 0, SEM_INFO, (union argument){.info = &info});
    say("%d sets, %d semaphores", info.semusz, info.semaem);
    IS(semctl(777, 0, IPC_INFO, (union argument){.info = &info}) == highest);
    int seen = 0, right = 0;
    struct semid_ds told;
    for (int at = 0; at <= highest; at++) {
        int id = semctl(at, 0, SEM_STAT, (union argument){.status = &told});
        for (int i = 0; i < 3; i++)
            if (id == ids[i]) {
                seen++;
                right += told.sem_perm.__key == KEY + i && told.sem_nsems == (unsigned)i + 1;
            }
    }
    say("%d seen, %d right", seen, right);
    SAY(semctl(highest + 1, 0, SEM_STAT, (union argument){.status = &told}));
    SAY(semctl(-1, 0, SEM_STAT, (union argument){.status = &told}));
    SAY(semctl(highest, 0, SEM_STAT, (union argument){.status = NULL}));
    for (int i = 0; i < 3; i++)
        removed(ids[i]);
    SAY(semctl(highest, 0, SEM_STAT, (union argument){.status = &told}));
}

static int list_as_other(void *with)
{
    struct semid_ds told;
    struct seminfo info;
    int id = *(int *)with, at = semctl(0, 0, SEM_INFO, (union argument){.info = &info});
    if (semctl(at, 0, SEM_STAT, (union argument){.status = &told}) == -1)
        say("SEM_STAT: %s", errno_name(errno));
    IS(semctl(at, 0, SEM_STAT_ANY, (union argument){.status = &told}) == id);
    return 0;
}

static void lists_as_other(void)
{
    int modes[] = {0600, 0602, 0604};
    for (int i = 0; i < 3; i++) {
        int id = semget(KEY, 1, IPC_CREAT | modes[i]);
        say("mode 0%o", modes[i]);
        as_nobody(list_as_other, &id);
        SAY(removed(id));
    }
}

static int race_to_create(void *with)
{
    (void)with;
    reach();
    int id = semget(KEY, 2, IPC_CREAT | 0600);
    return ERRNO(one(id, 0, 1, 0));
}

static void races(void)
{
    int right = 0;
    for (int round = 0; round < 50; round++) {
        pid_t children[4];
        for (int i = 0; i < 4; i++)
            children[i] = start(race_to_create, NULL);
        for (int i = 0; i < 4; i++) {
            wait_checkpoint();
            waitpid(children[i], NULL, 0);
        }
        int id = semget(KEY, 0, 0);
        right += semctl(id, 0, GETVAL) == 4;
        removed(id);
    }
    say("%d times all four had the same set", right);
}

static int count_up(void *with)
{
    int *shared = with;
    for (int i = 0; i < 2000; i++) {
        if (one(shared[0], 0, -1, SEM_UNDO) != 0)
            return errno;
        ((volatile int *)shared)[1]++;
        if (one(shared[0], 0, 1, SEM_UNDO) != 0)
            return errno;
    }
    return 0;
}

/* It does keep others out. */
static void excludes(void)
{
    int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    shared[0] = set(1);
    give(shared[0], 0, 1);
    pid_t children[4];
    for (int i = 0; i < 4; i++)
        children[i] = start(count_up, shared);
    for (int i = 0; i < 4; i++)
        ended("child", children[i]);
    say("counted to %d", shared[1]);
    values(shared[0]);
    SAY(removed(shared[0]));
}

int main(int argc, char **argv)
{
    static const struct parity_case cases[] = {
        CASE(keys),
        CASE(modes_at_get),
        CASE(modes_in_use),
        CASE(wrong_arguments),
        CASE(leaves_errno),
        CASE(arrays),
        CASE(timeouts),
        CASE(undone_at_exit),
        CASE(raised_and_gone),
        CASE(undone_at_kill),
        CASE(undo_is_forgotten),
        CASE(undo_is_cut),
        CASE(undo_adds_up),
        CASE(undo_and_fork),
        CASE(undo_and_exec),
        CASE(undo_and_threads),
        CASE(undo_wakes),
        CASE(counts_waiters),
        CASE(order_of_sleepers),
        CASE(set_wakes),
        CASE(removed_while_asleep),
        CASE(interrupted),
        CASE(pids),
        CASE(tells),
        CASE(lists),
        CASE(lists_as_other),
        CASE(bad_index_without_permission),
        CASE(races),
        CASE(excludes),
    };
    return run_cases(cases, sizeof cases / sizeof *cases, argc, argv);
}
