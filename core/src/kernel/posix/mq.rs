//! Message queues of the kernel, with priorities: mq_overview(7).
//!
//! On Linux a queue's descriptor is a file descriptor. So it is waited for by poll(2), with the monotonic clock, where mq_timedsend(3) and
//! its brother have only the one that is set. For that the descriptor doesn't block; that is a property of the open description,
//! which nobody shares unless he was given it.
//!
//! **The mode.** mq_open(3) knows no queue without a name, and takes the umask's bits away. So a new queue gets its mode by
//! fchmod(2) right after it was made; for that moment, it may have less than was asked for, never more.

#![forbid(unsafe_code)]

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::Listed;
use crate::Create;
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::kernel::wait::until_ready;
use crate::name;
use crate::sys::{Errno, file, mq, poll};

/// Where queues can be seen as files, if that is mounted.
const MOUNTED: &CStr = c"/dev/mqueue";

/// The limits of whom the kernel doesn't trust, and the size of a queue whose maker doesn't say.
const LIMITS: &str = "/proc/sys/fs/mqueue";

/// The greatest priority (`MQ_PRIO_MAX` - 1, limits.h).
pub const MAX_PRIORITY: u32 = 32_767;

/// How often a name may vanish or appear between two looks before that is an error.
const RACES: u32 = 100;

/// What a queue is opened for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// To send and to receive: needs the permission to read and to write.
    #[default]
    Both,
    /// Only to receive: needs the permission to read.
    Receive,
    /// Only to send: needs the permission to write.
    Send,
}

impl Access {
    fn flags(self) -> i32 {
        match self {
            Self::Both => libc::O_RDWR,
            Self::Receive => libc::O_RDONLY,
            Self::Send => libc::O_WRONLY,
        }
    }
}

/// How a queue is opened; made by [`Queue::options`].
#[derive(Clone, Debug, Default)]
pub struct QueueOptions {
    create: Create,
    mode: u32,
    max_messages: u64,
    max_message_size: u64,
    access: Access,
}

impl QueueOptions {
    /// Whether it may be created; by default if it is missing.
    #[must_use]
    pub fn create(mut self, create: Create) -> Self {
        self.create = create;
        self
    }

    /// The permission bits of a new queue, exactly (no umask); by default, and for 0, `0o600`.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// How many messages a new queue holds; of an existing one the least that will do. By default, and for 0, what
    /// `/proc/sys/fs/mqueue/msg_default` says, mostly 10. Up to `msg_max` there; with `CAP_SYS_RESOURCE` up to 65,536.
    #[must_use]
    pub fn max_messages(mut self, messages: u64) -> Self {
        self.max_messages = messages;
        self
    }

    /// How long a message in a new queue may be, in bytes; of an existing one the least that will do. By default, and for 0, what
    /// `/proc/sys/fs/mqueue/msgsize_default` says, mostly 8,192. Up to `msgsize_max` there; with `CAP_SYS_RESOURCE` up to 16 MiB.
    ///
    /// All queues of a user may together hold `RLIMIT_MSGQUEUE` bytes (getrlimit(2)), mostly 819,200; they are counted at creation.
    #[must_use]
    pub fn max_message_size(mut self, bytes: u64) -> Self {
        self.max_message_size = bytes;
        self
    }

