//! Batches under the trap: all of one or nothing, whoever dies or comes in between.

use super::super::super::ring::batch::{Left, Pieces, ReceivedMany, SentMany};
use super::*;

type Message = (i64, Vec<u8>);

/// The lengths of what is sent at once here: empty ones, some that end within a word, one that is not short, and together more than
/// one batch may have.
pub(super) const LENGTHS: [usize; 8] = [24, 0, 1, 9, 128, 129, 700, 1200];

impl Tested {
    /// The next messages; each says which it is.
    pub(super) fn next_many(&self, lengths: &[usize]) -> Vec<Message> {
        let message = |(at, &length): (u64, &usize)| {
            let number = self.sent + at;
            (number as i64 + 1, vec![(number % 251) as u8; length])
        };
        (0..).zip(lengths).map(message).collect()
    }

    /// How many of these messages the limits admit, one after the other.
    fn admits_of(&self, messages: &[Message]) -> usize {
        let Geometry { capacity, max_messages, .. } = *self.ring.geometry();
        let mut held: usize = self.model.iter().map(|(_, data)| data.len()).sum();
        let places = max_messages as usize - self.model.len();
        let fits = |(_, data): &&Message| {
            held += data.len();
            held as u64 <= capacity
        };
        messages.iter().take(places).take_while(fits).count()
    }

    /// Sends as many as it may; the model knows how many it must.
    pub(super) fn send_many(&mut self, who: Actor, lengths: &[usize]) {
        let messages = self.next_many(lengths);
        assert_eq!(send_many(self, who, &messages), self.admits_of(&messages));
        let sent = self.admits_of(&messages);
        messages.into_iter().take(sent).for_each(|message| self.note_sent(message));
        self.check_space();
    }

    pub(super) fn receive_many(&mut self, who: Actor, most: usize, room: usize) {
        let received = receive_many(self, who, most, room);
        let expected: Vec<_> = self.model.drain(..received.len()).collect();
        assert_eq!(received, expected);
        let padded = |(_, data): &Message| data.len().next_multiple_of(8);
        let full = |next: &Message| received.iter().map(padded).sum::<usize>() + next.1.len() > room;
        assert!(received.len() == most || self.model.front().is_none_or(full), "no less than there is room for");
    }

    /// A shorter [`finish`](Self::finish), for what is run often.
    fn finish_soon(mut self, who: Actor) {
        assert_eq!(self.ring.held().messages, self.model.len() as u64);
        self.receive_many(who, ALL.0, ALL.1);
        self.receive(who);
        self.send_many(who, &LENGTHS);
        self.receive_many(who, ALL.0, ALL.1);
        assert_eq!((self.ring.held().bytes, self.ring.held().messages), (0, 0));
        self.check_space();
    }

    /// What came of sends of which some may have taken effect: the first of `messages`, as many as were counted.
    pub(super) fn note_sent_since(&mut self, before: u64, messages: Vec<Message>) {
        let arrived = (self.ring.sent().messages - before) as usize;
        messages.into_iter().take(arrived).for_each(|message| self.note_sent(message));
    }
}

fn send_batch(tested: &Tested, who: Actor, messages: &[Message]) -> SentMany {
    let message = |index: usize| (messages[index].0, &messages[index].1[..]);
    tested.ring.send_many(&who, messages.len(), message, Deadline::NOW).unwrap()
}

/// As a handle sends them, batch by batch; how many.
pub(super) fn send_many(tested: &Tested, who: Actor, messages: &[Message]) -> usize {
    let mut sent = 0;
    while sent < messages.len() {
        match send_batch(tested, who, &messages[sent..]) {
            SentMany::Done(more) => sent += more,
            SentMany::Full => break,
            SentMany::NeedsSpace(space) => {
                file::allocate(tested.file.as_fd(), space.offset, space.length).unwrap();
                tested.taken.borrow_mut().insert(space.offset, space.length);
                tested.ring.grant(space);
            }
        }
    }
    sent
}

/// As a handle receives them, batch by batch.
pub(super) fn receive_many(tested: &Tested, who: Actor, most: usize, room: usize) -> Vec<Message> {
    let mut buffer = vec![0; room];
    let mut envelopes = Vec::new();
    let mut target = buffer.as_mut_slice().into();
    while envelopes.len() < most {
        let left = most - envelopes.len();
        let received =
            tested.ring.receive_many(&who, &mut target, left, |envelope| envelopes.push(envelope), Deadline::NOW);
        if !matches!(received.unwrap(), ReceivedMany::Done { left: Left::More, .. }) {
            break;
        }
    }
    let mut at = 0;
    let message = |envelope: super::super::super::ring::Envelope| {
        let data = buffer[at..][..envelope.length as usize].to_vec();
        at += data.len().next_multiple_of(8);
        (envelope.mtype, data)
    };
    envelopes.into_iter().map(message).collect()
}

