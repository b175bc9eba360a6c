//! Files that are no queue, or no set of semaphores, or no longer: an error, never a fault or a hang.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::time::Duration;

use madang::{Deadline, Operation, Queue, Select, SemaphoreSet};
use madang_tests::{Name, Random, WATCHDOG, fork};

fn file(name: &Name) -> File {
    OpenOptions::new().read(true).write(true).open(name.queue_path()).unwrap()
}

fn errno_of_open(name: &Name) -> i32 {
    let error = Queue::open(name).expect_err("it must be refused");
    assert!(error.message().len() > 20, "a sentence, not {:?}", error.message());
    error.errno()
}

#[test]
fn no_queue_at_all() {
    let name = Name::new("no-queue");
    for content in [&b""[..], b"some text", &[0; 4096], &[0xff; 200_000]] {
        fs::write(name.queue_path(), content).unwrap();
        assert_eq!(errno_of_open(&name), libc::EUCLEAN);
    }
}

#[test]
fn another_kind_layout_or_byte_order() {
    let name = Name::new("other");
    Queue::open(&name).unwrap().send(1, b"kept").unwrap();
    // docs/layout.md: magic at 0, layout at 8, byte order at 12, kind at 16, slots at 20, size at 24.
    for (offset, value, errno) in [
        (0, 1u32, libc::EUCLEAN),
        (8, 2, libc::EPROTO),
        (12, 0x0403_0201, libc::EPROTO),
        (16, 99, libc::EPROTOTYPE),
        (20, 0, libc::EUCLEAN),
        (20, u32::MAX, libc::EUCLEAN),
        (24, 12345, libc::EUCLEAN),
        (32, 12345, libc::EUCLEAN),
        (48, 12345, libc::EUCLEAN),
    ] {
        let mut before = [0; 4];
        file(&name).read_exact_at(&mut before, offset).unwrap();
        file(&name).write_all_at(&value.to_ne_bytes(), offset).unwrap();
        assert_eq!(errno_of_open(&name), errno, "offset {offset}");
        file(&name).write_all_at(&before, offset).unwrap();
    }
    assert_eq!(Queue::open(&name).unwrap().recv(Select::Any).unwrap().data, b"kept");
}

#[test]
fn another_length() {
    let name = Name::new("length");
    drop(Queue::open(&name).unwrap());
    let length = file(&name).metadata().unwrap().len();
    for other in [0, 100, 4096, 65_536, length - 1, length + 1, 2 * length] {
        file(&name).set_len(other).unwrap();
        assert_eq!(errno_of_open(&name), libc::EUCLEAN, "{other} bytes");
        let _ = Queue::unlink(&name);
        drop(Queue::open(&name).unwrap());
    }
}

/// Every byte of control lines, roster and rings may be anything, before and while it is used: errors or wrong messages, but no
/// fault, no hang past the deadline.
#[test]
fn scribbles() {
    for seed in 0..100 {
        let name = Name::new("scribbles");
        let child = fork(|| {
            let mut random = Random(seed);
            let queue = Queue::options().capacity(1 << random.below(18)).open(&name).unwrap();
            let file = file(&name);
            let mut buffer = vec![0; 1 << 18];
            for _ in 0..40 {
                for _ in 0..random.below(8) {
                    let length = random.below(queue.capacity().min(300) + 1) as usize;
                    let _ = queue.send_until(1, &buffer[..length], Deadline::INSTANT);
                }
                // Control lines from 512 to 1152, the roster from 4096, the near ring from 64 KiB (docs/layout.md).
                let offset = match random.below(3) {
                    0 => 512 + 4 * random.below(160),
                    1 => 4096 + 4 * random.below(64),
                    _ => (64 << 10) + 8 * random.below(300),
                };
                let value = match random.below(4) {
                    0 => 0,
                    1 => u64::MAX,
                    2 => random.below(1000),
                    _ => random.draw(),
                };
                file.write_all_at(&value.to_ne_bytes()[..4 + 4 * random.below(2) as usize], offset).unwrap();
                let wait = Deadline::after(Duration::from_millis(1 + random.below(15)));
                for _ in 0..4 {
                    let _ = queue.recv_into(Select::Any, &mut buffer, wait);
                    let _ = queue.send_until(1, b"x", wait);
                }
                let _ = queue.stat();
                if random.below(8) == 0 {
                    let _ = Queue::open(&name);
                }
            }
            0
        });
        assert_eq!(child.wait_for(WATCHDOG), 0, "seed {seed}");
    }
}

