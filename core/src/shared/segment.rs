//! A segment: plain named bytes, the same object as `shm_open` makes.
//!
//! No header, no roster: what lies in it is the program's own affair. Space is taken when it is made, so that
//! touching it can't fail for want of it.

#![forbid(unsafe_code)]

use std::os::fd::AsFd;
use std::ptr::NonNull;
use std::sync::{Arc, OnceLock};

use super::Create;
use super::attached::Attached;
use super::object::{self, Object};
use crate::error::{Error, Result};
use crate::mapping::Mapping;
use crate::name::Name;
use crate::sys::file::{self, Identity};
use crate::sys::process;

/// How a segment is opened; made by [`Segment::options`].
#[derive(Clone, Debug, Default)]
pub struct SegmentOptions {
    object: object::Options,
    length: u64,
}

impl SegmentOptions {
    /// The length in bytes: of a new segment exactly, of an existing one at least (`EINVAL` if it is smaller).
    /// 0, the default, takes an existing one as it is, and creates none.
    #[must_use]
    pub fn length(mut self, bytes: u64) -> Self {
        self.length = bytes;
        self
    }

    /// Whether it may be created; by default if it is missing.
    #[must_use]
    pub fn create(mut self, create: Create) -> Self {
        self.object.create = create;
        self
    }

    /// The permission bits of a new segment, exactly (no umask); by default, and for 0, `0o600`.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.object.mode = mode;
        self
    }

    /// Opens it only to be read: the mapping can't be written. It must exist.
    #[must_use]
    pub fn read_only(mut self, yes: bool) -> Self {
        self.object.write = !yes;
        self
    }

    /// Opens it although it belongs to another user, who could change or truncate it at any time.
    #[must_use]
    pub fn any_owner(mut self, yes: bool) -> Self {
        self.object.any_owner = yes;
        self
    }

    /// What opening an existing segment would say.
    pub(crate) fn look(&self, name: &Name) -> Result<()> {
        let Object { stat, .. } = object::find(name, self.object)?;
        if stat.size == 0 { Err(empty(name)) } else { Ok(()) }
    }

    fn needs_only_a_length(&self) -> bool {
        self.length == 0 && self.object.write && self.object.create == Create::IfMissing
    }

    /// Opens the segment `name`, which is 1 to 255 bytes without `/`. Doesn't block.
    ///
    /// # Errors
    /// `ENOENT`, `EEXIST` as [`create`](Self::create) says; `EINVAL` for a bad name, or where an existing segment is
    /// smaller than asked for; `ENOSPC`; `EACCES`; `EPERM` for another user's; `EISDIR`, `ELOOP`, `ENODEV` where the
    /// name is something else than a file.
    pub fn open(&self, name: &str) -> Result<Segment> {
        let name = Name::segment(name)?;
        let mut options = self.object;
        // Without a length, or read-only, nothing can be made.
        if (!options.write || self.length == 0) && options.create == Create::IfMissing {
            options.create = Create::Never;
        }
        if options.create == Create::Only && !options.write {
            return Err(Error::new(libc::EINVAL, format!("create {name}: a new segment can't be read-only")));
        }
        let size = || match self.length {
            0 => Err(Error::new(libc::EINVAL, format!("create {name}: give the segment a length"))),
            length => Ok(length),
        };
        let Object { fd, stat, is_new } = object::open(&name, options, size, |fd| object::allocate(fd, 0, self.length))
            .map_err(|error| match error.errno() {
                libc::ENOENT if self.needs_only_a_length() => error.during("to create it, give it a length"),
                _ => error,
            })?;
        if stat.size == 0 {
            return Err(empty(&name));
        }
        if stat.size < self.length {
            let (has, asked) = (stat.size, self.length);
            let what = format!("open {name}: it has {has} bytes, {asked} were asked for: unlink it, or ask for less");
            return Err(Error::new(libc::EINVAL, what));
        }
        let mapping = Mapping::of_file(fd.as_fd(), 0, stat.size, options.write)
            .map_err(|errno| errno.during(format!("open {name}: mmap of {} bytes", stat.size)))?;
        let (mapping, identity) = (Arc::new(mapping), stat.identity);
        Ok(Segment { name, mapping, is_new, identity, participant: OnceLock::new() })
    }
}

fn empty(name: &Name) -> Error {
    Error::new(libc::EINVAL, format!("open {name}: it is empty: whoever makes it has not given it a length yet"))
}

