//! The heap under the trap, and against a plain map.
//!
//! Memory that would have no space in the file holds a pattern: nobody must write there, and nothing read there makes sense.

mod dying;
mod scribbled;
mod space;

use std::collections::{BTreeMap, BTreeSet};
use std::ptr::NonNull;

use proptest::prelude::*;

use super::super::Fault;
use super::super::block::{Block, GRAIN, HEAD, HOLLOW, State};
use super::super::cell::trap::die_after;
use super::super::end::Passed;
use super::super::geometry::PIECE;
use super::super::heap::{Allocated, Claim, Decision, Heap, HeapControl, Space};
use super::super::host::Participant;
use super::{Actor, World};
use crate::deadline::Deadline;

const COUNTED: u64 = 2;
const AFTER_FREE: u64 = 4;
/// What lies where there is no space.
const NOTHING: u8 = 0xa5;

/// A block that is in use: how long its message is, and what all its bytes are.
#[derive(Clone, Copy, Debug)]
struct InUse {
    length: u64,
    fill: u8,
    counted: bool,
}

/// Memory for a block's head, or for some of its bytes.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Grain(#[allow(dead_code, reason = "only its room is used")] [u8; GRAIN as usize]);

/// A heap on memory of its own, and what it should hold.
struct Tested {
    heap: Heap,
    control: Box<HeapControl>,
    area: Vec<Grain>,
    base: NonNull<u8>,
    /// Which pieces have space.
    spaced: BTreeSet<u64>,
    model: BTreeMap<u64, InUse>,
    made: u8,
}

impl Tested {
    fn new(pieces: u64) -> Self {
        let mut area = vec![Grain([0; GRAIN as usize]); (pieces * PIECE / GRAIN) as usize];
        let base = NonNull::new(area.as_mut_ptr()).unwrap().cast::<u8>();
        let control = Box::<HeapControl>::default();
        // SAFETY: all of it lives as long as the heap, and is only reached through it and through `base`.
        let heap = unsafe { Heap::at(NonNull::from(&*control), base, pieces * PIECE) };
        let mut tested = Self { heap, control, area, base, spaced: BTreeSet::new(), model: BTreeMap::new(), made: 0 };
        (0..pieces).for_each(|piece| tested.wipe(piece, NOTHING));
        tested
    }

    fn size(&self) -> u64 {
        self.area.len() as u64 * GRAIN
    }

    fn wipe(&mut self, piece: u64, with: u8) {
        assert!((piece + 1) * PIECE <= self.size());
        // SAFETY: within the area; no reference covers it.
        unsafe { self.base.byte_add((piece * PIECE) as usize).write_bytes(with, PIECE as usize) };
    }

    fn lies(&self, offset: u64, length: u64, what: u8) -> bool {
        assert!(offset + length <= self.size());
        // SAFETY: within the area; nobody writes meanwhile.
        let bytes =
            unsafe { std::slice::from_raw_parts(self.base.byte_add(offset as usize).as_ptr(), length as usize) };
        bytes.first().is_none_or(|&first| first == what && bytes[1..] == bytes[..bytes.len() - 1])
    }

    fn take(&mut self, space: Space) {
        assert!(
            space.offset.is_multiple_of(PIECE) && space.length.is_multiple_of(PIECE) && space.length > 0,
            "{space:?}"
        );
        for piece in space.offset / PIECE..(space.offset + space.length) / PIECE {
            if self.spaced.insert(piece) {
                self.wipe(piece, 0);
            }
        }
    }

    fn punch(&mut self, claim: Claim) {
        assert!(
            claim.offset.is_multiple_of(PIECE) && claim.length.is_multiple_of(PIECE) && claim.length > 0,
            "{claim:?}"
        );
        for piece in claim.offset / PIECE..(claim.offset + claim.length) / PIECE {
            self.spaced.remove(&piece);
            self.wipe(piece, NOTHING);
        }
    }

    /// As a handle allocates: taking the space that is asked for.
    fn try_allocate(&mut self, who: Actor, length: u64) -> Result<Option<u64>, Fault> {
        let mut granted = None;
        // Nobody else is there, so what was granted is believed.
        for _ in 0..2 {
            match self.heap.allocate(&who, length, granted, Deadline::NOW)? {
                Allocated::Block(offset) => return Ok(Some(offset)),
                Allocated::Full => return Ok(None),
                Allocated::NeedsSpace(space) => {
                    self.take(space);
                    granted = Some(space);
                }
            }
        }
        panic!("{granted:?} was not enough for {length} bytes")
    }

