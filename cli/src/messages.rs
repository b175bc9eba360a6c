//! The forms in which messages come from standard input and go to standard output; `madang send --help` describes them.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::os::fd::AsFd;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use madang::{Lease, Message, Queue};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::FileType;
use serde::{Deserialize, Serialize};

use crate::args::Form;
use crate::failure::{Failure, Result};

/// What a message in the raw form begins with: its type and its length.
const HEAD: usize = 16;

/// So many messages, and about so many bytes, are sent together: what the library sends with one lock.
const BATCH: usize = 1024;
const BATCH_BYTES: usize = 64 << 10;

/// What a pipe takes in one piece, as POSIX has it: lines that several write to the same pipe don't mix.
const PIECE: usize = 4096;

/// Messages from standard input.
pub(crate) struct Input<'a> {
    form: &'a Form,
    /// Of those that don't say theirs.
    mtype: i64,
    /// The longest that there can be: what is longer isn't read.
    longest: u64,
    from: BufReader<io::StdinLock<'static>>,
    /// Bytes read.
    pub(crate) read: u64,
    /// The line or message that is being read, from 1 on.
    number: u64,
    is_over: bool,
}

impl<'a> Input<'a> {
    pub(crate) fn new(form: &'a Form, mtype: i64, longest: u64) -> Self {
        let from = BufReader::with_capacity(256 << 10, io::stdin().lock());
        Self { form, mtype, longest, from, read: 0, number: 0, is_over: false }
    }

    /// How many bytes there are to read, where it is a file.
    pub(crate) fn length() -> Option<u64> {
        let stdin = io::stdin();
        let stat = rustix::fs::fstat(&stdin).ok()?;
        let position = rustix::fs::tell(&stdin).ok()?;
        let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        is_file.then(|| (stat.st_size as u64).saturating_sub(position))
    }

    /// The next message, for which it waits, and those behind it that are there already; none at the end. What comes before a
    /// failure is in the batch.
    pub(crate) fn fill(&mut self, batch: &mut Vec<(i64, Vec<u8>)>) -> Result<()> {
        batch.clear();
        let mut bytes = 0;
        while batch.is_empty() || (batch.len() < BATCH && bytes < BATCH_BYTES && self.is_there()) {
            let Some((mtype, data)) = self.next()? else { break };
            bytes += data.len();
            batch.push((mtype, data));
        }
        Ok(())
    }

    /// Whether the next message was read from the system already, wholly.
    fn is_there(&self) -> bool {
        let read = self.from.buffer();
        match self.form {
            Form { raw: true, .. } => read.split_first_chunk::<HEAD>().is_some_and(|(head, data)| {
                let length = head.last_chunk().expect("8 bytes and 8");
                u64::from_le_bytes(*length) <= data.len() as u64
            }),
            Form { bare: true, .. } => false,
            Form { null: true, .. } => read.contains(&0),
            _ => read.contains(&b'\n'),
        }
    }

    /// The next message, its type and its bytes; `None` at the end.
    fn next(&mut self) -> Result<Option<(i64, Vec<u8>)>> {
        self.number += 1;
        match self.form {
            Form { raw: true, .. } => self.raw(),
            Form { json: true, .. } => self.json(),
            Form { bare: true, .. } => self.bare(),
            Form { null: true, .. } => Ok(self.until(0, self.longest)?.map(|data| (self.mtype, data))),
            _ => Ok(self.until(b'\n', self.longest)?.map(|data| (self.mtype, data))),
        }
    }

    /// What comes before the next `end`, or before the end of all.
    fn until(&mut self, end: u8, longest: u64) -> Result<Option<Vec<u8>>> {
        let mut data = Vec::new();
        let read = (&mut self.from).take(longest.saturating_add(1)).read_until(end, &mut data).map_err(cannot_read)?;
        self.read += read as u64;
        if data.pop_if(|last| *last == end).is_none() && data.len() as u64 > longest {
            let what = if end == 0 { "message" } else { "line" };
            return Err(too_long(&format!("{what} {} of standard input", self.number), longest));
        }
        Ok((read > 0).then_some(data))
    }

