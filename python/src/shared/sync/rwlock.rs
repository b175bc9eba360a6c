//! `madang.RwLock`.

// The constructor has as many arguments as there is to tell.
#![allow(clippy::too_many_arguments, reason = "as many as there is to tell")]

use std::sync::{Arc, Mutex, PoisonError};

use madang::{Deadline, Held};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::{Asked, Placed};
use crate::error::{Error, Result};
use crate::options;
use crate::shared::segment::Segment;
use crate::timeout::{self, Timeout};

/// A read-write lock in shared memory, for any processes and threads in any languages: one who writes, or up
/// to 120 who read.
///
///     lock = madang.RwLock("prices")
///     with lock.read():
///         ...
///     with lock.write() as held:
///         if held.owner_died:
///             ...  # put right what the lock guards
///         ...
///
/// Who waits to write comes before those who come to read after it. A killed reader's hold goes with it. If
/// a writer's process is killed, whoever takes the lock is told, until somebody has had it to write. It is
/// not recursive.
///
/// The constructor opens it, or creates it, free. It doesn't wait.
///
/// name: 1 to 241 bytes of UTF-8, without "/". It is the file madang.rwlock.NAME in /dev/shm, or in the
///     directory whose absolute path MADANG_DIR has.
/// segment, offset: instead of a name, where in a madang.Segment it lies: 512 bytes there are its own, at a
///     multiple of 64, by default at the start. All 0, as in a new segment, is its initial state: free.
///     It keeps the segment's memory mapped.
/// mode: the permission bits of a new one, exactly (no umask); 0 is 0o600 too. Who uses it needs read and
///     write permission.
/// create: "if-missing"; "never" only opens what exists; "only" only opens what it creates.
/// any_owner: opens it although it belongs to another user, who can do with it what he likes. (What
///     belongs to root is always opened.)
///
/// One with a name persists until RwLock.unlink(name); one in a segment, as long as the segment does. A
/// handle is closed by close(), and when it is forgotten. It may be shared by threads, used in a
/// forked child, and sent to another process: pickled, it is its name, or its segment's and the offset,
/// and unpickling opens it, but never creates it.
///
/// What fails raises OSError as with madang.Queue; a place that doesn't lie in the segment, or at no multiple
/// of 64, is EINVAL. What can't be meant at all is TypeError, ValueError or OverflowError.
#[pyclass(frozen, module = "madang")]
pub(crate) struct RwLock {
    at: Placed<madang::RwLock>,
}

#[pymethods]
impl RwLock {
    #[new]
    #[pyo3(signature = (name=None, *, segment=None, offset=None, mode=0o600, create="if-missing", any_owner=false))]
    fn new(
        name: Option<&str>,
        segment: Option<Bound<'_, Segment>>,
        offset: Option<usize>,
        #[pyo3(from_py_with = options::mode)] mode: u32,
        create: &str,
        any_owner: bool,
    ) -> Result<Self> {
        Ok(Self { at: Placed::open(Asked { name, segment, offset, mode, create, any_owner })? })
    }

    /// Takes the lock to read; waits while somebody writes, or waits to. It is held from here on, until the
    /// guard that is returned is released: at the end of a `with` block, by release(), or when it is
    /// forgotten.
    ///
    /// timeout: in seconds. None waits for ever; 0 doesn't wait.
    ///
    /// Other threads go on while it waits. Signal handlers run, and then it goes on to the same deadline.
    ///
    /// Raises BlockingIOError (EAGAIN) if it would have to wait and the timeout is 0; TimeoutError; OSError
    /// with EUSERS if 120 read already, EOWNERDEAD if the others found this handle dead and went on without
    /// it, EBADF; and what a signal handler raises, as KeyboardInterrupt. Then it isn't held.
    #[pyo3(signature = (timeout=None))]
    fn read(&self, py: Python, timeout: Option<Timeout>) -> Result<RwLockGuard> {
        self.take(py, false, timeout)
    }

    /// Takes the lock to write; waits until nobody else reads or writes. As of read, it is held until the guard
    /// is released. While it waits, nobody else comes in to read.
    ///
    /// Raises as read does, but EUSERS.
    #[pyo3(signature = (timeout=None))]
    fn write(&self, py: Python, timeout: Option<Timeout>) -> Result<RwLockGuard> {
        self.take(py, true, timeout)
    }

