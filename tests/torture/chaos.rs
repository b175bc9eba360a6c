//! Minutes of many processes in three languages, which send and receive by type, while others are killed, stopped, continued,
//! forked and restarted at random; a book outside of madang proves that nothing was lost, doubled or stuck.
//!
//! | module | what it is |
//! |---|---|
//! | [`book`] | what the actors write down, and all others read |
//! | [`harm`] | who starts, kills, stops and continues them |
//! | [`actor`] | what an actor is; `actor.c`, `actor.py` are its like |
//! | [`queue`], [`semaphores`], [`locks`], [`sysv`] | the turns at them, and the accounts of it |
//!
//! The seed gives the harm and each actor's choices; what comes of them is the machine's timing.

mod actor;
mod book;
mod harm;
mod locks;
mod queue;
mod semaphores;
mod sysv;

#[path = "../support/c_library.rs"]
mod c_library;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use madang::{Queue, Segment, SemaphoreSet};
use madang_tests::{Name, python};

use crate::part::{Family, Fault, Harm, Outcome, Part, Sweep};
use book::Book;
use harm::{CAST, Harmed, Language, Play, Role, World};
use locks::LockTurns;
use queue::{ALONE, BATCHES, LARGE, LEASES, MOST_SYSV, QueueTurns, RESERVATIONS, Taken};
use semaphores::SemaphoreTurns;
use sysv::{Made, MessageTurns};

/// Places at a queue: few, so that each is soon taken again after its owner was killed.
const PARTICIPANTS: u32 = 48;
/// How old an actor may become, in seconds.
const LIFETIME: u32 = 240;

pub(crate) fn family() -> Family {
    let queues = [
        ("plain", 0, 64 << 10, CAST),
        ("one sends, one receives", 0, 64 << 10, 2),
        ("exclusive ends", ALONE | BATCHES | LEASES, 64 << 10, 2),
        ("small capacity", 0, 1500, CAST),
        ("batches", BATCHES, 64 << 10, CAST),
        ("leases and reservations", LEASES | RESERVATIONS, 64 << 10, CAST),
        ("large messages", LARGE, 256 << 10, CAST),
        ("everything", BATCHES | LEASES | RESERVATIONS | LARGE, 128 << 10, CAST),
    ];
    let queues = queues.map(|(name, mix, capacity, cast)| {
        Part::new(format!("queue: {name}"), move |sweep| {
            outcome(sweep, |seed, time| at_queue(mix, capacity, cast, (seed, time)))
        })
    });
    let others = [
        Part::new("semaphores with undo", |sweep| outcome(sweep, at_semaphores)),
        Part::new("System V: messages", |sweep| outcome(sweep, at_messages_of_sysv)),
        Part::new("System V: semaphores with undo", |sweep| outcome(sweep, at_semaphores_of_sysv)),
        Part::new("mutex, condition, rwlock", |sweep| outcome(sweep, at_locks)),
    ];
    Family {
        name: "chaos",
        title: "Chaos: processes in three languages, killed and stopped at random",
        columns: &["seconds", "lives", "kills", "inside a lock", "stops", "operations", "messages or rounds"],
        alone: true,
        parts: queues.into_iter().chain(others).collect(),
    }
}

/// What one kind of chaos comes to, in a minute or some seconds. (Another seed makes another.)
fn outcome(sweep: &Sweep, chaos: impl Fn(u64, Duration) -> (Harmed, u64)) -> Outcome {
    // What there is to build, or is missing.
    let _ = (c_actor(), python());
    let begun = Instant::now();
    let (harmed, messages) = chaos(sweep.seed, Duration::from_secs(if sweep.full { 60 } else { 6 }));
    let Harmed { lives, kills, inside, stops, operations, longest, faults } = harmed;
    let [tries, waits] = longest.map(|longest| longest.as_millis());
    eprintln!("    the longest try took {tries} ms, the longest wait {waits} ms more than its timeout");
    Outcome { counts: vec![begun.elapsed().as_secs(), lives, kills, inside, stops, operations, messages], faults }
}

/// What an actor, or a look, has found: its first word is the harm.
fn fault(what: &str) -> Fault {
    let harm = match what.split(':').next() {
        Some("lost") => Harm::Lost,
        Some("doubled") => Harm::Doubled,
        Some("stuck") => Harm::Stuck,
        _ => Harm::Wrong,
    };
    Fault { harm, what: what.to_owned() }
}

fn source(file: &str) -> PathBuf {
    c_library::top().join("tests/torture/chaos").join(file)
}

fn c_actor() -> &'static Path {
    static ACTOR: OnceLock<PathBuf> = OnceLock::new();
    ACTOR.get_or_init(|| c_library::compile(&source("actor.c"), "chaos-actor", &["-O2"]))
}

/// The actor in C or Python, for a world: of this kind, with this name and mix.
fn command(language: Language, role: Role, book: &Book, world: &str, name: &str, mix: u64) -> Command {
    let mut command = Command::new(if language == Language::Python { python() } else { c_actor() });
    if language == Language::Python {
        command.arg("-P").arg(source("actor.py"));
    }
    let Role { life, seed, gives, fork_at } = role;
    let numbers = [life as u64, seed, gives, fork_at, mix, LIFETIME.into()];
    command.arg(book.path()).args([world, name]).args(numbers.map(|number| number.to_string()));
    command
}

