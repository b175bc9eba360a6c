/* System V's calls from shared memory, by the names that madang_sysv.h gives them. See check.h for how a test program works; what the
 * calls mean is compared with the kernel's in tests/parity. */
static void remove_objects(void);
#define REMOVE remove_objects
#include "../check.h"

#include <madang_sysv.h>

union semun {
    int val;
    struct semid_ds *buf;
    unsigned short *array;
};

struct text {
    long type;
    char text[16];
};

/* A key that no other program has; the cases run one after the other. */
static key_t key(void)
{
    static pid_t program;
    if (program == 0)
        program = getpid();
    return (key_t)(0x40000000 | (program & 0x3fffff) << 8 | 7);
}

static void remove_objects(void)
{
    msgctl(msgget(key(), 0), IPC_RMID, NULL);
    semctl(semget(key(), 0, 0), 0, IPC_RMID);
    shmctl(shmget(key(), 0, 0), IPC_RMID, NULL);
}

static void messages(void)
{
    int id = msgget(key(), IPC_CREAT | IPC_EXCL | 0600);
    CHECK(id >= 0 && msgget(key(), 0) == id);
    CHECK(msgget(key(), IPC_CREAT | IPC_EXCL | 0600) == -1 && errno == EEXIST);
    struct text sent = {7, "two teas"}, got;
    CHECK(msgsnd(id, &sent, 8, 0) == 0);
    /* The same object by the native API. */
    char other[32], bytes[16];
    snprintf(other, sizeof other, "sysv.key.%08x", (unsigned)key());
    madang_queue *queue;
    EQUAL(madang_queue_open(other, NULL, &queue), 0);
    EQUAL(madang_queue_recv(queue, 7, bytes, sizeof bytes, 0, NULL, 0), 8);
    CHECK(memcmp(bytes, "two teas", 8) == 0);
    EQUAL(madang_queue_send(queue, 3, "coffee", 6, 0, 0), 0);
    CHECK(msgrcv(id, &got, sizeof got.text, -5, 0) == 6 && got.type == 3 && memcmp(got.text, "coffee", 6) == 0);
    CHECK(msgrcv(id, &got, sizeof got.text, 0, IPC_NOWAIT) == -1 && errno == ENOMSG);
    struct msqid_ds status;
    CHECK(msgctl(id, IPC_STAT, &status) == 0);
    CHECK(status.msg_qnum == 0 && status.msg_lspid == getpid() && status.msg_perm.__key == key());
    CHECK(msgctl(id, IPC_RMID, NULL) == 0);
    CHECK(msgsnd(id, &sent, 8, 0) == -1 && errno == EINVAL);
    /* Nobody could receive what it sent now. */
    EQUAL(madang_queue_send(queue, 3, "tea", 3, 0, 0), -EIDRM);
    EQUAL(madang_queue_close(queue), 0);
}

static void semaphores(void)
{
    int id = semget(key(), 2, IPC_CREAT | IPC_EXCL | 0600);
    CHECK(id >= 0);
    union semun argument = {.val = 3};
    CHECK(semctl(id, 1, SETVAL, argument) == 0);
    CHECK(semctl(id, 1, GETVAL) == 3);
    unsigned short values[2] = {5, 6};
    argument.array = values;
    CHECK(semctl(id, 0, SETALL, argument) == 0);
    struct sembuf both[] = {{0, -5, SEM_UNDO}, {1, -1, 0}};
    CHECK(semop(id, both, 2) == 0 && semctl(id, 0, GETALL, argument) == 0);
    CHECK(values[0] == 0 && values[1] == 5);
    struct sembuf one = {0, -1, 0};
    struct timespec soon = {0, 10000000};
    CHECK(semtimedop(id, &one, 1, &soon) == -1 && errno == EAGAIN);
    struct semid_ds status;
    argument.buf = &status;
    CHECK(semctl(id, 0, IPC_STAT, argument) == 0 && status.sem_nsems == 2);
    /* The same object by the native API. */
    char other[32];
    snprintf(other, sizeof other, "sysv.key.%08x", (unsigned)key());
    madang_semaphore_set *set;
    EQUAL(madang_semaphore_set_open(other, NULL, &set), 0);
    EQUAL(madang_semaphore_set_value(set, 1), 5);
    EQUAL(madang_semaphore_set_close(set), 0);
    CHECK(semctl(id, 0, IPC_RMID) == 0);
    CHECK(semctl(id, 0, GETVAL) == -1 && errno == EINVAL);
}

static void memory(void)
{
    int id = shmget(key(), 5000, IPC_CREAT | IPC_EXCL | 0600);
    CHECK(id >= 0);
    char *at = shmat(id, NULL, 0);
    CHECK(at != (char *)-1 && at[0] == 0 && at[4999] == 0);
    pid_t child = fork();
    if (child == 0) {
        char *mine = shmat(shmget(key(), 0, 0), NULL, 0);
        strcpy(mine, "hello");
        struct shmid_ds status;
        CHECK(shmctl(id, IPC_STAT, &status) == 0 && status.shm_nattch == 3);
        exit(EXIT_SUCCESS);
    }
    reap(child);
    CHECK(strcmp(at, "hello") == 0);
    struct shmid_ds status;
    CHECK(shmctl(id, IPC_STAT, &status) == 0);
    CHECK(status.shm_nattch == 1 && status.shm_segsz == 5000 && status.shm_cpid == getpid());
    CHECK(shmctl(id, IPC_RMID, NULL) == 0 && shmget(key(), 0, 0) == -1 && errno == ENOENT);
    CHECK(strcmp(at, "hello") == 0 && shmdt(at) == 0);
    CHECK(shmdt(at) == -1 && errno == EINVAL);
    CHECK(shmctl(id, IPC_STAT, &status) == -1 && errno == EINVAL);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {CASE(messages), CASE(semaphores), CASE(memory)};
    key();
    return run_cases(cases, sizeof cases / sizeof cases[0], argc, argv);
}
