//! System V's calls, served from shared memory: what the drop-in calls.

use std::mem::MaybeUninit;

use madang::Operation as Op;
use madang::shared::sysv::{Change, msg, sem, shm};
use madang_tests::{origin, payload};

use super::names::nothing_is_left;
use super::operation::{BOUND, Check, Checked, Operation, expect, no};
use super::tracer::Act;
use crate::part::{Fault, Harm};

const KEY: i32 = 7;
const CREATE: i32 = libc::IPC_CREAT | 0o600;

fn operation(
    name: &str,
    setup: fn(),
    victim: impl Fn() -> Act + 'static,
    last_stage: usize,
    check: impl Fn() -> Checked + Copy + 'static,
) -> Operation {
    let peer = move || {
        // So that it knows the object from before.
        let _ = (queue(0).map(msg::stat), set(0).map(sem::values), memory(0).map(shm::stat));
        Box::new(check) as Check
    };
    Operation::new(name, setup, victim, last_stage, peer)
}

/// Asked for `errno`, or nothing.
fn is<T>(outcome: madang::Result<T>, errno: i32) -> bool {
    outcome.is_err_and(|error| error.errno() == errno)
}

/// 1 if there is one of that key, which is then removed: nothing is left.
fn existence(
    get: impl Fn(i32) -> madang::Result<i32>,
    remove: fn(i32) -> madang::Result<()>,
    use_it: fn(i32) -> Result<(), Fault>,
) -> Checked {
    let stage = match get(0) {
        Ok(_) => 1,
        Err(error) if error.errno() == libc::ENOENT => 0,
        Err(error) => return Err(no("get it")(error)),
    };
    let id = get(CREATE).map_err(no("get or make it"))?;
    use_it(id)?;
    remove(id).map_err(no("remove it"))?;
    expect(is(get(0), libc::ENOENT), Harm::Wrong, || "its key is there after it was removed".to_owned())?;
    nothing_is_left()?;
    Ok(stage)
}

fn change(mode: u32) -> Change {
    Change { uid: 0, gid: 0, mode }
}

/// 1 if it has the mode 0640, and 0600 else.
fn stage_of(mode: u32) -> Checked {
    match mode {
        0o600 => Ok(0),
        0o640 => Ok(1),
        _ => Err(Fault { harm: Harm::Wrong, what: format!("the mode is {mode:o}") }),
    }
}

fn queue(flags: i32) -> madang::Result<i32> {
    msg::msgget(KEY, flags)
}

fn the_queue() -> i32 {
    queue(0).expect("it is there")
}

/// The messages that all begin with: number, type, length.
const MESSAGES: [(u64, i64, usize); 4] = [(0, 1, 20), (1, 2, 100), (2, 3, 5000), (3, 2, 12)];

fn fill() {
    let id = queue(CREATE).expect("it is made");
    for (number, mtype, length) in MESSAGES {
        msg::msgsnd(id, mtype, &payload(0, number, length), libc::IPC_NOWAIT).expect("it is sent");
    }
}

fn receive(id: i32, msgtyp: i64, flags: i32) -> madang::Result<(u64, usize, i64)> {
    let mut buffer = [MaybeUninit::new(0); 8192];
    let (length, mtype) = msg::msgrcv(id, &mut buffer, msgtyp, flags)?;
    // SAFETY: all of it was initialised.
    let bytes = buffer[..length].iter().map(|byte| unsafe { byte.assume_init() }).collect::<Vec<_>>();
    Ok((origin(&bytes).1, length, mtype))
}

/// Which of the stages, rows of numbers, is there.
fn holds(stages: &[&[u64]]) -> Checked {
    let id = queue(0).map_err(no("get it"))?;
    let status = msg::stat(id).map_err(no("IPC_STAT"))?;
    let mut found = Vec::new();
    loop {
        match receive(id, 0, libc::IPC_NOWAIT) {
            Ok((number, _, _)) => found.push(number),
            Err(error) if error.errno() == libc::ENOMSG => break,
            Err(error) => return Err(no("receive all")(error)),
        }
        expect(found.len() < 100, Harm::Doubled, || "it never gets empty".to_owned())?;
    }
    let Some(stage) = stages.iter().position(|stage| *stage == found) else {
        let harm = if stages.iter().all(|stage| stage.len() > found.len()) { Harm::Lost } else { Harm::Doubled };
        return Err(Fault { harm, what: format!("there are {found:?}, instead of one of {stages:?}") });
    };
    expect(status.messages == found.len() as u64, Harm::Wrong, || {
        format!("msg_qnum was {} of {}", status.messages, found.len())
    })?;
    let empty = msg::stat(id).map_err(no("IPC_STAT"))?;
    expect((empty.messages, empty.bytes) == (0, 0), Harm::Wrong, || format!("an empty one has {empty:?}"))?;
    queue_works(id)?;
    Ok(stage)
}

