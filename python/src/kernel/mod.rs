//! Primitives whose state the kernel holds. Each file is a module of `madang.kernel`.

pub(crate) mod mapping;
