//! Every order: what a few participants do at once, tried in all the ways in which their accesses can follow each other, and in
//! which some of them die between two of those.
//!
//! The floor's own code runs, as it is: the trap that all accesses to shared memory pass hands over to the [`explorer`], and
//! sleeping, waking and asking who lives are the host's, which here is the explorer too. (That is why it isn't loom: that has
//! atomics of its own, which can't lie in shared memory. shuttle could be given the trap, but it tries orders at random, or all
//! of them without noticing that it was in the same state before, and takes a scheduler, its own random generators and a tracing
//! framework along. All that is needed besides the trap is a coroutine.)
//!
//! Memory is sequentially consistent here. What processors may reorder besides is looked at in `ring/waking.rs`, `keep.rs` (a
//! store that is late), and by ThreadSanitizer (`tests/torture/sanitizers`).
//!
//! `cargo test` tries what ends in seconds: all orders of few participants, or those in which somebody is stopped for another a
//! few times at most. `MADANG_TORTURE=full` tries more. Each test prints how much that was.

mod explorer;

mod estate;
mod event;
mod lock;
mod ring;
mod roster;
mod semaphores;
mod sync;
mod waiting;
mod wrong;

use explorer::{Ended, Limits, Orders, Player, Report, explore};

/// Whether there is time.
fn is_full() -> bool {
    std::env::var("MADANG_TORTURE").is_ok_and(|how| how == "full")
}

/// Explores, and says how much that was.
fn try_all<T>(what: &str, limits: Limits, thing: &T, once: impl FnMut(&Orders, &T)) -> Report {
    let begun = std::time::Instant::now();
    let report = explore(limits, thing, once);
    let bound = limits.preemptions.map_or_else(|| "all".to_owned(), |most| format!("up to {most} preemptions"));
    let Report { orders, states, deaths, stopped } = report;
    let bound = if stopped { format!("a part of {bound}") } else { bound };
    println!("orders: {what}: {bound}: {orders} orders, {states} states, {deaths} deaths, {:.1?}", begun.elapsed());
    report
}
