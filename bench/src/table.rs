//! What was found: ratios of paired rounds, and the table as text, as Markdown and as JSON.
//!
//! A ratio is taken between two measurements of the same cell, the same round and the same placement of the cores; what is
//! shown is the median over the rounds. Measurements in which the cores moved between the probes are left out.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::harness::{Cell, Many, Outcome, Pair, Scenario};
use crate::histogram::Histogram;
use crate::peers::calls::{name_of, word};

/// Below so many nanoseconds for a cache line's round trip the cores are near (about 95), above it far (about 460).
const NEAR_BELOW: f64 = 200.0;

/// How the two cores lay to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Placement {
    Near,
    Far,
    /// It changed during the measurement.
    Moved,
    /// One process, one core: of no matter.
    Any,
}

impl Placement {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Near => "near",
            Self::Far => "far",
            Self::Moved => "moved",
            Self::Any => "one core",
        }
    }
}

/// One measurement.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) round: usize,
    pub(crate) cell: Cell,
    pub(crate) peer: &'static str,
    /// The cache line's round trip in nanoseconds.
    pub(crate) before: f64,
    pub(crate) after: f64,
    pub(crate) outcome: Outcome,
}

impl Sample {
    pub(crate) fn placement(&self) -> Placement {
        if matches!(self.cell.scenario, Scenario::Solo | Scenario::Calls(_) | Scenario::Many(_)) {
            return Placement::Any;
        }
        match (self.before < NEAR_BELOW, self.after < NEAR_BELOW) {
            (true, true) => Placement::Near,
            (false, false) => Placement::Far,
            _ => Placement::Moved,
        }
    }
}

/// The rows that all others are compared with: the limit, and the kernel's System V queue or, for arrays, what people use; of calls the
/// system's own, from both languages; of many objects none, as their kinds differ.
pub(crate) fn references(cell: Cell) -> &'static [&'static str] {
    match cell.scenario {
        Scenario::Asleep => &["futex", "sysv"],
        Scenario::Arrays => &["madang-py-lease", "mp-queue-arrays"],
        Scenario::Calls(Pair::Message) => &["message-rust", "message-c"],
        Scenario::Calls(Pair::Pipe) => &["pipe-rust", "pipe-c"],
        Scenario::Calls(Pair::Semaphore) | Scenario::Contended(Pair::Semaphore) => &["semop-rust", "semop-c"],
        Scenario::Calls(Pair::Mutex) | Scenario::Contended(_) => &["pthread-mutex"],
        Scenario::Calls(Pair::Attach) => &["shmat"],
        Scenario::Calls(Pair::Make) => &["shmget"],
        Scenario::Many(_) => &[],
        _ => &["ring", "sysv"],
    }
}

