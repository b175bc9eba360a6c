/*
 * madang: inter-process communication for Linux
 * =============================================
 *
 * Queues and segments in shared memory, which processes in C, C++, Rust and Python open by the
 * same name, with the same meaning, the same limits and the same errors.
 *
 *   - Nothing is lost: a process killed at any instruction leaves every other one able to go on,
 *     and every message that was sent is received once.
 *   - Fast as memory: sending and receiving make no system call, unless somebody has to sleep or
 *     memory is used for the first time.
 *   - No daemon, nothing to configure: an object is a file in /dev/shm, with owner and mode.
 *
 *
 * A program
 * ---------
 *
 *     #include <madang.h>
 *     #include <stdio.h>
 *
 *     int main(void)
 *     {
 *         madang_queue *orders;
 *         char text[4096];
 *         int64_t length;
 *
 *         if (madang_queue_open("orders", NULL, &orders) < 0
 *             || madang_queue_send(orders, 7, "two teas", 8, 0, -1) < 0
 *             || (length = madang_queue_recv(orders, 0, text, sizeof text, 0, NULL, -1)) < 0) {
 *             fprintf(stderr, "%s\n", madang_last_error());
 *             return 1;
 *         }
 *         printf("%.*s\n", (int)length, text);
 *         madang_queue_close(orders);
 *         return madang_queue_unlink("orders") < 0;
 *     }
 *
 * Build it with
 *
 *     cc program.c $(pkg-config --cflags --libs madang)
 *
 * or with CMake: find_package(madang), target_link_libraries(program madang::madang). To have the
 * library in the program itself, madang::madang-static, or cc -static and pkg-config --static.
 *
 *
 * Caveats, and what to do about them
 * ----------------------------------
 *
 *   - A queue or segment outlives the processes that use it, until it is unlinked or the machine
 *     stops. Unlink what you no longer need; the command madang ls shows what is there.
 *
 *   - A container's /dev/shm often has only 64 MB, and a full one is -ENOSPC. Start the container
 *     with a larger one (--shm-size), or set MADANG_DIR to the absolute path of a directory on
 *     another tmpfs, the same for all processes. Set-user-id programs ignore it, and segments are
 *     always in /dev/shm.
 *
 *   - A receiver that is killed takes the message that it just received along, as with msgrcv(2).
 *     If somebody must have worked on each message, lease them instead: see below.
 *
 *   - A process that is stopped (SIGSTOP, a debugger) while it is inside a queue is alive, and
 *     the others wait for it. Give calls a timeout: they end with -ETIMEDOUT, or with -EBUSY. Let
 *     the process go on, or kill it: then the next caller repairs what it left.
 *
 *   - Who may write an object may damage it, which the others see as -EUCLEAN or as a wrong
 *     message; or truncate its file, which kills them with SIGBUS. Keep the mode 0600 among
 *     strangers. What belongs to neither this process's user nor root is not opened: -EPERM.
 *
 *   - No function may be called in a signal handler. Set a flag there: a call that waits returns
 *     -EINTR after the handler, whether or not SA_RESTART is set.
 *
 *   - A handler that runs in the few microseconds in which a call goes to sleep is not noticed,
 *     and the call goes on waiting. Where the flag must be seen, wait with a timeout and look
 *     again.
 *
 *   - Don't leave a call by longjmp(3), by a C++ exception from a signal handler, or by
 *     pthread_cancel(3): what happens then is undefined. Let handlers return; in threads that are
 *     cancelled, put pthread_setcancelstate(3) around calls. Nor call fork(2) in a signal handler
 *     that interrupts a call.
 *
 *   - Two libraries written in Rust can't always be linked statically into one program: symbols
 *     would be defined twice. Link one of them dynamically.
 *
 *
 * Errors
 * ------
 *
 * A function that can fail returns a negative errno, such as -ENOENT; 0 and more is success. One
 * that returns a pointer returns NULL, and one that returns a size_t returns 0. madang_last_error()
 * then says in words what was wrong and what to do. The variable errno is not set; what is in it
 * after a call means nothing. What a function is to fill in is written only when it succeeds, with
 * one exception: the length of a message that the buffer is too small for.
 *
 * Each function lists its errors. Besides them:
 *
 *   - In a child of fork(2), the first use of an inherited queue may fail as madang_queue_open()
 *     does: -EUSERS when all places are taken; -EACCES or -ENOENT when the child can't open its
 *     file; -EMFILE, -ENFILE, -ENOMEM.
 *
 *   - What system calls fail with where the disk or the directory is odd (-ENOTDIR, -EROFS,
 *     -EDQUOT, -ENOLCK) is returned as it is.
 *
 *   - -EIO is a bug in madang: madang_last_error() has the text for its report.
 *
 * When memory is exhausted, madang aborts the process.
 *
 *
 * Time
 * ----
 *
 * timeout_ns is in nanoseconds: negative waits for ever, 0 does not wait for a message or for room.
 * Even with 0 a call may wait up to a second for another participant who is inside the same end of
 * the queue, usually for microseconds; then it is -EBUSY. With MADANG_INSTANT it doesn't.
 *
 * With MADANG_DEADLINE timeout_ns is a time on CLOCK_MONOTONIC instead. So a call that returned
 * -EINTR can be made again with the same arguments, and ends when the first one would have:
 *
 *     struct timespec now;
 *     int64_t until, length;
 *     clock_gettime(CLOCK_MONOTONIC, &now);
 *     until = (now.tv_sec + 5) * 1000000000LL + now.tv_nsec;
 *     do length = madang_queue_recv(orders, 0, text, sizeof text, MADANG_DEADLINE, NULL, until);
 *     while (length == -EINTR);
 *
 *
 * Leases and reservations
 * -----------------------
 *
 * What is received is gone from the queue, whatever becomes of the receiver. What is leased is the
 * queue's until it is acknowledged: if the process dies before, others receive it. And it is read
 * where it lies, without a copy:
 *
 *     madang_message message = { .struct_size = sizeof message };
 *     madang_lease *lease;
 *     int64_t length = madang_queue_lease(orders, 0, 0, &message, -1, &lease);
 *     if (length >= 0) {
 *         if (message.flags & MADANG_REDELIVERED)
 *             look_whether_it_is_done(message.sequence);
 *         brew(madang_lease_data(lease), length);
 *         madang_lease_ack(lease);
 *     }
 *
 * A reservation is a place in the queue for a message, which is written where it will be received.
 * Nobody sees it until it is committed. Both hinder nobody, however long they are held.
 *
 *     madang_reservation *place;
 *     if (madang_queue_reserve(orders, 4096, 0, -1, &place) == 0) {
 *         size_t written = write_order(madang_reservation_data(place), 4096);
 *         if (madang_reservation_commit(place, 7, written, 0, -1) < 0)
 *             madang_reservation_drop(place);
 *     }
 *
 * What is leased may be sent on as it lies there, and a message may be received into a reservation.
 *
 *
 * Batches
 * -------
 *
 * Many small messages cost a fraction if they are sent, and received, with one call:
 *
 *     madang_item items[2] = {{1, "two teas", 8}, {2, "one coffee", 10}};
 *     madang_message messages[32] = {{.struct_size = sizeof messages[0]}};
 *     int64_t sent = madang_queue_send_many(orders, items, 2, 0, -1);
 *     int64_t count = madang_queue_recv_many(orders, 0, text, sizeof text, messages, 32, 0, -1);
 *     size_t at = 0;
 *     for (int64_t i = 0; i < count; i++) {
 *         printf("%.*s\n", (int)messages[i].length, text + at);
 *         at += (messages[i].length + 7) / 8 * 8;
 *     }
 *
 * A message whose bytes lie in several pieces is sent by madang_queue_sendv().
 *
 *
 * Waiting for several things at once
 * ----------------------------------
 *
 * madang_queue_fd() gives a descriptor for poll(2), select(2), epoll(7), and every event loop that
 * is built on them. Readable means: try. It stays readable until a call finds nothing, -EAGAIN:
 *
 *     struct pollfd what[] = { { madang_queue_fd(orders, MADANG_FD_RECV), POLLIN, 0 },
 *                              { listener, POLLIN, 0 } };
 *     for (;;) {
 *         while ((length = madang_queue_recv(orders, 0, text, sizeof text, 0, NULL, 0)) >= 0)
 *             serve(text, length);
 *         if (length != -EAGAIN)
 *             break;
 *         if (poll(what, 2, -1) > 0 && what[1].revents)
 *             welcome(listener);
 *     }
 *
 *
 * Structs
 * -------
 *
 * Every struct but madang_item begins with struct_size, which the caller sets to the struct's
 * sizeof: once, for it is left as it is. So structs can grow at their end, and old programs run
 * with new libraries and the other way round. In a struct of options, a field that is 0 means its
 * default; NULL for the struct means all defaults. Set what you don't use to 0:
 *
 *     madang_queue_options options = { .struct_size = sizeof options, .capacity = 4 << 20 };
 *
 * and in C++
 *
 *     madang_queue_options options = {};
 *     options.struct_size = sizeof options;
 *     options.capacity = 4 << 20;
 *
 *
 * Pointers
 * --------
 *
 * NULL where none is allowed is -EFAULT. Any other pointer must be what its type says, with as
 * many bytes as the length beside it says: that can't be checked. A text ends with a NUL. During a
 * call no other thread, nor another process, may change what the call reads, or touch what it fills
 * in.
 *
 *
 * Threads, fork, exec
 * -------------------
 *
 * Any thread may call any function at any time, and several may use one handle at once. Only what
 * closes a handle, or ends a lease or a reservation, is different: nobody else may be inside with
 * it then. Several handles of one object in one process are participants of their own.
 *
 * A child of fork(2) may use the handles that it has inherited. It takes part on its own then, and
 * takes one of max_participants places at the first use. Parent and child each close their handle,
 * in any order. Leases and reservations are the parent's alone: the child's copies do nothing, and
 * are only to be ended. After exec(2) nothing is left. A child of vfork(2) must not call anything
 * here.
 */


