//! Primitives whose state the kernel holds, for C.

pub mod fifo;
pub mod mapping;
pub mod pipe;