/// Everything that a run found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Id and label of each row, in the table's order.
    pub(crate) peers: Vec<(&'static str, &'static str)>,
    /// The machine and the conditions.
    pub(crate) facts: Vec<(&'static str, String)>,
    pub(crate) samples: Vec<Sample>,
    /// Why a row has no figure in a cell.
    pub(crate) missing: BTreeMap<(&'static str, Cell), String>,
    /// The share of a processor that an idle blocked receiver uses.
    pub(crate) idle: Vec<(&'static str, f64)>,
}

impl Findings {
    fn of(&self, cell: Cell, peer: &str, placement: Placement) -> Vec<&Sample> {
        let wanted = |sample: &&Sample| sample.cell == cell && sample.peer == peer && sample.placement() == placement;
        self.samples.iter().filter(wanted).collect()
    }

    /// `mine` over `theirs` in each round in which both were measured with the same placement, in order of size.
    pub(crate) fn ratios(&self, cell: Cell, mine: &str, theirs: &str, placement: Placement) -> Vec<f64> {
        let theirs = self.of(cell, theirs, placement);
        let pair = |mine: &Sample| {
            let partner = theirs.iter().find(|theirs| theirs.round == mine.round)?;
            Some(mine.outcome.score() / partner.outcome.score())
        };
        let mut ratios: Vec<f64> = self.of(cell, mine, placement).into_iter().filter_map(pair).collect();
        ratios.sort_by(f64::total_cmp);
        ratios
    }

    /// What such a row took over what the system's own calls took in turns with them, in order of size.
    pub(crate) fn in_turns(&self, cell: Cell, mine: &str) -> Vec<f64> {
        in_turns(&self.of(cell, mine, Placement::Any))
    }

    fn ratio(&self, cell: Cell, mine: &str, theirs: &str, placement: Placement) -> Option<f64> {
        median(self.ratios(cell, mine, theirs, placement))
    }

    fn label(&self, id: &str) -> &'static str {
        self.peers.iter().find(|(other, _)| *other == id).map_or("?", |(_, label)| label)
    }

    fn cells(&self) -> Vec<Cell> {
        let mut cells: Vec<Cell> = self.samples.iter().map(|sample| sample.cell).collect();
        cells.sort_unstable();
        cells.dedup();
        cells
    }

    fn placements(&self, belongs: impl Fn(Cell) -> bool) -> Vec<Placement> {
        let here = self.samples.iter().filter(|sample| belongs(sample.cell));
        let mut placements: Vec<Placement> = here.map(Sample::placement).collect();
        placements.sort_unstable();
        placements.dedup();
        placements.retain(|placement| *placement != Placement::Moved);
        placements
    }

    /// The whole table for a terminal: a block for each cell and placement.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.facts {
            let _ = writeln!(text, "{name:12}{value}");
        }
        for cell in self.cells() {
            for placement in self.placements(|other| other == cell) {
                let title = format!("{}, {}, {}", title(cell.scenario), size(cell), placement.name());
                text += &self.block(cell, placement).text(&title);
            }
        }
        text += &self.idle_grid().text("An idle blocked receiver");
        let moved = self.samples.iter().filter(|sample| sample.placement() == Placement::Moved).count();
        let _ = writeln!(text, "\nleft out because the cores moved: {moved} of {} measurements", self.samples.len());
        for note in self.notes() {
            let _ = writeln!(text, "{note}");
        }
        text
    }

    fn block(&self, cell: Cell, placement: Placement) -> Grid {
        let figures: &[&str] = match cell.scenario {
            Scenario::Flow(_) | Scenario::Arrays => &["M msg/s", "GiB/s"],
            Scenario::Solo => &["send + receive"],
            Scenario::Calls(_) => &["the pair", "x bare, in turns"],
            Scenario::Contended(_) => &["the pair"],
            Scenario::Many(_) => &["each"],
            _ => &["p50", "p99", "p99.9"],
        };
        let mut grid = Grid::new([""].into_iter().chain(figures.iter().copied()));
        grid.head.extend(references(cell).iter().map(|other| format!("x {}", self.label(other))));
        grid.head.extend(["line, ns".into(), "rounds".into(), "slowest to fastest".into()]);
        for &(peer, label) in &self.peers {
            let samples = self.of(cell, peer, placement);
            if samples.is_empty() {
                if let Some(why) = self.missing.get(&(peer, cell)) {
                    grid.rows.push(vec![label.into(), short(why).into()]);
                }
                continue;
            }
            let mut row = vec![label.to_owned()];
            row.extend(figures_of(cell, &samples));
            row.extend(references(cell).iter().map(|other| ratio_text(self.ratio(cell, peer, other, placement))));
            let line = |pick: fn(&Sample) -> f64| median(samples.iter().map(|sample| pick(sample)).collect());
            let (before, after) = (line(|sample| sample.before), line(|sample| sample.after));
            row.push(format!("{:.0}/{:.0}", before.unwrap_or(f64::NAN), after.unwrap_or(f64::NAN)));
            row.push(samples.len().to_string());
            row.push(spread(&samples));
            grid.rows.push(row);
        }
        grid
    }

    /// Why figures are missing, each reason once.
    fn notes(&self) -> Vec<String> {
        let mut reasons: BTreeMap<(&str, &str), Vec<Cell>> = BTreeMap::new();
        for ((peer, cell), why) in &self.missing {
            reasons.entry((peer, why)).or_default().push(*cell);
        }
        let line = |((peer, why), cells): (&(&str, &str), &Vec<Cell>)| {
            let cells: Vec<String> = cells.iter().map(|cell| cell_id(*cell)).collect();
            format!("{} ({}): {why}", self.label(peer), cells.join(", "))
        };
        reasons.iter().map(line).collect()
    }

    fn idle_grid(&self) -> Grid {
        let mut grid = Grid::new(["", "of a core"]);
        for (peer, share) in &self.idle {
            grid.rows.push(vec![self.label(peer).into(), format!("{:.3} %", share * 100.0)]);
        }
        grid
    }

    /// A table for each scenario and placement, with the sizes side by side, as `docs/benchmarks.md` embeds it.
    pub(crate) fn markdown(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.facts {
            let _ = writeln!(text, "- {name}: {value}");
        }
        let mut scenarios: Vec<Scenario> = self.cells().iter().map(|cell| cell.scenario).collect();
        scenarios.dedup();
        for scenario in scenarios {
            for placement in self.placements(|cell| cell.scenario == scenario) {
                let _ = writeln!(text, "\n### {}, {}\n", title(scenario), placement.name());
                let _ = writeln!(text, "{}\n", legend(scenario, self));
                text += &self.by_size(scenario, placement).markdown();
            }
        }
        if !self.idle.is_empty() {
            text += "\n### An idle blocked receiver\n\n";
            text += &self.idle_grid().markdown();
        }
        text += "\n### Why a figure is missing\n\n";
        for note in self.notes() {
            let _ = writeln!(text, "- {note}");
        }
        text
    }

    fn by_size(&self, scenario: Scenario, placement: Placement) -> Grid {
        let cells: Vec<Cell> = self.cells().into_iter().filter(|cell| cell.scenario == scenario).collect();
        let mut grid = Grid::new([""]);
        grid.head.extend(cells.iter().map(|cell| size(*cell)));
        grid.head.push("line, ns".into());
        for &(peer, label) in &self.peers {
            let samples: Vec<Vec<&Sample>> = cells.iter().map(|cell| self.of(*cell, peer, placement)).collect();
            if samples.iter().all(Vec::is_empty) {
                continue;
            }
            let mut row = vec![label.to_owned()];
            for (cell, samples) in cells.iter().zip(&samples) {
                row.push(if samples.is_empty() { "–".into() } else { self.compact(*cell, peer, placement, samples) });
            }
            let lines = samples.concat().into_iter().flat_map(|sample| [sample.before, sample.after]);
            row.push(format!("{:.0}", median(lines.collect()).unwrap_or(f64::NAN)));
            grid.rows.push(row);
        }
        grid
    }

    /// The figure and, in brackets, its ratios to the limit and to the kernel.
    fn compact(&self, cell: Cell, peer: &str, placement: Placement, samples: &[&Sample]) -> String {
        let figure = match cell.scenario {
            Scenario::Flow(_) | Scenario::Arrays if cell.size >= 1 << 16 => {
                format!("{} GiB/s", figures_of(cell, samples)[1])
            }
            Scenario::Flow(_) => format!("{} M", figures_of(cell, samples)[0]),
            _ => {
                let there = |figure: &String| figure != "–";
                figures_of(cell, samples).into_iter().filter(there).collect::<Vec<_>>().join(" / ")
            }
        };
        let ratio = |other: &&str| ratio_text(self.ratio(cell, peer, other, placement));
        let ratios: Vec<String> = references(cell).iter().map(ratio).collect();
        if ratios.is_empty() { format!("**{figure}**") } else { format!("**{figure}** ({})", ratios.join("; ")) }
    }

    /// Every measurement, for other programs.
    pub(crate) fn json(&self) -> String {
        let facts: Vec<String> =
            self.facts.iter().map(|(name, value)| format!("{}: {}", quoted(name), quoted(value))).collect();
        let samples: Vec<String> = self.samples.iter().map(sample_json).collect();
        let idle: Vec<String> =
            self.idle.iter().map(|(peer, share)| format!("    {}: {share}", quoted(peer))).collect();
        let missing = |((peer, cell), why): (&(&str, Cell), &String)| {
            format!(
                "    {{\"cell\": {}, \"peer\": {}, \"why\": {}}}",
                quoted(&cell_id(*cell)),
                quoted(peer),
                quoted(why)
            )
        };
        let missing: Vec<String> = self.missing.iter().map(missing).collect();
        format!(
            "{{\n  \"facts\": {{{}}},\n  \"samples\": [\n{}\n  ],\n  \"idle\": {{\n{}\n  }},\n  \"missing\": [\n{}\n  ]\n}}\n",
            facts.join(", "),
            samples.join(",\n"),
            idle.join(",\n"),
            missing.join(",\n")
        )
    }
}

