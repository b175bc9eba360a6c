//! The ring under the trap, and against a plain queue.

mod backlog;
mod batch;
mod estate;
mod kept;
mod meanwhile;
mod waking;

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use proptest::prelude::*;

use super::super::Fault;
use super::super::cell::trap::{Died, die_after, interrupt_after};
use super::super::end::Place;
use super::super::geometry::{Geometry, LONGEST_INLINE, SPARE, Side, record_size};
use super::super::host::Participant;
use super::super::index::Want;
use super::super::ring::{Asked, Received, Ring, Sent};
use super::{Actor, Late, World};
use crate::deadline::Deadline;
use crate::mapping::Mapping;
use crate::sys::{file, memory};

/// The first message, whole.
const ANY: Asked = Asked { want: Want::Any, cuts: false, granted: None };

/// A ring on a file without a name, and what it should hold.
struct Tested {
    ring: Ring,
    /// The ring's file; every page that is touched without having been taken shows in it.
    file: OwnedFd,
    /// Where a piece was taken, and its length.
    taken: RefCell<BTreeMap<u64, u64>>,
    model: VecDeque<(i64, Vec<u8>)>,
    sent: u64,
}

impl Tested {
    fn new(capacity: u64, max_messages: u64) -> Self {
        Self::with(Geometry::new(capacity, max_messages, 8).unwrap().with_near(near()))
    }

    fn with(geometry: Geometry) -> Self {
        let file = file::create_unnamed(c"/dev/shm").unwrap();
        file::set_size(file.as_fd(), geometry.shape().size).unwrap();
        file::allocate(file.as_fd(), 0, geometry.first_space()).unwrap();
        let mapping = Arc::new(Mapping::of_queue(file.as_fd(), &geometry).unwrap());
        let ring = mapping.ring(geometry);
        ring.create(false);
        Self { ring, file, taken: RefCell::new([(0, geometry.first_space())].into()), model: VecDeque::new(), sent: 0 }
    }

    /// Whether the limits admit a message of `length` bytes.
    fn admits(&self, length: usize) -> bool {
        let held: usize = self.model.iter().map(|(_, data)| data.len()).sum();
        let Geometry { capacity, max_messages, .. } = *self.ring.geometry();
        (held + length) as u64 <= capacity && (self.model.len() as u64) < max_messages
    }

    /// The next message: every byte says which it is.
    fn next(&self, length: usize) -> (i64, Vec<u8>) {
        (self.sent as i64 + 1, vec![(self.sent % 251) as u8; length])
    }

    fn note_sent(&mut self, message: (i64, Vec<u8>)) {
        self.model.push_back(message);
        self.sent += 1;
    }

    /// Sends if it may; the model knows whether it must.
    fn send(&mut self, who: Actor, length: usize) {
        let message = self.next(length);
        let sent = send(self, who, &message);
        assert_eq!(sent == Sent::Done, self.admits(length), "{sent:?} with {} held", self.model.len());
        if sent == Sent::Done {
            self.note_sent(message);
        }
        self.check_space();
    }

    /// Whether the near ring takes a message of so many bytes.
    fn near_has_room_for(&self, length: u64) -> bool {
        let (senders, receivers) = self.ring.ends();
        senders.place().position() + record_size(length) + SPARE <= receivers.reached(Side::Near) + near()
    }

    /// Goes deep, and on until the next send goes back to the near ring.
    fn go_back_next(&mut self, who: Actor) {
        while self.ring.ends().0.place().side() != Side::Deep {
            self.send(who, 15);
        }
        while !self.model.is_empty() {
            self.receive(who);
        }
        while !self.looks_back_next() {
            self.send(who, 15);
            self.receive(who);
        }
    }

    /// Whether the next send of 24 bytes asks whether it can go back to the near ring, and will.
    fn looks_back_next(&self) -> bool {
        let (senders, receivers) = self.ring.ends();
        let looks = self.ring.room() < senders.place().position() + record_size(24) + SPARE;
        looks && receivers.reached(Side::Near) == senders.left(Side::Near).get()
    }

    fn receive(&mut self, who: Actor) {
        let expected = self.model.pop_front();
        assert_eq!(receive(self, who), expected);
    }

