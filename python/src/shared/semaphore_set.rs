//! `madang.SemaphoreSet`.

// The constructor that PyO3 makes of a struct's fields.
#![allow(clippy::too_many_arguments, reason = "as many as there is to tell")]

use std::os::fd::{AsRawFd, RawFd};

use madang::Deadline;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};

use crate::error::{Error, Result};
use crate::options::{self, Count};
use crate::shared::handle::Handle;
use crate::shared::participant::Participant;
use crate::shared::repr;
use crate::timeout::{self, Timeout};

/// One operation on one semaphore of a set, as struct sembuf of semop(2). A value: compared, hashed and pickled.
///
/// index: the semaphore; the first is 0.
/// delta: what is added to its value, which never goes below 0: it is waited for until it is large
///     enough. 0 waits until it is 0.
/// undo: it is taken back when the handle is closed, or its process ends in any way (SEM_UNDO).
/// no_wait: if it can't be done at once, BlockingIOError is raised for all of them (IPC_NOWAIT).
#[pyclass(frozen, get_all, eq, hash, from_py_object, module = "madang")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Operation {
    /// The semaphore.
    index: u32,
    /// What is added to its value; 0 waits until it is 0.
    delta: i32,
    /// Whether it is taken back in the end.
    undo: bool,
    /// Whether it isn't waited for.
    no_wait: bool,
}

#[pymethods]
impl Operation {
    #[new]
    #[pyo3(signature = (index, delta, *, undo=false, no_wait=false))]
    fn new(index: u32, delta: i32, undo: bool, no_wait: bool) -> Self {
        Self { index, delta, undo, no_wait }
    }

    fn __repr__(&self) -> String {
        repr(self).replace("=true", "=True").replace("=false", "=False")
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> Result<(Bound<'py, PyAny>, (u32, i32))> {
        let Self { index, delta, undo, no_wait } = *slf.get();
        let flags = PyDict::new(slf.py());
        flags.set_item("undo", undo)?;
        flags.set_item("no_wait", no_wait)?;
        let partial = slf.py().import("functools")?.getattr("partial")?;
        Ok((partial.call((slf.get_type(),), Some(&flags))?, (index, delta)))
    }
}

/// An operation as the caller writes it: an [`Operation`], or a tuple of index and delta.
pub(crate) struct Asked(pub(crate) madang::Operation);

impl FromPyObject<'_, '_> for Asked {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        let operation = |index, delta, undo, no_wait| Self(madang::Operation { index, delta, undo, no_wait });
        if let Ok(asked) = object.cast::<Operation>() {
            let Operation { index, delta, undo, no_wait } = *asked.get();
            return Ok(operation(index, delta, undo, no_wait));
        }
        if object.cast::<PyTuple>().is_err() {
            return Err(PyTypeError::new_err("an operation is a madang.Operation, or a tuple (index, delta)"));
        }
        let (index, delta) = object.extract()?;
        Ok(operation(index, delta, false, false))
    }
}

/// How many wait for a semaphore. A value: compared, hashed and pickled.
#[pyclass(frozen, get_all, eq, hash, new = "from_fields", module = "madang")]
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Waiting {
    /// For its value to grow (GETNCNT).
    to_grow: u32,
    /// For its value to become 0 (GETZCNT).
    for_zero: u32,
}

#[pymethods]
impl Waiting {
    fn __repr__(&self) -> String {
        repr(self)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyType>, (u32, u32)) {
        (slf.get_type(), (slf.get().to_grow, slf.get().for_zero))
    }
}

impl From<madang::Waiting> for Waiting {
    fn from(waiting: madang::Waiting) -> Self {
        Self { to_grow: waiting.to_grow, for_zero: waiting.for_zero }
    }
}

