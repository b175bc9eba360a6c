//! Primitives whose state lies in shared memory; and what their classes have in common.

pub(crate) mod left_over;
pub(crate) mod list;
pub(crate) mod participant;
pub(crate) mod queue;
pub(crate) mod segment;

use std::fmt::Debug;

use pyo3::prelude::*;
use pyo3::types::PyDict;

/// What unpickling calls with the name: the class, with `options`. It opens, and never creates.
fn reopen<'py>(handle: &Bound<'py, PyAny>, options: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyAny>> {
    options.set_item("create", "never")?;
    handle.py().import("functools")?.getattr("partial")?.call((handle.get_type(),), Some(options))
}

/// A struct of numbers, as Python would write it.
fn repr(numbers: &impl Debug) -> String {
    format!("{numbers:?}").replace(" { ", "(").replace(": ", "=").replace(" }", ")")
}
