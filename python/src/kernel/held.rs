//! What the classes of the kernel's primitives hold: an object that is open until it is closed, and calls that wait with it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use madang::Deadline;
use pyo3::prelude::*;

use crate::error::{Error, Result};
use crate::timeout::{self, Timeout};

/// An open object, or a closed one. Those who wait have shares of their own, so nothing is closed under their hands.
pub(crate) struct Held<T> {
    open: Mutex<Option<Arc<T>>>,
    /// What it is, for the text of an error.
    kind: &'static str,
}

impl<T: Send + Sync> Held<T> {
    pub(crate) fn new(kind: &'static str, object: T) -> Self {
        Self { open: Mutex::new(Some(Arc::new(object))), kind }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<T>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self) -> Option<Arc<T>> {
        self.lock().clone()
    }

    pub(crate) fn share(&self) -> Result<Arc<T>> {
        self.get().ok_or_else(|| self.is_closed_error())
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().is_none()
    }

    pub(crate) fn close(&self, py: Python) {
        let object = self.lock().take();
        py.detach(|| drop(object));
    }

    /// Gives the object away; the handle is closed then. Not while another thread is inside.
    pub(crate) fn take(&self) -> Result<T> {
        let mut open = self.lock();
        let object = open.take().ok_or_else(|| self.is_closed_error())?;
        Arc::try_unwrap(object).map_err(|object| {
            *open = Some(object);
            Error::os(libc::EBUSY, format!("{}: another thread waits with it (EBUSY)", self.kind))
        })
    }

    #[cold]
    fn is_closed_error(&self) -> Error {
        Error::os(libc::EBADF, format!("{}: it is closed (EBADF)", self.kind))
    }

    /// Does what may wait: tries it with the GIL held if it is `little`, then waits without, and signal handlers run.
    pub(crate) fn wait<R: Send>(
        &self,
        py: Python,
        timeout: Option<Timeout>,
        little: bool,
        work: impl FnMut(&T, Deadline) -> madang::Result<R> + Send,
    ) -> Result<R> {
        self.wait_until(py, timeout::deadline(timeout), timeout, little, work)
    }

    /// As [`wait`](Self::wait), for one of several steps that have a deadline in common.
    pub(crate) fn wait_until<R: Send>(
        &self,
        py: Python,
        deadline: Deadline,
        timeout: Option<Timeout>,
        little: bool,
        mut work: impl FnMut(&T, Deadline) -> madang::Result<R> + Send,
    ) -> Result<R> {
        if little {
            match work(&*self.share()?, Deadline::INSTANT) {
                Err(error) if timeout::may_wait(&error, timeout) => {}
                outcome => return Ok(outcome?),
            }
        }
        timeout::wait(py, deadline, |slice| {
            let object = self.share()?;
            py.detach(|| Ok(work(&object, slice)?))
        })
    }
}
