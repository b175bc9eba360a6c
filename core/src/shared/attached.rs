//! A participant of an object with a header: its place in the roster, and its view of the others.
//!
//! **Proof of life.** Each slot of the roster stands for one byte, far past the end of the object's file. A participant
//! holds a write lock on its byte by an open file description of its own, which only a mapping of one untouchable page keeps
//! alive ([`Hold`]); the descriptor is closed at once. So the lock survives `closefrom`, is not inherited by `fork`, and goes
//! with exec and with death, however they come. It works across pid namespaces, with zombies and with reused pids.
//!
//! **Asking** goes by another description, which never locks. Before any answer is believed, that descriptor must still be
//! the object: a program may have closed it, and its number may be something else now. Where nobody can be asked, one lives.
//!
//! **Without a roster** (a lock in a [`Segment`](super::segment::Segment), which is plain bytes): a participant is a random number of 30 bits,
//! and its byte is that number's. No two who live have the same. (That one who comes has the number of a dead one whose
//! lock nobody has come to since, and so takes it for his own, is one in a billion.)
//!
//! **Fork.** A child has the handle but not the lock. It finds that by its epoch (`sys/process.rs`), at its first use of the
//! handle, and joins anew.

#![forbid(unsafe_code)]

use std::os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::bell;
use super::mapping::{Hold, Home};
use super::participant;
use super::raw::Fault;
use super::raw::cell::U32;
use super::raw::host::{Host, MOST_SLOTS, Participant};
use super::raw::roster::Slot;
use super::raw::sysv::{Block, SYSV};
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::mapping::Mapping;
use crate::name::Name;
use crate::sys::file::{self, Identity, Stat};
use crate::sys::{Errno, barrier, clock, futex, ofd, process};

/// The byte that stands for slot 0; it and those after it lie past the end of any file.
const BYTES: u64 = 1 << 62;
/// The first of those that stand for participants of a file without a roster.
const NUMBERS: u64 = BYTES + (1 << 32);
/// How many numbers are tried.
const MOST_NUMBERS: u32 = 1000;

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Attached {
    name: Name,
    mapping: Arc<Mapping>,
    /// How many places its roster has; 0 is that it has none.
    slots: u32,
    /// Which file it is, whatever its descriptor's number means by now.
    identity: Identity,
    /// By it others are asked about; it never locks. What System V calls made is found by its name instead: a process may have more of
    /// those than descriptors.
    asking: Option<OwnedFd>,
    /// What a System V call made is gone for everybody once it is removed, also for who opened it by its name.
    block: OnceLock<Home<Block>>,
    /// The participant's word; 0 when the others presumed it dead.
    me: AtomicU32,
    /// The epoch in which it joined. Stored after `me`.
    epoch: AtomicU64,
    /// Touched only where fork is excluded, so that no child inherits it locked.
    hold: Mutex<Option<Hold>>,
    /// Whether another processor can do something while this one spins.
    spins: bool,
    /// Whether barriers reach this process.
    registered: AtomicBool,
    /// This process, as its own namespace numbers it: to ask takes a system call.
    pid: AtomicU32,
    /// The thread that used it first, and whether others did since ([`SEVERAL`]); see [`nobody_yet`].
    thread: AtomicUsize,
}

/// Beside a thread pointer, which is even.
const SEVERAL: usize = 1;

/// What stands for the threads of a handle that none has used. Where threads can't be told apart it is used by several.
fn nobody_yet() -> usize {
    if process::thread() == 0 { SEVERAL } else { 0 }
}

fn sysv_block(mapping: &Arc<Mapping>) -> Home<Block> {
    Home::new(mapping.clone(), SYSV).expect("it lies in the header")
}

/// What stands in for a barrier where the kernel or a sandbox has none: no processor keeps a store to itself for so long.
const WITHOUT_BARRIER: Duration = Duration::from_millis(10);

/// What settles the estate of a slot's former owners: [`Ring::settle`](super::raw::ring::Ring::settle) and its like.
pub(crate) type Settle<'a> = &'a dyn Fn(&Present, Participant) -> std::result::Result<(), Fault>;

impl Attached {
    /// Prepares to take part in the object behind `fd`; [`join`](Self::join) then does.
    ///
    /// # Errors
    /// `ENOMEM`, or `EINVAL` from a kernel older than Linux 4.14, on which a fork can't be told.
    pub(crate) fn new(name: Name, fd: OwnedFd, stat: &Stat, mapping: Arc<Mapping>, slots: u32) -> Result<Self> {
        process::prepare().map_err(|errno| errno.during(format!("open {name}: a page that fork wipes")))?;
        let block = OnceLock::new();
        if let Some(made) = (slots > 0).then(|| sysv_block(&mapping)).filter(|made| made.is_there()) {
            let _ = block.set(made);
        }
        Ok(Self {
            name,
            mapping,
            slots,
            identity: stat.identity,
            asking: Some(fd),
            block,
            me: AtomicU32::new(0),
            epoch: AtomicU64::new(0),
            hold: Mutex::new(None),
            spins: process::is_one_of_several(),
            registered: AtomicBool::new(false),
            pid: AtomicU32::new(0),
            thread: AtomicUsize::new(nobody_yet()),
        })
    }

