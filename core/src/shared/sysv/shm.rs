//! Shared memory by System V's calls: `shmget`, `shmat`, `shmdt`, `shmctl`.
//!
//! The object is a file: a header, so that it is known for what it is, and from 64 KiB on the memory, which nobody but its users touches.
//! It is sparse, as the kernel's is: a page is taken when it is first touched.
//!
//! **Attachments** are counted by who lives: each holds a lock on a byte of the file's, as a participant does (`attached.rs`), by a description
//! that only a mapping keeps open. So the count is right however somebody went. A forked child inherits the memory, and the lock with
//! it; at its very beginning it takes one of its own, so that it counts by itself.
//!
//! **Removed** segments live on until the last attachment goes, and can be attached by their identifier until then, as on Linux. Who
//! detaches last takes the name away. A process that ends without detaching leaves that to the next who meets it: by its identifier, in a
//! list, by `gc`, when there is no memory left; and the first call of a process looks at some.
//!
//! **The memory** of a removed segment goes with its name, though others may keep its header open: who takes the last name away punches
//! a hole where the memory was. Nobody may have it mapped then, and so each mapping of the memory holds a lock besides, which goes with
//! the mapping alone. And nobody may be about to map it: who attaches locks first, and then finds the name once more; who punches has taken
//! the name away, and then finds no lock.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use super::handles::{Handles, Recent, Removable};
use super::limits::limits;
use super::*;
use crate::shared::Create;
use crate::shared::mapping::Attachment;
use crate::shared::raw::header::{Kind, ROSTER, Shape};
use crate::shared::shape;
use crate::sys::Errno;
use crate::sys::file::Identity;
use crate::sys::memory::{self, Wanted};

/// What such an object is called in its file's name.
pub(crate) const KIND: &str = "memory";
pub(super) const NOUN: Noun = Noun { kind: KIND, noun: "shared memory segment", is_used: is_attached };

/// Where the memory begins.
const DATA: u64 = ALIGNMENT;
/// The first of the bytes that stand for attachments, and how many there are.
const ATTACHED: u64 = 1 << 62;
const MOST_ATTACHED: u64 = 1 << 32;
/// The byte that each mapping of the memory keeps locked, shared.
const MAPPED: u64 = MAKING - 3;
/// How many numbers are tried for an attachment.
const MOST_NUMBERS: u32 = 1000;

/// A bit of the mode: it is locked (`SHM_LOCKED`).
const LOCKED: u32 = 0o2000;

/// How many segments the first call of a process looks at, for those that nobody is attached to any more.
const FIRST_LOOKS: usize = 64;

/// What `IPC_STAT` tells of a segment: `struct shmid_ds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// Whose it is. The key of one that was removed is 0.
    pub permissions: Permissions,
    /// Whether it was removed, and goes with its last attachment (`SHM_DEST`).
    pub removed: bool,
    /// Whether it was locked (`SHM_LOCKED`).
    pub locked: bool,
    /// Its length in bytes.
    pub size: u64,
    /// Bytes of memory that it takes.
    pub allocated: u64,
    /// When it was last attached, in seconds since 1970; 0 is never.
    pub attached: u64,
    /// When it was last detached.
    pub detached: u64,
    /// When it was made, or changed by `IPC_SET`.
    pub changed: u64,
    /// The process that made it.
    pub creator: u32,
    /// The process that attached or detached it last.
    pub last: u32,
    /// How many attachments there are.
    pub attachments: u64,
}

/// A segment that this process has attached lately: its header, and what doesn't change.
struct Handle {
    name: Name,
    identity: Identity,
    size: u64,
    block: Home<Block>,
    judged: Judged,
}

impl Removable for Handle {
    fn is_gone(&self) -> bool {
        !self.block.is_ready()
    }

    fn is_bound(&self) -> bool {
        false
    }
}

static HANDLES: Handles<Handle> = Handles::new();

thread_local! {
    static RECENT: RefCell<Recent<Handle>> = const { RefCell::new(Recent::new()) };
}

