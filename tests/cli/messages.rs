//! `send` and `recv`.

use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
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
        &["recv", "q", "--type", "any"],
        &["recv", "q", "--except", "0"],
        &["recv", "q", "--except", "-3"],
        &["recv", "q", "--except", "3", "--type", "0"],
        &["peek", "q", "--position", "-1"],
        &["peek", "q", "--count", "0"],
        &["peek", "q", "--count", "3", "--all"],
        &["trim"],
        &["send", "q", "--dead-letters", "failed", "x"],
        &["send", "q", "--dead-letters", "failed:0", "x"],
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

/// What can't be written goes back to its place.
#[test]
fn a_full_disk() {
    let madang = Madang::new();
    madang.run(["send", "q", "--type", "4", "1", "2", "3"]).well();
    for amount in ["--count=1", "--all"] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut command = madang.command(["recv", "q", amount]);
        let child = command.stdin(Stdio::null()).stdout(full).stderr(Stdio::piped()).spawn().unwrap();
        crate::command::Running(child).end().says(1, "write to standard output: no space left on device (ENOSPC)");
    }
    let expected = [(4, "1", Some(2)), (4, "2", Some(1)), (4, "3", Some(1))];
    assert_eq!(all(&madang, "q"), expected.map(|(mtype, data, redelivered)| (mtype, data.to_owned(), redelivered)));
}

/// Receives all: type, data, how often it was handed out before.
fn all(madang: &Madang, queue: &str) -> Vec<(i64, String, Option<u64>)> {
    let done = madang.run(["recv", queue, "--all", "--json"]).well();
    let message = |line: &str| {
        let json: serde_json::Value = serde_json::from_str(line).unwrap();
        (json["type"].as_i64().unwrap(), json["data"].as_str().unwrap().to_owned(), json["redelivered"].as_u64())
    };
    done.text().lines().map(message).collect()
}

/// Of a group, what was written is done with, the rest goes back, also what was half written.
#[test]
fn a_disk_that_becomes_full() {
    const LIMIT: u64 = 1 << 40;
    let madang = Madang::new();
    madang.run(["send", "q", "one", "two", "three", "four"]).well();
    let path = madang.directory.join("out");
    let file = File::options().create_new(true).append(true).open(&path).unwrap();
    if file.set_len(LIMIT - 10).is_err() {
        return println!("no file of a tebibyte here");
    }
    // The shell's own files are short.
    let script = "trap '' XFSZ; ulimit -f 2147483648 && exec \"$0\" recv q --all";
    let mut shell = Command::new("sh");
    shell.args(["-c", script, env!("CARGO_BIN_EXE_madang")]).env("MADANG_DIR", &*madang.directory);
    let child = shell.stdin(Stdio::null()).stdout(file).stderr(Stdio::piped()).spawn().unwrap();
    crate::command::Running(child).end().says(1, "(EFBIG)");
    let mut written = [0; 10];
    File::open(&path).unwrap().read_exact_at(&mut written, LIMIT - 10).unwrap();
    assert_eq!(&written, b"one\ntwo\nth");
    assert_eq!(all(&madang, "q"), [(1, "three".to_owned(), Some(1)), (1, "four".to_owned(), Some(1))]);
}

/// A lease wants memory, which is what somebody who empties a queue may be short of.
#[test]
fn no_memory_for_a_lease() {
    let place = madang_tests::Directory::new("tiny");
    let script = "mount -t tmpfs -o size=400k none \"$MADANG_DIR\" || exit 77
        \"$0\" send q one two three && head -c 1M /dev/zero > \"$MADANG_DIR/fill\" 2> /dev/null
        \"$0\" recv q && \"$0\" recv q --all > /dev/full 2> /dev/null || exec \"$0\" recv q --all";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_madang")]).env("MADANG_DIR", &*place);
    let done = finish(&mut command, b"");
    if done.status == 77 || !done.err.is_empty() {
        return println!("may not mount: {}", done.err);
    }
    assert_eq!(done.well().text(), "one\nthree\ntwo\n", "what can't go back to its place goes behind the others");
}

