//! Sockets: connections on this machine and between machines, with whole messages, descriptors and credentials.
//!
//! A server has a [`Listener`], whose [`accept`](Listener::accept) gives a [`Stream`] for each client; a client's
//! [`Stream::connect`] gives the other end. [`Stream::pair`] makes both ends at once. A [`Datagram`] socket sends single messages to
//! whom it likes. Where they are is an [`Address`], which is also a text: `unix:/run/echo`, `unix:@echo`, `packet:…`, `tcp:127.0.0.1:80`, `udp:…`.
//!
//! ```
//! use madang::socket::{Address, Listener, Stream};
//!
//! let server = Listener::bind(&"tcp:127.0.0.1:0".parse()?)?;
//! let client = Stream::connect(server.address())?;
//! let served = server.accept()?;
//! client.send_message(b"two teas")?;
//! assert_eq!(served.recv_message()?.unwrap().data, b"two teas");
//! drop(client);
//! assert!(served.recv_message()?.is_none(), "the end");
//! # Ok::<(), madang::Error>(())
//! ```
//!
//! Every descriptor is close-on-exec. Waiting is done by poll(2), until a [`Deadline`](crate::Deadline). Whoever sends to one who is gone gets
//! `EPIPE`, and no SIGPIPE.
//!
//! # Whole messages
//!
//! A stream carries bytes, in pieces of any size. [`send_message`](Stream::send_message) puts **the message's length before it, in 4 bytes,
//! the highest first** (`ntohl`, `struct.unpack("!I", …)`, Java's `readInt`, Erlang's `{packet, 4}`). An empty message is four zeros. The
//! largest message is [`MESSAGE_LIMIT`] bytes unless [`set_message_limit`](Stream::set_message_limit) says otherwise: a larger one isn't
//! sent, and a stranger who announces one is refused before anything is allocated (`EMSGSIZE`, for good: where his next message would
//! begin is unknown). On `packet:` the kernel itself keeps messages apart, and there is no length before them.

#![forbid(unsafe_code)]

mod address;
mod datagram;
mod listener;
mod message;
mod place;
mod stream;

pub use address::{Address, Transport};
pub use datagram::Datagram;
pub use listener::{Listener, ListenerOptions};
pub use message::{Credentials, MESSAGE_LIMIT, Message, Wanted};
pub use stream::{Connecting, Shutdown, Stream};
