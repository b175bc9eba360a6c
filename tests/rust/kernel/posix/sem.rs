//! What a POSIX semaphore does.

use std::ffi::CString;
use std::sync::Arc;
use std::time::{Duration, Instant};

use madang::posix::sem::{self, ALIGNMENT, MAX_VALUE, SIZE, Semaphore};
use madang::posix::shm::Object;
use madang::{Create, Deadline, Segment};
use madang_tests::{Checkpoint, Name, WATCHDOG, fork, open_descriptors};

use super::{as_nobody, fails, on_signal};

fn new(name: &str, value: u32) -> Semaphore {
    Semaphore::options().value(value).create(Create::Only).open(name).unwrap()
}

fn in_time() -> Deadline {
    Deadline::after(WATCHDOG)
}

fn path(name: &str) -> String {
    format!("/dev/shm/sem.{name}")
}

#[test]
fn smoke() {
    let name = Name::new("sem");
    let semaphore = new(&name, 2);
    assert!(semaphore.is_new() && semaphore.name() == &*name && semaphore.offset() == 0);
    let same = Semaphore::options().value(9).open(&name).unwrap();
    assert!(!same.is_new());
    assert_eq!(same.value().unwrap(), 2, "it is left as it is");
    semaphore.wait().unwrap();
    same.try_wait().unwrap();
    fails(semaphore.try_wait(), libc::EAGAIN, "its value is 0");
    fails(semaphore.wait_until(Deadline::NOW), libc::EAGAIN, "only to try");
    same.post().unwrap();
    semaphore.wait_until(in_time()).unwrap();
    assert_eq!(semaphore.value().unwrap(), 0);
}

/// Byte for byte it is what sem_open makes.
#[test]
fn it_is_what_sem_open_makes() {
    let (ours, theirs) = (Name::new("sem-ours"), Name::new("sem-theirs"));
    let semaphore = new(&ours, 3);
    let open = |name: &str, flags| {
        let path = CString::new(format!("/{name}")).unwrap();
        // SAFETY: the path is a C string.
        let opened = unsafe { libc::sem_open(path.as_ptr(), flags, 0o600, 3) };
        assert!(opened != libc::SEM_FAILED, "{}", std::io::Error::last_os_error());
        opened
    };
    let made = open(&theirs, libc::O_CREAT | libc::O_EXCL);
    assert_eq!(std::fs::read(path(&ours)).unwrap(), std::fs::read(path(&theirs)).unwrap());
    let found = open(&ours, 0);
    // SAFETY: they are open semaphores, until they are closed.
    unsafe {
        assert_eq!((libc::sem_post(found), libc::sem_post(made)), (0, 0));
        assert_eq!((libc::sem_close(found), libc::sem_close(made)), (0, 0));
    }
    assert_eq!(semaphore.value().unwrap(), 4);
    assert_eq!(Semaphore::options().create(Create::Never).open(&theirs).unwrap().value().unwrap(), 4);
}

#[test]
fn its_mode_is_exact() {
    let name = Name::new("sem-mode");
    fork(|| {
        // SAFETY: no memory is passed.
        unsafe { libc::umask(0o077) };
        Semaphore::options().mode(0o666).value(7).open(&name).unwrap();
        0
    })
    .succeeds();
    let status = Semaphore::stat(&name).unwrap();
    assert_eq!((status.value, status.mode, status.uid, status.gid), (7, 0o666, 0, 0));
    let listed = sem::list().unwrap().into_iter().find(|semaphore| semaphore.name == *name).unwrap();
    assert_eq!((listed.mode, listed.uid, listed.size), (0o666, 0, Some(SIZE as u64)));
    Semaphore::unlink(&name).unwrap();
    fails(Semaphore::unlink(&name), libc::ENOENT, "there is none");
    fails(Semaphore::stat(&name), libc::ENOENT, "there is none");
}

/// Two processes take turns.
#[test]
fn ping_pong() {
    let (ping, pong) = (Name::new("sem-ping"), Name::new("sem-pong"));
    let (ping, pong) = (new(&ping, 0), new(&pong, 0));
    let child = fork(|| {
        for _ in 0..1000 {
            ping.wait_until(in_time()).unwrap();
            pong.post().unwrap();
        }
        0
    });
    for _ in 0..1000 {
        ping.post().unwrap();
        pong.wait_until(in_time()).unwrap();
    }
    child.succeeds();
    assert_eq!((ping.value().unwrap(), pong.value().unwrap()), (0, 0));
}

#[test]
fn timeout() {
    let name = Name::new("sem-time");
    let semaphore = new(&name, 0);
    let begun = Instant::now();
    let soon = Deadline::after(Duration::from_millis(20));
    fails(semaphore.wait_until(soon), libc::ETIMEDOUT, "the time is over");
    assert!(begun.elapsed() >= Duration::from_millis(20));
    fails(semaphore.wait_until(Deadline::at_ns(0)), libc::ETIMEDOUT, "the time is over");
    semaphore.post().unwrap();
    semaphore.wait_until(Deadline::at_ns(0)).expect("a last try");
}

#[test]
fn interrupted() {
    let name = Name::new("sem-interrupted");
    let semaphore = new(&name, 0);
    let interrupted = Checkpoint::default();
    let child = fork(|| {
        on_signal(libc::SIGUSR1);
        fails(semaphore.wait(), libc::EINTR, "nothing was taken");
        interrupted.reach();
        fails(semaphore.wait_until(in_time()), libc::EINTR, "a signal handler ran");
        interrupted.reach();
        semaphore.wait().unwrap();
        0
    });
    for _ in 0..2 {
        child.wait_until_asleep();
        child.signal(libc::SIGUSR1);
        interrupted.wait();
    }
    semaphore.post().unwrap();
    child.succeeds();
}

