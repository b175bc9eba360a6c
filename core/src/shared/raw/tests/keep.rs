//! The lock that is kept, under the trap: deaths at every store, others at every access, and both at once.
//!
//! A section under test has accesses of its own, so that a death or another participant may come inside; it leaves a mark while
//! somebody is in, so that two in there, or an owner who died there and isn't inherited from, show.

use std::cell::Cell;
use std::time::Duration;

use super::super::Fault;
use super::super::cell::U32;
use super::super::cell::trap::{Died, die_after, interrupt_after};
use super::super::host::{Host, Participant};
use super::super::keep::{Entered, KeptLock};
use super::{Actor, Late, World};
use crate::deadline::Deadline;

/// More than anybody uses it before he keeps it.
const OFTEN: u32 = 10;
/// A deadline that has passed, but is no try: whoever lives inside is not waited for.
const PASSED: u64 = 2;

/// A lock, and who is inside.
#[derive(Default)]
struct Room {
    lock: KeptLock,
    inside: U32,
}

impl Room {
    /// Enters, is inside for some accesses, and leaves.
    fn visit(&self, host: &impl Host) -> Result<Entered, Fault> {
        self.visit_until(host, Deadline::at_ns(PASSED))
    }

    fn visit_until(&self, host: &impl Host, deadline: Deadline) -> Result<Entered, Fault> {
        let entered = self.lock.lock(host, deadline)?;
        self.stay(host, entered);
        self.lock.unlock(host, entered).map(|()| entered)
    }

    /// As the fast path of a queue's end does: only if it is kept.
    fn visit_kept(&self, host: &impl Host) -> Result<bool, Fault> {
        if !self.lock.enter_kept(host) {
            return Ok(false);
        }
        self.stay(host, Entered::Kept);
        self.lock.leave_kept(host).map(|()| true)
    }

    /// The word of whoever's being inside counts.
    fn keeper(&self) -> u32 {
        die_after(u32::MAX, || self.lock.keeper_and_inside().0.get()).unwrap()
    }

    fn stay(&self, host: &impl Host, entered: Entered) {
        let me = host.me().word();
        let before = self.inside.get();
        assert!(before == 0 || entered == Entered::Inherited, "{entered:?} while {before:#x} is inside");
        self.inside.set(me);
        assert_eq!(self.inside.get(), me, "somebody came in");
        self.inside.set(0);
    }

    /// Lets `who` use it until he keeps it.
    fn kept_by(who: &impl Host) -> Self {
        let room = Self::default();
        room.become_kept_by(who);
        room
    }

    fn become_kept_by(&self, who: &impl Host) {
        let often = (0..OFTEN).find(|_| self.visit(who).unwrap() == Entered::Kept);
        assert!(often.is_some(), "{who:?} doesn't keep it", who = who.me());
    }

    /// Everybody gets in, one after the other, and after the first nobody is inherited from; and each can keep it, for nothing
    /// that was here lasts.
    fn is_open_to(&self, all: &[Actor]) {
        for (turn, who) in all.iter().chain(all).enumerate() {
            let entered = self.visit(who).unwrap_or_else(|fault| panic!("{:?} is shut out: {fault:?}", who.me));
            assert!(turn == 0 || entered != Entered::Inherited, "inherited twice");
        }
        for keeper in all {
            self.become_kept_by(keeper);
            // He is asked, and comes to know it.
            all.iter().chain([keeper]).for_each(|who| assert!(self.visit(who).is_ok()));
        }
    }
}

#[test]
fn who_uses_it_alone_keeps_it_until_asked() {
    let world = World::default();
    let (one, two) = (world.participant(0), world.participant(1));
    let room = Room::kept_by(&one);
    assert_eq!(room.visit(&one), Ok(Entered::Kept));
    assert_eq!(room.visit_kept(&one), Ok(true));
    assert_eq!(room.visit(&two), Ok(Entered::Clean), "asked, and there at once");
    assert_eq!(room.visit_kept(&one), Ok(false), "asked for it");
    assert_eq!(room.visit(&one), Ok(Entered::Clean));
    room.is_open_to(&[one, two]);
}

