//! The Rust face of madang, with threads and with real processes.

mod shared {
    mod batch;
    mod damage;
    mod kill;
    mod model;
    mod names;
    mod participants;
    mod queue;
    mod segment;
}
