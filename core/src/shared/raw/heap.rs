//! The heap: blocks of any size in shared memory.
//!
//! ```text
//!   0                                         high              taken              size
//!   ├ block ┼ block ┼─ block ─┼ … ┼── block ──┼─ the rest, never used ─────────────┤
//!                                             └── has space ─────┘└─ may have none ─┘
//! ```
//!
//! **What is trusted.** From 0 to `high` blocks lie one after another; the size of each tells where the next begins. A walk
//! meets every block, and every store leaves the walk whole. All else follows from a walk, and is made anew by one
//! ([`Heap::sweep`]): the lists of free blocks, the tags by which a block finds a free one before it, the sums.
//!
//! **The size word**; only the holder of the heap's lock writes it:
//!
//! ```text
//!   63 ............ 6   5 .. 3   2            1         0
//!   size / 64           0        after free   counted   hollow
//! ```
//!
//! - *hollow*: between its first and last 64 KiB boundaries ([`Found::hole`]) the block may have no space in the file. Its head
//!   and what follows up to the first boundary have it always; its end does if another block follows.
//! - *counted*: its message is part of the sums `bytes` and `messages`. Free blocks never count.
//! - *after free*: the block before it is free, and the last word of that one is its size: its tag.
//!
//! **Free blocks never touch** each other or `high`: `free` merges, and gives the last run back to the rest, by lowering `high`. So
//! "full" means that no run is long enough. Lists hold the free blocks by size, four for each power of two; hollow ones have
//! lists of their own, one for each.
//!
//! **Allocate** takes, in this order: one of the first few blocks of the list where the shortest that will do lie (messages of one
//! size come back); one of a list where all are long enough; the rest, as far as it has space; and then what needs a system call
//! first: a hollow block, or more of the rest. [`Allocated::NeedsSpace`] says what. Nothing is held meanwhile, so nobody waits
//! for who is frozen in it. The space is offered with the next try, and believed if `changes` is what it was: that is raised
//! when a hollow block leaves its list and when `taken` is lowered, so nobody can have punched it out again.
//!
//! **Trim** claims a free block as its own, hollow before anything is punched, and frees it after that; and the rest likewise. A
//! hollow run that becomes part of the rest lowers `taken`; `touched` remembers how far there may be space nevertheless.
//!
//! **Deaths.** Whoever inherits the lock walks, merges, and sums anew. What he finds:
//!
//! - *allocate*: what remains of a split has its head before the size is shortened, a block past `high` before `high` is raised.
//!   HELD is the commit (past `high`: raising it). Before it, the block is free or was never there; after it, it is
//!   HELD by the dead: [`Heap::reclaim`].
//! - *free*: FREE is the commit, though the block may be marked as counted still. Then each merge is one store of a size; the heir
//!   merges what is left.
//! - *count*: it counts with the bit.
//! - *trim*: a block HELD by the dead, or free; hollow in either case, whatever was punched. `taken` is lowered before `high`.
//! - *between the answer and the next try*: the space is there, and is taken again.
//!
//! Whoever finds lists that make no sense leaves `stale` behind, and the next one walks. A walk that fails is damage for everybody:
//! nothing can be told of what lies behind it.
//!
//! The lock is taken after those of senders and receivers; nothing is taken while it is held.

use std::ops::Range;
use std::ptr::NonNull;

use super::Fault;
use super::block::{Block, GRAIN, HEAD, HOLLOW, State};
use super::cell::{U32, U64};
use super::end::Passed;
use super::geometry::PIECE;
use super::host::{Host, Participant};
use super::lock::{Locked, RobustLock};
use crate::deadline::Deadline;

/// In the size: the block's message is part of the sums.
const COUNTED: u64 = 2;
/// In the size: the block before it is free, and ends with its tag.
const AFTER_FREE: u64 = 4;
/// What a size word says besides the size.
const FLAGS: u64 = GRAIN - 1;

/// No area is larger: as many bytes as a queue may hold, and the heads.
pub(super) const MOST_AREA: u64 = 1 << 41;
/// Lists of blocks with space: 1, 2, 3 grains, then four for each power of two.
const SPACED: usize = 4 * (MOST_AREA / GRAIN).ilog2() as usize - 4;
/// A hollow block has more than 2 to this many grains: a whole piece lies in it.
const LEAST_HOLLOW: u32 = (PIECE / GRAIN).ilog2();
/// All lists: after those, one for each power of two of hollow blocks.
const LISTS: usize = SPACED + ((MOST_AREA / GRAIN).ilog2() - LEAST_HOLLOW) as usize;

