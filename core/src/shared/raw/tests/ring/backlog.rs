//! Selection, peeking, leases and reservations under the trap, and against System V's rules put plainly.

mod dying;
mod meanwhile;
mod refused;
mod scribbled;
mod waking;
mod watching;

use std::collections::BTreeMap;

use super::super::super::block::State;
use super::super::super::geometry::LONGEST_INLINE;
use super::super::super::ring::{Envelope, Leased, Reserved, Space};
use super::*;

/// A message of the model.
#[derive(Clone, Debug, PartialEq)]
struct Message {
    mtype: i64,
    length: usize,
    /// What all its bytes are.
    fill: u8,
    deliveries: u64,
    /// Whether it was sent as a block.
    referred: bool,
}

/// What a queue holds, by System V's rules.
#[derive(Clone, Debug, Default, PartialEq)]
struct Model {
    /// By their sequences.
    waiting: BTreeMap<u64, Message>,
    /// By the offset of the block: whose, which, what.
    leased: BTreeMap<u64, (u32, u64, Message)>,
    /// Whose, and how long.
    reserved: BTreeMap<u64, (u32, usize)>,
    sent: u64,
}

impl Model {
    fn choose(&self, want: Want) -> Option<u64> {
        let mut all = self.waiting.iter();
        let found = match want {
            Want::Any => all.next(),
            Want::Type(mtype) => all.find(|(_, message)| message.mtype == mtype),
            Want::Except(mtype) => all.find(|(_, message)| message.mtype != mtype),
            Want::UpTo(most) => {
                all.filter(|(_, message)| message.mtype <= most).min_by_key(|&(&at, message)| (message.mtype, at))
            }
        };
        found.map(|(&sequence, _)| sequence)
    }

    fn messages(&self) -> impl Iterator<Item = &Message> {
        self.waiting.values().chain(self.leased.values().map(|leased| &leased.2))
    }

    fn bytes(&self) -> u64 {
        self.messages().map(|message| message.length as u64).sum()
    }

    /// What the next message of somebody is filled with.
    fn fill(&self, who: Actor) -> u8 {
        ((u64::from(who.me.slot()) * 83 + self.sent) % 251) as u8
    }

    fn send(&mut self, mtype: i64, length: usize, fill: u8, referred: bool) {
        self.waiting.insert(self.sent, Message { mtype, length, fill, deliveries: 0, referred });
        self.sent += 1;
    }

    fn give_back(&mut self, offset: u64) {
        let (_, sequence, mut message) = self.leased.remove(&offset).unwrap();
        message.deliveries += 1;
        self.waiting.insert(sequence, message);
    }

    /// The `n`-th lease of somebody, going round.
    fn lease_of(&self, who: Actor, n: usize) -> Option<u64> {
        let all: Vec<_> = self.leased.iter().filter(|leased| leased.1.0 == who.me.word()).collect();
        all.get(n % all.len().max(1)).map(|leased| *leased.0)
    }

    fn reservation_of(&self, who: Actor, n: usize) -> Option<(u64, usize)> {
        let all: Vec<_> = self.reserved.iter().filter(|reserved| reserved.1.0 == who.me.word()).collect();
        all.get(n % all.len().max(1)).map(|reserved| (*reserved.0, reserved.1.1))
    }

    /// What he had leased waits again, what he had reserved is gone.
    fn after_the_death_of(&self, who: Actor) -> Self {
        let mut after = self.clone();
        while let Some(offset) = after.lease_of(who, 0) {
            after.give_back(offset);
        }
        after.reserved.retain(|_, reserved| reserved.0 != who.me.word());
        after
    }
}

