//! Tries everything that could make madang lose a message, deliver one twice, or leave somebody stuck.
//!
//! `make torture` runs all of it, shows its progress, goes on where an interrupted run stopped, and writes the tables of
//! docs/guarantees.md; `make torture-quick` is the reduced sweep of CI. Each family of parts has a module of its own:
//!
//! | module | what it does |
//! |---|---|
//! | [`scribble`] | writes over every word of every kind of object |
//! | [`step`] | kills at every instruction of an operation |
//! | [`stop`] | stops somebody in the middle of an operation, and watches the others |
//! | [`chaos`] | kills, stops and forks many processes of three languages at random |
//! | [`order`] | tries every order of a few participants' accesses |
//!
//! Several parts run at once ([`workers`]). A part doesn't stop at what it finds: it counts it, with all that is needed to see it again.

mod chaos;
mod ledger;
mod order;
mod part;
mod scribble;
mod step;
mod stop;
mod workers;

use std::process::ExitCode;

use clap::Parser;

use ledger::Ledger;
use part::{Family, Part, Sweep};
use workers::work_through;

/// Kills, stops and scribbles at every point, and counts what is lost, doubled or stuck.
#[derive(Parser)]
struct Arguments {
    /// Everything, instead of the sweep that fits CI
    #[arg(long)]
    full: bool,
    /// Where the random choices begin: the same seed makes the same choices
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only the parts whose "family/name" contains this
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// Lists the parts, and does nothing
    #[arg(long)]
    list: bool,
    /// Writes the tables into this file, between its marks
    #[arg(long, value_name = "FILE")]
    write: Option<std::path::PathBuf>,
}

/// In the environment: one kill, or one scribble, of the parts that are asked for.
const CASE: &str = "MADANG_TORTURE_CASE";

/// In this order: what is quick and finds most comes first.
fn families() -> Vec<Family> {
    vec![step::family(), stop::family(), chaos::family(), scribble::family(), order::family()]
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut families = families();
    for family in &mut families {
        let is_asked_for = |part: &Part| format!("{}/{}", family.name, part.name).contains(&arguments.only);
        family.parts.retain(|part| (arguments.full || !part.is_extra) && is_asked_for(part));
    }
    if arguments.list {
        families
            .iter()
            .for_each(|family| family.parts.iter().for_each(|part| println!("{}/{}", family.name, part.name)));
        return ExitCode::SUCCESS;
    }
    let count: usize = families.iter().map(|family| family.parts.len()).sum();
    let case = std::env::var(CASE).unwrap_or_default();
    if count == 0 || arguments.write.is_some() && !(arguments.only.is_empty() && case.is_empty()) {
        eprintln!(
            "torture: {}",
            if count == 0 {
                "there is no such part: see --list"
            } else {
                "the tables are of all parts: --write goes without --only, and without MADANG_TORTURE_CASE"
            }
        );
        return ExitCode::FAILURE;
    }
    let sweep = Sweep { full: arguments.full, seed: arguments.seed, worker: 0 };
    let mut ledger =
        Ledger::open(&format!("full={} seed={} only={} case={case}", sweep.full, sweep.seed, arguments.only));
    work_through(&families, &sweep, &mut ledger);
    let size = if sweep.full { "The full sweep" } else { "The reduced sweep" };
    let tables = format!("{size}, seed {}.\n\n{}", sweep.seed, ledger.tables(&families));
    println!("{tables}");
    if let Some(file) = &arguments.write {
        ledger::write_between_marks(file, &tables);
    }
    ledger.finish();
    // (Read as the closing line of a test runner.)
    let failed = ledger.failed();
    println!("{} passed, {failed} failed", ledger.passed());
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
