//! System V's calls from Rust, where it isn't the same as with the kernel. What is, is compared in `tests/parity`.

use std::fs;

use madang::shared::sysv::{msg, sem, shm};
use madang_tests::{Directory, fork};

const KEY: i32 = 0x6d61;

type Get = fn(i32) -> madang::Result<i32>;
type Works = fn(i32) -> bool;

const KINDS: [(&str, Get, Works); 3] = [
    ("queue", |flags| msg::msgget(KEY, flags), |id| msg::msgsnd(id, 1, b"two teas", libc::IPC_NOWAIT).is_ok()),
    ("semaphores", |flags| sem::semget(KEY, 1, flags), |id| sem::set_value(id, 0, 1).is_ok()),
    ("memory", |flags| shm::shmget(KEY, 100, flags), |id| shm::shmat(id, 0, 0).is_ok()),
];

/// Somebody removes the name by the identifier as any file: the key then doesn't lead to what no call finds.
#[test]
fn a_key_never_leads_to_a_dead_identifier() {
    let directory = Directory::new("lost");
    let child = fork(|| {
        directory.becomes_madang_dir();
        for (kind, get, works) in KINDS {
            let (create, exclusive) = (libc::IPC_CREAT | 0o600, libc::IPC_CREAT | libc::IPC_EXCL | 0o600);
            let mut ids = vec![get(create).unwrap()];
            for flags in [create, exclusive] {
                let file = directory.join(format!("madang.{kind}.sysv.id.{:08x}", ids[ids.len() - 1]));
                fs::remove_file(file).unwrap();
                let id = get(flags).unwrap();
                assert!(!ids.contains(&id) && works(id), "{kind} {id} of {ids:?}");
                assert_eq!(get(0).unwrap(), id);
                ids.push(id);
            }
            let named = |prefix: &str| format!("madang.{kind}.sysv.{prefix}");
            fs::remove_file(directory.join(named(&format!("id.{:08x}", ids[2])))).unwrap();
            assert_eq!(get(0).unwrap_err().errno(), libc::ENOENT);
            let left = fs::read_dir(&*directory).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
            assert_eq!(left.filter(|file| file.starts_with(&named(""))).collect::<Vec<_>>(), Vec::<String>::new());
        }
        0
    });
    child.succeeds();
}

/// What is swept is told with the memory that it took.
#[test]
fn swept_with_its_bytes() {
    let directory = Directory::new("swept-sysv");
    let child = fork(|| {
        directory.becomes_madang_dir();
        let dies = fork(|| {
            let id = shm::shmget(libc::IPC_PRIVATE, 1 << 20, 0o600).unwrap();
            shm::shmat(id, 0, 0).unwrap();
            shm::remove(id).unwrap();
            // It ends without a word, as one that is killed.
            0
        });
        dies.succeeds();
        let found = madang::left_overs().unwrap();
        assert!(found.files == 1 && found.bytes >= 4096, "{found:?}");
        assert_eq!(madang::gc().unwrap(), found);
        assert_eq!(madang::gc().unwrap(), madang::LeftOvers::default());
        0
    });
    child.succeeds();
}
