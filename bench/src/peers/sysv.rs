//! The kernel's System V queue: msgsnd(2) and msgrcv(2).
//!
//! Its limits are the machine's (`kernel.msgmax` a message, `kernel.msgmnb` a queue; 8 and 16 KiB unless somebody raised
//! them). [`raise_limits`] gives a privileged run limits of its own.

use std::fs;
use std::io;
use std::rc::Rc;

use super::{Frame, Link, Receiver, Sender};
use crate::harness::{Task, check, unsupported};

/// Moves this run into an IPC namespace of its own and raises the limits there, if it may: the machine's own stay as
/// they are, and with the last worker everything is gone that a killed run left. Says what came of it.
pub(crate) fn raise_limits() -> String {
    // SAFETY: gives this process a fresh IPC namespace and touches no memory.
    if unsafe { libc::unshare(libc::CLONE_NEWIPC) } < 0 {
        return format!("as the machine has them (no IPC namespace of its own: {})", io::Error::last_os_error());
    }
    let raised = [("msgmax", 1 << 24), ("msgmnb", 1 << 24), ("shmmni", 1 << 15)]
        .map(|(limit, value)| fs::write(format!("/proc/sys/kernel/{limit}"), value.to_string()));
    match raised.into_iter().collect::<io::Result<Vec<()>>>() {
        Ok(_) => "raised, in an IPC namespace of its own".into(),
        Err(error) => format!("as a new IPC namespace has them ({error})"),
    }
}

fn limit(name: &str) -> io::Result<usize> {
    let text = fs::read_to_string(format!("/proc/sys/kernel/{name}"))?;
    text.trim().parse().map_err(io::Error::other)
}

/// A queue; removed by the process that made it.
struct Queue(libc::c_int);

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: IPC_RMID takes no third argument; the identifier is ours.
        unsafe { libc::msgctl(self.0, libc::IPC_RMID, std::ptr::null_mut()) };
    }
}

#[derive(Clone)]
pub(crate) struct Sysv(Rc<Queue>);

impl Link for Sysv {
    type Sender = Self;
    type Receiver = Self;

    fn make(task: &Task, _: &str) -> io::Result<Self> {
        let (longest, largest) = (limit("msgmax")?, limit("msgmnb")?);
        if task.cell.size > longest || task.cell.size > largest {
            return Err(unsupported(format!("msgmax is {longest}, msgmnb {largest}: only root may raise them")));
        }
        // SAFETY: makes a new object and touches no memory.
        let id = unsafe { libc::msgget(libc::IPC_PRIVATE, 0o600) };
        check(id)?;
        let queue = Self(Rc::new(Queue(id)));
        queue.limit_bytes(task.capacity.min(largest))?;
        Ok(queue)
    }

    fn sender(&self) -> io::Result<Self> {
        Ok(self.clone())
    }

    fn receiver(&self) -> io::Result<Self> {
        Ok(self.clone())
    }
}

impl Sysv {
    fn limit_bytes(&self, bytes: usize) -> io::Result<()> {
        // SAFETY: a zeroed msqid_ds is a valid one, which the kernel first fills and then reads.
        unsafe {
            let mut status: libc::msqid_ds = std::mem::zeroed();
            check(libc::msgctl(self.0.0, libc::IPC_STAT, &raw mut status))?;
            status.msg_qbytes = bytes as libc::msglen_t;
            check(libc::msgctl(self.0.0, libc::IPC_SET, &raw mut status))
        }
    }

    fn receive(&self, frame: &mut Frame, flags: libc::c_int) -> io::Result<usize> {
        let size = frame.body().len();
        let buffer = frame.with_type_mut().as_mut_ptr().cast();
        // SAFETY: the buffer is a type and `size` bytes long.
        let length = unsafe { libc::msgrcv(self.0.0, buffer, size, 0, flags) };
        usize::try_from(length).map_err(|_| io::Error::last_os_error())
    }
}

impl Sender for Sysv {
    fn send(&mut self, frame: &Frame) -> io::Result<()> {
        let (message, size) = (frame.with_type().as_ptr().cast(), frame.body().len());
        // SAFETY: the message is a type and `size` bytes long.
        check(unsafe { libc::msgsnd(self.0.0, message, size, 0) })
    }
}

impl Receiver for Sysv {
    fn recv(&mut self, frame: &mut Frame) -> io::Result<usize> {
        self.receive(frame, 0)
    }

    fn poll(&mut self, frame: &mut Frame) -> io::Result<usize> {
        loop {
            match self.receive(frame, libc::IPC_NOWAIT) {
                Err(error) if error.raw_os_error() == Some(libc::ENOMSG) => {}
                result => return result,
            }
        }
    }
}
