//! Gives libmadang.so its soname: programs ask for the ABI's version 0, whatever the file is called. And keeps it loaded
//! when dlclose(3) would unload it, for the process goes on calling its fork handlers.
//!
//! Which symbols it exports needs nothing here: rustc hides all that is not `no_mangle`. A test compares them with the
//! header (`tests/abi/symbols.rs`).

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libmadang.so.0");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
