//! What a pipe does.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use madang::pipe::{self, PIPE_BUF, Reader, Writer};
use madang::{Deadline, Error};
use madang_tests::{Directory, WATCHDOG, alone, become_nobody, fork, open_descriptors};

const SHORT: Duration = Duration::from_millis(30);

fn soon() -> Deadline {
    Deadline::after(WATCHDOG)
}

fn errno<T: std::fmt::Debug>(result: madang::Result<T>) -> i32 {
    result.unwrap_err().errno()
}

/// Writes until there is no more room; how many bytes.
fn fill(writer: &Writer) -> usize {
    let mut filled = 0;
    while let Ok(written) = writer.try_write(&[7; PIPE_BUF]) {
        filled += written;
    }
    filled
}

fn flags(fd: impl AsFd, command: i32) -> i32 {
    // SAFETY: no memory is passed.
    unsafe { libc::fcntl(fd.as_fd().as_raw_fd(), command) }
}

/// In a child, so that the process's dispositions are as C programs have them: Rust ignores SIGPIPE.
fn sigpipe_kills() {
    // SAFETY: no memory is passed.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}

#[test]
fn smoke() {
    alone(|| {
        let (reader, writer) = pipe::pair().unwrap();
        assert_eq!(writer.write(b"hello").unwrap(), 5);
        assert_eq!((reader.waiting().unwrap(), writer.waiting().unwrap()), (5, 5));
        let mut bytes = [0; 16];
        assert_eq!(reader.read(&mut bytes[..2]).unwrap(), 2);
        assert_eq!(reader.read(&mut bytes[2..]).unwrap(), 3);
        assert_eq!(&bytes[..5], b"hello");
        assert_eq!(errno(reader.try_read(&mut bytes)), libc::EAGAIN);
        writer.write_all(b"!").unwrap();
        drop(writer);
        assert_eq!(reader.read(&mut bytes).unwrap(), 1, "what was written stays");
        assert_eq!((reader.read(&mut bytes).unwrap(), reader.try_read(&mut bytes).unwrap()), (0, 0), "the file ends");
    });
}

#[test]
fn to_and_from_another_process() {
    let (requests, to_child) = pipe::pair().unwrap();
    let (answers, to_parent) = pipe::pair().unwrap();
    let child = fork(|| {
        let mut bytes = [0; 5];
        let read = requests.read_exact_until(&mut bytes, soon()).unwrap();
        bytes.make_ascii_uppercase();
        to_parent.write_all_until(&bytes[..read], soon()).unwrap();
        0
    });
    to_child.write_all(b"hel").unwrap();
    to_child.write_all(b"lo").unwrap();
    let mut bytes = [0; 5];
    assert_eq!(answers.read_exact_until(&mut bytes, soon()).unwrap(), 5);
    assert_eq!(&bytes, b"HELLO");
    child.succeeds();
}

#[test]
fn what_is_handed_to_a_child_blocks_and_what_stays_does_not() {
    alone(|| {
        let (reader, to_child) = pipe::pair().unwrap();
        let (answers, writer) = pipe::pair().unwrap();
        // `cat` knows nothing of EAGAIN.
        let mut child = Command::new("cat").stdin(Stdio::from(reader)).stdout(Stdio::from(writer)).spawn().unwrap();
        let long = vec![b'x'; 300_000];
        let mut got = vec![0; long.len()];
        std::thread::scope(|scope| {
            scope.spawn(|| to_child.write_all_until(&long, soon()).unwrap());
            assert_eq!(answers.read_exact_until(&mut got, soon()).unwrap(), long.len());
        });
        assert!(got == long);
        drop(to_child);
        assert_eq!(
            answers.read_until(&mut got, soon()).unwrap(),
            0,
            "the child ended with its input: nobody else has our ends"
        );
        assert!(child.wait().unwrap().success());
    });
}

#[test]
fn inherited_by_its_number() {
    alone(|| {
        let (reader, writer) = pipe::pair().unwrap();
        assert_eq!(flags(&writer, libc::F_GETFD), libc::FD_CLOEXEC);
        assert!(flags(&writer, libc::F_GETFL) & libc::O_NONBLOCK != 0);
        let fd = writer.into_inheritable().unwrap();
        assert_eq!((flags(&fd, libc::F_GETFD), flags(&fd, libc::F_GETFL) & libc::O_NONBLOCK), (0, 0));
        let status =
            Command::new("sh").arg("-c").arg(format!("echo hello >/proc/self/fd/{}", fd.as_raw_fd())).status().unwrap();
        assert!(status.success());
        drop(fd);
        let mut text = String::new();
        (&reader).read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello\n");
    });
}

#[test]
fn an_end_that_was_inherited() {
    alone(|| {
        let (reader, writer) = io::pipe().unwrap();
        let shared = writer.try_clone().unwrap();
        let ours = Writer::from_fd(writer.into()).unwrap();
        assert_eq!(flags(&shared, libc::F_GETFL) & libc::O_NONBLOCK, 0, "whoever shares the descriptor doesn't notice");
        assert!(flags(&ours, libc::F_GETFL) & libc::O_NONBLOCK != 0);
        assert!(fill(&ours) > 0);
        let before = ours.waiting().unwrap();
        let mut bytes = vec![0; before];
        let reader = Reader::from_fd(reader.into()).unwrap();
        assert_eq!(reader.read_exact(&mut bytes).unwrap(), before);
        drop((ours, shared));
        assert_eq!(reader.read(&mut bytes).unwrap(), 0);

        // Also when the other end is gone already.
        let (reader, writer) = io::pipe().unwrap();
        drop(writer);
        let shared = reader.try_clone().unwrap();
        assert_eq!(Reader::from_fd(reader.into()).unwrap().read(&mut bytes).unwrap(), 0);
        assert_eq!(flags(&shared, libc::F_GETFL) & libc::O_NONBLOCK, 0);

        let (reader, writer) = io::pipe().unwrap();
        assert_eq!(errno(Writer::from_fd(reader.into())), libc::EBADF);
        assert_eq!(errno(Reader::from_fd(writer.into())), libc::EBADF);
        let file = OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
        assert_eq!(errno(Reader::try_from(file)), libc::ENODEV);
    });
}

/// As `program <fifo` would find it, when the writer is gone already.
#[test]
fn an_inherited_fifo_ends() {
    let directory = Directory::new("inherited-fifo");
    let path = directory.join("fifo");
    alone(|| {
        let (reader, writer) = madang::fifo::options().both(&path).unwrap();
        let fd = OwnedFd::from(reader);
        writer.write_all(b"last words").unwrap();
        drop(writer);
        let reader = Reader::from_fd(fd).unwrap();
        let mut bytes = [0; 100];
        assert_eq!(reader.read_exact_until(&mut bytes, soon()).unwrap(), 10);
    });
}

#[test]
fn timeout() {
    let (reader, writer) = pipe::pair().unwrap();
    let begun = Instant::now();
    assert_eq!(errno(reader.read_until(&mut [0; 8], Deadline::after(SHORT))), libc::ETIMEDOUT);
    assert!(begun.elapsed() >= SHORT);
    let begun = Instant::now();
    fill(&writer);
    assert_eq!(errno(writer.try_write(b"x")), libc::EAGAIN);
    assert_eq!(errno(writer.write_until(b"x", Deadline::after(SHORT))), libc::ETIMEDOUT);
    assert!(begun.elapsed() >= SHORT && begun.elapsed() < WATCHDOG);
}

#[test]
fn how_far_it_came() {
    alone(|| {
        let (reader, writer) = pipe::options().capacity(8192).pair().unwrap();
        let error = writer.write_all_until(&[1; 20_000], Deadline::after(SHORT)).unwrap_err();
        assert_eq!((error.errno(), error.transferred()), (libc::ETIMEDOUT, 8192));
        assert_eq!(reader.waiting().unwrap(), 8192);
        let mut bytes = vec![0; 10_000];
        let error = reader.read_exact_until(&mut bytes, Deadline::after(SHORT)).unwrap_err();
        assert_eq!((error.errno(), error.transferred()), (libc::ETIMEDOUT, 8192));
        assert!(bytes[..8192].iter().all(|byte| *byte == 1));
        writer.write_all(b"end").unwrap();
        drop(writer);
        assert_eq!(reader.read_exact(&mut bytes).unwrap(), 3, "the file ended before the buffer was full");
    });
}

#[test]
fn interrupted() {
    extern "C" fn nothing(_: i32) {}
    let (reader, writer) = pipe::pair().unwrap();
    fill(&writer);
    let (empty, _kept) = pipe::pair().unwrap();
    for work in [&(|| empty.read(&mut [0; 8])) as &dyn Fn() -> madang::Result<usize>, &|| writer.write(b"x"), &|| {
        empty.read_exact(&mut [0; 8])
    }] {
        let child = fork(|| {
            // SAFETY: a handler that does nothing; with SA_RESTART, which signal(2) sets.
            unsafe { libc::signal(libc::SIGUSR1, nothing as extern "C" fn(i32) as libc::sighandler_t) };
            i32::from(errno(work()) != libc::EINTR)
        });
        child.wait_until_asleep();
        // It may have slept before it waited: on its way through the kernel.
        while child.state() == 'S' {
            child.signal(libc::SIGUSR1);
            std::thread::sleep(Duration::from_millis(1));
        }
        child.succeeds();
    }
    drop(reader);
}

#[test]
fn a_vanished_reader_is_an_error_and_no_death() {
    alone(|| {
        let (reader, writer) = pipe::pair().unwrap();
        drop(reader);
        fork(|| {
            sigpipe_kills();
            let error: Error = writer.write_all(b"hello").unwrap_err();
            assert_eq!(error.errno(), libc::EPIPE);
            assert!(error.message().contains("nobody has it open to read"), "{error}");
            assert_eq!(errno(writer.try_write(&[0; 100_000])), libc::EPIPE);
            // And no signal is left pending, nor blocked.
            // SAFETY: valid sets.
            unsafe {
                let mut set: libc::sigset_t = std::mem::zeroed();
                assert!(libc::sigpending(&raw mut set) == 0 && libc::sigismember(&raw const set, libc::SIGPIPE) == 0);
                libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &raw mut set);
                assert_eq!(libc::sigismember(&raw const set, libc::SIGPIPE), 0);
            }
            0
        })
        .succeeds();
        assert_eq!(io::Write::write(&mut &writer, b"x").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    });
}

/// One that waits for room when the last reader goes.
#[test]
fn a_reader_that_vanishes_meanwhile() {
    alone(|| {
        let (reader, writer) = pipe::pair().unwrap();
        fill(&writer);
        let writer = Arc::new(writer);
        let child = fork(|| {
            sigpipe_kills();
            // SAFETY: the parent's end, which the child shares. Nobody uses it here any more.
            unsafe { libc::close(reader.as_fd().as_raw_fd()) };
            i32::from(errno(writer.write(b"x")) != libc::EPIPE)
        });
        child.wait_until_asleep();
        drop(reader);
        child.succeeds();
    });
}

#[test]
fn sigpipe_is_left_to_who_wants_it() {
    alone(|| {
        let (reader, writer) = pipe::options().leave_sigpipe(true).pair().unwrap();
        drop(reader);
        let child = fork(|| {
            sigpipe_kills();
            let _ = writer.write(b"x");
            0
        });
        let mut status = 0;
        // SAFETY: `status` is a valid place for the answer.
        assert_eq!(unsafe { libc::waitpid(child.id(), &raw mut status, 0) }, child.id());
        std::mem::forget(child); // it is buried
        assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGPIPE);
        assert_eq!(errno(writer.leave_sigpipe(false).write(b"x")), libc::EPIPE);
    });
}

