/* Files from C. See check.h for how a test program works. */
#include "../check.h"

static madang_file *file;

/* A path of the case's. They lie in /dev/shm, where check.h removes what is left. */
static const char *place(const char *which)
{
    static _Thread_local char paths[4][160];
    static _Thread_local unsigned next;
    char *text = paths[next++ % 4];
    snprintf(text, sizeof paths[0], "/dev/shm/%s", name(which));
    return text;
}

static madang_file *open_file(const char *path)
{
    madang_file *opened = NULL;
    EQUAL(madang_file_open(path, NULL, &opened), 0);
    return opened;
}

static void append(const char *path, const char *text)
{
    FILE *stream = fopen(path, "a");
    CHECK(stream != NULL && fputs(text, stream) >= 0 && fclose(stream) == 0);
}

static void open_and_make(void)
{
    madang_file_options options = {.struct_size = sizeof options, .create = MADANG_CREATE_NEVER};
    FAILS(madang_file_open(place("f"), &options, &file), ENOENT, "there is none");
    umask(077);
    options = (madang_file_options){.struct_size = sizeof options, .mode = 0644, .length = 10000};
    EQUAL(madang_file_open(place("f"), &options, &file), 0);
    EQUAL(madang_file_is_new(file), 1);
    EQUAL(madang_file_length(file), 10000);
    struct stat found;
    CHECK(stat(place("f"), &found) == 0 && (found.st_mode & 07777) == 0644 && found.st_size == 10000);
    EQUAL(madang_file_is_new(open_file(place("f"))), 0);
    options.create = MADANG_CREATE_ONLY;
    FAILS(madang_file_open(place("f"), &options, &file), EEXIST, "the name is taken");
    FAILS(madang_file_open("/dev/null", NULL, &file), ENODEV, "it is not a regular file");
    FAILS(madang_file_open("/dev/shm", NULL, &file), EISDIR, "open \"/dev/shm\"");
    char text[5] = "";
    CHECK(pwrite(madang_file_fd(file), "text", 4, 0) == 4 && pread(madang_file_fd(file), text, 4, 0) == 4);
}

static void locks(void)
{
    file = open_file(place("f"));
    madang_file *other = open_file(place("f"));
    EQUAL(madang_file_lock(file, 0, 0, 0, 0), 0);
    FAILS(madang_file_lock(other, 0, 0, 0, 0), EAGAIN, "lock \"");
    FAILS(madang_file_lock(other, 5, 1, MADANG_LOCK_SHARED | MADANG_INSTANT, 0), EAGAIN, "lock \"");
    int64_t begun = now_ns();
    FAILS(madang_file_lock(other, 0, 0, MADANG_LOCK_SHARED, 20 * MS), ETIMEDOUT, "the time is over");
    FAILS(madang_file_lock(file, 0, 0, 0, 20 * MS), ETIMEDOUT, "the time is over");
    CHECK(now_ns() - begun >= 40 * MS);
    EQUAL(madang_file_unlock(file, 0, 0), 0);
    EQUAL(madang_file_lock(file, 0, 0, MADANG_LOCK_SHARED, 0), 0);
    EQUAL(madang_file_lock(other, 0, 0, MADANG_LOCK_SHARED, 0), 0);
    FAILS(madang_file_lock(open_file(place("f")), 0, 0, 0, 0), EAGAIN, "lock \"");
    FAILS(madang_file_unlock(file, 0, 10), EPERM, "or exactly that");
    EQUAL(madang_file_unlock(file, 0, 0), 0);
    EQUAL(madang_file_close(other), 0);
    EQUAL(madang_file_lock(file, 10, 10, 0, -1), 0);
    EQUAL(madang_file_lock(open_file(place("f")), 20, 0, 0, -1), 0);
    FAILS(madang_file_lock(file, UINT64_MAX, 1, 0, 0), EINVAL, "no file is so long");
    FAILS(madang_file_lock(file, 0, 1, 4, 0), EINVAL, "flags 0x4");
}

