//! The map of a guest's address space: which ranges are mapped, how, and to what. Plain data; `mm.rs` does what it says on the host.

use crate::stored::Key;
use std::collections::BTreeMap;
use std::sync::Arc;

pub const PAGE: u64 = 4096;

/// What a range of memory shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backing {
    /// Private memory, with its name in /proc/self/maps (`[heap]`, or nothing).
    Anonymous(&'static str),
    /// A file or another object that has an identity.
    Object(Arc<Object>),
}

/// A mapped object.
#[derive(Debug, PartialEq, Eq)]
pub struct Object {
    pub dev: u64,
    pub inode: u64,
    /// As /proc/self/maps shows it; empty for a file, whose name the host knows.
    pub path: Vec<u8>,
    /// Of an image at an address that follows from it, or of a file at one that the program always asks for: its translations may be stored.
    pub key: Option<Key>,
}

/// A range with the same properties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Area {
    pub end: u64,
    /// The guest's PROT_* bits. The host's have no PROT_EXEC.
    pub prot: u32,
    pub shared: bool,
    pub backing: Backing,
    /// Offset in the object that the range's start shows.
    pub offset: u64,
}

impl Area {
    /// Whether RLIMIT_DATA counts it: private and writable, and no stack (the kernel's is_data_mapping).
    pub fn is_data(&self) -> bool {
        self.prot & libc::PROT_WRITE as u32 != 0 && !self.shared && self.backing != Backing::Anonymous("[stack]")
    }

    /// Whether it is code that may change without a system call on the map: it can be written, here or through another mapping.
    pub fn may_change(&self) -> bool {
        self.prot & libc::PROT_EXEC as u32 != 0 && (self.prot & libc::PROT_WRITE as u32 != 0 || self.shared)
    }

    /// Whether `next`, which begins where this ends, is its continuation.
    fn continues(&self, start: u64, next: &Area) -> bool {
        self.prot == next.prot
            && self.shared == next.shared
            && self.backing == next.backing
            && (matches!(self.backing, Backing::Anonymous(_)) || self.offset + (self.end - start) == next.offset)
    }
}

/// The map. Ranges do not overlap; neighbours that continue each other are one.
#[derive(Clone, Debug, Default)]
pub struct Map {
    areas: BTreeMap<u64, Area>,
}

