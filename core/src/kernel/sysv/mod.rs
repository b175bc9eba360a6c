//! System V IPC: [message queues](msg), [shared memory](shm) and [semaphore sets](sem) (sysvipc(7)).
//!
//! ```text
//! mod   what the three have in common: keys, permissions, being told of and removed
//! msg   Queue:   msgget, msgsnd, msgrcv, msgctl
//! shm   Segment: shmget, shmat, shmdt, shmctl
//! sem   Set:     semget, semop, semtimedop, semctl
//! ```
//!
//! An object is found by a [`Key`], a number that programs agree on, and lives in the kernel under an *identifier* until it is
//! removed or the machine stops (an IPC namespace, as that of a container, has its own). What one holds here is the
//! identifier: there is nothing to close, and any process that knows it may use it ([`from_id`](msg::Queue::from_id)).
//!
//! **Permissions.** An object has an owner and a creator, and nine permission bits, which are exactly those that its creator
//! gave: there is no umask. Who belongs to neither owner's nor creator's group is "other". Only owner, creator and root
//! [change](Change) or remove it. Opening asks for no permission; using does (`EACCES`).
//!
//! **Removed** objects: the kernel says `EINVAL` of an identifier that is no more, and `EIDRM` to those who wait at that
//! moment. Here it is `EIDRM` for both, since an identifier that one has was good once; only `from_id` and `remove_id`, which
//! take any number, say `EINVAL`.
//!
//! A kernel without System V IPC, or a container's filter, is `ENOSYS`.

#![forbid(unsafe_code)]
#![allow(
    clippy::unnecessary_cast,
    clippy::useless_conversion,
    clippy::cast_lossless,
    reason = "the C library's numbers are of other sizes on other machines"
)]

pub mod msg;
pub mod sem;
pub mod shm;

use std::fmt::{self, Display, Formatter};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::Create;
use crate::error::{Error, Result};
use crate::sys::Errno;
use crate::sys::sysv::Whose;

/// The number by which programs find a System V object.
///
/// ```
/// use madang::sysv::Key;
///
/// let key = Key::from(0x6d61_6461);
/// assert_eq!(Key::of_path("/", 1)?, Key::of_path("/", 1)?);
/// assert!(Key::PRIVATE.is_private() && !key.is_private());
/// # Ok::<(), madang::Error>(())
/// ```
#[doc(alias = "key_t")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(i32);

impl Key {
    /// `IPC_PRIVATE`: no key. Opened with it, a new object is made each time, which others find by its identifier only.
    #[doc(alias = "IPC_PRIVATE")]
    pub const PRIVATE: Self = Self(0);

    /// The key that `ftok(3)` makes of an existing file and a number from 0 to 255; programs in any language that name the
    /// same file get the same one.
    ///
    /// It has 8 bits of the id, 8 of the device and 16 of the inode's number, from the lowest of each. So it is not unique:
    /// **other files may give the same key** (any two whose inode numbers differ by a multiple of 65536, on one device), and
    /// **a file that is made again gives another** key. Don't let programs recreate the file, and look whether what you open is
    /// what you expect.
    ///
    /// # Errors
    /// `ENOENT`, `EACCES` and others of stat(2); `EINVAL` where the result would be [`PRIVATE`](Self::PRIVATE).
    #[doc(alias = "ftok")]
    pub fn of_path(path: impl AsRef<Path>, id: u8) -> Result<Self> {
        let path = path.as_ref();
        let file = std::fs::metadata(path).map_err(|error| {
            let errno = error.raw_os_error().unwrap_or(libc::EINVAL);
            Error::new(errno, format!("ftok {}: give it the path of a file that exists", path.display()))
        })?;
        let key = (file.ino() & 0xffff) | (file.dev() & 0xff) << 16 | u64::from(id) << 24;
        match Self(key as u32 as i32) {
            Self::PRIVATE => {
                let what = format!("ftok {}: this file and the id 0 give IPC_PRIVATE: take another id", path.display());
                Err(Error::new(libc::EINVAL, what))
            }
            key => Ok(key),
        }
    }

    /// As a number.
    #[must_use]
    pub fn number(self) -> i32 {
        self.0
    }

    /// Whether it is `IPC_PRIVATE`.
    #[must_use]
    pub fn is_private(self) -> bool {
        self == Self::PRIVATE
    }
}

impl From<i32> for Key {
    fn from(number: i32) -> Self {
        Self(number)
    }
}

/// As ipcs(1) shows it: `0x6d616461`.
impl Display for Key {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        write!(f, "{:#010x}", self.0)
    }
}

