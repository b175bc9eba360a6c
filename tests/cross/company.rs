//! The company: actors of all languages, and how a test talks to them.
//!
//! No actor outlives its test: it is killed when its [`Actor`] goes, when the test's process dies, and in any case by the
//! alarm that it is born with. And no answer is waited for longer than [`PATIENCE`].

use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use madang_tests::{HOW_TO_GET_IT, python};

#[path = "../support/c_library.rs"]
pub(crate) mod c_library;

/// Nothing that an actor does takes so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// How old an actor may become, in seconds.
const LIFETIME: u32 = 300;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    C,
    Python,
    Rust,
}

pub(crate) const LANGUAGES: [Language; 3] = [Language::C, Language::Python, Language::Rust];

impl Language {
    fn program(self) -> Command {
        match self {
            Self::C => Command::new(c_actor()),
            Self::Python => {
                let mut python = Command::new(python());
                python.arg(c_library::top().join("tests/cross/actor.py"));
                python
            }
            Self::Rust => Command::new(env!("CARGO_BIN_EXE_cross-actor")),
        }
    }
}

fn c_actor() -> &'static PathBuf {
    static ACTOR: OnceLock<PathBuf> = OnceLock::new();
    ACTOR.get_or_init(|| c_library::compile(&c_library::top().join("tests/cross/actor.c"), "actor", &[]))
}

/// A process that speaks one of the languages.
#[derive(Debug)]
pub(crate) struct Actor {
    pub(crate) language: Language,
    process: Child,
    lines: Receiver<String>,
}

impl Actor {
    pub(crate) fn start(language: Language) -> Self {
        Self::start_with(language, &[])
    }

    /// With these variables in its environment besides.
    pub(crate) fn start_with(language: Language, variables: &[(&str, &str)]) -> Self {
        let actor = Self::spawn(language, variables);
        actor.greets();
        actor
    }

    /// One of each language; they start at the same time.
    pub(crate) fn one_of_each() -> [Self; 3] {
        let actors = LANGUAGES.map(|language| Self::spawn(language, &[]));
        actors.iter().for_each(Self::greets);
        actors
    }

    /// Waits for its first line: it is ready, and of the version that is tested.
    fn greets(&self) {
        let (version, ours) = (self.answer().0, concat!("version=", env!("CARGO_PKG_VERSION")));
        assert_eq!(version, ours, "{:?} is of another version; for Python, {HOW_TO_GET_IT}", self.language);
    }

    fn spawn(language: Language, variables: &[(&str, &str)]) -> Self {
        let mut program = language.program();
        program.envs(variables.iter().copied()).stdin(Stdio::piped()).stdout(Stdio::piped());
        // SAFETY: the two calls are async-signal-safe and take no memory. What they set survives the exec.
        unsafe {
            program.pre_exec(|| {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                libc::alarm(LIFETIME);
                Ok(())
            });
        }
        let mut process = program.spawn().unwrap_or_else(|error| panic!("{program:?}: {error}"));
        let lines = lines(process.stdout.take().expect("a pipe"));
        Self { language, process, lines }
    }

    /// Writes a command.
    pub(crate) fn tell(&self, command: &str) {
        let mut stdin = self.process.stdin.as_ref().expect("a pipe");
        // Should it be dead, the missing answer says so.
        let _ = stdin.write_all(format!("{command}\n").as_bytes());
    }

    /// Writes a command, and waits until the actor has read it.
    pub(crate) fn begin(&self, command: &str) {
        self.tell(command);
        self.has_begun();
    }

    /// Waits until the actor has read the command.
    pub(crate) fn has_begun(&self) {
        assert_eq!(self.line(), "begun");
    }

