//! Compiles and runs the C test programs, each of which covers one area; plainly, and with the address and
//! undefined-behaviour sanitizers. `check.h` says how they work: each case has a time-out of its own, so they end.

#[path = "../support/c_library.rs"]
mod c_library;

use std::io::{self, Write};
use std::process::Command;

const SANITIZERS: &[&str] = &["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

/// Compiles and runs `tests/c/AREA.c`.
fn run(area: &str, build: &str, flags: &[&str]) {
    let source = c_library::top().join("tests/c").join(format!("{area}.c"));
    let name = area.replace('/', "-") + build;
    let mut program = Command::new(c_library::compile(&source, &name, flags));
    // The cases leave handles open where that is no matter; that nothing leaks is a case of its own.
    program.env("ASAN_OPTIONS", "detect_leaks=0").env_remove("MADANG_DIR");
    let said = c_library::succeed(&mut program);
    print!("{said}");
    for skipped in said.lines().filter(|line| line.contains(": skipped: ")) {
        // Past cargo, which would keep it to itself.
        let _ = writeln!(io::stderr(), "{area}{build}: {skipped}");
    }
}

/// A module for each folder, two tests for each file in it: `shared::queue::plain`, `shared::queue::sanitized`.
macro_rules! areas {
    ($($folder:ident { $($area:ident)* })*) => {$(
        mod $folder {$(
            mod $area {
                const AREA: &str = concat!(stringify!($folder), "/", stringify!($area));

                #[test]
                fn plain() {
                    crate::run(AREA, "", &[]);
                }

                #[test]
                fn sanitized() {
                    crate::run(AREA, "-sanitized", crate::SANITIZERS);
                }
            }
        )*}
    )*};
}

areas! {
    kernel {
        pipe
        fifo
        file
        memfd
        posix_mq
        posix_sem
        posix_shm
        sysv_msg
        sysv_shm
        sysv_sem
        signal
        socket
    }
    shared {
        queue
        queue_batch
        queue_refusals
        queue_locks
        descriptor
        queue_select
        lease
        reservation
        segment
        semaphore_set
        sysv
        sync
        list
    }
}
