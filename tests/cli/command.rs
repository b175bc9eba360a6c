//! Running the command: with a time-out, and so that it never outlives its test.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use madang_tests::{Directory, WATCHDOG};

/// A directory for queues, and the command that looks there.
pub(crate) struct Madang {
    pub(crate) directory: Directory,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) status: i32,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl Done {
    /// What it printed, as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.out).expect("UTF-8")
    }

    /// What it printed, as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// It did what it should, and had nothing to say of it.
    pub(crate) fn well(self) -> Self {
        assert_eq!((self.status, &*self.err), (0, ""), "{self:?}");
        self
    }

    /// It ended with this status, and said so in one sentence in which these words occur.
    pub(crate) fn says(self, status: i32, words: &str) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        assert!(self.err.contains(words) && self.err.starts_with("madang: "), "{words:?} is not in {:?}", self.err);
        assert!(!self.err.contains("panicked"), "{}", self.err);
        self
    }
}

impl Madang {
    pub(crate) fn new() -> Self {
        Self { directory: Directory::new("cli") }
    }

    pub(crate) fn path(&self, queue: &str) -> PathBuf {
        self.directory.join(format!("madang.queue.{queue}"))
    }

    /// The command with these arguments, to be changed before it runs.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_madang"));
        command.args(arguments).env("MADANG_DIR", &*self.directory).env("LC_ALL", "C");
        dies_with_us(&mut command);
        command
    }

    /// Runs it, with nothing to read.
    pub(crate) fn run<const N: usize>(&self, arguments: [&str; N]) -> Done {
        self.given(arguments, b"")
    }

    /// Runs it, with that to read.
    pub(crate) fn given<const N: usize>(&self, arguments: [&str; N], input: &[u8]) -> Done {
        finish(&mut self.command(arguments), input)
    }

    /// Starts it, with pipes to write to and read from.
    pub(crate) fn start<const N: usize>(&self, arguments: [&str; N]) -> Running {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running(command.spawn().unwrap())
    }
}

/// Should the test be killed, the command is too.
fn dies_with_us(command: &mut Command) {
    // SAFETY: prctl is a mere system call.
    unsafe {
        command.pre_exec(|| match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        });
    }
}

/// Runs it to its end, and fails if that takes too long.
pub(crate) fn finish(command: &mut Command, input: &[u8]) -> Done {
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut running = Running(child.unwrap_or_else(|error| panic!("{command:?}: {error}")));
    thread::scope(|scope| {
        let mut stdin = running.0.stdin.take().unwrap();
        // It need not read it all.
        scope.spawn(move || drop(stdin.write_all(input)));
        running.end()
    })
}

/// One that runs; killed when this goes.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    pub(crate) fn signal(&self, signal: i32) {
        // SAFETY: no memory is passed, and the child was not waited for yet.
        assert_eq!(unsafe { libc::kill(self.0.id() as i32, signal) }, 0);
    }

    pub(crate) fn pid(&self) -> i32 {
        self.0.id() as i32
    }

    pub(crate) fn write(&mut self, input: &[u8]) {
        self.0.stdin.as_mut().unwrap().write_all(input).unwrap();
    }

    /// Reads one line, waiting for it; the test's process is watched by whoever waits for it.
    pub(crate) fn line(&mut self) -> String {
        let out = self.0.stdout.as_mut().unwrap();
        let mut line = Vec::new();
        let mut byte = [0];
        while line.last() != Some(&b'\n') {
            assert!(is_readable(out), "it prints nothing: {:?}", String::from_utf8_lossy(&line));
            assert_eq!(out.read(&mut byte).unwrap(), 1, "it ended");
            line.push(byte[0]);
        }
        String::from_utf8(line).unwrap()
    }

    /// Waits until it sleeps in the kernel.
    pub(crate) fn wait_until_asleep(&self) {
        wait_until(|| madang_tests::state(self.pid()) == 'S');
    }

    /// Waits for its end; fails after [`WATCHDOG`]. The status is negative if a signal ended it.
    pub(crate) fn end(mut self) -> Done {
        drop(self.0.stdin.take());
        let (out, err) = (self.0.stdout.take(), self.0.stderr.take());
        let out = thread::spawn(move || all(out));
        let err = thread::spawn(move || all(err));
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                break status.code().unwrap_or_else(|| -status.signal().unwrap());
            }
            assert!(begun.elapsed() < WATCHDOG, "it hangs");
            thread::sleep(Duration::from_millis(1));
        };
        Done { status, out: out.join().unwrap(), err: String::from_utf8(err.join().unwrap()).unwrap() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn all(from: Option<impl Read>) -> Vec<u8> {
    let mut all = Vec::new();
    from.map(|mut from| from.read_to_end(&mut all).unwrap());
    all
}

fn is_readable(out: &ChildStdout) -> bool {
    use std::os::fd::AsRawFd;
    let mut poll = libc::pollfd { fd: out.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one valid pollfd.
    unsafe { libc::poll(&raw mut poll, 1, WATCHDOG.as_millis() as i32) == 1 }
}

/// Looks until it is so; fails after [`WATCHDOG`].
pub(crate) fn wait_until(condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < WATCHDOG, "it never comes about");
        thread::sleep(Duration::from_millis(1));
    }
}
