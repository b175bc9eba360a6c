//! Peers whose workers are programs of their own: `c/worker.c`, and `python/worker.py` with the peers of `peers.py`.
//!
//! A C worker does one job and is started for it. Python takes a tenth of a second to start, and what multiprocessing
//! makes can only be inherited: so one Python process, the host, lives through the whole run, and forks the workers of
//! each measurement itself.

use std::cell::RefCell;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};

use madang::Queue;

use super::madang::Names;
use super::{Idler, Peer, is_batch_cell, is_small_queue_cell};
use crate::clock::nanoseconds;
use crate::harness::{Cell, PAUSE, Scenario, Task, Worker, conduct, unsupported};

/// Our queue through the public C interface.
pub(crate) struct FromC {
    pub(crate) id: &'static str,
    pub(crate) label: &'static str,
    pub(crate) program: PathBuf,
    /// Instead of the cell's own: the row of a small queue.
    pub(crate) capacity: Option<usize>,
    /// How many messages it sends and receives with one call.
    pub(crate) batch: usize,
}

impl FromC {
    fn worker(&self, job: &str, names: &[&str; 2], cpu: usize, task: &Task) -> io::Result<Worker> {
        if !self.program.exists() {
            return Err(unsupported(format!("{} is not there: `make bench` builds it", self.program.display())));
        }
        let capacity = self.capacity.unwrap_or(task.capacity);
        let pause = if task.cell.scenario == Scenario::Asleep { PAUSE } else { Duration::ZERO };
        let numbers = [task.cell.size, capacity, task.stride(), task.warm_up_messages()];
        let numbers = numbers.map(|number| number.to_string());
        let times = [task.run, task.warm_up(), pause].map(|time| nanoseconds(time).to_string());
        let mut command = Command::new(&self.program);
        command.arg(job).args(names).args(numbers).args(times).arg(self.batch.to_string());
        Worker::spawn(command, Some(cpu))
    }
}

impl Peer for FromC {
    fn id(&self) -> &'static str {
        self.id
    }

    fn label(&self) -> &'static str {
        self.label
    }

    fn belongs(&self, cell: Cell) -> bool {
        cell.scenario.is_common()
            && (self.capacity.is_none() || is_small_queue_cell(cell))
            && (self.batch == 1 || is_batch_cell(cell))
    }

    fn measure(&mut self, task: &Task) -> io::Result<Vec<String>> {
        let names = Names(vec![format!("{}-there", task.name), format!("{}-back", task.name)]);
        let both = [names.0[0].as_str(), names.0[1].as_str()];
        let worker = |job: &str, cpu: usize| self.worker(job, &both, cpu, task);
        let workers = match task.cell.scenario {
            Scenario::Flow(pairs) => (0..pairs)
                .flat_map(|index| [worker("recv", task.receiver_cpu(index)), worker("send", task.sender_cpu(index))])
                .collect::<io::Result<_>>()?,
            Scenario::Awake | Scenario::Asleep => vec![worker("pong", task.cpus[1])?, worker("ping", task.cpus[0])?],
            Scenario::Solo => vec![worker("solo", task.cpus[0])?],
            _ => return Err(unsupported("it has no such job")),
        };
        conduct(workers, task)
    }

    fn idler(&mut self, task: &Task) -> io::Result<Option<Idler>> {
        let name = format!("{}-idle-c", task.name);
        let worker = self.worker("idle", &[&name, ""], task.cpus[1], task)?;
        Ok(Some(Idler { worker, stop: stop(name, task) }))
    }
}

/// Ends an idle receiver's wait by a message.
fn stop(name: String, task: &Task) -> Box<dyn FnOnce() -> io::Result<()>> {
    let message = vec![0; task.cell.size];
    let names = Names(vec![name]);
    Box::new(move || Ok(Queue::open(&names.0[0])?.send(1, &message)?))
}

