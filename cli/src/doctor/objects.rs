//! What lies there: what was left over, what can't be used, whose participants died.

use madang::{Kind, LeftOvers, ListOptions, Listed};

use super::Finding;
use crate::objects::{Look, noun};
use crate::text::{self, count, quoted, size};

pub(super) fn check() -> Vec<Finding> {
    let mut findings: Vec<_> = left_overs().into_iter().collect();
    // What lies where nothing can be listed was said of the directory.
    for listed in ListOptions::default().list().unwrap_or_default() {
        findings.extend(object(&listed));
    }
    findings
}

fn left_overs() -> Option<Finding> {
    let LeftOvers { files, bytes, .. } = madang::left_overs().ok()?;
    (files > 0).then(|| {
        Finding::problem(
            "left-overs",
            format!("There is something to sweep: {} ({})", count(files, "left-over"), size(bytes)),
            "Processes were killed while they made an object, or had a removed System V segment attached. Nobody can use these files; \
             they only take space.",
            "madang gc",
        )
    })
}

fn object(listed: &Listed) -> Option<Finding> {
    match &listed.error {
        Some(error) => trouble(listed, error),
        None if listed.kind == Kind::Queue => queue(&listed.name),
        None => None,
    }
}

/// An object that can't be opened.
fn trouble(listed: &Listed, error: &madang::Error) -> Option<Finding> {
    let (kind, name) = (noun(listed.kind), text::name(&listed.name));
    let option = if listed.kind == Kind::Queue { String::new() } else { format!("--kind {} ", listed.kind) };
    let remove = format!("madang rm {option}--force {}", quoted(&listed.name));
    let why = text::name(&error.to_string()).into_owned();
    let not_permitted =
        |remedy| Finding::note("not-permitted", format!("The {kind} {name} is not for this user"), why.clone(), remedy);
    Some(match error.errno() {
        libc::EPROTO => Finding::problem(
            "other-layout",
            format!("The {kind} {name} was made by another version of madang"),
            why.clone(),
            format!("Let all programs that use it have the same version; or, if nobody needs what it holds: {remove}"),
        ),
        libc::EUCLEAN => Finding::problem(
            "damaged",
            format!("The {kind} {name} is damaged"),
            why.clone(),
            format!("Stop the programs that use it, then: {remove}"),
        ),
        libc::EPERM => {
            not_permitted("Nothing, if you don't trust that user. Otherwise: open it with any_owner (--any-owner).")
        }
        libc::EACCES => not_permitted("Nothing, if it is not for you. Otherwise its owner can chmod it."),
        _ => Finding::problem(
            "not-usable",
            format!("The {kind} {name} can't be opened"),
            why.clone(),
            format!(
                "See what it is, and remove it if nobody needs it: ls -ld {}/madang.*",
                crate::objects::directory().display()
            ),
        ),
    })
}

fn queue(name: &str) -> Option<Finding> {
    let look = match Look::at_queue(name, false) {
        Ok(look) => look,
        Err(error) if error.errno() == libc::ENOENT => return None,
        Err(error) if error.errno() == libc::EUSERS => {
            return Some(Finding::problem(
                "no-place",
                format!("The queue {} has no place for another handle", text::name(name)),
                error.to_string(),
                "Close handles, or make it anew with more --max-participants.",
            ));
        }
        Err(error) => {
            let what = format!("The queue {} can't be opened", text::name(name));
            return Some(Finding::problem("not-usable", what, error.to_string(), "As it says."));
        }
    };
    let most = u64::from(look.status.max_participants);
    if look.living() * 10 > most * 9 {
        let what = format!("The queue {} has {} of {most} places taken", text::name(name), look.living());
        let why = "When all are, opening another handle fails (EUSERS).";
        return Some(Finding::problem(
            "few-places",
            what,
            why,
            "Close handles, or make it anew with more --max-participants.",
        ));
    }
    (look.dead() > 0).then(|| {
        Finding::note(
            "dead",
            format!("In the queue {} {} died without closing it", text::name(name), count(look.dead(), "handle")),
            "They were killed, or crashed. What they left half done is repaired by the next who comes across it; no message that \
             was sent is lost.",
            format!("Nothing for the queue: madang stat {} tells their pids, if you wonder why they died.", quoted(name)),
        )
    })
}
