//! Space in the file: asked for before it is used, given back by trimming, asked for again.

use super::*;

/// Space is asked for in whole pieces, once, and only as far as it is needed.
#[test]
fn space_is_asked_for_before_it_is_used() {
    let world = World::default();
    let who = world.participant(0);
    let tested = Tested::new(4);
    let allocate = |length, granted| tested.heap.allocate(&who, length, granted, Deadline::NOW).unwrap();
    let Allocated::NeedsSpace(space) = allocate(PIECE, None) else { panic!("there is no space") };
    assert_eq!((space.offset, space.length), (0, 2 * PIECE));
    assert_eq!(allocate(PIECE, None), Allocated::NeedsSpace(space), "until it is said to be there");
    assert_eq!(allocate(PIECE, Some(space)), Allocated::Block(0));
    assert_eq!(allocate(PIECE - 2 * HEAD, None), Allocated::Block(PIECE + HEAD), "to the last byte");
    let Allocated::NeedsSpace(space) = allocate(0, None) else { panic!("there is no space") };
    assert_eq!((space.offset, space.length), (2 * PIECE, PIECE));
    assert_eq!(allocate(0, Some(space)), Allocated::Block(2 * PIECE));
}

/// Who was slower asks for less than there is by now.
#[test]
fn space_that_was_taken_stays() {
    let world = World::default();
    let [one, two] = [0, 1].map(|slot| world.participant(slot));
    let mut tested = Tested::new(8);
    let Ok(Allocated::NeedsSpace(little)) = tested.heap.allocate(&one, 10, None, Deadline::NOW) else { panic!() };
    tested.take(little);
    let offset = tested.allocate(two, 5 * PIECE).unwrap();
    tested.free(two, offset);
    let Ok(Allocated::Block(offset)) = tested.heap.allocate(&one, 10, Some(little), Deadline::NOW) else { panic!() };
    tested.note_allocated(offset, 10);
    assert_eq!(tested.heap.allocate(&one, 4 * PIECE, None, Deadline::NOW), Ok(Allocated::Block(128)));
    tested.note_allocated(128, 4 * PIECE);
    tested.finish(one);
}

/// A heap that begins with a hollow run of so many pieces; a block in use lies behind it.
fn hollow(pieces: u64, who: Actor) -> Tested {
    let mut tested = Tested::new(16);
    let offset = tested.allocate(who, pieces * PIECE - HEAD).unwrap();
    tested.allocate(who, 10).unwrap();
    tested.free(who, offset);
    // What is longer is claimed in two parts first.
    tested.trim(who);
    tested.trim(who);
    tested.check();
    tested
}

/// The head of what remains of a hollow block needs space too; and never more is asked for than the hole.
#[test]
fn what_remains_has_space_for_its_head() {
    let world = World::default();
    let who = world.participant(0);
    for boundary in 1..=4 {
        for grains in -3..=3 {
            let mut tested = hollow(4, who);
            let length = (boundary * PIECE).wrapping_add_signed(grains * 64) - HEAD;
            let asked = tested.heap.allocate(&who, length, None, Deadline::NOW).unwrap();
            if let Allocated::Block(offset) = asked {
                tested.note_allocated(offset, length);
                tested.check();
            } else if let Allocated::NeedsSpace(space) = asked {
                // The hole is two pieces long, behind the first, which has space.
                let upto = (length + 2 * HEAD).next_multiple_of(PIECE).min(3 * PIECE);
                let is_rest = length > 4 * PIECE - 2 * HEAD;
                assert!(is_rest || (space.offset, space.length) == (PIECE, upto - PIECE), "{space:?} for {length}");
                tested.allocate(who, length).unwrap();
                tested.check();
            }
            tested.allocate(who, 10).unwrap();
            tested.check();
            tested.finish(who);
        }
    }
}

/// Space that was taken for less is not enough, and no harm.
#[test]
fn space_for_less_is_not_believed_to_be_more() {
    let world = World::default();
    let who = world.participant(0);
    for (first, then) in [(PIECE, 2 * PIECE), (PIECE, 2 * PIECE - 2 * HEAD + 1), (3 * PIECE, 6 * PIECE)] {
        let mut tested = hollow(5, who);
        let asked = tested.heap.allocate(&who, first, None, Deadline::NOW);
        let Ok(Allocated::NeedsSpace(space)) = asked else { panic!("{asked:?}") };
        tested.take(space);
        let more = tested.heap.allocate(&who, then, Some(space), Deadline::NOW);
        assert!(matches!(more, Ok(Allocated::NeedsSpace(_))), "{more:?}");
        for length in [u64::MAX, u64::MAX - 128, 16 * PIECE] {
            let most = tested.heap.allocate(&who, length, Some(space), Deadline::NOW);
            assert_eq!(most, Ok(Allocated::Full), "{length}");
        }
        tested.allocate(who, then).unwrap();
        tested.check();
        tested.finish(who);
    }
}

/// Of hollow blocks too the one that is long enough is found.
#[test]
fn the_longest_hollow_block_is_found() {
    let world = World::default();
    let who = world.participant(0);
    let mut tested = Tested::new(16);
    let offsets = [7, 0, 5, 0].map(|pieces| tested.allocate(who, pieces * PIECE).unwrap());
    tested.free(who, offsets[0]);
    tested.free(who, offsets[2]);
    tested.trim(who);
    assert_eq!(tested.allocate(who, 6 * PIECE + 70), Some(0));
    tested.check();
    tested.finish(who);
}