#ifndef MADANG_H
#define MADANG_H

/* Made by cbindgen from capi/: change it there, then `make header`. */

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

// The version that this header belongs to, in three numbers.
#define MADANG_VERSION_MAJOR 0

// See MADANG_VERSION_MAJOR.
#define MADANG_VERSION_MINOR 1

// See MADANG_VERSION_MAJOR.
#define MADANG_VERSION_PATCH 0

// The version that this header belongs to, in one number that only grows: 0x010203 is 1.2.3.
#define MADANG_VERSION (((MADANG_VERSION_MAJOR << 16) | (MADANG_VERSION_MINOR << 8)) | MADANG_VERSION_PATCH)

// Flag of calls that wait: timeout_ns is not a duration but a time on CLOCK_MONOTONIC, as
// clock_gettime(2) gives it, in nanoseconds. One that has passed means one last try, then
// -ETIMEDOUT. Negative still waits for ever.
#define MADANG_DEADLINE 1

// Flag of calls that wait: don't wait, and don't sleep even for another participant who is inside
// the same end of the queue for its one small copy: -EBUSY after some microseconds. timeout_ns must
// be 0. For callers who hold a lock of their own meanwhile.
#define MADANG_INSTANT 2

// create: opens what exists, else creates it. Two processes that do so at once get the same object.
// The default.
#define MADANG_CREATE_IF_MISSING 0

// create: only opens what exists, otherwise -ENOENT.
#define MADANG_CREATE_NEVER 1

// create: only creates, -EEXIST if the name is taken.
#define MADANG_CREATE_ONLY 2

// Option flag: opens it although it belongs to another user than this process's or root. That user
// can do with it what he likes: read it, damage it, or truncate it, which kills this process with
// SIGBUS. For users who trust each other.
#define MADANG_ANY_OWNER (1 << 8)

// Option flag of segments: opens it only to be read. Writing to it then kills the process with
// SIGSEGV. It must exist.
#define MADANG_READ_ONLY (1 << 9)

// Option flag of queues: this handle alone sends, as long as it is open; other senders, and whoever
// asks for the same, get -EBUSY. Sending costs least then. It is bound to the first thread that
// uses it, and to this process: a forked child sends as others do. -ENOTSUP where membarrier(2) is
// forbidden.
#define MADANG_EXCLUSIVE_SENDER (1 << 11)

// Option flag of queues: as MADANG_EXCLUSIVE_SENDER, for receiving.
#define MADANG_EXCLUSIVE_RECEIVER (1 << 12)

// Flag of madang_list(): segments too, that is every regular file in /dev/shm that isn't madang's,
// whoever made it, by whatever means.
#define MADANG_SEGMENTS (1 << 10)

// which, for madang_queue_fd(): readable when there may be something to receive.
#define MADANG_FD_RECV 0

// which, for madang_queue_fd(): readable when there may be room for the message that the last send
// with this handle found no room for.
#define MADANG_FD_SEND 1

// kind: one that this version of madang doesn't know.
#define MADANG_KIND_OTHER 0

// kind: a queue.
#define MADANG_KIND_QUEUE 1

// kind: a segment.
#define MADANG_KIND_SEGMENT 2

// kind: a set of semaphores.
#define MADANG_KIND_SEMAPHORE_SET 3

// Flag of madang_participant: it lives.
#define MADANG_LIVES 1

// Flag of madang_participant: it is the very handle that was asked.
#define MADANG_IS_ME 2

// Flag of receiving and leasing: select is a type, and the first message that is *not* of it is
// wanted.
#define MADANG_EXCEPT 4

// Flag of madang_queue_recv(): a message that the buffer is too small for is cut, and what doesn't
// fit is lost. madang_message says so with MADANG_TRUNCATED.
#define MADANG_TRUNCATE 8

// Flag of madang_queue_recv(): the message stays in the queue, and select is its position there.
#define MADANG_PEEK 16

// Flag of madang_message: the buffer was too small, and length is more than what was received. It
// is the same number as MADANG_TRUNCATE, as MSG_TRUNC is both for recvmsg(2).
#define MADANG_TRUNCATED MADANG_TRUNCATE

// Flag of madang_message: it was handed out before by a lease that was not acknowledged.
// redelivered says how often.
#define MADANG_REDELIVERED 32

// Flag of madang_operation: it is taken back when the handle is closed, or its process ends in any
// way (SEM_UNDO).
#define MADANG_UNDO 1

// Flag of madang_operation: if it can't be done at once, the whole array fails with -EAGAIN
// (IPC_NOWAIT).
#define MADANG_NO_WAIT 2

// A message that was handed out, but is still the queue's.
//
// madang_lease_ack() says that it is done with: then it leaves the queue. madang_lease_release(),
// or the death of the process, lets it be received again, in its old place among the others, marked
// MADANG_REDELIVERED. So what is done before the acknowledgement is done at least once.
//
// However long it is held, a lease hinders nobody, but the message counts as held by the queue. It
// may outlive the queue's handle. A child of fork(2) has only a copy: ending that gives
// -EOWNERDEAD, frees its memory, and leaves the parent's lease alone.
typedef struct madang_lease madang_lease;

// Memory that this process shares with others: what one gets by mapping System V or POSIX shared
// memory, a file, or a memfd. It stays mapped until madang_mapping_close(), whatever becomes of the
// handle that it was made with.
//
// What several processes write there at once they must order among themselves: with semaphores, or
// with atomics. Who may truncate the file behind it may kill with SIGBUS whoever then touches what
// was cut off (mmap(2)).
typedef struct madang_mapping madang_mapping;

// An open queue.
//
// A bounded queue of messages in shared memory, for any number of senders and receivers in any
// processes and languages. A message is a type greater than 0 and some bytes, perhaps none.
// Messages are received in the order in which they were sent, or by their types. The queue lives
// until madang_queue_unlink(), with what it holds, though nobody has it open.
//
// A message whose send returned 0 is there. One whose sender was killed while sending is there
// wholly or not at all. A receive hands over when it returns: who is killed right after it takes
// the message along, as with msgrcv(2). With a lease it would come back: see madang_queue_lease().
typedef struct madang_queue madang_queue;

