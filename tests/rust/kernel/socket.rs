//! Sockets, between processes.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use madang::Deadline;
use madang::socket::{Address, Datagram, Listener, MESSAGE_LIMIT, Shutdown, Stream, Wanted};
use madang_tests::{Checkpoint, Directory, Name, WATCHDOG, alone, become_nobody, fork, open_descriptors};

/// Long enough.
fn soon() -> Deadline {
    Deadline::after(WATCHDOG)
}

/// Too short.
fn shortly() -> Deadline {
    Deadline::after(Duration::from_millis(20))
}

fn address(text: impl AsRef<str>) -> Address {
    text.as_ref().parse().unwrap()
}

fn unix(directory: &Path, name: &str) -> Address {
    Address::unix(directory.join(name))
}

fn errno<T>(result: madang::Result<T>) -> i32 {
    result.err().expect("it should have failed").errno()
}

fn says<T>(result: madang::Result<T>, number: i32, words: &str) {
    let error = result.err().expect("it should have failed");
    assert_eq!(error.errno(), number, "{error}");
    assert!(error.to_string().contains(words), "{words:?} is not in {error}");
}

fn text(stream: &Stream) -> String {
    String::from_utf8(stream.recv_message_until(soon()).unwrap().expect("not the end").data).unwrap()
}

fn as_nobody(work: impl FnOnce() -> i32) -> i32 {
    fork(|| {
        become_nobody();
        work()
    })
    .wait_for(WATCHDOG)
}

extern "C" fn nothing(_: libc::c_int) {}

/// A signal comes again and again, and its handler does nothing.
fn with_alarms() {
    // SAFETY: all-zero is a valid sigaction; the handler does nothing; the timer is valid.
    unsafe {
        libc::signal(libc::SIGALRM, nothing as *const () as usize);
        let often = libc::timeval { tv_sec: 0, tv_usec: 10_000 };
        let timer = libc::itimerval { it_interval: often, it_value: often };
        libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut());
    }
}

fn all_kinds(directory: &Directory) -> Vec<Address> {
    let name = Name::new("socket");
    vec![
        unix(directory, "stream"),
        unix(directory, "packets").packets(),
        address(format!("unix:@{name}")),
        address(format!("packet:@{name}")),
        address("tcp:127.0.0.1:0"),
        address("tcp:[::1]:0"),
    ]
}

#[test]
fn smoke() {
    let directory = Directory::new("socket");
    for address in all_kinds(&directory) {
        let server = Listener::bind(&address).unwrap();
        let client = fork(|| {
            let stream = Stream::connect_until(server.address(), soon()).unwrap();
            stream.send_message_until(b"two teas", soon()).unwrap();
            assert_eq!(text(&stream), "coming", "{address}");
            assert!(stream.recv_message_until(soon()).unwrap().is_none(), "the end");
            0
        });
        let stream = server.accept_until(soon()).unwrap();
        assert_eq!(text(&stream), "two teas", "{address}");
        if address.path().is_some() {
            assert_eq!((stream.local_address(), stream.peer().unwrap().pid), (&address, client.id()));
        }
        stream.send_message(b"coming").unwrap();
        drop(stream);
        client.succeeds();
    }
    assert_eq!(std::fs::read_dir(&*directory).unwrap().count(), 0, "the files are gone");
}

/// What stands in docs/kernel/socket.md: nothing of madang's is needed at the other end.
#[test]
fn a_stranger_speaks_it() {
    let directory = Directory::new("stranger");
    let server = Listener::bind(&unix(&directory, "s")).unwrap();
    let stranger = fork(|| {
        let mut stream = UnixStream::connect(directory.join("s")).unwrap();
        stream.write_all(b"\0\0\0\x05hello\0\0\0\0").unwrap();
        let mut answer = [0; 7];
        stream.read_exact(&mut answer).unwrap();
        i32::from(answer != *b"\0\0\0\x03bye")
    });
    let stream = server.accept_until(soon()).unwrap();
    assert_eq!((text(&stream), text(&stream)), ("hello".to_owned(), String::new()));
    stream.send_message(b"bye").unwrap();
    stranger.succeeds();
}

