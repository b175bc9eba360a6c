//! The bytes of one message in shared memory, for whoever has it reserved or leased.

use std::any::Any;
use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;

use super::ring::batch::Payload;

/// Some bytes of a heap, which stay mapped as long as this lives. Who may read and write them is the holder's affair.
pub(crate) struct View {
    bytes: NonNull<[u8]>,
    /// Keeps the memory.
    _owner: Arc<dyn Any + Send + Sync>,
}

// SAFETY: an address of shared memory, which all threads reach; to read it while it is written gives wrong bytes, never a fault,
// and is excluded among those who keep to the protocols.
unsafe impl Send for View {}
// SAFETY: as for Send; there is no way to write by `&self`.
unsafe impl Sync for View {}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} bytes at {:p}", self.bytes.len(), self.bytes)
    }
}

impl View {
    /// # Safety
    /// The bytes are valid for reads and writes as long as `owner` lives, and no Rust reference covers them.
    pub(super) unsafe fn new(bytes: NonNull<[u8]>, owner: Arc<dyn Any + Send + Sync>) -> Self {
        Self { bytes, _owner: owner }
    }

    pub(crate) fn bytes(&self) -> NonNull<[u8]> {
        self.bytes
    }

    /// Copies `from` to `offset`; `false` if it would not lie within.
    pub(crate) fn write(&mut self, offset: usize, from: &[u8]) -> bool {
        if offset.checked_add(from.len()).is_none_or(|end| end > self.bytes.len()) {
            return false;
        }
        // SAFETY: the range lies within the bytes, which `from`, a Rust slice, can't overlap.
        unsafe {
            self.bytes.cast::<u8>().byte_add(offset).copy_from_nonoverlapping(NonNull::from(from).cast(), from.len());
        }
        true
    }

    /// Copies a whole message, which is as long as this.
    pub(crate) fn copy_from(&mut self, message: &impl Payload) {
        assert_eq!(message.length(), self.bytes.len(), "reserved for another message");
        // SAFETY: the bytes are valid for so many, and no Rust reference covers them.
        unsafe { message.copy_to(self.bytes.cast()) };
    }

    pub(crate) fn to_vec(&self) -> Vec<u8> {
        self.copy_into(vec![0; self.bytes.len()])
    }

    /// As [`to_vec`](Self::to_vec); `None` where there is no memory for it.
    pub(crate) fn try_to_vec(&self) -> Option<Vec<u8>> {
        let mut copy = Vec::new();
        copy.try_reserve_exact(self.bytes.len()).ok()?;
        copy.resize(self.bytes.len(), 0);
        Some(self.copy_into(copy))
    }

    fn copy_into(&self, mut copy: Vec<u8>) -> Vec<u8> {
        assert_eq!(copy.len(), self.bytes.len(), "made for it");
        // SAFETY: both are valid for so many bytes (just checked); the vector, which is nobody else's, can't overlap the view.
        unsafe {
            self.bytes.cast::<u8>().copy_to_nonoverlapping(NonNull::from(copy.as_mut_slice()).cast(), copy.len());
        }
        copy
    }
}
