//! `madang.list`, `madang.Listed`: what there is.

use madang::ListOptions;
use pyo3::prelude::*;

use crate::error::{Error, Result};

/// An object that madang.list() found.
#[pyclass(frozen, module = "madang")]
pub(crate) struct Listed {
    /// What it is: "queue", "semaphores", "mutex", "rwlock", "condition", "barrier", "event", "segment", "memory", or
    /// "other", which this version of madang doesn't know.
    #[pyo3(get)]
    kind: &'static str,
    /// The name by which it is opened.
    #[pyo3(get)]
    name: String,
    /// Its file's size in bytes: of a queue all that it may ever take, of a segment its length.
    #[pyo3(get)]
    size: u64,
    /// Bytes of memory that it takes.
    #[pyo3(get)]
    allocated: u64,
    /// Permission bits.
    #[pyo3(get)]
    mode: u32,
    /// The owner's user id.
    #[pyo3(get)]
    uid: u32,
    /// The owner's group id.
    #[pyo3(get)]
    gid: u32,
    error: Option<PyErr>,
}

#[pymethods]
impl Listed {
    /// None, or the OSError that opening it raises: it is damaged (EUCLEAN), of another layout version
    /// (EPROTO), not permitted (EACCES), another user's (EPERM), or of a kind that this version doesn't
    /// know (ENOTSUP).
    #[getter]
    fn error<'py>(&self, py: Python<'py>) -> Option<Bound<'py, pyo3::exceptions::PyBaseException>> {
        self.error.as_ref().map(|error| error.value(py).clone())
    }

    fn __repr__(&self) -> String {
        let Self { kind, name, size, error, .. } = self;
        let error = if error.is_some() { ", can't be opened" } else { "" };
        format!("<madang.Listed {kind} {name:?}: {size} bytes{error}>")
    }
}

impl From<madang::Listed> for Listed {
    fn from(listed: madang::Listed) -> Self {
        let madang::Listed { kind, name, size, allocated, mode, uid, gid, error, .. } = listed;
        let error = error.map(|error| Error::from(error).into());
        Self { kind: kind.as_str(), name, size, allocated, mode, uid, gid, error }
    }
}

/// The objects that exist: queues, sets of semaphores, locks and their like, by kind and name. What can't be
/// opened is listed too, and has an `error`. A snapshot: others make and remove meanwhile.
///
/// segments: lists segments as well: every regular file in /dev/shm that isn't madang's, whoever made
///     it, by whatever means.
/// any_owner: takes another user's object for good, as any_owner does when it is opened.
///
/// Raises FileNotFoundError, NotADirectoryError or PermissionError if the directory can't be read;
/// OSError with EINVAL where MADANG_DIR isn't absolute, EMFILE and ENFILE.
#[pyfunction]
#[pyo3(signature = (*, segments=false, any_owner=false))]
pub(crate) fn list(segments: bool, any_owner: bool) -> Result<Vec<Listed>> {
    // With the GIL, which guards the environment too: see Queue's constructor.
    let found = ListOptions::default().segments(segments).any_owner(any_owner).list()?;
    Ok(found.into_iter().map(Listed::from).collect())
}
