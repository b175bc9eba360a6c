//! What is written where: every word of every line that is in use, or beside one, in turn with each of [`VALUES`].

use std::fs::File;
use std::os::unix::fs::FileExt;

use madang_tests::Random;

use super::room::{Image, Kept};

/// How many things are done to a word.
const VALUES: u64 = 20;
/// All bytes before that are tried, used or not: header, control lines, the first slots.
const CONTROL: u64 = 4096 + 256;
const LINE: usize = 64;
/// A longer file is a queue's.
const NARROW: u64 = 1 << 18;

/// All cases of an image.
pub(crate) struct Cases {
    image: Image,
    /// File, offset, and how many bytes.
    words: Vec<(usize, u64, usize)>,
    /// What the header says, and sums of that: places just beyond an end are near them.
    sizes: Vec<u64>,
    seed: u64,
}

/// Bytes that are written into a file.
#[derive(Clone, Debug)]
pub(crate) struct Scribble {
    pub(crate) file: usize,
    pub(crate) at: u64,
    pub(crate) bytes: Vec<u8>,
}

impl Scribble {
    pub(crate) fn write(&self, files: &[File]) {
        files[self.file].write_all_at(&self.bytes, self.at).expect("a scribble");
    }
}

impl Cases {
    pub(crate) fn new(image: &Image, seed: u64) -> Self {
        let mut words = Vec::new();
        for (number, file) in image.files.iter().enumerate() {
            let mut lines: Vec<_> = (0..CONTROL.min(file.size) / LINE as u64).map(|line| line * LINE as u64).collect();
            lines.extend(file.lines(LINE).into_iter().filter(|&at| at >= CONTROL));
            for at in lines {
                words.extend((0..8).map(|word| (number, at + 8 * word, 8)));
                // Rings and heap have no narrower ones.
                if at < CONTROL || file.size < NARROW {
                    words.extend((0..16).map(|word| (number, at + 4 * word, 4)));
                }
            }
        }
        let sizes = image.files.iter().flat_map(sizes).collect();
        Self { image: image.clone(), words, sizes, seed }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.words.len() as u64 * VALUES
    }

    /// One of them by chance: mostly one of a word that says something, and every other time of control lines, for those are few
    /// and matter most.
    pub(crate) fn draw(&self, random: &mut Random) -> u64 {
        let (controls, any) = (random.below(2) == 0, random.below(4) == 0);
        let mut draw = || random.below(self.count());
        let matters = |number: &u64| {
            let word = self.words[(number / VALUES) as usize];
            self.value(word) != 0 && (!controls || (512..1536).contains(&word.1))
        };
        let some = draw();
        if any { some } else { (0..200).map(|_| draw()).find(matters).unwrap_or(some) }
    }

    /// What is written in case `number`.
    pub(crate) fn scribbles(&self, number: u64) -> Vec<Scribble> {
        let mut random = Random(self.seed ^ number.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let word = self.words[(number / VALUES) as usize];
        let (file, at, width) = word;
        let write = |value: u64| Scribble { file, at, bytes: value.to_le_bytes()[..width].to_vec() };
        let (old, bits) = (self.value(word), 8 * width as u64);
        let (another, other) = self.another(&mut random);
        let size = self.sizes[random.below(self.sizes.len() as u64) as usize];
        vec![write(match number % VALUES {
            0 => 0,
            1 => 1,
            2 => u64::MAX,
            3 => 1 << (bits - 1),
            4 => old.wrapping_add(1),
            5 => old.wrapping_sub(1),
            6 => old.wrapping_add(8),
            7 => old.wrapping_sub(8),
            8 | 9 => old ^ 1 << random.below(bits),
            10 => random.draw(),
            11 => other,
            12 => {
                return vec![
                    write(other),
                    Scribble { bytes: old.to_le_bytes()[..another.2].to_vec(), ..write_at(another) },
                ];
            }
            13 => size,
            14 => size.wrapping_add([1, 7, 8, 64, 4096, 65_536][random.below(6) as usize]),
            15 => size.wrapping_sub([1, 8, 16, 64, 65_536][random.below(5) as usize]),
            16 => random.below(20),
            // A participant's word: any slot, any of the first generations.
            17 => 1 + random.below(12) + (random.below(4) << 16) + (random.below(4) << 30),
            18 => {
                let second = self.another(&mut random).0;
                return vec![
                    write(other),
                    Scribble { bytes: random.draw().to_le_bytes()[..second.2].to_vec(), ..write_at(second) },
                ];
            }
            _ => {
                let length = (1 + random.below(8 * LINE as u64)).min(self.image.files[file].size - at);
                let fill = [None, Some(0xff), Some(0x7f), Some(1)][random.below(4) as usize];
                let bytes = (0..length).map(|_| fill.unwrap_or_else(|| random.draw() as u8)).collect();
                return vec![Scribble { bytes, ..write_at(word) }];
            }
        })]
    }

    /// Writes what lay there at first.
    pub(crate) fn take_back(&self, scribble: &Scribble, files: &[File]) {
        let (kept, length) = (&self.image.files[scribble.file], scribble.bytes.len() as u64);
        let bytes = (0..length).map(|byte| kept.word(scribble.at + byte, 1) as u8).collect();
        Scribble { bytes, ..*scribble }.write(files);
    }

    /// Another word, and what it says: one that says something, if it is found quickly.
    fn another(&self, random: &mut Random) -> ((usize, u64, usize), u64) {
        let mut draw = || {
            let word = self.words[random.below(self.words.len() as u64) as usize];
            (word, self.value(word))
        };
        (0..8).map(|_| draw()).find(|(_, value)| *value != 0).unwrap_or_else(draw)
    }

    fn value(&self, (file, at, width): (usize, u64, usize)) -> u64 {
        self.image.files[file].word(at, width)
    }

    /// In words, so that one can do it again.
    pub(crate) fn told(&self, number: u64) -> String {
        let told = self.scribbles(number).into_iter().map(|Scribble { file, at, bytes }| {
            let name = self.image.files[file].names[0].file_name().unwrap_or_default().to_string_lossy().into_owned();
            let old = self.image.files[file].word(at, bytes.len().min(8));
            let new: String = bytes.iter().rev().map(|byte| format!("{byte:02x}")).collect();
            format!("{name} at {at:#x}: {old:#x} becomes 0x{new}")
        });
        told.collect::<Vec<_>>().join(", ")
    }
}

fn write_at((file, at, _): (usize, u64, usize)) -> Scribble {
    Scribble { file, at, bytes: Vec::new() }
}

fn sizes(file: &Kept) -> Vec<u64> {
    let words: Vec<_> = (24..96).step_by(8).map(|at| file.word(at, 8)).filter(|&size| size != 0).collect();
    let sums = words.iter().scan(0u64, |sum, size| {
        *sum = sum.wrapping_add(*size);
        Some(*sum)
    });
    words.iter().copied().chain(sums).chain([file.size, 65_536, 4096]).collect()
}
