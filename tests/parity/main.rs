//! Programs that make System V calls, served by `libmadang-sysv.so`: whether they see what they would see with the kernel.

#[path = "../support/c_library.rs"]
#[expect(dead_code, reason = "programs of the drop-in don't link the library")]
mod c_library;

mod attack;
mod both_worlds;
mod compare;
mod drop_in;
mod programs;
