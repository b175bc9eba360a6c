//! A writer, or a reader, of one language is killed while those of another go on: nothing lost, nothing twice, nobody stuck.
//!
//! Who may be killed leaves marks in a segment, a byte for each message that he is through with. So it is known what had been
//! told before he was killed; one message more may have happened: the one in whose midst he was.

use std::thread;
use std::time::Duration;

use madang::Segment;
use madang_tests::{Name, Random};

use crate::company::{Actor, Collected, Language, all, pairs, wait_until};

/// For each of the nine pairs.
const KILLS: u64 = 6;
/// More than anybody gets through before he is killed.
pub(super) const MOST: u64 = 100_000;
/// What the one who is not killed does at each kill.
const SHARE: u64 = 150;
/// So many messages a victim is through with at least.
pub(super) const EARLIEST: u64 = 20;

pub(super) const LENGTHS: &str = "lengths=12,50,13,400,900,12";

/// The marks, seen from here.
pub(super) struct Marks {
    pub(super) name: Name,
    segment: Segment,
}

impl Marks {
    pub(super) fn new(length: u64) -> Self {
        let name = Name::new("cross-marks");
        let segment = Segment::options().length(length).open(&name).unwrap();
        Self { name, segment }
    }

    pub(super) fn at(&self, place: u64) -> u8 {
        let mut mark = [0];
        self.segment.read(place as usize, &mut mark).unwrap();
        mark[0]
    }

    /// How many there are from `place` on, one after the other.
    pub(super) fn run(&self, place: u64) -> u64 {
        (place..place + MOST).take_while(|&place| self.at(place) > 0).count() as u64
    }
}

/// An actor that takes part in the queue, and can leave marks.
pub(super) fn join(language: Language, queue: &Name, marks: &Marks) -> Actor {
    let actor = Actor::start(language);
    actor.ask(format!("open {queue} create=never"));
    actor.ask(format!("open-segment {} create=never", marks.name));
    actor
}

/// A moment at which nobody knows what the victim does.
pub(super) fn pause(random: &mut Random) {
    thread::sleep(Duration::from_nanos(random.below(1_000_000)));
}

/// Writers are killed and replaced; another writer, of the reader's language, has to go on, and the reader gets everything.
#[test]
fn writers_are_killed() {
    pairs(|victims, reader| {
        let name = Name::new("cross-kill-writers");
        let marks = Marks::new((KILLS + 1) * MOST);
        reader.ask(format!("open {name} capacity=8000"));
        let steady = join(reader.language, &name, &marks);
        reader.begin("collect");
        let mut random = Random(KILLS);
        for sender in 1..=KILLS {
            let victim = join(victims.language, &name, &marks);
            let place = sender * MOST;
            victim.begin(&format!("stream sender={sender} first=0 count={MOST} marks={place} {LENGTHS}"));
            steady.begin(&format!("stream sender=0 first={} count={SHARE} {LENGTHS}", (sender - 1) * SHARE));
            wait_until("the writer writes", || marks.at(place + EARLIEST) > 0);
            pause(&mut random);
            victim.kill();
            steady.answer();
        }
        steady.ask("send sender=0 index=0 length=0 type=1");
        let messages = reader.answer().messages();
        assert!((0..).zip(&messages).all(|(sequence, message)| message.sequence == sequence));
        for sender in 0..=KILLS {
            let told = if sender == 0 { KILLS * SHARE } else { marks.run(sender * MOST) };
            check_sender(&messages, sender, told, u64::from(sender > 0));
        }
        println!("{} messages, {} repairs", messages.len(), steady.ask("stat").number("repairs"));
    });
}

/// All that the sender told of came once and in order, and if he was killed, perhaps so many more.
pub(super) fn check_sender(messages: &[Collected], sender: u64, told: u64, more: u64) {
    let indices = messages.iter().filter(|message| message.sender == sender).map(|message| message.index);
    let arrived =
        (0..).zip(indices).inspect(|(expected, index)| assert_eq!(index, expected, "once, and in order")).count();
    assert!(
        (told..=told + more).contains(&(arrived as u64)),
        "sender {sender} told of {told} messages, {arrived} arrived"
    );
}

/// Readers are killed and replaced: each takes one message along at most, and nobody gets one twice.
#[test]
fn readers_are_killed() {
    pairs(|writer, victims| {
        let name = Name::new("cross-kill-readers");
        let marks = Marks::new((KILLS + 1) * SHARE);
        writer.ask(format!("open {name} capacity=8000"));
        let mut random = Random(KILLS);
        let mut reader = join(victims.language, &name, &marks);
        reader.begin("collect marks=0");
        for kill in 0..KILLS {
            let first = kill * SHARE;
            writer.begin(&format!("stream sender=0 first={first} count={SHARE} {LENGTHS}"));
            let place = first + EARLIEST + random.below(SHARE / 2);
            wait_until("the reader reads", || marks.at(place) > 0);
            pause(&mut random);
            reader.kill();
            reader = join(victims.language, &name, &marks);
            reader.begin("collect marks=0");
            writer.answer();
        }
        writer.ask("send sender=0 index=0 length=0 type=1");
        let last = reader.answer().messages();
        assert!(last.is_sorted() && last.iter().all(|message| message.sequence == message.index));
        let seen: Vec<_> = (0..KILLS * SHARE).map(|place| marks.at(place)).collect();
        assert!(seen.iter().all(|&times| times <= 1), "no message twice");
        let gone = seen.iter().filter(|&&times| times == 0).count() as u64;
        println!("{gone} messages taken along");
        assert!(gone <= KILLS, "each takes one along at most");
        let status = writer.ask("stat");
        let counts = ["sent", "received", "messages", "bytes"].map(|key| status.number(key));
        assert_eq!(counts, [KILLS * SHARE + 1, KILLS * SHARE + 1, 0, 0]);
    });
}

/// A reader is killed in its sleep: the next message wakes the other one, of another language.
#[test]
fn sleepers_are_killed() {
    pairs(|writer, reader| {
        let name = Name::new("cross-kill-sleeper");
        let sleeper = Actor::start(writer.language);
        all([writer, reader, &sleeper], format!("open {name}"));
        for asleep in [&sleeper, reader] {
            asleep.begin("recv sender=1 index=1");
            asleep.wait_until_asleep();
        }
        sleeper.kill();
        writer.ask("send sender=1 index=1 length=30 type=1");
        assert_eq!(reader.answer().number("whole"), 1);
        assert_eq!(writer.ask("stat").number("participants"), 2);
    });
}
