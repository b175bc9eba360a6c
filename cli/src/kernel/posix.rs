//! POSIX's objects: `posix:mq:orders`, `posix:sem:gate`, `posix:shm:frame`.
//!
//! They don't tell who used them; who has them open or mapped is looked for.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;

use madang::posix::{Listed, mq, sem, shm};
use madang::{Create, Error};
use serde::Serialize;

use super::users::{Identity, Users, identity};
use super::{More, Of, Told, absent, process, processes};
use crate::failure::Result;
use crate::objects::SHM;
use crate::text;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Queue,
    Semaphore,
    Memory,
}

/// One of them.
pub(crate) struct Object {
    kind: Kind,
    name: String,
}

/// What only these have.
#[derive(Serialize)]
pub(super) struct Posix {
    #[serde(flatten)]
    content: Content,
    /// The processes that have it open or mapped.
    users: Vec<i32>,
}

/// What depends on the kind; what may not be read is not there.
#[derive(Serialize)]
#[serde(untagged)]
enum Content {
    Queue {
        #[serde(flatten)]
        limits: Option<Limits>,
        bytes: Option<u64>,
        notified_pid: Option<u32>,
    },
    Semaphore {
        value: Option<u32>,
    },
    Memory {
        size: u64,
        allocated: u64,
    },
}

/// What a queue tells to who may read it.
#[derive(Serialize)]
struct Limits {
    messages: u64,
    max_messages: u64,
    max_message_size: u64,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Queue, Self::Semaphore, Self::Memory];

    fn word(self) -> &'static str {
        match self {
            Self::Queue => "posix-mq",
            Self::Semaphore => "posix-sem",
            Self::Memory => "posix-shm",
        }
    }

    /// What is before the name: `posix:mq:`.
    fn prefix(self) -> String {
        format!("{}:", self.word().replace('-', ":"))
    }
}

/// What it is, and its name.
fn parts(name: &str) -> Option<(Kind, &str)> {
    let part = |kind: Kind| Some((kind, name.strip_prefix(&kind.prefix())?));
    Kind::ALL.into_iter().find_map(part).filter(|(_, name)| !name.is_empty() && !name.contains('/'))
}

/// Whether it is named as these are.
pub(super) fn is_name(name: &str) -> bool {
    parts(name).is_some()
}

/// All that can be seen.
pub(super) fn all() -> Result<Vec<Told>> {
    let queues = match mq::list() {
        // Their file system is not mounted.
        Err(error) if error.errno() == libc::ENOENT => Vec::new(),
        listed => listed?,
    };
    let with = |kind: Kind, listed: Vec<Listed>| listed.into_iter().map(move |listed| (kind, listed));
    let all =
        with(Kind::Queue, queues).chain(with(Kind::Semaphore, sem::list()?)).chain(with(Kind::Memory, shm::list()?));
    let all: Vec<_> = all.filter_map(|(kind, listed)| Found::listed(kind, listed)).collect();
    let users = Users::of(all.iter().filter_map(|found| found.identity));
    Ok(all.into_iter().map(|found| found.told(&users)).collect())
}

/// One, before it was looked for who uses it.
struct Found {
    kind: Kind,
    name: String,
    mode: u32,
    uid: u32,
    gid: u32,
    content: Content,
    /// If it may be known.
    identity: Option<Identity>,
}

impl Found {
    fn at(kind: Kind, name: &str) -> madang::Result<Self> {
        if kind == Kind::Queue {
            return Self::queue(name);
        }
        let prefix = if kind == Kind::Semaphore { "sem." } else { "" };
        let path = format!("{SHM}/{prefix}{name}");
        let file = fs::symlink_metadata(&path).map_err(|error| failed(&format!("stat {path:?}"), &error))?;
        if !file.is_file() {
            return Err(Error::new(libc::ENODEV, format!("{path:?} is not a regular file")));
        }
        let content = match kind {
            // Whose value may not be read, has none.
            Kind::Semaphore => Content::Semaphore { value: sem::Semaphore::stat(name).ok().map(|status| status.value) },
            _ => Content::Memory { size: file.len(), allocated: file.blocks() * 512 },
        };
        let (mode, uid, gid) = (file.mode() & 0o7777, file.uid(), file.gid());
        Ok(Self { kind, name: name.to_owned(), mode, uid, gid, content, identity: Some(identity(&file)) })
    }

