/* The actor in C. What it does, and the book that it writes, are described in actor.rs, book.rs and queue.rs. */
#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <madang.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* The book -------------------------------------------------------------------------------------------------------- */

enum { HEAD = 512, LEAF = 64, LIVES = 65536, MESSAGES = 32768, HAND = 32768 };
enum { STOP = 0, PLACES = 64 };
enum {
    PID, STATE, KILLED, STOPS, OPERATIONS, BEGUN, DONE, IN_HAND, LONGEST_TRY, SECOND_BEGUN, SECOND_DONE, THIRD_BEGUN,
    THIRD_DONE, LEASED, FOUND, LONGEST_WAIT, TEXT = 16, TEXT_WORDS = 48
};
#define HAND_HOLDS (UINT64_C(1) << 32)
enum { INSIDE = PLACES, COUNTER, WRITER, ONE, OTHER, TICKETS };
enum { BORN = 1, ENDED = 2, FAULT = 3 };

static _Atomic uint64_t *book, *leaf;
static unsigned char *hand;
static uint64_t life, seed, gives, fork_at, mix, lifetime;
static uint64_t drawn;

static void open_book(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    size_t length = (HEAD + (size_t)LIVES * (LEAF + MESSAGES + HAND)) * 8;
    void *at = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd < 0 || at == MAP_FAILED) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    close(fd);
    book = at;
}

static void begin_life(uint64_t which)
{
    life = which;
    leaf = book + HEAD + life * LEAF;
    hand = (unsigned char *)(book + HEAD + (size_t)LIVES * (LEAF + MESSAGES) + life * HAND);
    drawn = seed ^ life << 32;
    alarm((unsigned)lifetime);
    leaf[PID] = (uint64_t)getpid();
    leaf[STATE] = BORN;
}

static uint64_t draw(void)
{
    uint64_t z = drawn += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint64_t below(uint64_t end)
{
    return draw() % end;
}

/* Ends here; the first word is the harm. */
static void fail(const char *format, ...)
{
    char text[TEXT_WORDS * 8] = "";
    va_list rest;
    va_start(rest, format);
    vsnprintf(text, sizeof text, format, rest);
    va_end(rest);
    memcpy((void *)(leaf + TEXT), text, sizeof text);
    leaf[STATE] = FAULT;
    _exit(EXIT_FAILURE);
}

/* Calls: timed, and what is refused is told apart from what must not be ------------------------------------------ */

#define TIMEOUT_NS 20000000

static uint64_t call_stops;
static int64_t call_begun, call_timeout;

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

/* The timeout of the call that follows. */
static int64_t begin_call(void)
{
    call_timeout = below(2) ? TIMEOUT_NS : 0;
    call_stops = leaf[STOPS];
    call_begun = now();
    return call_timeout;
}

/* Whether it did what it was to do: returned is 0 or more, or -errno. */
static int did(const char *what, int64_t returned)
{
    int64_t over = now() - call_begun - call_timeout;
    int longest = call_timeout ? LONGEST_WAIT : LONGEST_TRY;
    if (leaf[STOPS] == call_stops && over > 0 && leaf[longest] < (uint64_t)over)
        leaf[longest] = (uint64_t)over;
    if (returned >= 0)
        return 1;
    if (returned != -EAGAIN && returned != -EBUSY && returned != -ETIMEDOUT && returned != -ENOMSG)
        fail("wrong: %s: %s (%s)", what, strerror((int)-returned), madang_last_error());
    return 0;
}

/* Messages -------------------------------------------------------------------------------------------------------- */

enum { BATCHES = 1, LEASES = 2, RESERVATIONS = 4, LARGE = 8, ALONE = 16 };
enum { TYPES = 4, MOST_BATCH = 16, MESSAGE_HEAD = 12 };

static madang_queue *queue;
static size_t capacity;
static unsigned char *outgoing;
static uint64_t floors[TYPES + 1];

static int64_t type_of(uint64_t sender, uint64_t index)
{
    return (int64_t)(1 + (sender + index) % TYPES);
}

static void put_payload(unsigned char *bytes, uint64_t sender, uint64_t index, size_t length)
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (unsigned char)(sender >> 8 * i);
    for (int i = 0; i < 8; i++)
        bytes[4 + i] = (unsigned char)(index >> 8 * i);
    for (size_t at = MESSAGE_HEAD; at < length; at++)
        bytes[at] = (unsigned char)(at * 31 + index);
}