// A place in a queue for one message, which is written where it will be received.
//
// madang_reservation_commit() sends it, after all that were sent in the meantime.
// madang_reservation_drop(), or the death of the process, gives the place back.
//
// However long it is held, a reservation hinders nobody. It may outlive the queue's handle. A child
// of fork(2) has only a copy: to commit it is -EOWNERDEAD, and dropping it leaves the parent's
// alone.
typedef struct madang_reservation madang_reservation;

// An open segment.
//
// Plain named bytes in shared memory, the same object as shm_open("/name") makes (shm_overview(7));
// whatever maps that can share it. What several processes write there at once they must order among
// themselves: with a queue, or with atomics. It lives until madang_segment_unlink() or
// shm_unlink(3), though nobody has it open.
typedef struct madang_segment madang_segment;

// An open set of semaphores.
//
// A semaphore is a number in shared memory that is never below 0; processes in any language change
// it, and wait until it is large enough, or 0. Several are changed together, or none of them, as
// semop(2) does it. Those who sleep are served in the order in which they came; who comes just then
// may be quicker. The set lives until madang_semaphore_set_unlink(), though nobody has it open.
//
// What is done with MADANG_UNDO is taken back when the handle is closed or its process ends, be it
// by SIGKILL: at once for whoever looks, and within 300 ms for who sleeps.
typedef struct madang_semaphore_set madang_semaphore_set;

// What is said of a message that was received or leased.
typedef struct {
    // sizeof(madang_message), set by the caller
    uint32_t struct_size;
    // MADANG_REDELIVERED, MADANG_TRUNCATED, both with |, or 0
    uint32_t flags;
    // Its type, greater than 0
    int64_t type;
    // Its length in bytes. After -E2BIG: what the buffer needs; nothing else is written then.
    uint64_t length;
    // How many messages were sent to this queue before it. No other message of the queue has the
    // same: by this who receives one for the second time can tell.
    uint64_t sequence;
    // How often it was handed out before by leases that were not acknowledged; 65,535 is that, or
    // more
    uint32_t redelivered;
    // 0 in this version
    uint32_t reserved;
} madang_message;

// Half-made objects, left by processes that were killed.
typedef struct {
    // sizeof(madang_left_over), set by the caller
    uint32_t struct_size;
    // 0 in this version
    uint32_t flags;
    // How many there are, or were
    uint64_t files;
    // Bytes of memory that they take, or took
    uint64_t bytes;
    // How many others there are of other users, which only these or root can judge and remove
    uint64_t others;
} madang_left_over;

// An object that exists.
typedef struct {
    // sizeof(madang_listed), set by the caller in the first of them
    uint32_t struct_size;
    // MADANG_KIND_QUEUE, _SEMAPHORE_SET, _SEGMENT or _OTHER
    uint32_t kind;
    // Its file's size in bytes: of a segment its length, of all else what it may ever take
    uint64_t size;
    // Bytes of memory that it takes
    uint64_t allocated;
    // Permission bits
    uint32_t mode;
    // The owner's user id
    uint32_t uid;
    // The owner's group id
    uint32_t gid;
    // 0, or what opening it would return: as -EUCLEAN, -EPROTO, -EACCES, -EPERM. To open it says in
    // words why.
    int32_t error;
    // The name by which it is opened, and a NUL
    char name[256];
} madang_listed;

// How a queue is opened: struct_size, and what shall not be the default. What a queue is like is
// decided when it is created; of one that exists, capacity, max_messages and max_participants are
// what it must have at least.
typedef struct {
    // sizeof(madang_queue_options)
    uint32_t struct_size;
    // 0, or MADANG_ANY_OWNER, MADANG_EXCLUSIVE_SENDER, MADANG_EXCLUSIVE_RECEIVER
    uint32_t flags;
    // The most bytes that it holds, 1 to 2^40; also the longest message. Default 1 MiB. Counted are
    // the messages' own bytes; what madang needs to keep them comes on top. Memory is taken as it
    // is used, and then kept until the queue is unlinked.
    uint64_t capacity;
    // The most messages that it holds, 1 to 2^32. Default: the lesser of capacity and 65,536.
    uint64_t max_messages;
    // How many handles of it may be open in all processes together, 1 to 65,534. Default 1,024.
    uint32_t max_participants;
    // The permission bits of a new queue, exactly: no umask. Default 0600. Who takes part needs to
    // read and to write.
    uint32_t mode;
    // MADANG_CREATE_IF_MISSING, the default; MADANG_CREATE_NEVER; MADANG_CREATE_ONLY
    uint32_t create;
    // After how many leases that were not acknowledged a message of a new queue goes to the queue
    // dead_letters, 1 to 65,535, instead of being leased again. Default 0: never.
    uint32_t deliveries;
    // The name of that queue, which is made when it is first needed; NULL if deliveries is 0. If it
    // is full or can't be had, the message is leased all the same. An existing queue keeps what it
    // was made with.
    const char *dead_letters;
} madang_queue_options;

// A message to be sent with others. Never grows, so it needs no struct_size.
typedef struct {
    // Greater than 0
    int64_t type;
    // Its bytes, which are copied; may be NULL if there are none
    const void *data;
    // How many, 0 to the queue's capacity
    size_t length;
} madang_item;

// What a queue is and holds.
typedef struct {
    // sizeof(madang_queue_status), set by the caller
    uint32_t struct_size;
    // How many handles of it may be open
    uint32_t max_participants;
    // The most bytes that it holds; also the longest message
    uint64_t capacity;
    // The most messages that it holds
    uint64_t max_messages;
    // Bytes held
    uint64_t bytes;
    // Messages held
    uint64_t messages;
    // Messages ever sent to it
    uint64_t sent;
    // Messages ever received from it
    uint64_t received;
    // How often the living repaired what a killed process left half done
    uint64_t repairs;
    // Bytes of memory that it takes
    uint64_t allocated;
    // Handles of it that are open in living processes
    uint32_t participants;
    // Permission bits
    uint32_t mode;
    // The owner's user id
    uint32_t uid;
    // The owner's group id
    uint32_t gid;
    // Of the messages held, how many are leased
    uint64_t leased;
} madang_queue_status;

// An open handle of a queue, or what a dead one left in its place.
typedef struct {
    // sizeof(madang_participant), set by the caller in the first of them
    uint32_t struct_size;
    // MADANG_LIVES, MADANG_IS_ME, both with |, or 0: it is dead, and its place goes to whoever
    // needs it
    uint32_t flags;
    // When it joined: nanoseconds on CLOCK_MONOTONIC
    uint64_t joined_ns;
    // The process that opened it, as its own pid namespace numbers it: in another container that
    // number may be another process's, or nobody's
    uint32_t pid;
    // 0 in this version
    uint32_t reserved;
} madang_participant;

// How a segment is opened: struct_size, and what shall not be the default.
typedef struct {
    // sizeof(madang_segment_options)
    uint32_t struct_size;
    // 0, MADANG_ANY_OWNER, MADANG_READ_ONLY, or both with |
    uint32_t flags;
    // Bytes: of a new segment exactly, of an existing one at least. 0, the default, takes one that
    // exists as it is, and creates none.
    uint64_t length;
    // The permission bits of a new segment, exactly: no umask. Default 0600.
    uint32_t mode;
    // MADANG_CREATE_IF_MISSING, the default; MADANG_CREATE_NEVER; MADANG_CREATE_ONLY
    uint32_t create;
} madang_segment_options;

// How a set of semaphores is opened: struct_size, and what shall not be the default. What a set is
// like is decided when it is created; of one that exists, semaphores, max_value and
// max_participants are what it must have at least.
typedef struct {
    // sizeof(madang_semaphore_set_options)
    uint32_t struct_size;
    // 0, or MADANG_ANY_OWNER
    uint32_t flags;
    // The values with which the semaphores of a new set begin, one for each; NULL is 0 for all.
    // Nobody ever sees it without them. An existing set keeps its own.
    const uint32_t *values;
    // How many semaphores it has, 1 to 65,536. Default 1.
    uint32_t semaphores;
    // The largest value that one may have, 1 to 2^31 - 1. Default that. (semget(2)'s have 32,767.)
    uint32_t max_value;
    // How many handles of it may be open in all processes together, and how many can wait in order:
    // 1 to 65,534. Default 1,024.
    uint32_t max_participants;
    // The permission bits of a new set, exactly: no umask. Default 0600. Who takes part needs to
    // read and to write.
    uint32_t mode;
    // MADANG_CREATE_IF_MISSING, the default; MADANG_CREATE_NEVER; MADANG_CREATE_ONLY
    uint32_t create;
    // 0 in this version
    uint32_t reserved;
} madang_semaphore_set_options;

