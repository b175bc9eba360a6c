//! A queue: what its actors do at each turn, and what must be found when all have ended.
//!
//! **In the end**, of the messages that a life told of all were received once, and of those that it had begun perhaps more;
//! what is missing lies in the hand of somebody who was killed, or is the one that he was about to acknowledge. (Python's
//! `recv_many` and `msgrcv` have no buffer of the caller's: so many may be missing.)
//!
//! **On the way**, a receiver sees the order that its selections promise: after a message of sequence s, received by any
//! selection, no message of the same type comes that is older; nor one of any type, if it was the first of all; nor one of the
//! others, if it was the first that is not of a type; nor one of a lower type, if it was the first of the lowest. Only what
//! comes back from a lease is older, and it says so.

use std::collections::HashSet;
use std::mem::MaybeUninit;
use std::time::Duration;

use madang::{Create, Deadline, Queue, Received, Select};
use madang_tests::{Random, payload};

use super::actor::{Me, Told, Turns};
use super::book::{Book, HAND_HOLDS, LIVES, MESSAGES, Word};
use crate::part::{Fault, Harm};

/// What there is besides plain sends and receives: flags of a mix, the same in all languages.
pub(super) const BATCHES: u64 = 1;
pub(super) const LEASES: u64 = 2;
pub(super) const RESERVATIONS: u64 = 4;
/// Of more than a record holds, up to nearly the capacity.
pub(super) const LARGE: u64 = 8;
/// Who only sends does so alone, and who only receives: exclusive ends. (Their children come in when they are gone.)
pub(super) const ALONE: u64 = 16;

/// With System V's calls a message has no more than this.
pub(super) const MOST_SYSV: u64 = 8192;

const TYPES: u64 = 4;
const MOST_BATCH: u64 = 16;

/// The type of a message.
pub(super) fn mtype(sender: u32, index: u64) -> i64 {
    (1 + (u64::from(sender) + index) % TYPES).cast_signed()
}

/// How long a message is.
pub(super) fn length(random: &mut Random, mix: u64, most: u64) -> u64 {
    let below = match random.below(64) {
        0 if mix & LARGE != 0 => most - most / 16,
        1..4 if mix & LARGE != 0 => most / 4,
        0..16 => most / 16,
        _ => 200,
    };
    12 + random.below(below.min(most - 12))
}

/// Below which sequence no message of a type can come any more.
#[derive(Clone, Copy, Debug, Default)]
struct Floors([u64; TYPES as usize + 1]);

/// Opens the queue; perhaps for oneself alone, when the one before is gone.
fn open(name: &str, mix: u64, sends: u64) -> madang::Result<Queue> {
    let is_alone = mix & ALONE != 0;
    let options = Queue::options().create(Create::Never);
    let options = options.exclusive_sender(is_alone && sends == 8).exclusive_receiver(is_alone && sends == 0);
    loop {
        match options.open(name) {
            Err(error) if error.errno() == libc::EBUSY => {}
            opened => return opened,
        }
    }
}

impl Floors {
    /// A message was received by this selection.
    fn pass(&mut self, select: Select, message: &Received) -> Told<()> {
        let (mtype, sequence) = (message.mtype as usize, message.sequence);
        if message.redelivered > 0 {
            return Ok(());
        }
        if sequence < self.0[mtype] {
            let floor = self.0[mtype];
            return Err(format!("wrong: {select:?}: sequence {sequence} of type {mtype} after {floor}, and no mark"));
        }
        for (other, floor) in self.0.iter_mut().enumerate() {
            let comes_after = match select {
                Select::Any => true,
                Select::UpTo(_) => other <= mtype,
                Select::Except(not) => other != not as usize,
                _ => other == mtype,
            };
            if comes_after {
                *floor = sequence.max(*floor);
            }
        }
        Ok(())
    }
}

