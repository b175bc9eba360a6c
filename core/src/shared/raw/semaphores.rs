//! A set of semaphores: an array of operations is done to it as a whole or not at all, as semop(2) does it.
//!
//! ```text
//!   header, roster │ values │ staged │ undoers │ journal │ seats │ undo
//! ```
//!
//! **A value** is one word: the semaphore's value, and the process that changed it last. So one operation on one semaphore
//! is one store: its commit. All changes are made holding the set's lock.
//!
//! **More than one word** goes by the journal (`semaphores/journal.rs`): what was there before is written down, the
//! journal is *armed*, the words are changed, the journal is disarmed: the commit. Who inherits the lock from the dead finds it
//! armed, and puts back what was there. Values that are *set* (`SETVAL`, `SETALL`) are staged, and the arming is the commit: the
//! heir goes on with it, since what is lost otherwise are the amounts that it takes back from everybody.
//!
//! **Undo** (`semaphores/undo.rs`): what a participant's operations with undo took, and has to be given when he is gone, in a
//! row of his slot's. Whoever finds him dead gives it back: who joins in his slot, and who looks before he would wait.
//!
//! **Waiting** (`semaphores/seats.rs`): who must wait takes a *seat*, in the same critical section in which his operations
//! didn't go through, so nobody is missed. A seat says for which semaphore he waits, and for how much. Who changes a value
//! wakes, in the order in which they sat down, those whom it now suffices for; they try again by themselves, and one who came
//! without sitting down may be quicker. Nobody sleeps for more than 250 ms without trying again, since a waker may die.
//!
//! **Runs**: how many arrays one participant has done in a row, counted for those who wait awake: each look at the values costs their users
//! the transfer of a line, so who sees that others go on and on looks seldom, and gets a run of his own.
//!
//! Counts beside the seats and the undoers say whether there are any; too high is harmless. They are raised before and lowered after,
//! and made anew by who inherits.

mod geometry;
mod journal;
mod seats;
mod undo;

use std::any::Any;
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

use super::Fault;
use super::cell::{U32, U64};
use super::event::{Event, fence_after_unlock};
use super::header::CONTROL;
use super::host::{EVERYBODY, Host, Participant};
use super::keep::{Entered, KeptLock};
use super::sysv::SYSV;
use crate::deadline::Deadline;
use journal::{Entry, Journal};
use seats::Wakes;

pub(crate) use geometry::{Geometry, MOST_OPERATIONS, MOST_SEMAPHORES, MOST_VALUE};
pub(crate) use seats::Seat;

/// The dead are looked for this often at most by all who sleep together: each asks about all. With a [`NAP`](super::event::NAP) it
/// is the time within which sleepers find a death.
const TIDY_EVERY: Duration = Duration::from_millis(40);

/// One operation on one semaphore of a set, as `struct sembuf` has it (semop(2)).
#[doc(alias = "sembuf")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The semaphore; the first is 0.
    pub index: u32,
    /// What is added to its value, which never goes below 0: it is waited for until it is large enough. 0 waits until it is 0.
    pub delta: i32,
    /// Whether it is taken back when the handle is closed, or its process ends in any way (`SEM_UNDO`).
    pub undo: bool,
    /// If it can't be done at once, the whole array fails with `EAGAIN` (`IPC_NOWAIT`).
    pub no_wait: bool,
}

/// How an array of operations came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// This one can't be done yet; nothing was.
    Blocked(Blocked),
    /// First this piece of the file must be taken; then again.
    NeedsSpace(Space),
    /// The value would become too large, or what is to be undone.
    OutOfRange {
        index: u32,
    },
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Blocked {
    /// Where the first operation that can't be done is stuck.
    pub(crate) index: u32,
    pub(crate) need: Need,
    /// Whether that operation waits for 0.
    pub(crate) for_zero: bool,
    pub(crate) no_wait: bool,
}

