//! A worker of the demo, in Rust: leases lines from one queue, counts their words, and sends the counts
//! back by another. `words-worker LINES ANSWERS NUMBER`; what travels is described in README.md.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use madang::{Create, Lease, Queue, Select};

/// The type that ends the input; no line has it, for a line's type is a byte.
const STOP: i64 = 256;
/// An answer is sent when it has become this long.
const ANSWER_BYTES: usize = 32 << 10;

/// So many lines are held at most before they are answered and acknowledged.
const LINES_AT_ONCE: usize = 256;

fn main() -> ExitCode {
    match work() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("words-worker: {error}");
            ExitCode::FAILURE
        }
    }
}

fn work() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, lines, answers, number] = arguments.as_slice() else {
        return Err("usage: words-worker LINES ANSWERS NUMBER".into());
    };
    let number: i64 = number.parse()?;
    // Opened, never made: should the coordinator be gone, no queue is left behind.
    let open = |name| Queue::options().create(Create::Never).open(name);
    let (lines, answers) = (open(lines)?, open(answers)?);

    answers.send(number, format!("hello Rust, process {}\n", std::process::id()).as_bytes())?;
    count(&lines, &answers, number)?;
    answers.send(number, b"done\n")?;
    Ok(())
}

/// Takes lines until the stop, by lease, and answers: of each line its sequence and the counts of its words. Only what was answered is
/// acknowledged, so if this process is killed another takes the rest.
fn count(lines: &Queue, answers: &Queue, number: i64) -> Result<(), Box<dyn Error>> {
    let (mut text, mut held) = (Vec::with_capacity(2 * ANSWER_BYTES), Vec::new());
    loop {
        let lease = match lines.try_lease(Select::Any) {
            Err(error) if error.errno() == libc::EAGAIN => {
                answer(answers, number, &mut text, &mut held)?;
                lines.lease(Select::Any)?
            }
            lease => lease?,
        };
        if lease.mtype() == STOP {
            answer(answers, number, &mut text, &mut held)?;
            return Ok(lease.ack()?);
        }
        write_counts(&mut text, &lease)?;
        held.push(lease);
        if text.len() >= ANSWER_BYTES || held.len() >= LINES_AT_ONCE {
            answer(answers, number, &mut text, &mut held)?;
        }
    }
}

/// Sends what was counted, then acknowledges the lines: killed in between, they are counted once more, and told by their sequence.
fn answer(answers: &Queue, number: i64, text: &mut Vec<u8>, held: &mut Vec<Lease<&Queue>>) -> madang::Result<()> {
    if !text.is_empty() {
        answers.send(number, text)?;
        text.clear();
    }
    held.drain(..).try_for_each(Lease::ack)
}

/// "line SEQUENCE REDELIVERED", then "COUNT WORD" for each of its words.
fn write_counts(text: &mut Vec<u8>, lease: &Lease<&Queue>) -> std::io::Result<()> {
    writeln!(text, "line {} {}", lease.sequence(), lease.redelivered())?;
    let mut line = lease.to_vec();
    line.make_ascii_lowercase();
    let mut counts = HashMap::new();
    // A word is a longest run of ASCII letters; all other bytes lie between words.
    for word in line.split(|byte| !byte.is_ascii_lowercase()).filter(|word| !word.is_empty()) {
        *counts.entry(word).or_insert(0u64) += 1;
    }
    for (word, count) in counts {
        write!(text, "{count} ")?;
        text.extend_from_slice(word);
        text.push(b'\n');
    }
    Ok(())
}
