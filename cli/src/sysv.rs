//! System V's objects that are served from shared memory: `madang ls --ipcs`, `madang mk`, `madang rm -q`, as `ipcs`, `ipcmk` and `ipcrm` do
//! with the kernel's.
//!
//! Each is an object of madang's, too: its file has the name `sysv.id.0000002a`, by its identifier, and mostly a second one, by its
//! key.

use std::hash::{BuildHasher, Hasher, RandomState};

use madang::shared::sysv::{Permissions, msg, sem, shm};
use madang::{Kind, Listed};

use crate::args::{Mk, SysvNames};
use crate::failure::{Failure, Result};
use crate::objects::each;
use crate::text;

/// One of the three kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sysv {
    Queue,
    Memory,
    Set,
}

/// Which one: by its identifier, or by its key.
#[derive(Clone, Copy, Debug)]
enum Which {
    Id(i32),
    Key(i32),
}

/// What has a name of System V's, `sysv.id.` or `sysv.key.`, and the number in hexadecimal.
fn number(name: &str, prefix: &str) -> Option<i32> {
    let digits = name.strip_prefix(prefix).filter(|digits| digits.len() == 8)?;
    u32::from_str_radix(digits, 16).ok().map(u32::cast_signed)
}

/// Whether it has such a name.
pub(crate) fn is_name(name: &str) -> bool {
    ["sysv.id.", "sysv.key."].iter().any(|prefix| number(name, prefix).is_some())
}

/// Whether it was found by its key, and so by its identifier, too.
pub(crate) fn is_second_name(listed: &Listed) -> bool {
    let may_be_by_key = matches!(listed.kind, Kind::Queue | Kind::SemaphoreSet | Kind::Memory);
    may_be_by_key && number(&listed.name, "sysv.key.").is_some()
}

/// The object that bears such a name.
pub(crate) fn identifier(kind: Kind, name: &str) -> Option<(Sysv, i32)> {
    let kind = match kind {
        Kind::Queue => Sysv::Queue,
        Kind::SemaphoreSet => Sysv::Set,
        Kind::Memory => Sysv::Memory,
        _ => return None,
    };
    let by_key = || kind.find(number(name, "sysv.key.")?).ok();
    Some((kind, number(name, "sysv.id.").or_else(by_key)?))
}

/// Whether shared memory is attached by anybody.
pub(crate) fn attached(name: &str) -> madang::Result<Option<String>> {
    let Some((_, id)) = identifier(Kind::Memory, name) else { return Ok(None) };
    let attachments = match shm::list()?.into_iter().find(|status| status.permissions.id == id) {
        Some(status) => status.attachments,
        None => 0,
    };
    Ok((attachments > 0).then(|| format!("there is {}", text::count(attachments, "attachment"))))
}

impl Sysv {
    fn noun(self) -> &'static str {
        match self {
            Self::Queue => "message queue",
            Self::Memory => "shared memory segment",
            Self::Set => "semaphore set",
        }
    }

    /// The identifier of what has that key.
    fn find(self, key: i32) -> madang::Result<i32> {
        match self {
            Self::Queue => msg::msgget(key, 0),
            Self::Memory => shm::shmget(key, 0, 0),
            Self::Set => sem::semget(key, 0, 0),
        }
    }

    pub(crate) fn remove(self, id: i32) -> Result<()> {
        let removed = match self {
            Self::Queue => msg::remove(id),
            Self::Memory => shm::remove(id),
            Self::Set => sem::remove(id),
        };
        removed.map_err(|error| match error.errno() {
            libc::EINVAL | libc::EIDRM => {
                let what = format!(
                    "there is no {} with the identifier {id}: madang ls --ipcs lists those that are",
                    self.noun()
                );
                Failure::new(libc::ENOENT, what)
            }
            _ => error.into(),
        })
    }

    fn remove_one(self, which: Which) -> Result<()> {
        match which {
            Which::Id(id) => self.remove(id),
            Which::Key(key) => self.remove(self.find(key)?),
        }
    }
}

