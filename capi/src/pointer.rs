//! The one file that follows C's pointers, and the only one here with `unsafe` blocks (but `shared/sysv.rs`, which passes them on).
//!
//! **The contract**, as the header's prologue gives it to the C reader: a pointer that is not NULL points to what its type
//! says, and to as many bytes as the length beside it or the `struct_size` in it says; during the call nobody changes
//! what is read there, and nobody else touches what is written there; what is copied from or to a segment doesn't lie in it;
//! a handle came from the open of some kind, nobody is inside when it is closed, and it is not used after so many others were
//! closed that it has left quarantine. (The bytes of a lease or a reservation are the caller's as any others: no call of madang's
//! touches them but those that he passes them to.)
//!
//! What can be checked is checked: NULL (`EFAULT`), closed handles (`EBADF`), lengths and `struct_size` that can't be true
//! (`EINVAL`). References made here live for the call.
//!
//! **Structs grow at their end.** An older program's is shorter: what it doesn't have is 0, the default, or not filled. A
//! newer program's is longer: what this version doesn't know must be 0 in a struct that is read (else `E2BIG`, as with
//! openat2(2)), and becomes 0 in one that is filled.

use std::borrow::Cow;
use std::ffi::{CStr, CString, OsStr, c_char, c_int, c_void};
use std::mem::{ManuallyDrop, MaybeUninit};
use std::ops::Deref;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::{AtomicU32, Ordering};

use libc::iovec;
use madang_core::Segment;
use madang_core::sysv::sem::Op;

use crate::error::{Failure, Result};
use crate::handle::{Handle, Shell};
use crate::kernel::fifo::madang_fifo_options;
use crate::kernel::file::{madang_file_holder, madang_file_options};
use crate::kernel::memfd::madang_memfd_options;
use crate::kernel::pipe::madang_pipe_options;
use crate::kernel::posix::madang_posix_listed;
use crate::kernel::posix::mq::{madang_posix_mq_options, madang_posix_mq_status};
use crate::kernel::posix::sem::{madang_posix_sem_options, madang_posix_sem_status};
use crate::kernel::posix::shm::{madang_posix_shm_options, madang_posix_shm_status};
use crate::kernel::signal::madang_signal_info;
use crate::kernel::socket::{madang_socket_listener_options, madang_socket_message, madang_socket_peer};
use crate::kernel::sysv::madang_sysv_change;
use crate::kernel::sysv::msg::{madang_sysv_msg_limits, madang_sysv_msg_options, madang_sysv_msg_status};
use crate::kernel::sysv::sem::{
    MADANG_SYSV_NO_WAIT, MADANG_SYSV_UNDO, madang_sysv_sem_limits, madang_sysv_sem_op, madang_sysv_sem_options,
    madang_sysv_sem_status,
};
use crate::kernel::sysv::shm::{
    madang_sysv_shm_attach_options, madang_sysv_shm_limits, madang_sysv_shm_options, madang_sysv_shm_status,
};
use crate::shared::left_over::madang_left_over;
use crate::shared::list::madang_listed;
use crate::shared::queue::{
    madang_item, madang_message, madang_participant, madang_queue_options, madang_queue_status,
};
use crate::shared::segment::madang_segment_options;
use crate::shared::semaphore_set::{madang_semaphore_set_options, madang_semaphore_set_status};
use crate::shared::sync::madang_sync_options;

/// No struct of madang's will be longer; what says so was not initialised.
const LONGEST_STRUCT: usize = 512;

#[cold]
#[inline(never)]
fn null(what: &str) -> Failure {
    Failure::misuse(libc::EFAULT, format!("{what} is NULL"))
}

/// A name of the caller's.
pub(crate) fn text<'a>(at: *const c_char) -> Result<&'a str> {
    text_called(at, "name")
}

/// A text of the caller's, and what the function calls it.
pub(crate) fn text_called<'a>(at: *const c_char, what: &str) -> Result<&'a str> {
    if at.is_null() {
        return Err(null(what));
    }
    // SAFETY: by the contract, a C string that stays as it is for the call.
    let text = unsafe { CStr::from_ptr(at) };
    text.to_str().map_err(|_| Failure::misuse(libc::EINVAL, format!("the {what} {text:?} is not UTF-8")))
}

