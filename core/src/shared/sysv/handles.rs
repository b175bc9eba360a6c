//! What this process has open, by identifier.
//!
//! A call has nothing but a number; to open the object each time would cost thousands of times a message. So each kind has a table of
//! handles, and each thread remembers those that it used last, which it finds without a lock.
//!
//! The table changes only where fork is excluded: no child inherits it locked. A handle that was removed goes with the next who looks for
//! it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::LocalKey;

use crate::error::Result;
use crate::sys::process;

/// How many a thread remembers.
const RECENT: usize = 4;

/// The handles of one kind.
pub(super) struct Handles<T>(Mutex<BTreeMap<i32, Arc<T>>>);

/// What a thread used last.
pub(super) struct Recent<T> {
    handles: [Option<(i32, Arc<T>)>; RECENT],
    next: usize,
}

impl<T> Recent<T> {
    pub(super) const fn new() -> Self {
        Self { handles: [const { None }; RECENT], next: 0 }
    }
}

/// Something that others may remove.
pub(super) trait Removable {
    fn is_gone(&self) -> bool;
}

impl<T: Removable> Handles<T> {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    /// Does `work` with the handle of that identifier, which `open` opens if need be.
    #[inline]
    pub(super) fn with<U>(
        &self,
        recent: &'static LocalKey<RefCell<Recent<T>>>,
        id: i32,
        open: impl FnOnce() -> Result<T>,
        work: impl FnOnce(&T) -> Result<U>,
    ) -> Result<U> {
        let mut work = Some(work);
        // Not there while the thread ends, nor in a signal handler that came while the thread was at it: then without.
        let done = recent.try_with(|recent| {
            let recent = recent.try_borrow().ok()?;
            let (_, handle) =
                recent.handles.iter().flatten().find(|(known, handle)| *known == id && !handle.is_gone())?;
            Some((work.take()?)(handle))
        });
        match (done, work) {
            (Ok(Some(done)), _) => done,
            (_, Some(work)) => work(&*self.remember(recent, id, open)?),
            _ => unreachable!("work is taken only where it is done"),
        }
    }

    #[cold]
    fn remember(
        &self,
        recent: &'static LocalKey<RefCell<Recent<T>>>,
        id: i32,
        open: impl FnOnce() -> Result<T>,
    ) -> Result<Arc<T>> {
        let handle = match self.known(id) {
            Some(handle) => handle,
            // (To open may fork-exclude by itself, so it is done before.)
            None => self.add(id, Arc::new(open()?)),
        };
        let _ = recent.try_with(|recent| {
            if let Ok(mut recent) = recent.try_borrow_mut() {
                let gone = recent.handles.iter().position(|kept| kept.as_ref().is_none_or(|(_, kept)| kept.is_gone()));
                let at = gone.unwrap_or(recent.next);
                recent.next = (at + 1) % RECENT;
                recent.handles[at] = Some((id, handle.clone()));
            }
        });
        Ok(handle)
    }

    fn change<U>(&self, change: impl FnOnce(&mut BTreeMap<i32, Arc<T>>) -> U) -> U {
        process::without_fork(|| change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    fn known(&self, id: i32) -> Option<Arc<T>> {
        let (known, gone) = self.change(|all| match all.get(&id) {
            Some(handle) if handle.is_gone() => (None, all.remove(&id)),
            known => (known.cloned(), None),
        });
        // To close it may exclude fork by itself.
        drop(gone);
        known
    }

    /// Keeps a new handle; if another thread was faster, that one's.
    fn add(&self, id: i32, handle: Arc<T>) -> Arc<T> {
        self.change(|all| all.entry(id).or_insert(handle).clone())
    }

    /// Forgets it.
    pub(super) fn forget(&self, id: i32) {
        drop(self.change(|all| all.remove(&id)));
    }
}
