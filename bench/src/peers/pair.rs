//! Pairs of calls that belong together, on an object that one process uses, or for which two contend: the system's own and madang's,
//! from Rust. C does the same in `c/calls.c`.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

use madang::sysv::{Key, msg, sem};
use madang::{Deadline, Mutex, Operation, Select, SemaphoreSet, pipe};

use super::Peer;
use crate::clock::{nanoseconds, now};
use crate::harness::{Cell, Cue, Pair, Scenario, Task, Worker, check, conduct};
use crate::shared::Shared;

/// What a pair of calls is done with; made in the harness, before the workers are forked.
pub(crate) trait Object: Sized + 'static {
    /// What one worker has of it.
    type Mine;

    fn make(task: &Task) -> io::Result<Self>;
    /// In the worker: as a stranger opens it, where it has a name.
    fn open(&self) -> io::Result<Self::Mine>;
    fn pair(mine: &mut Self::Mine) -> io::Result<()>;

    /// Whether it is a wrapper, which is measured in turns with the bare calls.
    const WRAPS: bool = false;

    /// The system's own calls on the same object.
    fn bare(_: &mut Self::Mine) -> io::Result<()> {
        Ok(())
    }
}

/// One row of pairs of calls.
pub(crate) struct Calls<O> {
    id: &'static str,
    label: &'static str,
    pair: Pair,
    object: std::marker::PhantomData<O>,
}

impl<O: Object> Calls<O> {
    pub(crate) fn new(id: &'static str, label: &'static str, pair: Pair) -> Self {
        Self { id, label, pair, object: std::marker::PhantomData }
    }
}

impl<O: Object> Peer for Calls<O> {
    fn id(&self) -> &'static str {
        self.id
    }

    fn label(&self) -> &'static str {
        self.label
    }

    fn belongs(&self, cell: Cell) -> bool {
        match cell.scenario {
            Scenario::Calls(pair) => pair == self.pair,
            // Two at a message queue or a pipe don't contend: that is a flow.
            Scenario::Contended(pair) => pair == self.pair && matches!(pair, Pair::Semaphore | Pair::Mutex),
            _ => false,
        }
    }

    fn measure(&mut self, task: &Task) -> io::Result<Vec<String>> {
        let object = O::make(task)?;
        let contended = matches!(task.cell.scenario, Scenario::Contended(_));
        let body = |cue: &mut Cue| {
            let mut mine = object.open()?;
            cue.ready()?;
            if contended { contend::<O>(task, &mut mine) } else { repeat::<O>(task, &mut mine) }
        };
        let cpus = if contended { &task.cpus[..] } else { &task.cpus[..1] };
        let workers = cpus.iter().map(|&cpu| Worker::fork(cpu, body)).collect::<io::Result<_>>()?;
        conduct(workers, task)
    }
}

/// The pair again and again, in slices of some 200 µs; reports the median slice: who takes the core away spoils a few.
fn repeat<O: Object>(task: &Task, mine: &mut O::Mine) -> io::Result<String> {
    let (start, mut count) = (now(), 0);
    while now() < start + nanoseconds(task.warm_up()) {
        O::pair(mine)?;
        O::bare(mine)?;
        count += 1;
    }
    let stride = 1 + count * 200_000 / (now() - start);
    let end = now() + nanoseconds(task.run);
    let (mut slices, mut bare) = (Vec::with_capacity(1 << 16), Vec::with_capacity(1 << 16));
    while now() < end {
        slices.push(slice(stride, || O::pair(mine))?);
        if O::WRAPS {
            bare.push(slice(stride, || O::bare(mine))?);
        }
    }
    Ok(format!("solo {stride} {} {}", middle(slices), if O::WRAPS { middle(bare) } else { 0 }))
}

/// What so many take.
#[inline]
fn slice(stride: u64, mut pair: impl FnMut() -> io::Result<()>) -> io::Result<u64> {
    let start = now();
    for _ in 0..stride {
        pair()?;
    }
    Ok(now() - start)
}

fn middle(mut slices: Vec<u64>) -> u64 {
    slices.sort_unstable();
    slices[slices.len() / 2]
}

/// The pair for so long, and all that got done: two do this at once.
fn contend<O: Object>(task: &Task, mine: &mut O::Mine) -> io::Result<String> {
    let warm = now() + nanoseconds(task.warm_up());
    while now() < warm {
        O::pair(mine)?;
    }
    let (start, mut count) = (now(), 0u64);
    while now() < start + nanoseconds(task.run) {
        O::pair(mine)?;
        count += 1;
    }
    Ok(format!("solo {count} {}", now() - start))
}

const BYTES: usize = 64;

/// The kernel's message queue through madang.
pub(crate) struct KernelQueue(msg::Queue);

impl Object for KernelQueue {
    type Mine = (msg::Queue, [u8; BYTES], Message);

