//! Operations and scribbles in turn, as a fuzzer writes them: any bytes are some script.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use arbitrary::{Arbitrary, Unstructured};
use madang::{Batch, Create, Deadline, Lease, Operation, Queue, Reservation, Select, SemaphoreSet};

use super::guards::Guards;
use super::made::Made;
use super::probe::{Probe, soon};
use super::uses::{NAME, SCENES, Scene, queue, set, sync};

/// What a fuzzer's bytes mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// What is written over an object before it is opened, and used in every way.
    Image,
    /// Steps with a queue, a set, locks.
    Queue,
    Set,
    Locks,
}

impl Target {
    pub(crate) const ALL: [(Self, &str); 4] =
        [(Self::Image, "image"), (Self::Queue, "queue"), (Self::Set, "set"), (Self::Locks, "locks")];
}

/// A target, and the objects that it needs.
pub(crate) struct Stage {
    target: Target,
    scenes: Vec<(Scene, Made)>,
}

/// How many steps of a script are taken.
const MOST_STEPS: usize = 64;
/// (What a message says is of no interest.)
static BYTES: [u8; 1 << 16] = [0; 1 << 16];

impl Stage {
    pub(crate) fn new(target: Target) -> Self {
        let scenes = match target {
            // (What System V calls made is the same, and known by identifiers that a process remembers.)
            Target::Image => SCENES.into_iter().filter(|scene| !scene.name.starts_with("System V")).collect(),
            Target::Queue => vec![queue::SCENE],
            Target::Set => vec![set::SCENE],
            Target::Locks => vec![sync::NAMED],
        };
        Self { target, scenes: scenes.into_iter().map(|scene| (scene, Made::new(scene))).collect() }
    }

    /// Does what the bytes say. For a process with one thread, whose folder of objects is changed by it.
    pub(crate) fn play(&self, probe: &Probe, bytes: &[u8]) {
        let mut bytes = Unstructured::new(bytes);
        // (Bytes that are too few mean zeros, so there is hardly an error.)
        let _ = match self.target {
            Target::Image => self.play_image(probe, &mut bytes),
            Target::Queue => Scripted::begin(&self.scenes[0].1).play(probe, &mut bytes, &mut Queues::default()),
            Target::Set => Scripted::begin(&self.scenes[0].1).play(probe, &mut bytes, &mut Sets::default()),
            Target::Locks => Scripted::begin(&self.scenes[0].1).play(probe, &mut bytes, &mut Locks::default()),
        };
    }

    fn play_image(&self, probe: &Probe, bytes: &mut Unstructured) -> arbitrary::Result<()> {
        let (scene, made) = &self.scenes[usize::from(u8::arbitrary(bytes)?) % self.scenes.len()];
        let scripted = Scripted::begin(made);
        while !bytes.is_empty() {
            scripted.scribble(Scribble::arbitrary(bytes)?);
        }
        if let Some(mut used) = (scene.open)(probe, &made.room, 0) {
            let guards = Guards::new();
            used.use_it(probe, 0);
            probe.must("close", || drop(used));
            drop(guards);
        }
        made.room.clear();
        Ok(())
    }
}

/// An object that a script is played on.
struct Scripted<'a> {
    made: &'a Made,
    files: Vec<File>,
    /// File and offset of what is scribbled on.
    words: Vec<(usize, u64)>,
}

/// What is written, into a word that is counted round the object's.
#[derive(Arbitrary, Clone, Copy, Debug)]
struct Scribble {
    at: u16,
    half: Option<bool>,
    what: Written,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Written {
    Number(u64),
    Small(u8),
    /// What is there, and so much more.
    More(i8),
    Flipped(u8),
    /// What is there elsewhere, and so much more.
    Copied(u16, i8),
}

impl<'a> Scripted<'a> {
    fn begin(made: &'a Made) -> Self {
        made.room.is_entered();
        let files = made.image.put_back();
        let words = made.image.files.iter().enumerate().flat_map(|(number, file)| {
            let begin = (0..1536).step_by(8).chain((4096..4352).step_by(8));
            let lines = file.lines(64).into_iter().filter(|&at| at > 4096);
            begin.chain(lines.flat_map(|at| (at..at + 64).step_by(8))).map(move |at| (number, at))
        });
        Self { made, files, words: words.collect() }
    }

    fn play<'b, A: Actor<'b>>(
        self,
        probe: &Probe,
        bytes: &mut Unstructured<'b>,
        actor: &mut A,
    ) -> arbitrary::Result<()> {
        actor.opens(probe, bool::arbitrary(bytes)?);
        let guards = Guards::new();
        for _ in 0..MOST_STEPS {
            if bytes.is_empty() {
                break;
            }
            match Option::<A::Step>::arbitrary(bytes)? {
                Some(step) => actor.acts(probe, step),
                None => self.scribble(Scribble::arbitrary(bytes)?),
            }
        }
        actor.ends(probe);
        drop(guards);
        self.made.room.clear();
        Ok(())
    }

