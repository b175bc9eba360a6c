//! `madang doctor`: what is wrong, why it matters, what to do.
//!
//! A *problem* wants something done; a *note* is worth knowing. What is read of the system is read under [`Machine::root`], so
//! that tests can show it a machine that has everything.
//!
//! ```text
//! doctor/space      the file systems in which objects lie
//! doctor/system     systemd, sysctls, limits, the container
//! doctor/objects    what lies there: left-overs, damage, another layout, the dead
//! ```

mod objects;
mod space;
mod system;

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::args::Doctor;
use crate::failure::{Failure, Result};
use crate::text;

/// How much a finding wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Problem,
    Note,
}

/// Something that was found.
#[derive(Debug, Serialize)]
struct Finding {
    level: Level,
    /// A word for programs.
    id: &'static str,
    what: String,
    why: String,
    #[serde(rename = "do")]
    remedy: String,
}

impl Finding {
    fn problem(id: &'static str, what: impl Into<String>, why: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { level: Level::Problem, id, what: what.into(), why: why.into(), remedy: remedy.into() }
    }

    fn note(id: &'static str, what: impl Into<String>, why: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { level: Level::Note, ..Self::problem(id, what, why, remedy) }
    }
}

/// The machine that is looked at.
#[derive(Debug)]
struct Machine {
    root: PathBuf,
}

impl Machine {
    fn path(&self, absolute: &str) -> PathBuf {
        self.root.join(absolute.trim_start_matches('/'))
    }

    fn read(&self, absolute: &str) -> Option<String> {
        fs::read_to_string(self.path(absolute)).ok()
    }

    /// A file that holds one number.
    fn number(&self, absolute: &str) -> Option<u64> {
        self.read(absolute)?.trim().parse().ok()
    }

    fn exists(&self, absolute: impl AsRef<Path>) -> bool {
        self.path(&absolute.as_ref().to_string_lossy()).exists()
    }
}

#[derive(Serialize)]
struct Report<'a> {
    ok: bool,
    problems: usize,
    findings: &'a [Finding],
}

pub(crate) fn run(args: &Doctor) -> Result<()> {
    let machine = Machine { root: args.root.clone() };
    let mut findings = space::check(&machine);
    findings.extend(system::check(&machine));
    findings.extend(objects::check());
    findings.sort_by_key(|finding| finding.level);
    let problems = findings.iter().filter(|finding| finding.level == Level::Problem).count();
    if args.json {
        text::print_json(&Report { ok: problems == 0, problems, findings: &findings })?;
    } else {
        text::print(&told(&findings, problems, &space::summary(&machine)))?;
    }
    if problems == 0 { Ok(()) } else { Err(Failure::FOUND) }
}

fn told(findings: &[Finding], problems: usize, summary: &str) -> String {
    let mut told = String::new();
    for Finding { level, what, why, remedy, .. } in findings {
        let level = if *level == Level::Problem { "PROBLEM" } else { "note" };
        told += &format!("{level}: {what}\n  why: {why}\n  do:  {}\n\n", remedy.replace('\n', "\n       "));
    }
    told += &match (problems, findings.len() - problems) {
        (0, 0) => "All is well.".to_owned(),
        (0, notes) => format!("All is well ({}).", text::count(notes as u64, "note")),
        (problems, 0) => format!("{}.", text::count(problems as u64, "problem")),
        (problems, notes) => {
            format!("{}, {}.", text::count(problems as u64, "problem"), text::count(notes as u64, "note"))
        }
    };
    told + " " + summary + "\n"
}