/// Those who take turns never keep it, so they pay no barriers.
#[test]
fn who_takes_turns_does_not_keep_it() {
    let world = World::default();
    let (one, two) = (world.participant(0), world.participant(1));
    let room = Room::default();
    for _ in 0..OFTEN {
        assert_eq!(room.visit(&one), Ok(Entered::Clean));
        assert_eq!(room.visit(&one), Ok(Entered::Clean));
        assert_eq!(room.visit(&two), Ok(Entered::Clean));
        assert_eq!(room.keeper(), 0);
    }
    let world = World::never_keeping();
    let three = world.participant(0);
    (0..OFTEN).for_each(|_| assert_eq!(room.visit(&three), Ok(Entered::Clean)));
}

/// Who was asked for it has to earn it again, and so does who asked.
#[test]
fn a_barrier_is_paid_once_for_many() {
    let world = World::default();
    let barriers = Cell::new(0);
    let count = || barriers.set(barriers.get() + 1);
    let [one, two] = [0, 1].map(|slot| Late { actor: world.participant(slot), barrier: &count });
    let room = Room::kept_by(&one);
    for turn in 1..4 {
        assert_eq!(room.visit(&two), Ok(Entered::Clean));
        assert_eq!(barriers.get(), turn);
        assert_eq!(room.visit(&one), Ok(Entered::Clean));
        assert_eq!(room.visit(&two), Ok(Entered::Clean));
        assert_eq!(barriers.get(), turn, "it isn't kept");
        room.become_kept_by(&one);
    }
}

/// With somebody asleep on the word it is not kept, or he would not be woken.
#[test]
fn who_sleeps_on_it_is_woken() {
    for accesses in 0.. {
        let world = World::default();
        let (one, two) = (world.participant(0), world.participant(1));
        let room = Room::default();
        for _ in 0..OFTEN {
            if room.keeper() == one.me.word() {
                break;
            }
            let (sleeps, wakes) = (world.sleeps.get(), world.wakes.get());
            let (visited, came) =
                interrupt_after(accesses, || assert_ne!(room.visit(&two), Ok(Entered::Inherited)), || room.visit(&one));
            assert!(visited.is_ok());
            let slept = world.sleeps.get() > sleeps;
            assert!(!slept || world.wakes.get() > wakes, "access {accesses}: he sleeps, and nobody wakes him");
            assert!(!slept || room.keeper() == 0, "access {accesses}: it isn't kept");
            if came {
                // He let the other in between, so they take turns. Once is enough.
                break;
            }
        }
        if accesses > 30 {
            break;
        }
        room.is_open_to(&[one, two]);
    }
}

/// A keeper dies at each store of a visit: who is inside is inherited from, exactly; who isn't needn't be.
#[test]
fn a_keeper_may_die_at_every_store() {
    for (stores, slow) in (0..).flat_map(|stores| [(stores, false), (stores, true)]) {
        let world = World::default();
        let [one, two, three] = [0, 1, 2].map(|slot| world.participant(slot));
        let room = Room::kept_by(&one);
        let visit = || if slow { room.visit(&one).map(drop) } else { room.visit_kept(&one).map(drop) };
        let lived = die_after(stores, visit).is_ok();
        one.dies();
        let inside = room.inside.get() != 0;
        // `stay` fails unless who died inside is inherited from.
        let entered = room.visit(&two).unwrap();
        assert!(!inside || entered == Entered::Inherited);
        if lived {
            assert_eq!(entered, Entered::Clean, "all was in order");
        }
        room.is_open_to(&[three, two]);
        if lived && slow {
            break;
        }
    }
}

/// One dies at each store of the visit with which he would have kept it.
#[test]
fn who_is_about_to_keep_it_may_die_at_every_store() {
    let often = {
        let world = World::default();
        let room = Room::default();
        (0..OFTEN).find(|_| room.visit(&world.participant(0)).unwrap() == Entered::Kept).unwrap()
    };
    for uses in [often - 2, often - 1] {
        for stores in 0.. {
            let world = World::default();
            let [one, two, three] = [0, 1, 2].map(|slot| world.participant(slot));
            let room = Room::default();
            (0..uses).for_each(|_| assert_eq!(room.visit(&one), Ok(Entered::Clean)));
            let lived = die_after(stores, || room.visit(&one)).is_ok();
            one.dies();
            let entered = room.visit(&two).unwrap();
            assert!(!lived || entered == Entered::Clean);
            room.is_open_to(&[two, three]);
            if lived {
                break;
            }
        }
    }
}

