//! Words in shared memory.
//!
//! Crash order is memory order: what repair reads must have been stored in the order that repair relies on, even
//! where no living peer needs it, or a compiler could put a tail before its record. So a store is a Release here,
//! always; on x86-64 that costs nothing.
//!
//! Every store passes the trap, with which the tests end an operation at its n-th store. Outside of tests the trap is empty.

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

macro_rules! cell {
    ($(#[$doc:meta])* $name:ident, $atomic:ident, $value:ident) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        #[repr(transparent)]
        pub(crate) struct $name($atomic);

        #[allow(dead_code, reason = "both widths offer the same words")]
        impl $name {
            /// Reads it, and all that its writer stored before (Acquire).
            #[inline]
            pub(crate) fn get(&self) -> $value {
                trap::load(self.at(), size_of::<$value>());
                self.0.load(Ordering::Acquire)
            }

            /// Reads it where a lock that the caller holds, or nothing at all, orders it.
            #[inline]
            pub(crate) fn peek(&self) -> $value {
                trap::peek(self.at(), size_of::<$value>());
                self.0.load(Ordering::Relaxed)
            }

            /// Stores it after all that was stored before (Release).
            #[inline]
            pub(crate) fn set(&self, value: $value) {
                trap::store(self.at(), size_of::<$value>());
                self.0.store(value, Ordering::Release);
            }

            /// Replaces `old` by `new`, or says what is there instead (Acquire and Release).
            #[inline]
            pub(crate) fn swap_if(&self, old: $value, new: $value) -> Result<(), $value> {
                trap::change(self.at(), size_of::<$value>());
                self.0.compare_exchange(old, new, Ordering::AcqRel, Ordering::Acquire).map(drop)
            }

            /// Adds, and returns the sum.
            #[inline]
            pub(crate) fn add(&self, value: $value) -> $value {
                trap::change(self.at(), size_of::<$value>());
                self.0.fetch_add(value, Ordering::AcqRel).wrapping_add(value)
            }

            /// What is there, and 0 instead.
            #[inline]
            pub(crate) fn take(&self) -> $value {
                trap::change(self.at(), size_of::<$value>());
                self.0.swap(0, Ordering::AcqRel)
            }

            /// Sets these bits of it.
            #[inline]
            pub(crate) fn join(&self, bits: $value) {
                trap::change(self.at(), size_of::<$value>());
                self.0.fetch_or(bits, Ordering::AcqRel);
            }

            /// Lowers it to `value` unless it is lower.
            #[inline]
            pub(crate) fn lower(&self, value: $value) {
                trap::change(self.at(), size_of::<$value>());
                self.0.fetch_min(value, Ordering::AcqRel);
            }

            /// Where it lies, for the trap.
            #[inline(always)]
            fn at(&self) -> *const u8 {
                self.0.as_ptr().cast_const().cast()
            }
        }
    };
}

cell!(
    /// A 64-bit word in shared memory.
    U64, AtomicU64, u64
);
cell!(
    /// A 32-bit word in shared memory.
    U32, AtomicU32, u32
);

impl U32 {
    /// The word as a futex takes it.
    pub(crate) fn futex(&self) -> &AtomicU32 {
        &self.0
    }
}

/// Copies `from` to `to`, where nobody reads before a later store says so.
///
/// # Safety
/// `to` is valid for writes of `from.len()` bytes, and no Rust reference covers them.
#[inline]
pub(super) unsafe fn copy_in(from: &[u8], to: NonNull<u8>) {
    trap::store(to.as_ptr(), from.len());
    // SAFETY: the caller's promise; `from`, a reference, can't overlap what no reference covers.
    unsafe { to.copy_from_nonoverlapping(NonNull::from(from).cast(), from.len()) };
}

/// The most bytes that [`copy_short`] takes.
pub(super) const SHORT: usize = 128;

/// As [`copy_in`] for at most [`SHORT`] bytes: in place, where a call would cost a dozen stores to the stack.
///
/// # Safety
/// As [`copy_in`].
#[inline(always)]
pub(super) unsafe fn copy_short(from: &[u8], to: NonNull<u8>) {
    trap::store(to.as_ptr(), from.len());
    // SAFETY: the caller's promise.
    unsafe { copy_few(NonNull::from(from).cast(), to, from.len()) };
}

/// Copies at most [`SHORT`] bytes.
///
/// # Safety
/// Both are valid for `length` bytes, which don't overlap.
#[inline(always)]
unsafe fn copy_few(from: NonNull<u8>, to: NonNull<u8>, length: usize) {
    debug_assert!(length <= SHORT);
    // SAFETY: the caller's promise; each length is at least the size of its ends.
    unsafe {
        match length {
            65.. => copy_ends::<64>(from, to, length),
            33.. => copy_ends::<32>(from, to, length),
            17.. => copy_ends::<16>(from, to, length),
            9.. => copy_ends::<8>(from, to, length),
            5.. => copy_ends::<4>(from, to, length),
            3.. => copy_ends::<2>(from, to, length),
            1.. => copy_ends::<1>(from, to, length),
            0 => {}
        }
    }
}

/// Copies the first and the last `SIZE` bytes; where `length` is less than twice as many they overlap.
///
/// # Safety
/// Both are valid for `length` bytes, which is at least `SIZE`.
#[inline(always)]
unsafe fn copy_ends<const SIZE: usize>(from: NonNull<u8>, to: NonNull<u8>, length: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        to.copy_from_nonoverlapping(from, SIZE);
        to.byte_add(length - SIZE).copy_from_nonoverlapping(from.byte_add(length - SIZE), SIZE);
    }
}

