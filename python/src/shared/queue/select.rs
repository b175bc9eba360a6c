//! `madang.Except`, and the argument `type` of what receives.

use madang::Select;
use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::shared::repr;

/// Any type but one, for what receives: q.recv(madang.Except(3)). A value: compared, hashed and pickled.
#[pyclass(frozen, get_all, eq, hash, new = "from_fields", module = "madang")]
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Except {
    /// The type that is not wanted, greater than 0.
    r#type: i64,
}

#[pymethods]
impl Except {
    fn __repr__(&self) -> String {
        repr(self)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyType>, (i64,)) {
        (slf.get_type(), (slf.get().r#type,))
    }
}

/// Which message is wanted: a number as `msgrcv` has it, or an [`Except`].
#[derive(Clone, Copy)]
pub(crate) struct Which(Select);

impl Which {
    pub(crate) const ANY: Self = Self(Select::Any);
}

impl FromPyObject<'_, '_> for Which {
    type Error = PyErr;

    #[inline]
    fn extract(which: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        match which.extract() {
            Ok(number) => Ok(Self(Select::from_msgtyp(number))),
            Err(error) => other(which, error),
        }
    }
}

#[cold]
fn other(which: Borrowed<'_, '_, PyAny>, error: PyErr) -> PyResult<Which> {
    match which.cast::<Except>() {
        Ok(except) => Ok(Which(Select::Except(except.get().r#type))),
        Err(_) => Err(error),
    }
}

impl From<Which> for Select {
    fn from(which: Which) -> Self {
        which.0
    }
}
