//! Two processes update a counter in a file, under a lock, so that no update is lost. Then a report is written in one step, so that
//! nobody ever reads half of it.
//!
//! Here one process starts the other; they share nothing but the files' names.

use std::process::Command;

use madang::file::{self, File, Lock};

const TIMES: u64 = 1000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if std::env::args().nth(1).as_deref() == Some("other") {
        count()?;
        return Ok(());
    }
    let mut other = Command::new(std::env::current_exe()?).arg("other").spawn()?;
    count()?;
    other.wait()?;

    let mut bytes = [0; 8];
    File::open("counter")?.map()?.read(0, &mut bytes)?;
    let total = u64::from_ne_bytes(bytes);
    println!("two processes added {TIMES} each: {total}");

    file::replace("report", format!("the counter is at {total}").as_bytes())?;
    println!("the report says: {}", std::fs::read_to_string("report")?);
    Ok(())
}

/// Adds 1 to the number in the file, again and again.
fn count() -> madang::Result<()> {
    let file = File::options().length(8).open("counter")?; // opens it, or makes it, of 8 zeroes
    let mapping = file.map()?;
    for _ in 0..TIMES {
        let _guard = file.lock(Lock::exclusive())?; // until the end of the block
        let mut bytes = [0; 8];
        mapping.read(0, &mut bytes)?;
        let next = u64::from_ne_bytes(bytes) + 1;
        mapping.write(0, &next.to_ne_bytes())?;
    }
    mapping.sync() // safe from a power failure
}
