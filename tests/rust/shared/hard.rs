//! Hard places: where space, descriptors or memory run out, where others are stopped, far away or not permitted.
//!
//! Here is what the files below share: how to see that a queue is whole.

use madang::{Queue, Select};

mod forks;
mod limits;
mod namespaces;
mod permits;
mod refused;
mod signals;
mod stopped;
mod trial;

/// Whether what a queue holds is just what is expected of it, and all of it can be used again. (After it the queue is empty.)
#[track_caller]
fn holds(queue: &Queue, expected: &[(i64, Vec<u8>)]) {
    let bytes: u64 = expected.iter().map(|(_, data)| data.len() as u64).sum();
    let status = queue.stat().unwrap();
    assert_eq!((status.messages, status.bytes), (expected.len() as u64, bytes), "what it says that it holds");
    for (mtype, data) in expected {
        let message = queue.try_recv(Select::Any).unwrap();
        assert_eq!((message.mtype, message.data.len()), (*mtype, data.len()));
        assert!(message.data == *data, "a message of {} bytes is garbled", data.len());
    }
    assert_eq!(queue.try_recv(Select::Any).unwrap_err().errno(), libc::EAGAIN);
    let status = queue.stat().unwrap();
    assert_eq!((status.messages, status.bytes, status.leased), (0, 0, 0), "it is empty");
    // One of each kind, past a skipped one.
    for (mtype, data) in [(1, vec![1; 10]), (2, vec![2; 30_000]), (1, vec![3; 3000])] {
        queue.try_send(mtype, &data).unwrap();
    }
    for (select, length) in [(Select::Type(2), 30_000), (Select::Any, 10), (Select::Any, 3000)] {
        assert_eq!(queue.try_recv(select).unwrap().data.len(), length);
    }
    assert!(queue.is_empty());
}
