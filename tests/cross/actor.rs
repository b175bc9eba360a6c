//! The actor in Rust; main.rs says what an actor does.

use std::fmt::Write;
use std::io::{IoSlice, stdin};
use std::mem::MaybeUninit;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use madang::{
    Barrier, Batch, Condition, Create, Deadline, Event, Lease, Mutex, MutexGuard, Operation, Queue, Received,
    Reservation, Result, RwLock, RwLockGuard, Segment, Select, SemaphoreSet, SyncOptions,
};
use madang_tests::{origin, slices};

fn main() {
    let mut actor = Actor::default();
    println!("ok version={}", env!("CARGO_PKG_VERSION"));
    for line in stdin().lines() {
        println!("begun");
        match actor.perform(&Command::new(&line.expect("a line"))) {
            Ok(answer) => println!("ok {answer}"),
            Err(error) => println!("error errno={} length={} {error}", error.errno(), error.length()),
        }
    }
}

/// A verb, perhaps a name, and `key=value` pairs.
struct Command<'a> {
    words: Vec<&'a str>,
}

impl<'a> Command<'a> {
    fn new(line: &'a str) -> Self {
        Self { words: line.split(' ').collect() }
    }

    fn name(&self) -> &str {
        self.words[1]
    }

    fn text(&self, key: &str) -> Option<&'a str> {
        self.words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
    }

    fn number<T: FromStr>(&self, key: &str) -> Option<T> {
        self.text(key).map(|text| text.parse().unwrap_or_else(|_| panic!("{key}={text}")))
    }

    fn need<T: FromStr>(&self, key: &str) -> T {
        self.number(key).unwrap_or_else(|| panic!("{key} is missing"))
    }

    fn lengths(&self) -> Vec<usize> {
        self.need::<String>("lengths").split(',').map(|length| length.parse().expect("lengths")).collect()
    }

    fn values(&self) -> Vec<u32> {
        let values = self.text("values").unwrap_or_default().split(',').filter(|text| !text.is_empty());
        values.map(|value| value.parse().expect("values")).collect()
    }

    /// `INDEX:DELTA[u][n],…`
    fn operations(&self, key: &str) -> Vec<Operation> {
        let operation = |text: &str| {
            let (index, rest) = text.split_once(':').expect("INDEX:DELTA");
            let delta = rest.trim_end_matches(['u', 'n']);
            let [index, delta] = [index, delta].map(|number| number.parse::<i64>().expect("a number"));
            let operation = Operation::release(index as u32, delta as i32);
            let operation = if rest.contains('u') { operation.undo() } else { operation };
            if rest.contains('n') { operation.no_wait() } else { operation }
        };
        let text = self.text(key).unwrap_or_default();
        text.split(',').filter(|text| !text.is_empty()).map(operation).collect()
    }

    fn timeout(&self) -> Option<Duration> {
        self.number("timeout").map(Duration::from_millis)
    }

    fn create(&self) -> Create {
        match self.text("create") {
            None => Create::IfMissing,
            Some("never") => Create::Never,
            Some("only") => Create::Only,
            Some(other) => panic!("create={other}"),
        }
    }

    fn deadline(&self) -> Deadline {
        match self.timeout() {
            None => Deadline::NEVER,
            Some(Duration::ZERO) => Deadline::NOW,
            Some(timeout) => Deadline::after(timeout),
        }
    }

    fn select(&self) -> Select {
        let select = self.number("select").unwrap_or_default();
        if self.number("except") == Some(1) { Select::Except(select) } else { Select::from_msgtyp(select) }
    }

    /// What is to be sent, or is expected.
    fn payload(&self, length: usize) -> Vec<u8> {
        payload(self.need("sender"), self.need("index"), length)
    }
}

fn payload(sender: u32, index: u64, length: usize) -> Vec<u8> {
    let mut bytes = madang_tests::payload(sender, index, length);
    bytes.truncate(length);
    bytes
}

#[derive(Default)]
struct Actor {
    queue: Option<Arc<Queue>>,
    lease: Option<Lease>,
    reservation: Option<Reservation>,
    segment: Option<Segment>,
    locks: Locks,
    set: Option<SemaphoreSet>,
}

/// What is held comes before what holds it. An actor ends soon: nothing of this is ever given back but the guards.
#[derive(Default)]
struct Locks {
    guard: Option<MutexGuard<'static>>,
    rwguard: Option<RwLockGuard<'static>>,
    mutex: Option<&'static Mutex>,
    rwlock: Option<&'static RwLock>,
    condition: Option<Condition>,
    barrier: Option<Barrier>,
    event: Option<Event>,
}

