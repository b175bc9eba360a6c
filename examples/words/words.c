/*
 * words: which words are the most frequent in a text? The coordinator of the demo.
 *
 *     words [-k] [-o COUNTS] FILE WORKER...
 *
 * With -k it kills the first worker half-way, by SIGKILL, and nothing is counted too little or twice.
 * It makes two queues, starts every WORKER (a program: WORKER LINES ANSWERS NUMBER), sends each line of FILE as one
 * message by the first queue, and merges what the workers answer by the second. What travels is described in README.md.
 *
 * Nobody is waited for without a look around: each wait lasts a tick at most, then signals and workers are looked after
 * and the progress bar is drawn. However it ends, no queue and no worker is left behind: the names are taken away as
 * soon as every worker has opened the queues, which live on without them; and the kernel ends the workers with us.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "madang.h"

/* A line's type is its first byte; an empty one, or one that begins with a zero byte (no type is 0), has this. */
#define EMPTY_LINE 1
/* The type that ends the input; no byte has it. Each living worker takes one. */
#define STOP 256

/* The most bytes that the queue of lines holds; also the longest message. */
#define CAPACITY ((size_t)4 << 20)
#define LONGEST_LINE (CAPACITY - ((size_t)64 << 10))
/* An answer is sent when it has 32 KiB, so it may be as long as that and one line's counts more. */
#define ANSWERS_CAPACITY (2 * CAPACITY)
#define READ_AT_ONCE ((size_t)256 << 10)

#define MOST_WORKERS 16
#define SHOWN 20
#define TICK_NS INT64_C(100000000)
/* The clock is read once for so many lines. */
#define LINES_PER_LOOK 256
/* In a text that is no plain file the first worker is killed after so many bytes. */
#define KILL_AFTER ((uint64_t)1 << 20)

struct worker {
    const char *program;
    pid_t pid;
    bool ready;     /* it said hello */
    bool done;      /* it sent its last answer */
    bool gone;      /* it ended by itself */
    bool killed;    /* by us, as a trial */
    uint64_t taken; /* lines, of those that counted */
    char name[64];
};

static struct worker workers[MOST_WORKERS];
static int worker_count;

/* 'names_stand': there may be queues to unlink. */
static char lines_name[64], answers_name[64];
static bool names_stand;
static madang_queue *lines, *answers;

/* The stops are on their way: from here on a worker may end. */
static bool stopping;

/* Whether the first worker is to be killed. */
static bool trial;

static volatile sig_atomic_t signalled;

/* Of the file's 'size' bytes (0: nobody knows, it is no plain file) so many have been sent. */
static struct {
    bool shown;
    uint64_t size, bytes, lines;
} progress;

/* Which lines were counted, by their sequence; and how many answers came for lines that were handed out again, or counted before. */
static struct {
    unsigned char *bits;
    uint64_t room, lines, again, repeats;
} counted;

/* Ending ---------------------------------------------------------------------------------------------------------- */

static void unlink_queues(void)
{
    if (names_stand) {
        madang_queue_unlink(lines_name);
        madang_queue_unlink(answers_name);
    }
    names_stand = false;
}

static void clear_bar(void)
{
    if (progress.shown) {
        fputs("\r\033[K", stderr);
    }
}

/* SIGKILL, for a stopped worker would hear nothing else; madang's queues stand it. */
static void leave_nothing(void)
{
    clear_bar();
    for (int i = 0; i < worker_count; i++) {
        if (workers[i].pid > 0 && !workers[i].gone) {
            kill(workers[i].pid, SIGKILL);
            waitpid(workers[i].pid, NULL, 0);
        }
    }
    unlink_queues();
}

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...)
{
    va_list arguments;

    leave_nothing();
    fputs("words: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(EXIT_FAILURE);
}

static void *allocated(void *memory)
{
    if (memory == NULL) {
        fail("no memory");
    }
    return memory;
}

static void on_signal(int number)
{
    signalled = number;
}

static void catch_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART: a wait ends with EINTR */

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        sigaction(numbers[i], &action, NULL);
    }
}

/* Dies of the signal that came, as the shell expects. */
static void end_if_signalled(void)
{
    if (signalled) {
        leave_nothing();
        signal(signalled, SIG_DFL);
        raise(signalled);
    }
}

/* Looking around -------------------------------------------------------------------------------------------------- */

