//! The index against a plain map, and over words that nobody sane wrote.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::super::Fault;
use super::super::block::{Block, GRAIN};
use super::super::cell::U64;
use super::super::cell::trap::die_after;
use super::super::index::{Index, Want};

/// No tree is deeper, and there are at most two, one below the other.
const LEVELS: u32 = 70;
/// Types that lie near each other and far apart, at the ends of what there is, and on both sides of a further bit.
const TYPES: [i64; 12] = [1, 2, 3, 4, 7, 8, 1000, i32::MAX as i64, 1 << 31, (1 << 62) - 1, i64::MAX - 1, i64::MAX];

/// Blocks in memory of their own, an index over some of them, and what it should hold: types and places by sequence.
struct Tested {
    root: U64,
    blocks: Vec<Block>,
    model: BTreeMap<u64, (i64, u64)>,
    /// How often a block was asked for.
    looks: Cell<u64>,
}

impl Tested {
    fn new(blocks: u64) -> Self {
        let blocks = (0..blocks).map(|_| Block::default()).collect();
        Self { root: U64::default(), blocks, model: BTreeMap::new(), looks: Cell::new(0) }
    }

    /// One message in each block.
    fn filled(messages: impl IntoIterator<Item = (u64, i64)>) -> Self {
        let messages: Vec<_> = messages.into_iter().collect();
        let mut tested = Self::new(messages.len() as u64);
        for (place, (sequence, mtype)) in (0..).zip(messages) {
            tested.insert(place, sequence, mtype);
        }
        tested
    }

    fn index<'a>(&'a self) -> Index<'a, impl Fn(u64) -> Option<&'a Block>> {
        let block = |offset: u64| {
            self.looks.set(self.looks.get() + 1);
            offset.is_multiple_of(GRAIN).then(|| self.blocks.get((offset / GRAIN) as usize))?
        };
        Index { root: &self.root, block, most: self.blocks.len() as u64 }
    }

    fn block(&self, link: u64) -> &Block {
        &self.blocks[((link - 1) / GRAIN) as usize]
    }

    fn fill(&self, place: u64, sequence: u64, mtype: i64) {
        let block = &self.blocks[place as usize];
        block.sequence.set(sequence);
        block.mtype.set(mtype as u64);
        // What the block was before.
        for link in [&block.left, &block.right, &block.others] {
            link.set(u64::MAX);
        }
    }

    fn insert(&mut self, place: u64, sequence: u64, mtype: i64) {
        self.fill(place, sequence, mtype);
        assert_eq!(self.index().insert(place * GRAIN), Ok(()));
        self.model.insert(sequence, (mtype, place));
    }

    fn remove(&mut self, sequence: u64) -> (i64, u64) {
        let (mtype, place) = self.model.remove(&sequence).unwrap();
        assert_eq!(self.index().remove(place * GRAIN), Ok(()));
        (mtype, place)
    }

    /// What System V's rules choose among what is in the model.
    fn chosen(&self, want: Want) -> Option<u64> {
        let all = || self.model.iter().map(|(&sequence, &(mtype, _))| (mtype, sequence));
        match want {
            Want::Any => all().next(),
            Want::Type(wanted) => all().find(|&(mtype, _)| mtype == wanted),
            Want::UpTo(most) => all().filter(|&(mtype, _)| mtype <= most).min(),
            Want::Except(unwanted) => all().find(|&(mtype, _)| mtype != unwanted),
        }
        .map(|(_, sequence)| sequence)
    }

    /// Finds what is wanted, which the model must agree with.
    fn find(&self, want: Want) -> Option<u64> {
        let found = self.index().find(want).unwrap();
        let chosen = self.chosen(want);
        assert_eq!(found, chosen.map(|sequence| self.model[&sequence].1 * GRAIN), "{want:?}");
        chosen
    }

    fn check_finds(&self) {
        self.find(Want::Any);
        for mtype in TYPES {
            for want in [Want::Type(mtype), Want::UpTo(mtype), Want::Except(mtype)] {
                self.find(want);
            }
        }
    }

    fn check_nth(&self) {
        for (n, (_, place)) in (0..).zip(self.model.values()) {
            assert_eq!(self.index().nth(n), Ok(Some(place * GRAIN)), "{n}");
        }
        let none = self.model.len() as u64;
        for n in [none, none + 1, u64::MAX] {
            assert_eq!(self.index().nth(n), Ok(None), "{n}");
        }
    }

    /// Everything hangs where it belongs, and nothing is missing. Says how deep it is.
    fn check(&self) -> u32 {
        let mut seen = BTreeMap::new();
        let mut types = BTreeSet::new();
        let mut depth = 0;
        self.walk(&self.root, &mut |oldest, level, way| {
            let mtype = oldest.mtype.peek();
            assert!(types.insert(mtype), "a type is there once");
            assert_eq!(way, type_bits(mtype) >> (LEVELS - level), "type {mtype} is not on its path");
            self.note(oldest, &mut seen);
            depth = depth.max(level + 1);
            self.walk(&oldest.others, &mut |other, below, _| {
                assert_eq!((other.mtype.peek(), other.others.peek()), (mtype, 0));
                assert!(other.sequence.peek() > oldest.sequence.peek(), "the oldest leads its type");
                self.note(other, &mut seen);
                depth = depth.max(level + 1 + below + 1);
            });
        });
        assert_eq!(seen, self.model);
        depth
    }

    fn note(&self, block: &Block, seen: &mut BTreeMap<u64, (i64, u64)>) {
        let place = (&raw const *block).addr() - self.blocks.as_ptr().addr();
        let message = (block.mtype.peek() as i64, place as u64 / GRAIN);
        assert_eq!(seen.insert(block.sequence.peek(), message), None);
    }

    /// Visits each block of one tree with its level and the way that leads there, a bit for each level.
    fn walk(&self, link: &U64, visit: &mut dyn FnMut(&Block, u32, u128)) {
        self.walk_on(link, 0, (0, 0), visit);
    }

    fn walk_on(&self, link: &U64, older: u64, (level, way): (u32, u128), visit: &mut dyn FnMut(&Block, u32, u128)) {
        if link.peek() == 0 {
            return;
        }
        let block = self.block(link.peek());
        let sequence = block.sequence.peek();
        assert!(level == 0 || sequence > older, "what hangs below is younger");
        visit(block, level, way);
        self.walk_on(&block.left, sequence, (level + 1, way << 1), visit);
        self.walk_on(&block.right, sequence, (level + 1, way << 1 | 1), visit);
    }
}