impl Actor {
    fn perform(&mut self, command: &Command) -> Result<String> {
        match command.words[0] {
            "open" => self.open(command),
            "close" => self.close(),
            "unlink" => Queue::unlink(command.name()).map(nothing),
            "send" => self.send(command).map(nothing),
            "recv" if command.text("buffer").is_some() => self.recv_into(command),
            "recv" => self.recv(command),
            "peek" => self.peek(command),
            "lease" => self.lease(command),
            "ack" => self.lease.take().expect("a lease").ack().map(nothing),
            "release" => self.lease.take().expect("a lease").release().map(nothing),
            "reserve" => self.reserve(command).map(nothing),
            "commit" => self.commit(command).map(nothing),
            "drop" => {
                self.reservation = None;
                Ok(String::new())
            }
            "trim" => self.queue().trim().map(|bytes| format!("bytes={bytes}")),
            "stat" => self.stat(),
            "stream" => self.stream(command).map(nothing),
            "collect" => self.collect(command),
            "send-many" => self.send_many(command),
            "send-pieces" => self.send_pieces(command).map(nothing),
            "stream-batches" => self.stream_batches(command).map(nothing),
            "collect-batches" => self.collect_batches(command),
            "open-segment" => self.open_segment(command),
            "close-segment" => self.close_segment(),
            "unlink-segment" => Segment::unlink(command.name()).map(nothing),
            "write" => self.write(command).map(nothing),
            "read" => self.read(command),
            "place" => self.place(command).map(nothing),
            "count" => self.count(command),
            "open-set" => self.open_set(command),
            "close-set" => {
                self.set = None;
                Ok(String::new())
            }
            "unlink-set" => SemaphoreSet::unlink(command.name()).map(nothing),
            "operate" => self.operate(command).map(nothing),
            "semaphore" => self.semaphore(command.need("index")),
            "values" => self.values(),
            "set-value" => self.set().set_value(command.need("index"), command.need("value")).map(nothing),
            "set-values" => self.set().set_values(&command.values()).map(nothing),
            "stat-set" => self.stat_set(),
            "count-alone" => self.count_alone(command).map(nothing),
            _ => self.locks.perform(command),
        }
    }

    fn queue(&self) -> &Arc<Queue> {
        self.queue.as_ref().expect("an open queue")
    }

    fn segment(&self) -> &Segment {
        self.segment.as_ref().expect("an open segment")
    }

    fn open(&mut self, command: &Command) -> Result<String> {
        self.queue = None;
        let queue = Queue::options()
            .create(command.create())
            .capacity(command.number("capacity").unwrap_or_default())
            .max_messages(command.number("max_messages").unwrap_or_default())
            .max_participants(command.number("max_participants").unwrap_or_default())
            .mode(command.number("mode").unwrap_or(0o600))
            .open(command.name())?;
        let queue = self.queue.insert(Arc::new(queue));
        Ok(format!("new={} capacity={} messages={}", u8::from(queue.is_new()), queue.capacity(), queue.len()))
    }

    fn close(&mut self) -> Result<String> {
        self.queue = None;
        Ok(String::new())
    }

    fn send(&self, command: &Command) -> Result<()> {
        let (mtype, data) = (command.need("type"), command.payload(command.need("length")));
        match command.timeout() {
            None => self.queue().send(mtype, &data),
            Some(Duration::ZERO) => self.queue().try_send(mtype, &data),
            Some(timeout) => self.queue().send_timeout(mtype, &data, timeout),
        }
    }

    fn recv(&self, command: &Command) -> Result<String> {
        let select = command.select();
        let message = match command.timeout() {
            None => self.queue().recv(select),
            Some(Duration::ZERO) => self.queue().try_recv(select),
            Some(timeout) => self.queue().recv_timeout(select, timeout),
        }?;
        Ok(tell(command, message.mtype, &message.data))
    }

    fn recv_into(&self, command: &Command) -> Result<String> {
        let (select, deadline) = (command.select(), command.timeout().map_or(Deadline::NEVER, Deadline::after));
        let mut buffer = vec![0; command.need("buffer")];
        if command.number("cut") == Some(1) {
            let mut buffer = vec![MaybeUninit::uninit(); buffer.len()];
            let received = self.queue().recv_cut(select, &mut buffer, deadline)?;
            // SAFETY: these bytes were received.
            let bytes: Vec<u8> = buffer[..received.length].iter().map(|byte| unsafe { byte.assume_init() }).collect();
            let message = tell(command, received.mtype, &bytes);
            return Ok(format!("{message} sequence={} all={}", received.sequence, received.message_length));
        }
        let Received { mtype, length, sequence, .. } = self.queue().recv_into(select, &mut buffer, deadline)?;
        Ok(format!("{} sequence={sequence}", tell(command, mtype, &buffer[..length])))
    }

