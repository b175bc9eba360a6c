//! Runs a few participants in every order; see the head of the folder's `mod.rs`.
//!
//! **One order.** Each participant is a coroutine, which the trap suspends before each of its accesses. Whoever the explorer
//! resumes does one access and all that it does with what it found, up to its next access. So an order is a list of choices: who
//! goes on, who dies, whose sleep ends by time.
//!
//! **All orders**, depth first: the next one repeats the choices of the last up to the deepest at which another is left. What was
//! stored is undone in between, so that all of them begin with the same memory at the same addresses.
//!
//! **States.** What a participant will do follows from what it has read so far, and what it can read from what is in memory.
//! Where both are as they were in an earlier order, by whatever way, all that may follow was tried there, and the order ends.
//! (Both are compared by a hash of 64 bits: of a million states, two are mistaken for each other once in ten million runs.) Who
//! has ended, or died, will do nothing more, so of him only counts what he [told](Player::tells).
//!
//! **Sleep** ends by a wake. By time only if nobody could go on otherwise (then his who sleeps longest), or as often as the
//! limits say: so what needs it shows.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

use super::super::super::cell::U32;
use super::super::super::cell::trap::{Access, Kind, observed_by};
use super::super::super::host::{Host, Participant};
use crate::sys::Errno;

/// A participant's stack: what product and tests use of it in debug builds, and some.
const STACK: usize = 256 << 10;
/// More choices than any order takes that ends.
const MOST_CHOICES: usize = 5000;
/// As many as take minutes, and as many as take a few hundred MiB: then the exploration stops, and says so.
const MOST_ORDERS: u64 = 2_000_000;
const MOST_STATES: usize = 8_000_000;
/// An address of no word: who asks whether another lives reads that.
const NOWHERE: Access = Access { kind: Kind::Load, at: std::ptr::null(), bytes: 0 };

/// What may happen in an order.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limits {
    /// How many die, and how many of the participants, the first ones, can.
    pub(super) deaths: u32,
    pub(super) mortals: usize,
    /// How many sleeps end by time though others could go on.
    pub(super) early: u32,
    /// How often at most somebody is stopped who could go on, for another; `None` is any number.
    pub(super) preemptions: Option<u32>,
    /// Whether locks are kept.
    pub(super) keeps: bool,
}

/// What was tried.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Report {
    pub(super) orders: u64,
    pub(super) states: usize,
    pub(super) deaths: u64,
    /// Whether it stopped before all was tried.
    pub(super) stopped: bool,
}

/// How one order ended.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    /// By number, who died.
    pub(super) dead: Vec<bool>,
    /// How many sleeps ended by time because nobody could go on.
    pub(super) needed_time: u32,
}

