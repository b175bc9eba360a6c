//! Memory that Python and Rust share. The only file with pointers.
//!
//! Three directions: a caller's buffer that is read ([`Readable`]) or filled ([`Writable`]); a new `bytes` that is filled
//! before anybody sees it ([`NewBytes`]), and what goes with it to the caller; shared memory that is lent to Python
//! ([`Memory`]).
//!
//! **Exhausted memory.** PyO3's own conversions panic then. A message that is received has left its queue, so what is made for
//! it here is made by Python's C functions, whose null pointer becomes `MemoryError`.
//!
//! **Races.** A view keeps its memory in place, but nothing keeps another thread from writing there once the GIL is let go:
//! bytes that are sent from a `bytearray` while it is changed are some mixture of old and new. That is Python's
//! own rule for `socket.send` and its like; Rust has no word for it. What we pass on is only ever copied.

use std::ffi::{c_char, c_int};
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;

use madang::file::Follow;
use madang::pipe::Reader;
use madang::posix::mq;
use madang::{Deadline, Mapping, Queue, Received, Segment, Select};
use pyo3::exceptions::PyMemoryError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

/// The bytes of an object, held in place until it is dropped.
pub(crate) enum Readable<'a, 'py> {
    /// Needs no holding: it is immutable, and the caller has a reference to it.
    Bytes(Borrowed<'a, 'py, PyBytes>),
    View(View),
}

impl Readable<'_, '_> {
    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes.as_bytes(),
            Self::View(view) => view.as_slice(),
        }
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for Readable<'a, 'py> {
    type Error = PyErr;

    #[inline]
    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        match object.cast_exact::<PyBytes>() {
            Ok(bytes) => Ok(Self::Bytes(bytes)),
            Err(_) => View::new(&object, ffi::PyBUF_SIMPLE).map(Self::View),
        }
    }
}

/// The bytes of an object that may be written, held in place until it is dropped.
pub(crate) struct Writable(View);

impl Writable {
    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        let Some((start, length)) = self.0.range() else { return &mut [] };
        // SAFETY: as in `View::as_slice`; the exporter was asked for memory that may be written, and `self` is borrowed
        // for as long as the slice. For others who look at it meanwhile see the head of this file.
        unsafe { slice::from_raw_parts_mut(start.as_ptr(), length) }
    }

    /// For the core's verbs, which only ever write there.
    pub(crate) fn room(&mut self) -> &mut [MaybeUninit<u8>] {
        let slice = self.as_mut_slice();
        // SAFETY: the same memory; what is written there by a receive is bytes.
        unsafe { slice::from_raw_parts_mut(slice.as_mut_ptr().cast(), slice.len()) }
    }
}

impl FromPyObject<'_, '_> for Writable {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        View::new(&object, ffi::PyBUF_WRITABLE).map(Self)
    }
}

/// A `Py_buffer` of contiguous bytes. Boxed, since an exporter may let it point into itself.
pub(crate) struct View(Box<ffi::Py_buffer>);

impl View {
    fn new(object: &Bound<'_, PyAny>, flags: c_int) -> PyResult<Self> {
        let mut view = Box::new(ffi::Py_buffer::new());
        // SAFETY: attached to Python (there is a `Bound`); both pointers are valid. Neither flag asks for strides, so the
        // exporter gives contiguous memory or an error.
        let failed = unsafe { ffi::PyObject_GetBuffer(object.as_ptr(), &raw mut *view, flags) } == -1;
        if failed { Err(PyErr::fetch(object.py())) } else { Ok(Self(view)) }
    }

    /// Where it begins, and its length; `None` if it is empty, whose pointer may be anything.
    fn range(&self) -> Option<(NonNull<u8>, usize)> {
        let length = usize::try_from(self.0.len).ok().filter(|&length| length > 0)?;
        NonNull::new(self.0.buf.cast()).map(|start| (start, length))
    }

    #[inline]
    fn as_slice(&self) -> &[u8] {
        let Some((start, length)) = self.range() else { return &[] };
        // SAFETY: the exporter keeps the range valid until the release, which is in `drop`. For others who write there
        // meanwhile see the head of this file.
        unsafe { slice::from_raw_parts(start.as_ptr(), length) }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        // A view never leaves the method that made it, so the thread is attached, as a rule; a panic on the way is no exception.
        // SAFETY: filled by `PyObject_GetBuffer` and released once.
        Python::attach(|_| unsafe { ffi::PyBuffer_Release(&raw mut *self.0) });
    }
}

/// A new `bytes` object that nobody else has seen, to receive a message into.
pub(crate) struct NewBytes<'py> {
    bytes: Bound<'py, PyBytes>,
    length: usize,
    /// How many of them, from the start, a message has filled.
    filled: usize,
}

