//! System V's calls, served from shared memory: the actors in C and Python have nothing else, those in Rust use the object
//! natively, too.
//!
//! What a call tells of a message is its type, so nobody can look at the order; whatever else is true of a queue is true here.

use madang::SemaphoreSet;
use madang::shared::sysv::{msg, sem};
use madang_tests::payload;

use super::actor::{Me, Told, Turns};
use super::book::{HAND_HOLDS, Word};
use super::queue::{self, LARGE};
use super::semaphores::VALUES;

const MADE: i32 = libc::IPC_CREAT | libc::IPC_EXCL | 0o600;

/// A queue or a set that no other test has; removed when this goes.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) id: i32,
    key: i32,
    remove: fn(i32) -> madang::Result<()>,
}

impl Made {
    pub(super) fn queue() -> Self {
        Self::new(|key| msg::msgget(key, MADE), msg::remove)
    }

    pub(super) fn set() -> Self {
        let made = Self::new(|key| sem::semget(key, VALUES.len() as i32, MADE), sem::remove);
        SemaphoreSet::open(&made.name()).and_then(|set| set.set_values(&VALUES)).expect("values");
        made
    }

    fn new(make: fn(i32) -> madang::Result<i32>, remove: fn(i32) -> madang::Result<()>) -> Self {
        let first = 0x6d00_0000 | (std::process::id().cast_signed() & 0xf_ffff) << 4;
        let made = (first..first + 16).find_map(|key| Some((key, make(key).ok()?)));
        let (key, id) = made.expect("a key that nobody has");
        Self { id, key, remove }
    }

    /// What the native calls open.
    pub(super) fn name(&self) -> String {
        format!("sysv.key.{:08x}", self.key)
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let _ = (self.remove)(self.id);
    }
}

/// An actor's turns at a queue.
pub(super) struct MessageTurns {
    pub(super) id: i32,
    /// Of 8 turns it sends at so many.
    pub(super) sends: u64,
}

impl MessageTurns {
    fn send(&self, me: &mut Me) -> Told<()> {
        let (sender, index) = (me.leaf.life as u32, me.leaf.get(Word::Done));
        let data = payload(sender, index, queue::length(&mut me.random, LARGE, queue::MOST_SYSV) as usize);
        me.leaf.set(Word::Begun, index + 1);
        let mtype = queue::mtype(sender, index);
        let sent = me.call("msgsnd", |deadline| msg::msgsnd_until(self.id, mtype, &data, deadline))?;
        me.leaf.set(Word::Done, index + u64::from(sent.is_some()));
        me.leaf.set(Word::Begun, me.leaf.get(Word::Done));
        Ok(())
    }

    fn receive(&self, me: &mut Me) -> Told<()> {
        let (select, flags) = queue::msgtyp(queue::select(me));
        let hand = me.hand();
        me.leaf.set(Word::InHand, HAND_HOLDS);
        let buffer = queue::as_uninit(hand);
        let received = me.call("msgrcv", |deadline| msg::msgrcv_until(self.id, buffer, select, flags, deadline))?;
        if let Some((length, mtype)) = received {
            let (sender, index) = queue::check(mtype, &hand[..length])?;
            let entry = me.book.message(sender as usize, index as usize);
            entry.hand_out(None, None)?;
            entry.receive();
        }
        me.leaf.set(Word::InHand, 0);
        Ok(())
    }
}

impl Turns for MessageTurns {
    fn turn(&mut self, me: &mut Me) -> Told<()> {
        if me.random.below(8) < self.sends { self.send(me) } else { self.receive(me) }
    }
}