    /// What it is opened for.
    #[must_use]
    pub fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// Opens the queue `name`, which is 1 to 255 bytes without `/`. Doesn't wait.
    ///
    /// # Errors
    /// `ENOENT`, `EEXIST` as [`create`](Self::create) says; `EACCES`; `EINVAL` for a bad name, for limits above the machine's, or where an
    /// existing queue is smaller than asked for; `EMFILE` above `RLIMIT_MSGQUEUE`, or for too many descriptors; `ENOSPC` for too
    /// many queues; `ENFILE`, `ENOMEM`.
    pub fn open(&self, name: &str) -> Result<Queue> {
        let doing = format!("mq_open {name:?}");
        let path = name::message_queue(name)?;
        let mode = super::mode(self.mode, &doing)?;
        for _ in 0..RACES {
            if self.create != Create::Only {
                match mq::open(&path, self.access.flags(), 0, None) {
                    Err(Errno(libc::ENOENT)) if self.create == Create::IfMissing => {}
                    Err(errno) => return Err(self.cannot_open(errno, &doing)),
                    Ok(fd) => return self.found(fd, name, &doing),
                }
            }
            match self.make(&path, mode, &doing) {
                Err(error) if error.errno() == libc::EEXIST && self.create == Create::IfMissing => {}
                Err(error) => return Err(error),
                Ok(fd) => return Queue::new(fd, name.to_owned(), self.access, true, &doing),
            }
        }
        Err(Error::new(libc::EBUSY, format!("{doing}: others keep making and removing it: try again")))
    }

    fn found(&self, fd: OwnedFd, name: &str, doing: &str) -> Result<Queue> {
        let queue = Queue::new(fd, name.to_owned(), self.access, false, doing)?;
        let (messages, size) = (queue.max_messages, queue.max_message_size as u64);
        if messages < self.max_messages || size < self.max_message_size {
            let what = format!(
                "{doing}: it holds {messages} messages of {size} bytes, {} of {} were asked for: unlink it, or ask for less",
                self.max_messages, self.max_message_size
            );
            return Err(Error::new(libc::EINVAL, what));
        }
        Ok(queue)
    }

    fn make(&self, path: &CStr, mode: u32, doing: &str) -> Result<OwnedFd> {
        let flags = self.access.flags() | libc::O_CREAT | libc::O_EXCL;
        let limits = self.limits();
        let fd = mq::open(path, flags, mode & 0o600, limits).map_err(|errno| cannot_make(errno, limits, doing))?;
        file::set_mode(fd.as_fd(), mode).map_err(|errno| {
            // It is nobody's yet.
            let _ = mq::unlink(path);
            errno.during(format!("{doing}: fchmod"))
        })?;
        Ok(fd)
    }

    /// What the kernel is to be asked for; nothing where all is left to it.
    fn limits(&self) -> Option<(u64, u64)> {
        let or_default = |asked: u64, name: &str, usual: u64| match asked {
            0 => limit(&format!("{name}_default")).unwrap_or(usual).min(limit(&format!("{name}_max")).unwrap_or(usual)),
            asked => asked,
        };
        let given = self.max_messages > 0 || self.max_message_size > 0;
        given.then(|| (or_default(self.max_messages, "msg", 10), or_default(self.max_message_size, "msgsize", 8192)))
    }

    fn cannot_open(&self, errno: Errno, doing: &str) -> Error {
        errno.during(match errno.0 {
            libc::ENOENT => format!("{doing}: there is none, and the call does not create it"),
            libc::EACCES => format!("{doing}: its mode does not permit this user to use it so"),
            _ => doing.to_owned(),
        })
    }
}

/// A number in `/proc/sys/fs/mqueue`.
fn limit(name: &str) -> Option<u64> {
    std::fs::read_to_string(format!("{LIMITS}/{name}")).ok()?.trim().parse().ok()
}

#[cold]
fn cannot_make(errno: Errno, limits: Option<(u64, u64)>, doing: &str) -> Error {
    let size = limits.map_or_else(String::new, |(count, size)| format!(" for {count} messages of {size} bytes"));
    let told = |name: &str| limit(name).map_or_else(|| "?".to_owned(), |limit| limit.to_string());
    errno.during(match errno.0 {
        libc::EEXIST => format!("{doing}: the name is taken, and the call only creates"),
        libc::EINVAL => format!(
            "create{size}, {doing}: {LIMITS} has msg_max {}, msgsize_max {}: ask for less, or let root raise them",
            told("msg_max"),
            told("msgsize_max")
        ),
        libc::EMFILE => format!(
            "create{size}, {doing}: more than this user's queues may hold together (RLIMIT_MSGQUEUE, `ulimit -q`, in bytes): ask for \
             less, unlink others, or raise it; or the process has too many open files"
        ),
        libc::ENOSPC => {
            format!("create{size}, {doing}: {LIMITS}/queues_max, {}, is reached: unlink others", told("queues_max"))
        }
        _ => format!("create{size}, {doing}"),
    })
}

