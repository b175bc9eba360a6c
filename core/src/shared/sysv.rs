//! System V's calls, served from shared memory: the same meaning, without the kernel.
//!
//! ```text
//! sysv        keys, identifiers, permissions; making and removing
//!   handles   what this process has open, by identifier
//!   limits    what System V limits, and where the numbers come from
//!   msg       msgget msgsnd msgrcv msgctl
//!   sem       semget semop semctl
//!   shm       shmget shmat shmdt shmctl
//! ```
//!
//! **The file system is the registry.** A message queue is a [`Queue`](crate::Queue), a set of semaphores a
//! [`SemaphoreSet`](crate::SemaphoreSet), whose file has one name by its identifier, `sysv.id.0000002a`, and, unless it is
//! private, a second one by its key, `sysv.key.0000002a` (in hexadecimal). By these names the native API opens it too;
//! to send, receive
//! or operate on one that was removed is `EIDRM`. Whose it is, and who used it last, is written in it (`raw/sysv.rs`).
//!
//! **To make one**: the file gets its identifier's name, 31 random bits, again if that is taken; then its key's: the commit. Who loses
//! the race for the key removes his own and takes the winner's. A death between the two leaves an object that nobody can have
//! heard of; `sweep` finds it by its state, and by a byte that its maker kept locked.
//!
//! **To remove one**: its state says so, which is the commit; all who sleep are woken; then the names are taken away, the
//! key's first, each only by who holds the removal byte of the file and has seen that the name still is this file's.
//! Whoever meets one that is removed, and still has a name, does that.
//!
//! Identifiers aren't used again: the next is as random as the last.

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::left_over::LeftOvers;
use super::mapping::Home;
use super::object::{self, MAKING, Object};
use super::raw::header::ALIGNMENT;
use super::raw::sysv::{Block, Identity, SYSV};
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::mapping::Mapping;
use crate::name::{Name, PREFIX};
use crate::sys::file::Stat;
use crate::sys::{clock, file, ofd, process};

mod handles;
pub mod limits;
pub mod msg;
pub mod sem;
pub mod shm;

/// The byte that who removes an object's names keeps locked.
const REMOVING: u64 = MAKING - 1;
/// The byte that who makes an object keeps locked until it bears its key.
const NAMING: u64 = MAKING - 2;
/// How often a key may vanish or appear between two looks before that is an error.
const RACES: u32 = 1000;
/// How long who wants a key waits for one who removes what had it; that is there for some system calls.
const REMOVER_WAITED_FOR: Duration = Duration::from_secs(1);

/// Reading, as permission bits for one class have it.
const READ: u32 = 0o4;
/// Changing.
const ALTER: u32 = 0o2;
/// Executing what is in it.
const EXECUTE: u32 = 0o1;

/// What every System V object has: `struct ipc_perm`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Permissions {
    /// Its key; 0 is `IPC_PRIVATE`.
    pub key: i32,
    /// Its identifier.
    pub id: i32,
    /// The owner.
    pub uid: u32,
    /// The owner's group.
    pub gid: u32,
    /// Who made it.
    pub creator_uid: u32,
    /// His group.
    pub creator_gid: u32,
    /// The permission bits.
    pub mode: u32,
}

/// What `IPC_SET` changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The new owner. Only root can give a file away: `EPERM`.
    pub uid: u32,
    /// The new owner's group.
    pub gid: u32,
    /// The new permission bits.
    pub mode: u32,
}

/// What the kinds differ in.
#[derive(Clone, Copy, Debug)]
struct Noun {
    /// As it is called in its file's name.
    kind: &'static str,
    /// As people call it.
    noun: &'static str,
    /// Whether what was removed is used still, and keeps its identifier's name as long.
    is_used: fn(&Found) -> bool,
}

/// Once removed, it is gone for everybody.
fn never(_: &Found) -> bool {
    false
}

impl Noun {
    fn by_id(self, id: i32) -> Result<Name> {
        if id < 0 {
            return Err(self.unknown(id));
        }
        Name::object(self.kind, &format!("sysv.id.{id:08x}"))
    }

    fn by_key(self, key: i32) -> Result<Name> {
        Name::object(self.kind, &format!("sysv.key.{key:08x}"))
    }