static size_t draw_length(void)
{
    uint64_t most = 200, which = below(64);
    if (which == 0 && mix & LARGE)
        most = capacity - capacity / 16;
    else if (which < 4 && mix & LARGE)
        most = capacity / 4;
    else if (which < 16)
        most = capacity / 16;
    return MESSAGE_HEAD + below(most < capacity - MESSAGE_HEAD ? most : capacity - MESSAGE_HEAD);
}

/* The word of a message, after everything in it was checked. */
static _Atomic uint64_t *entry_of(int64_t type, const unsigned char *bytes, size_t length)
{
    uint64_t sender = 0, index = 0;
    if (length < MESSAGE_HEAD)
        fail("wrong: a message without a head");
    for (int i = 0; i < 4; i++)
        sender |= (uint64_t)bytes[i] << 8 * i;
    for (int i = 0; i < 8; i++)
        index |= (uint64_t)bytes[4 + i] << 8 * i;
    int is_whole = sender < LIVES && index < MESSAGES;
    for (size_t at = MESSAGE_HEAD; at < length; at++)
        is_whole &= bytes[at] == (unsigned char)(at * 31 + index);
    if (!is_whole)
        fail("wrong: a garbled message of %zu bytes: %" PRIu64 ", %" PRIu64, length, sender, index);
    if (type != type_of(sender, index))
        fail("wrong: message %" PRIu64 " of %" PRIu64 " has type %" PRId64, index, sender, type);
    return book + HEAD + LIVES * LEAF + sender * MESSAGES + index;
}

/* It is handed out; message is NULL where nothing but its type was told. */
static void hand_out(_Atomic uint64_t *entry, const madang_message *message)
{
    uint64_t was = *entry, times = was >> 8 & 0xff, known = was >> 16, place = (uint64_t)(entry - book);
    if (was & 0xff)
        fail("doubled: it was received before (place %" PRIu64 ")", place);
    if (times > 0 && message && message->redelivered == 0)
        fail("doubled: it was handed out before, and has no mark (place %" PRIu64 ")", place);
    if (known && message && message->sequence != known - 1)
        fail("wrong: its sequence was %" PRIu64 ", and is %" PRIu64, known - 1, message->sequence);
    if (message)
        known = message->sequence + 1;
    *entry = known << 16 | (times < 0xff ? times + 1 : times) << 8;
}

static void receive_for_good(_Atomic uint64_t *entry)
{
    *entry = *entry + 1;
}

/* Floors: what no selection lets by. */
static void pass(int64_t select, uint32_t flags, const madang_message *message)
{
    uint64_t sequence = message->sequence;
    if (message->redelivered > 0)
        return;
    if (sequence < floors[message->type])
        fail("wrong: select %" PRId64 " (%x): sequence %" PRIu64 " of type %" PRId64 " after %" PRIu64 ", and no mark",
             select, flags, sequence, message->type, floors[message->type]);
    for (int64_t other = 0; other <= TYPES; other++) {
        int comes_after = flags & MADANG_EXCEPT ? other != select
                          : select == 0         ? 1
                          : select < 0          ? other <= message->type
                                                : other == message->type;
        if (comes_after && floors[other] < sequence)
            floors[other] = sequence;
    }
}

/* The queue ------------------------------------------------------------------------------------------------------- */

static int send_reserved(int64_t type, size_t length)
{
    madang_reservation *place;
    if (!did("reserve", madang_queue_reserve(queue, length + 5, 0, begin_call(), &place)))
        return 0;
    memcpy(madang_reservation_data(place), outgoing, length);
    int sent = below(4) > 0 && did("commit", madang_reservation_commit(place, type, length, 0, begin_call()));
    if (!sent && madang_reservation_drop(place) < 0)
        fail("wrong: drop: %s", madang_last_error());
    return sent;
}

