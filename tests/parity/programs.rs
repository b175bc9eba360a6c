//! Programs that nobody here wrote, as they are, served by the drop-in: each must pass just as it does with the kernel. Where one isn't
//! there, its test says so, loudly: .ci/run installs them, and `tests/parity/get-programs` gets what is no package.

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use crate::c_library::{succeed, top};
use crate::drop_in::Place;

/// Says past cargo, which would keep it to itself, that a test is skipped.
fn skip(test: &str, missing: &str) {
    let _ = writeln!(std::io::stderr(), "parity::programs::{test}: SKIPPED: there is no {missing}");
}

fn is_installed(program: &str) -> bool {
    Command::new("sh").args(["-c", &format!("command -v {program}")]).output().is_ok_and(|said| said.status.success())
}

/// What `get-programs` got.
fn got(what: &str) -> Option<PathBuf> {
    let there = top().join("build/programs").join(what);
    there.join(".whole").exists().then_some(there)
}

/// Runs it, and makes sure that it was us who served it, and that nothing stays.
fn run(place: &Place, command: &mut Command) -> String {
    let changed = || std::fs::metadata(place.path()).unwrap().modified().unwrap();
    let before = changed();
    place.serve(command);
    let said = succeed(command);
    assert!(changed() > before, "it made nothing here: who served it?\n{said}");
    // Some remove their objects when they are told to end, and nobody waits for that.
    for _ in 0..100 {
        if place.files().is_empty() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(place.files(), Vec::<String>::new(), "left behind:\n{said}");
    said
}

#[test]
fn sysv_ipc() {
    let Some(package) = got("sysv_ipc") else { return skip("sysv_ipc", "sysv_ipc: run tests/parity/get-programs") };
    let mut tests = Command::new("timeout");
    tests.arg("60").arg(package.join("venv/bin/python"));
    tests.args(["-m", "unittest", "discover", "-t", ".", "-s", "tests"]).current_dir(package);
    run(&Place::new("sysv-ipc"), &mut tests);
}

#[test]
fn stress_ng() {
    if !is_installed("stress-ng") {
        return skip("stress_ng", "stress-ng");
    }
    for stressor in ["msg", "sem-sysv", "shm-sysv"] {
        let place = Place::new("stress");
        let mut stress = Command::new("timeout");
        stress.args(["60", "stress-ng", &format!("--{stressor}"), "2", "--verify", "--timeout", "3"]);
        place.serve(&mut stress);
        let output = stress.current_dir(place.path()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        let failed = said.lines().any(|line| line.contains("fail:") || line.contains("error:"));
        assert!(output.status.success() && !failed, "{stressor}: {}\n{said}", output.status);
    }
}

/// fakeroot wraps the C library's calls, and sends messages to its daemon from inside; it runs as a user who isn't root.
#[test]
fn fakeroot_builds_a_package() {
    for program in ["fakeroot-sysv", "dpkg-deb", "setpriv"] {
        if !is_installed(program) {
            return skip("fakeroot_builds_a_package", program);
        }
    }
    let place = Place::new("fakeroot");
    let folder = tempdir();
    let build = r#"
        set -e
        mkdir -p "$1/package/DEBIAN" "$1/package/usr/bin"
        printf 'Package: hello\nVersion: 1\nArchitecture: all\nMaintainer: A <a@example.org>\nDescription: none\n' \
            >"$1/package/DEBIAN/control"
        echo hello >"$1/package/usr/bin/hello"
        chown 12:34 "$1/package/usr"
        mknod "$1/package/usr/null" c 1 3
        dpkg-deb --build "$1/package" "$1/hello.deb" >/dev/null
        dpkg-deb --contents "$1/hello.deb" | sed 's/ 20.* / /'
    "#;
    let mut fakeroot = Command::new("timeout");
    fakeroot.args(["60", "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]);
    fakeroot.args(["fakeroot-sysv", "sh", "-c", build, "sh"]).arg(&folder.0);
    // Where the program that it starts can be read by that user.
    let library = folder.0.join("libmadang-sysv.so");
    std::fs::copy(crate::drop_in::library(), &library).unwrap();
    place.serve(&mut fakeroot);
    fakeroot.env("LD_PRELOAD", &library).current_dir("/");
    let said = succeed(&mut fakeroot);
    assert!(said.contains("root/root") && said.contains("crw-r--r-- root/root       1,3 ./usr/null"), "{said}");
    assert!(said.lines().any(|line| line.starts_with("drwxr-xr-x 12/") && line.ends_with("./usr/")), "{said}");
}

/// A folder in which everybody may write.
struct Folder(PathBuf);

fn tempdir() -> Folder {
    use std::os::unix::fs::PermissionsExt;
    let folder = std::env::temp_dir().join(format!("madang-parity-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    Folder(folder)
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Perl's own tests of its functions, and those of its IPC::SysV.
#[test]
fn perl() {
    let Some(source) = got("perl") else { return skip("perl", "source of perl: run tests/parity/get-programs") };
    if !is_installed("prove") {
        return skip("perl", "prove");
    }
    let suites = [
        ("t", &["io/msg.t", "io/sem.t", "io/shm.t"][..]),
        ("cpan/IPC-SysV", &["t/ipcsysv.t", "t/msg.t", "t/sem.t", "t/shm.t"]),
    ];
    for (folder, tests) in suites {
        let mut prove = Command::new("timeout");
        prove.args(["60", "prove"]).args(tests).current_dir(source.join(folder));
        let said = run(&Place::new("perl"), &mut prove);
        assert!(said.contains("Result: PASS") && !said.contains("skipped"), "{said}");
    }
}
