//! The host's own vDSO: its functions by name. They need no thread-local storage and report errors by value, so guest threads may call them.

/// How far the tables of a vDSO can reach: a guard against nonsense.
const MOST: u64 = 1 << 16;
const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const DT_HASH: u64 = 4;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const DT_STRSZ: u64 = 10;
const DT_GNU_HASH: u64 = 0x6fff_fef5;

/// Reads a number of the image at `at`.
macro_rules! word {
    ($t:ty, $at:expr) => {
        // SAFETY: the kernel mapped the image whole and readable; its own tables say where things stand.
        u64::from(unsafe { (($at) as *const $t).read_unaligned() })
    };
}

/// The address of the vDSO's function `name`, if the host has it.
pub fn function(name: &str) -> Option<u64> {
    // SAFETY: only reads what the kernel gave at the start.
    let base = unsafe { libc::getauxval(libc::AT_SYSINFO_EHDR) };
    if base == 0 {
        return None;
    }
    let image = Image::new(base)?;
    (1..image.count).find_map(|n| image.symbol(n, name))
}

/// A vDSO's tables, as addresses.
struct Image {
    /// What an address in the file must be moved by.
    bias: u64,
    symbols: u64,
    strings: u64,
    strings_len: u64,
    count: u64,
}

impl Image {
    fn new(base: u64) -> Option<Image> {
        let (table, count) = (base + word!(u64, base + 32), word!(u16, base + 56));
        let headers = || (0..count).map(|n| table + 56 * n);
        let load = headers().find(|h| word!(u32, *h) as u32 == PT_LOAD)?;
        let dynamic = headers().find(|h| word!(u32, *h) as u32 == PT_DYNAMIC)?;
        let bias = base.wrapping_add(word!(u64, load + 8)).wrapping_sub(word!(u64, load + 16));
        let (entries, len) = (base + word!(u64, dynamic + 8), word!(u64, dynamic + 40).min(MOST));
        let tag = |wanted: u64| {
            (0..len / 16).map(|n| entries + 16 * n).find(|e| word!(u64, *e) == wanted).map(|e| word!(u64, e + 8))
        };
        let at = |wanted| Some(bias.wrapping_add(tag(wanted)?));
        let count = match at(DT_HASH) {
            // Its second word: as many symbols as the table has.
            Some(hash) => word!(u32, hash + 4),
            None => count_by_gnu_hash(at(DT_GNU_HASH)?),
        };
        let count = count.min(MOST);
        Some(Image { bias, symbols: at(DT_SYMTAB)?, strings: at(DT_STRTAB)?, strings_len: tag(DT_STRSZ)?, count })
    }

    /// The address of symbol `n`, if it is a defined one called `name`.
    fn symbol(&self, n: u64, name: &str) -> Option<u64> {
        let symbol = self.symbols + 24 * n;
        let (at, section, value) = (word!(u32, symbol), word!(u16, symbol + 6), word!(u64, symbol + 8));
        let fits = section != 0 && at + (name.len() as u64) < self.strings_len;
        let mut bytes = name.bytes().chain([0]).zip(self.strings + at..);
        (fits && bytes.all(|(b, at)| word!(u8, at) as u8 == b)).then(|| self.bias.wrapping_add(value))
    }
}

/// The number of symbols that a GNU hash table covers: its chains end with a set bit 0.
fn count_by_gnu_hash(hash: u64) -> u64 {
    let [buckets, first, bloom] = [0, 4, 8].map(|at| word!(u32, hash + at));
    let table = hash + 16 + 8 * bloom;
    let Some(mut n) = (0..buckets.min(MOST)).map(|b| word!(u32, table + 4 * b)).max() else { return 0 };
    let chains = table + 4 * buckets;
    while n >= first && n < MOST && word!(u32, chains + 4 * (n - first)) & 1 == 0 {
        n += 1;
    }
    n + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_clock() {
        let clock = function("__vdso_clock_gettime").expect("every x86-64 kernel has it");
        // SAFETY: the function's type, as vdso(7) has it.
        let clock: extern "C" fn(i32, *mut [i64; 2]) -> i32 = unsafe { std::mem::transmute(clock) };
        let mut time = [0; 2];
        assert_eq!(clock(libc::CLOCK_MONOTONIC, &raw mut time), 0);
        assert!(time[0] > 0);
        assert_eq!(function("__vdso_clock_gettim"), None);
    }

    #[test]
    fn counts_the_same_by_both_hashes() {
        // SAFETY: as in `function`.
        let base = unsafe { libc::getauxval(libc::AT_SYSINFO_EHDR) };
        let image = Image::new(base).unwrap();
        assert!((4..100).contains(&image.count), "{}", image.count);
    }
}