impl Handle {
    fn open(id: i32) -> Result<Self> {
        let (name, found) = find(id)?;
        let size = size_of_file(&name, &found)?;
        let Found { stat, block, .. } = found;
        Ok(Self { name, identity: stat.identity, size, block, judged: Judged::default() })
    }
}

/// Something attached, or a piece of it: where others were attached over a part (`SHM_REMAP`), that is cut out.
#[derive(Clone)]
struct What {
    id: i32,
    /// Where the whole of it was attached.
    whole: Range<usize>,
    /// Unless it was attached at a certain address.
    handle: Option<Arc<Handle>>,
}

struct Here {
    what: What,
    attachment: Attachment,
}

/// What this process has attached, by address. No two overlap.
static HERE: Mutex<BTreeMap<usize, Here>> = Mutex::new(BTreeMap::new());

/// Changes that only where fork is excluded: no child inherits it locked.
fn here<T>(change: impl FnOnce(&mut BTreeMap<usize, Here>) -> T) -> T {
    process::without_fork(|| change(&mut HERE.lock().unwrap_or_else(PoisonError::into_inner)))
}

/// What must be so before a first segment is used.
fn prepare() -> Result<()> {
    static LOOKED: AtomicBool = AtomicBool::new(false);
    process::prepare().map_err(|errno| errno.during("shmget: a page that fork wipes"))?;
    process::begin_children_with(count_in_child);
    if !LOOKED.load(Ordering::Relaxed) && !LOOKED.swap(true, Ordering::Relaxed) {
        look_at_some();
    }
    Ok(())
}

/// Takes away what nobody is attached to any more. What can't be read can't be swept; whoever makes a segment there is told. Any of
/// them: others look at others.
#[cold]
fn look_at_some() {
    if let Ok(ids) = identifiers() {
        let first = process::random() as usize % ids.len().max(1);
        sweep_kind(NOUN, ids.iter().cycle().skip(first).take(ids.len().min(FIRST_LOOKS)).copied(), Found::sweep);
    }
}

/// The identifier of the segment of that key, which is made of `size` bytes if `flags` say so: `shmget(2)`.
///
/// `flags`: `IPC_CREAT`, `IPC_EXCL`, and the permission bits. (`SHM_HUGETLB` and `SHM_NORESERVE` make no difference.) Doesn't
/// wait, but for one who is just removing what had the key: a second at most.
///
/// # Errors
/// `ENOENT`, `EEXIST`, `EACCES`, `EINVAL` as shmget(2); `ENOSPC` if the file system hasn't as much free; `EBUSY` if who removes what had the key
/// doesn't get on.
pub fn shmget(key: i32, size: usize, flags: i32) -> Result<i32> {
    prepare()?;
    HANDLES.forget_gone(&RECENT);
    let bad = || {
        let most = limits().shmmax;
        Error::new(
            libc::EINVAL,
            format!("shmget: {size} bytes: a segment has 1 to {most}, and as many as it was made with"),
        )
    };
    let make = |name: &Name, mode, describe: Describe| {
        if size == 0 || size as u64 > limits().shmmax {
            return Err(bad());
        }
        make(name, size as u64, mode, describe)
    };
    let fits = |name: &Name, found: &Found| if size as u64 > size_of_file(name, found)? { Err(bad()) } else { Ok(()) };
    Get { noun: NOUN, key, flags, make: &make, fits: &fits }.id()
}

/// How long the mapping of so many bytes is.
fn in_pages(size: u64) -> Option<u64> {
    size.checked_next_multiple_of(memory::page_size() as u64)
}

fn make(name: &Name, size: u64, mode: u32, describe: Describe) -> Result<Object> {
    let no_memory = || Error::new(libc::ENOMEM, format!("shmget: {size} bytes: nothing is so large"));
    let whole = in_pages(size).and_then(|size| size.checked_add(DATA)).ok_or_else(no_memory)?;
    let fill = |fd: BorrowedFd| {
        object::check_free(fd, size)?;
        object::allocate(fd, 0, ROSTER)?;
        let mapping = Mapping::of_file(fd, 0, DATA, true).map_err(|errno| errno.during("mmap"))?;
        let mut parameters = [0; 8];
        parameters[0] = size;
        let shape = Shape { kind: Kind::Memory, slots: 1, size: whole, parameters };
        mapping.header().expect("it has a header").write(&shape);
        let mapping = Arc::new(mapping);
        describe(fd, &mapping);
        Home::<Block>::new(mapping, SYSV).expect("it lies in the header").second.note(process::id(), 0);
        Ok(())
    };
    let options = object::Options { create: Create::Only, mode, any_owner: true, write: true };
    object::open(name, options, || Ok(whole), fill)
}

