//! The kernel's objects in `ls`, `stat` and `rm`.

use std::cell::RefCell;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use madang::posix::{mq, sem, shm};
use madang::sysv::{msg::Queue, sem::Set, shm::Segment};
use madang_tests::{Name, SysvKey, fork};
use serde_json::json;

use crate::command::Madang;

/// The lines of a table in which this word occurs.
fn lines<'a>(table: &'a str, word: &str) -> Vec<&'a str> {
    table.lines().filter(|line| line.split_whitespace().any(|it| it == word)).collect()
}

#[test]
fn they_are_listed() {
    let (madang, key) = (Madang::new(), SysvKey::default());
    let queue = Queue::options().mode(0o640).open(*key).unwrap();
    queue.send(1, b"two teas").unwrap();
    let segment = Segment::options().size(5 << 10).open(*key).unwrap();
    let _attached = segment.attach().unwrap();
    let set = Set::options().values(&[1, 2]).open(*key).unwrap();
    let table = madang.run(["ls", "--kernel"]).well().text().to_owned();
    assert!(table.starts_with("KIND "), "{table}");
    let [one, two, three] = lines(&table, &key.to_string())[..] else { panic!("{table}") };
    let me = std::process::id();
    for (line, name, content) in [
        (one, format!("sysv:msg:{}", queue.id()), "1 message, 8 B of 16 KiB"),
        (two, format!("sysv:shm:{}", segment.id()), "5 KiB, "),
        (three, format!("sysv:sem:{}", set.id()), "2 semaphores"),
    ] {
        assert!(line.contains(&format!(" {name} ")) && line.contains(content) && line.ends_with("root"), "{line}");
    }
    assert!([one, three].iter().all(|line| line.contains(&format!(" {me} ("))), "{table}");
    assert!(one.contains(" 0640 ") && two.contains(" 0600 "), "{table}");

    let all = madang.run(["ls", "--kernel", "--json"]).well().json();
    let ours: Vec<_> = all.as_array().unwrap().iter().filter(|row| row["key"] == key.to_string().as_str()).collect();
    assert_eq!(ours.len(), 3);
    assert_eq!(ours[0]["messages"], 1);
    assert_eq!(ours[1]["size"], 5 << 10);
    assert_eq!(ours[2]["semaphores"][1]["value"], 2);
}

#[test]
fn one_is_told_of() {
    let (madang, key) = (Madang::new(), SysvKey::default());
    let queue = Queue::open(*key).unwrap();
    queue.send(1, b"two teas").unwrap();
    for name in [format!("sysv:msg:{}", queue.id()), format!("sysv:msg:{:#x}", key.number())] {
        let text = madang.run(["stat", &name]).well().text().to_owned();
        assert!(
            text.starts_with(&format!("sysv:msg:{}: a System V message queue, key {}\n", queue.id(), *key)),
            "{text}"
        );
        assert!(
            text.contains("  content      1 message, 8 B of 16 KiB\n") && text.contains("  received     never\n"),
            "{text}"
        );
    }
    let told = madang.run(["stat", "--json", &format!("sysv:msg:{}", queue.id())]).well().json();
    let status = queue.stat().unwrap();
    let expected = json!({
        "kind": "sysv-msg", "name": format!("sysv:msg:{}", queue.id()), "id": queue.id(), "key": key.to_string(),
        "mode": "0600", "uid": 0, "gid": 0, "creator_uid": 0, "creator_gid": 0, "messages": 1, "bytes": 8,
        "capacity": status.capacity, "last_sender": std::process::id(), "last_receiver": 0, "sent_at": status.sent_at,
        "received_at": 0, "changed_at": status.changed_at,
    });
    assert_eq!(told, expected);

    let set = Set::options().values(&[3, 4]).open(*key).unwrap();
    let text = madang.run(["stat", &format!("sysv:sem:{}", set.id())]).well().text().to_owned();
    assert!(text.contains("2 semaphores") && text.contains("SEMAPHORE  VALUE  WAIT FOR MORE"), "{text}");
    let segment = Segment::options().size(4096).open(*key).unwrap();
    segment.lock().unwrap();
    let text = madang.run(["stat", &format!("sysv:shm:{}", segment.id())]).well().text().to_owned();
    assert!(text.contains("4 KiB, 0 attachments, locked in memory\n"), "{text}");
}

