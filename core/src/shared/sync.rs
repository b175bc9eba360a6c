//! Locks and their like: an object of their own, by name, or a place in a [`Segment`], by offset.
//!
//! What they are made of is in [`raw::sync`](super::raw::sync). Here is what is between: where they lie, who the caller is there, waiting,
//! errors in words.

#![forbid(unsafe_code)]

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use super::Create;
use super::attached::{Attached, Present};
use super::mapping::Home;
use super::object::{self, Object};
use super::patience::Patience;
use super::raw::Fault;
use super::raw::event::{Announced, Event};
use super::raw::header::{ALIGNMENT, CONTROL, Kind, ROSTER, Shape};
use super::raw::host::EVERYBODY;
use super::raw::sync::{ALIGNMENT as LINE, Placed};
use super::segment::Segment;
use super::shape;
use super::wait::Wait;
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::mapping::Mapping;
use crate::name::Name;

pub(crate) mod barrier;
pub(crate) mod condition;
pub(crate) mod event;
pub(crate) mod mutex;
pub(crate) mod rwlock;
pub(crate) mod unguarded;

/// How a named [`Mutex`](crate::Mutex), [`RwLock`](crate::RwLock), [`Condition`](crate::Condition), [`Barrier`](crate::Barrier) or
/// [`Event`](crate::Event) is opened.
#[derive(Clone, Copy, Debug, Default)]
pub struct SyncOptions(object::Options);

impl SyncOptions {
    /// Whether it may be created; by default if it is missing.
    #[must_use]
    pub fn create(mut self, create: Create) -> Self {
        self.0.create = create;
        self
    }

    /// The permission bits of a new one, exactly (no umask); by default, and for 0, `0o600`. Whoever uses it needs read and write
    /// permission.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.0.mode = mode;
        self
    }

    /// Opens it although it belongs to another user, who can do with it what he likes.
    #[must_use]
    pub fn any_owner(mut self, yes: bool) -> Self {
        self.0.any_owner = yes;
        self
    }
}

/// What the kinds differ in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noun {
    pub(crate) kind: Kind,
    /// What it is called in its file's name.
    pub(crate) word: &'static str,
    /// With an article.
    pub(crate) noun: &'static str,
}

impl Noun {
    fn shape(self) -> Shape {
        Shape { kind: self.kind, slots: 1, size: ALIGNMENT, parameters: [0; 8] }
    }

    /// What opening an existing one would say, short of taking part.
    pub(crate) fn look(self, name: &str, any_owner: bool) -> Result<()> {
        let name = Name::object(self.word, name)?;
        let Object { fd, stat, .. } = object::find(&name, object::Options { any_owner, ..object::Options::default() })?;
        self.check(&name, fd.as_fd(), stat.size)
    }

    fn check(self, name: &Name, fd: BorrowedFd, size: u64) -> Result<()> {
        let is_ours = shape::read(name, fd, size, self.kind, self.noun)? == self.shape();
        if is_ours { Ok(()) } else { Err(shape::damaged(name, "its sizes contradict each other")) }
    }
}

/// Something that lies in shared memory, and who the caller is there.
#[derive(Debug)]
pub(crate) struct Place<T: Placed> {
    attached: Arc<Attached>,
    home: Home<T>,
    patience: Patience,
    is_new: bool,
}

impl<T: Placed> Place<T> {
    /// An object of its own.
    fn open(noun: Noun, name: &str, options: SyncOptions) -> Result<Self> {
        let name = Name::object(noun.word, name)?;
        let fill = |fd: BorrowedFd| {
            object::allocate(fd, 0, ROSTER)?;
            let mapping = Mapping::of_file(fd, 0, ALIGNMENT, true).map_err(|errno| errno.during("mmap"))?;
            mapping.header().expect("it has a header").write(&noun.shape());
            Ok(())
        };
        let Object { fd, stat, is_new } = object::open(&name, options.0, || Ok(ALIGNMENT), fill)?;
        if !is_new {
            noun.check(&name, fd.as_fd(), stat.size)?;
        }
        let mapping = Mapping::of_file(fd.as_fd(), 0, ALIGNMENT, true)
            .map_err(|errno| errno.during(format!("open {name}: mmap")))?;
        let mapping = Arc::new(mapping);
        let home = Home::new(mapping.clone(), CONTROL as usize).expect("it has room");
        let attached = Arc::new(Attached::new(name, fd, &stat, mapping, 0)?);
        Self::joined(attached, home, is_new)
    }

    /// A place in a segment.
    fn within(segment: &Segment, offset: usize) -> Result<Self> {
        let (attached, mapping) = segment.participant()?;
        let home = Home::new(mapping, offset).ok_or_else(|| {
            let (name, has, size) = (segment.name(), segment.len(), size_of::<T>());
            let what = format!(
                "segment {name:?}: {size} bytes at {offset}: they must lie within its {has}, at a multiple of {LINE}"
            );
            Error::new(libc::EINVAL, what)
        })?;
        Self::joined(attached, home, false)
    }

    fn joined(attached: Arc<Attached>, home: Home<T>, is_new: bool) -> Result<Self> {
        let place = Self { attached, home, patience: Patience::default(), is_new };
        place.enter()?;
        Ok(place)
    }

