//! Which processes have a file open or mapped: what POSIX objects don't tell of themselves. So far as this user may look: of other users'
//! processes only root is told.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;

/// A file: its device and inode.
pub(super) type Identity = (u64, u64);

pub(super) fn identity(file: &Metadata) -> Identity {
    (file.dev(), file.ino())
}

/// Who has what open or mapped.
#[derive(Debug, Default)]
pub(super) struct Users(BTreeMap<Identity, BTreeSet<i32>>);

impl Users {
    /// Looks for who uses these files. This process doesn't count.
    pub(super) fn of(files: impl IntoIterator<Item = Identity>) -> Self {
        let mut users = Self(files.into_iter().map(|file| (file, BTreeSet::new())).collect());
        if users.0.is_empty() {
            return users;
        }
        let me = std::process::id().cast_signed();
        let pid = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
        let all = fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(pid);
        for pid in all.filter(|&pid| pid != me) {
            users.look_at(pid);
        }
        users
    }

    /// The processes that use this one, the lowest number first.
    pub(super) fn get(&self, file: Identity) -> Vec<i32> {
        self.0.get(&file).into_iter().flatten().copied().collect()
    }

    fn look_at(&mut self, pid: i32) {
        let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let open = open.filter_map(|entry| fs::metadata(entry.path()).ok()).map(|file| identity(&file));
        let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
        for file in open.chain(maps.lines().filter_map(mapped)) {
            if let Some(users) = self.0.get_mut(&file) {
                users.insert(pid);
            }
        }
    }
}

/// The file in a line of `/proc/PID/maps`: `7f0..-7f1.. rw-s 00000000 00:19 42 /dev/shm/frame`.
fn mapped(line: &str) -> Option<Identity> {
    let mut words = line.split_ascii_whitespace().skip(3);
    let (major, minor) = words.next()?.split_once(':')?;
    let number = |text| u32::from_str_radix(text, 16).ok();
    let device = rustix::fs::makedev(number(major)?, number(minor)?);
    Some((device, words.next()?.parse().ok()?))
}