/// Counters that were scribbled tell nonsense, and no more: nothing is added up that could be too much.
#[test]
fn scribbled_counters() {
    let name = Name::new("scribbled-counters");
    let queue = Queue::options().capacity(1000).open(&name).unwrap();
    // All control lines, up to the block of System V's.
    file(&name).write_all_at(&[0xff; 3584 - 512], 512).unwrap();
    let _ = (queue.stat(), queue.len(), queue.participants());
    // Then none is locked.
    file(&name).write_all_at(&[0; 64], 640).unwrap();
    file(&name).write_all_at(&[0; 64], 768).unwrap();
    let _ = (queue.stat(), queue.try_send(1, b"x"), queue.try_recv(Select::Any), queue.trim());
}

/// Limits that were scribbled admit no more than those that the queue was made with.
#[test]
fn scribbled_limits_admit_no_more() {
    let name = Name::new("scribbled-limits");
    let queue = Queue::options().capacity(1000).max_messages(50).open(&name).unwrap();
    file(&name).write_all_at(&[0xff; 16], 512).unwrap();
    let error = loop {
        if let Err(error) = queue.try_send(1, &[1; 10]) {
            break error;
        }
    };
    assert_eq!((error.errno(), queue.len()), (libc::EAGAIN, 50), "{error}");
}

/// Every byte of a set of semaphores may be anything, before it is opened and while it is used: errors or wrong values, but no fault, no
/// hang past the deadline.
#[test]
fn scribbled_sets() {
    for seed in 0..60 {
        let name = Name::new("scribbled-sets");
        let child = fork(|| {
            let mut random = Random(seed);
            let options = SemaphoreSet::options().values(&[1, 0, 3]).max_participants(8).clone();
            let mut set = options.open(&name).unwrap();
            let path = format!("/dev/shm/madang.semaphores.{}", &*name);
            let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
            let length = file.metadata().unwrap().len();
            for _ in 0..30 {
                // Header and control lines, the roster from 4096, values, undoers and the journal's first records from 64 KiB, its others,
                // seats and undo (docs/layout.md).
                let offset = match random.below(8) {
                    0 => 4 * random.below(32),
                    1 | 2 => 512 + 4 * random.below(64),
                    3 => 4096 + 4 * random.below(64),
                    4 => (80 << 10) + 4 * random.below(1100),
                    5 => 4 * random.below(length / 4 - 1),
                    _ => (64 << 10) + 4 * random.below(150),
                };
                let value = match random.below(5) {
                    0 => 0,
                    1 => u64::MAX,
                    2 => random.below(10),
                    3 => random.below(1 << 34) << 30,
                    _ => random.draw(),
                };
                let bytes = value.to_ne_bytes();
                // A scribble may be anywhere, but makes the file no longer.
                file.write_all_at(&bytes[..(4 + 4 * random.below(2) as usize).min((length - offset) as usize)], offset)
                    .unwrap();
                if random.below(4) == 0
                    && let Ok(other) = options.open(&name)
                {
                    set = other;
                }
                let wait = Deadline::after(Duration::from_millis(1 + random.below(15)));
                for index in 0..3 {
                    let _ = set.operate_until(&[Operation::acquire(index, 1).undo()], wait);
                    let _ = set.operate_until(&[Operation::release(index, 1), Operation::zero(2)], wait);
                    let _ = set.operate_until(&[Operation::release(index, 2)], Deadline::INSTANT);
                }
                // What has no deadline of its own waits for a second at most.
                if random.below(10) == 0 {
                    let _ = (set.values(), set.waiting(1), set.set_value(2, 1), set.stat(), set.participants());
                }
            }
            0
        });
        assert_eq!(child.wait_for(6 * WATCHDOG), 0, "seed {seed}");
    }
}
