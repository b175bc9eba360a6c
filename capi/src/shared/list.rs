//! `madang_list`: what there is, for C.

use std::ffi::c_char;

use madang_core::{Kind, ListOptions, Listed};

use super::{MADANG_ANY_OWNER, MADANG_SEGMENTS, option_flags};
use crate::error::call;
use crate::pointer::Outs;

/// kind: one that this version of madang doesn't know.
pub const MADANG_KIND_OTHER: u32 = 0;
/// kind: a queue.
pub const MADANG_KIND_QUEUE: u32 = 1;
/// kind: a segment.
pub const MADANG_KIND_SEGMENT: u32 = 2;
/// kind: a set of semaphores.
pub const MADANG_KIND_SEMAPHORE_SET: u32 = 3;
/// kind: a mutex.
pub const MADANG_KIND_MUTEX: u32 = 4;
/// kind: a read-write lock.
pub const MADANG_KIND_RWLOCK: u32 = 5;
/// kind: a condition.
pub const MADANG_KIND_CONDITION: u32 = 6;
/// kind: a barrier.
pub const MADANG_KIND_BARRIER: u32 = 7;
/// kind: an event.
pub const MADANG_KIND_EVENT: u32 = 8;
/// kind: System V's shared memory, served from shared memory (madang_shmget).
pub const MADANG_KIND_MEMORY: u32 = 9;

/// How many bytes a file's name has at most, and its NUL.
const NAME: usize = 256;

/// An object that exists.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct madang_listed {
    /// sizeof(madang_listed), set by the caller in the first of them
    pub struct_size: u32,
    /// MADANG_KIND_QUEUE, _SEMAPHORE_SET, _MUTEX, _RWLOCK, _CONDITION, _BARRIER, _EVENT, _SEGMENT,
    /// _MEMORY or _OTHER
    pub kind: u32,
    /// Its file's size in bytes: of a segment its length, of all else what it may ever take
    pub size: u64,
    /// Bytes of memory that it takes
    pub allocated: u64,
    /// Permission bits
    pub mode: u32,
    /// The owner's user id
    pub uid: u32,
    /// The owner's group id
    pub gid: u32,
    /// 0, or what opening it would return: as -EUCLEAN, -EPROTO, -EACCES, -EPERM. To open it says in
    /// words why.
    pub error: i32,
    /// The name by which it is opened, and a NUL
    pub name: [c_char; 256],
}

impl Default for madang_listed {
    fn default() -> Self {
        Self { struct_size: 0, kind: 0, size: 0, allocated: 0, mode: 0, uid: 0, gid: 0, error: 0, name: [0; NAME] }
    }
}

impl From<Listed> for madang_listed {
    fn from(listed: Listed) -> Self {
        let Listed { kind, size, allocated, mode, uid, gid, ref error, .. } = listed;
        let kind = match kind {
            Kind::Queue => MADANG_KIND_QUEUE,
            Kind::SemaphoreSet => MADANG_KIND_SEMAPHORE_SET,
            Kind::Mutex => MADANG_KIND_MUTEX,
            Kind::RwLock => MADANG_KIND_RWLOCK,
            Kind::Condition => MADANG_KIND_CONDITION,
            Kind::Barrier => MADANG_KIND_BARRIER,
            Kind::Event => MADANG_KIND_EVENT,
            Kind::Segment => MADANG_KIND_SEGMENT,
            Kind::Memory => MADANG_KIND_MEMORY,
            _ => MADANG_KIND_OTHER,
        };
        let error = error.as_ref().map_or(0, |error| -error.errno());
        let mut told = Self { struct_size: 0, kind, size, allocated, mode, uid, gid, error, name: [0; NAME] };
        // What isn't UTF-8 got longer when it was replaced; the last byte stays NUL.
        for (to, from) in told.name[..NAME - 1].iter_mut().zip(listed.name.bytes()) {
            *to = from as c_char;
        }
        told
    }
}

/// Lists the objects that exist: queues, sets of semaphores, locks and their like, by kind and name.
///
/// objects is an array of capacity structs, of which only the first one's struct_size need be set.
/// flags: 0; MADANG_SEGMENTS, MADANG_ANY_OWNER, or both with |. What can't be opened is listed too:
/// its error says why.
///
/// Returns how many there are, of which the first capacity are written: as with snprintf(3), a
/// larger number says that the array is too small. With capacity 0, objects may be NULL. Or
///   -ENOENT, -ENOTDIR, -EACCES
///              the directory can't be read
///   -EINVAL    an unknown flag; struct_size is not set; or MADANG_DIR is not an absolute path
///   -EFAULT    objects is NULL, and capacity is not 0
///   -EMFILE, -ENFILE
///              as with open(2)
///
/// Doesn't wait. Any thread may call it at any time; others make and remove objects meanwhile.
#[unsafe(no_mangle)]
pub extern "C" fn madang_list(flags: u32, objects: *mut madang_listed, capacity: usize) -> i64 {
    call("madang_list", || {
        let known = [(MADANG_SEGMENTS, "MADANG_SEGMENTS"), (MADANG_ANY_OWNER, "MADANG_ANY_OWNER")];
        let [segments, any_owner] = option_flags(flags, known)?;
        let outs = Outs::new(objects, capacity, "objects")?;
        let found = ListOptions::default().segments(segments).any_owner(any_owner).list()?;
        Ok(outs.fill_all(found.into_iter().map(madang_listed::from)))
    })
}