impl Blocked {
    /// One of `operations` is stuck.
    #[cold]
    fn new(operations: &[Operation], stuck: Operation) -> Self {
        let Operation { index, delta, no_wait, .. } = stuck;
        Self { index, need: Need::of(operations, index), for_zero: delta == 0, no_wait }
    }
}

/// What one operation would do.
enum Step {
    To(u32),
    /// It must wait.
    Stuck,
    /// The value would become too large.
    TooFar,
}

/// What a semaphore's value must be for a whole array: to take 1 twice needs 2, and to take 1 and then wait for 0 needs exactly 1. More
/// than a value can be is for ever in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    AtLeast(u32),
    Exactly(u32),
}

impl Need {
    const NEVER: u32 = u32::MAX;

    fn of(operations: &[Operation], index: u32) -> Self {
        let (mut sum, mut least, mut exactly) = (0_i64, 0_i64, None);
        for operation in operations.iter().filter(|operation| operation.index == index) {
            if operation.delta == 0 {
                let contradicts = exactly.is_some_and(|known| known != -sum);
                exactly = Some(if contradicts { i64::MIN } else { -sum });
            }
            sum += i64::from(operation.delta);
            least = least.max(-sum);
        }
        let word = |need: i64| u32::try_from(need).unwrap_or(Self::NEVER);
        match exactly {
            None => Self::AtLeast(word(least)),
            Some(exactly) if exactly >= least => Self::Exactly(word(exactly)),
            Some(_) => Self::Exactly(Self::NEVER),
        }
    }

    /// Whether `value` is what is waited for.
    fn suits(self, value: u32) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::Exactly(what) => value == what,
        }
    }

    /// Whether neither `value` nor less will ever do.
    fn is_more_than(self, value: u32) -> bool {
        let (Self::AtLeast(need) | Self::Exactly(need)) = self;
        need > value
    }
}

/// A piece of the file that is needed next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Space {
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

/// A semaphore's value, and who changed it last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) value: u32,
    pub(crate) pid: u32,
}

impl Value {
    fn of(word: u64) -> Self {
        Self { value: word as u32, pid: (word >> 32) as u32 }
    }

    fn word(self) -> u64 {
        u64::from(self.pid) << 32 | u64::from(self.value)
    }
}

/// Every semaphore, as [`bits`] has it.
const ANY: u32 = EVERYBODY;

/// Which semaphores these are, for those who wait by a descriptor; several share a bit.
#[inline]
fn bits(operations: &[Operation]) -> u32 {
    operations.iter().fold(0, |bits, operation| bits | 1 << (operation.index % 32))
}

/// What all operations touch.
#[derive(Debug, Default)]
#[repr(C, align(128))]
struct Front {
    lock: KeptLock,
    /// How many sit and wait at most.
    waiting: U32,
    /// How many have something to be undone at most.
    undoers: U32,
    /// Whose array was done last.
    runner: U32,
    /// The next one's place in the order of those who wait.
    ticket: U64,
    journal: Journal,
    /// How many of his were done in a row, going round.
    run: U32,
    /// And of the one before him.
    last_run: U32,
}

/// What is seldom touched.
#[derive(Debug, Default)]
#[repr(C, align(128))]
struct Back {
    /// Who wait by a descriptor, for which semaphores.
    event: Event,
    /// How often the lock was inherited from the dead.
    repairs: U64,
    /// When somebody last looked for the dead, on the monotonic clock in nanoseconds.
    tidied: U64,
}

/// A set's control lines, at [`CONTROL`] in the file.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Control {
    front: Front,
    back: Back,
}

const _: () = assert!(size_of::<Control>() == 256 && CONTROL + size_of::<Control>() as u64 <= SYSV as u64);

/// A set of semaphores in shared memory.
#[derive(Debug)]
pub(crate) struct Semaphores {
    base: NonNull<u8>,
    geometry: Geometry,
    /// Keeps the memory.
    _owner: Arc<dyn Any + Send + Sync>,
}

