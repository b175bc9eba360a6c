/* Segments from C. See check.h for how a test program works. */
#define KIND(suffix) madang_segment##suffix
#define FILES ""
#include "../check.h"

#include <fcntl.h>
#include <sys/mman.h>

static madang_segment *open_with(const char *which, madang_segment_options options)
{
    madang_segment *segment = NULL;
    options.struct_size = sizeof options;
    EQUAL(madang_segment_open(which, &options, &segment), 0);
    CHECK(segment != NULL);
    return segment;
}

static madang_segment *open_length(const char *which, uint64_t length)
{
    return open_with(which, (madang_segment_options){.length = length});
}

static void smoke(void)
{
    madang_segment *segment = open_length(name("s"), 10000);
    EQUAL(madang_segment_is_new(segment), 1);
    EQUAL(madang_segment_is_writable(segment), 1);
    EQUAL(madang_segment_size(segment), 10000);
    CHECK(strcmp(madang_segment_name(segment), name("s")) == 0);
    char *data = madang_segment_data(segment);
    CHECK((uintptr_t)data % 4096 == 0);
    for (int i = 0; i < 10000; i++)
        CHECK(data[i] == 0);
    memcpy(data + 5000, "hello", 6);

    madang_segment *same;
    EQUAL(madang_segment_open(name("s"), NULL, &same), 0);
    EQUAL(madang_segment_is_new(same), 0);
    CHECK(strcmp((char *)madang_segment_data(same) + 5000, "hello") == 0);
    EQUAL(madang_segment_close(segment), 0);
    char text[6];
    EQUAL(madang_segment_read(same, 5000, text, 6), 0);
    CHECK(strcmp(text, "hello") == 0);
    EQUAL(madang_segment_close(same), 0);
    EQUAL(madang_segment_unlink(name("s")), 0);
    FAILS(madang_segment_unlink(name("s")), ENOENT, "there is none");
}

/* It is what shm_open makes, and the other way round. */
static void posix(void)
{
    madang_segment *segment = open_length(name("ours"), 4096);
    EQUAL(madang_segment_write(segment, 0, "ours", 5), 0);
    int file = shm_open(name("ours"), O_RDONLY, 0);
    char text[7];
    CHECK(file >= 0 && read(file, text, 5) == 5 && strcmp(text, "ours") == 0);

    file = shm_open(name("theirs"), O_RDWR | O_CREAT | O_EXCL, 0600);
    CHECK(file >= 0 && write(file, "theirs", 7) == 7);
    EQUAL(madang_segment_open(name("theirs"), NULL, &segment), 0);
    EQUAL(madang_segment_size(segment), 7);
    CHECK(strcmp(madang_segment_data(segment), "theirs") == 0);
    EQUAL(madang_segment_unlink(name("theirs")), 0);
    CHECK(shm_open(name("theirs"), O_RDWR, 0) == -1 && errno == ENOENT);
}

static void capacity(void)
{
    madang_segment *segment = open_length(name("s"), 100);
    char bytes[101] = "0123456789";
    EQUAL(madang_segment_write(segment, 90, bytes, 10), 0);
    EQUAL(madang_segment_write(segment, 100, NULL, 0), 0);
    FAILS(madang_segment_write(segment, 91, bytes, 10), EINVAL, "10 bytes at 91 don't lie within its 100");
    FAILS(madang_segment_write(segment, SIZE_MAX, bytes, 10), EINVAL, "don't lie within");
    FAILS(madang_segment_read(segment, 0, bytes, 101), EINVAL, "101 bytes at 0");
    FAILS(madang_segment_read(segment, 101, bytes, 0), EINVAL, "0 bytes at 101");
    FAILS(madang_segment_read(segment, SIZE_MAX, bytes, 2), EINVAL, "madang_segment_read: 2 bytes at");
    EQUAL(madang_segment_read(segment, 100, NULL, 0), 0);
    EQUAL(madang_segment_read(segment, 90, bytes, 5), 0);
    CHECK(memcmp(bytes, "0123456789", 10) == 0);

    EQUAL(madang_segment_size(open_length(name("s"), 50)), 100);
    madang_segment_options more = {.struct_size = sizeof more, .length = 101};
    OPEN_FAILS(name("s"), &more, EINVAL, "it has 100 bytes, 101 were asked for");
    /* More than a file may have; more than there is memory. */
    more.length = UINT64_MAX;
    OPEN_FAILS(name("large"), &more, EFBIG, "ftruncate to 18446744073709551615 bytes");
    CHECK(access(path(name("large")), F_OK) != 0);
}

static void create(void)
{
    madang_segment_options options = {.struct_size = sizeof options, .length = 1, .create = MADANG_CREATE_NEVER};
    OPEN_FAILS(name("s"), &options, ENOENT, "the call does not create it");
    /* NULL asks for one of no length, which can't be created. */
    OPEN_FAILS(name("s"), NULL, ENOENT, "there is none");
    options.create = 4;
    OPEN_FAILS(name("s"), &options, EINVAL, "create 4");
    options.create = MADANG_CREATE_ONLY;
    options.length = 0;
    OPEN_FAILS(name("s"), &options, EINVAL, "give the segment a length");
    options.length = 1;
    EQUAL(madang_segment_is_new(open_with(name("s"), options)), 1);
    OPEN_FAILS(name("s"), &options, EEXIST, "the name is taken");
    EQUAL(madang_segment_is_new(open_length(name("s"), 1)), 0);
}

