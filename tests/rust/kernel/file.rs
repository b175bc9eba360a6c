//! What files do: locks, mappings, replacement, following.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use madang::file::{self, File, Follow, Lock};
use madang::{Create, Deadline};
use madang_tests::{Checkpoint, Directory, WATCHDOG, alone, become_nobody, fork, open_descriptors};

const SHORT: Duration = Duration::from_millis(30);

fn soon() -> Deadline {
    Deadline::after(WATCHDOG)
}

fn errno<T: std::fmt::Debug>(result: madang::Result<T>) -> i32 {
    result.unwrap_err().errno()
}

/// A place for one, which is gone with the directory.
fn place() -> (Directory, PathBuf) {
    let directory = Directory::new("file");
    let path = directory.join("file");
    (directory, path)
}

#[test]
fn open_and_make() {
    let (directory, path) = place();
    assert_eq!(errno(File::options().create(Create::Never).open(&path)), libc::ENOENT);
    assert_eq!(errno(File::options().read_only(true).open(&path)), libc::ENOENT);
    let new = File::options().mode(0o642).length(10_000).open(&path).unwrap();
    assert!(new.is_new() && !new.is_read_only() && new.len().unwrap() == 10_000);
    let found = fs::metadata(&path).unwrap();
    assert_eq!((found.mode() & 0o7777, found.len()), (0o642, 10_000));
    assert!(found.blocks() * 512 >= 10_000, "its space is taken");
    assert!(!File::open(&path).unwrap().is_new());
    assert_eq!(errno(File::options().create(Create::Only).open(&path)), libc::EEXIST);
    assert_eq!(errno(File::options().mode(0o10000).open(&path)), libc::EINVAL);
    assert_eq!(errno(File::options().read_only(true).length(1).open(&path)), libc::EINVAL);
    assert_eq!(errno(File::open(&*directory)), libc::EISDIR);
    assert_eq!(errno(File::open("/dev/null")), libc::ENODEV);
    assert_eq!(errno(File::open(directory.join("no/where"))), libc::ENOENT);
    let link = directory.join("link");
    symlink(&path, &link).unwrap();
    assert_eq!(File::open(&link).unwrap().len().unwrap(), 10_000);
    assert_eq!(fs::read_dir(&*directory).unwrap().count(), 2, "nothing else is left");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(&*directory, fs::Permissions::from_mode(0o755)).unwrap();
    fork(|| {
        become_nobody();
        assert_eq!(errno(File::open(&path)), libc::EACCES);
        i32::from(errno(File::open(directory.join("new"))) != libc::EACCES)
    })
    .succeeds();
}

#[test]
fn locks_exclude() {
    let (_directory, path) = place();
    let (one, other) = (File::open(&path).unwrap(), File::open(&path).unwrap());
    let guard = one.try_lock(Lock::exclusive()).unwrap();
    assert_eq!(errno(other.try_lock(Lock::exclusive())), libc::EAGAIN);
    assert_eq!(errno(other.try_lock(Lock::shared().part(1 << 40, 1))), libc::EAGAIN);
    // A closed descriptor of the same file takes nothing along, as it does with the old locks.
    drop(fs::File::open(&path).unwrap());
    assert_eq!(errno(other.try_lock(Lock::shared())), libc::EAGAIN);
    guard.unlock();
    let shared = [one.try_lock(Lock::shared()).unwrap(), other.try_lock(Lock::shared()).unwrap()];
    assert_eq!(errno(File::open(&path).unwrap().try_lock(Lock::exclusive())), libc::EAGAIN);
    drop(shared);
    let parts = [
        one.try_lock(Lock::exclusive().part(0, 10)).unwrap(),
        other.try_lock(Lock::exclusive().part(10, 10)).unwrap(),
        one.try_lock(Lock::exclusive().part(20, 10)).unwrap(),
        one.try_lock(Lock::exclusive().part(30, 0)).unwrap(),
    ];
    assert_eq!(errno(one.try_lock(Lock::shared().part(29, 1))), libc::EAGAIN, "by the same handle");
    assert_eq!(errno(one.try_lock(Lock::shared().part(15, 1))), libc::EAGAIN);
    assert_eq!(errno(other.try_lock(Lock::shared().part(1 << 40, 1))), libc::EAGAIN);
    drop(parts);
    drop(one.try_lock(Lock::exclusive()).unwrap());
}

