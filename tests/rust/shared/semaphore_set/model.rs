//! Random operations by several handles, and by children that end, against plain numbers.

use std::sync::Arc;

use madang::{Operation, SemaphoreSet};
use madang_tests::{Name, fork};
use proptest::prelude::*;

const HANDLES: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    Operate {
        handle: usize,
        operations: Vec<Operation>,
    },
    /// A forked child, by the inherited handle; then it ends.
    Child {
        handle: usize,
        operations: Vec<Operation>,
        closes: bool,
    },
    SetValue {
        handle: usize,
        index: u32,
        value: u32,
    },
    SetValues {
        handle: usize,
        values: Vec<u32>,
    },
    Reopen {
        handle: usize,
    },
}

fn operation(count: u32, most: i32) -> impl Strategy<Value = Operation> {
    let delta =
        prop_oneof![4 => Just(1), 4 => Just(-1), 2 => Just(0), 4 => -10..10, 2 => -most..=most, 1 => any::<i32>()];
    let index = prop_oneof![50 => 0..count, 1 => 0..count + 2];
    (index, delta, any::<bool>(), any::<bool>()).prop_map(|(index, delta, undo, no_wait)| Operation {
        index,
        delta,
        undo,
        no_wait,
    })
}

fn operations(count: u32, most: i32) -> impl Strategy<Value = Vec<Operation>> {
    let length = prop_oneof![20 => 1usize..2, 20 => 0usize..8, 1 => 500usize..520];
    length.prop_flat_map(move |length| prop::collection::vec(operation(count, most), length))
}

fn step(count: u32, most: i32) -> impl Strategy<Value = Step> {
    let handle = 0..HANDLES;
    let value = 0..=most as u32;
    prop_oneof![
        30 => (handle.clone(), operations(count, most))
            .prop_map(|(handle, operations)| Step::Operate { handle, operations }),
        2 => (handle.clone(), operations(count, most), any::<bool>())
            .prop_map(|(handle, operations, closes)| Step::Child { handle, operations, closes }),
        2 => (handle.clone(), 0..count + 1, 0..=most as u32 + 1)
            .prop_map(|(handle, index, value)| Step::SetValue { handle, index, value }),
        1 => (handle.clone(), prop::collection::vec(value, count as usize))
            .prop_map(|(handle, values)| Step::SetValues { handle, values }),
        2 => handle.prop_map(|handle| Step::Reopen { handle }),
    ]
}

/// A handle that may be anything: how many semaphores, how large they may be, what they begin with, and what is done.
fn story() -> impl Strategy<Value = (i32, Vec<u32>, Vec<Step>)> {
    let most = prop_oneof![1..100, 1..=i32::MAX, Just(i32::MAX)];
    (1..6u32, most).prop_flat_map(|(count, most)| {
        let values = prop::collection::vec(0..=(most as u32).min(20), count as usize);
        (Just(most), values, prop::collection::vec(step(count, most), 1..60))
    })
}

/// The reference.
struct Model {
    most: i64,
    values: Vec<i64>,
    /// Who changed it last, or found it 0.
    pids: Vec<u32>,
}

/// What is taken back in the end.
type Undo = Vec<i64>;

impl Model {
    fn operate(&mut self, pid: u32, undo: &mut Undo, operations: &[Operation]) -> i32 {
        match operations.len() {
            0 => return libc::EINVAL,
            1..=512 => {}
            _ => return libc::E2BIG,
        }
        if operations.iter().any(|operation| operation.index as usize >= self.values.len()) {
            return libc::EFBIG;
        }
        let (mut values, mut undone) = (self.values.clone(), undo.clone());
        for &Operation { index, delta, undo, .. } in operations {
            let (value, undone) = (&mut values[index as usize], &mut undone[index as usize]);
            let delta = i64::from(delta);
            if delta == 0 && *value != 0 || *value + delta < 0 {
                return libc::EAGAIN;
            }
            *value += delta;
            *undone -= if undo { delta } else { 0 };
            if *value > self.most || !(-self.most - 1..=self.most).contains(undone) {
                return libc::ERANGE;
            }
        }
        (self.values, *undo) = (values, undone);
        operations.iter().for_each(|operation| self.pids[operation.index as usize] = pid);
        0
    }

