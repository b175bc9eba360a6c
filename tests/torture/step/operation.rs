//! What is stepped through, and who looks at what is left.

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::time::Duration;

use madang::Error;
use madang_tests::{Checkpoint, Child, WATCHDOG, fork};

use super::place::Place;
use super::tracer::Act;
use crate::part::{Fault, Harm};

/// An operation, on objects in a directory of their own.
///
/// What it does to them is a row of stages, in this order: 0 is as it was before; a killed one leaves any of them, but never an
/// earlier one at a later instruction; who returned has left the last.
pub(super) struct Operation {
    pub(super) name: String,
    /// Only for a full sweep.
    pub(super) is_extra: bool,
    /// Makes the objects.
    pub(super) setup: Box<dyn Fn()>,
    /// What the victim does before, and then.
    pub(super) victim: Box<dyn Fn() -> Act>,
    /// What a living one does before, and when the victim is dead.
    pub(super) peer: Box<dyn Fn() -> Check>,
    /// How many stages there are besides 0.
    pub(super) last_stage: usize,
}

impl Operation {
    pub(super) fn new(
        name: impl Into<String>,
        setup: impl Fn() + 'static,
        victim: impl Fn() -> Act + 'static,
        last_stage: usize,
        peer: impl Fn() -> Check + 'static,
    ) -> Self {
        let (setup, victim, peer) = (Box::new(setup), Box::new(victim), Box::new(peer));
        Self { name: name.into(), is_extra: false, setup, victim, peer, last_stage }
    }
}

/// Looks at what is left, and uses it: the stage, or what is wrong.
pub(super) type Check = Box<dyn FnOnce() -> Checked>;
pub(super) type Checked = Result<usize, Fault>;

/// Longer than anything may take that a dead one held up.
pub(super) const BOUND: Duration = Duration::from_secs(1);

/// A fault unless it holds.
pub(super) fn expect(holds: bool, harm: Harm, what: impl FnOnce() -> String) -> Result<(), Fault> {
    if holds { Ok(()) } else { Err(Fault { harm, what: what() }) }
}

/// What an error means that nobody may get here.
pub(super) fn no(doing: &str) -> impl FnOnce(Error) -> Fault {
    move |error| {
        let harm = if [libc::ETIMEDOUT, libc::EBUSY].contains(&error.errno()) { Harm::Stuck } else { Harm::Wrong };
        Fault { harm, what: format!("{doing}: {error}") }
    }
}

/// A process that comes before the victim's death, and looks after it.
pub(super) struct Peer {
    child: Child,
    go: Checkpoint,
    report: std::io::PipeReader,
}

impl Peer {
    /// Comes, and waits.
    pub(super) fn new(place: &Place, operation: &Operation) -> Self {
        let (ready, go) = (Checkpoint::default(), Checkpoint::default());
        let (report, writer) = std::io::pipe().expect("a pipe");
        let child = fork(|| {
            place.becomes_ours();
            std::panic::set_hook(Box::new(|_| {}));
            let work = || {
                let check = (operation.peer)();
                ready.reach();
                go.wait();
                check()
            };
            let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            let _ = (&writer).write_all(written(checked).as_bytes());
            ready.reach();
            0
        });
        ready.wait();
        Self { child, go, report }
    }

    /// What it finds.
    pub(super) fn verdict(mut self) -> Checked {
        self.go.reach();
        let mut poll = libc::pollfd { fd: self.report.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one valid pollfd.
        if unsafe { libc::poll(&raw mut poll, 1, WATCHDOG.as_millis() as i32) } != 1 {
            return Err(Fault { harm: Harm::Stuck, what: format!("a living one isn't done after {WATCHDOG:?}") });
        }
        let mut buffer = [0; 4096];
        let length = self.report.read(&mut buffer).expect("the report");
        self.child.kill();
        read(&String::from_utf8_lossy(&buffer[..length]))
    }
}

/// Copies are looked at by somebody who comes later.
pub(super) fn verdict_on(place: &Place, operation: &Operation) -> Checked {
    Peer::new(place, operation).verdict()
}

fn written(checked: std::thread::Result<Checked>) -> String {
    match checked {
        Ok(Ok(stage)) => format!("{stage}"),
        Ok(Err(fault)) => format!("{:?} {}", fault.harm, fault.what),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            format!("Wrong it panicked: {}", text.unwrap_or("?"))
        }
    }
}

fn read(report: &str) -> Checked {
    if let Ok(stage) = report.parse() {
        return Ok(stage);
    }
    let (harm, what) = report.split_once(' ').unwrap_or(("", "the one who looks was killed"));
    let harm = Harm::ALL.into_iter().find(|known| format!("{known:?}") == harm).unwrap_or(Harm::Wrong);
    Err(Fault { harm, what: what.to_owned() })
}
