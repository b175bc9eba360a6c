//! The same arrays of operations by the kernel's semaphores and by ours: outcome by outcome, value by value, sleeper by sleeper.

use std::time::Instant;

use madang::{Operation, SemaphoreSet};
use madang_tests::{Child, Name, Random, WATCHDOG, fork};

/// SEMVMX, the largest value in the kernel.
const MOST: u32 = 32_767;

/// What both have.
trait Semaphores {
    /// 0 or errno; waits if it must.
    fn operate(&self, operations: &[Operation]) -> i32;
    /// As `operate`, but doesn't wait.
    fn try_operate(&self, operations: &[Operation]) -> i32;
    fn set_value(&self, index: u32, value: u32) -> i32;
    fn set_values(&self, values: &[u32]) -> i32;
    fn values(&self) -> Vec<u32>;
    fn last_pid(&self, index: u32) -> u32;
    /// How many wait for it to grow, and for 0.
    fn waiting(&self, index: u32) -> (u32, u32);
}

/// The kernel's; they go with this, in the process that made them.
struct Kernel {
    id: i32,
    count: i32,
    owner: u32,
}

fn errno_of(done: i32) -> i32 {
    if done < 0 { std::io::Error::last_os_error().raw_os_error().unwrap() } else { 0 }
}

impl Kernel {
    fn new(values: &[u32]) -> Self {
        let count = values.len() as i32;
        // SAFETY: no memory is passed.
        let id = unsafe { libc::semget(libc::IPC_PRIVATE, count, 0o600) };
        assert!(id >= 0, "semget: {}", std::io::Error::last_os_error());
        let kernel = Self { id, count, owner: std::process::id() };
        assert_eq!(kernel.set_values(values), 0);
        kernel
    }

    fn control(&self, index: u32, command: i32) -> u32 {
        // SAFETY: no memory is passed.
        let answer = unsafe { libc::semctl(self.id, index as i32, command) };
        assert!(answer >= 0, "semctl: {}", std::io::Error::last_os_error());
        answer as u32
    }

    fn sembufs(operations: &[Operation]) -> Vec<libc::sembuf> {
        let flag = |is_set, flag| if is_set { flag as i16 } else { 0 };
        let sembuf = |operation: &Operation| libc::sembuf {
            sem_num: operation.index as u16,
            sem_op: operation.delta as i16,
            sem_flg: flag(operation.undo, 0x1000) | flag(operation.no_wait, libc::IPC_NOWAIT),
        };
        operations.iter().map(sembuf).collect()
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        if self.owner == std::process::id() {
            // SAFETY: no memory is passed.
            unsafe { libc::semctl(self.id, 0, libc::IPC_RMID) };
        }
    }
}

impl Semaphores for Kernel {
    fn operate(&self, operations: &[Operation]) -> i32 {
        let mut operations = Self::sembufs(operations);
        // SAFETY: that many operations.
        errno_of(unsafe { libc::semop(self.id, operations.as_mut_ptr(), operations.len()) })
    }

    fn try_operate(&self, operations: &[Operation]) -> i32 {
        let mut operations = Self::sembufs(operations);
        let no_time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        let (pointer, length) = (operations.as_mut_ptr(), operations.len());
        // SAFETY: that many operations, and a time.
        errno_of(unsafe { libc::syscall(libc::SYS_semtimedop, self.id, pointer, length, &raw const no_time) } as i32)
    }

    fn set_value(&self, index: u32, value: u32) -> i32 {
        // SAFETY: the value is passed as such.
        errno_of(unsafe { libc::semctl(self.id, index as i32, libc::SETVAL, value as i32) })
    }

    fn set_values(&self, values: &[u32]) -> i32 {
        let values: Vec<u16> = values.iter().map(|&value| value as u16).collect();
        assert_eq!(values.len(), self.count as usize);
        // SAFETY: as many values as it has semaphores.
        errno_of(unsafe { libc::semctl(self.id, 0, libc::SETALL, values.as_ptr()) })
    }

    fn values(&self) -> Vec<u32> {
        let mut values = vec![0_u16; self.count as usize];
        // SAFETY: room for as many values as it has semaphores.
        assert_eq!(unsafe { libc::semctl(self.id, 0, libc::GETALL, values.as_mut_ptr()) }, 0);
        values.into_iter().map(u32::from).collect()
    }

    fn last_pid(&self, index: u32) -> u32 {
        self.control(index, libc::GETPID)
    }

