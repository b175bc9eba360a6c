//! Our queue, from Rust.

use std::hint::black_box;
use std::io;

use madang::{Batch, Deadline, Queue, Select};

use super::{BATCH, Frame, Link, Receiver, Sender};
use crate::harness::Task;

/// Names of queues; unlinked when dropped.
pub(super) struct Names(pub(super) Vec<String>);

impl Drop for Names {
    fn drop(&mut self) {
        for name in &self.0 {
            // A worker that failed early made no queue.
            let _ = Queue::unlink(name);
        }
    }
}

/// A queue by its name: each worker opens it for itself, as strangers do.
pub(crate) struct Madang {
    names: Names,
    capacity: u64,
}

impl Madang {
    fn open(&self) -> io::Result<Queue> {
        Ok(Queue::options().capacity(self.capacity).open(&self.names.0[0])?)
    }
}

impl Link for Madang {
    type Sender = Handle;
    type Receiver = Handle;

    fn make(task: &Task, name: &str) -> io::Result<Self> {
        let link = Self { names: Names(vec![name.to_owned()]), capacity: task.capacity as u64 };
        link.open()?;
        Ok(link)
    }

    fn sender(&self) -> io::Result<Handle> {
        Ok(Handle(self.open()?))
    }

    fn receiver(&self) -> io::Result<Handle> {
        Ok(Handle(self.open()?))
    }
}

pub(crate) struct Handle(Queue);

impl Sender for Handle {
    #[inline]
    fn send(&mut self, frame: &Frame) -> io::Result<()> {
        Ok(self.0.send(1, frame.body())?)
    }
}

/// An awake partner waits here as everybody does who calls `recv`: by the spin that comes before each sleep.
impl Receiver for Handle {
    #[inline]
    fn recv(&mut self, frame: &mut Frame) -> io::Result<usize> {
        let received = self.0.recv_into(Select::Any, frame.body_mut(), Deadline::NEVER)?;
        Ok(received.length)
    }
}

/// The same queue by `try` in a loop, as the peers from the kernel are polled.
pub(crate) struct Polled(Madang);

impl Link for Polled {
    type Sender = Handle;
    type Receiver = Poller;

    fn make(task: &Task, name: &str) -> io::Result<Self> {
        Madang::make(task, name).map(Self)
    }

    fn sender(&self) -> io::Result<Handle> {
        self.0.sender()
    }

    fn receiver(&self) -> io::Result<Poller> {
        Ok(Poller(self.0.open()?))
    }
}

pub(crate) struct Poller(Queue);

impl Receiver for Poller {
    #[inline]
    fn recv(&mut self, frame: &mut Frame) -> io::Result<usize> {
        loop {
            match self.0.recv_into(Select::Any, frame.body_mut(), Deadline::NOW) {
                Ok(received) => return Ok(received.length),
                Err(error) if error.errno() == libc::EAGAIN => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// The same queue by `send_many` and `recv_many`.
pub(crate) struct Batched(Madang);

impl Link for Batched {
    type Sender = BatchHandle;
    type Receiver = BatchHandle;

    fn make(task: &Task, name: &str) -> io::Result<Self> {
        Madang::make(task, name).map(Self)
    }

    fn sender(&self) -> io::Result<BatchHandle> {
        // What a batch of the longest messages of its rows takes.
        Ok(BatchHandle { queue: self.0.open()?, batch: Batch::new(BATCH, BATCH << 10) })
    }

    fn receiver(&self) -> io::Result<BatchHandle> {
        self.sender()
    }
}

pub(crate) struct BatchHandle {
    queue: Queue,
    batch: Batch,
}

impl Sender for BatchHandle {
    fn send(&mut self, frame: &Frame) -> io::Result<()> {
        Ok(self.queue.send(1, frame.body())?)
    }

    fn send_times(&mut self, frame: &Frame, times: usize) -> io::Result<()> {
        let messages = [(1, frame.body()); BATCH];
        for done in (0..times).step_by(BATCH) {
            self.queue.send_many(black_box(&messages[..BATCH.min(times - done)]))?;
        }
        Ok(())
    }
}

impl Receiver for BatchHandle {
    fn recv(&mut self, frame: &mut Frame) -> io::Result<usize> {
        Ok(self.queue.recv_into(Select::Any, frame.body_mut(), Deadline::NEVER)?.length)
    }

    fn recv_some(&mut self, _: &mut Frame, see: &mut impl FnMut(&[u8])) -> io::Result<()> {
        self.queue.recv_many(Select::Any, &mut self.batch)?;
        black_box(&self.batch).iter().for_each(|(_, data)| see(data));
        Ok(())
    }
}
