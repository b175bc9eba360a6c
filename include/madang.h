/*
 * madang: inter-process communication for Linux
 * =============================================
 *
 * Queues, semaphores, locks and segments in shared memory, which processes in C, C++, Rust and
 * Python open by the same name, with the same meaning, the same limits and the same errors; and
 * every primitive of the kernel's: pipes, sockets, signals, System V and POSIX IPC and the rest.
 *
 *   - Nothing is lost: a process killed at any instruction leaves every other one able to go on,
 *     and every message that was sent is received once.
 *   - Fast as memory: sending and receiving make no system call, unless somebody has to sleep or
 *     memory is used for the first time.
 *   - No daemon, nothing to configure: an object is a file in /dev/shm, with owner and mode.
 *
 * What begins with                          is
 *   madang_queue_, _lease_, _reservation_    a queue in shared memory, and what is taken from it
 *   madang_segment_                          plain named bytes
 *   madang_semaphore_set_                    semaphores in shared memory, as semop(2) has them
 *   madang_mutex_, _rwlock_, _condition_,
 *   madang_barrier_, _event_                 locks and their like, by name or in a segment
 *   madang_pipe_, _fifo_, _socket_,
 *   madang_signal_, _file_, _memfd_          the kernel's primitives of these names
 *   madang_sysv_, madang_posix_              the kernel's System V and POSIX IPC
 *   madang_mapping_                          memory that the kernel's primitives give
 *   madang_msg, _sem, _shm                   System V's calls, served from shared memory
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
 *     -EINTR after the handler, whether or not SA_RESTART is set. (With it set, madang_file_lock()
 *     goes on, if its waiting has no end.)
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
 * two exceptions: the length of a message that the buffer is too small for, and how many bytes of
 * many were read or written before something came in the way.
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
 * Locks
 * -----
 *
 * A madang_mutex, madang_rwlock, madang_condition, madang_barrier or madang_event is an object of
 * its own, opened by name, or lies in a segment beside what it guards, at a multiple of 64. There
 * all 0 is its initial state: in a new segment there is nothing to initialise. If the owner of a
 * mutex dies, whoever takes it next is told by a 1:
 *
 *     struct account { char mutex[MADANG_MUTEX_SIZE]; int64_t in, out; } *account;
 *     madang_segment_options size = { .struct_size = sizeof size, .length = sizeof *account };
 *     madang_segment *segment;
 *     madang_mutex *mutex;
 *     if (madang_segment_open("account", &size, &segment) == 0
 *         && madang_mutex_within(segment, 0, &mutex) == 0) {
 *         account = madang_segment_data(segment);
 *         int owner_died = madang_mutex_lock(mutex, 0, -1);
 *         if (owner_died == 1)
 *             account->out = -account->in;
 *         account->in += 5;
 *         account->out -= 5;
 *         madang_mutex_unlock(mutex);
 *     }
 *
 * The handle remembers what it holds: any thread may unlock what another one has locked by the same
 * handle, and nobody what the handle doesn't hold (-EPERM).
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
 * Every struct but madang_item, madang_operation and madang_sysv_sem_op begins with struct_size,
 * which the caller sets to the struct's sizeof: once, for it is left as it is. So structs can grow
 * at their end, and old programs run with new libraries and the other way round. In a struct of
 * options, a field that is 0 means its default; NULL for the struct means all defaults. Set what
 * you don't use to 0:
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
#include <sys/types.h>
#include <sys/uio.h>

/* As <sys/msg.h>, <sys/sem.h>, <sys/shm.h> and <time.h> define them. */
struct msqid_ds;
struct sembuf;
struct shmid_ds;
struct timespec;

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

// Flag of locks: together with others who lock it so. Without it, for oneself alone.
#define MADANG_LOCK_SHARED (1 << 19)

// Flag of madang_file_replace(): the permission bits stay those of the old file, if there is one.
#define MADANG_KEEP_MODE (1 << 20)

// Flag of madang_file_follow_open(): begin with what is written from now on.
#define MADANG_FROM_END (1 << 21)

// Seal of a memfd: no seals can be added. The seals' numbers are those of fcntl(2).
#define MADANG_SEAL_SEAL 1

// Seal of a memfd: it can't be made smaller, so touching it is no risk.
#define MADANG_SEAL_SHRINK 2

// Seal of a memfd: it can't be made larger.
#define MADANG_SEAL_GROW 4

// Seal of a memfd: it can't be written. Can be added only while it is not mapped to be written.
#define MADANG_SEAL_WRITE 8

// Seal of a memfd: it can't be written but through mappings that are there already (from Linux 5.1
// on).
#define MADANG_SEAL_FUTURE_WRITE 16

// Seal of a memfd: whether it may be executed can't be changed (from Linux 6.3 on).
#define MADANG_SEAL_EXEC 32

// Option flag of memfds: it may be executed. Without it, it may not, and is sealed so, where the
// kernel knows that (from Linux 6.3 on).
#define MADANG_MEMFD_EXECUTABLE (1 << 15)

// Option flag of memfds: it lies in huge pages, of huge_page_size bytes. The machine must have
// some: /proc/sys/vm/nr_hugepages.
#define MADANG_MEMFD_HUGE_PAGES (1 << 16)

// How many bytes a single write to a pipe or FIFO transfers as one piece, never mixed with those
// of other writers: what <limits.h> calls PIPE_BUF.
#define MADANG_PIPE_BUF 4096

// Option flag of pipes: packet mode. Each write of at most MADANG_PIPE_BUF bytes is a packet, and
// a read takes one; what doesn't fit its buffer is lost, so read with MADANG_PIPE_BUF bytes. A
// longer write is several packets. O_DIRECT in pipe(2).
#define MADANG_PACKETS (1 << 16)

// Option flag of pipes and FIFOs: a write that nobody reads any more raises SIGPIPE, as write(2)
// does, which kills the process unless it is handled. Without it the write is only -EPIPE.
#define MADANG_LEAVE_SIGPIPE (1 << 17)

// Flag of madang_pipe_reader_detach() and its like: the descriptor survives exec.
#define MADANG_INHERITABLE (1 << 18)

// Option flag of POSIX message queues: opened only to receive, which needs the permission to read
// and no other.
#define MADANG_POSIX_MQ_RECEIVE_ONLY (1 << 13)

// Option flag of POSIX message queues: opened only to send, which needs the permission to write
// and no other.
#define MADANG_POSIX_MQ_SEND_ONLY (1 << 14)

// The greatest priority of a message in a POSIX message queue.
#define MADANG_POSIX_MQ_MAX_PRIORITY 32767

// Option flag of listeners: a socket file at which nobody listens is not replaced, but -EADDRINUSE.
#define MADANG_SOCKET_NO_RECLAIM (1 << 8)

// In a message's flags: descriptors came with it for which there was no room; they are closed.
#define MADANG_SOCKET_FDS_LOST 1

// In a message's flags: pid, uid and gid say who sent it. See madang_socket_pass_credentials().
#define MADANG_SOCKET_HAS_SENDER 2

// kind, for madang_socket_pair(): bytes, and messages with their length before them.
#define MADANG_SOCKET_STREAM 0

// kind, for madang_socket_pair(): packets, which the kernel keeps apart.
#define MADANG_SOCKET_PACKET 1

// How many bytes a message may have, unless madang_socket_set_message_limit() says otherwise.
#define MADANG_SOCKET_MESSAGE_LIMIT (16 << 20)

// The key of System V objects that have none: opened with it, a new one is made each time, which
// others find by its identifier only. IPC_PRIVATE.
#define MADANG_SYSV_PRIVATE 0

// Flag of madang_sysv_change: mode is to be set.
#define MADANG_SYSV_MODE 1

// Flag of madang_sysv_change: uid is to be set.
#define MADANG_SYSV_UID 2

// Flag of madang_sysv_change: gid is to be set.
#define MADANG_SYSV_GID 4

// Flag of an operation: it is -EAGAIN where this one would have to wait (IPC_NOWAIT).
#define MADANG_SYSV_NO_WAIT 2048

// Flag of an operation: it is undone when the process ends, however it ends (SEM_UNDO).
#define MADANG_SYSV_UNDO 4096

// Option flag: no swap space is set aside for a new segment: touching it may kill the process when
// memory is exhausted (SHM_NORESERVE).
#define MADANG_NO_RESERVE (1 << 16)

// Flag of attaching: the address is rounded down to a page (SHM_RND).
#define MADANG_ROUND (1 << 17)

// Flag of attaching: what lies there may be executed; needs permission for that (SHM_EXEC).
#define MADANG_EXECUTABLE (1 << 18)

// Flag in madang_sysv_shm_status: it was removed, and goes with the last attachment.
#define MADANG_SYSV_REMOVED 1

// Flag in madang_sysv_shm_status: it is kept in memory.
#define MADANG_SYSV_LOCKED 2

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

// Option flag of segments and of POSIX shared memory: opens it only to be read. It must exist. And
// a flag of what maps memory: only to be read. Writing to it then kills the process with SIGSEGV.
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

// kind: a mutex.
#define MADANG_KIND_MUTEX 4

// kind: a read-write lock.
#define MADANG_KIND_RWLOCK 5

// kind: a condition.
#define MADANG_KIND_CONDITION 6

// kind: a barrier.
#define MADANG_KIND_BARRIER 7

// kind: an event.
#define MADANG_KIND_EVENT 8

// kind: System V's shared memory, served from shared memory (madang_shmget).
#define MADANG_KIND_MEMORY 9

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

// How many bytes a barrier takes in a segment, at an offset that is a multiple of 64.
#define MADANG_BARRIER_SIZE 1024

// How many bytes a condition takes in a segment, at an offset that is a multiple of 64.
#define MADANG_CONDITION_SIZE 64

// How many bytes a event takes in a segment, at an offset that is a multiple of 64.
#define MADANG_EVENT_SIZE 64

// How many bytes a mutex takes in a segment, at an offset that is a multiple of 64.
#define MADANG_MUTEX_SIZE 64

// How many bytes a read-write lock takes in a segment, at an offset that is a multiple of 64.
#define MADANG_RWLOCK_SIZE 512

// An open barrier: several wait until all of them are there, again and again.
//
// Who gives up, or whose process ends, while it waits is not there any more: the others go on
// waiting for as many as it takes. Threads may share a handle; each counts.
typedef struct madang_barrier madang_barrier;

// An open condition, as pthread_cond_t is one: one waits until another tells that something may
// have changed. It goes with a mutex, which guards that something.
//
// One waits in a loop, for now and then one is woken though nothing has changed:
//
//     madang_mutex_lock(mutex, 0, -1);
//     while (!*ready)
//         madang_condition_wait(condition, mutex, 0, -1);
//     ...
//     madang_mutex_unlock(mutex);
//
// A process that is killed before it tells has told nobody. Where that may be, wait with a timeout.
typedef struct madang_condition madang_condition;

// An open event: it is set or not, and one waits until it is.
typedef struct madang_event madang_event;

// An open regular file: to be locked, mapped, and grown.
typedef struct madang_file madang_file;

// A file that is read while it grows.
typedef struct madang_file_follow madang_file_follow;

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
// memory, a file, or a memfd. It stays mapped until madang_mapping_close(), whatever becomes of
// the handle that it was made with.
//
// What several processes write there at once they must order among themselves: with semaphores, or
// with atomics. Who may truncate the file behind it may kill with SIGBUS whoever then touches what
// was cut off (mmap(2)).
typedef struct madang_mapping madang_mapping;

// Memory without a name in any directory, which lives as long as somebody has it open or mapped
// (memfd_create(2)).
//
// Fill it, seal it, hand its descriptor on, to a child or over a Unix socket: what the seals say
// then holds for everybody, for ever. It is the safe way between processes that don't trust each
// other.
typedef struct madang_memfd madang_memfd;

// An open mutex.
//
// One has it at a time, of all threads of all processes in all languages. If its owner's process
// ends in any way while it has it, the next who takes it is told, sees what it left, and can go
// on. Taking a free one costs some nanoseconds and no system call. It is not recursive: who locks
// it twice waits for itself. Who waits is not served in any order.
//
// The handle remembers whether it holds the mutex. So threads may share a handle, and any of them
// may unlock what another one has locked; threads keep each other out by one handle as well as by
// two. In a child of fork(2) the mutex is not the child's, though its parent holds it.
typedef struct madang_mutex madang_mutex;

// The end of a pipe, or of a FIFO, from which one reads.
//
// Its descriptor is close-on-exec and doesn't block; what waits, waits in here. When the last
// reader of a pipe is closed, in whatever process, who writes gets -EPIPE.
typedef struct madang_pipe_reader madang_pipe_reader;

// The end of a pipe, or of a FIFO, to which one writes.
//
// As madang_pipe_reader. When the last writer of a pipe is closed, in whatever process, who reads
// gets what is left, and then 0, the end of the file.
typedef struct madang_pipe_writer madang_pipe_writer;

// An open POSIX message queue (mq_overview(7)): the same as mq_open("/name") gives.
//
// A message is some bytes with a priority. The one with the greatest is received first; of
// several, the one sent first. Any number of processes send and receive; each message is received
// once. It persists until madang_posix_mq_unlink(), or the machine stops.
//
// A child of fork(2) may use the handle that it inherited; both close theirs.
typedef struct madang_posix_mq madang_posix_mq;

// An open POSIX semaphore (sem_overview(7)): a counter that processes share.
//
// A named one is the same as sem_open("/name") gives; an unnamed one, as sem_init(3) makes it,
// lies in memory that the processes share. Programs that use the C library's functions on them
// must have the same C library (one of glibc's is nothing to musl) and the same word size.
//
// Who is killed keeps what he took: nobody notices. Where that matters use a System V semaphore
// with undo, or a lock on a file, which the kernel takes back from the dead.
//
// A child of fork(2) may use the handle that it inherited; both close theirs.
typedef struct madang_posix_sem madang_posix_sem;

// An open POSIX shared memory object (shm_overview(7)): what shm_open("/name") gives.
//
// It is the same object as a madang_segment of that name. Take the segment where it will do: it
// opens, checks owner and size, and maps in one step. Take this one for what is more: to let it
// grow or shrink, to map parts of it, to look at it without mapping it, to hand its descriptor on.
//
// Whoever owns it, it is opened; madang_posix_shm_stat() tells whose it is. Who may write it may
// truncate it, which is SIGBUS for all who then touch what was cut off: between strangers use a
// sealed madang_memfd.
typedef struct madang_posix_shm madang_posix_shm;

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

// An open read-write lock.
//
// One who writes has it alone, or up to 120 who read have it together. Who waits to write comes
// before those who come to read after it. A killed reader's hold goes with it. If a writer's
// process ends while it has the lock, or waits for it, whoever takes the lock is told, until
// somebody has had it to write. It is not recursive.
//
// The handle remembers what it holds: to write, or how many times to read. So threads may share
// it, and any of them may unlock what another one has locked. In a child of fork(2) what its
// parent holds is not the child's.
typedef struct madang_rwlock madang_rwlock;

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

// A descriptor that is readable when one of a set of signals waits (signalfd(2)).
typedef struct madang_signal_descriptor madang_signal_descriptor;

// A process, by a descriptor that stands for it and never for another one that got its id
// (pidfd_open(2), Linux 5.3).
//
// That of a child is right as long as the child wasn't waited for (waitpid(2)).
typedef struct madang_signal_process madang_signal_process;

// A connection: bytes in order, or whole messages, to and fro.
//
// Addresses are texts:
//
//     unix:/run/echo        a Unix socket with a file, whose mode says who may connect; any length
//     unix:@echo            a Unix socket with an abstract name: no file, no permissions (unix(7))
//     packet:/run/echo, packet:@echo
//                           the same, for packets: whole messages, kept apart by the kernel
//     tcp:127.0.0.1:8000, tcp:[::1]:0, tcp:localhost:80
//                           TCP; port 0 is one that the kernel chooses. To resolve a host's name
//                           takes as long as the system's resolver takes
//     udp:127.0.0.1:8000    UDP, for datagrams
//
// Every descriptor is close-on-exec. Whoever sends to one who is gone gets -EPIPE, and no SIGPIPE.
//
// On a stream, a message is its length in 4 bytes, the highest first, and then its bytes; so anyone
// can read and write it:
//
//     uint32_t length;
//     recv(fd, &length, 4, MSG_WAITALL);
//     length = ntohl(length);
//     recv(fd, text, length, MSG_WAITALL);
//
// An empty message is four zeros. On packet: there is no length before it, and no empty message.
typedef struct madang_socket madang_socket;

// A socket for single messages, to whom one likes.
typedef struct madang_socket_datagram madang_socket_datagram;

// A server's end of connections.
typedef struct madang_socket_listener madang_socket_listener;

// An open System V message queue.
//
// Any number of processes send and receive; a message is a type above 0 and bytes, and receivers
// choose by type. It is the kernel's: it lives until it is removed or the machine stops. The
// handle is the identifier, and holds nothing else.
typedef struct madang_sysv_msg madang_sysv_msg;

// An open System V semaphore set.
//
// Any number of semaphores, each a value from 0 to 32767; an array of operations is done as a
// whole or not at all. It is the kernel's: it lives until it is removed or the machine stops. The
// handle is the identifier, and holds nothing else.
typedef struct madang_sysv_sem madang_sysv_sem;

// An open System V shared memory segment.
//
// It is the kernel's: it lives until it is removed and nobody has it attached any more, or the
// machine stops. The handle is the identifier, and holds nothing else; what is attached is a
// madang_mapping, which outlives the handle.
typedef struct madang_sysv_shm madang_sysv_shm;

// How a FIFO is opened: struct_size, and what shall not be the default.
typedef struct {
    // sizeof(madang_fifo_options)
    uint32_t struct_size;
    // 0, MADANG_ANY_OWNER, MADANG_LEAVE_SIGPIPE, or both with |
    uint32_t flags;
    // The permission bits of a new FIFO, exactly: no umask. Default 0600.
    uint32_t mode;
    // MADANG_CREATE_IF_MISSING, the default; MADANG_CREATE_NEVER; MADANG_CREATE_ONLY
    uint32_t create;
} madang_fifo_options;

// How a file is opened: struct_size, and what shall not be the default.
typedef struct {
    // sizeof(madang_file_options)
    uint32_t struct_size;
    // 0 or MADANG_READ_ONLY: it must exist; it can be locked shared, its mappings only be read
    uint32_t flags;
    // At least so many bytes, of which those that are new are 0: as madang_file_grow(). Default:
    // as it is; a new one is empty.
    uint64_t length;
    // The permission bits of a new file, exactly: no umask. Default 0600.
    uint32_t mode;
    // MADANG_CREATE_IF_MISSING, the default; MADANG_CREATE_NEVER; MADANG_CREATE_ONLY
    uint32_t create;
} madang_file_options;

// Who is in the way of a lock.
typedef struct {
    // sizeof(madang_file_holder)
    uint32_t struct_size;
    // 0, or MADANG_LOCK_SHARED if he shares it
    uint32_t flags;
    // The first byte that he has locked
    uint64_t start;
    // How many; 0 is all that follow
    uint64_t length;
    // A process that has it, as far as /proc tells this user; or 0
    int32_t pid;
    // 0
    uint32_t reserved;
} madang_file_holder;

// How a memfd is made: struct_size, and what shall not be the default.
typedef struct {
    // sizeof(madang_memfd_options)
    uint32_t struct_size;
    // 0, MADANG_MEMFD_EXECUTABLE, MADANG_MEMFD_HUGE_PAGES, or both with |
    uint32_t flags;
    // Bytes. Default 0. Memory is taken as it is touched (huge pages at once): nothing but the
    // machine's limits it, at whose end somebody is killed, not refused.
    uint64_t size;
    // With MADANG_MEMFD_HUGE_PAGES: the size of a huge page, which is a power of 2 and divides
    // size. Default: the machine's.
    uint64_t huge_page_size;
} madang_memfd_options;

// How a pipe is made: struct_size, and what shall not be the default.
typedef struct {
    // sizeof(madang_pipe_options)
    uint32_t struct_size;
    // 0, MADANG_PACKETS, MADANG_LEAVE_SIGPIPE, or both with |
    uint32_t flags;
    // How many bytes it can hold at least; see madang_pipe_writer_set_capacity(). Default: the
    // kernel's, 64 KiB as a rule.
    uint64_t capacity;
} madang_pipe_options;

