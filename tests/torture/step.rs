//! Killed at every instruction.
//!
//! A tracer leads a victim through one operation, instruction by instruction, both on one core. Wherever memory, names or modes
//! differ from what they were before the instruction, they are copied: that is what a death there would have left. Somebody who
//! comes to the copy, and to whom the victim is dead, looks at it and uses it.
//!
//! Then victims are really killed, by SIGKILL, behind the n-th instruction, under the eyes of a living one who had the object
//! open before (of names: who comes then): for every n of a short operation with `--full`, for a sample of them in CI.
//!
//! | what | where |
//! |---|---|
//! | stepping | [`tracer`] |
//! | what a death leaves | [`place`] |
//! | what is stepped through, and who looks | [`operation`], and a file for each kind of object |

mod asleep;
mod names;
mod operation;
mod place;
mod queue;
mod segment;
mod semaphores;
mod sync;
mod sysv;
mod tracer;

use std::collections::HashMap;

use madang_tests::{Random, fork};

use self::operation::{Operation, Peer, verdict_on};
use self::place::{Place, Watch};
use self::tracer::{Stop, Victim};
use crate::part::{Family, Fault, Harm, Outcome, Part, Sweep};

/// The most instructions of an operation that is killed behind each of them.
const SHORT: u64 = 1500;
/// How many kills are enough for the others, and for CI.
const SAMPLE: u64 = 200;
const SMALL_SAMPLE: u64 = 8;
/// What has more instructions than this is killed less often; for CI three times, and once when it has returned.
const LONG: u64 = 10_000;
const LONG_SAMPLE: u64 = 60;
/// An operation that isn't done after so many has no end.
const ENDLESS: u64 = 20_000_000;

pub(crate) fn family() -> Family {
    let operations = [
        queue::operations(),
        segment::operations(),
        semaphores::operations(),
        sync::operations(),
        sysv::operations(),
        asleep::operations(),
    ];
    let part = |operation: Operation| {
        let is_extra = operation.is_extra;
        Part { is_extra, ..Part::new(operation.name.clone(), move |sweep| tortured(&operation, sweep)) }
    };
    Family {
        name: "step",
        title: "Killed at every instruction",
        columns: &["instructions", "states", "kills"],
        alone: false,
        parts: operations.into_iter().flatten().map(part).collect(),
    }
}

fn tortured(operation: &Operation, sweep: &Sweep) -> Outcome {
    on_one_core(sweep.worker);
    let mut found = Found { faults: Vec::new() };
    let (instructions, states) = stepped(operation, &mut found);
    let kills = kill_points(watched_length(operation), sweep);
    for &point in &kills {
        if !found.goes_on() {
            break;
        }
        killed(operation, point, &mut found);
    }
    Outcome { counts: vec![instructions, states, kills.len() as u64], faults: found.faults }
}

struct Found {
    faults: Vec<Fault>,
}

impl Found {
    fn add(&mut self, harm: Harm, what: String) {
        self.faults.push(Fault { harm, what });
    }

    /// What is wrong everywhere need not be seen a thousand times.
    fn goes_on(&self) -> bool {
        self.faults.len() < 20
    }
}

/// Every state that a death can leave, checked in a copy; returns how many instructions and states there were.
fn stepped(operation: &Operation, found: &mut Found) -> (u64, u64) {
    let place = prepared(operation);
    let mut victim = match victim_at(&place, operation) {
        Ok(victim) => Some(victim),
        Err(what) => {
            found.add(Harm::Wrong, what);
            return (0, 0);
        }
    };
    let mut watch = Watch::new(&place);
    let mut judged = HashMap::new();
    let (mut instructions, mut stage) = (0, 0);
    judge(operation, &watch, 0, &mut judged, &mut stage, found);
    if stage != 0 {
        found.add(Harm::Wrong, format!("it is at stage {stage} before it has begun"));
    }
    while let Some(standing) = &victim
        && found.goes_on()
    {
        let is_call = standing.calls_the_kernel();
        match standing.step() {
            Stop::Behind => instructions += 1,
            Stop::Done => victim = None,
            Stop::Ended(status) => {
                found.add(
                    Harm::Wrong,
                    format!("the victim ended by itself behind instruction {instructions}: {status:#x}"),
                );
                victim = None;
            }
        }
        if watch.look(is_call) {
            judge(operation, &watch, instructions, &mut judged, &mut stage, found);
        }
        if instructions > ENDLESS {
            found.add(Harm::Stuck, format!("the operation isn't done after {ENDLESS} instructions"));
            break;
        }
    }
    if found.faults.is_empty() && stage != operation.last_stage {
        found.add(Harm::Lost, format!("it returned, and left stage {stage} of {}", operation.last_stage));
    }
    (instructions, judged.len() as u64)
}

