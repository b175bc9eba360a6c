//! `madang.Reservation`.

use std::ffi::c_int;
use std::ptr::NonNull;

use pyo3::ffi;
use pyo3::prelude::*;

use crate::buffer::Readable;
use crate::error::{Error, Result};
use crate::options;
use crate::shared::loan::{Borrowed, Loan};
use crate::shared::queue::MUCH;
use crate::timeout::Timeout;

/// A place in a queue for one message, which is written there before it is sent. See Queue.reserve.
///
///     with q.reserve(pixels.nbytes, type=2) as r:
///         r.write(pixels)
///
/// At the end of the block the message is sent. If an exception leaves the block, the place is given back
/// and nothing is sent; so is one that is forgotten, and one whose process is killed.
///
/// It is a buffer of the queue's own memory that may be written: r.data[:5] = b"hello", or
/// numpy.frombuffer(r, "f4")[:] = 0. What it holds at first is anything. As long as there is a view of
/// it (an array, a slice of a memoryview), to commit or release it is BufferError, and it stays. (An
/// exception that leaves the block is not replaced: then the place is given back with the last view.)
/// Only `data` itself is released with it.
///
/// It hinders nobody, however long it is held: others send meanwhile, and its message comes after
/// theirs. It keeps the queue open for itself: it stays good when the handle is closed. In a forked child
/// it is not the child's: OSError with EOWNERDEAD.
///
/// len(r) is its length in bytes. bool(r) is True, also of an empty one.
#[pyclass(frozen, module = "madang")]
pub(crate) struct Reservation {
    loan: Loan<madang::Reservation>,
    length: usize,
    /// The type that the message has, unless commit says otherwise.
    #[pyo3(get)]
    r#type: i64,
    /// How long the end of a block waits.
    timeout: Option<Timeout>,
}

#[pymethods]
impl Reservation {
    /// Its bytes: a memoryview of the queue's own memory, to be written. It is released with the
    /// reservation. OSError with EBADF when that is over, EOWNERDEAD in a forked child.
    #[getter]
    fn data<'py>(slf: &Bound<'py, Self>) -> Result<Bound<'py, PyAny>> {
        slf.get().loan.data(slf.as_any())
    }

    /// Whether it was sent or given back.
    #[getter]
    fn ended(&self) -> bool {
        self.loan.is_ended()
    }

    /// Copies data to it, beginning at offset, and leaves no view behind.
    ///
    /// data: bytes, bytearray, memoryview, a NumPy array, or what else has contiguous memory.
    /// offset: in bytes.
    ///
    /// Other threads go on while it copies 64 KiB or more. ValueError if the data don't lie within, and
    /// nothing is written; OSError with EBADF when it is over, EOWNERDEAD in a forked child; TypeError and
    /// BufferError for data.
    #[pyo3(signature = (data, offset=0))]
    fn write(&self, py: Python, data: Readable, offset: i64) -> Result<()> {
        let data = data.as_slice();
        let at = options::not_negative("an offset", offset)?;
        if self.loan.write(py, at, data, MUCH)? { Ok(()) } else { Err(self.outside(data.len(), offset)) }
    }

    /// Sends it; waits while the queue is full.
    ///
    /// type: greater than 0; None is the one given to reserve.
    /// length: how many of its bytes, from the start, are the message; None is all of them.
    /// timeout: in seconds. None waits for ever; 0 doesn't wait.
    ///
    /// Raises as Queue.send does, but EMSGSIZE. BufferError if there are views of it left. ValueError if it
    /// is not so long. OSError with EBADF if it is over already, EOWNERDEAD in a forked child. Whatever
    /// it raises, nothing was sent, and it stays; but for EOWNERDEAD.
    #[pyo3(signature = (r#type=None, length=None, timeout=None))]
    fn commit(&self, py: Python, r#type: Option<i64>, length: Option<i64>, timeout: Option<Timeout>) -> Result<()> {
        let mtype = r#type.unwrap_or(self.r#type);
        let length = match length {
            None => self.length,
            Some(length) => match options::not_negative("a length", length)? {
                within if within <= self.length => within,
                more => return Err(self.outside(more, 0)),
            },
        };
        self.loan.end(py, timeout, |held, deadline| held.try_commit(mtype, length, deadline))
    }

    /// Gives the place back; nothing is sent.
    ///
    /// BufferError if there are views of it left, and it stays. OSError with EBADF if it is over already,
    /// EOWNERDEAD in a forked child.
    fn release(&self, py: Python) -> Result<()> {
        self.loan.release(py)
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
            None => self.commit(py, None, None, self.timeout),
            Some(_) => {
                self.loan.leave(py);
                Ok(())
            }
        }
    }

    fn __repr__(&self) -> String {
        let ended = if self.loan.is_ended() { ", ended" } else { "" };
        format!("<madang.Reservation: type {}, {} bytes{ended}>", self.r#type, self.length)
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

impl Reservation {
    pub(crate) fn new(reservation: madang::Reservation, r#type: i64, timeout: Option<Timeout>) -> Self {
        let length = reservation.len();
        Self { loan: Loan::new(reservation), length, r#type, timeout }
    }

    #[cold]
    fn outside(&self, length: usize, offset: i64) -> Error {
        let has = self.length;
        options::bad_value(format!("{length} bytes at {offset} don't lie within the reservation's {has}")).into()
    }
}

impl Borrowed for madang::Reservation {
    const KIND: &'static str = "reservation";
    const ENDED: &'static str = "sent or given back already";
    const IS_WRITABLE: bool = true;

    fn bytes(&self) -> NonNull<[u8]> {
        self.data()
    }

    fn is_mine(&self) -> bool {
        self.is_mine()
    }

    fn give_back(self, py: Python) {
        py.detach(|| drop(self));
    }
}
