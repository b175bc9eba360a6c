//! The Python that tests run programs with.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// An interpreter that has the module: the one that `MADANG_PYTHON` names, else that of `make test`.
#[must_use]
pub fn python() -> &'static PathBuf {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let top = PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository").to_owned();
        let usual = || top.join("build/venv/bin/python");
        let python = std::env::var_os("MADANG_PYTHON").map_or_else(usual, PathBuf::from);
        let imported = Command::new(&python).args(["-c", "import madang"]).stderr(Stdio::null()).status();
        let has_it = imported.is_ok_and(|status| status.success());
        assert!(has_it, "{} has no module madang: {HOW_TO_GET_IT}", python.display());
        python
    })
}

/// What to do where there is none, or another version.
pub const HOW_TO_GET_IT: &str =
    "run `make test`, which builds it for build/venv/bin/python, or set MADANG_PYTHON to an interpreter that has it";
