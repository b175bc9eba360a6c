//! What is listed: all that is there, also what can't be opened, and why.

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt, chown, symlink};

use madang::shared::sysv::{msg, sem, shm};
use madang::{Barrier, Condition, Event, Kind, ListOptions, Listed, Mutex, Queue, RwLock, Segment, SemaphoreSet};
use madang_tests::{Directory, Name, fork, open_descriptors};

fn find(name: &str, options: ListOptions) -> Option<Listed> {
    options.list().unwrap().into_iter().find(|listed| listed.name == name)
}

fn errno(listed: &Listed) -> i32 {
    listed.error.as_ref().map_or(0, madang::Error::errno)
}

#[test]
fn smoke() {
    let name = Name::new("listed");
    let queue = Queue::options().capacity(100_000).mode(0o640).open(&name).unwrap();
    Segment::options().length(5000).open(&name).unwrap();
    let listed = find(&name, ListOptions::default()).unwrap();
    assert_eq!((listed.kind, listed.mode, errno(&listed)), (Kind::Queue, 0o640, 0));
    assert_eq!(listed.size, fs::metadata(name.queue_path()).unwrap().len());
    assert_eq!(listed.allocated, queue.stat().unwrap().allocated);
    let both: Vec<_> = ListOptions::default().segments(true).list().unwrap();
    let segment = both.iter().find(|listed| listed.name == *name && listed.kind == Kind::Segment).unwrap();
    assert_eq!((segment.size, segment.mode, errno(segment)), (5000, 0o600, 0));
    assert_eq!(queue.stat().unwrap().participants, 1, "to look is not to take part");
    let set = SemaphoreSet::options().mode(0o660).open(&name).unwrap();
    let found = ListOptions::default().list().unwrap();
    let listed = found.iter().find(|listed| listed.name == *name && listed.kind == Kind::SemaphoreSet).unwrap();
    assert_eq!((listed.mode, errno(listed)), (0o660, 0));
    assert_eq!(set.stat().unwrap().participants, 1);
    Queue::unlink(&name).unwrap();
    SemaphoreSet::unlink(&name).unwrap();
    assert!(find(&name, ListOptions::default()).is_none());
}

/// Each kind of lock is found, can be opened, and to look is not to take part; one whose file is another's is said to be.
#[test]
fn locks() {
    let name = Name::new("listed-locks");
    let mutex = Mutex::open(&name).unwrap();
    drop((RwLock::open(&name).unwrap(), Condition::open(&name).unwrap()));
    drop((Barrier::open(&name).unwrap(), Event::open(&name).unwrap()));
    let all = || -> Vec<Listed> {
        ListOptions::default().list().unwrap().into_iter().filter(|listed| listed.name == *name).collect()
    };
    let kinds = [Kind::Mutex, Kind::RwLock, Kind::Condition, Kind::Barrier, Kind::Event];
    assert_eq!(
        all().iter().map(|listed| (listed.kind, errno(listed))).collect::<Vec<_>>(),
        kinds.map(|kind| (kind, 0))
    );
    drop(mutex.lock().unwrap());
    let path = |kind: &str| format!("/dev/shm/madang.{kind}.{}", &*name);
    fs::rename(path("event"), path("mutex")).unwrap();
    let file = fs::OpenOptions::new().write(true).open(path("barrier")).unwrap();
    file.set_len(128 << 10).unwrap();
    let told: Vec<_> = all().iter().map(|listed| (listed.kind, errno(listed))).collect();
    let (other, damaged) = (libc::EPROTOTYPE, libc::EUCLEAN);
    assert_eq!(told, [(kinds[0], other), (kinds[1], 0), (kinds[2], 0), (kinds[3], damaged)]);
    assert_eq!(Barrier::open(&name).unwrap_err().errno(), damaged);
}

/// What System V's calls made is listed by its identifier's name and its key's; and each kind by itself, with what `IPC_STAT` tells.
#[test]
fn system_v() {
    let directory = Directory::new("list-sysv");
    let child = fork(|| {
        directory.becomes_madang_dir();
        let (key, flags) = (0x6d61_6461, libc::IPC_CREAT | 0o640);
        let queue = msg::msgget(key, flags).unwrap();
        let set = sem::semget(key, 3, flags).unwrap();
        let memory = shm::shmget(key, 5000, flags).unwrap();
        let listed: Vec<_> = madang::list().unwrap().into_iter().map(|it| (it.kind, errno(&it), it.name)).collect();
        let names =
            |kind: Kind, id: i32| [(kind, 0, format!("sysv.id.{id:08x}")), (kind, 0, format!("sysv.key.{key:08x}"))];
        let expected = [(Kind::Queue, queue), (Kind::SemaphoreSet, set), (Kind::Memory, memory)];
        assert_eq!(listed, expected.map(|(kind, id)| names(kind, id)).concat());

        let private = msg::msgget(libc::IPC_PRIVATE, 0).unwrap();
        msg::msgsnd(queue, 1, b"two teas", 0).unwrap();
        let found = msg::list().unwrap();
        let mut ids: Vec<_> = found.iter().map(|status| status.permissions.id).collect();
        assert!(ids.is_sorted());
        ids.sort_by_key(|&id| id == private);
        assert_eq!(ids, [queue, private], "also what the mode keeps from all");
        let one = found.iter().find(|status| status.permissions.id == queue).unwrap();
        assert_eq!((one.messages, one.bytes, one.permissions.key, one.permissions.mode), (1, 8, key, 0o640));
        assert_eq!(sem::list().unwrap(), [sem::stat(set).unwrap()]);
        assert_eq!(shm::list().unwrap(), [shm::stat(memory).unwrap()]);

        // A listing keeps nothing open.
        let before = open_descriptors();
        for _ in 0..3 {
            assert_eq!((msg::list().unwrap().len(), sem::list().unwrap().len()), (2, 1));
        }
        assert_eq!(open_descriptors(), before);
        fs::write(directory.join("madang.memory.sysv.id.00000001"), "nonsense").unwrap();
        assert_eq!(shm::list().unwrap().len(), 1);
        assert_eq!(errno(&find("sysv.id.00000001", ListOptions::default()).unwrap()), libc::EUCLEAN);
        0
    });
    child.succeeds();
}