// SAFETY: all shared state is reached through atomics.
unsafe impl Send for Semaphores {}
// SAFETY: as for Send.
unsafe impl Sync for Semaphores {}

impl Semaphores {
    /// The set that begins at `base`.
    ///
    /// # Safety
    /// For as long as `owner` lives `base` is valid for the geometry's size, aligned to a page, and only written by the protocols of
    /// this floor (or by scribblers in other processes).
    pub(crate) unsafe fn at(base: NonNull<u8>, geometry: Geometry, owner: Arc<dyn Any + Send + Sync>) -> Self {
        Self { base, geometry, _owner: owner }
    }

    /// Gives a new set, which nobody else can see yet, its first values.
    pub(crate) fn create(&self, values: impl Iterator<Item = u32>) {
        for (word, value) in self.values().iter().zip(values) {
            word.set(Value { value, pid: 0 }.word());
        }
    }

    pub(crate) fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// How often the living repaired what a killed participant left half done.
    pub(crate) fn repairs(&self) -> u64 {
        self.control().back.repairs.get()
    }

    /// A semaphore as it is at this moment. Its index is the caller's to check.
    pub(crate) fn value(&self, index: u32) -> Value {
        Value::of(self.values()[index as usize].get())
    }

    /// Whether what `blocked` waits for is there, as far as one sees without the lock.
    pub(crate) fn suits(&self, blocked: Blocked) -> bool {
        blocked.need.suits(Value::of(self.values()[blocked.index as usize].peek()).value)
    }

    /// Does all of `operations`, whose indices are the caller's to check, or none.
    ///
    /// Who can't go on sits down in `seat`, if he has one: he may sleep there until he is woken, and then tries again with it.
    #[inline]
    pub(crate) fn operate(
        &self,
        host: &impl Host,
        pid: u32,
        operations: &[Operation],
        seat: Option<&mut Seat>,
        deadline: Deadline,
    ) -> Result<Outcome, Fault> {
        let entered = self.lock(host, deadline)?;
        if let ([operation], None) = (operations, &seat)
            && !operation.undo
        {
            return self.operate_one(host, pid, *operation, entered);
        }
        let mut wakes = Wakes::default();
        let mut outcome = self.operate_all(host, pid, operations, &mut wakes);
        if seat.as_deref().is_some_and(|seat| self.is_served(host, seat)) {
            outcome = Outcome::Done;
        }
        if let Some(seat) = seat {
            match outcome {
                Outcome::Blocked(blocked) => self.sit(host, seat, operations, blocked, &mut wakes),
                _ => self.rise(host, seat, &mut wakes),
            }
        }
        let changed = if outcome == Outcome::Done { bits(operations) } else { 0 };
        self.unlock(host, entered, changed, &wakes)?;
        Ok(outcome)
    }

    /// The usual case: one operation without undo, done or blocked.
    #[inline]
    fn operate_one(
        &self,
        host: &impl Host,
        pid: u32,
        operation: Operation,
        entered: Entered,
    ) -> Result<Outcome, Fault> {
        let word = &self.values()[operation.index as usize];
        let before = Value::of(word.peek()).value;
        let outcome = match self.step(operation, before) {
            Step::To(value) => {
                word.set(Value { value, pid }.word());
                self.count_run(host.me());
                Outcome::Done
            }
            Step::Stuck => Outcome::Blocked(Blocked::new(&[operation], operation)),
            Step::TooFar => Outcome::OutOfRange { index: operation.index },
        };
        let front = &self.control().front;
        if outcome == Outcome::Done && front.waiting.peek() == 0 {
            front.lock.unlock(host, entered)?;
            self.tell(host, entered, bits(&[operation]));
        } else {
            self.finish_one(host, operation, outcome, entered)?;
        }
        Ok(outcome)
    }

