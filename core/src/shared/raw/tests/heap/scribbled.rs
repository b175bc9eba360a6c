//! What scribblers do: an error, or a wrong answer.

use super::super::super::cell::U64;
use super::*;

/// A generator of numbers that look like nothing: xorshift.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

impl Tested {
    /// All words that the heap reads, but for the lock.
    fn words(&self) -> Vec<&U64> {
        let HeapControl { high, bytes, messages, some, rare, lists, .. } = &*self.control;
        let mut words = vec![high, bytes, messages, &rare.taken, &rare.touched, &rare.changes, &rare.stale];
        words.extend(some.iter().chain(lists));
        words.extend(self.hints());
        for (offset, ..) in self.walk() {
            let Block { state, size, length, .. } = self.heap.block(offset).unwrap();
            words.extend([state, size, length]);
        }
        words
    }

    /// Those that a walk makes anew: links and tags.
    fn hints(&self) -> Vec<&U64> {
        let free = self.walk().into_iter().filter(|block| block.2);
        free.flat_map(|(offset, word, _)| {
            let Block { left, right, .. } = self.heap.block(offset).unwrap();
            [left, right, &self.heap.block(offset + (word & !63) - GRAIN).unwrap().others]
        })
        .collect()
    }
}

fn prepared(who: Actor) -> Tested {
    let (mut tested, _) = with_runs(who);
    tested.trim(who);
    for length in [9000, 200, 200, 200, 5000, 5100, 5200, 200] {
        tested.allocate(who, length).unwrap();
    }
    for index in [3, 5, 6, 8] {
        tested.free(who, tested.nth(index).unwrap());
    }
    tested.belong_to_anybody();
    tested
}

/// Whatever is written anywhere: no panic, no fault, no loop without end.
#[test]
fn any_word_may_be_anything() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..1500 {
        let world = World::default();
        let who = world.participant(0);
        let tested = prepared(who);
        let words = tested.words();
        for _ in 0..random.below(3) + 1 {
            // The first ones are read by all.
            let most = [9, words.len() as u64][random.below(2) as usize];
            let word = words[random.below(most) as usize];
            let other = words[random.below(words.len() as u64) as usize].get();
            word.set(match random.below(6) {
                0 => random.next(),
                1 => random.below(tested.size() + 100),
                2 => random.below(tested.size()) & !63,
                3 => other,
                4 => word.get() ^ 1 << random.below(64),
                _ => [0, 1, 64, u64::MAX, !63, 1 << 63][random.below(6) as usize],
            });
        }
        let offsets: Vec<u64> = tested.model.keys().copied().collect();
        let mut last = None;
        for _ in 0..10 {
            let (offset, length) = (offsets[random.below(offsets.len() as u64) as usize], random.below(200_000));
            let heap = tested.heap;
            match random.below(5) {
                0 => {
                    let mut granted = None;
                    for _ in 0..3 {
                        if let Ok(Allocated::NeedsSpace(space)) = heap.allocate(&who, length, granted, Deadline::NOW) {
                            granted = Some(space);
                        }
                    }
                }
                1 => _ = heap.free(&who, offset, Deadline::NOW),
                2 => _ = heap.count(&who, offset, Deadline::NOW),
                3 => {
                    if let Ok(claim) = heap.hollow_out(&who, last, Deadline::NOW) {
                        last = claim;
                    }
                }
                _ => {
                    let decisions = [Decision::Free, Decision::Count];
                    let _ = heap.reclaim(&who, Deadline::NOW, |at, _| decisions[(at / GRAIN % 2) as usize]);
                }
            }
            let _ = (heap.bytes(offset, length), heap.bytes(random.next(), length), heap.counted());
            assert_eq!(tested.control.lock.held_by(), None);
        }
    }
}

