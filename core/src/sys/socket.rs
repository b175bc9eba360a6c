//! socket(7), unix(7), ip(7), cmsg(3). Every descriptor is close-on-exec, and no send raises SIGPIPE. Nothing is sent or received with a wait,
//! whether or not the descriptor blocks; to accept and to connect waits on one that does.

use std::io::{IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::{Errno, check};

/// How many bytes the name of a Unix socket may have (`sun_path`, unix(7)): with the NUL that ends a path, or begins an abstract name.
pub(crate) const LONGEST_NAME: usize = 108;

/// The most descriptors that go with one message (`SCM_MAX_FD`, unix(7)).
pub(crate) const MOST_FDS: usize = 253;

/// Where a socket is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Name {
    /// A path, or after a NUL an abstract name; empty for none (bound to, the kernel chooses an abstract one).
    Unix(Vec<u8>),
    Internet(SocketAddr),
}

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ucred {
    pub(crate) pid: i32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// A `sockaddr` of any family.
struct Encoded {
    storage: libc::sockaddr_storage,
    length: libc::socklen_t,
}

impl Encoded {
    fn empty() -> Self {
        // SAFETY: all-zero is a valid sockaddr_storage.
        let storage: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
        Self { storage, length: size_of_val(&storage) as libc::socklen_t }
    }

    fn new(name: &Name) -> Result<Self, Errno> {
        let mut encoded = Self::empty();
        let at = &raw mut encoded.storage;
        // SAFETY: a sockaddr_storage is large enough for each of the three, and aligned for them.
        let length = unsafe {
            match name {
                Name::Unix(path) => {
                    // A path has a NUL at its end, which the zeros are.
                    let is_path = path.first().is_some_and(|&first| first != 0);
                    if path.len() + usize::from(is_path) > LONGEST_NAME {
                        return Err(Errno(libc::ENAMETOOLONG));
                    }
                    let un = at.cast::<libc::sockaddr_un>();
                    (*un).sun_family = libc::AF_UNIX as libc::sa_family_t;
                    (&raw mut (*un).sun_path).cast::<u8>().copy_from_nonoverlapping(path.as_ptr(), path.len());
                    std::mem::offset_of!(libc::sockaddr_un, sun_path) + path.len() + usize::from(is_path)
                }
                Name::Internet(SocketAddr::V4(v4)) => {
                    let inet = at.cast::<libc::sockaddr_in>();
                    (*inet).sin_family = libc::AF_INET as libc::sa_family_t;
                    (*inet).sin_port = v4.port().to_be();
                    (*inet).sin_addr.s_addr = u32::from_ne_bytes(v4.ip().octets());
                    size_of::<libc::sockaddr_in>()
                }
                Name::Internet(SocketAddr::V6(v6)) => {
                    let inet = at.cast::<libc::sockaddr_in6>();
                    (*inet).sin6_family = libc::AF_INET6 as libc::sa_family_t;
                    (*inet).sin6_port = v6.port().to_be();
                    (*inet).sin6_flowinfo = v6.flowinfo();
                    (*inet).sin6_scope_id = v6.scope_id();
                    (*inet).sin6_addr.s6_addr = v6.ip().octets();
                    size_of::<libc::sockaddr_in6>()
                }
            }
        };
        encoded.length = length as libc::socklen_t;
        Ok(encoded)
    }

    fn decode(&self) -> Result<Name, Errno> {
        let at = &raw const self.storage;
        let start = std::mem::offset_of!(libc::sockaddr_un, sun_path);
        // Of a socket pair or a nameless sender there may be nothing at all.
        if (self.length as usize) <= start {
            return Ok(Name::Unix(Vec::new()));
        }
        // SAFETY: the kernel filled it as its family says; a sockaddr_storage is large enough for each, and aligned.
        unsafe {
            match i32::from(self.storage.ss_family) {
                libc::AF_UNIX => {
                    let path = (&raw const (*at.cast::<libc::sockaddr_un>()).sun_path).cast::<u8>();
                    let path = std::slice::from_raw_parts(path, (self.length as usize - start).min(LONGEST_NAME));
                    let is_path = path[0] != 0;
                    let end = path.iter().position(|&byte| is_path && byte == 0).unwrap_or(path.len());
                    Ok(Name::Unix(path[..end].to_vec()))
                }
                libc::AF_INET => {
                    let inet = &*at.cast::<libc::sockaddr_in>();
                    let ip = Ipv4Addr::from(inet.sin_addr.s_addr.to_ne_bytes());
                    Ok(Name::Internet(SocketAddrV4::new(ip, u16::from_be(inet.sin_port)).into()))
                }
                libc::AF_INET6 => {
                    let inet = &*at.cast::<libc::sockaddr_in6>();
                    let ip = Ipv6Addr::from(inet.sin6_addr.s6_addr);
                    let (port, flow, scope) = (u16::from_be(inet.sin6_port), inet.sin6_flowinfo, inet.sin6_scope_id);
                    Ok(Name::Internet(SocketAddrV6::new(ip, port, flow, scope).into()))
                }
                _ => Err(Errno(libc::EAFNOSUPPORT)),
            }
        }
    }

    fn pointer(&self) -> *const libc::sockaddr {
        (&raw const self.storage).cast()
    }
}

/// A new socket, which doesn't block (socket(2)).
pub(crate) fn open(domain: i32, kind: i32) -> Result<OwnedFd, Errno> {
    // SAFETY: no memory is passed.
    let fd = check(unsafe { libc::socket(domain, kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0) }.into())?;
    // SAFETY: the kernel just made this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Two Unix sockets that are connected with each other (socketpair(2)).
pub(crate) fn pair(kind: i32) -> Result<(OwnedFd, OwnedFd), Errno> {
    let mut fds = [-1; 2];
    // SAFETY: there is room for the two descriptors.
    check(unsafe { libc::socketpair(libc::AF_UNIX, kind | libc::SOCK_CLOEXEC, 0, fds.as_mut_ptr()) }.into())?;
    // SAFETY: the kernel just made these descriptors, and nobody else knows them.
    Ok(unsafe { (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])) })
}

