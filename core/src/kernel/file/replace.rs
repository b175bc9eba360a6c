//! A file's contents, replaced in one step: whoever opens it finds the old ones or the new ones, also after a power failure.
//!
//! The new file is written under a private name in the same directory (`.madang.new.…`, which is what a death leaves there),
//! brought to the disk (fsync(2)), renamed over the old one, and the directory brought to the disk as well.

#![forbid(unsafe_code)]

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::MODE;
use crate::error::{Error, Result};
use crate::kernel::path::{c_path, directory, temporary_beside};
use crate::sys::{Errno, file};

/// Replaces a file's contents, or makes it, with all defaults; see [`Replacement::write`].
///
/// ```
/// # let path = std::env::temp_dir().join(format!("replace-example-{}", std::process::id()));
/// madang::file::replace(&path, b"all of it")?;
/// assert_eq!(std::fs::read(&path).unwrap(), b"all of it");
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), madang::Error>(())
/// ```
///
/// # Errors
/// As [`Replacement::write`].
pub fn replace(path: impl AsRef<Path>, contents: &[u8]) -> Result<()> {
    replacement().write(path, contents)
}

/// All defaults; change what you need, then [`write`](Replacement::write).
#[must_use]
pub fn replacement() -> Replacement {
    Replacement { mode: MODE, keep_mode: false }
}

/// How a file is replaced; made by [`replacement`].
#[derive(Clone, Copy, Debug)]
pub struct Replacement {
    mode: u32,
    keep_mode: bool,
}

impl Replacement {
    /// The permission bits of the new file, exactly (no umask); by default, and for 0, `0o600`.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = if mode == 0 { MODE } else { mode };
        self
    }

    /// The permission bits stay those of the old file, if there is one.
    #[must_use]
    pub fn keep_mode(mut self, yes: bool) -> Self {
        self.keep_mode = yes;
        self
    }

    /// Replaces the file by one with these contents, or makes it. Who has the old one open goes on with that. It belongs to this process's
    /// user; of a symbolic link, the link is replaced. Waits for the disk.
    ///
    /// # Errors
    /// `ENOENT`, `EACCES`, `ENOTDIR`, `EROFS`: the directory; `EISDIR` if the name is a directory's; `ENOSPC`, `EDQUOT`, `EFBIG`, `EIO`; `EINVAL` for
    /// a bad mode or path. Then the old file is as it was. (Only if the last step fails, to bring the directory to the disk, it is
    /// replaced already.)
    pub fn write(&self, path: impl AsRef<Path>, contents: &[u8]) -> Result<()> {
        let path = path.as_ref();
        let c_path = c_path(path)?;
        if self.mode & !0o7777 != 0 {
            let what = format!("replace {path:?}: mode 0{:o} has more than permission bits", self.mode);
            return Err(Error::new(libc::EINVAL, what));
        }
        let mode = match file::look(&c_path) {
            Ok(old) if self.keep_mode && old.is_regular() => old.permissions(),
            _ => self.mode,
        };
        let temporary = temporary_beside(path)?;
        let fd = file::create_new(&temporary)
            .map_err(|errno| errno.during(format!("replace {path:?}: open a new file in its directory")))?;
        let written = fill(fd.into(), contents, mode, path).and_then(|()| {
            file::rename(&temporary, &c_path).map_err(|errno| errno.during(format!("replace {path:?}: rename")))
        });
        if written.is_err() {
            let _ = file::unlink(&temporary);
        }
        written?;
        fs::File::open(directory(path))
            .and_then(|directory| directory.sync_all())
            .map_err(|error| during(&error, path, "fsync of its directory, but it is replaced"))
    }
}

fn fill(mut new: fs::File, contents: &[u8], mode: u32, path: &Path) -> Result<()> {
    new.write_all(contents).map_err(|error| during(&error, path, "write"))?;
    new.set_permissions(fs::Permissions::from_mode(mode)).map_err(|error| during(&error, path, "fchmod"))?;
    new.sync_all().map_err(|error| during(&error, path, "fsync"))
}

#[cold]
fn during(error: &std::io::Error, path: &Path, call: &str) -> Error {
    Errno(error.raw_os_error().unwrap_or(libc::EIO)).during(format!("replace {path:?}: {call}"))
}
