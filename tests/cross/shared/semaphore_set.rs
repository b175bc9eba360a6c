//! A set of semaphores, on which programs in two languages, or three, operate together.

use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use madang_tests::Name;

use super::refusals::all_refuse;
use crate::company::{Actor, all, pairs, wait_until};

fn values<const COUNT: usize>(actor: &Actor) -> [u64; COUNT] {
    let answer = actor.ask("values");
    std::array::from_fn(|index| answer.number(&index.to_string()))
}

/// Value, who changed it last, how many wait for it to grow, and for 0.
fn told(actor: &Actor, index: u32) -> [u64; 4] {
    let answer = actor.ask(format!("semaphore index={index}"));
    ["value", "pid", "to_grow", "for_zero"].map(|key| answer.number(key))
}

/// What one does the other sees: values, and who it was.
#[test]
fn both_see_the_same() {
    pairs(|one, other| {
        let name = Name::new("cross-set");
        let new = one.ask(format!("open-set {name} create=only values=3,0,7 max_value=1000"));
        assert_eq!(["new", "semaphores", "max_value"].map(|key| new.number(key)), [1, 3, 1000]);
        let old = other.ask(format!("open-set {name}"));
        assert_eq!(["new", "semaphores", "max_value"].map(|key| old.number(key)), [0, 3, 1000]);
        one.ask("operate ops=0:-2,1:5");
        assert_eq!(values(other), [1, 5, 7]);
        assert_eq!([0, 2].map(|index| told(other, index)), [[1, one.id(), 0, 0], [7, 0, 0, 0]]);
        // In their order, as a whole or not at all.
        assert_eq!(other.fails("operate ops=1:-5,1:0,2:-8 timeout=0").errno, libc::EAGAIN);
        assert_eq!(other.fails("operate ops=1:-5,1:0,2:994 timeout=0").errno, libc::ERANGE);
        assert_eq!(values(one), [1, 5, 7]);
        other.ask("operate ops=1:-5,1:0,2:-7,2:1000 timeout=0");
        assert_eq!(values(one), [1, 0, 1000]);
        assert_eq!(told(one, 2), [1000, other.id(), 0, 0]);
        other.ask("set-value index=1 value=9");
        one.ask("operate ops=1:-9,0:-1");
        assert_eq!((values(other), told(other, 1)[1]), ([0, 0, 1000], one.id()));
        one.ask("set-values values=4,5,6");
        assert_eq!((values(other), told(other, 2)[1]), ([4, 5, 6], one.id()));
        let status = [one, other].map(|actor| actor.ask("stat-set"));
        assert_eq!(status[0], status[1]);
        assert_eq!(["participants", "mode"].map(|key| status[0].number(key)), [2, 0o600]);
    });
}

/// Who waits is seen, and gets what the other gives; also who waits for 0, and not who wants no waiting.
#[test]
fn one_waits_for_the_other() {
    pairs(|waiting, giving| {
        let name = Name::new("cross-set-waits");
        all([waiting, giving], format!("open-set {name} values=0,1"));
        waiting.begin("operate ops=0:-2");
        wait_until("it waits", || told(giving, 0)[2] == 1);
        giving.ask("operate ops=0:1");
        assert_eq!(giving.fails("operate ops=0:-2 timeout=0").errno, libc::EAGAIN);
        giving.ask("operate ops=0:1,1:1");
        waiting.answer();
        assert_eq!(told(giving, 0), [0, waiting.id(), 0, 0]);

        waiting.begin("operate ops=1:0,1:3");
        wait_until("it waits for 0", || told(giving, 1)[3] == 1);
        giving.ask("operate ops=1:-2");
        waiting.answer();
        assert_eq!(values(giving), [0, 3]);
        assert_eq!(waiting.fails("operate ops=0:1,1:-4n").errno, libc::EAGAIN);
        // To set a value serves as well.
        waiting.begin("operate ops=0:-7,1:-3 timeout=20000");
        wait_until("it waits", || told(giving, 0)[2] == 1);
        giving.ask("set-value index=0 value=7");
        waiting.answer();
        assert_eq!(values(giving), [0, 0]);
    });
}