#[derive(Clone, Debug)]
enum Deed {
    Send {
        mtype: i64,
        length: usize,
    },
    Receive {
        want: Want,
        room: usize,
        cuts: bool,
    },
    Peek {
        position: u64,
        room: usize,
        cuts: bool,
    },
    Lease {
        want: Want,
    },
    Acknowledge(usize),
    GiveBack(usize),
    Reserve {
        length: usize,
    },
    /// Of the reservation's bytes so many hundredths.
    Commit {
        which: usize,
        mtype: i64,
        percent: usize,
    },
    Unreserve(usize),
    Reclaim,
    Trim,
}

#[derive(Clone, Debug, PartialEq)]
enum Outcome {
    Done,
    /// With these bytes.
    Sent(u8),
    Full,
    Empty,
    TooSmall(u64),
    NoRoom,
    Message(Envelope, Vec<u8>),
    Leased(u64, Envelope, Vec<u8>),
    Reserved(u64),
    /// There was nothing to do it with.
    Nothing,
}

/// A queue and its model.
struct Court {
    tested: Tested,
    model: Model,
    /// Who settled the places of the dead.
    heirs: RefCell<Vec<Participant>>,
}

const CAPACITY: u64 = 30_000;
const MOST: u64 = 12;

impl Court {
    fn new() -> Self {
        Self::with(CAPACITY, MOST)
    }

    fn with(capacity: u64, most: u64) -> Self {
        Self { tested: Tested::new(capacity, most), model: Model::default(), heirs: RefCell::default() }
    }

    fn ring(&self) -> &Ring {
        &self.tested.ring
    }

    fn admits(&self, length: usize) -> bool {
        let Geometry { capacity, max_messages, .. } = *self.ring().geometry();
        self.model.bytes() + length as u64 <= capacity && (self.model.messages().count() as u64) < max_messages
    }

    fn take(&self, space: Space) {
        file::allocate(self.tested.file.as_fd(), space.offset, space.length).unwrap();
        self.tested.taken.borrow_mut().insert(space.offset, space.length);
        self.ring().grant(space);
    }

    fn reserve(&self, who: Actor, length: usize) -> Result<Option<u64>, Fault> {
        let mut granted = None;
        loop {
            match self.ring().reserve(&who, length as u64, granted, Deadline::NOW)? {
                Reserved::Block(offset) => return Ok(Some(offset)),
                Reserved::Full => return Ok(None),
                Reserved::NeedsSpace(space) => {
                    self.take(space);
                    granted = Some(space);
                }
            }
        }
    }

    fn commit(&self, who: Actor, offset: u64, mtype: i64, length: usize) -> Result<Outcome, Fault> {
        let mut view = self.ring().view(offset, length as u64)?;
        let fill = self.model.fill(who);
        assert!(view.write(0, &vec![fill; length]));
        loop {
            match self.ring().commit(&who, offset, mtype, length as u64, Deadline::NOW)? {
                Sent::Done => return Ok(Outcome::Sent(fill)),
                Sent::Full => return Ok(Outcome::Full),
                Sent::NeedsSpace(space) => self.take(space),
            }
        }
    }

    /// As the handles send.
    fn send(&self, who: Actor, mtype: i64, length: usize) -> Result<Outcome, Fault> {
        if length as u64 > LONGEST_INLINE {
            let Some(offset) = self.reserve(who, length)? else { return Ok(Outcome::Full) };
            let sent = self.commit(who, offset, mtype, length);
            if !matches!(sent, Ok(Outcome::Sent(_))) {
                self.ring().unreserve(&who, offset)?;
            }
            return sent;
        }
        let fill = self.model.fill(who);
        loop {
            match self.ring().send(&who, mtype, &vec![fill; length], Deadline::NOW)? {
                Sent::Done => return Ok(Outcome::Sent(fill)),
                Sent::Full => return Ok(Outcome::Full),
                Sent::NeedsSpace(space) => self.take(space),
            }
        }
    }