/// A message that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// Up to [`MAX_PRIORITY`]; the greatest in the queue comes first.
    pub priority: u32,
    /// Its bytes.
    pub data: Vec<u8>,
}

/// What is said of a message that was received into a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Received {
    /// How many bytes of the buffer it filled.
    pub length: usize,
    /// Up to [`MAX_PRIORITY`]; the greatest in the queue comes first.
    pub priority: u32,
}

/// What [`Queue::stat`] tells; a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueStatus {
    /// The most messages that it holds.
    pub max_messages: u64,
    /// The most bytes that one of them has.
    pub max_message_size: u64,
    /// Messages held.
    pub messages: u64,
    /// What they have together, in bytes; not known where it was opened only to send.
    pub bytes: Option<u64>,
    /// Whom the queue is to tell of a message (see [`Queue::notify`]): a process id, 0 for nobody, or for one of another pid
    /// namespace; not known where it was opened only to send.
    pub notified_pid: Option<u32>,
    /// Permission bits.
    pub mode: u32,
    /// The owner's user id.
    pub uid: u32,
    /// The owner's group id.
    pub gid: u32,
}

/// How a process is told of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notify {
    /// By this signal, which carries a value (`si_value`), `SI_MESGQ` as its code, and the sender's pid and user (sigaction(2)).
    Signal {
        /// The signal's number.
        signal: i32,
        /// What it carries.
        value: i32,
    },
    /// Not at all; but nobody else can be registered meanwhile.
    Nothing,
}

/// A message queue of the kernel's (mq_overview(7)).
///
/// A message is some bytes with a priority, 0 to [`MAX_PRIORITY`]. The one with the greatest is received first; of several, the one sent
/// first. Any number of processes send and receive; each message is received once.
///
/// It persists until it is [unlinked](Self::unlink), or the machine stops. Any thread may use a handle at any time; a forked child
/// may use the one that it inherited. Dropping it closes it, which takes back what this process
/// [registered](Self::notify) with the queue, by whatever handle (mq_close(3)).
///
/// ```
/// # let name = format!("mq-example-{}", std::process::id());
/// # let name = name.as_str();
/// use madang::posix::mq::Queue;
///
/// let queue = Queue::open(name)?; // opens it, or creates it with mode 0600
/// queue.send(1, b"one coffee")?;
/// queue.send(7, b"two teas")?;
/// let message = queue.recv()?;
/// assert_eq!((message.priority, &message.data[..]), (7, &b"two teas"[..]));
/// Queue::unlink(name)?;
/// # Ok::<(), madang::Error>(())
/// ```
#[doc(alias = "mq_open")]
#[derive(Debug)]
pub struct Queue {
    fd: OwnedFd,
    name: String,
    access: Access,
    max_messages: u64,
    max_message_size: usize,
    is_new: bool,
}

impl Queue {
    /// All defaults; change what you need, then [`open`](QueueOptions::open).
    #[must_use]
    pub fn options() -> QueueOptions {
        QueueOptions::default()
    }

    /// Opens the queue `name`, or creates it, with all defaults: as [`QueueOptions::open`].
    ///
    /// # Errors
    /// As [`QueueOptions::open`].
    pub fn open(name: &str) -> Result<Self> {
        Self::options().open(name)
    }

