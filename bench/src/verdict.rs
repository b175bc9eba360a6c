//! What the figures were meant to be, and whether they are. A benchmark is never a test: this only says so.

use crate::harness::{Cell, Pair, Scenario};
use crate::table::{Findings, Grid, Placement, digits, median};

#[derive(Clone, Copy)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
    MoreThan(f64),
    /// Nothing was asked but to say it.
    Stated,
}

impl Bound {
    fn holds(self, measured: f64) -> bool {
        match self {
            Self::AtLeast(bound) => measured >= bound,
            Self::AtMost(bound) => measured <= bound,
            Self::MoreThan(bound) => measured > bound,
            Self::Stated => true,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtLeast(bound) => format!("≥ {}", digits(bound)),
            Self::AtMost(bound) => format!("≤ {}", digits(bound)),
            Self::MoreThan(bound) => format!("> {}", digits(bound)),
            Self::Stated => "–".into(),
        }
    }
}

use Bound::{AtLeast, AtMost, MoreThan, Stated};

/// `mine` over `theirs` in one cell, with the cores near and far.
struct Target {
    what: &'static str,
    cell: Cell,
    mine: &'static str,
    theirs: &'static str,
    near: Bound,
    far: Bound,
}

const fn cell(scenario: Scenario, size: usize) -> Cell {
    Cell { scenario, size }
}

const fn target(
    what: &'static str,
    cell: Cell,
    mine: &'static str,
    theirs: &'static str,
    bounds: [Bound; 2],
) -> Target {
    Target { what, cell, mine, theirs, near: bounds[0], far: bounds[1] }
}

const ONE_TO_ONE: Cell = cell(Scenario::Flow(1), 64);

/// (Of the gathering ring as much was asked as of the bare one, until it gave lines up too. Since then it is six times as fast, the limit
/// with all that madang does to be fast, and is only stated.)
const TARGETS: &[Target] = &[
    target("64 B 1→1, C / System V", ONE_TO_ONE, "madang-c", "sysv", [AtLeast(20.0), AtLeast(15.0)]),
    target("64 B 1→1, C / bare ring", ONE_TO_ONE, "madang-c", "ring", [AtLeast(0.6), AtLeast(1.0)]),
    target("64 B 1→1, C / gathering ring", ONE_TO_ONE, "madang-c", "ring-gather", [Stated; 2]),
    target("64 B 1→1 by 32, C / bare ring by 32", ONE_TO_ONE, "madang-c-32", "ring-32", [AtLeast(0.5); 2]),
    target("64 B 1→1 by 32, C / gathering by 32", ONE_TO_ONE, "madang-c-32", "ring-gather-32", [Stated; 2]),
    target("64 KiB 1→1, C / bare ring", cell(Scenario::Flow(1), 1 << 16), "madang-c", "ring", [AtLeast(0.8); 2]),
    target("round trip awake, C / bare ring", cell(Scenario::Awake, 64), "madang-c", "ring", [AtMost(1.8); 2]),
    target("round trip asleep, C / bare futex", cell(Scenario::Asleep, 64), "madang-c", "futex", [AtMost(1.15); 2]),
    target("64 B 2→2, C / System V", cell(Scenario::Flow(2), 64), "madang-c", "sysv", [AtLeast(10.0); 2]),
    target("16 KiB queue / 1 MiB queue, C", ONE_TO_ONE, "madang-c-16k", "madang-c", [AtLeast(1.0 / 3.0); 2]),
    target("64 B 1→1, Rust / System V", ONE_TO_ONE, "madang-rust", "sysv", [AtLeast(20.0), AtLeast(15.0)]),
    target("64 B 1→1, Rust / bare ring", ONE_TO_ONE, "madang-rust", "ring", [AtLeast(0.6), AtLeast(1.0)]),
    target("64 B 1→1, Rust / gathering ring", ONE_TO_ONE, "madang-rust", "ring-gather", [Stated; 2]),
    target("64 B 1→1 by 32, Rust / bare ring by 32", ONE_TO_ONE, "madang-rust-32", "ring-32", [AtLeast(0.5); 2]),
    target("64 B 1→1 by 32, Rust / gathering by 32", ONE_TO_ONE, "madang-rust-32", "ring-gather-32", [Stated; 2]),
    target("64 KiB 1→1, Rust / bare ring", cell(Scenario::Flow(1), 1 << 16), "madang-rust", "ring", [AtLeast(0.8); 2]),
    target("round trip awake, Rust / bare ring", cell(Scenario::Awake, 64), "madang-rust", "ring", [AtMost(1.8); 2]),
    target(
        "round trip asleep, Rust / bare futex",
        cell(Scenario::Asleep, 64),
        "madang-rust",
        "futex",
        [AtMost(1.15); 2],
    ),
    target("64 B 2→2, Rust / System V", cell(Scenario::Flow(2), 64), "madang-rust", "sysv", [AtLeast(10.0); 2]),
    target("16 KiB queue / 1 MiB queue, Rust", ONE_TO_ONE, "madang-rust-16k", "madang-rust", [AtLeast(1.0 / 3.0); 2]),
    target("64 B 1→1, Python / multiprocessing.Queue", ONE_TO_ONE, "madang-py", "mp-queue", [AtLeast(12.0); 2]),
    target("64 B 1→1, Python / pyzmq", ONE_TO_ONE, "madang-py", "pyzmq", [MoreThan(1.0); 2]),
    target(
        "8 MiB array, reserve + lease / multiprocessing.Queue",
        cell(Scenario::Arrays, 8 << 20),
        "madang-py-lease",
        "mp-queue-arrays",
        [AtLeast(30.0); 2],
    ),
    target("64 B 1→1, drop-in / kernel", ONE_TO_ONE, "msgsnd-drop-in", "msgsnd", [AtLeast(10.0); 2]),
    target("64 B 1→1, drop-in / kernel, 16 KiB", ONE_TO_ONE, "msgsnd-16k-drop-in", "msgsnd-16k", [AtLeast(10.0); 2]),
    target(
        "two at a semaphore, semop / SemaphoreSet, Rust",
        SEMAPHORE,
        "semop-rust",
        "semaphores-rust",
        [AtLeast(50.0); 2],
    ),
    target("two at a semaphore, semop / SemaphoreSet, C", SEMAPHORE, "semop-c", "semaphores-c", [AtLeast(50.0); 2]),
    target("two at a semaphore, semop / drop-in", SEMAPHORE, "semop-c", "semop-drop-in", [AtLeast(50.0); 2]),
    target(
        "two at a mutex, pthread / Mutex",
        cell(Scenario::Contended(Pair::Mutex), 0),
        "pthread-mutex",
        "mutex-rust",
        [Stated; 2],
    ),
];