    /// Nothing was touched that was not taken before.
    fn check_space(&self) {
        let allocated = file::stat(self.file.as_fd()).unwrap().allocated;
        let taken = self.taken.borrow().values().sum();
        assert!(allocated <= taken, "{allocated} bytes were touched, {taken} taken");
    }

    /// All that it should hold comes out in order, and all its room is usable again.
    fn finish(mut self, who: Actor) {
        let held: usize = self.model.iter().map(|(_, data)| data.len()).sum();
        assert_eq!(self.ring.held().bytes, held as u64);
        assert_eq!(self.ring.held().messages, self.model.len() as u64);
        while !self.model.is_empty() {
            self.receive(who);
        }
        self.receive(who);
        let most = self.ring.geometry().max_messages;
        for length in [0, self.ring.geometry().capacity as usize / most as usize] {
            for _ in 0..=most {
                self.send(who, length);
            }
            assert_eq!(self.ring.held().messages, most, "full to the limit");
            while !self.model.is_empty() {
                self.receive(who);
            }
        }
        self.send(who, self.ring.geometry().capacity as usize);
        self.receive(who);
        assert_eq!((self.ring.held().bytes, self.ring.held().messages), (0, 0));
    }
}

/// As a handle sends: taking the space that is asked for.
fn send(tested: &Tested, who: Actor, (mtype, data): &(i64, Vec<u8>)) -> Sent {
    loop {
        match tested.ring.send(&who, *mtype, data, Deadline::NOW).unwrap() {
            Sent::NeedsSpace(space) => {
                file::allocate(tested.file.as_fd(), space.offset, space.length).unwrap();
                // A sender who died after this asks for the same piece again.
                tested.taken.borrow_mut().insert(space.offset, space.length);
                tested.ring.grant(space);
            }
            sent => return sent,
        }
    }
}

fn receive(tested: &Tested, who: Actor) -> Option<(i64, Vec<u8>)> {
    let ring = &tested.ring;
    let mut buffer = vec![0; ring.geometry().capacity as usize];
    match ring.receive(&who, &mut buffer.as_mut_slice().into(), ANY, Deadline::NOW).unwrap() {
        Received::Message(envelope) => Some((envelope.mtype, buffer[..envelope.length as usize].to_vec())),
        Received::Empty => None,
        other => panic!("{other:?}"),
    }
}

/// The smallest near ring that can be mapped: a page, so that it is soon full.
fn near() -> u64 {
    memory::page_size() as u64
}

/// States in which the next operation does something else each time.
fn prepared(state: usize, world: &World) -> Tested {
    // How many empty messages fill the near ring but for one record and a skip.
    let fill = near() / 16 - 2;
    let mut tested = Tested::new(near(), 4 * fill);
    let who = world.participant(0);
    match state {
        // Nothing was ever sent: the space is not taken yet.
        0 => {}
        1 => (0..3).for_each(|_| tested.send(who, 100)),
        // The near ring is full of empty messages: the next goes to the deep one.
        2 => (0..fill).for_each(|_| tested.send(who, 0)),
        // The deep ring, and a receiver about to follow there.
        3 => {
            (0..fill + 10).for_each(|_| tested.send(who, 0));
            (0..fill + 1).for_each(|_| tested.receive(who));
        }
        // The near ring is free again: the next goes back to it.
        4 => {
            (0..2 * fill).for_each(|_| tested.send(who, 0));
            (0..2 * fill - 2).for_each(|_| tested.receive(who));
        }
        // Both rings have gone round, so that what lies past the tail is old bytes; then as many sends in the deep ring as
        // lead to each point between two looks back.
        _ => {
            for _ in 0..4 {
                (0..3 * fill).for_each(|_| tested.send(who, 15));
                (0..3 * fill).for_each(|_| tested.receive(who));
            }
            while tested.ring.ends().0.place().side() != Side::Near {
                tested.send(who, 15);
                tested.receive(who);
            }
            match state {
                // About to go deep.
                5 => {
                    while tested.near_has_room_for(24) {
                        tested.send(who, 15);
                    }
                }
                // In the deep ring, the near one free: the next looks back.
                _ => tested.go_back_next(who),
            }
        }
    }
    tested
}

