//! System V shared memory.

use madang::Create;
use madang::sysv::shm::{AttachOptions, Segment};
use madang::sysv::{Change, Key};
use madang_tests::{Checkpoint, Gone, SysvKey, fork};

use super::{as_nobody, fails};

/// Another process sees it by the bare calls, and the other way round.
#[test]
fn smoke() {
    let key = SysvKey::default();
    let segment = Segment::options().size(10_000).open(*key).unwrap();
    let mapping = segment.attach().unwrap();
    assert!(mapping.len() == 10_000 && mapping.is_writable() && segment.size().unwrap() == 10_000);
    mapping.write(9_990, b"0123456789").unwrap();
    fails(mapping.write(9_991, b"0123456789"), libc::EINVAL, "don't lie within its 10000");
    fork(|| {
        // SAFETY: the segment has 10,000 bytes.
        unsafe {
            let id = libc::shmget(key.number(), 0, 0);
            let at: *mut u8 = libc::shmat(id, std::ptr::null(), 0).cast();
            assert_eq!(std::slice::from_raw_parts(at.add(9_990), 10), b"0123456789");
            at.cast::<[u8; 5]>().write(*b"child");
        }
        0
    })
    .succeeds();
    let mut bytes = [0; 5];
    mapping.read(0, &mut bytes).unwrap();
    assert_eq!(&bytes, b"child");
}

/// Runs it in a process of its own: what other tests fork here would inherit its attachments.
fn alone(work: impl FnOnce()) {
    fork(|| {
        work();
        0
    })
    .succeeds();
}

/// Several at once; each detaches when it is dropped, also in a process that ends.
#[test]
fn attachments() {
    alone(several);
}

fn several() {
    let key = SysvKey::default();
    let segment = Segment::options().size(4096).open(*key).unwrap();
    let attached = || segment.stat().unwrap().attached;
    assert_eq!(attached(), 0);
    let (one, other) = (segment.attach().unwrap(), segment.attach().unwrap());
    assert!(attached() == 2 && one.data() != other.data());
    one.write(100, b"both").unwrap();
    let mut bytes = [0; 4];
    other.read(100, &mut bytes).unwrap();
    assert_eq!(&bytes, b"both");
    let (forked, end) = (Checkpoint::default(), Checkpoint::default());
    let child = fork(|| {
        let _third = segment.attach().unwrap();
        forked.reach();
        end.wait();
        0
    });
    forked.wait();
    assert_eq!(attached(), 5, "a child inherits two, and has made a third");
    end.reach();
    child.succeeds();
    assert_eq!(attached(), 2);
    drop(one);
    drop(other);
    assert_eq!(attached(), 0);
}

#[test]
fn it_goes_with_the_last_attachment() {
    alone(last);
}

fn last() {
    let key = SysvKey::default();
    let segment = Segment::options().size(4096).open(*key).unwrap();
    let (one, other) = (segment.attach().unwrap(), segment.attach().unwrap());
    segment.remove().unwrap();
    let told = segment.stat().unwrap();
    assert!(told.is_removed && told.permissions.key.is_private() && told.attached == 2);
    let new = Segment::options().size(4096).create(Create::Only).open(*key).unwrap();
    assert_ne!(new.id(), segment.id(), "the key is free at once");
    one.write(0, b"still there").unwrap();
    drop(one);
    let mut bytes = [0; 11];
    other.read(0, &mut bytes).unwrap();
    assert_eq!(&bytes, b"still there");
    drop(other);
    fails(segment.stat(), libc::EIDRM, "it was removed");
    fails(segment.attach(), libc::EIDRM, "it was removed");
    fails(segment.lock(), libc::EIDRM, "it was removed");
}

#[test]
fn read_only() {
    let key = SysvKey::default();
    let segment = Segment::options().size(4096).open(*key).unwrap();
    let mapping = segment.attach_with(AttachOptions::default().read_only(true)).unwrap();
    assert!(!mapping.is_writable());
    fails(mapping.write(0, b"x"), libc::EACCES, "it was opened read-only");
    // The memory itself can't be written.
    let child = fork(|| {
        // SAFETY: the address is valid; that it can't be written is what is tried.
        unsafe { mapping.data().write_volatile(1) };
        0
    });
    let mut status = 0;
    // SAFETY: `status` is a valid place for the answer.
    unsafe { libc::waitpid(child.id(), &raw mut status, 0) };
    std::mem::forget(child);
    assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGSEGV);
}

#[test]
fn at_an_address() {
    alone(addresses);
}

fn addresses() {
    let key = SysvKey::default();
    let segment = Segment::options().size(4096).open(*key).unwrap();
    let at = |address| AttachOptions::default().address(address);
    let place = segment.attach().unwrap();
    let free = place.data().addr().get();
    fails(segment.attach_with(at(free)), libc::EINVAL, "something is mapped there");
    place.write(0, b"not replaced").unwrap();
    drop(place);
    fails(segment.attach_with(at(free + 1)), libc::EINVAL, "is not a multiple of the page size");
    let there = segment.attach_with(at(free)).unwrap();
    assert_eq!(there.data().addr().get(), free);
    drop(there);
    let rounded = segment.attach_with(at(free + 1).round(true)).unwrap();
    assert_eq!(rounded.data().addr().get(), free);
    drop(rounded);
    let maps = |address: usize| {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        maps.lines().find(|line| line.starts_with(&format!("{address:x}-"))).map(|line| line[..60].to_owned())
    };
    segment.change(Change::default().mode(0o700)).unwrap();
    let code = segment.attach_with(AttachOptions::default().executable(true)).unwrap();
    assert!(maps(code.data().addr().get()).unwrap().contains(" rwxs "));
}

