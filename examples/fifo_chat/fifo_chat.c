/*
 * The classic exercise: two processes chat over two FIFOs. Both open the same channel; who comes first is Ann, and begins.
 *
 * Here one forks the other, for there must be two; but they share nothing but the channel's name.
 */
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

/* Prints what the other says. They take turns, and what is short is written whole: so one read is one message. */
static void hear(const char *name, madang_pipe_reader *reader)
{
    char bytes[MADANG_PIPE_BUF];
    int64_t length = must(madang_pipe_read(reader, bytes, sizeof bytes, 0, -1));
    if (length == 0)
        printf("%s: the other has left\n", name);
    else
        printf("%s hears: %.*s\n", name, (int)length, bytes);
    fflush(stdout);
}

static void chat(void)
{
    static const char *const anns[] = {"Is anybody there?", "Tea at four?", "See you.", NULL};
    static const char *const bobs[] = {"Yes, Bob.", "With pleasure.", NULL};
    madang_pipe_reader *reader;
    madang_pipe_writer *writer;
    int is_first = must(madang_fifo_open_channel("chat", NULL, &reader, &writer, 0, 30000000000)) == 1;
    const char *name = is_first ? "Ann" : "Bob";

    if (!is_first)
        hear(name, reader);
    for (const char *const *line = is_first ? anns : bobs; *line; line++) {
        must(madang_pipe_write_all(writer, *line, strlen(*line), NULL, 0, -1));
        hear(name, reader);
    }
    madang_pipe_writer_close(writer);
    madang_pipe_reader_close(reader);
}

int main(void)
{
    pid_t other = fork();
    chat();
    if (other > 0) {
        waitpid(other, NULL, 0);
        must(madang_fifo_remove_channel("chat")); /* it persists until it is removed */
    }
    return EXIT_SUCCESS;
}
