/* POSIX shared memory from C. See check.h for how a test program works. */
#define KIND(suffix) madang_posix_shm##suffix
#define FILES ""
#include "../check.h"

#include <sys/mman.h>

static madang_posix_shm *open_with(const char *which, madang_posix_shm_options options)
{
    madang_posix_shm *object = NULL;
    options.struct_size = sizeof options;
    EQUAL(madang_posix_shm_open(which, &options, &object), 0);
    CHECK(object != NULL);
    return object;
}

static madang_posix_shm *of_size(uint64_t size)
{
    return open_with(name("s"), (madang_posix_shm_options){.size = size});
}

static madang_mapping *map(madang_posix_shm *object, uint64_t offset, uint64_t length, uint32_t flags)
{
    madang_mapping *mapping = NULL;
    EQUAL(madang_posix_shm_map(object, offset, length, flags, &mapping), 0);
    return mapping;
}

static uint64_t size_of(madang_posix_shm *object)
{
    madang_posix_shm_status status = {.struct_size = sizeof status};
    EQUAL(madang_posix_shm_stat(object, &status), 0);
    return status.size;
}

static void smoke(void)
{
    madang_posix_shm *object = of_size(5000);
    EQUAL(madang_posix_shm_is_new(object), 1);
    CHECK(strcmp(madang_posix_shm_name(object), name("s")) == 0);
    madang_mapping *whole = map(object, 0, 0, 0);
    EQUAL(madang_mapping_size(whole), 5000);
    EQUAL(madang_mapping_is_writable(whole), 1);
    memcpy((char *)madang_mapping_data(whole) + 4990, "012345678", 10);
    madang_posix_shm *same = open_with(name("s"), (madang_posix_shm_options){.flags = MADANG_READ_ONLY});
    EQUAL(madang_posix_shm_is_new(same), 0);
    madang_mapping *part = map(same, 4096, 904, MADANG_READ_ONLY);
    EQUAL(madang_mapping_is_writable(part), 0);
    EQUAL(madang_posix_shm_close(same), 0);
    CHECK(strcmp((char *)madang_mapping_data(part) + 894, "012345678") == 0);
    EQUAL(madang_mapping_close(part), 0);
    EQUAL(madang_mapping_close(whole), 0);
    EQUAL(madang_posix_shm_close(object), 0);
    EQUAL(madang_posix_shm_unlink(name("s")), 0);
    FAILS(madang_posix_shm_unlink(name("s")), ENOENT, "there is none");
}

static void the_c_library_s(void)
{
    char text[8];
    madang_posix_shm *object = of_size(100);
    strcpy(madang_mapping_data(map(object, 0, 0, 0)), "ours");
    int theirs = shm_open(name("s"), O_RDWR, 0);
    CHECK(theirs >= 0 && read(theirs, text, 5) == 5 && strcmp(text, "ours") == 0);
    CHECK(ftruncate(theirs, 50) == 0);
    EQUAL(size_of(object), 50);
    theirs = shm_open(name("t"), O_RDWR | O_CREAT | O_EXCL, 0640);
    CHECK(theirs >= 0 && write(theirs, "theirs", 7) == 7);
    object = open_with(name("t"), (madang_posix_shm_options){.create = MADANG_CREATE_NEVER});
    CHECK(strcmp(madang_mapping_data(map(object, 0, 0, 0)), "theirs") == 0);
    madang_segment *segment;
    EQUAL(madang_segment_open(name("t"), NULL, &segment), 0);
    CHECK(strcmp(madang_segment_data(segment), "theirs") == 0);
}

static void a_child_writes(void)
{
    madang_posix_shm *object = of_size(4096);
    pid_t child = fork();
    if (child == 0) {
        madang_posix_shm *same = open_with(name("s"), (madang_posix_shm_options){.create = MADANG_CREATE_NEVER});
        strcpy(madang_mapping_data(map(same, 0, 0, 0)), "from the child");
        exit(EXIT_SUCCESS);
    }
    reap(child);
    CHECK(strcmp(madang_mapping_data(map(object, 0, 0, MADANG_READ_ONLY)), "from the child") == 0);
}

