/* shmget, shmat, shmdt, shmctl; and ftok. */
#include "parity.h"

#define PAGE 4096

static int segment(size_t size)
{
    int id = shmget(IPC_PRIVATE, size, 0600);
    if (id < 0)
        say("no segment: %s", errno_name(errno));
    return id;
}

static int removed(int id)
{
    return shmctl(id, IPC_RMID, NULL);
}

static struct shmid_ds status(int id)
{
    struct shmid_ds told;
    memset(&told, 0xee, sizeof told);
    if (shmctl(id, IPC_STAT, &told) == -1)
        say("shmctl(IPC_STAT) = %s", errno_name(errno));
    return told;
}

static void attached(int id)
{
    struct shmid_ds told;
    if (shmctl(id, IPC_STAT, &told) == -1)
        say("attachments: %s", errno_name(errno));
    else
        say("%lu attachments%s", (unsigned long)told.shm_nattch, told.shm_perm.mode & SHM_DEST ? ", removed" : "");
}

/* Whether touching it ends a process. */
static int reads(void *at)
{
    volatile char *byte = at;
    (void)*byte;
    return 0;
}

static int writes(void *at)
{
    *(volatile char *)at = 1;
    return 0;
}

/* The permissions of the mapping at an address, as /proc has them; until it is asked again. */
static const char *mapped(const void *at)
{
    static char found[8];
    char line[512];
    snprintf(found, sizeof found, "none");
    FILE *maps = fopen("/proc/self/maps", "re");
    while (fgets(line, sizeof line, maps)) {
        unsigned long from, to;
        char bits[8];
        if (sscanf(line, "%lx-%lx %4s", &from, &to, bits) == 3 && (unsigned long)at >= from && (unsigned long)at < to)
            memcpy(found, bits, 5);
    }
    fclose(maps);
    return found;
}

/* An address at which nothing is for so many bytes. */
static char *free_place(size_t length)
{
    char *at = mmap(NULL, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(at, length);
    return at;
}

static void keys(void)
{
    SAY(shmget(KEY, 100, 0));
    SAY(shmget(KEY, 0, IPC_CREAT | 0600));
    SAY(shmget(IPC_PRIVATE, 0, 0600));
    SAY(shmget(KEY, -1, IPC_CREAT | 0600));
    SAY(shmget(KEY, ULONG_MAX - (1 << 24) + 1, IPC_CREAT | 0600));
    int id = ID(shmget(KEY, 5000, IPC_CREAT | 0640));
    IS(shmget(KEY, 5000, 0) == id);
    IS(shmget(KEY, 100, 0) == id);
    IS(shmget(KEY, 0, 0) == id);
    IS(shmget(KEY, 0, IPC_CREAT) == id);
    SAY(shmget(KEY, 5001, 0));
    SAY(shmget(KEY, 5001, IPC_CREAT | 0600));
    SAY(shmget(KEY, -1, 0));
    SAY(shmget(KEY, 5001, IPC_CREAT | IPC_EXCL | 0600));
    SAY(shmget(KEY, 100, IPC_CREAT | IPC_EXCL | 0600));
    SAY(shmget(KEY, 0, IPC_CREAT | IPC_EXCL | 0600));
    SAY(removed(id));
    SAY(removed(id));
    SAY(shmget(KEY, 100, 0));
    int other = ID(shmget(KEY, 1, IPC_CREAT | SHM_NORESERVE | 0600));
    IS(other != id);
    SAY(removed(other));
}

static int get_as_other(void *nothing)
{
    (void)nothing;
    ID(shmget(KEY, 0, 0));
    ID(shmget(KEY, 9000, 0));
    ID(shmget(KEY, 1, 0400));
    ID(shmget(KEY, 1, 0200));
    ID(shmget(KEY, 9000, 0200));
    ID(shmget(KEY, 1, IPC_CREAT | 0600));
    ID(shmget(KEY, 1, IPC_CREAT | IPC_EXCL | 0600));
    return 0;
}

static void modes_at_get(void)
{
    int modes[] = {0600, 0604, 0602, 0606};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        int id = shmget(KEY, 100, IPC_CREAT | modes[i]);
        say("mode 0%03o", modes[i]);
        as_nobody(get_as_other, NULL);
        removed(id);
    }
}

