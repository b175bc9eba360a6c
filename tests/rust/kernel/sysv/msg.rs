//! System V message queues.

use std::mem::MaybeUninit;
use std::time::{Duration, Instant};

use madang::sysv::Change;
use madang::sysv::msg::{Message, Queue};
use madang::{Deadline, Select};
use madang_tests::{Checkpoint, SysvKey, fork};

use super::{as_nobody, asleep, fails, interrupt, let_sigusr1_interrupt};

fn soon() -> Deadline {
    Deadline::after(Duration::from_millis(20))
}

fn message(mtype: i64, data: &[u8]) -> Message {
    Message { mtype, data: data.to_vec() }
}

/// What is sent is the kernel's own: another process receives it by the bare call.
#[test]
fn smoke() {
    let key = SysvKey::default();
    let queue = Queue::open(*key).unwrap();
    for length in [0, 1, 7, 100, 4096, 8191, 8192] {
        let bytes: Vec<u8> = (0..length).map(|at| at as u8).collect();
        queue.send(5, &bytes).unwrap();
        fork(|| {
            let mut raw = vec![0u64; 2 + length / 8];
            // SAFETY: there is room for the type and the bytes.
            let got = unsafe { libc::msgrcv(queue.id(), raw.as_mut_ptr().cast(), length, 0, 0) };
            let raw: Vec<u8> = raw.iter().flat_map(|word| word.to_ne_bytes()).collect();
            assert!(got == length as isize && raw[..8] == 5i64.to_ne_bytes() && raw[8..8 + length] == bytes);
            0
        })
        .succeeds();
        // And the other way round.
        let child = fork(|| Queue::from_id(queue.id()).unwrap().send(6, &bytes).map_or(1, |()| 0));
        assert_eq!(queue.recv(Select::Any).unwrap(), message(6, &bytes));
        child.succeeds();
    }
}

#[test]
fn select() {
    let key = SysvKey::default();
    let queue = Queue::open(*key).unwrap();
    let received = |select| {
        for mtype in [3, 1, 2, 3, i64::MAX] {
            queue.send(mtype, &mtype.to_ne_bytes()).unwrap();
        }
        let mut types = Vec::new();
        while let Ok(message) = queue.try_recv(select) {
            assert_eq!(message.data, message.mtype.to_ne_bytes());
            types.push(message.mtype);
        }
        while queue.try_recv(Select::Any).is_ok() {}
        types
    };
    assert_eq!(received(Select::Any), [3, 1, 2, 3, i64::MAX]);
    assert_eq!(received(Select::Type(3)), [3, 3]);
    assert_eq!(received(Select::UpTo(2)), [1, 2]);
    assert_eq!(received(Select::from_msgtyp(i64::MIN)), [1, 2, 3, 3, i64::MAX]);
    assert_eq!(received(Select::Except(3)), [1, 2, i64::MAX]);
    for select in [Select::Type(0), Select::Type(-1), Select::UpTo(0), Select::Except(0)] {
        fails(queue.try_recv(select), libc::EINVAL, "a message's type is greater than 0");
    }
    fails(queue.send(0, b""), libc::EINVAL, "type 0: a message's type is greater than 0");
    fails(queue.send(-3, b""), libc::EINVAL, "type -3");
}

#[test]
fn buffers() {
    let key = SysvKey::default();
    let queue = Queue::open(*key).unwrap();
    let mut buffer = [b'-'; 8];
    queue.send(4, b"0123456789").unwrap();
    let error = fails(
        queue.recv_into(Select::Any, &mut buffer, soon()),
        libc::E2BIG,
        "longer than the buffer's 8 bytes, and stays",
    );
    assert_eq!(error.length(), 0, "the kernel doesn't tell");
    assert_eq!(queue.stat().unwrap().messages, 1, "it stays");
    let mut cut = buffer.map(MaybeUninit::new);
    let got = queue.recv_cut(Select::Any, &mut cut, soon()).unwrap();
    // SAFETY: it was initialised before, and is by as much as was received.
    let cut = cut.map(|byte| unsafe { byte.assume_init() });
    assert_eq!((got.mtype, got.length, &cut), (4, 8, b"01234567"));
    assert_eq!(queue.stat().unwrap().messages, 0, "the rest is lost");
    queue.send(4, b"ab").unwrap();
    let got = queue.recv_into(Select::Any, &mut buffer, soon()).unwrap();
    assert_eq!((got.mtype, got.length, &buffer), (4, 2, b"ab------"));
    queue.send(4, b"").unwrap();
    assert_eq!(queue.recv_into(Select::Any, &mut [], soon()).unwrap().length, 0);

    // A buffer longer than what lies on the stack.
    let (long, mut buffer) = (vec![7; 8192], vec![0; 20_000]);
    queue.send(1, &long).unwrap();
    assert_eq!(queue.recv_into(Select::Any, &mut buffer, soon()).unwrap().length, 8192);
    assert!(buffer[..8192] == long && buffer[8192..].iter().all(|&byte| byte == 0));
}