// One operation on one semaphore of a set, as struct sembuf of semop(2). As madang_item it has no
// struct_size: it will never grow.
typedef struct {
    // The semaphore; the first is 0
    uint32_t index;
    // What is added to its value, which never goes below 0: it is waited for until it is large
    // enough. 0 waits until it is 0.
    int32_t delta;
    // MADANG_UNDO, MADANG_NO_WAIT, both with |, or 0
    uint32_t flags;
} madang_operation;

// What a set of semaphores is.
typedef struct {
    // sizeof(madang_semaphore_set_status), set by the caller
    uint32_t struct_size;
    // How many semaphores it has
    uint32_t semaphores;
    // The largest value that one may have
    uint32_t max_value;
    // How many handles of it may be open
    uint32_t max_participants;
    // How often the living repaired what a killed process left half done
    uint64_t repairs;
    // Bytes of memory that it takes
    uint64_t allocated;
    // Handles of it that are open in living processes
    uint32_t participants;
    // Permission bits
    uint32_t mode;
    // The owner's user id
    uint32_t uid;
    // The owner's group id
    uint32_t gid;
} madang_semaphore_set_status;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The version of the library that is running, written as MADANG_VERSION is.
//
// Programs built with an older header of the same major version run with a newer library. Within
// 0.x the second number counts as the major one. Never fails; any thread may call it at any time.
uint32_t madang_version(void);

// Says in words why this thread's last failed call of madang failed: what was being done to what,
// why it could not be, what to do about it, and the errno.
//
// Returns a text, never NULL. A call that succeeds doesn't change it. It is valid until the
// thread's next call of a function of madang, or its end. Doesn't block; other threads have texts
// of their own.
const char *madang_last_error(void);

// Says what an errno means where madang returns it. Takes it as it was returned, or as it is in
// errno.h: the sign doesn't matter. madang_last_error() knows more about one failure; this one
// needs no failure to have happened.
//
// Returns a text that is valid for ever, never NULL. Doesn't block; any thread may call it at any
// time.
const char *madang_strerror(int error);

// Where its first byte lies: madang_mapping_size() bytes, aligned to a page, until it is closed.
//
// Returns an address; NULL if it was closed or is NULL (madang_last_error() tells). Doesn't wait.
// Any thread may call it at any time.
void *madang_mapping_data(const madang_mapping *mapping);

// How many bytes are mapped.
//
// Returns 1 or more; 0 if it was closed or is NULL (madang_last_error() tells). Doesn't wait. Any
// thread may call it at any time.
size_t madang_mapping_size(const madang_mapping *mapping);

// Whether it may be written.
//
// Returns 1 or 0; -EBADF if it was closed, -EFAULT if it is NULL. So compare it with 1: the errors
// are true, too. Doesn't wait. Any thread may call it at any time.
int madang_mapping_is_writable(const madang_mapping *mapping);

// Unmaps it: pointers into it are dead. No other thread may be inside a call with it.
//
// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
int madang_mapping_close(madang_mapping *mapping);

// A descriptor to wait on in poll(2), select(2), epoll(7) and what is built on them, for one of
// MADANG_FD_RECV and MADANG_FD_SEND.
//
// Always ask whether it is readable (POLLIN), also of MADANG_FD_SEND. Readable means "try", no
// more: another may have been faster, and now and then it is readable for nothing. It stays so
// until a call with this handle finds nothing, -EAGAIN or -ETIMEDOUT; from then on a message, or
// room, makes it readable again. So call with timeout_ns 0 until there is nothing, or poll before
// each call: both are right, also with edge-triggered epoll. There is nothing to arm.
//
// It is the handle's: the same at each call, and closed by madang_queue_close(); take it out of an
// epoll before. Don't read it, and don't close it. A child of fork(2) that waits by it calls this
// first; the number stays the same unless the child closed it. Threads that wait for different
// types of messages open a handle each. What waits by it wakes up to four times a second for
// nothing, since a sender may be killed before it can tell.
//
// Each of the two takes three descriptors, and one inotify instance (inotify(7)), of which a user
// has 128 unless the sysctl fs.inotify.max_user_instances says otherwise.
//
// Returns 0 or more, the descriptor; or
//   -EMFILE      the user's inotify instances, or the process's descriptors, are used up
//   -ENOSPC      the user's inotify watches are used up: fs.inotify.max_user_watches
//   -EINVAL      which is neither
//   -ENFILE, -ENOMEM
//                as with open(2)
//   -EOWNERDEAD, -ENOENT
//                as with madang_queue_send()
//   -EBADF       queue was closed
//   -EFAULT      queue is NULL
//
// Doesn't wait. Any thread may call it at any time.
int madang_queue_fd(madang_queue *queue, int which);

// Leases a message: it is read where it lies, without a copy, and comes back if this process dies.
//
// select and flags are as with madang_queue_recv(), but for MADANG_TRUNCATE and MADANG_PEEK, which
// make no sense here. While there is no such message it waits, for timeout_ns nanoseconds at most;
// 0 doesn't wait, negative waits for ever. If message is not NULL, what there is to say of the
// message is written into *message; set message->struct_size before, once.
//
// *lease is written only on success; give it to madang_lease_ack() or madang_lease_release() in the
// end. Who ends without either leaves the message to others, when the process is gone.
//
// Returns the message's length, 0 or more, or
//   -EAGAIN      there is no such message, and timeout_ns is 0
//   -EBUSY       timeout_ns is 0, and another receiver, who is inside, doesn't get on for a second;
//                with MADANG_INSTANT, for some microseconds. Or another handle has that
//                end of the queue to itself
//   -ETIMEDOUT   the time is over
//   -EINTR       a signal handler ran while it waited
//   -EINVAL      an unknown flag; select is not greater than 0 with MADANG_EXCEPT; or
//                message->struct_size is not set
//   -ENOSPC      there is no memory in /dev/shm (or MADANG_DIR) to keep the message, or those
//                before it, outside the ring: receive some, or end leases
//   -ENOENT      to take that memory it needs the queue's file: as with madang_queue_send()
//   -EOWNERDEAD  the other participants found this handle dead and went on without it: close it,
//                and open it anew
//   -EUCLEAN     the queue is damaged
//   -EBADF       queue was closed
//   -EFAULT      queue or lease is NULL
// Whatever the error, nothing was leased, and *message was not written; but for -EOWNERDEAD, after
// which a message may come back.
//
// Any thread may call it at any time, while others send and receive with the same handle. Each
// message is leased to one at a time.
int64_t madang_queue_lease(madang_queue *queue,
                           int64_t select,
                           uint32_t flags,
                           madang_message *message,
                           int64_t timeout_ns,
                           madang_lease **lease);

// Where the message's first byte lies: madang_lease_length() bytes, aligned to 64, until the lease
// ends. They are shared memory: read them, but don't write there. In a child of fork(2) they may
// become another message's at any time.
//
// Returns an address, also for a message without bytes; NULL if the lease has ended or is NULL
// (madang_last_error() tells). Doesn't wait. Any thread may call it at any time.
const void *madang_lease_data(const madang_lease *lease);

// How many bytes the message has.
//
// Returns 0 or more; 0 if the lease has ended or is NULL (madang_last_error() tells). Doesn't wait.
// Any thread may call it at any time.
size_t madang_lease_length(const madang_lease *lease);

// Acknowledges: the message is done with, and leaves the queue. Ends the lease, whatever it
// returns.
//
// No other thread may be inside a call with this lease, or read what madang_lease_data() gave.
// Using it afterwards is -EBADF, until 1,024 more leases of the process have ended; then it is
// undefined.
//
// Returns 0, or
//   -EOWNERDEAD  the lease is another process's, whose child this is; or the other participants
//                found the handle dead and went on without it. The message will be, or was,
//                received by others.
//   -EUCLEAN     the queue is damaged
//   -EBADF       the lease has ended before
//   -EFAULT      lease is NULL
//
// Doesn't wait for messages or room. Any thread may call it, also another than the one that leased.
int madang_lease_ack(madang_lease *lease);

