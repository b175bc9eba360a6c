/* msgget, msgsnd, msgrcv, msgctl. */
#include "parity.h"

struct message {
    long type;
    char data[20000];
};

static int queue(void)
{
    int id = msgget(IPC_PRIVATE, 0600);
    if (id < 0)
        say("no queue: %s", errno_name(errno));
    return id;
}

static int removed(int id)
{
    return msgctl(id, IPC_RMID, NULL);
}

static int put(int id, long type, const char *text, int flags)
{
    struct message message = {.type = type};
    memcpy(message.data, text, strlen(text) + 1);
    return msgsnd(id, &message, strlen(text), flags);
}

/* Puts a message of that length. */
static int fill(int id, size_t length)
{
    static struct message message = {.type = 1};
    return msgsnd(id, &message, length, IPC_NOWAIT);
}

/* Says what it got. */
#define GET(id, size, type, flags) got(#size ", " #type ", " #flags, id, size, type, flags)

static void got(const char *how, int id, size_t size, long type, int flags)
{
    struct message message = {.type = -7};
    memset(message.data, '#', 64);
    ssize_t length = msgrcv(id, &message, size, type, flags | IPC_NOWAIT);
    if (length < 0)
        say("msgrcv(%s) = %s, type %ld, %.4s", how, errno_name(errno), message.type, message.data);
    else
        say("msgrcv(%s) = %zd, type %ld: %.*s%.2s", how, length, message.type, (int)length, message.data, message.data + length);
}

static struct msqid_ds status(int id)
{
    struct msqid_ds told;
    memset(&told, 0xee, sizeof told);
    SAY(msgctl(id, IPC_STAT, &told));
    return told;
}

static void held(int id)
{
    struct msqid_ds told;
    if (msgctl(id, IPC_STAT, &told) == 0)
        say("%lu bytes in %lu messages", (unsigned long)told.__msg_cbytes, (unsigned long)told.msg_qnum);
    else
        say("msgctl(IPC_STAT) = %s", errno_name(errno));
}

static void keys(void)
{
    SAY(msgget(KEY, 0));
    SAY(msgget(KEY, IPC_EXCL));
    int id = ID(msgget(KEY, IPC_CREAT | 0640));
    IS(msgget(KEY, 0) == id);
    IS(msgget(KEY, 0600) == id);
    IS(msgget(KEY, IPC_CREAT | 0600) == id);
    IS(msgget(KEY, IPC_EXCL) == id);
    SAY(msgget(KEY, IPC_CREAT | IPC_EXCL | 0600));
    IS(msgget(KEY, 07077) == id);
    int other = ID(msgget(KEY + 1, IPC_CREAT | IPC_EXCL | 0600));
    IS(other != id);
    SAY(removed(id));
    SAY(removed(id));
    SAY(msgget(KEY, 0600));
    int next = ID(msgget(KEY, IPC_CREAT | 0600));
    IS(next != id);
    SAY(removed(other));
    SAY(removed(next));
    int negative = ID(msgget(-1, IPC_CREAT | 0600));
    IS(msgget(-1, 0) == negative);
    SAY(removed(negative));
    int least = ID(msgget(INT_MIN, IPC_CREAT | 0600));
    SAY(removed(least));
}

static void private_queues(void)
{
    int one = ID(msgget(IPC_PRIVATE, 0));
    int two = ID(msgget(IPC_PRIVATE, IPC_CREAT | IPC_EXCL | 0600));
    IS(one != two);
    struct msqid_ds told = status(one);
    say("key %d, mode 0%o", told.msg_perm.__key, told.msg_perm.mode);
    SAY(removed(one));
    SAY(removed(two));
}

static int get_as_other(void *nothing)
{
    (void)nothing;
    ID(msgget(KEY, 0));
    ID(msgget(KEY, 0400));
    ID(msgget(KEY, 0004));
    ID(msgget(KEY, 0200));
    ID(msgget(KEY, 0600));
    ID(msgget(KEY, IPC_CREAT | 0600));
    ID(msgget(KEY, IPC_CREAT | IPC_EXCL | 0600));
    return 0;
}

static void modes_at_get(void)
{
    int modes[] = {0600, 0640, 0604, 0602, 0606, 0666, 0060, 0006, 0000};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        int id = msgget(KEY, IPC_CREAT | modes[i]);
        say("mode 0%03o", modes[i]);
        as_nobody(get_as_other, NULL);
        removed(id);
    }
}