/// Descriptors of the caller's, to be used during the call.
pub(crate) fn descriptors<'a>(at: *const c_int, count: usize) -> Result<Vec<BorrowedFd<'a>>> {
    let fds = array(at, count, "fds")?;
    if let Some(index) = fds.iter().position(|&fd| fd < 0) {
        return Err(Failure::misuse(libc::EBADF, format!("fds[{index}] is {}", fds[index])));
    }
    // SAFETY: not -1; by the contract nobody closes them during the call, and one that isn't open is only an error.
    Ok(fds.iter().map(|&fd| unsafe { BorrowedFd::borrow_raw(fd) }).collect())
}

/// A place of the caller's for numbers, which need not be initialised.
#[derive(Clone, Copy)]
pub(crate) struct Numbers<T> {
    at: NonNull<T>,
    count: usize,
}

impl<T: Copy> Numbers<T> {
    /// NULL is as good as any place for none.
    pub(crate) fn new(at: *mut T, count: usize, what: &str) -> Result<Self> {
        let at = place_of(at.cast(), count.saturating_mul(size_of::<T>()), what)?.cast();
        Ok(Self { at, count })
    }

    /// As many of them as there is room for.
    pub(crate) fn fill(self, values: impl IntoIterator<Item = T>) {
        for (index, value) in values.into_iter().take(self.count).enumerate() {
            // SAFETY: by the contract there is room for `count`, which nobody else touches during the call.
            unsafe { self.at.add(index).write(value) };
        }
    }
}

/// Copies bytes to the beginning of a place of the caller's, as far as there is room.
pub(crate) fn copy_bytes(from: &[u8], to: &mut [MaybeUninit<u8>]) {
    to.iter_mut().zip(from).for_each(|(to, &from)| {
        to.write(from);
    });
}

/// The path of a file.
pub(crate) fn path<'a>(at: *const c_char) -> Result<&'a Path> {
    if at.is_null() {
        return Err(null("path"));
    }
    // SAFETY: by the contract, a C string that stays as it is for the call.
    Ok(Path::new(OsStr::from_bytes(unsafe { CStr::from_ptr(at) }.to_bytes())))
}

/// Where one number of the caller's is to be put.
#[derive(Clone, Copy)]
pub(crate) struct Slot<T>(NonNull<T>);

impl<T: Copy> Slot<T> {
    pub(crate) fn required(at: *mut T, what: &str) -> Result<Self> {
        Self::optional(at).ok_or_else(|| null(what))
    }

    /// `None` if the caller doesn't care.
    #[inline]
    pub(crate) fn optional(at: *mut T) -> Option<Self> {
        NonNull::new(at).map(Self)
    }

    #[inline]
    pub(crate) fn put(self, value: T) {
        // SAFETY: by the contract a number's place that nobody else touches during the call.
        unsafe { self.0.write(value) };
    }
}

/// Numbers of the caller's to be read. NULL is as good as any place for none.
pub(crate) fn numbers<'a>(at: *const u16, count: usize, what: &str) -> Result<&'a [u16]> {
    array(at, count, what)
}

/// Fills an array of the caller's, which has room for `capacity` numbers, with as many as there is room for.
pub(crate) fn put_numbers(at: *mut u16, capacity: usize, numbers: &[u16], what: &str) -> Result<()> {
    let length = capacity.saturating_mul(size_of::<u16>());
    let at = place_of(at.cast(), length, what)?;
    // SAFETY: by the contract there is room for so many that nobody else touches during the call. As bytes, which lie anywhere.
    unsafe { at.copy_from_nonoverlapping(NonNull::from(numbers).cast(), size_of_val(numbers).min(length)) };
    Ok(())
}