    /// Writes its message into a block that was allocated.
    fn note_allocated(&mut self, offset: u64, length: u64) {
        self.made = self.made % 100 + 1;
        let bytes = self.heap.bytes(offset, length).expect("room for its message");
        // SAFETY: valid for `length`, and ours.
        unsafe { bytes.write_bytes(self.made, length as usize) };
        self.heap.block(offset).unwrap().length.set(length);
        let former = self.model.insert(offset, InUse { length, fill: self.made, counted: false });
        assert!(former.is_none(), "it was in use");
    }

    /// Allocates if there is a run long enough; the walk knows whether there must be.
    fn allocate(&mut self, who: Actor, length: u64) -> Option<u64> {
        let longest = self.longest_run();
        let offset = self.try_allocate(who, length).unwrap();
        assert_eq!(offset.is_some(), size_for(length) <= longest, "{length} bytes of {longest}");
        offset.inspect(|&offset| self.note_allocated(offset, length))
    }

    fn free(&mut self, who: Actor, offset: u64) {
        self.heap.free(&who, offset, Deadline::NOW).unwrap();
        self.model.remove(&offset).unwrap();
    }

    fn count(&mut self, who: Actor, offset: u64) {
        self.heap.count(&who, offset, Deadline::NOW).unwrap();
        self.model.get_mut(&offset).unwrap().counted = true;
    }

    fn trim(&mut self, who: Actor) {
        let mut last = None;
        while let Some(claim) = self.heap.hollow_out(&who, last, Deadline::NOW).unwrap() {
            self.punch(claim);
            last = Some(claim);
        }
    }

    /// Frees what the dead HELD.
    fn reclaim(&mut self, who: Actor) {
        self.heap
            .reclaim(&who, Deadline::NOW, |_, block| match block.state() {
                Some((State::Held(owner), _)) if who.world.dead.borrow().contains(&owner.word()) => Decision::Free,
                _ => Decision::Keep,
            })
            .unwrap();
    }

    /// All blocks: where, the size word, whether it is free.
    fn walk(&self) -> Vec<(u64, u64, bool)> {
        let (mut at, mut all) = (0, vec![]);
        while at < self.control.high.get() {
            let block = self.heap.block(at).unwrap();
            let word = block.size.get();
            all.push((at, word, block.state().unwrap().0 == State::Free));
            assert!(word >= GRAIN);
            at += word & !63;
        }
        assert_eq!(at, self.control.high.get());
        all
    }

    fn longest_run(&self) -> u64 {
        let rest = self.size() - self.control.high.get();
        self.walk().iter().filter(|block| block.2).map(|block| block.1 & !63).chain([rest]).max().unwrap()
    }

    /// All that must hold while nobody is inside.
    fn check(&self) {
        self.check_model();
        self.check_lists();
        self.check_space();
    }

    fn check_model(&self) {
        let walk = self.walk();
        let used = walk.iter().filter(|block| !block.2);
        let expected = self.model.iter().map(|(&offset, used)| (offset, size_for(used.length), used.counted));
        let found = used.map(|&(offset, word, _)| (offset, word & !63, word & COUNTED != 0));
        assert!(found.eq(expected), "{walk:x?} for {:x?}", self.model);
        let mut sums = Passed::default();
        for (&offset, used) in &self.model {
            assert!(self.lies(offset + HEAD, used.length, used.fill), "what lies at {offset} was overwritten");
            if used.counted {
                sums = Passed { bytes: sums.bytes + used.length, messages: sums.messages + 1 };
            }
        }
        assert_eq!(self.heap.counted(), sums);
    }

    fn check_lists(&self) {
        let mut free = BTreeSet::new();
        let mut before_is_free = false;
        for &(offset, word, is_free) in &self.walk() {
            assert!(!(is_free && before_is_free), "two that touch");
            assert_eq!(word & AFTER_FREE != 0, before_is_free, "{offset}");
            if is_free {
                let tag = self.heap.block(offset + (word & !63) - GRAIN).unwrap();
                assert_eq!(tag.others.get(), word & !63, "the tag is the last word");
                assert_eq!(word & COUNTED, 0);
                free.insert(offset);
            }
            before_is_free = is_free;
        }
        assert!(!before_is_free, "the last one belongs to the rest");
        for (list, first) in self.control.lists.iter().enumerate() {
            let (mut left, mut right) = (0, first.get());
            assert_eq!(self.control.some[list / 64].get() >> (list % 64) & 1 == 1, right != 0);
            while right != 0 {
                let block = self.heap.block(right - 1).unwrap();
                assert!(free.remove(&(right - 1)), "once in one list");
                assert_eq!(block.left.get(), left);
                (left, right) = (right, block.right.get());
            }
        }
        assert!(free.is_empty(), "{free:?} are in no list");
        assert_eq!(self.control.rare.stale.get(), 0);
    }

