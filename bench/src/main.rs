//! `make bench`: madang and its rivals, measured side by side in one run.
//!
//! Throughput between one, two and four pairs of processes, round trips with the partner awake and asleep, and the cost of
//! sending and receiving in one process, at 8 B to 1 MiB. Then the calls of System V, pipes, semaphores and locks, in pairs that belong
//! together, by one process and by two that contend; and many objects. Every worker is pinned, senders and receivers spread over two
//! cores. A round measures every cell once, rivals right after one another and every other round in the opposite order; a
//! ratio is taken within a round and the median over the rounds is shown. Between any two measurements stands a probe of
//! what a cache line costs ([`probe`]), because the host moves the cores about.
//!
//! How to read it: [`table`]. What the figures were meant to be: [`verdict`]. How workers work: [`harness`].

mod clock;
mod harness;
mod histogram;
mod peers;
mod probe;
mod shared;
mod table;
mod verdict;

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;

use crate::harness::{Affinity, Cell, Many, Outcome, Pair, Scenario, Task};
use crate::peers::calls::{How, InC, Programs, What};
use crate::peers::foreign::{FromC, FromPython, Host};
use crate::peers::pair::Calls;
use crate::peers::{BATCH, Forked, Idler, Peer, is_batch_cell};
use crate::table::{Findings, Placement, Sample, cell_id, references};

/// Measures madang and its rivals side by side.
#[derive(Parser)]
struct Options {
    /// Shorter measurements and fewer rounds: some three minutes.
    #[arg(long)]
    quick: bool,
    /// How many times every cell is measured [default: 5, with --quick 3].
    #[arg(long)]
    rounds: Option<usize>,
    /// Only what has this in its name, as `1-1/64/madang-c`, `awake/` or `/pipe` (and the rows it is compared with); repeatable.
    #[arg(long, value_name = "SUBSTRING")]
    only: Vec<String>,
    /// Writes every measurement to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Writes the tables to this file, as docs/benchmarks.md has them, after what stands there before their marker.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// The two cores [default: the first two that this process may use].
    #[arg(long, value_name = "CPU", num_args = 2)]
    cpus: Option<Vec<usize>>,
    /// The C worker.
    #[arg(long, value_name = "FILE", default_value = "build/bench/worker")]
    c_worker: PathBuf,
    /// The C program of System V's calls and pipes.
    #[arg(long, value_name = "FILE", default_value = "build/bench/calls")]
    c_calls: PathBuf,
    /// What is preloaded into it: System V's calls from shared memory.
    #[arg(long, value_name = "FILE", default_value = "target/release/libmadang_sysv.so")]
    drop_in: PathBuf,
    /// The Python interpreter that has `madang` and its rivals.
    #[arg(long, value_name = "FILE", default_value = "build/bench/venv/bin/python")]
    python: PathBuf,
}

const SIZES: [usize; 5] = [8, 64, 1 << 10, 1 << 16, 1 << 20];
const SCENARIOS: [Scenario; 6] =
    [Scenario::Flow(1), Scenario::Flow(2), Scenario::Flow(4), Scenario::Awake, Scenario::Asleep, Scenario::Solo];

/// NumPy arrays, as large as a camera's frame.
const ARRAYS: Cell = Cell { scenario: Scenario::Arrays, size: 8 << 20 };

/// Pairs of calls, which have no size of their own; and of how many objects it is asked what one takes.
const CALLS: [Pair; 6] = [Pair::Message, Pair::Pipe, Pair::Semaphore, Pair::Mutex, Pair::Attach, Pair::Make];
const CONTENDED: [Pair; 2] = [Pair::Semaphore, Pair::Mutex];
const MANY: [Many; 3] = [Many::Create, Many::Find, Many::List];
const OBJECTS: [usize; 3] = [10, 1_000, 10_000];

/// The cells in which only few peers stand.
fn special_cells() -> impl Iterator<Item = Cell> {
    let alone = CALLS.map(Scenario::Calls).into_iter().chain(CONTENDED.map(Scenario::Contended));
    let many = MANY.into_iter().flat_map(|many| OBJECTS.map(|size| Cell { scenario: Scenario::Many(many), size }));
    [ARRAYS].into_iter().chain(alone.map(|scenario| Cell { scenario, size: 0 })).chain(many)
}

/// What a queue may hold: 1 MiB, and for messages of that length 16 of them.
fn capacity(size: usize) -> usize {
    if size < 1 << 20 { 1 << 20 } else { 16 * size }
}