static int use_as_other(void *with)
{
    int id = *(int *)with;
    struct msqid_ds told;
    SAY(put(id, 1, "theirs", IPC_NOWAIT));
    GET(id, 100, 0, 0);
    SAY(msgctl(id, IPC_STAT, &told));
    memset(&told, 0, sizeof told);
    told.msg_perm.uid = NOBODY;
    told.msg_perm.gid = 1234;
    told.msg_perm.mode = 0666;
    told.msg_qbytes = 100;
    SAY(msgctl(id, IPC_SET, &told));
    SAY(msgctl(id, IPC_RMID, NULL));
    return 0;
}

static void modes_in_use(void)
{
    int modes[] = {0600, 0604, 0602, 0606, 0660, 0006};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        int id = msgget(IPC_PRIVATE, modes[i]);
        say("mode 0%03o", modes[i]);
        put(id, 1, "mine", 0);
        as_nobody(use_as_other, &id);
        SAY(removed(id));
    }
}

static int set_much_as_reader(void *with)
{
    struct msqid_ds told;
    SAY(msgctl(*(int *)with, IPC_STAT, &told));
    told.msg_qbytes = 1UL << 40;
    SAY(msgctl(*(int *)with, IPC_SET, &told));
    return 0;
}

/* Whose it is is looked at before what it may hold. */
static void set_much_without_permission(void)
{
    int id = msgget(IPC_PRIVATE, 0604);
    as_nobody(set_much_as_reader, &id);
    SAY(removed(id));
}

static int own_mode(void *nothing)
{
    (void)nothing;
    int modes[] = {0600, 0400, 0200, 0000, 0066};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        int id = ID(msgget(IPC_PRIVATE, modes[i]));
        say("mode 0%03o", modes[i]);
        SAY(put(id, 1, "mine", IPC_NOWAIT));
        GET(id, 100, 0, 0);
        struct msqid_ds told;
        SAY(msgctl(id, IPC_STAT, &told));
        SAY(removed(id));
    }
    return 0;
}

/* The owner's class judges him, though others might more. */
static void modes_of_owner(void)
{
    as_nobody(own_mode, NULL);
}

static void wrong_arguments(void)
{
    int id = queue();
    struct message message = {.type = 1};
    struct msqid_ds told;
    SAY(msgsnd(-1, &message, 1, 0));
    SAY(msgsnd(0x7ffffff0, &message, 1, 0));
    SAY(put(id, 0, "zero", 0));
    SAY(put(id, -1, "minus one", 0));
    SAY(put(id, LONG_MIN, "the least", 0));
    SAY(put(id, LONG_MAX, "the most", 0));
    GET(id, 100, LONG_MAX, 0);
    SAY(msgsnd(id, &message, 8193, IPC_NOWAIT));
    SAY(msgsnd(id, &message, -1, IPC_NOWAIT));
    SAY(msgsnd(id, &message, LONG_MAX, IPC_NOWAIT));
    SAY(msgsnd(id, &message, 8192, IPC_NOWAIT));
    SAY(msgsnd(id, NULL, 1, IPC_NOWAIT));
    SAY(msgsnd(id, (void *)-8, 1, IPC_NOWAIT));
    SAY(msgrcv(-1, &message, 1, 0, IPC_NOWAIT));
    SAY(msgrcv(id, &message, -1, 0, IPC_NOWAIT));
    SAY(msgrcv(id, &message, LONG_MIN, 0, IPC_NOWAIT));
    SAY(msgrcv(id, &message, LONG_MAX, 0, IPC_NOWAIT));
    SAY(msgrcv(id, &message, 100, 0, IPC_NOWAIT));
    SAY(msgctl(id, 99, &told));
    SAY(msgctl(id, -1, &told));
    SAY(msgctl(-1, IPC_STAT, &told));
    SAY(msgctl(-1, IPC_RMID, NULL));
    SAY(msgctl(0x7ffffff0, IPC_STAT, &told));
    SAY(msgctl(id, IPC_STAT, NULL));
    SAY(msgctl(id, IPC_SET, NULL));
    SAY(msgctl(id, MSG_INFO, NULL));
    SAY(msgctl(id, IPC_INFO, NULL));
    SAY(removed(id));
    SAY(msgsnd(id, &message, 1, 0));
    SAY(msgrcv(id, &message, 1, 0, 0));
    SAY(msgctl(id, IPC_STAT, &told));
    SAY(msgctl(id, IPC_RMID, NULL));
}

