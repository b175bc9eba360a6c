/* send PATH, recv PATH, talk PATH: what fifo.rs says. Exits with 0 if all is as it should be. */
#include <madang.h>
#include <stdio.h>
#include <string.h>

#define LENGTH 200000

static const int64_t timeout = 30000000000;

static int send_it(const char *path)
{
    static unsigned char bytes[LENGTH];
    madang_pipe_writer *writer;
    for (int i = 0; i < LENGTH; i++)
        bytes[i] = i * 7 % 251;
    int error = madang_fifo_open_writer(path, NULL, &writer, 0, timeout);
    return error == 0 ? madang_pipe_write_all(writer, bytes, LENGTH, NULL, 0, timeout) : error;
}

static int recv_it(const char *path)
{
    static unsigned char bytes[LENGTH + 1];
    madang_pipe_reader *reader;
    int error = madang_fifo_open_reader(path, NULL, &reader, 0, timeout);
    if (error < 0)
        return error;
    int64_t length = madang_pipe_read_exact(reader, bytes, sizeof bytes, NULL, 0, timeout);
    for (int i = 0; i < LENGTH; i++)
        if (bytes[i] != i * 7 % 251)
            return -1;
    return length == LENGTH ? 0 : -1;
}

static int talk(const char *path)
{
    char said[5];
    madang_pipe_reader *reader;
    madang_pipe_writer *writer;
    int side = madang_fifo_open_channel(path, NULL, &reader, &writer, 0, timeout);
    if (side < 0 || madang_pipe_write_all(writer, side == 1 ? "first" : "other", 5, NULL, 0, timeout) < 0
        || madang_pipe_read_exact(reader, said, 5, NULL, 0, timeout) != 5)
        return -1;
    return memcmp(said, side == 1 ? "other" : "first", 5);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    int (*task)(const char *) = argv[1][0] == 's' ? send_it : argv[1][0] == 'r' ? recv_it : talk;
    if (task(argv[2]) == 0)
        return 0;
    fprintf(stderr, "%s: %s\n", argv[1], madang_last_error());
    return 1;
}
