//! The kernel's POSIX queue: mq_send(3) and mq_receive(3).
//!
//! 10 messages of 8 KiB unless somebody raised the limits; and all queues of a user together hold 819,200 bytes unless
//! root lifted that. So it gets as many messages as it may, up to what the other queues hold.

use std::ffi::CString;
use std::fs;
use std::io;
use std::rc::Rc;

use super::{Frame, Link, Receiver, Sender};
use crate::harness::{Scenario, Task, check, unsupported};

/// How many messages the kernel gives a queue at most, whatever the limits say.
const MOST: usize = 65_536;

/// How many it gives everybody.
const USUAL: usize = 10;

/// Raises the limits in this run's own IPC namespace, and that of a user's bytes for this process, where it may.
pub(crate) fn raise_limits() {
    let all = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the call only reads `all`.
    unsafe { libc::setrlimit(libc::RLIMIT_MSGQUEUE, &raw const all) };
    for (limit, value) in [("msg_max", MOST), ("msgsize_max", 1 << 24)] {
        // What can't be raised stays, and `make` finds what there is.
        let _ = fs::write(format!("/proc/sys/fs/mqueue/{limit}"), value.to_string());
    }
}

/// An open queue without a name; inherited by fork.
struct Queue(libc::mqd_t);

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: the descriptor is ours and not used again.
        unsafe { libc::mq_close(self.0) };
    }
}

#[derive(Clone)]
pub(crate) struct Mq(Rc<Queue>);

impl Link for Mq {
    type Sender = Self;
    type Receiver = Self;

    fn make(task: &Task, name: &str) -> io::Result<Self> {
        let size = task.cell.size;
        let wanted = (task.capacity / size).clamp(USUAL, MOST);
        let halves = (0..).map(|halvings| wanted >> halvings).take_while(|&messages| messages > USUAL);
        let mut refusal = String::new();
        for messages in halves.chain([USUAL, 4, 2, 1]) {
            match open(task, name, size, messages) {
                Err(error) => refusal = error.to_string(),
                queue => return queue,
            }
        }
        Err(unsupported(format!("not even one message of {size} bytes: {refusal}; only root may raise the limits")))
    }

    fn sender(&self) -> io::Result<Self> {
        Ok(self.clone())
    }

    fn receiver(&self) -> io::Result<Self> {
        Ok(self.clone())
    }
}

/// A round trip polls: then the queue's descriptor doesn't block at all, as few messages never fill it.
fn open(task: &Task, name: &str, size: usize, messages: usize) -> io::Result<Mq> {
    let name = CString::new(format!("/{name}"))?;
    let blocking = if task.cell.scenario == Scenario::Awake { libc::O_NONBLOCK } else { 0 };
    let flags = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL | blocking;
    // SAFETY: a zeroed mq_attr is a valid one; the calls only read it and the name.
    unsafe {
        let mut attributes: libc::mq_attr = std::mem::zeroed();
        attributes.mq_maxmsg = messages as libc::c_long;
        attributes.mq_msgsize = size as libc::c_long;
        let queue = libc::mq_open(name.as_ptr(), flags, 0o600 as libc::mode_t, &raw const attributes);
        check(queue)?;
        libc::mq_unlink(name.as_ptr());
        Ok(Mq(Rc::new(Queue(queue))))
    }
}

impl Sender for Mq {
    fn send(&mut self, frame: &Frame) -> io::Result<()> {
        let body = frame.body();
        // SAFETY: the body is so long.
        check(unsafe { libc::mq_send(self.0.0, body.as_ptr().cast(), body.len(), 0) })
    }
}

impl Receiver for Mq {
    fn recv(&mut self, frame: &mut Frame) -> io::Result<usize> {
        let body = frame.body_mut();
        // SAFETY: the body is so long; the priority isn't asked for.
        let length = unsafe { libc::mq_receive(self.0.0, body.as_mut_ptr().cast(), body.len(), std::ptr::null_mut()) };
        usize::try_from(length).map_err(|_| io::Error::last_os_error())
    }

    fn poll(&mut self, frame: &mut Frame) -> io::Result<usize> {
        loop {
            match self.recv(frame) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
    }
}
