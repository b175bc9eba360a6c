//! Programs that make System V calls, served by `libmadang-sysv.so`: whether they see what they would see with the kernel.

#[path = "../support/c_library.rs"]
mod c_library;

mod attack;
mod compare;
mod drop_in;