impl Ended {
    pub(super) fn has_deaths(&self) -> bool {
        self.dead.contains(&true)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Run(usize),
    Die(usize),
    TimeOut(usize),
}

/// How an order goes on.
enum Next {
    Take(Choice),
    Ended,
    /// All that may follow was tried before.
    WasTried,
}

/// A point at which there was a choice.
struct Point {
    options: Vec<Choice>,
    taken: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    /// Before that access.
    Ready,
    Asleep {
        word: usize,
        bits: u32,
    },
    Ended,
    Dead,
}

struct State {
    status: Status,
    /// A hash of all that it has read.
    history: u64,
    /// A hash of all that it [told](Player::tells).
    told: u64,
    /// What it is about to do.
    next: Access,
    slept: Result<(), Errno>,
}

/// Four bytes of memory that some access touched.
struct Word {
    initial: u32,
    now: u32,
}

/// What all participants of an order share.
#[derive(Default)]
struct Shared {
    players: Vec<State>,
    memory: BTreeMap<usize, Word>,
    /// Of all words that aren't as they were initially.
    memory_hash: u64,
    /// In the order in which they fell asleep, in which a futex wakes.
    asleep: Vec<usize>,
    dead: Vec<Participant>,
    early: u32,
    preemptions: u32,
    needed_time: u32,
    /// Who was the last to run.
    last: usize,
    /// For people, if it goes wrong.
    story: Vec<(Choice, Access)>,
}

/// All orders of one thing.
pub(super) struct Orders {
    limits: Limits,
    shared: RefCell<Shared>,
    path: RefCell<Vec<Point>>,
    depth: Cell<usize>,
    seen: RefCell<HashSet<u64>>,
    stacks: RefCell<Vec<DefaultStack>>,
    /// Whose coroutine runs; `None` before and after them.
    current: Cell<Option<(usize, *const Yielder<(), ()>)>>,
    /// How often somebody slept in this order who came before or after all others.
    late_sleeps: Cell<usize>,
    report: Cell<Report>,
}

fn mix(hash: u64, value: u64) -> u64 {
    // (Not all-zero where both are: nothing read is another state than one zero read.)
    let z = (hash.rotate_left(23) ^ value).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (z ^ z >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93)
}

/// Which words of four bytes it touches.
fn words(access: Access) -> impl Iterator<Item = usize> {
    let begin = access.at as usize & !3;
    let end = if access.bytes == 0 { begin } else { access.at as usize + access.bytes };
    (begin..end).step_by(4)
}

fn read(word: usize) -> u32 {
    // SAFETY: an access was about to touch these four bytes, or some of them; they lie in memory that outlives the exploration
    // (`explore`'s condition), and no other thread knows it.
    unsafe { std::ptr::with_exposed_provenance::<u32>(word).read_volatile() }
}

/// Runs `once` for each order; it makes ready, lets the participants [run](Orders::run), and checks.
///
/// All memory that cells and copies touch in it lies in `thing`, or outlives this call otherwise: it is restored after each
/// order.
pub(super) fn explore<T>(limits: Limits, thing: &T, mut once: impl FnMut(&Orders, &T)) -> Report {
    let orders = Orders {
        limits,
        shared: RefCell::default(),
        path: RefCell::default(),
        depth: Cell::new(0),
        seen: RefCell::default(),
        stacks: RefCell::default(),
        current: Cell::new(None),
        late_sleeps: Cell::new(0),
        report: Cell::default(),
    };
    loop {
        let tried = observed_by(&|access| orders.is_about_to(access), || {
            catch_unwind(AssertUnwindSafe(|| once(&orders, thing)))
        });
        if let Err(panic) = tried {
            eprintln!("{}", orders.story());
            resume_unwind(panic);
        }
        orders.restore();
        let (report, states) = (orders.report.get(), orders.seen.borrow().len());
        let goes_on = orders.goes_on();
        let stopped = goes_on && (report.orders >= MOST_ORDERS || states >= MOST_STATES);
        if !goes_on || stopped {
            return Report { states, stopped, ..report };
        }
    }
}

impl Orders {
    /// Lets all of `work` run in one order, each as a participant of its own; `None` if how it goes on was tried before.
    pub(super) fn run(&self, work: &[&dyn Fn(Player)]) -> Option<Ended> {
        let mut coroutines: Vec<_> =
            work.iter().enumerate().map(|(number, work)| self.coroutine(number, work)).collect();
        self.begin(&mut coroutines);
        let ended = loop {
            match self.choose() {
                Next::Take(choice) => self.take(choice, &mut coroutines),
                Next::Ended => break true,
                Next::WasTried => break false,
            }
        };
        for coroutine in coroutines {
            self.bury(coroutine);
        }
        let shared = self.shared.borrow();
        let dead: Vec<bool> = shared.players.iter().map(|player| player.status == Status::Dead).collect();
        let mut report = self.report.get();
        report.orders += 1;
        report.deaths += dead.iter().filter(|&&is_dead| is_dead).count() as u64;
        self.report.set(report);
        ended.then(|| Ended { dead, needed_time: shared.needed_time })
    }

    /// Somebody who does something before or after all others; nobody comes in between.
    pub(super) fn player(&self, number: usize) -> Player<'_> {
        Player { orders: self, number, me: Participant::new(number as u32, 1), roster: None }
    }

