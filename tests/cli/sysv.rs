//! System V's objects that are served from shared memory, as `ipcs`, `ipcmk` and `ipcrm` have the kernel's.

use std::process::Command;

use madang::shared::sysv::{msg, sem, shm};
use madang::sysv;
use madang_tests::{Gone, SysvKey, fork};
use serde_json::json;

use crate::command::{Madang, finish, wait_until};

/// What `madang mk` prints, without the numbers; and the numbers.
fn ids(text: &str) -> (Vec<&str>, Vec<&str>) {
    text.lines().map(|line| line.rsplit_once(' ').unwrap()).unzip()
}

/// The line of a table by `ipcs` of what has this identifier. (Each kind of the kernel's objects counts by itself.)
fn line<'a>(table: &'a str, kind: &str, id: &str) -> &'a str {
    let section = table.split(kind).nth(1).unwrap().split("------").next().unwrap();
    let mut found = section.lines().filter(|line| line.split_whitespace().nth(1) == Some(id));
    found.next().unwrap_or_else(|| panic!("{kind} {id} is not in {table}"))
}

/// It without its identifier, which is never longer than its column.
fn masked(line: &str) -> String {
    format!("{}{}", &line[..11], &line[21..])
}

#[test]
fn made_listed_and_removed() {
    let madang = Madang::new();
    let made = madang.run(["mk", "-M", "5K", "-Q", "-S", "3", "-p", "640"]).well().text().to_owned();
    let (what, ids) = ids(&made);
    assert_eq!(what, ["Shared memory id:", "Message queue id:", "Semaphore id:"]);
    let table = madang.run(["ls", "--ipcs"]).well().text().to_owned();
    let row = |kind, id| line(&table, kind, id).split_whitespace().skip(3).collect::<Vec<_>>();
    assert_eq!(
        [row("shmid", ids[0]), row("msqid", ids[1]), row("semid", ids[2])],
        [vec!["640", "5120", "0"], vec!["640", "0", "0"], vec!["640", "3"]]
    );

    let rows = madang.run(["ls", "--json"]).well().json();
    let name = |id: &str| format!("sysv.id.{:08x}", id.parse::<u32>().unwrap());
    let names: Vec<_> =
        rows.as_array().unwrap().iter().map(|row| (&row["kind"], &row["name"], &row["error"])).collect();
    let none = json!(null);
    let expected = [("queue", ids[1]), ("semaphores", ids[2]), ("memory", ids[0])]
        .map(|(kind, id)| (json!(kind), json!(name(id))));
    assert_eq!(names, expected.iter().map(|(kind, name)| (kind, name, &none)).collect::<Vec<_>>());
    let told = madang.run(["stat", "--kind", "memory", &name(ids[0])]).well().text().to_owned();
    assert!(told.contains(": a System V shared memory segment, "), "{told}");
    assert!(!madang.run(["doctor", "--json"]).text().contains("sysv."), "nothing is wrong with them");

    madang.run(["rm", "-q", ids[1], "-q", "5"]).says(4, "there is no message queue with the identifier 5");
    let key = line(&table, "semid", ids[2]).split_whitespace().next().unwrap();
    madang.run(["rm", "-m", ids[0], "-S", key]).well();
    madang.run(["rm", "-S", key]).says(4, "(ENOENT)");
    assert_eq!(madang.run(["ls", "--json"]).well().json(), json!([]));
    assert_eq!(std::fs::read_dir(&*madang.directory).unwrap().count(), 0);
    for bad in [&["mk"][..], &["mk", "-p", "600"], &["rm"], &["rm", "-Q", "0"], &["rm", "-m", "-1"], &["mk", "-S", "0"]]
    {
        assert_eq!(finish(&mut madang.command(bad), b"").status, 2, "{bad:?}");
    }
    madang.run(["mk", "-S", "40000000"]).says(1, "(EINVAL)");
}

/// By its name as madang's object it goes as a whole: both its names.
#[test]
fn removed_by_name() {
    let madang = Madang::new();
    for (flag, kind) in [("-Q", "queue"), ("-S1", "semaphores"), ("-M1", "memory")] {
        for prefix in ["sysv.id.", "sysv.key."] {
            madang.run(["mk", flag]).well();
            let prefix = format!("madang.{kind}.{prefix}");
            let files = std::fs::read_dir(&*madang.directory)
                .unwrap()
                .map(|file| file.unwrap().file_name().into_string().unwrap());
            let file = files.into_iter().find(|file| file.starts_with(&prefix)).unwrap();
            madang.run(["rm", "--kind", kind, file.rsplit_once(&format!("{kind}.")).unwrap().1]).well();
            assert_eq!(std::fs::read_dir(&*madang.directory).unwrap().count(), 0, "{file}");
        }
    }
    madang.run(["rm", "--kind", "memory", "absent"]).says(4, "(ENOENT)");
}

/// Memory that was removed while it was attached goes with a process that is killed, as soon as anybody looks.
#[test]
fn swept() {
    let madang = Madang::new();
    let child = fork(|| {
        madang.directory.becomes_madang_dir();
        let id = shm::shmget(libc::IPC_PRIVATE, 100, 0o600).unwrap();
        shm::shmat(id, 0, 0).unwrap();
        shm::remove(id).unwrap();
        loop {
            std::thread::park();
        }
    });
    let count = || std::fs::read_dir(&*madang.directory).unwrap().count();
    wait_until(|| madang.run(["ls", "--ipcs"]).well().text().contains(" dest "));
    madang.run(["gc"]).well();
    assert_eq!(count(), 1, "it is attached");
    let file =
        std::fs::read_dir(&*madang.directory).unwrap().next().unwrap().unwrap().file_name().into_string().unwrap();
    let name = file.strip_prefix("madang.memory.").unwrap();
    madang.run(["rm", "--kind", "memory", name]).says(1, "there is 1 attachment");
    child.kill();
    let told = madang.run(["gc", "--dry-run"]).well().text().to_owned();
    assert!(told.starts_with("1 left-over can be removed (4 KiB"), "{told}");
    assert_eq!(count(), 1);
    let told = madang.run(["gc"]).well().text().to_owned();
    assert!(told.starts_with("Removed 1 left-over (4 KiB"), "{told}");
    assert_eq!(count(), 0);
}