/// An actor's turns.
pub(super) struct QueueTurns {
    queue: Queue,
    mix: u64,
    most: u64,
    /// Of 8 turns it sends at so many.
    sends: u64,
    floors: Floors,
}

impl QueueTurns {
    /// Messages have no more than `most` bytes.
    pub(super) fn new(name: &str, mix: u64, most: u64, sends: u64) -> Self {
        let queue = open(name, mix, sends).expect("the queue");
        Self { queue, mix, most, sends, floors: Floors::default() }
    }

    fn send(&mut self, me: &mut Me) -> Told<()> {
        let (sender, index) = (me.leaf.life as u32, me.leaf.get(Word::Done));
        let count = match me.random.below(4) {
            0 if self.mix & BATCHES != 0 => 1 + me.random.below(MOST_BATCH),
            _ => 1,
        };
        let is_reserved = self.mix & RESERVATIONS != 0 && me.random.below(4) == 0;
        let messages: Vec<_> = (index..index + count)
            .map(|index| (mtype(sender, index), payload(sender, index, self.length(me) as usize)))
            .collect();
        me.leaf.set(Word::Begun, index + count);
        let sent = if count > 1 {
            let messages = madang_tests::slices(&messages);
            me.call("send_many", |deadline| self.queue.send_many_until(&messages, deadline))?.unwrap_or(0)
        } else if is_reserved {
            let (mtype, data) = &messages[0];
            usize::from(self.send_reserved(me, *mtype, data)?)
        } else {
            let (mtype, data) = &messages[0];
            usize::from(me.call("send", |deadline| self.queue.send_until(*mtype, data, deadline))?.is_some())
        };
        me.leaf.set(Word::Done, index + sent as u64);
        me.leaf.set(Word::Begun, index + sent as u64);
        Ok(())
    }

    fn length(&self, me: &mut Me) -> u64 {
        length(&mut me.random, self.mix, self.most)
    }

    /// Reserves, and sends or gives back.
    fn send_reserved(&self, me: &mut Me, mtype: i64, data: &[u8]) -> Told<bool> {
        let reserved = me.call("reserve", |deadline| self.queue.reserve_until(data.len() + 5, deadline))?;
        let Some(mut place) = reserved else { return Ok(false) };
        place.write(0, data).map_err(|error| format!("wrong: write: {error}"))?;
        if me.random.below(4) == 0 {
            return Ok(false);
        }
        Ok(me.call("commit", |deadline| place.try_commit(mtype, data.len(), deadline))?.is_some())
    }

    fn receive(&mut self, me: &mut Me) -> Told<()> {
        let select = select(me);
        match me.random.below(3) {
            0 if self.mix & BATCHES != 0 => self.receive_batch(me, select),
            1 if self.mix & LEASES != 0 => self.lease(me, select),
            _ => self.receive_one(me, select),
        }
    }

    /// What is done besides, also to open it anew.
    fn look_after(&mut self, me: &mut Me) -> Told<()> {
        match me.random.below(if self.mix & ALONE == 0 { 5 } else { 4 }) {
            0 => me.timed("trim", Duration::ZERO, || self.queue.trim()).map(drop),
            1 => me.timed("stat", Duration::ZERO, || self.queue.stat()).map(drop),
            2 => me.timed("participants", Duration::ZERO, || self.queue.participants()).map(drop),
            3 => me.timed("peek", Duration::ZERO, || self.queue.peek(8)).map(drop),
            _ => {
                let again = me.timed("open", Duration::ZERO, || Queue::open(self.queue.name()))?;
                self.queue = again.ok_or("wrong: it can't be opened anew")?;
                Ok(())
            }
        }
    }

    fn receive_one(&mut self, me: &mut Me, select: Select) -> Told<()> {
        let hand = me.hand();
        me.leaf.set(Word::InHand, HAND_HOLDS);
        if let Some(received) = me.call("recv", |deadline| self.queue.recv_into(select, hand, deadline))? {
            note(me, &received, &hand[..received.length])?;
            self.floors.pass(select, &received)?;
        }
        me.leaf.set(Word::InHand, 0);
        Ok(())
    }

