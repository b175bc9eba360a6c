//! `send` and `recv`.

use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};
use std::thread;

use madang_tests::Random;

use crate::command::{Madang, finish, wait_until};

/// How many messages the queue holds.
fn held(madang: &Madang, queue: &str) -> u64 {
    madang.run(["stat", queue, "--json"]).well().json()["messages"].as_u64().unwrap()
}

fn bytes(length: usize) -> Vec<u8> {
    let mut random = Random(length as u64);
    (0..length).map(|_| random.draw() as u8).collect()
}

#[test]
fn arguments_and_lines() {
    let madang = Madang::new();
    madang.run(["send", "q", "two teas", "", "--", "-x"]).well();
    madang.given(["send", "q", "--type", "7"], b"a line\n\nlast, without an end").well();
    let expected = "two teas\n\n-x\na line\n\nlast, without an end\n";
    assert_eq!(madang.run(["recv", "q", "--count", "6"]).well().text(), expected);
    assert_eq!(held(&madang, "q"), 0);
}

#[test]
fn an_argument_of_any_bytes() {
    let madang = Madang::new();
    let message = std::ffi::OsStr::from_bytes(b"\xff\xfe");
    finish(&mut madang.command([std::ffi::OsStr::new("send"), "q".as_ref(), message]), b"").well();
    assert_eq!(madang.run(["recv", "q", "--bare"]).well().out, b"\xff\xfe");
}

#[test]
fn nul_separated() {
    let madang = Madang::new();
    madang.given(["send", "q", "-0"], b"a\nb\0\0c").well();
    assert_eq!(madang.run(["recv", "q", "--all", "--null"]).well().out, b"a\nb\0\0c\0");
}

#[test]
fn raw_there_and_back() {
    let madang = Madang::new();
    let record =
        |mtype: i64, data: &[u8]| [&mtype.to_le_bytes()[..], &(data.len() as u64).to_le_bytes(), data].concat();
    let all = [record(1, b""), record(i64::MAX, &bytes(100_000)), record(3, b"\0\n\xff")].concat();
    madang.given(["send", "q", "--raw"], &all).well();
    assert_eq!(madang.run(["recv", "q", "--all", "--raw"]).well().out, all);
}

#[test]
fn json_there_and_back() {
    let madang = Madang::new();
    madang.run(["send", "q", "--type", "3", "two \"teas\"\n마당"]).well();
    madang.given(["send", "q", "--bare"], b"\xff\0\n").well();
    let done = madang.run(["recv", "q", "--all", "--json"]).well();
    let lines: Vec<serde_json::Value> = done.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let text = serde_json::json!({"type": 3, "sequence": 0, "length": 17, "data": "two \"teas\"\n마당"});
    let binary = serde_json::json!({"type": 1, "sequence": 1, "length": 3, "base64": "/wAK"});
    assert_eq!(lines, [text, binary]);
    madang.given(["send", "q", "--json", "--type", "5"], &[&done.out[..], b"{\"data\": \"\"}"].concat()).well();
    let again = madang.run(["recv", "q", "--all", "--raw"]).well().out;
    let types = [3i64, 1, 5].map(|mtype| mtype.to_le_bytes());
    assert_eq!((&again[..8], &again[33..41], &again[52..60]), (&types[0][..], &types[1][..], &types[2][..]));
    assert_eq!((&again[16..33], &again[49..52], again.len()), ("two \"teas\"\n마당".as_bytes(), &b"\xff\0\n"[..], 68));
}

#[test]
fn large_messages() {
    let madang = Madang::new();
    let large = bytes(5 << 20);
    madang.given(["send", "q", "--bare", "--capacity", "5M"], &large).well();
    assert_eq!(madang.run(["recv", "q", "--bare"]).well().out, large);
    madang.given(["send", "q", "--bare"], &[&large[..], b"!"].concat()).says(1, "--capacity (EMSGSIZE)");
    madang.given(["send", "q"], &vec![b'x'; (5 << 20) + 1]).says(1, "line 1 of standard input is longer");
    let line = vec![b'x'; 5 << 20];
    madang.given(["send", "q"], &[&line[..], b"\n"].concat()).well();
    assert_eq!(madang.run(["recv", "q"]).well().out.len(), (5 << 20) + 1);
}

