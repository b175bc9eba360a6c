//! `madang stat`.

use std::fmt::Write;
use std::time::Duration;

use madang::{Kind, ListOptions, Participant, QueueStatus};
use serde::Serialize;

use crate::args::Stat;
use crate::failure::{Failure, Result};
use crate::kernel;
use crate::objects::{Look, SHM, directory, monotonic_ns};
use crate::text;

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

/// A segment in JSON.
#[derive(Serialize)]
struct Segment<'a> {
    kind: &'static str,
    name: &'a str,
    path: String,
    size: u64,
    allocated: u64,
    mode: String,
    uid: u32,
    gid: u32,
}

fn since(joined_ns: u64) -> Duration {
    Duration::from_nanos(monotonic_ns().saturating_sub(joined_ns))
}

pub(crate) fn run(args: &Stat) -> Result<()> {
    match args.kind {
        _ if kernel::is_name(&args.name) => kernel::Object::named(&args.name)?.stat(&args.name, args.look.json),
        Kind::Segment => segment(args),
        _ => queue(args),
    }
}

fn queue(args: &Stat) -> Result<()> {
    let look = Look::at(&args.name, args.look.any_owner)?;
    let path = directory().join(format!("madang.queue.{}", args.name)).display().to_string();
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
    if !look.participants.is_empty() {
        let state = |lives| if lives { "lives" } else { "dead" };
        let row = |participant: &Participant| {
            let Participant { pid, joined_ns, lives, .. } = *participant;
            vec![
                String::new(),
                pid.to_string(),
                format!("{} ago", text::age(since(joined_ns))),
                state(lives).to_owned(),
            ]
        };
        let rows: Vec<_> = look.participants.iter().map(row).collect();
        lines += "\n";
        lines += &text::table(&["", ">PID", "JOINED", ""], &rows);
    }
    text::print(&lines)
}

fn json<'a>(name: &'a str, path: String, look: &Look) -> Queue<'a> {
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

fn segment(args: &Stat) -> Result<()> {
    let name = &args.name;
    let found = ListOptions::default().segments(true).any_owner(args.look.any_owner).list()?;
    let found = found.into_iter().find(|object| object.kind == Kind::Segment && object.name == *name);
    let absent = || Failure::new(libc::ENOENT, format!("stat {name:?}: there is no such segment in {SHM}"));
    let found = found.ok_or_else(absent)?;
    let madang::Listed { size, allocated, mode, uid, gid, error, .. } = found;
    if let Some(error) = error {
        return Err(error.into());
    }
    let path = format!("{SHM}/{name}");
    if args.look.json {
        let mode = format!("{mode:04o}");
        return text::print_json(&Segment { kind: "segment", name, path, size, allocated, mode, uid, gid });
    }
    let owner = format!("{}, group {}, mode {mode:04o}", text::user(uid), text::group(gid));
    text::print(&format!(
        "{}: a segment, {}\n  length       {}\n  memory       {}\n  owner        {owner}\n",
        text::name(name),
        text::name(&path),
        text::size(size),
        text::size(allocated),
    ))
}
