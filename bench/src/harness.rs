//! Workers: processes that are pinned, start together, do one thing for a fixed time and report one line.
//!
//! A worker is forked (Rust) or a program of its own (C, Python); the harness sees no difference. Each has one socket,
//! over which it says `ready`, is told `go`, and reports:
//!
//! ```text
//!   worker   ready
//!   harness                go
//!   worker   sent COUNT START END | received COUNT END | trips BUCKET:COUNT … | solo COUNT NS [BARE_NS] | idle CPU WALL | done
//!            unsupported WHY | error WHY
//! ```
//!
//! Times are `CLOCK_MONOTONIC` nanoseconds, which processes may compare. While workers run, the harness sleeps.
//!
//! Everybody measures for a time, not for a number of messages, so a cell takes as long for the slowest as for the
//! fastest. The first byte of a message says what it is ([`Kind`]): receivers count what was sent after the warm-up, and
//! stop at the last message; so what was counted was sent after START and received before END, and nothing is lost
//! unnoticed.

use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::histogram::Histogram;

/// What a cell of the table measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Scenario {
    /// Messages a second; so many senders and as many receivers.
    Flow(usize),
    /// There and back, the partner polling or spinning.
    Awake,
    /// There and back, after a pause in which the partner fell asleep.
    Asleep,
    /// Sent and received by one process.
    Solo,
    /// NumPy arrays handed from one Python process to another; peers of its own.
    Arrays,
    /// A pair of calls by one process; peers of its own, as those below.
    Calls(Pair),
    /// The same by two processes at one object.
    Contended(Pair),
    /// So many objects (the size of the cell): creating them, finding them by key, listing them.
    Many(Many),
}

impl Scenario {
    /// Whether it is measured with messages, by everybody who has a [`Link`](crate::peers::Link) or its like.
    pub(crate) fn is_common(self) -> bool {
        matches!(self, Self::Flow(_) | Self::Awake | Self::Asleep | Self::Solo)
    }
}

/// Calls that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Pair {
    /// 64 bytes sent to a System V queue and received.
    Message,
    /// 64 bytes written into a pipe and read.
    Pipe,
    /// One taken from a semaphore and given back.
    Semaphore,
    /// A mutex locked and unlocked.
    Mutex,
    /// An existing segment attached and detached.
    Attach,
    /// A segment made and removed.
    Make,
}

/// What is done with many objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Many {
    Create,
    Find,
    List,
}

/// One cell: what is measured, with messages of how many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Cell {
    pub(crate) scenario: Scenario,
    pub(crate) size: usize,
}

/// One measurement.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) cell: Cell,
    /// How many bytes a queue may hold.
    pub(crate) capacity: usize,
    /// For how long it counts; before that it warms up for an eighth of this.
    pub(crate) run: Duration,
    pub(crate) cpus: [usize; 2],
    /// Begins the name of every object that has one.
    pub(crate) name: String,
}

impl Task {
    pub(crate) fn warm_up(&self) -> Duration {
        self.run / 8
    }

    /// How many messages the warm-up has at least: enough to touch all memory of a queue of large ones, as a first touch
    /// (2.7 µs a page) is not what is measured.
    pub(crate) fn warm_up_messages(&self) -> usize {
        if self.cell.size > 4096 { 2 * self.capacity / self.cell.size } else { 0 }
    }

    /// How many messages go by between two looks at the clock (21 ns): few enough to end in time.
    pub(crate) fn stride(&self) -> usize {
        if self.cell.size > 4096 { 1 } else { 64 }
    }

    /// The core of each sender and receiver: pairs lie across, so both cores have as many of each.
    pub(crate) fn sender_cpu(&self, index: usize) -> usize {
        self.cpus[index % 2]
    }

    pub(crate) fn receiver_cpu(&self, index: usize) -> usize {
        self.cpus[(index + 1) % 2]
    }
}

/// How long both partners of a sleeping round trip rest before each: longer than any spin.
pub(crate) const PAUSE: Duration = Duration::from_micros(200);

/// What a message is, by its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    WarmUp = 0,
    Counted = 1,
    Last = 255,
}

/// What a measurement found.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    Flow {
        messages: u64,
        nanoseconds: u64,
    },
    Trips(Histogram),
    /// `bare` is what as many pairs of the system's own calls took, in turns with these on the same object; 0 if there were none.
    Solo {
        pairs: u64,
        nanoseconds: u64,
        bare: u64,
    },
    Idle {
        cpu: u64,
        wall: u64,
    },
}

impl Outcome {
    /// The one figure that is compared: messages a second; or nanoseconds (of the median round trip, of a pair); or a
    /// share of the time.
    pub(crate) fn score(&self) -> f64 {
        match self {
            Self::Flow { messages, nanoseconds } => *messages as f64 * 1e9 / *nanoseconds as f64,
            Self::Trips(histogram) => histogram.quantile(0.5),
            Self::Solo { pairs, nanoseconds, .. } => *nanoseconds as f64 / *pairs as f64,
            Self::Idle { cpu, wall } => *cpu as f64 / *wall as f64,
        }
    }

