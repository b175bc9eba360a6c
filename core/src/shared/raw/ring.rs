//! The ring: records in order, senders at one end, receivers at the other.
//!
//! ```text
//!  senders                                                      receivers
//!  [lock P, tail] ──►  ▒ record ▒ record ▒ record ▒ 0 ……  ──►   [lock C, head]
//! ```
//!
//! **A record** is a word, the message's type, and its bytes, padded to 8. The word holds kind and length; it is what
//! receivers look at: they poll the record that they wait for, not a tail that all share. The word at the tail is always 0.
//! Several by one commit: `ring/batch.rs`.
//!
//! **Send**, holding P: write type and bytes past the tail; zero the word that follows; *store the record's word: the
//! commit*; store the tail. A death before the commit leaves scribble in free space, which is written again. A death after
//! it leaves a tail that lags: the next holder of P walks from it over the words that are not 0 ([`Ring::repair_senders`]).
//!
//! **Receive**, holding C: look at the word at the head; copy the bytes out; *store the head: the commit*. A death before
//! it leaves the message; a death after it takes the message along. There is nothing to repair.
//!
//! **Two rings, near and deep.** A position that only grows would sweep the whole ring through the cache, and touch every
//! page of a large one, though a queue that is kept up with holds next to nothing. So the records go round in a small ring,
//! the *near* one, and go on in the *deep* one, which has room for all that the limits admit, only while the receivers are
//! that far behind. A *skip* record says "go on in the other ring, where you left it". Both are mapped twice in a row, so that
//! no record wraps. Positions in each only grow.
//!
//! Where an end is in them, and what has passed there, is one word each: `end.rs`.
//!
//! **Room.** Senders check against a copy of how far receivers have freed (`room`, `bytes_end`, `messages_end`), and read the
//! receivers' line only when that says full. Room for the zero word after a record, and for a skip in its stead and the zero
//! word after that, is part of every check. Space in the file is taken before it is promised: `taken` says how far.
//!
//! A scribbled word is an error or a wrong message, never a fault: places are masked, lengths are checked against the
//! geometry, walks are bounded by it.

mod backlog;
pub(crate) mod batch;
mod estate;
mod lease;

use std::any::Any;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use super::Fault;
use super::block::Block;
use super::cell::{SHORT, Target, U64, copy_in, copy_short};
use super::end::{End, Passed, Place};
use super::event::{Announced, Event, fence_after_unlock};
use super::geometry::{Geometry, LEAN, LONGEST_INLINE, PIECE, RECORD, SPARE, Side, WORD, record_size};
use super::header::CONTROL;
use super::heap::{self, Heap, HeapControl};
use super::host::{EVERYBODY, Host, MANY, Participant};
use super::index::Want;
use super::keep::Entered;
use super::lines::{self, AT_ONCE, Lines, prefetch};
use super::sysv::SYSV;
use crate::deadline::Deadline;

pub(crate) use backlog::Asked;
pub(crate) use lease::{Leased, Reserved};

/// What a word says: its lowest three bits.
const KIND: u64 = 7;
/// A message, here.
const INLINE: u64 = 1;
/// A message in a block: the record's payload is the block's offset in the heap. The word says how long the message is: a block
/// that was received and freed says nothing any more, and the tail may have to be repaired still.
const REFERENCE: u64 = 2;
/// Go on in the other ring.
const SKIP: u64 = 3;
/// How far a message's length is shifted in its record's word.
const LENGTH: u32 = 8;

const LOST: Fault = Fault::Damaged("a message's block makes no sense");

/// A sender in the deep ring looks this often, in bytes, whether it can go back to the near one.
const REVISIT: u64 = if cfg!(test) { 256 } else { 64 << 10 };
/// How far ahead of the record that is being read the next ones are asked for, in bytes: the lock's instructions keep the processor
/// from doing so by itself. Measured at 64 B, in nanoseconds a message, with near and far cores: without 28 and 94, with 256 bytes
/// 23 and 94, with 1280 and more 18 and 70 to 74. (Only where lines aren't given up, `lines.rs`; that was measured before they were.)
const AHEAD: u64 = 2560;
/// How often a waker looks again for sleepers who announced themselves while it looked.
const MOST_TURNS: u32 = 4;
/// What receivers who sleep want, besides the bits of types: anything, so that one of them is enough; or more than a type tells, so
/// that each may be wrong.
const ANYTHING: u64 = 1 << 32;
const PICKY: u64 = 2 << 32;
/// Above those it is counted how often somebody said what he wants, so that nothing is forgotten that was said meanwhile.
const SAID: u64 = 4 << 32;
/// How many skips a receiver follows at once. A sender may skip back as soon as it sees that its skip was followed, and die before
/// its record: two in a row are common, more need more deaths.
const MOST_SKIPS: u32 = 8;