    fn coroutine<'a>(&'a self, number: usize, work: &'a dyn Fn(Player)) -> Coroutine<(), (), ()> {
        let stack = self.stacks.borrow_mut().pop();
        let stack = stack.unwrap_or_else(|| DefaultStack::new(STACK).expect("a stack"));
        let body = move |yielder: &Yielder<(), ()>, ()| {
            self.current.set(Some((number, yielder)));
            work(self.player(number));
        };
        // SAFETY: `run` ends with it, so what it borrows is there.
        unsafe { Coroutine::with_stack_unchecked(stack, body) }
    }

    /// All come to their first access, before which nothing can be seen of them.
    fn begin(&self, coroutines: &mut [Coroutine<(), (), ()>]) {
        {
            let mut shared = self.shared.borrow_mut();
            shared.players = coroutines
                .iter()
                .map(|_| State { status: Status::Ready, history: 0, told: 0, next: NOWHERE, slept: Ok(()) })
                .collect();
            // What was stored to make ready.
            let words: Vec<_> = shared.memory.keys().copied().collect();
            words.into_iter().for_each(|word| shared.note(word));
        }
        for (number, coroutine) in coroutines.iter_mut().enumerate() {
            self.resume(number, coroutine);
        }
    }

    /// Resumes it, until it is about to do something.
    fn resume(&self, number: usize, coroutine: &mut Coroutine<(), (), ()>) {
        let access = self.shared.borrow().players[number].next;
        let ended = match coroutine.resume(()) {
            CoroutineResult::Yield(()) => false,
            CoroutineResult::Return(()) => true,
        };
        self.current.set(None);
        let mut shared = self.shared.borrow_mut();
        if access.kind != Kind::Load {
            words(access).for_each(|word| shared.note(word));
        }
        if ended {
            shared.players[number].status = Status::Ended;
        }
    }

    /// Called by the trap: lets others do something before this access.
    fn is_about_to(&self, access: Access) {
        if std::thread::panicking() {
            // It failed: what it does now nobody will see.
            return;
        }
        {
            let mut shared = self.shared.borrow_mut();
            for word in words(access) {
                shared.memory.entry(word).or_insert_with(|| {
                    let initial = read(word);
                    Word { initial, now: initial }
                });
            }
        }
        let Some((number, yielder)) = self.current.get() else { return };
        self.shared.borrow_mut().players[number].next = access;
        self.pause(number, yielder);
        let mut shared = self.shared.borrow_mut();
        let player = &mut shared.players[number];
        if access.kind != Kind::Store {
            player.history = words(access).fold(player.history, |hash, word| mix(hash, read(word).into()));
        }
        // So many accesses, if nothing was read.
        player.history = mix(player.history, access.kind as u64);
    }

    fn pause(&self, number: usize, yielder: *const Yielder<(), ()>) {
        // SAFETY: it is the running coroutine's, on whose stack we are.
        unsafe { (*yielder).suspend(()) };
        self.current.set(Some((number, yielder)));
    }

    /// What may happen next.
    fn options(&self) -> Vec<Choice> {
        let shared = self.shared.borrow();
        let status = |number: usize| shared.players[number].status;
        let numbers = 0..shared.players.len();
        let ready: Vec<_> = numbers.clone().filter(|&number| status(number) == Status::Ready).collect();
        let mut options = Vec::new();
        // Who ran last first: the fewer changes, the easier to read.
        if ready.contains(&shared.last) {
            options.push(Choice::Run(shared.last));
        }
        if options.is_empty() || self.limits.preemptions.is_none_or(|most| shared.preemptions < most) {
            options.extend(ready.iter().copied().filter(|&number| number != shared.last).map(Choice::Run));
        }
        if shared.early < self.limits.early {
            options.extend(shared.asleep.iter().copied().map(Choice::TimeOut));
        } else if ready.is_empty() {
            // No time goes by for one alone: who sleeps longest.
            options.extend(shared.asleep.first().copied().map(Choice::TimeOut));
        }
        if (shared.dead.len() as u32) < self.limits.deaths {
            let living = |&number: &usize| !matches!(status(number), Status::Ended | Status::Dead);
            options.extend(numbers.take(self.limits.mortals).filter(living).map(Choice::Die));
        }
        options
    }

    /// The choice of this order at this point.
    fn choose(&self) -> Next {
        let depth = self.depth.get();
        assert!(depth < MOST_CHOICES, "this has no end");
        let mut path = self.path.borrow_mut();
        if depth == path.len() {
            let options = self.options();
            if options.is_empty() {
                return Next::Ended;
            }
            if !self.seen.borrow_mut().insert(self.shared.borrow().hash(self.limits)) {
                return Next::WasTried;
            }
            path.push(Point { options, taken: 0 });
        }
        self.depth.set(depth + 1);
        Next::Take(path[depth].options[path[depth].taken])
    }

    fn take(&self, choice: Choice, coroutines: &mut [Coroutine<(), (), ()>]) {
        let mut shared = self.shared.borrow_mut();
        let (Choice::Run(number) | Choice::Die(number) | Choice::TimeOut(number)) = choice;
        let next = shared.players[number].next;
        shared.story.push((choice, next));
        let could_go_on = |player: &State| player.status == Status::Ready;
        match choice {
            Choice::Run(_) => {
                let last = &shared.players[shared.last];
                if number != shared.last && could_go_on(last) {
                    shared.preemptions += 1;
                }
                shared.last = number;
            }
            Choice::TimeOut(_) => {
                if shared.players.iter().any(could_go_on) {
                    shared.early += 1;
                } else {
                    shared.needed_time += 1;
                }
                shared.wake(number, Err(Errno(libc::ETIMEDOUT)));
                return;
            }
            Choice::Die(_) => {
                shared.asleep.retain(|&asleep| asleep != number);
                shared.players[number].status = Status::Dead;
                shared.dead.push(self.player(number).me);
                return;
            }
        }
        drop(shared);
        self.resume(number, &mut coroutines[number]);
    }

    /// Ends it as a kill does, in which nothing is unwound, and keeps its stack for the next.
    fn bury(&self, mut coroutine: Coroutine<(), (), ()>) {
        // SAFETY: what is on its stack need not be dropped: nothing else knows of it. (A buffer is lost to the heap.)
        unsafe { coroutine.force_reset() };
        self.stacks.borrow_mut().push(coroutine.into_stack());
    }

    /// Everything is as before the order.
    fn restore(&self) {
        let mut shared = self.shared.borrow_mut();
        for (&address, word) in &shared.memory {
            // SAFETY: as in `read`.
            unsafe { std::ptr::with_exposed_provenance_mut::<u32>(address).write_volatile(word.initial) };
        }
        *shared = Shared::default();
        self.depth.set(0);
        self.late_sleeps.set(0);
    }

    /// Goes back to the deepest point at which something is left to try.
    fn goes_on(&self) -> bool {
        let mut path = self.path.borrow_mut();
        while let Some(point) = path.last_mut() {
            point.taken += 1;
            if point.taken < point.options.len() {
                return true;
            }
            path.pop();
        }
        false
    }

    /// What happened in this order.
    fn story(&self) -> String {
        let shared = self.shared.borrow();
        let first = shared.memory.keys().next().copied().unwrap_or_default();
        let mut story = String::from("the order that fails:\n");
        for (choice, access) in &shared.story {
            let _ = match choice {
                Choice::Run(number) if access.bytes == 0 => writeln!(story, "  {number} asks who lives"),
                Choice::Run(number) => {
                    writeln!(
                        story,
                        "  {number} {:?} of {} bytes at {}",
                        access.kind,
                        access.bytes,
                        access.at as usize - first
                    )
                }
                other => writeln!(story, "  {other:?}"),
            };
        }
        story
    }
}

