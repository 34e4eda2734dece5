//! Sources by their addresses.

use crate::era::Eras;
use crate::error::Error;
use crate::export::Export;
use crate::node::Node;
use crate::source::{Address, Source};

impl Address {
    /// Opens the source, unless `stop` says that nobody waits for it any more.
    pub(crate) fn open(&self, stop: &dyn Fn() -> bool) -> Result<Box<dyn Source>, Error> {
        Ok(match self {
            Self::Node(endpoint) => Box::new(Node::connect(endpoint)?),
            Self::Era(dir) => Box::new(Eras::open(dir)?),
            Self::Export(path) => Box::new(Export::open(path, stop)?),
        })
    }
}