    #[cold]
    fn unknown(self, id: i32) -> Error {
        let what = format!("there is no {} with the identifier {id}: it was removed, or never made", self.noun);
        Error::new(libc::EINVAL, what)
    }

    /// It was removed between two looks.
    #[cold]
    fn if_gone(self, id: i32, error: Error) -> Error {
        if error.errno() == libc::ENOENT { self.unknown(id) } else { error }
    }

    #[cold]
    fn none_at(self, index: i32) -> Error {
        Error::new(libc::EINVAL, format!("there is no {} at index {index}", self.noun))
    }

    #[cold]
    fn refused(self, id: i32) -> Error {
        let what = format!("{} {id}: its mode doesn't permit this user to use it so", self.noun);
        Error::new(libc::EACCES, what)
    }
}

/// An object's file, opened only to look at it.
#[derive(Debug)]
struct Found {
    fd: OwnedFd,
    stat: Stat,
    block: Home<Block>,
}

impl Found {
    /// What bears that name.
    fn at(name: &Name) -> Result<Self> {
        let options = object::Options { any_owner: true, ..object::Options::default() };
        let Object { fd, stat, .. } = object::find(name, options)?;
        Self::of(name, fd, stat)
    }

    fn of(name: &Name, fd: OwnedFd, stat: Stat) -> Result<Self> {
        let strange = || Error::new(libc::EUCLEAN, format!("{name}: it wasn't made by a System V call: remove it"));
        if stat.size < ALIGNMENT {
            return Err(strange());
        }
        let mapping = Mapping::of_file(fd.as_fd(), 0, ALIGNMENT, true)
            .map_err(|errno| errno.during(format!("open {name}: mmap")))?;
        let block: Home<Block> = Home::new(Arc::new(mapping), SYSV).expect("it lies in the header");
        if block.is_there() { Ok(Self { fd, stat, block }) } else { Err(strange()) }
    }

    fn permissions(&self) -> Permissions {
        permissions(&self.block)
    }

    /// Takes its names away, if it was removed: its key's, and its identifier's unless it is used still. `false` if another is
    /// at it, and isn't done soon.
    fn take_names_away(&self, noun: Noun) -> Result<bool> {
        if !self.block.is_removed() {
            return Ok(true);
        }
        for _ in 0..RACES {
            if ofd::try_lock(self.fd.as_fd(), REMOVING).unwrap_or(false) {
                let taken = self.take_key_away(noun).and_then(|()| self.take_identifier_away(noun));
                let _ = ofd::unlock(self.fd.as_fd(), REMOVING);
                return taken.map(|()| true);
            }
            // Another does it.
            process::yield_now();
        }
        Ok(false)
    }

    fn take_key_away(&self, noun: Noun) -> Result<()> {
        match self.block.key.get() as i32 {
            libc::IPC_PRIVATE => Ok(()),
            key => self.take_away(&noun.by_key(key)?),
        }
    }

    fn take_identifier_away(&self, noun: Noun) -> Result<()> {
        if (noun.is_used)(self) {
            return Ok(());
        }
        self.take_away(&noun.by_id(self.block.id.get() as i32)?)?;
        if noun.kind == shm::KIND {
            shm::give_back(self);
        }
        Ok(())
    }

    fn take_away(&self, name: &Name) -> Result<()> {
        match self.bears(name).then(|| object::unlink(name)) {
            Some(Err(error)) if error.errno() != libc::ENOENT => Err(error),
            _ => Ok(()),
        }
    }

    fn bears(&self, name: &Name) -> bool {
        file::look(name.path()).is_ok_and(|stat| stat.identity == self.stat.identity)
    }

    /// Whether its maker died before it had its key. (In this order: who isn't at it any more has given it its name, or never will.)
    fn is_left_half_made(&self, noun: Noun) -> Result<bool> {
        let is_left = self.block.is_being_made() && !ofd::is_locked(self.fd.as_fd(), NAMING).unwrap_or(true);
        Ok(is_left && !self.bears(&noun.by_key(self.block.key.get() as i32)?))
    }
}

fn permissions(block: &Block) -> Permissions {
    Permissions {
        key: block.key.get() as i32,
        id: block.id.get() as i32,
        uid: block.uid.get(),
        gid: block.gid.get(),
        creator_uid: block.creator_uid.get(),
        creator_gid: block.creator_gid.get(),
        mode: block.mode.get(),
    }
}

