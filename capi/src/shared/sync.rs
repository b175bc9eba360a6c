//! Locks and their like for C; and what they have in common.

pub mod barrier;
pub mod condition;
pub mod event;
pub mod mutex;
pub mod rwlock;

use madang_core::SyncOptions;

use super::{MADANG_ANY_OWNER, create, option_flags};
use crate::error::Result;

/// How a named mutex, read-write lock, condition, barrier or event is opened: struct_size, and what
/// shall not be the default.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct madang_sync_options {
    /// sizeof(madang_sync_options)
    pub struct_size: u32,
    /// 0, or MADANG_ANY_OWNER
    pub flags: u32,
    /// The permission bits of a new one, exactly: no umask. Default 0600. Whoever uses it needs to
    /// read and to write.
    pub mode: u32,
    /// MADANG_CREATE_IF_MISSING, the default; MADANG_CREATE_NEVER; MADANG_CREATE_ONLY
    pub create: u32,
}

impl madang_sync_options {
    fn to_core(self) -> Result<SyncOptions> {
        let [any_owner] = option_flags(self.flags, [(MADANG_ANY_OWNER, "MADANG_ANY_OWNER")])?;
        Ok(SyncOptions::default().mode(self.mode).create(create(self.create)?).any_owner(any_owner))
    }
}