/// Operations of the caller's to be read.
#[inline]
pub(crate) fn operations<'a>(at: *const madang_sysv_sem_op, count: usize) -> Result<&'a [Op]> {
    const {
        use std::mem::offset_of;
        assert!(
            size_of::<Op>() == size_of::<madang_sysv_sem_op>() && align_of::<Op>() == align_of::<madang_sysv_sem_op>()
        );
        assert!(Op::NO_WAIT == MADANG_SYSV_NO_WAIT && Op::UNDO == MADANG_SYSV_UNDO);
        assert!(offset_of!(Op, index) == offset_of!(madang_sysv_sem_op, index));
        assert!(offset_of!(Op, delta) == offset_of!(madang_sysv_sem_op, delta));
        assert!(offset_of!(Op, flags) == offset_of!(madang_sysv_sem_op, flags));
    }
    array(at.cast::<Op>(), count, "operations")
}

/// Bytes of the caller's to be read. NULL is as good as any place for none.
#[inline]
pub(crate) fn bytes<'a>(at: *const c_void, length: usize, what: &str) -> Result<&'a [u8]> {
    let at = place_of(at.cast_mut(), length, what)?;
    // SAFETY: by the contract, `length` bytes that stay as they are for the call.
    Ok(unsafe { slice::from_raw_parts(at.as_ptr(), length) })
}

/// As [`bytes`], for who has no use for the reason.
#[inline]
pub(crate) fn if_bytes<'a>(at: *const c_void, length: usize) -> Option<&'a [u8]> {
    let at = NonNull::new(at.cast_mut().cast::<u8>()).filter(|_| length <= isize::MAX as usize)?;
    // SAFETY: as in `bytes`.
    Some(unsafe { slice::from_raw_parts(at.as_ptr(), length) })
}

/// As [`bytes_mut`], for who has no use for the reason.
#[inline]
pub(crate) fn if_bytes_mut<'a>(at: *mut c_void, length: usize) -> Option<&'a mut [MaybeUninit<u8>]> {
    let at = NonNull::new(at.cast::<MaybeUninit<u8>>()).filter(|_| length <= isize::MAX as usize)?;
    // SAFETY: as in `bytes_mut`.
    Some(unsafe { slice::from_raw_parts_mut(at.as_ptr(), length) })
}

/// Bytes of the caller's to be filled, who need not have initialised them. NULL is as good as any place for none.
#[inline]
pub(crate) fn bytes_mut<'a>(at: *mut c_void, length: usize, what: &str) -> Result<&'a mut [MaybeUninit<u8>]> {
    let at = place_of(at, length, what)?;
    // SAFETY: by the contract, `length` bytes that nobody else touches during the call.
    Ok(unsafe { slice::from_raw_parts_mut(at.as_ptr().cast(), length) })
}

/// Puts a number where the caller wants it, if he does.
pub(crate) fn put_number(at: *mut u32, value: u32) {
    if let Some(at) = NonNull::new(at) {
        // SAFETY: by the contract, a number that nobody else touches during the call.
        unsafe { at.write(value) };
    }
}

/// Fills bytes of the caller's with what lies at `offset` in a segment, or says that they don't lie within.
pub(crate) fn copy_out(segment: &Segment, offset: usize, to: &mut [MaybeUninit<u8>]) -> Result<()> {
    let (length, has) = (to.len(), segment.len());
    if offset.checked_add(length).is_none_or(|end| end > has) {
        return Err(Failure::misuse(libc::EINVAL, format!("{length} bytes at {offset} don't lie within its {has}")));
    }
    // SAFETY: they lie in the segment's memory, which by the contract `to` doesn't overlap.
    unsafe { segment.data().byte_add(offset).copy_to_nonoverlapping(NonNull::from(to).cast(), length) };
    Ok(())
}

/// Messages of the caller's, of which each was looked at.
#[derive(Clone, Copy)]
pub(crate) struct Items<'a>(&'a [madang_item]);

/// Messages of the caller's to be sent.
#[inline]
pub(crate) fn items<'a>(at: *const madang_item, count: usize) -> Result<Items<'a>> {
    let items = array(at, count, "items")?;
    for (index, item) in items.iter().enumerate() {
        if (item.data.is_null() && item.length > 0) || item.length > isize::MAX as usize {
            // Says what is wrong with it.
            bytes(item.data, item.length, &format!("items[{index}].data"))?;
        }
    }
    Ok(Items(items))
}

