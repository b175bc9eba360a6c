//! A handle: what the classes of named objects have in common. It has a share of the object until it is closed, and is pickled as
//! the object's name.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error::{Error, Result};

/// An open object, or a closed one; `More` is what else the handle's lock guards.
///
/// The lock is held only by threads that have the GIL and for one try, so nobody ever waits for it; and never where Python could
/// run code of its own, which may come back here.
pub(crate) struct Handle<T, More = ()> {
    open: Mutex<Open<T, More>>,
    /// What it is, for the text of an error.
    kind: &'static str,
    pub(crate) name: String,
    pub(crate) is_new: bool,
    any_owner: bool,
}

pub(crate) struct Open<T, More> {
    /// Those who wait, and views, have shares of their own; `None` when it is closed.
    object: Option<Arc<T>>,
    more: More,
}

impl<T: Send + Sync, More> Handle<T, More> {
    pub(crate) fn new(kind: &'static str, name: &str, is_new: bool, any_owner: bool, object: T, more: More) -> Self {
        let open = Open { object: Some(Arc::new(object)), more };
        Self { open: Mutex::new(open), kind, name: name.to_owned(), is_new, any_owner }
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, Open<T, More>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A share of the open object, for use without the GIL.
    pub(crate) fn share(&self) -> Result<Arc<T>> {
        self.lock().object(self).cloned()
    }

    /// The share that the handle itself has.
    pub(crate) fn get(&self) -> Option<Arc<T>> {
        self.lock().object.clone()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().object.is_none()
    }

    pub(crate) fn close(&self, py: Python) {
        let object = self.lock().object.take();
        // To unmap much memory takes a while.
        py.detach(|| drop(object));
    }

    /// `__reduce__`: the class with `options`, and the name. It opens, and never creates.
    pub(crate) fn reduce<'py>(
        &self,
        class: &Bound<'py, PyAny>,
        options: &Bound<'py, PyDict>,
    ) -> Result<(Bound<'py, PyAny>, (String,))> {
        self.share()?;
        options.set_item("any_owner", self.any_owner)?;
        options.set_item("create", "never")?;
        let partial = class.py().import("functools")?.getattr("partial")?;
        Ok((partial.call((class,), Some(options))?, (self.name.clone(),)))
    }
}

impl<T, More> Open<T, More> {
    #[inline]
    pub(crate) fn object(&self, handle: &Handle<T, More>) -> Result<&Arc<T>> {
        self.object.as_ref().ok_or_else(|| handle.closed())
    }

    #[inline]
    pub(crate) fn parts(&mut self, handle: &Handle<T, More>) -> Result<(&T, &mut More)> {
        let object = self.object.as_deref().ok_or_else(|| handle.closed())?;
        Ok((object, &mut self.more))
    }
}

impl<T, More> Handle<T, More> {
    #[cold]
    fn closed(&self) -> Error {
        Error::closed(self.kind, &self.name)
    }
}
