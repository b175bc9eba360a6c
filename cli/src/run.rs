//! `madang run`: a program whose System V calls are served from shared memory.
//!
//! The loader is told to load `libmadang-sysv.so` first. It only warns if it can't, and the program would go on with the kernel's objects:
//! so what it would refuse is refused before.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::args::Run;
use crate::failure::{Failure, Result};

/// As env(1) has them.
const CANNOT_BEGIN: u8 = 125;
const CANNOT_RUN: u8 = 126;
const NOT_FOUND: u8 = 127;

/// As it is installed, and as cargo calls it.
const INSTALLED: &str = "libmadang-sysv.so";
const BUILT: &str = "libmadang_sysv.so";

/// How many scripts may be one another's interpreters, as the kernel has it.
const SCRIPTS: usize = 5;

pub(crate) fn run(args: &Run) -> Result<()> {
    let Some((program, arguments)) = args.program.split_first() else { unreachable!("clap asks for one") };
    let library = library().and_then(|library| Ok((Elf::of(&library)?, library)));
    let (kind, library) = library.map_err(|failure| failure.with_status(CANNOT_BEGIN))?;
    let Some(found) = find(program) else {
        let what = format!("run {program:?}: there is no such program");
        return Err(Failure::new(libc::ENOENT, what).with_status(NOT_FOUND));
    };
    check(&found, kind).map_err(|failure| failure.with_status(CANNOT_RUN))?;
    let preload = preload(&library).map_err(|failure| failure.with_status(CANNOT_BEGIN))?;
    // As found: by its name the same search could lead elsewhere.
    let mut command = Command::new(&found);
    let error = command.arg0(program).args(arguments).env("LD_PRELOAD", preload).exec();
    let status = if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { CANNOT_RUN };
    Err(Failure::io(&format!("run {program:?}"), &error).with_status(status))
}

/// Where the library lies.
fn library() -> Result<PathBuf> {
    if let Some(path) = env::var_os("MADANG_SYSV_LIBRARY") {
        let path = PathBuf::from(path);
        return path.canonicalize().map_err(|error| Failure::io(&format!("MADANG_SYSV_LIBRARY: {path:?}"), &error));
    }
    let command = env::current_exe().map_err(|error| Failure::io("where this command lies", &error))?;
    let beside = command.parent().unwrap_or(Path::new("/"));
    let found = places(beside).into_iter().find(|place| place.is_file());
    let found = found.and_then(|path| path.canonicalize().ok());
    found.ok_or_else(|| {
        let lib = beside.parent().unwrap_or(beside).join("lib");
        let what =
            format!("there is no {INSTALLED} in {lib:?}: install it there, or let MADANG_SYSV_LIBRARY be its path");
        Failure::new(libc::ENOENT, what)
    })
}

/// Where it is looked for, by a command in that directory. (Some distributions have a directory for each architecture in lib.)
fn places(beside: &Path) -> Vec<PathBuf> {
    let above = beside.parent().unwrap_or(beside);
    let below = fs::read_dir(above.join("lib")).into_iter().flatten().flatten().map(|entry| entry.path());
    let libs = [above.join("lib"), above.join("lib64")].into_iter().chain(below);
    libs.map(|lib| lib.join(INSTALLED)).chain([beside.join(INSTALLED), beside.join(BUILT)]).collect()
}

/// The value of `LD_PRELOAD`.
fn preload(library: &Path) -> Result<OsString> {
    let mut preload = library.as_os_str().as_bytes().to_vec();
    if preload.iter().any(|byte| b": \t\n".contains(byte)) {
        let what = format!("{library:?}: the loader takes no path with a colon or a blank in it");
        return Err(Failure::new(libc::EINVAL, what));
    }
    if let Some(there) = env::var_os("LD_PRELOAD").filter(|there| !there.is_empty()) {
        preload.push(b':');
        preload.extend(there.as_bytes());
    }
    Ok(OsString::from_vec(preload))
}