#[test]
fn capacity() {
    let name = Name::new("sem-most");
    let semaphore = new(&name, MAX_VALUE);
    fails(semaphore.post(), libc::EOVERFLOW, "2147483647, the greatest");
    assert_eq!(semaphore.value().unwrap(), MAX_VALUE);
    semaphore.wait().unwrap();
    semaphore.post().unwrap();
    fails(Semaphore::options().value(MAX_VALUE + 1).open(&name), libc::EINVAL, "2147483647 at most");
}

/// Who is killed keeps what he took, as the documentation says.
#[test]
fn owner_died() {
    let name = Name::new("sem-died");
    let semaphore = new(&name, 1);
    let taken = Checkpoint::default();
    let child = fork(|| {
        semaphore.wait().unwrap();
        taken.reach();
        loop {
            std::thread::park();
        }
    });
    taken.wait();
    child.kill();
    assert_eq!(semaphore.value().unwrap(), 0);
}

/// Unnamed, in memory that a child maps on its own; and it outlives the handle by which the memory was mapped.
#[test]
fn unnamed() {
    let name = Name::new("sem-unnamed");
    let memory = Arc::new(Object::options().size(4096).open(&name).unwrap().map(0, 0, true).unwrap());
    let ping = Semaphore::init_in(&memory, ALIGNMENT, 0).unwrap();
    let pong = Semaphore::init_in(&memory, 4096 - SIZE, 5).unwrap();
    assert!(ping.is_new() && ping.name().is_empty() && ping.offset() == ALIGNMENT);
    drop(memory);
    let child = fork(|| {
        let memory = Arc::new(Object::options().open(&name).unwrap().map(0, 0, true).unwrap());
        let ping = Semaphore::at(&memory, ALIGNMENT).unwrap();
        let pong = Semaphore::at(&memory, 4096 - SIZE).unwrap();
        assert!(!ping.is_new());
        ping.wait_until(in_time()).unwrap();
        pong.post().unwrap();
        0
    });
    ping.post().unwrap();
    child.succeeds();
    assert_eq!((ping.value().unwrap(), pong.value().unwrap()), (0, 6));
}

#[test]
fn unnamed_in_a_segment() {
    let name = Name::new("sem-segment");
    let segment = Arc::new(Segment::options().length(100).open(&name).unwrap());
    let semaphore = Semaphore::init_in(&segment, 64, 0).unwrap();
    fork(|| {
        let segment = Arc::new(Segment::options().open(&name).unwrap());
        Semaphore::at(&segment, 64).unwrap().post().unwrap();
        0
    })
    .succeeds();
    semaphore.wait_until(in_time()).unwrap();
}

#[test]
fn bad_places() {
    let name = Name::new("sem-place");
    let object = Object::options().size(100).open(&name).unwrap();
    let memory = Arc::new(object.map(0, 0, true).unwrap());
    for (offset, words) in
        [(1, "multiple of"), (100, "don't lie within"), (72, "don't lie within"), (usize::MAX, "within")]
    {
        fails(Semaphore::init_in(&memory, offset, 0), libc::EINVAL, words);
        fails(Semaphore::at(&memory, offset), libc::EINVAL, words);
    }
    fails(Semaphore::init_in(&memory, 0, MAX_VALUE + 1), libc::EINVAL, "2147483647 at most");
    let memory = Arc::new(object.map(0, 0, false).unwrap());
    fails(Semaphore::at(&memory, 0), libc::EACCES, "read-only");
}

#[test]
fn bad_input() {
    for bad in ["", "a/b", "/a", ".", "..", "nul\0"] {
        fails(Semaphore::options().open(bad), libc::EINVAL, "name");
        fails(Semaphore::unlink(bad), libc::EINVAL, "name");
    }
    fails(Semaphore::options().open(&"n".repeat(252)), libc::ENAMETOOLONG, "251");
    let name = Name::new("sem-bad");
    fails(Semaphore::options().mode(0o10000).open(&name), libc::EINVAL, "permission bits");
    fails(Semaphore::options().create(Create::Never).open(&name), libc::ENOENT, "does not create it");
    let _semaphore = new(&name, 0);
    fails(Semaphore::options().create(Create::Only).open(&name), libc::EEXIST, "the name is taken");
    std::fs::write(path(&name), "short").unwrap();
    fails(Semaphore::options().open(&name), libc::EINVAL, "has 5 bytes: it is no semaphore");
}

#[test]
fn no_permission() {
    let name = Name::new("sem-others");
    let semaphore = Semaphore::options().mode(0o644).open(&name).unwrap();
    as_nobody(|| {
        fails(Semaphore::options().open(&name), libc::EACCES, "does not permit this user");
        fails(Semaphore::unlink(&name), libc::EPERM, "only the owner");
        0
    })
    .succeeds();
    drop(semaphore);
}

#[test]
fn nothing_leaks() {
    let name = Name::new("sem-leaks");
    fork(|| {
        let before = open_descriptors();
        for _ in 0..10 {
            Semaphore::options().open(&name).unwrap();
            Semaphore::options().create(Create::Only).open(&name).unwrap_err();
        }
        assert_eq!(open_descriptors(), before, "a handle needs none");
        0
    })
    .succeeds();
}
