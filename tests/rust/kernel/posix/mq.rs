//! What a POSIX message queue does.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use madang::posix::mq::{self, Access, MAX_PRIORITY, Notify, Queue};
use madang::{Create, Deadline};
use madang_tests::{Checkpoint, Name, WATCHDOG, fork, open_descriptors, payload};

use super::{SIGNAL, VALUE, as_nobody, fails, on_signal};

fn new(name: &str, messages: u64, size: u64) -> Queue {
    Queue::options().max_messages(messages).max_message_size(size).create(Create::Only).open(name).unwrap()
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_millis(20))
}

#[test]
fn smoke() {
    let name = Name::new("mq");
    let queue = new(&name, 4, 100);
    assert!(queue.is_new() && queue.name() == &*name && queue.access() == Access::Both);
    assert_eq!((queue.max_messages(), queue.max_message_size()), (4, 100));
    queue.send(1, b"low").unwrap();
    queue.send(MAX_PRIORITY, b"high").unwrap();
    queue.send(1, b"low, later").unwrap();
    queue.send(0, b"").unwrap();
    let same = Queue::open(&name).unwrap();
    assert!(!same.is_new());
    let mut buffer = [0; 100];
    let received = same.recv_into(&mut buffer, Deadline::NEVER).unwrap();
    assert_eq!((received.priority, &buffer[..received.length]), (MAX_PRIORITY, &b"high"[..]));
    let rest: Vec<_> = (0..3).map(|_| same.recv().unwrap()).map(|m| (m.priority, m.data)).collect();
    assert_eq!(rest, [(1, b"low".to_vec()), (1, b"low, later".to_vec()), (0, vec![])]);
    fails(same.try_recv(), libc::EAGAIN, "only to try");
}

/// What the C functions make of it, and what we make of what they do.
#[test]
fn it_is_what_mq_open_makes() {
    let name = Name::new("mq-libc");
    let queue = new(&name, 3, 64);
    queue.send(5, b"ours").unwrap();
    let path = CString::new(format!("/{}", &*name)).unwrap();
    // SAFETY: the path is a C string; the buffers are valid for their lengths.
    unsafe {
        let theirs = libc::mq_open(path.as_ptr(), libc::O_RDWR);
        assert!(theirs >= 0);
        let mut attributes: libc::mq_attr = std::mem::zeroed();
        assert_eq!(libc::mq_getattr(theirs, &raw mut attributes), 0);
        assert_eq!((attributes.mq_maxmsg, attributes.mq_msgsize, attributes.mq_curmsgs), (3, 64, 1));
        let (mut buffer, mut priority) = ([0u8; 64], 0);
        assert_eq!(libc::mq_receive(theirs, buffer.as_mut_ptr().cast(), 64, &raw mut priority), 4);
        assert_eq!((&buffer[..4], priority), (&b"ours"[..], 5));
        assert_eq!(libc::mq_send(theirs, c"theirs".as_ptr(), 6, 9), 0);
        libc::mq_close(theirs);
    }
    let message = queue.try_recv().unwrap();
    assert_eq!((message.priority, &message.data[..]), (9, &b"theirs"[..]));
}

#[test]
fn its_mode_is_exact() {
    let name = Name::new("mq-mode");
    // In a child, so that no other test has this mask.
    fork(|| {
        // SAFETY: no memory is passed.
        unsafe { libc::umask(0o077) };
        let queue = Queue::options().mode(0o622).open(&name).unwrap();
        let status = queue.stat().unwrap();
        assert_eq!((status.mode, status.uid, status.gid), (0o622, 0, 0));
        0
    })
    .succeeds();
    assert_eq!(Queue::open(&name).unwrap().stat().unwrap().mode, 0o622, "seen from another process");
}

#[test]
fn stat() {
    let name = Name::new("mq-stat");
    let queue = new(&name, 3, 64);
    queue.send(5, b"12345").unwrap();
    queue.send(5, b"678").unwrap();
    let status = queue.stat().unwrap();
    assert_eq!((status.max_messages, status.max_message_size, status.messages), (3, 64, 2));
    assert_eq!((status.bytes, status.notified_pid, status.mode), (Some(8), Some(0), 0o600));
    let sender = Queue::options().access(Access::Send).open(&name).unwrap();
    assert_eq!(sender.stat().unwrap().bytes, None);
}