// Gives the message back: it is received again, in its old place among the others, marked
// MADANG_REDELIVERED. Ends the lease, whatever it returns.
//
// Everything else is as with madang_lease_ack(), but that it waits for another receiver who is
// inside the queue, for as long as he takes (he may be stopped).
int madang_lease_release(madang_lease *lease);

// Removes what processes left that were killed while they made an object. That is rare: where
// /dev/shm is a tmpfs and /proc is mounted, nothing can be left. Objects that are whole are never
// touched.
//
// removed may be NULL; otherwise it is told what was removed.
//
// Returns 0; -ENOENT, -ENOTDIR or -EACCES if the directory can't be read; -EINVAL if struct_size is
// not set, or MADANG_DIR is not an absolute path. Doesn't wait. Any thread may call it at any time,
// while others make objects.
int madang_gc(madang_left_over *removed);

// Tells what madang_gc() would remove.
//
// Returns as madang_gc() does, and -EFAULT if found is NULL. Doesn't wait. Any thread may call it
// at any time.
int madang_left_overs(madang_left_over *found);

// Lists the objects that exist: queues and sets of semaphores, by kind and name.
//
// objects is an array of capacity structs, of which only the first one's struct_size need be set.
// flags: 0; MADANG_SEGMENTS, MADANG_ANY_OWNER, or both with |. What can't be opened is listed too:
// its error says why.
//
// Returns how many there are, of which the first capacity are written: as with snprintf(3), a
// larger number says that the array is too small. With capacity 0, objects may be NULL. Or
//   -ENOENT, -ENOTDIR, -EACCES
//              the directory can't be read
//   -EINVAL    an unknown flag; struct_size is not set; or MADANG_DIR is not an absolute path
//   -EFAULT    objects is NULL, and capacity is not 0
//   -EMFILE, -ENFILE
//              as with open(2)
//
// Doesn't wait. Any thread may call it at any time; others make and remove objects meanwhile.
int64_t madang_list(uint32_t flags, madang_listed *objects, size_t capacity);

// Opens the queue called name, or creates it.
//
// name is 1 to 242 bytes of UTF-8 without '/'. The queue is the file madang.queue.<name> in
// /dev/shm, or in the directory whose absolute path the environment variable MADANG_DIR has; in
// set-user-id programs that is ignored. options may be NULL: all defaults. *queue is written only
// on success; give it to madang_queue_close() in the end. Until then it keeps one descriptor.
//
// Returns 0, or
//   -EINVAL        a bad name, limit, flag or struct_size; the existing queue is smaller than
//                  asked for; or MADANG_DIR is not an absolute path
//   -ENAMETOOLONG  the name
//   -ENOENT        there is none, and create is MADANG_CREATE_NEVER; or the directory that
//                  MADANG_DIR names is missing
//   -EEXIST        there is one, and create is MADANG_CREATE_ONLY
//   -EACCES        its permission bits don't let this process read and write it
//   -EPERM         it belongs to another user, who may have planted it: see MADANG_ANY_OWNER
//   -EISDIR, -ELOOP, -ENODEV, -ENXIO
//                  the name is a directory's, a symbolic link's, or that of some other thing that
//                  is no regular file
//   -EPROTOTYPE    the name is that of an object of another kind
//   -EPROTO        it was made by a version of madang with another layout
//   -EUCLEAN       it is damaged
//   -ENOSPC        /dev/shm (or MADANG_DIR) is full; a container's often has 64 MB
//   -EUSERS        max_participants handles are open
//   -EBUSY         others keep making and removing it: try again
//   -E2BIG         options sets a field that this version doesn't have
//   -EFAULT        name or queue is NULL
//   -ENOMEM, -EMFILE, -ENFILE
//                  as with open(2) and mmap(2)
//
// Doesn't wait. Any thread may call it at any time. A process may open a queue several times.
int madang_queue_open(const char *name, const madang_queue_options *options, madang_queue **queue);

// Sends a message: a type greater than 0, and length bytes at data, which are copied.
//
// length is 0 to the queue's capacity; where it is 0, data may be NULL. flags: 0, MADANG_DEADLINE
// or MADANG_INSTANT. While the queue is full it waits, for timeout_ns nanoseconds at most; 0
// doesn't wait, negative waits for ever.
//
// Returns 0, or
//   -EAGAIN      the queue is full, and timeout_ns is 0
//   -EBUSY       timeout_ns is 0, and another sender, who is inside, doesn't get on for a second;
//                with MADANG_INSTANT, for some microseconds. Or another handle has that
//                end of the queue to itself
//   -ETIMEDOUT   the time is over
//   -EINTR       a signal handler ran while it waited
//   -EINVAL      type is not greater than 0, or an unknown flag
//   -EMSGSIZE    the message is longer than the queue's capacity
//   -ENOSPC      there is no memory for the message in /dev/shm (or MADANG_DIR)
//   -ENOENT      to take memory for the message it needs the queue's file, but the program closed
//                the handle's descriptor, and the name doesn't lead to that file any more
//   -EOWNERDEAD  the other participants found this handle dead and went on without it: close it,
//                and open it anew
//   -EUCLEAN     the queue is damaged
//   -EBADF       queue was closed
//   -EFAULT      queue is NULL, or data is and length is not 0
// Whatever the error, the message was not sent; but for -EOWNERDEAD, after which it may have been.
//
// Any thread may call it at any time, while others send and receive with the same handle.
int madang_queue_send(madang_queue *queue,
                      int64_t type,
                      const void *data,
                      size_t length,
                      uint32_t flags,
                      int64_t timeout_ns);

// Receives a message: its bytes into buffer, which has room for capacity bytes, and if message is
// not NULL, what there is to say of it into *message. Set message->struct_size before, once.
//
// select says which message, as msgrcv(2)'s msgtyp:
//   0   the first one
//   t   the first one of type t
//   -t  of the lowest type that there is, if it is not above t, the first one
//
// flags: 0, or these with |
//   MADANG_EXCEPT    with select t: the first one that is not of type t
//   MADANG_TRUNCATE  if it is longer than capacity, its first capacity bytes are received, and the
//                    rest is lost; message->length still is its whole length, and message->flags
//                    has MADANG_TRUNCATED
//   MADANG_PEEK      it stays. select is its position: how many others, of those that are not
//                    leased, come before it. timeout_ns must be 0, for this never waits for a
//                    message.
//   MADANG_DEADLINE or MADANG_INSTANT
// MADANG_PEEK goes with MADANG_TRUNCATE and MADANG_INSTANT only.
//
// While there is no such message it waits, for timeout_ns nanoseconds at most; 0 doesn't wait,
// negative waits for ever. Messages that are not selected hinder nobody, however many they are; but
// the queue may have to set some of them aside first, which takes memory.
//
// Returns how many bytes of buffer were filled, 0 or more: the message's length, unless it was cut.
// Or
//   -EAGAIN      there is no such message, and timeout_ns is 0
//   -E2BIG       the message is longer than capacity: it stays, and message->length says how long
//                it is
//   -EBUSY       timeout_ns is 0, and another receiver, who is inside, doesn't get on for a second;
//                with MADANG_INSTANT, for some microseconds. Or another handle has that
//                end of the queue to itself
//   -ETIMEDOUT   the time is over
//   -EINTR       a signal handler ran while it waited
//   -EINVAL      an unknown flag, or flags that exclude each other; select is not greater than 0
//                with MADANG_EXCEPT, or negative with MADANG_PEEK; timeout_ns is not 0 with
//                MADANG_PEEK; or message->struct_size is not set
//   -ENOSPC      there is no memory to set aside the messages before the selected one: receive some
//                of those, or end leases
//   -ENOENT      to take that memory it needs the queue's file: as with madang_queue_send()
//   -EOWNERDEAD  the other participants found this handle dead and went on without it: close it,
//                and open it anew
//   -EUCLEAN     the queue is damaged
//   -EBADF       queue was closed
//   -EFAULT      queue is NULL, or buffer is and capacity is not 0
// Whatever the error, nothing was received; but for -EOWNERDEAD, after which a message may have
// been. *message was not written (but for its length on -E2BIG), and what is in buffer is
// undefined.
//
// Any thread may call it at any time, while others send and receive with the same handle. Each
// message goes to one.
int64_t madang_queue_recv(madang_queue *queue,
                          int64_t select,
                          void *buffer,
                          size_t capacity,
                          uint32_t flags,
                          madang_message *message,
                          int64_t timeout_ns);