    /// Puts together what the workers of one measurement reported.
    pub(crate) fn of(reports: &[String]) -> io::Result<Self> {
        let (mut sent, mut received, mut start, mut end) = (0, 0, u64::MAX, 0);
        let (mut pairs, mut longest, mut bare) = (0, 0, 0);
        for report in reports {
            let (what, rest) = report.split_once(' ').unwrap_or((report, ""));
            let number = |index: usize| -> io::Result<u64> {
                rest.split(' ').nth(index).and_then(|word| word.parse().ok()).ok_or_else(|| unreadable(report))
            };
            match what {
                "sent" => (sent, start) = (sent + number(0)?, start.min(number(1)?)),
                "received" => (received, end) = (received + number(0)?, end.max(number(1)?)),
                "trips" => return Histogram::from_line(rest).map(Self::Trips).ok_or_else(|| unreadable(report)),
                // Of two that contend: all pairs, in the time that both took.
                "solo" => {
                    (pairs, longest, bare) = (pairs + number(0)?, longest.max(number(1)?), number(2).unwrap_or(0));
                }
                "idle" => return Ok(Self::Idle { cpu: number(0)?, wall: number(1)? }),
                "done" => {}
                _ => return Err(unreadable(report)),
            }
        }
        if pairs > 0 {
            return Ok(Self::Solo { pairs, nanoseconds: longest, bare });
        }
        if sent != received || sent == 0 {
            return Err(io::Error::other(format!("{sent} messages were sent, {received} received")));
        }
        Ok(Self::Flow { messages: received, nanoseconds: end.saturating_sub(start).max(1) })
    }
}

fn unreadable(report: &str) -> io::Error {
    let start: String = report.chars().take(80).collect();
    io::Error::other(format!("a worker reported {start:?}"))
}

/// "This is not what it can do": the row says n/a and why.
pub(crate) fn unsupported(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, why.into())
}

/// Set by Ctrl-C: the run ends as soon as the workers are gone, and what lies about is cleared away.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

pub(crate) fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// From now on Ctrl-C, hang-up and termination set a flag and let system calls fail with `EINTR`.
pub(crate) fn catch_interrupts() {
    extern "C" fn note(_: libc::c_int) {
        INTERRUPTED.store(true, Ordering::Relaxed);
    }
    // SAFETY: a zeroed sigaction is a valid one (no flags, empty mask); the handler stores to one atomic.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = note as *const () as usize;
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
            libc::sigaction(signal, &raw const action, std::ptr::null_mut());
        }
    }
}

/// The cores on which this thread ran before it was pinned.
pub(crate) struct Affinity(libc::cpu_set_t);

impl Affinity {
    pub(crate) fn get() -> io::Result<Self> {
        // SAFETY: a zeroed set is a valid, empty one, and the call writes no more than its size.
        unsafe {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            check(libc::sched_getaffinity(0, size_of_val(&set), &raw mut set))?;
            Ok(Self(set))
        }
    }

    /// The cores' numbers.
    pub(crate) fn cpus(&self) -> Vec<usize> {
        // SAFETY: every number asked for is below the set's size.
        (0..libc::CPU_SETSIZE as usize).filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &self.0) }).collect()
    }

    pub(crate) fn restore(&self) -> io::Result<()> {
        // SAFETY: the set is a whole one, which the call only reads.
        check(unsafe { libc::sched_setaffinity(0, size_of_val(&self.0), &raw const self.0) })
    }
}

/// Keeps this process on one core; says where it was allowed before.
pub(crate) fn pin(cpu: Option<usize>) -> io::Result<Affinity> {
    let before = Affinity::get()?;
    if let Some(cpu) = cpu {
        // SAFETY: `cpu` came from such a set, so it lies within; the call only reads the set.
        unsafe {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            libc::CPU_SET(cpu, &mut set);
            check(libc::sched_setaffinity(0, size_of_val(&set), &raw const set))?;
        }
    }
    Ok(before)
}

pub(crate) fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// A worker's own side of its socket.
pub(crate) struct Cue(UnixStream);

impl Cue {
    /// Says that this worker is ready and waits for the start.
    pub(crate) fn ready(&mut self) -> io::Result<()> {
        self.0.write_all(b"ready\n")?;
        let mut go = [0; 3];
        self.0.read_exact(&mut go)
    }

    fn report(&mut self, result: io::Result<String>) -> io::Result<()> {
        let line = match result {
            Ok(line) => line,
            Err(error) if error.kind() == io::ErrorKind::Unsupported => format!("unsupported {error}"),
            Err(error) => format!("error {error}"),
        };
        self.0.write_all(format!("{}\n", line.replace('\n', " ")).as_bytes())
    }
}

