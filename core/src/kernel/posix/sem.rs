//! Semaphores of the C library, which lie in shared memory: sem_overview(7).
//!
//! A named one is a file in `/dev/shm` with nothing else in it; an unnamed one lies wherever its maker puts it. Both are mapped memory and
//! an offset here. A named one is made whole before it has its name, and its mode is exact: so it is not `sem_open` that opens it, which
//! could do neither, but the file is the same.

#![forbid(unsafe_code)]

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use super::Listed;
use super::file::{self as named, How};
use crate::Create;
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::kernel::space;
use crate::mapping::Mapping;
use crate::name::{self, Name, SEMAPHORE};
use crate::sys::{Errno, file, sem};

/// The greatest value that a semaphore can have (`SEM_VALUE_MAX`, limits.h).
pub const MAX_VALUE: u32 = sem::MOST;

/// How much memory a semaphore takes, in bytes (`sizeof(sem_t)`).
pub const SIZE: usize = size_of::<sem::Semaphore>();

/// What the offset of a semaphore in memory must be a multiple of.
pub const ALIGNMENT: usize = align_of::<sem::Semaphore>();

/// Longer than anybody waits, but a length that can be added to a time.
const AGES: Duration = Duration::from_secs(1 << 30);

/// How a named semaphore is opened; made by [`Semaphore::options`].
#[derive(Clone, Debug, Default)]
pub struct SemaphoreOptions {
    create: Create,
    mode: u32,
    value: u32,
}

impl SemaphoreOptions {
    /// Whether it may be created; by default if it is missing.
    #[must_use]
    pub fn create(mut self, create: Create) -> Self {
        self.create = create;
        self
    }

    /// The permission bits of a new semaphore, exactly (no umask); by default, and for 0, `0o600`. Who is to use it must be able to read
    /// and to write it.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// The value of a new semaphore, up to [`MAX_VALUE`]; by default 0. An existing one is left as it is.
    #[must_use]
    pub fn value(mut self, value: u32) -> Self {
        self.value = value;
        self
    }

    /// Opens the semaphore `name`, which is 1 to 251 bytes without `/`. Doesn't wait.
    ///
    /// # Errors
    /// `ENOENT`, `EEXIST` as [`create`](Self::create) says; `EACCES`; `EINVAL` for a bad name or value, or where the file is no
    /// semaphore; `ENOSPC`; `EISDIR`, `ELOOP`, `ENODEV`, `ENXIO` where the name is something else than a file; `EMFILE`, `ENFILE`, `ENOMEM`.
    pub fn open(&self, name: &str) -> Result<Semaphore> {
        let name = Name::semaphore(name)?;
        let doing = format!("sem_open {name}");
        check_value(self.value, &doing)?;
        let map = |fd: BorrowedFd| {
            Mapping::of_file(fd, 0, SIZE as u64, true).map_err(|errno| errno.during(format!("{doing}: mmap")))
        };
        let how = How { name: &name, doing: &doing, create: self.create, mode: self.mode, write: true };
        let opened = named::open(&how, |fd| {
            let size = SIZE as u64;
            space::resize(fd, 0, size).map_err(|errno| super::shm::no_size(errno, size, &doing))?;
            map(fd)?.semaphore(0)?.init(self.value).map_err(|errno| errno.during(format!("{doing}: sem_init")))
        })?;
        if opened.stat.size < SIZE as u64 {
            let (path, size) = (name.path(), opened.stat.size);
            let what =
                format!("{doing}: {path:?} has {size} bytes: it is no semaphore of this C library ({SIZE} bytes)");
            return Err(Error::new(libc::EINVAL, what));
        }
        let memory = Arc::new(map(opened.fd.as_fd())?);
        Ok(Semaphore { memory, offset: 0, name: name.as_str().to_owned(), is_new: opened.is_new })
    }
}

fn check_value(value: u32, doing: &str) -> Result<()> {
    if value > MAX_VALUE {
        return Err(Error::new(libc::EINVAL, format!("{doing}: a value of {value}: it is {MAX_VALUE} at most")));
    }
    Ok(())
}

