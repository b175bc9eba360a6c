//! The operations of a queue.

use std::rc::Rc;
use std::time::Duration;

use madang::{Batch, Create, Deadline, Queue, QueueOptions, Select};
use madang_tests::payload;

use super::names::{Named, names};
use super::operation::{BOUND, Check, Checked, Operation, expect, no};
use super::tracer::Act;
use crate::part::{Fault, Harm};

const NAME: &str = "q";
/// Another, to compare with.
const FRESH: &str = "fresh";

/// A message as it must arrive: its number, which is in its bytes, and how often it was handed out before.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sent {
    number: u64,
    mtype: i64,
    length: usize,
    redelivered: u32,
}

impl Sent {
    fn bytes(&self) -> Vec<u8> {
        payload(0, self.number, self.length)
    }

    fn again(&self) -> Self {
        Self { redelivered: 1, ..self.clone() }
    }
}

fn message(number: u64, mtype: i64, length: usize) -> Sent {
    Sent { number, mtype, length, redelivered: 0 }
}

/// What is there before: several types, the shortest, one that lies in a block.
fn usual() -> Vec<Sent> {
    vec![message(0, 1, 20), message(1, 2, 100), message(2, 3, 12), message(3, 2, 5000), message(4, 1, 40)]
}

fn open(manner: Manner) -> Queue {
    manner.options().open(NAME).expect("the queue opens")
}

fn send(queue: &Queue, message: &Sent) {
    queue.try_send(message.mtype, &message.bytes()).expect("it is sent");
}

/// Handles that the victim doesn't close, so that nothing is stepped through but the operation.
fn keep<T>(value: T) {
    std::mem::forget(value);
}

/// How the victim stands to the queue, and where its messages lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// Its first use of a queue that others have filled.
    First,
    /// It has used it for long, alone: it keeps both ends.
    Keeping,
    /// All messages were skipped by a receiver, and lie in the backlog.
    Skipped,
    /// The near ring was full: the messages lie in the deep one, where the head must follow.
    Deep,
}

impl Manner {
    fn name(self, operation: &str) -> String {
        match self {
            Self::First => operation.to_owned(),
            Self::Keeping => format!("{operation}, keeping the ends"),
            Self::Skipped => format!("{operation}, all in the backlog"),
            Self::Deep => format!("{operation}, in the deep ring"),
        }
    }

    fn options(self) -> QueueOptions {
        let options = Queue::options().max_participants(8);
        if self == Self::Deep {
            options.capacity(400_000).max_messages(200)
        } else {
            options.capacity(16 << 10).max_messages(64)
        }
    }

    /// What others do before.
    fn set_up(self, messages: &[Sent]) {
        let queue = open(self);
        match self {
            Self::Keeping => return,
            // As many long ones as the near ring has room for, and one more.
            Self::Deep => (0..64).for_each(|_| queue.try_send(9, &[0; 4096]).expect("it is sent")),
            Self::First | Self::Skipped => {}
        }
        messages.iter().for_each(|message| send(&queue, message));
        match self {
            Self::Skipped if messages.len() < 64 => {
                queue.try_send(9, b"behind").expect("it is sent");
                queue.try_recv(Select::Type(9)).expect("it is received");
            }
            Self::Deep => (0..64).for_each(|_| drop(queue.try_recv(Select::Any).expect("it is received"))),
            _ => {}
        }
    }

    /// What the victim does before.
    fn prepare(self, messages: &[Sent]) -> Queue {
        let queue = open(self);
        if self == Self::Keeping {
            // After a thousand in a row one keeps an end; and once round the ring, what is free is full of old bytes.
            for _ in 0..1100 {
                queue.try_send(9, &[0xff; 100]).expect("it is sent");
                queue.try_recv(Select::Any).expect("it is received");
            }
            messages.iter().for_each(|message| send(&queue, message));
        }
        queue
    }
}

/// An operation on a queue that holds `stages[0]`, which leaves one of the others.
fn operation(name: &str, stages: Vec<Vec<Sent>>, act: impl Fn(Queue) + Copy + 'static) -> [Operation; 4] {
    let (last_stage, stages) = (stages.len() - 1, Rc::new(stages));
    [Manner::First, Manner::Keeping, Manner::Skipped, Manner::Deep].map(|manner| {
        let (stages, there, before) = (stages.clone(), stages.clone(), stages.clone());
        let victim = move || {
            let queue = manner.prepare(&before[0]);
            Box::new(move || act(queue)) as Act
        };
        let peer = move || {
            let (queue, stages) = (open(manner), stages.clone());
            Box::new(move || holds(&queue, manner, &stages)) as Check
        };
        let setup = move || manner.set_up(&there[0]);
        let is_extra = matches!(manner, Manner::Skipped | Manner::Deep);
        Operation { is_extra, ..Operation::new(manner.name(name), setup, victim, last_stage, peer) }
    })
}