/// What a death here leaves. (What was there before is as it was then, but it may not come back.)
fn judge(
    operation: &Operation,
    watch: &Watch,
    instructions: u64,
    judged: &mut HashMap<u64, usize>,
    stage: &mut usize,
    found: &mut Found,
) {
    let hash = watch.state().hash();
    let verdict = match judged.get(&hash) {
        Some(&known) => Ok(known),
        None => {
            let copy = Place::new();
            copy.lay(watch.state());
            verdict_on(&copy, operation)
        }
    };
    match verdict {
        Ok(now) => {
            judged.insert(hash, now);
            if now < *stage {
                let what = format!("behind instruction {instructions} it was at stage {stage}, and now at {now}");
                found.add(Harm::Lost, what);
            }
            *stage = now;
        }
        Err(Fault { harm, what }) => {
            judged.insert(hash, *stage);
            found.add(harm, format!("dead behind instruction {instructions}: {what}"));
        }
    }
}

/// How many instructions it has if somebody looks on: that may be more.
fn watched_length(operation: &Operation) -> u64 {
    let place = prepared(operation);
    let Ok(victim) = victim_at(&place, operation) else { return 0 };
    let _peer = Peer::new(&place, operation);
    (0..ENDLESS).take_while(|_| victim.step() == Stop::Behind).count() as u64
}

/// A victim that is really killed, behind its n-th instruction.
fn killed(operation: &Operation, point: u64, found: &mut Found) {
    let place = prepared(operation);
    let victim = match victim_at(&place, operation) {
        Ok(victim) => victim,
        Err(what) => return found.add(Harm::Wrong, what),
    };
    let peer = Peer::new(&place, operation);
    let stop = victim.steps(point);
    victim.kill();
    match peer.verdict() {
        _ if matches!(stop, Stop::Ended(_)) => {
            found.add(Harm::Wrong, format!("before it had done {point} instructions, it ended by itself: {stop:?}"));
        }
        Ok(stage) if stop == Stop::Done && stage != operation.last_stage => {
            found.add(
                Harm::Lost,
                format!("it returned, was killed, and left stage {stage} of {}", operation.last_stage),
            );
        }
        Ok(_) => {}
        Err(Fault { harm, what }) => found.add(harm, format!("killed behind instruction {point}: {what}")),
    }
}

fn prepared(operation: &Operation) -> Place {
    let place = Place::new();
    let work = || {
        place.becomes_ours();
        (operation.setup)();
        0
    };
    fork(work).succeeds();
    place
}

fn victim_at(place: &Place, operation: &Operation) -> Result<Victim, String> {
    Victim::new(|| {
        place.becomes_ours();
        (operation.victim)()
    })
}

/// Behind which instructions victims are killed.
fn kill_points(instructions: u64, sweep: &Sweep) -> Vec<u64> {
    if let Ok(one) = std::env::var(crate::CASE) {
        return vec![one.parse().expect("behind how many instructions")];
    }
    let sample = match sweep.full {
        true if instructions > LONG => LONG_SAMPLE,
        true => SAMPLE,
        false if instructions > LONG => 3,
        false => SMALL_SAMPLE,
    };
    if instructions <= sample || sweep.full && instructions <= SHORT {
        return (0..=instructions + 1).collect();
    }
    let mut random = Random(sweep.seed);
    let piece = |number| (number * instructions / sample, (number + 1) * instructions / sample);
    let within = (0..sample).map(piece).map(|(from, to)| from + random.below(to - from));
    // And one who has returned.
    within.chain([instructions + 1000]).collect()
}

/// Tracer, victim and those who look take turns anyway. Workers share the cores evenly.
fn on_one_core(worker: usize) {
    // SAFETY: sets of its own, of the size that is told.
    unsafe {
        let size = size_of::<libc::cpu_set_t>();
        let (mut allowed, mut one): (libc::cpu_set_t, libc::cpu_set_t) = std::mem::zeroed();
        libc::sched_getaffinity(0, size, &mut allowed);
        let mut cores = (0..libc::CPU_SETSIZE as usize).filter(|&core| libc::CPU_ISSET(core, &allowed)).cycle();
        libc::CPU_SET(cores.nth(worker).expect("it runs on some core"), &mut one);
        libc::sched_setaffinity(0, size, &one);
    }
}
