//! Cases of pointer authentication. The code is an implementation's choice and its keys are drawn at exec, so no case may show it: what
//! signs a pointer is followed by what checks or strips it, what checks one is preceded by what signs it.

use decode::Random;

use super::a64::{Row, get};
use super::record::{Record, WINDOW, WINDOW_SIZE};

/// XPACI, XPACD, PACIZA, PACDZA, PACIA, PACIASP, LSL #32: without their registers.
const XPACI: u32 = 0xdac1_43e0;
const XPACD: u32 = 0xdac1_47e0;
const PACIZA: u32 = 0xdac1_23e0;
const PACDZA: u32 = 0xdac1_2be0;
const PACIA: u32 = 0xdac1_0000;
const PACIASP: u32 = 0xd503_233f;
const LSL_32: u32 = 0xd360_7c00;
/// What makes AUT of PAC, with a register and as a hint.
const CHECK: u32 = 1 << 12;
const CHECK_HINT: u32 = 1 << 7;

/// Whether the row signs or checks pointers.
pub(super) fn is_signed(row: &Row) -> bool {
    #[rustfmt::skip]
    const NAMES: [&str; 17] = [
        "pac1716", "aut1716", "paciz", "pacisp", "autiz", "autisp", "paci", "pacd", "auti", "autd", "pacga", "ldra", "bra", "braz", "blra",
        "blraz", "reta",
    ];
    NAMES.contains(&row.name)
}

/// A pointer as authentication wants it: bits 54 to 48 alike bit 55, above them a tag if that is zero.
fn pointer(random: &mut Random) -> u64 {
    let low = random.next() >> 16;
    match random.below(4) {
        0 => low | 0xffff << 48,
        1 => low | (random.next() & 0xff) << 56,
        _ => low,
    }
}

/// The words of a case of this row's word, and the registers they want; `None` for another draw.
pub(super) fn words(row: &Row, word: u32, slot: u64, record: &mut Record, random: &mut Random) -> Option<Vec<u32>> {
    let of = |name: &str| get(row, word, name).unwrap_or(31);
    let (d, n, m, key) = (of("d"), of("n"), of("m"), of("k") & 1);
    let mut put = |n: u32, v: u64| {
        if n < 31 {
            record.set(64 + 8 * n as usize, 8, v.into());
        }
    };
    // Where the case goes on after two words.
    let next = slot + 12;
    Some(match row.name {
        "paci" | "pacd" | "auti" | "autd" => {
            put(d, pointer(random));
            let (sign, check) = (word & !CHECK, word | CHECK);
            let strip = if row.name.ends_with('d') { XPACD } else { XPACI } | d;
            let zero = get(row, word, "z") == Some(1);
            match (d == 31 || d == n && !zero, row.name.starts_with("pac")) {
                // Nothing was signed, or the modifier is gone.
                (true, true) => vec![sign, strip],
                (true, false) => return None,
                (false, true) if random.below(3) == 0 => vec![sign, strip],
                (false, _) => vec![sign, check],
            }
        }
        "pac1716" | "aut1716" => {
            put(17, pointer(random));
            vec![word & !CHECK_HINT, word | CHECK_HINT]
        }
        "paciz" | "pacisp" | "autiz" | "autisp" => {
            put(30, pointer(random));
            vec![word & !CHECK_HINT, word | CHECK_HINT]
        }
        "pacga" => vec![word, LSL_32 | d << 5 | d],
        "braz" | "blraz" if n != 31 => {
            put(n, next);
            vec![PACIZA | key << 10 | n, word, XPACI | n]
        }
        "bra" | "blra" if n != 31 && n != m => {
            put(n, next);
            vec![PACIA | key << 10 | m << 5 | n, word, XPACI | n]
        }
        "reta" => {
            put(30, next);
            vec![PACIASP | key << 6, word, XPACI | 30]
        }
        "ldra" if n != 31 && of("t") != n => {
            let offset = i64::from((of("i") << 22) as i32 >> 22) * 8;
            let target = WINDOW + 8 * random.below(WINDOW_SIZE as usize / 8) as u64;
            put(n, target.wrapping_add_signed(-offset));
            vec![PACDZA | key << 10 | n, word, XPACD | n]
        }
        _ => return None,
    })
}
