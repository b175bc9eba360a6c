//! The book: what the actors write down outside of madang, before and after everything that they do.
//!
//! A sparse file that all of them map, of 64-bit words: a head, a leaf for each life, a word for each message that a life can
//! send, and the buffers that they receive into: what a killed one took along lies in his hand, or it is lost. Each word has
//! one writer at a time (whoever has a message in hand, writes its word), so plain stores do; a killed actor leaves what it
//! wrote. The actors in C and Python have the same numbers.
//!
//! ```text
//! head   512 words   STOP, and from PLACES on what the actors of a world share
//! lives   64 words   each: see [`Leaf`]'s constants
//! messages  32,768 words each life: sequence + 1 << 16 | times handed out << 8 | times received
//! hands  32,768 words each life: what it receives into
//! ```

use std::os::unix::fs::FileExt;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use madang_tests::Name;

use crate::part::Fault;

const HEAD: usize = 512;
const LEAF: usize = 64;
/// As many lives as there can be in a run, and as many more: the child that life L forks is L + `LIVES` / 2.
pub(super) const LIVES: usize = 65_536;
/// A life that has sent so many ends.
pub(super) const MESSAGES: usize = 32_768;

/// As much as a message can have, in words.
const HAND: usize = 32_768;
const WORDS: usize = HEAD + LIVES * (LEAF + MESSAGES + HAND);

/// In the head: everybody is to end.
const STOP: usize = 0;
/// In the head: so many lives there were, besides their children.
const END: usize = 1;
/// In the head: where a world's own words begin.
const PLACES: usize = 64;

/// A word that the actors of a world share.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// Which life is inside; 0 is nobody.
    Inside = 0,
    /// What is counted there.
    Counter = 1,
    /// Which life writes; 0 is nobody.
    Writer = 2,
    /// Two words that are equal to those who read.
    One = 3,
    Other = 4,
    Tickets = 5,
}

#[derive(Debug)]
pub(super) struct Book {
    name: Name,
    words: NonNull<AtomicU64>,
}