    fn scribble(&self, Scribble { at, half, what }: Scribble) {
        let (file, at) = self.words[usize::from(at) % self.words.len()];
        let (at, width) = match half {
            None => (at, 8),
            Some(upper) => (at + 4 * u64::from(upper), 4),
        };
        let read = |file: usize, at| {
            let mut word = [0; 8];
            let _ = self.files[file].read_at(&mut word[..width], at);
            u64::from_le_bytes(word)
        };
        let value = match what {
            Written::Number(number) => number,
            Written::Small(number) => number.into(),
            Written::More(more) => read(file, at).wrapping_add_signed(more.into()),
            Written::Flipped(bit) => read(file, at) ^ 1 << (bit % 64),
            Written::Copied(from, more) => {
                let (file, at) = self.words[usize::from(from) % self.words.len()];
                read(file, at).wrapping_add_signed(more.into())
            }
        };
        self.files[file].write_all_at(&value.to_le_bytes()[..width], at).expect("a scribble");
    }
}

/// Who takes the steps of one kind.
trait Actor<'b> {
    type Step: Arbitrary<'b>;

    /// One handle of it, or both.
    fn opens(&mut self, probe: &Probe, both: bool);
    fn acts(&mut self, probe: &Probe, step: Self::Step);
    fn ends(&mut self, probe: &Probe);
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Wanted {
    Any,
    Type(u8),
    UpTo(u8),
    Except(u8),
}

impl From<Wanted> for Select {
    fn from(wanted: Wanted) -> Self {
        match wanted {
            Wanted::Any => Self::Any,
            Wanted::Type(mtype) => Self::Type(mtype.into()),
            Wanted::UpTo(mtype) => Self::UpTo(mtype.into()),
            Wanted::Except(mtype) => Self::Except(mtype.into()),
        }
    }
}

/// Whether to wait a little.
fn deadline(waits: bool) -> Deadline {
    if waits { soon() } else { Deadline::INSTANT }
}

#[derive(Default)]
struct Queues {
    queues: [Option<Arc<Queue>>; 2],
    leases: Vec<Lease>,
    reservations: Vec<Reservation>,
}

/// A step by the one handle or the other; numbers are counted round what there is.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum QueueStep {
    Send(bool, u8, u16, bool),
    SendMany(bool, [u16; 4]),
    Recv(bool, Wanted, bool),
    RecvMany(bool, Wanted, u8),
    Peek(bool, u8),
    Lease(bool, Wanted),
    Ack(u8),
    Release(u8),
    Read(u8),
    DropLease(u8),
    Reserve(bool, u16),
    Commit(u8, u16),
    DropReservation(u8),
    Stat(bool),
    Trim(bool),
    Descriptor(bool),
    Reopen(bool, bool),
}

impl Queues {
    fn open(&mut self, probe: &Probe, which: bool, alone: bool) {
        let place = &mut self.queues[usize::from(which)];
        if let Some(queue) = place.take() {
            probe.step("close", || drop(queue));
        }
        let options = Queue::options().create(Create::Never).exclusive_sender(alone).exclusive_receiver(alone);
        *place = probe.step("open", || options.open(NAME)).and_then(Result::ok).map(Arc::new);
    }

    fn lease(&mut self, which: u8) -> Option<Lease> {
        let count = self.leases.len();
        (count > 0).then(|| self.leases.swap_remove(usize::from(which) % count))
    }

    fn reservation(&mut self, which: u8) -> Option<Reservation> {
        let count = self.reservations.len();
        (count > 0).then(|| self.reservations.swap_remove(usize::from(which) % count))
    }
}

