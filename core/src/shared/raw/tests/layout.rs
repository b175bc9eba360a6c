//! docs/layout.md is checked against the code: its tables are what this prints.
//!
//! `MADANG_UPDATE_LAYOUT=1 cargo test -p madang --lib layout` writes them anew.

use std::fmt::Write;
use std::mem::offset_of;

use super::super::end::{End, Mark};
use super::super::geometry::{Geometry, Side};
use super::super::header::{CONTROL, Header, ROSTER};
use super::super::keep::KeptLock;
use super::super::ring::{Control, Receivers, Senders, Settings, Waiting};
use super::super::roster::Slot;
use super::super::semaphores::{self, Semaphores};
use super::super::sync::barrier::{self, Barrier};
use super::super::sync::condition::Condition;
use super::super::sync::flag::Flag;
use super::super::sync::mutex::Mutex;
use super::super::sync::rwlock::{self, RwLock};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/layout.md");
const BEGIN: &str = "<!-- from here on written by the layout test -->\n";

/// One line of a table: where, how many bytes, what.
fn row(table: &mut String, offset: usize, size: usize, what: &str) {
    writeln!(table, "| {offset} | {size} | {what} |").unwrap();
}

fn header() -> String {
    let mut table = String::new();
    row(&mut table, offset_of!(Header, magic), 8, "magic: `madang`, 0x1a, 0");
    row(&mut table, offset_of!(Header, layout), 4, "layout version");
    row(&mut table, offset_of!(Header, arch), 4, "0x01020304, in the machine's byte order");
    row(
        &mut table,
        offset_of!(Header, kind),
        4,
        "kind: 1 queue, 2 set of semaphores, 3 mutex, 4 read-write lock, 5 condition, 6 barrier, 7 event",
    );
    row(&mut table, offset_of!(Header, slots), 4, "slots of the roster");
    row(&mut table, offset_of!(Header, size), 8, "the file's size");
    row(
        &mut table,
        offset_of!(Header, parameters),
        64,
        "parameters; a queue's: capacity, most messages, bytes of near ring, deep ring, heap; a set's: how many, largest value",
    );
    table
}

fn control() -> String {
    let mut table = String::new();
    let base = CONTROL as usize;
    let settings = base + offset_of!(Control, settings);
    row(&mut table, settings + offset_of!(Settings, bytes), 8, "limit in force: bytes");
    row(&mut table, settings + offset_of!(Settings, messages), 8, "limit in force: messages");
    row(&mut table, settings + offset_of!(Settings, taken), 16, "bytes taken of near and deep ring; all ones: all");
    row(&mut table, settings + offset_of!(Settings, repairs), 8, "how often a lock was inherited from the dead");
    for (name, at) in [
        ("senders", base + offset_of!(Control, senders) + offset_of!(Senders, end)),
        ("receivers", base + offset_of!(Control, receivers) + offset_of!(Receivers, end)),
    ] {
        row(&mut table, at + offset_of!(End, lock), 4, &format!("{name}: lock"));
        let kept = format!("{name}: who keeps it, whether he is inside; who had it last, how often in a row");
        row(&mut table, at + offset_of!(End, lock) + 4, size_of::<KeptLock>() - 4, &kept);
        row(&mut table, at + offset_of!(End, place), 8, &format!("{name}: place"));
        let marks = at + offset_of!(End, marks);
        row(&mut table, marks, 2 * size_of::<Mark>(), &format!("{name}: two marks of bytes and messages"));
        row(&mut table, at + offset_of!(End, left), 16, &format!("{name}: where it left near and deep ring"));
    }
    let senders = base + offset_of!(Control, senders);
    row(
        &mut table,
        senders + offset_of!(Senders, room),
        24,
        "senders: room, and sums of bytes and messages up to which they need not look",
    );
    let receivers = base + offset_of!(Control, receivers);
    row(
        &mut table,
        receivers + offset_of!(Receivers, root),
        24,
        "receivers: the index of the backlog, how many messages are in it, whether it must be made anew",
    );
    let waiting = base + offset_of!(Control, senders_waiting);
    row(&mut table, waiting + offset_of!(Waiting, event), 4, "senders: event");
    row(&mut table, waiting + offset_of!(Waiting, event) + 4, 4, "senders: who wait by a descriptor; 0 is nobody");
    row(&mut table, waiting + offset_of!(Waiting, wanted), 8, "senders: the smallest message that waits");
    let waiting = base + offset_of!(Control, receivers_waiting);
    row(&mut table, waiting + offset_of!(Waiting, event), 4, "receivers: event");
    row(&mut table, waiting + offset_of!(Waiting, event) + 4, 4, "receivers: for what some wait by a descriptor");
    in_order(&table)
}

/// The rows by where they lie.
fn in_order(table: &str) -> String {
    let mut rows: Vec<_> = table.lines().collect();
    rows.sort_by_key(|row| row[2..].split(' ').next().and_then(|offset| offset.parse::<usize>().ok()));
    rows.iter().map(|row| format!("{row}\n")).collect()
}

fn slot() -> String {
    let mut table = String::new();
    row(
        &mut table,
        offset_of!(Slot, word),
        4,
        "state in bits 30 and 31 (0 free, 1 settling, 2 taken), generation in bits 0 to 14",
    );
    row(&mut table, offset_of!(Slot, pid), 4, "process, as its own namespace numbers it");
    row(&mut table, offset_of!(Slot, joined), 8, "when it joined, nanoseconds on the monotonic clock");
    table
}