// Sends count messages, in this order. Many small ones cost a fraction of as many sends.
//
// flags: 0, MADANG_DEADLINE or MADANG_INSTANT. While the queue is full it waits, for timeout_ns
// nanoseconds at most, for all of them together; 0 doesn't wait, negative waits until all are sent.
//
// They need not be received together, nor is sending them one step: others' messages may come in
// between, and who is killed on the way has sent the first of them.
//
// Returns how many it sent, the first of them: 1 to count; 0 only if count is 0. Less than count
// means that what would be an error came up after some were sent: send the rest again to learn it.
// If none was sent it returns the errors of madang_queue_send(); and
//   -EINVAL, -EMSGSIZE, -EFAULT
//                also for any of the items: madang_last_error() has its index; then none was sent
//   -EFAULT      items is NULL and count is not 0
//
// Any thread may call it at any time, while others send and receive with the same handle.
int64_t madang_queue_send_many(madang_queue *queue,
                               const madang_item *items,
                               size_t count,
                               uint32_t flags,
                               int64_t timeout_ns);

// Sends one message whose bytes lie in several pieces, one after the other, as writev(2) does:
// nobody has to put them together before.
//
// pieces is an array of count struct iovec (sys/uio.h); where iov_len is 0, iov_base may be NULL.
// All else as madang_queue_send().
//
// Returns 0, or the errors of madang_queue_send(); -EFAULT also if pieces is NULL and count is not
// 0; -EINVAL also if a piece is larger than any memory.
//
// Any thread may call it at any time, while others send and receive with the same handle.
int madang_queue_sendv(madang_queue *queue,
                       int64_t type,
                       const struct iovec *pieces,
                       size_t count,
                       uint32_t flags,
                       int64_t timeout_ns);

// Receives the first messages, as many as there are, buffer has room for and count allows: their
// bytes into buffer, which has room for capacity bytes, and what there is to say of them into
// messages, which has room for count. It waits only for the first.
//
// The first message begins where buffer does, and each other one at the next multiple of 8 bytes
// behind the one before. select, flags and timeout_ns as with madang_queue_recv(). Set
// messages[0].struct_size before, once: it is that of all, and is put into the others.
//
// Returns how many it received, 1 to count; 0 only if count is 0; or the errors of
// madang_queue_recv(), -E2BIG if already the first is longer than capacity: it stays, and
// messages[0].length says how long it is. -EFAULT also if messages is NULL and count is not 0.
// Whatever the error, nothing was received; but for -EOWNERDEAD, after which some may have been.
// What is in buffer behind and between what was received, and in messages behind it, is undefined.
//
// Any thread may call it at any time, while others send and receive with the same handle. Each
// message goes to one. Who is killed right after it returned takes all of them along.
int64_t madang_queue_recv_many(madang_queue *queue,
                               int64_t select,
                               void *buffer,
                               size_t capacity,
                               madang_message *messages,
                               size_t count,
                               uint32_t flags,
                               int64_t timeout_ns);

// Tells what the queue is and holds, as it was at one moment during the call. Set
// status->struct_size before.
//
// Returns 0, or -EINVAL if struct_size is not set, -EBADF if queue was closed, -EFAULT if a pointer
// is NULL, -EOWNERDEAD and -ENOENT as with madang_queue_send(). *status is written only on success.
//
// Doesn't wait. Any thread may call it at any time.
int madang_queue_stat(madang_queue *queue, madang_queue_status *status);

// Tells who takes part: every open handle, and those of killed processes whose place nobody has
// needed since. In no order.
//
// participants is an array of capacity structs, of which only the first one's struct_size need be
// set. max_participants is always enough.
//
// Returns how many there are, of which the first capacity are written: as with snprintf(3), a
// larger number says that the array is too small. With capacity 0, participants may be NULL. Or
// -EINVAL if struct_size is not set, -EBADF if queue was closed, -EFAULT if a pointer is NULL,
// -EOWNERDEAD and -ENOENT as with madang_queue_send().
//
// Doesn't wait. Any thread may call it at any time; others come and go meanwhile.
int64_t madang_queue_participants(madang_queue *queue,
                                  madang_participant *participants,
                                  size_t capacity);

// The name by which the queue was opened.
//
// Returns a text that is valid until the handle is closed, or NULL if the handle was closed or is
// NULL (madang_last_error() tells). Doesn't wait. Any thread may call it at any time.
const char *madang_queue_name(const madang_queue *queue);

// Whether this handle's open created the queue.
//
// Returns 1 or 0; -EBADF if the handle was closed, -EFAULT if it is NULL. So compare it with 1: the
// errors are true, too. Doesn't wait. Any thread may call it at any time.
int madang_queue_is_new(const madang_queue *queue);

// The most bytes that the queue holds; also the longest message.
//
// Returns 1 to 2^40; -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any
// thread may call it at any time.
int64_t madang_queue_capacity(const madang_queue *queue);

// How many messages the queue held at some moment during the call.
//
// Returns 0 to max_messages; -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait.
// Any thread may call it at any time.
int64_t madang_queue_messages(const madang_queue *queue);

// Gives memory back to the system that the queue took for messages outside its rings (long, leased,
// reserved, set aside) and does not use now. It will be taken again when it is needed.
//
// Returns how many bytes, 0 or more, less what others took meanwhile; or -EBUSY if another
// participant who is inside doesn't get on for a second, -EBADF if queue was closed, -EFAULT if it
// is NULL, -EOWNERDEAD, -EUCLEAN and
// -ENOENT as with madang_queue_send(). Doesn't wait for messages. Any thread may call it at any
// time, while others send and receive.
int64_t madang_queue_trim(madang_queue *queue);

// Closes the handle. The queue lives on, with what it holds.
//
// Leases and reservations that were made with the handle stay as they are. Until the last of them
// has ended, its place among the queue's participants, and its descriptor, are kept.
//
// No other thread may be inside a call with this handle. Using it afterwards is -EBADF, until 1,024
// more queues were closed by the process; then it is undefined.
//
// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
int madang_queue_close(madang_queue *queue);

// Takes the name away. Who has the queue open goes on with it; its memory goes with the last of
// them. The next open of the name creates a new queue.
//
// Returns 0; -ENOENT if there is none; -EACCES or -EPERM if it is another user's; -EISDIR if it is
// a directory; -EROFS if MADANG_DIR can only be read; -EINVAL or -ENAMETOOLONG for a bad name, or
// -EINVAL for MADANG_DIR; -EFAULT if it is NULL. Doesn't wait. Any thread may call it at any time.
int madang_queue_unlink(const char *name);

// Reserves a place for a message of length bytes, 0 to the queue's capacity.
//
// flags: 0, MADANG_DEADLINE or MADANG_INSTANT. While there is no room for it in the queue it waits,
// for timeout_ns nanoseconds at most; 0 doesn't wait, negative waits for ever. *reservation is
// written only on success; give it to madang_reservation_commit() or madang_reservation_drop() in
// the end.
//
// The place doesn't count as held by the queue before it is sent: others may send until the queue
// is full, and then madang_reservation_commit() has to wait.
//
// Returns 0, or
//   -EAGAIN      the queue is full, and timeout_ns is 0
//   -EBUSY       timeout_ns is 0, and another participant, who is inside, doesn't get on for a
//                second; with MADANG_INSTANT, for some microseconds
//   -ETIMEDOUT   the time is over
//   -EINTR       a signal handler ran while it waited
//   -EINVAL      an unknown flag
//   -EMSGSIZE    length is more than the queue's capacity
//   -EFAULT      queue or reservation is NULL
//   -ENOSPC, -ENOENT, -EOWNERDEAD, -EUCLEAN, -EBADF
//                as with madang_queue_send()
// Whatever the error, nothing was reserved.
//
// Any thread may call it at any time, while others send and receive with the same handle.
int madang_queue_reserve(madang_queue *queue,
                         size_t length,
                         uint32_t flags,
                         int64_t timeout_ns,
                         madang_reservation **reservation);

