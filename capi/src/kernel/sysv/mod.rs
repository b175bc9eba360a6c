//! `madang_sysv_*`: System V IPC for C; and what its three kinds have in common.

pub mod msg;
pub mod sem;
pub mod shm;

use std::ffi::{c_char, c_int};

use madang_core::sysv::{Change, Key};

use crate::error::{Failure, Result, call};
use crate::pointer::{self, Slot};

/// The key of System V objects that have none: opened with it, a new one is made each time, which
/// others find by its identifier only. IPC_PRIVATE.
pub const MADANG_SYSV_PRIVATE: i32 = 0;

/// Flag of madang_sysv_change: mode is to be set.
pub const MADANG_SYSV_MODE: u32 = 1;

/// Flag of madang_sysv_change: uid is to be set.
pub const MADANG_SYSV_UID: u32 = 2;

/// Flag of madang_sysv_change: gid is to be set.
pub const MADANG_SYSV_GID: u32 = 4;

/// The key that ftok(3) makes of an existing file and an id from 0 to 255. Programs in any language
/// that name the same file get the same key.
///
/// It has 8 bits of the id, 8 of the device and 16 of the inode's number. So it is not unique:
/// other files may give the same key (any two whose inode numbers differ by a multiple of 65536, on
/// one device), and a file that is made again gives another key. Don't let programs recreate the
/// file, and look whether what you open is what you expect.
///
/// Returns 0, with the key in *key; or
///   -ENOENT, -EACCES and others of stat(2)
///            for the file
///   -EINVAL  an id that is not from 0 to 255; or the key would be MADANG_SYSV_PRIVATE
///   -EFAULT  path or key is NULL
///
/// Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_sysv_ftok(path: *const c_char, id: c_int, key: *mut i32) -> c_int {
    call("madang_sysv_ftok", || {
        let key = Slot::required(key, "key")?;
        let path = pointer::path(path)?;
        let bad = |_| Failure::misuse(libc::EINVAL, format!("id {id}: it is from 0 to 255, for no more of it counts"));
        key.put(Key::of_path(path, u8::try_from(id).map_err(bad)?)?.number());
        Ok(0)
    })
}

/// What of a System V object's permissions is to be changed.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct madang_sysv_change {
    /// sizeof(madang_sysv_change)
    pub struct_size: u32,
    /// What is set: MADANG_SYSV_MODE, MADANG_SYSV_UID, MADANG_SYSV_GID, with |. The rest stays.
    pub flags: u32,
    /// Permission bits, at most 0777
    pub mode: u32,
    /// The owner
    pub uid: u32,
    /// The owner's group
    pub gid: u32,
    /// 0
    pub reserved: u32,
}

impl madang_sysv_change {
    fn to_core(self) -> Result<Change> {
        let all = MADANG_SYSV_MODE | MADANG_SYSV_UID | MADANG_SYSV_GID;
        if self.flags & !all != 0 || self.reserved != 0 {
            let what = format!("flags {:#x}: it knows only MADANG_SYSV_MODE, _UID and _GID", self.flags);
            return Err(Failure::misuse(libc::EINVAL, what));
        }
        let mut change = Change::default();
        if self.flags & MADANG_SYSV_MODE != 0 {
            change = change.mode(self.mode);
        }
        if self.flags & MADANG_SYSV_UID != 0 {
            change = change.uid(self.uid);
        }
        if self.flags & MADANG_SYSV_GID != 0 {
            change = change.gid(self.gid);
        }
        Ok(change)
    }
}

/// The change that the caller wants.
fn change(at: *const madang_sysv_change) -> Result<Change> {
    if at.is_null() {
        return Err(Failure::misuse(libc::EFAULT, "change is NULL"));
    }
    pointer::options(at)?.to_core()
}

/// Puts the permissions, which all three kinds have, into the struct that tells of one.
macro_rules! told {
    ($name:ident, $id:expr, $permissions:expr, $($field:ident: $value:expr),* $(,)?) => {{
        let permissions: &madang_core::sysv::Permissions = &$permissions;
        $name {
            struct_size: 0,
            id: $id,
            key: permissions.key.number(),
            mode: permissions.mode,
            uid: permissions.uid,
            gid: permissions.gid,
            creator_uid: permissions.creator_uid,
            creator_gid: permissions.creator_gid,
            sequence: permissions.sequence,
            $($field: $value),*
        }
    }};
}
use told;