    fn receive_batch(&mut self, me: &mut Me, select: Select) -> Told<()> {
        let (most, hand) = (1 + me.random.below(MOST_BATCH) as usize, me.hand());
        let mut batch = Vec::with_capacity(most);
        me.leaf.set(Word::InHand, HAND_HOLDS);
        let taken = me.call("recv_many", |deadline| {
            batch.clear();
            let note = |one| batch.push(one);
            self.queue.recv_many_into_uninit(select, as_uninit(hand), most, note, deadline)
        })?;
        let mut at = 0;
        for received in &batch[..taken.unwrap_or(0)] {
            note(me, received, &hand[at..at + received.length])?;
            self.floors.pass(select, received)?;
            at += received.length.next_multiple_of(8);
        }
        me.leaf.set(Word::InHand, 0);
        Ok(())
    }

    /// Leases, and acknowledges or gives back.
    fn lease(&mut self, me: &mut Me, select: Select) -> Told<()> {
        let leased = me.call("lease", |deadline| self.queue.lease_until(select, deadline))?;
        let Some(mut lease) = leased else { return Ok(()) };
        let data = lease.to_vec();
        let (mtype, sequence, redelivered) = (lease.mtype(), lease.sequence(), lease.redelivered());
        let (sender, index) = check(mtype, &data)?;
        let entry = me.book.message(sender as usize, index as usize);
        entry.hand_out(Some(sequence), Some(redelivered)).map_err(|what| of(what, sender, index))?;
        if me.random.below(8) == 0 {
            return lease.release().map_err(|error| format!("wrong: release: {error}"));
        }
        me.leaf.set(Word::Leased, entry.place as u64);
        // (Refused, because somebody stays inside, it is acknowledged all the same.)
        me.call("ack", |deadline| lease.try_ack(deadline))?;
        entry.receive();
        me.leaf.set(Word::Leased, 0);
        Ok(())
    }
}

/// Which message is wanted.
pub(super) fn select(me: &mut Me) -> Select {
    let mtype = 1 + me.random.below(TYPES).cast_signed();
    match me.random.below(8) {
        0..4 => Select::Any,
        4 | 5 => Select::Type(mtype),
        6 => Select::UpTo(mtype),
        _ => Select::Except(mtype),
    }
}

/// As `msgrcv(2)` has it, with its flags.
pub(super) fn msgtyp(select: Select) -> (i64, i32) {
    match select {
        Select::Type(mtype) => (mtype, 0),
        Select::UpTo(mtype) => (-mtype, 0),
        Select::Except(mtype) => (mtype, libc::MSG_EXCEPT),
        _ => (0, 0),
    }
}

/// To be filled.
pub(super) fn as_uninit(bytes: &mut [u8]) -> &mut [MaybeUninit<u8>] {
    // SAFETY: any byte is a valid MaybeUninit<u8>, and who gets this fills bytes in.
    unsafe { &mut *(std::ptr::from_mut(bytes) as *mut [MaybeUninit<u8>]) }
}

impl Turns for QueueTurns {
    fn turn(&mut self, me: &mut Me) -> Told<()> {
        match me.random.below(512) {
            0 => self.look_after(me),
            _ if me.random.below(8) < self.sends => self.send(me),
            _ => self.receive(me),
        }
    }

    fn forked(&mut self) {
        self.floors = Floors::default();
    }
}

/// Who sent it, and which it is.
pub(super) fn check(of_type: i64, data: &[u8]) -> Told<(u32, u64)> {
    let head = data.first_chunk::<12>().ok_or("wrong: a message without a head")?;
    let sender = u32::from_le_bytes(*head.first_chunk().expect("4 bytes"));
    let index = u64::from_le_bytes(*head.last_chunk().expect("8 bytes"));
    if sender as usize >= LIVES || index as usize >= MESSAGES || data != payload(sender, index, data.len()) {
        return Err(format!("wrong: a garbled message of {} bytes: {sender}, {index}", data.len()));
    }
    if of_type != mtype(sender, index) {
        return Err(format!("wrong: message {index} of {sender} has type {of_type}"));
    }
    Ok((sender, index))
}