/// What a killed process took with undo is given back: at once to one who looks, soon to one who sleeps; and what a closed handle
/// took, at once.
#[test]
fn holders_are_killed() {
    pairs(|holder, other| {
        let name = Name::new("cross-set-undo");
        other.ask(format!("open-set {name} values=2,0"));
        for sleeps in [false, true] {
            let victim = Actor::start(holder.language);
            victim.ask(format!("open-set {name}"));
            victim.ask("operate ops=0:-2u,1:4");
            let id = victim.id();
            assert_eq!(values(other), [0, 4]);
            assert_eq!(other.fails("operate ops=0:-2,1:-4 timeout=0").errno, libc::EAGAIN);
            if sleeps {
                other.begin("operate ops=0:-2,1:-4");
                other.wait_until_asleep();
                let begun = Instant::now();
                victim.kill();
                other.answer();
                println!("it took {:?}", begun.elapsed());
                other.ask("operate ops=0:2");
            } else {
                victim.kill();
                assert_eq!(told(other, 0), [2, id, 0, 0]);
                other.ask("operate ops=1:-4 timeout=0");
            }
            assert_eq!(values(other), [2, 0]);
        }
        holder.ask(format!("open-set {name}"));
        holder.ask("operate ops=0:-1u");
        holder.ask("operate ops=0:-1u,1:1u");
        other.begin("operate ops=0:-2");
        other.wait_until_asleep();
        holder.ask("close-set");
        other.answer();
        assert_eq!(values(other), [0, 0]);
    });
}

/// A lock by semaphores of three languages, in both of semop's usual ways: nobody is inside with another, though some are killed there.
#[test]
fn they_shut_each_other_out() {
    const ROUNDS: u64 = 3000;
    let actors = Actor::one_of_each();
    for (value, lock, unlock) in [(1, "0:-1u", "0:1u"), (0, "0:0,0:1u", "0:-1u")] {
        let name = Name::new("cross-set-lock");
        all(&actors, format!("open-set {name} values={value}"));
        all(&actors, format!("open-segment {name} length=4096"));
        let count = |rounds| format!("count-alone ops={lock} ops_after={unlock} at=0 rounds={rounds}");
        let victims: Vec<_> = actors.iter().map(|actor| Actor::start(actor.language)).collect();
        all(&victims, format!("open-set {name}"));
        all(&victims, format!("open-segment {name}"));
        // They count elsewhere, where it is not known how far they come.
        victims.iter().for_each(|victim| victim.begin(&count(1_000_000).replace("at=0", "at=100")));
        actors.iter().for_each(|actor| actor.begin(&count(ROUNDS)));
        victims.into_iter().for_each(Actor::kill);
        actors.iter().for_each(|actor| drop(actor.answer()));
        let segment = madang::Segment::options().create(madang::Create::Never).open(&name).unwrap();
        let mut counted = [0; 2];
        segment.read(0, &mut counted).unwrap();
        assert_eq!(u64::from(u16::from_le_bytes(counted)), 3 * ROUNDS, "{lock}");
        assert_eq!(told(&actors[0], 0)[0], value);
    }
}

/// Those who sleep are served in the order in which they came, whatever they are written in.
#[test]
fn sleepers_come_in_their_order() {
    let name = Name::new("cross-set-order");
    let [giving, sleepers @ ..] = Actor::one_of_each();
    let others = Actor::one_of_each();
    let all_sleepers: Vec<_> = sleepers.iter().chain(&others).collect();
    giving.ask(format!("open-set {name}"));
    all(all_sleepers.iter().copied(), format!("open-set {name}"));
    for (before, sleeper) in all_sleepers.iter().enumerate() {
        sleeper.begin("operate ops=0:-1");
        wait_until("it waits", || told(&giving, 0)[2] == before as u64 + 1);
    }
    // Longer than a sleeper sleeps at a time, in any language: who looks by himself meanwhile keeps his place.
    std::thread::sleep(Duration::from_millis(400));
    for (served, sleeper) in all_sleepers.iter().enumerate() {
        giving.ask("operate ops=0:1");
        sleeper.answer();
        assert_eq!(told(&giving, 0), [0, sleeper.id(), (all_sleepers.len() - served - 1) as u64, 0]);
    }
}

