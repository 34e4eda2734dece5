//! Cache of analysed bytecode by code hash. Analysis of a contract takes longer than most calls of it.

use maidenlane_state::{ReadError, StateView};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use revm::bytecode::Bytecode;
use revm::primitives::{B256, KECCAK_EMPTY};

#[derive(Clone, Debug)]
struct Bytes;

impl Weighter<B256, Bytecode> for Bytes {
    fn weight(&self, _: &B256, code: &Bytecode) -> u64 {
        // The code, one bit per byte for its jump table, and the entry itself. Never zero: that would not count.
        let len = u64::try_from(code.len()).unwrap_or(u64::MAX);
        len.saturating_add(len / 8).saturating_add(200)
    }
}

/// Cache that all calls share; bounded in bytes, so that hostile contracts push out code, not memory.
#[derive(Debug)]
pub struct Codes {
    cache: Cache<B256, Bytecode, Bytes>,
}

impl Codes {
    /// Cache of at most this many bytes.
    pub fn new(most_bytes: u64) -> Self {
        let entries = usize::try_from(most_bytes / 8_192).unwrap_or(1_024).max(16);
        Self { cache: Cache::with_weighter(entries, most_bytes, Bytes) }
    }

    /// The code with this hash, `None` where the state has none.
    pub fn get(&self, source: &dyn StateView, hash: B256) -> Result<Option<Bytecode>, ReadError> {
        if hash == KECCAK_EMPTY || hash.is_zero() {
            return Ok(Some(Bytecode::default()));
        }
        if let Some(code) = self.cache.get(&hash) {
            return Ok(Some(code));
        }
        let Some(bytes) = source.code(hash)? else { return Ok(None) };
        // A designator of EIP-7702 that does not parse is plain code to geth.
        let code = Bytecode::new_raw_checked(bytes.clone()).unwrap_or_else(|_| Bytecode::new_legacy(bytes));
        self.cache.insert(hash, code.clone());
        Ok(Some(code))
    }
}