static void send_some(void)
{
    madang_item items[MOST_BATCH];
    uint64_t index = leaf[DONE], count = mix & BATCHES && below(4) == 0 ? 1 + below(MOST_BATCH) : 1, sent = 0;
    int is_reserved = mix & RESERVATIONS && below(4) == 0;
    size_t end = 0;
    for (uint64_t i = 0; i < count; i++) {
        size_t length = draw_length();
        put_payload(outgoing + end, life, index + i, length);
        items[i] = (madang_item){.type = type_of(life, index + i), .data = outgoing + end, .length = length};
        end += length;
    }
    leaf[BEGUN] = index + count;
    if (count > 1) {
        int64_t returned = madang_queue_send_many(queue, items, count, 0, begin_call());
        sent = did("send_many", returned) ? (uint64_t)returned : 0;
    } else if (is_reserved) {
        sent = (uint64_t)send_reserved(items[0].type, items[0].length);
    } else {
        sent = (uint64_t)did(
            "send", madang_queue_send(queue, items[0].type, items[0].data, items[0].length, 0, begin_call()));
    }
    leaf[DONE] = index + sent;
    leaf[BEGUN] = index + sent;
}

static int64_t draw_select(uint32_t *flags)
{
    int64_t type = 1 + (int64_t)below(TYPES);
    uint64_t which = below(8);
    *flags = which == 7 ? MADANG_EXCEPT : 0;
    return which < 4 ? 0 : which == 6 ? -type : type;
}

static void receive_one(int64_t select, uint32_t flags)
{
    madang_message message = {.struct_size = sizeof message};
    leaf[IN_HAND] = HAND_HOLDS;
    int64_t length = madang_queue_recv(queue, select, hand, capacity, flags, &message, begin_call());
    if (did("recv", length)) {
        _Atomic uint64_t *entry = entry_of(message.type, hand, (size_t)length);
        hand_out(entry, &message);
        receive_for_good(entry);
        pass(select, flags, &message);
    }
    leaf[IN_HAND] = 0;
}

static void receive_batch(int64_t select, uint32_t flags)
{
    madang_message messages[MOST_BATCH] = {{.struct_size = sizeof messages[0]}};
    leaf[IN_HAND] = HAND_HOLDS;
    int64_t count = madang_queue_recv_many(queue, select, hand, capacity, messages, 1 + below(MOST_BATCH), flags,
                                           begin_call());
    if (!did("recv_many", count))
        count = 0;
    size_t at = 0;
    for (int64_t i = 0; i < count; i++) {
        size_t length = (size_t)messages[i].length;
        _Atomic uint64_t *entry = entry_of(messages[i].type, hand + at, length);
        hand_out(entry, &messages[i]);
        receive_for_good(entry);
        pass(select, flags, &messages[i]);
        at += (length + 7) / 8 * 8;
    }
    leaf[IN_HAND] = 0;
}

static void lease_one(int64_t select, uint32_t flags)
{
    madang_message message = {.struct_size = sizeof message};
    madang_lease *lease;
    int64_t length = madang_queue_lease(queue, select, flags, &message, begin_call(), &lease);
    if (!did("lease", length))
        return;
    _Atomic uint64_t *entry = entry_of(message.type, madang_lease_data(lease), (size_t)length);
    hand_out(entry, &message);
    if (below(8) == 0) {
        if (madang_lease_release(lease) < 0)
            fail("wrong: release: %s", madang_last_error());
        return;
    }
    leaf[LEASED] = (uint64_t)(entry - book);
    if (madang_lease_ack(lease) < 0)
        fail("wrong: ack: %s", madang_last_error());
    receive_for_good(entry);
    leaf[LEASED] = 0;
}

static void open_queue(const char *name)
{
    madang_queue_options options = {.struct_size = sizeof options, .create = MADANG_CREATE_NEVER};
    if (mix & ALONE)
        options.flags = gives == 8 ? MADANG_EXCLUSIVE_SENDER : gives == 0 ? MADANG_EXCLUSIVE_RECEIVER : 0;
    int failed;
    do
        failed = madang_queue_open(name, &options, &queue);
    while (failed == -EBUSY);
    if (failed < 0)
        fail("wrong: open: %s", madang_last_error());
    capacity = (size_t)madang_queue_capacity(queue);
    outgoing = outgoing ? outgoing : malloc(capacity * MOST_BATCH);
}