/// The senders' line.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub(super) struct Senders {
    pub(super) end: End,
    /// Up to where the present ring is known to be free and taken.
    pub(super) room: U64,
    /// Up to which sums of bytes and messages the limits admit more.
    pub(super) bytes_end: U64,
    pub(super) messages_end: U64,
}

/// The receivers' line.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub(super) struct Receivers {
    pub(super) end: End,
    /// The index of the backlog: a link to its first message, how many there are, and whether it must be made anew (not 0).
    pub(super) root: U64,
    pub(super) queued: U64,
    pub(super) stale: U64,
}

/// What a side's sleepers sleep on.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub(super) struct Waiting {
    pub(super) event: Event,
    /// Senders: the smallest message that waits for room. Too small is harmless, it only wakes too often. Receivers: what they want.
    /// Too much is harmless. (Receivers who wait by a descriptor say it in the event; senders here.)
    pub(super) wanted: U64,
}

impl Waiting {
    /// Whether a message whose type has that bit is none of what was wanted up to `seen`, though something was.
    fn is_unwanted(&self, seen: u64, bit: u32) -> bool {
        let wanted = seen & (SAID - 1) | u64::from(self.event.watched());
        wanted != 0 && wanted & (u64::from(bit) | PICKY | ANYTHING) == 0
    }

    /// Takes back what was wanted up to `seen`, for all whom a wake has found since; says whether nothing is wanted then.
    fn forget(&self, seen: u64, wants: u64) -> bool {
        let left = seen & !wants;
        self.wanted.swap_if(seen, left).is_ok() && left & (SAID - 1) == 0
    }
}

/// What is hardly ever written.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub(super) struct Settings {
    /// The limits in force; at most the geometry's.
    pub(super) bytes: U64,
    pub(super) messages: U64,
    /// How far each ring's space is taken from the file; `u64::MAX` when all of it is.
    pub(super) taken: [U64; 2],
    /// How often an end was inherited from the dead.
    pub(super) repairs: U64,
}

/// Where messages go that were handed out too often. Never written after creation.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub(super) struct DeadLetters {
    /// After how often; 0 is never.
    pub(super) deliveries: U64,
    /// The queue's name, and 0 in what remains.
    pub(super) name: [U64; 31],
}

/// A queue's control lines, at [`CONTROL`] in the file.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Control {
    pub(super) settings: Settings,
    pub(super) senders: Senders,
    pub(super) receivers: Receivers,
    pub(super) senders_waiting: Waiting,
    pub(super) receivers_waiting: Waiting,
    pub(super) heap: HeapControl,
    pub(super) dead_letters: DeadLetters,
}

const _: () = {
    assert!(AT_ONCE.is_power_of_two() && PIECE.is_multiple_of(AT_ONCE));
    assert!(size_of::<Control>() == 5 * 128 + size_of::<HeapControl>() + size_of::<DeadLetters>());
    assert!(CONTROL + size_of::<Control>() as u64 <= SYSV as u64 && CONTROL.is_multiple_of(128));
};

/// What is said of a word that can't be a record's.
const NO_RECORD: &str = "a record's word makes no sense";

/// Positions and sums are compared as they are, so none may wrap: nothing is sent past here, which leaves a whole ring to go. (At 10 GB a
/// second it takes 58 years.)
const LAST: u64 = u64::MAX - (1 << 42);
const WORN_OUT: &str =
    "2^64 bytes have gone through it, and it can count no further: receive what it holds, unlink it, and make it anew";

/// How a send came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// It is in the queue.
    Done,
    /// The limits admit no more.
    Full,
    /// First `length` bytes at `offset` of the file must be taken; then [`Ring::grant`], then again.
    NeedsSpace(Space),
}

/// A piece of the file that is needed next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Space {
    of: Of,
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

/// For what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    /// A ring, up to there.
    Ring(Side, u64),
    Heap(heap::Space),
}

impl Space {
    fn of_heap(self) -> Option<heap::Space> {
        match self.of {
            Of::Heap(space) => Some(space),
            Of::Ring(..) => None,
        }
    }
}

/// How a receive came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Message(Envelope),
    Empty,
    /// The message is this long; it stays.
    TooSmall(u64),
    /// First this piece of the file must be taken; then again, with it.
    NeedsSpace(Space),
    /// There is no room to move the messages to that are before the one that is asked for.
    NoRoom,
}

/// What a message says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub(crate) mtype: i64,
    pub(crate) length: u64,
    /// How many messages were sent before it.
    pub(crate) sequence: u64,
    /// How often it was handed out before.
    pub(crate) deliveries: u64,
}

