//! A segment that one language writes, and another reads.

use std::os::unix::fs::MetadataExt;

use madang_tests::Name;

use crate::company::pairs;

/// Below a page and above, and no multiple of anything.
const LENGTHS: [u64; 5] = [1, 100, 4096, 65_537, (1 << 20) + 3];

#[test]
fn written_by_one_and_read_by_the_other() {
    pairs(|writer, reader| {
        for length in LENGTHS {
            let name = Name::new("cross-segment");
            let new = writer.ask(format!("open-segment {name} create=only length={length}"));
            assert_eq!((new.number("new"), new.number("length")), (1, length));
            writer.ask(format!("write offset=0 sender=3 index=4 length={length}"));
            for how in ["create=never", "read_only=1"] {
                let old = reader.ask(format!("open-segment {name} {how}"));
                assert_eq!((old.number("new"), old.number("length")), (0, length));
                let whole = reader.ask(format!("read offset=0 sender=3 index=4 length={length}")).number("whole");
                assert_eq!(whole, 1, "{length} bytes, {how}");
            }
        }
    });
}

/// Both have it mapped: what one writes there the other sees at once, to and fro.
#[test]
fn both_have_it_open() {
    pairs(|one, other| {
        let name = Name::new("cross-live");
        one.ask(format!("open-segment {name} length=10000"));
        other.ask(format!("open-segment {name} length=10000"));
        for index in (0..20).step_by(2) {
            let place = |index: u64| format!("offset={} sender=1 index={index} length={}", index * 7, 1 + index * 400);
            one.ask(format!("write {}", place(index)));
            assert_eq!(other.ask(format!("read {}", place(index))).number("whole"), 1);
            other.ask(format!("write {}", place(index + 1)));
            assert_eq!(one.ask(format!("read {}", place(index + 1))).number("whole"), 1);
        }
    });
}

/// One creates it, with just this mode and length; another unlinks it, and who has it open keeps it.
#[test]
fn create_and_unlink() {
    pairs(|creator, other| {
        let name = Name::new("cross-life");
        creator.ask(format!("open-segment {name} length=5000 mode={}", 0o666));
        creator.ask("write offset=10 sender=1 index=1 length=4990");
        creator.ask("close-segment");
        let file = std::fs::metadata(name.segment_path()).unwrap();
        assert_eq!((file.mode() & 0o7777, file.len()), (0o666, 5000));

        other.ask(format!("open-segment {name}"));
        creator.ask(format!("unlink-segment {name}"));
        assert_eq!(other.ask("read offset=10 sender=1 index=1 length=4990").number("whole"), 1, "it is still there");
        assert_eq!(other.fails(format!("unlink-segment {name}")).errno, libc::ENOENT);

        assert_eq!(creator.ask(format!("open-segment {name} length=5000")).number("new"), 1);
        assert_eq!(creator.ask("read offset=10 sender=1 index=1 length=4990").number("whole"), 0, "this is another");
    });
}
