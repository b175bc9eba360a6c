//! `madang stat`.

use std::fmt::Write;
use std::time::Duration;

use madang::{Kind, ListOptions, Participant, QueueStatus, SemaphoreSet, SemaphoreSetStatus};
use serde::Serialize;

use crate::args::Stat;
use crate::failure::{Failure, Result};
use crate::kernel;
use crate::objects::{Look, monotonic_ns, noun, open_set, path};
use crate::sysv::{self, Sysv};
use crate::text;

mod memory;

/// A queue in JSON: the command itself, which has it open to look, isn't counted.
#[derive(Serialize)]
struct Queue<'a> {
    kind: &'static str,
    name: &'a str,
    path: String,
    capacity: u64,
    max_messages: u64,
    max_participants: u32,
    bytes: u64,
    messages: u64,
    leased: u64,
    sent: u64,
    received: u64,
    repairs: u64,
    allocated: u64,
    mode: String,
    uid: u32,
    gid: u32,
    living: u64,
    dead: u64,
    participants: Vec<Present>,
}

#[derive(Serialize)]
struct Present {
    pid: u32,
    joined_ns: u64,
    age_seconds: f64,
    lives: bool,
}

impl From<&Participant> for Present {
    fn from(participant: &Participant) -> Self {
        let Participant { pid, joined_ns, lives, .. } = *participant;
        Self { pid, joined_ns, age_seconds: since(joined_ns).as_secs_f64(), lives }
    }
}

/// A set of semaphores in JSON.
#[derive(Serialize)]
struct Set<'a> {
    kind: &'static str,
    name: &'a str,
    path: String,
    max_value: u32,
    max_participants: u32,
    repairs: u64,
    allocated: u64,
    mode: String,
    uid: u32,
    gid: u32,
    living: u64,
    dead: u64,
    semaphores: Vec<Semaphore>,
    participants: Vec<Present>,
}

#[derive(Serialize)]
struct Semaphore {
    value: u32,
    last_user: u32,
    waiting_for_increase: u32,
    waiting_for_zero: u32,
}

impl Semaphore {
    fn all_of(set: &SemaphoreSet) -> madang::Result<Vec<Self>> {
        let semaphore = |index| {
            let waiting = set.waiting(index)?;
            let (value, last_user) = (set.value(index)?, set.last_pid(index)?);
            let (waiting_for_increase, waiting_for_zero) = (waiting.to_grow, waiting.for_zero);
            Ok(Self { value, last_user, waiting_for_increase, waiting_for_zero })
        };
        (0..set.len()).map(semaphore).collect()
    }
}

/// What has no more to tell, in JSON.
#[derive(Serialize)]
struct Plain<'a> {
    kind: &'static str,
    name: &'a str,
    path: String,
    size: u64,
    allocated: u64,
    mode: String,
    uid: u32,
    gid: u32,
}

/// Of so many semaphores of a set people are told what they are.
const SEMAPHORES: usize = 64;

fn since(joined_ns: u64) -> Duration {
    Duration::from_nanos(monotonic_ns().saturating_sub(joined_ns))
}

pub(crate) fn run(args: &Stat) -> Result<()> {
    match args.kind {
        _ if kernel::is_name(&args.name) => kernel::Object::named(&args.name)?.stat(&args.name, args.look.json),
        Kind::Queue => queue(args),
        Kind::SemaphoreSet => set(args),
        kind => match sysv::identifier(kind, &args.name) {
            Some((Sysv::Memory, id)) => memory::run(&args.name, id, args.look.json),
            _ => plain(args),
        },
    }
}

fn queue(args: &Stat) -> Result<()> {
    let look = Look::at_queue(&args.name, args.look.any_owner)?;
    let path = path(Kind::Queue, &args.name).display().to_string();
    if args.look.json {
        return text::print_json(&json(&args.name, path, &look));
    }
    let QueueStatus { capacity, max_messages, bytes, messages, sent, received, repairs, .. } = look.status;
    let QueueStatus { allocated, mode, uid, gid, max_participants, leased, .. } = look.status;
    let (living, dead) = (look.living(), look.dead());
    let mut lines = format!("{}: a queue, {}\n", text::name(&args.name), text::name(&path));
    let mut line = |what: &str, value: String| writeln!(lines, "  {what:<13}{value}").expect("memory");
    let and_leased = if leased > 0 { format!(", {leased} leased") } else { String::new() };
    line("messages", format!("{messages} of {max_messages}{and_leased}"));
    line("bytes", format!("{} of {}", text::size(bytes), text::size(capacity)));
    line("sent", sent.to_string());
    line("received", received.to_string());
    line("repairs", repairs.to_string());
    line("memory", text::size(allocated));
    line("owner", format!("{}, group {}, mode {mode:04o}", text::user(uid), text::group(gid)));
    let and_dead = if dead > 0 { format!(", {dead} dead (their places are free)") } else { String::new() };
    line("participants", format!("{living} of {max_participants}{and_dead}"));
    lines += &roll(&look.participants);
    text::print(&lines)
}

