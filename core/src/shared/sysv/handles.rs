//! What this process has open, by identifier.
//!
//! A call has nothing but a number; to open the object each time would cost thousands of times a message. So each kind has a table of
//! handles, and each thread remembers those that it used last, which it finds without a lock.
//!
//! The table changes only where fork is excluded: no child inherits it locked. A handle of what was removed goes with the next who looks for
//! it, when the table has doubled, or by [`Handles::forget_gone`]. There are never very many, since each takes several mappings, of which a
//! process has 65,530: of those beyond [`MOST`] the idle are closed.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::LocalKey;

use crate::error::Result;
use crate::sys::process;

/// How many a thread remembers.
const RECENT: usize = 4;

/// How many a process keeps, unless it has more in use.
const MOST: usize = 1000;
/// How many it keeps before it looks for the first time whether some are gone.
const FEW: usize = 64;
/// How many [`Handles::forget_gone`] looks at.
const LOOKS: usize = 4;

/// The handles of one kind.
pub(super) struct Handles<T>(Mutex<Table<T>>);

struct Table<T> {
    all: BTreeMap<i32, Arc<T>>,
    /// At so many room is made.
    limit: usize,
    /// The first at which `forget_gone` looks next.
    next: i32,
}

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

    /// Whether something would be lost if it were closed while nobody uses it.
    fn is_bound(&self) -> bool;
}

impl<T: Removable> Recent<T> {
    #[inline]
    fn find(&self, id: i32) -> Option<&Arc<T>> {
        let is_it = |kept: &&(i32, Arc<T>)| kept.0 == id && !kept.1.is_gone();
        self.handles.iter().flatten().find(is_it).map(|(_, handle)| handle)
    }

    fn take_gone(&mut self) -> [Option<(i32, Arc<T>)>; RECENT] {
        self.handles.each_mut().map(|kept| kept.take_if(|(_, handle)| handle.is_gone()))
    }
}

impl<T: Removable> Table<T> {
    /// Takes those out that are gone among the next few.
    fn take_gone(&mut self) -> Vec<Arc<T>> {
        let mut looked = self.all.range(self.next..).take(LOOKS + 1);
        let gone: Vec<_> =
            looked.by_ref().take(LOOKS).filter(|(_, handle)| handle.is_gone()).map(|(&id, _)| id).collect();
        self.next = looked.next().map_or(0, |(&id, _)| id);
        gone.iter().filter_map(|id| self.all.remove(id)).collect()
    }

    /// Forgets what is gone, and if there are very many, what is idle; gives it back to be closed.
    fn make_room(&mut self) -> Vec<Arc<T>> {
        let mut forgotten = Vec::new();
        let mut forget = |is_meant: &dyn Fn(&Arc<T>) -> bool| {
            self.all.retain(|_, handle| {
                let is_meant = is_meant(handle);
                if is_meant {
                    forgotten.push(handle.clone());
                }
                !is_meant
            });
            self.all.len()
        };
        let mut left = forget(&|handle| handle.is_gone());
        if left >= MOST {
            left = forget(&|handle| Arc::strong_count(handle) == 1 && !handle.is_bound());
        }
        self.limit = if left < MOST { (2 * left).clamp(FEW, MOST) } else { 2 * left };
        forgotten
    }
}

impl<T: Removable> Handles<T> {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Table { all: BTreeMap::new(), limit: FEW, next: 0 }))
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
            let handle = recent.find(id)?;
            Some((work.take()?)(handle))
        });
        match (done, work) {
            (Ok(Some(done)), _) => done,
            (_, Some(work)) => work(&*self.remember(recent, id, open)?),
            _ => unreachable!("work is taken only where it is done"),
        }
    }

    /// The handle of that identifier, which `open` opens if need be.
    pub(super) fn handle(
        &self,
        recent: &'static LocalKey<RefCell<Recent<T>>>,
        id: i32,
        open: impl FnOnce() -> Result<T>,
    ) -> Result<Arc<T>> {
        let known = recent.try_with(|recent| recent.try_borrow().ok()?.find(id).cloned());
        match known {
            Ok(Some(known)) => Ok(known),
            _ => self.remember(recent, id, open),
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

    fn change<U>(&self, change: impl FnOnce(&mut Table<T>) -> U) -> U {
        process::without_fork(|| change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    fn known(&self, id: i32) -> Option<Arc<T>> {
        let (known, gone) = self.change(|table| match table.all.get(&id) {
            Some(handle) if handle.is_gone() => (None, table.all.remove(&id)),
            known => (known.cloned(), None),
        });
        // To close it may exclude fork by itself.
        drop(gone);
        known
    }

    /// Keeps a new handle; if another thread was faster, that one's.
    fn add(&self, id: i32, handle: Arc<T>) -> Arc<T> {
        let (kept, closed) = self.change(|table| {
            let mut closed = if table.all.len() >= table.limit { table.make_room() } else { Vec::new() };
            let kept = table.all.entry(id).or_insert_with(|| handle.clone()).clone();
            closed.push(handle);
            (kept, closed)
        });
        // To close one may exclude fork by itself.
        drop(closed);
        kept
    }

    /// Does something with each.
    pub(super) fn for_each(&self, work: impl FnMut(Arc<T>)) {
        let all: Vec<_> = self.change(|table| table.all.values().cloned().collect());
        all.into_iter().for_each(work);
    }

    /// Forgets what is gone of those that this thread remembers, and of the next few in the table: for those whose file takes much while
    /// it is open. Each call looks at some others, so that it costs the same however many there are.
    pub(super) fn forget_gone(&self, recent: &'static LocalKey<RefCell<Recent<T>>>) {
        let remembered = recent.try_with(|recent| Some(recent.try_borrow_mut().ok()?.take_gone()));
        drop((remembered, self.change(Table::take_gone)));
    }

    /// Forgets it.
    pub(super) fn forget(&self, id: i32) {
        drop(self.change(|table| table.all.remove(&id)));
    }
}
