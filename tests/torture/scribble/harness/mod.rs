//! What the sweep and the fuzzer (fuzz/) share.
//!
//! | module | what it does |
//! |---|---|
//! | [`uses`] | makes the objects, and does all that can be done with them |
//! | [`made`] | an object that was made once, and is as good as new each time |
//! | [`words`] | says what is written where |
//! | [`script`] | operations and scribbles in turn, as a fuzzer writes them |
//! | [`room`], [`guards`], [`probe`] | a folder of their own; pages around mappings; one step after the other |

pub(crate) mod guards;
pub(crate) mod made;
pub(crate) mod probe;
pub(crate) mod room;
pub(crate) mod script;
pub(crate) mod uses;
pub(crate) mod words;
