//! `madang.kernel.sysv.sem`.

use std::time::Duration;

use madang::Deadline;
use pyo3::prelude::*;

use super::{AnyKey, change};
use crate::error::Result;
use crate::options::{self, Count};
use crate::shared::repr;
use crate::timeout::{self, Timeout};

/// One operation on one semaphore of a set, for Set.operate(). A value: compared, hashed and pickled.
///
/// index: which semaphore, from 0.
/// delta: above 0 it is added; below 0 it is taken, once there is as much; 0 waits until the value is 0.
/// no_wait: BlockingIOError where this one would have to wait, whatever the timeout.
/// undo: it is undone when the process ends, however it ends.
#[pyclass(frozen, get_all, eq, hash, module = "madang.kernel.sysv.sem")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Op {
    /// Which semaphore, from 0.
    index: u16,
    /// What is added; below 0, taken; 0 waits until the value is 0.
    delta: i16,
    /// Whether it fails where it would have to wait.
    no_wait: bool,
    /// Whether it is undone when the process ends.
    undo: bool,
}

#[pymethods]
impl Op {
    #[new]
    #[pyo3(signature = (index, delta, no_wait=false, undo=false))]
    fn new(index: u16, delta: i16, no_wait: bool, undo: bool) -> Self {
        Self { index, delta, no_wait, undo }
    }

    fn __repr__(&self) -> String {
        repr(self).replace("true", "True").replace("false", "False")
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyAny>, (u16, i16, bool, bool)) {
        let Self { index, delta, no_wait, undo } = *slf.get();
        (slf.get_type().into_any(), (index, delta, no_wait, undo))
    }
}

impl From<&Op> for madang::sysv::sem::Op {
    fn from(op: &Op) -> Self {
        let native = Self::add(op.index, op.delta);
        let native = if op.no_wait { native.no_wait() } else { native };
        if op.undo { native.undo() } else { native }
    }
}

fn one(index: u16, delta: i16, undo: bool) -> [madang::sysv::sem::Op; 1] {
    let op = madang::sysv::sem::Op::add(index, delta);
    [if undo { op.undo() } else { op }]
}

/// A System V semaphore set: any number of semaphores, each a value from 0 to 32767; operations on
/// several are done as a whole or not at all.
///
///     tables = madang.sysv.sem.Set(0x6d61, 1, value=4)
///     tables.acquire(timeout=1.0)
///     tables.release()
///
/// The constructor opens the set of a key, or creates it. It asks for no permission: using does.
///
/// key: a number, perhaps from madang.sysv.ftok(). 0 or None always makes a new one, which others find
///     by its id only.
/// count: how many semaphores; a new set must be given it, of an existing one it is the least that will
///     do.
/// value: that each semaphore of a new set has.
/// values: those of a new set's semaphores, one after the other, instead of count and value.
/// mode: the permission bits of a new set, exactly (no umask); 0 is 0o600 too.
/// create: "if-missing"; "never" only opens what exists; "only" only opens what it creates.
/// patience: how long, in seconds, it waits for the creator of an existing set to give it its values,
///     before it takes the creator for dead. 0 takes any set as it is.
///
/// Nobody sees a new set without its values: who opens it waits until the creator has given them, as a
/// rule not at all. A creator that was killed before that is found: then the set, with which nothing was
/// done yet, is made anew. (Sets of other programs, which give values by SETVAL or SETALL, are taken as
/// they are; so are those for which somebody waits.)
///
/// The set is the kernel's: it lives until it is removed, or the machine stops. This object is its
/// identifier, and holds nothing else: there is nothing to close. It may be used in a forked child, and
/// pickled. len(s) is how many semaphores it has; bool(s) is True.
///
/// What fails raises OSError with an errno, and the subclass that Python has for it. Here:
/// FileNotFoundError (ENOENT) and FileExistsError (EEXIST), as `create` says, or ENOENT where a count is
/// missing; TimeoutError if nobody has given it values, and this one may not create; PermissionError
/// (EPERM) if it may, but the set is another user's; OSError with EINVAL for a bad mode, more semaphores
/// than the system allows, or an existing set that has less; ERANGE for a value above 32767; ENOSPC where
/// the system's limits (kernel.sem) are reached; ENOMEM; ENOSYS where the kernel has no System V IPC.
/// After the set was removed: OSError with EIDRM. ValueError for a key that 32 bits don't hold;
/// OverflowError for an index or a value that 16 bits don't.
#[pyclass(frozen, module = "madang.kernel.sysv.sem")]
pub(crate) struct Set(madang::sysv::sem::Set);

