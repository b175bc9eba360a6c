//! What killed makers leave: found and swept, while nobody who is still at it is disturbed.

use std::fs::{self, File};
use std::os::unix::fs::chown;
use std::time::Duration;

use madang::{LeftOvers, Queue, Select};
use madang_tests::{Directory, Random, fork, lock_byte};

/// The byte that a maker keeps locked (`core/src/shared/object.rs`).
const MAKING: i64 = (1 << 62) - 1;

fn lock(file: &File) {
    lock_byte(file, MAKING);
}

/// How many, and how many of others; the bytes depend on the file system.
fn counts(found: LeftOvers) -> (u64, u64) {
    assert!(found.files > 0 || found.bytes == 0);
    (found.files, found.others)
}

#[test]
fn what_nobody_is_at_is_swept() {
    let directory = Directory::new("swept");
    let child = fork(|| {
        directory.becomes_madang_dir();
        let file = |name: &str| directory.join(name);
        Queue::open("whole").unwrap().send(1, b"kept").unwrap();
        fs::write(file("madang.new.0123456789abcdef"), [1; 100_000]).unwrap();
        // The second name of a whole one, whose maker died before he could take it away.
        fs::hard_link(file("madang.queue.whole"), file("madang.new.fedcba9876543210")).unwrap();
        fs::write(file("madang.new.1111111111111111"), "being made").unwrap();
        let being_made = File::options().write(true).open(file("madang.new.1111111111111111")).unwrap();
        lock(&being_made);
        for other in ["madang.new.notes", "madang.new.0123456789abcdef0", "new.0123456789abcdef"] {
            fs::write(file(other), "not madang's").unwrap();
        }
        fs::create_dir(file("madang.new.2222222222222222")).unwrap();

        assert_eq!(counts(madang::left_overs().unwrap()), (2, 0));
        let swept = madang::gc().unwrap();
        assert_eq!(counts(swept), (2, 0));
        assert!((100_000..200_000).contains(&swept.bytes), "{swept:?}");
        assert_eq!(counts(madang::gc().unwrap()), (0, 0));
        assert!(file("madang.new.1111111111111111").exists() && file("madang.new.notes").exists());
        assert_eq!(Queue::open("whole").unwrap().try_recv(Select::Any).unwrap().data, b"kept");
        drop(being_made);
        assert_eq!(counts(madang::gc().unwrap()), (1, 0));
        0
    });
    child.succeeds();
}

#[test]
fn other_users_are_left_alone() {
    let directory = Directory::new("others");
    let child = fork(|| {
        directory.becomes_madang_dir();
        let file = directory.join("madang.new.0123456789abcdef");
        fs::write(&file, "").unwrap();
        // SAFETY: no memory is passed.
        if chown(&*directory, Some(65_534), None).is_err() || unsafe { libc::setuid(65_534) } != 0 {
            return 0;
        }
        assert_eq!(counts(madang::gc().unwrap()), (0, 1));
        i32::from(!file.exists())
    });
    child.succeeds();
}

/// Without `/proc` objects are made under temporary names. While some make and remove them, others are killed at it, and one sweeps:
/// nobody who lives fails, and in the end nothing is left.
#[test]
fn makers_are_swept_away_only_when_they_are_dead() {
    let directory = Directory::new("makers");
    let child = fork(|| {
        directory.becomes_madang_dir();
        let none = std::ptr::null();
        // SAFETY: all strings are C strings.
        unsafe {
            libc::unshare(libc::CLONE_NEWNS);
            libc::mount(c"none".as_ptr(), c"/".as_ptr(), none, libc::MS_REC | libc::MS_PRIVATE, none.cast());
            let tmpfs = c"tmpfs".as_ptr();
            if libc::mount(tmpfs, c"/proc".as_ptr(), tmpfs, 0, none.cast()) != 0 {
                println!("not permitted to mount; nothing was tested");
                return 0;
            }
        }
        let make = |name: &str, times: u32| {
            for _ in 0..times {
                Queue::options().capacity(100).max_participants(1).open(name).unwrap();
                Queue::unlink(name).unwrap();
            }
            0
        };
        let lives = fork(|| make("lives", 300));
        let mut random = Random(1);
        let mut swept = 0;
        for _ in 0..200 {
            let dies = fork(|| make("dies", u32::MAX));
            std::thread::sleep(Duration::from_micros(random.below(3000)));
            dies.kill();
            let _ = Queue::unlink("dies");
            swept += madang::gc().unwrap().files;
        }
        lives.succeeds();
        swept += madang::gc().unwrap().files;
        let left: Vec<_> = fs::read_dir(&*directory).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
        assert!(swept > 0, "nobody was killed in the midst of it");
        0
    });
    assert_eq!(child.wait_for(6 * madang_tests::WATCHDOG), 0);
}