    fn receive(&self, who: Actor, want: Want, room: usize, cuts: bool) -> Result<Outcome, Fault> {
        let (mut buffer, mut granted) = (vec![0; room], None);
        if want == Want::Any
            && !cuts
            && let Some(envelope) = self.ring().receive_kept(&who, &mut buffer.as_mut_slice().into())?
        {
            buffer.truncate(envelope.length as usize);
            return Ok(Outcome::Message(envelope, buffer));
        }
        loop {
            let asked = Asked { want, cuts, granted };
            match self.ring().receive(&who, &mut buffer.as_mut_slice().into(), asked, Deadline::NOW)? {
                Received::NeedsSpace(space) => {
                    self.take(space);
                    granted = Some(space);
                }
                received => return Ok(outcome(received, buffer)),
            }
        }
    }

    fn lease(&self, who: Actor, want: Want) -> Result<Outcome, Fault> {
        let mut granted = None;
        loop {
            match self.ring().lease(&who, Asked { want, cuts: false, granted }, Deadline::NOW)? {
                Leased::NeedsSpace(space) => {
                    self.take(space);
                    granted = Some(space);
                }
                Leased::Empty => return Ok(Outcome::Empty),
                Leased::NoRoom => return Ok(Outcome::NoRoom),
                Leased::Message(offset, envelope) => {
                    let bytes = self.ring().view(offset, envelope.length)?.to_vec();
                    return Ok(Outcome::Leased(offset, envelope, bytes));
                }
            }
        }
    }

    fn peek(&self, who: Actor, position: u64, room: usize, cuts: bool) -> Result<Outcome, Fault> {
        let mut buffer = vec![0; room];
        let peeked = self.ring().peek(&who, position, &mut buffer.as_mut_slice().into(), cuts, Deadline::NOW)?;
        Ok(outcome(peeked, buffer))
    }

    fn trim(&self, who: Actor) -> Result<(), Fault> {
        let mut last = None;
        while let Some((claim, offset)) = self.ring().hollow_out(&who, last)? {
            file::punch(self.tested.file.as_fd(), offset, claim.length).unwrap();
            last = Some(claim);
        }
        Ok(())
    }

    /// Does it in shared memory.
    fn perform(&self, who: Actor, deed: &Deed) -> Result<Outcome, Fault> {
        match *deed {
            Deed::Send { mtype, length } => self.send(who, mtype, length),
            Deed::Receive { want, room, cuts } => self.receive(who, want, room, cuts),
            Deed::Peek { position, room, cuts } => self.peek(who, position, room, cuts),
            Deed::Lease { want } => self.lease(who, want),
            Deed::Acknowledge(which) => match self.model.lease_of(who, which) {
                Some(offset) => self.ring().acknowledge(&who, offset).map(|()| Outcome::Done),
                None => Ok(Outcome::Nothing),
            },
            Deed::GiveBack(which) => match self.model.lease_of(who, which) {
                Some(offset) => self.ring().give_back(&who, offset).map(|()| Outcome::Done),
                None => Ok(Outcome::Nothing),
            },
            Deed::Reserve { length } => Ok(self.reserve(who, length)?.map_or(Outcome::Full, Outcome::Reserved)),
            Deed::Commit { which, mtype, percent } => match self.model.reservation_of(who, which) {
                Some((offset, length)) => self.commit(who, offset, mtype, length * percent / 100),
                None => Ok(Outcome::Nothing),
            },
            Deed::Unreserve(which) => match self.model.reservation_of(who, which) {
                Some((offset, _)) => self.ring().unreserve(&who, offset).map(|()| Outcome::Done),
                None => Ok(Outcome::Nothing),
            },
            Deed::Reclaim => self.ring().reclaim(&who).map(|_| Outcome::Done),
            Deed::Trim => self.trim(who).map(|()| Outcome::Done),
        }
    }

    /// Whether a block may be refused: more lies in the heap than half of what it is made for.
    fn is_crowded(&self, length: usize) -> bool {
        let reserved: usize = self.model.reserved.values().map(|reserved| reserved.1 + 128).sum();
        let held = self.model.bytes() + 128 * self.model.messages().count() as u64;
        held + (reserved + length) as u64 > self.ring().geometry().heap() / 3
    }

