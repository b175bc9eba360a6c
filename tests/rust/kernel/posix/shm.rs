//! What a POSIX shared memory object does.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use madang::posix::shm::{self, Object};
use madang::{Create, Segment};
use madang_tests::{Name, fork, open_descriptors};

use super::{as_nobody, fails};

fn new(name: &str, size: u64) -> Object {
    Object::options().size(size).create(Create::Only).open(name).unwrap()
}

#[test]
fn smoke() {
    let name = Name::new("shm");
    let object = new(&name, 5000);
    assert!(object.is_new() && object.is_writable() && object.name() == &*name);
    let mapping = object.map(0, 0, true).unwrap();
    assert_eq!((mapping.len(), object.size().unwrap()), (5000, 5000));
    mapping.write(4990, b"0123456789").unwrap();
    let same = Object::options().read_only(true).open(&name).unwrap();
    assert!(!same.is_new() && !same.is_writable());
    let part = same.map(4096, 904, false).unwrap();
    let mut bytes = [0; 10];
    part.read(894, &mut bytes).unwrap();
    assert_eq!(&bytes, b"0123456789");
}

#[test]
fn a_child_writes_it() {
    let name = Name::new("shm-child");
    let object = new(&name, 4096);
    fork(|| {
        let same = Object::options().create(Create::Never).open(&name).unwrap();
        same.map(0, 0, true).unwrap().write(7, b"from the child").unwrap();
        0
    })
    .succeeds();
    let mut bytes = [0; 14];
    object.map(0, 0, false).unwrap().read(7, &mut bytes).unwrap();
    assert_eq!(&bytes, b"from the child");
}

#[test]
fn it_is_a_segment_and_what_shm_open_makes() {
    let name = Name::new("shm-same");
    let object = new(&name, 4096);
    object.map(0, 0, true).unwrap().write(0, b"one object").unwrap();
    let mut bytes = [0; 10];
    Segment::options().open(&name).unwrap().read(0, &mut bytes).unwrap();
    assert_eq!(&bytes, b"one object");
    let path = CString::new(format!("/{}", &*name)).unwrap();
    // SAFETY: the path is a C string; the buffer is valid for its length; the descriptor is ours.
    unsafe {
        let theirs = libc::shm_open(path.as_ptr(), libc::O_RDWR, 0);
        assert!(theirs >= 0);
        assert_eq!(libc::pread(theirs, bytes.as_mut_ptr().cast(), 3, 0), 3);
        assert_eq!(libc::ftruncate(theirs, 100), 0);
        libc::close(theirs);
    }
    assert_eq!((&bytes[..3], object.size().unwrap()), (&b"one"[..], 100));
}

#[test]
fn grow_and_shrink() {
    let name = Name::new("shm-size");
    let object = Object::options().open(&name).unwrap();
    fails(object.map(0, 0, true), libc::EINVAL, "it is empty");
    object.set_size(1 << 20).unwrap();
    assert_eq!(object.stat().unwrap().allocated, 1 << 20, "touching it can't fail any more");
    object.map(0, 0, true).unwrap().write((1 << 20) - 1, b"x").unwrap();
    object.set_size(4096).unwrap();
    object.set_size(1 << 20).unwrap();
    let mut last = [9];
    object.map(0, 0, true).unwrap().read((1 << 20) - 1, &mut last).unwrap();
    assert_eq!(last, [0], "what is new is zero");
    fails(object.set_size(u64::MAX), libc::EFBIG, "18446744073709551615 bytes");
    fails(object.set_size(1 << 50), libc::ENOSPC, "--shm-size");
    assert_eq!(object.size().unwrap(), 1 << 20, "it stayed as it was");
}

#[test]
fn stat() {
    let name = Name::new("shm-stat");
    fork(|| {
        // SAFETY: no memory is passed.
        unsafe { libc::umask(0o077) };
        Object::options().size(10_000).mode(0o666).open(&name).unwrap();
        0
    })
    .succeeds();
    let object = Object::options().open(&name).unwrap();
    let status = object.stat().unwrap();
    assert_eq!((status.size, status.mode, status.uid, status.gid), (10_000, 0o666, 0, 0));
    assert!(!status.is_unlinked && status.allocated >= 10_000);
    let listed = shm::list().unwrap().into_iter().find(|object| object.name == *name).unwrap();
    assert_eq!((listed.size, listed.mode, listed.uid), (Some(10_000), 0o666, 0));
    Object::unlink(&name).unwrap();
    assert!(object.stat().unwrap().is_unlinked);
    fails(Object::unlink(&name), libc::ENOENT, "there is none");
    assert!(object.map(0, 0, true).is_ok(), "who has it open goes on with it");
}

