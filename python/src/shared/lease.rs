//! `madang.Lease`.

use std::ffi::c_int;
use std::ptr::NonNull;

use madang::Deadline;
use pyo3::ffi;
use pyo3::prelude::*;

use crate::error::Result;
use crate::shared::loan::{Borrowed, Loan};

/// A message that was handed out, but is still the queue's until it is acknowledged. See Queue.lease.
///
///     with q.lease(timeout=1.0) as m:
///         work(m.data, m.type)
///
/// At the end of the block the message is acknowledged: it is done with, and leaves the queue. If an
/// exception leaves the block, the message is given back: it is received again, in its old place, and
/// `redelivered` says so. So is one whose lease is forgotten, and one whose process is killed: what a
/// lease is done for happens at least once.
///
/// It is a buffer: bytes(m), numpy.frombuffer(m, "f4"). These are the bytes in the queue's own memory,
/// and can't be written. As long as there is a view of them (an array, a slice of a memoryview), to
/// acknowledge or release the lease is BufferError, and it stays. (An exception that leaves the block
/// is not replaced: then the message is given back with the last view.) Only `data` itself is released
/// with the lease.
///
/// It hinders nobody, however long it is held, but its message counts as held by the queue. It keeps the
/// queue open for itself: it stays good when the handle is closed. In a forked child it is not the
/// child's: OSError with EOWNERDEAD.
///
/// len(m) is the message's length in bytes. bool(m) is True, also of an empty one.
#[pyclass(frozen, module = "madang")]
pub(crate) struct Lease {
    loan: Loan<madang::Lease>,
    length: usize,
    /// The message's type, greater than 0.
    #[pyo3(get)]
    r#type: i64,
    /// How many messages were sent to this queue before it: by this repeats are told.
    #[pyo3(get)]
    sequence: u64,
    /// How often it was handed out before by a lease that wasn't acknowledged; mostly 0.
    #[pyo3(get)]
    redelivered: u32,
}

#[pymethods]
impl Lease {
    /// Its bytes: a memoryview of the queue's own memory, which can't be written. It is released with the
    /// lease. OSError with EBADF when the lease is over, EOWNERDEAD in a forked child.
    #[getter]
    fn data<'py>(slf: &Bound<'py, Self>) -> Result<Bound<'py, PyAny>> {
        slf.get().loan.data(slf.as_any())
    }

    /// Whether it was acknowledged or given back.
    #[getter]
    fn ended(&self) -> bool {
        self.loan.is_ended()
    }

    /// Acknowledges the message: it is done with, and leaves the queue.
    ///
    /// BufferError if there are views of it left. OSError with EBADF if the lease is over already;
    /// EOWNERDEAD in a forked child, or if the others presumed this process dead: the message will be, or
    /// was, received again. What a signal handler raises, if another participant stays inside the queue
    /// (it was stopped); else it doesn't wait. Whatever it raises, the lease stays.
    fn ack(&self, py: Python) -> Result<()> {
        self.loan.end(py, None, madang::Lease::try_ack)
    }

    /// Gives the message back: it is received again, by whomever, in its old place. Raises as ack does.
    fn release(&self, py: Python) -> Result<()> {
        self.loan.end(py, None, madang::Lease::try_release)
    }

    fn __len__(&self) -> usize {
        self.length
    }

    fn __bool__(&self) -> bool {
        true
    }

    fn __enter__(slf: Bound<'_, Self>) -> Result<Bound<'_, Self>> {
        slf.get().loan.check()?;
        Ok(slf)
    }

    #[pyo3(signature = (exception_type=None, *_exception))]
    fn __exit__(
        &self,
        py: Python,
        exception_type: Option<&Bound<'_, PyAny>>,
        _exception: &Bound<'_, PyAny>,
    ) -> Result<()> {
        match exception_type {
            _ if self.loan.is_ended() => Ok(()),
            None => self.ack(py),
            Some(_) => {
                self.loan.leave(py);
                Ok(())
            }
        }
    }

    fn __repr__(&self) -> String {
        let Self { length, r#type, sequence, redelivered, .. } = self;
        let again = if *redelivered > 0 { format!(", redelivered {redelivered}") } else { String::new() };
        let ended = if self.loan.is_ended() { ", ended" } else { "" };
        format!("<madang.Lease: type {}, {length} bytes, sequence {sequence}{again}{ended}>", r#type)
    }

    /// # Safety
    /// As CPython calls it: `view` is null or may be written.
    unsafe fn __getbuffer__(slf: &Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> Result<()> {
        // SAFETY: the caller's promise; the loan is the object's own.
        unsafe { slf.get().loan.lend(slf.as_any(), view, flags) }
    }

    /// # Safety
    /// As CPython calls it: `view` was filled by `__getbuffer__`, and is released once.
    unsafe fn __releasebuffer__(&self, py: Python, _view: *mut ffi::Py_buffer) {
        self.loan.take_back(py);
    }
}

impl From<madang::Lease> for Lease {
    fn from(lease: madang::Lease) -> Self {
        let (length, mtype, sequence, redelivered) =
            (lease.len(), lease.mtype(), lease.sequence(), lease.redelivered());
        Self { loan: Loan::new(lease), length, r#type: mtype, sequence, redelivered }
    }
}

impl Borrowed for madang::Lease {
    const KIND: &'static str = "lease";
    const ENDED: &'static str = "acknowledged or given back already";
    const IS_WRITABLE: bool = false;

    fn bytes(&self) -> NonNull<[u8]> {
        self.data()
    }

    fn is_mine(&self) -> bool {
        self.is_mine()
    }

    fn give_back(mut self, py: Python) {
        if !self.is_mine() || self.try_release(Deadline::INSTANT).is_err() {
            py.detach(|| drop(self));
        }
    }
}