/// Why a sender can't go on at once.
enum Blocked {
    Full,
    NeedsSpace(Space),
    Damaged(&'static str),
}

/// A queue in shared memory.
#[derive(Debug)]
pub(crate) struct Ring {
    control: NonNull<Control>,
    /// By [`Side`]: where the ring lies, and the mask that makes an offset of a position.
    rings: [(NonNull<u8>, u64); 2],
    heap: Heap,
    geometry: Geometry,
    /// Of this handle's receiver.
    lines: Lines,
    /// Keeps the memory.
    owner: Arc<dyn Any + Send + Sync>,
}

// SAFETY: all shared state is reached through atomics, or through copies that the locks order.
unsafe impl Send for Ring {}
// SAFETY: as for Send.
unsafe impl Sync for Ring {}

impl Ring {
    /// The queue whose control lines, near and deep ring, and heap lie at the given addresses.
    ///
    /// # Safety
    /// For as long as `owner` lives: `control` is valid and aligned; each ring is valid for twice its size in
    /// `geometry`, its second half showing the same memory as its first, aligned to 8; the heap is valid for its size and aligned
    /// to a block; and all of it is only
    /// written by the protocols of this floor (or by scribblers in other processes).
    pub(crate) unsafe fn at(
        control: NonNull<Control>,
        near: NonNull<u8>,
        deep: NonNull<u8>,
        heap: NonNull<u8>,
        geometry: Geometry,
        owner: Arc<dyn Any + Send + Sync>,
    ) -> Self {
        let near = (near, geometry.near - 1);
        // A queue without a deep ring whose place says deep was scribbled: any memory of ours will do.
        let deep = if geometry.deep == 0 { near } else { (deep, geometry.deep - 1) };
        debug_assert!(geometry.fits(Side::Near, record_size(SHORT as u64)));
        // SAFETY: the caller's promise; the control lines of the heap are part of `control`, whose fields lie within.
        let heap = unsafe { Heap::at(NonNull::from(&control.as_ref().heap), heap, geometry.heap()) };
        Self { control, rings: [near, deep], heap, geometry, lines: Lines::default(), owner }
    }

    /// Sets the limits of a new queue, which nobody else can see yet.
    pub(crate) fn create(&self, is_lean: bool) {
        let settings = &self.control().settings;
        let taken = match self.geometry.near {
            _ if is_lean => LEAN,
            PIECE => u64::MAX,
            _ => PIECE,
        };
        settings.taken[Side::Near as usize].set(taken);
        settings.bytes.set(self.geometry.capacity);
        settings.messages.set(self.geometry.max_messages);
    }

    /// Gives a new queue lower limits to begin with.
    pub(crate) fn begin_with(&self, bytes: u64, messages: u64) {
        self.control().settings.bytes.set(bytes);
        self.control().settings.messages.set(messages);
    }

    /// Says in a new queue where messages go that were handed out so often. The name has at most 248 bytes.
    pub(crate) fn set_dead_letters(&self, deliveries: u64, name: &str) {
        let letters = &self.control().dead_letters;
        for (word, bytes) in letters.name.iter().zip(name.as_bytes().chunks(8)) {
            let mut text = [0; 8];
            text[..bytes.len()].copy_from_slice(bytes);
            word.set(u64::from_le_bytes(text));
        }
        letters.deliveries.set(deliveries);
    }

    /// Whether a message was handed out so often that it goes to the dead letters.
    pub(crate) fn is_dead_letter(&self, envelope: Envelope) -> bool {
        let most = self.control().dead_letters.deliveries.get();
        most != 0 && envelope.deliveries >= most
    }

    /// The queue for messages that were handed out so often, if there is one.
    pub(crate) fn dead_letters(&self) -> Option<(u64, String)> {
        let letters = &self.control().dead_letters;
        let deliveries = letters.deliveries.get();
        let bytes: Vec<u8> =
            letters.name.iter().flat_map(|word| word.get().to_le_bytes()).take_while(|&b| b != 0).collect();
        (deliveries != 0).then(|| (deliveries, String::from_utf8_lossy(&bytes).into_owned()))
    }

    pub(crate) fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    #[inline]
    fn control(&self) -> &Control {
        // SAFETY: `at`'s promise; the struct consists of atomics, for which every content is valid.
        unsafe { self.control.as_ref() }
    }

    /// The byte at `place`, after which at least the ring's size is mapped.
    #[inline]
    fn byte(&self, place: Place) -> NonNull<u8> {
        let (base, mask) = self.rings[(place.0 & 1) as usize];
        // SAFETY: the masked position is less than the ring's size, for which `base` is valid.
        unsafe { base.byte_add((place.position() & mask) as usize) }
    }

    /// The word `offset` bytes after `place`; `offset` is a multiple of 8 and less than the ring's size.
    #[inline]
    fn word(&self, place: Place, offset: u64) -> &U64 {
        // SAFETY: within the ring's two mappings (see `byte`), aligned since all is a multiple of 8; an atomic
        // may hold anything.
        unsafe { self.byte(place).byte_add(offset as usize).cast().as_ref() }
    }
}

/// Sending.
impl Ring {
    /// Sends a short message if the senders' lock is kept and nothing is in the way; else does nothing.
    ///
    /// What every message of a stream takes, so each store counts: they reach the cache in order, and only some dozens of them wait
    /// for lines that the receivers have. (Spilled registers do so too.)
    #[inline(always)]
    pub(crate) fn send_kept(&self, host: &impl Host, mtype: i64, data: &[u8]) -> Result<bool, Fault> {
        let lock = &self.control().senders.end.lock;
        if data.len() > SHORT || !lock.enter_kept(host) {
            return Ok(false);
        }
        let sent = self.append_if_admitted::<true>(mtype, data);
        lock.leave_kept(host)?;
        if sent {
            self.wake_receiver(host, Entered::Kept, mtype);
        }
        Ok(sent)
    }

