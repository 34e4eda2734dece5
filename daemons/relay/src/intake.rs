//! Receivers of entries that were read: orders go into the book and on to builders, fates into what was told.

use crate::book::{Applied, Known};
use crate::courier::Courier;
use crate::failpoints;
use crate::fates::Fates;
use crate::feeds::{Cursor, Feeds, Named};
use crate::orders::Orders;
use crate::reader::Sink;
use crate::seal::Opened;
use maidenlane_log::Offset;
use maidenlane_service::failpoint;
use maidenlane_wire::{BundleFate, DecodeError, Delivery, Order, SealedKind};

/// Receiver of orders.
#[derive(Clone)]
pub struct TakeOrders {
    /// All orders.
    pub orders: Orders,
    /// Courier, who brings them to builders.
    pub courier: Courier,
}

/// Receiver of fates.
#[derive(Clone)]
pub struct TakeFates {
    /// All fates.
    pub fates: Fates,
    /// All orders.
    pub orders: Orders,
    /// Feeds of their senders.
    pub feeds: Feeds,
    /// Courier, who need not bring what another brought.
    pub courier: Courier,
}

impl Sink for TakeOrders {
    const KIND: SealedKind = SealedKind::Order;

    fn take(&self, (_, offset): (u32, Offset), opened: Opened, is_new: bool) -> Result<(), DecodeError> {
        if is_new {
            failpoint(failpoints::BEFORE_TAKE);
        }
        let order = Order::decode(&opened.whole)?;
        let content = order.content();
        match self.orders.read(offset.0, opened.nonce, order) {
            Applied::Counts => self.courier.offer(content),
            Applied::Cancels { ended: Some(content) } => self.courier.cancel(content),
            _ => {}
        }
        Ok(())
    }
}

impl Sink for TakeFates {
    const KIND: SealedKind = SealedKind::Fate;

    fn take(&self, (partition, offset): (u32, Offset), opened: Opened, _: bool) -> Result<(), DecodeError> {
        let fate = BundleFate::decode(&opened.whole)?;
        if !self.fates.read(&fate) {
            return Ok(());
        }
        let named = |known: &Known| Named { hash: *known.hash.reveal(), is_private: known.is_private };
        let order = self.orders.book().get(fate.content).map(named);
        self.feeds.tell(Cursor { partition, offset: offset.0 }, &fate, order);
        match &fate.fate {
            Delivery::Sent { builder } => self.courier.heard(fate.content, builder, true),
            Delivery::Refused { builder, .. } => self.courier.heard(fate.content, builder, false),
            Delivery::Landed { .. } | Delivery::Expired => self.courier.withdraw(fate.content),
            // Those of its blocks that are yet to come may hold it.
            Delivery::Uncled { .. } => self.courier.offer(fate.content),
            _ => {}
        }
        Ok(())
    }
}
