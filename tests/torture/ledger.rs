//! What was done already, and the tables that are made of it.
//!
//! A line for each part that has ended, in `build/torture/`, so that an interrupted run goes on behind it. It counts only for the
//! same program, asked for the same.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::part::{Family, Fault, Harm, Outcome};

pub(crate) struct Ledger {
    path: PathBuf,
    lines: Vec<(String, String, Outcome)>,
}

impl Ledger {
    /// The ledger of a run that is asked for `what`.
    pub(crate) fn open(what: &str) -> Self {
        let program = std::env::current_exe().and_then(std::fs::metadata).expect("this program");
        let head = format!("{what} program={:?}", program.modified().expect("a time"));
        let path = PathBuf::from("build/torture/ledger");
        std::fs::create_dir_all("build/torture").expect("a directory for the ledger");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        if text.lines().next() != Some(&head) {
            std::fs::write(&path, head + "\n").expect("a new ledger");
        }
        let mut ledger = Self { path, lines: Vec::new() };
        ledger.read();
        ledger
    }

    /// Sees what others have added.
    pub(crate) fn read(&mut self) {
        let text = std::fs::read_to_string(&self.path).expect("the ledger");
        self.lines = text.lines().skip(1).filter_map(parsed).collect();
    }

    pub(crate) fn find(&self, family: &str, part: &str) -> Option<Outcome> {
        self.lines.iter().find(|line| line.0 == family && line.1 == part).map(|line| line.2.clone())
    }

    /// Adds a line: by one write, so that several may add at once. ([`Ledger::read`] sees it.)
    pub(crate) fn add(&self, family: &str, part: &str, outcome: &Outcome) {
        let counts: Vec<_> = outcome.counts.iter().map(u64::to_string).collect();
        let mut line = format!("{family}\t{part}\t{}", counts.join(" "));
        for fault in &outcome.faults {
            let _ = write!(line, "\t{:?} {}", fault.harm, fault.what.replace(['\t', '\n'], " "));
        }
        let mut file = std::fs::OpenOptions::new().append(true).open(&self.path).expect("the ledger");
        file.write_all((line + "\n").as_bytes()).expect("a line in the ledger");
    }

    /// The next run begins anew.
    pub(crate) fn finish(&self) {
        std::fs::rename(&self.path, self.path.with_extension("done")).expect("the ledger");
    }

    pub(crate) fn passed(&self) -> usize {
        self.lines.iter().filter(|line| line.2.faults.is_empty()).count()
    }

    pub(crate) fn failed(&self) -> usize {
        self.lines.len() - self.passed()
    }

    /// A table of each family that has parts.
    pub(crate) fn tables(&self, families: &[Family]) -> String {
        families
            .iter()
            .filter(|family| !family.parts.is_empty())
            .map(|family| self.table(family))
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn table(&self, family: &Family) -> String {
        let harms = Harm::ALL.map(|harm| format!("{harm:?}").to_lowercase());
        let head = family.columns.iter().map(|&column| column.to_owned()).chain(harms.clone());
        let width = family.columns.len() + harms.len();
        let mut table = format!(
            "**{}**\n\n| | {} |\n|---|{}\n",
            family.title,
            head.collect::<Vec<_>>().join(" | "),
            "--:|".repeat(width)
        );
        let mut sums = vec![0; width];
        for part in &family.parts {
            let Some(outcome) = self.find(family.name, &part.name) else { continue };
            let harmed = Harm::ALL.map(|harm| outcome.faults.iter().filter(|fault| fault.harm == harm).count() as u64);
            let numbers: Vec<u64> = outcome.counts.iter().copied().chain(harmed).collect();
            sums.iter_mut().zip(&numbers).for_each(|(sum, number)| *sum += number);
            let _ = writeln!(table, "| {} | {} |", part.name, told(&numbers));
        }
        let _ = writeln!(table, "| **all** | {} |", told(&sums));
        table
    }
}

fn told(numbers: &[u64]) -> String {
    numbers.iter().map(|&number| with_commas(number)).collect::<Vec<_>>().join(" | ")
}

/// 1234567 as 1,234,567.
fn with_commas(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).expect("digits")).collect();
    groups.join(",")
}

fn parsed(line: &str) -> Option<(String, String, Outcome)> {
    let mut fields = line.split('\t');
    let (family, part, counts) = (fields.next()?, fields.next()?, fields.next()?);
    let counts = counts.split_whitespace().map(|count| count.parse().ok()).collect::<Option<_>>()?;
    let faults = fields.map(|field| {
        let (harm, what) = field.split_once(' ')?;
        let harm = Harm::ALL.into_iter().find(|known| format!("{known:?}") == harm)?;
        Some(Fault { harm, what: what.to_owned() })
    });
    Some((family.to_owned(), part.to_owned(), Outcome { counts, faults: faults.collect::<Option<_>>()? }))
}

/// Puts `text` into a file, between the marks that it has for it.
pub(crate) fn write_between_marks(file: &Path, text: &str) {
    const MARKS: (&str, &str) = ("<!-- torture: written by `make torture` -->\n", "<!-- /torture -->");
    let old = std::fs::read_to_string(file).expect("the file that the tables go to");
    let (before, rest) = old.split_once(MARKS.0).expect("the mark before the tables");
    let (_, after) = rest.split_once(MARKS.1).expect("the mark behind the tables");
    std::fs::write(file, format!("{before}{}\n{text}\n{}{after}", MARKS.0, MARKS.1)).expect("the tables written");
}
