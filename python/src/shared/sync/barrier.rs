//! `madang.Barrier`.

// The constructor has as many arguments as there is to tell.
#![allow(clippy::too_many_arguments, reason = "as many as there is to tell")]

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::{Asked, Placed};
use crate::error::{Error, Result};
use crate::options;
use crate::shared::segment::Segment;
use crate::timeout::{self, Timeout};

/// A barrier in shared memory: several wait until all of them are there, again and again.
///
///     b = madang.Barrier(3, "start")
///     rank = b.wait()
///
/// It is used as a threading.Barrier is, but never breaks: who gives up, or is killed, while it waits is not
/// there any more, and the others go on waiting for as many as it takes.
///
/// The constructor opens it, or creates it. It doesn't wait.
///
/// parties: how many wait for each other, 1 to 120. The first who says so decides, for all and for good:
///     OSError with EINVAL for another number.
/// name: 1 to 240 bytes of UTF-8, without "/". It is the file madang.barrier.NAME in /dev/shm, or in the
///     directory whose absolute path MADANG_DIR has.
/// segment, offset: instead of a name, where in a madang.Segment it lies: 1024 bytes there are its own, at a
///     multiple of 64, by default at the start. All 0, as in a new segment, is its initial state: open for any number.
///     It keeps the segment's memory mapped.
/// mode: the permission bits of a new one, exactly (no umask); 0 is 0o600 too. Who uses it needs read and
///     write permission.
/// create: "if-missing"; "never" only opens what exists; "only" only opens what it creates.
/// any_owner: opens it although it belongs to another user, who can do with it what he likes. (What
///     belongs to root is always opened.)
///
/// One with a name persists until Barrier.unlink(name); one in a segment, as long as the segment does. A
/// handle is closed by close(), at the end of a `with` block, and when it is forgotten. It may be shared by threads, used in a
/// forked child, and sent to another process: pickled, it is its name, or its segment's and the offset,
/// and unpickling opens it, but never creates it.
///
/// What fails raises OSError as with madang.Queue; a place that doesn't lie in the segment, or at no multiple
/// of 64, is EINVAL. What can't be meant at all is TypeError, ValueError or OverflowError.
#[pyclass(frozen, module = "madang")]
pub(crate) struct Barrier {
    at: Placed<madang::Barrier>,
}

#[pymethods]
impl Barrier {
    #[new]
    #[pyo3(signature = (
        parties, name=None, *, segment=None, offset=None, mode=0o600, create="if-missing", any_owner=false
    ))]
    fn new(
        parties: i64,
        name: Option<&str>,
        segment: Option<Bound<'_, Segment>>,
        offset: Option<usize>,
        #[pyo3(from_py_with = options::mode)] mode: u32,
        create: &str,
        any_owner: bool,
    ) -> Result<Self> {
        let most = madang::Barrier::MOST_PARTIES;
        let parties = u32::try_from(parties)
            .ok()
            .filter(|parties| (1..=most).contains(parties))
            .ok_or_else(|| options::bad_value(format!("parties={parties}: they are 1 to {most}")))?;
        let at = Placed::<madang::Barrier>::open(Asked { name, segment, offset, mode, create, any_owner })?;
        at.share()?.set_parties(parties)?;
        Ok(Self { at })
    }

    /// Waits until all are there. Returns as which of them the caller came: 0 is the first, parties - 1 the last,
    /// who has something to do for all, if somebody has to.
    ///
    /// timeout: in seconds. None waits for ever; 0 doesn't wait.
    ///
    /// Other threads go on while it waits. Signal handlers run, and then it goes on to the same deadline; it
    /// stays there meanwhile.
    ///
    /// Raises BlockingIOError (EAGAIN) if not all are there and the timeout is 0; TimeoutError; OSError with
    /// EOWNERDEAD if the others found this handle dead and went on without it, EUCLEAN, EBADF; and what a signal
    /// handler raises, as KeyboardInterrupt. Then the caller isn't there any more.
    #[pyo3(signature = (timeout=None))]
    fn wait(&self, py: Python, timeout: Option<Timeout>) -> Result<u32> {
        let (barrier, deadline) = (self.at.share()?, timeout::deadline(timeout));
        // To come once for all slices: in between one is there, too.
        let attendance = timeout::wait(py, deadline, |slice| py.detach(|| Ok(barrier.come(slice)?)))?;
        let waited = timeout::wait(py, deadline, |slice| {
            self.at.share()?;
            py.detach(|| Ok(attendance.wait_until(slice)?))
        });
        let Err(error) = waited else { return waited };
        match (py.detach(|| attendance.go()), error) {
            (Some(rank), Error::Core(_)) => Ok(rank),
            (_, error) => Err(error),
        }
    }

    /// How many wait for each other.
    #[getter]
    fn parties(&self) -> Result<u32> {
        Ok(self.at.share()?.parties())
    }

    /// How many living wait now. Raises OSError with EOWNERDEAD or EBADF.
    #[getter]
    fn n_waiting(&self) -> Result<u32> {
        Ok(self.at.share()?.waiting()?)
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
        Ok(madang::Barrier::unlink(name)?)
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
        let barrier = slf.get();
        let parties = barrier.parties()?.into_pyobject(slf.py()).map_err(PyErr::from)?.into_any();
        barrier.at.reduce(slf.get_type().as_any(), Some(parties))
    }

    fn __repr__(&self) -> String {
        self.at.repr()
    }
}
