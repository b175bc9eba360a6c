//! What System V calls made: by key and by identifier.

use std::mem::MaybeUninit;
use std::time::Duration;

use libc::{IPC_CREAT, IPC_EXCL, IPC_NOWAIT, MSG_EXCEPT, MSG_NOERROR};
use madang::Operation;
use madang::shared::sysv::{Change, msg, sem, shm};

use super::super::probe::{Probe, SOON, soon};
use super::{Scene, Used};

/// A message queue.
pub(crate) const MESSAGES: Scene = Scene {
    name: "System V messages",
    make: |_| make_messages(),
    open: |probe, _, id| {
        probe.step("msgget", || msg::msgget(KEY, 0))?.ok()?;
        // (To get it by its key looks at no more than whose it is.)
        probe.step("IPC_STAT", || msg::stat(id))?.ok()?;
        probe.step("msgsnd", || msg::msgsnd_until(id, 1, b"one", soon()));
        Some(Box::new(Messages(id)))
    },
};
/// A set of semaphores.
pub(crate) const SEMAPHORES: Scene = Scene {
    name: "System V semaphores",
    make: |_| make_semaphores(),
    open: |probe, _, id| {
        probe.step("semget", || sem::semget(KEY, 3, 0))?.ok()?;
        probe.step("semop", || sem::semop(id, &[Operation::acquire(0, 1).undo()], Some(SOON)));
        Some(Box::new(Semaphores(id)))
    },
};
/// Shared memory.
pub(crate) const MEMORY: Scene = Scene {
    name: "System V memory",
    make: |_| make_memory(),
    open: |probe, _, id| {
        probe.step("shmget", || shm::shmget(KEY, SIZE, 0))?.ok()?;
        Some(Box::new(Memory(id)))
    },
};

const KEY: i32 = 0x5c21_bb1e;
const NEW: i32 = IPC_CREAT | IPC_EXCL | 0o600;
const SIZE: usize = 8192;
const CHANGE: Change = Change { uid: 0, gid: 0, mode: 0o600 };

struct Messages(i32);
struct Semaphores(i32);
struct Memory(i32);

fn make_messages() -> i32 {
    let id = msg::msgget(KEY, NEW).expect("a new queue");
    for mtype in [1, 2, 3, 1, 2] {
        msg::msgsnd(id, mtype, &[0; 50], IPC_NOWAIT).expect("room");
    }
    msg::msgrcv(id, &mut [MaybeUninit::uninit(); 64], 3, IPC_NOWAIT).expect("a message");
    id
}

fn make_semaphores() -> i32 {
    let id = sem::semget(KEY, 3, NEW).expect("a new set");
    sem::set_values(id, &[4, 0, 2]).expect("values");
    sem::semop(id, &[Operation::acquire(0, 1).undo(), Operation::release(1, 1)], None).expect("operations");
    id
}

fn make_memory() -> i32 {
    let id = shm::shmget(KEY, SIZE, NEW).expect("a new segment");
    shm::shmat(id, 0, 0).expect("attached");
    id
}

impl Used for Messages {
    fn use_it(&mut self, probe: &Probe, _: u64) {
        let id = self.0;
        probe.step("msgget", || msg::msgget(KEY, IPC_CREAT | 0o600));
        probe.step("IPC_STAT", || msg::stat(id).map(|_| ()));
        for mtype in [1, 5] {
            probe.step("msgsnd", || msg::msgsnd(id, mtype, &[0; 100], IPC_NOWAIT));
        }
        let mut buffer = [MaybeUninit::uninit(); 200];
        for (msgtyp, flags) in
            [(2, 0), (-3, 0), (1, MSG_EXCEPT), (0, MSG_NOERROR), (0, 0o40_000), (0, 0), (0, 0), (0, 0)]
        {
            probe.step("msgrcv", || msg::msgrcv(id, &mut buffer, msgtyp, flags | IPC_NOWAIT));
        }
        probe.step("msgrcv, waiting", || msg::msgrcv_until(id, &mut buffer, 99, 0, soon()));
        probe.step("MSG_STAT", || msg::stat_at(0, true).map(|_| ()));
        probe.step("identifiers", || (msg::identifiers().is_ok(), msg::list().is_ok()));
        probe.step("IPC_SET", || msg::set(id, &CHANGE, 1000));
        probe.step("msgsnd", || msg::msgsnd(id, 1, &[0; 100], IPC_NOWAIT));
        probe.step("IPC_RMID", || msg::remove(id));
        probe.step("msgsnd", || msg::msgsnd(id, 1, &[0; 100], IPC_NOWAIT));
    }
}