    /// Takes the name away; who has the queue open goes on with it. The next open makes a new one.
    ///
    /// # Errors
    /// `ENOENT`; `EPERM` (or `EACCES`) if it is another user's; `EINVAL` or `ENAMETOOLONG` for a bad name.
    #[doc(alias = "mq_unlink")]
    pub fn unlink(name: &str) -> Result<()> {
        mq::unlink(&name::message_queue(name)?).map_err(|errno| {
            errno.during(match errno.0 {
                libc::ENOENT => format!("mq_unlink {name:?}: there is none"),
                libc::EACCES | libc::EPERM => format!("mq_unlink {name:?}: only its owner may, and root"),
                _ => format!("mq_unlink {name:?}"),
            })
        })
    }

    fn new(fd: OwnedFd, name: String, access: Access, is_new: bool, doing: &str) -> Result<Self> {
        let attributes = mq::attributes(fd.as_fd()).map_err(|errno| errno.during(format!("{doing}: mq_getattr")))?;
        let max_message_size = usize::try_from(attributes.max_message_size).unwrap_or(usize::MAX);
        Ok(Self { fd, name, access, max_messages: attributes.max_messages, max_message_size, is_new })
    }

    /// The name by which it was opened; empty if it was made of a descriptor.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether this very open created it.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// What it was opened for.
    #[must_use]
    pub fn access(&self) -> Access {
        self.access
    }

    /// The most messages that it holds.
    #[must_use]
    pub fn max_messages(&self) -> u64 {
        self.max_messages
    }

    /// The most bytes that a message may have.
    #[must_use]
    pub fn max_message_size(&self) -> usize {
        self.max_message_size
    }

    /// Sends, if it needn't wait.
    ///
    /// # Errors
    /// `EAGAIN` if it is full; else as [`send_until`](Self::send_until).
    pub fn try_send(&self, priority: u32, data: &[u8]) -> Result<()> {
        self.send_until(priority, data, Deadline::NOW)
    }

    /// Sends; waits for ever for room.
    ///
    /// # Errors
    /// As [`send_until`](Self::send_until).
    pub fn send(&self, priority: u32, data: &[u8]) -> Result<()> {
        self.send_until(priority, data, Deadline::NEVER)
    }

    /// Sends; waits for room until then (mq_send(3)).
    ///
    /// # Errors
    /// `ETIMEDOUT`; `EINTR` if a signal handler ran while it waited, and nothing was sent; `EMSGSIZE` if it is longer than
    /// [`max_message_size`](Self::max_message_size); `EINVAL` for a priority above [`MAX_PRIORITY`]; `EBADF` if it was opened only to receive.
    #[doc(alias = "mq_send", alias = "mq_timedsend")]
    pub fn send_until(&self, priority: u32, data: &[u8], deadline: Deadline) -> Result<()> {
        if priority > MAX_PRIORITY {
            let what = format!("{}: a priority of {priority}: it is {MAX_PRIORITY} at most", self.doing("send"));
            return Err(Error::new(libc::EINVAL, what));
        }
        if data.len() > self.max_message_size {
            let (length, most) = (data.len(), self.max_message_size);
            let what =
                format!("{}: a message of {length} bytes: in this queue it has {most} at most", self.doing("send"));
            return Err(Error::new(libc::EMSGSIZE, what));
        }
        self.permits(Access::Receive, "send")?;
        let doing = || format!("{} of {} bytes", self.doing("send"), data.len());
        until_ready(self.fd.as_fd(), poll::OUT, deadline, doing, || mq::send(self.fd.as_fd(), priority, data))
    }

    /// Receives, if it needn't wait.
    ///
    /// # Errors
    /// `EAGAIN` if it is empty; else as [`recv_until`](Self::recv_until).
    pub fn try_recv(&self) -> Result<Message> {
        self.recv_until(Deadline::NOW)
    }

    /// Receives the first message of the greatest priority; waits for ever for one.
    ///
    /// # Errors
    /// As [`recv_until`](Self::recv_until).
    pub fn recv(&self) -> Result<Message> {
        self.recv_until(Deadline::NEVER)
    }