/// Who asks dies at each store, while the keeper is outside, or inside and dies there too, or lives and goes on.
#[test]
fn who_asks_may_die_at_every_store() {
    for keeper_dies in [false, true] {
        for stores in 0.. {
            let world = World::default();
            let [one, two, three] = [0, 1, 2].map(|slot| world.participant(slot));
            let room = Room::kept_by(&one);
            if keeper_dies {
                // Inside: after the store that says so, and the first in there.
                assert_eq!(die_after(2, || room.visit(&one)), Err(Died));
                one.dies();
            }
            let lived = die_after(stores, || room.visit(&two)).is_ok();
            two.dies();
            if keeper_dies {
                room.is_open_to(&[three]);
            } else {
                assert!(room.visit_kept(&one).is_ok());
                room.is_open_to(&[one, three]);
            }
            if lived {
                break;
            }
        }
    }
}

/// Another asks at every access of a keeper's visit: never are two inside, nobody is inherited from, and both go on.
#[test]
fn a_keeper_may_be_asked_at_every_access() {
    let deadlines = [Deadline::at_ns(PASSED), Deadline::INSTANT];
    for (slow, deadline) in [(false, deadlines[0]), (false, deadlines[1]), (true, deadlines[0]), (true, deadlines[1])] {
        for accesses in 0.. {
            let world = World::default();
            let [one, two, three] = [0, 1, 2].map(|slot| world.participant(slot));
            let room = Room::kept_by(&one);
            let mut asked = None;
            let mut kept = None;
            let ask = || {
                kept = Some(room.inside.get() != 0);
                asked = Some(room.visit_until(&two, deadline));
            };
            let (visited, came) = interrupt_after(accesses, ask, || {
                if slow { room.visit(&one).map(drop) } else { room.visit_kept(&one).map(drop) }
            });
            assert_eq!(visited, Ok(()), "access {accesses}");
            if came {
                let expected = [Ok(Entered::Clean), Err(Fault::Busy)];
                assert!(expected.contains(&asked.unwrap()), "{asked:?} before access {accesses}");
                assert!(kept != Some(true) || asked == Some(Err(Fault::Busy)));
            }
            assert_ne!(room.visit(&three), Ok(Entered::Inherited), "access {accesses}: nobody died");
            room.is_open_to(&[one, two, three]);
            if !came {
                break;
            }
        }
    }
}

/// A keeper's store of being inside is in its processor's store buffer still when another asks: the barrier brings it to light.
#[test]
fn a_keepers_late_store_is_waited_for() {
    let mut caught = 0;
    for accesses in 0.. {
        let world = World::default();
        let one = world.participant(0);
        let room = Room::kept_by(&one);
        let (_, inside) = room.lock.keeper_and_inside();
        let mut asked = None;
        let ask = || {
            let late = inside.get();
            inside.set(0);
            let barrier = || inside.set(late);
            asked = Some(room.visit(&Late { actor: world.participant(1), barrier: &barrier }));
            // It is, in time, without a barrier too.
            if late != 0 {
                inside.set(late);
            }
            caught += late;
        };
        let (visited, came) = interrupt_after(accesses, ask, || room.visit_kept(&one));
        assert!(visited.is_ok());
        assert_ne!(asked, Some(Ok(Entered::Inherited)));
        if !came {
            break;
        }
        room.is_open_to(&[one, world.participant(1)]);
    }
    assert!(caught > 0, "never was a store late");
}

/// As [`a_keeper_may_be_asked_at_every_access`], but who asks dies there, at each of its stores.
#[test]
fn who_asks_may_die_at_every_access_of_a_keepers() {
    for slow in [false, true] {
        for accesses in 0.. {
            let mut all = true;
            for stores in 0.. {
                let world = World::default();
                let [one, two, three] = [0, 1, 2].map(|slot| world.participant(slot));
                let room = Room::kept_by(&one);
                let mut lived = true;
                let ask = || {
                    lived = die_after(stores, || room.visit(&two)).is_ok();
                    two.dies();
                };
                let (visited, came) = interrupt_after(accesses, ask, || {
                    if slow { room.visit(&one).map(drop) } else { room.visit_kept(&one).map(drop) }
                });
                all &= came;
                assert_eq!(visited, Ok(()), "access {accesses}, death at store {stores}");
                assert!(room.visit(&three).is_ok());
                room.is_open_to(&[three, one]);
                if lived {
                    break;
                }
            }
            if !all {
                break;
            }
        }
    }
}

