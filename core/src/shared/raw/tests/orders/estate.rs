//! The estate of the dead: a lease whose holder dies is settled once, whoever finds it, and by however many at once.

use super::super::super::index::Want;
use super::super::super::ring::{Asked, Leased, Ring};
use super::super::queue_of;
use super::ring::{try_receive, try_send};
use super::*;
use crate::deadline::Deadline;

/// As a handle leases.
fn lease(ring: &Ring, player: &Player) -> Option<u64> {
    let mut granted = None;
    loop {
        match ring.lease(player, Asked { want: Want::Any, cuts: false, granted }, Deadline::NEVER).expect("sound") {
            Leased::Message(offset, envelope) => {
                assert_eq!(envelope.length, 8);
                return Some(offset);
            }
            Leased::Empty => return None,
            Leased::NeedsSpace(space) => granted = Some(space),
            Leased::NoRoom => panic!("no room"),
        }
    }
}

/// The first leases one of two messages, and acknowledges it; he may die at any time. Others find what he left: one who comes to
/// receive, and one who comes to have his slot.
fn explore_estate(what: &str, limits: Limits, heirs: bool) {
    let ring = queue_of(4, 8);
    try_all(what, limits, &ring, |orders, ring| {
        let before = orders.player(9);
        (0..2).for_each(|number| assert!(try_send(ring, &before, 1, number)));
        let received = std::cell::RefCell::new(Vec::new());
        let note = |player: &Player, number: u64, is_whole: bool| {
            received.borrow_mut().push((number, is_whole));
            player.tells(2 * number + u64::from(is_whole));
        };
        let leases = |player: Player| {
            let Some(offset) = lease(ring, &player) else { return };
            let number = u64::from_le_bytes(ring.view(offset, 8).unwrap().to_vec().try_into().unwrap());
            note(&player, number, false);
            ring.acknowledge(&player, offset).expect("his lease");
            note(&player, number, true);
        };
        let receives = |player: Player| {
            let _ = ring.reclaim(&player);
            if let Some(number) = try_receive(ring, &player, Want::Any) {
                note(&player, number, true);
            }
        };
        let settles = |player: Player| {
            if !heirs || player.is_alive(0) {
                return receives(player);
            }
            let me = orders.player(0).heir();
            ring.settle(&player.becomes(me), me).expect("settled");
        };
        let Some(ended) = orders.run(&[&leases, &receives, &settles]) else { return };
        let last = orders.player(9);
        let _ = ring.reclaim(&last);
        while let Some(number) = try_receive(ring, &last, Want::Any) {
            received.borrow_mut().push((number, true));
        }
        let received = received.into_inner();
        for number in 0..2 {
            let whole = received.iter().filter(|&&done| done == (number, true)).count();
            // Who dies in the acknowledgement may have done it.
            let may_be_gone = ended.dead[0] && received.contains(&(number, false));
            assert!(whole == 1 || whole == 0 && may_be_gone, "message {number}: {received:?}");
        }
        assert_eq!((ring.held().messages, ring.held().bytes, ring.leases()), (0, 0, 0), "{received:?}");
        assert_eq!(ring.blocks_for_test(&last), [], "its space is free again");
    });
}

#[test]
fn what_the_dead_leased_is_received_once() {
    let preemptions = Some(u32::from(is_full()));
    explore_estate("estate, 2 look for it", Limits { deaths: 1, mortals: 1, preemptions, ..Limits::default() }, false);
}

#[test]
fn an_heir_and_another_settle_it_once() {
    let preemptions = Some(u32::from(is_full()));
    explore_estate(
        "estate, an heir and another",
        Limits { deaths: 1, mortals: 1, preemptions, ..Limits::default() },
        true,
    );
}