static void options(void)
{
    umask(077);
    open_with(name("mode"), (madang_segment_options){.length = 1, .mode = 0644});
    struct stat file;
    CHECK(stat(path(name("mode")), &file) == 0 && (file.st_mode & 07777) == 0644);

    madang_segment *segment = open_with(name("mode"), (madang_segment_options){.flags = MADANG_READ_ONLY});
    EQUAL(madang_segment_is_writable(segment), 0);
    FAILS(madang_segment_write(segment, 0, "x", 1), EACCES, "it was opened read-only");
    pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, _exit);
        *(volatile char *)madang_segment_data(segment) = 'x';
        exit(EXIT_SUCCESS);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && !(WIFEXITED(status) && WEXITSTATUS(status) == 0));

    madang_segment_options bad = {.struct_size = sizeof bad, .length = 1, .flags = MADANG_READ_ONLY};
    OPEN_FAILS(name("none"), &bad, ENOENT, "the call does not create it");
    bad.create = MADANG_CREATE_ONLY;
    OPEN_FAILS(name("none"), &bad, EINVAL, "can't be read-only");
    bad = (madang_segment_options){.struct_size = sizeof bad, .length = 1, .flags = MADANG_DEADLINE};
    OPEN_FAILS(name("none"), &bad, EINVAL, "option flags 0x1");
    bad = (madang_segment_options){.struct_size = sizeof bad, .length = 1, .mode = 0100000};
    OPEN_FAILS(name("none"), &bad, EINVAL, "more than permission bits");

    struct {
        madang_segment_options known;
        uint64_t unknown;
    } newer = {.known = {.struct_size = sizeof newer, .length = 1}, .unknown = 1};
    OPEN_FAILS(name("none"), &newer.known, E2BIG, "needs a newer one");
    newer.unknown = 0;
    EQUAL(madang_segment_open(name("newer"), &newer.known, &segment), 0);
    newer.known.struct_size = 0;
    OPEN_FAILS(name("newer"), &newer.known, EINVAL, "sizeof(madang_segment_options)");
}

static void bad_name(void)
{
    madang_segment_options options = {.struct_size = sizeof options, .length = 1};
    char long_name[300];
    memset(long_name, 'n', sizeof long_name);
    long_name[256] = '\0';
    OPEN_FAILS("", &options, EINVAL, "the name is empty");
    OPEN_FAILS("/frame", &options, EINVAL, "shm_open(3)");
    OPEN_FAILS(".", &options, EINVAL, "can't be the name of a file");
    OPEN_FAILS("madang.queue.q", &options, EINVAL, "which madang keeps for itself");
    OPEN_FAILS("\xc3\x28", &options, EINVAL, "is not UTF-8");
    OPEN_FAILS(long_name, &options, ENAMETOOLONG, "it may have 255 at most");
}

static void not_a_file(void)
{
    CHECK(mkdir(path(name("directory")), 0700) == 0);
    OPEN_FAILS(name("directory"), NULL, EISDIR, "is a directory");
    FAILS(madang_segment_unlink(name("directory")), EISDIR, "unlink \"");
    CHECK(mkfifo(path(name("fifo")), 0600) == 0);
    OPEN_FAILS(name("fifo"), NULL, ENODEV, "is not a regular file");
    CHECK(symlink("/dev/shm/nowhere", path(name("link"))) == 0);
    OPEN_FAILS(name("link"), NULL, ELOOP, "a symbolic link, which is never followed");
    int file = open(path(name("empty")), O_CREAT | O_WRONLY, 0600);
    CHECK(file >= 0);
    OPEN_FAILS(name("empty"), NULL, EINVAL, "it is empty");
}

static void open_what_root_made(void)
{
    OPEN_FAILS(name("private"), NULL, EACCES, "does not permit this user to use it");
    OPEN_FAILS(name("readable"), NULL, EACCES, "does not permit this user to use it");
    FAILS(madang_segment_unlink(name("private")), EPERM, "only the owner");
    madang_segment *segment = open_with(name("readable"), (madang_segment_options){.flags = MADANG_READ_ONLY});
    CHECK(strcmp(madang_segment_data(segment), "for all") == 0);
    open_with(name("planted"), (madang_segment_options){.length = 8, .mode = 0666});
}

