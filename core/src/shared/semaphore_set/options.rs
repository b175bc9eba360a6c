//! How a set of semaphores is opened.

#![forbid(unsafe_code)]

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use super::{KIND, SemaphoreSet};
use crate::error::{Error, Result};
use crate::mapping::Mapping;
use crate::name::Name;
use crate::shared::Create;
use crate::shared::attached::Attached;
use crate::shared::object::{self, Object};
use crate::shared::raw::header;
use crate::shared::raw::host::MOST_SLOTS;
use crate::shared::raw::semaphores::{Geometry, MOST_SEMAPHORES, MOST_VALUE};
use crate::shared::shape;

const DEFAULT_PARTICIPANTS: u32 = 1024;

/// How a set of semaphores is opened; made by [`SemaphoreSet::options`].
#[derive(Clone, Debug, Default)]
pub struct SemaphoreSetOptions {
    object: object::Options,
    values: Vec<u32>,
    count: u32,
    max_value: u32,
    participants: u32,
}

impl SemaphoreSetOptions {
    /// How many semaphores it has, 1 to 65,536; each begins with 0. Default 1. Of an existing set this is what it must have at
    /// least; 0, the default, takes it as it is.
    #[must_use]
    pub fn semaphores(mut self, count: u32) -> Self {
        self.count = count;
        self
    }

    /// The values with which those of a new set begin; without [`semaphores`](Self::semaphores) it has as many. Nobody ever sees
    /// it without them. An existing set keeps its own.
    #[must_use]
    pub fn values(mut self, values: &[u32]) -> Self {
        values.clone_into(&mut self.values);
        self
    }

    /// The largest value that one of a new set may have, 1 to 2³¹ − 1, which is the default. (`semget`'s have 32,767.)
    #[must_use]
    pub fn max_value(mut self, most: u32) -> Self {
        self.max_value = most;
        self
    }

    /// For how many open handles, in all processes together, it has room, and how many can wait in order: 1 to 65,534. Default
    /// 1,024.
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

    /// The permission bits of a new set, exactly (no umask); by default, and for 0, `0o600`. Whoever takes part needs read and
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

    /// Opens the set `name`, which is 1 to 237 bytes without `/`. Doesn't block.
    ///
    /// # Errors
    /// `ENOENT`, `EEXIST` as [`create`](Self::create) says; `EINVAL` for a bad name or limit, more values than semaphores, or where an
    /// existing set is smaller than asked for; `ERANGE` for a value above the largest; `ENAMETOOLONG`; `ENOSPC`; `EACCES`; `EPERM` for
    /// another user's; `EISDIR`, `ELOOP`, `ENODEV` where the name is something else than a file; `EPROTOTYPE` where it is another kind of
    /// object; `EPROTO` another layout; `EUCLEAN` damaged; `EUSERS` if the roster is full.
    pub fn open(&self, name: &str) -> Result<SemaphoreSet> {
        self.open_as(Name::object(KIND, name)?, &|_, _| {})
    }

    /// Opens what bears the name; a new set is described further by `describe` before anybody sees it.
    pub(in crate::shared) fn open_as(
        &self,
        name: Name,
        describe: &dyn Fn(BorrowedFd, &Arc<Mapping>),
    ) -> Result<SemaphoreSet> {
        let (geometry, Object { fd, stat, is_new }) = self.find_or_make(&name, describe)?;
        let geometry = if is_new { geometry } else { self.check(&name, fd.as_fd(), stat.size)? };
        let mapping = Mapping::of_file(fd.as_fd(), 0, geometry.size(), true)
            .map_err(|errno| errno.during(format!("open {name}: mmap of {} bytes", geometry.size())))?;
        let mapping = Arc::new(mapping);
        let semaphores = mapping.semaphores(geometry);
        let attached = Attached::new(name, fd, &stat, mapping, geometry.slots)?;
        SemaphoreSet::attach(semaphores, attached, is_new)
    }

    /// Makes it, if it is missing, without taking part.
    pub(in crate::shared) fn find_or_make(
        &self,
        name: &Name,
        describe: &dyn Fn(BorrowedFd, &Arc<Mapping>),
    ) -> Result<(Geometry, Object)> {
        let geometry = self.geometry(name)?;
        let fill = |fd: BorrowedFd| {
            for (offset, length) in geometry.first_spaces() {
                object::allocate(fd, offset, length)?;
            }
            let mapping = Mapping::of_file(fd, 0, geometry.size(), true).map_err(|errno| errno.during("mmap"))?;
            let mapping = Arc::new(mapping);
            mapping.semaphores(geometry).create(self.values.iter().copied());
            mapping.header().expect("a set has a header").write(&geometry.shape());
            describe(fd, &mapping);
            Ok(())
        };
        let object = object::open(name, self.object, || Ok(geometry.size()), fill)?;
        Ok((geometry, object))
    }

    /// What opening that file would say.
    pub(in crate::shared) fn suits(&self, name: &Name, fd: BorrowedFd, size: u64) -> Result<()> {
        self.check(name, fd, size).map(drop)
    }

    /// What opening an existing set would say, short of taking part.
    pub(crate) fn look(&self, name: &Name) -> Result<()> {
        let Object { fd, stat, .. } = object::find(name, self.object)?;
        self.check(name, fd.as_fd(), stat.size).map(drop)
    }

    /// What a new set would be like.
    fn geometry(&self, name: &Name) -> Result<Geometry> {
        let bad = |what: String| Error::new(libc::EINVAL, format!("open {name}: {what}"));
        let values = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        let count = if self.count == 0 { values.max(1) } else { self.count };
        if values > count {
            return Err(bad(format!("{values} values for {count} semaphores")));
        }
        if count > MOST_SEMAPHORES {
            return Err(bad(format!("{count} semaphores: there may be {MOST_SEMAPHORES} at most")));
        }
        let most = if self.max_value == 0 { MOST_VALUE } else { self.max_value };
        if most > MOST_VALUE {
            return Err(bad(format!("max_value {most}: it may be {MOST_VALUE} at most")));
        }
        if let Some(value) = self.values.iter().find(|&&value| value > most) {
            let what = format!("open {name}: a value of {value}: it may be {most} at most");
            return Err(Error::new(libc::ERANGE, what));
        }
        let slots = if self.participants == 0 { DEFAULT_PARTICIPANTS } else { self.participants };
        if slots > MOST_SLOTS {
            return Err(bad(format!("max_participants {slots}: it may be {MOST_SLOTS} at most")));
        }
        Geometry::new(count, most, slots).ok_or_else(|| bad("limits of 0".to_owned()))
    }

    /// Reads the geometry of an existing set, and holds it against what was asked for.
    fn check(&self, name: &Name, fd: BorrowedFd, size: u64) -> Result<Geometry> {
        let shape = shape::read(name, fd, size, header::Kind::SemaphoreSet, "a set of semaphores")?;
        let geometry = Geometry::of(&shape).ok_or_else(|| shape::damaged(name, "its sizes contradict each other"))?;
        shape::suffices(
            name,
            &[
                ("number of semaphores", geometry.count.into(), self.count.into()),
                ("max_value", geometry.most.into(), self.max_value.into()),
                ("max_participants", geometry.slots.into(), self.participants.into()),
            ],
        )?;
        Ok(geometry)
    }
}
