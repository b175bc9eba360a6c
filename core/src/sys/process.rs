//! This process: who it is, whether it is a forked child, how many processors it has.
//!
//! **Fork.** Nothing is done at fork itself but to exclude it while a participant joins (a child forked then
//! would share the new participant's lock and keep it alive). A child is told by its *epoch*: one word on a page
//! that fork wipes (`MADV_WIPEONFORK`). Whoever remembers another epoch than the current one was inherited.

use std::ffi::CStr;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

use super::{Errno, memory};

/// This process's id, as its own pid namespace numbers it.
pub(crate) fn id() -> u32 {
    std::process::id()
}

/// What tells the calling thread from all others of this process that live: its thread pointer, which costs one instruction where
/// `gettid(2)` is a call. 0 on an architecture on which we don't know it.
#[inline]
pub(crate) fn thread() -> usize {
    let pointer: usize;
    // SAFETY: the psABI's (x86-64: "the first word of the thread control block points to itself") and AArch64's register for it;
    // user space may read both at any time.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        std::arch::asm!("mov {}, fs:0", out(reg) pointer, options(nostack, preserves_flags, readonly, pure));
        #[cfg(target_arch = "aarch64")]
        std::arch::asm!("mrs {}, tpidr_el0", out(reg) pointer, options(nostack, preserves_flags, readonly, pure));
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        {
            pointer = 0;
        }
    }
    pointer
}

/// The effective user id.
pub(crate) fn effective_uid() -> u32 {
    // SAFETY: no memory is passed, and the call can't fail.
    unsafe { libc::syscall(libc::SYS_geteuid) as u32 }
}

/// The effective user and group, by which System V judges.
pub(crate) fn effective_ids() -> (u32, u32) {
    // SAFETY: no memory is passed, and the calls can't fail.
    unsafe { (libc::syscall(libc::SYS_geteuid) as u32, libc::syscall(libc::SYS_getegid) as u32) }
}

/// Whether the process has that group among its supplementary ones.
pub(crate) fn has_group(gid: u32) -> bool {
    let mut groups = [0u32; 1024];
    // SAFETY: there is room for as many as is said. (A process with more is told an error, and has none.)
    let count = unsafe { libc::syscall(libc::SYS_getgroups, groups.len(), groups.as_mut_ptr()) };
    usize::try_from(count).is_ok_and(|count| groups[..count].contains(&gid))
}

/// Lets another thread run.
pub(crate) fn yield_now() {
    // SAFETY: no memory is passed.
    unsafe { libc::sched_yield() };
}

/// Whether another processor may do something while this one spins.
///
/// The thread's own mask tells only that it may move itself; a pinned process has a mask of one, wherever its partner runs.
/// So where the mask has one, the machine is asked.
pub(crate) fn is_one_of_several() -> bool {
    // SAFETY: all-zero is a valid, empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: `set` is valid for the size that is passed with it.
    let failed = unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) } == -1;
    // SAFETY: `set` was filled by the call above. (A machine with more processors than it holds has more than one.)
    let several = failed || unsafe { libc::CPU_COUNT(&set) } > 1;
    // SAFETY: no memory is passed; the name exists on every Linux.
    several || unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) } > 1
}

/// An environment variable's value; none for a set-user-id program, whose caller chose its environment. As with `getenv(3)`,
/// the program must not change its environment meanwhile.
pub(crate) fn variable(name: &CStr) -> Option<&'static CStr> {
    // SAFETY: no memory is passed.
    if unsafe { libc::getauxval(libc::AT_SECURE) } != 0 {
        return None;
    }
    // SAFETY: the name is a C string; the value lives as long as the program leaves its environment alone,
    // which every caller of getenv relies on, and it is copied at once.
    NonNull::new(unsafe { libc::getenv(name.as_ptr()) }).map(|value| unsafe { CStr::from_ptr(value.as_ptr()) })
}