    /// Receives the first message of the greatest priority; waits for one until then (mq_receive(3)).
    ///
    /// # Errors
    /// `ETIMEDOUT`; `EINTR` if a signal handler ran while it waited, and nothing was received; `EBADF` if it was opened only to send.
    #[doc(alias = "mq_receive", alias = "mq_timedreceive")]
    pub fn recv_until(&self, deadline: Deadline) -> Result<Message> {
        let mut data = vec![0; self.max_message_size];
        let Received { length, priority } = self.recv_into(&mut data, deadline)?;
        data.truncate(length);
        Ok(Message { priority, data })
    }

    /// As [`recv_until`](Self::recv_until), into `buffer`, which must have room for the longest message that the queue takes.
    ///
    /// # Errors
    /// `E2BIG` if it has not: [`Error::length`] says what it needs. Else as [`recv_until`](Self::recv_until).
    pub fn recv_into(&self, buffer: &mut [u8], deadline: Deadline) -> Result<Received> {
        self.check_room(buffer.len())?;
        self.receive(deadline, || mq::receive_bytes(self.fd.as_fd(), buffer))
    }

    /// As [`recv_into`](Self::recv_into), into a buffer that need not be initialised; the first [`length`](Received::length) bytes of it
    /// are, when it succeeds.
    ///
    /// # Errors
    /// As [`recv_into`](Self::recv_into).
    pub fn recv_into_uninit(&self, buffer: &mut [MaybeUninit<u8>], deadline: Deadline) -> Result<Received> {
        self.check_room(buffer.len())?;
        self.receive(deadline, || mq::receive(self.fd.as_fd(), buffer))
    }

    /// The kernel would refuse it, and only then.
    fn check_room(&self, length: usize) -> Result<()> {
        if length < self.max_message_size {
            let longest = self.max_message_size as u64;
            return Err(Error::too_big(longest).during(format!("{}: it may hold longer ones", self.doing("recv"))));
        }
        Ok(())
    }

    fn receive(
        &self,
        deadline: Deadline,
        attempt: impl FnMut() -> std::result::Result<(usize, u32), Errno>,
    ) -> Result<Received> {
        self.permits(Access::Send, "recv")?;
        let (length, priority) = until_ready(self.fd.as_fd(), poll::IN, deadline, || self.doing("recv"), attempt)?;
        Ok(Received { length, priority })
    }

    /// The kernel's `EBADF` in words: it is open, but only for the other thing.
    fn permits(&self, opposite: Access, verb: &str) -> Result<()> {
        if self.access == opposite {
            let only = if opposite == Access::Send { "send" } else { "receive" };
            return Err(Error::new(libc::EBADF, format!("{}: it was opened only to {only}", self.doing(verb))));
        }
        Ok(())
    }

    /// What it is, and what it holds (mq_getattr(3)).
    ///
    /// # Errors
    /// None that is known.
    #[doc(alias = "mq_getattr")]
    pub fn stat(&self) -> Result<QueueStatus> {
        let during = |errno: Errno| errno.during(self.doing("stat"));
        let attributes = mq::attributes(self.fd.as_fd()).map_err(during)?;
        let file = file::stat(self.fd.as_fd()).map_err(during)?;
        let told = Told::read(self.fd.as_fd());
        Ok(QueueStatus {
            max_messages: attributes.max_messages,
            max_message_size: attributes.max_message_size,
            messages: attributes.messages,
            bytes: told.as_ref().map(|told| told.bytes),
            notified_pid: told.map(|told| told.pid),
            mode: file.permissions(),
            uid: file.uid,
            gid: file.gid,
        })
    }

