/* A program that knows nothing of madang: asks by msgsnd what a peer answers. Its argument is the key. */
#include "parity.h"

static int anew(const char *what, long number)
{
    (void)what;
    (void)number;
    return 0;
}

int main(int argc, char **argv)
{
    struct {
        long type;
        char data[100];
    } message = {2, "how are you?"};
    (void)run_cases;
    (void)anew;
    case_name = "peer";
    int id = msgget(argc > 1 ? atoi(argv[1]) : 0, IPC_CREAT | 0600);
    if (id < 0 || msgsnd(id, &message, strlen(message.data), 0) != 0)
        return EXIT_FAILURE;
    ssize_t length = msgrcv(id, &message, sizeof message.data, 3, 0);
    say("%.*s", (int)length, message.data);
    struct sembuf take = {1, -1, 0};
    int set = semget(atoi(argv[1]), 2, IPC_CREAT | 0600);
    if (semop(set, &take, 1) != 0)
        return EXIT_FAILURE;
    say("and got the semaphore");
    return msgctl(id, IPC_RMID, NULL) != 0 || semctl(set, 0, IPC_RMID) != 0;
}
