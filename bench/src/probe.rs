//! What a cache line costs to go to the other core and back, right now.
//!
//! The host moves virtual cores about: the same pair is near (about 95 ns) in one second and far (about 460 ns) in the
//! next, and the same program then runs up to seven times slower. So every measurement stands between two probes, and
//! only those of the same placement are compared.

use std::hint;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock;
use crate::harness::pin;
use crate::shared::Shared;

/// Round trips in one batch; the answer is the median of the batches, so that being scheduled away spoils one of them.
const BATCH: u64 = 100;
const BATCHES: u64 = 21;
const WARM_UP: u64 = 10;

/// The two lines that go to and fro. On lines of their own, with the neighbour that the prefetcher fetches along.
#[repr(C, align(128))]
struct Line(AtomicU64);

/// The round trip between two cores in nanoseconds.
pub(crate) fn line_round_trip(cpus: [usize; 2]) -> io::Result<f64> {
    let memory = Shared::new(2 * size_of::<Line>())?;
    let lines = memory.start().cast::<Line>();
    // SAFETY: the mapping holds two lines, is page-aligned and zeroed (a valid atomic), and outlives both references.
    let (there, back) = unsafe { (&(*lines).0, &(*lines.add(1)).0) };
    let total = (WARM_UP + BATCHES) * BATCH;

    // SAFETY: this process has one thread; the child touches only the two lines and leaves by `_exit`.
    let child = unsafe { libc::fork() };
    if child < 0 {
        return Err(io::Error::last_os_error());
    }
    if child == 0 {
        echo(there, back, total, cpus[1]);
    }
    let median = bounce(there, back, cpus[0]);
    // SAFETY: `child` is ours and has come to its end, or comes to it at once.
    unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
    median
}

fn bounce(there: &AtomicU64, back: &AtomicU64, cpu: usize) -> io::Result<f64> {
    let before = pin(Some(cpu))?;
    let mut turn = 0;
    let mut batch = || {
        let start = clock::now();
        for _ in 0..BATCH {
            turn += 1;
            there.store(turn, Ordering::Release);
            while back.load(Ordering::Acquire) != turn {
                hint::spin_loop();
            }
        }
        (clock::now() - start) as f64 / BATCH as f64
    };
    let mut batches: Vec<f64> = (0..WARM_UP + BATCHES).map(|_| batch()).skip(WARM_UP as usize).collect();
    before.restore()?;
    batches.sort_by(f64::total_cmp);
    Ok(batches[batches.len() / 2])
}

fn echo(there: &AtomicU64, back: &AtomicU64, total: u64, cpu: usize) -> ! {
    let pinned = pin(Some(cpu));
    for turn in 1..=total {
        while there.load(Ordering::Acquire) != turn {
            hint::spin_loop();
        }
        back.store(turn, Ordering::Release);
    }
    // SAFETY: leaves the child at once, running nothing that belongs to the parent.
    unsafe { libc::_exit(i32::from(pinned.is_err())) }
}
