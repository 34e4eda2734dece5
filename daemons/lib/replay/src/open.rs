//! Opening of the log that a store is fed from.

use crate::apply::Demands;
use crate::error::Error;
use crate::events::Event;
use crate::follow::{Follower, Logs};
use crate::liveness::Liveness;
use crate::report::START_WAIT;
use maidenlane_chain::B256;
use maidenlane_log::{Backend, TopicNeeds};
use maidenlane_service::{Health, Tracer};
use maidenlane_store::{Keep, Store};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Timeout of a look at a log that may be away, in the middle of following.
const LOOK_WAIT: Duration = Duration::from_secs(3);
/// Interval of the signs of life of a search.
const PULSE: Duration = Duration::from_secs(1);

/// Settings of a replay: the feed, the chain, and the store.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The log that carries the feed.
    pub log: Backend,
    /// Topic of the feed.
    pub topic: String,
    /// The topic of the feed's trie nodes, where they are kept.
    pub proofs_topic: Option<String>,
    /// Topics that the daemon writes to. They are checked with the feed's: a fault is better reported at the start than
    /// to the first client that sends something.
    pub written: Vec<(String, TopicNeeds)>,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Hash of block 0; `None` takes the feed's.
    pub genesis: Option<B256>,
    /// Depth of the past that is kept.
    pub keep: Keep,
    /// Directory that holds the database, see [`crate::store_path`].
    pub state_dir: PathBuf,
    /// Memory for cached blocks of the database.
    pub store_cache_bytes: u64,
}

/// Parts that all followers of one daemon share.
pub(crate) struct Followers {
    pub(crate) settings: Settings,
    pub(crate) store: Arc<Store>,
    pub(crate) liveness: Arc<Liveness>,
    pub(crate) events: Tracer<Event>,
    pub(crate) health: Health,
}

impl Followers {
    /// Opens a follower, with every topic checked for its use.
    ///
    /// # Errors
    /// Errors of the log may pass, see [`may_pass`]; all others are fatal.
    pub(crate) fn checked(&self) -> Result<Follower, Error> {
        let Settings { log, topic, proofs_topic, written, .. } = &self.settings;
        let needs = TopicNeeds::of_feed(maidenlane_wire::parts::ENTRY_MAX_BYTES);
        let read = [Some(topic), proofs_topic.as_ref()].into_iter().flatten().map(|topic| (topic, &needs));
        for (topic, needs) in read.chain(written.iter().map(|(topic, needs)| (topic, needs))) {
            let problems = log.check(topic, needs)?;
            if !problems.is_empty() {
                return Err(Error::Unfit { topic: topic.clone(), problems });
            }
        }
        written.iter().try_for_each(|(topic, _)| log.producer(topic).map(drop))?;
        self.open(log)
    }

    /// Opens a follower with a new client, which waits for a short time only. `None` while the log is away.
    ///
    /// # Errors
    /// When the feed cannot be followed any more.
    pub(crate) fn quickly(&self) -> Result<Option<Follower>, Error> {
        let mut log = self.settings.log.clone();
        if let Backend::Kafka(options) = &mut log {
            options.timeout = LOOK_WAIT;
        }
        match self.open(&log) {
            Ok(follower) => Ok(Some(follower)),
            Err(Error::Log(source)) if may_pass(&source) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn open(&self, log: &Backend) -> Result<Follower, Error> {
        let Settings { topic, proofs_topic, chain_id, genesis, keep, .. } = &self.settings;
        let logs = Logs::open(log, topic, proofs_topic.as_deref())?;
        let demands = Demands { chain_id: *chain_id, genesis: *genesis, proofs: proofs_topic.is_some() };
        let (store, events, liveness) =
            (Arc::clone(&self.store), self.events.clone(), Arc::clone(&self.liveness));
        let mut told: Option<Instant> = None;
        let mut progress = || {
            if told.is_none_or(|told| told.elapsed() >= PULSE) {
                self.health.progress();
                self.health.extend_timeout(START_WAIT);
                told = Some(Instant::now());
            }
        };
        Follower::new(store, *keep, demands, logs, events, liveness, &mut progress)
    }
}

/// True if the log is away, and waiting may help: also for rights, which were there at the start.
pub(crate) fn may_pass(error: &maidenlane_log::Error) -> bool {
    use maidenlane_log::Error::Forbidden;
    error.may_come() || matches!(error, Forbidden { .. })
}
