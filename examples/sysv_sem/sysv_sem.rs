//! Producer and consumer, kept in order by two System V semaphores: a child puts squares into shared memory that has room for one, the
//! parent takes them out. Neither overtakes the other.
//!
//! The child is this program again; it is told the identifiers.

use std::process::Command;
use std::time::Duration;

use madang::sysv::{Key, sem::Set, shm::Segment};
use madang::{Deadline, Mapping};

const COUNT: u32 = 5;
/// The semaphores: how many places are free, how many are full.
const FREE: u16 = 0;
const FULL: u16 = 1;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let ids: Vec<i32> = std::env::args().skip(1).map(|word| word.parse()).collect::<Result<_, _>>()?;
    if let [set, segment] = ids[..] {
        return Ok(produce(&Set::from_id(set)?, &Segment::from_id(segment)?.attach()?)?);
    }
    let set = Set::options().values(&[1, 0]).open(Key::PRIVATE)?;
    let segment = Segment::create_private(4096)?;
    let mut child =
        Command::new(std::env::current_exe()?).args([set.id(), segment.id()].map(|id| id.to_string())).spawn()?;
    let outcome = segment.attach().and_then(|place| consume(&set, &place));
    child.wait()?;
    segment.remove()?;
    set.remove()?; // or they stay until the machine stops
    Ok(outcome?)
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(5))
}

fn produce(set: &Set, place: &Mapping) -> madang::Result<()> {
    for number in 1..=COUNT {
        set.acquire_until(FREE, soon())?;
        place.write(0, &(number * number).to_ne_bytes())?;
        set.release(FULL)?;
    }
    Ok(())
}

fn consume(set: &Set, place: &Mapping) -> madang::Result<()> {
    for _ in 0..COUNT {
        set.acquire_until(FULL, soon())?;
        let mut number = [0; 4];
        place.read(0, &mut number)?;
        set.release(FREE)?;
        println!("consumed {}", u32::from_ne_bytes(number));
    }
    Ok(())
}
