//! `rm` and `gc`.

use std::fs;

use madang::{Barrier, Condition, Event, Mutex, RwLock, SemaphoreSet};
use madang_tests::fork;
use serde_json::json;

use crate::command::{Madang, wait_until};

#[test]
fn what_has_content_goes_only_by_force() {
    let madang = Madang::new();
    madang.run(["send", "full", "1", "2"]).well();
    madang.given(["send", "empty"], b"").well();
    madang.run(["rm", "full"]).says(1, "it holds 2 messages: --force removes it all the same (EBUSY)");
    assert!(madang.path("full").exists());
    madang.run(["rm", "empty"]).well();
    madang.run(["rm", "--force", "full"]).well();
    assert_eq!(fs::read_dir(&*madang.directory).unwrap().count(), 0);
    madang.run(["rm", "full"]).says(4, "(ENOENT)");
    madang.run(["rm", "--force", "full"]).says(4, "(ENOENT)");
}

#[test]
fn what_somebody_has_open_goes_only_by_force() {
    let madang = Madang::new();
    madang.given(["send", "q"], b"").well();
    let receiver = madang.start(["recv", "q"]);
    wait_until(|| madang.run(["stat", "q", "--json"]).json()["living"] == 1);
    madang.run(["rm", "q"]).says(1, "there is 1 handle open");
    receiver.signal(libc::SIGKILL);
    receiver.end();
    wait_until(|| madang.run(["stat", "q", "--json"]).json()["living"] == 0);
    madang.run(["rm", "q"]).well();
}

#[test]
fn what_cannot_be_looked_into_goes_only_by_force() {
    let madang = Madang::new();
    fs::write(madang.path("damaged"), "nonsense").unwrap();
    madang.run(["rm", "damaged"]).says(1, "can't be looked into");
    madang.run(["rm", "-f", "damaged"]).well();
    assert!(!madang.path("damaged").exists());
}

#[test]
fn of_several_each_is_tried() {
    let madang = Madang::new();
    for name in ["a", "b", "c"] {
        madang.given(["send", name], b"").well();
    }
    madang.run(["send", "b", "x"]).well();
    let done = madang.run(["rm", "a", "b", "absent", "c"]).says(1, "rm \"b\"");
    assert_eq!(done.err.lines().count(), 2, "{}", done.err);
    assert!(madang.path("b").exists() && !madang.path("a").exists() && !madang.path("c").exists());
    assert_eq!(madang.run(["rm", "absent", "b"]).status, 4, "the first failure's");
}

#[test]
fn left_overs() {
    let madang = Madang::new();
    assert_eq!(madang.run(["gc"]).well().text(), "Nothing is left over.\n");
    let left = madang.directory.join("madang.new.0123456789abcdef");
    fs::write(&left, [1; 5000]).unwrap();
    let text = madang.run(["gc", "--dry-run"]).well().text().to_owned();
    assert!(text.starts_with("1 left-over can be removed (") && left.exists(), "{text}");
    let told = madang.run(["gc", "--dry-run", "--json"]).well().json();
    assert_eq!((&told["removed"], &told["left_overs"]["files"]), (&json!(false), &json!(1)));
    let told = madang.run(["gc", "--json"]).well().json();
    assert_eq!(
        (&told["removed"], &told["left_overs"]["files"], &told["unused"]),
        (&json!(true), &json!(1), &json!(null))
    );
    assert!(told["left_overs"]["bytes"].as_u64() >= Some(5000) && !left.exists(), "{told}");
}

#[test]
fn unused() {
    let madang = Madang::new();
    for name in ["used", "unused", "full", "another"] {
        madang.given(["send", name], b"").well();
    }
    madang.run(["send", "full", "x"]).well();
    fs::write(madang.path("damaged"), "").unwrap();
    let _receiver = madang.start(["recv", "used"]);
    wait_until(|| madang.run(["stat", "used", "--json"]).json()["living"] == 1);
    let text = madang.run(["gc", "--unused"]).well().text().to_owned();
    assert!(text.contains(":\n  another\n  unused\n--yes removes them.\n"), "{text}");
    assert!(madang.path("unused").exists());
    let told = madang.run(["gc", "--unused", "--json"]).well().json();
    assert_eq!(told["unused"], json!({"removed": [], "queues": ["another", "unused"]}));
    let told = madang.run(["gc", "--unused", "--yes", "--json"]).well().json();
    assert_eq!(told["unused"], json!({"removed": ["another", "unused"], "queues": ["another", "unused"]}));
    let kept = ["used", "full", "damaged"].map(|name| madang.path(name).exists());
    assert_eq!((kept, madang.path("unused").exists()), ([true; 3], false));
    assert!(madang.run(["gc", "--unused"]).well().text().ends_with("No queue is unused.\n"));
    assert_eq!(madang.run(["gc", "--yes"]).status, 2);

    // What msgget made is unused until somebody sends.
    madang.run(["mk", "-Q"]).well();
    let count = || fs::read_dir(&*madang.directory).unwrap().count();
    let before = count();
    assert_eq!(madang.run(["gc", "--unused", "--yes"]).well().text(), "Nothing is left over.\nNo queue is unused.\n");
    assert_eq!(count(), before);
}

/// Semaphores, locks and their like are listed, and removed by their kind.
#[test]
fn every_kind() {
    let madang = Madang::new();
    let kinds = ["semaphores", "mutex", "rwlock", "condition", "barrier", "event"];
    let made = fork(|| {
        madang.directory.becomes_madang_dir();
        drop((SemaphoreSet::open("it").unwrap(), Mutex::open("it").unwrap(), RwLock::open("it").unwrap()));
        drop((Condition::open("it").unwrap(), Barrier::open("it").unwrap(), Event::open("it").unwrap()));
        0
    });
    made.succeeds();
    let rows = madang.run(["ls", "--json"]).well().json();
    let listed: Vec<_> = rows.as_array().unwrap().iter().map(|row| (&row["kind"], &row["error"])).collect();
    assert_eq!(listed, kinds.map(|kind| (json!(kind), json!(null))).iter().map(|(a, b)| (a, b)).collect::<Vec<_>>());
    for kind in kinds {
        madang.run(["rm", "--kind", kind, "it"]).well();
        madang.run(["rm", "--kind", kind, "it"]).says(4, "(ENOENT)");
    }
    assert_eq!(madang.run(["ls", "--json"]).well().json(), json!([]));
}