/// Finds which stage is there, takes it, and uses all the room that there should be.
fn holds(queue: &Queue, manner: Manner, stages: &[Vec<Sent>]) -> Checked {
    // To count gives back what the dead had leased; who wants it must get it also if nobody has counted.
    let counted = if manner == Manner::Keeping { None } else { Some(queue.stat().map_err(no("stat"))?) };
    let found = drained(queue, stages.iter().map(Vec::len).max().unwrap_or(0))?;
    let found = in_place(found);
    let stage = stages.iter().position(|stage| *stage == found);
    let Some(stage) = stage else {
        let numbers = |messages: &[Sent]| {
            messages.iter().map(|message| (message.number, message.redelivered)).collect::<Vec<_>>()
        };
        let harm = if stages.iter().all(|stage| stage.len() > found.len()) { Harm::Lost } else { Harm::Doubled };
        let what = format!(
            "there are {:?}, instead of one of {:?}",
            numbers(&found),
            stages.iter().map(|stage| numbers(stage)).collect::<Vec<_>>()
        );
        return Err(Fault { harm, what });
    };
    if let Some(counted) = counted {
        expect((counted.messages, counted.leased) == (found.len() as u64, 0), Harm::Wrong, || {
            format!("stat counted {} messages, {} leased, of {}", counted.messages, counted.leased, found.len())
        })?;
    }
    let status = queue.stat().map_err(no("stat"))?;
    let left = (status.messages, status.bytes, status.leased, status.sent - status.received);
    expect(left == (0, 0, 0, 0), Harm::Wrong, || {
        format!("an empty queue has (messages, bytes, leased, sent-received) {left:?}")
    })?;
    let fresh = manner.options().create(Create::Only).open(FRESH).map_err(no("open another"))?;
    let (here, there) = (room(queue)?, room(&fresh)?);
    expect(here == there, Harm::Lost, || {
        format!("room for {here:?} messages of 100 and 5000 bytes, and blocks; in a new queue for {there:?}")
    })?;
    Ok(stage)
}

/// What a dead one had leased comes back to its place when its death is noticed: others may have been received before it.
fn in_place(found: Vec<Sent>) -> Vec<Sent> {
    let (late, mut all): (Vec<_>, Vec<_>) = found.into_iter().partition(|message| message.redelivered > 0);
    for message in late {
        let place = all.partition_point(|other| other.number < message.number);
        all.insert(place, message);
    }
    all
}

/// All messages that it holds.
fn drained(queue: &Queue, most: usize) -> Result<Vec<Sent>, Fault> {
    let mut found = Vec::new();
    loop {
        // What was leased to a dead one comes back to who waits.
        let wait = if found.len() < most && !queue.is_empty() { Deadline::after(BOUND) } else { Deadline::NOW };
        match queue.recv_until(Select::Any, wait) {
            Ok(message) => {
                let (_, number) = madang_tests::origin(&message.data);
                found.push(Sent {
                    number,
                    mtype: message.mtype,
                    length: message.data.len(),
                    redelivered: message.redelivered,
                });
            }
            Err(error) if [libc::EAGAIN, libc::ETIMEDOUT].contains(&error.errno()) => return Ok(found),
            Err(error) => return Err(no("receive all")(error)),
        }
        expect(found.len() < 1000, Harm::Doubled, || "it never gets empty".to_owned())?;
    }
}

/// How many short messages fit, and how many that lie in blocks; and how many blocks there are room for; it is empty before and after.
fn room(queue: &Queue) -> Result<[usize; 3], Fault> {
    let mut rooms = [0, 0, 0];
    for (room, length) in rooms.iter_mut().zip([100, 5000]) {
        while or_full(queue.try_send(7, &payload(1, *room as u64, length)), "fill it")?.is_some() {
            *room += 1;
        }
        for index in 0..*room {
            let message = queue.recv_timeout(Select::Type(7), BOUND).map_err(no("empty it"))?;
            let origin = madang_tests::origin(&message.data);
            expect(origin == (1, index as u64), Harm::Wrong, || format!("message {origin:?} instead of {index}"))?;
        }
    }
    // What the dead had reserved is found when it is missing; until then it may lie where two would have room.
    for _ in 0..2 {
        let mut reserved = Vec::new();
        while let Some(reservation) = or_full(queue.reserve_until(5000, Deadline::NOW), "reserve")? {
            reserved.push(reservation);
        }
        rooms[2] = reserved.len();
    }
    Ok(rooms)
}

