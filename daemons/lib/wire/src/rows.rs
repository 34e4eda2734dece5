//! State rows: the changes of one block, with the value before and after it.
//!
//! Values are as the replica stores them. An account is geth's slim RLP `[nonce, balance, storageRoot?, codeHash?]`
//! (empty string for the empty root and the empty code hash); a slot is its big-endian value without leading zeros.
//! `None` means "does not exist". Rows are sorted by key and never have `before == after`.

use maidenlane_chain::{Address, B256, Bytes};

/// One account's change. Its key is `keccak256(address)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRow {
    /// The plain address.
    pub address: Address,
    /// Slim RLP before the block.
    pub before: Option<Bytes>,
    /// Slim RLP after the block.
    pub after: Option<Bytes>,
}

/// One storage slot's change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotRow {
    /// keccak256 of the plain slot.
    pub key: B256,
    /// The plain slot where the master knew it (from Cancun on).
    pub plain: Option<B256>,
    /// Value before the block, big-endian without leading zeros.
    pub before: Option<Bytes>,
    /// Value after the block, big-endian without leading zeros.
    pub after: Option<Bytes>,
}

/// All changed slots of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageRows {
    /// The plain address of the account.
    pub address: Address,
    /// Changed slots, sorted by key.
    pub slots: Vec<SlotRow>,
}

/// A contract code that became referenced. Content-addressed, so it is never undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeRow {
    /// keccak256 of `code`.
    pub hash: B256,
    /// The bytecode (or a 23-byte EIP-7702 designator).
    pub code: Bytes,
}

/// All changes of the state by a block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// Accounts, sorted by address.
    pub accounts: Vec<AccountRow>,
    /// Storage, sorted by address.
    pub storage: Vec<StorageRows>,
    /// Codes, sorted by hash.
    pub codes: Vec<CodeRow>,
}

impl Rows {
    /// Changes that undo these: before and after swapped, codes left out (they are content-addressed).
    #[must_use]
    pub fn reversed(&self) -> Self {
        let mut rows = self.clone();
        rows.codes.clear();
        for row in &mut rows.accounts {
            std::mem::swap(&mut row.before, &mut row.after);
        }
        for row in rows.storage.iter_mut().flat_map(|account| account.slots.iter_mut()) {
            std::mem::swap(&mut row.before, &mut row.after);
        }
        rows
    }
}
