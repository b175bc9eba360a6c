//! The first bytes of every object: what it is, so that nothing else is ever mistaken for it.
//!
//! ```text
//!     0   magic   layout  arch    kind  slots   size   parameters …      never written after creation
//!   512   the kind's own control lines
//!  4096   the roster: one slot of 32 bytes a participant
//!   …     to the next multiple of 64 KiB, where the kind's data begin
//! ```
//!
//! Geometry is read once: at open it is checked against the file's real size and copied; what is in shared memory
//! later is never asked again.

use std::ptr::NonNull;

use super::cell::{U32, U64};
use super::host::MOST_SLOTS;
use super::roster::Slot;

/// "madang" and two bytes that no text has.
const MAGIC: u64 = u64::from_le_bytes(*b"madang\x1a\0");
/// The layout of everything in shared memory; raised with every change of it.
pub(crate) const LAYOUT: u32 = 1;
/// Reads differently on a machine of the other byte order.
const ARCH: u32 = 0x0102_0304;

/// Data areas begin and end at multiples of this, which any page size divides.
pub(crate) const ALIGNMENT: u64 = 64 << 10;
/// Where a kind's control lines begin.
pub(crate) const CONTROL: u64 = 512;
/// Where the roster begins.
pub(crate) const ROSTER: u64 = 4096;

/// How many words a kind has for its own geometry.
const PARAMETERS: usize = 8;

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Kind {
    Queue = 1,
    SemaphoreSet = 2,
    Mutex = 3,
    RwLock = 4,
    Condition = 5,
    Barrier = 6,
    Event = 7,
    Memory = 8,
}

impl Kind {
    fn of(word: u32) -> &'static str {
        match word {
            1 => "a queue",
            2 => "a set of semaphores",
            3 => "a mutex",
            4 => "a read-write lock",
            5 => "a condition",
            6 => "a barrier",
            7 => "an event",
            8 => "System V shared memory",
            _ => "an object that this version doesn't know",
        }
    }
}

/// The sizes of an object; equal for everybody who has it open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) kind: Kind,
    /// How many participants the roster has room for.
    pub(crate) slots: u32,
    /// The whole file's size in bytes.
    pub(crate) size: u64,
    pub(crate) parameters: [u64; PARAMETERS],
}

/// Why something is not the object that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    Damaged(&'static str),
    OtherKind(&'static str),
    OtherLayout(u32),
    OtherByteOrder,
}

/// See the head of this file.
#[repr(C)]
pub(crate) struct Header {
    pub(super) magic: U64,
    pub(super) layout: U32,
    pub(super) arch: U32,
    pub(super) kind: U32,
    pub(super) slots: U32,
    pub(super) size: U64,
    pub(super) parameters: [U64; PARAMETERS],
}

const _: () = assert!(size_of::<Header>() == 96 && size_of::<Header>() as u64 <= CONTROL);

/// How many bytes the header, the control lines and the roster of `slots` slots take.
pub(crate) fn length(slots: u32) -> u64 {
    used(slots).next_multiple_of(ALIGNMENT)
}

/// How many of them are ever touched.
pub(crate) fn used(slots: u32) -> u64 {
    ROSTER + u64::from(slots) * size_of::<Slot>() as u64
}

impl Header {
    /// The header at the start of an object.
    ///
    /// # Safety
    /// `base` is valid for at least [`CONTROL`] bytes for `'a`, aligned to 8, and only written through atomics.
    pub(crate) unsafe fn at<'a>(base: NonNull<u8>) -> &'a Self {
        // SAFETY: the caller's promise; the struct consists of atomics, for which every content is valid.
        unsafe { base.cast().as_ref() }
    }

    /// Describes a new object, which nobody else can see yet.
    pub(crate) fn write(&self, shape: &Shape) {
        self.layout.set(LAYOUT);
        self.arch.set(ARCH);
        self.kind.set(shape.kind as u32);
        self.slots.set(shape.slots);
        self.size.set(shape.size);
        for (word, value) in self.parameters.iter().zip(shape.parameters) {
            word.set(value);
        }
        self.magic.set(MAGIC);
    }

    /// Reads the shape of an object of `kind` whose file has `size` bytes.
    pub(crate) fn read(&self, kind: Kind, size: u64) -> Result<Shape, Misfit> {
        if self.magic.get() != MAGIC {
            return Err(Misfit::Damaged("it doesn't begin as madang's objects do"));
        }
        if self.arch.get() != ARCH {
            return Err(Misfit::OtherByteOrder);
        }
        let (layout, found) = (self.layout.get(), self.kind.get());
        if layout != LAYOUT {
            return Err(Misfit::OtherLayout(layout));
        }
        if found != kind as u32 {
            return Err(Misfit::OtherKind(Kind::of(found)));
        }
        let mut parameters = [0; PARAMETERS];
        for (value, word) in parameters.iter_mut().zip(&self.parameters) {
            *value = word.get();
        }
        let shape = Shape { kind, slots: self.slots.get(), size: self.size.get(), parameters };
        if shape.size != size {
            return Err(Misfit::Damaged("its file was truncated or has grown"));
        }
        if shape.slots == 0 || shape.slots > MOST_SLOTS || length(shape.slots) > size {
            return Err(Misfit::Damaged("its roster can't be as large as it says"));
        }
        Ok(shape)
    }
}
