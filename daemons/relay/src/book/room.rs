//! Room of a book: how much it takes, and the words for whoever finds none.

/// Factor between what is taken and what is held: requests that are on their way together may exceed the one, never the
/// other.
pub(super) const SLACK: usize = 2;

/// Bounds of a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Orders and names.
    pub orders: usize,
    /// Bytes of transactions.
    pub bytes: usize,
    /// Bytes of one account's: of an identity, or else of a signer.
    pub account_bytes: usize,
    /// Blocks that an order may wait for its own.
    pub ahead_max: u64,
}

/// Lack of room, in words for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRoom {
    /// Too many orders.
    #[error("the relay holds as many orders as it may: send again after the next block")]
    Orders,
    /// Too many bytes.
    #[error("the relay holds as many bytes of transactions as it may: send again after the next block")]
    Bytes,
    /// Too many bytes of this account.
    #[error("your orders take all the room that one account has: send again when blocks have come for some")]
    Account,
}

impl NoRoom {
    /// Word for programs.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Orders => "tooManyOrders",
            Self::Bytes => "tooManyBytes",
            Self::Account => "accountFull",
        }
    }
}
