//! Creating, opening and taking a name away, alike for all kinds.

use super::operation::{Check, Checked, Operation, expect, no};
use crate::part::{Fault, Harm};

/// A kind of object.
#[derive(Clone, Copy)]
pub(super) struct Named {
    pub(super) what: &'static str,
    /// Opens or creates it, and leaves it open.
    pub(super) make: fn(),
    /// Opens it if it is there.
    pub(super) is_there: fn() -> madang::Result<()>,
    pub(super) unlink: fn() -> madang::Result<()>,
    /// That a new one, or one that nobody has used, is as it should be.
    pub(super) holds: fn() -> Result<(), Fault>,
}

pub(super) fn names(named: Named) -> Vec<Operation> {
    let Named { what, make, unlink, .. } = named;
    let operation = |verb: &str, setup: fn(), act: Box<dyn Fn() -> super::tracer::Act>, stage_if_there, last_stage| {
        let peer = move || Box::new(move || checked(named, stage_if_there)) as Check;
        Operation::new(format!("{verb} a {what}"), setup, act, last_stage, peer)
    };
    vec![
        operation("create", || {}, Box::new(move || Box::new(make)), 1, 1),
        operation("open", make, Box::new(move || Box::new(make)), 0, 0),
        operation("unlink", make, Box::new(move || Box::new(move || unlink().expect("it is there"))), 0, 1),
    ]
}

/// Whether it is there; and that it can be made, and what is half made goes.
fn checked(named: Named, stage_if_there: usize) -> Checked {
    let stage = match (named.is_there)() {
        Ok(()) => stage_if_there,
        Err(error) if error.errno() == libc::ENOENT => 1 - stage_if_there,
        Err(error) => return Err(no("open it")(error)),
    };
    (named.holds)()?;
    (named.unlink)().map_err(no("unlink it"))?;
    nothing_is_left()?;
    Ok(stage)
}

/// No file, once what is half made was swept.
pub(super) fn nothing_is_left() -> Result<(), Fault> {
    madang::gc().map_err(no("gc"))?;
    let files = std::fs::read_dir("/dev/shm").expect("the directory");
    let left: Vec<_> = files.filter_map(|file| Some(file.ok()?.file_name())).collect();
    expect(left.is_empty(), Harm::Lost, || format!("gc leaves {left:?} behind"))
}
