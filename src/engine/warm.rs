//! Translations made ahead of any run, to be stored.

use crate::Engine;
use crate::cache::{CAREFUL, Cache, Key};
use std::collections::BTreeSet;

impl Engine {
    /// Translates what these guest addresses and all direct jumps from there lead to, as long as it is code of files and there is room.
    pub fn warm(&self, mode: u32, starts: Vec<u64>) {
        let mut cache = self.cache.lock();
        let mode = mode & !self.guest().state.direct_mode;
        let mut open: Vec<Key> = starts.into_iter().map(|pc| (pc, mode)).collect();
        let mut seen = BTreeSet::new();
        while let Some((pc, mode)) = open.pop() {
            let key = ((self.guest().branch_target)(pc), mode);
            if !seen.insert(key) {
                continue;
            }
            let known = cache.find(key, self.source()).is_some();
            if !known && cache.translate(key, self.source()).is_none() {
                return;
            }
            cache.jumps_of(key, self, &mut open);
        }
    }
}

impl Cache {
    /// Adds where the links of a region lead that is stored, or that will be.
    fn jumps_of(&mut self, key: Key, engine: &Engine, to: &mut Vec<Key>) {
        let fresh = self.table.get(&key).and_then(|&n| self.regions[n as usize].recipe.as_ref());
        let links = match fresh {
            Some(recipe) => &recipe.links[..],
            None => self.store.as_mut().and_then(|s| s.links(key, engine.source())).unwrap_or(&[]),
        };
        to.extend(links.iter().map(|c| (c.pc, c.mode | key.1 & CAREFUL)));
    }
}