impl<'a> Items<'a> {
    /// The type and the bytes of one of them.
    #[inline]
    pub(crate) fn message(self, index: usize) -> (i64, &'a [u8]) {
        let item = &self.0[index];
        // SAFETY: `items` looked at it; by the contract it and its bytes stay as they are for the call.
        (item.r#type, unsafe { looked_at(item.data, item.length) })
    }
}

const _: () = assert!(size_of::<madang_item>() == size_of::<i64>() + 2 * size_of::<usize>());

/// Pieces of the caller's, of which each was looked at.
#[derive(Clone, Copy)]
pub(crate) struct Pieces<'a>(&'a [iovec]);

/// Pieces of the caller's that together are one message.
pub(crate) fn pieces<'a>(at: *const iovec, count: usize) -> Result<Pieces<'a>> {
    let pieces = array(at, count, "pieces")?;
    for (index, piece) in pieces.iter().enumerate() {
        bytes(piece.iov_base, piece.iov_len, &format!("pieces[{index}].iov_base"))?;
    }
    Ok(Pieces(pieces))
}

impl<'a> Pieces<'a> {
    pub(crate) fn count(self) -> usize {
        self.0.len()
    }

    /// The bytes of one of them.
    pub(crate) fn bytes(self, index: usize) -> &'a [u8] {
        let piece = &self.0[index];
        // SAFETY: as for an item's.
        unsafe { looked_at(piece.iov_base, piece.iov_len) }
    }
}

/// Bytes of the caller's of which it was found that there are not too many, and that NULL only stands for none.
///
/// # Safety
/// By the contract, `length` bytes that stay as they are for the call.
#[inline]
unsafe fn looked_at<'a>(at: *const c_void, length: usize) -> &'a [u8] {
    let at = NonNull::new(at.cast_mut().cast()).unwrap_or(NonNull::dangling());
    // SAFETY: the caller's promise; for no bytes any place is as good.
    unsafe { slice::from_raw_parts(at.as_ptr(), length) }
}

/// An array of the caller's to be read. NULL is as good as any place for none.
#[inline]
pub(crate) fn array<'a, T: Copy>(at: *const T, count: usize, what: &str) -> Result<&'a [T]> {
    let length = count.saturating_mul(size_of::<T>());
    let at = match NonNull::new(at.cast_mut()) {
        Some(at) if length <= isize::MAX as usize => at,
        None if count == 0 => NonNull::dangling(),
        None => return Err(null(what)),
        Some(_) => return Err(too_large(length, what)),
    };
    // SAFETY: by the contract, `count` of them that stay as they are for the call.
    Ok(unsafe { slice::from_raw_parts(at.as_ptr(), count) })
}

/// An array of numbers of the caller's to be filled. NULL is as good as any place for none.
pub(crate) fn array_mut<'a>(at: *mut u32, count: usize, what: &str) -> Result<&'a mut [MaybeUninit<u32>]> {
    let at = place_of(at.cast(), count.saturating_mul(size_of::<u32>()), what)?;
    let at = if count == 0 { NonNull::dangling() } else { at.cast() };
    // SAFETY: by the contract, `count` of them that nobody else touches during the call.
    Ok(unsafe { slice::from_raw_parts_mut(at.as_ptr(), count) })
}

#[inline]
fn place_of(at: *mut c_void, length: usize, what: &str) -> Result<NonNull<u8>> {
    match NonNull::new(at.cast()) {
        None if length > 0 => Err(null(what)),
        None => Ok(NonNull::dangling()),
        Some(_) if length > isize::MAX as usize => Err(too_large(length, what)),
        Some(at) => Ok(at),
    }
}

#[cold]
#[inline(never)]
fn too_large(length: usize, what: &str) -> Failure {
    Failure::misuse(libc::EINVAL, format!("{what} of {length} bytes: no memory is so large"))
}

