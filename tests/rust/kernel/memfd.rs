//! What a memfd and its seals do.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use madang::memfd::{Memfd, Seals};
use madang_tests::{Child, fork, open_descriptors};

#[track_caller]
fn fails<T: std::fmt::Debug>(result: madang::Result<T>, errno: i32, words: &str) {
    let error = result.expect_err("this fails");
    assert_eq!(error.errno(), errno, "{error}");
    assert!(error.to_string().contains(words), "{words:?} is not in {error}");
}

fn new(size: u64) -> Memfd {
    Memfd::options().size(size).create("test").unwrap()
}

fn duplicate(memory: &Memfd) -> OwnedFd {
    memory.as_fd().try_clone_to_owned().unwrap()
}

#[test]
fn smoke() {
    let memory = new(5000);
    assert_eq!(memory.size().unwrap(), 5000);
    memory.map(0, 0, true).unwrap().write(4990, b"0123456789").unwrap();
    let mut bytes = [0; 10];
    memory.map(4096, 904, false).unwrap().read(894, &mut bytes).unwrap();
    assert_eq!(&bytes, b"0123456789");
    memory.set_size(10_000).unwrap();
    memory.set_size(10).unwrap();
    assert_eq!(memory.size().unwrap(), 10);
    let link = std::fs::read_link(format!("/proc/self/fd/{}", memory.as_fd().as_raw_fd())).unwrap();
    assert_eq!(link.to_str(), Some("/memfd:test (deleted)"));
}

/// A child that inherited it, by its descriptor alone, sees what was written, and can't write itself.
#[test]
fn a_child_gets_it_sealed() {
    let memory = new(100);
    memory.map(0, 0, true).unwrap().write(0, b"for the child").unwrap();
    memory.seal(Seals::SHRINK | Seals::GROW | Seals::WRITE | Seals::SEAL).unwrap();
    let child: Child = fork(|| {
        let received = Memfd::from_fd(duplicate(&memory), Seals::WRITE | Seals::GROW).unwrap();
        let mut bytes = [0; 13];
        received.map(0, 0, false).unwrap().read(0, &mut bytes).unwrap();
        fails(received.map(0, 0, true), libc::EPERM, "it is sealed (SEAL | SHRINK | GROW | WRITE");
        i32::from(&bytes != b"for the child")
    });
    child.succeeds();
}

#[test]
fn seals() {
    let memory = new(4096);
    let mut at_first = memory.seals().unwrap();
    assert!([Seals::NONE, Seals::EXEC].contains(&at_first), "{at_first}");
    if at_first == Seals::NONE {
        eprintln!("memfd::seals: skipped: this kernel doesn't know EXEC");
    }
    memory.seal(Seals::GROW).unwrap();
    at_first |= Seals::GROW;
    assert_eq!(memory.seals().unwrap(), at_first);
    fails(memory.set_size(4097), libc::EPERM, "it is sealed (GROW");
    memory.set_size(100).unwrap();
    memory.seal(Seals::SHRINK).unwrap();
    fails(memory.set_size(99), libc::EPERM, "SHRINK");
    let mapping = memory.map(0, 0, true).unwrap();
    fails(memory.seal(Seals::WRITE), libc::EBUSY, "mapped to be written");
    // What is mapped goes on with this one.
    memory.seal(Seals::FUTURE_WRITE).unwrap();
    mapping.write(0, b"still").unwrap();
    fails(memory.map(0, 0, true), libc::EPERM, "FUTURE_WRITE");
    let reader = memory.map(0, 0, false).unwrap();
    mapping.write(0, b"later").unwrap();
    let mut bytes = [0; 5];
    reader.read(0, &mut bytes).unwrap();
    assert_eq!(&bytes, b"later", "it is shared");
    drop(mapping);
    memory.seal(Seals::WRITE | Seals::SEAL).unwrap();
    fails(memory.seal(Seals::EXEC), libc::EPERM, "it is sealed with SEAL | SHRINK | GROW | WRITE | FUTURE_WRITE");
    fails(new(1).seal(Seals::from_bits(1 << 20)), libc::EINVAL, "this kernel doesn't know");
    assert_eq!(Seals::NONE.to_string(), "none");
    assert_eq!(format!("{:?}", Seals::SHRINK | Seals::from_bits(1 << 20)), "Seals(SHRINK | 0x100000)");
}