    /// Says in the model what came out; or what should have.
    fn note(&mut self, who: Actor, deed: &Deed, outcome: &Outcome) -> Result<(), String> {
        let expected = self.expected(who, deed, outcome);
        if *outcome != expected {
            return Err(format!("{deed:?} gave {outcome:?}, not {expected:?}"));
        }
        let model = &mut self.model;
        match (deed, outcome) {
            (&Deed::Send { mtype, length }, &Outcome::Sent(fill)) => {
                model.send(mtype, length, fill, length as u64 > LONGEST_INLINE);
            }
            (Deed::Receive { .. }, Outcome::Message(envelope, _)) => {
                model.waiting.remove(&envelope.sequence);
            }
            (Deed::Lease { .. }, Outcome::Leased(offset, envelope, _)) => {
                let message = model.waiting.remove(&envelope.sequence).unwrap();
                let former = model.leased.insert(*offset, (who.me.word(), envelope.sequence, message));
                if former.is_some() {
                    return Err("one block, two leases".into());
                }
            }
            (&Deed::Acknowledge(which), Outcome::Done) => {
                let offset = model.lease_of(who, which).unwrap();
                model.leased.remove(&offset);
            }
            (&Deed::GiveBack(which), Outcome::Done) => model.give_back(model.lease_of(who, which).unwrap()),
            (&Deed::Reserve { length }, Outcome::Reserved(offset)) => {
                model.reserved.insert(*offset, (who.me.word(), length));
            }
            (&Deed::Commit { which, mtype, percent }, &Outcome::Sent(fill)) => {
                let (offset, length) = model.reservation_of(who, which).unwrap();
                model.reserved.remove(&offset);
                model.send(mtype, length * percent / 100, fill, true);
            }
            (&Deed::Unreserve(which), Outcome::Done) => {
                let (offset, _) = model.reservation_of(who, which).unwrap();
                model.reserved.remove(&offset);
            }
            _ => {}
        }
        Ok(())
    }

    /// What must come out; where the model can't know, what came out.
    fn expected(&self, who: Actor, deed: &Deed, outcome: &Outcome) -> Outcome {
        let model = &self.model;
        let done = |is: bool| if is { Outcome::Done } else { Outcome::Nothing };
        let sent = || match outcome {
            Outcome::Sent(fill) => Outcome::Sent(*fill),
            _ => Outcome::Sent(0),
        };
        match *deed {
            Deed::Send { length, .. } => match outcome {
                Outcome::Full if length as u64 > LONGEST_INLINE && self.is_crowded(length) => Outcome::Full,
                _ if self.admits(length) => sent(),
                _ => Outcome::Full,
            },
            Deed::Receive { want, room, cuts } => match (model.choose(want), outcome) {
                (_, Outcome::NoRoom) if self.is_crowded(0) => Outcome::NoRoom,
                (Some(sequence), _) => self.shown(sequence, room, cuts),
                (None, _) => Outcome::Empty,
            },
            Deed::Peek { position, room, cuts } => {
                let found = model.waiting.keys().nth(position as usize);
                found.map_or(Outcome::Empty, |&sequence| self.shown(sequence, room, cuts))
            }
            Deed::Lease { want } => match (model.choose(want), outcome) {
                (_, Outcome::NoRoom) if self.is_crowded(0) => Outcome::NoRoom,
                (Some(sequence), Outcome::Leased(offset, ..)) => match self.shown(sequence, usize::MAX, false) {
                    Outcome::Message(envelope, bytes) => Outcome::Leased(*offset, envelope, bytes),
                    other => other,
                },
                (Some(sequence), _) => self.shown(sequence, usize::MAX, false),
                (None, _) => Outcome::Empty,
            },
            Deed::Acknowledge(which) | Deed::GiveBack(which) => done(model.lease_of(who, which).is_some()),
            Deed::Reserve { length } => match outcome {
                Outcome::Reserved(offset) => Outcome::Reserved(*offset),
                _ if self.is_crowded(length) => Outcome::Full,
                _ => Outcome::Reserved(0),
            },
            Deed::Commit { which, percent, .. } => match model.reservation_of(who, which) {
                Some((_, length)) if self.admits(length * percent / 100) => sent(),
                Some(_) => Outcome::Full,
                None => Outcome::Nothing,
            },
            Deed::Unreserve(which) => done(model.reservation_of(who, which).is_some()),
            Deed::Reclaim | Deed::Trim => Outcome::Done,
        }
    }