/// How long a measurement in Python may take beyond its time: it may have to import, fork and clear away.
const GRACE: Duration = Duration::from_secs(20);

/// The Python process that measures all Python peers; started when first needed, and again after it failed.
pub(crate) struct Host {
    python: PathBuf,
    script: PathBuf,
    worker: Option<Worker>,
}

impl Host {
    pub(crate) fn new(python: PathBuf, script: PathBuf) -> Rc<RefCell<Self>> {
        Rc::new(RefCell::new(Self { python, script, worker: None }))
    }

    fn start(&self) -> io::Result<Worker> {
        let mut command = Command::new(&self.python);
        command.arg(&self.script);
        Worker::spawn(command, None)
            .map_err(|error| unsupported(format!("{} doesn't start: {error}", self.python.display())))
    }

    fn ask(&mut self, request: &str, limit: Duration) -> io::Result<String> {
        let mut worker = match self.worker.take() {
            Some(worker) => worker,
            None => self.start()?,
        };
        worker.say(request)?;
        let answer = worker.line(Instant::now() + limit);
        // One that hangs or died is not kept.
        let failed = |error: &io::Error| matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::UnexpectedEof);
        if !matches!(&answer, Err(error) if failed(error)) {
            self.worker = Some(worker);
        }
        answer
    }
}

/// A peer in Python, ours or another's.
pub(crate) struct FromPython {
    pub(crate) id: &'static str,
    pub(crate) label: &'static str,
    /// Whether it hands arrays over; such a row stands there only.
    pub(crate) arrays: bool,
    pub(crate) host: Rc<RefCell<Host>>,
}

impl FromPython {
    /// `JOB PEER NAME SIZE CAPACITY STRIDE LEAST RUN WARM-UP PAUSE CPU CPU`, as `worker.py` reads it.
    fn request(&self, job: &str, task: &Task) -> String {
        let Task { cell, capacity, run, cpus, name } = task;
        let pause = if cell.scenario == Scenario::Asleep { PAUSE } else { Duration::ZERO };
        let [run, warm_up, pause] = [*run, task.warm_up(), pause].map(nanoseconds);
        let (size, stride, least) = (cell.size, task.stride(), task.warm_up_messages());
        let times = format!("{run} {warm_up} {pause}");
        format!("{job} {} {name} {size} {capacity} {stride} {least} {times} {} {}", self.id, cpus[0], cpus[1])
    }
}

impl Peer for FromPython {
    fn id(&self) -> &'static str {
        self.id
    }

    fn label(&self) -> &'static str {
        self.label
    }

    fn belongs(&self, cell: Cell) -> bool {
        (if self.arrays { cell.scenario == Scenario::Arrays } else { cell.scenario.is_common() })
            && (!self.id.ends_with("-32") || is_batch_cell(cell))
    }

    fn measure(&mut self, task: &Task) -> io::Result<Vec<String>> {
        let job = match task.cell.scenario {
            Scenario::Flow(pairs) => format!("flow-{pairs}"),
            Scenario::Arrays => "flow-1".into(),
            Scenario::Awake => "awake".into(),
            Scenario::Asleep => "asleep".into(),
            Scenario::Solo => "solo".into(),
            _ => return Err(unsupported("it has no such job")),
        };
        let _names = Names(vec![task.name.clone(), format!("{}-there", task.name), format!("{}-back", task.name)]);
        let answer = self.host.borrow_mut().ask(&self.request(&job, task), task.run * 2 + GRACE)?;
        Ok(answer.split(';').map(str::to_owned).collect())
    }

    fn idler(&mut self, task: &Task) -> io::Result<Option<Idler>> {
        let task = Task { name: format!("{}-idle-py", task.name), ..task.clone() };
        let stop = stop(task.name.clone(), &task);
        let mut worker = self.host.borrow().start()?;
        worker.say(&self.request("idle", &task))?;
        Ok(Some(Idler { worker, stop }))
    }
}
