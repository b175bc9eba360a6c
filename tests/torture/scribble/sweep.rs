//! One scribble after the other, on an object that is as good as new each time.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use madang_tests::{Random, open_descriptors};

use super::crew::{SharedPage, State, Watched, address_space};
use super::harness::guards::Guards;
use super::harness::made::Made;
use super::harness::probe::Probe;
use super::harness::uses::{Scene, look_around};
use super::harness::words::Cases;
use crate::part::{Fault, Outcome, Sweep};

/// A child does so many, and makes room for another.
const PER_CHILD: usize = 400;
/// With System V's calls fewer: a process keeps open what it has used, and of what was scribbled it can't know that it was removed.
const PER_CALLER: usize = 10;
/// After so many faults a part ends: the others will be the same.
const MOST_FAULTS: usize = 20;
/// More than that a child has no open descriptors, unless it leaks.
const MOST_DESCRIPTORS: usize = 300;

/// When it is scribbled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    BeforeOpen,
    InUse,
}

/// Tries all cases, or `sample` of them.
pub(crate) fn run(scene: Scene, when: When, sample: u64, sweep: &Sweep) -> Outcome {
    let page = SharedPage::new();
    let made = Made::new(scene);
    let cases = Cases::new(&made.image, sweep.seed);
    let numbers: Vec<u64> = match std::env::var(crate::CASE) {
        Ok(one) => vec![one.parse().expect("the number of a case")],
        _ if sweep.full => (0..cases.count()).collect(),
        _ => {
            let mut random = Random(sweep.seed);
            (0..sample).map(|_| cases.draw(&mut random)).collect()
        }
    };
    let per_child = if made.again(0).1 == 0 { PER_CHILD } else { PER_CALLER };
    let progress = &page.progress[0];
    let mut faults = Vec::new();
    let mut next = 0;
    while next < numbers.len() && faults.len() < MOST_FAULTS {
        let some = &numbers[next..(next + per_child).min(numbers.len())];
        let work = |probe: &Probe| {
            made.room.is_entered();
            for (turn, &number) in some.iter().enumerate() {
                probe.begins((next + turn) as u64);
                try_one(probe, &made, scene, when, &cases, number);
            }
        };
        let mut child = Watched::new(progress, work);
        let end = loop {
            match child.look(Duration::from_millis(100), &mut faults) {
                State::Lives => {}
                end => break end,
            }
        };
        made.room.clear();
        next = if end == State::Died { progress.case.load(Relaxed) as usize + 1 } else { next + some.len() };
    }
    let told = |(at, fault): (u64, Fault)| {
        let number = numbers[(at as usize).min(numbers.len() - 1)];
        let what = format!("{}: case {number}, {when:?}: {}", fault.what, cases.told(number));
        Fault { what, ..fault }
    };
    let faults = faults.into_iter().map(told).collect();
    Outcome { counts: vec![1, progress.tried.load(Relaxed), progress.steps.load(Relaxed)], faults }
}

fn try_one(probe: &Probe, made: &Made, scene: Scene, when: When, cases: &Cases, number: u64) {
    let (image, id) = made.again(number);
    let files = image.put_back();
    let scribble = || cases.scribbles(number).iter().for_each(|scribble| scribble.write(&files));
    if when == When::BeforeOpen {
        scribble();
    }
    let used = (scene.open)(probe, &made.room, id);
    let guards = Guards::new();
    if when == When::InUse {
        scribble();
    }
    if let Some(mut used) = used {
        used.use_it(probe, number);
        probe.must("close", || drop(used));
    }
    drop(guards);
    if number.is_multiple_of(8) {
        look_around(probe);
        // Who comes then finds what the first made of it.
        if let Some(mut again) = (scene.open)(probe, &made.room, id) {
            again.use_it(probe, number);
            probe.must("close", || drop(again));
        }
        probe.step("gc", || madang::gc().map(|_| ()));
    }
    made.room.clear();
    if number.is_multiple_of(64) {
        leaks(probe);
    }
}

/// Descriptors and mappings that nobody closed.
fn leaks(probe: &Probe) {
    let (descriptors, space) = (open_descriptors(), address_space() >> 20);
    if descriptors > MOST_DESCRIPTORS || space > 400 {
        probe.fault(&format!("Wrong\tit has {descriptors} descriptors open, and {space} MiB mapped"));
    }
}
