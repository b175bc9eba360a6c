//! Joining, and settling what a slot's former owner left: a lock that all use, in a roster with fewer places than there are
//! processes that come.
//!
//! A process holds the lock on its slot's byte from before it takes the slot to after it gave it back, or to its death. (That
//! joining excludes fork is the handle's affair, `shared/attached.rs`: a lock of the process, which its at-fork handler takes.)

use std::cell::Cell;

use super::super::super::cell::U32;
use super::super::super::host::{Host, Participant};
use super::super::super::lock::{Locked, RobustLock};
use super::super::super::roster::Slot;
use super::*;
use crate::deadline::Deadline;

#[derive(Default)]
struct Object {
    slots: [Slot; 2],
    /// By slot, which process has its byte locked, as number + 1: the kernel's, who forgets the dead.
    bytes: [U32; 2],
    lock: RobustLock,
    inside: U32,
}

impl Object {
    fn lock_byte(&self, player: &Player, slot: usize) -> bool {
        let held = self.bytes[slot].get();
        let is_free = held == 0 || !player.is_alive(held as usize - 1);
        is_free && self.bytes[slot].swap_if(held, player.number() as u32 + 1).is_ok()
    }

    fn lives(&self, player: &Player, who: Participant) -> bool {
        let slot = who.slot() as usize;
        if !self.slots[slot].is_held_by(who) {
            return false;
        }
        let held = self.bytes[slot].get();
        held != 0 && player.is_alive(held as usize - 1)
    }

    /// As `Attached::take_slot`.
    fn join(&self, player: &Player, slots: usize) -> Option<Participant> {
        let roster = &self.slots[..slots];
        let free = roster.iter().enumerate().filter(|(_, slot)| slot.is_free());
        let (index, slot) = free.chain(roster.iter().enumerate()).find(|(index, _)| self.lock_byte(player, *index))?;
        let settle = |heir| {
            let roster = |player: &Player, who| self.lives(player, who);
            let heirs = player.becomes(heir).asks(&roster);
            if self.lock.inherit_from_slot(heir).is_some() {
                self.inside.set(0);
                self.lock.unlock(&heirs).expect("the heir lives");
            }
            Ok::<_, ()>(())
        };
        slot.take(index as u32, 1, 1, settle).ok()
    }

    fn leave(&self, me: Participant) {
        self.slots[me.slot() as usize].give_back();
        self.bytes[me.slot() as usize].set(0);
    }

    fn work(&self, player: &impl Host) {
        let how = self.lock.lock(player, Deadline::NEVER).expect("a lock that is waited for");
        if how == Locked::Inherited {
            self.inside.set(0);
        }
        assert_eq!(self.inside.get(), 0, "somebody is inside, or died there and nobody was told");
        self.inside.set(1);
        self.inside.set(0);
        self.lock.unlock(player).expect("nobody was presumed dead");
    }
}

fn explore_roster(what: &str, slots: usize, limits: Limits) {
    try_all(what, limits, &Object::default(), |orders, object| {
        let refused = Cell::new(0);
        let works = |player: Player| {
            let Some(me) = object.join(&player, slots) else {
                player.tells(1);
                return refused.set(refused.get() + 1);
            };
            let roster = |player: &Player, who| object.lives(player, who);
            object.work(&player.becomes(me).asks(&roster));
            object.leave(me);
        };
        let Some(ended) = orders.run(&[&works, &works, &works]) else { return };
        assert!(ended.has_deaths() || ended.needed_time == 0, "a wake was lost");
        assert!(refused.get() <= 3 - slots, "a place was left");
        // All places can be had again, and the lock.
        let last = [7, 8].map(|number| orders.player(number));
        for last in &last[..slots] {
            let me = object.join(last, slots).expect("a place for one who comes later");
            let roster = |player: &Player, who| object.lives(player, who);
            object.work(&last.becomes(me).asks(&roster));
        }
    });
}

#[test]
fn three_come_for_one_place() {
    let preemptions = if is_full() { None } else { Some(2) };
    explore_roster("roster, 3 for 1 place", 1, Limits { deaths: 2, mortals: 3, preemptions, ..Limits::default() });
}

#[test]
fn three_come_for_two_places() {
    let preemptions = if is_full() { Some(3) } else { Some(1) };
    explore_roster("roster, 3 for 2 places", 2, Limits { deaths: 2, mortals: 3, preemptions, ..Limits::default() });
}