/// Killed while it prints: nothing is lost.
#[test]
fn killed() {
    let madang = Madang::new();
    let large = "x".repeat(100_000);
    madang.given(["send", "q"], format!("first\n{large}\nlast\n").as_bytes()).well();
    let receiver = madang.start(["recv", "q", "--all"]);
    let leased = || madang.run(["stat", "q", "--json"]).well().json()["leased"].as_u64().unwrap();
    wait_until(|| leased() > 0);
    receiver.wait_until_asleep();
    receiver.signal(libc::SIGKILL);
    assert_eq!(receiver.end().status, -libc::SIGKILL);
    let came = all(&madang, "q");
    assert_eq!(came.len(), 3);
    assert_eq!(came[0], (1, "first".to_owned(), Some(1)));
    assert_eq!(came[1], (1, large, Some(1)));
    assert_eq!((came[2].1.as_str(), held(&madang, "q")), ("last", 0));
}

#[test]
fn of_some_types() {
    let madang = Madang::new();
    let send = || {
        for mtype in ["3", "5", "2", "5", "9"] {
            madang.run(["send", "q", "--type", mtype, mtype]).well();
        }
    };
    for (arguments, came, left) in [
        (&["--type", "0"][..], "3\n5\n2\n5\n9\n", ""),
        (&["--type", "5"], "5\n5\n", "3\n2\n9\n"),
        (&["-t", "-5"], "2\n3\n5\n5\n", "9\n"),
        (&["--type=-2"], "2\n", "3\n5\n5\n9\n"),
        (&["--type", "-9223372036854775808"], "2\n3\n5\n5\n9\n", ""),
        (&["--except", "5"], "3\n2\n9\n", "5\n5\n"),
    ] {
        send();
        let done = finish(madang.command(["recv", "q", "--all"]).args(arguments), b"").well();
        assert_eq!(done.text(), came, "{arguments:?}");
        let rest = madang.run(["recv", "q", "--all"]);
        assert_eq!(rest.text(), left, "{arguments:?}");
    }
    send();
    madang.run(["recv", "q", "--type", "7", "--timeout", "0"]).says(3, "there is no message (EAGAIN)");
    assert_eq!(madang.run(["recv", "q", "-t", "9"]).well().text(), "9\n");
    let waits = madang.start(["recv", "q", "--type", "7"]);
    waits.wait_until_asleep();
    madang.run(["send", "q", "--type", "7", "it came"]).well();
    assert_eq!(waits.end().well().text(), "it came\n");
    assert_eq!(held(&madang, "q"), 4);
}

/// More than go together, of all lengths, to one who is slow.
#[test]
fn groups() {
    let madang = Madang::new();
    let mut random = Random(7);
    let lines: Vec<_> = (0..3000).map(|_| "l".repeat(1 << (random.draw() % 14)) + "\n").collect();
    let all = lines.concat();
    let sender = thread::scope(|scope| {
        let sender = scope.spawn(|| madang.given(["send", "q", "--capacity", "30000"], all.as_bytes()));
        let done = madang.run(["recv", "q", "--create", "--count", "1000", "--timeout", "5"]).well();
        assert_eq!(done.text(), lines[..1000].concat());
        let done = madang.run(["recv", "q", "--count", "2000", "--timeout", "5"]).well();
        assert_eq!(done.text(), lines[1000..].concat());
        sender.join().unwrap()
    });
    sender.well();
    // Messages of which nothing is printed.
    madang.given(["send", "q"], "\n".repeat(1000).as_bytes()).well();
    assert_eq!(madang.run(["recv", "q", "--all", "--bare"]).well().out, b"");
    assert_eq!(held(&madang, "q"), 0);
}