static int use_as_other(void *with)
{
    int id = *(int *)with;
    struct shmid_ds told = {0};
    void *at = AT(shmat(id, NULL, 0));
    if (at != (void *)-1)
        shmdt(at);
    at = AT(shmat(id, NULL, SHM_RDONLY));
    if (at != (void *)-1)
        shmdt(at);
    at = AT(shmat(id, NULL, SHM_RDONLY | SHM_EXEC));
    if (at != (void *)-1)
        shmdt(at);
    SAY(shmctl(id, IPC_STAT, &told));
    told.shm_perm.uid = told.shm_perm.gid = NOBODY;
    told.shm_perm.mode = 0666;
    SAY(shmctl(id, IPC_SET, &told));
    SAY(shmctl(id, SHM_LOCK, NULL));
    SAY(shmctl(id, SHM_UNLOCK, NULL));
    SAY(removed(id));
    return 0;
}

static void modes_in_use(void)
{
    int modes[] = {0600, 0604, 0602, 0606, 0605, 0607, 0660};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        int id = shmget(IPC_PRIVATE, 100, modes[i]);
        say("mode 0%03o", modes[i]);
        as_nobody(use_as_other, &id);
        SAY(removed(id));
    }
}

static int own_mode(void *nothing)
{
    (void)nothing;
    int modes[] = {0600, 0400, 0200, 0000};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        int id = ID(shmget(IPC_PRIVATE, 100, modes[i]));
        say("mode 0%03o", modes[i]);
        use_as_other(&id);
    }
    return 0;
}

static void modes_of_owner(void)
{
    as_nobody(own_mode, NULL);
}

static void wrong_arguments(void)
{
    int id = segment(100);
    struct shmid_ds told;
    SAY(shmat(-1, NULL, 0));
    SAY(shmat(0x7ffffff0, NULL, 0));
    SAY(shmat(id, (void *)1, 0));
    SAY(shmat(id, (void *)1, SHM_RDONLY));
    SAY(shmat(id, NULL, SHM_REMAP));
    SAY(shmat(id, (void *)1, SHM_RND | SHM_REMAP));
    SAY(shmat(id, (void *)(-PAGE), 0));
    SAY(shmdt(NULL));
    SAY(shmdt((void *)1));
    SAY(shmdt((void *)-1));
    SAY(shmdt(&told));
    SAY(shmctl(-1, IPC_STAT, &told));
    SAY(shmctl(0x7ffffff0, IPC_STAT, &told));
    SAY(shmctl(-1, IPC_RMID, NULL));
    SAY(shmctl(id, 99, &told));
    SAY(shmctl(id, -1, &told));
    SAY(shmctl(id, IPC_STAT, NULL));
    SAY(shmctl(id, IPC_SET, NULL));
    SAY(shmctl(id, IPC_INFO, NULL));
    SAY(shmctl(id, SHM_INFO, NULL));
    SAY(shmctl(-1, SHM_LOCK, NULL));
    SAY(removed(id));
    SAY(shmat(id, NULL, 0));
    SAY(shmctl(id, IPC_STAT, &told));
    SAY(shmctl(id, SHM_LOCK, NULL));
    SAY(shmctl(id, IPC_SET, &told));
}

static void leaves_errno(void)
{
    errno = 4242;
    int id = shmget(KEY, 100, IPC_CREAT | 0600);
    IS(errno == 4242);
    char *at = shmat(id, NULL, 0);
    IS(errno == 4242);
    IS(shmdt(at) == 0 && errno == 4242);
    IS(removed(id) == 0 && errno == 4242);
}

static int write_there(void *with)
{
    char *at = shmat(*(int *)with, NULL, 0);
    if (at == (void *)-1)
        return errno;
    strcpy(at, "from the child");
    return 0;
}

