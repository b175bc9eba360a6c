/*
 * The other worker of the benchmark: System V's calls and pipes, bare and through madang's C interface.
 *
 *   calls WHAT-HOW ID RUN WARM_UP SIZE
 *
 * HOW is "plain" (the system's own call; under LD_PRELOAD=libmadang_sysv.so it is the drop-in's: the same program), "madang" (the
 * wrapper around that call) or "set" (madang's semaphores in shared memory). ID is the identifier of the object that another worker has
 * made ("keep-…"), or -1: then it makes its own. Times are in nanoseconds. SIZE is how many bytes a queue may hold, or how many objects
 * there are. It says "ready", waits for "go" and reports as src/harness.rs describes; a keeper's "ready" has the identifier after it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <time.h>
#include <unistd.h>

#include "madang.h"

/* What a message is, by its first byte. */
enum { WARM_UP = 0, COUNTED = 1, LAST = 255 };
enum { BYTES = 64, STRIDE = 64, SEGMENT = 4096 };

struct message {
    long type;
    char bytes[BYTES];
};

static struct task {
    int      id;
    uint64_t run, warm_up;
    size_t   size;
} task;

static struct message message = { .type = 1 };
static int            pipe_ends[2];
static madang_sysv_msg      *queue;
static madang_sysv_sem      *sem;
static madang_semaphore_set *set;
static madang_pipe_reader   *reader;
static madang_pipe_writer   *writer;

static void fail(const char *what)
{
    const char *why = madang_last_error();
    printf("error %s: %s\n", what, why ? why : strerror(errno));
    fflush(stdout);
    _exit(1);
}

/* Ends the worker if that failed. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        if ((call) < 0)                                                                            \
            fail(#call);                                                                           \
    } while (0)

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void say_ready(const char *line)
{
    char go[8];
    printf("%s\n", line);
    fflush(stdout);
    if (!fgets(go, sizeof go, stdin))
        _exit(1);
}

/* Pairs of calls ------------------------------------------------------------------------------------------------------------------ */

static void message_plain(void)
{
    TRY(msgsnd(task.id, &message, BYTES, 0));
    TRY(msgrcv(task.id, &message, BYTES, 0, 0));
}

static void message_madang(void)
{
    TRY(madang_sysv_msg_send(queue, 1, message.bytes, BYTES, 0, -1));
    TRY(madang_sysv_msg_recv(queue, 0, message.bytes, BYTES, 0, NULL, -1));
}

static void semaphore_plain(void)
{
    struct sembuf down = { .sem_op = -1 }, up = { .sem_op = 1 };
    TRY(semop(task.id, &down, 1));
    TRY(semop(task.id, &up, 1));
}

static void semaphore_madang(void)
{
    madang_sysv_sem_op down = { .delta = -1 }, up = { .delta = 1 };
    TRY(madang_sysv_sem_operate(sem, &down, 1, 0, -1));
    TRY(madang_sysv_sem_operate(sem, &up, 1, 0, -1));
}

static void semaphore_set(void)
{
    madang_operation down = { .delta = -1 }, up = { .delta = 1 };
    TRY(madang_semaphore_set_operate(set, &down, 1, 0, -1));
    TRY(madang_semaphore_set_operate(set, &up, 1, 0, -1));
}

static void pipe_plain(void)
{
    TRY(write(pipe_ends[1], message.bytes, BYTES));
    TRY(read(pipe_ends[0], message.bytes, BYTES));
}

static void pipe_madang(void)
{
    TRY(madang_pipe_write(writer, message.bytes, BYTES, 0, -1));
    TRY(madang_pipe_read(reader, message.bytes, BYTES, 0, -1));
}

static void attach_plain(void)
{
    char *memory = shmat(task.id, NULL, 0);
    if (memory == (char *)-1)
        fail("shmat");
    TRY(shmdt(memory));
}

static void make_plain(void)
{
    int id = shmget(IPC_PRIVATE, SEGMENT, IPC_CREAT | 0600);
    TRY(id);
    TRY(shmctl(id, IPC_RMID, NULL));
}

/* Measuring them ------------------------------------------------------------------------------------------------------------------ */