/// What SemaphoreSet.stat() tells; a snapshot. A value: compared, hashed and pickled.
#[pyclass(frozen, get_all, eq, hash, new = "from_fields", module = "madang")]
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct SemaphoreSetStatus {
    /// How many semaphores it has.
    semaphores: u64,
    /// The largest value that one may have.
    max_value: u64,
    /// How many open handles it has room for.
    max_participants: u64,
    /// Open handles in all living processes.
    participants: u64,
    /// How often the living repaired what a killed process left half done.
    repairs: u64,
    /// Bytes of memory that it takes.
    allocated: u64,
    /// Permission bits.
    mode: u64,
    /// The owner's user id.
    uid: u64,
    /// The owner's group id.
    gid: u64,
}

#[pymethods]
impl SemaphoreSetStatus {
    fn __repr__(&self) -> String {
        repr(self)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyType>, Bound<'py, PyTuple>)> {
        let told = slf.get();
        let fields = [
            told.semaphores,
            told.max_value,
            told.max_participants,
            told.participants,
            told.repairs,
            told.allocated,
            told.mode,
            told.uid,
            told.gid,
        ];
        Ok((slf.get_type(), PyTuple::new(slf.py(), fields)?))
    }
}

impl From<madang::SemaphoreSetStatus> for SemaphoreSetStatus {
    fn from(status: madang::SemaphoreSetStatus) -> Self {
        Self {
            semaphores: status.semaphores.into(),
            max_value: status.max_value.into(),
            max_participants: status.max_participants.into(),
            participants: status.participants.into(),
            repairs: status.repairs,
            allocated: status.allocated,
            mode: status.mode.into(),
            uid: status.uid.into(),
            gid: status.gid.into(),
        }
    }
}

/// A set of semaphores in shared memory, for any number of processes in any languages.
///
/// A semaphore is a number that is never below 0. Several are changed together or none of them, as
/// semop(2) does it:
///
///     s = madang.SemaphoreSet("slots", values=[8, 0])
///     s.operate([(0, -1), (1, +1)])  # waits until the first isn't 0
///
/// What is done with undo is taken back when the handle is closed or its process ends, be it by SIGKILL:
/// at once for whoever looks, and within 300 ms for who sleeps. Those who sleep are served in the order
/// in which they came; who comes just then may be quicker.
///
/// The constructor opens the set, or creates it. It doesn't wait.
///
/// name: 1 to 237 bytes of UTF-8, without "/". The set is the file madang.semaphores.NAME in /dev/shm, or in
///     the directory whose absolute path MADANG_DIR has.
/// values: with which the semaphores of a new set begin; nobody ever sees it without them. An existing
///     set keeps its own.
/// semaphores: how many it has, 65,536 at most; by default as many as values, or 1.
/// max_value: the largest value that one may have: 2**31 - 1 at most, which is the default.
/// max_participants: for how many open handles, in all processes together, it has room: 65,534 at most, by
///     default 1,024. Of an existing set, these three are the least that will do; None takes it as it is.
/// mode: the permission bits of a new set, exactly (no umask); 0 is 0o600 too. Who takes part needs read and
///     write permission.
/// create: "if-missing"; "never" only opens what exists; "only" only opens what it creates.
/// any_owner: opens it although it belongs to another user, who can do with it what he likes. (What
///     belongs to root is always opened.)
///
/// The set persists until SemaphoreSet.unlink(name). A handle is closed by close(), at the end of a `with`
/// block, and when it is forgotten. len(s) is how many semaphores it has. It may be shared by threads, used
/// in a forked child (which has nothing to be undone), and sent to another process: pickled, it is its
/// name, and unpickling opens the set, but never creates it.
///
/// What fails raises OSError as with madang.Queue; ERANGE for a value above the largest. What can't be meant
/// at all is ValueError or OverflowError.
#[pyclass(frozen, module = "madang")]
pub(crate) struct SemaphoreSet {
    handle: Handle<madang::SemaphoreSet>,
}

