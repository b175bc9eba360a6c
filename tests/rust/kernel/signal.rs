//! Signals, between processes.

use std::os::fd::AsFd;
use std::time::Duration;

use madang::Deadline;
use madang::signal::{self, Descriptor, Info, Process, Set, Signal};
use madang_tests::{Checkpoint, WATCHDOG, alone, become_nobody, fork, open_descriptors};

fn soon() -> Deadline {
    Deadline::after(WATCHDOG)
}

fn shortly() -> Deadline {
    Deadline::after(Duration::from_millis(20))
}

fn errno<T>(result: madang::Result<T>) -> i32 {
    result.err().expect("it should have failed").errno()
}

fn says<T>(result: madang::Result<T>, number: i32, words: &str) {
    let error = result.err().expect("it should have failed");
    assert_eq!(error.errno(), number, "{error}");
    assert!(error.to_string().contains(words), "{words:?} is not in {error}");
}

fn me() -> i32 {
    std::process::id() as i32
}

fn uid() -> u32 {
    // SAFETY: no memory is passed.
    unsafe { libc::getuid() }
}

/// By pid and by pidfd, with a value and without, taken by wait and by descriptor.
#[test]
fn smoke() {
    let rt = Signal::rt(4).unwrap();
    for by_descriptor in [false, true] {
        let (ready, parent) = (Checkpoint::default(), me());
        let set = Set::of([Signal::USR1, Signal::USR2, rt]);
        // The child inherits the mask: no signal comes before it is blocked.
        let blocked = set.block().unwrap();
        let child = fork(|| {
            let descriptor = Descriptor::new(set).unwrap();
            let next = || if by_descriptor { descriptor.read_until(soon()) } else { set.wait_until(soon()) }.unwrap();
            let from_parent = |signal, code, value| Info { signal, code, pid: parent, uid: uid(), value, status: 0 };
            for (signal, code, value) in [
                (Signal::USR1, libc::SI_USER, 0),
                (Signal::USR2, libc::SI_QUEUE, -7),
                (Signal::USR1, libc::SI_USER, 0),
                (rt, libc::SI_QUEUE, 1),
            ] {
                assert_eq!(next(), from_parent(signal, code, value));
                ready.reach();
            }
            // Real-time signals queue.
            assert_eq!((next().value, next().value), (2, 3));
            0
        });
        let process = Process::open(child.id()).unwrap();
        signal::kill(child.id(), Signal::USR1).unwrap();
        ready.wait();
        signal::queue(child.id(), Signal::USR2, -7).unwrap();
        ready.wait();
        process.send(Signal::USR1).unwrap();
        ready.wait();
        process.queue(rt, 1).unwrap();
        ready.wait();
        process.queue(rt, 2).unwrap();
        process.queue(rt, 3).unwrap();
        drop(blocked);
        process.wait_until(soon()).unwrap();
        child.succeeds();
    }
}

#[test]
fn the_mask_is_a_guard() {
    alone(|| {
        let before = signal::blocked().unwrap();
        let outer = Set::from(Signal::USR1).block().unwrap();
        {
            let inner = Set::of([Signal::USR1, Signal::USR2]).block().unwrap();
            assert_eq!(inner.before(), Set::from(Signal::USR1));
            signal::kill(me(), Signal::USR2).unwrap();
            assert_eq!(signal::pending().unwrap(), Set::from(Signal::USR2));
            assert_eq!(Set::from(Signal::USR2).try_wait().unwrap().signal, Signal::USR2);
        }
        assert_eq!(signal::blocked().unwrap(), Set::from(Signal::USR1));
        drop(outer);
        assert_eq!(signal::blocked().unwrap(), before);
        // Another thread has its own.
        let _blocked = Set::from(Signal::USR1).block().unwrap();
        let inherits = std::thread::spawn(|| drop(Set::from(Signal::USR2).block().unwrap()));
        inherits.join().unwrap();
        assert_eq!(signal::blocked().unwrap(), Set::from(Signal::USR1));
    });
}