/// It may not be executed, unless it was asked for.
#[test]
fn execution() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |memory: &Memfd| {
        let file = std::fs::File::from(duplicate(memory));
        file.metadata().unwrap().permissions().mode() & 0o777
    };
    let executable = Memfd::options().executable(true).create("program").unwrap();
    assert_eq!(mode(&executable), 0o777);
    let memory = new(1);
    if memory.seals().unwrap().contains(Seals::EXEC) {
        assert_eq!(mode(&memory), 0o666);
        let file = std::fs::File::from(duplicate(&memory));
        assert!(file.set_permissions(PermissionsExt::from_mode(0o777)).is_err(), "that is sealed");
    }
}

#[test]
fn what_a_stranger_hands_over_is_checked() {
    let memory = new(100);
    fails(Memfd::from_fd(duplicate(&memory), Seals::NONE), libc::EPERM, "not sealed with SHRINK");
    assert_eq!(Memfd::from_trusted_fd(duplicate(&memory)).unwrap().size().unwrap(), 100);
    memory.seal(Seals::SHRINK).unwrap();
    fails(Memfd::from_fd(duplicate(&memory), Seals::WRITE | Seals::GROW), libc::EPERM, "not sealed with GROW | WRITE");
    Memfd::from_fd(duplicate(&memory), Seals::NONE).unwrap();
    for path in ["/dev/null", "/proc/self/exe", "/dev"] {
        let file = std::fs::File::open(path).unwrap();
        fails(Memfd::from_fd(file.into(), Seals::NONE), libc::EINVAL, "not one of a memfd");
    }
    let (reader, _writer) = std::io::pipe().unwrap();
    fails(Memfd::from_trusted_fd(reader.into()), libc::EINVAL, "not one of a memfd");
}

/// By /proc one can get a description that only reads.
#[test]
fn a_read_only_descriptor() {
    let memory = new(100);
    memory.seal(Seals::SHRINK).unwrap();
    let path = format!("/proc/self/fd/{}", memory.as_fd().as_raw_fd());
    let reader = Memfd::from_fd(std::fs::File::open(path).unwrap().into(), Seals::NONE).unwrap();
    reader.map(0, 0, false).unwrap();
    fails(reader.map(0, 0, true), libc::EACCES, "read-only");
    fails(reader.seal(Seals::GROW), libc::EPERM, "read-only");
    fails(reader.set_size(200), libc::EINVAL, "200 bytes");
}

#[test]
fn huge_pages() {
    let free: u64 = std::fs::read_to_string("/proc/sys/vm/nr_hugepages").map_or(0, |n| n.trim().parse().unwrap());
    let made = Memfd::options().huge_pages(2 << 20).size(2 << 20).create("huge");
    match made {
        Ok(memory) => {
            memory.map(0, 0, true).unwrap().write(1 << 20, b"huge").unwrap();
            fails(memory.set_size(100), libc::EINVAL, "100 bytes");
        }
        Err(error) => {
            assert!(free == 0, "{error}");
            assert!(error.to_string().contains("huge pages"), "{error}");
            eprintln!("memfd::huge_pages: skipped: the machine has none");
        }
    }
    fails(Memfd::options().huge_pages(3 << 20).create("odd"), libc::EINVAL, "a power of two");
}

#[test]
fn bad_input() {
    fails(Memfd::options().create(&"n".repeat(250)), libc::EINVAL, "249 at most");
    fails(Memfd::options().create("nul\0"), libc::EINVAL, "NUL");
    fails(Memfd::options().size(u64::MAX).create("large"), libc::EFBIG, "18446744073709551615 bytes");
    let memory = Memfd::options().create(&"n".repeat(249)).unwrap();
    fails(memory.map(0, 0, true), libc::EINVAL, "it is empty");
    memory.set_size(8192).unwrap();
    fails(memory.map(1, 1, true), libc::EINVAL, "page size");
    fails(memory.map(4096, 8192, false), libc::EINVAL, "don't lie within its 8192");
}

#[test]
fn nothing_leaks() {
    fork(|| {
        let before = open_descriptors();
        for _ in 0..10 {
            let memory = new(100);
            memory.map(0, 0, true).unwrap();
            // SAFETY: no memory is passed.
            assert_eq!(unsafe { libc::fcntl(memory.as_fd().as_raw_fd(), libc::F_GETFD) }, libc::FD_CLOEXEC);
            Memfd::from_fd(duplicate(&memory), Seals::WRITE).unwrap_err();
        }
        assert_eq!(open_descriptors(), before);
        0
    })
    .succeeds();
}
