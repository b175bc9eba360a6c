//! `madang.kernel.posix.shm`.

use std::os::fd::{AsFd, AsRawFd};

use madang::posix::shm;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::Listed;
use crate::descriptor;
use crate::error::Result;
use crate::kernel::held::Held;
use crate::kernel::mapping::Mapping;
use crate::options::{self, Size, not_negative};

/// A shared memory object (shm_overview(7)): what shm_open("/NAME") gives in C.
///
/// It is the same object as a madang.Segment of that name. Take the Segment where it will do: it opens,
/// checks owner and size, and maps in one step. Take this one for what is more: to let it grow or shrink,
/// to map parts of it, to look at it without mapping it, to hand its descriptor on.
///
///     with madang.posix.shm.Object("frame", size="8M") as o, o.map() as m:
///         memoryview(m)[:5] = b"hello"
///
/// The constructor opens the object, or creates it, filled with zeros. It doesn't wait.
///
/// name: 1 to 255 bytes of UTF-8, without "/", and not beginning with "madang.".
/// size: in bytes; an int, or text such as "8M". Of a new object exactly, and its space is taken at once; of
///     an existing one at least. None: a new one is empty.
/// mode: the permission bits of a new object, exactly (no umask); 0 is 0o600 too.
/// create: "if-missing"; "never" only opens what exists; "only" only opens what it creates.
/// read_only: opens it only to be read. It must exist.
///
/// Whoever owns it, it is opened; stat() tells whose it is. Who may write it may truncate it, which is
/// SIGBUS for all who then touch what was cut off: between strangers use a sealed madang.memfd.Memfd.
///
/// It persists until Object.unlink(name). It is closed by close(), at the end of a `with` block, and when it
/// is forgotten; what was mapped stays. What is used after that raises OSError with EBADF.
///
/// Raises FileNotFoundError and FileExistsError, as `create` says; PermissionError (EACCES: its mode);
/// OSError with EINVAL for a bad name or mode, to create one read-only, or where an existing object is
/// smaller than asked for; ENOSPC; EFBIG; ENAMETOOLONG; IsADirectoryError, ELOOP, ENODEV and ENXIO for what
/// has the name but is no regular file; EMFILE, ENFILE, ENOMEM.
#[pyclass(frozen, module = "madang.kernel.posix.shm")]
pub(crate) struct Object {
    held: Held<shm::Object>,
    name: String,
    is_new: bool,
    read_only: bool,
}

#[pymethods]
impl Object {
    #[new]
    #[pyo3(signature = (name, *, size=None, mode=0o600, create="if-missing", read_only=false))]
    fn new(
        py: Python,
        name: &str,
        size: Option<Size>,
        #[pyo3(from_py_with = options::mode)] mode: u32,
        create: &str,
        read_only: bool,
    ) -> Result<Self> {
        let options = shm::Object::options()
            .size(size.map_or(0, u64::from))
            .mode(mode)
            .create(options::create(create)?)
            .read_only(read_only);
        // Without the GIL, since to take much memory takes a while.
        let object = py.detach(|| options.open(name))?;
        let is_new = object.is_new();
        Ok(Self { held: Held::new("posix shared memory", object), name: name.to_owned(), is_new, read_only })
    }

    /// Takes over a descriptor of shared memory that was inherited or received; or of any regular file. Whoever else
    /// can write it can truncate it: from a stranger take a madang.memfd.Memfd instead.
    ///
    /// It belongs to the Object then, and its number may be another file's.
    ///
    /// Raises OSError with ENODEV if it is no regular file's, EBADF if it is not open, EMFILE. Then it stays the
    /// caller's.
    #[staticmethod]
    fn from_fd(fd: i32) -> Result<Self> {
        let object = descriptor::take_over(fd, shm::Object::try_from)?;
        let read_only = !object.is_writable();
        Ok(Self { held: Held::new("posix shared memory", object), name: String::new(), is_new: false, read_only })
    }

    /// Its size in bytes, as it is now.
    #[getter]
    fn size(&self) -> Result<u64> {
        Ok(self.held.share()?.size()?)
    }

    /// Gives it another size, 1 byte or more, as a number or as text such as "8M". What is added is zero, and its
    /// space is taken at once; if there is none, nothing changes. Who touches what was cut off dies of SIGBUS.
    ///
    /// Raises OSError with ENOSPC, EFBIG; PermissionError (EACCES) if it was opened read-only.
    fn set_size(&self, py: Python, size: Size) -> Result<()> {
        let object = self.held.share()?;
        Ok(py.detach(|| object.set_size(size.into()))?)
    }

