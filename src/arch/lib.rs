//! What a guest is: a value of [`Guest`], made of data and a few plain functions. No code of any guest.
//!
//! `engine` and `linux` are compiled once and read these values; they have no type parameter for the guest and never match on its name.
#![forbid(unsafe_code)]

pub mod abi;
pub mod hwcap;
pub mod layout;
mod name;
pub mod state;

pub use abi::Abi;
pub use name::Name;
pub use state::{SlotInfo, State};

/// A guest processor with its Linux ABI.
#[derive(Debug)]
pub struct Guest {
    /// As in `qemu-<name>` and in binfmt_misc.
    pub name: &'static str,
    /// What `uname -m` says.
    pub machine: &'static str,
    /// What it says under PER_LINUX32 (man 2 personality).
    pub machine32: &'static str,
    pub elf: Elf,
    pub state: State,
    /// The top byte of an address is not looked at by loads and stores (Arm's TBI): bit 55 stands for it.
    pub tagged_pointers: bool,
    /// Low bits of pc that are no part of the address (Arm's T).
    pub mode_bits: u64,
    /// Bytes of the longest instruction, at most 16.
    pub longest_insn: usize,
    /// Translates guest code at `pc` (with the guest's low mode bits) under a mode word.
    pub translate: fn(&mut Translation, pc: u64, mode: u32),
    /// The address that a branch to `pc` goes to: what the guest's branches drop of their targets (tags) is dropped.
    pub branch_target: fn(pc: u64) -> u64,
    /// The mode word that guest state asks for: what of it the translation depends on beside pc (FPCR bits, ITSTATE, …).
    pub mode: fn(state: &[u8]) -> u32,
    /// Disassembly of one instruction at the start of the bytes: text and length. For `-d in_asm`.
    pub disassemble: fn(bytes: &[u8], pc: u64, mode: u32) -> (String, usize),
    pub abi: &'static Abi,
    /// Reset state for a new program: applied on zeroed bytes, before the ABI's entry registers.
    pub reset: fn(state: &mut [u8], cpu: &Cpu),
    /// CPU models for `-cpu`, the default first.
    pub cpus: &'static [Cpu],
    /// What may follow the model (`-cpu max,pauth=off`).
    pub properties: &'static [Property],
    /// AT_HWCAP, AT_HWCAP2, AT_HWCAP3 of a processor with these features.
    pub hwcap: fn(features: u64) -> [u64; 3],
    /// The text of /proc/cpuinfo for processor `n` with these features.
    pub cpuinfo: fn(n: usize, features: u64) -> String,
}

impl Guest {
    /// Where the instruction at `pc` lies.
    pub fn address(&self, pc: u64) -> u64 {
        pc & !self.mode_bits
    }
}

/// A CPU model.
#[derive(Clone, Copy, Debug)]
pub struct Cpu {
    pub name: &'static str,
    /// What the model has of what the front end can do: bits that only the guest knows.
    pub features: u64,
    /// AT_PLATFORM; empty if there is none.
    pub platform: &'static str,
}

/// A property of models that is `on` or `off`, or has values of its own.
#[derive(Debug)]
pub struct Property {
    pub name: &'static str,
    /// The features that it is about; none: the guest lacks it, so it is off.
    pub features: u64,
    /// Whether `on` sets them, and `off` clears them, or the other way round.
    pub sets: bool,
    /// What it may be instead of `on` and `off`, and the bits among `features` that say so.
    pub values: &'static [(&'static str, u64)],
}

impl Cpu {
    /// The model that `text` names: a name, and properties after commas.
    pub fn parse(guest: &Guest, text: &str) -> Result<Cpu, String> {
        let mut words = text.split(',');
        let name = words.next().unwrap_or_default();
        let model = guest.cpus.iter().find(|c| c.name == name || name == "any" && c.name == guest.cpus[0].name);
        let mut cpu = *model.ok_or_else(|| format!("no such model for {} (-cpu help lists them)", guest.name))?;
        for word in words {
            let (name, value) = word.split_once('=').unwrap_or((word, "on"));
            let property = guest.properties.iter().find(|p| p.name == name);
            let property = property.ok_or_else(|| format!("no property `{name}` (-cpu help lists them)"))?;
            if let Some((_, bits)) = property.values.iter().find(|v| v.0 == value) {
                cpu.features = cpu.features & !property.features | bits;
                continue;
            }
            let on = match value {
                _ if !property.values.is_empty() => {
                    let values: Vec<&str> = property.values.iter().map(|v| v.0).collect();
                    return Err(format!("`{name}` is one of {}, not `{value}`", values.join(", ")));
                }
                "on" | "true" | "yes" => true,
                "off" | "false" | "no" => false,
                _ => return Err(format!("`{name}` is on or off, not `{value}`")),
            };
            if property.features == 0 && on {
                return Err(format!("`{name}` is not there yet"));
            }
            if on == property.sets {
                cpu.features |= property.features;
            } else {
                cpu.features &= !property.features;
            }
        }
        Ok(cpu)
    }
}

/// How to recognise a guest's executables.
#[derive(Debug)]
pub struct Elf {
    /// e_machine.
    pub machine: u16,
    /// 32 or 64.
    pub class: u8,
    pub big_endian: bool,
    /// Further conditions on e_flags: (mask, value).
    pub flags: Option<(u32, u32)>,
}

/// A translation under way: what the front end reads and writes.
#[derive(Debug)]
pub struct Translation<'a> {
    pub b: &'a mut ir::Builder,
    pub code: &'a mut dyn Code,
    /// At most so many guest instructions.
    pub max_insns: u32,
    /// Where to stop, since other code begins there; and at what branches of the region lead to ([`ir::Builder::is_target`]).
    pub leaders: &'a dyn Leaders,
    /// [`Cpu::features`] of the model.
    pub features: u64,
    /// There are guarded pages: indirect branches and where they may lead take part in the check.
    pub guards: bool,
}

/// Addresses (with mode bits) and mode words that code begins with.
pub trait Leaders: std::fmt::Debug {
    fn has(&self, pc: u64, mode: u32) -> bool;
}

/// In order.
impl Leaders for &[(u64, u32)] {
    fn has(&self, pc: u64, mode: u32) -> bool {
        self.binary_search(&(pc, mode)).is_ok()
    }
}

/// None.
impl Leaders for () {
    fn has(&self, _pc: u64, _mode: u32) -> bool {
        false
    }
}

/// Guest code, as the front end may read it.
pub trait Code: std::fmt::Debug {
    /// Copies the code at `pc` into `buf`; returns how many bytes there were (fewer where executable memory ends).
    fn fetch(&mut self, pc: u64, buf: &mut [u8]) -> usize;
    /// The same of code that the translation asks for again each time it runs: it is none of what it was made from.
    fn peek(&mut self, pc: u64, buf: &mut [u8]) -> usize {
        self.fetch(pc, buf)
    }
    /// Whether `pc` lies in a guarded page.
    fn is_guarded(&mut self, _pc: u64) -> bool {
        false
    }
    /// Whether code in [start, end) can change without anybody being told: it is writable, or there through another mapping.
    fn may_change(&mut self, _start: u64, _end: u64) -> bool {
        false
    }
}
