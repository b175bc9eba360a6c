//! What a FIFO does.

use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use madang::{Create, Deadline, fifo};
use madang_tests::{Checkpoint, Directory, WATCHDOG, alone, become_nobody, fork, open_descriptors};

const SHORT: Duration = Duration::from_millis(30);

fn soon() -> Deadline {
    Deadline::after(WATCHDOG)
}

fn errno<T: std::fmt::Debug>(result: madang::Result<T>) -> i32 {
    result.unwrap_err().errno()
}

/// A place for one, which is gone with the directory.
fn place() -> (Directory, PathBuf) {
    let directory = Directory::new("fifo");
    let path = directory.join("fifo");
    (directory, path)
}

#[test]
fn smoke() {
    let (_directory, path) = place();
    let reader = fifo::options().try_reader(&path).unwrap();
    assert!(std::fs::metadata(&path).unwrap().file_type().is_fifo());
    assert_eq!(errno(reader.try_read(&mut [0; 8])), libc::EAGAIN, "that nobody writes yet is not the end of the file");
    let writer = fifo::options().try_writer(&path).unwrap();
    writer.write_all(b"hello").unwrap();
    let mut bytes = [0; 5];
    assert_eq!(reader.read_exact(&mut bytes).unwrap(), 5);
    assert_eq!(&bytes, b"hello");
    fifo::remove(&path).unwrap();
    assert!(!path.exists());
    writer.write_all(b"!").unwrap();
    assert_eq!(reader.read(&mut bytes).unwrap(), 1, "who has it open goes on");
}

#[test]
fn the_file_ends_with_its_writer_and_begins_again_with_the_next() {
    let (_directory, path) = place();
    alone(|| {
        let reader = fifo::options().try_reader(&path).unwrap();
        for round in 0..3 {
            let writer = fifo::options().try_writer(&path).unwrap();
            assert_eq!(errno(reader.try_read(&mut [0; 8])), libc::EAGAIN);
            writer.write_all(&[round]).unwrap();
            drop(writer);
            let mut byte = [9];
            assert_eq!(reader.read(&mut byte).unwrap(), 1);
            assert_eq!((byte, reader.read(&mut byte).unwrap()), ([round], 0));
        }
    });
}

#[test]
fn its_mode_is_exact() {
    let (directory, path) = place();
    for mode in [0o600, 0o666, 0o240, 0o2664] {
        // In a child: the mask is the process's.
        fork(|| {
            // SAFETY: no memory is passed.
            unsafe { libc::umask(0o027) };
            fifo::make(&path, mode).map_or(1, |()| 0)
        })
        .succeeds();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, mode);
        fifo::remove(&path).unwrap();
    }
    fifo::options().mode(0o644).try_reader(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o644);
    assert_eq!(std::fs::read_dir(&*directory).unwrap().count(), 1, "nothing else is left");
    assert_eq!(errno(fifo::make(directory.join("other"), 0o10000)), libc::EINVAL);
}

/// Whoever sees the name sees the mode.
#[test]
fn no_name_shows_another_mode() {
    let (_directory, path) = place();
    let stop = Checkpoint::default();
    let maker = fork(|| {
        while !stop.wait_for(Duration::ZERO) {
            fifo::make(&path, 0o640).unwrap();
            fifo::remove(&path).unwrap();
        }
        0
    });
    let mut seen = 0;
    while seen < 1000 {
        if let Ok(found) = std::fs::symlink_metadata(&path) {
            assert_eq!(found.mode() & 0o7777, 0o640);
            seen += 1;
        }
    }
    stop.reach();
    maker.succeeds();
}

#[test]
fn create() {
    let (_directory, path) = place();
    let with = |create| fifo::options().create(create);
    assert_eq!(errno(with(Create::Never).try_reader(&path)), libc::ENOENT);
    assert_eq!(errno(with(Create::Never).try_writer(&path)), libc::ENOENT);
    let _reader = with(Create::Only).try_reader(&path).unwrap();
    assert_eq!(errno(with(Create::Only).try_reader(&path)), libc::EEXIST);
    assert_eq!(errno(fifo::make(&path, 0o600)), libc::EEXIST);
    with(Create::Never).try_writer(&path).unwrap();
    with(Create::IfMissing).try_writer(&path).unwrap();
}