/// A walk may merge the hollow block that space was taken for.
#[test]
fn space_for_what_was_merged_is_not_believed() {
    let world = World::default();
    let who = world.participant(0);
    let (mut tested, offsets) = with_runs(who);
    tested.trim(who);
    let Ok(Allocated::NeedsSpace(space)) = tested.heap.allocate(&who, 3 * PIECE, None, Deadline::NOW) else { panic!() };
    tested.take(space);
    let before = if space.offset < offsets[3] { offsets[0] } else { offsets[2] };
    let decide = |offset, _: &Block| if offset == before { Decision::Free } else { Decision::Keep };
    tested.heap.reclaim(&who, Deadline::NOW, decide).unwrap();
    tested.model.remove(&before);
    let again = tested.heap.allocate(&who, 3 * PIECE, Some(space), Deadline::NOW);
    assert!(matches!(again, Ok(Allocated::NeedsSpace(_))), "{again:?}");
    tested.check();
    tested.finish(who);
}

/// Trimming gives back all but what heads and ends need; all of it can be used again.
#[test]
fn trimmed_space_is_given_back_and_taken_again() {
    let world = World::default();
    let who = world.participant(0);
    let (mut tested, _) = with_runs(who);
    assert_eq!(tested.spaced.len(), 13);
    for _ in 0..2 {
        tested.trim(who);
        tested.check();
        assert_eq!(tested.spaced, BTreeSet::from([0, 3, 10, 11, 12]), "where blocks begin and end");
    }
    for length in [10, 10, PIECE, 6 * PIECE, 2 * PIECE, 100_000, 10, 50_000] {
        tested.allocate(who, length);
        tested.check();
    }
    tested.finish(who);
}

/// The space of an empty heap is given back but for its ends and where claims met; also what was used after the last trim.
#[test]
fn an_empty_heap_is_trimmed() {
    let world = World::default();
    let who = world.participant(0);
    let mut tested = Tested::new(16);
    for lengths in
        [[10 * PIECE, 10, 10], [3 * PIECE, 3 * PIECE, 8 * PIECE], [PIECE, 14 * PIECE, 0], [10, 14 * PIECE, 10]]
    {
        let offsets = lengths.map(|length| tested.allocate(who, length).unwrap());
        tested.free(who, offsets[1]);
        for _ in 0..2 {
            tested.trim(who);
            tested.check();
        }
        tested.free(who, offsets[0]);
        tested.free(who, offsets[2]);
        tested.check();
        tested.trim(who);
        tested.check();
        assert!(tested.spaced.len() <= 4, "{:?}", tested.spaced);
    }
    tested.finish(who);
}

/// What is claimed next is what lies behind, though the others allocate and free meanwhile.
#[test]
fn claims_go_forward() {
    let world = World::default();
    let [one, two] = [0, 1].map(|slot| world.participant(slot));
    let mut tested = Tested::new(16);
    let offsets = [9 * PIECE, 10, 2 * PIECE, 10].map(|length| tested.allocate(one, length).unwrap());
    tested.free(one, offsets[0]);
    tested.free(one, offsets[2]);
    let (mut last, mut claims) = (None, vec![]);
    while let Some(claim) = tested.heap.hollow_out(&one, last, Deadline::NOW).unwrap() {
        tested.punch(claim);
        let offset = tested.allocate(two, 100 + 3 * claims.len() as u64 * PIECE);
        offset.into_iter().for_each(|offset| tested.free(two, offset));
        claims.push(claim.block);
        last = Some(claim);
    }
    assert!(claims.is_sorted() && claims.len() >= 3, "{claims:?}");
    tested.check();
    tested.finish(one);
}

/// Space that somebody punched out again before it was used is asked for again, whether it was for a hollow block or for the rest.
#[test]
fn space_that_was_punched_meanwhile_is_not_believed() {
    let world = World::default();
    let [one, two] = [0, 1].map(|slot| world.participant(slot));
    for rest in [false, true] {
        let (mut tested, _) = with_runs(one);
        tested.trim(one);
        if rest {
            tested = Tested::new(16);
            tested.allocate(one, 100).unwrap();
        }
        let length = 3 * PIECE;
        let ask = |tested: &Tested, granted| tested.heap.allocate(&one, length, granted, Deadline::NOW).unwrap();
        let Allocated::NeedsSpace(space) = ask(&tested, None) else { panic!("it has none") };
        tested.take(space);
        if rest {
            // Another one uses it first.
            let offset = tested.allocate(two, length).unwrap();
            tested.free(two, offset);
        }
        tested.trim(two);
        let Allocated::NeedsSpace(again) = ask(&tested, Some(space)) else { panic!("it has none again") };
        tested.check();
        tested.take(again);
        let Allocated::Block(offset) = ask(&tested, Some(again)) else { panic!("it has space") };
        tested.note_allocated(offset, length);
        tested.check();
        tested.finish(one);
    }
}

/// While one is frozen between its answer and its space, or in a claim, the others go on.
#[test]
fn who_is_frozen_holds_nobody_up() {
    let world = World::default();
    let [one, two] = [0, 1].map(|slot| world.participant(slot));
    let (mut tested, _) = with_runs(one);
    tested.trim(one);
    assert!(matches!(tested.heap.allocate(&one, 3 * PIECE, None, Deadline::NOW), Ok(Allocated::NeedsSpace(_))));
    assert!(tested.allocate(two, 6 * PIECE).is_some());
    tested.check();
    let mut tested = Tested::new(16);
    let offset = tested.allocate(one, 12 * PIECE).unwrap();
    tested.free(one, offset);
    let claim = tested.heap.hollow_out(&one, None, Deadline::NOW).unwrap().unwrap();
    tested.punch(claim);
    assert!(tested.try_allocate(two, 9 * PIECE).unwrap().is_some(), "little is claimed at once");
}
