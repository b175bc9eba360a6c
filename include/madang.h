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
 *     If somebody must have worked on a message, let the worker answer when it is done, and send
 *     the message again if no answer comes.
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
 * that returns a pointer returns NULL, and madang_segment_size() returns 0. madang_last_error()
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
 * Every struct begins with struct_size, which the caller sets to the struct's sizeof: once, for it
 * is left as it is. So structs can grow at their end, and old programs run with new libraries and
 * the other way round. In a struct of options, a field that is 0 means its default; NULL for the
 * struct means all defaults. Set what you don't use to 0:
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
 * Any thread may call any function at any time, and several may use one handle at once. Only close
 * is different: nobody else may be inside with a handle that is being closed. Several handles of
 * one object in one process are participants of their own.
 *
 * A child of fork(2) may use the handles that it has inherited. It takes part on its own then, and
 * takes one of max_participants places at the first use. Parent and child each close their handle,
 * in any order. After exec(2) nothing is left. A child of vfork(2) must not call anything here.
 */


#ifndef MADANG_H
#define MADANG_H

/* Made by cbindgen from capi/: change it there, then `make header`. */

#include <stddef.h>
#include <stdint.h>

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

// Flag of madang_participant: it lives.
#define MADANG_LIVES 1

// Flag of madang_participant: it is the very handle that was asked.
#define MADANG_IS_ME 2

// An open queue.
//
// A bounded queue of messages in shared memory, for any number of senders and receivers in any
// processes and languages. A message is a type greater than 0 and some bytes, perhaps none.
// Messages are received in the order in which they were sent. The queue lives until
// madang_queue_unlink(), with what it holds, though nobody has it open.
//
// A message whose send returned 0 is there. One whose sender was killed while sending is there
// wholly or not at all. A receive hands over when it returns: who is killed right after it takes
// the message along, as with msgrcv(2).
typedef struct madang_queue madang_queue;

// An open segment.
//
// Plain named bytes in shared memory, the same object as shm_open("/name") makes (shm_overview(7));
// whatever maps that can share it. What several processes write there at once they must order among
// themselves: with a queue, or with atomics. It lives until madang_segment_unlink() or
// shm_unlink(3), though nobody has it open.
typedef struct madang_segment madang_segment;

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
    // MADANG_KIND_QUEUE, _SEGMENT or _OTHER
    uint32_t kind;
    // Its file's size in bytes: of a queue all that it may ever take, of a segment its length
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
    // 0 or MADANG_ANY_OWNER
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
    // 0 in this version
    uint32_t reserved;
} madang_queue_options;

// What is said of a message that was received.
typedef struct {
    // sizeof(madang_message), set by the caller
    uint32_t struct_size;
    // 0 in this version
    uint32_t flags;
    // Its type, greater than 0
    int64_t type;
    // Its length in bytes. After -E2BIG: what the buffer needs; nothing else is written then.
    uint64_t length;
    // How many messages were sent to this queue before it
    uint64_t sequence;
} madang_message;

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

// Lists the objects that exist: queues, in the order of their names.
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
//                with MADANG_INSTANT, for some microseconds
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

// Receives the first message: its bytes into buffer, which has room for capacity bytes, and if
// message is not NULL, what there is to say of it into *message.
//
// select is 0 in this version: any type. flags: 0, MADANG_DEADLINE or MADANG_INSTANT. While there
// is no message it waits, for timeout_ns nanoseconds at most; 0 doesn't wait, negative waits for
// ever. Set message->struct_size before, once.
//
// Returns the message's length, 0 or more, or
//   -EAGAIN      there is no message, and timeout_ns is 0
//   -E2BIG       the message is longer than capacity: it stays, and message->length says how long
//                it is
//   -EBUSY       timeout_ns is 0, and another receiver, who is inside, doesn't get on for a second;
//                with MADANG_INSTANT, for some microseconds
//   -ETIMEDOUT   the time is over
//   -EINTR       a signal handler ran while it waited
//   -EINVAL      an unknown flag, or message->struct_size is not set
//   -ENOTSUP     select is not 0
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

// Closes the handle. The queue lives on, with what it holds.
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

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* MADANG_H */