    /// What has no space was not touched, and only what is hollow has none.
    fn check_space(&self) {
        let pieces = 0..self.size() / PIECE;
        for piece in pieces.filter(|piece| !self.spaced.contains(piece)) {
            assert!(self.lies(piece * PIECE, PIECE, NOTHING), "piece {piece} was touched");
        }
        let has_space =
            |from: u64, to: u64| (from / PIECE..to.div_ceil(PIECE)).all(|piece| self.spaced.contains(&piece));
        for (offset, word, is_free) in self.walk() {
            let end = offset + (word & !63);
            if word & HOLLOW == 0 {
                assert!(has_space(offset, end), "{offset} to {end}");
            } else {
                assert!(is_free);
                assert!(has_space(offset, offset + HEAD) && has_space(end - GRAIN, end));
            }
        }
        let taken = self.control.rare.taken.get();
        assert!(self.control.high.get() <= taken && taken <= self.size());
        assert!(has_space(self.control.high.get(), taken));
    }

    /// All is freed, and is one run then, on which the longest message fits.
    fn finish(mut self, who: Actor) {
        self.reclaim(who);
        self.check();
        for offset in self.model.keys().copied().collect::<Vec<_>>() {
            self.free(who, offset);
        }
        self.check();
        assert_eq!(self.control.high.get(), 0);
        assert_eq!(self.allocate(who, self.size() - HEAD), Some(0));
        assert_eq!(self.allocate(who, 0), None);
        self.free(who, 0);
        self.check();
    }
}

fn size_for(length: u64) -> u64 {
    (length + HEAD).next_multiple_of(GRAIN)
}

#[test]
fn a_block_has_room_for_its_message() {
    let world = World::default();
    let who = world.participant(0);
    let mut tested = Tested::new(4);
    for length in [0, 1, 63, 64, 65, 1000, 5000, 70_000, 64] {
        let offset = tested.allocate(who, length).unwrap();
        let (heap, size) = (tested.heap, size_for(length));
        assert_eq!(heap.block(offset).unwrap().state(), Some((State::Held(who.me), 0)));
        assert!(heap.bytes(offset, size - HEAD).is_some() && heap.bytes(offset, size - HEAD + 1).is_none());
        tested.check();
    }
    for length in [4 * PIECE - HEAD + 1, u64::MAX / 2, u64::MAX - 127, u64::MAX - 64, u64::MAX] {
        assert_eq!(tested.try_allocate(who, length), Ok(None));
    }
    tested.finish(who);
}

#[test]
fn heads_outside_of_the_area_are_none() {
    let world = World::default();
    let mut tested = Tested::new(2);
    assert!(tested.heap.block(0).is_none(), "it has no space yet");
    tested.allocate(world.participant(0), 10).unwrap();
    for offset in [PIECE, 2 * PIECE, 8, 63, u64::MAX, u64::MAX - 63, 1 << 63] {
        assert!(tested.heap.block(offset).is_none() && tested.heap.bytes(offset, 0).is_none(), "{offset}");
    }
    assert!(tested.heap.block(PIECE - GRAIN).is_some());
    assert!(tested.heap.bytes(0, u64::MAX).is_none());
}

#[test]
fn blocks_of_one_size_come_back() {
    let world = World::default();
    let who = world.participant(0);
    // Sizes between two lists, where no list promises one of that length.
    for length in [0, 600, 3000, 9000] {
        let mut tested = Tested::new(8);
        let offsets: Vec<_> = (0..8).map(|_| tested.allocate(who, length).unwrap()).collect();
        for step in 0..4 {
            for &offset in offsets.iter().skip(step % 2).step_by(2) {
                tested.free(who, offset);
            }
            tested.check();
            for _ in offsets.iter().skip(step % 2).step_by(2) {
                assert!(offsets.contains(&tested.allocate(who, length).unwrap()));
            }
        }
        tested.finish(who);
    }
}

/// The last one that is long enough is found too, if nothing else is left.
#[test]
fn full_means_that_nothing_is_long_enough() {
    let world = World::default();
    let who = world.participant(0);
    let mut tested = Tested::new(2);
    // All in one list; the longest is freed first, and so comes last.
    let lengths = [2900, 2700, 2690, 2680, 2670, 2660, 2650];
    let offsets = lengths.map(|length| {
        let offset = tested.allocate(who, length).unwrap();
        tested.allocate(who, 0).unwrap();
        offset
    });
    while tested.allocate(who, 2600).is_some() {}
    for offset in offsets {
        tested.free(who, offset);
    }
    assert_eq!(tested.allocate(who, 2890), Some(offsets[0]));
    assert_eq!(tested.allocate(who, 2890), None);
    tested.check();
    tested.finish(who);
}

