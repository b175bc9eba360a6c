//! Lines that are given up hold what they held, and it is known when they are.

use std::ptr::NonNull;

use super::super::lines::{Lines, can_give_up, give_up, lines_of};
use super::*;
use crate::deadline::Deadline;
use crate::shared::raw::index::Want;
use crate::shared::raw::ring::batch::ReceivedMany;
use crate::shared::raw::ring::{Asked, Envelope, Received, Sent};

const ASKED: Asked = Asked { want: Want::Any, cuts: false, granted: None };

#[test]
fn what_is_given_up_holds_what_it_held() {
    if !can_give_up() {
        return;
    }
    let bytes: Vec<u8> = (0..4096).map(|i| (i % 251) as u8).collect();
    for (start, length) in [(0, 0), (0, 1), (1, 62), (63, 1), (63, 2), (64, 64), (100, 1000), (0, 4096)] {
        let start = NonNull::from(&bytes[start..]).cast();
        // SAFETY: each line holds one of `bytes`, and the processor can.
        unsafe { give_up(start, length) };
        assert!(bytes.iter().enumerate().all(|(i, &byte)| byte == (i % 251) as u8), "{start:?} {length}");
    }
}

#[test]
fn whole_lines_are_given_up_but_the_one_that_goes_on() {
    let lines = |start, bytes| lines_of(start, bytes).collect::<Vec<_>>();
    for (start, bytes) in [(0, 0), (0, 63), (1, 62), (100, 20)] {
        assert_eq!(lines(start, bytes), [], "{start} {bytes}");
    }
    for (start, bytes) in [(0, 64), (1, 63), (63, 1), (63, 2), (10, 100)] {
        assert_eq!(lines(start, bytes), [0], "{start} {bytes}");
    }
    assert_eq!(lines(64, 64), [64]);
    assert_eq!(lines(100, 100), [64, 128]);
}

#[test]
fn lines_are_given_up_in_a_stream_from_elsewhere() {
    let lines = Lines::default();
    let are = |received| lines.are_given_up(received);
    assert!(![0, 1, 100, u64::MAX].into_iter().any(are), "before anything is known");
    lines.learn(100, 50, true);
    assert_eq!([99, 100, 1000, 1 << 30].map(are), [false, can_give_up(), can_give_up(), false]);
    lines.learn(100, 1, true);
    assert_eq!([101, 10_000].map(are), [false, can_give_up()], "an answer, and none");
    lines.learn(200, 50, false);
    assert!(![0, 199, 200, 300, u64::MAX].into_iter().any(are), "from here");
}

#[test]
fn long_messages_are_given_up_that_come_from_elsewhere() {
    const SHORTER: u64 = 64 << 10;
    const LONGER: u64 = 1 << 20;
    let after = |fetches: &[u32]| {
        let lines = Lines::default();
        fetches.iter().for_each(|&fetch| lines.note(fetch));
        (lines.of_long_are_given_up(SHORTER), lines.of_long_are_given_up(LONGER))
    };
    assert_eq!(after(&[]), (false, false), "before they were looked at");
    assert_eq!(after(&[2]), (false, false), "here");
    assert_eq!(after(&[30]), (true, false), "near");
    assert_eq!(after(&[110]), (true, true), "far");
    assert_eq!(after(&[110, 2, 110]), (true, true), "seldom here");
    let mut often: Vec<u32> = (0..200).map(|i| if i % 5 == 0 { 2 } else { 110 }).collect();
    assert_eq!(after(&often), (false, false), "one in five here");
    often.extend([110; 200]);
    assert_eq!(after(&often), (true, true), "no more");
}

/// As a stream does, by the long lane, the short one and in batches, around and around the ring.
#[test]
fn a_stream_whose_lines_are_given_up_is_whole() {
    let world = World::default();
    let (sender, receiver) = (world.participant(0), world.participant(1));
    let ring = queue_of(64, 256);
    ring.learn_of_partner(0, 1000, true);
    let message = |i: u64| -> Vec<u8> { (0..i * 37 % 257).map(|j| (i * 7 + j) as u8).collect() };
    let (mut sent, mut received, mut by_short_lane) = (0, 0, 0);
    let mut buffer = [0; 9 * 264];
    for round in 0..3000 {
        for _ in 0..9 {
            assert_eq!(ring.send(&sender, 1, &message(sent), Deadline::NOW), Ok(Sent::Done));
            sent += 1;
        }
        if round % 3 == 0 {
            let mut lengths = vec![];
            let note = |envelope: Envelope| lengths.push(envelope.length as usize);
            let many = ring.receive_many(&receiver, &mut buffer.as_mut_slice().into(), 9, note, Deadline::NOW);
            assert!(matches!(many, Ok(ReceivedMany::Done { taken: 9, .. })), "{many:?}");
            let mut start = 0;
            for length in lengths {
                assert_eq!(buffer[start..start + length], message(received)[..], "{received}");
                (start, received) = ((start + length).next_multiple_of(8), received + 1);
            }
        }
        while received < sent {
            let kept = ring.receive_kept(&receiver, &mut buffer.as_mut_slice().into()).unwrap();
            by_short_lane += u32::from(kept.is_some());
            let envelope = kept.unwrap_or_else(|| {
                match ring.receive(&receiver, &mut buffer.as_mut_slice().into(), ASKED, Deadline::NOW) {
                    Ok(Received::Message(envelope)) => envelope,
                    other => panic!("{received}: {other:?}"),
                }
            });
            assert_eq!(buffer[..envelope.length as usize], message(received)[..], "{received}");
            received += 1;
        }
    }
    assert!(0 < by_short_lane && by_short_lane < 18000, "{by_short_lane}");
}