// Where the message's first byte is to lie: madang_reservation_length() bytes, aligned to 64, until
// the reservation ends. What is there at first may be anything. In a child of fork(2) it is not to
// be written.
//
// Returns an address, also for a place without bytes; NULL if the reservation has ended or is NULL
// (madang_last_error() tells). Doesn't wait. Any thread may call it at any time.
void *madang_reservation_data(madang_reservation *reservation);

// For how many bytes the place was reserved.
//
// Returns 0 or more; 0 if the reservation has ended or is NULL (madang_last_error() tells). Doesn't
// wait. Any thread may call it at any time.
size_t madang_reservation_length(const madang_reservation *reservation);

// Sends what was written, as a message of a type greater than 0: the first length bytes of it, at
// most as many as were reserved.
//
// flags: 0, MADANG_DEADLINE or MADANG_INSTANT. While the queue is full it waits, for timeout_ns
// nanoseconds at most; 0 doesn't wait, negative waits for ever.
//
// Returns 0: the message is sent, and the reservation has ended. Using it afterwards is -EBADF,
// until 1,024 more reservations of the process have ended; then it is undefined. Or
//   -EAGAIN      the queue is full, and timeout_ns is 0
//   -EBUSY       timeout_ns is 0, and another sender, who is inside, doesn't get on for a second;
//                with MADANG_INSTANT, for some microseconds. Or another handle has that
//                end of the queue to itself
//   -ETIMEDOUT   the time is over
//   -EINTR       a signal handler ran while it waited
//   -EINVAL      type is not greater than 0, length is more than was reserved, or an unknown flag
//   -EOWNERDEAD  the reservation is another process's, whose child this is; or the other
//                participants found the handle dead and went on without it. Drop it.
//   -ENOSPC, -ENOENT, -EUCLEAN
//                as with madang_queue_send()
//   -EBADF       the reservation has ended before
//   -EFAULT      reservation is NULL
// Whatever the error, nothing was sent, and the reservation stays as it is, with what was written:
// to be committed once more, or dropped.
//
// No other thread may be inside a call with this reservation, or write what
// madang_reservation_data() gave. Any thread may call it, also another than the one that reserved.
int madang_reservation_commit(madang_reservation *reservation,
                              int64_t type,
                              size_t length,
                              uint32_t flags,
                              int64_t timeout_ns);

// Gives the place back: nothing is sent, and the reservation ends.
//
// No other thread may be inside a call with this reservation, or use what madang_reservation_data()
// gave. Using it afterwards is as after madang_reservation_commit().
//
// Returns 0; -EBADF if it has ended before, -EFAULT if it is NULL. Doesn't wait for messages or
// room. Any thread may call it.
int madang_reservation_drop(madang_reservation *reservation);

// Opens the segment called name, or creates it, and maps it into this process. A new one is all 0.
//
// name is 1 to 255 bytes of UTF-8 without '/', and doesn't begin with "madang.". The segment is the
// file /dev/shm/<name>. options may be NULL: then it must exist, for a new one needs a length.
// *segment is written only on success; give it to madang_segment_close() in the end. It keeps no
// descriptor.
//
// Returns 0, or
//   -EINVAL        a bad name, flag or struct_size; MADANG_CREATE_ONLY without a length, or with
//                  MADANG_READ_ONLY; or the existing segment is smaller than asked for, or empty
//   -ENAMETOOLONG  the name
//   -ENOENT        there is none, and none can be created: create is MADANG_CREATE_NEVER, length
//                  is 0, or MADANG_READ_ONLY is set
//   -EEXIST        there is one, and create is MADANG_CREATE_ONLY
//   -EACCES        its permission bits don't let this process use it so
//   -EPERM         it belongs to another user, who may have planted it: see MADANG_ANY_OWNER
//   -EISDIR, -ELOOP, -ENODEV, -ENXIO
//                  the name is a directory's, a symbolic link's, or that of some other thing that
//                  is no regular file
//   -ENOSPC        /dev/shm is full; a container's often has 64 MB
//   -EFBIG         length is more than a file may have
//   -EBUSY         others keep making and removing it: try again
//   -E2BIG         options sets a field that this version doesn't have
//   -EFAULT        name or segment is NULL
//   -ENOMEM, -EMFILE, -ENFILE
//                  as with open(2) and mmap(2)
//
// Doesn't wait. Any thread may call it at any time. A process may open a segment several times.
int madang_segment_open(const char *name,
                        const madang_segment_options *options,
                        madang_segment **segment);

// Where the segment's first byte lies: madang_segment_size() bytes, aligned to a page, until the
// handle is closed.
//
// Returns an address; NULL if the handle was closed or is NULL (madang_last_error() tells). Doesn't
// wait. Any thread may call it at any time.
void *madang_segment_data(const madang_segment *segment);

// How many bytes the segment had when it was opened.
//
// Returns 1 or more; 0 if the handle was closed or is NULL (madang_last_error() tells). Doesn't
// wait. Any thread may call it at any time.
size_t madang_segment_size(const madang_segment *segment);

// The name by which the segment was opened.
//
// Returns a text that is valid until the handle is closed, or NULL if the handle was closed or is
// NULL (madang_last_error() tells). Doesn't wait. Any thread may call it at any time.
const char *madang_segment_name(const madang_segment *segment);

// Whether this handle's open created the segment, and so has to give it its first contents.
//
// Returns 1 or 0; -EBADF if the handle was closed, -EFAULT if it is NULL. So compare it with 1: the
// errors are true, too. Doesn't wait. Any thread may call it at any time.
int madang_segment_is_new(const madang_segment *segment);

// Whether the segment may be written: it was opened without MADANG_READ_ONLY.
//
// Returns 1 or 0; -EBADF if the handle was closed, -EFAULT if it is NULL. So compare it with 1: the
// errors are true, too. Doesn't wait. Any thread may call it at any time.
int madang_segment_is_writable(const madang_segment *segment);

// Copies length bytes from data to offset in the segment: memcpy(3) that looks where it writes.
// data must not lie in the segment itself; where length is 0, it may be NULL.
//
// Returns 0; -EINVAL if they would not lie within, -EACCES if the segment was opened with
// MADANG_READ_ONLY, -EBADF if the handle was closed, -EFAULT if a pointer is NULL. Then nothing was
// written. Doesn't wait. Any thread may call it at any time; what several write to one place at
// once is mixed.
int madang_segment_write(madang_segment *segment, size_t offset, const void *data, size_t length);

// Copies length bytes at offset in the segment to buffer: memcpy(3) that looks what it reads.
// buffer must not lie in the segment itself; where length is 0, it may be NULL.
//
// Returns 0; -EINVAL if they don't lie within, -EBADF if the handle was closed, -EFAULT if a
// pointer is NULL. Then nothing was copied. Doesn't wait. Any thread may call it at any time; what
// others write there meanwhile may come in parts.
int madang_segment_read(const madang_segment *segment, size_t offset, void *buffer, size_t length);

// Closes the handle and unmaps the segment: pointers into it are dead. The segment lives on.
//
// No other thread may be inside a call with this handle, or use what madang_segment_data() gave.
// Using the handle afterwards is -EBADF, until 1,024 more segments were closed by the process; then
// it is undefined.
//
// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
int madang_segment_close(madang_segment *segment);

// Takes the name away. Who has the segment open goes on with it; its memory goes with the last of
// them. The next open of the name creates a new segment.
//
// Returns 0; -ENOENT if there is none; -EACCES or -EPERM if it is another user's; -EISDIR if it is
// a directory; -EINVAL or -ENAMETOOLONG for a bad name; -EFAULT if it is NULL. Doesn't wait. Any
// thread may call it at any time.
int madang_segment_unlink(const char *name);

