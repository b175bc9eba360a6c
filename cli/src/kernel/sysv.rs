//! System V's objects of the kernel: `sysv:msg:5` by its identifier, `sysv:msg:0x6d61` by its key in hexadecimal.

use std::time::Duration;

use madang::sysv::{Key, Permissions, msg, sem, shm};
use serde::Serialize;

use super::{More, Of, Told, absent, ago, by, process};
use crate::failure::Result;
use crate::text;

/// One of them.
pub(crate) enum Object {
    Queue(msg::Queue),
    Segment(shm::Segment),
    Set(sem::Set),
}

/// What only these have.
#[derive(Serialize)]
pub(super) struct Sysv {
    id: i32,
    key: String,
    creator_uid: u32,
    creator_gid: u32,
    #[serde(flatten)]
    content: Content,
}

/// What depends on the kind. Times are in seconds since 1970, 0 is never.
#[derive(Serialize)]
#[serde(untagged)]
enum Content {
    Queue {
        messages: u64,
        bytes: u64,
        capacity: u64,
        last_sender: i32,
        last_receiver: i32,
        sent_at: i64,
        received_at: i64,
        changed_at: i64,
    },
    Segment {
        size: u64,
        attached: u64,
        creator: i32,
        last_user: i32,
        attached_at: i64,
        detached_at: i64,
        changed_at: i64,
        removed: bool,
        locked: bool,
    },
    Set {
        count: u64,
        operated_at: i64,
        changed_at: i64,
        /// Of the first ones, if they may be read.
        semaphores: Vec<Semaphore>,
    },
}

#[derive(Serialize)]
struct Semaphore {
    value: u16,
    last_user: i32,
    waiting_for_increase: u32,
    waiting_for_zero: u32,
}

/// Of so many semaphores of a set it is told what they are.
const SEMAPHORES: u64 = 64;

fn told(kind: &'static str, id: i32, permissions: &Permissions, content: Content) -> Told {
    let Permissions { key, mode, uid, gid, creator_uid, creator_gid, .. } = *permissions;
    let name = format!("{}:{id}", kind.replace('-', ":"));
    let more = Of::Sysv(Sysv { id, key: key.to_string(), creator_uid, creator_gid, content });
    Told { kind, name, mode: format!("{mode:04o}"), uid, gid, more }
}

impl From<msg::Status> for Told {
    fn from(status: msg::Status) -> Self {
        let msg::Status { messages, bytes, capacity, last_sender, last_receiver, .. } = status;
        let msg::Status { sent_at, received_at, changed_at, .. } = status;
        let content =
            Content::Queue { messages, bytes, capacity, last_sender, last_receiver, sent_at, received_at, changed_at };
        told("sysv-msg", status.id, &status.permissions, content)
    }
}

impl From<shm::Status> for Told {
    fn from(status: shm::Status) -> Self {
        let shm::Status { size, attached, creator, last_user, is_removed: removed, is_locked: locked, .. } = status;
        let shm::Status { attached_at, detached_at, changed_at, .. } = status;
        let content = Content::Segment {
            size,
            attached,
            creator,
            last_user,
            attached_at,
            detached_at,
            changed_at,
            removed,
            locked,
        };
        told("sysv-shm", status.id, &status.permissions, content)
    }
}

impl From<sem::Status> for Told {
    fn from(status: sem::Status) -> Self {
        let sem::Status { count, operated_at, changed_at, .. } = status;
        // What may not be read, or is gone by now, is left out.
        let semaphores = sem::Set::from_id(status.id).and_then(|set| semaphores(&set, count)).unwrap_or_default();
        told("sysv-sem", status.id, &status.permissions, Content::Set { count, operated_at, changed_at, semaphores })
    }
}

fn semaphores(set: &sem::Set, count: u64) -> madang::Result<Vec<Semaphore>> {
    (0..count.min(SEMAPHORES) as u16)
        .map(|index| {
            Ok(Semaphore {
                value: set.value(index)?,
                last_user: set.pid(index)?,
                waiting_for_increase: set.waiting_for_increase(index)?,
                waiting_for_zero: set.waiting_for_zero(index)?,
            })
        })
        .collect()
}

/// All that there are.
pub(super) fn all() -> Result<Vec<Told>> {
    let mut all: Vec<_> = msg::list()?.into_iter().map(Told::from).collect();
    all.extend(shm::list()?.into_iter().map(Told::from));
    all.extend(sem::list()?.into_iter().map(Told::from));
    Ok(all)
}

impl More for Sysv {
    fn noun(&self) -> String {
        let noun = match self.content {
            Content::Queue { .. } => "message queue",
            Content::Segment { .. } => "shared memory segment",
            Content::Set { .. } => "semaphore set",
        };
        format!("a System V {noun}, key {}", self.key)
    }

    fn key(&self) -> &str {
        &self.key
    }

    fn content(&self) -> String {
        match &self.content {
            Content::Queue { messages, bytes, capacity, .. } => {
                format!("{}, {} of {}", text::count(*messages, "message"), text::size(*bytes), text::size(*capacity))
            }
            Content::Segment { size, attached, removed, .. } => {
                let removed = if *removed { ", removed" } else { "" };
                format!("{}, {}{removed}", text::size(*size), text::count(*attached, "attachment"))
            }
            Content::Set { count, .. } => text::count(*count, "semaphore"),
        }
    }