/// How many blocks of about the right size are looked at before a longer one is split.
const FEW: u64 = 4;
/// Of a run with more than this half at most is claimed for trimming at once: the others go on with what is left.
const SHARED: u64 = if cfg!(test) { 8 * PIECE } else { 16 << 20 };

/// A heap's control lines.
#[derive(Debug)]
#[repr(C, align(128))]
pub(super) struct HeapControl {
    pub(super) lock: RobustLock,
    _unused: U32,
    /// Where the blocks end.
    pub(super) high: U64,
    /// The sums over all blocks that are counted.
    pub(super) bytes: U64,
    pub(super) messages: U64,
    /// Which lists are not empty.
    pub(super) some: [U64; LISTS.div_ceil(64)],
    pub(super) rare: Rare,
    /// The first free block in each list, as a [`link`].
    pub(super) lists: [U64; LISTS],
}

/// What is hardly ever written, and is read without the lock.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub(super) struct Rare {
    /// How far from its start the area has space in the file, holes aside; `size` or more: all of it.
    pub(super) taken: U64,
    /// How far it may have some: at least as far, and never less than before.
    pub(super) touched: U64,
    /// How often what was known of missing space changed.
    pub(super) changes: U64,
    /// Not 0: lists, tags and sums may be wrong.
    pub(super) stale: U64,
    /// How often the lock was inherited from the dead.
    pub(super) repairs: U64,
}

const _: () = {
    assert!(size_of::<HeapControl>() <= 1664);
    assert!(MOST_AREA.is_power_of_two() && LISTS <= 192 && FLAGS >= HOLLOW | COUNTED | AFTER_FREE);
    assert!(SHARED / 2 > 2 * PIECE);
};

impl Default for HeapControl {
    fn default() -> Self {
        Self {
            lock: RobustLock::default(),
            _unused: U32::default(),
            high: U64::default(),
            bytes: U64::default(),
            messages: U64::default(),
            some: Default::default(),
            rare: Rare::default(),
            lists: std::array::from_fn(|_| U64::default()),
        }
    }
}

/// How an allocation came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Allocated {
    /// The block at this offset is HELD by the caller, and has space.
    Block(u64),
    /// First this piece must be taken from the file; then again, with it.
    NeedsSpace(Space),
    /// No free run is long enough.
    Full,
}

/// A piece of the area that needs space in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Space {
    pub(super) offset: u64,
    pub(super) length: u64,
    /// The hollow block that it is for; otherwise it is for the rest.
    hollow: Option<u64>,
    changes: u64,
}

impl Space {
    fn end(&self) -> u64 {
        self.offset + self.length
    }
}

/// A free block that was claimed for trimming.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    /// HELD by the caller, and hollow.
    pub(super) block: u64,
    /// The piece of the area that may be punched out of the file.
    pub(super) offset: u64,
    pub(crate) length: u64,
}

/// What becomes of a block that is not free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// It stays as it is.
    Keep,
    /// It stays, and counts.
    Count,
    /// It stays, and doesn't count.
    Uncount,
    Free,
}

/// A block and its size word, read once and checked.
#[derive(Clone, Copy, Debug)]
struct Found<'a> {
    offset: u64,
    block: &'a Block,
    word: u64,
}

impl Found<'_> {
    fn size(&self) -> u64 {
        self.word & !FLAGS
    }

    fn end(&self) -> u64 {
        self.offset + self.size()
    }

    fn is_free(&self) -> bool {
        matches!(self.block.state(), Some((State::Free, _)))
    }

    fn is_hollow(&self) -> bool {
        self.word & HOLLOW != 0
    }

    /// Where it has no space if it is hollow.
    fn hole(&self) -> Range<u64> {
        hole(self.offset, self.size())
    }

    fn list(&self) -> usize {
        list_of(self.word)
    }
}

/// What of a block can be without space: whole pieces, behind the head and before the tag.
fn hole(offset: u64, size: u64) -> Range<u64> {
    (offset + HEAD).next_multiple_of(PIECE)..(offset + size - 1) / PIECE * PIECE
}