// Opens the set of semaphores called name, or creates it.
//
// name is 1 to 237 bytes of UTF-8 without '/'. The set is the file madang.semaphores.<name> in
// /dev/shm, or in the directory whose absolute path the environment variable MADANG_DIR has; in
// set-user-id programs that is ignored. options may be NULL: all defaults, one semaphore of value
// 0. *set is written only on success; give it to madang_semaphore_set_close() in the end. Until
// then it keeps one descriptor.
//
// Returns 0, -ERANGE if a value is above the largest; else as madang_queue_open().
//
// Doesn't wait. Any thread may call it at any time. A process may open a set several times.
int madang_semaphore_set_open(const char *name,
                              const madang_semaphore_set_options *options,
                              madang_semaphore_set **set);

// Does count operations, 1 to 512, in their order: all of them or none.
//
// flags: 0, MADANG_DEADLINE or MADANG_INSTANT. While they can't be done it waits, for timeout_ns
// nanoseconds at most; 0 doesn't wait, negative waits for ever.
//
// Returns 0, or
//   -EAGAIN      they can't be done, and timeout_ns is 0, or the one that can't has MADANG_NO_WAIT
//   -EBUSY       timeout_ns is 0, and another participant, who is inside, doesn't get on for a
//                second; with MADANG_INSTANT, for some microseconds
//   -ETIMEDOUT   the time is over
//   -EINTR       a signal handler ran while it waited
//   -EINVAL      count is 0, or an unknown flag
//   -E2BIG       count is above 512
//   -EFBIG       the set has no semaphore of an index
//   -ERANGE      a value would exceed max_value, or an amount to be undone
//   -ENOSPC      there is no memory in /dev/shm (or MADANG_DIR) for what is to be undone
//   -ENOENT      to take that memory it needs the set's file, but the program closed the handle's
//                descriptor, and the name doesn't lead to that file any more
//   -EOWNERDEAD  the other participants found this handle dead and went on without it: close it,
//                and open it anew
//   -EUCLEAN     the set is damaged
//   -EBADF       set was closed
//   -EFAULT      set is NULL, or operations is
// Whatever the error, nothing was done; but for -EOWNERDEAD, after which it may have been.
//
// Any thread may call it at any time, while others use the same handle.
int madang_semaphore_set_operate(madang_semaphore_set *set,
                                 const madang_operation *operations,
                                 size_t count,
                                 uint32_t flags,
                                 int64_t timeout_ns);

// A descriptor to wait on in poll(2), select(2), epoll(7) and what is built on them: readable
// (POLLIN) when what could not be done may be done now.
//
// Readable means "try", no more: another may have been faster, and now and then, up to four times a
// second, it is readable for nothing. It stays so until madang_semaphore_set_operate() with this
// handle returns -EAGAIN or -ETIMEDOUT; from then on a change of a semaphore that was wanted makes
// it readable again. So operate with timeout_ns 0 until it can't be done, or poll before each call:
// both are right, also with edge-triggered epoll. There is nothing to arm. Who waits by it has no
// place in the order of those who sleep.
//
// It is the handle's: the same at each call, and closed by madang_semaphore_set_close(); take it
// out of an epoll before. Don't read it, and don't close it. A child of fork(2) that waits by it
// calls this first; the number stays the same unless the child closed it. Threads that want
// different things open a handle each.
//
// It takes three descriptors, and one inotify instance (inotify(7)), of which a user has 128 unless
// the sysctl fs.inotify.max_user_instances says otherwise.
//
// Returns 0 or more, the descriptor; or
//   -EMFILE      the user's inotify instances, or the process's descriptors, are used up
//   -ENOSPC      the user's inotify watches are used up: fs.inotify.max_user_watches
//   -ENFILE, -ENOMEM
//                as with open(2)
//   -EOWNERDEAD, -ENOENT
//                as with madang_semaphore_set_operate()
//   -EBADF       set was closed
//   -EFAULT      set is NULL
//
// Doesn't wait. Any thread may call it at any time.
int madang_semaphore_set_fd(madang_semaphore_set *set);

// The value of one semaphore at some moment during the call (GETVAL). What the dead had to be
// undone is given back before.
//
// Returns 0 to max_value; -EFBIG if there is no semaphore of that index; -EBUSY, -EUCLEAN,
// -EOWNERDEAD, -EBADF and -EFAULT as madang_semaphore_set_operate(). Doesn't wait. Any thread may
// call it at any time.
int64_t madang_semaphore_set_value(madang_semaphore_set *set, uint32_t index);

// The values of all semaphores at one moment (GETALL). The first count of them are written to
// values.
//
// Returns how many the set has; with count 0, values may be NULL. Or what
// madang_semaphore_set_value() returns. Doesn't wait. Any thread may call it at any time.
int64_t madang_semaphore_set_values(madang_semaphore_set *set, uint32_t *values, size_t count);

// Sets the value of one semaphore (SETVAL). Nobody undoes anything on it any more.
//
// Returns 0; -ERANGE if value is above max_value; else as madang_semaphore_set_value(). Doesn't
// wait. Any thread may call it at any time.
int madang_semaphore_set_set_value(madang_semaphore_set *set, uint32_t index, uint32_t value);

// Sets the values of all semaphores at once (SETALL); count is how many the set has. Nobody undoes
// anything on them any more.
//
// Returns 0; -EINVAL if count is another number; else as madang_semaphore_set_set_value(). Doesn't
// wait. Any thread may call it at any time.
int madang_semaphore_set_set_values(madang_semaphore_set *set,
                                    const uint32_t *values,
                                    size_t count);

// The process that changed the semaphore last, or found it 0, as its own pid namespace numbers it
// (GETPID).
//
// Returns its number, 0 if there was none; or what madang_semaphore_set_value() returns. Doesn't
// wait. Any thread may call it at any time.
int64_t madang_semaphore_set_last_pid(madang_semaphore_set *set, uint32_t index);

// How many living threads wait for the semaphore to grow (GETNCNT), and how many for it to become
// 0 (GETZCNT). One that waits for several semaphores is counted where it is stuck. Either pointer
// may be NULL.
//
// Returns 0, or what madang_semaphore_set_value() returns. Doesn't wait. Any thread may call it at
// any time.
int madang_semaphore_set_waiting(madang_semaphore_set *set,
                                 uint32_t index,
                                 uint32_t *to_grow,
                                 uint32_t *for_zero);

// Tells what the set is. Set status->struct_size before.
//
// Returns 0, or -EINVAL if struct_size is not set, -EBADF if set was closed, -EFAULT if a pointer
// is NULL, -EOWNERDEAD and -ENOENT as madang_semaphore_set_operate(). *status is written only on
// success. Doesn't wait. Any thread may call it at any time.
int madang_semaphore_set_stat(madang_semaphore_set *set, madang_semaphore_set_status *status);

// Tells who takes part, as madang_queue_participants() does.
int64_t madang_semaphore_set_participants(madang_semaphore_set *set,
                                          madang_participant *participants,
                                          size_t capacity);

// How many semaphores the set has.
//
// Returns 1 to 65,536; -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any
// thread may call it at any time.
int64_t madang_semaphore_set_count(const madang_semaphore_set *set);

// The name by which the set was opened.
//
// Returns a text that is valid until the handle is closed, or NULL if the handle was closed or is
// NULL (madang_last_error() tells). Doesn't wait. Any thread may call it at any time.
const char *madang_semaphore_set_name(const madang_semaphore_set *set);

// Whether this handle's open created the set.
//
// Returns 1 or 0; -EBADF if the handle was closed, -EFAULT if it is NULL. So compare it with 1: the
// errors are true, too. Doesn't wait. Any thread may call it at any time.
int madang_semaphore_set_is_new(const madang_semaphore_set *set);

// Closes the handle, and takes back what was done by it with MADANG_UNDO. The set lives on.
//
// No other thread may be inside a call with this handle. Using it afterwards is -EBADF, until 1,024
// more sets were closed by the process; then it is undefined.
//
// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
int madang_semaphore_set_close(madang_semaphore_set *set);

// Takes the name away. Who has the set open goes on with it; its memory goes with the last of them.
// The next open of the name creates a new set.
//
// Returns what madang_queue_unlink() returns. Doesn't wait. Any thread may call it at any time.
int madang_semaphore_set_unlink(const char *name);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* MADANG_H */