impl Set {
    /// Tries with the GIL held, then waits without it.
    fn wait(&self, py: Python, operations: &[madang::sysv::sem::Op], timeout: Option<Timeout>) -> Result<()> {
        match self.0.operate_until(operations, Deadline::INSTANT) {
            Err(error) if timeout::may_wait(&error, timeout) => {}
            outcome => return Ok(outcome?),
        }
        timeout::wait(py, timeout::deadline(timeout), |slice| {
            py.detach(|| Ok(self.0.operate_until(operations, slice)?))
        })
    }
}

#[pymethods]
impl Set {
    #[new]
    #[pyo3(signature = (
        key, count=None, *, value=0, values=None, mode=0o600, create="if-missing", patience=None
    ), text_signature = "(key, count=None, *, value=0, values=None, mode=0o600, create='if-missing', patience=1.0)")]
    #[allow(clippy::too_many_arguments, reason = "named, in Python")]
    fn new(
        py: Python,
        key: AnyKey,
        count: Option<Count>,
        value: u16,
        values: Option<Vec<u16>>,
        #[pyo3(from_py_with = options::mode)] mode: u32,
        create: &str,
        patience: Option<Timeout>,
    ) -> Result<Self> {
        let mut options = madang::sysv::sem::Set::options().mode(mode).create(options::create(create)?).value(value);
        if let Some(values) = values {
            options = options.values(&values);
        }
        if let Some(count) = count {
            options = options.count(u64::from(count).try_into().unwrap_or(usize::MAX));
        }
        if let Some(patience) = patience {
            options = options.patience(Duration::try_from_secs_f64(patience.seconds()).unwrap_or(Duration::MAX));
        }
        Ok(Self(timeout::wait_whole(py, || py.detach(|| Ok(options.open(key.into())?)))?))
    }

    /// How many semaphores it has.
    fn __len__(&self) -> Result<usize> {
        Ok(self.0.count()?)
    }

    fn __bool__(&self) -> bool {
        true
    }

    /// Does operations at once, in their order, or none of them; waits until that can be done.
    ///
    ///     s.operate([Op(0, -1), Op(1, 5, undo=True)])
    ///
    /// timeout: in seconds. None waits for ever; 0 doesn't wait.
    ///
    /// Other threads go on while it waits. Signal handlers run, and then it goes on to the same deadline.
    /// Whatever it raises, nothing was done.
    ///
    /// BlockingIOError (EAGAIN): it would have to wait, and the timeout is 0, or an operation has no_wait.
    /// TimeoutError. PermissionError (EACCES): its mode doesn't let this user write. OSError with EIDRM if
    /// the set is removed, also while this waits; EINVAL for an index that the set doesn't have, or no
    /// operations; ERANGE if a value would be above 32767; E2BIG for more operations than the system allows
    /// (500); ENOSPC and ENOMEM for what is to be undone. ValueError for a timeout that isn't 0 or more.
    #[pyo3(signature = (operations, timeout=None))]
    fn operate(&self, py: Python, operations: Vec<Bound<'_, Op>>, timeout: Option<Timeout>) -> Result<()> {
        let operations: Vec<_> = operations.iter().map(|op| op.get().into()).collect();
        self.wait(py, &operations, timeout)
    }

    /// Takes 1 from a semaphore; waits while it is 0. Waits, and raises, as operate() does.
    ///
    /// undo: it is undone when the process ends, however it ends.
    #[pyo3(signature = (index=0, timeout=None, *, undo=false))]
    fn acquire(&self, py: Python, index: u16, timeout: Option<Timeout>, undo: bool) -> Result<()> {
        self.wait(py, &one(index, -1, undo), timeout)
    }

    /// Adds 1 to a semaphore. Doesn't wait. Raises as operate() does.
    ///
    /// undo: it is undone when the process ends; for what was acquired so.
    #[pyo3(signature = (index=0, *, undo=false))]
    fn release(&self, py: Python, index: u16, undo: bool) -> Result<()> {
        self.wait(py, &one(index, 1, undo), None)
    }

    /// Waits until a semaphore is 0. Waits, and raises, as operate() does; permission to read is enough.
    #[pyo3(signature = (index=0, timeout=None))]
    fn wait_zero(&self, py: Python, index: u16, timeout: Option<Timeout>) -> Result<()> {
        self.wait(py, &one(index, 0, false), timeout)
    }

    /// A semaphore's value; it may be another one already. Raises PermissionError; OSError with EINVAL for
    /// an index that the set doesn't have, EIDRM.
    #[pyo3(signature = (index=0))]
    fn value(&self, index: u16) -> Result<u16> {
        Ok(self.0.value(index)?)
    }

    /// All values, as they were at one moment. Raises as value() does.
    fn values(&self) -> Result<Vec<u16>> {
        Ok(self.0.values()?)
    }

    /// Sets a semaphore's value, wakes who can go on, and forgets what processes would undo of it. Raises as
    /// value() does; OSError with ERANGE above 32767.
    fn set_value(&self, index: u16, value: u16) -> Result<()> {
        Ok(self.0.set_value(index, value)?)
    }

    /// Sets all values at once, one for each semaphore. Raises as set_value() does.
    fn set_values(&self, values: Vec<u16>) -> Result<()> {
        Ok(self.0.set_values(&values)?)
    }

    /// The process that did something with a semaphore last; 0 is none, or one of another pid namespace.
    /// Raises as value() does.
    #[pyo3(signature = (index=0))]
    fn pid(&self, index: u16) -> Result<i32> {
        Ok(self.0.pid(index)?)
    }

    /// How many wait for a semaphore to have more. Raises as value() does.
    #[pyo3(signature = (index=0))]
    fn waiting_for_increase(&self, index: u16) -> Result<u32> {
        Ok(self.0.waiting_for_increase(index)?)
    }

    /// How many wait for a semaphore to be 0. Raises as value() does.
    #[pyo3(signature = (index=0))]
    fn waiting_for_zero(&self, index: u16) -> Result<u32> {
        Ok(self.0.waiting_for_zero(index)?)
    }

    /// The semaphore set of an identifier, which any process that knows it may use. Raises OSError with EINVAL if
    /// there is none.
    #[staticmethod]
    fn from_id(id: i32) -> Result<Self> {
        Ok(Self(madang::sysv::sem::Set::from_id(id)?))
    }

    /// Removes the semaphore set of a key, as remove() does. Raises FileNotFoundError if there is none;
    /// PermissionError.
    #[staticmethod]
    fn unlink(key: AnyKey) -> Result<()> {
        Ok(madang::sysv::sem::Set::unlink(key.into())?)
    }

    /// Removes the semaphore set of an identifier, as remove() does. Raises OSError with EINVAL if there is none;
    /// PermissionError.
    #[staticmethod]
    fn remove_id(id: i32) -> Result<()> {
        Ok(madang::sysv::sem::Set::remove_id(id)?)
    }

    /// The identifier, as ipcs(1) shows it.
    #[getter]
    fn id(&self) -> i32 {
        self.0.id()
    }

    /// Whether this very object created it.
    #[getter]
    fn is_new(&self) -> bool {
        self.0.is_new()
    }

    /// What there is to tell of it: owner, mode, counts, times. Raises PermissionError if its mode doesn't
    /// let this user read; OSError with EIDRM.
    fn stat(&self) -> Result<Status> {
        Ok(self.0.stat()?.into())
    }

    /// Changes owner, group or permission bits; what is None stays as it was found just before. Raises
    /// PermissionError for who is neither owner nor creator nor root; OSError with EINVAL for a mode above
    /// 0o777, EIDRM.
    #[pyo3(signature = (*, mode=None, uid=None, gid=None))]
    fn change(&self, mode: Option<u32>, uid: Option<u32>, gid: Option<u32>) -> Result<()> {
        Ok(self.0.change(change(mode, uid, gid))?)
    }

    /// Removes it: at once; who waits gets EIDRM. The key is free. Raises
    /// PermissionError for who is neither owner nor creator nor root; OSError with EIDRM if it is gone.
    fn remove(&self) -> Result<()> {
        Ok(self.0.remove()?)
    }

    /// Pickled, it is its identifier: for processes of this machine, as long as it is there.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (i32,))> {
        Ok((slf.get_type().getattr("from_id")?, (slf.get().0.id(),)))
    }

    fn __repr__(&self) -> String {
        format!("<madang.sysv.sem.Set {}>", self.0.id())
    }
}

