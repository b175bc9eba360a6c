//! A file that is truncated, by a peer who may write it, under those who use it.
//!
//! What was cut off can't be had: who touches it gets SIGBUS, and no kernel says so beforehand, nor keeps a file on tmpfs from
//! being cut. So nothing is promised to those who use it; what is shown is that SIGBUS is the worst that comes of it, that others
//! get an error and can make a new one, and that a sealed memfd can't be cut.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use madang::memfd::{Memfd, Seals};
use madang_tests::Random;

use super::crew::{SharedPage, State, Watched};
use super::harness::made::Made;
use super::harness::probe::Probe;
use super::harness::uses::{Scene, look_around, sync, unlink};
use crate::part::{Fault, Harm, Outcome, Sweep};

/// Cuts it so often, each time elsewhere, before it is opened and in use.
pub(crate) fn run(scene: Scene, times: u64, sweep: &Sweep) -> Outcome {
    let page = SharedPage::new();
    let progress = &page.progress[0];
    let made = Made::new(scene);
    let mut random = Random(sweep.seed);
    let mut faults = Vec::new();
    for number in 0..times {
        let in_use = number % 2 == 1;
        let size = made.image.files[0].size;
        let length = match number / 2 {
            0 => 0,
            1 => 4096,
            2 => size - 4096,
            3 => size - 1,
            _ => random.below(size),
        };
        let grows_again = random.below(3) == 0;
        let (image, identifier) = made.again(number);
        let files = image.put_back();
        // (A segment may have any size.)
        let may_open = grows_again || scene.name == sync::WITHIN.name;
        let cut = || {
            let size = files[0].metadata().expect("its size").len();
            files[0].set_len(length.min(size)).expect("truncated");
            if grows_again {
                files[0].set_len(size).expect("grown again");
            }
        };
        let mut found = Vec::new();
        let mut child = Watched::new(progress, |probe: &Probe| {
            made.room.is_entered();
            probe.begins(number);
            if !in_use {
                cut();
            }
            let used = (scene.open)(probe, &made.room, identifier);
            if in_use {
                cut();
            } else if !may_open && used.is_some() {
                probe.fault("Wrong\tit was opened");
            }
            if let Some(mut used) = used {
                used.use_it(probe, number);
                probe.must("close", || drop(used));
            }
        });
        while child.look(Duration::from_millis(100), &mut found) == State::Lives {}
        // Who has it mapped may be killed by it; nobody else.
        found.retain(|(_, fault)| !(in_use && fault.what.starts_with(&format!("signal {} ", libc::SIGBUS))));
        // Others look, open, unlink and make a new one, as if nothing had been.
        let mut other = Watched::new(progress, |probe: &Probe| {
            made.room.is_entered();
            look_around(probe);
            probe.step("gc", || madang::gc().map(|_| ()));
            if (scene.open)(probe, &made.room, identifier).is_some() && !may_open {
                probe.fault("Wrong\tit was opened");
            }
            // (What System V made is taken away as files are, if it says no more whose it is.)
            if identifier == 0 {
                unlink(&made.room);
                probe.step("make anew", || (scene.make)(&made.room));
            }
        });
        while other.look(Duration::from_millis(100), &mut found) == State::Lives {}
        made.room.clear();
        let told = |(_, fault): (u64, Fault)| {
            let what = format!("{}: {size} bytes cut to {length}, in use: {in_use}, grown: {grows_again}", fault.what);
            Fault { what, ..fault }
        };
        faults.extend(found.into_iter().map(told));
    }
    Outcome { counts: vec![1, progress.tried.load(Relaxed), progress.steps.load(Relaxed)], faults }
}

/// What is offered instead, between those who don't trust each other.
pub(crate) fn sealed() -> Outcome {
    let try_it = || -> madang::Result<bool> {
        let memfd = Memfd::options().size(64 << 10).create("scribble")?;
        let mapping = memfd.map(0, 64 << 10, true)?;
        memfd.seal(Seals::SHRINK | Seals::GROW | Seals::SEAL)?;
        let refused = memfd.set_size(0).is_err_and(|error| error.errno() == libc::EPERM);
        mapping.write((64 << 10) - 8, &[1; 8])?;
        Ok(refused)
    };
    let faults = match try_it() {
        Ok(true) => vec![],
        other => vec![Fault { harm: Harm::Wrong, what: format!("a sealed memfd was truncated: {other:?}") }],
    };
    Outcome { counts: vec![1, 1, 3], faults }
}