impl<'py> NewBytes<'py> {
    /// Of `length` bytes, which are whatever lay there: to fill them with zeros first would cost half as much again as the
    /// receive (64 KiB: 0.5 µs more; 1 MiB: 30 µs). `MemoryError`.
    pub(crate) fn new(py: Python<'py>, length: u64) -> PyResult<Self> {
        let too_long = || PyMemoryError::new_err(format!("a message of {length} bytes"));
        let size = ffi::Py_ssize_t::try_from(length).map_err(|_| too_long())?;
        // SAFETY: a null pointer asks for memory that is not filled.
        let bytes = unsafe { make_bytes(py, ptr::null(), size) }?;
        Ok(Self { bytes, length: size as usize, filled: 0 })
    }

    /// Where a message may be received into.
    pub(crate) fn room(&mut self) -> Room<'_> {
        // SAFETY: the object has that many bytes, and as long as this wrapper holds its only reference they may be written
        // (PyBytes_AsString).
        let space = unsafe { slice::from_raw_parts_mut(self.start().cast(), self.length) };
        Room { space, filled: &mut self.filled }
    }

    /// What was received into it: the object itself if it was filled, else a copy; `MemoryError`.
    pub(crate) fn received(self) -> PyResult<Bound<'py, PyBytes>> {
        if self.filled == self.length {
            return Ok(self.bytes);
        }
        // SAFETY: that many of its bytes were filled; and a `Py_ssize_t` holds the length of every `bytes`.
        unsafe { make_bytes(self.bytes.py(), self.start(), self.filled as ffi::Py_ssize_t) }
    }

    fn start(&self) -> *mut c_char {
        // SAFETY: it is a `bytes`.
        unsafe { ffi::PyBytes_AsString(self.bytes.as_ptr()) }
    }
}

/// The memory of a [`NewBytes`], for use without the GIL.
pub(crate) struct Room<'a> {
    space: &'a mut [MaybeUninit<u8>],
    filled: &'a mut usize,
}

impl Room<'_> {
    pub(crate) fn length(&self) -> usize {
        self.space.len()
    }

    pub(crate) fn receive(&mut self, queue: &Queue, select: Select, deadline: Deadline) -> madang::Result<Received> {
        let received = queue.recv_into_uninit(select, self.space, deadline)?;
        *self.filled = received.length;
        Ok(received)
    }

    /// Reads once, after what was read before; how many bytes.
    pub(crate) fn read(&mut self, reader: &Reader, deadline: Deadline) -> madang::Result<usize> {
        let read = reader.read_uninit(&mut self.space[*self.filled..], deadline)?;
        *self.filled += read;
        Ok(read)
    }

    /// Reads what a file has grown by.
    pub(crate) fn follow(&mut self, follow: &mut Follow, deadline: Deadline) -> madang::Result<()> {
        *self.filled = follow.read_uninit(self.space, deadline)?;
        Ok(())
    }

    /// Whether not all of it is filled.
    pub(crate) fn is_left(&self) -> bool {
        *self.filled < self.space.len()
    }

    /// Receives from a POSIX message queue; the priority.
    pub(crate) fn receive_posix(&mut self, queue: &mq::Queue, deadline: Deadline) -> madang::Result<u32> {
        let received = queue.recv_into_uninit(self.space, deadline)?;
        *self.filled = received.length;
        Ok(received.priority)
    }

    pub(crate) fn peek(&mut self, queue: &Queue, position: u64) -> madang::Result<Received> {
        self.space.fill(MaybeUninit::new(0));
        // SAFETY: just filled.
        let space = unsafe { slice::from_raw_parts_mut(self.space.as_mut_ptr().cast(), self.space.len()) };
        let received = queue.peek_into(position, space)?;
        *self.filled = received.length;
        Ok(received)
    }
}

/// A copy of the first `length` of them, which were filled; `MemoryError`.
pub(crate) fn filled<'py>(py: Python<'py>, from: &[MaybeUninit<u8>], length: usize) -> PyResult<Bound<'py, PyBytes>> {
    let from = &from[..length];
    // SAFETY: a slice's own pointer and length; the caller has filled so many.
    unsafe { make_bytes(py, from.as_ptr().cast(), length as ffi::Py_ssize_t) }
}

/// A copy as `bytes`; `MemoryError`.
#[inline]
pub(crate) fn bytes<'py>(py: Python<'py>, from: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    // SAFETY: a slice's own pointer and length, which is no more than half the address space.
    unsafe { make_bytes(py, from.as_ptr().cast(), from.len() as ffi::Py_ssize_t) }
}