/// The keeper goes on, gives it back, or dies at each of its stores, at every access of who asks.
#[test]
fn who_asks_may_be_interrupted_at_every_access() {
    for what in 0..4 {
        for accesses in 0.. {
            let mut all = true;
            for stores in 0.. {
                let world = World::default();
                let [one, two, three] = [0, 1, 2].map(|slot| world.participant(slot));
                let room = Room::kept_by(&one);
                let mut died = false;
                let goes_on = || match what {
                    0 => assert!(room.visit_kept(&one).is_ok()),
                    1 => drop(room.visit(&one)),
                    2 => room.lock.give_back(&one),
                    _ => {
                        died = die_after(stores, || room.visit_kept(&one)).is_err();
                        one.dies();
                    }
                };
                let (visited, came) = interrupt_after(accesses, goes_on, || room.visit(&two));
                all &= came;
                let inherited = visited.unwrap() == Entered::Inherited;
                assert!(died || !inherited, "{what}, access {accesses}: nobody died");
                let all = [two, three, one];
                room.is_open_to(if what == 3 && came { &all[..2] } else { &all });
                if !died {
                    break;
                }
            }
            if !all {
                break;
            }
        }
    }
}

/// A keeper is inside for longer than another waits, at all the accesses of a third who comes meanwhile and dies at each store.
#[test]
fn who_inherits_from_who_asked_waits_for_the_keeper_too() {
    // What a keeper inside looks like to others: one dies there, but is not known to be dead yet.
    let inside = |room: &Room, one: &Actor| assert_eq!(die_after(2, || room.visit(one)), Err(Died));
    for stores in 0.. {
        let world = World::default();
        let [one, two, three] = [0, 1, 2].map(|slot| world.participant(slot));
        let room = Room::kept_by(&one);
        inside(&room, &one);
        let lived = die_after(stores, || assert_eq!(room.visit(&two), Err(Fault::Busy))).is_ok();
        two.dies();
        for deadline in [Deadline::at_ns(PASSED), Deadline::INSTANT] {
            assert_eq!(room.visit_until(&three, deadline), Err(Fault::Busy), "store {stores}");
        }
        world.signal.set(true);
        assert_eq!(room.visit_until(&three, Deadline::NEVER), Err(Fault::Interrupted));
        assert!(world.longest_sleep.get() <= Duration::from_millis(10), "the keeper's death shows soon");
        // The keeper leaves.
        room.inside.set(0);
        assert!(room.lock.leave_kept(&one).is_ok());
        let entered = room.visit(&three).unwrap();
        assert!(!lived || entered == Entered::Clean, "nobody died inside");
        room.is_open_to(&[three, one]);
        if lived {
            break;
        }
    }
}

/// Who waits in vain leaves all as it was: the keeper keeps it, and isn't disturbed.
#[test]
fn who_waited_in_vain_has_not_asked() {
    for signal in [false, true] {
        let world = World::default();
        let [one, two] = [0, 1].map(|slot| world.participant(slot));
        let room = Room::kept_by(&one);
        let ask = || {
            world.signal.set(signal);
            let fault = if signal { Fault::Interrupted } else { Fault::Busy };
            let deadline = if signal { Deadline::NEVER } else { Deadline::at_ns(PASSED) };
            assert_eq!(room.visit_until(&two, deadline), Err(fault));
            let sleeps = world.sleeps.get();
            assert_eq!(room.visit_until(&two, Deadline::INSTANT), Err(Fault::Busy));
            assert_eq!(world.sleeps.get(), sleeps, "an instant never sleeps");
        };
        // Inside: after the look at the word, before the marks.
        assert_eq!(interrupt_after(4, ask, || room.visit_kept(&one)), (Ok(true), true));
        assert_eq!(room.visit_kept(&one), Ok(true));
        assert_eq!(world.wakes.get(), 2, "whoever slept on the word asks himself");
    }
}

