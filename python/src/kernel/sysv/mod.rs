//! `madang.kernel.sysv`: System V IPC; and what its three kinds have in common.

pub(crate) mod msg;
pub(crate) mod sem;
pub(crate) mod shm;

use std::path::PathBuf;

use madang::sysv::{Change, Key};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::error::Result;

/// The argument `key`: a number of 32 bits, with a sign or without; `None` is `IPC_PRIVATE`.
#[derive(Clone, Copy)]
pub(crate) struct AnyKey(Key);

impl FromPyObject<'_, '_> for AnyKey {
    type Error = PyErr;

    fn extract(key: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        if key.is_none() {
            return Ok(Self(Key::PRIVATE));
        }
        let number: i64 = key.extract()?;
        let short = i32::try_from(number).or_else(|_| u32::try_from(number).map(u32::cast_signed));
        let bad = |_| PyValueError::new_err(format!("key={number:#x}: a key is a number of 32 bits, or None"));
        Ok(Self(short.map_err(bad)?.into()))
    }
}

impl From<AnyKey> for Key {
    fn from(key: AnyKey) -> Self {
        key.0
    }
}

/// The key that the C function ftok makes of an existing file and an id from 0 to 255: programs in any
/// language that name the same file get the same key.
///
/// It has 8 bits of the id, 8 of the device and 16 of the inode's number. So it is not unique: other files
/// may give the same key (any two whose inode numbers differ by a multiple of 65536, on one device), and a
/// file that is made again gives another key. Don't let programs recreate the file, and look whether what
/// you open is what you expect.
///
/// Raises FileNotFoundError, PermissionError and others of os.stat; OSError with EINVAL where the key would
/// be IPC_PRIVATE; OverflowError for an id that is not from 0 to 255.
#[pyfunction]
pub(crate) fn ftok(path: PathBuf, id: u8) -> Result<i32> {
    Ok(Key::of_path(path, id)?.number())
}

/// What of the permissions is to be changed.
fn change(mode: Option<u32>, uid: Option<u32>, gid: Option<u32>) -> Change {
    let change = mode.map_or(Change::default(), |mode| Change::default().mode(mode));
    let change = uid.map_or(change, |uid| change.uid(uid));
    gid.map_or(change, |gid| change.gid(gid))
}
