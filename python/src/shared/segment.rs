//! `madang.Segment`.

use std::ffi::c_int;
use std::sync::Arc;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::buffer;
use crate::error::Result;
use crate::options::{self, Size};
use crate::shared::handle::Handle;

/// Plain named bytes in shared memory: the same object as shm_open("/NAME") makes in C.
///
/// A segment is a buffer, so whatever takes bytes takes it, without a copy:
///
///     s = madang.Segment("frame", length="8M")
///     pixels = numpy.frombuffer(s, "f4")
///     memoryview(s)[:5] = b"hello"
///
/// What several processes write there at once they must order among themselves, for instance by a
/// madang.Queue.
///
/// The constructor opens the segment, or creates it, filled with zeros. It doesn't wait.
///
/// name: 1 to 255 bytes of UTF-8, without "/", and not beginning with "madang.". The segment is the
///     file /dev/shm/NAME. (MADANG_DIR is for queues.)
/// length: in bytes; an int, or text with K, M, G or T (1024 each): "64K", "8M". A new segment must be
///     given its length; of an existing one it is the least that will do. The memory is taken at
///     once, so that touching it can't fail.
/// mode: the permission bits of a new segment, exactly (no umask); 0 is 0o600 too.
/// create: "if-missing"; "never" only opens what exists; "only" only opens what it creates.
/// read_only: the memory can't be written by this handle. The segment must exist.
/// any_owner: opens it although it belongs to another user, who could change or truncate it at any
///     time. (What belongs to root is always opened.)
///
/// Who may write a segment may truncate it, which is SIGBUS for all who then touch what was cut off.
///
/// len(s) is its length in bytes. bool(s) is True, also of a closed one.
///
/// The segment persists until Segment.unlink(name). A handle is closed by close(), at the end of a
/// `with` block, and when it is forgotten; that never unlinks. Arrays and memoryviews made of it keep the
/// memory mapped: they stay good, whatever becomes of the handle, until the last of them is gone.
///
/// It may be used in a forked child, and be sent to another process: pickled, it is its name, and
/// unpickling opens the segment, but never creates it.
///
/// What fails raises OSError with an errno, and the subclass that Python has for it. Here:
/// FileNotFoundError (ENOENT) and FileExistsError (EEXIST), as `create` says, or where one that doesn't
/// exist is opened read-only or without a length; PermissionError (EACCES: its mode; EPERM: it is another
/// user's); IsADirectoryError, ELOOP (a symbolic link), ENODEV and ENXIO (no regular file) for what has
/// the name but is no segment; EINVAL for a bad name or mode, create="only" without a length or
/// read-only, or where an existing segment is empty or smaller than asked for; ENAMETOOLONG; ENOSPC;
/// ENOMEM, EMFILE and ENFILE as open(2) and mmap(2). On a closed handle: EBADF.
///
/// What can't be meant at all is ValueError: a length below 1, a negative mode, a number that 64 bits
/// don't hold, a text that is no size, a name that UTF-8 can't write.
#[pyclass(frozen, module = "madang")]
pub(crate) struct Segment {
    handle: Handle<madang::Segment>,
    read_only: bool,
}

#[pymethods]
impl Segment {
    #[new]
    #[pyo3(signature = (name, *, length=None, mode=0o600, create="if-missing", read_only=false, any_owner=false))]
    fn new(
        py: Python,
        name: &str,
        length: Option<Size>,
        #[pyo3(from_py_with = options::mode)] mode: u32,
        create: &str,
        read_only: bool,
        any_owner: bool,
    ) -> Result<Self> {
        let options = madang::Segment::options()
            .length(length.map_or(0, u64::from))
            .mode(mode)
            .create(options::create(create)?)
            .read_only(read_only)
            .any_owner(any_owner);
        // Without the GIL, since to take much memory takes a while. (No environment is read: a segment's folder is fixed.)
        let segment = py.detach(|| options.open(name))?;
        let is_new = segment.is_new();
        Ok(Self { handle: Handle::new("segment", name, is_new, any_owner, segment, ()), read_only })
    }

    /// Its length in bytes, as it was when it was opened.
    fn __len__(&self) -> Result<usize> {
        Ok(self.handle.share()?.len())
    }

    /// As a file or socket is: `if segment` asks whether there is a handle.
    fn __bool__(&self) -> bool {
        true
    }

    /// The name by which it was opened.
    #[getter]
    fn name(&self) -> &str {
        &self.handle.name
    }

    /// Whether this very handle created it.
    #[getter]
    fn is_new(&self) -> bool {
        self.handle.is_new
    }

    /// Whether its memory can't be written through this handle.
    #[getter]
    fn read_only(&self) -> bool {
        self.read_only
    }

    /// Whether this handle is closed.
    #[getter]
    fn closed(&self) -> bool {
        self.handle.is_closed()
    }

    /// Closes the handle; doesn't unlink the segment. Closing it again does nothing.
    ///
    /// Arrays and memoryviews made of it stay good; the memory is unmapped when the last of them is gone.
    fn close(&self, py: Python) {
        self.handle.close(py);
    }

    /// Takes the name away; who has the segment open goes on with it. The next open makes a new one.
    ///
    /// Raises FileNotFoundError; PermissionError if it is another user's; IsADirectoryError; OSError with
    /// EINVAL or ENAMETOOLONG for a bad name.
    #[staticmethod]
    fn unlink(name: &str) -> Result<()> {
        Ok(madang::Segment::unlink(name)?)
    }

    fn __enter__(slf: Bound<'_, Self>) -> Result<Bound<'_, Self>> {
        slf.get().handle.share()?;
        Ok(slf)
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python, _exception: &Bound<'_, PyAny>) {
        self.close(py);
    }

    /// Pickled, a segment is its name.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> Result<(Bound<'py, PyAny>, (String,))> {
        let segment = slf.get();
        let options = PyDict::new(slf.py());
        options.set_item("read_only", segment.read_only)?;
        segment.handle.reduce(slf.get_type().as_any(), &options)
    }

    fn __repr__(&self) -> String {
        let name = &self.handle.name;
        match self.handle.get() {
            Some(segment) => format!("<madang.Segment {name:?}: {} bytes>", segment.len()),
            None => format!("<madang.Segment {name:?}: closed>"),
        }
    }

    /// # Safety
    /// As CPython calls it: `view` is null or may be written.
    unsafe fn __getbuffer__(slf: &Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> Result<()> {
        let segment = slf.get().handle.share()?;
        // SAFETY: the caller's promise.
        Ok(unsafe { buffer::lend_mapped(slf.as_any(), segment, view, flags) }?)
    }

    /// # Safety
    /// As CPython calls it: `view` was filled by `__getbuffer__`, and is released once.
    unsafe fn __releasebuffer__(&self, view: *mut ffi::Py_buffer) {
        // SAFETY: the caller's promise.
        unsafe { buffer::take_mapped_back::<madang::Segment>(view) };
    }
}

impl Segment {
    /// For what lies in it.
    pub(crate) fn share(&self) -> Result<Arc<madang::Segment>> {
        self.handle.share()
    }
}
