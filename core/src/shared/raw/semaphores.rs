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
//! Counts beside the seats and the undoers say whether there are any; too high is harmless. They are raised before and lowered after,
//! and made anew by who inherits.

mod geometry;
mod journal;
mod seats;
mod undo;

use std::any::Any;
use std::ptr::NonNull;
use std::sync::Arc;

use super::Fault;
use super::cell::{U32, U64};
use super::event::{Event, fence_after_unlock};
use super::header::CONTROL;
use super::host::{Host, Participant};
use super::keep::{Entered, KeptLock};
use super::sysv::SYSV;
use crate::deadline::Deadline;
use journal::{Entry, Journal};
use seats::Wakes;

pub(crate) use geometry::{Geometry, MOST_OPERATIONS, MOST_SEMAPHORES, MOST_VALUE};
pub(crate) use seats::Seat;

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
    pub(crate) index: u32,
    /// What the value must be at least; 0 is that it must be 0.
    pub(crate) need: u32,
    pub(crate) no_wait: bool,
}

impl Blocked {
    /// Whether `value` is what is waited for.
    fn suits(self, value: u32) -> bool {
        if self.need == 0 { value == 0 } else { value >= self.need }
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

/// What all operations touch.
#[derive(Debug, Default)]
#[repr(C, align(128))]
struct Front {
    lock: KeptLock,
    /// How many sit and wait at most.
    waiting: U32,
    /// How many have something to be undone at most.
    undoers: U32,
    /// The next one's place in the order of those who wait.
    ticket: U64,
    journal: Journal,
}

/// What is seldom touched.
#[derive(Debug, Default)]
#[repr(C, align(128))]
struct Back {
    /// Who wait by a descriptor.
    event: Event,
    /// How often the lock was inherited from the dead.
    repairs: U64,
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

    /// Who wait by a descriptor.
    pub(crate) fn event(&self) -> &Event {
        &self.control().back.event
    }

    /// A semaphore as it is at this moment. Its index is the caller's to check.
    pub(crate) fn value(&self, index: u32) -> Value {
        Value::of(self.values()[index as usize].get())
    }

    /// Whether what `blocked` waits for is there, as far as one sees without the lock.
    pub(crate) fn suits(&self, blocked: Blocked) -> bool {
        blocked.suits(Value::of(self.values()[blocked.index as usize].peek()).value)
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
        let outcome = self.operate_all(host, pid, operations, &mut wakes);
        if let Some(seat) = seat {
            match outcome {
                Outcome::Blocked(blocked) => self.sit(host, seat, blocked, &mut wakes),
                _ => self.rise(host, seat, &mut wakes),
            }
        }
        self.unlock(host, entered, &wakes)?;
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
            Ok(value) => {
                word.set(Value { value, pid }.word());
                Outcome::Done
            }
            Err(outcome) => outcome,
        };
        let front = &self.control().front;
        if outcome == Outcome::Done && front.waiting.peek() != 0 {
            let mut wakes = Wakes::default();
            self.offer(host, operation.index, &mut wakes);
            self.unlock(host, entered, &wakes)?;
        } else {
            front.lock.unlock(host, entered)?;
        }
        self.tell(host, entered);
        Ok(outcome)
    }

    /// What a value becomes by an operation, or why it can't.
    #[inline]
    fn step(&self, operation: Operation, before: u32) -> Result<u32, Outcome> {
        let Operation { index, delta, no_wait, .. } = operation;
        let blocked = |need| Err(Outcome::Blocked(Blocked { index, need, no_wait }));
        match i64::from(before) + i64::from(delta) {
            0 if delta == 0 => Ok(0),
            _ if delta == 0 => blocked(0),
            after if after < 0 => blocked(delta.unsigned_abs()),
            after if after > i64::from(self.geometry.most) => Err(Outcome::OutOfRange { index }),
            after => Ok(after as u32),
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
            if let Err(outcome) = self.step(*operation, self.value_after(earlier, operation.index)) {
                return outcome;
            }
            if operation.undo && !self.can_undo(slot, earlier, *operation) {
                return Outcome::OutOfRange { index: operation.index };
            }
        }
        if with_undo {
            self.become_undoer(host.me());
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
        for operation in operations {
            self.offer(host, operation.index, wakes);
        }
        Outcome::Done
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
        self.unlock(host, entered, &wakes)
    }

    /// Gives back what the dead had to be undone, if there are any. Whether something was.
    pub(crate) fn bury(&self, host: &impl Host, deadline: Deadline) -> Result<bool, Fault> {
        if !self.has_other_undoers(host.me()) {
            return Ok(false);
        }
        let entered = self.lock(host, deadline)?;
        let mut wakes = Wakes::default();
        let found = self.undo_the_dead(host, &mut wakes);
        self.unlock(host, entered, &wakes)?;
        Ok(found)
    }

    /// As [`bury`](Self::bury), and lets nobody sit who is dead.
    pub(crate) fn tidy(&self, host: &impl Host, deadline: Deadline) -> Result<(), Fault> {
        let entered = self.lock(host, deadline)?;
        let mut wakes = Wakes::default();
        self.undo_the_dead(host, &mut wakes);
        self.clear_seats(host, |who| who != host.me() && !host.lives(who), &mut wakes);
        self.unlock(host, entered, &wakes)
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
                self.unlock(host, entered, &wakes)
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
            let _ = self.unlock(host, entered, &wakes);
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
        self.unlock(host, entered, &wakes)
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

    /// Gives the lock back, and then wakes who is to be woken.
    fn unlock(&self, host: &impl Host, entered: Entered, wakes: &Wakes) -> Result<(), Fault> {
        let unlocked = self.control().front.lock.unlock(host, entered);
        wakes.wake(self, host);
        self.tell(host, entered);
        unlocked
    }

    /// Rings who wait by a descriptor.
    #[inline]
    fn tell(&self, host: &impl Host, entered: Entered) {
        fence_after_unlock(entered);
        let event = &self.control().back.event;
        if event.is_awaited() {
            event.raise(host);
        }
    }

    /// Wakes everybody who waits: there is nothing to wait for any more.
    pub(crate) fn wake_all(&self, host: &impl Host) {
        self.wake_all_seats(host);
        self.control().back.event.raise(host);
    }

    /// Orders the announcement of one who waits by a descriptor before his look at the values.
    pub(crate) fn fence_for_sleeper(&self, host: &impl Host) {
        self.control().front.lock.fence_for_sleeper(host);
    }

    #[cold]
    fn repair(&self, host: &impl Host, wakes: &mut Wakes) {
        let repairs = &self.control().back.repairs;
        repairs.set(repairs.peek() + 1);
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