static void other_processes(void)
{
    int ready[2];
    char byte;
    CHECK(pipe(ready) == 0);
    file = open_file(place("f"));
    pid_t child = fork();
    if (child == 0) {
        EQUAL(madang_file_lock(file, 100, 50, 0, -1), 0);
        CHECK(write(ready[1], "x", 1) == 1);
        pause();
    }
    CHECK(read(ready[0], &byte, 1) == 1);
    madang_file_holder holder = {.struct_size = sizeof holder};
    EQUAL(madang_file_holder_of(file, 0, 0, 0, &holder), 1);
    EQUAL(holder.pid, child);
    EQUAL(holder.start, 100);
    EQUAL(holder.length, 50);
    EQUAL(holder.flags, 0);
    EQUAL(madang_file_holder_of(file, 0, 100, MADANG_LOCK_SHARED, &holder), 0);
    FAILS(madang_file_lock(file, 0, 0, 0, 0), EAGAIN, "lock \"");
    kill(child, SIGKILL);
    EQUAL(madang_file_lock(file, 0, 0, 0, 10000 * MS), 0);
    waitpid(child, NULL, 0);
}

static void fork_child(void)
{
    file = open_file(place("f"));
    EQUAL(madang_file_lock(file, 0, 0, 0, -1), 0);
    pid_t child = fork();
    if (child == 0) {
        FAILS(madang_file_lock(file, 0, 0, 0, 0), EAGAIN, "lock \"");
        FAILS(madang_file_unlock(file, 0, 0), EPERM, "this handle has not locked that");
        EQUAL(madang_file_close(file), 0);
        exit(EXIT_SUCCESS);
    }
    reap(child);
    FAILS(madang_file_lock(open_file(place("f")), 0, 0, 0, 0), EAGAIN, "lock \"");
}

static void counter(void)
{
    madang_mapping *mapping;
    file = open_file(place("f"));
    EQUAL(madang_file_grow(file, sizeof(int)), sizeof(int));
    EQUAL(madang_file_map(file, 0, 0, &mapping), 0);
    volatile int *value = madang_mapping_data(mapping);
    pid_t children[3];
    for (int i = 0; i < 3; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            for (int times = 0; times < 100; times++) {
                EQUAL(madang_file_lock(file, 0, 0, 0, times % 2 ? -1 : 10000 * MS), 0);
                int old = *value;
                sched_yield();
                *value = old + 1;
                EQUAL(madang_file_unlock(file, 0, 0), 0);
            }
            exit(EXIT_SUCCESS);
        }
    }
    for (int i = 0; i < 3; i++)
        reap(children[i]);
    EQUAL(*value, 300);
}

static void on_signal(int number)
{
    (void)number;
}

static void interrupted(void)
{
    signal(SIGALRM, on_signal);
    madang_file *other = open_file(place("f"));
    file = open_file(place("f"));
    EQUAL(madang_file_lock(other, 0, 0, 0, 0), 0);
    madang_file_follow *follow;
    EQUAL(madang_file_follow_open(place("f"), 0, &follow), 0);
    struct itimerspec often = {{0, 10 * MS}, {0, 10 * MS}};
    timer_t timer;
    CHECK(timer_create(CLOCK_MONOTONIC, NULL, &timer) == 0 && timer_settime(timer, 0, &often, NULL) == 0);
    FAILS(madang_file_lock(file, 0, 0, 0, 10000 * MS), EINTR, "a signal handler ran while waiting");
    char byte;
    FAILS(madang_file_follow_read(follow, &byte, 1, 0, -1), EINTR, "a signal handler ran while waiting");
}