#[test]
fn timeout() {
    let (_directory, path) = place();
    let begun = Instant::now();
    let error = fifo::options().writer_until(&path, Deadline::after(SHORT)).unwrap_err();
    assert_eq!(error.errno(), libc::ETIMEDOUT);
    assert!(error.message().contains("nobody opened it to read in time"), "{error}");
    assert_eq!(errno(fifo::options().try_writer(&path)), libc::EAGAIN);
    assert_eq!(errno(fifo::options().reader_until(&path, Deadline::after(SHORT))), libc::ETIMEDOUT);
    assert!(begun.elapsed() >= 2 * SHORT && begun.elapsed() < WATCHDOG);
    let reader = fifo::options().try_reader(&path).unwrap();
    assert_eq!(errno(reader.read_until(&mut [0; 8], Deadline::after(SHORT))), libc::ETIMEDOUT);
}

#[test]
fn a_writer_waits_for_a_reader() {
    let (_directory, path) = place();
    let child = fork(|| {
        let writer = fifo::options().writer_until(&path, soon()).unwrap();
        writer.write_all(b"hello").unwrap();
        0
    });
    child.wait_until_asleep();
    let reader = fifo::options().reader_until(&path, soon()).unwrap();
    let mut bytes = [0; 5];
    assert_eq!(reader.read_exact_until(&mut bytes, soon()).unwrap(), 5);
    child.succeeds();
}

/// Also for one that says nothing, or has left before it was looked for.
#[test]
fn a_reader_waits_for_a_writer() {
    let (_directory, path) = place();
    fifo::make(&path, 0o600).unwrap();
    let (opened, leave) = (Checkpoint::default(), Checkpoint::default());
    let child = fork(|| {
        let writer = fifo::options().writer_until(&path, soon()).unwrap();
        opened.reach();
        leave.wait();
        drop(writer);
        0
    });
    let reader = fifo::options().reader_until(&path, soon()).unwrap();
    opened.wait();
    assert_eq!(errno(reader.try_read(&mut [0; 8])), libc::EAGAIN);
    leave.reach();
    assert_eq!(reader.read_until(&mut [0; 8], soon()).unwrap(), 0);
    child.succeeds();
    reader.wait_for_writer_until(Deadline::NOW).unwrap();
    let fresh = fifo::options().try_reader(&path).unwrap();
    assert_eq!(errno(fresh.wait_for_writer_until(Deadline::NOW)), libc::EAGAIN);
}

#[test]
fn what_came_before_it_was_waited_for_is_not_taken() {
    let (_directory, path) = place();
    let (reader, writer) = fifo::options().both(&path).unwrap();
    writer.write_all(b"ab").unwrap();
    reader.wait_for_writer_until(Deadline::NOW).unwrap();
    assert_eq!(reader.waiting().unwrap(), 2);
}

#[test]
fn interrupted() {
    extern "C" fn nothing(_: i32) {}
    let (_directory, path) = place();
    let child = fork(|| {
        // SAFETY: a handler that does nothing.
        unsafe { libc::signal(libc::SIGUSR1, nothing as extern "C" fn(i32) as libc::sighandler_t) };
        i32::from(errno(fifo::options().writer(&path)) != libc::EINTR)
    });
    while !path.exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let begun = Instant::now();
    while child.state() != 'Z' && begun.elapsed() < WATCHDOG {
        child.signal(libc::SIGUSR1);
        std::thread::sleep(Duration::from_millis(1));
    }
    // Had a signal come before its handler, it would have ended the child.
    child.succeeds();
}

#[test]
fn both_ends() {
    let (_directory, path) = place();
    let (reader, writer) = fifo::options().both(&path).unwrap();
    let child = fork(|| {
        let client = fifo::options().create(Create::Never).writer_until(&path, soon()).unwrap();
        client.write_all(b"from a client").unwrap();
        0
    });
    let mut bytes = [0; 13];
    assert_eq!(reader.read_exact_until(&mut bytes, soon()).unwrap(), 13);
    child.succeeds();
    assert_eq!(errno(reader.try_read(&mut bytes)), libc::EAGAIN, "no client's leaving is the end");
    writer.write_all(b"x").unwrap();
    assert_eq!(reader.read(&mut bytes).unwrap(), 1);
}

#[test]
fn what_is_no_fifo() {
    let (directory, path) = place();
    let file = directory.join("file");
    std::fs::write(&file, "precious").unwrap();
    let link = directory.join("link");
    symlink(&path, &link).unwrap();
    fifo::make(&path, 0o600).unwrap();
    for (place, expected) in [(&file, libc::ENODEV), (&link, libc::ELOOP), (&directory.to_path_buf(), libc::ENODEV)] {
        assert_eq!(errno(fifo::options().try_reader(place)), expected);
        assert_eq!(errno(fifo::options().try_writer(place)), expected);
        assert_eq!(errno(fifo::options().both(place)), expected);
        assert_eq!(errno(fifo::remove(place)), expected);
        assert!(place.symlink_metadata().is_ok(), "it stays");
    }
    assert_eq!(errno(fifo::options().try_reader(directory.join("no/where"))), libc::ENOENT);
    assert_eq!(errno(fifo::options().try_reader(file.join("x"))), libc::ENOTDIR);
    assert_eq!(errno(fifo::options().try_reader("/")), libc::EINVAL);
    assert_eq!(errno(fifo::options().try_reader("a\0b")), libc::EINVAL);
    assert_eq!(errno(fifo::remove(directory.join("none"))), libc::ENOENT);
}

