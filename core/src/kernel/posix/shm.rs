//! Shared memory objects: shm_overview(7).

#![forbid(unsafe_code)]

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::Listed;
use super::file::{self as named, FULL, How};
use crate::Create;
use crate::error::{Error, Result};
use crate::kernel::space;
use crate::mapping::Mapping;
use crate::name::{self, Name};
use crate::sys::{Errno, file, memory};

/// How an object is opened; made by [`Object::options`].
#[derive(Clone, Debug, Default)]
pub struct ObjectOptions {
    create: Create,
    mode: u32,
    size: u64,
    read_only: bool,
}

impl ObjectOptions {
    /// Whether it may be created; by default if it is missing.
    #[must_use]
    pub fn create(mut self, create: Create) -> Self {
        self.create = create;
        self
    }

    /// The permission bits of a new object, exactly (no umask); by default, and for 0, `0o600`.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// The size in bytes: of a new object exactly, whose space is taken at once; of an existing one at least. By default 0: a new one is
    /// empty then.
    #[must_use]
    pub fn size(mut self, bytes: u64) -> Self {
        self.size = bytes;
        self
    }

    /// Opens it only to be read. It must exist.
    #[must_use]
    pub fn read_only(mut self, yes: bool) -> Self {
        self.read_only = yes;
        self
    }

    /// Opens the object `name`, which is 1 to 255 bytes without `/`. Doesn't wait.
    ///
    /// # Errors
    /// `ENOENT`, `EEXIST` as [`create`](Self::create) says; `EACCES`; `EINVAL` for a bad name, to create one that is read-only, or
    /// where an existing object is smaller than asked for; `ENOSPC`; `EFBIG`; `EISDIR`, `ELOOP`, `ENODEV`, `ENXIO` where the name is
    /// something else than a file; `EMFILE`, `ENFILE`, `ENOMEM`.
    pub fn open(&self, name: &str) -> Result<Object> {
        let name = Name::segment(name)?;
        let doing = format!("shm_open {name}");
        let create = match self.create {
            Create::Only if self.read_only => {
                return Err(Error::new(libc::EINVAL, format!("{doing}: a new object can't be read-only")));
            }
            _ if self.read_only => Create::Never,
            create => create,
        };
        let how = How { name: &name, doing: &doing, create, mode: self.mode, write: !self.read_only };
        let opened =
            named::open(&how, |fd| space::resize(fd, 0, self.size).map_err(|errno| no_size(errno, self.size, &doing)))?;
        if opened.stat.size < self.size {
            let (has, asked) = (opened.stat.size, self.size);
            let what = format!("{doing}: it has {has} bytes, {asked} were asked for: let it grow, or ask for less");
            return Err(Error::new(libc::EINVAL, what));
        }
        let (name, is_new) = (name.as_str().to_owned(), opened.is_new);
        Ok(Object { fd: opened.fd, name, is_new, is_writable: !self.read_only })
    }
}

/// It could not be given that size.
#[cold]
pub(in crate::kernel) fn no_size(errno: Errno, size: u64, doing: &str) -> Error {
    errno.during(match errno.0 {
        libc::ENOSPC => format!("{doing}: no space for {size} bytes: {FULL}"),
        _ => format!("{doing}: ftruncate and fallocate to {size} bytes"),
    })
}

/// What [`Object::stat`] tells; a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectStatus {
    /// Its size in bytes.
    pub size: u64,
    /// Bytes of memory that it takes.
    pub allocated: u64,
    /// Whether it has no name any more.
    pub is_unlinked: bool,
    /// Permission bits.
    pub mode: u32,
    /// The owner's user id.
    pub uid: u32,
    /// The owner's group id.
    pub gid: u32,
}

/// A shared memory object: what `shm_open` gives (shm_overview(7)).
///
/// It is the same object as a [`Segment`](crate::Segment) of that name. Take the `Segment` where it will do: it opens, checks the owner and
/// the size, and maps in one step. Take this one for what is more: to let it grow or shrink, to map parts of it, to
/// look at it without mapping it, to hand its descriptor on.
///
/// Whoever owns it, it is opened; [`stat`](Self::stat) tells whose it is. Who may write it may truncate it, which is SIGBUS for all who
/// then touch what was cut off: between strangers use a sealed [`Memfd`](crate::memfd::Memfd).
///
/// It persists until it is [unlinked](Self::unlink), or the machine stops. Mappings stay whatever becomes of the handle. Any thread
/// may use it at any time.
///
/// ```
/// # let name = format!("shm-example-{}", std::process::id());
/// # let name = name.as_str();
/// use madang::posix::shm::Object;
///
/// let object = Object::options().size(4096).mode(0o640).open(name)?;
/// object.map(0, 4096, true)?.write(0, b"hello")?;
/// object.set_size(8192)?; // what is new is zero
/// assert_eq!(object.size()?, 8192);
/// Object::unlink(name)?;
/// # Ok::<(), madang::Error>(())
/// ```
#[doc(alias = "shm_open")]
#[derive(Debug)]
pub struct Object {
    fd: OwnedFd,
    name: String,
    is_new: bool,
    is_writable: bool,
}

impl Object {
    /// All defaults; change what you need, then [`open`](ObjectOptions::open).
    #[must_use]
    pub fn options() -> ObjectOptions {
        ObjectOptions::default()
    }