#[test]
fn defaults_are_the_machines() {
    let limit = |name| std::fs::read_to_string(format!("/proc/sys/fs/mqueue/{name}")).unwrap().trim().parse().unwrap();
    let name = Name::new("mq-default");
    let queue = Queue::open(&name).unwrap();
    assert_eq!(
        (queue.max_messages(), queue.max_message_size() as u64),
        (limit("msg_default"), limit("msgsize_default"))
    );
    Queue::unlink(&name).unwrap();
    let queue = Queue::options().max_messages(3).open(&name).unwrap();
    assert_eq!((queue.max_messages(), queue.max_message_size() as u64), (3, limit("msgsize_default")));
}

#[test]
fn timeout() {
    let name = Name::new("mq-time");
    let queue = new(&name, 1, 8);
    let begun = Instant::now();
    fails(queue.recv_until(soon()), libc::ETIMEDOUT, "recv: the time is over");
    assert!(begun.elapsed() >= Duration::from_millis(20));
    queue.send_until(0, b"full", soon()).unwrap();
    fails(queue.send_until(0, b"more", soon()), libc::ETIMEDOUT, "the time is over");
    fails(queue.try_send(0, b"more"), libc::EAGAIN, "send of 4 bytes");
    queue.recv_until(Deadline::at_ns(0)).expect("a last try");
    fails(queue.recv_until(Deadline::at_ns(0)), libc::ETIMEDOUT, "the time is over");
}

#[test]
fn processes_wait_for_each_other() {
    let name = Name::new("mq-processes");
    let queue = new(&name, 2, 64);
    let child = fork(|| {
        for index in 0..1000 {
            queue.send((index % 3) as u32, &payload(1, index, 20)).unwrap();
        }
        0
    });
    let mut seen = vec![false; 1000];
    for _ in 0..1000 {
        let message = queue.recv_until(Deadline::after(WATCHDOG)).unwrap();
        let (_, index) = madang_tests::origin(&message.data);
        assert_eq!(message.priority, (index % 3) as u32);
        assert!(!std::mem::replace(&mut seen[index as usize], true), "once");
    }
    child.succeeds();
}

/// A signal handler that runs while one sleeps is `EINTR`, whatever `SA_RESTART` says.
#[test]
fn interrupted() {
    let name = Name::new("mq-interrupted");
    let queue = new(&name, 1, 8);
    let interrupted = Checkpoint::default();
    let child = fork(|| {
        on_signal(libc::SIGUSR1);
        fails(queue.recv(), libc::EINTR, "a signal handler ran");
        interrupted.reach();
        i32::from(queue.recv().unwrap().data != b"at last")
    });
    child.wait_until_asleep();
    child.signal(libc::SIGUSR1);
    interrupted.wait();
    queue.send(0, b"at last").unwrap();
    child.succeeds();
}

#[test]
fn its_descriptor_can_be_polled() {
    let name = Name::new("mq-poll");
    let queue = new(&name, 1, 8);
    let ready = |events| {
        let mut poll = libc::pollfd { fd: queue.as_fd().as_raw_fd(), events, revents: 0 };
        // SAFETY: one valid pollfd.
        unsafe { libc::poll(&raw mut poll, 1, 0) == 1 }
    };
    assert!(!ready(libc::POLLIN) && ready(libc::POLLOUT));
    queue.send(0, b"full").unwrap();
    assert!(ready(libc::POLLIN) && !ready(libc::POLLOUT));
}

#[test]
fn who_is_registered_is_told_once() {
    let name = Name::new("mq-notify");
    let queue = new(&name, 4, 8);
    let (registered, told, again) = (Checkpoint::default(), Checkpoint::default(), Checkpoint::default());
    let wait_for_signal = || {
        let begun = Instant::now();
        while SIGNAL.load(Ordering::Relaxed) == 0 {
            assert!(begun.elapsed() < WATCHDOG, "no signal comes");
            std::thread::sleep(Duration::from_millis(1));
        }
        (SIGNAL.swap(0, Ordering::Relaxed), VALUE.load(Ordering::Relaxed))
    };
    let child = fork(|| {
        on_signal(libc::SIGUSR2);
        queue.notify(Notify::Signal { signal: libc::SIGUSR2, value: 42 }).unwrap();
        registered.reach();
        assert_eq!(wait_for_signal(), (libc::SIGUSR2, 42));
        // It is registered no more; now in no way.
        queue.notify(Notify::Nothing).unwrap();
        told.reach();
        again.wait();
        queue.cancel_notify().unwrap();
        assert_eq!(SIGNAL.load(Ordering::Relaxed), 0, "it was told but once");
        0
    });
    registered.wait();
    assert_eq!(queue.stat().unwrap().notified_pid, Some(child.id() as u32));
    fails(queue.notify(Notify::Nothing), libc::EBUSY, "a process is registered already");
    queue.send(0, b"1").unwrap();
    told.wait();
    queue.send(0, b"2").unwrap();
    again.reach();
    child.succeeds();
    assert_eq!(queue.stat().unwrap().notified_pid, Some(0));
    queue.notify(Notify::Nothing).unwrap();
    queue.cancel_notify().unwrap();
    queue.cancel_notify().expect("not registered: no matter");
    fails(queue.notify(Notify::Signal { signal: 1000, value: 0 }), libc::EINVAL, "there is no signal 1000");
}

