//! `madang.kernel.signal`.

use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ThreadId};

use madang::signal::{self, Set, Signal};
use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::PySet;

use super::fds::Fd;
use super::held::Held;
use crate::descriptor;
use crate::error::Result;
use crate::options;
use crate::timeout::{self, Timeout};

/// A signal as it was given: a number (signal.SIGUSR1 is one), or a name.
#[derive(Clone, Copy)]
pub(crate) struct One(Signal);

impl FromPyObject<'_, '_> for One {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        let found = match object.extract::<&str>() {
            Ok(name) => name.parse(),
            Err(_) => Signal::new(object.extract()?),
        };
        Ok(Self(found.map_err(crate::error::Error::from)?))
    }
}

/// One signal, or several.
#[derive(Clone, Copy)]
pub(crate) struct Signals(Set);

impl FromPyObject<'_, '_> for Signals {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        // A text is iterable, too.
        match object.extract::<One>() {
            Err(error) if error.is_instance_of::<PyTypeError>(object.py()) => {
                let Ok(several) = object.try_iter() else { return Err(error) };
                several.map(|one| one?.extract::<One>().map(|one| one.0)).collect::<PyResult<_>>().map(Self)
            }
            one => one.map(|one| Self(one.0.into())),
        }
    }
}

/// A value that goes along with a signal.
fn value(value: &Bound<'_, PyAny>) -> PyResult<i32> {
    let number = options::number("a value", value)?;
    i32::try_from(number).map_err(|_| options::bad_value(format!("a value of {number}: 32 bits don't hold it")))
}

