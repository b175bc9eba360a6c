//! `madang ls`.

use std::io::{self, IsTerminal};

use madang::{Kind, ListOptions, Listed};
use serde::Serialize;

use crate::args::Ls;
use crate::failure::Result;
use crate::kernel;
use crate::objects::{Look, directory};
use crate::text;

/// An object in JSON.
#[derive(Serialize)]
pub(crate) struct Row {
    kind: &'static str,
    name: String,
    size: u64,
    allocated: u64,
    mode: String,
    uid: u32,
    gid: u32,
    #[serde(flatten)]
    queue: Option<QueueRow>,
    error: Option<Trouble>,
}

/// What only a queue has.
#[derive(Serialize)]
struct QueueRow {
    messages: u64,
    max_messages: u64,
    bytes: u64,
    capacity: u64,
    living: u64,
    dead: u64,
}

/// Why it can't be used.
#[derive(Serialize)]
pub(crate) struct Trouble {
    errno: i32,
    text: String,
}

impl From<&madang::Error> for Trouble {
    fn from(error: &madang::Error) -> Self {
        Self { errno: error.errno(), text: error.to_string() }
    }
}

impl Row {
    pub(crate) fn new(listed: Listed, any_owner: bool) -> Self {
        let Listed { kind, name, size, allocated, mode, uid, gid, error, .. } = listed;
        let (queue, error) = match (kind, error) {
            (Kind::Queue, None) => match Look::at(&name, any_owner) {
                Ok(look) => (Some(QueueRow::new(&look)), None),
                Err(error) => (None, Some(error)),
            },
            (_, error) => (None, error),
        };
        let error = error.as_ref().map(Trouble::from);
        Self { kind: kind.as_str(), name, size, allocated, mode: format!("{mode:04o}"), uid, gid, queue, error }
    }

    fn cells(&self) -> Vec<String> {
        let numbers = match &self.queue {
            Some(QueueRow { messages, bytes, capacity, living, dead, .. }) => {
                let taking_part = if *dead > 0 { format!("{living}, {dead} dead") } else { living.to_string() };
                [messages.to_string(), text::size(*bytes), text::size(*capacity), taking_part]
            }
            None if self.kind == "segment" => ["", &*text::size(self.size), "", ""].map(str::to_owned),
            None => ["", "", "", ""].map(str::to_owned),
        };
        let [messages, bytes, capacity, taking_part] = numbers;
        vec![
            self.kind.to_owned(),
            text::name(&self.name).into_owned(),
            messages,
            bytes,
            capacity,
            taking_part,
            text::size(self.allocated),
            self.mode.clone(),
            text::user(self.uid),
            self.error.as_ref().map_or_else(String::new, |error| text::name(&error.text).into_owned()),
        ]
    }
}

impl QueueRow {
    fn new(look: &Look) -> Self {
        let madang::QueueStatus { messages, max_messages, bytes, capacity, .. } = look.status;
        Self { messages, max_messages, bytes, capacity, living: look.living(), dead: look.dead() }
    }
}

pub(crate) fn run(args: &Ls) -> Result<()> {
    if args.kernel {
        return kernels(args);
    }
    let any_owner = args.look.any_owner;
    let found = ListOptions::default().segments(args.segments).any_owner(any_owner).list()?;
    let rows: Vec<_> = found.into_iter().map(|listed| Row::new(listed, any_owner)).collect();
    if args.look.json {
        return text::print_json(&rows);
    }
    if rows.is_empty() {
        if io::stdout().is_terminal() {
            text::remark(&format!("There is no queue in {}.", directory().display()));
        }
        return Ok(());
    }
    let head =
        ["KIND", "NAME", ">MESSAGES", ">BYTES", ">CAPACITY", "PARTICIPANTS", ">MEMORY", "MODE", "OWNER", "TROUBLE"];
    let trouble = rows.iter().any(|row| row.error.is_some());
    let shown = if trouble { &head[..] } else { &head[..head.len() - 1] };
    let rows: Vec<_> = rows.iter().map(Row::cells).collect();
    text::print(&text::table(shown, &rows))
}

/// The kernel's objects.
fn kernels(args: &Ls) -> Result<()> {
    let all = kernel::all()?;
    match (args.look.json, all.is_empty()) {
        (true, _) => text::print_json(&all),
        (false, false) => text::print(&kernel::table(&all)),
        (false, true) => {
            if io::stdout().is_terminal() {
                text::remark("The kernel has no objects in this IPC namespace.");
            }
            Ok(())
        }
    }
}
