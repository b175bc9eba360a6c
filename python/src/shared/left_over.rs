//! `madang.gc`, `madang.left_overs`, `madang.LeftOvers`: what a death left behind.

use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::error::Result;
use crate::shared::repr;

/// Left-overs of processes that were killed: half-made objects, and removed ones of System V's calls.
///
/// A value: compared, hashed and pickled.
#[pyclass(frozen, get_all, eq, hash, new = "from_fields", module = "madang")]
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct LeftOvers {
    /// How many there are, or were.
    files: u64,
    /// Bytes of memory that they take, or took.
    bytes: u64,
    /// How many half-made ones there are of other users, which only these or root can judge and remove.
    others: u64,
}

#[pymethods]
impl LeftOvers {
    fn __repr__(&self) -> String {
        repr(self)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyType>, (u64, u64, u64)) {
        let Self { files, bytes, others } = *slf.get();
        (slf.get_type(), (files, bytes, others))
    }
}

impl From<madang::LeftOvers> for LeftOvers {
    fn from(found: madang::LeftOvers) -> Self {
        let madang::LeftOvers { files, bytes, others, .. } = found;
        Self { files, bytes, others }
    }
}

/// Removes left-overs of processes that were killed: half-made objects, and removed ones of System V's calls.
/// Half-made ones are rare: where /dev/shm is a tmpfs and /proc is mounted, only System V's calls can leave any.
/// More common are System V segments that were removed while they were attached, and whose last user was killed.
/// Objects that are whole and weren't removed are never touched.
///
/// Raises as madang.list() does.
#[pyfunction]
pub(crate) fn gc() -> Result<LeftOvers> {
    Ok(madang::gc()?.into())
}

/// Tells what madang.gc() would remove. Raises as madang.list() does.
#[pyfunction]
pub(crate) fn left_overs() -> Result<LeftOvers> {
    Ok(madang::left_overs()?.into())
}
