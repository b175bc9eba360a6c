/* Does one thing with the System V objects of a key; sysv.rs says what. */
#include <madang.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t PATIENCE = 30000000000;

static int failed(int64_t error)
{
    printf("error %d\n", (int)-error);
    return 0;
}

static int queue(const char *verb, int32_t key, char **words)
{
    madang_sysv_msg *queue;
    char text[8192];
    int64_t type, length;
    int64_t error = madang_sysv_msg_open(key, NULL, &queue);
    if (error < 0)
        return failed(error);
    if (strcmp(verb, "send") == 0) {
        error = madang_sysv_msg_send(queue, atoi(words[0]), words[1], strlen(words[1]), 0, PATIENCE);
        return error < 0 ? failed(error) : puts("sent") < 0;
    }
    length = madang_sysv_msg_recv(queue, atoi(words[0]), text, sizeof text, 0, &type, PATIENCE);
    if (length < 0)
        return failed(length);
    return printf("%d %.*s\n", (int)type, (int)length, text) < 0;
}

static int segment(const char *verb, int32_t key, char **words)
{
    madang_sysv_shm_options options = {.struct_size = sizeof options, .size = 10000};
    madang_sysv_shm *segment;
    madang_mapping *mapping;
    int error = madang_sysv_shm_open(key, &options, &segment);
    if (error == 0)
        error = madang_sysv_shm_attach(segment, NULL, &mapping);
    if (error < 0)
        return failed(error);
    char *at = (char *)madang_mapping_data(mapping) + atoi(words[0]);
    if (strcmp(verb, "read") == 0)
        return printf("%.*s\n", atoi(words[1]), at) < 0;
    if (atoi(words[0]) + strlen(words[1]) > madang_mapping_size(mapping))
        return failed(-22); /* EINVAL, as the other languages have it */
    memcpy(at, words[1], strlen(words[1]));
    return printf("new=%d\n", madang_sysv_shm_is_new(segment)) < 0;
}

static int set(const char *verb, int32_t key, char **words)
{
    madang_sysv_sem *set;
    uint16_t values[2];
    int creates = strcmp(verb, "set") == 0;
    if (creates) {
        values[0] = (uint16_t)atoi(words[0]);
        values[1] = (uint16_t)atoi(words[1]);
    }
    int error = madang_sysv_sem_open(key, creates ? values : NULL, creates ? 2 : 0, NULL, &set);
    if (error < 0)
        return failed(error);
    if (creates)
        return printf("new=%d\n", madang_sysv_sem_is_new(set)) < 0;
    if (strcmp(verb, "values") == 0) {
        int64_t count = madang_sysv_sem_values(set, values, 2);
        return count < 0 ? failed(count) : printf("%d %d\n", values[0], values[1]) < 0;
    }
    if (strcmp(verb, "take") == 0)
        error = madang_sysv_sem_acquire(set, (uint16_t)atoi(words[0]), 0, PATIENCE);
    else
        error = madang_sysv_sem_release(set, (uint16_t)atoi(words[0]));
    return error < 0 ? failed(error) : puts(strcmp(verb, "take") == 0 ? "taken" : "given") < 0;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    const char *verb = argv[1];
    int32_t key = (int32_t)strtol(argv[2], NULL, 10);
    if (strncmp(verb, "remove-", 7) == 0) {
        int error = strcmp(verb, "remove-queue") == 0     ? madang_sysv_msg_unlink(key)
                    : strcmp(verb, "remove-segment") == 0 ? madang_sysv_shm_unlink(key)
                                                          : madang_sysv_sem_unlink(key);
        return error < 0 ? failed(error) : puts("removed") < 0;
    }
    if (strcmp(verb, "send") == 0 || strcmp(verb, "recv") == 0)
        return queue(verb, key, argv + 3);
    if (strcmp(verb, "write") == 0 || strcmp(verb, "read") == 0)
        return segment(verb, key, argv + 3);
    return set(verb, key, argv + 3);
}