static int64_t now_ns(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static void draw_bar(void)
{
    static const char full[] = "##############################", empty[] = "..............................";
    const int width = sizeof full - 1;
    double part;
    int filled;

    if (!progress.shown) {
        return;
    }
    part = (double)progress.bytes / (double)progress.size;
    part = part > 1 ? 1 : part; /* the file may have grown */
    filled = (int)(part * width);
    fprintf(stderr, "\r[%.*s%.*s] %3.0f %%  %.1f of %.1f MB, %" PRIu64 " lines\033[K", filled, full, width - filled,
            empty, part * 100, (double)progress.bytes / 1e6, (double)progress.size / 1e6, progress.lines);
    fflush(stderr);
}

/* A worker that fails, or ends before it may, ends the demo. */
static void look_after(struct worker *worker)
{
    int number = (int)(worker - workers) + 1, status = 0;

    if (worker->gone || waitpid(worker->pid, &status, WNOHANG) != worker->pid) {
        return;
    }
    worker->gone = true;
    if (WIFSIGNALED(status) && !worker->killed) {
        fail("worker %d (%s) was killed by signal %d: %s", number, worker->program, WTERMSIG(status),
             strsignal(WTERMSIG(status)));
    }
    if (!worker->killed && WEXITSTATUS(status) != 0) {
        fail("worker %d (%s) ended with status %d", number, worker->program, WEXITSTATUS(status));
    }
    if (!stopping && !worker->killed) {
        fail("worker %d (%s) ended before the input did", number, worker->program);
    }
}

static void look_around(void)
{
    end_if_signalled();
    for (int i = 0; i < worker_count; i++) {
        look_after(&workers[i]);
    }
    draw_bar();
}

/* The queues ------------------------------------------------------------------------------------------------------ */

static madang_queue *make_queue(char name[64], const char *what, size_t capacity)
{
    madang_queue_options options = {
        .struct_size = sizeof options,
        .capacity = capacity,
        .create = MADANG_CREATE_ONLY,
    };
    madang_queue *queue = NULL;

    snprintf(name, 64, "words-%ld-%s", (long)getpid(), what);
    if (madang_queue_open(name, &options, &queue) < 0) {
        fail("%s", madang_last_error());
    }
    return queue;
}

/* There is no answer: who ended before this was found will send none. */
static void check_answered(void)
{
    for (int i = 0; i < worker_count; i++) {
        if (workers[i].gone && !workers[i].done && !workers[i].killed) {
            fail("worker %d (%s) ended before its last answer", i + 1, workers[i].program);
        }
    }
}

/* Waits for an answer; returns its length, and the worker who sent it; or 0 if none came for so long. */
static size_t receive_answer(char *buffer, struct worker **worker, int64_t timeout_ns)
{
    madang_message message = {.struct_size = sizeof message};
    int64_t length = madang_queue_recv(answers, 0, buffer, ANSWERS_CAPACITY, 0, &message, timeout_ns);

    if (length == -EAGAIN || length == -ETIMEDOUT || length == -EINTR) {
        return 0;
    }
    if (length < 0) {
        fail("%s", madang_last_error());
    }
    if (message.type > worker_count) {
        fail("an answer came from worker %" PRId64 ", who does not exist", message.type);
    }
    *worker = &workers[message.type - 1];
    return (size_t)length;
}

/* The workers ----------------------------------------------------------------------------------------------------- */

/* In the child: becomes the worker. Ctrl-C is our affair, not the worker's; and it ends with us, however that comes. */
__attribute__((noreturn)) static void become_worker(const char *program, int number, pid_t parent)
{
    char text[16];

    signal(SIGINT, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(EXIT_FAILURE); /* we ended before that was arranged */
    }
    snprintf(text, sizeof text, "%d", number);
    execlp(program, program, lines_name, answers_name, text, (char *)NULL);
    fprintf(stderr, "words: %s can't be started: %s\n", program, strerror(errno));
    _exit(127);
}

static void start_workers(char **programs, int count)
{
    pid_t self = getpid();

    fflush(NULL);
    for (int i = 0; i < count; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            become_worker(programs[i], i + 1, self);
        }
        if (pid < 0) {
            fail("fork: %s", strerror(errno));
        }
        workers[i] = (struct worker){.program = programs[i], .pid = pid};
        worker_count = i + 1;
    }
}

