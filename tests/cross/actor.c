/* The actor in C; main.rs says what an actor does. */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <inttypes.h>
#include <madang.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static madang_queue *queue;
static madang_segment *segment;
static madang_lease *lease;
static madang_reservation *reservation;
static madang_mutex *mutex;
static madang_rwlock *rwlock;
static madang_condition *condition;
static madang_barrier *barrier;
static madang_event *event;
static madang_semaphore_set *semaphores;

/* What there is to tell if the command succeeds, and what a message needs if a buffer is too small for it. */
static FILE *answer;
static uint64_t needed;

static void die(const char *why, int64_t number)
{
    fprintf(stderr, "actor.c: %s %" PRId64 "\n", why, number);
    exit(EXIT_FAILURE);
}

/* The command: a verb, perhaps a name, and key=value pairs -------------------------------------------------------- */

#define MOST_WORDS 16
static char *word[MOST_WORDS];
static int words;

static void split(char *line)
{
    words = 0;
    for (char *next = strtok(line, " \n"); next && words < MOST_WORDS; next = strtok(NULL, " \n"))
        word[words++] = next;
}

/* NULL if there is none. */
static char *value(const char *key)
{
    size_t length = strlen(key);
    for (int i = 1; i < words; i++)
        if (strncmp(word[i], key, length) == 0 && word[i][length] == '=')
            return word[i] + length + 1;
    return NULL;
}

static int64_t number(const char *key, int64_t otherwise)
{
    const char *text = value(key);
    return text ? strtoll(text, NULL, 10) : otherwise;
}

static uint32_t create(void)
{
    const char *text = value("create");
    if (!text)
        return MADANG_CREATE_IF_MISSING;
    return strcmp(text, "only") == 0 ? MADANG_CREATE_ONLY : MADANG_CREATE_NEVER;
}

static int64_t timeout_ns(void)
{
    int64_t milliseconds = number("timeout", -1);
    return milliseconds < 0 ? -1 : milliseconds * 1000000;
}

/* Messages -------------------------------------------------------------------------------------------------------- */

#define HEAD 12 /* bytes: sender and index, with the least significant byte first */

struct room {
    unsigned char *bytes;
    size_t length;
};

/* Makes it so large at least. */
static unsigned char *room_for(struct room *room, size_t length)
{
    if (length + HEAD > room->length) {
        room->length = length + HEAD;
        room->bytes = realloc(room->bytes, room->length);
        if (!room->bytes)
            die("no memory for a length of", (int64_t)length);
    }
    return room->bytes;
}

/* Good until the next one. */
static const unsigned char *payload(uint32_t sender, uint64_t index, size_t length)
{
    static struct room room;
    unsigned char *bytes = room_for(&room, length);
    for (int i = 0; i < 4; i++)
        bytes[i] = (unsigned char)(sender >> 8 * i);
    for (int i = 0; i < 8; i++)
        bytes[4 + i] = (unsigned char)(index >> 8 * i);
    for (size_t at = HEAD; at < length; at++)
        bytes[at] = (unsigned char)(at * 31 + index);
    return bytes;
}

/* What the command says. */
static const unsigned char *told_payload(size_t length)
{
    return payload((uint32_t)number("sender", 0), (uint64_t)number("index", 0), length);
}

static int is_whole(const unsigned char *bytes, size_t length)
{
    return memcmp(bytes, told_payload(length), length) == 0;
}

/* Who sent it, and which it is; ends here if a byte of it is wrong. */
static void origin(const unsigned char *bytes, size_t length, uint32_t *sender, uint64_t *index)
{
    *sender = 0;
    *index = 0;
    for (int i = 0; i < 4; i++)
        *sender |= (uint32_t)bytes[i] << 8 * i;
    for (int i = 0; i < 8; i++)
        *index |= (uint64_t)bytes[4 + i] << 8 * i;
    if (length < HEAD || memcmp(bytes, payload(*sender, *index, length), length) != 0)
        die("a message is garbled, of length", (int64_t)length);
}

/* The queue: functions return 0, or -errno ------------------------------------------------------------------------ */

static int close_queue(void)
{
    int failed = queue ? madang_queue_close(queue) : 0;
    queue = NULL;
    return failed;
}