    pub(crate) fn name(&self) -> &Name {
        &self.name
    }

    /// What the object's file is now.
    pub(crate) fn stat(&self) -> Result<Stat> {
        let fd = self.descriptor()?;
        file::stat(fd.as_fd()).map_err(|errno| errno.during(format!("stat {}: statx", self.name)))
    }

    /// Lets the caller act as the participant that this handle is; a forked child joins first.
    #[inline]
    pub(crate) fn enter(&self, settle: Settle) -> Result<Present<'_>> {
        if self.epoch.load(Ordering::Acquire) != process::epoch() {
            self.join(settle)?;
        }
        if self.is_removed() {
            return Err(Error::new(libc::EIDRM, format!("{}: it was removed", self.name)));
        }
        match Participant::from_word(self.me.load(Ordering::Relaxed)) {
            Some(me) => Ok(Present { attached: self, me }),
            None => Err(self.disowned()),
        }
    }

    /// It was opened by a System V call: no descriptor is kept. What System V keeps of it.
    pub(crate) fn becomes_sysv(&mut self) -> Home<Block> {
        self.asking = None;
        let _ = self.block.set(sysv_block(&self.mapping));
        sysv_block(&self.mapping)
    }

    /// Whether it was removed.
    #[inline]
    fn is_removed(&self) -> bool {
        self.block.get().is_some_and(|block| block.is_removed())
    }

    /// The participant that this handle is, if it need not join first.
    #[inline]
    pub(crate) fn present(&self) -> Option<Present<'_>> {
        if self.epoch.load(Ordering::Acquire) != process::epoch() {
            return None;
        }
        Some(Present { attached: self, me: Participant::from_word(self.me.load(Ordering::Relaxed))? })
    }

    /// The others presumed this participant dead: from now on the handle does nothing.
    #[cold]
    pub(crate) fn disowned(&self) -> Error {
        self.note_disowned();
        let what = format!("{}: the others found this handle dead and went on without it: open it anew", self.name);
        Error::new(libc::EOWNERDEAD, what)
    }

    /// What is tried next says [so](Self::disowned).
    #[cold]
    pub(crate) fn note_disowned(&self) {
        self.me.store(0, Ordering::Relaxed);
    }

    /// Takes a slot of the roster in this process, unless another thread just did.
    #[cold]
    pub(crate) fn join(&self, settle: Settle) -> Result<()> {
        process::without_fork(|| {
            let epoch = process::epoch();
            if self.epoch.load(Ordering::Acquire) == epoch {
                return Ok(());
            }
            // A child's threads are its own.
            self.thread.store(nobody_yet(), Ordering::Relaxed);
            self.registered.store(barrier::register(), Ordering::Relaxed);
            self.pid.store(process::id(), Ordering::Relaxed);
            let (me, hold) = if self.slots > 0 { self.take_slot(settle)? } else { self.take_number()? };
            *self.hold.lock().unwrap_or_else(PoisonError::into_inner) = Some(hold);
            self.me.store(me.word(), Ordering::Relaxed);
            self.epoch.store(epoch, Ordering::Release);
            Ok(())
        })
    }

    /// Free slots first; then those whose owners are dead.
    fn take_slot(&self, settle: Settle) -> Result<(Participant, Hold)> {
        let during = |errno: Errno, call| errno.during(format!("join {}: {call}", self.name));
        let description = self.reopen().map_err(|errno| during(errno, "openat, for a description of its own"))?;
        let roster = self.roster();
        let free = roster.iter().enumerate().filter(|(_, slot)| slot.is_free());
        for (index, slot) in free.chain(roster.iter().enumerate()) {
            let byte = BYTES + index as u64;
            if !ofd::try_lock(description.as_fd(), byte).map_err(|errno| during(errno, "fcntl F_OFD_SETLK"))? {
                continue;
            }
            let hold = Hold::new(description.as_fd()).map_err(|errno| during(errno, "mmap"))?;
            let settle = |heir| settle(&Present { attached: self, me: heir }, heir);
            let me = slot
                .take(index as u32, process::id(), clock::monotonic_ns(), settle)
                .map_err(|fault| self.explain(fault, "join"))?;
            return Ok((me, hold));
        }
        let what =
            format!("join {}: all {} places of its roster are taken by living participants", self.name, self.slots);
        Err(Error::new(libc::EUSERS, what))
    }

    /// A number that no living participant has.
    fn take_number(&self) -> Result<(Participant, Hold)> {
        let during = |errno: Errno, call| errno.during(format!("join {}: {call}", self.name));
        let description = self.reopen().map_err(|errno| during(errno, "openat, for a description of its own"))?;
        for _ in 0..MOST_NUMBERS {
            let random = process::random();
            let me = Participant::new(random as u32 % MOST_SLOTS, (random >> 32) as u32);
            let byte = NUMBERS + u64::from(me.word());
            if ofd::try_lock(description.as_fd(), byte).map_err(|errno| during(errno, "fcntl F_OFD_SETLK"))? {
                return Ok((me, Hold::new(description.as_fd()).map_err(|errno| during(errno, "mmap"))?));
            }
        }
        Err(Error::new(libc::EUSERS, format!("join {}: there is no number left for another participant", self.name)))
    }

    /// Whether the calling thread is the only one that ever used this handle.
    #[inline]
    fn is_only_thread(&self) -> bool {
        let (thread, known) = (process::thread(), self.thread.load(Ordering::Relaxed));
        known == thread || self.is_first_thread(thread, known)
    }

    #[cold]
    fn is_first_thread(&self, thread: usize, known: usize) -> bool {
        if known == 0 && self.thread.compare_exchange(0, thread, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            return true;
        }
        if known & SEVERAL == 0 {
            self.thread.fetch_or(SEVERAL, Ordering::Relaxed);
        }
        false
    }

    /// Who has a place: the living, and the dead whose place nobody has taken yet.
    pub(crate) fn roll(&self, present: &Present) -> Vec<participant::Participant> {
        let told = |(index, slot): (usize, &Slot)| {
            let who = slot.holder(index as u32)?;
            let is_me = who == present.me;
            let lives = is_me || self.lives(who);
            let (pid, joined_ns) = slot.told();
            // What was read is the holder's only if he still is.
            let is_his = slot.holder(index as u32) == Some(who);
            is_his.then_some(participant::Participant { pid, joined_ns, lives, is_me })
        };
        self.roster().iter().enumerate().filter_map(told).collect()
    }

    fn roster(&self) -> &[Slot] {
        self.mapping.roster(self.slots)
    }

    /// How many participants live.
    pub(crate) fn participants(&self, present: &Present) -> u32 {
        self.holders().filter(|&who| who == present.me || self.lives(who)).count() as u32
    }

    /// Whether some of them died, and nobody has their place yet.
    pub(crate) fn has_dead(&self, present: &Present) -> bool {
        self.holders().any(|who| who != present.me && !self.lives(who))
    }

    /// Who has a place, alive or dead.
    fn holders(&self) -> impl Iterator<Item = Participant> {
        self.roster().iter().enumerate().filter_map(|(index, slot)| slot.holder(index as u32))
    }

    fn lives(&self, who: Participant) -> bool {
        let byte = if self.slots == 0 {
            NUMBERS + u64::from(who.word())
        } else {
            match self.roster().get(who.slot() as usize) {
                Some(slot) if slot.is_held_by(who) => BYTES + u64::from(who.slot()),
                _ => return false,
            }
        };
        // Whatever it says, it says it of the object only if that still is the object's descriptor.
        let told = self.asking().and_then(|fd| Some((fd, ofd::is_locked(fd, byte).ok()?)));
        match told.filter(|(fd, _)| self.is_object(*fd)) {
            Some((_, locked)) => locked,
            None => match self.by_name() {
                Ok(fd) => ofd::is_locked(fd.as_fd(), byte).unwrap_or(true),
                // In what was removed nobody has anything to lose.
                Err(_) => !self.is_removed(),
            },
        }
    }

    fn asking(&self) -> Option<BorrowedFd<'_>> {
        self.asking.as_ref().map(AsFd::as_fd)
    }

    fn is_object(&self, fd: BorrowedFd) -> bool {
        file::stat(fd).is_ok_and(|stat| stat.identity == self.identity)
    }

    /// A descriptor of the object: the one kept, or another if the program closed that.
    pub(crate) fn descriptor(&self) -> Result<Descriptor<'_>> {
        if let Some(fd) = self.asking().filter(|fd| self.is_object(*fd)) {
            return Ok(Descriptor::Kept(fd));
        }
        let lost = |errno: Errno| {
            errno.during(format!("{}: the program closed its descriptor, and the name leads to it no more", self.name))
        };
        self.by_name().map(Descriptor::Fresh).map_err(lost)
    }

    /// A new description of the object.
    fn reopen(&self) -> std::result::Result<OwnedFd, Errno> {
        match self.asking().and_then(|fd| file::reopen(fd).ok()) {
            Some(fd) if self.is_object(fd.as_fd()) => Ok(fd),
            // No /proc, or the descriptor is closed or something else now.
            _ => self.by_name(),
        }
    }

    pub(super) fn by_name(&self) -> std::result::Result<OwnedFd, Errno> {
        let fd = file::open(self.name.path(), true)?;
        if self.is_object(fd.as_fd()) { Ok(fd) } else { Err(Errno(libc::ENOENT)) }
    }

    /// A fault in words. Who waits to a deadline for a lock has waited for what the object is there for.
    #[cold]
    pub(crate) fn explain_until(&self, fault: Fault, doing: &str, deadline: Deadline) -> Error {
        if fault != Fault::Busy || deadline.is_try() {
            return self.explain(fault, doing);
        }
        let name = &self.name;
        let what = format!("{doing} {name}: another participant is inside and doesn't get on (is it stopped?)");
        Error::new(libc::ETIMEDOUT, what)
    }

    /// A fault in words.
    #[cold]
    pub(crate) fn explain(&self, fault: Fault, doing: &str) -> Error {
        let name = &self.name;
        match fault {
            Fault::Busy => Error::new(
                libc::EBUSY,
                format!("{doing} {name}: another participant is inside: try again (is it stopped?)"),
            ),
            Fault::Interrupted => {
                Error::new(libc::EINTR, format!("{doing} {name}: a signal handler ran; nothing was done"))
            }
            Fault::Exclusive => Error::new(
                libc::EBUSY,
                format!("{doing} {name}: another handle, or another thread, has this end of the queue to itself"),
            ),
            Fault::Disowned => self.disowned(),
            Fault::NotYours => Error::new(
                libc::EOWNERDEAD,
                format!("{doing} {name}: it belongs to another process, or this one was presumed dead (did it fork?)"),
            ),
            Fault::Damaged(what) => Error::new(
                libc::EUCLEAN,
                format!("{doing} {name}: the object is damaged ({what}): unlink it and make a new one"),
            ),
        }
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        let hold = self.hold.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let mine = Participant::from_word(*self.me.get_mut());
        // An inherited handle's slot is the parent's.
        if let (Some(_), Some(me)) = (&hold, mine)
            && *self.epoch.get_mut() == process::epoch()
            && self.slots > 0
        {
            self.roster()[me.slot() as usize].give_back();
        }
        // The lock goes after the slot is marked free.
        drop(hold);
        // A descriptor that the program closed and that is something else now isn't ours to close.
        if self.asking().is_some_and(|fd| !self.is_object(fd)) {
            self.asking.take().map(IntoRawFd::into_raw_fd);
        }
    }
}

