//! A set of semaphores: arrays of operations, with undo and without, and all that tells and sets.

use madang::{Deadline, Operation, SemaphoreSet};
use madang_tests::fork;

use super::super::probe::{Probe, soon};
use super::super::room::Room;
use super::{NAME, Scene, Used, polls};

/// With what is to be undone, and a place of one who was killed while he waited.
pub(crate) const SCENE: Scene = Scene { name: "set of semaphores", make: |_| make(), open };

fn make() -> i32 {
    let options = SemaphoreSet::options().values(&[3, 0, 5, 1]).max_value(1000).max_participants(8).clone();
    let set = options.open(NAME).expect("a new set");
    set.operate(&[Operation::acquire(0, 1).undo(), Operation::release(1, 2).undo()]).expect("operations");
    set.operate(&[Operation::acquire(1, 2)]).expect("operations");
    let waits = fork(|| {
        let set = options.open(NAME).expect("the set");
        i32::from(set.operate(&[Operation::acquire(1, 1).undo(), Operation::zero(3)]).is_ok())
    });
    waits.wait_until_asleep();
    waits.kill();
    std::mem::forget(set);
    0
}

struct Sets {
    set: SemaphoreSet,
    other: Option<SemaphoreSet>,
}

fn open(probe: &Probe, _: &Room, _: i32) -> Option<Box<dyn Used>> {
    let options = SemaphoreSet::options().create(madang::Create::Never).clone();
    let open = || probe.step("open", || options.open(NAME))?.ok();
    let set = open()?;
    let other = open();
    if let Some(other) = &other {
        probe.step("take with undo", || other.operate_until(&[Operation::acquire(2, 1).undo()], soon()));
    }
    Some(Box::new(Sets { set, other }))
}

impl Used for Sets {
    fn use_it(&mut self, probe: &Probe, turn: u64) {
        let Self { set, other } = self;
        tell(probe, set);
        operate(probe, set);
        if turn.is_multiple_of(8) {
            probe.step("fd", || set.fd().map(|fd| polls(&fd)));
            probe.step("acquire", || set.try_acquire(1));
        }
        if let Some(other) = other.take() {
            probe.step("close", || drop(other));
        }
        probe.step("set_value", || set.set_value(1, 2));
        operate(probe, set);
        probe.step("set_values", || set.set_values(&vec![1; set.len().min(1000) as usize]));
        operate(probe, set);
        tell(probe, set);
    }
}

fn tell(probe: &Probe, set: &SemaphoreSet) {
    probe.step("stat", || set.stat().map(|_| ()));
    probe.step("values", || set.values().map(|_| ()));
    probe.step("value", || set.value(2).map(|_| ()));
    probe.step("last_pid", || set.last_pid(0).map(|_| ()));
    probe.step("waiting", || set.waiting(1).map(|_| ()));
    probe.step("participants", || set.participants().map(|_| ()));
}

fn operate(probe: &Probe, set: &SemaphoreSet) {
    let last = set.len().saturating_sub(1);
    for index in 0..set.len().min(4) {
        let arrays: [&[Operation]; 5] = [
            &[Operation::acquire(index, 1).undo()],
            &[Operation::release(index, 1).undo(), Operation::acquire(last, 1).undo().no_wait()],
            &[Operation::release(index, 2)],
            &[Operation::acquire(index, 1)],
            &[Operation::zero(last), Operation::release(index, 3).undo(), Operation::acquire(index, 3)],
        ];
        for array in arrays {
            probe.step("operate", || set.operate_until(array, Deadline::INSTANT));
        }
    }
    probe.step("operate, waiting", || set.operate_until(&[Operation::acquire(0, 999).undo()], soon()));
    probe.step("zero, waiting", || set.operate_until(&[Operation::zero(last), Operation::acquire(0, 900)], soon()));
}