static void grow_and_shrink(void)
{
    madang_posix_shm *object = open_with(name("s"), (madang_posix_shm_options){.size = 0});
    madang_mapping *mapping;
    FAILS(madang_posix_shm_map(object, 0, 0, 0, &mapping), EINVAL, "it is empty");
    EQUAL(madang_posix_shm_set_size(object, 1 << 20), 0);
    EQUAL(size_of(object), 1 << 20);
    ((char *)madang_mapping_data(map(object, 0, 0, 0)))[(1 << 20) - 1] = 'x';
    EQUAL(madang_posix_shm_set_size(object, 1), 0);
    EQUAL(madang_posix_shm_set_size(object, 1 << 20), 0);
    EQUAL(((char *)madang_mapping_data(map(object, 0, 0, 0)))[(1 << 20) - 1], 0);
    FAILS(madang_posix_shm_set_size(object, UINT64_MAX), EFBIG, "18446744073709551615 bytes");
    FAILS(madang_posix_shm_set_size(object, 1ULL << 50), ENOSPC, "--shm-size");
    EQUAL(size_of(object), 1 << 20);
}

static void a_full_file_system(void)
{
    mount_small("/dev/shm", "size=1M");
    madang_posix_shm_options options = {.struct_size = sizeof options, .size = 2 << 20};
    OPEN_FAILS(name("s"), &options, ENOSPC, "--shm-size");
    CHECK(access(path(name("s")), F_OK) != 0);
    madang_posix_shm *object = of_size(512 << 10);
    FAILS(madang_posix_shm_set_size(object, 2 << 20), ENOSPC, "--shm-size");
    EQUAL(size_of(object), 512 << 10);
}

static void stat_and_list(void)
{
    umask(077);
    madang_posix_shm *object = open_with(name("s"), (madang_posix_shm_options){.size = 10000, .mode = 0666});
    madang_posix_shm_status status = {.struct_size = sizeof status};
    EQUAL(madang_posix_shm_stat(object, &status), 0);
    CHECK(status.size == 10000 && status.allocated >= 10000 && status.mode == 0666 && status.is_unlinked == 0);
    CHECK(status.uid == geteuid() && status.gid == getegid());
    int64_t count = madang_posix_shm_list(NULL, 0), i = 0;
    CHECK(count >= 1);
    madang_posix_listed *listed = calloc(count + 100, sizeof *listed);
    listed->struct_size = sizeof *listed;
    count = madang_posix_shm_list(listed, count + 100);
    while (i < count && strcmp(listed[i].name, name("s")) != 0)
        i++;
    CHECK(i < count && listed[i].size == 10000 && listed[i].mode == 0666);
    free(listed);
    EQUAL(madang_posix_shm_unlink(name("s")), 0);
    EQUAL(madang_posix_shm_stat(object, &status), 0);
    EQUAL(status.is_unlinked, 1);
    CHECK(fcntl(madang_posix_shm_fd(object), F_GETFD) == FD_CLOEXEC);
}

static void bad_input(void)
{
    madang_posix_shm_options options = {.struct_size = sizeof options, .create = MADANG_CREATE_NEVER};
    OPEN_FAILS(name("s"), &options, ENOENT, "does not create it");
    OPEN_FAILS("", NULL, EINVAL, "the name is empty");
    OPEN_FAILS("/s", NULL, EINVAL, "shm_open(3)");
    OPEN_FAILS("madang.queue.q", NULL, EINVAL, "which madang keeps for itself");
    options = (madang_posix_shm_options){.struct_size = sizeof options, .flags = MADANG_READ_ONLY};
    OPEN_FAILS(name("s"), &options, ENOENT, "there is none");
    options.create = MADANG_CREATE_ONLY;
    OPEN_FAILS(name("s"), &options, EINVAL, "can't be read-only");
    options.flags = 1;
    OPEN_FAILS(name("s"), &options, EINVAL, "option flags 0x1");
    madang_posix_shm *object = of_size(8192);
    options.flags = 0;
    OPEN_FAILS(name("s"), &options, EEXIST, "the name is taken");
    options = (madang_posix_shm_options){.struct_size = sizeof options, .size = 8193};
    OPEN_FAILS(name("s"), &options, EINVAL, "it has 8192 bytes, 8193 were asked for");
    madang_mapping *untouched = (madang_mapping *)(void *)&options, *mapping = untouched;
    FAILS(madang_posix_shm_map(object, 1, 1, 0, &mapping), EINVAL, "page size");
    FAILS(madang_posix_shm_map(object, 4096, 4097, 0, &mapping), EINVAL, "don't lie within its 8192");
    FAILS(madang_posix_shm_map(object, 0, 0, 1, &mapping), EINVAL, "flags 0x1");
    madang_posix_shm *reader = open_with(name("s"), (madang_posix_shm_options){.flags = MADANG_READ_ONLY});
    FAILS(madang_posix_shm_map(reader, 0, 0, 0, &mapping), EACCES, "opened read-only");
    FAILS(madang_posix_shm_set_size(reader, 1), EACCES, "opened read-only");
    CHECK(mapping == untouched);
}

