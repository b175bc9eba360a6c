//! System V shared memory: `shmget`, `shmat`, `shmdt`, `shmctl`.
//!
//! A [`Segment`] is the object, which the kernel holds; an attachment of it is a [`Mapping`], which detaches when it is
//! dropped. There may be several at once, and they outlive the `Segment`. **Removed** means marked: the memory goes with the last
//! attachment, of whatever process; the key is free at once. A program that removes a segment as soon as all have attached
//! leaves nothing behind, however it ends.

#![forbid(unsafe_code)]
use super::{Change, Key, Kind, Opening, Permissions};
use crate::error::{Error, Result};
use crate::sys::Errno;
use crate::sys::sysv as sys;
use crate::{Create, Mapping};

/// Flags of shmget(2), and bits that shmctl(2) shows beside the mode; libc doesn't have them everywhere.
const SHM_HUGETLB: i32 = 0o4000;
const SHM_NORESERVE: i32 = 0o10000;
const SHM_DEST: u32 = 0o1000;
const SHM_LOCKED: u32 = 0o2000;
/// Where the flags hold the logarithm of a huge page's size.
const HUGE_SHIFT: u32 = 26;

/// How a segment is opened; made by [`Segment::options`].
#[derive(Clone, Debug, Default)]
pub struct SegmentOptions {
    opening: Opening,
    size: u64,
    huge_pages: u64,
    no_reserve: bool,
}

impl SegmentOptions {
    /// The size in bytes: of a new segment exactly, of an existing one at least (`EINVAL` if it is smaller). 0, the default,
    /// takes an existing one as it is, and creates none.
    #[must_use]
    pub fn size(mut self, bytes: u64) -> Self {
        self.size = bytes;
        self
    }

    /// Whether it may be created; by default if it is missing.
    #[must_use]
    pub fn create(mut self, create: Create) -> Self {
        self.opening.create = create;
        self
    }

    /// The permission bits of a new segment, exactly (no umask); by default, and for 0, `0o600`.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.opening.mode = mode;
        self
    }

    /// A new segment lies in huge pages of so many bytes, such as `2 << 20`; which sizes there are stands in
    /// `/sys/kernel/mm/hugepages`, and how many pages, in `nr_hugepages` there. 0, the default, is the usual pages.
    #[doc(alias = "SHM_HUGETLB")]
    #[must_use]
    pub fn huge_pages(mut self, bytes: u64) -> Self {
        self.huge_pages = bytes;
        self
    }

    /// No swap space is set aside for a new segment: touching it may fail, with a signal, when memory is exhausted.
    #[doc(alias = "SHM_NORESERVE")]
    #[must_use]
    pub fn no_reserve(mut self, yes: bool) -> Self {
        self.no_reserve = yes;
        self
    }

    /// Opens the segment of this key, or creates it, filled with zeros (shmget(2)). Doesn't wait, and attaches nothing.
    ///
    /// # Errors
    /// `ENOENT`, `EEXIST` as [`create`](Self::create) says, or `ENOENT` where a size is missing; `EINVAL` for a bad mode, a
    /// size beyond the system's limits, an existing segment that is smaller, or huge pages of a size that the machine doesn't
    /// have; `ENOSPC` if the system's limits are reached; `ENOMEM`, also where there are too few huge pages; `EPERM` for huge
    /// pages without `CAP_IPC_LOCK` or the group `vm.hugetlb_shm_group`; `ENOSYS`.
    pub fn open(&self, key: Key) -> Result<Segment> {
        let mut opening = Opening { kind: Kind::Segment, ..self.opening };
        if self.size == 0 && opening.create == Create::IfMissing && !key.is_private() {
            opening.create = Create::Never;
        }
        let size = self.size.try_into().unwrap_or(usize::MAX);
        let flags = self.flags()?;
        let find = || sys::shm_get(key.number(), size, 0);
        let make = |create| {
            if size == 0 { Err(Errno(libc::EINVAL)) } else { sys::shm_get(key.number(), size, create | flags) }
        };
        let (id, is_new) = opening.open(key, find, make, |errno| self.explained(errno, key))?;
        Ok(Segment { id, is_new })
    }

    fn flags(&self) -> Result<i32> {
        let no_reserve = if self.no_reserve { SHM_NORESERVE } else { 0 };
        match self.huge_pages {
            0 => Ok(no_reserve),
            bytes if bytes.is_power_of_two() => {
                Ok(no_reserve | SHM_HUGETLB | (bytes.trailing_zeros() << HUGE_SHIFT) as i32)
            }
            bytes => {
                let what = format!("huge pages of {bytes} bytes: it is a power of two, as in /sys/kernel/mm/hugepages");
                Err(Error::new(libc::EINVAL, what))
            }
        }
    }

    #[cold]
    fn explained(&self, errno: i32, key: Key) -> Option<String> {
        let (size, huge) = (self.size, self.huge_pages);
        let exists = || !key.is_private() && sys::shm_get(key.number(), 0, 0).is_ok();
        Some(match errno {
            libc::ENOENT if size == 0 => "there is none of this key, and to create it, give it a size".to_owned(),
            libc::EINVAL if size == 0 => "give the new segment a size".to_owned(),
            libc::EINVAL if exists() => {
                format!("it has less than the {size} bytes that were asked for: remove it, or ask for less")
            }
            libc::EINVAL | libc::ENOENT | libc::ENOMEM if huge != 0 => format!(
                "the machine has not enough free huge pages of {huge} bytes for {size}: see /sys/kernel/mm/hugepages, and raise \
                 nr_hugepages there"
            ),
            libc::EINVAL => {
                format!("{size} bytes are more, or less, than the system allows: see kernel.shmmax (sysctl)")
            }
            libc::EPERM if huge != 0 => {
                "huge pages need CAP_IPC_LOCK, or the group that vm.hugetlb_shm_group (sysctl) names".to_owned()
            }
            _ => return None,
        })
    }
}