    /// Waits for what came of the command.
    pub(crate) fn outcome(&self) -> Result<Answer, Refusal> {
        let line = self.line();
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("ok", rest) => Ok(Answer(rest.to_owned())),
            ("error", rest) => Err(Refusal::parse(rest)),
            _ => panic!("{:?} said {line:?}", self.language),
        }
    }

    /// Waits for the answer to a command that succeeds.
    pub(crate) fn answer(&self) -> Answer {
        self.outcome().unwrap_or_else(|refusal| panic!("{:?} failed: {refusal:?}", self.language))
    }

    /// A command that succeeds.
    pub(crate) fn ask(&self, command: impl AsRef<str>) -> Answer {
        let command = command.as_ref();
        self.begin(command);
        self.outcome().unwrap_or_else(|refusal| panic!("{:?}: {command}: {refusal:?}", self.language))
    }

    /// A command that fails.
    pub(crate) fn fails(&self, command: impl AsRef<str>) -> Refusal {
        let command = command.as_ref();
        self.begin(command);
        match self.outcome() {
            Err(refusal) => refusal,
            Ok(answer) => panic!("{:?}: {command}: this should have failed: {answer:?}", self.language),
        }
    }

    /// Its process.
    pub(crate) fn id(&self) -> u64 {
        self.process.id().into()
    }

    /// Waits until it sleeps, which is in madang once it has begun.
    pub(crate) fn wait_until_asleep(&self) {
        let pid = self.process.id();
        wait_until("it sleeps", || madang_tests::state(pid.cast_signed()) == 'S');
    }

    /// Kills it with SIGKILL, and buries it.
    pub(crate) fn kill(self) {
        // Dropping does it.
    }

    fn line(&self) -> String {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => panic!("{:?} didn't answer in {PATIENCE:?}", self.language),
            Err(RecvTimeoutError::Disconnected) => {
                panic!("{:?} has ended; what it had to say of that stands on standard error", self.language)
            }
        }
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What comes out of a pipe; a thread reads it, so that waiting for a line can have an end.
fn lines(pipe: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || BufReader::new(pipe).lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    receiver
}

/// What an actor tells when it has succeeded: `key=value` pairs.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Answer(String);

impl Answer {
    /// One of the values.
    pub(crate) fn number(&self, key: &str) -> u64 {
        let value = self.0.split(' ').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('=')).unwrap_or("");
        value.parse().unwrap_or_else(|_| panic!("there is no number {key} in {self:?}"))
    }

    /// What `collect` tells.
    pub(crate) fn messages(&self) -> Vec<Collected> {
        self.0.split_whitespace().map(Collected::parse).collect()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// A message that somebody collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Collected {
    pub(crate) sequence: u64,
    pub(crate) mtype: u64,
    pub(crate) sender: u64,
    pub(crate) index: u64,
    pub(crate) length: u64,
}

impl Collected {
    fn parse(text: &str) -> Self {
        let mut numbers = text.split(':').map(|number| number.parse().expect("five numbers"));
        let [sequence, mtype, sender, index, length] = std::array::from_fn(|_| numbers.next().expect("five numbers"));
        Self { sequence, mtype, sender, index, length }
    }
}

/// What an actor tells when it has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) errno: i32,
    /// What a buffer must have.
    pub(crate) length: u64,
    pub(crate) sentence: String,
}

impl Refusal {
    fn parse(text: &str) -> Self {
        let mut words = text.splitn(3, ' ');
        let mut value = |key| words.next().and_then(|word| word.strip_prefix(key)).expect("errno and length");
        let errno = value("errno=").parse().expect("a number");
        let length = value("length=").parse().expect("a number");
        Self { errno, length, sentence: words.next().unwrap_or("").to_owned() }
    }
}

/// Plays a scenario for each writer and each reader.
pub(crate) fn pairs(scenario: impl Fn(&Actor, &Actor)) {
    let (writers, readers) = (Actor::one_of_each(), Actor::one_of_each());
    for writer in &writers {
        for reader in &readers {
            println!("{:?} → {:?}", writer.language, reader.language);
            scenario(writer, reader);
        }
    }
}

/// All do the same, one after the other, and succeed.
pub(crate) fn all<'a>(actors: impl IntoIterator<Item = &'a Actor>, command: impl AsRef<str>) {
    actors.into_iter().for_each(|actor| drop(actor.ask(&command)));
}

/// Looks until it is so.
pub(crate) fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "after {PATIENCE:?} it is not so: {what}");
        thread::sleep(Duration::from_micros(200));
    }
}
