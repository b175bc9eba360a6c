//! This process: who it is, whether it is a forked child, how many processors it has.
//!
//! **Fork.** Nothing is done at fork itself but to exclude it while a participant joins (a child forked then
//! would share the new participant's lock and keep it alive). A child is told by its *epoch*: one word on a page
//! that fork wipes (`MADV_WIPEONFORK`). Whoever remembers another epoch than the current one was inherited.

use std::ffi::CStr;
use std::ptr::NonNull;
use std::sync::Once;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

use super::{Errno, memory};

/// This process's id, as its own pid namespace numbers it.
pub(crate) fn id() -> u32 {
    std::process::id()
}

/// The effective user id.
pub(crate) fn effective_uid() -> u32 {
    // SAFETY: no memory is passed, and the call can't fail.
    unsafe { libc::syscall(libc::SYS_geteuid) as u32 }
}

/// Lets another thread run.
pub(crate) fn yield_now() {
    // SAFETY: no memory is passed.
    unsafe { libc::sched_yield() };
}

/// How many processors the machine has on line.
pub(crate) fn processors() -> usize {
    // SAFETY: no memory is passed; the name exists on every Linux.
    unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) as usize }
}

/// An environment variable's value. As with `getenv(3)`, the program must not change its environment meanwhile.
pub(crate) fn variable(name: &CStr) -> Option<&'static CStr> {
    // SAFETY: the name is a C string; the value lives as long as the program leaves its environment alone,
    // which every caller of getenv relies on, and it is copied at once.
    NonNull::new(unsafe { libc::getenv(name.as_ptr()) }).map(|value| unsafe { CStr::from_ptr(value.as_ptr()) })
}

/// Random bytes from the kernel (getrandom(2)); they name temporary files.
pub(crate) fn random() -> u64 {
    let mut value = [0u8; 8];
    // SAFETY: the buffer is valid for its length. Should the call fail, the caller finds the name taken and asks again.
    unsafe { libc::syscall(libc::SYS_getrandom, value.as_mut_ptr(), value.len(), 0) };
    u64::from_ne_bytes(value)
}

/// The page that fork wipes; its first word is the epoch.
static PAGE: AtomicPtr<AtomicU64> = AtomicPtr::new(std::ptr::null_mut());
/// The highest epoch given so far, by this process or by the ancestors whose memory it inherited.
static LAST: AtomicU64 = AtomicU64::new(0);

/// This process's epoch: never 0, and different from that of every process it was forked from.
///
/// Two loads, on the path of every operation.
#[inline]
pub(crate) fn epoch() -> u64 {
    let page = PAGE.load(Ordering::Acquire);
    // SAFETY: once set, the page is never unmapped.
    match unsafe { page.as_ref() }.map(|word| word.load(Ordering::Relaxed)) {
        Some(epoch) if epoch != 0 => epoch,
        _ => next_epoch(),
    }
}

/// The first call in this process, or the first after fork.
#[cold]
fn next_epoch() -> u64 {
    // Without a page (no memory for one; never seen) every call gives a new epoch: handles join again and again,
    // slow but right.
    let _ = prepare();
    let epoch = LAST.fetch_add(1, Ordering::Relaxed) + 1;
    // SAFETY: once set, the page is never unmapped.
    match unsafe { PAGE.load(Ordering::Acquire).as_ref() } {
        None => epoch,
        // Another thread of this process may have been first: then its epoch is the process's.
        Some(word) => match word.compare_exchange(0, epoch, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => epoch,
            Err(first) => first,
        },
    }
}

/// Maps the epoch's page and registers the fork handlers, once in the life of the program.
fn prepare() -> Result<(), Errno> {
    static HANDLERS: Once = Once::new();
    if !PAGE.load(Ordering::Acquire).is_null() {
        return Ok(());
    }
    let length = memory::page_size();
    let page = memory::anonymous(length)?;
    // From Linux 4.14 on; without it a fork could not be told.
    memory::wipe_on_fork(page, length)?;
    let ours = page.as_ptr().cast();
    if PAGE.compare_exchange(std::ptr::null_mut(), ours, Ordering::AcqRel, Ordering::Acquire).is_err() {
        // SAFETY: another thread's page won; ours was never seen by anybody.
        unsafe { memory::unmap(page, length) };
    }
    HANDLERS.call_once(|| {
        // SAFETY: the handlers only touch one atomic word and call futex, both allowed around fork.
        unsafe { libc::pthread_atfork(Some(before_fork), Some(after_fork), Some(after_fork)) };
    });
    Ok(())
}

/// 0 free, 1 taken, 2 taken and perhaps waited for: a plain futex lock, private to the process. Ours rather
/// than std's, because the fork handlers take it in one function and give it back in another, in the child too.
static FORK: AtomicU32 = AtomicU32::new(0);

/// Runs `work` while no thread of this process can fork, and no other thread is in here.
///
/// `fork(2)` as libc has it; `vfork`, `posix_spawn` and a raw `clone` go past the handlers, but what they
/// inherit goes with their exec.
pub(crate) fn without_fork<T>(work: impl FnOnce() -> T) -> T {
    let _ = prepare();
    take_fork_lock();
    let result = work();
    give_fork_lock();
    result
}

fn take_fork_lock() {
    if FORK.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_err() {
        while FORK.swap(2, Ordering::Acquire) != 0 {
            // A spurious return only looks again.
            let _ = super::futex::wait(&FORK, 2, std::time::Duration::from_secs(1));
        }
    }
}

fn give_fork_lock() {
    if FORK.swap(0, Ordering::Release) == 2 {
        super::futex::wake(&FORK, 1);
    }
}

extern "C" fn before_fork() {
    take_fork_lock();
}

/// In the parent and in the child, whose only thread is the one that took the lock.
extern "C" fn after_fork() {
    give_fork_lock();
}
