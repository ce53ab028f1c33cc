//! Hwcaps: what a guest's kernel announces to programs, in the auxiliary vector and in /proc/cpuinfo.

/// A name as in /proc/cpuinfo, a bit of AT_HWCAP or AT_HWCAP2, and the features that it tells of (0: every processor has it).
pub type Hwcap = (&'static str, u32, u64);

/// Those that a processor with these features has.
fn announced(list: &[Hwcap], features: u64) -> impl Iterator<Item = &Hwcap> {
    list.iter().filter(move |c| c.2 & !features == 0)
}

/// The word of the auxiliary vector.
pub fn bits(list: &[Hwcap], features: u64) -> u64 {
    announced(list, features).fold(0, |all, c| all | 1 << c.1)
}

/// The names of several lists, with blanks between.
pub fn names(lists: &[&[Hwcap]], features: u64) -> String {
    lists.iter().flat_map(|list| announced(list, features)).map(|c| c.0).collect::<Vec<_>>().join(" ")
}
