//! Primitives whose state the kernel holds, for C.

pub mod fifo;
pub mod file;
pub mod mapping;
pub mod memfd;
pub mod pipe;
pub mod posix;
pub mod signal;
pub mod socket;
pub mod sysv;