    /// Sends a message of at most [`Geometry::capacity`] bytes if the limits admit it, and wakes a receiver who sleeps.
    #[inline]
    pub(crate) fn send(&self, host: &impl Host, mtype: i64, data: &[u8], limit: Deadline) -> Result<Sent, Fault> {
        let lock = &self.control().senders.end.lock;
        let entered = lock.lock(host, limit)?;
        if entered == Entered::Inherited {
            self.repair_senders_or_unlock(host)?;
        }
        let sent = self.push(mtype, data);
        lock.unlock(host, entered)?;
        self.wake_for(host, entered, sent, mtype);
        sent
    }

    /// After an attempt to send: wakes who waits for what was sent.
    #[inline]
    fn wake_for(&self, host: &impl Host, entered: Entered, sent: Result<Sent, Fault>, mtype: i64) {
        if entered == Entered::Inherited {
            // What was repaired was a message, of whatever type, whose sender woke nobody.
            self.wake_everybody(host);
        }
        if sent == Ok(Sent::Done) {
            self.wake_receiver(host, entered, mtype);
        }
    }

    #[inline(always)]
    fn wake_receiver(&self, host: &impl Host, entered: Entered, mtype: i64) {
        fence_after_unlock(entered);
        if self.control().receivers_waiting.event.is_awaited() {
            self.wake_sleeping_receiver(*host, mtype);
        }
    }

    /// Wakes who waits for that type: one of those who want anything; but all, if there are others whom its bit names.
    #[cold]
    fn wake_sleeping_receiver(&self, host: impl Host, mtype: i64) {
        let Control { senders, receivers_waiting, .. } = self.control();
        let bit = bits_of(mtype);
        let choosy = u64::from(bit) | PICKY;
        // The second turn: another may have come in between and got the one wake, and not have wanted the message.
        for _ in 0..2 {
            let seen = receivers_waiting.wanted.get();
            if receivers_waiting.is_unwanted(seen, bit) {
                return;
            }
            senders.end.lock.give_back(&host);
            let is_for_all = seen & choosy != 0;
            let raised = receivers_waiting.event.raise_to(&host, if is_for_all { MANY } else { 1 }, bit);
            if is_for_all || raised.found_nobody() {
                if receivers_waiting.forget(seen, choosy | ANYTHING) && raised.found_nobody() {
                    receivers_waiting.event.clear(raised);
                }
                return;
            }
            if receivers_waiting.wanted.get() & choosy == 0 {
                return;
            }
        }
    }

    /// Wakes all receivers: there are messages that no sender tells of.
    #[cold]
    pub(super) fn wake_everybody(&self, host: &impl Host) {
        fence(Ordering::SeqCst);
        let waiting = &self.control().receivers_waiting;
        if !waiting.event.is_awaited() {
            return;
        }
        let seen = waiting.wanted.get();
        let raised = waiting.event.raise_to(host, MANY, EVERYBODY);
        if waiting.forget(seen, SAID - 1) && raised.found_nobody() {
            waiting.event.clear(raised);
        }
    }

    fn push(&self, mtype: i64, data: &[u8]) -> Result<Sent, Fault> {
        if self.append_if_admitted::<false>(mtype, data) {
            return Ok(Sent::Done);
        }
        let end = &self.control().senders.end;
        let place = end.place();
        let passed = end.passed(place);
        match self.make_room(place, passed, data.len() as u64, record_size(data.len() as u64)) {
            Ok(place) => self.append::<false>(place, mtype, data),
            Err(Blocked::Full) => return Ok(Sent::Full),
            Err(Blocked::NeedsSpace(space)) => return Ok(Sent::NeedsSpace(space)),
            Err(Blocked::Damaged(what)) => return Err(Fault::Damaged(what)),
        }
        Ok(Sent::Done)
    }

    /// Appends a record if what is known of the receivers admits it.
    #[inline(always)]
    fn append_if_admitted<const IS_SHORT: bool>(&self, mtype: i64, data: &[u8]) -> bool {
        let senders = &self.control().senders;
        let (length, size) = (data.len() as u64, record_size(data.len() as u64));
        let place = senders.end.place();
        let passed = senders.end.passed(place);
        let end = place.position().wrapping_add(size + SPARE);
        let admitted = end <= senders.room.peek()
            && passed.bytes.wrapping_add(length) <= senders.bytes_end.peek()
            && passed.messages < senders.messages_end.peek()
            && (IS_SHORT || self.geometry.fits(place.side(), size));
        if admitted {
            self.append::<IS_SHORT>(place, mtype, data);
        }
        admitted
    }

