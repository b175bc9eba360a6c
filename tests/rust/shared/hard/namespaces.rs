//! Processes that share the directory, but number processes and users, and count the time, each in its own way: containers.
//!
//! Who is inside has pid 1, is root of a users' namespace, and its monotonic clock is a day ahead, or hours behind.

use std::fs;
use std::time::{Duration, Instant};

use madang::{Condition, Deadline, Event, Mutex, Operation, Queue, Select, SemaphoreSet};
use madang_tests::{Checkpoint, Child, Name, WATCHDOG, fork, origin, payload};

/// What a process that has no namespaces here exits with.
const NOT_PERMITTED: i32 = 77;

/// How the clocks inside differ, in seconds.
const CLOCKS: [i64; 3] = [0, 100_000, -1000];

/// Runs `work` in a process of its own in namespaces of its own, as pid 1; killed with the child that this gives.
fn inside(clock: i64, work: impl FnOnce()) -> Child {
    fork(|| {
        if !leave(libc::CLONE_NEWUSER | libc::CLONE_NEWPID | libc::CLONE_NEWTIME, clock) {
            return NOT_PERMITTED;
        }
        let inner = fork(|| {
            assert_eq!(std::process::id(), 1);
            work();
            0
        });
        inner.wait_for(6 * WATCHDOG)
    })
}

/// Leaves these namespaces. Root is root in the new one, too, and who it is outside.
fn leave(namespaces: i32, clock: i64) -> bool {
    // SAFETY: no memory is passed, and the caller has one thread.
    let is_apart = unsafe { libc::unshare(namespaces) == 0 };
    is_apart
        && fs::write("/proc/self/setgroups", "deny").is_ok()
        && fs::write("/proc/self/uid_map", "0 0 1").is_ok()
        && fs::write("/proc/self/gid_map", "0 0 1").is_ok()
        && (clock == 0 || fs::write("/proc/self/timens_offsets", format!("monotonic {clock} 0\n")).is_ok())
}

/// Whether namespaces are to be had, and the machine has run for long enough that a clock can be behind.
fn are_permitted(clock: i64) -> bool {
    let permitted = inside(clock, || ()).wait_for(WATCHDOG) == 0;
    if !permitted {
        println!("no namespaces with a clock {clock} s off are to be had here; nothing was tested");
    }
    permitted
}

/// What the one and the other have open.
struct Shared {
    queue: Queue,
    back: Queue,
    set: SemaphoreSet,
    mutex: Mutex,
}

impl Shared {
    fn open([name, back]: &[Name; 2]) -> Self {
        Self {
            queue: Queue::options().capacity(20_000).open(name).unwrap(),
            back: Queue::open(back).unwrap(),
            set: SemaphoreSet::options().values(&[1, 0]).open(name).unwrap(),
            mutex: Mutex::open(name).unwrap(),
        }
    }

    /// Takes all that one can take along into death.
    fn hold(&self) {
        self.set.operate(&[Operation::acquire(0, 1).undo()]).unwrap();
        std::mem::forget(self.mutex.lock().unwrap());
        std::mem::forget(self.queue.lease(Select::Type(5)).unwrap());
    }

    /// Somebody holds all of it, and lives.
    fn is_held(&self) {
        assert_eq!(self.set.try_acquire(0).unwrap_err().errno(), libc::EAGAIN);
        assert_eq!(self.mutex.lock_timeout(Duration::from_millis(50)).unwrap_err().errno(), libc::ETIMEDOUT);
        assert_eq!(self.queue.try_recv(Select::Type(5)).unwrap_err().errno(), libc::EAGAIN);
    }

    /// Who held it dies at some time; each is waited for asleep.
    fn inherit(&self) {
        self.set.acquire_timeout(0, WATCHDOG).unwrap();
        self.set.release(0).unwrap();
        assert!(self.mutex.lock_timeout(WATCHDOG).unwrap().owner_died());
        let message = self.queue.recv_timeout(Select::Type(5), WATCHDOG).unwrap();
        assert_eq!((&message.data[..], message.redelivered), (&b"leased"[..], 1));
    }
}

fn names() -> [Name; 2] {
    [Name::new("spaces"), Name::new("spaces-back")]
}

/// Messages to and fro, with full and empty queues to be waited for.
#[test]
fn messages() {
    const MESSAGES: u64 = 3000;
    for clock in CLOCKS.into_iter().filter(|&clock| are_permitted(clock)) {
        let names = names();
        let shared = Shared::open(&names);
        let child = inside(clock, || {
            let shared = Shared::open(&names);
            for index in 0..MESSAGES {
                let message = shared.queue.recv_timeout(Select::Any, WATCHDOG).unwrap();
                assert_eq!(origin(&message.data), (0, index));
                shared.back.send_timeout(message.mtype, &message.data, WATCHDOG).unwrap();
            }
        });
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for index in 0..MESSAGES {
                    let message = payload(0, index, 12 + (index % 500) as usize);
                    shared.queue.send_timeout(1, &message, WATCHDOG).unwrap();
                }
            });
            for index in 0..MESSAGES {
                let message = shared.back.recv_timeout(Select::Any, WATCHDOG).unwrap();
                assert_eq!(origin(&message.data), (0, index));
            }
        });
        child.succeeds();
    }
}