/* What is done besides, also to open it anew. */
static void look_after(void)
{
    madang_queue *old = queue;
    madang_queue_status status = {.struct_size = sizeof status};
    madang_message message = {.struct_size = sizeof message};
    int64_t looked = 0;
    begin_call();
    switch (below(mix & ALONE ? 3 : 4)) {
    case 0:
        looked = madang_queue_trim(queue);
        break;
    case 1:
        looked = madang_queue_stat(queue, &status);
        break;
    case 2:
        looked = madang_queue_recv(queue, 8, outgoing, capacity, MADANG_PEEK, &message, 0);
        break;
    default:
        open_queue(madang_queue_name(old));
        looked = madang_queue_close(old);
    }
    did("look", looked);
}

static void queue_turn(void)
{
    uint32_t flags;
    if (below(512) == 0) {
        look_after();
        return;
    }
    if (below(8) < gives) {
        send_some();
        return;
    }
    int64_t select = draw_select(&flags);
    uint64_t how = below(3);
    if (how == 0 && mix & BATCHES)
        receive_batch(select, flags);
    else if (how == 1 && mix & LEASES)
        lease_one(select, flags);
    else
        receive_one(select, flags);
}

/* System V's messages --------------------------------------------------------------------------------------------- */

/* What it receives into, and sends. */
struct sysv_message {
    long type;
    unsigned char bytes[];
};

static int sysv_id;
static int64_t dies_at;

/* A call that waits has no timeout: a signal ends it. */
static void wake_up(int number)
{
    (void)number;
    if (now() > dies_at)
        _exit(EXIT_FAILURE);
}

/* Before each turn, for a forked child has no timer. */
static void wake_up_regularly(void)
{
    static pid_t has_timer;
    const struct itimerval every = {{0, TIMEOUT_NS / 1000}, {0, TIMEOUT_NS / 1000}};
    if (has_timer != getpid()) {
        has_timer = getpid();
        dies_at = now() + (int64_t)lifetime * 1000000000;
        setitimer(ITIMER_REAL, &every, NULL);
    }
}

static void open_messages(const char *name)
{
    /* Without SA_RESTART. */
    const struct sigaction action = {.sa_handler = wake_up};
    sigaction(SIGALRM, &action, NULL);
    sysv_id = atoi(name);
    capacity = 8192;
    outgoing = malloc(sizeof(long) + capacity);
}

/* As the other calls say it; that a signal came is no error. */
static int did_sysv(const char *what, int64_t returned)
{
    return did(what, returned >= 0 ? returned : errno == EINTR ? -EAGAIN : -errno);
}

/* The flags of the call that follows. */
static int begin_sysv(void)
{
    return begin_call() ? 0 : IPC_NOWAIT;
}

static void send_sysv(void)
{
    uint64_t index = leaf[DONE];
    size_t length = draw_length();
    struct sysv_message *message = (struct sysv_message *)outgoing;
    message->type = (long)type_of(life, index);
    put_payload(message->bytes, life, index, length);
    leaf[BEGUN] = index + 1;
    int flags = begin_sysv();
    int sent = did_sysv("msgsnd", madang_msgsnd(sysv_id, message, length, flags));
    leaf[DONE] = index + (uint64_t)sent;
    leaf[BEGUN] = index + (uint64_t)sent;
}

static void receive_sysv(void)
{
    uint32_t flags;
    int64_t select = draw_select(&flags);
    struct sysv_message *message = (struct sysv_message *)hand;
    leaf[IN_HAND] = HAND_HOLDS;
    int how = begin_sysv() | (flags & MADANG_EXCEPT ? MSG_EXCEPT : 0);
    int64_t length = madang_msgrcv(sysv_id, message, capacity, (long)select, how);
    if (did_sysv("msgrcv", length)) {
        _Atomic uint64_t *entry = entry_of(message->type, message->bytes, (size_t)length);
        hand_out(entry, NULL);
        receive_for_good(entry);
    }
    leaf[IN_HAND] = 0;
}

static void message_turn(void)
{
    wake_up_regularly();
    if (below(8) < gives)
        send_sysv();
    else
        receive_sysv();
}

/* Inside: what is shared ------------------------------------------------------------------------------------------ */

/* Whoever is inside must have been killed, and one must have been told. */
static void look_inside(int place, int is_told)
{
    uint64_t other = book[place];
    if (other && book[HEAD + other * LEAF + KILLED] == 0)
        fail("doubled: life %" PRIu64 " is inside (%d), too", other, place - PLACES);
    if (other && !is_told)
        fail("wrong: nobody told that life %" PRIu64 " was killed inside (%d)", other, place - PLACES);
    leaf[FOUND] += other != 0;
}