#[pymethods]
impl SemaphoreSet {
    #[new]
    #[pyo3(signature = (
        name, values=None, *, semaphores=None, max_value=None, max_participants=None, mode=0o600, create="if-missing",
        any_owner=false
    ))]
    fn new(
        name: &str,
        values: Option<Vec<u32>>,
        semaphores: Option<Count>,
        max_value: Option<Count>,
        max_participants: Option<Count>,
        #[pyo3(from_py_with = options::mode)] mode: u32,
        create: &str,
        any_owner: bool,
    ) -> Result<Self> {
        let number = |what: &str, count: Option<Count>| {
            let count = count.map_or(0, u64::from);
            u32::try_from(count).map_err(|_| Error::os(libc::EINVAL, format!("open {name:?}: {what} {count} (EINVAL)")))
        };
        let options = madang::SemaphoreSet::options()
            .values(&values.unwrap_or_default())
            .semaphores(number("semaphores", semaphores)?)
            .max_value(number("max_value", max_value)?)
            .max_participants(number("max_participants", max_participants)?)
            .mode(mode)
            .create(options::create(create)?)
            .any_owner(any_owner);
        // With the GIL, which guards the environment too.
        let set = options.open(name)?;
        let is_new = set.is_new();
        Ok(Self { handle: Handle::new("set", name, is_new, any_owner, set, ()) })
    }

    /// Does all of the operations, in their order, or none of them; waits until they can be done.
    ///
    /// operations: 1 to 512; each is a madang.Operation, or a tuple (index, delta): what is added to the value
    ///     of that semaphore. A negative delta waits until it is large enough, 0 waits until it is 0.
    /// timeout: in seconds. None waits for ever; 0 doesn't wait.
    ///
    /// Other threads go on while it waits. Signal handlers run, and then it goes on to the same deadline.
    ///
    /// Whatever it raises, nothing was done; but for EOWNERDEAD, after which it may have been.
    ///
    /// BlockingIOError (EAGAIN): they can't be done, and the timeout is 0, or the one that can't has no_wait.
    /// TimeoutError. OSError with EFBIG if the set has no semaphore of an index; ERANGE if a value would exceed
    /// max_value, or an amount to be undone; E2BIG for more than 512, EINVAL for none; EBUSY if the timeout
    /// is 0 and another participant stays inside for a second; ENOSPC if there is no memory for what is to be
    /// undone; EUCLEAN if the set is damaged; EOWNERDEAD if the others found this handle dead and went on
    /// without it; EBADF. ValueError, TypeError and OverflowError for what is no operation or timeout; and
    /// what a signal handler raises, as KeyboardInterrupt.
    #[pyo3(signature = (operations, timeout=None))]
    fn operate(&self, py: Python, operations: Vec<Asked>, timeout: Option<Timeout>) -> Result<()> {
        let operations: Vec<_> = operations.into_iter().map(|Asked(operation)| operation).collect();
        self.run(py, &operations, timeout)
    }

    /// Takes amount from the value of a semaphore; waits until it is as large. As operate([(index, -amount)]).
    ///
    /// undo: it is given back when the handle is closed or its process ends.
    #[pyo3(
        signature = (index=0, amount=Amount::ONE, timeout=None, *, undo=false),
        text_signature = "($self, index=0, amount=1, timeout=None, *, undo=False)"
    )]
    fn acquire(&self, py: Python, index: u32, amount: Amount, timeout: Option<Timeout>, undo: bool) -> Result<()> {
        let operation = madang::Operation { index, delta: -amount.0, undo, no_wait: false };
        self.run(py, &[operation], timeout)
    }

    /// Adds amount to the value of a semaphore. As operate([(index, amount)]).
    ///
    /// undo: it is taken back when the handle is closed or its process ends; so it evens out an acquire with
    ///     undo.
    #[pyo3(
        signature = (index=0, amount=Amount::ONE, *, undo=false),
        text_signature = "($self, index=0, amount=1, *, undo=False)"
    )]
    fn release(&self, py: Python, index: u32, amount: Amount, undo: bool) -> Result<()> {
        let operation = madang::Operation { index, delta: amount.0, undo, no_wait: false };
        self.run(py, &[operation], None)
    }

    /// A descriptor that is readable when what could not be done may be done now: for select, poll, selectors,
    /// and every event loop.
    ///
    /// Readable means "try", no more: another may have been faster, and now and then, up to four times a
    /// second, it is readable for nothing. It stays so until an operation with this handle raises
    /// BlockingIOError or TimeoutError; from then on a change of a semaphore that was wanted makes it readable
    /// again. So operate with timeout=0 until it can't be done, or select before each: both are right. There is
    /// nothing to arm. Who waits by it has no place in the order of those who sleep.
    ///
    /// It is the handle's: the same each time, and closed with it; take it out of a selector before. A
    /// forked child that waits by it calls this first. Threads that want different things open a handle
    /// each. It takes three descriptors, and one of the inotify instances of which a user has 128 by default.
    ///
    /// Raises OSError with EMFILE if the user's inotify instances, or the process's descriptors, are used up,
    /// ENOSPC if the user's inotify watches are: the text says which sysctl; ENFILE, ENOMEM; EOWNERDEAD (see
    /// operate); EBADF.
    fn fileno(&self) -> Result<RawFd> {
        Ok(self.handle.share()?.fd()?.as_raw_fd())
    }

    /// The value of one semaphore (GETVAL). What the dead had to be undone is given back before.
    ///
    /// Raises OSError with EFBIG if there is none of that index; EBUSY, EUCLEAN, EOWNERDEAD and EBADF as operate.
    fn value(&self, py: Python, index: u32) -> Result<u32> {
        let set = self.handle.share()?;
        Ok(py.detach(|| set.value(index))?)
    }

    /// The values of all semaphores at one moment (GETALL). Raises as value does.
    fn values(&self, py: Python) -> Result<Vec<u32>> {
        let set = self.handle.share()?;
        Ok(py.detach(|| set.values())?)
    }

    /// Sets the value of one semaphore (SETVAL). Nobody undoes anything on it any more.
    ///
    /// Raises OSError with ERANGE for a value above max_value; else as value does.
    fn set_value(&self, py: Python, index: u32, value: u32) -> Result<()> {
        let set = self.handle.share()?;
        Ok(py.detach(|| set.set_value(index, value))?)
    }

    /// Sets the values of all semaphores at once (SETALL). Nobody undoes anything on them any more.
    ///
    /// Raises OSError with EINVAL unless there are as many; else as set_value does.
    fn set_values(&self, py: Python, values: Vec<u32>) -> Result<()> {
        let set = self.handle.share()?;
        Ok(py.detach(|| set.set_values(&values))?)
    }

    /// The process that changed the semaphore last, or found it 0, as its own pid namespace numbers it; 0 is
    /// none (GETPID). Raises as value does.
    fn last_pid(&self, py: Python, index: u32) -> Result<u32> {
        let set = self.handle.share()?;
        Ok(py.detach(|| set.last_pid(index))?)
    }

    /// How many living threads wait for the semaphore (GETNCNT, GETZCNT). One that waits for several is
    /// counted where it is stuck. Raises as value does.
    fn waiting(&self, py: Python, index: u32) -> Result<Waiting> {
        let set = self.handle.share()?;
        Ok(py.detach(|| set.waiting(index))?.into())
    }

    /// What the set is. Raises OSError with EOWNERDEAD (see operate) or EBADF.
    fn stat(&self, py: Python) -> Result<SemaphoreSetStatus> {
        let set = self.handle.share()?;
        Ok(py.detach(|| set.stat())?.into())
    }

    /// Who takes part: every open handle, and those of killed processes whose place nobody has needed
    /// since. In no order. Raises as stat does.
    fn participants(&self, py: Python) -> Result<Vec<Participant>> {
        let set = self.handle.share()?;
        Ok(py.detach(|| set.participants())?.into_iter().map(Participant::from).collect())
    }

    /// How many semaphores it has.
    fn __len__(&self) -> Result<usize> {
        Ok(self.handle.lock().object(&self.handle)?.len() as usize)
    }

    /// As a file or socket is: `if set` asks whether there is a handle.
    fn __bool__(&self) -> bool {
        true
    }

    /// The name by which it was opened.
    #[getter]
    fn name(&self) -> &str {
        &self.handle.name
    }

    /// The largest value that one of its semaphores may have.
    #[getter]
    fn max_value(&self) -> Result<u32> {
        Ok(self.handle.share()?.max_value())
    }

    /// Whether this very handle created it.
    #[getter]
    fn is_new(&self) -> bool {
        self.handle.is_new
    }

    /// Whether this handle is closed.
    #[getter]
    fn closed(&self) -> bool {
        self.handle.is_closed()
    }

    /// Closes the handle, and takes back what was done by it with undo; doesn't unlink the set. Closing it again
    /// does nothing.
    ///
    /// A call that waits in another thread raises OSError with EBADF within a fifth of a second.
    fn close(&self, py: Python) {
        self.handle.close(py);
    }

    /// Takes the name away; who has the set open goes on with it. The next open makes a new one.
    ///
    /// Raises FileNotFoundError; PermissionError if it is another user's; IsADirectoryError; OSError with
    /// EINVAL or ENAMETOOLONG for a bad name.
    #[staticmethod]
    fn unlink(name: &str) -> Result<()> {
        Ok(madang::SemaphoreSet::unlink(name)?)
    }

    fn __enter__(slf: Bound<'_, Self>) -> Result<Bound<'_, Self>> {
        slf.get().handle.share()?;
        Ok(slf)
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python, _exception: &Bound<'_, PyAny>) {
        self.close(py);
    }

    /// Pickled, a set is its name.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> Result<(Bound<'py, PyAny>, (String,))> {
        slf.get().handle.reduce(slf.get_type().as_any(), &PyDict::new(slf.py()))
    }

    fn __repr__(&self) -> String {
        let name = &self.handle.name;
        match self.handle.get() {
            Some(set) => format!("<madang.SemaphoreSet {name:?}: {} semaphores>", set.len()),
            None => format!("<madang.SemaphoreSet {name:?}: closed>"),
        }
    }
}

