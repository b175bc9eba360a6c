//! Waiting, as `shared/wait.rs` waits.

use super::super::super::event::{Announced, Event, NAP};
use super::*;

/// What one waits for.
pub(super) struct Wait<'a> {
    pub(super) event: &'a Event,
    pub(super) bits: u32,
    pub(super) before_sleep: &'a dyn Fn(),
    pub(super) announce: &'a dyn Fn() -> Announced,
    pub(super) woken_for_nothing: &'a dyn Fn(),
}

impl Wait<'_> {
    /// Tries until it is done, or so many sleeps have ended by time.
    pub(super) fn until_done<T>(&self, player: &Player, times: u32, attempt: &dyn Fn() -> Option<T>) -> Option<T> {
        let mut left = times;
        loop {
            (self.before_sleep)();
            let announced = (self.announce)();
            if let Some(done) = attempt() {
                return Some(done);
            }
            let slept = self.event.sleep(player, announced, NAP, self.bits);
            if let Some(done) = attempt() {
                return Some(done);
            }
            match slept {
                Ok(()) => (self.woken_for_nothing)(),
                Err(_) if left == 0 => return None,
                Err(_) => left -= 1,
            }
        }
    }
}
