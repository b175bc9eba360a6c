//! A System V message queue that is read by type: a child posts, the parent takes the letters first, then the rest by urgency.
//!
//! Both find the queue by a key that they make of the same path, here the working directory's. The child is this program again.

use std::process::Command;
use std::time::Duration;

use madang::sysv::{Key, msg::Queue};
use madang::{Create, Deadline, Select};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let key = Key::of_path(".", b'Q')?;
    if std::env::args().nth(1).as_deref() == Some("child") {
        return Ok(child(key)?);
    }
    let queue = Queue::options().create(Create::Only).open(key)?;
    let outcome = parent(&queue);
    queue.remove()?; // or it stays until the machine stops
    outcome
}

fn child(key: Key) -> madang::Result<()> {
    let queue = Queue::options().create(Create::Never).open(key)?;
    for (mtype, text) in [(3, "a newspaper"), (1, "a telegram"), (2, "a letter"), (1, "another telegram")] {
        queue.send(mtype, text.as_bytes())?;
    }
    Ok(())
}

fn parent(queue: &Queue) -> Result<(), Box<dyn std::error::Error>> {
    let mut child = Command::new(std::env::current_exe()?).arg("child").spawn()?;
    child.wait()?;
    // The first of type 2; then, of the lowest type up to 9, the first; and so on.
    for select in [Select::Type(2), Select::UpTo(9), Select::UpTo(9), Select::UpTo(9)] {
        let message = queue.recv_until(select, Deadline::after(Duration::from_secs(5)))?;
        println!("type {}: {}", message.mtype, String::from_utf8(message.data)?);
    }
    match queue.try_recv(Select::Any) {
        Err(error) if error.errno() == libc::EAGAIN => println!("nothing else came"),
        other => println!("what is this? {other:?}"),
    }
    Ok(())
}