#[test]
fn bytes_too() {
    let (one, other) = Stream::pair().unwrap();
    assert_eq!(one.send(b"hello").unwrap(), 5);
    let mut room = [0; 10];
    assert_eq!(other.recv_until(&mut room, soon()).unwrap(), 5);
    assert_eq!(errno(other.try_recv(&mut room)), libc::EAGAIN);
    assert_eq!(errno(other.recv_until(&mut room, shortly())), libc::ETIMEDOUT);
    one.shutdown(Shutdown::Sending).unwrap();
    assert_eq!(other.recv(&mut room).unwrap(), 0);
    says(one.send(b"x"), libc::EPIPE, "gone");
    let (packets, _other) = Stream::pair_of_packets().unwrap();
    says(packets.send(b"x"), libc::ENOTSUP, "send_message");
    says(packets.send_message(b""), libc::EINVAL, "empty");
}

/// Both ends of a connection over TCP.
fn tcp_pair() -> (Stream, Stream) {
    let server = Listener::bind(&address("tcp:127.0.0.1:0")).unwrap();
    (Stream::connect(server.address()).unwrap(), server.accept().unwrap())
}

#[test]
fn sizes() {
    let sizes = [0, 1, 3, 4, 65_535, 65_536, 1 << 20, MESSAGE_LIMIT];
    for (one, other) in [Stream::pair().unwrap(), tcp_pair()] {
        let sender = fork(|| {
            sizes.iter().for_each(|&size| one.send_message_until(&vec![size as u8; size], soon()).unwrap());
            0
        });
        for size in sizes {
            let data = other.recv_message_until(soon()).unwrap().unwrap().data;
            assert!(data.len() == size && data.iter().all(|&byte| byte == size as u8));
        }
        sender.succeeds();
        says(one.send_message(&vec![0; MESSAGE_LIMIT + 1]), libc::EMSGSIZE, "limit is 16777216");
        assert_eq!(other.recv(&mut []).unwrap(), 0);
    }
}

/// One byte after the other, and each time nothing is there: what has come is kept.
#[test]
fn byte_by_byte() {
    let (one, other) = Stream::pair().unwrap();
    for &byte in b"\0\0\0\x03abc" {
        assert_eq!(errno(other.try_recv_message()), libc::EAGAIN);
        one.send(&[byte]).unwrap();
    }
    assert_eq!(text(&other), "abc");
}

#[test]
fn timeout() {
    let directory = Directory::new("timeout");
    let server = Listener::options().backlog(1).bind(&unix(&directory, "s")).unwrap();
    assert_eq!(errno(server.try_accept()), libc::EAGAIN);
    says(server.accept_until(shortly()), libc::ETIMEDOUT, "accept at unix:/");
    // The backlog is full after two.
    let mut clients = Vec::new();
    let full = loop {
        match Stream::connect_until(server.address(), shortly()) {
            Ok(client) => clients.push(client),
            Err(error) => break error,
        }
        assert!(clients.len() < 10);
    };
    assert_eq!(full.errno(), libc::ETIMEDOUT);
    let stream = server.accept_until(soon()).unwrap();
    assert_eq!(errno(stream.try_recv_message()), libc::EAGAIN);
    says(stream.recv_message_until(shortly()), libc::ETIMEDOUT, "receive a message from");
    let much = vec![0; 1 << 20];
    assert_eq!(errno(clients[0].try_send_message(&much)), libc::EAGAIN);
    says(clients[0].send_message_until(&much, shortly()), libc::ETIMEDOUT, "send the same message again");
}

#[test]
fn interrupted() {
    alone(|| {
        with_alarms();
        let (one, _other) = Stream::pair().unwrap();
        says(one.recv_message(), libc::EINTR, "a signal handler ran");
        says(one.send_message(&vec![0; 1 << 20]), libc::EINTR, "bytes are out");
        let server = Listener::bind(&address("tcp:127.0.0.1:0")).unwrap();
        assert_eq!(errno(server.accept()), libc::EINTR);
        assert_eq!(errno(Datagram::pair().unwrap().0.recv()), libc::EINTR);
    });
}

