//! The command `madang` as a shell sees it: what it prints, and its exit status. Each test has a directory of its own for queues, so
//! nothing else is there and nothing stays.

mod command;
mod doctor;
mod kernel;
mod look;
mod messages;
mod remove;
mod run;
mod sets;
mod shipped;
mod sysv;
