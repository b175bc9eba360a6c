//! One scribble after the other, while two processes work on the object.
//!
//! In every other round a scribble goes and comes, as fast as it can be written, so that a word that was looked at is another one
//! when it is looked at again; and the object stays good enough to be used.
//!
//! The workers open what lies there, use it in all ways, and open it anew, until the next round; the parent only writes. Which
//! scribbles were written follows from the seed, at which moment does not.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use madang_tests::Random;

use super::crew::{CREW, SharedPage, State, Watched};
use super::harness::made::Made;
use super::harness::probe::Probe;
use super::harness::uses::Scene;
use super::harness::words::Cases;
use crate::part::{Fault, Harm, Outcome, Sweep};

/// How long an object is scribbled on, and how often.
const ROUND: Duration = Duration::from_millis(40);
const PER_ROUND: u64 = 25;
const MOST_FAULTS: usize = 20;

/// Goes on for so many rounds.
pub(crate) fn run(scene: Scene, rounds: u64, sweep: &Sweep) -> Outcome {
    let page = SharedPage::new();
    let made = Made::new(scene);
    let cases = Cases::new(&made.image, sweep.seed);
    let work = |probe: &Probe| worker(probe, &page, &made, scene);
    let mut workers: Vec<_> = page.progress.iter().map(|progress| Watched::new(progress, work)).collect();
    let (mut faults, mut tried) = (Vec::new(), 0);
    for round in 1..=rounds {
        made.room.clear();
        let files = made.again(round).0.put_back();
        page.round.store(round, Relaxed);
        let mut random = Random(sweep.seed ^ round << 32);
        let begun = Instant::now();
        for turn in 1..=PER_ROUND {
            let scribbles = cases.scribbles(cases.draw(&mut random));
            scribbles.iter().for_each(|scribble| scribble.write(&files));
            tried += 1;
            let end = begun + ROUND * turn as u32 / PER_ROUND as u32;
            while round % 2 == 1 && Instant::now() < end {
                scribbles.iter().for_each(|scribble| cases.take_back(scribble, &files));
                scribbles.iter().for_each(|scribble| scribble.write(&files));
                tried += 1;
            }
            if round % 2 == 1 {
                scribbles.iter().for_each(|scribble| cases.take_back(scribble, &files));
            }
            let wait = end.saturating_duration_since(Instant::now());
            for (worker, progress) in workers.iter_mut().zip(&page.progress) {
                if worker.look(wait / CREW as u32, &mut faults) != State::Lives {
                    *worker = Watched::new(progress, work);
                }
            }
        }
        if faults.len() >= MOST_FAULTS {
            break;
        }
    }
    page.round.store(u64::MAX, Relaxed);
    for worker in &mut workers {
        while worker.look(Duration::from_millis(100), &mut faults) == State::Lives {}
    }
    made.room.clear();
    let steps: u64 = page.progress.iter().map(|progress| progress.steps.load(Relaxed)).sum();
    if steps < rounds {
        faults.push((0, Fault { harm: Harm::Wrong, what: format!("only {steps} operations in {rounds} rounds") }));
    }
    let told = |(round, fault): (u64, Fault)| {
        let what = format!("{}: round {round}, with seed {}", fault.what, sweep.seed);
        Fault { what, ..fault }
    };
    Outcome { counts: vec![1, tried, steps], faults: faults.into_iter().map(told).collect() }
}

fn worker(probe: &Probe, page: &SharedPage, made: &Made, scene: Scene) {
    made.room.is_entered();
    let mut turn = 0;
    loop {
        let round = page.round.load(Relaxed);
        match round {
            u64::MAX => return,
            0 => std::thread::yield_now(),
            round => {
                probe.begins(round);
                let identifier = made.again(round).1;
                if let Some(mut used) = (scene.open)(probe, &made.room, identifier) {
                    used.use_it(probe, turn);
                    probe.must("close", || drop(used));
                }
                // (Where it can't be opened any more, the other one isn't kept from working.)
                std::thread::yield_now();
                turn += 1;
            }
        }
    }
}