/* errno is left alone by what succeeds. */
static void leaves_errno(void)
{
    errno = 4242;
    int id = msgget(KEY, IPC_CREAT | 0600);
    IS(errno == 4242);
    put(id, 1, "x", 0);
    IS(errno == 4242);
    struct message message;
    IS(msgrcv(id, &message, 10, 0, 0) == 1 && errno == 4242);
    struct msqid_ds told;
    IS(msgctl(id, IPC_STAT, &told) == 0 && errno == 4242);
    IS(removed(id) == 0 && errno == 4242);
}

static void by_type(void)
{
    int id = queue();
    const char *texts[] = {"three", "one", "two", "one again", "five", "two again", "five again"};
    long types[] = {3, 1, 2, 1, 5, 2, 5};
    for (int i = 0; i < 7; i++)
        put(id, types[i], texts[i], 0);
    GET(id, 100, 4, 0);
    GET(id, 100, 2, 0);
    GET(id, 100, -2, 0);
    GET(id, 100, -2, 0);
    GET(id, 100, 3, MSG_EXCEPT);
    GET(id, 100, 0, 0);
    GET(id, 100, 5, MSG_EXCEPT);
    GET(id, 100, -1, 0);
    GET(id, 100, -5, MSG_EXCEPT);
    GET(id, 100, 0, MSG_EXCEPT);
    GET(id, 100, LONG_MIN, 0);
    GET(id, 100, LONG_MIN + 1, 0);
    held(id);
    put(id, 9, "nine", 0);
    put(id, 8, "eight", 0);
    put(id, 9, "nine again", 0);
    put(id, 8, "eight again", 0);
    GET(id, 100, LONG_MIN, 0);
    GET(id, 100, -LONG_MAX, 0);
    GET(id, 100, 0, 0);
    GET(id, 100, 0, 0);
    SAY(removed(id));
}

static void lengths(void)
{
    int id = queue();
    put(id, 1, "abcdef", 0);
    GET(id, 5, 0, 0);
    GET(id, 0, 0, 0);
    held(id);
    GET(id, 6, 0, 0);
    put(id, 1, "abcdef", 0);
    put(id, 2, "ghi", 0);
    GET(id, 3, 0, 0);
    GET(id, 3, 2, 0);
    GET(id, 3, 0, MSG_NOERROR);
    GET(id, 3, 0, MSG_NOERROR);
    put(id, 1, "", 0);
    GET(id, 0, 0, 0);
    put(id, 1, "xyz", 0);
    GET(id, 0, 0, MSG_NOERROR);
    held(id);
    static struct message large = {.type = 1}, back;
    for (int i = 0; i < 8192; i++)
        large.data[i] = i * 7;
    SAY(msgsnd(id, &large, 8192, 0));
    SAY(msgrcv(id, &back, 8191, 0, IPC_NOWAIT));
    SAY(msgrcv(id, &back, 20000, 0, IPC_NOWAIT));
    IS(memcmp(large.data, back.data, 8192) == 0);
    SAY(removed(id));
}

static void copies(void)
{
    int id = queue();
    put(id, 3, "first", 0);
    put(id, 1, "second", 0);
    put(id, 2, "third", 0);
    GET(id, 100, 0, MSG_COPY);
    GET(id, 100, 2, MSG_COPY);
    GET(id, 100, 3, MSG_COPY);
    GET(id, 100, -1, MSG_COPY);
    GET(id, 100, LONG_MAX, MSG_COPY);
    GET(id, 4, 1, MSG_COPY);
    GET(id, 4, 1, MSG_COPY | MSG_NOERROR);
    GET(id, 100, 0, MSG_COPY | MSG_EXCEPT);
    struct message message;
    SAY(msgrcv(id, &message, 100, 0, MSG_COPY));
    GET(id, 100, 1, 0);
    GET(id, 100, 1, MSG_COPY);
    held(id);
    struct msqid_ds told = status(id);
    say("received by %s, at some time: %d", who(told.msg_lrpid, 0), told.msg_rtime != 0);
    SAY(removed(id));
}