/// How a block of `offset` is named in a list: never 0.
fn link(offset: u64) -> u64 {
    offset | 1
}

/// The list in which a free block lies, by its size word.
fn list_of(word: u64) -> usize {
    let grains = word / GRAIN;
    let power = grains.checked_ilog2().unwrap_or(0);
    if word & HOLLOW != 0 {
        return (SPACED + power.saturating_sub(LEAST_HOLLOW) as usize).min(LISTS - 1);
    }
    let list = if power < 2 { grains } else { u64::from(power - 1) << 2 | grains >> (power - 2) & 3 };
    (list as usize).min(SPACED - 1)
}

/// The lists in which every block has at least `size` bytes; `hollow` is that bit or 0.
fn lists_above(size: u64, hollow: u64) -> Range<usize> {
    let power = (size / GRAIN).checked_ilog2().unwrap_or(0);
    let step = GRAIN << if hollow == 0 { power.saturating_sub(2) } else { power };
    let end = if hollow == 0 { SPACED } else { LISTS };
    let rounded = size.saturating_add(step - GRAIN);
    if rounded >= MOST_AREA { end..end } else { list_of(rounded & !FLAGS | hollow)..end }
}

/// What a block for so many bytes takes.
fn size_for(length: u64) -> Option<u64> {
    length.checked_add(HEAD)?.checked_next_multiple_of(GRAIN)
}

/// An area of shared memory with its control lines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heap {
    control: NonNull<HeapControl>,
    base: NonNull<u8>,
    size: u64,
}

// SAFETY: all shared state is reached through atomics; a block's bytes are the caller's affair.
unsafe impl Send for Heap {}
// SAFETY: as for Send.
unsafe impl Sync for Heap {}

impl Heap {
    /// The heap whose control lines and area lie at the given addresses.
    ///
    /// # Safety
    /// For as long as this or a copy of it is used: `control` is valid and aligned; `base` is valid for `size` bytes and aligned
    /// to a block; `size` is a multiple of [`PIECE`], at most [`MOST_AREA`]; and all of it is only written by the protocols
    /// of this floor (or by scribblers in other processes).
    pub(super) unsafe fn at(control: NonNull<HeapControl>, base: NonNull<u8>, size: u64) -> Self {
        debug_assert!(size.is_multiple_of(PIECE) && size <= MOST_AREA);
        Self { control, base, size }
    }

    #[inline]
    fn control(&self) -> &HeapControl {
        // SAFETY: `at`'s promise; the struct consists of atomics, for which every content is valid.
        unsafe { self.control.as_ref() }
    }

    /// The head at `offset`, if one can be there. Whether one is, is for the caller to know.
    #[inline]
    pub(super) fn block(&self, offset: u64) -> Option<&Block> {
        // Even to look at a page takes its space.
        let can_be = offset.is_multiple_of(GRAIN) && offset < self.taken();
        // SAFETY: a multiple of the grain below the area's size, which is one too, is valid for a head and aligned; the
        // struct consists of atomics, for which every content is valid.
        can_be.then(|| unsafe { self.base.byte_add(offset as usize).cast().as_ref() })
    }

    /// The bytes of the block at `offset`, valid for `length`, if it says that it has so many.
    #[inline]
    pub(super) fn bytes(&self, offset: u64, length: u64) -> Option<NonNull<u8>> {
        let size = self.block(offset)?.size.get() & !FLAGS;
        let has = size <= self.size - offset && length <= size.checked_sub(HEAD)?;
        // SAFETY: the block, of which this is no more than the end, lies in the area, for which `base` is valid.
        has.then(|| unsafe { self.base.byte_add((offset + HEAD) as usize) })
    }

    /// The sums over the counted blocks; a snapshot.
    #[inline]
    pub(super) fn counted(&self) -> Passed {
        let HeapControl { bytes, messages, .. } = self.control();
        Passed { bytes: bytes.get(), messages: messages.get() }
    }

    /// Whether there is any block.
    pub(super) fn is_used(&self) -> bool {
        self.control().high.get() != 0
    }

    /// How often the lock was inherited from the dead.
    pub(super) fn repairs(&self) -> u64 {
        self.control().rare.repairs.get()
    }