    fn peek(&self, command: &Command) -> Result<String> {
        let message = self.queue().peek(command.need("position"))?;
        let told = tell(command, message.mtype, &message.data);
        Ok(format!("{told} sequence={} redelivered={}", message.sequence, message.redelivered))
    }

    /// Gives back what it had before.
    fn lease(&mut self, command: &Command) -> Result<String> {
        self.lease = None;
        let lease = Lease::new(self.queue().clone(), command.select(), command.deadline())?;
        let lease = self.lease.insert(lease);
        let told = tell(command, lease.mtype(), &lease.to_vec());
        Ok(format!("{told} sequence={} redelivered={}", lease.sequence(), lease.redelivered()))
    }

    fn reserve(&mut self, command: &Command) -> Result<()> {
        self.reservation = None;
        let reservation = Reservation::new(self.queue().clone(), command.need("length"), command.deadline())?;
        self.reservation = Some(reservation);
        Ok(())
    }

    /// Writes what the command says to the reservation, and sends it.
    fn commit(&mut self, command: &Command) -> Result<()> {
        let reservation = self.reservation.as_mut().expect("a reservation");
        let payload = command.payload(command.need("length"));
        if payload.len() <= reservation.len() {
            reservation.write(0, &payload)?;
        }
        reservation.try_commit(command.need("type"), payload.len(), command.deadline())?;
        self.reservation = None;
        Ok(())
    }

    fn stat(&self) -> Result<String> {
        let s = self.queue().stat()?;
        Ok(format!(
            "capacity={} max_messages={} max_participants={} bytes={} messages={} sent={} received={} participants={} \
             repairs={} allocated={} mode={} uid={} gid={}",
            s.capacity,
            s.max_messages,
            s.max_participants,
            s.bytes,
            s.messages,
            s.sent,
            s.received,
            s.participants,
            s.repairs,
            s.allocated,
            s.mode,
            s.uid,
            s.gid
        ))
    }

    fn stream(&self, command: &Command) -> Result<()> {
        let (sender, first, count): (u32, u64, u64) =
            (command.need("sender"), command.need("first"), command.need("count"));
        let lengths = command.lengths();
        for index in first..first + count {
            let length = lengths[index as usize % lengths.len()];
            self.queue().send(i64::from(sender) + 1, &payload(sender, index, length))?;
            self.mark(command, index)?;
        }
        Ok(())
    }

    fn collect(&self, command: &Command) -> Result<String> {
        let mut buffer = vec![0; self.queue().capacity() as usize];
        let mut log = String::new();
        loop {
            let Received { mtype, length, sequence, .. } =
                self.queue().recv_into(Select::Any, &mut buffer, Deadline::NEVER)?;
            if length == 0 {
                return Ok(log);
            }
            let (sender, index) = origin(&buffer[..length]);
            self.mark(command, index)?;
            write!(log, "{sequence}:{mtype}:{sender}:{index}:{length} ").expect("memory");
        }
    }

    fn send_many(&self, command: &Command) -> Result<String> {
        let mtype = command.need("type");
        let messages: Vec<_> = command.lengths().iter().map(|&length| (mtype, command.payload(length))).collect();
        let sent = match command.timeout() {
            None => self.queue().send_many(&slices(&messages)),
            Some(Duration::ZERO) => self.queue().try_send_many(&slices(&messages)),
            Some(timeout) => self.queue().send_many_timeout(&slices(&messages), timeout),
        }?;
        Ok(format!("sent={sent}"))
    }

    fn send_pieces(&self, command: &Command) -> Result<()> {
        let data = command.payload(command.need("length"));
        let (start, rest) = data.split_at(data.len() / 3);
        let (middle, end) = rest.split_at(rest.len() / 2);
        let deadline = command.timeout().map_or(Deadline::NEVER, Deadline::after);
        self.queue().send_vectored(command.need("type"), &[start, middle, &[], end].map(IoSlice::new), deadline)
    }