    fn shown(&self, sequence: u64, room: usize, cuts: bool) -> Outcome {
        let Message { mtype, length, fill, deliveries, .. } = self.model.waiting[&sequence];
        if length > room && !cuts {
            return Outcome::TooSmall(length as u64);
        }
        let envelope = Envelope { mtype, length: length as u64, sequence, deliveries };
        Outcome::Message(envelope, vec![fill; length.min(room)])
    }

    /// Does it, and holds it against the model.
    fn step(&mut self, who: Actor, deed: &Deed) {
        let outcome = self.perform(who, deed).unwrap_or_else(|fault| panic!("{deed:?}: {fault:?}"));
        self.note(who, deed, &outcome).unwrap();
    }

    fn steps(&mut self, steps: &[(Actor, Deed)]) {
        steps.iter().for_each(|(who, deed)| self.step(*who, deed));
    }

    /// Puts in order what the dead left, and no more.
    fn settle(&self, who: Actor, how: Settled) {
        match how {
            Settled::ComingBy => {
                self.peek(who, 0, 0, true).unwrap();
                self.tested.ring.settle_for_test(&who).unwrap();
            }
            Settled::Inheriting => {
                let dead: Vec<_> = who.world.dead.borrow().iter().copied().collect();
                for dead in dead.into_iter().filter_map(Participant::from_word) {
                    let generation = 99 + self.heirs.borrow().len() as u32;
                    let heir = Actor { me: Participant::new(dead.slot(), generation), ..who };
                    self.heirs.borrow_mut().push(heir.me);
                    self.ring().settle(&heir, heir.me).unwrap();
                }
            }
            Settled::Reclaiming => {}
        }
        self.ring().reclaim(&who).unwrap();
    }

    /// Whether the queue is what a model says; without taking anything.
    fn differs_from(&self, who: Actor, model: &Model) -> Option<String> {
        let mut shown = Model { waiting: BTreeMap::new(), ..model.clone() };
        for position in 0.. {
            match self.peek(who, position, CAPACITY as usize, false).unwrap() {
                Outcome::Message(envelope, bytes) => {
                    let Envelope { mtype, length, sequence, deliveries } = envelope;
                    let fill = bytes.first().copied().or(model.waiting.get(&sequence).map(|message| message.fill));
                    let fill = fill.unwrap_or_default();
                    assert!(bytes.iter().all(|&byte| byte == fill), "{envelope:?}: {bytes:?}");
                    let last = shown.waiting.last_key_value().map(|last| *last.0);
                    assert!(last.is_none_or(|last| last < sequence), "{sequence} after {last:?}");
                    let referred = model.waiting.get(&sequence).is_some_and(|message| message.referred);
                    shown
                        .waiting
                        .insert(sequence, Message { mtype, length: length as usize, fill, deliveries, referred });
                }
                _ => break,
            }
        }
        let mut report = String::new();
        let mut compare = |what: &str, is: u64, should_be: u64| {
            if is != should_be {
                report += &format!("{what}: {is}, not {should_be}; ");
            }
        };
        let all = model.messages().count() as u64;
        compare("messages held", self.ring().held().messages, all);
        compare("bytes held", self.ring().held().bytes, model.bytes());
        compare("messages sent", self.ring().sent().messages, model.sent);
        compare("messages gone", self.ring().gone().messages, model.sent - all);
        compare("leases", self.ring().leases(), model.leased.len() as u64);
        let mut blocks = [0; 4];
        for state in self.ring().blocks_for_test(&who) {
            match state {
                State::Held(owner) => {
                    blocks[0] += 1;
                    compare("is a reserver's", model.reserved.values().any(|has| has.0 == owner.word()).into(), 1);
                }
                State::Leased(owner) => {
                    blocks[1] += 1;
                    compare("is a lessee's", model.leased.values().any(|has| has.0 == owner.word()).into(), 1);
                }
                State::Queued => blocks[2] += 1,
                State::Sent(_) => blocks[3] += 1,
                State::Free => {}
            }
        }
        compare("blocks held", blocks[0], model.reserved.len() as u64);
        compare("blocks leased", blocks[1], model.leased.len() as u64);
        let referred = model.waiting.values().filter(|message| message.referred).count() as u64;
        compare("too many blocks queued", (blocks[2] > model.waiting.len() as u64).into(), 0);
        compare("too many blocks sent", (blocks[3] > referred).into(), 0);
        if shown.waiting != model.waiting {
            report += &format!("{:?} wait, not {:?}", shown.waiting, model.waiting);
        }
        (!report.is_empty()).then_some(report)
    }