    fn last_users(&self) -> Vec<i32> {
        match &self.content {
            Content::Queue { last_sender, last_receiver, .. } => vec![*last_sender, *last_receiver],
            Content::Segment { last_user, .. } => vec![*last_user],
            Content::Set { semaphores, .. } => semaphores.iter().map(|semaphore| semaphore.last_user).collect(),
        }
    }

    fn lines(&self) -> Vec<(&'static str, String)> {
        let content = self.content();
        let mut lines = match &self.content {
            Content::Queue { last_sender, last_receiver, sent_at, received_at, changed_at, .. } => vec![
                ("content", content),
                ("sent", by(*sent_at, *last_sender)),
                ("received", by(*received_at, *last_receiver)),
                ("changed", ago(*changed_at)),
            ],
            Content::Segment { creator, last_user, attached_at, detached_at, changed_at, locked, .. } => vec![
                ("content", format!("{content}{}", if *locked { ", locked in memory" } else { "" })),
                ("creator", process(*creator).unwrap_or_default()),
                ("last user", process(*last_user).unwrap_or_default()),
                ("attached", ago(*attached_at)),
                ("detached", ago(*detached_at)),
                ("changed", ago(*changed_at)),
            ],
            Content::Set { operated_at, changed_at, .. } => {
                vec![("content", content), ("operated", ago(*operated_at)), ("changed", ago(*changed_at))]
            }
        };
        let creator = format!("{}, group {}", text::user(self.creator_uid), text::group(self.creator_gid));
        lines.push(("made by", creator));
        lines
    }

    fn parts(&self) -> Option<String> {
        let Content::Set { semaphores, .. } = &self.content else { return None };
        let row = |(index, it): (usize, &Semaphore)| {
            let [more, zero] = [it.waiting_for_increase, it.waiting_for_zero].map(|number| number.to_string());
            vec![
                String::new(),
                index.to_string(),
                it.value.to_string(),
                more,
                zero,
                process(it.last_user).unwrap_or_default(),
            ]
        };
        let rows: Vec<_> = semaphores.iter().enumerate().map(row).collect();
        (!rows.is_empty()).then(|| text::table(&text::SEMAPHORES, &rows))
    }

    fn in_use(&self) -> Option<String> {
        let some = |number: u64, what: &str| (number > 0).then(|| text::count(number, what));
        match &self.content {
            Content::Queue { messages, .. } => some(*messages, "message").map(|it| format!("it holds {it}")),
            Content::Segment { attached, .. } => some(*attached, "attachment").map(|it| format!("there is {it}")),
            Content::Set { semaphores, .. } => {
                let waiting = semaphores.iter().map(|it| u64::from(it.waiting_for_increase + it.waiting_for_zero));
                some(waiting.sum(), "waiter").map(|it| format!("there is {it}"))
            }
        }
    }
}

/// What it is called, without its number; and the number.
fn parts(name: &str) -> Option<(&str, &str)> {
    let (kind, number) = name.strip_prefix("sysv:")?.split_once(':')?;
    let is_number = match number.strip_prefix("0x") {
        Some(digits) => !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()),
    };
    (matches!(kind, "msg" | "shm" | "sem") && is_number).then_some((kind, number))
}

/// Whether it is named as these are.
pub(super) fn is_name(name: &str) -> bool {
    parts(name).is_some()
}

impl Object {
    /// The one of that name.
    pub(crate) fn named(name: &str) -> Result<Self> {
        let absent = || absent(name);
        let (kind, number) = parts(name).ok_or_else(absent)?;
        let key = number.strip_prefix("0x").map(|digits| u32::from_str_radix(digits, 16).map_err(|_| absent()));
        let key = key.transpose()?.map(|key| Key::from(key.cast_signed()));
        if key.is_some_and(Key::is_private) {
            return Err(absent());
        }
        let id = || number.parse().unwrap_or(-1);
        let found = match (kind, key) {
            ("msg", Some(key)) => msg::Queue::options().create(madang::Create::Never).open(key).map(Self::Queue),
            ("msg", None) => msg::Queue::from_id(id()).map(Self::Queue),
            ("shm", Some(key)) => shm::Segment::open(key).map(Self::Segment),
            ("shm", None) => shm::Segment::from_id(id()).map(Self::Segment),
            (_, Some(key)) => sem::Set::options().patience(Duration::ZERO).open(key).map(Self::Set),
            (_, None) => sem::Set::from_id(id()).map(Self::Set),
        };
        found.map_err(|error| match error.errno() {
            libc::ENOENT | libc::EINVAL => absent(),
            _ => error.into(),
        })
    }

    pub(super) fn told(&self) -> madang::Result<Told> {
        match self {
            Self::Queue(queue) => queue.stat().map(Told::from),
            Self::Segment(segment) => segment.stat().map(Told::from),
            Self::Set(set) => set.stat().map(Told::from),
        }
    }

    pub(super) fn remove(&self) -> madang::Result<()> {
        match self {
            Self::Queue(queue) => queue.remove(),
            Self::Segment(segment) => segment.remove(),
            Self::Set(set) => set.remove(),
        }
    }
}
