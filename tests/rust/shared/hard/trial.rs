//! An operation, tried again and again, each time with something else that is refused to it:
//!
//! - each of its system calls fails, alone, and with all that follow: with `ENOSPC`, `EMFILE`, `ENOMEM` and their like;
//! - the file system has a number of pages left: none, one, and so on.
//!
//! The operation is done, or it says that errno, and then nothing of it is: no message, no descriptor, no mapping, no name. When
//! nothing is refused any more all goes on.

use std::ffi::{CStr, CString};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use madang::Result;
use madang_tests::{Directory, Refusals, Refuse, Refused, WATCHDOG, fork, open_descriptors};

/// More calls than any operation makes.
pub(super) const MOST_CALLS: u64 = 200;

/// How large a file system is in which nothing is refused.
const PAGES: u64 = 4096;
const PAGE: u64 = 4096;

/// Runs `operate` on what `set_up` makes anew each time, with every refusal. `check` is told whether it was done. In
/// `/dev/shm`, or where `MADANG_DIR` says; each name that they make they take away.
pub(super) fn with_every_refusal<S>(
    what: &str,
    set_up: impl Fn() -> S + Sync,
    operate: impl Fn(&mut S) -> Result<()> + Sync,
    check: impl Fn(S, bool) + Sync,
) {
    let trial = Trial { what, set_up, operate, check };
    let directory = Directory::in_memory("refused");
    let by_calls = fork(|| {
        directory.becomes_madang_dir();
        // The calls of one thread are refused, not those of who refuses them.
        thread::scope(|scope| scope.spawn(|| trial.at_every_call(&directory, true)).join().expect("it was said why"))
    });
    if by_calls.wait_for(2 * WATCHDOG) == NOT_PERMITTED {
        println!("{what}: no call can be refused here");
    }
    if fork(|| trial.at_every_page()).wait_for(2 * WATCHDOG) == NOT_PERMITTED {
        println!("{what}: no file system can be mounted here");
    }
}

/// The refusals of calls, where the file system has no unnamed files: what is made has a name while it is made. That of one
/// who couldn't take it away is swept.
pub(super) fn with_every_refusal_by_names<S>(
    what: &str,
    set_up: impl Fn() -> S + Sync,
    operate: impl Fn(&mut S) -> Result<()> + Sync,
    check: impl Fn(S, bool) + Sync,
) {
    let trial = Trial { what, set_up, operate, check };
    let directory = Directory::in_memory("refused-named");
    let tried = fork(|| {
        directory.becomes_madang_dir();
        thread::scope(|scope| scope.spawn(|| trial.at_every_call(&directory, false)).join().expect("it was said why"))
    });
    if tried.wait_for(2 * WATCHDOG) == NOT_PERMITTED {
        println!("{what}: no call can be refused here");
    }
}

/// What a child exits with that can't try anything here.
const NOT_PERMITTED: i32 = 77;

/// The parameters of [`with_every_refusal`].
struct Trial<'a, SetUp, Operate, Check> {
    what: &'a str,
    set_up: SetUp,
    operate: Operate,
    check: Check,
}