/// All that the limits admit can be sent, and comes back.
fn queue_works(id: i32) -> Result<(), Fault> {
    let room = msg::stat(id).map_err(no("IPC_STAT"))?.limit / 128;
    for index in 0..room {
        msg::msgsnd(id, 1, &payload(1, index, 128), libc::IPC_NOWAIT).map_err(no("fill it"))?;
    }
    for index in 0..room {
        let (number, _, _) = receive(id, 1, libc::IPC_NOWAIT).map_err(no("empty it"))?;
        expect(number == index, Harm::Wrong, || format!("message {number} instead of {index}"))?;
    }
    Ok(())
}

const ALL: &[u64] = &[0, 1, 2, 3];

/// Which receives that message, or none; and takes it away, unless it is a copy.
fn receiving(
    name: &str,
    msgtyp: i64,
    flags: i32,
    received: Option<u64>,
    stages: &'static [&'static [u64]],
) -> Operation {
    let victim = move || {
        let id = the_queue();
        let act = move || match (receive(id, msgtyp, flags), received) {
            (Ok(found), Some(number)) => {
                let (number, mtype, length) = MESSAGES[number as usize];
                assert_eq!(found, (number, length, mtype));
            }
            (Err(error), None) => assert_eq!(error.errno(), libc::ENOMSG),
            (found, _) => panic!("{found:?} instead of {received:?}"),
        };
        Box::new(act) as Act
    };
    operation(name, fill, victim, stages.len() - 1, move || holds(stages))
}

fn sending(name: &str, length: usize) -> Operation {
    let victim = move || {
        let id = the_queue();
        Box::new(move || msg::msgsnd(id, 9, &payload(0, 4, length), 0).expect("it is sent")) as Act
    };
    operation(name, fill, victim, 1, || holds(&[ALL, &[0, 1, 2, 3, 4]]))
}

fn queues() -> Vec<Operation> {
    let exists = || existence(queue, msg::remove, queue_works);
    let was_full = || {
        let empty = |id| {
            while receive(id, 0, libc::IPC_NOWAIT).is_ok() {}
            queue_works(id)
        };
        Ok(1 - existence(queue, msg::remove, empty)?)
    };
    let act = |act: fn(i32)| {
        move || {
            let id = the_queue();
            Box::new(move || act(id)) as Act
        }
    };
    vec![
        operation("msgget makes", || {}, || Box::new(|| _ = queue(CREATE).expect("it is made")), 1, exists),
        operation("msgget finds", fill, || Box::new(|| _ = queue(0).expect("it is there")), 0, || holds(&[ALL])),
        sending("msgsnd 100 bytes", 100),
        sending("msgsnd 5000 bytes", 5000),
        receiving("msgrcv", 0, 0, Some(0), &[ALL, &[1, 2, 3]]),
        receiving("msgrcv a type", 2, 0, Some(1), &[ALL, &[0, 2, 3]]),
        receiving("msgrcv up to a type", -2, 0, Some(0), &[ALL, &[1, 2, 3]]),
        receiving("msgrcv MSG_EXCEPT", 1, libc::MSG_EXCEPT, Some(1), &[ALL, &[0, 2, 3]]),
        // (Killed while it copies a long one, it leaves it.)
        receiving("msgrcv 5000 bytes", 3, 0, Some(2), &[ALL, &[0, 1, 3]]),
        receiving("msgrcv MSG_COPY", 2, libc::MSG_COPY | libc::IPC_NOWAIT, Some(2), &[ALL]),
        receiving("msgrcv in vain", 99, libc::IPC_NOWAIT, None, &[ALL]),
        operation("msgctl IPC_STAT", fill, act(|id| _ = msg::stat(id).expect("it tells")), 0, || holds(&[ALL])),
        // One thing after the other.
        operation("msgctl IPC_SET", fill, act(|id| msg::set(id, &change(0o640), 8000).expect("it is set")), 2, || {
            let id = queue(0).map_err(no("get it"))?;
            let status = msg::stat(id).map_err(no("IPC_STAT"))?;
            msg::set(id, &change(0o600), 16_000).map_err(no("IPC_SET"))?;
            holds(&[ALL])?;
            Ok(stage_of(status.permissions.mode)? + usize::from(status.limit == 8000))
        }),
        operation("msgctl IPC_RMID", fill, act(|id| msg::remove(id).expect("it is removed")), 1, was_full),
    ]
}