#[test]
fn peek() {
    let key = SysvKey::default();
    let queue = Queue::open(*key).unwrap();
    fails(queue.peek(0), libc::EAGAIN, "there is no message at position 0");
    queue.send(2, b"first").unwrap();
    queue.send(1, b"second").unwrap();
    match queue.peek(1) {
        // As the brief of the kernel has it.
        Err(error) if error.errno() == libc::ENOSYS => return assert!(error.message().contains("CHECKPOINT_RESTORE")),
        outcome => assert_eq!(outcome.unwrap(), message(1, b"second")),
    }
    assert_eq!(queue.peek(0).unwrap(), message(2, b"first"));
    fails(queue.peek(2), libc::EAGAIN, "there is no message at position 2");
    fails(queue.peek(u64::MAX), libc::EAGAIN, "there is no message");
    fails(queue.peek_into(1, &mut [0; 3]), libc::E2BIG, "longer than the buffer's 3 bytes");
    let mut buffer = [0; 6];
    assert_eq!(queue.peek_into(1, &mut buffer).unwrap().length, 6);
    assert_eq!(&buffer, b"second");
    assert_eq!(queue.stat().unwrap().messages, 2, "they stay");
}

#[test]
fn timeout() {
    let key = SysvKey::default();
    let queue = Queue::open(*key).unwrap();
    fails(queue.try_recv(Select::Any), libc::EAGAIN, "it is empty");
    fails(queue.try_recv(Select::Type(3)), libc::EAGAIN, "it has no message of type 3");
    let begun = Instant::now();
    fails(
        queue.recv_until(Select::UpTo(3), soon()),
        libc::ETIMEDOUT,
        "no message of a type up to 3 came, and the time is over",
    );
    assert!(begun.elapsed() >= Duration::from_millis(20));
    fails(queue.recv_until(Select::Any, Deadline::at_ns(5)), libc::ETIMEDOUT, "");

    // Full: 16384 bytes by default.
    queue.set_capacity(100).unwrap();
    queue.send(1, &[0; 60]).unwrap();
    fails(queue.try_send(1, &[0; 60]), libc::EAGAIN, "it is full");
    fails(queue.send_until(1, &[0; 60], soon()), libc::ETIMEDOUT, "it stayed full, and the time is over");
    fails(queue.try_send(1, &[0; 101]), libc::EMSGSIZE, "where all may have 100 together");
    fails(queue.send_until(1, &[0; 101], soon()), libc::EMSGSIZE, "where all may have 100 together");
    fails(queue.send(1, &vec![0; 1 << 20]), libc::EMSGSIZE, "longer than the system's kernel.msgmax");
    queue.try_send(1, &[0; 40]).unwrap();
    assert_eq!(queue.stat().unwrap().bytes, 100);

    // What comes in time is received, and what gets room is sent.
    let ready = Checkpoint::default();
    let child = fork(|| {
        ready.wait();
        let queue = Queue::open(*key).unwrap();
        assert_eq!(queue.recv(Select::Any).unwrap().data.len(), 60);
        assert_eq!(queue.recv(Select::Any).unwrap().data.len(), 40);
        let late = Deadline::after(madang_tests::WATCHDOG);
        assert_eq!(queue.recv_until(Select::Type(9), late).unwrap().data, b"late");
        0
    });
    ready.reach();
    queue.send_until(9, b"late", Deadline::after(madang_tests::WATCHDOG)).unwrap();
    child.succeeds();
}

#[test]
fn capacity() {
    let key = SysvKey::default();
    let queue = Queue::options().mode(0o666).open(*key).unwrap();
    let most = madang::sysv::msg::limits().unwrap().capacity;
    assert_eq!(queue.stat().unwrap().capacity, most);
    // Root may, unless it is a container's that lacks the capability.
    if queue.set_capacity(most + 1).is_ok() {
        assert_eq!(queue.stat().unwrap().capacity, most + 1);
    }
    queue.set_capacity(10).unwrap();
    queue.change(Change::default().uid(super::NOBODY)).unwrap();
    as_nobody(|| {
        queue.set_capacity(most).unwrap();
        fails(queue.set_capacity(most + 1), libc::EPERM, "need CAP_SYS_RESOURCE: ask for less, or raise kernel.msgmnb");
    });
    let told = queue.stat().unwrap();
    assert_eq!((told.capacity, told.permissions.uid, told.permissions.mode), (most, super::NOBODY, 0o666));
}

