//! Memory without a name that can be sealed: memfd_create(2). The safe way between processes that don't trust each other.
//!
//! It is handed on by its descriptor: to a child, or over a Unix socket. Who receives one from a stranger asks for the seals that he needs,
//! [`Seals::SHRINK`] above all; else the sender could truncate it under his hands, which is SIGBUS.

#![forbid(unsafe_code)]

use std::ffi::CString;
use std::fmt;
use std::ops::{BitOr, BitOrAssign};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::posix::shm::range;
use super::space;
use crate::error::{Error, Result};
use crate::mapping::Mapping;
use crate::sys::{Errno, file, memfd};

/// The longest name, in bytes: `/proc` puts `memfd:` before it.
const LONGEST_NAME: usize = 249;

/// What can't be done to a memfd any more, by anybody: a set, made with `|` (fcntl(2), "File Sealing").
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Seals(u32);

impl Seals {
    /// None.
    pub const NONE: Self = Self(0);
    /// No seals can be added.
    pub const SEAL: Self = Self(libc::F_SEAL_SEAL as u32);
    /// It can't be made smaller: touching it is no risk.
    pub const SHRINK: Self = Self(libc::F_SEAL_SHRINK as u32);
    /// It can't be made larger.
    pub const GROW: Self = Self(libc::F_SEAL_GROW as u32);
    /// It can't be written. Can be added only while it is not mapped to be written.
    pub const WRITE: Self = Self(libc::F_SEAL_WRITE as u32);
    /// It can't be written but through mappings that are there already (from Linux 5.1 on).
    pub const FUTURE_WRITE: Self = Self(libc::F_SEAL_FUTURE_WRITE as u32);
    /// Whether it may be executed can't be changed (from Linux 6.3 on).
    pub const EXEC: Self = Self(libc::F_SEAL_EXEC as u32);

    const NAMES: [(Self, &str); 6] = [
        (Self::SEAL, "SEAL"),
        (Self::SHRINK, "SHRINK"),
        (Self::GROW, "GROW"),
        (Self::WRITE, "WRITE"),
        (Self::FUTURE_WRITE, "FUTURE_WRITE"),
        (Self::EXEC, "EXEC"),
    ];

    /// The seals of these bits, which are those of `F_ADD_SEALS`.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// Their bits, which are those of `F_GET_SEALS`.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether all of `others` are among them.
    #[must_use]
    pub const fn contains(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }
}

impl BitOr for Seals {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Seals {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// As `SHRINK | GROW`.
impl fmt::Display for Seals {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let mut names: Vec<String> = Vec::new();
        let mut rest = *self;
        for (seal, name) in Self::NAMES {
            if self.contains(seal) {
                names.push(name.to_owned());
                rest = rest.without(seal);
            }
        }
        if rest.0 != 0 {
            names.push(format!("{:#x}", rest.0));
        }
        f.write_str(if names.is_empty() { "none" } else { "" })?;
        f.write_str(&names.join(" | "))
    }
}

impl fmt::Debug for Seals {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Seals({self})")
    }
}

/// How a memfd is made; made by [`Memfd::options`].
#[derive(Clone, Debug, Default)]
pub struct MemfdOptions {
    size: u64,
    executable: bool,
    huge_pages: Option<u64>,
}

impl MemfdOptions {
    /// Its size in bytes; by default 0. Memory is taken as it is touched, not before: nothing but the machine's (or the container's) limits
    /// it, at whose end somebody is killed, not refused.
    #[must_use]
    pub fn size(mut self, bytes: u64) -> Self {
        self.size = bytes;
        self
    }

    /// Whether it may be executed. By default it may not, and is sealed so, where the kernel knows that (from Linux 6.3 on).
    #[must_use]
    pub fn executable(mut self, yes: bool) -> Self {
        self.executable = yes;
        self
    }

    /// Lets it lie in huge pages of so many bytes, 0 for the machine's default size; its size is a multiple of that. The machine must have
    /// some: `/proc/sys/vm/nr_hugepages`; they are taken at once.
    #[must_use]
    pub fn huge_pages(mut self, page_size: u64) -> Self {
        self.huge_pages = Some(page_size);
        self
    }

