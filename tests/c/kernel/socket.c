/* Sockets from C. See check.h for how a test program works. */
#include "../check.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#define WATCHDOG (10000 * MS)
#define SOON 0, WATCHDOG
#define SHORTLY 0, 20 * MS
#define AT_ONCE 0, 0

/* The address of a socket with a file in /dev/shm, which is removed after the case. */
static const char *unix_address(const char *scheme, const char *which)
{
    static _Thread_local char texts[4][160];
    static _Thread_local unsigned next;
    char *text = texts[next++ % 4];
    snprintf(text, sizeof texts[0], "%s:/dev/shm/%s", scheme, name(which));
    return text;
}

static const char *file_of(const char *address)
{
    return strchr(address, ':') + 1;
}

static madang_socket_listener *listen_at(const char *address)
{
    madang_socket_listener *listener = NULL;
    EQUAL(madang_socket_listener_open(address, NULL, &listener), 0);
    return listener;
}

static madang_socket *accept_from(madang_socket_listener *listener)
{
    madang_socket *socket = NULL;
    EQUAL(madang_socket_accept(listener, SOON, &socket), 0);
    return socket;
}

static madang_socket *connect_to(const char *address)
{
    madang_socket *socket = NULL;
    EQUAL(madang_socket_connect(address, SOON, &socket), 0);
    return socket;
}

static void send_text(madang_socket *socket, const char *text)
{
    EQUAL(madang_socket_send_message(socket, text, strlen(text), NULL, 0, SOON), 0);
}

static void receive_text(madang_socket *socket, const char *text)
{
    char buffer[100];
    EQUAL(madang_socket_recv_message(socket, buffer, sizeof buffer, NULL, 0, NULL, SOON), strlen(text));
    CHECK(memcmp(buffer, text, strlen(text)) == 0);
}

static void smoke(void)
{
    char abstract[160];
    snprintf(abstract, sizeof abstract, "packet:@%s", name("s"));
    const char *addresses[] = {unix_address("unix", "s"), unix_address("packet", "p"), abstract, "tcp:127.0.0.1:0",
                               "tcp:[::1]:0"};
    for (int i = 0; i < 5; i++) {
        madang_socket_listener *listener = listen_at(addresses[i]);
        pid_t child = fork();
        if (child == 0) {
            madang_socket *socket = connect_to(madang_socket_listener_address(listener));
            send_text(socket, "two teas");
            receive_text(socket, "coming");
            FAILS(madang_socket_recv_message(socket, NULL, 0, NULL, 0, NULL, SOON), ENODATA, "the end");
            CHECK(strcmp(madang_socket_peer_address(socket), madang_socket_listener_address(listener)) == 0);
            exit(EXIT_SUCCESS);
        }
        madang_socket *socket = accept_from(listener);
        receive_text(socket, "two teas");
        if (i < 3) {
            madang_socket_peer peer = {.struct_size = sizeof peer};
            EQUAL(madang_socket_get_peer(socket, &peer), 0);
            EQUAL(peer.pid, child);
            EQUAL(peer.uid, getuid());
            EQUAL(peer.gid, getgid());
        }
        char local[160];
        int64_t length = madang_socket_local_address(socket, local, sizeof local);
        EQUAL(length, strlen(local));
        CHECK(strcmp(local, madang_socket_listener_address(listener)) == 0);
        EQUAL(madang_socket_local_address(socket, local, 5), strlen(madang_socket_listener_address(listener)));
        EQUAL(strlen(local), 4);
        send_text(socket, "coming");
        EQUAL(madang_socket_close(socket), 0);
        reap(child);
        EQUAL(madang_socket_listener_close(listener), 0);
    }
    CHECK(access(file_of(addresses[0]), F_OK) == -1);
}