/// A semaphore of the C library's, shared between processes (sem_overview(7)).
///
/// A counter: [`post`](Self::post) adds 1, [`wait`](Self::wait) takes 1 as soon as it is more than 0. Unless somebody waits neither makes a
/// system call. A **named** one is found by its name; an **unnamed** one lies in memory that the processes share, at an offset that
/// they agree on. Programs that call `sem_open`, `sem_post` and their like use the same ones, if they have the same C library
/// (one of glibc's is nothing to musl) and are of the same word size.
///
/// **Who is killed keeps what he took**: nobody notices. Where that matters use a System V semaphore with `undo`, or a lock on a file,
/// which the kernel takes back from the dead.
///
/// A handle may be used by any thread at any time, and by a forked child. Dropping it unmaps it, and does nothing to the semaphore. A
/// named one persists until it is [unlinked](Self::unlink), an unnamed one as long as its memory.
///
/// ```
/// # let name = format!("sem-example-{}", std::process::id());
/// # let name = name.as_str();
/// use madang::Deadline;
/// use madang::posix::sem::Semaphore;
/// use std::time::Duration;
///
/// let turn = Semaphore::options().value(1).open(name)?; // opens it, or creates it with mode 0600
/// turn.wait()?;
/// let error = turn.wait_until(Deadline::after(Duration::from_millis(5))).unwrap_err();
/// assert!(error.to_string().ends_with("(ETIMEDOUT)"));
/// turn.post()?;
/// Semaphore::unlink(name)?;
/// # Ok::<(), madang::Error>(())
/// ```
#[doc(alias = "sem_open", alias = "sem_t")]
pub struct Semaphore {
    memory: Arc<dyn AsRef<Mapping> + Send + Sync>,
    offset: usize,
    name: String,
    is_new: bool,
}

/// What [`Semaphore::stat`] tells; a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SemaphoreStatus {
    /// Its value.
    pub value: u32,
    /// Permission bits.
    pub mode: u32,
    /// The owner's user id.
    pub uid: u32,
    /// The owner's group id.
    pub gid: u32,
}

impl Semaphore {
    /// All defaults; change what you need, then [`open`](SemaphoreOptions::open).
    #[must_use]
    pub fn options() -> SemaphoreOptions {
        SemaphoreOptions::default()
    }

    /// Makes an unnamed one in memory that is shared: [`SIZE`] bytes at `offset`, which is a multiple of [`ALIGNMENT`]. (sem_init(3))
    ///
    /// The memory is an `Arc` of a [`Mapping`], or of a [`Segment`](crate::Segment); it stays mapped as long as the semaphore's handle
    /// lives. Done once, before anybody uses it: to make it anew while others wait for it leaves them waiting.
    ///
    /// # Errors
    /// `EINVAL` if it doesn't lie within, for a bad offset or value; `EACCES` if the memory is read-only.
    #[doc(alias = "sem_init")]
    pub fn init_in<M>(memory: &Arc<M>, offset: usize, value: u32) -> Result<Self>
    where
        M: AsRef<Mapping> + Send + Sync + 'static,
    {
        check_value(value, "sem_init")?;
        let semaphore = Self::at(memory, offset).map_err(|error| error.during("sem_init"))?;
        semaphore.place()?.init(value).map_err(|errno| errno.during("sem_init"))?;
        Ok(Self { is_new: true, ..semaphore })
    }

    /// The unnamed one that was made in that memory, at that offset, by whatever process or language.
    ///
    /// Whether there is one can't be seen: of other bytes it makes one with some value.
    ///
    /// # Errors
    /// `EINVAL` if it doesn't lie within, or for a bad offset; `EACCES` if the memory is read-only.
    pub fn at<M>(memory: &Arc<M>, offset: usize) -> Result<Self>
    where
        M: AsRef<Mapping> + Send + Sync + 'static,
    {
        memory.as_ref().as_ref().semaphore(offset)?;
        Ok(Self { memory: Arc::clone(memory) as _, offset, name: String::new(), is_new: false })
    }

    /// Takes the name away; who has the semaphore open goes on with it. The next open makes a new one.
    ///
    /// # Errors
    /// `ENOENT`; `EACCES` or `EPERM` if it is another user's; `EINVAL` or `ENAMETOOLONG` for a bad name.
    #[doc(alias = "sem_unlink")]
    pub fn unlink(name: &str) -> Result<()> {
        let name = Name::semaphore(name)?;
        named::unlink(&name, &format!("sem_unlink {name}"))
    }