    /// How far from its start the area has space.
    #[inline]
    fn taken(&self) -> u64 {
        self.control().rare.taken.peek().min(self.size)
    }

    /// Where the blocks end.
    fn high(&self) -> Result<u64, Fault> {
        let high = self.control().high.peek();
        let can_be = high <= self.size && high.is_multiple_of(GRAIN);
        can_be.then_some(high).ok_or(Fault::Damaged("the heap ends outside of its area"))
    }

    /// The block at `offset`, which ends at or before `high`.
    fn found(&self, offset: u64) -> Result<Found<'_>, Fault> {
        let high = self.high()?;
        let block = self.block(offset).filter(|_| offset < high);
        let block = block.ok_or(Fault::Damaged("a block lies outside of the heap"))?;
        let word = block.size.get();
        let size = word & !FLAGS;
        let can_be = size != 0 && size <= high - offset && (word & HOLLOW == 0 || !hole(offset, size).is_empty());
        can_be.then_some(Found { offset, block, word }).ok_or(Fault::Damaged("a block's size makes no sense"))
    }

    /// The tag of the free block that ends at `end`.
    fn tag(&self, end: u64) -> &U64 {
        debug_assert!(end.is_multiple_of(GRAIN) && (GRAIN..=self.size).contains(&end));
        // SAFETY: the last word before a grain's end in the area; blocks end there, and what is found begins there.
        unsafe { self.base.byte_add((end - size_of::<U64>() as u64) as usize).cast().as_ref() }
    }

    /// Does `work` under the lock, in a heap that is in order.
    fn locked<T>(
        &self,
        host: &impl Host,
        deadline: Deadline,
        work: impl FnOnce() -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let HeapControl { lock, rare, .. } = self.control();
        if lock.lock(host, deadline)? == Locked::Inherited {
            self.note_repair();
        }
        let done = self.put_in_order().and_then(|()| work());
        if let Err(Fault::Damaged(_)) = done {
            rare.stale.set(1);
        }
        lock.unlock(host)?;
        done
    }

    #[inline]
    fn put_in_order(&self) -> Result<(), Fault> {
        if self.control().rare.stale.peek() == 0 { Ok(()) } else { self.sweep(|_, _| Decision::Keep) }
    }

    #[cold]
    fn note_repair(&self) {
        let Rare { stale, repairs, .. } = &self.control().rare;
        stale.set(1);
        repairs.add(1);
    }
}

/// What users do.
impl Heap {
    /// A block for `length` bytes, HELD by the caller; `granted` is the space that the last try said it needs, if it was taken.
    pub(super) fn allocate(
        &self,
        host: &impl Host,
        length: u64,
        granted: Option<Space>,
        deadline: Deadline,
    ) -> Result<Allocated, Fault> {
        let Some(size) = size_for(length).filter(|&size| size <= self.size) else {
            return Ok(Allocated::Full);
        };
        self.locked(host, deadline, || {
            Ok(match self.find(size, granted)? {
                Room::Free(free) => Allocated::Block(self.carve(free, size, host.me())?),
                Room::Rest => Allocated::Block(self.extend(size, host.me())?),
                Room::NeedsSpace(space) => Allocated::NeedsSpace(space),
                Room::None => Allocated::Full,
            })
        })
    }

    /// Frees a block that the caller may change: HELD or LEASED by him; or QUEUED or SENT, and he holds the receivers' lock.
    pub(super) fn free(&self, host: &impl Host, offset: u64, deadline: Deadline) -> Result<(), Fault> {
        self.locked(host, deadline, || self.release(self.owned(host, offset)?))
    }

    /// Counts the message of a block that the caller may change; its length must stay what it is.
    pub(super) fn count(&self, host: &impl Host, offset: u64, deadline: Deadline) -> Result<(), Fault> {
        self.locked(host, deadline, || {
            let Found { block, word, .. } = self.owned(host, offset)?;
            if word & COUNTED == 0 {
                let Passed { bytes, messages } = self.counted();
                block.size.set(word | COUNTED); // the commit
                self.set_sums(Passed {
                    bytes: bytes.wrapping_add(block.length.peek()),
                    messages: messages.wrapping_add(1),
                });
            }
            Ok(())
        })
    }

