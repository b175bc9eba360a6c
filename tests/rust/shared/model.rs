//! Random operations by several handles, against a plain queue in memory.

use std::collections::VecDeque;

use madang::{Batch, Deadline, Queue, Select};
use madang_tests::{Name, slices};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Send { handle: usize, mtype: i64, length: usize },
    SendMany { handle: usize, length: usize, count: usize },
    Receive { handle: usize },
    ReceiveMany { handle: usize, count: usize },
    ReceiveInto { handle: usize, room: usize },
    SendBatch { handle: usize, length: usize, count: usize },
    ReceiveBatch { handle: usize, count: usize, room: usize },
    Reopen { handle: usize },
}

const HANDLES: usize = 3;

fn step() -> impl Strategy<Value = Step> {
    let length = || prop_oneof![6 => 0usize..100, 2 => 0usize..5000, 1 => 0usize..70_000];
    prop_oneof![
        4 => (0..HANDLES, 0i64..5, length()).prop_map(|(handle, mtype, length)| Step::Send { handle, mtype, length }),
        2 => (0..HANDLES, length(), 1usize..2000).prop_map(|(handle, length, count)| Step::SendMany { handle, length, count }),
        4 => (0..HANDLES).prop_map(|handle| Step::Receive { handle }),
        2 => (0..HANDLES, 1usize..2000).prop_map(|(handle, count)| Step::ReceiveMany { handle, count }),
        2 => (0..HANDLES, length()).prop_map(|(handle, room)| Step::ReceiveInto { handle, room }),
        4 => (0..HANDLES, length(), 1usize..2000).prop_map(|(handle, length, count)| Step::SendBatch { handle, length, count }),
        4 => (0..HANDLES, 1usize..2000, 0usize..500_000)
            .prop_map(|(handle, count, room)| Step::ReceiveBatch { handle, count, room }),
        1 => (0..HANDLES).prop_map(|handle| Step::Reopen { handle }),
    ]
}

/// The reference.
struct Model {
    capacity: usize,
    max_messages: usize,
    messages: VecDeque<(i64, Vec<u8>, u64)>,
    sent: u64,
}

impl Model {
    fn bytes(&self) -> usize {
        self.messages.iter().map(|(_, data, _)| data.len()).sum()
    }

    fn send(&mut self, mtype: i64, data: &[u8]) -> i32 {
        if mtype < 1 {
            libc::EINVAL
        } else if data.len() > self.capacity {
            libc::EMSGSIZE
        } else if self.bytes() + data.len() > self.capacity || self.messages.len() == self.max_messages {
            libc::EAGAIN
        } else {
            self.messages.push_back((mtype, data.to_vec(), self.sent));
            self.sent += 1;
            0
        }
    }
}

fn send(queue: &Queue, model: &mut Model, mtype: i64, length: usize) {
    let data = vec![(model.sent % 251) as u8; length];
    let errno = queue.try_send(mtype, &data).map_or_else(|error| error.errno(), |()| 0);
    assert_eq!(errno, model.send(mtype, &data));
}

fn receive(queue: &Queue, model: &mut Model) {
    match (queue.try_recv(Select::Any), model.messages.pop_front()) {
        (Ok(found), Some(expected)) => assert_eq!((found.mtype, found.data, found.sequence), expected),
        (Err(error), None) => assert_eq!(error.errno(), libc::EAGAIN),
        (found, expected) => panic!("{found:?}, not {expected:?}"),
    }
}

fn receive_into(queue: &Queue, model: &mut Model, room: usize) {
    let mut buffer = vec![0; room];
    match (queue.recv_into(Select::Any, &mut buffer, Deadline::NOW), model.messages.front()) {
        (Ok(found), Some((mtype, data, sequence))) => {
            assert_eq!((found.length, found.mtype, found.sequence), (data.len(), *mtype, *sequence));
            assert!(buffer[..found.length] == data[..]);
            model.messages.pop_front();
        }
        (Err(error), Some((_, data, _))) => {
            assert!(data.len() > room);
            assert_eq!((error.errno(), error.length()), (libc::E2BIG, data.len() as u64));
        }
        (Err(error), None) => assert_eq!(error.errno(), libc::EAGAIN),
        (found, None) => panic!("{found:?} from an empty queue"),
    }
}