/// As Python's own signal module gives them: a `signal.Signals`, or an int where that has no name.
fn to_python(py: Python<'_>, signal: Signal) -> PyResult<Bound<'_, PyAny>> {
    let named = py.import("signal")?.getattr("Signals")?.call1((signal.number(),));
    named.or_else(|_| Ok(signal.number().into_pyobject(py)?.into_any()))
}

fn to_python_set(py: Python<'_>, set: Set) -> Result<Bound<'_, PySet>> {
    let all: Vec<_> = set.iter().map(|signal| to_python(py, signal)).collect::<PyResult<_>>()?;
    Ok(PySet::new(py, all)?)
}

/// A signal that was taken, and who sent it.
#[pyclass(frozen, module = "madang.kernel.signal")]
pub(crate) struct Info(signal::Info);

#[pymethods]
impl Info {
    /// Which: a signal.Signals, or an int if that has no name for it.
    #[getter]
    fn signal<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        Ok(to_python(py, self.0.signal)?)
    }

    /// How it was sent, see sigaction(2): 0 (SI_USER) by kill, -1 (SI_QUEUE) with a value, positive by the kernel.
    #[getter]
    fn code(&self) -> i32 {
        self.0.code
    }

    /// Who sent it, or, of SIGCHLD, which child; 0 for the kernel.
    #[getter]
    fn pid(&self) -> i32 {
        self.0.pid
    }

    /// The real user id of that process.
    #[getter]
    fn uid(&self) -> u32 {
        self.0.uid
    }

    /// The value that was sent along; else 0.
    #[getter]
    fn value(&self) -> i32 {
        self.0.value
    }

    /// Of SIGCHLD: the exit status, or the signal that ended the child.
    #[getter]
    fn status(&self) -> i32 {
        self.0.status
    }

    fn __repr__(&self) -> String {
        let signal::Info { signal, code, pid, uid, value, status, .. } = self.0;
        format!("<madang.signal.Info {signal}: code={code} pid={pid} uid={uid} value={value} status={status}>")
    }
}

/// Blocks signals in the thread that enters the `with` block, until it leaves it:
///
///     with madang.signal.block({signal.SIGUSR1, "SIGRTMIN+3"}):
///         info = madang.signal.wait("SIGUSR1", timeout=5.0)
///
/// A signal that is blocked waits until somebody takes it; what wasn't taken is handled when the block ends.
/// Threads and processes that are made meanwhile inherit the mask. A signal to the process goes to any
/// thread that doesn't block it: so block in the main thread before others are made. (To block for good:
/// signal.pthread_sigmask.)
///
/// Entering raises OSError with EINVAL for SIGKILL and SIGSTOP, which can't be blocked, and for none.
/// Leaving in another thread is RuntimeError.
#[pyclass(frozen, name = "block", module = "madang.kernel.signal")]
pub(crate) struct Block {
    set: Set,
    /// For each time that it was entered: by whom, and the mask before.
    entered: Mutex<Vec<(ThreadId, Set)>>,
}

#[pymethods]
impl Block {
    #[new]
    fn new(signals: Signals) -> Self {
        Self { set: signals.0, entered: Mutex::default() }
    }

    fn __enter__(slf: Bound<'_, Self>) -> Result<Bound<'_, Self>> {
        let block = slf.get();
        let blocked = block.set.block()?;
        let mut entered = block.entered.lock().unwrap_or_else(PoisonError::into_inner);
        entered.push((thread::current().id(), blocked.before()));
        drop(entered);
        // `__exit__` restores it.
        std::mem::forget(blocked);
        Ok(slf)
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python, _exception: &Bound<'_, PyAny>) -> Result<()> {
        let mut entered = self.entered.lock().unwrap_or_else(PoisonError::into_inner);
        let me = thread::current().id();
        let Some(&(_, before)) = entered.last().filter(|(thread, _)| *thread == me) else {
            return Err(PyRuntimeError::new_err(
                "a signal mask is a thread's: leave the block in the one that entered it",
            )
            .into());
        };
        entered.pop();
        drop(entered);
        before.replace_mask()?;
        // What waited has come now: its Python handler runs here, and not somewhere later.
        py.check_signals()?;
        Ok(())
    }
}

/// Takes one of these signals, which the calling thread blocks; waits for one, at most `timeout` seconds.
///
/// signals: a number (signal.SIGUSR1), a name ("SIGUSR1", "USR1", "SIGRTMIN+3"), or several of them.
///
/// Python's handlers of other signals run meanwhile. A signal that is taken here has no handler run.
///
/// Raises OSError with EINVAL if one of them isn't blocked (it would be handled instead), or can't be;
/// TimeoutError; BlockingIOError if timeout is 0.
#[pyfunction]
#[pyo3(signature = (signals, timeout=None))]
pub(crate) fn wait(py: Python, signals: Signals, timeout: Option<Timeout>) -> Result<Info> {
    let deadline = timeout::deadline(timeout);
    Ok(Info(timeout::wait(py, deadline, |slice| Ok(py.detach(|| signals.0.wait_until(slice))?))?))
}

/// The signals that were sent to the thread, or to the process, and wait since they are blocked: a set.
#[pyfunction]
pub(crate) fn pending(py: Python<'_>) -> Result<Bound<'_, PySet>> {
    to_python_set(py, signal::pending()?)
}

/// The signals that the calling thread blocks: a set.
#[pyfunction]
pub(crate) fn blocked(py: Python<'_>) -> Result<Bound<'_, PySet>> {
    to_python_set(py, signal::blocked()?)
}

/// Sends a signal to the process that has this id now: see Process. (A pid of 0 or less, which means groups or
/// everybody to os.kill, is EINVAL.)
///
/// Raises ProcessLookupError if there is none; PermissionError if it is another user's; OSError with EINVAL
/// for a bad pid or signal.
#[pyfunction]
pub(crate) fn kill(pid: i32, signal: One) -> Result<()> {
    Ok(signal::kill(pid, signal.0)?)
}

/// Sends a signal to each process of a group. Raises as kill does; EINVAL for a group below 2.
#[pyfunction]
pub(crate) fn kill_group(group: i32, signal: One) -> Result<()> {
    Ok(signal::kill_group(group, signal.0)?)
}

/// Sends a signal with a value, of 32 bits, to the process that has this id now.
///
/// Raises as kill does; BlockingIOError if too many signals wait for its user already.
#[pyfunction]
pub(crate) fn queue(pid: i32, signal: One, #[pyo3(from_py_with = self::value)] value: i32) -> Result<()> {
    Ok(signal::queue(pid, signal.0, value)?)
}

/// The real-time signal SIGRTMIN + offset, 0 to 30: a number. They queue, and are for programs to use. OSError with
/// EINVAL if there are not so many.
#[pyfunction]
pub(crate) fn rt(offset: u32) -> Result<i32> {
    Ok(Signal::rt(offset)?.number())
}

/// The number of the signal of that name: "SIGUSR1", "USR1", "SIGRTMIN+3". OSError with EINVAL if there is none.
#[pyfunction]
pub(crate) fn number(name: &str) -> Result<i32> {
    Ok(name.parse::<Signal>()?.number())
}

/// The signal's name: "SIGUSR1", "SIGRTMIN+3". OSError with EINVAL if there is no such signal.
#[pyfunction]
pub(crate) fn name(signal: One) -> String {
    signal.0.to_string()
}

/// A process, by a descriptor that stands for it and never for another one that got its id.
///
///     with madang.signal.Process(child.pid) as process:
///         process.queue("SIGUSR1", 42)
///         process.wait(timeout=5.0)
///
/// pid: the process that has this id now. That of a child is right as long as the child wasn't waited for;
///     of others madang.socket.Stream.peer_pidfd() knows better.
///
/// It is closed by close(), at the end of a `with` block, and when it is forgotten; the process goes on.
///
/// Raises ProcessLookupError if there is none; OSError with EINVAL for a pid below 1, ENOSYS before Linux 5.3.
#[pyclass(frozen, module = "madang.kernel.signal")]
pub(crate) struct Process(Held<signal::Process>);

#[pymethods]
impl Process {
    #[new]
    fn new(pid: i32) -> Result<Self> {
        Ok(Self(Held::new("process", signal::Process::open(pid)?)))
    }

    /// The process that a pidfd stands for; it is closed with the Process. OSError with EBADF if it isn't open.
    #[staticmethod]
    fn from_fd(fd: Fd) -> Result<Self> {
        let process = descriptor::take_over(fd.0, |fd| Ok(signal::Process::from(fd)))?;
        Ok(Self(Held::new("process", process)))
    }

    /// Sends it a signal.
    ///
    /// Raises ProcessLookupError if it has ended; PermissionError if it is another user's; EINVAL for a bad signal.
    fn send(&self, signal: One) -> Result<()> {
        Ok(self.0.share()?.send(signal.0)?)
    }

    /// Sends it a signal with a value, of 32 bits.
    ///
    /// Raises as send does; BlockingIOError if too many signals wait for its user already.
    fn queue(&self, signal: One, #[pyo3(from_py_with = self::value)] value: i32) -> Result<()> {
        Ok(self.0.share()?.queue(signal.0, value)?)
    }

    /// Waits until it has ended, at most `timeout` seconds. Whose child it is still has to wait for it (os.waitpid).
    ///
    /// Raises TimeoutError; BlockingIOError if timeout is 0.
    #[pyo3(signature = (timeout=None))]
    fn wait(&self, py: Python, timeout: Option<Timeout>) -> Result<()> {
        self.0.wait(py, timeout, true, |process, slice| process.wait_until(slice))
    }

    /// Its descriptor: readable when the process has ended.
    fn fileno(&self) -> Result<RawFd> {
        Ok(self.0.share()?.as_fd().as_raw_fd())
    }

    /// Whether it is closed.
    #[getter]
    fn closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Closes it; closing it again does nothing.
    fn close(&self, py: Python) {
        self.0.close(py);
    }

    fn __enter__(slf: Bound<'_, Self>) -> Result<Bound<'_, Self>> {
        slf.get().0.share()?;
        Ok(slf)
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python, _exception: &Bound<'_, PyAny>) {
        self.close(py);
    }
}

/// A descriptor that is readable when one of these signals waits: for select, selectors and asyncio.
///
/// signals: as wait takes them; the calling thread blocks them.
///
/// It takes what waits for the process, or for the thread that reads. Closing it unblocks nothing.
///
/// Raises OSError with EINVAL if one of them isn't blocked, or can't be.
#[pyclass(frozen, module = "madang.kernel.signal")]
pub(crate) struct Descriptor(Held<signal::Descriptor>);

#[pymethods]
impl Descriptor {
    #[new]
    fn new(signals: Signals) -> Result<Self> {
        Ok(Self(Held::new("descriptor", signal::Descriptor::new(signals.0)?)))
    }

    /// Takes one; waits for one, at most `timeout` seconds.
    ///
    /// Raises TimeoutError; BlockingIOError if timeout is 0.
    #[pyo3(signature = (timeout=None))]
    fn read(&self, py: Python, timeout: Option<Timeout>) -> Result<Info> {
        let info = self.0.wait(py, timeout, true, |descriptor, slice| descriptor.read_until(slice))?;
        Ok(Info(info))
    }

    /// Its number.
    fn fileno(&self) -> Result<RawFd> {
        Ok(self.0.share()?.as_fd().as_raw_fd())
    }

    /// Whether it is closed.
    #[getter]
    fn closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Closes it; closing it again does nothing.
    fn close(&self, py: Python) {
        self.0.close(py);
    }

    fn __enter__(slf: Bound<'_, Self>) -> Result<Bound<'_, Self>> {
        slf.get().0.share()?;
        Ok(slf)
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python, _exception: &Bound<'_, PyAny>) {
        self.close(py);
    }
}
