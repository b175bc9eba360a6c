//! `madang.Mutex`.

// The constructor has as many arguments as there is to tell.
#![allow(clippy::too_many_arguments, reason = "as many as there is to tell")]

use std::sync::Arc;

use madang::{Deadline, UnguardedMutex};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::{Asked, Placed, in_time};
use crate::error::{Error, Result};
use crate::options;
use crate::shared::segment::Segment;
use crate::timeout::{self, Timeout};

/// A mutex in shared memory, for any processes and threads in any languages.
///
///     m = madang.Mutex("counter")
///     with m:
///         if m.owner_died:
///             ...  # put right what the mutex guards
///         ...
///
/// One has it at a time. If its owner's process ends while it has it, be it by SIGKILL, the next who takes it
/// is told, sees what it left, and can go on. It is not recursive: who takes it twice waits for itself.
/// Who waits is not served in any order.
///
/// It is used as a threading.Lock is: acquire, release, locked, and `with`, which acquires and releases. (It
/// doesn't close the handle, as `with` does of other objects.) The handle remembers whether it holds the
/// mutex: threads that share it keep each other out, and any of them may release it. In a forked child
/// the mutex is not the child's, though its parent holds it.
///
/// The constructor opens it, or creates it, free. It doesn't wait.
///
/// name: 1 to 242 bytes of UTF-8, without "/". It is the file madang.mutex.NAME in /dev/shm, or in the
///     directory whose absolute path MADANG_DIR has.
/// segment, offset: instead of a name, where in a madang.Segment it lies: 64 bytes there are its own, at a
///     multiple of 64, by default at the start. All 0, as in a new segment, is its initial state: free.
///     It keeps the segment's memory mapped.
/// mode: the permission bits of a new one, exactly (no umask); 0 is 0o600 too. Who uses it needs read and
///     write permission.
/// create: "if-missing"; "never" only opens what exists; "only" only opens what it creates.
/// any_owner: opens it although it belongs to another user, who can do with it what he likes. (What
///     belongs to root is always opened.)
///
/// One with a name persists until Mutex.unlink(name); one in a segment, as long as the segment does. A
/// handle is closed by close(), and when it is forgotten. It may be shared by threads, used in a
/// forked child, and sent to another process: pickled, it is its name, or its segment's and the offset,
/// and unpickling opens it, but never creates it.
///
/// What fails raises OSError as with madang.Queue; a place that doesn't lie in the segment, or at no multiple
/// of 64, is EINVAL. What can't be meant at all is TypeError, ValueError or OverflowError.
#[pyclass(frozen, module = "madang")]
pub(crate) struct Mutex {
    at: Placed<madang::UnguardedMutex>,
}

#[pymethods]
impl Mutex {
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

    /// Acquires the mutex; waits until it can. The arguments, and what it returns, are as of
    /// threading.Lock.acquire.
    ///
    /// blocking: False doesn't wait.
    /// timeout: in seconds; -1, or None, waits for ever.
    ///
    /// Returns whether it is held now: False if somebody else had it until the time was over. Then
    /// `owner_died` says what became of the last owner.
    ///
    /// Other threads go on while it waits. Signal handlers run, and then it goes on to the same deadline.
    ///
    /// Raises OSError with EOWNERDEAD if the others found this handle dead and went on without it; EBADF;
    /// ValueError for another timeout below 0, or one with blocking=False; and what a signal handler
    /// raises, as KeyboardInterrupt. Then it isn't held.
    #[pyo3(
        signature = (blocking=true, timeout=Patience::FOR_EVER),
        text_signature = "($self, blocking=True, timeout=-1)"
    )]
    pub(super) fn acquire(&self, py: Python, blocking: bool, timeout: Patience) -> Result<bool> {
        let timeout = timeout.of(blocking)?;
        match self.at.handle.lock().object(&self.at.handle)?.take_until(Deadline::INSTANT) {
            Err(error) if timeout::may_wait(&error, timeout) => {}
            outcome => return in_time(outcome.map(drop).map_err(Error::from)),
        }
        in_time(timeout::wait(py, timeout::deadline(timeout), |slice| {
            let mutex = self.at.share()?;
            py.detach(|| Ok(mutex.take_until(slice).map(drop)?))
        }))
    }

    /// Releases the mutex. Any thread may, with the handle that acquired it.
    ///
    /// Raises PermissionError (EPERM) if this handle doesn't hold it; OSError with EOWNERDEAD in a child that
    /// was forked when its parent held it, or if somebody else wrote over it; EBADF.
    pub(super) fn release(&self) -> Result<()> {
        Ok(self.at.handle.lock().object(&self.at.handle)?.unlock()?)
    }

    /// Whether somebody has it. It may be otherwise at the next moment. Raises OSError as acquire does.
    fn locked(&self) -> Result<bool> {
        Ok(self.at.share()?.is_locked()?)
    }

    /// Whether, when this handle acquired it last, the owner before had died while he had it: what the mutex
    /// guards may be half changed. The next who acquires it isn't told any more.
    #[getter]
    fn owner_died(&self) -> Result<bool> {
        Ok(self.at.share()?.owner_died())
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
    /// If it holds the mutex, that is left as a death would leave it: the next who acquires it is told.
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
        Ok(madang::Mutex::unlink(name)?)
    }

    fn __enter__<'py>(slf: Bound<'py, Self>, py: Python<'py>) -> Result<Bound<'py, Self>> {
        slf.get().acquire(py, true, Patience::FOR_EVER)?;
        Ok(slf)
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, _exception: &Bound<'_, PyAny>) -> Result<()> {
        self.release()
    }

    /// Pickled, it is its name, or its segment's and the offset.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> Result<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        slf.get().at.reduce(slf.get_type().as_any(), None)
    }

    fn __repr__(&self) -> String {
        self.at.repr()
    }
}

impl Mutex {
    pub(super) fn share(&self) -> Result<Arc<UnguardedMutex>> {
        self.at.share()
    }
}

/// How long one waits for a lock, as `threading` says it.
#[derive(Clone, Copy)]
pub(super) struct Patience(Option<Timeout>);

impl Patience {
    pub(super) const FOR_EVER: Self = Self(None);

    fn of(self, blocking: bool) -> PyResult<Option<Timeout>> {
        match self.0 {
            timeout if blocking => Ok(timeout),
            None => Ok(Some(Timeout::ZERO)),
            Some(_) => Err(PyValueError::new_err("a timeout, and blocking=False: one of them")),
        }
    }
}

impl FromPyObject<'_, '_> for Patience {
    type Error = PyErr;

    fn extract(seconds: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        if seconds.is_none() || seconds.extract::<f64>().is_ok_and(|seconds| seconds == -1.0) {
            return Ok(Self::FOR_EVER);
        }
        Ok(Self(Some(seconds.extract()?)))
    }
}
