//! Fate of an account in a transaction, from revm's journal of it.

use revm::primitives::{StorageKey, StorageValue};
use revm::state::Account;

/// Fate of an account in a transaction.
pub(super) struct Fate<S> {
    /// True if there is an account now.
    pub(super) exists: bool,
    /// True if slots are zero that are not among `slots`.
    pub(super) wiped: bool,
    /// Slots that it wrote.
    pub(super) slots: S,
}

/// Fate of an account; `None` if the transaction left it alone.
pub(super) fn fate(
    account: &Account,
    keeps_empty: bool,
) -> Option<Fate<impl Iterator<Item = (StorageKey, StorageValue)>>> {
    let destroyed = account.is_selfdestructed();
    let slots = account.storage.iter().filter(move |(_, slot)| !destroyed && slot.is_changed());
    account.is_touched().then(|| Fate {
        exists: !destroyed && (keeps_empty || !account.info.is_empty()),
        wiped: destroyed || account.is_created(),
        slots: slots.map(|(key, slot)| (*key, slot.present_value())),
    })
}
