//! The classic exercise: a parent and a child over two pipes. The parent writes lines, the child answers each in upper case.
//!
//! The child is this program again, which gets its ends as standard input and output.

use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};

use madang::pipe::{self, Reader, Writer};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if std::env::args().nth(1).as_deref() == Some("child") { child() } else { parent() }
}

fn parent() -> Result<(), Box<dyn std::error::Error>> {
    let (for_child, to_child) = pipe::pair()?;
    let (from_child, by_child) = pipe::pair()?;
    let mut child = Command::new(std::env::current_exe()?)
        .arg("child")
        .stdin(Stdio::from(for_child)) // The child's end is the child's alone:
        .stdout(Stdio::from(by_child)) // so it sees the end of the file, and we see its.
        .spawn()?;

    let mut answers = BufReader::new(from_child).lines();
    for line in ["hello", "how are you?", "goodbye"] {
        to_child.write_all(format!("{line}\n").as_bytes())?;
        println!("{line} -> {}", answers.next().ok_or("no answer")??);
    }
    drop(to_child); // the end of the file
    println!("the child ended: {}", child.wait()?.success());
    Ok(())
}

fn child() -> Result<(), Box<dyn std::error::Error>> {
    let reader = Reader::from_fd(std::io::stdin().as_fd().try_clone_to_owned()?)?;
    let mut writer = Writer::from_fd(std::io::stdout().as_fd().try_clone_to_owned()?)?;
    for line in BufReader::new(reader).lines() {
        writeln!(writer, "{}", line?.to_uppercase())?;
    }
    Ok(())
}
