//! Reports of the tap about itself: failures that pass, readiness, status.

use crate::error::Error;
use crate::events::{Event, held};
use crate::publish::Publisher;
use crate::spool::Spool;
use maidenlane_chain::{BlockRef, ForkWatch, Forks, UnknownFork};
use maidenlane_service::{Health, Tracer, clock, with_causes};
use std::time::{Duration, Instant};

/// Extension of the start's timeout, requested again and again while a start waits for a dependency.
pub(crate) const START_WAIT: Duration = Duration::from_secs(30);
/// Time without the log after which the tap gives up, so that the service manager restarts it.
const GIVE_UP_AFTER: Duration = Duration::from_secs(600);

pub(super) struct Reporter {
    events: Tracer<Event>,
    health: Health,
    failing_since: Option<Instant>,
    /// Text of the last failure, which is reported once.
    failure: Option<String>,
    /// True if it was told that frames do not come.
    held: bool,
    /// The master's chain config, parsed again when it changes.
    chain_config: String,
    forks: Option<Forks>,
    fork_watch: ForkWatch,
}

/// The state of following as of one tick.
pub(super) struct Status<'a> {
    pub(super) publisher: &'a Publisher,
    pub(super) spool: &'a Spool,
    pub(super) master: Option<BlockRef>,
    pub(super) resuming: bool,
    /// The block that a new feed will begin at, and the newest one that is final.
    pub(super) unfinal: Option<(BlockRef, Option<BlockRef>)>,
    /// The block whose frames are missing; true if that has lasted.
    pub(super) missing: Option<(BlockRef, bool)>,
}

impl Reporter {
    pub(super) fn new(events: Tracer<Event>, health: Health) -> Self {
        Self {
            events,
            health,
            failing_since: None,
            failure: None,
            held: false,
            chain_config: String::new(),
            forks: None,
            fork_watch: ForkWatch::default(),
        }
    }

    /// Notes that nothing is in the way: forgets the last failure.
    pub(super) fn works(&mut self) {
        (self.failing_since, self.failure) = (None, None);
        self.health.progress();
    }

    /// Notes that the tap is the feed's writer and has something to write: ready, however long its backlog is.
    pub(super) fn writes(&self) {
        self.health.set_ready();
    }

    /// Reports a failure that may pass.
    ///
    /// # Errors
    /// When it has lasted too long, unless it is the master's.
    pub(super) fn fails(&mut self, error: Error) -> Result<(), Error> {
        let since = *self.failing_since.get_or_insert_with(Instant::now);
        let reason = with_causes(&error);
        if self.failure.as_ref() != Some(&reason) {
            self.events.emit(&Event::Away { reason: reason.clone() });
        }
        self.health.set_unready(reason.clone());
        self.health.set_status_line(&reason);
        self.health.extend_timeout(START_WAIT);
        self.failure = Some(reason);
        if !matches!(error, Error::Master(_)) && since.elapsed() >= GIVE_UP_AFTER {
            let waited_ms = clock::millis(since.elapsed());
            return Err(Error::GaveUp { waited_ms, source: Box::new(error) });
        }
        self.health.progress();
        Ok(())
    }

    pub(super) fn report(&mut self, status: &Status<'_>) {
        let Status { publisher, spool, master, resuming, unfinal, missing } = *status;
        let tail = publisher.tail();
        let section = serde_json::json!({
            "published": tail.published.head(),
            "master": master,
            "resuming": resuming,
            "epoch": tail.reader.epoch(),
            "seq": tail.reader.next_seq(),
            "offset": tail.next.0,
            "finalized": publisher.finalized(),
            "beginsAt": unfinal.map(|(base, _)| base),
            "waitingFor": missing.map(|(block, _)| block),
            "spoolBlocks": spool.len(),
        });
        self.health.set_section("tap", section);
        self.report_forks(spool, tail.published.head());
        match (missing, tail.published.head()) {
            (Some((missing, false)), _) => self.health.set_unready(format!("no frames of block {missing}")),
            (Some((missing, true)), _) => self.health.set_unready(held(missing)),
            (_, None) => match unfinal {
                Some((base, finalized)) => self.health.set_unready(begins_once_final(base, finalized)),
                None => self.health.set_unready("the feed is empty"),
            },
            _ if resuming => self.health.set_unready("the master is behind the published head"),
            // Ready once a record of our own epoch is acknowledged.
            (_, Some(head)) if publisher.is_open() => {
                self.health.set_ready();
                self.health.set_status_line(&format!("published {head}"));
            }
            (_, Some(_)) => self.health.set_unready("not the feed's writer yet"),
        }
        if let Err(reason) = self.health.ready() {
            self.health.set_status_line(&reason);
            self.health.extend_timeout(START_WAIT);
        }
        let lasting = missing.filter(|(_, lasts)| *lasts);
        if let Some((missing, _)) = lasting.filter(|_| !self.held) {
            self.events.emit(&Event::Held { missing });
        }
        self.held = lasting.is_some();
    }

    /// Reports the next fork of the master that this build does not implement. A head is about as old as its
    /// announcement.
    fn report_forks(&mut self, spool: &Spool, head: Option<BlockRef>) {
        let (Ok(init), Some(head), now_s) = (spool.init(), head, clock::now().as_secs()) else { return };
        if self.chain_config != init.chain_config {
            self.chain_config.clone_from(&init.chain_config);
            // Replicas refuse what is no chain config, and say so.
            self.forks = Forks::parse(&init.chain_config).ok();
        }
        let forks = self.forks.as_ref();
        let unknown = forks.and_then(|forks| UnknownFork::next(forks, head.number, now_s, now_s));
        if let Some(fork) = unknown.as_ref().filter(|fork| self.fork_watch.is_due(fork, now_s)) {
            self.events.emit(&Event::UnknownFork(fork.clone()));
        }
        let fork =
            unknown.map(|fork| serde_json::json!({ "name": fork.name, "secondsLeft": fork.seconds_left }));
        self.health.set_section("unknownFork", fork.into());
    }
}

/// Text for a feed that has not begun.
fn begins_once_final(base: BlockRef, finalized: Option<BlockRef>) -> String {
    match finalized {
        Some(finalized) => {
            let blocks = base.number.saturating_sub(finalized.number);
            format!("the feed begins at block {base} once that is final, {blocks} blocks above the final one")
        }
        None => {
            format!("the feed begins at block {base} once that is final; the master knows of no final block")
        }
    }
}
