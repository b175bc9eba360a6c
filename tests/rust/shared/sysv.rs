//! What System V's calls make, used by the native API besides.

use std::time::Duration;

use madang::shared::sysv::{msg, sem};
use madang::{Queue, Select, SemaphoreSet};
use madang_tests::{Checkpoint, Directory, fork};

const KEY: i32 = 0x5eed_0042;
const WATCHDOG: Duration = Duration::from_secs(10);
const CREATE: i32 = libc::IPC_CREAT | 0o600;

/// What was removed takes no message that nobody could receive, and keeps nobody waiting, also who came by its name.
#[test]
fn who_opened_it_by_its_name_learns_of_its_removal() {
    let directory = Directory::new("removed");
    let child = fork(|| {
        directory.becomes_madang_dir();
        let (queue_id, set_id) = (msg::msgget(KEY, CREATE).unwrap(), sem::semget(KEY, 1, CREATE).unwrap());
        let queue = Queue::open(&format!("sysv.key.{KEY:08x}")).unwrap();
        let set = SemaphoreSet::open(&format!("sysv.id.{set_id:08x}")).unwrap();
        let (receives, waits) = (Checkpoint::default(), Checkpoint::default());
        let receiver = fork(|| {
            receives.reach();
            assert_eq!(queue.recv_timeout(Select::Any, WATCHDOG).unwrap_err().errno(), libc::EIDRM);
            waits.reach();
            assert_eq!(set.acquire_timeout(0, WATCHDOG).unwrap_err().errno(), libc::EIDRM);
            0
        });
        receives.wait();
        msg::remove(queue_id).unwrap();
        waits.wait();
        sem::remove(set_id).unwrap();
        receiver.succeeds();
        assert_eq!(queue.send(1, b"to nobody").unwrap_err().errno(), libc::EIDRM);
        assert_eq!(set.release(0).unwrap_err().errno(), libc::EIDRM);
        0
    });
    child.succeeds();
}
