//! `ls` and `stat`.

use std::fs;
use std::os::unix::fs::FileExt;

use madang_tests::Name;
use serde_json::json;

use crate::command::{Madang, wait_until};

fn patch(madang: &Madang, queue: &str, offset: u64, bytes: &[u8]) {
    fs::OpenOptions::new().write(true).open(madang.path(queue)).unwrap().write_all_at(bytes, offset).unwrap();
}

#[test]
fn an_empty_directory() {
    let madang = Madang::new();
    assert_eq!(madang.run(["ls"]).well().text(), "");
    assert_eq!(madang.run(["ls", "--json"]).well().json(), json!([]));
}

#[test]
fn a_table() {
    let madang = Madang::new();
    madang.run(["send", "orders", "two teas", "one coffee"]).well();
    madang.run(["send", "마당", "--capacity", "1536", "x"]).well();
    let text = madang.run(["ls"]).well().text().to_owned();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].starts_with("KIND   NAME    MESSAGES  BYTES  CAPACITY  PARTICIPANTS"), "{text}");
    assert!(lines[1].starts_with("queue  orders         2   18 B     1 MiB  0 "), "{text}");
    assert!(lines[2].starts_with("queue  마당           1    1 B   1.5 KiB  0 "), "{text}");
    assert!(!text.contains("TROUBLE") && lines.len() == 3, "{text}");
}

#[test]
fn as_json() {
    let madang = Madang::new();
    madang.run(["send", "orders", "two teas"]).well();
    let all = madang.run(["ls", "--json"]).well().json();
    let [orders] = &all.as_array().unwrap()[..] else { panic!("{all}") };
    let size = fs::metadata(madang.path("orders")).unwrap().len();
    let expected = json!({
        "kind": "queue", "name": "orders", "size": size, "allocated": orders["allocated"], "mode": "0600",
        "uid": orders["uid"], "gid": orders["gid"], "messages": 1, "max_messages": 65536, "bytes": 8,
        "capacity": 1 << 20, "living": 0, "dead": 0, "error": null,
    });
    assert_eq!(*orders, expected);
    assert!(orders["allocated"].as_u64().unwrap() > 0);
}

#[test]
fn what_cannot_be_used_is_shown_with_the_reason() {
    let madang = Madang::new();
    for name in ["damaged", "other", "well"] {
        madang.run(["send", name, "x"]).well();
    }
    patch(&madang, "damaged", 0, b"MADANG");
    patch(&madang, "other", 8, &77u32.to_ne_bytes());
    fs::write(madang.path("e\x1b[2J\nvil"), "").unwrap();
    let text = madang.run(["ls"]).well().text().to_owned();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].ends_with("TROUBLE") && lines.len() == 5, "{text}");
    assert!(lines[1].starts_with("queue  damaged ") && lines[1].ends_with("(EUCLEAN)"), "{text}");
    assert!(lines[2].starts_with("queue  e\\u{1b}[2J\\nvil ") && !text.contains('\x1b'), "{text}");
    assert!(lines[3].starts_with("queue  other ") && lines[3].contains("layout version 77"), "{text}");
    assert!(!lines[4].contains("(E"), "{text}");
    let json = madang.run(["ls", "--json"]).well().json();
    assert_eq!(json[0]["error"]["errno"], libc::EUCLEAN);
    assert!(json[0].get("messages").is_none(), "nothing is made up: {json}");
    madang.run(["stat", "other"]).says(1, "(EPROTO)");
    madang.run(["recv", "damaged"]).says(1, "(EUCLEAN)");
}

#[test]
fn segments_are_shown_on_demand() {
    let madang = Madang::new();
    let name = Name::new("cli-segment");
    madang::Segment::options().length(3 << 10).open(&name).unwrap();
    assert!(!madang.run(["ls"]).well().text().contains(&*name));
    let text = madang.run(["ls", "--segments"]).well().text().to_owned();
    let line = text.lines().find(|line| line.contains(&*name)).unwrap();
    assert!(line.starts_with("segment  ") && line.contains("3 KiB"), "{line}");
    let stat = madang.run(["stat", "--kind", "segment", &name, "--json"]).well().json();
    assert_eq!((stat["size"].as_u64(), stat["kind"].as_str()), (Some(3 << 10), Some("segment")));
    assert!(madang.run(["stat", "--kind", "segment", &name]).well().text().contains("length       3 KiB"));
    madang.run(["rm", "--kind", "segment", &name]).well();
    madang.run(["stat", "--kind", "segment", &name]).says(4, "no such segment");
}

