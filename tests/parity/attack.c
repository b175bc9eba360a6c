/*
 * What an enemy would do to the drop-in. Unlike the parity suite it asserts: a case that fails says where, and the program fails.
 *
 *     attack CASE [number]
 */
#include "parity.h"

#include <dlfcn.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>

#define CHECK(condition)                                                                          \
    do {                                                                                          \
        if (!(condition)) {                                                                       \
            say("%s:%d: not so: %s (%s)", __FILE__, __LINE__, #condition, errno_name(errno));     \
            _exit(EXIT_FAILURE);                                                                  \
        }                                                                                         \
    } while (0)

static long number;

static void succeeds(pid_t child)
{
    int status;
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        say("a child: exit %d (%s), signal %d", WEXITSTATUS(status), errno_name(WEXITSTATUS(status)),
            WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static uint64_t draw(void)
{
    static __thread uint64_t state;
    if (state == 0)
        state = (uint64_t)getpid() * 0x9e3779b97f4a7c15 + (uintptr_t)&state;
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

/* The three kinds alike. */
enum { MSG, SEM, SHM, KINDS };

static int get(int kind, key_t key, int flags)
{
    switch (kind) {
    case MSG:
        return msgget(key, flags | 0600);
    case SEM:
        return semget(key, 1, flags | 0600);
    default:
        return shmget(key, 100, flags | 0600);
    }
}

static int removed(int kind, int id)
{
    switch (kind) {
    case MSG:
        return msgctl(id, IPC_RMID, NULL);
    case SEM:
        return semctl(id, 0, IPC_RMID);
    default:
        return shmctl(id, IPC_RMID, NULL);
    }
}

/* Uses it a little; whether it was there. */
static int use(int kind, int id)
{
    struct {
        long type;
        char data[100];
    } message = {.type = 1};
    struct sembuf up = {0, 1, SEM_UNDO};
    char *at;
    switch (kind) {
    case MSG:
        return msgsnd(id, &message, 10, IPC_NOWAIT) == 0 && msgrcv(id, &message, 100, 0, IPC_NOWAIT | MSG_NOERROR) == 10;
    case SEM:
        return semop(id, &up, 1) == 0 && (up.sem_op = -1, semop(id, &up, 1) == 0);
    default:
        at = shmat(id, NULL, 0);
        if (at == (void *)-1)
            return 0;
        at[50]++;
        return shmdt(at) == 0;
    }
}

/* Everybody makes, finds, uses and removes the same few keys. */
static int make_and_remove(void *with)
{
    (void)with;
    for (int i = 0; i < number; i++) {
        uint64_t random = draw();
        int kind = random % KINDS, key = KEY + random / 8 % 2, flags = random / 64 % 4 ? IPC_CREAT : IPC_CREAT | IPC_EXCL;
        int id = get(kind, key, flags);
        if (id == -1) {
            CHECK(errno == EEXIST);
            continue;
        }
        if (random / 1024 % 2)
            if (!use(kind, id))
                CHECK(errno == EINVAL || errno == EIDRM || (kind == MSG && (errno == ENOMSG || errno == EAGAIN)));
        if (random / 2048 % 2 && removed(kind, id) == -1)
            CHECK(errno == EINVAL || errno == EIDRM);
    }
    return 0;
}

static void races(void)
{
    pid_t children[4];
    for (int i = 0; i < 4; i++)
        children[i] = start(make_and_remove, NULL);
    for (int i = 0; i < 4; i++)
        succeeds(children[i]);
    for (int kind = 0; kind < KINDS; kind++)
        for (int key = KEY; key < KEY + 2; key++) {
            int id = get(kind, key, IPC_CREAT);
            CHECK(id >= 0 && use(kind, id) && get(kind, key, 0) == id && removed(kind, id) == 0);
        }
}

/* One id for a key: all who come at once get the same, and it is there. */
static int get_it(void *with)
{
    struct {
        int ready, round, ids[4];
    } *shared = with;
    int me = __atomic_fetch_add(&shared->ready, 1, __ATOMIC_SEQ_CST);
    for (int round = 1; round <= number; round++) {
        while (__atomic_load_n(&shared->round, __ATOMIC_SEQ_CST) != round)
            sched_yield();
        shared->ids[me] = get(round % KINDS, KEY, IPC_CREAT);
        __atomic_fetch_add(&shared->ready, 1, __ATOMIC_SEQ_CST);
    }
    return 0;
}

static void one_id(void)
{
    struct {
        int ready, round, ids[4];
    } *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t children[4];
    for (int i = 0; i < 4; i++)
        children[i] = start(get_it, shared);
    for (int round = 1; round <= number; round++) {
        while (__atomic_load_n(&shared->ready, __ATOMIC_SEQ_CST) != 4 * round)
            sched_yield();
        __atomic_store_n(&shared->round, round, __ATOMIC_SEQ_CST);
        while (__atomic_load_n(&shared->ready, __ATOMIC_SEQ_CST) != 4 * round + 4)
            sched_yield();
        CHECK(shared->ids[0] >= 0);
        for (int i = 1; i < 4; i++)
            CHECK(shared->ids[i] == shared->ids[0]);
        CHECK(removed(round % KINDS, shared->ids[0]) == 0);
    }
    for (int i = 0; i < 4; i++)
        succeeds(children[i]);
}

__attribute__((noreturn)) static int for_ever(void *with)
{
    (void)with;
    reach();
    for (;;) {
        int kind = draw() % KINDS, id = get(kind, KEY, IPC_CREAT);
        if (draw() % 2)
            use(kind, id);
        removed(kind, id);
    }
}

/* Killed at any point: others go on. */
static void killed(void)
{
    for (int round = 0; round < number; round++) {
        pid_t child = start(for_ever, NULL);
        wait_checkpoint();
        struct timespec some = {0, draw() % 1000000};
        nanosleep(&some, NULL);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        for (int kind = 0; kind < KINDS; kind++) {
            int id = get(kind, KEY, IPC_CREAT);
            CHECK(id >= 0);
            CHECK(use(kind, id));
            CHECK(removed(kind, id) == 0);
            CHECK(get(kind, KEY, 0) == -1 && errno == ENOENT);
        }
    }
}

static int attach_and_remove(void *with)
{
    (void)with;
    for (int i = 0; i < number; i++) {
        int id = shmget(KEY, 5000, IPC_CREAT | 0600);
        CHECK(id >= 0);
        char *at = shmat(id, NULL, 0);
        if (at == (void *)-1) {
            CHECK(errno == EINVAL || errno == EIDRM);
            continue;
        }
        at[4999] = 1;
        if (draw() % 4 == 0 && shmctl(id, IPC_RMID, NULL) == -1)
            CHECK(errno == EINVAL);
        at[0] = 1;
        /* Nobody takes it back while it is attached. */
        CHECK(at[4999] == 1 && shmdt(at) == 0);
    }
    return 0;
}

static void attached_races(void)
{
    pid_t children[4];
    for (int i = 0; i < 4; i++)
        children[i] = start(attach_and_remove, NULL);
    for (int i = 0; i < 4; i++)
        succeeds(children[i]);
    int id = shmget(KEY, 0, 0);
    CHECK(id == -1 || removed(SHM, id) == 0);
}

struct rounds {
    int round, done, id;
};

static void pause_a_little(void)
{
    for (volatile int left = draw() % 4000; left > 0; left--)
        ;
}

static int attach_each(void *with)
{
    struct rounds *shared = with;
    for (int round = 1; round <= number; round++) {
        while (__atomic_load_n(&shared->round, __ATOMIC_SEQ_CST) != round)
            sched_yield();
        pause_a_little();
        char *at = shmat(shared->id, NULL, 0);
        if (at == (void *)-1)
            CHECK(errno == EINVAL || errno == EIDRM);
        else
            CHECK(at[4999] == 1 && shmdt(at) == 0);
        __atomic_store_n(&shared->done, round, __ATOMIC_SEQ_CST);
    }
    return 0;
}

/* Who attaches while another removes it gets it as it is, or not at all. */
static void attached_while_removed(void)
{
    struct rounds *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t child = start(attach_each, shared);
    for (int round = 1; round <= number; round++) {
        shared->id = shmget(IPC_PRIVATE, 5000, 0600);
        char *at = shmat(shared->id, NULL, 0);
        at[4999] = 1;
        CHECK(shmdt(at) == 0);
        __atomic_store_n(&shared->round, round, __ATOMIC_SEQ_CST);
        pause_a_little();
        CHECK(removed(SHM, shared->id) == 0);
        int status;
        while (__atomic_load_n(&shared->done, __ATOMIC_SEQ_CST) != round) {
            CHECK(waitpid(child, &status, WNOHANG) == 0);
            sched_yield();
        }
    }
    succeeds(child);
}

static void *first_call(void *with)
{
    (void)with;
    for (int kind = 0; kind < KINDS; kind++) {
        int id = get(kind, IPC_PRIVATE, 0);
        if (id < 0 || !use(kind, id) || removed(kind, id) != 0)
            return (void *)1;
    }
    return NULL;
}

static int call_in_child(void *with)
{
    return first_call(with) != NULL;
}

static int call_and_fork(void *with)
{
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, first_call, with);
    pid_t children[5];
    for (int i = 0; i < 5; i++)
        children[i] = start(call_in_child, with);
    for (int i = 0; i < 5; i++)
        succeeds(children[i]);
    void *failed;
    for (int i = 0; i < 2; i++)
        if (pthread_join(threads[i], &failed) != 0 || failed)
            return 1;
    return 0;
}

/* Forked while the first calls of the process are under way. */
static void forks_at_first_calls(void)
{
    for (int i = 0; i < number; i++)
        succeeds(start(call_and_fork, NULL));
}

static volatile int stopping;

static void *use_for_ever(void *with)
{
    int *ids = with;
    while (!stopping)
        for (int kind = 0; kind < KINDS; kind++)
            use(kind, ids[kind]);
    return NULL;
}

static int use_in_child(void *with)
{
    int *ids = with;
    for (int kind = 0; kind < KINDS; kind++)
        if (!use(kind, ids[kind]) && errno != ENOMSG && errno != EAGAIN)
            return errno;
    return 0;
}

/* Forked while other threads are inside. */
static void forks_among_threads(void)
{
    int ids[KINDS];
    pthread_t threads[2];
    for (int kind = 0; kind < KINDS; kind++)
        ids[kind] = get(kind, IPC_PRIVATE, 0);
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, use_for_ever, ids);
    for (int i = 0; i < number; i++)
        succeeds(start(use_in_child, ids));
    stopping = 1;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    struct shmid_ds told;
    CHECK(shmctl(ids[SHM], IPC_STAT, &told) == 0 && told.shm_nattch == 0);
    CHECK(semctl(ids[SEM], 0, GETVAL) == 0);
    for (int kind = 0; kind < KINDS; kind++)
        CHECK(removed(kind, ids[kind]) == 0);
}

/* More objects than descriptors; and the program closes all that it has, whosever they are. */
static void few_descriptors(void)
{
    struct rlimit few = {24, 24};
    CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
    static int ids[KINDS][3000];
    static char *places[3000];
    for (int i = 0; i < number; i++)
        for (int kind = 0; kind < KINDS; kind++) {
            CHECK((ids[kind][i] = get(kind, KEY + i, IPC_CREAT)) >= 0);
            CHECK(use(kind, ids[kind][i]));
            if (kind == SHM) {
                CHECK((places[i] = shmat(ids[kind][i], NULL, 0)) != (void *)-1);
                places[i][0] = (char)i;
            }
            if (i % 100 == 0)
                syscall(SYS_close_range, 3, ~0U, 0);
        }
    for (int i = 0; i < number; i++) {
        for (int kind = 0; kind < KINDS; kind++)
            CHECK(get(kind, KEY + i, 0) == ids[kind][i] && use(kind, ids[kind][i]) && removed(kind, ids[kind][i]) == 0);
        CHECK(places[i][0] == (char)i && shmdt(places[i]) == 0);
    }
}

static int use_again(void *with)
{
    int *ids = with;
    for (int kind = 0; kind < KINDS; kind++)
        CHECK(!use(kind, ids[kind]) && errno == EMFILE);
    return 0;
}

/* Where no descriptor is free, as docs/parity.md tells: what is used already goes on, what would open a file says why it can't. */
static void no_descriptor(void)
{
    int ids[KINDS];
    for (int kind = 0; kind < KINDS; kind++)
        CHECK((ids[kind] = get(kind, IPC_PRIVATE, 0)) >= 0 && use(kind, ids[kind]));
    char *at = shmat(ids[SHM], NULL, 0);
    struct rlimit few = {24, 24};
    CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
    while (open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0)
        ;
    CHECK(use(MSG, ids[MSG]) && use(SEM, ids[SEM]));
    at[0] = 1;
    CHECK(shmat(ids[SHM], NULL, 0) == (void *)-1 && errno == EMFILE);
    CHECK(shmdt(at) == 0);
    succeeds(start(use_again, ids));
    for (int kind = 0; kind < KINDS; kind++) {
        CHECK(get(kind, IPC_PRIVATE, 0) == -1 && errno == EMFILE);
        CHECK(removed(kind, ids[kind]) == -1 && errno == EMFILE);
    }
    syscall(SYS_close_range, 3, ~0U, 0);
    for (int kind = 0; kind < KINDS; kind++)
        CHECK(removed(kind, ids[kind]) == 0);
}

static volatile int handled;

static void count_signal(int signal)
{
    (void)signal;
    handled++;
}

/* Signals all the time: nothing is lost, whatever they interrupt. */
static void signals(void)
{
    struct sigaction action = {.sa_handler = count_signal};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval often = {{0, 300}, {0, 300}};
    setitimer(ITIMER_REAL, &often, NULL);
    for (int i = 0; i < number; i++)
        for (int kind = 0; kind < KINDS; kind++) {
            int id = get(kind, KEY, IPC_CREAT);
            CHECK(id >= 0);
            for (int j = 0; j < 20; j++)
                CHECK(use(kind, id) || errno == EINTR);
            CHECK(removed(kind, id) == 0);
        }
    memset(&often, 0, sizeof often);
    setitimer(ITIMER_REAL, &often, NULL);
    CHECK(handled > 0);
}

/* What others removed isn't kept: a server of many short-lived objects doesn't grow. */
static int remove_all(void *with)
{
    int *ids = with;
    for (int i = 0; i < 500; i++)
        CHECK(removed(i % 2, ids[i]) == 0);
    return 0;
}

static long mappings(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    long lines = 0;
    for (int c; (c = getc(maps)) != EOF;)
        lines += c == '\n';
    fclose(maps);
    return lines;
}

static void removed_by_others(void)
{
    static int ids[500];
    long first = 0, last = 0;
    for (int round = 0; round < number; round++) {
        for (int i = 0; i < 500; i++) {
            CHECK((ids[i] = get(i % 2, IPC_PRIVATE, 0)) >= 0);
            CHECK(use(i % 2, ids[i]));
        }
        succeeds(start(remove_all, ids));
        last = mappings();
        if (round == 1)
            first = last;
    }
    say("%ld mappings after the second round, %ld after the last", first, last);
    CHECK(last < first + first / 2);
}

/* Programs that are started while segments are attached, in every way. */
static void starts_programs(void)
{
    extern char **environ;
    int id = shmget(IPC_PRIVATE, 100, 0600);
    char *at = shmat(id, NULL, 0);
    CHECK(at != (void *)-1);
    for (int i = 0; i < number; i++) {
        pid_t child;
        char *arguments[] = {"true", NULL};
        CHECK(system("true") == 0);
        CHECK(posix_spawnp(&child, "true", NULL, NULL, arguments, environ) == 0);
        succeeds(child);
        child = vfork();
        if (child == 0) {
            execlp("true", "true", (char *)NULL);
            _exit(1);
        }
        succeeds(child);
    }
    struct shmid_ds told;
    CHECK(shmctl(id, IPC_STAT, &told) == 0 && told.shm_nattch == 1);
    at[0] = 1;
    CHECK(shmdt(at) == 0 && removed(SHM, id) == 0);
}

/* A library that is loaded late is served all the same. */
static void loads_late(void)
{
    void *late = dlopen(getenv("PLUGIN"), RTLD_NOW | RTLD_LOCAL);
    CHECK(late);
    int (*plugin_get)(key_t) = (int (*)(key_t))(uintptr_t)dlsym(late, "plugin_get");
    int id = get(MSG, KEY, IPC_CREAT);
    int other = plugin_get(KEY);
    CHECK(other == id);
    CHECK(removed(MSG, id) == 0);
}

static double now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec * 1e-9;
}

/* Figures: making, finding by key, by key for the first time, using, removing, when there are so many. */
static void many(void)
{
    const char *names[] = {"msg", "sem", "shm"};
    int *ids = malloc(number * sizeof *ids);
    for (int kind = 0; kind < KINDS; kind++) {
        enum { SOME = 500 };
        double begun = now();
        for (int i = 0; i < number; i++)
            CHECK((ids[i] = get(kind, KEY + i, IPC_CREAT | IPC_EXCL)) >= 0);
        double made = now();
        int found = get(kind, KEY + number, IPC_CREAT);
        CHECK(found >= 0 && removed(kind, found) == 0);
        double begun_one = now();
        for (int i = 0; i < SOME; i++) {
            found = get(kind, KEY + number, IPC_CREAT);
            CHECK(found >= 0 && removed(kind, found) == 0);
        }
        double one = now();
        for (int i = 0; i < SOME; i++) {
            int which = draw() % number;
            CHECK(get(kind, KEY + which, 0) == ids[which]);
        }
        double looked = now();
        for (int i = 0; i < SOME; i++)
            CHECK(use(kind, ids[draw() % number]));
        double used = now();
        union {
            struct msginfo msg;
            struct seminfo sem;
            struct shm_info shm;
        } info;
        int highest = kind == MSG   ? msgctl(0, MSG_INFO, (void *)&info)
                      : kind == SEM ? semctl(0, 0, SEM_INFO, &info)
                                    : shmctl(0, SHM_INFO, (void *)&info);
        CHECK(highest >= number - 1);
        double counted = now();
        int steps = number < SOME ? number : SOME;
        for (int i = 0; i < steps; i++) {
            union {
                struct msqid_ds msg;
                struct semid_ds sem;
                struct shmid_ds shm;
            } told;
            int id = kind == MSG   ? msgctl(i, MSG_STAT, (void *)&told)
                     : kind == SEM ? semctl(i, 0, SEM_STAT, &told)
                                   : shmctl(i, SHM_STAT, (void *)&told);
            CHECK(id >= 0 || errno == EINVAL);
        }
        double listed = now();
        for (int i = 0; i < number; i++)
            CHECK(removed(kind, ids[i]) == 0);
        double gone = now();
        say("%s, %ld: each made in %.1f us, one more made and removed in %.1f, found in %.1f, used at random in %.1f, "
            "all counted in %.0f, each listed in %.1f, removed in %.1f",
            names[kind], number, (made - begun) / number * 1e6, (one - begun_one) / SOME * 1e6, (looked - one) / SOME * 1e6,
            (used - looked) / SOME * 1e6, (counted - used) * 1e6, (listed - counted) / steps * 1e6,
            (gone - listed) / number * 1e6);
    }
    free(ids);
}

/* Makes so many of each kind, and leaves them: what do they take? */
static void leaves(void)
{
    for (int kind = 0; kind < KINDS; kind++)
        for (int i = 0; i < number; i++)
            CHECK(get(kind, KEY + i, IPC_CREAT) >= 0);
}

/* Attaches, removes, and is killed: the name stays. */
static void leaves_removed(void)
{
    int id = shmget(KEY, 1 << 20, IPC_CREAT | 0600);
    CHECK(shmat(id, NULL, 0) != (void *)-1 && removed(SHM, id) == 0);
    raise(SIGKILL);
}

static void *write_for_ever(void *with)
{
    for (volatile char *at = with;; at[0]++)
        ;
    return NULL;
}

static int exit_in_use(void *with)
{
    int id = *(int *)with;
    pthread_t thread;
    pthread_create(&thread, NULL, write_for_ever, shmat(id, NULL, 0));
    return 0;
}

/* A process ends while its threads write to what it has attached; and the last takes it along. */
static void exits_while_used(void)
{
    struct shmid_ds told;
    for (int i = 0; i < number; i++) {
        int id = get(SHM, IPC_PRIVATE, 0);
        void *at = shmat(id, NULL, 0);
        pid_t children[2];
        for (int j = 0; j < 2; j++)
            children[j] = start(exit_in_use, &id);
        CHECK(removed(SHM, id) == 0);
        for (int j = 0; j < 2; j++)
            succeeds(children[j]);
        CHECK(shmctl(id, IPC_STAT, &told) == 0 && told.shm_nattch == 1);
        CHECK(shmdt(at) == 0 && shmctl(id, IPC_STAT, &told) == -1 && errno == EINVAL);
    }
}

/* A segment's file, and what it takes. */
static int file_of(int id)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/madang.memory.sysv.id.%08x", getenv("MADANG_DIR"), (unsigned)id);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    return fd;
}