    /// Asks `decide` about every block that is not free, in one walk, and frees and counts as it says. It may change the states of
    /// blocks that are the caller's or the dead's, though not to FREE. It runs under the heap's lock, and takes none.
    pub(super) fn reclaim(
        &self,
        host: &impl Host,
        deadline: Deadline,
        decide: impl FnMut(u64, &Block) -> Decision,
    ) -> Result<(), Fault> {
        self.locked(host, deadline, || self.sweep(decide))
    }

    /// One step of trimming: claims the next free block behind the last claim that has whole pieces inside, and frees that claim.
    /// To be called until there is none; or the claim is freed as any block.
    pub(super) fn hollow_out(
        &self,
        host: &impl Host,
        last: Option<Claim>,
        deadline: Deadline,
    ) -> Result<Option<Claim>, Fault> {
        self.locked(host, deadline, || {
            let last = last.map(|claim| self.owned(host, claim.block)).transpose()?;
            let next = self.claim(last.map_or(0, |last| last.end()), host.me())?;
            if let Some(last) = last {
                self.release(last)?;
            }
            Ok(next)
        })
    }

    /// Takes over the lock if a former owner of the heir's slot holds it, and repairs. What can't be repaired is damaged for whoever
    /// uses it; that is no reason not to join.
    pub(super) fn settle(&self, host: &impl Host, heir: Participant) -> Result<(), Fault> {
        let lock = &self.control().lock;
        if lock.inherit_from_slot(heir) {
            self.note_repair();
            // What failed is stale still.
            let _ = self.put_in_order();
            lock.unlock(host)?;
        }
        Ok(())
    }

    /// The block at `offset`, if the caller can be one who may change it.
    fn owned(&self, host: &impl Host, offset: u64) -> Result<Found<'_>, Fault> {
        let found = self.found(offset)?;
        match found.block.state() {
            None | Some((State::Free, _)) => Err(Fault::Damaged("a block that is in use says that it isn't")),
            Some((State::Held(owner) | State::Leased(owner), _)) if owner != host.me() => Err(Fault::Disowned),
            _ => Ok(found),
        }
    }
}

/// Where a block can come from.
#[derive(Debug)]
enum Room<'a> {
    /// The first part of a free block.
    Free(Found<'a>),
    /// The rest, whose beginning has space.
    Rest,
    NeedsSpace(Space),
    None,
}