/// Each kind of lock and its like, from where it lies.
fn locks() -> String {
    let mut table = String::new();
    let head = |table: &mut String, kind: &str, size: usize| {
        let dashes = "---|---|---";
        write!(table, "\n## {kind}\n\nIt has {size} bytes.\n\n| offset | bytes | what |\n|{dashes}|\n").unwrap();
    };
    let event = |table: &mut String, at: usize| {
        row(table, at, 4, "event");
        row(table, at + 4, 4, "who wait by a descriptor; not used");
    };
    head(&mut table, "A mutex", size_of::<Mutex>());
    row(&mut table, offset_of!(Mutex, lock), 4, "lock");
    head(&mut table, "A read-write lock", size_of::<RwLock>());
    row(&mut table, offset_of!(RwLock, gate), 4, "lock of what follows, held for a moment");
    row(&mut table, offset_of!(RwLock, writer), 4, "the participant that writes, or waits to; 0 is none");
    row(&mut table, offset_of!(RwLock, damaged), 4, "1 after a writer's death, until another has had it");
    event(&mut table, offset_of!(RwLock, event));
    row(&mut table, offset_of!(RwLock, readers), 4 * rwlock::MOST_READERS, "the participants that read; 0 is none");
    head(&mut table, "A condition", size_of::<Condition>());
    event(&mut table, offset_of!(Condition, event));
    head(&mut table, "A barrier", size_of::<Barrier>());
    row(&mut table, offset_of!(Barrier, gate), 4, "lock of what follows, held for a moment");
    row(&mut table, offset_of!(Barrier, parties), 4, "how many wait for each other; 0: nobody has said it yet");
    row(&mut table, offset_of!(Barrier, round), 4, "round: how often it opened");
    event(&mut table, offset_of!(Barrier, event));
    let places = "who came: bits 32 to 63 in which round, bits 0 to 29 the participant";
    row(&mut table, offset_of!(Barrier, places), 8 * barrier::MOST_PARTIES, places);
    head(&mut table, "An event", size_of::<Flag>());
    row(&mut table, offset_of!(Flag, word), 4, "bit 0 it is set, bits 1 to 31 how often it was");
    event(&mut table, offset_of!(Flag, event));
    table
}

fn examples() -> String {
    let mut table = String::new();
    for (capacity, messages, name) in
        [(16 << 10, 16_384, "16 KiB"), (1 << 20, 65_536, "1 MiB"), (1 << 30, 65_536, "1 GiB")]
    {
        let geometry = Geometry::new(capacity, messages, 1024).unwrap();
        let [near, deep] =
            [Side::Near, Side::Deep].map(|side| (geometry.offset(side) >> 10, geometry.ring(side) >> 10));
        writeln!(
            table,
            "| {name} | {messages} | {} KiB at {} KiB | {} KiB at {} KiB | {} KiB |",
            near.1,
            near.0,
            deep.1,
            deep.0,
            geometry.shape().size >> 10
        )
        .unwrap();
    }
    table
}

/// A set's words: control lines, undoer, record, place.
fn of_a_set() -> [String; 4] {
    Semaphores::layout_for_test().map(|words| {
        let mut table = String::new();
        words.into_iter().for_each(|(offset, size, what)| row(&mut table, offset, size, what));
        table
    })
}

fn sets() -> String {
    let mut table = String::new();
    for count in [1, 100, 65_536] {
        let geometry = semaphores::Geometry::new(count, semaphores::MOST_VALUE, 1024).unwrap();
        let areas = geometry.areas_for_test().map(|offset| offset.to_string()).join(" | ");
        writeln!(table, "| {count} | {areas} | {} KiB |", geometry.size() >> 10).unwrap();
    }
    table
}

fn tables() -> String {
    let [set, undoer, record, place] = of_a_set();
    let head = "| offset | bytes | what |\n|---|---|---|\n";
    format!(
        "{BEGIN}\n## The header\n\n{head}{}\n## A queue's control lines\n\n{head}{}\n## A slot of the roster\n\nThe roster begins at \
         {ROSTER}; a slot has {} bytes.\n\n{head}{}\n## A queue's areas\n\nWith 1,024 slots; the heap follows the rings.\n\n\
         | capacity | most messages | near ring | deep ring | the file, sparse |\n|---|---|---|---|---|\n{}\n\
         ## A set's control lines\n\n{head}{set}\n## Who has something to be undone\n\nOne of {} bytes for each slot.\n\n{head}{undoer}\n\
         ## A record of a set's journal\n\n{} of {} bytes.\n\n{head}{record}\n## A place of one who waits\n\nOne of {} bytes for each \
         slot.\n\n{head}{place}\n## A set's areas\n\nWith 1,024 slots; where each begins. A slot's row of amounts has 4 bytes for each \
         semaphore.\n\n| semaphores | values | staged | undoers | journal | places | amounts | the file, sparse \
         |\n|---|---|---|---|---|---|---|---|\n{}{}",
        header(),
        control(),
        size_of::<Slot>(),
        slot(),
        examples(),
        16,
        semaphores::MOST_OPERATIONS,
        32,
        32,
        sets(),
        locks()
    )
}

#[test]
fn the_document_says_what_the_code_does() {
    let document = std::fs::read_to_string(FILE).expect("docs/layout.md");
    let written = &document[document.find(BEGIN).expect("the marker")..];
    if std::env::var_os("MADANG_UPDATE_LAYOUT").is_some() {
        std::fs::write(FILE, document.replace(written, &tables())).unwrap();
    } else {
        assert!(written == tables(), "docs/layout.md is out of date: see the head of this test");
    }
}
