//! Where one is not permitted: another user, a directory or a mount that can't be written, no `/proc`. Each operation on
//! each kind says so in words, and changes nothing.

use std::ffi::{CStr, CString};
use std::fs;
use std::os::unix::fs::PermissionsExt;

use madang::shared::sysv::{msg, sem, shm};
use madang::{
    Barrier, Condition, Create, Event, Mutex, Operation, Queue, Result, RwLock, Segment, Select, SemaphoreSet,
    SyncOptions,
};
use madang_tests::{Directory, Name, become_nobody, fork};

use super::holds;
use super::limits::all_of_it;

fn is_root() -> bool {
    // SAFETY: no memory is passed.
    unsafe { libc::geteuid() == 0 }
}

#[track_caller]
fn fails<T>(outcome: Result<T>, errno: i32) {
    let Err(error) = outcome else { panic!("it must be refused") };
    assert_eq!(error.errno(), errno, "{error}");
    assert!(error.message().len() > 20, "a sentence, not {error}");
}

/// One of each kind but a segment, which lies elsewhere.
fn make(mode: u32) -> (Queue, SemaphoreSet) {
    let sync = SyncOptions::default().mode(mode);
    let queue = Queue::options().mode(mode).open("q").unwrap();
    queue.try_send(1, b"kept").unwrap();
    let set = SemaphoreSet::options().mode(mode).values(&[2]).open("s").unwrap();
    Mutex::open_with("k", sync).unwrap();
    RwLock::open_with("k", sync).unwrap();
    Condition::open_with("k", sync).unwrap();
    Barrier::open_with("k", sync).unwrap();
    Event::open_with("k", sync).unwrap();
    (queue, set)
}

/// To open any of them fails.
#[track_caller]
fn opens_fail(errno: i32) {
    fails(Queue::open("q"), errno);
    fails(Queue::options().create(Create::Never).open("q"), errno);
    fails(Queue::options().any_owner(true).open("q"), errno);
    fails(SemaphoreSet::open("s"), errno);
    fails(Mutex::open("k"), errno);
    fails(RwLock::open("k"), errno);
    fails(Condition::open("k"), errno);
    fails(Barrier::open("k"), errno);
    fails(Event::open("k"), errno);
}

/// To make any other, or to take these away, fails.
#[track_caller]
fn changes_fail(errno: i32, unlink: i32) {
    fails(Queue::open("q2"), errno);
    fails(SemaphoreSet::options().values(&[1]).open("s2"), errno);
    fails(Mutex::open("k2"), errno);
    fails(Event::open("k2"), errno);
    fails(msg::msgget(libc::IPC_PRIVATE, 0o600), errno);
    fails(sem::semget(libc::IPC_PRIVATE, 1, 0o600), errno);
    fails(shm::shmget(libc::IPC_PRIVATE, 4096, 0o600), errno);
    fails(Queue::unlink("q"), unlink);
    fails(SemaphoreSet::unlink("s"), unlink);
    fails(Mutex::unlink("k"), unlink);
    fails(RwLock::unlink("k"), unlink);
    fails(Condition::unlink("k"), unlink);
    fails(Barrier::unlink("k"), unlink);
    fails(Event::unlink("k"), unlink);
}

/// Who has it open goes on, whatever was changed about its file's place.
fn goes_on(queue: &Queue, set: &SemaphoreSet) {
    holds(queue, &[(1, b"kept".to_vec())]);
    queue.try_send(1, &[5; 200_000]).unwrap();
    assert_eq!(queue.try_recv(Select::Type(1)).unwrap().data.len(), 200_000);
    queue.try_send(1, b"kept").unwrap();
    set.try_operate(&[Operation::acquire(0, 1).undo()]).unwrap();
    set.try_operate(&[Operation::release(0, 1).undo()]).unwrap();
    assert_eq!(set.values().unwrap(), [2]);
}