static int by_length(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

enum { MOST_SLICES = 1 << 16 };

static inline __attribute__((always_inline)) uint64_t slice(void (*pair)(void), uint64_t stride)
{
    uint64_t start = now();
    for (uint64_t i = 0; i < stride; i++)
        pair();
    return now() - start;
}

static uint64_t middle(uint64_t *slices, size_t count)
{
    qsort(slices, count, sizeof slices[0], by_length);
    return count ? slices[count / 2] : 0;
}

/*
 * As `repeat` in src/peers/pair.rs; bare is NULL if pair is no wrapper. Inlined with its arguments: no pair pays for a call that others
 * don't make.
 */
static inline __attribute__((always_inline)) void repeat(void (*pair)(void), void (*bare)(void))
{
    static uint64_t slices[MOST_SLICES], bare_slices[MOST_SLICES];
    uint64_t        count = 0, start = now();
    for (; now() < start + task.warm_up; count++) {
        pair();
        if (bare)
            bare();
    }
    uint64_t stride = 1 + count * 200000 / (now() - start);
    size_t   taken = 0;
    for (uint64_t end = now() + task.run; now() < end && taken < MOST_SLICES; taken++) {
        slices[taken] = slice(pair, stride);
        if (bare)
            bare_slices[taken] = slice(bare, stride);
    }
    printf("solo %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", stride, middle(slices, taken),
           bare ? middle(bare_slices, taken) : 0);
}

/* As `contend` there. */
static inline __attribute__((always_inline)) void contend(void (*pair)(void))
{
    uint64_t count = 0, start = now();
    while (now() < start + task.warm_up)
        pair();
    start = now();
    for (; now() < start + task.run; count++)
        pair();
    printf("solo %" PRIu64 " %" PRIu64 "\n", count, now() - start);
}

/* One object that others use: of this worker, or of a keeper ---------------------------------------------------------------------- */

static int new_queue(void)
{
    struct msqid_ds status;
    int             id = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
    TRY(id);
    TRY(msgctl(id, IPC_STAT, &status));
    if (task.size < status.msg_qbytes) {
        status.msg_qbytes = task.size;
        TRY(msgctl(id, IPC_SET, &status));
    }
    return id;
}

static int new_semaphore(void)
{
    int id = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);
    TRY(id);
    TRY(semctl(id, 0, SETVAL, 1));
    return id;
}

static int new_segment(void)
{
    int id = shmget(IPC_PRIVATE, SEGMENT, IPC_CREAT | 0600);
    TRY(id);
    return id;
}

enum kind { NONE, QUEUE, SEMAPHORE, MEMORY, KINDS };

static int make_one(enum kind kind)
{
    return kind == QUEUE ? new_queue() : kind == SEMAPHORE ? new_semaphore() : kind == MEMORY ? new_segment() : -1;
}

static void remove_one(enum kind kind, int id)
{
    if (kind == QUEUE)
        TRY(msgctl(id, IPC_RMID, NULL));
    else if (kind == SEMAPHORE)
        TRY(semctl(id, 0, IPC_RMID));
    else if (kind == MEMORY)
        TRY(shmctl(id, IPC_RMID, NULL));
}

static void keep(enum kind kind)
{
    char line[32];
    int  id = make_one(kind);
    snprintf(line, sizeof line, "ready %d", id);
    say_ready(line);
    remove_one(kind, id);
    printf("done\n");
}

/* From one process to another: as in worker.c ------------------------------------------------------------------------------------- */

static uint64_t send_until(uint64_t until)
{
    uint64_t count = 0;
    for (; now() < until; count += STRIDE)
        for (int i = 0; i < STRIDE; i++)
            TRY(msgsnd(task.id, &message, BYTES, 0));
    return count;
}

static void send_all(void)
{
    message.bytes[0] = WARM_UP;
    send_until(now() + task.warm_up);
    message.bytes[0] = COUNTED;
    uint64_t start = now(), count = send_until(start + task.run), end = now();
    message.bytes[0] = (char)LAST;
    TRY(msgsnd(task.id, &message, BYTES, 0));
    printf("sent %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", count, start, end);
}