/* A program that knows nothing of madang. */
static void a_stranger_speaks_it(void)
{
    madang_socket_listener *listener = listen_at(unix_address("unix", "s"));
    pid_t child = fork();
    if (child == 0) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        snprintf(address.sun_path, sizeof address.sun_path, "%s", file_of(madang_socket_listener_address(listener)));
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        CHECK(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
        uint32_t length = htonl(5);
        char text[100];
        CHECK(send(fd, &length, 4, 0) == 4 && send(fd, "hello", 5, 0) == 5);
        CHECK(recv(fd, &length, 4, MSG_WAITALL) == 4);
        length = ntohl(length);
        CHECK(length == 3 && recv(fd, text, length, MSG_WAITALL) == 3 && memcmp(text, "bye", 3) == 0);
        exit(EXIT_SUCCESS);
    }
    madang_socket *socket = accept_from(listener);
    receive_text(socket, "hello");
    send_text(socket, "bye");
    reap(child);
}

static void pair_of(int kind, madang_socket **one, madang_socket **other)
{
    EQUAL(madang_socket_pair(kind, one, other), 0);
}

static void bytes(void)
{
    madang_socket *one, *other;
    pair_of(MADANG_SOCKET_STREAM, &one, &other);
    char buffer[10];
    EQUAL(madang_socket_send(one, "hello", 5, SOON), 5);
    EQUAL(madang_socket_recv(other, buffer, sizeof buffer, SOON), 5);
    CHECK(memcmp(buffer, "hello", 5) == 0);
    FAILS(madang_socket_recv(other, buffer, sizeof buffer, AT_ONCE), EAGAIN, "only to try");
    FAILS(madang_socket_recv(other, buffer, sizeof buffer, SHORTLY), ETIMEDOUT, "receive from");
    FAILS(madang_socket_recv(other, buffer, sizeof buffer, MADANG_INSTANT, 0), EAGAIN, "");
    FAILS(madang_socket_recv(other, buffer, sizeof buffer, MADANG_DEADLINE, 5), ETIMEDOUT, "");
    EQUAL(madang_socket_shutdown(one, SHUT_WR), 0);
    EQUAL(madang_socket_recv(other, buffer, sizeof buffer, SOON), 0);
    FAILS(madang_socket_send(one, "x", 1, SOON), EPIPE, "gone");
    FAILS(madang_socket_shutdown(one, 3), EINVAL, "SHUT_RD");
}

static void timeout(void)
{
    madang_socket_listener *listener = listen_at(unix_address("unix", "s"));
    madang_socket *socket = NULL, *one, *other;
    FAILS(madang_socket_accept(listener, AT_ONCE, &socket), EAGAIN, "accept at unix:");
    FAILS(madang_socket_accept(listener, SHORTLY, &socket), ETIMEDOUT, "accept at unix:");
    CHECK(socket == NULL);
    pair_of(MADANG_SOCKET_STREAM, &one, &other);
    size_t length = 1 << 20;
    char *much = malloc(length), *room = malloc(length);
    memset(much, 7, length);
    FAILS(madang_socket_recv_message(other, room, length, NULL, 0, NULL, AT_ONCE), EAGAIN, "");
    FAILS(madang_socket_send_message(one, much, length, NULL, 0, SHORTLY), ETIMEDOUT, "send the same message again");
    FAILS(madang_socket_send_message(one, "x", 1, NULL, 0, SOON), EBUSY, "half sent");
    FAILS(madang_socket_recv_message(other, room, length, NULL, 0, NULL, SHORTLY), ETIMEDOUT, "");
    /* Both go on. */
    pid_t child = fork();
    if (child == 0) {
        EQUAL(madang_socket_recv_message(other, room, length, NULL, 0, NULL, SOON), length);
        CHECK(memcmp(room, much, length) == 0);
        receive_text(other, "after it");
        exit(EXIT_SUCCESS);
    }
    EQUAL(madang_socket_send_message(one, much, length, NULL, 0, SOON), 0);
    send_text(one, "after it");
    reap(child);
}

static void ignore(int signal)
{
    (void)signal;
}

