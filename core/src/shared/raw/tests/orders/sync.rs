//! Mutex and condition, and a barrier: no notification is lost, and all who come together go together.

use super::super::super::cell::U32;
use super::super::super::event::NAP;
use super::super::super::sync::barrier::{Barrier, Came};
use super::super::super::sync::condition::Condition;
use super::super::super::sync::mutex::Mutex;
use super::*;
use crate::deadline::Deadline;

#[derive(Default)]
struct Guarded {
    mutex: Mutex,
    condition: Condition,
    pieces: U32,
}

impl Guarded {
    fn lock(&self, player: &Player) {
        let _ = self.mutex.lock(player, Deadline::NEVER).expect("a mutex that is waited for");
    }

    fn unlock(&self, player: &Player) {
        self.mutex.unlock(player).expect("nobody was presumed dead");
    }

    /// Takes one, as people use a condition.
    fn take(&self, player: &Player) {
        self.lock(player);
        while self.pieces.get() == 0 {
            let announced = self.condition.announce();
            self.unlock(player);
            let _ = self.condition.sleep(player, announced, NAP);
            self.lock(player);
        }
        self.pieces.set(self.pieces.get() - 1);
        self.unlock(player);
    }

    fn put(&self, player: &Player, count: u32) {
        self.lock(player);
        self.pieces.set(self.pieces.get() + count);
        self.unlock(player);
        self.condition.tell(player, count);
    }
}

#[test]
fn a_notification_is_not_lost() {
    let preemptions = if is_full() { Some(4) } else { Some(2) };
    let limits = Limits { preemptions, ..Limits::default() };
    try_all("condition, 2 wait, 1 tells", limits, &Guarded::default(), |orders, guarded| {
        let takes = |player: Player| guarded.take(&player);
        let puts = |player: Player| (0..2).for_each(|_| guarded.put(&player, 1));
        let Some(ended) = orders.run(&[&takes, &takes, &puts]) else { return };
        assert_eq!((ended.needed_time, guarded.pieces.get()), (0, 0), "a notification was lost");
    });
}

/// A waiter who is killed takes no notification along for good.
#[test]
fn a_notification_of_the_dead_is_found_by_others() {
    let preemptions = if is_full() { Some(3) } else { Some(1) };
    let limits = Limits { deaths: 1, mortals: 1, preemptions, ..Limits::default() };
    try_all("condition, 2 wait, one dies", limits, &Guarded::default(), |orders, guarded| {
        let takes = |player: Player| guarded.take(&player);
        let puts = |player: Player| guarded.put(&player, 2);
        let Some(ended) = orders.run(&[&takes, &takes, &puts]) else { return };
        assert!(ended.has_deaths() || ended.needed_time == 0, "a notification was lost");
    });
}

#[test]
fn all_who_come_go_together() {
    let preemptions = if is_full() { None } else { Some(2) };
    let limits = Limits { preemptions, ..Limits::default() };
    // SAFETY: atomics only, for which all zeros are valid, and initial.
    let thing: (Barrier, U32) = (unsafe { std::mem::zeroed() }, U32::default());
    try_all("barrier, 2 twice", limits, &thing, |orders, (barrier, came)| {
        let comes = |player: Player| {
            barrier.agree(2);
            for round in 1..=2 {
                came.add(1);
                if let Came::Waits { round: here, .. } = barrier.come(&player, Deadline::NEVER).expect("sound") {
                    loop {
                        let announced = barrier.announce();
                        if barrier.is_over(here) {
                            break;
                        }
                        let _ = barrier.event().sleep(&player, announced, NAP, u32::MAX);
                    }
                }
                assert!(came.get() >= 2 * round, "it opened for one alone");
            }
        };
        let Some(ended) = orders.run(&[&comes, &comes]) else { return };
        assert_eq!(ended.needed_time, 0, "a wake was lost");
    });
}
