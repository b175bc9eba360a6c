//! The classic exercise: two processes chat over two FIFOs. Both open the same channel; who comes first is Ann, and begins.
//!
//! Here one starts the other, for there must be two; but they share nothing but the channel's name.

use std::process::Command;
use std::time::Duration;

use madang::pipe::{PIPE_BUF, Reader};
use madang::{Deadline, fifo};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if std::env::args().nth(1).as_deref() == Some("other") {
        return Ok(chat()?);
    }
    let mut other = Command::new(std::env::current_exe()?).arg("other").spawn()?;
    chat()?;
    other.wait()?;
    fifo::remove_channel("chat")?; // it persists until it is removed
    Ok(())
}

fn chat() -> madang::Result<()> {
    let soon = Deadline::after(Duration::from_secs(30));
    let channel = fifo::options().channel_until("chat", soon)?;
    let (name, lines): (_, &[&str]) = match channel.is_first {
        true => ("Ann", &["Is anybody there?", "Tea at four?", "See you."]),
        false => ("Bob", &["Yes, Bob.", "With pleasure."]),
    };
    if !channel.is_first {
        hear(name, &channel.reader)?;
    }
    for line in lines {
        channel.writer.write_all(line.as_bytes())?;
        hear(name, &channel.reader)?;
    }
    Ok(())
}

/// Prints what the other says. They take turns, and what is short is written whole: so one read is one message.
fn hear(name: &str, reader: &Reader) -> madang::Result<()> {
    let mut bytes = [0; PIPE_BUF];
    match reader.read(&mut bytes)? {
        0 => println!("{name}: the other has left"),
        length => println!("{name} hears: {}", String::from_utf8_lossy(&bytes[..length])),
    }
    Ok(())
}
