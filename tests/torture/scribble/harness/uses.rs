//! The objects that are scribbled on: how each comes to be, and all that can be done with it.
//!
//! Who makes one dies while he holds what he can hold, so that there is an estate, too, to be scribbled on.

pub(crate) mod queue;
pub(crate) mod set;
pub(crate) mod sync;
pub(crate) mod sysv;

use std::os::fd::AsRawFd;

use madang::{Barrier, Condition, Event, Mutex, Queue, RwLock, Segment, SemaphoreSet};

use super::probe::Probe;
use super::room::Room;

/// What the objects are called, in a room of their own.
pub(crate) const NAME: &str = "scribble";

/// An object, or some that belong together.
#[derive(Clone, Copy)]
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    /// Makes it, in a process that then dies. Returns its System V identifier, or 0.
    pub(crate) make: fn(&Room) -> i32,
    /// Opens it, of that identifier, and begins to use it.
    pub(crate) open: fn(&Probe, &Room, i32) -> Option<Box<dyn Used>>,
}

/// An open object.
pub(crate) trait Used {
    /// Does all that can be done with it; what is dear only now and then: `turn` counts.
    fn use_it(&mut self, probe: &Probe, turn: u64);
}

/// All of them.
pub(crate) const SCENES: [Scene; 9] = [
    queue::SCENE,
    queue::DEEP,
    set::SCENE,
    sync::NAMED,
    sync::WITHIN,
    sysv::MESSAGES,
    sysv::SEMAPHORES,
    sysv::MEMORY,
    queue::EMPTY,
];

/// What looks at all objects, whatever they are.
pub(crate) fn look_around(probe: &Probe) {
    probe.step("list", || madang::ListOptions::default().segments(true).list().map(|_| ()));
    probe.step("left_overs", || madang::left_overs().map(|_| ()));
}

/// Takes away whatever bears its name.
pub(crate) fn unlink(room: &Room) {
    let _ = (Queue::unlink(NAME), SemaphoreSet::unlink(NAME), Segment::unlink(&room.segment));
    let _ = (Mutex::unlink(NAME), RwLock::unlink(NAME), Condition::unlink(NAME));
    let _ = (Barrier::unlink(NAME), Event::unlink(NAME));
}

/// Whether a descriptor rings; reading it is not for us.
fn polls(fd: &impl AsRawFd) {
    let mut poll = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one valid pollfd.
    unsafe { libc::poll(&raw mut poll, 1, 0) };
}
