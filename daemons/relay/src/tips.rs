//! Tips that orders paid in the blocks that hold them, read from the chain at each head, and gas that was simulated for their signers.

use crate::earned::Earned;
use crate::fates::Fates;
use crate::hours::Sums;
use crate::orders::Orders;
use crate::told::End;
use maidenlane_chain::block::{BlockError, decode_header};
use maidenlane_chain::receipts::ReceiptsError;
use maidenlane_chain::transaction::effective_gas_price;
use maidenlane_chain::{Address, B256, BlockRef, Bytes, Receipts, U256};
use maidenlane_ethjson::raw;
use maidenlane_service::clock;
use maidenlane_state::{ReadError, StateView};
use maidenlane_wire::ContentId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Failure to read what a block paid.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unread {
    /// The database.
    #[error(transparent)]
    State(#[from] ReadError),
    /// A header of it.
    #[error("read the header of a block")]
    Header(#[from] BlockError),
    /// Receipts of it.
    #[error("read the receipts of a block")]
    Receipts(#[from] ReceiptsError),
}

/// Tips of all signers. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Tips(Arc<Mutex<Earned>>);

/// Order that a block holds and that is not counted yet.
struct Uncounted {
    content: ContentId,
    signer: Address,
    block: BlockRef,
    txs: Vec<(B256, Bytes)>,
}

impl Tips {
    fn earned(&self) -> MutexGuard<'_, Earned> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sums of a signer: of tips, in wei, and of gas that was simulated.
    #[must_use]
    pub fn sums(&self, signer: Address) -> (Sums, Sums) {
        self.earned().sums(signer, clock::now_ms())
    }

    /// Counts gas that was simulated for a signer.
    pub fn simulated(&self, signer: Address, gas: u64) {
        self.earned().simulated(signer, gas, clock::now_ms());
    }

    /// Counts what blocks hold since the last head, and takes back what they no longer do.
    ///
    /// # Errors
    /// When the chain cannot be read.
    pub(crate) fn settle(&self, orders: &Orders, fates: &Fates, view: &dyn StateView) -> Result<(), Unread> {
        let uncounted = self.uncounted(orders, fates);
        let mut blocks = HashMap::new();
        for Uncounted { content, signer, block, txs } in uncounted {
            let block_paid = match blocks.get(&block) {
                Some(block_paid) => block_paid,
                None => blocks.entry(block).or_insert(Paid::of(view, block)?),
            };
            let mut paid = U256::ZERO;
            for (hash, tx) in txs {
                // Those that may be left out need not be there.
                if let Some((_, index)) = view.transaction(hash)?.filter(|(held, _)| *held == block) {
                    paid = paid.saturating_add(block_paid.by(index, tx));
                }
            }
            self.earned().add((content, signer), block, paid, clock::now_ms());
        }
        Ok(())
    }

    fn uncounted(&self, orders: &Orders, fates: &Fates) -> Vec<Uncounted> {
        let (book, told) = (orders.book(), fates.told());
        let mut earned = self.earned();
        earned.settle(|content, block| match told.of(content) {
            Some(history) if history.end == Some(End::Landed(block)) => (!history.is_final).then_some(true),
            _ => Some(false),
        });
        let landed = told.all().filter_map(|(content, history)| match history.end {
            Some(End::Landed(block)) if !history.is_final && !earned.counts(content, block) => {
                Some((content, history.signer, block))
            }
            _ => None,
        });
        let known = landed.filter_map(|(content, signer, block)| {
            let checked = book.deliverable(content)?;
            let hashes = checked.hashes.reveal().iter().copied();
            let txs = hashes.zip(checked.bundle.txs.iter().cloned()).collect();
            Some(Uncounted { content, signer, block, txs })
        });
        known.collect()
    }
}

/// Payments of a block's transactions.
struct Paid {
    base_fee: Option<u64>,
    receipts: Receipts,
}

impl Paid {
    fn of(view: &dyn StateView, block: BlockRef) -> Result<Self, Unread> {
        let (header, receipts) = (view.header(block)?.unwrap_or_default(), view.receipts(block)?);
        let base_fee = decode_header(&header)?.base_fee_per_gas;
        Ok(Self {
            base_fee,
            receipts: receipts.map_or(Ok(Receipts::default()), |all| Receipts::decode(&all))?,
        })
    }

    /// Tip of the transaction of that index.
    fn by(&self, index: usize, tx: Bytes) -> U256 {
        let (Some(receipt), Ok(sent)) = (self.receipts.items().get(index), raw::decode(tx)) else {
            return U256::ZERO;
        };
        let price = effective_gas_price(&sent.tx, self.base_fee);
        let tip = price.saturating_sub(self.base_fee.unwrap_or(0).into());
        U256::from(tip).saturating_mul(U256::from(receipt.gas_used))
    }
}