/// The waiting sleeper is woken by the keeper's leaving.
#[test]
fn a_keeper_who_was_asked_wakes_who_waits() {
    let mut slept = 0;
    for accesses in 0..40 {
        let world = World::default();
        let [one, two] = [0, 1].map(|slot| world.participant(slot));
        let room = Room::kept_by(&one);
        assert_eq!(die_after(2, || room.visit(&one)), Err(Died));
        room.inside.set(0);
        let leave = || {
            let wakes = world.wakes.get();
            assert!(room.lock.leave_kept(&one).is_ok());
            slept += world.sleeps.get().min(1);
            assert!(world.sleeps.get() == 0 || world.wakes.get() > wakes, "access {accesses}: nobody wakes him");
        };
        // Sleeps end at once here, so there are more accesses until then than this test makes.
        let deadline = Deadline::after(Duration::from_secs(5));
        let (visited, came) = interrupt_after(accesses, leave, || room.visit_until(&two, deadline));
        assert_eq!((visited, came), (Ok(Entered::Clean), true), "access {accesses}");
        room.is_open_to(&[one, two]);
    }
    assert!(slept > 5);
}

/// The same seen from the keeper: at whatever access of his the other took the word and sleeps, he is woken, and the keeper knows.
#[test]
fn a_keeper_may_find_at_every_access_that_it_was_asked() {
    for accesses in 0.. {
        let world = World::default();
        let [one, two, three] = [0, 1, 2].map(|slot| world.participant(slot));
        let room = Room::kept_by(&one);
        let mut waits = false;
        let take = || {
            // It comes as far as its first store after the compare-exchange.
            assert_eq!(die_after(2, || room.visit(&two)), Err(Died));
            waits = room.lock.keeper_and_inside().1.get() != 0;
        };
        let (visited, came) = interrupt_after(accesses, take, || room.visit_kept(&one));
        assert!(visited.is_ok());
        if !came {
            break;
        }
        assert!(!waits || world.wakes.get() == 1, "access {accesses}: nobody wakes him");
        assert!(!waits || room.keeper() == 0, "access {accesses}: the keeper doesn't know");
        two.dies();
        room.is_open_to(&[three, one]);
    }
}

/// An old keeper leaves, one that goes gives back, and a stranger has nothing to give back: at no access of theirs do they take back
/// what another said who keeps it now.
#[test]
fn who_leaves_takes_nothing_back() {
    for what in 0..3 {
        for accesses in 0.. {
            let world = World::default();
            let [one, two, three, four] = [0, 1, 2, 3].map(|slot| world.participant(slot));
            let room = if what == 2 { Room::default() } else { Room::kept_by(&one) };
            if what == 0 {
                assert_eq!(room.visit(&three), Ok(Entered::Clean));
            }
            let mut entered = None;
            let others = || {
                (0..OFTEN).for_each(|_| assert!(room.visit(&two).is_ok()));
                entered = Some(room.lock.lock(&two, Deadline::at_ns(PASSED)).unwrap());
            };
            let leave = || match what {
                0 => assert_eq!(room.visit_kept(&one), Ok(false)),
                1 => room.lock.give_back_for_good(&one),
                _ => room.lock.give_back_for_good(&four),
            };
            let ((), came) = interrupt_after(accesses, others, leave);
            if !came {
                break;
            }
            // `others` asked, and one is inside still.
            assert_eq!(room.visit(&three), Err(Fault::Busy), "{what}, access {accesses}: two inside");
            assert_eq!(room.lock.unlock(&two, entered.unwrap()), Ok(()));
            assert_ne!(room.visit(&three), Ok(Entered::Inherited));
        }
    }
}

/// Who comes to keep it after a keeper that died as it looked in is not taken to be inside.
#[test]
fn who_keeps_it_after_the_dead_is_outside() {
    let world = World::default();
    let [one, two, three] = [0, 1, 2].map(|slot| world.participant(slot));
    let room = Room::kept_by(&one);
    assert_eq!(room.visit(&two), Ok(Entered::Clean));
    assert_eq!(die_after(1, || room.visit_kept(&one)), Err(Died));
    one.dies();
    while room.keeper() != two.me.word() {
        assert_eq!(room.visit(&two), Ok(Entered::Clean));
    }
    assert_eq!(room.visit(&three), Ok(Entered::Clean));
}