static void full_of_bytes(void)
{
    int id = queue();
    for (int i = 0; i < 16; i++)
        fill(id, 1000);
    held(id);
    SAY(fill(id, 1000));
    SAY(fill(id, 385));
    SAY(fill(id, 384));
    SAY(fill(id, 1));
    SAY(fill(id, 0));
    held(id);
    GET(id, 0, 0, MSG_NOERROR);
    SAY(fill(id, 1001));
    SAY(fill(id, 1000));
    SAY(removed(id));
}

static void full_of_messages(void)
{
    int id = queue(), sent = 0;
    while (fill(id, 0) == 0)
        sent++;
    say("%d empty messages, then %s", sent, errno_name(errno));
    held(id);
    SAY(fill(id, 1));
    GET(id, 0, 0, 0);
    SAY(fill(id, 1));
    SAY(fill(id, 0));
    SAY(removed(id));
}

/* Every limit that fits, with every size. */
static void fills_up(void)
{
    size_t sizes[] = {1, 2, 3, 7, 8, 9, 16, 64, 100, 500, 1024, 4000, 4096, 5000, 8191, 8192};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int id = queue(), sent = 0, got = 0;
        while (fill(id, sizes[i]) == 0)
            sent++;
        static struct message message;
        while (msgrcv(id, &message, sizeof message.data, sizes[i] % 2 ? 0 : -5, IPC_NOWAIT) == (ssize_t)sizes[i])
            got++;
        say("%zu bytes: %d fit, %d came, %s", sizes[i], sent, got, errno_name(errno));
        held(id);
        removed(id);
    }
}

static void set_limit(void)
{
    int id = queue();
    struct msqid_ds told = status(id);
    say("qbytes %lu", (unsigned long)told.msg_qbytes);
    told.msg_qbytes = 10;
    SAY(msgctl(id, IPC_SET, &told));
    SAY(fill(id, 11));
    SAY(fill(id, 10));
    SAY(fill(id, 0));
    told.msg_qbytes = 5;
    SAY(msgctl(id, IPC_SET, &told));
    held(id);
    SAY(fill(id, 0));
    GET(id, 10, 0, 0);
    SAY(fill(id, 6));
    SAY(fill(id, 5));
    GET(id, 10, 0, 0);
    told.msg_qbytes = 0;
    SAY(msgctl(id, IPC_SET, &told));
    SAY(fill(id, 0));
    told.msg_qbytes = 16384;
    SAY(msgctl(id, IPC_SET, &told));
    SAY(fill(id, 8000));
    SAY(removed(id));
}

static int set_own_limit(void *nothing)
{
    (void)nothing;
    int id = queue();
    struct msqid_ds told = status(id);
    told.msg_qbytes = 16385;
    SAY(msgctl(id, IPC_SET, &told));
    told.msg_qbytes = 16384;
    SAY(msgctl(id, IPC_SET, &told));
    told.msg_qbytes = 100;
    SAY(msgctl(id, IPC_SET, &told));
    told.msg_qbytes = 16384;
    SAY(msgctl(id, IPC_SET, &told));
    SAY(removed(id));
    return 0;
}

/* More than msgmnb is root's. */
static void limit_of_others(void)
{
    as_nobody(set_own_limit, NULL);
}

static void tells(void)
{
    int id = msgget(KEY, IPC_CREAT | 0640);
    struct msqid_ds told = status(id);
    say("key %#x, uid %d, gid %d, cuid %d, cgid %d, mode 0%o", told.msg_perm.__key, told.msg_perm.uid, told.msg_perm.gid,
        told.msg_perm.cuid, told.msg_perm.cgid, told.msg_perm.mode);
    say("%lu bytes, %lu messages, limit %lu, sent by %s, received by %s", (unsigned long)told.__msg_cbytes,
        (unsigned long)told.msg_qnum, (unsigned long)told.msg_qbytes, who(told.msg_lspid, 0), who(told.msg_lrpid, 0));
    IS(told.msg_stime == 0);
    IS(told.msg_rtime == 0);
    IS(is_now(told.msg_ctime));
    put(id, 1, "abc", 0);
    told = status(id);
    say("sent by %s, received by %s, %lu bytes, %lu messages", who(told.msg_lspid, 0), who(told.msg_lrpid, 0),
        (unsigned long)told.__msg_cbytes, (unsigned long)told.msg_qnum);
    IS(is_now(told.msg_stime));
    IS(told.msg_rtime == 0);
    GET(id, 10, 0, 0);
    told = status(id);
    say("sent by %s, received by %s", who(told.msg_lspid, 0), who(told.msg_lrpid, 0));
    IS(is_now(told.msg_rtime));
    /* What fails leaves no trace. */
    GET(id, 10, 0, 0);
    SAY(removed(id));
}