    /// It can be seen only by who may read it.
    fn queue(name: &str) -> madang::Result<Self> {
        let queue = mq::Queue::options().create(Create::Never).access(mq::Access::Receive).open(name)?;
        let mq::QueueStatus { max_messages, max_message_size, messages, bytes, notified_pid, mode, uid, gid, .. } =
            queue.stat()?;
        let limits = Some(Limits { messages, max_messages, max_message_size });
        let content = Content::Queue { limits, bytes, notified_pid };
        let file = fs::File::from(OwnedFd::from(queue)).metadata();
        let identity = file.ok().map(|file| identity(&file));
        Ok(Self { kind: Kind::Queue, name: name.to_owned(), mode, uid, gid, content, identity })
    }

    /// One that was listed; not if it is gone by now.
    fn listed(kind: Kind, listed: Listed) -> Option<Self> {
        let Listed { name, mode, uid, gid, size, .. } = listed;
        match Self::at(kind, &name) {
            Err(error) if kind == Kind::Queue && error.errno() != libc::ENOENT => {
                let content = Content::Queue { limits: None, bytes: size, notified_pid: None };
                Some(Self { kind, name, mode, uid, gid, content, identity: None })
            }
            found => found.ok(),
        }
    }

    fn told(self, users: &Users) -> Told {
        let Self { kind, name, mode, uid, gid, content, identity } = self;
        let users = identity.map(|file| users.get(file)).unwrap_or_default();
        let more = Of::Posix(Posix { content, users });
        Told { kind: kind.word(), name: kind.prefix() + &name, mode: format!("{mode:04o}"), uid, gid, more }
    }
}

fn failed(doing: &str, error: &io::Error) -> Error {
    Error::new(error.raw_os_error().unwrap_or(libc::EIO), doing.to_owned())
}

impl More for Posix {
    fn noun(&self) -> String {
        let noun = match self.content {
            Content::Queue { .. } => "message queue",
            Content::Semaphore { .. } => "semaphore",
            Content::Memory { .. } => "shared memory object",
        };
        format!("a POSIX {noun}")
    }

    fn key(&self) -> &'static str {
        ""
    }

    fn content(&self) -> String {
        let unknown = || "not for this user".to_owned();
        match &self.content {
            Content::Queue { limits: Some(Limits { messages, max_messages, .. }), bytes, .. } => {
                let bytes = bytes.map_or_else(String::new, |bytes| format!(", {}", text::size(bytes)));
                format!("{} of {max_messages}{bytes}", text::count(*messages, "message"))
            }
            Content::Queue { bytes, .. } => bytes.map_or_else(unknown, text::size),
            Content::Semaphore { value } => value.map_or_else(unknown, |value| format!("value {value}")),
            Content::Memory { size, .. } => text::size(*size),
        }
    }

    fn last_users(&self) -> Vec<i32> {
        self.users.clone()
    }

    fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = vec![("content", self.content())];
        match &self.content {
            Content::Queue { limits, notified_pid, .. } => {
                let longest = limits.as_ref().map(|limits| ("longest", text::size(limits.max_message_size)));
                lines.extend(longest);
                let told = notified_pid.and_then(|pid| process(pid.cast_signed()));
                lines.push(("to be told", told.unwrap_or_else(|| "nobody".to_owned())));
            }
            Content::Semaphore { .. } => {}
            Content::Memory { allocated, .. } => lines.push(("memory", text::size(*allocated))),
        }
        let users = if self.users.is_empty() { "nobody that is known".to_owned() } else { processes(&self.users) };
        lines.push(("used by", users));
        lines
    }

    fn parts(&self) -> Option<String> {
        None
    }

    fn in_use(&self) -> Option<String> {
        let holds = match &self.content {
            Content::Queue { limits: Some(Limits { messages: messages @ 1.., .. }), .. } => {
                Some(format!("it holds {}", text::count(*messages, "message")))
            }
            _ => None,
        };
        let used = (!self.users.is_empty()).then(|| format!("it is used by {}", processes(&self.users)));
        let why: Vec<_> = holds.into_iter().chain(used).collect();
        (!why.is_empty()).then(|| why.join(", and "))
    }
}

impl Object {
    /// Whether there is one shows when it is used.
    pub(super) fn named(name: &str) -> Result<Self> {
        let (kind, name) = parts(name).ok_or_else(|| absent(name))?;
        Ok(Self { kind, name: name.to_owned() })
    }

    pub(super) fn told(&self) -> madang::Result<Told> {
        let found = Found::at(self.kind, &self.name)?;
        let users = Users::of(found.identity);
        Ok(found.told(&users))
    }

    pub(super) fn remove(&self) -> madang::Result<()> {
        match self.kind {
            Kind::Queue => mq::Queue::unlink(&self.name),
            Kind::Semaphore => sem::Semaphore::unlink(&self.name),
            Kind::Memory => shm::Object::unlink(&self.name),
        }
    }
}
