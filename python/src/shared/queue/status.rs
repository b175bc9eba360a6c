//! `madang.Received` and `madang.QueueStatus`: values that a queue's methods return. Made again from their numbers, they are
//! the same, so that is how they are pickled.

// The constructor that PyO3 makes of a struct's fields.
#![allow(clippy::too_many_arguments, reason = "as many as there is to tell")]

use pyo3::prelude::*;
use pyo3::types::{PyTuple, PyType};

use crate::shared::repr;

/// What is said of a message that was received into a buffer. A value: compared, hashed and pickled.
#[pyclass(frozen, get_all, eq, hash, new = "from_fields", module = "madang")]
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Received {
    /// How many bytes of the buffer it filled.
    length: usize,
    /// Its type, greater than 0.
    r#type: i64,
    /// How many messages were sent to this queue before it.
    sequence: u64,
    /// How often it was handed out before by a lease that wasn't acknowledged; mostly 0.
    redelivered: u32,
    /// How long the message was. More than length only where it was cut.
    message_length: usize,
}

#[pymethods]
impl Received {
    /// Whether the buffer was too small, and the rest of the message is lost.
    #[getter]
    fn is_cut(&self) -> bool {
        self.message_length > self.length
    }

    fn __repr__(&self) -> String {
        repr(self)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyType>, (usize, i64, u64, u32, usize)) {
        let Self { length, r#type, sequence, redelivered, message_length } = *slf.get();
        (slf.get_type(), (length, r#type, sequence, redelivered, message_length))
    }
}

impl From<madang::Received> for Received {
    fn from(received: madang::Received) -> Self {
        let madang::Received { length, mtype, sequence, redelivered, message_length, .. } = received;
        Self { length, r#type: mtype, sequence, redelivered, message_length }
    }
}

/// What Queue.stat() tells; a snapshot. A value: compared, hashed and pickled.
#[pyclass(frozen, get_all, eq, hash, new = "from_fields", module = "madang")]
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct QueueStatus {
    /// The most bytes that it holds; also the longest message.
    capacity: u64,
    /// The most messages that it holds.
    max_messages: u64,
    /// How many open handles it has room for.
    max_participants: u64,
    /// Bytes held.
    bytes: u64,
    /// Messages held.
    messages: u64,
    /// Messages ever sent to it.
    sent: u64,
    /// Messages ever received from it.
    received: u64,
    /// Of the messages held, how many are leased. (What the dead had leased is given back first, unless somebody is inside just then.)
    leased: u64,
    /// Open handles in all living processes.
    participants: u64,
    /// How often the living repaired what a killed process left half done.
    repairs: u64,
    /// Bytes of memory that it takes.
    allocated: u64,
    /// Permission bits.
    mode: u64,
    /// The owner's user id.
    uid: u64,
    /// The owner's group id.
    gid: u64,
}

#[pymethods]
impl QueueStatus {
    fn __repr__(&self) -> String {
        repr(self)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyType>, Bound<'py, PyTuple>)> {
        let told = slf.get();
        let fields = [
            told.capacity,
            told.max_messages,
            told.max_participants,
            told.bytes,
            told.messages,
            told.sent,
            told.received,
            told.leased,
            told.participants,
            told.repairs,
            told.allocated,
            told.mode,
            told.uid,
            told.gid,
        ];
        Ok((slf.get_type(), PyTuple::new(slf.py(), fields)?))
    }
}

impl From<madang::QueueStatus> for QueueStatus {
    fn from(status: madang::QueueStatus) -> Self {
        Self {
            capacity: status.capacity,
            max_messages: status.max_messages,
            max_participants: status.max_participants.into(),
            bytes: status.bytes,
            messages: status.messages,
            sent: status.sent,
            received: status.received,
            leased: status.leased,
            participants: status.participants.into(),
            repairs: status.repairs,
            allocated: status.allocated,
            mode: status.mode.into(),
            uid: status.uid.into(),
            gid: status.gid.into(),
        }
    }
}
