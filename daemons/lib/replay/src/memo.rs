//! Memo of one head's state, decoded: calls ask for the same accounts and slots again and again, and a look into
//! RocksDB costs microseconds, one in here a tenth of that.
//!
//! Every head has a memo of its own, which goes with its view. So nothing in it can be out of date, and no read has to
//! ask whether a value still holds; the price is that each head reads its first values anew.

use alloy::primitives::{B256, U256};
use maidenlane_state::{Account, ReadError};
use quick_cache::sync::Cache;

/// Number of accounts kept for a head, some 150 bytes each.
const ACCOUNTS_MAX: usize = 32_768;
/// Number of slots kept for a head, some 130 bytes each.
const SLOTS_MAX: usize = 65_536;

/// Memo of one head.
#[derive(Debug)]
pub(crate) struct Memo {
    accounts: Cache<B256, Option<Account>>,
    slots: Cache<(B256, B256), U256>,
}

impl Memo {
    pub(crate) fn new() -> Self {
        Self { accounts: Cache::new(ACCOUNTS_MAX), slots: Cache::new(SLOTS_MAX) }
    }

    /// An account by its key; `read` is called the first time.
    pub(crate) fn account(
        &self,
        key: B256,
        read: impl FnOnce() -> Result<Option<Account>, ReadError>,
    ) -> Result<Option<Account>, ReadError> {
        if let Some(account) = self.accounts.get(&key) {
            return Ok(account);
        }
        let account = read()?;
        self.accounts.insert(key, account);
        Ok(account)
    }

    /// A slot by the keys of account and slot; `read` is called the first time.
    pub(crate) fn slot(
        &self,
        key: (B256, B256),
        read: impl FnOnce() -> Result<U256, ReadError>,
    ) -> Result<U256, ReadError> {
        if let Some(value) = self.slots.get(&key) {
            return Ok(value);
        }
        let value = read()?;
        self.slots.insert(key, value);
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::{ACCOUNTS_MAX, Memo, SLOTS_MAX};
    use alloy::primitives::{B256, U256};
    use maidenlane_state::{Account, ReadError};

    fn key(number: usize) -> B256 {
        B256::from(U256::from(number))
    }

    #[test]
    fn what_was_read_is_not_read_again_and_what_failed_is() {
        let memo = Memo::new();
        let account = Account { nonce: 7, balance: U256::ONE, code_hash: key(3) };
        let failed = || Err(ReadError::new("account", "a broken disk"));
        assert!(memo.account(key(1), failed).is_err());
        assert_eq!(memo.account(key(1), || Ok(Some(account))).unwrap(), Some(account));
        assert_eq!(memo.account(key(1), || panic!("it is known")).unwrap(), Some(account));
        // An absent account is remembered too.
        assert_eq!(memo.account(key(2), || Ok(None)).unwrap(), None);
        assert_eq!(memo.account(key(2), || panic!("it is known")).unwrap(), None);
        assert_eq!(memo.slot((key(1), key(2)), || Ok(U256::ZERO)).unwrap(), U256::ZERO);
        assert_eq!(memo.slot((key(1), key(2)), || panic!("it is known")).unwrap(), U256::ZERO);
        assert_eq!(memo.slot((key(2), key(1)), || Ok(U256::ONE)).unwrap(), U256::ONE);
    }

    #[test]
    fn a_scan_of_the_whole_state_does_not_fill_the_memory() {
        let memo = Memo::new();
        for number in 0..3 * SLOTS_MAX {
            memo.account(key(number), || Ok(None)).unwrap();
            memo.slot((key(number), key(0)), || Ok(U256::ZERO)).unwrap();
        }
        assert!(memo.accounts.len() <= ACCOUNTS_MAX && memo.slots.len() <= SLOTS_MAX);
        assert!(memo.slots.len() > SLOTS_MAX / 2);
    }
}
