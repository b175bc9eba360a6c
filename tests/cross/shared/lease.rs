//! Leases and reservations: what one language holds, the others see accordingly, also when it is killed.

use madang::Queue;
use madang_tests::Name;

use super::refusals::all_refuse;
use super::select::{check, peek_at, send_types};
use crate::company::{Actor, Language, all, pairs, wait_until};

/// How many messages of the queue are leased.
fn leased(name: &Name) -> u64 {
    Queue::open(name).unwrap().stat().unwrap().leased
}

/// What is leased the others don't see; acknowledged it is gone, released it is there again.
#[test]
fn ack_and_release() {
    const TYPES: [u64; 5] = [4, 2, 9, 2, 4];
    pairs(|writer, reader| {
        let name = Name::new("cross-lease");
        all([writer, reader], format!("open {name} capacity=100000"));
        send_types(writer, &TYPES);
        for round in 0..3 {
            let message = reader.ask("lease sender=1 index=2 select=9");
            check(&message, 2, 9);
            assert_eq!(["sequence", "redelivered"].map(|key| message.number(key)), [2, round]);
            assert_eq!(writer.fails("recv sender=1 index=2 select=9 timeout=0").errno, libc::EAGAIN);
            peek_at(writer, 2, 3, 2, 0);
            assert_eq!((leased(&name), writer.ask("stat").number("messages")), (1, 5));
            reader.ask("release");
            peek_at(writer, 2, 2, 9, round + 1);
        }
        // Both have one; what comes back comes to its old place.
        check(&reader.ask("lease sender=1 index=0"), 0, 4);
        check(&writer.ask("lease sender=1 index=1 select=-3"), 1, 2);
        assert_eq!(leased(&name), 2);
        writer.ask("release");
        reader.ask("ack");
        for (index, redelivered) in [(1, 1), (2, 3), (3, 0), (4, 0)] {
            let message = writer.ask(format!("lease sender=1 index={index}"));
            check(&message, index, TYPES[index as usize]);
            assert_eq!(["sequence", "redelivered"].map(|key| message.number(key)), [index, redelivered]);
            writer.ask("ack");
        }
        let status = reader.ask("stat");
        assert_eq!(["messages", "bytes", "received"].map(|key| status.number(key)), [0, 0, 5]);
    });
}

/// Whoever is killed with a lease leaves the message to the others: to one who looks, and to one who sleeps.
#[test]
fn holders_are_killed() {
    pairs(|holder, reader| {
        let name = Name::new("cross-dead-lease");
        reader.ask(format!("open {name} capacity=100000"));
        reader.ask("send sender=1 index=3 length=5000 type=6");
        for before in [0, 2, 4, 6] {
            let victim = Actor::start(holder.language);
            victim.ask(format!("open {name}"));
            assert_eq!(victim.ask("lease sender=1 index=3").number("redelivered"), before);
            assert_eq!(reader.fails("lease sender=1 index=3 timeout=0").errno, libc::EAGAIN);
            let message = if before % 4 == 0 {
                victim.kill();
                reader.ask("lease sender=1 index=3 timeout=0")
            } else {
                reader.begin("lease sender=1 index=3 select=6");
                reader.wait_until_asleep();
                victim.kill();
                reader.answer()
            };
            assert_eq!(["redelivered", "sequence", "whole"].map(|key| message.number(key)), [before + 1, 0, 1]);
            reader.ask("release");
        }
        reader.ask("lease sender=1 index=3");
        reader.ask("ack");
        assert_eq!(reader.ask("stat").number("messages"), 0);
    });
}

