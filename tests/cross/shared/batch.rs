//! Batches and pieces: between each two languages, and with the ways of sending and receiving one by one.

use madang_tests::{Name, Random};

use super::kill::{EARLIEST, LENGTHS, MOST, Marks, check_sender, join, pause};
use super::stream::{check, stream};
use crate::company::{Actor, Refusal, all, pairs, wait_until};

/// As `stream`, in batches.
fn in_batches(stream: &str, batch: u64) -> String {
    format!("{} batch={batch}", stream.replacen("stream", "stream-batches", 1))
}

/// More goes through the queue than it holds, in batches of many lengths, on one side or on both.
#[test]
fn spsc() {
    const COUNT: u64 = 700;
    pairs(|writer, reader| {
        for (batch, most) in [(1, 32), (7, 200), (200, 5)] {
            let name = Name::new("cross-batches");
            all([writer, reader], format!("open {name} capacity=20000"));
            reader.begin(&format!("collect-batches batch={most}"));
            writer.ask(in_batches(&stream(0, COUNT), batch));
            writer.ask("send sender=0 index=0 length=0 type=1");
            check(&reader.answer().messages(), 1, COUNT);
            reader.begin("collect");
            writer.ask(in_batches(&stream(0, COUNT), batch));
            writer.ask("send-many sender=0 index=0 lengths=0 type=1");
            assert_eq!(reader.answer().messages().len() as u64, COUNT);
        }
    });
}

/// Writers of each language at once, some in batches and some not.
#[test]
fn mpsc() {
    const COUNT: u64 = 1500;
    let writers: Vec<_> = (0..2).flat_map(|_| Actor::one_of_each()).collect();
    for reader in &Actor::one_of_each() {
        let name = Name::new("cross-batches-mpsc");
        all(writers.iter().chain([reader]), format!("open {name} capacity=8000"));
        reader.begin("collect-batches batch=50");
        for (sender, writer) in writers.iter().enumerate() {
            let stream = stream(sender, COUNT);
            writer.begin(&if sender < 3 { stream } else { in_batches(&stream, 20) });
        }
        writers.iter().for_each(|writer| drop(writer.answer()));
        writers[0].ask("send sender=0 index=0 length=0 type=1");
        let mut messages = reader.answer().messages();
        messages.sort_unstable_by_key(|message| message.sequence);
        check(&messages, writers.len(), COUNT);
    }
}

#[test]
fn pieces() {
    pairs(|writer, reader| {
        let name = Name::new("cross-pieces");
        all([writer, reader], format!("open {name} capacity=100000"));
        for length in [0, 1, 2, 3, 100, 5000, 100_000] {
            writer.ask(format!("send-pieces sender=3 index=9 length={length} type=7"));
            let message = reader.ask("recv sender=3 index=9");
            assert_eq!(["type", "length", "whole"].map(|key| message.number(key)), [7, length, 1]);
        }
    });
}

/// As many as fit, and how many that is; and the same refusals.
#[test]
fn full_and_refused() {
    let actors = Actor::one_of_each();
    let all_refuse = |command: &str, errno| {
        let refusals: Vec<Refusal> = actors.iter().map(|actor| actor.fails(command)).collect();
        println!("{command}: {}", refusals[0].sentence);
        assert!(refusals.iter().all(|refusal| *refusal == refusals[0] && refusal.errno == errno), "{refusals:?}");
    };
    let name = Name::new("cross-batches-full");
    all(&actors, format!("open {name} capacity=100 max_messages=4"));
    let send = |lengths: &str, rest: &str| format!("send-many sender=1 index=1 lengths={lengths} type={rest}");
    for actor in &actors {
        for (lengths, sent) in [("30,30,30,30,30", 3), ("60,40,1", 2), ("1,1,1,1,1,1", 4), ("70,31,1", 1)] {
            for timeout in [0, 5] {
                let told = actor.ask(send(lengths, &format!("1 timeout={timeout}")));
                assert_eq!(told.number("sent"), sent, "{:?}: {lengths}", actor.language);
                if timeout == 0 {
                    all_refuse(&send("70,1", "1 timeout=0"), libc::EAGAIN);
                    all_refuse(&send("70,1", "1 timeout=5"), libc::ETIMEDOUT);
                }
                (0..sent).for_each(|_| drop(actor.ask("recv sender=1 index=1")));
            }
        }
    }
    all_refuse(&send("1,1,101,1", "1"), libc::EMSGSIZE);
    all_refuse(&send("1,1", "0"), libc::EINVAL);
    all_refuse("send-pieces sender=1 index=1 length=101 type=1", libc::EMSGSIZE);
    all_refuse("send-pieces sender=1 index=1 length=1 type=-1", libc::EINVAL);
    assert_eq!(actors[0].ask("stat").number("messages"), 0, "nothing was sent");
}

/// Who sends in batches is killed and replaced; another writer goes on, and the reader gets everything, each batch without gaps.
#[test]
fn writers_are_killed() {
    const KILLS: u64 = 4;
    const BATCH: u64 = 30;
    const SHARE: u64 = 150;
    pairs(|victims, reader| {
        let name = Name::new("cross-kill-batches");
        let marks = Marks::new((KILLS + 1) * MOST);
        reader.ask(format!("open {name} capacity=8000"));
        let steady = join(reader.language, &name, &marks);
        reader.begin("collect-batches batch=40");
        let mut random = Random(KILLS);
        for sender in 1..=KILLS {
            let victim = join(victims.language, &name, &marks);
            let place = sender * MOST;
            victim.begin(&format!(
                "stream-batches sender={sender} first=0 count={MOST} marks={place} {LENGTHS} batch={BATCH}"
            ));
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
            check_sender(&messages, sender, told, if sender == 0 { 0 } else { BATCH });
        }
        println!("{} messages, {} repairs", messages.len(), steady.ask("stat").number("repairs"));
    });
}
