//! `madang_memfd_*`: memory without a name that can be sealed, for C.

use std::ffi::{c_char, c_int};
use std::os::fd::{AsFd, AsRawFd};

use madang_core::memfd::{Memfd, MemfdOptions, Seals};

use crate::error::{Failure, Result, call};
use crate::handle::{Handle, shell};
use crate::kernel::mapping::madang_mapping;
use crate::pointer::{self, Place};
use crate::shared::{MADANG_READ_ONLY, option_flags};

/// Seal of a memfd: no seals can be added. The seals' numbers are those of fcntl(2).
pub const MADANG_SEAL_SEAL: u32 = 1;
/// Seal of a memfd: it can't be made smaller, so touching it is no risk.
pub const MADANG_SEAL_SHRINK: u32 = 2;
/// Seal of a memfd: it can't be made larger.
pub const MADANG_SEAL_GROW: u32 = 4;
/// Seal of a memfd: it can't be written. Can be added only while it is not mapped to be written.
pub const MADANG_SEAL_WRITE: u32 = 8;
/// Seal of a memfd: it can't be written but through mappings that are there already (from Linux 5.1
/// on).
pub const MADANG_SEAL_FUTURE_WRITE: u32 = 16;
/// Seal of a memfd: whether it may be executed can't be changed (from Linux 6.3 on).
pub const MADANG_SEAL_EXEC: u32 = 32;

const _: () = {
    assert!(MADANG_SEAL_SEAL == Seals::SEAL.bits() && MADANG_SEAL_SHRINK == Seals::SHRINK.bits());
    assert!(MADANG_SEAL_GROW == Seals::GROW.bits() && MADANG_SEAL_WRITE == Seals::WRITE.bits());
    assert!(MADANG_SEAL_FUTURE_WRITE == Seals::FUTURE_WRITE.bits() && MADANG_SEAL_EXEC == Seals::EXEC.bits());
};

/// Option flag of memfds: it may be executed. Without it, it may not, and is sealed so, where the
/// kernel knows that (from Linux 6.3 on).
pub const MADANG_MEMFD_EXECUTABLE: u32 = 1 << 15;

/// Option flag of memfds: it lies in huge pages, of huge_page_size bytes. The machine must have
/// some: /proc/sys/vm/nr_hugepages.
pub const MADANG_MEMFD_HUGE_PAGES: u32 = 1 << 16;

/// How a memfd is made: struct_size, and what shall not be the default.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct madang_memfd_options {
    /// sizeof(madang_memfd_options)
    pub struct_size: u32,
    /// 0, MADANG_MEMFD_EXECUTABLE, MADANG_MEMFD_HUGE_PAGES, or both with |
    pub flags: u32,
    /// Bytes. Default 0. Memory is taken as it is touched (huge pages at once): nothing but the
    /// machine's limits it, at whose end somebody is killed, not refused.
    pub size: u64,
    /// With MADANG_MEMFD_HUGE_PAGES: the size of a huge page, which is a power of 2 and divides
    /// size. Default: the machine's.
    pub huge_page_size: u64,
}

impl madang_memfd_options {
    fn to_core(self) -> Result<MemfdOptions> {
        let known = [
            (MADANG_MEMFD_EXECUTABLE, "MADANG_MEMFD_EXECUTABLE"),
            (MADANG_MEMFD_HUGE_PAGES, "MADANG_MEMFD_HUGE_PAGES"),
        ];
        let [executable, huge_pages] = option_flags(self.flags, known)?;
        let options = Memfd::options().size(self.size).executable(executable);
        match (huge_pages, self.huge_page_size) {
            (true, size) => Ok(options.huge_pages(size)),
            (false, 0) => Ok(options),
            (false, _) => {
                Err(Failure::misuse(libc::EINVAL, "huge_page_size is set, but not the flag MADANG_MEMFD_HUGE_PAGES"))
            }
        }
    }
}

/// Memory without a name in any directory, which lives as long as somebody has it open or mapped
/// (memfd_create(2)).
///
/// Fill it, seal it, hand its descriptor on, to a child or over a Unix socket: what the seals say
/// then holds for everybody, for ever. It is the safe way between processes that don't trust each
/// other.
pub struct madang_memfd {
    handle: Handle<Memfd>,
}

shell!(madang_memfd, Memfd, b"memf", "memfd");

/// Makes a memfd, all 0. name, up to 249 bytes of UTF-8, is for people, who see it in /proc/PID/fd;
/// it need not be unique. options may be NULL: then it is empty. *memfd is written only on success;
/// give it to madang_memfd_close() in the end. Its descriptor is close-on-exec.
///
/// Returns 0, or
///   -EINVAL   a bad name, flag or struct_size; or size is no multiple of the huge page's
///   -ENOSPC, -ENOMEM
///             not so many huge pages
///   -ENODEV, -ENOTSUP
///             no huge pages of that size
///   -EACCES   MADANG_MEMFD_EXECUTABLE, and the sysctl vm.memfd_noexec forbids it
///   -EFBIG    size is more than a file may have
///   -E2BIG    options sets a field that this version doesn't have
///   -EFAULT   name or memfd is NULL
///   -EMFILE, -ENFILE
///             as with memfd_create(2)
///
/// Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_memfd_create(
    name: *const c_char,
    options: *const madang_memfd_options,
    memfd: *mut *mut madang_memfd,
) -> c_int {
    call("madang_memfd_create", || {
        let place = Place::new(memfd)?;
        let name = pointer::text(name)?;
        place.put(pointer::options(options)?.to_core()?.create(name)?, name);
        Ok(0)
    })
}

