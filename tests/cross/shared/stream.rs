//! Many messages through one queue: between each two languages, and among all at once.

use std::collections::BTreeMap;

use madang_tests::Name;

use crate::company::{Actor, Collected, all, pairs};

/// How long they are, in turn.
const LENGTHS: [u64; 7] = [12, 40, 13, 700, 64, 12, 3000];

pub(super) fn stream(sender: usize, count: u64) -> String {
    let lengths = LENGTHS.map(|length| length.to_string()).join(",");
    format!("stream sender={sender} first=0 count={count} lengths={lengths}")
}

/// In the order in which they were sent to the queue, the messages of each sender come once, and one after the other.
pub(super) fn check(messages: &[Collected], senders: usize, count: u64) {
    let mut next = BTreeMap::new();
    for (sequence, message) in (0..).zip(messages) {
        let index = next.entry(message.sender).or_insert(0);
        let length = LENGTHS[*index as usize % LENGTHS.len()];
        let expected = Collected { sequence, mtype: message.sender + 1, sender: message.sender, index: *index, length };
        assert_eq!(*message, expected, "each message once, in order");
        *index += 1;
    }
    assert_eq!(next, (0..senders as u64).map(|sender| (sender, count)).collect());
}

/// More goes through the queue than it holds: now it is full, now it is empty.
#[test]
fn spsc() {
    const COUNT: u64 = 1000;
    pairs(|writer, reader| {
        let name = Name::new("cross-spsc");
        all([writer, reader], format!("open {name} capacity=20000"));
        reader.begin("collect");
        writer.ask(stream(0, COUNT));
        writer.ask("send sender=0 index=0 length=0 type=1");
        check(&reader.answer().messages(), 1, COUNT);
    });
}

/// Two writers and two readers of each language.
#[test]
fn mpmc() {
    const COUNT: u64 = 1500;
    let two_of_each = || (0..2).flat_map(|_| Actor::one_of_each()).collect::<Vec<_>>();
    let (writers, readers) = (two_of_each(), two_of_each());
    let name = Name::new("cross-mpmc");
    all(writers.iter().chain(&readers), format!("open {name} capacity=8000"));

    readers.iter().for_each(|reader| reader.begin("collect"));
    writers.iter().enumerate().for_each(|(sender, writer)| writer.begin(&stream(sender, COUNT)));
    writers.iter().for_each(|writer| drop(writer.answer()));
    readers.iter().for_each(|_| drop(writers[0].ask("send sender=0 index=0 length=0 type=1")));

    let mut log = Vec::new();
    for reader in &readers {
        let messages = reader.answer().messages();
        println!("{:?} took {}", reader.language, messages.len());
        assert!(messages.is_sorted(), "each reader receives in the order in which they were sent");
        log.extend(messages);
    }
    log.sort_unstable();
    check(&log, writers.len(), COUNT);
    let status = writers[1].ask("stat");
    let (sent, participants) = ((log.len() + readers.len()) as u64, (writers.len() + readers.len()) as u64);
    let seen = ["sent", "received", "messages", "bytes", "participants"].map(|key| status.number(key));
    assert_eq!(seen, [sent, sent, 0, 0, participants]);
}