// How a POSIX message queue is opened: struct_size, and what shall not be the default.
typedef struct {
    // sizeof(madang_posix_mq_options)
    uint32_t struct_size;
    // 0, MADANG_POSIX_MQ_RECEIVE_ONLY or MADANG_POSIX_MQ_SEND_ONLY
    uint32_t flags;
    // Messages that a new queue holds; of an existing one the least that will do. Default: what
    // /proc/sys/fs/mqueue/msg_default says, mostly 10; up to msg_max there, with CAP_SYS_RESOURCE
    // up to 65,536.
    uint64_t max_messages;
    // Bytes that a message in a new queue may have; of an existing one the least that will do.
    // Default: what /proc/sys/fs/mqueue/msgsize_default says, mostly 8,192; up to msgsize_max
    // there, with CAP_SYS_RESOURCE up to 16 MiB.
    uint64_t max_message_size;
    // The permission bits of a new queue, exactly: no umask. Default 0600.
    uint32_t mode;
    // MADANG_CREATE_IF_MISSING, the default; MADANG_CREATE_NEVER; MADANG_CREATE_ONLY
    uint32_t create;
} madang_posix_mq_options;

// What madang_posix_mq_stat() tells; a snapshot.
typedef struct {
    // sizeof(madang_posix_mq_status), set by the caller
    uint32_t struct_size;
    // Permission bits
    uint32_t mode;
    // The owner's user id
    uint32_t uid;
    // The owner's group id
    uint32_t gid;
    // The most messages that it holds
    uint64_t max_messages;
    // The most bytes that one of them has
    uint64_t max_message_size;
    // Messages held
    uint64_t messages;
    // Bytes that they have together; -1 where it was opened only to send
    int64_t bytes;
    // Whom the queue is to tell of a message: a process id; 0 for nobody, or for one of another pid
    // namespace; -1 where it was opened only to send
    int32_t notified_pid;
    // 0
    uint32_t reserved;
} madang_posix_mq_status;

// A POSIX message queue, shared memory object or semaphore that exists.
typedef struct {
    // sizeof(madang_posix_listed), set by the caller in the first of them
    uint32_t struct_size;
    // Permission bits
    uint32_t mode;
    // The owner's user id
    uint32_t uid;
    // The owner's group id
    uint32_t gid;
    // Bytes: of shared memory its size; of a message queue what its messages have together, -1 if
    // this process may not read it; of a semaphore its memory
    int64_t size;
    // 0
    uint64_t reserved;
    // The name by which it is opened, and a NUL
    char name[256];
} madang_posix_listed;

// How a named POSIX semaphore is opened: struct_size, and what shall not be the default.
typedef struct {
    // sizeof(madang_posix_sem_options)
    uint32_t struct_size;
    // The value of a new semaphore, up to SEM_VALUE_MAX, 2,147,483,647. Default 0. An existing one
    // is left as it is.
    uint32_t value;
    // The permission bits of a new semaphore, exactly: no umask. Default 0600. Who is to use it
    // must be able to read and to write it.
    uint32_t mode;
    // MADANG_CREATE_IF_MISSING, the default; MADANG_CREATE_NEVER; MADANG_CREATE_ONLY
    uint32_t create;
} madang_posix_sem_options;

// What madang_posix_sem_stat() tells; a snapshot.
typedef struct {
    // sizeof(madang_posix_sem_status), set by the caller
    uint32_t struct_size;
    // Its value
    uint32_t value;
    // Permission bits
    uint32_t mode;
    // The owner's user id
    uint32_t uid;
    // The owner's group id
    uint32_t gid;
    // 0
    uint32_t reserved;
} madang_posix_sem_status;

// How a POSIX shared memory object is opened: struct_size, and what shall not be the default.
typedef struct {
    // sizeof(madang_posix_shm_options)
    uint32_t struct_size;
    // 0 or MADANG_READ_ONLY
    uint32_t flags;
    // Bytes: of a new object exactly, and its space is taken at once; of an existing one at least.
    // Default 0: a new one is empty then.
    uint64_t size;
    // The permission bits of a new object, exactly: no umask. Default 0600.
    uint32_t mode;
    // MADANG_CREATE_IF_MISSING, the default; MADANG_CREATE_NEVER; MADANG_CREATE_ONLY
    uint32_t create;
} madang_posix_shm_options;

// What madang_posix_shm_stat() tells; a snapshot.
typedef struct {
    // sizeof(madang_posix_shm_status), set by the caller
    uint32_t struct_size;
    // Permission bits
    uint32_t mode;
    // The owner's user id
    uint32_t uid;
    // The owner's group id
    uint32_t gid;
    // Its size in bytes
    uint64_t size;
    // Bytes of memory that it takes
    uint64_t allocated;
    // 1 if it has no name any more, else 0
    uint32_t is_unlinked;
    // 0
    uint32_t reserved;
} madang_posix_shm_status;

// A signal that was taken, and who sent it. It is filled but for struct_size.
typedef struct {
    // sizeof(madang_signal_info), set by the caller
    uint32_t struct_size;
    // Which
    int32_t signal;
    // How it was sent: SI_USER by kill(2), SI_QUEUE with a value, CLD_EXITED and others by the
    // kernel (sigaction(2))
    int32_t code;
    // Who sent it, or, of SIGCHLD, which child; 0 for the kernel
    int32_t pid;
    // The real user id of that process
    uint32_t uid;
    // The value that was sent along; else 0
    int32_t value;
    // Of SIGCHLD: the exit status, or the signal that ended the child
    int32_t status;
} madang_signal_info;

// How a listener is made: struct_size, and what shall not be the default.
typedef struct {
    // sizeof(madang_socket_listener_options)
    uint32_t struct_size;
    // 0 or MADANG_SOCKET_NO_RECLAIM
    uint32_t flags;
    // The permission bits of a Unix socket's file, exactly: no umask. Who may write it may connect.
    // Default 0600.
    uint32_t mode;
    // How many may have connected and wait to be accepted. Default 128.
    uint32_t backlog;
} madang_socket_listener_options;

// What came with a message. It is filled but for struct_size.
typedef struct {
    // sizeof(madang_socket_message), set by the caller
    uint32_t struct_size;
    // MADANG_SOCKET_FDS_LOST, MADANG_SOCKET_HAS_SENDER
    uint32_t flags;
    // Bytes; also on -E2BIG: what is needed
    uint64_t length;
    // How many descriptors came, and were written
    uint32_t fds;
    // Who sent it, if flags have MADANG_SOCKET_HAS_SENDER
    int32_t pid;
    // See pid
    uint32_t uid;
    // See pid
    uint32_t gid;
    // The address that a datagram came from, to answer it, and a NUL; else empty
    char address[128];
} madang_socket_message;

// Who is at the other end of a connection.
typedef struct {
    // sizeof(madang_socket_peer), set by the caller
    uint32_t struct_size;
    // The process's id. It may have ended since, and the id be another's
    int32_t pid;
    // Its effective user id, when it connected
    uint32_t uid;
    // Its effective group id
    uint32_t gid;
} madang_socket_peer;

// How a System V message queue is opened: struct_size, and what shall not be the default.
typedef struct {
    // sizeof(madang_sysv_msg_options)
    uint32_t struct_size;
    // The permission bits of a new queue, exactly: no umask. Default 0600.
    uint32_t mode;
    // MADANG_CREATE_IF_MISSING, the default; MADANG_CREATE_NEVER; MADANG_CREATE_ONLY
    uint32_t create;
    // 0
    uint32_t reserved;
} madang_sysv_msg_options;

// What there is to tell of a System V message queue (struct msqid_ds of msgctl(2)). Times are in
// seconds since 1970, 0 is never; a pid of 0 is none, or one of another pid namespace.
typedef struct {
    // sizeof(madang_sysv_msg_status)
    uint32_t struct_size;
    // The identifier
    int32_t id;
    // The key; MADANG_SYSV_PRIVATE if it has none
    int32_t key;
    // The permission bits
    uint32_t mode;
    // The owner
    uint32_t uid;
    // The owner's group
    uint32_t gid;
    // Who made it, who has the owner's rights too
    uint32_t creator_uid;
    // The group of who made it
    uint32_t creator_gid;
    // How often its place in the kernel's table was given away before
    uint32_t sequence;
    // The process that sent last
    int32_t last_sender;
    // The process that received last
    int32_t last_receiver;
    // 0
    uint32_t reserved;
    // How many messages it holds
    uint64_t messages;
    // How many bytes they have
    uint64_t bytes;
    // The most bytes that it holds (msg_qbytes)
    uint64_t capacity;
    // When the last message was sent
    int64_t sent_at;
    // When the last message was received
    int64_t received_at;
    // When it was created, or its permissions or capacity were changed last
    int64_t changed_at;
} madang_sysv_msg_status;

// What of a System V object's permissions is to be changed.
typedef struct {
    // sizeof(madang_sysv_change)
    uint32_t struct_size;
    // What is set: MADANG_SYSV_MODE, MADANG_SYSV_UID, MADANG_SYSV_GID, with |. The rest stays.
    uint32_t flags;
    // Permission bits, at most 0777
    uint32_t mode;
    // The owner
    uint32_t uid;
    // The owner's group
    uint32_t gid;
    // 0
    uint32_t reserved;
} madang_sysv_change;

// What the system allows of message queues, and how much of it is used.
typedef struct {
    // sizeof(madang_sysv_msg_limits)
    uint32_t struct_size;
    // 0
    uint32_t reserved;
    // The most queues (kernel.msgmni)
    uint64_t max_queues;
    // The longest message, in bytes (kernel.msgmax)
    uint64_t max_message;
    // A new queue's capacity in bytes, and the most without privilege (kernel.msgmnb)
    uint64_t capacity;
    // How many queues there are
    uint64_t queues;
    // How many messages they hold
    uint64_t messages;
    // How many bytes those have
    uint64_t bytes;
} madang_sysv_msg_limits;

// How a System V semaphore set is opened: struct_size, and what shall not be the default.
typedef struct {
    // sizeof(madang_sysv_sem_options)
    uint32_t struct_size;
    // The permission bits of a new set, exactly: no umask. Default 0600.
    uint32_t mode;
    // MADANG_CREATE_IF_MISSING, the default; MADANG_CREATE_NEVER; MADANG_CREATE_ONLY
    uint32_t create;
    // 0
    uint32_t reserved;
    // How long an open waits for the creator of an existing set to give it its values, before it
    // takes the creator for dead, in nanoseconds. 0, the default, is a second; negative takes any
    // set as it is.
    int64_t patience_ns;
} madang_sysv_sem_options;

// One operation on one semaphore of a set: laid out as struct sembuf (semop(2)). Never grows, so
// it needs no struct_size.
typedef struct {
    // Which semaphore, from 0
    uint16_t index;
    // Above 0: is added. Below 0: is taken, once there is as much. 0: waits until the value is 0.
    int16_t delta;
    // 0, MADANG_SYSV_NO_WAIT, MADANG_SYSV_UNDO, or both with |
    uint16_t flags;
} madang_sysv_sem_op;

// What there is to tell of a System V semaphore set (struct semid_ds of semctl(2)). Times are in
// seconds since 1970, 0 is never.
typedef struct {
    // sizeof(madang_sysv_sem_status)
    uint32_t struct_size;
    // The identifier
    int32_t id;
    // The key; MADANG_SYSV_PRIVATE if it has none
    int32_t key;
    // The permission bits
    uint32_t mode;
    // The owner
    uint32_t uid;
    // The owner's group
    uint32_t gid;
    // Who made it, who has the owner's rights too
    uint32_t creator_uid;
    // The group of who made it
    uint32_t creator_gid;
    // How often its place in the kernel's table was given away before
    uint32_t sequence;
    // 0
    uint32_t reserved;
    // How many semaphores it has
    uint64_t count;
    // When an operation was done last
    int64_t operated_at;
    // When it was created, or its permissions or, by themselves, values were changed last
    int64_t changed_at;
} madang_sysv_sem_status;

// What the system allows of semaphore sets, and how much of it is used.
typedef struct {
    // sizeof(madang_sysv_sem_limits)
    uint32_t struct_size;
    // 0
    uint32_t reserved;
    // The most sets (the fourth number of kernel.sem)
    uint64_t max_sets;
    // The most semaphores of all sets together (the second)
    uint64_t max_semaphores;
    // The most semaphores in a set (the first)
    uint64_t max_in_a_set;
    // The most operations in an array (the third)
    uint64_t max_operations;
    // The highest value: 32767
    uint64_t max_value;
    // How many sets there are
    uint64_t sets;
    // How many semaphores they have
    uint64_t semaphores;
} madang_sysv_sem_limits;

// How a System V segment is opened: struct_size, and what shall not be the default.
typedef struct {
    // sizeof(madang_sysv_shm_options)
    uint32_t struct_size;
    // 0, or MADANG_NO_RESERVE
    uint32_t flags;
    // The permission bits of a new segment, exactly: no umask. Default 0600.
    uint32_t mode;
    // MADANG_CREATE_IF_MISSING, the default; MADANG_CREATE_NEVER; MADANG_CREATE_ONLY
    uint32_t create;
    // Bytes: of a new segment exactly, of an existing one at least. 0, the default, takes one that
    // exists as it is, and creates none.
    uint64_t size;
    // A new segment lies in huge pages of so many bytes, such as 2 << 20; 0, the default, is the
    // usual pages. See /sys/kernel/mm/hugepages.
    uint64_t huge_pages;
} madang_sysv_shm_options;

// How a System V segment is attached: struct_size, and what shall not be the default.
typedef struct {
    // sizeof(madang_sysv_shm_attach_options)
    uint32_t struct_size;
    // 0, MADANG_READ_ONLY, MADANG_ROUND, MADANG_EXECUTABLE, with |
    uint32_t flags;
    // Where, a multiple of the page size, if nothing lies there; what is mapped already is never
    // replaced. For data that holds pointers to itself; 0, the default, is wherever there is room.
    uint64_t address;
} madang_sysv_shm_attach_options;

// What there is to tell of a System V segment (struct shmid_ds of shmctl(2)). Times are in seconds
// since 1970, 0 is never; a pid of 0 is none, or one of another pid namespace.
typedef struct {
    // sizeof(madang_sysv_shm_status)
    uint32_t struct_size;
    // The identifier
    int32_t id;
    // The key; MADANG_SYSV_PRIVATE if it has none
    int32_t key;
    // The permission bits
    uint32_t mode;
    // The owner
    uint32_t uid;
    // The owner's group
    uint32_t gid;
    // Who made it, who has the owner's rights too
    uint32_t creator_uid;
    // The group of who made it
    uint32_t creator_gid;
    // How often its place in the kernel's table was given away before
    uint32_t sequence;
    // MADANG_SYSV_REMOVED, MADANG_SYSV_LOCKED
    uint32_t flags;
    // The process that made it
    int32_t creator;
    // The process that attached or detached last
    int32_t last_user;
    // Its size in bytes
    uint64_t size;
    // How many attachments there are, of all processes
    uint64_t attached;
    // When it was attached last
    int64_t attached_at;
    // When it was detached last
    int64_t detached_at;
    // When it was created, or its permissions were changed last
    int64_t changed_at;
} madang_sysv_shm_status;

// What the system allows of shared memory segments, and how much of it is used. Pages are those of
// the machine: sysconf(_SC_PAGESIZE) bytes.
typedef struct {
    // sizeof(madang_sysv_shm_limits)
    uint32_t struct_size;
    // 0
    uint32_t reserved;
    // The most segments (kernel.shmmni)
    uint64_t max_segments;
    // The largest segment, in bytes (kernel.shmmax)
    uint64_t max_size;
    // The smallest segment, in bytes: 1
    uint64_t min_size;
    // The most pages of all segments together (kernel.shmall)
    uint64_t max_pages;
    // How many segments there are
    uint64_t segments;
    // How many pages they have
    uint64_t pages;
    // How many of those are in memory
    uint64_t resident_pages;
    // How many of those are swapped out
    uint64_t swapped_pages;
} madang_sysv_shm_limits;

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

// Left-overs of processes that were killed: half-made objects, and removed ones of System V's
// calls.
typedef struct {
    // sizeof(madang_left_over), set by the caller
    uint32_t struct_size;
    // 0 in this version
    uint32_t flags;
    // How many there are, or were
    uint64_t files;
    // Bytes of memory that they take, or took
    uint64_t bytes;
    // How many half-made ones there are of other users, which only these or root can judge and
    // remove
    uint64_t others;
} madang_left_over;