    #[cold]
    fn finish_one(
        &self,
        host: &impl Host,
        operation: Operation,
        outcome: Outcome,
        entered: Entered,
    ) -> Result<(), Fault> {
        let mut wakes = Wakes::default();
        if outcome != Outcome::Done {
            return self.unlock(host, entered, 0, &wakes);
        }
        self.offer(host, operation.index, &mut wakes);
        self.unlock(host, entered, bits(&[operation]), &wakes)
    }

    /// What a value becomes by an operation.
    #[inline]
    fn step(&self, operation: Operation, before: u32) -> Step {
        let delta = operation.delta;
        match i64::from(before) + i64::from(delta) {
            after if after < 0 || delta == 0 && after > 0 => Step::Stuck,
            after if after > i64::from(self.geometry.most) => Step::TooFar,
            after => Step::To(after as u32),
        }
    }

    /// Several operations, or with undo: looks whether all can be done, in their order, and does them by the journal.
    fn operate_all(&self, host: &impl Host, pid: u32, operations: &[Operation], wakes: &mut Wakes) -> Outcome {
        let slot = host.me().slot();
        let with_undo = operations.iter().any(|operation| operation.undo);
        if with_undo && let Some(space) = self.space_for_undo(slot) {
            return Outcome::NeedsSpace(space);
        }
        for (at, operation) in operations.iter().enumerate() {
            let earlier = &operations[..at];
            match self.step(*operation, self.value_after(earlier, operation.index)) {
                Step::To(_) => {}
                Step::Stuck => return Outcome::Blocked(Blocked::new(operations, *operation)),
                Step::TooFar => return Outcome::OutOfRange { index: operation.index },
            }
            if operation.undo && !self.can_undo(slot, earlier, *operation) {
                return Outcome::OutOfRange { index: operation.index };
            }
        }
        if with_undo {
            self.become_undoer(host.me(), pid);
        }
        for (at, operation) in operations.iter().enumerate() {
            let index = operation.index;
            let word = self.values()[index as usize].peek();
            let undo = if operation.undo { self.undo(slot, index).peek() } else { 0 };
            self.journal(at).write(Entry { index, has_undo: operation.undo, undo, word });
        }
        self.arm_to_put_back(slot, operations.len());
        for operation in operations {
            let value = self.value_after(&[], operation.index).wrapping_add_signed(operation.delta);
            self.values()[operation.index as usize].set(Value { value, pid }.word());
            if operation.undo {
                let undo = self.undo(slot, operation.index);
                undo.set(undo.peek().wrapping_sub(operation.delta.cast_unsigned()));
            }
        }
        self.disarm();
        self.count_run(host.me());
        for operation in operations {
            self.offer(host, operation.index, wakes);
        }
        Outcome::Done
    }

    /// Somebody's array was done. What dies here is a hint.
    #[inline]
    fn count_run(&self, who: Participant) {
        let Front { runner, run, last_run, .. } = &self.control().front;
        if runner.peek() == who.word() {
            run.set(run.peek().wrapping_add(1));
        } else {
            runner.set(who.word());
            last_run.set(run.peek());
            run.set(1);
        }
    }

    /// Whether somebody may sit and wait, as far as one sees without the lock.
    pub(crate) fn has_waiters(&self) -> bool {
        self.control().front.waiting.peek() > 0
    }

    /// How many arrays of one participant's were done in a row: so far, and of the one before. Hints.
    pub(crate) fn runs(&self) -> (u32, u32) {
        let front = &self.control().front;
        (front.run.peek(), front.last_run.peek())
    }

    /// A semaphore's value once `earlier` operations, which can be done, are done.
    fn value_after(&self, earlier: &[Operation], index: u32) -> u32 {
        let value = Value::of(self.values()[index as usize].peek()).value;
        let same = earlier.iter().filter(|operation| operation.index == index);
        same.fold(value, |value, operation| value.wrapping_add_signed(operation.delta))
    }

