//! The event count: who is woken, and who is forgotten never.

use std::time::Duration;

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