static int open_queue(void)
{
    madang_queue_options options = {
        .struct_size = sizeof options,
        .capacity = (uint64_t)number("capacity", 0),
        .max_messages = (uint64_t)number("max_messages", 0),
        .max_participants = (uint32_t)number("max_participants", 0),
        .mode = (uint32_t)number("mode", 0),
        .create = create(),
    };
    close_queue();
    int failed = madang_queue_open(word[1], &options, &queue);
    if (failed == 0)
        fprintf(answer, "new=%d capacity=%" PRId64 " messages=%" PRId64, madang_queue_is_new(queue),
                madang_queue_capacity(queue), madang_queue_messages(queue));
    return failed;
}

static int unlink_queue(void)
{
    return madang_queue_unlink(word[1]);
}

static int send_message(void)
{
    size_t length = (size_t)number("length", 0);
    return madang_queue_send(queue, number("type", 0), told_payload(length), length, 0, timeout_ns());
}

/* What the command says of the message that is wanted. */
static uint32_t selection(int64_t *select)
{
    *select = number("select", 0);
    return number("except", 0) ? MADANG_EXCEPT : 0;
}

/* Receives into so many bytes; returns the length, or -errno. */
static int64_t receive(struct room *room, size_t capacity, uint32_t flags, madang_message *message, int64_t timeout)
{
    *message = (madang_message){.struct_size = sizeof *message};
    int64_t select;
    flags |= selection(&select);
    int64_t length = madang_queue_recv(queue, select, room_for(room, capacity), capacity, flags, message, timeout);
    needed = length == -E2BIG ? message->length : 0;
    return length;
}

/* Receives a message of whatever length, as the header advises: to one deadline, with the room that it asks for. */
static int64_t receive_any(struct room *room, madang_message *message)
{
    int64_t timeout = timeout_ns();
    uint32_t flags = 0;
    if (timeout > 0) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        timeout += now.tv_sec * 1000000000LL + now.tv_nsec;
        flags = MADANG_DEADLINE;
    }
    int64_t length = receive(room, 64, flags, message, timeout);
    while (length == -E2BIG)
        length = receive(room, needed, flags, message, timeout);
    return length;
}

static void tell_message(const madang_message *message, const unsigned char *bytes, size_t length)
{
    fprintf(answer, "type=%" PRId64 " length=%zu whole=%d", message->type, length, is_whole(bytes, length));
}

static void tell_story(const madang_message *message)
{
    int is_marked = (message->flags & MADANG_REDELIVERED) != 0;
    if (is_marked != (message->redelivered > 0))
        die("the mark and the count contradict each other, which is", message->redelivered);
    fprintf(answer, " sequence=%" PRIu64 " redelivered=%" PRIu32, message->sequence, message->redelivered);
}

static int receive_message(void)
{
    static struct room room;
    madang_message message;
    int64_t buffer = number("buffer", -1);
    uint32_t flags = number("cut", 0) ? MADANG_TRUNCATE : 0;
    int64_t length =
        buffer < 0 ? receive_any(&room, &message) : receive(&room, (size_t)buffer, flags, &message, timeout_ns());
    if (length < 0)
        return (int)length;
    int is_cut = (message.flags & MADANG_TRUNCATED) != 0;
    if (is_cut ? (uint64_t)length >= message.length : (uint64_t)length != message.length)
        die("two lengths are told, one is", length);
    tell_message(&message, room.bytes, (size_t)length);
    if (buffer >= 0)
        fprintf(answer, " sequence=%" PRIu64, message.sequence);
    if (flags)
        fprintf(answer, " all=%" PRIu64, message.length);
    return 0;
}

static int peek(void)
{
    static struct room room;
    madang_message message = {.struct_size = sizeof message};
    size_t capacity = (size_t)madang_queue_capacity(queue);
    int64_t length =
        madang_queue_recv(queue, number("position", 0), room_for(&room, capacity), capacity, MADANG_PEEK, &message, 0);
    if (length < 0)
        return (int)length;
    tell_message(&message, room.bytes, (size_t)length);
    tell_story(&message);
    return 0;
}