    /// Makes one. `name`, up to 249 bytes, is for people: it is seen in `/proc/PID/fd` and `/proc/PID/maps`, and need not be unique.
    /// Doesn't wait.
    ///
    /// # Errors
    /// `ENOSPC` or `ENOMEM` for want of huge pages; `EINVAL` for a bad name, or where a size is no multiple of the
    /// huge pages'; `ENODEV` or `ENOTSUP` where there are none of that size; `EACCES` for one that may be executed where `vm.memfd_noexec`
    /// forbids it; `EFBIG`, `EMFILE`, `ENFILE`.
    #[doc(alias = "memfd_create")]
    pub fn create(&self, name: &str) -> Result<Memfd> {
        let doing = format!("memfd_create {name:?}");
        if name.len() > LONGEST_NAME {
            let what = format!("memfd_create: a name of {} bytes: it may have {LONGEST_NAME} at most", name.len());
            return Err(Error::new(libc::EINVAL, what));
        }
        let path = CString::new(name).map_err(|_| Error::new(libc::EINVAL, format!("{doing}: a NUL in the name")))?;
        let huge = self.huge_flags(&doing)?;
        let execution = if self.executable { memfd::EXEC } else { memfd::NOEXEC_SEAL };
        let made = match memfd::create(&path, huge | execution) {
            // A kernel that doesn't know the one nor the other.
            Err(Errno(libc::EINVAL)) => memfd::create(&path, huge),
            made => made,
        };
        let fd = made.map_err(|errno| self.cannot(errno, &doing))?;
        let sized = match self.huge_pages {
            None => file::set_size(fd.as_fd(), self.size),
            // There are so many, and no more.
            Some(_) => space::resize(fd.as_fd(), 0, self.size),
        };
        sized.map_err(|errno| self.cannot(errno, &doing))?;
        Ok(Memfd { fd, is_writable: true })
    }

    fn huge_flags(&self, doing: &str) -> Result<u32> {
        match self.huge_pages {
            None => Ok(0),
            Some(0) => Ok(memfd::HUGETLB),
            Some(size) if size.is_power_of_two() => Ok(memfd::HUGETLB | size.ilog2() << memfd::HUGE_SHIFT),
            Some(size) => {
                Err(Error::new(libc::EINVAL, format!("{doing}: huge pages of {size} bytes: it is a power of two")))
            }
        }
    }

    #[cold]
    fn cannot(&self, errno: Errno, doing: &str) -> Error {
        let size = self.size;
        errno.during(match (errno.0, self.huge_pages) {
            (libc::ENOSPC | libc::ENOMEM, Some(_)) => {
                format!("{doing}: no {size} bytes in huge pages: root reserves them by /proc/sys/vm/nr_hugepages")
            }
            (libc::EINVAL, Some(_)) => {
                format!("{doing}: {size} bytes in huge pages: it must be a multiple of their size; or there are none of that size")
            }
            (libc::ENODEV | libc::EOPNOTSUPP, Some(_)) => format!("{doing}: this machine has no huge pages of that size"),
            (libc::EACCES, _) if self.executable => {
                format!("{doing}: the sysctl vm.memfd_noexec forbids one that may be executed")
            }
            _ => format!("{doing}, {size} bytes"),
        })
    }
}

/// Memory without a name in any directory, which lives as long as somebody has it open or mapped (memfd_create(2)).
///
/// Fill it, seal it, hand its descriptor on: what the seals say then holds for everybody, for ever.
///
/// ```
/// use madang::memfd::{Memfd, Seals};
/// use std::os::fd::OwnedFd;
///
/// let memory = Memfd::options().size(4096).create("frame")?;
/// memory.map(0, 4096, true)?.write(0, b"hello")?;
/// memory.seal(Seals::SHRINK | Seals::GROW | Seals::WRITE | Seals::SEAL)?;
///
/// // The receiver, in another process, checks the seals, and need not trust the sender:
/// let received = Memfd::from_fd(OwnedFd::from(memory), Seals::WRITE)?;
/// let mut bytes = [0; 5];
/// received.map(0, 0, false)?.read(0, &mut bytes)?;
/// assert_eq!(&bytes, b"hello");
/// # Ok::<(), madang::Error>(())
/// ```
#[doc(alias = "memfd_create")]
#[derive(Debug)]
pub struct Memfd {
    fd: OwnedFd,
    is_writable: bool,
}

impl Memfd {
    /// All defaults; change what you need, then [`create`](MemfdOptions::create).
    #[must_use]
    pub fn options() -> MemfdOptions {
        MemfdOptions::default()
    }

    /// One that was received from somebody who need not be trusted: it must be a memfd, and be sealed with `wanted`, and in any case
    /// with [`Seals::SHRINK`], so that touching it is no risk.
    ///
    /// Without [`Seals::WRITE`] the sender may go on writing: copy what you check before you check it. Ask for it too where a memfd may lie in
    /// huge pages: without it the sender could take pages away whose place none is left to fill.
    ///
    /// # Errors
    /// `EPERM` if a seal is missing; `EINVAL` if it is no memfd.
    pub fn from_fd(fd: OwnedFd, wanted: Seals) -> Result<Self> {
        let memory = Self::from_trusted_fd(fd)?;
        let missing = (wanted | Seals::SHRINK).without(memory.seals()?);
        if missing != Seals::NONE {
            let what =
                format!("memfd: it is not sealed with {missing}: its sender could change what was to be relied on");
            return Err(Error::new(libc::EPERM, what));
        }
        Ok(memory)
    }

