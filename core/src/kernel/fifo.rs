//! FIFOs: pipes with a name in the file system, for processes that have no common ancestor (fifo(7)).
//!
//! **Making one.** mknod(2) lets the umask change the mode. So it is made under a private name, given its mode, and then renamed: the
//! name never shows another mode than the one that was asked for. Who is killed in between leaves a file `.madang.new.…` there.
//!
//! **Opening one.** open(2) hangs until somebody opens the other end, and no time-out ends that. With `O_NONBLOCK` a reader's open
//! succeeds at once, and a writer's fails with `ENXIO` as long as there is no reader. So a writer tries again and again, at
//! first every 50 µs, at last every 5 ms; and a reader waits later: see [`Reader::wait_for_writer_until`].
//!
//! **A channel** is two FIFOs, `NAME.a` and `NAME.b`. Each side reads its own, and holds a lock (flock(2)) on the description by
//! which it does. Who finds `NAME.a` unlocked has that side; who doesn't tries `NAME.b`. A lock goes with its holder, so the place
//! of one who died is free. A third, who is turned away, had each end open for a moment: but only where its owner had, too.

#![forbid(unsafe_code)]

use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use super::path::{self, c_path};
use super::pipe::{Reader, Writer};
use super::wait::polling;
use crate::Create;
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::sys::{Errno, file, process};

/// How often a name may vanish or appear between two looks before that is an error.
const RACES: u32 = 100;

/// The permission bits of a new FIFO, unless others are asked for.
const MODE: u32 = 0o600;

/// Makes a FIFO with exactly these permission bits: no umask. Doesn't block. The directory must let this user write.
///
/// # Errors
/// `EEXIST` if the name is taken; `ENOENT`, `EACCES`, `ENOTDIR`, `ENAMETOOLONG`, `EROFS`, `ENOSPC`: the directory; `EINVAL` if `mode` has
/// more than permission bits, or the path a NUL.
#[doc(alias = "mkfifo")]
pub fn make(path: impl AsRef<Path>, mode: u32) -> Result<()> {
    let path = path.as_ref();
    make_at(path, &c_path(path)?, mode)
}

/// Takes the name away, if it is a FIFO's; who has it open goes on with it. Doesn't block.
///
/// # Errors
/// `ENOENT`; `ENODEV` if it is no FIFO (a symbolic link: `ELOOP`), which stays; `EACCES`, `EPERM`: the directory.
#[doc(alias = "unlink")]
pub fn remove(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    let c_path = c_path(path)?;
    let doing = |errno: Errno| errno.during(format!("remove {path:?}"));
    check_kind("remove", path, &file::look(&c_path).map_err(doing)?)?;
    file::unlink(&c_path).map_err(doing)
}

/// Takes the two names of a channel away; of those that there are.
///
/// # Errors
/// `ENOENT` if there is neither; otherwise as [`remove`].
pub fn remove_channel(path: impl AsRef<Path>) -> Result<()> {
    let (a, b) = sides(path.as_ref());
    match (remove(a), remove(b)) {
        (Ok(()), Err(error)) | (Err(error), Ok(())) if error.errno() == libc::ENOENT => Ok(()),
        (a, b) => a.and(b),
    }
}

/// All defaults; change what you need, then open an end.
#[must_use]
pub fn options() -> Options {
    Options::default()
}

/// How a FIFO is opened; made by [`options`].
///
/// ```
/// use madang::{Deadline, fifo};
/// use std::time::Duration;
/// # let path = std::env::temp_dir().join(format!("fifo-example-{}", std::process::id()));
///
/// let reader = fifo::options().try_reader(&path)?; // opens it, or makes it with mode 0600
/// // Another process, mostly:
/// let writer = fifo::options().writer_until(&path, Deadline::after(Duration::from_secs(5)))?;
/// writer.write_all(b"hello")?;
/// let mut bytes = [0; 5];
/// reader.read_exact(&mut bytes)?;
/// assert_eq!(&bytes, b"hello");
/// fifo::remove(&path)?; // it persists until it is removed
/// # Ok::<(), madang::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Options {
    create: Create,
    mode: u32,
    any_owner: bool,
    leave_sigpipe: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { create: Create::IfMissing, mode: MODE, any_owner: false, leave_sigpipe: false }
    }
}

impl Options {
    /// Whether it may be made; by default if it is missing.
    #[must_use]
    pub fn create(mut self, create: Create) -> Self {
        self.create = create;
        self
    }