    fn unlink(noun: Noun, name: &str) -> Result<()> {
        object::unlink(&Name::object(noun.word, name)?)
    }

    fn name(&self) -> &str {
        self.attached.name().as_str()
    }

    #[inline]
    fn enter(&self) -> Result<Present<'_>> {
        self.attached.enter(&|_, _| Ok(()))
    }

    /// The participant that made a guard, if the caller still is: a forked child isn't.
    #[inline]
    fn as_before(&self, me: u32) -> Option<Present<'_>> {
        use super::raw::host::Host;
        self.attached.present().filter(|present| present.me().word() == me)
    }

    #[cold]
    fn explain(&self, fault: Fault, doing: &str, deadline: Deadline) -> Error {
        match fault {
            Fault::Busy if deadline.is_try() => self.in_vain(doing, libc::EAGAIN),
            Fault::Busy => self.in_vain(doing, libc::ETIMEDOUT),
            // Only this one is lost: whoever has other locks by the same handle keeps them, and gives them back.
            Fault::Disowned => {
                let name = self.attached.name();
                let what = format!("{doing} {name}: it isn't this handle's any more: somebody else wrote over it");
                Error::new(libc::EOWNERDEAD, what)
            }
            fault => self.attached.explain(fault, doing),
        }
    }

    #[cold]
    fn in_vain(&self, doing: &str, errno: i32) -> Error {
        let what = if errno == libc::EAGAIN { "it would have to wait" } else { "the time is over" };
        Error::new(errno, format!("{doing} {}: {what}", self.attached.name()))
    }

    /// Tries until it is done; `attempt` gives `None` as long as it has to wait for `event`.
    fn until_done<U>(
        &self,
        deadline: Deadline,
        doing: &str,
        event: &Event,
        announce: impl Fn() -> Announced,
        may: impl Fn() -> bool,
        mut attempt: impl FnMut() -> Result<Option<U>>,
    ) -> Result<U> {
        if let Some(done) = attempt()? {
            return Ok(done);
        }
        if deadline.is_try() {
            return Err(self.in_vain(doing, libc::EAGAIN));
        }
        let present = self.enter()?;
        let wait = Wait {
            present: &present,
            deadline,
            doing: &|| format!("{doing} {}", self.attached.name()),
            in_vain: "the time is over",
            event,
            patience: &self.patience,
            gather: 0,
            enough: &|| true,
            may: &may,
            announce: &|_| announce(),
            bits: EVERYBODY,
            before_sleep: &|| {},
            woken_for_nothing: &|| {},
        };
        wait.until_done(attempt)
    }
}

/// What all of them have: opening, by name and in a segment.
macro_rules! sync {
    ($name:ident, $raw:ty, $kind:ident, $word:literal, $noun:literal) => {
        impl $name {
            pub(crate) const NOUN: Noun = Noun { kind: Kind::$kind, word: $word, noun: $noun };

            /// How many bytes it takes in a segment.
            pub const SIZE: usize = size_of::<$raw>();

            /// Opens the one called `name`, or creates it with mode 0600. Doesn't block.
            ///
            /// # Errors
            /// As [`open_with`](Self::open_with).
            pub fn open(name: &str) -> Result<Self> {
                Self::open_with(name, SyncOptions::default())
            }

            /// Opens the one called `name`, 1 to 238 bytes without `/`, or creates it, as `options` say. Doesn't block.
            ///
            /// # Errors
            /// `ENOENT`, `EEXIST` as [`create`](SyncOptions::create) says; `EINVAL` for a bad name; `ENAMETOOLONG`; `ENOSPC`; `EACCES`;
            /// `EPERM` for another user's; `EISDIR`, `ELOOP`, `ENODEV` where the name is something else than a file; `EPROTOTYPE` where it
            /// is another kind of object; `EPROTO` another layout; `EUCLEAN` damaged.
            pub fn open_with(name: &str, options: SyncOptions) -> Result<Self> {
                Ok(Self::placed(Place::open(Self::NOUN, name, options)?))
            }

            /// The one that lies in `segment` at `offset`, a multiple of 64: [`SIZE`](Self::SIZE) bytes there are its own. All 0, as in a new
            /// segment, is its initial state. It keeps the segment mapped. Doesn't block.
            ///
            /// # Errors
            /// `EINVAL` if it wouldn't lie within, or the segment was opened read-only; `ENOENT` if the segment was unlinked before the
            /// first of such was made with this handle; `EMFILE`, `ENFILE`, `ENOMEM`.
            pub fn within(segment: &Segment, offset: usize) -> Result<Self> {
                Ok(Self::placed(Place::within(segment, offset)?))
            }

            /// Takes the name away; who has it open goes on with it. The next open makes a new one.
            ///
            /// # Errors
            /// `ENOENT`; `EACCES` or `EPERM` if it is another user's; `EINVAL`, `ENAMETOOLONG` for a bad name.
            pub fn unlink(name: &str) -> Result<()> {
                Place::<$raw>::unlink(Self::NOUN, name)
            }

            /// The name by which it was opened, or that of the segment that it lies in.
            #[must_use]
            pub fn name(&self) -> &str {
                self.place.name()
            }

            /// Whether this very open created it. (Of one in a segment nobody can say.)
            #[must_use]
            pub fn is_new(&self) -> bool {
                self.place.is_new
            }
        }
    };
}
use sync;