/// How a segment is attached; the default is for reading and writing, wherever there is room.
///
/// ```
/// use madang::sysv::{Key, shm::{AttachOptions, Segment}};
///
/// let segment = Segment::create_private(4096)?;
/// let read_only = segment.attach_with(AttachOptions::default().read_only(true))?;
/// assert!(!read_only.is_writable());
/// segment.remove()?;
/// # Ok::<(), madang::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct AttachOptions {
    address: usize,
    flags: i32,
}

impl AttachOptions {
    fn flag(mut self, flag: i32, yes: bool) -> Self {
        self.flags = if yes { self.flags | flag } else { self.flags & !flag };
        self
    }

    /// The memory can't be written through this attachment; needs permission to read only.
    #[doc(alias = "SHM_RDONLY")]
    #[must_use]
    pub fn read_only(self, yes: bool) -> Self {
        self.flag(libc::SHM_RDONLY, yes)
    }

    /// Attaches at this address, a multiple of the page size, if nothing lies there: what is mapped already is never replaced.
    /// For data that holds pointers to itself; else leave it, or 0, and the kernel finds a place.
    #[must_use]
    pub fn address(mut self, address: usize) -> Self {
        self.address = address;
        self
    }

    /// The address is rounded down to a page.
    #[doc(alias = "SHM_RND")]
    #[must_use]
    pub fn round(self, yes: bool) -> Self {
        self.flag(libc::SHM_RND, yes)
    }

    /// What lies there may be executed; needs the permission to execute (mode `0o100` and its like).
    #[doc(alias = "SHM_EXEC")]
    #[must_use]
    pub fn executable(self, yes: bool) -> Self {
        self.flag(libc::SHM_EXEC, yes)
    }
}

/// What [`Segment::stat`] tells: `struct shmid_ds` (shmctl(2)). Times are in seconds since 1970, 0 is never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The segment's identifier.
    pub id: i32,
    /// To whom it belongs, and who may do what.
    pub permissions: Permissions,
    /// Its size in bytes.
    pub size: u64,
    /// How many attachments there are, of all processes.
    pub attached: u64,
    /// The process that made it; 0 is one of another pid namespace.
    pub creator: i32,
    /// The process that attached or detached last; 0 is none, or one of another pid namespace.
    pub last_user: i32,
    /// When it was attached last.
    pub attached_at: i64,
    /// When it was detached last.
    pub detached_at: i64,
    /// When it was created, or its permissions were changed last.
    pub changed_at: i64,
    /// It goes with the last attachment.
    pub is_removed: bool,
    /// It is kept in memory ([`Segment::lock`]).
    pub is_locked: bool,
}

impl Status {
    fn new(id: i32, stat: &libc::shmid_ds) -> Self {
        let bits = super::mode_word(stat.shm_perm.mode);
        Self {
            id,
            permissions: stat.shm_perm.into(),
            size: stat.shm_segsz as u64,
            attached: stat.shm_nattch as u64,
            creator: stat.shm_cpid,
            last_user: stat.shm_lpid,
            attached_at: stat.shm_atime as i64,
            detached_at: stat.shm_dtime as i64,
            changed_at: stat.shm_ctime as i64,
            is_removed: bits & SHM_DEST != 0,
            is_locked: bits & SHM_LOCKED != 0,
        }
    }
}