const SEMAPHORE: Cell = cell(Scenario::Contended(Pair::Semaphore), 0);

const fn calls(pair: Pair) -> Cell {
    cell(Scenario::Calls(pair), 0)
}

/// In one process there is no near and far. Where more is better, it is their time over ours.
const ALONE: &[(&str, Cell, &str, &str, Bound)] = &[
    (
        "send + receive in one process, Python / sysv_ipc",
        cell(Scenario::Solo, 64),
        "madang-py",
        "sysv_ipc",
        AtMost(1.0 / 3.0),
    ),
    ("semop / SemaphoreSet, Rust", calls(Pair::Semaphore), "semop-rust", "semaphores-rust", AtLeast(8.0)),
    ("semop / SemaphoreSet, C", calls(Pair::Semaphore), "semop-c", "semaphores-c", AtLeast(8.0)),
    ("semop / drop-in", calls(Pair::Semaphore), "semop-c", "semop-drop-in", AtLeast(8.0)),
    ("pthread mutex / Mutex", calls(Pair::Mutex), "pthread-mutex", "mutex-rust", Stated),
    ("shmat + shmdt, drop-in / kernel", calls(Pair::Attach), "shmat-drop-in", "shmat", AtMost(4.0)),
    ("shmget + IPC_RMID, drop-in / kernel", calls(Pair::Make), "shmget-drop-in", "shmget", AtMost(10.0)),
];

/// What a wrapper costs: beside the bare calls on the same object, in turns.
const WRAPPERS: &[(&str, Pair, &str, Bound)] = &[
    ("sysv::msg / msgsnd + msgrcv, Rust", Pair::Message, "message-madang-rust", AtMost(1.05)),
    ("sysv::msg / msgsnd + msgrcv, C", Pair::Message, "message-madang-c", AtMost(1.05)),
    ("sysv::sem / semop, Rust", Pair::Semaphore, "semop-madang-rust", AtMost(1.05)),
    ("sysv::sem / semop, C", Pair::Semaphore, "semop-madang-c", AtMost(1.05)),
    ("pipe / write + read, Rust", Pair::Pipe, "pipe-madang-rust", Stated),
    ("pipe / write + read, C", Pair::Pipe, "pipe-madang-c", Stated),
    ("pipe, SIGPIPE left alone / write + read, Rust", Pair::Pipe, "pipe-sigpipe-rust", Stated),
    ("pipe, SIGPIPE left alone / write + read, C", Pair::Pipe, "pipe-sigpipe-c", Stated),
];

/// The share of a core that an idle blocked receiver may use.
const IDLE: Bound = Bound::AtMost(0.1);

/// Every target beside what was measured: the median of the rounds, and the least and the greatest.
pub(crate) fn verdict(findings: &Findings) -> Grid {
    let mut grid = Grid::new(["", "cores", "target", "measured", "rounds from, to", ""]);
    let mut judge = |what: &str, placement: &str, bound: Bound, measured: Vec<f64>, unit: &str| {
        let mut row = vec![what.into(), placement.into(), format!("{}{unit}", bound.text())];
        row.extend(match (median(measured.clone()), &measured[..]) {
            (Some(median), [least, .., greatest]) => {
                [format!("{}{unit}", digits(median)), format!("{}, {}", digits(*least), digits(*greatest))]
            }
            (Some(only), _) => [format!("{}{unit}", digits(only)), String::new()],
            (None, _) => ["–".into(), String::new()],
        });
        row.push(match median(measured) {
            Some(_) if matches!(bound, Stated) => "stated".into(),
            Some(median) if bound.holds(median) => "ok".into(),
            Some(_) => "short".into(),
            None => "not measured".into(),
        });
        grid.rows.push(row);
    };
    for Target { what, cell, mine, theirs, near, far } in TARGETS {
        for (placement, bound) in [(Placement::Near, near), (Placement::Far, far)] {
            judge(what, placement.name(), *bound, findings.ratios(*cell, mine, theirs, placement), "");
        }
    }
    for (what, cell, mine, theirs, bound) in ALONE {
        judge(what, "one", *bound, findings.ratios(*cell, mine, theirs, Placement::Any), "");
    }
    for (what, pair, mine, bound) in WRAPPERS {
        judge(what, "one", *bound, findings.in_turns(calls(*pair), mine), "");
    }
    for (peer, what) in [
        ("madang-c", "idle blocked receiver, C"),
        ("madang-rust", "idle blocked receiver, Rust"),
        ("madang-py", "idle blocked receiver, Python"),
    ] {
        let shares = findings.idle.iter().filter(|(other, _)| *other == peer).map(|(_, share)| share * 100.0);
        judge(what, "one", IDLE, shares.collect(), " %");
    }
    grid
}
