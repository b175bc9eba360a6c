//! `madang trim`.

use crate::args::Trim;
use crate::failure::Result;
use crate::objects::{self, each};
use crate::text;

pub(crate) fn run(args: &Trim) -> Result<()> {
    each(&args.names, |name| {
        let bytes = objects::open(name, args.any_owner)?.trim()?;
        text::print(&format!("{}: {} given back\n", text::name(name), text::size(bytes)))
    })
}