/// The size of a segment.
fn size_of_file(name: &Name, found: &Found) -> Result<u64> {
    let shape = shape::read(name, found.fd.as_fd(), found.stat.size, Kind::Memory, "System V shared memory")?;
    let size = shape.parameters[0];
    if in_pages(size).is_none_or(|pages| pages.checked_add(DATA) != Some(shape.size)) {
        return Err(shape::damaged(name, "its sizes contradict each other"));
    }
    Ok(size)
}

/// What attaching it would say of its file.
pub(in crate::shared) fn look(name: &Name, any_owner: bool) -> Result<()> {
    let options = object::Options { any_owner, ..object::Options::default() };
    let Object { fd, stat, .. } = object::find(name, options)?;
    shape::read(name, fd.as_fd(), stat.size, Kind::Memory, NOUN.noun).map(drop)
}

/// The segment of that identifier: one that wasn't removed, or is attached still.
fn find(id: i32) -> Result<(Name, Found)> {
    let name = NOUN.by_id(id)?;
    match Found::at(&name) {
        Ok(found) if found.block.id.get() as i32 != id => super::find(NOUN, id).map(|found| (name, found)),
        Ok(found) if found.block.is_removed() && !is_attached(&found) => {
            let _ = found.take_names_away(NOUN);
            Err(NOUN.unknown(id))
        }
        Ok(found) => Ok((name, found)),
        Err(error) if error.errno() == libc::ENOENT => Err(NOUN.unknown(id)),
        Err(error) => Err(error),
    }
}

fn is_attached(found: &Found) -> bool {
    // An error is no proof that nobody is.
    !matches!(ofd::one_locked(found.fd.as_fd(), ATTACHED, MOST_ATTACHED), Ok(None))
}

/// Gives the memory back of what bears no name any more, unless somebody has it mapped still, as a process that is ending has.
pub(super) fn give_back(found: &Found) {
    let fd = found.fd.as_fd();
    let is_mapped = || !matches!(ofd::find_range(fd, false, MAPPED, 1), Ok(None));
    // Only what bears no name: then nobody can attach it any more.
    if let Ok(Stat { links: 0, size, .. }) = file::stat(fd)
        && size > DATA
        && !is_attached(found)
        && !is_mapped()
    {
        // Where files have no holes, it goes when the last closes it.
        let _ = file::punch(fd, DATA, size - DATA);
    }
}

/// How many attachments there are.
fn attachments(found: &Found) -> u64 {
    let (mut count, mut ranges) = (0, vec![(ATTACHED, ATTACHED + MOST_ATTACHED)]);
    while let Some((start, end)) = ranges.pop() {
        // One of them, not the first: the kernel's list has them in no such order.
        if let Ok(Some(at)) = ofd::one_locked(found.fd.as_fd(), start, end - start) {
            count += 1;
            ranges.extend([(start, at), (at + 1, end)].into_iter().filter(|(start, end)| start < end));
        }
    }
    count
}

/// A description of the file of that name, which must be that file still.
fn description(name: &Name, identity: Identity, write: bool) -> std::result::Result<OwnedFd, Errno> {
    let fd = file::open(name.path(), write)?;
    if file::stat(fd.as_fd())?.identity == identity { Ok(fd) } else { Err(Errno(libc::ENOENT)) }
}

