//! Memory for a stranger: a parent fills a memfd, seals it, and hands it to a child. The child doesn't trust the parent: it checks the
//! seals, and knows then that nobody can change what it reads, or take it away.
//!
//! The child is this program again, which gets the memfd as standard input. Between strangers it would come over a Unix socket.

use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, Stdio};

use madang::memfd::{Memfd, Seals};

const TEXT: &str = "nobody can change this";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if std::env::args().nth(1).as_deref() == Some("child") { child() } else { parent() }
}

fn parent() -> Result<(), Box<dyn std::error::Error>> {
    let memory = Memfd::options().size(TEXT.len() as u64).create("letter")?;
    memory.map(0, 0, true)?.write(0, TEXT.as_bytes())?;
    memory.seal(Seals::SHRINK | Seals::GROW | Seals::WRITE | Seals::SEAL)?;
    let memory = Stdio::from(OwnedFd::from(memory));
    let done = Command::new(std::env::current_exe()?).arg("child").stdin(memory).status()?;
    println!("the child ended {}", if done.success() { "well" } else { "badly" });
    Ok(())
}

fn child() -> Result<(), Box<dyn std::error::Error>> {
    let fd = std::io::stdin().as_fd().try_clone_to_owned()?;
    let memory = Memfd::from_fd(fd, Seals::WRITE | Seals::GROW)?; // EPERM if it isn't sealed like that
    let mut text = vec![0; memory.size()? as usize];
    memory.map(0, 0, false)?.read(0, &mut text)?;
    println!("the child reads: {}", String::from_utf8(text)?);
    if memory.map(0, 0, true).is_err_and(|error| error.errno() == libc::EPERM) {
        println!("the child can't write");
    }
    Ok(())
}
