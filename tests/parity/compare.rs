//! The parity suite: `msg.c`, `sem.c` and `shm.c` are compiled once, and run against the kernel and against ours. Each says what it sees,
//! line by line; the lines must be the same, but for those that stand here, each with the reason that `docs/parity.md` gives.

use std::collections::BTreeSet;
use std::process::Command;

use crate::c_library;
use crate::drop_in::{self, Place};

/// A difference that is allowed: where, what the kernel's says, what ours says, and why.
struct Difference {
    case: &'static str,
    kernel: &'static str,
    ours: &'static str,
    /// As `docs/parity.md` calls it.
    reason: &'static str,
}

const fn difference(case: &'static str, kernel: &'static str, ours: &'static str, reason: &'static str) -> Difference {
    Difference { case, kernel, ours, reason }
}

const MSG: &[Difference] = &[
    difference(
        "limit_of_others",
        "msgctl(id, IPC_SET, &told) = EPERM",
        "msgctl(id, IPC_SET, &told) = 0",
        "limits without root",
    ),
    difference("given_away", "msgctl(id, IPC_SET, &told) = 0", "msgctl(id, IPC_SET, &told) = EPERM", "giving away"),
    difference(
        "forbidden_while_asleep",
        "who may not any more: EACCES",
        "who may not any more: fine",
        "judged at the beginning",
    ),
    difference("forbidden_while_asleep", "10 bytes in 1 messages", "0 bytes in 0 messages", "judged at the beginning"),
    difference(
        "lists_as_other",
        "msgctl(at, MSG_STAT_ANY, &told) == id: yes",
        "msgctl(at, MSG_STAT_ANY, &told) == id: no",
        "hidden",
    ),
];

const SEM: &[Difference] = &[
    difference("modes_at_get", "semget(KEY, 9, 0) = EINVAL", "semget(KEY, 9, 0) = an identifier", "hidden"),
    difference("modes_at_get", "semget(KEY, 9, 0200) = EINVAL", "semget(KEY, 9, 0200) = EACCES", "hidden"),
    difference(
        "modes_in_use",
        "semctl(id, 5, SETVAL, (union argument){.value = 3}) = EINVAL",
        "semctl(id, 5, SETVAL, (union argument){.value = 3}) = EACCES",
        "hidden",
    ),
    difference("undo_and_exec", "values: 4", "values: 5", "undo and exec"),
    difference("interrupted", "who was stopped: EINTR", "who was stopped: fine", "stopped and continued"),
    difference("interrupted", "values: 1", "values: 0", "stopped and continued"),
    difference(
        "lists_as_other",
        "semctl(at, 0, SEM_STAT_ANY, (union argument){.status = &told}) == id: yes",
        "semctl(at, 0, SEM_STAT_ANY, (union argument){.status = &told}) == id: no",
        "hidden",
    ),
];

const SHM: &[Difference] = &[
    difference("modes_at_get", "shmget(KEY, 9000, 0) = EINVAL", "shmget(KEY, 9000, 0) = an identifier", "hidden"),
    difference("modes_at_get", "shmget(KEY, 9000, 0200) = EINVAL", "shmget(KEY, 9000, 0200) = EACCES", "hidden"),
    difference("tells", "used by the child", "used by me", "killed while attached"),
    difference(
        "rounded_to_zero",
        "shmat(ids[0], (void *)100, SHM_RND) = 0",
        "shmat(ids[0], (void *)100, SHM_RND) = EPERM",
        "the first page",
    ),
    difference("rounded_to_zero", "shmdt(NULL) = 0", "shmdt(NULL) = EINVAL", "the first page"),
    difference("in_parts", "5 attachments", "1 attachments", "attachments are calls"),
    difference("in_parts", "0 attachments", "1 attachments", "attachments are calls"),
    difference("in_parts", "shmdt(at) = EINVAL", "shmdt(at) = 0", "attachments are calls"),
    difference(
        "in_parts",
        "what is the program's own: r--p",
        "what is the program's own: none",
        "attachments are calls",
    ),
    difference(
        "lists_as_other",
        "shmctl(at, SHM_STAT_ANY, &told) == id: yes",
        "shmctl(at, SHM_STAT_ANY, &told) == id: no",
        "hidden",
    ),
];

/// Runs `source` both ways, and says what differs.
fn compare(source: &str, allowed: &[Difference]) {
    if !is_root() {
        eprintln!("{source}: SKIPPED: the parity suite becomes other users, which only root can");
        return;
    }
    let program = drop_in::compile(source);
    let place = Place::new("compare");
    let kernel = c_library::succeed(&mut Command::new(&program));
    let ours = c_library::succeed(&mut place.command(&program));
    assert!(kernel.lines().count() > 100, "it says next to nothing:\n{kernel}");
    let mut met = BTreeSet::new();
    let mut wrong = String::new();
    let (kernels, mut others) = (kernel.lines(), ours.lines());
    for kernels in kernels {
        let ours = others.next().unwrap_or("(nothing)");
        if kernels == ours {
            continue;
        }
        let is_it = |known: &Difference| {
            kernels == format!("{}: {}", known.case, known.kernel) && ours == format!("{}: {}", known.case, known.ours)
        };
        match allowed.iter().position(is_it) {
            Some(at) => _ = met.insert(at),
            None => wrong += &format!("kernel: {kernels}\n  ours: {ours}\n"),
        }
    }
    wrong.extend(others.map(|ours| format!("kernel: (nothing)\n  ours: {ours}\n")));
    for (at, known) in allowed.iter().enumerate().filter(|(at, _)| !met.contains(at)) {
        wrong += &format!("difference {at}, {}: {:?}, isn't one any more: take it out\n", known.case, known.kernel);
    }
    assert!(wrong.is_empty(), "{source}:\n{wrong}");
    assert!(!kernel.contains("ENDED BY SIGNAL") && !kernel.contains("FAILED"), "{kernel}");
    assert_eq!(place.files(), Vec::<String>::new(), "left behind");
}

fn is_root() -> bool {
    // SAFETY: no memory is passed.
    unsafe { libc::geteuid() == 0 }
}

#[test]
fn message_queues() {
    compare("msg.c", MSG);
}

#[test]
fn semaphores() {
    compare("sem.c", SEM);
}

#[test]
fn shared_memory() {
    compare("shm.c", SHM);
}

/// What is allowed to differ is told to people.
#[test]
fn each_reason_is_documented() {
    let told = std::fs::read_to_string(c_library::top().join("docs/parity.md")).unwrap();
    for Difference { case, reason, .. } in [MSG, SEM, SHM].into_iter().flatten() {
        assert!(told.contains(&format!("| **{reason}** |")), "{case}: docs/parity.md doesn't tell of {reason:?}");
    }
}
