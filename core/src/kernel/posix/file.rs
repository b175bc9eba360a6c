//! A named file in `/dev/shm`: what POSIX shared memory and POSIX semaphores are on Linux.
//!
//! **A name never shows a half-made object**, which `shm_open` and `ftruncate` can't promise. The file is made without a name
//! (`O_TMPFILE`), given its size, its contents and its mode, exactly, and then linked; who loses the race for the name opens the winner's.
//! Where there are no unnamed files, or no `/proc`, it is made under a temporary name, which `madang gc` sweeps if the maker dies.

#![forbid(unsafe_code)]

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::Create;
use crate::error::{Error, Result};
use crate::name::Name;
use crate::sys::Errno;
use crate::sys::file::{self, Stat};

/// How often a name may vanish or appear between two looks before that is an error.
const RACES: u32 = 100;

/// How it is to be opened; the text says what is opened: `shm_open "frame"`.
pub(super) struct How<'a> {
    pub(super) name: &'a Name,
    pub(super) doing: &'a str,
    pub(super) create: Create,
    pub(super) mode: u32,
    pub(super) write: bool,
}

/// An open file, and what it is.
pub(super) struct Opened {
    pub(super) fd: OwnedFd,
    pub(super) stat: Stat,
    /// Whether this call made it.
    pub(super) is_new: bool,
}

/// Opens it, or makes it with what `fill` does.
pub(super) fn open(how: &How, fill: impl Fn(BorrowedFd) -> Result<()>) -> Result<Opened> {
    let mode = super::mode(how.mode, how.doing)?;
    // Before anything is made for it.
    if how.create == Create::Only && file::exists(how.name.path()) {
        return Err(taken(how));
    }
    for _ in 0..RACES {
        if how.create != Create::Only {
            match find(how) {
                Err(error) if error.errno() == libc::ENOENT && how.create == Create::IfMissing => {}
                found => return found,
            }
        }
        match make(how, mode, &fill) {
            Err(error) if error.errno() == libc::EEXIST && how.create == Create::IfMissing => {}
            made => return made,
        }
    }
    Err(Error::new(libc::EBUSY, format!("{}: others keep making and removing it: try again", how.doing)))
}

fn find(how: &How) -> Result<Opened> {
    let (doing, path) = (how.doing, how.name.path());
    let fd = file::open(path, how.write).map_err(|errno| {
        errno.during(match errno.0 {
            libc::ENOENT if how.create == Create::Never => {
                format!("{doing}: there is none ({path:?}), and the call does not create it")
            }
            libc::EACCES => format!("{doing}: {path:?} does not permit this user to use it so"),
            libc::EISDIR => format!("{doing}: {path:?} is a directory"),
            libc::ELOOP => format!("{doing}: {path:?} is a symbolic link, which is never followed"),
            _ => format!("{doing}: openat {path:?}"),
        })
    })?;
    let stat = file::stat(fd.as_fd()).map_err(|errno| errno.during(format!("{doing}: statx")))?;
    if !stat.is_regular() {
        return Err(Error::new(libc::ENODEV, format!("{doing}: {path:?} is not a regular file")));
    }
    Ok(Opened { fd, stat, is_new: false })
}

fn make(how: &How, mode: u32, fill: &impl Fn(BorrowedFd) -> Result<()>) -> Result<Opened> {
    let unnamed = match file::create_unnamed(how.name.directory()) {
        Ok(fd) => fd,
        Err(Errno(libc::EOPNOTSUPP | libc::EISDIR)) => return make_by_temporary_name(how, mode, fill),
        Err(errno) => return Err(cannot(how, errno, "openat")),
    };
    let stat = prepare(how, mode, &unnamed, fill)?;
    match file::link_descriptor(unnamed.as_fd(), how.name.path()) {
        Ok(()) => Ok(Opened { fd: unnamed, stat, is_new: true }),
        Err(Errno(libc::EEXIST)) => Err(taken(how)),
        // No /proc, or it may not be used like this.
        Err(_) => {
            drop(unnamed); // and its space, which is taken again
            make_by_temporary_name(how, mode, fill)
        }
    }
}

#[cold]
fn make_by_temporary_name(how: &How, mode: u32, fill: &impl Fn(BorrowedFd) -> Result<()>) -> Result<Opened> {
    for _ in 0..RACES {
        let temporary: CString = how.name.temporary();
        let fd = file::create_new(&temporary).map_err(|errno| cannot(how, errno, "openat"))?;
        let made = prepare(how, mode, &fd, fill);
        let linked = made.and_then(|stat| match file::link(&temporary, how.name.path()) {
            Ok(()) => Ok(Some(stat)),
            Err(Errno(libc::EEXIST)) => Err(taken(how)),
            // A sweeper came between.
            Err(Errno(libc::ENOENT)) => Ok(None),
            Err(errno) => Err(cannot(how, errno, "linkat")),
        });
        // Should that fail, it is swept later; the object itself is whole.
        let _ = file::unlink(&temporary);
        if let Some(stat) = linked? {
            return Ok(Opened { fd, stat, is_new: true });
        }
    }
    Err(Error::new(libc::EBUSY, format!("{}: others keep sweeping it away: try again", how.doing)))
}

fn prepare(how: &How, mode: u32, fd: &OwnedFd, fill: &impl Fn(BorrowedFd) -> Result<()>) -> Result<Stat> {
    fill(fd.as_fd())?;
    file::set_mode(fd.as_fd(), mode).map_err(|errno| cannot(how, errno, "fchmod"))?;
    file::stat(fd.as_fd()).map_err(|errno| cannot(how, errno, "statx"))
}

fn cannot(how: &How, errno: Errno, call: &str) -> Error {
    let (doing, directory) = (how.doing, how.name.directory());
    errno.during(match errno.0 {
        libc::ENOENT => format!("{doing}: {call}: there is no directory {directory:?}"),
        libc::ENOSPC => format!("{doing}: {call}: {FULL}"),
        _ => format!("{doing}: {call} in {directory:?}"),
    })
}

fn taken(how: &How) -> Error {
    Error::new(libc::EEXIST, format!("{}: the name is taken, and the call only creates", how.doing))
}

/// What `ENOSPC` means in `/dev/shm`.
pub(super) const FULL: &str = "the file system of /dev/shm is full: remove what is left over there, or make it larger (a container's is \
                               64 MB unless it is started with --shm-size or its like)";

/// Takes the name away. Who has the object open goes on with it.
pub(super) fn unlink(name: &Name, doing: &str) -> Result<()> {
    let path = name.path();
    file::unlink(path).map_err(|errno| {
        errno.during(match errno.0 {
            libc::ENOENT => format!("{doing}: there is none ({path:?})"),
            libc::EACCES | libc::EPERM => format!("{doing}: only the owner of {path:?} may, and root"),
            _ => format!("{doing}: unlinkat {path:?}"),
        })
    })
}