/// A struct that crosses the boundary.
///
/// # Safety
/// `repr(C)`; a `u32` called `struct_size` comes first; all else are integers, arrays of them, or pointers; there is no padding.
pub(crate) unsafe trait Struct: Copy + Default {
    const NAME: &str;
}

/// Declares structs to be such, and holds them against their sizes: the sum of their fields.
macro_rules! structs {
    ($($name:ident $size:literal)*) => {$(
        const _: () = assert!(size_of::<$name>() == $size && std::mem::offset_of!($name, struct_size) == 0);
        // SAFETY: seen in its definition; the size leaves no room for padding.
        unsafe impl Struct for $name {
            const NAME: &str = stringify!($name);
        }
    )*};
}

structs! {
    madang_queue_options 48
    madang_queue_status 96
    madang_message 40
    madang_participant 24
    madang_listed 296
    madang_left_over 32
    madang_segment_options 24
    madang_pipe_options 16
    madang_fifo_options 16
    madang_file_options 24
    madang_file_holder 32
    madang_posix_listed 288
    madang_posix_mq_options 32
    madang_posix_mq_status 56
    madang_posix_shm_options 24
    madang_posix_shm_status 40
    madang_posix_sem_options 16
    madang_posix_sem_status 24
    madang_memfd_options 24
    madang_semaphore_set_options 40
    madang_semaphore_set_status 48
    madang_sysv_change 24
    madang_sysv_msg_options 16
    madang_sysv_msg_status 96
    madang_sysv_msg_limits 56
    madang_sysv_shm_options 32
    madang_sysv_shm_attach_options 16
    madang_sysv_shm_status 88
    madang_sysv_shm_limits 72
    madang_sysv_sem_options 24
    madang_sysv_sem_status 64
    madang_sysv_sem_limits 64
    madang_socket_listener_options 16
    madang_socket_message 160
    madang_socket_peer 16
    madang_signal_info 28
    madang_sync_options 16
}

/// What a struct's first field says, and whether it can be so.
#[inline]
fn struct_size<T: Struct>(at: NonNull<T>) -> Result<usize> {
    // SAFETY: by the contract a struct, which begins with this field.
    let size = unsafe { at.cast::<u32>().read_unaligned() } as usize;
    if (size_of::<u32>()..=LONGEST_STRUCT).contains(&size) { Ok(size) } else { Err(bad_size::<T>(size)) }
}

#[cold]
#[inline(never)]
fn bad_size<T: Struct>(size: usize) -> Failure {
    let name = T::NAME;
    Failure::misuse(libc::EINVAL, format!("struct_size is {size}: set it to sizeof({name}), and the other fields to 0"))
}

/// As much of the struct as both sides know; the rest is 0.
fn known<T: Struct>(at: NonNull<T>, size: usize) -> T {
    let mut known = T::default();
    // SAFETY: by the contract there are `size` bytes at `at`; any content is valid for a struct of integers and pointers.
    unsafe { at.cast::<u8>().copy_to_nonoverlapping(NonNull::from(&mut known).cast(), size.min(size_of::<T>())) };
    known
}

/// Options of the caller's; NULL means all defaults.
pub(crate) fn options<T: Struct>(at: *const T) -> Result<T> {
    let Some(at) = NonNull::new(at.cast_mut()) else { return Ok(T::default()) };
    let size = struct_size(at)?;
    let unknown = size.saturating_sub(size_of::<T>());
    // SAFETY: by the contract there are `size` bytes at `at`; these are the last of them.
    let unknown = unsafe { slice::from_raw_parts(at.cast::<u8>().add(size - unknown).as_ptr(), unknown) };
    if unknown.iter().any(|&byte| byte != 0) {
        return Err(newer::<T>());
    }
    Ok(known(at, size))
}

/// A newer program's struct, which asks for what this version doesn't know.
#[cold]
#[inline(never)]
pub(crate) fn newer<T: Struct>() -> Failure {
    let what = format!("{} sets a field that this version of madang doesn't have: it needs a newer one", T::NAME);
    Failure::misuse(libc::E2BIG, what)
}