    /// The permission bits of a new one, exactly (no umask); by default, and for 0, `0o600`.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = if mode == 0 { MODE } else { mode };
        self
    }

    /// Opens it although it belongs to another user than this process's or root, who may have planted it.
    #[must_use]
    pub fn any_owner(mut self, yes: bool) -> Self {
        self.any_owner = yes;
        self
    }

    /// As [`pipe::Options::leave_sigpipe`](super::pipe::Options::leave_sigpipe).
    #[must_use]
    pub fn leave_sigpipe(mut self, yes: bool) -> Self {
        self.leave_sigpipe = yes;
        self
    }

    /// Opens the end that is read, whether or not there is a writer yet: the first read waits for it. Doesn't block.
    ///
    /// # Errors
    /// `ENOENT`, `EEXIST` as [`create`](Self::create) says; what [`make`] fails with; `ENODEV` if the name is not a FIFO's, `ELOOP` if
    /// it is a symbolic link's; `EPERM` if it is another user's; `EACCES`; `EBUSY` if others keep making and removing it.
    pub fn try_reader(&self, path: impl AsRef<Path>) -> Result<Reader> {
        Ok(Reader::opened(self.open_end(path.as_ref(), libc::O_RDONLY, Deadline::NOW)?))
    }

    /// Opens the end that is read, and waits until there is a writer, as open(2) does.
    ///
    /// # Errors
    /// As [`reader_until`](Self::reader_until).
    pub fn reader(&self, path: impl AsRef<Path>) -> Result<Reader> {
        self.reader_until(path, Deadline::NEVER)
    }

    /// As [`reader`](Self::reader), and waits until then at most.
    ///
    /// # Errors
    /// As [`try_reader`](Self::try_reader), and [`Reader::wait_for_writer_until`]. The FIFO that it made stays.
    pub fn reader_until(&self, path: impl AsRef<Path>, deadline: Deadline) -> Result<Reader> {
        let path = path.as_ref();
        let reader = self.try_reader(path)?;
        reader.wait_for_writer_until(deadline).map_err(|error| error.during(format_args!("open {path:?} to read")))?;
        Ok(reader)
    }

    /// Opens the end that is written, if there is a reader.
    ///
    /// # Errors
    /// `EAGAIN` if there is none (what open(2) calls `ENXIO`); otherwise as [`try_reader`](Self::try_reader).
    pub fn try_writer(&self, path: impl AsRef<Path>) -> Result<Writer> {
        self.writer_until(path, Deadline::NOW)
    }

    /// Opens the end that is written, and waits until there is a reader.
    ///
    /// # Errors
    /// As [`writer_until`](Self::writer_until).
    pub fn writer(&self, path: impl AsRef<Path>) -> Result<Writer> {
        self.writer_until(path, Deadline::NEVER)
    }

    /// As [`writer`](Self::writer), and waits until then at most: it tries again and again, at first every 50 µs, at last every 5 ms.
    ///
    /// # Errors
    /// `ETIMEDOUT`, `EAGAIN`, `EINTR`; otherwise as [`try_reader`](Self::try_reader). The FIFO that it made stays.
    pub fn writer_until(&self, path: impl AsRef<Path>, deadline: Deadline) -> Result<Writer> {
        let fd = self.open_end(path.as_ref(), libc::O_WRONLY, deadline)?;
        Ok(Writer::opened(fd, self.leave_sigpipe))
    }

    /// Opens both ends, which needs nobody else: for a server that doesn't want to see the file end whenever a client leaves. As long as
    /// the writer is kept, reading never finds the end, and others' writing never fails. Doesn't block.
    ///
    /// # Errors
    /// As [`try_reader`](Self::try_reader).
    #[doc(alias = "O_RDWR")]
    pub fn both(&self, path: impl AsRef<Path>) -> Result<(Reader, Writer)> {
        let path = path.as_ref();
        let mut options = *self;
        for _ in 0..RACES {
            let reader = options.open_end(path, libc::O_RDONLY, Deadline::NOW)?;
            // It is there now, and has a reader.
            options.create = Create::Never;
            let writer = options.open_end(path, libc::O_WRONLY, Deadline::NOW)?;
            if file::stat(reader.as_fd()).ok().map(|it| it.identity)
                == file::stat(writer.as_fd()).ok().map(|it| it.identity)
            {
                return Ok((Reader::opened(reader), Writer::opened(writer, self.leave_sigpipe)));
            }
            options.create = self.create;
        }
        Err(busy(path))
    }

    /// Opens a side of the two-way channel `path`, and waits for the other: both call the same.
    ///
    /// # Errors
    /// As [`channel_until`](Self::channel_until).
    pub fn channel(&self, path: impl AsRef<Path>) -> Result<Channel> {
        self.channel_until(path, Deadline::NEVER)
    }

    /// As [`channel`](Self::channel), and waits until then at most.
    ///
    /// # Errors
    /// As [`side`](Self::side) and [`Side::meet_until`]. The FIFOs that it made stay.
    pub fn channel_until(&self, path: impl AsRef<Path>, deadline: Deadline) -> Result<Channel> {
        let side = self.side(path)?;
        let writer = side.meet_until(deadline)?;
        Ok(Channel { is_first: side.is_first, reader: side.reader, writer })
    }

    /// Takes a free side of the two-way channel `path`, that is the FIFOs `path.a` and `path.b`, and doesn't wait for the other: the
    /// first half of [`channel_until`](Self::channel_until).
    ///
    /// # Errors
    /// `EBUSY` if both sides are taken; for each FIFO as [`try_reader`](Self::try_reader), with `Create::Only` for `path.a`.
    pub fn side(&self, path: impl AsRef<Path>) -> Result<Side> {
        let path = path.as_ref();
        let (a, b) = sides(path);
        for (own, other, is_first) in [(&a, &b, true), (&b, &a, false)] {
            let reader = self.open_end(own, libc::O_RDONLY, Deadline::NOW)?;
            let locked = file::try_flock(reader.as_fd());
            if locked.map_err(|errno| errno.during(format!("take the side {own:?}: flock")))? {
                let (reader, other) = (Reader::opened(reader), other.clone());
                return Ok(Side { reader, other, is_first, options: *self });
            }
        }
        Err(Error::new(libc::EBUSY, format!("open the channel {path:?}: it has two sides, and both are taken")))
    }

    /// Opens an end of a FIFO, or makes it first.
    fn open_end(&self, path: &Path, way: i32, deadline: Deadline) -> Result<OwnedFd> {
        let c_path = c_path(path)?;
        for _ in 0..RACES {
            if self.create != Create::Never {
                match make_at(path, &c_path, self.mode) {
                    Err(error) if error.errno() == libc::EEXIST && self.create == Create::IfMissing => {}
                    made => made?,
                }
            }
            match self.open_existing(path, &c_path, way, deadline) {
                Err(error) if error.errno() == libc::ENOENT && self.create == Create::IfMissing => {}
                opened => return opened,
            }
        }
        Err(busy(path))
    }

    fn open_existing(&self, path: &Path, c_path: &CStr, way: i32, deadline: Deadline) -> Result<OwnedFd> {
        let doing = || format!("open {path:?} to {}", if way == libc::O_RDONLY { "read" } else { "write" });
        // Before it is opened, which might do something to what is no FIFO.
        self.check(path, &file::look(c_path).map_err(|errno| cannot_open(path, errno))?)?;
        let fd = polling(deadline, libc::ENXIO, doing, || file::open_as(c_path, way)).map_err(|error| {
            match error.errno() {
                libc::EAGAIN => Error::new(libc::EAGAIN, format!("{}: nobody has it open to read", doing())),
                libc::ETIMEDOUT => {
                    Error::new(libc::ETIMEDOUT, format!("{}: nobody opened it to read in time", doing()))
                }
                libc::EINTR => error,
                errno => cannot_open(path, Errno(errno)),
            }
        })?;
        self.check(path, &file::stat(fd.as_fd()).map_err(|errno| errno.during(doing()))?)?;
        Ok(fd)
    }

    fn check(&self, path: &Path, stat: &file::Stat) -> Result<()> {
        check_kind("open", path, stat)?;
        if !self.any_owner && stat.uid != 0 && stat.uid != process::effective_uid() {
            let advice =
                "it may have been planted: open it with the option that admits any owner if you trust that user";
            return Err(Error::new(libc::EPERM, format!("open {path:?}: it belongs to user {}; {advice}", stat.uid)));
        }
        Ok(())
    }
}

