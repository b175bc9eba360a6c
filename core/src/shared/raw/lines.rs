//! Lines: in whose cache a message lies, and where its receiver leaves it.
//!
//! A queue's memory goes round: a sender writes to lines that the receiver read a lap ago, and has in its cache still, and his
//! store waits until they are out of there. Stores reach the cache in order; on AMD's processors those waits add up, and asking for the
//! lines ahead (by `prefetchw` too) changes nothing. So the receiver **gives up** what it has read: `clflushopt` writes a line back to
//! memory and takes it out of all caches, many at once, while the receiver goes on. Measured on a Zen 4, with near and far cores, in
//! million messages a second: 64 B 27 → 65 and 7 → 60, 1 KiB 7 → 14 and 1.8 → 8.7; in GiB a second: 64 KiB 7.7 → 11.5 and 2.0 → 6.5, 1 MiB
//! 26 as before and 2.2 → 9.9.
//!
//! Nothing depends on it: a line that is given up holds what it held, for whoever reads it next.
//!
//! **When.** There is something to gain only if the sender runs on another processor.
//!
//! - *In the rings*: whoever waits learns that (`patience.rs`), and gives lines up [for a time](WHILE), in a [stream](STREAM): an answer would
//!   come a little later. Where he doesn't he asks for lines ahead instead; both together would take from the sender those that it
//!   is about to write.
//! - *Of a long message* it is looked at where it comes from, by the time that a line of it takes: those are given up that come from
//!   [far](FAR), and from [near](NEAR) those whose length [gains](GAINING) by it. But nothing where
//!   messages are [often](OFTEN) here already: then senders run on this processor too, and had better find their blocks here. (Two pairs on two
//!   cores, 64 KiB: 12 to 18 GiB a second nearly as before, and 9 to 12 without this rule.)
//!
//! Only AMD's processors are asked to: those it was measured on. All that is learnt is the handle's; a lost update harms nothing.

use std::hint::black_box;
use std::ops::RangeInclusive;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

use super::cell::U64;
use super::geometry::LONGEST_INLINE;

/// The bytes of a line.
const LINE: usize = 64;
/// Of a ring so many bytes are given up at once: a power of two. A locked instruction after it waits until all are in memory, 200 ns or more;
/// and there are such in most programs, between two messages.
pub(super) const AT_ONCE: u64 = 8 << 10;
/// After a wait for an answer so many bytes must pass before it counts as a stream.
const STREAM: u64 = 4 << 10;
/// Who has read so many bytes since its last wait is the slower one itself, and has no need to make its sender faster.
const WHILE: u64 = 16 << 20;

/// The lengths of long messages that gain with near cores too. The blocks of shorter ones are used again before they have been written back;
/// longer ones have left the core's own cache anyway for the one that is shared, and to fetch them from memory takes twice as long.
/// Measured: 8 KiB 0.7, 16 KiB 1.15, 64 KiB 1.5, 256 KiB 1.6, 512 KiB 0.8.
const GAINING: RangeInclusive<u64> = 16 << 10..=256 << 10;
/// And with far cores. Measured: 8 KiB 1.8, 64 KiB 3 to 4, 1 MiB 4.5.
const GAINING_FAR: RangeInclusive<u64> = LONGEST_INLINE + 1..=1 << 20;
/// To fetch a line that this core has takes fewer nanoseconds; from its neighbour 15 to 45.
const NEAR: u32 = 10;
/// To fetch one that a far core has takes more: some 110.
const FAR: u32 = 70;
/// One in twelve, of [`ALL`]. With one sender it is none in a hundred (near) or 3 to 6 (far), with two pairs on two cores 10 to 30.
const OFTEN: u32 = ALL / 12;
/// What `here` comes to where all messages are here.
const ALL: u32 = 1 << 16;
/// Over how many messages, about, it is a mean.
const SOME: u32 = 64;

/// What a handle's receiver does about the lines that it has read. (On a line of its own: its senders read what lies beside it.)
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Lines {
    /// By how many bytes were received before it: the message from which on those in the rings are given up.
    from: AtomicU64,
    /// For how many bytes; 0 in any case where the processor can't.
    span: AtomicU64,
    /// How long a line of the last long message took, in nanoseconds.
    fetch: AtomicU32,
    /// The share of the last long messages that were here already; [`ALL`] is all of them.
    here: AtomicU32,
}

impl Lines {
    /// For one who has waited, when so many bytes had been received, and `taken` messages (by whomever) since it waited before: whether its
    /// partner runs on another processor.
    pub(super) fn learn(&self, received: u64, taken: u64, is_elsewhere: bool) {
        let is_answer = taken < 2;
        let from = if is_answer { received.wrapping_add(STREAM) } else { received };
        self.from.store(from, Ordering::Relaxed);
        self.span.store(if is_elsewhere && can_give_up() { WHILE } else { 0 }, Ordering::Relaxed);
    }