/// What can be received at once.
const ALL: (usize, usize) = (usize::MAX, 1 << 16);

#[test]
fn a_sender_of_many_may_die_at_every_store() {
    for state in 0..STATES {
        for stores in 0.. {
            let world = World::default();
            let mut tested = prepared(state, &world);
            let dying = world.participant(1);
            let messages = tested.next_many(&LENGTHS);
            let before = tested.ring.sent().messages;
            let lived = die_after(stores, || send_many(&tested, dying, &messages)).is_ok();
            dying.dies();
            let seen = tested.ring.sent();
            tested.ring.settle_for_test(&world.participant(7)).unwrap();
            assert_eq!(tested.ring.sent(), seen, "what was committed all see before it is settled");
            tested.note_sent_since(before, messages);
            tested.send_many(world.participant(2), &[24, 3, 500]);
            tested.finish_soon(world.participant(2));
            if lived {
                break;
            }
        }
    }
}

/// What one commit commits is there wholly, or not at all.
#[test]
fn a_batch_is_there_wholly_or_not_at_all() {
    for state in 0..STATES {
        let mut seen = Vec::new();
        for stores in 0.. {
            let world = World::default();
            let tested = prepared(state, &world);
            let messages = tested.next_many(&[24, 0, 1, 9, 128, 129]);
            let before = tested.ring.sent().messages;
            let lived = die_after(stores, || send_many(&tested, world.participant(1), &messages)).is_ok();
            seen.push(tested.ring.sent().messages - before);
            if lived {
                break;
            }
        }
        assert!(seen.is_sorted());
        seen.dedup();
        // Where the near ring is nearly full some of them fit, and the others go deep; in the deep one a sender looks about now and then.
        let near_is_full = [2, 3, 5].contains(&state);
        assert!(seen == [0, 6] || (near_is_full && seen.len() == 3), "state {state}: {seen:?}");
    }
}

/// The dead one's scribble has whole words in it: nobody meets them, whatever is written over it.
#[test]
fn what_a_dead_sender_wrote_is_never_met() {
    for state in [1, 2, 6] {
        for stores in 0.. {
            let mut lived = false;
            for over in [&[24][..], &[0], &[8, 8], &[1200], &[24, 0, 1]] {
                let world = World::default();
                let mut tested = prepared(state, &world);
                let messages = tested.next_many(&[24, 8, 0, 16, 8]);
                let before = tested.ring.sent().messages;
                lived = die_after(stores, || send_many(&tested, world.participant(1), &messages)).is_ok();
                world.participant(1).dies();
                tested.ring.settle_for_test(&world.participant(7)).unwrap();
                tested.note_sent_since(before, messages);
                for _ in 0..2 {
                    tested.send_many(world.participant(2), over);
                    tested.receive_many(world.participant(3), ALL.0, ALL.1);
                    tested.receive(world.participant(3));
                }
                tested.finish_soon(world.participant(2));
            }
            if lived {
                break;
            }
        }
    }
}

