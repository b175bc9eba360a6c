//! A queue: by all selections, in batches, by reservations and leases.

use std::sync::Arc;

use madang::{Batch, Deadline, Lease, Queue, QueueOptions, Reservation, Select};

use super::super::probe::{Probe, soon};
use super::super::room::Room;
use super::{NAME, Scene, Used, polls};

/// With a backlog, messages in blocks, and what one who died had leased and reserved; all in the near ring.
pub(crate) const SCENE: Scene = Scene { name: "queue", make: |_| make_small(), open };
/// With its messages in both rings.
pub(crate) const DEEP: Scene = Scene { name: "queue, both rings", make: |_| make_deep(), open };
/// Without a message.
pub(crate) const EMPTY: Scene = Scene { name: "queue, empty", make: |_| make_empty(), open };

/// Longer than what lies in a record.
const LARGE: usize = 5000;
/// (Of 0, so that few lines hold something.)
static BYTES: [u8; LARGE] = [0; LARGE];

fn options() -> QueueOptions {
    Queue::options().max_participants(8).dead_letters("scribble-dead", 2)
}

fn make_empty() -> i32 {
    options().capacity(16 << 10).max_messages(64).open(NAME).expect("a new queue");
    0
}

fn make_small() -> i32 {
    let queue = Arc::new(options().capacity(32 << 10).max_messages(64).open(NAME).expect("a new queue"));
    let send = |mtype, length: usize| queue.try_send(mtype, &BYTES[..length]).expect("room");
    for mtype in [1, 2, 3, 1, 2] {
        send(mtype, 24);
    }
    send(3, LARGE);
    send(4, 0);
    // What is before it goes into the backlog.
    queue.try_recv(Select::Type(4)).expect("a message");
    send(2, LARGE);
    for mtype in [5, 1, 6] {
        send(mtype, 40);
    }
    for select in [Select::Type(2), Select::Any] {
        std::mem::forget(Lease::new(queue.clone(), select, Deadline::NOW).expect("a lease"));
    }
    std::mem::forget(Reservation::new(queue.clone(), 300, Deadline::NOW).expect("a reservation"));
    // A block that is free, between others.
    queue.try_recv(Select::Type(3)).expect("a message");
    std::mem::forget(queue);
    0
}

fn make_deep() -> i32 {
    let queue = options().capacity(512 << 10).max_messages(256).open(NAME).expect("a new queue");
    for mtype in 0..90 {
        queue.try_send(1 + mtype % 3, &BYTES[..4000]).expect("room");
    }
    for select in [Select::Any, Select::Any, Select::Type(2), Select::Type(2), Select::Type(2)] {
        queue.try_recv(select).expect("a message");
    }
    std::mem::forget(queue);
    0
}

/// One who uses it, and one beside him who holds something.
struct Queues {
    queue: Arc<Queue>,
    other: Option<Arc<Queue>>,
    lease: Option<Lease>,
    reservation: Option<Reservation>,
}

fn open(probe: &Probe, _: &Room, _: i32) -> Option<Box<dyn Used>> {
    let options = Queue::options().create(madang::Create::Never);
    let open = || probe.step("open", || options.open(NAME))?.ok().map(Arc::new);
    let queue = open()?;
    let other = open();
    let (mut lease, mut reservation) = (None, None);
    if let Some(other) = &other {
        lease = probe.step("lease", || Lease::new(other.clone(), Select::Any, soon())).and_then(Result::ok);
        reservation = probe.step("reserve", || Reservation::new(other.clone(), 100, soon())).and_then(Result::ok);
    }
    Some(Box::new(Queues { queue, other, lease, reservation }))
}

impl Used for Queues {
    fn use_it(&mut self, probe: &Probe, turn: u64) {
        look(probe, &self.queue);
        send(probe, &self.queue);
        receive(probe, &self.queue);
        borrow(probe, &self.queue);
        if let Some(lease) = self.lease.take() {
            probe.step("read a lease", || lease.to_vec());
            probe.step("return a lease", || if turn.is_multiple_of(2) { lease.ack() } else { lease.release() });
        }
        if let Some(mut reservation) = self.reservation.take() {
            probe.step("write", || reservation.write(0, &BYTES[..100]));
            probe.step("commit", || reservation.try_commit(1, 100, soon()));
            probe.step("drop a reservation", || drop(reservation));
        }
        if turn.is_multiple_of(8) {
            descriptors(probe, &self.queue);
        }
        if turn.is_multiple_of(4) {
            alone(probe);
        }
        drain(probe, &self.queue);
        if let Some(other) = self.other.take() {
            probe.step("close", || drop(other));
        }
        send(probe, &self.queue);
        receive(probe, &self.queue);
        drain(probe, &self.queue);
        look(probe, &self.queue);
    }
}