fn of(what: String, sender: u32, index: u64) -> String {
    format!("{what} (message {index} of life {sender})")
}

/// It was received, for good.
fn note(me: &Me, received: &Received, data: &[u8]) -> Told<()> {
    let (sender, index) = check(received.mtype, data)?;
    let entry = me.book.message(sender as usize, index as usize);
    let told = (Some(received.sequence), Some(received.redelivered));
    entry.hand_out(told.0, told.1).map_err(|what| of(what, sender, index))?;
    entry.receive();
    Ok(())
}

/// It never holds more than it may.
pub(super) fn look(queue: &Queue) -> Told<()> {
    let status = queue.stat().map_err(|error| format!("wrong: stat: {error}"))?;
    let is_within = status.bytes <= status.capacity && status.messages <= status.max_messages;
    if is_within { Ok(()) } else { Err(format!("wrong: more than its limits: {status:?}")) }
}

/// What is left is received here, in its old order.
pub(super) fn drain(queue: &Queue, book: &Book, faults: &mut Vec<Fault>) {
    let mut last = None;
    loop {
        match queue.try_recv(Select::Any) {
            Ok(message) => {
                let place = check(message.mtype, &message.data).and_then(|(sender, index)| {
                    let entry = book.message(sender as usize, index as usize);
                    entry.hand_out(Some(message.sequence), Some(message.redelivered)).map(|()| entry.receive())
                });
                if let Err(what) = place {
                    faults.push(super::fault(&format!("{what}, when all had ended")));
                }
                let before = last.replace(message.sequence);
                if before >= last {
                    faults.push(super::fault(&format!("wrong: sequence {last:?} after {before:?}")));
                }
            }
            Err(error) if error.errno() == libc::EAGAIN => return,
            Err(error) => return faults.push(super::fault(&format!("wrong: the end: {error}"))),
        }
    }
}

/// A set of numbers.
#[derive(Default)]
struct Seen(Vec<u64>);

impl Seen {
    /// Says whether it is new.
    fn add(&mut self, number: u64) -> bool {
        let (at, bit) = ((number / 64) as usize, 1 << (number % 64));
        if self.0.len() <= at {
            self.0.resize(2 * at + 1, 0);
        }
        let is_new = self.0[at] & bit == 0;
        self.0[at] |= bit;
        is_new
    }
}

/// What the killed may have taken along.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// By sender and index.
    messages: HashSet<(usize, usize)>,
    /// And so many of which the book has nothing.
    unknown: u64,
}

impl Taken {
    /// What this life took along, which was killed.
    pub(super) fn add(&mut self, book: &Book, life: usize) {
        let leaf = book.leaf(life);
        match leaf.get(Word::InHand) {
            HAND_HOLDS => {
                let left = book.in_hand(life).filter(|&(sender, index)| book.message(sender, index).received() == 0);
                self.messages.extend(left);
            }
            unknown => self.unknown += unknown,
        }
        match leaf.get(Word::Leased) as usize {
            0 => {}
            place => drop(self.messages.insert(book.entry_at(place))),
        }
    }
}

