//! Locks and their like: what one language holds another waits for, by name and in a segment.

use madang::Segment;
use madang_tests::Name;

use crate::company::{Actor, LANGUAGES, Language, all, pairs};

/// A segment in which they lie; removed in the end.
fn memory() -> Name {
    let name = Name::new("cross-sync");
    Segment::options().length(8192).open(&name).unwrap();
    name
}

/// The command that opens one of a kind.
type Place<'a> = Box<dyn Fn(&str) -> String + 'a>;

/// Where they lie: all in one segment, or each by this name.
fn places(name: &Name) -> [Place<'_>; 2] {
    let offset = |kind: &str| match kind {
        "mutex" => 0,
        "condition" => 64,
        "event" => 128,
        "rwlock" => 512,
        _ => 1024,
    };
    let parties = |kind: &str| if kind == "barrier" { " parties=3" } else { "" };
    [
        Box::new(move |kind| format!("place {kind} offset={}{}", offset(kind), parties(kind))),
        Box::new(move |kind| format!("place {kind} name={name}{}", parties(kind))),
    ]
}

/// Opens the segment, and these in it, or by name.
fn lay<'a>(actors: impl IntoIterator<Item = &'a Actor>, name: &Name, place: &dyn Fn(&str) -> String, kinds: &[&str]) {
    for actor in actors {
        actor.ask(format!("open-segment {name}"));
        kinds.iter().for_each(|kind| drop(actor.ask(place(kind))));
    }
}

#[test]
fn one_locks_and_another_waits() {
    pairs(|one, other| {
        let name = memory();
        for place in places(&name) {
            lay([one, other], &name, &place, &["mutex", "rwlock"]);
            for (lock, unlock) in [("lock", "unlock"), ("read-lock", "unlock-rwlock"), ("write-lock", "unlock-rwlock")]
            {
                let theirs = if lock == "read-lock" { "write-lock" } else { lock };
                assert_eq!(one.ask(lock).number("died"), 0);
                assert_eq!(other.fails(format!("{theirs} timeout=0")).errno, libc::EAGAIN);
                assert_eq!(other.fails(format!("{theirs} timeout=20")).errno, libc::ETIMEDOUT);
                other.begin(theirs);
                other.wait_until_asleep();
                one.ask(unlock);
                assert_eq!(other.answer().number("died"), 0);
                assert_eq!(one.fails(format!("{lock} timeout=0")).errno, libc::EAGAIN);
                other.ask(unlock);
            }
        }
    });
}

/// The owner of one language is killed, a waiter of the next gets what it held, and both he and one of the third are told what there is to
/// tell.
#[test]
fn owner_died() {
    for turn in 0..LANGUAGES.len() {
        let [owner, waiter, third] = [0, 1, 2].map(|place| Actor::start(LANGUAGES[(turn + place) % LANGUAGES.len()]));
        let name = memory();
        let [in_segment, _] = places(&name);
        lay([&owner, &waiter, &third], &name, &in_segment, &["mutex", "rwlock"]);
        owner.ask("lock");
        owner.ask("write-lock");
        waiter.begin("lock");
        waiter.wait_until_asleep();
        owner.kill();
        assert_eq!(waiter.answer().number("died"), 1);
        third.begin("lock");
        third.wait_until_asleep();
        waiter.ask("unlock");
        assert_eq!(third.answer().number("died"), 0, "it is told once");
        // Until somebody has written.
        assert_eq!(waiter.ask("read-lock").number("died"), 1);
        assert_eq!(third.ask("read-lock").number("died"), 1);
        waiter.ask("unlock-rwlock");
        third.ask("unlock-rwlock");
        assert_eq!(waiter.ask("write-lock").number("died"), 1);
        waiter.ask("unlock-rwlock");
        assert_eq!(third.ask("read-lock").number("died"), 0);
    }
}

#[test]
fn conditions() {
    pairs(|one, other| {
        let name = memory();
        for place in places(&name) {
            lay([one, other], &name, &place, &["mutex", "condition"]);
            for tell in ["tell-one", "tell-all"] {
                other.ask("lock");
                other.begin("await-change timeout=20000");
                // It waits, since it has given the mutex back.
                one.ask("lock");
                one.ask(tell);
                one.ask("unlock");
                assert_eq!(other.answer().number("died"), 0);
                assert_eq!(one.fails("lock timeout=0").errno, libc::EAGAIN, "it has the mutex again");
                other.ask("unlock");
            }
            other.ask("lock");
            assert_eq!(other.fails("await-change timeout=20").errno, libc::ETIMEDOUT);
            // In Rust it isn't held after an error: there a guard would have to come with it.
            if other.language != Language::Rust {
                other.ask("unlock");
            }
        }
    });
}

#[test]
fn events() {
    pairs(|one, other| {
        let name = memory();
        for place in places(&name) {
            lay([one, other], &name, &place, &["event"]);
            assert_eq!(other.fails("await timeout=0").errno, libc::EAGAIN);
            assert_eq!(other.fails("await timeout=20").errno, libc::ETIMEDOUT);
            other.begin("await");
            other.wait_until_asleep();
            one.ask("set");
            other.answer();
            one.ask("await timeout=0");
            other.ask("clear");
            assert_eq!(one.fails("await timeout=0").errno, libc::EAGAIN);
        }
    });
}

#[test]
fn a_barrier_of_three_languages() {
    let actors = Actor::one_of_each();
    let name = memory();
    for place in places(&name) {
        lay(&actors, &name, &place, &["barrier"]);
        assert_eq!(actors[0].fails("meet timeout=20").errno, libc::ETIMEDOUT);
        for _ in 0..20 {
            actors.iter().for_each(|actor| actor.begin("meet timeout=20000"));
            let mut ranks: Vec<_> = actors.iter().map(|actor| actor.answer().number("rank")).collect();
            ranks.sort_unstable();
            assert_eq!(ranks, [0, 1, 2]);
        }
    }
}

/// All three count; some of them are killed in the midst of it, and others come.
#[test]
fn a_counter_of_three_languages() {
    const TIMES: u64 = 2000;
    let name = memory();
    for place in places(&name) {
        let actors = Actor::one_of_each();
        lay(&actors, &name, &place, &["mutex"]);
        for language in LANGUAGES {
            let victim = Actor::start(language);
            lay([&victim], &name, &place, &["mutex"]);
            victim.ask("lock");
            actors.iter().for_each(|actor| actor.begin(&format!("count at=4096 times={TIMES}")));
            victim.kill();
            let died: u64 = actors.iter().map(|actor| actor.answer().number("died")).sum();
            assert_eq!(died, 1);
        }
        let segment = Segment::options().open(&name).unwrap();
        let mut number = [0; 8];
        segment.read(4096, &mut number).unwrap();
        segment.write(4096, &[0; 8]).unwrap();
        assert_eq!(u64::from_ne_bytes(number), 9 * TIMES);
        all(&actors, "close-segment");
    }
}