    /// The name by which it was opened, or that of the segment that it lies in.
    #[getter]
    fn name(&self) -> &str {
        &self.at.handle.name
    }

    /// Whether this very handle created it. (Of one in a segment nobody can say.)
    #[getter]
    fn is_new(&self) -> bool {
        self.at.handle.is_new
    }

    /// Whether this handle is closed.
    #[getter]
    fn closed(&self) -> bool {
        self.at.handle.is_closed()
    }

    /// Closes the handle; doesn't unlink it. Closing it again does nothing.
    /// What it holds stays held until the guard is released.
    ///
    /// A call that waits in another thread raises OSError with EBADF within a fifth of a second.
    fn close(&self, py: Python) {
        self.at.handle.close(py);
    }

    /// Takes the name away; who has it open goes on with it. The next open makes a new one.
    ///
    /// Raises FileNotFoundError; PermissionError if it is another user's; IsADirectoryError; OSError with
    /// EINVAL or ENAMETOOLONG for a bad name.
    #[staticmethod]
    fn unlink(name: &str) -> Result<()> {
        Ok(madang::RwLock::unlink(name)?)
    }

    /// Pickled, it is its name, or its segment's and the offset.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> Result<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        slf.get().at.reduce(slf.get_type().as_any(), None)
    }

    fn __repr__(&self) -> String {
        self.at.repr()
    }
}

impl RwLock {
    fn take(&self, py: Python, to_write: bool, timeout: Option<Timeout>) -> Result<RwLockGuard> {
        let lock = self.at.share()?;
        // One wish for all slices: in between a writer goes on keeping readers out.
        let mut wish = lock.wish(to_write);
        let held = match wish.wait_until(Deadline::INSTANT) {
            Err(error) if timeout::may_wait(&error, timeout) => {
                timeout::wait(py, timeout::deadline(timeout), |slice| {
                    self.at.share()?;
                    py.detach(|| Ok(wish.wait_until(slice)?))
                })?
            }
            outcome => outcome?,
        };
        drop(wish);
        Ok(RwLockGuard { lock, owner_died: held.owner_died, held: Mutex::new(Some(held)) })
    }
}

/// A read-write lock that is held. See RwLock.read and RwLock.write.
///
/// It is released at the end of a `with` block, by release(), and when it is forgotten. In a forked child it is
/// not the child's: OSError with EOWNERDEAD.
#[pyclass(frozen, module = "madang")]
pub(crate) struct RwLockGuard {
    lock: Arc<madang::RwLock>,
    /// `None` when it is released.
    held: Mutex<Option<Held>>,
    owner_died: bool,
}

#[pymethods]
impl RwLockGuard {
    /// Whether a writer was killed while he had the lock, or waited for it, and nobody had written since when it
    /// was taken: what the lock guards may be half changed.
    #[getter]
    fn owner_died(&self) -> bool {
        self.owner_died
    }

    /// Releases the lock.
    ///
    /// Raises PermissionError (EPERM) if it was released before; OSError with EOWNERDEAD in a forked child.
    fn release(&self) -> Result<()> {
        match self.take() {
            Some(held) => Ok(self.lock.give_back(held)?),
            None => Err(self.released()),
        }
    }

    fn __enter__(slf: Bound<'_, Self>) -> Result<Bound<'_, Self>> {
        let guard = slf.get();
        if guard.held.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
            return Err(guard.released());
        }
        Ok(slf)
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, _exception: &Bound<'_, PyAny>) -> Result<()> {
        match self.take() {
            Some(held) => Ok(self.lock.give_back(held)?),
            // In the block.
            None => Ok(()),
        }
    }
}

impl RwLockGuard {
    fn take(&self) -> Option<Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn released(&self) -> Error {
        Error::os(libc::EPERM, format!("read-write lock {:?}: it was released before (EPERM)", self.lock.name()))
    }
}

impl Drop for RwLockGuard {
    fn drop(&mut self) {
        if let Some(held) = self.take() {
            // In a forked child it isn't its.
            let _ = self.lock.give_back(held);
        }
    }
}
