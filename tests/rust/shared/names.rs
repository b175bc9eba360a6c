//! What bad names, bad limits and things in the way get: an errno of their own and a sentence, and nothing is lost.

use std::os::unix::fs::{FileTypeExt, PermissionsExt, chown, symlink};
use std::{fs, io};

use madang::{Create, Error, Queue, Segment, Select};
use madang_tests::{Name, fork};

fn refused(result: madang::Result<Queue>) -> Error {
    let error = result.expect_err("it must be refused");
    assert!(error.message().len() > 20, "a sentence, not {:?}", error.message());
    error
}

fn is_root() -> bool {
    // SAFETY: no memory is passed.
    unsafe { libc::geteuid() == 0 }
}

#[test]
fn absent_and_taken() {
    let name = Name::new("absent");
    assert_eq!(refused(Queue::options().create(Create::Never).open(&name)).errno(), libc::ENOENT);
    assert_eq!(Queue::unlink(&name).unwrap_err().errno(), libc::ENOENT);
    Queue::options().create(Create::Only).open(&name).unwrap().send(1, b"kept").unwrap();
    assert_eq!(refused(Queue::options().create(Create::Only).open(&name)).errno(), libc::EEXIST);
    let queue = Queue::options().create(Create::Never).open(&name).unwrap();
    assert_eq!(queue.recv(Select::Any).unwrap().data, b"kept");
}

#[test]
fn bad_names() {
    for bad in ["", "a/b", "/a", "nul\0", &"n".repeat(300)] {
        let expected = if bad.len() == 300 { libc::ENAMETOOLONG } else { libc::EINVAL };
        assert_eq!(refused(Queue::open(bad)).errno(), expected, "{bad:?}");
        assert_eq!(Queue::unlink(bad).unwrap_err().errno(), expected);
    }
    let longest = Name::new("longest");
    let longest = format!("{}{}", &*longest, "n".repeat(242 - longest.len()));
    Queue::open(&longest).unwrap();
    Queue::unlink(&longest).unwrap();
}

#[test]
fn bad_limits() {
    let name = Name::new("limits");
    let options = Queue::options;
    for bad in [
        options().capacity((1 << 40) + 1),
        options().max_messages((1 << 32) + 1),
        options().max_participants(70_000),
        options().mode(0o20_000),
    ] {
        assert_eq!(refused(bad.open(&name)).errno(), libc::EINVAL);
    }
    options().capacity(1000).max_messages(10).max_participants(5).open(&name).unwrap();
    options().capacity(1000).max_messages(10).max_participants(5).open(&name).unwrap();
    for more in [options().capacity(1001), options().max_messages(11), options().max_participants(6)] {
        assert_eq!(refused(more.open(&name)).errno(), libc::EINVAL);
    }
}

#[test]
fn bad_messages() {
    let name = Name::new("messages");
    let queue = Queue::options().capacity(100).open(&name).unwrap();
    for bad in [0, -1, i64::MIN] {
        assert_eq!(queue.send(bad, b"x").unwrap_err().errno(), libc::EINVAL);
    }
    assert_eq!(queue.send(1, &[0; 101]).unwrap_err().errno(), libc::EMSGSIZE);
    assert!(queue.is_empty());
}

#[test]
fn other_things_in_its_place() {
    let name = Name::new("place");
    let path = name.queue_path();
    fs::create_dir(&path).unwrap();
    assert_eq!(refused(Queue::open(&name)).errno(), libc::EISDIR);
    fs::remove_dir(&path).unwrap();

    let c_path = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
    // SAFETY: the path is a C string.
    assert_eq!(unsafe { libc::mkfifo(c_path.as_ptr(), 0o600) }, 0);
    assert_eq!(refused(Queue::open(&name)).errno(), libc::ENODEV);
    assert!(fs::metadata(&path).unwrap().file_type().is_fifo(), "it is left alone");
    fs::remove_file(&path).unwrap();

    symlink("/dev/null", &path).unwrap();
    assert_eq!(refused(Queue::open(&name)).errno(), libc::ELOOP);
    fs::remove_file(&path).unwrap();
}

#[test]
fn a_strangers_file() {
    if !is_root() {
        return println!("only root can give files away");
    }
    let name = Name::new("stranger");
    Queue::open(&name).unwrap().send(1, b"kept").unwrap();
    chown(name.queue_path(), Some(12_345), None).unwrap();
    assert_eq!(refused(Queue::open(&name)).errno(), libc::EPERM);
    let queue = Queue::options().any_owner(true).open(&name).unwrap();
    assert_eq!(queue.recv(Select::Any).unwrap().data, b"kept");

    let segment = Name::new("stranger-segment");
    Segment::options().length(100).open(&segment).unwrap();
    chown(segment.segment_path(), Some(12_345), None).unwrap();
    assert_eq!(Segment::options().open(&segment).unwrap_err().errno(), libc::EPERM);
    Segment::options().any_owner(true).open(&segment).unwrap();
}