/* After its last answer a worker has nothing left to do but end. */
static void await_end(struct worker *worker)
{
    while (!worker->gone) {
        look_around();
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

/* The counts: a hash table with open addressing ------------------------------------------------------------------- */

struct entry {
    char *word; /* NULL: nothing here */
    size_t length;
    uint64_t hash, count;
};

static struct {
    struct entry *entries;
    size_t size, used; /* size: a power of two, at least twice 'used' */
} table;

static uint64_t hash_of(const char *word, size_t length) /* FNV-1a */
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < length; i++) {
        hash = (hash ^ (unsigned char)word[i]) * UINT64_C(1099511628211);
    }
    return hash;
}

static struct entry *find(const char *word, size_t length, uint64_t hash)
{
    size_t at = hash & (table.size - 1);

    for (;; at = (at + 1) & (table.size - 1)) {
        struct entry *entry = &table.entries[at];
        bool same = entry->hash == hash && entry->length == length;
        if (entry->word == NULL || (same && memcmp(entry->word, word, length) == 0)) {
            return entry;
        }
    }
}

static void grow(void)
{
    struct entry *old = table.entries;
    size_t old_size = table.size;

    table.size = old_size == 0 ? 1 << 16 : old_size * 2;
    table.entries = allocated(calloc(table.size, sizeof *table.entries));
    for (size_t i = 0; i < old_size; i++) {
        if (old[i].word != NULL) {
            *find(old[i].word, old[i].length, old[i].hash) = old[i];
        }
    }
    free(old);
}

static void add(const char *word, size_t length, uint64_t count)
{
    uint64_t hash = hash_of(word, length);
    struct entry *entry;

    if (table.used * 2 >= table.size) {
        grow();
    }
    entry = find(word, length, hash);
    if (entry->word == NULL) {
        char *copy = allocated(malloc(length + 1));
        memcpy(copy, word, length);
        copy[length] = '\0';
        *entry = (struct entry){.word = copy, .length = length, .hash = hash};
        table.used++;
    }
    entry->count += count;
}

/* More frequent ones first, then by the bytes. */
static int by_count(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;

    if (a->count != b->count) {
        return a->count < b->count ? 1 : -1;
    }
    return strcmp(a->word, b->word);
}

/* Afterwards the entries are a sorted list of table.used words; nothing can be added any more. */
static void sort_counts(void)
{
    size_t kept = 0;

    for (size_t i = 0; i < table.size; i++) {
        if (table.entries[i].word != NULL) {
            table.entries[kept++] = table.entries[i];
        }
    }
    if (kept > 0) {
        qsort(table.entries, kept, sizeof *table.entries, by_count);
    }
}

/* As `uniq -c` writes them. */
static void write_counts(FILE *file, size_t most)
{
    for (size_t i = 0; i < table.used && i < most; i++) {
        fprintf(file, "%7" PRIu64 " %s\n", table.entries[i].count, table.entries[i].word);
    }
}

/* What the workers say -------------------------------------------------------------------------------------------- */

/* Whether what follows is to be counted: the first answer for that line is. */
static bool is_new(uint64_t sequence)
{
    if (sequence / 8 >= counted.room) {
        uint64_t room = (sequence / 8 + 1) * 2;
        counted.bits = allocated(realloc(counted.bits, room));
        memset(counted.bits + counted.room, 0, room - counted.room);
        counted.room = room;
    }
    if (counted.bits[sequence / 8] >> sequence % 8 & 1) {
        counted.repeats++;
        return false;
    }
    counted.bits[sequence / 8] |= (unsigned char)(1 << sequence % 8);
    counted.lines++;
    return true;
}

/*
 * One line of an answer, which ends with a zero byte: "hello NAME", "done", "line SEQUENCE REDELIVERED", or, of the line that was named
 * last, "COUNT WORD". 'fresh': whether that one is counted.
 */
static bool hear(struct worker *worker, char *line, size_t length, bool fresh)
{
    char *end = line;
    uint64_t count;

    if (strncmp(line, "line ", 5) == 0) {
        fresh = is_new(strtoull(line + 5, &end, 10));
        counted.again += *end == ' ' && end[1] != '0';
        worker->taken += fresh;
        return fresh;
    }
    if (strncmp(line, "hello ", 6) == 0) {
        snprintf(worker->name, sizeof worker->name, "%s", line + 6);
        worker->ready = true;
        return false;
    }
    if (strcmp(line, "done") == 0) {
        worker->done = true;
        return false;
    }
    count = strtoull(line, &end, 10);
    if (end == line || *end != ' ' || end[1] == '\0') {
        fail("worker %d said what is no answer: %.60s", (int)(worker - workers) + 1, line);
    }
    end++;
    if (fresh) {
        add(end, length - (size_t)(end - line), count);
    }
    return fresh;
}

