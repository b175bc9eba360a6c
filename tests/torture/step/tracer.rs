//! Leads a process through its instructions, one after the other (ptrace(2)).

use std::os::unix::fs::FileExt;

use madang_tests::{Child, fork};

/// A victim that takes longer is stuck: its alarm ends it. (Each instruction takes some microseconds.)
const WATCHDOG_S: u32 = 120;

/// What is stepped through.
pub(super) type Act = Box<dyn FnOnce()>;

/// A process that stands between two instructions.
pub(super) struct Victim {
    child: Child,
    memory: std::fs::File,
}

/// Where a step has led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Behind an instruction. (A repeated string instruction counts as one.)
    Behind,
    /// It has returned from the operation.
    Done,
    /// It has ended by itself: its wait status.
    Ended(i32),
}

/// The instruction that calls the kernel.
#[cfg(target_arch = "x86_64")]
const SYSTEM_CALL: &[u8] = &[0x0f, 0x05];
#[cfg(target_arch = "aarch64")]
const SYSTEM_CALL: &[u8] = &[0x01, 0x00, 0x00, 0xd4];

impl Victim {
    /// A child that has done what `prepare` does, and stands before what that returned.
    pub(super) fn new(prepare: impl FnOnce() -> Act) -> Result<Self, String> {
        let child = fork(|| {
            let act = prepare();
            // SAFETY: no memory is passed; the parent traces this process from here on, and is stopped for.
            unsafe {
                libc::alarm(WATCHDOG_S);
                libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0);
                libc::raise(libc::SIGSTOP);
            }
            act();
            // SAFETY: as above.
            unsafe { libc::raise(libc::SIGSTOP) };
            0
        });
        let path = format!("/proc/{}/mem", child.id());
        match waited(child.id()) {
            status if libc::WIFSTOPPED(status) => {
                let memory = std::fs::File::open(path).map_err(|error| format!("the victim's memory: {error}"))?;
                Ok(Self { child, memory })
            }
            status => {
                std::mem::forget(child);
                Err(format!("the victim was not ready: wait status {status:#x} (is ptrace forbidden here?)"))
            }
        }
    }

    /// Whether the next instruction calls the kernel.
    pub(super) fn calls_the_kernel(&self) -> bool {
        let mut code = [0; 4];
        let code = &mut code[..SYSTEM_CALL.len()];
        self.memory.read_exact_at(code, self.place()).is_ok() && code == SYSTEM_CALL
    }

    /// Does one instruction.
    pub(super) fn step(&self) -> Stop {
        let before = self.place();
        loop {
            // SAFETY: no memory is passed; the child is stopped, and traced by this thread.
            let failed = unsafe { libc::ptrace(libc::PTRACE_SINGLESTEP, self.child.id(), 0, 0) };
            assert_eq!(failed, 0, "single step: {}", std::io::Error::last_os_error());
            let status = waited(self.child.id());
            if !libc::WIFSTOPPED(status) {
                return Stop::Ended(status);
            }
            match libc::WSTOPSIG(status) {
                libc::SIGSTOP => return Stop::Done,
                libc::SIGTRAP if self.place() == before => {}
                libc::SIGTRAP => return Stop::Behind,
                signal => return Stop::Ended(signal),
            }
        }
    }

    /// Does up to that many, without a look at what they are.
    pub(super) fn steps(&self, count: u64) -> Stop {
        (0..count).map(|_| self.step()).find(|&stop| stop != Stop::Behind).unwrap_or(Stop::Behind)
    }

    /// Kills it where it stands.
    pub(super) fn kill(self) {
        self.child.kill();
    }

    /// The address of the next instruction.
    fn place(&self) -> u64 {
        // SAFETY: all-zero is valid for the registers, which the call fills.
        unsafe {
            let mut registers: libc::user_regs_struct = std::mem::zeroed();
            let mut vector =
                libc::iovec { iov_base: (&raw mut registers).cast(), iov_len: size_of::<libc::user_regs_struct>() };
            libc::ptrace(libc::PTRACE_GETREGSET, self.child.id(), 1 /* NT_PRSTATUS */, &raw mut vector);
            #[cfg(target_arch = "x86_64")]
            let place = registers.rip;
            #[cfg(target_arch = "aarch64")]
            let place = registers.pc;
            place
        }
    }
}

fn waited(pid: i32) -> i32 {
    let mut status = 0;
    // SAFETY: `status` is a valid place for the answer.
    unsafe { libc::waitpid(pid, &raw mut status, 0) };
    status
}
