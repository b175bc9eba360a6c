//! `madang.kernel.Mapping`.

use std::ffi::c_int;
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::ffi;
use pyo3::prelude::*;

use crate::buffer;
use crate::error::{Error, Result};

/// Memory that this process shares with others: what one gets by mapping System V or POSIX shared memory,
/// a file, or a memfd.
///
/// It is a buffer, so whatever takes bytes takes it, without a copy: memoryview(m)[:5] = b"hello", or
/// numpy.frombuffer(m, "f4"). Arrays and memoryviews made of it keep the memory mapped: they stay good,
/// whatever becomes of the handles, until the last of them is gone.
///
/// What several processes write there at once they must order among themselves, for instance by a
/// semaphore. Who may truncate the file behind it may kill with SIGBUS whoever then touches what was cut off.
///
/// len(m) is its length in bytes. It is closed by close(), at the end of a `with` block, and when it is
/// forgotten. What is used after that raises OSError with EBADF.
#[pyclass(frozen, module = "madang.kernel")]
pub(crate) struct Mapping(Mutex<Option<Arc<madang::Mapping>>>);

impl Mapping {
    pub(crate) fn new(mapping: madang::Mapping) -> Self {
        Self(Mutex::new(Some(Arc::new(mapping))))
    }

    fn get(&self) -> Option<Arc<madang::Mapping>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn share(&self) -> Result<Arc<madang::Mapping>> {
        self.get().ok_or_else(|| Error::os(libc::EBADF, "mapping: it is closed (EBADF)".to_owned()))
    }
}

#[pymethods]
impl Mapping {
    fn __len__(&self) -> Result<usize> {
        Ok(self.share()?.len())
    }

    /// `if mapping` asks whether there is one.
    fn __bool__(&self) -> bool {
        true
    }

    /// Whether its memory can't be written.
    #[getter]
    fn read_only(&self) -> Result<bool> {
        Ok(!self.share()?.is_writable())
    }

    /// Whether it is closed.
    #[getter]
    fn closed(&self) -> bool {
        self.get().is_none()
    }

    /// Closes it; closing it again does nothing. The memory is unmapped when the last view of it is gone.
    fn close(&self, py: Python) {
        let mapping = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        py.detach(|| drop(mapping));
    }

    fn __enter__(slf: Bound<'_, Self>) -> Result<Bound<'_, Self>> {
        slf.get().share()?;
        Ok(slf)
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python, _exception: &Bound<'_, PyAny>) {
        self.close(py);
    }

    fn __repr__(&self) -> String {
        match self.get() {
            Some(mapping) => format!("<madang.kernel.Mapping: {} bytes>", mapping.len()),
            None => "<madang.kernel.Mapping: closed>".to_owned(),
        }
    }

    /// # Safety
    /// As CPython calls it: `view` is null or may be written.
    unsafe fn __getbuffer__(slf: &Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> Result<()> {
        let mapping = slf.get().share()?;
        // SAFETY: the caller's promise.
        Ok(unsafe { buffer::lend_mapped(slf.as_any(), mapping, view, flags) }?)
    }

    /// # Safety
    /// As CPython calls it: `view` was filled by `__getbuffer__`, and is released once.
    unsafe fn __releasebuffer__(&self, view: *mut ffi::Py_buffer) {
        // SAFETY: the caller's promise.
        unsafe { buffer::take_mapped_back::<madang::Mapping>(view) };
    }
}