#[test]
fn timeout_and_other_processes() {
    let (_directory, path) = place();
    let file = File::open(&path).unwrap();
    let (locked, unlock) = (Checkpoint::default(), Checkpoint::default());
    let child = fork(|| {
        let file = File::open(&path).unwrap();
        let _guard = file.lock(Lock::exclusive().part(100, 50)).unwrap();
        locked.reach();
        unlock.wait();
        0
    });
    locked.wait();
    let begun = Instant::now();
    assert_eq!(errno(file.lock_until(Lock::shared(), Deadline::after(SHORT))), libc::ETIMEDOUT);
    assert!(begun.elapsed() >= SHORT);
    let holder = file.holder(Lock::exclusive()).unwrap().unwrap();
    assert_eq!((holder.shared, holder.start, holder.length), (false, 100, 50));
    assert_eq!(holder.pids, [child.id() as u32]);
    assert_eq!(file.holder(Lock::exclusive().part(0, 100)).unwrap(), None);
    unlock.reach();
    drop(file.lock_until(Lock::exclusive(), soon()).unwrap());
    child.succeeds();
    assert_eq!(file.holder(Lock::exclusive()).unwrap(), None);
}

/// The untimed wait, in the kernel: both for another process and for another thread with the same handle.
#[test]
fn an_untimed_wait_ends_when_it_can() {
    let (_directory, path) = place();
    let file = File::open(&path).unwrap();
    let guard = file.lock(Lock::exclusive()).unwrap();
    let waits = fork(|| {
        drop(File::open(&path).unwrap().lock(Lock::exclusive()).unwrap());
        0
    });
    waits.wait_until_asleep();
    drop(guard);
    waits.succeeds();
    let guard = file.lock(Lock::exclusive()).unwrap();
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| drop(file.lock(Lock::shared()).unwrap()));
        std::thread::sleep(SHORT);
        assert!(!waits.is_finished());
        drop(guard);
    });
}

#[test]
fn a_dead_holder_holds_nothing() {
    let (_directory, path) = place();
    let locked = Checkpoint::default();
    let child = fork(|| {
        let file = File::open(&path).unwrap();
        let _guard = file.lock(Lock::exclusive()).unwrap();
        locked.reach();
        std::thread::sleep(WATCHDOG);
        1
    });
    locked.wait();
    let file = File::open(&path).unwrap();
    assert_eq!(errno(file.try_lock(Lock::exclusive())), libc::EAGAIN);
    child.kill();
    drop(file.lock_until(Lock::exclusive(), soon()).unwrap());
}

/// A child's handle is its own: it is kept out by what its parent holds, and unlocks nothing of it.
#[test]
fn fork_child() {
    let (_directory, path) = place();
    let file = File::open(&path).unwrap();
    let guard = std::cell::RefCell::new(Some(file.lock(Lock::exclusive()).unwrap()));
    let (dropped, unlocked) = (Checkpoint::default(), Checkpoint::default());
    let child = fork(|| {
        drop(guard.take());
        assert_eq!(errno(file.try_lock(Lock::shared())), libc::EAGAIN);
        assert_eq!(file.holder(Lock::shared()).unwrap().unwrap().length, 0);
        assert_eq!(errno(file.release(Lock::exclusive())), libc::EPERM);
        dropped.reach();
        unlocked.wait();
        let _mine = file.lock_until(Lock::exclusive(), soon()).unwrap();
        0
    });
    dropped.wait();
    assert_eq!(errno(File::open(&path).unwrap().try_lock(Lock::shared())), libc::EAGAIN, "the parent's is still there");
    drop(guard.take());
    unlocked.reach();
    child.succeeds();
}

/// Threads with one handle, and processes with their own: nobody else is in while one is.
#[test]
fn stress_a_counter() {
    const TIMES: u32 = 200;
    let (_directory, path) = place();
    let file = File::options().length(4).open(&path).unwrap();
    let inside = AtomicU32::new(0);
    let add = |file: &File, counter: &madang::Mapping| {
        for _ in 0..TIMES {
            let _guard = file.lock_until(Lock::exclusive(), soon()).unwrap();
            let mut value = [0; 4];
            counter.read(0, &mut value).unwrap();
            assert_eq!(inside.fetch_add(1, Ordering::Relaxed), 0);
            std::thread::yield_now();
            inside.fetch_sub(1, Ordering::Relaxed);
            counter.write(0, &(u32::from_ne_bytes(value) + 1).to_ne_bytes()).unwrap();
        }
    };
    let children: Vec<_> = (0..2)
        .map(|_| {
            fork(|| {
                let file = File::open(&path).unwrap();
                add(&file, &file.map().unwrap());
                0
            })
        })
        .collect();
    let counter = file.map().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| add(&file, &counter));
        }
    });
    children.into_iter().for_each(madang_tests::Child::succeeds);
    let mut value = [0; 4];
    counter.read(0, &mut value).unwrap();
    assert_eq!(u32::from_ne_bytes(value), 4 * TIMES);
}