/// Opens a memfd that came from somebody who need not be trusted: fd must be one of a memfd, and
/// that be sealed with the seals, MADANG_SEAL_GROW and its like with |, and in any case with
/// MADANG_SEAL_SHRINK, so that touching it is no risk. Without MADANG_SEAL_WRITE the sender may go
/// on writing: copy what you check before you check it.
///
/// fd belongs to the memfd then, and its number may be another file's; if the call fails, it stays
/// the caller's. *memfd is written only on success; give it to madang_memfd_close() in the end.
///
/// Returns 0; -EPERM if a seal is missing; -EINVAL if it is no memfd; -EBADF if it is no
/// descriptor; -EMFILE; -EFAULT if memfd is NULL. Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_memfd_from_fd(fd: c_int, seals: u32, memfd: *mut *mut madang_memfd) -> c_int {
    call("madang_memfd_from_fd", || {
        let place = Place::new(memfd)?;
        place.put_nameless(pointer::take_over(fd, |fd| Ok(Memfd::from_fd(fd, Seals::from_bits(seals))?))?);
        Ok(0)
    })
}

/// As madang_memfd_from_fd(), from somebody who is trusted: no seals are asked for. Who can write
/// it can then truncate it, which is SIGBUS for who touches what was cut off.
#[unsafe(no_mangle)]
pub extern "C" fn madang_memfd_from_trusted_fd(fd: c_int, memfd: *mut *mut madang_memfd) -> c_int {
    call("madang_memfd_from_trusted_fd", || {
        let place = Place::new(memfd)?;
        place.put_nameless(pointer::take_over(fd, |fd| Ok(Memfd::from_trusted_fd(fd)?))?);
        Ok(0)
    })
}

/// The memfd's size in bytes, as it is now.
///
/// Returns 0 or more; -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any
/// thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_memfd_size(memfd: *const madang_memfd) -> i64 {
    call("madang_memfd_size", || Ok(pointer::opened(memfd)?.size()?.cast_signed()))
}

/// Gives the memfd another size, in bytes. What is added is 0, and memory is taken as it is
/// touched.
///
/// Returns 0; -EPERM if it is sealed against that; -EFBIG; -EINVAL if its descriptor is read-only,
/// or size no multiple of its huge pages'; -EBADF if the handle was closed, -EFAULT if it is NULL.
/// Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_memfd_set_size(memfd: *mut madang_memfd, size: u64) -> c_int {
    call("madang_memfd_set_size", || {
        pointer::opened(memfd)?.set_size(size)?;
        Ok(0)
    })
}

/// The seals that the memfd has: MADANG_SEAL_SHRINK and its like, with |.
///
/// Returns 0 or more; -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any
/// thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_memfd_seals(memfd: *const madang_memfd) -> c_int {
    call("madang_memfd_seals", || Ok(pointer::opened(memfd)?.seals()?.bits().cast_signed()))
}

/// Adds seals to the memfd, MADANG_SEAL_SHRINK and its like with |. They can't be taken away.
///
/// Returns 0, or
///   -EBUSY   MADANG_SEAL_WRITE while it is mapped to be written, in any process
///   -EPERM   it is sealed with MADANG_SEAL_SEAL, or its descriptor is read-only
///   -EINVAL  this kernel doesn't know a seal
///   -EBADF   the handle was closed
///   -EFAULT  it is NULL
///
/// Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_memfd_seal(memfd: *mut madang_memfd, seals: u32) -> c_int {
    call("madang_memfd_seal", || {
        pointer::opened(memfd)?.seal(Seals::from_bits(seals))?;
        Ok(0)
    })
}

/// Maps length bytes of the memfd at offset, which is a multiple of the page size; length 0 means
/// up to its end. flags: 0 or MADANG_READ_ONLY. *mapping is written only on success; it stays
/// whatever becomes of the memfd's handle, until madang_mapping_close().
///
/// Returns 0, or
///   -EINVAL  they don't lie within it, it is empty, the offset, or a flag
///   -EPERM   it is to be written, and is sealed with MADANG_SEAL_WRITE or _FUTURE_WRITE
///   -EACCES  it is to be written, and its descriptor is read-only
///   -ENOMEM  as with mmap(2); or not so many huge pages
///   -EBADF   the handle was closed
///   -EFAULT  a pointer is NULL
///
/// Doesn't wait. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_memfd_map(
    memfd: *mut madang_memfd,
    offset: u64,
    length: u64,
    flags: u32,
    mapping: *mut *mut madang_mapping,
) -> c_int {
    call("madang_memfd_map", || {
        let place = Place::new(mapping)?;
        let [read_only] = option_flags(flags, [(MADANG_READ_ONLY, "MADANG_READ_ONLY")])?;
        place.put_nameless(pointer::opened(memfd)?.map(offset, length, !read_only)?);
        Ok(0)
    })
}

/// The memfd's descriptor: to be handed on. It is the handle's, and must not be closed.
///
/// Returns 0 or more; -EBADF if the handle was closed, -EFAULT if it is NULL. Doesn't wait. Any
/// thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_memfd_fd(memfd: *const madang_memfd) -> c_int {
    call("madang_memfd_fd", || Ok(pointer::opened(memfd)?.as_fd().as_raw_fd()))
}

/// Closes the handle; what was mapped by it stays. No other thread may be inside a call with it.
///
/// Returns 0; -EBADF if it was closed before, -EFAULT if it is NULL. Doesn't wait.
#[unsafe(no_mangle)]
pub extern "C" fn madang_memfd_close(memfd: *mut madang_memfd) -> c_int {
    call("madang_memfd_close", || pointer::close(memfd).map(|()| 0))
}