impl Used for Semaphores {
    fn use_it(&mut self, probe: &Probe, _: u64) {
        let id = self.0;
        probe.step("semget", || sem::semget(KEY, 3, IPC_CREAT | 0o600));
        probe.step("IPC_STAT", || sem::stat(id).map(|_| ()));
        let operate = |operations: &[Operation]| {
            probe.step("semop", || sem::semop(id, operations, Some(Duration::ZERO)));
        };
        for index in 0..3 {
            operate(&[Operation::release(index, 2).undo(), Operation::acquire(2, 1)]);
            operate(&[Operation::acquire(index, 1).undo().no_wait()]);
            operate(&[Operation::zero(index).no_wait()]);
        }
        probe.step("semop, waiting", || sem::semop(id, &[Operation::acquire(1, 1000)], Some(SOON)));
        probe.step("GETALL", || sem::values(id).map(|_| ()));
        probe.step("GETVAL", || (sem::value(id, 1).is_ok(), sem::last_pid(id, 1).is_ok(), sem::waiting(id, 1).is_ok()));
        probe.step("SETVAL", || sem::set_value(id, 1, 3));
        probe.step("SETALL", || sem::set_values(id, &[1, 2, 3]));
        probe.step("SEM_STAT", || sem::stat_at(0, true).map(|_| ()));
        probe.step("identifiers", || (sem::identifiers().is_ok(), sem::list().is_ok(), sem::count(id).is_ok()));
        probe.step("IPC_SET", || sem::set(id, &CHANGE));
        operate(&[Operation::acquire(2, 1).undo()]);
        probe.step("IPC_RMID", || sem::remove(id));
        operate(&[Operation::acquire(2, 1).undo()]);
    }
}

impl Used for Memory {
    fn use_it(&mut self, probe: &Probe, turn: u64) {
        let id = self.0;
        probe.step("shmget", || shm::shmget(KEY, SIZE, IPC_CREAT | 0o600));
        probe.step("IPC_STAT", || shm::stat(id).map(|_| ()));
        let attached =
            probe.step("shmat", || shm::shmat(id, 0, if turn.is_multiple_of(2) { libc::SHM_RDONLY } else { 0 }));
        probe.step("IPC_STAT", || shm::stat(id).map(|_| ()));
        probe.step("SHM_LOCK", || (shm::lock(id, true).is_ok(), shm::lock(id, false).is_ok()));
        if let Some(Ok(address)) = attached {
            // SAFETY: the segment is attached there, and has at least a byte; others' writes only change what is read.
            probe.step("read it", || unsafe { std::ptr::with_exposed_provenance::<u8>(address).read_volatile() });
        }
        probe.step("SHM_STAT", || shm::stat_at(0, true).map(|_| ()));
        probe.step("identifiers", || (shm::identifiers().is_ok(), shm::list().is_ok()));
        probe.step("IPC_SET", || shm::set(id, &CHANGE));
        probe.step("IPC_RMID", || shm::remove(id));
        if let Some(Ok(address)) = attached {
            probe.step("shmdt", || shm::shmdt(address));
        }
        if let Some(Ok(address)) = probe.step("shmat", || shm::shmat(id, 0, 0)) {
            probe.step("shmdt", || shm::shmdt(address));
        }
    }
}