/// Gives it a name (bind(2)).
pub(crate) fn bind(fd: BorrowedFd, name: &Name) -> Result<(), Errno> {
    let name = Encoded::new(name)?;
    // SAFETY: the address is as long as it says.
    check(unsafe { libc::bind(fd.as_raw_fd(), name.pointer(), name.length) }.into()).map(drop)
}

/// Lets others connect to it (listen(2)).
pub(crate) fn listen(fd: BorrowedFd, backlog: i32) -> Result<(), Errno> {
    // SAFETY: no memory is passed.
    check(unsafe { libc::listen(fd.as_raw_fd(), backlog) }.into()).map(drop)
}

/// Takes one who has connected (accept4(2)).
pub(crate) fn accept(fd: BorrowedFd) -> Result<(OwnedFd, Name), Errno> {
    let mut name = Encoded::empty();
    // SAFETY: there is room for an address of any family, and its length says how much.
    let accepted = check(unsafe {
        libc::accept4(fd.as_raw_fd(), (&raw mut name.storage).cast(), &raw mut name.length, libc::SOCK_CLOEXEC).into()
    })?;
    // SAFETY: the kernel just made this descriptor, and nobody else knows it.
    let accepted = unsafe { OwnedFd::from_raw_fd(accepted as i32) };
    Ok((accepted, name.decode()?))
}

/// Connects it, or goes on to do so (connect(2)).
pub(crate) fn connect(fd: BorrowedFd, name: &Name) -> Result<(), Errno> {
    let name = Encoded::new(name)?;
    // SAFETY: the address is as long as it says.
    check(unsafe { libc::connect(fd.as_raw_fd(), name.pointer(), name.length) }.into()).map(drop)
}