/// A struct of the caller's that is to be filled.
#[derive(Clone, Copy)]
pub(crate) struct Out<T> {
    at: NonNull<T>,
    size: usize,
}

impl<T: Struct> Out<T> {
    pub(crate) fn required(at: *mut T, what: &str) -> Result<Self> {
        Self::optional(at)?.ok_or_else(|| null(what))
    }

    /// `None` if the caller doesn't care.
    #[inline]
    pub(crate) fn optional(at: *mut T) -> Result<Option<Self>> {
        let Some(at) = NonNull::new(at) else { return Ok(None) };
        Ok(Some(Self { at, size: struct_size(at)? }))
    }

    /// The caller's struct, if it is as this version knows it, or that there is none (NULL); for who has no use for the reason.
    #[inline]
    pub(crate) fn if_usual(at: *mut T) -> Option<Option<Self>> {
        let Some(at) = NonNull::new(at) else { return Some(None) };
        // SAFETY: by the contract a struct, which begins with this field.
        let size = unsafe { at.cast::<u32>().read_unaligned() } as usize;
        (size == size_of::<T>()).then_some(Some(Self { at, size }))
    }

    /// Fills it, except its `struct_size`.
    #[inline]
    pub(crate) fn fill(&self, value: &T) {
        if self.size == size_of::<T>() {
            // The usual case apart, so that it is a few moves.
            self.write(value, size_of::<T>());
        } else {
            self.fill_other_size(value);
        }
    }

    #[cold]
    fn fill_other_size(&self, value: &T) {
        let known = self.size.min(size_of::<T>());
        self.write(value, known);
        // SAFETY: by the contract there are `size` bytes at `at`; these are the ones after the known.
        unsafe { self.at.cast::<u8>().add(known).write_bytes(0, self.size - known) };
    }

    /// Changes some fields and leaves the others.
    #[cold]
    pub(crate) fn change(&self, change: impl FnOnce(&mut T)) {
        let mut value = known(self.at, self.size);
        change(&mut value);
        self.write(&value, self.size.min(size_of::<T>()));
    }

    #[inline]
    fn write(&self, value: &T, length: usize) {
        let after = size_of::<u32>();
        // SAFETY: by the contract there are `size` bytes at `at`, and `length` is neither more than that nor than a `T`
        // has; `struct_size` found that it is not less than `after` either. Without padding, all of them are initialised.
        unsafe {
            let from = NonNull::from(value).cast::<u8>().add(after);
            from.copy_to_nonoverlapping(self.at.cast::<u8>().add(after), length - after);
        }
    }
}

/// An array of structs of the caller's that are to be filled; the first says how long each is.
#[derive(Clone, Copy)]
pub(crate) struct Outs<T> {
    first: Option<Out<T>>,
    count: usize,
}

impl<T: Struct> Outs<T> {
    pub(crate) fn new(at: *mut T, count: usize, what: &str) -> Result<Self> {
        if count == 0 {
            return Ok(Self { first: None, count });
        }
        let first = Out::required(at, what)?;
        let length = count.saturating_mul(first.size);
        if length > isize::MAX as usize { Err(too_large(length, what)) } else { Ok(Self { first: Some(first), count }) }
    }

    pub(crate) fn first(self) -> Option<Out<T>> {
        self.first
    }

    /// Fills one of them, with the first one's `struct_size`.
    #[inline]
    pub(crate) fn fill(self, index: usize, value: &T) {
        let Some(Out { at, size }) = self.first.filter(|_| index < self.count) else { return };
        // SAFETY: by the contract there are `count` times `size` bytes at `at`, each struct beginning with this field.
        let at = unsafe {
            let at = at.byte_add(index * size);
            at.cast::<u32>().write_unaligned(size as u32);
            at
        };
        Out { at, size }.fill(value);
    }

    /// Fills what there is room for, and says how many there are.
    pub(crate) fn fill_all(self, values: impl ExactSizeIterator<Item = T>) -> i64 {
        let all = values.len() as i64;
        values.take(self.count).enumerate().for_each(|(index, value)| self.fill(index, &value));
        all
    }
}