impl Actor<'_> for Queues {
    type Step = QueueStep;

    fn opens(&mut self, probe: &Probe, both: bool) {
        self.open(probe, false, false);
        if both {
            self.open(probe, true, false);
        }
    }

    fn acts(&mut self, probe: &Probe, step: QueueStep) {
        use QueueStep as S;
        let (S::Send(by, ..)
        | S::SendMany(by, _)
        | S::Recv(by, ..)
        | S::RecvMany(by, ..)
        | S::Peek(by, _)
        | S::Lease(by, _)
        | S::Reserve(by, _)
        | S::Stat(by)
        | S::Trim(by)
        | S::Descriptor(by)) = step
        else {
            return self.others(probe, step);
        };
        let Some(queue) = &self.queues[usize::from(by)] else { return };
        match step {
            S::Send(_, mtype, length, waits) => {
                let data = &BYTES[..usize::from(length)];
                probe.step("send", || queue.send_until(i64::from(mtype) + 1, data, deadline(waits)));
            }
            S::SendMany(_, lengths) => {
                let some = lengths.map(|length| (1 + i64::from(length % 4), &BYTES[..usize::from(length % 8192)]));
                probe.step("send_many", || queue.send_many_until(&some, soon()));
            }
            S::Recv(_, wanted, waits) => {
                probe.step("recv", || queue.recv_until(wanted.into(), deadline(waits)).map(|_| ()));
            }
            S::RecvMany(_, wanted, most) => {
                let mut batch = Batch::new(most.into(), 8 * usize::from(most));
                probe.step("recv_many", || queue.recv_many_until(wanted.into(), &mut batch, soon()));
                probe.step("the messages", || batch.iter().map(|(_, data)| data.len()).sum::<usize>());
            }
            S::Peek(_, position) => _ = probe.step("peek", || queue.peek(position.into()).map(|_| ())),
            S::Lease(_, wanted) => {
                let lease = probe.step("lease", || Lease::new(queue.clone(), wanted.into(), soon()));
                self.leases.extend(lease.and_then(Result::ok));
            }
            S::Reserve(_, length) => {
                let reservation = probe.step("reserve", || Reservation::new(queue.clone(), length.into(), soon()));
                self.reservations.extend(reservation.and_then(Result::ok));
            }
            S::Stat(_) => _ = probe.step("stat", || (queue.stat().is_ok(), queue.len(), queue.participants().is_ok())),
            S::Trim(_) => _ = probe.step("trim", || queue.trim()),
            S::Descriptor(_) => _ = probe.step("recv_fd", || (queue.recv_fd().is_ok(), queue.send_fd().is_ok())),
            _ => {}
        }
    }

    fn ends(&mut self, probe: &Probe) {
        probe.must("drop", || self.leases.clear());
        probe.must("drop", || self.reservations.clear());
        probe.must("close", || self.queues = [None, None]);
    }
}

impl Queues {
    /// What is done with a lease or a reservation, if there is one.
    fn others(&mut self, probe: &Probe, step: QueueStep) {
        use QueueStep as S;
        match step {
            S::Reopen(which, alone) => self.open(probe, which, alone),
            S::Ack(which) => _ = self.lease(which).map(|lease| probe.step("ack", || lease.ack())),
            S::Release(which) => _ = self.lease(which).map(|lease| probe.step("release", || lease.release())),
            S::DropLease(which) => _ = self.lease(which).map(|lease| probe.step("drop", || drop(lease))),
            S::Read(which) => {
                if let Some(lease) = self.lease(which) {
                    probe.step("read", || lease.to_vec());
                    self.leases.push(lease);
                }
            }
            S::Commit(which, length) => {
                let commit = |r: Reservation| r.commit_part(1 + i64::from(length % 5), length.into(), soon());
                self.reservation(which).map(|reservation| probe.step("commit", || commit(reservation)));
            }
            S::DropReservation(which) => {
                self.reservation(which).map(|reservation| probe.step("drop", || drop(reservation)));
            }
            _ => {}
        }
    }
}

#[derive(Default)]
struct Sets([Option<SemaphoreSet>; 2]);

#[derive(Arbitrary, Clone, Copy, Debug)]
enum SetStep {
    Operate(bool, [Option<(u8, i8, bool)>; 3], bool),
    Set(bool, u8, u16),
    SetAll(bool, u8),
    Tell(bool, u8),
    Descriptor(bool),
    Reopen(bool),
}

impl Sets {
    fn open(&mut self, probe: &Probe, which: bool) {
        let place = &mut self.0[usize::from(which)];
        if let Some(set) = place.take() {
            probe.step("close", || drop(set));
        }
        let options = SemaphoreSet::options().create(Create::Never).clone();
        *place = probe.step("open", || options.open(NAME)).and_then(Result::ok);
    }
}

