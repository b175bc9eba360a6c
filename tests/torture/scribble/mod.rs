//! Scribbles: whatever is written over an object, and whenever, those who use it get errors or wrong data, and no more.
//!
//! | module | what it does |
//! |---|---|
//! | [`sweep`] | one scribble after the other, on an object that is as good as new |
//! | [`crew`] | children that may die of it, and who watches them |
//! | [`harness`] | the objects, all that can be done with them, and what is written where; shared with the fuzzer |

mod crew;
mod harness;
mod sweep;

use crate::part::{Family, Part};
use sweep::When;
use harness::uses::SCENES;

/// The parts.
pub(crate) fn family() -> Family {
    let mut parts = Vec::new();
    for scene in SCENES {
        for (when, told) in [(When::BeforeOpen, "before it is opened"), (When::InUse, "in use")] {
            let run = move |sweep: &_| sweep::run(scene, when, 1500, sweep);
            parts.push(Part::new(format!("{}, {told}", scene.name), run));
        }
    }
    Family {
        name: "scribble",
        title: "Scribbles: each word of each kind of object, in use and before it is opened",
        columns: &["objects", "corruptions tried", "operations"],
        parts,
    }
}
