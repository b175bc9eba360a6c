/* Waiting for queues by a descriptor: select, poll, epoll; a socket beside them; the handle's end. */
#include "queue.h"

#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>

static int is_readable(int fd, int milliseconds)
{
    struct pollfd what = {.fd = fd, .events = POLLIN};
    CHECK(poll(&what, 1, milliseconds) >= 0);
    CHECK((what.revents & ~POLLIN) == 0);
    return what.revents;
}

static int is_selected(int fd)
{
    fd_set set;
    struct timeval at_once = {0, 0};
    FD_ZERO(&set);
    FD_SET(fd, &set);
    return select(fd + 1, &set, NULL, NULL, &at_once);
}

static void expect_nothing(madang_queue *queue)
{
    FAILS(madang_queue_recv(queue, 0, NULL, 0, 0, NULL, 0), EAGAIN, "no message");
}

static void smoke(void)
{
    madang_queue *queue = open_default(name("smoke"));
    int fd = madang_queue_fd(queue, MADANG_FD_RECV);
    CHECK(fd >= 0 && is_readable(fd, 0));
    expect_nothing(queue);
    CHECK(!is_readable(fd, 0) && !is_selected(fd));
    send_text(queue, 1, "one");
    CHECK(is_readable(fd, 0) && is_selected(fd));
    expect_text(queue, "one");
    expect_nothing(queue);
    CHECK(!is_readable(fd, 0));
    EQUAL(madang_queue_fd(queue, MADANG_FD_RECV), fd);
    CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    EQUAL(madang_queue_close(queue), 0);
    CHECK(fcntl(fd, F_GETFD) == -1);
}

static void capacity(void)
{
    madang_queue *queue = open_limited(name("capacity"), 8, 0);
    int fd = madang_queue_fd(queue, MADANG_FD_SEND);
    CHECK(is_readable(fd, 0));
    send_text(queue, 1, "12345678");
    FAILS(madang_queue_send(queue, 1, "9", 1, 0, 0), EAGAIN, "full");
    CHECK(!is_readable(fd, 0));
    expect_text(queue, "12345678");
    CHECK(is_readable(fd, 0));
    send_text(queue, 1, "9");
}

static void refusals(void)
{
    madang_queue *queue = open_default(name("refusals"));
    FAILS(madang_queue_fd(queue, 2), EINVAL, "which 2");
    FAILS(madang_queue_fd(queue, -1), EINVAL, "which -1");
    FAILS(madang_queue_fd(NULL, MADANG_FD_RECV), EFAULT, "queue");
    EQUAL(madang_queue_close(queue), 0);
    FAILS(madang_queue_fd(queue, MADANG_FD_RECV), EBADF, "open handle");
}

/* A queue and a socket in one epoll, level- and edge-triggered; what comes, comes from another process. */
static void with_a_socket(void)
{
    static const uint32_t modes[] = {EPOLLIN, EPOLLIN | EPOLLET};
    for (int i = 0; i < 2; i++) {
        int sockets[2], epoll = epoll_create1(EPOLL_CLOEXEC);
        madang_queue *queue = open_default(name(i ? "edge" : "level"));
        int fd = madang_queue_fd(queue, MADANG_FD_RECV);
        struct epoll_event from_queue = {.events = modes[i], .data.u32 = 1};
        struct epoll_event from_socket = {.events = modes[i], .data.u32 = 2};
        CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0 && epoll >= 0 && fd >= 0);
        CHECK(fcntl(sockets[0], F_SETFL, O_NONBLOCK) == 0);
        CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &from_queue) == 0);
        CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, sockets[0], &from_socket) == 0);
        pid_t child = fork();
        if (child == 0) {
            for (int n = 0; n < 1000; n++) {
                if (n % 2 == 0)
                    EQUAL(madang_queue_send(queue, 1, &n, sizeof n, 0, 5000 * MS), 0);
                else
                    CHECK(write(sockets[1], "x", 1) == 1);
            }
            exit(EXIT_SUCCESS);
        }
        int expected = 0, bytes = 0;
        while (expected < 1000 || bytes < 500) {
            struct epoll_event event;
            CHECK(epoll_wait(epoll, &event, 1, 5000) == 1);
            if (event.data.u32 == 1) {
                int n;
                int64_t length;
                while ((length = madang_queue_recv(queue, 0, &n, sizeof n, 0, NULL, 0)) == sizeof n) {
                    EQUAL(n, expected);
                    expected += 2;
                }
                EQUAL(length, -EAGAIN);
            } else {
                char text[100];
                ssize_t length;
                while ((length = read(sockets[0], text, sizeof text)) > 0)
                    bytes += (int)length;
            }
        }
        EQUAL(bytes, 500);
        reap(child);
        CHECK(epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL) == 0 && close(epoll) == 0);
        EQUAL(madang_queue_close(queue), 0);
    }
}

struct shared {
    madang_queue *queue;
    int fd;
    int received;
};

static void *receive_until_empty(void *argument)
{
    struct shared *shared = argument;
    for (;;) {
        char text[16];
        CHECK(is_readable(shared->fd, 5000));
        int64_t length = madang_queue_recv(shared->queue, 0, text, sizeof text, 0, NULL, 0);
        if (length == 0)
            return NULL;
        CHECK(length == 1 || length == -EAGAIN);
        shared->received += length > 0;
    }
}

/* Threads share a handle and its descriptor. */
static void threads(void)
{
    pthread_t threads[4];
    struct shared shared[4];
    madang_queue *queue = open_limited(name("threads"), 100, 0);
    for (int i = 0; i < 4; i++) {
        shared[i] = (struct shared){queue, madang_queue_fd(queue, MADANG_FD_RECV), 0};
        CHECK(pthread_create(&threads[i], NULL, receive_until_empty, &shared[i]) == 0);
    }
    for (int n = 0; n < 5000; n++)
        EQUAL(madang_queue_send(queue, 1, "x", 1, 0, 5000 * MS), 0);
    int received = 0;
    for (int i = 0; i < 4; i++)
        EQUAL(madang_queue_send(queue, 1, NULL, 0, 0, 5000 * MS), 0);
    for (int i = 0; i < 4; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
        received += shared[i].received;
    }
    EQUAL(received, 5000);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        CASE(smoke), CASE(capacity), CASE(refusals), CASE(with_a_socket), CASE(threads),
    };
    return run_cases(cases, sizeof cases / sizeof *cases, argc, argv);
}