    /// One that was received from somebody whom one trusts: whoever can write it can truncate it, unless it is sealed, which is
    /// SIGBUS for who then touches what was cut off.
    ///
    /// # Errors
    /// `EINVAL` if it is no memfd.
    pub fn from_trusted_fd(fd: OwnedFd) -> Result<Self> {
        let doing = "memfd of a descriptor";
        let errno = |errno: Errno| errno.during(doing);
        // Any file of a tmpfs has seals to tell of. One that lost its name is let in, but never has the seals that `from_fd` wants.
        let stat = file::stat(fd.as_fd()).map_err(errno)?;
        let seals = memfd::seals(fd.as_fd());
        if seals.is_err() || !stat.is_regular() || stat.links > 0 {
            return Err(Error::new(libc::EINVAL, format!("{doing}: it is not one of a memfd")));
        }
        let is_writable = file::access(fd.as_fd()).map_err(errno)?.1;
        Ok(Self { fd, is_writable })
    }

    /// Its size in bytes, as it is now.
    ///
    /// # Errors
    /// None that is known.
    pub fn size(&self) -> Result<u64> {
        Ok(file::stat(self.fd.as_fd()).map_err(|errno| errno.during("memfd: size"))?.size)
    }

    /// Gives it another size. What is added is zero, and its memory is taken as it is touched.
    ///
    /// # Errors
    /// `EPERM` if it is sealed against that; `EFBIG`; `EINVAL` if its descriptor is read-only, or the size no multiple of
    /// its huge pages'.
    #[doc(alias = "ftruncate")]
    pub fn set_size(&self, size: u64) -> Result<()> {
        file::set_size(self.fd.as_fd(), size).map_err(|errno| {
            let doing = format!("memfd: set its size to {size} bytes");
            errno.during(match errno.0 {
                libc::EPERM => format!("{doing}: it is sealed ({})", self.seals().unwrap_or_default()),
                _ => doing,
            })
        })
    }

    /// What can't be done to it any more.
    ///
    /// # Errors
    /// None that is known.
    #[doc(alias = "F_GET_SEALS")]
    pub fn seals(&self) -> Result<Seals> {
        memfd::seals(self.fd.as_fd()).map(Seals).map_err(|errno| errno.during("memfd: seals"))
    }

    /// Adds seals, which can't be taken away.
    ///
    /// # Errors
    /// `EBUSY` for [`Seals::WRITE`] while it is mapped to be written, in any process; `EPERM` if it is sealed with [`Seals::SEAL`], or
    /// its descriptor is read-only; `EINVAL` for a seal that this kernel doesn't know.
    #[doc(alias = "F_ADD_SEALS")]
    pub fn seal(&self, seals: Seals) -> Result<()> {
        memfd::add_seals(self.fd.as_fd(), seals.0).map_err(|errno| {
            let doing = format!("memfd: seal with {seals}");
            errno.during(match errno.0 {
                libc::EBUSY => format!("{doing}: it is mapped to be written, here or elsewhere: unmap it first"),
                libc::EPERM if !self.is_writable => format!("{doing}: its descriptor is read-only"),
                libc::EPERM => format!("{doing}: it is sealed with {}", self.seals().unwrap_or_default()),
                libc::EINVAL => format!("{doing}: this kernel doesn't know them all"),
                _ => doing,
            })
        })
    }

    /// Maps `length` bytes of it at `offset`, which is a multiple of the page size; a length of 0 means up to its end.
    ///
    /// # Errors
    /// `EINVAL` if they don't lie within it, if it is empty, or for the offset; `EPERM` to write what is sealed with
    /// [`Seals::WRITE`] or [`Seals::FUTURE_WRITE`]; `EACCES` to write where the descriptor is read-only; `ENOMEM`.
    #[doc(alias = "mmap")]
    pub fn map(&self, offset: u64, length: u64, writable: bool) -> Result<Mapping> {
        let doing = "memfd: map";
        let length = range(offset, length, self.size()?, doing)?;
        let mapped = match Mapping::of_file(self.fd.as_fd(), offset, length, writable) {
            // Kernels before 6.7 refuse to share what can't be written, though it is only to be read.
            Err(Errno(libc::EPERM)) if !writable => Mapping::of_unwritable_file(self.fd.as_fd(), offset, length),
            mapped => mapped,
        };
        mapped.map_err(|errno| {
            errno.during(match errno.0 {
                libc::EPERM => format!("{doing} to write: it is sealed ({})", self.seals().unwrap_or_default()),
                libc::EACCES => format!("{doing} to write: its descriptor is read-only"),
                libc::ENOMEM => {
                    format!("{doing}: no {length} bytes; of huge pages there are /proc/sys/vm/nr_hugepages")
                }
                _ => format!("{doing}: mmap of {length} bytes at {offset}"),
            })
        })
    }
}

/// The descriptor: to be handed on.
impl AsFd for Memfd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl From<Memfd> for OwnedFd {
    fn from(memory: Memfd) -> Self {
        memory.fd
    }
}
