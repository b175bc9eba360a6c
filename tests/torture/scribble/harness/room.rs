//! A folder of a part's own in shared memory, and what lies in it: taken as bytes, and put back as it was.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use madang_tests::Name;

/// A folder below /dev/shm; removed with all that is in it when this goes.
pub(crate) struct Room {
    path: PathBuf,
    /// The segment of this room, which lies outside of it.
    pub(crate) segment: Name,
}

impl Room {
    pub(crate) fn new() -> Self {
        let segment = Name::new("scribble");
        let path = PathBuf::from(format!("/dev/shm/{}-room", &*segment));
        fs::create_dir(&path).expect("a new folder");
        Self { path, segment }
    }

    /// From now on objects lie in it: for this process, which must be a forked child with one thread.
    pub(crate) fn is_entered(&self) {
        let path = std::ffi::CString::new(self.path.to_str().expect("UTF-8")).expect("no NUL");
        // SAFETY: the caller has one thread, so its environment is its own.
        unsafe { libc::setenv(c"MADANG_DIR".as_ptr(), path.as_ptr(), 1) };
    }

    fn files(&self) -> Vec<PathBuf> {
        let inside = fs::read_dir(&self.path).expect("the room").map(|entry| entry.expect("an entry").path());
        let segment = self.segment.segment_path();
        let mut files: Vec<_> = inside.chain(segment.exists().then_some(segment)).collect();
        files.sort();
        files
    }

    /// Takes everything away.
    pub(crate) fn clear(&self) {
        for path in self.files() {
            // What was made of a scribbled name may be anything.
            let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path));
        }
    }

    /// All objects that are in it.
    pub(crate) fn image(&self) -> Image {
        let mut files = BTreeMap::<u64, Kept>::new();
        for path in self.files() {
            let kept = files.entry(fs::metadata(&path).expect("a file").ino());
            kept.or_insert_with(|| Kept::of(&path)).names.push(path);
        }
        Image { files: files.into_values().collect() }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Takes rooms away whose makers were killed.
pub(crate) fn clear_left_over() {
    for entry in fs::read_dir("/dev/shm").expect("/dev/shm").filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let maker = name.strip_prefix("test-scribble-").and_then(|rest| rest.split('-').next());
        if maker.is_some_and(|maker| !Path::new("/proc").join(maker).exists()) {
            let _ = fs::remove_file(entry.path()).or_else(|_| fs::remove_dir_all(entry.path()));
        }
    }
}

/// Objects as bytes.
#[derive(Clone, Default)]
pub(crate) struct Image {
    pub(crate) files: Vec<Kept>,
}

/// A file.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) names: Vec<PathBuf>,
    pub(crate) size: u64,
    mode: u32,
    /// Pages in which there is something but 0.
    pub(crate) pages: Vec<(u64, Vec<u8>)>,
}

const PAGE: usize = 4096;

impl Kept {
    fn of(path: &Path) -> Self {
        let bytes = fs::read(path).expect("the bytes of an object");
        let pages = bytes.chunks(PAGE).enumerate().filter(|(_, page)| page.iter().any(|&byte| byte != 0));
        let pages = pages.map(|(number, page)| ((number * PAGE) as u64, page.to_vec())).collect();
        let stat = fs::metadata(path).expect("a file");
        Self { names: Vec::new(), size: stat.size(), mode: stat.mode() & 0o777, pages }
    }

    /// What lies there; behind the end nothing does.
    pub(crate) fn word(&self, at: u64, width: usize) -> u64 {
        let found = self.pages.iter().find(|(start, page)| (*start..start + page.len() as u64).contains(&at));
        let mut word = [0; 8];
        if let Some((start, page)) = found {
            let bytes = &page[(at - start) as usize..];
            let length = width.min(bytes.len());
            word[..length].copy_from_slice(&bytes[..length]);
        }
        u64::from_le_bytes(word)
    }

    /// Where `line` bytes hold something, or the ones beside do.
    pub(crate) fn lines(&self, line: usize) -> Vec<u64> {
        let mut lines = std::collections::BTreeSet::new();
        for (start, page) in &self.pages {
            let used = page.chunks(line).zip(0..).filter(|(bytes, _)| bytes.iter().any(|&byte| byte != 0));
            for at in used.map(|(_, number)| start + number * line as u64) {
                lines.extend([at.saturating_sub(line as u64), at, at + line as u64]);
            }
        }
        lines.retain(|&at| at + line as u64 <= self.size);
        lines.into_iter().collect()
    }

    /// A new file like it, with the names of those that it replaces.
    fn put_back(&self) -> File {
        use std::os::unix::fs::OpenOptionsExt;
        for name in &self.names {
            let _ = fs::remove_file(name);
        }
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create_new(true).mode(self.mode);
        let file = options.open(&self.names[0]).expect("a file put back");
        file.set_len(self.size).expect("its size");
        for (at, page) in &self.pages {
            file.write_all_at(page, *at).expect("a page put back");
        }
        for name in &self.names[1..] {
            fs::hard_link(&self.names[0], name).expect("its other name");
        }
        file
    }
}

impl Image {
    /// Makes them anew.
    pub(crate) fn put_back(&self) -> Vec<File> {
        self.files.iter().map(Kept::put_back).collect()
    }

    /// The same under another System V identifier: this process may know what bore the old one.
    pub(crate) fn with_identifier(&self, old: i32, new: i32) -> Self {
        let mut image = self.clone();
        for file in &mut image.files {
            for name in &mut file.names {
                *name = name.to_str().expect("UTF-8").replace(&format!("{old:08x}"), &format!("{new:08x}")).into();
            }
            let header =
                file.pages.iter_mut().filter(|(at, _)| *at == 0).flat_map(|(_, page)| page.chunks_exact_mut(4));
            header.filter(|word| **word == old.to_le_bytes()).for_each(|word| word.copy_from_slice(&new.to_le_bytes()));
        }
        image
    }
}
