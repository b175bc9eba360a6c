//! Two processes in turn: the parent says ping, the child says pong, and two POSIX semaphores keep them in order.

use std::process::Command;
use std::time::Duration;

use madang::Deadline;
use madang::posix::sem::Semaphore;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    match std::env::args().nth(1) {
        Some(pid) => child(&pid),
        None => parent(&std::process::id().to_string()),
    }
}

/// One whose value is 1 when it is this one's turn.
fn turn(whose: &str, pid: &str) -> madang::Result<Semaphore> {
    Semaphore::options().open(&format!("{whose}-{pid}"))
}

fn parent(pid: &str) -> Result<(), Box<dyn std::error::Error>> {
    let (ping, pong) = (turn("ping", pid)?, turn("pong", pid)?);
    ping.post()?;
    let mut child = Command::new(std::env::current_exe()?).arg(pid).spawn()?;
    for round in 1..=3 {
        // Who gives up in the end doesn't hang if the other one died.
        ping.wait_until(Deadline::after(Duration::from_secs(10)))?;
        println!("ping {round}");
        pong.post()?;
    }
    assert!(child.wait()?.success());
    Semaphore::unlink(ping.name())?; // or they stay until the machine stops
    Semaphore::unlink(pong.name())?;
    Ok(())
}

fn child(pid: &str) -> Result<(), Box<dyn std::error::Error>> {
    let (ping, pong) = (turn("ping", pid)?, turn("pong", pid)?);
    for round in 1..=3 {
        pong.wait_until(Deadline::after(Duration::from_secs(10)))?;
        println!("pong {round}");
        ping.post()?;
    }
    Ok(())
}