/// One that stands for one attachment: it holds a lock.
fn proof(name: &Name, identity: Identity) -> std::result::Result<OwnedFd, Errno> {
    /// The byte that is tried next; 0 is none yet. What somebody else has by chance is found locked.
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let description = description(name, identity, true)?;
    if NEXT.load(Ordering::Relaxed) == 0 {
        NEXT.store(process::random() | 1, Ordering::Relaxed);
    }
    for _ in 0..MOST_NUMBERS {
        let number = NEXT.fetch_add(1, Ordering::Relaxed) % MOST_ATTACHED;
        if ofd::try_lock(description.as_fd(), ATTACHED + number)? {
            return Ok(description);
        }
    }
    Err(Errno(libc::ENOMEM))
}

/// Attaches the segment, and says where: `shmat(2)`.
///
/// `flags`: `SHM_RDONLY`, `SHM_RND`, `SHM_REMAP`, `SHM_EXEC`. Doesn't wait. It is the caller's to use: madang touches no byte of it.
///
/// # Errors
/// `EINVAL`, `EACCES`, `EIDRM`, `ENOMEM` as shmat(2); `EPERM` for an address that `SHM_RND` rounds to 0.
pub fn shmat(id: i32, address: usize, flags: i32) -> Result<usize> {
    prepare()?;
    HANDLES.forget_gone(&RECENT);
    let (write, execute) = (flags & libc::SHM_RDONLY == 0, flags & libc::SHM_EXEC != 0);
    let wanted =
        Wanted { address: wanted_address(address, flags)?, replaces: flags & libc::SHM_REMAP != 0, write, execute };
    let needed = READ | if write { ALTER } else { 0 } | if execute { EXECUTE } else { 0 };
    if address != 0 {
        return shmat_at(id, wanted, needed);
    }
    let handle = HANDLES.handle(&RECENT, id, || Handle::open(id))?;
    if !handle.judged.permit(&handle.block, needed) {
        return Err(NOUN.refused(id));
    }
    let at = attach(id, &handle.name, handle.identity, handle.size, wanted, Some(&handle))?;
    handle.block.first.note(process::id(), clock::coarse_s());
    Ok(at)
}

/// Who wants a certain place has seen that it is free: nothing of ours may slip in before, as the header of a handle that is kept.
fn shmat_at(id: i32, wanted: Wanted, needed: u32) -> Result<usize> {
    let (name, found) = find(id)?;
    if !found.permissions().permit(needed) {
        return Err(NOUN.refused(id));
    }
    if wanted.address == 0 {
        return Err(Error::new(libc::EPERM, "shmat: SHM_RND rounds it to 0, and nothing is attached there".to_owned()));
    }
    let size = size_of_file(&name, &found)?;
    let Found { fd, stat, block } = found;
    drop(block);
    let at = attach(id, &name, stat.identity, size, wanted, None)?;
    // It is attached, whatever becomes of the note.
    if let Ok(found) = Found::of(&name, fd, stat) {
        found.block.first.note(process::id(), clock::coarse_s());
    }
    Ok(at)
}

fn attach(
    id: i32,
    name: &Name,
    identity: Identity,
    size: u64,
    wanted: Wanted,
    handle: Option<&Arc<Handle>>,
) -> Result<usize> {
    let length = in_pages(size).and_then(|length| usize::try_from(length).ok());
    let length = length.ok_or_else(|| Error::new(libc::ENOMEM, format!("attach {name}: it is too large")))?;
    // A child that was forked in between would have the proof.
    let attached = here(|all| {
        let proof = proof(name, identity)?;
        // By a description that can't write, nobody makes it writable later.
        let data = description(name, identity, wanted.write)?;
        ofd::lock_range(data.as_fd(), true, MAPPED, 1, false)?;
        let attachment = Attachment::new(data.as_fd(), DATA, length, wanted, proof.as_fd())?;
        let whole = attachment.range();
        let cut = cut(all, &whole);
        let what = What { id, whole: whole.clone(), handle: handle.cloned() };
        all.insert(whole.start, Here { what, attachment });
        Ok((whole.start, cut))
    });
    let (at, cut) = attached.map_err(|errno: Errno| {
        NOUN.if_gone(id, errno.during(format!("attach {name}: {length} bytes at {:#x}", wanted.address)))
    })?;
    for What { id, handle, .. } in cut {
        let _ = note_detached(id, handle.as_deref());
    }
    Ok(at)
}