/// Where a message is copied to: the caller's buffer, whether it was initialised or not.
#[derive(Debug)]
pub(crate) struct Target<'a>(NonNull<[u8]>, PhantomData<&'a mut [MaybeUninit<u8>]>);

impl<'a> From<&'a mut [u8]> for Target<'a> {
    #[inline]
    fn from(buffer: &'a mut [u8]) -> Self {
        Self(buffer.into(), PhantomData)
    }
}

impl<'a> From<&'a mut [MaybeUninit<u8>]> for Target<'a> {
    #[inline]
    fn from(buffer: &'a mut [MaybeUninit<u8>]) -> Self {
        Self(NonNull::slice_from_raw_parts(NonNull::from(&mut *buffer).cast(), buffer.len()), PhantomData)
    }
}

impl Target<'_> {
    #[inline]
    pub(crate) fn length(&self) -> usize {
        self.0.len()
    }

    /// Copies `length` bytes, which it has room for, from `from`.
    ///
    /// # Safety
    /// `from` is valid for reads of `length` bytes, and no Rust reference that the target came from covers them.
    #[inline]
    pub(super) unsafe fn fill(&mut self, from: NonNull<u8>, length: usize) {
        debug_assert!(length <= self.length());
        trap::load(from.as_ptr(), length);
        // SAFETY: the target is borrowed for this, and has the room; whole bytes are written, so what was initialised stays so.
        unsafe { self.0.cast().copy_from_nonoverlapping(from, length) };
    }

    /// As [`fill`](Self::fill), but from `offset` on: it has room for `length` bytes there.
    ///
    /// # Safety
    /// As [`fill`](Self::fill).
    #[inline(always)]
    pub(super) unsafe fn fill_at(&mut self, offset: usize, from: NonNull<u8>, length: usize) {
        debug_assert!(offset <= self.length() && length <= self.length() - offset);
        trap::load(from.as_ptr(), length);
        // SAFETY: as in `fill`.
        unsafe {
            let to = self.0.cast::<u8>().byte_add(offset);
            match length {
                ..=SHORT => copy_few(from, to, length),
                _ => to.copy_from_nonoverlapping(from, length),
            }
        }
    }

    /// Goes on behind so many bytes, which it has.
    pub(crate) fn skip(&mut self, bytes: usize) {
        let (to, left) = (self.0.cast::<u8>(), self.length());
        debug_assert!(bytes <= left);
        // SAFETY: within what was lent.
        self.0 = NonNull::slice_from_raw_parts(unsafe { to.byte_add(bytes) }, left - bytes);
    }
}

/// The trap of the tests: each access passes it, with where it goes.
pub(crate) mod trap {
    /// A store is about to happen.
    #[cfg(not(test))]
    #[inline(always)]
    pub(super) fn store(_at: *const u8, _bytes: usize) {}

    /// What is read and written at once is about to be.
    #[cfg(not(test))]
    #[inline(always)]
    pub(super) fn change(_at: *const u8, _bytes: usize) {}

    /// A load that others' stores may come between is about to happen.
    #[cfg(not(test))]
    #[inline(always)]
    pub(super) fn load(_at: *const u8, _bytes: usize) {}

    /// A load that something else orders, or nothing, is about to happen.
    #[cfg(not(test))]
    #[inline(always)]
    pub(super) fn peek(_at: *const u8, _bytes: usize) {}

    #[cfg(test)]
    pub(crate) use armed::{Access, Died, Kind, die_after, interrupt_after, observed_by};
    #[cfg(test)]
    pub(super) use armed::{change, load, peek, store};