    /// Sets the values from `first` on; takes back from everybody what was to be undone on them.
    pub(crate) fn set(
        &self,
        host: &impl Host,
        pid: u32,
        first: u32,
        values: &[u32],
        deadline: Deadline,
    ) -> Result<(), Fault> {
        let entered = self.lock(host, deadline)?;
        let mut wakes = Wakes::default();
        for (staged, value) in self.staged()[first as usize..].iter().zip(values) {
            staged.set(*value);
        }
        self.arm_to_set(pid, first, values.len());
        self.go_on_setting(host, &mut wakes);
        self.unlock(host, entered, ANY, &wakes)
    }

    /// Looks at the set at one moment, at which no array is half done.
    pub(crate) fn look<T>(
        &self,
        host: &impl Host,
        deadline: Deadline,
        look: impl FnOnce(&Self) -> T,
    ) -> Result<T, Fault> {
        let entered = self.lock(host, deadline)?;
        let seen = look(self);
        self.unlock(host, entered, 0, &Wakes::default())?;
        Ok(seen)
    }

    /// Gives back what the dead had to be undone, if there are any. Whether something was.
    pub(crate) fn bury(&self, host: &impl Host, deadline: Deadline) -> Result<bool, Fault> {
        // To ask who lives takes system calls: so first without the lock.
        if !self.has_other_undoers(host.me()) || !self.has_dead_undoer(host) {
            return Ok(false);
        }
        let entered = self.lock(host, deadline)?;
        let mut wakes = Wakes::default();
        let found = self.undo_the_dead(host, &mut wakes);
        self.unlock(host, entered, if found { ANY } else { 0 }, &wakes)?;
        Ok(found)
    }

    /// As [`bury`](Self::bury), and lets nobody sit who is dead. All who sleep do it now and then; if another just has, it is
    /// enough. `now_ns` is of the monotonic clock.
    pub(crate) fn tidy(&self, host: &impl Host, now_ns: u64, deadline: Deadline) -> Result<(), Fault> {
        let tidied = &self.control().back.tidied;
        if u128::from(now_ns.wrapping_sub(tidied.get())) < TIDY_EVERY.as_nanos() {
            return Ok(());
        }
        tidied.set(now_ns);
        let is_dead = |who| who != host.me() && !host.lives(who);
        if !self.has_dead_undoer(host) && !self.has_seat(is_dead) {
            return Ok(());
        }
        let entered = self.lock(host, deadline).inspect_err(|_| tidied.set(0))?;
        let mut wakes = Wakes::default();
        let found = self.undo_the_dead(host, &mut wakes);
        self.clear_seats(host, is_dead, &mut wakes);
        self.unlock(host, entered, if found { ANY } else { 0 }, &wakes)
    }

    /// Gives up waiting.
    pub(crate) fn leave(&self, host: &impl Host, seat: &mut Seat, deadline: Deadline) -> Result<(), Fault> {
        if !seat.is_taken() {
            return Ok(());
        }
        match self.lock(host, deadline) {
            Ok(entered) => {
                let mut wakes = Wakes::default();
                self.rise(host, seat, &mut wakes);
                self.unlock(host, entered, 0, &wakes)
            }
            // He leaves all the same; whom he might have passed a wake on to looks by himself in a while.
            Err(fault) => {
                self.slip_away(host, seat);
                Err(fault)
            }
        }
    }

    /// Whether a participant has something to be undone.
    pub(crate) fn owes(&self, host: &impl Host) -> bool {
        self.undoers()[host.me().slot() as usize].is(host.me())
    }

    /// What a participant owns is given back: he closes his handle.
    pub(crate) fn part(&self, host: &impl Host) {
        self.undo_own(host);
        self.control().front.lock.give_back_for_good(host);
    }