static int put_one(void *with)
{
    return ERRNO(put(*(int *)with, 1, "from the child", 0));
}

static int get_one(void *with)
{
    struct message message;
    return ERRNO(msgrcv(*(int *)with, &message, 100, 0, 0));
}

static void tells_pids(void)
{
    int id = queue();
    pid_t child = start(put_one, &id);
    ended("sender", child);
    struct msqid_ds told = status(id);
    say("sent by %s", who(told.msg_lspid, child));
    child = start(get_one, &id);
    ended("receiver", child);
    told = status(id);
    say("received by %s", who(told.msg_lrpid, child));
    SAY(removed(id));
}

static void sets(void)
{
    int id = queue();
    struct msqid_ds told = status(id);
    told.msg_perm.mode = 07644;
    told.msg_perm.uid = NOBODY;
    told.msg_perm.gid = 1234;
    told.msg_perm.cuid = 77;
    told.msg_perm.__key = 5;
    told.msg_qnum = 99;
    SAY(msgctl(id, IPC_SET, &told));
    told = status(id);
    say("key %#x, uid %d, gid %d, cuid %d, cgid %d, mode 0%o, %lu messages", told.msg_perm.__key, told.msg_perm.uid,
        told.msg_perm.gid, told.msg_perm.cuid, told.msg_perm.cgid, told.msg_perm.mode, (unsigned long)told.msg_qnum);
    as_nobody(use_as_other, &id);
    SAY(removed(id));
}

static int give_away(void *nothing)
{
    (void)nothing;
    int id = queue();
    struct msqid_ds told = status(id);
    told.msg_perm.mode = 0666;
    SAY(msgctl(id, IPC_SET, &told));
    told.msg_perm.gid = 1234;
    SAY(msgctl(id, IPC_SET, &told));
    told.msg_perm.uid = 1234;
    SAY(msgctl(id, IPC_SET, &told));
    told.msg_perm.uid = NOBODY;
    SAY(msgctl(id, IPC_SET, &told));
    SAY(removed(id));
    return 0;
}

static void given_away(void)
{
    as_nobody(give_away, NULL);
}

static int send_and_sleep(void *with)
{
    static struct message message = {.type = 1};
    reach();
    return ERRNO(msgsnd(*(int *)with, &message, 8000, 0));
}

static int receive_and_sleep(void *with)
{
    struct message message;
    reach();
    return ERRNO(msgrcv(*(int *)with, &message, 100, 0, 0));
}

static int full_queue(void)
{
    int id = queue();
    fill(id, 8192);
    fill(id, 8192);
    return id;
}

static void removed_while_sending(void)
{
    int id = full_queue();
    pid_t one = start_sleeper(send_and_sleep, &id), two = start_sleeper(send_and_sleep, &id);
    SAY(removed(id));
    ended("one", one);
    ended("two", two);
    SAY(put(id, 1, "late", 0));
}

static void removed_while_receiving(void)
{
    int id = queue();
    pid_t one = start_sleeper(receive_and_sleep, &id), two = start_sleeper(receive_and_sleep, &id);
    SAY(removed(id));
    ended("one", one);
    ended("two", two);
}

static void room_wakes_sender(void)
{
    int id = full_queue();
    pid_t child = start_sleeper(send_and_sleep, &id);
    GET(id, 0, 0, MSG_NOERROR);
    ended("sender", child);
    held(id);
    child = start_sleeper(send_and_sleep, &id);
    struct msqid_ds told = status(id);
    GET(id, 0, 0, MSG_NOERROR);
    ended("sender", child);
    told.msg_qbytes = 8000;
    SAY(msgctl(id, IPC_SET, &told));
    GET(id, 0, 0, MSG_NOERROR);
    child = start_sleeper(send_and_sleep, &id);
    IS(sleeps(child));
    told.msg_qbytes = 16384;
    SAY(msgctl(id, IPC_SET, &told));
    ended("sender", child);
    held(id);
    SAY(removed(id));
}