fn at_queue(mix: u64, capacity: u64, cast: usize, run: (u64, Duration)) -> (Harmed, u64) {
    let (book, name, fresh) = (Book::new(), Name::new("chaos-queue"), Name::new("chaos-fresh"));
    let options = Queue::options().capacity(capacity).max_participants(PARTICIPANTS);
    let open = |name: &str| options.open(name).expect("a queue");
    let commands = |language, role| command(language, role, &book, "queue", &name, mix);
    let rust = |role: Role| actor::live(&book, role, QueueTurns::new(&name, mix, capacity, role.gives));
    let queue = open(&name);
    let (mut harmed, messages) = play_at_queue(&book, &queue, cast, &commands, &rust, run);
    queue::has_all_its_room(&queue, &open(&fresh), &mut harmed.faults);
    (harmed, messages)
}

fn at_messages_of_sysv(seed: u64, time: Duration) -> (Harmed, u64) {
    let (book, made, fresh) = (Book::new(), Made::queue(), Made::queue());
    let [queue, fresh] = [&made, &fresh].map(|made| Queue::open(&made.name()).expect("a queue of System V"));
    let commands = |language, role| command(language, role, &book, "messages", &made.id.to_string(), LARGE);
    let native = |sends| QueueTurns::new(&made.name(), BATCHES | LEASES | RESERVATIONS, MOST_SYSV, sends);
    let rust = |role: Role| match role.life % 2 {
        0 => actor::live(&book, role, MessageTurns { id: made.id, sends: role.gives }),
        _ => actor::live(&book, role, native(role.gives)),
    };
    let (mut harmed, messages) = play_at_queue(&book, &queue, CAST, &commands, &rust, (seed, time));
    queue::has_all_its_room(&queue, &fresh, &mut harmed.faults);
    (harmed, messages)
}

fn play_at_queue(
    book: &Book,
    queue: &Queue,
    cast: usize,
    command: &dyn Fn(Language, Role) -> Command,
    rust: &dyn Fn(Role),
    (seed, time): (u64, Duration),
) -> (Harmed, u64) {
    let taken = RefCell::new(Taken::default());
    let look = || queue::look(queue);
    let killed = |life| taken.borrow_mut().add(book, life);
    let mut harmed = Play::new(World { book, cast, command, rust, look: &look, killed: &killed }, seed).run(time);
    queue::drain(queue, book, &mut harmed.faults);
    let (sent, repairs) = queue.stat().map_or((None, 0), |status| (Some(status.sent), status.repairs));
    harmed.inside = repairs;
    let messages = queue::account(book, sent, &taken.borrow(), &mut harmed.faults);
    (harmed, messages)
}

fn at_semaphores(seed: u64, time: Duration) -> (Harmed, u64) {
    let (book, name) = (Book::new(), Name::new("chaos-set"));
    let set = SemaphoreSet::options().values(&semaphores::VALUES).open(&name).expect("a set");
    let commands = |language, role| command(language, role, &book, "semaphores", &name, 0);
    let rust = |role| actor::live(&book, role, SemaphoreTurns::new(&name));
    play_at_set(&book, &set, &commands, &rust, (seed, time))
}

fn at_semaphores_of_sysv(seed: u64, time: Duration) -> (Harmed, u64) {
    let (book, made) = (Book::new(), Made::set());
    let set = SemaphoreSet::open(&made.name()).expect("a set of System V");
    let commands = |language, role| command(language, role, &book, "sysv-semaphores", &made.id.to_string(), 0);
    let rust = |role: Role| match role.life % 2 {
        0 => actor::live(&book, role, SemaphoreTurns::of_sysv(made.id)),
        _ => actor::live(&book, role, SemaphoreTurns::new(&made.name())),
    };
    play_at_set(&book, &set, &commands, &rust, (seed, time))
}

fn play_at_set(
    book: &Book,
    set: &SemaphoreSet,
    command: &dyn Fn(Language, Role) -> Command,
    rust: &dyn Fn(Role),
    (seed, time): (u64, Duration),
) -> (Harmed, u64) {
    let look = || semaphores::look(set);
    let mut harmed = Play::new(World { book, cast: CAST, command, rust, look: &look, killed: &|_| () }, seed).run(time);
    harmed.inside += set.stat().map_or(0, |status| status.repairs);
    let rounds = semaphores::account(set, book, &mut harmed.faults);
    (harmed, rounds)
}

fn at_locks(seed: u64, time: Duration) -> (Harmed, u64) {
    let (book, name) = (Book::new(), Name::new("chaos-locks"));
    let segment = Segment::options().length(locks::LENGTH).open(&name).expect("a segment");
    let world = World {
        book: &book,
        cast: CAST,
        command: &|language, role| command(language, role, &book, "locks", &name, 0),
        rust: &|role| actor::live(&book, role, LockTurns::new(&name, role.gives)),
        look: &|| Ok(()),
        killed: &|_| (),
    };
    let mut harmed = Play::new(world, seed).run(time);
    let rounds = locks::account(&segment, &book, &mut harmed.faults);
    (harmed, rounds)
}
