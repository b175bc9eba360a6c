//! The file systems in which objects lie: that they are there, in memory, large enough, and not full.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat, statfs};
use rustix::io::Errno;

use super::{Finding, Machine};
use crate::objects::{SHM, directory};
use crate::text::{self, size};

/// What containers get that nobody asked for more: 64 MiB.
const SMALL: u64 = 64 << 20;
/// The magic numbers of tmpfs and ramfs (statfs(2)).
const IN_MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58f6];

/// A file system, as statfs(2) tells it.
#[derive(Clone, Copy, Debug)]
struct Space {
    is_in_memory: bool,
    /// 0 where it has no limit of its own.
    total: u64,
    free: u64,
    /// Files that can still be made; `None` where that has no limit.
    files: Option<u64>,
}

impl Space {
    fn of(path: &Path) -> Result<Self, Errno> {
        let found = statfs(path)?;
        let unit = found.f_bsize as u64;
        Ok(Self {
            is_in_memory: IN_MEMORY.contains(&(found.f_type as u64 & 0xffff_ffff)),
            total: found.f_blocks.saturating_mul(unit),
            free: found.f_bavail.saturating_mul(unit),
            files: Some(found.f_ffree).filter(|_| found.f_files > 0),
        })
    }
}

/// Where objects lie, and where that is on the machine that is looked at.
fn places(machine: &Machine) -> Vec<(PathBuf, PathBuf)> {
    let mut places = vec![(PathBuf::from(SHM), machine.path(SHM))];
    // As it is: it is said in the environment, and not found on the machine.
    let queues = directory();
    if queues != Path::new(SHM) {
        places.push((queues.clone(), queues));
    }
    places
}

pub(super) fn check(machine: &Machine) -> Vec<Finding> {
    places(machine).iter().flat_map(|(name, path)| check_place(name, path)).collect()
}

/// What is well, in a sentence.
pub(super) fn summary(machine: &Machine) -> String {
    let sentence = |(name, path): &(PathBuf, PathBuf)| {
        let Ok(Space { total, free, .. }) = Space::of(path) else { return String::new() };
        format!("{} has {}, of which {} are free.", shown(name), size(total), size(free))
    };
    places(machine).iter().map(sentence).collect::<Vec<_>>().join(" ")
}

fn shown(name: &Path) -> String {
    text::name(&name.display().to_string()).into_owned()
}

fn check_place(name: &Path, path: &Path) -> Vec<Finding> {
    let is_shm = name == Path::new(SHM);
    if !name.is_absolute() {
        return vec![Finding::problem(
            "dir-relative",
            format!("MADANG_DIR is {:?}, not an absolute path", name.display().to_string()),
            "Programs started in different directories would not find each other's queues, so opening one fails (EINVAL).",
            "export MADANG_DIR=/dev/shm, or unset MADANG_DIR",
        )];
    }
    let name = shown(name);
    let found = match Space::of(path) {
        Err(Errno::NOENT | Errno::NOTDIR) => return vec![missing(&name, is_shm)],
        Err(error) => {
            return vec![Finding::problem(
                "dir-unreadable",
                format!("{name} can't be looked at: {error}"),
                "Nothing can be made or opened there.",
                format!("ls -ld {name}   to see who may"),
            )];
        }
        Ok(found) => found,
    };
    let mut findings = check_space(&name, is_shm, found);
    if !path.is_dir() {
        findings = vec![missing(&name, is_shm)];
    } else if accessat(CWD, path, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS).is_err() {
        findings.push(Finding::problem(
            "dir-not-writable",
            format!("This user may not make files in {name}"),
            "Creating a queue or segment fails (EACCES, EROFS).",
            if is_shm {
                "chmod 1777 /dev/shm".to_owned()
            } else {
                format!("chmod 1777 {name}   (or make the user its owner)")
            },
        ));
    }
    findings
}