#[test]
fn many_messages_while_another_receives() {
    let madang = Madang::new();
    madang.run(["send", "q", "--capacity", "2000", "first"]).well();
    let receiver = madang.start(["recv", "q", "--count", "20001"]);
    let lines: String = (0..20_000).map(|number| format!("{number}\n")).collect();
    let received = thread::scope(|scope| {
        let receiver = scope.spawn(|| receiver.end());
        madang.given(["send", "q"], lines.as_bytes()).well();
        receiver.join().unwrap()
    });
    assert_eq!(received.well().text(), format!("first\n{lines}"));
}

#[test]
fn nothing_there() {
    let madang = Madang::new();
    madang.run(["recv", "q"]).says(4, "there is no queue \"q\" in ");
    madang.run(["send", "q", "--no-create", "x"]).says(4, "(ENOENT)");
    madang.given(["send", "q"], b"").well();
    madang.run(["recv", "q", "--timeout", "0"]).says(3, "there is no message (EAGAIN)");
    madang.run(["recv", "q", "--timeout", "0.01"]).says(3, "no message came (ETIMEDOUT)");
    for arguments in [&["recv", "q", "--all"][..], &["recv", "q", "--follow", "--timeout", "0.01"]] {
        let done = finish(&mut madang.command(arguments), b"");
        assert_eq!((done.status, done.out.len(), &*done.err), (3, 0, ""));
    }
    madang.run(["send", "q", "1", "2"]).well();
    let done = madang.run(["recv", "q", "--count", "3", "--timeout", "0.01"]).says(3, "ETIMEDOUT");
    assert_eq!(done.text(), "1\n2\n", "what came is printed");
    madang.run(["send", "q", "1", "2"]).well();
    assert_eq!(madang.run(["recv", "q", "--follow", "--timeout", "0.01"]).well().text(), "1\n2\n");
    assert_eq!(madang.run(["recv", "new", "--create", "--timeout", "0"]).status, 3);
    assert!(madang.path("new").exists());
}

#[test]
fn full() {
    let madang = Madang::new();
    let done = madang.run(["send", "q", "--max-messages", "2", "--timeout", "0", "a", "b", "c"]);
    let done = done.says(3, "the queue is full (EAGAIN)");
    assert!(done.err.ends_with("madang: 2 messages sent before that\n"), "{}", done.err);
    madang.run(["send", "q", "--timeout", "0.01", "c"]).says(3, "(ETIMEDOUT)");
    assert_eq!(madang.run(["recv", "q", "--all"]).well().text(), "a\nb\n");
}

#[test]
fn input_that_makes_no_sense() {
    let madang = Madang::new();
    madang.given(["send", "q", "--raw"], b"abc").says(1, "ends in the midst of message 1, at byte 3 (EINVAL)");
    let cut_off = [&1u64.to_le_bytes()[..], &5u64.to_le_bytes(), b"four"].concat();
    madang.given(["send", "q", "--raw"], &cut_off).says(1, "message 1, at byte 20");
    madang.given(["send", "q", "--raw"], &[0xff; 16]).says(1, "is it in the raw form?");
    let type_0 = [0u8; 16];
    madang.given(["send", "q", "--raw"], &type_0).says(1, "a message's type is greater than 0 (EINVAL)");
    for line in
        ["nonsense", "[]", "{}", "{\"data\": \"a\", \"base64\": \"YQ==\"}", "{\"base64\": \"!\"}", "{\"data\": 5}"]
    {
        let input = format!("{{\"data\": \"well\"}}\n{line}\n");
        let done = madang.given(["send", "q", "--json"], input.as_bytes()).says(1, "line 2 of standard input");
        assert!(done.err.contains("1 message sent before that"), "{}", done.err);
    }
    let done = madang.run(["send", "q"]).well();
    assert_eq!(done.out, b"");
}

