//! `madang_posix_*`: POSIX message queues, shared memory and semaphores for C; and what their lists have in common.

pub mod mq;
pub mod sem;
pub mod shm;

use std::ffi::c_char;

use madang_core::posix::Listed;

use crate::error::Result;
use crate::pointer::Outs;

/// How many bytes a file's name has at most, and its NUL.
const NAME: usize = 256;

/// A POSIX message queue, shared memory object or semaphore that exists.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct madang_posix_listed {
    /// sizeof(madang_posix_listed), set by the caller in the first of them
    pub struct_size: u32,
    /// Permission bits
    pub mode: u32,
    /// The owner's user id
    pub uid: u32,
    /// The owner's group id
    pub gid: u32,
    /// Bytes: of shared memory its size; of a message queue what its messages have together, -1 if
    /// this process may not read it; of a semaphore its memory
    pub size: i64,
    /// 0
    pub reserved: u64,
    /// The name by which it is opened, and a NUL
    pub name: [c_char; 256],
}

impl Default for madang_posix_listed {
    fn default() -> Self {
        Self { struct_size: 0, mode: 0, uid: 0, gid: 0, size: 0, reserved: 0, name: [0; NAME] }
    }
}

impl From<Listed> for madang_posix_listed {
    fn from(listed: Listed) -> Self {
        let Listed { ref name, mode, uid, gid, size, .. } = listed;
        let size = size.map_or(-1, |size| i64::try_from(size).unwrap_or(i64::MAX));
        let mut told = Self { mode, uid, gid, size, ..Self::default() };
        // What isn't UTF-8 got longer when it was replaced; the last byte stays NUL.
        for (to, from) in told.name[..NAME - 1].iter_mut().zip(name.bytes()) {
            *to = from as c_char;
        }
        told
    }
}

/// Fills the caller's array with what `list` finds.
fn list(
    objects: *mut madang_posix_listed,
    capacity: usize,
    list: fn() -> madang_core::Result<Vec<Listed>>,
) -> Result<i64> {
    let outs = Outs::new(objects, capacity, "objects")?;
    Ok(outs.fill_all(list()?.into_iter().map(madang_posix_listed::from)))
}