/// Lengths that go down, so that there is room for a later one where there was none for one before it.
fn send_batch(queue: &Queue, model: &mut Model, length: usize, count: usize) {
    let message = |at: usize| (at as i64 + 1, vec![(model.sent % 251) as u8; length.saturating_sub(at)]);
    let messages: Vec<_> = (0..count).map(message).collect();
    if length > model.capacity {
        assert_eq!(queue.try_send_many(&slices(&messages)).unwrap_err().errno(), libc::EMSGSIZE);
        return;
    }
    let expected = messages.iter().take_while(|(mtype, data)| model.send(*mtype, data) == 0).count();
    match queue.try_send_many(&slices(&messages)) {
        Ok(sent) => assert_eq!(sent, expected),
        Err(error) => assert_eq!((error.errno(), expected), (libc::EAGAIN, 0)),
    }
}

fn receive_batch(queue: &Queue, model: &mut Model, count: usize, room: usize) {
    let mut batch = Batch::new(count, room);
    let (mut expected, mut used) = (0, 0_usize);
    for (_, data, _) in model.messages.iter().take(count) {
        if used + data.len() > room {
            break;
        }
        used = (used + data.len()).next_multiple_of(8).min(room);
        expected += 1;
    }
    match queue.try_recv_many(Select::Any, &mut batch) {
        Ok(received) => {
            let is_full = expected < count.min(model.messages.len());
            assert_eq!((received, batch.len(), batch.is_full()), (expected, expected, is_full));
        }
        Err(error) if model.messages.is_empty() => assert_eq!((error.errno(), batch.len()), (libc::EAGAIN, 0)),
        Err(error) => {
            let length = model.messages[0].1.len() as u64;
            assert_eq!((error.errno(), error.length(), expected), (libc::E2BIG, length, 0));
        }
    }
    for (received, data) in &batch {
        let (mtype, expected, sequence) = model.messages.pop_front().unwrap();
        assert_eq!((received.mtype, received.length, received.sequence), (mtype, expected.len(), sequence));
        assert!(data == expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn is_a_queue(
        capacity in prop_oneof![1usize..1000, 1usize..100_000, 1usize..2_000_000],
        max_messages in prop_oneof![1usize..100, 1usize..70_000],
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let name = Name::new("model");
        let options = Queue::options().capacity(capacity as u64).max_messages(max_messages as u64);
        let mut handles: Vec<_> = (0..HANDLES).map(|_| options.open(&name).unwrap()).collect();
        let mut model = Model { capacity, max_messages, messages: VecDeque::new(), sent: 0 };
        for step in steps {
            match step {
                Step::Send { handle, mtype, length } => send(&handles[handle], &mut model, mtype, length),
                Step::SendMany { handle, length, count } => {
                    (0..count).for_each(|_| send(&handles[handle], &mut model, 1, length));
                }
                Step::Receive { handle } => receive(&handles[handle], &mut model),
                Step::ReceiveMany { handle, count } => {
                    (0..count).for_each(|_| receive(&handles[handle], &mut model));
                }
                Step::ReceiveInto { handle, room } => receive_into(&handles[handle], &mut model, room),
                Step::SendBatch { handle, length, count } => send_batch(&handles[handle], &mut model, length, count.min(4_000_000 / (length + 1))),
                Step::ReceiveBatch { handle, count, room } => receive_batch(&handles[handle], &mut model, count, room),
                Step::Reopen { handle } => handles[handle] = options.open(&name).unwrap(),
            }
            let status = handles[0].stat().unwrap();
            let expected = (model.messages.len() as u64, model.bytes() as u64, model.sent);
            prop_assert_eq!((status.messages, status.bytes, status.sent), expected);
        }
    }
}