impl Map {
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &Area)> {
        self.areas.iter().map(|(s, a)| (*s, a))
    }

    /// The area that holds an address, with its start.
    pub fn at(&self, addr: u64) -> Option<(u64, &Area)> {
        let (start, area) = self.areas.range(..=addr).next_back()?;
        (addr < area.end).then_some((*start, area))
    }

    /// What the area at an address shows, or the one before it.
    pub fn object_near(&self, addr: u64) -> Option<&Arc<Object>> {
        let (_, area) = self.areas.range(..=addr).next_back()?;
        if let Backing::Object(o) = &area.backing { Some(o) } else { None }
    }

    /// Areas that have a part in the range.
    pub fn within(&self, start: u64, end: u64) -> impl DoubleEndedIterator<Item = (u64, &Area)> {
        let first = self.at(start).map_or(start, |(s, _)| s);
        self.areas.range(first..end.max(first)).map(|(s, a)| (*s, a))
    }

    /// Whether nothing is mapped in the range.
    pub fn is_free(&self, start: u64, end: u64) -> bool {
        self.within(start, end).next().is_none()
    }

    /// Whether the whole range is mapped.
    pub fn is_whole(&self, start: u64, end: u64) -> bool {
        let mut at = start;
        for (s, a) in self.within(start, end) {
            if s > at {
                return false;
            }
            at = a.end;
        }
        at >= end
    }

    /// Whether the guest may run code somewhere in the range.
    pub fn has_code(&self, start: u64, end: u64) -> bool {
        self.within(start, end).any(|(_, a)| a.prot & libc::PROT_EXEC as u32 != 0)
    }

    /// Cuts an area in two at an address.
    fn split(&mut self, at: u64) {
        let Some((start, area)) = self.at(at) else { return };
        if start == at {
            return;
        }
        let mut upper = area.clone();
        if matches!(upper.backing, Backing::Object(_)) {
            upper.offset += at - start;
        }
        if let Some(lower) = self.areas.get_mut(&start) {
            lower.end = at;
        }
        self.areas.insert(at, upper);
    }

    /// Forgets a range.
    pub fn remove(&mut self, start: u64, end: u64) {
        self.split(start);
        self.split(end);
        let gone: Vec<u64> = self.areas.range(start..end).map(|(s, _)| *s).collect();
        for s in gone {
            self.areas.remove(&s);
        }
    }

    /// Takes a range out, in pieces.
    pub fn take(&mut self, start: u64, end: u64) -> Vec<(u64, Area)> {
        self.split(start);
        self.split(end);
        let list: Vec<_> = self.areas.range(start..end).map(|(s, a)| (*s, a.clone())).collect();
        for (s, _) in &list {
            self.areas.remove(s);
        }
        list
    }

    /// Enters a range, over whatever was there.
    pub fn insert(&mut self, start: u64, area: Area) {
        self.remove(start, area.end);
        let end = area.end;
        self.areas.insert(start, area);
        self.join(start);
        self.join(end);
    }

    /// Joins the areas that meet at an address, if one continues the other.
    fn join(&mut self, at: u64) {
        let Some(upper) = self.areas.get(&at) else { return };
        let Some((start, lower)) = self.areas.range(..at).next_back() else { return };
        if lower.end != at || !lower.continues(*start, upper) {
            return;
        }
        let (start, end) = (*start, upper.end);
        self.areas.remove(&at);
        if let Some(lower) = self.areas.get_mut(&start) {
            lower.end = end;
        }
    }

    /// Changes the protection of a range that is whole.
    pub fn protect(&mut self, start: u64, end: u64, prot: u32) {
        self.split(start);
        self.split(end);
        let list: Vec<u64> = self.areas.range(start..end).map(|(s, _)| *s).collect();
        for s in &list {
            if let Some(a) = self.areas.get_mut(s) {
                a.prot = prot;
            }
        }
        for s in list {
            self.join(s);
        }
        self.join(end);
    }

    /// The highest free range of `len` bytes below `top` and not below `bottom`, at a multiple of `align`; `holes` are never given.
    pub fn find_gap(&self, len: u64, align: u64, bottom: u64, top: u64, holes: &[(u64, u64)]) -> Option<u64> {
        let mut end = top;
        loop {
            let start = end.checked_sub(len)? & !(align - 1);
            if start < bottom {
                return None;
            }
            let area = self.within(start, start + len).next().map(|(s, _)| s);
            let hole = holes.iter().filter(|h| h.0 < start + len && h.1 > start).map(|h| h.0).min();
            end = match (area, hole) {
                (None, None) => return Some(start),
                (a, h) => a.unwrap_or(u64::MAX).min(h.unwrap_or(u64::MAX)),
            };
        }
    }

    /// The lowest free range of `len` bytes at or above `from` and below `top`, at a multiple of `align`; `holes` are never given.
    pub fn find_gap_up(&self, len: u64, align: u64, from: u64, top: u64, holes: &[(u64, u64)]) -> Option<u64> {
        let mut start = from.checked_next_multiple_of(align)?;
        loop {
            let end = start.checked_add(len).filter(|end| *end <= top)?;
            let area = self.within(start, end).next_back().map(|(_, a)| a.end);
            let hole = holes.iter().filter(|h| h.0 < end && h.1 > start).map(|h| h.1).max();
            match area.max(hole) {
                None => return Some(start),
                Some(behind) => start = behind.checked_next_multiple_of(align)?,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(end: u64, prot: u32) -> Area {
        Area { end, prot, shared: false, backing: Backing::Anonymous(""), offset: 0 }
    }

    fn file(end: u64, offset: u64) -> Area {
        let object = Object { dev: 1, inode: 2, path: b"/x".to_vec(), key: None };
        Area { end, prot: 1, shared: false, backing: Backing::Object(Arc::new(object)), offset }
    }

    #[test]
    fn neighbours_join_and_split() {
        let mut m = Map::default();
        m.insert(0x1000, area(0x2000, 3));
        m.insert(0x3000, area(0x4000, 3));
        m.insert(0x2000, area(0x3000, 3));
        assert_eq!(m.iter().count(), 1);
        m.protect(0x2000, 0x3000, 1);
        assert_eq!(
            m.iter().map(|(s, a)| (s, a.end, a.prot)).collect::<Vec<_>>(),
            [(0x1000, 0x2000, 3), (0x2000, 0x3000, 1), (0x3000, 0x4000, 3)]
        );
        m.protect(0x2000, 0x3000, 3);
        assert_eq!(m.iter().count(), 1);
        m.remove(0x1800, 0x3800);
        assert_eq!(m.iter().map(|(s, a)| (s, a.end)).collect::<Vec<_>>(), [(0x1000, 0x1800), (0x3800, 0x4000)]);
        assert!(m.is_free(0x1800, 0x3800) && !m.is_free(0x17ff, 0x1801));
        assert!(m.is_whole(0x1000, 0x1800) && !m.is_whole(0x1000, 0x1801));
    }

    #[test]
    fn offsets_follow() {
        let mut m = Map::default();
        m.insert(0x10000, file(0x14000, 0x5000));
        m.remove(0x11000, 0x12000);
        assert_eq!(m.at(0x12000).unwrap().1.offset, 0x7000);
        m.insert(0x11000, file(0x12000, 0x6000));
        assert_eq!(m.iter().count(), 1);
        m.insert(0x11000, file(0x12000, 0));
        assert_eq!(m.iter().count(), 3);
    }

    #[test]
    fn gaps_are_found_from_the_top() {
        let mut m = Map::default();
        assert_eq!(m.find_gap(0x2000, 0x1000, 0x1000, 0x10000, &[]), Some(0xe000));
        m.insert(0xe000, area(0xf000, 0));
        assert_eq!(m.find_gap(0x1000, 0x1000, 0x1000, 0x10000, &[]), Some(0xf000));
        assert_eq!(m.find_gap(0x2000, 0x1000, 0x1000, 0x10000, &[]), Some(0xc000));
        assert_eq!(m.find_gap(0x2000, 0x4000, 0x1000, 0x10000, &[]), Some(0xc000));
        assert_eq!(m.find_gap(0x2000, 0x1000, 0x1000, 0x10000, &[(0x8000, 0xd000)]), Some(0x6000));
        assert_eq!(m.find_gap(0xf000, 0x1000, 0x1000, 0x10000, &[]), None);
        assert_eq!(m.find_gap(u64::MAX, 0x1000, 0x1000, 0x10000, &[]), None);
    }

    #[test]
    fn gaps_are_found_from_below() {
        let mut m = Map::default();
        m.insert(0x4000, area(0x5000, 0));
        assert_eq!(m.find_gap_up(0x2000, 0x1000, 0x3000, 0x10000, &[]), Some(0x5000));
        assert_eq!(m.find_gap_up(0x1000, 0x1000, 0x3000, 0x10000, &[]), Some(0x3000));
        assert_eq!(m.find_gap_up(0x2000, 0x4000, 0x3000, 0x10000, &[]), Some(0x8000));
        assert_eq!(m.find_gap_up(0x2000, 0x1000, 0x3000, 0x10000, &[(0x6000, 0xa000)]), Some(0xa000));
        assert_eq!(m.find_gap_up(0xc000, 0x1000, 0x3000, 0x10000, &[]), None);
        assert_eq!(m.find_gap_up(u64::MAX, 0x1000, 0x3000, 0x10000, &[]), None);
    }

    /// The map against a plain array of pages, with random operations.
    #[test]
    fn agrees_with_an_array() {
        let mut m = Map::default();
        let mut pages = [None::<u32>; 64];
        let mut seed = 7u64;
        let mut next = |n: u64| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) % n
        };
        for _ in 0..20_000 {
            let a = next(64);
            let b = a + 1 + next(64 - a);
            let prot = next(3) as u32;
            match next(3) {
                0 => {
                    m.insert(a * PAGE, area(b * PAGE, prot));
                    pages[a as usize..b as usize].fill(Some(prot));
                }
                1 => {
                    m.remove(a * PAGE, b * PAGE);
                    pages[a as usize..b as usize].fill(None);
                }
                _ if m.is_whole(a * PAGE, b * PAGE) => {
                    m.protect(a * PAGE, b * PAGE, prot);
                    pages[a as usize..b as usize].fill(Some(prot));
                }
                _ => assert!(pages[a as usize..b as usize].iter().any(Option::is_none)),
            }
            for (n, p) in pages.iter().enumerate() {
                assert_eq!(m.at(n as u64 * PAGE).map(|(_, a)| a.prot), *p);
            }
            let mut last: Option<(u64, Area)> = None;
            for (s, a) in m.iter() {
                assert!(s < a.end && last.as_ref().is_none_or(|(_, l)| l.end < s || l.end == s && l.prot != a.prot));
                last = Some((s, a.clone()));
            }
        }
    }
}