fn missing(name: &str, is_shm: bool) -> Finding {
    let why = "Nothing can be made or opened there (ENOENT).";
    let (id, remedy) = if is_shm {
        ("shm-missing", "mkdir /dev/shm && mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs /dev/shm".to_owned())
    } else {
        ("dir-missing", format!("mkdir {name}, or unset MADANG_DIR"))
    };
    Finding::problem(id, format!("There is no directory {name}"), why, remedy)
}

fn larger(name: &str, is_shm: bool) -> String {
    if is_shm {
        "mount -o remount,size=1G /dev/shm\n\
         docker, podman: run with --shm-size=1g; compose: shm_size: 1gb\n\
         Kubernetes: mount an emptyDir with medium: Memory at /dev/shm"
            .to_owned()
    } else {
        format!("mount -o remount,size=1G {name}   (if it is a tmpfs of its own)")
    }
}

fn check_space(name: &str, is_shm: bool, space: Space) -> Vec<Finding> {
    let Space { is_in_memory, total, free, files } = space;
    let mut findings = Vec::new();
    if !is_in_memory {
        findings.push(Finding::problem(
            if is_shm { "shm-not-tmpfs" } else { "dir-not-tmpfs" },
            format!("{name} is not a tmpfs"),
            "The kernel writes what lies there to a disk, time and again; messages get slow, and left-overs outlive a reboot.",
            if is_shm {
                "mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs /dev/shm".to_owned()
            } else {
                format!("mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs {name}, or export MADANG_DIR=/dev/shm")
            },
        ));
    }
    // Without a limit of its own there is nothing to be short of.
    if total > 0 && free < (total / 10).clamp(1 << 20, 1 << 30) {
        findings.push(Finding::problem(
            "space-full",
            format!("{name} is nearly full: {} of {} are free", size(free), size(total)),
            "Sending, and creating queues and segments, fails when it is full (ENOSPC).",
            format!(
                "madang gc --unused && madang ls --segments   and remove what isn't needed: madang rm NAME\n{}",
                larger(name, is_shm)
            ),
        ));
    } else if total > 0 && total <= SMALL && is_in_memory {
        findings.push(Finding::problem(
            "space-small",
            format!("{name} is small: {}, of which {} are free", size(total), size(free)),
            "A queue takes memory as it is used; when that is all, sending fails (ENOSPC). Containers get 64 MiB unless told otherwise.",
            larger(name, is_shm),
        ));
    }
    if files.is_some_and(|files| files < 10) {
        findings.push(Finding::problem(
            "files-full",
            format!("In {name} hardly any more files can be made"),
            "Each queue and segment is one; creating another fails (ENOSPC), though there may be space.",
            format!("madang ls --segments   and remove what isn't needed, or: mount -o remount,nr_inodes=100k {name}"),
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const WELL: Space = Space { is_in_memory: true, total: 8 << 30, free: 7 << 30, files: Some(1000) };

    fn ids(space: Space) -> Vec<&'static str> {
        check_space("/dev/shm", true, space).iter().map(|finding| finding.id).collect()
    }

    #[test]
    fn each_lack_is_found() {
        assert!(ids(WELL).is_empty());
        assert!(ids(Space { total: 0, free: 0, files: None, ..WELL }).is_empty(), "no limits");
        assert_eq!(ids(Space { is_in_memory: false, ..WELL }), ["shm-not-tmpfs"]);
        assert_eq!(ids(Space { total: 64 << 20, free: 60 << 20, ..WELL }), ["space-small"]);
        assert_eq!(ids(Space { total: 64 << 20, free: 6 << 20, ..WELL }), ["space-full"]);
        assert_eq!(ids(Space { free: 100 << 20, ..WELL }), ["space-full"]);
        assert_eq!(ids(Space { total: 1 << 40, free: 2 << 30, ..WELL }), [""; 0], "enough, be it a small part");
        assert_eq!(ids(Space { files: Some(3), ..WELL }), ["files-full"]);
    }
}
