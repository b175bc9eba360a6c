//! Why a command ends before its time, and what the shell is told of it.

use std::io::{self, Write};
use std::process::ExitCode;

use madang::Error;

/// What a command returns.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// It could not be done.
const FAILED: u8 = 1;
/// What was waited for did not come: no message, no room. (2 is clap's, for what was typed wrongly.)
const NOTHING: u8 = 3;
/// There is no object of that name.
const ABSENT: u8 = 4;

/// Why a command ends.
#[derive(Debug)]
pub(crate) enum Failure {
    Error(Error),
    /// It was all said already.
    Said(u8),
    /// Nobody reads standard output any more, or somebody asked it to end: as every command does then.
    Signal(i32),
}

impl Failure {
    /// A command that looked found something to do.
    pub(crate) const FOUND: Self = Self::Said(FAILED);
    /// Nothing came, which needs no words.
    pub(crate) const EMPTY: Self = Self::Said(NOTHING);

    pub(crate) fn new(errno: i32, what: impl Into<String>) -> Self {
        Self::Error(Error::new(errno, what.into()))
    }

    /// A failed call of the system's.
    pub(crate) fn io(doing: &str, error: &io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::EPIPE) => Self::Signal(libc::SIGPIPE),
            Some(errno) => {
                let text = error.to_string();
                let words = text.split(" (os error").next().unwrap_or_default().to_lowercase();
                Self::new(errno, format!("{doing}: {words}"))
            }
            None => Self::new(libc::EIO, format!("{doing}: {error}")),
        }
    }

    fn status(&self) -> u8 {
        match self {
            Self::Said(status) => *status,
            Self::Signal(_) => FAILED,
            Self::Error(error) => match error.errno() {
                libc::EAGAIN | libc::ETIMEDOUT => NOTHING,
                libc::ENOENT => ABSENT,
                _ => FAILED,
            },
        }
    }

    /// Says what there is to say on standard error.
    pub(crate) fn say(&self) {
        if let Self::Error(error) = self {
            // Should that be closed, the status remains.
            let _ = writeln!(io::stderr(), "madang: {error}");
        }
    }

    /// Says it; the command ends with that status, whatever the errno.
    pub(crate) fn with_status(self, status: u8) -> Self {
        self.say();
        Self::Said(status)
    }

    /// Says it, and makes it the end of the process.
    pub(crate) fn end(self) -> ExitCode {
        self.say();
        if let Self::Signal(signal) = self {
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        }
        ExitCode::from(self.status())
    }

    /// Of several names each was tried: it says this one, and the command ends with its status.
    pub(crate) fn said(self) -> Self {
        self.say();
        match self {
            Self::Signal(_) => self,
            _ => Self::Said(self.status()),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}