/// One side of a two-way channel, and the other's: made by [`Options::channel`].
///
/// ```
/// use madang::fifo;
/// # let path = std::env::temp_dir().join(format!("channel-example-{}", std::process::id()));
/// let greet = || {
///     let channel = fifo::options().channel(&path)?; // both say the same
///     channel.writer.write_all(if channel.is_first { b"hello" } else { b"world" })?;
///     let mut said = [0; 5];
///     channel.reader.read_exact(&mut said)?;
///     Ok::<_, madang::Error>(said)
/// };
/// let (ours, theirs) = std::thread::scope(|scope| {
///     let other = scope.spawn(greet); // a process, mostly
///     (greet(), other.join().unwrap())
/// });
/// assert!(ours? != theirs?);
/// fifo::remove_channel(&path)?;
/// # Ok::<(), madang::Error>(())
/// ```
#[derive(Debug)]
pub struct Channel {
    /// What the other side writes is read here. With it goes the side: when it is dropped, another may take it.
    pub reader: Reader,
    /// What is written here the other side reads.
    pub writer: Writer,
    /// Whether this is the side that reads `NAME.a`: of two who open a new channel, who came first. By this they can agree who begins.
    pub is_first: bool,
}

/// A side that was taken, and may have no other yet: made by [`Options::side`].
#[derive(Debug)]
pub struct Side {
    reader: Reader,
    other: PathBuf,
    is_first: bool,
    options: Options,
}