impl Permissions {
    /// Whether the caller may do that, as `ipcperms` in the kernel judges: his class's bits alone.
    fn permit(&self, wanted: u32) -> bool {
        let (uid, gid) = process::effective_ids();
        let is_in = |group| group == gid || process::has_group(group);
        let shift = if uid == self.uid || uid == self.creator_uid {
            6
        } else if is_in(self.gid) || is_in(self.creator_gid) {
            3
        } else {
            0
        };
        uid == 0 || wanted & !(self.mode >> shift) & 0o7 == 0
    }

    /// Whether the caller may change or remove it.
    fn may_be_changed(&self) -> bool {
        let (uid, _) = process::effective_ids();
        uid == 0 || uid == self.uid || uid == self.creator_uid
    }
}

/// What the caller may do with an object, as it was last judged: to ask who he is takes system calls. (A process that becomes another
/// user goes on with what it was judged by, until the permissions change: so it is with an open file.)
///
/// A forked child is judged anew: mostly it is there that a program becomes another user.
///
/// ```text
///   63 ... 32   31 ... 4   3        2 .. 0
///   version     epoch      judged   bits
/// ```
#[derive(Debug, Default)]
struct Judged(AtomicU64);

impl Judged {
    const IS_JUDGED: u64 = 1 << 3;
    const BITS: u64 = 0o7;

    #[inline]
    fn permit(&self, block: &Block, wanted: u32) -> bool {
        let epoch = process::epoch() << 4 & u64::from(u32::MAX);
        let situation = u64::from(block.version.get()) << 32 | epoch | Self::IS_JUDGED;
        let judged = self.0.load(Ordering::Relaxed);
        let bits = if judged & !Self::BITS == situation { judged } else { self.judge(block, situation) };
        u64::from(wanted) & !bits & Self::BITS == 0
    }

    #[cold]
    fn judge(&self, block: &Block, situation: u64) -> u64 {
        let told = permissions(block);
        let bits = u64::from([READ, ALTER, EXECUTE].iter().filter(|&&bit| told.permit(bit)).sum::<u32>());
        self.0.store(situation | bits, Ordering::Relaxed);
        bits
    }
}

/// The permission bits of the file: who may do anything with the object must read and write it.
fn file_mode(mode: u32) -> u32 {
    let bits = [6, 3, 0].map(|shift| if mode >> shift & 0o6 != 0 { 0o6 << shift } else { 0 });
    // The owner can always be asked who he is; what the object's mode denies is denied in the object.
    0o600 | bits.iter().sum::<u32>()
}

/// Makes an object of that name, with that mode, to be described further before anybody sees it. `EEXIST` if the name is taken.
type Make<'a> = &'a dyn Fn(&Name, u32, Describe) -> Result<Object>;
/// Writes into a new object what System V keeps of it.
type Describe<'a> = &'a dyn Fn(BorrowedFd, &Arc<Mapping>);

/// What `…get` needs to know of a kind.
struct Get<'a> {
    noun: Noun,
    key: i32,
    flags: i32,
    make: Make<'a>,
    /// Whether an existing one is what is asked for.
    fits: &'a dyn Fn(&Name, &Found) -> Result<()>,
}