/* Hears one answer; false if none came for so long. */
static bool hear_answer(char *buffer, int64_t timeout_ns)
{
    struct worker *worker = NULL;
    size_t length = receive_answer(buffer, &worker, timeout_ns);
    char *end = buffer + length, *newline;
    bool fresh = false;

    for (char *line = buffer; line < end; line = newline + 1) {
        newline = memchr(line, '\n', (size_t)(end - line));
        if (newline == NULL) {
            fail("worker %d sent an answer without an end", (int)(worker - workers) + 1);
        }
        *newline = '\0';
        fresh = hear(worker, line, (size_t)(newline - line), fresh);
    }
    return length > 0;
}

/* Hears one answer, however long it takes. */
static void await_answer(char *buffer)
{
    while (!hear_answer(buffer, TICK_NS)) {
        check_answered();
        look_around();
    }
}

static void await_hellos(char *buffer)
{
    for (int i = 0; i < worker_count; i++) {
        while (!workers[i].ready) {
            await_answer(buffer);
        }
    }
}

/* Every line that was sent was answered. What was a killed worker's comes back, and is answered by another. */
static void await_counts(char *buffer)
{
    while (counted.lines < progress.lines) {
        await_answer(buffer);
    }
}

/* While the workers can't take more they may be waiting to be heard. */
static void send_message(int64_t type, const void *data, size_t length, char *buffer)
{
    int error;

    while ((error = madang_queue_send(lines, type, data, length, 0, 0)) < 0) {
        if (error != -EAGAIN && error != -EINTR) {
            fail("%s", madang_last_error());
        }
        if (!hear_answer(buffer, TICK_NS)) {
            look_around();
        }
    }
}

/* The first worker, in the midst of its work: its leases come back, its answers may be there already. */
static void kill_first(void)
{
    if (trial && !workers[0].killed && progress.bytes >= (progress.size > 0 ? progress.size / 2 : KILL_AFTER)) {
        workers[0].killed = true;
        kill(workers[0].pid, SIGKILL);
    }
}

static void stop_workers(char *buffer)
{
    stopping = true;
    for (int i = 0; i < worker_count; i++) {
        if (!workers[i].killed) {
            send_message(STOP, NULL, 0, buffer);
        }
    }
    for (int i = 0; i < worker_count; i++) {
        while (!workers[i].done && !workers[i].killed) {
            await_answer(buffer);
        }
    }
}

/* The text -------------------------------------------------------------------------------------------------------- */

struct reader {
    const char *path;
    int fd;
    bool ended;
    size_t start, end; /* what is not yet handed out */
    char buffer[LONGEST_LINE + 1];
};

static struct reader *open_text(const char *path)
{
    struct reader *reader = allocated(calloc(1, sizeof *reader));
    struct stat stat = {0};

    reader->path = path;
    reader->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (reader->fd < 0 || fstat(reader->fd, &stat) < 0) {
        fail("%s: %s", path, strerror(errno));
    }
    progress.size = (uint64_t)stat.st_size;
    return reader;
}

/* Reads some more behind what is there. */
static void refill(struct reader *reader)
{
    size_t room;
    ssize_t got;

    memmove(reader->buffer, reader->buffer + reader->start, reader->end - reader->start);
    reader->end -= reader->start;
    reader->start = 0;
    if (reader->end == sizeof reader->buffer) {
        fail("%s: line %" PRIu64 " is longer than %zu bytes, which is the most that this demo sends as one message",
             reader->path, progress.lines + 1, LONGEST_LINE);
    }
    room = sizeof reader->buffer - reader->end;
    room = room < READ_AT_ONCE ? room : READ_AT_ONCE;
    while ((got = read(reader->fd, reader->buffer + reader->end, room)) < 0) {
        if (errno != EINTR) {
            fail("%s: %s", reader->path, strerror(errno));
        }
        end_if_signalled();
    }
    reader->end += (size_t)got;
    reader->ended = got == 0;
}

/* The next line without its newline, which the last one need not have; NULL after the last. */
static const char *next_line(struct reader *reader, size_t *length)
{
    size_t looked = 0; /* bytes that hold no newline */

    for (;;) {
        char *line = reader->buffer + reader->start;
        size_t held = reader->end - reader->start;
        char *newline = memchr(line + looked, '\n', held - looked);
        if (newline != NULL || reader->ended) {
            *length = newline != NULL ? (size_t)(newline - line) : held;
            reader->start += *length + (newline != NULL);
            progress.bytes += *length + (newline != NULL);
            return newline != NULL || held > 0 ? line : NULL;
        }
        looked = held;
        refill(reader);
    }
}

