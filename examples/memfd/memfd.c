/*
 * Memory for a stranger: a parent fills a memfd, seals it, and hands it to a child. The child doesn't trust the parent: it
 * checks the seals, and knows then that nobody can change what it reads, or take it away.
 *
 * The child is forked, and has inherited the descriptor. Between strangers it would come over a Unix socket.
 */
#include <errno.h>
#include <madang.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Gives up with madang's words for what went wrong. */
static int64_t must(int64_t returned)
{
    if (returned < 0) {
        fprintf(stderr, "%s\n", madang_last_error());
        exit(EXIT_FAILURE);
    }
    return returned;
}

static void child(int fd)
{
    madang_memfd *memory;
    madang_mapping *mapping;
    /* -EPERM if it isn't sealed like that. */
    must(madang_memfd_from_fd(fd, MADANG_SEAL_WRITE | MADANG_SEAL_GROW, &memory));
    must(madang_memfd_map(memory, 0, 0, MADANG_READ_ONLY, &mapping));
    int length = (int)madang_mapping_size(mapping);
    printf("the child reads: %.*s\n", length, (const char *)madang_mapping_data(mapping));
    if (madang_memfd_map(memory, 0, 0, 0, &mapping) == -EPERM)
        printf("the child can't write\n");
}

int main(void)
{
    static const char text[] = "nobody can change this";
    madang_memfd_options options = {.struct_size = sizeof options, .size = sizeof text - 1};
    madang_memfd *memory;
    madang_mapping *mapping;
    int status;
    must(madang_memfd_create("letter", &options, &memory));
    must(madang_memfd_map(memory, 0, 0, 0, &mapping));
    memcpy(madang_mapping_data(mapping), text, sizeof text - 1);
    must(madang_mapping_close(mapping)); /* What is mapped to be written can't be sealed. */
    must(madang_memfd_seal(memory, MADANG_SEAL_SHRINK | MADANG_SEAL_GROW | MADANG_SEAL_WRITE | MADANG_SEAL_SEAL));

    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        child(dup(madang_memfd_fd(memory)));
        return EXIT_SUCCESS;
    }
    waitpid(pid, &status, 0);
    printf("the child ended %s\n", status == 0 ? "well" : "badly");
    must(madang_memfd_close(memory));
    return EXIT_SUCCESS;
}
