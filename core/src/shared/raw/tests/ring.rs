//! The ring under the trap, and against a plain queue.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use proptest::prelude::*;

use super::super::Fault;
use super::super::cell::trap::{Died, die_after, interrupt_after};
use super::super::end::Place;
use super::super::geometry::{Geometry, SPARE, Side, record_size};
use super::super::host::Participant;
use super::super::ring::{Received, Ring, Sent};
use super::{Actor, World};
use crate::deadline::Deadline;
use crate::shared::mapping::Mapping;
use crate::sys::{file, memory};

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
        ring.create();
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
    match ring.receive(&who, &mut buffer.as_mut_slice().into(), Deadline::NOW).unwrap() {
        Received::Message(envelope) => Some((envelope.mtype, buffer[..envelope.length as usize].to_vec())),
        Received::Empty => None,
        Received::TooSmall(length) => panic!("a message of {length} bytes"),
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
    SendAndDie { length: usize, stores: u32 },
    ReceiveAndDie { stores: u32 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let length = prop_oneof![4 => 0usize..64, 2 => 0usize..1000, 1 => 0usize..10_000];
    let step = prop_oneof![
        3 => (length.clone(), 1usize..300).prop_map(|(length, count)| Step::Send { length, count }),
        3 => (1usize..500).prop_map(|count| Step::Receive { count }),
        2 => (length, 0u32..16).prop_map(|(length, stores)| Step::SendAndDie { length, stores }),
        1 => (0u32..8).prop_map(|stores| Step::ReceiveAndDie { stores }),
    ];
    prop::collection::vec(step, 1..40)
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

/// A sender who died inside the lock, before anything was committed.
fn dies_inside(tested: &Tested, dying: Actor) {
    let message = tested.next(24);
    assert_eq!(die_after(1, || send(tested, dying, &message)), Err(Died));
    dying.dies();
}

/// A dead sender's end that can't be repaired is damaged for everybody who comes, and nobody hangs on it.
#[test]
fn an_end_that_cannot_be_repaired_stays_damaged() {
    for word in [5, 8, u64::MAX] {
        let world = World::default();
        let who = world.participant(2);
        let mut tested = prepared(1, &world);
        dies_inside(&tested, world.participant(1));
        tested.ring.scribble(tested.ring.ends().0.place(), 0, word);
        for _ in 0..3 {
            let sent = tested.ring.send(&who, 1, b"x", Deadline::NOW);
            assert!(matches!(sent, Err(Fault::Damaged(_))), "{sent:?} at {word}");
            assert_eq!(tested.ring.ends().0.lock.held_by(), None);
        }
        (0..3).for_each(|_| tested.receive(who));
    }
}

/// Walks over a ring that is nothing but records, or skips, end.
#[test]
fn a_ring_without_an_end_is_damaged() {
    for word in [1, 3] {
        let world = World::default();
        let who = world.participant(2);
        let tested = prepared(3, &world);
        dies_inside(&tested, world.participant(1));
        for offset in (0..near()).step_by(8) {
            tested.ring.scribble(Place(0), offset, word);
        }
        for offset in (0..tested.ring.geometry().ring(Side::Deep)).step_by(8) {
            tested.ring.scribble(Place(1), offset, word);
        }
        assert!(matches!(tested.ring.send(&who, 1, b"x", Deadline::NOW), Err(Fault::Damaged(_))));
        let received = tested.ring.receive(&who, &mut [0; 100].as_mut_slice().into(), Deadline::NOW);
        assert_eq!(matches!(received, Err(Fault::Damaged(_))), word == 3, "{received:?}");
    }
}

/// A length is checked against the limits and the ring before anything is copied.
#[test]
fn a_length_that_cannot_be_is_damage() {
    let world = World::default();
    let who = world.participant(2);
    let mut buffer = vec![0; 1 << 16];
    for length in [near() + 1, near() - 16, 1 << 20, u64::MAX >> 8] {
        let tested = prepared(1, &world);
        tested.ring.scribble(tested.ring.ends().1.place(), 0, length << 8 | 1);
        let received = tested.ring.receive(&who, &mut buffer.as_mut_slice().into(), Deadline::NOW);
        assert!(matches!(received, Err(Fault::Damaged(_))), "{received:?} of {length}");
        dies_inside(&tested, Actor { me: Participant::new(1, length as u32 & 0x7fff), ..who });
        tested.ring.scribble(tested.ring.ends().0.place(), 0, length << 8 | 1);
        assert!(matches!(tested.ring.send(&who, 1, b"x", Deadline::NOW), Err(Fault::Damaged(_))));
    }
    // One that the deep ring has room for, but the limits don't admit.
    let mut tested = prepared(3, &world);
    while tested.ring.ends().1.place().side() == Side::Near {
        tested.receive(who);
    }
    tested.ring.scribble(tested.ring.ends().1.place(), 0, (near() + 1) << 8 | 1);
    let received = tested.ring.receive(&who, &mut buffer.as_mut_slice().into(), Deadline::NOW);
    assert!(matches!(received, Err(Fault::Damaged(_))), "{received:?}");
}

/// Whoever takes a dead one's slot settles what it held: the lock is free, what was committed is counted, and who waits for it
/// is woken.
#[test]
fn an_heir_settles_what_its_slots_former_owner_held() {
    for state in 1..STATES {
        for stores in 0.. {
            let world = World::default();
            let mut tested = prepared(state, &world);
            let dying = world.participant(1);
            let heir = Actor { me: Participant::new(1, 2), ..dying };
            let message = tested.next(24);
            let before = tested.ring.sent().messages;
            let lived = die_after(stores, || send(&tested, dying, &message)).is_ok();
            dying.dies();
            let inside = tested.ring.ends().0.lock.held_by().is_some();
            if tested.ring.sent().messages > before {
                tested.note_sent(message);
            }
            tested.ring.announce_receiver();
            tested.ring.settle(&heir, heir.me).unwrap();
            assert_eq!(tested.ring.ends().0.lock.held_by(), None);
            assert_eq!(tested.ring.ends().0.look().1.messages, tested.sent, "what is there is counted");
            assert_eq!(tested.ring.repairs(), u64::from(inside));
            assert!(
                !inside || !tested.ring.receivers_event().is_awaited(),
                "whoever waits for what was committed is woken"
            );
            tested.finish(heir);
            if lived {
                break;
            }
        }
    }
}

#[test]
fn an_heir_settles_the_receivers_end() {
    for stores in 0.. {
        let world = World::default();
        let mut tested = prepared(3, &world);
        let dying = world.participant(1);
        let heir = Actor { me: Participant::new(1, 2), ..dying };
        let before = tested.ring.received().messages;
        let lived = die_after(stores, || receive(&tested, dying)).is_ok();
        dying.dies();
        let inside = tested.ring.ends().1.lock.held_by().is_some();
        if tested.ring.received().messages > before {
            tested.model.pop_front();
        }
        tested.ring.settle(&heir, heir.me).unwrap();
        assert_eq!(tested.ring.ends().1.lock.held_by(), None);
        assert_eq!(tested.ring.repairs(), u64::from(inside));
        tested.finish(heir);
        if lived {
            break;
        }
    }
}

/// A sender is killed after its commit, and the next finds the queue full: whoever waits for the message is woken all the same.
#[test]
fn a_repaired_message_wakes_its_receiver() {
    for stores in 0.. {
        let world = World::default();
        let tested = Tested::new(near(), 1);
        let (one, two) = (world.participant(1), world.participant(2));
        let message = tested.next(24);
        tested.ring.announce_receiver();
        let lived = die_after(stores, || send(&tested, one, &message)).is_ok();
        one.dies();
        if tested.ring.sent().messages == 1 && !lived {
            let inside = tested.ring.ends().0.lock.held_by().is_some();
            assert_eq!(send(&tested, two, &message), Sent::Full);
            assert!(!inside || !tested.ring.receivers_event().is_awaited());
            assert_eq!(tested.ring.repairs(), u64::from(inside));
        }
        if lived {
            assert_eq!(world.wakes.get(), 1);
            break;
        }
    }
}

#[test]
fn who_dies_while_receiving_is_counted_too() {
    let world = World::default();
    let mut tested = prepared(1, &world);
    let dying = world.participant(1);
    assert_eq!(die_after(1, || receive(&tested, dying)), Err(Died));
    dying.dies();
    tested.receive(world.participant(2));
    assert_eq!(tested.ring.repairs(), 1);
}

#[test]
fn a_message_too_large_for_the_buffer_stays() {
    let world = World::default();
    let who = world.participant(0);
    let mut tested = prepared(1, &world);
    let received = tested.ring.receive(&who, &mut [0; 99].as_mut_slice().into(), Deadline::NOW).unwrap();
    assert_eq!(received, Received::TooSmall(100));
    tested.receive(who);
    tested.finish(who);
}

/// Whatever of a send an announcement and a last try fall into: the receiver finds the message or is woken.
#[test]
fn a_receiver_is_never_forgotten() {
    for state in 1..STATES {
        for accesses in 0.. {
            let world = World::default();
            let mut tested = prepared(state, &world);
            let (one, two) = (world.participant(0), world.participant(1));
            while !tested.model.is_empty() {
                tested.receive(one);
            }
            let message = tested.next(24);
            let mut found = false;
            let other = || {
                tested.ring.announce_receiver();
                found = receive(&tested, two).is_some();
            };
            let (sent, came) = interrupt_after(accesses, other, || send(&tested, one, &message));
            assert_eq!(sent, Sent::Done);
            assert!(!came || found || world.wakes.get() > 0, "state {state}, access {accesses}");
            if !came {
                break;
            }
        }
    }
}

/// Whatever of a receive an announcement and a last try fall into: the sender finds room or is woken.
#[test]
fn a_sender_is_never_forgotten() {
    for accesses in 0.. {
        let world = World::default();
        let mut tested = Tested::new(near(), 2);
        let (one, two) = (world.participant(0), world.participant(1));
        (0..2).for_each(|_| tested.send(one, 24));
        let message = tested.next(24);
        let mut sent = false;
        let other = || {
            tested.ring.announce_sender(24);
            sent = send(&tested, two, &message) == Sent::Done;
        };
        let (_, came) = interrupt_after(accesses, other, || receive(&tested, one));
        assert!(!came || sent || world.wakes.get() > 0, "access {accesses}");
        if !came {
            break;
        }
    }
}

/// All that senders can do between two accesses of a receiver, and the other way round, changes nothing of what arrives.
#[test]
fn the_other_end_may_go_on_at_every_access() {
    for state in 1..STATES {
        for most in [1, usize::MAX] {
            for accesses in 0.. {
                let world = World::default();
                let tested = RefCell::new(prepared(state, &world));
                let (one, two) = (world.participant(0), world.participant(1));
                let ring = std::ptr::from_ref(&*tested.borrow());
                // SAFETY: receiving by `receive` touches the ring and nothing else of it, and the ring is made for that.
                let alone = unsafe { &*ring };
                let expected = alone.model.front().cloned();
                let other = || {
                    let mut tested = tested.borrow_mut();
                    for _ in 0..most.min(2000) {
                        let message = tested.next(24);
                        if send(&tested, two, &message) != Sent::Done {
                            break;
                        }
                        tested.note_sent(message);
                    }
                };
                let (received, came) = interrupt_after(accesses, other, || receive(alone, one));
                let mut tested = tested.into_inner();
                // Where there was none, one that came meanwhile may be found or not.
                if received.is_some() || expected.is_some() {
                    assert_eq!(received, tested.model.pop_front(), "state {state}, access {accesses}");
                }
                tested.finish(two);
                if !came {
                    break;
                }
            }
            for accesses in 0.. {
                let world = World::default();
                let tested = prepared(state, &world);
                let (one, two) = (world.participant(0), world.participant(1));
                let message = tested.next(24);
                let received = RefCell::new(Vec::new());
                let other = || received.borrow_mut().extend((0..most).map_while(|_| receive(&tested, two)));
                let (sent, came) = interrupt_after(accesses, other, || send(&tested, one, &message));
                let mut tested = tested;
                if sent == Sent::Done {
                    tested.note_sent(message);
                }
                for message in received.into_inner() {
                    assert_eq!(Some(message), tested.model.pop_front(), "state {state}, access {accesses}");
                }
                tested.finish(one);
                if !came {
                    break;
                }
            }
        }
    }
}

/// What is held is never less than nothing, whatever passes while one looks.
#[test]
fn a_look_is_one_moment() {
    for accesses in 0.. {
        let world = World::default();
        let tested = RefCell::new(prepared(1, &world));
        let who = world.participant(0);
        // SAFETY: only the ring is looked at, which is made for that.
        let ring = unsafe { &*std::ptr::from_ref(&tested.borrow().ring) };
        let other = || {
            let mut tested = tested.borrow_mut();
            (0..3).for_each(|_| tested.receive(who));
            (0..5).for_each(|_| tested.send(who, 10));
            (0..5).for_each(|_| tested.receive(who));
        };
        let (held, came) = interrupt_after(accesses, other, || ring.held());
        assert!(held.messages <= 8 && held.bytes <= 350, "{held:?} before access {accesses}");
        assert!(
            held.bytes <= 100 * held.messages,
            "bytes and messages of one moment: {held:?} before access {accesses}"
        );
        if !came {
            break;
        }
    }
}

/// A piece that is granted later than a larger one takes nothing back.
#[test]
fn a_late_grant_takes_nothing_back() {
    let world = World::default();
    let who = world.participant(0);
    let tested = Tested::new(1 << 20, 100);
    let ask = |length| match tested.ring.send(&who, 1, &vec![0; length], Deadline::NOW).unwrap() {
        Sent::NeedsSpace(space) => Some(space),
        _ => None,
    };
    let small = ask(70_000).unwrap();
    let large = ask(300_000).unwrap();
    for space in [large, small] {
        file::allocate(tested.file.as_fd(), space.offset, space.length).unwrap();
        tested.ring.grant(space);
    }
    assert_eq!(ask(300_000), None);
}

/// With the sizes that queues really have: every page is taken before it is touched, in both rings.
#[test]
fn space_is_taken_before_it_is_touched() {
    let world = World::default();
    let mut tested = Tested::with(Geometry::new(1 << 20, 1000, 8).unwrap());
    for length in [1000, 4000, 60_000] {
        (0..1000).for_each(|_| tested.send(world.participant(0), length));
        while !tested.model.is_empty() {
            tested.receive(world.participant(0));
        }
    }
}

/// While receivers are in the near ring still, senders stay in the deep one, however little is held.
#[test]
fn nobody_goes_back_to_a_ring_that_is_read() {
    let world = World::default();
    let who = world.participant(0);
    let mut tested = Tested::new(near(), 4 * near() / 16);
    while tested.ring.ends().0.place().side() == Side::Near {
        tested.send(who, 1);
    }
    while tested.model.len() as u64 * 17 > near() / 2 {
        tested.receive(who);
    }
    tested.send(who, (near() / 2 - SPARE - 16) as usize);
    tested.finish(who);
}

/// A head that was scribbled far behind: nothing is sent over what it may still want to read.
#[test]
fn a_ring_that_is_full_by_its_head_is_damaged() {
    let world = World::default();
    let who = world.participant(0);
    let tested = Tested::with(Geometry::new(1000, 1000, 8).unwrap());
    assert_eq!(tested.ring.geometry().ring(Side::Deep), 0);
    let head = &tested.ring.ends().1.place;
    head.set(head.get().wrapping_sub(tested.ring.geometry().ring(Side::Near)));
    let sent = tested.ring.send(&who, 1, b"x", Deadline::NOW);
    assert!(matches!(sent, Err(Fault::Damaged(_))), "{sent:?}");
}

/// One dies on the way to the deep ring, another on the way back, each at every store.
#[test]
fn both_ways_over_may_end_in_death() {
    for first in 0.. {
        let mut one_lived = false;
        for second in 0.. {
            let world = World::default();
            let mut tested = prepared(5, &world);
            one_lived = send_and_die(&mut tested, world.participant(1), 24, first).is_ok();
            tested.go_back_next(world.participant(2));
            let two_lived = send_and_die(&mut tested, world.participant(3), 24, second).is_ok();
            tested.finish(world.participant(4));
            if two_lived {
                break;
            }
        }
        if one_lived {
            break;
        }
    }
}

/// One dies on the way to the deep ring; a receiver follows the next one back, between any two of his stores.
#[test]
fn who_is_followed_back_left_no_old_words() {
    for stores in 0.. {
        let mut lived = false;
        for accesses in 0.. {
            let world = World::default();
            let mut tested = prepared(5, &world);
            lived = send_and_die(&mut tested, world.participant(1), 24, stores).is_ok();
            let (two, three) = (world.participant(2), world.participant(3));
            tested.go_back_next(two);
            let message = tested.next(24);
            let mut received = None;
            let (sent, came) =
                interrupt_after(accesses, || received = receive(&tested, three), || send(&tested, two, &message));
            assert_eq!(sent, Sent::Done);
            tested.note_sent(message);
            if received.is_some() {
                assert_eq!(received, tested.model.pop_front(), "death at store {stores}, access {accesses}");
            }
            tested.finish(two);
            if !came {
                break;
            }
        }
        if lived {
            break;
        }
    }
}

/// Of several who wait the one who wants least decides; and again in the next round, when it was forgotten meanwhile.
#[test]
fn room_for_the_least_is_enough_to_wake() {
    let world = World::default();
    let who = world.participant(0);
    let mut tested = Tested::new(1000, 100);
    (0..10).for_each(|_| tested.send(who, 100));
    for round in 1..4 {
        tested.ring.announce_sender(100);
        tested.ring.announce_sender(1000);
        tested.receive(who);
        assert_eq!(world.wakes.get(), round, "there is room for the smaller");
        assert!(!tested.ring.senders_wait(), "nobody sleeps");
        tested.send(who, 100);
        tested.ring.announce_sender(1000);
        tested.receive(who);
        assert_eq!(world.wakes.get(), round, "there is no room for the larger");
        tested.send(who, 100);
        tested.ring.senders_event().raise(&who);
        world.wakes.set(round);
    }
    // Where one was found, others may sleep still.
    world.sleepers.set(1);
    tested.ring.announce_sender(100);
    tested.receive(who);
    assert!(tested.ring.senders_wait());
}

/// A wake that came to one who can't use it goes to all who want less.
#[test]
fn a_wake_is_passed_on_to_who_wants_less() {
    let world = World::default();
    let who = world.participant(0);
    let tested = Tested::new(1000, 100);
    // A new queue doesn't know what is wanted.
    tested.ring.pass_wake_on(&who, 1);
    world.wakes.set(0);
    tested.ring.announce_sender(100);
    tested.ring.pass_wake_on(&who, 100);
    assert_eq!(world.wakes.get(), 0);
    tested.ring.pass_wake_on(&who, 1000);
    assert_eq!(world.wakes.get(), 1);
    tested.ring.pass_wake_on(&who, 1000);
    assert_eq!(world.wakes.get(), 1, "they say anew what they want");
}

/// Whatever of a receive somebody's announcement falls into who wants more than that receive frees: the next one wakes him.
#[test]
fn who_wants_more_is_not_forgotten() {
    for accesses in 0.. {
        let world = World::default();
        let mut tested = Tested::new(2000, 100);
        let (one, two) = (world.participant(0), world.participant(1));
        (0..2).for_each(|_| tested.send(one, 1000));
        // Somebody who wanted little, and died.
        tested.ring.announce_sender(10);
        let message = tested.next(2000);
        let mut before = None;
        let other = || {
            tested.ring.announce_sender(2000);
            assert_eq!(send(&tested, two, &message), Sent::Full);
            before = Some(world.wakes.get());
        };
        let (_, came) = interrupt_after(accesses, other, || receive(&tested, one));
        if !came {
            break;
        }
        receive(&tested, one);
        assert!(world.wakes.get() > before.unwrap(), "access {accesses}");
    }
}