    /// Undoes what a participant's operations have to be undone.
    pub(crate) fn undo_own(&self, host: &impl Host) {
        if self.owes(host)
            && let Ok(entered) = self.lock(host, Deadline::NOW)
        {
            let mut wakes = Wakes::default();
            self.give_back(host, host.me().slot(), &mut wakes);
            // Disowned: then the others have done it.
            let _ = self.unlock(host, entered, ANY, &wakes);
        }
    }

    /// Sees to what the former owners of the slot left that `heir` has now.
    pub(crate) fn settle(&self, host: &impl Host, heir: Participant) -> Result<(), Fault> {
        let front = &self.control().front;
        let is_former = |who: Participant| who.slot() == heir.slot() && who != heir;
        let is_concerned = self.undoers()[heir.slot() as usize].is_somebody() || self.has_seat(is_former);
        let entered = match front.lock.inherit_from_slot(host, heir) {
            Some(entered) => entered,
            None if !is_concerned => return Ok(()),
            None => front.lock.lock(host, Deadline::NOW)?,
        };
        let mut wakes = Wakes::default();
        if entered == Entered::Inherited {
            self.repair(host, &mut wakes);
        }
        self.give_back(host, heir.slot(), &mut wakes);
        self.clear_seats(host, is_former, &mut wakes);
        self.unlock(host, entered, ANY, &wakes)
    }

    /// Takes the lock, and repairs if it was the dead who had it.
    #[inline]
    fn lock(&self, host: &impl Host, deadline: Deadline) -> Result<Entered, Fault> {
        let entered = self.control().front.lock.lock(host, deadline)?;
        if entered == Entered::Inherited {
            let mut wakes = Wakes::default();
            self.repair(host, &mut wakes);
            wakes.wake(self, host);
        }
        Ok(entered)
    }

    /// Gives the lock back, and then wakes who is to be woken, and who waits by a descriptor for what has `changed`. (Who finds that he must
    /// wait must not ring himself.)
    fn unlock(&self, host: &impl Host, entered: Entered, changed: u32, wakes: &Wakes) -> Result<(), Fault> {
        let unlocked = self.control().front.lock.unlock(host, entered);
        wakes.wake(self, host);
        if changed != 0 || entered == Entered::Inherited {
            self.tell(host, entered, changed);
        }
        unlocked
    }

    /// Rings those who wait by a descriptor for one of the semaphores that `changed` names. Nobody sleeps on the event.
    #[inline]
    fn tell(&self, host: &impl Host, entered: Entered, changed: u32) {
        fence_after_unlock(entered);
        // A repair may have changed anything.
        let changed = if entered == Entered::Inherited { ANY } else { changed };
        let event = &self.control().back.event;
        if event.is_awaited() && event.watched() & changed != 0 {
            event.raise(host);
        }
    }

    /// Wakes everybody who waits: there is nothing to wait for any more.
    pub(crate) fn wake_all(&self, host: &impl Host) {
        // With the lock, so that nobody is just sitting down; without it, he looks by himself in a while.
        let entered = self.control().front.lock.lock(host, Deadline::INSTANT);
        self.wake_all_seats(host);
        if let Ok(entered) = entered {
            let _ = self.control().front.lock.unlock(host, entered);
        }
        self.control().back.event.raise(host);
    }

    /// Announces one who waits by a descriptor until these operations can be done. Then he tries them again.
    pub(crate) fn announce_watcher(&self, host: &impl Host, operations: &[Operation]) {
        let event = &self.control().back.event;
        event.watch(bits(operations));
        event.announce();
        self.control().front.lock.fence_for_sleeper(host);
    }

    #[cold]
    fn repair(&self, host: &impl Host, wakes: &mut Wakes) {
        let repairs = &self.control().back.repairs;
        repairs.set(repairs.peek().wrapping_add(1));
        self.recover(host, wakes);
        self.count_undoers();
        self.count_seats();
        // The dead may have changed a value and told nobody.
        self.offer_all(host, wakes);
    }

