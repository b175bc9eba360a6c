/* What there is, who takes part, what was left, from C. See check.h for how a test program works. */
#define KIND(suffix) madang_queue##suffix
#define FILES "madang.queue."
#include "../check.h"

#include <fcntl.h>
#include <sys/ipc.h>

static madang_queue *open_queue(const char *which)
{
    madang_queue *queue = NULL;
    EQUAL(madang_queue_open(which, NULL, &queue), 0);
    return queue;
}

/* In a directory of the case's own: nothing else is there. */
static const char *own_directory(void)
{
    static char directory[128];
    snprintf(directory, sizeof directory, "/dev/shm/%s", name("dir"));
    CHECK(mkdir(directory, 0700) == 0 && setenv("MADANG_DIR", directory, 1) == 0);
    return directory;
}

static void file_in(const char *directory, const char *file, size_t length)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", directory, file);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    CHECK(fd >= 0 && ftruncate(fd, (off_t)length) == 0 && close(fd) == 0);
}

static void smoke(void)
{
    own_directory();
    EQUAL(madang_list(0, NULL, 0), 0);
    madang_queue *two = open_queue("two"), *one = open_queue("one");
    EQUAL(madang_list(0, NULL, 0), 2);
    madang_listed listed[3] = {{.struct_size = sizeof listed[0]}};
    EQUAL(madang_list(0, listed, 3), 2);
    CHECK(strcmp(listed[0].name, "one") == 0 && strcmp(listed[1].name, "two") == 0);
    EQUAL(listed[0].kind, MADANG_KIND_QUEUE);
    EQUAL(listed[1].mode, 0600);
    EQUAL(listed[1].uid, geteuid());
    EQUAL(listed[1].error, 0);
    EQUAL(listed[1].struct_size, sizeof listed[0]);
    madang_queue_status status = {.struct_size = sizeof status};
    EQUAL(madang_queue_stat(two, &status), 0);
    EQUAL(listed[1].allocated, status.allocated);
    CHECK(listed[1].size > listed[1].allocated);
    EQUAL(listed[2].struct_size, 0);
    CHECK(madang_shmget(IPC_PRIVATE, 100, 0600) >= 0);
    EQUAL(madang_list(0, listed, 3), 3);
    EQUAL(listed[2].kind, MADANG_KIND_MEMORY);
    EQUAL(listed[2].error, 0);
    EQUAL(madang_queue_close(one), 0);
    EQUAL(madang_queue_close(two), 0);
}

static void kinds(void)
{
    own_directory();
    madang_semaphore_set *set;
    madang_mutex *mutex;
    madang_rwlock *lock;
    madang_condition *condition;
    madang_barrier *barrier;
    madang_event *event;
    EQUAL(madang_event_open("same", NULL, &event), 0);
    EQUAL(madang_barrier_open("same", NULL, &barrier), 0);
    EQUAL(madang_condition_open("same", NULL, &condition), 0);
    EQUAL(madang_rwlock_open("same", NULL, &lock), 0);
    EQUAL(madang_mutex_open("same", NULL, &mutex), 0);
    EQUAL(madang_semaphore_set_open("same", NULL, &set), 0);
    open_queue("same");
    static const uint32_t expected[] = {
        MADANG_KIND_QUEUE,     MADANG_KIND_SEMAPHORE_SET, MADANG_KIND_MUTEX, MADANG_KIND_RWLOCK,
        MADANG_KIND_CONDITION, MADANG_KIND_BARRIER,       MADANG_KIND_EVENT,
    };
    madang_listed listed[7] = {{.struct_size = sizeof listed[0]}};
    EQUAL(madang_list(0, listed, 7), 7);
    for (int i = 0; i < 7; i++) {
        EQUAL(listed[i].kind, expected[i]);
        EQUAL(listed[i].error, 0);
        CHECK(strcmp(listed[i].name, "same") == 0);
    }
}

static void too_small_an_array(void)
{
    own_directory();
    open_queue("one");
    open_queue("two");
    madang_listed listed[2] = {{.struct_size = sizeof listed[0]}, {.kind = 77}};
    EQUAL(madang_list(0, listed, 1), 2);
    CHECK(strcmp(listed[0].name, "one") == 0);
    EQUAL(listed[1].kind, 77);
}

/* An older program's struct is shorter, a newer one's longer: that size is the step from one to the next. */
static void other_sizes(void)
{
    own_directory();
    open_queue("one");
    open_queue("two");
    struct {
        uint32_t struct_size, kind;
        uint64_t size;
    } old[2] = {{.struct_size = sizeof old[0]}};
    EQUAL(madang_list(0, (madang_listed *)(void *)old, 2), 2);
    CHECK(old[0].kind == MADANG_KIND_QUEUE && old[1].kind == MADANG_KIND_QUEUE && old[1].size > 0);
    struct {
        madang_listed known;
        uint64_t more;
    } new[2] = {{.known.struct_size = sizeof new[0], .more = 7}, {.more = 7}};
    EQUAL(madang_list(0, &new[0].known, 2), 2);
    CHECK(strcmp(new[1].known.name, "two") == 0 && new[0].more == 0 && new[1].more == 0);
}