fn sample_json(sample: &Sample) -> String {
    let Sample { round, cell, peer, before, after, outcome } = sample;
    let figures = match outcome {
        Outcome::Trips(trips) => {
            let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|q| trips.quantile(q));
            format!("\"p50_ns\": {p50}, \"p99_ns\": {p99}, \"p999_ns\": {p999}, \"trips\": {}", trips.count())
        }
        Outcome::Flow { messages, nanoseconds } => {
            format!("\"messages\": {messages}, \"ns\": {nanoseconds}, \"messages_per_s\": {:.0}", outcome.score())
        }
        Outcome::Solo { pairs, nanoseconds, bare } => {
            format!("\"pairs\": {pairs}, \"ns\": {nanoseconds}, \"bare_ns\": {bare}")
        }
        Outcome::Idle { cpu, wall } => format!("\"cpu_ns\": {cpu}, \"ns\": {wall}"),
    };
    format!(
        "    {{\"cell\": {}, \"size\": {}, \"peer\": {}, \"round\": {round}, \"placement\": {}, \"line_before_ns\": \
         {before:.1}, \"line_after_ns\": {after:.1}, {figures}}}",
        quoted(&cell_id(*cell)),
        cell.size,
        quoted(peer),
        quoted(sample.placement().name()),
    )
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            control if control < ' ' => quoted.push(' '),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// What a row shows of its rounds. Tails are taken of all round trips together: a single round has too few.
fn figures_of(cell: Cell, samples: &[&Sample]) -> Vec<String> {
    let score = median(samples.iter().map(|sample| sample.outcome.score()).collect()).unwrap_or(f64::NAN);
    match cell.scenario {
        Scenario::Flow(_) | Scenario::Arrays => {
            let gibibytes = score * cell.size as f64 / f64::from(1 << 30);
            vec![digits(score / 1e6), digits(gibibytes)]
        }
        Scenario::Calls(_) => vec![time(score), ratio_text(median(in_turns(samples)))],
        Scenario::Solo | Scenario::Contended(_) | Scenario::Many(_) => vec![time(score)],
        _ => {
            let mut all = Histogram::new();
            for sample in samples {
                if let Outcome::Trips(trips) = &sample.outcome {
                    all.merge(trips);
                }
            }
            vec![time(score), time(all.quantile(0.99)), time(all.quantile(0.999))]
        }
    }
}