static void contents(void)
{
    int id = segment(3 * PAGE + 1), wrong = 0;
    char *at = AT(shmat(id, NULL, 0)), *again = AT(shmat(id, NULL, 0));
    IS(at != again);
    for (int i = 0; i < 4 * PAGE; i++)
        wrong += at[i] != 0;
    say("%d bytes aren't 0", wrong);
    strcpy(at + 3 * PAGE, "hello");
    say("%s", again + 3 * PAGE);
    ended("child", start(write_there, &id));
    say("%s", at);
    say("%s", mapped(at));
    say("%s", mapped(at + 3 * PAGE + 1));
    SAY(shmdt(at));
    ended("who reads it", start(reads, at));
    say("%s", again);
    SAY(shmdt(again));
    at = AT(shmat(id, NULL, 0));
    say("%s", at);
    SAY(shmdt(at));
    SAY(removed(id));
}

static void read_only(void)
{
    int id = segment(2 * PAGE);
    char *at = AT(shmat(id, NULL, SHM_RDONLY));
    say("%s", mapped(at));
    ended("who reads", start(reads, at));
    ended("who writes", start(writes, at));
    SAY(mprotect(at, PAGE, PROT_READ | PROT_WRITE));
    char *writable = AT(shmat(id, NULL, 0));
    strcpy(writable, "seen");
    say("%s", at);
    SAY(shmdt(at));
    SAY(shmdt(writable));
    at = AT(shmat(id, NULL, SHM_EXEC));
    say("%s", mapped(at));
    SAY(shmdt(at));
    at = AT(shmat(id, NULL, SHM_EXEC | SHM_RDONLY));
    say("%s", mapped(at));
    SAY(shmdt(at));
    SAY(removed(id));
}

static void addresses(void)
{
    int id = segment(2 * PAGE);
    char *place = free_place(16 * PAGE);
    IS(shmat(id, place, 0) == place);
    SAY(shmat(id, place, 0));
    SAY(shmat(id, place + PAGE, 0));
    SAY(shmat(id, place + 5, 0));
    SAY(shmat(id, place + 5, SHM_RND));
    IS(shmat(id, place + 8 * PAGE + 77, SHM_RND) == place + 8 * PAGE);
    attached(id);
    SAY(shmdt(place + PAGE));
    SAY(shmdt(place + 8));
    SAY(shmdt(place + 8 * PAGE));
    strcpy(place, "first");
    int other = segment(2 * PAGE);
    IS(shmat(other, place, SHM_REMAP) == place);
    say("'%s'", place);
    attached(id);
    attached(other);
    SAY(shmdt(place));
    attached(other);
    SAY(shmdt(place));
    IS(shmat(id, place, SHM_REMAP) == place);
    say("'%s'", place);
    IS(shmat(other, place + PAGE + 1, SHM_REMAP | SHM_RND) == place + PAGE);
    attached(id);
    attached(other);
    SAY(shmdt(place + PAGE));
    SAY(shmdt(place));
    attached(id);
    char *anonymous = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    SAY(shmat(id, anonymous, 0));
    IS(shmat(id, anonymous, SHM_REMAP) == anonymous);
    say("'%s'", anonymous);
    SAY(shmdt(anonymous));
    SAY(removed(id));
    SAY(removed(other));
}

/* One attached over parts of another, in the middle, at its beginning and over all of it: each is detached by itself. */
static void overlapping(void)
{
    int large = segment(8 * PAGE), small = segment(2 * PAGE);
    char *place = free_place(32 * PAGE), *at = place + 8 * PAGE;
    IS(shmat(large, at, 0) == at);
    IS(shmat(small, at + 3 * PAGE, SHM_REMAP) == at + 3 * PAGE);
    strcpy(at + 3 * PAGE, "small");
    SAY(shmdt(at));
    for (int i = 0; i < 8; i++)
        say("%d: %s", i, mapped(at + i * PAGE));
    say("%s", at + 3 * PAGE);
    attached(large);
    attached(small);
    SAY(shmdt(at));
    SAY(shmdt(at + 3 * PAGE));
    attached(small);

    IS(shmat(large, at, 0) == at);
    IS(shmat(small, at, SHM_REMAP) == at);
    attached(large);
    SAY(shmdt(at));
    say("%s", mapped(at));
    say("%s", mapped(at + 2 * PAGE));
    SAY(shmdt(at));
    say("%s", mapped(at + 2 * PAGE));
    attached(large);
    SAY(shmdt(at));

    IS(shmat(large, at, 0) == at);
    IS(shmat(small, at + 7 * PAGE, SHM_REMAP) == at + 7 * PAGE);
    attached(large);
    SAY(shmdt(at + 7 * PAGE));
    say("%s", mapped(at + 6 * PAGE));
    say("%s", mapped(at + 7 * PAGE));
    SAY(shmdt(at));

    IS(shmat(small, at + PAGE, 0) == at + PAGE);
    IS(shmat(small, at + 4 * PAGE, 0) == at + 4 * PAGE);
    SAY(removed(small));
    attached(small);
    IS(shmat(large, at, SHM_REMAP) == at);
    attached(small);
    SAY(shmdt(at + PAGE));
    SAY(shmdt(at));
    attached(large);
    SAY(removed(large));
}

