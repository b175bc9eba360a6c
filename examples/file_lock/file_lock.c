/*
 * Two processes update a counter in a file, under a lock, so that no update is lost. Then a report is written in one step, so that
 * nobody ever reads half of it.
 *
 * Here one process forks the other; they share nothing but the files' names.
 */
#include <inttypes.h>
#include <madang.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIMES 1000

/* Gives up with madang's words for what went wrong. */
static int64_t must(int64_t returned)
{
    if (returned < 0) {
        fprintf(stderr, "%s\n", madang_last_error());
        exit(EXIT_FAILURE);
    }
    return returned;
}

/* Adds 1 to the number in the file, again and again. */
static void count(void)
{
    madang_file_options options = {.struct_size = sizeof options, .length = sizeof(uint64_t)};
    madang_file *file;
    madang_mapping *mapping;
    must(madang_file_open("counter", &options, &file)); /* opens it, or makes it, of 8 zeroes */
    must(madang_file_map(file, 0, 0, &mapping));
    volatile uint64_t *number = madang_mapping_data(mapping);
    for (int i = 0; i < TIMES; i++) {
        must(madang_file_lock(file, 0, 0, 0, -1));
        *number = *number + 1;
        must(madang_file_unlock(file, 0, 0));
    }
    must(madang_mapping_sync(mapping, 0, 0)); /* safe from a power failure */
    madang_mapping_close(mapping);
    madang_file_close(file);
}

static uint64_t read_counter(void)
{
    uint64_t number = 0;
    FILE *file = fopen("counter", "rb");
    if (!file || fread(&number, sizeof number, 1, file) != 1)
        exit(EXIT_FAILURE);
    fclose(file);
    return number;
}

int main(void)
{
    pid_t other = fork();
    count();
    if (other == 0)
        return EXIT_SUCCESS;
    waitpid(other, NULL, 0);
    uint64_t total = read_counter();
    printf("two processes added %d each: %" PRIu64 "\n", TIMES, total);

    char text[100];
    int length = snprintf(text, sizeof text, "the counter is at %" PRIu64, total);
    must(madang_file_replace("report", text, length, 0, 0));
    FILE *report = fopen("report", "r");
    if (!report || !fgets(text, sizeof text, report))
        return EXIT_FAILURE;
    printf("the report says: %s\n", text);
    fclose(report);
    return EXIT_SUCCESS;
}
