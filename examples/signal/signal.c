/*
 * A child waits for signals, instead of handling them; its parent sends them with values, to a descriptor that stands for the child.
 *
 * The child is forked, and inherits the mask: so none of the signals can come before it is blocked.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <madang.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOON 0, 30000000000 /* no flags, 30 seconds */

/* Gives up with madang's words for what went wrong. */
static int must(int returned)
{
    if (returned < 0) {
        fprintf(stderr, "%s\n", madang_last_error());
        exit(EXIT_FAILURE);
    }
    return returned;
}

static void child(int rt)
{
    uint64_t wanted = madang_signal_set(SIGUSR1) | madang_signal_set(rt);
    for (int i = 0; i < 3; i++) {
        madang_signal_info info = {.struct_size = sizeof info};
        must(madang_signal_wait(wanted, &info, SOON));
        printf("child: %s with %d, from my parent: %s\n", madang_signal_name(info.signal), info.value,
               info.pid == getppid() ? "true" : "false");
    }
    printf("child: %s\n", madang_signal_name(must(madang_signal_wait(madang_signal_set(SIGTERM), NULL, SOON))));
}

int main(void)
{
    int rt = must(madang_signal_rt(1));
    uint64_t before;
    must(madang_signal_block(madang_signal_set(SIGUSR1) | madang_signal_set(rt) | madang_signal_set(SIGTERM), &before));
    pid_t pid = fork();
    if (pid == 0) {
        child(rt);
        return EXIT_SUCCESS;
    }
    must(madang_signal_restore(before));

    madang_signal_process *process;
    must(madang_signal_process_open(pid, &process));
    must(madang_signal_process_queue(process, SIGUSR1, 7));
    must(madang_signal_process_queue(process, rt, 1)); /* real-time signals queue: both come */
    must(madang_signal_process_queue(process, rt, 2));
    must(madang_signal_process_send(process, SIGTERM));
    must(madang_signal_process_wait(process, SOON));
    waitpid(pid, NULL, 0);
    printf("parent: the child has ended\n");
    /* Whoever gets the child's pid next: this is not him. */
    if (madang_signal_process_send(process, SIGKILL) == -ESRCH)
        printf("parent: it can't be hit any more: ESRCH\n");
    must(madang_signal_process_close(process));
    return EXIT_SUCCESS;
}