impl SemaphoreSet {
    fn run(&self, py: Python, operations: &[madang::Operation], timeout: Option<Timeout>) -> Result<()> {
        match self.handle.lock().object(&self.handle)?.operate_until(operations, Deadline::INSTANT) {
            // What is not to be waited for isn't, whatever the timeout.
            Err(error) if timeout::may_wait(&error, timeout) && !may_not_wait(&error, operations) => {}
            outcome => return Ok(outcome?),
        }
        // It keeps its place in the order from slice to slice.
        let mut turn = madang::Turn::default();
        let done = timeout::wait(py, timeout::deadline(timeout), |slice| {
            let set = self.handle.share()?;
            py.detach(|| Ok(set.operate_in_turn(&mut turn, operations, slice)?))
        });
        // If it was closed meanwhile, others find the place empty.
        if let Ok(set) = self.handle.share() {
            py.detach(|| set.end_turn(&mut turn));
        }
        done
    }
}

/// Whether that it can't be done at once is final: then the one operation that there is isn't waited for. (Of several, the core knows.)
fn may_not_wait(error: &madang::Error, operations: &[madang::Operation]) -> bool {
    error.errno() == libc::EAGAIN && operations.iter().all(|operation| operation.no_wait)
}

/// How much is taken or given: 1 or more.
struct Amount(i32);

impl Amount {
    const ONE: Self = Self(1);
}

impl FromPyObject<'_, '_> for Amount {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        let amount: i32 = object.extract()?;
        if amount < 1 {
            return Err(options::bad_value(format!("an amount of {amount}: it is 1 or more")));
        }
        Ok(Self(amount))
    }
}
