//! The Rust face of madang, with threads and with real processes.

mod kernel {
    mod signal;
    mod socket;
}

mod shared {
    mod backlog;
    mod batch;
    mod damage;
    mod descriptor;
    mod exclusive;
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
}