    fn waiting(&self, index: u32) -> (u32, u32) {
        (self.control(index, libc::GETNCNT), self.control(index, libc::GETZCNT))
    }
}

fn errno(outcome: madang::Result<()>) -> i32 {
    outcome.map_or_else(|error| error.errno(), |()| 0)
}

impl Semaphores for SemaphoreSet {
    fn operate(&self, operations: &[Operation]) -> i32 {
        errno(self.operate(operations))
    }

    fn try_operate(&self, operations: &[Operation]) -> i32 {
        errno(self.try_operate(operations))
    }

    fn set_value(&self, index: u32, value: u32) -> i32 {
        errno(self.set_value(index, value))
    }

    fn set_values(&self, values: &[u32]) -> i32 {
        errno(self.set_values(values))
    }

    fn values(&self) -> Vec<u32> {
        self.values().unwrap()
    }

    fn last_pid(&self, index: u32) -> u32 {
        self.last_pid(index).unwrap()
    }

    fn waiting(&self, index: u32) -> (u32, u32) {
        let waiting = self.waiting(index).unwrap();
        (waiting.to_grow, waiting.for_zero)
    }
}

fn ours(name: &Name, values: &[u32]) -> SemaphoreSet {
    let set = SemaphoreSet::options().semaphores(values.len() as u32).max_value(MOST).open(name).unwrap();
    set.set_values(values).unwrap();
    set
}

fn draw_operations(random: &mut Random, count: u32, most_length: u64) -> Vec<Operation> {
    let length = if random.below(40) == 0 { random.below(2) * 500 } else { 1 + random.below(most_length) };
    let operation = |random: &mut Random| Operation {
        index: if random.below(100) == 0 { count } else { random.below(count.into()) as u32 },
        delta: match random.below(12) {
            0..3 => 1,
            3..6 => -1,
            6 | 7 => 0,
            8..11 => random.below(9) as i32 - 4,
            _ => [-32_768, -32_767, 32_767, 20_000, -20_000][random.below(5) as usize],
        },
        undo: random.below(3) == 0,
        no_wait: random.below(3) == 0,
    };
    (0..length).map(|_| operation(random)).collect()
}

/// Arrays that are done, refused, or would have to wait; also what was to be undone when it is over.
#[test]
fn arrays() {
    for seed in 0..300 {
        let mut random = Random(seed);
        let name = Name::new("set-parity");
        let values: Vec<u32> = (0..1 + random.below(5)).map(|_| random.below(4) as u32).collect();
        let count = values.len() as u32;
        let (kernel, ours) = (Kernel::new(&values), ours(&name, &values));
        // Two processes come one after the other, and end.
        for _ in 0..2 {
            let mut random = Random(random.draw());
            let child = fork(|| {
                // It has a handle of its own, which is not closed: the process just ends.
                let ours = std::mem::ManuallyDrop::new(SemaphoreSet::open(&name).unwrap());
                let both: [&dyn Semaphores; 2] = [&kernel, &*ours];
                for step in 0..60 {
                    let what = format!("seed {seed}, step {step}");
                    match random.below(20) {
                        0 => {
                            let value = [0, 1, 3, MOST, MOST + 1][random.below(5) as usize];
                            let index = random.below(count.into()) as u32;
                            let [kernel, ours] = both.map(|set| set.set_value(index, value));
                            assert_eq!(ours, kernel, "{what}: set_value {value}");
                        }
                        1 => {
                            let values: Vec<u32> = (0..count).map(|_| random.below(9) as u32).collect();
                            let [kernel, ours] = both.map(|set| set.set_values(&values));
                            assert_eq!(ours, kernel, "{what}: set_values");
                        }
                        _ => {
                            let operations = draw_operations(&mut random, count, 5);
                            let waits_not = operations.iter().all(|operation| operation.no_wait);
                            let [kernel, ours] = both.map(|set| {
                                if waits_not { set.operate(&operations) } else { set.try_operate(&operations) }
                            });
                            assert_eq!(ours, kernel, "{what}: {operations:?}");
                        }
                    }
                    let [kernel, ours] = both.map(Semaphores::values);
                    assert_eq!(ours, kernel, "{what}");
                    for index in 0..count {
                        let [kernel, ours] = both.map(|set| (set.last_pid(index), set.waiting(index)));
                        assert_eq!(ours, kernel, "{what}: semaphore {index}");
                    }
                }
                0
            });
            child.succeeds();
            assert_eq!(ours.values().unwrap(), kernel.values(), "seed {seed}: when it is over");
            for index in 0..count {
                assert_eq!(ours.last_pid(index).unwrap(), kernel.last_pid(index), "seed {seed}: when it is over");
            }
        }
    }
}

