//! A failure on its way to C: `-errno` is what the function returns, and the words behind it wait in the thread for
//! `madang_last_error`.
//!
//! A try that finds the queue empty is a failure too, and programs poll. So a failure is only moved into the thread's
//! place; its text is made when it is asked for.
//!
//! Nothing unwinds into C: a panic, which is a bug of madang's, is stopped in [`call`] and becomes `-EIO`.

use std::any::Any;
use std::borrow::Cow;
use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;

use madang_core::Error;

/// `std::result::Result` with [`Failure`].
pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// Why a function failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What C passed never reached the core: an errno and what is wrong.
    Misuse(i32, Cow<'static, str>),
    Core(Error),
}

impl Failure {
    pub(crate) fn misuse(errno: i32, what: impl Into<Cow<'static, str>>) -> Self {
        Self::Misuse(errno, what.into())
    }

    fn errno(&self) -> i32 {
        match self {
            Self::Misuse(errno, _) => *errno,
            Self::Core(error) => error.errno(),
        }
    }

    /// The core says what it was doing; misuse is told with the name of the C function.
    fn text(&self, function: &str) -> String {
        match self {
            Self::Misuse(errno, what) => Error::new(*errno, format!("{function}: {what}")).to_string(),
            Self::Core(error) => error.to_string(),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Core(error)
    }
}

/// What a C function returns, and how it says that it failed.
pub(crate) trait Returned {
    fn failed(errno: i32) -> Self;
}

impl Returned for c_int {
    fn failed(errno: i32) -> Self {
        -errno
    }
}

impl Returned for i64 {
    fn failed(errno: i32) -> Self {
        -Self::from(errno)
    }
}

impl Returned for usize {
    fn failed(_: i32) -> Self {
        0
    }
}

impl<T> Returned for *mut T {
    fn failed(_: i32) -> Self {
        null_mut()
    }
}

impl<T> Returned for *const T {
    fn failed(_: i32) -> Self {
        null_mut()
    }
}

/// Does the work of the C function called `function`, and turns what comes of it into what C expects.
#[inline]
pub(crate) fn call<R: Returned>(function: &'static str, work: impl FnOnce() -> Result<R>) -> R {
    let failed = |failure| R::failed(remember(function, failure));
    // A panic may leave nothing half done that anybody sees: what is shared between processes survives worse.
    catch_unwind(AssertUnwindSafe(|| work().unwrap_or_else(failed))).unwrap_or_else(|panic| failed(bug(&*panic)))
}

/// A thread's last failure.
struct Last {
    failure: Option<(&'static str, Failure)>,
    /// Its text, once it was asked for.
    text: Option<CString>,
}

thread_local! {
    static LAST: RefCell<Last> = const { RefCell::new(Last { failure: None, text: None }) };
}

/// Keeps the failure of the C function called `function` for `madang_last_error`, and returns its errno.
#[cold]
#[inline(never)]
fn remember(function: &'static str, failure: Failure) -> i32 {
    let errno = failure.errno();
    // No place: the thread is ending, or this is a signal handler that interrupted us (which nobody is allowed).
    let _ = LAST.try_with(|last| {
        if let Ok(mut last) = last.try_borrow_mut() {
            *last = Last { failure: Some((function, failure)), text: None };
        }
    });
    errno
}

/// A panic in words.
#[cold]
#[inline(never)]
fn bug(panic: &(dyn Any + Send)) -> Failure {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("it doesn't say why");
    Failure::misuse(libc::EIO, format!("a bug in madang, please report it: {text}"))
}

impl Last {
    fn text(&mut self) -> &CStr {
        let Some((function, failure)) = &self.failure else { return c"no call of madang has failed in this thread" };
        self.text.get_or_insert_with(|| {
            // No text of madang's has a NUL in it; if one had, a C string couldn't hold it.
            CString::new(failure.text(function).replace('\0', "")).unwrap_or_default()
        })
    }
}

/// Says in words why this thread's last failed call of madang failed: what was being done to what,
/// why it could not be, what to do about it, and the errno.
///
/// Returns a text, never NULL. A call that succeeds doesn't change it. It is valid until the
/// thread's next call of a function of madang, or its end. Doesn't block; other threads have texts
/// of their own.
#[unsafe(no_mangle)]
pub extern "C" fn madang_last_error() -> *const c_char {
    let busy = c"the thread is ending, and its last failure with it".as_ptr();
    let text = || LAST.try_with(|last| last.try_borrow_mut().map_or(busy, |mut last| last.text().as_ptr()));
    catch_unwind(text).map_or(busy, |text| text.unwrap_or(busy))
}

/// The texts of the errnos, as C strings that end in the errno's name.
macro_rules! texts {
    ($errno:expr; $($name:ident $text:literal)*) => {
        match $errno {
            $(libc::$name => nul_ended(concat!($text, " (", stringify!($name), ")\0")),)*
            _ => c"an errno that madang has no words for: see errno(3)",
        }
    };
}

const fn nul_ended(text: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(text.as_bytes()) {
        Ok(text) => text,
        Err(_) => panic!("a text has one NUL, at its end"),
    }
}

/// Says what an errno means where madang returns it. Takes it as it was returned, or as it is in
/// errno.h: the sign doesn't matter. madang_last_error() knows more about one failure; this one
/// needs no failure to have happened.
///
/// Returns a text that is valid for ever, never NULL. Doesn't block; any thread may call it at any
/// time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_strerror(error: c_int) -> *const c_char {
    if error == 0 {
        return c"no error".as_ptr();
    }
    let errno = c_int::try_from(error.unsigned_abs()).unwrap_or(c_int::MAX);
    let text = texts! { errno;
        EAGAIN "the call was not to wait, and would have to: it is full, or empty, or somebody has it"
        EBUSY "somebody has it, or is inside and doesn't get on: try again"
        ETIMEDOUT "the time is over"
        EINTR "a signal handler ran while the call waited; nothing was done"
        EINVAL "an argument is not in its range, or what exists is smaller than asked for"
        ENAMETOOLONG "the name is too long"
        ENOENT "there is nothing of that name"
        EEXIST "the name is taken"
        EACCES "permission denied"
        EPERM "not permitted: it belongs to another user, or isn't held by the caller"
        EISDIR "the name is a directory's"
        ENOTDIR "a part of the path is no directory"
        ELOOP "the name is a symbolic link's, which is never followed"
        ENODEV "what has the name, or the descriptor, is something of another kind"
        ENXIO "what has the name is a device or socket; or nobody has the other end open"
        EMSGSIZE "the message can never fit there"
        E2BIG "the buffer is smaller than the message, which stays; or a struct asks for what this version doesn't know"
        ENOTSUP "this version does not offer that"
        EPROTOTYPE "the name is that of an object of another kind"
        EPROTO "the object was made with another layout: use one version of madang"
        EUCLEAN "the object is damaged: unlink it and make a new one"
        ENOSPC "the file system of /dev/shm (or MADANG_DIR) is full"
        EDQUOT "the user's quota of the file system of /dev/shm (or MADANG_DIR) is used up"
        EROFS "the file system of MADANG_DIR can only be read"
        EFBIG "larger than a file may be, or an index that the set doesn't have"
        EUSERS "too many have it open: there is no free place among the participants"
        EOWNERDEAD "the others found this handle dead and went on without it: open it anew"
        EBADF "the handle is closed, or not one of this kind"
        EFAULT "a pointer is NULL"
        ENOMEM "no memory, or no room for a mapping"
        EMFILE "the process has too many open files"
        ENFILE "the system has too many open files"
        ENOLCK "the system has no more file locks"
        EIDRM "it was removed meanwhile"
        ERANGE "a value is out of its range"
        EOVERFLOW "a number is too large"
        ENOSYS "the kernel doesn't have a system call that madang needs"
        EADDRINUSE "somebody listens at that address, or a file has the name"
        EADDRNOTAVAIL "no interface of this machine has that address"
        EAFNOSUPPORT "this machine doesn't have that family of addresses"
        ECONNREFUSED "nobody listens there"
        ECONNRESET "the other end is gone, and left what was sent to it; or the connection ended within a message"
        EDESTADDRREQ "it isn't connected: give an address"
        EHOSTUNREACH "there is no way to that host"
        ENETUNREACH "there is no way to that network"
        ENOTCONN "it isn't connected"
        ENOTSOCK "the descriptor is no socket's"
        EPIPE "the other end is gone, or takes nothing more"
        ETOOMANYREFS "too many descriptors are on the way"
        ENODATA "the end: the other side has closed, or sends nothing more"
        ESRCH "there is no such process"
        EISCONN "it is connected already"
        ENOBUFS "the network has no room"
        ENETDOWN "the network is down"
        EHOSTDOWN "that host is down"
        EIO "a bug in madang, or a failure of the machine"
    };
    text.as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last_error() -> String {
        // SAFETY: it is a C string, and this thread calls nothing until it is copied.
        unsafe { CStr::from_ptr(madang_last_error()) }.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_panic_ends_at_the_boundary() {
        assert_eq!(call::<c_int>("madang_try", || panic!("{} of them", 3)), -libc::EIO);
        let text = last_error();
        assert!(text.starts_with("madang_try: a bug in madang, please report it: 3 of them"), "{text}");
        assert_eq!(call::<*mut u8>("madang_try", || panic!("none")), null_mut());
    }

    #[test]
    fn misuse_is_told_with_the_functions_name() {
        assert_eq!(call::<i64>("madang_try", || Err(Failure::misuse(libc::EBADF, "no"))), -i64::from(libc::EBADF));
        let text = last_error();
        assert!(text.starts_with("madang_try: no") && text.ends_with("(EBADF)"), "{text}");
        // Success leaves it.
        assert_eq!(call::<i64>("madang_try", || Ok(5)), 5);
        assert_eq!(last_error(), text);
    }

    /// The errnos' names in the list that follows `start` and ends with a brace.
    fn names<'a>(source: &'a str, start: &str) -> Vec<&'a str> {
        let list = source.split(start).nth(1).unwrap().split('}').next().unwrap();
        let is_name = |word: &&str| word.starts_with('E') && word.chars().all(|c| c.is_ascii_uppercase() || c == '2');
        list.split_whitespace().filter(is_name).collect()
    }

    #[test]
    fn every_errno_that_the_core_names_has_a_text() {
        let ours = names(include_str!("error.rs"), "texts! { errno;");
        let theirs = names(include_str!("../../core/src/error.rs"), "    names! {");
        let without: Vec<_> = theirs.iter().filter(|name| !ours.contains(name)).collect();
        assert!(theirs.len() > 20 && without.is_empty(), "{without:?} of {theirs:?}");
    }
}