/// As another user: what root made is trusted, but its mode decides.
#[test]
fn permissions() {
    if !is_root() {
        return println!("only root can become another user");
    }
    let name = Name::new("permissions");
    let queue = Queue::open(&name).unwrap();
    let try_as_nobody = || {
        let child = fork(|| {
            // SAFETY: no memory is passed.
            assert_eq!(unsafe { libc::setuid(65_534) }, 0, "{}", io::Error::last_os_error());
            match Queue::open(&name) {
                Ok(queue) => queue.send(1, b"from nobody").map_or(99, |()| 0),
                Err(error) => error.errno(),
            }
        });
        child.wait_for(madang_tests::WATCHDOG)
    };
    assert_eq!(try_as_nobody(), libc::EACCES);
    fs::set_permissions(name.queue_path(), fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(try_as_nobody(), 0);
    assert_eq!(queue.recv(Select::Any).unwrap().data, b"from nobody");
    // Reading alone is not enough to take part.
    fs::set_permissions(name.queue_path(), fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(try_as_nobody(), libc::EACCES);
}

/// In a tmpfs of its own, as small as a test likes it.
fn in_a_small_file_system(size: &str, work: impl FnOnce() -> i32) {
    let directory =
        std::env::temp_dir().join(Name::new("small").as_bytes().iter().map(|&b| b as char).collect::<String>());
    fs::create_dir(&directory).unwrap();
    let c_directory = std::ffi::CString::new(directory.to_str().unwrap()).unwrap();
    let options = std::ffi::CString::new(format!("size={size}")).unwrap();
    let child = fork(|| {
        let (tmpfs, none) = (c"tmpfs".as_ptr(), std::ptr::null());
        // SAFETY: all strings are C strings; the child has one thread, so its environment is its own.
        unsafe {
            // Its own mounts, which go with it.
            if libc::unshare(libc::CLONE_NEWNS) != 0 {
                return 77;
            }
            libc::mount(c"none".as_ptr(), c"/".as_ptr(), none, libc::MS_REC | libc::MS_PRIVATE, none.cast());
            if libc::mount(tmpfs, c_directory.as_ptr(), tmpfs, 0, options.as_ptr().cast()) != 0 {
                return 77;
            }
            libc::setenv(c"MADANG_DIR".as_ptr(), c_directory.as_ptr(), 1);
        }
        work()
    });
    let code = child.wait_for(6 * madang_tests::WATCHDOG);
    fs::remove_dir(&directory).unwrap();
    match code {
        77 => println!("not permitted to mount; nothing was tested"),
        code => assert_eq!(code, 0),
    }
}

/// A full file system is an error with advice, never a signal; what was sent before stays.
#[test]
fn a_full_file_system() {
    in_a_small_file_system("512k", || {
        let queue = Queue::options().capacity(4 << 20).open("full").unwrap();
        let mut sent = 0;
        let error = loop {
            match queue.try_send(1, &vec![(sent % 251) as u8; 10_000]) {
                Ok(()) => sent += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(error.errno(), libc::ENOSPC, "{error}");
        assert!(error.message().contains("--shm-size"), "{error}");
        assert_eq!(refused(Queue::open("another")).errno(), libc::ENOSPC);
        assert!(sent > 20, "most of it was usable: {sent}");
        for index in 0..sent {
            assert_eq!(queue.try_recv(Select::Any).unwrap().data, vec![(index % 251) as u8; 10_000]);
        }
        // What was taken can be used again and again.
        for _ in 0..1000 {
            queue.try_send(1, &[1; 10_000]).unwrap();
            queue.try_recv(Select::Any).unwrap();
        }
        assert_eq!(queue.try_recv(Select::Any).unwrap_err().errno(), libc::EAGAIN);
        0
    });
}

/// Filled by others at every moment: an untouched queue can still be looked at, and a message too large for what is left leaves
/// no trap behind.
#[test]
fn a_file_system_filled_by_others() {
    in_a_small_file_system("1m", || {
        let queue = Queue::options().capacity(4 << 20).open("queue").unwrap();
        let fill = format!("{}/fill", std::env::var("MADANG_DIR").unwrap());
        // As full as it gets.
        let mut left = vec![0; 2 << 20];
        while !left.is_empty() && fs::write(&fill, &left).is_err() {
            left.truncate(left.len() - 4096);
        }
        assert_eq!(queue.try_recv(Select::Any).unwrap_err().errno(), libc::EAGAIN);
        assert_eq!(queue.try_send(1, &vec![0; 1 << 20]).unwrap_err().errno(), libc::ENOSPC);
        assert_eq!(queue.try_recv(Select::Any).unwrap_err().errno(), libc::EAGAIN);
        queue.try_send(1, b"small ones fit").unwrap();
        assert_eq!(queue.try_recv(Select::Any).unwrap().data, b"small ones fit");
        fs::remove_file(&fill).unwrap();
        queue.try_send(1, &vec![7; 100_000]).unwrap();
        assert_eq!(queue.try_recv(Select::Any).unwrap().data, vec![7; 100_000]);
        0
    });
}

/// What can't fit is refused before anything is taken: nobody else sees a full file system meanwhile.
#[test]
fn too_much_is_not_begun() {
    in_a_small_file_system("1m", || {
        let queue = Queue::options().capacity(64 << 20).open("queue").unwrap();
        let before = queue.stat().unwrap().allocated;
        assert_eq!(queue.try_send(1, &vec![0; 16 << 20]).unwrap_err().errno(), libc::ENOSPC);
        assert_eq!(queue.stat().unwrap().allocated, before);
        queue.try_send(1, b"small ones fit").unwrap();
        0
    });
}

#[test]
fn a_missing_or_relative_directory() {
    for (directory, errno) in [(c"/nonexistent/madang", libc::ENOENT), (c"relative", libc::EINVAL)] {
        let child = fork(|| {
            // SAFETY: the child has one thread, so its environment is its own.
            unsafe { libc::setenv(c"MADANG_DIR".as_ptr(), directory.as_ptr(), 1) };
            i32::from(refused(Queue::open("x")).errno() != errno)
        });
        child.succeeds();
    }
}
