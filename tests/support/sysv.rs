//! Keys of System V objects, which clean up after themselves.

use std::sync::atomic::{AtomicU32, Ordering};

use madang::sysv::{Key, msg, sem, shm};

/// A key that no other test has; whatever bears it is removed when this goes, also when the test fails.
#[derive(Debug)]
pub struct SysvKey(Key);

impl Default for SysvKey {
    fn default() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = 0x6000_0000 | (std::process::id() & 0x1f_ffff) << 8 | NEXT.fetch_add(1, Ordering::Relaxed) & 0xff;
        Self(Key::from(number.cast_signed()))
    }
}

impl std::ops::Deref for SysvKey {
    type Target = Key;

    fn deref(&self) -> &Key {
        &self.0
    }
}

impl Drop for SysvKey {
    fn drop(&mut self) {
        let _ = msg::Queue::unlink(self.0);
        let _ = shm::Segment::unlink(self.0);
        let _ = sem::Set::unlink(self.0);
    }
}

/// Removes the object when it goes, also when the test fails: for what has no key.
#[derive(Debug)]
pub struct Gone<F: Fn()>(pub F);

impl<F: Fn()> Drop for Gone<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