/* A small message overtakes one that doesn't fit. */
static void small_one_overtakes(void)
{
    int id = queue();
    fill(id, 8192);
    fill(id, 8000);
    pid_t child = start_sleeper(send_and_sleep, &id);
    SAY(put(id, 2, "small", IPC_NOWAIT));
    IS(sleeps(child));
    GET(id, 0, 0, MSG_NOERROR);
    ended("sender", child);
    held(id);
    SAY(removed(id));
}

struct typed {
    int id, flags;
    long type;
    size_t size;
};

static int receive_typed(void *with)
{
    struct typed *wanted = with;
    struct message message = {.type = -1};
    reach();
    ssize_t length = msgrcv(wanted->id, &message, wanted->size, wanted->type, wanted->flags);
    return length == -1 ? errno : 100 + (int)message.type;
}

static void typed_sleepers(void)
{
    int id = queue();
    struct typed seven = {id, 0, 7, 100}, below = {id, 0, -4, 100}, but = {id, MSG_EXCEPT, 7, 100};
    pid_t one = start_sleeper(receive_typed, &seven), two = start_sleeper(receive_typed, &below);
    put(id, 5, "for nobody", 0);
    IS(sleeps(one));
    IS(sleeps(two));
    put(id, 4, "for two", 0);
    ended("-4", two);
    IS(sleeps(one));
    put(id, 7, "for one", 0);
    ended("7", one);
    held(id);
    GET(id, 100, 0, 0);
    one = start_sleeper(receive_typed, &but);
    put(id, 7, "not for it", 0);
    IS(sleeps(one));
    put(id, 8, "for it", 0);
    ended("not 7", one);
    held(id);
    SAY(removed(id));
}

static void too_long_for_sleeper(void)
{
    int id = queue();
    struct typed any = {id, 0, 0, 3}, cut = {id, MSG_NOERROR, 0, 3};
    pid_t child = start_sleeper(receive_typed, &any);
    put(id, 1, "too long", 0);
    ended("receiver", child);
    held(id);
    GET(id, 100, 0, 0);
    child = start_sleeper(receive_typed, &cut);
    put(id, 1, "too long", 0);
    ended("who cuts", child);
    held(id);
    SAY(removed(id));
}

/* Who fell asleep first is served first. */
static void order_of_receivers(void)
{
    int id = queue();
    struct typed any = {id, 0, 0, 100};
    pid_t children[4];
    for (int i = 0; i < 4; i++)
        children[i] = start_sleeper(receive_typed, &any);
    for (int i = 0; i < 4; i++) {
        put(id, 10 + i, "next", 0);
        ended("receiver", children[i]);
    }
    SAY(removed(id));
}

static void interrupt(int (*sleeper)(void *), int id, int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigaction(SIGUSR1, &action, NULL);
    pid_t child = start_sleeper(sleeper, &id);
    kill(child, SIGUSR1);
    ended(flags ? "with SA_RESTART" : "without SA_RESTART", child);
}

static void interrupted(void)
{
    int id = queue();
    interrupt(receive_and_sleep, id, 0);
    interrupt(receive_and_sleep, id, SA_RESTART);
    removed(id);
    id = full_queue();
    interrupt(send_and_sleep, id, 0);
    interrupt(send_and_sleep, id, SA_RESTART);
    held(id);
    SAY(removed(id));
}

/* Being stopped and going on interrupts nobody. */
static void stopped(void)
{
    int id = queue();
    pid_t child = start_sleeper(receive_and_sleep, &id);
    kill(child, SIGSTOP);
    waitpid(child, NULL, WUNTRACED);
    kill(child, SIGCONT);
    usleep(20000);
    put(id, 1, "at last", IPC_NOWAIT);
    ended("who was stopped", child);
    SAY(removed(id));
}