/// Where execvp(3) would find the program; one that may not be run only if there is no other.
fn find(program: &OsStr) -> Option<PathBuf> {
    if program.is_empty() {
        return None;
    }
    if program.as_bytes().contains(&b'/') {
        return Some(PathBuf::from(program)).filter(|path| path.symlink_metadata().is_ok());
    }
    let path = env::var_os("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
    let all: Vec<_> =
        env::split_paths(&path).map(|directory| directory.join(program)).filter(|file| file.is_file()).collect();
    let may_run = |file: &&PathBuf| rustix::fs::access(file.as_path(), rustix::fs::Access::EXEC_OK).is_ok();
    all.iter().find(may_run).or(all.first()).cloned()
}

/// Whether the loader will load the library into it, or into its interpreter.
fn check(program: &Path, library: Elf) -> Result<()> {
    let mut program = program.to_owned();
    for _ in 0..SCRIPTS {
        let refuse = |why: &str| Err(Failure::new(libc::ENOTSUP, format!("{program:?} {why}")));
        // What isn't there, or may not be run, the kernel says.
        let Some(file) = fs::metadata(&program).ok().filter(Metadata::is_file) else { return Ok(()) };
        let mut begin = Vec::new();
        match File::open(&program).and_then(|file| file.take(2).read_to_end(&mut begin)) {
            Ok(2) if begin == b"#!" => match interpreter(&program) {
                Some(interpreter) => {
                    program = interpreter;
                    continue;
                }
                None => return Ok(()),
            },
            // It may be run, but not read; or is run by a shell.
            Err(_) | Ok(..2) => {}
            Ok(_) => match Elf::of(&program) {
                Ok(elf) if (elf.class, elf.machine) != (library.class, library.machine) => {
                    return refuse("is made for another kind of machine than the library");
                }
                Ok(elf) if !elf.has_interpreter => {
                    return refuse("is statically linked: nothing can be loaded into it, its calls go to the kernel");
                }
                _ => {}
            },
        }
        if becomes_another(&file) {
            return refuse(
                "gets another user's or group's rights by its mode: the loader loads nothing into such programs",
            );
        }
        return Ok(());
    }
    Ok(())
}

/// What a script begins with: `#!/bin/sh -e`.
fn interpreter(script: &Path) -> Option<PathBuf> {
    let mut line = Vec::new();
    BufReader::new(File::open(script).ok()?).take(256).read_until(b'\n', &mut line).ok()?;
    let path = line.strip_prefix(b"#!")?.split(u8::is_ascii_whitespace).find(|word| !word.is_empty())?;
    Some(PathBuf::from(OsStr::from_bytes(path)))
}

/// Whether running it changes whose rights it has: set-user-id and set-group-id.
fn becomes_another(file: &Metadata) -> bool {
    let (mode, uid, gid) = (file.mode(), rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    let sets_group = mode & libc::S_ISGID != 0 && mode & libc::S_IXGRP != 0;
    mode & libc::S_ISUID != 0 && file.uid() != uid || sets_group && file.gid() != gid
}

/// What is to be known of a program or library in the format ELF (elf(5)).
#[derive(Clone, Copy, Debug)]
struct Elf {
    /// 1 for 32 bits, 2 for 64.
    class: u8,
    machine: u16,
    /// Whether it names a loader: it is dynamically linked.
    has_interpreter: bool,
}

/// In a program header.
const PT_INTERP: u32 = 3;

impl Elf {
    fn of(path: &Path) -> Result<Self> {
        let read = Self::read(path).map_err(|error| Failure::io(&format!("read {path:?}"), &error))?;
        read.ok_or_else(|| {
            Failure::new(libc::ENOTSUP, format!("{path:?} is neither a program nor a library for this machine"))
        })
    }

    fn read(path: &Path) -> io::Result<Option<Self>> {
        let mut file = File::open(path)?;
        let mut header = Vec::new();
        (&mut file).take(64).read_to_end(&mut header)?;
        let is_native = header.get(5) == Some(&if cfg!(target_endian = "little") { 1 } else { 2 });
        if !header.starts_with(b"\x7fELF") || header.len() < 52 || !is_native {
            return Ok(None);
        }
        let class = header[4];
        let half = |at: usize| u16::from_ne_bytes([header[at], header[at + 1]]);
        // Where the program headers are, how long each is, how many there are.
        let (offset, length, count) = match class {
            1 => (u64::from(u32::from_ne_bytes(header[28..32].try_into().expect("4 bytes"))), half(42), half(44)),
            2 if header.len() == 64 => {
                (u64::from_ne_bytes(header[32..40].try_into().expect("8 bytes")), half(54), half(56))
            }
            _ => return Ok(None),
        };
        let mut has_interpreter = false;
        let mut kind = [0; 4];
        for index in 0..u64::from(count) {
            file.seek(SeekFrom::Start(offset.saturating_add(index * u64::from(length))))?;
            file.read_exact(&mut kind)?;
            has_interpreter |= u32::from_ne_bytes(kind) == PT_INTERP;
        }
        Ok(Some(Self { class, machine: half(18), has_interpreter }))
    }
}