/// Finding, splitting and merging, for the holder of the lock.
impl Heap {
    fn find(&self, size: u64, granted: Option<Space>) -> Result<Room<'_>, Fault> {
        if let Some(filled) = self.accept(size, granted)? {
            return Ok(Room::Free(filled));
        }
        if let Some(free) = self.fitting(size, 0, FEW)? {
            return Ok(Room::Free(free));
        }
        let (high, taken) = (self.high()?, self.taken());
        if size <= taken.saturating_sub(high) {
            return Ok(Room::Rest);
        }
        if let Some(hollow) = self.fitting(size, HOLLOW, u64::MAX)? {
            return Ok(self.room_in(hollow, size));
        }
        if size <= self.size - high {
            let upto = (high + size).next_multiple_of(PIECE);
            return Ok(Room::NeedsSpace(self.space(taken..upto, None)));
        }
        // The last resort: longer ones there are none.
        Ok(self.search(list_of(size), size, u64::MAX)?.map_or(Room::None, Room::Free))
    }

    /// Believes that space was taken, if it can't have been punched out since; returns the hollow block that has enough of it now.
    fn accept(&self, size: u64, granted: Option<Space>) -> Result<Option<Found<'_>>, Fault> {
        let Rare { taken, touched, changes, .. } = &self.control().rare;
        let Some(space) = granted.filter(|space| space.changes == changes.peek()) else {
            return Ok(None);
        };
        let Some(offset) = space.hollow else {
            touched.set(touched.peek().max(space.end()));
            taken.set(taken.peek().max(space.end()));
            return Ok(None);
        };
        let hollow = self.found(offset)?;
        if hollow.hole().end <= space.end() {
            let filled = self.fill(hollow)?;
            return Ok((size <= filled.size()).then_some(filled));
        }
        Ok((offset + size + HEAD <= space.end()).then_some(hollow))
    }

    /// Of a hollow block that has all its space again: says so.
    fn fill<'a>(&self, hollow: Found<'a>) -> Result<Found<'a>, Fault> {
        self.unlink(hollow)?;
        let filled = resize(hollow, hollow.size());
        self.link(filled)?;
        Ok(filled)
    }

    /// A hollow block has space up to its hole: for this one and the head of what remains, or more is needed.
    fn room_in<'a>(&'a self, hollow: Found<'a>, size: u64) -> Room<'a> {
        let hole = hollow.hole();
        let end = hollow.offset + size + HEAD;
        if end <= hole.start {
            return Room::Free(hollow);
        }
        let upto = end.next_multiple_of(PIECE).min(hole.end);
        Room::NeedsSpace(self.space(hole.start..upto, Some(hollow.offset)))
    }

    fn space(&self, piece: Range<u64>, hollow: Option<u64>) -> Space {
        let changes = self.control().rare.changes.peek();
        Space { offset: piece.start, length: piece.end.saturating_sub(piece.start), hollow, changes }
    }

    /// Makes the first part of a free block the caller's. `word` is its size word: it says whether that part will be hollow.
    fn carve(&self, free: Found, word: u64, me: Participant) -> Result<u64, Fault> {
        self.unlink(free)?;
        let size = word & !FLAGS;
        let remains = free.size() - size;
        if remains == 0 {
            resize(free, word);
            self.note_free_before(free.end(), false)?;
        } else {
            let offset = free.offset + size;
            let block = self.block(offset).ok_or(Fault::Damaged("a free block lies outside of the heap"))?;
            block.commit(State::Free, 0);
            let rest = resize(Found { offset, block, word: 0 }, remains | free.word & HOLLOW);
            resize(free, word); // the split
            self.link(rest)?;
        }
        free.block.commit(State::Held(me), 0); // the commit
        Ok(free.offset)
    }

    /// Makes the beginning of the rest a block of the caller's; it has space for the head, and for all if `word` isn't hollow.
    fn extend(&self, word: u64, me: Participant) -> Result<u64, Fault> {
        let high = self.high()?;
        let block = self.block(high).ok_or(Fault::Damaged("the heap ends outside of its area"))?;
        block.size.set(word);
        block.commit(State::Held(me), 0);
        self.control().high.set(high + (word & !FLAGS)); // the commit
        Ok(high)
    }

    /// Frees a block that the caller may change.
    fn release(&self, found: Found) -> Result<(), Fault> {
        found.block.commit(State::Free, 0); // the commit
        if found.word & COUNTED != 0 {
            let Passed { bytes, messages } = self.counted();
            self.set_sums(Passed {
                bytes: bytes.wrapping_sub(found.block.length.peek()),
                messages: messages.wrapping_sub(1),
            });
        }
        let mut run = resize(found, found.size() | found.word & HOLLOW);
        if run.end() < self.high()? {
            let next = self.found(run.end())?;
            if next.is_free() {
                self.unlink(next)?;
                run = merge(run, next);
            }
        }
        if found.word & AFTER_FREE != 0 {
            let before = self.free_before(run.offset)?;
            self.unlink(before)?;
            run = merge(before, run);
        }
        if run.end() == self.high()? {
            self.give_to_rest(run);
            return Ok(());
        }
        self.link(run)
    }

    /// The free block that ends at `end`, by its tag.
    fn free_before(&self, end: u64) -> Result<Found<'_>, Fault> {
        let size = if end == 0 { 0 } else { self.tag(end).get() };
        let before = self.found(end.wrapping_sub(size))?;
        let is = before.end() == end && before.is_free();
        is.then_some(before).ok_or(Fault::Damaged("a free block isn't where its tag says"))
    }

    /// Makes the last run, which is in no list, part of the rest again.
    fn give_to_rest(&self, run: Found) {
        let HeapControl { high, rare, .. } = self.control();
        if run.is_hollow() {
            self.note_change();
            rare.taken.set(self.taken().min(run.hole().start));
        }
        high.set(run.offset); // the commit
    }

    /// Claims the first free block at or behind `from` with whole pieces inside; `from` is where a block begins, or `high`.
    fn claim(&self, from: u64, me: Participant) -> Result<Option<Claim>, Fault> {
        let mut at = from;
        while at < self.high()? {
            let found = self.found(at)?;
            if found.is_free() && !found.hole().is_empty() {
                // To split a hollow one takes space.
                let size = if found.is_hollow() { found.size() } else { share(at, found.size()) };
                let block = self.carve(found, size | HOLLOW, me)?;
                return Ok(Some(claimed(block, size)));
            }
            at = found.end();
        }
        self.claim_rest(at, me)
    }

    /// Claims the beginning of the rest, which is at `high`: there must be space for the head. Beyond `taken` it may have none at its
    /// end; who comes to lie behind it takes that too.
    fn claim_rest(&self, high: u64, me: Participant) -> Result<Option<Claim>, Fault> {
        let taken = self.taken();
        if high >= taken {
            return Ok(None);
        }
        let touched = self.control().rare.touched.peek().min(self.size);
        let size = if touched > taken { touched - high } else { share(high, taken - high) };
        if hole(high, size).is_empty() {
            return Ok(None);
        }
        Ok(Some(claimed(self.extend(size | HOLLOW, me)?, size)))
    }

    fn set_sums(&self, sums: Passed) {
        self.control().bytes.set(sums.bytes);
        self.control().messages.set(sums.messages);
    }

    /// Space that was asked for may not be what it seems any more.
    fn note_change(&self) {
        let changes = &self.control().rare.changes;
        changes.set(changes.peek().wrapping_add(1));
    }

    /// Walks over all blocks: merges the free ones and those that `decide` frees, and makes lists, tags and sums anew.
    #[cold]
    fn sweep(&self, mut decide: impl FnMut(u64, &Block) -> Decision) -> Result<(), Fault> {
        let HeapControl { lists, some, rare, .. } = self.control();
        self.note_change();
        lists.iter().chain(some).filter(|word| word.peek() != 0).for_each(|word| word.set(0));
        let (mut at, mut run, mut sums) = (0, None, Passed::default());
        while at < self.high()? {
            let found = self.found(at)?;
            at = found.end();
            if judge(found, &mut decide)? == Decision::Free {
                let free = resize(found, found.size() | found.word & HOLLOW);
                run = Some(run.map_or(free, |run| merge(run, free)));
                continue;
            }
            if found.block.size.peek() & COUNTED != 0 {
                sums = sums.and(found.block.length.peek());
            }
            if let Some(run) = run.take() {
                self.link(run)?;
            }
        }
        if let Some(run) = run {
            self.give_to_rest(run);
        }
        self.set_sums(sums);
        rare.stale.set(0);
        Ok(())
    }
}

