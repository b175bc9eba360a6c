//! How a queue is opened: its limits and its name, and what is checked before an existing one is believed.

#![forbid(unsafe_code)]

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use super::{KIND, Queue};
use crate::error::{Error, Result};
use crate::mapping::Mapping;
use crate::name::Name;
use crate::shared::Create;
use crate::shared::attached::Attached;
use crate::shared::object::{self, Object};
use crate::shared::raw::geometry::{Geometry, MOST_BYTES, MOST_MESSAGES};
use crate::shared::raw::header;
use crate::shared::raw::host::MOST_SLOTS;
use crate::shared::shape;

const DEFAULT_CAPACITY: u64 = 1 << 20;
const DEFAULT_MAX_MESSAGES: u64 = 65_536;
const DEFAULT_PARTICIPANTS: u32 = 1024;

/// How a queue is opened; made by [`Queue::options`].
#[derive(Clone, Debug, Default)]
pub struct QueueOptions {
    object: object::Options,
    capacity: u64,
    max_messages: u64,
    participants: u32,
    sends_alone: bool,
    receives_alone: bool,
    deliveries: u32,
    dead_letters: String,
    is_lean: bool,
    limits: Option<(u64, u64)>,
}

impl QueueOptions {
    /// The most bytes that it holds, 1 to 2⁴⁰; also the longest message. Default 1 MiB. Of an existing queue this is what it must
    /// have at least; 0, the default, takes it as it is. Memory is only taken as it is used.
    #[must_use]
    pub fn capacity(mut self, bytes: u64) -> Self {
        self.capacity = bytes;
        self
    }

    /// The most messages that it holds, 1 to 2³². Default: the lesser of the capacity and 65,536.
    #[must_use]
    pub fn max_messages(mut self, messages: u64) -> Self {
        self.max_messages = messages;
        self
    }

    /// For how many open handles, in all processes together, it has room: 1 to 65,534. Default 1,024.
    #[must_use]
    pub fn max_participants(mut self, handles: u32) -> Self {
        self.participants = handles;
        self
    }

    /// Whether it may be created; by default if it is missing.
    #[must_use]
    pub fn create(mut self, create: Create) -> Self {
        self.object.create = create;
        self
    }

