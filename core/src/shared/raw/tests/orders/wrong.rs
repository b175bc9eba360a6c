//! The explorer finds what is wrong: things that go well nearly always.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::super::super::cell::U32;
use super::super::super::host::{EVERYBODY, Host};
use super::*;

/// Whether some order of these fails.
fn fails(limits: Limits, work: impl Fn(&Orders, &[U32; 2])) -> bool {
    catch_unwind(AssertUnwindSafe(|| explore(limits, &<[U32; 2]>::default(), |orders, words| work(orders, words))))
        .is_err()
}

#[test]
fn a_lock_that_looks_and_then_takes_is_refused() {
    let lock = |[word, inside]: &[U32; 2], is_atomic: bool| {
        let taken = if is_atomic {
            word.swap_if(0, 1).is_ok()
        } else {
            word.get() == 0 && {
                word.set(1);
                true
            }
        };
        if taken {
            assert_eq!(inside.add(1), 1, "two are inside");
            inside.set(0);
            word.set(0);
        }
    };
    for is_atomic in [true, false] {
        let work = |orders: &Orders, words: &[U32; 2]| {
            let once = |_: Player| lock(words, is_atomic);
            let _ = orders.run(&[&once, &once]);
        };
        assert_eq!(fails(Limits::default(), work), !is_atomic);
    }
}

/// One that its owner's death leaves locked.
#[test]
fn a_lock_that_is_not_robust_is_refused() {
    for deaths in 0..2 {
        let work = |orders: &Orders, [word, _]: &[U32; 2]| {
            let once = |player: Player| {
                while word.swap_if(0, 1).is_err() {
                    let _ = player.sleep(word, 1, Duration::MAX, EVERYBODY);
                }
                word.set(0);
                player.wake(word, 1, EVERYBODY);
            };
            let _ = orders.run(&[&once, &once]);
        };
        assert_eq!(fails(Limits { deaths, mortals: 1, ..Limits::default() }, work), deaths > 0);
    }
}

/// A sleeper who looks first, and then says that he sleeps.
#[test]
fn a_sleeper_who_announces_himself_too_late_is_refused() {
    for looks_last in [true, false] {
        let work = |orders: &Orders, [there, sleeps]: &[U32; 2]| {
            let waits = |player: Player| {
                if looks_last || there.get() == 0 {
                    sleeps.set(1);
                    if !looks_last || there.get() == 0 {
                        let _ = player.sleep(sleeps, 1, Duration::MAX, EVERYBODY);
                    }
                }
            };
            let puts = |player: Player| {
                there.set(1);
                if sleeps.get() == 1 {
                    sleeps.set(2);
                    player.wake(sleeps, 1, EVERYBODY);
                }
            };
            if let Some(ended) = orders.run(&[&waits, &puts]) {
                assert_eq!(ended.needed_time, 0, "it slept though there was something");
            }
        };
        assert_eq!(fails(Limits::default(), work), !looks_last);
    }
}
