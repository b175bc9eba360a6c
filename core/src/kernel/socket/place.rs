//! How a Unix socket gets its file, and loses it.
//!
//! bind(2) makes the file with the umask's permissions, before anybody listens, and fails if the name is taken, though whoever took it
//! may be long dead. So it is done under a private name: bind there, give the file its mode, listen. Then, with the directory locked
//! (flock(2)), the file gets its own name: **linked**, if the name is free. If not, it may be *stale*: a socket that nobody has open any
//! more, which connect(2) says by `ECONNREFUSED`. Such a one is **replaced** (rename(2)): at each moment the name leads to something,
//! and of two servers who want the same stale name, the second finds the first one alive.
//!
//! It is asked by a datagram socket. That connects to no listener (`EPROTOTYPE`), so a living server sees nothing of it; and one that is
//! bound but doesn't listen yet is alive for it, too.
//!
//! Whoever closes takes the file away, under the same lock and only if it still is his. Whoever is killed while he binds may leave
//! a file `.madang-…`, which nobody uses.
//!
//! A path longer than `sun_path` holds goes by way of `/proc/self/fd/N` of its directory.

use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use super::Address;
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::kernel::wait::{failed, polling};
use crate::sys::file::{self, Identity};
use crate::sys::socket::{LONGEST_NAME, Name};
use crate::sys::{Errno, directory, process, socket};

/// For how long another may have the directory locked. What we do under the lock takes microseconds.
const LOCKED: Duration = Duration::from_secs(1);

/// The file of a bound socket; taken away when this goes.
#[derive(Debug)]
pub(super) struct Place {
    directory: OwnedFd,
    name: CString,
    identity: Identity,
    /// Who bound it: a forked child that drops its copy takes nothing away.
    owner: u32,
}

fn c_string(path: &[u8]) -> std::result::Result<CString, Errno> {
    CString::new(path).map_err(|_| Errno(libc::EINVAL))
}

/// The directory of a path, and the name in it.
fn split(path: &Path) -> Option<(&Path, &OsStr)> {
    // Without this, "x/" would be the file "x".
    let ends_in_slash = path.as_os_str().as_bytes().ends_with(b"/");
    let name = path.file_name().filter(|_| !ends_in_slash)?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    Some((parent.unwrap_or(Path::new(".")), name))
}

/// What to tell bind(2) and connect(2) of a path that `sun_path` may not hold.
fn fitting(
    path: Vec<u8>,
    in_proc: impl FnOnce() -> std::result::Result<CString, Errno>,
) -> std::result::Result<Name, Errno> {
    if path.len() < LONGEST_NAME { Ok(Name::Unix(path)) } else { Ok(Name::Unix(in_proc()?.into_bytes())) }
}

/// Calls `work` with a name that fits, for connect(2) and sendto(2).
pub(super) fn with_name<T>(address: &Address, work: impl FnOnce(&Name) -> T) -> std::result::Result<T, Errno> {
    let Some(path) = address.path() else { return Ok(work(&address.name)) };
    let path = path.as_os_str().as_bytes();
    // Open until the work is done.
    let mut target = None;
    let name = fitting(path.to_vec(), || {
        let found = directory::point_to(None, &c_string(path)?, true)?;
        file::descriptor_path(target.insert(found).as_fd())
    })?;
    Ok(work(&name))
}

/// Connects to a socket that may have a file. `EAGAIN` if the listener has no room, `EINPROGRESS` as connect(2).
pub(super) fn connect(fd: BorrowedFd, address: &Address) -> std::result::Result<(), Errno> {
    with_name(address, |name| socket::connect(fd, name))?
}

/// Gives the socket `fd`, of this address, a file of this mode, and calls `listen` before anybody sees it.
pub(super) fn bind(
    fd: BorrowedFd,
    address: &Address,
    path: &Path,
    mode: u32,
    reclaim: bool,
    listen: impl FnOnce() -> std::result::Result<(), Errno>,
) -> Result<Place> {
    let doing = format!("bind {address}");
    let during = |errno| cannot(errno, &doing);
    let Some((parent, name)) = split(path) else {
        return Err(Error::new(libc::EINVAL, format!("{doing}: the path has no file name at its end")));
    };
    let directory = directory::open(&c_string(parent.as_os_str().as_bytes()).map_err(during)?).map_err(during)?;
    let name = c_string(name.as_bytes()).map_err(during)?;

    let private = Private::new(fd, directory.as_fd(), parent, mode).map_err(during)?;
    listen().map_err(during)?;
    give_name(directory.as_fd(), &private.name, &name, reclaim, &doing)?;
    let identity = private.identity;
    drop(private);
    Ok(Place { directory, name, identity, owner: process::id() })
}

/// Calls the file `private` by its own name from now on, which may be free or, if `reclaim`, stale.
fn give_name(directory: BorrowedFd, private: &CString, name: &CString, reclaim: bool, doing: &str) -> Result<()> {
    let _lock = Lock::new(directory, doing)?;
    loop {
        match directory::link(directory, private, name) {
            Err(Errno(libc::EEXIST)) if !reclaim => return Err(taken(doing, "there is a file of that name")),
            Err(Errno(libc::EEXIST)) => {}
            linked => return linked.map_err(|errno| cannot(errno, doing)),
        }
        // Else it has gone meanwhile.
        if is_stale(directory, name, doing)? {
            return directory::rename(directory, private, name).map_err(|errno| {
                errno.during(format!("{doing}: nobody listens there, but this process may not replace the file"))
            });
        }
    }
}