/// Closing any handle takes it back; and one who waits in `recv` doesn't keep another from being told.
#[test]
fn what_a_registration_depends_on() {
    let name = Name::new("mq-registered");
    let queue = new(&name, 4, 8);
    let (registered, waits) = (Checkpoint::default(), Checkpoint::default());
    let told = fork(|| {
        queue.notify(Notify::Nothing).unwrap();
        drop(Queue::open(&name).unwrap());
        assert_eq!(queue.stat().unwrap().notified_pid, Some(0));
        on_signal(libc::SIGUSR2);
        queue.notify(Notify::Signal { signal: libc::SIGUSR2, value: 1 }).unwrap();
        registered.reach();
        let begun = Instant::now();
        while SIGNAL.load(Ordering::Relaxed) == 0 {
            assert!(begun.elapsed() < WATCHDOG, "no signal comes");
            std::thread::sleep(Duration::from_millis(1));
        }
        0
    });
    registered.wait();
    let receiver = fork(|| {
        waits.reach();
        i32::from(queue.recv().unwrap().data != b"for both")
    });
    waits.wait();
    receiver.wait_until_asleep();
    queue.send(0, b"for both").unwrap();
    receiver.succeeds();
    told.succeeds();
}

/// A descriptor is taken over with what it was opened for, and goes on not blocking.
#[test]
fn from_a_descriptor() {
    let name = Name::new("mq-fd");
    let queue = new(&name, 1, 8);
    let sender = Queue::options().access(Access::Send).open(&name).unwrap();
    let sender = Queue::try_from(OwnedFd::from(sender)).unwrap();
    assert_eq!((sender.access(), sender.name(), sender.max_message_size()), (Access::Send, "", 8));
    sender.send(3, b"by fd").unwrap();
    assert_eq!(queue.recv().unwrap().data, b"by fd");
    fails(Queue::try_from(OwnedFd::from(std::fs::File::open("/dev/null").unwrap())), libc::EBADF, "message queue");
}

/// Their file system can be mounted only by root, and is here for this process alone.
#[test]
fn list() {
    let name = Name::new("mq-list");
    let queue = new(&name, 4, 8);
    queue.send(0, b"12345").unwrap();
    fork(|| {
        // SAFETY: C strings, or null where that is allowed. (A thread may unshare this as well.)
        let mounted = unsafe {
            let none = std::ptr::null();
            libc::unshare(libc::CLONE_NEWNS) == 0
                && libc::mount(none, c"/".as_ptr(), none, libc::MS_REC | libc::MS_PRIVATE, none.cast()) == 0
                && libc::mount(c"none".as_ptr(), c"/dev".as_ptr(), c"tmpfs".as_ptr(), 0, none.cast()) == 0
        };
        if !mounted {
            eprintln!("mq::list: skipped: may not mount");
            return 0;
        }
        fails(mq::list(), libc::ENOENT, "mount -t mqueue none /dev/mqueue");
        std::fs::create_dir("/dev/mqueue").unwrap();
        fails(mq::list(), libc::ENOENT, "not mounted");
        // SAFETY: as above.
        let mounted =
            unsafe { libc::mount(c"none".as_ptr(), c"/dev/mqueue".as_ptr(), c"mqueue".as_ptr(), 0, std::ptr::null()) };
        if mounted != 0 {
            eprintln!("mq::list: skipped: may not mount mqueue");
            return 0;
        }
        let found = mq::list().unwrap();
        let mine = found.iter().find(|queue| queue.name == *name).unwrap();
        assert_eq!((mine.mode, mine.uid, mine.gid, mine.size), (0o600, 0, 0, Some(5)));
        0
    })
    .succeeds();
}

#[test]
fn create() {
    let name = Name::new("mq-create");
    fails(Queue::options().create(Create::Never).open(&name), libc::ENOENT, "there is none");
    let queue = new(&name, 2, 16);
    fails(Queue::options().create(Create::Only).open(&name), libc::EEXIST, "the name is taken");
    assert!(Queue::options().max_messages(2).max_message_size(16).open(&name).is_ok());
    fails(Queue::options().max_messages(3).open(&name), libc::EINVAL, "it holds 2 messages of 16 bytes");
    fails(Queue::options().max_message_size(17).open(&name), libc::EINVAL, "17 were asked for");
    Queue::unlink(&name).unwrap();
    fails(Queue::unlink(&name), libc::ENOENT, "there is none");
    // Who has it open goes on.
    queue.send(0, b"x").unwrap();
    assert_eq!(queue.recv().unwrap().data, b"x");
}

