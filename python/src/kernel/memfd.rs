//! `madang.kernel.memfd`.

use std::os::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd};

use madang::memfd::{self, Seals};
use pyo3::prelude::*;
use pyo3::types::{PyFrozenSet, PyTuple};

use super::held::Held;
use super::mapping::Mapping;
use crate::descriptor;
use crate::error::Result;
use crate::options::{Size, bad_value, not_negative};

/// The seals, as they are called in Python.
const NAMES: [(Seals, &str); 6] = [
    (Seals::SEAL, "seal"),
    (Seals::SHRINK, "shrink"),
    (Seals::GROW, "grow"),
    (Seals::WRITE, "write"),
    (Seals::FUTURE_WRITE, "future-write"),
    (Seals::EXEC, "exec"),
];

fn seals<'py>(names: impl IntoIterator<Item = Bound<'py, PyAny>>) -> PyResult<Seals> {
    names.into_iter().try_fold(Seals::NONE, |seals, name| {
        let name: String = name.extract()?;
        let found = NAMES.iter().find(|(_, known)| *known == name);
        let (seal, _) = found.ok_or_else(|| {
            let known = NAMES.map(|(_, known)| format!("{known:?}")).join(", ");
            bad_value(format!("{name:?} is no seal: it is one of {known}"))
        })?;
        Ok(seals | *seal)
    })
}

/// Memory without a name in any directory, which lives as long as somebody has it open or mapped
/// (memfd_create(2)). The safe way between processes that don't trust each other.
///
/// Fill it, seal it, hand its descriptor on: what the seals say then holds for everybody, for ever.
///
///     with madang.memfd.Memfd("frame", size="8M") as memory:
///         with memory.map() as mapping, memoryview(mapping) as view:
///             view[:5] = b"hello"
///         memory.seal("shrink", "grow", "write", "seal")
///         socket.send_fds(sock, [b"frame"], [memory.fileno()])
///
/// The constructor makes one, filled with zeros. It doesn't wait.
///
/// name: up to 249 bytes of UTF-8. It is for people, who see it in /proc/PID/fd; it need not be unique.
/// size: in bytes; an int, or text such as "8M". None: it is empty. Memory is taken as it is touched (huge
///     pages at once): nothing but the machine's limits it, at whose end somebody is killed, not refused.
/// executable: it may be executed. Otherwise it may not, and is sealed so ("exec"), where the kernel knows
///     that (from Linux 6.3 on).
/// huge_pages: it lies in huge pages: True for those of the machine's default size, or their size, such as
///     "2M". The machine must have some: /proc/sys/vm/nr_hugepages. Its size is a multiple of theirs.
///
/// The seals: "shrink" and "grow": its size; "write": its contents (can be added only while it is not mapped
/// to be written); "future-write": its contents, but through mappings that are there already (from Linux 5.1
/// on); "exec": whether it may be executed (from Linux 6.3 on); "seal": no seals can be added.
///
/// It is closed by close(), at the end of a `with` block, and when it is forgotten; what was mapped stays.
/// What is used after that raises OSError with EBADF.
///
/// Raises OSError with ENOSPC or ENOMEM for want of huge pages; EINVAL for a bad name, or a
/// size that is no multiple of the huge pages'; ENODEV or ENOTSUP where there are none of that size; EFBIG,
/// EMFILE, ENFILE; PermissionError (EACCES) for one that may be executed where vm.memfd_noexec forbids it.
#[pyclass(frozen, module = "madang.kernel.memfd")]
pub(crate) struct Memfd(Held<memfd::Memfd>);

impl Memfd {
    fn open(memory: memfd::Memfd) -> Self {
        Self(Held::new("memfd", memory))
    }
}

/// The argument `huge_pages`.
#[derive(FromPyObject)]
pub(crate) enum HugePages {
    Whether(bool),
    Of(Size),
}

#[pymethods]
impl Memfd {
    #[new]
    #[pyo3(signature = (name, *, size=None, executable=false, huge_pages=None))]
    fn new(
        py: Python,
        name: &str,
        size: Option<Size>,
        executable: bool,
        huge_pages: Option<HugePages>,
    ) -> Result<Self> {
        let options = memfd::Memfd::options().size(size.map_or(0, u64::from)).executable(executable);
        let options = match huge_pages {
            None | Some(HugePages::Whether(false)) => options,
            Some(HugePages::Whether(true)) => options.huge_pages(0),
            Some(HugePages::Of(size)) => options.huge_pages(size.into()),
        };
        // Without the GIL, since to take much memory takes a while.
        Ok(Self::open(py.detach(|| options.create(name))?))
    }

