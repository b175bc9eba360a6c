/* Two processes in turn: the parent says ping, the child says pong, and two POSIX semaphores keep them in order. */
#include <madang.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* Who gives up in the end doesn't hang if the other one died. */
#define TEN_SECONDS 10000000000LL

/* Gives up with madang's words for what went wrong. */
static void must(int returned)
{
    if (returned < 0) {
        fprintf(stderr, "%s\n", madang_last_error());
        exit(EXIT_FAILURE);
    }
}

static void say(const char *what, madang_posix_sem *mine, madang_posix_sem *theirs)
{
    for (int round = 1; round <= 3; round++) {
        must(madang_posix_sem_wait(mine, 0, TEN_SECONDS));
        printf("%s %d\n", what, round);
        fflush(stdout);
        must(madang_posix_sem_post(theirs));
    }
}

int main(void)
{
    char ping_name[64], pong_name[64];
    madang_posix_sem_options first = {.struct_size = sizeof first, .value = 1};
    madang_posix_sem *ping, *pong;
    snprintf(ping_name, sizeof ping_name, "ping-%d", (int)getpid());
    snprintf(pong_name, sizeof pong_name, "pong-%d", (int)getpid());
    must(madang_posix_sem_open(ping_name, &first, &ping));
    must(madang_posix_sem_open(pong_name, NULL, &pong));

    pid_t pid = fork();
    if (pid == 0) {
        say("pong", pong, ping);
        return EXIT_SUCCESS;
    }
    say("ping", ping, pong);
    waitpid(pid, NULL, 0);
    must(madang_posix_sem_close(ping));
    must(madang_posix_sem_close(pong));
    must(madang_posix_sem_unlink(ping_name)); /* or they stay until the machine stops */
    must(madang_posix_sem_unlink(pong_name));
    return EXIT_SUCCESS;
}
