//! What `make install` puts in place is found by pkg-config and by CMake, and programs run with it, linked either way.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::c_library::{compiler, directory, succeed, top};

/// Where the packages of some distributions have it.
const LIBDIR: &str = "usr/lib/triplet";

/// Everything, installed as a packager does it: PREFIX is where it will be, DESTDIR where it is for now.
fn installed() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let root = directory().join("root");
        let _ = fs::remove_dir_all(&root);
        let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
        let mut make = Command::new("make");
        make.args(["install", "PREFIX=/usr"]).arg(format!("LIBDIR=/{LIBDIR}")).arg(format!("PROFILE={profile}"));
        make.arg(format!("DESTDIR={}", root.display())).current_dir(top());
        // As the test was built, and not as a make that called cargo has it.
        make.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap()).env_remove("MAKEFLAGS");
        succeed(&mut make);
        root
    })
}

fn library() -> PathBuf {
    installed().join(LIBDIR)
}

/// A program that tells the library's version. Written once: another test may be compiling it.
fn source() -> &'static Path {
    static SOURCE: OnceLock<PathBuf> = OnceLock::new();
    SOURCE.get_or_init(|| {
        let source = directory().join("version.c");
        let text = r#"
        #include <madang.h>
        #include <stdio.h>
        int main(void) { return printf("%d %s\n", madang_version() == MADANG_VERSION, madang_last_error()) < 0; }
        "#;
        fs::write(&source, text).unwrap();
        source
    })
}

const PRINTS: &str = "1 no call of madang has failed in this thread\n";

/// Whether there is such a program; says so aloud if not.
fn has(tool: &str) -> bool {
    let found = Command::new(tool).arg("--version").output().is_ok();
    if !found {
        // Past cargo, which would keep it to itself.
        let _ = writeln!(io::stderr(), "skipped: there is no {tool}");
    }
    found
}

fn pkg_config(flags: &[&str]) -> Vec<String> {
    let mut pkg_config = Command::new("pkg-config");
    pkg_config.env("PKG_CONFIG_PATH", library().join("pkgconfig")).env("PKG_CONFIG_SYSROOT_DIR", installed());
    succeed(pkg_config.args(flags).arg("madang")).split_whitespace().map(str::to_owned).collect()
}

#[test]
fn the_names_lead_to_each_other() {
    for (link, to) in [("libmadang.so", "libmadang.so.0"), ("libmadang.so.0", "libmadang.so.0.1.0")] {
        assert_eq!(fs::read_link(library().join(link)).unwrap(), Path::new(to));
    }
    for header in ["madang.h", "madang_sysv.h"] {
        assert!(installed().join("usr/include").join(header).is_file(), "{header}");
    }
}

/// `madang run` finds the library where it was installed, and the program's calls go where they should.
#[test]
fn run_loads_what_was_installed() {
    let dir = directory().join("objects");
    fs::create_dir_all(&dir).unwrap();
    let text = r#"
        #include <madang_sysv.h>
        #undef msgget
        #undef msgctl
        #include <stdio.h>
        #include <stdlib.h>
        int main(void)
        {
            int id = msgget(IPC_PRIVATE, 0600);
            char path[4096];
            snprintf(path, sizeof path, "%s/madang.queue.sysv.id.%08x", getenv("MADANG_DIR"), id);
            FILE *file = fopen(path, "r");
            puts(file ? "served" : "not served");
            return msgctl(id, IPC_RMID, NULL) == 0 ? 0 : 1;
        }
    "#;
    let (source, program) = (directory().join("served.c"), directory().join("served"));
    fs::write(&source, text).unwrap();
    let include = format!("-I{}", installed().join("usr/include").display());
    succeed(compiler("c").arg(&source).arg(include).arg("-o").arg(&program));
    let mut run = Command::new(installed().join("usr/bin/madang"));
    run.arg("run").arg("--").arg(&program).env("MADANG_DIR", &dir).env_remove("MADANG_SYSV_LIBRARY");
    assert_eq!(succeed(&mut run), "served\n");
}

#[test]
fn the_command_is_there_with_its_manual() {
    let usr = installed().join("usr");
    assert!(succeed(Command::new(usr.join("bin/madang")).arg("--version")).starts_with("madang "));
    let page = fs::metadata(usr.join("share/man/man1/madang-recv.1")).unwrap();
    assert_eq!(page.permissions().mode() & 0o777, 0o644);
    for completion in ["bash-completion/completions/madang", "zsh/site-functions/_madang"] {
        assert!(usr.join("share").join(completion).is_file(), "{completion}");
    }
}

