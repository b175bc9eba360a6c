//! Shared memory on loan: what a lease and a reservation have in common.
//!
//! **Views.** As long as Python has a view of the memory (a memoryview, an array), it stays the borrower's: to end the loan is
//! `BufferError` then, and nothing happened. Only the memoryview that the object itself made, `data`, is released with it, as
//! `SharedMemory.close()` does with its `buf`: a variable that still has it finds out at its next use.
//!
//! A block that is left by an exception gives its loan back and raises nothing of its own, which would hide the exception. (Views
//! are common then: the traceback has the variables.) With views left, the memory is given back when the last of them goes.
//!
//! **Giving the GIL up.** To end a loan takes a lock of the queue: tried with the GIL, waited for without, as all is here. Who waits
//! has taken the loan out of the state meanwhile, so nobody else ends it or makes a view.

use std::ffi::c_int;
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, PoisonError};

use madang::Deadline;
use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyMemoryView, PyWeakrefMethods, PyWeakrefReference};

use crate::buffer::Memory;
use crate::error::{Error, Result};
use crate::timeout::{self, Timeout};

/// What is on loan: a lease or a reservation of the core's.
pub(crate) trait Borrowed: Send + Sync {
    /// What it is called in an error's text, and how it ends.
    const KIND: &'static str;
    const ENDED: &'static str;
    const IS_WRITABLE: bool;
    /// Valid as long as it lives.
    fn bytes(&self) -> NonNull<[u8]>;
    /// Not in a forked child, nor when the others presumed this process dead.
    fn is_mine(&self) -> bool;
    /// Gives it back. What can't be done now is done by the end of the process.
    fn give_back(self, py: Python);
}

/// See the head of this file.
pub(crate) struct Loan<T: Borrowed>(Mutex<State<T>>);

struct State<T> {
    /// `None` once it is ended, and while somebody ends it.
    held: Option<T>,
    /// How many views Python has.
    views: usize,
    /// A weak reference to the object's own memoryview.
    data: Option<Py<PyWeakrefReference>>,
    /// To be given back with the last view.
    is_left: bool,
}

impl<T: Borrowed> Loan<T> {
    pub(crate) fn new(held: T) -> Self {
        Self(Mutex::new(State { held: Some(held), views: 0, data: None, is_left: false }))
    }

    /// Locked only by threads that have the GIL, and never where Python could run code of its own.
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_ended(&self) -> bool {
        let state = self.state();
        state.held.is_none() || state.is_left
    }

    /// Fails if it is ended.
    pub(crate) fn check(&self) -> Result<()> {
        if self.is_ended() { Err(ended::<T>()) } else { Ok(()) }
    }

    /// One more view of its memory, which stays valid until that is [given up](Self::view_is_gone).
    fn view(&self) -> Result<Memory> {
        let mut state = self.state();
        let held = state.held.as_ref().filter(|_| !state.is_left).ok_or_else(ended::<T>)?;
        if !held.is_mine() {
            return Err(not_mine::<T>());
        }
        let memory = Memory { bytes: held.bytes(), is_writable: T::IS_WRITABLE };
        state.views += 1;
        Ok(memory)
    }

    fn view_is_gone(&self, py: Python) {
        let mut state = self.state();
        state.views -= 1;
        let last = if state.views == 0 && state.is_left { state.held.take() } else { None };
        drop(state);
        if let Some(held) = last {
            held.give_back(py);
        }
    }

    /// Writes `from` at `offset`; `false` if that is not within. Without the GIL if it is `much`.
    pub(crate) fn write(&self, py: Python, offset: usize, from: &[u8], much: usize) -> Result<bool> {
        const { assert!(T::IS_WRITABLE) };
        let memory = self.view()?;
        // SAFETY: held as a view is, until the copy is done.
        let copy = move || unsafe { memory.write(offset, from) };
        let is_within = if from.len() < much { copy() } else { py.detach(copy) };
        self.view_is_gone(py);
        Ok(is_within)
    }

    /// The body of `__getbuffer__`.
    ///
    /// # Safety
    /// As CPython calls it: `view` is null or may be written. `owner` is the object that has this loan.
    pub(crate) unsafe fn lend(&self, owner: &Bound<'_, PyAny>, view: *mut ffi::Py_buffer, flags: c_int) -> Result<()> {
        let memory = self.view()?;
        // SAFETY: the caller's promise; what is held is neither ended nor given back while there are views, and lives as long as
        // `owner`, to which each view has a reference.
        let lent = unsafe { memory.lend(owner, view, flags) };
        if lent.is_err() {
            self.view_is_gone(owner.py());
        }
        Ok(lent?)
    }

