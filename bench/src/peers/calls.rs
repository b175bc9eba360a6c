//! What `c/calls.c` measures: System V's calls and pipes from C, bare, through madang's wrappers, and the very same program with the
//! drop-in preloaded.

use std::cell::Cell as Slot;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::rc::Rc;

use super::{Peer, is_small_queue_cell};
use crate::clock::nanoseconds;
use crate::harness::{Cell, Many, Pair, Scenario, Task, Worker, conduct, dismiss, kept, unsupported};

/// The program, what may be preloaded, and a directory for the objects of both, in which nobody else's are listed.
pub(crate) struct Programs {
    pub(crate) calls: PathBuf,
    pub(crate) drop_in: PathBuf,
    directory: PathBuf,
    made: Slot<bool>,
}

impl Programs {
    pub(crate) fn new(calls: PathBuf, drop_in: PathBuf) -> Rc<Self> {
        let directory = PathBuf::from(format!("/dev/shm/madang-bench-{}", std::process::id()));
        Rc::new(Self { calls, drop_in, directory, made: Slot::new(false) })
    }

    fn command(&self, preloads: bool) -> io::Result<Command> {
        for file in [Some(&self.calls), preloads.then_some(&self.drop_in)].into_iter().flatten() {
            if !file.exists() {
                return Err(unsupported(format!("{} is not there: `make bench` builds it", file.display())));
            }
        }
        if !self.made.replace(true) {
            fs::create_dir(&self.directory)?;
        }
        let mut command = Command::new(&self.calls);
        command.env("MADANG_DIR", &self.directory);
        if preloads {
            command.env("LD_PRELOAD", fs::canonicalize(&self.drop_in)?);
        }
        Ok(command)
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        if self.made.get() {
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}

/// How a row makes its calls.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// The C library's.
    Plain,
    /// The same program under `LD_PRELOAD`.
    DropIn,
    /// By madang's name for them, and so many more words.
    Madang(&'static str),
}

/// What a row is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// A queue of so many bytes, from one process to another.
    Flow(usize),
    Calls(Pair),
    /// Many objects of this kind.
    Many(&'static str),
}

/// One row.
pub(crate) struct InC {
    pub(crate) id: &'static str,
    pub(crate) label: &'static str,
    pub(crate) what: What,
    pub(crate) how: How,
    pub(crate) programs: Rc<Programs>,
}

impl InC {
    /// `WHAT-HOW ID RUN WARM_UP SIZE`, as `calls.c` reads it.
    fn worker(&self, job: &str, id: &str, cpu: usize, task: &Task, size: usize) -> io::Result<Worker> {
        let mut command = self.programs.command(self.how == How::DropIn)?;
        command.args([job, id]).args([task.run, task.warm_up()].map(|time| nanoseconds(time).to_string()));
        command.arg(size.to_string());
        Worker::spawn(command, Some(cpu))
    }

    /// Two workers at one object, which a third one keeps meanwhile.
    fn two(&self, jobs: [&str; 2], kind: &str, task: &Task, size: usize) -> io::Result<Vec<String>> {
        let mut keeper = self.worker(&format!("keep-{kind}"), "-1", task.cpus[0], task, size)?;
        let id = kept(&mut keeper)?;
        let workers = [0, 1].map(|index| self.worker(jobs[index], &id, task.cpus[1 - index], task, size));
        let reports = conduct(workers.into_iter().collect::<io::Result<_>>()?, task);
        dismiss(&mut keeper)?;
        reports
    }

    fn one(&self, job: &str, task: &Task, size: usize) -> io::Result<Vec<String>> {
        conduct(vec![self.worker(job, "-1", task.cpus[0], task, size)?], task)
    }
}

impl Peer for InC {
    fn id(&self) -> &'static str {
        self.id
    }

    fn label(&self) -> &'static str {
        self.label
    }

    fn belongs(&self, cell: Cell) -> bool {
        match (self.what, cell.scenario) {
            (What::Flow(_), _) => is_small_queue_cell(cell),
            (What::Calls(mine), Scenario::Calls(pair)) => mine == pair,
            // Of C's, only what stands in shared memory or in the kernel; the wrapper of the kernel's costs nothing beside a sleep.
            (What::Calls(mine), Scenario::Contended(pair)) => mine == pair && self.how != How::Madang("madang"),
            (What::Many(_), Scenario::Many(_)) => true,
            _ => false,
        }
    }

    fn measure(&mut self, task: &Task) -> io::Result<Vec<String>> {
        let how = match self.how {
            How::Plain | How::DropIn => "plain",
            How::Madang(how) => how,
        };
        match (self.what, task.cell.scenario) {
            (What::Flow(capacity), _) => self.two(["recv", "send"], "queue", task, capacity),
            (_, Scenario::Contended(_)) => {
                let job = format!("contend-semaphore-{how}");
                self.two([&job, &job], "semaphore", task, 0)
            }
            (What::Many(kind), Scenario::Many(many)) => {
                self.one(&format!("many-{kind}-{}", name_of(many)), task, task.cell.size)
            }
            (What::Calls(pair), _) => self.one(&format!("{}-{how}", word(pair)), task, task.capacity),
            _ => Err(unsupported("it has no such job")),
        }
    }
}

/// A pair of calls, as `calls.c`, `--only` and JSON call it.
pub(crate) fn word(pair: Pair) -> &'static str {
    match pair {
        Pair::Message => "message",
        Pair::Pipe => "pipe",
        Pair::Semaphore => "semaphore",
        Pair::Mutex => "mutex",
        Pair::Attach => "attach",
        Pair::Make => "make",
    }
}

pub(crate) fn name_of(many: Many) -> &'static str {
    match many {
        Many::Create => "create",
        Many::Find => "find",
        Many::List => "list",
    }
}