impl Actor<'_> for Sets {
    type Step = SetStep;

    fn opens(&mut self, probe: &Probe, both: bool) {
        self.open(probe, false);
        if both {
            self.open(probe, true);
        }
    }

    fn acts(&mut self, probe: &Probe, step: SetStep) {
        use SetStep as S;
        let (S::Operate(by, ..)
        | S::Set(by, ..)
        | S::SetAll(by, _)
        | S::Tell(by, _)
        | S::Descriptor(by)
        | S::Reopen(by)) = step;
        if let S::Reopen(which) = step {
            return self.open(probe, which);
        }
        let Some(set) = &self.0[usize::from(by)] else { return };
        match step {
            S::Operate(_, some, waits) => {
                let operation = |(index, delta, undo): (u8, i8, bool)| {
                    let operation = Operation::release(u32::from(index) % set.len(), delta.into());
                    if undo { operation.undo() } else { operation }
                };
                let some: Vec<_> = some.into_iter().flatten().map(operation).collect();
                probe.step("operate", || set.operate_until(&some, deadline(waits)));
            }
            S::Set(_, index, value) => {
                _ = probe.step("set_value", || set.set_value(u32::from(index) % set.len(), value.into()));
            }
            S::SetAll(_, value) => {
                let values = vec![value.into(); set.len() as usize];
                probe.step("set_values", || set.set_values(&values));
            }
            S::Tell(_, index) => {
                let index = u32::from(index) % set.len();
                probe.step("value", || (set.value(index).is_ok(), set.last_pid(index).is_ok(), set.values().is_ok()));
                probe.step("waiting", || (set.waiting(index).is_ok(), set.participants().is_ok(), set.stat().is_ok()));
            }
            S::Descriptor(_) => _ = probe.step("fd", || set.fd().is_ok()),
            S::Reopen(_) => {}
        }
    }

    fn ends(&mut self, probe: &Probe) {
        probe.must("close", || self.0 = [None, None]);
    }
}

#[derive(Default)]
struct Locks([Option<sync::All>; 2]);

#[derive(Arbitrary, Clone, Copy, Debug)]
enum LockStep {
    Lock(bool, bool),
    Read(bool, bool),
    Write(bool, bool),
    /// One handle reads, the other writes.
    Both(bool),
    Wait(bool),
    Notify(bool, u8),
    Barrier(bool),
    Parties(bool, u8),
    Event(bool, u8),
    Reopen(bool),
}

impl Locks {
    fn open(&mut self, probe: &Probe, which: bool) {
        let open = || sync::named(Create::Never);
        self.0[usize::from(which)] = probe.step("open", open).and_then(Result::ok);
    }
}

impl Actor<'_> for Locks {
    type Step = LockStep;

    fn opens(&mut self, probe: &Probe, both: bool) {
        self.open(probe, false);
        if both {
            self.open(probe, true);
        }
    }

    fn acts(&mut self, probe: &Probe, step: LockStep) {
        use LockStep as S;
        let (S::Lock(by, _) | S::Read(by, _) | S::Write(by, _) | S::Both(by) | S::Wait(by) | S::Notify(by, _)) = step
        else {
            return self.others(probe, step);
        };
        let Some(sync::All { mutex, rwlock, condition, .. }) = &self.0[usize::from(by)] else { return };
        match step {
            S::Lock(_, waits) => _ = probe.step("lock", || mutex.lock_until(deadline(waits)).map(drop)),
            S::Read(_, waits) => _ = probe.step("read", || rwlock.read_until(deadline(waits)).map(drop)),
            S::Write(_, waits) => _ = probe.step("write", || rwlock.write_until(deadline(waits)).map(drop)),
            S::Both(_) => {
                let held = probe.step("read", || rwlock.read_until(soon()));
                if let Some(sync::All { rwlock: other, .. }) = &self.0[usize::from(!by)] {
                    probe.step("write", || other.write_until(soon()).map(drop));
                }
                probe.step("unlock", || drop(held));
            }
            S::Wait(_) => {
                if let Some(Ok(guard)) = probe.step("lock", || mutex.lock_until(soon())) {
                    probe.step("wait", || condition.wait_until(guard, soon()).map(drop));
                }
            }
            S::Notify(_, count) => _ = probe.step("notify", || condition.notify(count.into())),
            _ => {}
        }
    }

    fn ends(&mut self, probe: &Probe) {
        probe.must("close", || self.0 = [None, None]);
    }
}

impl Locks {
    fn others(&mut self, probe: &Probe, step: LockStep) {
        use LockStep as S;
        if let S::Reopen(which) = step {
            return self.open(probe, which);
        }
        let (S::Barrier(by) | S::Parties(by, _) | S::Event(by, _)) = step else { return };
        let Some(sync::All { barrier, event, .. }) = &self.0[usize::from(by)] else { return };
        match step {
            S::Barrier(_) => {
                probe.step("barrier", || (barrier.wait_until(soon()).is_ok(), barrier.waiting().is_ok()));
            }
            S::Parties(_, parties) => _ = probe.step("set_parties", || barrier.set_parties(parties.into())),
            S::Event(_, how) => {
                _ = probe.step("event", || match how % 4 {
                    0 => event.set().is_ok(),
                    1 => {
                        event.clear();
                        true
                    }
                    2 => event.wait_until(soon()).is_ok(),
                    _ => event.is_set(),
                });
            }
            _ => {}
        }
    }
}
