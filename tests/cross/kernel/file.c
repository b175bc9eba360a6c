/* count PATH, hold PATH, replace PATH: what file.rs says. Exits with 0 if all is as it should be. */
#define _POSIX_C_SOURCE 200809L
#include <madang.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const int64_t timeout = 30000000000;

static int count(const char *path)
{
    madang_file_options options = {.struct_size = sizeof options, .length = 8};
    madang_file *file;
    madang_mapping *mapping;
    if (madang_file_open(path, &options, &file) < 0 || madang_file_map(file, 0, 0, &mapping) < 0)
        return -1;
    volatile uint64_t *number = madang_mapping_data(mapping);
    for (int i = 0; i < 300; i++) {
        if (madang_file_lock(file, 0, 0, 0, i % 2 ? -1 : timeout) < 0)
            return -1;
        uint64_t old = *number;
        sched_yield();
        *number = old + 1;
        if (madang_file_unlock(file, 0, 0) < 0)
            return -1;
    }
    return madang_mapping_sync(mapping, 0, 0);
}

static int hold(const char *path)
{
    madang_file *file;
    int error = madang_file_open(path, NULL, &file);
    if (error == 0)
        error = madang_file_lock(file, 0, 10, MADANG_LOCK_SHARED, timeout);
    alarm(60);
    return error < 0 ? error : pause();
}

/* The lock lies beside the file: the two replace it one after the other, the second when the first was seen. */
static int replace(const char *path)
{
    char turn[4096], bytes[100];
    madang_file *file;
    madang_file_follow *seen;
    snprintf(turn, sizeof turn, "%s.turn", path);
    if (madang_file_open(turn, NULL, &file) < 0 || madang_file_lock(file, 0, 0, 0, timeout) < 0)
        return -1;
    snprintf(turn, sizeof turn, "%.*s/seen", (int)(strrchr(path, '/') - path), path);
    if (madang_file_replace(path, "C", 1, 0, MADANG_KEEP_MODE) < 0)
        return -1;
    while (madang_file_follow_open(turn, 0, &seen) < 0)
        sched_yield();
    for (;;) {
        int64_t length = madang_file_follow_read(seen, bytes, sizeof bytes, 0, timeout);
        if (length < 0)
            return (int)length;
        if (memchr(bytes, 'C', length))
            return 0;
    }
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    int (*task)(const char *) = argv[1][0] == 'c' ? count : argv[1][0] == 'h' ? hold : replace;
    if (task(argv[2]) == 0)
        return 0;
    fprintf(stderr, "%s: %s\n", argv[1], madang_last_error());
    return 1;
}