    /// Writes a record at `place`, where there is room for it, and goes on behind it.
    #[inline(always)]
    fn append<const IS_SHORT: bool>(&self, place: Place, mtype: i64, data: &[u8]) {
        let (length, size) = (data.len() as u64, record_size(data.len() as u64));
        self.word(place, WORD).set(mtype.cast_unsigned());
        // SAFETY: a record of `size` bytes fits the ring (checked by both callers), which is mapped for that many
        // bytes after any place in it; nobody reads there before its word says so.
        // (And whoever says short sees to that.)
        unsafe {
            let to = self.byte(place).byte_add(RECORD as usize);
            if IS_SHORT { copy_short(data, to) } else { copy_in(data, to) }
        }
        self.word(place, size).set(0);
        self.word(place, 0).set(length << LENGTH | INLINE); // the commit
        let end = &self.control().senders.end;
        // Read again: kept in registers it would push others out to the stack.
        end.advance(place, size, end.passed(place).and(length));
    }

    /// Looks how far the receivers have come, goes over to the other ring if that is better, and says where the
    /// record can be written.
    #[cold]
    fn make_room(&self, place: Place, passed: Passed, length: u64, size: u64) -> Result<Place, Blocked> {
        let Control { settings, senders, receivers, .. } = self.control();
        let received = self.gone();
        let (bytes, messages) = self.limits();
        let bytes_end = received.bytes.wrapping_add(bytes);
        let messages_end = received.messages.wrapping_add(messages);
        senders.bytes_end.set(bytes_end);
        senders.messages_end.set(messages_end);
        if passed.bytes.wrapping_add(length) > bytes_end || passed.messages >= messages_end {
            return Err(Blocked::Full);
        }
        let crosses = self.should_cross(place, size, passed.less(receivers.end.look().1));
        let to = if crosses { senders.end.beyond(place) } else { place };
        if to.position() > LAST || passed.bytes > LAST || passed.messages > LAST {
            return Err(Blocked::Damaged(WORN_OUT));
        }
        let side = to.side();
        let end = to.position().wrapping_add(size + SPARE);
        let free = receivers.end.reached(side).wrapping_add(self.geometry.ring(side));
        if end > free || !self.geometry.fits(side, size) {
            return Err(Blocked::Damaged("a ring is full though the limits admit more"));
        }
        // Before anything leads there: even to look at a page takes its space.
        let taken = settings.taken[side as usize].get();
        if end > taken {
            return Err(Blocked::NeedsSpace(self.next_space(side, taken, end)));
        }
        // Repair that failed set the room to 0, so who comes after it comes by here.
        if self.word(place, 0).get() != 0 {
            return Err(Blocked::Damaged("the word at the tail is not 0"));
        }
        if crosses {
            self.skip(place);
        }
        let revisit = if side == Side::Deep { end.wrapping_add(REVISIT) } else { u64::MAX };
        senders.room.set(free.min(taken).min(revisit));
        Ok(to)
    }

    /// Puts other limits in force, never above the geometry's; wakes senders, who may have room now.
    pub(crate) fn limit(&self, host: &impl Host, bytes: u64, messages: u64, deadline: Deadline) -> Result<(), Fault> {
        let Control { settings, senders, .. } = self.control();
        let entered = senders.end.lock.lock(host, deadline)?;
        if entered == Entered::Inherited {
            self.repair_senders_or_unlock(host)?;
        }
        settings.bytes.set(bytes);
        settings.messages.set(messages);
        // Whoever sends next looks.
        senders.bytes_end.set(0);
        senders.messages_end.set(0);
        senders.room.set(0);
        senders.end.lock.unlock(host, entered)?;
        self.wake_senders(host);
        Ok(())
    }

    /// Wakes everybody who waits at either end: there is nothing to wait for any more.
    pub(crate) fn wake_all(&self, host: &impl Host) {
        fence(Ordering::SeqCst);
        self.control().senders_waiting.event.raise(host);
        self.control().receivers_waiting.event.raise(host);
    }

    /// The limits in force, never above the geometry's.
    pub(crate) fn limits(&self) -> (u64, u64) {
        let settings = &self.control().settings;
        (settings.bytes.get().min(self.geometry.capacity), settings.messages.get().min(self.geometry.max_messages))
    }

    /// Whether the next record should lie in the other ring: in the deep one where the near one has no room for it, in the
    /// near one where that is all free and little is held.
    fn should_cross(&self, place: Place, size: u64, held: Passed) -> bool {
        if self.geometry.deep == 0 {
            return false;
        }
        let Control { senders, receivers, .. } = self.control();
        let near = self.geometry.near;
        let reached = receivers.end.reached(Side::Near);
        match place.side() {
            Side::Near => place.position().wrapping_add(size + SPARE) > reached.wrapping_add(near),
            Side::Deep => {
                let is_free = reached == senders.end.left(Side::Near).peek();
                let held = held.bytes.saturating_add(held.messages.saturating_mul(RECORD));
                is_free && held <= near / 2 && size + SPARE <= near / 2
            }
        }
    }