/* What the program unmapped by itself, and attached something over, isn't there to be detached. */
static void unmapped_and_attached(void)
{
    int id = segment(4 * PAGE), other = segment(2 * PAGE);
    char *at = free_place(16 * PAGE) + 4 * PAGE;
    IS(shmat(id, at, 0) == at);
    SAY(munmap(at, 4 * PAGE));
    IS(shmat(other, at, 0) == at);
    IS(shmat(other, at + 2 * PAGE, 0) == at + 2 * PAGE);
    attached(id);
    attached(other);
    SAY(shmdt(at));
    say("%s", mapped(at));
    say("%s", mapped(at + 2 * PAGE));
    SAY(shmdt(at));
    SAY(shmdt(at + 2 * PAGE));
    SAY(removed(id));
    SAY(removed(other));
}

static int attach_at_zero(void *with)
{
    int *ids = with;
    SAY(shmat(ids[0], (void *)100, SHM_RND));
    SAY(shmat(ids[1], (void *)100, SHM_RND));
    SAY(shmat(-1, (void *)100, SHM_RND));
    return 0;
}

/* What is rounded to 0 is asked for, not left open. */
static void rounded_to_zero(void)
{
    int ids[] = {shmget(IPC_PRIVATE, PAGE, 0666), shmget(IPC_PRIVATE, PAGE, 0600)};
    as_nobody(attach_at_zero, ids);
    SAY(shmat(ids[0], (void *)100, SHM_RND));
    SAY(shmdt(NULL));
    for (int i = 0; i < 2; i++)
        SAY(removed(ids[i]));
}

static int wait_here(void *with)
{
    (void)with;
    reach();
    pause();
    return 0;
}

static int attach_and_wait(void *with)
{
    int *id = with;
    if (shmat(*id, NULL, 0) == (void *)-1)
        return errno;
    reach();
    pause();
    return 0;
}

static int attach_and_go(void *with)
{
    return shmat(*(int *)with, NULL, 0) == (void *)-1 ? errno : 0;
}

static int exec_attached(void *with)
{
    char text[32];
    snprintf(text, sizeof text, "%d", *(int *)with);
    shmat(*(int *)with, NULL, 0);
    attached(*(int *)with);
    execl(program, program, "do", case_name, "attached", text, (char *)NULL);
    return errno;
}

static void counts(void)
{
    int id = segment(100);
    attached(id);
    void *one = shmat(id, NULL, 0), *two = shmat(id, NULL, SHM_RDONLY);
    attached(id);
    pid_t child = start(wait_here, NULL);
    wait_checkpoint();
    attached(id);
    SAY(shmdt(one));
    attached(id);
    kill(child, SIGKILL);
    ended("child", child);
    attached(id);
    child = start(attach_and_wait, &id);
    wait_checkpoint();
    attached(id);
    kill(child, SIGKILL);
    ended("child", child);
    attached(id);
    ended("child", start(attach_and_go, &id));
    attached(id);
    ended("child", start(exec_attached, &id));
    attached(id);
    SAY(shmdt(two));
    attached(id);
    SAY(removed(id));
    attached(id);
}

static int detach_in_child(void *with)
{
    SAY(shmdt(with));
    ended("who reads it", start(reads, with));
    return ERRNO(shmdt(with));
}

static void detached_in_child(void)
{
    int id = segment(100);
    char *at = shmat(id, NULL, 0);
    strcpy(at, "still there");
    ended("child", start(detach_in_child, at));
    attached(id);
    say("%s", at);
    SAY(shmdt(at));
    SAY(removed(id));
}