/// Sent again until it succeeds, a message arrives once; received again, nothing is lost.
#[test]
fn a_half_message_goes_on() {
    let (one, other) = Stream::pair().unwrap();
    let much: Vec<u8> = (0..3_000_000u32).map(|at| (at % 251) as u8).collect();
    says(one.send_message_until(&much, shortly()), libc::ETIMEDOUT, "of 3000004 bytes are out");
    says(one.send_message(b"another"), libc::EBUSY, "another message, of 3000000 bytes, is half sent");
    says(one.try_send_message(&vec![0; much.len()]), libc::EBUSY, "half sent");
    says(one.send(b"bytes"), libc::EBUSY, "half sent");
    assert_eq!(errno(other.recv_message_until(shortly())), libc::ETIMEDOUT);
    says(other.try_recv(&mut [0; 10]), libc::EBUSY, "half received");
    let mut tries = 0;
    let got = loop {
        tries += 1;
        match (one.try_send_message(&much), other.try_recv_message()) {
            (Ok(()), received) => break received.ok().flatten(),
            (Err(error), Err(other)) => assert_eq!((error.errno(), other.errno()), (libc::EAGAIN, libc::EAGAIN)),
            (Err(_), Ok(_)) => panic!("it came before it was sent"),
        }
    };
    let got = got.or_else(|| other.recv_message_until(soon()).unwrap()).unwrap();
    assert!(tries > 2 && got.data == much);
    assert_eq!(errno(other.try_recv_message()), libc::EAGAIN, "it came once");
    one.send_message(b"another").unwrap();
    assert_eq!(text(&other), "another");
}

/// Large messages of several threads don't mix, though each is many pieces.
#[test]
fn mpmc() {
    const EACH: usize = 20;
    let (one, other) = Stream::pair().unwrap();
    std::thread::scope(|scope| {
        for sender in 0..4u8 {
            let one = &one;
            scope.spawn(move || {
                (0..EACH).for_each(|_| one.send_message_until(&vec![sender; 500_000], soon()).unwrap());
            });
        }
        let receive = || {
            for _ in 0..EACH * 2 {
                let message = other.recv_message_until(soon()).unwrap().unwrap();
                assert!(message.data.len() == 500_000 && message.data.iter().all(|&byte| byte == message.data[0]));
            }
        };
        scope.spawn(receive);
        scope.spawn(receive);
    });
}

#[test]
fn an_absurd_length_is_refused() {
    let (one, other) = Stream::pair().unwrap();
    one.send(b"\xff\xff\xff\xffGET / HTTP/1.1").unwrap();
    says(other.recv_message(), libc::EMSGSIZE, "announced 4294967295 bytes");
    says(other.try_recv_message(), libc::EMSGSIZE, "announced");
    let (one, other) = Stream::pair().unwrap();
    other.set_message_limit(10);
    one.send_message(b"0123456789").unwrap();
    one.send_message(b"0123456789a").unwrap();
    assert_eq!(text(&other), "0123456789");
    says(other.recv_message(), libc::EMSGSIZE, "limit is 10");
}

#[test]
fn a_buffer_too_small() {
    for (one, other) in [Stream::pair().unwrap(), Stream::pair_of_packets().unwrap()] {
        one.send_message(b"0123456789").unwrap();
        let little = Wanted { bytes: 9, ..Wanted::default() };
        let error = other.recv_message_with(little, soon()).unwrap_err();
        assert_eq!((error.errno(), error.length()), (libc::E2BIG, 10));
        assert_eq!(text(&other), "0123456789");
    }
}

#[test]
fn the_end() {
    let (one, other) = Stream::pair().unwrap();
    one.send_message(b"last").unwrap();
    one.send(b"\0\0\0\x09part").unwrap();
    drop(one);
    assert_eq!(text(&other), "last");
    says(other.recv_message(), libc::ECONNRESET, "within a message");
    // SAFETY: no memory is passed.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    says(other.send_message(b"to nobody"), libc::EPIPE, "gone");
}

