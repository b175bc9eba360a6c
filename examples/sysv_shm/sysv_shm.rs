//! System V shared memory: a child writes a greeting, which the parent prints.
//!
//! The segment has no key: the parent tells the child its identifier. It is removed at once when both have it attached,
//! and so goes with the last of them, however they end. The child is this program again.

use std::process::Command;

use madang::sysv::shm::Segment;

const GREETING: &[u8] = b"hello from the child";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    match std::env::args().nth(1) {
        Some(id) => Ok(child(id.parse()?)?),
        None => parent(),
    }
}

fn child(id: i32) -> madang::Result<()> {
    let memory = Segment::from_id(id)?.attach()?;
    memory.write(0, GREETING)
}

fn parent() -> Result<(), Box<dyn std::error::Error>> {
    let segment = Segment::create_private(4096)?;
    let memory = segment.attach()?;
    println!("attached: {}", segment.stat()?.attached);
    Command::new(std::env::current_exe()?).arg(segment.id().to_string()).spawn()?.wait()?;
    segment.remove()?;

    let mut greeting = vec![0; GREETING.len()];
    memory.read(0, &mut greeting)?; // it is there as long as somebody has it attached
    println!("the child wrote: {}", String::from_utf8(greeting)?);
    drop(memory);
    if segment.stat().is_err_and(|error| error.errno() == libc::EIDRM) {
        println!("the segment is gone");
    }
    Ok(())
}
