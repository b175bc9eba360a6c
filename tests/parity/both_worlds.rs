//! One object, two worlds: a program under the drop-in that calls `msgsnd` and `semop`, and Python with madang's own classes.

use std::process::{Command, Stdio};

use crate::c_library::succeed;
use crate::drop_in::{self, Place};

const KEY: i32 = 0x5eed_1234;

const PYTHON: &str = r#"
import madang, sys, time

def opened(kind, name):
    deadline = time.monotonic() + 10
    while True:
        try:
            return kind(name, create="never")
        except FileNotFoundError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.001)

key = "sysv.key.%08x" % int(sys.argv[1])
with opened(madang.Queue, key) as queue:
    question, type = queue.recv(timeout=10)
    print(type, question.decode())
    queue.send(b"fine, and you?", type=3)
with opened(madang.SemaphoreSet, key) as semaphores:
    semaphores.release(1)
"#;

#[test]
fn a_program_and_python() {
    let program = drop_in::compile("peer.c");
    let place = Place::new("worlds");
    let mut asking = place.command("timeout");
    let asking = asking.arg("30").arg(program).arg(KEY.to_string()).stdout(Stdio::piped()).spawn().unwrap();
    let mut answering = Command::new(madang_tests::python());
    answering.env("MADANG_DIR", place.path()).args(["-c", PYTHON, &KEY.to_string()]);
    let heard = succeed(&mut answering);
    let asking = asking.wait_with_output().unwrap();
    assert_eq!(heard, "2 how are you?\n");
    assert_eq!(String::from_utf8_lossy(&asking.stdout), "peer: fine, and you?\npeer: and got the semaphore\n");
    assert!(asking.status.success());
    assert_eq!(place.files(), Vec::<String>::new(), "left behind");
}