impl Shared {
    /// An access to that word is done.
    fn note(&mut self, word: usize) {
        let Some(known) = self.memory.get_mut(&word) else { return };
        let part = |known: &Word| if known.now == known.initial { 0 } else { mix(word as u64, known.now.into()) };
        self.memory_hash ^= part(known);
        known.now = read(word);
        self.memory_hash ^= part(known);
    }

    fn wake(&mut self, number: usize, slept: Result<(), Errno>) {
        self.asleep.retain(|&asleep| asleep != number);
        let player = &mut self.players[number];
        player.status = Status::Ready;
        player.next = NOWHERE;
        player.slept = slept;
    }

    fn hash(&self, limits: Limits) -> u64 {
        let mut hash = mix(self.memory_hash, (u64::from(self.early) << 32) + self.dead.len() as u64);
        for player in &self.players {
            let status = match player.status {
                Status::Ready if player.slept.is_err() => 1,
                Status::Ready => 2,
                Status::Asleep { .. } => 3,
                Status::Ended => 4,
                Status::Dead => 5,
            };
            let history = if status < 4 { player.history } else { 0 };
            hash = mix(mix(mix(hash, status), history), player.told);
        }
        hash = self.asleep.iter().fold(hash, |hash, &number| mix(hash, number as u64));
        if limits.preemptions.is_some() {
            hash = mix(mix(hash, self.preemptions.into()), self.last as u64);
        }
        hash
    }
}