#[test]
fn interrupted() {
    extern "C" fn nothing(_: i32) {}
    let (_directory, path) = place();
    let file = File::open(&path).unwrap();
    let _guard = file.lock(Lock::exclusive()).unwrap();
    let mut follow = Follow::from_end(&path).unwrap();
    for number in 0..2 {
        let ready = Checkpoint::default();
        let child = fork(|| {
            // SAFETY: a handler that does nothing.
            unsafe { libc::signal(libc::SIGUSR1, nothing as extern "C" fn(i32) as libc::sighandler_t) };
            ready.reach();
            let other = File::open(&path).unwrap();
            let failed = if number == 0 {
                errno(other.lock_until(Lock::exclusive(), soon()))
            } else {
                errno(follow.read(&mut [0]))
            };
            i32::from(failed != libc::EINTR)
        });
        ready.wait();
        let begun = Instant::now();
        while child.state() != 'Z' && begun.elapsed() < WATCHDOG {
            child.signal(libc::SIGUSR1);
            std::thread::sleep(Duration::from_millis(1));
        }
        child.succeeds();
    }
}

#[test]
fn bad_locks() {
    let (_directory, path) = place();
    drop(File::open(&path).unwrap());
    let file = File::options().read_only(true).open(&path).unwrap();
    assert_eq!(errno(file.try_lock(Lock::exclusive())), libc::EBADF);
    drop(file.try_lock(Lock::shared()).unwrap());
    assert_eq!(errno(file.try_lock(Lock::shared().part(u64::MAX, 1))), libc::EINVAL);
    assert_eq!(errno(file.try_lock(Lock::shared().part(1, u64::MAX))), libc::EINVAL);
    assert_eq!(errno(file.holder(Lock::shared().part(i64::MAX as u64, 1))), libc::EINVAL);
    assert_eq!(errno(file.release(Lock::shared())), libc::EPERM);
}

#[test]
fn mapped_and_grown() {
    let (_directory, path) = place();
    let file = File::open(&path).unwrap();
    assert_eq!(errno(file.map()), libc::EINVAL, "there is nothing");
    assert_eq!(file.grow(10_000).unwrap(), 10_000);
    assert_eq!(file.grow(5_000).unwrap(), 10_000, "it never shrinks");
    let first = file.map().unwrap();
    assert_eq!((first.len(), first.is_writable()), (10_000, true));
    first.write(9_990, b"0123456789").unwrap();
    first.sync().unwrap();
    first.sync_part(9_995, 5).unwrap();
    assert_eq!(errno(first.sync_part(9_995, 6)), libc::EINVAL);
    fork(|| {
        let mut bytes = [0; 10];
        File::open(&path).unwrap().map().unwrap().read(9_990, &mut bytes).unwrap();
        i32::from(&bytes != b"0123456789")
    })
    .succeeds();
    assert_eq!(&fs::read(&path).unwrap()[9_990..], b"0123456789");
    assert_eq!(file.grow(20_000).unwrap(), 20_000);
    let second = file.map().unwrap();
    second.write(19_999, b"!").unwrap();
    first.write(0, b"both see it").unwrap();
    let mut bytes = [0; 11];
    second.read(0, &mut bytes).unwrap();
    assert_eq!(&bytes, b"both see it");
    let part = file.map_part(8192, 100).unwrap();
    assert_eq!(part.len(), 100);
    assert_eq!(errno(file.map_part(100, 100)), libc::EINVAL);
    assert_eq!(errno(file.map_part(8192, 20_000)), libc::EINVAL);
    assert_eq!(errno(file.grow(u64::MAX)), libc::EFBIG);
    let read_only = File::options().read_only(true).open(&path).unwrap();
    assert_eq!(errno(read_only.map().unwrap().write(0, b"x")), libc::EACCES);
    assert_eq!(errno(read_only.grow(30_000)), libc::EACCES);
}

#[test]
fn replaced_at_once() {
    let (directory, path) = place();
    file::replace(&path, b"first").unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    let old = fs::read_to_string(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o624)).unwrap();
    let inode = fs::metadata(&path).unwrap().ino();
    file::replacement().keep_mode(true).mode(0o600).write(&path, b"second").unwrap();
    let found = fs::metadata(&path).unwrap();
    assert!(found.mode() & 0o7777 == 0o624 && found.ino() != inode);
    assert_eq!((old.as_str(), fs::read(&path).unwrap()), ("first", b"second".to_vec()));
    file::replacement().mode(0o666).write(&path, b"").unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o666, "no umask");
    let new = directory.join("new");
    file::replacement().keep_mode(true).mode(0o640).write(&new, b"x").unwrap();
    assert_eq!(fs::metadata(&new).unwrap().mode() & 0o7777, 0o640);
    assert_eq!(errno(file::replace(&*directory, b"x")), libc::EISDIR);
    assert_eq!(errno(file::replace(directory.join("no/where"), b"x")), libc::ENOENT);
    assert_eq!(errno(file::replace("..", b"x")), libc::EINVAL);
    assert_eq!(errno(file::replacement().mode(0o10000).write(&path, b"x")), libc::EINVAL);
    assert_eq!(fs::read_dir(&*directory).unwrap().count(), 2, "nothing else is left");
}