    /// Registers this process to be told, once, when a message comes into the empty queue (mq_notify(3)).
    ///
    /// Only one process at a time can be. It isn't told as long as somebody waits in a plain `mq_receive`; who waits by this
    /// library, or by poll(2), doesn't count as such. When it was told it is registered no more. So: register anew first, then
    /// [receive](Self::try_recv) until `EAGAIN`. The registration goes when this process closes any handle of the queue.
    ///
    /// # Errors
    /// `EBUSY` if a process is registered already, be it this one; `EINVAL` for a signal that there isn't.
    #[doc(alias = "mq_notify")]
    pub fn notify(&self, how: Notify) -> Result<()> {
        let signal = match how {
            Notify::Signal { signal, value } => Some((signal, value)),
            Notify::Nothing => None,
        };
        mq::notify(self.fd.as_fd(), signal).map_err(|errno| {
            let doing = self.doing("notify");
            errno.during(match errno.0 {
                libc::EBUSY => format!("{doing}: a process is registered already; only one can be"),
                libc::EINVAL => format!("{doing}: there is no signal {}", signal.map_or(0, |(number, _)| number)),
                _ => doing,
            })
        })
    }

    /// Takes back what this process registered; does nothing if it is not registered.
    ///
    /// # Errors
    /// None that is known.
    pub fn cancel_notify(&self) -> Result<()> {
        mq::cancel_notify(self.fd.as_fd()).map_err(|errno| errno.during(self.doing("cancel the notification")))
    }

    fn doing(&self, verb: &str) -> String {
        format!("posix queue {:?}: {verb}", self.name)
    }
}

/// The descriptor: readable when there is a message, writable when there is room (poll(2)).
impl AsFd for Queue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl From<Queue> for OwnedFd {
    fn from(queue: Queue) -> Self {
        queue.fd
    }
}

/// A descriptor that was inherited or received; from now on it doesn't block, for all who share the description.
impl TryFrom<OwnedFd> for Queue {
    type Error = Error;

    fn try_from(fd: OwnedFd) -> Result<Self> {
        let doing = "a posix queue of a descriptor";
        let during = |errno: Errno| {
            errno.during(match errno.0 {
                libc::EBADF => format!("{doing}: it is not one of a message queue"),
                _ => doing.to_owned(),
            })
        };
        mq::set_nonblocking(fd.as_fd()).map_err(during)?;
        let access = match file::access(fd.as_fd()).map_err(during)? {
            (true, false) => Access::Receive,
            (false, true) => Access::Send,
            _ => Access::Both,
        };
        Self::new(fd, String::new(), access, false, doing)
    }
}

/// What the kernel tells in a queue's file, also by its descriptor: `QSIZE:129 NOTIFY:2 SIGNO:0 NOTIFY_PID:8260`.
struct Told {
    bytes: u64,
    pid: u32,
}

impl Told {
    fn read(fd: BorrowedFd) -> Option<Self> {
        let mut text = [0; 128];
        let length = file::read_bytes_at(fd, &mut text, 0).ok()?;
        let text = str::from_utf8(text.get(..length)?).ok()?;
        let number = |key: &str| text.split_whitespace().find_map(|pair| pair.strip_prefix(key)?.parse().ok());
        Some(Self { bytes: number("QSIZE:")?, pid: u32::try_from(number("NOTIFY_PID:")?).ok()? })
    }
}

/// The queues that exist, in the order of their names; a snapshot.
///
/// They can be seen only where their file system is mounted, by root:
/// `mkdir -p /dev/mqueue && mount -t mqueue none /dev/mqueue`.
///
/// # Errors
/// `ENOENT` where it is not mounted.
pub fn list() -> Result<Vec<Listed>> {
    if !mq::shows_queues(MOUNTED).unwrap_or(false) {
        let how = "mkdir -p /dev/mqueue && mount -t mqueue none /dev/mqueue";
        let what =
            format!("list posix queues: their file system is not mounted, so they can't be seen; as root: {how}");
        return Err(Error::new(libc::ENOENT, what));
    }
    let mut found = super::files(MOUNTED, |file| Some(file))?;
    for queue in &mut found {
        queue.size = bytes_of(&queue.name);
    }
    Ok(found)
}

/// What a queue holds in bytes, if it may be read.
fn bytes_of(name: &str) -> Option<u64> {
    let path: CString = name::join(MOUNTED, name.as_bytes());
    Told::read(file::open(&path, false).ok()?.as_fd()).map(|told| told.bytes)
}
