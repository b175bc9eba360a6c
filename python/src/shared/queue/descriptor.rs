//! Waiting for queues by descriptors, and what `madang/_asynchronous.py` is built on: tries that never wait, and the descriptor that
//! all tasks of an event loop share.

use std::os::fd::{AsFd, AsRawFd, RawFd};

use madang::{Deadline, Rung};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyBool;

use super::{MUCH, Queue, Which};
use crate::buffer::Readable;
use crate::error::{Error, Result};
use crate::timeout::Timeout;

/// The number of one of the queue's descriptors.
pub(super) fn fileno(queue: &Queue, sends: bool) -> Result<RawFd> {
    let queue = queue.handle.share()?;
    let fd = if sends { queue.send_fd()? } else { queue.recv_fd()? };
    Ok(fd.as_raw_fd())
}

/// A [`Which`], as it was given, if it was.
#[derive(Default)]
pub(crate) struct Given<'py>(Option<Bound<'py, PyAny>>);

impl<'py> FromPyObject<'_, 'py> for Given<'py> {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        given.extract::<Which>()?;
        Ok(Self(Some(given.to_owned())))
    }
}

/// What is received in asyncio.
pub(super) fn receive<'py>(
    queue: &Bound<'py, Queue>,
    r#type: Given<'py>,
    timeout: Option<Timeout>,
) -> Result<Bound<'py, PyAny>> {
    match r#type.0 {
        Some(r#type) => coroutine(queue, "recv", None, r#type, timeout),
        None => coroutine(queue, "recv", None, 0, timeout),
    }
}

/// What is sent in asyncio.
pub(super) fn send<'py>(
    queue: &Bound<'py, Queue>,
    data: &Bound<'py, PyAny>,
    r#type: i64,
    timeout: Option<Timeout>,
) -> Result<Bound<'py, PyAny>> {
    coroutine(queue, "send", Some(data), r#type, timeout)
}

/// A coroutine: that function of `_asynchronous`, called with the queue, these arguments and the time-out.
fn coroutine<'py>(
    queue: &Bound<'py, Queue>,
    function: &str,
    data: Option<&Bound<'py, PyAny>>,
    r#type: impl IntoPyObject<'py>,
    timeout: Option<Timeout>,
) -> Result<Bound<'py, PyAny>> {
    static MODULE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let py = queue.py();
    let import = || Ok::<_, PyErr>(py.import("madang._asynchronous")?.unbind());
    let function = MODULE.get_or_try_init(py, import)?.bind(py).getattr(function)?;
    let timeout = timeout.map(Timeout::seconds);
    Ok(match data {
        Some(data) => function.call1((queue, data, r#type, timeout))?,
        None => function.call1((queue, r#type, timeout))?,
    })
}

/// What a try found that can't have what it wants: `None` if there is nothing, `False` if somebody is inside, so that it should be
/// tried again soon.
fn not_now(py: Python<'_>, error: Error) -> Result<Option<Bound<'_, PyAny>>> {
    match error {
        Error::Core(error) if error.errno() == libc::EAGAIN => Ok(None),
        Error::Core(error) if error.errno() == libc::EBUSY => Ok(Some(PyBool::new(py, false).to_owned().into_any())),
        error => Err(error),
    }
}

/// What recv would return, if it needn't wait; see [`not_now`].
#[pyfunction(name = "_try_recv")]
pub(crate) fn try_recv<'py>(py: Python<'py>, queue: &Queue, r#type: Which) -> Result<Option<Bound<'py, PyAny>>> {
    let select = r#type.into();
    let received = match queue.try_small(py, select) {
        Err(error) => match error.needed_length() {
            Some(length) => queue.recv_slow(py, select, Deadline::NOW, length),
            None => Err(error),
        },
        received => received,
    };
    received.map_or_else(|error| not_now(py, error), |message| Ok(Some(message.into_any())))
}

/// Sends and returns `True`, if it needn't wait; see [`not_now`].
#[pyfunction(name = "_try_send")]
pub(crate) fn try_send<'py>(
    py: Python<'py>,
    queue: &Queue,
    data: Readable,
    r#type: i64,
) -> Result<Option<Bound<'py, PyAny>>> {
    let data = data.as_slice();
    let sent = if data.len() < MUCH {
        queue.handle.lock().object(&queue.handle)?.send_until(r#type, data, Deadline::INSTANT)
    } else {
        let queue = queue.handle.share()?;
        py.detach(|| queue.send_until(r#type, data, Deadline::INSTANT))
    };
    match sent {
        Ok(()) => Ok(Some(PyBool::new(py, true).to_owned().into_any())),
        Err(error) => not_now(py, error.into()),
    }
}

/// See `madang::Watcher`.
#[pyclass(name = "_Watcher", module = "madang")]
pub(crate) struct Watcher(madang::Watcher);

#[pymethods]
impl Watcher {
    #[new]
    fn new() -> Result<Self> {
        Ok(Self(madang::Watcher::new()?))
    }

    fn fileno(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }

    fn add(&mut self, queue: &Queue) -> Result<u64> {
        Ok(self.0.add(&queue.handle.share()?)?)
    }

    fn tick(&mut self, yes: bool) {
        self.0.tick(yes);
    }

    /// For each queue that is to be tried: its key, whether to receive, whether to send.
    fn rung(&mut self) -> Vec<(u64, bool, bool)> {
        self.0.rung().into_iter().map(|Rung { key, may_receive, may_send, .. }| (key, may_receive, may_send)).collect()
    }
}
