/* Messages by priority: a child sends orders over a POSIX message queue, and the parent receives the most urgent first. */
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

static void child(const char *name)
{
    madang_posix_mq *queue;
    must(madang_posix_mq_open(name, NULL, &queue));
    must(madang_posix_mq_send(queue, 1, "one coffee", 10, 0, -1));
    must(madang_posix_mq_send(queue, 5, "two teas", 8, 0, -1));
    must(madang_posix_mq_send(queue, 1, "a cake", 6, 0, -1));
    must(madang_posix_mq_send(queue, 9, "fire!", 5, 0, -1));
    must(madang_posix_mq_close(queue));
}

int main(void)
{
    madang_posix_mq_options options = {.struct_size = sizeof options, .max_messages = 4, .max_message_size = 100};
    madang_posix_mq *queue;
    char name[64], text[100];
    snprintf(name, sizeof name, "orders-%d", (int)getpid());
    must(madang_posix_mq_open(name, &options, &queue));

    pid_t pid = fork();
    if (pid == 0) {
        child(name);
        return EXIT_SUCCESS;
    }
    waitpid(pid, NULL, 0);
    for (int i = 0; i < 4; i++) {
        uint32_t priority;
        int64_t length = must(madang_posix_mq_recv(queue, text, sizeof text, 0, &priority, -1));
        printf("%u: %.*s\n", priority, (int)length, text);
    }
    must(madang_posix_mq_close(queue));
    must(madang_posix_mq_unlink(name)); /* or it stays until the machine stops */
    return EXIT_SUCCESS;
}
