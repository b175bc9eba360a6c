//! Primitives whose state the kernel holds. Each file is a module of `madang.kernel`.

mod fds;
pub(crate) mod fifo;
pub(crate) mod file;
mod held;
pub(crate) mod mapping;
pub(crate) mod memfd;
pub(crate) mod pipe;
pub(crate) mod posix;
pub(crate) mod signal;
pub(crate) mod socket;
pub(crate) mod sysv;

use pyo3::prelude::*;
use pyo3::types::PyModule;

/// Lets `from madang._madang.kernel import …` find the modules that lie in `module`: Python looks only for those that it knows, or that
/// are files.
pub(crate) fn make_importable(module: &Bound<'_, PyModule>, name: &str) -> PyResult<()> {
    let known = module.py().import("sys")?.getattr("modules")?;
    for (inner, value) in module.dict() {
        if let Ok(inside) = value.cast::<PyModule>() {
            let name = format!("{name}.{inner}");
            known.set_item(&name, inside)?;
            make_importable(inside, &name)?;
        }
    }
    Ok(())
}
