/* A filter: adds 1 to each byte on its way from standard input to standard output. Exits with the errno. */
#include <madang.h>
#include <stdio.h>

int main(void)
{
    const int64_t timeout = 30000000000;
    madang_pipe_reader *reader;
    madang_pipe_writer *writer;
    int error = madang_pipe_reader_from_fd(0, &reader);
    if (error == 0)
        error = madang_pipe_writer_from_fd(1, 0, &writer);
    while (error == 0) {
        unsigned char bytes[10000];
        int64_t length = madang_pipe_read(reader, bytes, sizeof bytes, 0, timeout);
        for (int64_t i = 0; i < length; i++)
            bytes[i]++;
        if (length == 0)
            return 0;
        error = length < 0 ? (int)length : madang_pipe_write_all(writer, bytes, length, NULL, 0, timeout);
    }
    fprintf(stderr, "%s\n", madang_last_error());
    return -error;
}