static void enter(int place, int is_told)
{
    look_inside(place, is_told);
    book[place] = life;
}

static void leave(int place)
{
    book[place] = 0;
}

static void pause_now_and_then(void)
{
    if (below(128) == 0)
        usleep((useconds_t)below(1000));
}

/* Now and then one is at it for a while, to be killed in the middle. */
static void linger(void)
{
    uint64_t rounds = below(4) == 0 ? below(50000) : 0;
    for (volatile uint64_t i = 0; i < rounds; i++)
        ;
}

/* Not atomically, and tells of it before and after. */
static void change(int place, int by, int begun, int done)
{
    uint64_t was = book[place];
    leaf[begun]++;
    linger();
    book[place] = was + (uint64_t)(int64_t)by;
    leaf[done]++;
}

static void compare(int is_told)
{
    uint64_t one = book[ONE], other = book[OTHER];
    if (one != other && !is_told)
        fail("wrong: %" PRIu64 " and %" PRIu64 " are not equal, and nobody told", one, other);
}

static int is_over(void)
{
    return book[STOP] != 0 || leaf[BEGUN] + 64 > MESSAGES;
}

/* Semaphores ------------------------------------------------------------------------------------------------------ */

static madang_semaphore_set *set;

static void open_set(const char *name)
{
    madang_semaphore_set_options options = {.struct_size = sizeof options, .create = MADANG_CREATE_NEVER};
    if (madang_semaphore_set_open(name, &options, &set) < 0)
        fail("wrong: open: %s", madang_last_error());
}

/* By semtimedop(2). */
static int operate_sysv(const madang_operation *operations, size_t count)
{
    struct sembuf all[2];
    for (size_t i = 0; i < count; i++) {
        short flags = operations[i].flags & MADANG_UNDO ? SEM_UNDO : 0;
        all[i] = (struct sembuf){(unsigned short)operations[i].index, (short)operations[i].delta, flags};
    }
    const struct timespec timeout = {0, begin_call()};
    return did_sysv("semtimedop", madang_semtimedop(sysv_id, all, count, &timeout));
}

static void open_sysv_set(const char *name)
{
    sysv_id = atoi(name);
}

static int operate(const madang_operation *operations, size_t count)
{
    if (!set)
        return operate_sysv(operations, count);
    return did("operate", madang_semaphore_set_operate(set, operations, count, 0, begin_call()));
}

/* What can be done, though somebody who is stopped may hold it up. */
static void give_back(const madang_operation *operations, size_t count)
{
    while (!operate(operations, count))
        ;
}

static void count_alone(void)
{
    const madang_operation down = {0, -1, MADANG_UNDO}, up = {0, 1, MADANG_UNDO};
    if (!operate(&down, 1))
        return;
    enter(INSIDE, 1);
    change(COUNTER, 1, BEGUN, DONE);
    leave(INSIDE);
    give_back(&up, 1);
}

static void hold(uint32_t one, int32_t amount, uint32_t other, size_t count)
{
    const madang_operation down[] = {{one, -amount, MADANG_UNDO}, {other, -1, MADANG_UNDO}};
    const madang_operation up[] = {{one, amount, MADANG_UNDO}, {other, 1, MADANG_UNDO}};
    if (!operate(down, count))
        return;
    pause_now_and_then();
    /* (Who ends now leaves it to the undoing.) */
    if (!is_over())
        give_back(up, count);
}

static void semaphore_turn(void)
{
    uint32_t one = (uint32_t)below(3), other = 1 + (one + 1 + (uint32_t)below(2)) % 3;
    int32_t amount = 1 + (int32_t)below(3);
    uint64_t which = below(4);
    one += 1;
    const madang_operation move[] = {{one, -amount, 0}, {other, amount, 0}};
    if (which == 0)
        count_alone();
    else if (which < 3)
        hold(one, amount, other, which);
    else
        operate(move, 2);
}

/* Locks ----------------------------------------------------------------------------------------------------------- */

static madang_mutex *mutex;
static madang_condition *condition;
static madang_rwlock *rwlock;

