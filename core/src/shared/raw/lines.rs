//! Lines: in whose cache a message lies, and where a receiver leaves it.
//!
//! A queue's memory goes round: a sender writes to lines that the receiver read a lap ago, and has in its cache still, and his
//! store waits until they are out of there. Stores reach the cache in order; on AMD's processors those waits add up, and asking for the
//! lines ahead (by `prefetchw` too) changes nothing. So the receiver **gives up** what it has read: `clflushopt` writes a line back to
//! memory and takes it out of all caches, many at once, while the receiver goes on. Measured on a Zen 4, in million messages a second,
//! with near and far cores: 64 B 27 → 75 and 7 → 77, 1 KiB 7.0 → 9.5 and 1.8 → 5.1; 64 KiB 8.5 → 12 and 2.3 → 9.6 GB a second.
//!
//! Nothing depends on it: a line that is given up holds what it held, for whoever reads it next.
//!
//! **When.** There is something to gain only if the partner runs on another processor. Whoever waits learns that (`patience.rs`), and then
//! gives up the lines of the rings, in a [stream](STREAM): an answer would come a little later. Where he doesn't he asks for lines ahead
//! instead; both together would take from the sender those that it is about to write. Of a long message it is looked at where it comes
//! from, by the time that its last line takes: those are given up that come from [far](FAR), and from [near](NEAR) those whose
//! length [gains](GAINING) by it.
//!
//! Only AMD's processors are asked to: those are the ones that it was measured on.

use std::hint::black_box;
use std::ptr::NonNull;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::cell::U64;

/// The bytes of a line.
const LINE: usize = 64;
/// So many messages without a wait are a stream.
const STREAM: u64 = 32;
const NEVER: u64 = u64::MAX;
/// Long messages that gain with near cores too: shorter ones' blocks come back before they are in memory; longer ones are out of the cache in
/// any case, and half as fast if they come from memory. Measured: 8 KiB 0.7, 16 KiB 1.15, 64 KiB 1.5, 256 KiB 1.6, 512 KiB 0.8.
const GAINING: std::ops::RangeInclusive<u64> = 16 << 10..=256 << 10;
/// To fetch a line that this core has takes less; from its neighbour 15 to 45 ns.
const NEAR: Duration = Duration::from_nanos(10);
/// To fetch one that a far core has takes longer: some 110 ns.
const FAR: Duration = Duration::from_nanos(70);

/// What a handle's receiver does about the lines that it has read.
#[derive(Debug)]
pub(super) struct Lines {
    /// The message, by how many were received before it, from which on they are given up.
    from: AtomicU64,
    /// How long a line of the last long message took, in nanoseconds.
    fetch: AtomicU64,
}

impl Default for Lines {
    fn default() -> Self {
        Self { from: AtomicU64::new(NEVER), fetch: AtomicU64::new(0) }
    }
}

impl Lines {
    /// For one who has waited, with so many received, of which it took `taken` since the wait before: whether its partner runs elsewhere.
    pub(super) fn learn(&self, received: u64, taken: u64, is_elsewhere: bool) {
        let from = match taken {
            _ if !is_elsewhere || !can_give_up() => NEVER,
            STREAM.. => received,
            _ => received.saturating_add(STREAM),
        };
        self.from.store(from, Ordering::Relaxed);
    }

    /// Whether the lines of the message after so many are given up.
    #[inline(always)]
    pub(super) fn are_given_up(&self, received: u64) -> bool {
        received >= self.from.load(Ordering::Relaxed)
    }

    /// Looks where a long message's lines are: by its last one, which its sender wrote last.
    pub(super) fn look(&self, last: &U64) {
        if can_give_up() {
            let fetch = time(|| _ = black_box(last.peek())).saturating_sub(clocks_own_time());
            self.fetch.store(fetch.as_nanos() as u64, Ordering::Relaxed);
        }
    }

    /// Whether those of a message that is so long, and was looked at, are given up.
    pub(super) fn of_block_are_given_up(&self, length: u64) -> bool {
        let fetch = Duration::from_nanos(self.fetch.load(Ordering::Relaxed));
        fetch >= FAR || fetch >= NEAR && GAINING.contains(&length)
    }
}

fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// How long it takes to time nothing.
fn clocks_own_time() -> Duration {
    static OWN: OnceLock<Duration> = OnceLock::new();
    *OWN.get_or_init(|| (0..100).map(|_| time(|| ())).min().unwrap_or_default())
}

/// Gives up the lines from the one that holds `start` on, and before the one that holds what follows `bytes`.
///
/// # Safety
/// All that lies between is mapped.
#[inline(always)]
pub(super) unsafe fn give_up(start: NonNull<u8>, bytes: usize) {
    let first = start.addr().get() & !(LINE - 1);
    let end = (start.addr().get() + bytes) & !(LINE - 1);
    for line in (first..end).step_by(LINE) {
        // SAFETY: the caller's promise.
        unsafe { give_up_line(start.as_ptr().with_addr(line)) };
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
unsafe fn give_up_line(line: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the caller's promise. It changes no memory's content; other accesses may pass it, which is as well.
    unsafe {
        std::arch::asm!("clflushopt [{}]", in(reg) line, options(nostack, preserves_flags));
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}

/// Whether this processor has the instruction, and is of a make on which it helps.
fn can_give_up() -> bool {
    static CAN: OnceLock<bool> = OnceLock::new();
    *CAN.get_or_init(|| {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{__cpuid, __cpuid_count};
            const AMD: [u32; 3] =
                [u32::from_le_bytes(*b"Auth"), u32::from_le_bytes(*b"enti"), u32::from_le_bytes(*b"cAMD")];
            const CLFLUSHOPT: u32 = 1 << 23;
            #[allow(unused_unsafe, reason = "safe since Rust 1.94")]
            // SAFETY: every x86-64 has the instruction cpuid.
            let (leaf0, leaf7) = unsafe { (__cpuid(0), __cpuid_count(7, 0)) };
            leaf0.eax >= 7 && [leaf0.ebx, leaf0.edx, leaf0.ecx] == AMD && leaf7.ebx & CLFLUSHOPT != 0
        }
        #[cfg(not(target_arch = "x86_64"))]
        false
    })
}