#[test]
fn stat_for_people() {
    let madang = Madang::new();
    madang.run(["send", "q", "two teas", "one coffee"]).well();
    madang.run(["recv", "q"]).well();
    let text = madang.run(["stat", "q"]).well().text().to_owned();
    for line in [
        &*format!("q: a queue, {}", madang.path("q").display()),
        "  messages     1 of 65536",
        "  bytes        10 B of 1 MiB",
        "  sent         2",
        "  received     1",
        "  repairs      0",
        "  participants 0 of 1024",
    ] {
        assert!(text.lines().any(|found| found == line), "{line:?} is not in {text}");
    }
    madang.run(["stat", "absent"]).says(4, "madang ls lists those that are (ENOENT)");
}

#[test]
fn leased() {
    let madang = Madang::new();
    // More than a pipe takes.
    madang.given(["send", "q", "--bare"], &[b'x'; 100_000]).well();
    madang.run(["send", "q", "y"]).well();
    assert_eq!(madang.run(["stat", "q", "--json"]).well().json()["leased"], 0);
    let receiver = madang.start(["recv", "q"]);
    wait_until(|| madang.run(["stat", "q", "--json"]).well().json()["leased"] == 1);
    let text = madang.run(["stat", "q"]).well().text().to_owned();
    assert!(text.contains("\n  messages     2 of 65536, 1 leased\n"), "{text}");
    assert_eq!(madang.run(["peek", "q", "--all"]).well().text(), "y\n", "what is leased isn't shown");
    assert_eq!(receiver.end().well().out.len(), 100_001);
    assert!(madang.run(["stat", "q"]).well().text().contains("\n  messages     1 of 65536\n"));
}

#[test]
fn trim() {
    let madang = Madang::new();
    madang.given(["send", "q", "--bare", "--capacity", "4M"], &vec![b'x'; 4 << 20]).well();
    assert_eq!(madang.run(["trim", "q"]).well().text(), "q: 0 B given back\n");
    madang.run(["recv", "q"]).well();
    let allocated = || madang.run(["stat", "q", "--json"]).well().json()["allocated"].as_u64().unwrap();
    let before = allocated();
    let done = madang.run(["trim", "absent", "q"]).says(4, "there is no queue \"absent\"");
    let given_back = before - allocated();
    assert!(given_back > 3 << 20 && done.text().starts_with("q: 3.9 MiB given back"), "{given_back}: {done:?}");
    assert_eq!(madang.run(["trim", "q", "q"]).well().text(), "q: 0 B given back\nq: 0 B given back\n");
}

#[test]
fn participants() {
    let madang = Madang::new();
    madang.given(["send", "q"], b"").well();
    let (lives, dies) = (madang.start(["recv", "q"]), madang.start(["recv", "q"]));
    let stat = || madang.run(["stat", "q", "--json"]).well().json();
    wait_until(|| stat()["living"] == 2);
    dies.signal(libc::SIGKILL);
    wait_until(|| stat()["living"] == 1);
    let told = stat();
    assert_eq!((told["living"].as_u64(), told["dead"].as_u64()), (Some(1), Some(1)), "{told}");
    let told = told["participants"].as_array().unwrap();
    let mut pids: Vec<_> = told.iter().map(|who| (who["pid"].as_i64().unwrap(), who["lives"] == true)).collect();
    pids.sort_unstable();
    let mut expected = [(lives.pid().into(), true), (dies.pid().into(), false)];
    expected.sort_unstable();
    assert_eq!(pids, expected);
    assert!(told.iter().all(|who| who["joined_ns"].as_u64() > Some(0) && who["age_seconds"].as_f64().unwrap() < 60.0));
    let text = madang.run(["stat", "q"]).well().text().to_owned();
    assert!(
        text.contains("participants 1 of 1024, 1 dead") && text.contains(" s ago") && text.contains("dead\n"),
        "{text}"
    );
    assert!(madang.run(["ls"]).well().text().contains("1, 1 dead"));
}
