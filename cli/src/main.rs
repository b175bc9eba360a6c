//! The command `madang`: what there is, what is wrong with it, and messages to and from the shell.
//!
//! It sees only the public face of the library. One file a command; what they share:
//!
//! ```text
//! args        what can be typed; help, completions and man pages are made of it
//! failure     why a command ends, and with which exit status
//! messages    the forms in which messages come from standard input and go to standard output
//! kernel      the kernel's objects: System V's and POSIX's
//! sysv        System V's objects that are served from shared memory
//! objects     opening and looking at objects as a person names them
//! text        sizes, ages, tables: for people
//! progress    the bar, where somebody sees it
//! ```

#![forbid(unsafe_code)]

mod args;
mod doctor;
mod failure;
mod gc;
mod generate;
mod kernel;
mod ls;
mod messages;
mod objects;
mod peek;
mod progress;
mod recv;
mod rm;
mod run;
mod send;
mod stat;
mod sysv;
mod text;
mod trim;

use std::process::ExitCode;

use args::{Command, Madang};
use clap::Parser;

fn main() -> ExitCode {
    let done = match Madang::parse().command {
        Command::Ls(args) => ls::run(&args),
        Command::Stat(args) => stat::run(&args),
        Command::Send(args) => send::run(&args),
        Command::Recv(args) => recv::run(&args),
        Command::Peek(args) => peek::run(&args),
        Command::Trim(args) => trim::run(&args),
        Command::Rm(args) => rm::run(&args),
        Command::Mk(args) => sysv::make(&args),
        Command::Run(args) => run::run(&args),
        Command::Gc(args) => gc::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Generate(args) => generate::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.end(),
    }
}