    /// The name by which it was opened; empty if it has none.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether this very call made it.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Where it lies in its memory, in bytes.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Adds 1, and wakes one who waits, if somebody does. Doesn't wait.
    ///
    /// # Errors
    /// `EOVERFLOW` if its value is [`MAX_VALUE`].
    #[doc(alias = "sem_post")]
    pub fn post(&self) -> Result<()> {
        self.place()?.post().map_err(|errno| {
            let doing = self.doing("post");
            errno.during(match errno.0 {
                libc::EOVERFLOW => format!("{doing}: its value is {MAX_VALUE}, the greatest"),
                _ => doing,
            })
        })
    }

    /// Takes 1, if it needn't wait.
    ///
    /// # Errors
    /// `EAGAIN` if its value is 0.
    #[doc(alias = "sem_trywait")]
    pub fn try_wait(&self) -> Result<()> {
        self.place()?.try_wait().map_err(|errno| {
            let doing = self.doing("wait");
            errno.during(match errno.0 {
                libc::EAGAIN => format!("{doing}: its value is 0, and it was only to try"),
                _ => doing,
            })
        })
    }

    /// Takes 1; waits for ever until it can.
    ///
    /// # Errors
    /// `EINTR` if a signal handler ran while it waited, and nothing was taken.
    #[doc(alias = "sem_wait")]
    pub fn wait(&self) -> Result<()> {
        self.wait_until(Deadline::NEVER)
    }

    /// Takes 1; waits until then for it. By the monotonic clock, where the C library can (glibc from 2.30 on). Others (musl) know only the
    /// one that is set: then it is looked at each second whether the two agree.
    ///
    /// # Errors
    /// `ETIMEDOUT`; `EINTR` if a signal handler ran while it waited, and nothing was taken.
    #[doc(alias = "sem_timedwait", alias = "sem_clockwait")]
    pub fn wait_until(&self, deadline: Deadline) -> Result<()> {
        if deadline.is_try() {
            return self.try_wait();
        }
        loop {
            let until = deadline.min(Deadline::after(AGES));
            match self.place()?.wait_until(until.as_ns()) {
                Ok(()) => return Ok(()),
                Err(Errno(libc::ETIMEDOUT)) if !deadline.has_passed() => {}
                Err(errno) => return Err(self.waited_in_vain(errno)),
            }
        }
    }

    #[cold]
    fn waited_in_vain(&self, errno: Errno) -> Error {
        let doing = self.doing("wait");
        errno.during(match errno.0 {
            libc::ETIMEDOUT => format!("{doing}: the time is over"),
            libc::EINTR => format!("{doing}: a signal handler ran while waiting; nothing was taken"),
            _ => doing,
        })
    }

    /// Its value, which may be another one by now.
    ///
    /// # Errors
    /// None that is known.
    #[doc(alias = "sem_getvalue")]
    pub fn value(&self) -> Result<u32> {
        self.place()?.value().map_err(|errno| errno.during(self.doing("value")))
    }

    /// What a named semaphore is; found by its name.
    ///
    /// # Errors
    /// `ENOENT` if it has no name, or that was unlinked.
    pub fn stat(name: &str) -> Result<SemaphoreStatus> {
        let semaphore = Self::options().create(Create::Never).open(name)?;
        let found = file::look(Name::semaphore(name)?.path());
        let file = found.map_err(|errno| errno.during(format!("stat of the semaphore {name:?}")))?;
        Ok(SemaphoreStatus { value: semaphore.value()?, mode: file.permissions(), uid: file.uid, gid: file.gid })
    }

    /// Where it lies; that it lies within was checked when it was made.
    fn place(&self) -> Result<&sem::Semaphore> {
        (*self.memory).as_ref().semaphore(self.offset)
    }

    fn doing(&self, verb: &str) -> String {
        if self.name.is_empty() {
            format!("posix semaphore at {}: {verb}", self.offset)
        } else {
            format!("posix semaphore {:?}: {verb}", self.name)
        }
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Semaphore").field("name", &self.name).field("offset", &self.offset).finish_non_exhaustive()
    }
}

/// The named semaphores that exist, in the order of their names; a snapshot. (Of musl's nothing tells them from shared memory: it lists none.)
///
/// # Errors
/// `ENOENT`, `EACCES` if `/dev/shm` can't be read; `EMFILE`, `ENFILE`.
pub fn list() -> Result<Vec<Listed>> {
    let prefix = SEMAPHORE.as_bytes();
    super::files(name::SHM, |file| file.strip_prefix(prefix).filter(|name| name.len() < file.len()))
}
