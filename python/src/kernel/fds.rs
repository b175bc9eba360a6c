//! Descriptors of Python's that go along with a message.

use std::os::fd::{BorrowedFd, RawFd};

use pyo3::prelude::*;

use crate::error::{Error, Result};

/// A descriptor of the caller's: its number, or an object with a `fileno()`.
#[derive(Clone, Copy)]
pub(crate) struct Fd(pub(crate) RawFd);

impl FromPyObject<'_, '_> for Fd {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        if let Ok(fileno) = object.getattr("fileno") {
            return fileno.call0()?.extract().map(Self);
        }
        object.extract().map(Self)
    }
}

impl Fd {
    /// To be used during a call. That one isn't open the system call says.
    pub(crate) fn borrow(&self) -> Result<BorrowedFd<'_>> {
        if self.0 < 0 {
            return Err(Error::os(libc::EBADF, format!("{}: it is no descriptor (EBADF)", self.0)));
        }
        // SAFETY: not -1. As with every function of Python's that takes a number, that nobody closes it meanwhile is the caller's
        // affair.
        Ok(unsafe { BorrowedFd::borrow_raw(self.0) })
    }
}