/// What the system allows, and how much of it is used: [`limits`]. Pages are those of the machine (sysconf(3), `_SC_PAGESIZE`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The most segments (`kernel.shmmni`).
    pub max_segments: u64,
    /// The largest segment, in bytes (`kernel.shmmax`).
    pub max_size: u64,
    /// The smallest segment, in bytes: 1.
    pub min_size: u64,
    /// The most pages of all segments together (`kernel.shmall`).
    pub max_pages: u64,
    /// How many segments there are.
    pub segments: u64,
    /// How many pages they have.
    pub pages: u64,
    /// How many of those are in memory.
    pub resident_pages: u64,
    /// How many of those are swapped out.
    pub swapped_pages: u64,
}

/// What the system allows, and how much of it is used, in this IPC namespace (`IPC_INFO`, `SHM_INFO` of shmctl(2)).
///
/// # Errors
/// `ENOSYS`.
pub fn limits() -> Result<Limits> {
    let told = |errno| super::no_limits(errno, "limits of shared memory segments");
    let (limits, (_, used)) = (sys::shm_limits().map_err(told)?, sys::shm_info().map_err(told)?);
    Ok(Limits {
        max_segments: limits.shmmni as u64,
        max_size: limits.shmmax as u64,
        min_size: limits.shmmin as u64,
        max_pages: limits.shmall as u64,
        segments: u64::try_from(used.used_ids).unwrap_or(0),
        pages: used.shm_tot as u64,
        resident_pages: used.shm_rss as u64,
        swapped_pages: used.shm_swp as u64,
    })
}

/// All segments of this IPC namespace, as ipcs(1) shows them; before Linux 4.17 only those that the caller may read. A snapshot.
///
/// # Errors
/// `ENOSYS`.
pub fn list() -> Result<Vec<Status>> {
    let (highest, _) = sys::shm_info().map_err(|errno| super::no_limits(errno, "list shared memory segments"))?;
    Ok(super::table(highest, |index, whose| sys::shm_stat_index(index, whose).map(|(id, stat)| Status::new(id, &stat))))
}

/// A System V shared memory segment.
///
/// It is the kernel's: it lives until it is [removed](Self::remove) and nobody has it attached any more. To drop this does
/// nothing.
///
/// ```
/// use madang::sysv::{Key, shm::Segment};
///
/// let segment = Segment::options().size(4096).open(Key::PRIVATE)?;
/// let (one, other) = (segment.attach()?, segment.attach()?);
/// segment.remove()?; // it goes with the last attachment
/// one.write(0, b"hello")?;
/// let mut bytes = [0; 5];
/// other.read(0, &mut bytes)?;
/// assert_eq!(&bytes, b"hello");
/// # Ok::<(), madang::Error>(())
/// ```
#[doc(alias("shmget", "shmat", "shmdt", "shmctl"))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    id: i32,
    is_new: bool,
}

impl Segment {
    /// All defaults; change what you need, then [`open`](SegmentOptions::open).
    #[must_use]
    pub fn options() -> SegmentOptions {
        SegmentOptions::default()
    }

    /// Opens the segment of this key, which must exist, with all defaults.
    ///
    /// # Errors
    /// As [`SegmentOptions::open`].
    pub fn open(key: Key) -> Result<Self> {
        Self::options().open(key)
    }

    /// A new segment without a key, of so many bytes: others find it by its identifier.
    ///
    /// # Errors
    /// As [`SegmentOptions::open`].
    pub fn create_private(size: u64) -> Result<Self> {
        Self::options().size(size).open(Key::PRIVATE)
    }

    /// The segment of this identifier.
    ///
    /// # Errors
    /// `EINVAL` if there is none; `ENOSYS`.
    pub fn from_id(id: i32) -> Result<Self> {
        match sys::shm_stat(id) {
            Ok(_) | Err(Errno(libc::EACCES)) => Ok(Self { id, is_new: false }),
            Err(Errno(libc::EINVAL | libc::EIDRM)) => Err(super::no_such(Kind::Segment, id)),
            Err(errno) => Err(failed(id, "open", errno, |_| None)),
        }
    }

    /// Removes the segment of this key, as [`remove`](Self::remove) does.
    ///
    /// # Errors
    /// `ENOENT` if there is none; `EPERM`.
    pub fn unlink(key: Key) -> Result<()> {
        Self::open(key)?.remove()
    }

    /// Removes the segment of this identifier, as [`remove`](Self::remove) does.
    ///
    /// # Errors
    /// `EINVAL` if there is none; `EPERM`.
    #[doc(alias = "ipcrm")]
    pub fn remove_id(id: i32) -> Result<()> {
        Self::from_id(id)?.remove()
    }

    /// The identifier: who knows it may use the segment too.
    #[must_use]
    pub fn id(&self) -> i32 {
        self.id
    }