fn set(flags: i32) -> madang::Result<i32> {
    sem::semget(KEY, 3, flags)
}

fn give_values() {
    let id = set(CREATE).expect("it is made");
    sem::set_values(id, &[5, 0, 7]).expect("they are set");
}

fn semaphores_work(id: i32) -> Result<(), Fault> {
    let deadline = || madang::Deadline::after(BOUND);
    sem::set_values(id, &[0, 1, 2]).map_err(no("SETALL"))?;
    sem::semop_until(id, &[Op::zero(0), Op::acquire(1, 1), Op::acquire(2, 2), Op::release(0, 4)], deadline())
        .map_err(no("semop"))?;
    let values = sem::values(id).map_err(no("GETALL"))?;
    expect(values == [4, 0, 0], Harm::Wrong, || format!("the values are {values:?} instead of [4, 0, 0]"))
}

fn values(stages: &[[u32; 3]]) -> Checked {
    let id = set(0).map_err(no("get it"))?;
    let found = sem::values(id).map_err(no("GETALL"))?;
    let stage = stages.iter().position(|stage| found == stage);
    semaphores_work(id)?;
    stage.ok_or_else(|| Fault {
        harm: Harm::Lost,
        what: format!("the values are {found:?}, instead of one of {stages:?}"),
    })
}

const VALUES: [u32; 3] = [5, 0, 7];

fn sets() -> Vec<Operation> {
    let exists = || existence(set, sem::remove, semaphores_work);
    let on = |name: &str, stages: &'static [[u32; 3]], act: fn(i32)| {
        let victim = move || {
            let id = set(0).expect("it is there");
            // It has used it before.
            sem::values(id).expect("it tells");
            Box::new(move || act(id)) as Act
        };
        operation(name, give_values, victim, stages.len() - 1, move || values(stages))
    };
    let act = |act: fn(i32)| {
        move || {
            let id = set(0).expect("it is there");
            Box::new(move || act(id)) as Act
        }
    };
    vec![
        operation("semget makes", || {}, || Box::new(|| _ = set(CREATE).expect("it is made")), 1, exists),
        operation(
            "semget finds",
            give_values,
            || Box::new(|| _ = set(0).expect("it is there")),
            0,
            || values(&[VALUES]),
        ),
        on("semop", &[VALUES, [4, 0, 7]], |id| sem::semop(id, &[Op::acquire(0, 1)], None).expect("it is done")),
        on("semop, three at once", &[VALUES, [2, 1, 0]], |id| {
            sem::semop(id, &[Op::acquire(0, 3), Op::release(1, 1), Op::acquire(2, 7)], None).expect("it is done");
        }),
        on("semop SEM_UNDO", &[VALUES], |id| {
            sem::semop(id, &[Op::acquire(0, 3).undo(), Op::release(1, 1).undo()], None).expect("it is done");
        }),
        on("semop in vain", &[VALUES], |id| {
            sem::semop(id, &[Op::acquire(1, 1)], Some(std::time::Duration::from_millis(1))).expect_err("there is none");
        }),
        on("semctl SETVAL", &[VALUES, [5, 6, 7]], |id| sem::set_value(id, 1, 6).expect("it is set")),
        on("semctl SETALL", &[VALUES, [1, 2, 3]], |id| sem::set_values(id, &[1, 2, 3]).expect("they are set")),
        on("semctl GETALL, IPC_STAT", &[VALUES], |id| {
            assert_eq!(sem::values(id).expect("it tells"), VALUES);
            assert_eq!(sem::stat(id).expect("it tells").semaphores, 3);
        }),
        operation("semctl IPC_SET", give_values, act(|id| sem::set(id, &change(0o640)).expect("it is set")), 1, || {
            let status = set(0).and_then(sem::stat).map_err(no("IPC_STAT"))?;
            values(&[VALUES])?;
            stage_of(status.permissions.mode)
        }),
        operation("semctl IPC_RMID", give_values, act(|id| sem::remove(id).expect("it is removed")), 1, move || {
            Ok(1 - exists()?)
        }),
    ]
}