/// A type's place in the order of types, written another way than the index does.
fn type_bits(mtype: u64) -> u128 {
    let length = u128::from(mtype.ilog2());
    let rest = u128::from(mtype) << (63 - length) & ((1 << 63) - 1);
    (length << 63 | rest) << (LEVELS - 69)
}

fn mixed(n: u64) -> u64 {
    let n = (n ^ n >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ n >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ n >> 31
}

#[test]
fn smoke() {
    let mut tested = Tested::filled([(10, 5), (11, 3), (12, 5), (13, 9)]);
    assert_eq!(tested.find(Want::Any), Some(10));
    assert_eq!(tested.find(Want::Type(5)), Some(10));
    assert_eq!(tested.find(Want::Type(4)), None);
    assert_eq!(tested.find(Want::UpTo(8)), Some(11));
    assert_eq!(tested.find(Want::UpTo(2)), None);
    assert_eq!(tested.find(Want::Except(5)), Some(11));
    tested.remove(10);
    assert_eq!(tested.find(Want::Type(5)), Some(12));
    assert_eq!(tested.find(Want::Except(3)), Some(12));
    tested.check_nth();
    tested.index().clear();
    assert_eq!(tested.index().find(Want::Any), Ok(None));
    assert_eq!(tested.index().nth(0), Ok(None));
    tested.model.clear();
    tested.insert(3, 0, 1);
    tested.check_nth();
}

/// A lease that is given back goes to its old place.
#[test]
fn what_comes_back_is_where_it_was() {
    let types = [4, 1, 4, 4, 2, 1, 4];
    let mut tested = Tested::filled((0..).zip(types));
    for first in 0..7 {
        for second in (0..7).filter(|&second| second != first) {
            let [one, two] = [first, second].map(|sequence| (sequence, tested.remove(sequence)));
            for (sequence, (mtype, place)) in [one, two] {
                tested.insert(place, sequence, mtype);
                tested.check();
            }
            tested.check_finds();
        }
    }
}

#[test]
fn is_shallow_for_whatever_comes() {
    let depth = |many: u64, sequence: &dyn Fn(u64) -> u64, mtype: &dyn Fn(u64) -> i64| {
        Tested::filled((0..many).map(|n| (sequence(n), mtype(n)))).check()
    };
    let from_all_over = |n| (mixed(n) >> 1 | 1) as i64;
    let counted = |n| n + (1 << 40);
    assert!(depth(100_000, &counted, &|_| 1) <= 22, "one type");
    assert!(depth(100_000, &counted, &|n| n as i64 + 1) <= 24, "each of another type");
    assert!(depth(100_000, &counted, &from_all_over) <= 30, "types from all over");
    assert!(depth(100_000, &mixed, &|_| 1) <= 30, "sequences from all over");
    assert!(depth(100_000, &mixed, &from_all_over) <= 30, "both");
    let orders: [&dyn Fn(u64) -> u64; 3] = [&counted, &|n| 10_000 - n, &|n| n * 7773 % 10_000];
    for sequence in orders {
        assert!(depth(10_000, sequence, &|n| (mixed(n) % 300) as i64 + 1) <= 36, "types interleaved, two trees");
        assert!(depth(10_000, sequence, &|n| i64::MAX - (mixed(n) % 10) as i64) <= 36, "a few long types");
    }
    for step in [2, 3, 64, 1000, 1_000_003] {
        assert!(depth(10_000, &|n| n * step, &|_| 1) <= 26, "every {step}th is of this type");
    }
    assert!(depth(10_000, &|n| n << 20, &|_| 1) <= 66, "every millionth is of this type");
}

/// The worst that types and sequences can do: each shares a longer path with the last one.
#[test]
fn is_never_deeper_than_two_paths() {
    for last in [i64::MAX, 0x6aaa_5555_2aaa_5555, 1 << 62] {
        go_deep(last);
    }
}

fn go_deep(last: i64) {
    let shorter = [30, 46, 54, 58, 60].map(|length| 1 << length);
    let longer = (0..62).rev().map(|bit| last ^ 1 << bit);
    let types = (0..).zip(shorter.into_iter().chain(longer).chain([last]));
    // The bits of a sequence in the order in which they count.
    let low = (0..20).rev().map(|bit| 0xf_ffff ^ 1 << bit);
    let high = (20..64).rev().map(|bit| u64::MAX ^ 1 << bit);
    let others = low.chain(high).chain([u64::MAX]).map(|sequence| (sequence, last));
    let mut tested = Tested::filled(types.chain(others));
    assert_eq!(tested.check(), 68 + 65);
    assert_eq!(tested.find(Want::Type(last)), Some(67));
    tested.check_nth();
    while let Some(sequence) = tested.find(Want::Any) {
        tested.remove(sequence);
        tested.check();
        tested.check_finds();
    }
}

/// Whoever waits for a type doesn't pay for the others that wait.
#[test]
fn looks_at_few() {
    let looks = |others: u64, types: u64| {
        let mut tested = Tested::filled((0..others).map(|n| (n, (n % types) as i64 + 2)).chain([(others, 1)]));
        tested.looks.set(0);
        assert_eq!(tested.index().find(Want::Type(types as i64 + 2)), Ok(None));
        let none = tested.looks.replace(0);
        tested.index().find(Want::Type(1)).unwrap();
        let (mtype, place) = tested.remove(others);
        tested.insert(place, others + 1, mtype);
        (none, tested.looks.get())
    };
    for types in [1, 3, 10] {
        let ((few_none, few), (many_none, many)) = (looks(10, types), looks(100_000, types));
        assert!(many <= few && many_none <= few_none, "{many} of 100,000 and {few} of 10, {types} types");
    }
    let (none, one) = looks(100_000, 100_000);
    assert!(none <= 24 && one <= 80, "{none} for none, {one} for one, all of different types");
    let tested = Tested::filled((0..100_000).map(|n| (n, 1 + n as i64 % 7)));
    for want in [Want::Any, Want::Except(1), Want::Except(9), Want::UpTo(3)] {
        tested.looks.set(0);
        tested.find(want);
        assert!(tested.looks.get() <= 8, "{} for {want:?}", tested.looks.get());
    }
}

#[test]
fn the_last_of_many_is_found_by_its_place() {
    let sequences: [(&dyn Fn(u64) -> u64, u64); 2] = [(&|n| n + 1_000_000, 6), (&|n| n * n, 15)];
    for (sequence, walks) in sequences {
        let tested = Tested::filled((0..10_000).map(|n| (sequence(n), 1 + n as i64 % 5)));
        for n in [0, 1, 5000, 9999] {
            tested.looks.set(0);
            assert_eq!(tested.index().nth(n), Ok(Some(n * GRAIN)));
            assert!(tested.looks.get() < 30 + walks * 3 * (n + 1), "{} for {n}", tested.looks.get());
        }
        assert_eq!(tested.index().nth(10_000), Ok(None));
    }
}

#[test]
fn what_is_not_there_cannot_be_taken_out() {
    let mut tested = Tested::new(6);
    (0..4).for_each(|place| tested.insert(place, place, 1 + place as i64 % 2));
    // Of a type that is there, as the first and not; of one that isn't.
    for (place, sequence, mtype) in [(4, 9, 1), (4, 0, 2), (5, 2, 1), (5, 2, 3)] {
        tested.fill(place, sequence, mtype);
        let block = &tested.blocks[place as usize];
        for link in [&block.left, &block.right, &block.others] {
            link.set(0);
        }
        assert!(matches!(tested.index().remove(place * GRAIN), Err(Fault::Damaged(_))));
        tested.check();
    }
    for offset in [6 * GRAIN, 1, u64::MAX] {
        assert!(matches!(tested.index().remove(offset), Err(Fault::Damaged(_))));
        assert!(matches!(tested.index().insert(offset), Err(Fault::Damaged(_))));
    }
}

#[test]
fn nothing_is_put_in_twice() {
    let mut tested = Tested::new(6);
    (0..5).for_each(|place| tested.insert(place, place, 1 + place as i64 % 2));
    for place in 0..5 {
        assert!(matches!(tested.index().insert(place * GRAIN), Err(Fault::Damaged(_))), "{place}");
    }
    for sequence in 0..5 {
        // Another block that says it is the same message.
        tested.fill(5, sequence, 1 + sequence as i64 % 2);
        assert!(matches!(tested.index().insert(5 * GRAIN), Err(Fault::Damaged(_))), "{sequence}");
        tested.check();
    }
}

/// Whatever its holder's death leaves behind, the heir begins anew.
#[test]
fn a_death_at_every_store_is_healed_by_putting_all_in_again() {
    for (comes, place) in [(true, 8), (true, 9), (false, 0), (false, 5)] {
        for stores in 0.. {
            let mut tested = Tested::filled((0..10).map(|n| (n + 10, 1 + n as i64 % 3)));
            for sequence in [18, 19] {
                tested.remove(sequence);
            }
            tested.fill(8, 3, 1);
            tested.fill(9, 30, 2);
            let lived = die_after(stores, || {
                let index = tested.index();
                if comes { index.insert(place * GRAIN) } else { index.remove(place * GRAIN) }
            });
            tested.index().clear();
            tested.model.clear();
            for place in [3usize, 9, 1, 0, 7, 2, 8, 4, 6, 5] {
                let block = &tested.blocks[place];
                let (sequence, mtype) = (block.sequence.peek(), block.mtype.peek() as i64);
                assert_eq!(tested.index().insert(place as u64 * GRAIN), Ok(()));
                tested.model.insert(sequence, (mtype, place as u64));
            }
            tested.check();
            tested.check_finds();
            tested.check_nth();
            if lived.is_ok() {
                break;
            }
        }
    }
}

/// Calls everything, and sees that it ends.
fn call_everything(tested: &Tested) {
    let places = tested.blocks.len() as u64;
    let ends = |operation: &dyn Fn() -> Result<(), Fault>, most: u64| {
        tested.looks.set(0);
        let done = operation();
        assert!(matches!(done, Ok(()) | Err(Fault::Damaged(_))), "{done:?}");
        assert!(tested.looks.get() <= most, "looked at {} blocks", tested.looks.get());
    };
    let most = u64::from(10 * LEVELS);
    for mtype in TYPES {
        for want in [Want::Any, Want::Type(mtype), Want::UpTo(mtype), Want::Except(mtype)] {
            ends(&|| tested.index().find(want).map(drop), most);
        }
    }
    for n in [0, 1, places / 2, places - 1, places, u64::MAX] {
        ends(&|| tested.index().nth(n).map(drop), 65 * (3 * places + 1));
    }
    for place in 0..places {
        ends(&|| tested.index().remove(place * GRAIN), most);
        ends(&|| tested.index().insert(place * GRAIN), most);
    }
}

/// Each link in turn refers to each block: to itself, to what is above it, to what hangs elsewhere too, to nothing.
#[test]
fn a_circle_is_no_way_to_hang() {
    const PLACES: u64 = 7;
    let links: [fn(&Block) -> &U64; 3] = [|block| &block.left, |block| &block.right, |block| &block.others];
    for place in 0..PLACES as usize {
        for link in links {
            for word in (0..=PLACES).map(|to| to * GRAIN + 1).chain([0, 2, u64::MAX]) {
                let tested = Tested::filled((0..PLACES).map(|n| (n, 1 + n as i64 % 3)));
                link(&tested.blocks[place]).set(word);
                call_everything(&tested);
            }
        }
    }
}

#[test]
fn a_circle_cannot_be_gone_over() {
    let tested = Tested::filled((0..200).map(|n| (n, 1)));
    tested.blocks[0].others.set(1);
    assert!(matches!(tested.index().nth(199), Err(Fault::Damaged(_))));
}

#[derive(Clone, Debug)]
enum Step {
    /// A message that is younger than all.
    New(i64),
    /// One that was taken out is put in again.
    Back(usize),
    Receive(Want),
    Remove(usize),
}

fn types() -> impl Strategy<Value = i64> {
    prop_oneof![4 => 1i64..5, 2 => prop::sample::select(&TYPES[..]), 1 => 1i64..=i64::MAX]
}

fn wants() -> impl Strategy<Value = Want> {
    prop_oneof![
        Just(Want::Any),
        types().prop_map(Want::Type),
        types().prop_map(Want::UpTo),
        types().prop_map(Want::Except),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => types().prop_map(Step::New),
        2 => any::<usize>().prop_map(Step::Back),
        3 => wants().prop_map(Step::Receive),
        1 => any::<usize>().prop_map(Step::Remove),
    ];
    prop::collection::vec(step, 1..150)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// Messages come, go by any rule, and some come back.
    #[test]
    fn is_the_order_of_a_plain_map(start in any::<u32>(), stride in 1u64..5, steps in steps()) {
        let mut tested = Tested::new(steps.len() as u64);
        let (mut next, mut fresh, mut out) = (u64::from(start), 0..steps.len() as u64, Vec::new());
        for step in steps {
            match step {
                Step::New(mtype) => {
                    tested.insert(fresh.next().unwrap(), next, mtype);
                    next += stride;
                }
                Step::Back(n) if !out.is_empty() => {
                    let (sequence, (mtype, place)) = out.swap_remove(n % out.len());
                    tested.insert(place, sequence, mtype);
                }
                Step::Receive(want) => out.extend(tested.find(want).map(|sequence| (sequence, tested.remove(sequence)))),
                Step::Remove(n) if !tested.model.is_empty() => {
                    let sequence = *tested.model.keys().nth(n % tested.model.len()).unwrap();
                    out.push((sequence, tested.remove(sequence)));
                }
                Step::Back(_) | Step::Remove(_) => {}
            }
            tested.check();
            tested.check_finds();
        }
        tested.check_nth();
    }

    /// Some words in heads, and perhaps the root, are anything: links here and there, or garbage.
    #[test]
    fn garbage_is_an_error_and_never_a_hang(
        types in prop::collection::vec(types(), 1..60),
        scribbles in prop::collection::vec((any::<usize>(), 0usize..6, any::<u64>(), 0..4), 1..40),
    ) {
        let tested = Tested::filled((0..).zip(types));
        let places = tested.blocks.len();
        for (place, word, value, kind) in scribbles {
            let block = &tested.blocks[place % places];
            let value = match kind {
                0 => value,
                1 => value % 4,
                _ => value % (places as u64 + 1) * GRAIN + 1,
            };
            [&block.left, &block.right, &block.others, &block.sequence, &block.mtype, &tested.root][word].set(value);
        }
        call_everything(&tested);
    }
}