static int anew(const char *what, long number)
{
    if (strcmp(what, "attached") != 0)
        return EINVAL;
    attached(number);
    char *at = AT(shmat(number, NULL, 0));
    attached(number);
    at[0] = 1;
    return 0;
}

static void removed_while_attached(void)
{
    int id = ID(shmget(KEY, 100, IPC_CREAT | 0640));
    char *at = AT(shmat(id, NULL, 0));
    strcpy(at, "still there");
    SAY(removed(id));
    attached(id);
    struct shmid_ds told = status(id);
    say("key %d, mode 0%o", told.shm_perm.__key, told.shm_perm.mode);
    SAY(removed(id));
    SAY(shmget(KEY, 0, 0));
    int next = ID(shmget(KEY, 100, IPC_CREAT | 0600));
    IS(next != id);
    char *again = AT(shmat(id, NULL, 0));
    say("%s", again);
    attached(id);
    ended("child", start(write_there, &id));
    say("%s", again);
    told.shm_perm.mode = 0600;
    SAY(shmctl(id, IPC_SET, &told));
    told = status(id);
    say("mode 0%o", told.shm_perm.mode);
    SAY(shmdt(at));
    SAY(shmdt(again));
    attached(id);
    SAY(shmat(id, NULL, 0));
    SAY(shmctl(id, IPC_SET, &told));
    attached(next);
    SAY(removed(next));
}

/* The last who is attached goes by exit, by exec, by SIGKILL. */
static void goes_with_the_last(void)
{
    int id = segment(100);
    pid_t child = start(attach_and_wait, &id);
    wait_checkpoint();
    SAY(removed(id));
    attached(id);
    kill(child, SIGKILL);
    ended("child", child);
    attached(id);
    SAY(shmat(id, NULL, 0));

    id = segment(100);
    void *at = shmat(id, NULL, 0);
    child = start(wait_here, NULL);
    wait_checkpoint();
    SAY(removed(id));
    attached(id);
    SAY(shmdt(at));
    attached(id);
    kill(child, SIGKILL);
    ended("child", child);
    attached(id);

    id = segment(100);
    at = shmat(id, NULL, 0);
    SAY(removed(id));
    child = start(wait_here, NULL);
    wait_checkpoint();
    attached(id);
    SAY(shmdt(at));
    attached(id);
    kill(child, SIGKILL);
    ended("child", child);
    attached(id);
}

static void tells(void)
{
    int id = shmget(KEY, 5000, IPC_CREAT | 0640);
    struct shmid_ds told = status(id);
    say("key %#x, uid %d, gid %d, cuid %d, cgid %d, mode 0%o, size %zu, %lu attachments", told.shm_perm.__key, told.shm_perm.uid,
        told.shm_perm.gid, told.shm_perm.cuid, told.shm_perm.cgid, told.shm_perm.mode, told.shm_segsz,
        (unsigned long)told.shm_nattch);
    say("made by %s, used by %s", who(told.shm_cpid, 0), who(told.shm_lpid, 0));
    say("attached %d, detached %d, changed %d", told.shm_atime != 0, told.shm_dtime != 0, is_now(told.shm_ctime));
    char *at = shmat(id, NULL, 0);
    told = status(id);
    say("made by %s, used by %s", who(told.shm_cpid, 0), who(told.shm_lpid, 0));
    say("attached %d, detached %d", is_now(told.shm_atime), told.shm_dtime != 0);
    pid_t child = start(attach_and_wait, &id);
    wait_checkpoint();
    told = status(id);
    say("made by %s, used by %s", who(told.shm_cpid, child), who(told.shm_lpid, child));
    SAY(shmdt(at));
    told = status(id);
    say("made by %s, used by %s", who(told.shm_cpid, child), who(told.shm_lpid, child));
    say("attached %d, detached %d", is_now(told.shm_atime), is_now(told.shm_dtime));
    kill(child, SIGKILL);
    ended("child", child);
    told = status(id);
    say("used by %s", who(told.shm_lpid, child));
    told.shm_perm.uid = NOBODY;
    told.shm_perm.gid = 1234;
    told.shm_perm.mode = 07622;
    SAY(shmctl(id, IPC_SET, &told));
    told = status(id);
    say("key %#x, uid %d, gid %d, cuid %d, cgid %d, mode 0%o", told.shm_perm.__key, told.shm_perm.uid, told.shm_perm.gid,
        told.shm_perm.cuid, told.shm_perm.cgid, told.shm_perm.mode);
    SAY(removed(id));
}