    /// Commits a skip at the tail and follows it.
    fn skip(&self, place: Place) {
        let senders = &self.control().senders;
        senders.room.set(0); // it was said of the ring that is left
        self.word(place, WORD).set(0);
        self.word(place, 0).set(SKIP); // the commit
        senders.end.cross(place);
    }

    /// The piece of the file that a record up to position `end` needs, beyond the `taken` bytes of that ring.
    fn next_space(&self, side: Side, taken: u64, end: u64) -> Space {
        let ring = self.geometry.ring(side);
        let taken = taken.min(ring);
        let upto = end.checked_next_multiple_of(PIECE).unwrap_or(ring).min(ring);
        Space {
            of: Of::Ring(side, upto),
            offset: self.geometry.offset(side) + taken,
            length: upto.saturating_sub(taken),
        }
    }

    /// Says that a piece of the file was taken. (One for the heap goes with the next try.)
    pub(crate) fn grant(&self, space: Space) {
        let Of::Ring(side, upto) = space.of else { return };
        let taken = &self.control().settings.taken[side as usize];
        let upto = if upto == self.geometry.ring(side) { u64::MAX } else { upto };
        // Others may have granted more meanwhile.
        let mut seen = taken.get();
        while seen < upto {
            match taken.swap_if(seen, upto) {
                Ok(()) => return,
                Err(now) => seen = now,
            }
        }
    }

    /// Goes from the stored tail over whatever was committed past it: what a dead owner of P may have left is one batch of records,
    /// or one skip. Each step is a sender's own, so a death in here leaves what it found or less to do.
    fn repair_senders(&self) -> Result<(), Fault> {
        let senders = &self.control().senders;
        senders.room.set(0);
        senders.bytes_end.set(0);
        senders.messages_end.set(0);
        let mut left = self.geometry.near + self.geometry.deep;
        loop {
            let place = senders.end.place();
            let word = self.word(place, 0).get();
            let size = match word & KIND {
                0 if word == 0 => return Ok(()),
                INLINE | REFERENCE => {
                    let record = self.record(place, word)?;
                    let passed = senders.end.passed(place);
                    senders.end.advance(place, record.size, passed.and(record.length));
                    record.size
                }
                SKIP if self.geometry.deep != 0 => {
                    senders.end.cross(place);
                    WORD
                }
                _ => return Err(Fault::Damaged("a word in the ring is no record")),
            };
            left = left.checked_sub(size).ok_or(Fault::Damaged("the ring has no end"))?;
        }
    }
}

/// Receiving.
impl Ring {
    /// Takes the first message into `target` if the receivers' lock is kept and nothing is in the way; else does nothing.
    #[inline(always)]
    pub(crate) fn receive_kept(&self, host: &impl Host, target: &mut Target) -> Result<Option<Envelope>, Fault> {
        let lock = &self.control().receivers.end.lock;
        if !lock.enter_kept(host) {
            return Ok(None);
        }
        let received = self.pop_at_once(target);
        lock.leave_kept(host)?;
        if received.is_some() {
            fence_after_unlock(Entered::Kept);
            if self.control().senders_waiting.event.is_awaited() {
                self.wake_sleeping_senders(*host);
            }
        }
        Ok(received)
    }

    /// Takes the record at the head if it is one that lies there, and no older message waits elsewhere.
    #[inline(always)]
    fn pop_at_once(&self, target: &mut Target) -> Option<Envelope> {
        let receivers = &self.control().receivers;
        let place = receivers.end.place();
        let word = self.word(place, 0).get();
        let length = word >> LENGTH;
        let is_here = word & ((1 << LENGTH) - 1) == INLINE
            && length <= LONGEST_INLINE.min(target.length() as u64)
            && length + RECORD + SPARE <= self.rings[(place.0 & 1) as usize].1
            && receivers.root.peek() | receivers.stale.peek() == 0;
        if !is_here {
            return None;
        }
        let passed = receivers.end.passed(place);
        let gives_up = self.lines.are_given_up(passed.bytes);
        if !gives_up {
            prefetch(self.byte(Place(place.0.wrapping_add(AHEAD))));
        }
        let mtype = self.word(place, WORD).peek().cast_signed();
        // SAFETY: the record fits the ring, which is mapped for that many bytes after any place in it; senders don't write
        // there before the head has moved on. No Rust reference covers a ring.
        unsafe { target.fill(self.byte(place).byte_add(RECORD as usize), length as usize) };
        receivers.end.advance(place, record_size(length), passed.and(length)); // the commit
        if gives_up {
            self.give_up(place, record_size(length));
        }
        Some(Envelope { mtype, length, sequence: passed.messages, deliveries: 0 })
    }