const STATES: usize = 7;

/// Sends under the trap. Whether it took effect, its effect is whole.
fn send_and_die(tested: &mut Tested, who: Actor, length: usize, stores: u32) -> Result<(), Died> {
    let message = tested.next(length);
    let before = tested.ring.sent().messages;
    let outcome = die_after(stores, || send(tested, who, &message));
    if outcome.is_err() {
        who.dies();
    }
    // What was committed is only settled by the next owner of the lock, but everybody sees it.
    let sent = tested.ring.sent();
    let next = who.world.participant(7);
    let probe = die_after(u32::MAX, || tested.ring.settle_for_test(&next)).unwrap();
    assert!(probe.is_ok());
    assert_eq!(tested.ring.sent(), sent);
    if tested.ring.sent().messages > before {
        tested.note_sent(message);
    }
    outcome.map(drop)
}

/// The states are what they say: the last goes deep with the next send, or back.
#[test]
fn the_next_send_goes_to_the_other_ring() {
    for (state, from, to) in [(2, Side::Near, Side::Deep), (5, Side::Near, Side::Deep), (6, Side::Deep, Side::Near)] {
        let world = World::default();
        let mut tested = prepared(state, &world);
        assert_eq!(tested.ring.ends().0.place().side(), from, "state {state}");
        tested.send(world.participant(0), 24);
        assert_eq!(tested.ring.ends().0.place().side(), to, "state {state}");
    }
}

#[test]
fn a_sender_may_die_at_every_store() {
    for state in 0..STATES {
        for stores in 0.. {
            let world = World::default();
            let mut tested = prepared(state, &world);
            let lived = send_and_die(&mut tested, world.participant(1), 24, stores).is_ok();
            tested.send(world.participant(2), 24);
            tested.finish(world.participant(2));
            if lived {
                break;
            }
        }
    }
}

#[test]
fn a_receiver_may_die_at_every_store() {
    for state in 1..STATES {
        for stores in 0.. {
            let world = World::default();
            let mut tested = prepared(state, &world);
            let dying = world.participant(1);
            let before = tested.ring.received().messages;
            let lived = die_after(stores, || receive(&tested, dying)).is_ok();
            dying.dies();
            if tested.ring.received().messages > before {
                tested.model.pop_front();
            }
            tested.send(world.participant(2), 24);
            tested.finish(world.participant(2));
            if lived {
                break;
            }
        }
    }
}

/// The first dies at each store of a send, the second at each store of its repair and of its own send.
#[test]
fn who_repairs_may_die_at_every_store() {
    for state in [1, 2, 4, 5, 6] {
        for first in 0.. {
            let mut lived = false;
            for second in 0.. {
                let world = World::default();
                let mut tested = prepared(state, &world);
                let message = tested.next(24);
                let before = tested.ring.sent().messages;
                let [one, two, three] = [1, 2, 3].map(|slot| world.participant(slot));
                lived = die_after(first, || send(&tested, one, &message)).is_ok();
                one.dies();
                let later = (message.0 + 1, message.1.clone());
                let repaired = die_after(second, || send(&tested, two, &later)).is_ok();
                two.dies();
                tested.ring.settle_for_test(&three).unwrap();
                // The first's message may be missing, if it died before its commit; the second's likewise.
                let arrived = tested.ring.sent().messages - before;
                assert!(arrived <= 2 && (!lived || arrived >= 1) && (!repaired || arrived >= 1));
                for expected in [message, later] {
                    // What is there comes in order; which of the two is missing its type tells.
                    if arrived == 2 || (arrived == 1 && is_last(&tested, three, &expected)) {
                        tested.note_sent(expected);
                    }
                }
                tested.finish(three);
                if repaired {
                    break;
                }
            }
            if lived {
                break;
            }
        }
    }
}

/// Whether `expected` is the last message of the ring, found by receiving a copy of all: the ring is drained and refilled.
fn is_last(tested: &Tested, who: Actor, expected: &(i64, Vec<u8>)) -> bool {
    let all: Vec<_> = std::iter::from_fn(|| receive(tested, who)).collect();
    for message in &all {
        assert_eq!(send(tested, who, message), Sent::Done);
    }
    all.last() == Some(expected)
}