    /// Takes the name away; who has the object open or mapped goes on with it.
    ///
    /// # Errors
    /// `ENOENT`; `EACCES` or `EPERM` if it is another user's; `EINVAL` or `ENAMETOOLONG` for a bad name.
    #[doc(alias = "shm_unlink")]
    pub fn unlink(name: &str) -> Result<()> {
        let name = Name::segment(name)?;
        named::unlink(&name, &format!("shm_unlink {name}"))
    }

    /// The name by which it was opened; empty if it was made of a descriptor.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether this very open created it.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Whether it may be written.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.is_writable
    }

    /// Its size in bytes, as it is now.
    ///
    /// # Errors
    /// None that is known.
    pub fn size(&self) -> Result<u64> {
        Ok(self.stat()?.size)
    }

    /// Gives it another size. What is added is zero, and its space is taken at once; if there is none, nothing changes. Who
    /// touches what was cut off dies of SIGBUS. Doesn't wait; taking much memory takes a while.
    ///
    /// # Errors
    /// `ENOSPC`; `EFBIG`; `EACCES` if it was opened read-only.
    #[doc(alias = "ftruncate")]
    pub fn set_size(&self, size: u64) -> Result<()> {
        let doing = self.doing("set its size");
        if !self.is_writable {
            return Err(Error::new(libc::EACCES, format!("{doing}: it was opened read-only")));
        }
        space::resize(self.fd.as_fd(), self.size()?, size).map_err(|errno| no_size(errno, size, &doing))
    }

    /// What it is.
    ///
    /// # Errors
    /// None that is known.
    pub fn stat(&self) -> Result<ObjectStatus> {
        let stat = file::stat(self.fd.as_fd()).map_err(|errno| errno.during(self.doing("stat")))?;
        Ok(ObjectStatus {
            size: stat.size,
            allocated: stat.allocated,
            is_unlinked: stat.links == 0,
            mode: stat.permissions(),
            uid: stat.uid,
            gid: stat.gid,
        })
    }

    /// Maps `length` bytes of it at `offset`, which is a multiple of the page size; a length of 0 means up to its end.
    ///
    /// # Errors
    /// `EINVAL` if they don't lie within it, if it is empty, or for the offset; `EACCES` to write what was opened read-only; `ENOMEM`.
    #[doc(alias = "mmap")]
    pub fn map(&self, offset: u64, length: u64, writable: bool) -> Result<Mapping> {
        let doing = self.doing("map");
        if writable && !self.is_writable {
            return Err(Error::new(libc::EACCES, format!("{doing}: it was opened read-only")));
        }
        let length = range(offset, length, self.size()?, &doing)?;
        let mapping = Mapping::of_file(self.fd.as_fd(), offset, length, writable);
        mapping.map_err(|errno| errno.during(format!("{doing}: mmap of {length} bytes at {offset}")))
    }

    fn doing(&self, verb: &str) -> String {
        format!("posix shared memory {:?}: {verb}", self.name)
    }
}

/// The length of what is to be mapped of `size` bytes; 0 means up to the end.
pub(in crate::kernel) fn range(offset: u64, length: u64, size: u64, doing: &str) -> Result<u64> {
    let bad = |what: String| Error::new(libc::EINVAL, format!("{doing}: {what}"));
    if size == 0 {
        return Err(bad("it is empty: set its size first".to_owned()));
    }
    if !offset.is_multiple_of(memory::page_size() as u64) {
        return Err(bad(format!("the offset, {offset}, must be a multiple of the page size, {}", memory::page_size())));
    }
    let length = if length == 0 { size.saturating_sub(offset) } else { length };
    if length == 0 || offset.checked_add(length).is_none_or(|end| end > size) {
        return Err(bad(format!("{length} bytes at {offset} don't lie within its {size}")));
    }
    Ok(length)
}

/// The descriptor: for mmap(2), ftruncate(2), sendmsg(2) and their like.
impl AsFd for Object {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A descriptor that was inherited or received, of any regular file. Whoever else can write it can truncate it: from a stranger take a
/// [`Memfd`](crate::memfd::Memfd) instead.
impl TryFrom<OwnedFd> for Object {
    type Error = Error;

    fn try_from(fd: OwnedFd) -> Result<Self> {
        let doing = "posix shared memory of a descriptor";
        let errno = |errno: Errno| errno.during(doing);
        if !file::stat(fd.as_fd()).map_err(errno)?.is_regular() {
            return Err(Error::new(libc::ENODEV, format!("{doing}: it is not one of a regular file")));
        }
        let (_, is_writable) = file::access(fd.as_fd()).map_err(errno)?;
        Ok(Self { fd, name: String::new(), is_new: false, is_writable })
    }
}

impl From<Object> for OwnedFd {
    fn from(object: Object) -> Self {
        object.fd
    }
}

/// The objects that exist, in the order of their names; a snapshot. Not those of madang's own kinds, which [`list`](crate::list()) tells of, nor
/// [semaphores](super::sem::list).
///
/// # Errors
/// `ENOENT`, `EACCES` if `/dev/shm` can't be read; `EMFILE`, `ENFILE`.
pub fn list() -> Result<Vec<Listed>> {
    let others = [name::PREFIX, "sem."].map(str::as_bytes);
    super::files(name::SHM, |file| (!others.iter().any(|other| file.starts_with(other))).then_some(file))
}
