//! `madang.Mutex`, `RwLock`, `Condition`, `Barrier`, `Event`; and what they have in common: where they lie, and how they are pickled.

pub(crate) mod barrier;
pub(crate) mod condition;
pub(crate) mod event;
pub(crate) mod mutex;
pub(crate) mod rwlock;

use std::sync::Arc;

use madang::SyncOptions;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use crate::error::{Error, Result};
use crate::options;
use crate::shared::handle::Handle;
use crate::shared::segment::Segment;

/// What the core's five have in common.
pub(crate) trait Core: Sized + Send + Sync {
    /// In the text of an error.
    const NOUN: &'static str;
    /// The Python class.
    const CLASS: &'static str;

    fn open(name: &str, options: SyncOptions) -> madang::Result<Self>;
    fn within(segment: &madang::Segment, offset: usize) -> madang::Result<Self>;
    fn is_new(&self) -> bool;
}

macro_rules! core {
    ($($object:ident of $core:ident $noun:literal)*) => {$(
        impl Core for madang::$object {
            const NOUN: &'static str = $noun;
            const CLASS: &'static str = stringify!($core);

            fn open(name: &str, options: SyncOptions) -> madang::Result<Self> {
                Ok(madang::$core::open_with(name, options)?.into())
            }

            fn within(segment: &madang::Segment, offset: usize) -> madang::Result<Self> {
                Ok(madang::$core::within(segment, offset)?.into())
            }

            fn is_new(&self) -> bool {
                madang::$core::is_new(self)
            }
        }
    )*};
}

core! {
    UnguardedMutex of Mutex "mutex"
    RwLock of RwLock "read-write lock"
    Condition of Condition "condition"
    Barrier of Barrier "barrier"
    Event of Event "event"
}

/// An open one, or a closed one, and where it lies.
pub(super) struct Placed<T> {
    handle: Handle<T>,
    /// In which segment, and where there; else it has a name of its own.
    within: Option<(Py<Segment>, usize)>,
}

/// The arguments by which the constructors are told where.
pub(super) struct Asked<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) segment: Option<Bound<'a, Segment>>,
    pub(super) offset: Option<usize>,
    pub(super) mode: u32,
    pub(super) create: &'a str,
    pub(super) any_owner: bool,
}

impl<T: Core> Placed<T> {
    pub(super) fn open(asked: Asked) -> Result<Self> {
        let Asked { name, segment, offset, mode, create, any_owner } = asked;
        let options = SyncOptions::default().mode(mode).create(options::create(create)?).any_owner(any_owner);
        match (name, segment, offset) {
            (Some(name), None, None) => {
                // With the GIL, which guards the environment too.
                let object = T::open(name, options)?;
                let is_new = object.is_new();
                Ok(Self { handle: Handle::new(T::NOUN, name, is_new, any_owner, object, ()), within: None })
            }
            (None, Some(segment), offset) => {
                let (memory, offset) = (segment.get().share()?, offset.unwrap_or(0));
                let object = T::within(&memory, offset)?;
                let handle = Handle::new(T::NOUN, memory.name(), false, any_owner, object, ());
                Ok(Self { handle, within: Some((segment.unbind(), offset)) })
            }
            _ => Err(PyTypeError::new_err("give it a name, or else a segment and an offset").into()),
        }
    }

    #[inline]
    pub(super) fn share(&self) -> Result<Arc<T>> {
        self.handle.share()
    }

    /// `__reduce__`: the class with `first` and with where it lies. It opens, and never creates.
    pub(super) fn reduce<'py>(
        &self,
        class: &Bound<'py, PyAny>,
        first: Option<Bound<'py, PyAny>>,
    ) -> Result<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let py = class.py();
        let options = PyDict::new(py);
        let mut arguments = Vec::from_iter(first);
        let callable = match &self.within {
            None => {
                let (callable, (name,)) = self.handle.reduce(class, &options)?;
                arguments.push(PyString::new(py, &name).into_any());
                callable
            }
            Some((segment, offset)) => {
                self.share()?;
                options.set_item("segment", segment)?;
                options.set_item("offset", offset)?;
                py.import("functools")?.getattr("partial")?.call((class,), Some(&options))?
            }
        };
        Ok((callable, PyTuple::new(py, arguments)?))
    }

    pub(super) fn repr(&self) -> String {
        let (class, name) = (T::CLASS, &self.handle.name);
        let closed = if self.handle.is_closed() { ": closed" } else { "" };
        match &self.within {
            None => format!("<madang.{class} {name:?}{closed}>"),
            Some((_, offset)) => format!("<madang.{class} in segment {name:?} at {offset}{closed}>"),
        }
    }
}

/// Whether it came to pass before the time was over.
pub(super) fn in_time(outcome: Result<()>) -> Result<bool> {
    match outcome {
        Ok(()) => Ok(true),
        Err(Error::Core(error)) if matches!(error.errno(), libc::EAGAIN | libc::ETIMEDOUT) => Ok(false),
        Err(error) => Err(error),
    }
}