static void mapped(void)
{
    madang_mapping *mapping, *longer;
    file = open_file(place("f"));
    FAILS(madang_file_map(file, 0, 0, &mapping), EINVAL, "there is nothing to map");
    EQUAL(madang_file_grow(file, 5000), 5000);
    EQUAL(madang_file_grow(file, 100), 5000);
    EQUAL(madang_file_map(file, 0, 0, &mapping), 0);
    EQUAL(madang_mapping_size(mapping), 5000);
    EQUAL(madang_mapping_is_writable(mapping), 1);
    memcpy((char *)madang_mapping_data(mapping) + 4990, "the end", 8);
    EQUAL(madang_mapping_sync(mapping, 0, 0), 0);
    EQUAL(madang_mapping_sync(mapping, 4990, 10), 0);
    FAILS(madang_mapping_sync(mapping, 4990, 11), EINVAL, "don't lie within");
    EQUAL(madang_file_grow(file, 20000), 20000);
    EQUAL(madang_file_map(file, 4096, 1000, &longer), 0);
    CHECK(strcmp((char *)madang_mapping_data(longer) + 4990 - 4096, "the end") == 0);
    FAILS(madang_file_map(file, 1, 1, &longer), EINVAL, "a multiple of the page size");
    FAILS(madang_file_map(file, 0, 20001, &longer), EINVAL, "would be SIGBUS");
    FAILS(madang_file_grow(file, UINT64_MAX), EFBIG, "let \"");
    EQUAL(madang_file_close(file), 0);
    EQUAL(madang_mapping_close(mapping), 0);
    FAILS(madang_mapping_sync(mapping, 0, 0), EBADF, "mapping");
    madang_file_options read_only = {.struct_size = sizeof read_only, .flags = MADANG_READ_ONLY};
    EQUAL(madang_file_open(place("f"), &read_only, &file), 0);
    FAILS(madang_file_grow(file, 30000), EACCES, "it was opened read-only");
    FAILS(madang_file_lock(file, 0, 0, 0, 0), EBADF, "it was opened read-only");
    EQUAL(madang_file_lock(file, 0, 0, MADANG_LOCK_SHARED, 0), 0);
    EQUAL(madang_file_map(file, 0, 0, &mapping), 0);
    EQUAL(madang_mapping_is_writable(mapping), 0);
}

static void replaced(void)
{
    struct stat found;
    umask(077);
    EQUAL(madang_file_replace(place("f"), "first", 5, 0, 0), 0);
    CHECK(stat(place("f"), &found) == 0 && (found.st_mode & 07777) == 0600 && found.st_size == 5);
    int old = open(place("f"), O_RDONLY);
    CHECK(chmod(place("f"), 0624) == 0);
    EQUAL(madang_file_replace(place("f"), "second", 6, 0600, MADANG_KEEP_MODE), 0);
    CHECK(stat(place("f"), &found) == 0 && (found.st_mode & 07777) == 0624 && found.st_size == 6);
    char text[8] = "";
    CHECK(read(old, text, sizeof text) == 5 && strcmp(text, "first") == 0);
    EQUAL(madang_file_replace(place("f"), NULL, 0, 0666, 0), 0);
    CHECK(stat(place("f"), &found) == 0 && (found.st_mode & 07777) == 0666 && found.st_size == 0);
    FAILS(madang_file_replace("/dev/shm/no/where", "x", 1, 0, 0), ENOENT, "open a new file in its directory");
    CHECK(mkdir(place("d"), 0700) == 0);
    FAILS(madang_file_replace(place("d"), "x", 1, 0, 0), EISDIR, "rename");
    FAILS(madang_file_replace(place("f"), "x", 1, 010000, 0), EINVAL, "more than permission bits");
    FAILS(madang_file_replace(place("f"), "x", 1, 0, 1), EINVAL, "it knows only MADANG_KEEP_MODE");
}

