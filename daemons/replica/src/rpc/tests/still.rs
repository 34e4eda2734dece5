//! Chain that stands still until a test moves it.

use maidenlane_replay::{Fitness, Live};
use maidenlane_state::StateView;
use maidenlane_testkit::chain::Chain;
use std::sync::Arc;

/// A fake chain that stands still, with a given fitness.
#[derive(Debug)]
pub(crate) struct Still {
    /// Chain that is served.
    pub(crate) chain: std::sync::Mutex<Arc<Chain>>,
    /// Fitness that is reported.
    pub(crate) fitness: Fitness,
    /// Sender of head changes.
    pub(crate) changes: tokio::sync::watch::Sender<u64>,
}

impl Still {
    /// Fresh chain, at its head.
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
