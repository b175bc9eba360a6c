//! A process is stopped (SIGSTOP) at random instants of its work, again and again: can another do what it wants meanwhile,
//! or is it held up until the stopped one goes on?
//!
//! ```text
//!   victim     works ── stopped ─────────────────────┬── continued, works ──
//!   bystander           tries one operation ── done: not held up
//!                       tries one operation ─────────┴── done: held up, and no longer than that
//! ```
//!
//! To be held up is no fault, it is what docs/guarantees.md says; not to be done soon after the other goes on is. A victim
//! does nothing else than its operation, over and over: in a program that has other work too, one is as many times less
//! likely to be stopped inside.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use madang::shared::sysv::{msg, shm};
use madang::{
    Batch, Condition, Deadline, Event, Mutex, Operation, Queue, Result, RwLock, Segment, Select, SemaphoreSet,
};
use madang_tests::{Child, Name, Random, WATCHDOG, fork, slices};

use crate::part::{Family, Fault, Harm, Outcome, Part, Sweep};

/// Within so long after the victim was continued, who was held up is done, unless others have the processors.
const SOON: Duration = Duration::from_millis(50);
/// And at last.
const AT_LAST: Duration = Duration::from_secs(1);
/// Between a victim's being continued and being stopped again.
const MOST_WORK_US: u64 = 300;

/// What both have.
struct Scene {
    queue: Queue,
    set: SemaphoreSet,
    mutex: Mutex,
    lock: RwLock,
    event: Event,
    condition: Condition,
    /// System V's.
    segment: i32,
    key: i32,
    names: [Name; 2],
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = shm::remove(self.segment);
        let left = msg::msgget(self.key, 0).and_then(msg::remove);
        // Mostly there is none.
        drop(left);
    }
}

impl Scene {
    fn new() -> Result<Self> {
        let names = [Name::new("stop"), Name::new("stop-other")];
        let segment = Segment::options().length(8192).open(&names[0])?;
        Ok(Self {
            queue: Queue::options().capacity(4 << 20).open(&names[0])?,
            set: SemaphoreSet::options().values(&[5, 5]).open(&names[0])?,
            mutex: Mutex::within(&segment, 0)?,
            lock: RwLock::within(&segment, 1024)?,
            event: Event::within(&segment, 4096)?,
            condition: Condition::within(&segment, 6144)?,
            segment: shm::shmget(libc::IPC_PRIVATE, 4096, 0o600)?,
            key: 0x7073_0000 | (std::process::id() & 0xffff) as i32,
            names,
        })
    }
}