/* Gives back what it had before. */
static int lease_message(void)
{
    madang_message message = {.struct_size = sizeof message};
    if (lease)
        madang_lease_release(lease);
    lease = NULL;
    int64_t select;
    uint32_t flags = selection(&select);
    int64_t length = madang_queue_lease(queue, select, flags, &message, timeout_ns(), &lease);
    if (length < 0)
        return (int)length;
    if ((uint64_t)length != message.length || (size_t)length != madang_lease_length(lease))
        die("several lengths are told, one is", length);
    tell_message(&message, madang_lease_data(lease), (size_t)length);
    tell_story(&message);
    return 0;
}

static int end_lease(int (*end)(madang_lease *))
{
    madang_lease *ended = lease;
    lease = NULL;
    return end(ended);
}

static int ack(void)
{
    return end_lease(madang_lease_ack);
}

static int release(void)
{
    return end_lease(madang_lease_release);
}

static int drop(void)
{
    int failed = reservation ? madang_reservation_drop(reservation) : 0;
    reservation = NULL;
    return failed;
}

static int reserve(void)
{
    drop();
    return madang_queue_reserve(queue, (size_t)number("length", 0), 0, timeout_ns(), &reservation);
}

/* Writes what the command says to the reservation, and sends it. */
static int commit(void)
{
    size_t length = (size_t)number("length", 0);
    if (length <= madang_reservation_length(reservation))
        memcpy(madang_reservation_data(reservation), told_payload(length), length);
    int failed = madang_reservation_commit(reservation, number("type", 0), length, 0, timeout_ns());
    if (failed == 0)
        reservation = NULL;
    return failed;
}

static int trim(void)
{
    int64_t trimmed = madang_queue_trim(queue);
    fprintf(answer, "bytes=%" PRId64, trimmed);
    return trimmed < 0 ? (int)trimmed : 0;
}

static int tell_status(void)
{
    madang_queue_status s = {.struct_size = sizeof s};
    int failed = madang_queue_stat(queue, &s);
    if (failed == 0)
        fprintf(answer,
                "capacity=%" PRIu64 " max_messages=%" PRIu64 " max_participants=%" PRIu32 " bytes=%" PRIu64
                " messages=%" PRIu64 " sent=%" PRIu64 " received=%" PRIu64 " participants=%" PRIu32 " repairs=%" PRIu64
                " allocated=%" PRIu64 " mode=%" PRIu32 " uid=%" PRIu32 " gid=%" PRIu32,
                s.capacity, s.max_messages, s.max_participants, s.bytes, s.messages, s.sent, s.received, s.participants,
                s.repairs, s.allocated, s.mode, s.uid, s.gid);
    return failed;
}

/* Adds 1 to the message's byte in the segment, if that was asked for. */
static void mark(int64_t marks, uint64_t index)
{
    if (marks >= 0) {
        volatile unsigned char *bytes = madang_segment_data(segment);
        bytes[(uint64_t)marks + index]++;
    }
}

#define MOST_LENGTHS 16

static size_t parse_lengths(size_t lengths[MOST_LENGTHS])
{
    size_t count = 0;
    for (char *next = strtok(value("lengths"), ","); next && count < MOST_LENGTHS; next = strtok(NULL, ","))
        lengths[count++] = (size_t)strtoull(next, NULL, 10);
    return count;
}

static int stream(void)
{
    size_t lengths[MOST_LENGTHS];
    size_t of_each = parse_lengths(lengths);
    uint32_t sender = (uint32_t)number("sender", 0);
    uint64_t first = (uint64_t)number("first", 0), end = first + (uint64_t)number("count", 0);
    int64_t marks = number("marks", -1);
    for (uint64_t index = first; index < end; index++) {
        size_t length = lengths[index % of_each];
        int failed = madang_queue_send(queue, (int64_t)sender + 1, payload(sender, index, length), length, 0, -1);
        if (failed < 0)
            return failed;
        mark(marks, index);
    }
    return 0;
}