impl Get<'_> {
    /// The identifier of the object of that key, which is made if need be.
    fn id(&self) -> Result<i32> {
        if self.key == libc::IPC_PRIVATE {
            return self.make_private();
        }
        let name = self.noun.by_key(self.key)?;
        let mut deadline = None;
        for _ in 0..RACES {
            match Found::at(&name) {
                Ok(found) if found.block.is_removed() => {
                    if !found.take_names_away(self.noun)? {
                        self.wait_for_remover(*deadline.get_or_insert_with(|| Deadline::after(REMOVER_WAITED_FOR)))?;
                    }
                }
                Ok(found) if !found.block.is_complete() => {}
                // No call finds it by its identifier, so the key must not lead to that.
                Ok(found) if self.is_lost(&found)? => {
                    found.block.remove();
                    found.take_names_away(self.noun)?;
                }
                Ok(found) => return self.existing(&name, &found),
                Err(error) if error.errno() == libc::EACCES => return self.hidden(&name, error),
                Err(error) if error.errno() != libc::ENOENT => return Err(error),
                Err(_) if self.flags & libc::IPC_CREAT == 0 => {
                    let what = format!("there is no {} with the key {:#x}", self.noun.noun, self.key);
                    return Err(Error::new(libc::ENOENT, what));
                }
                Err(_) => match self.make_with_key(&name) {
                    Err(error) if error.errno() == libc::EEXIST => {}
                    made => return made,
                },
            }
        }
        Err(Error::new(libc::EBUSY, format!("key {:#x}: others keep making and removing it: try again", self.key)))
    }

    fn wait_for_remover(&self, deadline: Deadline) -> Result<()> {
        if deadline.has_passed() {
            let what = "another process removes what had it, and doesn't get on (is it stopped?)";
            return Err(Error::new(libc::EBUSY, format!("key {:#x}: {what}", self.key)));
        }
        // A signal's handler may run meanwhile.
        let _ = clock::sleep(Duration::from_millis(1));
        Ok(())
    }

    /// Whether what bears this key has lost its identifier's name, without which no call finds it: to somebody who unlinked that as any
    /// file. (It has it before it has the key, and keeps it longer.)
    fn is_lost(&self, found: &Found) -> Result<bool> {
        let told = found.permissions();
        if told.key != self.key {
            return Ok(false);
        }
        let name = self.noun.by_id(told.id)?;
        match file::look(name.path()) {
            Ok(stat) => Ok(stat.identity != found.stat.identity),
            Err(errno) if errno.0 == libc::ENOENT => Ok(true),
            Err(errno) => Err(errno.during(format!("look at {name}"))),
        }
    }

    fn existing(&self, name: &Name, found: &Found) -> Result<i32> {
        let told = found.permissions();
        if told.key != self.key {
            let what = format!("{name}: it says that its key is {:#x}: remove it", told.key);
            return Err(Error::new(libc::EUCLEAN, what));
        }
        if self.only_creates() {
            return Err(self.exists());
        }
        // In this order: as the kernel.
        (self.fits)(name, found)?;
        if !told.permit(self.wanted()) {
            return Err(self.noun.refused(told.id));
        }
        Ok(told.id)
    }

    /// What the caller may not even look at. Who wants nothing of it is told its identifier all the same.
    #[cold]
    fn hidden(&self, name: &Name, error: Error) -> Result<i32> {
        if self.only_creates() {
            return Err(self.exists());
        }
        if self.wanted() != 0 {
            return Err(error);
        }
        let looked = file::look(name.path()).map_err(|errno| errno.during(format!("look at {name}")))?;
        let identity = |name: Name| file::look(name.path()).ok().map(|stat| stat.identity);
        let is_it = |&id: &i32| self.noun.by_id(id).ok().and_then(identity) == Some(looked.identity);
        identifiers(self.noun)?.into_iter().find(is_it).ok_or(error)
    }

    fn only_creates(&self) -> bool {
        self.flags & libc::IPC_CREAT != 0 && self.flags & libc::IPC_EXCL != 0
    }

    #[cold]
    fn exists(&self) -> Error {
        let (noun, key) = (self.noun.noun, self.key);
        Error::new(libc::EEXIST, format!("there is a {noun} with the key {key:#x}, and the call only creates"))
    }

    /// The permission bits that the caller asks for, whatever class they are written for.
    fn wanted(&self) -> u32 {
        let flags = self.flags as u32;
        (flags >> 6 | flags >> 3 | flags) & 0o7
    }

    fn make_private(&self) -> Result<i32> {
        self.make_with_id().map(|(id, ..)| id)
    }

    fn make_with_key(&self, key_name: &Name) -> Result<i32> {
        // Its lock goes with the descriptor, at the end.
        let (id, name, Object { fd, stat, .. }) = self.make_with_id()?;
        let found = Found::of(&name, fd, stat)?;
        match file::link(name.path(), key_name.path()) {
            Ok(()) if found.block.is_complete() => Ok(id),
            // Somebody found it, used it and removed it already.
            Ok(()) => {
                found.take_names_away(self.noun)?;
                Err(Error::new(libc::EEXIST, "it was removed while it was made".to_owned()))
            }
            Err(errno) => {
                found.block.remove();
                found.take_names_away(self.noun)?;
                Err(errno.during(format!("link {:?}", key_name.path())))
            }
        }
    }

    /// Makes one under a new identifier.
    fn make_with_id(&self) -> Result<(i32, Name, Object)> {
        let (uid, gid) = process::effective_ids();
        let mode = self.flags as u32 & 0o777;
        for _ in 0..RACES {
            let id = (process::random() & 0x7fff_ffff) as u32;
            let name = self.noun.by_id(id as i32)?;
            let identity = Identity { id, key: self.key as u32, uid, gid, mode, now: clock::coarse_s() };
            let describe = |fd: BorrowedFd, mapping: &Arc<Mapping>| {
                // Without locks there is no sweeping either.
                let _ = ofd::try_lock(fd, NAMING);
                Home::<Block>::new(mapping.clone(), SYSV).expect("it lies in the header").begin(&identity);
            };
            let make = || (self.make)(&name, file_mode(mode), &describe);
            let made = match make() {
                // Perhaps the dead have what is missing.
                Err(error) if error.errno() == libc::ENOSPC && sweep().is_ok_and(|swept| swept.files > 0) => make(),
                made => made,
            };
            match made {
                Err(error) if error.errno() == libc::EEXIST => {}
                made => return made.map(|object| (id as i32, name, object)),
            }
        }
        Err(Error::new(libc::ENOSPC, "there is no identifier left".to_owned()))
    }
}