/// A new `bytes` with a copy of what lies there, or unfilled for a null pointer; `MemoryError`.
///
/// # Safety
/// `from` is null, or may be read for `length` bytes.
#[inline]
unsafe fn make_bytes(py: Python<'_>, from: *const c_char, length: ffi::Py_ssize_t) -> PyResult<Bound<'_, PyBytes>> {
    // SAFETY: attached; the caller's promise. The result is a new reference to a `bytes`, or null.
    unsafe {
        let bytes = Bound::from_owned_ptr_or_err(py, ffi::PyBytes_FromStringAndSize(from, length))?;
        Ok(bytes.cast_into_unchecked())
    }
}

/// What `recv` returns: the tuple of a message's bytes and its type; `MemoryError`.
#[inline]
pub(crate) fn message(bytes: Bound<'_, PyBytes>, mtype: i64) -> PyResult<Bound<'_, PyTuple>> {
    let py = bytes.py();
    // SAFETY: attached; the results are new references, the second to a tuple, or null. The tuple takes references of
    // its own to the two objects.
    unsafe {
        let mtype = Bound::from_owned_ptr_or_err(py, ffi::PyLong_FromLongLong(mtype))?;
        let tuple = Bound::from_owned_ptr_or_err(py, ffi::PyTuple_Pack(2, bytes.as_ptr(), mtype.as_ptr()))?;
        Ok(tuple.cast_into_unchecked())
    }
}

/// What stands in a tuple there, for as long as the tuple itself is borrowed: nobody can change it.
#[inline]
pub(crate) fn item<'a, 'py>(tuple: Borrowed<'a, 'py, PyTuple>, index: usize) -> PyResult<Borrowed<'a, 'py, PyAny>> {
    // SAFETY: attached, and a tuple; the result is null, or a reference that the tuple has, and keeps for as long as it lives.
    unsafe { Borrowed::from_ptr_or_err(tuple.py(), ffi::PyTuple_GetItem(tuple.as_ptr(), index as ffi::Py_ssize_t)) }
}

/// Some shared memory, and whether it may be written.
#[derive(Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) bytes: NonNull<[u8]>,
    pub(crate) is_writable: bool,
}

// SAFETY: an address of memory that all threads reach; to do something with it takes `unsafe`.
unsafe impl Send for Memory {}

impl Memory {
    /// Lends it to Python: the body of `__getbuffer__`.
    ///
    /// # Safety
    /// `view` is valid to be written, or null. The memory is valid, for reads and as it says for writes, until `__releasebuffer__`
    /// was called for the view.
    pub(crate) unsafe fn lend(
        self,
        exporter: &Bound<'_, PyAny>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        let start = self.bytes.cast().as_ptr();
        // Nothing that is mapped is longer than half the address space.
        let length = self.bytes.len() as ffi::Py_ssize_t;
        let read_only = c_int::from(!self.is_writable);
        // SAFETY: attached; the caller's promise for `view` (null is an error that it reports) and the memory; `exporter` is alive
        // and gets a reference from the view.
        let filled = unsafe { ffi::PyBuffer_FillInfo(view, exporter.as_ptr(), start, length, read_only, flags) };
        if filled == -1 { Err(PyErr::fetch(exporter.py())) } else { Ok(()) }
    }

    /// Copies `from` to `offset`, which may be a view of the same memory; `false` if it would not lie within.
    ///
    /// # Safety
    /// The memory is valid for writes.
    pub(crate) unsafe fn write(self, offset: usize, from: &[u8]) -> bool {
        if offset.checked_add(from.len()).is_none_or(|end| end > self.bytes.len()) {
            return false;
        }
        // SAFETY: the range lies within the memory, which is valid by the caller's promise.
        unsafe { self.bytes.cast::<u8>().add(offset).copy_from(NonNull::from(from).cast(), from.len()) };
        true
    }
}

/// What has memory that is mapped for as long as it lives.
pub(crate) trait Mapped: Send + Sync {
    /// The whole of it.
    fn memory(&self) -> Memory;
}

impl Mapped for Segment {
    fn memory(&self) -> Memory {
        let bytes = NonNull::slice_from_raw_parts(self.data(), self.len());
        Memory { bytes, is_writable: self.is_writable() }
    }
}

impl Mapped for Mapping {
    fn memory(&self) -> Memory {
        let bytes = NonNull::slice_from_raw_parts(self.data(), self.len());
        Memory { bytes, is_writable: self.is_writable() }
    }
}

/// Lends mapped memory. The view has a share in the mapping, which so lives until the last view is gone, whatever becomes of
/// the handle.
///
/// # Safety
/// `view` is valid to be written, or null.
pub(crate) unsafe fn lend_mapped<T: Mapped>(
    exporter: &Bound<'_, PyAny>,
    mapped: Arc<T>,
    view: *mut ffi::Py_buffer,
    flags: c_int,
) -> PyResult<()> {
    // SAFETY: the caller's promise for `view`; the memory is valid as long as what has it, whose share is stored below.
    unsafe { mapped.memory().lend(exporter, view, flags) }?;
    // SAFETY: just filled. `internal` is the exporter's own.
    unsafe { (*view).internal = Arc::into_raw(mapped).cast_mut().cast() };
    Ok(())
}

/// Takes back what [`lend_mapped`] gave: the body of `__releasebuffer__`.
///
/// # Safety
/// `view` was filled by [`lend_mapped`] with a `T`, and is released once.
pub(crate) unsafe fn take_mapped_back<T: Mapped>(view: *mut ffi::Py_buffer) {
    // SAFETY: the caller's promise: `lend_mapped` stored the pointer, which stands for one share.
    drop(unsafe { Arc::from_raw((*view).internal.cast::<T>()) });
}