static long taken(int fd)
{
    struct stat told;
    CHECK(fstat(fd, &told) == 0);
    return told.st_blocks * 512;
}

/* What this process has mapped of files without a name. */
static int nameless(void)
{
    char line[PATH_MAX + 200];
    FILE *maps = fopen("/proc/self/maps", "re");
    int count = 0;
    while (fgets(line, sizeof line, maps))
        count += strstr(line, "madang.memory") && strstr(line, "(deleted)");
    fclose(maps);
    return count;
}

enum { MUCH = 4 << 20, LITTLE = 64 << 10 };

static int fill(void *with)
{
    char *at = shmat(*(int *)with, NULL, 0);
    CHECK(at != (void *)-1);
    memset(at, 1, MUCH);
    return 0;
}

static int remove_it(void *with)
{
    return removed(SHM, *(int *)with);
}

/* The memory of a removed segment goes, whoever removes it, and though others keep what they opened of it. */
static void memory_of_removed(void)
{
    for (int i = 0; i < number; i++) {
        int id = shmget(IPC_PRIVATE, MUCH, 0600), fd = file_of(id);
        succeeds(start(fill, &id));
        CHECK(use(SHM, id) && taken(fd) >= MUCH);
        succeeds(start(remove_it, &id));
        CHECK(taken(fd) <= LITTLE);
        close(fd);

        id = shmget(IPC_PRIVATE, MUCH, 0600), fd = file_of(id);
        CHECK(nameless() == 0);
        char *at = shmat(id, NULL, 0);
        memset(at, 1, MUCH);
        CHECK(removed(SHM, id) == 0 && taken(fd) >= MUCH && at[MUCH - 1] == 1);
        CHECK(shmdt(at) == 0 && taken(fd) <= LITTLE && nameless() == 0);
        close(fd);
    }
}

