/* The classic exercise: a child writes a greeting into shared memory, and the parent prints it. */
#include <madang.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Gives up with madang's words for what went wrong. */
static void must(int returned)
{
    if (returned < 0) {
        fprintf(stderr, "%s\n", madang_last_error());
        exit(EXIT_FAILURE);
    }
}

/* Opens it, or creates it, and maps all of it. */
static madang_mapping *map(const char *name, uint32_t flags)
{
    madang_posix_shm_options options = {.struct_size = sizeof options, .size = 4096};
    madang_posix_shm *object;
    madang_mapping *memory;
    must(madang_posix_shm_open(name, &options, &object));
    must(madang_posix_shm_map(object, 0, 0, flags, &memory));
    must(madang_posix_shm_close(object)); /* The mapping stays. */
    return memory;
}

int main(void)
{
    char name[64];
    snprintf(name, sizeof name, "greeting-%d", (int)getpid());
    madang_mapping *memory = map(name, MADANG_READ_ONLY);

    pid_t pid = fork();
    if (pid == 0) {
        strcpy(madang_mapping_data(map(name, 0)), "hello, parent");
        return EXIT_SUCCESS;
    }
    waitpid(pid, NULL, 0);
    printf("the child says: %s\n", (const char *)madang_mapping_data(memory));
    must(madang_mapping_close(memory));
    must(madang_posix_shm_unlink(name)); /* or it stays until the machine stops */
    return EXIT_SUCCESS;
}