/// Whoever waits for an owner who then keeps it asks for it, at whatever access of his that happens.
#[test]
fn who_waits_may_find_it_kept() {
    for accesses in 0.. {
        let world = World::default();
        let [one, two] = [0, 1].map(|slot| world.participant(slot));
        let room = Room::default();
        // The next that it leaves it will keep.
        (0..4).for_each(|_| assert_eq!(room.visit(&one), Ok(Entered::Clean)));
        assert_eq!(room.keeper(), 0);
        let entered = room.lock.lock(&one, Deadline::at_ns(PASSED)).unwrap();
        let unlock = || assert_eq!(room.lock.unlock(&one, entered), Ok(()));
        let (visited, came) = interrupt_after(accesses, unlock, || room.visit(&two));
        if room.keeper() == one.me.word() {
            assert_eq!(visited, Ok(Entered::Clean), "access {accesses}");
        }
        if !came {
            assert_eq!(visited, Err(Fault::Busy));
            break;
        }
        assert!(accesses > 3 || room.keeper() != 0, "it kept it");
        room.is_open_to(&[one, two]);
    }
}

/// With deadlines that have passed.
#[test]
fn who_asks_and_does_not_sleep_finds_the_keeper_gone() {
    for accesses in 0.. {
        let world = World::default();
        let [one, two] = [0, 1].map(|slot| world.participant(slot));
        let room = Room::kept_by(&one);
        assert_eq!(die_after(2, || room.visit(&one)), Err(Died));
        room.inside.set(0);
        let leave = || {
            let (slept, wakes) = (world.sleeps.get() > 0, world.wakes.get());
            assert!(room.lock.leave_kept(&one).is_ok());
            assert!(!slept || world.wakes.get() > wakes, "access {accesses}: he sleeps, and nobody wakes him");
        };
        let (visited, came) = interrupt_after(accesses, leave, || room.visit(&two));
        if !came {
            assert_eq!(visited, Err(Fault::Busy));
            break;
        }
        assert!([Ok(Entered::Clean), Err(Fault::Busy)].contains(&visited));
        room.is_open_to(&[one, two]);
    }
}

/// A keeper gives it back at its end, whole or not, and whoever asks meanwhile gets it.
#[test]
fn a_keeper_may_die_while_it_gives_back() {
    for accesses in 0.. {
        let mut all = true;
        for stores in 0.. {
            let world = World::default();
            let [one, two, three] = [0, 1, 2].map(|slot| world.participant(slot));
            let room = Room::kept_by(&one);
            let mut lived = false;
            let (_, came) = interrupt_after(
                accesses,
                || assert_eq!(die_after(u32::MAX, || room.visit(&two)), Ok(Ok(Entered::Clean))),
                || lived = die_after(stores, || room.lock.give_back_for_good(&one)).is_ok(),
            );
            all &= came || !lived;
            one.dies();
            if lived {
                assert_eq!(room.lock.keeper_and_inside().0.get(), 0, "sleepers need no barrier");
            }
            assert_eq!(room.visit(&two), Ok(Entered::Clean));
            room.is_open_to(&[two, three]);
            if lived {
                break;
            }
        }
        if !all {
            break;
        }
    }
}

/// An old keeper that never came back keeps others from keeping it as long as it lives, and never from using it.
#[test]
fn a_keeper_that_never_comes_back_holds_nobody_up() {
    let world = World::default();
    let [one, two] = [0, 1].map(|slot| world.participant(slot));
    let room = Room::kept_by(&one);
    (0..3 * OFTEN).for_each(|_| assert_eq!(room.visit(&two), Ok(Entered::Clean)));
    assert_eq!(room.visit_kept(&one), Ok(false));
    room.become_kept_by(&two);

    let room = Room::kept_by(&one);
    assert_eq!(room.visit(&two), Ok(Entered::Clean));
    one.dies();
    room.become_kept_by(&two);
}

/// A keeper that was asked looks in at every access of the others, and dies at each store of that.
#[test]
fn an_old_keeper_may_look_in_at_any_time() {
    for accesses in 0.. {
        let mut all = true;
        for stores in 0.. {
            let world = World::default();
            let [one, two, three] = [0, 1, 2].map(|slot| world.participant(slot));
            let room = Room::kept_by(&one);
            assert_eq!(room.visit(&two), Ok(Entered::Clean));
            let mut lived = true;
            let look = || {
                lived = die_after(stores, || assert_eq!(room.visit_kept(&one), Ok(false))).is_ok();
                one.dies();
            };
            // Until he would keep it, and beyond.
            let visits = || (0..OFTEN).for_each(|_| assert_ne!(room.visit(&two), Ok(Entered::Inherited)));
            let ((), came) = interrupt_after(accesses, look, visits);
            all &= came;
            assert_ne!(room.visit(&three), Ok(Entered::Inherited));
            if came {
                room.is_open_to(&[two, three]);
            }
            if lived {
                break;
            }
        }
        if !all {
            break;
        }
    }
}