fn look(probe: &Probe, queue: &Queue) {
    probe.step("len", || (queue.len(), queue.is_empty()));
    probe.step("stat", || queue.stat().map(|_| ()));
    probe.step("participants", || queue.participants().map(|_| ()));
    let mut buffer = [0; 64];
    for position in [0, 1, 5, u64::MAX] {
        probe.step("peek", || queue.peek_into(position, &mut buffer).map(|_| ()));
    }
}

fn send(probe: &Probe, queue: &Queue) {
    for length in [0, 10, 200, LARGE] {
        probe.step("send", || queue.send_until(1 + length as i64 % 4, &BYTES[..length], Deadline::INSTANT));
    }
    probe.step("send_at_once", || queue.send_at_once(3, &BYTES[..20]));
    probe.step("send, waiting", || queue.send_until(1, &BYTES[..50], soon()));
    let some: Vec<(i64, &[u8])> = [0, 100, 30, LARGE, 8].map(|length| (1 + length as i64 % 3, &BYTES[..length])).into();
    probe.step("send_many", || queue.send_many_until(&some, soon()).map(|_| ()));
    probe.step("send_vectored", || {
        queue.send_vectored(2, &[std::io::IoSlice::new(&BYTES[..9]), std::io::IoSlice::new(&BYTES[..90])], soon())
    });
}

fn receive(probe: &Probe, queue: &Queue) {
    let selects =
        [Select::Type(3), Select::UpTo(2), Select::Except(1), Select::Any, Select::Type(77), Select::UpTo(i64::MAX)];
    for select in selects {
        probe.step("recv", || queue.recv_until(select, Deadline::INSTANT).map(|message| message.data.len()));
    }
    let mut small = [0; 16];
    probe.step("recv_into", || queue.recv_into(Select::Any, &mut small, Deadline::INSTANT).map(|_| ()));
    let mut cut = [std::mem::MaybeUninit::uninit(); 16];
    probe.step("recv_cut", || queue.recv_cut(Select::Any, &mut cut, Deadline::INSTANT).map(|_| ()));
    probe.step("recv_at_once", || queue.recv_at_once(&mut cut).is_some());
    probe.step("recv, waiting", || queue.recv_into(Select::Type(99), &mut small, soon()).map(|_| ()));
    let mut batch = Batch::new(3, 600);
    for select in [Select::Any, Select::Except(2)] {
        probe.step("recv_many", || queue.recv_many_until(select, &mut batch, soon()).map(|_| ()));
        probe.step("the messages", || batch.iter().map(|(_, data)| data.len()).sum::<usize>());
    }
}

fn borrow(probe: &Probe, queue: &Queue) {
    for (select, how) in [(Select::Any, 0), (Select::Type(1), 1), (Select::Except(1), 2)] {
        if let Some(Ok(lease)) = probe.step("lease", || queue.lease_until(select, soon())) {
            probe.step("read a lease", || lease.to_vec());
            probe.step("return a lease", || match how {
                0 => lease.ack().is_ok(),
                1 => lease.release().is_ok(),
                _ => {
                    drop(lease);
                    true
                }
            });
        }
    }
    for length in [10, LARGE] {
        if let Some(Ok(mut reservation)) = probe.step("reserve", || queue.reserve_until(length, soon())) {
            probe.step("write", || reservation.write(0, &BYTES[..length]));
            if length == LARGE {
                probe.step("drop a reservation", || drop(reservation));
            } else {
                probe.step("commit", || reservation.commit_until(4, soon()));
            }
        }
    }
}

fn descriptors(probe: &Probe, queue: &Queue) {
    probe.step("recv_fd", || queue.recv_fd().map(|fd| polls(&fd)));
    probe.step("send_fd", || queue.send_fd().map(|fd| polls(&fd)));
    probe.step("recv", || queue.try_recv(Select::Any).map(|_| ()));
    probe.step("trim", || queue.trim());
}

fn alone(probe: &Probe) {
    let options = Queue::options().create(madang::Create::Never).exclusive_sender(true).exclusive_receiver(true);
    if let Some(Ok(alone)) = probe.step("open alone", || options.open(NAME)) {
        for _ in 0..3 {
            probe.step("send alone", || alone.send_until(1, &BYTES[..30], Deadline::INSTANT));
            probe.step("recv alone", || alone.recv_until(Select::Any, Deadline::INSTANT).map(|_| ()));
        }
        probe.step("close alone", || drop(alone));
    }
}

fn drain(probe: &Probe, queue: &Queue) {
    // (What loops without end is not for us to find by looping without end.)
    let drained = || (0..200).take_while(|_| queue.recv_until(Select::Any, Deadline::INSTANT).is_ok()).count();
    probe.step("drain", drained);
}
