//! Locks and their like: with names, and within a segment.

use madang::{Barrier, Condition, Create, Deadline, Event, Mutex, RwLock, Segment, SyncOptions};

use super::super::probe::{Probe, soon};
use super::super::room::Room;
use super::{NAME, Scene, Used};

/// Each a file of its own.
pub(crate) const NAMED: Scene =
    Scene { name: "locks, named", make: |_| make(named), open: |probe, _, _| open(probe, named) };
/// Side by side in a segment.
pub(crate) const WITHIN: Scene = Scene {
    name: "locks, in a segment",
    make: |room| make(|create| within(room, create)),
    open: |probe, room, _| open(probe, |create| within(room, create)),
};

/// One of each.
pub(crate) struct All {
    pub(crate) mutex: Mutex,
    pub(crate) rwlock: RwLock,
    pub(crate) condition: Condition,
    pub(crate) barrier: Barrier,
    pub(crate) event: Event,
}

pub(crate) fn named(create: Create) -> madang::Result<All> {
    let options = SyncOptions::default().create(create);
    Ok(All {
        mutex: Mutex::open_with(NAME, options)?,
        rwlock: RwLock::open_with(NAME, options)?,
        condition: Condition::open_with(NAME, options)?,
        barrier: Barrier::open_with(NAME, options)?,
        event: Event::open_with(NAME, options)?,
    })
}

fn within(room: &Room, create: Create) -> madang::Result<All> {
    let segment = Segment::options().length(64 << 10).create(create).open(&room.segment)?;
    Ok(All {
        mutex: Mutex::within(&segment, 0)?,
        condition: Condition::within(&segment, 64)?,
        event: Event::within(&segment, 128)?,
        rwlock: RwLock::within(&segment, 512)?,
        barrier: Barrier::within(&segment, 1024)?,
    })
}

/// Who holds them dies.
fn make(open: impl Fn(Create) -> madang::Result<All>) -> i32 {
    let all = open(Create::Only).expect("new ones");
    std::mem::forget(all.mutex.lock().expect("a lock"));
    std::mem::forget(all.rwlock.read().expect("a lock"));
    let other = open(Create::Never).expect("the same");
    std::mem::forget(other.rwlock.read().expect("a lock"));
    all.barrier.set_parties(3).expect("parties");
    let waits = madang_tests::fork(|| {
        let all = open(Create::Never).expect("the same");
        i32::from(all.barrier.wait().is_ok())
    });
    waits.wait_until_asleep();
    waits.kill();
    all.event.set().expect("an event set");
    std::mem::forget((all, other));
    0
}

fn open(probe: &Probe, open: impl Fn(Create) -> madang::Result<All>) -> Option<Box<dyn Used>> {
    // (Leaves nothing: what a scribbled header refuses is refused alone.)
    let all = probe.step("open", || open(Create::Never))?.ok()?;
    let other = probe.step("open", || open(Create::Never))?.ok();
    Some(Box::new((all, other)))
}

impl Used for (All, Option<All>) {
    fn use_it(&mut self, probe: &Probe, _: u64) {
        let (all, other) = self;
        locks(probe, all);
        if let Some(other) = other {
            // One holds, the other wants.
            let held = probe.step("lock", || other.mutex.lock_until(soon()).ok()).flatten();
            let read = probe.step("read", || other.rwlock.read_until(soon()).ok()).flatten();
            locks(probe, all);
            probe.step("unlock", || drop(held));
            probe.step("unlock", || drop(read));
        }
        probe.step("is_locked", || all.mutex.is_locked().is_ok());
        waits(probe, all);
        probe.step("close", || *other = None);
        locks(probe, all);
        probe.step("set_parties", || all.barrier.set_parties(2));
        waits(probe, all);
    }
}

fn locks(probe: &Probe, all: &All) {
    for deadline in [Deadline::INSTANT, soon()] {
        probe.step("lock", || all.mutex.lock_until(deadline).map(drop));
        probe.step("read", || all.rwlock.read_until(deadline).map(drop));
        probe.step("write", || all.rwlock.write_until(deadline).map(drop));
    }
    let (first, second) = (all.rwlock.read_until(Deadline::INSTANT), all.rwlock.read_until(Deadline::INSTANT));
    probe.step("unlock two", || drop((first, second)));
}

fn waits(probe: &Probe, all: &All) {
    if let Some(Ok(guard)) = probe.step("lock", || all.mutex.lock_until(soon())) {
        probe.step("condition", || all.condition.wait_until(guard, soon()).map(drop));
    }
    probe.step("notify_one", || all.condition.notify_one());
    probe.step("notify_all", || all.condition.notify_all());
    probe.step("barrier", || all.barrier.wait_until(soon()));
    probe.step("barrier, who waits", || (all.barrier.parties(), all.barrier.waiting().ok()));
    probe.step("event", || all.event.wait_until(soon()));
    probe.step("event, cleared", || all.event.clear());
    probe.step("event, waiting", || all.event.wait_until(soon()));
    probe.step("event, set", || (all.event.set(), all.event.is_set()));
}