/// Cuts `taken`, where something new lies, out of what was attached before: it was replaced, or the program had unmapped it by itself.
/// What is left of it isn't counted any more if that is nothing. Says what was cut.
fn cut(all: &mut BTreeMap<usize, Here>, taken: &Range<usize>) -> Vec<What> {
    let reaches_in = |(&start, here): (&usize, &Here)| (here.attachment.range().end > taken.start).then_some(start);
    let before = all.range(..taken.start).next_back().and_then(reaches_in);
    let starts: Vec<_> = before.into_iter().chain(all.range(taken.clone()).map(|(&start, _)| start)).collect();
    let cut = |start| {
        let Here { what, attachment } = all.remove(start)?;
        for attachment in attachment.cut(taken) {
            all.insert(attachment.range().start, Here { what: what.clone(), attachment });
        }
        Some(what)
    };
    starts.iter().filter_map(cut).collect()
}

/// Where it is wanted: a multiple of the page size, to which `SHM_RND` rounds, even to 0.
fn wanted_address(address: usize, flags: i32) -> Result<usize> {
    let page = memory::page_size();
    let bad = |what: &str| Err(Error::new(libc::EINVAL, format!("shmat at {address:#x}: {what}")));
    let rounded = if flags & libc::SHM_RND != 0 { address / page * page } else { address };
    if !rounded.is_multiple_of(page) {
        return bad("it is no multiple of the page size, and SHM_RND isn't set");
    }
    if rounded == 0 && flags & libc::SHM_REMAP != 0 {
        return bad("SHM_REMAP needs an address");
    }
    Ok(rounded)
}

/// Detaches what is attached at that address: `shmdt(2)`.
///
/// # Errors
/// `EINVAL` if nothing is.
pub fn shmdt(address: usize) -> Result<()> {
    let pieces = here(|all| take(all, address));
    let Some(What { id, handle, .. }) = pieces.first().map(|here| here.what.clone()) else {
        return Err(Error::new(libc::EINVAL, format!("shmdt: nothing is attached at {address:#x}")));
    };
    drop(pieces);
    let noted = note_detached(id, handle.as_deref());
    drop(handle);
    HANDLES.forget_gone(&RECENT);
    noted
}

/// Takes out what was attached at that address: mostly one piece. Of several the one that has the lowest piece left, as the kernel does.
fn take(all: &mut BTreeMap<usize, Here>, address: usize) -> Vec<Here> {
    let mut above = all.range(address..);
    let Some((&first, Here { what, attachment })) = above.find(|(_, here)| here.what.whole.start == address) else {
        return Vec::new();
    };
    let pieces = all.range(first..what.whole.end).filter(|(_, other)| other.attachment.is_of(attachment));
    let starts: Vec<_> = pieces.map(|(&start, _)| start).collect();
    starts.iter().filter_map(|start| all.remove(start)).collect()
}

/// What isn't attached any more goes, if it was removed and that was the last.
fn note_detached(id: i32, handle: Option<&Handle>) -> Result<()> {
    let note = |block: &Block| {
        block.second.note_time(clock::coarse_s());
        block.first.note_pid(process::id());
        block.is_removed()
    };
    if handle.is_some_and(|handle| !note(&handle.block)) {
        return Ok(());
    }
    // It may be gone by now, with the last of them.
    if let Ok(found) = Found::at(&NOUN.by_id(id)?) {
        note(&found.block);
        let _ = found.take_names_away(NOUN);
    }
    HANDLES.forget(id);
    Ok(())
}

/// In a forked child: what it inherited is attached by it, too.
fn count_in_child() {
    let all = HERE.lock().unwrap_or_else(PoisonError::into_inner);
    for Here { what: What { id, handle, .. }, attachment } in all.values() {
        // One without a name counts with its parent's.
        let own = match handle {
            Some(handle) => proof(&handle.name, handle.identity).ok(),
            None => NOUN.by_id(*id).ok().and_then(|name| proof(&name, file::look(name.path()).ok()?.identity).ok()),
        };
        if let Some(own) = own {
            let _ = attachment.prove(own.as_fd());
        }
    }
}

