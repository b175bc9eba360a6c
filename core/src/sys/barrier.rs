//! membarrier(2): a full memory barrier on other processors, so that the threads there need none of their own.

use super::check;

/// `MEMBARRIER_CMD_GLOBAL_EXPEDITED`, since Linux 4.16.
const EVERYWHERE: libc::c_int = 1 << 1;
/// `MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED`.
const REGISTER: libc::c_int = 1 << 2;

/// Lets the barriers of all processes reach this one; `false` where the kernel or a sandbox doesn't.
pub(crate) fn register() -> bool {
    call(REGISTER)
}

/// A barrier on every processor that runs a thread of a registered process, and on this one.
pub(crate) fn everywhere() -> bool {
    call(EVERYWHERE)
}

fn call(command: libc::c_int) -> bool {
    // SAFETY: no memory is passed.
    check(unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) }).is_ok()
}