// An object that exists.
typedef struct {
    // sizeof(madang_listed), set by the caller in the first of them
    uint32_t struct_size;
    // MADANG_KIND_QUEUE, _SEMAPHORE_SET, _MUTEX, _RWLOCK, _CONDITION, _BARRIER, _EVENT, _SEGMENT,
    // _MEMORY or _OTHER
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
    // Of the messages held, how many are leased (what the dead had leased is given back first,
    // unless somebody is inside just then)
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

// How a named mutex, read-write lock, condition, barrier or event is opened: struct_size, and what
// shall not be the default.
typedef struct {
    // sizeof(madang_sync_options)
    uint32_t struct_size;
    // 0, or MADANG_ANY_OWNER
    uint32_t flags;
    // The permission bits of a new one, exactly: no umask. Default 0600. Whoever uses it needs to
    // read and to write.
    uint32_t mode;
    // MADANG_CREATE_IF_MISSING, the default; MADANG_CREATE_NEVER; MADANG_CREATE_ONLY
    uint32_t create;
} madang_sync_options;

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

// Makes a FIFO, a pipe with a name, with exactly these permission bits: no umask. The name never
// shows others. mode 0 is no permission at all.
//
// Returns 0, or
//   -EEXIST         the name is taken
//   -EINVAL         mode has more than permission bits, or path can't be a file's
//   -EFAULT         path is NULL
//   -ENOENT, -EACCES, -ENOTDIR, -EROFS, -ENOSPC, -ENAMETOOLONG
//                   as with mkfifo(3): the directory
//
// Doesn't wait. Any thread may call it at any time. Who is killed meanwhile may leave a file
// .madang.new.* in the directory.
int madang_fifo_make(const char *path, uint32_t mode);

// Opens the end of a FIFO from which one reads, or makes the FIFO first.
//
// It waits until somebody opened the other end, as open(2) does; but with a timeout_ns of 0 it
// opens it at once: then the first madang_pipe_read() waits for a writer, and 0 is only returned
// when one has been there and is gone. options may be NULL. *reader is written only on success;
// give it to madang_pipe_reader_close() in the end.
//
// Returns 0, or
//   -ETIMEDOUT     nobody opened it to write in time
//   -EINTR         a signal handler ran while it waited
//   -ENOENT        there is none, and create is MADANG_CREATE_NEVER; or there is no directory
//   -EEXIST        there is one, and create is MADANG_CREATE_ONLY
//   -ENODEV        the name is not a FIFO's
//   -ELOOP         it is a symbolic link's, which is never followed
//   -EPERM         it belongs to another user, who may have planted it: see MADANG_ANY_OWNER
//   -EACCES        permission denied
//   -EBUSY         others keep making and removing it: try again
//   -EINVAL        a flag, a struct_size, a mode, or path can't be a file's
//   -E2BIG         options sets a field that this version doesn't have
//   -EFAULT        path or reader is NULL
//   -EMFILE, -ENFILE, and what madang_fifo_make() returns
//
// Waits as timeout_ns says: it looks again and again, at first every 50 µs, at last every 5 ms.
// Any thread may call it at any time. See fifo(7).
int madang_fifo_open_reader(const char *path,
                            const madang_fifo_options *options,
                            madang_pipe_reader **reader,
                            uint32_t flags,
                            int64_t timeout_ns);

// Opens the end of a FIFO to which one writes, or makes the FIFO first; and waits until somebody
// has it open to read.
//
// Returns 0, or -EAGAIN if nobody reads and timeout_ns is 0 (what open(2) calls ENXIO); -ETIMEDOUT
// if nobody opened it to read in time; otherwise as madang_fifo_open_reader(). Waits as that does.
int madang_fifo_open_writer(const char *path,
                            const madang_fifo_options *options,
                            madang_pipe_writer **writer,
                            uint32_t flags,
                            int64_t timeout_ns);

// Opens both ends of a FIFO, which needs nobody else: for a server that doesn't want to see the
// file end whenever a client leaves. As long as the writer is kept, reading never returns 0.
//
// Returns 0, or fails as madang_fifo_open_reader(). Doesn't wait. Any thread may call it at any
// time.
int madang_fifo_open_both(const char *path,
                          const madang_fifo_options *options,
                          madang_pipe_reader **reader,
                          madang_pipe_writer **writer);

// Opens a side of the two-way channel called path, which is made of the FIFOs path.a and path.b,
// and waits for the other side: both call the same. What one writes the other reads.
//
// A side is taken by a lock on what is read (flock(2)), so there is no race, and the place of one
// who was killed is free. It is held as long as *reader is open.
//
// Returns 1 for the side that reads path.a, which on a new channel is who came first, 2 for the
// other, by which they can agree who begins; or
//   -EBUSY      both sides are taken
//   -ETIMEDOUT  the other side didn't come in time; -EAGAIN if timeout_ns is 0
// or fails as madang_fifo_open_reader(). Waits as that does.
int madang_fifo_open_channel(const char *path,
                             const madang_fifo_options *options,
                             madang_pipe_reader **reader,
                             madang_pipe_writer **writer,
                             uint32_t flags,
                             int64_t timeout_ns);

// Takes the name away, if it is a FIFO's. Who has it open goes on with it.
//
// Returns 0; -ENOENT if there is none; -ENODEV if it is no FIFO, -ELOOP if it is a symbolic link:
// it stays; -EACCES or -EPERM if the directory doesn't permit it; -EFAULT if path is NULL. Doesn't
// wait. Any thread may call it at any time.
int madang_fifo_remove(const char *path);

// Takes the two names of a channel away: those of them that there are. Otherwise as
// madang_fifo_remove(); -ENOENT if there is neither.
int madang_fifo_remove_channel(const char *path);

// Opens a regular file, or makes it. Symbolic links are followed, as open(2) does.
//
// options may be NULL. *file is written only on success; give it to madang_file_close() in the
// end. The name of a new file never shows another mode or length.
//
// Returns 0, or
//   -ENOENT     there is none, and create is MADANG_CREATE_NEVER, or MADANG_READ_ONLY is set; or
//               there is no directory
//   -EEXIST     there is one, and create is MADANG_CREATE_ONLY
//   -EACCES, -EISDIR, -ENOTDIR, -EROFS, -ELOOP, -ENAMETOOLONG, -EMFILE, -ENFILE
//               as with open(2)
//   -ENODEV, -ENXIO
//               it is no regular file
//   -ENOSPC, -EDQUOT, -EFBIG
//               options.length
//   -EINVAL     a flag, a struct_size, a mode; path can't be a file's; or MADANG_READ_ONLY with a
//               length or MADANG_CREATE_ONLY
//   -E2BIG      options sets a field that this version doesn't have
//   -EBUSY      others keep making and removing it: try again
//   -EFAULT     path or file is NULL
//
// Doesn't wait. Any thread may call it at any time.
int madang_file_open(const char *path, const madang_file_options *options, madang_file **file);

// Whether this handle's open made the file, and so has to give it its first contents.
//
// Returns 1 or 0; -EBADF if the handle was closed, -EFAULT if it is NULL. So compare it with 1:
// the errors are true, too. Doesn't wait. Any thread may call it at any time.
int madang_file_is_new(const madang_file *file);

// The descriptor, for read(2), pwrite(2) and their like. It is the handle's: don't close it.
//
// Returns it, or -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any thread
// may call it at any time.
int madang_file_fd(const madang_file *file);

// How many bytes the file has at the moment.
//
// Returns it, or -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any thread
// may call it at any time.
int64_t madang_file_length(const madang_file *file);

// Makes the file at least so long. What is new is 0, and its space is taken, so that touching it
// in a mapping can't fail. It never becomes shorter. Mappings stay as they are: map it again.
//
// Returns its length then, or -ENOSPC, -EDQUOT, -EFBIG; -EACCES if it was opened with
// MADANG_READ_ONLY; -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait, but for
// the disk. Any thread may call it at any time. See fallocate(2).
int64_t madang_file_grow(madang_file *file, uint64_t length);

// Maps length bytes of the file from offset, a multiple of the page size; a length of 0 is all
// that follows.
//
// *mapping is written only on success; give it to madang_mapping_close() in the end. It outlives
// the file's handle.
//
// Returns 0, or -EINVAL if there are no such bytes, or offset is no such multiple; -ENOMEM; -EBADF
// if the handle was closed, -EFAULT if a pointer is NULL. Doesn't wait. Any thread may call it at
// any time. See mmap(2).
int madang_file_map(madang_file *file, uint64_t offset, uint64_t length, madang_mapping **mapping);

// Locks length bytes from start, which need not exist; a length of 0 is all that follows, however
// long the file becomes: 0 and 0 is the whole file.
//
// flags is 0 or MADANG_LOCK_SHARED, with MADANG_DEADLINE or MADANG_INSTANT, which means the same
// as a timeout_ns of 0.
//
// What one handle has locked keeps others out: other handles of the same file, of this process or
// another, and whoever else uses such locks or those of lockf(3) (not flock(2)). It keeps other
// threads with the same handle out as well, whether or not both would share it. A thread that
// locks what it has locked already waits for itself. It is unlocked by madang_file_unlock(), and
// when the handle is closed or its process dies. A child of fork(2) has locked nothing, and is
// kept out like any other.
//
// The locks are advice: who doesn't lock may read and write.
//
// Returns 0, or
//   -EAGAIN     somebody is in the way, and timeout_ns is 0: see madang_file_holder_of()
//   -ETIMEDOUT  somebody was, until the time was over
//   -EINTR      a signal handler ran while it waited; nothing is locked
//   -EBADF      the handle was closed; or the lock is not shared, and the file MADANG_READ_ONLY
//   -EINVAL     an unknown flag, or a range that no file has
//   -ENOLCK     the system has no more locks
//   -EFAULT     file is NULL
//
// Waits as timeout_ns says. With an end, it looks again and again, at first every 50 µs, at last
// every 5 ms; without one, it waits in the kernel, where a handler that was installed with
// SA_RESTART doesn't end the wait. Any thread may call it at any time. See F_OFD_SETLK in
// fcntl(2).
int madang_file_lock(madang_file *file,
                     uint64_t start,
                     uint64_t length,
                     uint32_t flags,
                     int64_t timeout_ns);

// Unlocks what was locked, by the same start and length.
//
// Returns 0; -EPERM if this handle, in this process, has not locked exactly that; -EBADF if it was
// closed, -EFAULT if it is NULL. Doesn't wait. Any thread may call it at any time.
int madang_file_unlock(madang_file *file, uint64_t start, uint64_t length);

// Tells who is in the way of a lock with that start, length and flags (0 or MADANG_LOCK_SHARED):
// at the moment, and only one of them. What this handle itself has locked it doesn't tell.
//
// Returns 1, and fills *holder; 0 if nobody is; -EINVAL for an unknown flag, a range that no file
// has, or a struct_size; -EBADF if the handle was closed; -EFAULT if a pointer is NULL. Doesn't
// wait. Any thread may call it at any time. See F_OFD_GETLK in fcntl(2), and proc_pid_fdinfo(5).
int madang_file_holder_of(const madang_file *file,
                          uint64_t start,
                          uint64_t length,
                          uint32_t flags,
                          madang_file_holder *holder);

// Closes the handle: what it has locked is unlocked. Mappings stay. No other thread may be inside
// a call with it.
//
// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
int madang_file_close(madang_file *file);

// Replaces a file by one with the length bytes at data, or makes it, in one step: whoever opens it
// finds the old contents or the new ones, also after a power failure. Who has the old one open
// goes on with that. The new one belongs to this process's user; of a symbolic link, the link is
// replaced.
//
// mode is the permission bits, exactly: no umask; 0 is 0600. flags is 0 or MADANG_KEEP_MODE.
//
// Returns 0, or
//   -ENOENT, -EACCES, -ENOTDIR, -EROFS, -ENAMETOOLONG
//               the directory
//   -EISDIR     the name is a directory's
//   -ENOSPC, -EDQUOT, -EFBIG, -EIO
//               the disk
//   -EINVAL     an unknown flag, a mode, or path can't be a file's
//   -EFAULT     path is NULL, or data is and length is not 0
// Then the old file is as it was. (Only if the last step fails, to bring the directory to the
// disk, it is replaced already: madang_last_error() says so.)
//
// Waits for the disk. Any thread may call it at any time. Who is killed meanwhile may leave a file
// .madang.new.* in the directory. See rename(2), fsync(2).
int madang_file_replace(const char *path,
                        const void *data,
                        size_t length,
                        uint32_t mode,
                        uint32_t flags);

// Follows a file while it grows, as tail -F does: also when it is truncated, or another file takes
// its name.
//
// flags is 0, to begin with what is in the file already, or MADANG_FROM_END. *follow is written
// only on success; give it to madang_file_follow_close() in the end.
//
// Returns 0; -ENOENT, -EACCES and others as open(2); -ENODEV if it is no regular file; -EINVAL for
// an unknown flag, or a path that can't be a file's; -EFAULT if a pointer is NULL. Doesn't wait.
// Any thread may call it at any time.
int madang_file_follow_open(const char *path, uint32_t flags, madang_file_follow **follow);

// Waits until there is something new in the file, and reads it into the capacity bytes at buffer.
//
// Where the file was truncated, it is read from its start. Where another file took its name, the
// old one is read to its end first. Bytes of two files never come by one call. A file that is
// truncated and grows past what was read before anybody looks is not found out.
//
// Returns how many bytes it read: 1 or more, unless capacity is 0; or
//   -EAGAIN     nothing is new, and timeout_ns is 0
//   -ETIMEDOUT  nothing was written in time
//   -EINTR      a signal handler ran while it waited; nothing was read
//   -EBUSY      another thread is inside
//   -EBADF      the handle was closed
//   -EFAULT     follow is NULL, or buffer is and capacity is not 0
//   -EINVAL     an unknown flag
// or what opening the file that took the name fails with.
//
// Waits as timeout_ns says; for what inotify(7) tells, and looks four times a second anyway. One
// thread at a time may call it.
int64_t madang_file_follow_read(madang_file_follow *follow,
                                void *buffer,
                                size_t capacity,
                                uint32_t flags,
                                int64_t timeout_ns);

// How often it began at a start again: the file was truncated, or replaced. What was read last is
// of the present one.
//
// Returns it; -EBUSY if another thread is inside a read; -EBADF if the handle was closed, -EFAULT
// if it is NULL. Doesn't wait.
int64_t madang_file_follow_restarts(const madang_file_follow *follow);

// Closes the handle. No other thread may be inside a call with it.
//
// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
int madang_file_follow_close(madang_file_follow *follow);

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

// Writes length bytes at offset that were changed to the file that is mapped, if it is one, and
// waits until they are there: they are safe then from a power failure. Other processes see changes
// anyway, at once. It goes by pages; a length of 0 is all that follows.
//
// Returns 0; -EINVAL if they don't lie within, -EIO if they can't be written, -EBADF if it was
// closed, -EFAULT if it is NULL. Waits for the disk. Any thread may call it at any time. See
// msync(2).
int madang_mapping_sync(madang_mapping *mapping, size_t offset, size_t length);

// Unmaps it: pointers into it are dead. No other thread may be inside a call with it.
//
// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
int madang_mapping_close(madang_mapping *mapping);

// Makes a memfd, all 0. name, up to 249 bytes of UTF-8, is for people, who see it in /proc/PID/fd;
// it need not be unique. options may be NULL: then it is empty. *memfd is written only on success;
// give it to madang_memfd_close() in the end. Its descriptor is close-on-exec.
//
// Returns 0, or
//   -EINVAL   a bad name, flag or struct_size; or size is no multiple of the huge page's
//   -ENOSPC, -ENOMEM
//             not so many huge pages
//   -ENODEV, -ENOTSUP
//             no huge pages of that size
//   -EACCES   MADANG_MEMFD_EXECUTABLE, and the sysctl vm.memfd_noexec forbids it
//   -EFBIG    size is more than a file may have
//   -E2BIG    options sets a field that this version doesn't have
//   -EFAULT   name or memfd is NULL
//   -EMFILE, -ENFILE
//             as with memfd_create(2)
//
// Doesn't wait. Any thread may call it at any time.
int madang_memfd_create(const char *name,
                        const madang_memfd_options *options,
                        madang_memfd **memfd);

// Opens a memfd that came from somebody who need not be trusted: fd must be one of a memfd, and
// that be sealed with the seals, MADANG_SEAL_GROW and its like with |, and in any case with
// MADANG_SEAL_SHRINK, so that touching it is no risk. Without MADANG_SEAL_WRITE the sender may go
// on writing: copy what you check before you check it.
//
// fd belongs to the memfd then, and its number may be another file's; if the call fails, it stays
// the caller's. *memfd is written only on success; give it to madang_memfd_close() in the end.
//
// Returns 0; -EPERM if a seal is missing; -EINVAL if it is no memfd; -EBADF if it is no
// descriptor; -EMFILE; -EFAULT if memfd is NULL. Doesn't wait. Any thread may call it at any time.
int madang_memfd_from_fd(int fd, uint32_t seals, madang_memfd **memfd);

// As madang_memfd_from_fd(), from somebody who is trusted: no seals are asked for. Who can write
// it can then truncate it, which is SIGBUS for who touches what was cut off.
int madang_memfd_from_trusted_fd(int fd, madang_memfd **memfd);

// The memfd's size in bytes, as it is now.
//
// Returns 0 or more; -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any
// thread may call it at any time.
int64_t madang_memfd_size(const madang_memfd *memfd);

// Gives the memfd another size, in bytes. What is added is 0, and memory is taken as it is
// touched.
//
// Returns 0; -EPERM if it is sealed against that; -EFBIG; -EINVAL if its descriptor is read-only,
// or size no multiple of its huge pages'; -EBADF if the handle was closed, -EFAULT if it is NULL.
// Doesn't wait. Any thread may call it at any time.
int madang_memfd_set_size(madang_memfd *memfd, uint64_t size);

// The seals that the memfd has: MADANG_SEAL_SHRINK and its like, with |.
//
// Returns 0 or more; -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any
// thread may call it at any time.
int madang_memfd_seals(const madang_memfd *memfd);

// Adds seals to the memfd, MADANG_SEAL_SHRINK and its like with |. They can't be taken away.
//
// Returns 0, or
//   -EBUSY   MADANG_SEAL_WRITE while it is mapped to be written, in any process
//   -EPERM   it is sealed with MADANG_SEAL_SEAL, or its descriptor is read-only
//   -EINVAL  this kernel doesn't know a seal
//   -EBADF   the handle was closed
//   -EFAULT  it is NULL
//
// Doesn't wait. Any thread may call it at any time.
int madang_memfd_seal(madang_memfd *memfd, uint32_t seals);

// Maps length bytes of the memfd at offset, which is a multiple of the page size; length 0 means
// up to its end. flags: 0 or MADANG_READ_ONLY. *mapping is written only on success; it stays
// whatever becomes of the memfd's handle, until madang_mapping_close().
//
// Returns 0, or
//   -EINVAL  they don't lie within it, it is empty, the offset, or a flag
//   -EPERM   it is to be written, and is sealed with MADANG_SEAL_WRITE or _FUTURE_WRITE
//   -EACCES  it is to be written, and its descriptor is read-only
//   -ENOMEM  as with mmap(2); or not so many huge pages
//   -EBADF   the handle was closed
//   -EFAULT  a pointer is NULL
//
// Doesn't wait. Any thread may call it at any time.
int madang_memfd_map(madang_memfd *memfd,
                     uint64_t offset,
                     uint64_t length,
                     uint32_t flags,
                     madang_mapping **mapping);

// The memfd's descriptor: to be handed on. It is the handle's, and must not be closed.
//
// Returns 0 or more; -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any
// thread may call it at any time.
int madang_memfd_fd(const madang_memfd *memfd);

// Closes the handle; what was mapped by it stays. No other thread may be inside a call with it.
//
// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
int madang_memfd_close(madang_memfd *memfd);

// Makes a pipe: bytes that are written to *writer are read from *reader, in order (pipe(7)).
//
// options may be NULL. Both ends are written only on success; give each to its close in the end. A
// child of fork(2) has both; it closes the one that it doesn't use, and so does the parent with
// the other, or the end of the file is never seen. A program that is started has neither: see
// madang_pipe_reader_detach().
//
// Returns 0, or
//   -EMFILE, -ENFILE  too many open files
//   -EPERM, -ENOMEM   options.capacity: see madang_pipe_writer_set_capacity()
//   -EINVAL           a flag, a struct_size, or a capacity that no pipe can have
//   -E2BIG            options sets a field that this version doesn't have
//   -EFAULT           reader or writer is NULL
//
// Doesn't wait. Any thread may call it at any time. See pipe(2).
int madang_pipe_open(const madang_pipe_options *options,
                     madang_pipe_reader **reader,
                     madang_pipe_writer **writer);

// Takes over a descriptor from which a pipe is read, such as the standard input that a parent
// gave.
//
// On success fd belongs to *reader, and its number may be another file's: the pipe is opened anew
// by way of /proc, so that whoever shares the descriptor doesn't find that it doesn't block any
// more. (Where that can't be, because there is no /proc, or the pipe is another user's, they do.)
// On failure fd is as it was.
//
// Returns 0, or
//   -ENODEV            fd is not a pipe's
//   -EBADF             fd is not open, or is the end where it is written
//   -EFAULT            reader is NULL
//   -EMFILE, -ENFILE   too many open files
//
// Doesn't wait. Any thread may call it at any time.
int madang_pipe_reader_from_fd(int fd, madang_pipe_reader **reader);

// Takes over a descriptor to which a pipe is written; otherwise as madang_pipe_reader_from_fd().
// flags is 0 or MADANG_LEAVE_SIGPIPE; another one is -EINVAL.
int madang_pipe_writer_from_fd(int fd, uint32_t flags, madang_pipe_writer **writer);

// Waits until there is something to read, and reads it into the capacity bytes at buffer.
//
// It reads what there is, as far as the buffer goes; less than that is usual. flags is 0,
// MADANG_DEADLINE or MADANG_INSTANT, which means the same as a timeout_ns of 0.
//
// Returns how many bytes it read; 0 if there is no writer any more and never will be (with a FIFO:
// if there is none at the moment), or capacity is 0; or
//   -EAGAIN     there is nothing, and timeout_ns is 0
//   -ETIMEDOUT  nothing came in time
//   -EINTR      a signal handler ran while it waited; nothing was read
//   -EBADF      the handle was closed
//   -EFAULT     reader is NULL, or buffer is and capacity is not 0
//   -EINVAL     an unknown flag
//
// Waits as timeout_ns says. Any thread may call it at any time; what comes is shared among those
// who read. See read(2), pipe(7).
int64_t madang_pipe_read(madang_pipe_reader *reader,
                         void *buffer,
                         size_t capacity,
                         uint32_t flags,
                         int64_t timeout_ns);

// Waits until length bytes were read to buffer, or the file ends.
//
// *filled, unless it is NULL, becomes how many bytes were read, also on failure: what came before
// a time-out or a signal stands in the buffer.
//
// Returns how many bytes it read: fewer than length only where the file ended before; or fails as
// madang_pipe_read() does.
//
// Waits as timeout_ns says, for all of it together. Any thread may call it at any time; who reads
// at the same time takes some of what comes.
int64_t madang_pipe_read_exact(madang_pipe_reader *reader,
                               void *buffer,
                               size_t length,
                               size_t *filled,
                               uint32_t flags,
                               int64_t timeout_ns);

// Waits until there is room in the pipe, and writes what there is room for of the length bytes at
// data.
//
// At most MADANG_PIPE_BUF bytes are written whole or not at all, and what other writers write
// never stands among them. Of more it writes 1 byte or more, perhaps in pieces between which
// others write.
//
// Returns how many bytes it wrote, or
//   -EPIPE      nobody has the pipe open to read. SIGPIPE doesn't come, but with
//               MADANG_LEAVE_SIGPIPE
//   -EAGAIN     there is no room, and timeout_ns is 0
//   -ETIMEDOUT  there was no room in time
//   -EINTR      a signal handler ran while it waited; nothing was written
//   -EBADF      the handle was closed
//   -EFAULT     writer is NULL, or data is and length is not 0
//   -EINVAL     an unknown flag
//
// Waits as timeout_ns says. Any thread may call it at any time. See write(2), pipe(7). To
// spare the process SIGPIPE costs 0.1 µs from Linux 6.18 on; before, the signal is blocked in the
// thread around the call, which is three system calls more.
int64_t madang_pipe_write(madang_pipe_writer *writer,
                          const void *data,
                          size_t length,
                          uint32_t flags,
                          int64_t timeout_ns);

// Waits until all of the length bytes at data are written.
//
// *written, unless it is NULL, becomes how many bytes were written, also on failure: of more than
// MADANG_PIPE_BUF bytes some may have been.
//
// Returns 0, or fails as madang_pipe_write() does. Waits as timeout_ns says, for all of them
// together. Any thread may call it at any time.
int madang_pipe_write_all(madang_pipe_writer *writer,
                          const void *data,
                          size_t length,
                          size_t *written,
                          uint32_t flags,
                          int64_t timeout_ns);

// The descriptor, for poll(2) and its like: readable means that there is something to read, or the
// end of the file. It is the handle's: don't close it; and it doesn't block.
//
// Returns it, or -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any thread
// may call it at any time.
int madang_pipe_reader_fd(const madang_pipe_reader *reader);

// As madang_pipe_reader_fd(); writable means that there is room for MADANG_PIPE_BUF bytes.
int madang_pipe_writer_fd(const madang_pipe_writer *writer);

// How many bytes wait in the pipe to be read: FIONREAD. Others may read and write meanwhile.
//
// Returns it, or -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any thread
// may call it at any time.
int64_t madang_pipe_reader_waiting(const madang_pipe_reader *reader);

// As madang_pipe_reader_waiting().
int64_t madang_pipe_writer_waiting(const madang_pipe_writer *writer);

// How many bytes the pipe can hold: F_GETPIPE_SZ. It holds them in pages, so many small writes
// fill it before.
//
// Returns it, or -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any thread
// may call it at any time.
int64_t madang_pipe_reader_capacity(const madang_pipe_reader *reader);

// As madang_pipe_reader_capacity().
int64_t madang_pipe_writer_capacity(const madang_pipe_writer *writer);

// Lets the pipe hold at least so many bytes: F_SETPIPE_SZ in fcntl(2).
//
// Returns how many it can hold now: the next power of two, and a page or more; or
//   -EPERM   more than /proc/sys/fs/pipe-max-size, and the process is not privileged; or all pipes
//            of the user together have more than /proc/sys/fs/pipe-user-pages-soft pages
//   -EBUSY   it holds more than that at the moment
//   -EINVAL  no pipe can hold so many
//   -ENOMEM  no memory
//   -EBADF   the handle was closed
//   -EFAULT  it is NULL
//
// Doesn't wait. Any thread may call it at any time.
int64_t madang_pipe_reader_set_capacity(madang_pipe_reader *reader, size_t bytes);

// As madang_pipe_reader_set_capacity().
int64_t madang_pipe_writer_set_capacity(madang_pipe_writer *writer, size_t bytes);

// Closes the handle, but not its descriptor, which it returns: for a program that knows nothing of
// madang, mostly a child that is about to be started. From then on it blocks as usual, in all
// processes that share it.
//
// flags is 0 for a descriptor that is dup2(2)ed to a child's standard input, which takes the
// close-on-exec away; or MADANG_INHERITABLE for one that is inherited by its number. Then every
// program that any thread starts inherits it, until it is closed here.
//
//     int fd = madang_pipe_reader_detach(reader, 0);
//     pid_t child = fork();
//     if (child == 0) {
//         dup2(fd, STDIN_FILENO);
//         execlp("sort", "sort", NULL);
//         _exit(127);
//     }
//     close(fd);
//
// Returns the descriptor, which is the caller's, or -EBADF if the handle was closed before,
// -EFAULT if it is NULL, -EINVAL for another flag: then nothing is closed. Doesn't wait. No other
// thread may be inside a call with this handle.
int madang_pipe_reader_detach(madang_pipe_reader *reader, uint32_t flags);

// As madang_pipe_reader_detach().
int madang_pipe_writer_detach(madang_pipe_writer *writer, uint32_t flags);

// Closes the end. No other thread may be inside a call with it.
//
// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
int madang_pipe_reader_close(madang_pipe_reader *reader);

// As madang_pipe_reader_close(). What was written stays for the reader.
int madang_pipe_writer_close(madang_pipe_writer *writer);

// Opens the POSIX message queue called name, or creates it.
//
// name is 1 to 255 bytes of UTF-8 without '/': what is "/orders" for mq_open(3) is "orders" here.
// options may be NULL. *queue is written only on success; give it to madang_posix_mq_close() in
// the end. Its descriptor is close-on-exec and doesn't block.
//
// A new queue gets its mode exactly, but for a moment it may have less: whoever opens it then may
// see -EACCES.
//
// Returns 0, or
//   -EINVAL        a bad name, flag, mode or struct_size; limits above the machine's; or the
//                  existing queue is smaller than asked for
//   -ENAMETOOLONG  the name
//   -ENOENT        there is none, and create is MADANG_CREATE_NEVER
//   -EEXIST        there is one, and create is MADANG_CREATE_ONLY
//   -EACCES        its permission bits don't let this process use it so
//   -EMFILE        it would hold more than this user's queues may together, RLIMIT_MSGQUEUE bytes
//                  (getrlimit(2)); or the process has too many open files
//   -ENOSPC        there are /proc/sys/fs/mqueue/queues_max queues already
//   -EBUSY         others keep making and removing it: try again
//   -E2BIG         options sets a field that this version doesn't have
//   -EFAULT        name or queue is NULL
//   -ENFILE, -ENOMEM
//                  as with mq_open(3)
//
// Doesn't wait. Any thread may call it at any time.
int madang_posix_mq_open(const char *name,
                         const madang_posix_mq_options *options,
                         madang_posix_mq **queue);

// Takes over a descriptor of a queue that was inherited or received. From then on it doesn't
// block, for all who share it.
//
// fd belongs to the queue then, and its number may be another file's; if the call fails, it stays
// the caller's. *queue is written only on success; give it to madang_posix_mq_close() in the end.
//
// Returns 0; -EBADF if it is no descriptor, or not one of a message queue; -EMFILE; -EFAULT if
// queue is NULL. Doesn't wait. Any thread may call it at any time.
int madang_posix_mq_from_fd(int fd, madang_posix_mq **queue);

// Sends length bytes at data, with a priority from 0 to MADANG_POSIX_MQ_MAX_PRIORITY (mq_send(3)).
//
// flags: 0, MADANG_DEADLINE or MADANG_INSTANT (here the same as no time). Waits for room for
// timeout_ns nanoseconds, negative is for ever, by the monotonic clock.
//
// Returns 0, or
//   -EAGAIN     it is full, and the call was not to wait
//   -ETIMEDOUT  the time is over
//   -EINTR      a signal handler ran while it waited; nothing was sent
//   -EMSGSIZE   longer than a message in this queue may be
//   -EINVAL     a bad priority or flag
//   -EBADF      the handle was closed, or opened only to receive
//   -EFAULT     queue is NULL; or data, and length is not 0
//
// Any thread may call it at any time.
int madang_posix_mq_send(madang_posix_mq *queue,
                         uint32_t priority,
                         const void *data,
                         size_t length,
                         uint32_t flags,
                         int64_t timeout_ns);

// Receives the first message of the greatest priority (mq_receive(3)).
//
// buffer has room for capacity bytes, at least what madang_posix_mq_stat() tells as
// max_message_size. priority may be NULL. flags and timeout_ns are as in madang_posix_mq_send().
//
// Returns the message's length, or
//   -EAGAIN     it is empty, and the call was not to wait
//   -ETIMEDOUT  the time is over
//   -EINTR      a signal handler ran while it waited; nothing was received
//   -E2BIG      the buffer is smaller than the longest message that the queue takes
//   -EINVAL     a bad flag
//   -EBADF      the handle was closed, or opened only to send
//   -EFAULT     queue or buffer is NULL
//
// Any thread may call it at any time.
int64_t madang_posix_mq_recv(madang_posix_mq *queue,
                             void *buffer,
                             size_t capacity,
                             uint32_t flags,
                             uint32_t *priority,
                             int64_t timeout_ns);

// Tells what the queue is, and what it holds (mq_getattr(3)).
//
// Returns 0; -EINVAL if struct_size is not set, -EBADF if the handle was closed, -EFAULT if a
// pointer is NULL. Doesn't wait. Any thread may call it at any time.
int madang_posix_mq_stat(madang_posix_mq *queue, madang_posix_mq_status *status);

// Registers this process to be told, once, when a message comes into the empty queue: by signal,
// which carries value (si_value), SI_MESGQ as si_code, and the sender's pid and user; or, if
// signal is 0, not at all, but nobody else can be registered meanwhile (mq_notify(3)).
//
// Only one process can be. It isn't told as long as somebody waits in a plain mq_receive(3); who
// waits in madang_posix_mq_recv() or poll(2) doesn't count as such. When it was told it is
// registered no more: register anew first, then receive until -EAGAIN. The registration goes when
// this process closes any handle of the queue.
//
// Returns 0; -EBUSY if a process is registered already, be it this one; -EINVAL if there is no
// such signal; -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any thread
// may call it at any time.
int madang_posix_mq_notify(madang_posix_mq *queue, int signal, int value);

// Takes back what madang_posix_mq_notify() registered; does nothing if this process isn't
// registered.
//
// Returns 0; -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any thread may
// call it at any time.
int madang_posix_mq_cancel_notify(madang_posix_mq *queue);

// The queue's descriptor for poll(2) and its like: readable when there is a message, writable when
// there is room. It is the handle's, and must not be closed.
//
// Returns 0 or more; -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any
// thread may call it at any time.
int madang_posix_mq_fd(const madang_posix_mq *queue);

// The name by which the queue was opened; empty if it was made of a descriptor.
//
// Returns a text that is valid until the handle is closed, or NULL if the handle was closed or is
// NULL (madang_last_error() tells). Doesn't wait. Any thread may call it at any time.
const char *madang_posix_mq_name(const madang_posix_mq *queue);

// Whether this handle's open created the queue.
//
// Returns 1 or 0; -EBADF if the handle was closed, -EFAULT if it is NULL. So compare it with 1:
// the errors are true, too. Doesn't wait. Any thread may call it at any time.
int madang_posix_mq_is_new(const madang_posix_mq *queue);

// Closes the handle, which also takes back what this process registered with the queue, by
// whatever handle (mq_close(3)). No other thread may be inside a call with it.
//
// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
int madang_posix_mq_close(madang_posix_mq *queue);

// Takes the queue's name away; who has it open goes on with it. The next open makes a new one.
//
// Returns 0; -ENOENT if there is none; -EPERM or -EACCES if it is another user's; -EINVAL or
// -ENAMETOOLONG for a bad name; -EFAULT if it is NULL. Doesn't wait. Any thread may call it at any
// time.
int madang_posix_mq_unlink(const char *name);

// Lists the POSIX message queues that exist, in the order of their names. They can be seen only
// where root has mounted their file system: mkdir -p /dev/mqueue, then
// mount -t mqueue none /dev/mqueue.
//
// objects is an array of capacity structs, of which only the first one's struct_size need be set.
//
// Returns how many there are, of which the first capacity are written; with capacity 0, objects
// may be NULL. Or -ENOENT where it is not mounted; -EINVAL if struct_size is not set; -EFAULT if
// objects is NULL; -EMFILE, -ENFILE. Doesn't wait. Any thread may call it at any time.
int64_t madang_posix_mq_list(madang_posix_listed *objects, size_t capacity);

// Opens the POSIX semaphore called name, or creates it.
//
// name is 1 to 251 bytes of UTF-8 without '/': what is "/turn" for sem_open(3) is "turn" here.
// options may be NULL. *semaphore is written only on success; give it to madang_posix_sem_close()
// in the end. It keeps no descriptor. A new one has its value and its mode before it has its name.
//
// Returns 0, or
//   -EINVAL        a bad name, value, mode or struct_size; or what has the name is no semaphore
//   -ENAMETOOLONG  the name
//   -ENOENT        there is none, and create is MADANG_CREATE_NEVER
//   -EEXIST        there is one, and create is MADANG_CREATE_ONLY
//   -EACCES        its permission bits don't let this process use it
//   -EISDIR, -ELOOP, -ENODEV, -ENXIO
//                  the name is that of something that is no regular file
//   -ENOSPC        /dev/shm is full; a container's often has 64 MB
//   -EBUSY         others keep making and removing it: try again
//   -E2BIG         options sets a field that this version doesn't have
//   -EFAULT        name or semaphore is NULL
//   -ENOMEM, -EMFILE, -ENFILE
//                  as with open(2) and mmap(2)
//
// Doesn't wait. Any thread may call it at any time.
int madang_posix_sem_open(const char *name,
                          const madang_posix_sem_options *options,
                          madang_posix_sem **semaphore);

// Makes an unnamed semaphore in memory that is shared: sizeof(sem_t) bytes at offset, which is a
// multiple of what a sem_t is aligned to (sem_init(3)). Once, before anybody uses it: to make it
// anew while others wait for it leaves them waiting.
//
// *semaphore is written only on success; give it to madang_posix_sem_close() in the end. The
// memory stays mapped until then, also if the mapping is closed before.
//
// Returns 0; -EINVAL if it doesn't lie within, or for a bad offset or value; -EACCES if the memory
// is read-only; -EBADF if the mapping was closed; -EFAULT if a pointer is NULL. Doesn't wait. Any
// thread may call it at any time.
int madang_posix_sem_init(madang_mapping *mapping,
                          size_t offset,
                          uint32_t value,
                          madang_posix_sem **semaphore);

// Opens the unnamed semaphore that was made in that memory, at that offset, by whatever process or
// language; also by sem_init(3) with pshared. Whether there is one can't be seen: of other bytes
// it makes one with some value. Else as madang_posix_sem_init().
int madang_posix_sem_at(madang_mapping *mapping, size_t offset, madang_posix_sem **semaphore);

// Adds 1 to the semaphore, and wakes one who waits, if somebody does (sem_post(3)).
//
// Returns 0; -EOVERFLOW if its value is SEM_VALUE_MAX; -EBADF if the handle was closed, -EFAULT if
// it is NULL. Doesn't wait. Any thread may call it at any time.
int madang_posix_sem_post(madang_posix_sem *semaphore);

// Takes 1 from the semaphore as soon as its value is more than 0 (sem_clockwait(3)).
//
// flags: 0, MADANG_DEADLINE or MADANG_INSTANT (here the same as no time). Waits for timeout_ns
// nanoseconds, negative is for ever; by the monotonic clock, where the C library can (glibc from
// 2.30 on), else by the one that is set, looking each second whether the two agree.
//
// Returns 0, or
//   -EAGAIN     its value is 0, and the call was not to wait
//   -ETIMEDOUT  the time is over
//   -EINTR      a signal handler ran while it waited; nothing was taken
//   -EINVAL     a bad flag
//   -EBADF      the handle was closed
//   -EFAULT     it is NULL
//
// Any thread may call it at any time.
int madang_posix_sem_wait(madang_posix_sem *semaphore, uint32_t flags, int64_t timeout_ns);

// The semaphore's value, which may be another one by now (sem_getvalue(3)).
//
// Returns 0 or more; -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any
// thread may call it at any time.
int madang_posix_sem_value(const madang_posix_sem *semaphore);

// Tells what the semaphore called name is.
//
// Returns 0; -ENOENT if there is none; -EINVAL if struct_size is not set; -EFAULT if a pointer is
// NULL; else as madang_posix_sem_open(). Doesn't wait. Any thread may call it at any time.
int madang_posix_sem_stat(const char *name, madang_posix_sem_status *status);

// The name by which the semaphore was opened; empty for an unnamed one.
//
// Returns a text that is valid until the handle is closed, or NULL if the handle was closed or is
// NULL (madang_last_error() tells). Doesn't wait. Any thread may call it at any time.
const char *madang_posix_sem_name(const madang_posix_sem *semaphore);

// Whether the call that made this handle made the semaphore.
//
// Returns 1 or 0; -EBADF if the handle was closed, -EFAULT if it is NULL. So compare it with 1:
// the errors are true, too. Doesn't wait. Any thread may call it at any time.
int madang_posix_sem_is_new(const madang_posix_sem *semaphore);

// Closes the handle, which does nothing to the semaphore. No other thread may be inside a call
// with it.
//
// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
int madang_posix_sem_close(madang_posix_sem *semaphore);

// Takes the semaphore's name away; who has it open goes on with it (sem_unlink(3)).
//
// Returns 0; -ENOENT if there is none; -EPERM or -EACCES if it is another user's; -EINVAL or
// -ENAMETOOLONG for a bad name; -EFAULT if it is NULL. Doesn't wait. Any thread may call it at any
// time.
int madang_posix_sem_unlink(const char *name);

// Lists the named POSIX semaphores that exist, in the order of their names. (With musl none, for
// nothing tells them from shared memory there.)
//
// objects is an array of capacity structs, of which only the first one's struct_size need be set.
//
// Returns how many there are, of which the first capacity are written; with capacity 0, objects
// may be NULL. Or -ENOENT or -EACCES if /dev/shm can't be read; -EINVAL if struct_size is not set;
// -EFAULT if objects is NULL; -EMFILE, -ENFILE. Doesn't wait. Any thread may call it at any time.
int64_t madang_posix_sem_list(madang_posix_listed *objects, size_t capacity);

// Opens the POSIX shared memory object called name, or creates it. It isn't mapped by that.
//
// name is 1 to 255 bytes of UTF-8 without '/', and doesn't begin with "madang.": what is "/frame"
// for shm_open(3) is "frame" here. options may be NULL. *object is written only on success; give
// it to madang_posix_shm_close() in the end. Its descriptor is close-on-exec. A new one has its
// size and its mode before it has its name.
//
// Returns 0, or
//   -EINVAL        a bad name, flag, mode or struct_size; MADANG_CREATE_ONLY with
//   MADANG_READ_ONLY;
//                  or the existing object is smaller than asked for
//   -ENAMETOOLONG  the name
//   -ENOENT        there is none, and create is MADANG_CREATE_NEVER, or MADANG_READ_ONLY is set
//   -EEXIST        there is one, and create is MADANG_CREATE_ONLY
//   -EACCES        its permission bits don't let this process use it so
//   -EISDIR, -ELOOP, -ENODEV, -ENXIO
//                  the name is a directory's, a symbolic link's, or that of some other thing that
//                  is no regular file
//   -ENOSPC        /dev/shm is full; a container's often has 64 MB
//   -EFBIG         size is more than a file may have
//   -EBUSY         others keep making and removing it: try again
//   -E2BIG         options sets a field that this version doesn't have
//   -EFAULT        name or object is NULL
//   -ENOMEM, -EMFILE, -ENFILE
//                  as with open(2)
//
// Doesn't wait. Any thread may call it at any time.
int madang_posix_shm_open(const char *name,
                          const madang_posix_shm_options *options,
                          madang_posix_shm **object);

// Takes over a descriptor of shared memory that was inherited or received; or of any regular file.
// Whoever else can write it can truncate it: from a stranger take a madang_memfd instead.
//
// fd belongs to the object then, and its number may be another file's; if the call fails, it stays
// the caller's. *object is written only on success; give it to madang_posix_shm_close() in the
// end.
//
// Returns 0; -ENODEV if it is no regular file's; -EBADF if it is no descriptor; -EMFILE; -EFAULT
// if object is NULL. Doesn't wait. Any thread may call it at any time.
int madang_posix_shm_from_fd(int fd, madang_posix_shm **object);

// Tells what the object is: its size as it is now, its owner, its mode.
//
// Returns 0; -EINVAL if struct_size is not set, -EBADF if the handle was closed, -EFAULT if a
// pointer is NULL. Doesn't wait. Any thread may call it at any time.
int madang_posix_shm_stat(madang_posix_shm *object, madang_posix_shm_status *status);

// Gives the object another size, in bytes. What is added is 0, and its space is taken at once; if
// there is none, nothing changes. Who touches what was cut off is killed by SIGBUS.
//
// Returns 0; -ENOSPC if /dev/shm is full; -EFBIG; -EACCES if it was opened with MADANG_READ_ONLY;
// -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any thread may call it at
// any time.
int madang_posix_shm_set_size(madang_posix_shm *object, uint64_t size);

// Maps length bytes of the object at offset, which is a multiple of the page size; length 0 means
// up to its end. flags: 0 or MADANG_READ_ONLY. *mapping is written only on success; it stays
// whatever becomes of the object's handle, until madang_mapping_close().
//
// Returns 0; -EINVAL if they don't lie within it, if it is empty, or for the offset or a flag;
// -EACCES to write what was opened with MADANG_READ_ONLY; -ENOMEM; -EBADF if the handle was
// closed, -EFAULT if a pointer is NULL. Doesn't wait. Any thread may call it at any time.
int madang_posix_shm_map(madang_posix_shm *object,
                         uint64_t offset,
                         uint64_t length,
                         uint32_t flags,
                         madang_mapping **mapping);

// The object's descriptor, for mmap(2), sendmsg(2) and their like. It is the handle's, and must
// not be closed.
//
// Returns 0 or more; -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any
// thread may call it at any time.
int madang_posix_shm_fd(const madang_posix_shm *object);

// The name by which the object was opened; empty if it was made of a descriptor.
//
// Returns a text that is valid until the handle is closed, or NULL if the handle was closed or is
// NULL (madang_last_error() tells). Doesn't wait. Any thread may call it at any time.
const char *madang_posix_shm_name(const madang_posix_shm *object);

// Whether this handle's open created the object.
//
// Returns 1 or 0; -EBADF if the handle was closed, -EFAULT if it is NULL. So compare it with 1:
// the errors are true, too. Doesn't wait. Any thread may call it at any time.
int madang_posix_shm_is_new(const madang_posix_shm *object);

// Closes the handle; what was mapped by it stays. No other thread may be inside a call with it.
//
// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
int madang_posix_shm_close(madang_posix_shm *object);

// Takes the object's name away; who has it open or mapped goes on with it (shm_unlink(3)).
//
// Returns 0; -ENOENT if there is none; -EPERM or -EACCES if it is another user's; -EISDIR; -EINVAL
// or -ENAMETOOLONG for a bad name; -EFAULT if it is NULL. Doesn't wait. Any thread may call it at
// any time.
int madang_posix_shm_unlink(const char *name);

// Lists the POSIX shared memory objects that exist, in the order of their names: all regular files
// in /dev/shm but madang's own and semaphores.
//
// objects is an array of capacity structs, of which only the first one's struct_size need be set.
//
// Returns how many there are, of which the first capacity are written; with capacity 0, objects
// may be NULL. Or -ENOENT or -EACCES if /dev/shm can't be read; -EINVAL if struct_size is not set;
// -EFAULT if objects is NULL; -EMFILE, -ENFILE. Doesn't wait. Any thread may call it at any time.
int64_t madang_posix_shm_list(madang_posix_listed *objects, size_t capacity);

// A signal as a set of one. Sets are 64 bits, joined with |: bit n - 1 is signal n.
//
// Returns the bit; 0 if there is no such signal (madang_last_error() tells). Doesn't wait. Any
// thread may call it at any time.
uint64_t madang_signal_set(int signal);

// The signal of that name: "SIGUSR1", "USR1", "SIGRTMIN+3", "SIGRTMAX-1", "10".
//
// Returns its number; -EINVAL if there is none, -EFAULT if name is NULL. Doesn't wait. Any thread
// may call it at any time.
int madang_signal_number(const char *name);

// The signal's name: "SIGUSR1", "SIGRTMIN+3".
//
// Returns a text that is valid for ever; NULL if there is no such signal. Doesn't wait. Any thread
// may call it at any time.
const char *madang_signal_name(int signal);

// The real-time signal SIGRTMIN + offset, 0 to 30. They queue, and are for programs to use.
//
// Returns its number; -EINVAL if there are not so many. Doesn't wait. Any thread may call it at any
// time.
int madang_signal_rt(uint32_t offset);

// Blocks these signals, besides those that are blocked, in the calling thread, and in threads and
// processes that it makes (pthread_sigmask(3)). *before becomes the mask that was, for
// madang_signal_restore(); before may be NULL.
//
// A signal that is blocked waits until somebody takes it. One to the process goes to any thread
// that doesn't block it: so block before other threads are made.
//
// Returns 0; -EINVAL for SIGKILL and SIGSTOP, which can't be blocked, and for an empty set. Doesn't
// wait. Any thread may call it at any time.
int madang_signal_block(uint64_t set, uint64_t *before);

// Makes mask the calling thread's mask: what madang_signal_block() gave.
//
// Returns 0. Doesn't wait. Any thread may call it at any time.
int madang_signal_restore(uint64_t mask);

// The signals that the calling thread blocks.
//
// Returns 0; -EFAULT if set is NULL. Doesn't wait. Any thread may call it at any time.
int madang_signal_blocked(uint64_t *set);

// The signals that were sent to the thread, or to the process, and wait since they are blocked
// (sigpending(2)).
//
// Returns 0; -EFAULT if set is NULL. Doesn't wait. Any thread may call it at any time.
int madang_signal_pending(uint64_t *set);

// Takes one of these signals, which the calling thread blocks; waits for one (sigtimedwait(2)).
// info may be NULL. Of several that wait, the lowest is taken first.
//
// flags and timeout_ns: see "Time"; MADANG_INSTANT is the same as timeout_ns 0.
//
// Returns the signal's number, or
//   -EAGAIN      none waits, and it was not to wait
//   -ETIMEDOUT   nor came in time
//   -EINTR       the handler of another one ran
//   -EINVAL      one of them isn't blocked (it would be handled, or end the process), or can't be;
//                an empty set; bad flags or struct_size
//
// Any thread may call it at any time. Each signal goes to one.
int madang_signal_wait(uint64_t set, madang_signal_info *info, uint32_t flags, int64_t timeout_ns);

// Sends a signal to the process that has this id now (kill(2)); see madang_signal_process. A pid of
// 0 or less, which means groups or everybody there, is refused.
//
// Returns 0; -ESRCH if there is none; -EPERM if it is another user's; -EINVAL for a bad pid or
// signal. Doesn't wait. Any thread may call it at any time.
int madang_signal_kill(int32_t pid, int signal);

// Sends a signal to each process of a group (kill(2)).
//
// Returns 0; -ESRCH if there is none; -EPERM if all are other users'; -EINVAL for a group below 2,
// or a bad signal. Doesn't wait. Any thread may call it at any time.
int madang_signal_kill_group(int32_t group, int signal);

// Sends a signal with a value to the process that has this id now (sigqueue(3)).
//
// Returns 0; -ESRCH, -EPERM and -EINVAL as madang_signal_kill(); -EAGAIN if too many wait for its
// user already (RLIMIT_SIGPENDING). Doesn't wait. Any thread may call it at any time.
int madang_signal_queue(int32_t pid, int signal, int32_t value);

// The process that has this id now; give *process to madang_signal_process_close() in the end.
//
// Returns 0; -ESRCH if there is none; -EINVAL for a pid below 1; -ENOSYS before Linux 5.3; -EMFILE,
// -ENFILE; -EFAULT if process is NULL. Doesn't wait. Any thread may call it at any time.
int madang_signal_process_open(int32_t pid, madang_signal_process **process);

// The process that a pidfd stands for, as madang_socket_peer_pidfd() gives one. It becomes the
// handle's.
//
// Returns 0; -EBADF if it isn't open, -EFAULT if process is NULL. Doesn't wait. What is no pidfd
// fails when it is used.
int madang_signal_process_from_fd(int fd, madang_signal_process **process);

// Sends it a signal (pidfd_send_signal(2)).
//
// Returns 0; -ESRCH if it has ended; -EPERM if it is another user's; -EINVAL for a bad signal;
// -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any thread may call it at
// any time.
int madang_signal_process_send(madang_signal_process *process, int signal);

// Sends it a signal with a value.
//
// Returns 0; as madang_signal_process_send(); -EAGAIN if too many wait already. Doesn't wait. Any
// thread may call it at any time.
int madang_signal_process_queue(madang_signal_process *process, int signal, int32_t value);

// Waits until it has ended. Whose child it is still has to wait for it (waitpid(2)).
//
// Returns 0; -EAGAIN, -ETIMEDOUT, -EINTR; -EINVAL for bad flags; -EBADF if the handle was closed,
// -EFAULT if it is NULL. Any thread may call it at any time.
int madang_signal_process_wait(madang_signal_process *process, uint32_t flags, int64_t timeout_ns);

// Its descriptor, to poll: readable when the process has ended. It is the handle's.
//
// Returns 0 or more; -EBADF if it was closed, -EFAULT if it is NULL. Doesn't wait. Any thread may
// call it at any time.
int madang_signal_process_fd(const madang_signal_process *process);

// Closes the handle; the process goes on. No other thread may be inside a call with it.
//
// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
int madang_signal_process_close(madang_signal_process *process);

// A descriptor of these signals, which the calling thread blocks; give *descriptor to
// madang_signal_descriptor_close() in the end. It doesn't unblock anything then.
//
// Returns 0; -EINVAL if one of them isn't blocked, or can't be, or for an empty set; -EMFILE,
// -ENFILE; -EFAULT if descriptor is NULL. Doesn't wait. Any thread may call it at any time.
int madang_signal_descriptor_open(uint64_t set, madang_signal_descriptor **descriptor);

// Takes one of its signals that waits for the process, or for the calling thread; info may be NULL.
//
// Returns the signal's number; -EAGAIN, -ETIMEDOUT, -EINTR as madang_signal_wait(); -EINVAL for bad
// flags or struct_size; -EBADF if the handle was closed, -EFAULT if it is NULL. Any thread may call
// it at any time.
int madang_signal_descriptor_read(madang_signal_descriptor *descriptor,
                                  madang_signal_info *info,
                                  uint32_t flags,
                                  int64_t timeout_ns);

// Its descriptor, to poll: readable when one of its signals waits. It is the handle's.
//
// Returns 0 or more; -EBADF if it was closed, -EFAULT if it is NULL. Doesn't wait. Any thread may
// call it at any time.
int madang_signal_descriptor_fd(const madang_signal_descriptor *descriptor);

// Closes it. No other thread may be inside a call with it.
//
// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
int madang_signal_descriptor_close(madang_signal_descriptor *descriptor);

// Listens at an address (bind(2), listen(2)); give *listener to madang_socket_listener_close() in
// the end. options may be NULL.
//
// A Unix socket's file appears when somebody listens, with its mode. If there is one already at
// which nobody listens, left by a server that was killed, it is replaced: of two who try at once,
// one does. A living server's is never taken from it. A TCP port whose server has just ended is
// free at once (SO_REUSEADDR).
//
// Returns 0, or
//   -EADDRINUSE     somebody listens there, or a file that is no socket has the name
//   -EINVAL         a bad address, mode, flag or struct_size
//   -ENOENT, -ENOTDIR, -EACCES, -EPERM, -EROFS, -ENOSPC
//                   a file can't be made, or replaced, in its directory
//   -EBUSY          somebody keeps the directory locked (flock(2)), for a second
//   -EADDRNOTAVAIL  this machine doesn't have the address
//   -EAFNOSUPPORT   nor that family of addresses
//   -ENAMETOOLONG   an abstract name of more than 107 bytes, a file name of more than 255
//   -E2BIG          options sets a field that this version doesn't have
//   -EFAULT         address or listener is NULL
//   -EMFILE, -ENFILE, -ENOMEM
//                   as with socket(2)
//
// Waits only for another who listens in the same directory, a second at most. Any thread may call
// it at any time.
int madang_socket_listener_open(const char *address,
                                const madang_socket_listener_options *options,
                                madang_socket_listener **listener);

// Where it listens, with the port that the kernel chose.
//
// Returns a text that is valid until the handle is closed, or NULL if it was closed or is NULL.
// Doesn't wait. Any thread may call it at any time.
const char *madang_socket_listener_address(const madang_socket_listener *listener);

// Its descriptor, to poll: readable when there is somebody to accept. It is the handle's.
//
// Returns 0 or more; -EBADF if it was closed, -EFAULT if it is NULL. Doesn't wait. Any thread may
// call it at any time.
int madang_socket_listener_fd(const madang_socket_listener *listener);

// Closes it, and takes a Unix socket's file away; a forked child's copy takes none away. No other
// thread may be inside a call with it.
//
// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
int madang_socket_listener_close(madang_socket_listener *listener);

// Takes the next client (accept(2)); give *socket to madang_socket_close() in the end.
//
// flags and timeout_ns: see "Time"; MADANG_INSTANT is the same as timeout_ns 0.
//
// Returns 0, or
//   -EAGAIN           nobody has connected, and it was not to wait
//   -ETIMEDOUT        nor in time
//   -EINTR            a signal handler ran
//   -EMFILE, -ENFILE  too many descriptors; the client still waits
//   -EINVAL           bad flags
//   -EBADF, -EFAULT   listener was closed; a pointer is NULL
//
// Any thread may call it at any time.
int madang_socket_accept(madang_socket_listener *listener,
                         uint32_t flags,
                         int64_t timeout_ns,
                         madang_socket **socket);

// Connects to who listens at an address (connect(2)); give *socket to madang_socket_close() in the
// end. It waits for TCP's greeting, and for room in the listener's backlog.
//
// flags and timeout_ns: see "Time"; MADANG_INSTANT is the same as timeout_ns 0. A call that fails
// gives up; the next begins anew.
//
// Returns 0, or
//   -ECONNREFUSED   nobody listens there
//   -ENOENT         a Unix socket has no such file
//   -EACCES         its mode doesn't let this process connect
//   -EPROTOTYPE     it is of another kind: unix: instead of packet:, or the other way round
//   -EAGAIN         it would have to wait, and was not to
//   -ETIMEDOUT      the time is over
//   -EINTR          a signal handler ran
//   -EINVAL         a bad address, or bad flags
//   -EHOSTUNREACH, -ENETUNREACH, -EAFNOSUPPORT
//                   there is no way there, or TCP has given up
//   -EMFILE, -ENFILE, -ENOMEM
//                   as with socket(2)
//   -EFAULT         a pointer is NULL
//
// Any thread may call it at any time.
int madang_socket_connect(const char *address,
                          uint32_t flags,
                          int64_t timeout_ns,
                          madang_socket **socket);

// Makes both ends of a connection (socketpair(2)): give one to a child. kind is
// MADANG_SOCKET_STREAM or MADANG_SOCKET_PACKET.
//
// Returns 0; -EINVAL for another kind; -EMFILE, -ENFILE; -EFAULT if a pointer is NULL. Doesn't
// wait. Any thread may call it at any time.
int madang_socket_pair(int kind, madang_socket **one, madang_socket **other);

// Takes a connected descriptor over that something else has made, as an inherited one. It becomes
// the handle's; if this fails, it stays the caller's.
//
// Returns 0; -EINVAL if it isn't connected, or neither a Unix socket (stream, seqpacket) nor TCP;
// -ENOTSOCK; -EMFILE; -EBADF if it isn't open; -EFAULT if socket is NULL. Doesn't wait.
int madang_socket_from_fd(int fd, madang_socket **socket);

// Closes the handle, but not its descriptor, which becomes the caller's: for other programs, or as
// standard input or output of a child. It blocks as usual, and is close-on-exec. What of a message
// is half received is lost. No other thread may be inside a call with the handle.
//
// Returns 0 or more, the descriptor; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't
// wait.
int madang_socket_detach(madang_socket *socket);

// Sends some of the bytes, at least one.
//
// Returns how many; -EPIPE or -ECONNRESET if the other end is gone; -EAGAIN, -ETIMEDOUT, -EINTR;
// -EBUSY if a message is half sent; -ENOTSUP for packets; -EINVAL for bad flags; -EBADF if socket
// was closed; -EFAULT if it, or data, is NULL. Any thread may call it at any time.
int64_t madang_socket_send(madang_socket *socket,
                           const void *data,
                           size_t length,
                           uint32_t flags,
                           int64_t timeout_ns);

// Receives some bytes, at most capacity.
//
// Returns how many, 0 at the end; -ECONNRESET if the other end is gone and left what was sent to
// it; -EAGAIN, -ETIMEDOUT, -EINTR; -EBUSY if a message is half received; -ENOTSUP for packets;
// -EINVAL for bad flags; -EBADF if socket was closed; -EFAULT if it, or buffer, is NULL. Any thread
// may call it at any time.
int64_t madang_socket_recv(madang_socket *socket,
                           void *buffer,
                           size_t capacity,
                           uint32_t flags,
                           int64_t timeout_ns);

// Sends a message, and fds_count descriptors along with it (SCM_RIGHTS, unix(7)), of which the
// receiver gets copies: they may be closed as soon as this has returned. fds may be NULL for none.
//
// After -EAGAIN, -ETIMEDOUT and -EINTR some of the message may be out. The same message, sent
// again, then goes on where it was, so that "again until it is 0" sends it once; any other one is
// -EBUSY. (Its descriptors go with its first byte.)
//
// Returns 0, or
//   -EAGAIN         there is no room, and it was not to wait
//   -ETIMEDOUT      nor in time
//   -EINTR          a signal handler ran
//   -EBUSY          another message is half sent: send that one first, or close
//   -EMSGSIZE       it is larger than madang_socket_set_message_limit() says, or than the kernel
//                   takes as one packet
//   -EPIPE          the other end is gone, or receives no more; never SIGPIPE
//   -ECONNRESET     the other end is gone, and left what was sent to it
//   -EINVAL         bad flags; more than 253 descriptors, or any over TCP; an empty packet
//   -ETOOMANYREFS   too many descriptors are on the way
//   -EBADF          socket was closed, or one of fds isn't open
//   -EFAULT         a pointer is NULL
//
// Any thread may call it at any time; messages don't mix.
int madang_socket_send_message(madang_socket *socket,
                               const void *data,
                               size_t length,
                               const int *fds,
                               size_t fds_count,
                               uint32_t flags,
                               int64_t timeout_ns);

// Receives a message of at most capacity bytes, and at most fds_capacity descriptors that came with
// it, which are the caller's to close. They are close-on-exec. More descriptors are closed; fds may
// be NULL for none. message may be NULL.
//
// Returns its length, 0 or more; or
//   -ENODATA        the end: the other side has closed, or ended sending
//   -EAGAIN         there is no whole message, and it was not to wait
//   -ETIMEDOUT      nor in time
//   -EINTR          a signal handler ran
//   -E2BIG          it has more bytes, and stays; message->length says how many
//   -EMSGSIZE       the peer announces more bytes than madang_socket_set_message_limit() allows:
//                   from now on no message is received
//   -ECONNRESET     the connection ended within a message; or the other end is gone, and left what
//                   was sent to it
//   -EINVAL         bad flags or struct_size
//   -EBADF          socket was closed
//   -EFAULT         socket is NULL, or buffer or fds and their capacity isn't 0
// What has come of a message is kept: after an error, the next call goes on with it.
//
// Any thread may call it at any time. Each message goes to one.
int64_t madang_socket_recv_message(madang_socket *socket,
                                   void *buffer,
                                   size_t capacity,
                                   int *fds,
                                   size_t fds_capacity,
                                   madang_socket_message *message,
                                   uint32_t flags,
                                   int64_t timeout_ns);

// The largest message that is sent or received with this handle, in bytes: at most UINT32_MAX, by
// default MADANG_SOCKET_MESSAGE_LIMIT. So a stranger can't make this process take much memory.
// (For packets the kernel has a limit too: about 200 KiB, SO_SNDBUF in socket(7).)
//
// Returns 0; -EBADF if it was closed, -EFAULT if it is NULL. Doesn't wait. Any thread may call it
// at any time.
int madang_socket_set_message_limit(madang_socket *socket, uint64_t bytes);

// Whether each message that is received says who sent it, not only who connected (SO_PASSCRED,
// unix(7)). What was sent before says nobody: so a server sets it, and then speaks first.
//
// Returns 0; -ENOTSUP for TCP; -EBADF if it was closed, -EFAULT if it is NULL. Doesn't wait. Any
// thread may call it at any time.
int madang_socket_pass_credentials(madang_socket *socket, int yes);

// Who is at the other end: who connected, or listened, or made the pair (SO_PEERCRED, unix(7)).
//
// Returns 0; -ENOTSUP for TCP; -EINVAL for a bad struct_size; -EBADF if it was closed, -EFAULT if
// a pointer is NULL. Doesn't wait. Any thread may call it at any time.
int madang_socket_get_peer(madang_socket *socket, madang_socket_peer *peer);

// A descriptor of the process at the other end, that no reused pid can stand for (SO_PEERPIDFD,
// Linux 6.5): for madang_signal_process_from_fd(), or poll(2). The caller closes it.
//
// Returns 0 or more, the descriptor; -ENOTSUP for TCP and older kernels; -ESRCH or -EINVAL if the
// process has ended; -EMFILE; -EBADF if socket was closed, -EFAULT if it is NULL. Doesn't wait. Any
// thread may call it at any time.
int madang_socket_peer_pidfd(madang_socket *socket);

// Ends a direction, whoever else has the connection open (shutdown(2)): how is 0 (SHUT_RD), 1
// (SHUT_WR) or 2 (SHUT_RDWR).
//
// Returns 0; -EINVAL for another how; -ENOTCONN if the other end is gone; -EBADF if socket was
// closed, -EFAULT if it is NULL. Doesn't wait. Any thread may call it at any time.
int madang_socket_shutdown(madang_socket *socket, int how);

// Where the other end is. A Unix client has no name: then it ends after the colon.
//
// Returns a text that is valid until the handle is closed, or NULL if it was closed or is NULL.
// Doesn't wait. Any thread may call it at any time.
const char *madang_socket_peer_address(const madang_socket *socket);

// Where this end is: as much of the text as there is room for in buffer, and a NUL.
//
// Returns the length of the whole text without the NUL, as snprintf(3); -EBADF if socket was
// closed, -EFAULT if it is NULL, or buffer is and capacity isn't 0. Doesn't wait. Any thread may
// call it at any time.
int64_t madang_socket_local_address(const madang_socket *socket, char *buffer, size_t capacity);

// Its descriptor, to poll: it is the handle's. Of a message that is half received poll(2) knows
// nothing; readable means: try.
//
// Returns 0 or more; -EBADF if it was closed, -EFAULT if it is NULL. Doesn't wait. Any thread may
// call it at any time.
int madang_socket_fd(const madang_socket *socket);

// Closes it. No other thread may be inside a call with it.
//
// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
int madang_socket_close(madang_socket *socket);

// Receives what is sent to an address, unix: or udp:; give *datagram to
// madang_socket_datagram_close() in the end. mode is as a listener's, 0 for 0600; a stale file is
// replaced too.
//
// A Unix socket's datagrams arrive, in order, and who sends waits for room. Those of UDP may get
// lost, come twice, or in another order (udp(7)).
//
// Returns 0, or as madang_socket_listener_open(). Any thread may call it at any time.
int madang_socket_datagram_bind(const char *address,
                                uint32_t mode,
                                madang_socket_datagram **datagram);

// Sends to an address, and receives what comes from there. A Unix socket gets an abstract name that
// the kernel chooses, so that it can be answered. Give *datagram to madang_socket_datagram_close()
// in the end.
//
// Returns 0; -ENOENT, -ECONNREFUSED or -EACCES if a Unix socket isn't there, isn't bound any more,
// or may not be written; -EPROTOTYPE if it is of another kind; -EINVAL for a bad address; -EMFILE,
// -ENFILE; -EFAULT if a pointer is NULL. Doesn't wait. Any thread may call it at any time.
int madang_socket_datagram_connect(const char *address, madang_socket_datagram **datagram);

// Makes two that are connected with each other (socketpair(2)).
//
// Returns 0; -EMFILE, -ENFILE; -EFAULT if a pointer is NULL. Doesn't wait. Any thread may call it
// at any time.
int madang_socket_datagram_pair(madang_socket_datagram **one, madang_socket_datagram **other);

// Sends a message to an address, or, with NULL, to where it is connected; and descriptors along, as
// madang_socket_send_message().
//
// Returns 0, or
//   -EAGAIN         there is no room, and it was not to wait
//   -ETIMEDOUT      nor in time
//   -EINTR          a signal handler ran
//   -EDESTADDRREQ, -ENOTCONN
//                   it isn't connected, and address is NULL
//   -ECONNREFUSED, -ENOENT, -EACCES
//                   nobody receives there, or this process may not send there
//   -EMSGSIZE       it is too large for one
//   -EINVAL         bad flags, a bad address, or one of another transport; more than 253
//                   descriptors, or any over UDP
//   -EBADF          datagram was closed, or one of fds isn't open
//   -EFAULT         a pointer is NULL
//
// Any thread may call it at any time.
int madang_socket_datagram_send(madang_socket_datagram *datagram,
                                const char *address,
                                const void *data,
                                size_t length,
                                const int *fds,
                                size_t fds_count,
                                uint32_t flags,
                                int64_t timeout_ns);

// Receives a message, as madang_socket_recv_message(); message->address says from where, so that it
// can be answered.
//
// Returns its length, 0 or more; -EAGAIN, -ETIMEDOUT, -EINTR, -E2BIG, -EINVAL, -EBADF and -EFAULT
// as there; -ECONNREFUSED where UDP found nobody for what was sent before. Any thread may call it
// at any time. Each message goes to one.
int64_t madang_socket_datagram_recv(madang_socket_datagram *datagram,
                                    void *buffer,
                                    size_t capacity,
                                    int *fds,
                                    size_t fds_capacity,
                                    madang_socket_message *message,
                                    uint32_t flags,
                                    int64_t timeout_ns);

// As madang_socket_pass_credentials().
//
// Returns 0; -ENOTSUP for UDP; -EBADF if it was closed, -EFAULT if it is NULL. Doesn't wait. Any
// thread may call it at any time.
int madang_socket_datagram_pass_credentials(madang_socket_datagram *datagram, int yes);

// Where it receives, with the port or the abstract name that the kernel chose.
//
// Returns a text that is valid until the handle is closed, or NULL if it was closed or is NULL.
// Doesn't wait. Any thread may call it at any time.
const char *madang_socket_datagram_address(const madang_socket_datagram *datagram);

// Its descriptor, to poll; it is the handle's.
//
// Returns 0 or more; -EBADF if it was closed, -EFAULT if it is NULL. Doesn't wait. Any thread may
// call it at any time.
int madang_socket_datagram_fd(const madang_socket_datagram *datagram);

// Closes it, and takes a Unix socket's file away. No other thread may be inside a call with it.
//
// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
int madang_socket_datagram_close(madang_socket_datagram *datagram);

// The key that ftok(3) makes of an existing file and an id from 0 to 255. Programs in any language
// that name the same file get the same key.
//
// It has 8 bits of the id, 8 of the device and 16 of the inode's number. So it is not unique:
// other files may give the same key (any two whose inode numbers differ by a multiple of 65536, on
// one device), and a file that is made again gives another key. Don't let programs recreate the
// file, and look whether what you open is what you expect.
//
// Returns 0, with the key in *key; or
//   -ENOENT, -EACCES and others of stat(2)
//            for the file
//   -EINVAL  an id that is not from 0 to 255; or the key would be MADANG_SYSV_PRIVATE
//   -EFAULT  path or key is NULL
//
// Doesn't wait. Any thread may call it at any time.
int madang_sysv_ftok(const char *path, int id, int32_t *key);

// Opens the System V message queue of this key, or creates it (msgget(2)). With
// MADANG_SYSV_PRIVATE it is always a new one.
//
// options may be NULL. *queue is written only on success; give it to madang_sysv_msg_close() in
// the end. Opening asks for no permission: using does.
//
// Returns 0, or
//   -ENOENT  there is none, and create is MADANG_CREATE_NEVER
//   -EEXIST  there is one, and create is MADANG_CREATE_ONLY
//   -EINVAL  a bad mode, create or struct_size; or MADANG_SYSV_PRIVATE with MADANG_CREATE_NEVER
//   -ENOSPC  there are as many as the system allows (kernel.msgmni)
//   -EBUSY   others keep making and removing it: try again
//   -E2BIG   options sets a field that this version doesn't have
//   -ENOSYS  the kernel has no System V IPC, or a container's filter forbids it
//   -ENOMEM  no memory
//   -EFAULT  queue is NULL
//
// Doesn't wait. Any thread may call it at any time.
int madang_sysv_msg_open(int32_t key,
                         const madang_sysv_msg_options *options,
                         madang_sysv_msg **queue);

// Sends a message of a type above 0 (msgsnd(2)). While the queue is full it waits, for timeout_ns
// nanoseconds at most; 0 doesn't wait, negative waits for ever. flags: 0, MADANG_DEADLINE or
// MADANG_INSTANT, which is as timeout_ns 0 here.
//
// To wait for ever is one bare msgsnd. The kernel has no time-out: with one it is tried again and
// again, at first every 50 microseconds, in the end every 5 milliseconds.
//
// Returns 0, or
//   -EAGAIN     the queue is full, and timeout_ns is 0
//   -ETIMEDOUT  the time is over
//   -EINTR      a signal handler ran while it waited
//   -EMSGSIZE   the message is longer than kernel.msgmax (by default 8192 bytes); or than the
//               queue's whole capacity, if it has not to wait for ever: to wait for that never
//               ends
//   -EIDRM      the queue was removed, perhaps while this waited
//   -EACCES     its mode doesn't let this process write
//   -EINVAL     a type below 1, or a bad flag
//   -ENOMEM     no memory
//   -EBADF      queue was closed
//   -EFAULT     queue is NULL, or data is and length is not 0
// Whatever the error, the message was not sent.
//
// Any thread may call it at any time.
int madang_sysv_msg_send(madang_sysv_msg *queue,
                         int64_t type,
                         const void *data,
                         size_t length,
                         uint32_t flags,
                         int64_t timeout_ns);

// Receives a message (msgrcv(2)): its bytes into buffer, which has room for capacity bytes, and
// its type into *type, which may be NULL.
//
// select says which message, as msgrcv's msgtyp:
//   0   the first one
//   t   the first one of type t
//   -t  of the lowest type that there is, if it is not above t, the first one
//
// flags: 0, or these with |
//   MADANG_EXCEPT    with select t: the first one that is not of type t
//   MADANG_TRUNCATE  if it is longer than capacity, the rest is lost (MSG_NOERROR); whether that
//                    was so the kernel doesn't tell
//   MADANG_DEADLINE or MADANG_INSTANT
//
// While there is no such message it waits, for timeout_ns nanoseconds at most; 0 doesn't wait,
// negative waits for ever, in one bare msgrcv. With a time-out it is tried again and again, as in
// madang_sysv_msg_send(); so a message may be seen 5 ms late.
//
// Returns how many bytes of buffer were filled, 0 or more; or
//   -EAGAIN     there is no such message, and timeout_ns is 0
//   -ETIMEDOUT  the time is over
//   -EINTR      a signal handler ran while it waited
//   -E2BIG      the message is longer than capacity, and stays; how long the kernel doesn't tell
//   -EIDRM      the queue was removed, perhaps while this waited
//   -EACCES     its mode doesn't let this process read
//   -EINVAL     an unknown flag, or select is not greater than 0 with MADANG_EXCEPT
//   -EBADF      queue was closed
//   -EFAULT     queue is NULL, or buffer is and capacity is not 0
// Whatever the error, nothing was received, and *type was not written.
//
// Any thread may call it at any time.
int64_t madang_sysv_msg_recv(madang_sysv_msg *queue,
                             int64_t select,
                             void *buffer,
                             size_t capacity,
                             uint32_t flags,
                             int64_t *type,
                             int64_t timeout_ns);

// Copies the message at this position, 0 being the first, which stays (MSG_COPY of msgrcv(2)): as
// madang_sysv_msg_recv() does. Never waits.
//
// Returns how many bytes of buffer were filled; -EAGAIN if there are not so many messages, -E2BIG
// if it is longer than capacity, -ENOSYS if the kernel wasn't built for it
// (CONFIG_CHECKPOINT_RESTORE), -EIDRM, -EACCES, -EBADF, -EFAULT as there. Any thread may call it
// at any time.
int64_t madang_sysv_msg_peek(madang_sysv_msg *queue,
                             uint64_t position,
                             void *buffer,
                             size_t capacity,
                             int64_t *type);

// Sets the most bytes that the queue holds (msg_qbytes). What it holds already stays.
//
// Returns 0; -EPERM beyond kernel.msgmnb without CAP_SYS_RESOURCE, or if this process's user is
// neither owner nor creator nor root; -EACCES, -EIDRM, -EINVAL for a number that no queue holds,
// -EBADF, -EFAULT. Doesn't wait. Any thread may call it at any time.
int madang_sysv_msg_set_capacity(madang_sysv_msg *queue, uint64_t bytes);

// The message queue of an identifier, as madang_sysv_msg_id() and ipcs(1) give it.
//
// *queue is written only on success; give it to madang_sysv_msg_close() in the end.
//
// Returns 0, -EINVAL if there is none of this identifier, -ENOSYS, or -EFAULT if queue is NULL.
// Doesn't wait. Any thread may call it at any time.
int madang_sysv_msg_from_id(int32_t id, madang_sysv_msg **queue);

// The identifier: any process that knows it may use the message queue too.
//
// Returns 0 or more; -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any
// thread may call it at any time.
int madang_sysv_msg_id(const madang_sysv_msg *queue);

// Whether this handle's open created the message queue.
//
// Returns 1 or 0; -EBADF if the handle was closed, -EFAULT if it is NULL. So compare it with 1:
// the errors are true, too. Doesn't wait. Any thread may call it at any time.
int madang_sysv_msg_is_new(const madang_sysv_msg *queue);

// Tells what there is to tell of it, into *status (IPC_STAT of msgctl(2)). Set status->struct_size
// before.
//
// Returns 0; -EACCES if its mode doesn't let this process read it, -EIDRM if it was removed,
// -EINVAL if struct_size is not set, -EBADF if the handle was closed, -EFAULT if a pointer is
// NULL. Doesn't wait. Any thread may call it at any time.
int madang_sysv_msg_stat(const madang_sysv_msg *queue, madang_sysv_msg_status *status);

// Changes owner, group or permission bits (IPC_SET of msgctl(2)). What it leaves is what was found
// just before: of two who change at once, the later wins.
//
// Returns 0, or
//   -EPERM   this process's user is neither owner nor creator nor root
//   -EACCES  its mode doesn't let this process read what is to stay
//   -EINVAL  a mode above 0777, an unknown flag, or a bad struct_size
//   -EIDRM   it was removed
//   -EBADF   the handle was closed
//   -EFAULT  a pointer is NULL
//
// Doesn't wait. Any thread may call it at any time.
int madang_sysv_msg_change(madang_sysv_msg *queue, const madang_sysv_change *change);

// Removes it (IPC_RMID of msgctl(2)): at once, with all messages that it holds;
// who waits gets -EIDRM. The key is free.
// The handle still has to be closed.
//
// Returns 0; -EPERM if this process's user is neither owner nor creator nor root, -EIDRM if it was
// removed before, -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any thread
// may call it at any time.
int madang_sysv_msg_remove(madang_sysv_msg *queue);

// Removes the message queue of this identifier, as madang_sysv_msg_remove() does.
//
// Returns 0; -EINVAL if there is none, -EPERM, -ENOSYS. Doesn't wait. Any thread may call it at
// any time.
int madang_sysv_msg_remove_id(int32_t id);

// Removes the message queue of this key, as madang_sysv_msg_remove() does.
//
// Returns 0; -ENOENT if there is none, -EINVAL for MADANG_SYSV_PRIVATE, -EPERM, -ENOSYS. Doesn't
// wait. Any thread may call it at any time.
int madang_sysv_msg_unlink(int32_t key);

// Lists all message queues of this IPC namespace, as ipcs(1) does; before Linux 4.17, those that
// this process may read. statuses is an array of capacity structs, of which only the first one's
// struct_size need be set.
//
// Returns how many there are, of which the first capacity are written: as with snprintf(3), a
// larger number says that the array is too small. With capacity 0, statuses may be NULL. Or
// -ENOSYS; -EINVAL if struct_size is not set; -EFAULT. Doesn't wait. Any thread may call it at any
// time; others make and remove some meanwhile.
int64_t madang_sysv_msg_list(madang_sysv_msg_status *statuses, size_t capacity);

// Tells what the system allows, and how much of it is used, into *limits. Set limits->struct_size
// before.
//
// Returns 0; -ENOSYS; -EINVAL if struct_size is not set; -EFAULT if limits is NULL. Doesn't wait.
// Any thread may call it at any time.
int madang_sysv_msg_get_limits(madang_sysv_msg_limits *limits);

// Closes the handle; the message queue lives on. No other thread may be inside a call with it.
//
// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
int madang_sysv_msg_close(madang_sysv_msg *queue);

// Opens the System V semaphore set of this key, or creates it with count semaphores (semget(2)).
// With MADANG_SYSV_PRIVATE it is always a new one.
//
// values are those of a new set's semaphores, at most 32767 each; NULL is all 0. An existing set
// has count semaphores or more, and keeps its values; with count 0 it is taken as it is, and none
// is created. options may be NULL. *set is written only on success; give it to
// madang_sysv_sem_close() in the end. Opening asks for no permission: using does.
//
// Nobody sees a new set without its values: who opens it waits until the creator has given them,
// as a rule not at all. A creator that was killed before that is found: after patience_ns the set,
// with which nothing was done yet, is made anew. (Sets of other programs, which give values by
// SETVAL or SETALL, are taken as they are; so are those for which somebody waits.)
//
// Returns 0, or
//   -ENOENT     there is none, and none can be created: create is MADANG_CREATE_NEVER, or count is
//               0
//   -EEXIST     there is one, and create is MADANG_CREATE_ONLY
//   -EINVAL     a bad mode, create or struct_size; the existing one has less semaphores; more than
//               the system allows; a new one without a count; MADANG_SYSV_PRIVATE with
//               MADANG_CREATE_NEVER
//   -ERANGE     a value above 32767
//   -ETIMEDOUT  nobody has given it values, and this call may not create
//   -EPERM      nobody has, this call may, but only its owner may remove it
//   -EINTR      a signal handler ran while it waited for that
//   -ENOSPC     there are as many as the system allows (kernel.sem)
//   -EBUSY      others keep making and removing it: try again
//   -E2BIG      options sets a field that this version doesn't have
//   -ENOSYS     the kernel has no System V IPC, or a container's filter forbids it
//   -ENOMEM     no memory
//   -EFAULT     set is NULL
//
// Any thread may call it at any time.
int madang_sysv_sem_open(int32_t key,
                         const uint16_t *values,
                         size_t count,
                         const madang_sysv_sem_options *options,
                         madang_sysv_sem **set);

// Does count operations at once, in their order, or none of them; waits until that can be done,
// for timeout_ns nanoseconds at most; 0 doesn't wait, negative waits for ever (semtimedop(2)).
// flags: 0, MADANG_DEADLINE or MADANG_INSTANT, which is as timeout_ns 0 here.
//
// Returns 0, or
//   -EAGAIN     it would have to wait, and timeout_ns is 0; or one with MADANG_SYSV_NO_WAIT would
//   -ETIMEDOUT  the time is over
//   -EINTR      a signal handler ran while it waited
//   -EIDRM      the set was removed, perhaps while this waited
//   -EINVAL     an index that the set doesn't have, no operations, or a bad flag
//   -ERANGE     a value would be above 32767
//   -E2BIG      more operations than the system allows (500, as a rule)
//   -EACCES     its mode doesn't let this process write; to wait for 0, read
//   -ENOSPC, -ENOMEM
//               no room for what is to be undone
//   -EBADF      set was closed
//   -EFAULT     set is NULL, or operations is
// Whatever the error, nothing was done.
//
// Any thread may call it at any time.
int madang_sysv_sem_operate(madang_sysv_sem *set,
                            const madang_sysv_sem_op *operations,
                            size_t count,
                            uint32_t flags,
                            int64_t timeout_ns);

// Takes 1 from a semaphore; waits while it is 0, as madang_sysv_sem_operate().
//
// Returns 0, or what that returns. Any thread may call it at any time.
int madang_sysv_sem_acquire(madang_sysv_sem *set,
                            uint16_t index,
                            uint32_t flags,
                            int64_t timeout_ns);

// Adds 1 to a semaphore. Doesn't wait.
//
// Returns 0; -ERANGE above 32767; -EIDRM, -EINVAL, -EACCES, -EBADF, -EFAULT as
// madang_sysv_sem_operate(). Any thread may call it at any time.
int madang_sysv_sem_release(madang_sysv_sem *set, uint16_t index);

// Waits until a semaphore is 0, as madang_sysv_sem_operate().
//
// Returns 0, or what that returns. Any thread may call it at any time.
int madang_sysv_sem_wait_zero(madang_sysv_sem *set,
                              uint16_t index,
                              uint32_t flags,
                              int64_t timeout_ns);

// A semaphore's value (GETVAL of semctl(2)). It may be another one already.
//
// Returns 0 to 32767; -EINVAL for an index that the set doesn't have, -EACCES if its mode doesn't
// let this process read, -EIDRM, -EBADF, -EFAULT. Doesn't wait. Any thread may call it at any
// time.
int madang_sysv_sem_value(const madang_sysv_sem *set, uint16_t index);

// All values as they were at one moment (GETALL of semctl(2)), into an array with room for
// capacity of them.
//
// Returns how many semaphores the set has, of which the first capacity are written: a larger
// number says that the array is too small. With capacity 0, values may be NULL. Or -EACCES,
// -EIDRM, -EBADF, -EFAULT as madang_sysv_sem_value(). Doesn't wait. Any thread may call it at any
// time.
int64_t madang_sysv_sem_values(const madang_sysv_sem *set, uint16_t *values, size_t capacity);

// Sets a semaphore's value (SETVAL of semctl(2)), wakes who can go on, and forgets what processes
// would undo of it.
//
// Returns 0; -ERANGE above 32767; -EINVAL for an index that the set doesn't have, -EACCES if its
// mode doesn't let this process write, -EIDRM, -EBADF, -EFAULT. Doesn't wait. Any thread may call
// it at any time.
int madang_sysv_sem_set_value(madang_sysv_sem *set, uint16_t index, uint16_t value);

// Sets all values at once (SETALL of semctl(2)), as madang_sysv_sem_set_value() does.
//
// Returns 0; -EINVAL if count is not the number of the set's semaphores; else as that. Doesn't
// wait. Any thread may call it at any time.
int madang_sysv_sem_set_values(madang_sysv_sem *set, const uint16_t *values, size_t count);

// The process that did something with a semaphore last (GETPID of semctl(2)).
//
// Returns its pid, 0 for none or one of another pid namespace; or an error as
// madang_sysv_sem_value(). Doesn't wait. Any thread may call it at any time.
int madang_sysv_sem_pid(const madang_sysv_sem *set, uint16_t index);

// How many wait for a semaphore to have more (GETNCNT of semctl(2)).
//
// Returns 0 or more; or an error as madang_sysv_sem_value(). Doesn't wait. Any thread may call it
// at any time.
int madang_sysv_sem_waiting_for_increase(const madang_sysv_sem *set, uint16_t index);

// How many wait for a semaphore to be 0 (GETZCNT of semctl(2)).
//
// Returns 0 or more; or an error as madang_sysv_sem_value(). Doesn't wait. Any thread may call it
// at any time.
int madang_sysv_sem_waiting_for_zero(const madang_sysv_sem *set, uint16_t index);

// The semaphore set of an identifier, as madang_sysv_sem_id() and ipcs(1) give it.
//
// *set is written only on success; give it to madang_sysv_sem_close() in the end.
//
// Returns 0, -EINVAL if there is none of this identifier, -ENOSYS, or -EFAULT if set is NULL.
// Doesn't wait. Any thread may call it at any time.
int madang_sysv_sem_from_id(int32_t id, madang_sysv_sem **set);

// The identifier: any process that knows it may use the semaphore set too.
//
// Returns 0 or more; -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any
// thread may call it at any time.
int madang_sysv_sem_id(const madang_sysv_sem *set);

// Whether this handle's open created the semaphore set.
//
// Returns 1 or 0; -EBADF if the handle was closed, -EFAULT if it is NULL. So compare it with 1:
// the errors are true, too. Doesn't wait. Any thread may call it at any time.
int madang_sysv_sem_is_new(const madang_sysv_sem *set);

// Tells what there is to tell of it, into *status (IPC_STAT of semctl(2)). Set status->struct_size
// before.
//
// Returns 0; -EACCES if its mode doesn't let this process read it, -EIDRM if it was removed,
// -EINVAL if struct_size is not set, -EBADF if the handle was closed, -EFAULT if a pointer is
// NULL. Doesn't wait. Any thread may call it at any time.
int madang_sysv_sem_stat(const madang_sysv_sem *set, madang_sysv_sem_status *status);

// Changes owner, group or permission bits (IPC_SET of semctl(2)). What it leaves is what was found
// just before: of two who change at once, the later wins.
//
// Returns 0, or
//   -EPERM   this process's user is neither owner nor creator nor root
//   -EACCES  its mode doesn't let this process read what is to stay
//   -EINVAL  a mode above 0777, an unknown flag, or a bad struct_size
//   -EIDRM   it was removed
//   -EBADF   the handle was closed
//   -EFAULT  a pointer is NULL
//
// Doesn't wait. Any thread may call it at any time.
int madang_sysv_sem_change(madang_sysv_sem *set, const madang_sysv_change *change);

// Removes it (IPC_RMID of semctl(2)): at once; who waits gets -EIDRM. The key is
// free.
// The handle still has to be closed.
//
// Returns 0; -EPERM if this process's user is neither owner nor creator nor root, -EIDRM if it was
// removed before, -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any thread
// may call it at any time.
int madang_sysv_sem_remove(madang_sysv_sem *set);

// Removes the semaphore set of this identifier, as madang_sysv_sem_remove() does.
//
// Returns 0; -EINVAL if there is none, -EPERM, -ENOSYS. Doesn't wait. Any thread may call it at
// any time.
int madang_sysv_sem_remove_id(int32_t id);

// Removes the semaphore set of this key, as madang_sysv_sem_remove() does.
//
// Returns 0; -ENOENT if there is none, -EINVAL for MADANG_SYSV_PRIVATE, -EPERM, -ENOSYS. Doesn't
// wait. Any thread may call it at any time.
int madang_sysv_sem_unlink(int32_t key);

// Lists all semaphore sets of this IPC namespace, as ipcs(1) does; before Linux 4.17, those that
// this process may read. statuses is an array of capacity structs, of which only the first one's
// struct_size need be set.
//
// Returns how many there are, of which the first capacity are written: as with snprintf(3), a
// larger number says that the array is too small. With capacity 0, statuses may be NULL. Or
// -ENOSYS; -EINVAL if struct_size is not set; -EFAULT. Doesn't wait. Any thread may call it at any
// time; others make and remove some meanwhile.
int64_t madang_sysv_sem_list(madang_sysv_sem_status *statuses, size_t capacity);

// Tells what the system allows, and how much of it is used, into *limits. Set limits->struct_size
// before.
//
// Returns 0; -ENOSYS; -EINVAL if struct_size is not set; -EFAULT if limits is NULL. Doesn't wait.
// Any thread may call it at any time.
int madang_sysv_sem_get_limits(madang_sysv_sem_limits *limits);

// Closes the handle; the semaphore set lives on. No other thread may be inside a call with it.
//
// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
int madang_sysv_sem_close(madang_sysv_sem *set);

// Opens the System V segment of this key, or creates it, filled with zeros (shmget(2)). Attaches
// nothing. With MADANG_SYSV_PRIVATE it is always a new one.
//
// options may be NULL: then it must exist, for a new one needs a size. *segment is written only on
// success; give it to madang_sysv_shm_close() in the end. Opening asks for no permission:
// attaching does.
//
// Returns 0, or
//   -ENOENT  there is none, and none can be created: create is MADANG_CREATE_NEVER, or size is 0
//   -EEXIST  there is one, and create is MADANG_CREATE_ONLY
//   -EINVAL  a bad flag, mode, create or struct_size; the existing one is smaller than asked for;
//            a size beyond kernel.shmmax; a new one without a size; huge pages of a size that the
//            machine doesn't have; MADANG_SYSV_PRIVATE with MADANG_CREATE_NEVER
//   -ENOMEM  no memory, or too few free huge pages
//   -EPERM   huge pages without CAP_IPC_LOCK or the group vm.hugetlb_shm_group
//   -ENOSPC  there are as many as the system allows (kernel.shmmni, kernel.shmall)
//   -EBUSY   others keep making and removing it: try again
//   -E2BIG   options sets a field that this version doesn't have
//   -ENOSYS  the kernel has no System V IPC, or a container's filter forbids it
//   -EFAULT  segment is NULL
//
// Doesn't wait. Any thread may call it at any time.
int madang_sysv_shm_open(int32_t key,
                         const madang_sysv_shm_options *options,
                         madang_sysv_shm **segment);

// Attaches the segment (shmat(2)), with several attachments at once as you like. options may be
// NULL: for reading and writing, wherever there is room.
//
// *mapping is written only on success; madang_mapping_close() detaches it. Its size is the
// segment's. A child of fork(2) inherits it.
//
// Returns 0, or
//   -EACCES  its mode doesn't let this process do that
//   -EINVAL  the address is not a multiple of the page size, or not free; a bad flag or
//            struct_size
//   -EIDRM   the segment was removed, and nobody has it attached any more
//   -ENOMEM  no memory, or no room in the process
//   -E2BIG   options sets a field that this version doesn't have
//   -EBADF   segment was closed
//   -EFAULT  segment or mapping is NULL
//
// Doesn't wait. Any thread may call it at any time.
int madang_sysv_shm_attach(const madang_sysv_shm *segment,
                           const madang_sysv_shm_attach_options *options,
                           madang_mapping **mapping);

// Keeps the segment in memory once it is touched: it is never swapped out (SHM_LOCK of shmctl(2)).
//
// Returns 0; -EPERM if this process's user is neither owner nor creator, or may lock nothing;
// -ENOMEM if the segment is larger than it may lock (RLIMIT_MEMLOCK); -EIDRM, -EBADF, -EFAULT.
// Doesn't wait. Any thread may call it at any time.
int madang_sysv_shm_lock(madang_sysv_shm *segment);

// Lets the segment be swapped out again (SHM_UNLOCK of shmctl(2)).
//
// Returns 0; -EPERM, -EIDRM, -EBADF, -EFAULT as madang_sysv_shm_lock(). Doesn't wait. Any thread
// may call it at any time.
int madang_sysv_shm_unlock(madang_sysv_shm *segment);

// The segment of an identifier, as madang_sysv_shm_id() and ipcs(1) give it.
//
// *segment is written only on success; give it to madang_sysv_shm_close() in the end.
//
// Returns 0, -EINVAL if there is none of this identifier, -ENOSYS, or -EFAULT if segment is NULL.
// Doesn't wait. Any thread may call it at any time.
int madang_sysv_shm_from_id(int32_t id, madang_sysv_shm **segment);

// The identifier: any process that knows it may use the segment too.
//
// Returns 0 or more; -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any
// thread may call it at any time.
int madang_sysv_shm_id(const madang_sysv_shm *segment);

// Whether this handle's open created the segment.
//
// Returns 1 or 0; -EBADF if the handle was closed, -EFAULT if it is NULL. So compare it with 1:
// the errors are true, too. Doesn't wait. Any thread may call it at any time.
int madang_sysv_shm_is_new(const madang_sysv_shm *segment);

// Tells what there is to tell of it, into *status (IPC_STAT of shmctl(2)). Set status->struct_size
// before.
//
// Returns 0; -EACCES if its mode doesn't let this process read it, -EIDRM if it was removed,
// -EINVAL if struct_size is not set, -EBADF if the handle was closed, -EFAULT if a pointer is
// NULL. Doesn't wait. Any thread may call it at any time.
int madang_sysv_shm_stat(const madang_sysv_shm *segment, madang_sysv_shm_status *status);

// Changes owner, group or permission bits (IPC_SET of shmctl(2)). What it leaves is what was found
// just before: of two who change at once, the later wins.
//
// Returns 0, or
//   -EPERM   this process's user is neither owner nor creator nor root
//   -EACCES  its mode doesn't let this process read what is to stay
//   -EINVAL  a mode above 0777, an unknown flag, or a bad struct_size
//   -EIDRM   it was removed
//   -EBADF   the handle was closed
//   -EFAULT  a pointer is NULL
//
// Doesn't wait. Any thread may call it at any time.
int madang_sysv_shm_change(madang_sysv_shm *segment, const madang_sysv_change *change);

// Removes it (IPC_RMID of shmctl(2)): the key is free at once, the memory goes
// with the last attachment.
// The handle still has to be closed.
//
// Returns 0; -EPERM if this process's user is neither owner nor creator nor root, -EIDRM if it was
// removed before, -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any thread
// may call it at any time.
int madang_sysv_shm_remove(madang_sysv_shm *segment);

// Removes the segment of this identifier, as madang_sysv_shm_remove() does.
//
// Returns 0; -EINVAL if there is none, -EPERM, -ENOSYS. Doesn't wait. Any thread may call it at
// any time.
int madang_sysv_shm_remove_id(int32_t id);

// Removes the segment of this key, as madang_sysv_shm_remove() does.
//
// Returns 0; -ENOENT if there is none, -EINVAL for MADANG_SYSV_PRIVATE, -EPERM, -ENOSYS. Doesn't
// wait. Any thread may call it at any time.
int madang_sysv_shm_unlink(int32_t key);

// Lists all segments of this IPC namespace, as ipcs(1) does; before Linux 4.17, those that this
// process may read. statuses is an array of capacity structs, of which only the first one's
// struct_size need be set.
//
// Returns how many there are, of which the first capacity are written: as with snprintf(3), a
// larger number says that the array is too small. With capacity 0, statuses may be NULL. Or
// -ENOSYS; -EINVAL if struct_size is not set; -EFAULT. Doesn't wait. Any thread may call it at any
// time; others make and remove some meanwhile.
int64_t madang_sysv_shm_list(madang_sysv_shm_status *statuses, size_t capacity);

// Tells what the system allows, and how much of it is used, into *limits. Set limits->struct_size
// before.
//
// Returns 0; -ENOSYS; -EINVAL if struct_size is not set; -EFAULT if limits is NULL. Doesn't wait.
// Any thread may call it at any time.
int madang_sysv_shm_get_limits(madang_sysv_shm_limits *limits);

// Closes the handle; the segment lives on. No other thread may be inside a call with it.
//
// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
int madang_sysv_shm_close(madang_sysv_shm *segment);

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

// Removes left-overs of processes that were killed: half-made objects, and removed ones of System
// V's calls. Half-made ones are rare: where /dev/shm is a tmpfs and /proc is mounted, only System
// V's calls can leave any. More common are System V segments that were removed while they were
// attached, and whose last user was killed. Objects that are whole and weren't removed are never
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

// Lists the objects that exist: queues, sets of semaphores, locks and their like, by kind and name.
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

// Opens the barrier called name, or creates it; then madang_barrier_set_parties() says how many
// wait for each other.
//
// name is 1 to 240 bytes of UTF-8 without '/'. It is the file madang.barrier.<name> in /dev/shm,
// or in the directory whose absolute path the environment variable MADANG_DIR has; in set-user-id
// programs that is ignored. options may be NULL: all defaults. *barrier is written only on
// success; give it to madang_barrier_close() in the end. Until then it keeps one descriptor.
//
// Returns 0, or what madang_queue_open() returns. Doesn't wait. Any thread may call it at any
// time. A process may open it several times: each handle takes part by itself.
int madang_barrier_open(const char *name,
                        const madang_sync_options *options,
                        madang_barrier **barrier);

// The barrier that lies in segment at offset, a multiple of 64: MADANG_BARRIER_SIZE bytes there
// are its own, and nobody else writes there. All 0, as in a new segment, is its initial state:
// nobody has said yet how many wait for each other; there is nothing to initialise.
//
// *barrier is written only on success; give it to madang_barrier_close() in the end. It keeps the
// segment mapped, also when the segment's handle is closed. All that is made with one handle of a
// segment shares one descriptor.
//
// Returns 0, or
//   -EINVAL   it would not lie within the segment, offset is no multiple of 64, or the segment was
//             opened with MADANG_READ_ONLY
//   -ENOENT   the segment was unlinked before the first of its locks was made with this handle
//   -EACCES   this process may not open the segment's file any more
//   -EBADF    segment was closed
//   -EFAULT   a pointer is NULL
//   -ENOMEM, -EMFILE, -ENFILE
//             as with open(2) and mmap(2)
//
// Doesn't wait. Any thread may call it at any time.
int madang_barrier_within(madang_segment *segment, size_t offset, madang_barrier **barrier);

// Says how many wait for each other, 1 to 120. The first who says so decides, for all and for
// good; so each says it, after it has opened the barrier.
//
// Returns 0; -EINVAL if parties is out of range, or somebody said another number before; -EBADF if
// barrier was closed, -EFAULT if it is NULL. Doesn't wait. Any thread may call it at any time.
int madang_barrier_set_parties(madang_barrier *barrier, uint32_t parties);

// How many wait for each other.
//
// Returns 1 to 120, or 0 if nobody has said it yet; -EBADF if barrier was closed, -EFAULT if it is
// NULL. Doesn't wait. Any thread may call it at any time.
int64_t madang_barrier_parties(const madang_barrier *barrier);

// How many living wait now.
//
// Returns 0 to 119; else as madang_barrier_wait(). Doesn't wait. Any thread may call it at any
// time.
int64_t madang_barrier_waiting(madang_barrier *barrier);

// Waits until all are there.
//
// flags: 0, MADANG_DEADLINE or MADANG_INSTANT. It waits for timeout_ns nanoseconds at most; 0
// doesn't wait, negative waits for ever.
//
// Returns as which of them the caller came: 0 is the first, parties - 1 the last, who has
// something to do for all, if somebody has to. Or
//   -EINVAL      nobody has said how many wait for each other; or an unknown flag
//   -EAGAIN      not all are there, and timeout_ns is 0
//   -ETIMEDOUT   the time is over
//   -EINTR       a signal handler ran while it waited
//   -EOWNERDEAD  the other participants found this handle dead and went on without it: close it,
//                and open it anew; or somebody else wrote over it
//   -EUCLEAN     it is damaged
//   -EBADF       barrier was closed
//   -EFAULT      barrier is NULL
// Then the caller isn't there: to wait again is to come again.
//
// Any thread may call it at any time, while others use the same handle.
int64_t madang_barrier_wait(madang_barrier *barrier, uint32_t flags, int64_t timeout_ns);

// The name by which the barrier was opened, or that of the segment that it lies in.
//
// Returns a text that is valid until the handle is closed, or NULL if the handle was closed or is
// NULL (madang_last_error() tells). Doesn't wait. Any thread may call it at any time.
const char *madang_barrier_name(const madang_barrier *barrier);

// Whether this handle's open created the barrier. Of one in a segment nobody can say: it is 0.
//
// Returns 1 or 0; -EBADF if the handle was closed, -EFAULT if it is NULL. So compare it with 1:
// the errors are true, too. Doesn't wait. Any thread may call it at any time.
int madang_barrier_is_new(const madang_barrier *barrier);

// Closes the handle. The barrier lives on.
//
// No other thread may be inside a call with this handle. Using it afterwards is -EBADF, until
// 1,024 more barriers were closed by the process; then it is undefined.
//
// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
int madang_barrier_close(madang_barrier *barrier);

// Takes the name away. Who has the barrier open goes on with it. The next open of the name creates
// a new one. (One in a segment has no name.)
//
// Returns what madang_queue_unlink() returns. Doesn't wait. Any thread may call it at any time.
int madang_barrier_unlink(const char *name);

// Opens the condition called name, or creates it.
//
// name is 1 to 238 bytes of UTF-8 without '/'. It is the file madang.condition.<name> in /dev/shm,
// or in the directory whose absolute path the environment variable MADANG_DIR has; in set-user-id
// programs that is ignored. options may be NULL: all defaults. *condition is written only on
// success; give it to madang_condition_close() in the end. Until then it keeps one descriptor.
//
// Returns 0, or what madang_queue_open() returns. Doesn't wait. Any thread may call it at any
// time. A process may open it several times: each handle takes part by itself.
int madang_condition_open(const char *name,
                          const madang_sync_options *options,
                          madang_condition **condition);

// The condition that lies in segment at offset, a multiple of 64: MADANG_CONDITION_SIZE bytes
// there are its own, and nobody else writes there. All 0, as in a new segment, is its initial
// state: nobody waits; there is nothing to initialise.
//
// *condition is written only on success; give it to madang_condition_close() in the end. It keeps
// the segment mapped, also when the segment's handle is closed. All that is made with one handle
// of a segment shares one descriptor.
//
// Returns 0, or
//   -EINVAL   it would not lie within the segment, offset is no multiple of 64, or the segment was
//             opened with MADANG_READ_ONLY
//   -ENOENT   the segment was unlinked before the first of its locks was made with this handle
//   -EACCES   this process may not open the segment's file any more
//   -EBADF    segment was closed
//   -EFAULT   a pointer is NULL
//   -ENOMEM, -EMFILE, -ENFILE
//             as with open(2) and mmap(2)
//
// Doesn't wait. Any thread may call it at any time.
int madang_condition_within(madang_segment *segment, size_t offset, madang_condition **condition);

// Gives the mutex back, waits until somebody tells, and takes the mutex again. mutex is a handle
// that holds it. Nobody is missed who tells after it was given back.
//
// flags: 0, MADANG_DEADLINE or MADANG_INSTANT. It waits to be told for timeout_ns nanoseconds at
// most, and negative for ever; then, whatever came of that, for the mutex for as long as it takes.
//
// Returns 0: somebody told, or may have; or 1: another owner of the mutex died while it had it, so
// that what it guards may be half changed, as with madang_mutex_lock(). (Whether somebody told
// isn't said then: look.) Or
//   -ETIMEDOUT   the time is over
//   -EAGAIN      timeout_ns is 0
//   -EINTR       a signal handler ran while it waited to be told
// With all of these the mutex is held again. Or, with the mutex as it was before,
//   -EPERM       the handle mutex doesn't hold it
//   -EINVAL      an unknown flag
//   -EBADF       condition or mutex was closed
//   -EFAULT      condition or mutex is NULL
// Or, with the mutex perhaps not held,
//   -EOWNERDEAD  the other participants found a handle dead and went on without it
//
// Any thread may call it at any time, while others use the same handles.
int madang_condition_wait(madang_condition *condition,
                          madang_mutex *mutex,
                          uint32_t flags,
                          int64_t timeout_ns);

// Wakes one who waits, if somebody does. The mutex need not be held.
//
// Returns 0, or
//   -EOWNERDEAD  the other participants found this handle dead and went on without it: close it,
//                and open it anew; or somebody else wrote over it
//   -EBADF       condition was closed
//   -EFAULT      condition is NULL
//
// Doesn't wait. Any thread may call it at any time.
int madang_condition_notify_one(madang_condition *condition);

// Wakes all who wait. The mutex need not be held.
//
// Returns what madang_condition_notify_one() returns. Doesn't wait. Any thread may call it at any
// time.
int madang_condition_notify_all(madang_condition *condition);

// The name by which the condition was opened, or that of the segment that it lies in.
//
// Returns a text that is valid until the handle is closed, or NULL if the handle was closed or is
// NULL (madang_last_error() tells). Doesn't wait. Any thread may call it at any time.
const char *madang_condition_name(const madang_condition *condition);

// Whether this handle's open created the condition. Of one in a segment nobody can say: it is 0.
//
// Returns 1 or 0; -EBADF if the handle was closed, -EFAULT if it is NULL. So compare it with 1:
// the errors are true, too. Doesn't wait. Any thread may call it at any time.
int madang_condition_is_new(const madang_condition *condition);

// Closes the handle. The condition lives on.
//
// No other thread may be inside a call with this handle. Using it afterwards is -EBADF, until
// 1,024 more conditions were closed by the process; then it is undefined.
//
// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
int madang_condition_close(madang_condition *condition);

// Takes the name away. Who has the condition open goes on with it. The next open of the name
// creates a new one. (One in a segment has no name.)
//
// Returns what madang_queue_unlink() returns. Doesn't wait. Any thread may call it at any time.
int madang_condition_unlink(const char *name);

// Opens the event called name, or creates it; a new one is not set.
//
// name is 1 to 242 bytes of UTF-8 without '/'. It is the file madang.event.<name> in /dev/shm, or
// in the directory whose absolute path the environment variable MADANG_DIR has; in set-user-id
// programs that is ignored. options may be NULL: all defaults. *event is written only on success;
// give it to madang_event_close() in the end. Until then it keeps one descriptor.
//
// Returns 0, or what madang_queue_open() returns. Doesn't wait. Any thread may call it at any
// time. A process may open it several times: each handle takes part by itself.
int madang_event_open(const char *name, const madang_sync_options *options, madang_event **event);

// The event that lies in segment at offset, a multiple of 64: MADANG_EVENT_SIZE bytes there are
// its own, and nobody else writes there. All 0, as in a new segment, is its initial state: not
// set; there is nothing to initialise.
//
// *event is written only on success; give it to madang_event_close() in the end. It keeps the
// segment mapped, also when the segment's handle is closed. All that is made with one handle of a
// segment shares one descriptor.
//
// Returns 0, or
//   -EINVAL   it would not lie within the segment, offset is no multiple of 64, or the segment was
//             opened with MADANG_READ_ONLY
//   -ENOENT   the segment was unlinked before the first of its locks was made with this handle
//   -EACCES   this process may not open the segment's file any more
//   -EBADF    segment was closed
//   -EFAULT   a pointer is NULL
//   -ENOMEM, -EMFILE, -ENFILE
//             as with open(2) and mmap(2)
//
// Doesn't wait. Any thread may call it at any time.
int madang_event_within(madang_segment *segment, size_t offset, madang_event **event);

// Sets the event: all who wait go on, even if it is cleared at once; and who comes doesn't wait.
//
// Returns 0, or
//   -EOWNERDEAD  the other participants found this handle dead and went on without it: close it,
//                and open it anew; or somebody else wrote over it
//   -EBADF       event was closed
//   -EFAULT      event is NULL
//
// Doesn't wait. Any thread may call it at any time.
int madang_event_set(madang_event *event);

// Takes it back: who comes waits again.
//
// Returns 0, -EBADF if event was closed, -EFAULT if it is NULL. Doesn't wait. Any thread may call
// it at any time.
int madang_event_clear(madang_event *event);

// Whether the event is set.
//
// Returns 1 or 0; -EBADF if event was closed, -EFAULT if it is NULL. So compare it with 1: the
// errors are true, too. Doesn't wait. Any thread may call it at any time.
int madang_event_is_set(const madang_event *event);

// Waits until the event is set.
//
// flags: 0, MADANG_DEADLINE or MADANG_INSTANT. It waits for timeout_ns nanoseconds at most; 0
// doesn't wait, negative waits for ever.
//
// Returns 0, or
//   -EAGAIN      it isn't set, and timeout_ns is 0
//   -ETIMEDOUT   the time is over
//   -EINTR       a signal handler ran while it waited
//   -EINVAL      an unknown flag
//   -EOWNERDEAD  the other participants found this handle dead and went on without it: close it,
//                and open it anew; or somebody else wrote over it
//   -EBADF       event was closed
//   -EFAULT      event is NULL
//
// Any thread may call it at any time, while others use the same handle.
int madang_event_wait(madang_event *event, uint32_t flags, int64_t timeout_ns);

// The name by which the event was opened, or that of the segment that it lies in.
//
// Returns a text that is valid until the handle is closed, or NULL if the handle was closed or is
// NULL (madang_last_error() tells). Doesn't wait. Any thread may call it at any time.
const char *madang_event_name(const madang_event *event);

// Whether this handle's open created the event. Of one in a segment nobody can say: it is 0.
//
// Returns 1 or 0; -EBADF if the handle was closed, -EFAULT if it is NULL. So compare it with 1:
// the errors are true, too. Doesn't wait. Any thread may call it at any time.
int madang_event_is_new(const madang_event *event);

// Closes the handle. The event lives on.
//
// No other thread may be inside a call with this handle. Using it afterwards is -EBADF, until
// 1,024 more events were closed by the process; then it is undefined.
//
// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
int madang_event_close(madang_event *event);

// Takes the name away. Who has the event open goes on with it. The next open of the name creates a
// new one. (One in a segment has no name.)
//
// Returns what madang_queue_unlink() returns. Doesn't wait. Any thread may call it at any time.
int madang_event_unlink(const char *name);

// Opens the mutex called name, or creates it; a new one is free.
//
// name is 1 to 242 bytes of UTF-8 without '/'. It is the file madang.mutex.<name> in /dev/shm, or
// in the directory whose absolute path the environment variable MADANG_DIR has; in set-user-id
// programs that is ignored. options may be NULL: all defaults. *mutex is written only on success;
// give it to madang_mutex_close() in the end. Until then it keeps one descriptor.
//
// Returns 0, or what madang_queue_open() returns. Doesn't wait. Any thread may call it at any
// time. A process may open it several times: each handle takes part by itself.
int madang_mutex_open(const char *name, const madang_sync_options *options, madang_mutex **mutex);

// The mutex that lies in segment at offset, a multiple of 64: MADANG_MUTEX_SIZE bytes there are
// its own, and nobody else writes there. All 0, as in a new segment, is its initial state: free;
// there is nothing to initialise.
//
// *mutex is written only on success; give it to madang_mutex_close() in the end. It keeps the
// segment mapped, also when the segment's handle is closed. All that is made with one handle of a
// segment shares one descriptor.
//
// Returns 0, or
//   -EINVAL   it would not lie within the segment, offset is no multiple of 64, or the segment was
//             opened with MADANG_READ_ONLY
//   -ENOENT   the segment was unlinked before the first of its locks was made with this handle
//   -EACCES   this process may not open the segment's file any more
//   -EBADF    segment was closed
//   -EFAULT   a pointer is NULL
//   -ENOMEM, -EMFILE, -ENFILE
//             as with open(2) and mmap(2)
//
// Doesn't wait. Any thread may call it at any time.
int madang_mutex_within(madang_segment *segment, size_t offset, madang_mutex **mutex);

// Takes the mutex; waits until it can.
//
// flags: 0, MADANG_DEADLINE or MADANG_INSTANT. It waits for timeout_ns nanoseconds at most; 0
// doesn't wait, negative waits for ever.
//
// Returns 0; or 1, if the last owner died while it had the mutex: it is the caller's now, and what
// it guards may be half changed. That is told once: the next who takes it gets 0. So compare with
// < 0 for errors. Or
//   -EAGAIN      somebody has it, and timeout_ns is 0
//   -ETIMEDOUT   the time is over
//   -EINTR       a signal handler ran while it waited
//   -EINVAL      an unknown flag
//   -EOWNERDEAD  the other participants found this handle dead and went on without it: close it,
//                and open it anew; or somebody else wrote over it
//   -EUCLEAN     it is damaged
//   -EBADF       mutex was closed
//   -EFAULT      mutex is NULL
// Then it isn't held.
//
// Any thread may call it at any time, while others use the same handle.
int madang_mutex_lock(madang_mutex *mutex, uint32_t flags, int64_t timeout_ns);

// Gives the mutex back, and wakes one who waits for it.
//
// Returns 0, or
//   -EPERM       this handle doesn't hold it
//   -EOWNERDEAD  in a child of fork(2): its parent holds it; or somebody else wrote over it
//   -EBADF       mutex was closed
//   -EFAULT      mutex is NULL
//
// Doesn't wait. Any thread may call it at any time; it need not be the one that locked it.
int madang_mutex_unlock(madang_mutex *mutex);

// The name by which the mutex was opened, or that of the segment that it lies in.
//
// Returns a text that is valid until the handle is closed, or NULL if the handle was closed or is
// NULL (madang_last_error() tells). Doesn't wait. Any thread may call it at any time.
const char *madang_mutex_name(const madang_mutex *mutex);

// Whether this handle's open created the mutex. Of one in a segment nobody can say: it is 0.
//
// Returns 1 or 0; -EBADF if the handle was closed, -EFAULT if it is NULL. So compare it with 1:
// the errors are true, too. Doesn't wait. Any thread may call it at any time.
int madang_mutex_is_new(const madang_mutex *mutex);

// Closes the handle. The mutex lives on. If this handle holds it, it is left as a death would
// leave it: the next who takes it is told.
//
// No other thread may be inside a call with this handle. Using it afterwards is -EBADF, until
// 1,024 more mutexes were closed by the process; then it is undefined.
//
// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
int madang_mutex_close(madang_mutex *mutex);

// Takes the name away. Who has the mutex open goes on with it. The next open of the name creates a
// new one. (One in a segment has no name.)
//
// Returns what madang_queue_unlink() returns. Doesn't wait. Any thread may call it at any time.
int madang_mutex_unlink(const char *name);

// Opens the read-write lock called name, or creates it; a new one is free.
//
// name is 1 to 241 bytes of UTF-8 without '/'. It is the file madang.rwlock.<name> in /dev/shm, or
// in the directory whose absolute path the environment variable MADANG_DIR has; in set-user-id
// programs that is ignored. options may be NULL: all defaults. *lock is written only on success;
// give it to madang_rwlock_close() in the end. Until then it keeps one descriptor.
//
// Returns 0, or what madang_queue_open() returns. Doesn't wait. Any thread may call it at any
// time. A process may open it several times: each handle takes part by itself.
int madang_rwlock_open(const char *name, const madang_sync_options *options, madang_rwlock **lock);

// The read-write lock that lies in segment at offset, a multiple of 64: MADANG_RWLOCK_SIZE bytes
// there are its own, and nobody else writes there. All 0, as in a new segment, is its initial
// state: free; there is nothing to initialise.
//
// *lock is written only on success; give it to madang_rwlock_close() in the end. It keeps the
// segment mapped, also when the segment's handle is closed. All that is made with one handle of a
// segment shares one descriptor.
//
// Returns 0, or
//   -EINVAL   it would not lie within the segment, offset is no multiple of 64, or the segment was
//             opened with MADANG_READ_ONLY
//   -ENOENT   the segment was unlinked before the first of its locks was made with this handle
//   -EACCES   this process may not open the segment's file any more
//   -EBADF    segment was closed
//   -EFAULT   a pointer is NULL
//   -ENOMEM, -EMFILE, -ENFILE
//             as with open(2) and mmap(2)
//
// Doesn't wait. Any thread may call it at any time.
int madang_rwlock_within(madang_segment *segment, size_t offset, madang_rwlock **lock);

// Takes the lock to read; waits while somebody writes, or waits to write.
//
// flags: 0, MADANG_DEADLINE or MADANG_INSTANT. It waits for timeout_ns nanoseconds at most; 0
// doesn't wait, negative waits for ever.
//
// Returns 0; or 1, if a writer died while it had the lock or waited for it, and nobody has had it
// to write since: it is the caller's, and what it guards may be half changed. Or
//   -EAGAIN      somebody writes, or waits to, and timeout_ns is 0
//   -EUSERS      120 read already
//   -ETIMEDOUT   the time is over
//   -EINTR       a signal handler ran while it waited
//   -EINVAL      an unknown flag
//   -EOWNERDEAD  the other participants found this handle dead and went on without it: close it,
//                and open it anew; or somebody else wrote over it
//   -EUCLEAN     it is damaged
//   -EBADF       lock was closed
//   -EFAULT      lock is NULL
// Then it isn't held.
//
// Any thread may call it at any time, while others use the same handle.
int madang_rwlock_lock_read(madang_rwlock *lock, uint32_t flags, int64_t timeout_ns);

// Takes the lock to write; waits until nobody else reads or writes.
//
// flags: 0, MADANG_DEADLINE or MADANG_INSTANT. It waits for timeout_ns nanoseconds at most; 0
// doesn't wait, negative waits for ever. While it waits, nobody else comes in to read.
//
// Returns what madang_rwlock_lock_read() returns, but -EUSERS. After 1, to unlock it says that
// what it guards is in order again.
//
// Any thread may call it at any time, while others use the same handle.
int madang_rwlock_lock_write(madang_rwlock *lock, uint32_t flags, int64_t timeout_ns);

// Gives the lock back: what this handle has to write, or one of those that it has to read.
//
// Returns 0, or
//   -EPERM       this handle doesn't hold it
//   -EOWNERDEAD  in a child of fork(2): its parent holds it; or somebody else wrote over it
//   -EBADF       lock was closed
//   -EFAULT      lock is NULL
//
// Doesn't wait. Any thread may call it at any time; it need not be the one that locked it.
int madang_rwlock_unlock(madang_rwlock *lock);

// The name by which the read-write lock was opened, or that of the segment that it lies in.
//
// Returns a text that is valid until the handle is closed, or NULL if the handle was closed or is
// NULL (madang_last_error() tells). Doesn't wait. Any thread may call it at any time.
const char *madang_rwlock_name(const madang_rwlock *lock);

// Whether this handle's open created the read-write lock. Of one in a segment nobody can say: it
// is 0.
//
// Returns 1 or 0; -EBADF if the handle was closed, -EFAULT if it is NULL. So compare it with 1:
// the errors are true, too. Doesn't wait. Any thread may call it at any time.
int madang_rwlock_is_new(const madang_rwlock *lock);

// Closes the handle. The read-write lock lives on. What this handle holds is left as a death would
// leave it: if it is held to write, the next who takes it is told.
//
// No other thread may be inside a call with this handle. Using it afterwards is -EBADF, until
// 1,024 more read-write locks were closed by the process; then it is undefined.
//
// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
int madang_rwlock_close(madang_rwlock *lock);

// Takes the name away. Who has the read-write lock open goes on with it. The next open of the name
// creates a new one. (One in a segment has no name.)
//
// Returns what madang_queue_unlink() returns. Doesn't wait. Any thread may call it at any time.
int madang_rwlock_unlink(const char *name);

// msgget(2), served from shared memory: what it makes is a queue, the file
// madang.queue.sysv.id.<id> and, with a key, madang.queue.sysv.key.<key> in /dev/shm (both in
// hexadecimal), which madang_queue_open() opens by the name "sysv.key.<key>".
//
// Returns an identifier, or -1 and errno as the man page says; EBUSY if who is just removing what
// had the key doesn't get on for a second, for which it waits. Any thread may call it at any time.
int madang_msgget(int key, int msgflg);

// msgsnd(2), served from shared memory. Waits while the queue is full, unless msgflg has
// IPC_NOWAIT; a signal handler ends that with EINTR.
//
// Returns 0, or -1 and errno. Any thread may call it at any time.
int madang_msgsnd(int msqid, const void *msgp, size_t msgsz, int msgflg);

// msgrcv(2), served from shared memory. Waits while there is no such message, unless msgflg has
// IPC_NOWAIT; a signal handler ends that with EINTR.
//
// Returns the length, or -1 and errno. Any thread may call it at any time.
ssize_t madang_msgrcv(int msqid, void *msgp, size_t msgsz, long msgtyp, int msgflg);

// msgctl(2), served from shared memory: IPC_STAT, IPC_SET, IPC_RMID, IPC_INFO, MSG_INFO, MSG_STAT,
// MSG_STAT_ANY. Returns what the man page says, or -1 and errno. Doesn't wait. Any thread may call
// it at any time.
int madang_msgctl(int msqid, int cmd, struct msqid_ds *buf);

// semget(2), served from shared memory: what it makes is a set, the file
// madang.semaphores.sysv.id.<id> and, with a key, madang.semaphores.sysv.key.<key>, which
// madang_semaphore_set_open() opens by the name "sysv.key.<key>".
//
// Returns an identifier, or -1 and errno as the man page says; EBUSY if who is just removing what
// had the key doesn't get on for a second, for which it waits. Any thread may call it at any time.
int madang_semget(int key, int nsems, int semflg);

// semop(2), served from shared memory. Returns 0, or -1 and errno. Waits as the man page says; a
// signal handler ends that with EINTR. Any thread may call it at any time.
int madang_semop(int semid, struct sembuf *sops, size_t nsops);

// semtimedop(2), served from shared memory: as madang_semop(), but it waits no longer than timeout
// says, if that isn't NULL; then -1 and EAGAIN.
int madang_semtimedop(int semid, struct sembuf *sops, size_t nsops, const struct timespec *timeout);

// semctl(2), served from shared memory. arg is the union semun of the man page: the number, as
// (void *)(intptr_t)val, or the pointer; NULL where none is needed. Returns what the man page says,
// or -1 and errno. Doesn't wait. Any thread may call it at any time.
int madang_semctl(int semid, int semnum, int cmd, void *arg);

// shmget(2), served from shared memory: what it makes is the file madang.memory.sysv.id.<id> and,
// with a key, madang.memory.sysv.key.<key>, in which the memory begins at 64 KiB.
//
// Returns an identifier, or -1 and errno as the man page says; EBUSY if who is just removing what
// had the key doesn't get on for a second, for which it waits. Any thread may call it at any time.
int madang_shmget(int key, size_t size, int shmflg);

// shmat(2), served from shared memory. Returns an address, or (void *)-1 and errno. Doesn't wait.
// Any thread may call it at any time.
void *madang_shmat(int shmid, const void *shmaddr, int shmflg);

// shmdt(2), for what madang_shmat() attached. Returns 0, or -1 and errno. Doesn't wait. Any thread
// may call it at any time.
int madang_shmdt(const void *shmaddr);

// shmctl(2), served from shared memory: IPC_STAT, IPC_SET, IPC_RMID, IPC_INFO, SHM_INFO, SHM_STAT,
// SHM_STAT_ANY, SHM_LOCK, SHM_UNLOCK.
//
// Returns what the man page says, or -1 and errno. Doesn't wait. Any thread may call it at any
// time.
int madang_shmctl(int shmid, int cmd, struct shmid_ds *buf);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* MADANG_H */
