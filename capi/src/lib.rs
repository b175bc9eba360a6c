//! madang for C: `libmadang.so.0`, `libmadang.a` and `include/madang.h`.
//!
//! The same tree as in `core`. A function here is one call into `core` and one conversion; what C passes is believed in
//! one file only.
//!
//! ```text
//! error      a failure becomes -errno, and words for madang_last_error; panics end here
//! deadline   timeout_ns and flags become a Deadline
//! handle     what a C program holds, and how its use after close is found
//! pointer    the one file that follows C's pointers
//! kernel/    the kernel's primitives: mapping, pipe, fifo, file, memfd, posix/, sysv/, socket, signal
//! shared/    queue, descriptor, lease, reservation, segment, semaphore_set, sync/, sysv, list, left_over
//! ```
//!
//! **The doc comments of what C sees are written for C**: cbindgen makes `include/madang.h` of them and of the prologue in
//! `cbindgen.toml` (`make header`; a test compares). What only concerns this side stands in ordinary comments.
//!
//! The functions are not marked `unsafe`: nobody calls them but C, to which the word says nothing. What its caller owes
//! stands in the prologue; what is made of that, in `pointer.rs`.

#![expect(non_camel_case_types, reason = "the names are C's")]

pub mod deadline;
pub mod error;
mod handle;
pub mod kernel;
mod pointer;
pub mod shared;

/// The version that this header belongs to, in three numbers.
pub const MADANG_VERSION_MAJOR: u32 = 0;
/// See MADANG_VERSION_MAJOR.
pub const MADANG_VERSION_MINOR: u32 = 1;
/// See MADANG_VERSION_MAJOR.
pub const MADANG_VERSION_PATCH: u32 = 0;
/// The version that this header belongs to, in one number that only grows: 0x010203 is 1.2.3.
pub const MADANG_VERSION: u32 = MADANG_VERSION_MAJOR << 16 | MADANG_VERSION_MINOR << 8 | MADANG_VERSION_PATCH;

const _: () = {
    assert!(is(env!("CARGO_PKG_VERSION_MAJOR"), MADANG_VERSION_MAJOR), "MADANG_VERSION_MAJOR is not the package's");
    assert!(is(env!("CARGO_PKG_VERSION_MINOR"), MADANG_VERSION_MINOR), "MADANG_VERSION_MINOR is not the package's");
    assert!(is(env!("CARGO_PKG_VERSION_PATCH"), MADANG_VERSION_PATCH), "MADANG_VERSION_PATCH is not the package's");
};

const fn is(text: &str, number: u32) -> bool {
    matches!(u32::from_str_radix(text, 10), Ok(parsed) if parsed == number)
}

/// The version of the library that is running, written as MADANG_VERSION is.
///
/// Programs built with an older header of the same major version run with a newer library. Within
/// 0.x the second number counts as the major one. Never fails; any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn madang_version() -> u32 {
    MADANG_VERSION
}