fn or_full<T>(done: madang::Result<T>, doing: &str) -> Result<Option<T>, Fault> {
    match done {
        Ok(done) => Ok(Some(done)),
        Err(error) if error.errno() == libc::EAGAIN => Ok(None),
        Err(error) => Err(no(doing)(error)),
    }
}

fn without(messages: &[Sent], index: usize) -> Vec<Sent> {
    let mut rest = messages.to_vec();
    rest.remove(index);
    rest
}

fn with(messages: &[Sent], more: &[Sent]) -> Vec<Sent> {
    [messages, more].concat()
}

fn again(messages: &[Sent], index: usize) -> Vec<Sent> {
    let mut all = messages.to_vec();
    all[index] = all[index].again();
    all
}

/// All, but only the first of them, and so on.
fn beginnings(messages: &[Sent], more: &[Sent]) -> Vec<Vec<Sent>> {
    (0..=more.len()).map(|count| with(messages, &more[..count])).collect()
}

fn endings(messages: &[Sent]) -> Vec<Vec<Sent>> {
    (0..=messages.len()).map(|count| messages[count..].to_vec()).collect()
}

const NEXT: u64 = 5;

pub(super) fn operations() -> Vec<Operation> {
    let mut all = Vec::new();
    all.extend(sending());
    all.extend(receiving());
    all.extend(lending());
    all.extend(names(Named {
        what: "queue",
        make: || keep(open(Manner::First)),
        is_there: || Manner::First.options().create(Create::Never).open(NAME).map(drop),
        unlink: || Queue::unlink(NAME),
        holds: || {
            holds(&open(Manner::First), Manner::First, &[vec![]])?;
            Queue::unlink(FRESH).map_err(no("unlink the other"))
        },
    }));
    all
}

fn sending() -> Vec<Operation> {
    let mut all = Vec::new();
    for (name, length) in [("send 12 bytes", 12), ("send 1000 bytes", 1000), ("send 5000 bytes", 5000)] {
        let next = [message(NEXT, 5, length)];
        let stages = vec![usual(), with(&usual(), &next)];
        all.extend(operation(name, stages, move |queue| {
            queue.send(5, &payload(0, NEXT, length)).expect("it is sent");
            keep(queue);
        }));
    }
    let few: Vec<_> = (0..4).map(|index| message(NEXT + index, 5, 30)).collect();
    all.extend(operation("send_many", vec![usual(), with(&usual(), &few)], |queue| {
        let messages: Vec<_> = (0..4).map(|index| (5, payload(0, NEXT + index, 30))).collect();
        assert_eq!(queue.send_many(&madang_tests::slices(&messages)).expect("they are sent"), 4);
        keep(queue);
    }));
    let long: Vec<_> = (0..2).map(|index| message(NEXT + index, 5, 5000)).collect();
    all.extend(operation("send_many, long ones", beginnings(&usual()[..2], &long), |queue| {
        let messages: Vec<_> = (0..2).map(|index| (5, payload(0, NEXT + index, 5000))).collect();
        assert_eq!(queue.send_many(&madang_tests::slices(&messages)).expect("they are sent"), 2);
        keep(queue);
    }));
    let full: Vec<_> = (0..64).map(|index| message(index, 1, 12)).collect();
    let in_vain = operation("send to a full one, in vain", vec![full], |queue| {
        queue.send_timeout(5, b"too much", Duration::from_millis(1)).expect_err("it is full");
        keep(queue);
    });
    // (The queue with two rings has room for more.)
    all.extend(in_vain.into_iter().take(3));
    all
}

fn receiving() -> Vec<Operation> {
    let selections = [
        ("recv", Select::Any, 0),
        ("recv a type", Select::Type(1), 0),
        ("recv a type further back", Select::Type(3), 2),
        ("recv a long one further back", Select::Type(2), 1),
        ("recv the lowest type", Select::UpTo(2), 0),
        ("recv except a type", Select::Except(1), 1),
    ];
    let mut all = Vec::new();
    for (name, select, index) in selections {
        all.extend(operation(name, vec![usual(), without(&usual(), index)], move |queue| {
            queue.recv(select).expect("it is received");
            keep(queue);
        }));
    }
    // Who is killed while it copies a long one leaves it.
    let long = vec![message(0, 1, 5000), message(1, 1, 6000)];
    all.extend(operation("recv 5000 bytes", vec![long.clone(), again(&long, 0), without(&long, 0)], |queue| {
        queue.recv(Select::Any).expect("it is received");
        keep(queue);
    }));
    all.extend(operation("recv in vain", vec![usual()], |queue| {
        queue.recv_timeout(Select::Type(99), Duration::from_millis(1)).expect_err("there is none");
        keep(queue);
    }));
    let mut stages = endings(&usual());
    stages.insert(4, again(&stages[3], 0));
    all.extend(operation("recv_many", stages, |queue| {
        let mut batch = Batch::new(10, 10_000);
        let mut left = 5;
        while left > 0 {
            left -= queue.recv_many(Select::Any, &mut batch).expect("they are received");
        }
        keep(queue);
    }));
    all.extend(operation("stat", vec![usual()], |queue| {
        queue.stat().expect("it tells");
        keep(queue);
    }));
    all.extend(operation("peek", vec![usual()], |queue| {
        queue.peek(0).expect("there is one");
        keep(queue);
    }));
    all.extend(operation("trim", vec![usual()], |queue| {
        queue.trim().expect("it gives back");
        keep(queue);
    }));
    all
}