/// All that was sent was received, once; returns how many messages there were.
pub(super) fn account(book: &Book, sent: Option<u64>, taken: &Taken, faults: &mut Vec<Fault>) -> u64 {
    let (mut received, mut gone, mut missing) = (0, 0, Vec::new());
    let mut seen = Seen::default();
    for life in book.lives() {
        let leaf = book.leaf(life);
        let (done, begun) = (leaf.get(Word::Done) as usize, leaf.get(Word::Begun) as usize);
        let times: Vec<_> = (0..begun.min(MESSAGES)).map(|index| book.message(life, index).received()).collect();
        let end = times.iter().rposition(|&times| times > 0).map_or(done, |last| done.max(last + 1));
        let mut before = None;
        for (index, &times) in times[..end].iter().enumerate() {
            received += times;
            match times {
                0 if taken.messages.contains(&(life, index)) => gone += 1,
                0 => missing.push((life, index)),
                1 => {}
                _ => faults.push(super::fault(&format!("doubled: message {index} of life {life}, {times} times"))),
            }
            let Some(sequence) = book.message(life, index).sequence() else { continue };
            if before.replace(sequence) >= Some(sequence) || !seen.add(sequence) {
                let what = format!("wrong: message {index} of life {life} has sequence {sequence}, as others, or less");
                faults.push(super::fault(&what));
            }
        }
    }
    let more = missing.len() as u64;
    eprintln!("    {} were taken along", gone + more);
    if more > taken.unknown {
        let some = &missing[..missing.len().min(8)];
        let what = format!("{more} messages are gone, of which {} may have been taken: {some:?}", taken.unknown);
        faults.push(Fault { harm: Harm::Lost, what });
    }
    // (What a killed sender sent last and a killed receiver took along is known to nobody else.)
    let unreceived = taken.messages.iter().filter(|&&(life, index)| book.message(life, index).received() == 0);
    let last = unreceived.count() as u64 - gone + taken.unknown;
    if let Some(sent) = sent
        && !(received + gone..=received + gone + last).contains(&sent)
    {
        let what = format!("{sent} were sent, {received} received, {gone} taken along");
        faults.push(Fault { harm: if sent < received { Harm::Doubled } else { Harm::Lost }, what });
    }
    received
}

/// As many messages fit as into a new one, and its counters are right.
pub(super) fn has_all_its_room(queue: &Queue, fresh: &Queue, faults: &mut Vec<Fault>) {
    let status = match queue.stat() {
        Ok(status) => status,
        Err(error) => return faults.push(super::fault(&format!("wrong: stat: {error}"))),
    };
    let counts = (status.bytes, status.messages, status.leased, status.received, status.participants);
    if counts != (0, 0, 0, status.sent, 1) {
        faults.push(super::fault(&format!("wrong: it is empty, and says {status:?}")));
    }
    for length in [0, 12, 300, 5000, status.capacity - status.capacity / 16, status.capacity] {
        if length > status.capacity {
            continue;
        }
        let [old, new] = [queue, fresh].map(|queue| filled(queue, length as usize));
        if old != new {
            let what = format!("of {length} bytes {old:?} messages fit, into a new one {new:?}");
            faults.push(Fault { harm: Harm::Lost, what });
        }
    }
    let length = status.capacity.min(5000) as usize;
    let [old, new] = [queue, fresh].map(|queue| reserved(queue, length));
    if old != new {
        let what = format!("{old} blocks of {length} bytes can be reserved at once, of a new one {new}");
        faults.push(Fault { harm: Harm::Lost, what });
    }
}

/// For how many blocks there is room at once: more than for the messages that the limits admit, so that blocks which the dead have left
/// are missed.
fn reserved(queue: &Queue, length: usize) -> usize {
    let mut held = Vec::new();
    while let Ok(reservation) = queue.reserve_until(length, Deadline::NOW) {
        held.push(reservation);
    }
    held.len()
}

/// How many messages of a length fit; they are taken out again.
fn filled(queue: &Queue, length: usize) -> Told<(usize, Option<i32>)> {
    let message = vec![7; length];
    let mut count = 0;
    let errno = loop {
        match queue.try_send(1, &message) {
            Ok(()) => count += 1,
            Err(error) => break error.errno(),
        }
    };
    for _ in 0..count {
        queue.recv_until(Select::Any, Deadline::NOW).map_err(|error| format!("{error} after {count}"))?;
    }
    Ok((count, (errno != libc::EAGAIN).then_some(errno)))
}
