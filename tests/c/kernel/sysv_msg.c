/* System V message queues from C, and keys. See check.h for how a test program works. */
#include "sysv.h"

static madang_sysv_msg *queue;

static madang_sysv_msg *opened(madang_sysv_msg_options options)
{
    options.struct_size = sizeof options;
    madang_sysv_msg *handle = NULL;
    EQUAL(madang_sysv_msg_open(key(0), &options, &handle), 0);
    return handle;
}

static madang_sysv_msg_status status_of(madang_sysv_msg *handle)
{
    madang_sysv_msg_status status = {.struct_size = sizeof status};
    EQUAL(madang_sysv_msg_stat(handle, &status), 0);
    EQUAL(status.struct_size, sizeof status);
    return status;
}

static void send_text(int64_t type, const char *text)
{
    EQUAL(madang_sysv_msg_send(queue, type, text, strlen(text), 0, 0), 0);
}

static void recv_text(int64_t select, uint32_t flags, int64_t type, const char *text)
{
    char buffer[64];
    int64_t received = -1;
    EQUAL(madang_sysv_msg_recv(queue, select, buffer, sizeof buffer, flags, &received, 0), strlen(text));
    EQUAL(received, type);
    CHECK(memcmp(buffer, text, strlen(text)) == 0);
}

/* What we send another process receives by the bare call, and the other way round. */
static void smoke(void)
{
    queue = opened((madang_sysv_msg_options){0});
    EQUAL(madang_sysv_msg_is_new(queue), 1);
    EQUAL(madang_sysv_msg_id(queue), msgget(key(0), 0));
    send_text(7, "two teas");
    pid_t child = fork();
    if (child == 0) {
        struct {
            long type;
            char text[64];
        } message;
        int id = msgget(key(0), 0);
        EQUAL(msgrcv(id, &message, sizeof message.text, 7, 0), 8);
        CHECK(message.type == 7 && memcmp(message.text, "two teas", 8) == 0);
        message.type = 8;
        EQUAL(msgsnd(id, &message, 3, 0), 0);
        exit(EXIT_SUCCESS);
    }
    reap(child);
    recv_text(0, 0, 8, "two");
    EQUAL(madang_sysv_msg_send(queue, 1, NULL, 0, 0, -1), 0);
    EQUAL(madang_sysv_msg_recv(queue, 0, NULL, 0, 0, NULL, -1), 0);

    madang_sysv_msg *same;
    EQUAL(madang_sysv_msg_from_id(madang_sysv_msg_id(queue), &same), 0);
    EQUAL(madang_sysv_msg_is_new(same), 0);
    EQUAL(madang_sysv_msg_close(same), 0);
    EQUAL(madang_sysv_msg_remove(queue), 0);
    FAILS(madang_sysv_msg_remove(queue), EIDRM, "it was removed");
    EQUAL(madang_sysv_msg_close(queue), 0);
    FAILS(madang_sysv_msg_close(queue), EBADF, "was it closed before?");
    CHECK(msgget(key(0), 0) == -1);
}

static void select_by_type(void)
{
    queue = opened((madang_sysv_msg_options){0});
    send_text(3, "three");
    send_text(1, "one");
    send_text(2, "two");
    recv_text(2, 0, 2, "two");
    recv_text(3, MADANG_EXCEPT, 1, "one");
    recv_text(-3, 0, 3, "three");
    char buffer[4];
    FAILS(madang_sysv_msg_recv(queue, 2, buffer, 4, 0, NULL, 0), EAGAIN, "it has no message of type 2");
    FAILS(madang_sysv_msg_recv(queue, 0, buffer, 4, MADANG_INSTANT, NULL, 0), EAGAIN, "it is empty");
    FAILS(madang_sysv_msg_recv(queue, 0, buffer, 4, MADANG_EXCEPT, NULL, 0), EINVAL, "");
    FAILS(madang_sysv_msg_send(queue, 0, "x", 1, 0, 0), EINVAL, "type 0: a message's type is greater than 0");
}

