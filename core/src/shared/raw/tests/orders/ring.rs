//! The queue: each message once, in order, and nobody sleeps while there is one for him, or room.

use std::cell::{Cell, RefCell};

use super::super::super::host::EVERYBODY;
use super::super::super::index::Want;
use super::super::super::ring::{Asked, Received, Ring, Sent, bits_for};
use super::super::queue_of;
use super::waiting::Wait;
use super::*;
use crate::deadline::Deadline;

/// How often the time of one who waits may be over before he goes.
const PATIENCE: u32 = 3;

/// As a handle tries to send.
pub(super) fn try_send(ring: &Ring, player: &Player, mtype: i64, number: u64) -> bool {
    loop {
        match ring.send(player, mtype, &number.to_le_bytes(), Deadline::NEVER).expect("sound") {
            Sent::Done => return true,
            Sent::Full => return false,
            Sent::NeedsSpace(space) => ring.grant(space),
        }
    }
}

/// As a handle tries to receive.
pub(super) fn try_receive(ring: &Ring, player: &Player, want: Want) -> Option<u64> {
    let mut granted = None;
    loop {
        let mut buffer = [0; 8];
        let asked = Asked { want, cuts: false, granted };
        match ring.receive(player, &mut buffer.as_mut_slice().into(), asked, Deadline::NEVER).expect("sound") {
            Received::Message(envelope) => {
                assert_eq!(envelope.length, 8);
                return Some(u64::from_le_bytes(buffer));
            }
            Received::Empty => return None,
            Received::NeedsSpace(space) => granted = Some(space),
            other => panic!("{other:?}"),
        }
    }
}

/// What was done with a queue in one order. A message's number tells who sent it, in its tens, and as which.
#[derive(Default)]
pub(super) struct Deeds {
    sent: RefCell<Vec<u64>>,
    /// By whom.
    received: RefCell<Vec<(usize, u64)>>,
    /// Somebody waited in vain to the end of his patience.
    gave_up: Cell<bool>,
}

impl Deeds {
    pub(super) fn send(&self, ring: &Ring, player: &Player, mtype: i64, number: u64) {
        let wait = Wait {
            event: ring.senders_event(),
            bits: EVERYBODY,
            before_sleep: &|| _ = ring.reclaim(player),
            announce: &|| ring.announce_sender(player, 8),
            woken_for_nothing: &|| ring.pass_wake_on(player, 8),
        };
        let attempt = || try_send(ring, player, mtype, number).then_some(());
        if attempt().or_else(|| wait.until_done(player, PATIENCE, &attempt)).is_none() {
            return self.gave_up.set(true);
        }
        if ring.senders_wait() {
            ring.wake_senders(player);
        }
        self.sent.borrow_mut().push(number);
        player.tells(number);
    }

    pub(super) fn receive(&self, ring: &Ring, player: &Player, want: Want) {
        let reclaim = || {
            if ring.leases() > 0 {
                let _ = ring.reclaim(player);
            }
        };
        let wait = Wait {
            event: ring.receivers_event(),
            bits: bits_for(want),
            before_sleep: &reclaim,
            announce: &|| ring.announce_receiver(player, want),
            woken_for_nothing: &|| {},
        };
        let attempt = || try_receive(ring, player, want);
        match attempt().or_else(|| wait.until_done(player, PATIENCE, &attempt)) {
            Some(number) => {
                self.received.borrow_mut().push((player.number(), number));
                player.tells(number);
            }
            None => self.gave_up.set(true),
        }
    }

    /// Each message was received once, or is there still; in each sender's order.
    pub(super) fn check(&self, orders: &Orders, ring: &Ring, ended: &Ended, receivers: &[usize]) {
        let last = orders.player(9);
        let left = std::iter::from_fn(|| try_receive(ring, &last, Want::Any));
        let mut received = self.received.borrow().clone();
        received.extend(left.map(|number| (9, number)));
        assert_eq!((ring.held().messages, ring.held().bytes), (0, 0));

        let mut numbers: Vec<_> = received.iter().map(|&(_, number)| number).collect();
        numbers.sort_unstable();
        assert!(numbers.windows(2).all(|two| two[0] < two[1]), "doubled: {received:?}");
        let lost = self.sent.borrow().iter().filter(|number| !numbers.contains(number)).count();
        let taken_along = receivers.iter().filter(|&&receiver| ended.dead[receiver]).count();
        assert!(lost <= taken_along, "{lost} lost of {:?}, received {received:?}", self.sent.borrow());
        assert!(ended.has_deaths() || !self.gave_up.get() && ended.needed_time == 0, "a wake was lost: {received:?}");
        for receiver in receivers.iter().copied().chain([9]) {
            let his = received.iter().filter(|of| of.0 == receiver).map(|of| of.1);
            for sender in 0..9 {
                assert!(his.clone().filter(|number| number / 10 == sender).is_sorted(), "out of order: {received:?}");
            }
        }
    }
}