static int end_slowly(void *with)
{
    static pthread_t thread;
    char *at = shmat(*(int *)with, NULL, 0);
    memset(at, 1, MUCH);
    pthread_create(&thread, NULL, write_for_ever, at);
    /* Nobody reads it: what is left of it is flushed at the very end, which waits for ever. */
    int pipe[2];
    CHECK(pipe2(pipe, O_CLOEXEC | O_NONBLOCK) == 0 && dup2(pipe[1], 1) == 1);
    while (write(1, ".", 1) == 1)
        ;
    CHECK(fcntl(1, F_SETFL, 0) == 0 && printf("to be flushed") > 0);
    reach();
    return 0;
}

/* A process that ends counts no more, but its threads use the memory to the last: who removes it then leaves it to them. */
static void removed_at_the_end(void)
{
    for (int i = 0; i < number; i++) {
        struct shmid_ds told;
        int id = shmget(IPC_PRIVATE, MUCH, 0600), fd = file_of(id);
        pid_t child = start(end_slowly, &id);
        wait_checkpoint();
        do
            CHECK(shmctl(id, IPC_STAT, &told) == 0);
        while (told.shm_nattch > 0);
        CHECK(removed(SHM, id) == 0 && taken(fd) >= MUCH);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        close(fd);
    }
}