/// All of `shmid_ds`, by its identifier and by its key, also when it was removed.
#[test]
fn memory_is_told_of() {
    let madang = Madang::new();
    let key = 0x6d61;
    let child = fork(|| {
        madang.directory.becomes_madang_dir();
        let id = shm::shmget(key, 4096, libc::IPC_CREAT | 0o640).unwrap();
        shm::shmat(id, 0, 0).unwrap();
        shm::lock(id, true).unwrap();
        loop {
            std::thread::park();
        }
    });
    let stat = |name: &str, more: &[&str]| {
        finish(&mut madang.command([&["stat", "--kind", "memory", name], more].concat()), b"")
    };
    let by_key = format!("sysv.key.{key:08x}");
    wait_until(|| {
        let told = stat(&by_key, &["--json"]);
        told.status == 0 && told.json()["locked"] == true
    });
    let told = stat(&by_key, &["--json"]).well().json();
    let id = told["id"].as_i64().unwrap().to_string();
    let by_id = format!("sysv.id.{:08x}", id.parse::<u32>().unwrap());
    let expected = json!({"size": 4096, "attached": 1, "creator": child.id(), "last_user": child.id(), "removed": false,
        "mode": "0640", "key": "0x00006d61", "detached_at": 0, "kind": "memory", "name": by_key});
    for (what, value) in expected.as_object().unwrap() {
        assert_eq!(&told[what], value, "{what} of {told}");
    }
    let text = stat(&by_id, &[]).well().text().to_owned();
    let path = madang.directory.join(format!("madang.memory.{by_id}"));
    assert!(text.starts_with(&format!("{by_id}: a System V shared memory segment, {}\n", path.display())), "{text}");
    for line in ["content      4 KiB, 1 attachment, locked\n", "detached     never\n", ", mode 0640\n"] {
        assert!(text.contains(line), "{line} in {text}");
    }

    madang.run(["rm", "-m", &id]).well();
    let text = stat(&by_id, &[]).well().text().to_owned();
    assert!(text.contains("1 attachment, removed: it goes with the last; locked\n"), "{text}");
    assert_eq!(stat(&by_id, &["--json"]).well().json()["removed"], true);
    stat(&by_key, &[]).says(4, "(ENOENT)");
    child.kill();
    stat(&by_id, &[]).says(4, "there is no such System V shared memory segment");
}

/// The same objects by the kernel and by madang: `ipcs` and `madang ls --ipcs` differ in the identifiers alone.
#[test]
fn as_ipcs_prints_them() {
    if Command::new("ipcs").arg("--version").output().is_err() {
        eprintln!("as_ipcs_prints_them: skipped: there is no ipcs");
        return;
    }
    let (madang, key) = (Madang::new(), SysvKey::default());
    let queue = sysv::msg::Queue::options().mode(0o640).open(*key).unwrap();
    queue.send(1, b"two teas").unwrap();
    let segment = sysv::shm::Segment::options().size(5000).mode(0o666).open(*key).unwrap();
    let set = sysv::sem::Set::options().count(3).mode(0o400).open(*key).unwrap();
    let kernels = sysv::shm::Segment::options().size(6000).mode(0o600).open(sysv::Key::PRIVATE).unwrap();
    let _gone = Gone(|| drop(kernels.remove()));

    // Attached by a process from which no other test forks.
    let ours = fork(|| {
        madang.directory.becomes_madang_dir();
        let (key, create) = (key.number(), libc::IPC_CREAT);
        let queue = msg::msgget(key, create | 0o640).unwrap();
        msg::msgsnd(queue, 1, b"two teas", 0).unwrap();
        shm::shmget(key, 5000, create | 0o666).unwrap();
        sem::semget(key, 3, create | 0o400).unwrap();
        let removed = shm::shmget(libc::IPC_PRIVATE, 6000, 0o600).unwrap();
        shm::shmat(removed, 0, 0).unwrap();
        let _attached = kernels.attach().unwrap();
        kernels.remove().unwrap();
        shm::remove(removed).unwrap();
        loop {
            std::thread::park();
        }
    });
    let list = || madang.run(["ls", "--ipcs"]).well().text().to_owned();
    wait_until(|| list().contains(" dest "));
    let (listed, kernel) = (list(), finish(Command::new("ipcs").env("LC_ALL", "C"), b"").text().to_owned());
    drop(ours);

    let frame = |text: &str| text.lines().filter(|line| !line.starts_with("0x")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(frame(&listed), frame(&kernel));
    let ours: Vec<_> = listed.lines().filter(|line| line.starts_with("0x")).map(masked).collect();
    let theirs = [("msqid", queue.id()), ("shmid", segment.id()), ("shmid", kernels.id()), ("semid", set.id())];
    let theirs = theirs.map(|(kind, id)| masked(line(&kernel, kind, &id.to_string())));
    // Segments come in the order of their identifiers.
    let sorted = |lines: &[String]| {
        let mut lines = lines.to_vec();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&ours), sorted(&theirs));
}
