//! `madang ls`.

use std::io::{self, IsTerminal};

use madang::{Kind, ListOptions, Listed};
use serde::Serialize;

use crate::args::Ls;
use crate::failure::Result;
use crate::kernel;
use crate::objects::{Look, directory, open_set};
use crate::sysv;
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
    more: More,
    error: Option<Trouble>,
}

/// What depends on the kind.
#[derive(Serialize)]
#[serde(untagged)]
enum More {
    Queue { messages: u64, max_messages: u64, bytes: u64, capacity: u64, living: u64, dead: u64 },
    Set { semaphores: u32, max_value: u32, living: u64, dead: u64 },
    Nothing {},
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
        let (more, error) = match error {
            None => match More::of(kind, &name, any_owner) {
                Ok(more) => (more, None),
                Err(error) => (More::Nothing {}, Some(error)),
            },
            error => (More::Nothing {}, error),
        };
        let error = error.as_ref().map(Trouble::from);
        Self { kind: kind.as_str(), name, size, allocated, mode: format!("{mode:04o}"), uid, gid, more, error }
    }

    fn cells(&self) -> Vec<String> {
        let taking_part = |living: u64, dead: u64| match dead {
            0 => living.to_string(),
            _ => format!("{living}, {dead} dead"),
        };
        let [messages, bytes, capacity, semaphores, taking_part] = match self.more {
            More::Queue { messages, bytes, capacity, living, dead, .. } => [
                messages.to_string(),
                text::size(bytes),
                text::size(capacity),
                String::new(),
                taking_part(living, dead),
            ],
            More::Set { semaphores, living, dead, .. } => {
                let none = String::new;
                [none(), none(), none(), semaphores.to_string(), taking_part(living, dead)]
            }
            More::Nothing {} if self.kind == Kind::Segment.as_str() => {
                ["", &*text::size(self.size), "", "", ""].map(str::to_owned)
            }
            More::Nothing {} => [""; 5].map(str::to_owned),
        };
        vec![
            self.kind.to_owned(),
            text::name(&self.name).into_owned(),
            messages,
            bytes,
            capacity,
            semaphores,
            taking_part,
            text::size(self.allocated),
            self.mode.clone(),
            text::user(self.uid),
            self.error.as_ref().map_or_else(String::new, |error| text::name(&error.text).into_owned()),
        ]
    }
}

impl More {
    fn of(kind: Kind, name: &str, any_owner: bool) -> madang::Result<Self> {
        Ok(match kind {
            Kind::Queue => {
                let look = Look::at_queue(name, any_owner)?;
                let madang::QueueStatus { messages, max_messages, bytes, capacity, .. } = look.status;
                Self::Queue { messages, max_messages, bytes, capacity, living: look.living(), dead: look.dead() }
            }
            Kind::SemaphoreSet => {
                let look = Look::at_set(&open_set(name, any_owner)?)?;
                let madang::SemaphoreSetStatus { semaphores, max_value, .. } = look.status;
                Self::Set { semaphores, max_value, living: look.living(), dead: look.dead() }
            }
            _ => Self::Nothing {},
        })
    }
}

pub(crate) fn run(args: &Ls) -> Result<()> {
    if args.kernel {
        return kernels(args);
    }
    if args.ipcs {
        return text::print(&sysv::ipcs()?);
    }
    let any_owner = args.look.any_owner;
    let mut found = ListOptions::default().segments(args.segments).any_owner(any_owner).list()?;
    found.retain(|listed| !sysv::is_second_name(listed));
    let rows: Vec<_> = found.into_iter().map(|listed| Row::new(listed, any_owner)).collect();
    if args.look.json {
        return text::print_json(&rows);
    }
    if rows.is_empty() {
        if io::stdout().is_terminal() {
            text::remark(&format!("There is nothing in {}.", directory().display()));
        }
        return Ok(());
    }
    let head = [
        "KIND",
        "NAME",
        ">MESSAGES",
        ">BYTES",
        ">CAPACITY",
        ">SEMAPHORES",
        "PARTICIPANTS",
        ">MEMORY",
        "MODE",
        "OWNER",
        "TROUBLE",
    ];
    let rows: Vec<_> = rows.iter().map(Row::cells).collect();
    text::print(&text::table_of_filled(&head, &rows))
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
