/*
 * An echo server and its client over a Unix socket, by whole messages: of any length, also empty, however the bytes arrive.
 *
 * The client is a forked child. There is no file of the socket left in the end.
 */
#include <errno.h>
#include <madang.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ADDRESS "unix:echo.sock"
#define MUCH 1000000
#define SOON 0, 30000000000 /* no flags, 30 seconds */

static char much[MUCH], room[MUCH];

/* Gives up with madang's words for what went wrong. */
static int64_t must(int64_t returned)
{
    if (returned < 0) {
        fprintf(stderr, "%s\n", madang_last_error());
        exit(EXIT_FAILURE);
    }
    return returned;
}

static void show(const char *before, const char *message, int64_t length, const char *after)
{
    if (length > 0 && length <= 80)
        printf("%s%.*s%s", before, (int)length, message, after);
    else
        printf("%s(%d bytes)%s", before, (int)length, after);
}

static void ask(madang_socket *socket, const char *message, size_t length)
{
    must(madang_socket_send_message(socket, message, length, NULL, 0, SOON));
    int64_t came = must(madang_socket_recv_message(socket, room, sizeof room, NULL, 0, NULL, SOON));
    show("client: ", message, length, " -> ");
    show("", room, came, "\n");
}

static void client(void)
{
    madang_socket *socket;
    must(madang_socket_connect(ADDRESS, SOON, &socket));
    ask(socket, "two teas", strlen("two teas"));
    ask(socket, "", 0);
    ask(socket, much, sizeof much);
    must(madang_socket_close(socket));
}

static void serve(madang_socket *socket)
{
    for (;;) {
        int64_t length = madang_socket_recv_message(socket, room, sizeof room, NULL, 0, NULL, 0, -1);
        if (length == -ENODATA) /* the end */
            return;
        must(length);
        must(madang_socket_send_message(socket, room, length, NULL, 0, 0, -1));
    }
}

int main(void)
{
    madang_socket_listener *listener;
    madang_socket *socket;
    must(madang_socket_listener_open(ADDRESS, NULL, &listener)); /* from now on clients may connect */
    pid_t child = fork();
    if (child == 0) {
        client();
        return EXIT_SUCCESS;
    }
    must(madang_socket_accept(listener, SOON, &socket));
    serve(socket);
    waitpid(child, NULL, 0);
    printf("server: the client has gone\n");
    must(madang_socket_close(socket));
    must(madang_socket_listener_close(listener));
    return EXIT_SUCCESS;
}
