//! What scribblers do: an error, or a wrong answer.

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

    fn word(&mut self, own: u32) -> u32 {
        match self.below(8) {
            0 => self.below(1 << 32) as u32,
            1 => 1 << self.below(32),
            2 => own,
            // Small ones are states, counts, indices.
            3 | 4 => self.below(10) as u32,
            // Participants: living, dead, and such as there are none.
            5 => self.below(3) as u32 * 0x1_0000 + self.below(12) as u32,
            // Journals: a state and a count.
            6 => self.below(4) as u32 * (1 << 30) + [0, 0x3fff_f000][self.below(2) as usize] + self.below(600) as u32,
            _ => [0, u32::MAX, i32::MAX as u32, 1 << 31, 100, 101][self.below(6) as usize],
        }
    }
}

fn scribble(set: &Semaphores, random: &mut Random, own: u32) {
    let areas = set.words_for_test();
    for _ in 0..=random.below(4) {
        // Each area as often, however small.
        let area = areas[random.below(areas.len() as u64) as usize];
        let word = &area[random.below(area.len().min(400) as u64) as usize];
        word.set(random.word(own));
    }
}

fn acts(set: &Semaphores, who: Actor, other: Actor, random: &mut Random, seats: &mut Vec<Seat>) {
    let count = u64::from(set.geometry().count);
    let mut operation = || {
        let delta = [-1, 1, 0, -3, 2, 100, i32::MIN, i32::MAX][random.below(8) as usize];
        Operation { index: random.below(count) as u32, delta, undo: random.below(2) == 0, no_wait: false }
    };
    let operations = [operation(), operation(), operation(), operation()];
    let some = &operations[..1 + random.below(4) as usize];
    set.grant(who.me.slot());
    match random.below(12) {
        0..4 => _ = set.operate(&who, PID, some, None, Deadline::NOW),
        4..6 => {
            let mut seat = seats.pop().unwrap_or_default();
            let _ = set.operate(&who, PID, some, Some(&mut seat), Deadline::NOW);
            let _ = set.sleep(&who, &seat, Duration::ZERO);
            seats.push(seat);
        }
        6 => {
            if let Some(mut seat) = seats.pop() {
                let _ = set.leave(&who, &mut seat, Deadline::INSTANT);
            }
        }
        7 => _ = set.set(&who, PID, 0, &[1, 2, 3][..1 + random.below(count) as usize], Deadline::NOW),
        8 => _ = set.bury(&who, Deadline::NOW),
        9 => _ = set.tidy(&who, random.below(1 << 50), Deadline::NOW),
        10 => _ = set.settle(&other, other.me),
        _ => {
            let _ = set.look(&who, Deadline::NOW, values);
            let _ = (
                set.waiting(&who, 0),
                set.repairs(),
                set.suits(Blocked { index: 0, need: Need::AtLeast(1), for_zero: false, no_wait: false }),
            );
        }
    }
}

/// Whatever is written anywhere: no panic, no access outside, no loop without end.
#[test]
fn any_word_may_be_anything() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..4000 {
        let world = World::default();
        let [one, two, dead] = [0, 1, 2].map(|slot| world.participant(slot));
        let set = set_of(&[1, 0, 2]);
        operate(&set, dead, &[undone(0, -1), undone(1, 3)]);
        operate(&set, two, &[undone(2, -1)]);
        let mut seats = [one, two, dead].map(|who| vec![sit(&set, who, &[op(0, -9)]).0]);
        // Some die inside, with the journal armed.
        let stores = random.below(60) as u32;
        let _ = die_after(stores, || set.operate(&dead, PID, &[undone(0, 1), op(1, 1), op(2, 2)], None, Deadline::NOW));
        dead.dies();
        for _ in 0..6 {
            let (who, other) = if random.below(2) == 0 { (one, two) } else { (two, one) };
            scribble(&set, &mut random, other.me.word());
            let mine = &mut seats[who.me.slot() as usize];
            acts(&set, who, dead.heir(), &mut random, mine);
        }
        // Parting, too, ends.
        set.part(&one);
        set.part(&two);
    }
}

/// Each word alone, with what hurts most.
#[test]
fn each_word_may_hurt() {
    let hurts = [0, 1, 2, 3, 8, 9, 0x3fff_ffff, 1 << 30, (1 << 30) | 600, 2 << 30, (2 << 30) | 600, 1 << 31, u32::MAX];
    let lengths: Vec<_> = set_of(&[1, 0, 2]).words_for_test().iter().map(|area| area.len()).collect();
    for (which, length) in lengths.into_iter().enumerate() {
        // The journal's later records are as its first ones.
        for at in 0..length.min(130) {
            let world = World::default();
            let [one, two, dead] = [0, 1, 2].map(|slot| world.participant(slot));
            let set = set_of(&[1, 0, 2]);
            operate(&set, dead, &[undone(0, -1), undone(1, 3)]);
            let (mut seat, _) = sit(&set, two, &[op(0, -9)]);
            let _ = die_after(40, || set.operate(&dead, PID, &[undone(0, 1), op(1, 1)], None, Deadline::NOW));
            dead.dies();
            for hurt in hurts {
                set.words_for_test()[which][at].set(hurt);
                for who in [one, two] {
                    let _ = set.operate(&who, PID, &[op(0, 1), undone(2, -1)], None, Deadline::NOW);
                    let _ = set.operate(&who, PID, &[op(2, 1)], None, Deadline::NOW);
                    let _ = set.bury(&who, Deadline::NOW);
                    let _ = set.set(&who, PID, 1, &[5, 6], Deadline::NOW);
                }
                let _ = set.operate(&two, PID, &[op(0, -9)], Some(&mut seat), Deadline::NOW);
            }
        }
    }
}

/// What no store of the protocol explains is gone when the lock was inherited: counts and journal are made anew.
#[test]
fn a_repair_makes_counts_anew() {
    let world = World::default();
    let [one, waiting, dying] = [0, 1, 2].map(|slot| world.participant(slot));
    for garbage in [0, 1, u32::MAX, 1 << 31] {
        let set = set_of(&[0, 0]);
        let (seat, _) = sit(&set, waiting, &[op(0, -1)]);
        // Where the lock is: the first words of the control lines. The counts of who waits and who has something to be undone follow.
        let control = set.words_for_test()[0];
        for count in [5, 6] {
            control[count].set(garbage);
        }
        let _ = die_after(1, || operate(&set, dying, &[op(1, 1), op(1, 1)]));
        dying.dies();
        operate(&set, one, &[op(0, 1)]);
        assert!(is_woken(&set, waiting, &seat));
        assert_eq!([5, 6].map(|count| control[count].get()), [1, 0]);
        assert_eq!(set.repairs(), 1);
    }
}

/// A number that can't grow goes on from 0.
#[test]
fn the_number_of_repairs_may_be_anything() {
    let world = World::default();
    let [one, dying] = [0, 1].map(|slot| world.participant(slot));
    let set = set_of(&[0]);
    set.words_for_test()[0].iter().skip(32).for_each(|word| word.set(u32::MAX));
    let _ = die_after(1, || operate(&set, dying, &[op(0, 1)]));
    dying.dies();
    operate(&set, one, &[op(0, 1)]);
    assert_eq!(set.repairs(), 0);
}