impl<S, SetUp: Fn() -> S, Operate: Fn(&mut S) -> Result<()>, Check: Fn(S, bool)> Trial<'_, SetUp, Operate, Check> {
    fn at_every_call(&self, directory: &Directory, has_unnamed_files: bool) -> i32 {
        let Some(refusals) = Refusals::begin() else { return NOT_PERMITTED };
        if !has_unnamed_files {
            refusals.without_unnamed_files();
        }
        for refuse in [Refuse::Only, Refuse::From] {
            // At first without any, so that what is made once in a process's life is there.
            self.attempt("nothing", |operate| (operate(), vec![]));
            let is_beyond = |count: u64| {
                let how = format!("{:?}", refuse(count));
                self.attempt(&how, |operate| refusals.during(refuse(count), operate)).is_empty()
            };
            assert!((1..MOST_CALLS).any(is_beyond), "it ends");
            if !has_unnamed_files {
                madang::gc().unwrap();
            }
            assert_eq!(names_of_new(directory), 0, "{}: what was half made has a name", self.what);
        }
        0
    }

    fn at_every_page(&self) -> i32 {
        if !have_small_shm() {
            return NOT_PERMITTED;
        }
        self.attempt("nothing", |operate| (operate(), vec![]));
        let is_enough = |pages: u64| {
            let how = format!("with {pages} pages left");
            let limited = |operate: &mut dyn FnMut() -> Result<()>| {
                let fill = Fill::leaving(pages);
                let done = operate();
                drop(fill);
                let refused = if done.is_err() { vec![("a page", libc::ENOSPC)] } else { vec![] };
                (done, refused)
            };
            self.attempt(&how, limited).is_empty()
        };
        let mut numbers = (0..40).chain((40..PAGES).step_by(7));
        assert!(numbers.any(is_enough), "it needs less than there is");
        0
    }

    /// What was refused.
    fn attempt(&self, how: &str, limited: impl Fn(&mut dyn FnMut() -> Result<()>) -> (Result<()>, Refused)) -> Refused {
        let before = (open_descriptors(), mappings());
        let mut scene = (self.set_up)();
        let (done, refused) = limited(&mut || (self.operate)(&mut scene));
        let what = format!("{}: {how}: {refused:?}: {done:?}", self.what);
        if let Err(error) = &done {
            // (System V has ENOMEM for a message that can't be kept.)
            let is_why = |&(_, errno): &(_, i32)| {
                errno == error.errno() || (errno, error.errno()) == (libc::ENOSPC, libc::ENOMEM)
            };
            assert!(refused.iter().any(is_why) || error.errno() == libc::ENOTSUP, "{what}: why?");
            assert!(error.message().len() > 10, "{what}: what?");
        }
        let checked = catch_unwind(AssertUnwindSafe(|| (self.check)(scene, done.is_ok())));
        assert!(checked.is_ok(), "{what}");
        assert_eq!((open_descriptors(), mappings()), before, "{what}: something is left");
        refused
    }
}

/// How many mappings of objects' files this process has. Not of System V's: those that aren't used any more it keeps for a while.
fn mappings() -> usize {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().filter(|line| line.contains("/dev/shm/") && !line.contains(".sysv.")).count()
}

/// How many files lie there that are being made.
fn names_of_new(directory: &Directory) -> usize {
    let is_new = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with("madang.new.");
    fs::read_dir(&**directory).unwrap().filter(|entry| is_new(entry.as_ref().unwrap())).count()
}

/// From now on this process has a `/dev/shm` of its own, of [`PAGES`]. Whether it may.
fn have_small_shm() -> bool {
    let (tmpfs, none) = (c"tmpfs".as_ptr(), std::ptr::null());
    let options = CString::new(format!("size={}", PAGES * PAGE)).unwrap();
    // SAFETY: all strings are C strings.
    unsafe {
        libc::unshare(libc::CLONE_NEWNS) == 0
            && libc::mount(c"none".as_ptr(), c"/".as_ptr(), none, libc::MS_REC | libc::MS_PRIVATE, none.cast()) == 0
            && libc::mount(tmpfs, SHM.as_ptr(), tmpfs, 0, options.as_ptr().cast()) == 0
    }
}

const SHM: &CStr = c"/dev/shm";

/// What fills the small `/dev/shm` until it is dropped.
struct Fill(fs::File);

impl Fill {
    fn leaving(pages: u64) -> Self {
        use std::os::fd::AsRawFd;
        let path = "/dev/shm/fill";
        let file = fs::File::create_new(path).unwrap();
        fs::remove_file(path).unwrap();
        let length = (free() - pages) * PAGE;
        // SAFETY: no memory is passed.
        assert_eq!(unsafe { libc::fallocate(file.as_raw_fd(), 0, 0, length as i64) }, 0, "{pages} pages left");
        assert_eq!(free(), pages);
        Self(file)
    }
}

impl Drop for Fill {
    fn drop(&mut self) {
        self.0.set_len(0).unwrap();
    }
}

/// How many pages are free there.
fn free() -> u64 {
    // SAFETY: all-zero is a valid `statfs`, which the call fills.
    let mut found: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: a C string, and a valid place for the answer.
    assert_eq!(unsafe { libc::statfs(SHM.as_ptr(), &raw mut found) }, 0);
    found.f_bfree
}