/// [`Key::of_path`] under the name that it has in C.
///
/// # Errors
/// As there.
pub fn ftok(path: impl AsRef<Path>, id: u8) -> Result<Key> {
    Key::of_path(path, id)
}

/// To whom an object belongs, and who may do what with it: `struct ipc_perm` (sysvipc(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Permissions {
    /// Its key; [`Key::PRIVATE`] for what has none.
    pub key: Key,
    /// The owner.
    pub uid: u32,
    /// The owner's group.
    pub gid: u32,
    /// Who made it: has the owner's rights too, and stays what it is.
    pub creator_uid: u32,
    /// The group of who made it.
    pub creator_gid: u32,
    /// The permission bits: read (4) and write (2), for owner, group and others, as in `0o640`.
    pub mode: u32,
    /// How often its place in the kernel's table was given away before: a part of the identifier.
    pub sequence: u32,
}

impl From<libc::ipc_perm> for Permissions {
    fn from(perm: libc::ipc_perm) -> Self {
        Self {
            key: Key(perm.__key),
            uid: perm.uid,
            gid: perm.gid,
            creator_uid: perm.cuid,
            creator_gid: perm.cgid,
            mode: mode_word(perm.mode) & MODE,
            sequence: perm.__seq as u32,
        }
    }
}

/// As the C library declares it: of 16 or 32 bits.
fn mode_word(mode: impl Into<u32>) -> u32 {
    mode.into()
}

/// The permission bits.
const MODE: u32 = 0o777;

/// What of an object's permissions is to be changed (`IPC_SET`); what isn't named stays.
///
/// ```
/// use madang::sysv::{Change, Key, msg::Queue};
///
/// let queue = Queue::open(Key::PRIVATE)?;
/// queue.change(Change::default().mode(0o640))?;
/// assert_eq!(queue.stat()?.permissions.mode, 0o640);
/// queue.remove()?;
/// # Ok::<(), madang::Error>(())
/// ```
#[doc(alias = "IPC_SET")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    mode: Option<u32>,
    uid: Option<u32>,
    gid: Option<u32>,
}

impl Change {
    /// The permission bits, at most `0o777`.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = Some(mode);
        self
    }

    /// The owner.
    #[must_use]
    pub fn uid(mut self, uid: u32) -> Self {
        self.uid = Some(uid);
        self
    }

    /// The owner's group.
    #[must_use]
    pub fn gid(mut self, gid: u32) -> Self {
        self.gid = Some(gid);
        self
    }

    fn apply(self, perm: &mut libc::ipc_perm) -> Result<()> {
        if let Some(mode) = self.mode {
            perm.mode = checked_mode(mode)? as _;
        }
        perm.uid = self.uid.unwrap_or(perm.uid);
        perm.gid = self.gid.unwrap_or(perm.gid);
        Ok(())
    }
}

fn checked_mode(mode: u32) -> Result<u32> {
    if mode & !MODE == 0 {
        return Ok(mode);
    }
    Err(Error::new(libc::EINVAL, format!("mode {mode:#o}: a System V object has nine permission bits, as in 0o600")))
}

/// The kinds of objects: what they are called, and by which limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Queue,
    Segment,
    Set,
}

impl Kind {
    fn noun(self) -> &'static str {
        match self {
            Self::Queue => "message queue",
            Self::Segment => "shared memory segment",
            Self::Set => "semaphore set",
        }
    }

    /// What may be full when one more is created.
    fn limits(self) -> &'static str {
        match self {
            Self::Queue => "kernel.msgmni",
            Self::Segment => "kernel.shmmni or kernel.shmall",
            Self::Set => "kernel.sem",
        }
    }
}

/// What an open's `create`, `mode` and key come to.
#[derive(Clone, Copy, Debug, Default)]
struct Opening {
    kind: Kind,
    create: Create,
    /// 0 is the default.
    mode: u32,
}