    fn make(_: &Task) -> io::Result<Self> {
        Ok(Self(msg::Queue::open(Key::PRIVATE)?))
    }

    fn open(&self) -> io::Result<Self::Mine> {
        Ok((msg::Queue::from_id(self.0.id())?, [0x5a; BYTES], MESSAGE))
    }

    #[inline]
    fn pair((queue, bytes, _): &mut Self::Mine) -> io::Result<()> {
        queue.send(1, bytes)?;
        queue.recv_into(Select::Any, bytes, Deadline::NEVER)?;
        Ok(())
    }

    const WRAPS: bool = true;

    #[inline]
    fn bare((queue, _, message): &mut Self::Mine) -> io::Result<()> {
        send_and_receive(queue.id(), message)
    }
}

impl Drop for KernelQueue {
    fn drop(&mut self) {
        // Nobody has removed it before.
        let _ = self.0.remove();
    }
}

/// The same with the bare calls.
pub(crate) struct BareQueue(KernelQueue);

impl Object for BareQueue {
    type Mine = (i32, Message);

    fn make(task: &Task) -> io::Result<Self> {
        KernelQueue::make(task).map(Self)
    }

    fn open(&self) -> io::Result<Self::Mine> {
        Ok((self.0.0.id(), MESSAGE))
    }

    #[inline]
    fn pair((id, message): &mut Self::Mine) -> io::Result<()> {
        send_and_receive(*id, message)
    }
}

/// As msgsnd(2) wants it.
#[repr(C)]
pub(crate) struct Message(libc::c_long, [u8; BYTES]);

const MESSAGE: Message = Message(1, [0x5a; BYTES]);

#[inline]
fn send_and_receive(id: i32, message: &mut Message) -> io::Result<()> {
    // SAFETY: the message is a type and BYTES long.
    unsafe {
        check(libc::msgsnd(id, (&raw const *message).cast(), BYTES, 0))?;
        check(libc::msgrcv(id, (&raw mut *message).cast(), BYTES, 0, 0) as libc::c_int)
    }
}

/// The kernel's semaphore set through madang.
pub(crate) struct KernelSet(sem::Set);

impl Object for KernelSet {
    type Mine = sem::Set;

    fn make(_: &Task) -> io::Result<Self> {
        Ok(Self(sem::Set::options().count(1).value(1).open(Key::PRIVATE)?))
    }

    fn open(&self) -> io::Result<sem::Set> {
        Ok(sem::Set::from_id(self.0.id())?)
    }

    #[inline]
    fn pair(set: &mut sem::Set) -> io::Result<()> {
        set.operate(&[sem::Op::add(0, -1)])?;
        Ok(set.operate(&[sem::Op::add(0, 1)])?)
    }

    const WRAPS: bool = true;

    #[inline]
    fn bare(set: &mut sem::Set) -> io::Result<()> {
        take_and_give_back(set.id())
    }
}

impl Drop for KernelSet {
    fn drop(&mut self) {
        // Nobody has removed it before.
        let _ = self.0.remove();
    }
}

/// The same with the bare calls.
pub(crate) struct BareSet(KernelSet);

impl Object for BareSet {
    type Mine = i32;

    fn make(task: &Task) -> io::Result<Self> {
        KernelSet::make(task).map(Self)
    }

    fn open(&self) -> io::Result<i32> {
        Ok(self.0.0.id())
    }

    #[inline]
    fn pair(id: &mut i32) -> io::Result<()> {
        take_and_give_back(*id)
    }
}

#[inline]
fn take_and_give_back(id: i32) -> io::Result<()> {
    for sem_op in [-1, 1] {
        let mut operation = libc::sembuf { sem_num: 0, sem_op, sem_flg: 0 };
        // SAFETY: one operation, valid for the call.
        check(unsafe { libc::semop(id, &raw mut operation, 1) })?;
    }
    Ok(())
}

/// Semaphores in shared memory.
pub(crate) struct SharedSet(String);

impl Object for SharedSet {
    type Mine = SemaphoreSet;

    fn make(task: &Task) -> io::Result<Self> {
        let set = Self(task.name.clone());
        SemaphoreSet::options().values(&[1]).open(&set.0)?;
        Ok(set)
    }

    fn open(&self) -> io::Result<SemaphoreSet> {
        Ok(SemaphoreSet::open(&self.0)?)
    }

    #[inline]
    fn pair(set: &mut SemaphoreSet) -> io::Result<()> {
        set.operate(&[Operation::acquire(0, 1)])?;
        Ok(set.operate(&[Operation::release(0, 1)])?)
    }
}

impl Drop for SharedSet {
    fn drop(&mut self) {
        let _ = SemaphoreSet::unlink(&self.0);
    }
}