/// As `ipcrm`: whatever they hold, whoever uses them.
pub(crate) fn remove(names: &SysvNames) -> Result<()> {
    let all = [
        (Sysv::Memory, &names.shmem_ids, &names.shmem_keys),
        (Sysv::Queue, &names.queue_ids, &names.queue_keys),
        (Sysv::Set, &names.semaphore_ids, &names.semaphore_keys),
    ];
    let all = all.into_iter().flat_map(|(kind, ids, keys)| {
        let ids = ids.iter().map(move |&id| (kind, Which::Id(id)));
        ids.chain(keys.iter().map(move |&key| (kind, Which::Key(key))))
    });
    each(&all.collect::<Vec<_>>(), |&(kind, which)| kind.remove_one(which))
}

/// As `ipcmk`.
pub(crate) fn make(args: &Mk) -> Result<()> {
    let flags = libc::IPC_CREAT | libc::IPC_EXCL | args.mode.cast_signed();
    if let Some(size) = args.shmem {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let id = with_new_key(|key| shm::shmget(key, size, flags))?;
        text::print(&format!("Shared memory id: {id}\n"))?;
    }
    if args.queue {
        let id = with_new_key(|key| msg::msgget(key, flags))?;
        text::print(&format!("Message queue id: {id}\n"))?;
    }
    if let Some(count) = args.semaphore {
        let count = i32::try_from(count).unwrap_or(i32::MAX);
        let id = with_new_key(|key| sem::semget(key, count, flags))?;
        text::print(&format!("Semaphore id: {id}\n"))?;
    }
    Ok(())
}

/// Makes something under a key that nothing has.
fn with_new_key(make: impl Fn(i32) -> madang::Result<i32>) -> madang::Result<i32> {
    loop {
        // It is as random as a hash map needs it.
        let key = (RandomState::new().build_hasher().finish() as u32).cast_signed();
        if key == libc::IPC_PRIVATE {
            continue;
        }
        match make(key) {
            Err(error) if error.errno() == libc::EEXIST => {}
            made => return made,
        }
    }
}

/// All there are, exactly as util-linux's `ipcs` prints the kernel's.
pub(crate) fn ipcs() -> Result<String> {
    let mut text = "\n------ Message Queues --------\n".to_owned();
    text += &format!(
        "{:<10} {:<10} {:<10} {:<10} {:<12} {:<12}\n",
        "key", "msqid", "owner", "perms", "used-bytes", "messages"
    );
    for msg::Status { permissions, bytes, messages, .. } in msg::list()? {
        text += &format!("{} {bytes:<12} {messages:<12}\n", begin(&permissions));
    }
    text += "\n------ Shared Memory Segments --------\n";
    text += &format!(
        "{:<10} {:<10} {:<10} {:<10} {:<10} {:<10} {:<12}\n",
        "key", "shmid", "owner", "perms", "bytes", "nattch", "status"
    );
    for shm::Status { permissions, size, attachments, removed, .. } in shm::list()? {
        let removed = if removed { "dest" } else { "" };
        text += &format!("{} {size:<10} {attachments:<10} {removed:<6} {:<6}\n", begin(&permissions), "");
    }
    text += "\n------ Semaphore Arrays --------\n";
    text += &format!("{:<10} {:<10} {:<10} {:<10} {:<10}\n", "key", "semid", "owner", "perms", "nsems");
    for sem::Status { permissions, semaphores, .. } in sem::list()? {
        text += &format!("{} {semaphores:<10}\n", begin(&permissions));
    }
    Ok(text + "\n")
}

/// What the lines of all kinds begin with.
fn begin(permissions: &Permissions) -> String {
    let Permissions { key, id, uid, mode, .. } = permissions;
    format!("{key:#010x} {id:<10} {:<10.10} {mode:<10o}", text::user(*uid))
}