#[derive(Clone, Debug)]
enum Step {
    Send { length: usize, count: usize },
    Receive { count: usize },
    SendBatch { length: usize, count: usize },
    ReceiveBatch { count: usize, room: usize },
    SendBatchAndDie { length: usize, count: usize, stores: u32 },
    ReceiveBatchAndDie { count: usize, stores: u32 },
    SendAndDie { length: usize, stores: u32 },
    ReceiveAndDie { stores: u32 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let length = prop_oneof![4 => 0usize..64, 2 => 0usize..1000, 1 => 0usize..10_000];
    let step = prop_oneof![
        3 => (length.clone(), 1usize..300).prop_map(|(length, count)| Step::Send { length, count }),
        3 => (1usize..500).prop_map(|count| Step::Receive { count }),
        3 => (length.clone(), 1usize..300).prop_map(|(length, count)| Step::SendBatch { length, count }),
        3 => (1usize..500, 0usize..20_000).prop_map(|(count, room)| Step::ReceiveBatch { count, room }),
        2 => (length.clone(), 1usize..100, 0u32..400)
            .prop_map(|(length, count, stores)| Step::SendBatchAndDie { length, count, stores }),
        1 => (1usize..100, 0u32..12).prop_map(|(count, stores)| Step::ReceiveBatchAndDie { count, stores }),
        2 => (length, 0u32..16).prop_map(|(length, stores)| Step::SendAndDie { length, stores }),
        1 => (0u32..8).prop_map(|stores| Step::ReceiveAndDie { stores }),
    ];
    prop::collection::vec(step, 1..40)
}

/// So many lengths up to that one, each another. (Long messages don't lie in the ring, and are sent in another way.)
fn of_lengths(length: usize, count: usize, capacity: u64) -> Vec<usize> {
    let most = capacity.min(LONGEST_INLINE) as usize;
    (0..count).map(|at| length.saturating_sub(7 * at) % (most + 1)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// Random operations with random deaths, in queues large and small, against a plain queue.
    #[test]
    fn is_a_queue(capacity in prop_oneof![3 => 1u64..20_000, 1 => 1u64..400_000], max_messages in 1u64..1000, steps in steps()) {
        let world = World::default();
        let mut tested = Tested::new(capacity, max_messages);
        for (index, step) in steps.into_iter().enumerate() {
            let who = world.participant(0);
            // The dead stay dead; every mortal is a participant of its own.
            let mortal = Actor { me: super::Participant::new(1, index as u32 + 1), ..who };
            match step {
                Step::Send { length, count } => (0..count).for_each(|_| tested.send(who, length % (capacity as usize + 1))),
                Step::Receive { count } => (0..count).for_each(|_| tested.receive(who)),
                Step::SendBatch { length, count } => tested.send_many(who, &of_lengths(length, count, capacity)),
                Step::ReceiveBatch { count, room } => tested.receive_many(who, count, room),
                Step::SendBatchAndDie { length, count, stores } => {
                    let messages = tested.next_many(&of_lengths(length, count, capacity));
                    let before = tested.ring.sent().messages;
                    let _ = die_after(stores, || batch::send_many(&tested, mortal, &messages));
                    mortal.dies();
                    tested.note_sent_since(before, messages);
                }
                Step::ReceiveBatchAndDie { count, stores } => {
                    let before = tested.ring.received().messages;
                    let _ = die_after(stores, || batch::receive_many(&tested, mortal, count, 10_000));
                    mortal.dies();
                    tested.model.drain(..(tested.ring.received().messages - before) as usize);
                }
                Step::SendAndDie { length, stores } => {
                    let _ = send_and_die(&mut tested, mortal, length % (capacity as usize + 1), stores);
                }
                Step::ReceiveAndDie { stores } => {
                    let before = tested.ring.received().messages;
                    let _ = die_after(stores, || receive(&tested, mortal));
                    mortal.dies();
                    if tested.ring.received().messages > before {
                        tested.model.pop_front();
                    }
                }
            }
        }
        tested.finish(world.participant(2));
    }
}