    /// The permission bits of a new queue, exactly (no umask); by default, and for 0, `0o600`. Whoever takes part needs read and
    /// write permission.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.object.mode = mode;
        self
    }

    /// Opens it although it belongs to another user, who can do with it what he likes.
    #[must_use]
    pub fn any_owner(mut self, yes: bool) -> Self {
        self.object.any_owner = yes;
        self
    }

    /// This handle alone sends, as long as it is open: other senders, and whoever asks for the same, get `EBUSY`. Sending costs least
    /// then. It is bound to the first thread that uses it, and to this process: a forked child sends as others do.
    #[must_use]
    pub fn exclusive_sender(mut self, yes: bool) -> Self {
        self.sends_alone = yes;
        self
    }

    /// As [`exclusive_sender`](Self::exclusive_sender), for receiving.
    #[must_use]
    pub fn exclusive_receiver(mut self, yes: bool) -> Self {
        self.receives_alone = yes;
        self
    }

    /// A message of a new queue that was leased `deliveries` times (1 to 65,535), and never acknowledged, goes to the queue
    /// `name`, which is made when it is first needed, instead of being leased again: it may be what kills its receivers. If that queue is
    /// full or can't be had, the message is leased all the same. An existing queue keeps what it was made with.
    #[must_use]
    pub fn dead_letters(mut self, name: &str, deliveries: u16) -> Self {
        name.clone_into(&mut self.dead_letters);
        self.deliveries = deliveries.into();
        self
    }

    /// Opens the queue `name`, which is 1 to 242 bytes without `/`. Doesn't block.
    ///
    /// # Errors
    /// `ENOENT`, `EEXIST` as [`create`](Self::create) says; `EINVAL` for a bad name or limit, or where an existing queue is
    /// smaller than asked for; `ENAMETOOLONG`; `ENOSPC`; `EACCES`; `EPERM` for another user's; `EISDIR`, `ELOOP`, `ENODEV` where
    /// the name is something else than a file; `EPROTOTYPE` where it is another kind of object; `EPROTO` another layout;
    /// `EUCLEAN` damaged; `EUSERS` if the roster is full; `EBUSY` if an end that is asked for alone is in use by one who has it alone,
    /// `ENOTSUP` if it can't be had alone for want of `membarrier(2)`.
    pub fn open(&self, name: &str) -> Result<Queue> {
        self.open_as(Name::object(KIND, name)?, &|_, _| {})
    }

    /// Opens what bears the name; a new queue is described further by `describe` before anybody sees it.
    pub(in crate::shared) fn open_as(&self, name: Name, describe: &dyn Fn(BorrowedFd, &Arc<Mapping>)) -> Result<Queue> {
        let (geometry, Object { fd, stat, is_new }) = self.find_or_make(&name, describe)?;
        let geometry = if is_new { geometry } else { self.check(&name, fd.as_fd(), stat.size)? };
        let mapping = Mapping::of_queue(fd.as_fd(), &geometry)
            .map_err(|errno| errno.during(format!("open {name}: mmap of its header and rings")))?;
        let mapping = Arc::new(mapping);
        let ring = mapping.ring(geometry);
        let attached = Attached::new(name, fd, &stat, mapping, geometry.slots)?;
        let queue = Queue::attach(ring, attached, is_new)?;
        for (alone, senders) in [(self.sends_alone, true), (self.receives_alone, false)] {
            if alone {
                queue.claim(senders)?;
            }
        }
        Ok(queue)
    }

    /// Makes it, if it is missing, without taking part.
    pub(in crate::shared) fn find_or_make(
        &self,
        name: &Name,
        describe: &dyn Fn(BorrowedFd, &Arc<Mapping>),
    ) -> Result<(Geometry, Object)> {
        let geometry = self.geometry(name)?;
        if self.deliveries != 0 {
            Name::object(KIND, &self.dead_letters).map_err(|error| error.during("the dead-letter queue"))?;
        } else if !self.dead_letters.is_empty() {
            let what = format!("open {name}: dead letters after 0 deliveries: at least 1");
            return Err(Error::new(libc::EINVAL, what));
        }
        let fill = |fd: BorrowedFd| {
            for (offset, length) in geometry.first_spaces(self.is_lean) {
                object::allocate(fd, offset, length)?;
            }
            let mapping = Mapping::of_queue(fd, &geometry).map_err(|errno| errno.during("mmap"))?;
            let mapping = Arc::new(mapping);
            let ring = mapping.ring(geometry);
            ring.create(self.is_lean);
            if let Some((bytes, messages)) = self.limits {
                ring.begin_with(bytes, messages);
            }
            ring.set_dead_letters(self.deliveries.into(), &self.dead_letters);
            mapping.header().expect("a queue has a header").write(&geometry.shape());
            describe(fd, &mapping);
            Ok(())
        };
        let object = object::open(name, self.object, || Ok(geometry.shape().size), fill)?;
        Ok((geometry, object))
    }

    /// With these limits in force at first, below those that it is made for.
    #[must_use]
    pub(in crate::shared) fn limits(mut self, bytes: u64, messages: u64) -> Self {
        self.limits = Some((bytes, messages));
        self
    }

    /// Takes as little memory as it can: there may be thousands of them.
    #[must_use]
    pub(in crate::shared) fn lean(mut self) -> Self {
        self.is_lean = true;
        self
    }

    /// What opening an existing queue would say, short of taking part.
    pub(crate) fn look(&self, name: &Name) -> Result<()> {
        let Object { fd, stat, .. } = object::find(name, self.object)?;
        self.check(name, fd.as_fd(), stat.size).map(drop)
    }

    /// What a new queue would be like.
    fn geometry(&self, name: &Name) -> Result<Geometry> {
        let capacity = if self.capacity == 0 { DEFAULT_CAPACITY } else { self.capacity };
        let max_messages = if self.max_messages == 0 { capacity.min(DEFAULT_MAX_MESSAGES) } else { self.max_messages };
        let slots = if self.participants == 0 { DEFAULT_PARTICIPANTS } else { self.participants };
        let bad = |what: String| Error::new(libc::EINVAL, format!("open {name}: {what}"));
        if capacity > MOST_BYTES {
            return Err(bad(format!("a capacity of {capacity} bytes: it may be {MOST_BYTES} at most")));
        }
        if max_messages > MOST_MESSAGES {
            return Err(bad(format!("max_messages {max_messages}: it may be {MOST_MESSAGES} at most")));
        }
        if slots > MOST_SLOTS {
            return Err(bad(format!("max_participants {slots}: it may be {MOST_SLOTS} at most")));
        }
        Geometry::new(capacity, max_messages, slots).ok_or_else(|| bad("limits of 0".to_owned()))
    }

    /// Reads the geometry of an existing queue, and holds it against what was asked for.
    fn check(&self, name: &Name, fd: BorrowedFd, size: u64) -> Result<Geometry> {
        let shape = shape::read(name, fd, size, header::Kind::Queue, "a queue")?;
        let geometry = Geometry::of(&shape).ok_or_else(|| shape::damaged(name, "its sizes contradict each other"))?;
        shape::suffices(
            name,
            &[
                ("capacity", geometry.capacity, self.capacity),
                ("max_messages", geometry.max_messages, self.max_messages),
                ("max_participants", geometry.slots.into(), self.participants.into()),
            ],
        )?;
        Ok(geometry)
    }
}
