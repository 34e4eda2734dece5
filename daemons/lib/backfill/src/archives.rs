//! Archives in the place of a node: the block of a state that is imported, and those before it.
//!
//! # Correctness
//! Archives say which block has a number, as a node would; the state must have its root, and the feed must begin there.
//! Whatever is below is held against the hashes that the blocks above name.

use crate::error::Error;
use crate::source::{Address, Found, Source};
use maidenlane_bootstrap::Error as ImportError;
use maidenlane_bootstrap::master::{Blocks, Content, Header};
use maidenlane_chain::block;
use maidenlane_chain::{B256, BlockRef};
use std::cell::RefCell;

/// Open archives, in the order in which they are asked.
pub struct Archives(RefCell<Vec<Box<dyn Source>>>);

impl std::fmt::Debug for Archives {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Archives")
    }
}

impl Archives {
    /// Opens all of them.
    ///
    /// # Errors
    /// When one of them is not there, or damaged.
    pub fn open(addresses: &[Address]) -> Result<Self, Error> {
        let all = addresses.iter().map(|address| address.open(&|| false)).collect::<Result<_, _>>()?;
        Ok(Self(RefCell::new(all)))
    }

    /// The first answer that one of them has.
    fn first<T>(
        &self,
        mut ask: impl FnMut(&mut dyn Source) -> Result<Option<T>, Error>,
    ) -> Result<Option<T>, ImportError> {
        for source in self.0.borrow_mut().iter_mut() {
            if let Some(found) = ask(source.as_mut())? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn numbered(&self, number: u64) -> Result<Option<Header>, ImportError> {
        // An archive looks up a block by its number alone.
        let found = self.first(|source| source.block(BlockRef::new(number, B256::ZERO)))?;
        let header = found.map(|found| Header::of(found.header)).transpose()?;
        Ok(header.filter(|header| header.at.number == number))
    }
}

impl Blocks for Archives {
    fn genesis(&self, _: u64, genesis: Option<B256>) -> Result<B256, ImportError> {
        let found = self.numbered(0)?.map(|header| header.at.hash);
        match (genesis, found) {
            (Some(expected), Some(found)) if expected != found => {
                Err(ImportError::Genesis { expected, found })
            }
            (genesis, found) => genesis.or(found).ok_or(ImportError::NoGenesis),
        }
    }

    fn header(&self, block: &str) -> Result<Header, ImportError> {
        let number = block.strip_prefix("0x").and_then(|digits| u64::from_str_radix(digits, 16).ok());
        let header = number.map(|number| self.numbered(number)).transpose()?.flatten();
        header.ok_or_else(|| ImportError::NoBlock(block.to_owned()))
    }

    fn parent(&self, of: &Header) -> Result<Header, ImportError> {
        let before = of.before();
        self.numbered(before.number)?.ok_or_else(|| ImportError::NoBlock(before.to_string()))
    }

    fn content(&self, header: &Header) -> Result<Option<Content>, ImportError> {
        let at = header.at;
        let Some(Found { body, receipts, .. }) = self.first(|source| source.block(at))? else {
            return Ok(None);
        };
        let receipts = match receipts {
            Some(receipts) => Some(receipts),
            None => self.first(|source| source.receipts(at))?,
        };
        let Some(receipts) = receipts else { return Ok(None) };
        let checked = block::check(at.hash, &header.raw, &body, &receipts);
        checked.map_err(|source| ImportError::Block { block: at, source })?;
        Ok(Some((body, receipts)))
    }
}

impl From<Error> for ImportError {
    fn from(error: Error) -> Self {
        match error {
            Error::Io(error) => error.into(),
            Error::File { path, what } => Self::File { path, what },
            Error::Block { block, source } => Self::Block { block, source },
            Error::Node(error) => error,
            Error::Stopped => Self::NoBlock("any more".to_owned()),
        }
    }
}
