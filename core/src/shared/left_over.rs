//! What a death left behind, and its sweeping.
//!
//! An object has no name until it is whole (see [`object`](super::object)), so a process that is killed while it makes one leaves nothing. Only
//! where it has to be made under a temporary name, that may stay. Its maker holds a lock on one byte as long as it is at
//! it; so what nobody holds is left over, however old it is. A sweeper takes the lock himself before he removes it: a maker that comes a
//! moment later finds that, and begins again.
//!
//! What System V's calls made has two names, and a state that tells what a death left there: see [`sysv`](super::sysv).

#![forbid(unsafe_code)]

use std::ffi::CStr;
use std::iter::Sum;
use std::os::fd::AsFd;

use super::list::names_in;
use super::object::MAKING;
use super::sysv;
use crate::error::Result;
use crate::name;
use crate::sys::{Errno, file, ofd, process};

/// What was left over: see [`gc`] and [`left_overs`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftOvers {
    /// How many there are that nobody is at any more: half-made objects, and removed ones of System V's. They can be removed, or were.
    pub files: u64,
    /// Bytes of memory that they take or took.
    pub bytes: u64,
    /// Half-made objects of other users, which only these or root can judge and remove.
    pub others: u64,
}

impl LeftOvers {
    /// One that takes so many bytes.
    pub(super) fn one(bytes: u64) -> Self {
        Self { files: 1, bytes, others: 0 }
    }
}

impl Sum for LeftOvers {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, it| Self {
            files: sum.files + it.files,
            bytes: sum.bytes + it.bytes,
            others: sum.others + it.others,
        })
    }
}

/// Removes left-overs of processes that were killed: half-made objects, and removed ones of System V's calls.
///
/// Half-made ones are rare: where the file system has unnamed files, as a tmpfs, and `/proc` is mounted, only System V's calls can leave
/// any. More common are System V segments that were removed while they were attached, and whose last user was killed.
///
/// Objects that are whole and weren't removed are never touched: what has a name is removed by its name.
///
/// # Errors
/// `ENOENT`, `ENOTDIR`, `EACCES` if the directory can't be read; `EINVAL` if `MADANG_DIR` isn't absolute.
pub fn gc() -> Result<LeftOvers> {
    Ok([sweep(remove)?, sysv::sweep()?].into_iter().sum())
}

/// Tells what [`gc`] would remove.
///
/// # Errors
/// As [`gc`].
pub fn left_overs() -> Result<LeftOvers> {
    Ok([sweep(is_left)?, sysv::left_over()?].into_iter().sum())
}

/// Looks at every temporary name, in `MADANG_DIR` and in `/dev/shm`, where segments are made.
fn sweep(is_swept: impl Fn(&CStr) -> std::result::Result<bool, Errno>) -> Result<LeftOvers> {
    let mut found = LeftOvers::default();
    let directory = name::directory()?;
    sweep_directory(&directory, &is_swept, &mut found)?;
    if *directory != *name::SHM {
        sweep_directory(name::SHM, &is_swept, &mut found)?;
    }
    Ok(found)
}

fn sweep_directory(
    directory: &CStr,
    is_swept: &impl Fn(&CStr) -> std::result::Result<bool, Errno>,
    found: &mut LeftOvers,
) -> Result<()> {
    let me = process::effective_uid();
    for name in names_in(directory)?.iter().filter(|name| name::is_temporary(name.to_bytes())) {
        let path = name::join(directory, name.to_bytes());
        match file::look(&path) {
            Ok(stat) if !stat.is_regular() => {}
            Ok(stat) if me != 0 && stat.uid != me => found.others += 1,
            Ok(stat) => match is_swept(&path) {
                Ok(true) => {
                    found.files += 1;
                    // The second name of what is whole takes nothing.
                    found.bytes += if stat.links == 1 { stat.allocated } else { 0 };
                }
                Ok(false) | Err(Errno(libc::ENOENT)) => {}
                Err(_) => found.others += 1,
            },
            // Its maker was quicker.
            Err(_) => {}
        }
    }
    Ok(())
}

/// Whether nobody is at it any more.
fn is_left(path: &CStr) -> std::result::Result<bool, Errno> {
    Ok(!ofd::is_locked(file::open(path, true)?.as_fd(), MAKING)?)
}

/// Removes it, unless somebody is at it.
fn remove(path: &CStr) -> std::result::Result<bool, Errno> {
    let fd = file::open(path, true)?;
    if !ofd::try_lock(fd.as_fd(), MAKING)? {
        return Ok(false);
    }
    file::unlink(path).map(|()| true)
}
