//! `madang.kernel.posix`: each file is a module of it.

pub(crate) mod mq;
pub(crate) mod sem;
pub(crate) mod shm;

use pyo3::prelude::*;

/// An object that mq.list(), shm.list() or sem.list() found.
#[pyclass(frozen, get_all, eq, hash, module = "madang.kernel.posix")]
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Listed {
    /// The name by which it is opened.
    name: String,
    /// Permission bits.
    mode: u32,
    /// The owner's user id.
    uid: u32,
    /// The owner's group id.
    gid: u32,
    /// In bytes: of shared memory its size; of a message queue what its messages have together, None if
    /// this process may not read it; of a semaphore its memory.
    size: Option<u64>,
}

#[pymethods]
impl Listed {
    fn __repr__(&self) -> String {
        let Self { name, mode, uid, gid, size } = self;
        let size = size.map_or_else(|| "None".to_owned(), |size| size.to_string());
        format!("Listed(name={name:?}, mode=0o{mode:o}, uid={uid}, gid={gid}, size={size})")
    }
}

impl From<madang::posix::Listed> for Listed {
    fn from(listed: madang::posix::Listed) -> Self {
        let madang::posix::Listed { name, mode, uid, gid, size, .. } = listed;
        Self { name, mode, uid, gid, size }
    }
}
