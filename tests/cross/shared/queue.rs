//! What one language does to a queue, and another sees of it.

use std::time::{Duration, Instant};

use madang_tests::Name;

use crate::company::{Actor, Answer, LANGUAGES, all, pairs};

/// The longest message of most tests here: the capacity of their queue.
const CAPACITY: u64 = 150_001;

/// What a receiver must tell of a message.
fn check(message: &Answer, mtype: u64, length: u64) {
    let seen = ["type", "length", "whole"].map(|key| message.number(key));
    assert_eq!(seen, [mtype, length, 1], "type, length and whether it is whole");
}

/// Messages from empty to the largest, of all types; received into a buffer of just that length, and in the usual way.
#[test]
fn empty_to_largest() {
    let lengths =
        [0, 1, 2, 7, 8, 9, 11, 12, 13, 63, 64, 65, 255, 256, 257, 1024, 4087, 4095, 4096, 4097, 65_535, 65_537];
    let types = [1, 2, 255, 256, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 1 << 32, (1 << 53) + 1, i64::MAX as u64];
    pairs(|writer, reader| {
        let name = Name::new("cross-lengths");
        writer.ask(format!("open {name} capacity={CAPACITY}"));
        reader.ask(format!("open {name} create=never"));
        let lengths = lengths.into_iter().chain([CAPACITY - 1, CAPACITY, CAPACITY, 0]);
        for (index, (length, mtype)) in lengths.zip(types.into_iter().cycle()).enumerate() {
            for (again, buffer) in [format!(" buffer={length}"), String::new()].iter().enumerate() {
                writer.ask(format!("send sender=7 index={index} length={length} type={mtype}"));
                let message = reader.ask(format!("recv sender=7 index={index}{buffer}"));
                check(&message, mtype, length);
                assert!(again == 1 || message.number("sequence") == 2 * index as u64);
            }
        }
    });
}

/// A message of some megabytes, which no cache and no scratch buffer holds.
#[test]
fn very_large() {
    let length = (3 << 20) + 5;
    pairs(|writer, reader| {
        let name = Name::new("cross-large");
        writer.ask(format!("open {name} capacity={length}"));
        reader.ask(format!("open {name}"));
        writer.ask(format!("send sender=1 index=2 length={length} type=3"));
        assert_eq!(writer.fails("send sender=1 index=3 length=1 type=3 timeout=0").errno, libc::EAGAIN);
        check(&reader.ask("recv sender=1 index=2"), 3, length);
    });
}

/// The actors do notice a wrong byte: else the other tests would show little.
#[test]
fn a_wrong_payload_is_noticed() {
    let name = Name::new("cross-wrong");
    for actor in Actor::one_of_each() {
        actor.ask(format!("open {name}"));
        for command in ["recv sender=1 index=3", "recv sender=1 index=3 buffer=100"] {
            actor.ask("send sender=1 index=2 length=13 type=1");
            assert_eq!(actor.ask(command).number("whole"), 0);
        }
        actor.ask(format!("open-segment {name} length=100"));
        actor.ask("write offset=0 sender=1 index=2 length=100");
        assert_eq!(actor.ask("read offset=1 sender=1 index=2 length=99").number("whole"), 0);
    }
}

/// Many messages lie in the queue, whose writer has closed it; they come in order, with their sequence.
#[test]
fn it_persists_in_order() {
    pairs(|writer, reader| {
        let name = Name::new("cross-order");
        writer.ask(format!("open {name} capacity={CAPACITY} create=only"));
        for index in 0..40 {
            writer.ask(format!("send sender=5 index={index} length={} type={}", index * 97 % 301, index + 1));
        }
        writer.ask("close");
        assert_eq!(reader.ask(format!("open {name} create=never")).number("messages"), 40);
        for index in 0..40 {
            let message = reader.ask(format!("recv sender=5 index={index} buffer=400 timeout=0"));
            check(&message, index + 1, index * 97 % 301);
            assert_eq!(message.number("sequence"), index);
        }
        assert_eq!(reader.fails("recv sender=5 index=40 timeout=0").errno, libc::EAGAIN);
    });
}