    /// Whether those of the message after so many bytes are given up.
    #[inline(always)]
    pub(super) fn are_given_up(&self, received: u64) -> bool {
        received.wrapping_sub(self.from.load(Ordering::Relaxed)) < self.span.load(Ordering::Relaxed)
    }

    /// Looks where a long message is, by a word in its middle: what stands at its ends the processor may have fetched by itself.
    pub(super) fn look(&self, middle: &U64) {
        // (Where the clock is a system call, nothing can be told by it.)
        if can_give_up() && clocks_own_time() < FAR {
            self.note(time(|| _ = black_box(middle.peek())).saturating_sub(clocks_own_time()));
        }
    }

    /// Takes it that a line of a long message took so many nanoseconds. (Only tests say so without having looked.)
    pub(super) fn note(&self, fetch: u32) {
        self.fetch.store(fetch, Ordering::Relaxed);
        let (here, now) = (self.here.load(Ordering::Relaxed), if fetch < NEAR { ALL } else { 0 });
        self.here.store(here - here / SOME + now / SOME, Ordering::Relaxed);
    }

    /// Whether those of a long message are given up, by what the last one's took.
    pub(super) fn of_long_are_given_up(&self, length: u64) -> bool {
        let (here, fetch) = (self.here.load(Ordering::Relaxed), self.fetch.load(Ordering::Relaxed));
        let gains = fetch >= NEAR && GAINING.contains(&length) || fetch >= FAR && GAINING_FAR.contains(&length);
        gains && here < OFTEN
    }
}

/// The addresses of the lines that `bytes` from `start` on have to do with, but for the one that holds what follows.
#[inline(always)]
pub(super) fn lines_of(start: usize, bytes: usize) -> impl Iterator<Item = usize> {
    (start & !(LINE - 1)..(start + bytes) & !(LINE - 1)).step_by(LINE)
}

/// Gives up the lines from the one that holds `start` on, and before the one that holds what follows `bytes`.
///
/// # Safety
/// So many bytes are mapped, and the processor [can](can_give_up): elsewhere no [`Lines`] says so.
#[inline(always)]
pub(super) unsafe fn give_up(start: NonNull<u8>, bytes: usize) {
    for line in lines_of(start.addr().get(), bytes) {
        // SAFETY: the caller's promise.
        unsafe { give_line_up(start.as_ptr().with_addr(line)) };
    }
}

/// Asks for a line that will be read soon. A hint: any address will do.
#[inline]
pub(super) fn prefetch(address: NonNull<u8>) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch has no effect that a program could see, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// # Safety
/// The line is mapped, and the processor [can](can_give_up).
#[inline(always)]
unsafe fn give_line_up(line: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the caller's promise. It changes no content, so it may pass any other access, and be passed.
    unsafe {
        std::arch::asm!("clflushopt [{}]", in(reg) line, options(nostack, preserves_flags));
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}

/// Whether this processor has the instruction, and is of the make on which it helps.
pub(super) fn can_give_up() -> bool {
    // (No lock guards what is found out once: somebody may fork meanwhile.)
    static KNOWN: AtomicU8 = AtomicU8::new(UNKNOWN);
    const UNKNOWN: u8 = 2;
    match KNOWN.load(Ordering::Relaxed) {
        UNKNOWN => {
            let can = is_amd_with_clflushopt();
            KNOWN.store(can.into(), Ordering::Relaxed);
            can
        }
        known => known == 1,
    }
}

#[cold]
fn is_amd_with_clflushopt() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{__cpuid, __cpuid_count};
        const MAKER: &[u8; 12] = b"AuthenticAMD";
        const CLFLUSHOPT: u32 = 1 << 23;
        #[allow(unused_unsafe, reason = "they are safe in newer versions of Rust")]
        // SAFETY: every x86-64 has the instruction `cpuid`.
        let (general, extended) = unsafe { (__cpuid(0), __cpuid_count(7, 0)) };
        let maker = [general.ebx, general.edx, general.ecx].map(u32::to_le_bytes);
        general.eax >= 7 && maker.as_flattened() == MAKER && extended.ebx & CLFLUSHOPT != 0
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// How many nanoseconds it takes.
fn time(work: impl FnOnce()) -> u32 {
    let start = Instant::now();
    work();
    start.elapsed().as_nanos().try_into().unwrap_or(u32::MAX)
}

/// How many it takes to time nothing.
fn clocks_own_time() -> u32 {
    static KNOWN: AtomicU32 = AtomicU32::new(UNKNOWN);
    const UNKNOWN: u32 = u32::MAX;
    match KNOWN.load(Ordering::Relaxed) {
        UNKNOWN => {
            let own = (0..100).map(|_| time(|| ())).min().unwrap_or(0);
            KNOWN.store(own, Ordering::Relaxed);
            own
        }
        known => known,
    }
}
