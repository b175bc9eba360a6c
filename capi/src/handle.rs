//! What a C program holds: a pointer to a *shell*, and how the use of one that was closed is found.
//!
//! A shell is the object and a word before it that says whether it is there, and which kind it is of. That word comes first
//! in all of them, so it can be read before anything else is believed. Closing takes the object away and puts the empty
//! shell in **quarantine**: a ring of the last [`QUARANTINE`] shells that were closed. Only the one that it pushes
//! out is freed. So the check costs an open handle one load and one compare; and there is no lock, which a fork could
//! catch in a locked state.
//!
//! What was made with a queue's handle, a lease or a reservation, keeps the object in its shell: that is counted, and the object
//! goes when the handle is closed and nothing keeps it any more. (An `Arc` would cost each send one more load, and a register.)

#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::cell::UnsafeCell;
use std::ffi::CStr;
use std::mem::ManuallyDrop;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering, fence};

/// How many handles of a kind are closed before a closed one's memory may be something else. The header says so.
const QUARANTINE: usize = 1024;

/// The word of a shell whose object is gone.
const CLOSED: u32 = 0;

/// A kind of handle: `madang_queue` and its like, which hold nothing but a [`Handle`].
pub(crate) trait Shell: Sized + 'static {
    /// Any thread may use it.
    type Object: Send + Sync;
    /// The word of an open one. No two kinds have the same, so one passed as another is found too.
    const OPEN: u32;
    /// What the C functions call their argument.
    const NOUN: &str;

    fn new(handle: Handle<Self::Object>) -> Self;
    fn handle(&self) -> &Handle<Self::Object>;
    fn quarantine() -> &'static Quarantine<Self>;
}

/// Makes a struct with the one field `handle` a [`Shell`].
macro_rules! shell {
    ($shell:ident, $object:ty, $open:literal, $noun:literal) => {
        impl $crate::handle::Shell for $shell {
            type Object = $object;
            const OPEN: u32 = u32::from_ne_bytes(*$open);
            const NOUN: &str = $noun;

            fn new(handle: $crate::handle::Handle<$object>) -> Self {
                const { assert!(std::mem::offset_of!($shell, handle) == 0) };
                Self { handle }
            }

            #[inline]
            fn handle(&self) -> &$crate::handle::Handle<$object> {
                &self.handle
            }

            fn quarantine() -> &'static $crate::handle::Quarantine<Self> {
                static CLOSED: $crate::handle::Quarantine<$shell> = $crate::handle::Quarantine::new();
                &CLOSED
            }
        }
    };
}
pub(crate) use shell;

const _: () = assert!(std::mem::offset_of!(Handle<u64>, state) == 0);

/// See the head of this file.
#[repr(C)]
pub(crate) struct Handle<T> {
    state: AtomicU32,
    /// How many keep the object; the open handle is one of them.
    keepers: AtomicU32,
    object: UnsafeCell<ManuallyDrop<T>>,
    /// By which it was opened, if it was; goes with the shell.
    name: Cow<'static, CStr>,
}

impl<T> Handle<T> {
    pub(crate) fn open<S: Shell<Object = T>>(object: T, name: Cow<'static, CStr>) -> S {
        let (state, keepers) = (AtomicU32::new(S::OPEN), AtomicU32::new(1));
        S::new(Self { state, keepers, object: UnsafeCell::new(ManuallyDrop::new(object)), name })
    }

    /// Of two who close it at once, one does.
    pub(crate) fn close<S: Shell<Object = T>>(&self) -> bool {
        self.state.compare_exchange(S::OPEN, CLOSED, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Undoes a close, whose caller has left the object in its place.
    pub(crate) fn reopen<S: Shell<Object = T>>(&self) {
        self.state.store(S::OPEN, Ordering::Release);
    }

    /// One more keeps the object. The caller knows that it is there.
    pub(crate) fn keep(&self) {
        self.keepers.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether nobody keeps the object but the handle.
    pub(crate) fn has_one_keeper(&self) -> bool {
        self.keepers.load(Ordering::Acquire) == 1
    }

    /// One less keeps the object. Whether it was the last one: then it is the caller's.
    #[must_use]
    pub(crate) fn let_go(&self) -> bool {
        let last = self.keepers.fetch_sub(1, Ordering::Release) == 1;
        if last {
            // After all that the others did with it.
            fence(Ordering::Acquire);
        }
        last
    }

    /// Where the object is, as long as it is there.
    #[inline]
    pub(crate) fn object(&self) -> *mut ManuallyDrop<T> {
        self.object.get()
    }

    pub(crate) fn name(&self) -> &CStr {
        &self.name
    }
}

/// The shells that were closed last.
pub(crate) struct Quarantine<S> {
    shells: [AtomicPtr<S>; QUARANTINE],
    next: AtomicUsize,
}

impl<S> Quarantine<S> {
    pub(crate) const fn new() -> Self {
        Self { shells: [const { AtomicPtr::new(null_mut()) }; QUARANTINE], next: AtomicUsize::new(0) }
    }

    /// Puts an empty shell in, and returns the one that has been there longest, if it is full.
    pub(crate) fn swap(&self, shell: *mut S) -> *mut S {
        let at = self.next.fetch_add(1, Ordering::Relaxed) % QUARANTINE;
        self.shells[at].swap(shell, Ordering::AcqRel)
    }
}