impl Opening {
    /// Opens or creates: the identifier, and whether it is new. `find` and `make` are the kind's `…get`, without flags to find,
    /// and with all but the mode to make; `explain` says what an errno means to the kind.
    ///
    /// To know who has created it, the one that does so must ask for `IPC_EXCL`. So there may be some who lose the race; they
    /// look again.
    fn open(
        self,
        key: Key,
        find: impl Fn() -> std::result::Result<i32, Errno>,
        make: impl Fn(i32) -> std::result::Result<i32, Errno>,
        explain: impl Fn(i32) -> Option<String>,
    ) -> Result<(i32, bool)> {
        let mode = if self.mode == 0 { 0o600 } else { checked_mode(self.mode)? } as i32;
        let during = |verb: &str, errno: Errno| self.failed(verb, key, errno, explain(errno.0));
        if key.is_private() {
            if self.create == Create::Never {
                let what = format!(
                    "open {}: IPC_PRIVATE always makes a new one; give the key of one that exists",
                    self.kind.noun()
                );
                return Err(Error::new(libc::EINVAL, what));
            }
            return Ok((make(mode | libc::IPC_CREAT).map_err(|errno| during("create", errno))?, true));
        }
        for _ in 0..RACES {
            if self.create != Create::Only {
                match find() {
                    Ok(id) => return Ok((id, false)),
                    Err(Errno(libc::ENOENT)) if self.create == Create::IfMissing => {}
                    Err(errno) => return Err(during("open", errno)),
                }
            }
            match make(mode | libc::IPC_CREAT | libc::IPC_EXCL) {
                Ok(id) => return Ok((id, true)),
                Err(Errno(libc::EEXIST)) if self.create == Create::IfMissing => {}
                Err(errno) => return Err(during("create", errno)),
            }
        }
        let what = format!("open {} {key}: others keep making and removing it: try again", self.kind.noun());
        Err(Error::new(libc::EBUSY, what))
    }

    #[cold]
    fn failed(self, verb: &str, key: Key, errno: Errno, explained: Option<String>) -> Error {
        let noun = self.kind.noun();
        let what = explained.unwrap_or_else(|| match errno.0 {
            libc::ENOENT => "there is none of this key".to_owned(),
            libc::EEXIST => "there is one of this key already".to_owned(),
            libc::EACCES => FORBIDDEN.to_owned(),
            libc::ENOSPC => {
                let limits = self.kind.limits();
                format!("the system's limit is reached: remove some (ipcs shows them), or raise {limits} (sysctl)")
            }
            other => common(other).to_owned(),
        });
        Error::new(errno.0, format!("{verb} {noun} {key}: {what}"))
    }
}

/// How often an object may vanish, or appear, while it is opened.
const RACES: usize = 1000;

/// `EACCES`, of any kind.
const FORBIDDEN: &str = "its mode does not permit it to this user";
const REMOVED: &str = "it was removed";

/// What an errno means for every kind.
fn common(errno: i32) -> &'static str {
    match errno {
        libc::ENOSYS => {
            "this kernel has no System V IPC, or the container's filter forbids it; madang's own queues and segments need none"
        }
        libc::EACCES => FORBIDDEN,
        libc::EPERM => "only its owner, its creator and root may do that",
        libc::EIDRM => REMOVED,
        libc::EINTR => "a signal handler ran while waiting; nothing was done",
        libc::ENOMEM => "the kernel has no memory for it",
        _ => "it failed",
    }
}

/// An object of this identifier that fails: what was done, and why it failed. `exists` tells whether it is there at all; `more`
/// what the errno means to the call.
#[cold]
fn failed(
    (kind, id): (Kind, i32),
    verb: &str,
    errno: Errno,
    exists: impl Fn() -> bool,
    more: impl FnOnce(i32) -> Option<(i32, String)>,
) -> Error {
    let noun = kind.noun();
    let (errno, what) = match errno.0 {
        libc::EINVAL if !exists() => (libc::EIDRM, REMOVED.to_owned()),
        errno => more(errno).unwrap_or_else(|| (errno, common(errno).to_owned())),
    };
    Error::new(errno, format!("{verb} {noun} {id}: {what}"))
}

/// Whether a look at an identifier finds something there, though it may be forbidden to look closer.
fn is_there<T>(looked: std::result::Result<T, Errno>) -> bool {
    !matches!(looked, Err(Errno(libc::EINVAL | libc::EIDRM)))
}

/// All that the kernel's table holds, up to the index that is the highest in use. What goes meanwhile is left out, and so is,
/// before Linux 4.17, what the caller may not read.
fn table<T>(highest: i32, look: impl Fn(i32, Whose) -> std::result::Result<T, Errno>) -> Vec<T> {
    let entry = |index| look(index, Whose::All).or_else(|_| look(index, Whose::Readable)).ok();
    (0..=highest).filter_map(entry).collect()
}

/// An object of a kind by its number, which need not exist.
#[cold]
fn no_such(kind: Kind, id: i32) -> Error {
    Error::new(
        libc::EINVAL,
        format!("{} {id}: there is none of this identifier (ipcs shows what there is)", kind.noun()),
    )
}

/// What the common calls about the limits fail with.
#[cold]
fn no_limits(errno: Errno, verb: &str) -> Error {
    Error::new(errno.0, format!("{verb}: {}", common(errno.0)))
}