fn lending() -> Vec<Operation> {
    let mut all = Vec::new();
    for (name, select, index) in [
        ("lease", Select::Any, 0),
        ("lease further back", Select::Type(3), 2),
        ("lease a long one", Select::UpTo(2), 0),
    ] {
        all.extend(operation(name, vec![usual(), again(&usual(), index)], move |queue| {
            let queue: &'static Queue = Box::leak(Box::new(queue));
            keep(queue.lease(select).expect("it is leased"));
        }));
    }
    all.extend(operation("lease and ack", vec![usual(), again(&usual(), 0), without(&usual(), 0)], |queue| {
        let queue: &'static Queue = Box::leak(Box::new(queue));
        queue.lease(Select::Any).expect("it is leased").ack().expect("it is acknowledged");
    }));
    all.extend(operation("lease and release", vec![usual(), again(&usual(), 1)], |queue| {
        let queue: &'static Queue = Box::leak(Box::new(queue));
        queue.lease(Select::Type(2)).expect("it is leased").release().expect("it is given back");
    }));
    let next = with(&usual(), &[message(NEXT, 5, 3000)]);
    all.extend(operation("reserve and commit", vec![usual(), next], |queue| {
        let queue: &'static Queue = Box::leak(Box::new(queue));
        let mut reservation = queue.reserve(3000).expect("it is reserved");
        reservation.write(0, &payload(0, NEXT, 3000)).expect("it is written");
        reservation.commit(5).expect("it is committed");
    }));
    all.extend(operation("reserve and drop", vec![usual()], |queue| {
        let queue: &'static Queue = Box::leak(Box::new(queue));
        drop(queue.reserve(3000).expect("it is reserved"));
    }));
    all.extend(operation("close", vec![usual()], drop));
    all.push(burial());
    all
}

/// A message that was handed out too often goes to another queue: it is in this one, or, killed in between, in both, or in that.
fn burial() -> Operation {
    let queue = || Manner::First.options().dead_letters(FRESH, 1).open(NAME).expect("the queue opens");
    let setup = move || {
        let queue = queue();
        usual().iter().for_each(|message| send(&queue, message));
        queue.lease(Select::Any).and_then(|lease| lease.release()).expect("it comes back");
    };
    let victim = move || {
        let queue = queue();
        // The next of the type is there: so what is leased is another one.
        Box::new(move || {
            let queue: &'static Queue = Box::leak(Box::new(queue));
            keep(queue.lease(Select::Type(1)).expect("it is leased"));
        }) as Act
    };
    let peer = move || {
        let queue = queue();
        let work = move || {
            let here = drained(&queue, usual().len())?;
            let there = match Manner::First.options().create(Create::Never).open(FRESH) {
                Ok(other) => drained(&other, 1)?,
                Err(error) if error.errno() == libc::ENOENT => vec![],
                Err(error) => return Err(no("open the dead letters")(error)),
            };
            let is = |messages: &[Sent], number| messages.iter().filter(|message| message.number == number).count();
            let others = (1..5).all(|number| is(&here, number) == 1 && is(&there, number) == 0);
            expect(others, Harm::Lost, || format!("of the others there are {here:?}, and {there:?}"))?;
            match (is(&here, 0), is(&there, 0)) {
                (1, 0) => Ok(0usize),
                (1, 1) => Ok(1),
                (0, 1) => Ok(2),
                (0, 0) => Err(Fault { harm: Harm::Lost, what: "the dead letter is nowhere".to_owned() }),
                found => Err(Fault { harm: Harm::Doubled, what: format!("the dead letter is there {found:?} times") }),
            }
        };
        Box::new(work) as Check
    };
    Operation::new("lease what was handed out too often", setup, victim, 2, peer)
}
