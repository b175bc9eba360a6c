//! A growing file, followed as `tail -F` does.
//!
//! inotify(7) tells when the file is written and when a name comes into its directory. It is only a reason to look: every
//! [`LOOK`] one looks anyway, for network file systems don't tell what others do there, and instances of inotify are few (128 a user).
//!
//! After the last byte two things may be so. The file is shorter than what was read: it was truncated, and is read again from its
//! start. Or the name is another file's: it was replaced, as log files are; then the old one, which whoever had it open may still have
//! written to, is read to its end once more, and the new one from its start.

#![forbid(unsafe_code)]

use std::fs;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::kernel::path::{c_path, directory};
use crate::kernel::wait::failed;
use crate::sys::{Errno, file, inotify, pipe, poll};

/// The longest wait without a look.
const LOOK: Duration = Duration::from_millis(250);

/// The same without inotify.
const LOOK_ALONE: Duration = Duration::from_millis(20);

/// A file that is read while it grows.
///
/// ```
/// use madang::{Deadline, file::Follow};
/// use std::io::Write;
/// # let path = std::env::temp_dir().join(format!("follow-example-{}", std::process::id()));
/// let mut log = std::fs::File::create(&path).unwrap();
/// let mut follow = Follow::from_end(&path)?;
/// writeln!(log, "something happened").unwrap();
/// let mut bytes = [0; 4096];
/// let length = follow.read(&mut bytes)?; // waits for something to happen
/// assert_eq!(&bytes[..length], b"something happened\n");
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), madang::Error>(())
/// ```
#[derive(Debug)]
pub struct Follow {
    path: PathBuf,
    file: fs::File,
    position: u64,
    restarts: u64,
    /// None where there are no more of them.
    inotify: Option<OwnedFd>,
    /// Which of its watches is the file's.
    watched: Option<i32>,
}

impl Follow {
    /// Begins with what is in the file already. Doesn't block.
    ///
    /// # Errors
    /// `ENOENT`, `EACCES`, `ENOTDIR` as open(2); `ENODEV` if it is no regular file; `EINVAL` for a bad path.
    pub fn from_start(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref().to_owned();
        let file = open(&path)?;
        let inotify = inotify::create().ok();
        let mut follow = Self { path, file, position: 0, restarts: 0, inotify, watched: None };
        follow.watch();
        Ok(follow)
    }

    /// Begins with what is written from now on.
    ///
    /// # Errors
    /// As [`from_start`](Self::from_start).
    pub fn from_end(path: impl AsRef<Path>) -> Result<Self> {
        let mut follow = Self::from_start(path)?;
        follow.position = follow.file.metadata().map_err(|error| follow.failed(&error))?.len();
        Ok(follow)
    }