static int64_t type_of(const char *line, size_t length)
{
    return length == 0 || line[0] == '\0' ? EMPTY_LINE : (unsigned char)line[0];
}

static void send_text(struct reader *reader, char *buffer)
{
    int64_t look_at = now_ns() + TICK_NS;
    const char *line;
    size_t length;

    while ((line = next_line(reader, &length)) != NULL) {
        send_message(type_of(line, length), line, length, buffer);
        progress.lines++;
        kill_first();
        if (progress.lines % LINES_PER_LOOK == 0 && now_ns() >= look_at) {
            look_around();
            look_at = now_ns() + TICK_NS;
        }
    }
}

/* ----------------------------------------------------------------------------------------------------------------- */

static void check_taken(void)
{
    uint64_t taken = 0;

    for (int i = 0; i < worker_count; i++) {
        taken += workers[i].taken;
    }
    if (taken != progress.lines) {
        fail("%" PRIu64 " lines were sent, but %" PRIu64 " taken", progress.lines, taken);
    }
}

static void print_result(const char *path, double seconds)
{
    double messages = (double)progress.lines, bytes = (double)progress.bytes;

    printf("%s: %.1f MB, %zu different words, the most frequent:\n", path, bytes / 1e6, table.used);
    write_counts(stdout, SHOWN);
    for (int i = 0; i < worker_count; i++) {
        double share = messages > 0 ? 100 * (double)workers[i].taken / messages : 0;
        printf("worker %d (%s) took %" PRIu64 " messages, %.0f %%%s\n", i + 1, workers[i].name, workers[i].taken, share,
               workers[i].killed ? "; then it was killed" : "");
    }
    if (trial) {
        printf("%" PRIu64 " messages were handed out again, %" PRIu64 " answers were repeats and not counted\n", counted.again,
               counted.repeats);
    }
    printf("%" PRIu64 " messages in %.2f s: %.0f messages/s, %.1f MB/s\n", progress.lines, seconds, messages / seconds,
           bytes / 1e6 / seconds);
}

static void write_all_counts(const char *path)
{
    FILE *file = fopen(path, "w");

    if (file == NULL) {
        fail("%s: %s", path, strerror(errno));
    }
    write_counts(file, SIZE_MAX);
    if (ferror(file) || fclose(file) != 0) {
        fail("%s: it can't be written: %s", path, strerror(errno));
    }
}

int main(int argc, char **argv)
{
    const char *counts = NULL;
    char *buffer = allocated(malloc(ANSWERS_CAPACITY));
    struct reader *reader;
    double seconds;
    int64_t start;
    int option;

    while ((option = getopt(argc, argv, "ko:")) == 'o' || option == 'k') {
        if (option == 'o') {
            counts = optarg;
        } else {
            trial = true;
        }
    }
    if (option != -1 || argc - optind < 2 + trial || argc - optind > 1 + MOST_WORKERS) {
        fprintf(stderr, "usage: words [-k] [-o COUNTS] FILE WORKER...   (1 to %d workers)\n", MOST_WORKERS);
        return 2;
    }
    catch_signals();
    reader = open_text(argv[optind]);

    names_stand = true;
    lines = make_queue(lines_name, "lines", CAPACITY);
    answers = make_queue(answers_name, "answers", ANSWERS_CAPACITY);
    start_workers(argv + optind + 1, argc - optind - 1);
    await_hellos(buffer);
    unlink_queues(); /* everybody is in: from here on even SIGKILL leaves no queue behind */

    progress.shown = isatty(STDERR_FILENO) && progress.size > 0;
    start = now_ns();
    send_text(reader, buffer);
    await_counts(buffer);
    stop_workers(buffer);
    seconds = (double)(now_ns() - start) / 1e9;
    for (int i = 0; i < worker_count; i++) {
        await_end(&workers[i]);
    }
    clear_bar();
    check_taken();

    sort_counts();
    print_result(argv[optind], seconds);
    if (counts != NULL) {
        write_all_counts(counts);
    }
    if (fflush(stdout) != 0) {
        fail("standard output can't be written: %s", strerror(errno));
    }
    madang_queue_close(lines);
    madang_queue_close(answers);
    return EXIT_SUCCESS;
}