#[test]
fn other_users() {
    let (directory, path) = place();
    std::fs::set_permissions(&*directory, std::fs::Permissions::from_mode(0o777)).unwrap();
    fifo::make(&path, 0o600).unwrap();
    let open = directory.join("open");
    fifo::make(&open, 0o666).unwrap();
    let planted = directory.join("planted");
    fork(|| {
        become_nobody();
        assert_eq!(errno(fifo::options().try_reader(&path)), libc::EACCES);
        let _reader = fifo::options().try_reader(&open).unwrap();
        fifo::make(&planted, 0o666).unwrap();
        0
    })
    .succeeds();
    let error = fifo::options().try_reader(&planted).unwrap_err();
    assert_eq!(error.errno(), libc::EPERM);
    assert!(error.message().contains("it belongs to user 65534"), "{error}");
    fifo::options().any_owner(true).try_reader(&planted).unwrap();
}

#[test]
fn a_channel() {
    let (directory, path) = place();
    let talk = |first: &[u8], second: &[u8]| {
        let channel = fifo::options().channel_until(&path, soon()).unwrap();
        let (mine, theirs) = if channel.is_first { (first, second) } else { (second, first) };
        channel.writer.write_all(mine).unwrap();
        let mut bytes = vec![0; theirs.len()];
        assert_eq!(channel.reader.read_exact_until(&mut bytes, soon()).unwrap(), theirs.len());
        assert_eq!(bytes, theirs);
        channel
    };
    // Both come at once, from nothing, again and again: each time one is first.
    for _ in 0..50 {
        let child = fork(|| i32::from(talk(b"one", b"second").is_first));
        let ours = talk(b"one", b"second");
        let childs = child.wait_for(WATCHDOG);
        assert_eq!(childs, i32::from(!ours.is_first));
        assert_eq!(ours.reader.read_until(&mut [0; 8], soon()).unwrap(), 0, "the other has left");
        drop(ours);
        fifo::remove_channel(&path).unwrap();
    }
    assert_eq!(std::fs::read_dir(&*directory).unwrap().count(), 0);
    assert_eq!(errno(fifo::remove_channel(&path)), libc::ENOENT);
}

#[test]
fn a_third_is_turned_away_and_a_dead_one_replaced() {
    let (_directory, path) = place();
    alone(|| {
        let first = fifo::options().side(&path).unwrap();
        assert!(first.is_first());
        assert_eq!(errno(first.meet_until(Deadline::after(SHORT))), libc::ETIMEDOUT);
        for _ in 0..3 {
            let met = Checkpoint::default();
            let second = fork(|| {
                let channel = fifo::options().channel_until(&path, soon()).unwrap();
                assert!(!channel.is_first);
                channel.writer.write_all(b"here").unwrap();
                met.reach();
                std::thread::sleep(WATCHDOG);
                1
            });
            met.wait();
            assert_eq!(errno(fifo::options().channel_until(&path, soon())), libc::EBUSY);
            let writer = first.meet_until(soon()).unwrap();
            writer.write_all(b"hello").unwrap();
            second.kill();
            assert_eq!(errno(writer.write(b"x")), libc::EPIPE);
        }
        let reader = first.into_reader();
        let mut words = [0; 12];
        assert_eq!(reader.read_exact_until(&mut words, soon()).unwrap(), 12);
        assert_eq!(&words, b"hereherehere");
    });
}

#[test]
fn nothing_leaks() {
    let (directory, path) = place();
    alone(|| {
        let before = open_descriptors();
        for _ in 0..10 {
            let ends = fifo::options().both(&path).unwrap();
            drop(ends);
            assert!(fifo::options().try_writer(&path).is_err());
            assert!(fifo::options().reader_until(&path, Deadline::NOW).is_err());
            assert!(fifo::options().try_reader(&*directory).is_err());
            let side = fifo::options().side(&path).unwrap();
            assert!(side.meet_until(Deadline::NOW).is_err());
        }
        assert_eq!(open_descriptors(), before);
    });
}
