//! The same situation is the same errno in every language, and the same sentence.

use std::time::{Duration, Instant};

use madang_tests::Name;

use crate::company::{Actor, Refusal, all, pairs};

/// All refuse each of the commands, with this errno and one sentence.
pub(super) fn all_refuse(actors: &[&Actor], cases: &[(impl AsRef<str>, i32)]) {
    for (command, errno) in cases {
        let refusals: Vec<Refusal> = actors.iter().map(|actor| actor.fails(command)).collect();
        for (refusal, actor) in refusals.iter().zip(actors) {
            println!("{}: {:?} says: {}", command.as_ref(), actor.language, refusal.sentence);
            assert_eq!(refusal.errno, *errno);
            // If only Python differs, its module may be older than the rest: `make test` builds it anew.
            assert_eq!(*refusal, refusals[0], "all say it alike");
        }
    }
}

/// A situation that one brings about, and another finds.
#[test]
fn empty_and_full() {
    pairs(|writer, reader| {
        let name = Name::new("cross-limits");
        all([writer, reader], format!("open {name} capacity=100"));
        let refuse = |cases: &[(&str, i32)]| all_refuse(&[writer, reader], cases);
        refuse(&[
            ("recv sender=1 index=1 timeout=0", libc::EAGAIN),
            ("recv sender=1 index=1 timeout=0 buffer=10", libc::EAGAIN),
            ("recv sender=1 index=1 timeout=5", libc::ETIMEDOUT),
            ("recv sender=1 index=1 timeout=5 buffer=10", libc::ETIMEDOUT),
            ("send sender=1 index=1 type=1 length=101", libc::EMSGSIZE),
            ("send sender=1 index=1 type=0 length=1", libc::EINVAL),
            ("send sender=1 index=1 type=-1 length=1", libc::EINVAL),
            ("send sender=1 index=1 type=-9223372036854775808 length=0", libc::EINVAL),
        ]);
        writer.ask("send sender=1 index=1 type=5 length=100");
        refuse(&[
            ("send sender=1 index=2 type=1 length=1 timeout=0", libc::EAGAIN),
            ("send sender=1 index=2 type=1 length=1 timeout=5", libc::ETIMEDOUT),
            ("send sender=1 index=2 type=1 length=101 timeout=5", libc::EMSGSIZE),
            ("recv sender=1 index=1 timeout=0 buffer=99", libc::E2BIG),
            ("recv sender=1 index=1 buffer=0", libc::E2BIG),
        ]);
        assert_eq!(reader.fails("recv sender=1 index=1 buffer=12").length, 100, "it tells what the message needs");
        let message = reader.ask("recv sender=1 index=1 buffer=100");
        assert_eq!(
            ["type", "whole", "sequence"].map(|key| message.number(key)),
            [5, 1, 0],
            "nothing was lost or changed"
        );
    });
}

/// Nobody gives up before the time.
#[test]
fn timeout() {
    let wait = Duration::from_millis(60);
    for actor in Actor::one_of_each() {
        let name = Name::new("cross-timeout");
        actor.ask(format!("open {name} capacity=100"));
        let times_out = |command: &str| {
            let begun = Instant::now();
            assert_eq!(actor.fails(format!("{command} timeout={}", wait.as_millis())).errno, libc::ETIMEDOUT);
            assert!(begun.elapsed() >= wait, "{:?}: {command}: after {:?}", actor.language, begun.elapsed());
        };
        times_out("recv sender=1 index=1");
        times_out("recv sender=1 index=1 buffer=10");
        actor.ask("send sender=1 index=1 type=1 length=100");
        times_out("send sender=1 index=2 type=1 length=1");
        actor.ask("recv sender=1 index=1");
    }
}

/// Opening and unlinking: what one language has made, or what is no queue at all.
#[test]
fn opening() {
    let actors = Actor::one_of_each();
    for maker in &actors {
        let [queue, none, segment] = ["cross-queue", "cross-none", "cross-segment"].map(Name::new);
        println!("{:?} made them", maker.language);
        maker.ask(format!("open {queue} capacity=100 max_messages=10 max_participants=4"));
        maker.ask(format!("open-segment {segment} length=4096"));
        let cases = [
            (format!("open {none} create=never"), libc::ENOENT),
            (format!("open {queue} create=only"), libc::EEXIST),
            (format!("open {queue} capacity=101"), libc::EINVAL),
            (format!("open {queue} max_messages=11"), libc::EINVAL),
            (format!("open {queue} max_participants=5"), libc::EINVAL),
            (format!("open {none} capacity={}", (1_u64 << 40) + 1), libc::EINVAL),
            ("open a/b".to_owned(), libc::EINVAL),
            (format!("open {}", "n".repeat(243)), libc::ENAMETOOLONG),
            (format!("unlink {none}"), libc::ENOENT),
            ("unlink a/b".to_owned(), libc::EINVAL),
            (format!("open-segment {none} create=never"), libc::ENOENT),
            (format!("open-segment {none}"), libc::ENOENT),
            (format!("open-segment {none} create=only"), libc::EINVAL),
            (format!("open-segment {none} read_only=1"), libc::ENOENT),
            (format!("open-segment {segment} create=only length=1"), libc::EEXIST),
            (format!("open-segment {segment} length=4097"), libc::EINVAL),
            ("open-segment a/b length=1".to_owned(), libc::EINVAL),
            (format!("open-segment {} length=1", "n".repeat(256)), libc::ENAMETOOLONG),
            ("open-segment madang.queue.x length=1".to_owned(), libc::EINVAL),
            (format!("unlink-segment {none}"), libc::ENOENT),
        ];
        let others: Vec<_> = actors.iter().filter(|actor| actor.language != maker.language).collect();
        all_refuse(&others, &cases);
        assert!(!none.queue_path().exists() && !none.segment_path().exists());
    }
}

/// Something else has the name.
#[test]
fn no_queue_at_all() {
    let actors = Actor::one_of_each();
    let [garbage, directory, link] = ["cross-garbage", "cross-directory", "cross-link"].map(Name::new);
    std::fs::write(garbage.queue_path(), [0xa5; 200_000]).unwrap();
    std::fs::create_dir(directory.queue_path()).unwrap();
    std::os::unix::fs::symlink(garbage.queue_path(), link.queue_path()).unwrap();
    let cases = [
        (format!("open {garbage}"), libc::EUCLEAN),
        (format!("open {directory}"), libc::EISDIR),
        (format!("open {link}"), libc::ELOOP),
    ];
    all_refuse(&actors.each_ref(), &cases);
}

/// One language takes the last place; the others are told so, until it is free again.
#[test]
fn no_place_is_left() {
    pairs(|first, second| {
        let name = Name::new("cross-places");
        first.ask(format!("open {name} max_participants=1"));
        assert_eq!(second.fails(format!("open {name}")).errno, libc::EUSERS);
        first.ask("close");
        second.ask(format!("open {name}"));
        second.ask("close");
    });
}