/// The small queue: System V's limit as kernels come with it.
const SMALL: usize = 16 << 10;

/// Of these it is asked what an idle blocked receiver costs.
const IDLERS: [&str; 4] = ["madang-rust", "madang-c", "madang-py", "sysv"];

fn all_peers(options: &Options) -> Vec<Box<dyn Peer>> {
    use peers::{futex::Futex, mq::Mq, pair, pipe::Pipe, ring::Ring, ring::RingBy32, sysv::Sysv};
    use peers::{madang::Batched, madang::Madang, madang::Polled};
    use peers::{socket::Packets, socket::Stream};
    let c =
        |id, label, capacity, batch| Box::new(FromC { id, label, program: options.c_worker.clone(), capacity, batch });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/worker.py");
    let host = Host::new(options.python.clone(), script);
    let python = |id, label| Box::new(FromPython { id, label, arrays: false, host: host.clone() });
    let arrays = |id, label| Box::new(FromPython { id, label, arrays: true, host: host.clone() });
    let programs = Programs::new(options.c_calls.clone(), options.drop_in.clone());
    let calls = |id, label, what, how| Box::new(InC { id, label, what, how, programs: programs.clone() });
    let (message, pipe) = (What::Calls(Pair::Message), What::Calls(Pair::Pipe));
    let (semaphore, attach, make) = (What::Calls(Pair::Semaphore), What::Calls(Pair::Attach), What::Calls(Pair::Make));
    let ours = How::Madang("madang");
    vec![
        Box::new(Forked::<Ring<false>>::new("ring", "bare ring").only_where(|cell| cell.scenario != Scenario::Asleep)),
        Box::new(
            Forked::<Ring<true>>::new("ring-gather", "bare ring, gathering")
                .only_where(|cell| matches!(cell.scenario, Scenario::Flow(1) | Scenario::Awake)),
        ),
        Box::new(Forked::<RingBy32<false>>::new("ring-32", "bare ring, by 32").only_where(is_batch_cell)),
        Box::new(
            Forked::<RingBy32<true>>::new("ring-gather-32", "bare ring, gathering, by 32").only_where(is_batch_cell),
        ),
        Box::new(Forked::<Futex>::new("futex", "bare futex").only_where(|cell| cell.scenario == Scenario::Asleep)),
        Box::new(Forked::<Madang>::new("madang-rust", "madang, Rust")),
        Box::new(
            Forked::<Polled>::new("madang-rust-try", "madang, Rust, polled")
                .only_where(|cell| cell.scenario == Scenario::Awake),
        ),
        c("madang-c", "madang, C", None, 1),
        Box::new(Forked::<Batched>::new("madang-rust-32", "madang, Rust, by 32").only_where(is_batch_cell)),
        c("madang-c-32", "madang, C, by 32", None, BATCH),
        Box::new(Forked::<Madang>::new("madang-rust-16k", "madang, Rust, 16 KiB queue").with_capacity(SMALL)),
        c("madang-c-16k", "madang, C, 16 KiB queue", Some(SMALL), 1),
        Box::new(Forked::<Sysv>::new("sysv", "System V queue")),
        Box::new(Forked::<Sysv>::new("sysv-16k", "System V queue, 16 KiB").with_capacity(SMALL)),
        Box::new(Forked::<Mq>::new("mq", "POSIX queue")),
        Box::new(Forked::<Pipe>::new("pipe", "pipe")),
        Box::new(Forked::<Stream>::new("stream", "Unix stream")),
        Box::new(Forked::<Packets>::new("seqpacket", "Unix seqpacket")),
        python("madang-py", "madang, Python"),
        python("madang-py-into", "madang, Python, recv_into"),
        python("madang-py-32", "madang, Python, by 32"),
        python("sysv_ipc", "Python sysv_ipc"),
        python("posix_ipc", "Python posix_ipc"),
        python("mp-queue", "Python multiprocessing.Queue"),
        python("mp-pipe", "Python multiprocessing.Pipe"),
        python("pyzmq", "Python pyzmq PUSH/PULL"),
        arrays("madang-py-lease", "madang, Python, reserve and lease"),
        arrays("madang-py-objects", "madang, Python, ObjectQueue"),
        arrays("mp-queue-arrays", "Python multiprocessing.Queue of arrays"),
        calls("msgsnd", "msgsnd and msgrcv, C", What::Flow(1 << 20), How::Plain),
        calls("msgsnd-drop-in", "msgsnd and msgrcv, C, drop-in", What::Flow(1 << 20), How::DropIn),
        calls("msgsnd-16k", "msgsnd and msgrcv, C, 16 KiB queue", What::Flow(SMALL), How::Plain),
        calls("msgsnd-16k-drop-in", "msgsnd and msgrcv, C, drop-in, 16 KiB queue", What::Flow(SMALL), How::DropIn),
        Box::new(Calls::<pair::BareQueue>::new("message-rust", "msgsnd and msgrcv, Rust", Pair::Message)),
        Box::new(Calls::<pair::KernelQueue>::new("message-madang-rust", "madang::sysv::msg, Rust", Pair::Message)),
        calls("message-c", "msgsnd and msgrcv, C", message, How::Plain),
        calls("message-madang-c", "madang_sysv_msg, C", message, ours),
        calls("message-drop-in", "msgsnd and msgrcv, C, drop-in", message, How::DropIn),
        Box::new(Calls::<pair::BarePipe>::new("pipe-rust", "write and read, Rust", Pair::Pipe)),
        Box::new(Calls::<pair::OurPipe<false>>::new("pipe-madang-rust", "madang::pipe, Rust", Pair::Pipe)),
        Box::new(Calls::<pair::OurPipe<true>>::new(
            "pipe-sigpipe-rust",
            "madang::pipe, Rust, SIGPIPE left alone",
            Pair::Pipe,
        )),
        calls("pipe-c", "write and read, C", pipe, How::Plain),
        calls("pipe-madang-c", "madang_pipe, C", pipe, ours),
        calls("pipe-sigpipe-c", "madang_pipe, C, SIGPIPE left alone", pipe, How::Madang("madang-sigpipe")),
        Box::new(Calls::<pair::BareSet>::new("semop-rust", "semop, Rust", Pair::Semaphore)),
        Box::new(Calls::<pair::KernelSet>::new("semop-madang-rust", "madang::sysv::sem, Rust", Pair::Semaphore)),
        Box::new(Calls::<pair::SharedSet>::new("semaphores-rust", "SemaphoreSet, Rust", Pair::Semaphore)),
        calls("semop-c", "semop, C", semaphore, How::Plain),
        calls("semop-madang-c", "madang_sysv_sem, C", semaphore, ours),
        calls("semaphores-c", "madang_semaphore_set, C", semaphore, How::Madang("set")),
        calls("semop-drop-in", "semop, C, drop-in", semaphore, How::DropIn),
        Box::new(Calls::<pair::Pthread>::new("pthread-mutex", "pthread mutex, shared and robust", Pair::Mutex)),
        Box::new(Calls::<pair::SharedMutex>::new("mutex-rust", "Mutex, Rust", Pair::Mutex)),
        calls("shmat", "shmat and shmdt, C", attach, How::Plain),
        calls("shmat-drop-in", "shmat and shmdt, C, drop-in", attach, How::DropIn),
        calls("shmget", "shmget and IPC_RMID, C", make, How::Plain),
        calls("shmget-drop-in", "shmget and IPC_RMID, C, drop-in", make, How::DropIn),
        calls("queues", "message queues", What::Many("queue"), How::Plain),
        calls("queues-drop-in", "message queues, drop-in", What::Many("queue"), How::DropIn),
        calls("sets", "semaphore sets", What::Many("semaphore"), How::Plain),
        calls("sets-drop-in", "semaphore sets, drop-in", What::Many("semaphore"), How::DropIn),
        calls("segments", "segments", What::Many("segment"), How::Plain),
        calls("segments-drop-in", "segments, drop-in", What::Many("segment"), How::DropIn),
    ]
}

