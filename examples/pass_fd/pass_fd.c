/*
 * A file's descriptor is handed to another process, over a socket: a file that has no name any more, so that nobody could open it.
 *
 * The child is forked before there is a file, and so has inherited nothing of it.
 */
#define _POSIX_C_SOURCE 200809L
#include <fcntl.h>
#include <madang.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOON 0, 30000000000 /* no flags, 30 seconds */

/* Gives up with madang's words for what went wrong. */
static int64_t must(int64_t returned)
{
    if (returned < 0) {
        fprintf(stderr, "%s\n", madang_last_error());
        exit(EXIT_FAILURE);
    }
    return returned;
}

static void child(madang_socket *socket)
{
    char name[100], text[100];
    int fd;
    /* One descriptor is wanted; more would be closed. */
    int64_t length = must(madang_socket_recv_message(socket, name, sizeof name, &fd, 1, NULL, SOON));
    printf("child: I got \"%.*s\" and a descriptor\n", (int)length, name);
    length = read(fd, text, sizeof text);
    printf("child: in it stands: %.*s\n", (int)length, text);
    close(fd);
}

int main(void)
{
    madang_socket *ours, *theirs;
    must(madang_socket_pair(MADANG_SOCKET_STREAM, &ours, &theirs));
    pid_t pid = fork();
    if (pid == 0) {
        must(madang_socket_close(ours));
        child(theirs);
        return EXIT_SUCCESS;
    }
    must(madang_socket_close(theirs));

    static const char text[] = "Dear child, this file has no name any more.";
    int file = open("letter", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    unlink("letter");
    if (file < 0 || write(file, text, strlen(text)) < 0 || lseek(file, 0, SEEK_SET) < 0) {
        perror("letter");
        return EXIT_FAILURE;
    }
    must(madang_socket_send_message(ours, "a letter", 8, &file, 1, SOON));
    close(file); /* the child has its own copy */

    int status = -1;
    waitpid(pid, &status, 0);
    printf("parent: the child ended: %s\n", status == 0 ? "true" : "false");
    must(madang_socket_close(ours));
    return EXIT_SUCCESS;
}