/// The first dies at each store of a batch, the second at each store of its repair and of its own batch.
#[test]
fn who_repairs_a_batch_may_die_at_every_store() {
    for state in [1, 2, 4] {
        for first in 0.. {
            let mut lived = false;
            for second in 0.. {
                let world = World::default();
                let mut tested = prepared(state, &world);
                let [one, two, three] = [1, 2, 3].map(|slot| world.participant(slot));
                let before = tested.ring.sent().messages;
                let messages = tested.next_many(&[24, 9]);
                lived = die_after(first, || send_many(&tested, one, &messages)).is_ok();
                one.dies();
                tested.note_sent_since(before, messages);
                let (before, later) = (tested.ring.sent().messages, tested.next_many(&[1, 0]));
                let repaired = die_after(second, || send_many(&tested, two, &later)).is_ok();
                two.dies();
                tested.ring.settle_for_test(&three).unwrap();
                tested.note_sent_since(before, later);
                tested.finish_soon(three);
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

#[test]
fn a_receiver_of_many_may_die_at_every_store() {
    for state in 1..STATES {
        for stores in 0.. {
            let world = World::default();
            let mut tested = prepared(state, &world);
            let dying = world.participant(1);
            tested.send_many(world.participant(0), &LENGTHS);
            let before = tested.ring.received().messages;
            let lived = die_after(stores, || receive_many(&tested, dying, ALL.0, ALL.1)).is_ok();
            dying.dies();
            let gone = (tested.ring.received().messages - before) as usize;
            tested.model.drain(..gone);
            tested.send_many(world.participant(2), &LENGTHS);
            tested.finish(world.participant(2));
            if lived {
                break;
            }
        }
    }
}

/// Receivers come at every access of one who sends many, and take some or all: of each batch they see all or nothing, and where one
/// has died whose batch they took before it was counted, the next goes on behind it.
#[test]
fn receivers_may_come_at_every_access_of_a_sender() {
    for state in 1..STATES {
        for most in [1, usize::MAX] {
            for accesses in 0.. {
                let world = World::default();
                let mut tested = prepared(state, &world);
                let (one, two) = (world.participant(0), world.participant(1));
                let messages = tested.next_many(&LENGTHS);
                let received = RefCell::new(Vec::new());
                let other = || {
                    received.borrow_mut().extend(receive_many(&tested, two, most, ALL.1));
                    let held = tested.ring.held().messages;
                    assert!(held <= (tested.model.len() + LENGTHS.len()) as u64, "{held} are held");
                };
                let (sent, came) = interrupt_after(accesses, other, || send_many(&tested, one, &messages));
                assert_eq!(sent, messages.len());
                messages.into_iter().for_each(|message| tested.note_sent(message));
                for message in received.into_inner() {
                    assert_eq!(Some(message), tested.model.pop_front(), "state {state}, access {accesses}");
                }
                tested.finish_soon(one);
                if !came {
                    break;
                }
            }
        }
    }
}

/// A batch is committed, receivers take some of it, or all, and only then its sender dies, before it was counted.
#[test]
fn a_batch_may_be_received_before_it_is_counted() {
    for taken in 0..=4 {
        let world = World::default();
        let mut tested = prepared(1, &world);
        let (dying, two) = (world.participant(1), world.participant(2));
        let messages = tested.next_many(&[24, 0, 9, 100]);
        let before = tested.ring.sent().messages;
        let uncounted = (0..)
            .find(|&stores| {
                let world = World::default();
                let tested = prepared(1, &world);
                let outcome = die_after(stores, || send_many(&tested, world.participant(1), &messages));
                assert_eq!(outcome, Err(Died), "there is a store after the commit");
                tested.ring.sent().messages > before
            })
            .unwrap();
        assert_eq!(die_after(uncounted, || send_many(&tested, dying, &messages)), Err(Died));
        dying.dies();
        tested.note_sent_since(before, messages);
        assert_eq!(tested.ring.ends().0.look().1.messages, before, "the tail stands where it stood");
        tested.receive_many(two, 3 + taken, ALL.1);
        assert_eq!(tested.ring.held().messages, 4 - taken as u64);
        tested.send_many(two, &[1, 2, 3]);
        assert_eq!(tested.ring.held().messages, 7 - taken as u64);
        tested.finish(two);
    }
}

/// Senders come at every access of one who receives many.
#[test]
fn senders_may_come_at_every_access_of_a_receiver() {
    for state in 1..STATES {
        for lengths in [&[24][..], &LENGTHS] {
            for accesses in 0.. {
                let world = World::default();
                let tested = RefCell::new(prepared(state, &world));
                let (one, two) = (world.participant(0), world.participant(1));
                // SAFETY: receiving touches the ring and nothing else of it, and the ring is made for that.
                let alone = unsafe { &*std::ptr::from_ref(&*tested.borrow()) };
                let other = || tested.borrow_mut().send_many(two, lengths);
                let (received, came) = interrupt_after(accesses, other, || receive_many(alone, one, ALL.0, ALL.1));
                let mut tested = tested.into_inner();
                let expected: Vec<_> = tested.model.drain(..received.len()).collect();
                assert_eq!(received, expected, "state {state}, access {accesses}");
                tested.finish_soon(two);
                if !came {
                    break;
                }
            }
        }
    }
}

/// What is counted without the lock is never less than was received, nor more than was sent, at any moment of a batch.
#[test]
fn a_look_at_a_batch_is_one_moment() {
    for accesses in 0.. {
        let world = World::default();
        let tested = RefCell::new(prepared(1, &world));
        let who = world.participant(0);
        // SAFETY: only the ring is looked at, which is made for that.
        let ring = unsafe { &*std::ptr::from_ref(&tested.borrow().ring) };
        let other = || {
            let mut tested = tested.borrow_mut();
            tested.send_many(who, &[10; 5]);
            tested.receive_many(who, 7, 1 << 20);
        };
        let (held, came) = interrupt_after(accesses, other, || ring.held());
        assert!(held.messages <= 8, "{held:?} before access {accesses}");
        if !came {
            break;
        }
    }
}

#[test]
fn a_batch_ends_where_it_is_long_enough() {
    let world = World::default();
    let who = world.participant(0);
    let mut tested = Tested::new(near(), 1000);
    // 2 KiB in tests: 128 records of nothing.
    let messages = tested.next_many(&[0; 200]);
    assert_eq!(send_many(&tested, who, &messages[..1]), 1);
    assert_eq!(send_batch(&tested, who, &messages[1..]), SentMany::Done(128));
    assert_eq!(send_many(&tested, who, &messages[129..]), 71);
    messages.into_iter().for_each(|message| tested.note_sent(message));
    let mut buffer = [0; 100];
    for (taken, left) in [(128, Left::More), (72, Left::Nothing)] {
        let received =
            tested.ring.receive_many(&who, &mut buffer.as_mut_slice().into(), 1000, |_| {}, Deadline::NOW).unwrap();
        assert_eq!(received, ReceivedMany::Done { taken, left });
        tested.model.drain(..taken);
    }
    // One that is longer is a batch by itself.
    let messages = tested.next_many(&[0, 3000, 0]);
    for sent in 0..3 {
        assert_eq!(send_batch(&tested, who, &messages[sent..]), SentMany::Done(1));
    }
    messages.into_iter().for_each(|message| tested.note_sent(message));
    tested.receive_many(who, 3, 3000);
    tested.finish(who);
}

#[test]
fn what_does_not_fit_stays() {
    let world = World::default();
    let who = world.participant(0);
    let mut tested = Tested::new(near(), 1000);
    tested.send_many(who, &[9, 16, 100, 1]);
    let receive = |tested: &Tested, room: usize, most| {
        let mut buffer = vec![0; room];
        tested.ring.receive_many(&who, &mut buffer.as_mut_slice().into(), most, |_| {}, Deadline::NOW).unwrap()
    };
    assert_eq!(receive(&tested, 8, 4), ReceivedMany::TooSmall(9));
    // 9 bytes take 16, and the last of what fits need not have its padding.
    assert_eq!(receive_many(&tested, who, 4, 31).len(), 1);
    tested.model.pop_front();
    tested.receive_many(who, 4, 115);
    assert_eq!(tested.model.len(), 2);
    assert_eq!(receive(&tested, 99, 4), ReceivedMany::TooSmall(100));
    assert_eq!(receive(&tested, 104, 4), ReceivedMany::Done { taken: 1, left: Left::TooLong });
    tested.model.pop_front();
    tested.receive_many(who, 1, 1);
    assert_eq!(receive(&tested, 100, 4), ReceivedMany::Empty);
    tested.finish(who);
}

#[test]
fn several_pieces_are_one_message() {
    for state in 0..STATES {
        for stores in 0.. {
            let world = World::default();
            let mut tested = prepared(state, &world);
            let who = world.participant(1);
            let (mtype, data) = tested.next(200);
            let pieces = [&data[..0], &data[..1], &data[1..150], &data[150..]];
            let pieces = Pieces::new(pieces.len(), |index| pieces[index]);
            let before = tested.ring.sent().messages;
            let lived = die_after(stores, || {
                loop {
                    match tested.ring.send_many(&who, 1, |_| (mtype, &pieces), Deadline::NOW).unwrap() {
                        SentMany::NeedsSpace(space) => {
                            file::allocate(tested.file.as_fd(), space.offset, space.length).unwrap();
                            tested.taken.borrow_mut().insert(space.offset, space.length);
                            tested.ring.grant(space);
                        }
                        sent => return assert_eq!(sent, SentMany::Done(1)),
                    }
                }
            });
            who.dies();
            tested.note_sent_since(before, vec![(mtype, data)]);
            tested.finish(world.participant(2));
            if lived.is_ok() {
                break;
            }
        }
    }
}

/// Rubbish behind good messages: they are received, and then it is found.
#[test]
fn damage_behind_good_messages_is_found_after_them() {
    let world = World::never_keeping();
    let who = world.participant(2);
    let mut tested = prepared(1, &world);
    tested.ring.scribble(tested.ring.ends().1.place(), 2 * record_size(100), 5);
    let received = receive_many(&tested, who, 1, ALL.1);
    assert_eq!(received, [tested.model.pop_front().unwrap()]);
    let mut buffer = [0; 1000];
    let mut receive = || tested.ring.receive_many(&who, &mut buffer.as_mut_slice().into(), 9, |_| {}, Deadline::NOW);
    assert_eq!(receive(), Ok(ReceivedMany::Done { taken: 1, left: Left::More }));
    assert!(matches!(receive(), Err(Fault::Damaged(_))));
    assert!(matches!(receive(), Err(Fault::Damaged(_))), "nobody hangs on it");
}

/// What the room is said to be is believed only as far as the ring goes.
#[test]
fn scribbled_room_is_not_written_over() {
    let world = World::never_keeping();
    let who = world.participant(0);
    let tested = Tested::with(Geometry::new(1000, 1000, 8).unwrap());
    tested.ring.scribble_room();
    let messages = vec![(1, vec![7; 900]); 300];
    for sent in (0..300).step_by(2) {
        // 2 KiB at once: two of them.
        assert_eq!(send_batch(&tested, who, &messages[sent..]), SentMany::Done(2));
    }
    let long = [(1, vec![7; 1 << 20])];
    assert!(!matches!(send_batch(&tested, who, &long), SentMany::Done(_)));
}

/// A batch wakes as many as it has messages for; and the last who finds nobody notes that.
#[test]
fn a_batch_wakes_a_receiver_for_each_message() {
    let world = World::never_keeping();
    let mut tested = Tested::new(near(), 1000);
    let (one, two) = (world.participant(0), world.participant(1));
    tested.send_many(one, &[1; 5]);
    assert_eq!(world.wakes.get(), 0, "nobody sleeps");
    world.sleepers.set(10);
    tested.ring.announce_receiver(&two, Want::Any);
    tested.send_many(one, &[1; 5]);
    assert_eq!((world.wakes.get(), world.woken.get()), (1, 5));
    assert!(tested.ring.receivers_event().is_awaited(), "others may sleep still");
    world.sleepers.set(0);
    tested.send_many(one, &[1; 5]);
    assert!(!tested.ring.receivers_event().is_awaited());
    tested.finish(one);
}

/// Room that a batch made wakes a sender, once.
#[test]
fn receiving_many_wakes_a_sender() {
    let world = World::never_keeping();
    let mut tested = Tested::new(100, 10);
    let (one, two) = (world.participant(0), world.participant(1));
    tested.send_many(one, &[10; 10]);
    // A new queue doesn't know what is wanted.
    tested.ring.pass_wake_on(&one, 1);
    world.wakes.set(0);
    tested.ring.announce_sender(&two, 50);
    tested.receive_many(one, 4, 1000);
    assert_eq!(world.wakes.get(), 0, "that is not enough room for him");
    tested.receive_many(one, 4, 1000);
    assert_eq!(world.wakes.get(), 1);
    tested.finish(one);
}

/// Whatever of a batch an announcement and a last try fall into: the receiver finds a message or is woken.
#[test]
fn a_receiver_is_never_forgotten_by_a_batch() {
    for state in 1..STATES {
        for accesses in 0.. {
            let world = World::default();
            let mut tested = prepared(state, &world);
            let (one, two) = (world.participant(0), world.participant(1));
            while !tested.model.is_empty() {
                tested.receive(one);
            }
            let messages = tested.next_many(&[24, 1]);
            let mut found = false;
            let other = || {
                tested.ring.announce_receiver(&two, Want::Any);
                found = !receive_many(&tested, two, 1, 100).is_empty();
            };
            let (sent, came) = interrupt_after(accesses, other, || send_many(&tested, one, &messages));
            assert_eq!(sent, 2);
            assert!(!came || found || world.wakes.get() > 0, "state {state}, access {accesses}");
            if !came {
                break;
            }
        }
    }
}

/// A batch whose sender died uncounted wakes all who wait when it is repaired.
#[test]
fn a_repaired_batch_wakes_its_receivers() {
    for stores in 0.. {
        let world = World::never_keeping();
        let mut tested = Tested::new(near(), 3);
        let (one, two) = (world.participant(1), world.participant(2));
        let messages = tested.next_many(&[24, 1, 2]);
        tested.ring.announce_receiver(&two, Want::Any);
        let lived = die_after(stores, || send_many(&tested, one, &messages)).is_ok();
        one.dies();
        let died_inside = tested.ring.ends().0.lock.held_by().is_some();
        if tested.ring.sent().messages == 3 && died_inside {
            let more = tested.next_many(&[1]);
            world.sleepers.set(10);
            assert_eq!(send_many(&tested, two, &more), 0, "it is full");
            assert!(world.woken.get() >= 10);
        }
        if lived {
            tested.sent = 3;
            break;
        }
    }
}
