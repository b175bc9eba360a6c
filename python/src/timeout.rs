//! How long a call may wait, and how it waits: without the GIL, and so that signal handlers run.
//!
//! With the GIL held one may only try ([`Deadline::INSTANT`], which never sleeps): whoever waits with it stops all of
//! Python. So a method tries first, which is all that most calls need, and only then lets the GIL go.
//!
//! **Slices.** Python's signal handlers run in the main thread, when it asks. A wait is therefore cut into slices of
//! [`SLICE`], after each of which, and after each `EINTR`, the handlers run; then it goes on to the same deadline. Slices
//! are for signals that another thread was given, or that came just before the sleep. They are also when a thread
//! sees that another one closed the handle.

use std::time::Duration;

use madang::Deadline;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::error::{Error, Result};

/// The longest wait without a look at signals. Five looks a second cost next to nothing and seem prompt to a person.
pub(crate) const SLICE: Duration = Duration::from_millis(200);

/// The argument `timeout`, in seconds; `None` is for ever.
#[derive(Clone, Copy)]
pub(crate) struct Timeout(f64);

impl FromPyObject<'_, '_> for Timeout {
    type Error = PyErr;

    #[inline]
    fn extract(seconds: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        let seconds: f64 = seconds.extract()?;
        if seconds >= 0.0 { Ok(Self(seconds)) } else { Err(out_of_range(seconds)) }
    }
}

impl Timeout {
    pub(crate) const ZERO: Self = Self(0.0);

    pub(crate) fn seconds(self) -> f64 {
        self.0
    }
}

#[cold]
fn out_of_range(seconds: f64) -> PyErr {
    PyValueError::new_err(format!("timeout={seconds}: it is in seconds, 0 or more; None waits for ever"))
}

/// The moment until which a call with that timeout, made now, may wait.
pub(crate) fn deadline(timeout: Option<Timeout>) -> Deadline {
    match timeout {
        None => Deadline::NEVER,
        Some(Timeout(0.0)) => Deadline::NOW,
        // What is too long to count is for ever. Less than a nanosecond is little, but not "don't wait", whose error is another one.
        Some(Timeout(seconds)) => {
            let duration = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
            Deadline::after(duration.max(Duration::from_nanos(1)))
        }
    }
}

/// Whether an [`INSTANT`](Deadline::INSTANT) try failed so that waiting helps.
#[cold]
pub(crate) fn may_wait(error: &madang::Error, timeout: Option<Timeout>) -> bool {
    match error.errno() {
        // Another participant is inside for one small copy: that is waited for, a second at most, even with timeout 0.
        libc::EBUSY => true,
        libc::EAGAIN => timeout.is_none_or(|timeout| timeout.0 > 0.0),
        _ => false,
    }
}

/// Repeats `attempt`, which lets the GIL go and waits until the moment that it is given, until that is `deadline`.
pub(crate) fn wait<T>(py: Python, deadline: Deadline, mut attempt: impl FnMut(Deadline) -> Result<T>) -> Result<T> {
    loop {
        let slice = deadline.min(Deadline::after(SLICE));
        match attempt(slice) {
            Err(Error::Core(error)) if goes_on(&error, slice < deadline) => py.check_signals()?,
            outcome => return outcome,
        }
    }
}

/// Repeats `attempt`, which lets the GIL go and waits by itself, as long as signals interrupt it: for what the kernel can wait for, but
/// not for a slice of time. So a signal that another thread was given is handled after it.
pub(crate) fn wait_whole<T>(py: Python, mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    loop {
        match attempt() {
            Err(Error::Core(error)) if error.errno() == libc::EINTR => py.check_signals()?,
            outcome => return outcome,
        }
    }
}

fn goes_on(error: &madang::Error, time_is_left: bool) -> bool {
    match error.errno() {
        libc::EINTR => true,
        libc::ETIMEDOUT => time_is_left,
        _ => false,
    }
}
