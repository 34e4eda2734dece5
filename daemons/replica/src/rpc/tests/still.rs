//! A chain that stands still until it is told to move.

use maidenlane_replay::{Fitness, Live};
use maidenlane_state::StateView;
use maidenlane_testkit::chain::Chain;
use std::sync::Arc;

/// A fake chain that stands still, with a given fitness.
#[derive(Debug)]
pub(crate) struct Still {
    /// What is shown.
    pub(crate) chain: std::sync::Mutex<Arc<Chain>>,
    /// How it is.
    pub(crate) fitness: Fitness,
    /// Told of changes.
    pub(crate) changes: tokio::sync::watch::Sender<u64>,
}

impl Still {
    /// Following, at the chain's head.
    pub(crate) fn new(chain: Chain) -> Self {
        let head = chain.head().block.number;
        let fitness = Fitness { stale: None, head, expected: head, silent_ms: 10 };
        Self {
            chain: std::sync::Mutex::new(Arc::new(chain)),
            fitness,
            changes: tokio::sync::watch::Sender::new(head),
        }
    }

    /// Moves to another head.
    pub(crate) fn show(&self, chain: Chain) {
        let head = chain.head().block.number;
        *self.chain.lock().expect("no panic") = Arc::new(chain);
        let _ = self.changes.send(head);
    }
}

impl Live for Still {
    fn view(&self) -> Arc<dyn StateView> {
        let chain: Arc<Chain> = Arc::clone(&self.chain.lock().expect("no panic"));
        chain
    }

    fn fitness(&self) -> Fitness {
        self.fitness.clone()
    }

    fn changes(&self) -> tokio::sync::watch::Receiver<u64> {
        self.changes.subscribe()
    }
}