static void other_users(void)
{
    open_length(name("private"), 1);
    madang_segment *segment = open_with(name("readable"), (madang_segment_options){.length = 8, .mode = 0644});
    EQUAL(madang_segment_write(segment, 0, "for all", 8), 0);
    as_user(1234, open_what_root_made);
    OPEN_FAILS(name("planted"), NULL, EPERM, "it belongs to user 1234");
    CHECK(chown(path(name("readable")), 1234, 1234) == 0);
    OPEN_FAILS(name("readable"), NULL, EPERM, "it may have been planted");
    open_with(name("readable"), (madang_segment_options){.flags = MADANG_ANY_OWNER | MADANG_READ_ONLY});
    open_with(name("planted"), (madang_segment_options){.flags = MADANG_ANY_OWNER});
}

static void fork_child(void)
{
    madang_segment *segment = open_length(name("s"), 100);
    pid_t child = fork();
    if (child == 0) {
        EQUAL(madang_segment_write(segment, 50, "the child's", 12), 0);
        EQUAL(madang_segment_close(segment), 0);
        exit(EXIT_SUCCESS);
    }
    reap(child);
    CHECK(strcmp((char *)madang_segment_data(segment) + 50, "the child's") == 0);
}

static void null_pointers(void)
{
    madang_segment *segment = open_length(name("s"), 8);
    char text[8];
    OPEN_FAILS(NULL, NULL, EFAULT, "madang_segment_open: name is NULL");
    FAILS(madang_segment_open(name("x"), NULL, NULL), EFAULT, "segment is NULL");
    FAILS_WITH_NOTHING(madang_segment_data(NULL), EFAULT, "segment is NULL");
    FAILS_WITH_NOTHING(madang_segment_size(NULL), EFAULT, "segment is NULL");
    FAILS_WITH_NOTHING(madang_segment_name(NULL), EFAULT, "segment is NULL");
    FAILS(madang_segment_is_new(NULL), EFAULT, "segment is NULL");
    FAILS(madang_segment_is_writable(NULL), EFAULT, "segment is NULL");
    FAILS(madang_segment_write(NULL, 0, "x", 1), EFAULT, "segment is NULL");
    FAILS(madang_segment_write(segment, 0, NULL, 1), EFAULT, "data is NULL");
    FAILS(madang_segment_read(NULL, 0, text, 1), EFAULT, "segment is NULL");
    FAILS(madang_segment_read(segment, 0, NULL, 1), EFAULT, "buffer is NULL");
    FAILS(madang_segment_close(NULL), EFAULT, "segment is NULL");
    FAILS(madang_segment_unlink(NULL), EFAULT, "name is NULL");
}

static void closed_handle(void)
{
    madang_segment *segment = open_length(name("s"), 8);
    char text[8];
    size_t before = allocated();
    EQUAL(madang_segment_close(segment), 0);
    for (int i = 0; i < 1023; i++)
        EQUAL(madang_segment_close(open_length(name("other"), 1)), 0);
    FAILS_WITH_NOTHING(madang_segment_data(segment), EBADF, "not an open handle of a segment");
    FAILS_WITH_NOTHING(madang_segment_size(segment), EBADF, "madang_segment_size");
    FAILS_WITH_NOTHING(madang_segment_name(segment), EBADF, "madang_segment_name");
    FAILS(madang_segment_is_new(segment), EBADF, "madang_segment_is_new");
    FAILS(madang_segment_is_writable(segment), EBADF, "madang_segment_is_writable");
    FAILS(madang_segment_write(segment, 0, "x", 1), EBADF, "madang_segment_write");
    FAILS(madang_segment_read(segment, 0, text, 1), EBADF, "madang_segment_read");
    FAILS(madang_segment_close(segment), EBADF, "madang_segment_close");
    /* And then its memory may be another's: nothing grows without end. */
    size_t memory = allocated();
    CHECK(before == 0 || memory > before + 1024 * sizeof(void *));
    for (int i = 0; i < 1100; i++)
        EQUAL(madang_segment_close(open_length(name("other"), 1)), 0);
    CHECK(allocated() < memory + 10000);
}

/* A full /dev/shm is an error that leaves no name, and never a signal. */
static void no_space(void)
{
    mount_small("/dev/shm", "size=1m");
    madang_segment_options large = {.struct_size = sizeof large, .length = 2 << 20};
    OPEN_FAILS(name("large"), &large, ENOSPC, "is full: remove what is left over there, or make it larger");
    CHECK(access(path(name("large")), F_OK) != 0);
    madang_segment *segment = open_length(name("half"), 512 << 10);
    large.length = 768 << 10;
    OPEN_FAILS(name("large"), &large, ENOSPC, "create \"");
    memset(madang_segment_data(segment), 'x', madang_segment_size(segment));
    EQUAL(madang_segment_unlink(name("half")), 0);
    EQUAL(madang_segment_close(segment), 0);
    memset(madang_segment_data(open_length(name("large"), large.length)), 'x', large.length);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        CASE(smoke),      CASE(posix),      CASE(capacity),      CASE(create),        CASE(options),     CASE(bad_name),
        CASE(not_a_file), CASE(fork_child), CASE(null_pointers), CASE(closed_handle), CASE(other_users), CASE(no_space),
    };
    return run_cases(cases, sizeof cases / sizeof cases[0], argc, argv);
}