/// One run.
struct Bench {
    peers: Vec<Box<dyn Peer>>,
    only: Vec<String>,
    rounds: usize,
    run: Duration,
    /// For round trips to sleepers, which are long and few.
    run_asleep: Duration,
    idle: Duration,
    cpus: [usize; 2],
    findings: Findings,
    /// The last probe; the next measurement follows at once.
    line: f64,
    measured: usize,
    started: Instant,
}

impl Bench {
    fn new(options: Options, limits: String) -> io::Result<Self> {
        let cpus = match &options.cpus {
            Some(cpus) => cpus.clone(),
            None => Affinity::get()?.cpus(),
        };
        let [first, second, ..] = cpus[..] else {
            return Err(io::Error::other("two cores are needed: one for the senders, one for the receivers"));
        };
        let peers = all_peers(&options);
        let millis = |quick: u64, whole: u64| Duration::from_millis(if options.quick { quick } else { whole });
        let rounds = options.rounds.unwrap_or(if options.quick { 3 } else { 5 });
        let mut findings = Findings { facts: facts([first, second], limits, rounds), ..Findings::default() };
        findings.peers = peers.iter().map(|peer| (peer.id(), peer.label())).collect();
        Ok(Self {
            peers,
            rounds,
            run: millis(40, 120),
            run_asleep: millis(60, 200),
            idle: millis(2000, 5000),
            cpus: [first, second],
            findings,
            line: f64::NAN,
            measured: 0,
            started: Instant::now(),
            only: options.only,
        })
    }