/// Another user, in a directory like `/dev/shm`, in which all may make files but none take away those of others.
#[test]
fn another_user() {
    if !is_root() {
        return println!("only root can become another user");
    }
    for (mode, is_admitted) in [(0o600, false), (0o644, false), (0o660, false), (0o666, true)] {
        let directory = Directory::in_memory("user");
        fs::set_permissions(&*directory, fs::Permissions::from_mode(0o1777)).unwrap();
        let segment = Name::new("user");
        let child = fork(|| {
            directory.becomes_madang_dir();
            let (queue, set) = make(mode);
            let made = Segment::options().length(100).mode(mode).open(&segment).unwrap();
            made.write(0, b"kept").unwrap();
            let flags = libc::IPC_CREAT | mode as i32;
            let ids = (msg::msgget(5, flags).unwrap(), sem::semget(5, 1, flags).unwrap(), shm::shmget(5, 4096, flags));
            let ids = (ids.0, ids.1, ids.2.unwrap());
            msg::msgsnd(ids.0, 1, b"kept", libc::IPC_NOWAIT).unwrap();
            let stranger = fork(|| {
                become_nobody();
                if is_admitted {
                    Queue::open("q").unwrap().try_send(2, b"from nobody").unwrap();
                    SemaphoreSet::open("s").unwrap().try_acquire(0).unwrap();
                    drop(Mutex::open("k").unwrap().try_lock().unwrap());
                    Event::open("k").unwrap().set().unwrap();
                    Segment::options().open(&segment).unwrap().write(0, b"seen").unwrap();
                    msg::msgsnd(ids.0, 2, b"from nobody", libc::IPC_NOWAIT).unwrap();
                    sem::semop(ids.1, &[Operation::release(0, 1)], None).unwrap();
                    shm::shmdt(shm::shmat(ids.2, 0, 0).unwrap()).unwrap();
                } else {
                    opens_fail(libc::EACCES);
                    fails(Segment::options().open(&segment), libc::EACCES);
                    fails(msg::msgsnd(ids.0, 2, b"x", libc::IPC_NOWAIT), libc::EACCES);
                    fails(sem::semop(ids.1, &[Operation::release(0, 1)], None), libc::EACCES);
                    fails(shm::shmat(ids.2, 0, 0), libc::EACCES);
                }
                // Only the owner may take it away.
                fails(Queue::unlink("q"), libc::EPERM);
                fails(SemaphoreSet::unlink("s"), libc::EPERM);
                fails(Mutex::unlink("k"), libc::EPERM);
                fails(Segment::unlink(&segment), libc::EPERM);
                fails(msg::remove(ids.0), libc::EPERM);
                fails(sem::remove(ids.1), libc::EPERM);
                fails(shm::remove(ids.2), libc::EPERM);
                // Of its own it can have what it likes.
                Queue::open("mine").unwrap().try_send(1, b"x").unwrap();
                Queue::unlink("mine").unwrap();
                assert!(madang::gc().is_ok() && madang::list().is_ok());
                // The handles that it was forked with are its own to use, if it may join.
                i32::from(queue.try_send(3, b"inherited").is_ok() != is_admitted)
            });
            stranger.succeeds();
            assert_eq!(queue.try_recv(Select::Any).unwrap().data, b"kept");
            assert_eq!(queue.len(), 2 * u64::from(is_admitted));
            assert_eq!((queue.stat().unwrap().participants, set.stat().unwrap().participants), (1, 1));
            assert_eq!(set.values().unwrap(), [2 - u32::from(is_admitted)]);
            assert_eq!(Event::open("k").unwrap().is_set(), is_admitted);
            let mut bytes = [0; 4];
            made.read(0, &mut bytes).unwrap();
            assert_eq!(&bytes, if is_admitted { b"seen" } else { b"kept" });
            assert_eq!(msg::stat(ids.0).unwrap().messages, 1 + u64::from(is_admitted));
            assert_eq!(sem::values(ids.1).unwrap(), [u32::from(is_admitted)]);
            assert_eq!(shm::stat(ids.2).unwrap().attachments, 0);
            0
        });
        child.succeeds();
    }
}