/// A reservation is seen when it is committed, behind what was sent meanwhile; dropped or left by the dead it never was.
#[test]
fn reserve_and_commit() {
    pairs(|writer, reader| {
        let name = Name::new("cross-reserve");
        all([writer, reader], format!("open {name} capacity=100000"));
        for length in [0, 12, 4096, 60_000] {
            writer.ask(format!("reserve length={length}"));
            reader.ask("send sender=2 index=1 length=20 type=3");
            assert_eq!(reader.ask("stat").number("messages"), 1);
            writer.ask(format!("commit sender=1 index=1 length={} type=4", length / 2));
            assert_eq!(reader.ask("recv sender=2 index=1").number("type"), 3);
            let message = reader.ask("recv sender=1 index=1");
            assert_eq!(["type", "length", "whole"].map(|key| message.number(key)), [4, length / 2, 1]);
            writer.ask(format!("reserve length={length}"));
            writer.ask("drop");
        }
        let victim = Actor::start(writer.language);
        victim.ask(format!("open {name}"));
        victim.ask("reserve length=100000");
        victim.kill();
        reader.ask("reserve length=100000 timeout=0");
        reader.ask("drop");
        let status = writer.ask("stat");
        assert_eq!(["messages", "bytes", "sent"].map(|key| status.number(key)), [0, 0, 8]);
        assert!(writer.ask("trim").number("bytes") >= 65_536);
    });
}

/// A commit for which there is no room can be tried again.
#[test]
fn committed_again() {
    pairs(|writer, reader| {
        let name = Name::new("cross-commit");
        all([writer, reader], format!("open {name} capacity=1000"));
        all([writer, reader], "reserve length=600");
        writer.ask("commit sender=1 index=1 length=600 type=1");
        reader.ask("drop");
        // There is no room for this one, but it was reserved before.
        all([writer, reader], "reserve length=400");
        reader.ask("send sender=1 index=2 length=100 type=1");
        all_refuse(
            &[writer, reader],
            &[
                ("commit sender=1 index=3 length=400 type=1 timeout=0", libc::EAGAIN),
                ("commit sender=1 index=3 length=400 type=1 timeout=5", libc::ETIMEDOUT),
                ("commit sender=1 index=3 length=400 type=0 timeout=5", libc::EINVAL),
            ],
        );
        // Python's says that itself: it is ValueError, as for what lies outside of a buffer.
        let others: Vec<_> = [writer, reader].into_iter().filter(|actor| actor.language != Language::Python).collect();
        all_refuse(&others, &[("commit sender=1 index=3 length=401 type=1 timeout=5", libc::EINVAL)]);
        writer.begin("commit sender=1 index=3 length=400 type=2");
        writer.wait_until_asleep();
        assert_eq!(reader.ask("recv sender=1 index=1").number("whole"), 1);
        writer.answer();
        reader.ask("commit sender=1 index=4 length=400 type=1 timeout=0");
        for index in 2..5 {
            assert_eq!(reader.ask(format!("recv sender=1 index={index}")).number("whole"), 1);
        }
    });
}

/// Many are killed with leases and reservations in their hands; each message is acknowledged once.
#[test]
fn nothing_is_lost() {
    const COUNT: u64 = 60;
    pairs(|killed, steady| {
        let name = Name::new("cross-nothing-lost");
        steady.ask(format!("open {name} capacity=100000"));
        for index in 0..COUNT {
            steady.ask(format!("send sender=1 index={index} length=300 type={}", index % 3 + 1));
        }
        let mut acknowledged = Vec::new();
        while acknowledged.len() < COUNT as usize {
            let victim = Actor::start(killed.language);
            victim.ask(format!("open {name}"));
            for select in [1, 0, -2, 3] {
                for (actor, acks) in [(steady, true), (&victim, select < 0)] {
                    actor.begin(&format!("lease sender=1 index=0 select={select} timeout=0"));
                    let Ok(message) = actor.outcome() else { continue };
                    if acks {
                        actor.ask("ack");
                        acknowledged.push(message.number("sequence"));
                    }
                }
            }
            victim.ask("reserve length=40000 timeout=0");
            victim.kill();
        }
        acknowledged.sort_unstable();
        assert_eq!(acknowledged, (0..COUNT).collect::<Vec<_>>());
        wait_until("nothing is leased", || leased(&name) == 0);
        assert_eq!(steady.ask("stat").number("messages"), 0);
    });
}
