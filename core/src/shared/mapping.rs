//! What lies in an object's memory, and how a queue is mapped; and the page that holds a participant's lock.

use std::ops::{Deref, Range};
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::raw::geometry::{Geometry, Side};
use super::raw::header::{CONTROL, Header, ROSTER};
use super::raw::ring::Ring;
use super::raw::roster::Slot;
use super::raw::semaphores::{self, Semaphores};
use super::raw::sync::{ALIGNMENT, Placed};
use crate::mapping::{Mapping, Part};
use crate::sys::memory::Wanted;
use crate::sys::{Errno, memory, process};

/// What lies in an object with a header.
impl Mapping {
    /// The header at its start; `None` if the file is too short for one.
    pub(crate) fn header(&self) -> Option<&Header> {
        // SAFETY: the mapping is page-aligned and long enough, and lives as long as the reference.
        (self.len() as u64 >= CONTROL).then(|| unsafe { Header::at(self.data()) })
    }

    /// The roster of `slots` slots.
    pub(crate) fn roster(&self, slots: u32) -> &[Slot] {
        let (start, count) = (ROSTER as usize, slots as usize);
        assert!(start + count * size_of::<Slot>() <= self.len(), "a checked header promises room for its roster");
        // SAFETY: within the mapping (just checked), aligned since the mapping is; a slot consists of atomics, for
        // which every content is valid.
        unsafe { NonNull::slice_from_raw_parts(self.data().byte_add(start).cast(), count).as_ref() }
    }

    /// The set of semaphores in a mapping of the whole file.
    pub(crate) fn semaphores(self: &Arc<Self>, geometry: semaphores::Geometry) -> Semaphores {
        assert!(geometry.size() <= self.len() as u64, "mapped with another geometry");
        // SAFETY: page-aligned and large enough (just checked); the set keeps the mapping alive; only madang's protocols write there.
        unsafe { Semaphores::at(self.data(), geometry, self.clone()) }
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
        assert!(heap + geometry.heap() <= self.len() as u64, "mapped with another geometry");
        let at = |offset: u64| {
            // SAFETY: within the mapping or just past its end (checked above).
            unsafe { self.data().byte_add(offset as usize) }
        };
        // SAFETY: `of_queue` mapped the parts in this order, each ring twice; the ring keeps the mapping alive;
        // only madang's protocols write there.
        unsafe { Ring::at(at(CONTROL).cast(), at(near), at(deep), at(heap), geometry, self.clone()) }
    }
}

/// A struct at its place in a mapping, which it keeps.
#[derive(Debug)]
pub(crate) struct Home<T> {
    at: NonNull<T>,
    _mapping: Arc<Mapping>,
}

// SAFETY: what is placed consists of atomics, which processes share anyway.
unsafe impl<T: Placed> Send for Home<T> {}
// SAFETY: as for Send.
unsafe impl<T: Placed> Sync for Home<T> {}

impl<T: Placed> Home<T> {
    /// `None` if it wouldn't lie within, or not at a multiple of [`ALIGNMENT`]; or if the mapping can't be written.
    pub(crate) fn new(mapping: Arc<Mapping>, offset: usize) -> Option<Self> {
        let fits = offset.checked_add(size_of::<T>()).is_some_and(|end| end <= mapping.len());
        if !fits || !offset.is_multiple_of(ALIGNMENT) || !mapping.is_writable() {
            return None;
        }
        // SAFETY: it lies within (just checked).
        Some(Self { at: unsafe { mapping.data().byte_add(offset) }.cast(), _mapping: mapping })
    }
}

impl<T: Placed> Deref for Home<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: within a mapping that is kept, which can be written, and is aligned since that is; `Placed` promises that every content is
        // valid, and that it is only reached through atomics.
        unsafe { self.at.as_ref() }
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

/// Shared memory that a program has attached, at an address that it uses as it likes; and what proves that it has.
///
/// What is attached over a part of it cuts it: then each piece is one of these, and they share the proof.
#[derive(Debug)]
pub(crate) struct Attachment {
    address: usize,
    length: usize,
    proof: Arc<Proof>,
}

/// A page that keeps a description open, and its lock. Unlike a [`Hold`] it is inherited by a forked child, as the memory is.
#[derive(Debug)]
struct Proof(AtomicUsize);

impl Attachment {
    /// Maps `length` bytes of the file at `offset`; `proof` is a description that holds a lock.
    ///
    /// Where `wanted` replaces what lies there, that is the program's wish (`SHM_REMAP`), and nothing of madang's.
    pub(crate) fn new(
        fd: BorrowedFd,
        offset: u64,
        length: usize,
        wanted: Wanted,
        proof: BorrowedFd,
    ) -> Result<Self, Errno> {
        // First: the proof must not lie where the memory is wanted.
        // SAFETY: what the program replaces it doesn't use, by its own promise (shmat(2)).
        let address = unsafe { memory::map_wanted(fd, offset, length, wanted) }?.as_ptr() as usize;
        match Proof::new(proof) {
            Ok(proof) => Ok(Self { address, length, proof: Arc::new(proof) }),
            Err(errno) => {
                unmap(address, length);
                Err(errno)
            }
        }
    }

    /// Where it lies: the first address, and the first after it.
    pub(crate) fn range(&self) -> Range<usize> {
        self.address..self.address + self.length
    }

    /// Whether both are pieces of one.
    pub(crate) fn is_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.proof, &other.proof)
    }

    /// What is left of it outside of `taken`, where something else lies by now.
    pub(crate) fn cut(mut self, taken: &Range<usize>) -> impl Iterator<Item = Self> + use<> {
        let Range { start, end } = self.range();
        (self.address, self.length) = (0, 0);
        let left = [start..end.min(taken.start), start.max(taken.end)..end];
        let piece = move |Range { start, end }| Self { address: start, length: end - start, proof: self.proof.clone() };
        left.into_iter().filter(|left| !left.is_empty()).map(piece)
    }

    /// Gives the proof up; the memory stays where it is.
    pub(crate) fn give_up(&self) {
        self.proof.replace(0);
    }

    /// Puts another proof in its place: a forked child's own.
    pub(crate) fn prove(&self, proof: BorrowedFd) -> Result<(), Errno> {
        self.proof.replace(std::mem::take(Proof::new(proof)?.0.get_mut()));
        Ok(())
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        unmap(self.address, self.length);
    }
}

impl Proof {
    fn new(fd: BorrowedFd) -> Result<Self, Errno> {
        memory::hold_file(fd, memory::page_size()).map(|page| Self(AtomicUsize::new(page.as_ptr() as usize)))
    }

    fn replace(&self, page: usize) {
        unmap(self.0.swap(page, Ordering::Relaxed), memory::page_size());
    }
}

impl Drop for Proof {
    fn drop(&mut self) {
        self.replace(0);
    }
}

/// Nothing lies at 0.
fn unmap(address: usize, length: usize) {
    if let Some(address) = NonNull::new(std::ptr::with_exposed_provenance_mut(address)) {
        // SAFETY: only an attachment and its proof pass what they have mapped, and once; to detach it is the program's promise that it
        // doesn't use it any more.
        unsafe { memory::unmap(address, length) };
    }
}