static void interrupted(void)
{
    struct sigaction action = {.sa_handler = ignore};
    sigaction(SIGALRM, &action, NULL);
    madang_socket *one, *other;
    pair_of(MADANG_SOCKET_STREAM, &one, &other);
    pid_t child = fork();
    if (child == 0) {
        for (;;) {
            kill(getppid(), SIGALRM);
            usleep(10000);
        }
    }
    char buffer[10];
    FAILS(madang_socket_recv_message(other, buffer, sizeof buffer, NULL, 0, NULL, 0, -1), EINTR, "a signal handler ran");
    kill(child, SIGKILL);
}

static void limits(void)
{
    madang_socket *one, *other;
    pair_of(MADANG_SOCKET_STREAM, &one, &other);
    char buffer[20];
    madang_socket_message message = {.struct_size = sizeof message};
    send_text(one, "0123456789");
    FAILS(madang_socket_recv_message(other, buffer, 9, NULL, 0, &message, SOON), E2BIG, "for 10 bytes");
    EQUAL(message.length, 10);
    EQUAL(madang_socket_recv_message(other, buffer, 10, NULL, 0, &message, SOON), 10);
    EQUAL(message.length, 10);
    EQUAL(message.fds, 0);
    EQUAL(message.flags, 0);
    EQUAL(madang_socket_set_message_limit(one, 5), 0);
    FAILS(madang_socket_send_message(one, "123456", 6, NULL, 0, SOON), EMSGSIZE, "the limit is 5");
    EQUAL(madang_socket_send(one, "\xff\xff\xff\xff", 4, SOON), 4);
    FAILS(madang_socket_recv_message(other, buffer, 10, NULL, 0, NULL, SOON), EMSGSIZE, "announced 4294967295 bytes");
    pair_of(MADANG_SOCKET_PACKET, &one, &other);
    FAILS(madang_socket_send_message(one, NULL, 0, NULL, 0, SOON), EINVAL, "an empty packet");
    FAILS(madang_socket_send(one, "x", 1, SOON), ENOTSUP, "send_message");
    pair_of(MADANG_SOCKET_STREAM, &one, &other);
    send_text(one, "");
    receive_text(other, "");
    EQUAL(madang_socket_send(one, "\0\0\0\5hal", 7, SOON), 7);
    EQUAL(madang_socket_close(one), 0);
    FAILS(madang_socket_recv_message(other, buffer, 10, NULL, 0, NULL, SOON), ECONNRESET, "within a message");
}

static void nobody_dies(void)
{
    signal(SIGPIPE, SIG_DFL);
    madang_socket *one, *other;
    pair_of(MADANG_SOCKET_PACKET, &one, &other);
    EQUAL(madang_socket_close(other), 0);
    FAILS(madang_socket_send_message(one, "x", 1, NULL, 0, SOON), EPIPE, "gone");
}