/// Many make it at the same time, all get the same one, and one made it.
#[test]
fn one_of_many_makes_it() {
    let name = Name::new("mq-race");
    let (go, made) = (Checkpoint::default(), Checkpoint::default());
    let children: Vec<_> = (0..4)
        .map(|_| {
            fork(|| {
                go.wait();
                let queue = Queue::options().max_messages(8).max_message_size(8).open(&name).unwrap();
                if queue.is_new() {
                    made.reach();
                }
                queue.send(0, b"here").unwrap();
                0
            })
        })
        .collect();
    (0..4).for_each(|_| go.reach());
    children.into_iter().for_each(madang_tests::Child::succeeds);
    made.wait();
    assert!(!made.wait_for(Duration::ZERO), "one made it");
    assert_eq!(Queue::open(&name).unwrap().stat().unwrap().messages, 4);
}

#[test]
fn bad_input() {
    let name = Name::new("mq-bad");
    for bad in ["", "a/b", "/a", ".", "..", "nul\0"] {
        fails(Queue::open(bad), libc::EINVAL, "name");
        fails(Queue::unlink(bad), libc::EINVAL, "name");
    }
    fails(Queue::open(&"n".repeat(256)), libc::ENAMETOOLONG, "255");
    fails(Queue::options().mode(0o10000).open(&name), libc::EINVAL, "permission bits");
    fails(Queue::options().max_messages(1 << 40).open(&name), libc::EINVAL, "msg_max");
    fails(Queue::options().max_message_size(u64::MAX).open(&name), libc::EINVAL, "msgsize_max");
    let queue = new(&name, 1, 8);
    fails(queue.send(MAX_PRIORITY + 1, b""), libc::EINVAL, "32767 at most");
    fails(queue.send(0, b"123456789"), libc::EMSGSIZE, "it has 8 at most");
    let error = queue.recv_into(&mut [0; 7], Deadline::NOW).unwrap_err();
    assert_eq!((error.errno(), error.length()), (libc::E2BIG, 8));
    let (sender, receiver) = (Access::Send, Access::Receive);
    let sender = Queue::options().access(sender).open(&name).unwrap();
    let receiver = Queue::options().access(receiver).open(&name).unwrap();
    fails(receiver.send(0, b""), libc::EBADF, "opened only to receive");
    fails(sender.try_recv(), libc::EBADF, "opened only to send");
    sender.send(0, b"ok").unwrap();
    assert_eq!(receiver.recv().unwrap().data, b"ok");
}

#[test]
fn limits_of_the_untrusted() {
    let name = Name::new("mq-limits");
    as_nobody(|| {
        fails(Queue::options().max_messages(60_000).open(&name), libc::EINVAL, "/proc/sys/fs/mqueue has msg_max");
        let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the limit is valid.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_MSGQUEUE, &raw const none) }, 0);
        fails(Queue::open(&name), libc::EMFILE, "RLIMIT_MSGQUEUE");
        0
    })
    .succeeds();
}

#[test]
fn no_permission() {
    let name = Name::new("mq-others");
    let queue = Queue::options().mode(0o602).max_message_size(8).open(&name).unwrap();
    as_nobody(|| {
        fails(Queue::open(&name), libc::EACCES, "does not permit this user");
        fails(Queue::unlink(&name), libc::EPERM, "only its owner may");
        // It may be written, though.
        Queue::options().access(Access::Send).open(&name).unwrap().send(1, b"allowed").unwrap();
        0
    })
    .succeeds();
    assert_eq!(queue.try_recv().unwrap().data, b"allowed");
}

#[test]
fn nothing_leaks() {
    let name = Name::new("mq-leaks");
    fork(|| {
        let before = open_descriptors();
        for _ in 0..10 {
            let queue = Queue::open(&name).unwrap();
            queue.stat().unwrap();
            // SAFETY: no memory is passed.
            let flags = unsafe { libc::fcntl(queue.as_fd().as_raw_fd(), libc::F_GETFD) };
            assert_eq!(flags, libc::FD_CLOEXEC);
            Queue::options().create(Create::Only).open(&name).unwrap_err();
            Queue::options().max_message_size(1 << 20).open(&name).unwrap_err();
        }
        assert_eq!(open_descriptors(), before);
        0
    })
    .succeeds();
}