fn memory(flags: i32) -> madang::Result<i32> {
    shm::shmget(KEY, 5000, flags)
}

fn memory_works(id: i32) -> Result<(), Fault> {
    attached_by(id, 0)?;
    let address = shm::shmat(id, 0, 0).map_err(no("shmat"))?;
    // SAFETY: 5000 bytes are attached there.
    unsafe { std::ptr::with_exposed_provenance_mut::<u8>(address).write_bytes(7, 5000) };
    attached_by(id, 1)?;
    shm::shmdt(address).map_err(no("shmdt"))?;
    attached_by(id, 0)
}

fn attached_by(id: i32, count: u64) -> Result<(), Fault> {
    let found = shm::stat(id).map_err(no("IPC_STAT"))?.attachments;
    expect(found == count, Harm::Wrong, || format!("shm_nattch is {found} instead of {count}"))
}

fn segments() -> Vec<Operation> {
    let exists = || existence(memory, shm::remove, memory_works);
    let make = || _ = memory(CREATE).expect("it is made");
    let is_there = || {
        let id = memory(0).map_err(no("get it"))?;
        memory_works(id)?;
        Ok(0)
    };
    let attach = |id| shm::shmat(id, 0, 0).expect("it is attached");
    let act = |act: fn(i32)| {
        move || {
            let id = memory(0).expect("it is there");
            Box::new(move || act(id)) as Act
        }
    };
    let attached = move |act: fn(i32, usize)| {
        move || {
            let id = memory(0).expect("it is there");
            let address = attach(id);
            Box::new(move || act(id, address)) as Act
        }
    };
    vec![
        operation("shmget makes", || {}, || Box::new(|| _ = memory(CREATE).expect("it is made")), 1, exists),
        operation("shmget finds", make, || Box::new(|| _ = memory(0).expect("it is there")), 0, is_there),
        operation("shmat", make, act(|id| _ = shm::shmat(id, 0, 0).expect("it is attached")), 0, is_there),
        operation("shmdt", make, attached(|_, address| shm::shmdt(address).expect("it is detached")), 0, is_there),
        operation("shmctl IPC_STAT", make, act(|id| _ = shm::stat(id).expect("it tells")), 0, is_there),
        operation("shmctl SHM_LOCK", make, act(|id| shm::lock(id, true).expect("it is locked")), 1, move || {
            let id = memory(0).map_err(no("get it"))?;
            let status = shm::stat(id).map_err(no("IPC_STAT"))?;
            memory_works(id)?;
            Ok(status.locked.into())
        }),
        operation("shmctl IPC_SET", make, act(|id| shm::set(id, &change(0o640)).expect("it is set")), 1, move || {
            let status = memory(0).and_then(shm::stat).map_err(no("IPC_STAT"))?;
            is_there()?;
            stage_of(status.permissions.mode)
        }),
        operation("shmctl IPC_RMID", make, act(|id| shm::remove(id).expect("it is removed")), 1, move || {
            Ok(1 - exists()?)
        }),
        operation(
            "shmctl IPC_RMID, attached",
            make,
            attached(|id, _| shm::remove(id).expect("it is removed")),
            1,
            move || Ok(1 - exists()?),
        ),
        operation(
            "shmdt of a removed one",
            make,
            || {
                let id = memory(0).expect("it is there");
                let address = shm::shmat(id, 0, 0).expect("it is attached");
                shm::remove(id).expect("it is removed");
                Box::new(move || shm::shmdt(address).expect("it is detached"))
            },
            0,
            exists,
        ),
    ]
}

pub(super) fn operations() -> Vec<Operation> {
    [queues(), sets(), segments()].into_iter().flatten().collect()
}