/// Who takes part: a table, where anybody does.
fn roll(participants: &[Participant]) -> String {
    if participants.is_empty() {
        return String::new();
    }
    let state = |lives| if lives { "lives" } else { "dead" };
    let row = |participant: &Participant| {
        let Participant { pid, joined_ns, lives, .. } = *participant;
        vec![String::new(), pid.to_string(), format!("{} ago", text::age(since(joined_ns))), state(lives).to_owned()]
    };
    let rows: Vec<_> = participants.iter().map(row).collect();
    format!("\n{}", text::table(&["", ">PID", "JOINED", ""], &rows))
}

fn json<'a>(name: &'a str, path: String, look: &Look<QueueStatus>) -> Queue<'a> {
    let QueueStatus { capacity, max_messages, max_participants, bytes, messages, sent, received, .. } = look.status;
    let QueueStatus { leased, repairs, allocated, mode, uid, gid, .. } = look.status;
    Queue {
        kind: "queue",
        name,
        path,
        capacity,
        max_messages,
        max_participants,
        bytes,
        messages,
        leased,
        sent,
        received,
        repairs,
        allocated,
        mode: format!("{mode:04o}"),
        uid,
        gid,
        living: look.living(),
        dead: look.dead(),
        participants: look.participants.iter().map(Present::from).collect(),
    }
}

fn set(args: &Stat) -> Result<()> {
    let name = &args.name;
    let set = open_set(name, args.look.any_owner)?;
    let (look, semaphores) = (Look::at_set(&set)?, Semaphore::all_of(&set)?);
    let path = path(Kind::SemaphoreSet, name).display().to_string();
    let SemaphoreSetStatus { max_value, max_participants, repairs, allocated, mode, uid, gid, .. } = look.status;
    let (living, dead) = (look.living(), look.dead());
    if args.look.json {
        return text::print_json(&Set {
            kind: Kind::SemaphoreSet.as_str(),
            name,
            path,
            max_value,
            max_participants,
            repairs,
            allocated,
            mode: format!("{mode:04o}"),
            uid,
            gid,
            living,
            dead,
            semaphores,
            participants: look.participants.iter().map(Present::from).collect(),
        });
    }
    let mut lines = format!("{}: a set of semaphores, {}\n", text::name(name), text::name(&path));
    let mut line = |what: &str, value: String| writeln!(lines, "  {what:<13}{value}").expect("memory");
    line("semaphores", format!("{}, of values up to {max_value}", semaphores.len()));
    line("repairs", repairs.to_string());
    line("memory", text::size(allocated));
    line("owner", format!("{}, group {}, mode {mode:04o}", text::user(uid), text::group(gid)));
    let and_dead = if dead > 0 { format!(", {dead} dead (their places are free)") } else { String::new() };
    line("participants", format!("{living} of {max_participants}{and_dead}"));
    let row = |(index, it): (usize, &Semaphore)| {
        let last_user = Some(it.last_user).filter(|&pid| pid != 0);
        let numbers = [it.value, it.waiting_for_increase, it.waiting_for_zero].map(|number| number.to_string());
        let [value, more, zero] = numbers;
        let last_user = last_user.map_or_else(String::new, |pid| pid.to_string());
        vec![String::new(), index.to_string(), value, more, zero, last_user]
    };
    let rows: Vec<_> = semaphores.iter().enumerate().take(SEMAPHORES).map(row).collect();
    lines += &format!("\n{}", text::table(&text::SEMAPHORES, &rows));
    if semaphores.len() > SEMAPHORES {
        lines += &format!("  and {} more: --json tells of all\n", semaphores.len() - SEMAPHORES);
    }
    lines += &roll(&look.participants);
    text::print(&lines)
}

/// What can be told of an object of any kind.
fn plain(args: &Stat) -> Result<()> {
    let (name, kind) = (&args.name, args.kind);
    let path = path(kind, name);
    let found = ListOptions::default().segments(kind == Kind::Segment).any_owner(args.look.any_owner).list()?;
    let found = found.into_iter().find(|object| object.kind == kind && object.name == *name);
    let absent = || {
        let directory = path.parent().unwrap_or(&path).display();
        Failure::new(libc::ENOENT, format!("stat {name:?}: there is no such {} in {directory}", noun(kind)))
    };
    let madang::Listed { size, allocated, mode, uid, gid, error, .. } = found.ok_or_else(absent)?;
    if let Some(error) = error {
        return Err(error.into());
    }
    let (path, mode) = (path.display().to_string(), format!("{mode:04o}"));
    if args.look.json {
        return text::print_json(&Plain { kind: kind.as_str(), name, path, size, allocated, mode, uid, gid });
    }
    let owner = format!("{}, group {}, mode {mode}", text::user(uid), text::group(gid));
    let article = if noun(kind).starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    text::print(&format!(
        "{}: {article} {}, {}\n  length       {}\n  memory       {}\n  owner        {owner}\n",
        text::name(name),
        noun(kind),
        text::name(&path),
        text::size(size),
        text::size(allocated),
    ))
}