    /// What it is.
    fn stat(&self) -> Result<ObjectStatus> {
        Ok(self.held.share()?.stat()?.into())
    }

    /// Maps a part of it, by default all: a madang.kernel.Mapping, which stays whatever becomes of this handle.
    ///
    /// offset: in bytes, a multiple of the page size.
    /// length: in bytes, as a number or as text such as "8M"; None is up to its end.
    /// read_only: the memory can't be written.
    ///
    /// Raises OSError with EINVAL if the part doesn't lie within it, if it is empty, or for the offset;
    /// PermissionError (EACCES) to write what was opened read-only; ENOMEM.
    #[pyo3(signature = (offset=0, length=None, *, read_only=false))]
    fn map(&self, offset: i64, length: Option<Size>, read_only: bool) -> Result<Mapping> {
        let offset = not_negative("an offset", offset)? as u64;
        Ok(Mapping::new(self.held.share()?.map(offset, length.map_or(0, u64::from), !read_only)?))
    }

    /// The name by which it was opened; "" if it was made of a descriptor.
    #[getter]
    fn name(&self) -> &str {
        &self.name
    }

    /// Whether this very handle created it.
    #[getter]
    fn is_new(&self) -> bool {
        self.is_new
    }

    /// Whether it was opened only to be read.
    #[getter]
    fn read_only(&self) -> bool {
        self.read_only
    }

    /// The descriptor, for mmap, socket.send_fds and their like. It is this object's.
    fn fileno(&self) -> Result<i32> {
        Ok(self.held.share()?.as_fd().as_raw_fd())
    }

    /// Takes the name away; who has the object open or mapped goes on with it.
    ///
    /// Raises FileNotFoundError; PermissionError if it is another user's; IsADirectoryError; OSError with EINVAL
    /// or ENAMETOOLONG for a bad name.
    #[staticmethod]
    fn unlink(name: &str) -> Result<()> {
        Ok(shm::Object::unlink(name)?)
    }

    /// Whether this handle is closed.
    #[getter]
    fn closed(&self) -> bool {
        self.held.is_closed()
    }

    /// Closes the handle; doesn't unlink the object, and what was mapped stays. Closing it again does nothing.
    fn close(&self, py: Python) {
        self.held.close(py);
    }

    fn __enter__(slf: Bound<'_, Self>) -> Result<Bound<'_, Self>> {
        slf.get().held.share()?;
        Ok(slf)
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python, _exception: &Bound<'_, PyTuple>) {
        self.close(py);
    }

    fn __repr__(&self) -> String {
        let name = &self.name;
        match self.held.get().and_then(|object| object.size().ok()) {
            Some(size) => format!("<madang.posix.shm.Object {name:?}: {size} bytes>"),
            None => format!("<madang.posix.shm.Object {name:?}: closed>"),
        }
    }
}

/// What Object.stat() tells; a snapshot. A value: compared and hashed.
#[pyclass(frozen, get_all, eq, hash, module = "madang.kernel.posix.shm")]
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct ObjectStatus {
    /// Its size in bytes.
    size: u64,
    /// Bytes of memory that it takes.
    allocated: u64,
    /// Whether it has no name any more.
    is_unlinked: bool,
    /// Permission bits.
    mode: u32,
    /// The owner's user id.
    uid: u32,
    /// The owner's group id.
    gid: u32,
}

#[pymethods]
impl ObjectStatus {
    fn __repr__(&self) -> String {
        let Self { size, allocated, is_unlinked, mode, uid, gid } = self;
        let is_unlinked = if *is_unlinked { "True" } else { "False" };
        format!(
            "ObjectStatus(size={size}, allocated={allocated}, is_unlinked={is_unlinked}, mode=0o{mode:o}, uid={uid}, gid={gid})"
        )
    }
}

impl From<shm::ObjectStatus> for ObjectStatus {
    fn from(status: shm::ObjectStatus) -> Self {
        let shm::ObjectStatus { size, allocated, is_unlinked, mode, uid, gid, .. } = status;
        Self { size, allocated, is_unlinked, mode, uid, gid }
    }
}

/// The objects that exist, in the order of their names; a snapshot: all regular files in /dev/shm but
/// madang's own and semaphores.
///
/// Raises FileNotFoundError or PermissionError if /dev/shm can't be read; OSError with EMFILE and ENFILE.
#[pyfunction]
pub(crate) fn list() -> Result<Vec<Listed>> {
    Ok(shm::list()?.into_iter().map(Listed::from).collect())
}
