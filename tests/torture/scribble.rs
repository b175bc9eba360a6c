//! Scribbles: whatever is written over an object, and whenever, those who use it get errors or wrong data, and no more.
//!
//! | module | what it does |
//! |---|---|
//! | [`sweep`] | one scribble after the other, on an object that is as good as new |
//! | [`meanwhile`] | scribbles while two processes work on the object |
//! | [`truncated`] | a file that a peer truncates |
//! | [`fuzzer`] | what a fuzzer has found worth keeping |
//! | [`crew`] | children that may die of it, and who watches them |
//! | [`harness`] | the objects, all that can be done with them, and what is written where; shared with the fuzzer |

mod crew;
mod fuzzer;
mod harness;
mod meanwhile;
mod sweep;
mod truncated;

use crate::part::{Family, Part, Sweep};
use harness::script::Target;
use harness::uses::SCENES;
use sweep::When;

/// The parts.
pub(crate) fn family() -> Family {
    let mut parts = Vec::new();
    for scene in SCENES {
        for (when, told) in [(When::BeforeOpen, "before it is opened"), (When::InUse, "in use")] {
            let run = move |sweep: &_| sweep::run(scene, when, 1000, sweep);
            parts.push(Part::new(format!("{}, {told}", scene.name), run));
        }
    }
    for scene in SCENES {
        let run = move |sweep: &Sweep| meanwhile::run(scene, if sweep.full { 2500 } else { 30 }, sweep);
        parts.push(Part::new(format!("{}, by two at once", scene.name), run));
    }
    for (target, name) in Target::ALL {
        parts.push(Part::new(format!("fuzzer, {name}"), move |sweep| fuzzer::run(target, name, sweep)));
    }
    for scene in SCENES {
        let run = move |sweep: &Sweep| truncated::run(scene, if sweep.full { 1000 } else { 40 }, sweep);
        parts.push(Part::new(format!("{}, truncated", scene.name), run));
    }
    parts.push(Part::new("memfd, sealed", |_| truncated::sealed()));
    Family {
        name: "scribble",
        title: "Scribbles: each word of each kind of object, in use and before it is opened",
        columns: &["objects", "corruptions tried", "operations"],
        alone: false,
        parts,
    }
}