/// Who is killed, inside or outside, is found dead by the other, who has all that it held.
#[test]
fn deaths() {
    for clock in CLOCKS.into_iter().filter(|&clock| are_permitted(clock)) {
        for dies_inside in [true, false] {
            let names = names();
            let shared = Shared::open(&names);
            shared.queue.send(5, b"leased").unwrap();
            let (held, seen, ready) = (Checkpoint::default(), Checkpoint::default(), Checkpoint::default());
            let hold = || {
                let shared = Shared::open(&names);
                shared.hold();
                held.reach();
                std::thread::sleep(6 * WATCHDOG);
            };
            let outlive = || {
                let shared = Shared::open(&names);
                held.wait();
                shared.is_held();
                seen.reach();
                shared.inherit();
                ready.reach();
            };
            let (holder, heir) = if dies_inside {
                let heir = fork(|| {
                    outlive();
                    0
                });
                (inside(clock, hold), heir)
            } else {
                let holder = fork(|| {
                    hold();
                    0
                });
                (holder, inside(clock, outlive))
            };
            seen.wait();
            // So that the heir sleeps for it.
            heir.wait_until_asleep();
            let begun = Instant::now();
            holder.kill();
            ready.wait();
            println!("clock {clock}, inside {dies_inside}: all was had after {:?}", begun.elapsed());
            assert!(begun.elapsed() < Duration::from_secs(4));
            heir.succeeds();
            assert_eq!(shared.set.values().unwrap(), [1, 0]);
            assert_eq!(shared.queue.stat().unwrap().participants, 1);
        }
    }
}

/// Each waits by its own clock: neither too short nor too long, and is woken by the other's.
#[test]
fn deadlines() {
    const TIME: Duration = Duration::from_millis(60);
    for clock in CLOCKS.into_iter().filter(|&clock| are_permitted(clock)) {
        let names = names();
        let shared = Shared::open(&names);
        shared.set.set_value(0, 0).unwrap();
        while shared.queue.try_send(1, &[0; 1000]).is_ok() {}
        let _held = shared.mutex.lock().unwrap();
        let outside = Deadline::after(Duration::from_nanos(1)).as_ns();
        let waits = || {
            let own = Shared::open(&names);
            let timed = |what: &str, wait: &dyn Fn() -> madang::Result<()>| {
                let begun = Instant::now();
                assert_eq!(wait().unwrap_err().errno(), libc::ETIMEDOUT, "{what}");
                let waited = begun.elapsed();
                assert!((TIME..TIME + Duration::from_secs(3)).contains(&waited), "{what}: {waited:?}");
            };
            timed("recv", &|| own.back.recv_timeout(Select::Any, TIME).map(drop));
            timed("send", &|| own.queue.send_timeout(1, &[0; 1000], TIME));
            timed("acquire", &|| own.set.acquire_timeout(0, TIME));
            timed("lock", &|| own.mutex.lock_timeout(TIME).map(drop));
            let event = Event::open(&names[0]).unwrap();
            timed("event", &|| event.wait_timeout(TIME));
            let (other, condition) = (Mutex::open(&names[1]).unwrap(), Condition::open(&names[0]).unwrap());
            timed("condition", &|| condition.wait_timeout(other.lock()?, TIME).map(drop));
        };
        let child = inside(clock, || {
            let here = Deadline::after(Duration::from_nanos(1)).as_ns();
            let apart = here.cast_signed() - outside.cast_signed();
            assert!((apart - clock * 1_000_000_000).abs() < 5_000_000_000, "the clock is {apart} ns off");
            waits();
        });
        waits();
        child.succeeds();
        // And who waits for long is woken by the other.
        let woken = inside(clock, || {
            let own = Shared::open(&names);
            own.set.acquire_timeout(0, WATCHDOG).unwrap();
            own.back.send(1, b"awake").unwrap();
        });
        std::thread::sleep(TIME);
        shared.set.release(0).unwrap();
        assert_eq!(shared.back.recv_timeout(Select::Any, WATCHDOG).unwrap().data, b"awake");
        woken.succeeds();
    }
}

/// Of who isn't a user inside one is told that he isn't trusted; who says that he trusts him has it.
#[test]
fn owners() {
    // SAFETY: no memory is passed.
    if !are_permitted(0) || unsafe { libc::geteuid() } != 0 {
        return println!("only root can give files away");
    }
    let name = Name::new("spaces-owner");
    let queue = Queue::options().mode(0o666).open(&name).unwrap();
    queue.send(1, b"kept").unwrap();
    std::os::unix::fs::chown(name.queue_path(), Some(1234), None).unwrap();
    let child = inside(0, || {
        let error = Queue::open(&name).unwrap_err();
        assert_eq!(error.errno(), libc::EPERM, "{error}");
        // A number that isn't mapped is told as 65534.
        assert!(error.message().contains("belongs to user 65534"), "{error}");
        let queue = Queue::options().any_owner(true).open(&name).unwrap();
        assert_eq!(queue.try_recv(Select::Any).unwrap().data, b"kept");
        queue.try_send(2, b"from inside").unwrap();
    });
    child.succeeds();
    assert_eq!(queue.try_recv(Select::Any).unwrap().data, b"from inside");
}