#[test]
fn timeout() {
    alone(|| {
        let set = Set::of([Signal::USR1]);
        let _blocked = set.block().unwrap();
        let descriptor = Descriptor::new(set).unwrap();
        assert_eq!(errno(set.try_wait()), libc::EAGAIN);
        says(set.wait_until(shortly()), libc::ETIMEDOUT, "wait for a signal");
        assert_eq!(errno(descriptor.try_read()), libc::EAGAIN);
        says(descriptor.read_until(shortly()), libc::ETIMEDOUT, "read a signal");
        let end = Checkpoint::default();
        let child = fork(|| {
            end.wait();
            0
        });
        let process = Process::open(child.id()).unwrap();
        assert_eq!(errno(process.try_wait()), libc::EAGAIN);
        assert_eq!(errno(process.wait_until(shortly())), libc::ETIMEDOUT);
        end.reach();
        process.wait_until(soon()).unwrap();
        child.succeeds();
    });
}

extern "C" fn nothing(_: libc::c_int) {}

/// The handler of another signal interrupts; it is not ours to hold back.
#[test]
fn interrupted() {
    alone(|| {
        let set = Set::of([Signal::USR1]);
        let _blocked = set.block().unwrap();
        // SAFETY: all-zero is a valid sigaction; the handler does nothing; the timer is valid.
        unsafe {
            libc::signal(libc::SIGALRM, nothing as *const () as usize);
            let often = libc::timeval { tv_sec: 0, tv_usec: 10_000 };
            let timer = libc::itimerval { it_interval: often, it_value: often };
            libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut());
        }
        says(set.wait(), libc::EINTR, "a signal handler ran");
        assert_eq!(errno(Descriptor::new(set).unwrap().read()), libc::EINTR);
        assert_eq!(errno(Process::open(me()).unwrap().wait()), libc::EINTR);
    });
}

#[test]
fn what_cannot_be_blocked() {
    for signal in [Signal::KILL, Signal::STOP] {
        let set = Set::of([Signal::USR1, signal]);
        says(set.block(), libc::EINVAL, "can't be blocked");
        says(set.wait(), libc::EINVAL, "can't be blocked");
        says(Descriptor::new(set), libc::EINVAL, "can't be blocked");
    }
    says(Set::default().block(), libc::EINVAL, "the set is empty");
    // What isn't blocked would be handled instead.
    says(Set::from(Signal::WINCH).wait(), libc::EINVAL, "this thread doesn't block SIGWINCH");
    says(Descriptor::new(Signal::WINCH.into()), libc::EINVAL, "doesn't block SIGWINCH");
}

#[test]
fn refusals() {
    let child = fork(|| 0);
    let (id, process) = (child.id(), Process::open(child.id()).unwrap());
    process.wait_until(soon()).unwrap();
    child.succeeds();
    // Whoever gets the id next, it isn't him.
    says(process.send(Signal::KILL), libc::ESRCH, "no such process");
    says(process.queue(Signal::KILL, 1), libc::ESRCH, "no such process");
    says(Process::open(id), libc::ESRCH, &format!("open process {id}"));
    says(signal::kill(id, Signal::USR1), libc::ESRCH, "no such process");
    says(signal::queue(id, Signal::USR1, 1), libc::ESRCH, "no such process");
    for pid in [0, -1, i32::MIN] {
        says(signal::kill(pid, Signal::USR1), libc::EINVAL, "greater than 0");
        says(signal::queue(pid, Signal::USR1, 1), libc::EINVAL, "greater than 0");
        says(Process::open(pid), libc::EINVAL, "greater than 0");
    }
    says(signal::kill_group(1, Signal::USR1), libc::EINVAL, "greater than 1");
    for number in [-1, 0, 32, 33, 65] {
        says(Signal::new(number), libc::EINVAL, "there are 1 to 31");
    }
}

