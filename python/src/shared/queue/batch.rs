//! Several messages with one call, and messages of several pieces: the bodies of `send_many`, `sendv` and `recv_many`.
//!
//! As everywhere: what can be done at once is done with the GIL held, the rest without it. What was sent before something came in
//! the way counts: an error is raised only if nothing was, but for what Python's own code raises.

use madang::{Batch, Deadline, Select};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

use super::{MUCH, Message, Queue};
use crate::buffer::{self, Readable};
use crate::error::{Error, Result};
use crate::timeout::{self, Timeout};

/// Room for messages that are received at once, in bytes: as much as the core takes with one lock.
const ROOM: usize = 64 << 10;
/// More messages at once would only make the place for what is said of them large.
const MOST: usize = 4096;

/// How many messages somebody asks for.
pub(crate) struct Number(usize);

impl FromPyObject<'_, '_> for Number {
    type Error = PyErr;

    fn extract(count: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        let count: i64 = count.extract()?;
        usize::try_from(count).map(Self).map_err(|_| PyValueError::new_err(format!("count={count}: it is 0 or more")))
    }
}

/// All that an iterable has, in a tuple, which nobody can change while we look at it.
fn all<'py>(iterable: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyTuple>> {
    match iterable.cast_exact::<PyList>() {
        Ok(list) => Ok(list.to_tuple()),
        Err(_) => Ok(iterable.py().get_type::<PyTuple>().call1((iterable,))?.cast_into()?),
    }
}

/// A message of `send_many`: bytes, or a tuple of bytes and a type.
#[inline]
fn message<'a, 'py>(message: Borrowed<'a, 'py, PyAny>) -> PyResult<(Readable<'a, 'py>, i64)> {
    match message.cast::<PyTuple>() {
        // `extract` would give references of our own.
        Ok(pair) if pair.len() == 2 => Ok((buffer::item(pair, 0)?.extract()?, buffer::item(pair, 1)?.extract()?)),
        Ok(other) => {
            let what = format!("a message is bytes, or a tuple of bytes and a type, not one of {}", other.len());
            Err(PyValueError::new_err(what))
        }
        Err(_) => Ok((message.extract()?, 1)),
    }
}

/// The body of `send_many`.
pub(super) fn send(queue: &Queue, py: Python, messages: &Bound<'_, PyAny>, timeout: Option<Timeout>) -> Result<usize> {
    let messages = all(messages)?;
    let mut views = Vec::with_capacity(messages.len());
    for index in 0..messages.len() {
        views.push(message(messages.get_borrowed_item(index)?)?);
    }
    let items: Vec<(i64, &[u8])> = views.iter().map(|(view, mtype)| (*mtype, view.as_slice())).collect();
    let much = items.iter().map(|(_, data)| data.len()).sum::<usize>() >= MUCH;
    let item = |index: usize| items[index];
    let mut sent = 0;
    let outcome = at_once_or_waiting(py, much, timeout, |deadline, may_sleep| {
        let share = queue.handle.share()?;
        let mut send = || Ok(share.send_rest(items.len(), item, &mut sent, deadline)?);
        if may_sleep { py.detach(send) } else { send() }
    });
    match outcome {
        Err(Error::Core(_)) if sent > 0 => Ok(sent),
        outcome => outcome.map(|()| sent),
    }
}

/// The body of `sendv`.
pub(super) fn send_pieces(
    queue: &Queue,
    py: Python,
    pieces: &Bound<'_, PyAny>,
    mtype: i64,
    timeout: Option<Timeout>,
) -> Result<()> {
    let pieces = all(pieces)?;
    let views = pieces.iter_borrowed().map(|piece| piece.extract()).collect::<PyResult<Vec<Readable>>>()?;
    let pieces: Vec<&[u8]> = views.iter().map(Readable::as_slice).collect();
    let much = pieces.iter().map(|piece| piece.len()).sum::<usize>() >= MUCH;
    at_once_or_waiting(py, much, timeout, |deadline, may_sleep| {
        let share = queue.handle.share()?;
        let send = || Ok(share.send_pieces(mtype, pieces.len(), |index| pieces[index], deadline)?);
        if may_sleep { py.detach(send) } else { send() }
    })
}

/// Tries with the GIL held, unless that is `much` to copy or to look over, and then until the time-out is over; `attempt` is told until when, and
/// whether it lets the GIL go.
fn at_once_or_waiting<T>(
    py: Python,
    much: bool,
    timeout: Option<Timeout>,
    mut attempt: impl FnMut(Deadline, bool) -> Result<T>,
) -> Result<T> {
    if !much {
        match attempt(Deadline::INSTANT, false) {
            Err(Error::Core(error)) if timeout::may_wait(&error, timeout) => {}
            outcome => return outcome,
        }
    }
    timeout::wait(py, timeout::deadline(timeout), |slice| attempt(slice, true))
}

/// The body of `recv_many`.
pub(super) fn receive<'py>(
    queue: &Queue,
    py: Python<'py>,
    Number(count): Number,
    select: Select,
    timeout: Option<Timeout>,
) -> Result<Bound<'py, PyList>> {
    let mut messages = Vec::new();
    // Not while Python may run code of its own, which may come back here: then that makes one for itself.
    let batch = queue.handle.lock().parts(&queue.handle)?.1.batch.take();
    let mut batch = batch.unwrap_or_else(|| Batch::new(0, ROOM));
    let outcome = receive_into(&mut messages, &mut batch, queue, py, count, select, timeout);
    if let Ok((_, scratch)) = queue.handle.lock().parts(&queue.handle) {
        scratch.batch = Some(batch);
    }
    outcome?;
    Ok(PyList::new(py, messages)?)
}

fn receive_into<'py>(
    messages: &mut Vec<Message<'py>>,
    batch: &mut Batch,
    queue: &Queue,
    py: Python<'py>,
    count: usize,
    select: Select,
    timeout: Option<Timeout>,
) -> Result<()> {
    // To look over a long queue for all that are wanted takes a while.
    let is_choosy = select != Select::Any;
    while messages.len() < count {
        batch.limit((count - messages.len()).min(MOST));
        let first = messages.is_empty();
        let mut attempt = |deadline, may_sleep| {
            let share = queue.handle.share()?;
            let mut receive = || Ok(share.recv_many_until(select, batch, deadline)?);
            if may_sleep { py.detach(receive) } else { receive() }
        };
        let received = match first {
            true => at_once_or_waiting(py, is_choosy, timeout, attempt),
            false => attempt(if is_choosy { Deadline::NOW } else { Deadline::INSTANT }, is_choosy),
        };
        match received {
            Ok(_) => {}
            // What there is is good; the next call finds what came in the way.
            Err(_) if !first => return Ok(()),
            // A long one comes alone.
            Err(error) => {
                let length = error.needed_length().ok_or(error)?;
                messages.push(queue.recv_slow(py, select, timeout::deadline(timeout), length)?);
                return Ok(());
            }
        }
        messages.reserve(batch.len());
        for (received, data) in &*batch {
            messages.push(buffer::message(buffer::bytes(py, data)?, received.mtype)?);
        }
        if batch.len() < MOST && !batch.is_full() {
            return Ok(());
        }
    }
    Ok(())
}