/// Random bytes from the kernel (getrandom(2)); they name temporary files. Should the call fail, the name may be taken.
pub(crate) fn random() -> u64 {
    let mut value = [0u8; 8];
    // SAFETY: the buffer is valid for its length.
    unsafe { libc::syscall(libc::SYS_getrandom, value.as_mut_ptr(), value.len(), 0) };
    u64::from_ne_bytes(value)
}

/// What fork wipes: in a child both words are 0 again, however it was made.
struct Wiped {
    /// This process's epoch; 0 is not chosen yet.
    epoch: AtomicU64,
    /// The lock that excludes fork: 0 free, 1 taken, 2 taken and perhaps waited for. A plain futex lock rather than std's,
    /// because the fork handlers take it in one function and give it back in another.
    fork: AtomicU32,
}

/// The page that fork wipes. Once set, it is never unmapped.
static PAGE: AtomicPtr<Wiped> = AtomicPtr::new(std::ptr::null_mut());
/// The highest epoch given so far, by this process or by the ancestors whose memory it inherited.
static LAST: AtomicU64 = AtomicU64::new(0);

fn wiped() -> Option<&'static Wiped> {
    // SAFETY: once set, the page is never unmapped, and it consists of atomics.
    unsafe { PAGE.load(Ordering::Acquire).as_ref() }
}

/// This process's epoch: never 0, and different from that of every process it was forked from. 0 before [`prepare`].
///
/// Two loads, on the path of every operation.
#[inline]
pub(crate) fn epoch() -> u64 {
    match wiped() {
        None => 0,
        Some(page) => match page.epoch.load(Ordering::Relaxed) {
            0 => next_epoch(page),
            epoch => epoch,
        },
    }
}

/// The first call in this process, or the first after fork.
#[cold]
fn next_epoch(page: &Wiped) -> u64 {
    let epoch = LAST.fetch_add(1, Ordering::Relaxed) + 1;
    // Another thread of this process may have been first: then its epoch is the process's.
    match page.epoch.compare_exchange(0, epoch, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => epoch,
        Err(first) => first,
    }
}

/// Whether the fork handlers are registered: [`UNREGISTERED`], [`REGISTERED`], or the epoch of the process that is at it. (No `Once`: a child
/// that was forked meanwhile would wait for a thread that it hasn't got.)
static HANDLERS: AtomicU64 = AtomicU64::new(UNREGISTERED);
const UNREGISTERED: u64 = 0;
const REGISTERED: u64 = u64::MAX;

/// Registers the fork handlers and maps the page, once in the life of the program. Before any handle is made.
pub(crate) fn prepare() -> Result<(), Errno> {
    if wiped().is_none() {
        map_page()?;
    }
    // After the page, and for every caller: to register waits for a fork in progress, so once this returns none is under way
    // whose handlers didn't see the page.
    while HANDLERS.load(Ordering::Acquire) != REGISTERED {
        register_handlers();
    }
    Ok(())
}

#[cold]
fn register_handlers() {
    let (epoch, before) = (epoch(), HANDLERS.load(Ordering::Acquire));
    if before == REGISTERED {
        return;
    }
    let is_mine =
        before != epoch && HANDLERS.compare_exchange(before, epoch, Ordering::AcqRel, Ordering::Acquire).is_ok();
    if !is_mine {
        // Another thread is at it.
        return yield_now();
    }
    // SAFETY: the handlers only touch atomic words and make system calls, both allowed around fork; `work` of `begin_children_with` is
    // its caller's matter.
    unsafe { libc::pthread_atfork(Some(before_fork), Some(after_fork), Some(in_child)) };
    HANDLERS.store(REGISTERED, Ordering::Release);
}

fn map_page() -> Result<(), Errno> {
    let length = memory::page_size();
    let page = memory::anonymous(length)?;
    // From Linux 4.14 on; without it a fork could not be told.
    memory::wipe_on_fork(page, length)?;
    let ours = page.as_ptr().cast();
    if PAGE.compare_exchange(std::ptr::null_mut(), ours, Ordering::AcqRel, Ordering::Acquire).is_err() {
        // SAFETY: another thread's page won; ours was never seen by anybody.
        unsafe { memory::unmap(page, length) };
    }
    Ok(())
}