static void buffers(void)
{
    queue = opened((madang_sysv_msg_options){0});
    send_text(4, "0123456789");
    char buffer[20000] = "----------";
    int64_t type = 99;
    FAILS(madang_sysv_msg_recv(queue, 0, buffer, 4, 0, &type, 0), E2BIG, "longer than the buffer's 4 bytes, and stays");
    EQUAL(type, 99);
    EQUAL(madang_sysv_msg_recv(queue, 0, buffer, 4, MADANG_TRUNCATE, &type, 0), 4);
    CHECK(type == 4 && strcmp(buffer, "0123------") == 0);
    EQUAL(status_of(queue).messages, 0);
    memset(buffer, 'x', sizeof buffer);
    EQUAL(madang_sysv_msg_send(queue, 1, buffer, 8192, 0, 0), 0);
    buffer[8191] = 0;
    EQUAL(madang_sysv_msg_recv(queue, 0, buffer, sizeof buffer, 0, NULL, 0), 8192);
    CHECK(buffer[8191] == 'x');
    FAILS(madang_sysv_msg_send(queue, 1, buffer, sizeof buffer, 0, -1), EMSGSIZE, "kernel.msgmax");
}

static void peek(void)
{
    queue = opened((madang_sysv_msg_options){0});
    char buffer[8];
    int64_t type;
    send_text(2, "first");
    send_text(1, "second");
    int64_t length = madang_sysv_msg_peek(queue, 1, buffer, sizeof buffer, &type);
    if (length == -ENOSYS)
        skip("the kernel can't copy messages");
    CHECK(length == 6 && type == 1 && memcmp(buffer, "second", 6) == 0);
    FAILS(madang_sysv_msg_peek(queue, 2, buffer, sizeof buffer, NULL), EAGAIN, "no message at position 2");
    FAILS(madang_sysv_msg_peek(queue, 0, buffer, 3, NULL), E2BIG, "the buffer's 3 bytes");
    EQUAL(status_of(queue).messages, 2);
}

static void timeout(void)
{
    queue = opened((madang_sysv_msg_options){0});
    char buffer[64];
    int64_t begun = now_ns();
    FAILS(madang_sysv_msg_recv(queue, 0, buffer, 64, 0, NULL, 20 * MS), ETIMEDOUT, "the time is over");
    CHECK(now_ns() - begun >= 20 * MS);
    FAILS(madang_sysv_msg_recv(queue, 0, buffer, 64, MADANG_DEADLINE, NULL, begun), ETIMEDOUT, "");
    EQUAL(madang_sysv_msg_set_capacity(queue, 10), 0);
    send_text(1, "12345678");
    FAILS(madang_sysv_msg_send(queue, 1, "123", 3, 0, 0), EAGAIN, "it is full");
    FAILS(madang_sysv_msg_send(queue, 1, "123", 3, 0, 20 * MS), ETIMEDOUT, "it stayed full");
    FAILS(madang_sysv_msg_send(queue, 1, "12345678901", 11, 0, 0), EMSGSIZE, "where all may have 10 together");
    EQUAL(madang_sysv_msg_send(queue, 1, "12", 2, 0, 0), 0);
}

static void recv_bare(void)
{
    char buffer[8];
    FAILS(madang_sysv_msg_recv(queue, 0, buffer, 8, 0, NULL, -1), EIDRM, "it was removed");
}

static void recv_timed(void)
{
    char buffer[8];
    FAILS(madang_sysv_msg_recv(queue, 0, buffer, 8, 0, NULL, 10000 * MS), EIDRM, "it was removed");
}

static void removed_while_waiting(void)
{
    void (*ways[])(void) = {recv_bare, recv_timed};
    for (int i = 0; i < 2; i++) {
        queue = opened((madang_sysv_msg_options){0});
        pid_t child = asleep(ways[i]);
        EQUAL(madang_sysv_msg_unlink(key(0)), 0);
        reap(child);
        FAILS(madang_sysv_msg_send(queue, 1, "", 0, 0, -1), EIDRM, "it was removed");
        EQUAL(madang_sysv_msg_close(queue), 0);
    }
}

static void recv_interrupted(void)
{
    char buffer[8];
    signal(SIGUSR1, nothing);
    FAILS(madang_sysv_msg_recv(queue, 0, buffer, 8, 0, NULL, -1), EINTR, "a signal handler ran while waiting");
}

static void recv_timed_interrupted(void)
{
    char buffer[8];
    signal(SIGUSR1, nothing);
    FAILS(madang_sysv_msg_recv(queue, 0, buffer, 8, 0, NULL, 10000 * MS), EINTR, "a signal handler ran");
}