static void locked(void)
{
    int id = segment(100);
    say("mode 0%o", status(id).shm_perm.mode);
    SAY(shmctl(id, SHM_LOCK, NULL));
    say("mode 0%o", status(id).shm_perm.mode);
    SAY(shmctl(id, SHM_LOCK, NULL));
    SAY(shmctl(id, SHM_UNLOCK, NULL));
    say("mode 0%o", status(id).shm_perm.mode);
    SAY(removed(id));
}

/* A program may do with parts of it what it likes. */
static void in_parts(void)
{
    int id = segment(8 * PAGE);
    char *at = AT(shmat(id, NULL, 0));
    SAY(mprotect(at + 2 * PAGE, PAGE, PROT_NONE));
    SAY(mprotect(at + 4 * PAGE, PAGE, PROT_READ));
    ended("who writes to what can't be touched", start(writes, at + 2 * PAGE));
    ended("who writes to what can be read", start(writes, at + 4 * PAGE));
    ended("who writes to the rest", start(writes, at + 5 * PAGE));
    attached(id);
    SAY(shmdt(at));
    attached(id);
    for (int i = 0; i < 8; i++)
        say("%s", mapped(at + i * PAGE));
    at = AT(shmat(id, NULL, 0));
    SAY(munmap(at + 6 * PAGE, 2 * PAGE));
    char *other = mmap(at + 6 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    SAY(shmdt(at));
    say("%s", mapped(at));
    say("%s", mapped(at + 5 * PAGE));
    say("what is the program's own: %s", mapped(other));
    munmap(other, PAGE);
    at = AT(shmat(id, NULL, 0));
    SAY(munmap(at, 8 * PAGE));
    attached(id);
    SAY(shmdt(at));
    attached(id);
    SAY(removed(id));
}

static void many(void)
{
    enum { MANY = 2000 };
    static int ids[MANY];
    static char *places[MANY];
    int wrong = 0;
    for (int i = 0; i < MANY; i++) {
        ids[i] = shmget(IPC_PRIVATE, 100, 0600);
        places[i] = shmat(ids[i], NULL, 0);
        if (ids[i] < 0 || places[i] == (void *)-1) {
            say("%d: %s", i, errno_name(errno));
            break;
        }
        places[i][0] = i;
    }
    for (int i = 0; i < MANY && ids[i] > 0; i++)
        wrong += places[i][0] != (char)i || shmctl(ids[i], IPC_RMID, NULL) != 0 || shmdt(places[i]) != 0;
    say("%d wrong", wrong);
}

static int attach_often(void *with)
{
    int id = *(int *)with;
    for (int i = 0; i < 300; i++) {
        char *at = shmat(id, NULL, i % 3 ? 0 : SHM_RDONLY);
        if (at == (void *)-1 || shmdt(at) != 0)
            return errno;
    }
    return 0;
}

static void *attach_in_thread(void *with)
{
    return (void *)(long)attach_often(with);
}

static void together(void)
{
    int id = segment(100);
    pthread_t threads[4];
    pid_t children[4];
    for (int i = 0; i < 4; i++) {
        pthread_create(&threads[i], NULL, attach_in_thread, &id);
        children[i] = start(attach_often, &id);
    }
    for (int i = 0; i < 4; i++) {
        void *result;
        pthread_join(threads[i], &result);
        say("thread: %s", errno_name((int)(long)result));
        ended("child", children[i]);
    }
    attached(id);
    SAY(removed(id));
}

static void lists(void)
{
    struct shminfo limits = {0};
    struct shm_info used = {0};
    IS(shmctl(0, IPC_INFO, (struct shmid_ds *)&limits) >= 0);
    say("max %lu, min %lu, mni %lu, seg %lu, all %lu", limits.shmmax, limits.shmmin, limits.shmmni, limits.shmseg, limits.shmall);
    int ids[3];
    for (int i = 0; i < 3; i++)
        ids[i] = shmget(KEY + i, (i + 1) * PAGE, IPC_CREAT | 0600);
    char *at = shmat(ids[2], NULL, 0);
    at[0] = at[2 * PAGE] = 1;
    int highest = shmctl(0, SHM_INFO, (struct shmid_ds *)&used);
    say("%d segments of %lu pages, %lu resident, %lu swapped", used.used_ids, used.shm_tot, used.shm_rss, used.shm_swp);
    IS(shmctl(777, IPC_INFO, (struct shmid_ds *)&limits) == highest);
    int seen = 0, right = 0;
    struct shmid_ds told;
    for (int i = 0; i <= highest; i++) {
        int id = shmctl(i, SHM_STAT, &told);
        for (int j = 0; j < 3; j++)
            if (id == ids[j]) {
                seen++;
                right += told.shm_perm.__key == KEY + j && told.shm_segsz == (size_t)(j + 1) * PAGE
                         && told.shm_nattch == (j == 2);
            }
    }
    say("%d seen, %d right", seen, right);
    SAY(shmctl(highest + 1, SHM_STAT, &told));
    SAY(shmctl(-1, SHM_STAT, &told));
    SAY(shmctl(highest, SHM_STAT, NULL));
    removed(ids[2]);
    int listed = 0;
    highest = shmctl(0, SHM_INFO, (struct shmid_ds *)&used);
    for (int i = 0; i <= highest; i++)
        listed += shmctl(i, SHM_STAT, &told) == ids[2];
    say("%d segments, the removed one listed %d times", used.used_ids, listed);
    shmdt(at);
    removed(ids[0]);
    removed(ids[1]);
    SAY(shmctl(highest, SHM_STAT, &told));
}

static int list_as_other(void *with)
{
    struct shmid_ds told;
    struct shm_info used;
    int id = *(int *)with, at = shmctl(0, SHM_INFO, (struct shmid_ds *)&used);
    if (shmctl(at, SHM_STAT, &told) == -1)
        say("SHM_STAT: %s", errno_name(errno));
    IS(shmctl(at, SHM_STAT_ANY, &told) == id);
    return 0;
}

static void lists_as_other(void)
{
    int modes[] = {0600, 0602, 0604};
    for (int i = 0; i < 3; i++) {
        int id = shmget(KEY, 1, IPC_CREAT | modes[i]);
        say("mode 0%o", modes[i]);
        as_nobody(list_as_other, &id);
        SAY(removed(id));
    }
}

static int race_to_create(void *with)
{
    (void)with;
    reach();
    int id = shmget(KEY, 100, IPC_CREAT | 0600);
    char *at = shmat(id, NULL, 0);
    if (at == (void *)-1)
        return errno;
    __atomic_fetch_add((int *)at, 1, __ATOMIC_SEQ_CST);
    return 0;
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
        int id = shmget(KEY, 0, 0);
        int *at = shmat(id, NULL, 0);
        right += *at == 4;
        shmdt(at);
        removed(id);
    }
    say("%d times all four had the same segment", right);
}

static void keys_of_files(void)
{
    SAY(ftok("/nowhere/at/all", 1));
    IS(ftok("/", 1) == ftok("/", 1));
    IS(ftok("/", 1) != ftok("/", 2));
    IS(ftok("/", 1) >> 24 == 1);
    IS(ftok("/", 257) == ftok("/", 1));
}

int main(int argc, char **argv)
{
    static const struct parity_case cases[] = {
        CASE(keys),
        CASE(modes_at_get),
        CASE(modes_in_use),
        CASE(modes_of_owner),
        CASE(wrong_arguments),
        CASE(leaves_errno),
        CASE(contents),
        CASE(read_only),
        CASE(addresses),
        CASE(counts),
        CASE(detached_in_child),
        CASE(removed_while_attached),
        CASE(goes_with_the_last),
        CASE(tells),
        CASE(locked),
        CASE(overlapping),
        CASE(unmapped_and_attached),
        CASE(rounded_to_zero),
        CASE(in_parts),
        CASE(many),
        CASE(together),
        CASE(lists),
        CASE(lists_as_other),
        CASE(races),
        CASE(keys_of_files),
    };
    return run_cases(cases, sizeof cases / sizeof *cases, argc, argv);
}
