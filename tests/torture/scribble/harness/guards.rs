//! Pages that can't be touched, on both sides of what is mapped of an object: who reads or writes past its end is found out.

use std::fs;
use std::ptr::with_exposed_provenance_mut;

/// Removed when this goes.
pub(crate) struct Guards(Vec<(usize, usize)>);

impl Guards {
    /// Around everything that this process has mapped below /dev/shm.
    pub(crate) fn new() -> Self {
        let maps = fs::read_to_string("/proc/self/maps").expect("/proc");
        let ranges: Vec<_> = maps.lines().filter(|line| line.contains("/dev/shm/")).filter_map(range).collect();
        let before = ranges.iter().map(|range| (range.0, true));
        let behind = ranges.iter().map(|range| (range.1, false));
        Self(before.chain(behind).filter_map(|(edge, ends)| guard(edge, ends)).collect())
    }
}

impl Drop for Guards {
    fn drop(&mut self) {
        for &(start, length) in &self.0 {
            // SAFETY: `guard` mapped it, and nobody touches it.
            unsafe { libc::munmap(with_exposed_provenance_mut(start), length) };
        }
    }
}

fn range(line: &str) -> Option<(usize, usize)> {
    let (start, rest) = line.split_once('-')?;
    let number = |text| usize::from_str_radix(text, 16).ok();
    Some((number(start)?, number(rest.split(' ').next()?)?))
}

/// Up to an edge, or from it on; as much as is free there.
fn guard(edge: usize, ends: bool) -> Option<(usize, usize)> {
    [1 << 20, 64 << 10, 4096].into_iter().find_map(|length| {
        let start = if ends { edge.checked_sub(length)? } else { edge };
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED_NOREPLACE;
        // SAFETY: it replaces nothing.
        let page = unsafe { libc::mmap(with_exposed_provenance_mut(start), length, libc::PROT_NONE, flags, -1, 0) };
        (page != libc::MAP_FAILED).then_some((start, length))
    })
}