/// The object of that identifier, which isn't removed.
fn find(noun: Noun, id: i32) -> Result<Found> {
    match Found::at(&noun.by_id(id)?) {
        Ok(found) if found.block.id.get() as i32 != id => {
            let what = format!("{} {id}: it says that its identifier is another: remove it", noun.noun);
            Err(Error::new(libc::EUCLEAN, what))
        }
        Ok(found) if found.block.is_removed() => {
            let _ = found.take_names_away(noun);
            Err(noun.unknown(id))
        }
        Ok(found) => Ok(found),
        Err(error) if error.errno() == libc::ENOENT => Err(noun.unknown(id)),
        Err(error) => Err(error),
    }
}

/// The process ends: what it has is given back as soon as that can be, for nobody to look for it.
pub fn end() {
    sem::end();
    shm::end();
}

/// `IPC_SET`, but for what only one kind has.
fn change(noun: Noun, found: &Found, id: i32, change: &Change) -> Result<()> {
    let (told, block) = (found.permissions(), &found.block);
    if !told.may_be_changed() {
        return Err(not_yours(noun, id));
    }
    let fd = found.fd.as_fd();
    let changes_owner = (change.uid, change.gid) != (told.uid, told.gid);
    if changes_owner {
        file::set_owner(fd, change.uid, change.gid)
            .map_err(|errno| errno.during(format!("{} {id}: only root gives a file away", noun.noun)))?;
    }
    let mode = told.mode & !0o777 | change.mode & 0o777;
    file::set_mode(fd, file_mode(mode)).map_err(|errno| {
        errno.during(format!("{} {id}: only the owner of its file, and root, changes it", noun.noun))
    })?;
    block.uid.set(change.uid);
    block.gid.set(change.gid);
    block.mode.set(mode);
    block.version.add(1);
    block.changed.set(clock::coarse_s());
    Ok(())
}

/// `IPC_RMID`: it is gone for everybody, whom `wake` wakes.
fn remove(noun: Noun, block: &Block, id: i32, wake: impl FnOnce()) -> Result<()> {
    if !permissions(block).may_be_changed() {
        return Err(not_yours(noun, id));
    }
    // Before the commit: then its name can't lead elsewhere.
    let found = find(noun, id)?;
    if !block.remove() {
        return Err(noun.unknown(id));
    }
    wake();
    // A directory that keeps others' names, or a death here: the next who meets it goes on.
    let _ = found.take_names_away(noun);
    Ok(())
}

#[cold]
fn not_yours(noun: Noun, id: i32) -> Error {
    Error::new(libc::EPERM, format!("{} {id}: only owner, creator and root change or remove it", noun.noun))
}

/// Who may not even open it isn't its owner.
fn if_hidden_not_yours<T>(noun: Noun, id: i32, done: Result<T>) -> Result<T> {
    done.map_err(|error| if error.errno() == libc::EACCES { not_yours(noun, id) } else { error })
}

