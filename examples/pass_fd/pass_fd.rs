//! A file's descriptor is handed to another process, over a socket: a file that has no name any more, so that nobody could open it.
//!
//! The child is this program again; its end of a pair of sockets is its standard input.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, Stdio};
use std::time::Duration;

use madang::Deadline;
use madang::socket::{Stream, Wanted};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if std::env::args().nth(1).as_deref() == Some("child") { child() } else { parent() }
}

fn parent() -> Result<(), Box<dyn std::error::Error>> {
    let (ours, theirs) = Stream::pair()?;
    let stdin = Stdio::from(OwnedFd::from(theirs)); // the child's alone, once it is started
    let mut child = Command::new(std::env::current_exe()?).arg("child").stdin(stdin).spawn()?;

    let mut file = File::options().read(true).write(true).create_new(true).open("letter")?;
    std::fs::remove_file("letter")?;
    file.write_all(b"Dear child, this file has no name any more.")?;
    file.rewind()?;

    let soon = Deadline::after(Duration::from_secs(30));
    ours.send_message_with(b"a letter", &[file.as_fd()], soon)?;
    drop(file); // the child has its own copy
    println!("parent: the child ended: {}", child.wait()?.success());
    Ok(())
}

fn child() -> Result<(), Box<dyn std::error::Error>> {
    let stream = Stream::from_fd(std::io::stdin().as_fd().try_clone_to_owned()?)?;
    let one = Wanted { fds: 1, ..Wanted::default() }; // what isn't wanted is closed
    let soon = Deadline::after(Duration::from_secs(30));
    let mut message = stream.recv_message_with(one, soon)?.ok_or("no message")?;
    println!("child: I got {:?} and a descriptor", String::from_utf8_lossy(&message.data));

    let mut text = String::new();
    File::from(message.fds.remove(0)).read_to_string(&mut text)?;
    println!("child: in it stands: {text}");
    Ok(())
}
