//! Round trips by their length, precise to 1/256, small enough to be sent as one line of text.
//!
//! A value below 256 ns has a bucket of its own; a longer one shares its bucket with those that agree in the highest
//! eight bits: index = `shift << 8 | value >> shift`. `python/worker.py` and `c/worker.c` count in the same way.

const SHIFTS: usize = 40;

/// Half the distance at most over which neighbours are interpolated, in nanoseconds.
const STEP: f64 = 10.0;

#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    counts: Vec<u32>,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self { counts: vec![0; SHIFTS << 8] }
    }

    pub(crate) fn add(&mut self, nanoseconds: u64) {
        let shift = (64 - nanoseconds.leading_zeros()).saturating_sub(8) as usize;
        let index = (shift << 8) | (nanoseconds >> shift) as usize;
        let last = self.counts.len() - 1;
        self.counts[index.min(last)] += 1;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().map(|&count| u64::from(count)).sum()
    }

    /// The length below which the share `q` of the round trips lies, in nanoseconds.
    ///
    /// The clock counts in steps (of 10 ns on some machines), so what lies in a bucket came from its neighbourhood: the
    /// answer is interpolated between the points halfway to the buckets beside it that aren't empty.
    pub(crate) fn quantile(&self, q: f64) -> f64 {
        let wanted = self.count() as f64 * q;
        let filled: Vec<usize> = (0..self.counts.len()).filter(|&index| self.counts[index] > 0).collect();
        let mut seen = 0.0;
        for (nth, &index) in filled.iter().enumerate() {
            let count = f64::from(self.counts[index]);
            if seen + count >= wanted {
                let here = middle(index);
                let below = nth.checked_sub(1).map_or(here, |before| middle(filled[before]));
                let above = filled.get(nth + 1).map_or(here, |&after| middle(after));
                let (from, to) = (here - ((here - below) / 2.0).min(STEP), here + ((above - here) / 2.0).min(STEP));
                return from + (to - from) * (wanted - seen) / count;
            }
            seen += count;
        }
        f64::NAN
    }

    /// `index:count` of every bucket that isn't empty.
    pub(crate) fn to_line(&self) -> String {
        let filled = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        filled.map(|(index, count)| format!("{index}:{count}")).collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn from_line(line: &str) -> Option<Self> {
        let mut histogram = Self::new();
        for bucket in line.split_whitespace() {
            let (index, count) = bucket.split_once(':')?;
            *histogram.counts.get_mut(index.parse::<usize>().ok()?)? += count.parse::<u32>().ok()?;
        }
        Some(histogram)
    }
}

/// The middle of what a bucket holds, in nanoseconds.
fn middle(index: usize) -> f64 {
    let shift = index >> 8;
    let half = if shift == 0 { 0.0 } else { (1u64 << shift) as f64 / 2.0 };
    ((index as u64 & 255) << shift) as f64 + half
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coarse_clock_is_interpolated() {
        let mut histogram = Histogram::new();
        for (nanoseconds, count) in [(90, 25), (100, 50), (110, 25)] {
            (0..count).for_each(|_| histogram.add(nanoseconds));
        }
        assert_eq!([0.25, 0.5, 0.75].map(|q| histogram.quantile(q)), [95.0, 100.0, 105.0]);
    }

    #[test]
    fn quantiles_are_precise_to_half_a_percent() {
        let mut histogram = Histogram::new();
        for nanoseconds in 1..=100_000 {
            histogram.add(nanoseconds);
        }
        for (q, exact) in [(0.001, 100.0), (0.5, 50_000.0), (0.999, 99_900.0)] {
            let found = histogram.quantile(q);
            assert!((found / exact - 1.0_f64).abs() < 0.005, "{q}: {found} instead of {exact}");
        }
    }

    #[test]
    fn a_line_holds_everything() {
        let mut histogram = Histogram::new();
        for nanoseconds in [0, 7, 255, 256, 1_000_000_007, u64::MAX] {
            histogram.add(nanoseconds);
        }
        let again = Histogram::from_line(&histogram.to_line()).unwrap();
        assert_eq!(again.counts, histogram.counts);
    }
}
