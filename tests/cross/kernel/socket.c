/* The server and the client of socket.rs, in C: socket serve ADDRESS; socket ask ADDRESS FILE. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <madang.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SOON 0, 20000000000
#define MUCH 1000000

static char much[MUCH], room[MUCH];

static int64_t must(int64_t returned)
{
    if (returned < 0) {
        fprintf(stderr, "%s\n", madang_last_error());
        exit(EXIT_FAILURE);
    }
    return returned;
}

static void serve(const char *address)
{
    madang_socket_listener *listener;
    madang_socket *socket;
    must(madang_socket_listener_open(address, NULL, &listener));
    printf("%s\n", madang_socket_listener_address(listener));
    fflush(stdout);
    must(madang_socket_accept(listener, SOON, &socket));
    must(madang_socket_pass_credentials(socket, 1));
    must(madang_socket_send_message(socket, "welcome", 7, NULL, 0, SOON));

    char text[100], content[100], answer[300];
    int fd, ends[2];
    madang_socket_message message = {.struct_size = sizeof message};
    int64_t length = must(madang_socket_recv_message(socket, text, sizeof text, &fd, 1, &message, SOON));
    int64_t read_length = must(read(fd, content, sizeof content));
    int answer_length = snprintf(answer, sizeof answer, "%.*s, %.*s, %d", (int)length, text, (int)read_length, content,
                                 message.pid);
    must(pipe(ends));
    must(write(ends[1], "from the server", 15));
    must(madang_socket_send_message(socket, answer, answer_length, ends, 1, SOON));

    length = must(madang_socket_recv_message(socket, room, sizeof room, NULL, 0, NULL, SOON));
    must(madang_socket_send_message(socket, room, length, NULL, 0, SOON));
    if (madang_socket_recv_message(socket, room, sizeof room, NULL, 0, NULL, SOON) >= 0)
        exit(EXIT_FAILURE);
    must(madang_socket_listener_close(listener));
}

static void ask(const char *address, const char *path)
{
    madang_socket *socket;
    char text[300], content[100];
    int fd = open(path, O_RDONLY);
    must(fd);
    must(madang_socket_connect(address, SOON, &socket));
    must(madang_socket_recv_message(socket, text, sizeof text, NULL, 0, NULL, SOON));
    must(madang_socket_send_message(socket, "two teas", 8, &fd, 1, SOON));
    int64_t length = must(madang_socket_recv_message(socket, text, sizeof text, &fd, 1, NULL, SOON));
    int64_t read_length = must(read(fd, content, sizeof content));
    for (int i = 0; i < MUCH; i++)
        much[i] = i % 251;
    must(madang_socket_send_message(socket, much, MUCH, NULL, 0, SOON));
    int64_t came = must(madang_socket_recv_message(socket, room, MUCH, NULL, 0, NULL, SOON));
    printf("%.*s, %.*s, %d\n", (int)length, text, (int)read_length, content,
           came == MUCH && memcmp(much, room, MUCH) == 0);
}

int main(int argc, char **argv)
{
    if (argc == 3)
        serve(argv[2]);
    else
        ask(argv[2], argv[3]);
    return 0;
}