/// No SIGPIPE, however the process has it.
#[test]
fn nobody_dies() {
    alone(|| {
        // SAFETY: no memory is passed.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        for (one, other) in [Stream::pair().unwrap(), Stream::pair_of_packets().unwrap()] {
            drop(other);
            assert_eq!(errno(one.send_message(b"x")), libc::EPIPE);
        }
        let (one, other) = Datagram::pair().unwrap();
        drop(other);
        assert_eq!(errno(one.send(b"x")), libc::ECONNREFUSED);
    });
}

/// A server killed leaves a file; the next one takes it over, but not a living one's.
#[test]
fn a_stale_file_is_reclaimed() {
    let directory = Directory::new("stale");
    for address in [unix(&directory, "s"), unix(&directory, "p").packets()] {
        let bound = Checkpoint::default();
        let server = fork(|| {
            let _server = Listener::bind(&address).unwrap();
            bound.reach();
            loop {
                std::thread::park();
            }
        });
        bound.wait();
        says(Listener::bind(&address), libc::EADDRINUSE, "somebody listens there");
        says(
            Datagram::bind(&unix(&directory, address.path().unwrap().to_str().unwrap())),
            libc::EADDRINUSE,
            "somebody listens",
        );
        let path = address.path().unwrap();
        let before = std::fs::metadata(path).unwrap().ino();
        server.kill();
        says(Stream::connect(&address), libc::ECONNREFUSED, "nobody listens");
        says(Listener::options().reclaim(false).bind(&address), libc::EADDRINUSE, "a file of that name");
        assert_eq!(std::fs::metadata(path).unwrap().ino(), before);
        let next = Listener::bind(&address).unwrap();
        Stream::connect(&address).unwrap();
        drop(next);
        assert!(!path.exists());
    }
}

#[test]
fn of_servers_that_race_one_wins() {
    let directory = Directory::new("race");
    for round in 0..20 {
        let address = unix(&directory, "s");
        // Left by one that was killed.
        fork(|| {
            std::mem::forget(Listener::bind(&address).unwrap());
            0
        })
        .succeeds();
        assert!(address.path().unwrap().exists());
        let (go, done, end) = (Checkpoint::default(), Checkpoint::default(), Checkpoint::default());
        let racers: Vec<_> = (0..4)
            .map(|_| {
                fork(|| {
                    go.wait();
                    let bound = Listener::bind(&address);
                    done.reach();
                    end.wait();
                    match bound {
                        Ok(_) => 1,
                        Err(error) if error.errno() == libc::EADDRINUSE => 2,
                        Err(error) => panic!("{error}"),
                    }
                })
            })
            .collect();
        racers.iter().for_each(|_| go.reach());
        racers.iter().for_each(|_| done.wait());
        Stream::connect(&address).expect("the winner listens");
        racers.iter().for_each(|_| end.reach());
        let mut codes: Vec<_> = racers.into_iter().map(|racer| racer.wait_for(WATCHDOG)).collect();
        codes.sort_unstable();
        assert_eq!(codes, [1, 2, 2, 2], "round {round}");
    }
    assert_eq!(std::fs::read_dir(&*directory).unwrap().count(), 0, "nothing is left");
}

#[test]
fn what_is_no_socket_stays() {
    let directory = Directory::new("no-socket");
    std::fs::write(directory.join("file"), "precious").unwrap();
    std::os::unix::fs::symlink("nowhere", directory.join("link")).unwrap();
    for name in ["file", "link"] {
        says(Listener::bind(&unix(&directory, name)), libc::EADDRINUSE, "no socket");
    }
    assert_eq!(std::fs::read_to_string(directory.join("file")).unwrap(), "precious");
    says(Listener::bind(&unix(&directory, "none/s")), libc::ENOENT, "no such directory");
    says(Listener::bind(&unix(&directory, "s/")), libc::EINVAL, "no file name");
    says(Stream::connect(&unix(&directory, "none")), libc::ENOENT, "is the server running?");
    assert_eq!(std::fs::read_dir(&*directory).unwrap().count(), 2, "nothing is left");
}

