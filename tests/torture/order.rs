//! Every order of a few participants' accesses, under the model checker of core's own tests
//! (`core/src/shared/raw/tests/orders/`); far positions (`tests/rust/shared/far.rs`); and real threads under the sanitizers
//! ([`sanitizers`](../sanitizers)).
//!
//! They are tests of their crates, so each part lets cargo run some of them, and reads what they say. The whole sweep tries more
//! orders, and optimised.

use std::process::Command;

use crate::part::{Family, Fault, Harm, Outcome, Part, Sweep};

/// What the orders are of: a module of tests each.
const ORDERS: [(&str, &str); 8] = [
    ("lock", "the robust lock, kept or not"),
    ("event", "the event count"),
    ("roster", "joining, and settling a slot"),
    ("estate", "a dead receiver's lease"),
    ("ring", "a queue's senders and receivers"),
    ("semaphores", "a set of semaphores"),
    ("sync", "condition and barrier"),
    ("wrong", "wrong ones, which are refused"),
];

pub(crate) fn family() -> Family {
    let orders = ORDERS.map(|(module, what)| {
        let filter = format!("shared::raw::tests::orders::{module}::");
        Part::new(what, move |sweep| tests(sweep, &["--lib", &filter]))
    });
    let mut parts = Vec::from(orders);
    parts.push(Part::new("counters near 2^31, 2^32, 2^63, 2^64", |sweep| {
        tests(sweep, &["--test", "rust", "shared::far::"])
    }));
    parts.push(Part { is_extra: true, ..Part::new("threads, under sanitizers", sanitizers) });
    Family {
        name: "order",
        title: "Every order: of accesses, deaths between any two of them, and sleeps",
        columns: &["tests", "orders", "states", "deaths"],
        alone: false,
        parts,
    }
}

/// Lets cargo run these tests.
fn tests(sweep: &Sweep, which: &[&str]) -> Outcome {
    let mut cargo = Command::new("cargo");
    // Of the whole workspace, so that the reduced sweep finds them built by `make test`.
    cargo.args(["test", "--quiet", "--workspace"]).args(which);
    if sweep.full {
        cargo.arg("--release").env("MADANG_TORTURE", "full");
    }
    cargo.args(["--", "--nocapture"]);
    let text = output(cargo.env("RUST_BACKTRACE", "0"));
    let mut counts = vec![0; 4];
    for line in text.lines() {
        if let Some(passed) = line.strip_prefix("test result: ") {
            counts[0] += number_before(passed, "passed");
        }
        // (A test that ended meanwhile may have put its dot before it.)
        if let Some((_, told)) = line.split_once("orders: ") {
            counts[1] += number_before(told, "orders");
            counts[2] += number_before(told, "states");
            counts[3] += number_before(told, "deaths");
        }
    }
    let failed: Vec<_> = text.lines().filter(|line| line.contains("FAILED") || line.starts_with("error")).collect();
    let mut faults: Vec<_> = failed.iter().map(|line| Fault { harm: harm(&text), what: (*line).to_owned() }).collect();
    if counts[0] == 0 && faults.is_empty() {
        faults.push(Fault { harm: Harm::Wrong, what: format!("no test ran: {text}") });
    }
    Outcome { counts, faults }
}

/// What the failed tests said. (Of the wrong ones that are refused nothing counts but whether all were.)
fn harm(text: &str) -> Harm {
    let says = |what: &[&str]| what.iter().any(|what| text.contains(what));
    match () {
        () if says(&["doubled"]) => Harm::Doubled,
        () if says(&[" lost of "]) => Harm::Lost,
        () if says(&["a wake was lost", "has no end", "somebody slept", "stuck"]) => Harm::Stuck,
        () => Harm::Wrong,
    }
}

fn sanitizers(sweep: &Sweep) -> Outcome {
    if !sweep.full {
        // They build everything anew.
        return Outcome { counts: vec![0; 4], faults: Vec::new() };
    }
    let text = output(&mut Command::new("tests/torture/sanitizers"));
    let Some(last) = text.lines().find(|line| line.starts_with("sanitizers: ")) else {
        return Outcome { counts: vec![0; 4], faults: vec![Fault { harm: Harm::Wrong, what: text }] };
    };
    eprintln!("    {last}");
    let is_fault = |line: &&str| ["SUMMARY", "error", "test "].iter().any(|begin| line.starts_with(begin));
    let faults = text.lines().filter(is_fault).map(|line| Fault { harm: Harm::Wrong, what: line.to_owned() });
    Outcome { counts: vec![number_before(last, "tests"), 0, 0, 0], faults: faults.collect() }
}

/// All that it prints.
fn output(command: &mut Command) -> String {
    let output = command.output().expect("it can be started, in the repository");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// The number that stands before the word `what`.
fn number_before(line: &str, what: &str) -> u64 {
    let words: Vec<_> = line.split_whitespace().map(|word| word.trim_end_matches([',', ';'])).collect();
    words.windows(2).find_map(|two| two[0].parse().ok().filter(|_| two[1] == what)).unwrap_or(0)
}