/// Lists, tags and flags that make no sense are damage once, and then made anew; nothing that is in use is lost.
#[test]
fn what_a_walk_tells_is_made_anew() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    for turn in 0..600 {
        let world = World::default();
        let who = world.participant(0);
        let mut tested = prepared(who);
        let HeapControl { some, lists, .. } = &*tested.control;
        let words: Vec<_> = tested.hints().into_iter().chain(some).chain(lists).collect();
        let word = words[turn % words.len()];
        word.set([0, random.next(), random.below(tested.size()) | 1, u64::MAX][random.below(4) as usize]);
        let lengths = [100, 200, 5100, 3 * PIECE, 60_000, 7, 5000];
        for (step, length) in lengths.into_iter().enumerate() {
            let done =
                tested.try_allocate(who, length).map(|found| found.map(|offset| tested.note_allocated(offset, length)));
            let offset = tested.nth(step * 3).unwrap();
            let freed = tested.heap.free(&who, offset, Deadline::NOW);
            // Either it was freed, or it is free all the same.
            tested.model.remove(&offset);
            if let (Ok(_), Err(fault)) | (Err(fault), _) = (done, freed) {
                assert!(matches!(fault, Fault::Damaged(_)), "{fault:?}");
            }
        }
        let _ = tested.heap.allocate(&who, u64::MAX / 2, None, Deadline::NOW);
        tested.control.rare.stale.set(1);
        tested.reclaim(who);
        tested.check();
        tested.finish(who);
    }
}

/// Sizes that lead nowhere are damage for everybody who comes, and nobody hangs.
#[test]
fn a_walk_that_leads_nowhere_is_damage() {
    let world = World::default();
    let who = world.participant(0);
    for word in [0, 1, 63, 32 * PIECE, u64::MAX, !63, 64 | HOLLOW] {
        let tested = prepared(who);
        let (offset, ..) = tested.walk()[4];
        tested.heap.block(offset).unwrap().size.set(word);
        for _ in 0..3 {
            let walked = tested.heap.reclaim(&who, Deadline::NOW, |_, _| Decision::Keep);
            assert!(matches!(walked, Err(Fault::Damaged(_))), "{walked:?} at {word}");
            let allocated = tested.heap.allocate(&who, 10, None, Deadline::NOW);
            assert!(matches!(allocated, Err(Fault::Damaged(_))), "{allocated:?} at {word}");
            assert_eq!(tested.control.lock.held_by(), None);
        }
    }
}

/// Ends that lie elsewhere are damage.
#[test]
fn an_end_outside_of_the_area_is_damage() {
    let world = World::default();
    let who = world.participant(0);
    for high in [16 * PIECE + 64, 17 * PIECE, u64::MAX, !63, 1 << 63, 65, 8] {
        let tested = prepared(who);
        tested.control.high.set(high);
        for length in [10, 7 * PIECE] {
            let allocated = tested.heap.allocate(&who, length, None, Deadline::NOW);
            assert!(matches!(allocated, Err(Fault::Damaged(_))), "{allocated:?} at {high}");
        }
    }
}

/// A size is believed only as far as the area goes.
#[test]
fn bytes_outside_of_the_area_are_none() {
    let world = World::default();
    let who = world.participant(0);
    let tested = prepared(who);
    let offset = tested.nth(2).unwrap();
    let block = tested.heap.block(offset).unwrap();
    for size in [0, 1, 63, tested.size() - offset + 64, !63] {
        block.size.set(size);
        assert!(tested.heap.bytes(offset, 0).is_none(), "{size}");
    }
    block.size.set(tested.size() - offset);
    assert!(tested.heap.bytes(offset, tested.size() - offset - HEAD).is_some());
}

/// Three free blocks of one list, and one of another, each behind a block in use and before one; the last is in use and could lie in
/// the first list. The offsets of all nine.
fn in_lists(who: Actor) -> (Tested, Vec<u64>) {
    let mut tested = Tested::new(2);
    let lengths = [2600, 10, 2700, 10, 2650, 10, 9000, 10, 2600];
    let offsets: Vec<u64> = lengths.map(|length| tested.allocate(who, length).unwrap()).into();
    while tested.allocate(who, 10_000).is_some() {}
    while tested.allocate(who, 20).is_some() {}
    for index in [0, 2, 4, 6] {
        tested.free(who, offsets[index]);
    }
    let block = tested.heap.block(offsets[8]).unwrap();
    block.left.set(0);
    block.right.set(0);
    tested.check();
    (tested, offsets)
}

/// It is damage once; then all is in order again.
fn is_found(tested: Tested, who: Actor, fault: Result<impl std::fmt::Debug, Fault>, what: &str) {
    assert!(matches!(fault, Err(Fault::Damaged(_))), "{fault:?}: {what}");
    assert_eq!(tested.heap.allocate(&who, u64::MAX / 2, None, Deadline::NOW), Ok(Allocated::Full), "{what}");
    let full = tested.heap.allocate(&who, 60_000, None, Deadline::NOW);
    assert_eq!(full, Ok(Allocated::Full), "{what}");
    tested.check();
    tested.finish(who);
}

