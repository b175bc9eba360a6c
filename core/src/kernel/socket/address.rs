//! Where a socket is, as text and as the kernel has it.

use std::ffi::OsStr;
use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::sys::socket::Name;

/// How what is sent travels; an address's text begins with its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// `unix:`, on this machine: bytes in order, or datagrams, as the type that uses it has it (unix(7)).
    Unix,
    /// `packet:`, on this machine: whole messages in order (`SOCK_SEQPACKET`, unix(7)).
    Packet,
    /// `tcp:`, bytes in order (tcp(7)).
    Tcp,
    /// `udp:`, datagrams (udp(7)).
    Udp,
}

/// Where a socket is.
///
/// | text | what it is |
/// |---|---|
/// | `unix:/run/echo`, `unix:echo` | a Unix socket with a file, whose permission bits say who may connect |
/// | `unix:@echo` | a Unix socket with an abstract name, which has no file and no permissions (unix(7)) |
/// | `packet:/run/echo`, `packet:@echo` | the same, for whole messages |
/// | `tcp:127.0.0.1:8000`, `tcp:[::1]:0`, `tcp:localhost:80` | TCP; port 0 is one that the kernel chooses |
/// | `udp:127.0.0.1:8000`, … | UDP |
///
/// A file whose name begins with `@` is `unix:./@name`. A path may be longer than a `sockaddr_un` holds. A host's name is resolved when the text
/// is read, to the first address that the system's resolver gives; that may take as long as it takes.
///
/// ```
/// use madang::socket::Address;
/// let address: Address = "tcp:[::1]:8000".parse()?;
/// assert_eq!(address.socket_addr().unwrap().port(), 8000);
/// assert_eq!(address.to_string(), "tcp:[::1]:8000");
/// assert_eq!(Address::unix("/run/echo").to_string(), "unix:/run/echo");
/// assert!("/run/echo".parse::<Address>().is_err());
/// # Ok::<(), madang::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    pub(super) transport: Transport,
    pub(super) name: Name,
}

impl Address {
    /// A Unix socket with a file.
    #[must_use]
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self { transport: Transport::Unix, name: Name::Unix(path.into().into_os_string().into_vec()) }
    }

    /// A Unix socket with an abstract name.
    #[must_use]
    pub fn abstract_name(name: impl AsRef<[u8]>) -> Self {
        Self { transport: Transport::Unix, name: Name::Unix([b"\0", name.as_ref()].concat()) }
    }

    /// TCP.
    #[must_use]
    pub fn tcp(address: impl Into<SocketAddr>) -> Self {
        Self { transport: Transport::Tcp, name: Name::Internet(address.into()) }
    }

    /// UDP.
    #[must_use]
    pub fn udp(address: impl Into<SocketAddr>) -> Self {
        Self { transport: Transport::Udp, name: Name::Internet(address.into()) }
    }

    /// The same name of a Unix socket, for packets.
    #[must_use]
    pub fn packets(mut self) -> Self {
        if self.transport == Transport::Unix {
            self.transport = Transport::Packet;
        }
        self
    }

    pub(super) fn new(transport: Transport, name: Name) -> Self {
        Self { transport, name }
    }

    /// How what is sent there travels.
    #[must_use]
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// The file, if it is a Unix socket with one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.name {
            Name::Unix(name) if name.first().is_some_and(|&first| first != 0) => {
                Some(Path::new(OsStr::from_bytes(name)))
            }
            _ => None,
        }
    }

    /// The host and port of TCP and UDP.
    #[must_use]
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        match self.name {
            Name::Internet(address) => Some(address),
            Name::Unix(_) => None,
        }
    }

    /// Whether it is a Unix socket that nobody gave a name.
    #[must_use]
    pub fn is_unnamed(&self) -> bool {
        self.name == Name::Unix(Vec::new())
    }

    /// What kind of socket connects, or listens, there.
    pub(super) fn kind(&self) -> i32 {
        match self.transport {
            Transport::Unix | Transport::Tcp => libc::SOCK_STREAM,
            Transport::Packet => libc::SOCK_SEQPACKET,
            Transport::Udp => libc::SOCK_DGRAM,
        }
    }

    pub(super) fn domain(&self) -> i32 {
        match self.name {
            Name::Unix(_) => libc::AF_UNIX,
            Name::Internet(SocketAddr::V4(_)) => libc::AF_INET,
            Name::Internet(SocketAddr::V6(_)) => libc::AF_INET6,
        }
    }
}

impl fmt::Display for Address {
    /// As it is parsed; what isn't UTF-8 in a path is replaced.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self.transport {
            Transport::Unix => "unix:",
            Transport::Packet => "packet:",
            Transport::Tcp => "tcp:",
            Transport::Udp => "udp:",
        })?;
        match &self.name {
            Name::Internet(address) => address.fmt(f),
            Name::Unix(name) => match name.split_first() {
                None => Ok(()),
                Some((0, name)) => write!(f, "@{}", String::from_utf8_lossy(name).replace('\0', "\\0")),
                Some((b'@', _)) => write!(f, "./{}", String::from_utf8_lossy(name)),
                Some(_) => f.write_str(&String::from_utf8_lossy(name)),
            },
        }
    }
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = |why: &str| Error::new(libc::EINVAL, format!("the address {text:?}: {why}"));
        let how =
            "it begins with \"unix:\", \"packet:\", \"tcp:\" or \"udp:\", as in unix:/run/x, unix:@x, tcp:127.0.0.1:80";
        let (scheme, rest) = text.split_once(':').ok_or_else(|| bad(how))?;
        if rest.contains('\0') {
            return Err(bad("there is a NUL in it"));
        }
        let internet = || match rest.parse() {
            Ok(address) => Ok(address),
            Err(_) => resolve(rest).map_err(|why| bad(&why)),
        };
        match (scheme, rest) {
            ("unix" | "packet", "" | "@") => Err(bad("give it a path, or @ and an abstract name")),
            ("unix" | "packet", _) => {
                let address = match rest.strip_prefix('@') {
                    Some(name) => Self::abstract_name(name),
                    None => Self::unix(rest),
                };
                Ok(if scheme == "packet" { address.packets() } else { address })
            }
            ("tcp", _) => Ok(Self::tcp(internet()?)),
            ("udp", _) => Ok(Self::udp(internet()?)),
            _ => Err(bad(how)),
        }
    }
}

/// What a host's name stands for.
fn resolve(text: &str) -> std::result::Result<SocketAddr, String> {
    let has_port = text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    if !has_port {
        return Err("write HOST:PORT, as in 127.0.0.1:80 or [::1]:80; port 0 lets the kernel choose".to_owned());
    }
    let mut found = text.to_socket_addrs().map_err(|error| format!("the host isn't found: {error}"))?;
    found.next().ok_or_else(|| "the host has no address".to_owned())
}