/// What one creates the others find, as it was asked for.
#[test]
fn create_and_open() {
    pairs(|creator, opener| {
        let name = Name::new("cross-create");
        // More than any umask leaves.
        let limits = format!("capacity=12345 max_messages=17 max_participants=9 mode={}", 0o666);
        let new = creator.ask(format!("open {name} create=only {limits}"));
        assert_eq!((new.number("new"), new.number("capacity")), (1, 12_345));
        for least in ["", "create=never", "capacity=12345 max_messages=17 max_participants=9", "capacity=1 mode=384"] {
            let old = opener.ask(format!("open {name} {least}"));
            assert_eq!((old.number("new"), old.number("capacity")), (0, 12_345));
            assert_eq!(opener.ask("stat"), creator.ask("stat"));
        }
        let status = opener.ask("stat");
        let seen = ["max_messages", "max_participants", "mode", "participants"].map(|key| status.number(key));
        assert_eq!(seen, [17, 9, 0o666, 2]);
    });
}

/// Two open what isn't there: one of them creates it, and both have the same.
#[test]
fn both_create() {
    // It goes last, after whoever may just be creating it.
    let name = Name::new("cross-both");
    pairs(|writer, reader| {
        let both = [writer, reader];
        for _ in 0..10 {
            both.iter().for_each(|actor| actor.tell(&format!("open {name} capacity=500")));
            both.iter().for_each(|actor| actor.has_begun());
            let new = both.map(|actor| actor.answer().number("new"));
            assert_eq!(new[0] + new[1], 1, "one of them creates it");
            writer.ask("send sender=1 index=1 length=100 type=1");
            check(&reader.ask("recv sender=1 index=1"), 1, 100);
            writer.ask(format!("unlink {name}"));
        }
    });
}

/// What one creates another unlinks: who has it open goes on, and who opens the name gets a new one.
#[test]
fn unlink() {
    pairs(|creator, other| {
        let name = Name::new("cross-unlink");
        creator.ask(format!("open {name}"));
        creator.ask("send sender=1 index=1 length=20 type=1");
        other.ask(format!("open {name}"));
        other.ask(format!("unlink {name}"));
        assert!(!name.queue_path().exists());
        check(&other.ask("recv sender=1 index=1"), 1, 20);
        other.ask("send sender=1 index=2 length=30 type=2");
        assert_eq!(creator.fails(format!("unlink {name}")).errno, libc::ENOENT);

        let new = other.ask(format!("open {name}"));
        assert_eq!((new.number("new"), new.number("messages")), (1, 0));
        check(&creator.ask("recv sender=1 index=2"), 2, 30);
        creator.ask("send sender=1 index=3 length=40 type=1");
        assert_eq!(other.ask("stat").number("sent"), 0, "these are two queues");
    });
}

