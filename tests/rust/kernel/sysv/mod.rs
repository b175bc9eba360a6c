//! System V IPC: what the three kinds have in common.

mod msg;
mod sem;
mod shm;

use std::ffi::CString;
use std::os::unix::fs::MetadataExt;

use madang::sysv::{self, Change, Key, Permissions, msg::Queue, sem::Set, shm::Segment};
use madang::{Create, Error, Result};
use madang_tests::{Checkpoint, Child, Directory, SysvKey, fork};

const NOBODY: u32 = 65534;

/// What a call fails with, and that it says so in words.
#[track_caller]
fn fails<T: std::fmt::Debug>(outcome: Result<T>, errno: i32, words: &str) -> Error {
    let error = outcome.unwrap_err();
    assert!(error.errno() == errno && error.message().contains(words), "{error}");
    error
}

/// Runs it in a child of another user.
fn as_nobody(work: impl FnOnce()) {
    // SAFETY: no memory is passed.
    assert_eq!(unsafe { libc::geteuid() }, 0, "these tests become another user, so they need root");
    fork(|| {
        // SAFETY: no memory is passed, but none of groups.
        let became = unsafe {
            libc::setgroups(0, std::ptr::null()) == 0 && libc::setgid(NOBODY) == 0 && libc::setuid(NOBODY) == 0
        };
        assert!(became);
        work();
        0
    })
    .succeeds();
}

/// A child that has said that it is about to wait, and then fell asleep.
fn asleep(work: impl FnOnce() -> i32) -> Child {
    let begun = Checkpoint::default();
    let child = fork(|| {
        begun.reach();
        work()
    });
    begun.wait();
    child.wait_until_asleep();
    child
}

/// From now on SIGUSR1 interrupts: for a forked child.
fn let_sigusr1_interrupt() {
    extern "C" fn nothing(_: i32) {}
    let handler: extern "C" fn(i32) = nothing;
    // SAFETY: the handler does nothing, and so is async-signal-safe.
    unsafe { libc::signal(libc::SIGUSR1, handler as libc::sighandler_t) };
}

