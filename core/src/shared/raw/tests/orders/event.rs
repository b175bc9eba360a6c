//! The event count: nobody sleeps while there is something for him.

use std::cell::Cell;

use super::super::super::cell::U32;
use super::super::super::event::Event;
use super::super::super::host::EVERYBODY;
use super::waiting::Wait;
use super::*;

/// Something that is waited for: how many pieces there are.
#[derive(Default)]
struct Pieces {
    event: Event,
    there: U32,
}

impl Pieces {
    fn take(&self) -> bool {
        let there = self.there.get();
        there > 0 && (self.there.swap_if(there, there - 1).is_ok() || self.take())
    }

    /// Waits for one; says whether there was one before `times` sleeps ended by time.
    fn wait_and_take(&self, player: &Player, times: u32) -> bool {
        let wait = Wait {
            event: &self.event,
            bits: EVERYBODY,
            before_sleep: &|| {},
            announce: &|| self.event.announce(),
            woken_for_nothing: &|| {},
        };
        wait.until_done(player, times, &|| self.take().then_some(())).is_some()
    }

    /// As a sender tells of one message.
    fn put(&self, player: &Player) {
        self.there.add(1);
        if self.event.is_awaited() {
            let raised = self.event.raise_to(player, 1, EVERYBODY);
            if raised.found_nobody() {
                self.event.clear(raised);
            }
        }
    }
}

fn waits(pieces: &Pieces) -> impl Fn(Player) {
    move |player| assert!(pieces.wait_and_take(&player, 0), "slept though there was something for him")
}

fn puts(pieces: &Pieces, times: u32) -> impl Fn(Player) {
    move |player| (0..times).for_each(|_| pieces.put(&player))
}

/// Nobody dies, and no sleep ends by itself.
fn nobody_needs_time(what: &str, preemptions: Option<u32>, work: &dyn Fn(&Orders, &Pieces) -> Option<Ended>) {
    let limits = Limits { preemptions, ..Limits::default() };
    try_all(what, limits, &Pieces::default(), |orders, pieces| {
        let Some(ended) = work(orders, pieces) else { return };
        assert_eq!(ended.needed_time, 0, "somebody slept though there was something for him");
        assert_eq!(pieces.there.get(), 0);
    });
}

#[test]
fn one_waits_for_one() {
    nobody_needs_time("event, 1 waits, 1 puts 2", None, &|orders, pieces| {
        let waits_twice = |player: Player| {
            (0..2).for_each(|_| assert!(pieces.wait_and_take(&player, 0), "slept though there was something"));
        };
        orders.run(&[&waits_twice, &puts(pieces, 2)])
    });
}

#[test]
fn two_wait_for_one_who_puts_two() {
    let bound = (!is_full()).then_some(3);
    nobody_needs_time("event, 2 wait, 1 puts 2", bound, &|orders, pieces| {
        orders.run(&[&waits(pieces), &waits(pieces), &puts(pieces, 2)])
    });
}

#[test]
fn two_wait_for_two() {
    let bound = if is_full() { Some(5) } else { Some(2) };
    nobody_needs_time("event, 2 wait, 2 put", bound, &|orders, pieces| {
        orders.run(&[&waits(pieces), &waits(pieces), &puts(pieces, 1), &puts(pieces, 1)])
    });
}

/// A killed waker is made up for by time, and a killed sleeper takes nothing along but what he took.
#[test]
fn the_dead_keep_nobody_asleep_for_ever() {
    let preemptions = Some(if is_full() { 4 } else { 2 });
    let limits = Limits { deaths: 1, mortals: 2, preemptions, ..Limits::default() };
    try_all("event, with deaths", limits, &Pieces::default(), |orders, pieces| {
        let is_served = Cell::new(true);
        let patient = |player: Player| {
            is_served.set(pieces.wait_and_take(&player, 2));
            player.tells(is_served.get().into());
        };
        let mortal = |player: Player| _ = pieces.wait_and_take(&player, 2);
        let Some(ended) = orders.run(&[&mortal, &puts(pieces, 1), &patient, &puts(pieces, 1)]) else { return };
        assert!(ended.has_deaths() || ended.needed_time == 0, "somebody slept though there was something for him");
        assert!(is_served.get() || pieces.there.get() == 0, "it waits for a piece that is there");
    });
}