/// What stat() and list() tell of a semaphore set; a snapshot. Times are in seconds since 1970, 0 is
/// never; a process of 0 is none, or one of another pid namespace. A value: compared and hashed.
#[pyclass(frozen, get_all, eq, hash, module = "madang.kernel.sysv.sem")]
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Status {
    /// The identifier.
    id: i32,
    /// The key; 0 if it has none.
    key: i32,
    /// The permission bits.
    mode: u32,
    /// The owner.
    uid: u32,
    /// The owner's group.
    gid: u32,
    /// Who made it, who has the owner's rights too.
    creator_uid: u32,
    /// The group of who made it.
    creator_gid: u32,
    /// How often its place in the kernel's table was given away before.
    sequence: u32,
    /// How many semaphores it has.
    count: u64,
    /// When an operation was done last.
    operated_at: i64,
    /// When it was created, or its permissions or, by themselves, values were changed last.
    changed_at: i64,
}

#[pymethods]
impl Status {
    fn __repr__(&self) -> String {
        repr(self)
    }
}

impl From<madang::sysv::sem::Status> for Status {
    fn from(status: madang::sysv::sem::Status) -> Self {
        let permissions = status.permissions;
        Self {
            id: status.id,
            key: permissions.key.number(),
            mode: permissions.mode,
            uid: permissions.uid,
            gid: permissions.gid,
            creator_uid: permissions.creator_uid,
            creator_gid: permissions.creator_gid,
            sequence: permissions.sequence,
            count: status.count,
            operated_at: status.operated_at,
            changed_at: status.changed_at,
        }
    }
}

