//! The index: the order of the messages that wait outside the rings, by type and by sequence.
//!
//! ```text
//!   root ──► the oldest of all ──► …       left, right: the other types, each as the oldest message of its type
//!              │
//!              └─ others ─► …              its own type's others: left, right again
//! ```
//!
//! **The types** are a tree with one message for each, the oldest of its type. **The others of a type** are a tree of the same
//! kind, which hangs at `others` of that oldest one. In such a tree
//! - whatever hangs below a message is younger than it; and
//! - it hangs where the bits of its *path* lead, one bit for each level: 0 to the left, 1 to the right.
//!
//! The path of a type begins with how many bits the type has, so that small types are told apart by their first few bits, and
//! it keeps their order: what is on the left is lower than what is on the right. The path of a sequence keeps neighbours together.
//!
//! So the first message of all is at the root; the first of a type lies on the type's path; the lowest type lies on the way that
//! keeps left; and the first that is not of some type is at the root or just below it, since a type is there once. Nothing is ever
//! balanced: paths end, so no tree is deeper than they are long, whatever the types and sequences; and it is far less deep
//! where they differ early, as types do that are small numbers, and sequences that are counted.
//!
//! **Putting in** follows the path down to an empty link; a message that is younger than the one put in gives its place up and
//! goes further down in its stead. **Taking out** lets the older of the two below come up, and so on down.
//!
//! Only the holder of the receivers' lock comes here, and nothing here is a commit. Should it die, any of the words may be half
//! done; its heir clears the index and inserts every QUEUED block again, in whatever order. A block's type and sequence stay as they
//! are for as long as it is in the index.
//!
//! Whatever the words say, every operation ends: it goes down one path, or (`nth`) looks at no more messages than can wait. After
//! [`Fault::Damaged`] the index is as after a death.

#![forbid(unsafe_code)]

use std::cmp::Ordering;

use super::Fault;
use super::block::Block;
use super::cell::U64;

/// A path has so many bits at most: 6 for the type's length, 63 for its bits without the first. (A sequence's has 64.)
const BITS: u32 = 6 + 63;
/// A message on each of a path's bits, and one where it ends.
const LEVELS: u32 = BITS + 1;

/// Going over two trees, one below the other, leaves one link open on each level.
const OPEN: usize = 2 * LEVELS as usize;

const TOO_DEEP: Fault = Fault::Damaged("the index is deeper than any can be");
const OUTSIDE: Fault = Fault::Damaged("the index refers to what is no block");
const MISSING: Fault = Fault::Damaged("the index has lost a message");
const TWICE: Fault = Fault::Damaged("two messages that wait have one sequence");

/// Which of the messages is wanted. Types are above 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// The first.
    Any,
    /// The first of this type.
    Type(i64),
    /// The first of the lowest type, if that is not above this one.
    UpTo(i64),
    /// The first that is not of this type.
    Except(i64),
}

/// The messages in order; see the head of this file.
pub(super) struct Index<'a, F> {
    /// A link to the oldest message.
    pub(super) root: &'a U64,
    /// The block at an offset, if one can be there.
    pub(super) block: F,
    /// How many messages can wait.
    pub(super) most: u64,
}

/// A message in the index, and how links refer to it: its offset + 1. A link that is 0 is empty.
#[derive(Clone, Copy)]
struct Node<'a> {
    link: u64,
    block: &'a Block,
}

/// Some of the messages in the index: how many, and the youngest of them.
#[derive(Clone, Copy, Default)]
struct Looked {
    count: u64,
    youngest: u64,
    offset: u64,
}

impl Node<'_> {
    fn offset(self) -> u64 {
        self.link - 1
    }

    fn mtype(self) -> u64 {
        self.block.mtype.peek()
    }

    fn sequence(self) -> u64 {
        self.block.sequence.peek()
    }
}

/// Where in the tree of types a type is.
fn path_of_type(mtype: u64) -> u128 {
    let zeros = (mtype | 1).leading_zeros();
    let after_its_first_bit = mtype << zeros << 1;
    u128::from(63 - zeros) << 122 | u128::from(after_its_first_bit) << 58
}

/// Where among the others of its type a sequence is: by its low bits, the highest of them first, then by the others. So up to a
/// million neighbours are in order, and who receives one after the other always comes along the same few blocks (measured: 100,000
/// of one type go at 90 ns each; scattered over the tree by a hash, at 500).
fn path_of_sequence(sequence: u64) -> u128 {
    u128::from(sequence.rotate_right(20)) << 64
}

