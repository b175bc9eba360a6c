//! Sets of semaphores in `ls`, `stat` and `rm`.

use std::fs;

use madang::{Operation, SemaphoreSet};
use madang_tests::{Child, fork};
use serde_json::json;

use crate::command::{Madang, wait_until};

/// Does `work` in a process of its own, where the set `it` of two semaphores lies in that directory.
fn with_set(madang: &Madang, work: impl FnOnce(&SemaphoreSet)) -> Child {
    fork(|| {
        madang.directory.becomes_madang_dir();
        work(&SemaphoreSet::options().values(&[3, 0]).max_value(100).max_participants(7).open("it").unwrap());
        0
    })
}

#[test]
fn listed() {
    let madang = Madang::new();
    with_set(&madang, |_| {}).succeeds();
    madang.run(["send", "orders", "two teas"]).well();
    let text = madang.run(["ls"]).well().text().to_owned();
    let lines: Vec<_> = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).collect();
    assert_eq!(lines[0][4..7], ["CAPACITY", "SEMAPHORES", "PARTICIPANTS"], "{text}");
    assert_eq!(
        (lines[1][..3].to_vec(), lines[2][..4].to_vec()),
        (vec!["queue", "orders", "1"], vec!["semaphores", "it", "2", "0"])
    );
    let rows = madang.run(["ls", "--json"]).well().json();
    let row = &rows[1];
    let expected = json!({
        "kind": "semaphores", "name": "it", "size": row["size"], "allocated": row["allocated"], "mode": "0600",
        "uid": row["uid"], "gid": row["gid"], "semaphores": 2, "max_value": 100, "living": 0, "dead": 0, "error": null,
    });
    assert_eq!(*row, expected);
}

#[test]
fn one_is_told_of() {
    let madang = Madang::new();
    let child = with_set(&madang, |set| {
        set.release(1).unwrap();
        // Until it is removed by force, nobody wakes it.
        let _ = set.operate(&[Operation::acquire(1, 50)]);
    });
    let stat = || madang.run(["stat", "--kind", "semaphores", "it", "--json"]);
    wait_until(|| {
        let done = stat();
        done.status == 0 && done.json()["semaphores"][1]["waiting_for_increase"] == 1
    });
    let told = stat().well().json();
    let path = madang.directory.join("madang.semaphores.it");
    let participants = &told["participants"];
    let expected = json!({
        "kind": "semaphores", "name": "it", "path": path.to_str().unwrap(), "max_value": 100, "max_participants": 7,
        "repairs": 0, "allocated": told["allocated"], "mode": "0600", "uid": 0, "gid": 0, "living": 1, "dead": 0,
        "semaphores": [
            {"value": 3, "last_user": 0, "waiting_for_increase": 0, "waiting_for_zero": 0},
            {"value": 1, "last_user": child.id(), "waiting_for_increase": 1, "waiting_for_zero": 0},
        ],
        "participants": participants,
    });
    assert_eq!(told, expected);
    assert_eq!((&participants[0]["pid"], &participants[0]["lives"]), (&json!(child.id()), &json!(true)));
    let text = madang.run(["stat", "--kind", "semaphores", "it"]).well().text().to_owned();
    assert!(text.starts_with(&format!("it: a set of semaphores, {}\n", path.display())), "{text}");
    assert!(
        text.contains("  semaphores   2, of values up to 100\n") && text.contains("  participants 1 of 7\n"),
        "{text}"
    );
    let second = format!("          1      1              1              0  {}\n", child.id());
    assert!(text.contains(&second) && text.ends_with("lives\n"), "{text}");

    madang.run(["rm", "--kind", "semaphores", "it"]).says(1, "there is 1 handle open");
    madang.run(["rm", "--kind", "semaphores", "--force", "it"]).well();
    madang.run(["rm", "--kind", "semaphores", "it"]).says(4, "(ENOENT)");
    madang.run(["stat", "--kind", "semaphores", "it"]).says(4, "there is no set of semaphores \"it\"");
    drop(child);
}

#[test]
fn unused_and_damaged_ones_are_removed() {
    let madang = Madang::new();
    with_set(&madang, |_| {}).succeeds();
    madang.run(["rm", "--kind", "semaphores", "it"]).well();
    let damaged = madang.directory.join("madang.semaphores.damaged");
    fs::write(&damaged, "nonsense").unwrap();
    let rows = madang.run(["ls", "--json"]).well().json();
    assert_eq!((&rows[0]["name"], &rows[0]["error"]["errno"]), (&json!("damaged"), &json!(libc::EUCLEAN)));
    madang.run(["rm", "--kind", "semaphores", "damaged"]).says(1, "can't be looked into");
    madang.run(["rm", "--kind", "semaphores", "-f", "damaged"]).well();
    assert!(!damaged.exists());
}
