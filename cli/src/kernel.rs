//! The kernel's objects: listed, told of, removed.
//!
//! ```text
//! kernel/sysv     System V's: sysv:msg:5, sysv:shm:0x6d61
//! kernel/posix    POSIX's: posix:mq:orders, posix:sem:gate, posix:shm:frame
//! kernel/users    which processes have a file open or mapped
//! ```
//!
//! Each kind has a door here: names that begin in a way of their own, a row in the table, and what more there is to tell.

mod posix;
mod sysv;
mod users;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::failure::{Failure, Result};
use crate::text;

/// One of them.
pub(crate) enum Object {
    Sysv(sysv::Object),
    Posix(posix::Object),
}

/// What is told of one; so it is in JSON.
#[derive(Serialize)]
pub(crate) struct Told {
    kind: &'static str,
    name: String,
    mode: String,
    uid: u32,
    gid: u32,
    #[serde(flatten)]
    more: Of,
}

/// What depends on the kind.
#[derive(Serialize)]
#[serde(untagged)]
enum Of {
    Sysv(sysv::Sysv),
    Posix(posix::Posix),
}

/// What each kind tells of itself.
trait More {
    /// What it is, in words.
    fn noun(&self) -> String;
    /// Its key, where it has one.
    fn key(&self) -> &str;
    /// In a few words.
    fn content(&self) -> String;
    /// The processes that used it last, or use it now; 0 is none.
    fn last_users(&self) -> Vec<i32>;
    /// All there is to know, a line each.
    fn lines(&self) -> Vec<(&'static str, String)>;
    /// A table of its parts.
    fn parts(&self) -> Option<String>;
    /// What would be lost if it were removed, or whom it would hurt.
    fn in_use(&self) -> Option<String>;
}

impl Told {
    fn more(&self) -> &dyn More {
        match &self.more {
            Of::Sysv(more) => more,
            Of::Posix(more) => more,
        }
    }
}

/// All that there are.
pub(crate) fn all() -> Result<Vec<Told>> {
    let mut all = sysv::all()?;
    all.extend(posix::all()?);
    Ok(all)
}

/// A table of them.
pub(crate) fn table(all: &[Told]) -> String {
    let row = |told: &Told| {
        let more = told.more();
        let mut pids = more.last_users();
        pids.sort_unstable();
        pids.dedup();
        vec![
            told.kind.to_owned(),
            text::name(&told.name).into_owned(),
            more.key().to_owned(),
            more.content(),
            processes(&pids),
            told.mode.clone(),
            text::user(told.uid),
        ]
    };
    let rows: Vec<_> = all.iter().map(row).collect();
    text::table(&["KIND", "NAME", "KEY", "CONTENT", "LAST USED BY", "MODE", "OWNER"], &rows)
}

/// A process, if it is one: its number, and its name if it still lives.
pub(crate) fn process(pid: i32) -> Option<String> {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    match text::name(name.trim_end()) {
        _ if pid == 0 => None,
        name if name.is_empty() => Some(pid.to_string()),
        name => Some(format!("{pid} ({name})")),
    }
}

fn processes(pids: &[i32]) -> String {
    pids.iter().filter_map(|&pid| process(pid)).collect::<Vec<_>>().join(", ")
}

/// How long ago.
pub(crate) fn ago(seconds: i64) -> String {
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

/// Whether it is named as the kernel's objects are.
pub(crate) fn is_name(name: &str) -> bool {
    sysv::is_name(name) || posix::is_name(name)
}

fn absent(name: &str) -> Failure {
    let what = format!("there is no {}: madang ls --kernel lists those that are", text::name(name));
    Failure::new(libc::ENOENT, what)
}

fn explain(name: &str, error: madang::Error) -> Failure {
    if error.errno() == libc::ENOENT { absent(name) } else { error.into() }
}

impl Object {
    /// The one of that name.
    pub(crate) fn named(name: &str) -> Result<Self> {
        if posix::is_name(name) {
            return posix::Object::named(name).map(Self::Posix);
        }
        sysv::Object::named(name).map(Self::Sysv)
    }

    fn told(&self) -> madang::Result<Told> {
        match self {
            Self::Sysv(object) => object.told(),
            Self::Posix(object) => object.told(),
        }
    }

    /// All there is to know of it.
    pub(crate) fn stat(&self, name: &str, json: bool) -> Result<()> {
        let told = self.told().map_err(|error| explain(name, error))?;
        if json {
            return text::print_json(&told);
        }
        let more = told.more();
        let mut lines = format!("{}: {}\n", text::name(&told.name), more.noun());
        let owner = format!("{}, group {}, mode {}", text::user(told.uid), text::group(told.gid), told.mode);
        for (what, value) in more.lines().into_iter().chain([("owner", owner)]) {
            lines += &format!("  {what:<13}{value}\n");
        }
        if let Some(parts) = more.parts() {
            lines += &format!("\n{parts}");
        }
        text::print(&lines)
    }

    /// Removes it; what has content, or users, only by force.
    pub(crate) fn remove(&self, name: &str, force: bool) -> Result<()> {
        if !force {
            let refuse = |errno, why: String| {
                Err(Failure::new(errno, format!("rm {}: {why}: --force removes it all the same", text::name(name))))
            };
            match self.told() {
                Ok(told) => {
                    if let Some(why) = told.more().in_use() {
                        return refuse(libc::EBUSY, why);
                    }
                }
                Err(error) if error.errno() == libc::ENOENT => return Err(absent(name)),
                Err(error) => return refuse(error.errno(), format!("it can't be looked into ({})", error.message())),
            }
        }
        let removed = match self {
            Self::Sysv(object) => object.remove(),
            Self::Posix(object) => object.remove(),
        };
        removed.map_err(|error| explain(name, error))
    }
}