/// A process that tries an array, and sleeps if it must.
struct Sleeper(Child);

impl Sleeper {
    fn new(set: &dyn Semaphores, operations: &[Operation]) -> Self {
        let child = fork(|| set.operate(operations));
        let begun = Instant::now();
        while !matches!(child.state(), 'S' | 'Z') {
            assert!(begun.elapsed() < WATCHDOG, "it neither ends nor sleeps");
            std::thread::yield_now();
        }
        Self(child)
    }

    fn is_through(&self) -> bool {
        self.0.state() == 'Z'
    }
}

/// One semaphore, many sleepers, who want to take some, to lock, to wait for 0, and things that nobody ever wants: whatever is added,
/// taken or set, the same ones get through, and the same values are there.
#[test]
fn sleepers() {
    for seed in 0..40 {
        // Who looks by himself just when another was woken may be quicker than he: then it is played again.
        let outcomes = (0..3).map(|_| story_of_sleepers(seed)).take_while(Result::is_err);
        let failures: Vec<_> = outcomes.filter_map(Result::err).collect();
        assert!(failures.len() < 3, "seed {seed}: {failures:#?}");
        failures.iter().for_each(|failure| println!("seed {seed}, once: {failure}"));
    }
}

fn op(delta: i32) -> Operation {
    Operation { index: 0, delta, undo: false, no_wait: false }
}

fn draw_array(random: &mut Random) -> Vec<Operation> {
    match random.below(8) {
        0 | 1 => vec![op(-1)],
        2 => vec![op(-1 - random.below(3) as i32)],
        3 => vec![op(0), op(1)],
        4 => vec![op(0)],
        5 => vec![op(-1), op(-1)],
        6 => vec![op(-1), op(0)],
        _ => (0..1 + random.below(3)).map(|_| op(random.below(5) as i32 - 2)).collect(),
    }
}

/// What differs, if something does.
fn story_of_sleepers(seed: u64) -> Result<(), String> {
    let mut random = Random(seed);
    let name = Name::new("set-parity-sleepers");
    let first = random.below(3) as u32;
    let (kernel, ours) = (Kernel::new(&[first]), ours(&name, &[first]));
    let both: [&dyn Semaphores; 2] = [&kernel, &ours];
    let arrays: Vec<_> = (0..6).map(|_| draw_array(&mut random)).collect();
    let mut sleepers = [vec![], vec![]];
    let agree = |sleepers: &[Vec<Sleeper>; 2], what: &str| {
        let through = |which: usize| sleepers[which].iter().map(Sleeper::is_through).collect::<Vec<_>>();
        let (to_grow, for_zero) = kernel.waiting(0);
        // The kernel has decided who gets through; they only have to end.
        let expected = eventually(|| {
            let through = through(0);
            let asleep = through.iter().filter(|&&through| !through).count();
            (asleep == (to_grow + for_zero) as usize).then_some(through)
        });
        let expected = expected.expect("the kernel's sleepers end");
        let state = |set: &dyn Semaphores| (set.values(), set.waiting(0));
        let same = eventually(|| (state(&ours) == state(&kernel) && through(1) == expected).then_some(()));
        same.ok_or_else(|| {
            let (now, through) = (state(&ours), through(1));
            format!("{what}: {through:?}, {now:?} instead of {expected:?}, {:?}: {arrays:?}", state(&kernel))
        })
    };
    for array in &arrays {
        (0..2).for_each(|which| sleepers[which].push(Sleeper::new(both[which], array)));
        agree(&sleepers, "at first")?;
    }
    for step in 0..12 {
        let done = if random.below(6) == 0 {
            let value = random.below(6) as u32;
            both.map(|set| set.set_value(0, value))
        } else {
            let array: Vec<_> = draw_array(&mut random).iter().map(|operation| op(-operation.delta)).collect();
            both.map(|set| set.try_operate(&array))
        };
        assert_eq!(done[1], done[0], "seed {seed}, step {step}");
        agree(&sleepers, &format!("step {step}"))?;
    }
    Ok(())
}

/// What it gives, before a test is stuck.
fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    loop {
        let seen = look();
        // Sleepers look by themselves four times a second.
        if seen.is_some() || begun.elapsed() > WATCHDOG / 5 {
            return seen;
        }
        std::thread::yield_now();
    }
}