    fn give_back(&mut self, pid: u32, undo: &mut Undo) {
        for (index, amount) in undo.iter_mut().enumerate().filter(|(_, amount)| **amount != 0) {
            self.values[index] = (self.values[index] + *amount).clamp(0, self.most);
            self.pids[index] = pid;
            *amount = 0;
        }
    }
}

fn errno<T>(outcome: madang::Result<T>) -> i32 {
    outcome.map_or_else(|error| error.errno(), |_| 0)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn is_a_set_of_semaphores((most, values, steps) in story()) {
        let name = Name::new("set-model");
        let open = || SemaphoreSet::options().values(&values).max_value(most as u32).open(&name).map(Arc::new).unwrap();
        let mut handles: Vec<_> = (0..HANDLES).map(|_| open()).collect();
        let count = values.len();
        let mut model = Model {
            most: most.into(),
            values: values.iter().map(|&value| value.into()).collect(),
            pids: vec![0; count],
        };
        let mut undo = vec![vec![0; count]; HANDLES];
        let me = std::process::id();
        for step in steps {
            match step {
                Step::Operate { handle, operations } => {
                    let done = errno(handles[handle].try_operate(&operations));
                    prop_assert_eq!(done, model.operate(me, &mut undo[handle], &operations), "{:?}", operations);
                }
                Step::Child { handle, operations, closes } => {
                    let set = handles[handle].clone();
                    let child = fork(|| {
                        let done = errno(set.try_operate(&operations));
                        if closes {
                            // Its own one; the clone in the parent is not this process's.
                            drop(SemaphoreSet::open(&name).map(|own| errno(own.try_operate(&[]))));
                        }
                        done
                    });
                    let (pid, mut undo) = (child.id() as u32, vec![0; count]);
                    let done = child.wait_for(madang_tests::WATCHDOG);
                    prop_assert_eq!(done, model.operate(pid, &mut undo, &operations), "{:?}", operations);
                    model.give_back(pid, &mut undo);
                }
                Step::SetValue { handle, index, value } => {
                    let done = errno(handles[handle].set_value(index, value));
                    let expected = match index as usize {
                        index if index >= count => libc::EFBIG,
                        _ if i64::from(value) > model.most => libc::ERANGE,
                        index => {
                            model.values[index] = value.into();
                            model.pids[index] = me;
                            undo.iter_mut().for_each(|undo| undo[index] = 0);
                            0
                        }
                    };
                    prop_assert_eq!(done, expected);
                }
                Step::SetValues { handle, values } => {
                    handles[handle].set_values(&values).unwrap();
                    model.values = values.iter().map(|&value| value.into()).collect();
                    model.pids.fill(me);
                    undo.iter_mut().for_each(|undo| undo.fill(0));
                }
                Step::Reopen { handle } => {
                    handles[handle] = open();
                    model.give_back(me, &mut undo[handle]);
                }
            }
            let seen: Vec<i64> = handles[0].values().unwrap().into_iter().map(i64::from).collect();
            prop_assert_eq!(&seen, &model.values);
            let pids: Vec<u32> = (0..).take(count).map(|index| handles[1].last_pid(index).unwrap()).collect();
            prop_assert_eq!(&pids, &model.pids);
            for (index, &value) in (0..).zip(&model.values) {
                prop_assert_eq!(i64::from(handles[2].value(index).unwrap()), value);
            }
        }
        drop(handles);
        for undo in &mut undo {
            model.give_back(me, undo);
        }
        let seen: Vec<i64> = open().values().unwrap().into_iter().map(i64::from).collect();
        prop_assert_eq!(&seen, &model.values);
    }
}