    fn raw(&mut self) -> Result<Option<(i64, Vec<u8>)>> {
        let head = self.exactly(HEAD as u64)?;
        let Some((mtype, length)) = head.split_first_chunk::<8>().filter(|_| head.len() == HEAD) else {
            return if head.is_empty() { Ok(None) } else { Err(self.is_cut_off()) };
        };
        let (mtype, length) = (i64::from_le_bytes(*mtype), u64::from_le_bytes(length.try_into().expect("8 bytes")));
        if length > self.longest {
            let what = format!("message {} of standard input, of {length} bytes (is it in the raw form?)", self.number);
            return Err(too_long(&what, self.longest));
        }
        let data = self.exactly(length)?;
        if data.len() as u64 == length { Ok(Some((mtype, data))) } else { Err(self.is_cut_off()) }
    }

    /// So many bytes, or fewer if it ends before.
    fn exactly(&mut self, length: u64) -> Result<Vec<u8>> {
        let mut data = Vec::new();
        (&mut self.from).take(length).read_to_end(&mut data).map_err(cannot_read)?;
        self.read += data.len() as u64;
        Ok(data)
    }

    fn is_cut_off(&self) -> Failure {
        let what = format!("standard input ends in the midst of message {}, at byte {}", self.number, self.read);
        Failure::new(libc::EINVAL, what)
    }

