//! What there is: every object that has a name, also those that can't be used, with the reason.
//!
//! Nothing is opened for good and nobody is disturbed: of each file is asked what bears the name, and then what opening it would
//! say, short of taking part.

#![forbid(unsafe_code)]

use std::ffi::{CStr, CString};

use super::queue;
use super::segment;
use super::semaphore_set;
use super::sync::Noun;
use super::sync::{barrier::Barrier, condition::Condition, event::Event, mutex::Mutex, rwlock::RwLock};
use super::sysv::shm;
use crate::error::{Error, Result};
use crate::name::{self, Name};
use crate::sys::file::{self, Stat};

/// What kind of object something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A [`Queue`](crate::Queue).
    Queue,
    /// A [`SemaphoreSet`](crate::SemaphoreSet).
    SemaphoreSet,
    /// A [`Mutex`](crate::Mutex).
    Mutex,
    /// A [`RwLock`](crate::RwLock).
    RwLock,
    /// A [`Condition`](crate::Condition).
    Condition,
    /// A [`Barrier`](crate::Barrier).
    Barrier,
    /// An [`Event`](crate::Event).
    Event,
    /// A [`Segment`](crate::Segment).
    Segment,
    /// System V's shared memory, served from shared memory: [`shmget`](crate::shared::sysv::shm::shmget).
    Memory,
    /// One that this version of madang doesn't know.
    Other,
}

impl Kind {
    /// The kind in a word: `queue`, `semaphores`, `mutex`, `rwlock`, `condition`, `barrier`, `event`, `segment`, `memory`, `other`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::SemaphoreSet => "semaphores",
            Self::Mutex => Mutex::NOUN.word,
            Self::RwLock => RwLock::NOUN.word,
            Self::Condition => Condition::NOUN.word,
            Self::Barrier => Barrier::NOUN.word,
            Self::Event => Event::NOUN.word,
            Self::Segment => "segment",
            Self::Memory => shm::KIND,
            Self::Other => "other",
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// Those that are alike in all that is asked here.
const LOCKS: [(Kind, Noun); 5] = [
    (Kind::Mutex, Mutex::NOUN),
    (Kind::RwLock, RwLock::NOUN),
    (Kind::Condition, Condition::NOUN),
    (Kind::Barrier, Barrier::NOUN),
    (Kind::Event, Event::NOUN),
];

/// An object that [`list`] found.
#[derive(Debug)]
#[non_exhaustive]
pub struct Listed {
    /// What kind of object it is.
    pub kind: Kind,
    /// The name by which it is opened. Of [`Kind::Other`] what follows `madang.` in its file's name; what isn't UTF-8 is replaced.
    pub name: String,
    /// Its file's size in bytes: of a segment its length, of all else what it may ever take.
    pub size: u64,
    /// Bytes of memory that it takes.
    pub allocated: u64,
    /// Permission bits.
    pub mode: u32,
    /// The owner's user id.
    pub uid: u32,
    /// The owner's group id.
    pub gid: u32,
    /// What opening it fails with: it is damaged, of another layout version, a stranger's, not permitted.
    pub error: Option<Error>,
}

/// What is to be listed; all defaults by [`list`].
#[derive(Clone, Copy, Debug, Default)]
pub struct ListOptions {
    segments: bool,
    any_owner: bool,
}

/// The objects that exist: queues, sets of semaphores, locks and their like, by kind and name.
///
/// A snapshot: others make and remove meanwhile. What can't be opened is listed too, with the [error](Listed::error) that opening
/// it would give.
///
/// ```
/// # let name = format!("list-example-{}", std::process::id());
/// # let name = name.as_str();
/// use madang::Queue;
///
/// let queue = Queue::open(name)?;
/// let found = madang::list()?.into_iter().find(|object| object.name == name).unwrap();
/// assert_eq!((found.kind, found.mode), (madang::Kind::Queue, 0o600));
/// Queue::unlink(name)?;
/// # Ok::<(), madang::Error>(())
/// ```
///
/// # Errors
/// `ENOENT`, `ENOTDIR`, `EACCES` if the directory can't be read; `EINVAL` if `MADANG_DIR` isn't absolute; `EMFILE`, `ENFILE`.
pub fn list() -> Result<Vec<Listed>> {
    ListOptions::default().list()
}

impl ListOptions {
    /// Lists segments as well: every regular file in `/dev/shm` that isn't madang's, whoever made it, by whatever means.
    #[must_use]
    pub fn segments(mut self, yes: bool) -> Self {
        self.segments = yes;
        self
    }

