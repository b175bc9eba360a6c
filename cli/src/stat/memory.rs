//! `madang stat --kind memory`: System V's shared memory, as `ipcs -m -i` tells of the kernel's.

use std::fmt::Write;

use madang::Kind;
use madang::shared::sysv::Permissions;
use madang::shared::sysv::shm::{self, Status};
use madang::sysv::Key;
use serde::Serialize;

use crate::failure::{Failure, Result};
use crate::kernel::{ago, process};
use crate::objects::{noun, path};
use crate::text;

/// It in JSON: in the words in which the kernel's are told. Times are in seconds since 1970, 0 is never.
#[derive(Serialize)]
struct Memory<'a> {
    kind: &'static str,
    name: &'a str,
    path: String,
    id: i32,
    key: String,
    size: u64,
    allocated: u64,
    attached: u64,
    creator: u32,
    last_user: u32,
    attached_at: u64,
    detached_at: u64,
    changed_at: u64,
    removed: bool,
    locked: bool,
    mode: String,
    uid: u32,
    gid: u32,
    creator_uid: u32,
    creator_gid: u32,
}

pub(super) fn run(name: &str, id: i32, json: bool) -> Result<()> {
    let status = shm::stat(id).map_err(|error| match error.errno() {
        libc::EINVAL | libc::EIDRM => {
            let what =
                format!("stat {name:?}: there is no such {}: madang ls lists those that are", noun(Kind::Memory));
            Failure::new(libc::ENOENT, what)
        }
        _ => error.into(),
    })?;
    let told = told(name, &status);
    if json { text::print_json(&told) } else { text::print(&lines(&told)) }
}

fn told<'a>(name: &'a str, status: &Status) -> Memory<'a> {
    let Permissions { key, id, uid, gid, creator_uid, creator_gid, mode, .. } = status.permissions;
    let Status { size, allocated, removed, locked, creator, .. } = *status;
    Memory {
        kind: Kind::Memory.as_str(),
        name,
        path: path(Kind::Memory, name).display().to_string(),
        id,
        key: Key::from(key).to_string(),
        size,
        allocated,
        attached: status.attachments,
        creator,
        last_user: status.last,
        attached_at: status.attached,
        detached_at: status.detached,
        changed_at: status.changed,
        removed,
        locked,
        mode: format!("{:04o}", mode & 0o777),
        uid,
        gid,
        creator_uid,
        creator_gid,
    }
}

fn lines(told: &Memory) -> String {
    let mut lines = format!("{}: a {}, {}\n", text::name(told.name), noun(Kind::Memory), text::name(&told.path));
    let mut line = |what: &str, value: String| writeln!(lines, "  {what:<13}{value}").expect("memory");
    let person = |uid, gid| format!("{}, group {}", text::user(uid), text::group(gid));
    let pid = |pid: u32| process(pid.cast_signed()).unwrap_or_default();
    line("identifier", format!("{}, key {}", told.id, told.key));
    let size = text::size(told.size);
    line("content", format!("{size}, {}{}", text::count(told.attached, "attachment"), marks(told)));
    line("memory", text::size(told.allocated));
    line("creator", pid(told.creator));
    line("last user", pid(told.last_user));
    for (what, at) in [("attached", told.attached_at), ("detached", told.detached_at), ("changed", told.changed_at)] {
        line(what, ago(at.cast_signed()));
    }
    line("made by", person(told.creator_uid, told.creator_gid));
    line("owner", format!("{}, mode {}", person(told.uid, told.gid), told.mode));
    lines
}

fn marks(told: &Memory) -> &'static str {
    match (told.removed, told.locked) {
        (true, true) => ", removed: it goes with the last; locked",
        (true, false) => ", removed: it goes with the last",
        (false, true) => ", locked",
        (false, false) => "",
    }
}