fn by_type(node: Node) -> u128 {
    path_of_type(node.mtype())
}

fn by_sequence(node: Node) -> u128 {
    path_of_sequence(node.sequence())
}

/// Where a path goes on below `block`, if its next bit is the highest of `path`.
fn below(block: &Block, path: u128) -> &U64 {
    if path >> 127 == 0 { &block.left } else { &block.right }
}

impl<'a, F: Fn(u64) -> Option<&'a Block>> Index<'a, F> {
    /// Makes it empty.
    pub(super) fn clear(&self) {
        self.root.set(0);
    }

    /// Puts the message at `offset` in.
    pub(super) fn insert(&self, offset: u64) -> Result<(), Fault> {
        let node = self.node(offset)?;
        let Some((place, oldest)) = self.seek_type(node.mtype())? else {
            node.block.others.set(0);
            return self.put(self.root, node, by_type);
        };
        match node.sequence().cmp(&oldest.sequence()) {
            Ordering::Greater => {
                node.block.others.set(0);
                self.put(&oldest.block.others, node, by_sequence)
            }
            Ordering::Less => {
                self.take(place, oldest)?;
                self.succeed(oldest, node)?;
                oldest.block.others.set(0);
                self.put(&node.block.others, oldest, by_sequence)
            }
            Ordering::Equal => Err(TWICE),
        }
    }

    /// Takes the message at `offset` out.
    pub(super) fn remove(&self, offset: u64) -> Result<(), Fault> {
        let node = self.node(offset)?;
        let (place, oldest) = self.seek_type(node.mtype())?.ok_or(MISSING)?;
        if oldest.link != node.link {
            let others = &oldest.block.others;
            let (place, _) = self.seek(others, by_sequence(node), |met| met.link == node.link)?.ok_or(MISSING)?;
            return self.take(place, node);
        }
        self.take(place, node)?;
        match self.at(node.block.others.peek())? {
            Some(next) => {
                self.take(&node.block.others, next)?;
                self.succeed(node, next)
            }
            None => Ok(()),
        }
    }

    /// Where the message is that System V's rules choose.
    pub(super) fn find(&self, want: Want) -> Result<Option<u64>, Fault> {
        let found = match want {
            Want::Any => self.at(self.root.peek())?,
            Want::Type(mtype) => self.seek_type(mtype as u64)?.map(|(_, node)| node),
            Want::UpTo(limit) => self.lowest()?.filter(|node| node.mtype() <= limit as u64),
            Want::Except(mtype) => match self.at(self.root.peek())? {
                Some(node) if node.mtype() == mtype as u64 => {
                    self.older(node.block.left.peek(), node.block.right.peek())?
                }
                other => other,
            },
        };
        Ok(found.map(Node::offset))
    }

    /// Where the message is that `n` others came before. Costs `n` log `n`: it counts how many are older than a guess, and
    /// guesses better.
    pub(super) fn nth(&self, n: u64) -> Result<Option<u64>, Fault> {
        if n >= self.most {
            return Ok(None);
        }
        let wanted = n + 1;
        // Of any n + 1 messages, the youngest is the one asked for, or younger.
        let (mut found, mut low) = (self.look_over(u64::MAX, wanted)?, 0);
        if found.count < wanted {
            return Ok(None);
        }
        while low < found.youngest {
            let guess = low.midpoint(found.youngest);
            let looked = self.look_over(guess, wanted)?;
            if looked.count == wanted {
                found = looked;
            } else {
                low = guess + 1;
            }
        }
        Ok(Some(found.offset))
    }

    fn node(&self, offset: u64) -> Result<Node<'a>, Fault> {
        // Where a whole block lies there is a further byte.
        (self.block)(offset).map(|block| Node { link: offset + 1, block }).ok_or(OUTSIDE)
    }

    /// What a link refers to.
    fn at(&self, link: u64) -> Result<Option<Node<'a>>, Fault> {
        link.checked_sub(1).map(|offset| self.node(offset)).transpose()
    }

    /// The older of what two links refer to.
    fn older(&self, left: u64, right: u64) -> Result<Option<Node<'a>>, Fault> {
        Ok(match (self.at(left)?, self.at(right)?) {
            (Some(left), Some(right)) => Some(if left.sequence() < right.sequence() { left } else { right }),
            (left, right) => left.or(right),
        })
    }

    /// The oldest message of a type, and the link that it hangs at.
    fn seek_type(&self, mtype: u64) -> Result<Option<(&'a U64, Node<'a>)>, Fault> {
        self.seek(self.root, path_of_type(mtype), |met| met.mtype() == mtype)
    }

    /// Goes down a path from `link` to the message for which `is_it`.
    fn seek(
        &self,
        mut link: &'a U64,
        mut path: u128,
        is_it: impl Fn(Node) -> bool,
    ) -> Result<Option<(&'a U64, Node<'a>)>, Fault> {
        for _ in 0..LEVELS {
            let Some(met) = self.at(link.peek())? else { return Ok(None) };
            if is_it(met) {
                return Ok(Some((link, met)));
            }
            link = below(met.block, path);
            path <<= 1;
        }
        Err(TOO_DEEP)
    }

    /// Puts a message into the tree at `link`.
    fn put(&self, mut link: &'a U64, mut node: Node<'a>, path: impl Fn(Node) -> u128) -> Result<(), Fault> {
        let mut bits = path(node);
        for level in 0..LEVELS {
            let Some(mut met) = self.at(link.peek())? else {
                node.block.left.set(0);
                node.block.right.set(0);
                link.set(node.link);
                return Ok(());
            };
            match node.sequence().cmp(&met.sequence()) {
                Ordering::Greater => {}
                Ordering::Less => {
                    node.block.left.set(met.block.left.peek());
                    node.block.right.set(met.block.right.peek());
                    link.set(node.link);
                    (node, met) = (met, node);
                    bits = path(node) << level;
                }
                Ordering::Equal => return Err(TWICE),
            }
            link = below(met.block, bits);
            bits <<= 1;
        }
        Err(TOO_DEEP)
    }

    /// Takes the message out that hangs at `link`; one after the other comes up.
    fn take(&self, mut link: &'a U64, gone: Node<'a>) -> Result<(), Fault> {
        let (mut left, mut right) = (gone.block.left.peek(), gone.block.right.peek());
        for _ in 0..LEVELS {
            let Some(up) = self.older(left, right)? else {
                link.set(0);
                return Ok(());
            };
            link.set(up.link);
            let below = (up.block.left.peek(), up.block.right.peek());
            if up.link == left {
                up.block.right.set(right);
                link = &up.block.left;
            } else {
                up.block.left.set(left);
                link = &up.block.right;
            }
            (left, right) = below;
        }
        Err(TOO_DEEP)
    }

    /// Makes `next` the oldest of its type, as `former` was, and gives it the others.
    fn succeed(&self, former: Node<'a>, next: Node<'a>) -> Result<(), Fault> {
        next.block.others.set(former.block.others.peek());
        self.put(self.root, next, by_type)
    }

    /// The oldest message of the lowest type. The node itself may be of any type, but what is on its left is lower than what is on
    /// its right.
    fn lowest(&self) -> Result<Option<Node<'a>>, Fault> {
        let mut lowest = None;
        let mut link = self.root.peek();
        for _ in 0..LEVELS {
            let Some(met) = self.at(link)? else { return Ok(lowest) };
            if lowest.is_none_or(|lowest: Node| met.mtype() < lowest.mtype()) {
                lowest = Some(met);
            }
            let left = met.block.left.peek();
            link = if left != 0 { left } else { met.block.right.peek() };
        }
        Err(TOO_DEEP)
    }

    /// Looks at messages that are no younger than `limit`, until there are `enough`.
    fn look_over(&self, limit: u64, enough: u64) -> Result<Looked, Fault> {
        let mut looked = Looked::default();
        let mut open = [0; OPEN];
        open[0] = self.root.peek();
        let mut count = 1;
        while count > 0 && looked.count < enough {
            count -= 1;
            let Some(met) = self.at(open[count])? else { continue };
            let sequence = met.sequence();
            if sequence > limit {
                continue;
            }
            looked.count += 1;
            if sequence >= looked.youngest {
                (looked.youngest, looked.offset) = (sequence, met.offset());
            }
            for link in [&met.block.left, &met.block.right, &met.block.others] {
                *open.get_mut(count).ok_or(TOO_DEEP)? = link.peek();
                count += 1;
            }
        }
        Ok(looked)
    }
}