static int collect(void)
{
    static struct room room;
    madang_message message;
    size_t capacity = (size_t)madang_queue_capacity(queue);
    int64_t length, marks = number("marks", -1);
    while ((length = receive(&room, capacity, 0, &message, -1)) > 0) {
        uint32_t sender;
        uint64_t index;
        origin(room.bytes, (size_t)length, &sender, &index);
        mark(marks, index);
        fprintf(answer, "%" PRIu64 ":%" PRId64 ":%" PRIu32 ":%" PRIu64 ":%" PRId64 " ", message.sequence, message.type,
                sender, index, length);
    }
    return (int)length;
}

#define MOST_BATCH 256

/* Good until the next ones: so many payloads, one after the other. */
struct batch {
    struct room room;
    madang_item items[MOST_BATCH];
    size_t at[MOST_BATCH], end, count;
};

static void add(struct batch *batch, int64_t type, const unsigned char *bytes, size_t length)
{
    if (batch->count == MOST_BATCH)
        die("a batch of more than", MOST_BATCH);
    memcpy(room_for(&batch->room, batch->end + length) + batch->end, bytes, length);
    batch->items[batch->count] = (madang_item){.type = type, .length = length};
    batch->at[batch->count++] = batch->end;
    batch->end += length;
}

/* Sends them all at once, and begins anew. */
static int64_t send_batch(struct batch *batch, int64_t timeout)
{
    for (size_t i = 0; i < batch->count; i++)
        batch->items[i].data = batch->room.bytes + batch->at[i];
    int64_t sent = madang_queue_send_many(queue, batch->items, batch->count, 0, timeout);
    batch->count = batch->end = 0;
    return sent;
}

static int send_many(void)
{
    static struct batch batch;
    size_t lengths[MOST_LENGTHS];
    size_t count = parse_lengths(lengths);
    for (size_t i = 0; i < count; i++)
        add(&batch, number("type", 0), told_payload(lengths[i]), lengths[i]);
    int64_t sent = send_batch(&batch, timeout_ns());
    if (sent >= 0)
        fprintf(answer, "sent=%" PRId64, sent);
    return sent < 0 ? (int)sent : 0;
}

static int send_pieces(void)
{
    size_t length = (size_t)number("length", 0), third = length / 3;
    unsigned char *bytes = (unsigned char *)told_payload(length);
    const struct iovec pieces[] = {
        {bytes, third}, {bytes + third, third}, {NULL, 0}, {bytes + 2 * third, length - 2 * third}};
    return madang_queue_sendv(queue, number("type", 0), pieces, 4, 0, timeout_ns());
}

static int stream_batches(void)
{
    static struct batch batch;
    size_t lengths[MOST_LENGTHS];
    size_t of_each = parse_lengths(lengths), most = (size_t)number("batch", 1);
    uint32_t sender = (uint32_t)number("sender", 0);
    uint64_t index = (uint64_t)number("first", 0), end = index + (uint64_t)number("count", 0);
    int64_t marks = number("marks", -1);
    while (index < end) {
        uint64_t first = index;
        for (; index < end && batch.count < most; index++) {
            size_t length = lengths[index % of_each];
            add(&batch, (int64_t)sender + 1, payload(sender, index, length), length);
        }
        int64_t sent = send_batch(&batch, -1);
        if (sent < 0)
            return (int)sent;
        if (sent != (int64_t)(index - first))
            die("of a batch were sent only", sent);
        for (; first < index; first++)
            mark(marks, first);
    }
    return 0;
}

static int collect_batches(void)
{
    static struct room room;
    static madang_message messages[MOST_BATCH];
    size_t capacity = (size_t)madang_queue_capacity(queue), most = (size_t)number("batch", 1);
    int64_t marks = number("marks", -1);
    if (most > MOST_BATCH)
        die("a batch of more than", MOST_BATCH);
    messages[0].struct_size = sizeof messages[0];
    for (;;) {
        room_for(&room, capacity);
        int64_t count = madang_queue_recv_many(queue, 0, room.bytes, capacity, messages, most, 0, -1);
        if (count < 0)
            return (int)count;
        size_t at = 0;
        for (int64_t i = 0; i < count; i++) {
            uint32_t sender;
            uint64_t index;
            size_t length = (size_t)messages[i].length;
            if (length == 0)
                return 0;
            origin(room.bytes + at, length, &sender, &index);
            mark(marks, index);
            fprintf(answer, "%" PRIu64 ":%" PRId64 ":%" PRIu32 ":%" PRIu64 ":%zu ", messages[i].sequence,
                    messages[i].type, sender, index, length);
            at += (length + 7) / 8 * 8;
        }
    }
}