static void segments(void)
{
    madang_segment_options options = {.struct_size = sizeof options, .length = 5000};
    madang_segment *segment;
    EQUAL(madang_segment_open(name("s"), &options, &segment), 0);
    int64_t room = madang_list(MADANG_SEGMENTS, NULL, 0) + 100, count;
    madang_listed *listed = calloc((size_t)room, sizeof *listed);
    CHECK(listed != NULL);
    listed->struct_size = sizeof *listed;
    count = madang_list(MADANG_SEGMENTS, listed, (size_t)room);
    int found = 0;
    for (int64_t i = 0; i < count && i < room; i++)
        if (listed[i].kind == MADANG_KIND_SEGMENT && strcmp(listed[i].name, name("s")) == 0)
            found += listed[i].size == 5000;
    EQUAL(found, 1);
    free(listed);
    EQUAL(madang_segment_close(segment), 0);
}

static void what_cannot_be_opened(void)
{
    const char *directory = own_directory();
    file_in(directory, "madang.queue.damaged", 10);
    file_in(directory, "madang.stove.warm", 10);
    madang_listed listed[2] = {{.struct_size = sizeof listed[0]}};
    EQUAL(madang_list(0, listed, 2), 2);
    EQUAL(listed[0].error, -EUCLEAN);
    EQUAL(listed[1].error, -ENOTSUP);
    EQUAL(listed[1].kind, MADANG_KIND_OTHER);
}

static void refusals(void)
{
    madang_listed listed = {.struct_size = sizeof listed};
    FAILS(madang_list(1, &listed, 1), EINVAL, "it knows only MADANG_SEGMENTS and MADANG_ANY_OWNER");
    FAILS(madang_list(0, NULL, 1), EFAULT, "objects is NULL");
    listed.struct_size = 0;
    FAILS(madang_list(0, &listed, 1), EINVAL, "set it to sizeof(madang_listed)");
    listed.struct_size = sizeof listed;
    FAILS(madang_list(0, &listed, SIZE_MAX / 2), EINVAL, "no memory is so large");
    FAILS(madang_left_overs(NULL), EFAULT, "found is NULL");
    madang_left_over found = {.struct_size = 0};
    FAILS(madang_gc(&found), EINVAL, "struct_size is 0");
    FAILS(madang_queue_participants(NULL, NULL, 0), EFAULT, "queue is NULL");
    madang_queue *queue = open_queue(name("q"));
    FAILS(madang_queue_participants(queue, NULL, 1), EFAULT, "participants is NULL");
    EQUAL(madang_queue_close(queue), 0);
    FAILS(madang_queue_participants(queue, NULL, 0), EBADF, "not an open handle");
    EQUAL(setenv("MADANG_DIR", "/nonexistent/madang", 1), 0);
    FAILS(madang_list(0, NULL, 0), ENOENT, "there is no directory");
    FAILS(madang_gc(NULL), ENOENT, "there is no directory");
    EQUAL(setenv("MADANG_DIR", "relative", 1), 0);
    FAILS(madang_list(0, NULL, 0), EINVAL, "absolute");
}

static void left_overs(void)
{
    const char *directory = own_directory();
    open_queue("whole");
    file_in(directory, "madang.new.0123456789abcdef", 10);
    madang_left_over found = {.struct_size = sizeof found}, removed = {.struct_size = sizeof removed};
    EQUAL(madang_left_overs(&found), 0);
    EQUAL(found.files, 1);
    EQUAL(madang_gc(&removed), 0);
    EQUAL(removed.files, 1);
    EQUAL(removed.others, 0);
    EQUAL(madang_gc(NULL), 0);
    EQUAL(madang_left_overs(&found), 0);
    EQUAL(found.files, 0);
    EQUAL(madang_list(0, NULL, 0), 1);
}

static void participants(void)
{
    int64_t before = now_ns();
    madang_queue *queue = open_queue(name("q"));
    int joined[2];
    CHECK(pipe(joined) == 0);
    pid_t child = fork();
    if (child == 0) {
        open_queue(name("q"));
        CHECK(write(joined[1], "", 1) == 1);
        pause();
    }
    char byte;
    CHECK(read(joined[0], &byte, 1) == 1);
    EQUAL(madang_queue_participants(queue, NULL, 0), 2);
    madang_participant who[3] = {{.struct_size = sizeof who[0]}};
    EQUAL(madang_queue_participants(queue, who, 3), 2);
    int me = (who[1].flags & MADANG_IS_ME) != 0;
    EQUAL(who[me].flags, MADANG_LIVES | MADANG_IS_ME);
    EQUAL(who[me].pid, getpid());
    EQUAL(who[!me].flags, MADANG_LIVES);
    EQUAL(who[!me].pid, child);
    CHECK(before <= (int64_t)who[me].joined_ns && (int64_t)who[!me].joined_ns <= now_ns());
    CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
    /* Its death may show a moment later. */
    do {
        EQUAL(madang_queue_participants(queue, who, 3), 2);
        me = (who[1].flags & MADANG_IS_ME) != 0;
    } while (who[!me].flags != 0);
    EQUAL(madang_queue_close(queue), 0);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        CASE(smoke),    CASE(kinds),        CASE(too_small_an_array),    CASE(other_sizes),
        CASE(segments), CASE(participants), CASE(what_cannot_be_opened), CASE(refusals),
        CASE(left_overs),
    };
    return run_cases(cases, sizeof cases / sizeof cases[0], argc, argv);
}