fn in_turns(samples: &[&Sample]) -> Vec<f64> {
    let ratio = |sample: &&Sample| match sample.outcome {
        Outcome::Solo { nanoseconds, bare: bare @ 1.., .. } => Some(nanoseconds as f64 / bare as f64),
        _ => None,
    };
    let mut ratios: Vec<f64> = samples.iter().filter_map(ratio).collect();
    ratios.sort_by(f64::total_cmp);
    ratios
}

/// The slowest round and the fastest: some rows have two lives (see `peers/ring.rs`), which a median hides.
fn spread(samples: &[&Sample]) -> String {
    let flow = |sample: &Sample| matches!(sample.cell.scenario, Scenario::Flow(_) | Scenario::Arrays);
    let mut scores: Vec<f64> = samples.iter().map(|sample| sample.outcome.score()).collect();
    scores.sort_by(f64::total_cmp);
    match (samples, &scores[..]) {
        ([first, ..], [low, .., high]) if flow(first) => format!("{} to {}", digits(low / 1e6), digits(high / 1e6)),
        (_, [low, .., high]) => format!("{} to {}", time(*high), time(*low)),
        _ => String::new(),
    }
}

fn legend(scenario: Scenario, findings: &Findings) -> String {
    let figure = match scenario {
        Scenario::Flow(_) => "Million messages a second (from 64 KiB on GiB a second)",
        Scenario::Arrays => "GiB a second, one copy of the array into the queue's memory included",
        Scenario::Solo => "Time of one send and one receive",
        Scenario::Calls(_) => {
            "Time of both calls (and of a wrapper how many times that is of the bare ones, in turns with them on the same object)"
        }
        Scenario::Contended(_) => "Time of both calls, of which two processes together do one after the other",
        Scenario::Many(_) => "Time for each of so many objects",
        _ => "Round trip: p50 / p99 / p99.9",
    };
    let others: Vec<&str> = references(Cell { scenario, size: 0 }).iter().map(|peer| findings.label(peer)).collect();
    match others[..] {
        [] => format!("{figure}."),
        _ => format!("{figure}; in brackets how many times that is of the {}.", others.join(", and of the ")),
    }
}