#[test]
fn capacity() {
    let (reader, writer) = pipe::pair().unwrap();
    assert!(writer.capacity().unwrap() >= PIPE_BUF);
    assert_eq!(writer.set_capacity(5000).unwrap(), 8192, "the next power of two");
    assert_eq!((reader.capacity().unwrap(), fill(&writer)), (8192, 8192));
    let error = reader.set_capacity(4096).unwrap_err();
    assert_eq!(error.errno(), libc::EBUSY);
    assert!(error.message().contains("8192 bytes wait in it"), "{error}");
    assert_eq!(errno(writer.set_capacity(usize::MAX)), libc::EINVAL);
    assert_eq!(pipe::options().capacity(1 << 17).pair().unwrap().0.capacity().unwrap(), 1 << 17);
    fork(|| {
        become_nobody();
        let largest: usize = std::fs::read_to_string("/proc/sys/fs/pipe-max-size").unwrap().trim().parse().unwrap();
        let error = pipe::options().capacity(largest + 1).pair().unwrap_err();
        i32::from(!(error.errno() == libc::EPERM && error.message().contains("/proc/sys/fs/pipe-max-size")))
    })
    .succeeds();
}

#[test]
fn packets() {
    let (reader, writer) = pipe::options().packets(true).pair().unwrap();
    assert!(writer.is_packets().unwrap() && !pipe::pair().unwrap().1.is_packets().unwrap());
    for packet in [&b"one"[..], b"two", b"three"] {
        writer.write_all(packet).unwrap();
    }
    let mut bytes = [0; PIPE_BUF];
    assert_eq!(reader.read(&mut bytes).unwrap(), 3);
    assert_eq!(&bytes[..3], b"one");
    assert_eq!(reader.read(&mut bytes[..1]).unwrap(), 1, "the rest of it is lost");
    assert_eq!(reader.read(&mut bytes).unwrap(), 5);
    assert_eq!(&bytes[..5], b"three");
}

