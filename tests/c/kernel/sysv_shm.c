/* System V shared memory from C. See check.h for how a test program works. */
#include "sysv.h"

static madang_sysv_shm *segment;

static madang_sysv_shm *opened(madang_sysv_shm_options options)
{
    options.struct_size = sizeof options;
    madang_sysv_shm *handle = NULL;
    EQUAL(madang_sysv_shm_open(key(0), &options, &handle), 0);
    return handle;
}

static madang_sysv_shm_status status_of(madang_sysv_shm *handle)
{
    madang_sysv_shm_status status = {.struct_size = sizeof status};
    EQUAL(madang_sysv_shm_stat(handle, &status), 0);
    return status;
}

static madang_mapping *attached_with(uint32_t flags)
{
    madang_sysv_shm_attach_options options = {.struct_size = sizeof options, .flags = flags};
    madang_mapping *mapping = NULL;
    EQUAL(madang_sysv_shm_attach(segment, &options, &mapping), 0);
    return mapping;
}

/* Another process sees it by the bare calls, and the other way round. */
static void smoke(void)
{
    segment = opened((madang_sysv_shm_options){.size = 10000});
    EQUAL(madang_sysv_shm_is_new(segment), 1);
    madang_mapping *mapping;
    EQUAL(madang_sysv_shm_attach(segment, NULL, &mapping), 0);
    EQUAL(madang_mapping_size(mapping), 10000);
    EQUAL(madang_mapping_is_writable(mapping), 1);
    char *data = madang_mapping_data(mapping);
    for (int i = 0; i < 10000; i++)
        CHECK(data[i] == 0);
    strcpy(data + 9000, "hello");
    pid_t child = fork();
    if (child == 0) {
        char *raw = shmat(shmget(key(0), 0, 0), NULL, 0);
        CHECK(raw != (char *)-1 && strcmp(raw + 9000, "hello") == 0);
        strcpy(raw, "child");
        exit(EXIT_SUCCESS);
    }
    reap(child);
    CHECK(strcmp(data, "child") == 0);

    /* An attachment outlives the handle. */
    int id = madang_sysv_shm_id(segment);
    EQUAL(madang_sysv_shm_close(segment), 0);
    FAILS(madang_sysv_shm_id(segment), EBADF, "");
    strcpy(data, "still");
    EQUAL(madang_mapping_close(mapping), 0);
    EQUAL(madang_sysv_shm_from_id(id, &segment), 0);
    EQUAL(status_of(segment).attached, 0);
    EQUAL(madang_sysv_shm_unlink(key(0)), 0);
    FAILS(madang_sysv_shm_unlink(key(0)), ENOENT, "there is none of this key");
}

static void last_attachment(void)
{
    segment = opened((madang_sysv_shm_options){.size = 4096});
    madang_mapping *one = attached_with(0), *other = attached_with(0);
    CHECK(madang_mapping_data(one) != madang_mapping_data(other));
    EQUAL(status_of(segment).attached, 2);
    EQUAL(madang_sysv_shm_remove(segment), 0);
    madang_sysv_shm_status status = status_of(segment);
    CHECK(status.flags == MADANG_SYSV_REMOVED && status.attached == 2 && status.key == MADANG_SYSV_PRIVATE);
    CHECK(shmget(key(0), 0, 0) == -1);
    strcpy(madang_mapping_data(one), "both");
    EQUAL(madang_mapping_close(one), 0);
    CHECK(strcmp(madang_mapping_data(other), "both") == 0);
    EQUAL(madang_mapping_close(other), 0);
    FAILS(madang_sysv_shm_stat(segment, &status), EIDRM, "it was removed");
    FAILS(madang_sysv_shm_attach(segment, NULL, &one), EIDRM, "it was removed");
}