/// A free block whose links or tag are wrong is not taken out of what is not its list.
#[test]
fn a_link_that_is_wrong_is_damage() {
    let world = World::default();
    let who = world.participant(0);
    // The last one freed is the first in the list: 4, 2, 0.
    for free in [0, 2, 4] {
        let (_, offsets) = in_lists(who);
        let links = offsets.iter().map(|offset| offset | 1).chain([1, 2, u64::MAX, offsets[6], 2 * PIECE + 1]);
        // A list that ends too early is met later.
        let lefts = links.clone().chain([0]).map(|link| (link, false));
        for (link, right) in lefts.chain(links.map(|link| (link, true))) {
            let (mut tested, _) = in_lists(who);
            let block = tested.heap.block(offsets[free]).unwrap();
            let word = if right { &block.right } else { &block.left };
            if word.get() != link {
                word.set(link);
                let freed = tested.heap.free(&who, offsets[free + 1], Deadline::NOW);
                tested.model.remove(&offsets[free + 1]);
                is_found(tested, who, freed, &format!("{link:#x} in {free}, {right}"));
            }
        }
    }
}

#[test]
fn a_tag_that_is_wrong_is_damage() {
    let world = World::default();
    let who = world.participant(0);
    let (_, offsets) = in_lists(who);
    let end = offsets[5];
    for size in [0, 1, 64, u64::MAX, end - offsets[3], end - offsets[2], end, end + 64, 1 << 63] {
        let (mut tested, _) = in_lists(who);
        tested.heap.block(end - GRAIN).unwrap().others.set(size);
        let freed = tested.heap.free(&who, end, Deadline::NOW);
        tested.model.remove(&end);
        is_found(tested, who, freed, &format!("{size}"));
    }
}

/// A block whose flag says that the one before it is free, and that one ends as if it were.
#[test]
fn a_flag_that_is_wrong_is_damage() {
    let world = World::default();
    let who = world.participant(0);
    for index in [0, 8] {
        let mut tested = Tested::new(2);
        let offsets = [200; 9].map(|length| tested.allocate(who, length).unwrap());
        let size = &tested.heap.block(offsets[index]).unwrap().size;
        size.set(size.get() | AFTER_FREE);
        if index > 0 {
            // Past its 200 bytes.
            tested.heap.block(offsets[index] - GRAIN).unwrap().others.set(320);
        }
        let freed = tested.heap.free(&who, offsets[index], Deadline::NOW);
        assert!(matches!(freed, Err(Fault::Damaged(_))), "{freed:?}");
        tested.model.remove(&offsets[index]);
        // And one that will not be met: a walk clears it.
        let size = &tested.heap.block(offsets[4]).unwrap().size;
        size.set(size.get() | AFTER_FREE);
        tested.reclaim(who);
        tested.check();
        tested.finish(who);
    }
}

/// What a list names must be free, and of its size, and not hollow if that is what it promises.
#[test]
fn a_list_of_others_is_damage() {
    let world = World::default();
    let who = world.participant(0);
    let (tested, offsets) = in_lists(who);
    let first = |tested: &Tested, offset| tested.control.lists.iter().position(|first| first.get() == offset | 1);
    let list = first(&tested, offsets[4]).unwrap();
    for value in [offsets[8], offsets[6], offsets[1], offsets[2], 2 * PIECE] {
        let (tested, _) = in_lists(who);
        tested.control.lists[list].set(value | 1);
        let allocated = tested.heap.allocate(&who, 2600, None, Deadline::NOW);
        is_found(tested, who, allocated, &format!("{value:#x}"));
    }
    // Empty, or full, against what the bit says.
    let (tested, _) = in_lists(who);
    tested.control.lists[list].set(0);
    let allocated = tested.heap.allocate(&who, 2000, None, Deadline::NOW);
    is_found(tested, who, allocated, "empty");
    // It leads back to its first.
    let (tested, _) = in_lists(who);
    tested.heap.block(offsets[2]).unwrap().right.set(offsets[4] | 1);
    let allocated = tested.heap.allocate(&who, 2900, None, Deadline::NOW);
    is_found(tested, who, allocated, "a circle");
}