    fn wants(&self, cell: Cell, peer: usize) -> bool {
        let peer = &self.peers[peer];
        let name = format!("{}/{}", cell_id(cell), peer.id());
        peer.belongs(cell) && (self.only.is_empty() || self.only.iter().any(|only| name.contains(only.as_str())))
    }

    /// The cells in which something is to be measured, and what.
    fn plan(&self) -> Vec<(Cell, Vec<usize>)> {
        let cells = SCENARIOS.into_iter().flat_map(|scenario| SIZES.map(|size| Cell { scenario, size }));
        let cells = cells.chain(special_cells());
        let rows = |cell: Cell| (0..self.peers.len()).filter(|&peer| self.wants(cell, peer)).collect();
        cells.map(|cell| (cell, rows(cell))).filter(|(_, rows): &(Cell, Vec<usize>)| !rows.is_empty()).collect()
    }

    fn run(&mut self) -> io::Result<()> {
        let plan = self.plan();
        let total = self.rounds * plan.iter().map(|(_, rows)| rows.len()).sum::<usize>();
        self.line = probe::line_round_trip(self.cpus)?;
        for round in 0..self.rounds {
            for (cell, rows) in &plan {
                self.measure_cell(*cell, rows, round, total)?;
            }
        }
        self.measure_idle()
    }

    /// Every row of one cell, once. The references are measured once for each placement that is met.
    fn measure_cell(&mut self, cell: Cell, rows: &[usize], round: usize, total: usize) -> io::Result<()> {
        let references: Vec<usize> =
            (0..self.peers.len()).filter(|&peer| references(cell).contains(&self.peers[peer].id())).collect();
        let mut order: Vec<usize> = rows.iter().copied().filter(|row| !references.contains(row)).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        let mut covered = BTreeSet::new();
        for row in order {
            let placement = self.measure(cell, row, round, total)?;
            if placement.is_some_and(|placement| placement != Placement::Moved && !covered.contains(&placement)) {
                covered.extend(self.measure_all(cell, &references, round, total)?);
            }
        }
        if covered.is_empty() {
            self.measure_all(cell, &references, round, total)?;
        }
        Ok(())
    }

    fn measure_all(&mut self, cell: Cell, rows: &[usize], round: usize, total: usize) -> io::Result<Vec<Placement>> {
        let mut placements = Vec::new();
        for &row in rows {
            placements.extend(self.measure(cell, row, round, total)?);
        }
        Ok(placements)
    }

    /// Measures one row once; where the cores lay, or nothing if there is no figure.
    fn measure(&mut self, cell: Cell, row: usize, round: usize, total: usize) -> io::Result<Option<Placement>> {
        let id = self.peers[row].id();
        if self.findings.missing.contains_key(&(id, cell)) {
            return Ok(None);
        }
        self.measured += 1;
        self.progress(&format!("round {}/{}  {}/{id}", round + 1, self.rounds, cell_id(cell)), total);
        let task = self.task(cell);
        let result = self.peers[row].measure(&task).and_then(|reports| Outcome::of(&reports));
        if harness::interrupted() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let before = self.line;
        self.line = probe::line_round_trip(self.cpus)?;
        match result {
            Ok(outcome) => {
                let sample = Sample { round, cell, peer: id, before, after: self.line, outcome };
                let placement = sample.placement();
                self.findings.samples.push(sample);
                Ok(Some(placement))
            }
            Err(error) => {
                let failed = if error.kind() == io::ErrorKind::Unsupported { "" } else { "failed: " };
                self.findings.missing.insert((id, cell), format!("{failed}{error}"));
                Ok(None)
            }
        }
    }

    fn task(&self, cell: Cell) -> Task {
        let run = if cell.scenario == Scenario::Asleep { self.run_asleep } else { self.run };
        let name = format!("bench-{}-{}", std::process::id(), self.measured);
        Task { cell, capacity: capacity(cell.size), run, cpus: self.cpus, name }
    }