/* A memfd, a file and a pipe, to another process; and credentials. */
static void descriptors(void)
{
    madang_socket *one, *other;
    pair_of(MADANG_SOCKET_STREAM, &one, &other);
    EQUAL(madang_socket_pass_credentials(other, 1), 0);
    int ends[2], memory = memfd_create("memory", MFD_CLOEXEC);
    CHECK(pipe(ends) == 0 && write(memory, "in memory", 9) == 9);
    pid_t child = fork();
    if (child == 0) {
        int fds[] = {memory, ends[0]};
        EQUAL(madang_socket_send_message(one, "two", 3, fds, 2, SOON), 0);
        exit(EXIT_SUCCESS);
    }
    int got[3] = {-1, -1, -1}, before = open_descriptors();
    char buffer[20];
    madang_socket_message message = {.struct_size = sizeof message};
    EQUAL(madang_socket_recv_message(other, buffer, sizeof buffer, got, 3, &message, SOON), 3);
    EQUAL(message.fds, 2);
    EQUAL(message.flags, MADANG_SOCKET_HAS_SENDER);
    EQUAL(message.pid, child);
    EQUAL(message.uid, getuid());
    EQUAL(message.gid, getgid());
    EQUAL(open_descriptors(), before + 2);
    EQUAL(got[2], -1);
    EQUAL(fcntl(got[0], F_GETFD), FD_CLOEXEC);
    EQUAL(pread(got[0], buffer, sizeof buffer, 0), 9);
    CHECK(memcmp(buffer, "in memory", 9) == 0);
    CHECK(write(ends[1], "through", 7) == 7 && read(got[1], buffer, 7) == 7 && memcmp(buffer, "through", 7) == 0);
    reap(child);
    close(got[0]);
    close(got[1]);
    /* What nobody asked for is closed. */
    int fds[] = {0, 1, 2};
    EQUAL(madang_socket_send_message(one, "x", 1, fds, 3, SOON), 0);
    EQUAL(madang_socket_recv_message(other, buffer, sizeof buffer, NULL, 0, &message, SOON), 1);
    CHECK(message.flags & MADANG_SOCKET_FDS_LOST);
    EQUAL(open_descriptors(), before);
    fds[1] = -1;
    FAILS(madang_socket_send_message(one, "x", 1, fds, 3, SOON), EBADF, "fds[1] is -1");
    fds[1] = 9999;
    FAILS(madang_socket_send_message(one, "x", 1, fds, 3, SOON), EBADF, "send a message");
    send_text(one, "unharmed");
    receive_text(other, "unharmed");
}

static void a_stale_file_is_reclaimed(void)
{
    const char *address = unix_address("unix", "s");
    pid_t child = fork();
    if (child == 0) {
        listen_at(address);
        _exit(EXIT_SUCCESS);
    }
    reap(child);
    CHECK(access(file_of(address), F_OK) == 0);
    madang_socket *socket;
    FAILS(madang_socket_connect(address, SOON, &socket), ECONNREFUSED, "nobody listens there");
    madang_socket_listener *listener, *second = NULL;
    madang_socket_listener_options options = {
        .struct_size = sizeof options, .flags = MADANG_SOCKET_NO_RECLAIM, .mode = 0644};
    FAILS(madang_socket_listener_open(address, &options, &second), EADDRINUSE, "there is a file of that name");
    options.flags = 0;
    umask(0777);
    EQUAL(madang_socket_listener_open(address, &options, &listener), 0);
    struct stat found;
    CHECK(stat(file_of(address), &found) == 0 && (found.st_mode & 07777) == 0644);
    FAILS(madang_socket_listener_open(address, NULL, &second), EADDRINUSE, "somebody listens there");
    CHECK(second == NULL);
}

static const char *theirs;

static void connects_in_vain(void)
{
    madang_socket *socket;
    FAILS(madang_socket_connect(theirs, SOON, &socket), EACCES, "write permission");
}

static void no_permission(void)
{
    theirs = unix_address("unix", "s");
    listen_at(theirs);
    as_user(65534, connects_in_vain);
}