/// A second thread of the keeper's: it asks like anybody, at every access of the first, and from then on nobody of them keeps it.
#[test]
fn a_second_thread_may_come_at_every_access() {
    for (before, accesses) in (0..).flat_map(|accesses| [(false, accesses), (true, accesses)]) {
        let world = World::default();
        let [one, other] = [0, 1].map(|slot| world.participant(slot));
        let second = one.second_thread();
        let room = Room::default();
        if !before {
            room.become_kept_by(&one);
        }
        let mut asked = Ok(Entered::Clean);
        let ((), came) = interrupt_after(
            accesses,
            || asked = room.visit(&second),
            || (0..if before { OFTEN } else { 1 }).for_each(|_| assert!(room.visit(&one).is_ok())),
        );
        assert!([Ok(Entered::Clean), Err(Fault::Busy)].contains(&asked), "{asked:?} at access {accesses}");
        if !came && before {
            break;
        }
        for who in [one, second, other, one, second, one] {
            assert_eq!(room.visit(&who).map(|entered| entered == Entered::Inherited), Ok(false));
        }
        if came {
            (0..OFTEN).for_each(|_| assert_eq!(room.visit(&one), Ok(Entered::Clean), "no more"));
        }
        room.become_kept_by(&other);
    }
}

/// The first thread is about to say that it is inside while the second asks and gives back, and another comes to keep it: what
/// the first then takes back must not be the other's.
#[test]
fn a_thread_that_is_late_takes_nothing_back() {
    for accesses in 0.. {
        let world = World::default();
        let [one, two, three] = [0, 1, 2].map(|slot| world.participant(slot));
        let second = one.second_thread();
        let room = Room::kept_by(&one);
        let mut entered = None;
        let others = || {
            if room.visit(&second).is_ok() {
                room.lock.give_back(&second);
                (0..OFTEN).for_each(|_| assert_eq!(room.visit(&two).map(drop), Ok(())));
                entered = Some(room.lock.lock(&two, Deadline::at_ns(PASSED)).unwrap());
            }
        };
        let (_, came) = interrupt_after(accesses, others, || room.lock.enter_kept(&one));
        if let Some(entered) = entered {
            assert_eq!(room.visit(&three), Err(Fault::Busy), "access {accesses}: two inside");
            assert_eq!(room.lock.unlock(&two, entered), Ok(()));
            room.is_open_to(&[three, two]);
        }
        if !came {
            break;
        }
    }
}

/// The next of its slot settles a dead keeper's estate: inherited from if it was inside, free, and nothing of it is left.
#[test]
fn the_heir_of_a_slot_settles_what_was_kept() {
    for stores in 0.. {
        let world = World::default();
        let [one, two] = [0, 1].map(|slot| world.participant(slot));
        let heir = one.heir();
        let room = Room::kept_by(&one);
        let lived = die_after(stores, || room.visit(&one)).is_ok();
        one.dies();
        let entered = room.lock.inherit_from_slot(&heir, heir.me);
        if lived {
            assert_eq!(entered, Some(Entered::Clean), "there is nothing to repair");
        }
        assert!(room.inside.get() == 0 || entered == Some(Entered::Inherited));
        room.stay(&heir, entered.unwrap());
        assert_eq!(room.lock.unlock(&heir, entered.unwrap()), Ok(()));
        assert_eq!(room.lock.keeper_and_inside().0.get(), 0);
        assert_eq!(room.lock.held_by(), None);
        room.is_open_to(&[two, heir]);
        if lived {
            break;
        }
    }
}