/// The same situation is the same errno, and the same sentence.
#[test]
fn refusals() {
    let actors = Actor::one_of_each();
    let actors: Vec<_> = actors.iter().collect();
    let (name, other, queue) = (Name::new("cross-set-no"), Name::new("cross-set-none"), Name::new("cross-set-queue"));
    all(actors.iter().copied(), format!("open-set {name} values=1,2 max_value=10 max_participants=4"));
    let many = vec!["0:1"; 513].join(",");
    all_refuse(
        &actors,
        &[
            ("operate timeout=0".to_owned(), libc::EINVAL),
            (format!("operate ops={many}"), libc::E2BIG),
            ("operate ops=2:1".to_owned(), libc::EFBIG),
            ("operate ops=0:10".to_owned(), libc::ERANGE),
            ("operate ops=1:-2,1:1u,1:-1u,0:10u".to_owned(), libc::ERANGE),
            ("operate ops=0:-2 timeout=0".to_owned(), libc::EAGAIN),
            ("operate ops=0:-2n".to_owned(), libc::EAGAIN),
            ("operate ops=0:-1,0:-1,0:-1 timeout=0".to_owned(), libc::EAGAIN),
            ("operate ops=1:0 timeout=0".to_owned(), libc::EAGAIN),
            ("operate ops=1:-1,1:0n".to_owned(), libc::EAGAIN),
            ("operate ops=0:-2 timeout=5".to_owned(), libc::ETIMEDOUT),
            ("operate ops=0:0 timeout=5".to_owned(), libc::ETIMEDOUT),
            ("semaphore index=2".to_owned(), libc::EFBIG),
            ("set-value index=2 value=1".to_owned(), libc::EFBIG),
            ("set-value index=0 value=11".to_owned(), libc::ERANGE),
            ("set-values values=1".to_owned(), libc::EINVAL),
            ("set-values values=1,2,3".to_owned(), libc::EINVAL),
            ("set-values values=11,2".to_owned(), libc::ERANGE),
            (format!("unlink-set {other}"), libc::ENOENT),
            ("unlink-set a/b".to_owned(), libc::EINVAL),
        ],
    );
    let status = actors[0].ask("stat-set");
    assert_eq!((values(actors[0]), status.number("participants")), ([1, 2], 3), "nothing came of all that");
    all(actors.iter().copied(), "close-set");
    let _queue = madang::Queue::open(&queue).unwrap();
    let file = |kind: &str, name: &Name| format!("/dev/shm/madang.{kind}.{}", &**name);
    std::fs::hard_link(file("queue", &queue), file("semaphores", &queue)).unwrap();
    all_refuse(
        &actors,
        &[
            (format!("open-set {name} create=only"), libc::EEXIST),
            (format!("open-set {other} create=never"), libc::ENOENT),
            (format!("open-set {name} semaphores=3"), libc::EINVAL),
            (format!("open-set {name} max_value=11"), libc::EINVAL),
            (format!("open-set {name} max_participants=5"), libc::EINVAL),
            (format!("open-set {other} semaphores=65537"), libc::EINVAL),
            (format!("open-set {other} max_value=2147483648"), libc::EINVAL),
            (format!("open-set {other} max_participants=65535"), libc::EINVAL),
            (format!("open-set {other} values=1,11 max_value=10"), libc::ERANGE),
            (format!("open-set {queue}"), libc::EPROTOTYPE),
            ("open-set a/b".to_owned(), libc::EINVAL),
        ],
    );
    // A full roster.
    let handles: Vec<_> = (0..4).map(|_| madang::SemaphoreSet::open(&name).unwrap()).collect();
    all_refuse(&actors, &[(format!("open-set {name}"), libc::EUSERS)]);
    drop(handles);
}

/// One creates it, with just this mode; another unlinks it, and who has it open keeps it.
#[test]
fn create_and_unlink() {
    pairs(|creator, other| {
        let name = Name::new("cross-set-life");
        creator.ask(format!("open-set {name} values=5 mode={}", 0o666));
        let file = std::fs::metadata(format!("/dev/shm/madang.semaphores.{}", &*name)).unwrap();
        assert_eq!(file.mode() & 0o7777, 0o666);
        other.ask(format!("open-set {name}"));
        creator.ask(format!("unlink-set {name}"));
        creator.ask("operate ops=0:-5");
        other.begin("operate ops=0:-1");
        creator.ask("operate ops=0:1");
        other.answer();
        assert_eq!(other.fails(format!("unlink-set {name}")).errno, libc::ENOENT);
        assert_eq!(creator.ask(format!("open-set {name} semaphores=2")).number("new"), 1);
        assert_eq!((values(creator), values(other)), ([0, 0], [0]), "this is another");
    });
}