/// Our mutex.
pub(crate) struct SharedMutex(String);

impl Object for SharedMutex {
    type Mine = Mutex;

    fn make(task: &Task) -> io::Result<Self> {
        let mutex = Self(task.name.clone());
        Mutex::open(&mutex.0)?;
        Ok(mutex)
    }

    fn open(&self) -> io::Result<Mutex> {
        Ok(Mutex::open(&self.0)?)
    }

    #[inline]
    fn pair(mutex: &mut Mutex) -> io::Result<()> {
        drop(mutex.lock()?);
        Ok(())
    }
}

impl Drop for SharedMutex {
    fn drop(&mut self) {
        let _ = Mutex::unlink(&self.0);
    }
}

/// The C library's mutex: shared by processes, and robust.
pub(crate) struct Pthread(Shared);

impl Object for Pthread {
    type Mine = *mut libc::pthread_mutex_t;

    fn make(_: &Task) -> io::Result<Self> {
        let memory = Shared::new(size_of::<libc::pthread_mutex_t>())?;
        // SAFETY: the mapping is page-aligned and has room for a mutex, which nobody uses yet; the attributes are made before they are used.
        unsafe {
            let mut attributes: libc::pthread_mutexattr_t = std::mem::zeroed();
            succeed(libc::pthread_mutexattr_init(&raw mut attributes))?;
            succeed(libc::pthread_mutexattr_setpshared(&raw mut attributes, libc::PTHREAD_PROCESS_SHARED))?;
            succeed(libc::pthread_mutexattr_setrobust(&raw mut attributes, libc::PTHREAD_MUTEX_ROBUST))?;
            succeed(libc::pthread_mutex_init(memory.start().cast(), &raw const attributes))?;
        }
        Ok(Self(memory))
    }

    fn open(&self) -> io::Result<Self::Mine> {
        Ok(self.0.start().cast())
    }

    #[inline]
    fn pair(mutex: &mut Self::Mine) -> io::Result<()> {
        // SAFETY: `make` has made the mutex, in memory that the worker inherited and keeps.
        unsafe {
            succeed(libc::pthread_mutex_lock(*mutex))?;
            succeed(libc::pthread_mutex_unlock(*mutex))
        }
    }
}

/// pthread's functions return their error.
fn succeed(returned: libc::c_int) -> io::Result<()> {
    if returned == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(returned)) }
}

/// A pipe through madang; where it leaves SIGPIPE alone, a write is one bare call.
pub(crate) struct OurPipe<const LEAVE_SIGPIPE: bool>;

impl<const LEAVE_SIGPIPE: bool> Object for OurPipe<LEAVE_SIGPIPE> {
    type Mine = (pipe::Reader, pipe::Writer, [u8; BYTES]);

    fn make(_: &Task) -> io::Result<Self> {
        Ok(Self)
    }

    fn open(&self) -> io::Result<Self::Mine> {
        let (reader, writer) = pipe::options().leave_sigpipe(LEAVE_SIGPIPE).pair()?;
        Ok((reader, writer, [0x5a; BYTES]))
    }

    #[inline]
    fn pair((reader, writer, bytes): &mut Self::Mine) -> io::Result<()> {
        writer.write(bytes)?;
        reader.read(bytes)?;
        Ok(())
    }

    const WRAPS: bool = true;

    #[inline]
    fn bare((reader, writer, bytes): &mut Self::Mine) -> io::Result<()> {
        write_and_read(writer.as_fd().as_raw_fd(), reader.as_fd().as_raw_fd(), bytes)
    }
}

/// A bare pipe.
pub(crate) struct BarePipe;

impl Object for BarePipe {
    type Mine = ([OwnedFd; 2], [u8; BYTES]);

    fn make(_: &Task) -> io::Result<Self> {
        Ok(Self)
    }

    fn open(&self) -> io::Result<Self::Mine> {
        let mut ends = [0; 2];
        // SAFETY: the kernel writes two descriptors into `ends`, which nobody else owns.
        let ends = unsafe {
            check(libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC))?;
            ends.map(|end| OwnedFd::from_raw_fd(end))
        };
        Ok((ends, [0x5a; BYTES]))
    }

    #[inline]
    fn pair(([reader, writer], bytes): &mut Self::Mine) -> io::Result<()> {
        write_and_read(writer.as_raw_fd(), reader.as_raw_fd(), bytes)
    }
}

#[inline]
fn write_and_read(writer: RawFd, reader: RawFd, bytes: &mut [u8; BYTES]) -> io::Result<()> {
    // SAFETY: so many bytes, ours for the length of the calls.
    unsafe {
        check(libc::write(writer, bytes.as_ptr().cast(), BYTES) as libc::c_int)?;
        check(libc::read(reader, bytes.as_mut_ptr().cast(), BYTES) as libc::c_int)
    }
}
