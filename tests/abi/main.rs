//! What a C program sees of madang before it runs: the header, the symbols, and what `make install` puts in place.

#[path = "../support/c_library.rs"]
mod c_library;
mod header;
mod install;
mod symbols;
