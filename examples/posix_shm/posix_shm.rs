//! The classic exercise: a child writes a greeting into shared memory, and the parent prints it.

use std::process::Command;

use madang::posix::shm::Object;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    match std::env::args().nth(1) {
        Some(name) => child(&name),
        None => parent(&format!("greeting-{}", std::process::id())),
    }
}

fn parent(name: &str) -> Result<(), Box<dyn std::error::Error>> {
    let memory = Object::options().size(4096).open(name)?.map(0, 0, false)?;
    let done = Command::new(std::env::current_exe()?).arg(name).status()?;
    assert!(done.success());
    let mut greeting = [0; 13];
    memory.read(0, &mut greeting)?;
    println!("the child says: {}", String::from_utf8_lossy(&greeting));
    Object::unlink(name)?; // or it stays until the machine stops
    Ok(())
}

fn child(name: &str) -> Result<(), Box<dyn std::error::Error>> {
    let memory = Object::options().open(name)?.map(0, 0, true)?;
    memory.write(0, b"hello, parent")?;
    Ok(())
}