#[test]
fn it_was_typed_wrongly() {
    let madang = Madang::new();
    for arguments in [
        &["send"][..],
        &["send", "q", "--type", "0", "x"],
        &["send", "q", "--type", "-3", "x"],
        &["send", "q", "--timeout", "-1", "x"],
        &["send", "q", "--timeout", "soon", "x"],
        &["send", "q", "--capacity", "4.5M", "x"],
        &["send", "q", "--raw", "--json"],
        &["send", "q", "--raw", "x"],
        &["recv", "q", "--count", "0"],
        &["recv", "q", "--count", "3", "--follow"],
        &["recv", "q", "--all", "--timeout", "1"],
        &["nonsense"],
        &[],
    ] {
        let done = finish(&mut madang.command(arguments), b"");
        assert_eq!(done.status, 2, "{arguments:?}: {done:?}");
        assert!(done.err.contains("--help") || done.err.contains("Usage"), "{}", done.err);
    }
    assert_eq!(std::fs::read_dir(&*madang.directory).unwrap().count(), 0, "nothing was created");
}

#[test]
fn weird_names() {
    let madang = Madang::new();
    for (name, words) in [("", "the name is empty"), ("a/b", "no '/'"), ("a/..", "no '/'")] {
        madang.run(["send", name, "x"]).says(1, words);
        madang.run(["recv", name]).says(1, words);
        madang.run(["stat", name]).says(1, words);
        madang.run(["rm", name]).says(1, words);
    }
}

#[test]
fn limits_of_a_new_queue() {
    let madang = Madang::new();
    let limits = ["--capacity", "64k", "--max-messages", "10", "--max-participants", "5", "--mode", "640"];
    let mut command = madang.command(["send", "q", "x"]);
    finish(command.args(limits), b"").well();
    let stat = madang.run(["stat", "q", "--json"]).well().json();
    let told = ["capacity", "max_messages", "max_participants"].map(|what| stat[what].as_u64().unwrap());
    assert_eq!((told, stat["mode"].as_str().unwrap()), ([65_536, 10, 5], "0640"));
    madang.run(["send", "q", "--capacity", "65k", "x"]).says(1, "its capacity is 65536, 66560 was asked for");
}

/// `recv --follow | head -1`: it ends soon after its reader, though nothing more comes, and what comes later stays.
#[test]
fn a_reader_that_goes_away() {
    let madang = Madang::new();
    madang.run(["send", "q", "first"]).well();
    let mut receiver = madang.start(["recv", "q", "--follow"]);
    assert_eq!(receiver.line(), "first\n");
    receiver.wait_until_asleep();
    drop(receiver.0.stdout.take());
    let done = receiver.end();
    assert_eq!((done.status, &*done.err), (-libc::SIGPIPE, ""));
    madang.run(["send", "q", "second"]).well();
    assert_eq!(held(&madang, "q"), 1);
}

