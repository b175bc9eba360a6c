//! The fuzzer's side of the scribbles: see tests/torture/scribble, where what is done with its bytes stands.

#![allow(dead_code, reason = "the sweep uses the rest")]

#[path = "../../tests/torture/scribble/harness/mod.rs"]
mod harness;

use std::cell::OnceCell;

use harness::probe::{Probe, Progress};
use harness::script::{Stage, Target as Which};

/// What is fuzzed.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// What is written over an object before it is opened.
    Image,
    /// Steps with a queue.
    Queue,
    /// Steps with a set of semaphores.
    Set,
    /// Steps with locks.
    Locks,
}

/// Does what the bytes say; whatever is wrong is a panic, or worse.
pub fn play(target: Target, bytes: &[u8]) {
    thread_local! {
        static STAGE: OnceCell<Stage> = const { OnceCell::new() };
    }
    let which = match target {
        Target::Image => Which::Image,
        Target::Queue => Which::Queue,
        Target::Set => Which::Set,
        Target::Locks => Which::Locks,
    };
    let progress = Progress::default();
    STAGE.with(|stage| stage.get_or_init(|| Stage::new(which)).play(&Probe::new(&progress, None), bytes));
}
