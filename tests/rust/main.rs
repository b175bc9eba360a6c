//! The Rust face of madang, with threads and with real processes.

mod kernel {
    mod fifo;
    mod file;
    mod memfd;
    mod pipe;
    mod posix;
    mod signal;
    mod socket;
    mod sysv;
}

mod shared {
    mod backlog;
    mod batch;
    mod damage;
    mod descriptor;
    mod exclusive;
    mod far;
    mod hard;
    mod keep;
    mod kill;
    mod kill_backlog;
    mod left_over;
    mod list;
    mod model;
    mod names;
    mod participants;
    mod queue;
    mod segment;
    mod semaphore_set;
    mod sync;
    mod sysv;
}