/// The same while another asks: the heir, at each access of his, and dead at each store of it.
#[test]
fn the_heir_of_a_slot_may_come_at_every_access() {
    for accesses in 0.. {
        let mut all = true;
        for stores in 0.. {
            let world = World::default();
            let [one, two, three] = [0, 1, 2].map(|slot| world.participant(slot));
            let heir = one.heir();
            let room = Room::kept_by(&one);
            assert_eq!(die_after(2, || room.visit(&one)), Err(Died));
            one.dies();
            let (mut lived, mut inherited) = (true, false);
            let settle = || {
                let settle = || {
                    if let Some(entered) = room.lock.inherit_from_slot(&heir, heir.me) {
                        room.stay(&heir, entered);
                        inherited = true;
                        room.lock.unlock(&heir, entered).unwrap();
                    }
                };
                lived = die_after(stores, settle).is_ok();
                heir.dies();
            };
            let (visited, came) = interrupt_after(accesses, settle, || room.visit(&two));
            all &= came;
            assert_eq!(visited.unwrap() == Entered::Inherited, !inherited || !lived, "access {accesses}");
            room.is_open_to(&[two, three]);
            if lived {
                break;
            }
        }
        if !all {
            break;
        }
    }
}

/// A slot's former owner died asking a keeper who is inside: who takes the slot neither waits nor fails.
#[test]
fn an_heir_does_not_wait_for_a_keeper() {
    let world = World::default();
    let [one, two, three] = [0, 1, 2].map(|slot| world.participant(slot));
    let room = Room::kept_by(&one);
    let ask = || {
        // After its compare-exchange.
        assert_eq!(die_after(2, || room.visit(&two)), Err(Died));
        two.dies();
        let heir = two.heir();
        assert_eq!(room.lock.inherit_from_slot(&heir, heir.me), None);
        assert_eq!(world.sleeps.get(), 0);
        assert_eq!(room.lock.held_by(), None, "nothing of the slot's is left");
        assert_eq!(room.visit(&three), Err(Fault::Busy), "the keeper is inside");
    };
    assert_eq!(interrupt_after(4, ask, || room.visit_kept(&one)), (Ok(true), true));
    assert_eq!(room.visit(&three), Ok(Entered::Inherited));
    room.is_open_to(&[one, three]);
}

/// Who was presumed dead while inside is told, and touches nothing of who came after.
#[test]
fn a_keeper_that_was_replaced_is_told() {
    let world = World::default();
    let [one, two, three] = [0, 1, 2].map(|slot| world.participant(slot));
    let room = Room::kept_by(&one);
    let replace = || {
        one.dies();
        assert_eq!(room.visit(&two), Ok(Entered::Inherited));
        world.dead.borrow_mut().clear();
    };
    let outcome = interrupt_after(3, replace, || {
        assert!(room.lock.enter_kept(&one));
        room.inside.get();
        room.lock.leave_kept(&one)
    });
    assert_eq!(outcome, (Err(Fault::Disowned), true));
    room.is_open_to(&[two, three, one]);
    // Not even while it finds out, when another keeps it already and is inside.
    for accesses in 0.. {
        let room = Room::kept_by(&one);
        assert!(room.lock.enter_kept(&one));
        let mut entered = None;
        let replace = || {
            one.dies();
            (0..OFTEN).for_each(|_| assert!(room.visit(&two).is_ok()));
            entered = Some(room.lock.lock(&two, Deadline::at_ns(PASSED)).unwrap());
            world.dead.borrow_mut().clear();
        };
        let (left, came) = interrupt_after(accesses, replace, || room.lock.leave_kept(&one));
        if !came {
            break;
        }
        // It can't know before its first store that it must not make that.
        if accesses > 0 {
            assert_eq!(left, Err(Fault::Disowned), "access {accesses}");
            assert_eq!(room.visit(&three), Err(Fault::Busy), "access {accesses}: two inside");
        }
        assert_eq!(room.lock.unlock(&two, entered.unwrap()), Ok(()));
    }
}

/// Words that nobody can have written are no reason to hang.
#[test]
fn scribbled_words_hold_nobody_up() {
    for (keeper, inside) in [(0, 1), (u32::MAX, 1), (7 << 16, 5), (5, u32::MAX), (u32::MAX, 0)] {
        let world = World::default();
        let [one, two, never] = [0, 1, 4].map(|slot| world.participant(slot));
        let _ = (one, never.dies());
        world.dead.borrow_mut().extend([Participant::new(4, 0).word(), 0x3fff_ffff]);
        let room = Room::kept_by(&one);
        room.lock.keeper_and_inside().0.set(keeper);
        room.lock.keeper_and_inside().1.set(inside);
        let entered = room.visit(&two).unwrap();
        assert_eq!(entered == Entered::Inherited, inside != 0, "{keeper:#x}, {inside}");
        room.is_open_to(&[two, one]);
    }
}
