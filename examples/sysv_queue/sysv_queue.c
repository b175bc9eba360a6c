/*
 * A System V message queue that is read by type: a child posts, the parent takes the letters first, then the rest by urgency.
 *
 * Both find the queue by a key that they make of the same path, here the working directory's.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <madang.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const int64_t SECOND = 1000000000;

/* Ends the program with what went wrong, if anything did. */
static int64_t check(int64_t result)
{
    if (result < 0) {
        fprintf(stderr, "%s\n", madang_last_error());
        exit(1);
    }
    return result;
}

static void child(int32_t key)
{
    static const struct {
        int64_t type;
        const char *text;
    } post[] = {{3, "a newspaper"}, {1, "a telegram"}, {2, "a letter"}, {1, "another telegram"}};
    madang_sysv_msg_options options = {.struct_size = sizeof options, .create = MADANG_CREATE_NEVER};
    madang_sysv_msg *queue;
    check(madang_sysv_msg_open(key, &options, &queue));
    for (int i = 0; i < 4; i++)
        check(madang_sysv_msg_send(queue, post[i].type, post[i].text, strlen(post[i].text), 0, -1));
    madang_sysv_msg_close(queue);
}

int main(void)
{
    /* The first of type 2; then, of the lowest type up to 9, the first; and so on. */
    static const int64_t select[] = {2, -9, -9, -9};
    madang_sysv_msg_options options = {.struct_size = sizeof options, .create = MADANG_CREATE_ONLY};
    madang_sysv_msg *queue;
    int32_t key;
    char text[100];
    int64_t type, length;

    check(madang_sysv_ftok(".", 'q', &key));
    check(madang_sysv_msg_open(key, &options, &queue));
    if (fork() == 0) {
        child(key);
        return 0;
    }
    wait(NULL);
    for (int i = 0; i < 4; i++) {
        length = check(madang_sysv_msg_recv(queue, select[i], text, sizeof text, 0, &type, 5 * SECOND));
        printf("type %d: %.*s\n", (int)type, (int)length, text);
    }
    if (madang_sysv_msg_recv(queue, 0, text, sizeof text, 0, &type, 0) == -EAGAIN)
        printf("nothing else came\n");
    check(madang_sysv_msg_remove(queue)); /* or it stays until the machine stops */
    check(madang_sysv_msg_close(queue));
    return 0;
}
