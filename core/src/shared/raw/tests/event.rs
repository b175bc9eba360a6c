//! The event count: who is woken, and who is forgotten never.

use std::time::Duration;

use super::super::cell::trap::interrupt_after;
use super::super::event::{Event, NAP};
use super::super::host::EVERYBODY;
use super::World;
use crate::sys::Errno;

#[test]
fn who_announces_himself_meanwhile_is_not_forgotten() {
    let world = World::default();
    let (event, who) = (Event::default(), world.participant(0));
    assert!(!event.is_awaited());
    let _one = event.announce();
    let raised = event.raise_to(&who, 1, EVERYBODY);
    assert!(raised.found_nobody(), "the first doesn't sleep yet");
    let _two = event.announce();
    assert!(!event.clear(raised) && event.is_awaited());
    let raised = event.raise_to(&who, 1, EVERYBODY);
    assert!(event.clear(raised) && !event.is_awaited());
}

#[test]
fn a_raise_clears_only_when_it_found_nobody() {
    let world = World::default();
    let (event, who) = (Event::default(), world.participant(0));
    let _one = event.announce();
    world.sleepers.set(1);
    event.raise(&who);
    assert_eq!((world.wakes.get(), event.is_awaited()), (1, true), "others may sleep still");
    world.sleepers.set(0);
    event.raise(&who);
    assert_eq!((world.wakes.get(), event.is_awaited()), (2, false));
}

#[test]
fn a_sleep_ends_by_a_raise_but_not_by_an_announcement() {
    let world = World::default();
    let (event, who) = (Event::default(), world.participant(0));
    let one = event.announce();
    let _two = event.announce();
    assert_eq!(event.sleep(&who, one, Duration::from_secs(3600), EVERYBODY), Err(Errno(libc::ETIMEDOUT)));
    assert!(world.longest_sleep.get() <= NAP && NAP < Duration::from_secs(1), "the waker may have died");
    world.signal.set(true);
    assert_eq!(event.sleep(&who, one, NAP, EVERYBODY), Err(Errno(libc::EINTR)));
    world.sleepers.set(1);
    event.raise(&who);
    assert_eq!(event.sleep(&who, one, NAP, EVERYBODY), Ok(()));
}

#[test]
fn watchers_are_rung_once_and_not_forgotten() {
    let world = World::default();
    let (event, who) = (Event::default(), world.participant(0));
    event.watch(0b100);
    event.announce();
    // Not for him, and nobody sleeps: he is not forgotten.
    let raised = event.raise_to(&who, 1, 0b010);
    assert!(raised.found_nobody() && !event.clear(raised));
    assert!(event.is_awaited() && world.rings.get() == 0);
    let raised = event.raise_to(&who, 1, 0b110);
    assert_eq!(world.rings.get(), 1);
    assert!(event.clear(raised) && !event.is_awaited());
    event.raise(&who);
    assert_eq!(world.rings.get(), 1, "he says so anew when he has tried");
}

/// A watcher comes at any access of a waker whose wake finds nobody: the next waker looks for him.
#[test]
fn a_watcher_is_never_forgotten() {
    for accesses in 0.. {
        let world = World::default();
        let (event, who) = (Event::default(), world.participant(0));
        event.announce();
        let other = || {
            event.watch(EVERYBODY);
            event.announce();
        };
        let (_, came) = interrupt_after(accesses, other, || event.raise(&who));
        assert!(!came || world.rings.get() == 1 || event.is_awaited(), "access {accesses}");
        if !came {
            break;
        }
        event.raise(&who);
        assert_eq!(world.rings.get(), 1, "access {accesses}");
    }
}
