"""Who waits for signals, and who sends them, in Python: signal.py wait; signal.py send PID."""

import sys

import madang

RT = madang.signal.rt(5)


def wait():
    with madang.signal.block([RT, "SIGUSR1"]):
        print("ready", flush=True)
        for signal in (RT, RT, "SIGUSR1"):
            info = madang.signal.wait(signal, timeout=20)
            print(madang.signal.name(info.signal), info.value, info.pid)


def send(pid):
    with madang.signal.Process(pid) as process:
        process.queue(RT, 42)
        madang.signal.queue(pid, "SIGRTMIN+5", -1)
        process.send("SIGUSR1")


if __name__ == "__main__":
    wait() if sys.argv[1] == "wait" else send(int(sys.argv[2]))
