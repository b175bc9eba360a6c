//! The one file that maps memory: a mapping has an owner, and goes when the owner goes.

use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::sync::Arc;

use super::raw::geometry::{Geometry, Side};
use super::raw::header::{CONTROL, Header, ROSTER};
use super::raw::ring::Ring;
use super::raw::roster::Slot;
use crate::sys::{Errno, memory, process};

/// A part of a file, in bytes; both are multiples of 64 KiB, so that any page size can map it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

/// Shared memory of a file, mapped for as long as this lives.
#[derive(Debug)]
pub(crate) struct Mapping {
    base: NonNull<u8>,
    length: usize,
}

// SAFETY: a mapping is an address and a length; what lies there is shared with other processes anyway, and is
// only reached through atomics or through copies that the protocols above order.
unsafe impl Send for Mapping {}
// SAFETY: as for Send.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// The first `length` bytes of the file.
    pub(crate) fn of_file(fd: BorrowedFd, length: u64, write: bool) -> Result<Self, Errno> {
        let length = usize::try_from(length).map_err(|_| Errno(libc::ENOMEM))?;
        Ok(Self { base: memory::map_file(fd, 0, length, write)?, length })
    }

    /// The given parts of the file, one after the other; a part may come twice.
    pub(crate) fn of_parts(fd: BorrowedFd, parts: &[Part]) -> Result<Self, Errno> {
        let length = parts.iter().try_fold(0u64, |sum, part| sum.checked_add(part.length));
        let length = length.and_then(|sum| usize::try_from(sum).ok()).ok_or(Errno(libc::ENOMEM))?;
        let mapping = Self { base: memory::reserve(length)?, length };
        let mut at = 0;
        for part in parts.iter().filter(|part| part.length > 0) {
            let length = part.length as usize;
            // SAFETY: `at + length` stays within the range that was just reserved, which nobody else knows.
            unsafe { memory::map_file_at(mapping.base.byte_add(at), fd, part.offset, length)? };
            at += length;
        }
        Ok(mapping)
    }

    pub(crate) fn base(&self) -> NonNull<u8> {
        self.base
    }

    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// Copies `from` to `offset`; `false` if it would not lie within.
    pub(crate) fn write(&self, offset: usize, from: &[u8]) -> bool {
        if offset.checked_add(from.len()).is_none_or(|end| end > self.length) {
            return false;
        }
        // SAFETY: the range lies within the mapping, which `from`, a Rust slice, can't overlap.
        unsafe { self.base.byte_add(offset).copy_from_nonoverlapping(NonNull::from(from).cast(), from.len()) };
        true
    }

    /// Copies what lies at `offset` into `to`; `false` if it would not lie within.
    pub(crate) fn read(&self, offset: usize, to: &mut [u8]) -> bool {
        if offset.checked_add(to.len()).is_none_or(|end| end > self.length) {
            return false;
        }
        let length = to.len();
        // SAFETY: as in `write`, in the other direction.
        unsafe { self.base.byte_add(offset).copy_to_nonoverlapping(NonNull::from(to).cast(), length) };
        true
    }
}

/// What lies in an object with a header.
impl Mapping {
    /// The header at its start; `None` if the file is too short for one.
    pub(crate) fn header(&self) -> Option<&Header> {
        // SAFETY: the mapping is page-aligned and long enough, and lives as long as the reference.
        (self.length as u64 >= CONTROL).then(|| unsafe { Header::at(self.base) })
    }

    /// The roster of `slots` slots.
    pub(crate) fn roster(&self, slots: u32) -> &[Slot] {
        let (start, count) = (ROSTER as usize, slots as usize);
        assert!(start + count * size_of::<Slot>() <= self.length, "a checked header promises room for its roster");
        // SAFETY: within the mapping (just checked), aligned since the mapping is; a slot consists of atomics, for
        // which every content is valid.
        unsafe { NonNull::slice_from_raw_parts(self.base.byte_add(start).cast(), count).as_ref() }
    }

    /// Maps a queue: the header once, each ring twice in a row, the heap once.
    pub(crate) fn of_queue(fd: BorrowedFd, geometry: &Geometry) -> Result<Self, Errno> {
        let ring = |side| Part { offset: geometry.offset(side), length: geometry.ring(side) };
        let (near, deep) = (ring(Side::Near), ring(Side::Deep));
        let header = Part { offset: 0, length: geometry.header_length() };
        let heap = Part { offset: geometry.heap_offset(), length: geometry.heap() };
        let parts = [header, near, near, deep, deep, heap];
        Self::of_parts(fd, &parts)
    }

    /// The queue in a mapping that [`Self::of_queue`] made of the same geometry.
    pub(crate) fn ring(self: &Arc<Self>, geometry: Geometry) -> Ring {
        let near = geometry.header_length();
        let deep = near + 2 * geometry.ring(Side::Near);
        let heap = deep + 2 * geometry.ring(Side::Deep);
        assert!(heap + geometry.heap() <= self.length as u64, "mapped with another geometry");
        let at = |offset: u64| {
            // SAFETY: within the mapping or just past its end (checked above).
            unsafe { self.base.byte_add(offset as usize) }
        };
        // SAFETY: `of_queue` mapped the parts in this order, each ring twice; the ring keeps the mapping alive;
        // only madang's protocols write there.
        unsafe { Ring::at(at(CONTROL).cast(), at(near), at(deep), at(heap), geometry, self.clone()) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and whatever points into it is borrowed from an owner that drops us.
        unsafe { memory::unmap(self.base, self.length) };
    }
}

/// Keeps an open file description, and the lock on it, alive without a descriptor: one page that can't be
/// touched. It survives `closefrom`, is not inherited by `fork`, and goes with exec and with death.
#[derive(Debug)]
pub(crate) struct Hold {
    page: NonNull<u8>,
    length: usize,
    epoch: u64,
}

// SAFETY: an address that is never touched.
unsafe impl Send for Hold {}
// SAFETY: as for Send.
unsafe impl Sync for Hold {}

impl Hold {
    /// To be called where fork is excluded: between the two calls a child would inherit the page.
    pub(crate) fn new(fd: BorrowedFd) -> Result<Self, Errno> {
        let length = memory::page_size();
        let hold = Self { page: memory::hold_file(fd, length)?, length, epoch: process::epoch() };
        memory::dont_fork(hold.page, length)?;
        Ok(hold)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        // In a forked child the page isn't there, and something else may lie at its address.
        if self.epoch == process::epoch() {
            // SAFETY: this process mapped the page, and nothing points into it.
            unsafe { memory::unmap(self.page, self.length) };
        }
    }
}
