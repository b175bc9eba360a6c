//! What is tortured, and what came of it.

/// How much is tried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sweep {
    /// All of it, or what fits CI.
    pub(crate) full: bool,
    /// Where random choices begin.
    pub(crate) seed: u64,
    /// Which of those who work at once: from 0.
    pub(crate) worker: usize,
}

/// Parts of one kind: a table.
pub(crate) struct Family {
    pub(crate) name: &'static str,
    /// What the table says above itself.
    pub(crate) title: &'static str,
    /// What each of [`Outcome::counts`] counts.
    pub(crate) columns: &'static [&'static str],
    /// Whether a part needs the machine for itself: it measures how long somebody waits.
    pub(crate) alone: bool,
    pub(crate) parts: Vec<Part>,
}

impl Family {
    /// The counts in words.
    pub(crate) fn told(&self, outcome: &Outcome) -> String {
        let counts = self.columns.iter().zip(&outcome.counts).map(|(column, count)| format!("{count} {column}"));
        let mut told = counts.collect::<Vec<_>>().join(", ");
        if !outcome.faults.is_empty() {
            told += &format!(", {} FAULTS", outcome.faults.len());
        }
        told
    }
}

/// One thing that is tortured: a row.
pub(crate) struct Part {
    pub(crate) name: String,
    /// Only for a full sweep.
    pub(crate) is_extra: bool,
    pub(crate) run: Box<dyn Fn(&Sweep) -> Outcome>,
}

impl Part {
    pub(crate) fn new(name: impl Into<String>, run: impl Fn(&Sweep) -> Outcome + 'static) -> Self {
        Self { name: name.into(), is_extra: false, run: Box::new(run) }
    }
}

/// What a part has tried and found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// As many as the family has columns.
    pub(crate) counts: Vec<u64>,
    pub(crate) faults: Vec<Fault>,
}

/// Something that must not be.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) harm: Harm,
    /// What was seen, and how to see it again.
    pub(crate) what: String,
}

/// What a fault does to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Harm {
    /// A message, a value or space is gone.
    Lost,
    /// Something happened twice.
    Doubled,
    /// Somebody waits beyond what is promised.
    Stuck,
    /// A wrong answer, a fault, an unexpected error.
    Wrong,
}

impl Harm {
    pub(crate) const ALL: [Self; 4] = [Self::Lost, Self::Doubled, Self::Stuck, Self::Wrong];
}