static void receive_all(void)
{
    uint64_t count = 0;
    do {
        if (msgrcv(task.id, &message, BYTES, 0, 0) != BYTES)
            fail("msgrcv");
        count += message.bytes[0] == COUNTED;
    } while (message.bytes[0] != (char)LAST);
    printf("received %" PRIu64 " %" PRIu64 "\n", count, now());
}

/* Many objects -------------------------------------------------------------------------------------------------------------------- */

static int get(enum kind kind, size_t index, int flags)
{
    /* The harness has an IPC namespace of its own where it may: there no key is another's. */
    key_t key = (key_t)(0x6d640000u + (uint32_t)index);
    int   id = kind == QUEUE ? msgget(key, flags) : kind == SEMAPHORE ? semget(key, 1, flags) : shmget(key, SEGMENT, flags);
    TRY(id);
    return id;
}

/* As ipcs(1) does: how many there are, and then each by its index. Returns how many there were. */
static size_t list(enum kind kind)
{
    union semun {
        struct semid_ds *status;
        struct seminfo  *info;
    } argument;
    struct msqid_ds queue_status;
    struct semid_ds semaphore_status;
    struct shmid_ds segment_status;
    struct msginfo  messages;
    struct seminfo  semaphores;
    struct shm_info segments;
    size_t          found = 0;
    argument.info = &semaphores;
    int highest = kind == QUEUE       ? msgctl(0, MSG_INFO, (struct msqid_ds *)&messages)
                  : kind == SEMAPHORE ? semctl(0, 0, SEM_INFO, argument)
                                      : shmctl(0, SHM_INFO, (struct shmid_ds *)&segments);
    argument.status = &semaphore_status;
    for (int index = 0; index <= highest; index++) {
        int id = kind == QUEUE       ? msgctl(index, MSG_STAT, &queue_status)
                 : kind == SEMAPHORE ? semctl(index, 0, SEM_STAT, argument)
                                     : shmctl(index, SHM_STAT, &segment_status);
        found += id >= 0;
    }
    return found;
}

/* Creates so many, finds each by its key, or lists them, again and again; what one takes. */
static void many(enum kind kind, const char *what)
{
    int     *ids = calloc(task.size, sizeof *ids);
    uint64_t count = 0, spent = 0;
    int      creates = !strcmp(what, "create");
    if (!ids)
        fail("calloc");
    do {
        uint64_t start = now();
        if (creates || !count) {
            for (size_t i = 0; i < task.size; i++)
                ids[i] = get(kind, i, IPC_CREAT | IPC_EXCL | 0600);
            if (!creates)
                start = now();
        }
        if (!strcmp(what, "find"))
            for (size_t i = 0; i < task.size; i++)
                if (get(kind, i * 7919 % task.size, 0) < 0)
                    fail("get");
        if (!strcmp(what, "list") && list(kind) < task.size)
            fail("list");
        spent += now() - start;
        count += task.size;
        if (creates)
            for (size_t i = 0; i < task.size; i++)
                remove_one(kind, ids[i]);
    } while (spent < task.run);
    if (!creates)
        for (size_t i = 0; i < task.size; i++)
            remove_one(kind, ids[i]);
    printf("solo %" PRIu64 " %" PRIu64 "\n", count, spent);
}

/* What a worker can be told to do -------------------------------------------------------------------------------------------------- */

static enum kind kind_of(const char *word)
{
    static const char *const words[] = { [QUEUE] = "queue", [SEMAPHORE] = "semaphore", [MEMORY] = "segment" };
    for (int kind = QUEUE; kind < KINDS; kind++)
        if (!strcmp(word, words[kind]))
            return (enum kind)kind;
    return NONE;
}

