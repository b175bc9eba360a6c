//! `madang gc`.

use std::io::{self, BufRead, IsTerminal, Write};

use madang::{Kind, LeftOvers, ListOptions, Listed, Queue};
use serde::Serialize;

use crate::args::Gc;
use crate::failure::Result;
use crate::objects::{Look, each};
use crate::{sysv, text};

/// What was or would be removed, in JSON.
#[derive(Serialize)]
struct Report<'a> {
    removed: bool,
    left_overs: Left,
    unused: Option<Unused<'a>>,
}

#[derive(Serialize)]
struct Left {
    files: u64,
    bytes: u64,
    others: u64,
}

#[derive(Serialize)]
struct Unused<'a> {
    queues: &'a [String],
    removed: Vec<String>,
}

pub(crate) fn run(args: &Gc) -> Result<()> {
    let found = if args.dry_run { madang::left_overs()? } else { madang::gc()? };
    let unused = if args.unused { unused()? } else { Vec::new() };
    if args.json {
        let LeftOvers { files, bytes, others, .. } = found;
        let removed = if args.yes { remove(&unused)? } else { Vec::new() };
        let left_overs = Left { files, bytes, others };
        let unused = args.unused.then_some(Unused { queues: &unused, removed });
        return text::print_json(&Report { removed: !args.dry_run, left_overs, unused });
    }
    text::print(&told(&found, args.dry_run))?;
    if args.unused { say_unused(args, &unused) } else { Ok(()) }
}

fn told(found: &LeftOvers, dry_run: bool) -> String {
    let LeftOvers { files, bytes, others, .. } = *found;
    let mut told = match (files, dry_run) {
        (0, _) => "Nothing is left over.\n".to_owned(),
        (_, true) => format!("{} can be removed ({}).\n", text::count(files, "left-over"), text::size(bytes)),
        (_, false) => format!("Removed {} ({}).\n", text::count(files, "left-over"), text::size(bytes)),
    };
    if others > 0 {
        let what = text::count(others, "half-made object");
        told += &format!("{what} of other users: they can sweep them, and root can.\n");
    }
    told
}

/// The queues that hold nothing and that nobody has open. System V's are left out: there it is usual that one is made long before
/// it is used, and who uses it holds nothing but a number.
fn unused() -> Result<Vec<String>> {
    let is_unused = |listed: &Listed| {
        listed.kind == Kind::Queue
            && !sysv::is_name(&listed.name)
            && listed.error.is_none()
            && Look::at_queue(&listed.name, false).is_ok_and(|look| look.is_unused())
    };
    Ok(ListOptions::default().list()?.into_iter().filter(is_unused).map(|listed| listed.name).collect())
}

fn say_unused(args: &Gc, unused: &[String]) -> Result<()> {
    if unused.is_empty() {
        return text::print("No queue is unused.\n");
    }
    let names: String = unused.iter().map(|name| format!("  {}\n", text::name(name))).collect();
    text::print(&format!("Empty, and nobody has it open:\n{names}"))?;
    if args.yes || (!args.dry_run && agreed(unused.len())) {
        let removed = remove(unused)?;
        return text::print(&format!("Removed {}.\n", text::count(removed.len() as u64, "queue")));
    }
    text::print("--yes removes them.\n")
}

/// Whether a person at the terminal wants it so.
fn agreed(count: usize) -> bool {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return false;
    }
    let _ = write!(io::stderr(), "Remove {}? [y/N] ", text::count(count as u64, "queue"));
    let mut answer = String::new();
    let _ = io::stdin().lock().read_line(&mut answer);
    answer.trim().to_lowercase().starts_with('y')
}

/// Removes those that are unused still, and says which. (Who opens one in the moment between goes on with what nobody else finds.)
fn remove(names: &[String]) -> Result<Vec<String>> {
    let mut removed = Vec::new();
    each(names, |name| {
        if Look::at_queue(name, false).is_ok_and(|look| look.is_unused()) {
            Queue::unlink(name)?;
            removed.push(name.clone());
        } else {
            text::remark(&format!("madang: {} is left, it is used by now", text::name(name)));
        }
        Ok(())
    })?;
    Ok(removed)
}