static void open_locks(const char *name)
{
    madang_segment *segment;
    madang_segment_options options = {.struct_size = sizeof options, .create = MADANG_CREATE_NEVER};
    if (madang_segment_open(name, &options, &segment) < 0 || madang_mutex_within(segment, 0, &mutex) < 0
        || madang_condition_within(segment, 64, &condition) < 0 || madang_rwlock_within(segment, 512, &rwlock) < 0)
        fail("wrong: open: %s", madang_last_error());
}

static int lock(void)
{
    int died = madang_mutex_lock(mutex, 0, begin_call());
    if (!did("lock", died))
        return 0;
    enter(INSIDE, died);
    return 1;
}

static void unlock(void)
{
    if (madang_mutex_unlock(mutex) < 0)
        fail("wrong: unlock: %s", madang_last_error());
}

static void count(void)
{
    if (!lock())
        return;
    change(COUNTER, 1, BEGUN, DONE);
    leave(INSIDE);
    unlock();
}

static void give_ticket(void)
{
    if (!lock())
        return;
    change(TICKETS, 1, SECOND_BEGUN, SECOND_DONE);
    leave(INSIDE);
    if (madang_condition_notify_one(condition) < 0)
        fail("wrong: notify: %s", madang_last_error());
    unlock();
}

static void take_ticket(void)
{
    if (!lock())
        return;
    while (book[TICKETS] == 0) {
        leave(INSIDE);
        begin_call();
        call_timeout = TIMEOUT_NS;
        int died = madang_condition_wait(condition, mutex, 0, call_timeout);
        if (!did("wait", died)) {
            unlock();
            return;
        }
        enter(INSIDE, died);
    }
    change(TICKETS, -1, THIRD_BEGUN, THIRD_DONE);
    leave(INSIDE);
    unlock();
}

static void unlock_rwlock(void)
{
    if (madang_rwlock_unlock(rwlock) < 0)
        fail("wrong: unlock: %s", madang_last_error());
}

static void read_words(void)
{
    int died = madang_rwlock_lock_read(rwlock, 0, begin_call());
    if (!did("read", died))
        return;
    look_inside(WRITER, died);
    compare(died);
    unlock_rwlock();
}

static void write_words(void)
{
    int died = madang_rwlock_lock_write(rwlock, 0, begin_call());
    if (!did("write", died))
        return;
    enter(WRITER, died);
    compare(died);
    uint64_t next = book[ONE] + 1;
    book[ONE] = next;
    linger();
    book[OTHER] = next;
    leave(WRITER);
    unlock_rwlock();
}

static void lock_turn(void)
{
    uint64_t which = below(4);
    if (which == 0)
        count();
    else if (which == 1 && below(8) < gives)
        give_ticket();
    else if (which == 1)
        take_ticket();
    else if (which == 2)
        write_words();
    else
        read_words();
}

/* A life ---------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    void (*open)(const char *name);
    void (*turn)(void);
} worlds[] = {
    {"queue", open_queue, queue_turn},
    {"semaphores", open_set, semaphore_turn},
    {"messages", open_messages, message_turn},
    {"sysv-semaphores", open_sysv_set, semaphore_turn},
    {"locks", open_locks, lock_turn},
};

static void live(void (*turn)(void))
{
    for (uint64_t turns = 1; !is_over(); turns++) {
        if (turns == fork_at && fork() == 0) {
            begin_life(life + LIVES / 2);
            memset(floors, 0, sizeof floors);
        }
        turn();
        leaf[OPERATIONS]++;
        pause_now_and_then();
    }
    leaf[STATE] = ENDED;
}

int main(int argc, char **argv)
{
    uint64_t *numbers[] = {&life, &seed, &gives, &fork_at, &mix, &lifetime};
    if (argc != 10)
        return EXIT_FAILURE;
    for (int i = 0; i < 6; i++)
        *numbers[i] = strtoull(argv[4 + i], NULL, 10);
    signal(SIGCHLD, SIG_IGN);
    open_book(argv[1]);
    leaf = book + HEAD + life * LEAF;
    for (size_t i = 0; i < sizeof worlds / sizeof worlds[0]; i++)
        if (strcmp(argv[2], worlds[i].name) == 0) {
            worlds[i].open(argv[3]);
            begin_life(life);
            live(worlds[i].turn);
        }
    return EXIT_SUCCESS;
}