static int sleep_as_nobody(void *with)
{
    if (setgroups(0, NULL) != 0 || setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
        return EPERM;
    return receive_and_sleep(with);
}

static void forbidden_while_asleep(void)
{
    int id = msgget(IPC_PRIVATE, 0666);
    pid_t child = start_sleeper(sleep_as_nobody, &id);
    struct msqid_ds told = status(id);
    told.msg_perm.mode = 0600;
    SAY(msgctl(id, IPC_SET, &told));
    usleep(100000);
    put(id, 1, "not for it", IPC_NOWAIT);
    ended("who may not any more", child);
    held(id);
    SAY(removed(id));
}

static void lists(void)
{
    struct msginfo info = {0};
    IS(msgctl(0, IPC_INFO, (struct msqid_ds *)&info) >= 0);
    say("max %d, mnb %d, mni %d, pool %d, map %d, ssz %d, tql %d, seg %d", info.msgmax, info.msgmnb, info.msgmni, info.msgpool,
        info.msgmap, info.msgssz, info.msgtql, info.msgseg);
    int highest = msgctl(0, MSG_INFO, (struct msqid_ds *)&info);
    say("%d queues, %d messages, %d bytes", info.msgpool, info.msgmap, info.msgtql);
    int ids[3];
    for (int i = 0; i < 3; i++)
        ids[i] = msgget(KEY + i, IPC_CREAT | 0600);
    put(ids[0], 1, "abc", 0);
    put(ids[2], 1, "defgh", 0);
    highest = msgctl(0, MSG_INFO, (struct msqid_ds *)&info);
    say("%d queues, %d messages, %d bytes", info.msgpool, info.msgmap, info.msgtql);
    IS(msgctl(12345, IPC_INFO, (struct msqid_ds *)&info) == highest);
    int seen = 0, keys = 0;
    for (int at = 0; at <= highest; at++) {
        struct msqid_ds told;
        int id = msgctl(at, MSG_STAT, &told);
        for (int i = 0; i < 3; i++)
            if (id == ids[i]) {
                seen++;
                keys += told.msg_perm.__key == KEY + i;
            }
    }
    say("%d seen, %d with their key", seen, keys);
    struct msqid_ds told;
    SAY(msgctl(highest + 1, MSG_STAT, &told));
    SAY(msgctl(-1, MSG_STAT, &told));
    SAY(msgctl(highest + 1, MSG_STAT_ANY, &told));
    SAY(msgctl(highest, MSG_STAT, NULL));
    for (int i = 0; i < 3; i++)
        removed(ids[i]);
    SAY(msgctl(highest, MSG_STAT, &told));
    SAY(msgctl(0, MSG_INFO, (struct msqid_ds *)&info));
}

static int list_as_other(void *with)
{
    struct msqid_ds told;
    int id = *(int *)with;
    struct msginfo info;
    int at = msgctl(0, MSG_INFO, (struct msqid_ds *)&info);
    if (msgctl(at, MSG_STAT, &told) == -1)
        say("MSG_STAT: %s", errno_name(errno));
    IS(msgctl(at, MSG_STAT_ANY, &told) == id);
    return 0;
}

static void lists_as_other(void)
{
    int id = msgget(KEY, IPC_CREAT | 0660);
    as_nobody(list_as_other, &id);
    SAY(removed(id));
    id = msgget(KEY, IPC_CREAT | 0662);
    as_nobody(list_as_other, &id);
    SAY(removed(id));
}

static int anew(const char *what, long number)
{
    int id = number;
    if (strcmp(what, "answer") == 0) {
        struct message message;
        ssize_t length = msgrcv(id, &message, 100, 1, 0);
        say("in a new program: %zd, %s", length, length > 0 ? message.data : errno_name(errno));
        return ERRNO(put(id, 2, "an answer", 0));
    }
    return EINVAL;
}

static void new_program(void)
{
    int id = queue();
    pid_t child = start_anew("answer", id);
    put(id, 1, "a question", 0);
    struct message message;
    SAY(msgrcv(id, &message, 100, 2, 0));
    ended("the program", child);
    SAY(removed(id));
}

static int race_to_create(void *with)
{
    (void)with;
    reach();
    int id = msgget(KEY, IPC_CREAT | IPC_EXCL | 0600);
    return id < 0 ? errno : 0;
}

static void races(void)
{
    int wins = 0, losses = 0, others = 0;
    for (int round = 0; round < 50; round++) {
        pid_t children[4];
        for (int i = 0; i < 4; i++)
            children[i] = start(race_to_create, NULL);
        for (int i = 0; i < 4; i++) {
            int status;
            wait_checkpoint();
            waitpid(children[i], &status, 0);
            wins += WEXITSTATUS(status) == 0;
            losses += WEXITSTATUS(status) == EEXIST;
            others += WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != EEXIST;
        }
        removed(msgget(KEY, 0));
    }
    say("%d made it, %d were told that it is there, %d something else", wins, losses, others);
    SAY(msgget(KEY, 0));
}

static void identifiers(void)
{
    enum { MANY = 300 };
    int ids[MANY], same = 0;
    for (int i = 0; i < MANY; i++) {
        ids[i] = msgget(KEY, IPC_CREAT | IPC_EXCL | 0600);
        removed(ids[i]);
        for (int before = 0; before < i; before++)
            same += ids[before] == ids[i];
    }
    say("%d used again", same);
    for (int i = 0; i < MANY; i++)
        if (put(ids[i], 1, "x", IPC_NOWAIT) != -1 || errno != EINVAL)
            say("a removed one takes messages");
}

/* A handle that is in use knows that another process removed the queue. */
static int remove_it(void *with)
{
    return ERRNO(removed(*(int *)with));
}

static void removed_by_another(void)
{
    int id = msgget(KEY, IPC_CREAT | 0600);
    put(id, 1, "before", 0);
    ended("the remover", start(remove_it, &id));
    SAY(put(id, 1, "after", IPC_NOWAIT));
    GET(id, 100, 0, 0);
    SAY(msgget(KEY, 0));
    int next = ID(msgget(KEY, IPC_CREAT | 0600));
    GET(next, 100, 0, 0);
    SAY(removed(next));
}

static void *in_thread(void *with)
{
    int id = *(int *)with;
    struct message message;
    for (int i = 0; i < 1000; i++)
        if (msgrcv(id, &message, 100, 1, 0) < 0 || put(id, 2, "pong", 0) < 0)
            return (void *)1;
    return NULL;
}

static void threads(void)
{
    int id = queue();
    pthread_t thread;
    pthread_create(&thread, NULL, in_thread, &id);
    struct message message;
    int failed = 0;
    for (int i = 0; i < 1000; i++)
        failed += put(id, 1, "ping", 0) < 0 || msgrcv(id, &message, 100, 2, 0) != 4;
    pthread_join(thread, NULL);
    say("%d failed", failed);
    held(id);
    SAY(removed(id));
}

static int fork_in_thread_child(void *with)
{
    return put_one(with);
}

static void *busy(void *with)
{
    int *id = with;
    struct message message;
    while (msgrcv(*id, &message, 100, 9, IPC_NOWAIT) >= 0 || errno == ENOMSG)
        ;
    return NULL;
}

/* Children that are forked while other threads are inside. */
static void forks_among_threads(void)
{
    int id = queue(), failed = 0;
    pthread_t thread;
    pthread_create(&thread, NULL, busy, &id);
    for (int i = 0; i < 100; i++) {
        int status;
        waitpid(start(fork_in_thread_child, &id), &status, 0);
        failed += status != 0;
    }
    say("%d failed", failed);
    held(id);
    SAY(removed(id));
    pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
    static const struct parity_case cases[] = {
        CASE(keys),
        CASE(private_queues),
        CASE(modes_at_get),
        CASE(modes_in_use),
        CASE(modes_of_owner),
        CASE(wrong_arguments),
        CASE(leaves_errno),
        CASE(by_type),
        CASE(lengths),
        CASE(copies),
        CASE(full_of_bytes),
        CASE(full_of_messages),
        CASE(fills_up),
        CASE(set_limit),
        CASE(limit_of_others),
        CASE(tells),
        CASE(tells_pids),
        CASE(sets),
        CASE(given_away),
        CASE(removed_while_sending),
        CASE(removed_while_receiving),
        CASE(room_wakes_sender),
        CASE(small_one_overtakes),
        CASE(typed_sleepers),
        CASE(too_long_for_sleeper),
        CASE(order_of_receivers),
        CASE(interrupted),
        CASE(stopped),
        CASE(forbidden_while_asleep),
        CASE(lists),
        CASE(lists_as_other),
        CASE(set_much_without_permission),
        CASE(new_program),
        CASE(races),
        CASE(identifiers),
        CASE(removed_by_another),
        CASE(threads),
        CASE(forks_among_threads),
    };
    return run_cases(cases, sizeof cases / sizeof *cases, argc, argv);
}