    /// All idle receivers at once: they should not notice each other.
    fn measure_idle(&mut self) -> io::Result<()> {
        let task = Task { name: format!("bench-{}", std::process::id()), ..self.task(idle_cell()) };
        let wanted = |id: &str| {
            let name = format!("idle/{id}");
            IDLERS.contains(&id) && (self.only.is_empty() || self.only.iter().any(|only| name.contains(only.as_str())))
        };
        let mut idlers = Vec::new();
        for peer in self.peers.iter_mut().filter(|peer| wanted(peer.id())) {
            match peer.idler(&task).and_then(|idler| idler.map(ready).transpose()) {
                Ok(idler) => idlers.extend(idler.map(|idler| (peer.id(), idler))),
                Err(error) => drop(self.findings.missing.insert((peer.id(), idle_cell()), format!("idle: {error}"))),
            }
        }
        if idlers.is_empty() {
            return Ok(());
        }
        progress_line("an idle blocked receiver");
        thread::sleep(self.idle);
        for (id, idler) in idlers {
            match end(idler) {
                Ok(outcome) => self.findings.idle.push((id, outcome.score())),
                Err(error) => drop(self.findings.missing.insert((id, idle_cell()), format!("idle: {error}"))),
            }
        }
        Ok(())
    }

    fn progress(&self, doing: &str, total: usize) {
        let done = self.measured.min(total).max(1);
        let left = self.started.elapsed().mul_f64((total - done) as f64 / done as f64).as_secs();
        progress_line(&format!("{done:4} of {total}  {doing}  about {}:{:02} left", left / 60, left % 60));
    }
}

/// The cell under which the idle receivers are set up.
fn idle_cell() -> Cell {
    Cell { scenario: Scenario::Flow(1), size: 64 }
}

fn ready(mut idler: Idler) -> io::Result<Idler> {
    idler.worker.line(Instant::now() + Duration::from_secs(10))?;
    idler.worker.say("go")?;
    Ok(idler)
}

fn end(Idler { mut worker, stop }: Idler) -> io::Result<Outcome> {
    stop()?;
    Outcome::of(&[worker.line(Instant::now() + Duration::from_secs(5))?])
}

/// One line on a terminal, over and over; nothing elsewhere.
fn progress_line(text: &str) {
    if io::stderr().is_terminal() {
        eprint!("\r\x1b[K{text}");
        let _ = io::stderr().flush();
    }
}

/// The machine and the conditions, in words.
fn facts(cpus: [usize; 2], limits: String, rounds: usize) -> Vec<(&'static str, String)> {
    let first_line = |path: &str, key: &str| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default();
        line.split_once(':').map_or(line, |(_, value)| value).trim().to_owned()
    };
    vec![
        ("processor", first_line("/proc/cpuinfo", "model name")),
        ("kernel", first_line("/proc/sys/kernel/osrelease", "")),
        ("cores", format!("{} and {}", cpus[0], cpus[1])),
        ("limits", format!("of the kernel's queues: {limits}")),
        ("rounds", rounds.to_string()),
    ]
}

fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if harness::interrupted() => {
            eprintln!("madang-bench: interrupted ({error}); above is what was measured until then");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("madang-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures, and writes what was found, also if it was interrupted.
fn run(options: Options) -> io::Result<()> {
    harness::catch_interrupts();
    let limits = peers::sysv::raise_limits();
    peers::mq::raise_limits();
    let (json, markdown) = (options.json.clone(), options.markdown.clone());
    let mut bench = Bench::new(options, limits)?;
    let result = bench.run();
    progress_line("");

    let findings = &bench.findings;
    let verdict = verdict::verdict(findings);
    print!("{}", findings.text());
    print!("{}", verdict.text("Verdict"));
    if let Some(file) = json {
        fs::write(file, findings.json())?;
    }
    if let Some(file) = markdown {
        let tables = format!("{}\n### Verdict\n\n{}", findings.markdown(), verdict.markdown());
        fs::write(&file, format!("{}{MARKER}\n{tables}", head(&file)))?;
    }
    result
}

/// From this line on a document is the harness's; what stands before it is somebody's words, and stays.
const MARKER: &str = "<!-- from here on written by make bench -->\n";

fn head(file: &Path) -> String {
    let document = fs::read_to_string(file).unwrap_or_default();
    document.split(MARKER).next().unwrap_or_default().to_owned()
}