/// A number of the caller's that is to be filled, if he cares.
pub(crate) fn put(at: *mut usize, value: usize) {
    if let Some(at) = NonNull::new(at) {
        // SAFETY: by the contract a number that nobody else touches during the call.
        unsafe { at.write(value) };
    }
}

/// Gives `work` a descriptor of the caller's, for good; if it fails, the caller's own stays open.
pub(crate) fn take_over<T>(fd: c_int, work: impl FnOnce(OwnedFd) -> Result<T>) -> Result<T> {
    let bad = || Failure::misuse(libc::EBADF, format!("fd {fd} is not an open descriptor"));
    if fd < 0 {
        return Err(bad());
    }
    // SAFETY: by the contract nobody closes it during the call; if it is not open, it is only asked for.
    let copy = unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned();
    let taken = work(copy.map_err(|error| match error.raw_os_error() {
        Some(libc::EBADF) | None => bad(),
        Some(errno) => Failure::misuse(errno, format!("fd {fd}: fcntl F_DUPFD_CLOEXEC")),
    })?)?;
    // SAFETY: it is open, and by the contract the caller's to give away.
    drop(unsafe { OwnedFd::from_raw_fd(fd) });
    Ok(taken)
}

/// Where a handle is to be put once it is open.
pub(crate) struct Place<S>(NonNull<*mut S>);

impl<S: Shell> Place<S> {
    pub(crate) fn new(at: *mut *mut S) -> Result<Self> {
        NonNull::new(at).map(Self).ok_or_else(|| null(S::NOUN))
    }

    pub(crate) fn put(self, object: S::Object, name: &str) {
        // It came from a C string, and so has no NUL in it.
        self.put_as(object, CString::new(name).unwrap_or_default().into());
    }

    /// As [`put`](Self::put), for what wasn't opened by a name.
    pub(crate) fn put_nameless(self, object: S::Object) {
        self.put_as(object, c"".into());
    }

    fn put_as(self, object: S::Object, name: Cow<'static, CStr>) {
        let shell: *mut S = Box::into_raw(Box::new(Handle::open(object, name)));
        // SAFETY: by the contract a pointer that nobody else touches during the call.
        unsafe { self.0.write(shell) };
    }
}

/// What is behind a handle, if that is open and of this kind.
#[inline]
fn handle<'a, S: Shell>(at: *const S) -> Result<&'a Handle<S::Object>> {
    match handle_if_open(at) {
        Some(handle) => Ok(handle),
        None if at.is_null() => Err(null(S::NOUN)),
        None => Err(closed::<S>()),
    }
}

#[inline]
fn handle_if_open<'a, S: Shell>(at: *const S) -> Option<&'a Handle<S::Object>> {
    let at = NonNull::new(at.cast_mut())?;
    // SAFETY: by the contract it came from `Place`, of this kind or another, and if it was closed, it is still in
    // quarantine: in either case a shell, which begins with this word.
    let state = unsafe { at.cast::<AtomicU32>().as_ref() }.load(Ordering::Relaxed);
    // SAFETY: the word is one that only open shells of this kind have.
    (state == S::OPEN).then(|| unsafe { at.as_ref() }.handle())
}

/// The object behind an open handle.
#[inline]
pub(crate) fn opened<'a, S: Shell>(at: *const S) -> Result<&'a S::Object> {
    // SAFETY: it is open; by the contract nobody closes it during the call.
    Ok(unsafe { &*handle(at)?.object() })
}

/// As [`opened`], for who has no use for the reason.
#[inline]
pub(crate) fn if_opened<'a, S: Shell>(at: *const S) -> Option<&'a S::Object> {
    // SAFETY: as in `opened`.
    handle_if_open(at).map(|handle| unsafe { &**handle.object() })
}

/// The name behind an open handle.
pub(crate) fn name_of<S: Shell>(at: *const S) -> Result<*const c_char> {
    Ok(handle(at)?.name().as_ptr())
}

/// Closes a handle. Its object goes, unless somebody [keeps](Kept) it; its shell goes into quarantine then.
pub(crate) fn close<S: Shell>(at: *mut S) -> Result<()> {
    seize(at)?;
    let_go(at);
    Ok(())
}

