//! The one who does harm: he keeps a cast of actors, kills, stops and continues them at random, and watches that each gets on.
//!
//! He is the subreaper of all, so that also the children that actors have forked are buried here, when their parents are gone.

use std::collections::HashSet;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use madang_tests::{Random, WATCHDOG, state};

use super::actor::Told;
use super::book::{BORN, Book, ENDED, FAULT, LIVES, Leaf, Word};
use super::fault;
use crate::part::{Fault, Harm};

/// At the longest somebody is stopped so long.
const STOPPED: Duration = Duration::from_millis(300);
/// So many lives are there at once as a rule, and besides them the children that they fork.
pub(super) const CAST: usize = 9;
/// A part that finds so much has shown enough.
const MOST_FAULTS: usize = 12;
/// What a call may take beyond its timeout: one who is stopped is waited for, a second at most, and the machine is busy.
const LATE: Duration = Duration::from_secs(4);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    C,
    Python,
    Rust,
}

/// Who an actor is, and what it is to choose.
#[derive(Clone, Copy, Debug)]
pub(super) struct Role {
    pub(super) life: usize,
    pub(super) seed: u64,
    /// Of 8 turns it gives (sends) at so many.
    pub(super) gives: u64,
    /// At this turn it forks.
    pub(super) fork_at: u64,
}

/// How the actors of a world are started, and what is looked at meanwhile.
pub(super) struct World<'a> {
    pub(super) book: &'a Book,
    /// So many lives are there at once; if two, one gives and the other takes.
    pub(super) cast: usize,
    /// In C or Python.
    pub(super) command: &'a dyn Fn(Language, Role) -> Command,
    /// In Rust, in a fork.
    pub(super) rust: &'a dyn Fn(Role),
    pub(super) look: &'a dyn Fn() -> Told<()>,
    /// Who has been killed.
    pub(super) killed: &'a dyn Fn(usize),
}

#[derive(Clone, Copy, Debug)]
struct Actor {
    life: usize,
    language: Language,
    pid: i32,
    /// One that it has forked has been met.
    has_child: bool,
    gives: u64,
    /// Until when.
    stopped: Option<Instant>,
    /// How much it had done when it was last seen to get on.
    seen: (u64, Instant),
}

/// What happened.
#[derive(Debug, Default)]
pub(super) struct Harmed {
    pub(super) lives: u64,
    pub(super) kills: u64,
    /// So often somebody came to where one had been killed inside.
    pub(super) inside: u64,
    pub(super) stops: u64,
    pub(super) operations: u64,
    /// What a try, and a call that waits, took at most beyond its timeout, of those who were not stopped meanwhile.
    pub(super) longest: [Duration; 2],
    pub(super) faults: Vec<Fault>,
}

pub(super) struct Play<'a> {
    world: World<'a>,
    seed: u64,
    random: Random,
    actors: Vec<Actor>,
    /// Who ended a moment ago: a child of theirs may not have come to light yet.
    ended: Vec<(Actor, Instant)>,
    buried: HashSet<i32>,
    /// The last one.
    life: usize,
    harmed: Harmed,
}

impl<'a> Play<'a> {
    pub(super) fn new(world: World<'a>, seed: u64) -> Self {
        let (actors, ended, buried) = (vec![], vec![], HashSet::new());
        Self { world, seed, random: Random(seed), actors, ended, buried, life: 0, harmed: Harmed::default() }
    }

    /// For so long; then all end.
    pub(super) fn run(mut self, duration: Duration) -> Harmed {
        become_subreaper(true);
        let begun = Instant::now();
        let (most, cast) = (LIVES / 2 - CAST, self.world.cast);
        while begun.elapsed() < duration && self.harmed.faults.len() < MOST_FAULTS && self.life < most {
            self.keep();
            while self.adults().count() < cast {
                self.begin();
            }
            self.harm();
            // Only he lets those go on who are stopped, perhaps inside a lock: so he doesn't wait for one himself.
            let nobody_is_stopped = self.actors.iter().all(|actor| actor.stopped.is_none());
            if self.random.below(32) == 0
                && nobody_is_stopped
                && let Err(what) = (self.world.look)()
            {
                self.harmed.faults.push(fault(&what));
            }
            let most = 1 << (8 + self.random.below(16));
            std::thread::sleep(Duration::from_nanos(self.random.below(most)));
        }
        self.end();
        become_subreaper(false);
        self.harmed
    }