/// The object's descriptor, for one use.
#[derive(Debug)]
pub(crate) enum Descriptor<'a> {
    Kept(BorrowedFd<'a>),
    Fresh(OwnedFd),
}

impl AsFd for Descriptor<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Kept(fd) => *fd,
            Self::Fresh(fd) => fd.as_fd(),
        }
    }
}

/// A participant at work: what an operation in shared memory sees of the world.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Present<'a> {
    attached: &'a Attached,
    me: Participant,
}

impl Present<'_> {
    /// The process.
    #[inline]
    pub(crate) fn pid(&self) -> u32 {
        self.attached.pid.load(Ordering::Relaxed)
    }
}

impl Host for Present<'_> {
    #[inline]
    fn me(&self) -> Participant {
        self.me
    }

    fn lives(&self, who: Participant) -> bool {
        self.attached.lives(who)
    }

    fn sleep(&self, word: &U32, expected: u32, timeout: Duration, bits: u32) -> std::result::Result<(), Errno> {
        futex::wait(word.futex(), expected, timeout, bits)
    }

    fn wake(&self, word: &U32, count: u32, bits: u32) -> u32 {
        futex::wake(word.futex(), count, bits)
    }

    #[cold]
    fn ring_watchers(&self) {
        bell::ring(self.attached);
    }

    #[inline]
    fn spins(&self) -> bool {
        self.attached.spins
    }

    fn pass(&self) {
        process::yield_now();
    }

    #[cold]
    fn barrier(&self) {
        if !barrier::everywhere() {
            std::thread::sleep(WITHOUT_BARRIER);
        }
    }

    #[inline]
    fn may_be_reached(&self) -> bool {
        self.attached.registered.load(Ordering::Relaxed)
    }

    #[inline]
    fn may_keep(&self) -> bool {
        self.attached.is_only_thread() && self.may_be_reached()
    }

    fn is_keepers_thread(&self) -> bool {
        let thread = process::thread();
        thread != 0 && self.attached.thread.load(Ordering::Relaxed) & !SEVERAL == thread
    }
}
