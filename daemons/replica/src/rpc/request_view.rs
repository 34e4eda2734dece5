//! View that a request is answered from, and whether it is fresh enough for an answer.

use maidenlane_chain::BlockRef;
use maidenlane_ethjson::unreadable;
use maidenlane_jsonrpc::{Error, Json, MinBlock, Owner, codes};
use maidenlane_replay::{Fitness, Live};
use maidenlane_state::{Head, StateView};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Longest time that a request waits for a block.
const WAIT: Duration = Duration::from_millis(500);
/// Blocks that the awaited one may be ahead of the head.
const AHEAD_MAX: u64 = 5;

/// Pin of one request: a view, and the reason not to use it, if any.
pub struct RequestView {
    source: Arc<dyn StateView>,
    fitness: Fitness,
    refused: Option<Error>,
    /// Owner of what the request causes to be kept.
    owner: Owner,
}

impl std::fmt::Debug for RequestView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RequestView")
            .field("block", &self.block())
            .field("fitness", &self.fitness)
            .field("refused", &self.refused)
            .finish_non_exhaustive()
    }
}

impl RequestView {
    /// Pin of the newest view.
    pub(crate) fn now(live: &dyn Live) -> Self {
        Self { source: live.view(), fitness: live.fitness(), refused: None, owner: Owner::default() }
    }

    /// The same pin for a request of this owner.
    pub(crate) fn owned(self, owner: Owner) -> Self {
        Self { owner, ..self }
    }

    /// Owner of what the request causes to be kept.
    pub(crate) const fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Block of the view.
    pub(crate) fn block(&self) -> BlockRef {
        self.source.head().block
    }

    /// The head of the view.
    pub(crate) fn head(&self) -> &Head {
        self.source.head()
    }

    /// The view.
    pub(crate) fn source(&self) -> &dyn StateView {
        &*self.source
    }

    /// The view, to be held.
    pub(crate) fn held(&self) -> Arc<dyn StateView> {
        Arc::clone(&self.source)
    }

    /// Fitness of the replica when the request came.
    pub(crate) fn fitness(&self) -> &Fitness {
        &self.fitness
    }

    /// Freshness: an error that says why the view may not be used.
    pub(crate) fn fit(&self) -> Result<(), Error> {
        if let Some(error) = &self.refused {
            return Err(error.clone());
        }
        fit(&self.fitness)
    }
}

/// Freshness of the replica: an error that says why it is stale.
pub(crate) fn fit(fitness: &Fitness) -> Result<(), Error> {
    let Some(reason) = &fitness.stale else { return Ok(()) };
    let data = Json::object(|object| {
        object.quantity("head", fitness.head);
        object.quantity("expected", fitness.expected);
        object.raw("lagBlocks", &fitness.expected.saturating_sub(fitness.head).to_string());
        object.raw("silentMs", &fitness.silent_ms.to_string());
    });
    Err(Error::new(codes::STALE, format!("replica is stale: {reason}")).with_data(data))
}

/// Pins the newest view, or waits a moment for the one that the client wants.
pub(crate) async fn pin(
    live: &dyn Live,
    waiters: &Semaphore,
    min: Option<Result<MinBlock, Error>>,
) -> RequestView {
    let (source, refused) = match min {
        None => (live.view(), None),
        Some(Err(error)) => (live.view(), Some(error)),
        Some(Ok(min)) => {
            let source = reach(live, waiters, min.number).await;
            let refused = satisfies(&*source, &min).err();
            (source, refused)
        }
    };
    RequestView { fitness: live.fitness(), source, refused, owner: Owner::default() }
}

/// The first view at or above `number`, or the newest one when that does not come in time.
async fn reach(live: &dyn Live, waiters: &Semaphore, number: u64) -> Arc<dyn StateView> {
    let head = |source: &dyn StateView| source.head().block.number;
    // Subscribed before the first look: a change between look and wait is not missed.
    let mut changes = live.changes();
    let now = live.view();
    if head(&*now) >= number || number > head(&*now).saturating_add(AHEAD_MAX) {
        return now;
    }
    let Ok(_permit) = waiters.try_acquire() else { return now };
    let reached = async {
        while changes.changed().await.is_ok() {
            let source = live.view();
            if head(&*source) >= number {
                return Some(source);
            }
        }
        None
    };
    match tokio::time::timeout(WAIT, reached).await {
        Ok(Some(source)) => source,
        _ => live.view(),
    }
}

/// The first view that knows `block`, or the newest one when that does not come in time.
pub(crate) async fn knowing(live: &dyn Live, waiters: &Semaphore, block: BlockRef) -> RequestView {
    let knows = |source: &dyn StateView| matches!(source.header(block), Ok(Some(_)));
    // Subscribed before the first look: a change between look and wait is not missed.
    let mut changes = live.changes();
    let waits = waiters.try_acquire();
    let known = async { while !knows(&*live.view()) && changes.changed().await.is_ok() {} };
    if waits.is_ok() && block.number <= live.view().head().block.number.saturating_add(AHEAD_MAX) {
        // After a timeout the newest view is what there is.
        let _late = tokio::time::timeout(WAIT, known).await;
    }
    RequestView::now(live)
}

fn satisfies(source: &dyn StateView, min: &MinBlock) -> Result<(), Error> {
    let head = source.head().block.number;
    let data = || {
        Json::object(|object| {
            object.quantity("head", head);
            object.quantity("wanted", min.number);
        })
    };
    if head < min.number {
        let text = format!("block {} is not here yet (head {head})", min.number);
        return Err(Error::new(codes::MIN_BLOCK, text).with_data(data()));
    }
    match min.hash {
        Some(hash) if source.hash_of(min.number).map_err(unreadable)?.is_none_or(|ours| ours.0 != hash) => {
            let text = format!("the wanted block {} is not canonical here", min.number);
            Err(Error::new(codes::NOT_CANONICAL, text).with_data(data()))
        }
        _ => Ok(()),
    }
}