impl Side {
    /// Waits until the other side is taken, and opens what it reads.
    ///
    /// # Errors
    /// As [`Options::writer_until`].
    pub fn meet_until(&self, deadline: Deadline) -> Result<Writer> {
        let mut options = self.options;
        if options.create == Create::Only {
            // Who comes first makes `path.a`; the other one is made by whoever needs it.
            options.create = Create::IfMissing;
        }
        options.writer_until(&self.other, deadline)
    }

    /// Whether it is the side that reads `NAME.a`.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.is_first
    }

    /// Its reader.
    #[must_use]
    pub fn into_reader(self) -> Reader {
        self.reader
    }
}

fn sides(path: &Path) -> (PathBuf, PathBuf) {
    let side = |end: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    };
    (side(".a"), side(".b"))
}

fn make_at(path: &Path, c_path: &CStr, mode: u32) -> Result<()> {
    let doing = |call: &str| format!("make the FIFO {path:?}: {call}");
    if mode & !0o7777 != 0 {
        let what = format!("make the FIFO {path:?}: mode 0{mode:o} has more than permission bits");
        return Err(Error::new(libc::EINVAL, what));
    }
    // Spares the others a temporary name, and a directory that may not be written its error.
    if file::exists(c_path) {
        return Err(taken(path));
    }
    let temporary = path::temporary_beside(path)?;
    file::make_fifo(&temporary, MODE).map_err(|errno| errno.during(doing("mknod in its directory")))?;
    let made = file::open_as(&temporary, libc::O_RDONLY)
        .and_then(|fd| file::set_mode(fd.as_fd(), mode))
        .map_err(|errno| errno.during(doing("fchmod")))
        .and_then(|()| {
            path::rename_to_free(&temporary, c_path).map_err(|errno| match errno {
                Errno(libc::EEXIST) => taken(path),
                errno => errno.during(doing("rename")),
            })
        });
    if made.is_err() {
        let _ = file::unlink(&temporary);
    }
    made
}

fn check_kind(verb: &str, path: &Path, stat: &file::Stat) -> Result<()> {
    if stat.is_fifo() {
        return Ok(());
    }
    let (errno, what) = match stat.is_link() {
        true => (libc::ELOOP, "it is a symbolic link, which is never followed"),
        false => (libc::ENODEV, "it is not a FIFO"),
    };
    Err(Error::new(errno, format!("{verb} {path:?}: {what}")))
}

#[cold]
fn cannot_open(path: &Path, errno: Errno) -> Error {
    errno.during(match errno.0 {
        libc::ENOENT => format!("open {path:?}: there is none, and the call does not make it"),
        libc::EACCES => format!("open {path:?}: it, or its directory, does not permit this user to use it"),
        _ => format!("open {path:?}"),
    })
}

#[cold]
fn taken(path: &Path) -> Error {
    Error::new(libc::EEXIST, format!("make the FIFO {path:?}: the name is taken"))
}

#[cold]
fn busy(path: &Path) -> Error {
    Error::new(libc::EBUSY, format!("open {path:?}: others keep making and removing it: try again"))
}
