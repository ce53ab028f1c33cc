//! x
use crate::insn::rows;
rows! {}