static void use_what_root_made(void)
{
    OPEN_FAILS(name("s"), NULL, EACCES, "does not permit this user");
    FAILS(madang_posix_shm_unlink(name("s")), EPERM, "only the owner");
    open_with(name("s"), (madang_posix_shm_options){.flags = MADANG_READ_ONLY});
}

static void other_users(void)
{
    open_with(name("s"), (madang_posix_shm_options){.size = 8, .mode = 0644});
    as_user(65534, use_what_root_made);
}

static void from_fd(void)
{
    madang_posix_shm *object = of_size(4096), *received;
    int fd = dup(madang_posix_shm_fd(object)), before = open_descriptors();
    EQUAL(madang_posix_shm_from_fd(fd, &received), 0);
    EQUAL(open_descriptors(), before);
    CHECK(*madang_posix_shm_name(received) == '\0');
    strcpy(madang_mapping_data(map(received, 0, 0, 0)), "ok");
    CHECK(strcmp(madang_mapping_data(map(object, 0, 0, 0)), "ok") == 0);
    FAILS(madang_posix_shm_from_fd(open("/dev/null", O_RDWR), &received), ENODEV, "not one of a regular file");
    FAILS(madang_posix_shm_from_fd(-1, &received), EBADF, "not an open descriptor");
    FAILS(madang_posix_shm_from_fd(0, NULL), EFAULT, "object is NULL");
}

static void null_pointers(void)
{
    madang_posix_shm *object = of_size(8);
    madang_mapping *mapping;
    OPEN_FAILS(NULL, NULL, EFAULT, "name is NULL");
    FAILS(madang_posix_shm_open(name("s"), NULL, NULL), EFAULT, "object is NULL");
    FAILS(madang_posix_shm_stat(object, NULL), EFAULT, "status is NULL");
    FAILS(madang_posix_shm_set_size(NULL, 1), EFAULT, "object is NULL");
    FAILS(madang_posix_shm_map(NULL, 0, 0, 0, &mapping), EFAULT, "object is NULL");
    FAILS(madang_posix_shm_map(object, 0, 0, 0, NULL), EFAULT, "mapping is NULL");
    FAILS(madang_posix_shm_fd(NULL), EFAULT, "object is NULL");
    FAILS_WITH_NOTHING(madang_posix_shm_name(NULL), EFAULT, "object is NULL");
    FAILS(madang_posix_shm_is_new(NULL), EFAULT, "object is NULL");
    FAILS(madang_posix_shm_close(NULL), EFAULT, "object is NULL");
    FAILS(madang_posix_shm_unlink(NULL), EFAULT, "name is NULL");
    FAILS(madang_posix_shm_list(NULL, 1), EFAULT, "objects is NULL");
}

static void closed_handle(void)
{
    int before = open_descriptors();
    madang_posix_shm *object = of_size(8);
    EQUAL(madang_posix_shm_close(object), 0);
    EQUAL(open_descriptors(), before);
    FAILS(madang_posix_shm_close(object), EBADF, "was it closed before?");
    FAILS(madang_posix_shm_set_size(object, 1), EBADF, "not an open handle");
    FAILS(madang_posix_shm_fd(object), EBADF, "not an open handle");
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        CASE(smoke),         CASE(the_c_library_s), CASE(a_child_writes), CASE(grow_and_shrink), CASE(a_full_file_system),
        CASE(stat_and_list), CASE(bad_input),       CASE(other_users),    CASE(null_pointers),   CASE(closed_handle),
        CASE(from_fd),
    };
    return run_cases(cases, sizeof cases / sizeof cases[0], argc, argv);
}
