//! The C library, for tests that compile against it: built as these tests are, with the names that the linker and the
//! loader ask for.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// What gcc and clang find wrong with our C is an error.
pub(crate) const WARNINGS: &[&str] = &["-Wall", "-Wextra", "-Wpedantic", "-Werror"];

/// The repository.
pub(crate) fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository")
}

/// Where cargo builds. A test is told so; a program lies in it, with its profile between.
fn target() -> PathBuf {
    let program = std::env::current_exe().expect("this program");
    let told = option_env!("CARGO_TARGET_TMPDIR").map_or(program.parent().expect("target/release"), Path::new);
    told.parent().expect("target").to_owned()
}

/// A directory with `libmadang.so`, `libmadang.so.0` and `libmadang.a`, for `-L` and `-rpath`; and this test's own files.
pub(crate) fn directory() -> &'static Path {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| {
        let built = build("madang-capi");
        let directory = target().join("tmp").join(env!("CARGO_CRATE_NAME"));
        std::fs::create_dir_all(&directory).unwrap();
        for (name, target) in [("so", "so"), ("so.0", "so"), ("a", "a")] {
            let link = directory.join(format!("libmadang.{name}"));
            let _ = std::fs::remove_file(&link);
            std::os::unix::fs::symlink(built.join(format!("libmadang.{target}")), link).unwrap();
        }
        directory
    })
}

/// Builds a package, and says where its libraries lie. Cargo has given its lock back when tests run.
pub(crate) fn build(package: &str) -> PathBuf {
    let target = target();
    let (profile, flags): (_, &[&str]) =
        if cfg!(debug_assertions) { ("debug", &[]) } else { ("release", &["--release"]) };
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--package", package, "--target-dir"]).arg(&target).args(flags);
    succeed(cargo.current_dir(top()));
    target.join(profile)
}

/// `cc`, or `c++` for C++, or what the environment says, with our headers.
pub(crate) fn compiler(language: &str) -> Command {
    let (variable, usual) = if language == "c++" { ("CXX", "c++") } else { ("CC", "cc") };
    let mut compiler = Command::new(std::env::var_os(variable).unwrap_or_else(|| usual.into()));
    compiler.arg(format!("-I{}", top().join("include").display()));
    compiler
}

/// Compiles `source` into a program that finds the library, with `flags` besides.
pub(crate) fn compile(source: &Path, program: &str, flags: &[&str]) -> PathBuf {
    // Under a name of its own first: another thread may run what this one makes anew.
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let (output, number) = (directory().join(program), NUMBER.fetch_add(1, Ordering::Relaxed));
    let new = directory().join(format!("{program}.{}.{number}", std::process::id()));
    let library = directory().display();
    let mut compiler = compiler("c");
    compiler.args(["-std=c11", "-g", "-pthread"]).args(WARNINGS).args(flags).arg(source).arg("-o").arg(&new);
    compiler.arg(format!("-L{library}")).arg("-lmadang").arg(format!("-Wl,-rpath,{library}"));
    succeed(&mut compiler);
    std::fs::rename(new, &output).unwrap();
    output
}

/// Runs it to the end, and returns what it printed.
pub(crate) fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}{err}", output.status);
    out.into_owned()
}