    /// Who has ended is buried, who was stopped goes on, and each is seen to get on.
    fn keep(&mut self) {
        bury(&mut self.buried);
        self.continue_until(Instant::now());
        self.meet_children();
        let actors = std::mem::take(&mut self.actors);
        for mut actor in actors {
            if self.has_ended(&actor) {
                self.close(actor);
            } else {
                self.watch(&mut actor);
                self.actors.push(actor);
            }
        }
    }

    /// Those that nobody forked.
    fn adults(&self) -> impl Iterator<Item = &Actor> {
        self.actors.iter().filter(|actor| actor.life < LIVES / 2)
    }

    fn leaf(&self, life: usize) -> Leaf<'a> {
        self.world.book.leaf(life)
    }

    /// A new life, whose choices are its own: whenever it begins.
    fn begin(&mut self) {
        let life = self.world.book.next_life();
        self.life = life;
        let mut random = Random(self.seed << 32 ^ life as u64);
        let fork_at = 1 + random.below(40_000 / self.world.cast as u64);
        let gives = match self.world.cast {
            2 if self.adults().any(|other| other.gives > 0) => 0,
            2 => 8,
            _ => [0, 4, 8][random.below(3) as usize],
        };
        let role = Role { life, seed: self.seed, gives, fork_at };
        // (To start a Python takes a while.)
        let language = match random.below(16) {
            0..9 => Language::Rust,
            9..15 => Language::C,
            _ => Language::Python,
        };
        let pid = match language {
            Language::Rust => self.fork(role),
            _ => start((self.world.command)(language, role)),
        };
        self.enter(life, language, pid, gives);
    }

    fn fork(&self, role: Role) -> i32 {
        let child = madang_tests::fork(|| {
            (self.world.rust)(role);
            0
        });
        let pid = child.id();
        // It is buried with all others.
        std::mem::forget(child);
        pid
    }

    fn enter(&mut self, life: usize, language: Language, pid: i32, gives: u64) {
        self.harmed.lives += 1;
        self.buried.remove(&pid);
        let seen = (0, Instant::now());
        let has_child = life > LIVES / 2;
        self.actors.push(Actor { life, language, pid, has_child, gives, stopped: None, seen });
    }

    /// The children that actors have forked say themselves who they are.
    fn meet_children(&mut self) {
        self.ended.retain(|(_, since)| since.elapsed() < WATCHDOG);
        let parents = self.actors.iter_mut().chain(self.ended.iter_mut().map(|(actor, _)| actor));
        let mut children = Vec::new();
        for parent in parents.filter(|parent| !parent.has_child) {
            let child = parent.life + LIVES / 2;
            let pid = self.world.book.leaf(child).get(Word::Pid) as i32;
            parent.has_child = pid != 0;
            children.extend(parent.has_child.then_some((child, parent.language, pid, parent.gives)));
        }
        children.into_iter().for_each(|(child, language, pid, gives)| self.enter(child, language, pid, gives));
    }

    fn has_ended(&self, actor: &Actor) -> bool {
        // SAFETY: no memory is passed.
        self.buried.contains(&actor.pid) || unsafe { libc::kill(actor.pid, 0) } != 0
    }

    /// It has ended: as it should?
    fn close(&mut self, actor: Actor) {
        let Actor { life, language, pid, .. } = actor;
        let leaf = self.leaf(life);
        let was_killed = leaf.get(Word::Killed) != 0;
        match leaf.get(Word::State) {
            FAULT => {
                let what = leaf.failure();
                self.harmed.faults.push(fault(&format!("{what} ({language:?}, life {life}, seed {})", self.seed)));
            }
            ENDED => {}
            _ if was_killed => {}
            state => {
                let what = format!("wrong: {language:?}, life {life}, process {pid}, ended in state {state}");
                self.harmed.faults.push(fault(&what));
            }
        }
        if was_killed {
            (self.world.killed)(life);
        }
        self.world.book.empty_hand(life);
        self.harmed.operations += leaf.get(Word::Operations);
        self.harmed.inside += leaf.get(Word::Found);
        let longest = [Word::LongestTry, Word::LongestWait].map(|word| Duration::from_nanos(leaf.get(word)));
        self.harmed.longest = std::array::from_fn(|kind| self.harmed.longest[kind].max(longest[kind]));
        if longest.iter().any(|&longest| longest > LATE) {
            let what = format!("{language:?}, life {life}: a call took {longest:?} more than its timeout");
            self.harmed.faults.push(Fault { harm: Harm::Stuck, what });
        }
        self.ended.push((actor, Instant::now()));
    }

    fn watch(&mut self, actor: &mut Actor) {
        let (seen, since) = actor.seen;
        let done = self.leaf(actor.life).get(Word::Operations);
        if done != seen || actor.stopped.is_some() {
            actor.seen = (done, Instant::now());
        } else if since.elapsed() > WATCHDOG {
            self.stuck(actor, &format!("doesn't get on for {WATCHDOG:?}"));
            actor.seen.1 = Instant::now();
            self.kill(actor);
        }
    }

    fn stuck(&mut self, actor: &Actor, what: &str) {
        let Actor { life, language, pid, .. } = *actor;
        let wait = std::fs::read_to_string(format!("/proc/{pid}/wchan")).unwrap_or_default();
        let begun = self.leaf(life).get(Word::State) == BORN;
        let state = state(pid);
        let what =
            format!("{language:?}, life {life} (acts: {begun}, state {state}, {wait}) {what}; seed {}", self.seed);
        self.harmed.faults.push(Fault { harm: Harm::Stuck, what });
    }

    fn harm(&mut self) {
        // Two are to come to work in between.
        let most = if self.world.cast == 2 { 256 } else { 32 };
        match self.random.below(most) {
            0..16 => self.with_victim(Self::kill),
            16 => (0..3).for_each(|_| self.with_victim(Self::kill)),
            17..21 => self.with_victim(Self::stop),
            _ => {}
        }
    }

    /// Mostly one who is in the midst of something; seldom a Python, which takes long to be there again.
    fn with_victim(&mut self, harm: fn(&mut Self, &mut Actor)) {
        // (Always as many draws: the next harm is the same, whatever this one meets.)
        let [at, spares, unborn] = [0; 3].map(|_| self.random.draw());
        let at = (at % self.actors.len() as u64) as usize;
        let mut actor = self.actors[at];
        let leaf = self.leaf(actor.life);
        let acts = leaf.get(Word::State) == BORN || unborn % 16 == 0;
        let is_busy = actor.language != Language::Python && state(actor.pid) == 'R';
        if acts && leaf.get(Word::Killed) == 0 && (is_busy || spares % 4 == 0) {
            harm(self, &mut actor);
            self.actors[at] = actor;
        }
    }

    fn kill(&mut self, actor: &mut Actor) {
        self.leaf(actor.life).add(Word::Killed, 1);
        self.harmed.kills += 1;
        signal(actor.pid, libc::SIGKILL);
    }

    fn stop(&mut self, actor: &mut Actor) {
        self.leaf(actor.life).add(Word::Stops, 1);
        self.harmed.stops += 1;
        signal(actor.pid, libc::SIGSTOP);
        // (Drawn by its life, too.)
        let ns = Random(self.seed ^ actor.life as u64).below(STOPPED.as_nanos() as u64);
        actor.stopped = Some(Instant::now() + Duration::from_nanos(ns));
    }

    /// Those who were to be stopped until `now`.
    fn continue_until(&mut self, now: Instant) {
        for actor in &mut self.actors {
            if actor.stopped.is_some_and(|until| until <= now) {
                actor.stopped = None;
                signal(actor.pid, libc::SIGCONT);
            }
        }
    }

    /// All are to end, and do.
    fn end(&mut self) {
        self.world.book.stop().store(1, Ordering::Release);
        self.continue_until(Instant::now() + STOPPED);
        let begun = Instant::now();
        loop {
            let is_last = bury(&mut self.buried);
            self.keep();
            if is_last && self.actors.is_empty() {
                break;
            }
            if begun.elapsed() > 2 * WATCHDOG {
                self.kill_the_stuck();
            }
            if begun.elapsed() > 3 * WATCHDOG {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn kill_the_stuck(&mut self) {
        for mut actor in self.actors.clone() {
            if self.leaf(actor.life).get(Word::Killed) == 0 {
                self.stuck(&actor, "doesn't end");
                self.kill(&mut actor);
            }
        }
    }
}

fn signal(pid: i32, signal: i32) {
    // SAFETY: no memory is passed. It may have ended already.
    unsafe { libc::kill(pid, signal) };
}

fn start(mut command: Command) -> i32 {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    // SAFETY: the call is async-signal-safe and takes no memory.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
    command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")).id().cast_signed()
}

/// Whoever of ours has ended; says whether nobody is left.
fn bury(buried: &mut HashSet<i32>) -> bool {
    loop {
        // SAFETY: no status is asked for.
        match unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) } {
            0 => return false,
            -1 => return true,
            pid => buried.insert(pid),
        };
    }
}

fn become_subreaper(yes: bool) {
    // SAFETY: no memory is passed.
    unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, libc::c_ulong::from(yes), 0, 0, 0) };
}