static void interrupted(void)
{
    queue = opened((madang_sysv_msg_options){0});
    /* A handler of the child's own is too late for the first signals. */
    signal(SIGUSR1, nothing);
    interrupt(asleep(recv_interrupted));
    interrupt(asleep(recv_timed_interrupted));
}

static void as_nobody(void)
{
    madang_sysv_msg *mine;
    madang_sysv_change change = {.struct_size = sizeof change, .flags = MADANG_SYSV_MODE, .mode = 0666};
    EQUAL(madang_sysv_msg_open(key(0), NULL, &mine), 0);
    FAILS(madang_sysv_msg_send(mine, 1, "x", 1, 0, 0), EACCES, "its mode does not permit it");
    FAILS(madang_sysv_msg_change(mine, &change), EPERM, "only its owner, its creator and root may do that");
    FAILS(madang_sysv_msg_remove(mine), EPERM, "only its owner");
    EQUAL(status_of(mine).mode, 0604);
}

static void as_its_owner(void)
{
    madang_sysv_msg_limits limits = {.struct_size = sizeof limits};
    EQUAL(madang_sysv_msg_get_limits(&limits), 0);
    EQUAL(madang_sysv_msg_set_capacity(queue, limits.capacity), 0);
    FAILS(madang_sysv_msg_set_capacity(queue, limits.capacity + 1), EPERM, "CAP_SYS_RESOURCE");
    EQUAL(madang_sysv_msg_remove(queue), 0);
}

static void permissions(void)
{
    mode_t mask = umask(077);
    queue = opened((madang_sysv_msg_options){.mode = 0604});
    umask(mask);
    EQUAL(status_of(queue).mode, 0604);
    as_user(NOBODY, as_nobody);
    madang_sysv_change change = {.struct_size = sizeof change, .flags = MADANG_SYSV_UID | MADANG_SYSV_GID};
    change.uid = NOBODY;
    change.gid = NOBODY;
    EQUAL(madang_sysv_msg_change(queue, &change), 0);
    madang_sysv_msg_status status = status_of(queue);
    CHECK(status.uid == NOBODY && status.gid == NOBODY && status.creator_uid == geteuid() && status.mode == 0604);
    as_user(NOBODY, as_its_owner);
    FAILS(madang_sysv_msg_stat(queue, &status), EIDRM, "it was removed");
}

static void told(void)
{
    queue = opened((madang_sysv_msg_options){0});
    send_text(1, "12345");
    struct msqid_ds raw;
    EQUAL(msgctl(madang_sysv_msg_id(queue), IPC_STAT, &raw), 0);
    madang_sysv_msg_status status = status_of(queue);
    CHECK(status.id == madang_sysv_msg_id(queue) && status.key == key(0));
    CHECK(status.messages == 1 && status.bytes == 5 && status.capacity == raw.msg_qbytes);
    CHECK(status.last_sender == getpid() && status.last_receiver == 0);
    CHECK(status.sent_at == raw.msg_stime && status.received_at == 0 && status.changed_at == raw.msg_ctime);

    madang_sysv_msg_status all[256] = {{.struct_size = sizeof all[0]}};
    int64_t count = madang_sysv_msg_list(all, 256), found = 0;
    CHECK(count >= 1 && madang_sysv_msg_list(NULL, 0) >= 1);
    for (int64_t i = 0; i < count && i < 256; i++)
        found += all[i].key == key(0) && all[i].id == status.id && all[i].messages == 1;
    EQUAL(found, 1);
    madang_sysv_msg_limits limits = {.struct_size = sizeof limits};
    EQUAL(madang_sysv_msg_get_limits(&limits), 0);
    CHECK(limits.queues >= 1 && limits.messages >= 1 && limits.bytes >= 5 && limits.max_message >= 8192);
}