/* The segment ----------------------------------------------------------------------------------------------------- */

static int close_segment(void)
{
    int failed = segment ? madang_segment_close(segment) : 0;
    segment = NULL;
    return failed;
}

static int open_segment(void)
{
    madang_segment_options options = {
        .struct_size = sizeof options,
        .flags = number("read_only", 0) ? MADANG_READ_ONLY : 0,
        .length = (uint64_t)number("length", 0),
        .mode = (uint32_t)number("mode", 0),
        .create = create(),
    };
    close_segment();
    int failed = madang_segment_open(word[1], &options, &segment);
    if (failed == 0)
        fprintf(answer, "new=%d length=%zu", madang_segment_is_new(segment), madang_segment_size(segment));
    return failed;
}

static int unlink_segment(void)
{
    return madang_segment_unlink(word[1]);
}

static int write_segment(void)
{
    size_t length = (size_t)number("length", 0);
    return madang_segment_write(segment, (size_t)number("offset", 0), told_payload(length), length);
}

/* Through the pointer, as programs will. */
static int read_segment(void)
{
    size_t offset = (size_t)number("offset", 0), length = (size_t)number("length", 0);
    fprintf(answer, "whole=%d", is_whole((unsigned char *)madang_segment_data(segment) + offset, length));
    return 0;
}

/* Locks and their like -------------------------------------------------------------------------------------------- */