fn ratio_text(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "–".into(), digits)
}

/// Three significant digits.
pub(crate) fn digits(number: f64) -> String {
    if !number.is_finite() {
        return "–".into();
    }
    let magnitude = if number > 0.0 { number.log10().floor() as i32 } else { 0 };
    let decimals = (2 - magnitude).clamp(0, 5) as usize;
    format!("{number:.decimals$}")
}

fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        short if short < 1e4 => format!("{short:.0} ns"),
        middle if middle < 1e7 => format!("{} µs", digits(middle / 1e3)),
        long => format!("{} ms", digits(long / 1e6)),
    }
}

pub(crate) fn bytes(size: usize) -> String {
    match size {
        mebi if mebi >= 1 << 20 => format!("{} MiB", mebi >> 20),
        kibi if kibi >= 1 << 10 => format!("{} KiB", kibi >> 10),
        bytes => format!("{bytes} B"),
    }
}

fn title(scenario: Scenario) -> String {
    match scenario {
        Scenario::Flow(pairs) => format!("Throughput, {pairs} → {pairs}"),
        Scenario::Awake => "Round trip, awake".into(),
        Scenario::Asleep => "Round trip, asleep".into(),
        Scenario::Solo => "Send and receive in one process".into(),
        Scenario::Arrays => "Arrays from one Python process to another".into(),
        Scenario::Calls(pair) => format!("A pair of calls: {}", words(pair)),
        Scenario::Contended(pair) => format!("Two processes at one {}", word(pair)),
        Scenario::Many(Many::Create) => "Creating objects".into(),
        Scenario::Many(Many::Find) => "Finding objects by key".into(),
        Scenario::Many(Many::List) => "Listing objects, as ipcs does".into(),
    }
}

fn words(pair: Pair) -> &'static str {
    match pair {
        Pair::Message => "64 B sent and received",
        Pair::Pipe => "64 B written and read",
        Pair::Semaphore => "a semaphore taken and given back",
        Pair::Mutex => "a mutex locked and unlocked",
        Pair::Attach => "a segment attached and detached",
        Pair::Make => "a segment made and removed",
    }
}

