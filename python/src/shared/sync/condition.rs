//! `madang.Condition`.

// The constructor has as many arguments as there is to tell.
#![allow(clippy::too_many_arguments, reason = "as many as there is to tell")]

use madang::{Deadline, UnguardedMutex};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::mutex::{Mutex, Patience};
use super::{Asked, Placed, in_time};
use crate::error::Result;
use crate::options;
use crate::shared::segment::Segment;
use crate::timeout::{self, Timeout};

/// A condition in shared memory: one waits until another tells that something may have changed. It goes with a
/// madang.Mutex, which guards that something.
///
///     changed = madang.Condition(mutex, "changed")
///     with changed:
///         changed.wait_for(lambda: view[0] == 1)
///
/// It is used as a threading.Condition is; `with` acquires and releases the mutex. One waits in a loop, or by
/// wait_for, since now and then one is woken though nothing has changed. A process that is killed before it
/// tells has told nobody: where that may be, wait with a timeout.
///
/// The constructor opens it, or creates it. It doesn't wait.
///
/// mutex: the madang.Mutex that goes with it: by name or in a segment, as the condition itself.
/// name: 1 to 238 bytes of UTF-8, without "/". It is the file madang.condition.NAME in /dev/shm, or in the
///     directory whose absolute path MADANG_DIR has.
/// segment, offset: instead of a name, where in a madang.Segment it lies: 64 bytes there are its own, at a
///     multiple of 64, by default at the start. All 0, as in a new segment, is its initial state: nobody waits.
///     It keeps the segment's memory mapped.
/// mode: the permission bits of a new one, exactly (no umask); 0 is 0o600 too. Who uses it needs read and
///     write permission.
/// create: "if-missing"; "never" only opens what exists; "only" only opens what it creates.
/// any_owner: opens it although it belongs to another user, who can do with it what he likes. (What
///     belongs to root is always opened.)
///
/// One with a name persists until Condition.unlink(name); one in a segment, as long as the segment does. A
/// handle is closed by close(), and when it is forgotten. It may be shared by threads, used in a
/// forked child, and sent to another process: pickled, it is its name, or its segment's and the offset,
/// and unpickling opens it, but never creates it.
///
/// What fails raises OSError as with madang.Queue; a place that doesn't lie in the segment, or at no multiple
/// of 64, is EINVAL. What can't be meant at all is TypeError, ValueError or OverflowError.
#[pyclass(frozen, module = "madang")]
pub(crate) struct Condition {
    at: Placed<madang::Condition>,
    mutex: Py<Mutex>,
}