fn explore_queue(
    what: &str,
    messages: u64,
    limits: Limits,
    once: impl Fn(&Orders, &Ring, &Deeds) -> Option<Ended>,
    receivers: &[usize],
) {
    let ring = queue_of(messages, 8);
    try_all(what, limits, &ring, |orders, ring| {
        let deeds = Deeds::default();
        // Its first message finds no space taken.
        assert!(try_send(ring, &orders.player(9), 1, 99) && try_receive(ring, &orders.player(9), Want::Any).is_some());
        if let Some(ended) = once(orders, ring, &deeds) {
            deeds.check(orders, ring, &ended, receivers);
        }
    });
}

#[test]
fn one_sends_and_one_receives() {
    for (messages, keeps) in [(1, false), (4, false), (4, true)] {
        let preemptions = Some(if is_full() { 4 } else { 2 });
        let limits = Limits { keeps, preemptions, ..Limits::default() };
        explore_queue(
            "queue, 1 sends 2, 1 receives 2",
            messages,
            limits,
            |orders, ring, deeds| {
                let sends = |player: Player| (0..2).for_each(|number| deeds.send(ring, &player, 1, number));
                let receives = |player: Player| (0..2).for_each(|_| deeds.receive(ring, &player, Want::Any));
                orders.run(&[&sends, &receives])
            },
            &[1],
        );
    }
}

#[test]
fn two_send_to_one() {
    let preemptions = Some(if is_full() { 3 } else { 1 });
    for messages in [1, 4] {
        let limits = Limits { preemptions, ..Limits::default() };
        explore_queue(
            "queue, 2 send, 1 receives 2",
            messages,
            limits,
            |orders, ring, deeds| {
                let sends = |player: Player| deeds.send(ring, &player, 1, 10 * player.number() as u64);
                let receives = |player: Player| (0..2).for_each(|_| deeds.receive(ring, &player, Want::Any));
                orders.run(&[&sends, &sends, &receives])
            },
            &[2],
        );
    }
}

#[test]
fn one_sends_to_two() {
    let preemptions = Some(if is_full() { 3 } else { 1 });
    let limits = Limits { preemptions, ..Limits::default() };
    explore_queue(
        "queue, 1 sends 2, 2 receive",
        4,
        limits,
        |orders, ring, deeds| {
            let sends = |player: Player| (0..2).for_each(|number| deeds.send(ring, &player, 1, number));
            let receives = |player: Player| deeds.receive(ring, &player, Want::Any);
            orders.run(&[&sends, &receives, &receives])
        },
        &[1, 2],
    );
}

/// Each wants a type of his own: what comes first is set aside for the other.
#[test]
fn two_receive_by_type() {
    let preemptions = Some(if is_full() { 2 } else { 1 });
    let limits = Limits { preemptions, ..Limits::default() };
    explore_queue(
        "queue, 1 sends 2 types, 2 receive",
        4,
        limits,
        |orders, ring, deeds| {
            let sends =
                |player: Player| [2, 1].iter().for_each(|&mtype| deeds.send(ring, &player, mtype, 2 - mtype as u64));
            let one = |player: Player| deeds.receive(ring, &player, Want::Type(1));
            let two = |player: Player| deeds.receive(ring, &player, Want::Type(2));
            orders.run(&[&sends, &one, &two])
        },
        &[1, 2],
    );
}

/// One of those who send and receive dies: the others get all that was sent.
#[test]
fn the_dead_take_nothing_along() {
    let preemptions = Some(u32::from(is_full()));
    for messages in [1, 4] {
        let limits = Limits { deaths: 1, mortals: 2, preemptions, ..Limits::default() };
        explore_queue(
            "queue, 2 send, 2 receive, one dies",
            messages,
            limits,
            |orders, ring, deeds| {
                let sends = |player: Player| deeds.send(ring, &player, 1, 10 * player.number() as u64);
                let receives = |player: Player| deeds.receive(ring, &player, Want::Any);
                orders.run(&[&sends, &receives, &sends, &receives])
            },
            &[1, 3],
        );
    }
}