/// The mode is exact, whatever the umask.
#[test]
fn its_mode() {
    let directory = Directory::new("mode");
    std::fs::set_permissions(&*directory, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    alone(|| {
        for umask in [0, 0o077, 0o777] {
            // SAFETY: no memory is passed; the child has one thread.
            unsafe { libc::umask(umask) };
            for mode in [0o600, 0o666, 0o640] {
                let _server = Listener::options().mode(mode).bind(&unix(&directory, "s")).unwrap();
                let found = std::fs::metadata(directory.join("s")).unwrap();
                assert!(found.file_type().is_socket());
                assert_eq!(found.mode() & 0o7777, mode);
            }
        }
    });
    let server = Listener::bind(&unix(&directory, "mine")).unwrap();
    let open = Listener::options().mode(0o666).bind(&unix(&directory, "open")).unwrap();
    let got = as_nobody(|| errno(Stream::connect(server.address())));
    assert_eq!(got, libc::EACCES);
    assert_eq!(as_nobody(|| Stream::connect(open.address()).map_or_else(|error| error.errno(), |_| 0)), 0);
    assert_eq!(as_nobody(|| errno(Listener::bind(&unix(&directory, "theirs")))), libc::EACCES);
    says(Listener::options().mode(0o1777).bind(&unix(&directory, "x")), libc::EINVAL, "permission bits");
}

/// Both the directory's path and the file's name may be longer than a sockaddr_un.
#[test]
fn long_names() {
    let directory = Directory::new("long");
    let deep = directory.join("d".repeat(120)).join("e".repeat(120));
    std::fs::create_dir_all(&deep).unwrap();
    for name in ["s".to_owned(), "n".repeat(200)] {
        let address = unix(&deep, &name);
        let server = Listener::bind(&address).unwrap();
        assert_eq!(errno(Listener::bind(&address)), libc::EADDRINUSE);
        assert_eq!(errno(server.try_accept()), libc::EAGAIN, "it has seen nothing of that");
        fork(|| {
            Stream::connect(&address).unwrap().send_message(b"far").unwrap();
            0
        })
        .succeeds();
        assert_eq!(text(&server.accept_until(soon()).unwrap()), "far");
        drop(server);
        let server = Datagram::bind(&address).unwrap();
        Datagram::connect(&address).unwrap().send(b"one").unwrap();
        Datagram::bind(&unix(&directory, "x")).unwrap().send_to(b"two", &address).unwrap();
        assert_eq!((server.recv().unwrap().data, server.recv().unwrap().data), (b"one".to_vec(), b"two".to_vec()));
    }
    says(Listener::bind(&unix(&directory, &"n".repeat(300))), libc::ENAMETOOLONG, "too long");
    says(Listener::bind(&address(format!("unix:@{}", "n".repeat(108)))), libc::ENAMETOOLONG, "107 bytes");
}

#[test]
fn a_forked_child_takes_no_file_away() {
    let directory = Directory::new("forked");
    let server = Listener::bind(&unix(&directory, "s")).unwrap();
    let path = directory.join("s");
    fork(move || {
        drop(server);
        0
    })
    .succeeds();
    // The parent's own was moved into the closure, which ran only in the child; here it went with the call.
    assert!(!path.exists());
    let server = Listener::bind(&unix(&directory, "s")).unwrap();
    let address = server.address().clone();
    let child = fork(|| {
        // SAFETY: a copy, of which the child drops one; it leaves by _exit.
        drop(unsafe { std::ptr::read(&raw const server) });
        0
    });
    child.succeeds();
    assert!(path.exists());
    Stream::connect(&address).unwrap();
}

#[test]
fn an_address_in_use() {
    for text in ["tcp:127.0.0.1:0", "tcp:[::1]:0", &format!("unix:@{}", Name::new("used"))] {
        let server = Listener::bind(&address(text)).unwrap();
        let same = server.address().clone();
        says(Listener::bind(&same), libc::EADDRINUSE, "somebody has it");
        // A port that a connection lingers on is free again at once.
        let client = Stream::connect(&same).unwrap();
        let served = server.accept().unwrap();
        drop((served, server));
        Listener::bind(&same).unwrap();
        drop(client);
    }
    says(Listener::bind(&address("udp:127.0.0.1:0")), libc::EINVAL, "Datagram");
    says(Stream::connect(&address("udp:127.0.0.1:1")), libc::EINVAL, "Datagram");
    says(Listener::bind(&address("tcp:192.0.2.1:0")), libc::EADDRNOTAVAIL, "no interface");
    let gone = Listener::bind(&address("tcp:127.0.0.1:0")).unwrap().address().clone();
    says(Stream::connect(&gone), libc::ECONNREFUSED, "nobody listens");
}

#[test]
fn another_kind() {
    let directory = Directory::new("kind");
    let _server = Listener::bind(&unix(&directory, "s")).unwrap();
    says(Stream::connect(&unix(&directory, "s").packets()), libc::EPROTOTYPE, "another kind");
    says(Datagram::bind(&unix(&directory, "s")), libc::EADDRINUSE, "somebody listens");
}

#[test]
fn addresses() {
    for text in [
        "unix:/run/x",
        "unix:x",
        "unix:@x",
        "packet:@x y",
        "packet:./@x",
        "tcp:127.0.0.1:80",
        "tcp:[::1]:0",
        "udp:0.0.0.0:9",
    ] {
        assert_eq!(address(text).to_string(), text);
    }
    assert!(address("tcp:localhost:80").socket_addr().unwrap().ip().is_loopback());
    for (text, words) in [
        ("/run/x", "begins with \"unix:\""),
        ("http://x", "begins with"),
        ("unix:", "give it a path"),
        ("unix:@", "give it a path"),
        ("unix:a\0b", "NUL"),
        ("tcp:127.0.0.1", "HOST:PORT"),
        ("tcp::80", "HOST:PORT"),
        ("tcp:127.0.0.1:99999", "HOST:PORT"),
        ("tcp:no.such.host.invalid:80", "the host isn't found"),
    ] {
        says(text.parse::<Address>(), libc::EINVAL, words);
    }
    assert_eq!(Address::unix("@x").to_string(), "unix:./@x");
}

/// A file and a pipe, to a process that could not open either.
#[test]
fn descriptors() {
    let directory = Directory::new("fds");
    std::fs::write(directory.join("file"), "what is in it").unwrap();
    for (one, other) in [Stream::pair().unwrap(), Stream::pair_of_packets().unwrap()] {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let child = fork(|| {
            let message = other.recv_message_with(Wanted { fds: 2, ..Wanted::default() }, soon()).unwrap().unwrap();
            assert!(message.data == b"two" && message.fds.len() == 2 && !message.fds_lost);
            let mut fds = message.fds.into_iter().map(File::from);
            for expected in ["what is in it", "through the pipe"] {
                let mut file = fds.next().unwrap();
                // SAFETY: no memory is passed.
                assert_eq!(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETFD) }, libc::FD_CLOEXEC);
                let mut found = vec![0; expected.len()];
                file.read_exact(&mut found).unwrap();
                assert_eq!(found, expected.as_bytes());
            }
            0
        });
        let file = File::open(directory.join("file")).unwrap();
        one.send_message_with(b"two", &[file.as_fd(), reader.as_fd()], soon()).unwrap();
        drop((file, reader));
        writer.write_all(b"through the pipe").unwrap();
        child.succeeds();
    }
}

