//! Scribbles: whatever is written over an object, and whenever, those who use it get errors or wrong data, and no more.
//!
//! | module | what it does |
//! |---|---|
//! | [`uses`] | makes the objects, and does all that can be done with them |
//! | [`words`] | says what is written where |
//! | [`sweep`] | one scribble after the other |
//! | [`room`], [`guards`], [`crew`], [`probe`] | a folder of their own; pages around mappings; children, and who watches them |

mod crew;
mod guards;
mod probe;
mod room;
mod sweep;
mod uses;
mod words;

use crate::part::{Family, Part};
use sweep::When;
use uses::SCENES;

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