impl Book {
    pub(super) fn new() -> Self {
        let name = Name::new("chaos-book");
        let length = WORDS * 8;
        let mut options = std::fs::OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).open(name.segment_path()).expect("a new file");
        file.set_len(length as u64).expect("a sparse file");
        file.write_all_at(&[0; 8], 0).expect("a first page");
        let (access, fd) = (libc::PROT_READ | libc::PROT_WRITE, std::os::fd::AsRawFd::as_raw_fd(&file));
        // SAFETY: a new mapping of the whole file, which is never cut.
        let at = unsafe { libc::mmap(std::ptr::null_mut(), length, access, libc::MAP_SHARED, fd, 0) };
        assert_ne!(at, libc::MAP_FAILED, "mmap: {}", std::io::Error::last_os_error());
        Self { name, words: NonNull::new(at.cast()).expect("an address") }
    }

    /// Where it lies.
    pub(super) fn path(&self) -> std::path::PathBuf {
        self.name.segment_path()
    }

    fn word(&self, at: usize) -> &AtomicU64 {
        assert!(at < WORDS);
        // SAFETY: within the mapping, which is there as long as the book; all touch it by atomic or single stores.
        unsafe { self.words.add(at).as_ref() }
    }

    pub(super) fn stop(&self) -> &AtomicU64 {
        self.word(STOP)
    }

    /// What the actors of a world share.
    pub(super) fn place(&self, place: Place) -> &AtomicU64 {
        self.word(PLACES + place as usize)
    }

    /// What all lives together have begun, and have done.
    pub(super) fn sums(&self, begun: Word, done: Word) -> (u64, u64) {
        let sum = |word| self.lives().map(|life| self.leaf(life).get(word)).sum();
        (sum(begun), sum(done))
    }

    /// What is counted at a place, which must be what was done, and perhaps what was begun.
    pub(super) fn counted(&self, place: Place, begun: Word, done: Word, faults: &mut Vec<Fault>) -> u64 {
        let ((begun, done), counted) = (self.sums(begun, done), self.place(place).load(Ordering::Acquire));
        if !(done..=begun).contains(&counted) {
            faults.push(super::fault(&format!("lost: {done} to {begun} were counted, and {counted} is the count")));
        }
        counted
    }

    /// A new life.
    pub(super) fn next_life(&self) -> usize {
        self.word(END).fetch_add(1, Ordering::Relaxed) as usize + 1
    }

    /// Those that there were. (To look at others would take memory.)
    pub(super) fn lives(&self) -> impl Iterator<Item = usize> {
        let end = self.word(END).load(Ordering::Relaxed) as usize;
        (1..=end).flat_map(|life| [life, life + LIVES / 2])
    }

    pub(super) fn leaf(&self, life: usize) -> Leaf<'_> {
        Leaf { book: self, life }
    }

    pub(super) fn message(&self, life: usize, index: usize) -> Entry<'_> {
        assert!(life < LIVES && index < MESSAGES);
        let place = HEAD + LIVES * LEAF + life * MESSAGES + index;
        Entry { place, word: self.word(place) }
    }

    /// Sender and index of the message whose word lies at this place.
    pub(super) fn entry_at(&self, place: usize) -> (usize, usize) {
        let number = place - HEAD - LIVES * LEAF;
        (number / MESSAGES, number % MESSAGES)
    }

    /// Where a life receives.
    pub(super) fn hand(&self, life: usize) -> NonNull<[u8]> {
        let first = self.word(HEAD + LIVES * (LEAF + MESSAGES) + life * HAND);
        NonNull::slice_from_raw_parts(NonNull::from(first).cast(), HAND * 8)
    }

    /// The messages that lie in the hand of a life that was killed, by sender and index, whoever has received them.
    pub(super) fn in_hand(&self, life: usize) -> impl Iterator<Item = (usize, usize)> {
        let first = HEAD + LIVES * (LEAF + MESSAGES) + life * HAND;
        // (A message begins at a word, with sender and index; in what follows no two bytes are 0.)
        let words = move |at: usize| [0, 1].map(|next| self.word(first + at + next).load(Ordering::Relaxed));
        (0..HAND - 1).filter_map(move |at| {
            let [low, high] = words(at);
            let (sender, index) = (low as u32 as usize, (low >> 32 | high << 32) as usize);
            (sender > 0 && sender < LIVES && index < MESSAGES).then_some((sender, index))
        })
    }

    /// Its hand is not needed any more: it takes no memory.
    pub(super) fn empty_hand(&self, life: usize) {
        let hand = self.hand(life);
        // SAFETY: within the mapping, and nobody receives there any more.
        unsafe { libc::madvise(hand.cast().as_ptr(), hand.len(), libc::MADV_REMOVE) };
    }
}

impl Drop for Book {
    fn drop(&mut self) {
        // SAFETY: nobody has a reference to a word any more. (The name removes the file.)
        unsafe { libc::munmap(self.words.as_ptr().cast(), WORDS * 8) };
    }
}

/// The leaf of a life.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaf<'a> {
    book: &'a Book,
    pub(super) life: usize,
}

/// A word of a leaf.
#[derive(Clone, Copy, Debug)]
pub(super) enum Word {
    /// Its process.
    Pid = 0,
    /// [`BORN`] once it acts, [`ENDED`] or [`FAULT`] when it is through.
    State = 1,
    /// Before it is killed.
    Killed = 2,
    /// So often it was stopped, noted before.
    Stops = 3,
    /// What it has done.
    Operations = 4,
    /// Of what it counts (sends; or rounds inside a lock): so many may have happened,
    Begun = 5,
    /// and so many have.
    Done = 6,
    /// What may be gone with it if it is killed now: [`HAND_HOLDS`], or so many messages of which the book has nothing.
    InHand = 7,
    /// How long a call that doesn't wait took at most, in nanoseconds, where nobody stopped it meanwhile.
    LongestTry = 8,
    /// As `Begun` and `Done`, of a second kind, and a third one.
    SecondBegun = 9,
    SecondDone = 10,
    ThirdBegun = 11,
    ThirdDone = 12,
    /// What it is about to acknowledge: the message's place in the book.
    Leased = 13,
    /// So often it came to where somebody had been killed inside.
    Found = 14,
    /// How much longer than its timeout a call that waits took at most, as `LongestTry`.
    LongestWait = 15,
}