#[test]
fn sizes() {
    let key = SysvKey::default();
    fails(Segment::open(*key), libc::ENOENT, "to create it, give it a size");
    fails(Segment::options().create(Create::Only).open(*key), libc::EINVAL, "give the new segment a size");
    fails(Segment::open(Key::PRIVATE), libc::EINVAL, "give the new segment a size");
    fails(Segment::options().size(u64::MAX).open(*key), libc::EINVAL, "kernel.shmmax");
    let segment = Segment::options().size(5000).open(*key).unwrap();
    assert_eq!(Segment::open(*key).unwrap(), Segment::from_id(segment.id()).unwrap());
    assert_eq!(Segment::options().size(4999).open(*key).unwrap().size().unwrap(), 5000);
    fails(Segment::options().size(5001).open(*key), libc::EINVAL, "less than the 5001 bytes that were asked for");
    fails(Segment::options().size(1 << 20).huge_pages(3).open(Key::PRIVATE), libc::EINVAL, "power of two");
    // The largest of all: more than any machine has.
    let huge = Segment::options().size(1 << 46).huge_pages(2 << 20).open(Key::PRIVATE);
    let error = huge.unwrap_err();
    assert!([libc::ENOMEM, libc::EINVAL, libc::ENOSPC].contains(&error.errno()), "{error}");
    if error.errno() != libc::ENOSPC {
        assert!(error.message().contains("/sys/kernel/mm/hugepages"), "{error}");
    }
    // A size that no machine has.
    fails(
        Segment::options().size(4096).huge_pages(1 << 13).open(Key::PRIVATE),
        libc::EINVAL,
        "/sys/kernel/mm/hugepages",
    );
}

/// As the machine has them: then one is used, else it is said which are missing.
#[test]
fn huge_pages() {
    let pool = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";
    let before = std::fs::read_to_string(pool).unwrap_or_default();
    let count = before.trim().parse::<u32>().unwrap_or(0);
    let raised = std::fs::write(pool, format!("{}", count + 1)).is_ok();
    let _restored = Gone(|| {
        if raised {
            drop(std::fs::write(pool, &before));
        }
    });
    match Segment::options().size(2 << 20).huge_pages(2 << 20).open(Key::PRIVATE) {
        Ok(segment) => {
            let mapping = segment.attach().unwrap();
            segment.remove().unwrap();
            let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
            let from = maps.find(&format!("{:x}-", mapping.data().addr().get())).unwrap();
            let kilobytes = maps[from..].lines().find(|line| line.starts_with("KernelPageSize")).unwrap();
            assert!(kilobytes.contains(" 2048 kB"), "{kilobytes}");
            mapping.write((2 << 20) - 1, b"x").unwrap();
        }
        Err(error) => assert!(error.message().contains("/sys/kernel/mm/hugepages"), "{error}"),
    }
    let reserved = Segment::options().size(1 << 20).no_reserve(true).open(Key::PRIVATE).unwrap();
    reserved.remove().unwrap();
}

#[test]
fn lock() {
    let key = SysvKey::default();
    let segment = Segment::options().size(1 << 20).mode(0o666).open(*key).unwrap();
    segment.lock().unwrap();
    assert!(segment.stat().unwrap().is_locked && segment.stat().unwrap().permissions.mode == 0o666);
    segment.unlock().unwrap();
    assert!(!segment.stat().unwrap().is_locked);
    let limited = |bytes: u64, errno, words: &str| {
        as_nobody(|| {
            let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
            // SAFETY: the limit is valid for the call.
            assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const limit) }, 0);
            fails(segment.lock(), errno, words);
        });
    };
    limited(4096, libc::EPERM, "only its owner and creator may");
    segment.change(Change::default().uid(super::NOBODY)).unwrap();
    limited(0, libc::EPERM, "RLIMIT_MEMLOCK (ulimit -l) is not 0");
    limited(4096, libc::ENOMEM, "raise RLIMIT_MEMLOCK");
}

#[test]
fn permissions() {
    let key = SysvKey::default();
    let segment = Segment::options().size(4096).mode(0o604).open(*key).unwrap();
    as_nobody(|| {
        let segment = Segment::open(*key).unwrap();
        fails(segment.attach(), libc::EACCES, "attach shared memory segment");
        assert!(segment.attach_with(AttachOptions::default().read_only(true)).is_ok());
    });
    segment.change(Change::default().mode(0o600)).unwrap();
    as_nobody(|| {
        fails(
            segment.attach_with(AttachOptions::default().read_only(true)),
            libc::EACCES,
            "its mode does not permit it",
        );
    });
}

#[test]
fn stat() {
    let key = SysvKey::default();
    let segment = Segment::options().size(12_345).open(*key).unwrap();
    let new = segment.stat().unwrap();
    let me = std::process::id().cast_signed();
    assert_eq!((new.id, new.size, new.attached, new.creator, new.last_user), (segment.id(), 12_345, 0, me, 0));
    assert_eq!((new.attached_at, new.detached_at, new.is_removed, new.is_locked), (0, 0, false, false));
    let child = fork(|| i32::from(segment.attach().is_err()));
    let pid = child.id();
    child.succeeds();
    let told = segment.stat().unwrap();
    assert_eq!((told.creator, told.last_user, told.attached), (me, pid, 0));
    assert!(told.attached_at >= new.changed_at && told.detached_at >= told.attached_at && new.changed_at > 0);
}
