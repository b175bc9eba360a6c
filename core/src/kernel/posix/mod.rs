//! POSIX IPC: message queues, shared memory and semaphores.
//!
//! ```text
//! mq      message queues with priorities        mq_overview(7)
//! shm     shared memory objects                 shm_overview(7)
//! sem     semaphores, named and unnamed         sem_overview(7)
//!   file  a named file in /dev/shm, made whole: what the latter two are
//! ```
//!
//! A name is given as elsewhere in madang, without the `/` that the C functions want before it: `"orders"` is `mq_open("/orders")`. It is
//! 1 to 255 bytes (a semaphore's 251) of UTF-8, without `/`. Objects persist until they are unlinked, or the machine stops.
//!
//! They are the same objects that every other program makes by the C functions.

#![forbid(unsafe_code)]

mod file;
pub mod mq;
pub mod sem;
pub mod shm;

use std::ffi::CStr;

use crate::error::{Error, Result};
use crate::name;
use crate::sys::file::{look, names_in};

/// The permission bits of a new object, unless others are asked for.
const MODE: u32 = 0o600;

/// An object that [`mq::list`], [`shm::list`] or [`sem::list`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listed {
    /// The name by which it is opened; what isn't UTF-8 is replaced.
    pub name: String,
    /// Permission bits.
    pub mode: u32,
    /// The owner's user id.
    pub uid: u32,
    /// The owner's group id.
    pub gid: u32,
    /// In bytes: of shared memory its size; of a message queue what its messages have together, if this process may read it; of a
    /// semaphore its memory.
    pub size: Option<u64>,
}

/// The permission bits of a new object: 0 is the default.
fn mode(mode: u32, doing: &str) -> Result<u32> {
    match mode {
        0 => Ok(MODE),
        _ if mode & !0o7777 != 0 => {
            Err(Error::new(libc::EINVAL, format!("{doing}: mode 0{mode:o} has more than permission bits")))
        }
        _ => Ok(mode),
    }
}

/// The regular files in `directory` whose name `is_one` finds an object's name in, by their names.
fn files(directory: &CStr, is_one: impl Fn(&[u8]) -> Option<&[u8]>) -> Result<Vec<Listed>> {
    let files = names_in(directory).map_err(|errno| errno.during(format!("list {directory:?}")))?;
    let mut found = Vec::new();
    for file in files {
        let Some(name) = is_one(file.to_bytes()) else { continue };
        // What is gone by now isn't there.
        let Ok(stat) = look(&name::join(directory, file.to_bytes())) else { continue };
        if stat.is_regular() {
            found.push(Listed {
                name: String::from_utf8_lossy(name).into_owned(),
                mode: stat.permissions(),
                uid: stat.uid,
                gid: stat.gid,
                size: Some(stat.size),
            });
        }
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}