    #[cfg(test)]
    mod armed {
        use std::cell::Cell;
        use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

        /// After how many accesses it comes, and what it does.
        type Other = (u32, *mut dyn FnMut());

        thread_local! {
            static LEFT: Cell<Option<u32>> = const { Cell::new(None) };
            static OTHER: Cell<Option<Other>> = const { Cell::new(None) };
            static OBSERVER: Cell<Option<*const dyn Fn(Access)>> = const { Cell::new(None) };
        }

        /// An access that is about to happen.
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct Access {
            pub(crate) kind: Kind,
            pub(crate) at: *const u8,
            pub(crate) bytes: usize,
        }

        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Kind {
            Load,
            Store,
            /// Both at once.
            Change,
        }

        // (Inlined also where nothing else is: all accesses of all tests come by here.)
        #[inline(always)]
        fn observe(kind: Kind, at: *const u8, bytes: usize) {
            if let Some(observer) = OBSERVER.get() {
                // SAFETY: `observed_by` lends it for as long as it is set.
                unsafe { (*observer)(Access { kind, at, bytes }) };
            }
        }

        /// Runs `work`, and `observer` before each of its accesses.
        pub(crate) fn observed_by<T>(observer: &dyn Fn(Access), work: impl FnOnce() -> T) -> T {
            let observer = std::ptr::from_ref(observer);
            // SAFETY: only the lifetime changes; it is taken back below, before what it borrows can go.
            let observer: *const dyn Fn(Access) = unsafe { std::mem::transmute(observer) };
            let before = OBSERVER.replace(Some(observer));
            let outcome = catch_unwind(AssertUnwindSafe(work));
            OBSERVER.set(before);
            outcome.unwrap_or_else(|panic| resume_unwind(panic))
        }

        /// The operation ended at its n-th store, as if the process had been killed there.
        #[derive(Debug, PartialEq, Eq)]
        pub(crate) struct Died;

        #[inline(always)]
        pub(in super::super) fn peek(at: *const u8, bytes: usize) {
            observe(Kind::Load, at, bytes);
        }

        #[inline(always)]
        pub(in super::super) fn load(at: *const u8, bytes: usize) {
            observe(Kind::Load, at, bytes);
            interrupt();
        }

        fn interrupt() {
            match OTHER.get() {
                Some((0, other)) => {
                    OTHER.set(None);
                    // SAFETY: `interrupt_after` lends it for as long as it is set.
                    unsafe { (*other)() };
                }
                Some((n, other)) => OTHER.set(Some((n - 1, other))),
                None => {}
            }
        }

        #[inline(always)]
        pub(in super::super) fn store(at: *const u8, bytes: usize) {
            observe(Kind::Store, at, bytes);
            die_or_go_on();
        }

        #[inline(always)]
        pub(in super::super) fn change(at: *const u8, bytes: usize) {
            observe(Kind::Change, at, bytes);
            die_or_go_on();
        }

        fn die_or_go_on() {
            interrupt();
            LEFT.with(|left| match left.get() {
                Some(0) => {
                    left.set(None);
                    resume_unwind(Box::new(Died));
                }
                Some(n) => left.set(Some(n - 1)),
                None => {}
            });
        }

        /// Runs `operation`, and `other` before its access of that number, as another processor may; says whether it came so far.
        pub(crate) fn interrupt_after<T>(
            accesses: u32,
            mut other: impl FnMut(),
            operation: impl FnOnce() -> T,
        ) -> (T, bool) {
            let other: *mut (dyn FnMut() + '_) = &raw mut other;
            // SAFETY: only the lifetime changes; it is taken back below, before what it borrows can go.
            let other: *mut dyn FnMut() = unsafe { std::mem::transmute(other) };
            OTHER.set(Some((accesses, other)));
            let outcome = catch_unwind(AssertUnwindSafe(operation));
            let came = OTHER.replace(None).is_none();
            (outcome.unwrap_or_else(|panic| resume_unwind(panic)), came)
        }

        /// Runs `operation`, but lets only `stores` stores happen; the next one is its death. Whom it interrupts dies when he
        /// would.
        pub(crate) fn die_after<T>(stores: u32, operation: impl FnOnce() -> T) -> Result<T, Died> {
            let before = LEFT.replace(Some(stores));
            let outcome = catch_unwind(AssertUnwindSafe(operation));
            LEFT.set(before);
            outcome.map_err(|payload| match payload.downcast::<Died>() {
                Ok(_) => Died,
                Err(panic) => resume_unwind(panic),
            })
        }
    }
}
