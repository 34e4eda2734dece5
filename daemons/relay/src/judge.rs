//! Fates that a head decides, told once for all relays.
//!
//! # Why the others wait for a head more
//! All relays see the same block. The one that took an order tells what the block says of it; if it has died, the next block finds
//! the fate untold, and any other tells it.

use crate::courier::Courier;
use crate::failsafe::{self, Failsafe};
use crate::fates::Fates;
use crate::landing::{Case, Chain, later};
use crate::orders::Orders;
use crate::told::History;
use maidenlane_chain::{Address, B256, BlockRef};
use maidenlane_service::with_causes;
use maidenlane_state::{ReadError, StateView};
use maidenlane_wire::{ContentId, Delivery};

/// The canonical chain of a view.
struct Canonical<'a>(&'a dyn StateView);

impl Chain for Canonical<'_> {
    type Error = ReadError;

    fn hash_of(&self, number: u64) -> Result<Option<B256>, ReadError> {
        self.0.hash_of(number)
    }

    fn place_of(&self, transaction: B256) -> Result<Option<(BlockRef, usize)>, ReadError> {
        let Some((block, index)) = self.0.transaction(transaction)? else { return Ok(None) };
        // A block that left the chain keeps its transactions for a while.
        Ok((self.0.hash_of(block.number)? == Some(block.hash)).then_some((block, index)))
    }
}

/// An order without an end, or with one that a head may change.
enum Open {
    Undecided { case: Case, is_ours: bool, is_due: bool },
    Ended(History),
}

/// Tells what the head of a view decides, and has become public what it leaves open for too long.
///
/// # Errors
/// When the chain cannot be read.
pub(crate) fn judge(
    orders: &Orders,
    fates: &Fates,
    (courier, failsafe): (&Courier, Option<&Failsafe>),
    view: &dyn StateView,
) -> Result<(), ReadError> {
    let (head, open) = open(orders, fates, failsafe);
    let chain = Canonical(view);
    for (content, signer, open) in open {
        let fate = match open {
            Open::Ended(history) => later(&history, head, &chain)?,
            Open::Undecided { case, is_ours, is_due } => {
                let fate = case.judge(head, &chain)?;
                let is_open = is_due && fate.is_none();
                if let Some(failsafe) = failsafe.filter(|_| is_open) {
                    let bundle = orders.book().deliverable(content).map(|checked| checked.bundle.clone());
                    bundle.map_or(Ok(()), |bundle| failsafe.offer(content, &bundle, view))?;
                }
                if matches!(fate, Some(Delivery::Landed { .. } | Delivery::Expired)) {
                    courier.withdraw(content);
                }
                fate.filter(|fate| is_ours || head.number > number(fate))
            }
        };
        if let Some(fate) = fate
            && let Err(error) = fates.tell(content, signer, fate)
        {
            // Told at the next head.
            tracing::warn!("a fate is not in the log: {}", with_causes(&error));
            break;
        }
    }
    Ok(())
}

/// Orders that a head may decide on, so that neither book nor fates are held while the chain is read.
fn open(
    orders: &Orders,
    fates: &Fates,
    failsafe: Option<&Failsafe>,
) -> (crate::book::Head, Vec<(ContentId, Address, Open)>) {
    let (book, told) = (orders.book(), fates.told());
    let went = |content| told.of(content).is_some_and(|history| history.words.contains_key(failsafe::NAME));
    let has_end = |content| told.of(content).is_some_and(|history| history.end.is_some());
    let undecided = book.decided().filter(|checked| !has_end(checked.content)).map(|checked| {
        let is_ours = checked.bundle.taken.relay == fates.relay();
        let is_due = failsafe
            .is_some_and(|failsafe| failsafe.is_due(&checked.bundle, book.head().number, is_ours))
            && !went(checked.content);
        let open = Open::Undecided { case: Case::of(checked), is_ours, is_due };
        (checked.content, checked.bundle.signer, open)
    });
    let ended = told.all().filter(|(_, history)| history.end.is_some() && !history.is_final);
    let ended = ended.map(|(content, history)| (content, history.signer, Open::Ended(history.clone())));
    (book.head(), undecided.chain(ended).collect())
}

/// Block after which any relay tells a fate.
const fn number(fate: &Delivery) -> u64 {
    match fate {
        Delivery::Landed { block } | Delivery::Missed { block } => block.number,
        _ => 0,
    }
}
