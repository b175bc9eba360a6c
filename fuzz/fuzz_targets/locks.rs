#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| madang_fuzz::play(madang_fuzz::Target::Locks, bytes));