/// Waits in each way, in a process of its own, until the queue is removed.
#[test]
fn removed_while_waiting() {
    for way in 0..4 {
        let key = SysvKey::default();
        let queue = Queue::open(*key).unwrap();
        queue.set_capacity(10).unwrap();
        if way >= 2 {
            queue.send(1, &[0; 10]).unwrap();
        }
        let late = Deadline::after(madang_tests::WATCHDOG);
        let child = asleep(|| {
            let outcome = match way {
                0 => queue.recv(Select::Any).map(drop),
                1 => queue.recv_until(Select::Any, late).map(drop),
                2 => queue.send(1, b"x"),
                _ => queue.send_until(1, b"x", late),
            };
            fails(outcome, libc::EIDRM, "it was removed");
            0
        });
        queue.remove().unwrap();
        child.succeeds();
        fails(queue.try_recv(Select::Any), libc::EIDRM, "it was removed");
        fails(queue.send(1, b""), libc::EIDRM, "it was removed");
        fails(queue.peek(0), libc::EIDRM, "it was removed");
    }
}

#[test]
fn interrupted() {
    let key = SysvKey::default();
    let queue = Queue::open(*key).unwrap();
    for timed in [false, true] {
        let begun = Checkpoint::default();
        let child = fork(|| {
            let_sigusr1_interrupt();
            begun.reach();
            let late = Deadline::after(madang_tests::WATCHDOG);
            let outcome = if timed { queue.recv_until(Select::Any, late) } else { queue.recv(Select::Any) };
            fails(outcome, libc::EINTR, "a signal handler ran while waiting");
            0
        });
        begun.wait();
        interrupt(child);
    }
    queue.send(1, b"nothing was lost").unwrap();
    assert_eq!(queue.try_recv(Select::Any).unwrap().data, b"nothing was lost");
}

#[test]
fn permissions() {
    let key = SysvKey::default();
    let queue = Queue::options().mode(0o604).open(*key).unwrap();
    queue.send(1, b"for all").unwrap();
    as_nobody(|| {
        let queue = Queue::open(*key).unwrap();
        fails(queue.try_send(1, b""), libc::EACCES, "send to message queue");
        assert_eq!(queue.recv(Select::Any).unwrap().data, b"for all");
    });
    queue.change(Change::default().mode(0o602)).unwrap();
    as_nobody(|| {
        let queue = Queue::from_id(queue.id()).unwrap();
        queue.try_send(1, b"from nobody").unwrap();
        fails(queue.try_recv(Select::Any), libc::EACCES, "its mode does not permit it");
        fails(queue.stat(), libc::EACCES, "its mode does not permit it");
    });
    assert_eq!(queue.recv(Select::Any).unwrap().data, b"from nobody");
}

#[test]
fn stat() {
    let key = SysvKey::default();
    let before = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs().cast_signed();
    let queue = Queue::open(*key).unwrap();
    let new = queue.stat().unwrap();
    assert_eq!((new.id, new.messages, new.bytes, new.sent_at, new.received_at), (queue.id(), 0, 0, 0, 0));
    assert_eq!((new.last_sender, new.last_receiver), (0, 0));
    assert!(new.changed_at >= before);
    queue.send(1, b"12345").unwrap();
    queue.send(1, b"123").unwrap();
    let child = fork(|| i32::from(queue.recv(Select::Any).is_err()));
    let pid = child.id();
    child.succeeds();
    let told = queue.stat().unwrap();
    assert_eq!((told.messages, told.bytes), (1, 3));
    assert_eq!((told.last_sender, told.last_receiver), (std::process::id().cast_signed(), pid));
    assert!(told.sent_at >= before && told.received_at >= told.sent_at);
}

/// A message goes to one of those who receive, whole.
#[test]
fn mpmc() {
    let key = SysvKey::default();
    let queue = Queue::open(*key).unwrap();
    let senders: Vec<_> = (0..2u32)
        .map(|sender| {
            fork(|| {
                (0..500).for_each(|index| {
                    queue.send(1, &madang_tests::payload(sender, index, 12 + index as usize)).unwrap();
                });
                0
            })
        })
        .collect();
    let mut next = [0; 2];
    for _ in 0..1000 {
        let late = Deadline::after(madang_tests::WATCHDOG);
        let (sender, index) = madang_tests::origin(&queue.recv_until(Select::Any, late).unwrap().data);
        assert_eq!(index, next[sender as usize]);
        next[sender as usize] += 1;
    }
    senders.into_iter().for_each(madang_tests::Child::succeeds);
}
