/* Memfds from C. See check.h for how a test program works. */
#include "../check.h"

#include <sys/mman.h>

static madang_memfd *create(madang_memfd_options options)
{
    madang_memfd *memfd = NULL;
    options.struct_size = sizeof options;
    EQUAL(madang_memfd_create("test", &options, &memfd), 0);
    return memfd;
}

static madang_memfd *of_size(uint64_t size)
{
    return create((madang_memfd_options){.size = size});
}

static char *data(madang_memfd *memfd, uint32_t flags)
{
    madang_mapping *mapping = NULL;
    EQUAL(madang_memfd_map(memfd, 0, 0, flags, &mapping), 0);
    return madang_mapping_data(mapping);
}

static void smoke(void)
{
    madang_memfd *memfd = of_size(5000);
    madang_mapping *mapping;
    EQUAL(madang_memfd_size(memfd), 5000);
    EQUAL(madang_memfd_map(memfd, 4096, 904, 0, &mapping), 0);
    EQUAL(madang_mapping_size(mapping), 904);
    strcpy(madang_mapping_data(mapping), "hello");
    EQUAL(madang_mapping_close(mapping), 0);
    CHECK(strcmp(data(memfd, MADANG_READ_ONLY) + 4096, "hello") == 0);
    EQUAL(madang_memfd_set_size(memfd, 10000), 0);
    EQUAL(madang_memfd_set_size(memfd, 10), 0);
    EQUAL(madang_memfd_size(memfd), 10);
    char link[64], target[64] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", madang_memfd_fd(memfd));
    CHECK(readlink(link, target, sizeof target - 1) > 0 && strcmp(target, "/memfd:test (deleted)") == 0);
    CHECK(fcntl(madang_memfd_fd(memfd), F_GETFD) == FD_CLOEXEC);
    EQUAL(madang_memfd_close(memfd), 0);
}

static void seals(void)
{
    madang_memfd *memfd = of_size(4096);
    madang_mapping *mapping;
    int at_first = madang_memfd_seals(memfd);
    CHECK(at_first == 0 || at_first == MADANG_SEAL_EXEC);
    EQUAL(madang_memfd_seal(memfd, MADANG_SEAL_GROW | MADANG_SEAL_SHRINK), 0);
    EQUAL(madang_memfd_seals(memfd), at_first | MADANG_SEAL_GROW | MADANG_SEAL_SHRINK);
    FAILS(madang_memfd_set_size(memfd, 4097), EPERM, "it is sealed (SHRINK | GROW");
    FAILS(madang_memfd_set_size(memfd, 4095), EPERM, "it is sealed");
    EQUAL(madang_memfd_map(memfd, 0, 0, 0, &mapping), 0);
    FAILS(madang_memfd_seal(memfd, MADANG_SEAL_WRITE), EBUSY, "it is mapped to be written");
    EQUAL(madang_memfd_seal(memfd, MADANG_SEAL_FUTURE_WRITE), 0);
    strcpy(madang_mapping_data(mapping), "still");
    EQUAL(madang_mapping_close(mapping), 0);
    EQUAL(madang_memfd_seal(memfd, MADANG_SEAL_WRITE | MADANG_SEAL_SEAL), 0);
    CHECK(strcmp(data(memfd, MADANG_READ_ONLY), "still") == 0);
    FAILS(madang_memfd_map(memfd, 0, 0, 0, &mapping), EPERM, "it is sealed");
    CHECK(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, madang_memfd_fd(memfd), 0) == MAP_FAILED && errno == EPERM);
    FAILS(madang_memfd_seal(memfd, MADANG_SEAL_EXEC), EPERM, "it is sealed with SEAL");
    FAILS(madang_memfd_seal(of_size(1), 1 << 20), EINVAL, "this kernel doesn't know");
}

static void a_child_checks_it(void)
{
    madang_memfd *memfd = of_size(100);
    madang_mapping *mapping;
    EQUAL(madang_memfd_map(memfd, 0, 0, 0, &mapping), 0);
    strcpy(madang_mapping_data(mapping), "for the child");
    EQUAL(madang_mapping_close(mapping), 0);
    EQUAL(madang_memfd_seal(memfd, MADANG_SEAL_SHRINK | MADANG_SEAL_WRITE), 0);
    pid_t child = fork();
    if (child == 0) {
        madang_memfd *received;
        int fd = dup(madang_memfd_fd(memfd));
        FAILS(madang_memfd_from_fd(fd, MADANG_SEAL_GROW, &received), EPERM, "not sealed with GROW");
        CHECK(fcntl(fd, F_GETFD) >= 0);
        EQUAL(madang_memfd_from_fd(fd, MADANG_SEAL_WRITE, &received), 0);
        CHECK(fcntl(fd, F_GETFD) == -1 || fd == madang_memfd_fd(received));
        CHECK(strcmp(data(received, MADANG_READ_ONLY), "for the child") == 0);
        FAILS(madang_memfd_map(received, 0, 0, 0, &mapping), EPERM, "it is sealed");
        exit(EXIT_SUCCESS);
    }
    reap(child);
}

