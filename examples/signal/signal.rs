//! A child waits for signals, instead of handling them; its parent sends them with values, to a descriptor that stands for the child.
//!
//! The child is this program again. It says when it has blocked the signals: before, they would end it.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use madang::Deadline;
use madang::signal::{Process, Set, Signal};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if std::env::args().nth(1).as_deref() == Some("child") { Ok(child()?) } else { parent() }
}

fn parent() -> Result<(), Box<dyn std::error::Error>> {
    let mut child = Command::new(std::env::current_exe()?).arg("child").stdout(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
    lines.next().ok_or("the child isn't ready")??;

    let process = Process::open(child.id() as i32)?;
    process.queue(Signal::USR1, 7)?;
    println!("{}", lines.next().ok_or("no answer")??);
    process.queue(Signal::rt(1)?, 1)?; // real-time signals queue: both come
    process.queue(Signal::rt(1)?, 2)?;
    process.send(Signal::TERM)?;
    process.wait_until(Deadline::after(Duration::from_secs(30)))?;
    for line in lines {
        println!("{}", line?);
    }
    child.wait()?;
    println!("parent: the child has ended");
    // Whoever gets the child's pid next: this is not him.
    let error = process.send(Signal::KILL).unwrap_err();
    println!("parent: it can't be hit any more: {}", if error.errno() == libc::ESRCH { "ESRCH" } else { "?" });
    Ok(())
}

fn child() -> madang::Result<()> {
    let wanted = Set::of([Signal::USR1, Signal::rt(1)?]);
    let _blocked = Set::of(wanted.iter().chain([Signal::TERM])).block()?;
    println!("ready");
    let soon = Deadline::after(Duration::from_secs(30));
    for _ in 0..3 {
        let info = wanted.wait_until(soon)?;
        let is_parent = info.pid == std::os::unix::process::parent_id() as i32;
        println!("child: {} with {}, from my parent: {is_parent}", info.signal, info.value);
    }
    println!("child: {}", Set::from(Signal::TERM).wait_until(soon)?.signal);
    Ok(())
}