static void replace_what_root_made(void)
{
    FAILS(madang_file_open(place("f"), NULL, &file), EACCES, "does not permit this user");
    FAILS(madang_file_follow_open(place("f"), 0, &(madang_file_follow *){NULL}), EACCES, "follow \"");
    /* The directory is sticky. */
    FAILS(madang_file_replace(place("f"), "x", 1, 0, 0), EPERM, "rename");
}

static void other_users(void)
{
    open_file(place("f"));
    as_user(65534, replace_what_root_made);
}

static void followed(void)
{
    madang_file_follow *all, *new;
    char bytes[100];
    FAILS(madang_file_follow_open(place("f"), 0, &all), ENOENT, "follow \"");
    append(place("f"), "old");
    EQUAL(madang_file_follow_open(place("f"), 0, &all), 0);
    EQUAL(madang_file_follow_open(place("f"), MADANG_FROM_END, &new), 0);
    EQUAL(madang_file_follow_read(all, bytes, sizeof bytes, 0, 0), 3);
    FAILS(madang_file_follow_read(new, bytes, sizeof bytes, 0, 0), EAGAIN, "there is nothing new");
    FAILS(madang_file_follow_read(new, bytes, sizeof bytes, 0, 20 * MS), ETIMEDOUT, "nothing was written in time");
    pid_t child = fork();
    if (child == 0) {
        EQUAL(madang_file_follow_read(new, bytes, sizeof bytes, 0, 10000 * MS), 4);
        exit(EXIT_SUCCESS);
    }
    append(place("f"), "more");
    reap(child);
    EQUAL(madang_file_follow_read(all, bytes, 2, 0, 0), 2);
    EQUAL(madang_file_follow_read(all, bytes, sizeof bytes, 0, 0), 2);
    CHECK(truncate(place("f"), 0) == 0);
    append(place("f"), "anew");
    EQUAL(madang_file_follow_read(all, bytes, sizeof bytes, 0, 0), 4);
    EQUAL(madang_file_follow_restarts(all), 1);
    append(place("f"), "!");
    EQUAL(madang_file_replace(place("f"), "another", 7, 0, 0), 0);
    EQUAL(madang_file_follow_read(all, bytes, sizeof bytes, 0, 0), 1);
    EQUAL(madang_file_follow_read(all, bytes, sizeof bytes, 0, 0), 7);
    EQUAL(madang_file_follow_restarts(all), 2);
    FAILS(madang_file_follow_read(all, NULL, 1, 0, 0), EFAULT, "buffer is NULL");
    EQUAL(madang_file_follow_close(all), 0);
    FAILS(madang_file_follow_read(all, bytes, 1, 0, 0), EBADF, "follow is not an open handle");
    FAILS(madang_file_follow_restarts(all), EBADF, "follow is not an open handle");
    FAILS(madang_file_follow_close(all), EBADF, "follow is not an open handle");
    FAILS(madang_file_follow_open("/dev/null", 0, &all), ENODEV, "it is not a regular file");
    FAILS(madang_file_follow_open(place("f"), 1, &all), EINVAL, "it knows only MADANG_FROM_END");
}

static void nothing_leaks(void)
{
    EQUAL(madang_file_close(open_file(place("f"))), 0);
    int before = open_descriptors();
    for (int i = 0; i < 10; i++) {
        madang_mapping *mapping;
        madang_file_follow *follow;
        file = open_file(place("f"));
        EQUAL(madang_file_grow(file, 10), 10);
        EQUAL(madang_file_map(file, 0, 0, &mapping), 0);
        EQUAL(madang_mapping_close(mapping), 0);
        EQUAL(madang_file_lock(file, 0, 0, 0, 0), 0);
        EQUAL(madang_file_close(file), 0);
        EQUAL(madang_file_follow_open(place("f"), 0, &follow), 0);
        EQUAL(madang_file_replace(place("f"), "x", 1, 0, 0), 0);
        EQUAL(madang_file_follow_close(follow), 0);
        FAILS(madang_file_open("/dev/null", NULL, &file), ENODEV, "regular");
    }
    EQUAL(open_descriptors(), before);
}