static void bad_input(void)
{
    madang_sysv_msg *none = (madang_sysv_msg *)(void *)&none, *const untouched = none;
    madang_sysv_msg_options options = {.struct_size = sizeof options, .create = MADANG_CREATE_NEVER};
    FAILS(madang_sysv_msg_open(key(0), &options, &none), ENOENT, "there is none of this key");
    FAILS(madang_sysv_msg_open(MADANG_SYSV_PRIVATE, &options, &none), EINVAL, "IPC_PRIVATE always makes a new one");
    options.create = MADANG_CREATE_ONLY;
    options.mode = 01000;
    FAILS(madang_sysv_msg_open(key(0), &options, &none), EINVAL, "nine permission bits");
    options.mode = 0;
    EQUAL(madang_sysv_msg_open(key(0), &options, &queue), 0);
    FAILS(madang_sysv_msg_open(key(0), &options, &none), EEXIST, "there is one of this key already");
    options.reserved = 1;
    FAILS(madang_sysv_msg_open(key(0), &options, &none), E2BIG, "");
    options.reserved = options.struct_size = 0;
    FAILS(madang_sysv_msg_open(key(0), &options, &none), EINVAL, "struct_size is 0");
    FAILS(madang_sysv_msg_from_id(-1, &none), EINVAL, "there is none of this identifier");
    CHECK(none == untouched);
    FAILS(madang_sysv_msg_open(key(0), NULL, NULL), EFAULT, "queue is NULL");
    FAILS(madang_sysv_msg_send(NULL, 1, "", 0, 0, 0), EFAULT, "queue is NULL");
    FAILS(madang_sysv_msg_send(queue, 1, NULL, 1, 0, 0), EFAULT, "data is NULL");
    FAILS(madang_sysv_msg_send(queue, 1, "", 0, MADANG_EXCEPT, 0), EINVAL, "no such flags");
    FAILS(madang_sysv_msg_recv(queue, 0, NULL, 1, 0, NULL, 0), EFAULT, "buffer is NULL");
    FAILS(madang_sysv_msg_stat(queue, NULL), EFAULT, "status is NULL");
    FAILS(madang_sysv_msg_change(queue, NULL), EFAULT, "change is NULL");
    madang_sysv_change change = {.struct_size = sizeof change, .flags = 8};
    FAILS(madang_sysv_msg_change(queue, &change), EINVAL, "MADANG_SYSV_MODE");
    FAILS(madang_sysv_msg_get_limits(NULL), EFAULT, "limits is NULL");
    FAILS(madang_sysv_msg_remove_id(-1), EINVAL, "there is none of this identifier");
    FAILS(madang_sysv_msg_unlink(key(7)), ENOENT, "there is none of this key");
    EQUAL(madang_sysv_msg_remove_id(madang_sysv_msg_id(queue)), 0);
    EQUAL(madang_sysv_msg_close(queue), 0);
    FAILS(madang_sysv_msg_id(queue), EBADF, "");
    FAILS(madang_sysv_msg_send(queue, 1, "", 0, 0, 0), EBADF, "");
}

static void ftok_of_files(void)
{
    const char *paths[] = {"/", "/dev/null", "/proc/self/exe"};
    for (int i = 0; i < 3; i++) {
        int32_t made;
        EQUAL(madang_sysv_ftok(paths[i], 'A' + i, &made), 0);
        EQUAL(made, ftok(paths[i], 'A' + i));
    }
    int32_t untouched = 5;
    FAILS(madang_sysv_ftok("/none/such", 1, &untouched), ENOENT, "give it the path of a file that exists");
    FAILS(madang_sysv_ftok("/", 256, &untouched), EINVAL, "from 0 to 255");
    FAILS(madang_sysv_ftok("/", -1, &untouched), EINVAL, "from 0 to 255");
    FAILS(madang_sysv_ftok(NULL, 1, &untouched), EFAULT, "path is NULL");
    FAILS(madang_sysv_ftok("/", 1, NULL), EFAULT, "key is NULL");
    EQUAL(untouched, 5);
}

static void nothing_leaks(void)
{
    int files = open_files();
    size_t before = 0;
    for (int i = 0; i < 3000; i++) {
        queue = opened((madang_sysv_msg_options){0});
        EQUAL(madang_sysv_msg_close(queue), 0);
        if (i == 1500)
            before = allocated();
    }
    CHECK(allocated() <= before + 4096);
    EQUAL(open_files(), files);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        CASE(smoke),       CASE(select_by_type), CASE(buffers),     CASE(peek),
        CASE(timeout),     CASE(interrupted),    CASE(permissions), CASE(removed_while_waiting),
        CASE(told),        CASE(bad_input),      CASE(ftok_of_files), CASE(nothing_leaks),
    };
    return run_cases(cases, sizeof cases / sizeof cases[0], argc, argv);
}
