//! What is received: bytes, and what came along.

use std::os::fd::OwnedFd;

use super::Address;
use crate::sys::socket::{Room, Ucred};

/// The largest message, in bytes, unless a socket is told otherwise: 16 MiB.
pub const MESSAGE_LIMIT: usize = 16 << 20;

/// Who a process is: as the kernel says it, not the process (unix(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The process's id, in the pid namespace of whoever asks. It may have ended since, and the id be another's.
    pub pid: i32,
    /// Its effective user id.
    pub uid: u32,
    /// Its effective group id.
    pub gid: u32,
}

impl From<Ucred> for Credentials {
    fn from(Ucred { pid, uid, gid }: Ucred) -> Self {
        Self { pid, uid, gid }
    }
}

/// What the kernel says of a message that was sent before its receiver asked for credentials: no process, and the overflow ids
/// (`/proc/sys/kernel/overflowuid`).
const NOBODY: Ucred = Ucred { pid: 0, uid: 65534, gid: 65534 };

/// Who sent a message, if that is known.
pub(super) fn sender(came: Option<Ucred>) -> Option<Credentials> {
    came.filter(|&found| found != NOBODY).map(Credentials::from)
}

/// A message that was received.
#[derive(Debug)]
pub struct Message {
    /// Its bytes.
    pub data: Vec<u8>,
    /// The descriptors that came along, as many as were wanted; close-on-exec.
    pub fds: Vec<OwnedFd>,
    /// More descriptors came than were wanted: they are closed.
    pub fds_lost: bool,
    /// Who sent it, if the socket [passes credentials](super::Stream::pass_credentials).
    pub sender: Option<Credentials>,
    /// Where it came from: of datagrams, if the sender has an address.
    pub address: Option<Address>,
}

/// What a receiver wants beside bytes, and how many of those.
///
/// ```
/// # use madang::socket::Wanted;
/// let one_descriptor = Wanted { fds: 1, ..Wanted::default() };
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// At most so many bytes: a longer message is `E2BIG`, and stays.
    pub bytes: usize,
    /// At most so many descriptors (0 to 253); more are closed, by the kernel.
    pub fds: usize,
}

impl Default for Wanted {
    /// All bytes, no descriptors.
    fn default() -> Self {
        Self { bytes: usize::MAX, fds: 0 }
    }
}

impl Wanted {
    pub(super) fn room(self, credentials: bool) -> Room {
        Room { fds: self.fds.min(crate::sys::socket::MOST_FDS), credentials }
    }
}
