//! The intermediate representation: typed SSA values in a control-flow graph, built by the guests' front ends, run by the
//! interpreter, compiled by the host's back end. It knows no guest and no host.
#![forbid(unsafe_code)]

pub mod builder;
pub mod eval;
pub mod fold;
mod fold_flags;
mod fold_vector;
pub mod helper;
pub mod interp;
pub mod mem;
pub mod op;
pub mod opt;
pub mod region;
pub mod text;
pub mod types;
pub mod verify;
mod ways;

pub use builder::{Builder, Mark, moved_by};
pub use eval::{SM4_BOX, eval};
pub use helper::{Frame, Helper, Touches};
pub use mem::{Align, Ext, Mem, OnFault};
pub use op::{Bin, Crypto, Fp1, Fp2, FpCc, Inst, Op, Rmw, Shift, Slot, Un, V1, V2, V3, VShift, Val, X87};
pub use region::{Block, BlockId, FpControl, Region, Term, Trap};
pub use types::{Cc, Env, Fence, Fmt, IntCc, Lane, NanRule, Order, Round, Shape, Ty, fpflag};
pub use ways::{Ways, is_stub};