/// A line of `PIPE_BUF` bytes is whole, whoever else writes.
#[test]
fn several_writers_are_not_mixed() {
    alone(|| {
        const EACH: usize = 300;
        let (reader, writer) = pipe::pair().unwrap();
        let writers: Vec<_> = (1..=4u8)
            .map(|mark| {
                fork(|| {
                    // Of different lengths, so that they don't fall on pages' borders.
                    let length = PIPE_BUF - usize::from(mark - 1) * 100;
                    for _ in 0..EACH {
                        let mut piece = vec![mark; length];
                        piece[..2].copy_from_slice(&(length as u16).to_ne_bytes());
                        assert_eq!(writer.write_until(&piece, soon()).unwrap(), length);
                    }
                    0
                })
            })
            .collect();
        drop(writer);
        let mut seen = [0; 5];
        let mut length = [0; 2];
        while reader.read_exact_until(&mut length, soon()).unwrap() == 2 {
            let mut piece = vec![0; usize::from(u16::from_ne_bytes(length)) - 2];
            assert_eq!(reader.read_exact_until(&mut piece, soon()).unwrap(), piece.len());
            assert!(piece.iter().all(|byte| *byte == piece[0]), "mixed");
            seen[usize::from(piece[0])] += 1;
        }
        assert_eq!(seen, [0, EACH, EACH, EACH, EACH]);
        writers.into_iter().for_each(madang_tests::Child::succeeds);
    });
}