/// The process ends: what it has attached counts no more. The memory stays, since other threads may be using it to the last.
pub(super) fn end() {
    let ended: Vec<_> = here(|all| {
        let end = |Here { what, attachment }: &Here| {
            attachment.give_up();
            what.clone()
        };
        all.values().map(end).collect()
    });
    for What { id, handle, .. } in ended {
        let _ = note_detached(id, handle.as_deref());
    }
}

/// `IPC_STAT`.
///
/// # Errors
/// `EINVAL`, `EACCES` as shmctl(2).
pub fn stat(id: i32) -> Result<Status> {
    let (name, found) = find(id)?;
    if !found.permissions().permit(READ) {
        return Err(NOUN.refused(id));
    }
    status(&name, &found)
}

/// `SHM_STAT`: what [`stat`] tells of the segment at an index of [`identifiers`]. `SHM_STAT_ANY`: whoever may read it, if `any`.
///
/// # Errors
/// `EINVAL` for an index at which there is none; `EACCES`.
pub fn stat_at(index: i32, any: bool) -> Result<Status> {
    let id = identifier_at(NOUN, index)?;
    if !any {
        return stat(id);
    }
    let (name, found) = find(id)?;
    status(&name, &found)
}

/// What [`stat`] tells of all segments, in the order of their identifiers, whoever may read them. What this process can't open, or is gone
/// by now, isn't there.
///
/// # Errors
/// As [`list`](crate::list()).
pub fn list() -> Result<Vec<Status>> {
    let told = |id| find(id).and_then(|(name, found)| status(&name, &found)).ok();
    Ok(identifiers()?.into_iter().filter_map(told).collect())
}

/// The identifiers of all segments, in their order.
///
/// # Errors
/// As [`list`](crate::list).
pub fn identifiers() -> Result<Vec<i32>> {
    super::identifiers(NOUN)
}

fn status(name: &Name, found: &Found) -> Result<Status> {
    let Found { stat, block, .. } = found;
    let mut permissions = found.permissions();
    let removed = block.is_removed();
    if removed {
        permissions.key = libc::IPC_PRIVATE;
    }
    permissions.mode &= 0o777;
    let ((last, attached), (creator, detached)) = (block.first.get(), block.second.get());
    Ok(Status {
        permissions,
        removed,
        locked: block.mode.get() & LOCKED != 0,
        size: size_of_file(name, found)?,
        allocated: stat.allocated.saturating_sub(ROSTER),
        attached,
        detached,
        changed: block.changed.get(),
        creator,
        last,
        attachments: attachments(found),
    })
}

/// `IPC_SET`: owner and mode.
///
/// # Errors
/// `EPERM`, `EINVAL` as shmctl(2).
pub fn set(id: i32, change: &Change) -> Result<()> {
    let done = find(id).and_then(|(_, found)| super::change(NOUN, &found, id, change));
    if_hidden_not_yours(NOUN, id, done)
}

/// `IPC_RMID`: it goes with its last attachment.
///
/// # Errors
/// `EPERM`, `EINVAL` as shmctl(2).
pub fn remove(id: i32) -> Result<()> {
    let found = find_to_change(id)?;
    // Who removes it again does no harm.
    found.block.remove();
    // A directory that keeps others' names, or a death here: the next who meets it goes on.
    let _ = found.take_names_away(NOUN);
    HANDLES.forget(id);
    HANDLES.forget_gone(&RECENT);
    Ok(())
}

/// `SHM_LOCK`, `SHM_UNLOCK`: says that it is locked, or not. (Memory in a file system can't be locked for others; see `docs/parity.md`.)
///
/// # Errors
/// `EPERM`, `EINVAL` as shmctl(2).
pub fn lock(id: i32, locked: bool) -> Result<()> {
    let mode = &find_to_change(id)?.block.mode;
    mode.set(mode.get() & !LOCKED | if locked { LOCKED } else { 0 });
    Ok(())
}

fn find_to_change(id: i32) -> Result<Found> {
    let (_, found) = if_hidden_not_yours(NOUN, id, find(id))?;
    if found.permissions().may_be_changed() { Ok(found) } else { Err(not_yours(NOUN, id)) }
}
