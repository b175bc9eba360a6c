//! Errors: an errno becomes an `OSError` with it, of the subclass that Python has for it.

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;

/// What a method can fail with: madang's own error, or an exception that is already raised.
pub(crate) enum Error {
    Core(madang::Error),
    Python(PyErr),
}

/// What methods return; PyO3 raises the error.
pub(crate) type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An `OSError` of this module's own making.
    #[cold]
    pub(crate) fn os(errno: i32, text: String) -> Self {
        // `OSError(errno, text)` gives the subclass, as `raise OSError(…)` does in Python.
        Self::Python(PyOSError::new_err((errno, text)))
    }

    /// The handle `name` is used after its `close`.
    #[cold]
    pub(crate) fn closed(kind: &str, name: &str) -> Self {
        Self::os(libc::EBADF, format!("{kind} {name:?}: this handle is closed (EBADF)"))
    }

    /// The length that a too small buffer should have had, if that is the error.
    pub(crate) fn needed_length(&self) -> Option<u64> {
        match self {
            Self::Core(error) if error.errno() == libc::E2BIG => Some(error.length()),
            _ => None,
        }
    }
}

impl From<madang::Error> for Error {
    fn from(error: madang::Error) -> Self {
        Self::Core(error)
    }
}

impl From<PyErr> for Error {
    fn from(error: PyErr) -> Self {
        Self::Python(error)
    }
}

impl From<Error> for PyErr {
    #[cold]
    fn from(error: Error) -> Self {
        match error {
            Error::Python(error) => error,
            Error::Core(error) => {
                let raised = PyOSError::new_err((error.errno(), error.to_string()));
                if error.errno() == libc::E2BIG { with_length(raised, error.length()) } else { raised }
            }
        }
    }
}

/// Gives the exception an attribute `length`.
fn with_length(raised: PyErr, length: u64) -> PyErr {
    Python::attach(|py| match raised.value(py).setattr("length", length) {
        Ok(()) => raised,
        Err(no_memory) => no_memory,
    })
}
