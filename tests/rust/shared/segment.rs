//! What a segment does.

use madang::{Create, Segment};
use madang_tests::{Name, fork};

#[test]
fn smoke() {
    let name = Name::new("segment");
    let segment = Segment::options().length(10_000).open(&name).unwrap();
    assert!(segment.is_new() && segment.is_writable() && segment.len() == 10_000 && segment.name() == &*name);
    segment.write(9_990, b"0123456789").unwrap();
    let same = Segment::options().open(&name).unwrap();
    assert!(!same.is_new());
    let mut bytes = [0; 10];
    same.read(9_990, &mut bytes).unwrap();
    assert_eq!(&bytes, b"0123456789");
}

#[test]
fn it_is_what_shm_open_makes() {
    let name = Name::new("shm");
    let path = std::ffi::CString::new(format!("/{}", &*name)).unwrap();
    // SAFETY: the path is a C string.
    let fd = unsafe { libc::shm_open(path.as_ptr(), libc::O_CREAT | libc::O_RDWR, 0o600) };
    assert!(fd >= 0);
    // SAFETY: no memory is passed.
    assert_eq!(unsafe { libc::ftruncate(fd, 4096) }, 0);
    let segment = Segment::options().open(&name).unwrap();
    segment.write(100, b"plain bytes").unwrap();
    let mut found = [0u8; 11];
    // SAFETY: the buffer is valid for its length.
    assert_eq!(unsafe { libc::pread(fd, found.as_mut_ptr().cast(), found.len(), 100) }, 11);
    assert_eq!(&found, b"plain bytes");
    // SAFETY: the descriptor is ours.
    unsafe { libc::close(fd) };
}

#[test]
fn its_mode_is_exact_and_its_space_taken() {
    use std::os::unix::fs::MetadataExt;
    let name = Name::new("mode");
    // SAFETY: no memory is passed. Other tests ask for modes that this mask lets through.
    let mask = unsafe { libc::umask(0o077) };
    let _segment = Segment::options().length(1 << 20).mode(0o666).open(&name).unwrap();
    // SAFETY: as above.
    unsafe { libc::umask(mask) };
    let file = std::fs::metadata(name.segment_path()).unwrap();
    assert_eq!(file.mode() & 0o7777, 0o666);
    assert_eq!(file.blocks() * 512, 1 << 20, "touching it can't fail any more");
}

#[test]
fn a_child_shares_it() {
    let name = Name::new("child");
    let segment = Segment::options().length(4096).open(&name).unwrap();
    fork(|| segment.write(0, b"from the child").map_or(1, |()| 0)).succeeds();
    let mut bytes = [0; 14];
    segment.read(0, &mut bytes).unwrap();
    assert_eq!(&bytes, b"from the child");
}

#[test]
fn bad_input() {
    let name = Name::new("bad-segment");
    let errno = |result: madang::Result<Segment>| result.unwrap_err().errno();
    assert_eq!(errno(Segment::options().open(&name)), libc::ENOENT, "a new one needs a length");
    assert_eq!(errno(Segment::options().create(Create::Only).open(&name)), libc::EINVAL);
    assert_eq!(errno(Segment::options().length(1).create(Create::Never).open(&name)), libc::ENOENT);
    assert_eq!(errno(Segment::options().read_only(true).open(&name)), libc::ENOENT);
    assert_eq!(errno(Segment::options().length(1).mode(0o10000).open(&name)), libc::EINVAL);
    let segment = Segment::options().length(4096).open(&name).unwrap();
    assert_eq!(errno(Segment::options().length(4096).create(Create::Only).open(&name)), libc::EEXIST);
    assert_eq!(errno(Segment::options().length(4097).open(&name)), libc::EINVAL);
    assert_eq!(errno(Segment::options().read_only(true).create(Create::Only).open(&name)), libc::EINVAL);
    assert_eq!(segment.write(4090, &[0; 7]).unwrap_err().errno(), libc::EINVAL);
    assert_eq!(segment.write(usize::MAX, &[0; 7]).unwrap_err().errno(), libc::EINVAL);
    assert_eq!(segment.read(4090, &mut [0; 7]).unwrap_err().errno(), libc::EINVAL);
    let read_only = Segment::options().read_only(true).open(&name).unwrap();
    assert_eq!(read_only.write(0, b"x").unwrap_err().errno(), libc::EACCES);
    assert!(!read_only.is_writable());
    assert_eq!(errno(Segment::options().length(1).open("madang.queue.x")), libc::EINVAL);
    assert_eq!(errno(Segment::options().length(u64::MAX).open(&Name::new("huge"))), libc::EFBIG);
    Segment::unlink(&name).unwrap();
    assert_eq!(Segment::unlink(&name).unwrap_err().errno(), libc::ENOENT);
}