/// The lists of free blocks, for the holder of the lock.
impl Heap {
    /// A free block of at least `size` bytes, `hollow` or not: one of the first `steps` in the list for that size, or the first in
    /// a list of longer ones.
    fn fitting(&self, size: u64, hollow: u64, steps: u64) -> Result<Option<Found<'_>>, Fault> {
        if let Some(free) = self.search(list_of(size | hollow), size, steps)? {
            return Ok(Some(free));
        }
        let Some(list) = self.first_of(lists_above(size, hollow)) else {
            return Ok(None);
        };
        self.search(list, size, 1)?.map_or(Err(Fault::Damaged("a list of free blocks is empty")), |free| Ok(Some(free)))
    }

    /// A block of at least `size` bytes among the first `steps` of a list.
    fn search(&self, list: usize, size: u64, steps: u64) -> Result<Option<Found<'_>>, Fault> {
        let (mut left, mut right) = (0, self.control().lists[list].peek());
        // A list that leads back to itself has a wrong link to the left. The bound is against scribblers.
        for _ in 0..steps.min(self.size / GRAIN) {
            if right == 0 {
                break;
            }
            let free = self.listed(right)?;
            if free.block.left.peek() != left || free.list() != list {
                return Err(Fault::Damaged("a free block is in the wrong list"));
            }
            if free.size() >= size {
                return Ok(Some(free));
            }
            (left, right) = (right, free.block.right.peek());
        }
        Ok(None)
    }

    /// The first list of these that isn't empty.
    fn first_of(&self, lists: Range<usize>) -> Option<usize> {
        let (first, shift) = (lists.start / 64, lists.start % 64);
        self.control().some.iter().enumerate().skip(first).find_map(|(index, word)| {
            let bits = word.peek() & if index == first { u64::MAX << shift } else { u64::MAX };
            let list = index * 64 + bits.trailing_zeros() as usize;
            (bits != 0 && lists.contains(&list)).then_some(list)
        })
    }

    /// The free block that a link names.
    fn listed(&self, right: u64) -> Result<Found<'_>, Fault> {
        let found = self.found(right ^ 1)?;
        found.is_free().then_some(found).ok_or(Fault::Damaged("a block in a list isn't free"))
    }

    /// Puts a free block first in its list, and tags it. Another block follows it.
    fn link(&self, free: Found) -> Result<(), Fault> {
        let HeapControl { lists, some, .. } = self.control();
        let list = free.list();
        let right = lists[list].peek();
        if right == 0 {
            let bits = &some[list / 64];
            bits.set(bits.peek() | 1 << (list % 64));
        } else {
            self.listed(right)?.block.left.set(link(free.offset));
        }
        free.block.left.set(0);
        free.block.right.set(right);
        lists[list].set(link(free.offset));
        self.tag(free.end()).set(free.size());
        self.note_free_before(free.end(), true)
    }

    /// Takes a free block out of its list, if that is where it is.
    fn unlink(&self, free: Found) -> Result<(), Fault> {
        let HeapControl { lists, some, .. } = self.control();
        let list = free.list();
        let (left, right) = (free.block.left.peek(), free.block.right.peek());
        let before = if left == 0 { &lists[list] } else { &self.listed(left)?.block.right };
        let after = if right == 0 { None } else { Some(&self.listed(right)?.block.left) };
        let me = link(free.offset);
        if before.peek() != me || after.is_some_and(|after| after.peek() != me) {
            return Err(Fault::Damaged("a free block isn't in its list"));
        }
        if free.is_hollow() {
            self.note_change();
        }
        before.set(right);
        if let Some(after) = after {
            after.set(left);
        } else if left == 0 {
            let bits = &some[list / 64];
            bits.set(bits.peek() & !(1 << (list % 64)));
        }
        Ok(())
    }

    /// Says in the block at `offset` whether the one before it is free.
    fn note_free_before(&self, offset: u64, is_free: bool) -> Result<(), Fault> {
        let Found { block, word, .. } = self.found(offset)?;
        let noted = if is_free { word | AFTER_FREE } else { word & !AFTER_FREE };
        if noted != word {
            block.size.set(noted);
        }
        Ok(())
    }
}