/// Plain named bytes in shared memory, the same object as `shm_open("/name")` (shm_overview(7)).
///
/// What several processes write there at once they must order among themselves: with a queue, a semaphore, or
/// atomics on [`data`](Self::data). Dropping it unmaps it; the segment lives on until [`unlink`](Self::unlink).
///
/// ```
/// # let name = format!("segment-example-{}", std::process::id());
/// # let name = name.as_str();
/// use madang::Segment;
///
/// let segment = Segment::options().length(4096).open(name)?;
/// segment.write(0, b"hello")?;
/// let same = Segment::options().read_only(true).open(name)?;
/// let mut bytes = [0; 5];
/// same.read(0, &mut bytes)?;
/// assert_eq!(&bytes, b"hello");
/// Segment::unlink(name)?;
/// # Ok::<(), madang::Error>(())
/// ```
#[doc(alias = "shm_open")]
#[derive(Debug)]
pub struct Segment {
    name: Name,
    mapping: Arc<Mapping>,
    is_new: bool,
    identity: Identity,
    /// For what lies in it and must know who lives: locks.
    participant: OnceLock<Arc<Attached>>,
}

impl Segment {
    /// All defaults; change what you need, then [`open`](SegmentOptions::open).
    #[must_use]
    pub fn options() -> SegmentOptions {
        SegmentOptions::default()
    }

    /// Takes the name away; who has it open goes on with it. The next open makes a new one.
    ///
    /// # Errors
    /// `ENOENT`; `EACCES` or `EPERM` if it is another user's; `EINVAL` for a bad name.
    #[doc(alias = "shm_unlink")]
    pub fn unlink(name: &str) -> Result<()> {
        object::unlink(&Name::segment(name)?)
    }

    /// The name by which it was opened.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Where its first byte lies. Valid while this `Segment` lives, for [`len`](Self::len) bytes; page-aligned.
    /// Other processes may write there at any time.
    #[must_use]
    pub fn data(&self) -> NonNull<u8> {
        self.mapping.data()
    }

    /// The length in bytes, as it was at open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.mapping.len()
    }

    /// Never true: an empty file can't be opened as a segment.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it may be written.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.mapping.is_writable()
    }

    /// Whether this very open created it.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Copies `from` to `offset`.
    ///
    /// # Errors
    /// `EINVAL` if it would not lie within; `EACCES` if it was opened read-only. Then nothing is written.
    pub fn write(&self, offset: usize, from: &[u8]) -> Result<()> {
        self.mapping.write(offset, from).map_err(|error| self.during(error))
    }

    /// Fills `to` with what lies at `offset`.
    ///
    /// # Errors
    /// `EINVAL` if it would not lie within.
    pub fn read(&self, offset: usize, to: &mut [u8]) -> Result<()> {
        self.mapping.read(offset, to).map_err(|error| self.during(error))
    }

    #[cold]
    fn during(&self, error: Error) -> Error {
        error.during(format_args!("segment {}", self.name))
    }

    /// Who this process is in the segment, for locks that lie in it; and its memory.
    pub(super) fn participant(&self) -> Result<(Arc<Attached>, Arc<Mapping>)> {
        if let Some(attached) = self.participant.get() {
            return Ok((attached.clone(), self.mapping.clone()));
        }
        let name = &self.name;
        if !self.is_writable() {
            let what = format!("segment {name}: it was opened read-only: a lock in it is written");
            return Err(Error::new(libc::EINVAL, what));
        }
        let fd = file::open(name.path(), true).map_err(|errno| {
            errno.during(format!("segment {name}: to put a lock there, its file is opened once more"))
        })?;
        let stat = file::stat(fd.as_fd()).map_err(|errno| errno.during(format!("segment {name}: statx")))?;
        if stat.identity != self.identity {
            let what = format!("segment {name}: it was unlinked, and the name is another's: lay its locks before");
            return Err(Error::new(libc::ENOENT, what));
        }
        let attached = Attached::new(name.clone(), fd, &stat, self.mapping.clone(), 0)?;
        // A child forked in between would wait for a thread that it doesn't have.
        let attached = process::without_fork(|| self.participant.get_or_init(|| Arc::new(attached)).clone());
        Ok((attached, self.mapping.clone()))
    }
}

/// For what lies in shared memory, such as a [semaphore](crate::posix::sem::Semaphore::init_in).
impl AsRef<Mapping> for Segment {
    fn as_ref(&self) -> &Mapping {
        &self.mapping
    }
}