    /// Takes over a descriptor that was received from somebody who need not be trusted: it must be one of a memfd,
    /// which is sealed with these seals, and in any case with "shrink", so that touching it is no risk.
    ///
    /// Without the seal "write" the sender may go on writing: copy what you check before you check it.
    ///
    /// seals: such as ["grow", "write"].
    /// trusted: asks for no seals. Who can write it can then truncate it, which is SIGBUS for who touches
    ///     what was cut off.
    ///
    /// The descriptor belongs to the Memfd then, and its number may be another file's.
    ///
    /// Raises PermissionError (EPERM) if a seal is missing; OSError with EINVAL if it is no memfd, EBADF if it
    /// is not open, EMFILE. Then it stays the caller's.
    #[staticmethod]
    #[pyo3(signature = (fd, seals=None, *, trusted=false))]
    fn from_fd(fd: i32, seals: Option<&Bound<'_, PyAny>>, trusted: bool) -> Result<Self> {
        let wanted = seals.map_or(Ok(Seals::NONE), names)?;
        if trusted && wanted != Seals::NONE {
            return Err(bad_value("trusted=True asks for no seals".to_owned()).into());
        }
        let open = |fd: OwnedFd| match trusted {
            true => memfd::Memfd::from_trusted_fd(fd),
            false => memfd::Memfd::from_fd(fd, wanted),
        };
        Ok(Self::open(descriptor::take_over(fd, open)?))
    }

    /// Its size in bytes, as it is now.
    #[getter]
    fn size(&self) -> Result<u64> {
        Ok(self.0.share()?.size()?)
    }

    /// Gives it another size, 1 byte or more, as a number or as text such as "8M". What is added is zero, and
    /// memory is taken as it is touched.
    ///
    /// Raises PermissionError (EPERM) if it is sealed against that; OSError with EFBIG; EINVAL if its descriptor
    /// is read-only, or the size no multiple of its huge pages'.
    fn set_size(&self, py: Python, size: Size) -> Result<()> {
        let memory = self.0.share()?;
        Ok(py.detach(|| memory.set_size(size.into()))?)
    }

    /// What can't be done to it any more: a frozenset of "seal", "shrink", "grow", "write", "future-write" and
    /// "exec".
    #[getter]
    fn seals<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyFrozenSet>> {
        let seals = self.0.share()?.seals()?;
        let names = NAMES.iter().filter(|(seal, _)| seals.contains(*seal)).map(|(_, name)| *name);
        Ok(PyFrozenSet::new(py, names)?)
    }

    /// Adds seals, such as "shrink", which can't be taken away.
    ///
    /// Raises OSError with EBUSY for "write" while it is mapped to be written, in any process; PermissionError
    /// (EPERM) if it is sealed with "seal", or its descriptor is read-only; EINVAL for a seal that this kernel
    /// doesn't know; ValueError for what is no seal.
    #[pyo3(signature = (*seals))]
    fn seal(&self, seals: &Bound<'_, PyTuple>) -> Result<()> {
        let added = self::seals(seals)?;
        Ok(self.0.share()?.seal(added)?)
    }

    /// Maps a part of it, by default all: a madang.kernel.Mapping, which stays whatever becomes of this handle.
    ///
    /// offset: in bytes, a multiple of the page size.
    /// length: in bytes, as a number or as text such as "8M"; None is up to its end.
    /// read_only: the memory can't be written.
    ///
    /// Raises OSError with EINVAL if the part doesn't lie within it, if it is empty, or for the offset;
    /// PermissionError to write what is sealed with "write" or "future-write" (EPERM), or where the descriptor
    /// is read-only (EACCES); ENOMEM.
    #[pyo3(signature = (offset=0, length=None, *, read_only=false))]
    fn map(&self, offset: i64, length: Option<Size>, read_only: bool) -> Result<Mapping> {
        let offset = not_negative("an offset", offset)? as u64;
        Ok(Mapping::new(self.0.share()?.map(offset, length.map_or(0, u64::from), !read_only)?))
    }

    /// The descriptor: to be handed on, by socket.send_fds or subprocess's pass_fds. It is this object's.
    fn fileno(&self) -> Result<i32> {
        Ok(self.0.share()?.as_fd().as_raw_fd())
    }

    /// Closes this object, but not its descriptor, which it returns. The caller closes it.
    ///
    /// Raises OSError with EBUSY if another thread is inside.
    fn detach(&self) -> Result<i32> {
        Ok(OwnedFd::from(self.0.take()?).into_raw_fd())
    }

    /// Whether it is closed.
    #[getter]
    fn closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Closes it; closing it again does nothing. What was mapped stays.
    fn close(&self, py: Python) {
        self.0.close(py);
    }

    fn __enter__(slf: Bound<'_, Self>) -> Result<Bound<'_, Self>> {
        slf.get().0.share()?;
        Ok(slf)
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python, _exception: &Bound<'_, PyTuple>) {
        self.close(py);
    }

    fn __repr__(&self) -> String {
        match self.0.get().map(|memory| (memory.size(), memory.seals())) {
            Some((Ok(size), Ok(seals))) => format!("<madang.memfd.Memfd: {size} bytes, seals: {seals}>"),
            _ => "<madang.memfd.Memfd: closed>".to_owned(),
        }
    }
}

/// The seals of an iterable of names.
fn names(names: &Bound<'_, PyAny>) -> PyResult<Seals> {
    seals(names.try_iter()?.collect::<PyResult<Vec<_>>>()?)
}
