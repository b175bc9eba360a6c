//! Messages of many types by one language, received by another as it selects them.

use std::time::Instant;

use madang_tests::Name;

use super::refusals::all_refuse;
use crate::company::{Actor, Answer, Language, all, pairs};

/// Sends messages of these types, whose indices are their places; each is of another length.
pub(super) fn send_types(writer: &Actor, types: &[u64]) {
    for (index, mtype) in types.iter().enumerate() {
        writer.ask(format!("send sender=1 index={index} length={} type={mtype}", index * 700));
    }
}

/// What there is to tell of the message with that index.
pub(super) fn check(message: &Answer, index: u64, mtype: u64) {
    let seen = ["type", "length", "whole"].map(|key| message.number(key));
    assert_eq!(seen, [mtype, index * 700, 1], "type, length and whether it is whole");
}

/// Looks at a message; where the language tells more of it than `recv` does, that is right too. (Python doesn't.)
pub(super) fn peek_at(actor: &Actor, position: usize, index: u64, mtype: u64, redelivered: u64) {
    let message = actor.ask(format!("peek sender=1 index={index} position={position}"));
    check(&message, index, mtype);
    if actor.language != Language::Python {
        assert_eq!(["sequence", "redelivered"].map(|key| message.number(key)), [index, redelivered]);
    }
}

/// In whichever way the reader receives, and whatever was passed over before.
#[test]
fn by_type() {
    const TYPES: [u64; 8] = [5, 3, 7, 3, i64::MAX as u64, 1 << 40, 2, 5];
    let order = [
        ("select=7", 2),
        ("select=-4", 6),
        ("select=-4", 1),
        ("select=5 except=1", 3),
        (&*format!("select={}", 1_u64 << 40), 5),
        ("", 0),
        ("select=-9223372036854775808", 7),
        ("select=9223372036854775807", 4),
    ];
    pairs(|writer, reader| {
        for how in ["", " buffer=9000", " buffer=9000 cut=1", " timeout=0"] {
            let name = Name::new("cross-types");
            all([writer, reader], format!("open {name} capacity=100000"));
            send_types(writer, &TYPES);
            for (select, index) in order {
                let message = reader.ask(format!("recv sender=1 index={index} {select}{how}"));
                check(&message, index, TYPES[index as usize]);
                assert!(!how.contains("buffer") || message.number("sequence") == index);
            }
            let status = writer.ask("stat");
            assert_eq!(["messages", "bytes", "received"].map(|key| status.number(key)), [0, 0, 8]);
        }
    });
}

/// A buffer that is too small: the message stays, or is cut.
#[test]
fn too_small_a_buffer() {
    pairs(|writer, reader| {
        let name = Name::new("cross-cut");
        all([writer, reader], format!("open {name} capacity=100000"));
        send_types(writer, &[1, 2, 3]);
        let refusal = reader.fails("recv sender=1 index=2 select=3 buffer=1399");
        assert_eq!((refusal.errno, refusal.length), (libc::E2BIG, 1400));
        let cut = reader.ask("recv sender=1 index=2 select=3 buffer=1399 cut=1");
        assert_eq!(["type", "length", "whole", "all", "sequence"].map(|key| cut.number(key)), [3, 1399, 1, 1400, 2]);
        let whole = reader.ask("recv sender=1 index=1 select=1 except=1 buffer=700 cut=1");
        assert_eq!(["type", "length", "whole", "all"].map(|key| whole.number(key)), [2, 700, 1, 700]);
        assert_eq!(writer.ask("stat").number("messages"), 1);
    });
}

/// What is looked at stays.
#[test]
fn peek() {
    const TYPES: [u64; 4] = [4, 2, 9, 2];
    pairs(|writer, reader| {
        let name = Name::new("cross-peek");
        all([writer, reader], format!("open {name} capacity=100000"));
        send_types(writer, &TYPES);
        let check_left = |left: &[u64]| {
            for (position, &index) in left.iter().enumerate() {
                for actor in [writer, reader] {
                    peek_at(actor, position, index, TYPES[index as usize], 0);
                }
            }
            all_refuse(&[writer, reader], &[(format!("peek sender=1 index=0 position={}", left.len()), libc::EAGAIN)]);
        };
        check_left(&[0, 1, 2, 3]);
        check(&reader.ask("recv sender=1 index=2 select=9"), 2, 9);
        check_left(&[0, 1, 3]);
        check(&writer.ask("recv sender=1 index=1 select=-3"), 1, 2);
        check_left(&[0, 3]);
    });
}

/// One who waits for a type sleeps through others, and is woken by his own.
#[test]
fn sleepers_are_woken_by_their_type() {
    pairs(|writer, reader| {
        let name = Name::new("cross-choosy");
        let other = Actor::start(reader.language);
        all([writer, reader, &other], format!("open {name}"));
        let mut times: Vec<_> = (0..5)
            .map(|index| {
                reader.begin(&format!("recv sender=1 index={index} select=7"));
                other.begin(&format!("recv sender=2 index={index} select=7 except=1"));
                [reader, &other].iter().for_each(|actor| actor.wait_until_asleep());
                writer.ask(format!("send sender=2 index={index} length=40 type=8"));
                assert_eq!(other.answer().number("whole"), 1);
                reader.wait_until_asleep();
                let begun = Instant::now();
                writer.ask(format!("send sender=1 index={index} length=50 type=7"));
                assert_eq!(reader.answer().number("whole"), 1);
                begun.elapsed()
            })
            .collect();
        times.sort_unstable();
        // By himself he looks after 250 ms.
        assert!(times[2].as_millis() < 125, "nobody is woken: {times:?}");
    });
}

/// The same errno, and the same sentence.
#[test]
fn refusals() {
    pairs(|writer, reader| {
        let name = Name::new("cross-no-such");
        all([writer, reader], format!("open {name} capacity=100"));
        writer.ask("send sender=1 index=1 length=30 type=5");
        all_refuse(
            &[writer, reader],
            &[
                ("recv sender=1 index=1 select=4 timeout=0", libc::EAGAIN),
                ("recv sender=1 index=1 select=-4 timeout=5", libc::ETIMEDOUT),
                ("recv sender=1 index=1 select=5 except=1 timeout=5 buffer=40", libc::ETIMEDOUT),
                ("recv sender=1 index=1 select=-5 timeout=0 buffer=29", libc::E2BIG),
                ("lease sender=1 index=1 select=4 timeout=0", libc::EAGAIN),
                ("lease sender=1 index=1 select=6 timeout=5", libc::ETIMEDOUT),
                ("peek sender=1 index=1 position=1", libc::EAGAIN),
                ("reserve length=101", libc::EMSGSIZE),
                ("reserve length=71 timeout=0", libc::EAGAIN),
                ("reserve length=71 timeout=5", libc::ETIMEDOUT),
            ],
        );
        assert_eq!(reader.ask("recv sender=1 index=1 select=5").number("whole"), 1);
    });
}
