//! An echo server and its client over a Unix socket, by whole messages: of any length, also empty, however the bytes arrive.
//!
//! The client is this program again. There is no file of the socket left in the end.

use std::process::Command;
use std::time::Duration;

use madang::Deadline;
use madang::socket::{Address, Listener, Stream};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address: Address = "unix:echo.sock".parse()?;
    match std::env::args().nth(1).as_deref() {
        Some("client") => Ok(client(&address)?),
        _ => server(&address),
    }
}

fn server(address: &Address) -> Result<(), Box<dyn std::error::Error>> {
    let listener = Listener::bind(address)?; // from now on clients may connect
    let mut client = Command::new(std::env::current_exe()?).arg("client").spawn()?;

    let stream = listener.accept_until(Deadline::after(Duration::from_secs(30)))?;
    while let Some(message) = stream.recv_message()? {
        stream.send_message(&message.data)?;
    }
    client.wait()?;
    println!("server: the client has gone");
    Ok(())
}

fn client(address: &Address) -> madang::Result<()> {
    let soon = Deadline::after(Duration::from_secs(30));
    let stream = Stream::connect_until(address, soon)?;
    for message in [&b"two teas"[..], b"", &[7; 1_000_000]] {
        stream.send_message_until(message, soon)?;
        let answer = stream.recv_message_until(soon)?.expect("an answer");
        println!("client: {} -> {}", shown(message), shown(&answer.data));
    }
    Ok(())
}

fn shown(message: &[u8]) -> String {
    match message.len() {
        1..=80 => String::from_utf8_lossy(message).into_owned(),
        length => format!("({length} bytes)"),
    }
}