/// What nobody asked for is closed, and what was asked for is all that one gets.
#[test]
fn descriptors_that_nobody_wants() {
    alone(|| {
        for (one, other) in [Stream::pair().unwrap(), Stream::pair_of_packets().unwrap()] {
            other.pass_credentials(true).unwrap();
            let three = [one.as_fd(), other.as_fd(), one.as_fd()];
            let before = open_descriptors();
            for wanted in [0, 1, 2] {
                one.send_message_with(b"x", &three, soon()).unwrap();
                let wanted_fds = Wanted { fds: wanted, ..Wanted::default() };
                let message = other.recv_message_with(wanted_fds, soon()).unwrap().unwrap();
                assert_eq!((message.fds.len(), message.fds_lost, open_descriptors()), (wanted, true, before + wanted));
            }
            assert_eq!(open_descriptors(), before);
            other.pass_credentials(false).unwrap();
            one.send_message_with(b"x", &three, soon()).unwrap();
            let message = other.recv_message_until(soon()).unwrap().unwrap();
            assert!(message.fds_lost && open_descriptors() == before);
            says(one.send_message_with(b"x", &vec![one.as_fd(); 254], soon()), libc::EINVAL, "at most 253");
        }
        let server = Listener::bind(&address("tcp:127.0.0.1:0")).unwrap();
        let client = Stream::connect(server.address()).unwrap();
        says(client.send_message_with(b"x", &[client.as_fd()], soon()), libc::EINVAL, "only over Unix sockets");
    });
}