static void from_fd(void)
{
    madang_memfd *memfd = of_size(100), *received;
    FAILS(madang_memfd_from_fd(dup(madang_memfd_fd(memfd)), 0, &received), EPERM, "not sealed with SHRINK");
    EQUAL(madang_memfd_from_trusted_fd(dup(madang_memfd_fd(memfd)), &received), 0);
    EQUAL(madang_memfd_size(received), 100);
    FAILS(madang_memfd_from_fd(open("/dev/null", O_RDWR), 0, &received), EINVAL, "not one of a memfd");
    FAILS(madang_memfd_from_fd(-1, 0, &received), EBADF, "not an open descriptor");
    FAILS(madang_memfd_from_trusted_fd(1000, &received), EBADF, "not an open descriptor");
}

static void options(void)
{
    struct stat file;
    madang_memfd *memfd = create((madang_memfd_options){.flags = MADANG_MEMFD_EXECUTABLE}), *untouched = memfd;
    CHECK(fstat(madang_memfd_fd(memfd), &file) == 0 && (file.st_mode & 0777) == 0777);
    madang_memfd_options bad = {.struct_size = sizeof bad, .flags = 1};
    FAILS(madang_memfd_create("test", &bad, &memfd), EINVAL, "option flags 0x1");
    bad = (madang_memfd_options){.struct_size = sizeof bad, .huge_page_size = 2 << 20};
    FAILS(madang_memfd_create("test", &bad, &memfd), EINVAL, "MADANG_MEMFD_HUGE_PAGES");
    bad = (madang_memfd_options){
        .struct_size = sizeof bad, .flags = MADANG_MEMFD_HUGE_PAGES, .huge_page_size = 3 << 20, .size = 3 << 20};
    FAILS(madang_memfd_create("test", &bad, &memfd), EINVAL, "a power of two");
    bad = (madang_memfd_options){.struct_size = sizeof bad, .size = UINT64_MAX};
    FAILS(madang_memfd_create("test", &bad, &memfd), EFBIG, "18446744073709551615 bytes");
    char long_name[251];
    memset(long_name, 'n', 250);
    long_name[250] = '\0';
    FAILS(madang_memfd_create(long_name, NULL, &memfd), EINVAL, "249 at most");
    CHECK(memfd == untouched);
    madang_mapping *mapping;
    EQUAL(madang_memfd_create(long_name + 1, NULL, &memfd), 0);
    FAILS(madang_memfd_map(memfd, 0, 0, 0, &mapping), EINVAL, "it is empty");
}

static void null_pointers(void)
{
    madang_memfd *memfd = of_size(8);
    madang_mapping *mapping;
    FAILS(madang_memfd_create(NULL, NULL, &memfd), EFAULT, "name is NULL");
    FAILS(madang_memfd_create("test", NULL, NULL), EFAULT, "memfd is NULL");
    FAILS(madang_memfd_from_fd(0, 0, NULL), EFAULT, "memfd is NULL");
    FAILS(madang_memfd_from_trusted_fd(0, NULL), EFAULT, "memfd is NULL");
    FAILS(madang_memfd_size(NULL), EFAULT, "memfd is NULL");
    FAILS(madang_memfd_set_size(NULL, 1), EFAULT, "memfd is NULL");
    FAILS(madang_memfd_seals(NULL), EFAULT, "memfd is NULL");
    FAILS(madang_memfd_seal(NULL, 0), EFAULT, "memfd is NULL");
    FAILS(madang_memfd_map(NULL, 0, 0, 0, &mapping), EFAULT, "memfd is NULL");
    FAILS(madang_memfd_map(memfd, 0, 0, 0, NULL), EFAULT, "mapping is NULL");
    FAILS(madang_memfd_fd(NULL), EFAULT, "memfd is NULL");
    FAILS(madang_memfd_close(NULL), EFAULT, "memfd is NULL");
}

static void closed_handle(void)
{
    int before = open_descriptors();
    madang_memfd *memfd = of_size(8), *received;
    FAILS(madang_memfd_from_fd(madang_memfd_fd(memfd), 0, &received), EPERM, "SHRINK");
    EQUAL(open_descriptors(), before + 1);
    EQUAL(madang_memfd_close(memfd), 0);
    EQUAL(open_descriptors(), before);
    FAILS(madang_memfd_close(memfd), EBADF, "was it closed before?");
    FAILS(madang_memfd_size(memfd), EBADF, "not an open handle");
    FAILS(madang_memfd_seal(memfd, 0), EBADF, "not an open handle");
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        CASE(smoke),   CASE(seals),         CASE(a_child_checks_it), CASE(from_fd),
        CASE(options), CASE(null_pointers), CASE(closed_handle),
    };
    return run_cases(cases, sizeof cases / sizeof cases[0], argc, argv);
}