/// Closes a handle, and gives its object, which nobody keeps, to the caller.
pub(crate) fn take<S: Shell>(at: *mut S) -> Result<S::Object> {
    let handle = seize(at)?;
    assert!(handle.let_go(), "what is taken must not be kept");
    // SAFETY: the object is the caller's alone: the handle is closed, and nobody else keeps it.
    let object = unsafe { ManuallyDrop::take(&mut *handle.object()) };
    bury(at);
    Ok(object)
}

/// Closes a handle if `work` on its object, which nobody keeps, succeeds. Else it stays open.
pub(crate) fn close_if<S: Shell>(at: *mut S, work: impl FnOnce(&mut S::Object) -> Result<()>) -> Result<()> {
    let handle = seize(at)?;
    assert!(handle.has_one_keeper(), "what is changed must not be kept");
    // SAFETY: the object is this thread's alone: it closed the handle, which was the only one to keep it; and by the contract
    // nobody is inside.
    if let Err(failure) = work(unsafe { &mut *handle.object() }) {
        handle.reopen::<S>();
        return Err(failure);
    }
    let_go(at);
    Ok(())
}

/// Closes an open handle, but leaves its object where it is. Of several who try at once, one does.
fn seize<'a, S: Shell>(at: *mut S) -> Result<&'a Handle<S::Object>> {
    let handle = handle(at)?;
    if handle.close::<S>() { Ok(handle) } else { Err(closed::<S>()) }
}

/// Lets go of the object in a shell, which the caller has kept, and drops it if nobody else keeps it.
fn let_go<S: Shell>(at: *mut S) {
    // SAFETY: a shell is not buried while its object is kept.
    let handle = unsafe { (*at).handle() };
    if handle.let_go() {
        // SAFETY: the last who kept it was the caller, and the handle is closed; by the contract nobody is inside.
        unsafe { ManuallyDrop::drop(&mut *handle.object()) };
        bury(at);
    }
}

/// Puts the shell of a handle whose object is gone into quarantine.
fn bury<S: Shell>(at: *mut S) {
    let oldest = S::quarantine().swap(at);
    if !oldest.is_null() {
        // SAFETY: `Place` made it with a `Box`; it came out of quarantine, where nothing is twice; its object is gone, and by
        // the contract nobody uses it any more.
        drop(unsafe { Box::from_raw(oldest) });
    }
}

/// Keeps the object of a handle, also when that is closed.
pub(crate) struct Kept<S: Shell>(NonNull<S>);

// SAFETY: objects of shells are `Send` and `Sync`; whichever thread lets go last may drop it.
unsafe impl<S: Shell> Send for Kept<S> {}
// SAFETY: as for Send.
unsafe impl<S: Shell> Sync for Kept<S> {}

impl<S: Shell> Kept<S> {
    /// Keeps what is behind an open handle.
    pub(crate) fn new(at: *mut S) -> Result<Self> {
        let shell = NonNull::new(at).ok_or_else(|| null(S::NOUN))?;
        handle(at)?.keep();
        Ok(Self(shell))
    }

    fn handle(&self) -> &Handle<S::Object> {
        // SAFETY: as in `let_go`.
        unsafe { self.0.as_ref() }.handle()
    }
}

impl<S: Shell> Clone for Kept<S> {
    fn clone(&self) -> Self {
        self.handle().keep();
        Self(self.0)
    }
}

impl<S: Shell> Deref for Kept<S> {
    type Target = S::Object;

    fn deref(&self) -> &S::Object {
        // SAFETY: it is kept, and nobody has it to himself as long as that is so.
        unsafe { &*self.handle().object() }
    }
}

impl<S: Shell> Drop for Kept<S> {
    fn drop(&mut self) {
        let_go(self.0.as_ptr());
    }
}

#[cold]
#[inline(never)]
fn closed<S: Shell>() -> Failure {
    let noun = S::NOUN;
    Failure::misuse(libc::EBADF, format!("{noun} is not an open handle of a {noun}: was it closed before?"))
}