    fn stream_batches(&self, command: &Command) -> Result<()> {
        let (sender, first, count): (u32, u64, u64) =
            (command.need("sender"), command.need("first"), command.need("count"));
        let (lengths, batch) = (command.lengths(), command.need::<usize>("batch"));
        let indices: Vec<_> = (first..first + count).collect();
        for indices in indices.chunks(batch) {
            let message =
                |&index: &u64| (i64::from(sender) + 1, payload(sender, index, lengths[index as usize % lengths.len()]));
            let messages: Vec<_> = indices.iter().map(message).collect();
            let sent = self.queue().send_many(&slices(&messages))?;
            assert_eq!(sent, messages.len());
            indices.iter().try_for_each(|&index| self.mark(command, index))?;
        }
        Ok(())
    }

    fn collect_batches(&self, command: &Command) -> Result<String> {
        let mut batch = Batch::new(command.need("batch"), self.queue().capacity() as usize);
        let mut log = String::new();
        loop {
            self.queue().recv_many(Select::Any, &mut batch)?;
            for (&Received { mtype, length, sequence, .. }, data) in &batch {
                if length == 0 {
                    return Ok(log);
                }
                let (sender, index) = origin(data);
                self.mark(command, index)?;
                write!(log, "{sequence}:{mtype}:{sender}:{index}:{length} ").expect("memory");
            }
        }
    }

    /// Adds 1 to the message's byte in the segment, if that was asked for.
    fn mark(&self, command: &Command, index: u64) -> Result<()> {
        let Some(marks) = command.number::<usize>("marks") else { return Ok(()) };
        let (at, mut mark) = (marks + index as usize, [0]);
        self.segment().read(at, &mut mark)?;
        self.segment().write(at, &[mark[0] + 1])
    }

    fn open_segment(&mut self, command: &Command) -> Result<String> {
        self.segment = None;
        let segment = Segment::options()
            .create(command.create())
            .length(command.number("length").unwrap_or_default())
            .mode(command.number("mode").unwrap_or(0o600))
            .read_only(command.number("read_only") == Some(1))
            .open(command.name())?;
        let segment = self.segment.insert(segment);
        Ok(format!("new={} length={}", u8::from(segment.is_new()), segment.len()))
    }

    fn close_segment(&mut self) -> Result<String> {
        self.segment = None;
        Ok(String::new())
    }

    fn set(&self) -> &SemaphoreSet {
        self.set.as_ref().expect("an open set")
    }

    fn open_set(&mut self, command: &Command) -> Result<String> {
        self.set = None;
        let set = SemaphoreSet::options()
            .create(command.create())
            .semaphores(command.number("semaphores").unwrap_or_default())
            .values(&command.values())
            .max_value(command.number("max_value").unwrap_or_default())
            .max_participants(command.number("max_participants").unwrap_or_default())
            .mode(command.number("mode").unwrap_or(0o600))
            .open(command.name())?;
        let set = self.set.insert(set);
        Ok(format!("new={} semaphores={} max_value={}", u8::from(set.is_new()), set.len(), set.max_value()))
    }

    fn operate(&self, command: &Command) -> Result<()> {
        let operations = command.operations("ops");
        match command.timeout() {
            None => self.set().operate(&operations),
            Some(Duration::ZERO) => self.set().try_operate(&operations),
            Some(timeout) => self.set().operate_timeout(&operations, timeout),
        }
    }

    fn semaphore(&self, index: u32) -> Result<String> {
        let (value, pid, waiting) = (self.set().value(index)?, self.set().last_pid(index)?, self.set().waiting(index)?);
        Ok(format!("value={value} pid={pid} to_grow={} for_zero={}", waiting.to_grow, waiting.for_zero))
    }

    fn values(&self) -> Result<String> {
        let values = self.set().values()?;
        Ok(values.iter().enumerate().map(|(index, value)| format!("{index}={value} ")).collect())
    }

    fn stat_set(&self) -> Result<String> {
        let s = self.set().stat()?;
        Ok(format!(
            "semaphores={} max_value={} max_participants={} participants={} repairs={} allocated={} mode={} uid={} gid={}",
            s.semaphores, s.max_value, s.max_participants, s.participants, s.repairs, s.allocated, s.mode, s.uid, s.gid
        ))
    }

    /// As one counts who is alone.
    fn count_alone(&self, command: &Command) -> Result<()> {
        let [before, after] = ["ops", "ops_after"].map(|key| command.operations(key));
        for _ in 0..command.need("rounds") {
            self.set().operate(&before)?;
            let (at, mut count) = (command.need("at"), [0; 2]);
            self.segment().read(at, &mut count)?;
            self.segment().write(at, &u16::from_le_bytes(count).wrapping_add(1).to_le_bytes())?;
            self.set().operate(&after)?;
        }
        Ok(())
    }

