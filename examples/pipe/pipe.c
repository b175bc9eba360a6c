/*
 * The classic exercise: a parent and a child over two pipes. The parent writes lines, the child answers each in upper case.
 *
 * The child is forked, and each process closes the ends that it doesn't use: or the end of the file would never be seen.
 */
#include <ctype.h>
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

/* Reads a line, without its end; whether there is one. One byte at a time, for simplicity. */
static int read_line(madang_pipe_reader *reader, char *line, size_t size)
{
    size_t length = 0;
    while (length + 1 < size && must(madang_pipe_read(reader, line + length, 1, 0, -1)) == 1) {
        if (line[length] == '\n') {
            line[length] = '\0';
            return 1;
        }
        length++;
    }
    return 0;
}

static void write_line(madang_pipe_writer *writer, const char *line)
{
    char text[256];
    int length = snprintf(text, sizeof text, "%s\n", line);
    must(madang_pipe_write_all(writer, text, length, NULL, 0, -1));
}

static void child(madang_pipe_reader *reader, madang_pipe_writer *writer)
{
    char line[256];
    while (read_line(reader, line, sizeof line)) {
        for (char *c = line; *c; c++)
            *c = toupper((unsigned char)*c);
        write_line(writer, line);
    }
}

int main(void)
{
    madang_pipe_reader *for_child, *from_child;
    madang_pipe_writer *to_child, *by_child;
    must(madang_pipe_open(NULL, &for_child, &to_child));
    must(madang_pipe_open(NULL, &from_child, &by_child));

    pid_t pid = fork();
    if (pid == 0) {
        madang_pipe_writer_close(to_child);
        madang_pipe_reader_close(from_child);
        child(for_child, by_child);
        exit(EXIT_SUCCESS);
    }
    madang_pipe_reader_close(for_child);
    madang_pipe_writer_close(by_child);

    static const char *const lines[] = {"hello", "how are you?", "goodbye"};
    for (int i = 0; i < 3; i++) {
        char answer[256];
        write_line(to_child, lines[i]);
        if (!read_line(from_child, answer, sizeof answer))
            return EXIT_FAILURE;
        printf("%s -> %s\n", lines[i], answer);
    }
    madang_pipe_writer_close(to_child); /* the end of the file */

    int status = -1;
    waitpid(pid, &status, 0);
    printf("the child ended: %s\n", status == 0 ? "true" : "false");
    madang_pipe_reader_close(from_child);
    return EXIT_SUCCESS;
}
