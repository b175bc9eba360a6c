/* posix.rs says what this does. */
#define _GNU_SOURCE
#include <madang.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE 30000000000LL

static int64_t ok(int64_t returned)
{
    if (returned < 0) {
        fprintf(stderr, "%s\n", madang_last_error());
        exit(EXIT_FAILURE);
    }
    return returned;
}

static madang_posix_mq *open_mq(const char *name)
{
    madang_posix_mq_options options = {
        .struct_size = sizeof options, .max_messages = 4, .max_message_size = 64, .mode = 0640};
    madang_posix_mq *queue;
    ok(madang_posix_mq_open(name, &options, &queue));
    return queue;
}

static madang_posix_shm *open_shm(const char *name, uint64_t size, uint32_t flags)
{
    madang_posix_shm_options options = {.struct_size = sizeof options, .size = size, .flags = flags, .mode = 0640};
    madang_posix_shm *object;
    ok(madang_posix_shm_open(name, &options, &object));
    return object;
}

static madang_mapping *map(madang_posix_shm *object, uint32_t flags)
{
    madang_mapping *mapping;
    ok(madang_posix_shm_map(object, 0, 0, flags, &mapping));
    return mapping;
}

static madang_posix_sem *open_sem(const char *name, uint32_t value)
{
    madang_posix_sem_options options = {.struct_size = sizeof options, .value = value, .mode = 0640};
    madang_posix_sem *semaphore;
    ok(madang_posix_sem_open(name, &options, &semaphore));
    return semaphore;
}

static madang_posix_sem *unnamed(const char *name, const char *offset)
{
    madang_posix_sem *semaphore;
    ok(madang_posix_sem_at(map(open_shm(name, 0, 0), 0), strtoul(offset, NULL, 10), &semaphore));
    return semaphore;
}

static void post(madang_posix_sem *semaphore)
{
    ok(madang_posix_sem_post(semaphore));
    printf("%d\n", (int)ok(madang_posix_sem_value(semaphore)));
}

static void wait_for(madang_posix_sem *semaphore)
{
    ok(madang_posix_sem_wait(semaphore, 0, PATIENCE));
    printf("%d\n", (int)ok(madang_posix_sem_value(semaphore)));
}

static void make_memfd(const char *text)
{
    madang_memfd_options options = {.struct_size = sizeof options, .size = 4096};
    madang_memfd *memfd;
    madang_mapping *mapping;
    ok(madang_memfd_create("cross", &options, &memfd));
    ok(madang_memfd_map(memfd, 0, 0, 0, &mapping));
    strcpy(madang_mapping_data(mapping), text);
    ok(madang_mapping_close(mapping));
    ok(madang_memfd_seal(memfd, MADANG_SEAL_SHRINK | MADANG_SEAL_GROW | MADANG_SEAL_WRITE));
    printf("%d %d\n", (int)getpid(), madang_memfd_fd(memfd));
    fflush(stdout);
    while (getchar() != EOF)
        ;
}

static void read_memfd(void)
{
    madang_memfd *memfd;
    madang_mapping *mapping;
    int error = madang_memfd_from_fd(0, MADANG_SEAL_GROW | MADANG_SEAL_WRITE, &memfd);
    if (error < 0) {
        printf("%d\n", -error);
        return;
    }
    ok(madang_memfd_map(memfd, 0, 0, MADANG_READ_ONLY, &mapping));
    printf("%s\n", (char *)madang_mapping_data(mapping));
}

int main(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "", *name = argc > 2 ? argv[2] : "", *third = argc > 3 ? argv[3] : "";
    const char *fourth = argc > 4 ? argv[4] : "";
    alarm(60);
    if (strcmp(verb, "mq-send") == 0) {
        ok(madang_posix_mq_send(open_mq(name), strtoul(third, NULL, 10), fourth, strlen(fourth), 0, PATIENCE));
    } else if (strcmp(verb, "mq-recv") == 0) {
        char text[64];
        uint32_t priority;
        int64_t length = ok(madang_posix_mq_recv(open_mq(name), text, sizeof text, 0, &priority, PATIENCE));
        printf("%u %.*s\n", priority, (int)length, text);
    } else if (strcmp(verb, "mq-unlink") == 0) {
        ok(madang_posix_mq_unlink(name));
    } else if (strcmp(verb, "shm-write") == 0) {
        strcpy(madang_mapping_data(map(open_shm(name, 4096, 0), 0)), third);
    } else if (strcmp(verb, "shm-read") == 0) {
        printf("%s\n", (char *)madang_mapping_data(map(open_shm(name, 0, MADANG_READ_ONLY), MADANG_READ_ONLY)));
    } else if (strcmp(verb, "shm-size") == 0) {
        madang_posix_shm *object = open_shm(name, 0, 0);
        madang_posix_shm_status status = {.struct_size = sizeof status};
        ok(madang_posix_shm_stat(object, &status));
        ok(madang_posix_shm_set_size(object, strtoull(third, NULL, 10)));
        printf("%llu\n", (unsigned long long)status.size);
    } else if (strcmp(verb, "shm-unlink") == 0) {
        ok(madang_posix_shm_unlink(name));
    } else if (strcmp(verb, "sem-make") == 0) {
        open_sem(name, strtoul(third, NULL, 10));
    } else if (strcmp(verb, "sem-post") == 0) {
        post(open_sem(name, 0));
    } else if (strcmp(verb, "sem-wait") == 0) {
        wait_for(open_sem(name, 0));
    } else if (strcmp(verb, "sem-unlink") == 0) {
        ok(madang_posix_sem_unlink(name));
    } else if (strcmp(verb, "init") == 0) {
        madang_posix_sem *semaphore;
        ok(madang_posix_sem_init(map(open_shm(name, 4096, 0), 0), strtoul(third, NULL, 10),
                                 strtoul(fourth, NULL, 10), &semaphore));
    } else if (strcmp(verb, "post") == 0) {
        post(unnamed(name, third));
    } else if (strcmp(verb, "wait") == 0) {
        wait_for(unnamed(name, third));
    } else if (strcmp(verb, "memfd-make") == 0) {
        make_memfd(name);
    } else if (strcmp(verb, "memfd-read") == 0) {
        read_memfd();
    } else {
        fprintf(stderr, "what is %s?\n", verb);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
