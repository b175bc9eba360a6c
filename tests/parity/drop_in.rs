//! The drop-in library, and places for its objects.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::c_library;

/// `libmadang-sysv.so`, built as these tests are.
pub(crate) fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| c_library::build("madang-sysv").join("libmadang_sysv.so"))
}

/// Where a test's programs and files lie.
pub(crate) fn directory() -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(env!("CARGO_CRATE_NAME"));
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

/// Compiles a C program that knows nothing of madang.
pub(crate) fn compile(source: &str) -> PathBuf {
    let output = directory().join(source.trim_end_matches(".c"));
    let mut compiler = c_library::compiler("c");
    let source = c_library::top().join("tests/parity").join(source);
    compiler.args(["-std=gnu11", "-g", "-pthread", "-Wall", "-Wextra", "-Werror"]).arg(source).arg("-o").arg(&output);
    c_library::succeed(&mut compiler);
    output
}

/// A folder in shared memory like `/dev/shm`, where everybody makes objects and nobody removes others'; it goes with all that is in it.
#[derive(Debug)]
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new(what: &str) -> Self {
        use std::os::unix::fs::PermissionsExt;
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let place = Self(format!("/dev/shm/madang-parity-{what}-{}-{number}", std::process::id()).into());
        std::fs::create_dir(&place.0).unwrap();
        std::fs::set_permissions(&place.0, std::fs::Permissions::from_mode(0o1777)).unwrap();
        place
    }

    /// A program that is served from here.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        self.serve(&mut command);
        command
    }

    /// Serves a program from here.
    pub(crate) fn serve(&self, command: &mut Command) {
        command.env("LD_PRELOAD", library()).env("MADANG_DIR", &self.0);
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// What lies there.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