/// `MADANG_DIR` means the same to all.
#[test]
fn a_directory_of_ones_own() {
    let directory = format!("{}/cross-{}", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    std::fs::create_dir_all(&directory).unwrap();
    let actors = LANGUAGES.map(|language| Actor::start_with(language, &[("MADANG_DIR", &directory)]));
    for writer in &actors {
        writer.ask("open here create=only");
        assert!(std::path::Path::new(&directory).join("madang.queue.here").exists());
        for reader in &actors {
            reader.ask("open here create=never");
            writer.ask("send sender=1 index=1 length=20 type=1");
            check(&reader.ask("recv sender=1 index=1"), 1, 20);
            if !std::ptr::eq(writer, reader) {
                reader.ask("close");
            }
        }
        writer.ask("unlink here");
    }
    std::fs::remove_dir(&directory).expect("nothing stays behind");
}

/// All see the same status, at each moment of a queue's life, whoever created it.
#[test]
fn stat() {
    let actors = Actor::one_of_each();
    for turn in 0..3 {
        let [one, two, three] = [0, 1, 2].map(|at| &actors[(turn + at) % 3]);
        println!("{:?} creates", one.language);
        let name = Name::new("cross-stat");
        let expect = |expected: [(&str, u64); 5]| {
            let status = one.ask("stat");
            assert_eq!([two, three].map(|actor| actor.ask("stat")), [status.clone(), status.clone()]);
            let seen = expected.map(|(key, _)| (key, status.number(key)));
            assert_eq!(seen, expected);
        };
        let mode = 0o620;
        one.ask(format!("open {name} capacity=10000 max_messages=6 max_participants=7 mode={mode}"));
        all([two, three], format!("open {name}"));
        expect([
            ("capacity", 10_000),
            ("max_messages", 6),
            ("max_participants", 7),
            ("mode", mode),
            ("participants", 3),
        ]);
        // SAFETY: neither takes anything, nor can it fail.
        let (user, group) = unsafe { (libc::geteuid(), libc::getegid()) };
        expect([("uid", user.into()), ("gid", group.into()), ("repairs", 0), ("sent", 0), ("received", 0)]);

        one.ask("send sender=1 index=0 length=9000 type=1");
        two.ask("send sender=2 index=0 length=100 type=1");
        three.ask("send sender=3 index=0 length=0 type=1");
        expect([("messages", 3), ("bytes", 9100), ("sent", 3), ("received", 0), ("participants", 3)]);
        three.ask("recv sender=1 index=0");
        expect([("messages", 2), ("bytes", 100), ("sent", 3), ("received", 1), ("participants", 3)]);
        (0..4).for_each(|index| drop(two.ask(format!("send sender=2 index={index} length=1 type=9"))));
        expect([("messages", 6), ("bytes", 104), ("sent", 7), ("received", 1), ("participants", 3)]);
        three.ask("close");
        assert_eq!([one, two].map(|actor| actor.ask("stat").number("participants")), [2, 2]);
    }
}

/// Who died takes no place: all see that it is gone.
#[test]
fn the_dead_are_not_counted() {
    let actors = Actor::one_of_each();
    let name = Name::new("cross-dead");
    all(&actors, format!("open {name} max_participants=4"));
    for language in LANGUAGES {
        let fourth = Actor::start(language);
        fourth.ask(format!("open {name}"));
        assert!(actors.iter().all(|actor| actor.ask("stat").number("participants") == 4));
        fourth.kill();
        assert!(actors.iter().all(|actor| actor.ask("stat").number("participants") == 3));
    }
}

/// How often somebody is woken; of these the middle time counts.
const ROUNDS: usize = 5;
/// Somebody who sleeps looks by himself after 250 ms: it is the wake that must be quicker.
const SOON: Duration = Duration::from_millis(125);

/// Plays a round that tells how long a wake took.
fn is_soon(round: impl FnMut(usize) -> Duration) {
    let mut times: Vec<_> = (0..ROUNDS).map(round).collect();
    times.sort_unstable();
    println!("woken after {times:?}");
    assert!(times[ROUNDS / 2] < SOON, "nobody is woken, they look by themselves");
}

/// A receiver of one language sleeps on an empty queue, and is woken by a sender of another.
#[test]
fn sleeping_receivers_are_woken() {
    pairs(|writer, reader| {
        let name = Name::new("cross-receiver");
        all([writer, reader], format!("open {name} capacity=1000"));
        is_soon(|index| {
            let timeout = ["", " timeout=20000"][index % 2];
            reader.begin(&format!("recv sender=1 index={index}{timeout}"));
            reader.wait_until_asleep();
            let begun = Instant::now();
            writer.ask(format!("send sender=1 index={index} length=50 type=4"));
            check(&reader.answer(), 4, 50);
            begun.elapsed()
        });
    });
}

/// A sender of one language sleeps on a full queue, and is released by a receiver of another.
#[test]
fn sleeping_senders_are_woken() {
    pairs(|writer, reader| {
        let name = Name::new("cross-sender");
        all([writer, reader], format!("open {name} capacity=1000"));
        writer.ask("send sender=1 index=0 length=600 type=1");
        is_soon(|index| {
            let timeout = ["", " timeout=20000"][index % 2];
            writer.begin(&format!("send sender=1 index={} length=600 type={}{timeout}", index + 1, index + 2));
            writer.wait_until_asleep();
            let begun = Instant::now();
            check(&reader.ask(format!("recv sender=1 index={index}")), index as u64 + 1, 600);
            writer.answer();
            begun.elapsed()
        });
        check(&reader.ask(format!("recv sender=1 index={ROUNDS}")), ROUNDS as u64 + 1, 600);
    });
}