#[pymethods]
impl Condition {
    #[new]
    #[pyo3(signature = (
        mutex, name=None, *, segment=None, offset=None, mode=0o600, create="if-missing", any_owner=false
    ))]
    fn new(
        mutex: Py<Mutex>,
        name: Option<&str>,
        segment: Option<Bound<'_, Segment>>,
        offset: Option<usize>,
        #[pyo3(from_py_with = options::mode)] mode: u32,
        create: &str,
        any_owner: bool,
    ) -> Result<Self> {
        Ok(Self { at: Placed::open(Asked { name, segment, offset, mode, create, any_owner })?, mutex })
    }

    /// Releases the mutex, waits until somebody notifies, and acquires the mutex again.
    ///
    /// timeout: in seconds, besides what it takes to acquire the mutex again. None waits for ever.
    ///
    /// Returns whether it was notified, or woken for nothing; False if the time was over. Then, and whatever it
    /// raises but EOWNERDEAD, the mutex is held again; its `owner_died` says whether another owner died
    /// meanwhile.
    ///
    /// Other threads go on while it waits. Signal handlers run, and then it goes on to the same deadline; no
    /// notification is missed by that.
    ///
    /// Raises PermissionError (EPERM) if the mutex's handle doesn't hold it; OSError with EOWNERDEAD if the
    /// others found a handle dead and went on without it, EBADF; and what a signal handler raises, as
    /// KeyboardInterrupt.
    #[pyo3(signature = (timeout=None))]
    fn wait(&self, py: Python, timeout: Option<Timeout>) -> Result<bool> {
        self.wait_until(py, timeout::deadline(timeout))
    }

    /// Waits until predicate() is true; as threading.Condition.wait_for.
    ///
    /// predicate: called with the mutex held.
    /// timeout: in seconds, for all waits together. None waits for ever.
    ///
    /// Returns what predicate returned last. Raises what it raises, and what wait raises.
    #[pyo3(signature = (predicate, timeout=None))]
    fn wait_for<'py>(
        &self,
        py: Python<'py>,
        predicate: &Bound<'py, PyAny>,
        timeout: Option<Timeout>,
    ) -> Result<Bound<'py, PyAny>> {
        let deadline = timeout::deadline(timeout);
        loop {
            let found = predicate.call0()?;
            if found.is_truthy()? {
                return Ok(found);
            }
            if !self.wait_until(py, deadline)? {
                return Ok(predicate.call0()?);
            }
        }
    }

    /// Wakes n of those who wait, if as many do. The mutex need not be held.
    ///
    /// Raises OSError with EOWNERDEAD if the others found this handle dead and went on without it; EBADF.
    #[pyo3(signature = (n=1))]
    fn notify(&self, n: i64) -> Result<()> {
        let count = n.clamp(0, i32::MAX.into()) as u32;
        Ok(self.at.share()?.notify(count)?)
    }

    /// Wakes all who wait. The mutex need not be held. Raises as notify does.
    fn notify_all(&self) -> Result<()> {
        Ok(self.at.share()?.notify_all()?)
    }

    /// Acquires the mutex: as its acquire.
    #[pyo3(
        signature = (blocking=true, timeout=Patience::FOR_EVER),
        text_signature = "($self, blocking=True, timeout=-1)"
    )]
    fn acquire(&self, py: Python, blocking: bool, timeout: Patience) -> Result<bool> {
        self.mutex.get().acquire(py, blocking, timeout)
    }

    /// Releases the mutex: as its release.
    fn release(&self) -> Result<()> {
        self.mutex.get().release()
    }

    /// The mutex that goes with it.
    #[getter]
    fn mutex(&self, py: Python) -> Py<Mutex> {
        self.mutex.clone_ref(py)
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
    /// The mutex stays open.
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
        Ok(madang::Condition::unlink(name)?)
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
        let mutex = slf.get().mutex.bind(slf.py()).clone().into_any();
        slf.get().at.reduce(slf.get_type().as_any(), Some(mutex))
    }

    fn __repr__(&self) -> String {
        self.at.repr()
    }
}

impl Condition {
    fn wait_until(&self, py: Python, deadline: Deadline) -> Result<bool> {
        let (condition, mutex) = (self.at.share()?, self.mutex.get().share()?);
        // One announcement for all slices: who notifies in between is heard.
        let announcement = condition.announce()?;
        mutex.unlock()?;
        let slept = timeout::wait(py, deadline, |slice| {
            self.at.share()?;
            py.detach(|| Ok(condition.sleep(announcement, slice)?))
        });
        acquire_again(py, &mutex)?;
        in_time(slept)
    }
}

/// Acquires the mutex, whatever signal handlers raise meanwhile; the first exception is raised then.
fn acquire_again(py: Python, mutex: &UnguardedMutex) -> Result<()> {
    let mut raised = Ok(());
    loop {
        match py.detach(|| mutex.take_until(Deadline::after(timeout::SLICE))) {
            Ok(_) => return Ok(raised?),
            Err(error) if matches!(error.errno(), libc::EINTR | libc::ETIMEDOUT) => {
                raised = raised.and(py.check_signals());
            }
            Err(error) => return Err(error.into()),
        }
    }
}
