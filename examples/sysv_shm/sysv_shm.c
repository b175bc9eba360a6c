/*
 * System V shared memory: a child writes a greeting, which the parent prints.
 *
 * The segment has no key: the child inherits its identifier, and could inherit what is attached as well. It is removed
 * as soon as nobody new will come, and so goes with the last attachment, however the processes end.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <madang.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Ends the program with what went wrong, if anything did. */
static int64_t check(int64_t result)
{
    if (result < 0) {
        fprintf(stderr, "%s\n", madang_last_error());
        exit(1);
    }
    return result;
}

static void child(int id)
{
    madang_sysv_shm *segment;
    madang_mapping *memory;
    check(madang_sysv_shm_from_id(id, &segment));
    check(madang_sysv_shm_attach(segment, NULL, &memory));
    strcpy(madang_mapping_data(memory), "hello from the child");
    madang_mapping_close(memory);
    madang_sysv_shm_close(segment);
}

int main(void)
{
    madang_sysv_shm_options options = {.struct_size = sizeof options, .size = 4096};
    madang_sysv_shm_status status = {.struct_size = sizeof status};
    madang_sysv_shm *segment;
    madang_mapping *memory;

    check(madang_sysv_shm_open(MADANG_SYSV_PRIVATE, &options, &segment));
    check(madang_sysv_shm_attach(segment, NULL, &memory));
    check(madang_sysv_shm_stat(segment, &status));
    printf("attached: %d\n", (int)status.attached);
    fflush(stdout);
    if (fork() == 0) {
        child((int)check(madang_sysv_shm_id(segment)));
        return 0;
    }
    wait(NULL);
    check(madang_sysv_shm_remove(segment));

    /* It is there as long as somebody has it attached. */
    printf("the child wrote: %s\n", (char *)madang_mapping_data(memory));
    check(madang_mapping_close(memory));
    if (madang_sysv_shm_stat(segment, &status) == -EIDRM)
        printf("the segment is gone\n");
    check(madang_sysv_shm_close(segment));
    return 0;
}