    /// Takes another user's object for good, as [`any_owner`](crate::QueueOptions::any_owner) does when it is opened.
    #[must_use]
    pub fn any_owner(mut self, yes: bool) -> Self {
        self.any_owner = yes;
        self
    }

    /// Lists them: as [`list`].
    ///
    /// # Errors
    /// As [`list`].
    pub fn list(&self) -> Result<Vec<Listed>> {
        let directory = name::directory()?;
        let mut found = self.files(&directory, true)?;
        if self.segments {
            found.extend(self.files(name::SHM, false)?);
        }
        found.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
        Ok(found)
    }

    /// The objects in a directory: those with madang's prefix, or those without.
    fn files(&self, directory: &CStr, with_prefix: bool) -> Result<Vec<Listed>> {
        let mut found = Vec::new();
        for file in names_in(directory)? {
            let name = file.to_bytes();
            if name.starts_with(name::PREFIX.as_bytes()) == with_prefix && !name::is_temporary(name) {
                found.extend(self.object(directory, &file)?);
            }
        }
        Ok(found)
    }

    /// What a file is; `None` if it is gone by now, or no object at all.
    fn object(&self, directory: &CStr, file: &CStr) -> Result<Option<Listed>> {
        let stat = match file::look(&name::join(directory, file.to_bytes())) {
            Ok(stat) => stat,
            Err(errno) if errno.0 == libc::ENOENT => return Ok(None),
            Err(errno) => return Err(errno.during(format!("list: {file:?} in {directory:?}"))),
        };
        let text = file.to_string_lossy();
        let (kind, name) = match text.strip_prefix(name::PREFIX) {
            None if !stat.is_regular() => return Ok(None),
            None => (Kind::Segment, &*text),
            Some(rest) => match rest.split_once('.') {
                Some((queue::KIND, name)) => (Kind::Queue, name),
                Some((semaphore_set::KIND, name)) => (Kind::SemaphoreSet, name),
                Some((shm::KIND, name)) => (Kind::Memory, name),
                Some((word, name)) => match LOCKS.iter().find(|(_, noun)| noun.word == word) {
                    Some(&(kind, _)) => (kind, name),
                    None => (Kind::Other, rest),
                },
                None => (Kind::Other, rest),
            },
        };
        let error = match file.to_str() {
            Ok(_) => self.check(kind, name).err(),
            Err(_) => Some(Error::new(libc::EINVAL, format!("open {name:?}: its name is not UTF-8"))),
        };
        // Removed between the two looks.
        if error.as_ref().is_some_and(|error| error.errno() == libc::ENOENT) {
            return Ok(None);
        }
        let Stat { size, allocated, uid, gid, .. } = stat;
        Ok(Some(Listed { kind, name: name.to_owned(), size, allocated, mode: stat.permissions(), uid, gid, error }))
    }

    /// What opening it would say.
    fn check(&self, kind: Kind, name: &str) -> Result<()> {
        match kind {
            Kind::Queue => {
                queue::QueueOptions::default().any_owner(self.any_owner).look(&Name::object(queue::KIND, name)?)
            }
            Kind::SemaphoreSet => {
                let options = semaphore_set::SemaphoreSetOptions::default().any_owner(self.any_owner);
                options.look(&Name::object(semaphore_set::KIND, name)?)
            }
            Kind::Segment => segment::SegmentOptions::default().any_owner(self.any_owner).look(&Name::segment(name)?),
            Kind::Mutex | Kind::RwLock | Kind::Condition | Kind::Barrier | Kind::Event => {
                let (_, noun) = LOCKS.iter().find(|(lock, _)| *lock == kind).expect("it has all of them");
                noun.look(name, self.any_owner)
            }
            Kind::Memory => shm::look(&Name::object(shm::KIND, name)?, self.any_owner),
            Kind::Other => {
                let what = format!("open {name:?}: this version of madang doesn't know that kind of object");
                Err(Error::new(libc::ENOTSUP, what))
            }
        }
    }
}

/// The names in the directory where objects lie.
pub(super) fn names_in(directory: &CStr) -> Result<Vec<CString>> {
    file::names_in(directory).map_err(|errno| {
        errno.during(match errno.0 {
            libc::ENOENT => {
                format!("there is no directory {directory:?}: mount a tmpfs there, or set MADANG_DIR to another")
            }
            _ => format!("read the directory {directory:?}"),
        })
    })
}
