//! The names of a segment.

use madang::{Create, Segment, SegmentOptions};

use super::names::{Named, names};
use super::operation::{Operation, expect, no};
use crate::part::{Fault, Harm};

const NAME: &str = "segment";
const LENGTH: usize = 8192;

fn options() -> SegmentOptions {
    Segment::options().length(LENGTH as u64)
}

/// It is as long as it was made, all of it is 0, and can be written.
fn holds() -> Result<(), Fault> {
    let segment = options().open(NAME).map_err(no("open or create it"))?;
    let mut bytes = vec![1; LENGTH];
    segment.read(0, &mut bytes).map_err(no("read it"))?;
    expect(bytes.iter().all(|&byte| byte == 0), Harm::Wrong, || "a new one isn't all 0".to_owned())?;
    segment.write(0, &[7; LENGTH]).map_err(no("write it"))
}

pub(super) fn operations() -> Vec<Operation> {
    names(Named {
        what: "segment",
        make: || std::mem::forget(options().open(NAME).expect("the segment opens")),
        is_there: || options().create(Create::Never).open(NAME).map(drop),
        unlink: || Segment::unlink(NAME),
        holds,
    })
}
