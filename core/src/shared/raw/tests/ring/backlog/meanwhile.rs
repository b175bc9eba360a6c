//! Another's whole operation before each access of one's own: what comes out is as if one of them had come first.

use super::dying::{STATES, prepared};
use super::*;

fn mine() -> Vec<Deed> {
    vec![
        Deed::Send { mtype: 2, length: 100 },
        Deed::Send { mtype: 2, length: 5000 },
        Deed::Receive { want: Want::Any, room: 9000, cuts: false },
        Deed::Receive { want: Want::Type(2), room: 9000, cuts: false },
        Deed::Receive { want: Want::Type(9), room: 9000, cuts: false },
        Deed::Receive { want: Want::UpTo(2), room: 9000, cuts: false },
        Deed::Lease { want: Want::Except(1) },
        Deed::Acknowledge(0),
        Deed::GiveBack(0),
        Deed::Reserve { length: 500 },
        Deed::Commit { which: 0, mtype: 2, percent: 100 },
        Deed::Unreserve(0),
        Deed::Peek { position: 2, room: 9000, cuts: false },
        Deed::Reclaim,
    ]
}

fn others() -> Vec<Deed> {
    vec![
        Deed::Send { mtype: 1, length: 70 },
        Deed::Send { mtype: 2, length: 6000 },
        Deed::Receive { want: Want::Any, room: 9000, cuts: false },
        Deed::Receive { want: Want::Type(2), room: 9000, cuts: false },
        Deed::Lease { want: Want::UpTo(3) },
        Deed::Acknowledge(0),
        Deed::GiveBack(1),
        Deed::Commit { which: 0, mtype: 1, percent: 3 },
        Deed::Reclaim,
    ]
}

/// Does something that ended so, which is nothing if somebody was inside.
fn try_note(court: &mut Court, who: Actor, deed: &Deed, outcome: &Result<Outcome, Fault>) -> Result<(), String> {
    match outcome {
        Err(Fault::Busy) => Ok(()),
        Err(fault) => panic!("{deed:?}: {fault:?}"),
        // What is moved, or freed late, counts for a moment: who finds the queue full then is woken after that.
        Ok(Outcome::Full) => Ok(()),
        Ok(outcome) => court.note(who, deed, outcome),
    }
}

#[test]
fn another_may_come_before_every_access() {
    for state in 1..STATES {
        for (first, second) in mine().iter().flat_map(|mine| others().into_iter().map(move |other| (mine, other))) {
            for accesses in 0.. {
                let world = World::never_keeping();
                let [one, two, three] = [1, 2, 3].map(|slot| world.participant(slot));
                let mut court = prepared(state, one, two);
                let mut then = None;
                let other = || then = Some(court.perform(two, &second));
                let (outcome, came) = interrupt_after(accesses, other, || court.perform(one, first));
                let Some(then) = then else { break };
                assert!(came);
                // A block that couldn't be freed is nobody's.
                court.ring().reclaim(&three).unwrap();
                let (before, mut wrong) = (court.model.clone(), vec![]);
                let done = [(one, first, &outcome), (two, &second, &then)];
                for order in [[0, 1], [1, 0]] {
                    court.model = before.clone();
                    let noted = order.into_iter().try_for_each(|which| {
                        let (who, deed, outcome) = done[which];
                        try_note(&mut court, who, deed, outcome)
                    });
                    match noted.err().or_else(|| court.differs_from(three, &court.model)) {
                        None => break,
                        Some(difference) => wrong.push(difference),
                    }
                }
                assert!(
                    wrong.len() < 2,
                    "state {state}, {first:?} and {second:?} before access {accesses}: {wrong:#?}"
                );
                if accesses % 16 == 0 {
                    court.finish(three);
                }
            }
        }
    }
}
