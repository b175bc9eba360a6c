//! The limit of a sleeping round trip: one word, one slot beside it, and nothing but futex(2).

use std::io;
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Frame, Link, Receiver, Sender};
use crate::harness::{Scenario, Task, unsupported};
use crate::shared::Shared;

/// The slot's states.
const EMPTY: u32 = 0;
const FULL: u32 = 1;

/// Where the slot begins, past the word.
const SLOT: usize = 4096;

#[derive(Clone)]
pub(crate) struct Futex(Rc<Shared>);

impl Futex {
    fn word(&self) -> &AtomicU32 {
        // SAFETY: the mapping begins with this word, is zeroed (EMPTY), and lives as long as `self`.
        unsafe { &*self.0.start().cast() }
    }

    fn slot(&self) -> *mut u8 {
        // SAFETY: the mapping was made SLOT bytes longer than a message.
        unsafe { self.0.start().add(SLOT) }
    }
}

impl Link for Futex {
    type Sender = Self;
    type Receiver = Self;

    fn make(task: &Task, _: &str) -> io::Result<Self> {
        if task.cell.scenario != Scenario::Asleep {
            return Err(unsupported("a bare futex is the limit of sleeping round trips only"));
        }
        Ok(Self(Rc::new(Shared::new(SLOT + task.cell.size)?)))
    }

    fn sender(&self) -> io::Result<Self> {
        Ok(self.clone())
    }

    fn receiver(&self) -> io::Result<Self> {
        Ok(self.clone())
    }
}

impl Sender for Futex {
    fn send(&mut self, frame: &Frame) -> io::Result<()> {
        let body = frame.body();
        // SAFETY: the slot is as long as a message, and ours: the partner answers before it is written again.
        unsafe { ptr::copy_nonoverlapping(body.as_ptr(), self.slot(), body.len()) };
        self.word().store(FULL, Ordering::Release);
        // SAFETY: the word lies in a live mapping; waking touches no memory.
        unsafe { libc::syscall(libc::SYS_futex, self.word().as_ptr(), libc::FUTEX_WAKE, 1) };
        Ok(())
    }
}

impl Receiver for Futex {
    fn recv(&mut self, frame: &mut Frame) -> io::Result<usize> {
        let for_ever = ptr::null::<libc::timespec>();
        while self.word().load(Ordering::Acquire) == EMPTY {
            // SAFETY: the word lies in a live mapping, and the kernel only reads it.
            unsafe { libc::syscall(libc::SYS_futex, self.word().as_ptr(), libc::FUTEX_WAIT, EMPTY, for_ever) };
        }
        let body = frame.body_mut();
        // SAFETY: as in `send`; FULL says that the partner has written it.
        unsafe { ptr::copy_nonoverlapping(self.slot(), body.as_mut_ptr(), body.len()) };
        self.word().store(EMPTY, Ordering::Relaxed);
        Ok(body.len())
    }
}