/// Nobody reads from the start: nothing is received.
#[test]
fn a_closed_pipe() {
    let madang = Madang::new();
    madang.run(["send", "q", "1", "2"]).well();
    for form in ["--json", "--raw", "--bare"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = madang.command(["recv", "q", "--all", form]);
        let child = command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        let done = crate::command::Running(child).end();
        assert_eq!((done.status, &*done.err), (-libc::SIGPIPE, ""));
    }
    assert_eq!(madang.run(["recv", "q", "--all"]).well().text(), "1\n2\n", "as they were");
    for arguments in [&["ls"][..], &["stat", "q"], &["stat", "q", "--json"], &["doctor"], &["gc"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let child = madang.command(arguments).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        let done = crate::command::Running(child).end();
        assert_eq!((done.status, &*done.err), (-libc::SIGPIPE, ""), "{arguments:?}");
    }
}

/// What can't be written goes back.
#[test]
fn a_full_disk() {
    let madang = Madang::new();
    madang.run(["send", "q", "--type", "4", "1"]).well();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let child = madang.command(["recv", "q"]).stdin(Stdio::null()).stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    crate::command::Running(child).end().says(1, "write to standard output: no space left on device (ENOSPC)");
    let message = madang.run(["recv", "q", "--json"]).well().json();
    assert_eq!((message["type"].as_i64(), message["data"].as_str()), (Some(4), Some("1")));
}

/// Ctrl-C and kill end a wait at once, as they end any command.
#[test]
fn interrupted() {
    let madang = Madang::new();
    madang.given(["send", "q"], b"").well();
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        let receiver = madang.start(["recv", "q", "--follow"]);
        // Once it takes part, its handlers are in place.
        wait_until(|| madang.run(["stat", "q", "--json"]).json()["living"] == 1);
        receiver.signal(signal);
        let done = receiver.end();
        assert_eq!((done.status, done.out.len(), &*done.err), (-signal, 0, ""));
    }
    madang.run(["send", "q", "stays"]).well();
    assert_eq!(held(&madang, "q"), 1);
}

/// As nohup does: what was ignored stays ignored.
#[test]
fn ignored_signals() {
    let madang = Madang::new();
    madang.given(["send", "q"], b"").well();
    let script = "trap '' HUP; exec \"$0\" recv q --follow";
    let mut shell = Command::new("sh");
    shell.args(["-c", script, env!("CARGO_BIN_EXE_madang")]).env("MADANG_DIR", &*madang.directory);
    let child = shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut receiver = crate::command::Running(child);
    wait_until(|| madang.run(["stat", "q", "--json"]).json()["living"] == 1);
    receiver.signal(libc::SIGHUP);
    madang.run(["send", "q", "goes on"]).well();
    assert_eq!(receiver.line(), "goes on\n");
    receiver.signal(libc::SIGTERM);
    assert_eq!(receiver.end().status, -libc::SIGTERM);
}

/// While it writes to somebody who doesn't read, the second Ctrl-C ends it.
#[test]
fn interrupted_twice() {
    let madang = Madang::new();
    madang.given(["send", "q", "--bare", "--capacity", "4M"], &bytes(2 << 20)).well();
    let receiver = madang.start(["recv", "q", "--bare"]);
    wait_until(|| held(&madang, "q") == 0);
    receiver.wait_until_asleep();
    // Two that come at once may be one.
    wait_until(|| {
        receiver.signal(libc::SIGINT);
        madang_tests::state(receiver.pid()) == 'Z'
    });
    assert_eq!(receiver.end().status, -libc::SIGINT);
}

/// A line that was typed, or came through a pipe, is sent at once.
#[test]
fn lines_are_sent_as_they_come() {
    let madang = Madang::new();
    let mut sender = madang.start(["send", "q"]);
    let mut receiver = madang.start(["recv", "q", "--follow", "--create"]);
    for line in ["one\n", "two\n"] {
        sender.write(line.as_bytes());
        assert_eq!(receiver.line(), line);
    }
    assert_eq!(sender.end().status, 0);
}

#[test]
fn another_users_queue() {
    let madang = Madang::new();
    madang.run(["send", "q", "x"]).well();
    if std::os::unix::fs::chown(madang.path("q"), Some(12_345), None).is_err() {
        return println!("only root can give files away");
    }
    madang.run(["recv", "q"]).says(1, "it belongs to user 12345");
    madang.run(["send", "q", "y", "--any-owner"]).well();
    assert_eq!(madang.run(["recv", "q", "--any-owner", "--all"]).well().text(), "x\ny\n");
}