/// Gives a block this size and these flags, if it hasn't.
fn resize(found: Found<'_>, word: u64) -> Found<'_> {
    if found.word != word {
        found.block.size.set(word);
    }
    Found { word, ..found }
}

/// Makes one free block of two that touch: one store.
fn merge<'a>(run: Found<'a>, next: Found) -> Found<'a> {
    resize(run, (run.size() + next.size()) | (run.word | next.word) & HOLLOW)
}

/// What becomes of a block in a walk, and does it, but for what it has in common with others.
fn judge(found: Found, decide: &mut impl FnMut(u64, &Block) -> Decision) -> Result<Decision, Fault> {
    let Found { offset, block, word } = found;
    let decision = match block.state() {
        None => return Err(Fault::Damaged("a block's state makes no sense")),
        Some((State::Free, _)) => return Ok(Decision::Free),
        Some(_) => decide(offset, block),
    };
    let counted = match decision {
        Decision::Count => COUNTED,
        Decision::Uncount => 0,
        Decision::Keep | Decision::Free => word & COUNTED,
    };
    match decision {
        Decision::Free => block.commit(State::Free, 0),
        // Whether the one before it is free will be seen.
        Decision::Keep | Decision::Count | Decision::Uncount => {
            _ = resize(found, found.size() | word & HOLLOW | counted);
        }
    }
    Ok(decision)
}

/// How much of a run with space is claimed at once: all, or about half, so that one piece stays for the next head.
fn share(offset: u64, size: u64) -> u64 {
    if size <= SHARED { size } else { (offset + size / 2).next_multiple_of(PIECE) - HEAD - offset }
}

fn claimed(block: u64, size: u64) -> Claim {
    let hole = hole(block, size);
    Claim { block, offset: hole.start, length: hole.end - hole.start }
}