    /// After records were received from `place` on, which take `size` bytes: gives up the lines of each [`AT_ONCE`] that now lies behind the
    /// head. (After the commit: no sender waits for it, and one who writes there again already is only slowed.)
    #[inline(always)]
    fn give_up(&self, place: Place, size: u64) {
        let unit = AT_ONCE.min(self.rings[(place.0 & 1) as usize].1 + 1);
        let begun = place.position() & !(unit - 1);
        let passed = (place.position().wrapping_add(size) & !(unit - 1)).wrapping_sub(begun);
        if passed != 0 {
            // SAFETY: the lines said so. Both are multiples of the unit, as the ring is; the records were found to be shorter than the ring,
            // so these are no more than it; and it is mapped twice in a row. What lies behind `place` was just read; what lies
            // before it is in the same piece of the file, and taken with it.
            unsafe { lines::give_up(self.byte(Place(begun | place.0 & 1)), passed as usize) };
        }
    }

    /// For a receiver who has waited; see [`Lines`].
    pub(crate) fn learn_of_partner(&self, received: u64, taken: u64, is_elsewhere: bool) {
        self.lines.learn(received, taken, is_elsewhere);
    }

    /// The length of the record whose word is given, if it can be one.
    #[inline]
    fn checked_length(&self, place: Place, word: u64) -> Result<u64, Fault> {
        let length = word >> LENGTH;
        let plausible = word & ((1 << LENGTH) - 1) == INLINE && length <= self.geometry.capacity;
        if plausible && self.geometry.fits(place.side(), record_size(length)) {
            return Ok(length);
        }
        Err(Fault::Damaged(NO_RECORD))
    }

    #[cold]
    fn wake_sleeping_senders(&self, host: impl Host) {
        self.control().receivers.end.lock.give_back(&host);
        self.wake_senders(&host);
    }

    /// Wakes a sender if the smallest message that waits would fit.
    #[cold]
    pub(crate) fn wake_senders(&self, host: &impl Host) {
        let Waiting { event, wanted, .. } = &self.control().senders_waiting;
        // Each turn but the last means that somebody announced himself meanwhile.
        for _ in 0..MOST_TURNS {
            if !self.admits(wanted.get()) {
                return;
            }
            let raised = event.raise_to(host, 1, EVERYBODY);
            if !raised.found_nobody() {
                return;
            }
            wanted.set(u64::MAX);
            if event.clear(raised) {
                return;
            }
            // He may have said what he wants before `wanted` was reset: it is unknown now, so anything.
            wanted.set(0);
        }
    }

    /// For a sender of `length` bytes who was woken and found no room: if somebody waits who wants less, the wake was meant for
    /// him. All are woken, and say anew what they want.
    #[cold]
    pub(crate) fn pass_wake_on(&self, host: &impl Host, length: u64) {
        let Waiting { event, wanted, .. } = &self.control().senders_waiting;
        if wanted.get() < length {
            wanted.set(u64::MAX);
            event.raise_to(host, MANY, EVERYBODY);
        }
    }

    /// Whether a sender may sleep.
    pub(crate) fn senders_wait(&self) -> bool {
        self.control().senders_waiting.event.is_awaited()
    }
}

/// Whom a message of that type may wake, besides those who take any.
fn bits_of(mtype: i64) -> u32 {
    1 << (mtype.cast_unsigned() % 32)
}

/// By which bits a receiver who wants that is woken.
pub(crate) fn bits_for(want: Want) -> u32 {
    match want {
        Want::Type(mtype) => bits_of(mtype),
        Want::Any | Want::UpTo(_) | Want::Except(_) => EVERYBODY,
    }
}

/// Waiting, and what can be known without a lock.
impl Ring {
    /// Whether there may be something to receive: a hint.
    #[inline]
    pub(crate) fn may_receive(&self) -> bool {
        let receivers = &self.control().receivers;
        self.word(Place(receivers.end.place.get()), 0).get() != 0 || receivers.root.get() != 0
    }

    /// Whether the limits admit a message of `length` bytes: a hint.
    pub(crate) fn admits(&self, length: u64) -> bool {
        let held = self.held();
        let (bytes, messages) = self.limits();
        held.messages < messages && held.bytes.saturating_add(length) <= bytes
    }

    /// Whether it holds at most half of what it may: a hint.
    pub(crate) fn is_half_free(&self) -> bool {
        let held = self.held();
        let (bytes, messages) = self.limits();
        held.bytes <= bytes / 2 && held.messages <= messages / 2
    }

    /// What the queue holds; a snapshot.
    pub(crate) fn held(&self) -> Passed {
        // The head first: what is received meanwhile only makes the answer too large.
        let gone = self.gone();
        let Passed { bytes, messages } = self.sent().less(gone);
        // More than may be held can only be scribbled.
        Passed { bytes: bytes.min(self.geometry.capacity), messages: messages.min(self.geometry.max_messages) }
    }