static void read_only(void)
{
    segment = opened((madang_sysv_shm_options){.size = 4096});
    madang_mapping *mapping = attached_with(MADANG_READ_ONLY);
    EQUAL(madang_mapping_is_writable(mapping), 0);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        *(volatile char *)madang_mapping_data(mapping) = 1;
        exit(EXIT_SUCCESS);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static void at_an_address(void)
{
    segment = opened((madang_sysv_shm_options){.size = 4096});
    madang_mapping *mapping = attached_with(0), *other;
    uintptr_t address = (uintptr_t)madang_mapping_data(mapping);
    madang_sysv_shm_attach_options options = {.struct_size = sizeof options, .address = address};
    FAILS(madang_sysv_shm_attach(segment, &options, &other), EINVAL, "something is mapped there");
    EQUAL(madang_mapping_close(mapping), 0);
    options.address = address + 1;
    FAILS(madang_sysv_shm_attach(segment, &options, &other), EINVAL, "not a multiple of the page size");
    options.flags = MADANG_ROUND;
    EQUAL(madang_sysv_shm_attach(segment, &options, &other), 0);
    CHECK((uintptr_t)madang_mapping_data(other) == address);
}

static void as_nobody(void)
{
    madang_mapping *mapping;
    madang_sysv_change change = {.struct_size = sizeof change, .flags = MADANG_SYSV_MODE, .mode = 0666};
    FAILS(madang_sysv_shm_attach(segment, NULL, &mapping), EACCES, "its mode does not permit it");
    mapping = attached_with(MADANG_READ_ONLY);
    FAILS(madang_sysv_shm_change(segment, &change), EPERM, "only its owner");
    FAILS(madang_sysv_shm_remove(segment), EPERM, "only its owner");
    FAILS(madang_sysv_shm_lock(segment), EPERM, "RLIMIT_MEMLOCK");
}

static void permissions(void)
{
    segment = opened((madang_sysv_shm_options){.size = 4096, .mode = 0604});
    EQUAL(status_of(segment).mode, 0604);
    as_user(NOBODY, as_nobody);
    madang_sysv_change change = {.struct_size = sizeof change, .flags = MADANG_SYSV_MODE, .mode = 0640, .uid = 7};
    EQUAL(madang_sysv_shm_change(segment, &change), 0);
    madang_sysv_shm_status status = status_of(segment);
    CHECK(status.mode == 0640 && status.uid == geteuid());
}

static void told(void)
{
    segment = opened((madang_sysv_shm_options){.size = 12345});
    EQUAL(madang_mapping_close(attached_with(0)), 0);
    EQUAL(madang_sysv_shm_lock(segment), 0);
    struct shmid_ds raw;
    EQUAL(shmctl(madang_sysv_shm_id(segment), IPC_STAT, &raw), 0);
    madang_sysv_shm_status status = status_of(segment);
    CHECK(status.key == key(0) && status.size == 12345 && status.flags == MADANG_SYSV_LOCKED && status.mode == 0600);
    CHECK(status.creator == getpid() && status.last_user == getpid() && status.attached == 0);
    CHECK(status.attached_at == raw.shm_atime && status.detached_at == raw.shm_dtime
          && status.changed_at == raw.shm_ctime && raw.shm_dtime != 0);
    EQUAL(madang_sysv_shm_unlock(segment), 0);
    EQUAL(status_of(segment).flags, 0);

    madang_sysv_shm_status all[256] = {{.struct_size = sizeof all[0]}};
    int64_t count = madang_sysv_shm_list(all, 256), found = 0;
    for (int64_t i = 0; i < count && i < 256; i++)
        found += all[i].key == key(0) && all[i].size == 12345;
    EQUAL(found, 1);
    madang_sysv_shm_limits limits = {.struct_size = sizeof limits};
    EQUAL(madang_sysv_shm_get_limits(&limits), 0);
    CHECK(limits.segments >= 1 && limits.pages >= 4 && limits.min_size == 1);
}

static void bad_input(void)
{
    FAILS(madang_sysv_shm_open(key(0), NULL, &segment), ENOENT, "to create it, give it a size");
    segment = opened((madang_sysv_shm_options){.size = 5000});
    madang_sysv_shm_options options = {.struct_size = sizeof options, .size = 5001};
    madang_sysv_shm *none;
    FAILS(madang_sysv_shm_open(key(0), &options, &none), EINVAL, "less than the 5001 bytes");
    options.size = UINT64_MAX;
    FAILS(madang_sysv_shm_open(key(1), &options, &none), EINVAL, "kernel.shmmax");
    options.size = 4096;
    options.huge_pages = 1 << 13;
    FAILS(madang_sysv_shm_open(key(1), &options, &none), EINVAL, "/sys/kernel/mm/hugepages");
    options.huge_pages = 0;
    options.flags = MADANG_READ_ONLY;
    FAILS(madang_sysv_shm_open(key(1), &options, &none), EINVAL, "it knows only MADANG_NO_RESERVE");
    options.flags = MADANG_NO_RESERVE;
    EQUAL(madang_sysv_shm_open(key(1), &options, &none), 0);
    EQUAL(madang_sysv_shm_remove(none), 0);
    FAILS(madang_sysv_shm_open(key(0), NULL, NULL), EFAULT, "segment is NULL");
    FAILS(madang_sysv_shm_attach(segment, NULL, NULL), EFAULT, "mapping is NULL");
    FAILS(madang_sysv_shm_attach(NULL, NULL, NULL), EFAULT, "segment is NULL");
    FAILS(madang_sysv_shm_stat(segment, NULL), EFAULT, "status is NULL");
    FAILS(madang_sysv_shm_from_id(-1, &none), EINVAL, "there is none of this identifier");
    FAILS(madang_sysv_shm_remove_id(-1), EINVAL, "there is none of this identifier");
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        CASE(smoke),       CASE(last_attachment), CASE(read_only), CASE(at_an_address),
        CASE(permissions), CASE(told),            CASE(bad_input),
    };
    return run_cases(cases, sizeof cases / sizeof cases[0], argc, argv);
}
