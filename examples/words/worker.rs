//! A worker of the demo, in Rust: takes lines from one queue, counts their words, and sends the counts
//! back by another. `words-worker LINES ANSWERS NUMBER`; what travels is described in README.md.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use madang::{Create, Deadline, Queue, Select};

/// The type that ends the input; no line has it, for a line's type is a byte.
const STOP: i64 = 256;
/// An answer is sent when it has become this long.
const ANSWER_BYTES: usize = 32 << 10;

/// How often each word came.
type Counts = HashMap<Vec<u8>, u64>;

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
    let (counts, taken) = count(&lines)?;
    report(&answers, number, &counts)?;
    answers.send(number, format!("messages {taken}\n").as_bytes())?;
    Ok(())
}

/// Takes lines until the stop: the counts of their words, and how many lines there were.
fn count(lines: &Queue) -> Result<(Counts, u64), Box<dyn Error>> {
    let mut counts = Counts::new();
    let mut buffer = vec![0; usize::try_from(lines.capacity())?];
    let mut taken = 0;
    loop {
        let received = lines.recv_into(Select::Any, &mut buffer, Deadline::NEVER)?;
        if received.mtype == STOP {
            return Ok((counts, taken));
        }
        taken += 1;
        let line = &mut buffer[..received.length];
        line.make_ascii_lowercase();
        // A word is a longest run of ASCII letters; all other bytes lie between words.
        for word in line.split(|byte| !byte.is_ascii_lowercase()).filter(|word| !word.is_empty()) {
            // Only a new word costs an allocation.
            match counts.get_mut(word) {
                Some(count) => *count += 1,
                None => {
                    counts.insert(word.to_owned(), 1);
                }
            }
        }
    }
}

/// Sends "COUNT WORD\n", as many as an answer takes.
fn report(answers: &Queue, number: i64, counts: &Counts) -> Result<(), Box<dyn Error>> {
    let mut text = Vec::with_capacity(ANSWER_BYTES + 128);
    for (word, count) in counts {
        write!(text, "{count} ")?;
        text.extend_from_slice(word);
        text.push(b'\n');
        if text.len() >= ANSWER_BYTES {
            answers.send(number, &text)?;
            text.clear();
        }
    }
    if !text.is_empty() {
        answers.send(number, &text)?;
    }
    Ok(())
}