static void datagrams(void)
{
    const char *addresses[] = {unix_address("unix", "d"), "udp:127.0.0.1:0", "udp:[::1]:0"};
    for (int i = 0; i < 3; i++) {
        madang_socket_datagram *server, *client;
        EQUAL(madang_socket_datagram_bind(addresses[i], 0, &server), 0);
        pid_t child = fork();
        char buffer[20];
        madang_socket_message message = {.struct_size = sizeof message};
        if (child == 0) {
            EQUAL(madang_socket_datagram_connect(madang_socket_datagram_address(server), &client), 0);
            EQUAL(madang_socket_datagram_send(client, NULL, "ping", 4, NULL, 0, SOON), 0);
            EQUAL(madang_socket_datagram_recv(client, buffer, sizeof buffer, NULL, 0, NULL, SOON), 4);
            CHECK(memcmp(buffer, "pong", 4) == 0);
            exit(EXIT_SUCCESS);
        }
        FAILS(madang_socket_datagram_recv(server, buffer, 3, NULL, 0, &message, SOON), E2BIG, "for 4 bytes");
        EQUAL(message.length, 4);
        EQUAL(madang_socket_datagram_recv(server, buffer, sizeof buffer, NULL, 0, &message, SOON), 4);
        EQUAL(madang_socket_datagram_send(server, message.address, "pong", 4, NULL, 0, SOON), 0);
        reap(child);
        FAILS(madang_socket_datagram_recv(server, buffer, 9, NULL, 0, NULL, AT_ONCE), EAGAIN, "receive at");
        FAILS(madang_socket_datagram_recv(server, buffer, 9, NULL, 0, NULL, SHORTLY), ETIMEDOUT, "receive at");
        CHECK(madang_socket_datagram_fd(server) >= 0);
        EQUAL(madang_socket_datagram_close(server), 0);
    }
    madang_socket_datagram *one, *other;
    EQUAL(madang_socket_datagram_pair(&one, &other), 0);
    EQUAL(madang_socket_datagram_pass_credentials(other, 1), 0);
    int fd = 0, got = -1;
    EQUAL(madang_socket_datagram_send(one, NULL, "", 0, &fd, 1, SOON), 0);
    madang_socket_message message = {.struct_size = sizeof message};
    EQUAL(madang_socket_datagram_recv(other, NULL, 0, &got, 1, &message, SOON), 0);
    CHECK(message.fds == 1 && got > 0 && message.pid == getpid() && message.address[0] == 0);
}

static void refusals(void)
{
    madang_socket_listener *listener = NULL;
    madang_socket *socket = NULL, *other;
    madang_socket_datagram *datagram = NULL;
    FAILS(madang_socket_listener_open(NULL, NULL, &listener), EFAULT, "address is NULL");
    FAILS(madang_socket_listener_open("unix:x", NULL, NULL), EFAULT, "listener is NULL");
    FAILS(madang_socket_listener_open("x", NULL, &listener), EINVAL, "it begins with \"unix:\"");
    FAILS(madang_socket_listener_open("tcp:127.0.0.1", NULL, &listener), EINVAL, "HOST:PORT");
    FAILS(madang_socket_listener_open("udp:127.0.0.1:0", NULL, &listener), EINVAL, "Datagram");
    FAILS(madang_socket_listener_open("unix:/none/such", NULL, &listener), ENOENT, "no such directory");
    madang_socket_listener_options options = {.struct_size = sizeof options, .flags = 1};
    FAILS(madang_socket_listener_open("unix:x", &options, &listener), EINVAL, "NO_RECLAIM");
    options = (madang_socket_listener_options){.struct_size = sizeof options, .mode = 01000};
    FAILS(madang_socket_listener_open("unix:x", &options, &listener), EINVAL, "permission bits");
    options = (madang_socket_listener_options){.struct_size = 1};
    FAILS(madang_socket_listener_open("unix:x", &options, &listener), EINVAL, "struct_size");
    CHECK(listener == NULL);
    FAILS(madang_socket_connect(NULL, SOON, &socket), EFAULT, "address is NULL");
    FAILS(madang_socket_connect("unix:x", SOON, NULL), EFAULT, "socket is NULL");
    FAILS(madang_socket_connect("unix:/none/such", SOON, &socket), ENOENT, "is the server running?");
    FAILS(madang_socket_pair(2, &socket, &other), EINVAL, "MADANG_SOCKET_PACKET");
    FAILS(madang_socket_pair(0, &socket, NULL), EFAULT, "socket is NULL");
    FAILS(madang_socket_from_fd(9999, &socket), EBADF, "not an open descriptor");
    FAILS(madang_socket_from_fd(open("/dev/null", O_RDONLY), &socket), ENOTSOCK, "take a connection over");
    CHECK(socket == NULL);
    pair_of(MADANG_SOCKET_STREAM, &socket, &other);
    FAILS(madang_socket_send_message(socket, NULL, 1, NULL, 0, SOON), EFAULT, "data is NULL");
    FAILS(madang_socket_send_message(socket, "x", 1, NULL, 1, SOON), EFAULT, "fds is NULL");
    FAILS(madang_socket_recv_message(socket, NULL, 1, NULL, 0, NULL, SOON), EFAULT, "buffer is NULL");
    FAILS(madang_socket_recv_message(socket, NULL, 0, NULL, 1, NULL, SOON), EFAULT, "fds is NULL");
    FAILS(madang_socket_send(socket, "x", 1, 64, 0), EINVAL, "no such flags");
    FAILS(madang_socket_get_peer(socket, NULL), EFAULT, "peer is NULL");
    FAILS(madang_socket_accept(NULL, SOON, &socket), EFAULT, "listener is NULL");
    EQUAL(madang_socket_close(other), 0);
    FAILS(madang_socket_close(other), EBADF, "closed before");
    FAILS(madang_socket_send_message(other, "x", 1, NULL, 0, SOON), EBADF, "closed before");
    FAILS(madang_socket_fd(other), EBADF, "closed before");
    FAILS(madang_socket_close(NULL), EFAULT, "socket is NULL");
    FAILS_WITH_NOTHING(madang_socket_peer_address(other), EBADF, "closed before");
    FAILS(madang_socket_listener_close((madang_socket_listener *)socket), EBADF, "not an open handle of a listener");
    FAILS(madang_socket_datagram_bind("tcp:127.0.0.1:0", 0, &datagram), EINVAL, "datagrams are for unix: and udp:");
    FAILS(madang_socket_datagram_bind("packet:@x", 0, &datagram), EINVAL, "datagrams are for");
}