/// Each message says who sent it, also when the connection was handed on.
#[test]
fn credentials() {
    for (one, other) in [Stream::pair().unwrap(), Stream::pair_of_packets().unwrap()] {
        other.pass_credentials(true).unwrap();
        let child = fork(|| {
            one.send_message(b"mine").unwrap();
            0
        });
        let id = child.id();
        let message = other.recv_message_until(soon()).unwrap().unwrap();
        let sender = message.sender.unwrap();
        // SAFETY: no memory is passed.
        assert_eq!((sender.pid, sender.uid, sender.gid), unsafe { (id, libc::getuid(), libc::getgid()) });
        assert_eq!(other.peer().unwrap().pid, std::process::id() as i32, "who made the pair");
        child.succeeds();
    }
    let (one, other) = Stream::pair().unwrap();
    one.send_message(b"too early").unwrap();
    other.pass_credentials(true).unwrap();
    assert_eq!(other.recv_message().unwrap().unwrap().sender, None);
    let server = Listener::bind(&address("tcp:127.0.0.1:0")).unwrap();
    let client = Stream::connect(server.address()).unwrap();
    says(client.peer(), libc::ENOTSUP, "only Unix sockets");
    says(client.pass_credentials(true), libc::ENOTSUP, "only Unix sockets");
}

#[test]
fn the_peers_pidfd() {
    let server = Listener::bind(&address(format!("unix:@{}", Name::new("pidfd")))).unwrap();
    let end = Checkpoint::default();
    let client = fork(|| {
        let _stream = Stream::connect(server.address()).unwrap();
        end.wait();
        0
    });
    let stream = server.accept_until(soon()).unwrap();
    let process = match stream.peer_pidfd() {
        Ok(fd) => madang::signal::Process::from(fd),
        Err(error) => return assert_eq!(error.errno(), libc::ENOTSUP, "{error}"),
    };
    assert_eq!(errno(process.try_wait()), libc::EAGAIN);
    end.reach();
    process.wait_until(soon()).unwrap();
    client.succeeds();
}

#[test]
fn datagrams() {
    let directory = Directory::new("datagram");
    let name = Name::new("datagram");
    for to in
        [unix(&directory, "d"), address(format!("unix:@{name}")), address("udp:127.0.0.1:0"), address("udp:[::1]:0")]
    {
        let server = Datagram::bind(&to).unwrap();
        let client = fork(|| {
            let client = Datagram::connect(server.address()).unwrap();
            client.send(b"ping").unwrap();
            assert_eq!(client.recv_until(soon()).unwrap().data, b"pong");
            client.send(b"").unwrap();
            0
        });
        let message = server.recv_until(soon()).unwrap();
        assert_eq!(message.data, b"ping");
        server.send_to(b"pong", &message.address.unwrap()).unwrap();
        assert_eq!(server.recv_until(soon()).unwrap().data, b"");
        client.succeeds();
        assert_eq!(errno(server.try_recv()), libc::EAGAIN);
        assert_eq!(errno(server.recv_until(shortly())), libc::ETIMEDOUT);
        let client = Datagram::connect(server.address()).unwrap();
        client.send(b"0123456789").unwrap();
        let little = Wanted { bytes: 9, ..Wanted::default() };
        assert_eq!(server.recv_with(little, soon()).unwrap_err().length(), 10);
        assert_eq!(server.recv_until(soon()).unwrap().data, b"0123456789");
    }
    assert_eq!(std::fs::read_dir(&*directory).unwrap().count(), 0, "the files are gone");
    says(Datagram::bind(&address("tcp:127.0.0.1:0")), libc::EINVAL, "datagrams are for unix: and udp:");
}

