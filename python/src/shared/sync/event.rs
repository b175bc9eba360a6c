//! `madang.Event`.

// The constructor has as many arguments as there is to tell.
#![allow(clippy::too_many_arguments, reason = "as many as there is to tell")]

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::{Asked, Placed, in_time};
use crate::error::Result;
use crate::options;
use crate::shared::segment::Segment;
use crate::timeout::{self, Timeout};

/// An event in shared memory: it is set or not, and one waits until it is. It is used as a threading.Event is.
///
///     ready = madang.Event("ready")
///     ready.wait(timeout=1.0)
///
/// The constructor opens it, or creates it, not set. It doesn't wait.
///
/// name: 1 to 242 bytes of UTF-8, without "/". It is the file madang.event.NAME in /dev/shm, or in the
///     directory whose absolute path MADANG_DIR has.
/// segment, offset: instead of a name, where in a madang.Segment it lies: 64 bytes there are its own, at a
///     multiple of 64, by default at the start. All 0, as in a new segment, is its initial state: not set.
///     It keeps the segment's memory mapped.
/// mode: the permission bits of a new one, exactly (no umask); 0 is 0o600 too. Who uses it needs read and
///     write permission.
/// create: "if-missing"; "never" only opens what exists; "only" only opens what it creates.
/// any_owner: opens it although it belongs to another user, who can do with it what he likes. (What
///     belongs to root is always opened.)
///
/// One with a name persists until Event.unlink(name); one in a segment, as long as the segment does. A
/// handle is closed by close(), at the end of a `with` block, and when it is forgotten. It may be shared by threads, used in a
/// forked child, and sent to another process: pickled, it is its name, or its segment's and the offset,
/// and unpickling opens it, but never creates it.
///
/// What fails raises OSError as with madang.Queue; a place that doesn't lie in the segment, or at no multiple
/// of 64, is EINVAL. What can't be meant at all is TypeError, ValueError or OverflowError.
#[pyclass(frozen, module = "madang")]
pub(crate) struct Event {
    at: Placed<madang::Event>,
}

#[pymethods]
impl Event {
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

    /// Sets it: all who wait go on, even if it is cleared at once; and who comes doesn't wait.
    ///
    /// Raises OSError with EOWNERDEAD if the others found this handle dead and went on without it; EBADF.
    fn set(&self) -> Result<()> {
        Ok(self.at.share()?.set()?)
    }

    /// Takes it back: who comes waits again. Raises OSError with EBADF.
    fn clear(&self) -> Result<()> {
        self.at.share()?.clear();
        Ok(())
    }

    /// Whether it is set. Raises OSError with EBADF.
    fn is_set(&self) -> Result<bool> {
        Ok(self.at.share()?.is_set())
    }

    /// Waits until it is set. Returns whether it is, or was meanwhile; False if the time was over.
    ///
    /// timeout: in seconds. None waits for ever; 0 doesn't wait.
    ///
    /// Other threads go on while it waits. Signal handlers run, and then it goes on to the same deadline; an
    /// event that was set for a moment is not missed by that.
    ///
    /// Raises as set does; and what a signal handler raises, as KeyboardInterrupt.
    #[pyo3(signature = (timeout=None))]
    fn wait(&self, py: Python, timeout: Option<Timeout>) -> Result<bool> {
        let event = self.at.share()?;
        if event.is_set() {
            return Ok(true);
        }
        let since = event.come();
        in_time(timeout::wait(py, timeout::deadline(timeout), |slice| {
            self.at.share()?;
            py.detach(|| Ok(event.await_from(since, slice)?))
        }))
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
        Ok(madang::Event::unlink(name)?)
    }

    fn __enter__(slf: Bound<'_, Self>) -> Result<Bound<'_, Self>> {
        slf.get().at.share()?;
        Ok(slf)
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python, _exception: &Bound<'_, PyAny>) {
        self.close(py);
    }

    /// Pickled, it is its name, or its segment's and the offset.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> Result<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        slf.get().at.reduce(slf.get_type().as_any(), None)
    }

    fn __repr__(&self) -> String {
        self.at.repr()
    }
}
