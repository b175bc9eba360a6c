//! The Python module `madang`: each file of the core that people hold has its mirror here, under the same path.
//!
//! A method converts, calls, converts. What is Python's own affair stands in five files: `error.rs` (an errno becomes an
//! `OSError`), `timeout.rs` (waiting without the GIL, with signal handlers running), `buffer.rs` (memory that Python
//! and Rust share; the only file with pointers), `descriptor.rs` (numbers of descriptors) and `options.rs` (sizes as text and the
//! like).
//!
//! The doc comments of classes and methods are Python's docstrings. The manual for a Python reader is
//! the stubs (`madang/__init__.pyi`, `madang/kernel/*.pyi`), which have the same texts: `docstrings.py` writes them there, and
//! `tests/python/test_stub.py` compares them.

mod buffer;
mod descriptor;
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

        /// `madang/kernel/fifo.py`.
        #[pyo3::pymodule]
        mod fifo {
            #[pymodule_export]
            use crate::kernel::fifo::{
                make, open_both, open_channel, open_reader, open_writer, remove, remove_channel,
            };
        }

        /// `madang/kernel/file.py`.
        #[pyo3::pymodule]
        mod file {
            #[pymodule_export]
            use crate::kernel::file::{File, Follow, Guard, Holder, replace};
        }

        /// `madang/kernel/pipe.py`.
        #[pyo3::pymodule]
        mod pipe {
            #[pymodule_export]
            use crate::kernel::pipe::{Reader, Writer, pair};

            #[pymodule_export]
            const PIPE_BUF: usize = madang::pipe::PIPE_BUF;
        }

        /// `madang/kernel/memfd.py`.
        #[pyo3::pymodule]
        mod memfd {
            #[pymodule_export]
            use crate::kernel::memfd::Memfd;
        }

        /// `madang/kernel/posix/`.
        #[pyo3::pymodule]
        mod posix {
            #[pymodule_export]
            use crate::kernel::posix::Listed;

            /// `madang/kernel/posix/mq.py`.
            #[pyo3::pymodule]
            mod mq {
                #[pymodule_export]
                use crate::kernel::posix::mq::{Queue, QueueStatus, list};

                #[pymodule_export]
                const MAX_PRIORITY: u32 = madang::posix::mq::MAX_PRIORITY;
            }

            /// `madang/kernel/posix/shm.py`.
            #[pyo3::pymodule]
            mod shm {
                #[pymodule_export]
                use crate::kernel::posix::shm::{Object, ObjectStatus, list};
            }

            /// `madang/kernel/posix/sem.py`.
            #[pyo3::pymodule]
            mod sem {
                #[pymodule_export]
                use crate::kernel::posix::sem::{Semaphore, SemaphoreStatus, list};

                #[pymodule_export]
                const MAX_VALUE: u32 = madang::posix::sem::MAX_VALUE;

                #[pymodule_export]
                const SIZE: usize = madang::posix::sem::SIZE;

                #[pymodule_export]
                const ALIGNMENT: usize = madang::posix::sem::ALIGNMENT;
            }
        }

        #[pyo3::pymodule]
        mod sysv {
            #[pymodule_export]
            use crate::kernel::sysv::ftok;

            #[pyo3::pymodule]
            mod msg {
                #[pymodule_export]
                use crate::kernel::sysv::msg::{Limits, Queue, Status, limits, list};
            }

            #[pyo3::pymodule]
            mod shm {
                #[pymodule_export]
                use crate::kernel::sysv::shm::{Limits, Segment, Status, limits, list};
            }

            #[pyo3::pymodule]
            mod sem {
                #[pymodule_export]
                use crate::kernel::sysv::sem::{Limits, Op, Set, Status, limits, list};
            }
        }

        /// `madang/kernel/signal.py`.
        #[pyo3::pymodule]
        mod signal {
            #[pymodule_export]
            use crate::kernel::signal::{
                Block, Descriptor, Info, Process, blocked, kill, kill_group, name, number, pending, queue, rt, wait,
            };
        }

        /// `madang/kernel/socket.py`.
        #[pyo3::pymodule]
        mod socket {
            #[pymodule_export]
            use crate::kernel::socket::{Credentials, Datagram, Listener, Message, Stream};
        }
    }

    /// What `madang/shared/` makes modules of.
    #[pyo3::pymodule]
    mod shared {
        /// `madang/shared/sysv.py`.
        #[pyo3::pymodule]
        mod sysv {
            #[pymodule_export]
            use crate::shared::sysv::{
                Attachment, Perm, QueueStatus, SegmentStatus, SetStatus, getall, getpid, getval, getwaiting,
                limits_in_force, msgget, msgids, msglist, msgrcv, msgremove, msgset, msgsnd, msgstat, semget, semids,
                semlist, semop, semremove, semset, semstat, setall, setval, shmat, shmget, shmids, shmlist, shmlock,
                shmremove, shmset, shmstat,
            };
        }
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