#[test]
fn datagrams_wait_for_room() {
    let directory = Directory::new("room");
    let server = Datagram::bind(&unix(&directory, "d")).unwrap();
    let (to, connected) = (server.address(), Datagram::connect(server.address()).unwrap());
    let free = Datagram::bind(&unix(&directory, "other")).unwrap();
    while connected.try_send(b"x", None).is_ok() {}
    assert_eq!(errno(connected.send_with(b"x", &[], None, shortly())), libc::ETIMEDOUT);
    assert_eq!(errno(free.try_send(b"x", Some(to))), libc::EAGAIN);
    assert_eq!(errno(free.send_with(b"x", &[], Some(to), shortly())), libc::ETIMEDOUT);
    let waiting = fork(|| free.send_with(b"at last", &[], Some(to), soon()).map_or(1, |()| 0));
    waiting.wait_until_asleep();
    while server.recv_until(soon()).unwrap().data != b"at last" {}
    waiting.succeeds();
    says(free.send(b"x"), libc::ENOTCONN, "send");
    says(free.send_to(b"x", &unix(&directory, "none")), libc::ENOENT, "no such socket");
    says(free.send_to(b"x", &address("udp:127.0.0.1:1")), libc::EINVAL, "begin as unix:");
    says(connected.send(&vec![0; 1 << 20]), libc::EMSGSIZE, "as one");
}

#[test]
fn descriptors_over_datagrams() {
    let (one, other) = Datagram::pair().unwrap();
    other.pass_credentials(true).unwrap();
    let (reader, mut writer) = std::io::pipe().unwrap();
    one.send_with(b"x", &[reader.as_fd()], None, soon()).unwrap();
    let mut message = other.recv_with(Wanted { fds: 1, ..Wanted::default() }, soon()).unwrap();
    assert_eq!(message.sender.unwrap().pid, std::process::id() as i32);
    drop(reader);
    writer.write_all(b"hello").unwrap();
    let mut found = [0; 5];
    File::from(message.fds.remove(0)).read_exact(&mut found).unwrap();
    assert_eq!(&found, b"hello");
}

/// An inherited descriptor is a stream again.
#[test]
fn taken_over() {
    let (one, other) = Stream::pair().unwrap();
    let again = Stream::from_fd(OwnedFd::from(one)).unwrap();
    again.send_message(b"hello").unwrap();
    assert_eq!(text(&other), "hello");
    // What was set stays so.
    other.pass_credentials(true).unwrap();
    let other = Stream::from_fd(OwnedFd::from(other)).unwrap();
    again.send_message_with(b"x", &[again.as_fd()], soon()).unwrap();
    let message = other.recv_message_with(Wanted { fds: 1, ..Wanted::default() }, soon()).unwrap().unwrap();
    assert_eq!((message.fds.len(), message.fds_lost), (1, false));
    assert_eq!(message.sender.unwrap().pid, std::process::id() as i32);
    says(Stream::from_fd(OwnedFd::from(File::open("/dev/null").unwrap())), libc::ENOTSOCK, "take a connection over");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    says(Stream::from_fd(OwnedFd::from(listener)), libc::EINVAL, "isn't connected");
}

/// Each descriptor is close-on-exec, and none is left.
#[test]
fn descriptors_dont_leak() {
    let directory = Directory::new("leak");
    alone(|| {
        let before = open_descriptors();
        {
            let server = Listener::bind(&unix(&directory, "s")).unwrap();
            let (client, served) = (Stream::connect(server.address()).unwrap(), server.accept().unwrap());
            let (datagram, pair) = (Datagram::bind(&unix(&directory, "d")).unwrap(), Stream::pair().unwrap());
            let tcp = Listener::bind(&address("tcp:127.0.0.1:0")).unwrap();
            let _ = Listener::bind(server.address()).unwrap_err();
            let _ = Stream::connect(&unix(&directory, "none")).unwrap_err();
            let held = [client.as_fd(), served.as_fd(), datagram.as_fd(), pair.0.as_fd(), tcp.as_fd(), server.as_fd()];
            for fd in held {
                // SAFETY: no memory is passed.
                assert_eq!(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFD) }, libc::FD_CLOEXEC);
            }
            // The two with a file hold its directory.
            assert_eq!(open_descriptors(), before + 9);
        }
        assert_eq!(open_descriptors(), before);
    });
}