/// What is done with what may be left over, and whether it is.
type Sweep = fn(&Found, Noun) -> Result<bool>;

impl Found {
    /// Whether it was removed and bears a name still, or somebody died at it who made it.
    fn is_left_over(&self, noun: Noun) -> Result<bool> {
        Ok(self.is_left_half_made(noun)? || self.block.is_removed() && !(noun.is_used)(self))
    }

    /// Takes it away if it is left over.
    fn sweep(&self, noun: Noun) -> Result<bool> {
        if self.is_left_half_made(noun)? {
            self.block.give_up();
        }
        self.take_names_away(noun)?;
        Ok(self.block.is_removed() && !self.bears(&noun.by_id(self.block.id.get() as i32)?))
    }
}

/// What of these is left over. What can't be looked at isn't.
fn sweep_kind(noun: Noun, ids: impl Iterator<Item = i32>, sweep: Sweep) -> LeftOvers {
    let swept = |id| {
        let found = Found::at(&noun.by_id(id)?)?;
        Ok(if sweep(&found, noun)? { LeftOvers::one(found.stat.allocated) } else { LeftOvers::default() })
    };
    ids.map(|id| swept(id).unwrap_or_else(|_: Error| LeftOvers::default())).sum()
}

fn sweep_all(sweep: Sweep) -> Result<LeftOvers> {
    let kinds = [msg::NOUN, sem::NOUN, shm::NOUN];
    kinds.into_iter().map(|noun| Ok(sweep_kind(noun, identifiers(noun)?.into_iter(), sweep))).sum()
}

/// Takes away what is left over, and says how much that was.
pub(crate) fn sweep() -> Result<LeftOvers> {
    sweep_all(Found::sweep)
}

/// How much is left over.
pub(crate) fn left_over() -> Result<LeftOvers> {
    sweep_all(Found::is_left_over)
}

/// The identifiers of all objects of a kind, in their order: the indices of `…_STAT`.
fn identifiers(noun: Noun) -> Result<Vec<i32>> {
    let begin = format!("{PREFIX}{}.sysv.id.", noun.kind);
    let id = |file: &std::ffi::CString| i32::from_str_radix(file.to_str().ok()?.strip_prefix(&begin)?, 16).ok();
    let mut found: Vec<_> = super::list::names_in(&crate::name::directory()?)?.iter().filter_map(id).collect();
    found.sort_unstable();
    Ok(found)
}

/// What a thread is about to list: the identifiers of a kind as they were when it began, and the index after the last that it asked for.
#[derive(Debug)]
struct Listed {
    kind: &'static str,
    ids: Vec<i32>,
    next: usize,
}

thread_local! {
    static LISTED: RefCell<Listed> = const { RefCell::new(Listed { kind: "", ids: Vec::new(), next: 0 }) };
}

/// The identifier at an index of [`identifiers`]. Who loops over them reads the directory once, when he begins.
fn identifier_at(noun: Noun, index: i32) -> Result<i32> {
    let Ok(index) = usize::try_from(index) else { return Err(noun.none_at(index)) };
    let goes_on = |listed: &mut Listed| {
        let known = listed.ids.get(index).copied().filter(|_| listed.kind == noun.kind && listed.next <= index);
        listed.next = index + 1;
        known
    };
    let known = LISTED.try_with(|listed| goes_on(&mut *listed.try_borrow_mut().ok()?));
    if let Ok(Some(id)) = known {
        return Ok(id);
    }
    let ids = identifiers(noun)?;
    let id = ids.get(index).copied();
    let _ = LISTED.try_with(|listed| {
        if let Ok(mut listed) = listed.try_borrow_mut() {
            *listed = Listed { kind: noun.kind, ids, next: index + 1 };
        }
    });
    id.ok_or_else(|| noun.none_at(index as i32))
}

/// Errors that System V's calls don't have.
#[cold]
fn as_system_v(error: Error, would_block: i32) -> Error {
    let errno = match error.errno() {
        libc::EAGAIN | libc::EBUSY => would_block,
        libc::ENOSPC => libc::ENOMEM,
        // Also removed, before a forked child could take part.
        libc::EOWNERDEAD | libc::ENOENT => libc::EIDRM,
        _ => return error,
    };
    Error::new(errno, error.message().to_owned())
}
