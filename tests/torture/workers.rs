//! Several parts at once, each in a process of its own, with a shared memory of its own.
//!
//! A worker tells the [`Ledger`] what came of its part, and ends. One that ended and told nothing has a fault.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use madang_tests::{Child, fork};

use crate::ledger::Ledger;
use crate::part::{Family, Fault, Harm, Outcome, Part, Sweep};

/// How many to a core: most of them wait now and then.
const PER_CORE: usize = 2;

struct Job<'a> {
    number: usize,
    family: &'a Family,
    part: &'a Part,
}

struct Worker<'a> {
    job: Job<'a>,
    child: Child,
    /// Free for another when it is done.
    place: usize,
    begun: Instant,
}

/// Does all parts that the ledger doesn't know yet, and prints what was found, then and now.
pub(crate) fn work_through(families: &[Family], sweep: &Sweep, ledger: &mut Ledger) {
    let parts = families.iter().flat_map(|family| family.parts.iter().map(move |part| (family, part)));
    let jobs: Vec<_> = (1..).zip(parts).map(|(number, (family, part))| Job { number, family, part }).collect();
    let (count, cores) = (jobs.len(), std::thread::available_parallelism().map_or(1, usize::from));
    let mut waiting = VecDeque::new();
    for job in jobs {
        match ledger.find(job.family.name, &job.part.name) {
            Some(outcome) => told(&job, &outcome, " (before)"),
            None => waiting.push_back(job),
        }
    }
    let mut places: Vec<_> = (0..cores * PER_CORE).rev().collect();
    let mut workers: Vec<Worker> = Vec::new();
    loop {
        while let Some(next) = waiting.front()
            && !workers.iter().any(|worker| worker.job.family.alone || next.family.alone)
            && let Some(place) = places.pop()
        {
            let job = waiting.pop_front().expect("it is there");
            let sweep = Sweep { worker: place, ..*sweep };
            let child = fork(|| works(&job, &sweep, ledger));
            workers.push(Worker { job, child, place, begun: Instant::now() });
        }
        let Some(done) = workers.iter().position(|worker| worker.child.state() == 'Z') else {
            if workers.is_empty() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
            continue;
        };
        let Worker { job, child, place, begun } = workers.swap_remove(done);
        places.push(place);
        let status = child.end();
        if was_interrupted(status) {
            // So is this program, or will be: the part is done next time.
            std::process::exit(1);
        }
        ledger.read();
        let outcome = ledger.find(job.family.name, &job.part.name).unwrap_or_else(|| {
            let what = format!("its worker ended by itself: wait status {status:#x}");
            let counts = vec![0; job.family.columns.len()];
            let outcome = Outcome { counts, faults: vec![Fault { harm: Harm::Wrong, what }] };
            ledger.add(job.family.name, &job.part.name, &outcome);
            ledger.read();
            outcome
        });
        let (number, Family { name, .. }, seconds) = (job.number, job.family, begun.elapsed().as_secs_f64());
        let counts = job.family.told(&outcome);
        eprintln!("[{number:3}/{count}] {name:8} {:44} {seconds:6.1} s  {counts}", job.part.name);
        told(&job, &outcome, "");
    }
}

/// Whether somebody wants it to end, who most likely wants that of all.
fn was_interrupted(status: i32) -> bool {
    libc::WIFSIGNALED(status) && [libc::SIGINT, libc::SIGTERM, libc::SIGHUP].contains(&libc::WTERMSIG(status))
}

fn works(job: &Job, sweep: &Sweep, ledger: &Ledger) -> i32 {
    have_shared_memory_alone();
    let outcome = (job.part.run)(sweep);
    ledger.add(job.family.name, &job.part.name, &outcome);
    0
}

fn told(job: &Job, outcome: &Outcome, when: &str) {
    for fault in &outcome.faults {
        println!("{:?}{when}: {}/{}: {}", fault.harm, job.family.name, job.part.name, fault.what);
    }
}

/// From here on `/dev/shm` is this process's alone, if it may have that: what is left over goes with it, however it ends.
fn have_shared_memory_alone() {
    let (root, shm, tmpfs, none) = (c"/".as_ptr(), c"/dev/shm".as_ptr(), c"tmpfs".as_ptr(), std::ptr::null());
    // SAFETY: all strings end with NUL, and this process has one thread.
    unsafe {
        if libc::unshare(libc::CLONE_NEWNS) == 0
            && libc::mount(none, root, none, libc::MS_REC | libc::MS_PRIVATE, none.cast()) == 0
        {
            libc::mount(tmpfs, shm, tmpfs, libc::MS_NOSUID | libc::MS_NODEV, c"mode=1777".as_ptr().cast());
        }
    }
}