/// What is sent together counts one by one.
#[test]
fn lines_until_something_comes_in_the_way() {
    let madang = Madang::new();
    let done = madang.given(["send", "q", "--max-messages", "3", "--timeout", "0.01"], b"1\n2\n3\n4\n5\n");
    assert!(done.says(3, "(ETIMEDOUT)").err.ends_with("madang: 3 messages sent before that\n"));
    assert_eq!(madang.run(["recv", "q", "--all"]).well().text(), "1\n2\n3\n");
    let bad = "{\"data\": \"1\"}\n{\"data\": \"2\"}\n{\"type\": -1, \"data\": \"3\"}\n{\"data\": \"4\"}\n";
    let done = madang.given(["send", "q", "--json"], bad.as_bytes()).says(1, "type is greater than 0 (EINVAL)");
    assert!(done.err.ends_with("madang: 2 messages sent before that\n") && !done.err.contains(" of 4"), "{}", done.err);
    assert_eq!(madang.run(["recv", "q", "--all"]).well().text(), "1\n2\n");
    let done = madang.run(["send", "s", "--capacity", "3", "abc", "abcd"]).says(1, "(EMSGSIZE)");
    assert!(done.err.ends_with("madang: 1 message sent before that\n"), "{}", done.err);
}

#[test]
fn peeking() {
    let madang = Madang::new();
    madang.run(["peek", "q"]).says(4, "there is no queue \"q\"");
    madang.given(["send", "q"], b"").well();
    madang.run(["peek", "q", "--all"]).says(3, "no message at position 0 (EAGAIN)");
    let large = "l".repeat(10_000);
    madang.run(["send", "q", "--type", "3", "one", "two", &large, "four"]).well();
    for (arguments, came) in [
        (&[][..], "one\n".to_owned()),
        (&["--position", "1"], "two\n".to_owned()),
        (&["-p", "1", "-n", "2", "--null"], format!("two\0{large}\0")),
        (&["--count", "100"], format!("one\ntwo\n{large}\nfour\n")),
        (&["--position", "3", "--all", "--bare"], "four".to_owned()),
        (&["--json"], "{\"type\":3,\"sequence\":0,\"length\":3,\"data\":\"one\"}\n".to_owned()),
    ] {
        assert_eq!(finish(madang.command(["peek", "q"]).args(arguments), b"").well().text(), came, "{arguments:?}");
    }
    madang.run(["peek", "q", "--position", "4"]).says(3, "no message at position 4 (EAGAIN)");
    assert_eq!(madang.run(["peek", "q", "--raw"]).well().out.len(), 19);
    assert_eq!(held(&madang, "q"), 4);
    // What was skipped comes before the others, and stays in order.
    madang.run(["send", "q", "--type", "4", "five"]).well();
    madang.run(["recv", "q", "--type", "4"]).well();
    assert_eq!(madang.run(["peek", "q", "--position", "1"]).well().text(), "two\n");
}

#[test]
fn dead_letters() {
    let madang = Madang::new();
    madang.run(["send", "q", "--dead-letters", "failed:2", "poison", "well"]).well();
    for _ in 0..2 {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let child = madang.command(["recv", "q"]).stdout(full).stderr(Stdio::piped()).spawn().unwrap();
        assert_eq!(crate::command::Running(child).end().status, 1);
    }
    assert_eq!(madang.run(["recv", "q", "--all"]).well().text(), "well\n");
    assert_eq!(madang.run(["recv", "failed", "--all"]).well().text(), "poison\n");
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

/// While it writes to somebody who doesn't read, the second Ctrl-C ends it, and the message comes again.
#[test]
fn interrupted_twice() {
    let madang = Madang::new();
    madang.given(["send", "q", "--bare", "--capacity", "4M"], &bytes(2 << 20)).well();
    let receiver = madang.start(["recv", "q", "--bare"]);
    wait_until(|| madang.run(["stat", "q", "--json"]).json()["leased"] == 1);
    receiver.wait_until_asleep();
    // Two that come at once may be one.
    wait_until(|| {
        receiver.signal(libc::SIGINT);
        madang_tests::state(receiver.pid()) == 'Z'
    });
    assert_eq!(receiver.end().status, -libc::SIGINT);
    let json = madang.run(["recv", "q", "--json"]).well().json();
    assert_eq!((json["length"].as_u64(), json["redelivered"].as_u64()), (Some(2 << 20), Some(1)));
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
