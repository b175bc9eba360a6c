//! Names: how an object's name becomes a path.
//!
//! A queue `orders` is the file `madang.queue.orders` in `/dev/shm` (or `$MADANG_DIR`); a segment `frame` is the
//! plain file `/dev/shm/frame`, the same object as `shm_open("/frame")`.

#![forbid(unsafe_code)]

use std::ffi::{CStr, CString};

use crate::error::{Error, Result};
use crate::sys::process;

/// Where POSIX shared memory lies on Linux (shm_overview(7)).
pub(crate) const SHM: &CStr = c"/dev/shm";

/// What begins the file name of everything that madang sweeps; no segment may be called so.
pub(crate) const PREFIX: &str = "madang.";

/// What follows it in the temporary name of what is being made; then 16 hexadecimal digits.
const NEW: &str = "new.";

/// What the C library puts before a POSIX semaphore's name (sem_overview(7); musl puts nothing).
pub(crate) const SEMAPHORE: &str = if cfg!(target_env = "musl") { "" } else { "sem." };

/// The longest file name that Linux file systems take, in bytes.
const NAME_MAX: usize = 255;

/// A name that was found good, and the file that it stands for.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    name: String,
    directory: CString,
    path: CString,
}

impl Name {
    /// The file of an object with a header; `kind` is as in `madang ls`: "queue".
    pub(crate) fn object(kind: &str, name: &str) -> Result<Self> {
        check(name, &format!("{PREFIX}{kind}."))?;
        let directory = directory()?;
        Self::within(directory, name, &format!("{PREFIX}{kind}.{name}"))
    }

    /// The file of a plain segment.
    pub(crate) fn segment(name: &str) -> Result<Self> {
        check(name, "")?;
        if name.starts_with(PREFIX) {
            let what =
                format!("{name:?}: a segment's name may not begin with \"{PREFIX}\", which madang keeps for itself");
            return Err(Error::new(libc::EINVAL, what));
        }
        Self::within(SHM.to_owned(), name, name)
    }

    /// The file of a POSIX semaphore.
    pub(crate) fn semaphore(name: &str) -> Result<Self> {
        check(name, SEMAPHORE)?;
        Self::within(SHM.to_owned(), name, &format!("{SEMAPHORE}{name}"))
    }

    fn within(directory: CString, name: &str, file: &str) -> Result<Self> {
        let path = join(&directory, file.as_bytes());
        Ok(Self { name: name.to_owned(), directory, path })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.name
    }

    pub(crate) fn directory(&self) -> &CStr {
        &self.directory
    }

    pub(crate) fn path(&self) -> &CStr {
        &self.path
    }

    /// A private name beside this one, for a file that is not whole yet; `gc` sweeps what a death left there.
    pub(crate) fn temporary(&self) -> CString {
        join(&self.directory, format!("{PREFIX}{NEW}{:016x}", process::random()).as_bytes())
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{:?}", self.name)
    }
}

/// Whether a file's name is one that [`Name::temporary`] gives.
pub(crate) fn is_temporary(file: &[u8]) -> bool {
    let digits = file.strip_prefix(PREFIX.as_bytes()).and_then(|rest| rest.strip_prefix(NEW.as_bytes()));
    digits.is_some_and(|digits| digits.len() == 16 && digits.iter().all(u8::is_ascii_hexdigit))
}

/// The path of a file, whose name has no NUL in it, in a directory.
pub(crate) fn join(directory: &CStr, file: &[u8]) -> CString {
    CString::new([directory.to_bytes(), b"/", file].concat()).expect("a checked name has no NUL byte in it")
}

/// `MADANG_DIR` if it is set, else `/dev/shm`.
pub(crate) fn directory() -> Result<CString> {
    match process::variable(c"MADANG_DIR") {
        None => Ok(SHM.to_owned()),
        Some(directory) if directory.to_bytes().starts_with(b"/") => Ok(directory.to_owned()),
        Some(directory) => {
            let what =
                format!("MADANG_DIR is {directory:?}: it must be the absolute path of a directory, best on a tmpfs");
            Err(Error::new(libc::EINVAL, what))
        }
    }
}

/// A POSIX message queue's name as the kernel wants it: it has no path, but its rules are those of a file's name.
pub(crate) fn message_queue(name: &str) -> Result<CString> {
    check(name, "")?;
    CString::new(name).map_err(|_| Error::new(libc::EINVAL, "a name has no NUL in it"))
}

/// A name is 1 to 255 bytes (with what madang puts before it), any but `/` and NUL, and neither `.` nor `..`.
fn check(name: &str, prefix: &str) -> Result<()> {
    if name.is_empty() {
        return Err(Error::new(libc::EINVAL, "the name is empty: give it at least one character"));
    }
    if name.contains('/') {
        let what = format!("{name:?}: a name has no '/' in it (what shm_open(3) calls \"/frame\" is \"frame\" here)");
        return Err(Error::new(libc::EINVAL, what));
    }
    if name.contains('\0') || name == "." || name == ".." {
        return Err(Error::new(libc::EINVAL, format!("{name:?} can't be the name of a file")));
    }
    let longest = NAME_MAX - prefix.len();
    if name.len() > longest {
        let what = format!("a name of {} bytes: it may have {longest} at most", name.len());
        return Err(Error::new(libc::ENAMETOOLONG, what));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_lies_under_its_kind() {
        let name = Name::object("queue", "orders").unwrap();
        assert!(name.path().to_str().unwrap().ends_with("/madang.queue.orders"));
        assert_eq!(name.as_str(), "orders");
    }

    #[test]
    fn a_temporary_name_is_known_as_one() {
        let path = Name::object("queue", "orders").unwrap().temporary();
        let file = path.to_bytes().rsplit(|&byte| byte == b'/').next().unwrap();
        assert!(is_temporary(file), "{path:?}");
        for other in
            ["madang.new.0123456789abcde", "madang.new.0123456789abcdeg", "madang.queue.0123456789abcdef", "new"]
        {
            assert!(!is_temporary(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn bad_names_say_why() {
        for bad in ["", "/x", "a/b", "nul\0", ".", ".."] {
            assert_eq!(Name::segment(bad).unwrap_err().errno(), libc::EINVAL, "{bad:?}");
        }
        assert_eq!(Name::segment("madang.queue.x").unwrap_err().errno(), libc::EINVAL);
        assert_eq!(Name::object("queue", &"n".repeat(243)).unwrap_err().errno(), libc::ENAMETOOLONG);
        assert!(Name::object("queue", &"n".repeat(242)).is_ok());
    }
}
