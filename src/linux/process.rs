//! What the threads of a guest process share.

use crate::options::Options;

/// A guest process.
#[derive(Debug)]
pub struct Process {
    pub guest: &'static arch::Guest,
    pub options: Options,
}