    /// Whether this very open created it.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Attaches it for reading and writing, wherever there is room.
    ///
    /// # Errors
    /// As [`attach_with`](Self::attach_with).
    pub fn attach(&self) -> Result<Mapping> {
        self.attach_with(AttachOptions::default())
    }

    /// Attaches it (shmat(2)). The mapping detaches when it is dropped; its length is the segment's size. A forked child
    /// inherits it.
    ///
    /// # Errors
    /// `EACCES` where its mode doesn't let this user do that; `EINVAL` if the address isn't a multiple of the page size, or not
    /// free; `ENOMEM`; `EIDRM` if it was removed and is not attached any more.
    pub fn attach_with(&self, options: AttachOptions) -> Result<Mapping> {
        let attach = || {
            let size = sys::shm_stat(self.id)?.shm_segsz;
            Mapping::of_sysv(self.id, size, options.address, options.flags)
        };
        attach().map_err(|errno| {
            let address = options.address;
            failed(self.id, "attach", errno, |errno| match errno {
                libc::EINVAL => Some((
                    errno,
                    format!(
                        "the address {address:#x} is not a multiple of the page size, or something is mapped there"
                    ),
                )),
                libc::ENOMEM => Some((errno, "the process has no room for it".to_owned())),
                _ => None,
            })
        })
    }

    /// Keeps it in memory once touched: it is never swapped out (`SHM_LOCK`).
    ///
    /// # Errors
    /// `EPERM` for who is neither owner nor creator, or may lock nothing; `ENOMEM` if it is larger than this process may lock
    /// (`RLIMIT_MEMLOCK`, getrlimit(2)); `EIDRM`.
    #[doc(alias = "SHM_LOCK")]
    pub fn lock(&self) -> Result<()> {
        self.set_locked("lock", true)
    }

    /// Lets it be swapped out again (`SHM_UNLOCK`).
    ///
    /// # Errors
    /// `EPERM` for who is neither owner nor creator; `EIDRM`.
    #[doc(alias = "SHM_UNLOCK")]
    pub fn unlock(&self) -> Result<()> {
        self.set_locked("unlock", false)
    }

    fn set_locked(&self, verb: &str, locks: bool) -> Result<()> {
        sys::shm_lock(self.id, locks).map_err(|errno| {
            failed(self.id, verb, errno, |errno| match errno {
                libc::ENOMEM => Some((
                    errno,
                    "it is larger than what this process may lock: raise RLIMIT_MEMLOCK (ulimit -l), or have CAP_IPC_LOCK".to_owned(),
                )),
                libc::EPERM => Some((
                    errno,
                    "only its owner and creator may, if their RLIMIT_MEMLOCK (ulimit -l) is not 0, and who has CAP_IPC_LOCK".to_owned(),
                )),
                _ => None,
            })
        })
    }

    /// What there is to tell of it (`IPC_STAT`).
    ///
    /// # Errors
    /// `EACCES` where its mode doesn't let this user read; `EIDRM`.
    pub fn stat(&self) -> Result<Status> {
        let stat = sys::shm_stat(self.id).map_err(|errno| failed(self.id, "stat", errno, |_| None))?;
        Ok(Status::new(self.id, &stat))
    }

    /// Its size in bytes.
    ///
    /// # Errors
    /// As [`stat`](Self::stat).
    pub fn size(&self) -> Result<u64> {
        Ok(self.stat()?.size)
    }

    /// Changes owner, group or permission bits (`IPC_SET`). What it leaves is what was found just before: of two who change at
    /// once, the later wins.
    ///
    /// # Errors
    /// `EPERM` for who is neither owner nor creator nor root; `EINVAL` for a bad mode; `EACCES` where its mode doesn't let this
    /// user read what is to stay; `EIDRM`.
    pub fn change(&self, change: Change) -> Result<()> {
        let mut stat = sys::shm_stat(self.id).map_err(|errno| failed(self.id, "change", errno, |_| None))?;
        change.apply(&mut stat.shm_perm)?;
        sys::shm_set(self.id, stat).map_err(|errno| failed(self.id, "change", errno, |_| None))
    }

    /// Removes it: the key is free at once, the memory goes with the last attachment.
    ///
    /// # Errors
    /// `EPERM` for who is neither owner nor creator nor root; `EIDRM` if it is gone.
    pub fn remove(&self) -> Result<()> {
        sys::shm_remove(self.id).map_err(|errno| failed(self.id, "remove", errno, |_| None))
    }
}

#[cold]
fn failed(id: i32, verb: &str, errno: Errno, more: impl FnOnce(i32) -> Option<(i32, String)>) -> Error {
    super::failed((Kind::Segment, id), verb, errno, || super::is_there(sys::shm_stat(id)), more)
}
