//! What models of the processor have and others lack: bits of [`arch::Cpu::features`].

/// Pointers are authenticated by QARMA5, the architected algorithm, which costs about a hundred times what ours does.
pub const QARMA5: u64 = 1;
