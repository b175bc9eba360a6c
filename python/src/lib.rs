//! The Python module `madang`: each file of the core that people hold has its mirror here, under the same path.
//!
//! A method converts, calls, converts. What is Python's own affair stands in four files: `error.rs` (an errno becomes an
//! `OSError`), `timeout.rs` (waiting without the GIL, with signal handlers running), `buffer.rs` (memory that Python
//! and Rust share; the only file with pointers) and `options.rs` (sizes as text and the like).
//!
//! The doc comments of classes and methods are Python's docstrings. The manual for a Python reader is
//! the stubs (`madang/__init__.pyi`, `madang/kernel/*.pyi`), which have the same texts: `docstrings.py` writes them there, and
//! `tests/python/test_stub.py` compares them.

mod buffer;
mod error;
mod kernel;
mod options;
mod shared;
mod timeout;

use pyo3::prelude::*;

// Not tried yet without the GIL: there, importing the module switches it on.
#[pymodule(gil_used = true)]
mod _madang {
    #[pymodule_export]
    use crate::shared::lease::Lease;

    #[pymodule_export]
    use crate::shared::left_over::{LeftOvers, gc, left_overs};

    #[pymodule_export]
    use crate::shared::list::{Listed, list};

    #[pymodule_export]
    use crate::shared::participant::Participant;

    #[pymodule_export]
    use crate::shared::queue::{Except, Queue, QueueStatus, Received};

    #[pymodule_export]
    use crate::shared::reservation::Reservation;

    // For madang/_asynchronous.py only.
    #[pymodule_export]
    use crate::shared::queue::descriptor::{Watcher, try_recv, try_send};

    #[pymodule_export]
    use crate::shared::segment::Segment;

    #[pymodule_export]
    use crate::shared::semaphore_set::{Operation, SemaphoreSet, SemaphoreSetStatus, Waiting};

    #[pymodule_export]
    use crate::shared::sync::{
        barrier::Barrier,
        condition::Condition,
        event::Event,
        mutex::Mutex,
        rwlock::{RwLock, RwLockGuard},
    };

    /// Primitives whose state the kernel holds; `madang/kernel/` makes modules of them.
    #[pyo3::pymodule]
    mod kernel {
        #[pymodule_export]
        use crate::kernel::mapping::Mapping;
    }

    /// Lets the modules in it be imported by their names.
    #[pymodule_init]
    fn init(module: &pyo3::Bound<'_, pyo3::types::PyModule>) -> pyo3::PyResult<()> {
        crate::kernel::make_importable(module, "madang._madang")
    }

    #[pymodule_export]
    #[allow(non_upper_case_globals, reason = "the name that Python expects")]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