    fn check(&self, who: Actor) {
        if let Some(difference) = self.differs_from(who, &self.model) {
            panic!("{difference}");
        }
        self.tested.check_space();
    }

    /// Everything comes out as it should, and then all its room is usable again.
    fn finish(mut self, who: Actor) {
        self.check(who);
        // By type first: the index has all.
        for mtype in [2, 1] {
            self.step(who, &Deed::Receive { want: Want::Type(mtype), room: CAPACITY as usize, cuts: false });
        }
        for offset in self.model.leased.keys().copied().collect::<Vec<_>>() {
            let (owner, ..) = self.model.leased[&offset];
            let owner = Actor { me: Participant::from_word(owner).unwrap(), ..who };
            self.ring().give_back(&owner, offset).unwrap();
            self.model.give_back(offset);
        }
        for (offset, (owner, _)) in std::mem::take(&mut self.model.reserved) {
            let owner = Actor { me: Participant::from_word(owner).unwrap(), ..who };
            self.ring().unreserve(&owner, offset).unwrap();
        }
        self.check(who);
        while !self.model.waiting.is_empty() {
            self.step(who, &Deed::Receive { want: Want::Any, room: CAPACITY as usize, cuts: false });
        }
        self.check(who);
        assert_eq!(self.ring().blocks_for_test(&who), []);
        for _ in 0..=MOST {
            self.step(who, &Deed::Send { mtype: 7, length: (CAPACITY / MOST) as usize });
        }
        self.step(who, &Deed::Lease { want: Want::Type(7) });
        self.step(who, &Deed::Acknowledge(0));
        while !self.model.waiting.is_empty() {
            self.step(who, &Deed::Receive { want: Want::UpTo(8), room: CAPACITY as usize, cuts: false });
        }
        self.step(who, &Deed::Send { mtype: 7, length: CAPACITY as usize });
        self.step(who, &Deed::Receive { want: Want::Any, room: CAPACITY as usize, cuts: false });
        self.check(who);
    }
}

#[derive(Clone, Copy, Debug)]
enum Settled {
    ComingBy,
    Inheriting,
    Reclaiming,
}

fn outcome(received: Received, mut buffer: Vec<u8>) -> Outcome {
    match received {
        Received::Message(envelope) => {
            buffer.truncate(envelope.length as usize);
            Outcome::Message(envelope, buffer)
        }
        Received::Empty => Outcome::Empty,
        Received::TooSmall(length) => Outcome::TooSmall(length),
        Received::NoRoom => Outcome::NoRoom,
        Received::NeedsSpace(space) => panic!("{space:?} for nothing"),
    }
}

