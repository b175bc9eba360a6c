//! A directory of objects: what is in it at a moment, and the same again elsewhere.
//!
//! What a death leaves of an object is what its names lead to: bytes, sizes, modes. Descriptors, mappings, locks, and files that have
//! no name yet go with the process. So a copy of the directory, made while the victim stands between two instructions, is what its
//! death would have left, and who opens the copy finds nobody alive in it. (Which pages of a file were taken and never written isn't
//! copied: that space is taken before it is promised is for `tests/rust/shared/hard/refused.rs` to see.)

use std::collections::BTreeMap;
use std::ffi::{CString, OsString};
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use madang_tests::Name;

/// A directory of its own in shared memory, removed with all that is in it when this goes.
pub(super) struct Place(PathBuf);

impl Place {
    pub(super) fn new() -> Self {
        let path = Path::new("/dev/shm").join(&*Name::new("torture"));
        fs::create_dir(&path).expect("a new directory");
        Self(path)
    }

    /// From now on all objects lie there: for this process, a forked child with one thread. What the directory can't be told for,
    /// segments, finds it in the place of `/dev/shm`, for which it takes a privileged user.
    pub(super) fn becomes_ours(&self) {
        let path = CString::new(self.0.to_str().expect("UTF-8")).expect("no NUL");
        let (root, shm, none) = (c"/".as_ptr(), c"/dev/shm".as_ptr(), std::ptr::null());
        // SAFETY: the caller has one thread, so its environment is its own; all strings end with NUL.
        let failed = unsafe {
            libc::setenv(c"MADANG_DIR".as_ptr(), shm, 1);
            libc::unshare(libc::CLONE_NEWNS) != 0
                || libc::mount(none, root, none, libc::MS_REC | libc::MS_PRIVATE, none.cast()) != 0
                || libc::mount(path.as_ptr(), shm, none, libc::MS_BIND, none.cast()) != 0
        };
        assert!(!failed, "a mount namespace of its own: {} (are you root?)", std::io::Error::last_os_error());
    }

    /// Puts there, where nothing is yet, what was elsewhere.
    pub(super) fn lay(&self, state: &State) {
        let mut laid: BTreeMap<u64, &OsString> = BTreeMap::new();
        for (name, inode) in &state.names {
            if let Some(first) = laid.get(inode) {
                fs::hard_link(self.0.join(first), self.0.join(name)).expect("a second name");
                continue;
            }
            let content = &state.files[inode];
            let file = File::create_new(self.0.join(name)).expect("a new file");
            file.set_len(content.size).expect("its size");
            content.extents.iter().for_each(|(at, bytes)| file.write_all_at(bytes, *at).expect("its bytes"));
            file.set_permissions(fs::Permissions::from_mode(content.mode)).expect("its mode");
            laid.insert(*inode, name);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What is there at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct State {
    /// The file of each name, by its inode.
    names: BTreeMap<OsString, u64>,
    files: BTreeMap<u64, Content>,
}

impl State {
    pub(super) fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        Hash::hash(self, &mut hasher);
        hasher.finish()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Content {
    size: u64,
    mode: u32,
    /// What isn't a hole.
    extents: Vec<(u64, Vec<u8>)>,
}

/// Looks at a directory again and again.
pub(super) struct Watch {
    path: PathBuf,
    open: BTreeMap<u64, File>,
    state: State,
    buffer: Vec<u8>,
}

impl Watch {
    pub(super) fn new(place: &Place) -> Self {
        let mut watch =
            Self { path: place.0.clone(), open: BTreeMap::new(), state: State::default(), buffer: Vec::new() };
        watch.look(true);
        watch
    }

    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// Whether anything is different; names, sizes and modes only if a system call may have changed them.
    pub(super) fn look(&mut self, was_a_call: bool) -> bool {
        if was_a_call && self.files_differ()
            || self.open.iter().any(|(inode, file)| differs(&self.state.files[inode], file, &mut self.buffer))
        {
            self.read();
            return true;
        }
        false
    }

    fn listed(&self) -> BTreeMap<OsString, u64> {
        let entries = fs::read_dir(&self.path).expect("the directory");
        entries
            .filter_map(|entry| entry.and_then(|entry| Ok((entry.file_name(), entry.metadata()?.ino()))).ok())
            .collect()
    }

    fn files_differ(&self) -> bool {
        let same = |(inode, file): (&u64, &File)| {
            let (content, now) = (&self.state.files[inode], file.metadata().expect("its metadata"));
            (content.size, content.mode) == (now.len(), now.mode())
        };
        self.listed() != self.state.names || !self.open.iter().all(same)
    }

    fn read(&mut self) {
        let names = self.listed();
        self.open.retain(|inode, _| names.values().any(|named| named == inode));
        for (name, inode) in &names {
            self.open.entry(*inode).or_insert_with(|| File::open(self.path.join(name)).expect("the file"));
        }
        let files = self.open.iter().map(|(inode, file)| (*inode, content(file))).collect();
        self.state = State { names, files };
    }
}

fn content(file: &File) -> Content {
    let found = file.metadata().expect("its metadata");
    let mut extents = Vec::new();
    each_extent(file, |at, length| {
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, at).expect("its bytes");
        extents.push((at, bytes));
        true
    });
    Content { size: found.len(), mode: found.mode(), extents }
}

fn differs(content: &Content, file: &File, buffer: &mut Vec<u8>) -> bool {
    let mut known = content.extents.iter();
    let mut is_same = true;
    each_extent(file, |at, length| {
        buffer.resize(length, 0);
        is_same = file.read_exact_at(buffer, at).is_ok()
            && known.next().is_some_and(|(known_at, bytes)| *known_at == at && bytes == buffer);
        is_same
    });
    !is_same || known.next().is_some()
}

/// Calls `work` with each piece that isn't a hole, until it says no.
fn each_extent(file: &File, mut work: impl FnMut(u64, usize) -> bool) {
    let seek = |at: i64, whence| {
        // SAFETY: no memory is passed.
        unsafe { libc::lseek(file.as_raw_fd(), at, whence) }
    };
    let mut at = 0;
    loop {
        let begin = seek(at, libc::SEEK_DATA);
        if begin < 0 {
            return;
        }
        at = seek(begin, libc::SEEK_HOLE);
        if !work(begin as u64, (at - begin) as usize) {
            return;
        }
    }
}
