//! Objects as a person names them: opening a queue, and looking at one without counting oneself in.

use std::path::PathBuf;

use madang::{Create, Error, Participant, Queue, QueueStatus};

use crate::failure::Result;

/// Opens a queue that exists.
pub(crate) fn open(name: &str, any_owner: bool) -> madang::Result<Queue> {
    let opened = Queue::options().create(Create::Never).any_owner(any_owner).open(name);
    opened.map_err(|error| if error.errno() == libc::ENOENT { absent(name) } else { error })
}

fn absent(name: &str) -> Error {
    let directory = directory();
    let what = format!("there is no queue {name:?} in {}: madang ls lists those that are", directory.display());
    Error::new(libc::ENOENT, what)
}

/// What is to be known of a queue, as if this command hadn't opened it.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) status: QueueStatus,
    /// In the order in which they joined.
    pub(crate) participants: Vec<Participant>,
}

impl Look {
    pub(crate) fn at(name: &str, any_owner: bool) -> madang::Result<Self> {
        let queue = open(name, any_owner)?;
        let status = queue.stat()?;
        let mut participants = queue.participants()?;
        participants.retain(|participant| !participant.is_me);
        participants.sort_by_key(|participant| participant.joined_ns);
        Ok(Self { status, participants })
    }

    pub(crate) fn living(&self) -> u64 {
        self.participants.iter().filter(|participant| participant.lives).count() as u64
    }

    pub(crate) fn dead(&self) -> u64 {
        self.participants.len() as u64 - self.living()
    }

    /// Whether it holds nothing and nobody has it open.
    pub(crate) fn is_unused(&self) -> bool {
        self.status.messages == 0 && self.living() == 0
    }
}

/// Where queues lie.
pub(crate) fn directory() -> PathBuf {
    std::env::var_os("MADANG_DIR").map_or_else(|| SHM.into(), PathBuf::from)
}

/// Where segments lie, and queues unless `MADANG_DIR` says otherwise.
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