    /// Reads what is new, and doesn't wait.
    ///
    /// # Errors
    /// `EAGAIN` if nothing is; otherwise as [`read_until`](Self::read_until).
    pub fn try_read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.read_until(buffer, Deadline::NOW)
    }

    /// Waits until there is something new, and reads it.
    ///
    /// # Errors
    /// As [`read_until`](Self::read_until).
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.read_until(buffer, Deadline::NEVER)
    }

    /// As [`read`](Self::read), and waits until then at most; how many bytes: 1 or more, unless the buffer is empty. Bytes of two files, or
    /// of before and after a truncation, never come by one call.
    ///
    /// A file that is truncated and grows past what was read of it before anybody looks is not found out.
    ///
    /// # Errors
    /// `ETIMEDOUT`, `EAGAIN`, `EINTR`; `EIO`; what opening the file that took the name fails with, but `ENOENT`.
    pub fn read_until(&mut self, buffer: &mut [u8], deadline: Deadline) -> Result<usize> {
        self.read_uninit(pipe::room(buffer), deadline)
    }

    /// As [`read_until`](Self::read_until), into memory that need not be initialised: as many bytes of it as this returns are then.
    ///
    /// # Errors
    /// As [`read_until`](Self::read_until).
    pub fn read_uninit(&mut self, buffer: &mut [MaybeUninit<u8>], deadline: Deadline) -> Result<usize> {
        loop {
            // Looked at before the last try, so that no deadline passes without one after it.
            let is_last = deadline.has_passed();
            if let Some(read) = self.step(buffer)? {
                return Ok(read);
            }
            if is_last {
                return Err(self.in_vain(deadline));
            }
            self.wait(deadline).map_err(|errno| failed(errno, &self.doing()))?;
        }
    }

    /// How often it began at a start again: the file was truncated, or replaced. What was read last is of the present one.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.restarts
    }

    /// Reads, where there is something to read.
    fn step(&mut self, buffer: &mut [MaybeUninit<u8>]) -> Result<Option<usize>> {
        if buffer.is_empty() {
            return Ok(Some(0));
        }
        loop {
            // Before reading: what comes after this look is found by the next.
            let next = self.next_file()?;
            let read =
                file::read_at(self.file.as_fd(), buffer, self.position).map_err(|errno| errno.during(self.doing()))?;
            if read > 0 {
                self.position += read as u64;
                return Ok(Some(read));
            }
            if self.file.metadata().map_err(|error| self.failed(&error))?.len() < self.position {
                self.restart();
            } else if let Some(next) = next {
                self.file = next;
                self.restart();
                self.watch();
            } else {
                return Ok(None);
            }
        }
    }

    fn restart(&mut self) {
        self.position = 0;
        self.restarts += 1;
    }

    /// The file that has the name now, if it is another one.
    fn next_file(&self) -> Result<Option<fs::File>> {
        let identity = |file: &fs::Metadata| (file.dev(), file.ino());
        let ours = self.file.metadata().map_err(|error| self.failed(&error))?;
        match fs::metadata(&self.path) {
            Ok(named) if identity(&named) == identity(&ours) => Ok(None),
            // Between two files, or while a directory is made anew.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) => Ok(None),
            _ => match open(&self.path) {
                Err(error) if error.errno() == libc::ENOENT => Ok(None),
                opened => opened.map(Some),
            },
        }
    }

    /// Asks to be told of the file, and of the names in its directory. Where that fails, it is looked at often.
    fn watch(&mut self) {
        let Some(inotify) = &self.inotify else { return };
        if let Some(old) = self.watched.take() {
            let _ = inotify::unwatch(inotify.as_fd(), old);
        }
        if let Ok(path) = file::descriptor_path(self.file.as_fd()) {
            self.watched = inotify::watch(inotify.as_fd(), &path).ok();
        }
        if let Ok(path) = std::ffi::CString::new(directory(&self.path).as_os_str().as_bytes()) {
            let _ = inotify::watch_names(inotify.as_fd(), &path);
        }
    }

    /// Until there may be something new.
    fn wait(&self, deadline: Deadline) -> std::result::Result<(), Errno> {
        let Some(inotify) = &self.inotify else {
            return crate::sys::clock::sleep(deadline.left(LOOK_ALONE));
        };
        poll::wait(inotify.as_fd(), poll::IN, Some(deadline.left(LOOK)))?;
        inotify::take(inotify.as_fd(), |_| {});
        Ok(())
    }

    fn doing(&self) -> String {
        format!("follow {:?}", self.path)
    }

    #[cold]
    fn failed(&self, error: &std::io::Error) -> Error {
        Errno(error.raw_os_error().unwrap_or(libc::EIO)).during(self.doing())
    }

    #[cold]
    fn in_vain(&self, deadline: Deadline) -> Error {
        let doing = self.doing();
        match deadline.is_try() {
            true => Error::new(libc::EAGAIN, format!("{doing}: there is nothing new, and it was only to try")),
            false => Error::new(libc::ETIMEDOUT, format!("{doing}: nothing was written in time")),
        }
    }
}

fn open(path: &Path) -> Result<fs::File> {
    let doing = |errno: Errno| errno.during(format!("follow {path:?}: open"));
    let fd = file::open_followed(&c_path(path)?, false).map_err(doing)?;
    if !file::stat(fd.as_fd()).map_err(doing)?.is_regular() {
        return Err(Error::new(libc::ENODEV, format!("follow {path:?}: it is not a regular file")));
    }
    Ok(fd.into())
}