/// An operation of one's own.
type Act = fn(&Scene) -> Result<()>;
/// One that has a name in the table.
type Wish = (&'static str, Act);

/// What the victim does, and what others want to do to the same object meanwhile.
const ROWS: &[(&str, Act, &[Wish])] = &[
    ("sends, receives", small, &[SEND, RECEIVE, STAT, OPEN]),
    ("sends, receives 100 KB", large, &[SEND, RECEIVE]),
    ("sends, receives batches", batches, &[SEND, RECEIVE]),
    ("receives by type", typed, &[SEND, RECEIVE]),
    ("reserves, commits, leases", by_view, &[SEND, RECEIVE]),
    ("opens, closes", OPEN.1, &[SEND, RECEIVE, STAT, OPEN]),
    ("makes, unlinks", make, &[("open, unlink", make)]),
    ("changes a semaphore", |on| operate(on, false), ON_A_SET),
    ("changes one with undo", |on| operate(on, true), ON_A_SET),
    ("locks a mutex", lock, &[("lock", lock), ("open", reopen)]),
    ("reads under a lock", read, &[("read", read), ("write", write)]),
    ("writes under a lock", write, &[("read", read), ("write", write)]),
    ("sets, clears, notifies", tell, &[("set, clear, notify", tell)]),
    ("msgget, remove", by_key, &[("msgget, remove", by_key)]),
    ("shmat, shmdt", attach, &[("shmat, shmdt", attach), ("stat", |on| shm::stat(on.segment).map(drop))]),
];

const SEND: Wish = ("send", |on| unless_full(on.queue.try_send(9, &[9; 64])));
const RECEIVE: Wish = ("receive", |on| unless_full(on.queue.try_recv(Select::Any).map(drop)));
const STAT: Wish = ("stat", |on| on.queue.stat().map(drop));
const OPEN: Wish = ("open, close", |on| Queue::open(&on.names[0]).map(drop));

const ON_A_SET: &[Wish] = &[
    ("operate", |on| operate(on, false)),
    ("look", |on| on.set.values().map(drop)),
    ("open, close", |on| SemaphoreSet::open(&on.names[0]).map(drop)),
];

/// That there is no room, or no message, is an answer.
fn unless_full(done: Result<()>) -> Result<()> {
    done.or_else(|error| if error.errno() == libc::EAGAIN { Ok(()) } else { Err(error) })
}

fn small(on: &Scene) -> Result<()> {
    unless_full(on.queue.try_send(1, &[1; 64]))?;
    unless_full(on.queue.try_recv(Select::Any).map(drop))
}

fn large(on: &Scene) -> Result<()> {
    unless_full(on.queue.try_send(1, &[1; 100_000]))?;
    unless_full(on.queue.try_recv(Select::Any).map(drop))
}

fn batches(on: &Scene) -> Result<()> {
    let messages = vec![(1, [1; 200]); 100];
    unless_full(on.queue.try_send_many(&slices(&messages)).map(drop))?;
    let mut batch = Batch::new(100, 30_000);
    unless_full(on.queue.recv_many_until(Select::Any, &mut batch, Deadline::NOW).map(drop))
}

fn typed(on: &Scene) -> Result<()> {
    for mtype in 1..=4 {
        unless_full(on.queue.try_send(mtype, &[1; 64]))?;
    }
    for select in [Select::Type(4), Select::UpTo(3), Select::Except(1), Select::Any] {
        unless_full(on.queue.try_recv(select).map(drop))?;
    }
    Ok(())
}

fn by_view(on: &Scene) -> Result<()> {
    unless_full(on.queue.reserve_until(1000, Deadline::NOW).and_then(|room| room.commit_until(1, Deadline::NOW)))?;
    unless_full(on.queue.try_lease(Select::Any).and_then(madang::Lease::ack))
}

fn make(on: &Scene) -> Result<()> {
    drop(Queue::open(&on.names[1])?);
    Queue::unlink(&on.names[1]).or_else(|error| if error.errno() == libc::ENOENT { Ok(()) } else { Err(error) })
}

fn operate(on: &Scene, undo: bool) -> Result<()> {
    let operation = |operation: Operation| if undo { operation.undo() } else { operation };
    on.set.operate_until(&[operation(Operation::acquire(0, 1)), operation(Operation::release(1, 1))], Deadline::NOW)?;
    on.set.operate_until(&[operation(Operation::release(0, 1)), operation(Operation::acquire(1, 1))], Deadline::NOW)
}

fn lock(on: &Scene) -> Result<()> {
    on.mutex.lock_timeout(WATCHDOG).map(drop)
}

fn reopen(on: &Scene) -> Result<()> {
    let segment = Segment::options().open(&on.names[0])?;
    Mutex::within(&segment, 0).map(drop)
}

fn read(on: &Scene) -> Result<()> {
    on.lock.read_timeout(WATCHDOG).map(drop)
}

fn write(on: &Scene) -> Result<()> {
    on.lock.write_timeout(WATCHDOG).map(drop)
}

fn tell(on: &Scene) -> Result<()> {
    on.event.set()?;
    on.event.clear();
    on.condition.notify_all()
}

fn by_key(on: &Scene) -> Result<()> {
    let removed = msg::msgget(on.key, libc::IPC_CREAT | 0o600).and_then(msg::remove);
    // The other was quicker.
    removed.or_else(|error| if matches!(error.errno(), libc::EINVAL | libc::EIDRM) { Ok(()) } else { Err(error) })
}

fn attach(on: &Scene) -> Result<()> {
    shm::shmdt(shm::shmat(on.segment, 0, 0)?)
}

pub(crate) fn family() -> Family {
    let parts = ROWS.iter().flat_map(|&(what, work, wants)| {
        wants.iter().map(move |&(want, act)| Part::new(format!("{what}: {want}"), move |sweep| run(sweep, work, act)))
    });
    Family {
        name: "stop",
        title: "A process stopped at random instants, and what another wants: how often that waits until the one goes on",
        columns: &["stops", "held up", "done within 50 ms after it"],
        alone: true,
        parts: parts.collect(),
    }
}

/// Stops who does `work`, and does `act` meanwhile.
fn run(sweep: &Sweep, work: Act, act: Act) -> Outcome {
    let (stops, stopped_for) =
        if sweep.full { (1000, Duration::from_millis(100)) } else { (50, Duration::from_millis(30)) };
    let mut found = Found::default();
    let scene = match Scene::new() {
        Ok(scene) => scene,
        Err(error) => {
            found.fault(Harm::Wrong, format!("nothing could be made: {error}"));
            return found.outcome();
        }
    };
    let victim = fork(|| {
        loop {
            if let Err(error) = work(&scene) {
                return error.errno();
            }
        }
    });
    thread::scope(|scope| {
        let (ask, asked) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        let scene = &scene;
        scope.spawn(move || while asked.recv().is_ok() && tell.send(act(scene)).is_ok() {});
        let mut random = Random(sweep.seed);
        let mut victim = Some(victim);
        for stop in 0..stops {
            let Some(child) = &victim else { break };
            if !stop_at(child, random.below(MOST_WORK_US)) {
                found.fault(Harm::Wrong, format!("stop {stop}, seed {}: the victim ended", sweep.seed));
                break;
            }
            found.stops += 1;
            ask.send(()).expect("the bystander works");
            let in_time = told.recv_timeout(stopped_for);
            child.signal(libc::SIGCONT);
            let continued = Instant::now();
            let done = in_time.or_else(|_| {
                found.held_up += 1;
                let done = told.recv_timeout(WATCHDOG);
                found.soon += u64::from(continued.elapsed() < SOON);
                done
            });
            match done {
                Ok(Ok(())) if continued.elapsed() < AT_LAST => {}
                Ok(Ok(())) => found.fault(Harm::Stuck, format!("stop {stop}, seed {}: slow after it", sweep.seed)),
                Ok(Err(error)) => found.fault(Harm::Wrong, format!("stop {stop}, seed {}: {error}", sweep.seed)),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    found.fault(Harm::Stuck, format!("stop {stop}, seed {}: it never ends", sweep.seed));
                    // Dead it holds up nobody.
                    victim = None;
                }
            }
        }
    });
    found.outcome()
}

/// Stops it when it has worked for so long; `false` if it doesn't live any more.
fn stop_at(victim: &Child, after_us: u64) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_micros(after_us) {
        std::hint::spin_loop();
    }
    victim.signal(libc::SIGSTOP);
    loop {
        match victim.state() {
            'T' => return true,
            'Z' => return false,
            _ => thread::yield_now(),
        }
    }
}

/// What was seen.
#[derive(Default)]
struct Found {
    stops: u64,
    held_up: u64,
    soon: u64,
    faults: Vec<Fault>,
}

impl Found {
    fn fault(&mut self, harm: Harm, what: String) {
        self.faults.push(Fault { harm, what });
    }

    fn outcome(self) -> Outcome {
        Outcome { counts: vec![self.stops, self.held_up, self.soon], faults: self.faults }
    }
}