    fn write(&self, command: &Command) -> Result<()> {
        self.segment().write(command.need("offset"), &command.payload(command.need("length")))
    }

    fn read(&self, command: &Command) -> Result<String> {
        let mut bytes = vec![0; command.need("length")];
        self.segment().read(command.need("offset"), &mut bytes)?;
        Ok(format!("whole={}", u8::from(bytes == command.payload(bytes.len()))))
    }
}

/// By name, or in the segment.
macro_rules! placed {
    ($kind:ident, $actor:expr, $command:expr) => {
        match $command.text("name") {
            Some(name) => $kind::open_with(name, SyncOptions::default())?,
            None => $kind::within($actor.segment(), $command.need("offset"))?,
        }
    };
}

impl Actor {
    fn place(&mut self, command: &Command) -> Result<()> {
        match command.name() {
            "mutex" => self.locks.mutex = Some(Box::leak(Box::new(placed!(Mutex, self, command)))),
            "rwlock" => self.locks.rwlock = Some(Box::leak(Box::new(placed!(RwLock, self, command)))),
            "condition" => self.locks.condition = Some(placed!(Condition, self, command)),
            "barrier" => {
                let barrier = placed!(Barrier, self, command);
                barrier.set_parties(command.need("parties"))?;
                self.locks.barrier = Some(barrier);
            }
            "event" => self.locks.event = Some(placed!(Event, self, command)),
            other => panic!("what is {other}?"),
        }
        Ok(())
    }

    fn count(&self, command: &Command) -> Result<String> {
        let (at, mut died) = (command.need("at"), 0);
        for _ in 0..command.need("times") {
            let guard = self.locks.mutex().lock()?;
            let mut number = [0; 8];
            self.segment().read(at, &mut number)?;
            self.segment().write(at, &(u64::from_ne_bytes(number) + 1).to_ne_bytes())?;
            died += u32::from(guard.owner_died());
        }
        Ok(format!("died={died}"))
    }
}

impl Locks {
    fn mutex(&self) -> &'static Mutex {
        self.mutex.expect("a mutex")
    }

    fn perform(&mut self, command: &Command) -> Result<String> {
        let deadline = command.deadline();
        match command.words[0] {
            "lock" => {
                let guard = self.guard.insert(self.mutex().lock_until(deadline)?);
                Ok(died(guard.owner_died()))
            }
            "unlock" => Ok(self.guard.take().map(drop).map(nothing).expect("a guard")),
            "read-lock" => {
                let guard = self.rwguard.insert(self.rwlock.expect("a lock").read_until(deadline)?);
                Ok(died(guard.owner_died()))
            }
            "write-lock" => {
                let guard = self.rwguard.insert(self.rwlock.expect("a lock").write_until(deadline)?);
                Ok(died(guard.owner_died()))
            }
            "unlock-rwlock" => Ok(self.rwguard.take().map(drop).map(nothing).expect("a guard")),
            "await-change" => {
                let guard = self.guard.take().expect("a guard");
                let guard = self.condition().wait_until(guard, deadline)?;
                Ok(died(self.guard.insert(guard).owner_died()))
            }
            "tell-one" => self.condition().notify_one().map(nothing),
            "tell-all" => self.condition().notify_all().map(nothing),
            "meet" => {
                let barrier = self.barrier.as_ref().expect("a barrier");
                Ok(format!("rank={}", barrier.wait_until(deadline)?))
            }
            "set" => self.event().set().map(nothing),
            "clear" => {
                self.event().clear();
                Ok(String::new())
            }
            "await" => self.event().wait_until(deadline).map(nothing),
            other => panic!("what is {other}?"),
        }
    }

    fn condition(&self) -> &Condition {
        self.condition.as_ref().expect("a condition")
    }

    fn event(&self) -> &Event {
        self.event.as_ref().expect("an event")
    }
}

fn died(died: bool) -> String {
    format!("died={}", u8::from(died))
}

/// What there is to tell of a message.
fn tell(command: &Command, mtype: i64, data: &[u8]) -> String {
    let whole = u8::from(data == command.payload(data.len()));
    format!("type={mtype} length={} whole={whole}", data.len())
}

fn nothing((): ()) -> String {
    String::new()
}