#[test]
fn pkg_config_links_dynamically() {
    if has("pkg-config") {
        let program = directory().join("dynamic");
        succeed(compiler("c").arg(source()).args(pkg_config(&["--cflags", "--libs"])).arg("-o").arg(&program));
        assert_eq!(succeed(Command::new(&program).env("LD_LIBRARY_PATH", library())), PRINTS);
        assert!(succeed(Command::new("readelf").arg("--dynamic").arg(program)).contains("[libmadang.so.0]"));
    }
}

#[test]
fn pkg_config_links_statically() {
    if has("pkg-config") {
        let program = directory().join("static");
        let flags = pkg_config(&["--static", "--cflags", "--libs"]);
        succeed(compiler("c").arg("-static").arg(source()).args(flags).arg("-o").arg(&program));
        assert_eq!(succeed(&mut Command::new(program)), PRINTS);
    }
}

/// All that follows from the prefix follows it.
#[test]
fn pkg_config_moves_the_prefix() {
    if has("pkg-config") {
        let mut pkg_config = Command::new("pkg-config");
        pkg_config.env("PKG_CONFIG_PATH", library().join("pkgconfig"));
        pkg_config.args(["--define-variable=prefix=/moved", "--cflags", "--libs", "madang"]);
        assert_eq!(succeed(&mut pkg_config).trim(), "-I/moved/include -L/moved/lib/triplet -lmadang");
    }
}

/// A project of CMake's with a directory of its own.
fn project(name: &str, lists: &str) -> PathBuf {
    let project = directory().join(name);
    let _ = fs::remove_dir_all(&project);
    fs::create_dir_all(&project).unwrap();
    fs::copy(source(), project.join("version.c")).unwrap();
    fs::write(project.join("CMakeLists.txt"), lists).unwrap();
    project
}

/// Lets CMake look at a project, which finds madang in `library`.
fn configure(project: &Path, library: &Path) {
    let madang = format!("-Dmadang_DIR={}", library.join("cmake/madang").display());
    succeed(Command::new("cmake").args(["-S", ".", "-B", "build"]).arg(madang).current_dir(project));
}

/// The library's directory as one finds it where /lib leads to /usr/lib.
fn merged_library() -> PathBuf {
    let lib = installed().join("lib");
    let _ = fs::remove_file(&lib);
    symlink("usr/lib", &lib).unwrap();
    lib.join(Path::new(LIBDIR).strip_prefix("usr/lib").unwrap())
}

#[test]
fn cmake_links_both_ways() {
    if !has("cmake") {
        return;
    }
    let lists = "
        cmake_minimum_required(VERSION 3.16)
        project(example C)
        find_package(madang 0.1.0 REQUIRED)
        add_executable(dynamic version.c)
        target_link_libraries(dynamic PRIVATE madang::madang)
        add_executable(static version.c)
        target_link_libraries(static PRIVATE madang::madang-static)
        find_package(madang 0.2 QUIET)
        if(madang_FOUND)
          message(FATAL_ERROR \"0.1 is not 0.2\")
        endif()
    ";
    let project = project("both-ways", lists);
    configure(&project, &merged_library());
    succeed(Command::new("cmake").args(["--build", "build"]).current_dir(&project));
    for program in ["dynamic", "static"] {
        // CMake gives the one a path to the library; the other asks for none.
        assert_eq!(succeed(&mut Command::new(project.join("build").join(program))), PRINTS);
    }
}

#[test]
fn cmake_finds_none_of_another_word_length() {
    if has("cmake") {
        let lists = "
            cmake_minimum_required(VERSION 3.16)
            project(example C)
            find_package(madang REQUIRED)
            math(EXPR CMAKE_SIZEOF_VOID_P \"12 - ${CMAKE_SIZEOF_VOID_P}\")
            unset(madang_DIR CACHE)
            find_package(madang QUIET PATHS ${ours} NO_DEFAULT_PATH)
            if(madang_FOUND)
              message(FATAL_ERROR \"it fits no program of ${CMAKE_SIZEOF_VOID_P} bytes a pointer\")
            endif()
        ";
        let ours = library().join("cmake/madang").display().to_string();
        configure(&project("word-length", &lists.replace("${ours}", &ours)), &library());
    }
}