/// Runs `work` while no thread of this process can fork, no other thread is in here, and no signal handler runs (it might
/// fork). For `fork(2)` as libc has it: `posix_spawn`, `vfork` and their like go past the handlers, but what they inherit goes with
/// their exec; a raw `clone` without exec is on its own.
pub(crate) fn without_fork<T>(work: impl FnOnce() -> T) -> T {
    let _signals = SignalsBlocked::new();
    let Some(page) = wiped() else { return work() };
    let _held = ForkExcluded::new(&page.fork);
    work()
}

/// Given back when dropped, also by a panic.
struct ForkExcluded<'a>(&'a AtomicU32);

impl<'a> ForkExcluded<'a> {
    fn new(word: &'a AtomicU32) -> Self {
        if word.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_err() {
            while word.swap(2, Ordering::Acquire) != 0 {
                // A spurious return only looks again.
                let _ = super::futex::wait(word, 2, std::time::Duration::from_secs(1), u32::MAX);
            }
        }
        Self(word)
    }
}

impl Drop for ForkExcluded<'_> {
    fn drop(&mut self) {
        if self.0.swap(0, Ordering::Release) == 2 {
            super::futex::wake(self.0, 1, u32::MAX);
        }
    }
}

/// The thread that forks, and how often the handlers ran in it: a child that was forked while a thread registered them may register them again.
static FORKER: AtomicU32 = AtomicU32::new(0);
static DEPTH: AtomicU32 = AtomicU32::new(0);

fn thread_id() -> u32 {
    // SAFETY: no memory is passed, and the call can't fail.
    unsafe { libc::syscall(libc::SYS_gettid) as u32 }
}

extern "C" fn before_fork() {
    let Some(page) = wiped() else { return };
    let me = thread_id();
    if FORKER.load(Ordering::Relaxed) != me {
        std::mem::forget(ForkExcluded::new(&page.fork));
        FORKER.store(me, Ordering::Relaxed);
        DEPTH.store(0, Ordering::Relaxed);
    }
    DEPTH.fetch_add(1, Ordering::Relaxed);
}

extern "C" fn after_fork() {
    // Not if there was no page yet before it.
    if FORKER.load(Ordering::Relaxed) == thread_id()
        && DEPTH.fetch_sub(1, Ordering::Relaxed) == 1
        && let Some(page) = wiped()
    {
        FORKER.store(0, Ordering::Relaxed);
        drop(ForkExcluded(&page.fork));
    }
}

/// What a child does first.
static IN_CHILD: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());

/// From now on each forked child calls `work` before anything else; there is one such.
pub(crate) fn begin_children_with(work: fn()) {
    IN_CHILD.store(work as *mut (), Ordering::Release);
}

/// In the child, where the lock's word is wiped already.
extern "C" fn in_child() {
    FORKER.store(0, Ordering::Relaxed);
    HANDLERS.store(REGISTERED, Ordering::Release);
    let work = IN_CHILD.load(Ordering::Acquire);
    if !work.is_null() {
        // SAFETY: only `begin_children_with` stores there, and that is what it stores.
        unsafe { std::mem::transmute::<*mut (), fn()>(work)() };
    }
}

/// While it lives, no signal handler runs in this thread.
struct SignalsBlocked(libc::sigset_t);

impl SignalsBlocked {
    fn new() -> Self {
        // SAFETY: all-zero is a valid set; both are filled by the calls.
        let (mut all, mut before): (libc::sigset_t, libc::sigset_t) =
            unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
        // SAFETY: the sets are valid for the calls, which fail only for a bad `how`.
        unsafe {
            libc::sigfillset(&raw mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        }
        Self(before)
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        // SAFETY: the set was filled by `new`.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, std::ptr::null_mut()) };
    }
}