/// Whoever reads finds one of the two, whole.
#[test]
fn no_reader_sees_half_of_it() {
    let (_directory, path) = place();
    let contents = [vec![b'a'; 100_000], vec![b'b'; 50_000]];
    file::replace(&path, &contents[0]).unwrap();
    let stop = Checkpoint::default();
    let writer = fork(|| {
        let mut turn = 0;
        while !stop.wait_for(Duration::ZERO) {
            turn ^= 1;
            file::replace(&path, &contents[turn]).unwrap();
        }
        0
    });
    for _ in 0..300 {
        let found = fs::read(&path).unwrap();
        assert!(contents.contains(&found), "{} bytes", found.len());
    }
    stop.reach();
    writer.succeeds();
}

/// All that can be read now.
fn news(follow: &mut Follow) -> Vec<u8> {
    let (mut all, mut bytes) = (Vec::new(), [0; 1000]);
    while let Ok(read) = follow.try_read(&mut bytes) {
        all.extend_from_slice(&bytes[..read]);
    }
    all
}

#[test]
fn followed() {
    let (_directory, path) = place();
    assert_eq!(errno(Follow::from_start(&path)), libc::ENOENT);
    fs::write(&path, "old\n").unwrap();
    let (mut all, mut new) = (Follow::from_start(&path).unwrap(), Follow::from_end(&path).unwrap());
    assert_eq!((news(&mut all), news(&mut new)), (b"old\n".to_vec(), vec![]));
    let begun = Instant::now();
    assert_eq!(errno(new.read_until(&mut [0; 9], Deadline::after(SHORT))), libc::ETIMEDOUT);
    assert_eq!(errno(new.try_read(&mut [0; 9])), libc::EAGAIN);
    assert!(begun.elapsed() >= SHORT);
    let child = fork(|| {
        let mut bytes = [0; 100];
        let read = new.read_until(&mut bytes, soon()).unwrap();
        i32::from(&bytes[..read] != b"new\n")
    });
    child.wait_until_asleep();
    fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"new\n").unwrap();
    child.succeeds();
    assert_eq!((news(&mut all), all.restarts()), (b"new\n".to_vec(), 0));
    assert_eq!(all.read(&mut []).unwrap(), 0);
}

#[test]
fn followed_when_it_is_truncated_and_replaced() {
    let (directory, path) = place();
    fs::write(&path, "one two").unwrap();
    let mut follow = Follow::from_start(&path).unwrap();
    assert_eq!(news(&mut follow), b"one two");
    fs::write(&path, "three").unwrap(); // truncates
    assert_eq!((news(&mut follow), follow.restarts()), (b"three".to_vec(), 1));
    // As logrotate does; and who has the old one open writes a little more to it.
    let mut old = fs::OpenOptions::new().append(true).open(&path).unwrap();
    fs::rename(&path, directory.join("file.1")).unwrap();
    old.write_all(b" four").unwrap();
    assert_eq!(news(&mut follow), b" four", "nobody has the name now");
    old.write_all(b" five").unwrap();
    fs::write(&path, "six").unwrap();
    assert_eq!((news(&mut follow), follow.restarts()), (b" fivesix".to_vec(), 2));
    file::replace(&path, b"seven").unwrap();
    assert_eq!((news(&mut follow), follow.restarts()), (b"seven".to_vec(), 3));
    // It is woken by the new name, not only by what is written.
    let child = fork(|| {
        let mut bytes = [0; 100];
        let read = follow.read_until(&mut bytes, soon()).unwrap();
        i32::from(&bytes[..read] != b"eight")
    });
    child.wait_until_asleep();
    file::replace(&path, b"eight").unwrap();
    child.succeeds();
    assert_eq!(errno(Follow::from_start(&*directory)), libc::ENODEV);
    assert_eq!(errno(Follow::from_start("/dev/null")), libc::ENODEV);
}

#[test]
fn nothing_leaks() {
    let (directory, path) = place();
    alone(|| {
        // The first opens what all share.
        drop(File::open(&path).unwrap());
        let before = open_descriptors();
        for _ in 0..10 {
            let file = File::options().length(100).open(&path).unwrap();
            let _guard = file.lock(Lock::exclusive()).unwrap();
            assert!(File::open(&path).unwrap().try_lock(Lock::shared()).is_err());
            drop(file.map().unwrap());
            assert!(File::open("/dev/null").is_err());
            let mut follow = Follow::from_end(&path).unwrap();
            file::replace(&path, &[0; 200]).unwrap();
            assert_eq!(news(&mut follow).len(), 200);
            assert!(Follow::from_start(&*directory).is_err());
        }
        assert_eq!(open_descriptors(), before);
    });
}