static void bad_input(void)
{
    madang_mapping *mapping;
    madang_file_holder holder = {.struct_size = sizeof holder};
    FAILS(madang_file_open(NULL, NULL, &file), EFAULT, "path is NULL");
    FAILS(madang_file_open(place("f"), NULL, NULL), EFAULT, "file is NULL");
    FAILS(madang_file_is_new(NULL), EFAULT, "file is NULL");
    FAILS(madang_file_fd(NULL), EFAULT, "file is NULL");
    FAILS(madang_file_length(NULL), EFAULT, "file is NULL");
    FAILS(madang_file_grow(NULL, 1), EFAULT, "file is NULL");
    FAILS(madang_file_map(NULL, 0, 0, &mapping), EFAULT, "file is NULL");
    FAILS(madang_file_lock(NULL, 0, 0, 0, 0), EFAULT, "file is NULL");
    FAILS(madang_file_unlock(NULL, 0, 0), EFAULT, "file is NULL");
    FAILS(madang_file_holder_of(NULL, 0, 0, 0, &holder), EFAULT, "file is NULL");
    FAILS(madang_file_close(NULL), EFAULT, "file is NULL");
    FAILS(madang_file_replace(NULL, "x", 1, 0, 0), EFAULT, "path is NULL");
    FAILS(madang_file_replace(place("f"), NULL, 1, 0, 0), EFAULT, "data is NULL");
    FAILS(madang_file_follow_open(NULL, 0, &(madang_file_follow *){NULL}), EFAULT, "path is NULL");
    FAILS(madang_file_follow_open(place("f"), 0, NULL), EFAULT, "follow is NULL");
    FAILS(madang_file_follow_read(NULL, &holder, 1, 0, 0), EFAULT, "follow is NULL");
    FAILS(madang_file_follow_restarts(NULL), EFAULT, "follow is NULL");
    FAILS(madang_file_follow_close(NULL), EFAULT, "follow is NULL");
    FAILS(madang_mapping_sync(NULL, 0, 0), EFAULT, "mapping is NULL");
    madang_file_options bad = {.struct_size = sizeof bad, .flags = MADANG_ANY_OWNER};
    FAILS(madang_file_open(place("f"), &bad, &file), EINVAL, "it knows only MADANG_READ_ONLY");
    bad = (madang_file_options){.struct_size = 3};
    FAILS(madang_file_open(place("f"), &bad, &file), EINVAL, "sizeof(madang_file_options)");
    file = open_file(place("f"));
    FAILS(madang_file_map(file, 0, 0, NULL), EFAULT, "mapping is NULL");
    FAILS(madang_file_holder_of(file, 0, 0, 0, NULL), EFAULT, "holder is NULL");
    FAILS(madang_file_holder_of(file, 0, 0, 1, &holder), EINVAL, "it knows only MADANG_LOCK_SHARED");
    holder.struct_size = 0;
    FAILS(madang_file_holder_of(file, 0, 0, 0, &holder), EINVAL, "sizeof(madang_file_holder)");
    EQUAL(madang_file_close(file), 0);
    FAILS(madang_file_lock(file, 0, 0, 0, 0), EBADF, "file is not an open handle of a file");
    FAILS(madang_file_fd(file), EBADF, "madang_file_fd");
    FAILS(madang_file_length(file), EBADF, "madang_file_length");
    FAILS(madang_file_close(file), EBADF, "madang_file_close");
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        CASE(open_and_make), CASE(locks),    CASE(other_processes), CASE(fork_child),    CASE(counter),
        CASE(interrupted),   CASE(mapped),   CASE(replaced),        CASE(other_users),   CASE(followed),
        CASE(nothing_leaks), CASE(bad_input),
    };
    return run_cases(cases, sizeof cases / sizeof cases[0], argc, argv);
}