/// A directory that can be read and searched only.
#[test]
fn a_directory_that_cant_be_written() {
    if !is_root() {
        return println!("only root can become another user");
    }
    let directory = Directory::in_memory("closed");
    let child = fork(|| {
        directory.becomes_madang_dir();
        let (queue, set) = make(0o666);
        fs::set_permissions(&*directory, fs::Permissions::from_mode(0o555)).unwrap();
        let stranger = fork(|| {
            become_nobody();
            // What there is can be used.
            let (queue, set) = (Queue::open("q").unwrap(), SemaphoreSet::open("s").unwrap());
            goes_on(&queue, &set);
            drop(Mutex::open("k").unwrap().try_lock().unwrap());
            changes_fail(libc::EACCES, libc::EACCES);
            0
        });
        stranger.succeeds();
        goes_on(&queue, &set);
        0
    });
    child.succeeds();
}

/// A mount that is read-only: who has the objects open by another mount goes on.
#[test]
fn a_read_only_mount() {
    let directory = Directory::in_memory("read-only");
    let child = fork(|| {
        directory.becomes_madang_dir();
        let (queue, set) = make(0o600);
        if !becomes_read_only(&directory) {
            println!("not permitted to mount; nothing was tested");
            return 0;
        }
        opens_fail(libc::EROFS);
        changes_fail(libc::EROFS, libc::EROFS);
        assert_eq!(madang::list().unwrap().len(), 7);
        goes_on(&queue, &set);
        // So does its child, which joins by way of the descriptor that it was forked with.
        let child = fork(|| {
            assert_eq!(queue.try_recv(Select::Any).unwrap().data, b"kept");
            queue.try_send(1, b"kept").unwrap();
            0
        });
        child.succeeds();
        goes_on(&queue, &set);
        0
    });
    child.succeeds();
}

/// Where `/proc` isn't mounted, as in some sandboxes, all works by other ways.
#[test]
fn without_proc() {
    let (directory, segment) = (Directory::in_memory("no-proc"), Name::new("no-proc"));
    let child = fork(|| {
        directory.becomes_madang_dir();
        let queue = Queue::open("inherited").unwrap();
        if !is_apart() || !mount(c"tmpfs", c"/proc", Some(c"tmpfs"), 0) {
            println!("not permitted to mount; nothing was tested");
            return 0;
        }
        assert!(!fs::exists("/proc/self").unwrap());
        for _ in 0..2 {
            all_of_it(&segment).unwrap();
        }
        queue.recv_fd().unwrap();
        let child = fork(|| {
            queue.try_send(1, b"from a child").unwrap();
            queue.recv_fd().unwrap();
            0
        });
        child.succeeds();
        holds(&queue, &[(1, b"from a child".to_vec())]);
        assert_eq!(queue.stat().unwrap().participants, 1);
        assert_eq!((madang::list().unwrap().len(), madang::left_overs().unwrap().files), (4, 0));
        0
    });
    child.succeeds();
}

/// Its own mounts, which go with it.
fn is_apart() -> bool {
    // SAFETY: no memory is passed.
    let is_apart = unsafe { libc::unshare(libc::CLONE_NEWNS) == 0 };
    is_apart && mount(c"none", c"/", None, libc::MS_REC | libc::MS_PRIVATE)
}

fn mount(from: &CStr, to: &CStr, kind: Option<&CStr>, flags: libc::c_ulong) -> bool {
    let kind = kind.map_or(std::ptr::null(), CStr::as_ptr);
    // SAFETY: all strings are C strings, or null.
    unsafe { libc::mount(from.as_ptr(), to.as_ptr(), kind, flags, std::ptr::null()) == 0 }
}

/// For this process alone.
fn becomes_read_only(directory: &Directory) -> bool {
    let path = CString::new(directory.to_str().unwrap()).unwrap();
    is_apart()
        && mount(&path, &path, None, libc::MS_BIND)
        && mount(c"none", &path, None, libc::MS_BIND | libc::MS_REMOUNT | libc::MS_RDONLY)
}
