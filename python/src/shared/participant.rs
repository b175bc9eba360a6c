//! `madang.Participant`: who takes part in an object.

use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::shared::repr;

/// An open handle of a queue, or what a dead one left in its place. A value: compared, hashed and pickled.
#[pyclass(frozen, get_all, eq, hash, new = "from_fields", module = "madang")]
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Participant {
    /// The process that opened it, as its own pid namespace numbers it: in another container that number
    /// may be another process's, or nobody's.
    pid: u32,
    /// When it joined, as time.monotonic_ns() gives it.
    joined_ns: u64,
    /// Whether it lives. A dead one's place goes to whoever needs it, who first settles what is left.
    lives: bool,
    /// Whether it is the very handle that was asked.
    is_me: bool,
}

#[pymethods]
impl Participant {
    fn __repr__(&self) -> String {
        repr(self).replace("=true", "=True").replace("=false", "=False")
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyType>, (u32, u64, bool, bool)) {
        let Self { pid, joined_ns, lives, is_me } = *slf.get();
        (slf.get_type(), (pid, joined_ns, lives, is_me))
    }
}

impl From<madang::Participant> for Participant {
    fn from(participant: madang::Participant) -> Self {
        let madang::Participant { pid, joined_ns, lives, is_me, .. } = participant;
        Self { pid, joined_ns, lives, is_me }
    }
}
