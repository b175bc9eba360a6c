/* Who waits for signals, and who sends them, in C: signal wait; signal send PID. */
#include <inttypes.h>
#include <madang.h>
#include <stdio.h>
#include <stdlib.h>

static int64_t must(int64_t returned)
{
    if (returned < 0) {
        fprintf(stderr, "%s\n", madang_last_error());
        exit(EXIT_FAILURE);
    }
    return returned;
}

static void wait_for_two(void)
{
    int rt = must(madang_signal_number("SIGRTMIN+5")), usr1 = must(madang_signal_number("SIGUSR1"));
    uint64_t set = madang_signal_set(rt) | madang_signal_set(usr1);
    must(madang_signal_block(set, NULL));
    printf("ready\n");
    fflush(stdout);
    for (int i = 0; i < 3; i++) {
        madang_signal_info info = {.struct_size = sizeof info};
        must(madang_signal_wait(madang_signal_set(i < 2 ? rt : usr1), &info, 0, 20000000000));
        printf("%s %d %d\n", madang_signal_name(info.signal), info.value, info.pid);
    }
}

static void send_two(int pid)
{
    madang_signal_process *process;
    must(madang_signal_process_open(pid, &process));
    must(madang_signal_process_queue(process, madang_signal_rt(5), 42));
    must(madang_signal_queue(pid, madang_signal_rt(5), -1));
    must(madang_signal_process_send(process, madang_signal_number("USR1")));
}

int main(int argc, char **argv)
{
    if (argc == 2)
        wait_for_two();
    else
        send_two(atoi(argv[2]));
    return 0;
}
