//! One step after the other, with a witness outside: whoever dies or hangs at one, it is known at which.
//!
//! Where a forked child is lies in a page that its parent shares; what goes wrong without ending the child goes through a pipe.

use std::io::{PipeWriter, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use madang::Deadline;

/// The deadline of what waits.
pub(crate) const SOON: Duration = Duration::from_micros(50);
/// A step that takes longer is stuck: a second is the bound of what has no deadline of its own, and the machine is shared.
const BOUND: Duration = Duration::from_secs(3);
/// What has waited for so long in one case has waited for somebody who is said to be inside, and won't do so again and again.
const ENOUGH: Duration = Duration::from_millis(500);

/// Where a child is. All-zero is its beginning.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Progress {
    /// The case, counted from 0.
    pub(crate) case: AtomicU64,
    /// Cases begun, and steps ended.
    pub(crate) tried: AtomicU64,
    pub(crate) steps: AtomicU64,
    /// The step's name, and 0 in what remains.
    name: [AtomicU64; 4],
}

impl Progress {
    fn enters(&self, what: &str) {
        let mut text = [0; 32];
        let length = what.len().min(text.len());
        text[..length].copy_from_slice(&what.as_bytes()[..length]);
        for (word, bytes) in self.name.iter().zip(text.chunks_exact(8)) {
            word.store(u64::from_le_bytes(bytes.try_into().expect("8 bytes")), Relaxed);
        }
    }

    /// The step that was entered last.
    pub(crate) fn step(&self) -> String {
        let bytes = self.name.iter().flat_map(|word| word.load(Relaxed).to_le_bytes());
        String::from_utf8_lossy(&bytes.take_while(|&byte| byte != 0).collect::<Vec<_>>()).into_owned()
    }
}

/// Takes the steps.
pub(crate) struct Probe<'a> {
    progress: &'a Progress,
    faults: Option<&'a PipeWriter>,
    /// How long the steps of this case took.
    waited: std::cell::Cell<Duration>,
}

impl<'a> Probe<'a> {
    pub(crate) fn new(progress: &'a Progress, faults: Option<&'a PipeWriter>) -> Self {
        Self { progress, faults, waited: Duration::ZERO.into() }
    }

    /// The next case begins.
    pub(crate) fn begins(&self, case: u64) {
        self.progress.case.store(case, Relaxed);
        self.progress.tried.fetch_add(1, Relaxed);
        self.waited.set(Duration::ZERO);
    }

    /// Does `work`; `None` if it panics, or was not done since this case has waited enough.
    pub(crate) fn step<T>(&self, what: &str, work: impl FnOnce() -> T) -> Option<T> {
        if self.waited.get() > ENOUGH { None } else { self.must(what, work) }
    }

    /// As [`step`](Self::step), however long this case has waited.
    pub(crate) fn must<T>(&self, what: &str, work: impl FnOnce() -> T) -> Option<T> {
        self.progress.enters(what);
        let begun = Instant::now();
        let done = catch_unwind(AssertUnwindSafe(work));
        let took = begun.elapsed();
        self.waited.set(self.waited.get() + took);
        if took > BOUND {
            self.fault(&format!("Stuck\t{what} took {took:?}"));
        }
        self.progress.steps.fetch_add(1, Relaxed);
        done.inspect_err(|panic| {
            let said = panic.downcast_ref::<String>().map(String::as_str);
            let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("something");
            self.fault(&format!("Wrong\t{what} panicked: {said}"));
        })
        .ok()
    }

    pub(crate) fn fault(&self, what: &str) {
        let line = format!("{}\t{}\n", self.progress.case.load(Relaxed), what.replace('\n', " "));
        match self.faults {
            // (Less than a pipe writes at once.)
            Some(mut pipe) => _ = pipe.write_all(&line.as_bytes()[..line.len().min(4000)]),
            None => panic!("{line}"),
        }
    }
}

/// A deadline that comes soon.
pub(crate) fn soon() -> Deadline {
    Deadline::after(SOON)
}