#[test]
fn they_are_removed() {
    let (madang, key) = (Madang::new(), SysvKey::default());
    let queue = Queue::open(*key).unwrap();
    let by_id = format!("sysv:msg:{}", queue.id());
    queue.send(1, b"two teas").unwrap();
    madang.run(["rm", &by_id]).says(1, "it holds 1 message: --force removes it all the same (EBUSY)");
    madang.run(["rm", "--force", &by_id]).well();
    madang.run(["rm", &by_id]).says(4, "madang ls --kernel lists those that are (ENOENT)");
    madang.run(["stat", &by_id]).says(4, "(ENOENT)");

    let by_key = |kind: &str| format!("sysv:{kind}:{:#x}", key.number());
    let segment = Segment::options().size(4096).open(*key).unwrap();
    let attached = segment.attach().unwrap();
    madang.run(["rm", &by_key("shm")]).says(1, "attachment");
    madang.run(["rm", "-f", &by_key("shm")]).well();
    assert!(segment.stat().unwrap().is_removed);
    drop(attached);

    let set = Set::options().count(1).open(*key).unwrap();
    let child = fork(|| i32::from(set.acquire(0).unwrap_err().errno() != libc::EIDRM));
    crate::command::wait_until(|| set.waiting_for_increase(0).unwrap() == 1);
    madang.run(["rm", &by_key("sem")]).says(1, "there is 1 waiter");
    madang.run(["rm", "-f", &by_key("sem")]).well();
    child.succeeds();
    madang.run(["rm", &by_key("sem"), "sysv:msg:0x0", "sysv:sem:99999999999"]).says(4, "sysv:sem:0x");
}

/// The kernel's queues can be seen only where their file system is mounted: there, in a mount namespace of the command's own.
fn with_mqueue(command: &mut Command) {
    // SAFETY: mere system calls, on constant strings.
    unsafe {
        command.pre_exec(|| {
            let none = std::ptr::null();
            let mounted = libc::unshare(libc::CLONE_NEWNS) == 0
                && libc::mount(none, c"/".as_ptr(), none, libc::MS_REC | libc::MS_PRIVATE, none.cast()) == 0
                && libc::mount(c"none".as_ptr(), c"/dev".as_ptr(), c"tmpfs".as_ptr(), 0, none.cast()) == 0
                && libc::mkdir(c"/dev/shm".as_ptr(), 0o777) == 0
                && libc::mkdir(c"/dev/mqueue".as_ptr(), 0o777) == 0
                && libc::mount(c"none".as_ptr(), c"/dev/mqueue".as_ptr(), c"mqueue".as_ptr(), 0, none.cast()) == 0;
            if mounted { Ok(()) } else { Err(std::io::Error::last_os_error()) }
        });
    }
}

/// What is told of it, as soon as just these use it: a child that another test starts has all that this process has, until it runs
/// a program of its own.
fn used_by(madang: &Madang, name: &str, users: &[u32]) -> serde_json::Value {
    let told = RefCell::default();
    crate::command::wait_until(|| {
        *told.borrow_mut() = madang.run(["stat", "--json", name]).well().json();
        told.borrow()["users"] == json!(users)
    });
    told.into_inner()
}