fn wants() -> impl Strategy<Value = Want> {
    prop_oneof![
        3 => Just(Want::Any),
        3 => (1i64..6).prop_map(Want::Type),
        2 => (1i64..6).prop_map(Want::UpTo),
        1 => Just(Want::UpTo(i64::MAX)),
        2 => (1i64..6).prop_map(Want::Except),
        1 => Just(Want::Type(40)),
    ]
}

fn deeds() -> impl Strategy<Value = Deed> {
    let length = prop_oneof![4 => 0usize..100, 2 => 0usize..4097, 1 => 4097usize..9000, 1 => 0usize..CAPACITY as usize];
    let room = prop_oneof![3 => Just(CAPACITY as usize), 1 => 0usize..5000];
    let mtype = prop_oneof![5 => 1i64..6, 1 => Just(i64::MAX), 1 => Just(33i64)];
    prop_oneof![
        6 => (mtype.clone(), length.clone()).prop_map(|(mtype, length)| Deed::Send { mtype, length }),
        5 => (wants(), room.clone(), any::<bool>()).prop_map(|(want, room, cuts)| Deed::Receive { want, room, cuts }),
        2 => (0u64..14, room, any::<bool>()).prop_map(|(position, room, cuts)| Deed::Peek { position, room, cuts }),
        4 => wants().prop_map(|want| Deed::Lease { want }),
        3 => (0usize..4).prop_map(Deed::Acknowledge),
        2 => (0usize..4).prop_map(Deed::GiveBack),
        2 => length.prop_map(|length| Deed::Reserve { length }),
        2 => (0usize..4, mtype, 0usize..=100).prop_map(|(which, mtype, percent)| Deed::Commit { which, mtype, percent }),
        1 => (0usize..4).prop_map(Deed::Unreserve),
        1 => Just(Deed::Reclaim),
        1 => Just(Deed::Trim),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Random operations of three participants against System V's rules; some of them die in the middle.
    #[test]
    fn is_a_system_v_queue(
        keeps in any::<bool>(),
        steps in prop::collection::vec((0u32..3, deeds(), prop::option::weighted(0.1, 0u32..60), 0usize..3), 1..60),
    ) {
        let world = if keeps { World::default() } else { World::never_keeping() };
        let mut court = Court::new();
        let mut generations = [1; 3];
        let four = world.participant(4);
        for (slot, deed, death, how) in steps {
            let who = Actor { me: Participant::new(slot, generations[slot as usize]), ..four };
            match death {
                None => court.step(who, &deed),
                Some(stores) => {
                    let how = [Settled::ComingBy, Settled::Inheriting, Settled::Reclaiming][how];
                    court.step_and_die(who, stores, &deed, four, how);
                    // By heirs the generation rose.
                    generations[slot as usize] += 1;
                }
            }
            // Who keeps the senders' end counts what was sent in a moment; everything else is exact at any time.
            court.check(four);
        }
        court.finish(four);
    }
}

/// The first 70 messages of one type are moved in turns: C is let go in between, and the order stays.
#[test]
fn selection_goes_over_the_whole_queue() {
    let world = World::default();
    let who = world.participant(0);
    let mut court = Court::with(20_000, 500);
    for index in 0..400 {
        court.step(who, &Deed::Send { mtype: 1 + i64::from(index % 100 == 99), length: 20 });
    }
    for want in
        [Want::Type(2), Want::UpTo(7), Want::Except(1), Want::Type(9), Want::Except(2), Want::Type(2), Want::Any]
    {
        court.step(who, &Deed::Receive { want, room: 100, cuts: false });
    }
    court.check(who);
    while !court.model.waiting.is_empty() {
        court.step(who, &Deed::Receive { want: Want::Any, room: 100, cuts: false });
    }
    court.check(who);
}
