//! The shape of an existing object: its header is read once, and believed only where it fits the file.

#![forbid(unsafe_code)]

use std::os::fd::BorrowedFd;

use super::raw::header::{self, Kind, Misfit, Shape};
use crate::error::{Error, Result};
use crate::mapping::Mapping;
use crate::name::Name;

/// As much of a file as is looked at before it is believed.
const HEADER_LENGTH: u64 = header::ALIGNMENT;

/// Reads the shape of the object of `kind` that bears the name, and whose file has `size` bytes. `noun` is what the caller wants.
pub(super) fn read(name: &Name, fd: BorrowedFd, size: u64, kind: Kind, noun: &str) -> Result<Shape> {
    let error = |errno, what: String| Error::new(errno, format!("open {name}: {what}"));
    if size < HEADER_LENGTH {
        return Err(damaged(name, "its file is too short"));
    }
    let head = Mapping::of_file(fd, 0, HEADER_LENGTH, false)
        .map_err(|errno| errno.during(format!("open {name}: mmap of its header")))?;
    let header = head.header().expect("long enough for a header");
    header.read(kind, size).map_err(|misfit| match misfit {
        Misfit::Damaged(what) => damaged(name, what),
        Misfit::OtherKind(what) => error(libc::EPROTOTYPE, format!("it is {what}, not {noun}")),
        Misfit::OtherLayout(theirs) => {
            let ours = header::LAYOUT;
            let what = format!("it has layout version {theirs}, this library {ours}: use one version of madang");
            error(libc::EPROTO, what)
        }
        Misfit::OtherByteOrder => error(libc::EPROTO, "it was made by a machine of another byte order".to_owned()),
    })
}

/// It can't have been written by madang.
pub(super) fn damaged(name: &Name, what: &str) -> Error {
    let what = format!("open {name}: it is damaged ({what}): unlink it and make a new one");
    Error::new(libc::EUCLEAN, what)
}

/// Holds what an existing object has against what was asked for.
pub(super) fn suffices(name: &Name, limits: &[(&str, u64, u64)]) -> Result<()> {
    match limits.iter().find(|(_, has, asked)| has < asked) {
        None => Ok(()),
        Some((what, has, asked)) => {
            let what = format!("open {name}: its {what} is {has}, {asked} was asked for: unlink it, or ask for less");
            Err(Error::new(libc::EINVAL, what))
        }
    }
}