#[test]
fn a_timed_write_is_whole_or_not_at_all() {
    let (reader, writer) = pipe::options().capacity(PIPE_BUF).pair().unwrap();
    writer.write_all(b"a byte is enough to be in the way").unwrap();
    let before = reader.waiting().unwrap();
    let error = writer.write_all_until(&[1; PIPE_BUF], Deadline::after(SHORT)).unwrap_err();
    assert_eq!((error.errno(), error.transferred()), (libc::ETIMEDOUT, 0));
    assert_eq!(reader.waiting().unwrap(), before);
    reader.read_exact(&mut vec![0; before]).unwrap();
    assert_eq!(writer.write_until(&[1; PIPE_BUF], Deadline::after(SHORT)).unwrap(), PIPE_BUF);
}

#[test]
fn nothing_leaks() {
    alone(|| {
        let before = open_descriptors();
        for _ in 0..10 {
            let (reader, writer) = pipe::options().capacity(8192).pair().unwrap();
            drop(OwnedFd::from(reader));
            drop(Writer::from_fd(writer.into()).unwrap());
            let (reader, writer) = io::pipe().unwrap();
            assert!(Writer::from_fd(reader.into()).is_err() && Reader::from_fd(writer.into()).is_err());
            assert!(pipe::options().capacity(usize::MAX).pair().is_err());
        }
        assert_eq!(open_descriptors(), before);
    });
}

#[test]
fn as_std_has_it() {
    alone(|| {
        let (mut reader, mut writer) = pipe::pair().unwrap();
        writeln!(writer, "one").unwrap();
        io::copy(&mut &b"two\n"[..], &mut writer).unwrap();
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "one\ntwo\n");
    });
}