static int hold(void *with)
{
    struct sembuf take = {0, -1, SEM_UNDO};
    CHECK(semop(*(int *)with, &take, 1) == 0);
    reach();
    pause();
    return 0;
}

static int take(void *with)
{
    struct sembuf take = {0, -1, 0};
    reach();
    return semop(*(int *)with, &take, 1) == 0 ? 0 : errno;
}

/* Who is killed gives back what he holds: how long the sleeper waits for that. */
static void given_back(void)
{
    double longest = 0;
    for (int i = 0; i < number; i++) {
        int id = semget(IPC_PRIVATE, 1, 0600);
        CHECK(semctl(id, 0, SETVAL, 1) == 0);
        pid_t holder = start(hold, &id);
        wait_checkpoint();
        pid_t sleeper = start_sleeper(take, &id);
        double begun = now();
        kill(holder, SIGKILL);
        waitpid(holder, NULL, 0);
        succeeds(sleeper);
        double took = now() - begun;
        longest = took > longest ? took : longest;
        CHECK(removed(SEM, id) == 0);
    }
    say("given back after %.0f ms at most", longest * 1000);
    CHECK(longest < 10);
}

static int anew(const char *what, long with)
{
    (void)what;
    (void)with;
    return 0;
}

int main(int argc, char **argv)
{
    static const struct parity_case cases[] = {
        CASE(races),           CASE(one_id),         CASE(killed),         CASE(attached_races), CASE(forks_at_first_calls),
        CASE(forks_among_threads), CASE(few_descriptors), CASE(signals),   CASE(removed_by_others), CASE(starts_programs),
        CASE(loads_late),      CASE(many),           CASE(leaves),         CASE(leaves_removed),
        CASE(exits_while_used), CASE(given_back),    CASE(no_descriptor),
        CASE(memory_of_removed), CASE(removed_at_the_end), CASE(attached_while_removed),
    };
    program = argv[0];
    (void)run_cases;
    (void)anew;
    for (size_t i = 0; argc == 3 && i < sizeof cases / sizeof *cases; i++)
        if (strcmp(argv[1], cases[i].name) == 0) {
            case_name = cases[i].name;
            number = atol(argv[2]);
            if (pipe2(checkpoint, O_CLOEXEC) != 0)
                return EXIT_FAILURE;
            cases[i].run();
            return EXIT_SUCCESS;
        }
    return EXIT_FAILURE;
}
