//! Objects as a person names them: opening one, and looking at it without counting oneself in.

use std::path::PathBuf;

use madang::{Create, Error, Kind, Participant, Queue, QueueStatus, SemaphoreSet, SemaphoreSetStatus};

use crate::failure::Result;

/// Opens a queue that exists.
pub(crate) fn open(name: &str, any_owner: bool) -> madang::Result<Queue> {
    let opened = Queue::options().create(Create::Never).any_owner(any_owner).open(name);
    opened.map_err(|error| if error.errno() == libc::ENOENT { absent("queue", name) } else { error })
}

/// Opens a set of semaphores that exists.
pub(crate) fn open_set(name: &str, any_owner: bool) -> madang::Result<SemaphoreSet> {
    let opened = SemaphoreSet::options().create(Create::Never).any_owner(any_owner).open(name);
    opened.map_err(|error| if error.errno() == libc::ENOENT { absent("set of semaphores", name) } else { error })
}

pub(crate) fn absent(noun: &str, name: &str) -> Error {
    let directory = directory();
    let what = format!("there is no {noun} {name:?} in {}: madang ls lists those that are", directory.display());
    Error::new(libc::ENOENT, what)
}

/// What is to be known of an object in which one takes part, as if this command hadn't opened it.
#[derive(Debug)]
pub(crate) struct Look<S> {
    pub(crate) status: S,
    /// In the order in which they joined.
    pub(crate) participants: Vec<Participant>,
}

impl Look<QueueStatus> {
    pub(crate) fn at_queue(name: &str, any_owner: bool) -> madang::Result<Self> {
        let queue = open(name, any_owner)?;
        Ok(Self::new(queue.stat()?, queue.participants()?))
    }

    /// Whether it holds nothing and nobody has it open.
    pub(crate) fn is_unused(&self) -> bool {
        self.status.messages == 0 && self.living() == 0
    }
}

impl Look<SemaphoreSetStatus> {
    pub(crate) fn at_set(set: &SemaphoreSet) -> madang::Result<Self> {
        Ok(Self::new(set.stat()?, set.participants()?))
    }
}

impl<S> Look<S> {
    fn new(status: S, mut participants: Vec<Participant>) -> Self {
        participants.retain(|participant| !participant.is_me);
        participants.sort_by_key(|participant| participant.joined_ns);
        Self { status, participants }
    }

    pub(crate) fn living(&self) -> u64 {
        self.participants.iter().filter(|participant| participant.lives).count() as u64
    }

    pub(crate) fn dead(&self) -> u64 {
        self.participants.len() as u64 - self.living()
    }
}

/// What a person calls such an object.
pub(crate) fn noun(kind: Kind) -> &'static str {
    match kind {
        Kind::SemaphoreSet => "set of semaphores",
        Kind::Memory => "System V shared memory segment",
        _ => kind.as_str(),
    }
}

/// The file in which an object lies.
pub(crate) fn path(kind: Kind, name: &str) -> PathBuf {
    match kind {
        Kind::Segment => PathBuf::from(SHM).join(name),
        _ => directory().join(format!("madang.{kind}.{name}")),
    }
}

/// Where all but segments lie.
pub(crate) fn directory() -> PathBuf {
    std::env::var_os("MADANG_DIR").map_or_else(|| SHM.into(), PathBuf::from)
}

/// Where segments lie, and all else unless `MADANG_DIR` says otherwise.
pub(crate) const SHM: &str = "/dev/shm";

/// The clock by which [`Participant::joined_ns`] is told.
pub(crate) fn monotonic_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Does it for each, whatever comes of the others; what fails is said, and the first failure is the command's.
pub(crate) fn each<T>(names: &[T], mut work: impl FnMut(&T) -> Result<()>) -> Result<()> {
    let mut outcome = Ok(());
    for name in names {
        if let Err(failure) = work(name) {
            let said = failure.said();
            outcome = outcome.and(Err(said));
        }
    }
    outcome
}