#[test]
fn create() {
    let name = Name::new("shm-create");
    fails(Object::options().create(Create::Never).open(&name), libc::ENOENT, "does not create it");
    fails(Object::options().read_only(true).open(&name), libc::ENOENT, "there is none");
    fails(Object::options().read_only(true).create(Create::Only).open(&name), libc::EINVAL, "can't be read-only");
    let _object = new(&name, 100);
    fails(Object::options().create(Create::Only).open(&name), libc::EEXIST, "the name is taken");
    fails(Object::options().size(101).open(&name), libc::EINVAL, "it has 100 bytes");
    fails(Object::options().size(1 << 50).open(&Name::new("shm-huge")), libc::ENOSPC, "--shm-size");
}

#[test]
fn bad_input() {
    for bad in ["", "a/b", "/a", ".", "..", "nul\0", "madang.x"] {
        fails(Object::options().open(bad), libc::EINVAL, "name");
        fails(Object::unlink(bad), libc::EINVAL, "name");
    }
    fails(Object::options().open(&"n".repeat(256)), libc::ENAMETOOLONG, "255");
    let name = Name::new("shm-bad");
    fails(Object::options().mode(0o10000).open(&name), libc::EINVAL, "permission bits");
    let object = new(&name, 8192);
    fails(object.map(100, 1, true), libc::EINVAL, "multiple of the page size");
    fails(object.map(4096, 4097, true), libc::EINVAL, "4097 bytes at 4096 don't lie within its 8192");
    fails(object.map(8192, 0, true), libc::EINVAL, "don't lie within");
    fails(object.map(4096, u64::MAX, true), libc::EINVAL, "don't lie within");
    let reader = Object::options().read_only(true).open(&name).unwrap();
    fails(reader.map(0, 0, true), libc::EACCES, "opened read-only");
    fails(reader.set_size(1), libc::EACCES, "opened read-only");
    let link = Name::new("shm-link");
    std::os::unix::fs::symlink("/dev/null", link.segment_path()).unwrap();
    fails(Object::options().open(&link), libc::ELOOP, "never followed");
}

#[test]
fn no_permission() {
    let name = Name::new("shm-others");
    let object = Object::options().size(8).mode(0o604).open(&name).unwrap();
    as_nobody(|| {
        fails(Object::options().open(&name), libc::EACCES, "does not permit this user");
        fails(Object::unlink(&name), libc::EPERM, "only the owner");
        Object::options().read_only(true).open(&name).unwrap().map(0, 0, false).unwrap();
        0
    })
    .succeeds();
    drop(object);
}

#[test]
fn from_a_descriptor() {
    let name = Name::new("shm-fd");
    let object = new(&name, 4096);
    let received = Object::try_from(object.as_fd().try_clone_to_owned().unwrap()).unwrap();
    assert!(received.name().is_empty() && received.is_writable() && !received.is_new());
    received.map(0, 0, true).unwrap().write(0, b"ok").unwrap();
    let reader = std::fs::File::open(name.segment_path()).unwrap();
    let reader = Object::try_from(OwnedFd::from(reader)).unwrap();
    fails(reader.map(0, 0, true), libc::EACCES, "read-only");
    let mut bytes = [0; 2];
    reader.map(0, 0, false).unwrap().read(0, &mut bytes).unwrap();
    assert_eq!(&bytes, b"ok");
    let null = std::fs::File::open("/dev/null").unwrap();
    fails(Object::try_from(OwnedFd::from(null)), libc::ENODEV, "not one of a regular file");
}

#[test]
fn nothing_leaks() {
    let name = Name::new("shm-leaks");
    fork(|| {
        let before = open_descriptors();
        for _ in 0..10 {
            let object = Object::options().size(100).open(&name).unwrap();
            object.map(0, 0, true).unwrap();
            // SAFETY: no memory is passed.
            let flags = unsafe { libc::fcntl(object.as_fd().as_raw_fd(), libc::F_GETFD) };
            assert_eq!(flags, libc::FD_CLOEXEC);
            drop(OwnedFd::from(object));
            Object::options().size(1000).open(&name).unwrap_err();
        }
        assert_eq!(open_descriptors(), before);
        0
    })
    .succeeds();
}