/// However the blocks are freed: what touches becomes one.
#[test]
fn free_blocks_that_touch_become_one() {
    let world = World::default();
    let who = world.participant(0);
    for order in [[1, 2, 3], [3, 2, 1], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2]] {
        let mut tested = Tested::new(2);
        let offsets: Vec<_> = [100, 64, 0, 1000, 100].map(|length| tested.allocate(who, length).unwrap()).into();
        for index in order {
            tested.free(who, offsets[index]);
            tested.check();
        }
        let run = (offsets[1], (offsets[4] - offsets[1]), true);
        assert!(tested.walk().contains(&run), "{order:?}");
        tested.finish(who);
    }
}

#[test]
fn only_who_may_frees_a_block() {
    let world = World::default();
    let [one, two] = [0, 1].map(|slot| world.participant(slot));
    let mut tested = Tested::new(2);
    let offset = tested.allocate(one, 10).unwrap();
    tested.allocate(one, 10).unwrap();
    let block = tested.heap.block(offset).unwrap();
    for state in [State::Held(one.me), State::Leased(one.me)] {
        block.commit(state, 0);
        assert_eq!(tested.heap.free(&two, offset, Deadline::NOW), Err(Fault::NotYours));
        assert_eq!(tested.heap.count(&two, offset, Deadline::NOW), Err(Fault::NotYours));
    }
    for state in [State::Queued, State::Sent(one.me)] {
        block.commit(state, 3);
        assert_eq!(tested.heap.count(&two, offset, Deadline::NOW), Ok(()));
    }
    tested.heap.free(&two, offset, Deadline::NOW).unwrap();
    assert!(matches!(tested.heap.free(&two, offset, Deadline::NOW), Err(Fault::Damaged(_))), "twice");
    tested.model.remove(&offset);
    tested.finish(one);
}

#[test]
fn what_is_counted_is_the_sum() {
    let world = World::default();
    let who = world.participant(0);
    let mut tested = Tested::new(2);
    let offsets = [100, 0, 7, 1000].map(|length| tested.allocate(who, length).unwrap());
    tested.count(who, offsets[0]);
    tested.count(who, offsets[0]);
    tested.count(who, offsets[1]);
    tested.count(who, offsets[3]);
    assert_eq!(tested.heap.counted(), Passed { bytes: 1100, messages: 3 });
    tested.free(who, offsets[0]);
    tested.free(who, offsets[2]);
    assert_eq!(tested.heap.counted(), Passed { bytes: 1000, messages: 2 });
    // The walk sums anew, and counts what it is told to.
    let next = tested.allocate(who, 3).unwrap();
    let count = |offset, _: &Block| if offset == next { Decision::Count } else { Decision::Keep };
    tested.heap.reclaim(&who, Deadline::NOW, count).unwrap();
    tested.model.get_mut(&next).unwrap().counted = true;
    tested.check();
    let drop = |offset, _: &Block| if offset == offsets[3] { Decision::Free } else { Decision::Keep };
    tested.heap.reclaim(&who, Deadline::NOW, drop).unwrap();
    tested.model.remove(&offsets[3]);
    assert_eq!(tested.heap.counted(), Passed { bytes: 3, messages: 2 });
    tested.finish(who);
}

/// A heap with free runs that have whole pieces inside, between blocks that are in use; and their offsets.
fn with_runs(who: Actor) -> (Tested, Vec<u64>) {
    let mut tested = Tested::new(16);
    let lengths = [100, 3 * PIECE, 100, 2 * PIECE, 5 * PIECE, 0, 130_000, 1000];
    let offsets = lengths.map(|length| tested.allocate(who, length).unwrap());
    for index in [1, 3, 4, 6] {
        tested.free(who, offsets[index]);
    }
    (tested, offsets.into())
}

