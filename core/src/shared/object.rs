//! A named file in shared memory: found or made.
//!
//! **A name never shows a half-made object.** The file is made without a name (`O_TMPFILE`), given its mode, its
//! size, its space and its first contents, and then linked; losing the race for the name means opening the
//! winner's. Where the file system has no unnamed files, or `/proc` is not mounted, it is made under a private
//! temporary name instead, and the maker holds a lock on one byte of it ([`MAKING`]) as long as that name is there: so
//! [`left_over`](super::left_over) can tell what is being made from what a death left behind.
//!
//! **What is opened is checked before it is mapped**: a regular file, by default of mine or root's (a stranger
//! may have planted it).

#![forbid(unsafe_code)]

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::Create;
use crate::error::{Error, Result};
use crate::name::Name;
use crate::sys::file::{self, Stat};
use crate::sys::{Errno, ofd, process};

/// How often a name may vanish or appear between two looks before that is an error.
const RACES: u32 = 100;

/// Space is taken in pieces of this many bytes at most: each is done before the next signal comes.
const MOST_AT_ONCE: u64 = 4 << 20;

/// The permission bits of a new object, unless others are asked for.
const MODE: u32 = 0o600;

/// The byte that the maker of a file with a temporary name keeps locked; those above it are the participants'.
pub(super) const MAKING: u64 = (1 << 62) - 1;

/// How an object is to be opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(crate) create: Create,
    /// The permission bits of a new object, exactly: no umask. 0 is the default, [`MODE`].
    pub(crate) mode: u32,
    /// Whether an object of a user who is neither me nor root is opened.
    pub(crate) any_owner: bool,
    /// Whether the object is opened to be written as well.
    pub(crate) write: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { create: Create::IfMissing, mode: MODE, any_owner: false, write: true }
    }
}

/// An open object, and what it is.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) fd: OwnedFd,
    pub(crate) stat: Stat,
    /// Whether this call made it.
    pub(crate) is_new: bool,
}

/// Opens `name`, or makes it of `size` bytes with `fill` writing its first contents.
pub(crate) fn open(
    name: &Name,
    options: Options,
    size: impl Fn() -> Result<u64>,
    fill: impl Fn(BorrowedFd) -> Result<()>,
) -> Result<Object> {
    if options.mode & !0o7777 != 0 {
        return Err(Error::new(
            libc::EINVAL,
            format!("open {name}: mode 0{:o} has more than permission bits", options.mode),
        ));
    }
    // Before any space is taken for it.
    if options.create == Create::Only && file::exists(name.path()) {
        return Err(cannot_link(name, Errno(libc::EEXIST)));
    }
    for _ in 0..RACES {
        if options.create != Create::Only {
            match find(name, options) {
                Err(error) if error.errno() == libc::ENOENT && options.create == Create::IfMissing => {}
                found => return found,
            }
        }
        match make(name, options, size()?, &fill) {
            Err(error) if error.errno() == libc::EEXIST && options.create == Create::IfMissing => {}
            made => return made,
        }
    }
    Err(Error::new(libc::EBUSY, format!("open {name}: others keep making and removing it: try again")))
}

/// Opens what bears the name, and checks that it may be used.
pub(crate) fn find(name: &Name, options: Options) -> Result<Object> {
    let fd = file::open(name.path(), options.write).map_err(|errno| cannot_open(name, options, errno))?;
    let stat = file::stat(fd.as_fd()).map_err(|errno| errno.during(format!("open {name}: statx")))?;
    if !stat.is_regular() {
        return Err(Error::new(libc::ENODEV, format!("open {name}: {:?} is not a regular file", name.path())));
    }
    let trusted = stat.uid == 0 || stat.uid == process::effective_uid();
    if !trusted && !options.any_owner {
        let advice = "it may have been planted: open it with the option that admits any owner if you trust that user";
        return Err(Error::new(libc::EPERM, format!("open {name}: it belongs to user {}; {advice}", stat.uid)));
    }
    Ok(Object { fd, stat, is_new: false })
}

fn cannot_open(name: &Name, options: Options, errno: Errno) -> Error {
    let path = name.path();
    errno.during(match errno.0 {
        libc::ENOENT if options.create == Create::Never => {
            format!("open {name}: there is none ({path:?}), and the call does not create it")
        }
        libc::EACCES => {
            format!("open {name}: {path:?} does not permit this user to use it (its mode is the creator's choice)")
        }
        libc::EISDIR => format!("open {name}: {path:?} is a directory"),
        libc::ELOOP => format!("open {name}: {path:?} is a symbolic link, which is never followed"),
        _ => format!("open {name}: openat {path:?}"),
    })
}

fn make(name: &Name, options: Options, size: u64, fill: &impl Fn(BorrowedFd) -> Result<()>) -> Result<Object> {
    match file::create_unnamed(name.directory()) {
        Ok(fd) => {
            let stat = prepare(name, &fd, options, size, fill)?;
            match file::link_descriptor(fd.as_fd(), name.path()) {
                Ok(()) => Ok(Object { fd, stat, is_new: true }),
                Err(errno @ Errno(libc::EEXIST)) => Err(cannot_link(name, errno)),
                // No /proc, or it may not be used like this.
                Err(_) => {
                    drop(fd); // and its space, which is taken again
                    make_by_temporary_name(name, options, size, fill)
                }
            }
        }
        Err(Errno(libc::EOPNOTSUPP | libc::EISDIR)) => make_by_temporary_name(name, options, size, fill),
        Err(errno) => Err(cannot_create(name, errno)),
    }
}