/// Where it is itself (getsockname(2)).
pub(crate) fn local_name(fd: BorrowedFd) -> Result<Name, Errno> {
    let mut name = Encoded::empty();
    // SAFETY: there is room for an address of any family, and its length says how much.
    check(unsafe { libc::getsockname(fd.as_raw_fd(), (&raw mut name.storage).cast(), &raw mut name.length).into() })?;
    name.decode()
}

/// Where the other end is (getpeername(2)).
pub(crate) fn peer_name(fd: BorrowedFd) -> Result<Name, Errno> {
    let mut name = Encoded::empty();
    // SAFETY: there is room for an address of any family, and its length says how much.
    check(unsafe { libc::getpeername(fd.as_raw_fd(), (&raw mut name.storage).cast(), &raw mut name.length).into() })?;
    name.decode()
}

/// Ends one direction, or both (shutdown(2)).
pub(crate) fn shutdown(fd: BorrowedFd, how: i32) -> Result<(), Errno> {
    // SAFETY: no memory is passed.
    check(unsafe { libc::shutdown(fd.as_raw_fd(), how) }.into()).map(drop)
}

/// An option that is a number (getsockopt(2)).
pub(crate) fn option(fd: BorrowedFd, level: i32, name: i32) -> Result<i32, Errno> {
    let (mut value, mut length) = (0i32, size_of::<i32>() as libc::socklen_t);
    // SAFETY: there is room for the number, and its length says how much.
    check(unsafe { libc::getsockopt(fd.as_raw_fd(), level, name, (&raw mut value).cast(), &raw mut length).into() })?;
    Ok(value)
}

/// See [`option`] (setsockopt(2)).
pub(crate) fn set_option(fd: BorrowedFd, level: i32, name: i32, value: i32) -> Result<(), Errno> {
    let length = size_of::<i32>() as libc::socklen_t;
    // SAFETY: the number is valid for the call.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, (&raw const value).cast(), length).into() }).map(drop)
}

/// Who connected, or listened, when that was done (`SO_PEERCRED`, unix(7)).
pub(crate) fn peer(fd: BorrowedFd) -> Result<Ucred, Errno> {
    let mut found = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: there is room for the credentials, and their length says how much.
    check(unsafe {
        libc::getsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEERCRED, (&raw mut found).cast(), &raw mut length)
            .into()
    })?;
    Ok(Ucred { pid: found.pid, uid: found.uid, gid: found.gid })
}

/// A descriptor of the process at the other end (Linux 6.5; `ENOPROTOOPT` before).
pub(crate) fn peer_pidfd(fd: BorrowedFd) -> Result<OwnedFd, Errno> {
    const SO_PEERPIDFD: i32 = 77;
    let found = option(fd, libc::SOL_SOCKET, SO_PEERPIDFD)?;
    // SAFETY: the kernel just made this descriptor (close-on-exec), and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(found) })
}

/// Sends both pieces as one, or their beginning; and descriptors along (sendmsg(2)).
pub(crate) fn send(fd: BorrowedFd, pieces: [&[u8]; 2], fds: &[BorrowedFd], to: Option<&Name>) -> Result<usize, Errno> {
    let pieces = pieces.map(IoSlice::new);
    let to = to.map(Encoded::new).transpose()?;
    let raw: Vec<i32> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    let length = size_of_val(&raw[..]) as u32;
    // SAFETY: it only counts.
    let (space, claimed) = unsafe { (libc::CMSG_SPACE(length) as usize, libc::CMSG_LEN(length) as usize) };
    // In words, so that it is aligned for a header.
    let mut control = vec![0u64; if raw.is_empty() { 0 } else { space.div_ceil(8) }];
    // SAFETY: all-zero is a valid msghdr.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    // An IoSlice is an iovec (its documentation).
    message.msg_iov = pieces.as_ptr().cast_mut().cast();
    message.msg_iovlen = pieces.len() as _;
    if let Some(to) = &to {
        message.msg_name = to.pointer().cast_mut().cast();
        message.msg_namelen = to.length;
    }
    if !raw.is_empty() {
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = space as _;
        // SAFETY: `control` has room for one header and the descriptors, and is aligned for it.
        unsafe {
            let header = libc::CMSG_FIRSTHDR(&raw const message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = claimed as _;
            libc::CMSG_DATA(header).copy_from_nonoverlapping(raw.as_ptr().cast(), length as usize);
        }
    }
    let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
    // SAFETY: all that the message points to is valid for the call.
    check(unsafe { libc::sendmsg(fd.as_raw_fd(), &raw const message, flags) } as libc::c_long).map(|sent| sent as usize)
}

/// What [`recv`] got.
#[derive(Debug)]
pub(crate) struct Came {
    /// Bytes; with `MSG_TRUNC` those of the whole packet, though there was less room.
    pub(crate) length: usize,
    pub(crate) from: Name,
    pub(crate) fds: Vec<OwnedFd>,
    /// Descriptors came for which there was no room: they are closed.
    pub(crate) fds_lost: bool,
    pub(crate) sender: Option<Ucred>,
}

/// What is received beside bytes: at most so many descriptors; and whether the socket is set to pass credentials.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Room {
    pub(crate) fds: usize,
    pub(crate) credentials: bool,
}