    fn json(&mut self) -> Result<Option<(i64, Vec<u8>)>> {
        // A character may take six, as in \u0000, and the fields some.
        let Some(line) = self.until(b'\n', self.longest.saturating_mul(6).saturating_add(4096))? else {
            return Ok(None);
        };
        let bad = |why: String| {
            let what = format!("line {} of standard input is no message in JSON: {why}", self.number);
            Failure::new(libc::EINVAL, what)
        };
        let Json { r#type, data, base64, .. } =
            serde_json::from_slice(&line).map_err(|error| bad(error.to_string()))?;
        let data = match (data, base64) {
            (Some(data), None) => data.into_bytes(),
            (None, Some(base64)) => STANDARD.decode(base64).map_err(|error| bad(error.to_string()))?,
            _ => return Err(bad("it has \"data\", or \"base64\"".to_owned())),
        };
        Ok(Some((r#type.unwrap_or(self.mtype), data)))
    }

    /// All there is.
    fn bare(&mut self) -> Result<Option<(i64, Vec<u8>)>> {
        if std::mem::replace(&mut self.is_over, true) {
            return Ok(None);
        }
        let data = self.exactly(self.longest.saturating_add(1))?;
        if data.len() as u64 > self.longest {
            return Err(too_long("standard input", self.longest));
        }
        Ok(Some((self.mtype, data)))
    }
}

fn cannot_read(error: io::Error) -> Failure {
    Failure::io("read standard input", &error)
}

fn too_long(what: &str, longest: u64) -> Failure {
    let advice = "create the queue with a larger --capacity";
    Failure::new(libc::EMSGSIZE, format!("{what} is longer than the queue's capacity of {longest} bytes: {advice}"))
}

/// A message in JSON.
#[derive(Default, Deserialize, Serialize)]
struct Json {
    r#type: Option<i64>,
    #[serde(skip_deserializing)]
    sequence: u64,
    #[serde(skip_deserializing, skip_serializing_if = "is_zero")]
    redelivered: u32,
    #[serde(skip_deserializing)]
    length: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A message as it is printed, however it was had.
pub(crate) struct Shown {
    mtype: i64,
    sequence: u64,
    redelivered: u32,
    data: Vec<u8>,
}

impl From<&Lease<&Queue>> for Shown {
    fn from(lease: &Lease<&Queue>) -> Self {
        let (mtype, sequence, redelivered) = (lease.mtype(), lease.sequence(), lease.redelivered());
        Self { mtype, sequence, redelivered, data: lease.to_vec() }
    }
}

impl From<Message> for Shown {
    fn from(message: Message) -> Self {
        let Message { mtype, sequence, redelivered, data, .. } = message;
        Self { mtype, sequence, redelivered, data }
    }
}

/// Standard output, for messages. They are put in, and written by [`flush`](Self::flush) alone, so that it is known what was written.
pub(crate) struct Output<'a> {
    form: &'a Form,
    to: File,
    /// Whether its reader can go away.
    is_pipe: bool,
    buffer: Vec<u8>,
    /// Where each message in the buffer ends.
    ends: Vec<usize>,
}

impl<'a> Output<'a> {
    pub(crate) fn new(form: &'a Form) -> Result<Self> {
        let to = io::stdout().as_fd().try_clone_to_owned().map_err(cannot_write)?;
        let kind = rustix::fs::fstat(&to).map(|stat| FileType::from_raw_mode(stat.st_mode));
        let is_pipe = matches!(kind, Ok(FileType::Fifo | FileType::Socket));
        Ok(Self { form, to: to.into(), is_pipe, buffer: Vec::new(), ends: Vec::new() })
    }

    /// Fails if nobody reads any more.
    pub(crate) fn check(&self) -> Result<()> {
        if self.is_pipe {
            let mut found = [PollFd::new(&self.to, PollFlags::empty())];
            let now = rustix::time::Timespec { tv_sec: 0, tv_nsec: 0 };
            let gone = PollFlags::ERR | PollFlags::HUP;
            if poll(&mut found, Some(&now)).is_ok_and(|ready| ready > 0) && found[0].revents().intersects(gone) {
                return Err(Failure::Signal(libc::SIGPIPE));
            }
        }
        Ok(())
    }

    pub(crate) fn put(&mut self, message: &Shown) {
        let Shown { mtype, data, .. } = message;
        match self.form {
            Form { json: true, .. } => self.buffer.extend(json(message).into_bytes()),
            Form { raw: true, .. } => {
                self.buffer.extend(mtype.to_le_bytes());
                self.buffer.extend((data.len() as u64).to_le_bytes());
                self.buffer.extend(data);
            }
            Form { bare, null, .. } => {
                self.buffer.extend(data);
                self.buffer.extend((!bare).then_some(if *null { 0 } else { b'\n' }));
            }
        }
        self.ends.push(self.buffer.len());
    }

    /// Whether it is time to write what was put in: more at once would hardly be faster.
    pub(crate) fn is_full(&self) -> bool {
        self.buffer.len() >= PIECE
    }

    /// Writes what was put in. Says how many messages were written wholly, also where it fails on the way.
    pub(crate) fn flush(&mut self) -> (usize, Result<()>) {
        let (mut whole, mut written, mut outcome) = (0, 0, Ok(()));
        while whole < self.ends.len() && outcome.is_ok() {
            let together = self.ends[whole..].partition_point(|end| end - written <= PIECE).max(1);
            let end = self.ends[whole + together - 1];
            outcome = write(&self.to, &self.buffer[..end], &mut written);
            whole = self.ends.partition_point(|end| *end <= written);
        }
        self.buffer.clear();
        self.ends.clear();
        (whole, outcome.map_err(cannot_write))
    }

    /// Whether it shares the terminal with standard error.
    pub(crate) fn is_terminal(&self) -> bool {
        self.to.is_terminal()
    }
}

/// Writes all that isn't written yet, and counts on.
fn write(mut to: &File, all: &[u8], written: &mut usize) -> io::Result<()> {
    while *written < all.len() {
        match to.write(&all[*written..]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(more) => *written += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn json(message: &Shown) -> String {
    let Shown { mtype, sequence, redelivered, data } = message;
    let (length, text) = (data.len(), std::str::from_utf8(data).ok());
    let base64 = text.is_none().then(|| STANDARD.encode(data));
    let data = text.map(str::to_owned);
    let json = Json { r#type: Some(*mtype), sequence: *sequence, redelivered: *redelivered, length, data, base64 };
    serde_json::to_string(&json).expect("keys are texts, and nothing here fails") + "\n"
}

fn cannot_write(error: io::Error) -> Failure {
    Failure::io("write to standard output", &error)
}