/// For a file system without `O_TMPFILE`, and for a machine without `/proc`.
#[cold]
fn make_by_temporary_name(
    name: &Name,
    options: Options,
    size: u64,
    fill: &impl Fn(BorrowedFd) -> Result<()>,
) -> Result<Object> {
    let (temporary, fd) = create_temporary(name)?;
    let made = prepare(name, &fd, options, size, fill)
        .and_then(|stat| file::link(&temporary, name.path()).map(|()| stat).map_err(|errno| cannot_link(name, errno)));
    // Should that fail, `gc` sweeps it later; the object itself is whole.
    let _ = file::unlink(&temporary);
    let _ = ofd::unlock(fd.as_fd(), MAKING);
    made.map(|stat| Object { fd, stat, is_new: true })
}

/// A new file under a temporary name, with [`MAKING`] locked.
fn create_temporary(name: &Name) -> Result<(CString, OwnedFd)> {
    for _ in 0..RACES {
        let temporary = name.temporary();
        let fd = file::create_new(&temporary).map_err(|errno| cannot_create(name, errno))?;
        // Without locks there is no sweeping either.
        let locked = ofd::try_lock(fd.as_fd(), MAKING).unwrap_or(true);
        // A sweeper may have come between the two.
        if locked && file::stat(fd.as_fd()).is_ok_and(|stat| stat.links > 0) {
            return Ok((temporary, fd));
        }
    }
    Err(Error::new(libc::EBUSY, format!("create {name}: others keep sweeping it away: try again")))
}

/// Gives a new file its size, its contents and its mode. The mode comes last: until then its owner can sweep it.
fn prepare(
    name: &Name,
    fd: &OwnedFd,
    options: Options,
    size: u64,
    fill: &impl Fn(BorrowedFd) -> Result<()>,
) -> Result<Stat> {
    let during = |errno: Errno, call: &str| errno.during(format!("create {name}: {call}"));
    let mode = if options.mode == 0 { MODE } else { options.mode };
    file::set_size(fd.as_fd(), size).map_err(|errno| during(errno, &format!("ftruncate to {size} bytes")))?;
    fill(fd.as_fd()).map_err(|error| error.during(format!("create {name}")))?;
    file::set_mode(fd.as_fd(), mode).map_err(|errno| during(errno, "fchmod"))?;
    file::stat(fd.as_fd()).map_err(|errno| during(errno, "statx"))
}

fn cannot_create(name: &Name, errno: Errno) -> Error {
    let directory = name.directory();
    errno.during(match errno.0 {
        libc::ENOENT => format!("create {name}: there is no directory {directory:?}"),
        libc::ENOSPC => format!("create {name}: {}", no_space()),
        _ => format!("create {name} in {directory:?}"),
    })
}

fn cannot_link(name: &Name, errno: Errno) -> Error {
    errno.during(match errno.0 {
        libc::EEXIST => format!("create {name}: the name is taken, and the call only creates"),
        _ => format!("create {name}: linkat {:?}", name.path()),
    })
}

/// Takes the space of a part of an object, so that touching it can't fail any more.
pub(crate) fn allocate(fd: BorrowedFd, offset: u64, length: u64) -> Result<()> {
    if length > MOST_AT_ONCE && !can_fit(fd, length) {
        return Err(Errno(libc::ENOSPC).during(no_space()));
    }
    let mut done = 0;
    while done < length {
        let piece = (length - done).min(MOST_AT_ONCE);
        file::allocate(fd, offset + done, piece).map_err(|errno| match errno.0 {
            libc::ENOSPC => errno.during(no_space()),
            _ => errno.during(format!("fallocate of {length} bytes at {offset}")),
        })?;
        done += piece;
    }
    Ok(())
}

/// Refuses what certainly can't fit.
pub(crate) fn check_free(fd: BorrowedFd, length: u64) -> Result<()> {
    if can_fit(fd, length) { Ok(()) } else { Err(Errno(libc::ENOSPC).during(no_space())) }
}

/// Whether as much is free, as far as can be seen; what certainly can't fit is not begun, since to take all there is and give it back
/// would starve everybody else meanwhile. What the file has already counts as part of it: somebody may have been killed after he took
/// the piece and before he could say so, or may be at it now. Too much hope is harmless, fallocate itself refuses.
fn can_fit(fd: BorrowedFd, length: u64) -> bool {
    let taken = file::stat(fd).map_or(0, |stat| stat.allocated);
    file::free_space(fd).is_none_or(|free| length.saturating_sub(taken) <= free)
}

fn no_space() -> &'static str {
    "the file system of /dev/shm (or MADANG_DIR) is full: remove what is left over there, or make it larger \
     (a container's is 64 MB unless it is started with --shm-size or its like)"
}

/// Takes the name away. Who has the object open goes on with it.
pub(crate) fn unlink(name: &Name) -> Result<()> {
    let path: &CStr = name.path();
    file::unlink(path).map_err(|errno| {
        errno.during(match errno.0 {
            libc::ENOENT => format!("unlink {name}: there is none ({path:?})"),
            libc::EACCES | libc::EPERM => format!("unlink {name}: only the owner of {path:?} may, and root"),
            _ => format!("unlink {name}: unlinkat {path:?}"),
        })
    })
}
