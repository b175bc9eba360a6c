//! The arguments of the constructors, where Python's form differs from the core's.

use madang::Create;
use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;

/// A size in bytes: a number, or text such as "4M".
#[derive(Clone, Copy)]
pub(crate) struct Size(u64);

impl FromPyObject<'_, '_> for Size {
    type Error = PyErr;

    fn extract(size: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        let bytes = match size.extract::<&str>() {
            Ok(text) => parse(text).ok_or_else(|| {
                let how = "write bytes, or a number with K, M, G or T (1024 each), as in \"4M\"";
                PyValueError::new_err(format!("{text:?} is not a size: {how}"))
            })?,
            Err(_) => number("a size", &size).map_err(|error| {
                let py = size.py();
                if !error.is_instance_of::<PyTypeError>(py) {
                    return error;
                }
                PyTypeError::new_err("a size is an int, or text such as \"4M\"")
            })?,
        };
        at_least_1("a size", bytes).map(Self)
    }
}

impl From<Size> for u64 {
    fn from(size: Size) -> Self {
        size.0
    }
}

/// A limit on how many: 1 or more.
#[derive(Clone, Copy)]
pub(crate) struct Count(u64);

impl FromPyObject<'_, '_> for Count {
    type Error = PyErr;

    fn extract(count: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        at_least_1("a limit", number("a limit", &count)?).map(Self)
    }
}

impl From<Count> for u64 {
    fn from(count: Count) -> Self {
        count.0
    }
}

/// The argument `mode`. Which bits there are is the core's affair.
pub(crate) fn mode(mode: &Bound<'_, PyAny>) -> PyResult<u32> {
    let bits = number("a mode", mode)?;
    let bad = |_| PyValueError::new_err(format!("a mode of {bits}: it is permission bits, such as 0o600"));
    u32::try_from(bits).map_err(bad)
}

/// A number. Python says `OverflowError` if it is too large for us; here it is a bad value, as others are.
pub(crate) fn number(what: &str, value: &Bound<'_, PyAny>) -> PyResult<i64> {
    value.extract().map_err(|error: PyErr| {
        if !error.is_instance_of::<PyOverflowError>(value.py()) {
            return error;
        }
        PyValueError::new_err(format!("{what} that 64 bits don't hold"))
    })
}

/// The core takes 0 for "the default", which is None in Python: a 0 that was computed shouldn't mean a megabyte.
fn at_least_1(what: &str, value: i64) -> PyResult<u64> {
    match u64::try_from(value) {
        Ok(value) if value > 0 => Ok(value),
        _ => Err(PyValueError::new_err(format!("{what} of {value}: it is 1 or more (None is the default)"))),
    }
}

/// A number of bytes in a message.
pub(crate) fn not_negative(what: &str, value: i64) -> PyResult<usize> {
    usize::try_from(value).map_err(|_| bad_value(format!("{what} of {value}: it is 0 or more")))
}

#[cold]
pub(crate) fn bad_value(what: String) -> PyErr {
    PyValueError::new_err(what)
}

/// The bytes that "65536", "64K", "4M", "1G" or "1T" stand for.
fn parse(text: &str) -> Option<i64> {
    let shift = match text.bytes().last()?.to_ascii_uppercase() {
        b'K' => 10,
        b'M' => 20,
        b'G' => 30,
        b'T' => 40,
        _ => 0,
    };
    let digits = if shift == 0 { text } else { &text[..text.len() - 1] };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse::<i64>().ok()?.checked_mul(1 << shift)
}

/// The argument `create`.
pub(crate) fn create(when: &str) -> PyResult<Create> {
    match when {
        "if-missing" => Ok(Create::IfMissing),
        "never" => Ok(Create::Never),
        "only" => Ok(Create::Only),
        _ => Err(PyValueError::new_err(format!("create={when:?}: it is \"if-missing\", \"never\" or \"only\""))),
    }
}
