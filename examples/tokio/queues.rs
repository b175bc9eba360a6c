//! Queues in tokio: all tasks of a process wait by one descriptor, a [`Watcher`]'s.
//!
//! A file to copy, rather than a feature of madang: fifty lines that need tokio's `rt`, `net` and `sync`, of whatever version the
//! program has. (Where there are few queues it is simpler still: an [`AsyncFd`] over [`Queue::recv_fd`]; try, and on
//! `EAGAIN` `clear_ready`.)
//!
//! **No message is lost to a cancelled task**: it is notified, and then tries by itself; nothing is awaited between a try that succeeded and
//! the return. All who wait for a queue are notified; where hundreds of tasks wait for one, let one of them receive, and hand on by a
//! channel.

use std::collections::HashMap;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use madang::{Error, Message, Queue, Result, Select, Watcher};
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// What a process's tasks wait on. Made in a runtime, whose task it uses until it is dropped.
pub struct Queues {
    shared: Arc<Mutex<Shared>>,
    rings: JoinHandle<()>,
}

struct Shared {
    watcher: Watcher,
    /// By the watcher's key: who waits for that queue.
    waiting: HashMap<u64, Arc<Notify>>,
}

/// The watcher's descriptor, for tokio's reactor; and the watcher, so that it isn't closed before.
struct Descriptor(RawFd, Arc<Mutex<Shared>>);

impl AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.0
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Queues {
    /// To be called in a runtime that has its I/O enabled.
    ///
    /// # Errors
    /// As [`Watcher::new`].
    pub fn new() -> Result<Self> {
        let mut watcher = Watcher::new()?;
        watcher.tick(true);
        let number = watcher.as_fd().as_raw_fd();
        let shared = Arc::new(Mutex::new(Shared { watcher, waiting: HashMap::new() }));
        let failed = |error: std::io::Error| Error::new(error.raw_os_error().unwrap_or(libc::EIO), "AsyncFd::new");
        // (From tokio 1.54 on there is `register` too, which is unsafe, and asks for what holds here.)
        #[allow(deprecated, reason = "older ones have nothing else")]
        let descriptor = AsyncFd::new(Descriptor(number, shared.clone())).map_err(failed)?;
        Ok(Self { rings: tokio::spawn(ring(descriptor)), shared })
    }

    /// A queue whose tasks may wait.
    ///
    /// # Errors
    /// As [`Watcher::add`].
    pub fn add(&self, queue: Queue) -> Result<AsyncQueue> {
        let queue = Arc::new(queue);
        let mut shared = lock(&self.shared);
        // Those that are closed.
        shared.waiting.retain(|_, rung| Arc::strong_count(rung) > 1);
        let key = shared.watcher.add(&queue)?;
        let rung = shared.waiting.entry(key).or_default().clone();
        Ok(AsyncQueue { queue, rung })
    }
}

impl Drop for Queues {
    fn drop(&mut self) {
        self.rings.abort();
    }
}

/// Notifies all who wait for what rang.
async fn ring(descriptor: AsyncFd<Descriptor>) {
    while let Ok(mut ready) = descriptor.readable().await {
        // Before it is emptied: what rings after that is news.
        ready.clear_ready();
        let mut shared = lock(&descriptor.get_ref().1);
        for rung in shared.watcher.rung() {
            if let Some(waiting) = shared.waiting.get(&rung.key) {
                waiting.notify_waiters();
            }
        }
    }
}

/// A queue, for tasks.
#[derive(Clone)]
pub struct AsyncQueue {
    queue: Arc<Queue>,
    rung: Arc<Notify>,
}

impl AsyncQueue {
    /// Receives; see [`Queue::recv`].
    ///
    /// # Errors
    /// As [`Queue::try_recv`], but never `EAGAIN`.
    pub async fn recv(&self, select: Select) -> Result<Message> {
        self.until(|| self.queue.try_recv(select)).await
    }

    /// Sends; see [`Queue::send`].
    ///
    /// # Errors
    /// As [`Queue::try_send`], but never `EAGAIN`.
    pub async fn send(&self, mtype: i64, data: &[u8]) -> Result<()> {
        self.until(|| self.queue.try_send(mtype, data)).await
    }

    async fn until<T>(&self, attempt: impl Fn() -> Result<T>) -> Result<T> {
        loop {
            // Who always finds something lets others run all the same.
            tokio::task::consume_budget().await;
            // It counts from here on, so a ring between the try and the wait is not missed.
            let rung = self.rung.notified();
            match attempt() {
                Err(error) if error.errno() == libc::EAGAIN => rung.await,
                done => return done,
            }
        }
    }
}