#[test]
fn posix_queues() {
    let (madang, name) = (Madang::new(), Name::new("cli-mq"));
    let queue = mq::Queue::options().mode(0o640).max_messages(5).max_message_size(100).open(&name).unwrap();
    queue.send(3, b"two teas").unwrap();
    let full = format!("posix:mq:{name}");
    let text = madang.run(["stat", &full]).well().text().to_owned();
    assert!(
        text.starts_with(&format!("{full}: a POSIX message queue\n  content      1 message of 5, 8 B\n")),
        "{text}"
    );
    let me = std::process::id();
    assert!(text.contains("  longest      100 B\n") && text.contains(&format!("{me} (")), "{text}");
    let told = used_by(&madang, &full, &[me]);
    let expected = json!({
        "kind": "posix-mq", "name": full, "mode": "0640", "uid": 0, "gid": 0, "messages": 1, "max_messages": 5,
        "max_message_size": 100, "bytes": 8, "notified_pid": 0, "users": [me],
    });
    assert_eq!(told, expected);

    let mut list = madang.command(["ls", "--kernel"]);
    with_mqueue(&mut list);
    match list.stdin(Stdio::null()).output() {
        Ok(done) => {
            let table = String::from_utf8(done.stdout).unwrap();
            let [line] = lines(&table, &full)[..] else { panic!("{table}") };
            assert!(line.starts_with("posix-mq ") && line.contains(" 1 message of 5, 8 B "), "{line}");
            assert!(line.contains(&format!(" {me} (")) && line.ends_with(" 0640  root"), "{line}");
        }
        Err(error) => eprintln!("posix_queues: ls skipped: may not mount mqueue: {error}"),
    }

    madang.run(["rm", &full]).says(1, "it holds 1 message, and it is used by");
    madang.run(["rm", "--force", &full]).well();
    madang.run(["rm", &full]).says(4, "madang ls --kernel lists those that are (ENOENT)");
    madang.run(["stat", &full]).says(4, "(ENOENT)");
}

#[test]
fn posix_semaphores() {
    let (madang, name) = (Madang::new(), Name::new("cli-sem"));
    let semaphore = sem::Semaphore::options().value(5).mode(0o660).open(&name).unwrap();
    let (full, me) = (format!("posix:sem:{name}"), std::process::id());
    let told = used_by(&madang, &full, &[me]);
    let expected = json!({
        "kind": "posix-sem", "name": full, "mode": "0660", "uid": 0, "gid": 0, "value": 5, "users": [me],
    });
    assert_eq!(told, expected);
    let table = madang.run(["ls", "--kernel"]).well().text().to_owned();
    let [line] = lines(&table, &full)[..] else { panic!("{table}") };
    assert!(line.starts_with("posix-sem ") && line.contains(" value 5 ") && line.ends_with(" 0660  root"), "{line}");
    madang.run(["rm", &full]).says(1, &format!("{me} ("));
    drop(semaphore);
    used_by(&madang, &full, &[]);
    let text = madang.run(["stat", &full]).well().text().to_owned();
    assert!(text.contains(": a POSIX semaphore\n") && text.contains("  used by      nobody that is known\n"), "{text}");
    madang.run(["rm", &full]).well();
    madang.run(["rm", "-f", &full]).says(4, "(ENOENT)");
}

#[test]
fn posix_memory() {
    let (madang, name) = (Madang::new(), Name::new("cli-shm"));
    let object = shm::Object::options().size(5000).open(&name).unwrap();
    let mapping = object.map(0, 0, true).unwrap();
    drop(object);
    let (full, me) = (format!("posix:shm:{name}"), std::process::id());
    let told = used_by(&madang, &full, &[me]);
    let expected = json!({
        "kind": "posix-shm", "name": full, "mode": "0600", "uid": 0, "gid": 0, "size": 5000, "allocated": 8192,
        "users": [me],
    });
    assert_eq!(told, expected);
    let table = madang.run(["ls", "--kernel"]).well().text().to_owned();
    let [line] = lines(&table, &full)[..] else { panic!("{table}") };
    assert!(
        line.starts_with("posix-shm ") && line.contains(" 4.8 KiB ") && line.contains(&format!(" {me} (")),
        "{line}"
    );
    madang.run(["rm", &full]).says(1, &format!("{me} ("));
    drop(mapping);
    used_by(&madang, &full, &[]);
    madang.run(["rm", &full]).well();
    madang.run(["stat", &full]).says(4, "(ENOENT)");
}

#[test]
fn other_names_are_queues() {
    let madang = Madang::new();
    for name in ["sysv:msg:", "sysv:msg:0x", "sysv:pipe:1", "sysv:msg:1a", "posix:mq:", "posix:pipe:x"] {
        madang.run(["send", name, "x"]).well();
        assert_eq!(madang.run(["stat", name, "--json"]).well().json()["kind"], "queue");
    }
}
