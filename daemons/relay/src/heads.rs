//! Consequences of a new head: for the book, for fates, and for the queues of builders.

use crate::book::Head;
use crate::courier::Courier;
use crate::failsafe::Failsafe;
use crate::fates::Fates;
use crate::judge::judge;
use crate::metrics::Gauges;
use crate::orders::Orders;
use crate::simulator::Simulator;
use crate::tips::Tips;
use maidenlane_replay::Live;
use maidenlane_service::{Exit, Failure, Health, Shutdown, with_causes};
use maidenlane_state::StateView;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Watcher of heads.
#[derive(Clone)]
pub(crate) struct Watcher {
    pub(crate) live: Arc<dyn Live>,
    pub(crate) orders: Orders,
    pub(crate) fates: Fates,
    pub(crate) courier: Courier,
    /// Failsafe, where the settings have one.
    pub(crate) failsafe: Option<Failsafe>,
    pub(crate) tips: Tips,
    pub(crate) simulator: Simulator,
    pub(crate) gauges: Gauges,
    pub(crate) health: Health,
    /// True once both topics were read: what is known before that says nothing of what was told.
    pub(crate) is_complete: Arc<AtomicBool>,
}

impl Watcher {
    /// Tells everybody of every head until `ended`.
    pub(crate) async fn run(self, ended: Shutdown, stop: Shutdown) -> Result<(), Failure> {
        let mut changes = self.live.changes();
        while let Some(Ok(())) = ended.unless(changes.changed()).await {
            changes.borrow_and_update();
            let watcher = self.clone();
            let told = tokio::task::spawn_blocking(move || watcher.tell()).await;
            told.map_err(|panic| Failure::new(Exit::TaskDied, panic))?;
        }
        self.simulator.close();
        stop.triggered().await;
        Ok(())
    }

    /// Tells everybody of the present head. What a block holds is found before builders get what is for the next one.
    pub(crate) fn tell(&self) {
        let view = self.live.view();
        let head = head(&*view);
        self.orders.advance(head);
        // A head that is behind says nothing of what no block holds.
        let failsafe = self.failsafe.as_ref().filter(|_| self.live.fitness().stale.is_none());
        if self.is_complete.load(Ordering::Acquire)
            && let Err(error) = judge(&self.orders, &self.fates, (&self.courier, failsafe), &*view)
        {
            tracing::error!("what a block holds cannot be read: {}", with_causes(&error));
        }
        self.courier.advance(head.number.saturating_add(1));
        if self.is_complete.load(Ordering::Acquire) {
            if let Err(error) = self.tips.settle(&self.orders, &self.fates, &*view) {
                tracing::error!("what a block paid cannot be read: {}", with_causes(&error));
            }
            self.simulator.advance();
        }
        let (count, bytes) = self.orders.book().size();
        self.gauges.holds(count, bytes);
        let orders = serde_json::json!({ "known": count, "bytes": bytes, "head": head.number });
        self.health.set_section("orders", orders);
        if self.is_complete.load(Ordering::Acquire) && self.live.fitness().stale.is_none() {
            match self.courier.reaches_some() {
                true => self.health.set_ready(),
                false => {
                    self.health.set_unready("no builder answers: orders are kept, and sent when one does");
                }
            }
        }
        self.health.set_section("builders", self.courier.shown());
    }
}

/// Head of a view, as far as orders depend on it.
fn head(view: &dyn StateView) -> Head {
    let head = view.head();
    Head {
        number: head.block.number,
        timestamp_s: head.header.timestamp,
        finalized: head.finalized.map(|block| block.number),
    }
}
