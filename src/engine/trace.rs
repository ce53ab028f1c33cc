//! `-d exec`, `cpu`, `fpu`, `vpu`: a line for each entry of generated code from the run loop, with the registers. With `nochain` that is every region.

use crate::{Cpu, Engine};
use arch::SlotInfo;
use ir::Ty;
use std::fmt::Write;

impl Engine {
    /// Tells of an entry.
    pub(crate) fn trace(&self, cpu: &Cpu, pc: u64, code: u64) {
        let log = &self.log;
        if !crate::cache::in_filter(log.filter, pc) {
            return;
        }
        let mut text = String::new();
        if log.exec {
            // Writing to a string does not fail.
            let _ = writeln!(text, "Trace: {code:#x} [{:08x}/{pc:016x}]", cpu.mode);
        }
        let wanted = |ty| match ty {
            Ty::V128 => log.cpu && (log.fpu || log.vpu),
            _ => log.cpu,
        };
        let mut width = 0;
        for s in self.guest().state.shown.iter().filter(|s| wanted(s.ty)) {
            let item = format!("{}={}", s.name(), self.shown(cpu, s, pc));
            if width + item.len() >= 80 {
                text.push('\n');
                width = 0;
            }
            let _ = write!(text, "{}{item}", if width == 0 { "" } else { " " });
            width += item.len() + 1;
        }
        if width != 0 {
            text.push('\n');
        }
        self.source().log(&text);
    }

    /// A slot's value; pc stands in guest state only when code is left for good.
    fn shown(&self, cpu: &Cpu, slot: &SlotInfo, pc: u64) -> String {
        let bytes = &cpu.state()[usize::from(slot.offset)..][..slot.ty.bytes()];
        let state = &self.guest().state;
        if slot.offset == state.slots[usize::from(state.pc.0)].offset {
            return format!("{pc:0n$x}", n = 2 * slot.ty.bytes());
        }
        if slot.ty == Ty::Flags {
            return flags(bytes.iter().rev().fold(0, |v, b| v << 8 | u64::from(*b)));
        }
        bytes.iter().rev().map(|b| format!("{b:02x}")).collect()
    }
}

/// `-ZC-`, from the bits that [`Ty::Flags`] describes.
fn flags(value: u64) -> String {
    [('N', 15), ('Z', 14), ('C', 8), ('V', 0)]
        .iter()
        .map(|(c, bit)| if value >> bit & 1 != 0 { *c } else { '-' })
        .collect()
}