#[test]
fn another_users() {
    let end = Checkpoint::default();
    let target = fork(|| {
        end.wait();
        0
    });
    let process = Process::open(target.id()).unwrap();
    let nobody = fork(|| {
        become_nobody();
        for refused in [
            signal::kill(target.id(), Signal::USR1),
            signal::queue(target.id(), Signal::USR1, 1),
            process.send(Signal::USR1),
            process.queue(Signal::USR1, 1),
        ] {
            says(refused, libc::EPERM, "another user");
        }
        0
    });
    nobody.succeeds();
    end.reach();
    target.succeeds();
}

#[test]
fn a_group() {
    let ready = Checkpoint::default();
    let leader = fork(|| {
        let set = Set::from(Signal::TERM);
        let _blocked = set.block().unwrap();
        // SAFETY: no memory is passed.
        unsafe { libc::setpgid(0, 0) };
        let member = fork(|| set.wait_until(soon()).map_or(1, |_| 0));
        ready.reach();
        set.wait_until(soon()).unwrap();
        member.succeeds();
        0
    });
    ready.wait();
    signal::kill_group(leader.id(), Signal::TERM).unwrap();
    leader.succeeds();
}

#[test]
fn of_a_child() {
    alone(|| {
        let set = Set::from(Signal::CHLD);
        let _blocked = set.block().unwrap();
        let child = fork(|| 7);
        let info = set.wait_until(soon()).unwrap();
        assert_eq!((info.code, info.pid, info.status), (libc::CLD_EXITED, child.id(), 7));
        assert_eq!(child.wait_for(WATCHDOG), 7);
    });
}

#[test]
fn names() {
    for (text, shown) in [
        ("SIGUSR1", "SIGUSR1"),
        ("TERM", "SIGTERM"),
        ("10", "SIGUSR1"),
        ("SIGRTMIN", "SIGRTMIN"),
        ("SIGRTMIN+3", "SIGRTMIN+3"),
        ("RTMAX-30", "SIGRTMIN"),
        ("SIGPOLL", "SIGIO"),
    ] {
        assert_eq!(text.parse::<Signal>().unwrap().to_string(), shown, "{text}");
    }
    for number in (1..=31).chain(34..=64) {
        let signal = Signal::new(number).unwrap();
        assert_eq!(signal.to_string().parse::<Signal>().unwrap(), signal);
    }
    for text in ["", "SIG", "usr1", "SIGNONE", "SIGRTMIN+31", "SIGRTMIN-1", "SIGRTMAX+1", "0", "33", "-9", "SIGRTMIN3"]
    {
        assert_eq!(errno(text.parse::<Signal>()), libc::EINVAL, "{text}");
    }
    assert_eq!(Signal::rt(0).unwrap().number(), libc::SIGRTMIN());
    assert_eq!(Signal::rt(30).unwrap().number(), libc::SIGRTMAX());
    assert_eq!(errno(Signal::rt(31)), libc::EINVAL);
    let set = Set::from_bits(u64::MAX);
    assert_eq!((set.iter().count(), Set::from_bits(set.bits())), (62, set));
}

/// The descriptors are close-on-exec, can be polled, and don't leak.
#[test]
fn descriptors() {
    alone(|| {
        let before = open_descriptors();
        let set = Set::from(Signal::USR1);
        let _blocked = set.block().unwrap();
        {
            let (descriptor, process) = (Descriptor::new(set).unwrap(), Process::open(me()).unwrap());
            for fd in [descriptor.as_fd(), process.as_fd()] {
                use std::os::fd::AsRawFd;
                // SAFETY: no memory is passed.
                assert_eq!(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFD) }, libc::FD_CLOEXEC);
            }
            let is_readable = || {
                use std::os::fd::AsRawFd;
                let mut poll = libc::pollfd { fd: descriptor.as_fd().as_raw_fd(), events: libc::POLLIN, revents: 0 };
                // SAFETY: one valid pollfd.
                unsafe { libc::poll(&raw mut poll, 1, 0) == 1 }
            };
            assert!(!is_readable());
            process.send(Signal::USR1).unwrap();
            assert!(is_readable());
            descriptor.try_read().unwrap();
            assert!(!is_readable());
        }
        assert_eq!(open_descriptors(), before);
    });
}