/// Signals a child until it ends well: one that comes just before a sleep is not noticed.
fn interrupt(child: Child) {
    child.wait_until_asleep();
    while child.state() != 'Z' {
        child.signal(libc::SIGUSR1);
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    child.succeeds();
}

#[test]
fn ftok_is_the_c_librarys() {
    let directory = Directory::new("ftok");
    let file = directory.join("file");
    std::fs::write(&file, "").unwrap();
    for path in [file.as_path(), "/".as_ref(), "/dev/null".as_ref(), &*directory] {
        let text = CString::new(path.to_str().unwrap()).unwrap();
        for id in [1u8, b'A', 0x7f, 0x80, 0xff] {
            // SAFETY: a C string.
            let theirs = unsafe { libc::ftok(text.as_ptr(), id.into()) };
            assert_eq!(sysv::ftok(path, id).unwrap().number(), theirs, "{path:?} {id}");
        }
    }
    fails(Key::of_path(directory.join("none"), 1), libc::ENOENT, "ftok");
}

/// The known traps of ftok, which the documentation tells of.
#[test]
fn ftok_collides() {
    let directory = Directory::new("ftok-again");
    let (file, new) = (directory.join("file"), directory.join("new"));
    std::fs::write(&file, "").unwrap();
    let before = sysv::ftok(&file, 1).unwrap();
    assert_eq!(sysv::ftok(&file, 1).unwrap(), before);
    std::fs::write(&new, "").unwrap();
    std::fs::rename(&new, &file).unwrap();
    assert_ne!(sysv::ftok(&file, 1).unwrap(), before, "a file that is made again gives another key");

    // On a tmpfs numbers are given one after the other.
    let (one, other) = (madang_tests::Name::new("ftok-one"), madang_tests::Name::new("ftok-other"));
    std::fs::write(one.segment_path(), "").unwrap();
    let number = |path: &std::path::Path| std::fs::metadata(path).unwrap().ino();
    let wanted = number(&one.segment_path()) & 0xffff;
    for _ in 0..1_000_000 {
        std::fs::write(other.segment_path(), "").unwrap();
        if number(&other.segment_path()) & 0xffff == wanted {
            let key = |name: &madang_tests::Name| sysv::ftok(name.segment_path(), 7).unwrap();
            assert_ne!(number(&one.segment_path()), number(&other.segment_path()));
            assert_eq!(key(&one), key(&other), "two files, one key");
            return;
        }
        std::fs::remove_file(other.segment_path()).unwrap();
    }
    panic!("no two files of /dev/shm have numbers that differ by 65536");
}

/// What the three kinds do alike, for the tests below.
trait Object: Sized + std::fmt::Debug {
    const NOUN: &str;
    fn open(key: Key, create: Create, mode: u32) -> Result<Self>;
    fn from_id(id: i32) -> Result<Self>;
    fn id(&self) -> i32;
    fn is_new(&self) -> bool;
    fn permissions(&self) -> Result<Permissions>;
    fn change(&self, change: Change) -> Result<()>;
    fn remove(&self) -> Result<()>;
    fn unlink(key: Key) -> Result<()>;
    fn remove_id(id: i32) -> Result<()>;
    fn listed() -> Vec<(i32, Permissions)>;
}

macro_rules! object {
    ($type:ident, $module:ident, $noun:literal $(, $size:ident)?) => {
        impl Object for $type {
            const NOUN: &str = $noun;

            fn open(key: Key, create: Create, mode: u32) -> Result<Self> {
                $type::options()$(.$size(3))?.create(create).mode(mode).open(key)
            }

            fn from_id(id: i32) -> Result<Self> {
                $type::from_id(id)
            }

            fn id(&self) -> i32 {
                $type::id(self)
            }

            fn is_new(&self) -> bool {
                $type::is_new(self)
            }

            fn permissions(&self) -> Result<Permissions> {
                self.stat().map(|stat| stat.permissions)
            }

            fn change(&self, change: Change) -> Result<()> {
                $type::change(self, change)
            }

            fn remove(&self) -> Result<()> {
                $type::remove(self)
            }

            fn unlink(key: Key) -> Result<()> {
                $type::unlink(key)
            }

            fn remove_id(id: i32) -> Result<()> {
                $type::remove_id(id)
            }

            fn listed() -> Vec<(i32, Permissions)> {
                sysv::$module::list().unwrap().into_iter().map(|status| (status.id, status.permissions)).collect()
            }
        }
    };
}

object!(Queue, msg, "message queue");
object!(Segment, shm, "shared memory segment", size);
object!(Set, sem, "semaphore set", count);

fn create<T: Object>() {
    let key = SysvKey::default();
    fails(T::open(*key, Create::Never, 0), libc::ENOENT, "there is none of this key");
    let new = T::open(*key, Create::IfMissing, 0).unwrap();
    let same = T::open(*key, Create::IfMissing, 0).unwrap();
    assert!(new.is_new() && !same.is_new() && new.id() == same.id());
    assert_eq!(T::open(*key, Create::Never, 0).unwrap().id(), new.id());
    assert_eq!(T::from_id(new.id()).unwrap().id(), new.id());
    fails(T::open(*key, Create::Only, 0), libc::EEXIST, "there is one of this key already");
    fails(T::open(*key, Create::Only, 0o1600), libc::EINVAL, "nine permission bits");

    // Seen from outside.
    assert!(seen_by_ipcs::<T>(*key), "{} {}", T::NOUN, *key);
    T::unlink(*key).unwrap();
    assert!(!seen_by_ipcs::<T>(*key));
    fails(T::unlink(*key), libc::ENOENT, T::NOUN);
    fails(new.remove(), libc::EIDRM, "it was removed");
    fails(new.permissions(), libc::EIDRM, "it was removed");
    fails(T::from_id(new.id()), libc::EINVAL, "there is none of this identifier");
    fails(T::remove_id(-1), libc::EINVAL, "there is none of this identifier");

    fails(T::open(Key::PRIVATE, Create::Never, 0), libc::EINVAL, "IPC_PRIVATE always makes a new one");
    let (one, other) =
        (T::open(Key::PRIVATE, Create::IfMissing, 0).unwrap(), T::open(Key::PRIVATE, Create::Only, 0).unwrap());
    assert!(one.id() != other.id() && one.is_new() && other.is_new());
    assert!(one.permissions().unwrap().key.is_private());
    one.remove().unwrap();
    T::remove_id(other.id()).unwrap();
    fails(T::from_id(other.id()), libc::EINVAL, "");
}

/// As the kernel itself tells it.
fn seen_by_ipcs<T: Object>(key: Key) -> bool {
    let file = match T::NOUN {
        "message queue" => "msg",
        "semaphore set" => "sem",
        _ => "shm",
    };
    let text = std::fs::read_to_string(format!("/proc/sysvipc/{file}")).unwrap();
    text.lines().skip(1).any(|line| line.split_whitespace().next() == Some(&key.number().to_string()))
}

fn permissions<T: Object>() {
    let key = SysvKey::default();
    // SAFETY: no memory is passed. Other tests ask for modes that this mask lets through.
    let mask = unsafe { libc::umask(0o077) };
    let object = T::open(*key, Create::Only, 0o646).unwrap();
    // SAFETY: as above.
    unsafe { libc::umask(mask) };
    let told = object.permissions().unwrap();
    assert_eq!((told.mode, told.key), (0o646, *key), "no umask");
    assert_eq!((told.uid, told.gid, told.creator_uid, told.creator_gid), (0, 0, 0, 0));

    object.change(Change::default().mode(0o604)).unwrap();
    assert_eq!(object.permissions().unwrap().mode, 0o604);
    fails(object.change(Change::default().mode(0o1604)), libc::EINVAL, "nine permission bits");

    // Another user may look, but change and remove nothing; not even what his group could.
    as_nobody(|| {
        let object = T::open(*key, Create::Never, 0).unwrap();
        assert_eq!(object.permissions().unwrap().mode, 0o604);
        fails(object.change(Change::default().mode(0o666)), libc::EPERM, "only its owner, its creator and root");
        fails(object.remove(), libc::EPERM, "only its owner, its creator and root");
        fails(T::unlink(*key), libc::EPERM, T::NOUN);
    });
    object.change(Change::default().mode(0o600)).unwrap();
    as_nobody(|| {
        fails(object.permissions(), libc::EACCES, "its mode does not permit it");
    });

    // Given away: now he may.
    object.change(Change::default().uid(NOBODY).gid(NOBODY)).unwrap();
    let told = object.permissions().unwrap();
    assert_eq!((told.uid, told.gid, told.creator_uid, told.creator_gid, told.mode), (NOBODY, NOBODY, 0, 0, 0o600));
    as_nobody(|| {
        object.change(Change::default().mode(0o640)).unwrap();
        object.remove().unwrap();
    });
    fails(T::open(*key, Create::Never, 0), libc::ENOENT, "");
}

fn listed<T: Object>() {
    let key = SysvKey::default();
    let object = T::open(*key, Create::Only, 0o600).unwrap();
    let of_ours = || T::listed().into_iter().find(|(_, permissions)| permissions.key == *key);
    let (id, told) = of_ours().unwrap();
    assert_eq!((id, told), (object.id(), object.permissions().unwrap()));
    // What one may not read is listed all the same.
    as_nobody(|| assert_eq!(of_ours().unwrap().0, id));
    object.remove().unwrap();
    assert_eq!(of_ours(), None);
}

/// Many open or create at once: one of them does create.
fn one_creates<T: Object>() {
    for _ in 0..20 {
        let key = SysvKey::default();
        let go = Checkpoint::default();
        let children: Vec<_> = (0..4)
            .map(|_| {
                fork(|| {
                    go.wait();
                    i32::from(T::open(*key, Create::IfMissing, 0).unwrap().is_new())
                })
            })
            .collect();
        children.iter().for_each(|_| go.reach());
        let created: i32 = children.into_iter().map(|child| child.wait_for(madang_tests::WATCHDOG)).sum();
        assert_eq!(created, 1);
    }
}

macro_rules! alike {
    ($($test:ident)*) => {
        mod queue {$(
            #[test]
            fn $test() {
                super::$test::<super::Queue>();
            }
        )*}

        mod segment {$(
            #[test]
            fn $test() {
                super::$test::<super::Segment>();
            }
        )*}

        mod set {$(
            #[test]
            fn $test() {
                super::$test::<super::Set>();
            }
        )*}
    };
}

alike! { create permissions listed one_creates }

#[test]
fn limits() {
    let sysctl = |name: &str| std::fs::read_to_string(format!("/proc/sys/kernel/{name}")).unwrap();
    let number = |name: &str| sysctl(name).trim().parse::<u64>().unwrap();
    let msg = sysv::msg::limits().unwrap();
    assert_eq!((msg.max_queues, msg.max_message, msg.capacity), (number("msgmni"), number("msgmax"), number("msgmnb")));
    let shm = sysv::shm::limits().unwrap();
    assert_eq!((shm.max_segments, shm.max_size, shm.max_pages), (number("shmmni"), number("shmmax"), number("shmall")));
    assert_eq!(shm.min_size, 1);
    let sem = sysv::sem::limits().unwrap();
    let told: Vec<u64> = sysctl("sem").split_whitespace().map(|word| word.parse().unwrap()).collect();
    assert_eq!(vec![sem.max_in_a_set, sem.max_semaphores, sem.max_operations, sem.max_sets], told);
    assert_eq!(sem.max_value, 32767);

    // What is used grows by what we make; others make and remove meanwhile, so: at least that.
    let key = SysvKey::default();
    let queue = Queue::open(*key).unwrap();
    queue.send(1, b"12345").unwrap();
    let _segment = Segment::options().size(10 << 12).open(*key).unwrap();
    let _set = Set::options().count(7).open(*key).unwrap();
    let (msg, shm, sem) = (sysv::msg::limits().unwrap(), sysv::shm::limits().unwrap(), sysv::sem::limits().unwrap());
    assert!(msg.queues >= 1 && msg.messages >= 1 && msg.bytes >= 5, "{msg:?}");
    assert!(shm.segments >= 1 && shm.pages >= 10, "{shm:?}");
    assert!(sem.sets >= 1 && sem.semaphores >= 7, "{sem:?}");
}

/// A kernel, or a container's filter, without System V IPC.
#[test]
fn a_kernel_without_it() {
    fork(|| {
        refuse(&[libc::SYS_msgget, libc::SYS_shmget, libc::SYS_semget, libc::SYS_msgctl], libc::ENOSYS);
        let key = Key::from(1);
        for error in [
            Queue::open(key).unwrap_err(),
            Segment::options().size(1).open(key).unwrap_err(),
            Set::options().count(1).open(key).unwrap_err(),
            Queue::from_id(0).unwrap_err(),
            sysv::msg::list().unwrap_err(),
            sysv::msg::limits().unwrap_err(),
        ] {
            assert!(
                error.errno() == libc::ENOSYS && error.message().contains("this kernel has no System V IPC"),
                "{error}"
            );
        }
        0
    })
    .succeeds();
}

/// From now on these calls fail with that errno, or, if it is 0, kill: for a forked child.
fn refuse(calls: &[libc::c_long], errno: i32) {
    let statement = |code: u32, jt: u8, jf: u8, k: u32| libc::sock_filter { code: code as u16, jt, jf, k };
    let load_number = statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0);
    let last = calls.len() as u8;
    let mut program = vec![load_number];
    for (index, &call) in calls.iter().enumerate() {
        program.push(statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, last - index as u8, 0, call as u32));
    }
    program.push(statement(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW));
    let verdict = if errno == 0 { libc::SECCOMP_RET_KILL_PROCESS } else { libc::SECCOMP_RET_ERRNO | errno as u32 };
    program.push(statement(libc::BPF_RET | libc::BPF_K, 0, 0, verdict));
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: the filter is valid for the call, which copies it.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter), 0);
    }
}