/// In [`Word::InHand`]: what it receives comes into its hand.
pub(super) const HAND_HOLDS: u64 = 1 << 32;

/// Where a leaf has room for what went wrong, in words; so much of it.
const TEXT: (usize, usize) = (16, 48);

pub(super) const BORN: u64 = 1;
pub(super) const ENDED: u64 = 2;
pub(super) const FAULT: u64 = 3;

impl Leaf<'_> {
    pub(super) fn word(&self, word: Word) -> &AtomicU64 {
        self.book.word(HEAD + self.life * LEAF + word as usize)
    }

    pub(super) fn get(&self, word: Word) -> u64 {
        self.word(word).load(Ordering::Acquire)
    }

    pub(super) fn set(&self, word: Word, value: u64) {
        self.word(word).store(value, Ordering::Release);
    }

    pub(super) fn add(&self, word: Word, value: u64) {
        self.set(word, self.get(word) + value);
    }

    /// It is through, because of this.
    pub(super) fn fail(&self, what: &str) {
        let mut bytes = [0; TEXT.1 * 8];
        what.bytes().zip(&mut bytes).for_each(|(byte, place)| *place = byte);
        for (at, chunk) in bytes.chunks_exact(8).enumerate() {
            let word = u64::from_ne_bytes(chunk.try_into().expect("8 bytes"));
            self.book.word(HEAD + self.life * LEAF + TEXT.0 + at).store(word, Ordering::Relaxed);
        }
        self.set(Word::State, FAULT);
    }

    /// What it failed with.
    pub(super) fn failure(&self) -> String {
        let word = |at| self.book.word(HEAD + self.life * LEAF + TEXT.0 + at).load(Ordering::Relaxed);
        let bytes: Vec<u8> = (0..TEXT.1).flat_map(|at| word(at).to_ne_bytes()).take_while(|&byte| byte != 0).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// What is known of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    /// In the book.
    pub(super) place: usize,
    word: &'a AtomicU64,
}

impl Entry<'_> {
    /// How often it was received, for good.
    pub(super) fn received(self) -> u64 {
        self.word.load(Ordering::Acquire) & 0xff
    }

    /// How often it was handed out, for good or not.
    pub(super) fn handed_out(self) -> u64 {
        self.word.load(Ordering::Acquire) >> 8 & 0xff
    }

    /// The sequence that it was handed out with, if that was told.
    pub(super) fn sequence(self) -> Option<u64> {
        (self.word.load(Ordering::Acquire) >> 16).checked_sub(1)
    }

    /// It is handed out. `redelivered` and `sequence` are what the receiver was told, if he was.
    pub(super) fn hand_out(self, sequence: Option<u64>, redelivered: Option<u32>) -> Result<(), String> {
        let (times, before) = (self.handed_out(), self.sequence());
        if self.received() > 0 {
            return Err("doubled: it was received before".to_owned());
        }
        if times > 0 && redelivered == Some(0) {
            return Err("doubled: it was handed out before, and has no mark".to_owned());
        }
        if let (Some(now), Some(before)) = (sequence, before)
            && now != before
        {
            return Err(format!("wrong: its sequence was {before}, and is {now}"));
        }
        let known = sequence.or(before).map_or(0, |sequence| sequence + 1);
        self.word.store(known << 16 | (times + 1).min(0xff) << 8, Ordering::Release);
        Ok(())
    }

    /// It is received, for good.
    pub(super) fn receive(self) {
        self.word.store(self.word.load(Ordering::Acquire) + 1, Ordering::Release);
    }
}