static void descriptors_dont_leak(void)
{
    int before = open_descriptors();
    for (int i = 0; i < 5; i++) {
        madang_socket_listener *listener = listen_at(unix_address("unix", "s"));
        madang_socket *client = connect_to(madang_socket_listener_address(listener)), *served = accept_from(listener);
        madang_socket *adopted, *one, *other;
        pair_of(MADANG_SOCKET_STREAM, &one, &other);
        EQUAL(fcntl(madang_socket_fd(client), F_GETFD), FD_CLOEXEC);
        EQUAL(fcntl(madang_socket_fd(served), F_GETFD), FD_CLOEXEC);
        EQUAL(fcntl(madang_socket_listener_fd(listener), F_GETFD), FD_CLOEXEC);
        struct pollfd poller = {.fd = madang_socket_fd(served), .events = POLLIN};
        EQUAL(poll(&poller, 1, 0), 0);
        send_text(client, "hello");
        EQUAL(poll(&poller, 1, 10000), 1);
        EQUAL(madang_socket_from_fd(dup(madang_socket_fd(one)), &adopted), 0);
        send_text(adopted, "adopted");
        receive_text(other, "adopted");
        int fd = madang_socket_detach(adopted);
        EQUAL(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
        CHECK(send(fd, "\0\0\0\1x", 5, 0) == 5 && close(fd) == 0);
        receive_text(other, "x");
        FAILS(madang_socket_detach(adopted), EBADF, "closed before");
        EQUAL(madang_socket_close(one), 0);
        EQUAL(madang_socket_close(other), 0);
        EQUAL(madang_socket_close(client), 0);
        EQUAL(madang_socket_close(served), 0);
        EQUAL(madang_socket_listener_close(listener), 0);
    }
    EQUAL(open_descriptors(), before);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        CASE(smoke),
        CASE(a_stranger_speaks_it),
        CASE(bytes),
        CASE(timeout),
        CASE(interrupted),
        CASE(limits),
        CASE(nobody_dies),
        CASE(descriptors),
        CASE(a_stale_file_is_reclaimed),
        CASE(no_permission),
        CASE(datagrams),
        CASE(refusals),
        CASE(descriptors_dont_leak),
    };
    return run_cases(cases, sizeof cases / sizeof *cases, argc, argv);
}
