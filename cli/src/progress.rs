//! The progress bar: where it is known how much is to come, where it takes a while, and where somebody sees it.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What is done sooner needs no bar.
const PATIENCE: Duration = Duration::from_millis(500);

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Progress(Option<Bar>);

#[derive(Debug)]
struct Bar {
    bar: ProgressBar,
    begun: Instant,
    is_hidden: bool,
}

impl Progress {
    /// Of `total` bytes, if that is known.
    pub(crate) fn of_bytes(total: Option<u64>) -> Self {
        Self::new(total, "{bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left")
    }

    /// Of `total` messages, if that is known.
    pub(crate) fn of_messages(total: Option<u64>) -> Self {
        Self::new(total, "{bar:30} {pos} of {len} messages, {eta} left")
    }

    fn new(total: Option<u64>, template: &str) -> Self {
        let Some(total) = total.filter(|_| io::stderr().is_terminal()) else { return Self(None) };
        let style = ProgressStyle::with_template(template).expect("a valid template");
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden()).with_style(style);
        Self(Some(Bar { bar, begun: Instant::now(), is_hidden: true }))
    }

    /// So much of it is done.
    pub(crate) fn reached(&mut self, done: u64) {
        let Some(Bar { bar, begun, is_hidden }) = &mut self.0 else { return };
        if *is_hidden && begun.elapsed() > PATIENCE {
            bar.set_draw_target(ProgressDrawTarget::stderr());
            *is_hidden = false;
        }
        bar.set_position(done);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(Bar { bar, .. }) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