/// Receives (recvmsg(2)). The kernel closes the descriptors for which there is no room.
pub(crate) fn recv(fd: BorrowedFd, into: &mut [u8], room: Room, flags: i32) -> Result<Came, Errno> {
    let mut pieces = [IoSliceMut::new(into)];
    let mut from = Encoded::empty();
    // SAFETY: it only counts. The kernel puts credentials first; what follows has room for so many descriptors, and not for one more.
    let length = unsafe {
        let credentials = if room.credentials { libc::CMSG_SPACE(size_of::<libc::ucred>() as u32) } else { 0 };
        let fds = if room.fds > 0 { libc::CMSG_LEN((room.fds * size_of::<i32>()) as u32) } else { 0 };
        (credentials + fds) as usize
    };
    let mut control = vec![0u64; length.div_ceil(8)];
    // SAFETY: all-zero is a valid msghdr.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = pieces.as_mut_ptr().cast();
    message.msg_iovlen = 1;
    message.msg_name = (&raw mut from.storage).cast();
    message.msg_namelen = from.length;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = length as _;
    let flags = flags | libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
    // SAFETY: all that the message points to is valid for the call, and may be written.
    let length = check(unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut message, flags) } as libc::c_long)? as usize;
    from.length = message.msg_namelen;
    let mut came = Came { length, from: from.decode()?, fds: Vec::new(), fds_lost: false, sender: None };
    // SAFETY: the kernel filled the headers and what follows each, as its length says; the descriptors are new.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(&raw const message);
        while !header.is_null() {
            let data = libc::CMSG_DATA(header);
            let length = (*header).cmsg_len as usize - libc::CMSG_LEN(0) as usize;
            match ((*header).cmsg_level, (*header).cmsg_type) {
                (libc::SOL_SOCKET, libc::SCM_RIGHTS) => {
                    let count = length / size_of::<i32>();
                    let number = |index| data.cast::<i32>().add(index).read_unaligned();
                    came.fds.extend((0..count).map(|index| OwnedFd::from_raw_fd(number(index))));
                }
                (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) => {
                    let found = data.cast::<libc::ucred>().read_unaligned();
                    came.sender = Some(Ucred { pid: found.pid, uid: found.uid, gid: found.gid });
                }
                _ => {}
            }
            header = libc::CMSG_NXTHDR(&raw const message, header);
        }
    }
    // Where no credentials came, there was more room than was meant.
    came.fds_lost = message.msg_flags & libc::MSG_CTRUNC != 0 || came.fds.len() > room.fds;
    came.fds.truncate(room.fds);
    Ok(came)
}

/// Lets calls on it wait again (`FIONBIO`, ioctl(2)).
pub(crate) fn set_blocking(fd: BorrowedFd) -> Result<(), Errno> {
    let mut no: libc::c_int = 0;
    // SAFETY: the number is valid for the call.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONBIO, &raw mut no) }.into()).map(drop)
}
