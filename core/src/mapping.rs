//! Mapped memory: it has an owner, and goes when the owner goes.

use std::os::fd::BorrowedFd;
use std::ptr::NonNull;

use crate::error::{Error, Result};
use crate::sys::{Errno, memory, sem, sysv};

/// A part of a file, in bytes; both are multiples of 64 KiB, so that any page size can map it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

/// Memory that this process shares with others, mapped for as long as this lives.
///
/// It is what the kernel's primitives give where one maps them: System V and POSIX shared memory, files, memfds. Any thread may
/// use it. What several processes write there at once they must order among themselves: with semaphores, or with
/// atomics on [`data`](Self::data).
///
/// Who may truncate the file behind it may kill with SIGBUS whoever then touches what was cut off (mmap(2)).
#[derive(Debug)]
pub struct Mapping {
    base: NonNull<u8>,
    length: usize,
    writable: bool,
    release: Release,
}

/// What makes the memory go.
#[derive(Clone, Copy, Debug)]
enum Release {
    /// munmap(2).
    Unmap,
    /// shmdt(2): it is System V's.
    Detach,
}

// SAFETY: a mapping is an address and a length; what lies there is shared with other processes anyway, and is
// only reached through atomics or through copies that the protocols above order.
unsafe impl Send for Mapping {}
// SAFETY: as for Send.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// `length` bytes of the file at `offset`, which is a multiple of the page size.
    pub(crate) fn of_file(
        fd: BorrowedFd,
        offset: u64,
        length: u64,
        writable: bool,
    ) -> std::result::Result<Self, Errno> {
        let length = usize::try_from(length).map_err(|_| Errno(libc::ENOMEM))?;
        let base = memory::map_file(fd, offset, length, writable)?;
        Ok(Self { base, length, writable, release: Release::Unmap })
    }

    /// As [`of_file`](Self::of_file), only to be read, of a file that nobody can write: some kernels refuse to map one shared.
    pub(crate) fn of_unwritable_file(fd: BorrowedFd, offset: u64, length: u64) -> std::result::Result<Self, Errno> {
        let length = usize::try_from(length).map_err(|_| Errno(libc::ENOMEM))?;
        Ok(Self {
            base: memory::map_file_privately(fd, offset, length)?,
            length,
            writable: false,
            release: Release::Unmap,
        })
    }

    /// The given parts of the file, one after the other; a part may come twice.
    pub(crate) fn of_parts(fd: BorrowedFd, parts: &[Part]) -> std::result::Result<Self, Errno> {
        let length = parts.iter().try_fold(0u64, |sum, part| sum.checked_add(part.length));
        let length = length.and_then(|sum| usize::try_from(sum).ok()).ok_or(Errno(libc::ENOMEM))?;
        let mapping = Self { base: memory::reserve(length)?, length, writable: true, release: Release::Unmap };
        let mut at = 0;
        for part in parts.iter().filter(|part| part.length > 0) {
            let length = part.length as usize;
            // SAFETY: `at + length` stays within the range that was just reserved, which nobody else knows.
            unsafe { memory::map_file_at(mapping.base.byte_add(at), fd, part.offset, length)? };
            at += length;
        }
        Ok(mapping)
    }

    /// The System V segment `id`, of `length` bytes: attached with shmat(2)'s flags, at the address that is not 0 if it is free.
    pub(crate) fn of_sysv(id: i32, length: usize, address: usize, flags: i32) -> std::result::Result<Self, Errno> {
        let base = sysv::shm_attach(id, address, flags)?;
        Ok(Self { base, length, writable: flags & libc::SHM_RDONLY == 0, release: Release::Detach })
    }

    /// Where its first byte lies. Valid while this lives, for [`len`](Self::len) bytes; page-aligned. Other processes may write
    /// there at any time.
    #[must_use]
    pub fn data(&self) -> NonNull<u8> {
        self.base
    }

    /// The length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Never true: nothing can't be mapped.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Whether it may be written.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.writable
    }

    /// Copies `from` to `offset`.
    ///
    /// # Errors
    /// `EINVAL` if it would not lie within; `EACCES` if it may only be read. Then nothing is written.
    pub fn write(&self, offset: usize, from: &[u8]) -> Result<()> {
        if !self.writable {
            return Err(Error::new(libc::EACCES, "write: it was opened read-only"));
        }
        self.check("write", offset, from.len())?;
        // SAFETY: the range lies within the mapping, which `from`, a Rust slice, can't overlap.
        unsafe { self.base.byte_add(offset).copy_from_nonoverlapping(NonNull::from(from).cast(), from.len()) };
        Ok(())
    }

    /// Fills `to` with what lies at `offset`.
    ///
    /// # Errors
    /// `EINVAL` if it would not lie within.
    pub fn read(&self, offset: usize, to: &mut [u8]) -> Result<()> {
        self.check("read", offset, to.len())?;
        let length = to.len();
        // SAFETY: as in `write`, in the other direction.
        unsafe { self.base.byte_add(offset).copy_to_nonoverlapping(NonNull::from(to).cast(), length) };
        Ok(())
    }

    /// Writes what was changed to the file that is mapped, if it is one, and waits until it is there (msync(2), `MS_SYNC`): it is
    /// safe then from a power failure. Other processes see changes anyway, at once.
    ///
    /// # Errors
    /// `EIO` if it can't be written.
    #[doc(alias = "msync")]
    pub fn sync(&self) -> Result<()> {
        self.sync_part(0, self.length)
    }

    /// As [`sync`](Self::sync), of so many bytes at `offset`; in pages.
    ///
    /// # Errors
    /// `EINVAL` if they don't lie within; `EIO`.
    pub fn sync_part(&self, offset: usize, length: usize) -> Result<()> {
        self.check("sync", offset, length)?;
        // SAFETY: just checked.
        unsafe { memory::sync(self.base.byte_add(offset), length) }
            .map_err(|errno| errno.during(format!("sync {length} bytes of a mapping: msync")))
    }

    /// The semaphore of the C library's that lies at `offset`, or whose place is there.
    pub(crate) fn semaphore(&self, offset: usize) -> Result<&sem::Semaphore> {
        const SIZE: usize = size_of::<sem::Semaphore>();
        const ALIGNMENT: usize = align_of::<sem::Semaphore>();
        if !self.writable {
            return Err(Error::new(
                libc::EACCES,
                "a semaphore needs memory that may be written, and this is read-only",
            ));
        }
        self.check("a semaphore", offset, SIZE)?;
        // The base is aligned to a page.
        if !offset.is_multiple_of(ALIGNMENT) {
            let what = format!("a semaphore at {offset}: its offset must be a multiple of {ALIGNMENT}");
            return Err(Error::new(libc::EINVAL, what));
        }
        // SAFETY: it lies within the mapping, aligned, and any bytes are a semaphore; what others do there meanwhile
        // the type's cell allows for.
        Ok(unsafe { self.base.byte_add(offset).cast().as_ref() })
    }

    fn check(&self, verb: &str, offset: usize, length: usize) -> Result<()> {
        let has = self.length;
        if offset.checked_add(length).is_none_or(|end| end > has) {
            let what = format!("{verb}: {length} bytes at {offset} don't lie within its {has}");
            return Err(Error::new(libc::EINVAL, what));
        }
        Ok(())
    }
}

impl AsRef<Mapping> for Mapping {
    fn as_ref(&self) -> &Mapping {
        self
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        match self.release {
            // SAFETY: the mapping is ours, and whatever points into it is borrowed from an owner that drops us.
            Release::Unmap => unsafe { memory::unmap(self.base, self.length) },
            // SAFETY: as above.
            Release::Detach => unsafe { sysv::shm_detach(self.base) },
        }
    }
}
