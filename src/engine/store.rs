//! The units that a process uses: which stored translations are for which guest addresses.
//!
//! All under the cache's lock. Units stay mapped until the process ends: a thread may be in their code, and a file that is mapped again at its place
//! finds its unit again.

use crate::cache::{Key, KeyHasher};
use crate::folder::Folder;
use crate::hash::hash;
use crate::unit::{Found, Header, MAGIC, THUNKS, Unit, View};
use crate::{CodeSource, Image, program};
use host::x86_64::Homes;
use host::{FaultRecord, Link};
use std::collections::HashMap;
use std::hash::BuildHasherDefault;

/// More units than this are not opened.
const MOST_UNITS: usize = 512;
/// Nor more files of one unit, one after the other.
const MOST_FILES: usize = 6;

/// Guest addresses that show one object: their unit, if it has one.
#[derive(Debug)]
struct Attached {
    start: u64,
    end: u64,
    unit: Option<usize>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) folder: &'static Folder,
    /// Of this program and its options: what was stored under others is not used.
    setting: u128,
    thunks: [u64; THUNKS],
    pub(crate) units: Vec<Unit>,
    attached: Vec<Attached>,
    /// When the folder had changed last, when it was looked at.
    seen: Option<(i64, i64)>,
    /// What was found: who links a region has just looked for it, and jump caches lose much.
    found: HashMap<Key, (Found, usize), BuildHasherDefault<KeyHasher>>,
    /// Guest code that is compared, in one place each time.
    bytes: Vec<u8>,
}

/// The bytes that a unit's cells take, by the first bytes of its file. Nothing if it is another file: a folder has notes, too.
pub(crate) fn room_for_cells(head: &[u8]) -> Option<usize> {
    if !head.starts_with(&MAGIC) {
        return None;
    }
    let at = std::mem::offset_of!(Header, cells);
    let n = u32::from_le_bytes(head.get(at..at + 4)?.try_into().ok()?);
    Some(n as usize * 8)
}

impl Store {
    /// `options` says whatever changes the code that is made.
    pub(crate) fn new(folder: &'static Folder, options: &str, thunks: [u64; THUNKS]) -> Option<Store> {
        let setting = hash(&[&program::identity()?.to_le_bytes(), options.as_bytes()].concat());
        let (units, attached, bytes) = (Vec::new(), Vec::new(), Vec::new());
        Some(Store { folder, setting, thunks, units, attached, seen: None, found: HashMap::default(), bytes })
    }

    fn key(&self, image: Image) -> u128 {
        let parts = [self.setting.to_le_bytes(), image.key.to_le_bytes(), u128::from(image.base).to_le_bytes()];
        hash(&parts.concat())
    }

    /// The number of the unit for a guest address.
    pub(crate) fn unit_of(&mut self, addr: u64, source: &dyn CodeSource) -> Option<usize> {
        if let Some(a) = self.attached.iter().find(|a| (a.start..a.end).contains(&addr)) {
            return a.unit;
        }
        let origin = source.origin(addr);
        let unit = origin.image.and_then(|image| self.unit(image));
        self.attached.push(Attached { start: origin.start, end: origin.end, unit });
        unit
    }

    fn unit(&mut self, image: Image) -> Option<usize> {
        if let Some(n) = self.units.iter().position(|u| u.image == image) {
            return Some(n);
        }
        if self.units.len() == MOST_UNITS {
            return None;
        }
        let mut unit = Unit::new(image, self.key(image));
        self.load(&mut unit);
        self.units.push(unit);
        Some(self.units.len() - 1)
    }