/// A cell's size, in a column's head.
fn size(cell: Cell) -> String {
    match cell.scenario {
        Scenario::Calls(_) | Scenario::Contended(_) => "the pair".into(),
        Scenario::Many(_) => format!("of {}", cell.size),
        _ => bytes(cell.size),
    }
}

/// A cell as `--only` and JSON call it.
pub(crate) fn cell_id(cell: Cell) -> String {
    let scenario = match cell.scenario {
        Scenario::Flow(pairs) => format!("{pairs}-{pairs}"),
        Scenario::Awake => "awake".into(),
        Scenario::Asleep => "asleep".into(),
        Scenario::Solo => "solo".into(),
        Scenario::Arrays => "arrays".into(),
        Scenario::Calls(pair) => return word(pair).into(),
        Scenario::Contended(pair) => return format!("contended-{}", word(pair)),
        Scenario::Many(many) => name_of(many).into(),
    };
    format!("{scenario}/{}", cell.size)
}

/// What stands in the place of a figure; the whole reason comes at the end.
fn short(why: &str) -> &'static str {
    if why.starts_with("failed") { "failed" } else { "n/a" }
}

pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}

/// A table with a head; its first column is text, the others are numbers.
#[derive(Debug)]
pub(crate) struct Grid {
    pub(crate) head: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Grid {
    pub(crate) fn new<'a>(head: impl IntoIterator<Item = &'a str>) -> Self {
        Self { head: head.into_iter().map(str::to_owned).collect(), rows: Vec::new() }
    }

    pub(crate) fn text(&self, title: &str) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let lines: Vec<&Vec<String>> = [&self.head].into_iter().chain(&self.rows).collect();
        let width = |column: usize| {
            lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        let mut text = format!("\n{title}\n");
        for line in lines {
            let mut row = String::new();
            for (column, (cell, &width)) in line.iter().zip(&widths).enumerate() {
                let _ = if column == 0 { write!(row, "  {cell:width$}") } else { write!(row, "   {cell:>width$}") };
            }
            let _ = writeln!(text, "{}", row.trim_end());
        }
        text
    }

    pub(crate) fn markdown(&self) -> String {
        let row = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let rule = format!("|---|{}\n", "---:|".repeat(self.head.len() - 1));
        row(&self.head) + &rule + &self.rows.iter().map(|cells| row(cells)).collect::<String>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CELL: Cell = Cell { scenario: Scenario::Flow(1), size: 64 };

    fn sample(round: usize, peer: &'static str, line: (f64, f64), messages: u64) -> Sample {
        let outcome = Outcome::Flow { messages, nanoseconds: 1000 };
        Sample { round, cell: CELL, peer, before: line.0, after: line.1, outcome }
    }

    #[test]
    fn ratios_pair_rounds_of_one_placement() {
        let (near, far) = ((95.0, 97.0), (460.0, 455.0));
        let samples = vec![
            sample(0, "a", near, 30),
            sample(0, "b", near, 10),
            sample(1, "a", near, 50),
            sample(1, "b", near, 10),
            sample(2, "a", near, 99),
            sample(2, "b", far, 10), // no partner of its placement
            sample(3, "a", far, 12),
            sample(3, "b", far, 6),
            sample(4, "a", (95.0, 460.0), 77), // moved
            sample(4, "b", near, 1),
        ];
        let findings = Findings { samples, ..Findings::default() };
        assert_eq!(findings.ratio(CELL, "a", "b", Placement::Near), Some(4.0));
        assert_eq!(findings.ratio(CELL, "a", "b", Placement::Far), Some(2.0));
        assert_eq!(findings.ratio(CELL, "a", "c", Placement::Near), None);
    }

    #[test]
    fn numbers_have_three_digits() {
        let numbers = [0.01234, 0.5, 1.0, 27.25, 311.4, 1234.5];
        assert_eq!(numbers.map(digits), ["0.0123", "0.500", "1.00", "27.2", "311", "1234"]);
    }
}