#define PLACE(kind)                                                                                  \
    if (strcmp(word[1], #kind) == 0)                                                                 \
    return value("name") ? madang_##kind##_open(value("name"), NULL, &kind)                          \
                         : madang_##kind##_within(segment, (size_t)number("offset", 0), &kind)

static int place_one(void)
{
    PLACE(mutex);
    PLACE(rwlock);
    PLACE(condition);
    PLACE(barrier);
    PLACE(event);
    die("an unknown kind of so many words:", words);
    return 0;
}

static int place(void)
{
    int failed = place_one();
    if (failed == 0 && value("parties"))
        failed = madang_barrier_set_parties(barrier, (uint32_t)number("parties", 0));
    return failed;
}

/* What locking returned. */
static int locked(int returned)
{
    if (returned >= 0)
        fprintf(answer, "died=%d", returned);
    return returned;
}

static int lock(void)
{
    return locked(madang_mutex_lock(mutex, 0, timeout_ns()));
}

static int unlock(void)
{
    return madang_mutex_unlock(mutex);
}

static int read_lock(void)
{
    return locked(madang_rwlock_lock_read(rwlock, 0, timeout_ns()));
}

static int write_lock(void)
{
    return locked(madang_rwlock_lock_write(rwlock, 0, timeout_ns()));
}

static int unlock_rwlock(void)
{
    return madang_rwlock_unlock(rwlock);
}

static int await_change(void)
{
    return locked(madang_condition_wait(condition, mutex, 0, timeout_ns()));
}

static int tell_one(void)
{
    return madang_condition_notify_one(condition);
}

static int tell_all(void)
{
    return madang_condition_notify_all(condition);
}

static int meet(void)
{
    int64_t rank = madang_barrier_wait(barrier, 0, timeout_ns());
    if (rank >= 0)
        fprintf(answer, "rank=%" PRId64, rank);
    return rank < 0 ? (int)rank : 0;
}

static int set(void)
{
    return madang_event_set(event);
}

static int clear(void)
{
    return madang_event_clear(event);
}

static int await(void)
{
    return madang_event_wait(event, 0, timeout_ns());
}

static int count(void)
{
    volatile uint64_t *counted = (uint64_t *)(void *)((char *)madang_segment_data(segment) + number("at", 0));
    int died = 0, returned = 0;
    for (int64_t times = number("times", 0); times > 0 && returned >= 0; times--) {
        died += returned = madang_mutex_lock(mutex, 0, -1);
        if (returned >= 0) {
            *counted += 1;
            returned = madang_mutex_unlock(mutex);
        }
    }
    fprintf(answer, "died=%d", died);
    return returned;
}

/* The set of semaphores ------------------------------------------------------------------------------------------- */

#define MOST_OPERATIONS 600

static int close_set(void)
{
    int failed = semaphores ? madang_semaphore_set_close(semaphores) : 0;
    semaphores = NULL;
    return failed;
}

/* What stands at values=, as many as there are. */
static uint32_t told_values(uint32_t values[MOST_OPERATIONS])
{
    uint32_t count = 0;
    char *text = value("values");
    for (char *next = text ? strtok(text, ",") : NULL; next && count < MOST_OPERATIONS; next = strtok(NULL, ","))
        values[count++] = (uint32_t)strtoul(next, NULL, 10);
    return count;
}

/* INDEX:DELTA[u][n],… */
static size_t told_operations(const char *key, madang_operation operations[MOST_OPERATIONS])
{
    size_t count = 0;
    char *next = value(key);
    while (next && *next && count < MOST_OPERATIONS) {
        uint32_t index = (uint32_t)strtoul(next, &next, 10);
        int32_t delta = (int32_t)strtoll(next + 1, &next, 10);
        madang_operation operation = {index, delta, 0};
        for (; *next && *next != ','; next++)
            operation.flags |= *next == 'u' ? MADANG_UNDO : MADANG_NO_WAIT;
        next += *next == ',';
        operations[count++] = operation;
    }
    return count;
}

static int open_set(void)
{
    uint32_t values[MOST_OPERATIONS];
    uint32_t count = told_values(values);
    madang_semaphore_set_options options = {
        .struct_size = sizeof options,
        .values = count ? values : NULL,
        .semaphores = count ? count : (uint32_t)number("semaphores", 0),
        .max_value = (uint32_t)number("max_value", 0),
        .max_participants = (uint32_t)number("max_participants", 0),
        .mode = (uint32_t)number("mode", 0),
        .create = create(),
    };
    close_set();
    int failed = madang_semaphore_set_open(word[1], &options, &semaphores);
    madang_semaphore_set_status status = {.struct_size = sizeof status};
    if (failed == 0)
        failed = madang_semaphore_set_stat(semaphores, &status);
    if (failed == 0)
        fprintf(answer, "new=%d semaphores=%" PRId64 " max_value=%" PRIu32, madang_semaphore_set_is_new(semaphores),
                madang_semaphore_set_count(semaphores), status.max_value);
    return failed;
}

static int unlink_set(void)
{
    return madang_semaphore_set_unlink(word[1]);
}

static int operate(void)
{
    madang_operation operations[MOST_OPERATIONS];
    size_t count = told_operations("ops", operations);
    return madang_semaphore_set_operate(semaphores, operations, count, 0, timeout_ns());
}

static int tell_semaphore(void)
{
    uint32_t index = (uint32_t)number("index", 0), to_grow, for_zero;
    int64_t found = madang_semaphore_set_value(semaphores, index), pid = madang_semaphore_set_last_pid(semaphores, index);
    int failed = madang_semaphore_set_waiting(semaphores, index, &to_grow, &for_zero);
    if (failed == 0)
        fprintf(answer, "value=%" PRId64 " pid=%" PRId64 " to_grow=%" PRIu32 " for_zero=%" PRIu32, found, pid, to_grow,
                for_zero);
    return failed;
}

static int tell_values(void)
{
    uint32_t values[MOST_OPERATIONS];
    int64_t count = madang_semaphore_set_values(semaphores, values, MOST_OPERATIONS);
    for (int64_t i = 0; i < count; i++)
        fprintf(answer, "%" PRId64 "=%" PRIu32 " ", i, values[i]);
    return count < 0 ? (int)count : 0;
}

static int set_value(void)
{
    return madang_semaphore_set_set_value(semaphores, (uint32_t)number("index", 0), (uint32_t)number("value", 0));
}

static int set_values(void)
{
    uint32_t values[MOST_OPERATIONS];
    uint32_t count = told_values(values);
    return madang_semaphore_set_set_values(semaphores, values, count);
}

static int tell_status_of_set(void)
{
    madang_semaphore_set_status s = {.struct_size = sizeof s};
    int failed = madang_semaphore_set_stat(semaphores, &s);
    if (failed == 0)
        fprintf(answer,
                "semaphores=%" PRIu32 " max_value=%" PRIu32 " max_participants=%" PRIu32 " participants=%" PRIu32
                " repairs=%" PRIu64 " allocated=%" PRIu64 " mode=%" PRIu32 " uid=%" PRIu32 " gid=%" PRIu32,
                s.semaphores, s.max_value, s.max_participants, s.participants, s.repairs, s.allocated, s.mode, s.uid,
                s.gid);
    return failed;
}

/* As one counts who is alone. */
static int count_rounds(void)
{
    madang_operation before[MOST_OPERATIONS], after[MOST_OPERATIONS];
    size_t of_before = told_operations("ops", before), of_after = told_operations("ops_after", after);
    volatile unsigned char *count = (unsigned char *)madang_segment_data(segment) + number("at", 0);
    for (int64_t rounds = number("rounds", 0); rounds > 0; rounds--) {
        int failed = madang_semaphore_set_operate(semaphores, before, of_before, 0, -1);
        if (failed < 0)
            return failed;
        if (++count[0] == 0)
            count[1]++;
        failed = madang_semaphore_set_operate(semaphores, after, of_after, 0, -1);
        if (failed < 0)
            return failed;
    }
    return 0;
}

/* The dialogue ---------------------------------------------------------------------------------------------------- */

static const struct {
    const char *verb;
    int (*perform)(void);
} commands[] = {
    {"open", open_queue},
    {"close", close_queue},
    {"unlink", unlink_queue},
    {"send", send_message},
    {"recv", receive_message},
    {"peek", peek},
    {"lease", lease_message},
    {"ack", ack},
    {"release", release},
    {"reserve", reserve},
    {"commit", commit},
    {"drop", drop},
    {"trim", trim},
    {"stat", tell_status},
    {"stream", stream},
    {"collect", collect},
    {"send-many", send_many},
    {"send-pieces", send_pieces},
    {"stream-batches", stream_batches},
    {"collect-batches", collect_batches},
    {"open-segment", open_segment},
    {"close-segment", close_segment},
    {"unlink-segment", unlink_segment},
    {"write", write_segment},
    {"read", read_segment},
    {"place", place},
    {"lock", lock},
    {"unlock", unlock},
    {"read-lock", read_lock},
    {"write-lock", write_lock},
    {"unlock-rwlock", unlock_rwlock},
    {"await-change", await_change},
    {"tell-one", tell_one},
    {"tell-all", tell_all},
    {"meet", meet},
    {"set", set},
    {"clear", clear},
    {"await", await},
    {"count", count},
    {"open-set", open_set},
    {"close-set", close_set},
    {"unlink-set", unlink_set},
    {"operate", operate},
    {"semaphore", tell_semaphore},
    {"values", tell_values},
    {"set-value", set_value},
    {"set-values", set_values},
    {"stat-set", tell_status_of_set},
    {"count-alone", count_rounds},
};

static int perform(void)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(word[0], commands[i].verb) == 0)
            return commands[i].perform();
    die("an unknown command of so many words:", words);
    return 0;
}

static void say(const char *line)
{
    puts(line);
    fflush(stdout);
}

static void answer_command(void)
{
    char *text = NULL;
    size_t length = 0;
    answer = open_memstream(&text, &length);
    needed = 0;
    int failed = perform();
    fclose(answer);
    if (failed < 0)
        printf("error errno=%d length=%" PRIu64 " ", -failed, needed);
    else
        printf("ok ");
    say(failed < 0 ? madang_last_error() : text);
    free(text);
}

int main(void)
{
    char *line = NULL;
    size_t size = 0;
    uint32_t version = madang_version();
    printf("ok version=%" PRIu32 ".%" PRIu32 ".%" PRIu32 "\n", version >> 16, version >> 8 & 0xff, version & 0xff);
    fflush(stdout);
    while (getline(&line, &size, stdin) > 0) {
        split(line);
        say("begun");
        answer_command();
    }
    free(line);
    return close_queue() < 0 || close_segment() < 0 || close_set() < 0;
}
