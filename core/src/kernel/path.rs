//! Paths, and the private names by which what is new comes to a name without being seen half made.

#![forbid(unsafe_code)]

use std::ffi::{CStr, CString, OsString};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use crate::error::{Error, Result};
use crate::sys::{Errno, file, process};

/// The path as the kernel takes it. It is a file's: it doesn't end in `/` or `..`.
pub(super) fn c_path(path: &Path) -> Result<CString> {
    if path.file_name().is_none() {
        return Err(Error::new(libc::EINVAL, format!("{path:?} can't be the name of a file")));
    }
    CString::new(OsString::from(path.as_os_str()).into_vec())
        .map_err(|_| Error::new(libc::EINVAL, format!("{path:?} has a NUL in it")))
}

/// A private name in the same directory.
pub(super) fn temporary_beside(path: &Path) -> Result<CString> {
    c_path(&path.with_file_name(format!(".madang.new.{:016x}", process::random())))
}

/// Renames a file to a name that must be free, also where the file system can't do that in one step.
pub(super) fn rename_to_free(from: &CStr, to: &CStr) -> std::result::Result<(), Errno> {
    match file::rename_to_free(from, to) {
        Err(Errno(libc::EINVAL | libc::ENOSYS)) => {
            file::link(from, to)?;
            file::unlink(from)
        }
        renamed => renamed,
    }
}

/// The directory in which it lies.
pub(super) fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