static void open_madang(const char *job)
{
    madang_pipe_options          how = { .struct_size = sizeof how };
    uint32_t                     one = 1;
    uint16_t                     also_one = 1;
    madang_semaphore_set_options options = { .struct_size = sizeof options, .values = &one, .semaphores = 1 };
    char                         name[64];
    if (!strcmp(job, "pipe-madang-sigpipe"))
        how.flags = MADANG_LEAVE_SIGPIPE;
    if (!strcmp(job, "message-madang")) {
        TRY(madang_sysv_msg_open(MADANG_SYSV_PRIVATE, NULL, &queue));
        task.id = madang_sysv_msg_id(queue);
    }
    if (!strcmp(job, "semaphore-madang")) {
        TRY(madang_sysv_sem_open(MADANG_SYSV_PRIVATE, &also_one, 1, NULL, &sem));
        task.id = madang_sysv_sem_id(sem);
    }
    if (!strncmp(job, "pipe-madang", 11)) {
        TRY(madang_pipe_open(&how, &reader, &writer));
        pipe_ends[0] = madang_pipe_reader_fd(reader);
        pipe_ends[1] = madang_pipe_writer_fd(writer);
    }
    if (!strcmp(job, "pipe-plain"))
        TRY(pipe2(pipe_ends, O_CLOEXEC));
    if (strstr(job, "semaphore-set")) {
        /* Of its own, or the one that both contend for: it goes with the directory in which the harness has all of these. */
        snprintf(name, sizeof name, "bench-%d", *job == 'c' ? 0 : (int)getpid());
        TRY(madang_semaphore_set_open(name, &options, &set));
    }
}

static const struct job {
    const char *name;
    void (*pair)(void);
    enum kind kind;
} jobs[] = {
    { "message-plain", message_plain, QUEUE },
    { "message-madang", message_madang, NONE },
    { "semaphore-plain", semaphore_plain, SEMAPHORE },
    { "semaphore-madang", semaphore_madang, NONE },
    { "semaphore-set", semaphore_set, NONE },
    { "pipe-plain", pipe_plain, NONE },
    { "pipe-madang", pipe_madang, NONE },
    { "pipe-madang-sigpipe", pipe_madang, NONE },
    { "attach-plain", attach_plain, MEMORY },
    { "make-plain", make_plain, NONE },
};

#define REPEAT(name, bare)                                                                         \
    if (pair == (name))                                                                            \
    repeat(name, bare)

static void repeat_job(const struct job *job)
{
    void (*pair)(void) = job->pair;
    if (job->kind != NONE)
        task.id = make_one(job->kind);
    say_ready("ready");
    REPEAT(message_plain, NULL);
    REPEAT(message_madang, message_plain);
    REPEAT(semaphore_plain, NULL);
    REPEAT(semaphore_madang, semaphore_plain);
    REPEAT(semaphore_set, NULL);
    REPEAT(pipe_plain, NULL);
    REPEAT(pipe_madang, pipe_plain);
    REPEAT(attach_plain, NULL);
    REPEAT(make_plain, NULL);
    remove_one(job->kind, task.id);
    if (queue)
        madang_sysv_msg_remove(queue);
    if (sem)
        madang_sysv_sem_remove(sem);
}

int main(int argc, char **argv)
{
    char kind[32], what[32];
    if (argc != 6) {
        fprintf(stderr, "usage: see the head of bench/c/calls.c\n");
        return 2;
    }
    const char *name = argv[1];
    task = (struct task){ atoi(argv[2]), strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10),
                          strtoull(argv[5], NULL, 10) };
    open_madang(name);
    if (!strncmp(name, "keep-", 5)) {
        keep(kind_of(name + 5));
    } else if (!strcmp(name, "send")) {
        say_ready("ready");
        send_all();
    } else if (!strcmp(name, "recv")) {
        say_ready("ready");
        receive_all();
    } else if (!strcmp(name, "contend-semaphore-plain")) {
        say_ready("ready");
        contend(semaphore_plain);
    } else if (!strcmp(name, "contend-semaphore-set")) {
        say_ready("ready");
        contend(semaphore_set);
    } else if (sscanf(name, "many-%31[a-z]-%31[a-z]", kind, what) == 2) {
        say_ready("ready");
        many(kind_of(kind), what);
    } else {
        for (size_t i = 0; i < sizeof jobs / sizeof jobs[0]; i++)
            if (!strcmp(name, jobs[i].name))
                repeat_job(&jobs[i]);
    }
    fflush(stdout);
    return 0;
}
