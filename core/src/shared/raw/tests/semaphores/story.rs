//! Long random stories of many who wait, try again, give up and die at any store: when all who were woken have tried, nobody is left asleep
//! whose operations could be done.

use super::*;

/// A generator of numbers that look like nothing: xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    fn array(&mut self, count: u32) -> Vec<Operation> {
        let length = 1 + self.below(4);
        let operation = |random: &mut Self| {
            let delta = [-1, -1, -2, 1, 0, 0, -3, 2][random.below(8) as usize];
            Operation { undo: random.below(4) == 0, ..op(random.below(count.into()) as u32, delta) }
        };
        (0..length).map(|_| operation(self)).collect()
    }
}

/// One who waits.
struct Waiter<'a> {
    who: Actor<'a>,
    seat: Seat,
    array: Vec<Operation>,
}

struct Court<'a> {
    set: Semaphores,
    world: &'a World,
    waiters: Vec<Waiter<'a>>,
    /// By slot, who is there.
    actors: Vec<Actor<'a>>,
}

impl<'a> Court<'a> {
    fn new(world: &'a World, random: &mut Random) -> Self {
        let values: Vec<u32> = (0..3).map(|_| random.below(3) as u32).collect();
        let set = set_of(&values);
        let actors: Vec<_> = (0..6).map(|slot| world.participant(slot)).collect();
        (0..8).for_each(|slot| set.grant(slot));
        Self { set, world, waiters: vec![], actors }
    }

    /// It may be the death of the actor, at any store; then another comes in his place.
    fn does(
        &mut self,
        slot: usize,
        random: &mut Random,
        act: impl FnOnce(&Semaphores, Actor<'a>, &mut Vec<Waiter<'a>>),
    ) {
        let stores = if random.below(5) == 0 { random.below(40) as u32 } else { u32::MAX };
        let (set, who, waiters) = (&self.set, self.actors[slot], &mut self.waiters);
        if die_after(stores, || act(set, who, waiters)) == Err(Died) {
            self.dies(slot, random);
        }
    }

    fn dies(&mut self, slot: usize, random: &mut Random) {
        let who = self.actors[slot];
        who.dies();
        self.waiters.retain(|waiter| waiter.who.me != who.me);
        let heir = who.heir();
        // Who joins in his place finds what he left, unless another does before; and may die of that.
        if random.below(2) == 0 {
            tidy(&self.set, self.actors[(slot + 1) % 6]);
        }
        let mut heir = heir;
        while die_after(random.below(30) as u32, || self.set.settle(&heir, heir.me).unwrap()) == Err(Died) {
            heir.dies();
            heir = heir.heir();
        }
        self.actors[slot] = heir;
    }

    fn step(&mut self, random: &mut Random) {
        let slot = random.below(6) as usize;
        let array = random.array(3);
        match random.below(12) {
            0..5 => self.does(slot, random, |set, who, waiters| {
                let mut seat = Seat::default();
                let outcome = set.operate(&who, PID, &array, Some(&mut seat), Deadline::NOW).unwrap();
                if matches!(outcome, Outcome::Blocked(_)) {
                    waiters.push(Waiter { who, seat, array });
                }
            }),
            5..8 => self.does(slot, random, |set, who, _| {
                let gives: Vec<_> = array.iter().map(|one| Operation { delta: -one.delta, ..*one }).collect();
                let _ = set.operate(&who, PID, &gives, None, Deadline::NOW).unwrap();
            }),
            8 => {
                let values = [random.below(4) as u32, random.below(4) as u32];
                let (first, count) = (random.below(2) as u32, 1 + random.below(2) as usize);
                self.does(slot, random, |set, who, _| {
                    set.set(&who, PID, first, &values[..count], Deadline::NOW).unwrap();
                });
            }
            9 => self.does(slot, random, |set, who, waiters| {
                if let Some(at) = waiters.iter().position(|waiter| waiter.who.me == who.me) {
                    set.leave(&who, &mut waiters[at].seat, Deadline::NOW).unwrap();
                    waiters.remove(at);
                }
            }),
            10 => self.does(slot, random, |set, who, waiters| {
                // Some time went by: he looks by himself.
                if let Some(at) = waiters.iter().position(|waiter| waiter.who.me == who.me)
                    && tries(set, &mut waiters[at])
                {
                    waiters.remove(at);
                }
            }),
            _ => self.dies(slot, random),
        }
    }

    /// All who were woken try, in any order, until nobody is.
    fn settles(&mut self, random: &mut Random) {
        // A dead participant's wakes were for the living: some nap ends.
        tidy(&self.set, self.actors[0]);
        self.set.look(&self.actors[0], Deadline::NOW, |_| ()).unwrap();
        for turn in 0.. {
            let woken: Vec<usize> = (0..self.waiters.len()).filter(|&at| self.is_awake(at)).collect();
            if woken.is_empty() {
                return;
            }
            assert!(turn < 1000, "they wake each other without an end");
            let at = woken[random.below(woken.len() as u64) as usize];
            if tries(&self.set, &mut self.waiters[at]) {
                self.waiters.remove(at);
            }
        }
    }

    fn is_awake(&self, at: usize) -> bool {
        let waiter = &self.waiters[at];
        // Who stands looks by himself all the time.
        !waiter.seat.is_taken() && self.could(&waiter.array)
            || waiter.seat.is_taken() && is_woken(&self.set, waiter.who, &waiter.seat)
    }

    /// Whether they could be done now.
    fn could(&self, array: &[Operation]) -> bool {
        let mut values: Vec<i64> = values(&self.set).into_iter().map(i64::from).collect();
        array.iter().all(|one| {
            let value = &mut values[one.index as usize];
            *value += i64::from(one.delta);
            *value >= 0 && (one.delta != 0 || *value == 0)
        })
    }
}

fn tries(set: &Semaphores, waiter: &mut Waiter) -> bool {
    let outcome = set.operate(&waiter.who, PID, &waiter.array, Some(&mut waiter.seat), Deadline::NOW).unwrap();
    !matches!(outcome, Outcome::Blocked(_))
}

#[test]
fn nobody_sleeps_who_could_go_on() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for story in 0..3000 {
        let world = World::default();
        let mut court = Court::new(&world, &mut random);
        for step in 0..25 {
            court.step(&mut random);
            if random.below(3) > 0 {
                continue;
            }
            court.settles(&mut random);
            for waiter in &court.waiters {
                assert!(
                    !court.could(&waiter.array),
                    "story {story}, step {step}: {:?} of {:?}",
                    waiter.array,
                    values(&court.set)
                );
            }
            let waiting: u32 = (0..3).map(|index| court.set.waiting(&court.actors[0], index)).map(|(a, b)| a + b).sum();
            let sitting = court.waiters.iter().filter(|waiter| waiter.seat.is_taken()).count();
            assert_eq!(waiting as usize, sitting, "story {story}, step {step}");
        }
        assert_eq!(court.world.longest_sleep.get().max(Duration::from_millis(250)), Duration::from_millis(250));
    }
}