    /// All that was ever sent: what is counted, and the records at the tail if there are any. Their sender counts them in a moment,
    /// or was killed after the commit; receivers may have taken them already.
    pub(crate) fn sent(&self) -> Passed {
        let tail = &self.control().senders.end;
        // Each retry means that a message passed meanwhile. The bound is against scribblers.
        for _ in 0..1 << 20 {
            let (place, counted) = tail.look();
            let sent = self.and_committed(place, counted);
            if tail.look().0 == place {
                return sent;
            }
        }
        tail.look().1
    }

    /// All that ever left the rings.
    pub(crate) fn received(&self) -> Passed {
        self.control().receivers.end.look().1
    }

    /// All that ever left the queue.
    pub(crate) fn gone(&self) -> Passed {
        // In this order: what is moved meanwhile counts twice rather than not at all.
        let received = self.received();
        received.less(self.heap.counted())
    }

    /// How many messages of the backlog are leased, or are being copied out; a snapshot.
    pub(crate) fn leases(&self) -> u64 {
        let queued = self.control().receivers.queued.get();
        self.heap.counted().messages.saturating_sub(queued)
    }

    /// How often a dead participant's lock was taken over.
    pub(crate) fn repairs(&self) -> u64 {
        self.control().settings.repairs.get().saturating_add(self.heap.repairs())
    }

    /// Announces a receiver who wants that.
    pub(crate) fn announce_receiver(&self, host: &impl Host, want: Want) -> Announced {
        let Control { senders, receivers_waiting, .. } = self.control();
        let announced = receivers_waiting.event.announce();
        let wants = match want {
            Want::Any => ANYTHING,
            Want::Type(mtype) => bits_of(mtype).into(),
            Want::UpTo(_) | Want::Except(_) => PICKY,
        };
        let wanted = &receivers_waiting.wanted;
        let mut seen = wanted.get();
        while let Err(now) = wanted.swap_if(seen, seen.wrapping_add(SAID) | wants) {
            seen = now;
        }
        // Between both announcements and the try.
        fence(Ordering::SeqCst);
        senders.end.lock.fence_for_sleeper(host);
        announced
    }

    /// Announces a receiver who wants that, and waits by a descriptor.
    pub(crate) fn announce_watching_receiver(&self, host: &impl Host, want: Want) {
        let Control { senders, receivers_waiting, .. } = self.control();
        receivers_waiting.event.watch(bits_for(want));
        receivers_waiting.event.announce();
        senders.end.lock.fence_for_sleeper(host);
    }

    /// Announces a sender of `length` bytes who waits by a descriptor.
    pub(crate) fn announce_watching_sender(&self, host: &impl Host, length: u64) {
        self.control().senders_waiting.event.watch(EVERYBODY);
        self.announce_sender(host, length);
    }

    /// Announces a sender of `length` bytes.
    pub(crate) fn announce_sender(&self, host: &impl Host, length: u64) -> Announced {
        let Control { receivers, senders_waiting, .. } = self.control();
        let announced = senders_waiting.event.announce();
        senders_waiting.wanted.lower(length);
        // Between both announcements and the try.
        fence(Ordering::SeqCst);
        receivers.end.lock.fence_for_sleeper(host);
        announced
    }

    /// Whether there may be something to receive, or to put in order first: a hint, also of what a death left.
    pub(crate) fn may_be_received(&self) -> bool {
        self.may_receive() || self.control().receivers.stale.get() != 0 || self.leases() > 0
    }

    pub(crate) fn receivers_event(&self) -> &Event {
        &self.control().receivers_waiting.event
    }

    pub(crate) fn senders_event(&self) -> &Event {
        &self.control().senders_waiting.event
    }
}

/// Those who go.
impl Ring {
    /// Gives back what this participant keeps, before its slot is free.
    pub(crate) fn leave(&self, host: &impl Host) {
        let Control { senders, receivers, .. } = self.control();
        senders.end.lock.give_back_for_good(host);
        receivers.end.lock.give_back_for_good(host);
    }

    /// Both ends, for tests that look at what no operation tells.
    #[cfg(test)]
    pub(super) fn ends(&self) -> (&End, &End) {
        (&self.control().senders.end, &self.control().receivers.end)
    }

    /// Up to where senders may write without looking.
    #[cfg(test)]
    pub(super) fn room(&self) -> u64 {
        self.control().senders.room.get()
    }

    /// Puts a word into a ring, as scribblers do.
    #[cfg(test)]
    pub(super) fn scribble(&self, place: Place, offset: u64, word: u64) {
        self.word(place, offset).set(word);
    }

    /// Takes the senders' lock as the next sender would, and repairs if its owner was dead.
    #[cfg(test)]
    pub(crate) fn settle_for_test(&self, host: &impl Host) -> Result<(), Fault> {
        let lock = &self.control().senders.end.lock;
        let entered = lock.lock(host, Deadline::NOW)?;
        if entered == Entered::Inherited {
            self.repair_senders_or_unlock(host)?;
        }
        lock.unlock(host, entered)
    }
}
