//! Watchers: who waits by a descriptor is rung by whatever makes a message receivable, or room, whoever else waits.

use super::dying::prepared;
use super::*;

/// What somebody waits for by a descriptor.
#[derive(Clone, Copy, Debug)]
enum Awaited {
    Message(Want),
    /// For a message of so many bytes.
    Room(usize),
}

/// By what it may come.
#[derive(Clone, Debug)]
enum Way {
    Deed(Deed),
    /// By the lane of who keeps the end, if he does.
    SendKept(i64),
    SendBatch(Vec<i64>),
    ReceiveBatch,
    /// An end is taken for good.
    Claim {
        senders: bool,
    },
}

use Way::{Claim, ReceiveBatch, SendBatch, SendKept};

/// Another who came by, or joins in the place of who died.
const HOW: [Settled; 3] = [Settled::ComingBy, Settled::Inheriting, Settled::Reclaiming];

fn deed(deed: Deed) -> Way {
    Way::Deed(deed)
}

impl Way {
    /// As a handle does it. What comes in its way is of no matter here.
    fn go(&self, court: &Court, who: Actor) {
        match self {
            Self::Deed(deed) => _ = court.perform(who, deed),
            Self::SendKept(mtype) => _ = court.ring().send_kept(&who, *mtype, &[7; 20]),
            Self::SendBatch(types) => {
                let messages: Vec<_> = types.iter().map(|&mtype| (mtype, vec![7; 20])).collect();
                super::super::batch::send_many(&court.tested, who, &messages);
            }
            Self::ReceiveBatch => _ = super::super::batch::receive_many(&court.tested, who, 2, 9000),
            Self::Claim { senders } => _ = court.ring().claim(&who, *senders),
        }
    }
}

impl Court {
    /// Whether it is there for one who looks, and may take it.
    fn is_there(&self, who: Actor, awaited: Awaited) -> Result<bool, Fault> {
        let outcome = match awaited {
            Awaited::Message(want) => self.receive(who, want, CAPACITY as usize, false),
            Awaited::Room(length) => self.send(who, 1, length),
        };
        Ok(!matches!(outcome?, Outcome::Empty | Outcome::Full))
    }

    fn announce_watcher(&self, who: Actor, awaited: Awaited) {
        match awaited {
            Awaited::Message(want) => self.ring().announce_watching_receiver(&who, want),
            Awaited::Room(length) => self.ring().announce_watching_sender(&who, length as u64),
        }
    }

    /// Waits by a descriptor from now on, unless it is there, or cannot be looked for; whether he does.
    fn watch(&self, who: Actor, awaited: Awaited) -> bool {
        self.announce_watcher(who, awaited);
        self.is_there(who, awaited) == Ok(false)
    }

    /// Takes whatever would be there.
    fn use_up(&mut self, who: Actor, awaited: Awaited) {
        match awaited {
            Awaited::Message(want) => {
                while self.model.choose(want).is_some() {
                    self.step(who, &Deed::Receive { want, room: CAPACITY as usize, cuts: false });
                }
            }
            Awaited::Room(length) => {
                while self.admits(length) {
                    self.step(who, &Deed::Send { mtype: 3, length });
                }
            }
        }
    }
}

/// Sleepers of each kind, and none.
fn sleepers(which: usize) -> Option<Want> {
    [None, Some(Want::Any), Some(Want::Type(3)), Some(Want::UpTo(1))][which % 4]
}