/// Says who lives.
pub(super) type Lives<'a> = dyn Fn(&Player<'_>, Participant) -> bool + 'a;

/// A participant.
#[derive(Clone, Copy)]
pub(super) struct Player<'a> {
    orders: &'a Orders,
    number: usize,
    me: Participant,
    /// Who lives, if it isn't simply who isn't dead.
    roster: Option<&'a Lives<'a>>,
}

impl<'a> Player<'a> {
    /// The same process as that participant.
    pub(super) fn becomes(self, me: Participant) -> Self {
        Self { me, ..self }
    }

    /// The same, who asks there who lives.
    pub(super) fn asks<'b>(self, roster: &'b Lives<'b>) -> Player<'b>
    where
        'a: 'b,
    {
        Player { roster: Some(roster), ..self }
    }

    /// Who has its slot next.
    pub(super) fn heir(&self) -> Participant {
        Participant::new(self.me.slot(), self.me.generation() + 1)
    }

    /// Which of those who run it is.
    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// Notes what a check will want to know of it, besides what is in memory.
    pub(super) fn tells(&self, what: u64) {
        let player = &mut self.orders.shared.borrow_mut().players[self.number];
        player.told = mix(player.told, what);
    }

    /// Whether the process with that number is alive.
    pub(super) fn is_alive(&self, number: usize) -> bool {
        self.orders.is_about_to(NOWHERE);
        let mut shared = self.orders.shared.borrow_mut();
        let is_dead = shared.players.get(number).is_some_and(|player| player.status == Status::Dead);
        shared.note_read(self, is_dead.into());
        !is_dead
    }
}

impl Shared {
    /// Somebody has found that.
    fn note_read(&mut self, player: &Player<'_>, found: u64) {
        if let Some(player) = self.players.get_mut(player.number) {
            player.history = mix(player.history, found);
        }
    }
}

impl Host for Player<'_> {
    fn me(&self) -> Participant {
        self.me
    }

    fn lives(&self, who: Participant) -> bool {
        if let Some(roster) = self.roster {
            return roster(self, who);
        }
        self.orders.is_about_to(NOWHERE);
        let mut shared = self.orders.shared.borrow_mut();
        let lives = !shared.dead.contains(&who);
        shared.note_read(self, lives.into());
        lives
    }

    fn sleep(&self, word: &U32, expected: u32, _: Duration, bits: u32) -> Result<(), Errno> {
        if word.get() != expected {
            return Err(Errno(libc::EAGAIN));
        }
        let Some((number, yielder)) = self.orders.current.get() else {
            // Nobody else is there who could wake him.
            self.orders.late_sleeps.set(self.orders.late_sleeps.get() + 1);
            assert!(
                self.orders.late_sleeps.get() < MOST_CHOICES,
                "this has no end: he waits, and nobody else is there"
            );
            return Err(Errno(libc::ETIMEDOUT));
        };
        {
            let mut shared = self.orders.shared.borrow_mut();
            let word = std::ptr::from_ref(word) as usize;
            shared.players[number].status = Status::Asleep { word, bits };
            shared.asleep.push(number);
        }
        self.orders.pause(number, yielder);
        let mut shared = self.orders.shared.borrow_mut();
        let slept = std::mem::replace(&mut shared.players[number].slept, Ok(()));
        shared.note_read(self, slept.is_ok().into());
        slept
    }

    fn wake(&self, word: &U32, count: u32, bits: u32) -> u32 {
        let _ = word.get();
        let address = std::ptr::from_ref(word) as usize;
        let mut shared = self.orders.shared.borrow_mut();
        let is_meant = |&number: &usize| {
            let status = shared.players[number].status;
            matches!(status, Status::Asleep { word, bits: his } if word == address && his & bits != 0)
        };
        let woken: Vec<_> = shared.asleep.iter().copied().filter(is_meant).take(count as usize).collect();
        for &number in &woken {
            shared.wake(number, Ok(()));
        }
        shared.note_read(self, woken.len() as u64);
        woken.len() as u32
    }

    fn ring_watchers(&self) {}

    fn spins(&self) -> bool {
        false
    }

    fn pass(&self) {}

    fn barrier(&self) {}

    fn may_be_reached(&self) -> bool {
        true
    }

    fn may_keep(&self) -> bool {
        self.orders.limits.keeps
    }

    fn is_keepers_thread(&self) -> bool {
        true
    }
}