    fn control(&self) -> &Control {
        // SAFETY: by the promise to `at`: within the file, aligned (checked below); atomics, for which every content is valid.
        unsafe { self.base.byte_add(CONTROL as usize).cast().as_ref() }
    }

    /// All words by where they lie: control lines, values, staged, undoers, journal, seats, undo.
    #[cfg(test)]
    pub(super) fn words_for_test(&self) -> [&[U32]; 7] {
        let geometry = &self.geometry;
        let ends = [geometry.values(), geometry.staged(), geometry.undoers(), geometry.journal()];
        let more = [geometry.seats(), geometry.undo(), geometry.undo() + u64::from(geometry.slots) * geometry.row()];
        let ends: Vec<u64> = ends.into_iter().chain(more).collect();
        let area = |offset, end| self.area(offset, ((end - offset) / 4) as usize);
        std::array::from_fn(|which| match which {
            0 => area(CONTROL, CONTROL + size_of::<Control>() as u64),
            _ => area(ends[which - 1], ends[which]),
        })
    }

    /// Where the words of control lines, a row's owner, a record and a place lie, how many bytes they have, and what they are.
    #[cfg(test)]
    pub(super) fn layout_for_test() -> [Vec<(usize, usize, &'static str)>; 4] {
        use std::mem::offset_of;
        let front = CONTROL as usize + offset_of!(Control, front);
        let back = CONTROL as usize + offset_of!(Control, back);
        let lock = front + offset_of!(Front, lock);
        let control = vec![
            (lock, 4, "lock"),
            (
                lock + 4,
                size_of::<KeptLock>() - 4,
                "who keeps it, whether he is inside; who had it last, how often in a row",
            ),
            (front + offset_of!(Front, waiting), 4, "how many sit and wait at most"),
            (front + offset_of!(Front, undoers), 4, "how many have something to be undone at most"),
            (front + offset_of!(Front, runner), 4, "whose operations were done last"),
            (front + offset_of!(Front, ticket), 8, "the next one's place in the order"),
            (front + offset_of!(Front, journal), size_of::<Journal>(), "journal: its word, and the process that sets"),
            (front + offset_of!(Front, run), 8, "how many of his were done in a row, and of the one before him"),
            (back + offset_of!(Back, event), 4, "event"),
            (back + offset_of!(Back, event) + 4, 4, "for which semaphores some wait by a descriptor"),
            (back + offset_of!(Back, repairs), 8, "how often the lock was inherited from the dead"),
            (
                back + offset_of!(Back, tidied),
                8,
                "when somebody looked for the dead, nanoseconds on the monotonic clock",
            ),
        ];
        [control, undo::Undoer::layout_for_test(), journal::Record::layout_for_test(), seats::Place::layout_for_test()]
    }

    /// Who keeps the lock.
    #[cfg(test)]
    pub(super) fn keeper_for_test(&self) -> Option<Participant> {
        Participant::from_word(self.control().front.lock.keeper_and_inside().0.get())
    }

    fn values(&self) -> &[U64] {
        self.area(self.geometry.values(), self.geometry.count as usize)
    }

    fn staged(&self) -> &[U32] {
        self.area(self.geometry.staged(), self.geometry.count as usize)
    }

    /// `count` things, which consist of atomics, at `offset`.
    fn area<T: Shared>(&self, offset: u64, count: usize) -> &[T] {
        debug_assert!(offset + (count * size_of::<T>()) as u64 <= self.geometry.size());
        // SAFETY: by the promise to `at` within the file: the geometry has room for all areas; each begins at a multiple of 64;
        // `Shared` is only implemented for what consists of atomics.
        unsafe { NonNull::slice_from_raw_parts(self.base.byte_add(offset as usize).cast(), count).as_ref() }
    }
}

/// What consists of atomics, for which every content is valid; aligned to 64 bytes at most.
trait Shared {}

impl Shared for U32 {}
impl Shared for U64 {}