/// What limits() tells. A value: compared and hashed.
#[pyclass(frozen, get_all, eq, hash, module = "madang.kernel.sysv.sem")]
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Limits {
    /// The most sets (the fourth number of kernel.sem).
    max_sets: u64,
    /// The most semaphores of all sets together (the second).
    max_semaphores: u64,
    /// The most semaphores in a set (the first).
    max_in_a_set: u64,
    /// The most operations at once (the third).
    max_operations: u64,
    /// The highest value: 32767.
    max_value: u64,
    /// How many sets there are.
    sets: u64,
    /// How many semaphores they have.
    semaphores: u64,
}

#[pymethods]
impl Limits {
    fn __repr__(&self) -> String {
        repr(self)
    }
}

impl From<madang::sysv::sem::Limits> for Limits {
    fn from(limits: madang::sysv::sem::Limits) -> Self {
        Self {
            max_sets: limits.max_sets,
            max_semaphores: limits.max_semaphores,
            max_in_a_set: limits.max_in_a_set,
            max_operations: limits.max_operations,
            max_value: limits.max_value,
            sets: limits.sets,
            semaphores: limits.semaphores,
        }
    }
}

/// All semaphore sets of this IPC namespace, as ipcs(1) shows them; before Linux 4.17, those that this user
/// may read. A snapshot. Raises OSError with ENOSYS where the kernel has no System V IPC.
#[pyfunction]
pub(crate) fn list() -> Result<Vec<Status>> {
    Ok(madang::sysv::sem::list()?.into_iter().map(Status::from).collect())
}

/// What the system allows of semaphore sets, and how much of it is used. Raises OSError with ENOSYS where the
/// kernel has no System V IPC.
#[pyfunction]
pub(crate) fn limits() -> Result<Limits> {
    Ok(madang::sysv::sem::limits()?.into())
}