/// In a directory of its own: nothing else is there.
#[test]
fn what_cannot_be_opened_is_listed_with_the_reason() {
    let directory = Directory::new("list");
    let child = fork(|| {
        directory.becomes_madang_dir();
        let file = |name: &str| directory.join(name);
        for name in ["well", "other-layout", "damaged", "short", "stranger"] {
            Queue::open(name).unwrap();
        }
        let patch = |name: &str, offset, bytes: &[u8]| {
            let file = fs::OpenOptions::new().write(true).open(file(name)).unwrap();
            file.write_all_at(bytes, offset).unwrap();
        };
        patch("madang.queue.other-layout", 8, &77u32.to_ne_bytes());
        patch("madang.queue.damaged", 0, b"MADANG");
        fs::OpenOptions::new().write(true).open(file("madang.queue.short")).unwrap().set_len(10).unwrap();
        fs::create_dir(file("madang.queue.directory")).unwrap();
        symlink("/dev/null", file("madang.queue.link")).unwrap();
        fs::write(file("madang.stove.warm"), "").unwrap();
        fs::write(file("madang.new.0123456789abcdef"), "half made").unwrap();
        fs::write(file("unrelated"), "").unwrap();
        let mut expected = vec![
            ("damaged", libc::EUCLEAN),
            ("directory", libc::EISDIR),
            ("link", libc::ELOOP),
            ("other-layout", libc::EPROTO),
            ("short", libc::EUCLEAN),
            ("stranger", libc::EPERM),
            ("well", 0),
            ("stove.warm", libc::ENOTSUP),
        ];
        // Only root can give files away.
        if chown(file("madang.queue.stranger"), Some(12_345), None).is_err() {
            expected[5].1 = 0;
        }
        let listed = madang::list().unwrap();
        let found: Vec<_> = listed.iter().map(|listed| (&*listed.name, errno(listed))).collect();
        assert_eq!(found, expected);
        assert_eq!(listed.last().unwrap().kind, Kind::Other);
        assert_eq!(errno(&find("stranger", ListOptions::default().any_owner(true)).unwrap()), 0);
        let what = listed[3].error.as_ref().unwrap().to_string();
        assert!(what.contains("layout version 77"), "{what}");
        0
    });
    child.succeeds();
}

#[test]
fn names_that_are_not_utf8() {
    use std::os::unix::ffi::OsStrExt;
    let directory = Directory::new("bytes");
    let child = fork(|| {
        directory.becomes_madang_dir();
        fs::write(directory.join(std::ffi::OsStr::from_bytes(b"madang.queue.\xff")), "").unwrap();
        let [listed] = &madang::list().unwrap()[..] else { panic!("one") };
        assert_eq!((&*listed.name, errno(listed)), ("\u{fffd}", libc::EINVAL));
        0
    });
    child.succeeds();
}

#[test]
fn more_than_one_look_takes_in() {
    let directory = Directory::new("many");
    let child = fork(|| {
        directory.becomes_madang_dir();
        for index in 0..2000 {
            fs::write(directory.join(format!("madang.queue.{}{index:04}", "n".repeat(200))), "").unwrap();
        }
        let listed = madang::list().unwrap();
        assert_eq!(listed.len(), 2000);
        assert!(listed.iter().enumerate().all(|(index, listed)| listed.name.ends_with(&format!("n{index:04}"))));
        0
    });
    child.succeeds();
}

#[test]
fn without_permission() {
    let name = Name::new("list-permission");
    Queue::open(&name).unwrap();
    fs::set_permissions(name.queue_path(), fs::Permissions::from_mode(0o600)).unwrap();
    let child = fork(|| {
        // SAFETY: no memory is passed.
        if unsafe { libc::setuid(65_534) } != 0 {
            return 0;
        }
        i32::from(errno(&find(&name, ListOptions::default()).unwrap()) != libc::EACCES)
    });
    child.succeeds();
}

#[test]
fn a_missing_directory() {
    let directory = Directory::new("missing");
    let child = fork(|| {
        directory.becomes_madang_dir();
        fs::remove_dir(&*directory).unwrap();
        let error = madang::list().unwrap_err();
        assert!(error.message().contains("MADANG_DIR"), "{error}");
        i32::from(error.errno() != libc::ENOENT)
    });
    child.succeeds();
}
