//! Scribbled records, blocks and links: an error or a wrong message, and what is somebody's stays his.

use super::dying::{STATES, prepared};
use super::*;

/// A record that refers to a block that is somebody's, or free, or waits already, or that doesn't say what it says: damage.
#[test]
fn a_record_that_refers_to_anything_else_is_damage() {
    for deed in [
        Deed::Receive { want: Want::Any, room: 9000, cuts: true },
        Deed::Receive { want: Want::Type(9), room: 9000, cuts: false },
        Deed::Lease { want: Want::Any },
    ] {
        for case in 0..9 {
            let world = World::never_keeping();
            let [one, two] = [1, 2].map(|slot| world.participant(slot));
            let mut court = Court::new();
            court.step(two, &Deed::Reserve { length: 500 });
            let (held, _) = court.model.reservation_of(two, 0).unwrap();
            court.step(two, &Deed::Send { mtype: 1, length: 500 });
            court.step(two, &Deed::Lease { want: Want::Any });
            let leased = court.model.lease_of(two, 0).unwrap();
            court.step(two, &Deed::Reserve { length: 500 });
            let free = court.model.reserved.keys().copied().find(|&offset| offset != held).unwrap();
            court.step(two, &Deed::Unreserve(usize::from(free > held)));
            court.step(two, &Deed::Send { mtype: 1, length: 500 });
            court.step(one, &Deed::Lease { want: Want::Any });
            court.step(one, &Deed::GiveBack(0));
            let queued = court.ring().offset_for_test(&one, |state| state == State::Queued);
            court.step(two, &Deed::Reserve { length: 4000 });
            let sent = court.model.reserved.keys().copied().find(|&offset| offset != held).unwrap();
            court.step(two, &Deed::Commit { which: usize::from(sent > held), mtype: 1, percent: 100 });
            // The one that was given back is before it.
            let is_taken = court.receive(one, Want::Any, 9000, false).is_ok();
            assert!(is_taken && queued != sent);
            let place = court.ring().ends().1.place();
            let block = court.ring().block_for_test(sent).unwrap();
            match case {
                0 => court.ring().scribble(place, 16, held),
                1 => court.ring().scribble(place, 16, leased),
                2 => court.ring().scribble(place, 16, queued),
                3 => court.ring().scribble(place, 16, u64::MAX - 63),
                4 => court.ring().scribble(place, 16, sent + 8),
                5 => block.sequence.set(77),
                6 => block.length.set(1 << 50),
                7 => block.mtype.set(2),
                _ => court.ring().scribble(place, 0, (4001 << 8) | 2),
            }
            for _ in 0..2 {
                let outcome = court.perform(one, &deed);
                assert!(matches!(outcome, Err(Fault::Damaged(_))), "case {case}, {deed:?}: {outcome:?}");
            }
            // Whose blocks those are, they stay.
            court.ring().acknowledge(&two, leased).unwrap();
            court.ring().unreserve(&two, held).unwrap();
        }
    }
}

/// Any words anywhere: everything ends, with some outcome; only what names its owner may be another's.
#[test]
fn any_words_are_survived() {
    let deeds = [
        Deed::Receive { want: Want::Any, room: 9000, cuts: true },
        Deed::Receive { want: Want::Type(2), room: 9000, cuts: false },
        Deed::Receive { want: Want::UpTo(3), room: 9000, cuts: true },
        Deed::Peek { position: 4, room: 100, cuts: true },
        Deed::Lease { want: Want::Except(1) },
        Deed::Send { mtype: 2, length: 5000 },
        Deed::Reclaim,
        Deed::Send { mtype: 3, length: 50 },
        Deed::GiveBack(0),
        Deed::Acknowledge(0),
        Deed::Commit { which: 0, mtype: 2, percent: 50 },
        Deed::Unreserve(0),
        Deed::Receive { want: Want::Any, room: 9000, cuts: false },
    ];
    let mut random = 1_u64;
    let mut draw = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    for round in 0..3000 {
        let world = World::never_keeping();
        let [one, two] = [1, 2].map(|slot| world.participant(slot));
        let court = prepared(1 + round % (STATES - 1), one, two);
        for _ in 0..=draw(3) {
            let word = match draw(8) {
                0 => 0,
                1 => u64::MAX >> draw(64),
                2 => 1 << draw(64),
                3 => draw(1 << 20) << 8 | draw(8),
                4 => draw(1 << 10) * 64,
                5 => draw(1 << 10) * 64 + 1,
                6 => 0x0001_0003_0000_0000 | draw(7),
                _ => draw(20),
            };
            match draw(4) {
                0 => court.ring().scribble(Place(draw(2)), draw(near() / 8) * 8, word),
                1 => {
                    let head = court.ring().ends().1.place();
                    court.ring().scribble(head, draw(30) * 8, word);
                }
                2 => court.ring().scribble_index_for_test(draw(3), word),
                _ => {
                    let Some(block) = court.ring().block_for_test(draw(200) * 64) else { continue };
                    let words = [
                        &block.state,
                        &block.sequence,
                        &block.mtype,
                        &block.length,
                        &block.left,
                        &block.right,
                        &block.others,
                    ];
                    // The heap's own word too, now and then.
                    if draw(8) == 0 { block.size.set(word) } else { words[draw(7) as usize].set(word) }
                }
            }
        }
        for deed in &deeds {
            match court.perform(one, deed) {
                Ok(_) | Err(Fault::Damaged(_)) => {}
                Err(Fault::NotYours)
                    if matches!(
                        deed,
                        Deed::GiveBack(_) | Deed::Acknowledge(_) | Deed::Commit { .. } | Deed::Unreserve(_)
                    ) => {}
                Err(fault) => panic!("round {round}: {deed:?}: {fault:?}"),
            }
            let held = court.ring().held();
            assert!(held.messages <= MOST && held.bytes <= CAPACITY);
        }
    }
}
