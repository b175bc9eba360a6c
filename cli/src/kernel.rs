//! The kernel's objects: listed, told of, removed.
//!
//! A person names one by its kind and its identifier, `sysv:msg:5`, or its kind and its key in hexadecimal, `sysv:msg:0x6d61`.
//! Other kinds of the kernel's objects come by the same door: a prefix of their own, and a row.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use madang::sysv::{Key, Permissions, msg, sem, shm};
use serde::Serialize;

use crate::failure::{Failure, Result};
use crate::text;

/// One of them.
pub(crate) enum Object {
    Queue(msg::Queue),
    Segment(shm::Segment),
    Set(sem::Set),
}

/// What is told of one; so it is in JSON.
#[derive(Serialize)]
pub(crate) struct Told {
    kind: &'static str,
    name: String,
    id: i32,
    key: String,
    mode: String,
    uid: u32,
    gid: u32,
    creator_uid: u32,
    creator_gid: u32,
    #[serde(flatten)]
    more: More,
}

/// What depends on the kind. Times are in seconds since 1970, 0 is never.
#[derive(Serialize)]
#[serde(untagged)]
enum More {
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

impl Told {
    fn new(kind: &'static str, id: i32, permissions: &Permissions, more: More) -> Self {
        let Permissions { key, mode, uid, gid, creator_uid, creator_gid, .. } = *permissions;
        Self {
            kind,
            name: format!("{}:{id}", kind.replace('-', ":")),
            id,
            key: key.to_string(),
            mode: format!("{mode:04o}"),
            uid,
            gid,
            creator_uid,
            creator_gid,
            more,
        }
    }
}

impl From<msg::Status> for Told {
    fn from(status: msg::Status) -> Self {
        let msg::Status { messages, bytes, capacity, last_sender, last_receiver, .. } = status;
        let msg::Status { sent_at, received_at, changed_at, .. } = status;
        let more =
            More::Queue { messages, bytes, capacity, last_sender, last_receiver, sent_at, received_at, changed_at };
        Self::new("sysv-msg", status.id, &status.permissions, more)
    }
}

impl From<shm::Status> for Told {
    fn from(status: shm::Status) -> Self {
        let shm::Status { size, attached, creator, last_user, is_removed: removed, is_locked: locked, .. } = status;
        let shm::Status { attached_at, detached_at, changed_at, .. } = status;
        let more =
            More::Segment { size, attached, creator, last_user, attached_at, detached_at, changed_at, removed, locked };
        Self::new("sysv-shm", status.id, &status.permissions, more)
    }
}

impl From<sem::Status> for Told {
    fn from(status: sem::Status) -> Self {
        let sem::Status { count, operated_at, changed_at, .. } = status;
        // What may not be read, or is gone by now, is left out.
        let semaphores = sem::Set::from_id(status.id).and_then(|set| semaphores(&set, count)).unwrap_or_default();
        Self::new("sysv-sem", status.id, &status.permissions, More::Set { count, operated_at, changed_at, semaphores })
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
pub(crate) fn all() -> Result<Vec<Told>> {
    let mut all: Vec<_> = msg::list()?.into_iter().map(Told::from).collect();
    all.extend(shm::list()?.into_iter().map(Told::from));
    all.extend(sem::list()?.into_iter().map(Told::from));
    Ok(all)
}

/// A table of them.
pub(crate) fn table(all: &[Told]) -> String {
    let row = |told: &Told| {
        vec![
            told.kind.to_owned(),
            told.name.clone(),
            told.key.clone(),
            told.more.content(),
            told.more.last_users(),
            told.mode.clone(),
            text::user(told.uid),
        ]
    };
    let rows: Vec<_> = all.iter().map(row).collect();
    text::table(&["KIND", "NAME", "KEY", "CONTENT", "LAST USED BY", "MODE", "OWNER"], &rows)
}

/// A process, if it is one: its number, and its name if it still lives.
fn process(pid: i32) -> Option<String> {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    match text::name(name.trim_end()) {
        _ if pid == 0 => None,
        name if name.is_empty() => Some(pid.to_string()),
        name => Some(format!("{pid} ({name})")),
    }
}

/// How long ago.
fn ago(seconds: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    match u64::try_from(seconds) {
        Ok(1..) => format!("{} ago", text::age(now.saturating_sub(Duration::from_secs(seconds.cast_unsigned())))),
        _ => "never".to_owned(),
    }
}

/// When, and by whom.
fn by(seconds: i64, pid: i32) -> String {
    let who = process(pid).map_or_else(String::new, |who| format!(" by {who}"));
    format!("{}{who}", ago(seconds))
}

impl More {
    fn content(&self) -> String {
        match self {
            Self::Queue { messages, bytes, capacity, .. } => {
                format!("{}, {} of {}", text::count(*messages, "message"), text::size(*bytes), text::size(*capacity))
            }
            Self::Segment { size, attached, removed, .. } => {
                let removed = if *removed { ", removed" } else { "" };
                format!("{}, {}{removed}", text::size(*size), text::count(*attached, "attachment"))
            }
            Self::Set { count, .. } => text::count(*count, "semaphore"),
        }
    }

    fn last_users(&self) -> String {
        let mut pids = match self {
            Self::Queue { last_sender, last_receiver, .. } => vec![*last_sender, *last_receiver],
            Self::Segment { last_user, .. } => vec![*last_user],
            Self::Set { semaphores, .. } => semaphores.iter().map(|semaphore| semaphore.last_user).collect(),
        };
        pids.sort_unstable();
        pids.dedup();
        pids.into_iter().filter_map(process).collect::<Vec<_>>().join(", ")
    }

    fn lines(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Queue { last_sender, last_receiver, sent_at, received_at, changed_at, .. } => vec![
                ("content", self.content()),
                ("sent", by(*sent_at, *last_sender)),
                ("received", by(*received_at, *last_receiver)),
                ("changed", ago(*changed_at)),
            ],
            Self::Segment { creator, last_user, attached_at, detached_at, changed_at, locked, .. } => vec![
                ("content", format!("{}{}", self.content(), if *locked { ", locked in memory" } else { "" })),
                ("creator", process(*creator).unwrap_or_default()),
                ("last user", process(*last_user).unwrap_or_default()),
                ("attached", ago(*attached_at)),
                ("detached", ago(*detached_at)),
                ("changed", ago(*changed_at)),
            ],
            Self::Set { operated_at, changed_at, .. } => {
                vec![("content", self.content()), ("operated", ago(*operated_at)), ("changed", ago(*changed_at))]
            }
        }
    }

    /// What would be lost, or whom it would hurt.
    fn in_use(&self) -> Option<String> {
        let some = |number: u64, what: &str| (number > 0).then(|| text::count(number, what));
        match self {
            Self::Queue { messages, .. } => some(*messages, "message").map(|it| format!("it holds {it}")),
            Self::Segment { attached, .. } => some(*attached, "attachment").map(|it| format!("there is {it}")),
            Self::Set { semaphores, .. } => {
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

/// Whether it is named as the kernel's objects are.
pub(crate) fn is_name(name: &str) -> bool {
    parts(name).is_some()
}

impl Object {
    /// The one of that name.
    pub(crate) fn named(name: &str) -> Result<Self> {
        let absent =
            || Failure::new(libc::ENOENT, format!("there is no {name}: madang ls --kernel lists those that are"));
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

    fn told(&self) -> madang::Result<Told> {
        match self {
            Self::Queue(queue) => queue.stat().map(Told::from),
            Self::Segment(segment) => segment.stat().map(Told::from),
            Self::Set(set) => set.stat().map(Told::from),
        }
    }

    /// All there is to know of it.
    pub(crate) fn stat(&self, json: bool) -> Result<()> {
        let told = self.told()?;
        if json {
            return text::print_json(&told);
        }
        let noun = match self {
            Self::Queue(_) => "a System V message queue",
            Self::Segment(_) => "a System V shared memory segment",
            Self::Set(_) => "a System V semaphore set",
        };
        let mut lines = format!("{}: {noun}, key {}\n", told.name, told.key);
        let owner = format!("{}, group {}, mode {}", text::user(told.uid), text::group(told.gid), told.mode);
        let creator = format!("{}, group {}", text::user(told.creator_uid), text::group(told.creator_gid));
        for (what, value) in told.more.lines().into_iter().chain([("owner", owner), ("made by", creator)]) {
            lines += &format!("  {what:<13}{value}\n");
        }
        if let More::Set { semaphores, .. } = &told.more
            && !semaphores.is_empty()
        {
            let row = |(index, it): (usize, &Semaphore)| {
                let waiting = [it.waiting_for_increase, it.waiting_for_zero].map(|number| number.to_string());
                let [more, zero] = waiting;
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
            let head = ["", ">SEMAPHORE", ">VALUE", ">WAIT FOR MORE", ">WAIT FOR ZERO", "LAST USED BY"];
            lines += &format!("\n{}", text::table(&head, &rows));
        }
        text::print(&lines)
    }

    /// Removes it; what has content, or users, only by force.
    pub(crate) fn remove(&self, name: &str, force: bool) -> Result<()> {
        if !force {
            let refuse = |errno, why: String| {
                Err(Failure::new(errno, format!("rm {name}: {why}: --force removes it all the same")))
            };
            match self.told() {
                Ok(told) => {
                    if let Some(why) = told.more.in_use() {
                        return refuse(libc::EBUSY, why);
                    }
                }
                Err(error) => return refuse(error.errno(), format!("it can't be looked into ({})", error.message())),
            }
        }
        match self {
            Self::Queue(queue) => queue.remove()?,
            Self::Segment(segment) => segment.remove()?,
            Self::Set(set) => set.remove()?,
        }
        Ok(())
    }
}