#[derive(Clone, Debug)]
enum Step {
    Allocate(u64),
    Free(usize),
    Count(usize),
    Trim,
    /// Asks, takes the space, and goes on later.
    Ask(u64),
    GoOn,
    Claim,
    Unclaim,
    Die(u32, Box<Step>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let length = prop_oneof![3 => 0u64..300, 3 => 0u64..9000, 2 => 0u64..200_000, 1 => 0u64..800_000].boxed();
    let simple = prop_oneof![
        6 => length.clone().prop_map(Step::Allocate),
        6 => any::<usize>().prop_map(Step::Free),
        1 => any::<usize>().prop_map(Step::Count),
        1 => Just(Step::Trim),
        1 => length.prop_map(Step::Ask),
        1 => Just(Step::GoOn),
        1 => Just(Step::Claim),
        1 => Just(Step::Unclaim),
    ]
    .boxed();
    let step = prop_oneof![5 => simple.clone(), 1 => (0u32..24, simple).prop_map(|(stores, step)| Step::Die(stores, Box::new(step)))];
    prop::collection::vec(step, 1..80)
}

/// What is open between two steps.
#[derive(Default)]
struct Open {
    asked: Option<(u64, Space)>,
    claim: Option<Claim>,
}

impl Tested {
    fn nth(&self, index: usize) -> Option<u64> {
        (!self.model.is_empty()).then(|| *self.model.keys().nth(index % self.model.len()).unwrap())
    }

    /// Claims and what they take from the others are not in the model: nothing is said of how much there is then.
    fn step(&mut self, who: Actor, open: &mut Open, step: &Step) {
        match *step {
            Step::Allocate(length) if open.claim.is_none() => _ = self.allocate(who, length),
            Step::Allocate(length) => {
                if let Some(offset) = self.try_allocate(who, length).unwrap() {
                    self.note_allocated(offset, length);
                }
            }
            Step::Free(index) => {
                if let Some(offset) = self.nth(index) {
                    self.free(who, offset);
                }
            }
            Step::Count(index) => {
                if let Some(offset) = self.nth(index) {
                    self.count(who, offset);
                }
            }
            Step::Trim => self.trim(who),
            Step::Ask(length) => {
                let asked = self.heap.allocate(&who, length, None, Deadline::NOW).unwrap();
                match asked {
                    Allocated::Block(offset) => self.note_allocated(offset, length),
                    Allocated::NeedsSpace(space) => {
                        self.take(space);
                        open.asked = Some((length, space));
                    }
                    Allocated::Full => {}
                }
            }
            Step::GoOn => {
                if let Some((length, space)) = open.asked.take() {
                    let now = self.heap.allocate(&who, length, Some(space), Deadline::NOW).unwrap();
                    if let Allocated::Block(offset) = now {
                        self.note_allocated(offset, length);
                    }
                }
            }
            Step::Claim => {
                open.claim = self.heap.hollow_out(&who, open.claim, Deadline::NOW).unwrap();
                if let Some(claim) = open.claim {
                    self.punch(claim);
                }
            }
            Step::Unclaim => {
                if let Some(claim) = open.claim.take() {
                    self.heap.free(&who, claim.block, Deadline::NOW).unwrap();
                }
            }
            Step::Die(..) => {}
        }
    }

    /// Lets `dying` take a step that ends at a store. What the model says of it then is what was committed, but for a block that it
    /// HELD. Says whether it was done before.
    fn step_and_die(&mut self, dying: Actor, stores: u32, step: &Step) -> bool {
        self.belong_to_anybody();
        let before: Vec<u64> = self.model.keys().copied().collect();
        let done = die_after(stores, || self.step(dying, &mut Open::default(), step)).is_ok();
        dying.dies();
        // The head of the last one may be where nothing has space any more.
        let state = |offset| self.heap.block(offset).and_then(Block::state);
        self.model.retain(|&offset, _| before.contains(&offset) && state(offset) == Some((State::Queued, 0)));
        for (&offset, used) in &mut self.model {
            used.counted = self.heap.block(offset).unwrap().size.get() & COUNTED != 0;
        }
        done
    }

    /// Anybody may free or count what is queued.
    fn belong_to_anybody(&self) {
        for &offset in self.model.keys() {
            self.heap.block(offset).unwrap().commit(State::Queued, 0);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// Random operations with random deaths, against a plain map.
    #[test]
    fn is_a_heap(pieces in 1u64..20, steps in steps()) {
        let world = World::default();
        let who = world.participant(0);
        let mut tested = Tested::new(pieces);
        let mut open = Open::default();
        for (index, step) in steps.into_iter().enumerate() {
            tested.belong_to_anybody();
            if let Step::Die(stores, step) = &step {
                // The dead stay dead; every mortal is a participant of its own.
                let mortal = Actor { me: Participant::new(1, index as u32 + 1), ..who };
                tested.step_and_die(mortal, *stores, step);
                tested.reclaim(who);
            } else {
                tested.step(who, &mut open, &step);
            }
            if open.claim.is_none() {
                tested.check();
            }
        }
        if let Some(claim) = open.claim {
            tested.heap.free(&who, claim.block, Deadline::NOW).unwrap();
        }
        tested.finish(who);
    }
}