    /// Maps the unit's file, if there is one that is whole.
    fn load(&self, unit: &mut Unit) -> Option<()> {
        let m = self.folder.map(unit.key, room_for_cells)?;
        // SAFETY: the file was mapped there, and files of the folder are replaced, not written.
        let bytes: &'static [u8] = unsafe { std::slice::from_raw_parts(m.file as *const u8, m.len) };
        let Some(view) = View::new(bytes, unit.key) else {
            m.unmap();
            return None;
        };
        // Cells lie just before the file.
        let before = (view.header().cells as u64 * 8).next_multiple_of(4096);
        // SAFETY: the mappings are ours and stay.
        unsafe { unit.attach(view, m.file - before, &m, self.thunks) };
        Some(())
    }

    /// A stored region, and the unit that it is in.
    pub(crate) fn find(&mut self, key: (u64, u32), source: &dyn CodeSource) -> Option<(Found, usize)> {
        if let Some(&found) = self.found.get(&key) {
            return Some(found);
        }
        let mut unit = self.unit_of(crate::cache::address(key.0), source)?;
        let found = loop {
            match self.units[unit].find(key.0, key.1, source, &mut self.bytes) {
                Some(found) => break found,
                None => unit = self.units[unit].newer?,
            }
        };
        self.found.insert(key, (found, unit));
        Some((found, unit))
    }

    /// Looks for what others have written since: for a parent, whose children would all make it again.
    pub(crate) fn renew(&mut self) {
        let changed = self.folder.changed();
        if std::mem::replace(&mut self.seen, changed) == changed {
            return;
        }
        for n in 0..self.units.len() {
            let unit = &self.units[n];
            let files = self.units.iter().filter(|u| u.image == unit.image).count();
            if unit.newer.is_some() || files >= MOST_FILES || self.units.len() == MOST_UNITS {
                continue;
            }
            let changed = self.folder.inode_of(unit.key).is_some_and(|inode| unit.is_older_than(inode));
            let mut newer = Unit::new(unit.image, unit.key);
            if changed && self.load(&mut newer).is_some() {
                self.units[n].newer = Some(self.units.len());
                self.units.push(newer);
            }
        }
    }

    /// The unit with the newest file among those of unit `n`'s image.
    pub(crate) fn newest(&self, mut n: usize) -> &Unit {
        while let Some(newer) = self.units[n].newer {
            n = newer;
        }
        &self.units[n]
    }

    /// The links of a stored region.
    pub(crate) fn links(&mut self, key: (u64, u32), source: &dyn CodeSource) -> Option<&[Link]> {
        let (found, unit) = self.find(key, source)?;
        self.units[unit].links_of(found)
    }

    /// The unit that a link slot is in.
    pub(crate) fn with_slot(&self, slot: u64) -> Option<&Unit> {
        self.units.iter().find(|u| u.has_slot(slot))
    }

    /// Closes what was made from guest bytes in the range; the slots that lead there, or nothing if there was none such. What the range shows is asked
    /// anew.
    pub(crate) fn invalidate(&mut self, start: u64, end: u64) -> Option<Vec<u64>> {
        let mut slots = None;
        let (units, found) = (&mut self.units, &mut self.found);
        self.attached.retain(|a| {
            let away = end <= a.start || a.end <= start;
            if !away {
                found.clear();
            }
            let mut unit = a.unit.filter(|_| !away);
            while let Some(n) = unit {
                if let Some(list) = units[n].close(start, end) {
                    slots.get_or_insert_with(Vec::new).extend(list);
                }
                unit = units[n].newer;
            }
            away
        });
        slots
    }

    /// Closes everything: the slots that led there are gone.
    pub(crate) fn close(&mut self) {
        self.found.clear();
        for u in &mut self.units {
            u.close_all();
        }
        self.attached.clear();
    }

    /// The homes of the region at the host address, if they are its own.
    pub(crate) fn homes_at(&self, host: u64, slots: usize) -> Option<Homes> {
        self.units.iter().find(|u| u.has_code(host)).and_then(|u| u.homes_at(host, slots))
    }

    pub(crate) fn faults_at(&self, host: u64) -> &[FaultRecord] {
        self.units.iter().find(|u| u.has_code(host)).and_then(|u| u.faults_at(host)).unwrap_or(&[])
    }
}