/// A queue in which that is not there, and others sleep for it or for something else; whether `one` may keep its ends says the world.
fn waiting<'a>(world: &'a World, state: usize, awaited: Awaited, sleeper: Option<Want>) -> (Court, [Actor<'a>; 4]) {
    let actors @ [one, two, _, four] = [1, 2, 3, 4].map(|slot| world.participant(slot));
    let mut court = prepared(state, one, two);
    court.use_up(two, awaited);
    if let Some(want) = sleeper {
        match awaited {
            Awaited::Message(_) => _ = court.ring().announce_receiver(&four, want),
            Awaited::Room(_) => _ = court.ring().announce_sender(&four, 10),
        }
        // Or he died since.
        if state.is_multiple_of(2) {
            world.asleep.borrow_mut().push(super::super::super::super::ring::bits_for(want));
        }
    }
    (court, actors)
}

/// Lets `one` take both ends for itself, if nobody forbids.
fn keep_ends(court: &mut Court, one: Actor) {
    if court.model.messages().count() == 0 {
        for _ in 0..6 {
            court.step(one, &Deed::Send { mtype: 7, length: 1 });
            court.step(one, &Deed::Receive { want: Want::Any, room: 9, cuts: false });
        }
    }
}

fn messages() -> (Vec<Awaited>, Vec<Way>) {
    let wants = [Want::Any, Want::Type(2), Want::Type(34), Want::UpTo(2), Want::Except(3)];
    let ways = vec![
        deed(Deed::Send { mtype: 2, length: 20 }),
        deed(Deed::Send { mtype: 2, length: 5000 }),
        SendKept(2),
        SendBatch(vec![2]),
        SendBatch(vec![3, 2, 3]),
        deed(Deed::Commit { which: 0, mtype: 2, percent: 50 }),
        deed(Deed::GiveBack(0)),
        deed(Deed::GiveBack(1)),
        Claim { senders: true },
    ];
    (wants.map(Awaited::Message).into(), ways)
}

fn rooms() -> (Vec<Awaited>, Vec<Way>) {
    let receive = |want| deed(Deed::Receive { want, room: 9000, cuts: false });
    let ways = vec![
        receive(Want::Any),
        receive(Want::Type(2)),
        receive(Want::Type(3)),
        receive(Want::UpTo(3)),
        ReceiveBatch,
        deed(Deed::Acknowledge(0)),
        deed(Deed::Acknowledge(1)),
        deed(Deed::Unreserve(0)),
        deed(Deed::Trim),
        Claim { senders: false },
    ];
    ([1, 4000, 5000].map(Awaited::Room).into(), ways)
}

/// Calls it with each state of a queue, each thing that may be awaited, and each way in which it may come.
fn each(mut test: impl FnMut(usize, Awaited, &Way)) {
    for (awaited, ways) in [messages(), rooms()] {
        for (state, awaited) in (0..8).flat_map(|state| awaited.iter().map(move |&awaited| (state, awaited))) {
            ways.iter().for_each(|way| test(state, awaited, way));
        }
    }
}

/// Worlds with and without kept ends in turn.
fn world(number: usize) -> World {
    if number.is_multiple_of(2) { World::never_keeping() } else { World::default() }
}

/// Whatever of an operation a watcher's arming comes in between: what he waits for is there and he found it, or he is rung.
#[test]
fn a_watcher_is_never_missed() {
    each(|state, awaited, way| {
        for accesses in 0.. {
            let world = world(accesses as usize + state);
            let (mut court, [one, _, three, _]) = waiting(&world, state, awaited, sleepers(accesses as usize / 2));
            keep_ends(&mut court, one);
            let mut watches = false;
            let other = || watches = court.watch(three, awaited);
            let ((), came) = interrupt_after(accesses, other, || way.go(&court, one));
            if watches && world.rings.get() == 0 {
                let what = || format!("state {state}, {awaited:?}, {way:?}, access {accesses}");
                assert!(!court.is_there(three, awaited).unwrap(), "{}", what());
            }
            if !came {
                break;
            }
        }
    });
}

/// And whatever of his arming an operation comes in between.
#[test]
fn who_arms_is_never_missed() {
    each(|state, awaited, way| {
        for accesses in 0.. {
            let world = world(accesses as usize + state);
            let (mut court, [one, _, three, _]) = waiting(&world, state, awaited, sleepers(accesses as usize / 2));
            keep_ends(&mut court, one);
            let (watches, came) = interrupt_after(accesses, || way.go(&court, one), || court.watch(three, awaited));
            if watches && world.rings.get() == 0 {
                // What somebody who is inside was in the way of is done by whoever looks next.
                let what = || format!("state {state}, {awaited:?}, {way:?}, access {accesses}");
                assert!(!court.is_there(three, awaited).unwrap(), "{}", what());
            }
            if !came {
                break;
            }
        }
    });
}

/// Whatever of an operation an announcement falls into, and whatever that is for: the next one that is for him rings.
#[test]
fn a_watcher_is_never_forgotten() {
    each(|state, awaited, way| {
        for accesses in 0.. {
            let world = world(accesses as usize + state);
            let (mut court, [one, two, three, _]) = waiting(&world, state, awaited, sleepers(accesses as usize / 2));
            keep_ends(&mut court, one);
            let ((), came) =
                interrupt_after(accesses, || court.announce_watcher(three, awaited), || way.go(&court, one));
            if !came {
                break;
            }
            one.dies();
            court.ring().reclaim(&two).unwrap();
            let what = || format!("state {state}, {awaited:?}, {way:?}, access {accesses}");
            match awaited {
                Awaited::Message(want) => {
                    let mtype = if want == Want::Type(34) { 34 } else { 2 };
                    while court.send(two, mtype, 20) == Ok(Outcome::Full) {
                        court.receive(two, Want::Any, CAPACITY as usize, false).unwrap();
                    }
                }
                Awaited::Room(length) => {
                    while !court.ring().admits(length as u64) {
                        court.receive(two, Want::Any, CAPACITY as usize, false).unwrap();
                    }
                    court.receive(two, Want::Any, CAPACITY as usize, false).unwrap();
                }
            }
            assert!(world.rings.get() > 0, "{}", what());
        }
    });
}

/// What can't be given back at once, since somebody is stopped inside or receives alone, rings too: who is rung puts it in order.
#[test]
fn what_is_left_rings() {
    for alone in [false, true] {
        let world = World::never_keeping();
        let [one, two, three] = [1, 2, 3].map(|slot| world.participant(slot));
        let mut court = prepared(4, one, two);
        court.use_up(two, Awaited::Message(Want::Any));
        assert!(court.watch(three, Awaited::Message(Want::Any)));
        if alone {
            court.ring().claim(&three, false).unwrap();
        } else {
            assert_eq!(die_after(1, || court.is_there(two, Awaited::Message(Want::Any))), Err(Died));
        }
        court.step(one, &Deed::GiveBack(0));
        assert_eq!(world.rings.get(), 1, "alone: {alone}");
        two.dies();
        court.ring().reclaim(&three).unwrap();
        assert_eq!(court.is_there(three, Awaited::Message(Want::Any)), Ok(true), "alone: {alone}");
    }
}

/// Room in the heap: a block that its owner frees, or a dead one's.
#[test]
fn room_in_the_heap_rings() {
    let world = World::never_keeping();
    let [one, two, three] = [1, 2, 3].map(|slot| world.participant(slot));
    let mut court = Court::new();
    while let Ok(Some(offset)) = court.reserve(one, 20_000) {
        court.model.reserved.insert(offset, (one.me.word(), 20_000));
    }
    let watch = |court: &Court| {
        court.ring().announce_watching_sender(&two, 20_000);
        assert_eq!(court.reserve(two, 20_000), Ok(None));
    };
    watch(&court);
    court.step(one, &Deed::Unreserve(0));
    assert_eq!(world.rings.take(), 1);
    court.step(one, &Deed::Reserve { length: 20_000 });
    watch(&court);
    one.dies();
    court.ring().reclaim(&three).unwrap();
    assert_eq!(world.rings.take(), 1);
    court.model = court.model.after_the_death_of(one);
    court.finish(three);
}

/// Room that was missing while somebody trimmed.
#[test]
fn room_that_was_trimmed_rings() {
    let world = World::never_keeping();
    let [one, two] = [1, 2].map(|slot| world.participant(slot));
    let court = Court::with(1 << 20, 100);
    let block = court.reserve(one, 300_000).unwrap().unwrap();
    while court.reserve(one, 300_000).unwrap().is_some() {}
    court.ring().unreserve(&one, block).unwrap();
    let mut last = None;
    while let Some((claim, _)) = court.ring().hollow_out(&one, last).unwrap() {
        if last.is_none() {
            court.ring().announce_watching_sender(&two, 300_000);
            assert_eq!(court.reserve(two, 300_000), Ok(None));
        }
        last = Some(claim);
    }
    assert_eq!(world.rings.get(), 1);
    assert!(court.reserve(two, 300_000).unwrap().is_some());
}

/// Whoever dies at whatever store: what he leaves rings as soon as somebody puts it in order.
#[test]
fn what_the_dead_leave_rings() {
    each(|state, awaited, way| {
        for stores in 0.. {
            let world = world(stores as usize + state);
            let (mut court, [one, two, three, _]) = waiting(&world, state, awaited, sleepers(stores as usize / 2));
            keep_ends(&mut court, one);
            assert!(court.watch(three, awaited));
            let lived = die_after(stores, || way.go(&court, one)).is_ok();
            one.dies();
            let repairs = court.ring().repairs();
            let how = HOW[(stores as usize + state) % 3];
            match how {
                Settled::ComingBy => {
                    court.peek(two, 0, 0, true).unwrap();
                    court.send(two, 7, 1).unwrap();
                    court.ring().reclaim(&two).unwrap();
                }
                _ => court.settle(two, how),
            }
            // Who let the lock go and died before he rang is found out by nobody: a tick.
            let is_silent = stores > 0 && court.ring().repairs() == repairs;
            if world.rings.get() == 0 && !is_silent {
                let what = || format!("state {state}, {awaited:?}, {way:?}, death at store {stores}, settled {how:?}");
                assert!(!court.is_there(three, awaited).unwrap(), "{}", what());
            }
            if lived {
                break;
            }
        }
    });
}
