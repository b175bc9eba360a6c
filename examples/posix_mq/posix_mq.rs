//! Messages by priority: a child sends orders over a POSIX message queue, and the parent receives the most urgent first.

use std::process::Command;

use madang::posix::mq::Queue;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    match std::env::args().nth(1) {
        Some(name) => child(&name),
        None => parent(&format!("orders-{}", std::process::id())),
    }
}

fn parent(name: &str) -> Result<(), Box<dyn std::error::Error>> {
    let queue = Queue::options().max_messages(4).max_message_size(100).open(name)?;
    let done = Command::new(std::env::current_exe()?).arg(name).status()?;
    assert!(done.success());
    for _ in 0..4 {
        let message = queue.recv()?; // waits, if there is none yet
        println!("{}: {}", message.priority, String::from_utf8_lossy(&message.data));
    }
    Queue::unlink(name)?; // or it stays until the machine stops
    Ok(())
}

fn child(name: &str) -> Result<(), Box<dyn std::error::Error>> {
    let queue = Queue::open(name)?;
    queue.send(1, b"one coffee")?;
    queue.send(5, b"two teas")?;
    queue.send(1, b"a cake")?;
    queue.send(9, b"fire!")?;
    Ok(())
}