/// The harness's side of a worker; killed when dropped.
pub(crate) struct Worker {
    pid: libc::pid_t,
    /// It leads a process group of its own, all of which goes with it.
    leads: bool,
    stream: UnixStream,
    unread: Vec<u8>,
}

impl Worker {
    /// A worker that runs `body` in a forked child.
    pub(crate) fn fork(cpu: usize, body: impl FnOnce(&mut Cue) -> io::Result<String>) -> io::Result<Self> {
        let (stream, theirs) = UnixStream::pair()?;
        // SAFETY: the harness has one thread, so the child finds no lock held by another; it leaves by `_exit`.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                drop(stream);
                run(cpu, Cue(theirs), body)
            }
            pid => Ok(Self { pid, leads: false, stream, unread: Vec::new() }),
        }
    }

    /// A worker that is a program of its own; it has the socket as its standard input and output.
    ///
    /// With a core it is pinned; without, it leads a group of workers of its own and pins them itself.
    pub(crate) fn spawn(mut command: Command, cpu: Option<usize>) -> io::Result<Self> {
        let (stream, theirs) = UnixStream::pair()?;
        let leads = cpu.is_none();
        command.stdin(Stdio::from(OwnedFd::from(theirs.try_clone()?))).stdout(Stdio::from(OwnedFd::from(theirs)));
        if leads {
            command.process_group(0);
        }
        // SAFETY: the closure makes system calls only, which is all that is allowed between fork and exec.
        unsafe { command.pre_exec(move || pin(cpu).map(|_| die_with_parent())) };
        let child = command.spawn()?;
        Ok(Self { pid: child.id() as libc::pid_t, leads, stream, unread: Vec::new() })
    }

    /// The next line that the worker says, or `ETIMEDOUT`.
    pub(crate) fn line(&mut self, until: Instant) -> io::Result<String> {
        loop {
            if let Some(end) = self.unread.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                return plain(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "a worker hangs"));
            }
            self.stream.set_read_timeout(Some(left))?;
            let mut chunk = [0; 1 << 16];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a worker died")),
                Ok(length) => self.unread.extend_from_slice(&chunk[..length]),
                Err(error) if interrupted() => return Err(error),
                Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub(crate) fn say(&mut self, line: &str) -> io::Result<()> {
        self.stream.write_all(format!("{line}\n").as_bytes())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let target = if self.leads { -self.pid } else { self.pid };
        // SAFETY: the process is our child and not waited for yet, so its number is nobody else's.
        unsafe {
            libc::kill(target, libc::SIGKILL);
            libc::waitpid(self.pid, std::ptr::null_mut(), 0);
        }
    }
}

/// Turns a report of failure into one.
fn plain(line: String) -> io::Result<String> {
    match line.split_once(' ') {
        Some(("unsupported", why)) => Err(unsupported(why)),
        Some(("error", why)) => Err(io::Error::other(why)),
        _ => Ok(line),
    }
}

/// Ends this process when the harness dies, however that comes.
fn die_with_parent() {
    // SAFETY: asks for a signal and touches no memory.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
}

fn run(cpu: usize, mut cue: Cue, body: impl FnOnce(&mut Cue) -> io::Result<String>) -> ! {
    die_with_parent();
    let result = pin(Some(cpu)).and_then(|_| {
        let body = AssertUnwindSafe(|| body(&mut cue));
        catch_unwind(body).unwrap_or_else(|_| Err(io::Error::other("the worker panicked")))
    });
    let reported = cue.report(result);
    // SAFETY: leaves the child at once: what it inherited belongs to the parent, which also clears it away.
    unsafe { libc::_exit(i32::from(reported.is_err())) }
}

/// How long a worker may take beyond its time before it counts as hung.
const GRACE: Duration = Duration::from_secs(10);

/// Waits until a keeper has made its object; what it says of it.
pub(crate) fn kept(keeper: &mut Worker) -> io::Result<String> {
    let line = keeper.line(Instant::now() + GRACE)?;
    line.strip_prefix("ready ").map(str::to_owned).ok_or_else(|| unreadable(&line))
}

/// Lets a keeper remove its object.
pub(crate) fn dismiss(keeper: &mut Worker) -> io::Result<()> {
    keeper.say("go")?;
    keeper.line(Instant::now() + GRACE).map(drop)
}

/// Starts the workers together and collects what they report.
pub(crate) fn conduct(mut workers: Vec<Worker>, task: &Task) -> io::Result<Vec<String>> {
    for worker in &mut workers {
        let line = worker.line(Instant::now() + GRACE)?;
        if line != "ready" {
            return Err(unreadable(&line));
        }
    }
    for worker in &mut workers {
        worker.say("go")?;
    }
    let until = Instant::now() + task.run * 2 + GRACE;
    workers.iter_mut().map(|worker| worker.line(until)).collect()
}
