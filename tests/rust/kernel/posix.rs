//! POSIX message queues, shared memory and semaphores.

mod mq;
mod sem;
mod shm;

use std::sync::atomic::{AtomicI32, Ordering};

use madang_tests::{Child, fork};

/// The last signal that a handler of [`on_signal`] saw, and the value that came with it.
static SIGNAL: AtomicI32 = AtomicI32::new(0);
static VALUE: AtomicI32 = AtomicI32::new(0);

extern "C" fn handle(number: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel passes a valid siginfo; a signal without a value has some bytes there, too.
    VALUE.store(unsafe { (*info).si_value().sival_ptr } as i32, Ordering::Relaxed);
    SIGNAL.store(number, Ordering::Relaxed);
}

/// From now on the signal is handled, in this process, and restarts what can be restarted.
fn on_signal(number: i32) {
    // SAFETY: all-zero is a valid sigaction; the handler only touches atomics.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handle as *const () as usize;
        action.sa_flags = libc::SA_RESTART | libc::SA_SIGINFO;
        libc::sigaction(number, &raw const action, std::ptr::null_mut());
    }
}

/// Runs `work` in a child that is user 65534.
fn as_nobody(work: impl FnOnce() -> i32) -> Child {
    fork(|| {
        // SAFETY: no memory is passed; there are no groups to point to.
        let became = unsafe {
            libc::setgroups(0, std::ptr::null()) == 0 && libc::setgid(65_534) == 0 && libc::setuid(65_534) == 0
        };
        assert!(became, "tests run as root: {}", std::io::Error::last_os_error());
        work()
    })
}

/// Fails with this errno, and a sentence in which `words` are.
#[track_caller]
fn fails<T: std::fmt::Debug>(result: madang::Result<T>, errno: i32, words: &str) {
    let error = result.expect_err("this fails");
    assert_eq!(error.errno(), errno, "{error}");
    assert!(error.to_string().contains(words), "{words:?} is not in {error}");
}
