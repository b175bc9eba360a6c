//! `doctor`, on machines that have everything.

use std::fs;
use std::os::unix::fs::FileExt;
use std::process::Command;

use madang_tests::Directory;
use serde_json::Value;

use crate::command::{Done, Madang, finish};

/// A machine of files.
struct Machine {
    madang: Madang,
    root: Directory,
}

impl Machine {
    /// One with a real /dev/shm, so that there is a tmpfs; queues lie there too, in a directory of the test's own.
    fn new() -> Self {
        let root = Directory::new("root");
        fs::create_dir(root.join("dev")).unwrap();
        std::os::unix::fs::symlink("/dev/shm", root.join("dev/shm")).unwrap();
        Self { madang: Madang::new(), root }
    }

    fn file(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.madang.command(["doctor", "--root"]);
        command.arg(&*self.root).args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Done {
        finish(&mut self.command(arguments), b"")
    }

    /// What it finds, without what every one of these machines has: queues outside of a tmpfs, a small /dev/shm.
    fn finds(&self) -> Vec<Value> {
        let done = self.run(&["--json"]);
        let told = done.json();
        let findings = told["findings"].as_array().unwrap();
        let problems = findings.iter().filter(|finding| finding["level"] == "problem").count();
        assert_eq!((told["problems"].as_u64(), told["ok"] == true), (Some(problems as u64), problems == 0));
        assert_eq!((done.status, &*done.err), (i32::from(problems > 0), ""));
        for finding in findings {
            let says = |what: &str| finding[what].as_str().unwrap().len() > 3;
            assert!(["what", "why", "do", "id"].into_iter().all(says), "{finding}");
        }
        let usual = ["dir-not-tmpfs", "space-small", "space-full"];
        findings.iter().filter(|finding| !usual.contains(&finding["id"].as_str().unwrap())).cloned().collect()
    }

    /// Level and id of what it finds.
    fn ids(&self) -> Vec<String> {
        let id =
            |finding: &Value| format!("{} {}", finding["level"].as_str().unwrap(), finding["id"].as_str().unwrap());
        self.finds().iter().map(id).collect()
    }
}

#[test]
fn all_is_well() {
    let machine = Machine::new();
    assert_eq!(machine.ids(), [""; 0]);
    let mut command = machine.command(&[]);
    let done = finish(command.env("MADANG_DIR", "/dev/shm").arg("--json"), b"");
    // Others' queues may lie there, and it may be small; the form is what matters.
    assert!(done.status <= 1 && done.json()["findings"].is_array(), "{done:?}");
}

#[test]
fn for_people() {
    let machine = Machine::new();
    let done = machine.run(&[]);
    let text = done.text();
    let is_tmpfs = !text.contains("is not a tmpfs");
    assert_eq!(done.status, i32::from(text.contains("PROBLEM")), "{text}");
    assert!(is_tmpfs || text.contains("PROBLEM: "), "{text}");
    assert!(is_tmpfs || (text.contains("\n  why: ") && text.contains("\n  do:  mount -t tmpfs ")), "{text}");
    assert!(text.contains("/dev/shm has ") && text.ends_with("are free.\n"), "{text}");
}

#[test]
fn no_shared_memory() {
    let machine = Machine::new();
    fs::remove_file(machine.root.join("dev/shm")).unwrap();
    assert_eq!(machine.ids(), ["problem shm-missing"]);
    let mut command = machine.command(&["--json"]);
    let done = finish(command.env("MADANG_DIR", "/nonexistent/madang"), b"");
    assert!(done.text().contains("\"dir-missing\""), "{done:?}");
    let mut command = machine.command(&["--json"]);
    let done = finish(command.env("MADANG_DIR", "relative"), b"");
    assert!(done.text().contains("\"dir-relative\"") && done.status == 1, "{done:?}");
}

/// A small file system, and a full one, of this test's own.
#[test]
fn a_small_one_and_a_full_one() {
    let machine = Machine::new();
    let place = Directory::new("small");
    let in_small = |fill: &str| {
        let mut command = Command::new("unshare");
        let script = format!("mount -t tmpfs -o size=4m none \"$PLACE\" || exit 77; {fill}; exec \"$@\"");
        command.args(["--mount", "sh", "-c", &script, "sh", env!("CARGO_BIN_EXE_madang"), "doctor", "--json"]);
        command.args(["--root".as_ref(), machine.root.as_os_str()]).env("PLACE", &*place).env("MADANG_DIR", &*place);
        finish(&mut command, b"")
    };
    let done = in_small("true");
    if done.status == 77 || !done.err.is_empty() {
        return println!("may not mount: {}", done.err);
    }
    assert!(done.status == 1 && done.text().contains("\"space-small\""), "{done:?}");
    let done = in_small("head -c 3800000 /dev/zero > \"$PLACE/fill\"");
    assert!(done.status == 1 && done.text().contains("\"space-full\""), "{done:?}");
}

#[test]
fn systemd_that_removes_what_users_leave() {
    let machine = Machine::new();
    machine.file("etc/systemd/logind.conf", "[Login]\nRemoveIPC=yes\n");
    assert_eq!(machine.ids(), [""; 0], "systemd doesn't run");
    fs::create_dir_all(machine.root.join("run/systemd/system")).unwrap();
    // As root it is a note: root's objects are spared.
    assert!(machine.ids()[0].ends_with(" remove-ipc"));
    assert!(machine.finds()[0]["what"].as_str().unwrap().contains("RemoveIPC=yes in /etc/systemd/logind.conf"));
    machine.file("usr/lib/systemd/logind.conf.d/50-vendor.conf", "[Login]\nRemoveIPC=no\n");
    assert_eq!(machine.ids(), [""; 0], "the drop-in has the last word");
    machine.file("etc/systemd/logind.conf.d/60-local.conf", "[Login]\nRemoveIPC=1\n");
    assert!(machine.finds()[0]["what"].as_str().unwrap().contains("60-local.conf"));
    machine.file("etc/systemd/logind.conf.d/60-local.conf", "[Login]\n");
    assert_eq!(machine.ids(), [""; 0]);
    fs::remove_dir_all(machine.root.join("usr")).unwrap();
    fs::remove_dir_all(machine.root.join("etc")).unwrap();
    assert!(machine.finds()[0]["what"].as_str().unwrap().contains("RemoveIPC is not set"));
}

#[test]
fn sysctls_below_the_kernels_own_default() {
    let machine = Machine::new();
    machine.file("proc/sys/fs/inotify/max_user_instances", "128\n");
    machine.file("proc/sys/kernel/msgmnb", "16384\n");
    assert_eq!(machine.ids(), [""; 0]);
    machine.file("proc/sys/fs/inotify/max_user_instances", "8\n");
    machine.file("proc/sys/kernel/msgmnb", "nonsense\n");
    machine.file("proc/sys/kernel/shmmax", "33554432\n");
    assert_eq!(machine.ids(), ["note sysctl", "note sysctl"]);
    assert_eq!(machine.finds()[0]["do"], "sysctl -w fs.inotify.max_user_instances=128");
}

#[test]
fn limits_of_the_process() {
    let machine = Machine::new();
    let limits = |files: &str, address: &str, file: &str| {
        machine.file(
            "proc/self/limits",
            &format!(
                "Limit                     Soft Limit           Hard Limit           Units     \n\
                 Max file size             {file}               unlimited            bytes     \n\
                 Max open files            {files}              1048576              files     \n\
                 Max address space         {address}            unlimited            bytes     \n"
            ),
        );
    };
    limits("1024", "unlimited", "unlimited");
    assert_eq!(machine.ids(), [""; 0]);
    limits("64", "100000000", "1000000");
    assert_eq!(machine.ids(), ["problem limit-files", "problem limit-address-space", "problem limit-file-size"]);
}

#[test]
fn a_container_with_little_memory() {
    let machine = Machine::new();
    machine.file("sys/fs/cgroup/memory.max", "max\n");
    assert_eq!(machine.ids(), [""; 0]);
    machine.file("sys/fs/cgroup/memory.max", "1000000\n");
    assert_eq!(machine.ids(), ["note memory-limit"]);
}

#[test]
fn what_lies_there() {
    let machine = Machine::new();
    let madang = &machine.madang;
    for name in ["well", "damaged", "other", "it's"] {
        madang.run(["send", name, "x"]).well();
    }
    let patch = |name: &str, offset, bytes: &[u8]| {
        let file = fs::OpenOptions::new().write(true).open(madang.path(name)).unwrap();
        file.write_all_at(bytes, offset).unwrap();
    };
    patch("damaged", 0, b"MADANG");
    patch("other", 8, &77u32.to_ne_bytes());
    patch("it's", 0, b"MADANG");
    fs::write(madang.directory.join("madang.new.0123456789abcdef"), "").unwrap();
    let expected = ["problem left-overs", "problem damaged", "problem damaged", "problem other-layout"];
    assert_eq!(machine.ids(), expected);
    let found = machine.finds();
    assert!(found[1]["do"].as_str().unwrap().ends_with("madang rm --force damaged"), "{found:?}");
    assert!(found[2]["do"].as_str().unwrap().ends_with("madang rm --force 'it'\\''s'"), "{found:?}");
    // What it says to do is what helps.
    let script = "eval \"$GC\" && eval \"madang $ONE\" && eval \"madang $TWO\" && eval \"madang $THREE\"";
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("madang() {{ {} \"$@\"; }}; {script}", env!("CARGO_BIN_EXE_madang"))]);
    let remedy = |index: usize| found[index]["do"].as_str().unwrap().rsplit("madang ").next().unwrap().to_owned();
    shell.env("GC", found[0]["do"].as_str().unwrap()).env("MADANG_DIR", &*madang.directory);
    shell.env("ONE", remedy(1)).env("TWO", remedy(2)).env("THREE", remedy(3));
    assert_eq!(finish(&mut shell, b"").status, 0);
    assert_eq!(machine.ids(), [""; 0]);
}

#[test]
fn the_dead_are_worth_a_note() {
    let machine = Machine::new();
    machine.madang.given(["send", "q"], b"").well();
    let receiver = machine.madang.start(["recv", "q"]);
    crate::command::wait_until(|| machine.madang.run(["stat", "q", "--json"]).json()["living"] == 1);
    assert_eq!(machine.ids(), [""; 0]);
    receiver.signal(libc::SIGKILL);
    receiver.end();
    crate::command::wait_until(|| machine.ids() == ["note dead"]);
}

#[test]
fn few_places_are_left() {
    let machine = Machine::new();
    machine.madang.given(["send", "q", "--max-participants", "2"], b"").well();
    let _one = machine.madang.start(["recv", "q"]);
    crate::command::wait_until(|| machine.madang.run(["stat", "q", "--json"]).json()["living"] == 1);
    assert_eq!(machine.ids(), [""; 0]);
    let two = machine.madang.start(["recv", "q"]);
    // Before it has its place, the doctor's own handle may take it.
    two.wait_until_asleep();
    crate::command::wait_until(|| machine.ids() == ["problem no-place"]);
}