    /// The body of `__releasebuffer__`.
    pub(crate) fn take_back(&self, py: Python) {
        self.view_is_gone(py);
    }

    /// `data`: the memoryview that was made before, if somebody has it, or a new one.
    pub(crate) fn data<'py>(&self, owner: &Bound<'py, PyAny>) -> Result<Bound<'py, PyAny>> {
        self.view().map(|_| self.view_is_gone(owner.py()))?;
        if let Some(data) = self.own_view(owner.py()) {
            return Ok(data);
        }
        let data = PyMemoryView::from(owner)?.into_any();
        let weak = PyWeakrefReference::new(&data)?.unbind();
        let before = self.state().data.replace(weak);
        drop(before);
        Ok(data)
    }

    /// The object's own memoryview, if there is one that nobody released.
    fn own_view<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        let weak = self.state().data.as_ref()?.clone_ref(py);
        let data = weak.bind(py).upgrade()?;
        data.getattr(intern!(py, "nbytes")).is_ok().then_some(data)
    }

    /// Ends it by `work`, which may be tried again after an error; then it stays.
    pub(crate) fn end(
        &self,
        py: Python,
        timeout: Option<Timeout>,
        mut work: impl FnMut(&mut T, Deadline) -> madang::Result<()> + Send,
    ) -> Result<()> {
        let mut held = self.take_mine(py)?;
        let outcome = match work(&mut held, Deadline::INSTANT) {
            Err(error) if timeout::may_wait(&error, timeout) => {
                timeout::wait(py, timeout::deadline(timeout), |slice| {
                    let (work, held) = (&mut work, &mut held);
                    py.detach(|| Ok(work(held, slice)?))
                })
            }
            outcome => outcome.map_err(Error::from),
        };
        if outcome.is_err() {
            self.state().held = Some(held);
        }
        outcome
    }

    /// Gives it back.
    pub(crate) fn release(&self, py: Python) -> Result<()> {
        self.take_mine(py)?.give_back(py);
        Ok(())
    }

    /// Gives it back, now or with the last view.
    pub(crate) fn leave(&self, py: Python) {
        match self.take(py) {
            Ok(held) => held.give_back(py),
            Err(_) => self.state().is_left = true,
        }
    }

    fn take_mine(&self, py: Python) -> Result<T> {
        let held = self.take(py)?;
        if held.is_mine() {
            return Ok(held);
        }
        self.state().held = Some(held);
        Err(not_mine::<T>())
    }

    /// Takes it out, if no view of it is left.
    fn take(&self, py: Python) -> Result<T> {
        if let Some(data) = self.own_view(py) {
            // Where somebody has a view of it, or an array over it, it can't be.
            let _ = data.call_method0(intern!(py, "release"));
        }
        let mut state = self.state();
        match state.views {
            _ if state.is_left => Err(ended::<T>()),
            1.. if state.held.is_some() => Err(has_views::<T>(state.views)),
            _ => state.held.take().ok_or_else(ended::<T>),
        }
    }
}

impl<T: Borrowed> Drop for Loan<T> {
    fn drop(&mut self) {
        if let Some(held) = self.0.get_mut().unwrap_or_else(PoisonError::into_inner).held.take() {
            // By Python's garbage collector, so the thread is attached.
            Python::attach(|py| held.give_back(py));
        }
    }
}

#[cold]
fn ended<T: Borrowed>() -> Error {
    Error::os(libc::EBADF, format!("this {} is {} (EBADF)", T::KIND, T::ENDED))
}

#[cold]
fn not_mine<T: Borrowed>() -> Error {
    let why = "is another process's, or this one was presumed dead (did it fork?)";
    Error::os(libc::EOWNERDEAD, format!("this {} {why} (EOWNERDEAD)", T::KIND))
}

#[cold]
fn has_views<T: Borrowed>(views: usize) -> Error {
    let kind = T::KIND;
    let what =
        format!("this {kind} has {views} views left: delete the arrays and release the memoryviews made of it first");
    PyBufferError::new_err(what).into()
}