/// A file can't be made in the directory.
#[cold]
fn cannot(errno: Errno, doing: &str) -> Error {
    errno.during(match errno.0 {
        libc::ENOENT => format!("{doing}: there is no such directory"),
        libc::EACCES | libc::EPERM | libc::EROFS => format!("{doing}: this process may not make a file there"),
        libc::ENAMETOOLONG => format!("{doing}: the file's name is too long"),
        _ => doing.to_owned(),
    })
}

#[cold]
fn taken(doing: &str, why: &str) -> Error {
    Error::new(libc::EADDRINUSE, format!("{doing}: {why}"))
}

/// Whether the name is that of a socket which nobody has open, and not free; if it is anything else, `EADDRINUSE`.
fn is_stale(directory: BorrowedFd, name: &CString, doing: &str) -> Result<bool> {
    let found = match directory::point_to(Some(directory), name, false) {
        Err(Errno(libc::ENOENT)) => return Ok(false),
        found => found.map_err(|errno| failed(errno, doing))?,
    };
    let stat = file::stat(found.as_fd()).map_err(|errno| failed(errno, doing))?;
    if !stat.is_socket() {
        return Err(taken(doing, "there is a file of that name which is no socket, and stays"));
    }
    let asked = file::descriptor_path(found.as_fd()).and_then(|path| {
        let probe = socket::open(libc::AF_UNIX, libc::SOCK_DGRAM)?;
        socket::connect(probe.as_fd(), &Name::Unix(path.into_bytes()))
    });
    Err(match asked {
        Err(Errno(libc::ECONNREFUSED)) => return Ok(true),
        Ok(()) | Err(Errno(libc::EPROTOTYPE)) => {
            taken(doing, "somebody listens there: stop him, or choose another address")
        }
        Err(Errno(libc::EACCES | libc::EPERM)) => {
            taken(doing, "there is a socket of that name, and this process may not ask whether somebody listens")
        }
        Err(errno) => {
            errno.during(format!("{doing}: whether somebody listens there can't be asked (is there a /proc?)"))
        }
    })
}

/// The file under its private name, which goes with this.
struct Private<'a> {
    directory: BorrowedFd<'a>,
    name: CString,
    identity: Identity,
}

impl<'a> Private<'a> {
    fn new(fd: BorrowedFd, directory: BorrowedFd<'a>, parent: &Path, mode: u32) -> std::result::Result<Self, Errno> {
        let name = c_string(format!(".madang-{:016x}", process::random()).as_bytes())?;
        let long = [parent.as_os_str().as_bytes(), b"/", name.as_bytes()].concat();
        let path = fitting(long, || {
            let parent = file::descriptor_path(directory)?;
            c_string(&[parent.as_bytes(), b"/", name.as_bytes()].concat())
        })?;
        // The file gets these bits but for the umask's: at no moment more than were asked for.
        file::set_mode(fd, mode)?;
        socket::bind(fd, &path)?;
        // From here on there is something to take away.
        let mut private = Self { directory, name, identity: Identity::default() };
        directory::set_mode(directory, &private.name, mode)?;
        let found = directory::point_to(Some(directory), &private.name, false)?;
        private.identity = file::stat(found.as_fd())?.identity;
        Ok(private)
    }
}

impl Drop for Private<'_> {
    fn drop(&mut self) {
        // Where it was renamed there is nothing any more.
        let _ = directory::unlink(self.directory, &self.name);
    }
}

/// The lock on a directory; given back when this goes.
struct Lock(OwnedFd);

impl Lock {
    fn new(directory: BorrowedFd, doing: &str) -> Result<Self> {
        let lock = Self(directory::reopen(directory).map_err(|errno| failed(errno, doing))?);
        let tried =
            polling(Deadline::after(LOCKED), libc::EAGAIN, || doing.to_owned(), || directory::try_lock(lock.0.as_fd()));
        tried.map_err(|error| match error.errno() {
            libc::ETIMEDOUT => {
                let why = "somebody has locked the directory, and so whether the name is stale can't be told";
                Error::new(libc::EBUSY, format!("{doing}: {why}"))
            }
            _ => error,
        })?;
        Ok(lock)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        directory::unlock(self.0.as_fd());
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.owner != process::id() {
            return;
        }
        // Without the lock, the file could be replaced between the look and the unlink. What can't be locked is left: it is stale.
        let Ok(lock) = directory::reopen(self.directory.as_fd()).map(Lock) else { return };
        if directory::try_lock(lock.0.as_fd()).is_err() {
            return;
        }
        let found = directory::point_to(Some(self.directory.as_fd()), &self.name, false);
        if found.and_then(|found| file::stat(found.as_fd())).is_ok_and(|stat| stat.identity == self.identity) {
            let _ = directory::unlink(self.directory.as_fd(), &self.name);
        }
    }
}
