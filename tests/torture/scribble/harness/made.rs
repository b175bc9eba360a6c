//! An object that was made once, by who died at it, and that can be had as it was then as often as one likes.

use std::io::{Read, Write};

use super::room::{Image, Room};
use super::uses::Scene;

pub(crate) struct Made {
    pub(crate) room: Room,
    pub(crate) image: Image,
    /// Its System V identifier, or 0.
    identifier: i32,
}

impl Made {
    pub(crate) fn new(scene: Scene) -> Self {
        let room = Room::new();
        let (mut reader, mut writer) = std::io::pipe().expect("a pipe");
        let make = || {
            room.is_entered();
            let identifier = (scene.make)(&room);
            writer.write_all(&identifier.to_le_bytes()).expect("somebody waits");
            0
        };
        madang_tests::fork(make).succeeds();
        let mut identifier = [0; 4];
        reader.read_exact(&mut identifier).expect("an identifier");
        Self { image: room.image(), identifier: i32::from_le_bytes(identifier), room }
    }

    /// The same object for case `number`, and its identifier.
    pub(crate) fn again(&self, number: u64) -> (Image, i32) {
        match self.identifier {
            0 => (self.image.clone(), 0),
            old => {
                let new = old.wrapping_add(1 + number as i32) & i32::MAX;
                (self.image.with_identifier(old, new), new)
            }
        }
    }
}
